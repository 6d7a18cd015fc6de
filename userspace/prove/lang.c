/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search walks the product of the automata that it needs, shortest words first. It begins with those that the
 * word must be in; one that it must not be in joins when a word that was found lies in it. So of hundreds of
 * patterns only the few that are near cost anything.
 */
#include "lang.h"

#include <stdlib.h>
#include <string.h>

#include "lang_base.h"
#include "lang_nfa.h"

#define STATES 40000			/* of one product; beyond it nothing is known */
#define MEMORY (96u << 20)

struct part {				/* an atom in the product */
	struct nfa *alts;
	uint32_t n;
	bool in;
};

struct product {
	struct arena a;
	const struct lang_question *q;
	enum lang_base base;
	struct part *parts;
	uint32_t n_parts, words;	/* words: of all state sets of one state */
	bool *used_out, *used_not;
	unsigned char alphabet[256];
	uint32_t n_alphabet;
};

static bool part_make(struct arena *a, const struct lang_atom *from, bool in, struct part *ret)
{
	ret->in = in;
	ret->n = from->strict ? 1 : from->n;
	ret->alts = arena_zalloc(a, (ret->n + 1) * sizeof(*ret->alts));
	if (!ret->alts)
		return false;
	if (from->strict)
		return nfa_strict(a, ret->alts);
	for (uint32_t i = 0; i < ret->n; i++)
		if (!nfa_make(a, from->alts[i], from, &ret->alts[i]))
			return false;
	return true;
}

static bool part_has(const struct part *p, const uint64_t *sets)
{
	bool has = false;

	for (uint32_t i = 0; i < p->n; i++) {
		has |= nfa_accepts(&p->alts[i], sets);
		sets += nfa_words(&p->alts[i]);
	}
	return has;
}

static uint32_t part_words(const struct part *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++)
		n += nfa_words(&p->alts[i]);
	return n;
}

bool lang_has(const struct lang_atom *atom, const char *word)
{
	struct arena a = { 0 };
	struct part p;
	bool has = false;

	if (part_make(&a, atom, true, &p)) {
		for (uint32_t i = 0; i < p.n && !has; i++) {
			size_t bytes = nfa_words(&p.alts[i]) * sizeof(uint64_t);
			uint64_t *now = arena_zalloc(&a, bytes), *next = arena_zalloc(&a, bytes), *was;

			if (!now || !next)
				break;
			nfa_start(&p.alts[i], now);
			for (const char *c = word; *c; c++, was = now, now = next, next = was)
				nfa_step(&p.alts[i], now, (unsigned char)*c, next);
			has = nfa_accepts(&p.alts[i], now);
		}
	}
	arena_done(&a);
	return has;
}

/*
 * One byte for all that nothing tells apart: the first in this order, so that words look like words.
 */
static void make_alphabet(struct product *p)
{
	static const char order[] = "xabcdefghijklmnopqrstuvwyz0123456789XABCDEFGHIJKLMNOPQRSTUVWYZ-_./";
	const unsigned char *first = base_firsts(p->base);
	bool seen[256] = { 0 };

	p->n_alphabet = 0;
	for (unsigned i = 0; i < sizeof(order) - 1 + 256 - 0x20; i++) {
		unsigned char c = i < sizeof(order) - 1 ? (unsigned char)order[i]
							: (unsigned char)(0x20 + i - (sizeof(order) - 1));
		bool again = false;

		for (uint32_t k = 0; k < p->n_alphabet && !again; k++) {
			unsigned char d = p->alphabet[k];
			bool same = first[c] == first[d];

			for (uint32_t m = 0; m < p->n_parts && same; m++)
				for (uint32_t x = 0; x < p->parts[m].n && same; x++) {
					const struct nfa *f = &p->parts[m].alts[x];

					same = (c == (unsigned char)f->sep) == (d == (unsigned char)f->sep) &&
					       (!f->decoded || nfa_digit(c) == nfa_digit(d));
					for (uint32_t t = 0; t < f->n && same; t++)
						same = (f->v[t].set[c / 64] >> (c % 64) & 1) ==
						       (f->v[t].set[d / 64] >> (d % 64) & 1);
				}
			for (uint32_t w = 0; w < p->q->n_not && same; w++)
				if (p->used_not[w])
					same = !strchr(p->q->not[w], c) && !strchr(p->q->not[w], d);
			again = same;
		}
		if (!again && !seen[c])
			p->alphabet[p->n_alphabet++] = c;
		seen[c] = true;
	}
}

struct state {
	uint32_t from;			/* index of the one before */
	uint32_t base;
	uint32_t spelled;		/* hash of the word where words are left out, else 0 */
	unsigned char c;
};

