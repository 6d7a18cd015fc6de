// SPDX-License-Identifier: Apache-2.0
/*
 * Where programs take effect: host-wide links, a sandbox's cgroup, an egress' cgroup, and the copy of
 * the steering program that each network namespace needs. Every hook of the row list is attached or
 * the whole step fails.
 */
#include "kbpf.h"
#include "own.h"

#include <linux/bpf.h>
#include <time.h>

static const enum kwhere hook_where[] = {
#define HOOK(id, program, where) AT_##where,
#include "osh/hooks.def"
#undef HOOK
};

enum kwhere kbpf_hook_where(enum osh_hook hook)
{
	return hook_where[hook];
}

bool kbpf_hook_is_lsm(enum osh_hook hook)
{
	return hook_where[hook] == AT_LSM || hook_where[hook] == AT_GUARD;
}

bool kbpf_hook_linked(const struct kbpf *k, enum osh_hook hook)
{
	enum kwhere where = hook_where[hook];
	bool lives = where == AT_GLOBAL || ((kbpf_hook_is_lsm(hook) || where == AT_TELL) && !k->lacks[hook]);

	return lives && !kbpf_hook_off(k, hook);
}

static int attach_cgroup(struct kbpf *k, enum kwhere where, int cgroup_fd, struct err *e)
{
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p;

		if (hook_where[h] != where || kbpf_hook_off(k, h))
			continue;
		p = kbpf_program(k, h);
		if (!p || k->prog[h] < 0)
			return fail(e, ENOENT, "BPF object has no program '%s'", kbpf_hook_name(h));
		if (bpf_prog_attach(k->prog[h], cgroup_fd, bpf_program__expected_attach_type(p),
				    BPF_F_ALLOW_MULTI) < 0)
			return fail(e, errno, "attach '%s' to the cgroup: %s", kbpf_hook_name(h),
				    strerror(errno));
	}
	return 0;
}

int kbpf_attach_sandbox(struct kbpf *k, int cgroup_fd, struct err *e)
{
	return attach_cgroup(k, AT_CGROUP, cgroup_fd, e);
}

int kbpf_attach_egress(struct kbpf *k, int cgroup_fd, struct err *e)
{
	return attach_cgroup(k, AT_EGRESS, cgroup_fd, e);
}

/*
 * From here on freed directories are counted, and tasks may remember (bpf/known.bpf.h). Programs of two builds may count
 * for a while; the time since the machine began is beyond every count of before.
 */
static int count_dirs(struct kbpf *k, struct err *e)
{
	int map = bpf_object__find_map_fd_by_name(k->obj, "dirs_gone");
	struct timespec now;
	__u32 zero = 0;
	__u64 from;

	if (!k->links[OSH_HOOK_GONE])
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	from = (__u64)now.tv_sec * 1000000000u + (__u64)now.tv_nsec;
	if (bpf_map_update_elem(map, &zero, &from, BPF_ANY) < 0)
		return fail(e, errno, "map 'dirs_gone': %s", strerror(errno));
	return 0;
}

/* Nothing is promised by it: somebody else may hold the function that it would be attached to. */
static void go_untold(struct kbpf *k, enum osh_hook h, const char *why)
{
	fprintf(stderr, "oshd: program '%s' is not attached, less on record: %s\n", kbpf_hook_name(h), why);
	k->lacks[h] = true;
}

int kbpf_attach_global(struct kbpf *k, struct err *e)
{
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p;

		if (!kbpf_hook_linked(k, h) || k->links[h])
			continue;
		p = kbpf_program(k, h);
		if (!p)
			return fail(e, ENOENT, "BPF object has no program '%s'", kbpf_hook_name(h));
		k->links[h] = bpf_program__attach(p);
		if (!k->links[h] && kbpf_hook_where(h) == AT_TELL)
			go_untold(k, h, strerror(errno));
		else if (!k->links[h])
			return fail(e, errno, "attach '%s': %s", kbpf_hook_name(h), strerror(errno));
	}
	return count_dirs(k, e);
}

/*
 * The loaded program's instructions once more, with the descriptor of another sockmap in place of the
 * template's. A copy costs one verification of a dozen instructions.
 */
int kbpf_steer_load(struct kbpf *k, int map_fd, int *ret_prog_fd, struct err *e)
{
	const struct bpf_map *template = bpf_object__find_map_by_name(k->obj, "steer");
	const struct bpf_program *p = kbpf_program(k, OSH_HOOK_STEER);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_SK_LOOKUP);
	struct bpf_insn insns[128];
	size_t n, replaced = 0;
	int prog;

	if (!p || !template)
		return fail(e, ENOENT, "BPF object has no program 'osh_steer'");
	n = bpf_program__insn_cnt(p);
	if (!n || n > ARRAY_SIZE(insns))
		return fail(e, E2BIG, "program 'osh_steer' has %zu instructions", n);
	memcpy(insns, bpf_program__insns(p), n * sizeof(*insns));
	for (size_t i = 0; i < n; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW) || insns[i].src_reg != BPF_PSEUDO_MAP_FD)
			continue;
		insns[i++].imm = map_fd;
		replaced++;
	}
	if (replaced != 1)
		return fail(e, EPROTO, "program 'osh_steer' names %zu maps, not one", replaced);
	prog = bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "osh_steer", "GPL", insns, n, &opts);
	if (prog < 0)
		return fail(e, errno, "load a steering program: %s", strerror(errno));
	*ret_prog_fd = prog;
	return 0;
}

static int steer_copy(struct kbpf *k, int *ret_prog_fd, int *ret_map_fd, struct err *e)
{
	_close_ int map = bpf_map_create(BPF_MAP_TYPE_SOCKMAP, "steer", sizeof(__u32), sizeof(__u64), 1, NULL);
	int r;

	if (map < 0)
		return fail(e, errno, "create the steering sockmap: %s", strerror(errno));
	r = kbpf_steer_load(k, map, ret_prog_fd, e);
	if (r < 0)
		return r;
	*ret_map_fd = take_fd(&map);
	return 0;
}

int kbpf_steer_new(struct kbpf *k, int *ret_prog_fd, int *ret_map_fd, struct err *e)
{
	if (k->steer_prog < 0)
		return steer_copy(k, ret_prog_fd, ret_map_fd, e);
	*ret_prog_fd = take_fd(&k->steer_prog);
	*ret_map_fd = take_fd(&k->steer_map);
	return 0;
}

void kbpf_steer_ahead(struct kbpf *k)
{
	struct err e = { 0 };

	if (k->steer_prog < 0)		/* a failure shows, with its reason, when one is needed */
		(void)steer_copy(k, &k->steer_prog, &k->steer_map, &e);
}
