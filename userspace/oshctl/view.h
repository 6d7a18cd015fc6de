/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of a sandbox's terminal at the caller's: keys go in, output comes out, the window's size follows.
 * What comes is bytes for the terminal, as with `oshctl run`.
 */
#pragma once

#include "detach.h"

#define VIEW_DETACHED -1		/* the terminal goes on without us */

struct view_opts {
	struct detach detach;
};

/* Runs until the terminal ends, the caller leaves or oshctl is told to end. The exit status. */
int view_relay(int control, int stream, const struct view_opts *o);
