/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which route a user's sandboxes begin with (`inference set --default`). A row of the state; each start copies it into the
 * choice of that sandbox, if its policy has such a route and nobody chose for this sandbox itself. It says nothing of what
 * may be called: that the policy does.
 */
#pragma once

#include "caller.h"
#include "state/state.h"

/* The caller's own; route "": none from now on, which is -ENOENT where there was none. */
int preset_set(const struct caller *who, const char *route, const char *model, struct err *e);
int preset_get(struct daemon *d, uid_t uid, struct state_choice *ret, struct err *e);	/* route "" = there is none */

/* Before its first process. A policy that has no such route, or lets none be chosen, keeps its order, and a warning says so. */
int preset_apply(struct sandbox *s, struct err *e);
