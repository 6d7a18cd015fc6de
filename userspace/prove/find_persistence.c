/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox may write and a program outside will run: it outlives the sandbox, and its rules. */
#include <string.h>

#include "find.h"
#include "own.h"

struct lure {
	const char *who, *glob;
};

static const struct lure lures[] = {
#define LURE(who, glob) { who, glob },
#include "lures.def"
#undef LURE
};

static bool matches(struct prover *pr, const char *glob, Z3_ast *ret)
{
	struct list alts = { 0 };
	const char *workdir = pr->s->workdir;

	if (*glob != '/' && (!workdir || strpbrk(workdir, "*?[]{}\\")))
		return false;
	if (*glob != '/')
		glob = arena_printf(pr->a, "%s/%s", strcmp(workdir, "/") ? workdir : "", glob);
	if (!glob || braces_expand(pr->a, glob, &alts) != PATTERN_OK)
		return false;
	*ret = dim_list(&pr->s->file, &alts, '/', false);
	return true;
}

static bool confirmed(struct prover *pr, const struct witness *w)
{
	if (witness_reads(pr->s, w) &&
	    eval_file(pr->s->p, w->file, pr->s->workdir, w->reader, true).verdict == OSH_ALLOW)
		return true;
	find_unknown(pr, "the model and eval disagree about writing a file: this is a bug of osh");
	return false;
}

void find_persistence(struct prover *pr)
{
	struct sym *s = pr->s;
	Z3_ast writes = z_and(&s->z, s->reads, sym_file(s, &s->file, &s->reader, true));

	for (size_t i = 0; i < ARRAY_SIZE(lures) && !s->no_files; i++) {
		Z3_ast facts[2] = { writes, NULL };
		struct finding *f;
		struct witness w;

		if (!matches(pr, lures[i].glob, &facts[1]) || find_ask(pr, facts, 2, &w) != ANSWER_YES ||
		    !confirmed(pr, &w))
			continue;
		f = list_push(pr->a, &pr->found, sizeof(*f));
		if (!f)
			continue;
		*f = (struct finding){ .category = "persistence", .where = arena_printf(pr->a, "%s", w.file),
				       .program = arena_printf(pr->a, "%s", w.reader) };
		f->line = eval_file(s->p, w.file, s->workdir, w.reader, true).line;
		f->says = arena_printf(pr->a, "it may be written, and is run by %s", lures[i].who);
		find_request(pr, f, arena_printf(pr->a, "open %s write", w.file), f->program);
	}
}
