/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers the distinct program lists of a policy: the kernel tests one bit, not a list. */
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "osh/limits.h"

static int compare(const struct list *a, const struct list *b)
{
	const struct program *x = a->v, *y = b->v;

	for (uint32_t i = 0; i < a->n && i < b->n; i++) {
		int order = strcmp(x[i].path, y[i].path);

		if (order)
			return order;
	}
	return a->n < b->n ? -1 : a->n > b->n;
}

static int by_programs(const void *pa, const void *pb)
{
	const struct rule *a = *(const struct rule *const *)pa, *b = *(const struct rule *const *)pb;

	if (a->any_program != b->any_program)
		return a->any_program ? -1 : 1;
	return compare(&a->programs, &b->programs);
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

static bool push_group(struct policy *p, struct list *all, const struct list *programs, uint32_t group)
{
	for EACH (struct program, prog, programs) {
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

/*
 * Those of files come first: they are fixed for a sandbox's life, and so is what they are numbered by, whatever rules
 * a next policy has.
 */
static bool file_groups(struct policy *p, struct list *all, uint32_t *last, struct diags *d)
{
	struct fs_entry *fs = p->fs.v;

	for (uint32_t i = 0; i < p->fs.n; i++) {
		for (uint32_t k = 0; k < i && fs[i].programs.n && !fs[i].group; k++)
			if (fs[k].group && !compare(&fs[k].programs, &fs[i].programs))
				fs[i].group = fs[k].group;
		if (!fs[i].programs.n || fs[i].group)
			continue;
		if (*last + 1 >= OSH_GROUPS)
			return limit(d, fs[i].at, OSH_GROUPS - 1, "lists of programs");
		fs[i].group = ++*last;
		if (!push_group(p, all, &fs[i].programs, *last))
			return false;
	}
	return true;
}

bool merge_groups(struct policy *p, struct tables *t, struct diags *d, uint32_t *group)
{
	const struct rule *rules = p->rules.v;
	const struct rule **order = arena_zalloc(&p->arena, (p->rules.n + 1) * sizeof(*order));
	struct list all = { 0 };
	uint32_t last = 0;

	if (!order || !file_groups(p, &all, &last, d))
		return false;
	for (uint32_t i = 0; i < p->rules.n; i++)
		order[i] = &rules[i];
	if (p->rules.n)
		qsort(order, p->rules.n, sizeof(*order), by_programs);
	for (uint32_t i = 0; i < p->rules.n; i++) {
		if (!order[i]->any_program && (!i || by_programs(&order[i - 1], &order[i]))) {
			if (++last >= OSH_GROUPS)
				return limit(d, order[i]->at, OSH_GROUPS - 1, "lists of programs");
			if (!push_group(p, &all, &order[i]->programs, last))
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
