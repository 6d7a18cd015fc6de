/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of a JSON object as they read decoded: escapes gone, tags and letters of double width as plain ones, what is not seen
 * left out. A string is walked character by character; to replace something in it, it is walked again.
 */
#include <stdlib.h>
#include <string.h>

#include "infer/privacy.h"

struct unit {				/* one character as it is written */
	size_t raw;			/* bytes there */
	unsigned char as[4];		/* and as it is looked at */
	size_t n;
};

/* ---- characters */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool number(struct slice s, size_t at, unsigned digits, uint32_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < digits; i++) {
		int d = at + i < s.n ? digit(s.p[at + i]) : -1;

		if (d < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)d;
	}
	return true;
}

/* What Unicode lets be ignored where it is shown (Default_Ignorable_Code_Point), in order. */
static const struct {
	uint32_t from, to;
} unseen[] = {
	{ 0xad, 0xad },	      { 0x34f, 0x34f },	    { 0x61c, 0x61c },	  { 0x115f, 0x1160 },	{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
	{ 0x200b, 0x200f },   { 0x202a, 0x202e },   { 0x2060, 0x206f },	  { 0x3164, 0x3164 },	{ 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },   { 0xfff0, 0xfff8 },   { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

static bool is_seen(uint32_t c)
{
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]) && c >= unseen[i].from; i++)
		if (c <= unseen[i].to)
			return false;
	return true;
}

static void put(struct unit *u, uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		c = c - 0xff01 + '!';
	else if (c >= 0xe0020 && c <= 0xe007e)
		c -= 0xe0000;		/* a tag: nobody sees it, but models read it */
	u->n = 0;
	if (!is_seen(c))
		return;
	if (c < 0x80) {
		u->as[u->n++] = (unsigned char)c;
		return;
	}
	if (c >= 0x10000)
		u->as[u->n++] = (unsigned char)(0xf0 | c >> 18);
	if (c >= 0x800)
		u->as[u->n++] = (unsigned char)((c >= 0x10000 ? 0x80 : 0xe0) | (c >> 12 & (c >= 0x10000 ? 63 : 15)));
	u->as[u->n++] = (unsigned char)((c >= 0x800 ? 0x80 : 0xc0) | (c >> 6 & (c >= 0x800 ? 63 : 31)));
	u->as[u->n++] = (unsigned char)(0x80 | (c & 63));
}

/* A character in UTF-8, the shortest way and none that is half of a pair. */
static bool plain(struct slice s, struct unit *u)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)*s.p;
	uint32_t v;

	u->raw = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	if (!u->raw || s.n < u->raw)
		return false;
	v = u->raw == 1 ? c : c & (0xffu >> (u->raw + 1));
	for (size_t i = 1; i < u->raw; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
		v = v << 6 | ((unsigned char)s.p[i] & 63);
	}
	if (v < least[u->raw] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return false;
	put(u, v);
	return true;
}

