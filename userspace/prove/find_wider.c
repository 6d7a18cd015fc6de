/* SPDX-License-Identifier: Apache-2.0 */
/* --base: files, programs and settings that this policy gives and the other one does not. */
#include <string.h>

#include "find.h"

/* A section that is not there is missed at the first line. */
static uint32_t line_of(struct place at)
{
	return at.line ? at.line : 1;
}

static void add(struct prover *pr, const char *where, const char *program, const char *says,
		const char *request, uint32_t line)
{
	struct finding *f = list_push(pr->a, &pr->found, sizeof(*f));

	if (!f) {
		find_unknown(pr, "out of memory");
		return;
	}
	*f = (struct finding){ .category = "capability_expansion",
			       .where = arena_printf(pr->a, "%s", where),
			       .says = says,
			       .line = line };
	f->program = program ? arena_printf(pr->a, "%s", program) : NULL;
	find_request(pr, f, request, f->program);
}

static bool may(struct sym *s, const struct witness *w, bool write)
{
	return witness_reads(s, w) &&
	       (!write || s->no_files ||
		eval_file(s->p, w->file, s->workdir, w->reader, true).verdict == OSH_ALLOW);
}

/*
 * Below one entry, by one way of access: the entry's own line says where to look. A program that
 * ran before, or a new one, at what not everybody could have before.
 */
static void files(struct prover *pr, Z3_ast below, bool write, uint32_t line)
{
	struct sym *s = pr->s, *b = s->base;
	const Z3_ast may_now = write ? s->writes : s->reads, could = write ? b->writes : b->reads;
	const Z3_ast old[] = { may_now, z_not(&s->z, could), below, sym_exec(b, s->reader) };
	const Z3_ast new[] = { may_now, z_not(&s->z, could), below,
			       b->no_files ? z_false(&s->z)
					   : z_not(&s->z, sym_file(b, s->file, NULL, write)) };
	struct witness w;

	if (find_ask(pr, old, 4, &w) != ANSWER_YES && find_ask(pr, new, 4, &w) != ANSWER_YES)
		return;
	if (!may(s, &w, write) || may(b, &w, write)) {
		find_unknown(pr, "the model and eval disagree about a file: this is a bug of osh");
		return;
	}
	add(pr, w.file, w.reader, write ? "newly written" : "newly read",
	    arena_printf(pr->a, "open %s %s", find_word(pr, w.file), write ? "write" : "read"), line);
}

static void all_files(struct prover *pr)
{
	struct sym *s = pr->s;

	for EACH (struct fs_entry, f, &s->p->fs) {
		if (f->mode == OSH_FS_DENY)
			continue;
		files(pr, sym_below(s, s->file, f->path), false, f->at.line);
		if (f->mode == OSH_FS_RW)
			files(pr, sym_below(s, s->file, f->path), true, f->at.line);
	}
	if (s->p->include_workdir && s->workdir) {
		files(pr, sym_below(s, s->file, s->workdir), false, line_of(s->p->fs_at));
		files(pr, sym_below(s, s->file, s->workdir), true, line_of(s->p->fs_at));
	}
	if (s->no_files)
		files(pr, z_true(&s->z), true, 1);
}

static void programs(struct prover *pr)
{
	struct sym *s = pr->s;
	Z3_ast runs =
	    z_and(&s->z, sym_exec(s, s->reader), z_not(&s->z, sym_exec(s->base, s->reader)));
	struct witness w;

	if (find_ask(pr, &runs, 1, &w) != ANSWER_YES)
		return;
	if (!witness_runs(s, w.reader) || witness_runs(s->base, w.reader)) {
		find_unknown(pr,
			     "the model and eval disagree about a program: this is a bug of osh");
		return;
	}
	add(pr, w.reader, NULL, "newly executed", arena_printf(pr->a, "exec %s", find_word(pr, w.reader)),
	    line_of(s->p->exec.at));
}

