/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit UID embedded|resident: drains the kernel's rings and lanes and the egresses' records into the sandboxes'
 * logs and their owners' (journal.h). Started by oshd with the descriptors of enum audit_fd; ends when oshd closes its socket, after a
 * last drain. The deny ring wakes it; allows are read by timer.
 */
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "audit.h"
#include "cage.h"
#include "chan.h"
#include "journald.h"
#include "lanes.h"
#include "note.h"
#include "ocsf.h"
#include "own.h"

#define TICK_MS 20
#define REST_MS 2			/* records wait this long at most when there are many */
#define BATCH 4096			/* events of one ring or lane before the others get their turn */
#define FULL_RING (OSH_RING_DENY / 88)	/* more events than a ring or lane can hold */
#define RECORDS 256			/* an egress' records before the others get their turn */
#define PEER_FDS 65536			/* per sandbox: log, summary and peer, with room */

struct loop {
	struct audit a;
	struct ring_buffer *deny, *allow;
	struct lanes lanes;
	int epoll_fd;
	int peers_fd;			/* epoll of the record sockets, itself in epoll_fd */
	bool records;			/* some came in this round */
	bool resting;			/* they are not listened to for a moment; see rest() */
	int calls_fd;			/* readable: a refused call waits for its answer */
	uint32_t peer_of[PEER_FDS];	/* descriptor -> sandbox of an egress' record socket */
	int top_peer;			/* no peer above it */
	bool more;			/* a lane was left with records: nothing else says so */
	bool embedded;			/* when oshd goes, so do its sandboxes */
	bool end;
};

static int quota;			/* events that the ring being read may still give */

static void set_epoch(struct audit *a)
{
	struct timespec boot, real;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	a->now_ms = (uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000;
	a->epoch_ns = ((int64_t)real.tv_sec - boot.tv_sec) * 1000000000 + (real.tv_nsec - boot.tv_nsec);
}

static void one_event(struct audit *a, const struct osh_event_named *e)
{
	struct asandbox *s = asandbox_find(a, e->ev.id);

	if (s)
		asandbox_event(a, s, e, true);
	else
		strays_keep(a->strays, e, a->now_ms);
}

static void on_lane(void *data, const struct osh_event *ev)
{
	struct osh_event_named e = { .ev = *ev };

	e.ev.name_len = 0;
	one_event(data, &e);
}

static int on_event(void *data, void *p, size_t n)
{
	struct osh_event_named e = { 0 };

	if (n < sizeof(e.ev))
		return 0;
	memcpy(&e, p, n < sizeof(e) ? n : sizeof(e));
	if (n < sizeof(e))
		e.ev.name_len = 0;
	if (e.ev.name_len > OSH_NAME_MAX)
		e.ev.name_len = OSH_NAME_MAX;
	one_event(data, &e);
	return --quota > 0 ? 0 : -EAGAIN;	/* libbpf stops here; this event is consumed */
}

static int watch_in(int set, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int watch(struct loop *l, int fd)
{
	return watch_in(l->epoll_fd, fd);
}

static int add_peer(struct loop *l, uint32_t id, int fd)
{
	if (fd >= (int)ARRAY_SIZE(l->peer_of) || !id || watch_in(l->peers_fd, fd) < 0) {
		close(fd);
		return -EPROTO;
	}
	l->peer_of[fd] = id;
	if (fd > l->top_peer)
		l->top_peer = fd;
	return 0;
}

struct claim {
	struct audit *a;
	struct asandbox *s;
};

static void claimed(void *data, const struct osh_event_named *e)
{
	struct claim *c = data;

	asandbox_event(c->a, c->s, e, true);
}

static void take_policy(struct asandbox *s, uint32_t generation, int fd)
{
	struct bundle b = { 0 };
	struct err e = { 0 };

	if (bundle_open_fd(&b, fd, &e) < 0)
		note(s->name, s->uid, "%s; rules will have no names", e.text);
	policies_add(&s->policies, generation, &b);
}

/* The bundle comes first, then the egress' records, then the log and the summary as the message says. */
static int do_add(struct loop *l, const struct osh_msg_audit_add *m, struct chan_in *in)
{
	struct asandbox *s = asandbox_find(&l->a, m->id) ? NULL : asandbox_add(&l->a, m->id);
	int n = 2, fd;

	if (!s)
		return -EPROTO;
	s->slot = m->slot;
	s->uid = m->uid;
	s->generation = m->generation;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)sizeof(m->name) - 1, m->name);
	for (uint32_t k = 0; k < OSH_JOURNAL_KINDS; k++)
		s->journals[k] = journal_find(l->a.journals, m->uid, k);
	fd = chan_take(in, 0);
	take_policy(s, m->generation, fd);
	close(fd);
	if (m->has_log)
		out_init(&s->log, chan_take(in, n++));
	if (m->has_summary)
		out_init(&s->summary, chan_take(in, n++));
	set_epoch(&l->a);		/* the control socket is read before the round's own look at the clock */
	asandbox_life(&l->a, s, m->again ? OSH_WHY_RESTARTED : OSH_WHY_STARTED);
	strays_claim(l->a.strays, m->id, claimed, &(struct claim){ &l->a, s });
	return add_peer(l, m->id, chan_take(in, 1));
}

