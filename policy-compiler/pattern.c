/* SPDX-License-Identifier: Apache-2.0 */
/* Reads patterns: braces are expanded once, so that matching and comparing see plain ones. */
#include "pattern.h"

#include <string.h>

#define ALTS_MAX 64			/* plain patterns that one may stand for */
#define OVERLAP_TOKENS 512		/* longer ones are taken to overlap: that can only refuse */

const char *pattern_why(enum pattern_error e)
{
	static const char *const says[] = {
		[PATTERN_OK] = "fine",
		[PATTERN_BRACES] = "unbalanced braces",
		[PATTERN_MANY] = "braces stand for too many patterns",
		[PATTERN_CLASS] = "unclosed or empty [] or a \\ at the end",
	};

	return says[e];
}

bool pattern_special(const char *text)
{
	return strpbrk(text, "*?[]{}\\") != NULL;
}

/* Bytes of the [] class at p with its brackets, 0 when it does not end. "[]" holds nothing: an error. */
static size_t class_len(const char *p)
{
	size_t n = 1;

	n += p[n] == '!' || p[n] == '^';
	if (!p[n] || p[n] == ']')
		return 0;
	while (p[n] && p[n] != ']')
		n += p[n] == '\\' && p[n + 1] ? 2 : 1;
	return p[n] ? n + 1 : 0;
}

/* Bytes of what stands at p and is no brace, comma or star; 0 = malformed. */
static size_t piece_len(const char *p)
{
	if (*p == '[')
		return class_len(p);
	if (*p == '\\')
		return p[1] ? 2 : 0;
	return 1;
}

static enum pattern_error check_pieces(const char *p)
{
	while (*p) {
		size_t n = piece_len(p);

		if (!n)
			return PATTERN_CLASS;
		p += n;
	}
	return PATTERN_OK;
}

/* First brace outside of [] and \; NULL when there is none. */
static const char *first_brace(const char *p)
{
	while (*p && *p != '{' && *p != '}')
		p += piece_len(p);
	return *p ? p : NULL;
}

static const char *brace_end(const char *p)
{
	unsigned depth = 0;

	for (; *p; p += piece_len(p)) {
		depth += *p == '{';
		depth -= *p == '}';
		if (!depth)
			return p;
	}
	return NULL;
}

static enum pattern_error expand(struct arena *a, const char *text, struct list *ret, unsigned *left)
{
	const char *open = first_brace(text), *end, *from, **slot;
	unsigned depth = 0;

	if (!*left || !(*left)--)
		return PATTERN_MANY;
	if (!open) {
		slot = list_push(a, ret, sizeof(*slot));
		if (slot)
			*slot = text;
		return PATTERN_OK;
	}
	end = *open == '{' ? brace_end(open) : NULL;
	if (!end)
		return PATTERN_BRACES;
	from = open + 1;
	for (const char *p = from; p <= end; p += piece_len(p)) {
		if (p == end || (*p == ',' && !depth)) {
			const char *one = arena_printf(a, "%.*s%.*s%s", (int)(open - text), text,
						       (int)(p - from), from, end + 1);
			enum pattern_error e = one ? expand(a, one, ret, left) : PATTERN_MANY;

			if (e != PATTERN_OK)
				return e;
			from = p + 1;
		}
		depth += *p == '{';
		depth -= *p == '}' && p < end;
	}
	return PATTERN_OK;
}

enum pattern_error braces_expand(struct arena *a, const char *text, struct list *ret)
{
	unsigned left = ALTS_MAX;
	enum pattern_error e = check_pieces(text);

	return e == PATTERN_OK ? expand(a, text, ret, &left) : e;
}

enum pattern_error pattern_parse(struct arena *a, const char *text, struct pattern *ret)
{
	*ret = (struct pattern){ .text = text };
	return braces_expand(a, text, &ret->alts);
}

static bool in_class(const char *p, size_t len, unsigned char c)
{
	bool negated = p[1] == '!' || p[1] == '^', found = false;

	for (size_t i = 1 + negated; i < len - 1;) {
		unsigned char from, to;

		i += p[i] == '\\' && i + 2 < len;
		from = to = (unsigned char)p[i++];
		if (p[i] == '-' && i + 2 < len) {
			i++;
			i += p[i] == '\\' && i + 2 < len;
			to = (unsigned char)p[i++];
		}
		found |= c >= from && c <= to;
	}
	return found != negated;
}

size_t pattern_token(const char *p, unsigned char c, char sep, bool *ret_hit)
{
	size_t n = piece_len(p);

	if (*p == '?')
		*ret_hit = c != (unsigned char)sep;
	else if (*p == '[')
		*ret_hit = n && c != (unsigned char)sep && in_class(p, n, c);
	else
		*ret_hit = c == (unsigned char)p[*p == '\\'];
	return n ? n : 1;
}

/* Can one byte be meant by the tokens at p and at q? */
static bool tokens_meet(const char *p, const char *q)
{
	for (unsigned c = 1; c < 256; c++) {
		bool a, b;

		(void)pattern_token(p, (unsigned char)c, 0, &a);
		(void)pattern_token(q, (unsigned char)c, 0, &b);
		if (a && b)
			return true;
	}
	return false;
}

struct tokens {
	const char *at[OVERLAP_TOKENS + 1];
	size_t n;
};

static bool tokens_of(const char *p, struct tokens *t)
{
	bool ignored;

	for (t->n = 0; *p; t->n++) {
		if (t->n == OVERLAP_TOKENS)
			return false;
		t->at[t->n] = p;
		if (*p != '*')
			p += pattern_token(p, 0, 0, &ignored);
		else
			p += strspn(p, "*");
	}
	return true;
}

/* Walks both patterns at once; can[k] = the first i tokens of a and k of b have a text in common. */
static bool plain_overlaps(const struct tokens *a, const struct tokens *b)
{
	bool can[OVERLAP_TOKENS + 1];

	for (size_t i = 0; i <= a->n; i++) {
		bool before = false;		/* can[k - 1] of the row above */

		for (size_t k = 0; k <= b->n; k++) {
			bool above = i && can[k], now = !i && !k;

			if (i && *a->at[i - 1] == '*')
				now |= above || (k && can[k - 1]);
			if (k && *b->at[k - 1] == '*')
				now |= above || can[k - 1];
			if (i && k && before && *a->at[i - 1] != '*' && *b->at[k - 1] != '*')
				now |= tokens_meet(a->at[i - 1], b->at[k - 1]);
			before = above;
			can[k] = now;
		}
	}
	return can[b->n];
}

bool pattern_overlaps(const struct pattern *a, const struct pattern *b)
{
	struct tokens x, y;
	const char *const *pa = a->alts.v, *const *pb = b->alts.v;

	for (uint32_t i = 0; i < a->alts.n; i++) {
		for (uint32_t k = 0; k < b->alts.n; k++)
			if (!tokens_of(pa[i], &x) || !tokens_of(pb[k], &y) || plain_overlaps(&x, &y))
				return true;
	}
	return false;
}
