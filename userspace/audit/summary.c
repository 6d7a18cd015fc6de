/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal: every byte that came from the sandbox is printable ASCII or '?'. */
#include "summary.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "own.h"
#include "text.h"

#define LINES 10

static void put_safe(struct buf *b, const char *p, size_t max)
{
	for (size_t i = 0; i < max && p[i]; i++)
		buf_put(b, p[i] >= 0x20 && p[i] < 0x7f ? &p[i] : "?", 1);
}

static void put_target(struct buf *b, struct asandbox *s, const struct osh_event_named *e)
{
	const struct osh_event *v = &e->ev;
	char name[OSH_NAME_MAX] = "", text[INET6_ADDRSTRLEN];
	bool v4 = v->addr_be[2] == htonl(0xffff) && !v->addr_be[0];
	uint32_t own = asandbox_synthetic(s, v);

	if (v->name_len) {
		put_safe(b, e->name, v->name_len);
	} else if (v->family) {
		if (own)
			map_name(s->id, own, name);
		if (!name[0] && inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &v->addr_be[3] : v->addr_be, text,
					  sizeof(text)))
			snprintf(name, sizeof(name), "%s", text);
		put_safe(b, name, sizeof(name));
		if (v->port)
			buf_printf(b, ":%u", v->port);
	} else if (v->kind == OSH_EV_SOCKET) {
		buf_printf(b, "family %u type %u protocol %u", v->aux >> 16, v->aux >> 8 & 0xff,
			   v->aux & 0xff);
	} else if (v->kind == OSH_EV_SYSCALL) {
		calls_name(v->aux, name);
		put_safe(b, name, sizeof(name));
	} else if (v->kind == OSH_EV_TASK) {
		buf_str(b, op_text(v->aux));
	} else if (v->kind == OSH_EV_DEVICE) {
		device_text(v->aux, name);
		buf_str(b, name);
	}
}

static int by_count(const void *x, const void *y)
{
	const struct denial *a = *(struct denial *const *)x, *b = *(struct denial *const *)y;

	return a->count != b->count ? (a->count < b->count ? 1 : -1)
	       : a->first.ev.time_ns < b->first.ev.time_ns ? -1 : 1;
}

static void put_denial(struct buf *b, struct asandbox *s, const struct denial *d)
{
	char program[OSH_PATH_MAX];

	buf_printf(b, "  %s ", event_text(d->first.ev.kind));
	if (d->http && d->http->method[0]) {
		put_safe(b, d->http->method, sizeof(d->http->method));
		buf_str(b, " ");
	}
	put_target(b, s, &d->first);
	if (d->http)
		put_safe(b, d->http->path, sizeof(d->http->path));
	map_program(s->id, d->first.ev.ident, program);
	buf_str(b, " (");
	if (program[0])
		put_safe(b, program, sizeof(program));
	else
		put_safe(b, d->first.ev.comm, sizeof(d->first.ev.comm));
	buf_str(b, ")");
	if (d->count > 1)
		buf_printf(b, " x%llu", (unsigned long long)d->count);
	buf_printf(b, ": %s\n", reason_text(d->first.ev.why));
}

/* What the C library tries by itself in every program is in the log, and no news to a person. */
static bool quiet(const struct osh_event_named *e)
{
	static const char *const probes[] = { "/var/run/nscd/socket", "/run/nscd/socket" };

	if (e->ev.verdict != OSH_DENY)		/* a record, not a denial */
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		if (e->ev.kind == OSH_EV_UNIX && !strcmp(e->name, probes[i]))
			return true;
	return false;
}

/* A name has an address of each family, and programs try both. */
static bool same_address(struct asandbox *s, const struct osh_event *x, const struct osh_event *y)
{
	uint32_t own = asandbox_synthetic(s, x);

	return x->aux == y->aux && ((own && own == asandbox_synthetic(s, y)) || !memcmp(x->addr_be, y->addr_be, sizeof(x->addr_be)));
}

/* The same to a person: record type and socket type aside. */
static bool alike(struct asandbox *s, const struct osh_event_named *x, const struct osh_event_named *y)
{
	return x->ev.kind == y->ev.kind && x->ev.why == y->ev.why && x->ev.ident == y->ev.ident &&
	       x->ev.port == y->ev.port && (x->ev.kind != OSH_EV_HTTP || x->ev.aux == y->ev.aux) &&
	       x->ev.name_len == y->ev.name_len &&
	       (x->ev.name_len ? !memcmp(x->name, y->name, x->ev.name_len) : same_address(s, &x->ev, &y->ev));
}

/* Merges what is alike into the first of its kind; the log has been written. Gives how many are left. */
static uint32_t merge(struct asandbox *s, struct denial **order, uint64_t *total)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_denials; i++) {
		struct denial *d = &s->denials[i];
		uint32_t at = 0;

		if (quiet(&d->first))
			continue;
		*total += d->count;
		while (at < n && !alike(s, &order[at]->first, &d->first))
			at++;
		if (at < n)
			order[at]->count += d->count;
		else
			order[n++] = d;
	}
	return n;
}

