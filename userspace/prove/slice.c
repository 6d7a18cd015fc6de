/* SPDX-License-Identifier: Apache-2.0 */
#include "slice.h"

#include <string.h>

#include "host.h"

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static struct pattern as_pattern(struct arena *a, const struct host *h)
{
	struct pattern p = { 0 };
	const char *text = h->kind == HOST_ONE	  ? arena_printf(a, "*%s", h->text)
			   : h->kind == HOST_DEEP ? arena_printf(a, "**%s", h->text)
						  : h->text;

	if (h->kind == HOST_GLOB)
		return h->glob;
	if (text)
		(void)pattern_parse(a, text, &p);
	return p;
}

/* Rather yes than no: what is taken together needlessly costs time alone. */
static bool may_meet(struct arena *a, const struct host *x, const struct host *y)
{
	struct pattern p, q;

	if (x->kind == HOST_ANY || y->kind == HOST_ANY)
		return true;
	if (x->kind == HOST_NET || y->kind == HOST_NET)
		return x->kind == y->kind && net_overlaps(&x->net, &y->net);
	if (x->kind == HOST_NAME && y->kind == HOST_NAME)
		return !strcmp(x->text, y->text);
	if (x->kind != HOST_GLOB && y->kind != HOST_GLOB)
		return ends_with(x->text, y->text) || ends_with(y->text, x->text);
	p = as_pattern(a, x);
	q = as_pattern(a, y);
	return pattern_overlaps(&p, &q);
}

static uint32_t root(uint32_t *of, uint32_t i)
{
	while (of[i] != i)
		i = of[i] = of[of[i]];
	return i;
}

static bool add_hosts(struct arena *a, const struct policy *p, struct list *ret)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			const struct host **slot = list_push(a, ret, sizeof(*slot));

			if (!slot)
				return false;
			*slot = &e->host;
		}
	return true;
}

bool slice_policy(struct arena *a, const struct policy *p, const struct policy *base, struct slices *ret)
{
	struct list hosts = { 0 };
	const struct host **v;
	uint32_t *number;

	*ret = (struct slices){ 0 };
	if (!add_hosts(a, p, &hosts))
		return false;
	ret->endpoints = hosts.n;
	if (base && !add_hosts(a, base, &hosts))
		return false;
	v = hosts.v;
	ret->of = arena_zalloc(a, (hosts.n + 1) * sizeof(*ret->of));
	number = arena_zalloc(a, (hosts.n + 1) * sizeof(*number));
	if (!ret->of || !number)
		return false;
	for (uint32_t i = 0; i < hosts.n; i++) {
		ret->of[i] = i;
		for (uint32_t k = 0; k < i; k++)
			if (may_meet(a, v[i], v[k]))
				ret->of[root(ret->of, i)] = root(ret->of, k);
	}
	for (uint32_t i = 0; i < hosts.n; i++)
		if (root(ret->of, i) == i)
			number[i] = ret->n++;
	for (uint32_t i = 0; i < hosts.n; i++)
		v[i] = (const void *)(uintptr_t)number[root(ret->of, i)];
	for (uint32_t i = 0; i < hosts.n; i++)
		ret->of[i] = (uint32_t)(uintptr_t)v[i];
	return true;
}
