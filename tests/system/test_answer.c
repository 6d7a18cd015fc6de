/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit's answers to refused system calls, at the level of its parts: an errno is all that it can say,
 * also when it has been taken over; and a call that a former osh-audit took is answered by the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/audit/answer.h"
#include "../../userspace/audit/audit.h"
#include "../../userspace/audit/cage.h"
#include "../../userspace/launch/seccomp.h"
#include "chan.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

static struct seccomp_set set;

/* A child under the filter that asks for vsock `n` times; its exit status says whether each was refused. */
static pid_t child(int n, int *ret_listener)
{
	struct chan_in in;
	int pair[2];
	pid_t pid;

	assert_int_equal(chan_pair(pair), 0);
	pid = fork();
	if (pid == 0) {
		struct osh_msg_id m = { 0 };
		int listener, bad = 0;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    seccomp_enter(&set, SECCOMP_PLAIN, &listener, NULL) ||
		    chan_send(pair[1], OSH_MSG_AUDIT_CALLS, &m, sizeof(m), &listener, 1))
			_exit(2);
		close(listener);
		close(pair[0]);
		for (int i = 0; i < n; i++)
			bad |= socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT;
		_exit(bad);
	}
	close(pair[1]);
	assert_int_equal(chan_recv(pair[0], &in), 1);
	*ret_listener = chan_take(&in, 0);
	close(pair[0]);
	return pid;
}

static int status(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

/* A sandbox as one osh-audit sees it; the log is a memfd. */
struct seat {
	struct audit a;
	struct asandbox *s;
	int log, epoll_fd;
};

static void sit(struct seat *x, int log)
{
	*x = (struct seat){ .log = log, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	x->s = asandbox_add(&x->a, 7);
	assert_non_null(x->s);
	out_init(&x->s->log, dup(log));
}

static int watch(struct seat *x, int listener, int tally)
{
	int r = calls_watch(x->epoll_fd, x->s, 1000, dup(listener), tally);

	if (!r)
		calls_answer(&x->a, x->s, 0);
	return r;
}

static void leave(struct seat *x)
{
	asandbox_free(&x->a, x->s);
	close(x->epoll_fd);
}

static int tally(void)
{
	int fd = memfd_create("tally", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, OSH_TALLY_BYTES), 0);
	return fd;
}

static int count(int log, const char *what)
{
	static char text[1 << 16];
	ssize_t n = pread(log, text, sizeof(text) - 1, 0);
	int found = 0;

	assert_true(n >= 0);
	text[n] = 0;
	for (char *p = text; (p = strstr(p, what)); p++)
		found++;
	return found;
}

/* Killed between taking a call and answering it: only the kernel has written, into the tally. */
static void test_taken(void **state)
{
	int listener, mem = tally(), log = memfd_create("log", MFD_CLOEXEC);
	pid_t pid = child(3, &listener);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct seccomp_notif *q = mmap(NULL, OSH_TALLY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	struct seat x;

	(void)state;
	assert_ptr_not_equal(q, MAP_FAILED);
	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, q), 0);
	assert_int_equal(poll(&p, 1, 0), 0);	/* nobody else is told of it any more */
	sit(&x, log);
	assert_int_equal(watch(&x, listener, mem), 0);
	for (int i = 0; i < 2; i++) {		/* the caller goes on, and asks twice more */
		assert_int_equal(poll(&p, 1, 120000), 1);
		calls_round(x.epoll_fd, &x.a);
	}
	assert_int_equal(status(pid), 0);
	asandbox_close(&x.a, x.s);
	assert_int_equal(count(log, "\"FAMILY\""), 2);
	assert_int_equal(count(log, "\"count\":3"), 1);
	leave(&x);
	munmap(q, OSH_TALLY_BYTES);
	close(listener);
}

