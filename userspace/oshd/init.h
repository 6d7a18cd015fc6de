/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox's osh-init as oshd speaks to it: over the manager socket, one way but for the last word.
 * Sessions are the clients' own sockets, passed on unread. Nothing here waits.
 */
#pragma once

#include "sandbox.h"

int init_pair(struct sandbox *s, int *ret_far, struct err *e);	/* far: osh-init's end, the caller's */

/* session: a seqpacket socket; flags: OSH_OPEN_*. The descriptor stays the caller's. */
int init_open(struct sandbox *s, int session, uint32_t flags, struct err *e);
/* Another sandbox's route comes to that port; stream: see struct osh_msg_crossed. The descriptor stays the caller's. */
int init_serve(struct sandbox *s, uint32_t caller, uint32_t port, int stream, struct err *e);
int init_unserve(struct sandbox *s, struct osh_msg_unserve *m, struct err *e);
int init_stop(struct sandbox *s, uint32_t ms, struct err *e);	/* SIGTERM to all, and the end after ms */

/* After osh-init has gone: wait status of the command that the sandbox ended with, -1 = there was none. */
int init_status(struct sandbox *s);
int init_watch(struct sandbox *s, struct err *e);	/* and tells its life, if it has one */
