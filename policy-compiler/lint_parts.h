/* SPDX-License-Identifier: Apache-2.0 */
/* What the lints share. Nothing outside of lint*.c includes this. */
#pragma once

#include "lint.h"

struct ref {				/* an endpoint and its rule */
	const struct rule *rule;
	const struct endpoint *e;
	bool told;			/* of OSH217: once an endpoint is enough */
};

struct lint {
	struct policy *p;
	struct diags *d;
	struct ref *refs;		/* sorted by text of the host, then place */
	uint32_t n_refs;
	uint32_t pairs;			/* looked at so far */
};

/* Lints, a row of lint.c each. */
void lint_segments(struct lint *l);	/* lint_path.c */
void lint_dots(struct lint *l);
void lint_rules(struct lint *l);	/* lint_cover.c */
void lint_endpoints(struct lint *l);
void lint_channels(struct lint *l);	/* lint_host.c */
void lint_broad(struct lint *l);
void lint_interpreters(struct lint *l);	/* lint_program.c */
void lint_writable(struct lint *l);

/* lint.c: false when the budget of comparisons is spent; the rest stays unsaid. */
bool lint_look(struct lint *l);
/* Calls fn(self, other) for every other endpoint whose host holds that of `self`. */
void lint_wider(struct lint *l, struct ref *self,
		void (*fn)(struct lint *l, struct ref *self, struct ref *other));

/* lint_hold.c: does `a` hold all that `b` means? Careful: "no" when it cannot be told. */
bool host_holds(const struct host *a, const struct host *b);
bool ports_hold(const struct endpoint *a, const struct endpoint *b);
bool ports_meet(const struct endpoint *a, const struct endpoint *b);
bool pattern_holds(const struct pattern *a, const struct pattern *b, char sep);
bool glob_holds(const char *a, const char *b, char sep);
bool programs_hold(const struct rule *a, const struct rule *b);
bool l7_rule_holds(const struct l7_rule *a, const struct l7_rule *b);
bool lone_star(const char *text);	/* a `*` that is not part of `**` */
