/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a log -> a denial, added up with those that mean the same. docs/audit-format.md has the
 * fields. */
#include <jansson.h>
#include <string.h>

#include "learn.h"
#include "osh/landlock.h"
#include "osh/limits.h"
#include "own.h"

struct record {
	struct learn *l;
	struct arena *a; /* for this line alone */
	json_t *j;
	const char *event, *verdict, *reason;
	bool bad; /* a field is not what the format says, or memory is out */
};

/* The writer gives bytes as Latin-1 characters; here they are bytes again. */
static char *bytes_of(struct record *r, const char *text)
{
	size_t n = strlen(text), at = 0;
	char *out = n < OSH_FS_PATH_LEN * 2 ? arena_zalloc(r->a, n + 1) : NULL;

	r->bad = r->bad || !out;
	for (const unsigned char *p = (const unsigned char *)text; out && *p; p++) {
		if (*p < 0x80)
			out[at++] = (char)*p;
		else if ((*p & 0xfe) == 0xc2 && p[1])
			out[at++] = (char)((*p & 3) << 6 | (p[1] & 0x3f)), p++;
		else
			r->bad = true;
	}
	return out;
}

/* What lies at the keys, "" where nothing does. */
static const char *text_at(struct record *r, const char *a, const char *b, const char *c)
{
	const char *const path[] = { a, b, c };
	json_t *j = r->j;
	const char *text;

	for (size_t i = 0; j && i < ARRAY_SIZE(path) && path[i]; i++) {
		r->bad = r->bad || !json_is_object(j);
		j = json_object_get(j, path[i]);
	}
	r->bad = r->bad || (j && !json_is_string(j));
	text = j && json_is_string(j) ? bytes_of(r, json_string_value(j)) : NULL;
	return text ? text : "";
}

static uint64_t number_at(struct record *r, const char *a, const char *b)
{
	json_t *j = json_object_get(r->j, a);

	if (b)
		j = json_object_get(j, b);
	r->bad = r->bad || (j && (!json_is_integer(j) || json_integer_value(j) < 0));
	return j && json_is_integer(j) ? (uint64_t)json_integer_value(j) : 0;
}

/* The same for what lies below a key. */
static struct record below(const struct record *r, const char *key)
{
	struct record at = *r;

	at.j = json_object_get(r->j, key);
	at.bad = at.j && !json_is_object(at.j);
	return at;
}

static const char *program_of(struct record *r)
{
	struct record actor = below(r, "actor"), process = below(&actor, "process");
	const char *path = text_at(&process, "file", "path", NULL);

	r->bad = r->bad || actor.bad || process.bad;
	return path;
}

static void dns_of(struct record *r, struct learn_item *it)
{
	it->host = text_at(r, "query", "hostname", NULL);
	it->port = 443; /* the question names none; said where it is proposed */
}

/* `ip` is osh's own for a name, and the destination where there is none. */
static void endpoint_of(struct record *r, struct learn_item *it)
{
	uint64_t port = number_at(r, "dst_endpoint", "port");

	if (!strcmp(r->event, "egress") && number_at(r, "osh", "aux"))
		port = number_at(r, "osh", "aux"); /* that the sandbox asked for */
	it->host = text_at(r, "dst_endpoint", "hostname", NULL);
	if (!*it->host)
		it->host = text_at(r, "dst_endpoint", "ip", NULL);
	it->port = port <= 65535 ? (uint32_t)port : 0;
}

static void request_of(struct record *r, struct learn_item *it)
{
	struct record in = below(r, "http_request"), url = below(&in, "url");
	uint64_t port = number_at(&url, "port", NULL);

	it->method = text_at(&in, "http_method", NULL, NULL);
	it->host = text_at(&in, "url", "hostname", NULL);
	it->path = text_at(&in, "url", "path", NULL);
	it->port = port <= 65535 ? (uint32_t)port : 0;
	r->bad = r->bad || in.bad || url.bad;
	if (it->why == LEARN_PROPOSED &&
	    json_is_true(json_object_get(json_object_get(r->j, "osh"), "cut")))
		it->why = LEARN_CUT;
}

