/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern has one way to be met at a place, since what follows a run cannot be part of it (the compiler sees to that): nothing
 * is tried twice, and where a run ends is found out once.
 */
#include <stdlib.h>
#include <string.h>

#include "infer/privacy.h"

#define SHAPE_ANY_CASE 256u

static const struct {
	enum osh_content kind;
	struct privacy_shape shape;
} known[] = {
#define KIND(id, word)
#define TOKEN(kind, pattern, least, flags, until) { OSH_CONTENT_##kind, { pattern, least, flags, until } },
#include "osh/content.def"
#undef KIND
#undef TOKEN
};

enum { DIGIT = 1, LETTER = 2, RUN = 4, LABEL = 8, LOCAL = 16, HEX = 32 };

static unsigned classes(unsigned char c)
{
	unsigned all = RUN | LABEL | LOCAL;

	if (c >= '0' && c <= '9')
		return all | DIGIT | HEX;
	if ((c | 32) >= 'a' && (c | 32) <= 'z')
		return all | LETTER | ((c | 32) <= 'f' ? HEX : 0);
	return c == '-' ? all : c == '_' ? RUN | LOCAL : c == '.' || c == '%' || c == '+' ? LOCAL : 0;
}

struct scan {
	const unsigned char *p;
	size_t n;
	size_t run_from, run_to;	/* the last run that was looked at */
	size_t at_sign;			/* the next e-mail is looked for from there on */
	size_t mail_from, mail_to;	/* the one that was found last; from == n: there is none any more */
};

/* ---- one pattern */

static size_t token_len(const char *p)
{
	size_t n = 1;

	if (*p == '\\')
		return 2;
	if (*p != '[')
		return 1;
	n += p[n] == '!' || p[n] == '^';
	while (p[n] != ']')
		n += p[n] == '\\' ? 2 : 1;
	return n + 1;
}

/* Bytes from `from` to `to`, each perhaps behind a backslash, up to the bracket at the end. */
static bool in_class(const char *p, const char *end, unsigned char c)
{
	while (p < end) {
		unsigned char from, to;

		p += *p == '\\';
		from = to = (unsigned char)*p++;
		if (p + 1 < end && *p == '-') {
			p++;
			p += *p == '\\';
			to = (unsigned char)*p++;
		}
		if (from <= c && c <= to)
			return true;
	}
	return false;
}

static bool token_has(const char *p, size_t len, unsigned char c, bool any_case)
{
	unsigned char other = any_case && (classes(c) & LETTER) ? c ^ 32 : c;
	bool without;

	if (*p == '?')
		return c > ' ';
	if (*p == '\\' || *p != '[')
		return (unsigned char)p[*p == '\\'] == c || (unsigned char)p[*p == '\\'] == other;
	without = p[1] == '!' || p[1] == '^';
	p += 1 + without;
	len -= 2 + without;
	return (!without || c > ' ') && (in_class(p, p + len, c) || in_class(p, p + len, other)) != without;
}

static size_t run_end(struct scan *s, size_t at)
{
	if (at >= s->run_from && at < s->run_to)
		return s->run_to;
	s->run_from = s->run_to = at;
	while (s->run_to < s->n && (classes(s->p[s->run_to]) & RUN))
		s->run_to++;
	return s->run_to;
}

/* Bytes of an escape of JSON within the text, at i: such texts hold JSON again. */
static size_t escape(const struct scan *s, size_t i)
{
	if (s->n - i < 2 || s->p[i] != '\\')
		return 0;
	switch (s->p[i + 1]) {
	case 'n':
	case 'r':
	case 't':
	case 'b':
	case 'f':
		return 2;
	case 'u':
		for (size_t k = i + 2; k < i + 6; k++)
			if (k >= s->n || !(classes(s->p[k]) & HEX))
				return 0;
		return 6;
	default:
		return 0;
	}
}

static bool begins_word(const struct scan *s, size_t at)
{
	return !at || !(classes(s->p[at - 1]) & (LETTER | DIGIT)) || (at > 1 && escape(s, at - 2) == 2) ||
	       (at > 5 && escape(s, at - 6) == 6);
}

static bool has_digit(const struct scan *s, size_t from, size_t to)
{
	while (from < to)
		if (classes(s->p[from++]) & DIGIT)
			return true;
	return false;
}

