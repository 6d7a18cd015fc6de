/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads heads of HTTP/1.1 that come from a hostile peer. Nothing is repaired: a head is either read in
 * the one way that the grammar of RFC 9112 leaves, or refused. Lines are judged in order, so that a head
 * that comes in pieces is read, or refused, as it would be in one.
 */
#include "http/h1.h"

#include <stdint.h>

#include "http/chars.h"
#include "http/h1_line.h"
#include "own.h"

#define METHOD_MOST 32
#define LINE_REST 64			/* of a request line, besides its target */
#define HOST_MOST 262			/* a name of 255 and a port */
#define LISTED_MOST 8			/* names in `connection` that are not known ones */

struct reader {
	struct slice in;		/* at most HEAD_BYTES of it */
	size_t at;
	struct head *h;
	struct h1_message *m;
	bool request;
	const char *why;
	int status;
	uint32_t lines;
	/* Fields that decide about the message, as they were met. */
	bool host, coding, length, te_trailers, expect;
	bool close, wants_upgrade;
	struct slice upgrade;
	struct slice listed[LISTED_MOST];
	uint32_t n_listed;
};

static bool refuse(struct reader *r, int status, const char *why)
{
	r->status = status;
	r->why = why;
	return false;
}

ssize_t h1_head_end(struct slice in, size_t *seen)
{
	const char *p = in.p, *end = in.p + in.n, *lf;

	for (p += *seen; p < end && (lf = memchr(p, '\n', (size_t)(end - p))); p = lf + 1) {
		size_t at = (size_t)(lf - in.p);

		if (!at || lf[-1] != '\r')
			return -1;
		if (at < 2 || lf[-2] == '\n')
			return (ssize_t)at + 1;
	}
	*seen = in.n;
	return 0;
}

/* 1 and the line without its end, 0 = more is needed, -1 = refused. */
static int next_line(struct reader *r, struct slice *line)
{
	size_t left = r->in.n - r->at, n;
	const char *p = r->in.p + r->at, *lf = left ? memchr(p, '\n', left) : NULL;

	if (!lf) {
		if (r->in.n < HEAD_BYTES)
			return 0;
		return refuse(r, 431, "the head is larger than the limit") - 1;
	}
	n = (size_t)(lf - p);
	if (!n || p[n - 1] != '\r')
		return refuse(r, 400, "a line ends in a bare LF") - 1;
	*line = (struct slice){ p, n - 1 };
	r->at += n + 1;
	return 1;
}

/* "HTTP/1.1", "HTTP/1.0" and no other. */
static bool read_version(struct reader *r, struct slice s)
{
	if (s.n != 8 || memcmp(s.p, "HTTP/", 5) || !(http_chars[(uint8_t)s.p[5]] & CH_DIGIT) ||
	    s.p[6] != '.' || !(http_chars[(uint8_t)s.p[7]] & CH_DIGIT))
		return refuse(r, 400, "no HTTP version where it should be");
	if (s.p[5] != '1' || s.p[7] > '1')
		return refuse(r, 505, "this version of HTTP is not spoken here");
	r->h->version = s.p[7] == '1' ? 11 : 10;
	return true;
}

/* NAME, NAME:PORT, [ADDRESS] or [ADDRESS]:PORT, and nothing that could be read as something else. */
static bool authority_good(struct slice s)
{
	size_t i = 0, digits = 0;
	unsigned port = 0;

	if (!s.n || s.n > HOST_MOST)
		return false;
	if (s.p[0] == '[') {
		for (i = 1; i < s.n && (http_chars[(uint8_t)s.p[i]] & CH_HEX || s.p[i] == ':' || s.p[i] == '.'); i++)
			;
		if (i < 3 || i == s.n || s.p[i++] != ']')
			return false;
	} else {
		while (i < s.n && http_chars[(uint8_t)s.p[i]] & CH_HOST)
			i++;
	}
	if (!i || i == s.n)
		return i != 0;
	if (s.p[i++] != ':')
		return false;
	for (; i < s.n && http_chars[(uint8_t)s.p[i]] & CH_DIGIT && digits < 5; i++, digits++)
		port = port * 10 + (unsigned)(s.p[i] - '0');
	return i == s.n && digits && port && port <= 65535;
}

