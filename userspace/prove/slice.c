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

/* The bits of those whose hosts meet this one's, itself among them. */
static uint64_t *meets(struct arena *a, const struct list *hosts, uint32_t i)
{
	const struct host *const *v = hosts->v;
	uint64_t *bits = arena_zalloc(a, (hosts->n / 64 + 1) * sizeof(*bits));

	for (uint32_t k = 0; bits && k < hosts->n; k++)
		if (k == i || may_meet(a, v[i], v[k]))
			bits[k / 64] |= 1ull << (k % 64);
	return bits;
}

static uint64_t hash_of(const uint64_t *bits, uint32_t words)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < words; i++)
		h = (h ^ bits[i]) * 0xff51afd7ed558ccdull, h ^= h >> 29;
	return h;
}

bool slice_policy(struct arena *a, const struct policy *p, const struct policy *base, struct slices *ret)
{
	struct list hosts = { 0 };
	uint64_t *hashes;
	uint32_t words;

	*ret = (struct slices){ 0 };
	if (!add_hosts(a, p, &hosts))
		return false;
	ret->endpoints = hosts.n;
	if (base && !add_hosts(a, base, &hosts))
		return false;
	ret->all = hosts.n;
	words = hosts.n / 64 + 1;
	ret->of = arena_zalloc(a, (hosts.n + 1) * sizeof(*ret->of));
	ret->has = arena_zalloc(a, (hosts.n + 1) * sizeof(*ret->has));
	hashes = arena_zalloc(a, (hosts.n + 1) * sizeof(*hashes));
	if (!ret->of || !ret->has || !hashes)
		return false;
	for (uint32_t i = 0; i < ret->endpoints; i++) {
		uint64_t *bits = meets(a, &hosts, i), hash;
		uint32_t at = 0;

		if (!bits)
			return false;
		hash = hash_of(bits, words);
		while (at < ret->n && (hashes[at] != hash || memcmp(ret->has[at], bits, words * sizeof(*bits))))
			at++;
		ret->of[i] = at;
		if (at < ret->n)
			continue;
		hashes[at] = hash;
		ret->has[at] = bits;
		ret->n++;
	}
	return true;
}
