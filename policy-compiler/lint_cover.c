/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that change nothing: another one allows all of it already, or a deny rule takes all of it away. */
#include "lint_parts.h"

/* The rule that holds all of number `i`; of two that mean the same, the later one is the idle one. */
static const struct l7_rule *holder(struct lint *l, const struct list *rules, uint32_t i)
{
	const struct l7_rule *v = rules->v;

	for (uint32_t k = 0; k < rules->n; k++) {
		if (k == i || !lint_look(l) || !l7_rule_holds(&v[k], &v[i]))
			continue;
		if (k < i || v[i].query.n || !l7_rule_holds(&v[i], &v[k]))
			return &v[k];
	}
	return NULL;
}

static void idle_rules(struct lint *l, const struct list *rules, const char *verb)
{
	const struct l7_rule *v = rules->v;

	for (uint32_t i = 0; i < rules->n; i++) {
		const struct l7_rule *wider = holder(l, rules, i);

		if (wider)
			diag_add(l->d, DIAG_SHADOWED, v[i].at, "remove it, or narrow the other",
				 "rule changes nothing: the one on line %u %s all of it", wider->at.line, verb);
	}
}

static const struct l7_rule *denier(struct lint *l, const struct l7_rule *allow, const struct endpoint *e)
{
	for EACH (struct l7_rule, deny, &e->l7.deny)
		if (lint_look(l) && l7_rule_holds(deny, allow))
			return deny;
	return NULL;
}

static void say_denied(struct lint *l, struct place at, const struct l7_rule *deny)
{
	if (deny)
		diag_add(l->d, DIAG_DENIED, at, "deny rules win over every allow",
			 "allows nothing: the deny rule on line %u takes all of it away", deny->at.line);
}

/* `other` reaches at least as far as `self`, so its deny rules count for all of it. */
static void denied_by(struct lint *l, struct ref *self, struct ref *other)
{
	static const struct l7_rule every_request = { .method = "*" };
	const struct l7 *l7 = &self->e->l7;

	if (self->e->protocol != other->e->protocol || !other->e->l7.deny.n || other->e->l7.weight ||
	    !ports_hold(other->e, self->e) || !programs_hold(other->rule, self->rule))
		return;
	for EACH (struct l7_rule, allow, &l7->rules)
		say_denied(l, allow->at, denier(l, allow, other->e));
	if (l7->access != ACCESS_NONE)
		say_denied(l, l7->access_at, denier(l, &every_request, other->e));
}

void lint_rules(struct lint *l)
{
	for (uint32_t i = 0; i < l->n_refs; i++) {
		struct ref *self = &l->refs[i];

		idle_rules(l, &self->e->l7.rules, "allows");
		idle_rules(l, &self->e->l7.deny, "denies");
		if (self->e->l7.deny.n)
			denied_by(l, self, self);
		lint_wider(l, self, denied_by);
	}
}

/* Plain connections alone: what rules inside add is for lint_rules(). */
static bool endpoint_holds(const struct ref *a, const struct ref *b)
{
	return !endpoint_inspected(a->e) && !endpoint_inspected(b->e) && a->e->n_allowed == b->e->n_allowed &&
	       host_holds(&a->e->host, &b->e->host) && ports_hold(a->e, b->e) &&
	       programs_hold(a->rule, b->rule) && (a->rule->taint_ok || !b->rule->taint_ok);
}

static bool before(const struct place *a, const struct place *b)
{
	return a->line != b->line ? a->line < b->line : a->col < b->col;
}

/* A name beside a wildcard over it is not idle: it costs nothing of dns.wildcard_names. */
static void idle_endpoint(struct lint *l, struct ref *self, struct ref *other)
{
	if (self->e->host.kind == HOST_NAME && other->e->host.kind != HOST_NAME)
		return;
	if (!endpoint_holds(other, self))
		return;
	if (endpoint_holds(self, other) && before(&self->e->at, &other->e->at))
		return;
	diag_add(l->d, DIAG_SHADOWED, self->e->at, "remove it, or narrow the other",
		 "endpoint changes nothing: rule '%.60s' allows all of it on line %u", other->rule->name,
		 other->e->at.line);
}

void lint_endpoints(struct lint *l)
{
	for (uint32_t i = 0; i < l->n_refs; i++)
		lint_wider(l, &l->refs[i], idle_endpoint);
}
