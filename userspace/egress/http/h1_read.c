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
#include "http/h1_reader.h"
#include "own.h"

#define METHOD_MOST 32
#define LINE_REST 64			/* of a request line, besides its target */

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
static int next_line(struct h1_reader *r, struct slice *line)
{
	size_t left = r->in.n - r->at, n;
	const char *p = r->in.p + r->at, *lf = left ? memchr(p, '\n', left) : NULL;

	if (!lf) {
		if (r->in.n < HEAD_BYTES)
			return 0;
		return h1_refuse(r, 431, "the head is larger than the limit") - 1;
	}
	n = (size_t)(lf - p);
	if (!n || p[n - 1] != '\r')
		return h1_refuse(r, 400, "a line ends in a bare LF") - 1;
	*line = (struct slice){ p, n - 1 };
	r->at += n + 1;
	return 1;
}

/* "HTTP/1.1", "HTTP/1.0" and no other. */
static bool read_version(struct h1_reader *r, struct slice s)
{
	if (s.n != 8 || memcmp(s.p, "HTTP/", 5) || !(http_chars[(uint8_t)s.p[5]] & CH_DIGIT) ||
	    s.p[6] != '.' || !(http_chars[(uint8_t)s.p[7]] & CH_DIGIT))
		return h1_refuse(r, 400, "no HTTP version where it should be");
	if (s.p[5] != '1' || s.p[7] > '1')
		return h1_refuse(r, 505, "this version of HTTP is not spoken here");
	r->h->version = s.p[7] == '1' ? 11 : 10;
	return true;
}

/* http://authority/path: what it says about the authority is compared with `host` later. */
static bool absolute_form(struct h1_reader *r, struct slice *target)
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
			return h1_refuse(r, 400, "an absolute target needs a path");
		authority = (struct slice){ rest.p, (size_t)(slash - rest.p) };
		if (!h1_authority_good(authority))
			return h1_refuse(r, 400, "the authority of the target is malformed");
		r->h->scheme = head_text(r->h, (struct slice){ schemes[i].p, n - 3 });
		*target = (struct slice){ slash, rest.n - authority.n };
		return h1_put_authority(r, authority);
	}
	return h1_refuse(r, 400, "the target of a request is a path");
}

static bool read_target(struct h1_reader *r, struct slice s)
{
	if (s.n > TARGET_BYTES)
		return h1_refuse(r, 414, "the target is longer than the limit");
	if (!s.n || !chars_all(s, CH_TARGET))
		return h1_refuse(r, 400, "the target holds a byte that must be encoded");
	if (s.p[0] != '/' && !absolute_form(r, &s))
		return false;
	r->h->target = head_text(r->h, s);
	return r->h->target || h1_refuse(r, 431, "the head is larger than the limit");
}

static bool read_request_line(struct h1_reader *r, struct slice line)
{
	const char *end = line.p + line.n, *a = memchr(line.p, ' ', line.n), *b;
	struct slice method;

	if (!a)
		return h1_refuse(r, 400, "this is no request line");
	method = (struct slice){ line.p, (size_t)(a - line.p) };
	if (!method.n || !chars_all(method, CH_TOKEN))
		return h1_refuse(r, 400, "the method is no token");
	if (method.n > METHOD_MOST)
		return h1_refuse(r, 501, "the method is longer than the limit");
	if (slice_is(method, "CONNECT"))
		return h1_refuse(r, 400, "CONNECT is not served: connect to the host itself");
	b = memchr(a + 1, ' ', (size_t)(end - a - 1));
	if (!b)
		return h1_refuse(r, 400, "a request line without a version");
	if (!read_version(r, (struct slice){ b + 1, (size_t)(end - b - 1) }))
		return false;
	r->h->method = head_text(r->h, method);
	return read_target(r, (struct slice){ a + 1, (size_t)(b - a - 1) });
}

static bool read_status_line(struct h1_reader *r, struct slice line)
{
	unsigned code = 0;

	if (line.n < 12 || line.p[8] != ' ')
		return h1_refuse(r, 502, "this is no status line");
	if (!read_version(r, (struct slice){ line.p, 8 }))
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (!(http_chars[(uint8_t)line.p[i]] & CH_DIGIT))
			return h1_refuse(r, 502, "the status is no number");
		code = code * 10 + (unsigned)(line.p[i] - '0');
	}
	if (line.n > 12 && (line.p[12] != ' ' ||
			    !chars_all((struct slice){ line.p + 13, line.n - 13 }, CH_VALUE)))
		return h1_refuse(r, 502, "the status line is malformed");
	if (code < 100 || code > 599)
		return h1_refuse(r, 502, "the status is out of range");
	r->h->status = (uint16_t)code;
	return true;
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
static int read_fields(struct h1_reader *r)
{
	for (;;) {
		struct slice line, name, value;
		int got = next_line(r, &line);

		if (got <= 0)
			return got;
		if (!line.n)
			return 1;
		if (line.p[0] == ' ' || line.p[0] == '\t')
			return h1_refuse(r, 400, "a folded field") - 1;
		if (++r->lines > HEAD_FIELDS)
			return h1_refuse(r, 431, "more fields than the limit") - 1;
		if (!h1_line_field(line, &name, &value, &r->why))
			return h1_refuse(r, 400, r->why) - 1;
		if (!h1_take_field(r, name, value))
			return -1;
	}
}

static void start(struct h1_reader *r, struct slice in, struct head *h, struct h1_message *m)
{
	*r = (struct h1_reader){ .in = { in.p, in.n < HEAD_BYTES ? in.n : HEAD_BYTES }, .h = h, .m = m };
	*m = (struct h1_message){ 0 };
	head_reset(h);
}

ssize_t h1_read_request(struct slice in, struct head *h, struct h1_message *m, const char **why, int *status)
{
	struct h1_reader r;
	struct slice line;
	size_t most = TARGET_BYTES + LINE_REST;
	int got;

	start(&r, in, h, m);
	r.request = true;
	if (in.n >= most && !memchr(in.p, '\n', most)) {
		bool target = memchr(in.p, ' ', METHOD_MOST + 1);

		got = h1_refuse(&r, target ? 414 : 400, "the request line is longer than the limit") - 1;
	} else {
		got = next_line(&r, &line);
	}
	if (got > 0)
		got = read_request_line(&r, line) ? read_fields(&r) : -1;
	if (got > 0 && !h1_settle_request(&r))
		got = -1;
	*why = r.why;
	*status = r.status;
	return got > 0 ? (ssize_t)r.at : got;
}

ssize_t h1_read_response(struct slice in, const char *method, struct head *h, struct h1_message *m, const char **why)
{
	struct h1_reader r;
	struct slice line;
	int got;

	start(&r, in, h, m);
	got = next_line(&r, &line);
	if (got > 0)
		got = read_status_line(&r, line) ? read_fields(&r) : -1;
	if (got > 0 && !h1_settle_response(&r, method))
		got = -1;
	*why = r.why;
	return got > 0 ? (ssize_t)r.at : got;
}
