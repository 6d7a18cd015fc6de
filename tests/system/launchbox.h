/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox without its network: the steps of osh-launch's child in their order, each layer by choice,
 * and a function of the test in place of osh-init. Everything lives in a directory of the test.
 */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/launch/cred.h"
#include "../../userspace/launch/landlock.h"
#include "../../userspace/launch/mounts.h"
#include "../../userspace/launch/paths.h"
#include "../../userspace/launch/view.h"
#include "../../userspace/launch/windows.h"
#include "../unit/answerer.h"
#include "own.h"
#include "policy.h"

#define BOX_UID 61234			/* nobody's */
#define OWNER 60001			/* owns what the caller owns */

enum { L_VIEW = 1, L_CRED = 2, L_LANDLOCK = 4, L_SECCOMP = 8, L_ALL = 15 };

struct box {
	const char *policy;		/* "@" stands for the test's directory */
	const char *workdir;		/* below it; NULL = "rw" */
	uid_t caller;			/* 0 = root */
	bool idmap;
	/* What the compiler does not let through yet goes into the bundle here. "@" as above. */
	const char *deny[4], *allow[4], *sock;
	bool strict;
	unsigned layers;		/* 0 = all */
	const struct mounts *mounts;
	int (*inside)(void);		/* 0, or the line of the check that failed */
};

struct outcome {
	int code;			/* of the step that refused, else 0 */
	char text[240];
	int line;			/* of the first failed check inside, else 0 */
	uint32_t warnings;
	char warning[1024];
};

#define CHECK(x) do { if (!(x)) return __LINE__; } while (0)

extern char dir[64];			/* the test's own, absolute */
extern struct seccomp_set box_filters;
extern struct windows box_windows;

static inline char *box_expand(const char *text)
{
	struct buf b = { 0 };

	for (; *text; text++)
		if (*text == '@')
			buf_str(&b, dir);
		else
			buf_put(&b, text, 1);
	buf_put(&b, "", 1);
	return b.p;
}

static inline int box_compile(const char *policy, struct buf *ret)
{
	char *text = box_expand(policy);
	struct diags d = { 0 };
	int r = policy_compile(slice_of(text), &d, ret);

	if (r)
		policy_print_diags(&d, stderr, "policy", -1);
	diags_done(&d);
	free(text);
	return r;
}

/* Adds the box' deny and allow lists to a bundle that was opened from memory. */
static inline void box_amend(const struct box *x, struct bundle *b)
{
	static struct osh_b_fs fs[OSH_FS_PATHS];
	static struct osh_b_exec exec[4];
	static struct osh_b_unix unix_path;
	static struct osh_b_meta meta;
	struct buf text = { 0 };

	meta = *b->meta;
	meta.exec_mode = x->strict ? OSH_EXEC_STRICT : meta.exec_mode;
	buf_put(&text, b->strings, b->n_strings);
	memcpy(fs, b->fs, b->n_fs * sizeof(*fs));
	for (int i = 0; i < 4 && (x->deny[i] || x->allow[i]); i++) {
		char *deny = x->deny[i] ? box_expand(x->deny[i]) : NULL;

		if (deny) {
			fs[b->n_fs++] = (struct osh_b_fs){ (uint32_t)text.n, OSH_FS_DENY, 1, 0 };
			buf_put(&text, deny, strlen(deny) + 1);
		}
		if (x->allow[i]) {
			exec[b->n_exec++] = (struct osh_b_exec){ (uint32_t)text.n, 0 };
			buf_put(&text, x->allow[i], strlen(x->allow[i]) + 1);
		}
		free(deny);
	}
	if (x->sock) {
		char *sock = box_expand(x->sock);

		unix_path = (struct osh_b_unix){ (uint32_t)text.n, 0 };
		buf_put(&text, sock, strlen(sock) + 1);
		b->unix_paths = &unix_path;
		b->n_unix = 1;
		free(sock);
	}
	b->strings = text.p;
	b->meta = &meta;
	b->fs = fs;
	b->exec = exec;
}

static inline void box_note(struct outcome *o, const struct err *e)
{
	o->code = e->code;
	snprintf(o->text, sizeof(o->text), "%s", e->text);
}

/* In a process that is pid 1 of fresh namespaces. */
static inline void box_build(const struct box *x, const struct bundle *b, const struct answerer *by,
			     struct outcome *o)
{
	unsigned layers = x->layers ? x->layers : L_ALL;
	struct osh_msg_launch m = { .id = 1, .uid = x->caller, .gid = x->caller };
	const struct view_args a = { .run_uid = BOX_UID, .run_gid = BOX_UID, .name = "box",
				     .strict = b->meta->exec_mode == OSH_EXEC_STRICT,
				     .idmap = x->idmap, .nested = b->meta->userns, .bundle = b,
				     .root_fd = -1, .anchors_fd = -1 };
	static struct paths p;
	static struct view v = { .root_fd = -1 };
	struct err e = { 0 };
	_close_ int workdir = -1;
	int r;

	umask(0);
	snprintf(m.workdir, sizeof(m.workdir), "%s/%s", dir, x->workdir ? x->workdir : "rw");
	workdir = open(m.workdir, O_PATH | O_CLOEXEC);
	r = cred_as_caller(&m, &e);
	if (!r) {
		r = paths_open(&p, &m, b, workdir, &box_windows, &e);
		if (!r && x->mounts)
			r = mounts_join(x->mounts, &p, &e);
		cred_as_root(NULL);
	}
	if (!r)
		r = layers & L_VIEW ? view_enter(&v, &p, &a, &e) : view_rules_only(&v, &p, &a, &e);
	if (!r && layers & L_CRED)
		r = cred_drop(BOX_UID, BOX_UID, NULL, 0, &e);
	if (!r && layers & L_LANDLOCK)
		r = landlock_apply(v.rules, v.n_rules, landlock_abi(), &e);
	if (!r && layers & L_SECCOMP)
		r = answered_enter(&box_filters, b->meta->userns ? SECCOMP_NESTED : SECCOMP_PLAIN, by,
				   &e);
	o->warnings = p.warnings;
	memcpy(o->warning, p.warning, sizeof(o->warning));
	if (r < 0)
		box_note(o, &e);
	else
		o->line = x->inside();
}

static inline struct outcome box_run(const struct box *x)
{
	struct outcome o = { .code = -1, .text = "the box died" }, fresh = { 0 };
	struct buf bytes = { 0 };
	struct bundle b = { 0 };
	struct err e = { 0 };
	struct answerer by;
	int up[2], st;
	pid_t pid;

	if (box_compile(x->policy, &bytes) || bundle_open_mem(&b, bytes.p, bytes.n, &e) ||
	    windows_refresh(&box_windows, &e) || pipe2(up, O_CLOEXEC) ||
	    answerer_start(&by)) {
		if (e.code)
			box_note(&o, &e);
		return o;
	}
	box_amend(x, &b);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
			_exit(1);
		pid = fork();
		if (pid == 0) {
			setsid();
			box_build(x, &b, &by, &fresh);
			_exit(write(up[1], &fresh, sizeof(fresh)) != sizeof(fresh));
		}
		waitpid(pid, &st, 0);
		_exit(0);
	}
	close(up[1]);
	(void)!read(up[0], &o, sizeof(o));
	close(up[0]);
	waitpid(pid, &st, 0);
	answerer_end(&by);
	free((void *)b.strings);
	buf_done(&bytes);
	return o;
}
