/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's root: a private tmpfs that holds its own directories (furnish.h) and, at their own
 * names, copies of the trees that the caller opened (paths.h). Built in the child's mount namespace;
 * nothing is looked up by a name that somebody else can change.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "landlock.h"
#include "paths.h"

#define VIEW_RULES (OSH_FS_PATHS + 2 * OSH_LIST_MAX + 32)

struct view_args {
	uid_t run_uid;
	gid_t run_gid;
	const char *name;		/* host name inside; letters, digits, '.', '_', '-' */
	bool strict;			/* process.exec.mode: nothing writable is executable */
	bool lax;			/* tests: not by noexec mounts and vm.memfd_noexec */
	bool idmap;			/* writable trees: their owner <-> run_uid */
	bool nested;			/* user namespaces inside: /proc must be writable */
	const struct bundle *bundle;	/* process.exec.allow */
	int root_fd, anchors_fd;	/* as OSH_LFD_*; -1 = nothing of ours is to be trusted */
	const struct mounts *given;	/* device nodes among them; may be NULL */
	bool java;			/* with root_fd: Java's store, too */
	uint64_t disk;			/* bytes of what it may fill; 0 = half of the memory */
};

struct view {
	int root_fd;			/* -1 before */
	int scratch_fd;			/* the file system of its private trees; O_PATH */
	struct landlock_rule rules[VIEW_RULES];	/* of the finished view; descriptors stay open */
	size_t n_rules;
};

/* Builds and enters: afterwards "/" and the working directory are the new root. */
int view_enter(struct view *v, struct paths *p, const struct view_args *a, struct err *e);

/* Landlock's rules for the host's root, where a test leaves the view out. */
int view_rules_only(struct view *v, const struct paths *p, const struct view_args *a, struct err *e);
