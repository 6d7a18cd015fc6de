/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/time.h>

#define TTL_LEAST 5
#define TTL_MOST 300
#define TTL_FAILED 2
#define QUERY_MS 1500
#define QUERY_TRIES 3

struct query {				/* one of the two questions of a name */
	struct name *name;
	int af;
	bool busy;
};

struct name {
	TAILQ_ENTRY(name) link;
	struct names *ns;
	struct name_waits waits;
	struct query query[2];
	struct timer grace;
	uint64_t good_until_ms;
	uint32_t ttl;			/* least of the answers */
	int n[2];
	struct ip addr[2][NAMES_ADDRS / 2];
	char text[OSH_NAME_MAX];
};

static bool busy(const struct name *m)
{
	return m->query[0].busy || m->query[1].busy;
}

/* IPv4 first and then alternating: a host without working IPv6 loses no time. */
static int merge(const struct name *m, struct ip out[NAMES_ADDRS])
{
	int n = 0;

	for (int i = 0; i < NAMES_ADDRS / 2; i++)
		for (int f = 0; f < 2; f++)
			if (i < m->n[f])
				out[n++] = m->addr[f][i];
	return n;
}

static void tell(struct name *m)
{
	struct ip addrs[NAMES_ADDRS];
	int n = merge(m, addrs);
	struct name_waits waits = TAILQ_HEAD_INITIALIZER(waits);
	struct name_wait *w;

	loop_disarm(m->ns->loop, &m->grace);
	TAILQ_CONCAT(&waits, &m->waits, link);
	while ((w = TAILQ_FIRST(&waits))) {
		TAILQ_REMOVE(&waits, w, link);
		w->name = NULL;
		w->fn(w, addrs, n);
	}
}

static void on_grace(struct timer *t)
{
	tell(container_of(t, struct name, grace));
}

static int take4(struct query *q, const unsigned char *p, int len)
{
	struct ares_addrttl a[NAMES_ADDRS / 2];
	int n = NAMES_ADDRS / 2, r = ares_parse_a_reply(p, len, NULL, a, &n);

	if (r != ARES_SUCCESS)
		return r;
	for (int i = 0; i < n; i++) {
		q->name->addr[0][i] = ip_from4(&a[i].ipaddr);
		if (a[i].ttl >= 0 && (uint32_t)a[i].ttl < q->name->ttl)
			q->name->ttl = (uint32_t)a[i].ttl;
	}
	q->name->n[0] = n;
	return r;
}

static int take6(struct query *q, const unsigned char *p, int len)
{
	struct ares_addr6ttl a[NAMES_ADDRS / 2];
	int n = NAMES_ADDRS / 2, r = ares_parse_aaaa_reply(p, len, NULL, a, &n);

	if (r != ARES_SUCCESS)
		return r;
	for (int i = 0; i < n; i++) {
		memcpy(q->name->addr[1][i].b, &a[i].ip6addr, 16);
		if (a[i].ttl >= 0 && (uint32_t)a[i].ttl < q->name->ttl)
			q->name->ttl = (uint32_t)a[i].ttl;
	}
	q->name->n[1] = n;
	return r;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct query *q = arg;
	struct name *m = q->name;
	struct loop *l = m->ns->loop;

	(void)timeouts;
	q->busy = false;
	m->ns->busy--;
	if (status == ARES_SUCCESS)
		(void)(q->af == AF_INET ? take4(q, p, len) : take6(q, p, len));
	if (busy(m) && (m->n[0] || m->n[1])) {
		loop_arm(l, &m->grace, TIMER_GRACE);
		return;
	}
	if (busy(m))
		return;
	if (!m->n[0] && !m->n[1])
		m->ttl = TTL_FAILED;
	else if (m->ttl < TTL_LEAST)
		m->ttl = TTL_LEAST;
	m->good_until_ms = l->now_ms + m->ttl * 1000ull;
	tell(m);
}

/* The query's number comes from the kernel: c-ares falls back to rand() where it cannot open a file. */
static void ask(struct query *q)
{
	unsigned char *packet = NULL;
	unsigned short id = 0;
	int len = 0;

	q->name->ns->busy++;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id) ||
	    ares_mkquery(q->name->text, ns_c_in, q->af == AF_INET ? ns_t_a : ns_t_aaaa, id, 1,
			 &packet, &len) != ARES_SUCCESS) {
		on_answer(q, ARES_EFORMERR, 0, NULL, 0);
		return;
	}
	ares_send(q->name->ns->channel, packet, len, on_answer, q);
	ares_free_string(packet);
}

static struct name *name_find(struct names *ns, const char *text)
{
	struct name *m;

	TAILQ_FOREACH_REVERSE(m, &ns->list, name_list, link)
		if (!strcmp(m->text, text))
			return m;
	return NULL;
}

/* A full cache drops the least recently used name that nobody waits for. */
static bool make_room(struct names *ns)
{
	struct name *m;

	if (ns->n < NAMES_CACHE)
		return true;
	TAILQ_FOREACH(m, &ns->list, link) {
		if (busy(m) || !TAILQ_EMPTY(&m->waits))
			continue;
		loop_disarm(ns->loop, &m->grace);
		TAILQ_REMOVE(&ns->list, m, link);
		free(m);
		ns->n--;
		return true;
	}
	return false;
}

