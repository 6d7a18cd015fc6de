/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused system call that is on record answers. The filter (userspace/launch/seccomp.c) cannot
 * say it: it hands the call over, and osh-audit gives the errno. Zero is never among the answers.
 */
#pragma once

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define OSH_REFUSED_ERRNOS { EPERM, EACCES, EAFNOSUPPORT, ENOSYS }

static inline int osh_refused_errno(const struct seccomp_data *d)
{
	int family = (int)d->args[0];

	if (d->nr == __NR_socketpair)
		return EAFNOSUPPORT;
	if (d->nr != __NR_socket)
		return EPERM;
	if (family == AF_INET || family == AF_INET6)
		return EACCES;		/* the type or protocol: as the socket hook says it */
	return family == AF_NETLINK ? ENOSYS : EAFNOSUPPORT;
}
