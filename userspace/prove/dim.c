/* SPDX-License-Identifier: Apache-2.0 */
#include "dim.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "prove.h"

#define BITS 20				/* words of one kind: OSH_HOSTS_MAX and more */

struct word {
	const char *text;
	uint32_t id;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->text, ((const struct word *)b)->text);
}

static void *need(void *p)
{
	if (!p)
		_Exit(PROVE_GAVE_UP);
	return p;
}

void dim_open(struct dim *d, struct zed *z, const char *name, enum lang_base base)
{
	*d = (struct dim){ .z = z, .name = name, .base = base, .id = z_bits(z, name, BITS) };
}

static void keep(void *p)
{
	(void)p;			/* the arena's */
}

void dim_done(struct dim *d)
{
	tdestroy(d->tree, keep);
	tdestroy(d->known, keep);
	d->tree = d->known = NULL;
}

Z3_ast dim_word(struct dim *d, const char *text)
{
	struct word key = { text, 0 }, *w, **found = tfind(&key, &d->tree, by_text);
	const char **slot;

	if (!found && d->closed)	/* one of the other texts, then: a pattern that means it alone */
		return dim_glob(d, text, 0);
	if (!found) {
		slot = need(list_push(d->z->a, &d->words, sizeof(*slot)));
		w = need(arena_zalloc(d->z->a, sizeof(*w)));
		*w = (struct word){ text, d->words.n };
		*slot = text;
		found = need(tsearch(w, &d->tree, by_text));
	}
	return z_is(d->z, d->id, (*found)->id);
}

uint64_t dim_number(struct dim *d, const char *text)
{
	struct word key = { text, 0 }, **found = tfind(&key, &d->tree, by_text);

	return found ? (*found)->id : 0;
}

/* A word of the policy is in a pattern or not; any other text has the bit that it has. */
static void define(struct dim *d, struct dim_atom *a)
{
	const char *const *words = d->words.v;
	struct terms in = { .z = d->z };

	for (uint32_t i = 0; i < d->words.n; i++)
		if (lang_has(&a->lang, words[i]))
			terms_add(&in, z_is(d->z, d->id, i + 1));
	terms_add(&in, z_and(d->z, z_is(d->z, d->id, 0), a->free));
	z_assert(d->z, Z3_mk_iff(d->z->c, a->in, terms_or(&in)));
}

void dim_close(struct dim *d)
{
	struct dim_atom **atoms = d->atoms.v;

	d->closed = true;
	z_assert(d->z, Z3_mk_bvule(d->z->c, d->id,
				   Z3_mk_unsigned_int64(d->z->c, d->words.n, Z3_get_sort(d->z->c, d->id))));
	for (uint32_t i = 0; i < d->atoms.n; i++)
		define(d, atoms[i]);
}

static const char *key_of(struct dim *d, const struct lang_atom *a)
{
	const char *key = arena_printf(d->z->a, "%d%d%d%d", a->sep, a->root, a->strict, a->decoded);

	for (uint32_t i = 0; i < a->n && key; i++)
		key = arena_printf(d->z->a, "%s\n%s", key, a->alts[i]);
	return need((void *)key);
}

Z3_ast dim_in(struct dim *d, const struct lang_atom *a)
{
	struct dim_atom **atoms = d->atoms.v, *one, **slot;
	const char *key = key_of(d, a);

	for (uint32_t i = 0; i < d->atoms.n; i++)
		if (!strcmp(atoms[i]->key, key))
			return atoms[i]->in;
	one = need(arena_zalloc(d->z->a, sizeof(*one)));
	slot = need(list_push(d->z->a, &d->atoms, sizeof(*slot)));
	*slot = one;
	*one = (struct dim_atom){ *a, key, z_bool(d->z, d->name), z_bool(d->z, d->name) };
	if (d->closed)
		define(d, one);
	return one->in;
}

Z3_ast dim_list(struct dim *d, const struct list *alts, char sep, bool root)
{
	return dim_in(d, &(struct lang_atom){ alts->v, alts->n, sep, root, false });
}

Z3_ast dim_glob(struct dim *d, const char *glob, char sep)
{
	const char **alts = need(arena_zalloc(d->z->a, sizeof(*alts)));

	*alts = glob;
	return dim_in(d, &(struct lang_atom){ alts, 1, sep, false, false });
}

/* What of the atoms a search was told: which it must lie in, and which not. */
struct wish {
	struct dim_atom **in, **out;
	const struct lang_atom **lang_in, **lang_out;
	uint32_t n_in, n_out;
	bool *used;
};

static enum lang_answer search(struct dim *d, const struct wish *w, char ret[LANG_WORD])
{
	const struct lang_question q = { d->base, w->lang_in, w->lang_out, w->n_in, w->n_out,
					 d->words.v, d->words.n, w->used };

	return lang_find(&q, ret);
}

