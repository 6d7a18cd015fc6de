/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes what needs no escape, so that one path has one spelling; resolves what a server might
 * resolve, so that no spelling means more than it says; refuses what servers read differently.
 */
#include "canon.h"

#include <ctype.h>
#include <string.h>

const char *canon_error_name(enum canon_error e)
{
	static const char *const names[CANON_ERRORS] = {
		[CANON_OK] = "",
		[CANON_ABOVE_ROOT] = "TraversalAboveRoot",
		[CANON_ENCODED_SLASH] = "EncodedSlashNotAllowed",
		[CANON_CONTROL] = "NullOrControlByte",
		[CANON_FRAGMENT] = "FragmentInRequestTarget",
		[CANON_NON_ASCII] = "NonAscii",
		[CANON_RESIDUAL_DOT] = "ResidualDotSegment",
		[CANON_LONG] = "PathTooLong",
		[CANON_ESCAPE] = "InvalidPercentEncoding",
		[CANON_FORM] = "MalformedTarget",
	};

	return names[e];
}

/* Bytes that stand for themselves in a segment (RFC 3986 pchar), ';' apart. */
static bool plain(unsigned char c)
{
	return isalnum(c) || (c && strchr("-._~!$&'()*+,=:@", c));
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1;
}

struct writer {
	char *out;
	size_t n;
	bool full;
};

static void put(struct writer *w, char c)
{
	if (w->n == CANON_MAX)
		w->full = true;
	else
		w->out[w->n++] = c;
}

static void put_escaped(struct writer *w, unsigned char c)
{
	put(w, '%');
	put(w, "0123456789ABCDEF"[c >> 4]);
	put(w, "0123456789ABCDEF"[c & 15]);
}

/* One segment, written in canonical form at the end of w. */
static enum canon_error segment(struct writer *w, struct slice s, const struct canon_options *o)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool escaped = c == '%';

		if (escaped) {
			int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return CANON_ESCAPE;
			c = (unsigned char)(hi << 4 | lo);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return CANON_CONTROL;
		if (c == '/' && !o->encoded_slash)
			return CANON_ENCODED_SLASH;
		if (c == ';' && !escaped && !o->keep_params)
			return CANON_OK;
		if (plain(c) || (c == ';' && !escaped))
			put(w, (char)c);
		else
			put_escaped(w, c);
	}
	return CANON_OK;
}

/* 1 for ".", 2 for "..", else 0; parameters, escaped or not, do not count. */
static unsigned dots(const char *p, size_t n)
{
	size_t d = 0;

	while (d < n && p[d] == '.')
		d++;
	if (!d || d > 2)
		return 0;
	if (d == n || p[d] == ';' || (n - d >= 3 && !memcmp(p + d, "%3B", 3)))
		return (unsigned)d;
	return 0;
}

/* A dot segment that only shows once %2F is read as a slash. */
static bool residual(const char *p, size_t n)
{
	for (size_t from = 0, i = 0; i <= n; i++) {
		bool slash = i + 3 <= n && !memcmp(p + i, "%2F", 3);

		if (!slash && i < n)
			continue;
		if ((from || i < n) && dots(p + from, i - from))
			return true;
		from = i + 3;
		i += 2;
	}
	return false;
}

/* "scheme://authority/path" -> "/path". */
static struct slice origin_form(struct slice raw)
{
	size_t n = 0;

	while (n < raw.n && (isalnum((unsigned char)raw.p[n]) || (n && strchr("+-.", raw.p[n]))))
		n++;
	if (!n || n + 3 > raw.n || memcmp(raw.p + n, "://", 3))
		return raw;
	n += 3;
	while (n < raw.n && raw.p[n] != '/' && raw.p[n] != '?')
		n++;
	return (struct slice){ raw.p + n, raw.n - n };
}

static enum canon_error check_bytes(struct slice raw)
{
	for (size_t i = 0; i < raw.n; i++) {
		unsigned char c = (unsigned char)raw.p[i];

		if (c <= 0x20 || c == 0x7f)
			return CANON_CONTROL;
		if (c >= 0x80)
			return CANON_NON_ASCII;
		if (c == '#')
			return CANON_FRAGMENT;
	}
	return CANON_OK;
}

/* Takes the last segment away; false above the root. w ends in '/'. */
static bool pop(struct writer *w)
{
	if (w->n <= 1)
		return false;
	w->n--;
	while (w->out[w->n - 1] != '/')
		w->n--;
	return true;
}

static enum canon_error one(struct writer *w, struct slice s, bool last, const struct canon_options *o)
{
	size_t from = w->n;
	enum canon_error e = segment(w, s, o);
	unsigned d;

	if (e != CANON_OK || w->full)
		return e != CANON_OK ? e : CANON_LONG;
	d = dots(w->out + from, w->n - from);
	if (!d && residual(w->out + from, w->n - from))
		return CANON_RESIDUAL_DOT;
	if (d)
		w->n = from;
	if (d == 2 && !pop(w))
		return CANON_ABOVE_ROOT;
	if (!d && w->n > from && !last)
		put(w, '/');
	return w->full ? CANON_LONG : CANON_OK;
}

enum canon_error canon_path(struct slice raw, const struct canon_options *o, char out[CANON_MAX + 1])
{
	struct writer w = { .out = out };
	enum canon_error e = check_bytes(raw);
	struct slice path = origin_form(raw);
	const char *mark;

	if (e != CANON_OK)
		return e;
	mark = path.n ? memchr(path.p, '?', path.n) : NULL;
	if (mark)
		path.n = (size_t)(mark - path.p);
	if (!path.n)
		path = (struct slice){ "/", 1 };
	if (*path.p != '/')
		return CANON_FORM;
	if (path.n > CANON_MAX)
		return CANON_LONG;
	put(&w, '/');
	for (size_t i = 1; i <= path.n;) {
		const char *slash = memchr(path.p + i, '/', path.n - i);
		size_t end = slash ? (size_t)(slash - path.p) : path.n;

		e = one(&w, (struct slice){ path.p + i, end - i }, !slash, o);
		if (e != CANON_OK)
			return e;
		i = end + 1;
	}
	out[w.n] = 0;
	return CANON_OK;
}
