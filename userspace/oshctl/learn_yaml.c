/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The additions as text: entries in the style of the place where they go, each below a comment that
 * says how often and when it was denied. Names of the log leave through flip_quote() alone, and
 * comments hold none.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flip_parts.h"
#include "host.h"
#include "learn.h"

#define NAME_MAX_BYTES 40

struct out {
	struct learn *l;
	struct arena a;
	struct buf b;
	bool flow;
	uint32_t indent;
	const char *last;             /* key of the root that l->added ends in */
	const char *names[LEARN_MAX]; /* of rules that were made */
	uint32_t n_names;
};

static void line(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(struct out *o, const char *fmt, ...)
{
	char text[OSH_FS_PATH_LEN * 2 + 1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&o->b, "%*s", (int)o->indent, "");
	buf_put(&o->b, text, n > 0 && (size_t)n < sizeof(text) ? (size_t)n : 0);
	o->b.bad = o->b.bad || n < 0 || (size_t)n >= sizeof(text);
	buf_str(&o->b, "\n");
}

/* `KEY:` and what is below it, until close_key(). */
static void open_key(struct out *o, const char *key, char bracket)
{
	if (o->flow)
		line(o, "%s: %c", key, bracket);
	else
		line(o, "%s:", key);
	o->indent += 2;
}

static void close_key(struct out *o, char bracket)
{
	if (o->flow)
		line(o, "%c,", bracket);
	o->indent -= 2;
}

static const char *quote(struct out *o, const char *text)
{
	const char *q = flip_quote(&o->a, text);

	o->b.bad = o->b.bad || !q;
	return q ? q : "\"\"";
}

static void put_time(int64_t ms, char ret[32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm t;

	if (!gmtime_r(&s, &t) || !strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &t))
		snprintf(ret, 32, "?");
}

static void comment(struct out *o, const struct learn_item *it, const char *more)
{
	char from[32], to[32];

	put_time(it->first_ms, from);
	put_time(it->last_ms, to);
	if (it->count == 1)
		line(o, "# denied once, %s UTC%s", from, more);
	else if (!strcmp(from, to))
		line(o, "# denied %llu times, %s UTC%s", (unsigned long long)it->count, from, more);
	else
		line(o, "# denied %llu times, %s to %s UTC%s", (unsigned long long)it->count, from,
		     to, more);
}

/* Of the endpoint that is there already for these connections: rules beside it want the same. */
static const struct endpoint *beside(const struct learn *l, const struct learn_item *it)
{
	for EACH (struct rule, rule, &l->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			struct rule any = { .name = "",
					    .any_program = true,
					    .endpoints = { (void *)e, 1 } };
			const struct policy one = { .rules = { &any, 1 } };
			const struct eval_connect c = { .host = it->host, .port = it->port };

			if (eval_connect(&one, &c).verdict == OSH_ALLOW &&
			    (it->kind != LEARN_REQUEST || endpoint_inspected(e)))
				return e;
		}
	return NULL;
}

static void put_requests(struct out *o, struct learn_item *const *it, uint32_t n)
{
	const struct endpoint *e = beside(o->l, *it);
	const char *more = "";

	if (e && e->l7.audit)
		more = ", enforcement: audit";
	if (e && e->l7.encoded_slash)
		more = arena_printf(&o->a, "%s, allow_encoded_slash: true", more);
	if (e && e->l7.credential && more)
		more = arena_printf(&o->a, "%s, credential: %s", more, quote(o, e->l7.credential));
	line(o, "%s{host: %s, port: %u, protocol: %s%s, rules: [", o->flow ? "" : "- ",
	     quote(o, (*it)->host), (*it)->port,
	     e && e->protocol == PROTO_WEBSOCKET ? "websocket" : "rest", more ? more : "");
	o->b.bad = o->b.bad || !more;
	o->indent += 4;
	for (uint32_t i = 0; i < n; i++) {
		struct l7_rule rule = { .method = it[i]->method,
					.has_path = true,
					.path.text = it[i]->path };
		const char *text = flip_rule_yaml(&o->a, &rule);

		if (!it[i]->chosen || it[i]->kind != LEARN_REQUEST)
			continue;
		comment(o, it[i], "");
		line(o, "{allow: %s},", text ? text : "");
		o->b.bad = o->b.bad || !text;
	}
	line(o, "]}%s", o->flow ? "," : "");
	o->indent -= 4;
}

static void put_connect(struct out *o, const struct learn_item *it)
{
	const struct endpoint *e = beside(o->l, it);

	comment(o, it,
		it->kind == LEARN_DNS ? ": the name was asked for; port 443 is taken for granted"
				      : "");
	line(o, "%s{host: %s, port: %u%s}%s", o->flow ? "" : "- ", quote(o, it->host), it->port,
	     e && e->protocol == PROTO_TCP ? ", protocol: tcp" : "", o->flow ? "," : "");
}

static bool same_place(const struct learn_item *a, const struct learn_item *b)
{
	return b->kind <= LEARN_REQUEST && !strcmp(a->binary, b->binary) &&
	       !strcmp(a->host, b->host) && a->port == b->port;
}

/* One host and port: requests where some were denied, since these let the connection through, too.
 */
static uint32_t put_place(struct out *o, struct learn_item *const *it, uint32_t most)
{
	const struct learn_item *connect = NULL, *name = NULL;
	uint32_t n = 0, requests = 0;

	for (; n < most && same_place(*it, it[n]); n++) {
		if (!it[n]->chosen || it[n]->covered)
			continue;
		requests += it[n]->kind == LEARN_REQUEST;
		if (it[n]->kind == LEARN_CONNECT)
			connect = it[n];
		else if (it[n]->kind == LEARN_DNS)
			name = it[n];
	}
	if (requests)
		put_requests(o, it, n);
	else if (connect || name)
		put_connect(o, connect ? connect : name);
	return n;
}

static bool taken(const struct out *o, const char *name)
{
	for EACH (struct rule, rule, &o->l->p->rules)
		if (!strcmp(rule->name, name))
			return true;
	for (uint32_t i = 0; i < o->n_names; i++)
		if (!strcmp(o->names[i], name))
			return true;
	return false;
}

/* "learnt_curl"; of the program's name only what stands in a key without quotes. */
static const char *rule_name(struct out *o, const char *program)
{
	char base[NAME_MAX_BYTES + 1] = "";
	const char *name;
	size_t n = 0;

	for (const char *p = strrchr(program, '/') + 1; *p && n < NAME_MAX_BYTES; p++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p))
			base[n++] = *p;
	name = arena_printf(&o->a, "learnt_%s", base);
	for (unsigned i = 2; name && taken(o, name); i++)
		name = arena_printf(&o->a, "learnt_%s_%u", base, i);
	o->b.bad = o->b.bad || !name;
	return o->names[o->n_names++] = name ? name : "learnt";
}

