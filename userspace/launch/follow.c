/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root in the sandbox's mount namespace: it looks up names that the agent may have laid, so it follows no
 * link and opens nothing for more than its place. A file server of the caller's that does not answer holds
 * up this child alone.
 */
#include "follow.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bundle.h"
#include "chan.h"
#include "netns.h"
#include "own.h"
#include "programs.h"

static int walk(const struct osh_msg_routes *m, const int fds[OSH_RFD_MAX], int channel, struct err *e)
{
	struct bundle next = { 0 }, was = { 0 };
	int r = bundle_open_fd(&next, fds[OSH_RFD_NEXT], e);

	if (!r)
		r = bundle_open_fd(&was, fds[OSH_RFD_WAS], e);
	if (!r && setns(fds[OSH_RFD_NETNS], CLONE_NEWNET) < 0)
		r = fail(e, errno, "enter the sandbox's network: %s", strerror(errno));
	if (!r)
		r = netns_follow(&next, &was, e);
	if (r || !(m->flags & OSH_ROUTES_PROGRAMS))
		return r;
	if (setns(fds[OSH_RFD_PIDFD], CLONE_NEWNS) < 0)
		return fail(e, errno, "enter the sandbox's view: %s", strerror(errno));
	return programs_send_new(channel, m->id, &next, &was, e);
}

_Noreturn static void child(const struct osh_msg_routes *m, const int fds[OSH_RFD_MAX], int channel)
{
	struct osh_msg_failed answer = { .id = m->id };
	struct err e = { 0 };

	if (walk(m, fds, channel, &e) < 0)
		answer.code = e.code;
	memcpy(answer.text, e.text, sizeof(answer.text));
	_exit(chan_send(channel, OSH_MSG_ROUTED, &answer, sizeof(answer), NULL, 0) < 0);
}

int follow_start(const struct osh_msg_routes *m, const int fds[OSH_RFD_MAX], pid_t *ret_pid, int *ret_pidfd,
		 int *ret_channel, struct err *e)
{
	int pair[2], pidfd = -1, r;
	struct clone_args c = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD };
	pid_t pid;

	if (!m->id || (m->flags & ~OSH_ROUTES_PROGRAMS))
		return fail(e, EINVAL, "malformed request");
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	pid = (pid_t)syscall(SYS_clone3, &c, sizeof(c));
	if (pid == 0)
		child(m, fds, pair[1]);
	r = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return fail(e, r, "clone: %s", strerror(r));
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	*ret_channel = pair[0];
	return 0;
}
