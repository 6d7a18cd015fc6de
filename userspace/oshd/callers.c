/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An osh-front that ends is replaced, with a new socket: the old one, and what is queued in it, was its alone. Nobody
 * waits for its end, since it may be closing what it was sent.
 */
#include "callers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bus.h"
#include "caller.h"
#include "chan.h"
#include "own.h"
#include "spawn.h"

#define REST_US 500000			/* between two starts: one that cannot live is no reason to spin */
#define BACKLOG 4096		/* as many as a few hostile users can have waiting; taking one is a matter of microseconds */
#define STOP_MS 1000

struct callers {
	int given;			/* the listening socket, where who started us listens on when we are gone; else -1 */
	int fd, pidfd;
	pid_t pid;
	sd_event_source *io, *exited, *again;
};

static int make_listener(const char *path, int *ret, struct err *e)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		return fail(e, ENAMETOOLONG, "socket path '%s' is too long", path);
	strcpy(a.sun_path, path);
	unlink(path);			/* ours: the lock on the run directory is held */
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return fail(e, errno, "listen on '%s': %s", path, strerror(errno));
	*ret = take_fd(&fd);
	return 0;
}

/* By systemd, say (oshd.socket): 1 = yes. Anything else than that one socket would be served by nobody. */
static int take_given(struct daemon *d, struct err *e)
{
	int n = sd_listen_fds(1);

	if (!n)
		return 0;
	if (n != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, d->bus_path, 0) <= 0)
		return fail(e, EINVAL, "started with %d sockets; takes one, a stream socket that listens at '%s'", n,
			    d->bus_path);
	d->callers->given = SD_LISTEN_FDS_START;
	if (fcntl(d->callers->given, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return fail(e, errno, "socket '%s': %s", d->bus_path, strerror(errno));
	return 1;
}

static void on_caller(struct daemon *d, const struct osh_msg_caller *m, struct chan_in *in)
{
	struct caller who = { .d = d, .uid = m->uid, .gid = m->gid };
	struct err e = { 0 };
	int r;

	who.n_groups = m->n_groups < OSH_GROUPS_CALLER ? m->n_groups : OSH_GROUPS_CALLER;
	memcpy(who.groups, m->groups, who.n_groups * sizeof(gid_t));
	r = caller_check((pid_t)m->pid, in->fds[1], &e);
	if (!r)
		r = bus_serve_caller(chan_take(in, 0), &who, &e);
	if (r < 0)
		fprintf(stderr, "oshd: caller refused: %s\n", e.text);
}

static int on_message(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct daemon *d = data;
	struct callers *c = d->callers;
	const struct osh_msg_caller *m;
	struct chan_in in;
	int r = chan_recv_now(fd, &in);

	(void)s;
	(void)events;
	if (r > 0 && (m = chan_is(&in, OSH_MSG_CALLER, sizeof(*m), 2)))
		on_caller(d, m, &in);
	if (r > 0) {
		chan_in_done(&in);
	} else if (r == -EBADMSG) {	/* no descriptor was free for it: that caller is refused, the others live */
		fprintf(stderr, "oshd: a caller refused: too many open files\n");
	} else if (r != -EAGAIN) {
		c->io = sd_event_source_disable_unref(c->io);
		kill(c->pid, SIGKILL);	/* our child, not yet reaped: the pid is still its own */
	}
	return 0;
}

static int start(struct daemon *d, struct err *e);

static int on_again(sd_event_source *s, uint64_t usec, void *data);

static void rest(struct daemon *d)
{
	if (sd_event_add_time_relative(d->event, &d->callers->again, CLOCK_MONOTONIC, REST_US, 0, on_again, d) < 0)
		sd_event_exit(d->event, 1);
}

static int on_again(sd_event_source *s, uint64_t usec, void *data)
{
	struct daemon *d = data;
	struct err e = { 0 };

	(void)s;
	(void)usec;
	d->callers->again = sd_event_source_disable_unref(d->callers->again);
	if (start(d, &e) < 0) {
		fprintf(stderr, "oshd: %s\n", e.text);
		rest(d);
	}
	return 0;
}

static void forget(struct callers *c)
{
	c->io = sd_event_source_disable_unref(c->io);
	c->exited = sd_event_source_disable_unref(c->exited);
	own_close(&c->fd);
	own_close(&c->pidfd);
}

/* Where it does not go in time, the next oshd's machine still has it, and nobody else. */
static void end(struct callers *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		(void)poll(&p, 1, STOP_MS);
		waitpid(c->pid, NULL, WNOHANG);
	}
	c->pid = 0;
	forget(c);
}

static int on_exited(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct daemon *d = data;

	(void)s;
	(void)fd;
	(void)events;
	waitpid(d->callers->pid, NULL, 0);
	d->callers->pid = 0;
	forget(d->callers);
	fprintf(stderr, "oshd: osh-front ended; starting another\n");
	rest(d);
	return 0;
}

static int start(struct daemon *d, struct err *e)
{
	_close_ int listener = -1, theirs = -1;
	struct callers *c = d->callers;
	char uid[16];
	char *argv[] = { (char *)"osh-front", uid, NULL };
	int pair[2], r = c->given >= 0 ? 0 : make_listener(d->bus_path, &listener, e);

	if (r < 0)
		return r;
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	c->fd = pair[0];
	theirs = pair[1];
	snprintf(uid, sizeof(uid), "%u", OSH_UID_FRONT);
	r = spawn_role(d->libexec_fd, "osh-front", argv, (int[]){ c->given >= 0 ? c->given : listener, theirs }, 2, &c->pid, &c->pidfd, e);
	if (!r && (sd_event_add_io(d->event, &c->io, c->fd, EPOLLIN, on_message, d) < 0 ||
		   sd_event_add_io(d->event, &c->exited, c->pidfd, EPOLLIN, on_exited, d) < 0))
		r = fail(e, ENOMEM, "watch osh-front: out of memory");
	if (r < 0)
		end(c);
	return r;
}

int callers_open(struct daemon *d, struct err *e)
{
	int r;

	d->callers = calloc(1, sizeof(*d->callers));
	if (!d->callers)
		return fail(e, ENOMEM, "out of memory");
	d->callers->fd = d->callers->pidfd = d->callers->given = -1;
	r = take_given(d, e);
	return r < 0 ? r : start(d, e);
}

void callers_close(struct daemon *d)
{
	struct callers *c = d->callers;

	if (!c)
		return;
	if (c->given < 0)
		unlink(d->bus_path);
	sd_event_source_disable_unref(c->again);
	end(c);
	own_close(&c->given);
	free(c);
	d->callers = NULL;
}