/* A program that the kernel ended says nothing itself, and status 137 says little. */
static void put_limits(struct buf *b, const struct asandbox *s)
{
	static const char *const texts[OSH_LIMITS] = {
		[OSH_LIMIT_TASKS] = "resources.pids: a process or thread was refused",
		[OSH_LIMIT_MEMORY] = "resources.memory: a program was ended",
		[OSH_LIMIT_DISK] = "resources.disk: /tmp, /dev/shm or the home was full",
		[OSH_LIMIT_WALL] = "resources.wall: its time was over",
	};

	for (int i = 1; i < OSH_LIMITS; i++) {
		if (s->hits[i])
			buf_printf(b, "osh: limit %s", texts[i]);
		if (s->hits[i] > 1)
			buf_printf(b, " x%llu", (unsigned long long)s->hits[i]);
		if (s->hits[i])
			buf_str(b, "\n");
	}
}

/* For a shell: nothing of a name that the sandbox chose may be more to it than a letter, nor an option of what it runs. */
static bool plain(const char *text, size_t max)
{
	size_t n = strnlen(text, max), ok = 0;

	while (ok < n && (isalnum((unsigned char)text[ok]) || strchr("._/:@-", text[ok])))
		ok++;
	return n && ok == n && *text != '-';
}

/* Any token is a method to HTTP, one that looks like an option, too. */
static bool is_method(const struct osh_http *h)
{
	size_t n = strnlen(h->method, sizeof(h->method)), ok = 0;

	while (ok < n && isupper((unsigned char)h->method[ok]))
		ok++;
	return n && ok == n;
}

/* Of a call that was refused for its model: what it asked for. */
static const char *model_of(const struct denial *d)
{
	static const char before[] = "model ";
	const char *said = d->http ? d->http->detail : "";
	size_t n = sizeof(before) - 1;

	if ((d->first.ev.why != OSH_WHY_MODEL && d->first.ev.why != OSH_WHY_NO_ROUTE) || strncmp(said, before, n) != 0)
		return NULL;
	return plain(said + n, sizeof(d->http->detail) - n) ? said + n : NULL;
}

/* The question to `policy explain`; false = it is not one that can be asked, or not by these names. */
static bool put_question(struct buf *b, struct asandbox *s, const struct denial *d)
{
	const struct osh_http *h = d->http;
	uint16_t kind = d->first.ev.kind;
	bool http = kind == OSH_EV_HTTP && h && h->path[0] == '/' && !(h->flags & OSH_HTTP_CUT);
	const char *model = http ? model_of(d) : NULL;
	struct buf to = { 0 };
	char program[OSH_PATH_MAX];
	bool ok;

	if ((kind != OSH_EV_DNS && kind != OSH_EV_CONNECT && !http) || (http && !is_method(h)))
		return false;
	if (http)
		buf_printf(&to, "http%s://", h->flags & OSH_HTTP_TLS ? "s" : "");
	put_target(&to, s, &d->first);
	if (http)
		buf_printf(&to, "%.512s", h->path);
	ok = buf_ok(&to) && plain(to.p, to.n) &&
	     (kind != OSH_EV_CONNECT || memchr(to.p, ':', to.n) == memrchr(to.p, ':', to.n)); /* of version 6 it would want brackets */
	if (ok)
		buf_printf(b, "'%.*s %.*s%s%s'", (int)sizeof(h->method), http ? h->method : kind == OSH_EV_DNS ? "dns" : "connect", (int)to.n, to.p,
			   model ? " model " : "", model ? model : "");
	buf_done(&to);
	map_program(s->id, d->first.ev.ident, program);
	if (ok && kind != OSH_EV_DNS && *program == '/' && plain(program, sizeof(program)))
		buf_printf(b, " --binary %s", program);
	return ok;
}

/* The next step, once: what would allow it is not ours to say, since we have no policy's text. */
static void put_step(struct buf *b, struct asandbox *s, struct denial *const *order, uint32_t n)
{
	struct buf question = { 0 };

	for (uint32_t i = 0; i < n; i++)
		if (put_question(&question, s, order[i])) {
			buf_str(b, "  what would allow it: oshctl policy explain -p POLICY ");
			buf_put(b, question.p, question.n);
			buf_str(b, "\n");
			break;
		}
	buf_done(&question);
}

static void put_denials(struct buf *b, struct asandbox *s, struct denial *const *order, uint32_t n, uint64_t total,
			uint64_t more)
{
	uint32_t shown = n < LINES ? n : LINES;

	if (!total)
		return;
	buf_printf(b, "osh: %llu denial%s\n", (unsigned long long)total, total == 1 ? "" : "s");
	for (uint32_t i = 0; i < shown; i++)
		put_denial(b, s, order[i]);
	if (shown < n || more)
		buf_printf(b, "  and more; the whole record is in the log (--log FILE)\n");
	put_step(b, s, order, shown);
}

void summary_write(struct asandbox *s, uint64_t more)
{
	struct denial **order = malloc((s->n_denials + 1) * sizeof(struct denial *));
	struct buf b = { 0 };
	uint64_t total = more;
	uint32_t n = order ? merge(s, order, &total) : 0;

	if (!order)
		return;
	qsort(order, n, sizeof(struct denial *), by_count);
	put_denials(&b, s, order, n, total, more);
	put_limits(&b, s);
	if (b.n && buf_ok(&b))
		(void)out_write(&s->summary, b.p, b.n);	/* a caller who left needs no summary */
	buf_done(&b);
	free(order);
}
