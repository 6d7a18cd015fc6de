/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches the change: applies candidates, smallest first, to a copy of the policy and asks eval.
 * Since rules are a union, denying may take several steps. Pure, bounded by the candidates' tables.
 */
#include "flip_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ambiguity.h"
#include "policy.h"

bool flip_copy(struct arena *a, struct list *l, size_t size)
{
	size_t cap = 1;
	void *v;

	while (cap < l->n)
		cap *= 2;
	v = arena_zalloc(a, cap * size);
	if (v && l->n)
		memcpy(v, l->v, l->n * size);
	l->v = v;
	return v;
}

void flip_drop(struct list *l, size_t size, const void *one)
{
	size_t at = (size_t)((const char *)one - (const char *)l->v) / size;
	char *v = l->v;

	memmove(v + at * size, v + (at + 1) * size, (l->n - at - 1) * size);
	l->n--;
}

static bool copy_policy(struct arena *a, const struct policy *p, struct policy *ret)
{
	*ret = *p;
	ret->arena = (struct arena){ 0 };
	if (!flip_copy(a, &ret->rules, sizeof(struct rule)) ||
	    !flip_copy(a, &ret->fs, sizeof(struct fs_entry)) ||
	    !flip_copy(a, &ret->exec.allow, sizeof(struct program)) ||
	    !flip_copy(a, &ret->serves, sizeof(struct serve)))
		return false;
	for (uint32_t i = 0; i < ret->serves.n; i++)
		if (!flip_copy(a, &((struct serve *)ret->serves.v + i)->to, sizeof(char *)))
			return false;
	for (uint32_t i = 0; i < ret->rules.n; i++) {
		struct rule *rule = (struct rule *)ret->rules.v + i;

		if (!flip_copy(a, &rule->endpoints, sizeof(struct endpoint)) ||
		    !flip_copy(a, &rule->programs, sizeof(struct program)))
			return false;
	}
	return true;
}

struct endpoint *flip_endpoint(struct work *w, struct rule *rule)
{
	struct endpoint *e = rule ? rule->endpoints.v : NULL, *found = NULL;

	/* A decision about a request may name a line inside the endpoint. */
	for (uint32_t i = 0; rule && i < rule->endpoints.n; i++)
		if (e[i].at.line == w->d.line ||
		    (w->q->kind == ASK_REQUEST && e[i].at.line < w->d.line))
			found = e + i;
	return found;
}

struct rule *flip_rule(struct work *w)
{
	struct rule *rule = w->now.rules.v;

	for (uint32_t i = 0; w->d.rule && i < w->now.rules.n; i++)
		if (!strcmp(rule[i].name, w->d.rule) && flip_endpoint(w, rule + i))
			return rule + i;
	return NULL;
}

const char *flip_quote(struct arena *a, const char *text)
{
	size_t n = strlen(text);
	char *out = arena_zalloc(a, n * 4 + 3), *at = out;

	if (!out)
		return NULL;
	if (n && isalpha((unsigned char)text[*text == '/' && n > 1]) && strchr(text, '.' ) != text &&
	    (strchr(text, '.') || strchr(text, '/')) &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == n)
		return strcpy(out, text);
	*at++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			at += sprintf(at, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			at += sprintf(at, "\\%c", c);
		else
			*at++ = (char)c;
	}
	*at = '"';
	return out;
}

const char *flip_host(struct arena *a, const struct host *h)
{
	switch (h->kind) {
	case HOST_ONE:
		return arena_printf(a, "\"*%s\"", h->text);
	case HOST_DEEP:
		return arena_printf(a, "\"**%s\"", h->text);
	case HOST_GLOB:
		return flip_quote(a, h->glob.text);
	case HOST_NAME:
	case HOST_NET:
	case HOST_ANY:
		break;
	}
	return flip_quote(a, h->text);
}

const struct policy *flip_read(struct work *w, const char *yaml)
{
	const char *text = yaml ? arena_printf(w->a, "version: 1\n%s", yaml) : NULL;
	struct policy *p = &w->snippets[w->n_snippets];
	struct diags d = { 0 };
	int r;

	if (!text || w->n_snippets == FLIP_SNIPPETS)
		return NULL;
	w->n_snippets++;
	r = policy_read(p, slice_of(text), &d);
	diags_done(&d);
	/* Who asks about a request has a policy that looks inside, kept or not. */
	return r == 0 && (!p->unkept.n || w->q->kind == ASK_REQUEST) ? p : NULL;
}

/* Endpoints that contradict each other make no policy. */
static bool consistent(struct work *w)
{
	struct policy scratch = w->now;
	struct diags d = { 0 };
	bool ok;

	scratch.arena = (struct arena){ 0 };
	check_ambiguity(&scratch, &d);
	ok = !d.n_errors && !scratch.arena.bad;
	arena_done(&scratch.arena);
	diags_done(&d);
	return ok;
}

static bool try_edit(struct work *w, const struct policy *from, edit_fn *edit, struct change *ret)
{
	w->c = (struct change){ 0 };
	if (!copy_policy(w->a, from, &w->now))
		return false;
	w->d = ask_eval(from, w->q);
	if (!edit(w) || !w->c.yaml || !consistent(w))
		return false;
	w->d = ask_eval(&w->now, w->q);
	*ret = w->c;
	return true;
}

static bool allow_once(struct work *w, const struct policy *p, struct change *ret)
{
	for (edit_fn *const *edit = flip_allow; *edit; edit++)
		if (try_edit(w, p, *edit, ret) && w->d.verdict == OSH_ALLOW)
			return true;
	return false;
}

/* What is in the way is taken out of it, one thing after another, until one change more allows. */
static bool allow(struct work *w, const struct policy *p, struct flip *ret)
{
	struct policy from = *p;

	for (ret->n = 1; ret->n <= FLIP_STEPS; ret->n++) {
		edit_fn *const *edit = flip_obstacle;

		if (allow_once(w, &from, &ret->step[ret->n - 1]))
			return true;
		while (*edit && !try_edit(w, &from, *edit, &ret->step[ret->n - 1]))
			edit++;
		if (!*edit)
			return false;
		from = w->now;
	}
	return false;
}

/* Takes away what allows, again and again. Every step is the first candidate that applies. */
static bool deny(struct work *w, const struct policy *p, struct flip *ret)
{
	struct policy from = *p;

	for (ret->n = 0; ret->n < FLIP_STEPS;) {
		edit_fn *const *edit = flip_deny;

		while (*edit && !try_edit(w, &from, *edit, &ret->step[ret->n]))
			edit++;
		if (!*edit)
			return false;
		ret->n++;
		if (w->d.verdict == OSH_DENY)
			return true;
		from = w->now;
	}
	return false;
}

void flip_find(const struct policy *p, const struct ask *q, struct arena *a, struct flip *ret)
{
	struct work w = { .a = a, .q = q };
	bool found;

	*ret = (struct flip){ .n = 1 };
	if (ask_eval(p, q).verdict == OSH_ALLOW)
		found = deny(&w, p, ret);
	else
		found = allow(&w, p, ret);
	ret->after = w.d;
	if (w.d.rule)			/* may lie in a snippet */
		ret->after.rule = arena_text(a, w.d.rule, strlen(w.d.rule));
	if (!found || a->bad)
		ret->n = 0;
	for (uint32_t i = 0; i < w.n_snippets; i++)
		policy_done(&w.snippets[i]);
}
