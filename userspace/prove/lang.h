/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular languages: the patterns of a policy as automata, and the shortest word that lies in some of them
 * and in none of others. Z3 says which memberships it wants; here is decided whether a text has them.
 */
#pragma once

#include "arena.h"

enum lang_base {			/* what a text of this kind looks like at all */
	LANG_HOST,
	LANG_FILE,			/* absolute path without "." and ".." */
	LANG_PATH,			/* canonical target of a request */
	LANG_PATH_ESCAPED,		/* lang.c's own: the same, where patterns speak of escapes */
	LANG_METHOD,
	LANG_TEXT,			/* printable, may be empty */
	LANG_NAME,			/* the same, and not empty */
	LANG_MODEL,			/* the name of a model */
};

struct lang_atom {
	const char *const *alts;	/* globs without braces; a text of one of them is meant */
	uint32_t n;
	char sep;			/* that `*` and `?` stop at; 0 = none */
	bool root;			/* what ends in two stars behind a slash means its top too */
	bool strict;			/* no globs: 1 to 128 of [A-Za-z0-9_.-] */
	bool decoded;			/* of a path: of what its escapes stand for */
};

enum lang_answer { LANG_NONE, LANG_FOUND, LANG_UNKNOWN };

#define LANG_WORD 512

struct lang_question {
	enum lang_base base;
	const struct lang_atom *const *in, *const *out;
	uint32_t n_in, n_out;
	const char *const *not;		/* words that it must not be */
	uint32_t n_not;
	bool *used;			/* NULL, or n_out places: which of `out` LANG_NONE needs */
};

bool lang_has(const struct lang_atom *a, const char *word);
bool lang_is(enum lang_base base, const char *word);

/* LANG_UNKNOWN: given up, at a bound or without memory. */
enum lang_answer lang_find(const struct lang_question *q, char ret[LANG_WORD]);
