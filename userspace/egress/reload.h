/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshd's word that another policy is coming, and what is done when it is in force. oshd sends the bundle; it
 * is read, checked and answered for while the old one goes on; then oshd flips the generation in the kernel,
 * which is when it is in force here (grant.h), and asks that whatever lives be judged by it.
 */
#pragma once

#include "err.h"
#include "loop.h"
#include "osh/msg.h"

struct flows;

struct reload {
	struct watch control;		/* to oshd */
	struct timer look;		/* oshd may have died between its flip and its word of it */
	struct timer sweep;
	bool owes;			/* an answer, once that was */
	struct osh_msg_reload owed;
	struct timer creds;		/* another set of them was taken */
	struct osh_msg_reload taken;
	struct flows *fs;
	int root_fd, anchors_fd;	/* until a policy looks into TLS; -1 = taken */
};

int reload_init(struct reload *r, struct flows *fs, int control_fd, struct err *e);

/* TLS, where this policy is the first that looks into it. */
struct bundle;
int reload_tls(struct reload *r, const struct bundle *b, struct err *e);
