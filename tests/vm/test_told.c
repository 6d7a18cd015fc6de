/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Landlock refuses is on record, where the kernel has its tracepoints or one function that it calls: what it refused of
 * which path, once; and nothing of what a program's own rules refuse, or of what is refused outside. The task of each row is
 * process 1 of a pid namespace, as osh-init is, and restricts itself as osh-launch's child does. Each way that this kernel
 * has is tried alone.
 */
#include "lsmrig.h"

#include <bpf/btf.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "osh/landlock.h"

#define SECRET "/tmp/osh-test-told"
#define GONE "/tmp/osh-test-gone"
#define DIR_NAME "osh-test-told-in-a-directory-of-a-very-long-name-of-which-three-and-what-is-above-them-have-no-room-in-a-record"
#define DIR_1 "/tmp/" DIR_NAME
#define DIR_3 DIR_1 "/" DIR_NAME "/" DIR_NAME
#define DOOR "osh-test-told"
#define PINS "/sys/fs/bpf/osh-test-told"

static pid_t fellow;			/* of the task that is tried: in no domain */

static int handed = -1;			/* a file that somebody in another domain opened */

static int restricted(uint64_t fs, uint64_t scoped, uint64_t given)
{
	struct osh_ll_ruleset a = { .fs = fs, .scoped = scoped };
	_close_ int fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0), root = open("/", O_PATH | O_CLOEXEC);
	struct osh_ll_path rule = { .allowed = given, .fd = root };

	if (fd < 0 || (given && syscall(SYS_landlock_add_rule, fd, OSH_LL_PATH_BENEATH, &rule, 0) < 0))
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}