/* The counts of a former osh-audit, which had written the first line: no second one. */
static void test_counts(void **state)
{
	int mem = tally(), log = memfd_create("log", MFD_CLOEXEC), listener;
	struct epoll_event ev;
	struct seat x;

	(void)state;
	for (int life = 0; life < 2; life++) {
		pid_t pid = child(4, &listener);
		int st = 0;

		sit(&x, log);
		assert_int_equal(watch(&x, listener, mem), 0);
		while (waitpid(pid, &st, WNOHANG) == 0)
			calls_round(x.epoll_fd, &x.a);
		assert_int_equal(st, 0);
		calls_answer(&x.a, x.s, 1);
		/* Nobody is left under the filter; others hold the listener: ours is closed, and nothing spins. */
		assert_int_equal(x.s->calls.fd, -1);
		assert_int_equal(epoll_wait(x.epoll_fd, &ev, 1, 0), 0);
		if (life)
			asandbox_close(&x.a, x.s);
		leave(&x);
		close(listener);
	}
	assert_int_equal(count(log, "\"FAMILY\""), 2);
	assert_int_equal(count(log, "\"count\":8"), 1);
}

static void test_wrong_tally(void **state)
{
	int listener, mem = memfd_create("short", MFD_CLOEXEC);
	pid_t pid = child(0, &listener);
	struct seat x;

	(void)state;
	sit(&x, memfd_create("log", MFD_CLOEXEC));
	assert_int_equal(watch(&x, listener, mem), -EPROTO);
	leave(&x);
	assert_int_equal(status(pid), 0);
}

/* With the last listener gone there is no way on. */
static void test_nobody(void **state)
{
	int listener;
	pid_t pid = child(1, &listener);

	(void)state;
	close(listener);
	assert_int_equal(status(pid), 1 << 8);	/* ENOSYS */
}

static void test_sealed(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	for (int i = 0; i < ANSWERS; i++) {
		char *at = (char *)(uintptr_t)(answer_place(i) + sizeof(uint64_t));
		struct seccomp_notif_resp a;

		memcpy(&a, at - sizeof(uint64_t), sizeof(a));
		assert_true(a.error < 0 && !a.flags && !a.val);
		assert_int_equal(mprotect(at, page, PROT_READ | PROT_WRITE), -1);
		assert_int_equal(munmap(at, page), -1);
		assert_ptr_equal(mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      -1, 0), MAP_FAILED);
		assert_ptr_equal(mremap(at, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, at + (16 << 20)),
				 MAP_FAILED);
		assert_int_equal(madvise(at, page, MADV_DONTNEED), -1);
	}
}

/* What one who has taken over osh-audit might try, in the cage. Exit status, or the signal that ended it. */
static int taken_over(int listener, int (*fn)(int))
{
	pid_t pid = fork();
	struct err e = { 0 };
	int st;

	if (pid == 0) {
		if (cage_enter(OSH_UID_AUDIT, true, &e) < 0)
			_exit(99);
		_exit(fn(listener));
	}
	st = status(pid);
	return WIFSIGNALED(st) ? 100 + WTERMSIG(st) : WEXITSTATUS(st);
}

static int answer_well(int listener)
{
	struct seccomp_notif q = { 0 };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q))
		return 1;
	return answer_send(listener, q.id, EAFNOSUPPORT) ? 2 : 0;
}

static int let_through(int listener)
{
	struct seccomp_notif_resp a = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a);
	return 1;
}

static int give_descriptor(int listener)
{
	struct seccomp_notif_addfd a = { 0 };

	ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
	return 1;
}

/* The errno's page is written by whoever can make the kernel write. */
static int overwrite(int listener)
{
	void *at = (void *)(uintptr_t)(answer_place(0) + sizeof(uint64_t));
	struct seccomp_notif *q = at;

	(void)listener;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, q) < 0 &&
	       read(0, at, 8) < 0 && errno == EFAULT ? 0 : 1;
}

static void test_cage(void **state)
{
	int listener, zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	pid_t pid = child(1, &listener);
	struct pollfd p = { .fd = listener, .events = POLLIN };

	(void)state;
	assert_int_equal(dup2(zero, 0), 0);
	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_int_equal(taken_over(listener, let_through), 100 + SIGSYS);
	assert_int_equal(taken_over(listener, give_descriptor), 100 + SIGSYS);
	assert_int_equal(taken_over(listener, overwrite), 0);
	assert_int_equal(taken_over(listener, answer_well), 0);
	assert_int_equal(status(pid), 0);
	close(listener);
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	out_setup();
	return seccomp_compile(&set, &e) || answer_setup(&e);
}

static int teardown(void **state)
{
	(void)state;
	seccomp_set_done(&set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),	    cmocka_unit_test(test_counts),
		cmocka_unit_test(test_wrong_tally), cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_sealed),	    cmocka_unit_test(test_cage),
	};

	if (geteuid()) {
		print_message("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
