/* SPDX-License-Identifier: Apache-2.0 */
/* What diff*.c have in common. */
#pragma once

#include "diff.h"
#include "eval.h"
#include "sample.h"

struct compare {
	const struct policy *p[2];	/* old, new */
	struct diff *d;
	const char *workdir;
	uint64_t budget, cost;		/* endpoints and entries looked at, in all and a question */
	struct words hosts, programs, addrs, files, seen;
};

enum { BY_OLD = 1, BY_NEW = 2, BY_BOTH = 3 };	/* who allows */

/*
 * Asks both and keeps the difference. `group`: differences that share it are one, counted. 0 also
 * where the question could not be asked.
 */
unsigned diff_ask(struct compare *c, const char *group, const char *request);

/* The same for the program `binary`, where the request's own text names none. */
unsigned diff_ask_as(struct compare *c, const char *group, const char *request, const char *binary);

/* Text as one word of a request; NULL = cannot be written as one. */
const char *diff_word(struct compare *c, const char *text);
bool diff_covers(const struct endpoint *e, const struct eval_connect *what);	/* host and port alone */

void diff_requests(struct compare *c, const struct eval_connect *at);	/* diff_inside.c */
void diff_settings(struct compare *c);					/* diff_settings.c */
