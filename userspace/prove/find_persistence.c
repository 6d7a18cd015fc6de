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

/* Its alternatives, of which those without a leading slash lie below the working directory. */
static bool alternatives(struct prover *pr, const char *glob, struct list *ret)
{
	const char *workdir = pr->s->workdir;

	if (*glob != '/' && (!workdir || strpbrk(workdir, "*?[]{}\\")))
		return false;
	if (*glob != '/')
		glob = arena_printf(pr->a, "%s/%s", strcmp(workdir, "/") ? workdir : "", glob);
	return glob && braces_expand(pr->a, glob, ret) == PATTERN_OK;
}

static bool confirmed(struct prover *pr, const struct witness *w)
{
	if (witness_reads(pr->s, w) &&
	    eval_file(pr->s->p, w->file, pr->s->workdir, w->reader, true).verdict == OSH_ALLOW)
		return true;
	find_unknown(pr, "the model and eval disagree about writing a file: this is a bug of osh");
	return false;
}

/* The first alternative that may be written stands for its row: a name that stays the same, for --accept. */
static void writes_one(struct prover *pr, const struct lure *lure)
{
	struct sym *s = pr->s;
	struct list alts = { 0 };
	struct finding *f;
	struct witness w;

	if (!alternatives(pr, lure->glob, &alts))
		return;
	for EACH (text_of, glob, &alts) {
		const Z3_ast facts[] = { s->writes, dim_glob(s->file, *glob, '/') };

		if (find_ask(pr, facts, 2, &w) != ANSWER_YES || !confirmed(pr, &w))
			continue;
		f = list_push(pr->a, &pr->found, sizeof(*f));
		if (!f)
			return;
		*f = (struct finding){ .category = "persistence", .where = *glob,
				       .program = arena_printf(pr->a, "%s", w.reader) };
		f->line = eval_file(s->p, w.file, s->workdir, w.reader, true).line;
		f->says = arena_printf(pr->a, "may be written, and is run by %s", lure->who);
		find_request(pr, f, arena_printf(pr->a, "open %s write", find_word(pr, w.file)), f->program);
		return;
	}
}

void find_persistence(struct prover *pr)
{
	for (size_t i = 0; i < ARRAY_SIZE(lures) && !pr->s->no_files; i++)
		writes_one(pr, &lures[i]);
}
