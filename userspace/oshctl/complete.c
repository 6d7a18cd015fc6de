/* SPDX-License-Identifier: Apache-2.0 */
#include "complete.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "live.h"
#include "options.h"
#include "verbs.h"

struct ask {
	FILE *out;
	const char *typed;		/* of the word that is looked for */
	const char *before;		/* what stands in that word before the part that is completed: "--policy=" */
	const char *socket;
	bool remote;			/* another host's names are not asked for: a tab key starts no ssh */
};

static void offer(struct ask *a, const char *before, const char *word, const char *about)
{
	char whole[512];

	if (snprintf(whole, sizeof(whole), "%s%s", before, word) >= (int)sizeof(whole) ||
	    strncmp(whole, a->typed, strlen(a->typed)))
		return;
	for (const char *c = whole; *c; c++)
		if (*c < ' ' || *c > '~')
			return;		/* nobody's terminal is steered by a name */
	fprintf(a->out, "%s%s", a->before, whole);
	if (about && *about)
		fprintf(a->out, "\t%s", about);
	fputc('\n', a->out);
}

static void offer_name(void *data, const char *name, const char *about)
{
	offer(data, "", name, about);
}

static void offer_presets(struct ask *a, const char *before)
{
	for (size_t i = 0; embed_preset_name(i); i++)
		offer(a, before, embed_preset_name(i), "preset");
}

static void offer_users(struct ask *a)
{
	setpwent();
	for (struct passwd *p; (p = getpwent());)
		offer(a, "", p->pw_name, NULL);
	endpwent();
}

static size_t group_of(const struct verb *v)
{
	const char *space = strchr(v->name, ' ');

	return space ? (size_t)(space - v->name) : 0;
}

static bool is_first(const struct verb *v)
{
	for (const struct verb *x = verbs; x != v; x++)
		if (group_of(x) == group_of(v) && !strncmp(x->name, v->name, group_of(v)))
			return false;
	return true;
}

/* group: NULL = the first word of each verb, else the second of those that begin with it. */
static void offer_verbs(struct ask *a, const char *group)
{
	for (const struct verb *v = verbs; v->name; v++) {
		size_t n = group_of(v);
		char word[32];

		snprintf(word, sizeof(word), "%.*s", (int)n, v->name);
		if (group && n && !strcmp(word, group))
			offer(a, "", v->name + n + 1, v->help);
		else if (!group && !n)
			offer(a, "", v->name, v->help);
		else if (!group && is_first(v))
			offer(a, "", word, "");
	}
}

static void offer_kind(struct ask *a, enum word_kind kind)
{
	switch (kind) {
	case KIND_NONE:
	case KIND_TEXT:
	case KIND_MAX: break;
	case KIND_FILE: fputs(":file\n", a->out); break;
	case KIND_DIR: fputs(":dir\n", a->out); break;
	case KIND_COMMAND: fputs(":command\n", a->out); break;
	case KIND_POLICY:
		fputs(":file\n", a->out);
		offer_presets(a, "preset:");
		break;
	case KIND_PRESET: offer_presets(a, ""); break;
	case KIND_USER: offer_users(a); break;
	case KIND_VERB: offer_verbs(a, NULL); break;
	case KIND_SANDBOX:
		if (!a->remote)
			live_sandboxes(a->socket, offer_name, a);
		break;
	case KIND_PROFILE:
		for (size_t i = 0; embed_profile_name(i); i++)
			offer(a, "", embed_profile_name(i), "type");
		break;
	case KIND_PROVIDER:
		if (!a->remote)
			live_providers(a->socket, offer_name, a);
		break;
	case KIND_VOLUME:
		if (!a->remote)
			live_volumes(a->socket, offer_name, a);
		break;
	}
}

static void offer_options(struct ask *a, const char *verb)
{
	for (const struct verb_option *o = verb_options; o->verb; o++) {
		char letter[3] = { '-', o->letter, 0 };

		if (strcmp(o->verb, verb))
			continue;
		if (*o->name)
			offer(a, "--", o->name, o->text);
		else if (o->letter)
			offer(a, "", letter, o->text);
	}
}

