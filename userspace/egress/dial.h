/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what an address stands for to a connected socket: the name is resolved, every address is judged
 * (addr.c), the good ones are dialled in turn; or the operator's proxy is, and asked for the name (proxy.c): then it
 * is the proxy that resolves, and the proxy that guards. The only place of this process that opens a connection,
 * and so the only one that has to guard addresses.
 */
#pragma once

#include "loop.h"
#include "names.h"
#include "osh/abi.h"
#include "grant.h"

struct flows;

#define DIAL_ADDRS NAMES_ADDRS

struct dial {
	struct flows *fs;
	struct grant *grant;		/* a reference of its own */
	struct watch w;			/* the socket, watched edge triggered; fd -1 = none */
	struct timer one, whole;
	struct name_wait wait;
	uint64_t call;			/* oshd was asked under this number; 0 = not */
	TAILQ_ENTRY(dial) asked;
	char said[120];			/* why it came to nothing, where more is known than the reason */
	bool local;			/* only to this machine */
	bool elsewhere;			/* and somebody else answered */
	bool resolving;
	bool proxied;			/* to[0] is the proxy */
	bool listed;			/* to[] is the operator's word, or the destination itself: nothing to judge */
	/* Called once, perhaps by dial_start() itself; *d may be freed in it. OSH_WHY_ALLOWED: w.fd is connected. */
	void (*done)(struct dial *d, enum osh_reason why);
	struct ip bad;			/* the first answer that may not be dialled */
	bool has_bad;
	int n, at;			/* addresses to dial; the next one */
	struct {
		struct ip addr;
		uint16_t port;
	} to[DIAL_ADDRS];
};

TAILQ_HEAD(dial_list, dial);

/* *d starts zeroed, with `done` set. */
void dial_start(struct dial *d, struct flows *fs, struct grant *g);
void dial_end(struct dial *d, bool hard);	/* cancels; closes the socket if it is still here */

/*
 * Another policy is in force, and g is what it says of the destination. OSH_WHY_ALLOWED: the dial goes on, or what it
 * made may stay; addresses that are not allowed any more are left out, and `done` may have been called where none was
 * left to answer. Else why it cannot, and then `done` was not called.
 */
enum osh_reason dial_again(struct dial *d, struct grant *g);

/* oshd has answered (across.h): a stream, or -1 and why there is none. */
void dial_crossed(struct dial *d, int fd, enum osh_reason why);

/* The socket, no longer watched. An owner may also keep it here and put a function of its own into w.fn. */
int dial_take(struct dial *d);

/* What was dialled last, or the destination itself. */
struct ip dial_addr(const struct dial *d, uint16_t *ret_port);

/* Resets at close are the default from a socket's first moment; only an orderly end takes that back. */
int socket_hard(int fd, int on);
