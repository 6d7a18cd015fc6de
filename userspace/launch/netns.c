/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the set-up: nftables before lo comes up, the listener last. What no policy changes comes first. */
#include "netns.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "left_out.h"
#include "nft.h"
#include "own.h"
#include "rtnl.h"

static const struct {
	const char *path, *value;
} sysctls[] = {
	/* the accepted socket takes the mark that the connect hook put on the SYN; IPv6 obeys it too */
	{ "/proc/sys/net/ipv4/tcp_fwmark_accept", "1" },
	/* nobody outside can see these ports, so agents may bind them all */
	{ "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0" },
};

/* /proc/sys/net is that of the task that opens it, whichever namespace proc was mounted in. */
static int sysctl_write(const char *path, const char *value, struct err *e)
{
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		return fail(e, errno, "set '%s': %s", path, strerror(errno));
	return 0;
}

int netns_prepare(const struct netns_args *a, int *ret_fd, struct err *e)
{
	struct rtnl r = { 0 };
	int err = rtnl_open(&r, e);

	if (!err)
		err = rtnl_check_fresh(&r, e);
	for (size_t i = 0; !err && i < ARRAY_SIZE(sysctls); i++)
		err = sysctl_write(sysctls[i].path, sysctls[i].value, e);
	if (!err && !LEFT_OUT(a->off, OSH_OFF_NFT))
		err = nft_install(e);
	if (!err) {
		route_add_base(&r, a->net6);
		if (!LEFT_OUT(a->off, OSH_OFF_DNS))
			tc_add_dns(&r, a->dns_prog_fd);
		err = rtnl_flush(&r, e);
	}
	if (!err && ret_fd && (*ret_fd = ioctl(mnl_socket_get_fd(r.nl), SIOCGSKNS)) < 0)
		err = fail(e, errno, "descriptor of the namespace: %s", strerror(errno));
	rtnl_done(&r);
	return err;
}

int netns_setup(const struct netns_args *a, struct netns_result *ret, struct err *e)
{
	int err;

#ifndef OSH_TEST
	if (a->off)
		return fail(e, EINVAL, "layers can be left out in test builds only");
#endif
	err = a->prepared ? 0 : netns_prepare(a, NULL, e);
	if (!err && a->b && a->b->n_cidrs)
		err = netns_route_cidrs(a->b, e);
	return err ? err : listener_open(a, ret, e);
}
