/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "own.h"
#include "relay.h"

#define ACCEPTS 64			/* connections taken in one round */
#define ADDRS NAMES_ADDRS
#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

enum flow_state { FLOW_DEAD, FLOW_RESOLVE, FLOW_DIAL, FLOW_RELAY };

struct flow {
	TAILQ_ENTRY(flow) link;
	struct flows *fs;
	enum flow_state state;
	struct watch client, upstream;
	struct timer whole, dial;	/* `whole` is the idle timer once relaying */
	struct target target;
	struct name_wait wait;
	struct relay relay;
	int n, at;			/* addresses to dial; the next one */
	struct {
		struct ip addr;
		uint16_t port;
	} to[ADDRS];
};

static void fill_event(const struct flow *f, struct osh_event_named *ev, enum osh_verdict verdict,
		       enum osh_reason why, const struct ip *addr, uint16_t port)
{
	const struct target *t = &f->target;

	*ev = (struct osh_event_named){ .ev = {
		.id = f->fs->table.id, .generation = f->fs->table.generation,
		.kind = OSH_EV_EGRESS, .verdict = verdict, .why = why,
		.ident = t->ident, .rule = t->rule, .host = t->host,
		.port = port, .aux = t->port,
		.family = ip_is4(addr) ? AF_INET : AF_INET6,
		.name_len = (uint32_t)strlen(t->name),
	} };
	memcpy(ev->ev.addr_be, addr->b, 16);
	memcpy(ev->name, t->name, sizeof(ev->name));
}

/*
 * Every socket is set to end in a reset from its first moment, so that nobody takes a cut for the
 * whole, not even when this process is killed. Only an orderly end takes that back.
 */
