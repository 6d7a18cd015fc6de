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

bool nfa_make(struct arena *a, const char *glob, char sep, bool root, struct nfa *ret)
{
	size_t len = strlen(glob);

	*ret = (struct nfa){ .v = arena_zalloc(a, (len + 1) * sizeof(*ret->v)), .sep = sep };
	ret->root = root && len >= 3 && !strcmp(glob + len - 3, "/**");
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
			for (unsigned c = 1; c < 256; c++) {
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

void nfa_step(const struct nfa *n, const uint64_t *from, unsigned char c, uint64_t *to)
{
	memset(to, 0, nfa_words(n) * sizeof(*to));
	for (uint32_t w = 0; w < nfa_words(n); w++)
		for (uint64_t left = from[w]; left; left &= left - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(left);
			const struct token *t = &n->v[i];

			if (i == n->n)
				continue;
			if (t->kind == TOKEN_SET) {
				if (set_has(t->set, c))
					enter(n, to, i + 1);
			} else if (t->kind == TOKEN_DEEP || c != (unsigned char)n->sep) {
				enter(n, to, i);
			}
		}
}

bool nfa_accepts(const struct nfa *n, const uint64_t *set)
{
	for (uint32_t i = 1; n->early && i < n->n; i++)
		if (set_has(set, i))
			return true;
	/* Behind the slash of a subtree there may be nothing. */
	return set_has(set, n->n) || (n->root && n->n >= 2 && set_has(set, n->n - 2));
}
