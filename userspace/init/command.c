/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"

#define CLOSE_RANGE_CLOEXEC_FLAG 4u	/* Debian 12's <linux/close_range.h> has it, libc's header does not */

rlim_t command_files;

struct report {
	int code;			/* positive errno */
	enum stage { AT_SETUP, AT_CHDIR, AT_EXEC, AT_LOADER } at;	/* AT_LOADER: the program is there, and what loads it is not */
};

/*
 * By the system call itself: libc refuses to touch its own two (32, 33), and whoever started us may
 * have left them ignored.
 */
static void default_signals(void)
{
	static const char dfl[64];	/* a zeroed struct sigaction of the kernel: SIG_DFL, no flags */
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)syscall(SYS_rt_sigaction, s, dfl, NULL, (NSIG - 1) / 8);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void quit(int report, enum stage at)
{
	struct report r = { .code = errno, .at = at };

	(void)!write(report, &r, sizeof(r));
	_exit(r.at < AT_EXEC ? COMMAND_CANNOT : r.code == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_RUN);
}

/* As execvp() looks for it. */
static bool is_there(const char *program)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(program, '/'))
		return access(program, F_OK) == 0;
	for (; dir && *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		int n = snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(dir, ":"), dir, program);

		if (n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* In the child. SIGTTOU is still blocked, as tcsetpgrp() from the background needs it to be. */
static _Noreturn void become(const struct command *c, int report)
{
	pid_t self = getpid();
	enum stage at;
	int code;

	if (setpgid(0, 0) < 0)
		quit(report, AT_SETUP);
	if (c->tty >= 0 && c->front && ioctl(c->tty, TIOCSPGRP, &self) < 0)
		quit(report, AT_SETUP);
	for (int i = 0; i < 3; i++)
		if (dup2(c->stdio[i], i) < 0)
			quit(report, AT_SETUP);
	if (syscall(SYS_close_range, 3u, UINT_MAX, CLOSE_RANGE_CLOEXEC_FLAG) < 0)
		quit(report, AT_SETUP);
	if (chdir(c->spec->cwd) < 0)
		quit(report, AT_CHDIR);
	if (command_files && setrlimit(RLIMIT_NOFILE, &(struct rlimit){ command_files, command_files }) < 0)
		quit(report, AT_SETUP);
	umask(c->umask);
	default_signals();
	environ = c->spec->envp;	/* execvp() searches the PATH that the command will see */
	execvp(c->spec->argv[0], c->spec->argv);
	code = errno;
	at = code == ENOENT && is_there(c->spec->argv[0]) ? AT_LOADER : AT_EXEC;
	errno = code;
	quit(report, at);
}

void command_quit(int report)
{
	quit(report, AT_SETUP);
}

pid_t command_fork(const struct command *c, int report)
{
	pid_t pid = fork();

	if (pid == 0)
		become(c, report);
	if (pid > 0)
		(void)setpgid(pid, pid);	/* the child does it too: whoever comes first */
	return pid;
}

/* What is not there is most often what no policy listed: the commonest first mistake, so that is said. */
static const char *advice(const struct report *r)
{
	if (r->code != ENOENT)
		return "";
	return r->at == AT_CHDIR ? "; filesystem_policy has to list it, or say `include_workdir: true`" :
				   "; filesystem_policy has to list it";
}

int command_report(int report, const char *program, const char *cwd, struct err *e)
{
	struct report r;
	ssize_t n;

	do
		n = read(report, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == EAGAIN))
		return 0;
	if (n != sizeof(r))
		return fail(e, EIO, "cannot run '%.100s': no report", program);
	if (r.at == AT_CHDIR)
		return fail(e, r.code, "cannot enter '%.120s': %s%s", cwd, strerror(r.code), advice(&r));
	if (r.at == AT_LOADER)
		return fail(e, ELIBACC, "cannot run '%.100s': it is there, and its interpreter or loader is not; filesystem_policy has "
			    "to list that (/lib64, or what its first line names)", program);
	return fail(e, r.code, "cannot run '%.120s': %s%s", program, strerror(r.code), advice(&r));
}
