/* SPDX-License-Identifier: Apache-2.0 */
/* What the candidates of flip.c have in common. Nothing outside of flip*.c includes this. */
#pragma once

#include "flip.h"

#define FLIP_SNIPPETS 32

struct work {
	struct arena *a;
	const struct ask *q;
	struct policy now;		/* the copy; candidates write here */
	struct decision d;		/* of `now` */
	struct change c;		/* what the candidate did */
	struct policy snippets[FLIP_SNIPPETS];	/* memory that `now` points into */
	uint32_t n_snippets;
};

/* A candidate: false = it does not apply, and `now` is thrown away. */
typedef bool edit_fn(struct work *w);

/* flip_request.c: what is asked inside a connection */
edit_fn flip_drop_denial, flip_add_allow, flip_add_request, flip_add_denial;
edit_fn flip_more_access, flip_less_access;
/* `what` under the endpoint, which stands for itself by its host. */
const char *flip_endpoint_yaml(struct work *w, const struct rule *rule, const struct endpoint *e,
			       const char *what);
const char *flip_rule_yaml(struct arena *a, const struct l7_rule *rule);	/* flip_yaml.c */
edit_fn flip_add_address, flip_drop_address;		/* flip_addr.c */
edit_fn flip_add_served, flip_drop_served;		/* flip_serve.c */

/* flip_edits.c */
bool flip_short(const struct rule *rule);	/* of the short form */
/* `what` under the rule's key, lines after the first already indented. */
const char *flip_below(struct work *w, const struct rule *rule, const char *what);

extern edit_fn *const flip_allow[];	/* end in NULL */
extern edit_fn *const flip_deny[];
extern edit_fn *const flip_obstacle[];		/* of flip_allow, those that may help although more is in the way */

struct rule *flip_rule(struct work *w);			/* the one that w->d names, or NULL */
struct endpoint *flip_endpoint(struct work *w, struct rule *rule);
bool flip_copy(struct arena *a, struct list *l, size_t size);	/* its own, growable array */
void flip_drop(struct list *l, size_t size, const void *one);

/* Text that YAML reads as this very string. NULL = no memory. */
const char *flip_quote(struct arena *a, const char *text);
const char *flip_host(struct arena *a, const struct host *h);	/* as a policy writes it */

/* Reads `yaml` as a policy of its own. NULL: it is wrong, or asks for what osh cannot keep. */
const struct policy *flip_read(struct work *w, const char *yaml);
