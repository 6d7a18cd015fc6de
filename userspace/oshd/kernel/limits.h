/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many tasks, how much memory, processor and disk time one sandbox may take: controllers of cgroup v2 in the sandbox's own
 * directory, or, on hosts that still have them in v1, directories `osh.<instance>.<id>` below oshd's own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "cgroup.h"
#include "err.h"

enum limit_kind {
	LIMIT_PIDS, LIMIT_MEMORY, LIMIT_CPU, LIMIT_IO, LIMITS
};

struct limits {
	const struct cgroup_base *cgroups;
	bool v2[LIMITS];		/* the controller is on for the sandboxes' v2 directories */
	int v1_fd[LIMITS];		/* oshd's own directory in the hierarchy that has it; -1 = none */
	uint64_t pids, memory;		/* what every sandbox gets; 0 = unknown */
};

struct limits_use {			/* 0 = unknown */
	uint64_t tasks, tasks_max, tasks_refused;
	uint64_t memory, memory_max, killed;
	uint64_t cpu_us;		/* processor time that it took */
};

void limits_open(struct limits *l, const struct cgroup_base *c);
void limits_close(struct limits *l);
bool limits_has(const struct limits *l, enum limit_kind kind);

/* Before anything runs there. A limit that is asked for and that no controller can keep is an error. */
int limits_set(struct limits *l, const uint64_t amount[OSH_RESOURCES], uint32_t id, int box_fd, struct err *e);
/* Whoever is not root asks for no more than he gets where nothing is said: the machine is everybody's. */
int limits_may(const struct limits *l, const uint64_t amount[OSH_RESOURCES], struct err *e);
/* A line about each limit that every sandbox has and no controller keeps here; *i begins with 0, NULL = no more. */
const char *limits_unkept(const struct limits *l, const uint64_t amount[OSH_RESOURCES], unsigned *i);
/* The process that becomes osh-init joins the v1 directories; in v2 it was born in its own. */
int limits_enter(const struct limits *l, uint32_t id, int pid, struct err *e);
void limits_remove(const struct limits *l, uint32_t id);
/* Directories of this instance's sandboxes that nobody knows, and of embedded runs that have died. */
void limits_sweep(const struct limits *l, bool (*alive)(void *, uint32_t id), void *data);
/*
 * A descriptor that says when this limit has refused something: a file of the kernel (EPOLLPRI, quiet once it is read), or
 * an eventfd. -errno: nothing says so here.
 */
int limits_watch(const struct limits *l, enum limit_kind kind, uint32_t id, int box_fd, bool *ret_file);
void limits_use(const struct limits *l, uint32_t id, int box_fd, struct limits_use *ret);
