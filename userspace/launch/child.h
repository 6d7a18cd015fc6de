/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a freshly cloned process does to become a sandbox: namespaces, view, network, credentials,
 * Landlock, seccomp, report, wait for the word, execute osh-init. Root until cred_drop().
 */
#pragma once

#include <sys/resource.h>

#include "mounts.h"
#include "osh/msg.h"
#include "seccomp.h"
#include "windows.h"

struct child_args {
	const struct osh_msg_launch *m;	/* checked by the receiver */
	const int *fds;			/* enum osh_launch_fd */
	int channel;			/* to osh-launch: reports up, OSH_MSG_GO down */
	const struct mounts *mounts;	/* checked by the receiver */
	int init_fd;			/* osh-init, executable and unreadable */
	const struct seccomp_set *filters;
	int netns_fd;			/* a fresh network namespace, or -1: make one */
	const struct windows *windows;	/* just refreshed */
	const struct machine *machine;	/* whose directories; NULL = ours */
	struct rlimit nofile;		/* what osh-launch was started with */
};

/*
 * OSH_MSG_PREPARED from child to osh-launch: listener, steering link, network namespace, where refused
 * system calls wait, and the file system of its private trees.
 */
#define CHILD_FDS 5

_Noreturn void child_run(const struct child_args *a);
