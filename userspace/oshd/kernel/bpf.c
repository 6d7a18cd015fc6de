// SPDX-License-Identifier: Apache-2.0
/*
 * Loads the BPF object and hands out its maps and programs. Runs in oshd as root, once per daemon or
 * embedded run. Parses nothing: the object is linked into this binary.
 */
#include "bpf.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "hash.h"
#include "kbpf.h"
#include "osh.skel.h"
#include "osh/msg.h"
#include "kernel.h"
#include "own.h"

#define PIDS_MAX (1u << 22)		/* PID_MAX_LIMIT: no kernel has more threads */

/* Newer than the libbpf that we build with; the kernel has them since 6.7. */
#define CGROUP_UNIX_CONNECT 49
#define CGROUP_UNIX_SENDMSG 50

static const char *const hook_names[] = {
#define HOOK(id, program, where) #program,
#include "osh/hooks.def"
#undef HOOK
};

static const struct {
	enum osh_hook hook;
	int attach_type;
} unix_hooks[] = {
	{ OSH_HOOK_CONNECTU, CGROUP_UNIX_CONNECT },
	{ OSH_HOOK_SENDMSGU, CGROUP_UNIX_SENDMSG },
};

/* The last thing that libbpf complained about: the reason of a failed load. */
static _Thread_local char complaint[160];

static int note(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_WARN || complaint[0])
		return 0;		/* the first names the program or map; the rest follow from it */
	vsnprintf(complaint, sizeof(complaint), fmt, ap);
	complaint[strcspn(complaint, "\n")] = 0;
	return 0;
}

const char *kbpf_hook_name(enum osh_hook hook)
{
	return (unsigned)hook < OSH_HOOK_MAX ? hook_names[hook] : "?";
}

int kbpf_hook_off(const struct kbpf *k, enum osh_hook hook)
{
	return (int)(k->off.w[hook / 64] >> hook % 64 & 1);
}

struct bpf_program *kbpf_program(const struct kbpf *k, enum osh_hook hook)
{
	return bpf_object__find_program_by_name(k->obj, kbpf_hook_name(hook));
}

static int check_off(const struct kbpf_off *off, struct err *e)
{
#ifdef OSH_TEST
	(void)off;
	(void)e;
	return 0;
#else
	return off && (off->w[0] | off->w[1]) ? fail(e, EINVAL, "layers can be left out in a test build only") : 0;
#endif
}

/* Programs outside the row list belong to tests; LSM programs would fail the whole object where none loads. */
static void leave_out(struct kbpf *k)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, k->obj) {
		int known = 0;

		for (int h = 0; h < OSH_HOOK_MAX; h++)
			known |= !strcmp(bpf_program__name(p), hook_names[h]);
		if (!known)
			bpf_program__set_autoload(p, false);
	}
	kbpf_lsm_open(k);
}

/* What the kernel is given, and nothing else of this program: another build of the same is no upgrade. */
static void name_build(struct kbpf *k)
{
	uint8_t digest[HASH_LEN] = { 0 };
	size_t n = 0;
	const void *elf = osh_bpf__elf_bytes(&n);

	(void)hash_bytes(elf, n, digest);
	hash_hex(digest, k->build);
}

