/* SPDX-License-Identifier: Apache-2.0 */
/* Questions as people write them -> questions as eval takes them. Pure: no I/O, no allocation. */
#include "ask.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "own.h"

#define WORDS 7			/* the last one nobody takes */

/* Takes off one word, or one "text in quotes"; the text is cut in place. */
static char *word(char **rest)
{
	char *at = *rest + strspn(*rest, " \t");
	bool quoted = *at == '"' && strchr(at + 1, '"');
	size_t n = quoted ? strcspn(++at, "\"") : strcspn(at, " \t");

	if (!n)
		return NULL;
	*rest = at + n + (at[n] != 0);
	at[n] = 0;
	return at;
}

static int port_of(const char *text, uint32_t *ret, struct err *e)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || v < 1 || v > 65535)
		return fail(e, EINVAL, "'%.40s' is no port", text);
	*ret = (uint32_t)v;
	return 0;
}

/* HOST:PORT, [ADDR]:PORT; without a port `fallback`, unless that is 0. */
static int place_of(struct ask *q, char *text, uint32_t fallback, struct err *e)
{
	char *colon = strrchr(text, ':');

	if (*text == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return fail(e, EINVAL, "'%.80s' is no address in brackets", text);
		*end = 0;
		text++;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && memchr(text, ':', (size_t)(colon - text))) {
		return fail(e, EINVAL, "write '[ADDRESS]:PORT' for an IPv6 address");
	}
	if (colon)
		*colon = 0;
	q->connect.host = text;
	q->connect.port = fallback;
	if (!*text)
		return fail(e, EINVAL, "host is missing");
	if (colon)
		return port_of(colon + 1, &q->connect.port, e);
	return fallback ? 0 : fail(e, EINVAL, "port is missing: write '%.80s:443'", text);
}

static int parse_dns(struct ask *q, char **w, struct err *e)
{
	if (!w[0] || w[1])
		return fail(e, EINVAL, "write 'dns NAME'");
	q->connect.host = w[0];
	return 0;
}

static int parse_connect(struct ask *q, char **w, struct err *e)
{
	struct net addr;
	char *where;

	if (w[0] && *w[0] == '/')
		q->connect.binary = *w++;
	where = w[0];
	if (w[0] && w[1] && !strcmp(w[1], "at") && w[2]) {
		w += 2;
		q->at = w[0];
		if (!net_parse(q->at, &addr) || addr.bits != 128)
			return fail(e, EINVAL, "'%.60s' is no address", q->at);
	}
	if (w[0] && w[1] && !strcmp(w[1], "tainted")) {
		w++;
		q->connect.tainted = true;
	}
	if (!w[0] || w[1])
		return fail(e, EINVAL, "write 'connect [/PROGRAM] HOST:PORT [at ADDRESS] [tainted]'");
	return place_of(q, where, 0, e);
}

/* Every path must be resolved already: eval knows no links, and ".." would mean what it does not say. */
static int parse_path(struct ask *q, const char *path, struct err *e)
{
	if (!path || *path != '/' || strstr(path, "/../") || strstr(path, "//"))
		return fail(e, EINVAL, "a path must be absolute, without '..' and '//'");
	if (strlen(path) >= 3 && !strcmp(path + strlen(path) - 3, "/.."))
		return fail(e, EINVAL, "a path must be absolute, without '..' and '//'");
	q->path = path;
	return 0;
}

static int parse_open(struct ask *q, char **w, struct err *e)
{
	if (w[0] && w[1] && (w[2] || (strcmp(w[1], "read") && strcmp(w[1], "write"))))
		return fail(e, EINVAL, "write 'open PATH [read|write]'");
	q->write = w[0] && w[1] && !strcmp(w[1], "write");
	return parse_path(q, w[0], e);
}

static int parse_exec(struct ask *q, char **w, struct err *e)
{
	if (w[0] && w[1])
		return fail(e, EINVAL, "write 'exec PATH'");
	return parse_path(q, w[0], e);
}

static int parse_request(struct ask *q, const char *method, char **w, struct err *e)
{
	char root[] = "/";
	uint32_t port = 443;
	char *at = w[0], *slash, *target = root;
	int r;

	if (!at || (strncmp(at, "https://", 8) && strncmp(at, "http://", 7)))
		return fail(e, EINVAL, "write '%.20s https://HOST[:PORT]/PATH'", method);
	if (at[4] == ':')
		port = 80;
	at = strstr(at, "://") + 3;
	slash = at + strcspn(at, "/?");
	q->method = method;
	if (*slash == '?')
		return fail(e, EINVAL, "write a '/' before '?'");
	if (*slash) {		/* the host moves up into the scheme, to make room for its NUL */
		memmove(at - 1, at, (size_t)(slash - at));
		at--;
		slash[-1] = 0;
		target = slash;
	}
	if (strpbrk(at, "@"))
		return fail(e, EINVAL, "a URL with a user name is not taken");
	r = place_of(q, at, port, e);
	if (r == 0)
		r = ask_target(q, target, e);
	return r < 0 || !w[1] ? r : ask_body(q, w + 1, e);
}

/* A route of the sandbox NAME comes to a port of this one. */
static int parse_serve(struct ask *q, char **w, struct err *e)
{
	if (!w[0] || !w[1] || w[2])
		return fail(e, EINVAL, "write 'serve PORT SANDBOX'");
	q->connect.host = w[1];
	return port_of(w[0], &q->connect.port, e);
}

