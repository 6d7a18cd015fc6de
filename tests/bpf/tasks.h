/* SPDX-License-Identifier: Apache-2.0 */
/* What the exec tracker keeps of a task, wherever this kernel lets it be kept. */
#pragma once

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static inline int tasks_in_storage(void)
{
	static int known = -1;

	if (known < 0)
		known = kbpf_has_task_storage();
	return known;
}

/* To read, or where `write` is set, to write. */
static inline int tasks_access(const struct kbpf *k, pid_t tid, struct osh_task *t, int write)
{
	int in_storage = tasks_in_storage(), r;
	int map = kbpf_map_fd(k, in_storage ? "task_data" : "tasks");
	int key = in_storage ? (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD) : tid;

	if (key < 0)
		return -errno;
	r = write ? bpf_map_update_elem(map, &key, t, BPF_ANY) : bpf_map_lookup_elem(map, &key, t);
	r = r ? -errno : 0;
	if (in_storage)
		close(key);
	return r;
}
