/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be read in one sandbox, handed on and sent by another one. Who reads, who writes and who sends are asked one
 * by one: within a sandbox programs hand each other what they have. From one to the next it goes by a volume, all of which
 * its sandboxes may use, or by a file of the host that both policies list.
 */
#include <string.h>

#include "flow_parts.h"
#include "own.h"

struct leak {				/* something secret that the first one reads, or is answered */
	const char *what, *file, *reader;
	const struct list *requests;	/* struct asked: that are answered, or NULL */
	uint32_t n;
};

/* ---- files that two sandboxes see --------------------------------------------------------- */

static Z3_ast below_any(struct sym *s, const char *const *paths, size_t n)
{
	struct terms any = { .z = &s->z };

	for (size_t i = 0; i < n; i++)
		terms_add(&any, sym_below(s, s->file, paths[i]));
	return terms_or(&any);
}

static bool lies_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	return !strncmp(path, root, n) && path[n] == '/';
}

/* A sandbox has a /tmp, a home and a /dev of its own, but for what the policy lists below them; and its own
 * processes. Of devices these keep nothing that is written to them. */
static Z3_ast is_hosts(struct sym *s)
{
	static const char *const own[] = { "/tmp", "/sandbox", "/dev" };
	static const char *const never[] = { "/proc", "/sys", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom" };
	struct terms listed = { .z = &s->z };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		for EACH (struct fs_entry, f, &s->p->fs)
			if (f->mode != OSH_FS_DENY && lies_below(f->path, own[i]))
				terms_add(&listed, sym_below(s, s->file, f->path));
		if (s->p->include_workdir && s->workdir && lies_below(s->workdir, own[i]))
			terms_add(&listed, sym_below(s, s->file, s->workdir));
	}
	return z_and(&s->z, z_not(&s->z, below_any(s, never, ARRAY_SIZE(never))),
		     z_or(&s->z, terms_or(&listed), z_not(&s->z, below_any(s, own, ARRAY_SIZE(own)))));
}

/* What is listed by its name is a directory, more often than not. */
static void add_listed(struct sym *s, struct terms *to)
{
	for EACH (struct fs_entry, f, &s->p->fs)
		if (f->mode != OSH_FS_DENY)
			terms_add(to, dim_word(s->file, f->path));
	if (s->workdir)
		terms_add(to, dim_word(s->file, s->workdir));
}

static bool may(struct sym *s, const char *file, const char *program, bool write)
{
	return witness_runs(s, program) &&
	       (s->no_files || eval_file(s->p, file, s->workdir, program, write).verdict == OSH_ALLOW);
}

/* The first writes it by `reader`; the other one, `base`, reads it by `program`. */
static void by_file(struct prover *pr, struct hop *ret)
{
	struct sym *s = pr->s, *other = s->base;
	struct terms listed = { .z = &s->z };
	Z3_ast facts[] = {
		s->writes, sym_exec(other, s->program),
		other->no_files ? z_true(&s->z) : sym_file(other, s->file, s->program, false),
		is_hosts(s), is_hosts(other), NULL,
	};
	struct witness w;

	add_listed(s, &listed);
	add_listed(other, &listed);
	facts[5] = z_not(&s->z, terms_or(&listed));
	if (find_ask(pr, facts, 6, &w) != ANSWER_YES && find_ask(pr, facts, 5, &w) != ANSWER_YES)
		return;
	if (!may(s, w.file, w.reader, true) || !may(other, w.file, w.program, false)) {
		find_unknown(pr, "the model and eval disagree about a file of two sandboxes: this is a bug of osh");
		return;
	}
	*ret = (struct hop){ .there = true, .file = arena_printf(pr->a, "%s", w.file),
			     .writer = arena_printf(pr->a, "%s", w.reader),
			     .reader = arena_printf(pr->a, "%s", w.program) };
}

static void by_volume(const struct flow_box *from, const struct flow_box *to, struct hop *ret)
{
	for EACH (struct flow_volume, out, &from->volumes)
		for EACH (struct flow_volume, in, &to->volumes)
			if (!out->read_only && !strcmp(out->name, in->name)) {
				*ret = (struct hop){ .there = true, .out = out, .in = in };
				return;
			}
}

/* ---- two of them in one model ------------------------------------------------------------- */

typedef void (*on_pair)(struct prover *pr, void *to);

