// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What Landlock refuses to a sandbox, on record: it answers by itself and tells nobody. Where the kernel has tracepoints for
 * that (Linux 7.3) they are asked in the refused task, with the path that Landlock judged. Older kernels (Linux 6.15) call one
 * function at each refusal, which writes to the audit log where somebody has switched that on: a program at its entry is
 * asked in any case. The loader takes the one or the other (lsm.c). They decide nothing.
 *
 * A program may restrict itself further, and what its own rules refuse is no promise of ours: only the outermost domain
 * counts, and only where process 1 of a pid namespace made it, as osh-init's process does before anything else runs.
 * The kernel names one domain of those that refuse, the innermost; only for files the function is given what each refuses.
 *
 * Whose rules refuse is not always who is running: a descriptor keeps the rules of whoever opened it, and a signal of a
 * descriptor those of its owner. A refusal by another sandbox's rules is on record for neither: the one was not refused by its
 * own policy, the other has done nothing.
 */
#include "decide.bpf.h"
#include "path.bpf.h"

/* What was asked for, as the kernel numbers it. */
enum landlock_request_type___osh { ASKED_TRACE = 1, ASKED_MOUNT, ASKED_FILE, ASKED_NET, ASKED_ABSTRACT, ASKED_SIGNAL, ASKED_MAX };
enum about { ABOUT_PATH = 1, ABOUT_IOCTL = 11, ABOUT_FILE = 12 };

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
	enum landlock_request_type___osh type;
} __attribute__((preserve_access_index));

/* A domain has a type of its own from 7.3 on. */
struct landlock_ruleset___osh {
	struct landlock_hierarchy___osh *hierarchy;
} __attribute__((preserve_access_index));

struct landlock_domain___osh {
	struct landlock_hierarchy___osh *hierarchy;
} __attribute__((preserve_access_index));

struct landlock_cred_security___osh {
	const void *domain;
} __attribute__((preserve_access_index));

struct lsm_ioctlop_audit___osh {
	struct path path;
} __attribute__((preserve_access_index));

struct common_audit_data___osh {
	char type;
	union {
		struct path path;
		struct file *file;
		struct lsm_ioctlop_audit___osh *op;
	} u;
} __attribute__((preserve_access_index));

struct landlock_request___osh {
	enum landlock_request_type___osh type;
	struct common_audit_data___osh audit;
	unsigned long layer_plus_one;
	__u32 access;
	const void *layer_masks;
	unsigned long layer_masks_size;
	__u32 all_existing_optional_access;
	__u8 deny_masks;
} __attribute__((preserve_access_index));

#define LAYERS 16			/* domains inside each other, as the kernel bounds them */

/* What each domain refuses: of 7.0 and 7.1; from 7.2 on, with more in the upper bits. */
struct layer_access_masks___osh {
	__u32 access[LAYERS];
} __attribute__((preserve_access_index));

struct layer_masks___osh {
	__u32 layers[LAYERS];
} __attribute__((preserve_access_index));

#define REFER (1u << 13)		/* OSH_LL_REFER */

/* A path for the log; per CPU, as the kernel never runs one program twice at once there. */
struct refused_path {
	char text[OSH_NAME_MAX];
	char walk[PATH_BUF];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct refused_path);
} refused_paths SEC(".maps");

static __always_inline struct refused_path *refused_path(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&refused_paths, &zero);
}

/* By the outermost domain, of the sandbox that the running task is in? */
static __always_inline int refused_here(struct ask *q, const struct landlock_hierarchy___osh *h)
{
	struct pid *maker;

	ask_subject(q);
	if (!q->sb || BPF_CORE_READ(h, parent))
		return 0;
	maker = BPF_CORE_READ(h, details, pid);
	return is_first_pid(maker) && is_seen_by(maker, q->t);
}

