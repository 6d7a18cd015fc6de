/* SPDX-License-Identifier: Apache-2.0 */
#include "log_line.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "own.h"

#define HEAD 4096			/* `time` stands before anything that a sandbox chose */

int64_t log_line_time(struct slice line)
{
	static const char key[] = "\"time\":";
	const char *p = memmem(line.p, line.n < HEAD ? line.n : HEAD, key, sizeof(key) - 1), *end = line.p + line.n;
	int64_t ms = 0;

	for (p = p ? p + sizeof(key) - 1 : end; p < end && *p >= '0' && *p <= '9' && ms < INT64_MAX / 100; p++)
		ms = ms * 10 + (*p - '0');
	return ms;
}

static const char *text_at(json_t *j, const char *a, const char *b, const char *c)
{
	const char *const path[] = { a, b, c };

	for (size_t i = 0; j && i < ARRAY_SIZE(path) && path[i]; i++)
		j = json_object_get(j, path[i]);
	return j ? json_string_value(j) : NULL;
}

static json_int_t number_at(json_t *j, const char *a, const char *b)
{
	j = json_object_get(j, a);
	if (b)
		j = json_object_get(j, b);
	return json_integer_value(j);
}

static bool is(const char *text, const char *want)
{
	return text && !strcmp(text, want);
}

/* The writer is ours, so a text that is not there at all need not be looked for in the tree. */
static bool may_have(struct slice line, const char *text)
{
	return memmem(line.p, line.n, text, strlen(text)) != NULL;
}

bool log_line_matches(struct slice line, const struct log_filter *f)
{
	int64_t ms = log_line_time(line);
	json_t *j;
	bool ok;

	if (ms < f->since_ms || (f->until_ms && ms > f->until_ms))
		return false;
	if (!f->sandbox && !f->denied)
		return true;
	if ((f->sandbox && !may_have(line, f->sandbox)) || (f->denied && !may_have(line, "\"denied\"")))
		return false;
	j = json_loadb(line.p, line.n, 0, NULL);
	ok = j && (!f->sandbox || is(text_at(j, "container", "name", NULL), f->sandbox)) &&
	     (!f->denied || is(text_at(j, "osh", "verdict", NULL), "denied"));
	json_decref(j);
	return ok;
}

/* A byte >= 0x80 was written as the Latin-1 character of its number, which is two bytes here. */
static void put_safe(struct buf *b, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p >= 0x20 && *p < 0x7f)
			buf_put(b, p, 1);
		else if ((*p & 0xfe) == 0xc2 && p[1])
			buf_printf(b, "\\x%02x", (unsigned)((*p & 3) << 6 | (p[1] & 0x3f))), p++;
		else
			buf_printf(b, "\\x%02x", *p);
}

static void put_endpoint(struct buf *b, json_t *j)
{
	const char *host = text_at(j, "dst_endpoint", "hostname", NULL), *ip = text_at(j, "dst_endpoint", "ip", NULL);
	json_int_t port = number_at(j, "dst_endpoint", "port");

	const char *first = host ? host : ip;

	if (!first) {		/* of no family that has any */
		put_safe(b, text_at(j, "dst_endpoint", "name", NULL) ?: "-");
		return;
	}
	put_safe(b, first);
	if (port)
		buf_printf(b, ":%" JSON_INTEGER_FORMAT, port);
	if (!host || !ip)
		return;
	buf_str(b, " (");
	put_safe(b, ip);
	buf_str(b, ")");
}

static void put_dns(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "query", "hostname", NULL) ?: "-");
	buf_str(b, " ");
	put_safe(b, text_at(j, "query", "type", NULL) ?: "");
}

static void put_request(struct buf *b, json_t *j)
{
	json_t *r = json_object_get(j, "http_request"), *url = json_object_get(r, "url");
	const char *method = text_at(r, "http_method", NULL, NULL);

	if (!url) {
		put_endpoint(b, j);
		return;
	}
	put_safe(b, method ? method : "-");
	buf_str(b, " ");
	put_safe(b, text_at(url, "scheme", NULL, NULL) ?: "");
	buf_str(b, "://");
	put_safe(b, text_at(url, "hostname", NULL, NULL) ?: "");
	buf_printf(b, ":%" JSON_INTEGER_FORMAT, number_at(url, "port", NULL));
	put_safe(b, text_at(url, "path", NULL, NULL) ?: "");
}

static void put_socket(struct buf *b, json_t *j)
{
	buf_printf(b, "family %d type %d protocol %d", (int)number_at(j, "unmapped", "family"),
		   (int)number_at(j, "unmapped", "socket_type"), (int)number_at(j, "unmapped", "protocol"));
}

static void put_syscall(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "unmapped", "syscall", NULL) ?: "-");
}

static void put_exec(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "process", "path", NULL) ?: "-");
}

static void put_file(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "file", "name", NULL) ?: "-");
}

static void put_life(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "osh", "reason", NULL) ?: "-");
}

static void put_log(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "osh", "kind", NULL) ?: "");
	buf_printf(b, " file %" JSON_INTEGER_FORMAT " of uid %" JSON_INTEGER_FORMAT, number_at(j, "osh", "file"),
		   number_at(j, "osh", "owner"));
}

