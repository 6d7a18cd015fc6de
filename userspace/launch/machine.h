/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own mount and network namespaces, where osh-launch was put into others by its service manager: what builds a
 * sandbox sees the machine's directories, and an egress dials from its network, while osh-launch itself, which reads oshd's
 * messages, has neither. NULL, or -1 in a field, stands for where osh-launch is anyway; entering that does nothing.
 */
#pragma once

#include "err.h"

struct machine {
	int proc;			/* directory in /proc of a process that has those mounts */
	int mounts, network;		/* namespaces */
	int own_mounts;			/* osh-launch's, for machine_leave_mounts() */
};

#define MACHINE_NONE { -1, -1, -1, -1 }

/*
 * mounts: directory of a process in /proc; network: a network namespace's file; either may be NULL. 0, or -errno with
 * nothing open. What is open stays so for the process' life, and is closed by an exec.
 */
int machine_open(struct machine *m, const char *mounts, const char *network, struct err *e);

/* Of the calling process, which has one thread and shares neither root nor working directory. */
int machine_enter_mounts(const struct machine *m, struct err *e);
int machine_enter_network(const struct machine *m, struct err *e);
int machine_leave_mounts(const struct machine *m);	/* back; -errno = it is still there */

/* The mount table, in the words of mountinfo: a descriptor, the caller's, that a change makes readable with POLLPRI; or -errno. */
int machine_table(const struct machine *m);
