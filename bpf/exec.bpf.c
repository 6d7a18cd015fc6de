// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Which program is a task? Answered once, at exec, and kept in `tasks`, where the connect hooks look.
 * Runs for every exec and fork of the host and returns at once outside sandboxes. Trusts the
 * kernel's own dentries, mounts and inodes and the loader's tables; never argv, the file name given
 * to execve, or device and inode numbers.
 *
 * A program on read-only mounts is its path. Anywhere else only an inode that oshd holds open counts;
 * other programs there get an ident for the log and no groups.
 */
#include "events.bpf.h"
#include "path.bpf.h"
#include "taint.bpf.h"

#include "osh/glob.h"

#define CHANGE_NS 0x7fffffff		/* i_ctime_nsec without the "was read" flag that 6.13 put above */
#define UNLISTED_IDENTS (OSH_IDENTS / 4 * 3)	/* so that unlisted programs cannot use up all idents */
#define EEXIST 17

/* One exec in work. Per CPU: the kernel never runs this program twice at once on a CPU. */
struct exec {
	struct osh_path_key path;
	struct osh_program_key program;
	struct osh_ident fresh;
	struct osh_env_key env;
	struct glob glob;		/* verifier: counters on the stack are followed value by value */
	struct taint_count taint;
	__u64 groups[OSH_GROUP_WORDS];
	__u32 generation;
	__u32 ident, why;
	__u32 first;			/* the ident was made by this exec */
	__u32 starter;			/* osh-init: first exec of the sandbox, process 1 of its namespace */
	__u32 len;			/* of the path text; 0 = the file has none */
	char walk[PATH_BUF];
	char chunk[TAINT_CHUNK];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec);
} execs SEC(".maps");

/*
 * The sandbox's own mount namespace, if the task is in it; a nested one could hold any path. The
 * first to ask is osh-init, which the launcher executes before anything of the agent's runs.
 */
static __always_inline struct mnt_namespace *view_of(struct task_struct *task, __u32 slot, __u32 id,
						     __u32 *ret_starter)
{
	struct mnt_namespace *ns = BPF_CORE_READ(task, nsproxy, mnt_ns);
	__u64 mine = (__u64)id << 32 | BPF_CORE_READ(ns, ns.inum), had;
	__u64 *seen = bpf_map_lookup_elem(&views, &slot);

	if (!seen)
		return NULL;
	had = *seen;
	if (had >> 32 != id) {
		if (__sync_val_compare_and_swap(seen, had, mine) != had) {
			had = *seen;
		} else {
			had = mine;
			*ret_starter = is_ns_init(task);
		}
	}
	return had == mine ? ns : NULL;
}

/* verifier: byte copies of 256 bytes cost as many instructions; every path here is 8-aligned. */
static __always_inline void path_copy(char *to, const char *from)
{
	for (int i = 0; i < OSH_PATH_MAX / 8; i++)
		((__u64 *)to)[i] = ((const __u64 *)from)[i];
}

static __always_inline void groups_or(__u64 *to, const __u64 *from)
{
	for (int i = 0; i < OSH_GROUP_WORDS; i++)
		to[i] |= from[i];
}

static __always_inline __u64 groups_any(const __u64 *g)
{
	__u64 any = 0;

	for (int i = 0; i < OSH_GROUP_WORDS; i++)
		any |= g[i];
	return any;
}

struct glob_run {
	struct exec *x;
	const char *pattern;
	enum glob_answer answer;
};

static long glob_run_step(__u32 i, struct glob_run *r)
{
	r->answer = glob_step(&r->x->glob, r->pattern, r->x->path.path);
	return r->answer != GLOB_MORE;
}

struct glob_scan {
	struct osh_glob_key key;
	struct exec *x;
	__u32 bad;			/* a match was given up */
};

static long glob_scan_step(__u32 i, struct glob_scan *s)
{
	struct glob_run r = { .x = s->x, .answer = GLOB_MORE };
	struct osh_glob *glob;

	s->key.n = i;
	glob = bpf_map_lookup_elem(&globs, &s->key);
	if (!glob)
		return 1;		/* the last one was before; a generation is filled whole or not at all */
	r.pattern = glob->pattern;
	__builtin_memset(&s->x->glob, 0, sizeof(s->x->glob));
	bpf_loop(GLOB_STEPS, glob_run_step, &r, 0);
	if (r.answer == GLOB_MORE) {
		s->bad = 1;
		return 1;
	}
	if (r.answer == GLOB_YES)
		groups_or(s->x->groups, glob->groups);
	return 0;
}

