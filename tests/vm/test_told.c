/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Landlock refuses is on record, where the kernel has its tracepoints: what it refused of which path, once; and nothing
 * of what a program's own rules refuse, or of what is refused outside. The task of each row is process 1 of a pid
 * namespace, as osh-init is, and restricts itself as osh-launch's child does.
 */
#include "lsmrig.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "osh/landlock.h"

#define SECRET "/tmp/osh-test-told"
#define DOOR "osh-test-told"

static pid_t fellow;			/* of the task that is tried: in no domain */

static int restricted(uint64_t fs, uint64_t scoped)
{
	struct osh_ll_ruleset a = { .fs = fs, .scoped = scoped };
	_close_ int fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);

	return fd < 0 ? -1 : (int)syscall(SYS_landlock_restrict_self, fd, 0);
}

static int try_read(void) { return open(SECRET, O_RDONLY | O_CLOEXEC); }
static int try_write(void) { return open(SECRET, O_WRONLY | O_CLOEXEC); }
static int try_remove(void) { return unlink(SECRET); }
static int try_exec(void) { return execl("/bin/true", "true", NULL); }
static int try_mount(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static int try_signal(void) { return kill(fellow, SIGUSR1); }
static int try_trace(void) { return (int)ptrace(PTRACE_ATTACH, fellow, NULL, NULL); }

static int try_door(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path + 1, DOOR, sizeof(DOOR) - 1);
	return connect(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + sizeof(DOOR));
}

#define FILES ((1ull << 13) - 1)
#define SCOPES (OSH_LL_SCOPE_ABSTRACT | OSH_LL_SCOPE_SIGNAL)

enum who { FIRST, SECOND, OUTSIDE };

static const struct row {
	const char *what;
	int (*try)(void);
	enum who who;			/* process 1 in the sandbox, another, process 1 outside */
	uint64_t fs, scoped, own;	/* refused by its domain; by a second one below that */
	uint32_t kind, aux;		/* on record; kind 0 = nothing */
	const char *name;
} rows[] = {
	/* clang-format off */
	{ "a file that is not read",         try_read,   FIRST, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_READ_FILE, SECRET },
	{ "nor written",                     try_write,  FIRST, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_WRITE_FILE, SECRET },
	{ "nor removed, by its directory",   try_remove, FIRST, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_REMOVE_FILE, "/tmp" },
	{ "a program that does not run",     try_exec,   FIRST, OSH_LL_EXECUTE, 0, 0, OSH_EV_LANDLOCK, OSH_LL_EXECUTE, "bin/" },
	{ "no mount",                        try_mount,  FIRST, FILES, 0, 0, OSH_EV_TASK, OSH_OP_MOUNT, "" },
	{ "no signal to who is outside",     try_signal, FIRST, 0, SCOPES, 0, OSH_EV_TASK, OSH_OP_SIGNAL, "" },
	{ "nor is it traced",                try_trace,  FIRST, FILES, 0, 0, OSH_EV_TASK, OSH_OP_TRACE, "" },
	{ "no abstract socket from outside", try_door,   FIRST, 0, SCOPES, 0, OSH_EV_UNIX, 0, "" },
	{ "what its own rules refuse is its own",        try_write, FIRST, OSH_LL_READ_FILE, 0, OSH_LL_WRITE_FILE, 0, 0, NULL },
	{ "with them, ours still count",                 try_read,  FIRST, OSH_LL_READ_FILE, 0, OSH_LL_WRITE_FILE,
	  OSH_EV_LANDLOCK, OSH_LL_READ_FILE, SECRET },
	{ "a domain that another process made is its own", try_read, SECOND, FILES, 0, 0, 0, 0, NULL },
	{ "outside nothing is told",                     try_read,  OUTSIDE, FILES, 0, 0, 0, 0, NULL },
	/* clang-format on */
};

