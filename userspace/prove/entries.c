/* SPDX-License-Identifier: Apache-2.0 */
#include "entries.h"

#include <string.h>

#include "diag.h"

#define TOLD 20				/* enough for a person; each is looked for from the start of the text */
#define SPACE " \t\r\n"

struct cursor {
	const char *at, *end;
};

/* jansson has taken the text already, so no value is cut short. */
static void skip_space(struct cursor *c)
{
	while (c->at < c->end && memchr(SPACE, *c->at, sizeof(SPACE) - 1))
		c->at++;
}

static void skip_string(struct cursor *c)
{
	for (c->at++; c->at < c->end && *c->at != '"'; c->at++)
		c->at += *c->at == '\\';
	c->at++;
}

/* To the comma or bracket behind a value, or the value's own end. */
static void skip_value(struct cursor *c)
{
	int depth = 0;

	while (c->at < c->end) {
		if (*c->at == '"') {
			skip_string(c);
			continue;
		}
		if (!depth && strchr(",]}", *c->at))
			return;
		depth += *c->at == '[' || *c->at == '{';
		depth -= *c->at == ']' || *c->at == '}';
		c->at++;
	}
}

/* To the value of a key; the key is written without escapes, or its object is what is shown. */
static bool enter(struct cursor *c, const char *key)
{
	size_t n = strlen(key);

	for (c->at++; c->at < c->end && *c->at != '}'; c->at++) {
		const char *from;
		bool found;

		skip_space(c);
		from = c->at + 1;
		skip_string(c);
		found = (size_t)(c->at - from) == n + 1 && !memcmp(from, key, n);
		skip_space(c);
		c->at++;		/* the colon */
		skip_space(c);
		if (found)
			return true;
		skip_value(c);
		if (c->at < c->end && *c->at == '}')
			break;
	}
	return false;
}

/* Where the n-th entry begins, from 0. */
static struct place place_of(struct slice text, const char *key, size_t n)
{
	struct cursor c = { text.p, text.p + text.n };
	struct place at = { 1, 1 };

	skip_space(&c);
	if (c.at < c.end && *c.at == '{' && !enter(&c, key))
		return at;
	for (c.at++; n && c.at < c.end; n--) {
		skip_value(&c);
		c.at++;
	}
	skip_space(&c);
	for (const char *p = text.p; p < c.at && p < c.end; p++) {
		at.col = *p == '\n' ? 1 : at.col + 1;
		at.line += *p == '\n';
	}
	return at;
}

static bool read_all(struct arena *a, const struct entries *f, struct slice text, struct list *ret, struct diags *d)
{
	json_error_t bad;
	json_t *root = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &bad), *list, *v;
	const char *why;
	size_t i;

	list = json_is_object(root) ? json_object_get(root, f->key) : root;
	if (!root)
		diag_add(d, DIAG_SYNTAX, (struct place){ (uint32_t)bad.line, bad.column > 0 ? (uint32_t)bad.column : 1 }, f->hint,
			 "%s", bad.text);
	else if (!json_is_array(list))
		diag_add(d, DIAG_TYPE, (struct place){ 1, 1 }, f->hint, "neither a list nor an object with '%s', which is one", f->key);
	json_array_foreach(list, i, v) {
		if (d->n == TOLD)
			break;
		why = f->read(a, v, ret);
		if (why)
			diag_add(d, DIAG_VALUE, place_of(text, f->key, i), f->hint, "%s", why);
	}
	json_decref(root);
	return !d->n_errors;
}

bool entries_read(struct arena *a, const struct entries *f, struct slice text, struct list *ret)
{
	struct diags d = { 0 };
	bool ok = read_all(a, f, text, ret, &d);

	if (!ok)
		diags_print(&d, stderr, f->name, text, false);
	diags_done(&d);
	return ok;
}
