/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Program paths. The kernel knows a program by the path that was walked inside the sandbox; where
 * /bin is a link to /usr/bin that path never begins with /bin, so such a path is listed both ways.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "home.h"
#include "osh/limits.h"
#include "own.h"
#include "path.h"

struct adding {
	struct reader *r;
	const struct program_in *in;
	struct list *to;
};

static void push(const struct adding *ad, const char *path, const char *sha256)
{
	struct program *p = path ? list_push(ad->r->a, ad->to, sizeof(*p)) : NULL;

	if (p)
		*p = (struct program){ .path = path,
				       .sha256 = sha256,
				       .inherit = ad->in->inherit,
				       .glob = pattern_special(path) };
}

static const struct node *helpers(struct reader *r)
{
	struct diags ignored = { 0 };

	if (!r->helpers)
		r->helpers = map_get(yaml_read(embed_helpers(), r->a, &ignored), "helpers");
	diags_done(&ignored);
	return r->helpers;
}

/* Every helper of `binary`, from the registry compiled into this program. */
static void push_helpers(const struct adding *ad, const char *binary)
{
	const struct node *list = helpers(ad->r);

	for (const struct node *v = list ? list->first : NULL; v; v = v->next) {
		const struct node *of = map_get(v, "binary"), *runs = map_get(v, "runs");

		if (!of || !runs || strcmp(of->text, binary))
			continue;
		for (const struct node *h = runs->first; h; h = h->next)
			push(ad, h->text, NULL);
	}
}

static void push_spellings(const struct adding *ad, const char *path)
{
	static const char *const merged[] = { "/bin/", "/sbin/", "/lib/", "/lib64/" };
	const char *usr = NULL;

	push(ad, path, ad->in->sha256);
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
		if (!strncmp(path, merged[i], strlen(merged[i])))
			usr = arena_printf(ad->r->a, "/usr%s", path);
	if (usr)
		push(ad, usr, ad->in->sha256);
	push_helpers(ad, usr ? usr : path);
}

static bool bad(const struct adding *ad, enum diag_code code, const char *what)
{
	diag_add(ad->r->d, code, ad->in->path->at, NULL, "%s: %.120s", what, ad->in->path->text);
	return false;
}

static bool push_clean(const struct adding *ad, const char *text)
{
	const char *path = NULL;

	switch (path_clean(ad->r->a, text, OSH_PATH_MAX, false, &path)) {
	case PATH_OK:
		break;
	case PATH_RELATIVE:
		return bad(ad, DIAG_PROGRAM, "program path must be absolute");
	case PATH_DOTDOT:
		return bad(ad, DIAG_PROGRAM, "program path contains '..'");
	case PATH_LONG:
		return bad(ad, DIAG_PROGRAM, "program path is longer than 255 bytes");
	case PATH_CONTROL:
		return bad(ad, DIAG_PROGRAM, "program path contains a control byte");
	}
	if (!strcmp(path, "/"))
		return bad(ad, DIAG_PROGRAM, "program path names no file");
	push_spellings(ad, path);
	return true;
}

void program_add(struct reader *r, const struct program_in *in, struct list *ret)
{
	struct adding ad = { r, in, ret };
	struct list alts = { 0 };
	enum pattern_error why;
	const char *text;

	if (!read_text(r, in->path, &text))
		return;
	text = home_expand(r, in->path, text, DIAG_PROGRAM);
	if (!text)
		return;
	why = braces_expand(r->a, text, &alts);
	if (why != PATTERN_OK)
		(void)bad(&ad, why == PATTERN_MANY ? DIAG_LIMIT : DIAG_PROGRAM, pattern_why(why));
	else if (strpbrk(text, "[]\\"))
		unkept(r, in->path->at, "[] and \\ in program paths");
	for (uint32_t i = 0; why == PATTERN_OK && i < alts.n; i++)
		if (!push_clean(&ad, ((const char **)alts.v)[i]))
			return;
}

static int by_path(const void *pa, const void *pb)
{
	const struct program *a = pa, *b = pb;

	int order = strcmp(a->path, b->path);

	/* Of two entries for one path the wider one comes first, as either allows. */
	if (!order)
		order = (int)b->inherit - (int)a->inherit;
	if (!order && (!a->sha256 || !b->sha256))
		return (a->sha256 != NULL) - (b->sha256 != NULL);
	return order ? order : strcasecmp(a->sha256, b->sha256);
}

void programs_sort(struct list *programs)
{
	struct program *p = programs->v;
	uint32_t n = 0;

	if (programs->n)
		qsort(p, programs->n, sizeof(*p), by_path);
	for (uint32_t i = 0; i < programs->n; i++)
		if (!n || by_path(&p[n - 1], &p[i]))
			p[n++] = p[i];
	programs->n = n;
}
