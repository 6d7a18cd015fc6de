/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Program paths. The kernel knows a program by the path that was walked inside the sandbox; where
 * /bin is a link to /usr/bin that path never begins with /bin, so such a path is listed both ways.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "osh/limits.h"
#include "own.h"
#include "path.h"

#define BRACE_MAX 64			/* alternatives of one path */

static void push(struct reader *r, struct rule *rule, const char *path)
{
	struct program *p = path ? list_push(r->a, &rule->programs, sizeof(*p)) : NULL;

	if (p)
		*p = (struct program){ .path = path, .glob = strpbrk(path, "*?") != NULL };
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
static void push_helpers(struct reader *r, struct rule *rule, const char *binary)
{
	const struct node *list = helpers(r);

	for (const struct node *v = list ? list->first : NULL; v; v = v->next) {
		const struct node *of = map_get(v, "binary"), *runs = map_get(v, "runs");

		if (!of || !runs || strcmp(of->text, binary))
			continue;
		for (const struct node *h = runs->first; h; h = h->next)
			push(r, rule, h->text);
	}
}

static void push_spellings(struct reader *r, struct rule *rule, const char *path)
{
	static const char *const merged[] = { "/bin/", "/sbin/", "/lib/", "/lib64/" };
	const char *usr = NULL;

	push(r, rule, path);
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
		if (!strncmp(path, merged[i], strlen(merged[i])))
			usr = arena_printf(r->a, "/usr%s", path);
	if (usr)
		push(r, rule, usr);
	push_helpers(r, rule, usr ? usr : path);
}

static bool bad(struct reader *r, const struct node *n, enum diag_code code, const char *what)
{
	diag_add(r->d, code, n->at, NULL, "%s: %.120s", what, n->text);
	return false;
}

static bool push_clean(struct reader *r, const struct node *n, struct rule *rule, const char *text)
{
	const char *path = NULL;

	switch (path_clean(r->a, text, OSH_PATH_MAX, false, &path)) {
	case PATH_OK:
		break;
	case PATH_RELATIVE:
		return bad(r, n, DIAG_PROGRAM, "program path must be absolute");
	case PATH_DOTDOT:
		return bad(r, n, DIAG_PROGRAM, "program path contains '..'");
	case PATH_LONG:
		return bad(r, n, DIAG_PROGRAM, "program path is longer than 255 bytes");
	case PATH_CONTROL:
		return bad(r, n, DIAG_PROGRAM, "program path contains a control byte");
	}
	if (!strcmp(path, "/"))
		return bad(r, n, DIAG_PROGRAM, "program path names no file");
	push_spellings(r, rule, path);
	return true;
}

/* End of the group that opens at *p, or NULL; commas at its own level end alternatives. */
static const char *brace_end(const char *p)
{
	unsigned depth = 0;

	for (; *p; p++) {
		depth += *p == '{';
		depth -= *p == '}';
		if (!depth)
			return p;
	}
	return NULL;
}

/* Expands the first group and goes on with each result; `left` bounds all of it together. */
static bool expand(struct reader *r, const struct node *n, struct rule *rule, const char *text,
		   unsigned *left)
{
	const char *open = strchr(text, '{'), *end, *from;
	unsigned depth = 0;

	if (!open && strchr(text, '}'))
		return bad(r, n, DIAG_PROGRAM, "unbalanced braces");
	if (!*left || !(*left)--)
		return bad(r, n, DIAG_LIMIT, "braces stand for too many paths");
	if (!open)
		return push_clean(r, n, rule, text);
	end = brace_end(open);
	if (!end)
		return bad(r, n, DIAG_PROGRAM, "unbalanced braces");
	from = open + 1;
	for (const char *p = from; p <= end; p++) {
		if (p == end || (*p == ',' && !depth)) {
			const char *one = arena_printf(r->a, "%.*s%.*s%s", (int)(open - text), text,
						       (int)(p - from), from, end + 1);

			if (!one || !expand(r, n, rule, one, left))
				return false;
			from = p + 1;
		}
		depth += *p == '{';
		depth -= *p == '}' && p < end;
	}
	return true;
}

void program_add(struct reader *r, const struct node *path, struct rule *rule)
{
	unsigned left = BRACE_MAX;
	const char *text;

	if (!read_text(r, path, &text))
		return;
	if (strpbrk(text, "[]\\"))
		(void)bad(r, path, DIAG_LATER, "not enforced yet: [] and \\ in program paths");
	else
		(void)expand(r, path, rule, text, &left);
}

static int by_path(const void *pa, const void *pb)
{
	const struct program *a = pa, *b = pb;

	return strcmp(a->path, b->path);
}

/* Programs that do what their arguments or input say: a rule for one is a rule for every caller. */
static bool interpreter(const char *path)
{
	static const char *const names[] = {
		"bash", "sh",  "dash", "zsh",  "fish", "ksh",  "busybox", "node", "nodejs", "deno",
		"bun",  "perl", "ruby", "php",  "lua",	"java", "env",	   "xargs", "make",  "awk",
	};
	const char *base = strrchr(path, '/') + 1;

	if (!strncmp(base, "python", 6))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(base, names[i]))
			return true;
	return false;
}

void programs_finish(struct reader *r, struct rule *rule)
{
	struct program *p = rule->programs.v;
	const char *warned = NULL;
	uint32_t n = 0;

	if (rule->programs.n)
		qsort(p, rule->programs.n, sizeof(*p), by_path);
	for (uint32_t i = 0; i < rule->programs.n; i++)
		if (!n || strcmp(p[n - 1].path, p[i].path))
			p[n++] = p[i];
	rule->programs.n = n;
	for (uint32_t i = 0; i < n && !warned; i++)
		if (interpreter(p[i].path))
			warned = p[i].path;
	if (warned)
		diag_add(r->d, DIAG_INTERPRETER, rule->at, NULL,
			 "rule '%.60s' lists %.100s, which runs whatever its caller gives it",
			 rule->name, warned);
}