static void exec_of(struct record *r, struct learn_item *it)
{
	it->path = text_at(r, "process", "path", NULL);
	it->binary = ""; /* whoever started it */
}

/* Rights that were refused: reading and running, or writing what is there, or what no path alone
 * gives. */
static void landlock_of(struct record *r, struct learn_item *it)
{
	const uint64_t read = OSH_LL_READ_FILE | OSH_LL_READ_DIR | OSH_LL_EXECUTE;
	const uint64_t write = OSH_LL_WRITE_FILE | OSH_LL_TRUNCATE;
	const uint64_t names = OSH_LL_REMOVE_DIR | OSH_LL_REMOVE_FILE | OSH_LL_MAKE_DIR |
			       OSH_LL_MAKE_REG | OSH_LL_MAKE_SYM | OSH_LL_MAKE_FIFO | OSH_LL_REFER;
	uint64_t rights = number_at(r, "osh", "aux");

	it->path = text_at(r, "file", "name", NULL);
	it->kind = rights & ~read ? LEARN_WRITE : LEARN_READ;
	if (!rights || rights & ~(read | write | names))
		it->why = LEARN_NOT_A_RULE;
	else if (rights & names)
		it->why = LEARN_DIRECTORY;
	it->binary = ""; /* an entry for all, as those beside it */
}

static void file_of(struct record *r, struct learn_item *it)
{
	it->path = text_at(r, "file", "name", NULL);
}

/* Whatever says best what it was about. */
static void other_of(struct record *r, struct learn_item *it)
{
	static const char *const places[][2] = {
		{ "query", "hostname" },     { "dst_endpoint", "hostname" },
		{ "dst_endpoint", "ip" },    { "dst_endpoint", "name" },
		{ "file", "name" },          { "unmapped", "syscall" },
		{ "unmapped", "operation" }, { "src_endpoint", "name" },
		{ "process", "path" },
	};

	it->path = "";
	for (size_t i = 0; !*it->path && i < ARRAY_SIZE(places); i++)
		if (json_is_string(
			json_object_get(json_object_get(r->j, places[i][0]), places[i][1])))
			it->path = text_at(r, places[i][0], places[i][1], NULL);
}

/* The first row that fits: reason "" = any. NULL = nothing that a policy has a say in. */
static const struct row {
	const char *event, *reason;
	enum learn_kind kind;
	enum learn_why why;
	void (*fill)(struct record *r, struct learn_item *it);
} rows[] = {
	{ "dns", "NAME_UNKNOWN", LEARN_DNS, LEARN_PROPOSED, dns_of },
	{ "connect", "PORT", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "connect", "BINARY", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "connect", "DEST_UNKNOWN", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "connect", "TAINTED", LEARN_CONNECT, LEARN_INJECTED, endpoint_of },
	{ "connect", "MAPPED", LEARN_CONNECT, LEARN_INJECTED, endpoint_of },
	{ "connect", "NO_IDENTITY", LEARN_CONNECT, LEARN_NO_PROGRAM, endpoint_of },
	{ "connect", "EXEC_UNSEEN", LEARN_CONNECT, LEARN_NO_PROGRAM, endpoint_of },
	{ "connect", "PATH_LONG", LEARN_CONNECT, LEARN_NO_PROGRAM, endpoint_of },
	{ "connect", "IDENT_FULL", LEARN_CONNECT, LEARN_NO_PROGRAM, endpoint_of },
	{ "connect", "REPLACED", LEARN_CONNECT, LEARN_PROGRAM_WRITABLE, endpoint_of },
	{ "egress", "PORT", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "egress", "BINARY", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "egress", "DEST_UNKNOWN", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "egress", "REVOKED", LEARN_CONNECT, LEARN_PROPOSED, endpoint_of },
	{ "egress", "ADDR_PRIVATE", LEARN_CONNECT, LEARN_ADDRESS_PRIVATE, endpoint_of },
	{ "egress", "ADDR_NOT_LISTED", LEARN_CONNECT, LEARN_ADDRESS_PRIVATE, endpoint_of },
	{ "egress", "ADDR_FORBIDDEN", LEARN_CONNECT, LEARN_ADDRESS_SPECIAL, endpoint_of },
	{ "egress", "PORT_FORBIDDEN", LEARN_CONNECT, LEARN_PORT, endpoint_of },
	{ "http", "REQUEST", LEARN_REQUEST, LEARN_PROPOSED, request_of },
	{ "http", "REQUEST_DENIED", LEARN_REQUEST, LEARN_DENY_RULE, request_of },
	{ "http", "GRAPHQL", LEARN_REQUEST, LEARN_BODY, request_of },
	{ "http", "GRAPHQL_BAD", LEARN_REQUEST, LEARN_BODY, request_of },
	{ "http", "GRAPHQL_UNKNOWN", LEARN_REQUEST, LEARN_BODY, request_of },
	{ "landlock", "", LEARN_READ, LEARN_PROPOSED, landlock_of },
	{ "file", "FILE_DENIED", LEARN_OTHER, LEARN_RESERVED, file_of },
	{ "exec", "EXEC_STRICT", LEARN_EXEC, LEARN_PROPOSED, exec_of },
	{ "exec", "EXEC_TREE", LEARN_EXEC, LEARN_NOT_A_RULE, exec_of },
};

