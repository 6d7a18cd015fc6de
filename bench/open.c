/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows about files: what a task in a sandbox pays for them with every layer on, against Landlock alone with the same
 * rules; and what a task outside pays for programs that are attached. The tasks are the same throughout and
 * do a block when told; only the links of the programs come and go between samples.
 * Usage: bench/open WHAT [ROUNDS]; WHAT: read, write, outside, hooks
 */
#include "../userspace/oshd/kernel/cgroup.h"
#include "../userspace/oshd/kernel/kbpf.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "../userspace/launch/landlock.h"
#include "../userspace/launch/seccomp.h"
#include "own.h"

#define ROUNDS 30
#define BLOCK 400
#define WARM 100
#define CANNOT 77
#define SLOT 1
#define ID 9
#define TREE "/tmp/osh-bench-open"
#define WORK TREE "/work"
#define DIR WORK "/src/module/part"
#define FILE_ DIR "/main.c"
#define ENTRIES 6

static const char *const entries[ENTRIES] = {
	".git/hooks/**", ".git/config", ".mcp.json", ".claude/settings.json", ".env", "**/*.key",
};
static const char *const readable[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc", "/dev" };

/* ---- what a block does ---- */

static int do_read(void) { return close(open(FILE_, O_RDONLY | O_CLOEXEC)); }
static int do_write(void) { return close(open(FILE_, O_WRONLY | O_CLOEXEC)); }
static int do_stat(void) { struct stat st; return stat(FILE_, &st); }
static int do_create(void) { return close(open(DIR "/new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) | unlink(DIR "/new"); }
static int do_dir(void) { return mkdir(DIR "/new", 0700) | rmdir(DIR "/new"); }
static int do_rename(void) { return rename(FILE_, DIR "/other.c") | rename(DIR "/other.c", FILE_); }
static int do_move(void) { return rename(WORK "/src/module", WORK "/module") | rename(WORK "/module", WORK "/src/module"); }
static int do_link(void) { return link(FILE_, DIR "/new") | unlink(DIR "/new"); }
static int do_symlink(void) { return symlink("x", DIR "/new") | unlink(DIR "/new"); }
static int do_chmod(void) { return chmod(FILE_, 0644); }
static int do_xattr(void) { return setxattr(FILE_, "user.x", "y", 1, 0) | removexattr(FILE_, "user.x"); }
static int do_fifo(void) { return mkfifo(DIR "/new", 0600) | unlink(DIR "/new"); }

enum op { OP_READ, OP_WRITE, OP_STAT, OP_CREATE, OP_DIR, OP_RENAME, OP_MOVE, OP_LINK, OP_SYMLINK, OP_CHMOD, OP_XATTR, OP_FIFO, OPS };
static const struct {
	const char *name;
	int (*fn)(void);
} ops[OPS] = {
	{ "open for reading, close", do_read }, { "open for writing, close", do_write }, { "stat", do_stat },
	{ "create, unlink", do_create }, { "mkdir, rmdir", do_dir }, { "rename a file, twice", do_rename },
	{ "rename a directory, twice", do_move }, { "link, unlink", do_link }, { "symlink, unlink", do_symlink },
	{ "chmod", do_chmod }, { "set and remove an attribute", do_xattr }, { "mkfifo, unlink", do_fifo },
};

/* ---- who does it ---- */

enum { SANDBOX = 1, LANDLOCK = 2, FILTER = 4, ONE_RULE = 8 };
enum who { WHO_PLAIN, WHO_LANDLOCK, WHO_LSM, WHO_ALL, WHO_FLAT, WHOS };
static const unsigned layers[WHOS] = { 0, LANDLOCK, SANDBOX, SANDBOX | LANDLOCK | FILTER, LANDLOCK | ONE_RULE };

static int sock[WHOS];
static pid_t pids[WHOS];
static struct kbpf *k;
static struct kbpf_sandbox sb = { .slot = SLOT, .id = ID, .generation = 1 };
static int cgroup_fd = -1;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Rules as osh-launch gives them: the working directory, and what may be read. Or the first of them alone. */
static int rules_apply(bool one, struct err *e)
{
	struct landlock_rule rules[ARRAY_SIZE(readable) + 2];
	size_t n = 0;

	rules[n++] = (struct landlock_rule){ open(WORK, O_PATH | O_CLOEXEC), LANDLOCK_ALL };
	if (!one)
		rules[n++] = (struct landlock_rule){ open("/tmp", O_PATH | O_CLOEXEC), LANDLOCK_LIST };
	for (size_t i = 0; !one && i < ARRAY_SIZE(readable); i++) {
		int fd = open(readable[i], O_PATH | O_CLOEXEC);

		if (fd >= 0)
			rules[n++] = (struct landlock_rule){ fd, LANDLOCK_RUN };
	}
	return landlock_apply(rules, n, landlock_abi(), e);
}

static int enter(void)
{
	_close_ int procs = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	return procs < 0 || write(procs, "0", 1) != 1 ? -errno : 0;
}

static int take(unsigned what, struct err *e)
{
	struct seccomp_set filters = { 0 };
	int listener, r = what & FILTER ? seccomp_compile(&filters, e) : 0;

	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = fail(e, errno, "no_new_privs: %s", strerror(errno));
	if (!r && what & LANDLOCK)
		r = rules_apply(what & ONE_RULE, e);
	if (!r && what & FILTER)
		r = seccomp_enter(&filters, SECCOMP_PLAIN, &listener, e);
	seccomp_set_done(&filters);
	return r;
}

static void worker(int s)
{
	unsigned char op;

	while (read(s, &op, 1) == 1 && op < OPS) {
		double at;
		int bad = 0;

		for (int i = 0; i < WARM; i++)
			bad |= ops[op].fn();
		at = now_us();
		for (int i = 0; i < BLOCK; i++)
			bad |= ops[op].fn();
		at = bad ? -1 : (now_us() - at) / BLOCK;
		if (write(s, &at, sizeof(at)) != sizeof(at))
			break;
	}
	_exit(0);
}

static double block(enum who w, enum op op)
{
	unsigned char c = op;
	double us = -1;

	if (write(sock[w], &c, 1) != 1 || read(sock[w], &us, sizeof(us)) != sizeof(us) || us < 0) {
		fprintf(stderr, "%s: failed in a block of %d\n", ops[op].name, w);
		exit(1);
	}
	return us;
}

/* ---- programs that come and go ---- */

static void attached(bool on)
{
	struct err e = { 0 };

	for (int h = 0; !on && h < OSH_HOOK_MAX; h++) {
		bpf_link__destroy(k->links[h]);
		k->links[h] = NULL;
	}
	if (on && kbpf_attach_global(k, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
}

/* A program that was executed in the sandbox, like any: what is known of it is known. */
static int worker_main(unsigned what, int s)
{
	struct err e = { 0 };

	if (take(what, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	worker(s);
	return 0;
}

static void worker_exec(unsigned what, int s)
{
	char layers_text[16], sock_text[16];

	snprintf(layers_text, sizeof(layers_text), "%u", what);
	snprintf(sock_text, sizeof(sock_text), "%d", s);
	if ((what & SANDBOX && enter() < 0) || fcntl(s, F_SETFD, 0) < 0)
		_exit(1);
	execl("/proc/self/exe", "open", "worker", layers_text, sock_text, NULL);
	_exit(1);
}

static int workers_start(void)
{
	attached(true);			/* so that each exec is seen */
	for (int w = 0; w < WHOS; w++) {
		int sv[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
			return -errno;
		pids[w] = fork();
		if (!pids[w])
			worker_exec(layers[w], sv[1]);
		close(sv[1]);
		sock[w] = sv[0];
		block((enum who)w, OP_READ);
	}
	attached(false);
	return 0;
}

static void row(enum who a, bool a_on, enum who b, bool b_on, enum op op, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		bool first = i & 1;

		attached(first ? a_on : b_on);
		printf("%c %.4f\n", first ? 'A' : 'B', block(first ? a : b, op));
		attached(first ? b_on : a_on);
		printf("%c %.4f\n", first ? 'B' : 'A', block(first ? b : a, op));
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(enum who w, enum op op, int n)
{
	double v[16];

	n = n > 15 ? 15 : n;
	for (int i = 0; i < n; i++)
		v[i] = block(w, op);
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

/*
 * What each layer adds to each operation. A and B: the programs where they are dearest beside Landlock, and Landlock: in
 * the same calls, or on an open where it has no part in them.
 */
static void row_hooks(int rounds)
{
	double cost[WHOS][OPS][2], dearest = 0, beside = 1, open_ll;
	enum op worst = OP_READ;

	for (int on = 0; on < 2; on++) {
		attached(on);
		for (int o = 0; o < OPS; o++)
			for (int w = 0; w < WHOS; w++)
				cost[w][o][on] = median((enum who)w, (enum op)o, rounds);
	}
	open_ll = cost[WHO_LANDLOCK][OP_READ][0] - cost[WHO_PLAIN][OP_READ][0];
	for (int o = 0; o < OPS; o++) {
		double lsm = cost[WHO_LSM][o][1] - cost[WHO_LSM][o][0], ll = cost[WHO_LANDLOCK][o][0] - cost[WHO_PLAIN][o][0];

		printf("note %-28s alone %6.2f  Landlock +%5.2f  programs +%5.2f, outside +%5.2f  all layers %6.2f = %.2f x Landlock\n",
		       ops[o].name, cost[WHO_PLAIN][o][0], ll, lsm, cost[WHO_PLAIN][o][1] - cost[WHO_PLAIN][o][0],
		       cost[WHO_ALL][o][1], cost[WHO_ALL][o][1] / cost[WHO_LANDLOCK][o][0]);
		printf("note %-28s Landlock with one rule +%5.2f\n", "", cost[WHO_FLAT][o][0] - cost[WHO_PLAIN][o][0]);
		ll = ll > open_ll ? ll : open_ll;
		if (lsm / ll > dearest / beside) {
			dearest = lsm;
			beside = ll;
			worst = (enum op)o;
		}
	}
	printf("note the dearest: %s\nA %.4f\nB %.4f\n", ops[worst].name, dearest, beside);
}

/* ---- the world ---- */

static int put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int tree_make(void)
{
	(void)mkdir(TREE, 0755);
	if (mount("bench", TREE, "tmpfs", 0, NULL) < 0)
		return -errno;
	if (mkdir(WORK, 0755) || mkdir(WORK "/src", 0755) || mkdir(WORK "/src/module", 0755) || mkdir(DIR, 0755) || put(FILE_))
		return -errno;
	return 0;
}

static void tree_drop(void)
{
	umount2(TREE, MNT_DETACH);
	rmdir(TREE);
}

static int tree_enter(struct err *e)
{
	static char strings[512];
	static struct osh_b_fs fs[ENTRIES];
	static const struct osh_b_meta meta = { .deny = 1 };
	const char *const roots[] = { TREE, WORK };
	struct bundle b = { .strings = strings, .meta = &meta, .fs = fs, .n_fs = ENTRIES };
	uint32_t at = 1;
	int r = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		strcpy(strings + at, entries[i]);
		fs[i] = (struct osh_b_fs){ .path = at, .mode = OSH_FS_DENY };
		at += (uint32_t)strlen(entries[i]) + 1;
	}
	b.n_strings = at;
	for (size_t i = 0; kbpf_lsm(k) && !r && i < ARRAY_SIZE(roots); i++) {
		_close_ int fd = open(roots[i], O_PATH | O_CLOEXEC);

		r = kbpf_deny_root(k, &sb, &b, WORK, roots[i], fd, e);
	}
	return r ? r : kbpf_flip(k, &sb, &b, e);
}

static int measure(const char *what, int rounds)
{
	bool lsm = kbpf_lsm(k);

	if (!strcmp(what, "outside")) {
		printf("a open and close outside any sandbox, osh's programs attached\nb the same, none attached\nmax %s\n",
		       lsm ? "1.07" : "1.02");
		row(WHO_PLAIN, true, WHO_PLAIN, false, OP_READ, rounds);
		return 0;
	}
	if (!lsm || !landlock_abi()) {
		printf("this kernel %s\n", lsm ? "has no Landlock" : "loads no LSM programs");
		return CANNOT;
	}
	if (!strcmp(what, "hooks")) {
		printf("a the programs, in the calls where they are dearest beside Landlock\nb what Landlock adds to these, or to an open\nmax 1\n");
		row_hooks(rounds);
		return 0;
	}
	printf("a open for %s and close, every layer\nb Landlock alone, the same rules\nmax 1.15\n", what[0] == 'r' ? "reading" : "writing");
	row(WHO_ALL, true, WHO_LANDLOCK, false, what[0] == 'r' ? OP_READ : OP_WRITE, rounds);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "read";
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS, r, status = CANNOT;
	struct cgroup_base base;
	struct err e = { 0 };

	if (argc == 4 && !strcmp(what, "worker"))
		return worker_main((unsigned)atoi(argv[2]), atoi(argv[3]));
	r = cgroup_open(&base, "bench-open", &e);
	if (!r)
		r = cgroup_make(base.box_fd, ID, &cgroup_fd, &sb.cgroup, &e);
	if (!r)
		r = kbpf_load(&k, 1, 0, &e);
	if (!r)
		r = tree_make();
	if (!r)
		r = tree_enter(&e);
	fflush(stdout);
	if (!r)
		r = workers_start();
	if (!r)
		status = measure(what, rounds);
	else
		printf("%s\n", e.code ? e.text : strerror(-r));
	for (int w = 0; w < WHOS; w++) {
		if (sock[w] > 0)
			close(sock[w]);
		if (pids[w] > 0)
			waitpid(pids[w], NULL, 0);
	}
	tree_drop();
	if (k)
		kbpf_clear(k, &sb);
	kbpf_free(k);
	if (cgroup_fd >= 0)
		(void)cgroup_remove(base.box_fd, ID);
	cgroup_close(&base, true);
	return status;
}
