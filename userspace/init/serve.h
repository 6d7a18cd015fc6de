/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes of other sandboxes that come in: a child for each connection joins the stream that oshd sends with a port of the
 * loopback. It has the sandbox's identity, and its memory and time are this sandbox's. Who may come is oshd's word.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "chan.h"

struct served {
	pid_t pid;			/* 0 = free */
	uint32_t caller, port;
};

/* NULL = none for this caller: each may have half of what the others leave, and one in any case. */
struct served *serve_place(struct served all[OSH_SERVED], uint32_t caller);
void serve_begin(struct served all[OSH_SERVED], const struct osh_msg_serve *m, int stream);	/* takes stream */
void serve_end(struct served all[OSH_SERVED], const struct osh_msg_unserve *m);
void serve_child(struct served all[OSH_SERVED], pid_t pid);	/* one has ended */
_Noreturn void serve_join(int stream, int port);	/* serve_join.c: what the child does */
