/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's programs say of paths under `filesystem_policy.deny`, against eval_file(): random
 * policies over random trees, looked at several times, while somebody renames, on every kernel. The walk is the one of the LSM hooks, here run by an
 * iterator over the test's own descriptors; that hooks refuse what it denies is tests/vm/test_deny.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"
#include "buf.h"
#include "eval.h"
#include "own.h"
#include "policy.h"

#include "osh.skel.h"

#include "deny_random.h"

#include <cmocka.h>			/* last: it defines a macro called fail */

#define ROUNDS 60
#define PATHS 40
#define DEPTH 5
#define RENAMES 20
#define LOOKS 5
#define WORKDIR "/tmp/osh-test-deny/work"

static struct kbpf *k;
static struct kbpf_sandbox sb = { .slot = 9, .id = 99, .generation = 1 };
static char cgroup[512];

/* Makes the directories of a random path and gives a descriptor of the last. */
static int random_path(char *path, size_t room)
{
	static const char *const names[] = { "a", "b", "ab", "key", "x.key", LONG_NAME, "z" };
	size_t n = (size_t)snprintf(path, room, "%s", WORKDIR);

	for (unsigned i = 0, depth = 1 + pick(DEPTH); i < depth; i++) {
		n += (size_t)snprintf(path + n, room - n, "/%s", names[pick(ARRAY_SIZE(names))]);
		if (mkdir(path, 0755) < 0)
			assert_int_equal(errno, EEXIST);
	}
	return open(path, O_PATH | O_CLOEXEC);
}

static void enter(const char *cgroup_dir)
{
	char path[600];
	_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup_dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "0", 1), 1);
}

/* A directory was freed somewhere: from here on only who goes the way up again knows that it is the same. */
static void someone_removes(void)
{
	static __u64 gone = 1;
	__u32 zero = 0;

	gone++;
	assert_int_equal(bpf_map_update_elem(kbpf_map_fd(k, "dirs_gone"), &zero, &gone, BPF_ANY), 0);
}

/* Directories get other names and places, from outside: below others, and back. */
static void someone_renames(const int *fds)
{
	static const char *const names[] = { "a", "b", "ab", "key", "x.key", "z" };
	char from[1024], to[1100], link[64];

	for (int i = 0; i < RENAMES; i++) {
		int fd = fds[pick(PATHS)];
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, from, sizeof(from) - 1);
		assert_true(n > 0);
		from[n] = 0;
		n = pick(2) ? (ssize_t)(strrchr(from, '/') - from) : (ssize_t)strlen(WORKDIR);
		snprintf(to, sizeof(to), "%.*s/%s", (int)n, from, names[pick(ARRAY_SIZE(names))]);
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)	/* it may be there, or lie below itself */
			(void)renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
	}
}

static void path_now(int fd, char *path, size_t room)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, room - 1);
	assert_true(n > 0);
	path[n] = 0;
}

/* One run of the probe, as a task of the sandbox. */
static void probe(void)
{
	struct bpf_program *p = bpf_object__find_program_by_name(k->obj, "osh_deny_probe");
	union bpf_iter_link_info info = { .task.tid = (__u32)getpid() };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(p, &opts);
	char none[16], outside[520];
	_close_ int it = -1;

	assert_non_null(link);
	it = bpf_iter_create(bpf_link__fd(link));
	assert_true(it >= 0);
	snprintf(outside, sizeof(outside), "%.*s", (int)(strrchr(cgroup, '/') - cgroup), cgroup);
	enter(cgroup);
	while (read(it, none, sizeof(none)) > 0)
		;
	enter(outside);
	bpf_link__destroy(link);
}

static void root_enter(const struct bundle *b, const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct err e = { 0 };

	if (kbpf_deny_root(k, &sb, b, WORKDIR, path, fd, &e) < 0)
		fail_msg("%s", e.text);
}

static void compare(const struct policy *policy, const int *fds, const struct buf *text, unsigned *ret_denied, unsigned *ret_quick)
{
	int map = kbpf_map_fd(k, "fd_inodes");
	const struct osh_fd_inode zero = { 0 };

	for (int i = 0; i < PATHS; i++)
		assert_int_equal(bpf_map_update_elem(map, &fds[i], &zero, BPF_ANY), 0);
	probe();
	for (int i = 0; i < PATHS; i++) {
		struct osh_fd_inode got = { 0 };
		struct decision want;
		char path[1024];
		unsigned why;

		path_now(fds[i], path, sizeof(path));
		want = eval_file(policy, path, WORKDIR, NULL, true);
		why = want.verdict == OSH_ALLOW ? 0 : OSH_WHY_FILE_DENIED;
		assert_int_equal(bpf_map_lookup_elem(map, &fds[i], &got), 0);
		if (got.inode != 1 + why)
			fail_msg("%s: eval %u, kernel %lld%s\n%.*s", path, why, (long long)got.inode - 1, got.inode ? "" :
				 " (its ways differ)", (int)text->n, text->p);
		*ret_denied += why != 0;
		*ret_quick += got.flags;
	}
}

