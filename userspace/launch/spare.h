/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces made ahead, while nothing else is to be done: the kernel needs longer for one
 * than for everything else that a sandbox is made of. Set up is what no policy changes (netns_prepare);
 * lo is down and nobody lives there.
 */
#pragma once

#include <stdbool.h>

#define SPARES 2

struct spares {
	int home;			/* our own network namespace; 0 before the first */
	int fds[SPARES];
	int n;
	bool off;			/* this kernel or its limits give none: children make their own */
};

int spares_take(struct spares *s);	/* a descriptor that becomes the caller's, -1 = none left */

/*
 * Makes one, or turns itself off where none can be made. Aborts the process if it could not come back
 * into its own namespace.
 */
void spares_add(struct spares *s);
bool spares_wanted(const struct spares *s);
