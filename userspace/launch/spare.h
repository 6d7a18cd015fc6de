/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace of the next sandbox, made while nothing else is to be done: the kernel needs
 * longer for one than for everything else that a sandbox is made of, and building it waits for a lock
 * that namespaces which end hold for milliseconds. Nobody lives in it. It is for the sandbox whose
 * prefix it has, which oshd alone knows beforehand: so it has this oshd's DNS program too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

struct spare {
	const struct machine *machine;	/* whose /proc/sys can be written; NULL = our own can */
	int home;			/* our own network namespace; 0 before the first */
	int dns_prog_fd;		/* 0 before the first hint */
	uint32_t next[4];		/* prefix of the next sandbox */
	int fd;				/* valid where `made` is not zero */
	uint32_t made[4];		/* prefix of the one that is ready */
	bool off;			/* this kernel or its limits give none: children make their own */
};

void spare_hint(struct spare *s, const uint32_t next_net6[4], int dns_prog_fd);
int spare_take(struct spare *s, const uint32_t net6[4]);	/* becomes the caller's; -1 = not there */

/*
 * Makes one, or turns itself off where none can be made. Aborts the process if it could not come back
 * into its own namespace.
 */
void spare_make(struct spare *s);
bool spare_wanted(const struct spare *s);