static bool put_authority(struct reader *r, struct slice s)
{
	struct head *h = r->h;

	h->authority = head_text(h, s);
	if (!h->authority)
		return refuse(r, 431, "the head is larger than the limit");
	for (char *p = h->text + h->authority; *p; p++)
		*p = chars_lower(*p);
	return true;
}

/* http://authority/path: what it says about the authority is compared with `host` later. */
static bool absolute_form(struct reader *r, struct slice *target)
{
	static const struct slice schemes[] = { { "http://", 7 }, { "https://", 8 } };
	struct slice rest = *target, authority;
	const char *slash;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = schemes[i].n;

		if (rest.n <= n || !chars_same((struct slice){ rest.p, n }, schemes[i]))
			continue;
		rest = (struct slice){ rest.p + n, rest.n - n };
		slash = memchr(rest.p, '/', rest.n);
		if (!slash)
			return refuse(r, 400, "an absolute target needs a path");
		authority = (struct slice){ rest.p, (size_t)(slash - rest.p) };
		if (!authority_good(authority))
			return refuse(r, 400, "the authority of the target is malformed");
		r->h->scheme = head_text(r->h, (struct slice){ schemes[i].p, n - 3 });
		*target = (struct slice){ slash, rest.n - authority.n };
		return put_authority(r, authority);
	}
	return refuse(r, 400, "the target of a request is a path");
}

static bool read_target(struct reader *r, struct slice s)
{
	if (s.n > TARGET_BYTES)
		return refuse(r, 414, "the target is longer than the limit");
	if (!s.n || !chars_all(s, CH_TARGET))
		return refuse(r, 400, "the target holds a byte that must be encoded");
	if (s.p[0] != '/' && !absolute_form(r, &s))
		return false;
	r->h->target = head_text(r->h, s);
	return r->h->target || refuse(r, 431, "the head is larger than the limit");
}

static bool read_request_line(struct reader *r, struct slice line)
{
	const char *end = line.p + line.n, *a = memchr(line.p, ' ', line.n), *b;
	struct slice method;

	if (!a)
		return refuse(r, 400, "this is no request line");
	method = (struct slice){ line.p, (size_t)(a - line.p) };
	if (!method.n || !chars_all(method, CH_TOKEN))
		return refuse(r, 400, "the method is no token");
	if (method.n > METHOD_MOST)
		return refuse(r, 501, "the method is longer than the limit");
	if (slice_is(method, "CONNECT"))
		return refuse(r, 400, "CONNECT is not served: connect to the host itself");
	b = memchr(a + 1, ' ', (size_t)(end - a - 1));
	if (!b)
		return refuse(r, 400, "a request line without a version");
	if (!read_version(r, (struct slice){ b + 1, (size_t)(end - b - 1) }))
		return false;
	r->h->method = head_text(r->h, method);
	return read_target(r, (struct slice){ a + 1, (size_t)(b - a - 1) });
}

static bool read_status_line(struct reader *r, struct slice line)
{
	unsigned code = 0;

	if (line.n < 12 || line.p[8] != ' ')
		return refuse(r, 502, "this is no status line");
	if (!read_version(r, (struct slice){ line.p, 8 }))
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (!(http_chars[(uint8_t)line.p[i]] & CH_DIGIT))
			return refuse(r, 502, "the status is no number");
		code = code * 10 + (unsigned)(line.p[i] - '0');
	}
	if (line.n > 12 && (line.p[12] != ' ' ||
			    !chars_all((struct slice){ line.p + 13, line.n - 13 }, CH_VALUE)))
		return refuse(r, 502, "the status line is malformed");
	if (code < 100 || code > 599)
		return refuse(r, 502, "the status is out of range");
	r->h->status = (uint16_t)code;
	return true;
}

