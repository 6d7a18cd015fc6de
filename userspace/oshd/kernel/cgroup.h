/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 tree of one oshd: <v2>/osh.slice/<name>/{box,egress}/<sandbox id>. Hooks are
 * attached once to `box` and `egress` and hold for every directory below (cgroups(7), BPF_F_ALLOW_MULTI),
 * so that starting a sandbox costs one mkdir each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct cgroup_base {
	int slice_fd;			/* osh.slice */
	int instance_fd;
	int box_fd, egress_fd;
	char root[256];			/* where the v2 hierarchy is mounted */
	char name[64];
};

/* Finds (through /proc/self/mountinfo) the v2 hierarchy and makes the instance's directories. */
int cgroup_open(struct cgroup_base *c, const char *instance, struct err *e);

/*
 * `all`: ends what lives below the instance and removes it, and osh.slice if nobody else is in it.
 * Otherwise only the descriptors are closed: a successor will find the directories.
 */
void cgroup_close(struct cgroup_base *c, bool all);

/* One sandbox's directory below `parent_fd` (box_fd or egress_fd). */
int cgroup_make(int parent_fd, uint32_t id, int *ret_fd, uint64_t *ret_cgroup_id, struct err *e);
int cgroup_find(int parent_fd, uint32_t id, int *ret_fd, uint64_t *ret_cgroup_id, struct err *e);
bool cgroup_busy(int fd);				/* a process lives in it or below; true where nobody can tell */
void cgroup_kill(int fd);				/* SIGKILL to all, by cgroup.kill */
/*
 * The same for a cgroup that goes on: where the kernel counts kills (6.13), a process that is later cloned
 * into a cgroup whose cgroup.kill was written dies at once, since its count is taken from its parent.
 */
void cgroup_kill_members(int fd);
int cgroup_remove(int parent_fd, uint32_t id);		/* -EBUSY while a process is still leaving */

/* Ends and removes what instances of dead processes left below osh.slice; gives how many. */
int cgroup_sweep(const struct cgroup_base *c);

/* Kills and removes sandboxes of this instance that nobody knows; or all, with fresh directories. */
void cgroup_sweep_own(const struct cgroup_base *c, bool (*alive)(void *, uint32_t id), void *data);
int cgroup_reset(struct cgroup_base *c, const char *instance, struct err *e);

/* Another ABI's directory below osh.slice: how many of its sandboxes live; -ENOENT. */
int cgroup_living(const struct cgroup_base *c, const char *name, unsigned *ret);
void cgroup_remove_other(const struct cgroup_base *c, const char *name);
void cgroup_path_of(const struct cgroup_base *c, const char *name, char *ret, size_t n);

/* Does the process live below osh.slice, that is inside some sandbox or egress? <0 = cannot tell. */
int cgroup_is_ours(int pid);
