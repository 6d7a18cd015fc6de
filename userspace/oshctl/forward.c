/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread. A connection is nobody's until the kernel has said whose it is; until then not a byte of it
 * is read, and the sandbox does not hear of it.
 */
#include "forward.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "forward_pipe.h"
#include "osh/limits.h"
#include "own.h"
#include "peer_uid.h"
#include "say.h"

#define ASKING_MAX (OSH_SESSIONS / 2)	/* others have sessions too */

struct conn {
	struct conn *next;
	struct pipe_pair pair;		/* fd[1] is the session while it asks */
	struct forward_port *port;
	bool asking, over;
	uint32_t wants[2];		/* what epoll watches */
};

struct source {				/* of an event: a port, or one side of a connection */
	struct conn *conn;
	struct forward_port *port;
};

struct forward {
	struct sessions *s;
	const char *socket;
	struct forward_port *ports;
	unsigned n_ports;
	int epoll;
	struct conn *first;
	unsigned n, n_asking;
	bool full;			/* nothing is accepted at the moment */
};

static int watch(struct forward *f, int op, int fd, uint32_t events, void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	return epoll_ctl(f->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

/* A port's pointer lies in the array of them; any other is a connection's. */
static struct forward_port *port_of(const struct forward *f, void *data)
{
	char *p = data, *first = (char *)f->ports;

	return p >= first && p < first + f->n_ports * sizeof(*f->ports) ? data : NULL;
}

/* As many as can be served are accepted; the others wait in the kernel's queue. */
static void accept_more(struct forward *f)
{
	bool full = f->n >= OSH_FORWARD_CONNS || f->n_asking >= ASKING_MAX;

	if (full == f->full)
		return;
	for (unsigned i = 0; i < f->n_ports; i++)
		(void)watch(f, EPOLL_CTL_MOD, f->ports[i].fd, full ? 0 : EPOLLIN, &f->ports[i]);
	f->full = full;
}

static void asked(struct forward *f, struct conn *c)
{
	f->n_asking -= c->asking;
	c->asking = false;
}

static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));	/* an end that nobody takes for a whole answer */
}

