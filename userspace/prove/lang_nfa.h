/* SPDX-License-Identifier: Apache-2.0 */
/* One glob as a nondeterministic automaton whose states are the places between its tokens. */
#pragma once

#include "lang.h"

enum token_kind { TOKEN_SET, TOKEN_STAR, TOKEN_DEEP };

struct token {
	enum token_kind kind;
	uint64_t set[4];		/* bytes that TOKEN_SET stands for */
};

struct nfa {
	struct token *v;
	uint32_t n;			/* states are 0..n; n accepts */
	char sep;
	bool root;			/* accepts where one more '/' would be accepted */
	bool early;			/* every state but the first accepts */
	bool decoded;			/* reads escapes as what they stand for: more states, behind n, say how far one is */
};

#define NFA_ESCAPE 17			/* behind "%", and behind "%0" to "%F" */

/* `v` is from the arena. False: no memory. */
bool nfa_make(struct arena *a, const char *glob, const struct lang_atom *of, struct nfa *ret);
bool nfa_strict(struct arena *a, struct nfa *ret);

int nfa_digit(unsigned char c);		/* of an escape, which has capitals; -1: it is none */

/* State sets are bits of `words` 64-bit words. */
static inline uint32_t nfa_words(const struct nfa *n)
{
	return (n->n + (n->decoded ? NFA_ESCAPE : 0)) / 64 + 1;
}

void nfa_start(const struct nfa *n, uint64_t *set);
void nfa_step(const struct nfa *n, const uint64_t *from, unsigned char c, uint64_t *to);
bool nfa_accepts(const struct nfa *n, const uint64_t *set);
