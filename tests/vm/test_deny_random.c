/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies, random trees and random operations on files by one task of a sandbox, while a task outside renames
 * and makes what it likes in the same tree: nothing is ever done that eval_file() denies, and what only opens, changes a
 * mode or removes a directory is refused where eval_file() denies it and nowhere else. The task lives long and comes
 * again and again to the same directories, so what it remembers of them is on trial as well (bpf/known.bpf.h).
 */
#include "lsmrig.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../differential/deny_random.h"
#include "eval.h"
#include "policy.h"

#define ROUNDS 24
#define STEPS 400
#define DEPTH 4
#define TREE "/tmp/osh-test-random"
#define WORKDIR TREE "/work"
#define RENAME_EXCHANGE_ 2

enum op { OP_OPEN, OP_CREATE, OP_MODE, OP_UNLINK, OP_MKDIR, OP_RMDIR, OP_RENAME, OP_LINK, OP_EXCHANGE, OPS };
static const char *const op_names[OPS] = { "open", "create", "chmod", "unlink", "mkdir", "rmdir", "rename", "link", "exchange" };
struct job {
	enum op op;
	char a[256], b[256];
};

static int task_fd = -1;
static pid_t task;
static const struct policy *now;	/* of this round */
static unsigned n_done, n_denied;

static int do_job(const struct job *j)
{
	int fd;

	switch ((int)j->op) {
	case OP_OPEN:
	case OP_CREATE:
		fd = open(j->a, O_WRONLY | O_CLOEXEC | (j->op == OP_CREATE ? O_CREAT : 0), 0600);
		return fd < 0 ? errno : close(fd);
	case OP_MODE:
		return chmod(j->a, 0700) ? errno : 0;
	case OP_UNLINK:
		return unlink(j->a) ? errno : 0;
	case OP_MKDIR:
		return mkdir(j->a, 0700) ? errno : 0;
	case OP_RMDIR:
		return rmdir(j->a) ? errno : 0;
	case OP_RENAME:
		return rename(j->a, j->b) ? errno : 0;
	case OP_LINK:
		return link(j->a, j->b) ? errno : 0;
	case OP_EXCHANGE:
		return syscall(SYS_renameat2, AT_FDCWD, j->a, AT_FDCWD, j->b, RENAME_EXCHANGE_) ? errno : 0;
	default:
		return EINVAL;
	}
}

_Noreturn static void task_run(int sock)
{
	struct job j;

	enter_box();
	if (chdir(WORKDIR))
		_exit(250);
	while (recv(sock, &j, sizeof(j), 0) == sizeof(j)) {
		int answer = do_job(&j);

		if (send(sock, &answer, sizeof(answer), 0) != sizeof(answer))
			break;
	}
	_exit(0);
}

static int by_task(const struct job *j)
{
	int answer = -1;

	assert_int_equal(send(task_fd, j, sizeof(*j), 0), sizeof(*j));
	assert_int_equal(recv(task_fd, &answer, sizeof(answer), 0), sizeof(answer));
	return answer;
}

/* Few names, so that the same ones come again. */
static void random_path(char *ret, size_t room)
{
	static const char *const names[] = { "a", "b", "ab", "x.key", LONG_NAME, "z" };
	size_t n = 0;

	for (unsigned i = 0, depth = 1 + pick(DEPTH); i < depth; i++)
		n += (size_t)snprintf(ret + n, room - n, "%s%s", i ? "/" : "", names[pick(ARRAY_SIZE(names))]);
}

static void random_job(struct job *j, enum op first)
{
	struct stat st;

	memset(j, 0, sizeof(*j));
	j->op = (enum op)(first + pick(OPS - first));
	for (int i = 0; i < 12; i++) {		/* mostly what is there */
		random_path(j->a, sizeof(j->a));
		if (!pick(6) || !lstat(j->a, &st))
			break;
	}
	random_path(j->b, sizeof(j->b));
}

static bool denies(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), WORKDIR "/%s", path);
	return eval_file(now, whole, WORKDIR, NULL, true).verdict != OSH_ALLOW;
}