struct walk {				/* grows by doubling: most searches are short */
	struct state *v;
	uint64_t *sets;
	uint32_t n, cap, max;
	uint32_t *table, table_n;
};

static uint64_t hash_of(const struct state *s, const uint64_t *sets, uint32_t words)
{
	uint64_t h = s->base * 0x9e3779b97f4a7c15ull + s->spelled;

	for (uint32_t i = 0; i < words; i++)
		h = (h ^ sets[i]) * 0xff51afd7ed558ccdull, h ^= h >> 29;
	return h;
}

/* The place of the candidate, which stands behind the last state; false: it is known. */
static bool is_new(struct walk *w, uint32_t words)
{
	const uint64_t *sets = w->sets + (size_t)w->n * words;
	uint64_t h = hash_of(&w->v[w->n], sets, words);

	for (uint32_t i = (uint32_t)h % w->table_n;; i = (i + 1) % w->table_n) {
		uint32_t at = w->table[i];

		if (!at) {
			w->table[i] = w->n + 1;
			return true;
		}
		at--;
		if (w->v[at].base == w->v[w->n].base && w->v[at].spelled == w->v[w->n].spelled &&
		    !memcmp(w->sets + (size_t)at * words, sets, words * sizeof(*sets)))
			return false;
	}
}

static void enter_all(struct walk *w, uint32_t words)
{
	memset(w->table, 0, w->table_n * sizeof(*w->table));
	for (uint32_t at = 0; at < w->n; at++) {
		uint64_t h = hash_of(&w->v[at], w->sets + (size_t)at * words, words);
		uint32_t i = (uint32_t)h % w->table_n;

		while (w->table[i])
			i = (i + 1) % w->table_n;
		w->table[i] = at + 1;
	}
}

static bool grow(struct walk *w, uint32_t words)
{
	uint32_t cap = w->cap ? w->cap * 2 : 64;
	void *v, *sets, *table;

	if (cap > w->max)
		cap = w->max;
	if (cap <= w->cap)
		return false;
	v = realloc(w->v, (cap + 1) * sizeof(*w->v));
	w->v = v ? v : w->v;
	sets = realloc(w->sets, (size_t)(cap + 1) * (words + 1) * sizeof(*w->sets));
	w->sets = sets ? sets : w->sets;
	table = realloc(w->table, (cap * 2 + 1) * sizeof(*w->table));
	w->table = table ? table : w->table;
	if (!v || !sets || !table)
		return false;
	w->cap = cap;
	w->table_n = cap * 2 + 1;
	enter_all(w, words);
	return true;
}

static bool spell(const struct walk *w, uint32_t at, char ret[LANG_WORD])
{
	size_t n = 0;

	for (uint32_t i = at; i; i = w->v[i].from)
		n++;
	if (n >= LANG_WORD)
		return false;
	ret[n] = 0;
	for (uint32_t i = at; i; i = w->v[i].from)
		ret[--n] = (char)w->v[i].c;
	return true;
}

static bool wanted(const struct product *p, const struct walk *w, uint32_t at)
{
	const uint64_t *sets = w->sets + (size_t)at * p->words;

	if (!base_ends(p->base, w->v[at].base))
		return false;
	for (uint32_t i = 0; i < p->n_parts; i++) {
		if (part_has(&p->parts[i], sets) != p->parts[i].in)
			return false;
		sets += part_words(&p->parts[i]);
	}
	return true;
}

/* Is the word that leads here the start of one that must not be found? Then it is a state of its own. */
static uint32_t spelled(const struct product *p, const char *word)
{
	size_t n = strlen(word);
	uint32_t h = 0;

	for (uint32_t i = 0; i < p->q->n_not; i++)
		if (p->used_not[i] && !strncmp(p->q->not[i], word, n)) {
			for (h = 2166136261u; *word; word++)
				h = (h ^ (unsigned char)*word) * 16777619u;
			return h | 1;
		}
	return 0;
}

static bool left_out(const struct product *p, const char *word)
{
	for (uint32_t i = 0; i < p->q->n_not; i++)
		if (p->used_not[i] && !strcmp(p->q->not[i], word))
			return true;
	return false;
}

static void advance(const struct product *p, struct walk *w, uint32_t from, unsigned char c)
{
	const uint64_t *now = w->sets + (size_t)from * p->words;
	uint64_t *next = w->sets + (size_t)w->n * p->words;

	for (uint32_t i = 0; i < p->n_parts; i++)
		for (uint32_t k = 0; k < p->parts[i].n; k++) {
			const struct nfa *f = &p->parts[i].alts[k];

			nfa_step(f, now, c, next);
			now += nfa_words(f);
			next += nfa_words(f);
		}
}

