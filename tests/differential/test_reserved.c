/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's programs say of paths that are for some programs only, against eval_file(): random policies over
 * one tree, asked as each of their programs, as one that no entry lists, as a tainted one and as nobody, on every
 * kernel. The walk is that of the LSM hooks, run by an iterator over the test's own descriptors; that hooks
 * refuse what it denies is tests/vm/test_reserved.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/mount.h>
#include <sys/stat.h>

#include "../bpf/netrig.h"
#include "buf.h"
#include "eval.h"
#include "own.h"
#include "policy.h"
#include "reserved.h"

#include <cmocka.h>			/* last: it defines a macro called fail */

#define ROUNDS 400
#define TREE "/tmp/osh-test-reserved"
#define NAMES "abc"
#define DIRS 39				/* of three names, three deep */
#define PROGRAMS 3
#define ASKERS (PROGRAMS + 3)

enum { ASK_UNLISTED = PROGRAMS, ASK_TAINTED, ASK_NOBODY };

static struct rig g;
static struct kbpf_sandbox sb = { .slot = 9, .id = 99, .generation = 1 };
static char dirs[DIRS][64];
static int fds[DIRS];

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static void random_entry(struct buf *b, const char *first)
{
	char path[64];
	size_t n = (size_t)snprintf(path, sizeof(path), TREE);

	for (unsigned i = 0, depth = 1 + pick(3); i < depth; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/%c", NAMES[pick(3)]);
	buf_str(b, first);
	if (!pick(3)) {
		buf_str(b, path);
		return;
	}
	buf_str(b, "{path: ");
	buf_str(b, path);
	buf_str(b, ", binaries: [/usr/bin/p");
	buf_str(b, &"0\0001\0002"[2 * pick(3)]);
	if (pick(2)) {
		buf_str(b, ", /usr/bin/p");
		buf_str(b, &"0\0001\0002"[2 * pick(3)]);
	}
	buf_str(b, "]}");
}

static void random_policy(struct buf *b)
{
	static const char *const keys[] = { "  read_only: [", "  read_write: [" };

	buf_str(b, "version: 1\nfilesystem_policy:\n");
	for (int k = 0; k < 2; k++) {
		buf_str(b, keys[k]);
		for (unsigned i = 0, n = 1 + pick(4); i < n; i++)
			random_entry(b, i ? ", " : "");
		buf_str(b, "]\n");
	}
}

static void program_of(int asker, char *ret, size_t room)
{
	snprintf(ret, room, "/usr/bin/p%d", asker == ASK_TAINTED ? 0 : asker);
}

/* What the exec tracker would have said of this program. */
static void pose(const struct bundle *b, int asker)
{
	struct osh_task t = { .slot = sb.slot, .id = sb.id, .generation = 1, .ident = 1 };
	char program[32];

	program_of(asker, program, sizeof(program));
	t.tainted = asker == ASK_TAINTED;
	t.why = t.tainted ? OSH_WHY_TAINTED : 0;
	if (asker == ASK_NOBODY)
		t.ident = 0;
	for (uint32_t i = 0; t.ident && i < b->n_binaries; i++)
		if (!strcmp(bundle_str(b, b->binaries[i].path), program))
			t.groups[b->binaries[i].group / 64] |= 1ull << (b->binaries[i].group % 64);
	assert_int_equal(rig_pose_as(&g, t), 0);
}

/* One run of the probe, as a task of the sandbox. */
static void probe(void)
{
	struct bpf_program *p = bpf_object__find_program_by_name(g.k->obj, "osh_reserved_probe");
	union bpf_iter_link_info info = { .task.tid = (__u32)getpid() };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(p, &opts);
	_close_ int it = -1;
	char none[16];

	assert_non_null(link);
	it = bpf_iter_create(bpf_link__fd(link));
	assert_true(it >= 0);
	while (read(it, none, sizeof(none)) > 0)
		;
	bpf_link__destroy(link);
}

struct tally {
	unsigned asked, denied, apart;	/* apart: of paths that are for all */
};

static void compare(const struct policy *policy, const struct bundle *b, int asker, const struct buf *text, struct tally *t)
{
	int map = kbpf_map_fd(g.k, "fd_inodes");
	const struct osh_fd_inode zero = { 0 };
	struct osh_reserved entry;
	char program[32];

	program_of(asker, program, sizeof(program));
	for (int i = 0; i < DIRS; i++)
		assert_int_equal(bpf_map_update_elem(map, &fds[i], &zero, BPF_ANY), 0);
	pose(b, asker);
	probe();
	for (int i = 0; i < DIRS * 2; i++) {
		const char *who = asker == ASK_NOBODY || asker == ASK_TAINTED ? NULL : program;
		bool write = i & 1, is_reserved = reserved_at(b, dirs[i / 2], &entry), want, got;
		struct decision d = eval_file(policy, dirs[i / 2], "/nowhere", who, write);
		struct osh_fd_inode f = { 0 };

		assert_int_equal(bpf_map_lookup_elem(map, &fds[i / 2], &f), 0);
		assert_true(f.inode && f.mtime_s);
		got = (write ? (long long)f.mtime_s : (long long)f.inode) != 1;
		want = is_reserved && d.verdict != OSH_ALLOW;
		if (got != want)
			fail_msg("%s, %s by %d: eval %s, kernel %s\n%.*s", dirs[i / 2], write ? "written" : "read", asker,
				 want ? "denies" : "allows", got ? "denies" : "allows", (int)text->n, text->p);
		t->asked++;
		t->denied += got;
		t->apart += !is_reserved;
	}
}

/* As osh-launch reports them: what is listed, where it is for some programs or lies below such a path. */
static void reserve(const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_fs; i++) {
		const char *path = bundle_str(b, b->fs[i].path);
		_close_ int fd = open(path, O_PATH | O_CLOEXEC);
		struct osh_reserved entry;
		struct err e = { 0 };

		if (reserved_at(b, path, &entry) && kbpf_reserve(g.k, &sb, &entry, path, fd, &e) < 0)
			fail_msg("%s", e.text);
	}
}

