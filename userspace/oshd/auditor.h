/* SPDX-License-Identifier: Apache-2.0 */
/* oshd's end of osh-audit: the process that drains the rings and writes the logs. */
#pragma once

#include "daemon.h"
#include "osh/msg.h"
#include "state/state.h"

int auditor_start(struct daemon *d, struct err *e);
void auditor_stop(struct daemon *d);

/* Its descriptors stay the sandbox's own. */
int auditor_add(struct daemon *d, const struct sandbox *s, struct err *e);
int auditor_tally(int *ret_fd, struct err *e);	/* what it leaves to its successor, per sandbox */
int auditor_calls(struct daemon *d, const struct sandbox *s, struct err *e);	/* once it is prepared */
/*
 * A line in the owner's log. auditor_lives() first: what could not be on record is not done.
 */
int auditor_lives(const struct daemon *d, struct err *e);
void auditor_provider(struct daemon *d, uid_t owner, uid_t by, enum osh_provider_deed deed, const char *name, const char *sandbox);
void auditor_choice(const struct sandbox *s, const struct state_choice *c);	/* of a route for calls of models */
/* A route of `caller`'s sandbox comes to that port of s, or must not. What could not be on record is not done. */
int auditor_served(const struct sandbox *s, const char *caller, uint32_t port, enum osh_reason why, struct err *e);
int auditor_warned(struct daemon *d, const struct sandbox *s, struct err *e);	/* what it was started without */
/* A policy is being loaded; then it is in force. Its rules have names from the first call on. */
int auditor_policy(struct daemon *d, const struct sandbox *s, uint32_t generation, int bundle_fd, bool in_force,
		   struct err *e);
/* A limit of the sandbox refused so much since it was told of last. */
int auditor_limit(struct daemon *d, const struct sandbox *s, enum osh_limit which, uint64_t count, struct err *e);
int auditor_end(struct daemon *d, const struct sandbox *s);		/* answers through sandbox_reported() */