static bool take_host(struct reader *r, struct slice v)
{
	const struct head *h = r->h;

	if (!r->request)
		return true;
	if (r->host)
		return refuse(r, 400, "several Host fields");
	r->host = true;
	if (!authority_good(v))
		return refuse(r, 400, "the Host field is malformed");
	if (h->authority)
		return chars_same(v, slice_of(head_str(h, h->authority))) ||
		       refuse(r, 400, "the Host field contradicts the target");
	return put_authority(r, v);
}

bool h1_length(struct slice v, uint64_t *ret)
{
	uint64_t n = 0;

	if (!v.n || v.n > 18 || (v.n > 1 && v.p[0] == '0'))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (!(http_chars[(uint8_t)v.p[i]] & CH_DIGIT))
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	*ret = n;
	return true;
}

static bool take_length(struct reader *r, struct slice v)
{
	if (r->length)
		return refuse(r, 400, "several Content-Length fields");
	r->length = true;
	if (!h1_length(v, &r->m->length))
		return refuse(r, 400, "the Content-Length is no plain number");
	return head_put(r->h, SLICE("content-length"), v) ||
	       refuse(r, 431, "the head is larger than the limit");
}

/* A request says `chunked` as everybody writes it; an answer may differ in case. */
static bool take_coding(struct reader *r, struct slice v)
{
	if (r->coding)
		return refuse(r, 400, "several Transfer-Encoding fields");
	r->coding = true;
	if (!slice_is(v, "chunked") && (r->request || !chars_same(v, SLICE("chunked"))))
		return refuse(r, 400, "a Transfer-Encoding other than chunked");
	return true;
}

#define NAME(lit) { lit, sizeof(lit) - 1 }

