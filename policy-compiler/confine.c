/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads policies where a mistake in a parser gains nothing: no privilege, no descriptor but the
 * policy and the two results, system calls on a short list, bounded time and memory. oshctl and oshd
 * call this; what comes back is checked again (bundle_open_fd, diags_add_raw).
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle.h"
#include "embed.h"
#include "osh/limits.h"
#include "kernel.h"
#include "own.h"
#include "policy.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u		/* Linux 6.3; newer than Debian 12's header */
#endif

#define NOBODY 65534
#define CPU_SECONDS 10
#define MEMORY_BYTES (1ul << 30)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/*
 * The leak checker stops the world with a thread of its own, which a confined process may not start. It asks
 * here at the end; everything else that the sanitizers see stays on.
 */
int __lsan_is_turned_off(void);
static bool confined;

int __lsan_is_turned_off(void)
{
	return confined;
}
#endif

enum { CHILD_POLICY, CHILD_BUNDLE, CHILD_DIAGS, CHILD_FDS };

struct diags_head {
	uint32_t n, n_errors, n_warnings, more;
};

static int drop_identity(struct err *e)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return fail(e, errno, "drop to uid %d: %s", NOBODY, strerror(errno));
	if (syscall(SYS_capset, &head, none) < 0)
		return fail(e, errno, "drop capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(e, errno, "set no_new_privs: %s", strerror(errno));
	return 0;
}

static int bound_resources(unsigned seconds, unsigned long memory, struct err *e)
{
	const struct {
		int what;
		rlim_t max;
	} limits[] = {
		{ RLIMIT_CPU, seconds },
		{ RLIMIT_FSIZE, OSH_BUNDLE_BYTES },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, 16 },
#ifndef SANITIZED
		{ RLIMIT_AS, memory },
#endif
	};

	(void)memory;		/* a sanitizer's shadow is larger than any bound */
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit r = { limits[i].max, limits[i].max }, now;

		/* A lower limit of the caller's stays: raising one is no business of ours. */
		if (getrlimit(limits[i].what, &now) == 0 && now.rlim_max < r.rlim_max)
			r.rlim_max = r.rlim_cur = now.rlim_max;
		if (setrlimit(limits[i].what, &r) < 0)
			return fail(e, errno, "set resource limits: %s", strerror(errno));
	}
	return 0;
}

/*
 * Written by hand, since every run pays for it: libseccomp takes longer to build so short a list than
 * the child takes to compile a policy. 64-bit calls only: numbers with the x32 bit are not on the list.
 */
