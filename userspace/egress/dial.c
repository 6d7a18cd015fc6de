/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "across.h"
#include "addr.h"
#include "event.h"
#include "flow.h"
#include "own.h"
#include "proxy.h"

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/*
 * Every socket is set to end in a reset from its first moment, so that nobody takes a cut for the
 * whole, not even when this process is killed.
 */
int socket_hard(int fd, int on)
{
	struct linger now = { on, 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void drop_socket(struct dial *d, bool hard)
{
	if (d->w.fd < 0)
		return;
	loop_unwatch(d->fs->loop, &d->w);
	if (!hard)
		(void)socket_hard(d->w.fd, 0);
	close(d->w.fd);
	d->w.fd = -1;
}

static void stop_waiting(struct dial *d)
{
	names_cancel(&d->wait);
	across_forget(d);
	loop_disarm(d->fs->loop, &d->one);
	loop_disarm(d->fs->loop, &d->whole);
}

void dial_end(struct dial *d, bool hard)
{
	if (!d->fs)
		return;
	stop_waiting(d);
	drop_socket(d, hard);
	grant_put(d->grant);
	d->grant = NULL;
}

int dial_take(struct dial *d)
{
	int fd = d->w.fd;

	loop_unwatch(d->fs->loop, &d->w);
	d->w.fd = -1;
	return fd;
}

struct ip dial_addr(const struct dial *d, uint16_t *ret_port)
{
	if (d->at > 0) {
		*ret_port = d->to[d->at - 1].port;
		return d->to[d->at - 1].addr;
	}
	*ret_port = d->grant->target.port;
	return d->has_bad ? d->bad : d->grant->target.addr;
}

static void finish(struct dial *d, enum osh_reason why)
{
	stop_waiting(d);
	if (why != OSH_WHY_ALLOWED)
		drop_socket(d, true);
	d->done(d, why);
}

static void on_socket(struct watch *w, uint32_t events);

/* 1 = under way, 0 = failed at once. */
static int dial_one(struct dial *d, const struct ip *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = ip_sockaddr(addr, port, &ss);
	_close_ int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || socket_hard(fd, 1) < 0 ||
	    (connect(fd, (void *)&ss, len) < 0 && errno != EINPROGRESS))
		return 0;
	d->w = (struct watch){ fd, on_socket };
	if (loop_watch(d->fs->loop, &d->w, EDGES) < 0) {
		d->w.fd = -1;
		return 0;
	}
	take_fd(&fd);
	loop_arm(d->fs->loop, &d->one, TIMER_DIAL);
	return 1;
}

static void dial_next(struct dial *d)
{
	d->resolving = false;
	drop_socket(d, true);
	while (d->at < d->n) {
		int i = d->at++;

		if (dial_one(d, &d->to[i].addr, d->to[i].port))
			return;
	}
	finish(d, d->elsewhere ? OSH_WHY_NOT_LOCAL : OSH_WHY_UPSTREAM);
}

/* An address of this machine is spoken to from that address: so the kernel's routes have it. Loopback is it anyway. */
static bool is_here(int fd, const struct ip *to)
{
	static const struct ip one = { { [15] = 1 } };
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	if ((ip_is4(to) && to->b[12] == 127) || !memcmp(to, &one, sizeof(one)))
		return true;
	if (getsockname(fd, (void *)&ss, &n) < 0)
		return false;
	if (ss.ss_family == AF_INET)
		return ip_is4(to) && !memcmp(&((struct sockaddr_in *)&ss)->sin_addr, to->b + 12, 4);
	return !memcmp(&((struct sockaddr_in6 *)&ss)->sin6_addr, to->b, sizeof(to->b));
}

static void on_proxy(struct watch *w, uint32_t events)
{
	struct dial *d = container_of(w, struct dial, w);
	int r = proxy_answer(w->fd);

	(void)events;
	if (r)
		finish(d, r > 0 ? OSH_WHY_ALLOWED : OSH_WHY_PROXY);
}

static void on_socket(struct watch *w, uint32_t events)
{
	struct dial *d = container_of(w, struct dial, w);
	int error = 0, on = 1;
	socklen_t n = sizeof(error);

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		dial_next(d);
		return;
	}
	if (d->local && !is_here(w->fd, &d->to[d->at - 1].addr)) {
		d->elsewhere = true;
		dial_next(d);
		return;
	}
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (!d->proxied) {
		finish(d, OSH_WHY_ALLOWED);
	} else if (proxy_ask(w->fd, &d->grant->target)) {
		loop_disarm(d->fs->loop, &d->one);	/* it has the rest of the whole time */
		w->fn = on_proxy;
	} else {
		finish(d, OSH_WHY_UPSTREAM);
	}
}

static void on_across(struct watch *w, uint32_t events)
{
	struct dial *d = container_of(w, struct dial, w);
	int r = across_begun(d);

	(void)events;
	if (r)
		finish(d, r > 0 ? OSH_WHY_ALLOWED : OSH_WHY_UPSTREAM);
}

void dial_crossed(struct dial *d, int fd, enum osh_reason why)
{
	if (fd < 0) {
		finish(d, why);
		return;
	}
	d->w = (struct watch){ fd, on_across };
	if (loop_watch(d->fs->loop, &d->w, EDGES) < 0) {
		close(fd);
		d->w.fd = -1;
		finish(d, OSH_WHY_INTERNAL);
	}
}

