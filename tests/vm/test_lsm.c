/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LSM layer, where the kernel loads it: a task of a sandbox cannot open a denied inode by any
 * name, other tasks can, other files open as before, and the denial is on record. Skips elsewhere.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "err.h"
#include "osh/abi.h"
#include "osh.skel.h"
#include "own.h"

#include <cmocka.h>			/* last: its fail() would hide ours */

#define ID 7u
#define SLOT 3u

struct rig {
	struct osh_bpf *o;
	struct bpf_link *hook;
	char cgroup[512], dir[64];
	uint64_t cgroup_id;
	int denied_fd;			/* keeps the inode in memory */
	struct osh_event_named seen;
	int n_seen;
};

static int cgroup_top(char *ret, size_t n)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[512];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %511s", path) == 1)
			return snprintf(ret, n, "%s", path) < (int)n ? 0 : -1;
	return -1;
}

static const char *in_dir(const struct rig *r, const char *name)
{
	static char paths[4][128];	/* the last four stay valid */
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", r->dir, name);
	return path;
}

static void put(const char *path)
{
	_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs("secret\n", f);
}

/* What an open gives to a child that first enters the sandbox's cgroup (or not): 0 or an errno. */
static int open_as(const struct rig *r, bool inside, const char *path, int flags)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		char procs[600];
		int fd;

		snprintf(procs, sizeof(procs), "%s/cgroup.procs", r->cgroup);
		if (inside) {
			fd = open(procs, O_WRONLY | O_CLOEXEC);
			if (fd < 0 || write(fd, "0", 1) != 1)
				_exit(250);
		}
		fd = open(path, flags | O_CLOEXEC);
		_exit(fd < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void set(struct bpf_map *m, const void *key, size_t nk, const void *value, size_t nv)
{
	assert_int_equal(bpf_map__update_elem(m, key, nk, value, nv, BPF_ANY), 0);
}

/* Address of the inode behind one of our descriptors, by the iterator that oshd uses. */
static uint64_t inode_of(struct rig *r, int fd)
{
	union bpf_iter_link_info which = { .task.tid = (__u32)getpid() };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &which, .link_info_len = sizeof(which));
	struct bpf_link *link = bpf_program__attach_iter(r->o->progs.osh_inodes, &opts);
	struct osh_fd_inode found = { 0 };
	uint32_t key = (uint32_t)fd;
	char none[16];
	int it;

	assert_non_null(link);
	set(r->o->maps.fd_inodes, &key, sizeof(key), &found, sizeof(found));
	it = bpf_iter_create(bpf_link__fd(link));
	assert_true(it >= 0);
	while (read(it, none, sizeof(none)) > 0)
		;
	close(it);
	bpf_link__destroy(link);
	assert_int_equal(bpf_map__lookup_elem(r->o->maps.fd_inodes, &key, sizeof(key), &found, sizeof(found), 0), 0);
	assert_true(found.inode != 0);
	return found.inode;
}

static int on_event(void *ctx, void *data, size_t size)
{
	struct rig *r = ctx;

	memset(&r->seen, 0, sizeof(r->seen));
	memcpy(&r->seen, data, size < sizeof(r->seen) ? size : sizeof(r->seen));
	r->n_seen++;
	return 0;
}