/* Where it ends; 0 = it is not there. */
static size_t shape_at(struct scan *s, const struct privacy_shape *shape, size_t from)
{
	size_t at = from, until = strlen(shape->until);

	for (const char *p = shape->pattern; *p;) {
		size_t len;

		if (*p == '*') {
			p++;
			at = run_end(s, at);
			continue;
		}
		len = token_len(p);
		if (at == s->n || !token_has(p, len, s->p[at], shape->flags & SHAPE_ANY_CASE))
			return 0;
		at++;
		p += len;
	}
	if ((shape->flags & OSH_TOKEN_WORD) && !begins_word(s, from))
		return 0;
	if (until) {
		const unsigned char *end = memmem(s->p + at, s->n - at, shape->until, until);

		at = end ? (size_t)(end - s->p) + until : s->n;
	}
	if (at - from < shape->least || ((shape->flags & OSH_TOKEN_DIGIT) && !has_digit(s, from, at)))
		return 0;
	return at;
}

/* ---- e-mail */

/* Labels with dots between them, the last of which has two bytes at least, and a letter. */
static size_t domain_end(const struct scan *s, size_t from)
{
	size_t at = from, dot = 0;
	bool letter = false;

	for (;; at++) {
		unsigned c = at < s->n ? classes(s->p[at]) : 0;

		if (c & LABEL) {
			letter |= (c & LETTER) != 0;
		} else if (at < s->n && s->p[at] == '.' && at > from && at + 1 < s->n && (classes(s->p[at + 1]) & LABEL)) {
			dot = at;
			letter = false;
		} else {
			return dot && letter && at - dot > 2 ? at : 0;
		}
	}
}

/* The next one from s->at_sign on, or none. */
static void next_mail(struct scan *s)
{
	size_t floor = s->mail_to;

	while (s->at_sign < s->n) {
		const unsigned char *sign = memchr(s->p + s->at_sign, '@', s->n - s->at_sign);
		size_t at, from;

		if (!sign)
			break;
		at = from = (size_t)(sign - s->p);
		while (from > floor && (classes(s->p[from - 1]) & LOCAL))
			from--;
		if (from && escape(s, from - 1))
			from += escape(s, from - 1) - 1;
		s->at_sign = at + 1;
		s->mail_to = from < at ? domain_end(s, at + 1) : 0;
		if (s->mail_to) {
			s->mail_from = from;
			return;
		}
		s->mail_to = floor;
	}
	s->at_sign = s->mail_from = s->n;
}

/* ---- a rule */

static void add(struct privacy_rule *r, struct privacy_shape shape)
{
	const char *p = shape.pattern;
	bool star = *p == '*';
	size_t len = star || !*p ? 0 : token_len(p);

	if (r->n == OSH_PRIVACY_SHAPES)
		return;			/* the bundle has not so many: it was checked */
	for (unsigned c = 0; c < 256 && *p; c++)
		if (star || token_has(p, len, (unsigned char)c, shape.flags & SHAPE_ANY_CASE))
			r->first[c] |= 1ull << r->n;
	r->shapes[r->n++] = shape;
}

void privacy_prepare(const struct bundle *b, uint32_t rule, struct privacy_rule *r)
{
	const struct osh_b_privacy *from = &b->privacy[rule];

	memset(r->first, 0, sizeof(r->first));
	r->n = 0;
	r->email = from->kinds >> OSH_CONTENT_EMAIL & 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (from->kinds >> known[i].kind & 1)
			add(r, known[i].shape);
	for (uint32_t i = from->patterns.first; i < from->patterns.first + from->patterns.n; i++)
		add(r, (struct privacy_shape){ bundle_str(b, b->patterns[i]), 0, SHAPE_ANY_CASE, "" });
}

static size_t longest(struct scan *s, const struct privacy_rule *r, size_t at)
{
	size_t best = 0;

	for (uint64_t left = r->first[s->p[at]]; left; left &= left - 1) {
		size_t end = shape_at(s, &r->shapes[__builtin_ctzll(left)], at);

		best = end > best ? end : best;
	}
	while (r->email && s->mail_from < at)
		next_mail(s);
	if (r->email && s->mail_from == at && at < s->n && s->mail_to > best)
		best = s->mail_to;
	return best;
}

static void push(struct privacy_spans *to, struct privacy_span one)
{
	if (to->n == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : 16;
		struct privacy_span *v = realloc(to->v, cap * sizeof(*v));

		to->bad |= !v;
		if (!v)
			return;
		to->v = v;
		to->cap = cap;
	}
	to->v[to->n++] = one;
}

uint64_t privacy_find(const struct privacy_rule *r, uint32_t rule, struct slice text, struct privacy_spans *to)
{
	struct scan s = { .p = (const unsigned char *)text.p, .n = text.n };
	uint64_t n = 0;

	if (r->email)
		next_mail(&s);
	for (size_t at = 0; at < s.n;) {
		size_t end;

		if (!r->first[s.p[at]] && !(r->email && s.mail_from <= at)) {
			at++;
			continue;
		}
		end = longest(&s, r, at);
		if (end <= at) {
			at++;
			continue;
		}
		n++;
		if (to)
			push(to, (struct privacy_span){ at, end, rule });
		at = end;
	}
	return n;
}