static int set_hard(int fd, int on)
{
	struct linger now = { on, 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void drop_upstream(struct flow *f, bool hard)
{
	if (f->upstream.fd < 0)
		return;
	loop_unwatch(f->fs->loop, &f->upstream);
	if (!hard)
		(void)set_hard(f->upstream.fd, 0);
	close(f->upstream.fd);
	f->upstream.fd = -1;
}

static void flow_end(struct flow *f, bool hard)
{
	struct flows *fs = f->fs;

	if (f->state == FLOW_DEAD)
		return;
	f->state = FLOW_DEAD;
	names_cancel(&f->wait);
	loop_disarm(fs->loop, &f->whole);
	loop_disarm(fs->loop, &f->dial);
	relay_done(&f->relay);
	drop_upstream(f, hard);
	loop_unwatch(fs->loop, &f->client);
	if (!hard)
		(void)set_hard(f->client.fd, 0);
	close(f->client.fd);
	f->client.fd = -1;
	fs->n--;
	TAILQ_INSERT_TAIL(&fs->dead, f, link);
}

static void deny(struct flow *f, enum osh_reason why, const struct ip *addr, uint16_t port)
{
	struct osh_event_named ev;

	fill_event(f, &ev, OSH_DENY, why, addr, port);
	(void)records_put(&f->fs->records, &ev);	/* denied either way */
	flow_end(f, true);
}

/* Denies for the address that was tried last, or for the destination itself. */
static void deny_here(struct flow *f, enum osh_reason why)
{
	int last = f->at - 1;

	if (last >= 0)
		deny(f, why, &f->to[last].addr, f->to[last].port);
	else
		deny(f, why, &f->target.addr, f->target.port);
}

static void pump(struct flow *f, bool failed)
{
	switch (relay_pump(&f->relay)) {
	case RELAY_RESET:
		flow_end(f, true);
		return;
	case RELAY_DONE:
		flow_end(f, false);
		return;
	case RELAY_MORE:
		loop_arm(f->fs->loop, &f->whole, TIMER_NOW);
		return;
	case RELAY_WAIT:
		if (failed)
			flow_end(f, true);
		else
			loop_arm(f->fs->loop, &f->whole, TIMER_IDLE);
		return;
	}
}

static void connected(struct flow *f)
{
	struct osh_event_named ev;
	int on = 1, last = f->at - 1;

	loop_disarm(f->fs->loop, &f->dial);
	loop_disarm(f->fs->loop, &f->whole);
	fill_event(f, &ev, OSH_ALLOW, OSH_WHY_ALLOWED, &f->to[last].addr, f->to[last].port);
	if (!records_put(&f->fs->records, &ev)) {
		flow_end(f, true);
		return;
	}
	for (int i = 0; i < 2; i++) {
		int fd = i ? f->upstream.fd : f->client.fd;

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	f->state = FLOW_RELAY;
	relay_init(&f->relay, f->client.fd, f->upstream.fd);
	pump(f, false);
}

static void on_upstream(struct watch *w, uint32_t events);

/* 1 = under way, 0 = failed at once. */
static int dial_one(struct flow *f, const struct ip *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = ip_sockaddr(addr, port, &ss);
	_close_ int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || set_hard(fd, 1) < 0 ||
	    (connect(fd, (void *)&ss, len) < 0 && errno != EINPROGRESS))
		return 0;
	f->upstream = (struct watch){ fd, on_upstream };
	if (loop_watch(f->fs->loop, &f->upstream, EDGES) < 0) {
		f->upstream.fd = -1;
		return 0;
	}
	take_fd(&fd);
	loop_arm(f->fs->loop, &f->dial, TIMER_DIAL);
	return 1;
}

static void dial_next(struct flow *f)
{
	f->state = FLOW_DIAL;
	drop_upstream(f, true);
	while (f->at < f->n) {
		int i = f->at++;

		if (dial_one(f, &f->to[i].addr, f->to[i].port))
			return;
	}
	deny_here(f, OSH_WHY_UPSTREAM);
}

static void on_upstream(struct watch *w, uint32_t events)
{
	struct flow *f = container_of(w, struct flow, upstream);
	int error = 0;
	socklen_t n = sizeof(error);

	if (f->state == FLOW_RELAY) {
		pump(f, events & EPOLLERR);
		return;
	}
	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error)
		dial_next(f);
	else
		connected(f);
}

/* Before the relay only its loss is news: bytes of an eager client wait in its socket. */
static void on_client(struct watch *w, uint32_t events)
{
	struct flow *f = container_of(w, struct flow, client);

	if (f->state == FLOW_RELAY)
		pump(f, events & EPOLLERR);
	else if (events & (EPOLLERR | EPOLLHUP))
		deny_here(f, OSH_WHY_UPSTREAM);
}

static void on_dial_timer(struct timer *t)
{
	dial_next(container_of(t, struct flow, dial));
}

static void on_whole_timer(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, whole);

	if (f->state != FLOW_RELAY)
		deny_here(f, f->state == FLOW_RESOLVE ? OSH_WHY_RESOLVE : OSH_WHY_UPSTREAM);
	else if (t->class == TIMER_NOW)
		pump(f, false);
	else
		flow_end(f, true);
}

/* One bad address among good ones is dropped and has a record of its own. */
static bool record_dropped(struct flow *f, enum osh_reason why, const struct ip *addr)
{
	struct osh_event_named ev;

	if (!records_reserve(&f->fs->records))
		return false;
	fill_event(f, &ev, OSH_DENY, why, addr, f->target.port);
	return records_put(&f->fs->records, &ev);
}

static void on_names(struct name_wait *w, const struct ip *addrs, int n)
{
	struct flow *f = container_of(w, struct flow, wait);
	enum osh_reason bad_why = OSH_WHY_RESOLVE;
	struct ip bad = { 0 };

	for (int i = 0; i < n && f->n < ADDRS; i++) {
		enum osh_reason why = addr_judge(f->fs->table.bundle, f->target.host,
						  f->target.port, &addrs[i]);

		if (why == OSH_WHY_ALLOWED) {
			f->to[f->n].addr = addrs[i];
			f->to[f->n++].port = f->target.port;
		} else if (bad_why == OSH_WHY_RESOLVE) {
			bad_why = why;
			bad = addrs[i];
		}
	}
	if (!f->n)
		deny(f, bad_why, &bad, f->target.port);
	else if (bad_why != OSH_WHY_RESOLVE && !record_dropped(f, bad_why, &bad))
		deny(f, OSH_WHY_LIMIT, &bad, f->target.port);
	else
		dial_next(f);
}

