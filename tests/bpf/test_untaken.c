// SPDX-License-Identifier: Apache-2.0
/*
 * A program that only puts on record what others refuse, and that this kernel lists and does not take: a start and an
 * upgrade over a living oshd go on without it, say so, and have everything else. The kernel is made to list it here:
 * what libbpf finds in its types is this file's to say.
 */
#include <bpf/btf.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/cgroup.h"
#include "../../userspace/oshd/kernel/kbpf.h"
#include "../../userspace/oshd/kernel/pin.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define LISTED "btf_trace_landlock_deny_access_fs"

static bool lists;			/* the kernel's types have LISTED */
static char dir[64];
static FILE *said;

__s32 btf__find_by_name_kind(const struct btf *btf, const char *name, __u32 kind)
{
	static __s32 (*real)(const struct btf *, const char *, __u32);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "btf__find_by_name_kind");
	return lists && !strcmp(name, LISTED) ? 1 : real(btf, name, kind);
}

/* Which programs a kernel takes is asked once a process, so each case has its own; stderr is kept. */
static void in_a_child(void (*what)(void))
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	assert_int_equal(ftruncate(fileno(said), 0), 0);
	rewind(said);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(said), 2);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status) {
		char text[4096] = "";

		(void)!pread(fileno(said), text, sizeof(text) - 1, 0);
		fail_msg("status %#x: %s", status, text);
	}
}

#define NEED(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #x, e.text); \
			_exit(1); \
		} \
	} while (0)

/* Those that need what is listed; another way to hear the same is taken where the kernel has it. */
static bool needs_listed(enum osh_hook h)
{
	return kbpf_hook_where(h) == AT_TELL && h != OSH_HOOK_LLDENIAL;
}

/* All that is not of the kind that tells is there. */
static void check(const struct kbpf *k)
{
	struct err e = { 0 };

	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++) {
		NEED(!needs_listed(h) || (k->lacks[h] && k->prog[h] < 0));
		NEED(kbpf_hook_where(h) == AT_TELL || kbpf_hook_is_lsm(h) || h == OSH_HOOK_STEER || kbpf_hook_needless(h) || k->prog[h] >= 0);
	}
}

static void former(void)
{
	struct kbpf *k = NULL;
	struct err e = { 0 };

	NEED(kbpf_load(&k, 1, NULL, &e) == 0);
	NEED(kbpf_attach_global(k, &e) == 0);
	NEED(kbpf_pin(k, dir, &e) == 0);
	NEED(pin_mark(dir, "of-another-build", &e) == 0);
}

static void start(void)
{
	struct kbpf *k = NULL;
	struct err e = { 0 };

	lists = true;
	NEED(kbpf_load(&k, 1, NULL, &e) == 0);
	check(k);
}

static void upgrade(void)
{
	struct cgroup_base c;
	struct kbpf *k = NULL;
	struct err e = { 0 };
	char name[32];

	lists = true;
	snprintf(name, sizeof(name), "test-untaken-%d", getpid());
	NEED(kbpf_adopt(&k, dir, NULL, &e) == 0);
	NEED(kbpf_replaces(k));
	check(k);
	NEED(cgroup_open(&c, name, &e) == 0);
	NEED(kbpf_replace(k, dir, c.box_fd, c.egress_fd, &e) == 0);
	NEED(kbpf_replace_done(k, dir, &e) == 0 && !kbpf_replaces(k));
	kbpf_free(k);
	cgroup_close(&c, true);
}

/* What the upgrade left is whole: the next one of the same build adopts it, and needs no second trial. */
static void next(void)
{
	struct kbpf *k = NULL;
	struct err e = { 0 };

	lists = true;
	NEED(kbpf_adopt(&k, dir, NULL, &e) == 0);
	NEED(!kbpf_replaces(k));
	check(k);
}

static int times(const char *word)
{
	char text[8192] = "";
	int n = 0;

	assert_true(pread(fileno(said), text, sizeof(text) - 1, 0) >= 0);
	for (const char *p = text; (p = strstr(p, word)); p++)
		n++;
	return n;
}

/* Each of them once, by its name. */
static void assert_said(const char *how)
{
	char line[128];

	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++) {
		snprintf(line, sizeof(line), "program '%s' is left out%s", kbpf_hook_name(h), how);
		if (needs_listed(h))
			assert_int_equal(times(line), 1);
	}
}

static void a_start_goes_on_without_it(void **state)
{
	(void)state;
	in_a_child(start);
	assert_said(", less on record: ");
}

static void so_does_an_upgrade(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/osh-test-bpffs-%d", getpid());
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mount("bpf", dir, "bpf", 0, "mode=0700"), 0);
	in_a_child(former);
	assert_int_equal(times("left out"), 0);
	in_a_child(upgrade);
	assert_said(", less on record: ");
	in_a_child(next);
	assert_said(": it was not loaded");
	kbpf_unpin(dir);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_start_goes_on_without_it), cmocka_unit_test(so_does_an_upgrade) };
	struct btf *types = btf__load_vmlinux_btf();
	bool real = types && btf__find_by_name_kind(types, LISTED, BTF_KIND_TYPEDEF) > 0;

	btf__free(types);
	if (real) {
		puts("# this kernel's Landlock has tracepoints");
		return 77;
	}
	said = tmpfile();
	return said ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
