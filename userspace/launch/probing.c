/* SPDX-License-Identifier: Apache-2.0 */
#include "probing.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"
#include "program.h"

#define OUT 3				/* osh/probe.h */

_Noreturn static void child(int program, int out_fd, const struct machine *machine)
{
	static char *const argv[] = { (char *)"oshd", (char *)"--probe", NULL };
	static char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int exe = fcntl(program, F_DUPFD_CLOEXEC, OUT + 1);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (machine_enter_mounts(machine, NULL) < 0 || machine_enter_network(machine, NULL) < 0)
		_exit(127);
	if (exe >= 0 && dup2(out_fd, OUT) == OUT && close_range(OUT + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		syscall(SYS_execveat, exe, "", argv, env, AT_EMPTY_PATH);
	_exit(127);
}

int probing_start(int out_fd, const struct machine *machine, pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	_close_ int program = program_open("oshd", e), out = -1;
	pid_t pid;

	if (program < 0)
		return program;
	out = fcntl(out_fd, F_DUPFD_CLOEXEC, OUT + 1);	/* dup2() onto itself would leave it close-on-exec */
	if (out < 0)
		return fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
	if (pid == 0)
		child(program, out, machine);
	if (pid < 0)
		return fail(e, errno, "start a probing: %s", strerror(errno));
	*ret_pid = pid;
	return 0;
}