static int filter_calls(struct err *e)
{
	static const uint32_t allowed[] = {
		SYS_read, SYS_pread64, SYS_write, SYS_writev, SYS_lseek, SYS_fstat, SYS_newfstatat,
		SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_exit, SYS_exit_group, SYS_futex,
		SYS_getrandom, SYS_sysinfo, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_sigaltstack,
		SYS_clock_gettime, SYS_close,
#ifdef SANITIZED
		SYS_gettid, SYS_getpid, SYS_mprotect, SYS_rt_sigaction,
#endif
	};
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
	static const struct sock_filter head[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
		LOAD(args[2]),		/* memory, but never memory to execute */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_filter f[ARRAY_SIZE(head) + 2 * ARRAY_SIZE(allowed) + 1];
	struct sock_fprog prog = { .filter = f };
	unsigned short n = ARRAY_SIZE(head);

	memcpy(f, head, sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	f[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	prog.len = n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return fail(e, errno, "install the system call filter: %s", strerror(errno));
	return 0;
}

int policy_confine_within(unsigned seconds, unsigned long memory, struct err *e)
{
	int r = drop_identity(e);

	if (r == 0)
		r = bound_resources(seconds, memory, e);
#ifdef SANITIZED
	confined = true;
#endif
	return r < 0 ? r : filter_calls(e);
}

int policy_confine(struct err *e)
{
	return policy_confine_within(CPU_SECONDS, MEMORY_BYTES, e);
}

/* Whole content of a regular file or memfd, at most one byte past the limit so that it shows. */
static int read_all(int fd, struct buf *b)
{
	ssize_t n;

	for (;;) {
		char part[16384];

		n = pread(fd, part, sizeof(part), (off_t)b->n);
		if (n < 0)
			return -errno;
		if (!n || b->n > OSH_POLICY_BYTES)
			return buf_ok(b) ? 0 : -ENOMEM;
		buf_put(b, part, (size_t)n);
	}
}

static int write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0)
			return -errno;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int send_diags(const struct diags *d)
{
	struct diags_head head = { d->n, d->n_errors, d->n_warnings, d->more };
	int r = write_all(CHILD_DIAGS, &head, sizeof(head));

	return r < 0 ? r : write_all(CHILD_DIAGS, d->v, d->n * sizeof(*d->v));
}

/* What the child does with the text: policy_compile() or only_check(). */
typedef int what_fn(struct slice text, struct diags *d, struct buf *ret);

static int only_check(struct slice text, struct diags *d, struct buf *ret)
{
	(void)ret;
	return policy_check(text, d);
}

static int child_work(what_fn *what)
{
	struct buf text = { 0 }, bundle = { 0 };
	struct diags d = { 0 };
	int r = read_all(CHILD_POLICY, &text);

	if (r < 0)
		return -r;
	r = what((struct slice){ text.p, text.n }, &d, &bundle);
	if (r == 0)
		r = write_all(CHILD_BUNDLE, bundle.p, bundle.n);
	if (r == 0 || r == -EINVAL) {
		int sent = send_diags(&d);

		r = sent < 0 ? sent : r;
	}
	return -r;
}

/* Never returns. Exit status: 0, or the errno of what failed. */
static void child(const int fds[CHILD_FDS], what_fn *what)
{
	int high[CHILD_FDS];

	for (int i = 0; i < CHILD_FDS; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
		if (high[i] < 0)
			_exit(EMFILE);
	}
	for (int i = 0; i < CHILD_FDS; i++)
		if (dup2(high[i], i) < 0)
			_exit(EMFILE);
	if (close_range(CHILD_FDS, ~0u, 0) < 0)
		_exit(EMFILE);
	if (policy_confine(NULL) < 0)
		_exit(EPERM);
	_exit(child_work(what) & 0x7f);
}

/* Everything that the child said, until it closed the pipe; more than it may say is an error. */
static int take_diags(int fd, struct diags *d, struct err *e)
{
	struct buf b = { .limit = sizeof(struct diags_head) + OSH_DIAGS * sizeof(struct diag) };
	struct diags_head head;
	bool ok;
	char part[8192];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_put(&b, part, (size_t)n);
	ok = n == 0 && buf_ok(&b) && b.n >= sizeof(head);
	if (ok) {
		memcpy(&head, b.p, sizeof(head));
		ok = head.n <= OSH_DIAGS && b.n == sizeof(head) + head.n * sizeof(struct diag);
	}
	for (uint32_t i = 0; ok && i < head.n; i++) {
		struct diag one;

		memcpy(&one, b.p + sizeof(head) + i * sizeof(one), sizeof(one));
		ok = diags_add_raw(d, &one);
	}
	if (ok && head.more) {
		d->more = true;
		d->n_errors = head.n_errors;
		d->n_warnings = head.n_warnings;
	}
	buf_done(&b);
	return ok ? 0 : fail(e, EPROTO, "the policy compiler gave no answer");
}

static int wait_child(pid_t pid, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(e, errno, "wait for the policy compiler: %s", strerror(errno));
	if (WIFSIGNALED(status))
		return fail(e, EPROTO, "the policy compiler was killed by signal %d (%s)",
			    WTERMSIG(status),
			    WTERMSIG(status) == SIGSYS	? "forbidden system call"
			    : WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL
				    ? "out of time"
				    : "crash");
	return -WEXITSTATUS(status);
}

static int seal(int fd, struct err *e)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(e, errno, "seal bundle: %s", strerror(errno));
	return 0;
}

static int start_child(int policy_fd, int bundle_fd, what_fn *what, struct policy_job *j,
		       struct err *e)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	j->pid = fork();
	if (j->pid == 0)
		child((int[CHILD_FDS]){ policy_fd, bundle_fd, pipe_fds[1] }, what);
	close(pipe_fds[1]);
	if (j->pid < 0) {
		close(pipe_fds[0]);
		return fail(e, errno, "fork: %s", strerror(errno));
	}
	j->said = pipe_fds[0];
	return 0;
}

