/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <string.h>

#include "schema.h"

const struct key_row key_rows[] = {
#define KEY(path, how) { path, KEY_##how },
#include "keys.def"
#undef KEY
	{ 0 }
};

struct walk {
	struct arena *a;
	const struct key_row *rows;
	const char *unknown;
};

static bool is_known(const struct walk *w, const char *path)
{
	for (const struct key_row *r = w->rows; r->path; r++)
		if (!strcmp(r->path, path))
			return r->how != KEY_UNKNOWN;
	return false;
}

static const struct field *find_field(const struct field *fields, const char *key)
{
	for (const struct field *f = fields; f && f->key; f++)
		if (!strcmp(f->key, key))
			return f;
	return NULL;
}

/* "name -> rule": the keys of this mapping are names, of which each has what `sub` says. */
static bool has_names(const struct field *f)
{
	return strstr(f->type, "->") != NULL;
}

static void visit(struct walk *w, const struct node *n, const struct field *fields,
		  const char *path, bool names)
{
	if (n->kind == NODE_SCALAR || !fields)
		return;
	for (const struct node *v = n->first; v && !w->unknown; v = v->next) {
		const struct field *f = NULL;
		const char *below;

		if (n->kind == NODE_LIST || names) {
			visit(w, v, fields, path, false);
			continue;
		}
		f = find_field(fields, v->key->text);
		below = arena_printf(w->a, "%s%s%s", path, *path ? "." : "", v->key->text);
		if (!f || !below || !is_known(w, below))
			w->unknown = below ? below : v->key->text;
		else
			visit(w, v, f->sub, below, has_names(f));
	}
}

const char *keys_unknown(struct arena *a, struct slice text, const struct key_row *rows)
{
	struct walk w = { .a = a, .rows = rows };
	struct diags d = { 0 };
	const struct node *root = yaml_read(text, a, &d);

	if (root)
		visit(&w, root, policy_fields, "", false);
	diags_done(&d);
	return root ? w.unknown : "the policy";
}
