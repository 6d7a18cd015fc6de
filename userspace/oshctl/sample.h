/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that stand for what the patterns of a policy cover. */
#pragma once

#include "model.h"

struct words {				/* no repeats, up to WORDS_MAX */
	const char **v;
	uint32_t n, cap;
	bool full;
};

typedef const char *text_t;	/* for EACH, which wants one word */

#define WORDS_MAX 65536

/* Adds a text; NULL and repeats are left away. */
void words_add(struct arena *a, struct words *w, const char *text);
bool words_has(const struct words *w, const char *text);

/* One text that matches, with `fill` for what may be anything; NULL = none was found. */
const char *sample_glob(struct arena *a, const char *glob, const char *fill);
void sample_pattern(struct arena *a, const struct pattern *p, char sep, struct words *ret);
void sample_host(struct arena *a, const struct host *h, struct words *ret);
void sample_net(struct arena *a, const struct net *n, struct words *ret);
void sample_programs(struct arena *a, const struct list *programs, struct words *ret);
