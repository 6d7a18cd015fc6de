/* SPDX-License-Identifier: Apache-2.0 */
/* `serve`: ports of this sandbox to which routes of other ones may come. Names of sandboxes, too. */
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "osh/limits.h"
#include "own.h"
#include "schema.h"

bool read_sandbox(struct reader *r, const struct node *n, bool glob, const char **ret)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-*?";
	size_t len;

	if (!read_text(r, n, ret))
		return false;
	len = strlen(*ret);
	if (len && len < OSH_SANDBOX_NAME && **ret != '-' && strspn(*ret, letters) == len && (glob || !strpbrk(*ret, "*?")))
		return true;
	diag_add(r->d, DIAG_VALUE, n->at, NULL, "a sandbox's name is 1 to %d of a-z, 0-9 and '-'%s: %.80s", OSH_SANDBOX_NAME - 1,
		 glob ? ", here also '*' for any run and '?' for one of them" : "", *ret);
	*ret = NULL;
	return false;
}

static void read_serve_port(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 1, 65535, &((struct serve *)obj)->port);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_there(const struct list *l, const char *text)
{
	const char *const *v = l->v;

	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(v[i], text))
			return true;
	return false;
}

/* Does another one let the same names in already? A pattern's own text is a name of which it is true. */
static bool is_held(const struct list *l, const char *text)
{
	const char *const *v = l->v;

	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(v[i], "*") || (!strpbrk(text, "*?") && glob_match(v[i], text)))
			return true;
	return false;
}

static void read_serve_to(struct reader *r, const struct node *n, void *obj)
{
	struct serve *to = obj;
	const char **slot, *text;

	if (!want_kind(r, n, NODE_LIST))
		return;
	if (!n->n)
		diag_add(r->d, DIAG_VALUE, n->at, "leave the entry away", "an empty list lets nobody in");
	for (const struct node *v = n->first; v; v = v->next) {
		if (!read_sandbox(r, v, true, &text))
			continue;
		if (is_held(&to->to, text) || is_there(&to->to, text))
			diag_add(r->d, DIAG_SHADOWED, v->at, NULL, "'%s' is let in already", text);
		if (is_there(&to->to, text))
			continue;
		slot = list_push(r->a, &to->to, sizeof(*slot));
		if (slot)
			*slot = text;
	}
	if (to->to.n)
		qsort(to->to.v, to->to.n, sizeof(char *), by_text);
}

/* clang-format off */
const struct field serve_fields[] = {
	{ "port", read_serve_port, FIELD_KEPT, FIELD_REQUIRED, "1..65535", "on the loopback of this sandbox" },
	{ "to",   read_serve_to,   FIELD_KEPT, FIELD_REQUIRED, "[glob]",   "names of sandboxes of the same user whose routes may come in" },
	{ 0 },
};
/* clang-format on */

static int by_port(const void *pa, const void *pb)
{
	const struct serve *a = pa, *b = pb;

	return a->port < b->port ? -1 : a->port > b->port;
}

void read_serves(struct reader *r, const struct node *n, void *obj)
{
	uint32_t all = 0;

	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct serve one = { .at = v->at }, *to;

		if (!read_map(r, v, serve_fields, "serve", &one) || !one.port || !one.to.n)
			continue;
		for EACH (struct serve, was, &r->p->serves)
			if (was->port == one.port)
				diag_add(r->d, DIAG_DUPLICATE, v->at, "put the names into one list", "port %u was given before, on line %u",
					 was->port, was->at.line);
		all += one.to.n;
		to = list_push(r->a, &r->p->serves, sizeof(*to));
		if (to)
			*to = one;
	}
	if (all > OSH_SERVES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d names", OSH_SERVES);
	if (r->p->serves.n)
		qsort(r->p->serves.v, r->p->serves.n, sizeof(struct serve), by_port);
}
