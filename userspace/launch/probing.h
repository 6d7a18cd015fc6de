/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshd --probe` for doctor (osh/probe.h). Started here and not by oshd: what confines oshd's unit refuses most of what a
 * sandbox is built from, and who builds sandboxes is who has to be able to.
 */
#pragma once

#include <sys/types.h>

#include "err.h"
#include "machine.h"

/* It writes its rows to out_fd, which stays ours, and ends by itself. It is in the machine's namespaces. */
int probing_start(int out_fd, const struct machine *machine, pid_t *ret_pid, int *ret_pidfd, struct err *e);