/* By hand: who sent us a descriptor may still hold its file, and then closing ours would not end the watch. */
static void unwatch(struct forward *f, int *fd)
{
	if (*fd >= 0)
		(void)epoll_ctl(f->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close(fd);
}

static void end(struct forward *f, struct conn *c, bool badly)
{
	for (int i = 0; badly && i < 2; i++)
		if (!c->asking || !i)
			reset(c->pair.fd[i]);
	asked(f, c);
	unwatch(f, &c->pair.fd[0]);
	unwatch(f, &c->pair.fd[1]);
	c->over = true;			/* freed when no event of this turn can name it */
	f->n--;
}

static void sweep(struct forward *f)
{
	for (struct conn **at = &f->first; *at;) {
		struct conn *c = *at;

		if (c->over) {
			*at = c->next;
			free(c);
		} else {
			at = &c->next;
		}
	}
}

static void move(struct forward *f, struct conn *c)
{
	int r = pipe_move(&c->pair);

	if (r) {
		end(f, c, r < 0);
		return;
	}
	for (int i = 0; i < 2; i++) {
		uint32_t wants = pipe_wants(&c->pair, i);

		if (wants == c->wants[i])
			continue;
		/* Without wants it is taken out: a hang-up would be told for ever. */
		(void)watch(f, !wants ? EPOLL_CTL_DEL : c->wants[i] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->pair.fd[i], wants, c);
		c->wants[i] = wants;
	}
}

/* osh-init's word: the inside end, or why there is none. */
static void on_dialled(struct forward *f, struct conn *c)
{
	const struct osh_msg_failed *bad;
	struct chan_in in;
	int r = chan_recv(c->pair.fd[1], &in), one = 1, fd = -1;

	if (r > 0 && chan_is(&in, OSH_MSG_INIT_FD, sizeof(struct osh_msg_id), 1))
		fd = chan_take(&in, 0);
	else if (r > 0 && (bad = chan_is(&in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0)))
		say_error("%s: %.*s", c->port->name, (int)sizeof(bad->text), bad->text);
	else
		say_error("%s: the sandbox has ended", c->port->name);
	if (r > 0)
		chan_in_done(&in);
	if (fd < 0) {
		end(f, c, true);
		return;
	}
	asked(f, c);
	unwatch(f, &c->pair.fd[1]);
	c->pair.fd[1] = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->wants[0] = c->wants[1] = 0;
	move(f, c);
}

/* A session, over another bus where oshd has been started anew. */
static int open_session(struct forward *f, int *ret_fd, struct err *e)
{
	const char *name = f->s->name;
	int r = session_open(f->s, 0, ret_fd, e);

	if (!r)
		return 0;
	sessions_done(f->s);
	r = sessions_init(f->s, f->socket, name, e);
	return r ? r : session_open(f->s, 0, ret_fd, e);
}

static int begin(struct forward *f, struct conn *c, struct err *e)
{
	struct osh_msg_status m = { .value = c->port->inside };
	int r = open_session(f, &c->pair.fd[1], e);

	if (!r && (r = chan_send(c->pair.fd[1], OSH_MSG_INIT_DIAL, &m, sizeof(m), NULL, 0)) < 0)
		r = fail(e, -r, "the sandbox does not answer: %s", strerror(-r));
	if (!r && (r = watch(f, EPOLL_CTL_ADD, c->pair.fd[1], EPOLLIN, c)) < 0)
		r = fail(e, -r, "watch a session: %s", strerror(-r));
	return r;
}

static int local_uid(int fd, uid_t *ret, struct err *e)
{
	struct ucred c;
	socklen_t n = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
		return fail(e, errno, "whose connection it is: %s", strerror(errno));
	*ret = c.uid;
	return 0;
}

static bool is_ours(const struct forward_port *p, int fd)
{
	struct err e = { 0 };
	uid_t uid = (uid_t)-1;
	int r = p->local ? local_uid(fd, &uid, &e) : peer_uid(fd, &uid, &e);

	if (r < 0)
		say_error("%s: a connection is refused: %s", p->name, e.text);
	else if (uid != getuid())
		say_error("%s: a connection of uid %u is refused", p->name, uid);
	return !r && uid == getuid();
}

static void on_port(struct forward *f, struct forward_port *p)
{
	_close_ int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e = { 0 };
	struct conn *c;
	int one = 1;

	if (fd < 0)
		return;
	if (!is_ours(p, fd) || !(c = calloc(1, sizeof(*c)))) {
		reset(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->next = f->first;
	c->pair.fd[0] = take_fd(&fd);
	c->pair.fd[1] = -1;
	c->port = p;
	c->asking = true;
	f->first = c;
	f->n++;
	f->n_asking++;
	if (begin(f, c, &e) < 0) {
		say_error("%s: %s", p->name, e.text);
		end(f, c, true);
	}
}

static void on_event(struct forward *f, void *data)
{
	struct forward_port *p = port_of(f, data);
	struct conn *c = data;

	if (p)
		on_port(f, p);
	else if (!c->over && c->asking)
		on_dialled(f, c);
	else if (!c->over)
		move(f, c);
}

static int prepare(struct forward *f, struct err *e)
{
	struct rlimit l;
	int r = 0;

	if (!getrlimit(RLIMIT_NOFILE, &l)) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll < 0)
		return fail(e, errno, "epoll: %s", strerror(errno));
	for (unsigned i = 0; !r && i < f->n_ports; i++)
		r = watch(f, EPOLL_CTL_ADD, f->ports[i].fd, EPOLLIN, &f->ports[i]);
	return r ? fail(e, -r, "watch a port: %s", strerror(-r)) : 0;
}

int forward_run(struct sessions *s, const char *socket, struct forward_port *ports, unsigned n,
		const volatile int *stop, const sigset_t *open, struct err *e)
{
	struct forward f = { .s = s, .socket = socket, .ports = ports, .n_ports = n };
	int r = prepare(&f, e);

	while (!r && !*stop) {
		struct epoll_event ev[64];
		int k = epoll_pwait(f.epoll, ev, 64, -1, open);

		if (k < 0 && errno != EINTR)
			r = fail(e, errno, "wait: %s", strerror(errno));
		for (int i = 0; i < k; i++)
			on_event(&f, ev[i].data.ptr);
		sweep(&f);
		accept_more(&f);
	}
	for (struct conn *c = f.first; c; c = c->next)
		if (!c->over)
			end(&f, c, true);
	sweep(&f);
	own_close(&f.epoll);
	return r;
}
