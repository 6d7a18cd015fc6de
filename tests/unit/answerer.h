/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit's part for a test that loads the filter into a child: a process that answers refused calls as
 * osh/refused.h says. It lives until nobody is left under the filter.
 */
#pragma once

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/launch/seccomp.h"
#include "chan.h"
#include "osh/refused.h"

struct answerer {
	pid_t pid;
	int fd;				/* where the listener is sent */
};

static inline void answerer_serve(int fd)
{
	struct pollfd p = { .events = POLLIN };
	struct chan_in in;

	if (chan_recv(fd, &in) <= 0)
		return;
	p.fd = in.fds[0];
	while (poll(&p, 1, -1) > 0 && p.revents & POLLIN) {
		struct seccomp_notif q = { 0 };
		struct seccomp_notif_resp a = { 0 };

		if (ioctl(p.fd, SECCOMP_IOCTL_NOTIF_RECV, &q))
			continue;
		a.id = q.id;
		a.error = -osh_refused_errno(&q.data);
		ioctl(p.fd, SECCOMP_IOCTL_NOTIF_SEND, &a);
	}
}

static inline int answerer_start(struct answerer *ret)
{
	int pair[2];

	if (chan_pair(pair))
		return -1;
	ret->pid = fork();
	if (ret->pid == 0) {
		close(pair[0]);
		answerer_serve(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	ret->fd = pair[0];
	return 0;
}

static inline void answerer_end(struct answerer *a)
{
	close(a->fd);
	waitpid(a->pid, NULL, 0);
}

/* As seccomp_enter(), in a child of who started the answerer. */
static inline int answered_enter(const struct seccomp_set *s, enum seccomp_variant v,
				 const struct answerer *a, struct err *e)
{
	struct osh_msg_id m = { 0 };
	int listener, r = seccomp_enter(s, v, &listener, e);

	if (!r) {
		r = chan_send(a->fd, OSH_MSG_AUDIT_CALLS, &m, sizeof(m), &listener, 1);
		close(listener);
	}
	close(a->fd);
	return r;
}
