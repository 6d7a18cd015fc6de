/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems that show other processes or the kernel (proc, cgroup, debugfs, ...). A listed tree is
 * copied with the mounts below it, so none of these may be among them. The list of the host's is kept
 * by osh-launch and read again only when the kernel says that a mount has changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "machine.h"

struct windows {
	const struct machine *machine;	/* whose; NULL = our own */
	int fd;				/* its mount table; -1 before */
	char **at;			/* mount points */
	size_t n;
};

/* The name of such a file system by its magic number, else NULL. */
const char *window_name(long magic);

int windows_refresh(struct windows *w, struct err *e);
const char *windows_below(const struct windows *w, const char *tree);	/* NULL = none */

void mountinfo_unescape(char *s);	/* a path of mountinfo, in place */

/* One line, which is cut up: where it is mounted, and whether nobody writes there. */
int mountinfo_line(char *line, char **ret_path, bool *ret_read_only, struct err *e);
