/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "event.h"
#include "own.h"
#include "relay.h"
#include "rules/rules.h"
#include "text.h"

#define ACCEPTS 64			/* connections taken in one round */
#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

enum flow_state { FLOW_DEAD, FLOW_DIAL, FLOW_RELAY };

struct flow {
	TAILQ_ENTRY(flow) link;
	struct flows *fs;
	enum flow_state state;
	struct watch client;
	struct timer idle;
	struct grant *grant;
	bool named;
	struct dial dial;		/* its socket is the upstream for the flow's life */
	struct relay relay;
};

static void bury(struct flow *f)
{
	f->state = FLOW_DEAD;
	grant_put(f->grant);
	f->grant = NULL;
	TAILQ_REMOVE(&f->fs->live, f, link);
	TAILQ_INSERT_TAIL(&f->fs->dead, f, link);
}

static void flow_end(struct flow *f, bool hard)
{
	struct flows *fs = f->fs;

	if (f->state == FLOW_DEAD)
		return;
	loop_disarm(fs->loop, &f->idle);
	relay_done(&f->relay);
	dial_end(&f->dial, hard);
	loop_unwatch(fs->loop, &f->client);
	if (!hard)
		(void)socket_hard(f->client.fd, 0);
	close(f->client.fd);
	f->client.fd = -1;
	fs->n--;
	bury(f);
}

/* Denies for the address that was tried last, or for the destination itself. */
static void deny(struct flow *f, enum osh_reason why)
{
	uint16_t port = f->grant->target.port;
	struct ip addr = f->dial.fs ? dial_addr(&f->dial, &port) : f->grant->target.addr;
	struct osh_event_named ev = event_of(f->grant, OSH_DENY, why, &addr, port);

	(void)records_put(&f->fs->records, &ev);	/* denied either way */
	flow_end(f, true);
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
		loop_arm(f->fs->loop, &f->idle, TIMER_NOW);
		return;
	case RELAY_WAIT:
		if (failed)
			flow_end(f, true);
		else
			loop_arm(f->fs->loop, &f->idle, TIMER_IDLE);
		return;
	}
}

static void on_upstream(struct watch *w, uint32_t events)
{
	pump(container_of(w, struct flow, dial.w), events & EPOLLERR);
}

static void on_dialled(struct dial *d, enum osh_reason why)
{
	struct flow *f = container_of(d, struct flow, dial);
	struct osh_event_named ev;
	struct ip addr;
	uint16_t port;

	if (why != OSH_WHY_ALLOWED) {
		deny(f, why);
		return;
	}
	addr = dial_addr(d, &port);
	ev = event_of(f->grant, OSH_ALLOW, why, &addr, port);
	if (!records_put(&f->fs->records, &ev)) {
		flow_end(f, true);
		return;
	}
	f->state = FLOW_RELAY;
	d->w.fn = on_upstream;
	relay_init(&f->relay, f->client.fd, d->w.fd);
	pump(f, false);
}

/* Before the relay only its loss is news: bytes of an eager client wait in its socket. */
static void on_client(struct watch *w, uint32_t events)
{
	struct flow *f = container_of(w, struct flow, client);

	if (f->state == FLOW_RELAY)
		pump(f, events & EPOLLERR);
	else if (events & (EPOLLERR | EPOLLHUP))
		deny(f, OSH_WHY_UPSTREAM);
}

static void on_idle(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, idle);

	if (t->class == TIMER_NOW)
		pump(f, false);
	else
		flow_end(f, true);
}

void flow_relay(struct flows *fs, int fd, struct grant *g, bool named)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f) {
		flow_refuse(fs, fd, g, OSH_WHY_INTERNAL);
		return;
	}
	f->fs = fs;
	f->state = FLOW_DIAL;
	f->grant = grant_ref(g);
	f->named = named;
	f->client = (struct watch){ fd, on_client };
	f->idle.fn = on_idle;
	f->dial.done = on_dialled;
	f->dial.w.fd = -1;
	TAILQ_INSERT_TAIL(&fs->live, f, link);
	if (loop_watch(fs->loop, &f->client, EDGES) < 0)
		deny(f, OSH_WHY_INTERNAL);
	else
		dial_start(&f->dial, fs, f->grant);
}

void flow_refuse(struct flows *fs, int fd, const struct grant *g, enum osh_reason why)
{
	struct osh_event_named ev = event_of(g, OSH_DENY, why, &g->target.addr, g->target.port);

	(void)records_put(&fs->records, &ev);	/* denied either way */
	close(fd);
	fs->n--;
}