static void drain(struct loop *l, int most, int records);

static int do_journal(struct loop *l, const struct osh_msg_audit_journal *m, struct chan_in *in)
{
	set_epoch(&l->a);
	if (m->kind >= OSH_JOURNAL_KINDS)
		return -EPROTO;
	return journal_set(&l->a.journals, &l->a.sync, m, in->n_fds ? chan_take(in, 0) : -1, l->a.now_ms);
}

static int do_journal_end(struct loop *l, uint32_t uid)
{
	struct journal *js[OSH_JOURNAL_KINDS];

	for (uint32_t k = 0; k < OSH_JOURNAL_KINDS; k++) {
		js[k] = journal_find(l->a.journals, uid, k);
		for (struct asandbox *s = l->a.sandboxes; s; s = s->next)
			if (js[k] && s->journals[k] == js[k])
				return -EPROTO;
	}
	for (uint32_t k = 0; k < OSH_JOURNAL_KINDS; k++)
		if (js[k])
			journal_free(&l->a.journals, js[k], &l->a.sync);
	return 0;
}

static void want(void *data, const struct journal *j)
{
	struct osh_msg_audit_want m = { .uid = j->uid, .kind = j->kind, .file = j->file };

	(void)data;
	(void)chan_send(AFD_CONTROL, OSH_MSG_AUDIT_WANT, &m, sizeof(m), NULL, 0);	/* asked again later */
}

static void tend_journals(struct loop *l)
{
	for (struct journal *j = l->a.journals; j; j = j->next) {
		if (journal_retry(j, l->a.now_ms))
			asandbox_catch_up(&l->a, j);
		journal_tick(j, &l->a.sync, l->a.now_ms, want, l);
	}
}

/* Once as it is being loaded, so that what it decides from its first moment on has names; again when it is in force. */
static int do_policy(struct loop *l, const struct osh_msg_audit_policy *m, struct chan_in *in)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);

	if (!s)
		return -EPROTO;
	if (!m->in_force || !policies_find(&s->policies, m->generation))
		take_policy(s, m->generation, in->fds[0]);
	if (!m->in_force)
		return 0;
	drain(l, FULL_RING, OSH_EGRESS_RECORDS);
	s->generation = m->generation;
	asandbox_life(&l->a, s, OSH_WHY_RELOADED);
	return 0;
}

static int do_calls(struct loop *l, const struct osh_msg_audit_calls *m, struct chan_in *in)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);

	int r = s ? calls_watch(l->calls_fd, s, m->run_uid, chan_take(in, 0), in->fds[1]) : -EPROTO;

	if (!r)
		calls_answer(&l->a, s, 0);	/* what a former osh-audit had taken */
	return r;
}

/* Told once, when it is over; what it was allowed by is on record since it began. */
static void read_call(struct loop *l, struct asandbox *s, const struct osh_msg_inference *m)
{
	struct osh_inference said = m->said;
	struct osh_event_named e = m->e;
	char *const texts[] = { said.operation, said.route, said.backend, said.asked, said.model };
	const size_t rooms[] = { sizeof(said.operation), sizeof(said.route), sizeof(said.backend), sizeof(said.asked),
				 sizeof(said.model) };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		texts[i][rooms[i] - 1] = 0;
	e.ev.id = s->id;
	e.ev.kind = OSH_EV_INFERENCE;
	e.ev.verdict = OSH_ALLOW;
	if (e.ev.name_len > OSH_NAME_MAX)
		e.ev.name_len = OSH_NAME_MAX;
	s->call = &said;
	asandbox_record(&l->a, s, &e, NULL);
	s->call = NULL;
}

