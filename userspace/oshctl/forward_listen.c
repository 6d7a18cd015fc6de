/* SPDX-License-Identifier: Apache-2.0 */
#include "forward_listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "own.h"

#define BACKLOG 128

static int read_port(const char *text, size_t n, int least, uint16_t *ret)
{
	unsigned v = 0;

	if (!n || n > 5)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > 65535 || (int)v < least)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

static const struct {
	const char *text;
	int family;
} hosts[] = { { "", AF_INET }, { "127.0.0.1:", AF_INET }, { "localhost:", AF_INET }, { "[::1]:", AF_INET6 } };

static int read_address(const char *text, size_t n, int *ret_family, uint16_t *ret_port, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		size_t k = strlen(hosts[i].text);

		if (n >= k && !strncmp(text, hosts[i].text, k) && !read_port(text + k, n - k, 0, ret_port)) {
			*ret_family = hosts[i].family;
			return 0;
		}
	}
	return fail(e, EINVAL, "'%.100s': a port of 127.0.0.1 or [::1], then ':' and a port in the sandbox", text);
}

static int listen_at(int family, uint16_t port, int *ret_fd)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct sockaddr *a = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
	_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, a, family == AF_INET ? sizeof(v4) : sizeof(v6)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void name_port(struct forward_port *p, int family)
{
	struct sockaddr_in6 a = { 0 };	/* the port is at the same place in both */
	socklen_t n = sizeof(a);

	(void)getsockname(p->fd, (struct sockaddr *)&a, &n);
	snprintf(p->name, sizeof(p->name), "%s:%u", family == AF_INET ? "127.0.0.1" : "[::1]", ntohs(a.sin6_port));
}

int forward_listen(const char *text, struct forward_port *ret, struct err *e)
{
	const char *colon = strrchr(text, ':');
	int family = AF_INET, r;
	uint16_t port = 0;

	if (!colon || read_port(colon + 1, strlen(colon + 1), 1, &ret->inside) < 0)
		return fail(e, EINVAL, "'%.100s': [ADDRESS:]PORT:PORT-INSIDE is wanted", text);
	r = read_address(text, (size_t)(colon - text), &family, &port, e);
	if (r < 0)
		return r;
	r = listen_at(family, port, &ret->fd);
	if (r < 0)
		return fail(e, -r, "listen on port %u of loopback: %s", port, strerror(-r));
	name_port(ret, family);
	return 0;
}

/* Whoever may write there could move our socket away and put another in its place. */
static int check_dir(const char *path, struct err *e)
{
	_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct stat st;

	if (!dir)
		return fail(e, ENOMEM, "out of memory");
	if (slash)
		slash[slash == dir] = 0;
	if (stat(slash ? dir : ".", &st) < 0)
		return fail(e, errno, "the directory of '%.100s': %s", path, strerror(errno));
	if ((st.st_uid && st.st_uid != getuid()) || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX)))
		return fail(e, EPERM, "the directory of '%.100s' is one that others may change: choose one of your own", path);
	return 0;
}

static int bind_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return -errno;
	strcpy(a.sun_path, path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
	umask(mask);
	if (!r)
		*ret_fd = take_fd(&fd);
	return r;
}

int forward_listen_unix(const char *text, struct forward_port *ret, char **ret_path, struct err *e)
{
	const char *colon = strrchr(text, ':');
	_free_ char *path = colon ? strndup(text, (size_t)(colon - text)) : NULL;
	int r;

	if (!path || !*path || read_port(colon + 1, strlen(colon + 1), 1, &ret->inside) < 0)
		return fail(e, EINVAL, "'%.100s': PATH:PORT-INSIDE is wanted", text);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail(e, ENAMETOOLONG, "'%.100s': too long for a socket", path);
	r = check_dir(path, e);
	if (r < 0)
		return r;
	r = bind_unix(path, &ret->fd);
	if (r < 0)
		return fail(e, -r, "listen at '%.100s': %s", path, r == -EADDRINUSE ? "something is there" : strerror(-r));
	ret->local = true;
	snprintf(ret->name, sizeof(ret->name), "%s", path);
	*ret_path = take_ptr(&path);
	return 0;
}
