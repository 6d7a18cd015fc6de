/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers the distinct program lists of a policy: the kernel tests one bit, not a list. */
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "osh/limits.h"

static int by_programs(const void *pa, const void *pb)
{
	const struct rule *a = *(const struct rule *const *)pa, *b = *(const struct rule *const *)pb;
	const struct program *x = a->programs.v, *y = b->programs.v;

	if (a->any_program != b->any_program)
		return a->any_program ? -1 : 1;
	for (uint32_t i = 0; i < a->programs.n && i < b->programs.n; i++) {
		int order = strcmp(x[i].path, y[i].path);

		if (order)
			return order;
	}
	return a->programs.n < b->programs.n ? -1 : a->programs.n > b->programs.n;
}

static int by_path_group(const void *pa, const void *pb)
{
	const struct table_binary *a = pa, *b = pb;
	int order = strcmp(a->path, b->path);

	return order ? order : a->group < b->group ? -1 : a->group > b->group;
}

static bool limit(struct diags *d, struct place at, unsigned max, const char *what)
{
	diag_add(d, DIAG_LIMIT, at, "let rules share their lists of programs",
		 "more than %u %s in one policy", max, what);
	return false;
}

static bool push_group(struct policy *p, struct list *all, const struct rule *rule, uint32_t group)
{
	for EACH (struct program, prog, &rule->programs) {
		struct table_binary *b = list_push(&p->arena, all, sizeof(*b));

		if (!b)
			return false;
		*b = (struct table_binary){ prog->path, group, prog->glob };
	}
	return true;
}

static bool count_globs(const struct tables *t, struct diags *d)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < t->n_binaries; i++)
		if (t->binaries[i].glob &&
		    (!i || strcmp(t->binaries[i].path, t->binaries[i - 1].path)))
			n++;
	return n <= OSH_GLOBS ||
	       limit(d, (struct place){ 0 }, OSH_GLOBS, "distinct program patterns");
}

bool merge_groups(struct policy *p, struct tables *t, struct diags *d, uint32_t *group)
{
	const struct rule *rules = p->rules.v;
	const struct rule **order = arena_zalloc(&p->arena, (p->rules.n + 1) * sizeof(*order));
	struct list all = { 0 };
	uint32_t last = 0;

	if (!order)
		return false;
	for (uint32_t i = 0; i < p->rules.n; i++)
		order[i] = &rules[i];
	if (p->rules.n)
		qsort(order, p->rules.n, sizeof(*order), by_programs);
	for (uint32_t i = 0; i < p->rules.n; i++) {
		if (!order[i]->any_program && (!i || by_programs(&order[i - 1], &order[i]))) {
			if (++last >= OSH_GROUPS)
				return limit(d, order[i]->at, OSH_GROUPS - 1, "lists of programs");
			if (!push_group(p, &all, order[i], last))
				return false;
		}
		group[order[i] - rules] = order[i]->any_program ? 0 : last;
		if (all.n > OSH_BINARIES_MAX)
			return limit(d, order[i]->at, OSH_BINARIES_MAX, "programs");
	}
	t->n_groups = last + 1;
	t->binaries = all.v;
	t->n_binaries = all.n;
	if (all.n)
		qsort(all.v, all.n, sizeof(*t->binaries), by_path_group);
	return count_globs(t, d);
}
