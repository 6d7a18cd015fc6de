/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a server on the sandbox's own loopback, either family; the hooks judge it like any. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "errand.h"
#include "own.h"

#define CONNECT_S 5			/* a full backlog of a server that does not accept */

static int dial(const struct sockaddr *to, socklen_t len, int *ret_fd)
{
	_close_ int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = { .tv_sec = CONNECT_S };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 || connect(fd, to, len) < 0)
		return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int errand_port(int port, int *ret_fd, struct err *e)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int r, x;

	if (port < 1 || port > 65535)
		return fail(e, EINVAL, "port %d: not 1 to 65535", port);
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	r = dial((struct sockaddr *)&v4, sizeof(v4), ret_fd);
	if (!r)
		return 0;
	x = dial((struct sockaddr *)&v6, sizeof(v6), ret_fd);
	return x ? fail(e, -r, "port %d in the sandbox: %s", port, strerror(-r)) : 0;
}

int errand_dial(const struct chan_in *in, int *ret_fd, struct err *e)
{
	return errand_port(((const struct osh_msg_status *)(const void *)in->bytes)->value, ret_fd, e);
}
