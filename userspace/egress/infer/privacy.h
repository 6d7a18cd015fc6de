/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call says to a model, against the policy's rules about content. privacy_text.c reads the strings of a body as every
 * reader would, privacy_find.c looks for what a rule looks for. Linear in the text, whatever it says. Shares no matching code with
 * policy-compiler/eval_privacy.c, which is what it is tested against.
 */
#pragma once

#include "buf.h"
#include "bundle.h"
#include "osh/inference.h"
#include "slice.h"

struct privacy {
	uint64_t found[OSH_PRIVACY_RULES];	/* how often, by rule */
	uint32_t stops;			/* bit i: the rule was met where it refuses the call */
	uint32_t changes;		/* bit i: ... where it has something replaced */
	uint32_t deep;			/* bit i: ... in escapes or colours of a text, where nothing is replaced */
	uint64_t spans;			/* how often that; beyond OSH_PRIVACY_SPANS nothing is */
	bool local;			/* one was met that leaves it local routes alone */
};

enum privacy_read { PRIVACY_READ, PRIVACY_UNCLEAR, PRIVACY_NO_MEMORY };

/*
 * Of one strict JSON object (top_is_object()); UNCLEAR where a string is no UTF-8. In keys, and in the string that begins at
 * `fixed`, nothing can be replaced: a rule that wants it refuses.
 */
enum privacy_read privacy_look(const struct bundle *b, struct slice json, size_t fixed, struct privacy *ret);

/* Of what goes on beside the body; `percent`: with escapes of a URL, which are looked through. */
enum privacy_read privacy_look_text(const struct bundle *b, struct slice text, bool percent, struct privacy *ret);

/* The object with what is found replaced, appended to *to; *at, an offset in it, moves along. False: no memory, or its limit. */
bool privacy_redact(const struct bundle *b, struct slice json, size_t fixed, size_t *at, struct buf *to);

/* ---- privacy_find.c */

struct privacy_span {
	size_t from, to;		/* of the text as it is looked at */
	uint32_t rule;
};

struct privacy_spans {
	struct privacy_span *v;
	size_t n, cap;
	bool bad;			/* no memory, or more than OSH_PRIVACY_SPANS */
};

/* What a rule has been made into. */
struct privacy_shape {
	const char *pattern;
	size_t least;
	unsigned flags;			/* OSH_TOKEN_*, SHAPE_ANY_CASE */
	const char *until;
};

struct privacy_rule {
	struct privacy_shape shapes[OSH_PRIVACY_SHAPES];
	uint64_t first[256];		/* bit i: shapes[i] may begin with that byte */
	uint32_t n;
	bool email;
};

void privacy_prepare(const struct bundle *b, uint32_t rule, struct privacy_rule *ret);

/* How often, from left to right, none in another. Each goes into *to where that is not NULL. */
uint64_t privacy_find(const struct privacy_rule *r, uint32_t rule, struct slice text, struct privacy_spans *to);
