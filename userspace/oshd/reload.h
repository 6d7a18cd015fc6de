/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox's next policy while it runs. The tables of the next generation are filled beside those in force; the
 * egress, if one lives, reads and checks the same policy beside its own and says so; then one store flips the
 * generation in the kernel, which the egress reads too. So each decision is of one policy, the flip is the moment
 * for all of them, and what the new policy does not forbid goes on.
 */
#pragma once

#include "sandbox.h"

struct osh_msg_reloaded;

struct reload_request {
	int bundle_fd;			/* borrowed; a sealed memfd */
	void *arg;
	/*
	 * The last moment at which nothing has changed: kernel and egress are ready. Failing leaves the old
	 * policy in force, and `done` says so. May be NULL.
	 */
	int (*commit)(void *arg, uint32_t generation, struct err *e);
	/* Once, after reload_start() gave 0. error NULL: `generation` is in force, and what it forbids is closed. */
	void (*done)(void *arg, uint32_t generation, const char *error);
};

/* On failure nothing has changed, and `done` is not called. */
int reload_start(struct sandbox *s, const struct reload_request *q, struct err *e);
const struct bundle *reload_next(const struct sandbox *s);	/* what has tables beside those in force, or NULL */
void reload_cancel(struct sandbox *s, const char *why);	/* the sandbox ends */

/* Programs that osh-launch opened for the policy that is coming; false = for none. */
bool reload_programs(struct sandbox *s, const struct osh_msg_programs *m, const struct chan_in *in);

/* What becomes of the egress meanwhile; see egress_hold(). */
void reload_egress_up(struct sandbox *s);
void reload_egress_gone(struct sandbox *s);
void reload_answered(struct sandbox *s, const struct osh_msg_reloaded *m);

/* Adoption: a reload that the former oshd had stored and not yet flipped goes through; any other is dropped. */
int reload_resume(struct sandbox *s, struct err *e);
void reload_resumed(struct sandbox *s);	/* once its egress is known: tells it */
