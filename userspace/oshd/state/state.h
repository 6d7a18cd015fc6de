/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives a reboot: sandboxes that were created, their policy revisions, labels and volumes, in
 * one SQLite database (WAL, synchronous=FULL) in the state directory. A function that returns 0 has its
 * change on disk; killed before that, nothing of it is there. Runs (`oshctl run`) are never in it.
 * Errors are -errno with the reason in *e. Text given out lives until the row's *_done(). Whose call it
 * is and whether names have a good form is the caller's to check; lengths and counts are checked here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "osh/creds.h"
#include "osh/inference.h"
#include "osh/limits.h"
#include "osh/msg.h"

#define STATE_SCHEMA 7			/* of this program; an older one is migrated, a newer one refused */

struct state;

/*
 * Opens or makes DIR/osh.db (0600), checks its integrity, migrates it. DIR must be ours, and nobody
 * else's to write. A damaged file is -EUCLEAN, one of a newer schema -ENOTSUP; neither is changed.
 */
int state_open(struct state **ret, const char *dir, struct err *e);
void state_close(struct state *st);
int state_dir(const struct state *st);	/* descriptor of DIR, which stays ours */

/*
 * A consistent copy, written by a child: what is changed meanwhile is not in it. When the pidfd is
 * readable, end() reaps the child and says how it went.
 */
int state_backup_start(struct state *st, int to_fd, pid_t *ret_pid, int *ret_pidfd, struct err *e);
int state_backup_end(struct state *st, struct err *e);
int state_backup(struct state *st, int to_fd, struct err *e);	/* both, and waits */

struct state_volume_use {
	char name[OSH_SANDBOX_NAME];
	char path[1024];
	bool read_only;
	uint64_t key;			/* given out; see state_volume_need() */
};

struct state_label {
	char *key, *value;
};

/* A stored provider that a sandbox has, and what stands for its credential inside. */
struct state_provider_use {
	char name[OSH_CRED_NAME];
	char placeholder[OSH_CRED_PLACEHOLDER];
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
	uint64_t created_us;		/* CLOCK_REALTIME; 0 = state_create() takes the time */
	bool wanted;			/* is to run: Create and Start set it, Stop and the end of its command take it back */
	int exit_status;		/* wait status of its command when it ran last; -1 = none yet */
	uint64_t amount[OSH_RESOURCES];	/* over what its policies ask for */
	char *reason;			/* why it stopped, for a person, or NULL */
	uint32_t revision;		/* policy in force */
	void *spec;			/* for state_create(), else NULL: state_command_open() gives it */
	size_t spec_len;		/* 0 = it has no command of its own */
	struct osh_msg_init_spec spec_head;
	struct state_label *labels;
	size_t n_labels;
	struct state_volume_use volumes[OSH_MOUNTS - 1];
	size_t n_volumes;
	struct state_provider_use providers[OSH_CREDS];	/* its owner's */
	size_t n_providers;
};

struct state_revision {
	uint32_t revision;		/* from 1 */
	uint64_t time_us;
	uid_t uid;			/* who set it */
	uint32_t from;			/* rolled back to this one; 0 = new */
	char hash[65];			/* of the policy's text, hex, as the audit log names it */
};

void state_sandbox_done(struct state_sandbox *s);

/* With its first policy and the volumes that are new. Sets key, revision, created_us. -EEXIST: the name is taken. */
int state_create(struct state *st, struct state_sandbox *s, int bundle_fd, int source_fd, struct err *e);
int state_find(struct state *st, const char *name, struct state_sandbox *ret, struct err *e);	/* -ENOENT */
/* fn may change what it likes; a negative answer of its ends the loop and is given back. */
int state_each(struct state *st, int (*fn)(void *data, const struct state_sandbox *s), void *data, struct err *e);
int state_command_open(struct state *st, uint64_t key, int *ret_fd, struct err *e);	/* sealed memfd; -ENOENT */
int state_wanted(struct state *st, uint64_t key, bool wanted, int exit_status, const char *reason, struct err *e);
int state_label(struct state *st, uint64_t key, const struct state_label *set, size_t n_set,
		char *const *remove, size_t n_remove, struct err *e);
int state_delete(struct state *st, uint64_t key, struct err *e);	/* its home is trash; its volumes stay */

/*
 * Revisions. Bundles and sources are sealed memfds; source_fd -1 = none was given. A new one is in force from
 * then on: where the sandbox runs, added just before the kernel flips, and cut where that failed. After a crash
 * settle asks what the kernel has. So what is enforced is a stored revision, and an acknowledged one is enforced.
 * The newest OSH_REVISIONS are kept.
 */
int state_policy_add(struct state *st, uint64_t key, int bundle_fd, int source_fd, uid_t by, uint32_t from,
		     uint32_t *ret_revision, struct err *e);
/* Back to `revision`: it is in force, and what is newer is gone. */
int state_policy_cut(struct state *st, uint64_t key, uint32_t revision, struct err *e);
/* It lives and enforces this bundle: the newest revision with it is in force. -ENOENT: none has it. */
int state_policy_settle(struct state *st, uint64_t key, int bundle_fd, struct err *e);
int state_policy_each(struct state *st, uint64_t key, int (*fn)(void *, const struct state_revision *), void *data,
		      struct err *e);
