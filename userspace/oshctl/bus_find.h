/* SPDX-License-Identifier: Apache-2.0 */
/* Where oshd is: a socket of a resident one, or a process of our own for the length of one run. */
#pragma once

#include <sys/types.h>

#include "err.h"

/* A connected socket; *ret_pid is the embedded oshd's, 0 for a resident one. */
int bus_find(const char *socket, int *ret_fd, pid_t *ret_pid, struct err *e);
int bus_find_resident(const char *socket, int *ret_fd, struct err *e);
/* Our own oshd, with `fd` as its descriptor 3 and nothing of our environment. */
int bus_start_oshd(const char *const *args, int fd, pid_t *ret_pid, struct err *e);
void bus_reap(pid_t pid);		/* waits a bounded time for its end, then ends it */
