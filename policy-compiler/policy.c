/* SPDX-License-Identifier: Apache-2.0 */
/* Text to policy to bundle: the order of the stages, and the checks of the whole. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "ambiguity.h"
#include "emit.h"
#include "gpu.h"
#include "host.h"
#include "lint.h"
#include "merge.h"
#include "osh/limits.h"
#include "provide.h"
#include "schema.h"

static int by_name(const void *pa, const void *pb)
{
	const struct rule *a = pa, *b = pb;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	return a->at.line < b->at.line ? -1 : a->at.line > b->at.line;
}

/* `version` may be left away only beside keys that OpenShell does not know. */
static void check_version(struct reader *r, const struct node *root)
{
	if (root->kind != NODE_MAP || map_get(root, "version"))
		return;
	for (const struct field *f = policy_fields; f->key; f++)
		if (!(f->flags & FIELD_OWN) && map_get(root, f->key)) {
			diag_add(r->d, DIAG_MISSING, root->at, "add version: 1 as the first line",
				 "policy needs 'version'");
			return;
		}
	if (!root->n)
		diag_add(r->d, DIAG_MISSING, root->at, NULL, "policy is empty");
}

/* A sandbox is reached by a route, in a call of a model, and by nothing else. */
static void check_zone(struct reader *r)
{
	for EACH (struct rule, rule, &r->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (!rule->egress_only && host_in_zone(&e->host))
				diag_add(r->d, DIAG_HOST, e->at, "`inference.routes` has `sandbox: NAME`",
					 "names under " OSH_SANDBOX_ZONE " are sandboxes, where a route alone leads");
}

/* What an endpoint hands over must have somewhere to go. */
static void check_routes(struct reader *r)
{
	for EACH (struct rule, rule, &r->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (e->l7.inference && !r->p->inference.routes.n)
				diag_add(r->d, DIAG_MISSING, e->at, NULL,
					 "route: inference wants `inference` with routes");
			else if (!e->l7.inference && r->p->inference.routes.n && e->host.kind == HOST_NAME &&
				 !strcmp(e->host.text, OSH_INFERENCE_HOST))
				diag_add(r->d, DIAG_HOST, e->at, "`inference.binaries` says who may call it",
					 OSH_INFERENCE_HOST " is the name of `inference` itself");
}

int policy_read(struct policy *p, struct slice text, struct diags *d)
{
	struct reader r = { .a = &p->arena, .d = d, .p = p };
	uint32_t errors = d->n_errors;
	const struct node *root;

	*p = (struct policy){ .wildcard_names = OSH_WILD_DEFAULT };
	root = yaml_read(text, r.a, d);
	if (root) {
		check_version(&r, root);
		(void)read_map(&r, root, policy_fields, "policy", p);
		provide(&r);
		check_routes(&r);
		check_zone(&r);
		check_local(&r);
		if (p->rules.n)
			qsort(p->rules.v, p->rules.n, sizeof(struct rule), by_name);
		check_ambiguity(p, d);
	}
	if (p->arena.bad) {
		diag_add(d, DIAG_INTERNAL, (struct place){ 0 }, NULL, "out of memory");
		return -ENOMEM;
	}
	return root && d->n_errors == errors ? 0 : -EINVAL;
}

void policy_done(struct policy *p)
{
	arena_done(&p->arena);
	*p = (struct policy){ 0 };
}

bool policy_complete(const struct diags *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (diag_severity(d->v[i].code) == DIAG_ERROR && d->v[i].code != DIAG_AMBIGUOUS &&
		    d->v[i].code != DIAG_WILDCARD && d->v[i].code != DIAG_ALLOWED_IPS &&
		    d->v[i].code != DIAG_RPC_METHOD)
			return false;
	return !d->more;
}

/* Never ignored: what is not kept is said, by `check` as a warning and by `compile` as an error. */
static void say_unkept(const struct policy *p, struct diags *d, enum diag_code code)
{
	for EACH (struct unkept, u, &p->unkept)
		diag_add(d, code, u->at,
			 code == DIAG_LATER ? "osh refuses what it cannot keep; remove the key" : NULL,
			 code == DIAG_LATER ? "not enforced yet: '%s'"
					    : "'%s' is not enforced yet: run and compile refuse this policy",
			 u->what);
}

/* What is wrong with the policy as a whole is said at its first byte. Memory has no place. */
static void place_whole(struct diags *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (!d->v[i].at.line && d->v[i].code != DIAG_INTERNAL)
			d->v[i].at = (struct place){ 1, 1 };
	diags_sort(d);
}

int policy_check(struct slice text, struct diags *d)
{
	struct policy p;
	int r = policy_read(&p, text, d);

	say_unkept(&p, d, DIAG_RUNTIME);
	if (r == 0)
		lint_policy(&p, d);
	policy_done(&p);
	place_whole(d);
	return r;
}

int policy_compile(struct slice text, struct diags *d, struct buf *ret)
{
	struct tables t = { 0 };
	struct policy p;
	int r;

	r = policy_read(&p, text, d);
	gpu_apply(&p.arena, &p.gpu);
	say_unkept(&p, d, DIAG_LATER);
	if (r == 0 && p.unkept.n)
		r = -EINVAL;
	if (r == 0)
		r = merge_policy(&p, &t, d);
	if (r == 0)
		r = emit_bundle(&p, &t, text, d, ret);
	policy_done(&p);
	place_whole(d);
	return r;
}