/* The socket says whose it is, not the sender; nor does the sender choose what kind of event it is. */
static void read_record(struct loop *l, struct asandbox *s, const struct chan_in *in)
{
	const struct osh_msg_request *q = chan_is(in, OSH_MSG_REQUEST, sizeof(*q), 0);
	const struct osh_msg_record *m = chan_is(in, OSH_MSG_RECORD, sizeof(*m), 0);
	const struct osh_msg_inference *call = chan_is(in, OSH_MSG_INFERENCE, sizeof(*call), 0);
	struct osh_event_named e;
	struct osh_http http;

	if (call)
		read_call(l, s, call);
	if (!q && !m)
		return;
	e = q ? q->e : m->e;
	e.ev.id = s->id;
	if (!q || e.ev.kind != OSH_EV_HTTP)
		e.ev.kind = OSH_EV_EGRESS;
	if (e.ev.name_len > OSH_NAME_MAX)
		e.ev.name_len = OSH_NAME_MAX;
	if (q) {
		http = q->http;
		http.method[sizeof(http.method) - 1] = 0;
		http.path[sizeof(http.path) - 1] = 0;
		http.detail[sizeof(http.detail) - 1] = 0;
	}
	asandbox_record(&l->a, s, &e, q ? &http : NULL);
}

static void read_records(struct loop *l, int fd, uint32_t id, int most)
{
	struct asandbox *s = asandbox_find(&l->a, id);
	struct chan_in in;
	int r = 1;

	for (int i = 0; i < most && (r = chan_peek(fd, &in)) > 0; i++) {
		l->records = true;
		if (s)
			read_record(l, s, &in);
		chan_drop(fd);		/* now that it is written: killed before that, the next one gets it */
	}
	if (r > 0 || r == -EAGAIN)
		return;
	l->peer_of[fd] = 0;
	close(fd);			/* leaves the epoll set with it */
}

static void read_ring(struct ring_buffer *ring, int most)
{
	quota = most;
	(void)ring_buffer__consume(ring);
}

/*
 * `most`: events of each ring and lane. A flood of one sandbox must not keep the others, or the control
 * socket, from their turn; what was written before this call is read when `most` is a full ring (no lane holds more).
 */
static void drain(struct loop *l, int most, int records)
{
	uint64_t lost;

	set_epoch(&l->a);
	read_ring(l->deny, most);
	read_ring(l->allow, most);
	l->more = lanes_read(&l->lanes, most, on_lane, &l->a);
	for (int fd = 0; fd <= l->top_peer; fd++)
		if (l->peer_of[fd])
			read_records(l, fd, l->peer_of[fd], records);
	lost = strays_expire(l->a.strays, l->a.now_ms);
	if (lost)
		note(NULL, NOTE_NOBODY, "%llu events of no known sandbox", (unsigned long long)lost);
}

static void drop_peer(struct loop *l, uint32_t id)
{
	for (int fd = 0; fd <= l->top_peer; fd++)
		if (l->peer_of[fd] == id) {
			l->peer_of[fd] = 0;
			close(fd);
		}
}

static int do_end(struct loop *l, const struct osh_msg_audit_end *end)
{
	uint32_t id = end->id;
	struct osh_msg_id m = { .id = id };
	struct asandbox *s = asandbox_find(&l->a, id);

	drain(l, FULL_RING, OSH_EGRESS_RECORDS);
	if (s) {
		calls_answer(&l->a, s, FULL_RING);
		drop_peer(l, id);
		for (int i = 1; i < OSH_LIMITS; i++)
			asandbox_hits(&l->a, s, (enum osh_limit)i, end->hits[i]);
		asandbox_close(&l->a, s);
		asandbox_free(&l->a, s);
	}
	return chan_send(AFD_CONTROL, OSH_MSG_AUDIT_ENDED, &m, sizeof(m), NULL, 0);
}

static void put_provider(struct loop *l, struct journal *j, const struct osh_msg_audit_provider *m)
{
	struct ocsf_context c = { 0 };
	struct timespec now;
	struct buf out = { 0 };

	set_epoch(&l->a);
	c.epoch_ns = l->a.epoch_ns;
	c.seq = j->seq++;
	clock_gettime(CLOCK_BOOTTIME, &now);
	ocsf_provider(&out, m, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, &c);
	if (!buf_ok(&out) || !journal_line(j, out.p, out.n, l->a.now_ms))
		j->lost++;
	buf_done(&out);
}

static int do_provider(struct loop *l, const struct osh_msg_audit_provider *m)
{
	struct journal *j = journal_find(l->a.journals, m->uid, OSH_JOURNAL_DENIED);
	struct osh_msg_id told = { .id = m->uid };

	if (m->deed >= OSH_PROVIDER_DEEDS || !memchr(m->name, 0, sizeof(m->name)) || !memchr(m->sandbox, 0, sizeof(m->sandbox)))
		return -EPROTO;
	journald_provider(m);
	if (j)				/* else oshd could open none, and has said so */
		put_provider(l, j, m);
	return chan_send(AFD_CONTROL, OSH_MSG_AUDIT_TOLD, &told, sizeof(told), NULL, 0);
}

