/* SPDX-License-Identifier: Apache-2.0 */
/* `inference.privacy`: what is not said to a model as it is. */
#include <string.h>

#include "osh/limits.h"
#include "schema.h"

/* clang-format off */
static const char *const kinds[] = {
#define KIND(id, word) [OSH_CONTENT_##id] = word,
#define TOKEN(kind, pattern, least, flags, until)
#include "osh/content.def"
#undef KIND
#undef TOKEN
	"secrets", NULL
};
/* clang-format on */

static uint32_t shapes_of(uint32_t mask)
{
	uint32_t n = 0;

#define KIND(id, word)
#define TOKEN(kind, pattern, least, flags, until) n += mask >> OSH_CONTENT_##kind & 1;
#include "osh/content.def"
#undef KIND
#undef TOKEN
	return n;
}

static void read_name(struct reader *r, const struct node *n, void *obj)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char **to = &((struct content_rule *)obj)->name;
	size_t len;

	if (!read_text(r, n, to))
		return;
	len = strlen(*to);
	if (!len || len >= OSH_ROUTE_NAME || strspn(*to, letters) != len)
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "a rule's name is 1 to %d letters, digits, '.', '_' or '-'",
			 OSH_ROUTE_NAME - 1);
}

static void read_kinds(struct reader *r, const struct node *n, void *obj)
{
	uint32_t *to = &((struct content_rule *)obj)->kinds;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		unsigned k;

		if (read_word(r, v, kinds, &k))
			*to |= k < OSH_CONTENTS ? 1u << k : ((1u << OSH_CONTENTS) - 1) & ~(1u << OSH_CONTENT_EMAIL);
	}
}

/* Does the token stand for something that a star takes, too? Then it is not clear where the run ends. */
static bool in_run(const char *token)
{
	static const char run[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	bool hit = false;

	for (const char *c = run; *c && !hit; c++)
		(void)pattern_token(token, (unsigned char)*c, 0, &hit);
	return hit;
}

/* What a plain pattern must be so that a match is one whatever way it is looked for. NULL = it is. */
static const char *wrong(const char *p)
{
	bool hit;

	if (!*p)
		return "nothing would be looked for";
	if (*p == '*')
		return "what is looked for begins with something else than '*'";
	while (*p) {
		bool star = *p == '*';

		if (star && p[1] == '*')
			return "'**' has no end in a text";
		p += star ? 1 : pattern_token(p, 0, 0, &hit);
		if (star && *p && in_run(p))
			return "behind '*', which is letters, digits, '_' and '-', must come something else";
	}
	return NULL;
}

static void push_pattern(struct reader *r, const struct node *n, struct list *to)
{
	struct pattern one = { 0 }, *p;
	const char *const *alt;

	if (!read_pattern(r, n, &one))
		return;
	alt = one.alts.v;
	for (uint32_t i = 0; i < one.alts.n; i++)
		if (wrong(alt[i])) {
			diag_add(r->d, DIAG_PATTERN, n->at, NULL, "%s: %.80s", wrong(alt[i]), alt[i]);
			break;
		}
	p = list_push(r->a, to, sizeof(*p));
	if (p)
		*p = one;
}

static void read_patterns(struct reader *r, const struct node *n, void *obj)
{
	struct list *to = &((struct content_rule *)obj)->patterns;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		push_pattern(r, v, to);
}

static void read_action(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { [OSH_PRIVATE_REFUSE] = "refuse", [OSH_PRIVATE_REDACT] = "redact",
					     [OSH_PRIVATE_LOCAL] = "local", NULL };
	unsigned v;

	if (read_word(r, n, words, &v))
		((struct content_rule *)obj)->action = (enum osh_private)v;
}

/* clang-format off */
const struct field privacy_fields[] = {
	{ "name",     read_name,     FIELD_KEPT, FIELD_REQUIRED, "name", "of the rule; for answers, the log, and in the place of what is redacted" },
	{ "action",   read_action,   FIELD_KEPT, FIELD_REQUIRED, "refuse | redact | local", "of a call that holds it; redact: it goes on without it; local: on this machine alone" },
	{ "kinds",    read_kinds,    FIELD_KEPT, 0, "[secrets | api_key | aws | github | gitlab | npm | pypi | slack | private_key | jwt | email]", "what osh knows; secrets: all but email" },
	{ "patterns", read_patterns, FIELD_KEPT, 0, "[glob]", "anywhere in a text, in either case; `*` is letters, digits, _ and -" },
	{ 0 },
};
/* clang-format on */

static void add_rule(struct reader *r, const struct node *n, const struct content_rule *one, struct inference *to)
{
	struct content_rule *p;
	uint32_t shapes = shapes_of(one->kinds);

	for EACH (struct pattern, own, &one->patterns)
		shapes += own->alts.n;
	if (shapes > OSH_PRIVACY_SHAPES)
		diag_add(r->d, DIAG_LIMIT, n->at, "more rules may have more", "more than %d patterns in one rule",
			 OSH_PRIVACY_SHAPES);
	if (!one->kinds && !one->patterns.n)
		diag_add(r->d, DIAG_MISSING, n->at, NULL, "a rule about content needs 'kinds' or 'patterns'");
	for EACH (struct content_rule, o, &to->privacy)
		if (one->name && o->name && !strcmp(one->name, o->name))
			diag_add(r->d, DIAG_DUPLICATE, n->at, NULL, "rule '%.60s' was given before, on line %u", one->name,
				 o->at.line);
	p = list_push(r->a, &to->privacy, sizeof(*p));
	if (p)
		*p = *one;
}

void read_privacy(struct reader *r, const struct node *n, struct inference *to)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	if (n->n > OSH_PRIVACY_RULES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d rules", OSH_PRIVACY_RULES);
	for (const struct node *v = n->first; v; v = v->next) {
		struct content_rule one = { .at = v->at };

		if (read_map(r, v, privacy_fields, "a rule", &one) && one.name)
			add_rule(r, v, &one, to);
	}
}

static bool any_local(const struct inference *in)
{
	for EACH (struct route, route, &in->routes)
		if (route->local)
			return true;
	return false;
}

void check_privacy(struct reader *r)
{
	const struct inference *in = &r->p->inference;

	for EACH (struct content_rule, rule, &in->privacy)
		if (rule->action == OSH_PRIVATE_LOCAL && !any_local(in))
			diag_add(r->d, DIAG_MISSING, rule->at, "`action: refuse`, or a route with `local: true`",
				 "rule '%.60s' leaves local routes alone, and there is none", rule->name);
}

/* `local_only`: what is said in the sandbox has nowhere to go but to models on this machine. */
void check_local(struct reader *r)
{
	const struct inference *in = &r->p->inference;

	if (!in->local_only)
		return;
	for EACH (struct route, route, &in->routes)
		if (!route->local)
			diag_add(r->d, DIAG_EXCLUSIVE, route->at, "local: true", "local_only: route '%.60s' is not local", route->name);
	for EACH (struct rule, rule, &r->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (!rule->egress_only && !(e->l7.inference && e->host.kind == HOST_NAME &&
						    !strcmp(e->host.text, OSH_INFERENCE_HOST)))
				diag_add(r->d, DIAG_EXCLUSIVE, e->at, NULL,
					 "local_only: nothing but " OSH_INFERENCE_HOST " takes anything of the sandbox");
}
