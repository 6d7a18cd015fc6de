/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the egress of a sandbox in namespaces and a cgroup of its own; it confines itself further. */
#pragma once

#include <sys/types.h>

#include "err.h"
#include "machine.h"
#include "osh/msg.h"

/*
 * 0 and a pidfd that becomes the caller's, or -errno. fds stay the caller's. The child is ours to
 * wait for; it outlives this process and ends with the sandbox (OSH_EFD_PIDFD). It dials from the
 * machine's network.
 */
int launch_egress(const struct osh_msg_egress *m, const int fds[OSH_EFD_MAX], const struct machine *machine,
		  pid_t *ret_pid, int *ret_pidfd, struct err *e);

/* The executable, opened; default: `osh-egress` beside this process' own. Stays the caller's. */
void launch_egress_program(int fd);