static int end_child(struct policy_job *j, struct diags *d, struct err *e)
{
	int said = take_diags(j->said, d, e), r;

	own_close(&j->said);
	r = wait_child(j->pid, e);
	if (r == -EINVAL && said == 0 && d->n_errors)
		return r;
	if (r < 0 && r != -EPROTO)
		return fail(e, -r, "the policy compiler failed: %s", strerror(-r));
	return r < 0 ? r : said;
}

/* Refused flags mean a kernel older than osh needs: that is what the user wants to read. */
static int no_memfd(struct err *e)
{
	int code = errno, r = kernel_check(e);

	return r < 0 ? r : fail(e, code, "memfd_create: %s", strerror(code));
}

static int start(int policy_fd, what_fn *what, struct policy_job *ret, struct err *e)
{
	_close_ int fd = memfd_create("osh-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	struct stat st;
	int r;

	if (fd < 0)
		return no_memfd(e);
	if (fstat(policy_fd, &st) < 0)
		return fail(e, errno, "stat policy: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(e, EINVAL, "policy is not a regular file");
	r = start_child(policy_fd, fd, what, ret, e);
	if (r == 0)
		ret->bundle = take_fd(&fd);
	return r;
}

int policy_compile_start(int policy_fd, struct policy_job *ret, struct err *e)
{
	return start(policy_fd, policy_compile, ret, e);
}

int policy_check_fd(int policy_fd, struct diags *d, struct err *e)
{
	struct policy_job j;
	int r = start(policy_fd, only_check, &j, e);

	if (r < 0)
		return r;
	r = end_child(&j, d, e);
	close(j.bundle);		/* a check writes none */
	return r;
}

int policy_compile_end(struct policy_job *j, struct diags *d, int *ret_bundle_fd, struct err *e)
{
	_close_ int fd = take_fd(&j->bundle);
	struct bundle b = { 0 };
	int r = end_child(j, d, e);

	if (r == 0)
		r = seal(fd, e);
	if (r == 0)
		r = bundle_open_fd(&b, fd, e);
	if (r < 0)
		return r;
	bundle_done(&b);
	*ret_bundle_fd = take_fd(&fd);
	return 0;
}

int policy_compile_fd(int policy_fd, struct diags *d, int *ret_bundle_fd, struct err *e)
{
	struct policy_job j;
	int r = policy_compile_start(policy_fd, &j, e);

	return r < 0 ? r : policy_compile_end(&j, d, ret_bundle_fd, e);
}

int policy_preset_fd(const char *name, int *ret_fd, struct err *e)
{
	struct slice text = embed_preset(name);
	_close_ int fd = -1;
	int r;

	if (!text.n)
		return fail(e, ENOENT, "no preset is called '%s'", name);
	fd = memfd_create("osh-preset", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		return no_memfd(e);
	r = write_all(fd, text.p, text.n);
	if (r < 0)
		return fail(e, -r, "write preset: %s", strerror(-r));
	*ret_fd = take_fd(&fd);
	return 0;
}

void policy_print_diags(const struct diags *d, FILE *out, const char *file_name, int policy_fd)
{
	struct buf text = { 0 };

	if (read_all(policy_fd, &text) < 0)
		text.n = 0;		/* no caret lines; the messages still stand */
	diags_print(d, out, file_name, (struct slice){ text.p, text.n },
		    isatty(fileno(out)) && !getenv("NO_COLOR"));
	buf_done(&text);
}