static void begin(const struct product *p, struct walk *w)
{
	uint64_t *sets = w->sets;

	w->v[0] = (struct state){ .base = BASE_START };
	for (uint32_t i = 0; i < p->n_parts; i++)
		for (uint32_t k = 0; k < p->parts[i].n; k++) {
			nfa_start(&p->parts[i].alts[k], sets);
			sets += nfa_words(&p->parts[i].alts[k]);
		}
	(void)is_new(w, p->words);
	w->n = 1;
}

static enum lang_answer walk_all(const struct product *p, struct walk *w, char ret[LANG_WORD])
{
	begin(p, w);
	w->v[0].spelled = spelled(p, "");
	for (uint32_t at = 0; at < w->n; at++) {
		size_t len;

		if (!spell(w, at, ret))
			return LANG_UNKNOWN;
		if (wanted(p, w, at) && !left_out(p, ret))
			return LANG_FOUND;
		len = strlen(ret);
		for (uint32_t k = 0; k < p->n_alphabet; k++) {
			unsigned base = base_step(p->base, w->v[at].base, p->alphabet[k]);

			if (!base)
				continue;
			if ((w->n == w->cap && !grow(w, p->words)) || len + 2 > LANG_WORD)
				return LANG_UNKNOWN;
			advance(p, w, at, p->alphabet[k]);
			ret[len] = (char)p->alphabet[k];
			ret[len + 1] = 0;
			w->v[w->n] = (struct state){ at, base, w->v[at].spelled ? spelled(p, ret) : 0,
						     p->alphabet[k] };
			w->n += is_new(w, p->words);
		}
	}
	return LANG_NONE;
}

static enum lang_answer search(struct product *p, char ret[LANG_WORD])
{
	struct walk w = { .max = STATES };
	enum lang_answer r = LANG_UNKNOWN;

	p->words = 0;
	for (uint32_t i = 0; i < p->n_parts; i++)
		p->words += part_words(&p->parts[i]);
	if (p->words && MEMORY / sizeof(uint64_t) / p->words < w.max)
		w.max = MEMORY / (uint32_t)sizeof(uint64_t) / p->words;
	make_alphabet(p);
	if (grow(&w, p->words))
		r = walk_all(p, &w, ret);
	free(w.v);
	free(w.sets);
	free(w.table);
	return r;
}

/* A word that lies where it must not: what it lies in joins the product. False: it is as wanted. */
static bool refine(struct product *p, const char *word, bool *ret_bad)
{
	const struct lang_question *q = p->q;

	for (uint32_t i = 0; i < q->n_not; i++)
		if (!p->used_not[i] && !strcmp(q->not[i], word)) {
			p->used_not[i] = true;
			return true;
		}
	for (uint32_t i = 0; i < q->n_out; i++)
		if (!p->used_out[i] && lang_has(q->out[i], word)) {
			p->used_out[i] = true;
			*ret_bad = !part_make(&p->a, q->out[i], false, &p->parts[p->n_parts++]);
			return true;
		}
	return false;
}

/* A class may hold '%' without spelling it. */
static bool escapes(const struct lang_atom *const *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < v[i]->n; k++) {
			if (v[i]->decoded || strchr(v[i]->alts[k], '['))
				return true;
			for (const char *at = v[i]->alts[k]; (at = strchr(at, '%')) != NULL; at++)
				if (strncmp(at, "%2F", 3) != 0)
					return true;
		}
	return false;
}

static enum lang_base base_of(const struct lang_question *q)
{
	return q->base == LANG_PATH && (escapes(q->in, q->n_in) || escapes(q->out, q->n_out)) ? LANG_PATH_ESCAPED : q->base;
}

enum lang_answer lang_find(const struct lang_question *q, char ret[LANG_WORD])
{
	struct product p = { .q = q, .base = base_of(q) };
	enum lang_answer r = LANG_UNKNOWN;
	bool bad = false;

	p.parts = arena_zalloc(&p.a, (q->n_in + q->n_out + 1) * sizeof(*p.parts));
	p.used_out = arena_zalloc(&p.a, q->n_out + 1);
	p.used_not = arena_zalloc(&p.a, q->n_not + 1);
	bad = !p.parts || !p.used_out || !p.used_not;
	for (uint32_t i = 0; i < q->n_in && !bad; i++)
		bad = !part_make(&p.a, q->in[i], true, &p.parts[p.n_parts++]);
	while (!bad) {
		r = search(&p, ret);
		if (r != LANG_FOUND || !refine(&p, ret, &bad))
			break;
	}
	if (q->used && p.used_out)
		memcpy(q->used, p.used_out, q->n_out * sizeof(*q->used));
	arena_done(&p.a);
	return bad ? LANG_UNKNOWN : r;
}