/* What the policy in force says of a path on read-only mounts: exact entry and every glob. */
static __always_inline void judge_path(struct exec *x, struct osh_sandbox *sb)
{
	struct glob_scan s = { .key = { .id = sb->id, .generation = x->generation }, .x = x };
	struct osh_program *exact = bpf_map_lookup_elem(&programs, &x->program);

	if (exact && !(exact->flags & OSH_PROG_INODE))
		groups_or(x->groups, exact->groups);
	bpf_loop(OSH_GLOBS, glob_scan_step, &s, 0);
	if (!s.bad)
		return;
	__builtin_memset(x->groups, 0, sizeof(x->groups));
	x->why = OSH_WHY_LIMIT;
}

/* Published by its generation: a reader that sees the number sees the groups. */
static __always_inline void ident_judge(struct osh_ident_in *in, const struct exec *x)
{
	__builtin_memcpy(in->groups, x->groups, sizeof(in->groups));
	barrier();
	*(volatile __u32 *)&in->generation = x->generation;
}

/* A new number for what x holds, entered in `idents`. 0 = none, with the reason in x->why. */
static __always_inline __u32 ident_new(struct exec *x, struct osh_sandbox *sb, __u32 kind)
{
	__u32 limit = groups_any(x->groups) ? OSH_IDENTS : UNLISTED_IDENTS;
	struct osh_ident_key key = { .id = sb->id };

	if (*(volatile __u32 *)&sb->ident_used >= limit)
		goto full;
	key.ident = __sync_fetch_and_add(&sb->ident_used, 1) + 1;
	if (key.ident > OSH_IDENTS)
		goto full;
	__builtin_memset(&x->fresh.by, 0, sizeof(x->fresh.by));
	ident_judge(&x->fresh.by[x->generation & 1], x);
	x->fresh.kind = kind;
	path_copy(x->fresh.path, x->path.path);
	if (bpf_map_update_elem(&idents, &key, &x->fresh, BPF_NOEXIST)) {
		x->why = OSH_WHY_MAP_FULL;
		return 0;
	}
	x->first = 1;
	return key.ident;
full:
	x->why = OSH_WHY_IDENT_FULL;
	return 0;
}

/* The ident of x->path under x->path.kind, made if this is its first exec. */
static __always_inline __u32 ident_of_path(struct exec *x, struct osh_sandbox *sb)
{
	struct osh_ident_key key = { .id = sb->id };
	__u32 *had;
	long r;

	key.ident = ident_new(x, sb, x->path.kind);
	if (!key.ident)
		return 0;
	r = bpf_map_update_elem(&paths, &x->path, &key.ident, BPF_NOEXIST);
	if (!r)
		return key.ident;
	bpf_map_delete_elem(&idents, &key);
	x->first = 0;
	had = r == -EEXIST ? bpf_map_lookup_elem(&paths, &x->path) : NULL;
	if (had)
		return *had;		/* another CPU was first */
	x->why = OSH_WHY_MAP_FULL;
	return 0;
}

/* Program whose path the sandbox cannot change. */
static __always_inline void identify_path(struct exec *x, struct osh_sandbox *sb)
{
	struct osh_ident_key key = { .id = sb->id };
	struct osh_ident *known = NULL;
	struct osh_ident_in *in;
	__u32 *ident;

	x->path.kind = OSH_IDENT_PATH;
	ident = bpf_map_lookup_elem(&paths, &x->path);
	if (ident) {
		key.ident = *ident;
		known = bpf_map_lookup_elem(&idents, &key);
	}
	if (!known) {
		judge_path(x, sb);
		x->ident = ident_of_path(x, sb);
		return;
	}
	x->ident = key.ident;
	in = &known->by[x->generation & 1];
	if (*(volatile __u32 *)&in->generation == x->generation) {
		__builtin_memcpy(x->groups, in->groups, sizeof(x->groups));
		return;
	}
	judge_path(x, sb);
	ident_judge(in, x);
}