int kbpf_open(struct kbpf **ret, const struct kbpf_off *off, struct err *e)
{
	struct kbpf *k = calloc(1, sizeof(*k));

	if (!k)
		return fail(e, ENOMEM, "BPF object: out of memory");
	k->sandboxes = MAP_FAILED;
	k->front = MAP_FAILED;
	k->host = MAP_FAILED;
	k->steer_prog = k->steer_map = -1;
	if (off)
		k->off = *off;
	for (int i = 0; i < OSH_HOOK_MAX; i++)
		k->prog[i] = -1;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(note);
	complaint[0] = 0;
	k->skel = osh_bpf__open();
	if (!k->skel) {
		int code = errno;

		free(k);
		return fail(e, code, "BPF object: %s", complaint[0] ? complaint : strerror(code));
	}
	k->obj = k->skel->obj;
	k->skel->rodata->task_storage = kbpf_has_task_storage();
	name_build(k);
	leave_out(k);
	k->skel->rodata->rename_lock_at = k->lsm ? kbpf_symbol("rename_lock") : 0;
	for (size_t i = 0; i < ARRAY_SIZE(unix_hooks); i++) {
		struct bpf_program *p = kbpf_program(k, unix_hooks[i].hook);

		if (!p)
			continue;
		bpf_program__set_type(p, BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
		bpf_program__set_expected_attach_type(p, (enum bpf_attach_type)unix_hooks[i].attach_type);
	}
	*ret = k;
	return 0;
}

int kbpf_load_object(struct kbpf *k, struct err *e)
{
	int r;

	complaint[0] = 0;
	r = bpf_object__load(k->obj);
	if (r == -EPERM)
		return fail(e, EPERM, "BPF programs need CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN: %s", complaint);
	if (r < 0)
		return fail(e, -r, "kernel refuses the BPF programs: %s",
			    complaint[0] ? complaint : strerror(-r));
	return 0;
}

/* After loading: descriptors by row, the slots mapped. Programs already bound are left alone. */
int kbpf_bind(struct kbpf *k, struct err *e)
{
	for (int m = 0; m < KMAP_MAX; m++) {
		struct bpf_map *map = bpf_object__find_map_by_name(k->obj, kbpf_maps[m].name);

		if (!map)
			return fail(e, ENOENT, "BPF object has no map '%s'", kbpf_maps[m].name);
		if (bpf_map__key_size(map) != kbpf_maps[m].key || bpf_map__value_size(map) != kbpf_maps[m].value)
			return fail(e, EPROTO, "map '%s' is of another ABI", kbpf_maps[m].name);
		k->map[m] = bpf_map__fd(map);
	}
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p = kbpf_program(k, h);

		if (p && k->prog[h] < 0)
			k->prog[h] = bpf_program__fd(p);
	}
	k->sandboxes = mmap(NULL, OSH_SLOTS * sizeof(*k->sandboxes), PROT_READ | PROT_WRITE, MAP_SHARED,
			    k->map[KMAP_SANDBOXES], 0);
	if (k->sandboxes == MAP_FAILED)
		return fail(e, errno, "map 'sandboxes': %s", strerror(errno));
	k->front = mmap(NULL, KFRONT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, k->map[KMAP_FRONT], 0);
	if (k->front == MAP_FAILED)
		return fail(e, errno, "map 'front': %s", strerror(errno));
	k->host = mmap(NULL, sizeof(*k->host), PROT_READ | PROT_WRITE, MAP_SHARED, k->map[KMAP_HOST], 0);
	if (k->host == MAP_FAILED)
		return fail(e, errno, "map 'host': %s", strerror(errno));
	return 0;
}

static int size_maps(struct kbpf *k, struct err *e)
{
	for (int m = 0; m < KMAP_MAX; m++) {
		struct bpf_map *map = bpf_object__find_map_by_name(k->obj, kbpf_maps[m].name);

		if (!map || !kbpf_maps[m].small)
			continue;
		if (bpf_map__set_max_entries(map, kbpf_maps[m].small) < 0)
			return fail(e, EINVAL, "map '%s' cannot be resized", kbpf_maps[m].name);
	}
	return 0;
}

static uint32_t threads_max(void)
{
	_fclose_ FILE *f = fopen("/proc/sys/kernel/threads-max", "re");
	unsigned n = 0;

	return f && fscanf(f, "%u", &n) == 1 ? n : 0;
}

/*
 * Without task storage the table must hold every thread that the kernel lets exist, or the forks of
 * one sandbox could use it up for the others. With it, the table is never used.
 */