static bool any_chosen(struct learn_item *const *it, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (it[i]->chosen && !it[i]->covered)
			return true;
	return false;
}

static void put_rules(struct out *o)
{
	struct learn *l = o->l;
	uint32_t n;

	for (uint32_t i = 0; i < l->n; i += n) {
		struct learn_item *const *it = l->items + i;

		for (n = 1; i + n < l->n && it[n]->kind <= LEARN_REQUEST &&
			    !strcmp(it[n]->binary, (*it)->binary);
		     n++)
			;
		if ((*it)->kind > LEARN_REQUEST || !any_chosen(it, n))
			continue;
		open_key(o, rule_name(o, (*it)->binary), '{');
		line(o, "binaries: [%s]%s", quote(o, (*it)->binary), o->flow ? "," : "");
		open_key(o, "endpoints", '[');
		for (uint32_t k = 0; k < n;)
			k += put_place(o, it + k, n - k);
		close_key(o, ']');
		close_key(o, '}');
	}
}

static void put_paths(struct out *o, enum learn_kind kind)
{
	for (uint32_t i = 0; i < o->l->n; i++) {
		const struct learn_item *it = o->l->items[i];

		if (it->kind != kind || !it->chosen)
			continue;
		comment(o, it, "");
		line(o, o->flow ? "%s%s," : "%s%s", o->flow ? "" : "- ", quote(o, it->path));
	}
}

static void put_read(struct out *o)
{
	put_paths(o, LEARN_READ);
}

static void put_write(struct out *o)
{
	put_paths(o, LEARN_WRITE);
}

static void put_exec(struct out *o)
{
	put_paths(o, LEARN_EXEC);
}

static void put_version(struct out *o)
{
	line(o, o->flow ? "version: 1," : "version: 1");
}

