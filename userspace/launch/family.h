/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that osh-launch has started: sandboxes (their pid 1), egresses, what walks into a sandbox, and probings. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum kin_kind { KIN_SANDBOX, KIN_EGRESS, KIN_FOLLOW, KIN_PROBE };
enum kin_state {
	KIN_PREPARING,			/* builds its sandbox */
	KIN_PREPARED,			/* waits for OSH_MSG_GO */
	KIN_STARTING,			/* was told to go */
	KIN_RUNNING,
};

struct kin;
struct source {				/* of an epoll event */
	enum { SOURCE_PEER, SOURCE_LISTEN, SOURCE_PIDFD, SOURCE_CHANNEL } what;
	struct kin *kin;
};

struct kin {
	struct kin *next;
	enum kin_kind kind;
	enum kin_state state;
	uint32_t id;
	pid_t pid;
	int pidfd;
	int channel;			/* to the child until it has executed; else -1 */
	int cgroup_fd;			/* kept by an embedded run's watcher; else -1 */
	uint64_t deadline_ms;		/* CLOCK_MONOTONIC; while not running */
	struct source on_exit, on_channel;
};

struct family {
	struct kin *first;
	unsigned n, n_starting;		/* all; not yet running */
};

/* NULL when out of memory. Descriptors are -1. */
struct kin *kin_new(struct family *f, enum kin_kind kind, uint32_t id);
struct kin *kin_find(const struct family *f, enum kin_kind kind, uint32_t id);
void kin_running(struct family *f, struct kin *k);
void kin_kill(const struct kin *k);
bool kin_gone(const struct kin *k, int ms);	/* waits so long at most */
void kin_reap(const struct kin *k);		/* waits; the process is dead or dying */
void kin_free(struct family *f, struct kin *k);	/* closes its descriptors */

/* Ends all, waits for all, and removes their cgroups up to osh's own slice. */
void family_end(struct family *f);
