/* SPDX-License-Identifier: Apache-2.0 */
/* `resources.wall`: how long a sandbox may live, from the start of its osh-init on, whichever oshd then watches. */
#pragma once

#include "sandbox.h"

int wall_start(struct sandbox *s, struct err *e);	/* it runs; 0 too where nobody asked */
void wall_stop(struct sandbox *s);