static void drop(struct dim_atom **v, const struct lang_atom **lang, uint32_t *n, uint32_t at)
{
	(*n)--;
	memmove(v + at, v + at + 1, (*n - at) * sizeof(*v));
	memmove(lang + at, lang + at + 1, (*n - at) * sizeof(*lang));
}

/* What the search never came near says nothing. */
static void keep_used(struct wish *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_out; i++)
		if (w->used[i]) {
			w->out[n] = w->out[i];
			w->lang_out[n++] = w->lang_out[i];
		}
	w->n_out = n;
	w->used = NULL;
}

/*
 * The fewest bits that cannot be together: each one is left out, and put back where a text appears. Those that a
 * text must lie in come first; without them the others have little to say.
 */
static void shrink(struct dim *d, struct wish *w)
{
	char word[LANG_WORD];
	struct wish none = *w;

	none.n_out = 0;
	if (search(d, &none, word) == LANG_NONE)
		w->n_out = 0;
	for (uint32_t i = w->n_out; i-- > 0;) {
		struct dim_atom *was = w->out[i];
		const struct lang_atom *lang = w->lang_out[i];

		drop(w->out, w->lang_out, &w->n_out, i);
		if (search(d, w, word) == LANG_NONE)
			continue;
		memmove(w->out + i + 1, w->out + i, (w->n_out - i) * sizeof(*w->out));
		memmove(w->lang_out + i + 1, w->lang_out + i, (w->n_out - i) * sizeof(*w->lang_out));
		w->out[i] = was;
		w->lang_out[i] = lang;
		w->n_out++;
	}
	for (uint32_t i = w->n_in; i-- > 0;) {
		struct dim_atom *was = w->in[i];
		const struct lang_atom *lang = w->lang_in[i];

		drop(w->in, w->lang_in, &w->n_in, i);
		if (search(d, w, word) == LANG_NONE)
			continue;
		w->in[w->n_in] = was;
		w->lang_in[w->n_in++] = lang;
	}
}

/* Not all of these at once, in any text but the words. */
static void forbid(struct dim *d, const struct wish *w)
{
	struct terms not = { .z = d->z };

	terms_add(&not, z_not(d->z, z_is(d->z, d->id, 0)));
	for (uint32_t i = 0; i < w->n_in; i++)
		terms_add(&not, z_not(d->z, w->in[i]->free));
	for (uint32_t i = 0; i < w->n_out; i++)
		terms_add(&not, w->out[i]->free);
	z_assert(d->z, terms_or(&not));
}

/* A text that has these bits was found before: models differ in few of them. */
struct known {
	const char *bits, *text;
};

static int by_bits(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->bits, ((const struct known *)b)->bits);
}

static bool recall(struct dim *d, const char *bits, char ret[LANG_WORD])
{
	struct known key = { bits, NULL }, **found = tfind(&key, &d->known, by_bits);

	if (found)
		strcpy(ret, (*found)->text);
	return found != NULL;
}

static void remember(struct dim *d, const char *bits, const char *text)
{
	struct known *k = need(arena_zalloc(d->z->a, sizeof(*k)));

	*k = (struct known){ bits, need((void *)arena_printf(d->z->a, "%s", text)) };
	need(tsearch(k, &d->known, by_bits));
}

enum lang_answer dim_text(struct dim *d, Z3_model m, char ret[LANG_WORD])
{
	uint64_t id = z_number(d->z, m, d->id);
	struct dim_atom **atoms = d->atoms.v;
	size_t bytes = (d->atoms.n + 1) * sizeof(void *);
	struct wish w = { 0 };
	enum lang_answer r;
	char *bits;
	bool *used;

	if (id) {
		const char *word = ((const char **)d->words.v)[id - 1];

		if (strlen(word) >= LANG_WORD)
			return LANG_UNKNOWN;
		strcpy(ret, word);
		return LANG_FOUND;
	}
	bits = need(arena_zalloc(d->z->a, d->atoms.n + 1));
	for (uint32_t i = 0; i < d->atoms.n; i++)
		bits[i] = z_value(d->z, m, atoms[i]->free) ? '1' : '0';
	if (recall(d, bits, ret))
		return LANG_FOUND;
	w.in = need(malloc(bytes));
	w.out = need(malloc(bytes));
	w.lang_in = need(malloc(bytes));
	w.lang_out = need(malloc(bytes));
	w.used = used = need(calloc(bytes, 1));
	for (uint32_t i = 0; i < d->atoms.n; i++) {
		if (bits[i] == '1') {
			w.in[w.n_in] = atoms[i];
			w.lang_in[w.n_in++] = &atoms[i]->lang;
		} else {
			w.out[w.n_out] = atoms[i];
			w.lang_out[w.n_out++] = &atoms[i]->lang;
		}
	}
	r = search(d, &w, ret);
	if (r == LANG_FOUND)
		remember(d, bits, ret);
	if (r == LANG_NONE) {
		keep_used(&w);
		shrink(d, &w);
		forbid(d, &w);
	}
	free(used);
	free(w.in);
	free(w.out);
	free(w.lang_in);
	free(w.lang_out);
	return r;
}
