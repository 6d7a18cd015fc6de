/* SPDX-License-Identifier: Apache-2.0 */
/* `assert`: what must never be possible. Read here, shown by the prover. */
#include <string.h>

#include "host.h"
#include "program.h"
#include "schema.h"

static void read_claim_host(struct reader *r, const struct node *n, void *obj)
{
	struct assertion *as = obj;
	const char *text;

	if (!read_text(r, n, &text))
		return;
	switch (host_parse(r->a, text, &as->host)) {
	case HOST_OK:
	case HOST_TLD:			/* a claim may be about everything below a TLD, or about all */
		break;
	case HOST_BAD:
	case HOST_WILDCARD:
		diag_add(r->d, DIAG_HOST, n->at, NULL, "'%.100s' is no host name or address", text);
		break;
	}
}

static void read_claim_port(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 1, 65535, &((struct assertion *)obj)->port);
}

static void push_method(struct reader *r, const struct node *n, struct assertion *as)
{
	const char *text, **slot;

	if (!read_text(r, n, &text))
		return;
	slot = list_push(r->a, &as->methods, sizeof(*slot));
	if (slot)
		*slot = text;
}

static void read_claim_methods(struct reader *r, const struct node *n, void *obj)
{
	if (n->kind == NODE_SCALAR)
		push_method(r, n, obj);
	else if (want_kind(r, n, NODE_LIST))
		for (const struct node *v = n->first; v; v = v->next)
			push_method(r, v, obj);
}

static void read_claim_path(struct reader *r, const struct node *n, void *obj)
{
	(void)read_pattern(r, n, &((struct assertion *)obj)->path);
}

static void read_claim_read(struct reader *r, const struct node *n, void *obj)
{
	(void)read_pattern(r, n, &((struct assertion *)obj)->read);
}

static void read_claim_binaries(struct reader *r, const struct node *n, void *obj)
{
	struct assertion *as = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		program_add(r, &(struct program_in){ .path = v }, &as->programs);
	programs_sort(&as->programs);
}

static void read_claim_except(struct reader *r, const struct node *n, void *obj)
{
	struct assertion *as = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		const char *text, **slot = read_text(r, v, &text) ? list_push(r->a, &as->except, sizeof(*slot)) : NULL;

		if (slot)
			*slot = text;
	}
}

/* clang-format off */
static const struct field claim_fields[] = {
	{ "host",     read_claim_host,     FIELD_KEPT, 0, "name | pattern", "where to; absent = anywhere" },
	{ "port",     read_claim_port,     FIELD_KEPT, 0, "1..65535",       "absent = any" },
	{ "method",   read_claim_methods,  FIELD_KEPT, 0, "method | [method]", "absent = any" },
	{ "path",     read_claim_path,     FIELD_KEPT, 0, "glob",           "absent = any" },
	{ "read",     read_claim_read,     FIELD_KEPT, 0, "glob",           "files" },
	{ "binaries", read_claim_binaries, FIELD_KEPT, 0, "[path | glob]",  "absent = any program" },
	{ 0 }
};

static const struct field call_fields[] = {
	{ "except",   read_claim_except,   FIELD_KEPT, 0, "[name]",         "routes that may take calls" },
	{ "host",     read_claim_host,     FIELD_KEPT, 0, "name | pattern", "of the backend; absent = any" },
	{ "port",     read_claim_port,     FIELD_KEPT, 0, "1..65535",       "absent = any" },
	{ "binaries", read_claim_binaries, FIELD_KEPT, 0, "[path | glob]",  "who calls; absent = any program" },
	{ 0 }
};

static const struct field leave_fields[] = {
	{ "binaries", read_claim_binaries, FIELD_KEPT, 0, "[path | glob]",  "who sends; absent = any program" },
	{ 0 }
};
/* clang-format on */

static void read_claim(struct reader *r, const struct node *n, struct assertion *as, enum claim_kind kind)
{
	*as = (struct assertion){ .at = n->at, .kind = kind, .host = { .kind = HOST_ANY, .text = "" } };
	if (!read_map(r, n, kind == ASSERT_NEVER_CALL ? call_fields : kind == ASSERT_NEVER_LEAVE ? leave_fields : claim_fields,
		      n->key->text, as))
		return;
	if (kind == ASSERT_NEVER_REACH && !map_get(n, "host"))
		diag_add(r->d, DIAG_MISSING, n->at, NULL, "never_reach needs 'host'");
	if (kind == ASSERT_NEVER_READ_AND_SEND && !map_get(n, "read"))
		diag_add(r->d, DIAG_MISSING, n->at, NULL, "never_read_and_send needs 'read'");
	if (kind != ASSERT_NEVER_READ_AND_SEND && map_get(n, "read"))
		diag_add(r->d, DIAG_RULES, map_get(n, "read")->key->at, NULL,
			 "'read' belongs to never_read_and_send");
}

static void read_never(struct reader *r, const struct node *n, void *obj)
{
	read_claim(r, n, obj, ASSERT_NEVER);
}

static void read_never_reach(struct reader *r, const struct node *n, void *obj)
{
	read_claim(r, n, obj, ASSERT_NEVER_REACH);
}

static void read_never_send(struct reader *r, const struct node *n, void *obj)
{
	read_claim(r, n, obj, ASSERT_NEVER_READ_AND_SEND);
}

static void read_never_call(struct reader *r, const struct node *n, void *obj)
{
	read_claim(r, n, obj, ASSERT_NEVER_CALL);
}

static void read_never_leave(struct reader *r, const struct node *n, void *obj)
{
	read_claim(r, n, obj, ASSERT_NEVER_LEAVE);
}

const struct field assert_fields[] = {
	{ "never", read_never, FIELD_KEPT, 0, "claim", "no such request", claim_fields },
	{ "never_reach", read_never_reach, FIELD_KEPT, 0, "claim", "no such connection", claim_fields },
	{ "never_read_and_send", read_never_send, FIELD_KEPT, 0, "claim",
	  "no program reads such a file and reaches anywhere", claim_fields },
	{ "never_call", read_never_call, FIELD_KEPT, 0, "claim", "no route takes a call of a model", call_fields },
	{ "never_leave", read_never_leave, FIELD_KEPT, 0, "claim", "nothing is sent but to routes that are local", leave_fields },
	{ 0 },
};

void read_asserts(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct assertion *to, one = { 0 };

		if (!read_map(r, v, assert_fields, "assert entry", &one))
			continue;
		if (v->n != 1)
			diag_add(r->d, DIAG_EXCLUSIVE, v->at, NULL, "an assert entry says one thing");
		to = list_push(r->a, &r->p->asserts, sizeof(*to));
		if (to)
			*to = one;
	}
}
