/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which route of its policy a sandbox' calls of models go to first, and under which model's name: its owner's choice,
 * changed while it runs. It is on disk before its egress hears of it, and whoever asked is answered when every call from
 * then on goes by it. It says nothing of what may be called: that the policy does.
 */
#pragma once

#include "caller.h"
#include "chan.h"
#include "state/state.h"

struct bundle;
struct osh_b_route;
struct osh_msg_reloaded;

struct choice {
	bool known;			/* read from disk */
	struct state_choice now;	/* route "" = none */
	uint64_t serial;		/* of what its egress was told last */
	sd_bus_message *call;		/* answered when it goes by that */
	sd_event_source *timer;
};

/* route "": none from now on. The call is answered later, unless this fails: then nothing has changed. */
int choice_set(struct sandbox *s, const struct caller *who, const char *route, const char *model, sd_bus_message *call,
	       struct err *e);
const struct state_choice *choice_of(struct sandbox *s, struct err *e);	/* NULL = it cannot be read */

const struct osh_b_route *choice_route(const struct bundle *b, const char *name);	/* NULL = it has no such one */
int choice_check(const struct sandbox *s, const char *route, const char *model, struct err *e);	/* may it be chosen at all? */

/* Before its first process: what its owner's sandboxes begin with, in the place of what the last start had from there; "" = nothing. */
int choice_begin(struct sandbox *s, const struct state_choice *preset, struct err *e);

/* To an egress: its first word, before it takes a connection. 0 or -errno. */
int choice_tell(struct sandbox *s, struct err *e);
void choice_answered(struct sandbox *s, const struct osh_msg_reloaded *m);
void choice_egress_gone(struct sandbox *s);	/* the next one is told */
void choice_resumed(struct sandbox *s);		/* adoption: what the former oshd wrote down and did not come to tell */
void choice_end(struct sandbox *s);		/* the sandbox has ended */
