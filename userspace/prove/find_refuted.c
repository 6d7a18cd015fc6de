/* SPDX-License-Identifier: Apache-2.0 */
/* `assert`: each entry says what must never be possible; a way in which it is refutes it. */
#include <ctype.h>
#include <string.h>

#include "find.h"
#include "own.h"

/* "assert.never.host" */
static bool has(struct prover *pr, const struct assertion *as, const char *what)
{
	static const char *const kinds[] = {
		[ASSERT_NEVER] = "never",
		[ASSERT_NEVER_REACH] = "never_reach",
		[ASSERT_NEVER_READ_AND_SEND] = "never_read_and_send",
		[ASSERT_NEVER_CALL] = "never_call",
		[ASSERT_NEVER_LEAVE] = "never_leave",
	};
	const char *key = arena_printf(pr->a, "assert.%s%s%s", kinds[as->kind], *what ? "." : "", what);

	return key && sees(key);
}

static const char *upper(struct prover *pr, const char *text)
{
	char *copy = (char *)arena_printf(pr->a, "%s", text);

	for (char *c = copy; c && *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return copy;
}

/* Where nobody looks into the connection, a request of any method and path can be made. */
static Z3_ast inside(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;
	struct terms methods = { .z = &s->z };
	Z3_ast fits = z_true(&s->z);

	for EACH (text_of, m, &as->methods)
		terms_add(&methods, strcmp(*m, "*") ? dim_word(s->method, upper(pr, *m)) : z_true(&s->z));
	if (as->methods.n && has(pr, as, "method"))
		fits = z_and(&s->z, fits, terms_or(&methods));
	if (as->path.text && has(pr, as, "path"))
		fits = z_and(&s->z, fits, dim_list(s->path, &as->path.alts, '/', false));
	return z_or(&s->z, z_not(&s->z, s->inspected), fits);
}

static Z3_ast by_whom(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;

	if (!as->programs.n || !has(pr, as, "binaries"))
		return z_true(&s->z);
	return z_and(&s->z, z_not(&s->z, s->nobody), sym_programs(s->program, &as->programs));
}

static Z3_ast there(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;
	Z3_ast at = z_and(&s->z, has(pr, as, "host") ? sym_host(s, &as->host) : z_true(&s->z), by_whom(pr, as));

	return as->port && has(pr, as, "port") ? z_and(&s->z, at, z_is(&s->z, s->port, as->port)) : at;
}

static bool is_given(const struct prover *pr, const char *sandbox)
{
	for (size_t i = 0; i < ARRAY_SIZE(pr->given); i++)
		if (pr->given[i] && !strcmp(pr->given[i], sandbox))
			return true;
	return false;
}

/* A claim about hosts is about backends too: what is sent to inference.local goes there. */
static bool concerns(struct prover *pr, const struct assertion *as, const struct route *r)
{
	/* What a sandbox does with it is for its own policy to say; where that is given, flow_route.c asks it. */
	if (as->kind == ASSERT_NEVER_LEAVE && r->local && sees("inference.routes.local") &&
	    !(r->sandbox && sees("inference.routes.sandbox") && !is_given(pr, r->sandbox)))
		return false;
	for EACH (text_of, name, &as->except)
		if (!strcmp(*name, r->name) && has(pr, as, "except"))
			return false;
	if (as->port && as->port != r->port && has(pr, as, "port") && sees("inference.routes.port"))
		return false;
	return !has(pr, as, "host") || !sees("inference.routes.host") || find_host_is(pr->a, &as->host, r->host);
}

static Z3_ast read_there(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;

	if (!has(pr, as, "read"))
		return s->reads;
	return z_and(&s->z, s->reads, dim_list(s->file, &as->read.alts, '/', false));
}

static const char *text_of_claim(enum claim_kind kind)
{
	static const char *const says[] = {
		[ASSERT_NEVER] = "'never' is refuted: this request is sent",
		[ASSERT_NEVER_REACH] = "'never_reach' is refuted: this is reached",
		[ASSERT_NEVER_READ_AND_SEND] = "'never_read_and_send' is refuted: this is read, and sent",
		[ASSERT_NEVER_CALL] = "'never_call' is refuted: this call is taken",
		[ASSERT_NEVER_LEAVE] = "'never_leave' is refuted: this leaves the machine",
	};

	return says[kind];
}

static bool confirmed(struct prover *pr, const struct assertion *as, struct witness *w)
{
	bool yes = as->kind == ASSERT_NEVER_REACH ? witness_connects(pr->s, w) : witness_sends(pr->s, w);

	if (as->kind == ASSERT_NEVER_READ_AND_SEND)
		yes = yes && witness_reads(pr->s, w);
	if (!yes)
		find_unknown(pr, "the model and eval disagree about an assertion: this is a bug of osh");
	return yes;
}

/* A way in which it is. */
static bool tell(struct prover *pr, const struct assertion *as, const struct witness *w)
{
	struct finding *f = find_add(pr, "assert", w);

	if (!f)
		return false;
	f->line = as->at.line;
	f->says = arena_printf(pr->a, "%s%s", text_of_claim(as->kind), find_kept(w));
	if (as->kind == ASSERT_NEVER_READ_AND_SEND)
		find_request(pr, f, arena_printf(pr->a, "open %s read", find_word(pr, w->file)),
			     arena_printf(pr->a, "%s", w->reader));
	return true;
}

/* Of the last finding: that it leaves is not shown, and neither that it does not. */
static bool tell_sandbox(struct prover *pr, const struct assertion *as, const struct route *r)
{
	struct finding *f = pr->found.v;

	if (as->kind == ASSERT_NEVER_LEAVE && r->sandbox)
		f[pr->found.n - 1].says = arena_printf(pr->a, "'never_leave' is not shown: this goes to sandbox '%s', whose policy is not "
						       "given (--with FILE --sandbox %s)", r->sandbox, r->sandbox);
	return true;
}

static bool refute(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;
	Z3_ast facts[3] = { as->kind == ASSERT_NEVER_REACH ? s->dials : s->sends, there(pr, as), inside(pr, as) };
	struct witness w;

	if (as->kind == ASSERT_NEVER_REACH)
		facts[2] = z_true(&s->z);
	if (as->kind == ASSERT_NEVER_READ_AND_SEND)
		facts[2] = z_and(&s->z, facts[2], read_there(pr, as));
	if (as->kind >= ASSERT_NEVER_CALL || find_ask(pr, facts, 3, &w) != ANSWER_YES || !confirmed(pr, as, &w))
		return false;
	if (as->kind == ASSERT_NEVER_REACH)
		w.inspected = false;
	return tell(pr, as, &w);
}

/* Past the routes: what nobody looks into, or what is no call of a model. */
static bool refute_leave(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;
	Z3_ast past = z_or(&s->z, z_not(&s->z, s->inspected), z_not(&s->z, s->calls));
	const Z3_ast facts[] = { s->sends, past, by_whom(pr, as) };
	struct witness w;

	return as->kind == ASSERT_NEVER_LEAVE && find_ask(pr, facts, 3, &w) == ANSWER_YES && confirmed(pr, as, &w) &&
	       tell(pr, as, &w);
}

/* By a route: the method and the path are those of the program's call. */
static bool refute_call(struct prover *pr, const struct assertion *as)
{
	struct sym *s = pr->s;

	for EACH (struct sym_route, r, &s->routes) {
		bool reads = as->kind == ASSERT_NEVER_READ_AND_SEND;
		const Z3_ast facts[] = { s->sends, s->inspected, r->takes, by_whom(pr, as),
					 as->kind == ASSERT_NEVER_REACH ? z_true(&s->z) : inside(pr, as),
					 reads ? read_there(pr, as) : z_true(&s->z) };
		struct witness w;

		if (!concerns(pr, as, r->route) || find_ask(pr, facts, 6, &w) != ANSWER_YES)
			continue;
		if (witness_routed(s, &w, r->route) && (!reads || witness_reads(s, &w)))
			return tell(pr, as, &w) && tell_sandbox(pr, as, r->route);
		find_unknown(pr, "the model and eval disagree about an assertion: this is a bug of osh");
	}
	return false;
}

/* ---- `serve`: what is answered goes to who called ------------------------------------------- */

const char *find_caller(struct prover *pr, const char *to)
{
	char *name = (char *)arena_printf(pr->a, "%s", to);

	for (char *c = name; c && *c; c++)
		if (*c == '*' || *c == '?')
			*c = 'x';
	return name;
}

static void tell_caller(struct prover *pr, const struct serve *s, const char *to, const struct policy *p, const char *file)
{
	struct finding *f = list_push(pr->a, &pr->found, sizeof(*f));
	const char *name = find_caller(pr, to);

	if (!f || !name) {
		find_unknown(pr, "out of memory");
		return;
	}
	*f = (struct finding){ .category = "assert", .where = to, .line = s->at.line, .file = file };
	f->says = strpbrk(to, "*?") ?
		  arena_printf(pr->a, "'never_leave' is not shown: what is answered goes to all sandboxes that '%s' lets in, and policies can be "
			       "given of some alone (names without * and ? can be given: --with FILE --sandbox NAME)", to) :
		  arena_printf(pr->a, "'never_leave' is not shown: what is answered goes to sandbox '%s', whose policy is not given "
			       "(--with FILE --sandbox %s)", to, to);
	if (eval_serves(p, s->port, name).verdict == OSH_ALLOW)
		find_request(pr, f, arena_printf(pr->a, "serve %u %s", s->port, name), NULL);
	if (f->requests.n)
		((struct asked *)f->requests.v)->file = file;
}

/* Whichever program answers, and whichever call: a server may keep what one caller said and tell another one. */
bool find_answers(struct prover *pr, const struct assertion *as, const struct policy *p, const char *file)
{
	if (as->kind != ASSERT_NEVER_LEAVE || !has(pr, as, "") || !sees("serve.to"))
		return false;
	for EACH (struct serve, s, &p->serves)
		for EACH (text_of, to, &s->to)
			if (strpbrk(*to, "*?") || !is_given(pr, *to)) {
				tell_caller(pr, s, *to, p, file);
				return true;
			}
	return false;
}

void find_served(struct prover *pr, const struct policy *p)
{
	uint32_t i = 0;

	for EACH (struct assertion, as, &p->asserts)
		if (!pr->refuted || !pr->refuted[i++])
			find_answers(pr, as, p, NULL);
}

bool find_leaves(struct prover *pr, const struct assertion *as)
{
	return refute_leave(pr, as) || refute_call(pr, as);
}

void find_refuted(struct prover *pr)
{
	const struct policy *p = pr->s->p;
	const struct assertion *v = p->asserts.v;

	if (!pr->refuted)
		pr->refuted = arena_zalloc(pr->a, p->asserts.n + 1);
	for (uint32_t i = 0; pr->refuted && i < p->asserts.n; i++)
		pr->refuted[i] = pr->refuted[i] || !has(pr, &v[i], "") || refute(pr, &v[i]) ||
				 refute_leave(pr, &v[i]) || refute_call(pr, &v[i]);
}