/* Where the client wanted to go, and who it is: both as the kernel says. NULL = out of memory. */
static struct grant *judge(struct flows *fs, int fd)
{
	struct target nobody = { 0 };
	struct grant *g;
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa), mark_len = sizeof(uint32_t);
	uint32_t mark = 0;
	struct ip dst;

	memset(&sa, 0, sizeof(sa));
	if (getsockname(fd, (void *)&sa, &len) < 0 || sa.sin6_family != AF_INET6 ||
	    getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &mark_len) < 0) {
		g = grant_own(generation_now(&fs->policies), &nobody);
		if (g)
			g->why = OSH_WHY_INTERNAL;
		return g;
	}
	memcpy(dst.b, &sa.sin6_addr, sizeof(dst.b));
	/* The mark was read first: what it says of the policy in force cannot be news to the table. */
	return grant_new(generation_now(&fs->policies), &dst, ntohs(sa.sin6_port), mark);
}

/* Relayed as it is, or looked into. */
static void admit(struct flows *fs, int fd, struct grant *g)
{
	const struct bundle *b = &g->policy->bundle;

	if (rules_skip_tls(b, &g->target))
		conn_start(fs, fd, g, true);
	else if (rules_inspect(b, &g->target))
		conn_start(fs, fd, g, false);
	else
		flow_relay(fs, fd, g, false);
}

static void take(struct flows *fs, int fd)
{
	struct grant *g = judge(fs, fd);
	enum osh_reason why;
	int on = 1;

	if (!g) {			/* no memory, not even for a reason */
		records_release(&fs->records);
		close(fd);
		return;
	}
	why = g->why;
	fs->n++;
	if (why == OSH_WHY_ALLOWED && fs->n > OSH_EGRESS_CONNS && !conn_make_room(fs))
		why = OSH_WHY_LIMIT;
	if (why != OSH_WHY_ALLOWED) {
		flow_refuse(fs, fd, g, why);
		grant_put(g);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	admit(fs, fd, g);
	grant_put(g);
}

/* What it is allowed to do now is not what it was allowed to do. */
static void take_back(struct flow *f, enum osh_reason why, const char *detail)
{
	struct osh_http more = { 0 };
	struct osh_event_named ev;
	uint16_t port;
	struct ip addr = dial_addr(&f->dial, &port);

	ev = event_of(f->grant, OSH_DENY, OSH_WHY_REVOKED, &addr, port);
	snprintf(more.detail, sizeof(more.detail), "%s", *detail ? detail : reason_text(why));
	if (f->state == FLOW_DIAL || records_reserve_last(&f->fs->records))
		(void)records_put_http(&f->fs->records, &ev, &more);	/* it ends either way */
	flow_end(f, true);
}

/* Nothing of it was read yet, so it is as if it came now. */
static void admit_again(struct flow *f, struct grant *g)
{
	struct flows *fs = f->fs;
	int fd = f->client.fd;

	loop_disarm(fs->loop, &f->idle);
	dial_end(&f->dial, true);
	loop_unwatch(fs->loop, &f->client);
	f->client.fd = -1;
	bury(f);			/* descriptor, reservation and count go on */
	admit(fs, fd, g);
}

static void again(struct flow *f, struct grant *g)
{
	const struct bundle *b = &g->policy->bundle;
	bool name = rules_skip_tls(b, &g->target), inside = !name && rules_inspect(b, &g->target);
	enum osh_reason why = g->why;
	bool dialling = f->state == FLOW_DIAL;

	grant_move(&f->grant, g);
	if (why == OSH_WHY_ALLOWED && (inside || (name && !f->named))) {
		if (dialling && !f->named)
			admit_again(f, g);
		else
			take_back(f, why, "the policy in force wants to look into it");
		return;
	}
	if (why == OSH_WHY_ALLOWED)
		why = dial_again(&f->dial, g);
	if (why != OSH_WHY_ALLOWED)
		take_back(f, why, "");
}

void flows_again(struct flows *fs)
{
	struct generation *p = fs->policies.now;
	struct flow *f, *next;

	for (f = TAILQ_FIRST(&fs->live); f; f = next) {
		struct grant *g = f->grant->policy == p ? NULL : grant_again(p, f->grant);

		next = TAILQ_NEXT(f, link);	/* what begins anew is at the end, and up to date */
		if (g)
			again(f, g);
		else if (f->grant->policy != p)
			flow_end(f, true);	/* no memory to judge it */
		grant_put(g);
	}
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
			(void)socket_hard(fd, 1);
			take(fs, fd);
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

	TAILQ_INIT(&fs->live);
	TAILQ_INIT(&fs->dead);
	TAILQ_INIT(&fs->conns);
	pool_init(&fs->pool);
	exchanges_init(fs);
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
	exchange_resume_all(fs);
	pool_resume(fs);
	if (fs->records.dead) {
		fs->loop->stop = 1;
	} else if (fs->paused && !fs->retry.due_ms && records_room(&fs->records)) {
		accept_pause(fs, false);
	}
	return fs->loop->stop ? 0 : names_before(&fs->names);
}