static struct name *name_new(struct names *ns, const char *text)
{
	struct name *m = make_room(ns) ? calloc(1, sizeof(*m)) : NULL;

	if (!m)
		return NULL;
	m->ns = ns;
	m->grace.fn = on_grace;
	TAILQ_INIT(&m->waits);
	memcpy(m->text, text, strlen(text) + 1);
	m->query[0] = (struct query){ m, AF_INET, false };
	m->query[1] = (struct query){ m, AF_INET6, false };
	TAILQ_INSERT_TAIL(&ns->list, m, link);
	ns->n++;
	return m;
}

void names_get(struct names *ns, const char *text, struct name_wait *w)
{
	struct name *m = name_find(ns, text);
	struct ip addrs[NAMES_ADDRS];

	w->name = NULL;
	if (m && m->good_until_ms > ns->loop->now_ms) {
		TAILQ_REMOVE(&ns->list, m, link);
		TAILQ_INSERT_TAIL(&ns->list, m, link);
		w->fn(w, addrs, merge(m, addrs));
		return;
	}
	if (!m)
		m = ns->servers ? name_new(ns, text) : NULL;
	if (!m) {
		w->fn(w, NULL, 0);
		return;
	}
	w->name = m;
	TAILQ_INSERT_TAIL(&m->waits, w, link);
	if (busy(m)) {
		if (m->n[0] || m->n[1])		/* one family came already: do not wait in vain */
			loop_arm(ns->loop, &m->grace, TIMER_GRACE);
		return;
	}
	m->n[0] = m->n[1] = 0;
	m->ttl = TTL_MOST;
	m->query[0].busy = m->query[1].busy = true;	/* before either can answer at once */
	ask(&m->query[0]);
	ask(&m->query[1]);
}

void names_cancel(struct name_wait *w)
{
	if (w->name)
		TAILQ_REMOVE(&w->name->waits, w, link);
	w->name = NULL;
}

static void on_socket(struct watch *w, uint32_t events)
{
	struct names *ns = container_of(w, struct name_socket, w)->names;

	ares_process_fd(ns->channel,
			events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? w->fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? w->fd : ARES_SOCKET_BAD);
}

static struct watch *socket_slot(struct names *ns, int fd)
{
	for (int i = 0; i < NAMES_SOCKETS; i++)
		if (ns->sockets[i].w.fd == fd)
			return &ns->sockets[i].w;
	return NULL;
}

/* c-ares says what it wants of a socket; neither = it is about to close it. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct names *ns = arg;
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
	struct watch *w = socket_slot(ns, fd);

	if (w && events) {
		(void)loop_rewatch(ns->loop, w, events);
	} else if (w) {
		loop_unwatch(ns->loop, w);
		w->fd = -1;
	} else if (events && (w = socket_slot(ns, -1))) {	/* no slot: the query times out */
		*w = (struct watch){ fd, on_socket };
		(void)loop_watch(ns->loop, w, events);
	}
}

/* Every option is set, so that c-ares looks for no file and no environment of its own. */
int names_init(struct names *ns, struct loop *l, const struct ip *servers, int n, struct err *e)
{
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
				  .timeout = QUERY_MS, .tries = QUERY_TRIES, .ndots = 1,
				  .lookups = (char *)"b", .sock_state_cb = on_state,
				  .sock_state_cb_data = ns };
	struct ares_addr_node node[8] = { 0 };
	int r;

	*ns = (struct names){ .loop = l };
	TAILQ_INIT(&ns->list);
	for (int i = 0; i < NAMES_SOCKETS; i++)
		ns->sockets[i] = (struct name_socket){ { .fd = -1 }, ns };
	for (int i = 0; i < n && i < 8; i++) {
		node[i].next = i + 1 < n && i + 1 < 8 ? &node[i + 1] : NULL;
		node[i].family = ip_is4(&servers[i]) ? AF_INET : AF_INET6;
		if (node[i].family == AF_INET)
			memcpy(&node[i].addr.addr4, servers[i].b + 12, 4);
		else
			memcpy(&node[i].addr.addr6, servers[i].b, 16);
		ns->servers = i + 1;
	}
	r = ares_init_options(&ns->channel, &o,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
			      ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
			      ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE);
	if (r == ARES_SUCCESS && ns->servers)
		r = ares_set_servers(ns->channel, node);
	return r == ARES_SUCCESS ? 0 : fail(e, EIO, "resolver: %s", ares_strerror(r));
}

int names_before(struct names *ns)
{
	struct timeval tv, *t;

	if (!ns->busy)
		return -1;
	ares_process_fd(ns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);	/* timeouts */
	t = ares_timeout(ns->channel, NULL, &tv);
	if (!t)
		return -1;
	return (int)(t->tv_sec * 1000 + (t->tv_usec + 999) / 1000);
}