static int do_warned(struct loop *l, const struct osh_msg_audit_warned *m)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);
	char text[sizeof(m->text)];

	if (!s)
		return -EPROTO;
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(m->text) - 1, m->text);
	set_epoch(&l->a);
	asandbox_noted(&l->a, s, OSH_WHY_WITHOUT, text);
	return 0;
}

static int do_choice(struct loop *l, const struct osh_msg_audit_choice *m)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);
	char text[sizeof(m->route) + sizeof(m->model) + 64];

	if (!memchr(m->route, 0, sizeof(m->route)) || !memchr(m->model, 0, sizeof(m->model)))
		return -EPROTO;
	if (!s)
		return 0;
	snprintf(text, sizeof(text), "%s%s%s%s, by uid %u%s", m->route[0] ? "route " : "no route any more", m->route,
		 m->model[0] ? ", model " : "", m->model, m->by, m->preset ? " as default" : "");
	set_epoch(&l->a);
	asandbox_noted(&l->a, s, OSH_WHY_CHOSEN, text);
	return 0;
}

/* Told by oshd, who let it in or did not: what an egress says is in the log of the sandbox that it is for. */
static int do_served(struct loop *l, const struct osh_msg_audit_served *m)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);
	struct osh_event_named e = { .ev = { .id = m->id, .kind = OSH_EV_SERVE, .why = (uint8_t)m->why,
					     .verdict = m->why == OSH_WHY_ALLOWED ? OSH_ALLOW : OSH_DENY, .port = (uint16_t)m->port } };
	struct timespec now;

	if (!memchr(m->caller, 0, sizeof(m->caller)) || m->why >= OSH_WHY_MAX || m->port > 65535)
		return -EPROTO;
	if (!s)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	e.ev.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	e.ev.generation = s->generation;
	e.ev.name_len = (uint32_t)strlen(m->caller);
	memcpy(e.name, m->caller, e.ev.name_len);
	set_epoch(&l->a);
	asandbox_event(&l->a, s, &e, false);
	return 0;
}

static int do_limit(struct loop *l, const struct osh_msg_audit_limit *m)
{
	struct asandbox *s = asandbox_find(&l->a, m->id);

	set_epoch(&l->a);
	if (s && m->which && m->which < OSH_LIMITS)
		asandbox_hits(&l->a, s, (enum osh_limit)m->which, m->count);
	return 0;
}

static int control(struct loop *l)
{
	const struct osh_msg_audit_provider *provider;
	const struct osh_msg_audit_warned *warned;
	const struct osh_msg_audit_choice *choice;
	const struct osh_msg_audit_served *served;
	const struct osh_msg_audit_limit *limit;
	const struct osh_msg_audit_calls *calls;
	const struct osh_msg_audit_policy *policy;
	const struct osh_msg_audit_journal *journal;
	const struct osh_msg_audit_add *add;
	const struct osh_msg_audit_end *end;
	const struct osh_msg_id *id;
	struct chan_in in;
	int r = chan_recv(AFD_CONTROL, &in);

	if (r <= 0)
		return r ? r : -ECONNRESET;
	r = -EPROTO;
	if (in.h.type == OSH_MSG_AUDIT_ADD && in.n == sizeof(*add)) {
		add = (const void *)in.bytes;
		if (in.n_fds == 2 + !!add->has_log + !!add->has_summary)
			r = do_add(l, add, &in);
	} else if ((limit = chan_is(&in, OSH_MSG_AUDIT_LIMIT, sizeof(*limit), 0))) {
		r = do_limit(l, limit);
	} else if ((calls = chan_is(&in, OSH_MSG_AUDIT_CALLS, sizeof(*calls), 2))) {
		r = do_calls(l, calls, &in);
	} else if ((policy = chan_is(&in, OSH_MSG_AUDIT_POLICY, sizeof(*policy), 1))) {
		r = do_policy(l, policy, &in);
	} else if ((end = chan_is(&in, OSH_MSG_AUDIT_END, sizeof(*end), 0))) {
		r = do_end(l, end);
	} else if ((provider = chan_is(&in, OSH_MSG_AUDIT_PROVIDER, sizeof(*provider), 0))) {
		r = do_provider(l, provider);
	} else if ((warned = chan_is(&in, OSH_MSG_AUDIT_WARNED, sizeof(*warned), 0))) {
		r = do_warned(l, warned);
	} else if ((choice = chan_is(&in, OSH_MSG_AUDIT_CHOICE, sizeof(*choice), 0))) {
		r = do_choice(l, choice);
	} else if ((served = chan_is(&in, OSH_MSG_AUDIT_SERVED, sizeof(*served), 0))) {
		r = do_served(l, served);
	} else if ((journal = chan_is(&in, OSH_MSG_AUDIT_JOURNAL, sizeof(*journal), in.n_fds)) && in.n_fds <= 1) {
		r = do_journal(l, journal, &in);
	} else if ((id = chan_is(&in, OSH_MSG_AUDIT_JOURNAL_END, sizeof(*id), 0))) {
		r = do_journal_end(l, id->id);
	}
	chan_in_done(&in);
	return r;
}

