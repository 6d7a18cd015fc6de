/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern has one way to be met at a place, since what follows a run cannot be part of it (the compiler sees to that). Places
 * are looked at from left to right, and what lies behind a pattern's first run is the same wherever before it one began: it is
 * looked at once for each run. So the work is at most the bytes of a text, times shapes, times the bytes of a pattern.
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

struct behind {				/* a shape's first run, and what comes of the pattern behind it */
	size_t from, to;
	size_t end;			/* of the whole; 0 = it is not there */
};

struct scan {
	const unsigned char *p;
	size_t n;
	struct behind *behind;		/* of each shape; of bit i in `known` */
	uint64_t known;
	size_t digit;			/* the first from where it was last asked for */
	size_t floor;			/* end of what was found last: nothing that comes has a part in it */
	size_t sign, local, domain;	/* an '@', where what may stand before it begins, and the end behind; 0: no e-mail */
	size_t unread;			/* there may be another '@' from there on */
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
	if (*p != '[')
		return (unsigned char)p[*p == '\\'] == c || (unsigned char)p[*p == '\\'] == other;
	without = p[1] == '!' || p[1] == '^';
	p += 1 + without;
	len -= 2 + without;
	return (!without || c > ' ') && (in_class(p, p + len, c) || in_class(p, p + len, other)) != without;
}

static size_t run_end(const struct scan *s, size_t at)
{
	while (at < s->n && (classes(s->p[at]) & RUN))
		at++;
	return at;
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

/* `from` never goes back, so no byte is looked at twice. */
static bool has_digit(struct scan *s, size_t from, size_t to)
{
	if (s->digit < from)
		s->digit = from;
	while (s->digit < to && !(classes(s->p[s->digit]) & DIGIT))
		s->digit++;
	return s->digit < to;
}

/* What a pattern says up to its next star, or its end; both move along. */
static bool plain(const struct scan *s, const char **p, size_t *at, bool any_case)
{
	while (**p && **p != '*') {
		size_t len = token_len(*p);

		if (*at == s->n || !token_has(*p, len, s->p[*at], any_case))
			return false;
		++*at;
		*p += len;
	}
	return true;
}

/* Where the pattern ends; 0 = it is not there. */
static size_t pattern_end(struct scan *s, const struct privacy_rule *r, unsigned i, size_t at)
{
	const char *p = r->shapes[i].pattern;
	bool any_case = r->shapes[i].flags & SHAPE_ANY_CASE;
	struct behind *b = &s->behind[i];

	if (!plain(s, &p, &at, any_case))
		return 0;
	if (!*p)
		return at;
	if ((s->known >> i & 1) && at >= b->from && at <= b->to)
		return b->end;
	s->known |= 1ull << i;
	*b = (struct behind){ at, run_end(s, at), 0 };
	for (p++, at = b->to; plain(s, &p, &at, any_case); p++, at = run_end(s, at))
		if (!*p) {
			b->end = at;
			break;
		}
	return b->end;
}

/* Where it ends; 0 = it is not there. */
static size_t shape_at(struct scan *s, const struct privacy_rule *r, unsigned i, size_t from)
{
	const struct privacy_shape *shape = &r->shapes[i];
	size_t at, until = strlen(shape->until);

	if ((shape->flags & OSH_TOKEN_WORD) && !begins_word(s, from))
		return 0;
	at = pattern_end(s, r, i, from);
	if (!at)
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

/* The next '@' that has a domain behind it. Between two of them each byte is looked at once. */
static void next_sign(struct scan *s)
{
	const unsigned char *sign;

	for (s->domain = 0; !s->domain; s->unread = s->sign + 1) {
		sign = s->unread < s->n ? memchr(s->p + s->unread, '@', s->n - s->unread) : NULL;
		s->sign = s->local = sign ? (size_t)(sign - s->p) : s->n;
		if (!sign)
			return;
		s->domain = domain_end(s, s->sign + 1);
	}
	while (s->local > s->floor && (classes(s->p[s->local - 1]) & LOCAL))
		s->local--;
}

/* Where the e-mail ends that begins at `at`; 0 = none does. Its first part may have lost bytes to what was found before it. */
static size_t mail_at(struct scan *s, size_t at)
{
	size_t from, skip;

	while (s->sign <= at && s->sign < s->n)
		next_sign(s);
	from = s->local > s->floor ? s->local : s->floor;
	/* The letter of an escape in front of it is not its own. */
	skip = from && from < s->sign ? escape(s, from - 1) : 0;
	from += skip ? skip - 1 : 0;
	return from == at && from < s->sign ? s->domain : 0;
}

/* ---- a rule */

static void add(struct privacy_rule *r, struct privacy_shape shape)
{
	const char *p = shape.pattern;
	bool star = *p == '*';
	size_t len = star || !*p ? 0 : token_len(p);

	if (r->n == OSH_PRIVACY_SHAPES)
		return;			/* the bundle has not so many: bundle_check_l7.c counts them */
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
	size_t best = r->email ? mail_at(s, at) : 0;

	for (uint64_t left = r->first[s->p[at]]; left; left &= left - 1) {
		size_t end = shape_at(s, r, (unsigned)__builtin_ctzll(left), at);

		best = end > best ? end : best;
	}
	return best;
}

static void push(struct privacy_spans *to, struct privacy_span one)
{
	to->bad |= to->n == OSH_PRIVACY_SPANS;
	if (to->bad)
		return;
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
	struct behind behind[OSH_PRIVACY_SHAPES];
	struct scan s = { .p = (const unsigned char *)text.p, .n = text.n, .behind = behind };
	uint64_t n = 0;

	for (size_t at = 0; at < s.n;) {
		size_t end = r->email || r->first[s.p[at]] ? longest(&s, r, at) : 0;

		if (end <= at) {
			at++;
			continue;
		}
		n++;
		if (to)
			push(to, (struct privacy_span){ at, end, rule });
		at = s.floor = end;
	}
	return n;
}
