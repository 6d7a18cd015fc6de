/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in the text of a policy more entries go, so that every line of its author's stays as it is:
 * behind an opening bracket, below the line of a key, or at the end. What was found wrong shows
 * when the text is read again (learn.c).
 */
#include <string.h>

#include "learn.h"
#include "schema.h"

/* YAML's line breaks, of which three are not ASCII; their length, 0 = none. */
static size_t line_break(const char *p, const char *end)
{
	size_t left = (size_t)(end - p);

	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if (*p == '\n')
		return 1;
	if (left > 1 && !memcmp(p, "\xc2\x85", 2))
		return 2;
	return left > 2 && (!memcmp(p, "\xe2\x80\xa8", 3) || !memcmp(p, "\xe2\x80\xa9", 3)) ? 3 : 0;
}

/* The byte where a line begins, which may be the end; SIZE_MAX = there is no such line. */
static size_t line_start(struct slice t, uint32_t line)
{
	const char *p = t.p, *end = t.p + t.n;

	while (p < end && line > 1) {
		size_t n = line_break(p, end);

		line -= n > 0;
		p += n ? n : 1;
	}
	return line > 1 ? SIZE_MAX : (size_t)(p - t.p);
}

/* Columns are characters. */
static size_t byte_of(struct slice t, struct place at)
{
	size_t i = line_start(t, at.line);

	if (i == 0 && t.n > 2 && !memcmp(t.p, "\xef\xbb\xbf", 3))
		i = 3;
	for (uint32_t col = 1; i < t.n && col < at.col; col++)
		for (i++; i < t.n && ((unsigned char)t.p[i] & 0xc0) == 0x80; i++)
			;
	return i;
}

static bool has_line(struct slice t, const char *mark)
{
	for (const char *p = t.p, *end = t.p + t.n; p && p < end;
	     p = memchr(p, '\n', (size_t)(end - p)), p = p ? p + 1 : p)
		if ((size_t)(end - p) >= strlen(mark) && !memcmp(p, mark, strlen(mark)))
			return true;
	return false;
}

static int no_place(const struct node *n, struct err *e)
{
	return fail(e, EINVAL,
		    "%u:%u: no place was found for more entries here: write the section out in "
		    "lines of its own",
		    n->at.line, n->at.col);
}

/* Of the root: behind everything, or before its first key where something ends the document. */
static int place_in_root(struct slice t, const struct node *root, struct learn_place *ret,
			 struct err *e)
{
	bool end = root->at.col == 1 && !has_line(t, "...");

	ret->at = end ? t.n : line_start(t, root->at.line);
	ret->indent = root->at.col - 1;
	ret->newline = end && t.n && t.p[t.n - 1] != '\n';
	return ret->at == SIZE_MAX ? no_place(root, e) : 0;
}

static int place_in(struct slice t, const struct node *n, const struct node *root,
		    struct learn_place *ret, struct err *e)
{
	size_t at = byte_of(t, n->at);

	ret->is_list = n->kind == NODE_LIST;
	if (n->kind == NODE_SCALAR || at >= t.n)
		return no_place(n, e);
	if (t.p[at] == (ret->is_list ? '[' : '{')) {
		ret->flow = true;
		ret->at = at + 1;
		ret->indent = 2 * ret->depth + 2;
		return 0;
	}
	if (n == root)
		return place_in_root(t, root, ret, e);
	if (!n->key || n->key->at.line >= n->at.line)
		return no_place(n, e);
	ret->at = line_start(t, n->key->at.line + 1);
	ret->indent = n->at.col - 1;
	return ret->at == SIZE_MAX ? no_place(n, e) : 0;
}

int learn_find_place(struct slice text, const char *const *path, struct learn_place *ret,
		     struct err *e)
{
	struct arena a = { 0 };
	struct diags d = { 0 };
	const struct node *root = yaml_read(text, &a, &d), *n = root, *next;
	int r;

	*ret = (struct learn_place){ 0 };
	while (n && path[ret->depth] && (next = map_get(n, path[ret->depth]))) {
		n = next;
		ret->depth++;
	}
	r = n ? place_in(text, n, root, ret, e)
	      : fail(e, EINVAL, "the policy cannot be read any more");
	arena_done(&a);
	diags_done(&d);
	return r;
}
