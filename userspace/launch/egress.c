/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace is the machine's, since the egress dials; every other namespace is new. The
 * program is executed by descriptor and loses its root file system itself, as its first act: until
 * then it needs the loader and its libraries, and it has read no input. Run by osh-launch as root.
 */
#include "egress.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"

#define N_PASSED OSH_EFD_CGROUP		/* the cgroup is ours alone */
#define HIGH 200			/* where descriptors wait while 3.. is being filled */
#define N_ARGS 9

static int program_fd = -1;

void launch_egress_program(int fd)
{
	program_fd = fd;
}

static int open_program(struct err *e)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/osh-egress"));
	char *slash;
	int fd;

	if (program_fd >= 0)
		return fcntl(program_fd, F_DUPFD_CLOEXEC, 3);
	if (n <= 0)
		return fail(e, errno, "where osh-launch lies: %s", strerror(errno));
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return fail(e, ENOENT, "osh-launch has no directory");
	memcpy(slash, "/osh-egress", sizeof("/osh-egress"));
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open '%s': %s", path, strerror(errno)) : fd;
}

/* Between clone and exec: descriptors only. */
_Noreturn static void child(int program, char *const argv[], const int *fds, const struct machine *machine, int report)
{
	static char *const env[] = { NULL };
	int high[N_PASSED], exe, say;
	sigset_t none;

	for (int i = 0; i < N_PASSED; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH);
	exe = fcntl(program, F_DUPFD_CLOEXEC, HIGH);
	say = fcntl(report, F_DUPFD_CLOEXEC, HIGH);
	if (machine_enter_network(machine, NULL) < 0)	/* while its descriptor is still there */
		goto out;
	for (int i = 0; i < N_PASSED; i++)
		if (dup2(high[i], 3 + i) < 0)
			goto out;
	if (close_range(3 + N_PASSED, HIGH - 1, 0) < 0 ||
	    close_range(HIGH, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		goto out;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	syscall(SYS_execveat, exe, "", argv, env, AT_EMPTY_PATH);
out:
	(void)!write(say, &(int){ errno }, sizeof(int));
	_exit(127);
}

static void fill_args(const struct osh_msg_egress *m, char text[N_ARGS][16])
{
	const uint32_t args[N_ARGS] = { m->id, m->generation, m->uid, m->gid, m->net6[0],
					m->net6[1], m->net6[2], m->net6[3], m->slot };

	for (int i = 0; i < N_ARGS; i++)
		snprintf(text[i], sizeof(text[i]), "%u", args[i]);
}

int launch_egress(const struct osh_msg_egress *m, const int fds[OSH_EFD_MAX], const struct machine *machine,
		  pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	_close_ int program = open_program(e), pidfd = -1, in = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNS |
			 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
		.pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD,
		.cgroup = (uint64_t)fds[OSH_EFD_CGROUP],
	};
	char text[N_ARGS][16], *argv[2 + N_ARGS] = { (char *)"osh-egress" };
	int report[2], why = 0;
	pid_t pid;

	if (program < 0)
		return program;
	fill_args(m, text);
	for (int i = 0; i < N_ARGS; i++)
		argv[1 + i] = text[i];
	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	in = report[0];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(program, argv, fds, machine, report[1]);
	why = errno;
	close(report[1]);
	if (pid < 0)
		return fail(e, why, "start osh-egress: %s", strerror(why));
	if (read(in, &why, sizeof(why)) == sizeof(why)) {
		waitpid(pid, NULL, 0);
		return fail(e, why, "start osh-egress: %s", strerror(why));
	}
	*ret_pid = pid;
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}
