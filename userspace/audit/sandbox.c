/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down for one sandbox, in the log that its caller gave and in its owner's that lasts. A line is
 * written with one write() to a descriptor opened for appending; a line that cannot be written is counted and said,
 * never silently dropped.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit.h"
#include "journald.h"
#include "note.h"
#include "ocsf.h"
#include "own.h"
#include "summary.h"

struct asandbox *asandbox_find(struct audit *a, uint32_t id)
{
	for (struct asandbox *s = a->sandboxes; s; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

struct asandbox *asandbox_add(struct audit *a, uint32_t id)
{
	struct asandbox *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->id = id;
	s->log.fd = s->summary.fd = s->calls.fd = -1;
	s->next = a->sandboxes;
	a->sandboxes = s;
	return s;
}

void asandbox_free(struct audit *a, struct asandbox *s)
{
	struct asandbox **p = &a->sandboxes;

	while (*p && *p != s)
		p = &(*p)->next;
	if (*p)
		*p = s->next;
	out_done(&s->log);
	out_done(&s->summary);
	policies_done(&s->policies);
	calls_done(&s->calls);
	for (uint32_t i = 0; i < s->n_denials; i++)
		free(s->denials[i].http);
	free(s->denials);
	free(s);
}

static void to_log(struct asandbox *s, const struct buf *line)
{
	int r;

	if (s->log.fd < 0)
		return;
	r = buf_ok(line) ? out_write(&s->log, line->p, line->n) : -ENOMEM;
	if (r < 0 && !s->lost++)
		note(s->name, s->uid, "the log cannot be written: %s", strerror(-r));
}

static bool to_journal(const struct audit *a, struct journal *j, const struct buf *line)
{
	return !j || (buf_ok(line) && journal_line(j, line->p, line->n, a->now_ms));
}

/* Where a line about that event goes. */
static struct journal *journal_of(const struct asandbox *s, const struct osh_event *e)
{
	return s->journals[e->verdict == OSH_ALLOW && e->kind != OSH_EV_LIFE ? OSH_JOURNAL_ALLOWED : OSH_JOURNAL_DENIED];
}

static bool wanted(const struct asandbox *s)
{
	return s->log.fd >= 0 || s->journals[OSH_JOURNAL_DENIED];
}

/* Of a prefix like its own there are others in use: a network of the machine's may have one. */
static bool is_own6(struct asandbox *s, const struct osh_event *v)
{
	struct osh_sandbox k;

	if (!v->family || (ntohl(v->addr_be[0]) >> 24) != 0xfd)
		return false;
	if (!s->net6_asked && map_sandbox(s->slot, &k) && k.id == s->id)
		memcpy(s->net6, k.net6, sizeof(s->net6));
	s->net6_asked = true;
	return s->net6[0] && !memcmp(v->addr_be, s->net6, 12);
}

uint32_t asandbox_synthetic(struct asandbox *s, const struct osh_event *v)
{
	bool v4 = v->family && v->addr_be[2] == htonl(0xffff) && !v->addr_be[0];
	uint32_t a = ntohl(v->addr_be[3]);

	if (v4)
		return (a & OSH_NET4_MASK) == OSH_NET4 ? a - OSH_NET4 : 0;
	return is_own6(s, v) ? a : 0;
}

static void context(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		    struct ocsf_context *c, char program[OSH_PATH_MAX], char host[OSH_NAME_MAX])
{
	const struct osh_event *v = &e->ev;
	uint32_t own = asandbox_synthetic(s, v), rule = v->rule - 1;
	/* Numbers of another generation mean something else; 0 = it was never reloaded, or not told. */
	const struct bundle *b = policies_find(&s->policies, v->generation || s->generation > 1 ? v->generation : s->generation);

	*c = (struct ocsf_context){ .sandbox = s->name, .program = program, .host = host, .rule = "",
				    .policy_hash = b ? b->header->policy_hash : NULL,
				    .epoch_ns = a->epoch_ns, .count = 1 };
	map_program(s->id, v->ident, program);
	host[0] = 0;
	if (v->name_len)
		snprintf(host, OSH_NAME_MAX, "%.*s", (int)v->name_len, e->name);
	else if (own)
		map_name(s->id, own, host);
	else if (b && v->host && v->host <= b->n_hosts)
		snprintf(host, OSH_NAME_MAX, "%s", bundle_str(b, b->hosts[v->host - 1].name));
	if (b && v->rule && rule < b->n_rules) {
		c->rule = bundle_str(b, b->rules[rule].name);
		c->rule_line = b->rules[rule].line;
	} else if (b && v->kind == OSH_EV_FILE && v->aux && v->aux - 1 < b->n_fs) {
		c->rule = b->fs[v->aux - 1].mode == OSH_FS_DENY ? "filesystem_policy.deny" : "filesystem_policy";
		c->rule_line = b->fs[v->aux - 1].line;
	}
}

static const struct buf *format(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
				const struct osh_http *http, uint64_t seq, uint64_t count, bool closing)
{
	static struct buf out;		/* kept: one allocation for all lines */
	char program[OSH_PATH_MAX], host[OSH_NAME_MAX];
	struct ocsf_context c;

	out.n = 0;
	out.bad = false;
	context(a, s, e, &c, program, host);
	c.http = http;
	c.detail = s->detail;
	c.call = s->call;
	c.seq = seq;
	c.count = count;
	c.closing = closing;
	ocsf_line(&out, e, &c);
	return &out;
}

/* What is allowed is too much for it. */
static void to_journald(struct audit *a, struct asandbox *s, const struct osh_event_named *e, const struct osh_http *http,
			uint64_t seq, uint64_t count)
{
	char program[OSH_PATH_MAX], host[OSH_NAME_MAX];
	struct ocsf_context c;

	if (!note_is_open() || (e->ev.verdict == OSH_ALLOW && e->ev.kind != OSH_EV_LIFE))
		return;
	context(a, s, e, &c, program, host);
	c.http = http;
	c.detail = s->detail;
	c.seq = seq;
	c.count = count;
	journald_line(s, e, &c);
}

/* False: its owner's log did not take it. */
static bool line(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		 const struct osh_http *http, uint64_t count, bool closing)
{
	const struct buf *out;

	if (!wanted(s))
		return true;
	to_journald(a, s, e, http, s->seq, count);
	out = format(a, s, e, http, s->seq++, count, closing);
	to_log(s, out);
	return to_journal(a, journal_of(s, &e->ev), out);
}

/* The same where nothing else remembers it. */
static void line_once(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		      const struct osh_http *http, uint64_t count, bool closing)
{
	if (!line(a, s, e, http, count, closing))
		journal_of(s, &e->ev)->lost++;
}

static bool same_denial(const struct osh_event_named *x, const struct osh_event_named *y)
{
	return x->ev.kind == y->ev.kind && x->ev.why == y->ev.why && x->ev.ident == y->ev.ident &&
	       x->ev.host == y->ev.host && x->ev.port == y->ev.port && x->ev.aux == y->ev.aux &&
	       !memcmp(x->ev.addr_be, y->ev.addr_be, sizeof(x->ev.addr_be)) &&
	       x->ev.name_len == y->ev.name_len && !memcmp(x->name, y->name, x->ev.name_len);
}

static struct denial *known(struct asandbox *s, const struct osh_event_named *e)
{
	for (uint32_t i = 0; i < s->n_denials; i++)
		if (same_denial(&s->denials[i].first, e))
			return &s->denials[i];
	return NULL;
}

static struct denial *remember(struct asandbox *s, const struct osh_event_named *e, bool kernel)
{
	struct denial *d;

	if (s->n_denials >= OSH_DENIALS_EACH)
		return NULL;
	if (s->n_denials == s->cap_denials) {
		uint32_t cap = s->cap_denials ? 2 * s->cap_denials : 16;

		d = realloc(s->denials, cap * sizeof(*d));
		if (!d)
			return NULL;
		s->denials = d;
		s->cap_denials = cap;
	}
	d = &s->denials[s->n_denials++];
	*d = (struct denial){ .first = *e, .count = 1, .kernel = kernel };
	return d;
}

static void take(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		 const struct osh_http *http, bool kernel)
{
	struct denial *d;

	if (e->ev.verdict == OSH_ALLOW) {
		line_once(a, s, e, http, 1, false);
		return;
	}
	/* The kernel has aggregated already. An egress has not: repeats only count here. */
	d = kernel ? NULL : known(s, e);
	if (d) {
		d->count++;
		return;
	}
	d = remember(s, e, kernel);
	if (!d) {			/* the kernel keeps to a budget; what an egress refuses has no end but this */
		s->unremembered += !kernel;
		if (kernel)
			line_once(a, s, e, http, 1, false);
		return;
	}
	if (http && (d->http = malloc(sizeof(*http))))
		*d->http = *http;
	d->seq = s->seq;
	d->unsaid = !line(a, s, e, http, 1, false);
	if (d->unsaid)
		journal_of(s, &e->ev)->behind = true;
}

void asandbox_catch_up(struct audit *a, struct journal *j)
{
	j->behind = false;
	for (struct asandbox *s = a->sandboxes; s; s = s->next)
		for (uint32_t i = 0; s->journals[OSH_JOURNAL_DENIED] == j && i < s->n_denials; i++) {
			struct denial *d = &s->denials[i];

			if (!d->unsaid)
				continue;
			d->unsaid = !to_journal(a, j, format(a, s, &d->first, d->http, d->seq, 1, false));
			j->behind |= d->unsaid;
		}
}

void asandbox_event(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		    bool kernel)
{
	take(a, s, e, NULL, kernel);
}

void asandbox_record(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		     const struct osh_http *http)
{
	take(a, s, e, http, false);
}

void asandbox_repeat(struct asandbox *s, const struct osh_event_named *e)
{
	struct denial *d = known(s, e);

	if (d)
		d->count++;
}

void asandbox_recall(struct asandbox *s, const struct osh_event *first, uint64_t count)
{
	struct osh_event_named e = { .ev = *first };
	struct denial *d = remember(s, &e, false);

	if (d)
		d->count = count;
}

struct walk {
	struct audit *a;
	struct asandbox *s;
	uint32_t known;			/* denials that we had events of */
};

static bool is_key_of(const struct osh_event *e, const struct osh_denial_key *k)
{
	return e->kind == k->kind && e->why == k->why && e->ident == k->ident && e->host == k->host &&
	       e->aux == k->aux && e->port == k->port &&
	       !memcmp(e->addr_be, k->addr_be, sizeof(k->addr_be));
}

/*
 * An entry that we never had an event of is itself the record: the ring was full, or a former
 * osh-audit wrote the first line and died before it could tell the count.
 */
static void unseen(void *data, const struct osh_denial_key *k, const struct osh_denial *d)
{
	struct walk *w = data;
	struct osh_event_named e = { .ev = { .time_ns = d->last_ns, .id = k->id, .kind = k->kind,
					     .why = k->why, .ident = k->ident, .host = k->host,
					     .aux = k->aux, .port = (uint16_t)k->port } };

	for (uint32_t i = 0; d->first_ns && i < w->known; i++)
		if (w->s->denials[i].kernel && is_key_of(&w->s->denials[i].first.ev, k))
			return;
	memcpy(e.ev.addr_be, k->addr_be, sizeof(e.ev.addr_be));
	(void)remember(w->s, &e, true);
	line_once(w->a, w->s, &e, NULL, d->count, true);
}

static void finding(struct audit *a, struct asandbox *s, const char *title, uint64_t count)
{
	const struct bundle *b = policies_find(&s->policies, s->generation);
	struct ocsf_context c = { .sandbox = s->name, .program = "", .host = "", .rule = "",
				  .policy_hash = b ? b->header->policy_hash : NULL,
				  .epoch_ns = a->epoch_ns };
	struct timespec now;
	struct buf out = { 0 };

	if (!count || !wanted(s))
		return;
	c.seq = s->seq++;
	clock_gettime(CLOCK_BOOTTIME, &now);
	ocsf_finding(&out, title, count, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
		     s->id, &c);
	to_log(s, &out);
	journald_finding(s->name, s->id, s->uid, title, count, c.seq);
	if (!to_journal(a, s->journals[OSH_JOURNAL_DENIED], &out))
		s->journals[OSH_JOURNAL_DENIED]->lost++;
	buf_done(&out);
}

void asandbox_life(struct audit *a, struct asandbox *s, enum osh_reason why)
{
	struct osh_event_named e = { .ev = { .id = s->id, .kind = OSH_EV_LIFE, .verdict = OSH_ALLOW,
					     .generation = s->generation,
					     .why = (uint8_t)why } };
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	e.ev.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	line_once(a, s, &e, NULL, 1, false);
}

void asandbox_noted(struct audit *a, struct asandbox *s, enum osh_reason why, const char *what)
{
	struct osh_event_named e = { .ev = { .id = s->id, .kind = OSH_EV_LIFE, .verdict = OSH_AUDIT,
					     .generation = s->generation, .why = why } };
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	e.ev.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	s->detail = what;
	line_once(a, s, &e, NULL, 1, false);
	s->detail = NULL;
}

/* What a limit refused since the last line about it. */
void asandbox_hits(struct audit *a, struct asandbox *s, enum osh_limit which, uint64_t count)
{
	struct osh_event_named e = { .ev = { .id = s->id, .kind = OSH_EV_LIFE, .verdict = OSH_DENY,
					     .generation = s->generation, .why = OSH_WHY_LIMIT, .aux = which } };
	struct timespec now;

	if (!count)
		return;
	s->hits[which] += count;
	clock_gettime(CLOCK_BOOTTIME, &now);
	e.ev.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	line_once(a, s, &e, NULL, count, false);
}

void asandbox_close(struct audit *a, struct asandbox *s)
{
	struct walk w = { a, s };
	struct osh_sandbox k = { 0 };
	uint32_t from_kernel = 0;
	uint64_t uncounted = calls_overflow(&s->calls);

	for (uint32_t i = 0; i < s->n_denials; i++) {
		struct denial *d = &s->denials[i];

		from_kernel += d->kernel;
		if (d->kernel)
			d->count = map_denial_count(&d->first.ev);
		if (d->count > 1)
			line_once(a, s, &d->first, d->http, d->count, true);
		if (d->unsaid)		/* nobody keeps it any longer */
			s->journals[OSH_JOURNAL_DENIED]->lost++;
	}
	w.known = s->n_denials;
	if (map_sandbox(s->slot, &k) && k.id == s->id && k.denials > from_kernel)
		map_denials(s->id, unseen, &w);
	finding(a, s, "allow records were lost: no room", k.id == s->id ? k.allow_drops : 0);
	if (k.id == s->id)
		uncounted += k.deny_overflow;
	uncounted += s->unremembered;
	finding(a, s, "denials beyond the sandbox's budget were counted without a record of their own",
		uncounted);
	finding(a, s, "log lines could not be written", s->lost);
	asandbox_life(a, s, OSH_WHY_ENDED);
	for (int i = 0; i < OSH_JOURNAL_KINDS; i++)
		if (s->journals[i])
			journal_hurry(s->journals[i], a->now_ms);
	if (s->summary.fd >= 0)
		summary_write(s, uncounted);
}