static bool has_env(const struct policy *p, const char *name)
{
	for EACH (struct env_entry, e, &p->env)
		if (e->kind == OSH_ENV_PASS && !strcmp(e->text, name))
			return true;
	return false;
}

static void environment(struct prover *pr)
{
	for EACH (struct env_entry, e, &pr->s->p->env)
		if (e->kind == OSH_ENV_PASS && !has_env(pr->s->base->p, e->text))
			add(pr, arena_printf(pr->a, "$%s", e->text), NULL,
			    "a variable of the caller that is newly passed", NULL, 1);
}

/* 0 is no limit of the policy's own: what every sandbox gets. */
static void limits(struct prover *pr)
{
	static const char *const keys[] = {
#define RESOURCE(id, key, kind, least, most, text) [OSH_RES_##id] = key,
#include "osh/resources.def"
#undef RESOURCE
	};
	const struct resources *new = &pr->s->p->resources, *old = &pr->s->base->p->resources;

	for (unsigned i = 0; i < OSH_RESOURCES; i++)
		if (old->amount[i] && (!new->amount[i] || new->amount[i] > old->amount[i]))
			add(pr, arena_printf(pr->a, "resources.%s", keys[i]), NULL,
			    "a limit that is newly wider", NULL, line_of(new->at));
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool keeps(const struct inference *new, const struct budget *old)
{
	for EACH (struct budget, l, &new->limits)
		if (l->what == old->what && l->per == old->per && l->user == old->user &&
		    same_text(l->route, old->route) && l->most <= old->most)
			return true;
	return false;
}

static bool same_prices(const struct inference *a, const struct inference *b)
{
	const struct price *x = a->prices.v, *y = b->prices.v;

	for (uint32_t i = 0; i < a->prices.n && i < b->prices.n; i++) {
		const struct pattern *m = x[i].models.v, *n = y[i].models.v;

		if (memcmp(x[i].part, y[i].part, sizeof(x[i].part)) != 0 || x[i].models.n != y[i].models.n)
			return false;
		for (uint32_t k = 0; k < x[i].models.n; k++)
			if (strcmp(m[k].text, n[k].text) != 0)
				return false;
	}
	return a->prices.n == b->prices.n;
}

/* Of calls of models. A dearer model makes a limit of money narrower; which one is asked for nobody knows. */
static void budgets(struct prover *pr)
{
	const struct inference *new = &pr->s->p->inference, *old = &pr->s->base->p->inference;
	bool wider = false, money = false;

	for EACH (struct budget, l, &old->limits) {
		wider |= !keeps(new, l);
		money |= l->what == OSH_COUNT_MONEY;
	}
	if (wider && new->routes.n)
		add(pr, "inference.limits", NULL, "a limit of calls of models that is newly wider", NULL,
		    line_of(new->at));
	if (money && new->routes.n && !same_prices(new, old))
		add(pr, "inference.prices", NULL,
		    "tokens cost something else: a limit of money may be newly wider", NULL, line_of(new->at));
}

static bool has_pattern(const struct content_rule *rule, const char *text)
{
	for EACH (struct pattern, p, &rule->patterns)
		if (!strcmp(p->text, text))
			return true;
	return false;
}

/* Does the new one look for all that the old one does, and do no less about it? */
static bool holds_back(const struct content_rule *new, const struct content_rule *old)
{
	if ((new->action != old->action && new->action != OSH_PRIVATE_REFUSE) || (old->kinds & ~new->kinds))
		return false;
	for EACH (struct pattern, p, &old->patterns)
		if (!has_pattern(new, p->text))
			return false;
	return true;
}

static bool was_local(const struct inference *old, const char *name)
{
	for EACH (struct route, r, &old->routes)
		if (!strcmp(r->name, name))
			return r->local;
	return false;
}

/* What is said to models. Rules are compared as they are written. */
static void private(struct prover *pr)
{
	const struct inference *new = &pr->s->p->inference, *old = &pr->s->base->p->inference;

	if (old->local_only && !new->local_only)
		add(pr, "inference.local_only", NULL, "what is said may newly leave the machine", NULL, line_of(new->at));
	for EACH (struct route, r, &new->routes)
		if (!r->local && was_local(old, r->name))
			add(pr, "inference.routes.local", NULL, arena_printf(pr->a, "route '%s' may newly lead to another machine", r->name), NULL,
			    line_of(r->at));
	for EACH (struct content_rule, was, &old->privacy) {
		bool kept = false;

		for EACH (struct content_rule, is, &new->privacy)
			kept |= holds_back(is, was);
		if (!kept && new->routes.n)
			add(pr, "inference.privacy", NULL,
			    arena_printf(pr->a, "what the rule '%s' keeps from models may newly be said to them", was->name), NULL,
			    line_of(new->at));
	}
}

/* Whose routes come in. A pattern that is as it was, or below "*", lets in nobody more. */
static bool came_in(const struct policy *old, uint32_t port, const char *to)
{
	for EACH (struct serve, s, &old->serves)
		for EACH (text_of, was, &s->to)
			if (s->port == port && (!strcmp(*was, to) || !strcmp(*was, "*")))
				return true;
	return !strpbrk(to, "*?") && eval_serves(old, port, to).verdict == OSH_ALLOW;
}

/* A name that the pattern lets in, and the old policy does not. */
static const char *comer(struct prover *pr, const struct policy *old, uint32_t port, const char *to)
{
	for (const char *fill = "xyz0"; *fill; fill++) {
		char *name = (char *)arena_printf(pr->a, "%s", to);

		for (char *c = name; c && *c; c++)
			*c = *c == '*' || *c == '?' ? *fill : *c;
		if (name && eval_serves(old, port, name).verdict != OSH_ALLOW)
			return arena_printf(pr->a, "serve %u %s", port, name);
	}
	return NULL;
}

static void comers(struct prover *pr)
{
	const struct policy *new = pr->s->p, *old = pr->s->base->p;

	for EACH (struct serve, s, &new->serves)
		for EACH (text_of, to, &s->to)
			if (!came_in(old, s->port, *to))
				add(pr, "serve", NULL, arena_printf(pr->a, "routes of '%s' may newly come to port %u", *to, s->port),
				    comer(pr, old, s->port, *to), line_of(s->at));
}

static bool has_device(const struct gpu *g, const char *name)
{
	for EACH (text_of, d, &g->devices)
		if (!strcmp(*d, name) || !strcmp(*d, "all"))
			return true;
	return false;
}

static void devices(struct prover *pr)
{
	const struct gpu *new = &pr->s->p->gpu, *old = &pr->s->base->p->gpu;
	bool wider = new->count > old->count ||
		     (new->share && !old->share && (old->count || old->devices.n));

	for EACH (text_of, d, &new->devices)
		wider |= !has_device(old, *d);
	if (wider)
		add(pr, "gpu", NULL, "devices that are newly given", NULL, line_of(new->at));
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->kind == b->kind && a->id == b->id;
}

static void settings(struct prover *pr)
{
	const struct policy *new = pr->s->p, *old = pr->s->base->p;

	if (!same_identity(&new->user, &old->user))
		add(pr, "process.run_as_user", NULL, "programs run as another user", NULL, 1);
	if (!same_identity(&new->group, &old->group))
		add(pr, "process.run_as_group", NULL, "programs run with another group", NULL, 1);
	if (new->compat == OSH_COMPAT_BEST_EFFORT && old->compat == OSH_COMPAT_HARD)
		add(pr, "landlock.compatibility", NULL,
		    "what a kernel lacks is no reason to refuse any more", NULL, 1);
	if (new->wildcard_names > old->wildcard_names)
		add(pr, "dns.wildcard_names", NULL, "more names under wildcards can be made up",
		    NULL, 1);
}

void find_wider(struct prover *pr)
{
	all_files(pr);
	programs(pr);
	environment(pr);
	limits(pr);
	budgets(pr);
	private(pr);
	devices(pr);
	comers(pr);
	settings(pr);
}