/* What two policies say of each other is for oshd to judge: there is no address, and nothing that anybody resolves. */
static void start_across(struct dial *d)
{
	static const struct ip one = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	enum osh_reason why;

	d->to[0].addr = one;		/* of the sandbox that it leads to: for the record */
	d->to[0].port = d->grant->target.port;
	d->n = d->at = 1;
	d->resolving = false;
	d->listed = true;
	why = across_ask(d->fs, d);
	if (why != OSH_WHY_ALLOWED)
		finish(d, why);
}

static void on_one_timer(struct timer *t)
{
	dial_next(container_of(t, struct dial, one));
}

static void on_whole_timer(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, whole);

	finish(d, d->resolving ? OSH_WHY_RESOLVE : OSH_WHY_UPSTREAM);
}

/* One bad address among good ones is dropped and has a record of its own. */
static bool record_dropped(struct dial *d, enum osh_reason why)
{
	struct osh_event_named ev = event_of(d->grant, OSH_DENY, why, &d->bad, d->grant->target.port);

	return records_reserve_last(&d->fs->records) && records_put(&d->fs->records, &ev);
}

static void on_names(struct name_wait *w, const struct ip *addrs, int n)
{
	struct dial *d = container_of(w, struct dial, wait);
	const struct target *t = &d->grant->target;
	enum osh_reason bad_why = OSH_WHY_RESOLVE;

	for (int i = 0; i < n && d->n < DIAL_ADDRS; i++) {
		enum osh_reason why = addr_judge(&d->grant->policy->bundle, t->host, t->port, &addrs[i]);

		if (why == OSH_WHY_ALLOWED) {
			d->to[d->n].addr = addrs[i];
			d->to[d->n++].port = t->port;
		} else if (bad_why == OSH_WHY_RESOLVE) {
			bad_why = why;
			d->bad = addrs[i];
			d->has_bad = true;
		}
	}
	if (!d->n) {
		finish(d, bad_why);
	} else if (bad_why != OSH_WHY_RESOLVE && !record_dropped(d, bad_why)) {
		d->n = 0;
		finish(d, OSH_WHY_LIMIT);
	} else {
		dial_next(d);
	}
}

/* The operator's own addresses come first and are not judged; a literal one was, by table_judge(). */
void dial_start(struct dial *d, struct flows *fs, struct grant *g)
{
	const struct target *t = &g->target;
	const struct hosts_entry *h;
	size_t at = 0;

	d->fs = fs;
	d->grant = grant_ref(g);
	d->w.fd = -1;
	d->one.fn = on_one_timer;
	d->whole.fn = on_whole_timer;
	d->wait.fn = on_names;
	d->resolving = true;
	d->local = t->local;
	loop_arm(fs->loop, &d->whole, TIMER_CONNECT);
	if (t->sandbox) {
		start_across(d);
		return;
	}
	if (t->literal) {
		d->to[0].addr = t->addr;
		d->to[0].port = t->port;
		d->n = 1;
	}
	while (!t->literal && d->n < DIAL_ADDRS && (h = hosts_next(&fs->hosts, t->name, &at))) {
		d->to[d->n].addr = h->addr;
		d->to[d->n++].port = h->port ? h->port : t->port;
	}
	if (!d->n && hosts_proxied(&fs->hosts, t->name)) {
		/* Whom the proxy dials cannot be seen here, so what the policy says of it could not be kept. */
		if (addr_restricted(&g->policy->bundle, t->host, t->port)) {
			finish(d, OSH_WHY_ADDR_NOT_LISTED);
			return;
		}
		if (d->local) {
			finish(d, OSH_WHY_NOT_LOCAL);
			return;
		}
		d->proxied = true;
		d->to[0].addr = fs->hosts.proxy.addr;
		d->to[0].port = fs->hosts.proxy.port;
		d->n = 1;
	}
	d->listed = d->n > 0;
	if (d->n)
		dial_next(d);
	else
		names_get(&fs->names, t->name, &d->wait);
}

/* Leaves out what `g` does not allow. True = the address that is dialled, or was, is among what stays. */
static bool sift(struct dial *d, const struct grant *g)
{
	bool stays = false;
	int n = 0, at = 0;

	for (int i = 0; i < d->n; i++) {
		if (addr_judge(&g->policy->bundle, g->target.host, g->target.port, &d->to[i].addr) != OSH_WHY_ALLOWED)
			continue;
		d->to[n] = d->to[i];
		stays |= i == d->at - 1;
		n++;
		at += i < d->at;
	}
	d->n = n;
	d->at = at;
	return stays;
}

enum osh_reason dial_again(struct dial *d, struct grant *g)
{
	bool over = !d->resolving && !d->whole.due_ms, stays;

	if (d->proxied && addr_restricted(&g->policy->bundle, g->target.host, g->target.port))
		return OSH_WHY_ADDR_NOT_LISTED;
	if (d->listed || d->resolving) {
		grant_move(&d->grant, g);
		return OSH_WHY_ALLOWED;
	}
	stays = sift(d, g);
	if (!stays && (over || d->at >= d->n))
		return OSH_WHY_ADDR_NOT_LISTED;
	grant_move(&d->grant, g);
	if (!stays)
		dial_next(d);
	return OSH_WHY_ALLOWED;
}