static void kernel_judges_as_the_policy_means(void **state)
{
	const char *seed = getenv("OSH_SEED");
	unsigned kept = 0, refused = 0;
	struct tally t = { 0 };

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 1);
	for (int i = 0; i < ROUNDS; i++) {
		struct buf text = { 0 }, bytes = { 0 };
		struct policy policy = { 0 };
		struct diags d = { 0 };
		struct bundle b;
		struct err e = { 0 };

		random_policy(&text);
		if (policy_compile((struct slice){ text.p, text.n }, &d, &bytes) < 0) {
			for (uint32_t k = 0; k < d.n; k++)
				if (d.v[k].code == DIAG_LATER)
					refused++;
			goto next;
		}
		assert_int_equal(policy_read(&policy, (struct slice){ text.p, text.n }, &d), 0);
		if (bundle_open_mem(&b, bytes.p, bytes.n, &e) < 0)
			fail_msg("%s", e.text);
		reserve(&b);
		for (int asker = 0; kbpf_has_reserved(g.k, &sb) && asker < ASKERS; asker++)
			compare(&policy, &b, asker, &text, &t);
		kept += kbpf_has_reserved(g.k, &sb);
		kbpf_drop(g.k, &sb, KMAP_RESERVED, 0);
		g.k->sandboxes[sb.slot].reserved_bits = 0;
		bundle_done(&b);
next:
		policy_done(&policy);
		diags_done(&d);
		buf_done(&text);
		buf_done(&bytes);
	}
	printf("# %u policies, %u refused; %u answers, %u denied, %u of paths for all\n", kept, refused, t.asked, t.denied, t.apart);
	assert_in_range(kept, ROUNDS / 10, ROUNDS);
	assert_in_range(refused, ROUNDS / 10, ROUNDS * 4);
	assert_in_range(t.denied, t.asked / 20, t.asked - t.asked / 20);
	assert_in_range(t.apart, t.asked / 20, t.asked - t.asked / 20);
}

static void make_dirs(const char *above, int depth, int *n)
{
	for (int i = 0; i < 3; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%c", above, NAMES[i]);
		assert_int_equal(mkdir(path, 0755), 0);
		strcpy(dirs[*n], path);
		fds[(*n)++] = open(path, O_PATH | O_CLOEXEC);
		if (depth > 1)
			make_dirs(path, depth - 1, n);
	}
}

static int setup(void **state)
{
	static const struct osh_b_meta meta = { 0 };
	const struct bundle b = { .meta = &meta };
	struct err e = { 0 };
	int n = 0;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	(void)mkdir(TREE, 0755);
	if (mount("tree", TREE, "tmpfs", 0, NULL) < 0)
		return -1;
	make_dirs(TREE, 3, &n);
	assert_int_equal(n, DIRS);
	if (kbpf_open(&g.k, NULL, &e) < 0)
		goto bad;
	bpf_program__set_autoload(bpf_object__find_program_by_name(g.k->obj, "osh_reserved_probe"), true);
	if (kbpf_load_object(g.k, &e) < 0 || kbpf_bind(g.k, &e) < 0 || kbpf_flip(g.k, &sb, &b, &e) < 0)
		goto bad;
	g.read_start = rig_task_reader(rig_task_offset("start_boottime"));
	g.read_exec = rig_task_reader(rig_task_offset("self_exec_id"));
	kbpf_guard(g.k, &sb);
	return g.read_start >= 0 && g.read_exec >= 0 ? 0 : -1;
bad:
	printf("# %s\n", e.text);
	return -1;
}

static int teardown(void **state)
{
	(void)state;
	kbpf_clear(g.k, &sb);
	kbpf_free(g.k);
	(void)umount2(TREE, MNT_DETACH);
	return rmdir(TREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kernel_judges_as_the_policy_means) };

	return cmocka_run_group_tests_name("reserved", tests, setup, teardown);
}