static int tried(const struct row *r)
{
	if (restricted(r->fs, r->scoped) < 0 || (r->own && restricted(r->own, 0) < 0))
		return 251;
	errno = 0;
	return r->try() < 0 ? errno : 0;
}

/* As process 1: what it tries has been refused to it, or it is another that tries. */
_Noreturn static void first(const struct row *r)
{
	int status = 0;
	pid_t second;

	fellow = fork();
	if (!fellow)
		for (;;)
			pause();
	if (r->who != SECOND)
		_exit(tried(r));
	second = fork();
	if (!second)
		_exit(tried(r));
	waitpid(second, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 252);
}

/* The errno that the task got. */
static int done_by(const struct row *r)
{
	pid_t pid = fork(), one;
	int status;

	if (!pid) {
		if (r->who != OUTSIDE)
			enter_box();
		if (unshare(CLONE_NEWPID) < 0 || (one = fork()) < 0)
			_exit(253);
		if (!one)
			first(r);
		waitpid(one, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 252);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void row_run(void **state)
{
	const struct row *r = *state;
	int got;

	forget_denials();
	got = done_by(r);
	drain();
	if (got != EACCES && got != EPERM)
		fail_msg("errno %d", got);
	if (!r->kind) {
		if (n_seen)
			fail_msg("on record: event %u, reason %u, %.255s", seen.ev.kind, seen.ev.why, seen.name);
		return;
	}
	if (n_seen != 1 || seen.ev.why != OSH_WHY_LANDLOCK || seen.ev.kind != r->kind || !(seen.ev.aux == r->aux || seen.ev.aux & r->aux))
		fail_msg("%d on record: event %u, reason %u, about %#x", n_seen, seen.ev.kind, seen.ev.why, seen.ev.aux);
	assert_int_equal(seen.ev.id, ID);
	assert_int_equal(seen.ev.verdict, OSH_DENY);
	if (!strstr(seen.name, r->name))
		fail_msg("by the name of '%.255s'", seen.name);
}

/* The same again adds to the count and makes no event; another path makes one. */
static void once(void **state)
{
	(void)state;
	forget_denials();
	assert_int_equal(done_by(&rows[0]), EACCES);
	assert_int_equal(done_by(&rows[0]), EACCES);
	drain();
	assert_int_equal(n_seen, 1);
	assert_int_equal(done_by(&rows[1]), EACCES);
	drain();
	assert_int_equal(n_seen, 1);
}

/* Landlock refuses without them as well, and nothing tells. Last. */
static void nothing_without(void **state)
{
	(void)state;
	for (int h = 0; h < OSH_HOOK_MAX; h++)
		if (kbpf_hook_where(h) == AT_TELL) {
			assert_non_null(k->links[h]);
			bpf_link__destroy(k->links[h]);
			k->links[h] = NULL;
		}
	forget_denials();
	assert_int_equal(done_by(&rows[0]), EACCES);
	drain();
	assert_int_equal(n_seen, 0);
}

static int door = -1;

static int setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = open(SECRET, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	memcpy(a.sun_path + 1, DOOR, sizeof(DOOR) - 1);
	door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd) || bind(door, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + sizeof(DOOR)) || listen(door, 8))
		return -1;
	return rig_setup(state);
}

static int teardown(void **state)
{
	close(door);
	(void)unlink(SECRET);
	return rig_teardown(state);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 2] = { 0 };
	struct err e = { 0 };
	size_t n = 0;

	if (kbpf_load(&k, 1, 0, &e) < 0 || kbpf_prog_fd(k, OSH_HOOK_LLFILE) < 0) {
		printf("# %s\n", e.text[0] ? e.text : "this kernel's Landlock has no tracepoints");
		return 77;
	}
	kbpf_free(k);
	for (; n < ARRAY_SIZE(rows); n++)
		tests[n] = (struct CMUnitTest){ .name = rows[n].what, .test_func = row_run, .initial_state = (void *)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(once);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_without);
	return cmocka_run_group_tests_name("told", tests, setup, teardown);
}
