/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listed programs that lie in writable trees: there a path proves nothing, so their inodes are
 * registered before the sandbox runs (OSH_MSG_PROGRAMS).
 */
#pragma once

#include "bundle.h"
#include "paths.h"

/* Inside the finished view. Programs that do not exist simply get no identity. */
int programs_send(int channel, uint32_t id, const struct paths *p, const struct bundle *b,
		  struct err *e);

/*
 * In the view of a sandbox that runs: those that `next` lists and `was` does not, where they lie in a writable
 * mount. A file that the agent put there is what the one who lists it means, as at a start.
 */
int programs_send_new(int channel, uint32_t id, const struct bundle *next, const struct bundle *was,
		      struct err *e);