/* A section that takes additions: its keys from the root, and whether the last one holds a list. */
static const struct section {
	const char *path[4];
	bool is_list;
	unsigned kinds; /* 1 << enum learn_kind */
	void (*put)(struct out *o);
} sections[] = {
	{ { "network_policies" },
	  false,
	  1u << LEARN_DNS | 1u << LEARN_CONNECT | 1u << LEARN_REQUEST,
	  put_rules },
	{ { "filesystem_policy", "read_only" }, true, 1u << LEARN_READ, put_read },
	{ { "filesystem_policy", "read_write" }, true, 1u << LEARN_WRITE, put_write },
	{ { "process", "exec", "allow" }, true, 1u << LEARN_EXEC, put_exec },
};

static bool concerns(const struct learn *l, const struct section *s)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->items[i]->chosen && !l->items[i]->covered &&
		    s->kinds & (1u << l->items[i]->kind))
			return true;
	return false;
}

/* The entries, below the keys that are missing. */
static void put_section(struct out *o, const struct section *s, uint32_t depth)
{
	for (uint32_t i = depth; s->path[i]; i++)
		open_key(o, s->path[i], s->is_list && !s->path[i + 1] ? '[' : '{');
	s->put(o);
	for (uint32_t i = depth; s->path[i]; i++)
		close_key(o, s->is_list && i == depth ? ']' : '}');
}

static int insert(struct learn *l, const struct learn_place *at, const struct buf *what,
		  struct err *e)
{
	struct buf b = { .limit = l->made.limit };

	buf_put(&b, l->made.p, at->at);
	if (at->newline || at->flow)
		buf_str(&b, "\n");
	buf_put(&b, what->p, what->n);
	if (at->flow && at->at < l->made.n && !strchr("\r\n", l->made.p[at->at]))
		buf_printf(&b, "%*s", (int)at->indent, "");
	buf_put(&b, l->made.p + at->at, l->made.n - at->at);
	buf_done(&l->made);
	l->made = b;
	return buf_ok(&l->made) && buf_ok(what)
		   ? 0
		   : fail(e, ENOMEM, "the policy would become too long");
}

/* Once more, as a policy of its own says it. */
static void put_alone(struct out *o, const struct section *s)
{
	bool goes_on = o->last && !strcmp(o->last, s->path[0]);

	o->last = s->path[0];
	o->flow = false;
	o->indent = goes_on ? 2 : 0;
	o->n_names = 0;
	o->b.n = 0;
	put_section(o, s, goes_on);
	buf_put(&o->l->added, o->b.p, o->b.n);
}

static int add_section(struct out *o, const struct section *s, struct err *e)
{
	struct learn_place at;
	int r = learn_find_place((struct slice){ o->l->made.p, o->l->made.n }, s->path, &at, e);

	if (r < 0)
		return r;
	if (!s->path[at.depth] && at.is_list != s->is_list)
		return fail(e, EINVAL, "'%s' is not what it should be", s->path[0]);
	o->flow = at.flow;
	o->indent = at.indent;
	o->b.n = 0;
	put_section(o, s, at.depth);
	r = insert(o->l, &at, &o->b, e);
	if (r < 0 || s->put == put_version)
		return r;
	put_alone(o, s);
	return 0;
}

/* The short form alone needs no version; all that is added does. */
static int add_version(struct out *o, struct err *e)
{
	static const struct section version = { { NULL }, false, 0, put_version };
	static const char *const path[] = { "version", NULL };
	struct learn_place at;

	/* Where one stands, it is a scalar, in which there is no place. */
	if (learn_find_place((struct slice){ o->l->made.p, o->l->made.n }, path, &at, NULL) < 0 ||
	    at.depth)
		return 0;
	return add_section(o, &version, e);
}

int learn_write(struct learn *l, struct err *e)
{
	struct out *o = calloc(1, sizeof(*o));
	bool some = false;
	int r = o ? 0 : fail(e, ENOMEM, "out of memory");

	if (!o)
		return r;
	o->l = l;
	l->added.n = 0;
	for (size_t i = 0; r == 0 && i < sizeof(sections) / sizeof(*sections); i++)
		if (concerns(l, &sections[i])) {
			some = true;
			r = add_section(o, &sections[i], e);
		}
	if (r == 0 && some)
		r = add_version(o, e);
	if (r == 0 && (o->a.bad || !buf_ok(&l->added)))
		r = fail(e, ENOMEM, "out of memory");
	buf_done(&o->b);
	arena_done(&o->a);
	free(o);
	return r;
}