static int try_read(void) { return open(SECRET, O_RDONLY | O_CLOEXEC); }
static int try_write(void) { return open(SECRET, O_WRONLY | O_CLOEXEC); }
static int try_remove(void) { return unlink(SECRET); }
static int try_exec(void) { return execl("/bin/true", "true", NULL); }
static int try_mount(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static int try_signal(void) { return kill(fellow, SIGUSR1); }
static int try_trace(void) { return (int)ptrace(PTRACE_ATTACH, fellow, NULL, NULL); }

static int try_rename(void) { return rename(SECRET, DIR_1 "/x"); }
static int try_deep(void) { return open(DIR_3, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
static int try_top(void) { return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
static int try_handed(void) { return ftruncate(handed, 0); }

static int try_truncate(void)
{
	_close_ int fd = open(SECRET, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? 0 : ftruncate(fd, 0);
}

static int try_gone(void)
{
	_close_ int fd = open(GONE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || unlink(GONE) < 0 ? 0 : ftruncate(fd, 0);
}

static int try_ioctl(void)
{
	_close_ int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char what[64];

	return fd < 0 ? 0 : ioctl(fd, TCGETS, what);
}

static int try_door(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path + 1, DOOR, sizeof(DOOR) - 1);
	return connect(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + sizeof(DOOR));
}

#define FILES ((1ull << 13) - 1)
#define SCOPES (OSH_LL_SCOPE_ABSTRACT | OSH_LL_SCOPE_SIGNAL)

enum who { FIRST, SECOND, NESTED, OUTSIDE };
enum by { BOTH, FUNCTION };		/* which way tells it */

static const struct row {
	const char *what;
	int (*try)(void);
	enum who who;			/* process 1 in the sandbox, another, 1 of a namespace inside, process 1 outside */
	uint64_t fs, scoped, own;	/* refused by its domain; by a second one below that */
	uint32_t kind, aux;		/* on record; kind 0 = nothing */
	const char *name;		/* begins so, where it is a path; else contains it */
	enum by by;
	uint64_t given;			/* its domain lets through after all */
	int twice;			/* two names are judged */
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
	{ "what both refuse is on record, where each is known", try_write, FIRST, OSH_LL_WRITE_FILE, 0, OSH_LL_WRITE_FILE,
	  OSH_EV_LANDLOCK, OSH_LL_WRITE_FILE, SECRET, FUNCTION },
	{ "an open file that is not made shorter",       try_truncate, FIRST, OSH_LL_TRUNCATE, 0, 0, OSH_EV_LANDLOCK, OSH_LL_TRUNCATE, SECRET },
	{ "nor by its own rules",                        try_truncate, FIRST, OSH_LL_READ_FILE, 0, OSH_LL_TRUNCATE, 0, 0, NULL },
	{ "a device that takes no orders",               try_ioctl,    FIRST, OSH_LL_IOCTL_DEV, 0, 0, OSH_EV_LANDLOCK, OSH_LL_IOCTL_DEV, "/dev/zero" },
	{ "a file that has no name any more",            try_gone,     FIRST, OSH_LL_TRUNCATE, 0, 0, OSH_EV_LANDLOCK, OSH_LL_TRUNCATE, "osh-test-gone" },
	{ "a path that has no room",                     try_deep,     FIRST, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_READ_DIR, DIR_NAME },
	{ "the top of all",                              try_top,      FIRST, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_READ_DIR, "/" },
	{ "no move to another directory",                try_rename,   FIRST, OSH_LL_REFER, 0, 0, OSH_EV_LANDLOCK, OSH_LL_REFER, "/tmp", BOTH, 0, 1 },
	{ "one that its own rules refuse is its own",    try_rename,   FIRST, OSH_LL_REFER | OSH_LL_EXECUTE, 0, OSH_LL_REFER, 0, 0, NULL,
	  BOTH, OSH_LL_REFER },
	{ "a file that was opened under another's rules", try_handed,  FIRST, OSH_LL_READ_FILE, 0, 0, 0, 0, NULL },
	{ "who is in a pid namespace inside",            try_read,     NESTED, FILES, 0, 0, OSH_EV_LANDLOCK, OSH_LL_READ_FILE, SECRET },
	{ "a domain that another process made is its own", try_read, SECOND, FILES, 0, 0, 0, 0, NULL },
	{ "outside nothing is told",                     try_read,  OUTSIDE, FILES, 0, 0, 0, 0, NULL },
	/* clang-format on */
};

static int tried(const struct row *r)
{
	errno = 0;
	return r->try() < 0 ? errno : 0;
}

static void restrict_by(const struct row *r)
{
	if (restricted(r->fs, r->scoped, r->given) < 0 || (r->own && restricted(r->own, 0, 0) < 0))
		_exit(251);
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
		restrict_by(r);
	if (r->who != SECOND && r->who != NESTED)
		_exit(tried(r));
	if (r->who == NESTED && unshare(CLONE_NEWPID) < 0)
		_exit(249);
	second = fork();
	if (!second) {
		if (r->who == SECOND)
			restrict_by(r);
		_exit(tried(r));
	}
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

static bool by_function;		/* and not by tracepoints */

static void row_run(void **state)
{
	const struct row *r = *state;
	int got;

	forget_denials();
	got = done_by(r);
	drain();
	if (got != EACCES && got != EPERM && got != (r->try == try_rename ? EXDEV : EACCES))
		fail_msg("errno %d", got);
	if (!r->kind || (r->by == FUNCTION && !by_function)) {
		if (n_seen)
			fail_msg("on record: event %u, reason %u, about %#x, %.255s", seen.ev.kind, seen.ev.why, seen.ev.aux, seen.name);
		return;
	}
	if (n_seen != 1 + r->twice || seen.ev.why != OSH_WHY_LANDLOCK || seen.ev.kind != r->kind || !(seen.ev.aux == r->aux || seen.ev.aux & r->aux))
		fail_msg("%d on record: event %u, reason %u, about %#x", n_seen, seen.ev.kind, seen.ev.why, seen.ev.aux);
	assert_int_equal(seen.ev.id, ID);
	assert_int_equal(seen.ev.verdict, OSH_DENY);
	if (*r->name == '/' ? strncmp(seen.name, r->name, strlen(r->name)) : !strstr(seen.name, r->name))
		fail_msg("by the name of '%.255s'", seen.name);
	if (by_function && *r->name != '/' && *seen.name == '/' && r->try != try_exec)
		fail_msg("as if all of it were there: '%.255s'", seen.name);
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
			bpf_link__destroy(k->links[h]);
			k->links[h] = NULL;
		}
	forget_denials();
	assert_int_equal(done_by(&rows[0]), EACCES);
	drain();
	assert_int_equal(n_seen, 0);
}

/* One way, and only one. */
static void as_meant(void **state)
{
	(void)state;
	assert_int_equal(k->links[OSH_HOOK_LLFILE] != NULL, !by_function);
	assert_int_equal(k->links[OSH_HOOK_LLDENIAL] != NULL, by_function);
	assert_int_equal(kbpf_prog_fd(k, OSH_HOOK_LLDENIAL) >= 0, by_function);
}

/* At the entry of the function, that does nothing; the kernel takes some forty there. Not attached = -1. */
static int stranger(int function)
{
	const struct bpf_insn insns[] = { { BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 }, { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY, .attach_btf_id = (__u32)function);
	_close_ int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "stranger", "GPL", insns, ARRAY_SIZE(insns), &opts);

	return prog < 0 ? -1 : bpf_raw_tracepoint_open(NULL, prog);
}

/* Others hold the function: everything else is attached, pinned and adopted. */
static void no_place(void **state)
{
	struct btf *types = btf__load_vmlinux_btf();
	int function = btf__find_by_name_kind(types, "landlock_log_denial", BTF_KIND_FUNC), links[64], n = 0;
	struct kbpf *again = NULL;
	struct err e = { 0 };

	(void)state;
	btf__free(types);
	bpf_link__destroy(k->links[OSH_HOOK_LLDENIAL]);
	k->links[OSH_HOOK_LLDENIAL] = NULL;
	while (n < 64 && (links[n] = stranger(function)) >= 0)
		n++;
	assert_in_range(n, 1, 63);
	assert_int_equal(kbpf_attach_global(k, &e), 0);
	assert_null(k->links[OSH_HOOK_LLDENIAL]);
	assert_true(k->lacks[OSH_HOOK_LLDENIAL]);
	assert_int_equal(mkdir(PINS, 0700), 0);
	assert_int_equal(kbpf_pin(k, PINS, &e), 0);
	if (kbpf_adopt(&again, PINS, &rig_off, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(again->links[OSH_HOOK_LLDENIAL]);
	kbpf_free(again);
	kbpf_unpin(PINS);
	assert_int_equal(rmdir(PINS), 0);
	while (n--)
		close(links[n]);
	k->lacks[OSH_HOOK_LLDENIAL] = false;
	assert_int_equal(kbpf_attach_global(k, &e), 0);
	assert_non_null(k->links[OSH_HOOK_LLDENIAL]);
}

/* Somebody outside opens a file under rules of his own, as process 1 of another pid namespace; all have his descriptors. */
static int handed_over(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (!pid)
		_exit(restricted(OSH_LL_TRUNCATE, 0, 0) < 0 ? 0 : open(SECRET, O_WRONLY | O_CLOEXEC));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : -1;
}

static int door = -1;

static void dirs(bool make)
{
	char path[] = DIR_3;
	size_t end[] = { strlen(DIR_1), strlen(DIR_1 "/" DIR_NAME), strlen(DIR_3) };

	for (int i = 0; i < 3; i++) {
		path[end[make ? i : 2 - i]] = 0;
		(void)(make ? mkdir(path, 0700) : rmdir(path));
		strcpy(path, DIR_3);
	}
}

static int setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = open(SECRET, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	dirs(true);

	memcpy(a.sun_path + 1, DOOR, sizeof(DOOR) - 1);
	door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd) || bind(door, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + sizeof(DOOR)) || listen(door, 8))
		return -1;
	handed = handed_over();
	return handed < 0 ? -1 : rig_setup(state);
}

static int teardown(void **state)
{
	close(door);
	close(handed);
	(void)unlink(SECRET);
	dirs(false);
	return rig_teardown(state);
}

static const enum osh_hook tracepoints[] = { OSH_HOOK_LLFILE, OSH_HOOK_LLTRACE, OSH_HOOK_LLSIGNAL, OSH_HOOK_LLUNIX };

static int way(const char *name)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 4] = { cmocka_unit_test(as_meant) };
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[n++] = (struct CMUnitTest){ .name = rows[i].what, .test_func = row_run, .initial_state = (void *)&rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(once);
	if (by_function)
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_place);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_without);
	return cmocka_run_group_tests_name(name, tests, setup, teardown);
}

int main(void)
{
	struct err e = { 0 };
	bool has[2];			/* the tracepoints; the function */
	int bad = 0;

	if (kbpf_load(&k, 1, 0, &e) < 0) {
		printf("# %s\n", e.text);
		return 77;
	}
	has[0] = kbpf_prog_fd(k, OSH_HOOK_LLFILE) >= 0;
	has[1] = !kbpf_hook_needless(OSH_HOOK_LLDENIAL);
	kbpf_free(k);
	if (!has[0] && !has[1]) {
		puts("# this kernel's Landlock tells nobody");
		return 77;
	}
	if (has[0])
		bad = way("told by tracepoints");
	by_function = true;
	for (size_t i = 0; i < ARRAY_SIZE(tracepoints); i++)
		rig_off.w[tracepoints[i] / 64] |= 1ull << tracepoints[i] % 64;
	return has[1] ? bad | way("told by a function") : bad;
}
