// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What runs, where the kernel loads LSM programs.
 *
 * Under `process.exec: strict` only what `allow` lists, by inode: the file itself or a directory above it, the
 * nearest that is entered. The kernel asks for every file that it is to execute: a script and its interpreter each,
 * a loader that is started by name, memory without a name, a descriptor. (The loader that a program names
 * itself is not asked about: it comes with the program.) Code of a file that the sandbox can write is not mapped.
 *
 * Otherwise such a mapping taints: from then on the address space runs what somebody inside may have written, so a
 * rule for the program does not hold for it, like one that was started with a variable that injects code.
 * Memory without a file is left alone: it is how every just-in-time compiler works.
 */
#include "decide.bpf.h"
#include "path.bpf.h"

#define EPERM 1
#define EEXIST 17
#define PROT_EXEC 4

/* To name a file on record; LSM programs may be preempted, so it is the task's and not the processor's. */
struct run_text {
	__u64 file;			/* struct file * */
	char walk[PATH_BUF];
	char path[OSH_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct run_text);
} run_texts SEC(".maps");

static __always_inline struct run_text *text_get(__u64 flags)
{
	return bpf_task_storage_get(&run_texts, bpf_get_current_task_btf(), NULL, flags);
}

/*
 * The path as the sandbox has it; where there is none, such as of memory, the name alone. Gives its length.
 * verifier: global, like the next two, so that each is looked at once; the file comes in the task's memory.
 */
__u32 run_name(__u32 unused)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct run_text *x = text_get(0);
	struct file *file;
	__u32 len = 0;
	long n;

	if (!x)
		return 0;
	file = (void *)x->file;
	(void)path_of(file, BPF_CORE_READ(t, nsproxy, mnt_ns), x->walk, x->path, &len);
	if (len)
		return len;
	n = bpf_probe_read_kernel_str(x->path, OSH_PATH_MAX, BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return n > 0 ? n - 1 : 0;
}

__u32 run_deny(__u32 kind, __u32 why)
{
	__u32 len = run_name(0);
	struct ask q = { .kind = kind };
	struct run_text *x = text_get(0);

	ask_subject(&q);
	return x ? decide_named(&q, why, x->path, OSH_PATH_MAX, len) : OSH_DENY;
}

__u32 run_note(__u32 why)
{
	__u32 len = run_name(0);
	struct ask q = { .kind = OSH_EV_MAP };
	struct run_text *x = text_get(0);

	ask_subject(&q);
	if (x)
		record(&q, OSH_AUDIT, why, x->path, OSH_PATH_MAX, len);
	return 0;
}

