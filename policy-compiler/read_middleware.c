/* SPDX-License-Identifier: Apache-2.0 */
/* network_middlewares: read and checked as OpenShell does, then refused, since osh runs none. */
#include <string.h>

#include "own.h"
#include "schema.h"

#define CONFIGS_MAX 10
#define PATTERNS_MAX 32

struct middleware {
	const struct node *at;
	const char *middleware;
	uint32_t order;
	const struct node *include;
};

static void read_which(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct middleware *)obj)->middleware);
}

static void read_order(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 0, INT32_MAX, &((struct middleware *)obj)->order);
}

static void read_on_error(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "fail_closed", "fail_open", NULL };
	unsigned v;

	(void)obj;
	(void)read_word(r, n, words, &v);
}

static void read_config(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	(void)want_kind(r, n, NODE_MAP);
}

static void read_selectors(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	if (n->n > PATTERNS_MAX)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "too many middleware patterns (%u > %u)", n->n,
			 PATTERNS_MAX);
	for (const struct node *v = n->first; v; v = v->next)
		if (read_text(r, v, &text) && strpbrk(text, "{}"))
			diag_add(r->d, DIAG_PATTERN, v->at, NULL,
				 "braces are not allowed in middleware selectors: %.80s", text);
}

static const struct field selector_fields[] = {
	{ "include", read_selectors, FIELD_KEPT, FIELD_REQUIRED, "[host]", "hosts that it is for" },
	{ "exclude", read_selectors, FIELD_KEPT, 0, "[host]", "but not for these" },
	{ 0 },
};

static void read_endpoints(struct reader *r, const struct node *n, void *obj)
{
	const struct node *include;

	(void)obj;
	if (!read_map(r, n, selector_fields, "middleware endpoints", NULL))
		return;
	include = map_get(n, "include");
	if (include && include->kind == NODE_LIST && !include->n)
		diag_add(r->d, DIAG_MISSING, include->at, NULL,
			 "middleware endpoints include must not be empty");
}

const struct field middleware_fields[] = {
	{ "name", want_text, FIELD_KEPT, 0, "text", "for people" },
	{ "middleware", read_which, FIELD_KEPT, FIELD_REQUIRED, "name", "the service" },
	{ "order", read_order, FIELD_KEPT, 0, "number", "smaller ones come first" },
	{ "config", read_config, FIELD_KEPT, 0, "mapping", "for the service" },
	{ "on_error", read_on_error, FIELD_KEPT, 0, "fail_closed | fail_open", "when it fails" },
	{ "endpoints", read_endpoints, FIELD_KEPT, FIELD_REQUIRED, "{include, exclude}", "where", selector_fields },
	{ 0 },
};

static void check_orders(struct reader *r, const struct middleware *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (m[i].order == m[k].order) {
				diag_add(r->d, DIAG_EXCLUSIVE, m[i].at->key->at, NULL,
					 "middleware configs '%.60s' and '%.60s' use duplicate order %u",
					 m[k].at->key->text, m[i].at->key->text, m[i].order);
				break;
			}
}

void read_middlewares(struct reader *r, const struct node *n, void *obj)
{
	struct middleware m[CONFIGS_MAX];
	uint32_t count = 0;

	(void)obj;
	if (!want_kind(r, n, NODE_MAP))
		return;
	if (n->n > CONFIGS_MAX)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "too many middleware configs (%u > %u)", n->n,
			 CONFIGS_MAX);
	for (const struct node *v = n->first; v; v = v->next) {
		struct middleware one = { .at = v };

		if (!read_map(r, v, middleware_fields, "middleware", &one))
			continue;
		if (count < CONFIGS_MAX)
			m[count++] = one;
	}
	check_orders(r, m, count);
	if (n->n)
		diag_add(r->d, DIAG_UNSUPPORTED, n->key->at, "express what it forbids as deny_rules",
			 "network_middlewares are services beside OpenShell's supervisor; osh runs none, "
			 "so a policy that relies on one is refused");
}
