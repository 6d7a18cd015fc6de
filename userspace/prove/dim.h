/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One text of the model: a host, a program, a path. To Z3 it is the number of a word that the policy writes out,
 * or 0 for any other text with a free bit for each pattern: nothing pins it. Whether a text with those bits
 * exists is lang.c's to say, after the fact; what cannot be is told to Z3 as a clause (dim_text).
 */
#pragma once

#include "lang.h"
#include "zed.h"

struct dim_atom {
	struct lang_atom lang;
	const char *key;
	Z3_ast in, free;		/* is it in; the bit where it is another text */
};

struct dim {
	struct zed *z;
	const char *name;
	enum lang_base base;
	struct list words;		/* const char *; word i is number i + 1 */
	struct list atoms;		/* struct dim_atom * */
	void *tree;			/* of words */
	void *known;			/* of texts that were found, by their bits */
	Z3_ast id;
	bool closed;
};

void dim_open(struct dim *d, struct zed *z, const char *name, enum lang_base base);
void dim_done(struct dim *d);

/* After dim_close() no new words; until then no meaning. */
Z3_ast dim_word(struct dim *d, const char *word);
void dim_close(struct dim *d);

uint64_t dim_number(struct dim *d, const char *word);	/* 0 = another text */
Z3_ast dim_in(struct dim *d, const struct lang_atom *a);	/* at any time */
Z3_ast dim_glob(struct dim *d, const char *glob, char sep);
Z3_ast dim_list(struct dim *d, const struct list *alts, char sep, bool root);	/* const char * */

/*
 * The text of this model. LANG_NONE: there is none, Z3 was told so and is to be asked again.
 */
enum lang_answer dim_text(struct dim *d, Z3_model m, char ret[LANG_WORD]);
