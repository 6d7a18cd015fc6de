/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes between two connected, non-blocking stream sockets. Small messages are read and written;
 * bulk is spliced through a pipe taken from a pool, so an idle connection holds no pipe. A direction
 * takes new bytes only when the earlier ones are delivered: that bounds memory and carries
 * backpressure. Knows nothing of policy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay_pipe;

struct relay_half {
	int from, to;
	struct relay_pipe *pipe;	/* held only while bytes are in it */
	size_t held;
	bool bulk, eof, shut;
};

struct relay {
	struct relay_half half[2];	/* client to upstream, and back */
};

enum relay_state {
	RELAY_RESET,			/* an error on either side: reset both */
	RELAY_WAIT,			/* until epoll (edge triggered, both sockets) says more */
	RELAY_MORE,			/* cut for fairness: call again without waiting */
	RELAY_DONE,			/* both directions ended in order */
};

void relay_init(struct relay *r, int client, int upstream);
enum relay_state relay_pump(struct relay *r);
void relay_done(struct relay *r);	/* gives pipes back; the sockets stay the caller's */