/*
 * An egress sends a record for every request. A wake-up for each would cost more than the record, ours and its,
 * so while they come the sockets are read by the clock.
 */
static void rest(struct loop *l, bool on)
{
	struct epoll_event ev = { .events = on ? 0 : EPOLLIN, .data.fd = l->peers_fd };

	if (on != l->resting && epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, l->peers_fd, &ev) == 0)
		l->resting = on;
}

static int wait_ms(const struct loop *l)
{
	return l->more ? 0 : l->resting ? REST_MS : l->a.sandboxes || l->a.journals ? TICK_MS : -1;
}

static int serve(struct loop *l)
{
	struct epoll_event ev[32];

	while (!l->end) {
		int n = epoll_wait(l->epoll_fd, ev, ARRAY_SIZE(ev), wait_ms(l));

		if (n < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < n; i++)	/* first: events of a sandbox follow its announcement */
			if (ev[i].data.fd == AFD_CONTROL && control(l) < 0)
				l->end = true;
		for (int i = 0; i < n; i++)
			if (ev[i].data.fd == l->calls_fd)
				calls_round(l->calls_fd, &l->a);
		l->records = false;
		drain(l, BATCH, RECORDS);
		tend_journals(l);
		rest(l, l->records);
	}
	drain(l, FULL_RING, OSH_EGRESS_RECORDS);
	/* A resident oshd has a successor, and the sandboxes live on: their end is not ours to tell. */
	for (struct asandbox *s = l->embedded ? l->a.sandboxes : NULL; s; s = s->next)
		asandbox_close(&l->a, s);
	while (l->a.journals)
		journal_free(&l->a.journals, l->a.journals, NULL);
	return 0;
}

static int start(struct loop *l, struct err *e)
{
	out_setup();
	l->a.strays = strays_new();
	l->deny = ring_buffer__new(AFD_RING_DENY, on_event, &l->a, NULL);
	l->allow = ring_buffer__new(AFD_RING_ALLOW, on_event, &l->a, NULL);
	if (!l->a.strays || !l->deny || !l->allow)
		return fail(e, errno, "map the rings: %s", strerror(errno));
	if (lanes_open(&l->lanes, AFD_LANE_SLOTS, AFD_LANE_TAILS, e) < 0 || syncer_start(&l->a.sync, e) < 0)
		return -e->code;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->calls_fd = epoll_create1(EPOLL_CLOEXEC);
	l->peers_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || l->calls_fd < 0 || l->peers_fd < 0 || watch(l, l->calls_fd) < 0 || watch(l, l->peers_fd) < 0 || watch(l, AFD_CONTROL) < 0 || watch(l, AFD_RING_DENY) < 0 ||
	    watch(l, AFD_RING_ALLOW) < 0)
		return fail(e, errno, "epoll: %s", strerror(errno));
	return 0;
}

/* oshd gives it where its own words go to the journal; its number is nobody else's before anything is opened. */
static int journald_fd(void)
{
	int type = 0;
	socklen_t n = sizeof(type);

	return getsockopt(AFD_JOURNALD, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_DGRAM ? AFD_JOURNALD : -1;
}

int main(int argc, char **argv)
{
	static struct loop l;
	struct err e = { 0 };
	char *end;
	unsigned long uid = argc == 3 ? strtoul(argv[1], &end, 10) : 0;

	if (!uid || *end) {
		fprintf(stderr, "osh-audit is started by oshd\n");
		return 2;
	}
	l.embedded = !strcmp(argv[2], "embedded");
	note_use("osh-audit", journald_fd());
	if (start(&l, &e) < 0 || answer_setup(&e) < 0 || cage_enter((uid_t)uid, !l.embedded, &e) < 0) {
		fprintf(stderr, "osh-audit: %s\n", e.text);
		return 1;
	}
	_exit(serve(&l));		/* exit handlers have no place behind the filter */
}