static int size_tasks(struct kbpf *k, int small, struct err *e)
{
	struct bpf_map *map = bpf_object__find_map_by_name(k->obj, kbpf_maps[KMAP_TASKS].name);
	uint32_t n = threads_max();

	if (!map)
		return 0;		/* kbpf_bind() says so */
	if (k->skel->rodata->task_storage)
		n = 1;
	else if (small)
		return 0;		/* of one sandbox, which harms itself alone */
	else if (n < OSH_TASKS)
		n = OSH_TASKS;
	else if (n > PIDS_MAX)
		n = PIDS_MAX;
	if (bpf_map__set_max_entries(map, n) < 0)
		return fail(e, EINVAL, "map '%s' cannot be resized", kbpf_maps[KMAP_TASKS].name);
	return 0;
}

int kbpf_lanes(struct kbpf *k, struct err *e)
{
	struct bpf_map *slots = bpf_object__find_map_by_name(k->obj, kbpf_maps[KMAP_LANE_SLOTS].name);
	struct bpf_map *tails = bpf_object__find_map_by_name(k->obj, kbpf_maps[KMAP_LANE_TAILS].name);
	uint32_t n = tails ? bpf_map__max_entries(tails) : 0;

	if (!slots || !n)
		return fail(e, ENOENT, "BPF object has no lanes");
	k->skel->rodata->lanes_last = n - 1;
	k->skel->rodata->lane_last = bpf_map__max_entries(slots) / n - 1;
	return 0;
}

/* As many lanes as CPUs, to a power of two, and the slots shared out among them. */
static int size_lanes(struct kbpf *k, struct err *e)
{
	struct bpf_map *tails = bpf_object__find_map_by_name(k->obj, kbpf_maps[KMAP_LANE_TAILS].name);
	int cpus = libbpf_num_possible_cpus();
	uint32_t n = 1;

	while (n < OSH_LANES && (int)n < cpus)
		n *= 2;
	if (tails && bpf_map__set_max_entries(tails, n) < 0)
		return fail(e, EINVAL, "map '%s' cannot be resized", kbpf_maps[KMAP_LANE_TAILS].name);
	return kbpf_lanes(k, e);
}

int kbpf_prog_id(const struct kbpf *k, enum osh_hook hook, uint32_t *ret, struct err *e)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(k->prog[hook], &info, &size) < 0)
		return fail(e, errno, "program '%s': %s", kbpf_hook_name(hook), strerror(errno));
	*ret = info.id;
	return 0;
}

static int seed_funnel(struct kbpf *k, struct err *e)
{
	struct osh_funnel f = { 0 };
	uint32_t zero = 0;

	if (kbpf_prog_id(k, OSH_HOOK_CONNECT4, &k->host->connect4[0], e) < 0 ||
	    kbpf_prog_id(k, OSH_HOOK_CONNECT6, &k->host->connect6[0], e) < 0)
		return -e->code;
	k->host->connect4[1] = k->host->connect4[0];
	k->host->connect6[1] = k->host->connect6[0];
	if (getrandom(&f.seed, sizeof(f.seed), 0) != sizeof(f.seed) ||
	    bpf_map_update_elem(k->map[KMAP_FUNNEL], &zero, &f, BPF_ANY) < 0)
		return fail(e, errno, "map 'funnel': %s", strerror(errno));
	return 0;
}

/* From here on only programs write to the slots. A descriptor to read could not be mapped. */
static int freeze_lanes(struct kbpf *k, struct err *e)
{
	if (bpf_map_freeze(k->map[KMAP_LANE_SLOTS]) < 0)
		return fail(e, errno, "map '%s' cannot be frozen: %s", kbpf_maps[KMAP_LANE_SLOTS].name,
			    strerror(errno));
	return 0;
}

