/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives a reboot: sandboxes that were created, their policy revisions, labels and volumes, in
 * one SQLite database (WAL, synchronous=FULL) in the state directory. A function that returns 0 has its
 * change on disk; killed before that, nothing of it is there. Runs (`oshctl run`) are never in it.
 * Errors are -errno with the reason in *e. Text given out lives until the row's *_done().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "osh/limits.h"
#include "osh/msg.h"

#define STATE_SCHEMA 1			/* of this program; an older one is migrated, a newer one refused */

struct state;

/* Opens or makes DIR/osh.db (0600), checks its integrity, migrates it. */
int state_open(struct state **ret, const char *dir, struct err *e);
void state_close(struct state *st);
int state_backup(struct state *st, int to_fd, struct err *e);	/* a consistent copy, while in use */

struct state_volume_use {
	char name[OSH_SANDBOX_NAME];
	char path[1024];
	bool read_only;
};

struct state_label {
	char *key, *value;
};

/* A created sandbox. `uid` owns it. */
struct state_sandbox {
	uint64_t key;			/* never reused; names its home directory */
	char name[OSH_SANDBOX_NAME];
	uid_t uid;
	gid_t gid;
	gid_t groups[OSH_GROUPS_CALLER];
	uint32_t n_groups;
	char workdir[1024];
	uint64_t created_us;		/* CLOCK_REALTIME */
	bool wanted;			/* is to run: Create and Start set it, Stop and the end of its command take it back */
	int exit_status;		/* wait status of its command when it ran last; -1 = none yet */
	char *reason;			/* why it stopped, for a person, or NULL */
	uint32_t revision;		/* policy in force */
	void *spec;			/* memfd of its command, or NULL */
	size_t spec_len;
	struct osh_msg_init_spec spec_head;
	struct state_label *labels;
	size_t n_labels;
	struct state_volume_use volumes[OSH_MOUNTS - 1];
	size_t n_volumes;
};

struct state_revision {
	uint32_t revision;		/* from 1 */
	uint64_t time_us;
	uid_t uid;			/* who set it */
	uint32_t from;			/* rolled back to this one; 0 = new */
	char hash[65];			/* of the bundle, hex */
};

void state_sandbox_done(struct state_sandbox *s);

int state_create(struct state *st, struct state_sandbox *s, int bundle_fd, int source_fd, struct err *e); /* sets key, revision */
int state_find(struct state *st, const char *name, struct state_sandbox *ret, struct err *e);	/* -ENOENT */
int state_each(struct state *st, int (*fn)(void *data, const struct state_sandbox *s), void *data, struct err *e);
int state_wanted(struct state *st, uint64_t key, bool wanted, int exit_status, const char *reason, struct err *e);
int state_label(struct state *st, uint64_t key, const struct state_label *set, size_t n_set,
		char *const *remove, size_t n_remove, struct err *e);
int state_delete(struct state *st, uint64_t key, struct err *e);

/* Revisions. The newest OSH_REVISIONS are kept, and always the one in force. source_fd -1 = none was given. */
int state_policy_add(struct state *st, uint64_t key, int bundle_fd, int source_fd, uid_t by, uint32_t from,
		     uint32_t *ret_revision, struct err *e);
int state_policy_each(struct state *st, uint64_t key, int (*fn)(void *, const struct state_revision *), void *data,
		      struct err *e);
int state_policy_open(struct state *st, uint64_t key, uint32_t revision, int *ret_bundle, int *ret_source,
		      struct err *e);	/* sealed memfds; either pointer may be NULL */

/* Volumes belong to a user. A volume that a sandbox uses cannot be deleted (-EBUSY). */
int state_volume_need(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e); /* made where new */
int state_volume_each(struct state *st, int (*fn)(void *, uid_t, const char *name, uint64_t key, unsigned users), void *data,
		      struct err *e);
int state_volume_delete(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e);
