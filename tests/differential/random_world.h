/* SPDX-License-Identifier: Apache-2.0 */
/* A random policy, as eval reads it and as the bundle says it: for tests that hold one against the other. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "bundle.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define PICK(list) ((list)[pick(ARRAY_SIZE(list))])

struct world {
	struct buf text, bytes;
	struct bundle b;
	struct policy p;
};

static inline unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

/* Another one each time, unless it is said which. */
static inline void world_seed(void)
{
	const char *said = getenv("OSH_SEED");
	unsigned seed = said ? (unsigned)atoi(said) : (unsigned)time(NULL);

	print_message("OSH_SEED=%u\n", seed);
	srandom(seed);
}

/* put() writes a policy that compiles. */
static inline void world_new(struct world *w, void (*put)(struct buf *text))
{
	struct diags d = { 0 };
	struct err e = { 0 };
	struct slice text;

	*w = (struct world){ 0 };
	put(&w->text);
	text = (struct slice){ w->text.p, w->text.n };
	if (policy_compile(text, &d, &w->bytes) < 0 || policy_read(&w->p, text, &d) < 0) {
		diags_print(&d, stderr, "policy", text, false);
		fail_msg("does not compile");
	}
	if (bundle_open_mem(&w->b, w->bytes.p, w->bytes.n, &e) < 0)
		fail_msg("%s\n%.*s", e.text, (int)text.n, text.p);
	diags_done(&d);
}

static inline void world_done(struct world *w)
{
	policy_done(&w->p);
	bundle_done(&w->b);
	buf_done(&w->bytes);
	buf_done(&w->text);
}