/* Sealed memfds; either pointer may be NULL. A revision without source gives -1 for it. */
int state_policy_open(struct state *st, uint64_t key, uint32_t revision, int *ret_bundle, int *ret_source,
		      struct err *e);

/* Volumes belong to a user. A volume that a sandbox uses cannot be deleted (-EBUSY). */
int state_volume_need(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e); /* made where new */
int state_volume_each(struct state *st, int (*fn)(void *, uid_t, const char *name, uint64_t key, unsigned users), void *data,
		      struct err *e);
int state_volume_delete(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e);

/*
 * Directories (see home.h). What was deleted is trash from then on, until somebody says that it is gone: a
 * directory is never taken away because a row is missing, so a database of last week costs nobody his files.
 */
enum state_tree { STATE_HOME = 1, STATE_VOLUME };
int state_trash_each(struct state *st, int (*fn)(void *data, enum state_tree kind, uint64_t key), void *data,
		     struct err *e);
int state_trash_done(struct state *st, enum state_tree kind, uint64_t key, struct err *e);
/* Keys up to this one have directories already: the next is a higher one. */
int state_keys_above(struct state *st, enum state_tree kind, uint64_t key, struct err *e);

/* Providers belong to a user, as volumes do. What is secret of one is in `box`, which only vault.h can open. */
struct state_provider {
	char name[OSH_CRED_NAME];
	uid_t uid;
	char type[OSH_PROVIDER_TYPE];
	char *record;			/* JSON, for the egress and for oshctl */
	uint64_t created_us, rotated_us;	/* CLOCK_REALTIME; 0 = now */
	void *box;
	size_t box_len;
	unsigned sandboxes;		/* created ones that have it */
};

void state_provider_done(struct state_provider *p);
int state_provider_add(struct state *st, const struct state_provider *p, struct err *e);	/* -EEXIST */
int state_provider_set(struct state *st, const struct state_provider *p, struct err *e);	/* type, record, box; -ENOENT */
int state_provider_find(struct state *st, uid_t uid, const char *name, struct state_provider *ret, struct err *e);
int state_provider_each(struct state *st, int (*fn)(void *data, const struct state_provider *p), void *data, struct err *e);
int state_provider_delete(struct state *st, uid_t uid, const char *name, struct err *e);	/* -EBUSY: a sandbox has it */
/* Of a created sandbox and its owner: given, or with another placeholder; and taken away. -ENOENT */
int state_provider_use(struct state *st, uint64_t sandbox, uid_t uid, const struct state_provider_use *u, struct err *e);
int state_provider_drop(struct state *st, uint64_t sandbox, uid_t uid, const char *name, struct err *e);

/* How much was used of what is limited (count.h): of a user's sandbox, or (sandbox 0) of all of them. */
struct state_count {
	uid_t uid;
	int64_t sandbox;		/* key of a created one; below 0: a run */
	char name[OSH_COUNT_NAME];
	uint64_t until_ms;		/* CLOCK_REALTIME: from then on the row may go */
	const void *pieces;
	size_t len;
};

/* All or none, and on disk. Rows that count nothing any more go; -EDQUOT: the user has OSH_COUNTS_EACH others. */
int state_count_put(struct state *st, const struct state_count *rows, size_t n, uint64_t now_ms, struct err *e);
/* Its pieces; *len is the room, then what there was. -ENOENT */
int state_count_get(struct state *st, uid_t uid, int64_t sandbox, const char *name, void *ret, size_t *len, struct err *e);
int state_count_drop(struct state *st, int64_t sandbox, struct err *e);	/* all of that sandbox */

/* Which route of its policy a sandbox' calls of models go to first (choice.h). */
struct state_choice {
	int64_t sandbox;		/* as in struct state_count */
	char route[OSH_ROUTE_NAME];
	char model[OSH_MODEL_LEN + 8];	/* "" = what the caller asks for */
	uint64_t time_us;		/* CLOCK_REALTIME; 0 = now */
	uid_t by;			/* who chose */
	bool preset;			/* what its owner's sandboxes begin with; nobody chose for this one */
};

int state_choice_put(struct state *st, const struct state_choice *c, struct err *e);	/* in the place of the former one */
int state_choice_get(struct state *st, int64_t sandbox, struct state_choice *ret, struct err *e);	/* -ENOENT */
int state_choice_drop(struct state *st, int64_t sandbox, struct err *e);
int state_choice_drop_runs(struct state *st, struct err *e);	/* none lives: their numbers will be others' */

/* What sandboxes of c->by that start from now on begin with: route, model and time_us count. */
int state_preset_put(struct state *st, const struct state_choice *c, struct err *e);	/* in the place of the former one */
int state_preset_get(struct state *st, uid_t uid, struct state_choice *ret, struct err *e);	/* -ENOENT; preset is set */
int state_preset_drop(struct state *st, uid_t uid, struct err *e);