static const struct verb_option *find_option(const char *verb, const char *word)
{
	for (const struct verb_option *o = verb_options; o->verb; o++) {
		size_t n = strlen(o->name);

		if (strcmp(o->verb, verb))
			continue;
		if (n && !strncmp(word, "--", 2) && !strncmp(word + 2, o->name, n) && (!word[2 + n] || word[2 + n] == '='))
			return o;
		if (o->letter && word[0] == '-' && word[1] == o->letter)
			return o;
	}
	return NULL;
}

struct place {
	const struct verb_option *pending;	/* the word is its argument */
	unsigned operands;			/* that stand before it */
	bool no_options;			/* behind "--", or behind a command */
};

static void step(struct place *p, struct ask *a, const char *verb, const char *word)
{
	const struct verb_option *o = p->no_options || *word != '-' ? NULL : find_option(verb, word);
	const char *value = o && !strncmp(word, "--", 2) ? strchr(word, '=') : o && word[2] ? word + 1 : NULL;

	if (p->pending) {
		if (!strcmp(p->pending->name, "socket"))
			a->socket = word;
		p->pending = NULL;
	} else if (!p->no_options && !strcmp(word, "--")) {
		p->no_options = true;
	} else if (o) {
		p->pending = *o->argument && *o->argument != '[' && !value ? o : NULL;
		if (!strcmp(o->name, "socket") && value)
			a->socket = value + 1;
	} else if (p->no_options || *word != '-') {
		p->no_options |= operand_kind(verb, p->operands) == KIND_COMMAND;
		p->operands++;
	}
}

/* "--name=" and what may follow it. */
static bool in_value(struct ask *a, const char *verb, const char *word, char before[64])
{
	const char *value = strncmp(word, "--", 2) ? NULL : strchr(word, '=');
	const struct verb_option *o = value ? find_option(verb, word) : NULL;

	if (!o || value - word >= 62)
		return false;
	snprintf(before, 64, "%.*s", (int)(value + 1 - word), word);
	a->before = before;
	a->typed = value + 1;
	offer_kind(a, o->kind);
	return true;
}

static void in_verb(struct ask *a, const char *verb, int n, char *const *words)
{
	const char *word = words[n - 1];
	struct place p = { 0 };
	char before[64];

	for (int i = 0; i < n - 1; i++)
		step(&p, a, verb, words[i]);
	if (p.pending)
		offer_kind(a, p.pending->kind);
	else if (!p.no_options && in_value(a, verb, word, before))
		return;
	else if (!p.no_options && *word == '-')
		offer_options(a, verb);
	else
		offer_kind(a, operand_kind(verb, p.operands));
}

/* -H HOST and its other forms; how many words it takes up. */
static int skip_host(int n, char *const *words)
{
	if (!strcmp(words[0], "-H") || !strcmp(words[0], "--host"))
		return 2;
	return !strncmp(words[0], "-H", 2) || !strncmp(words[0], "--host=", 7) ? n > 1 : 0;
}

void complete(int n, char *const *words, FILE *out)
{
	struct ask a = { .out = out, .before = "", .typed = n > 0 ? words[n - 1] : "" };
	int skip = n > 1 ? skip_host(n, words) : 0;

	a.remote = skip || getenv("OSH_HOST");
	n -= skip;
	words += skip;
	if (n < 1)
		return;
	if (n == 1) {
		offer_verbs(&a, NULL);
		if (!skip) {
			offer(&a, "", "--host", "on another host, by ssh");
			offer(&a, "", "--help", "the verbs");
			offer(&a, "", "--version", "which osh this is");
		}
		return;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		size_t group = group_of(v);

		if (!group && !strcmp(v->name, words[0]))
			in_verb(&a, v->name, n - 1, words + 1);
		else if (group && n > 2 && strlen(words[0]) == group && !strncmp(v->name, words[0], group) &&
			 !strcmp(v->name + group + 1, words[1]))
			in_verb(&a, v->name, n - 2, words + 2);
	}
	if (n == 2)
		offer_verbs(&a, words[0]);
}
