/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a text meets a pattern. All the places in the pattern where a match of the text so far may
 * stand are followed at once, so no text is worth more than one walk. Patterns come from the bundle,
 * which was checked: classes end, no escape is last, at most OSH_PATTERN_LEN bytes.
 */
#include "parts.h"

#define WORDS (OSH_PATTERN_LEN / 64 + 1)

struct automaton {
	const char *p;
	uint16_t at[OSH_PATTERN_LEN + 1];	/* where each token starts; a run of stars is one */
	uint32_t n, words;
};

static bool special(char c)
{
	return c == '*' || c == '?' || c == '[' || c == '\\';
}

/* Bytes of the token at p. */
static size_t token_len(const char *p)
{
	size_t n = 1;

	if (*p == '\\')
		return 2;
	if (*p == '*')
		return strspn(p, "*");
	if (*p != '[')
		return 1;
	n += p[n] == '!' || p[n] == '^';
	while (p[n] != ']')
		n += p[n] == '\\' ? 2 : 1;
	return n + 1;
}

static unsigned char class_byte(const char **p)
{
	*p += **p == '\\';
	return (unsigned char)*(*p)++;
}

/* p stands behind the opening bracket. */
static bool class_has(const char *p, unsigned char c)
{
	bool out = *p == '!' || *p == '^', found = false;

	p += out;
	while (*p != ']') {
		unsigned char from = class_byte(&p), to = from;

		if (p[0] == '-' && p[1] != ']') {
			p++;
			to = class_byte(&p);
		}
		found |= from <= c && c <= to;
	}
	return found != out;
}

static bool byte_meets(const char *token, char c, char sep)
{
	switch (*token) {
	case '?':
		return c != sep;
	case '[':
		return c != sep && class_has(token + 1, (unsigned char)c);
	case '\\':
		return c == token[1];
	default:
		return c == *token;
	}
}

static bool is_star(const struct automaton *a, uint32_t k)
{
	return k < a->n && a->p[a->at[k]] == '*';
}

static bool is_deep(const struct automaton *a, uint32_t k)
{
	return is_star(a, k) && a->p[a->at[k] + 1] == '*';
}

/* A star may also stand for nothing. Two never follow each other. */
static void stand(const struct automaton *a, uint64_t *set, uint32_t k)
{
	set[k / 64] |= 1ull << k % 64;
	k++;
	if (is_star(a, k - 1))
		set[k / 64] |= 1ull << k % 64;
}

/* Every place of `now`, moved over one byte. */
static bool step(const struct automaton *a, const uint64_t *now, uint64_t *then, char c, char sep)
{
	bool any = false;

	memset(then, 0, a->words * sizeof(*then));
	for (uint32_t w = 0; w < a->words; w++) {
		for (uint64_t left = now[w]; left; left &= left - 1) {
			uint32_t k = w * 64 + (uint32_t)__builtin_ctzll(left);

			if (k == a->n)
				continue;
			if (is_star(a, k) ? c != sep || is_deep(a, k)
					  : byte_meets(a->p + a->at[k], c, sep)) {
				stand(a, then, is_star(a, k) ? k : k + 1);
				any = true;
			}
		}
	}
	return any;
}

static bool follow(const struct automaton *a, struct slice text, char sep)
{
	uint64_t sets[2][WORDS], *now = sets[0], *then = sets[1];

	memset(now, 0, a->words * sizeof(*now));
	stand(a, now, 0);
	for (size_t i = 0; i < text.n; i++) {
		uint64_t *swap = now;

		if (is_deep(a, a->n - 1) && (now[(a->n - 1) / 64] >> (a->n - 1) % 64 & 1))
			return true;
		if (!step(a, now, then, text.p[i], sep))
			return false;
		now = then;
		then = swap;
	}
	return now[a->n / 64] >> a->n % 64 & 1;
}

/* The same where all places fit into one word, as they do in nearly every pattern. */
static bool follow_short(const struct automaton *a, struct slice text, char sep)
{
	uint64_t stars = 0, deep = 0, now = 1;

	for (uint32_t k = 0; k < a->n; k++) {
		stars |= (uint64_t)is_star(a, k) << k;
		deep |= (uint64_t)is_deep(a, k) << k;
	}
	now |= (now & stars) << 1;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		uint64_t then = now & (c == sep ? deep : stars);

		if (now & deep & 1ull << (a->n - 1))
			return true;
		for (uint64_t left = now & ~stars & ((1ull << a->n) - 1); left; left &= left - 1) {
			uint32_t k = (uint32_t)__builtin_ctzll(left);

			then |= (uint64_t)byte_meets(a->p + a->at[k], c, sep) << (k + 1);
		}
		if (!then)
			return false;
		now = then | (then & stars) << 1;
	}
	return now >> a->n & 1;
}

bool text_meets(const char *pattern, struct slice text, char sep)
{
	struct automaton a;
	size_t i = 0;

	while (i < text.n && pattern[i] && pattern[i] == text.p[i] && !special(pattern[i]))
		i++;
	if (!special(pattern[i]))
		return !pattern[i] && i == text.n;
	a.p = pattern + i;
	a.n = 0;
	for (size_t k = 0; a.p[k]; k += token_len(a.p + k))
		a.at[a.n++] = (uint16_t)k;
	a.words = a.n / 64 + 1;
	text = (struct slice){ text.p + i, text.n - i };
	return a.words == 1 ? follow_short(&a, text, sep) : follow(&a, text, sep);
}

bool text_meets_one(const struct bundle *b, struct osh_b_range r, struct slice text, char sep)
{
	for (uint32_t i = 0; i < r.n; i++)
		if (text_meets(bundle_str(b, b->patterns[r.first + i]), text, sep))
			return true;
	return false;
}