/* Files alone; `base` of the model is the second one. */
static void with_pair(struct flow *f, uint32_t x, uint32_t y, on_pair ask, void *to)
{
	const struct flow_box *from = &f->box[x], *other = &f->box[y];
	struct sym_plan plan = { .p = from->p, .base = other->p, .workdir = from->workdir, .cells = &f->pr->cells,
				 .base_workdir = other->workdir };
	struct slices slices;
	struct arena a = { 0 };
	struct sym s;

	if (!slice_policy(&a, from->p, other->p, &slices)) {
		find_unknown(f->pr, "out of memory");
		arena_done(&a);
		return;
	}
	plan.slices = &slices;
	plan.slice = slices.n;
	sym_open(&s, &a, &plan);
	f->pr->s = &s;
	if (!a.bad)
		ask(f->pr, to);
	if (a.bad)
		find_unknown(f->pr, "out of memory");
	sym_done(&s);
	arena_done(&a);
}

static void on_hop(struct prover *pr, void *to)
{
	by_file(pr, to);
}

/* Rather something that the other one cannot read by itself: that is what the way between them adds. */
static void on_leak(struct prover *pr, void *to)
{
	struct sym *s = pr->s, *other = s->base;
	Z3_ast by_itself = other->no_files ? z_true(&s->z) : sym_file(other, s->file, NULL, false);

	if (find_secrets_where(pr, z_not(&s->z, by_itself)) || find_secrets_where(pr, z_true(&s->z)))
		*(struct leak *)to = (struct leak){ .what = pr->secret, .file = pr->secret_file,
						    .reader = pr->secret_reader, .n = pr->n_secrets };
}

/* ---- all of them -------------------------------------------------------------------------- */

static void find_hops(struct flow *f)
{
	for (uint32_t x = 0; x < f->n; x++)
		flow_routes(f, x);
	for (uint32_t x = 0; x < f->n; x++)
		for (uint32_t y = 0; y < f->n; y++) {
			struct hop *hop = &f->hop[x][y];

			if (x == y || hop->there)
				continue;
			by_volume(&f->box[x], &f->box[y], hop);
			if (!hop->there)
				with_pair(f, x, y, on_hop, hop);
		}
}

/* The shortest ways. */
static void find_ways(struct flow *f)
{
	for (uint32_t x = 0; x < f->n; x++) {
		uint32_t queue[BOXES] = { x }, n = 1;

		for (uint32_t y = 0; y < f->n; y++)
			f->from[x][y] = y;
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t y = 0; y < f->n; y++)
				if (y != x && f->from[x][y] == y && f->hop[queue[i]][y].there) {
					f->from[x][y] = queue[i];
					queue[n++] = y;
				}
	}
}

static void ask_of(struct flow *f, struct finding *to, const char *text, const char *binary, uint32_t box)
{
	find_request(f->pr, to, text, binary);
	if (to->requests.n)
		((struct asked *)to->requests.v)[to->requests.n - 1].file = f->box[box].name;
}

/* The hops up to y, in words and as requests. */
static const char *tell_way(struct flow *f, struct finding *to, uint32_t x, uint32_t y)
{
	uint32_t before = f->from[x][y];
	const char *first = before == x ? "" : tell_way(f, to, x, before);
	const struct hop *h = &f->hop[before][y];
	struct arena *a = f->pr->a;

	if (h->out)
		return arena_printf(a, "%s%sby volume '%s' (%s under %s, %s under %s)", first, *first ? ", then " : "",
				    h->out->name, h->out->path, f->box[before].name, h->in->path, f->box[y].name);
	if (h->route) {
		for EACH (struct asked, q, &h->requests) {
			struct asked *slot = list_push(a, &to->requests, sizeof(*slot));

			if (slot)
				*slot = *q;
		}
		return arena_printf(a, "%s%s%s route '%s' of %s", first, *first ? ", then " : "", h->answers ? "in answers to" : "by",
				    h->route->name, f->box[h->answers ? y : before].name);
	}
	ask_of(f, to, arena_printf(a, "open %s write", find_word(f->pr, h->file)), h->writer, before);
	ask_of(f, to, arena_printf(a, "open %s read", find_word(f->pr, h->file)), h->reader, y);
	return arena_printf(a, "%s%sby the file %s", first, *first ? ", then " : "", h->file);
}

struct way_out {			/* by an endpoint, or by a route */
	const struct sym_endpoint *se;
	const struct route *route;
	const char *how;
	struct witness w;
};

static void add(struct flow *f, const struct way_out *out, const struct leak *leak, uint32_t x, uint32_t y)
{
	static const struct list none;
	struct finding *to = find_add(f->pr, "flow", &out->w);
	const struct route *r = out->route;
	struct asked sent, *slot;
	const char *way;

	if (!to || !to->requests.n)
		return;
	sent = *(struct asked *)to->requests.v;
	sent.file = f->box[y].name;
	to->requests = (struct list){ 0 };
	to->file = f->box[y].name;
	to->where = r ? find_backend_place(f->pr, r) : to->where;
	to->rule = out->se->rule->name;
	to->line = r ? r->at.line : out->se->e->at.line;
	if (leak->file)
		ask_of(f, to, arena_printf(f->pr->a, "open %s read", find_word(f->pr, leak->file)), leak->reader, x);
	for EACH (struct asked, q, leak->requests ? leak->requests : &none)
		ask_of(f, to, q->request, q->binary, x);
	way = tell_way(f, to, x, y);
	slot = list_push(f->pr->a, &to->requests, sizeof(*slot));
	if (slot)
		*slot = sent;
	to->says = arena_printf(f->pr->a, "%s%s%s can be read%s under %s, handed on %s, and sent here%s%s%s: %s", leak->what,
				leak->file ? " in " : "", leak->file ? leak->file : "",
				leak->n > 1 ? " (and more)" : "", f->box[x].name, way, r ? " by route '" : "",
				r ? r->name : "", r ? "'" : "", out->how);
}