static void put_provider(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "osh", "deed", NULL) ?: "-");
	buf_str(b, " ");
	put_safe(b, text_at(j, "entity", "name", NULL) ?: "-");
	buf_str(b, " by uid ");
	put_safe(b, text_at(json_object_get(j, "actor"), "user", "uid", NULL) ?: "?");
}

static void put_finding(struct buf *b, json_t *j)
{
	put_safe(b, text_at(j, "finding_info", "title", NULL) ?: "-");
	buf_printf(b, " (%" JSON_INTEGER_FORMAT ")", number_at(j, "count", NULL));
}

static const struct {
	const char *event;
	void (*put)(struct buf *b, json_t *j);
} whats[] = {
	{ "dns", put_dns },   { "http", put_request }, { "socket", put_socket }, { "syscall", put_syscall },
	{ "exec", put_exec }, { "file", put_file },    { "life", put_life },	  { "log", put_log },
	{ "provider", put_provider },
};

static void put_what(struct buf *b, json_t *j, const char *event)
{
	void (*put)(struct buf *, json_t *) = put_endpoint;

	for (size_t i = 0; event && i < ARRAY_SIZE(whats); i++)
		if (!strcmp(whats[i].event, event))
			put = whats[i].put;
	if (!event)			/* a finding has no decision */
		put = put_finding;
	put(b, j);
}

static void put_time(struct buf *b, json_int_t ms)
{
	time_t s = (time_t)(ms / 1000);
	char text[32] = "-";
	struct tm t;

	if (localtime_r(&s, &t))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &t);
	buf_printf(b, "%s.%03d", text, (int)(ms % 1000));
}

/* To a column; what is longer pushes the rest on. */
static void column(struct buf *b, size_t from, size_t width)
{
	do
		buf_str(b, " ");
	while (b->n < from + width);
}

static void put_colour(struct buf *b, const char *verdict)
{
	static const struct {
		const char *verdict, *on;
	} colours[] = { { "denied", "\033[31m" }, { "observed", "\033[33m" }, { "finding", "\033[35m" } };

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (!strcmp(colours[i].verdict, verdict)) {
			buf_str(b, colours[i].on);
			put_safe(b, verdict);
			buf_str(b, "\033[0m");
			return;
		}
	put_safe(b, verdict);
}

static void put_rule(struct buf *b, json_t *j)
{
	const char *line = text_at(j, "firewall_rule", "uid", NULL);

	put_safe(b, text_at(j, "firewall_rule", "name", NULL) ?: "-");
	if (line) {
		buf_str(b, ":");
		put_safe(b, line);
	}
}

static void put_reason(struct buf *b, json_t *j, const char *verdict)
{
	json_int_t n = number_at(j, "count", NULL);
	const char *detail = text_at(j, "osh", "detail", NULL);

	if (is(verdict, "denied") || is(verdict, "observed"))
		put_safe(b, text_at(j, "status_detail", NULL, NULL) ?: "");
	if (detail) {
		buf_str(b, ": ");
		put_safe(b, detail);
	}
	if (n > 1 && !is(verdict, "finding"))
		buf_printf(b, " x%" JSON_INTEGER_FORMAT, n);
}

static void put_columns(struct buf *b, json_t *j, bool colour)
{
	const char *event = text_at(j, "osh", "event", NULL), *verdict = text_at(j, "osh", "verdict", NULL);
	const char *program;
	json_t *process = json_object_get(json_object_get(j, "actor"), "process");
	size_t at = b->n;

	verdict = verdict ? verdict : event ? "-" : "finding";
	put_safe(b, text_at(j, "container", "name", NULL) ?: "-");
	column(b, at, 17);
	at = b->n;
	if (colour)
		put_colour(b, verdict);
	else
		put_safe(b, verdict);
	column(b, at, colour && b->n > at && b->p[at] == '\033' ? 18 : 9);
	at = b->n;
	put_safe(b, event ? event : "log");
	column(b, at, 9);
	at = b->n;
	put_what(b, j, event);
	program = text_at(process, "file", "path", NULL) ?: text_at(process, "name", NULL, NULL);
	column(b, at, 45);
	at = b->n;
	put_safe(b, program ? program : "-");
	column(b, at, 25);
	at = b->n;
	put_rule(b, j);
	column(b, at, 17);
	put_reason(b, j, verdict);
}

void log_line_print(FILE *out, struct slice line, bool colour)
{
	json_t *j = json_loadb(line.p, line.n, 0, NULL);
	struct buf b = { 0 };

	if (json_is_object(j)) {
		put_time(&b, json_integer_value(json_object_get(j, "time")));
		buf_str(&b, "  ");
		put_columns(&b, j, colour);
	} else {
		buf_str(&b, "(a line that cannot be read)");
	}
	while (b.n && b.p[b.n - 1] == ' ')
		b.n--;
	buf_str(&b, "\n");
	if (buf_ok(&b))
		(void)fwrite(b.p, 1, b.n, out);
	buf_done(&b);
	json_decref(j);
}