/* Once unknown, twice known, the second time by the way up; then the same where names move in between. */
static void one_policy(const struct policy *policy, const struct bundle *b, const struct buf *text, unsigned *ret_denied,
		       unsigned *ret_quick)
{
	int map = kbpf_map_fd(k, "fd_inodes"), fds[PATHS];
	char path[1024];

	root_enter(b, "/tmp/osh-test-deny");
	root_enter(b, WORKDIR);
	for (int i = 0; i < PATHS; i++) {
		fds[i] = random_path(path, sizeof(path));
		assert_true(fds[i] >= 0);
	}
	for (int round = 0; round < LOOKS; round++) {
		compare(policy, fds, text, &ret_denied[round], &ret_quick[round]);
		if (round >= 1)
			someone_removes();
		if (round >= 2)
			someone_renames(fds);
	}
	for (int i = 0; i < PATHS; i++) {
		(void)bpf_map_delete_elem(map, &fds[i]);
		close(fds[i]);
	}
}

static void kernel_judges_as_the_policy_means(void **state)
{
	const char *seed = getenv("OSH_SEED");
	unsigned denied[LOOKS] = { 0 }, quick[LOOKS] = { 0 }, n = 0;

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 1);
	for (int i = 0; i < ROUNDS; i++) {
		struct buf text = { 0 }, bytes = { 0 };
		struct policy policy = { 0 };
		struct diags d = { 0 };
		struct bundle b;
		struct err e = { 0 };

		random_deny(&text, WORKDIR);
		if (policy_compile((struct slice){ text.p, text.n }, &d, &bytes) < 0)
			fail_msg("%s\n%.*s", d.n ? d.v[0].text : "?", (int)text.n, text.p);
		assert_int_equal(policy_read(&policy, (struct slice){ text.p, text.n }, &d), 0);
		if (bundle_open_mem(&b, bytes.p, bytes.n, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(mount("tree", "/tmp/osh-test-deny", "tmpfs", 0, NULL), 0);
		assert_int_equal(mkdir(WORKDIR, 0755), 0);
		one_policy(&policy, &b, &text, denied, quick);
		n += PATHS;
		for (int m = KMAP_DENIES; m <= KMAP_DENY_INODES; m++)
			kbpf_drop(k, &sb, (enum kmap)m, 0);
		assert_int_equal(umount2("/tmp/osh-test-deny", MNT_DETACH), 0);
		bundle_done(&b);
		policy_done(&policy);
		diags_done(&d);
		buf_done(&text);
		buf_done(&bytes);
	}
	for (int i = 0; i < LOOKS; i++) {
		printf("# look %d: %u paths, %u denied, %u allowed by what was known\n", i, n, denied[i], quick[i]);
		assert_in_range(denied[i], n / 10, n - n / 10);
		assert_in_range(quick[i], i ? n / 20 : 0, n - denied[i]);
	}
}

static int cgroup_top(char *ret, size_t n)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[400];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %399s", path) == 1)
			return snprintf(ret, n, "%s", path) < (int)n ? 0 : -1;
	return -1;
}

static int setup(void **state)
{
	static const struct osh_b_meta meta = { .deny = 1 };
	const struct bundle b = { .meta = &meta };
	struct err e = { 0 };
	struct stat st;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    cgroup_top(cgroup, sizeof(cgroup) - 64) < 0)
		return -1;
	snprintf(cgroup + strlen(cgroup), 64, "/osh-test-deny-%d", getpid());
	(void)mkdir("/tmp/osh-test-deny", 0755);
	if (mkdir(cgroup, 0755) < 0 || stat(cgroup, &st) < 0)
		return -1;
	sb.cgroup = st.st_ino;
	if (kbpf_open(&k, NULL, &e) < 0)
		goto bad;
	bpf_program__set_autoload(bpf_object__find_program_by_name(k->obj, "osh_deny_probe"), true);
	k->skel->rodata->rename_lock_at = kbpf_symbol("rename_lock");	/* 0 where the kernel does not say: the way up alone */
	if (kbpf_load_object(k, &e) < 0 || kbpf_bind(k, &e) < 0)
		goto bad;
	someone_removes();		/* somebody counts */
	k->lsm = 1;			/* as if: entries are kept by programs here */
	if (!kbpf_flip(k, &sb, &b, &e))
		return 0;
bad:
	printf("# %s\n", e.text);
	return -1;
}

static int teardown(void **state)
{
	(void)state;
	kbpf_clear(k, &sb);
	kbpf_free(k);
	(void)rmdir("/tmp/osh-test-deny");
	return rmdir(cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kernel_judges_as_the_policy_means) };

	return cmocka_run_group_tests_name("deny", tests, setup, teardown);
}
