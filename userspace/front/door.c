/* SPDX-License-Identifier: Apache-2.0 */
#include "door.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "chan.h"
#include "own.h"
#include "prove.h"
#include "serve.h"

#ifndef SO_PEERPIDFD			/* Linux 6.5; newer than Debian 12's header */
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS			/* Linux 6.16 */
#define SO_PASSRIGHTS 83
#endif
#define REFUSALS 8			/* callers beyond a user's share who are told why, at once */
#define BURIALS 64			/* and those whose connection only a process of its own may close */
#define PAUSE_MS 100			/* no descriptor, no memory: others give some back */

struct visit {
	pid_t pid;
	uid_t uid;
};

static struct visit visits[4 * OSH_CALLS];
static size_t n_visits;

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < n_visits; i++)
			if (visits[i].pid == pid)
				visits[i] = visits[--n_visits];
}

static unsigned visits_of(uid_t uid)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_visits; i++)
		n += visits[i].uid == uid;
	return n;
}

/* Half of what the others leave: each next user gets less, and nobody nothing. */
static unsigned share(uid_t uid, unsigned mine)
{
	size_t others = n_visits - mine;
	size_t left = others < OSH_CALLS ? (OSH_CALLS - others) / 2 : 0;

	if (!uid)
		return 2 * OSH_CALLS;
	return left < OSH_CALLS_EACH ? (unsigned)left : OSH_CALLS_EACH;
}

struct arrival {
	struct osh_msg_caller who;
	int fd, pidfd;
};

static int ask_kernel(struct arrival *a)
{
	socklen_t n = sizeof(struct ucred), len = sizeof(a->who.groups), one = sizeof(a->pidfd);
	struct ucred cred;

	if (getsockopt(a->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return -errno;
	a->who.uid = cred.uid;
	a->who.gid = cred.gid;
	a->who.pid = (uint32_t)cred.pid;
	if (getsockopt(a->fd, SOL_SOCKET, SO_PEERGROUPS, a->who.groups, &len) < 0 ||
	    getsockopt(a->fd, SOL_SOCKET, SO_PEERPIDFD, &a->pidfd, &one) < 0)
		return -errno;
	a->who.n_groups = len / sizeof(gid_t);
	return 0;
}

/*
 * A process that has the connection and goes on only when nobody else has it: whoever closes it last closes what is
 * queued in it. Gives 0 in the child.
 */
static pid_t hand_over(const struct door *d, struct arrival *a, int up)
{
	pid_t self = getpid(), pid;
	int go[2];
	char none;

	if (n_visits == ARRAY_SIZE(visits) || pipe(go) < 0) {
		own_close(&up);
		return -EAGAIN;
	}
	pid = fork();
	if (!pid) {
		close(go[1]);
		close(d->listener);
		close(d->oshd);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self || read(go[0], &none, 1) != 0)
			_exit(1);
		close(go[0]);
		return 0;
	}
	if (pid > 0) {
		visits[n_visits++] = (struct visit){ pid, a->who.uid };
		own_close(&a->fd);
	}
	own_close(&up);
	close(go[1]);
	close(go[0]);
	return pid < 0 ? -EAGAIN : pid;
}

/* What is left open in the end costs its user as much as us: what he has sent and nobody read is counted for him. */
static void bury(const struct door *d, struct arrival *a, unsigned n)
{
	if (prove_clean(a->fd))
		own_close(&a->fd);
	else if (n < BURIALS && hand_over(d, a, -1) == 0)
		_exit(0);
}

static void refuse(const struct door *d, struct arrival *a, unsigned most)
{
	struct err why;

	(void)fail(&why, E2BIG, "uid %u has %u connections to oshd, no more than are its share: close one first",
		 a->who.uid, most);
	if (hand_over(d, a, -1) != 0)
		return;
	cage_narrow();
	serve_refusal(a->fd, &why);
	_exit(0);
}

static void announce(const struct door *d, const struct arrival *a, int calls)
{
	struct osh_msg_caller m = a->who;
	int fds[] = { calls, a->pidfd };

	(void)chan_send(d->oshd, OSH_MSG_CALLER, &m, sizeof(m), fds, ARRAY_SIZE(fds));
}

static void admit(const struct door *d, struct arrival *a)
{
	_close_ int up = -1, down = -1;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	up = pair[0];
	down = pair[1];
	pid = hand_over(d, a, take_fd(&up));
	if (pid < 0)
		return;
	if (pid > 0) {
		announce(d, a, down);
		return;
	}
	own_close(&down);
	own_close(&a->pidfd);
	(void)setsockopt(a->fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){ 1 }, sizeof(int));
	cage_narrow();
	serve_calls(a->fd, pair[0], &d->mounts);
	_exit(0);
}

/* false = there is no room for another now. */
static bool arrive(const struct door *d)
{
	struct arrival a = { .fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC), .pidfd = -1 };
	unsigned mine, most;

	if (a.fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
	if (ask_kernel(&a) < 0)
		a.who.uid = (uid_t)-1;
	mine = visits_of(a.who.uid);
	most = a.who.uid == (uid_t)-1 ? 0 : share(a.who.uid, mine);
	if (mine < most)
		admit(d, &a);
	else if (most && mine < most + REFUSALS)
		refuse(d, &a, most);
	if (a.fd >= 0)
		bury(d, &a, mine > most + REFUSALS ? mine - most - REFUSALS : 0);
	own_close(&a.pidfd);
	return a.fd < 0;
}

static void on_child(int sig)
{
	(void)sig;			/* ends a wait */
}

void door_keep(const struct door *d)
{
	struct sigaction sa = { .sa_handler = on_child };
	struct pollfd p[] = { { d->oshd, POLLIN, 0 }, { d->listener, POLLIN, 0 } };

	sigaction(SIGCHLD, &sa, NULL);
	/* What is sent before somebody is there to look at it is refused, where the kernel can. */
	(void)setsockopt(d->listener, SOL_SOCKET, SO_PASSRIGHTS, &(int){ 0 }, sizeof(int));
	for (;;) {
		bool room = true;

		reap();
		p[0].revents = p[1].revents = 0;
		if (poll(p, ARRAY_SIZE(p), 1000) < 0 && errno != EINTR)
			return;
		if (p[0].revents)	/* oshd never says anything */
			return;
		if (p[1].revents)
			room = arrive(d);
		if (!room)
			(void)poll(p, 1, PAUSE_MS);
	}
}