static const struct row other = { "", "", LEARN_OTHER, LEARN_NOT_A_RULE, other_of };

static bool listed(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (!strcmp(*words, word))
			return true;
	return false;
}

/* The world outside said no, or a C library asked what it asks in every program. */
static bool no_policy(struct record *r)
{
	static const char *const outside[] = {
		"RESOLVE",    "UPSTREAM", "UPSTREAM_HTTP", "UPSTREAM_CERT", "TLS_UPSTREAM",
		"TLS_CLIENT", "PROXY",    "PEER_AWAY",     "PEER_CLOSED",   NULL
	};
	static const char *const probes[] = { "/var/run/nscd/socket", "/run/nscd/socket", NULL };

	if (!strcmp(r->event, "egress") || !strcmp(r->event, "http"))
		return listed(outside, r->reason);
	return !strcmp(r->event, "unix") &&
	       listed(probes, text_at(r, "dst_endpoint", "name", NULL));
}

static const struct row *row_of(const struct record *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].event, r->event) &&
		    (!*rows[i].reason || !strcmp(rows[i].reason, r->reason)))
			return &rows[i];
	return &other;
}

static bool same(const struct learn_item *a, const struct learn_item *b)
{
	return a->kind == b->kind && a->why == b->why && a->port == b->port &&
	       !strcmp(a->event, b->event) && !strcmp(a->reason, b->reason) &&
	       !strcmp(a->host, b->host) && !strcmp(a->binary, b->binary) &&
	       !strcmp(a->method, b->method) && !strcmp(a->path, b->path);
}

static uint32_t bucket_of(const struct learn_item *it)
{
	const char *const parts[] = { it->host, it->binary, it->method, it->path };
	uint32_t h = 2166136261u ^ it->port;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h % LEARN_BUCKETS;
}

/* The texts are the line's until here. */
static struct learn_item *keep(struct learn *l, const struct learn_item *it)
{
	struct learn_item *own = arena_zalloc(&l->a, sizeof(*own));

	if (!own)
		return NULL;
	*own = *it;
	own->event = arena_text(&l->a, it->event, strlen(it->event));
	own->reason = arena_text(&l->a, it->reason, strlen(it->reason));
	own->host = arena_text(&l->a, it->host, strlen(it->host));
	own->binary = arena_text(&l->a, it->binary, strlen(it->binary));
	own->method = arena_text(&l->a, it->method, strlen(it->method));
	own->path = arena_text(&l->a, it->path, strlen(it->path));
	if (l->a.bad)
		return NULL;
	l->items[l->n++] = own;
	return own;
}