static __always_inline int refused_op(const struct landlock_hierarchy___osh *h, __u32 kind, __u32 op)
{
	struct ask q = { .kind = kind, .aux = op };

	if (refused_here(&q, h))
		decide(&q, OSH_WHY_LANDLOCK);
	return 0;
}

SEC("tp_btf/landlock_deny_access_fs")
int BPF_PROG(osh_ll_file, const void *hierarchy, bool same_exec, bool logged, const void *blockers, const void *at,
	     const char *path)
{
	const struct landlock_blockers___osh *b = blockers;
	struct ask q = { .kind = OSH_EV_LANDLOCK };
	struct refused_path *p = refused_path();
	long n;

	if (!p || !refused_here(&q, hierarchy))
		return 0;
	if (BPF_CORE_READ(b, type) == ASKED_MOUNT) {
		q.kind = OSH_EV_TASK;
		q.aux = OSH_OP_MOUNT;
		decide(&q, OSH_WHY_LANDLOCK);
		return 0;
	}
	q.aux = BPF_CORE_READ(b, access);
	if (!q.aux)
		q.aux = REFER;		/* no single right: it would have more in the other directory */
	for (int i = 0; i < OSH_NAME_MAX / 8; i++)
		((__u64 *)p->text)[i] = 0;
	n = bpf_probe_read_kernel_str(p->text, sizeof(p->text), path);
	decide_named(&q, OSH_WHY_LANDLOCK, p->text, OSH_NAME_MAX, n > 0 ? n - 1 : 0);
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

/* ---- the function that kernels without tracepoints call ---- */

static __always_inline const struct landlock_hierarchy___osh *innermost(const void *subject)
{
	const struct landlock_cred_security___osh *cred = subject;
	const void *domain = BPF_CORE_READ(cred, domain);

	if (bpf_core_type_exists(struct landlock_domain___osh))
		return BPF_CORE_READ((const struct landlock_domain___osh *)domain, hierarchy);
	return BPF_CORE_READ((const struct landlock_ruleset___osh *)domain, hierarchy);
}

static __always_inline const struct landlock_hierarchy___osh *outermost(const struct landlock_hierarchy___osh *h)
{
	for (int i = 1; i < LAYERS; i++) {
		const struct landlock_hierarchy___osh *parent = BPF_CORE_READ(h, parent);

		if (!parent)
			break;
		h = parent;
	}
	return h;
}

/* Of the rights that were asked for: what the outermost domain refuses, and what any other does. */
struct missing {
	__u32 ours, others;
};

/* Before 7.0 a word of domains for each right. */
static __always_inline struct missing missing_by_right(const void *masks, unsigned long size, __u32 access)
{
	struct missing m = { 0 };
	__u16 by[16] = { 0 };

	bpf_probe_read_kernel(by, size < sizeof(by) ? size : sizeof(by), masks);
	for (int i = 0; i < 16; i++) {
		if (by[i] & 1)
			m.ours |= 1u << i;
		if (by[i] >> 1)
			m.others |= 1u << i;
	}
	m.ours &= access;
	m.others &= access;
	return m;
}

/* From then on a word of rights for each domain, of 16 bits or of 32. */
static __always_inline struct missing missing_by_domain(const void *masks, __u32 access)
{
	__u32 size = bpf_core_type_exists(struct layer_masks___osh) ? bpf_core_type_size(struct layer_masks___osh)
								     : bpf_core_type_size(struct layer_access_masks___osh);
	struct missing m = { 0 };
	union {
		__u16 half[LAYERS];
		__u32 whole[LAYERS];
	} by = { .whole = { 0 } };

	bpf_probe_read_kernel(&by, size < sizeof(by) ? size : sizeof(by), masks);
	m.ours = size < sizeof(by) ? by.half[0] : by.whole[0];
	for (int i = 1; i < LAYERS; i++)
		m.others |= size < sizeof(by) ? by.half[i] : by.whole[i];
	m.ours &= access;
	m.others &= access;
	return m;
}

/* A right that an open file lacks is looked up in four bits: the innermost domain that refused it when it was opened. */
static __always_inline struct missing missing_of_file(const struct landlock_request___osh *r, __u32 access, __u32 optional)
{
	__u32 by = BPF_CORE_READ_BITFIELD_PROBED(r, deny_masks);

	if (optional & (access - 1))
		by >>= 4;
	return by & 15 ? (struct missing){ .others = access } : (struct missing){ .ours = access };
}

static __always_inline struct missing missing_of(const struct landlock_request___osh *r, __u32 access)
{
	__u32 optional = BPF_CORE_READ_BITFIELD_PROBED(r, all_existing_optional_access);
	const void *masks = BPF_CORE_READ(r, layer_masks);

	if (optional)
		return missing_of_file(r, access, optional);
	if (bpf_core_field_exists(r->layer_masks_size))
		return missing_by_right(masks, BPF_CORE_READ(r, layer_masks_size), access);
	return missing_by_domain(masks, access);
}

/*
 * The rights that ours refuses, 0 = it is another's refusal. Where a name moves to another directory all rights are compared,
 * those that both directories lack as well: then the innermost domain that lacks one is the one that refuses, as the kernel
 * has it. None is missing where it would have more rights there than here.
 */
static __always_inline __u32 refused_rights(const struct landlock_request___osh *r, int alone)
{
	__u32 access = BPF_CORE_READ_BITFIELD_PROBED(r, access);
	struct missing m = missing_of(r, access);

	if (alone)
		return m.ours ? m.ours : REFER;
	return access & REFER && m.others ? 0 : m.ours;
}

static __always_inline __u32 refused_text(const struct landlock_request___osh *r, struct refused_path *p)
{
	char about = BPF_CORE_READ(r, audit.type);
	struct path at = { 0 };

	if (about == ABOUT_PATH)
		at = BPF_CORE_READ(r, audit.u.path);
	else if (about == ABOUT_FILE)
		at = BPF_CORE_READ(r, audit.u.file, f_path);
	else if (about == ABOUT_IOCTL)
		at = BPF_CORE_READ(r, audit.u.op, path);
	return path_text(at.dentry, at.mnt, p->walk, p->text);
}

static const struct {
	__u16 kind, op;
} asked[ASKED_MAX] = {
	[ASKED_TRACE] = { OSH_EV_TASK, OSH_OP_TRACE },
	[ASKED_MOUNT] = { OSH_EV_TASK, OSH_OP_MOUNT },
	[ASKED_ABSTRACT] = { OSH_EV_UNIX, 0 },
	[ASKED_SIGNAL] = { OSH_EV_TASK, OSH_OP_SIGNAL },
};

static __always_inline void refused_file(struct ask *q, const struct landlock_request___osh *r, int alone)
{
	struct refused_path *p = refused_path();

	q->kind = OSH_EV_LANDLOCK;
	q->aux = refused_rights(r, alone);
	if (p && q->aux)
		decide_named(q, OSH_WHY_LANDLOCK, p->text, OSH_NAME_MAX, refused_text(r, p));
}

SEC("fentry/landlock_log_denial")
int BPF_PROG(osh_ll_denial, const void *subject, const void *request)
{
	const struct landlock_hierarchy___osh *inner = innermost(subject), *outer = outermost(inner);
	const struct landlock_request___osh *r = request;
	__u32 type = BPF_CORE_READ(r, type);
	struct ask q = { 0 };

	if (!refused_here(&q, outer))
		return 0;
	if (type == ASKED_FILE)
		refused_file(&q, r, inner == outer);
	/* Of the rest the innermost domain that refuses is known, counted from 1: ours is the first. */
	if (type >= ASKED_MAX || !asked[type].kind || BPF_CORE_READ(r, layer_plus_one) != 1)
		return 0;
	q.kind = asked[type].kind;
	q.aux = asked[type].op;
	decide(&q, OSH_WHY_LANDLOCK);
	return 0;
}