static const struct {
	const char *word;
	enum ask_kind kind;
	int (*fn)(struct ask *q, char **w, struct err *e);
} kinds[] = {
	{ "dns", ASK_DNS, parse_dns },
	{ "connect", ASK_CONNECT, parse_connect },
	{ "open", ASK_FILE, parse_open },
	{ "exec", ASK_EXEC, parse_exec },
	{ "serve", ASK_SERVE, parse_serve },
};

static bool is_method(const char *text)
{
	return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == 0;
}

int ask_parse(struct ask *ret, const char *text, const char *binary, const char *workdir,
	      struct err *e)
{
	char *rest = ret->text, *verb, *w[WORDS] = { 0 };

	*ret = (struct ask){ .connect.binary = binary, .workdir = workdir };
	if (strlen(text) + 2 > sizeof(ret->text))
		return fail(e, EINVAL, "request is longer than %zu bytes", sizeof(ret->text) - 2);
	memcpy(ret->text, text, strlen(text) + 1);
	verb = word(&rest);
	for (int i = 0; i < WORDS; i++)
		w[i] = word(&rest);
	if (!verb || w[WORDS - 1])
		return fail(e, EINVAL, "'%.80s' is no request", text);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(verb, kinds[i].word)) {
			ret->kind = kinds[i].kind;
			return kinds[i].fn(ret, w, e);
		}
	if (!is_method(verb))
		return fail(e, EINVAL, "'%.40s': a request begins with connect, dns, open, exec, serve or "
			    "an HTTP method, as 'GET https://HOST/PATH'", verb);
	ret->kind = ASK_REQUEST;
	return parse_request(ret, verb, w, e);
}

static struct decision eval_reach(const struct policy *p, const struct eval_connect *c)
{
	struct decision d = eval_connect(p, c);
	struct net addr;

	if (d.verdict != OSH_ALLOW)
		return d;
	if (net_parse(c->host, &addr))
		return eval_addr(p, c, &c->host, 1);
	if (port_forbidden(c->port)) {	/* whatever the name resolves to */
		d.verdict = OSH_DENY;
		d.why = OSH_WHY_PORT_FORBIDDEN;
	}
	return d;
}

/* A call of a model needs a route that takes it. */
static struct decision eval_call(const struct policy *p, const struct ask *q, struct decision d)
{
	const struct eval_call_of_model call = { q->method, q->canonical, q->model, q->anthropic };
	struct arena a = { 0 };
	struct eval_routed to;

	d.why = eval_inference(p, &call, &a, &to);
	arena_done(&a);
	if (d.why == OSH_WHY_ALLOWED)
		d.line = to.route->at.line;
	else
		d.verdict = OSH_DENY;
	return d;
}

/* The connection first, then what is asked inside it, where somebody looks. */
static struct decision eval_inside(const struct policy *p, const struct ask *q)
{
	const struct eval_graphql graphql = { false, &q->operation, 1 };
	struct eval_request r = { .connect = q->connect, .method = q->method, .path = q->canonical,
				  .query = q->query, .n_query = q->n_query,
				  .graphql = q->has_graphql ? &graphql : NULL,
				  .calls = &q->call, .n_calls = q->has_call };
	struct decision d = eval_reach(p, &q->connect);

	if (d.verdict != OSH_ALLOW || !eval_inspects(p, &q->connect))
		return d;
	if (q->bad_path != CANON_OK)
		return (struct decision){ OSH_DENY, OSH_WHY_TARGET_BAD, d.rule, d.line, false };
	d = eval_request(p, &r);
	return d.verdict == OSH_ALLOW && d.inference ? eval_call(p, q, d) : d;
}

struct decision ask_eval(const struct policy *p, const struct ask *q)
{
	switch (q->kind) {
	case ASK_DNS:
		return eval_dns(p, q->connect.host);
	case ASK_CONNECT:
		return q->at ? eval_addr(p, &q->connect, &q->at, 1) : eval_reach(p, &q->connect);
	case ASK_REQUEST:
		return eval_inside(p, q);
	case ASK_FILE:
		return eval_file(p, q->path, q->workdir, q->connect.binary, q->write);
	case ASK_EXEC:
		return eval_exec(p, q->path, q->workdir);
	case ASK_SERVE:
		return eval_serves(p, q->connect.port, q->connect.host);
	case ASK_KINDS:
		break;
	}
	return (struct decision){ .why = OSH_WHY_INTERNAL };
}

unsigned ask_protocols(const struct policy *p, const struct ask *q)
{
	unsigned mask = 0;

	if (q->kind != ASK_CONNECT && q->kind != ASK_REQUEST)
		return 0;
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			struct rule one = *rule;
			const struct policy alone = { .rules = { &one, 1 } };

			one.endpoints = (struct list){ (void *)e, 1 };
			if (endpoint_inspected(e) && eval_connect(&alone, &q->connect).verdict == OSH_ALLOW)
				mask |= 1u << e->protocol;
		}
	return mask;
}

bool ask_looks_inside(const struct policy *p, const struct ask *q)
{
	return (q->kind == ASK_CONNECT || q->kind == ASK_REQUEST) && eval_inspects(p, &q->connect);
}