static int load(struct kbpf **ret, int small, const struct kbpf_off *off, struct err *e)
{
	struct kbpf *k = NULL;
	int r = kbpf_open(&k, off, e);

	if (!r && small)
		r = size_maps(k, e);
	if (!r)
		r = size_tasks(k, small, e);
	if (!r)
		r = size_lanes(k, e);
	if (!r)
		r = kbpf_load_object(k, e);
	if (!r)
		r = kbpf_bind(k, e);
	if (!r)
		r = seed_funnel(k, e);
	if (!r)
		r = freeze_lanes(k, e);
	if (r < 0) {
		kbpf_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

int kbpf_load_some(struct kbpf **ret, int small, const struct kbpf_off *off, struct err *e)
{
	int r = load(ret, small, off, e);

	while (r < 0 && kbpf_lsm_narrow(e->text))	/* a hook of a later kernel: without it everything else holds */
		r = load(ret, small, off, e);
	return r;
}

int kbpf_load(struct kbpf **ret, int small, const struct kbpf_off *off, struct err *e)
{
	int r = check_off(off, e);

	if (!r)
		r = kernel_check(e);
	return r < 0 ? r : kbpf_load_some(ret, small, off, e);
}

int kbpf_try_hook(enum osh_hook hook, struct err *e)
{
	struct bpf_program *p;
	struct kbpf *k = NULL;
	int r = kbpf_open(&k, NULL, e);

	if (r < 0)
		return r;
	bpf_object__for_each_program(p, k->obj) {
		bpf_program__set_autoload(p, p == kbpf_program(k, hook));
	}
	r = size_maps(k, e);
	if (!r)
		r = size_tasks(k, 1, e);
	if (!r)
		r = size_lanes(k, e);
	if (!r)
		r = kbpf_load_object(k, e);
	if (r < 0 && complaint[0]) {	/* the kernel's reason alone: what it means is the reader's to say */
		const char *why = strstr(complaint, "load failed");

		(void)fail(e, -r, "%s", why ? why : complaint);
	}
	kbpf_free(k);
	return r;
}

void kbpf_free(struct kbpf *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		kbpf_journal_free(k, i);
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		bpf_link__destroy(k->links[h]);
		if (k->own_progs && k->prog[h] >= 0 && h != OSH_HOOK_STEER)
			close(k->prog[h]);
	}
	own_close(&k->steer_prog);
	own_close(&k->steer_map);
	if (k->sandboxes != MAP_FAILED)
		munmap(k->sandboxes, OSH_SLOTS * sizeof(*k->sandboxes));
	if (k->front != MAP_FAILED)
		munmap(k->front, KFRONT_BYTES);
	if (k->host != MAP_FAILED)
		munmap(k->host, sizeof(*k->host));
	osh_bpf__destroy(k->skel);
	free(k);
}

uint32_t kbpf_last_id(const struct kbpf *k)
{
	return k->host->last_id;
}

void kbpf_set_last_id(struct kbpf *k, uint32_t id)
{
	__atomic_store_n(&k->host->last_id, id, __ATOMIC_RELEASE);
}

bool kbpf_lsm(const struct kbpf *k)
{
	return k->lsm;
}

int kbpf_map_fd(const struct kbpf *k, const char *name)
{
	for (int m = 0; m < KMAP_MAX; m++)
		if (!strcmp(kbpf_maps[m].name, name))
			return k->map[m];
	return bpf_object__find_map_fd_by_name(k->obj, name);
}

int kbpf_map_fd_ro(const struct kbpf *k, const char *name)
{
	LIBBPF_OPTS(bpf_get_fd_by_id_opts, opts, .open_flags = BPF_F_RDONLY);
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = kbpf_map_fd(k, name);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	fd = bpf_map_get_fd_by_id_opts(info.id, &opts);
	return fd < 0 ? -errno : fd;
}

int kbpf_prog_fd(const struct kbpf *k, enum osh_hook hook)
{
	return (unsigned)hook < OSH_HOOK_MAX && k->prog[hook] >= 0 ? k->prog[hook] : -ENOENT;
}
