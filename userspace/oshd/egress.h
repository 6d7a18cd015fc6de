/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's egress as oshd sees it: nothing until the first connection waits on the listener,
 * then one process; started again when it dies while a connection waits.
 */
#pragma once

#include "daemon.h"
#include "osh/msg.h"

enum egress_state { EGRESS_NONE, EGRESS_ASKED, EGRESS_UP, EGRESS_RESTING };

struct egress {
	enum egress_state state;
	int pidfd;
	int control_fd;			/* to the one that lives, or -1 */
	sd_event_source *control;
	sd_event_source *wait;		/* listener readable */
	sd_event_source *exit;		/* egress died */
	sd_event_source *rest;		/* pause between two starts */
	unsigned starts;
	bool held;			/* none is to be started until it is released */
};

int egress_arm(struct sandbox *s, struct err *e);	/* after the listener exists */
int egress_adopt(struct sandbox *s, struct err *e);	/* the same, where one may live already */
void egress_up(struct sandbox *s, int pidfd);		/* osh-launch started it; takes pidfd */
void egress_failed(struct sandbox *s, const char *why);
void egress_unheard(struct sandbox *s);	/* the osh-launch that was asked for one is gone; perhaps it started it */

/*
 * Starts none from here on: connections wait in the listener's backlog. While it is held reload_egress_up() says
 * that one which had been asked for is there, and reload_egress_gone() that none lives any more.
 */
enum egress_state egress_hold(struct sandbox *s);
void egress_kill(struct sandbox *s);
void egress_release(struct sandbox *s);
void egress_end(struct sandbox *s);