static __always_inline void name_file(struct file *file)
{
	struct run_text *x = text_get(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (x)
		x->file = (__u64)file;
}

static __always_inline int refuse(struct file *file, __u32 kind, __u32 why)
{
	name_file(file);
	return run_deny(kind, why) == OSH_ALLOW ? 0 : kind == OSH_EV_EXEC ? -EACCES : -EPERM;
}

struct run_walk {
	struct dentry *dentry;
	__u32 id;
	__u32 found;			/* enum osh_run */
};

static long run_step(__u32 i, struct run_walk *w)
{
	struct dentry *d = w->dentry, *parent = BPF_CORE_READ(d, d_parent);
	struct osh_run_key key = { .inode = (__u64)BPF_CORE_READ(d, d_inode), .id = w->id };
	__u32 *found = key.inode ? bpf_map_lookup_elem(&run_inodes, &key) : NULL;

	if (found)
		w->found = *found;
	w->dentry = parent;
	return found || parent == d;
}

static __always_inline int is_writable(struct file *file)
{
	return path_writable(path_mount(BPF_CORE_READ(file, f_path.mnt)));
}

static __always_inline __u32 run_why(const struct ask *q, struct file *file)
{
	struct run_walk w = { .dentry = BPF_CORE_READ(file, f_path.dentry), .id = q->sb->id };

	if (bpf_loop(PATH_STEPS, run_step, &w, 0) >= PATH_STEPS || w.found != OSH_RUN_ALLOWED)
		return OSH_WHY_EXEC_STRICT;
	return is_writable(file) ? OSH_WHY_EXEC_TREE : OSH_WHY_ALLOWED;
}

/*
 * osh-init, which the launcher executes from memory before anything of the agent's runs: it is process 1, the exec
 * tracker does not know it yet, nor any other of this sandbox.
 */
static __always_inline int is_starter(const struct ask *q)
{
	__u64 cgroup, *seen;
	__u32 *slot;

	if (q->task || !is_ns_init(q->t))
		return 0;
	cgroup = bpf_get_current_cgroup_id();
	slot = bpf_map_lookup_elem(&by_cgroup, &cgroup);
	seen = slot ? bpf_map_lookup_elem(&views, slot) : NULL;
	return seen && *seen >> 32 != q->sb->id;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(osh_run, struct linux_binprm *bprm, int ret)
{
	struct ask q = { .kind = OSH_EV_EXEC };
	struct file *file = bprm->file;
	__u32 why;

	if (ret)
		return ret;
	ask_subject(&q);
	if (!q.sb)
		return 0;
	mapped_forget((__u64)BPF_CORE_READ(bprm, mm), q.sb);
	if (!(q.sb->flags & OSH_SB_STRICT) || is_starter(&q))
		return 0;
	why = run_why(&q, file);
	return why == OSH_WHY_ALLOWED ? 0 : refuse(file, OSH_EV_EXEC, why);
}

/* The address space is one task's own, and not that of an exec under way, which gets a new entry at its end. */
static __always_inline int is_single(const struct osh_task *task, struct task_struct *t)
{
	return BPF_CORE_READ(t, mm, mm_users.counter) == 1 && task->exec_id == t->self_exec_id;
}

/* 0, or the reason why it cannot be kept in mind. */
static __always_inline __u32 taint(struct ask *q, struct file *file)
{
	struct osh_mapped_key key = { .id = q->sb->id };
	struct task_struct *t = q->t;
	__u32 one = 1;
	long r = 0;

	ask_taint(q);
	if (!q->task || q->tainted)
		return 0;		/* without an identity there is none to lose */
	if (is_single(q->task, t)) {
		q->task->tainted = OSH_TAINT_MAPPED;
	} else {
		key.mm = (__u64)BPF_CORE_READ(t, mm);
		r = __sync_fetch_and_add(&q->sb->mapped, 1) < OSH_MAPPED_EACH ?
			    bpf_map_update_elem(&mapped, &key, &one, BPF_NOEXIST) : -1;
		if (r)
			__sync_fetch_and_add(&q->sb->mapped, -1);
	}
	if (r)
		return r == -EEXIST ? 0 : OSH_WHY_MAP_FULL;	/* another thread was first */
	name_file(file);
	run_note(OSH_WHY_MAPPED);
	return 0;
}

static __always_inline int judge_code(struct file *file)
{
	struct ask q = { .kind = OSH_EV_MAP };
	__u32 why = OSH_WHY_MAPPED;
	struct task_struct *t;

	ask_subject(&q);
	t = q.t;
	if (!q.sb || !is_writable(file) || is_starter(&q))
		return 0;
	if (!(q.sb->flags & OSH_SB_STRICT)) {
		/* A program itself: what it is worth was found at its exec, and while it runs nobody writes it. */
		if (BPF_CORE_READ(t, mm, exe_file, f_inode) == BPF_CORE_READ(file, f_inode))
			return 0;
		why = taint(&q, file);
	}
	return why ? refuse(file, OSH_EV_MAP, why) : 0;
}

SEC("lsm/mmap_file")
int BPF_PROG(osh_map, struct file *file, unsigned long asked, unsigned long prot, unsigned long flags, int ret)
{
	if (ret || !(prot & PROT_EXEC) || !file)
		return ret;
	return judge_code(file);
}

SEC("lsm/file_mprotect")
int BPF_PROG(osh_protect, struct vm_area_struct *vma, unsigned long asked, unsigned long prot, int ret)
{
	struct file *file;

	if (ret || !(prot & PROT_EXEC))
		return ret;
	file = BPF_CORE_READ(vma, vm_file);
	return file ? judge_code(file) : 0;
}