/* s begins with a backslash. Half of a pair stands for a character that nobody knows. */
static bool escaped(struct slice s, struct unit *u)
{
	static const char letters[] = "bfnrt", means[] = "\b\f\n\r\t";
	const char *l = s.n > 1 && s.p[1] ? strchr(letters, s.p[1]) : NULL;
	uint32_t c, low;

	u->raw = 2;
	if (s.n < 2)
		return false;
	if (s.p[1] != 'u') {
		put(u, l ? (unsigned char)means[l - letters] : (unsigned char)s.p[1]);
		return true;
	}
	if (!number(s, 2, 4, &c))
		return false;
	u->raw = 6;
	if (c >= 0xd800 && c < 0xdc00 && s.n >= 12 && s.p[6] == '\\' && s.p[7] == 'u' && number(s, 8, 4, &low) &&
	    low >= 0xdc00 && low < 0xe000) {
		u->raw = 12;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put(u, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return true;
}

static bool next_unit(struct slice s, size_t at, struct unit *u)
{
	struct slice rest = { s.p + at, s.n - at };

	return *rest.p == '\\' ? escaped(rest, u) : plain(rest, u);
}

static enum privacy_read decode(struct slice raw, struct buf *to)
{
	struct unit u;

	to->n = 0;
	for (size_t at = 0; at < raw.n; at += u.raw) {
		if (!next_unit(raw, at, &u))
			return PRIVACY_UNCLEAR;
		buf_put(to, u.as, u.n);
	}
	return buf_ok(to) ? PRIVACY_READ : PRIVACY_NO_MEMORY;
}

/* ---- texts that hold JSON again, or what a terminal showed */

/* An escape of JSON within a text; what is none is letters. */
static bool inner(struct slice s, struct unit *u)
{
	uint32_t c;

	if (s.n < 2 || *s.p != '\\' || !s.p[1] || !strchr("\"\\/bfnrtu", s.p[1]) || (s.p[1] == 'u' && !number(s, 2, 4, &c)))
		return false;
	return escaped(s, u);
}

/* ESC [, parameters, and what is to be done: colours, mostly. Bytes of it, or 0. A backslash begins an escape. */
static size_t colour(struct slice s)
{
	size_t n = 2;

	if (s.n < 3 || s.p[0] != 0x1b || s.p[1] != '[')
		return 0;
	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x40)
		n++;
	return n < s.n && s.p[n] >= 0x40 && s.p[n] < 0x7f && s.p[n] != '\\' ? n + 1 : 0;
}

/* The text as its reader reads it who takes it for JSON, and sees no colours. False: it reads no other way. */
static bool deeper(struct slice text, struct buf *to)
{
	bool other = false;
	struct unit u;

	to->n = 0;
	for (size_t at = 0; at < text.n; at += u.raw) {
		struct slice rest = { text.p + at, text.n - at };
		size_t skip = colour(rest);

		if (skip)
			u = (struct unit){ .raw = skip };
		else if (!inner(rest, &u) && !plain(rest, &u))
			u = (struct unit){ 1, { (unsigned char)*rest.p }, 1 };
		other |= u.n != u.raw;
		buf_put(to, u.as, u.n);
	}
	return other;
}

/* ---- strings of an object */

struct string {
	struct slice raw;		/* without quotes */
	size_t at;			/* of its first byte */
	bool key;
};

/* The next string from *at on; the object was read before. */
static bool next_string(struct slice json, size_t *at, struct string *s)
{
	const char *quote = *at < json.n ? memchr(json.p + *at, '"', json.n - *at) : NULL;
	size_t end;

	if (!quote)
		return false;
	s->at = end = (size_t)(quote - json.p) + 1;
	while (end < json.n && json.p[end] != '"')
		end += json.p[end] == '\\' ? 2 : 1;
	if (end >= json.n)
		return false;
	s->raw = (struct slice){ json.p + s->at, end - s->at };
	*at = ++end;
	while (end < json.n && memchr(" \t\r\n", json.p[end], 4))
		end++;
	s->key = end < json.n && json.p[end] == ':';
	return true;
}

/* ---- looking */

struct look {
	const struct bundle *b;
	struct privacy_rule *rules;	/* all of them, made ready */
	struct buf text, again, left;
};

static bool begin(struct look *l, const struct bundle *b)
{
	*l = (struct look){ .b = b, .rules = calloc(b->n_privacy, sizeof(*l->rules)) };
	for (uint32_t i = 0; l->rules && i < b->n_privacy; i++)
		privacy_prepare(b, i, &l->rules[i]);
	return l->rules;
}

static void end(struct look *l)
{
	free(l->rules);
	buf_done(&l->text);
	buf_done(&l->again);
	buf_done(&l->left);
}

static struct slice text_of(const struct look *l)
{
	return (struct slice){ l->text.n ? l->text.p : "", l->text.n };
}

static void met(const struct look *l, uint32_t i, uint64_t n, bool fixed, struct privacy *to)
{
	to->found[i] += n;
	if (l->b->privacy[i].action == OSH_PRIVATE_LOCAL) {
		to->local = true;
	} else if (l->b->privacy[i].action == OSH_PRIVATE_REDACT && !fixed) {
		to->changes |= 1u << i;
		to->spans += n;
	} else {
		to->stops |= 1u << i;
	}
}

/* As it is written. What is replaced there is in *to as well, and times[] is 0 for it: the text goes on without it. */
static void look_plainly(struct look *l, bool fixed, uint64_t *times, struct privacy_spans *to, struct privacy *ret)
{
	for (uint32_t i = 0; i < l->b->n_privacy; i++) {
		bool replaced = !fixed && l->b->privacy[i].action == OSH_PRIVATE_REDACT;
		uint64_t n = privacy_find(&l->rules[i], i, text_of(l), replaced ? to : NULL);

		if (n)
			met(l, i, n, fixed, ret);
		times[i] = replaced ? 0 : n;
	}
}

/*
 * l->text as it reads to who takes it for JSON: servers do so with arguments of tools. What is found only there has no place in
 * the text as it is written, so it is not replaced. Of a rule of `which`, times[] are known.
 */
static bool look_deeper(struct look *l, uint32_t which, uint64_t *times, struct privacy *ret)
{
	for (unsigned deep = 0; deep < OSH_PRIVACY_DEEP && deeper(text_of(l), &l->again); deep++) {
		struct buf was = l->text;

		if (!buf_ok(&l->again))
			return false;
		l->text = l->again;
		l->again = was;
		for (uint32_t i = 0; i < l->b->n_privacy; i++) {
			uint64_t n = which >> i & 1 ? privacy_find(&l->rules[i], i, text_of(l), NULL) : 0;

			if (n <= times[i])
				continue;
			ret->deep |= 1u << i;
			met(l, i, n - times[i], true, ret);
			times[i] = n;
		}
	}
	return buf_ok(&l->again);
}

/* A byte that no rule finds in the place of each that is replaced, of whole characters. */
static void blank(struct buf *text, const struct privacy_spans *all)
{
	for (size_t k = 0; k < all->n; k++) {
		size_t from = all->v[k].from, to = all->v[k].to;

		while (from && ((unsigned char)text->p[from] & 0xc0) == 0x80)
			from--;
		while (to < text->n && ((unsigned char)text->p[to] & 0xc0) == 0x80)
			to++;
		memset(text->p + from, 0, to - from);
	}
}

/*
 * A rule that replaces looks deeper at what is left then: with what is replaced, it could not be told from what hides. The
 * others look at all of it, so that none misses what another one has replaced.
 */
static bool look_both(struct look *l, const struct privacy_spans *gone, uint64_t *times, struct privacy *ret)
{
	uint32_t replaced = 0;
	bool ok;

	for (uint32_t i = 0; i < l->b->n_privacy; i++)
		replaced |= (uint32_t)(l->b->privacy[i].action == OSH_PRIVATE_REDACT) << i;
	l->left.n = 0;
	buf_put(&l->left, l->text.p, l->text.n);
	ok = buf_ok(&l->left) && look_deeper(l, ~replaced, times, ret);
	if (ok) {
		struct buf was = l->text;

		l->text = l->left;
		l->left = was;
		blank(&l->text, gone);
		ok = look_deeper(l, replaced, times, ret);
	}
	return ok;
}

static bool look(struct look *l, bool fixed, struct privacy *ret)
{
	uint64_t times[OSH_PRIVACY_RULES];
	struct privacy_spans gone = { 0 };
	bool ok;

	look_plainly(l, fixed, times, &gone, ret);
	if (gone.bad)
		ok = ret->spans > OSH_PRIVACY_SPANS;	/* such a call goes nowhere */
	else
		ok = gone.n ? look_both(l, &gone, times, ret) : look_deeper(l, ~0u, times, ret);
	free(gone.v);
	return ok;
}

enum privacy_read privacy_look(const struct bundle *b, struct slice json, size_t fixed, struct privacy *ret)
{
	enum privacy_read r = PRIVACY_READ;
	struct string s;
	struct look l;
	size_t at = 0;

	if (!begin(&l, b))
		return PRIVACY_NO_MEMORY;
	while (r == PRIVACY_READ && next_string(json, &at, &s)) {
		r = decode(s.raw, &l.text);
		if (r == PRIVACY_READ && !look(&l, s.key || s.at == fixed, ret))
			r = PRIVACY_NO_MEMORY;
	}
	end(&l);
	return r;
}

/* What is no character is looked at byte by byte: a field need be no text. */
enum privacy_read privacy_look_text(const struct bundle *b, struct slice text, bool percent, struct privacy *ret)
{
	struct buf bytes = { 0 };
	struct look l;
	struct unit u;
	uint32_t c;
	bool ok;

	if (!begin(&l, b))
		return PRIVACY_NO_MEMORY;
	for (size_t i = 0; i < text.n; i++) {
		bool coded = percent && text.p[i] == '%' && number(text, i + 1, 2, &c);
		char one = coded ? (char)c : text.p[i];

		buf_put(&bytes, &one, 1);
		i += coded ? 2 : 0;
	}
	for (size_t i = 0; buf_ok(&bytes) && i < bytes.n; i += u.raw) {
		if (!plain((struct slice){ bytes.p + i, bytes.n - i }, &u))
			u = (struct unit){ 1, { (unsigned char)bytes.p[i] }, 1 };
		buf_put(&l.text, u.as, u.n);
	}
	ok = buf_ok(&bytes) && buf_ok(&l.text) && look(&l, true, ret);
	buf_done(&bytes);
	end(&l);
	return ok ? PRIVACY_READ : PRIVACY_NO_MEMORY;
}

/* ---- replacing */

/* By where they begin, and then by the order of the rules. */
static int by_place(const void *pa, const void *pb)
{
	const struct privacy_span *a = pa, *b = pb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

/* Whole characters go; what overlaps is replaced once, under the name of what begins first. */
static void replace(const struct bundle *b, struct slice raw, const struct privacy_spans *all, struct buf *to)
{
	size_t at = 0, seen = 0, gone = 0, k = 0;
	struct unit u;

	for (; at < raw.n && next_unit(raw, at, &u); at += u.raw, seen += u.n) {
		size_t behind = seen + u.n;

		if (seen >= gone && k < all->n && all->v[k].from < behind) {
			buf_printf(to, "[redacted: %s]", bundle_str(b, b->privacy[all->v[k].rule].name));
			gone = all->v[k].to;
		}
		if (seen >= gone) {
			buf_put(to, raw.p + at, u.raw);
			continue;
		}
		for (; k < all->n && all->v[k].from < behind; k++)
			gone = all->v[k].to > gone ? all->v[k].to : gone;
	}
}

static bool redact_one(struct look *l, struct slice raw, struct buf *to)
{
	struct slice text = text_of(l);
	struct privacy_spans all = { 0 };
	bool ok;

	for (uint32_t i = 0; i < l->b->n_privacy; i++)
		if (l->b->privacy[i].action == OSH_PRIVATE_REDACT)
			(void)privacy_find(&l->rules[i], i, text, &all);
	ok = !all.bad;
	if (ok && all.n) {
		qsort(all.v, all.n, sizeof(*all.v), by_place);
		replace(l->b, raw, &all, to);
	} else if (ok) {
		buf_put(to, raw.p, raw.n);
	}
	free(all.v);
	return ok && buf_ok(to);
}

bool privacy_redact(const struct bundle *b, struct slice json, size_t fixed, size_t *at, struct buf *to)
{
	size_t from = 0, next = 0, was = *at;
	bool ok = true;
	struct string s;
	struct look l;

	if (!begin(&l, b))
		return false;
	while (ok && next_string(json, &next, &s)) {
		if (s.key || s.at == fixed)
			continue;
		buf_put(to, json.p + from, s.at - from);
		if (was >= from && was < s.at)
			*at = to->n - (s.at - was);
		from = s.at + s.raw.n;
		ok = decode(s.raw, &l.text) == PRIVACY_READ && redact_one(&l, s.raw, to);
	}
	buf_put(to, json.p + from, json.n - from);
	if (was >= from)
		*at = to->n - (json.n - was);
	end(&l);
	return ok && buf_ok(to);
}
