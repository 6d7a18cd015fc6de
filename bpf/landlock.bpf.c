// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What Landlock refuses to a sandbox, on record: it answers by itself and tells nobody. Where the kernel has tracepoints for
 * that (Linux 7.3) they are asked in the refused task, with the path that Landlock judged. They decide nothing.
 *
 * A program may restrict itself further, and what its own rules refuse is no promise of ours: only the outermost domain
 * counts, and only where process 1 of a pid namespace made it, as osh-init's process does before anything else runs.
 * The kernel names one domain of those that refuse, the innermost: what a program's own rules refuse too is not on record.
 */
#include "decide.bpf.h"

/* Not in the types of the kernel that this is built on: looked up by name in those of the one that runs. */
struct landlock_details___osh {
	struct pid *pid;
} __attribute__((preserve_access_index));

struct landlock_hierarchy___osh {
	struct landlock_hierarchy___osh *parent;
	const struct landlock_details___osh *details;
} __attribute__((preserve_access_index));

struct landlock_blockers___osh {
	__u32 access;
} __attribute__((preserve_access_index));

/* A path for the log; per CPU, as the kernel never runs one program twice at once there. */
struct refused_path {
	char text[OSH_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct refused_path);
} refused_paths SEC(".maps");

static __always_inline int is_ours(const void *hierarchy)
{
	const struct landlock_hierarchy___osh *h = hierarchy;

	return !BPF_CORE_READ(h, parent) && is_first_pid(BPF_CORE_READ(h, details, pid));
}

static __always_inline int refused_here(struct ask *q, const void *hierarchy)
{
	ask_subject(q);
	return q->sb && is_ours(hierarchy);
}

SEC("tp_btf/landlock_deny_access_fs")
int BPF_PROG(osh_ll_file, const void *hierarchy, bool same_exec, bool logged, const void *blockers, const void *at,
	     const char *path)
{
	const struct landlock_blockers___osh *b = blockers;
	struct ask q = { .kind = OSH_EV_LANDLOCK };
	struct refused_path *p;
	__u32 zero = 0;
	long n;

	if (!refused_here(&q, hierarchy))
		return 0;
	p = bpf_map_lookup_elem(&refused_paths, &zero);
	if (!p)
		return 0;
	q.aux = BPF_CORE_READ(b, access);
	if (!q.aux) {			/* of the mount table, and of no path's rights */
		q.kind = OSH_EV_TASK;
		q.aux = OSH_OP_MOUNT;
		decide(&q, OSH_WHY_LANDLOCK);
		return 0;
	}
	for (int i = 0; i < OSH_NAME_MAX / 8; i++)
		((__u64 *)p->text)[i] = 0;
	n = bpf_probe_read_kernel_str(p->text, sizeof(p->text), path);
	decide_named(&q, OSH_WHY_LANDLOCK, p->text, OSH_NAME_MAX, n > 0 ? n - 1 : 0);
	return 0;
}

static __always_inline int refused_op(const void *hierarchy, __u32 kind, __u32 op)
{
	struct ask q = { .kind = kind, .aux = op };

	if (refused_here(&q, hierarchy))
		decide(&q, OSH_WHY_LANDLOCK);
	return 0;
}

SEC("tp_btf/landlock_deny_ptrace")
int BPF_PROG(osh_ll_trace, const void *hierarchy)
{
	return refused_op(hierarchy, OSH_EV_TASK, OSH_OP_TRACE);
}

SEC("tp_btf/landlock_deny_scope_signal")
int BPF_PROG(osh_ll_signal, const void *hierarchy)
{
	return refused_op(hierarchy, OSH_EV_TASK, OSH_OP_SIGNAL);
}

SEC("tp_btf/landlock_deny_scope_abstract_unix_socket")
int BPF_PROG(osh_ll_unix, const void *hierarchy)
{
	return refused_op(hierarchy, OSH_EV_UNIX, 0);
}