/* The operator's own addresses come first and are not judged. */
static void find_upstream(struct flow *f)
{
	const struct hosts_entry *h;
	size_t at = 0;

	if (f->target.literal) {
		f->to[0].addr = f->target.addr;
		f->to[0].port = f->target.port;
		f->n = 1;
	}
	while (!f->target.literal && f->n < ADDRS &&
	       (h = hosts_next(&f->fs->hosts, f->target.name, &at))) {
		f->to[f->n].addr = h->addr;
		f->to[f->n++].port = h->port ? h->port : f->target.port;
	}
	if (f->n)
		dial_next(f);
	else
		names_get(&f->fs->names, f->target.name, &f->wait);
}

/* Where the client wanted to go, and who it is: both as the kernel says. */
static enum osh_reason judge(struct flow *f)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa), mark_len = sizeof(uint32_t);
	uint32_t mark = 0;
	struct ip dst;

	memset(&sa, 0, sizeof(sa));
	if (getsockname(f->client.fd, (void *)&sa, &len) < 0 || sa.sin6_family != AF_INET6 ||
	    getsockopt(f->client.fd, SOL_SOCKET, SO_MARK, &mark, &mark_len) < 0)
		return OSH_WHY_INTERNAL;
	memcpy(dst.b, &sa.sin6_addr, sizeof(dst.b));
	return table_judge(&f->fs->table, &dst, ntohs(sa.sin6_port), mark, &f->target);
}

static void flow_new(struct flows *fs, int fd)
{
	struct flow *f = calloc(1, sizeof(*f));
	enum osh_reason why;

	if (!f) {
		fs->records.reserved--;		/* nothing was decided: the peer sees a reset */
		close(fd);
		return;
	}
	f->fs = fs;
	f->state = FLOW_RESOLVE;
	f->client = (struct watch){ fd, on_client };
	f->upstream.fd = -1;
	f->whole.fn = on_whole_timer;
	f->dial.fn = on_dial_timer;
	f->wait.fn = on_names;
	fs->n++;
	why = judge(f);
	if (why == OSH_WHY_ALLOWED && fs->n > OSH_EGRESS_CONNS)
		why = OSH_WHY_LIMIT;
	if (why == OSH_WHY_ALLOWED && loop_watch(fs->loop, &f->client, EDGES) < 0)
		why = OSH_WHY_INTERNAL;
	if (why != OSH_WHY_ALLOWED) {
		deny_here(f, why);
		return;
	}
	loop_arm(fs->loop, &f->whole, TIMER_CONNECT);
	find_upstream(f);
}

static void accept_pause(struct flows *fs, bool pause)
{
	if (fs->paused != pause)
		(void)loop_rewatch(fs->loop, &fs->listener, pause ? 0 : EPOLLIN);
	fs->paused = pause;
}

static void on_retry(struct timer *t)
{
	accept_pause(container_of(t, struct flows, retry), false);
}

static void on_listener(struct watch *w, uint32_t events)
{
	struct flows *fs = container_of(w, struct flows, listener);

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd;

		if (!records_reserve(&fs->records)) {
			accept_pause(fs, true);
			return;
		}
		fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			(void)set_hard(fd, 1);
			flow_new(fs, fd);
			continue;
		}
		fs->records.reserved--;
		if (errno == EAGAIN)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			accept_pause(fs, true);
			loop_arm(fs->loop, &fs->retry, TIMER_GRACE);
			return;
		}
	}
}

int flows_start(struct flows *fs, int listener_fd, struct err *e)
{
	int r;

	TAILQ_INIT(&fs->dead);
	fs->listener = (struct watch){ listener_fd, on_listener };
	fs->retry.fn = on_retry;
	r = loop_watch(fs->loop, &fs->listener, EPOLLIN);
	return r < 0 ? fail(e, -r, "watch the listener: %s", strerror(-r)) : 0;
}

/* Without audit nothing is decided: this process ends and oshd starts one that has an audit again. */
int flows_before(struct flows *fs)
{
	struct flow *f;

	while ((f = TAILQ_FIRST(&fs->dead))) {
		TAILQ_REMOVE(&fs->dead, f, link);
		free(f);
	}
	if (fs->records.dead) {
		fs->loop->stop = 1;
	} else if (fs->paused && !fs->retry.due_ms &&
		   fs->records.n + fs->records.reserved < RECORDS) {
		accept_pause(fs, false);
	}
	return fs->loop->stop ? 0 : names_before(&fs->names);
}