/* What `connection` names is dropped; what a message depends on cannot be named away. */
static bool take_connection(struct reader *r, struct slice v)
{
	static const struct slice known[] = {
		NAME("keep-alive"), NAME("te"), NAME("trailer"), NAME("trailers"),
		NAME("http2-settings"), NAME("proxy-connection"),
	};
	static const struct slice needed[] = {
		NAME("host"), NAME("content-length"), NAME("transfer-encoding"), NAME("expect"),
		NAME("authorization"), NAME("cookie"), NAME("set-cookie"), NAME("content-type"),
		NAME("content-encoding"), NAME("location"), NAME("connection"),
	};
	struct slice one;

	while (chars_list(&v, &one)) {
		bool is_known = false;

		if (!chars_all(one, CH_TOKEN))
			return refuse(r, 400, "the Connection field is malformed");
		if (chars_same(one, SLICE("close"))) {
			r->close = true;
			continue;
		}
		if (chars_same(one, SLICE("upgrade"))) {
			r->wants_upgrade = true;
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			is_known |= chars_same(one, known[i]);
		for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
			if (chars_same(one, needed[i]))
				return refuse(r, 400, "the Connection field names a field that is not its own");
		if (is_known)
			continue;
		if (r->n_listed >= LISTED_MOST)
			return refuse(r, 400, "the Connection field names too many fields");
		r->listed[r->n_listed++] = one;
	}
	return true;
}

static bool take_te(struct reader *r, struct slice v)
{
	struct slice one;

	while (chars_list(&v, &one))
		r->te_trailers |= chars_same(one, SLICE("trailers"));
	return true;
}

static bool take_upgrade(struct reader *r, struct slice v)
{
	if (r->upgrade.p && r->request)
		return refuse(r, 400, "several Upgrade fields");
	r->upgrade = v;
	return true;
}

static bool take_expect(struct reader *r, struct slice v)
{
	if (!r->request)
		return true;
	if (r->expect || !chars_same(v, SLICE("100-continue")))
		return refuse(r, 417, "an Expect field other than 100-continue");
	r->expect = true;
	return true;
}

static bool take_nothing(struct reader *r, struct slice v)
{
	(void)r;
	(void)v;
	return true;
}

static const struct special {
	struct slice name;
	bool (*take)(struct reader *r, struct slice value);
} specials[] = {
	{ NAME("host"), take_host },
	{ NAME("content-length"), take_length },
	{ NAME("transfer-encoding"), take_coding },
	{ NAME("connection"), take_connection },
	{ NAME("te"), take_te },
	{ NAME("upgrade"), take_upgrade },
	{ NAME("expect"), take_expect },
	{ NAME("keep-alive"), take_nothing },
	{ NAME("trailer"), take_nothing },
	{ NAME("http2-settings"), take_nothing },
};

/* Some servers take '_' for '-': such a twin of a field that decides is never passed on. */
static bool is_special(struct slice name, const struct special *s, bool *twin)
{
	*twin = false;
	for (size_t i = 0; i < name.n; i++) {
		char c = chars_lower(name.p[i]);

		if (c == '_' && s->name.p[i] == '-')
			*twin = true;
		else if (c != s->name.p[i])
			return false;
	}
	return true;
}

static bool take_field(struct reader *r, struct slice name, struct slice value)
{
	if (name.n > 6 && chars_same((struct slice){ name.p, 6 }, SLICE("proxy-")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		bool twin;

		if (specials[i].name.n != name.n || !is_special(name, &specials[i], &twin))
			continue;
		if (twin)
			return refuse(r, 400, "a field name that could pass for another");
		return specials[i].take(r, value);
	}
	return head_put(r->h, name, value) || refuse(r, 431, "the head is larger than the limit");
}

bool h1_line_field(struct slice line, struct slice *name, struct slice *value, const char **why)
{
	size_t i = 0;

	while (i < line.n && http_chars[(uint8_t)line.p[i]] & CH_TOKEN)
		i++;
	*name = (struct slice){ line.p, i };
	*why = "a field whose name is no token, or has a space";
	if (!i || i == line.n || line.p[i] != ':')
		return false;
	*value = chars_trim((struct slice){ line.p + i + 1, line.n - i - 1 });
	*why = "a control byte in a field";
	return chars_all(*value, CH_VALUE);
}

/* 1 = the whole head was read, 0 = more is needed, -1 = refused. */
static int read_fields(struct reader *r)
{
	for (;;) {
		struct slice line, name, value;
		int got = next_line(r, &line);

		if (got <= 0)
			return got;
		if (!line.n)
			return 1;
		if (line.p[0] == ' ' || line.p[0] == '\t')
			return refuse(r, 400, "a folded field") - 1;
		if (++r->lines > HEAD_FIELDS)
			return refuse(r, 431, "more fields than the limit") - 1;
		if (!h1_line_field(line, &name, &value, &r->why))
			return refuse(r, 400, r->why) - 1;
		if (!take_field(r, name, value))
			return -1;
	}
}

/* Fields that `connection` named go, and what is known of this hop is said in our own words. */
static bool settle_hop(struct reader *r)
{
	for (uint32_t i = 0; i < r->n_listed; i++) {
		char name[64];
		size_t n = r->listed[i].n;

		if (n >= sizeof(name))
			return refuse(r, 400, "the Connection field names a field too long");
		for (size_t k = 0; k < n; k++)
			name[k] = chars_lower(r->listed[i].p[k]);
		name[n] = 0;
		head_drop(r->h, name);
	}
	if (r->te_trailers && r->request && !head_put(r->h, SLICE("te"), SLICE("trailers")))
		return refuse(r, 431, "the head is larger than the limit");
	r->m->keep_alive = r->h->version == 11 && !r->close;
	return true;
}

static bool settle_upgrade(struct reader *r)
{
	if (!r->wants_upgrade || !chars_same(r->upgrade, SLICE("websocket")))
		return refuse(r, 400, "an Upgrade to something other than websocket");
	r->m->upgrade = true;
	return head_put(r->h, SLICE("upgrade"), SLICE("websocket")) ||
	       refuse(r, 431, "the head is larger than the limit");
}

static bool settle_request(struct reader *r)
{
	struct head *h = r->h;
	const char *method = head_str(h, h->method);

	if (!r->host && (h->version == 11 || h->authority))
		return refuse(r, 400, "no Host field");
	if (r->coding && r->length)
		return refuse(r, 400, "Content-Length beside Transfer-Encoding");
	if (r->coding && h->version == 10)
		return refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
	r->m->framing = r->coding ? H1_CHUNKED : r->length ? H1_LENGTH : H1_NONE;
	if (r->m->framing != H1_NONE && !strcmp(method, "TRACE"))
		return refuse(r, 400, "TRACE with a body");
	if (!settle_hop(r))
		return false;
	if (r->expect && h->version == 11) {
		r->m->expect_continue = true;
		if (!head_put(h, SLICE("expect"), SLICE("100-continue")))
			return refuse(r, 431, "the head is larger than the limit");
	}
	if (!r->upgrade.p)
		return true;
	if (h->version != 11 || strcmp(method, "GET") || r->m->framing != H1_NONE)
		return refuse(r, 400, "an Upgrade where none can be");
	return settle_upgrade(r);
}

static bool settle_response(struct reader *r, const char *method)
{
	struct head *h = r->h;
	bool bodiless = h->status < 200 || h->status == 204;

	if (r->coding && (r->length || h->version == 10))
		return refuse(r, 502, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
	if (bodiless && (r->coding || (r->length && r->m->length)))
		return refuse(r, 502, "a body where the status allows none");
	if (bodiless)
		head_drop(h, "content-length");
	if (!settle_hop(r))
		return false;
	if (h->status == 101 && !settle_upgrade(r))
		return false;
	if (bodiless || h->status == 304 || !strcmp(method, "HEAD"))
		r->m->framing = H1_NONE;
	else
		r->m->framing = r->coding ? H1_CHUNKED : r->length ? H1_LENGTH : H1_UNTIL_CLOSE;
	if (r->m->framing == H1_UNTIL_CLOSE || h->status == 101)
		r->m->keep_alive = false;
	return true;
}

static void start(struct reader *r, struct slice in, struct head *h, struct h1_message *m)
{
	*r = (struct reader){ .in = { in.p, in.n < HEAD_BYTES ? in.n : HEAD_BYTES }, .h = h, .m = m };
	*m = (struct h1_message){ 0 };
	head_reset(h);
}

ssize_t h1_read_request(struct slice in, struct head *h, struct h1_message *m, const char **why, int *status)
{
	struct reader r;
	struct slice line;
	size_t most = TARGET_BYTES + LINE_REST;
	int got;

	start(&r, in, h, m);
	r.request = true;
	if (in.n >= most && !memchr(in.p, '\n', most)) {
		bool target = memchr(in.p, ' ', METHOD_MOST + 1);

		got = refuse(&r, target ? 414 : 400, "the request line is longer than the limit") - 1;
	} else {
		got = next_line(&r, &line);
	}
	if (got > 0)
		got = read_request_line(&r, line) ? read_fields(&r) : -1;
	if (got > 0 && !settle_request(&r))
		got = -1;
	*why = r.why;
	*status = r.status;
	return got > 0 ? (ssize_t)r.at : got;
}

ssize_t h1_read_response(struct slice in, const char *method, struct head *h, struct h1_message *m, const char **why)
{
	struct reader r;
	struct slice line;
	int got;

	start(&r, in, h, m);
	got = next_line(&r, &line);
	if (got > 0)
		got = read_status_line(&r, line) ? read_fields(&r) : -1;
	if (got > 0 && !settle_response(&r, method))
		got = -1;
	*why = r.why;
	return got > 0 ? (ssize_t)r.at : got;
}
