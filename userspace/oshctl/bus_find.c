/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An embedded oshd gets its bus as descriptor 3 and a session of its own, so that the keys of our
 * terminal do not reach it. It leaves when the bus closes, which the kernel does for us however we
 * end; the death signal is for one that hangs before it reads.
 */
#include "bus_find.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "manager.h"
#include "own.h"

#define TIDY_MS 90000			/* longer than all that its end may wait for: others above all (oshd/host.c) */
#define BUS_FD 3

static int dial(const char *path, int *ret_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Nothing of the caller's environment reaches a root daemon. */
static char **daemon_env(void)
{
	static char *envp[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL, NULL };

#ifdef OSH_TEST
	for (char **v = environ; *v; v++)	/* the layers that a test leaves out */
		if (!strncmp(*v, "OSH_TEST_OFF=", strlen("OSH_TEST_OFF=")))
			envp[1] = *v;
#endif
	return envp;
}

static _Noreturn void become_oshd(const char *path, const char *const *args, int bus, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || null < 0)
		_exit(127);
	if (dup2(bus, BUS_FD) < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0 ||
	    (bus == BUS_FD && fcntl(BUS_FD, F_SETFD, 0) < 0) ||
	    syscall(SYS_close_range, BUS_FD + 1u, UINT_MAX, 0) < 0)
		_exit(127);
	execve(path, (char *const *)args, daemon_env());
	_exit(127);
}

int bus_start_oshd(const char *const *args, int fd, pid_t *ret_pid, struct err *e)
{
	char path[PATH_MAX];
	pid_t self = getpid(), pid;
	int r = beside(path, "oshd", e);

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		become_oshd(path, args, fd, self);
	*ret_pid = pid;
	return pid < 0 ? fail(e, errno, "fork: %s", strerror(errno)) : 0;
}

static int embed(int *ret_fd, pid_t *ret_pid, struct err *e)
{
	static const char *const args[] = { "oshd", MANAGER_EMBEDDED, MANAGER_BUS_FD, "3", NULL };
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	r = bus_start_oshd(args, pair[1], ret_pid, e);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	*ret_fd = pair[0];
	return 0;
}

int bus_find(const char *socket_path, int *ret_fd, pid_t *ret_pid, struct err *e)
{
	const char *given = socket_path ? socket_path : getenv("OSH_SOCKET");
	int r = dial(given && *given ? given : MANAGER_SOCKET, ret_fd);

	*ret_pid = 0;
	if (r == 0)
		return 0;
	if (given && *given)
		return fail(e, -r, "no oshd at '%s': %s", given, strerror(-r));
	if (geteuid() == 0)
		return embed(ret_fd, ret_pid, e);
	return fail(e, -r, "no oshd at " MANAGER_SOCKET " (%s): start it with `systemctl start oshd`, "
			   "name one with --socket, or run as root", strerror(-r));
}

int bus_find_resident(const char *socket_path, int *ret_fd, struct err *e)
{
	const char *given = socket_path ? socket_path : getenv("OSH_SOCKET");
	const char *path = given && *given ? given : MANAGER_SOCKET;
	int r = dial(path, ret_fd);

	if (r < 0 && given && *given)
		return fail(e, -r, "no oshd at '%s': %s", path, strerror(-r));
	return r < 0 ? fail(e, -r, "no oshd at '%s' (%s): start it with `systemctl start oshd`, or name another with --socket",
			    path, strerror(-r)) : 0;
}

void bus_reap(pid_t pid)
{
	_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && poll(&p, 1, TIDY_MS) == 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}
