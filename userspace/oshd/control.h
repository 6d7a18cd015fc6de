/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket to the egress that lives. One pair an egress: what is said to one that dies is never heard
 * by the next. osh-launch keeps our end too, so that the next oshd can go on where this one was.
 */
#pragma once

#include "daemon.h"
#include "err.h"

/* Makes the pair; ours is s->egress.control_fd. An embedded oshd never reloads: *ret is
 * then an empty memfd, or, where there are limits of calls of models, a socket of datagrams. */
int control_open(struct sandbox *s, int *ret_theirs, struct err *e);
int control_watch(struct sandbox *s, struct err *e);	/* after control_open() or adoption */
void control_close(struct sandbox *s);

/* type: OSH_MSG_EGRESS_*; bundle_fd -1 = none. 0 or -errno: it does not listen. */
int control_say(struct sandbox *s, unsigned type, uint32_t generation, uint64_t serial, int bundle_fd);
