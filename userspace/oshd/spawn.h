/* SPDX-License-Identifier: Apache-2.0 */
/* Starting osh's own programs with exactly the descriptors that they are meant to have. */
#pragma once

#include <sys/types.h>

#include "err.h"

/*
 * Forks and executes `program` from our own directory (dir_fd). fds[i] becomes descriptor 3 + i;
 * 0, 1 are /dev/null, 2 stays ours; everything else is closed. -1 in fds leaves a hole.
 */
pid_t spawn_fork(int *ret_pidfd);	/* fork() with a pidfd */
int spawn_role(int dir_fd, const char *program, char *const argv[], const int *fds, int n_fds,
	       pid_t *ret_pid, int *ret_pidfd, struct err *e);

/* Waits for a child that was asked to end; after `ms` milliseconds it is killed. Closes *pidfd. */
void spawn_reap(pid_t pid, int *pidfd, int ms);
