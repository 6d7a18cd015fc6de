/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void find_unknown(struct prover *pr, const char *why)
{
	if (!pr->unknown)
		pr->unknown = why;
}

enum answer find_ask(struct prover *pr, const Z3_ast *facts, unsigned n, struct witness *w)
{
	enum answer a = sym_ask(pr->s, facts, n, w);

	if (a == ANSWER_UNKNOWN)
		find_unknown(pr, "a question met the solver's bound");
	return a;
}

enum answer find_sends(struct prover *pr, const Z3_ast *facts, unsigned n, struct witness *w)
{
	enum answer a = find_ask(pr, facts, n, w);

	if (a != ANSWER_YES || witness_sends(pr->s, w))
		return a;
	find_unknown(pr, "the model and eval disagree about a request: this is a bug of osh");
	return ANSWER_UNKNOWN;
}

void find_request(struct prover *pr, struct finding *f, const char *text, const char *binary)
{
	struct asked *slot = text ? list_push(pr->a, &f->requests, sizeof(*slot)) : NULL;

	if (slot)
		*slot = (struct asked){ .request = text, .binary = binary };
}

static int by_line(const void *pa, const void *pb)
{
	const struct finding *a = pa, *b = pb;
	int order = (a->line > b->line) - (a->line < b->line);

	order = order ? order : strcmp(a->category, b->category);
	return order ? order : strcmp(a->where, b->where);
}

void find_sort(struct prover *pr)
{
	if (pr->found.n)
		qsort(pr->found.v, pr->found.n, sizeof(struct finding), by_line);
}

static bool same(const char *accepted, const char *is)
{
	return !accepted || (is && !strcmp(accepted, is));
}

/* Dates as YYYY-MM-DD are in the order of their texts; the day of expiry is the last one. */
static bool is_accepted(const struct prover *pr, const struct finding *f, const char *today)
{
	struct accepted *v = pr->accepts.v;
	bool any = false;

	for (uint32_t i = 0; i < pr->accepts.n; i++)
		if (!strcmp(v[i].category, f->category) && same(v[i].where, f->where) &&
		    same(v[i].program, f->program) && strcmp(today, v[i].expires) <= 0)
			any = v[i].used = true;
	return any;
}

/* Who keeps the list is told what can go. */
static void find_stale(struct prover *pr, const char *today)
{
	for EACH (struct accepted, a, &pr->accepts) {
		const char **slot = a->used ? NULL : list_push(pr->a, &pr->stale, sizeof(*slot));
		bool over = strcmp(today, a->expires) > 0;

		if (slot)
			*slot = arena_printf(pr->a, "%s%s%s: %s%s", a->category, a->where ? " " : "",
					     a->where ? a->where : "", over ? "expired on " : "nothing like it is found",
					     over ? a->expires : "");
	}
}

void find_accept(struct prover *pr, const char *today)
{
	struct finding *v = pr->found.v;
	uint32_t n = 0;

	for (uint32_t i = 0; i < pr->found.n; i++)
		if (!is_accepted(pr, &v[i], today))
			v[n++] = v[i];
	pr->n_accepted = pr->found.n - n;
	pr->found.n = n;
	find_stale(pr, today);
}

static const char *place_text(struct prover *pr, const struct witness *w)
{
	return arena_printf(pr->a, strchr(w->host, ':') ? "[%s]:%u" : "%s:%u", w->host, w->port);
}

const char *find_place(struct prover *pr, const struct sym_endpoint *se)
{
	const char *host = se->e->host.text;

	return arena_printf(pr->a, strchr(host, ':') ? "[%s]:%u" : "%s:%u", *host ? host : "*",
			    se->e->n_ports ? se->e->ports[0] : 0);
}

