/* SPDX-License-Identifier: Apache-2.0 */
#include "denied.h"

#include "own.h"
#include "programs.h"
#include "reserved.h"

static bool ends(const char *text, size_t room)
{
	return text[0] == '/' && strnlen(text, room) < room;
}

/* process.exec: strict. The roots of mounts stay in memory by themselves. */
static int may_run(struct sandbox *s, const struct osh_msg_tree *t, struct chan_in *in, struct err *e)
{
	enum osh_run what = t->kind == OSH_TREE_RUN ? OSH_RUN_ALLOWED : OSH_RUN_NOT;
	int r;

	if (!kbpf_lsm(s->d->kernel) || !s->bundle.n_exec || !ends(t->path, sizeof(t->path)))
		return fail(e, EPROTO, "osh-launch reported a program that was not asked for");
	r = kbpf_run_enter(s->d->kernel, &s->k, what, t->path, in->fds[0], e);
	return r || what == OSH_RUN_NOT ? r : programs_keep(s, in, e);
}

/* What is for some programs only, or lies below it. */
static int reserve(struct sandbox *s, const struct osh_msg_tree *t, struct chan_in *in, struct err *e)
{
	const struct bundle *b = &s->bundle;
	bool workdir = t->row == OSH_ROW_WORKDIR && b->meta->include_workdir;
	struct osh_reserved entry = { .all = OSH_RESERVED_WRITE };
	int r;

	if (!kbpf_lsm(s->d->kernel) || !reserved_any(b) || !ends(t->path, sizeof(t->path)) ||
	    (!workdir && (t->row >= b->n_fs || b->fs[t->row].mode == OSH_FS_DENY)))
		return fail(e, EPROTO, "osh-launch reported a path that was not asked for");
	if (!workdir)
		(void)reserved_at(b, bundle_str(b, b->fs[t->row].path), &entry);
	r = kbpf_reserve(s->d->kernel, &s->k, &entry, t->path, in->fds[0], e);
	return r ? r : programs_keep(s, in, e);
}

int denied_tree(struct sandbox *s, const struct osh_msg_tree *t, struct chan_in *in, struct err *e)
{
	struct kbpf *k = s->d->kernel;
	int r;

	if (t->kind == OSH_TREE_RUN || t->kind == OSH_TREE_RUN_NOT)
		return may_run(s, t, in, e);
	if (t->kind == OSH_TREE_RESERVED)
		return reserve(s, t, in, e);
	if (!kbpf_lsm(k) || !s->bundle.meta->deny || !ends(t->path, sizeof(t->path)) ||
	    !ends(t->workdir, sizeof(t->workdir)) || t->kind > OSH_TREE_TWINS ||
	    (t->kind == OSH_TREE_FILE && (t->row >= s->bundle.n_fs || s->bundle.fs[t->row].mode != OSH_FS_DENY)))
		return fail(e, EPROTO, "osh-launch reported a tree that was not asked for");
	if (t->kind == OSH_TREE_TWINS)
		return kbpf_deny_twins(k, &s->k, e);
	r = t->kind == OSH_TREE_FILE ? kbpf_deny_file(k, &s->k, t->row, t->path, in->fds[0], e)
				     : kbpf_deny_root(k, &s->k, &s->bundle, t->workdir, t->path, in->fds[0], e);
	if (r || t->kind == OSH_TREE_ROOT)
		return r;
	return programs_keep(s, in, e);	/* so that its inode is nobody else's */
}

int denied_check(const struct sandbox *s, struct err *e)
{
	if (!s->bundle.meta->deny || !kbpf_lsm(s->d->kernel) || kbpf_deny_has(s->d->kernel, &s->k))
		return 0;
	return fail(e, EPROTO, "filesystem_policy.deny: osh-launch reported no tree");
}
