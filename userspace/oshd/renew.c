/* SPDX-License-Identifier: Apache-2.0 */
#include "renew.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "own.h"

#define NEW ".new"
#define OLD ".old"
#define COME_US 1000			/* between two looks whether it listens yet */
#define COME_TRIES 5000
#define ASK_TRIES 20000			/* another process has to be started by somebody else first */

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(&fd);
}

static pid_t peer(int fd)
{
	struct ucred c = { 0 };
	socklen_t n = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0 ? 0 : c.pid;
}

static void end_at(const char *path, const char *suffix)
{
	char at[PATH_MAX];
	_close_ int fd = -1;

	snprintf(at, sizeof(at), "%s%s", path, suffix);
	fd = connect_to(at);
	if (fd >= 0 && peer(fd) > 1)
		kill(peer(fd), SIGKILL);	/* what it started goes on */
	unlink(at);
}

int renew_connect(const char *path)
{
	static const char *const places[] = { "", NEW, OLD };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char at[PATH_MAX];
		int fd;

		snprintf(at, sizeof(at), "%s%s", path, places[i]);
		fd = connect_to(at);
		if (fd < 0)
			continue;
		if (i && rename(at, path) < 0) {
			close(fd);
			return -errno;
		}
		for (size_t j = 1; j < ARRAY_SIZE(places); j++)
			if (j != i)
				end_at(path, places[j]);
		return fd;
	}
	return -ECONNREFUSED;
}

/*
 * Not our child: it has none of what this process is confined by, as the sandboxes would have it too. It listens
 * last of all, so whoever finds the socket finds it ready.
 */
int renew_ask(const char *launcher, const char *place, int *ret_fd, struct err *e)
{
	_close_ int fd = -1;

	unlink(place);			/* nobody answered there */
	fd = connect_to(launcher);
	if (fd < 0)
		return fail(e, -fd, "ask for an osh-launch at '%.80s': %s; see `systemctl status osh-launch.socket`",
			    launcher, strerror(-fd));
	for (int i = 0; access(place, F_OK) < 0; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 0) > 0)
			return fail(e, ECONNRESET, "the osh-launch of '%.80s' ended at once; see "
				    "`journalctl -t osh-launch`", launcher);
		if (i >= ASK_TRIES)
			return fail(e, ETIMEDOUT, "the osh-launch of '%.80s' does not come", launcher);
		usleep(COME_US);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

pid_t renew_other(int libexec_fd, int fd)
{
	struct stat is, would;
	char exe[64];
	pid_t pid = peer(fd);

	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	if (pid <= 1 || stat(exe, &is) < 0 || fstatat(libexec_fd, "osh-launch", &would, 0) < 0)
		return 0;		/* cannot tell: what works is left alone */
	return is.st_dev != would.st_dev || is.st_ino != would.st_ino ? pid : 0;
}

void renew_place(const char *path, char *ret, size_t n)
{
	snprintf(ret, n, "%.280s" NEW, path);
}

int renew_take_over(const char *path, struct err *e)
{
	char new[PATH_MAX], old[PATH_MAX];

	snprintf(new, sizeof(new), "%s" NEW, path);
	snprintf(old, sizeof(old), "%s" OLD, path);
	for (int i = 0; access(new, F_OK) < 0; i++) {
		if (i >= COME_TRIES)
			return fail(e, ETIMEDOUT, "the new osh-launch does not listen");
		usleep(COME_US);
	}
	if (rename(path, old) < 0)
		return fail(e, errno, "rename '%s': %s", path, strerror(errno));
	return rename(new, path) < 0 ? fail(e, errno, "rename '%s': %s", new, strerror(errno)) : 0;
}

void renew_bury(const char *path)
{
	end_at(path, OLD);
}