/* The closing line of what repeated counts the first one, too. */
static void add(struct learn *l, const struct learn_item *it, bool repeats)
{
	struct learn_item **p = &l->buckets[bucket_of(it)];
	uint64_t more = it->count - (repeats && it->count ? 1 : 0);

	while (*p && !same(*p, it))
		p = &(*p)->next;
	if (!*p && l->n == LEARN_MAX) {
		l->beyond += more;
		return;
	}
	if (!*p) {
		*p = keep(l, it);
		return;
	}
	(*p)->count += more;
	if (it->first_ms < (*p)->first_ms)
		(*p)->first_ms = it->first_ms;
	if (it->last_ms > (*p)->last_ms)
		(*p)->last_ms = it->last_ms;
}

/* A name in capitals, or with a dot at its end, is the same name. */
static const char *lower(struct arena *a, const char *host)
{
	size_t n = strlen(host);
	char *out = arena_zalloc(a, n + 1);

	for (size_t i = 0; out && i < n; i++)
		out[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 'a' - 'A') : host[i];
	if (out && n > 1 && out[n - 1] == '.')
		out[n - 1] = 0;
	return out ? out : "";
}

static int take(struct record *r, struct err *e)
{
	const struct row *row = row_of(r);
	struct learn_item it = { .kind = row->kind,
				 .why = row->why,
				 .event = "",
				 .reason = "",
				 .host = "",
				 .method = "",
				 .path = "" };
	const json_t *again = json_object_get(json_object_get(r->j, "osh"), "repeats");

	r->l->foreign += strcmp(text_at(r, "policy", "uid", NULL), r->l->hash) != 0;
	if (no_policy(r)) {
		r->l->elsewhere++;
		return r->bad ? fail(e, EINVAL, "a field is not what docs/audit-format.md says")
			      : 0;
	}
	it.binary = program_of(r);
	row->fill(r, &it);
	if (it.kind == LEARN_OTHER) {
		it.event = r->event;
		it.reason = r->reason;
	}
	it.host = lower(r->a, it.host);
	it.count = number_at(r, "count", NULL);
	it.first_ms = it.last_ms = (int64_t)number_at(r, "time", NULL);
	if (r->bad || !it.count || it.count > 1ull << 53)
		return fail(e, EINVAL, "a field is not what docs/audit-format.md says");
	add(r->l, &it, json_is_true(again));
	return r->l->a.bad || r->a->bad ? fail(e, ENOMEM, "out of memory") : 0;
}

static int read_record(struct record *r, const char *sandbox, struct err *e)
{
	const char *name;

	if (!json_is_integer(json_object_get(r->j, "class_uid")) ||
	    !json_is_integer(json_object_get(r->j, "time")))
		return fail(e, EINVAL,
			    "not a line of an audit log: class_uid and time are missing");
	if (!json_object_get(r->j, "osh"))
		return 0; /* a finding decides nothing */
	r->event = text_at(r, "osh", "event", NULL);
	r->verdict = text_at(r, "osh", "verdict", NULL);
	r->reason = text_at(r, "osh", "reason", NULL);
	if (r->bad || !*r->event)
		return fail(e, EINVAL, "osh.event, osh.verdict or osh.reason is no text");
	if (strcmp(r->verdict, "denied") &&
	    (strcmp(r->verdict, "observed") || strcmp(r->event, "http")))
		return 0;
	if (json_integer_value(json_object_get(r->j, "time")) < r->l->since_ms)
		return 0;
	name = sandbox ? text_at(r, "container", "name", NULL) : NULL;
	return name && strcmp(name, sandbox) ? 0 : take(r, e);
}

int learn_line(struct learn *l, struct slice line, const char *sandbox, struct err *e)
{
	struct arena scratch = { 0 };
	struct record r = { .l = l, .a = &scratch };
	json_error_t why;
	int x;

	if (line.n > OSH_LOG_LINE)
		return fail(e, EINVAL, "longer than any line of a log (%u bytes)", OSH_LOG_LINE);
	r.j = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(r.j)) {
		json_decref(r.j);
		return fail(e, EINVAL, "not a JSON object: %.120s",
			    r.j ? "another value" : why.text);
	}
	x = read_record(&r, sandbox, e);
	json_decref(r.j);
	arena_done(&scratch);
	return x;
}