/* A directory has come to another name: does the same hold below it as before? Random paths below say. */
static bool same_below(const char *a, const char *b)
{
	char below[128], x[512], y[512];

	for (int i = 0; i < 40; i++) {
		random_path(below, sizeof(below));
		snprintf(x, sizeof(x), "%s/%s", a, below);
		snprintf(y, sizeof(y), "%s/%s", b, below);
		if (denies(x) != denies(y))
			return false;
	}
	return true;
}

static bool is_dir(const char *path)
{
	char whole[512];
	struct stat st;

	snprintf(whole, sizeof(whole), WORKDIR "/%s", path);
	return !stat(whole, &st) && S_ISDIR(st.st_mode);
}

/* A file that has both names already: the kernel does nothing, and says that it is done. */
static bool is_one(const struct job *j)
{
	struct stat a, b;

	return j->op >= OP_RENAME && !lstat(j->a, &a) && !lstat(j->b, &b) && a.st_ino == b.st_ino;
}

static void judge(const struct job *j, int got, const struct buf *text)
{
	bool two = j->op >= OP_RENAME, deny = denies(j->a) || (two && denies(j->b)), exact = j->op == OP_OPEN || j->op == OP_MODE ||
		j->op == OP_RMDIR;
	const char *bad = NULL;

	n_done += !got;
	n_denied += got == EPERM;
	if (!got && deny)
		bad = "done, and eval denies it";
	else if (!got && (j->op == OP_RENAME || j->op == OP_EXCHANGE) && is_dir(j->b) && !same_below(j->a, j->b))
		bad = "a directory moved to where something else holds";
	else if (got == EPERM && exact && !deny)
		bad = "refused, and eval allows it";
	if (bad)
		fail_msg("%s: %s '%s' '%s': %s\n%.*s", bad, op_names[j->op], j->a, two ? j->b : "", strerror(got), (int)text->n, text->p);
}

static void one_round(const struct bundle *b, const struct buf *text)
{
	static const enum op made[] = { OP_CREATE, OP_MKDIR, OP_MKDIR };	/* links of denied files: eval knows no links */
	const char *const roots[] = { TREE, WORKDIR };
	int home = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), sv[2];
	struct err e = { 0 };
	struct job j;

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		_close_ int fd = open(roots[i], O_PATH | O_CLOEXEC);

		if (kbpf_deny_root(k, &box, b, WORKDIR, roots[i], fd, &e) < 0)
			fail_msg("%s", e.text);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	task = fork();
	if (!task) {
		close(sv[0]);
		task_run(sv[1]);
	}
	close(sv[1]);
	task_fd = sv[0];
	assert_int_equal(chdir(WORKDIR), 0);
	for (int i = 0; i < STEPS; i++) {
		if (i < 100 || !pick(4)) {	/* outside, whom nothing stops */
			random_job(&j, OP_RENAME);
			j.op = i < 100 || j.op == OP_LINK ? made[pick(ARRAY_SIZE(made))] : j.op;
			(void)do_job(&j);
			continue;
		}
		random_job(&j, pick(2) ? OP_OPEN : OP_UNLINK);
		if (pick(2))
			j.op = OP_CREATE;
		if (!is_one(&j))
			judge(&j, by_task(&j), text);
	}
	assert_int_equal(fchdir(home), 0);
	close(home);
	own_close(&task_fd);
	waitpid(task, NULL, 0);
}

static void nothing_is_done_that_eval_denies(void **state)
{
	const char *seed = getenv("OSH_SEED");

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
		now = &policy;
		(void)mkdir(TREE, 0755);
		assert_int_equal(mount("tree", TREE, "tmpfs", 0, NULL), 0);
		assert_int_equal(mkdir(WORKDIR, 0755), 0);
		one_round(&b, &text);
		for (int m = KMAP_DENIES; m <= KMAP_DENY_INODES; m++)
			kbpf_drop(k, &box, (enum kmap)m, 0);
		assert_int_equal(umount2(TREE, MNT_DETACH), 0);
		bundle_done(&b);
		policy_done(&policy);
		diags_done(&d);
		buf_done(&text);
		buf_done(&bytes);
	}
	printf("# %u operations done, %u denied\n", n_done, n_denied);
	assert_true(n_done > 100 && n_denied > 100);
	(void)rmdir(TREE);
}

static int setup(void **state)
{
	meta.deny = 1;
	return rig_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_done_that_eval_denies) };

	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	return cmocka_run_group_tests_name("deny, at random", tests, setup, rig_teardown);
}
