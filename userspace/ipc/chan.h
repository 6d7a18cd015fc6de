/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed-size messages with descriptors over SOCK_SEQPACKET (include/osh/msg.h). A message that is
 * truncated, of a wrong size or with more descriptors than the receiver asked for is -EBADMSG: its
 * descriptors are closed and the caller ends that peer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "osh/msg.h"

struct chan_in {
	union {
		struct osh_msg_head h;
		char bytes[OSH_MSG_BYTES];
	};
	size_t n;			/* bytes received */
	int fds[OSH_MSG_FDS];		/* owned by the receiver; chan_in_done() closes what was not taken */
	int n_fds;
};

int chan_pair(int ret_fds[2]);	/* SOCK_SEQPACKET | SOCK_CLOEXEC */

/*
 * Nothing that is sent to this end may carry a descriptor: closing one, also unread, can take for ever, and the far end
 * may be taken over. false = the kernel cannot (before Linux 6.16).
 */
bool chan_refuse_fds(int fd);

/* Sets h->type and h->size itself. 0 or -errno; never blocks longer than the socket's own timeout. */
int chan_send(int fd, unsigned type, void *msg, size_t size, const int *fds, int n_fds);

/* 1 = got one, 0 = peer closed, -errno. */
int chan_recv(int fd, struct chan_in *in);

/* The same without waiting, whatever the far end's owner made of the socket: -EAGAIN. */
int chan_send_now(int fd, unsigned type, void *msg, size_t size, const int *fds, int n_fds);
int chan_recv_now(int fd, struct chan_in *in);

/*
 * For a receiver that may be killed: the message stays until chan_drop(), and another gets it again. Neither waits. Such
 * messages carry no descriptors: those of one that does are closed.
 */
int chan_peek(int fd, struct chan_in *in);
void chan_drop(int fd);

/* The message if it has this type, size and number of descriptors, else NULL. */
const void *chan_is(const struct chan_in *in, unsigned type, size_t size, int n_fds);
const struct osh_msg_programs *chan_is_programs(const struct chan_in *in);	/* has as many descriptors as it says */
int chan_take(struct chan_in *in, int i);	/* descriptor i now belongs to the caller */
void chan_in_done(struct chan_in *in);
