/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door out: a dual-stack listener inside the namespace that the egress accepts from. The
 * sk_lookup program steers every port of every synthetic or listed address to it.
 */
#include "rtnl.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "left_out.h"
#include "own.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define BACKLOG 512

static int listener_socket(int *ret_fd, struct err *e)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int off = 0, unmarked = 0;

	if (fd < 0 && errno == EAFNOSUPPORT)
		return fail(e, errno, "IPv6 is disabled in this kernel (ipv6.disable=1?): "
			    "a sandbox needs it on its own lo");
	if (fd < 0)
		return fail(e, errno, "listener socket: %s", strerror(errno));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return fail(e, errno, "dual-stack listener: %s", strerror(errno));
	/* What is accepted takes over a mark of the listener, were there one, and not the caller's. */
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &unmarked, sizeof(unmarked)) < 0)
		return fail(e, errno, "listener without a mark: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, BACKLOG) < 0)
		return fail(e, errno, "listen on [::]: %s", strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

static int listener_steer(const struct netns_args *a, int fd, int netns_fd, int *ret_link,
			  struct err *e)
{
	const uint32_t zero = 0;
	const uint64_t value = (uint64_t)fd;

	if (bpf_map_update_elem(a->steer_map_fd, &zero, &value, BPF_ANY) < 0)
		return fail(e, errno, "listener into the steering map: %s", strerror(errno));
	if (LEFT_OUT(a->off, OSH_OFF_STEER)) {	/* any descriptor: the link is only held and closed */
		*ret_link = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
		return *ret_link < 0 ? fail(e, errno, "dup: %s", strerror(errno)) : 0;
	}
	*ret_link = bpf_link_create(a->steer_prog_fd, netns_fd, BPF_SK_LOOKUP, NULL);
	if (*ret_link < 0)
		return fail(e, errno, "attach sk_lookup to the namespace: %s", strerror(errno));
	return 0;
}

int listener_open(const struct netns_args *a, struct netns_result *ret, struct err *e)
{
	_close_ int fd = -1;
	_close_ int netns = -1;
	_close_ int link = -1;
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);
	int r = listener_socket(&fd, e);

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) < 0 || !cookie)
		return fail(e, errno, "cookie of the namespace: %s", strerror(errno));
	/* from the socket, not /proc: right whatever proc is mounted */
	netns = ioctl(fd, SIOCGSKNS);
	if (netns < 0)
		return fail(e, errno, "descriptor of the namespace: %s", strerror(errno));
	r = listener_steer(a, fd, netns, &link, e);
	if (r < 0)
		return r;
	*ret = (struct netns_result){ take_fd(&fd), take_fd(&link), take_fd(&netns), cookie };
	return 0;
}
