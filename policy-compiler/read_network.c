/* SPDX-License-Identifier: Apache-2.0 */
/* network_policies and the short form `network`: rules and their programs. */
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "program.h"

void read_taint(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "deny", "ignore", NULL };
	struct rule_in *in = obj;
	unsigned v;

	if (!read_word(r, n, words, &v))
		return;
	in->rule.taint_ok = v == 1;
	if (v)
		diag_add(r->d, DIAG_TAINT, n->at, NULL,
			 "'taint: ignore' lets a caller inject code into the listed programs");
}

static void read_path_text(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	if (read_text(r, n, &text))
		((struct program_in *)obj)->path = n;
}

static void read_sha256(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	if (!read_text(r, n, &text))
		return;
	if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "sha256 wants 64 hexadecimal digits");
	else
		((struct program_in *)obj)->sha256 = text;
}

static void read_inherit(struct reader *r, const struct node *n, void *obj)
{
	struct program_in *in = obj;

	if (read_bool(r, n, &in->inherit) && in->inherit)
		unkept(r, n->key->at, "inherit");
}

/* clang-format off */
const struct field binary_fields[] = {
	{ "path",    read_path_text, FIELD_KEPT,   FIELD_REQUIRED, "path | glob", "the program" },
	{ "sha256",  read_sha256,    FIELD_JUDGED, FIELD_OWN,      "hex",  "of its file" },
	{ "inherit", read_inherit,   FIELD_KEPT,   FIELD_OWN,      "bool", "its descendants too" },
	{ "harness", want_any,       FIELD_KEPT,   FIELD_IGNORED,  "any",  "OpenShell's, deprecated" },
	{ 0 }
};
/* clang-format on */

void read_binaries(struct reader *r, const struct node *list, struct rule *rule)
{
	for (const struct node *v = list->first; v; v = v->next) {
		struct program_in in = { .path = v };

		if (v->kind != NODE_SCALAR) {
			in.path = NULL;
			if (!read_map(r, v, binary_fields, "binaries entry", &in) || !in.path)
				continue;
		}
		program_add(r, &in, &rule->programs);
	}
	programs_sort(&rule->programs);
}

static void keep_rule(struct reader *r, struct rule_in *in)
{
	struct rule *rule;

	if (in->binaries)
		read_binaries(r, in->binaries, &in->rule);
	if (!in->rule.endpoints.n || (!in->rule.any_program && !in->rule.programs.n)) {
		if (r->d->n_errors == in->errors)
			diag_add(r->d, DIAG_UNUSED, in->rule.at, NULL,
				 "rule '%.80s' can never match", in->rule.name);
		return;
	}
	rule = list_push(r->a, &r->p->rules, sizeof(*rule));
	if (rule)
		*rule = in->rule;
}

static void read_rule_endpoints(struct reader *r, const struct node *n, void *obj)
{
	struct rule_in *rule = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct endpoint_in in = { .rule = rule };

		if (read_map(r, v, endpoint_fields, "endpoint", &in))
			endpoint_finish(r, v, &in, 0, &rule->rule);
	}
}

static void read_rule_binaries(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct rule_in *)obj)->binaries = n;
}

const struct field rule_fields[] = {
	{ "name", want_text, FIELD_KEPT, 0, "text", "for people" },
	{ "endpoints", read_rule_endpoints, FIELD_KEPT, FIELD_REQUIRED, "[endpoint]", "where to", endpoint_fields },
	{ "binaries", read_rule_binaries, FIELD_KEPT, FIELD_REQUIRED, "[path | {path}]", "programs that may", binary_fields },
	{ "taint", read_taint, FIELD_KEPT, FIELD_OWN, "deny | ignore",
	  "programs started with an injecting variable" },
	{ 0 },
};

void read_network_policies(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct rule_in in = { .rule = { .name = v->key->text, .at = v->key->at },
				      .errors = r->d->n_errors };

		if (!*in.rule.name) {
			diag_add(r->d, DIAG_VALUE, v->key->at, NULL, "a rule needs a name");
			continue;
		}
		if (read_map(r, v, rule_fields, "rule", &in))
			keep_rule(r, &in);
	}
}

void read_network(struct reader *r, const struct node *n, void *obj)
{
	unsigned i = 0;

	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next, i++) {
		struct rule_in rule = { .rule = { .name = arena_printf(r->a, "network[%u]", i),
						  .at = v->at },
					.errors = r->d->n_errors };
		struct endpoint_in in = { .rule = &rule, .brief = true };

		if (!rule.rule.name || !read_map(r, v, short_fields, "network entry", &in))
			continue;
		rule.rule.any_program = !map_get(v, "binaries");
		endpoint_finish(r, v, &in, 443, &rule.rule);
		keep_rule(r, &rule);
	}
}