static void add_each(struct flow *f, const struct way_out *out, const struct leak *leaks, uint32_t y)
{
	for (uint32_t x = 0; out->how && x < f->n; x++)
		if (leaks[x].n)
			add(f, out, &leaks[x], x, y);
}

struct ends {
	uint32_t y;
	struct leak *leaks;		/* of each sandbox that hands on to y */
	bool *taken;			/* routes that were told of */
};

/* What the others can hand on to y, and where y can send it. */
static void on_ends(struct flow *f, void *data)
{
	struct sym_endpoint *all = f->pr->s->endpoints.v;
	struct ends *e = data;

	for (uint32_t i = 0; i < f->pr->s->endpoints.n; i++) {
		struct way_out out = { .se = &all[i] };
		uint32_t n = 0;

		if (all[i].asked)
			out.how = find_how_much(f->pr, &all[i], &out.w);
		add_each(f, &out, e->leaks, e->y);
		for EACH (struct sym_route, r, &f->pr->s->routes) {
			bool *seen = &e->taken[n++];

			if (flow_given(f, r->route))
				continue;	/* a hop */
			out.route = r->route;
			out.how = *seen ? NULL : find_taken(f->pr, &all[i], r, &out.w);
			*seen |= out.how != NULL;
			add_each(f, &out, e->leaks, e->y);
		}
	}
}

/* What it is answered for a credential or by a private network; that this is found is no finding here. */
static void on_given(struct flow *f, void *data)
{
	uint32_t n = f->pr->found.n;

	(void)data;
	find_credentials(f->pr);
	find_reach(f->pr);
	f->pr->found.n = n;
}

/* The models of one sandbox's endpoints, one by one. */
void flow_each(struct flow *f, uint32_t y, void (*ask)(struct flow *f, void *data), void *data)
{
	struct sym_plan plan = { .p = f->box[y].p, .workdir = f->box[y].workdir, .cells = &f->pr->cells };
	struct slices slices;
	struct arena models = { 0 };

	if (!slice_policy(&models, plan.p, NULL, &slices)) {
		find_unknown(f->pr, "out of memory");
		arena_done(&models);
		return;
	}
	plan.slices = &slices;
	for (plan.slice = 0; plan.slice < slices.n; plan.slice++) {
		struct arena a = { 0 };
		struct sym s;

		sym_open(&s, &a, &plan);
		f->pr->s = &s;
		if (!a.bad)
			ask(f, data);
		if (a.bad)
			find_unknown(f->pr, "out of memory");
		sym_done(&s);
		arena_done(&a);
	}
	arena_done(&models);
}

/* Where it reads nothing secret. */
static void find_answered(struct flow *f, uint32_t x, struct leak *ret)
{
	if (!find_chains_may_be(f->pr, f->box[x].p))
		return;
	flow_each(f, x, on_given, NULL);
	ret->n = find_given(f->pr, &ret->what, &ret->requests);
}

static void find_ends(struct flow *f, uint32_t y)
{
	struct leak leaks[BOXES] = { 0 };
	struct ends e = { y, leaks, arena_zalloc(f->pr->a, f->box[y].p->inference.routes.n + 1) };
	bool any = false;

	for (uint32_t x = 0; x < f->n; x++) {
		if (f->from[x][y] == y)
			continue;
		with_pair(f, x, y, on_leak, &leaks[x]);
		if (!leaks[x].n)
			find_answered(f, x, &leaks[x]);
		any |= leaks[x].n > 0;
	}
	if (!e.taken)
		find_unknown(f->pr, "out of memory");
	else if (any)
		flow_each(f, y, on_ends, &e);
}

void find_flow(struct prover *pr, const struct flow_box *boxes, uint32_t n)
{
	struct flow f = { .pr = pr, .box = boxes, .n = n };

	for (uint32_t i = 0; i < n; i++)
		pr->given[i] = boxes[i].sandbox;
	find_hops(&f);
	find_ways(&f);
	for (uint32_t y = 0; y < n; y++)
		find_ends(&f, y);
	flow_claims(&f);
}