static __always_inline int inode_changed(struct inode *inode, const struct osh_inode *was)
{
	return BPF_CORE_READ(inode, i_mtime_sec) != was->mtime_s ||
	       BPF_CORE_READ(inode, i_mtime_nsec) != was->mtime_ns ||
	       BPF_CORE_READ(inode, i_ctime_sec) != was->ctime_s ||
	       (BPF_CORE_READ(inode, i_ctime_nsec) & CHANGE_NS) != was->ctime_ns ||
	       BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

/* Registered and unchanged since? Everything else of a writable tree has no groups. */
static __always_inline int identify_inode(struct exec *x, struct osh_sandbox *sb, struct inode *inode)
{
	struct osh_inode_key key = {
		.inode = (__u64)inode, .id = sb->id, .generation = x->generation
	};
	struct osh_inode *listed = bpf_map_lookup_elem(&inodes, &key);
	__u32 ident, had;

	if (!listed)
		return 0;
	if (inode_changed(inode, listed)) {
		x->why = OSH_WHY_REPLACED;
		return 0;
	}
	groups_or(x->groups, listed->groups);
	x->ident = listed->ident;
	if (x->ident)
		return 1;
	if (!x->len)
		path_copy(x->path.path, listed->path);
	ident = ident_new(x, sb, OSH_IDENT_INODE);
	if (!ident)
		return 1;
	had = __sync_val_compare_and_swap(&listed->ident, 0, ident);
	x->ident = had ? had : ident;
	return 1;
}

/* A name for the log; x->why says why it is no more than that. */
static __always_inline void identify_named(struct exec *x, struct osh_sandbox *sb)
{
	struct osh_program *listed = bpf_map_lookup_elem(&programs, &x->program);
	__u32 *ident, why = x->why;

	if (!why && listed && (listed->flags & OSH_PROG_INODE))
		why = OSH_WHY_REPLACED;	/* the listed path, and not the registered file */
	x->path.kind = OSH_IDENT_NAMED;
	ident = bpf_map_lookup_elem(&paths, &x->path);
	x->ident = ident ? *ident : ident_of_path(x, sb);
	if (why)
		x->why = why;
}

static __always_inline void identify(struct exec *x, struct osh_sandbox *sb, struct file *file,
				     struct mnt_namespace *ns)
{
	__u32 state = path_of(file, ns, x->walk, x->path.path, &x->len);

	x->path.id = x->program.id = sb->id;
	x->program.generation = x->generation;
	path_copy(x->program.path, x->path.path);
	if (state == PATH_FIRM)
		identify_path(x, sb);
	else if (identify_inode(x, sb, BPF_CORE_READ(file, f_inode)))
		return;
	else if (state == PATH_SOFT)
		identify_named(x, sb);
	else
		x->why = OSH_WHY_PATH_LONG;
}

/* First exec of a program, and every loss of identity, on record. */
static __always_inline void exec_record(struct exec *x, struct task_struct *task,
					struct osh_sandbox *sb, const struct osh_task *t)
{
	struct ask q = {
		.sb = sb, .generation = x->generation, .ident = x->ident,
		.kind = OSH_EV_EXEC, .aux = t->tainted,
	};

	ask_task(&q, task);
	if (x->starter)
		return;			/* a part of osh, without a name by design: nothing lost */
	if (t->why)
		record(&q, OSH_AUDIT, t->why, x->path.path, OSH_NAME_MAX, x->len);
	else if (x->first)
		record(&q, OSH_ALLOW, OSH_WHY_ALLOWED, x->path.path, OSH_NAME_MAX, x->len);
}

static __always_inline void exec_judge(struct task_struct *task, struct linux_binprm *bprm,
				       struct osh_task *t, struct osh_sandbox *sb, __u32 slot)
{
	__u32 zero = 0;
	struct exec *x = bpf_map_lookup_elem(&execs, &zero);

	if (!x)
		return;
	x->generation = *(volatile __u32 *)&sb->generation;
	x->ident = x->why = x->first = x->starter = x->len = 0;
	__builtin_memset(x->groups, 0, sizeof(x->groups));
	identify(x, sb, BPF_CORE_READ(bprm, file), view_of(task, slot, sb->id, &x->starter));
	t->slot = slot;
	t->id = sb->id;
	t->generation = x->generation;
	t->ident = x->ident;
	t->tainted = taint_of(BPF_CORE_READ(task, mm), sb->id, x->chunk, &x->env,
			      &x->taint);
	t->why = x->why ? x->why : t->tainted ? OSH_WHY_TAINTED : 0;
	if (x->ident)
		__builtin_memcpy(t->groups, x->groups, sizeof(t->groups));
	else
		__builtin_memset(t->groups, 0, sizeof(t->groups));
	t->exec_id = task->self_exec_id;	/* last: until here the task has no identity */
	exec_record(x, task, sb, t);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(osh_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct osh_sandbox *sb = NULL;
	struct osh_task *t = task_of(task, &sb);
	__u64 cgroup;
	__u32 *at, slot;

	if (t) {
		slot = t->slot;
	} else {
		cgroup = bpf_get_current_cgroup_id();
		at = bpf_map_lookup_elem(&by_cgroup, &cgroup);
		if (!at)
			return 0;
		slot = *at;
		sb = sandbox_get(slot);
		if (sb)
			t = task_new(task, NULL);
	}
	/* A thread that is not the leader takes the leader's number, and its entry with it. */
	if (old_pid != task->pid)
		task_drop(old_pid);
	if (t && sb)
		exec_judge(task, bprm, t, sb, slot);
	return 0;
}

/* Threads and children are the program that made them, until they exec. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(osh_fork, struct task_struct *parent, struct task_struct *child)
{
	struct osh_task *t = task_get(parent), *fresh = t ? task_new(child, t) : NULL;
	struct osh_sandbox *sb = fresh ? sandbox_get(fresh->slot) : NULL;

	if (sb && sb->id == fresh->id)
		mapped_fork(parent, child, sb, fresh);
	return 0;
}
