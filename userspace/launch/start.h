/* SPDX-License-Identifier: Apache-2.0 */
/* From a request of oshd to a process that builds itself. */
#pragma once

#include <sys/types.h>

#include "child.h"
#include "err.h"

struct start_args {
	const struct osh_msg_launch *m;
	const int *fds;			/* enum osh_launch_fd */
	int init_fd;
	const struct mounts *mounts;	/* checked */
	const struct seccomp_set *filters;
	int netns_fd;			/* a fresh network namespace, or -1 */
	struct windows *windows;
	const struct machine *machine;	/* whose directories; NULL = ours */
	struct rlimit nofile;
};

/* What oshd says is checked again: text ends, numbers are in range, nobody becomes root. */
int start_check(const struct osh_msg_launch *m, struct err *e);

/* The descriptors given back are the caller's. */
int start_sandbox(const struct start_args *a, pid_t *ret_pid, int *ret_pidfd, int *ret_channel,
		  struct err *e);
