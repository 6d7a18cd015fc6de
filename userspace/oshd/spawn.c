/* SPDX-License-Identifier: Apache-2.0 */
/* The child between fork and exec touches descriptors only. Run by oshd. */
#include "spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "osh/msg.h"
#include "own.h"

#define HIGH 200			/* where descriptors wait while 3.. is being filled */

_Noreturn static void child(int dir_fd, const char *program, char *const argv[], const int *fds,
			    int n_fds, int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[OSH_MSG_FDS], dir, say;
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	sigset_t none;

	for (int i = 0; i < n_fds; i++)
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH);
	dir = fcntl(dir_fd, F_DUPFD_CLOEXEC, HIGH);
	say = fcntl(report, F_DUPFD_CLOEXEC, HIGH);
	if (null < 0 || dir < 0 || say < 0)
		_exit(127);
	dup2(null, 0);
	dup2(null, 1);
	for (int i = 0; i < n_fds; i++)
		if (high[i] < 0)
			close(3 + i);
		else
			dup2(high[i], 3 + i);
	close_range(3 + (unsigned)n_fds, HIGH - 1, 0);
	close_range(HIGH, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	syscall(SYS_execveat, dir, program, argv, env, 0);
	(void)!write(say, &(int){ errno }, sizeof(int));
	_exit(127);
}

pid_t spawn_fork(int *ret_pidfd)
{
	/* Not clone3: a filter that looks at flags (RestrictNamespaces= of oshd.service) cannot see its. */
	return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
}

int spawn_role(int dir_fd, const char *program, char *const argv[], const int *fds, int n_fds,
	       pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	int report[2], pidfd = -1, why = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	pid = spawn_fork(&pidfd);
	if (pid == 0)
		child(dir_fd, program, argv, fds, n_fds, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return fail(e, errno, "start %s: %s", program, strerror(errno));
	}
	if (read(report[0], &why, sizeof(why)) == sizeof(why)) {
		close(report[0]);
		close(pidfd);
		waitpid(pid, NULL, 0);
		return fail(e, why, "start %s: %s", program, strerror(why));
	}
	close(report[0]);
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

void spawn_reap(pid_t pid, int *pidfd, int ms)
{
	struct pollfd p = { .fd = *pidfd, .events = POLLIN };

	if (pid > 0 && *pidfd >= 0) {
		if (poll(&p, 1, ms) <= 0)
			syscall(SYS_pidfd_send_signal, *pidfd, SIGKILL, NULL, 0);
		waitpid(pid, NULL, 0);
	}
	own_close(pidfd);
}
