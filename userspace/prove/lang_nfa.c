/* SPDX-License-Identifier: Apache-2.0 */
/* The same tokens as glob.c reads, taken all at once instead of with places to fall back to. */
#include "lang_nfa.h"

#include <string.h>

#include "pattern.h"

#define STRICT_LEN 128

static void set_add(uint64_t *set, unsigned bit)
{
	set[bit / 64] |= 1ull << (bit % 64);
}

static bool set_has(const uint64_t *set, unsigned bit)
{
	return set[bit / 64] >> (bit % 64) & 1;
}

int nfa_digit(unsigned char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool nfa_make(struct arena *a, const char *glob, const struct lang_atom *of, struct nfa *ret)
{
	size_t len = strlen(glob);
	char sep = of->sep;

	*ret = (struct nfa){ .v = arena_zalloc(a, (len + 1) * sizeof(*ret->v)), .sep = sep, .decoded = of->decoded };
	ret->root = of->root && len >= 3 && !strcmp(glob + len - 3, "/**");
	if (!ret->v)
		return false;
	while (*glob) {
		struct token *t = &ret->v[ret->n++];
		size_t n = 1;
		bool hit;

		if (*glob == '*') {
			n = strspn(glob, "*");
			t->kind = n > 1 ? TOKEN_DEEP : TOKEN_STAR;
		} else {
			bool many = *glob == '?' || *glob == '[';
			unsigned first = many ? 1 : (unsigned char)glob[*glob == '\\'], last = many ? 255 : first;

			for (unsigned c = first; c <= last; c++) {
				n = pattern_token(glob, (unsigned char)c, sep, &hit);
				if (hit)
					set_add(t->set, c);
			}
		}
		glob += n;
	}
	return true;
}

bool nfa_strict(struct arena *a, struct nfa *ret)
{
	*ret = (struct nfa){ .v = arena_zalloc(a, STRICT_LEN * sizeof(*ret->v)), .n = STRICT_LEN, .early = true };
	for (uint32_t i = 0; ret->v && i < STRICT_LEN; i++)
		for (unsigned c = 1; c < 128; c++)
			if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			    strchr("_.-", (int)c))
				set_add(ret->v[i].set, c);
	return ret->v != NULL;
}

/* A run may be empty: whoever stands before one stands behind it too. */
static void enter(const struct nfa *n, uint64_t *set, uint32_t state)
{
	set_add(set, state);
	while (state < n->n && n->v[state].kind != TOKEN_SET)
		set_add(set, ++state);
}

void nfa_start(const struct nfa *n, uint64_t *set)
{
	memset(set, 0, nfa_words(n) * sizeof(*set));
	enter(n, set, 0);
}

static inline void step(const struct nfa *n, const uint64_t *from, unsigned char c, uint64_t *to)
{
	for (uint32_t w = 0; w < nfa_words(n); w++)
		for (uint64_t left = from[w]; left; left &= left - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(left);

			if (i >= n->n)
				continue;
			if (n->v[i].kind == TOKEN_SET) {
				if (set_has(n->v[i].set, c))
					enter(n, to, i + 1);
			} else if (n->v[i].kind == TOKEN_DEEP || c != (unsigned char)n->sep) {
				enter(n, to, i);
			}
		}
}

/* 0 = in no escape, 1 behind "%", 2 and more behind its first digit. */
static unsigned escape_at(const struct nfa *n, const uint64_t *set)
{
	unsigned at = NFA_ESCAPE;

	while (at && !set_has(set, n->n + at))
		at--;
	return at;
}

/* In the middle of an escape nothing moves. */
static void stay(const struct nfa *n, const uint64_t *from, unsigned at, uint64_t *to)
{
	for (uint32_t i = 0; i <= n->n; i++)
		if (set_has(from, i))
			set_add(to, i);
	set_add(to, n->n + at);
}

void nfa_step(const struct nfa *n, const uint64_t *from, unsigned char c, uint64_t *to)
{
	unsigned at;
	int d;

	for (uint32_t w = 0; w < nfa_words(n); w++)
		to[w] = 0;
	if (!n->decoded) {
		step(n, from, c, to);
		return;
	}
	at = escape_at(n, from);
	d = nfa_digit(c);
	if (!at && c == '%')
		stay(n, from, 1, to);
	else if (at == 1 && d >= 0)
		stay(n, from, 2 + (unsigned)d, to);
	else if (at > 1 && d >= 0)
		step(n, from, (unsigned char)((at - 2) << 4 | (unsigned)d), to);
	else if (!at)
		step(n, from, c, to);
}

bool nfa_accepts(const struct nfa *n, const uint64_t *set)
{
	if (n->decoded && escape_at(n, set))
		return false;
	for (uint32_t i = 1; n->early && i < n->n; i++)
		if (set_has(set, i))
			return true;
	/* Behind the slash of a subtree there may be nothing. */
	return set_has(set, n->n) || (n->root && n->n >= 2 && set_has(set, n->n - 2));
}