static void drain(struct rig *r)
{
	struct ring_buffer *rb = ring_buffer__new(bpf_map__fd(r->o->maps.ring_deny), on_event, r, NULL);

	assert_non_null(rb);
	r->n_seen = 0;
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct osh_sandbox sb = { .id = ID, .generation = 1 };
	struct osh_inode_key key = { .id = ID, .generation = 1 };
	uint32_t slot = SLOT, one = 1;
	struct bpf_program *p;
	struct stat st;

	*state = r;
	r->o = osh_bpf__open();
	bpf_object__for_each_program(p, r->o->obj)
		bpf_program__set_autoload(p, p == r->o->progs.osh_file_open || p == r->o->progs.osh_inodes);
	assert_int_equal(osh_bpf__load(r->o), 0);
	r->hook = bpf_program__attach_lsm(r->o->progs.osh_file_open);
	assert_non_null(r->hook);

	assert_int_equal(cgroup_top(r->cgroup, sizeof(r->cgroup) - 32), 0);
	strcat(r->cgroup, "/osh-test-lsm");
	assert_int_equal(mkdir(r->cgroup, 0755), 0);
	assert_int_equal(stat(r->cgroup, &st), 0);
	r->cgroup_id = st.st_ino;
	strcpy(r->dir, "/tmp/osh-test-lsm.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	put(in_dir(r, "denied"));
	put(in_dir(r, "other"));
	assert_int_equal(link(in_dir(r, "denied"), in_dir(r, "hardlink")), 0);
	assert_int_equal(symlink("denied", in_dir(r, "symlink")), 0);
	r->denied_fd = open(in_dir(r, "denied"), O_PATH | O_CLOEXEC);
	assert_true(r->denied_fd >= 0);

	key.inode = inode_of(r, r->denied_fd);
	set(r->o->maps.sandboxes, &slot, sizeof(slot), &sb, sizeof(sb));
	set(r->o->maps.by_cgroup, &r->cgroup_id, sizeof(r->cgroup_id), &slot, sizeof(slot));
	set(r->o->maps.deny_inodes, &key, sizeof(key), &one, sizeof(one));
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "denied", "other", "hardlink", "symlink" };
	struct rig *r = *state;

	bpf_link__destroy(r->hook);
	osh_bpf__destroy(r->o);
	close(r->denied_fd);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(in_dir(r, names[i]));
	rmdir(r->dir);
	rmdir(r->cgroup);
	free(r);
	return 0;
}

static void denied_inside(void **state)
{
	struct rig *r = *state;

	drain(r);
	assert_int_equal(open_as(r, true, in_dir(r, "denied"), O_RDONLY), EPERM);
	drain(r);
	assert_int_equal(r->n_seen, 1);
	assert_int_equal(r->seen.ev.kind, OSH_EV_FILE);
	assert_int_equal(r->seen.ev.why, OSH_WHY_FILE_DENIED);
	assert_int_equal(r->seen.ev.verdict, OSH_DENY);
	assert_int_equal(r->seen.ev.id, ID);
	assert_string_equal(r->seen.name, in_dir(r, "denied"));
}

static void denied_by_any_name(void **state)
{
	struct rig *r = *state;
	char fd_path[64];

	assert_int_equal(open_as(r, true, in_dir(r, "hardlink"), O_RDONLY), EPERM);
	assert_int_equal(open_as(r, true, in_dir(r, "symlink"), O_WRONLY), EPERM);
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", r->denied_fd);
	assert_int_equal(open_as(r, true, fd_path, O_RDONLY), EPERM);
}

static void denied_after_rename(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rename(in_dir(r, "denied"), in_dir(r, "moved")), 0);
	assert_int_equal(open_as(r, true, in_dir(r, "moved"), O_RDONLY), EPERM);
	assert_int_equal(rename(in_dir(r, "moved"), in_dir(r, "denied")), 0);
}

static void others_open(void **state)
{
	struct rig *r = *state;

	assert_int_equal(open_as(r, true, in_dir(r, "other"), O_RDONLY), 0);
	assert_int_equal(open_as(r, false, in_dir(r, "denied"), O_RDONLY), 0);
}

/* With the hook gone the same open works: it was this layer that answered. */
static void works_without_hook(void **state)
{
	struct rig *r = *state;

	bpf_link__destroy(r->hook);
	r->hook = NULL;
	assert_int_equal(open_as(r, true, in_dir(r, "denied"), O_RDONLY), 0);
}

static bool lsm_lives(void)
{
	struct bpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC,
		    .attach_btf_id = (__u32)libbpf_find_vmlinux_btf_id("file_open", BPF_LSM_MAC));
	int fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "probe", "GPL", insns, 2, &opts);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_inside),
		cmocka_unit_test(denied_by_any_name),
		cmocka_unit_test(denied_after_rename),
		cmocka_unit_test(others_open),
		cmocka_unit_test(works_without_hook),
	};

	if (!lsm_lives()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	return cmocka_run_group_tests_name("lsm", tests, setup, teardown);
}