void find_fill(struct prover *pr, struct finding *f, const char *category, const struct witness *w)
{
	struct buf b = { 0 };

	*f = (struct finding){ .category = category, .line = w->line };
	f->where = place_text(pr, w);
	f->rule = w->rule ? arena_printf(pr->a, "%s", w->rule) : NULL;
	if (!w->nobody)
		f->program = arena_printf(pr->a, "%s", w->program);
	witness_text(w, &b);
	find_request(pr, f, buf_ok(&b) ? arena_text(pr->a, b.p, b.n) : NULL, w->inspected ? f->program : NULL);
	buf_done(&b);
	if (w->has_ancestor && f->requests.n)
		((struct asked *)f->requests.v)->ancestor = arena_printf(pr->a, "%s", w->ancestor);
}

struct finding *find_add(struct prover *pr, const char *category, const struct witness *w)
{
	struct finding *f = list_push(pr->a, &pr->found, sizeof(*f));

	if (f)
		find_fill(pr, f, category, w);
	else
		find_unknown(pr, "out of memory");
	return f;
}

Z3_ast find_credentialed(struct prover *pr)
{
	struct terms any = { .z = &pr->s->z };
	struct sym_endpoint *all = pr->s->endpoints.v;

	for EACH (struct credential_in, c, &pr->credentials)
		for EACH (struct host, h, &c->hosts)
			terms_add(&any, sym_host(pr->s, h));
	for (uint32_t i = 0; i < pr->s->endpoints.n; i++)
		if (all[i].e->l7.credential || all[i].e->l7.binding)
			terms_add(&any, all[i].host);
	for EACH (struct route, r, &pr->s->p->inference.routes)
		if (r->provider)
			terms_add(&any, sym_host(pr->s, &(struct host){ .kind = HOST_NAME, .text = r->host }));
	return terms_or(&any);
}

static const struct rule *rule_of(const struct policy *p, const struct route *r)
{
	for EACH (struct rule, rule, &p->rules)
		if (rule->egress_only && rule->endpoints.n && !strncmp(rule->name, "inference/", 10) &&
		    !strcmp(rule->name + 10, r->name))
			return rule;
	return NULL;
}

const struct endpoint *find_backend(const struct policy *p, const struct route *r)
{
	const struct rule *rule = rule_of(p, r);

	return rule ? rule->endpoints.v : NULL;
}

const char *find_kept(const struct witness *w)
{
	return w->kept ? ", where a rule about content keeps it on the machine" : "";
}

/* The egress is no program, so the rule is asked as if it were anybody's. */
bool find_backend_at(const struct policy *p, const struct route *r, const char *addr)
{
	const struct eval_connect c = { .host = r->host, .port = r->port };
	const struct rule *rule = rule_of(p, r);
	struct policy alone = *p;
	struct rule anybody;

	if (!rule)
		return false;
	anybody = *rule;
	anybody.egress_only = false;
	anybody.any_program = true;
	alone.rules = (struct list){ &anybody, 1 };
	return eval_addr(&alone, &c, &addr, 1).verdict == OSH_ALLOW;
}

const char *find_word(struct prover *pr, const char *text)
{
	return arena_printf(pr->a, strchr(text, ' ') ? "\"%s\"" : "%s", text);
}

bool find_host_is(struct arena *a, const struct host *h, const char *name)
{
	const char *glob = h->kind == HOST_ONE ? arena_printf(a, "?*%s", h->text) :
			   h->kind == HOST_DEEP ? arena_printf(a, "?**%s", h->text) : h->text;
	struct lang_atom atom = { &glob, 1, '.', false, false };

	if (h->kind == HOST_ANY || h->kind == HOST_NET)
		return h->kind == HOST_ANY;
	if (h->kind == HOST_GLOB)
		atom = (struct lang_atom){ h->glob.alts.v, h->glob.alts.n, '.', false, false };
	return glob && lang_has(&atom, name);
}

bool find_secret_name(const char *variable)
{
	static const char *const parts[] = { "TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY",
					     "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strcasestr(variable, parts[i]))
			return true;
	return false;
}
