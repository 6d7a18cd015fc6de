/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the `type` of each row into a schema. Its little language: words for scalars (below), other
 * words for values that are spelt so, "a | b" for either, "[T]" for a list, "K -> T" for a mapping
 * with keys of one's own, "{...}" or a word of no other meaning for a mapping with the keys of `sub`.
 * What a schema cannot say (overlaps, which keys fit a protocol) remains for `policy check`.
 */
#include "schema_json.h"

#include <string.h>

#include "own.h"
#include "schema.h"

enum scalar { S_NONE, S_TEXT, S_BOOL, S_NUMBER, S_PORT, S_EITHER, S_AMOUNT, S_ONE, S_ANY };

static const struct {
	const char *word;
	enum scalar as;
} words[] = {
	{ "path", S_TEXT },    { "glob", S_TEXT },    { "text", S_TEXT },     { "name", S_TEXT },
	{ "hex", S_TEXT },     { "method", S_TEXT },  { "pattern", S_TEXT },  { "address", S_TEXT },
	{ "network", S_TEXT }, { "host", S_TEXT },    { "bool", S_BOOL },     { "number", S_NUMBER },
	{ "uid", S_EITHER },   { "gid", S_EITHER },   { "index", S_EITHER },  { "amount", S_AMOUNT },
	{ "1", S_ONE },	       { "1..65535", S_PORT }, { "any", S_ANY },
};

#define PARTS_MAX 16

struct parts {
	struct slice v[PARTS_MAX];
	size_t n;
};

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

static enum scalar scalar_of(struct slice s)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is(s, words[i].word))
			return words[i].as;
	return S_NONE;
}

static void list_of(struct json *j, const char *key, const char *a, const char *b)
{
	json_key(j, key);
	json_arr(j);
	json_text(j, a);
	json_text(j, b);
	json_end(j);
}

static void put_scalar(struct json *j, enum scalar s)
{
	switch (s) {
	case S_TEXT: json_kv_str(j, "type", "string"); break;
	case S_BOOL: json_kv_str(j, "type", "boolean"); break;
	case S_EITHER: list_of(j, "type", "integer", "string"); break;
	case S_AMOUNT: list_of(j, "type", "number", "string"); break;
	case S_ONE: json_kv_u64(j, "const", 1); break;
	case S_NUMBER:
	case S_PORT:
		json_kv_str(j, "type", "integer");
		json_kv_u64(j, "minimum", s == S_PORT);
		if (s == S_PORT)
			json_kv_u64(j, "maximum", 65535);
		break;
	case S_NONE:
	case S_ANY: break;
	}
}

/* Where `mark` stands outside of all brackets, or NULL. */
static const char *find(struct slice s, const char *mark)
{
	size_t n = strlen(mark);
	int depth = 0;

	for (size_t i = 0; i + n <= s.n; i++) {
		if (!depth && !memcmp(s.p + i, mark, n))
			return s.p + i;
		depth += s.p[i] == '[' || s.p[i] == '{';
		depth -= s.p[i] == ']' || s.p[i] == '}';
	}
	return NULL;
}

static void put_type(struct json *j, struct slice type, const struct field *sub);

static void put_row(struct json *j, const struct field *f)
{
	char doc[256];

	json_key(j, f->key);
	json_obj(j);
	snprintf(doc, sizeof(doc), "%s%s", f->doc, f->stage == FIELD_KEPT ? "" : " (not enforced yet)");
	json_kv_str(j, "description", doc);
	if (f->flags & FIELD_IGNORED)
		json_kv_bool(j, "deprecated", true);
	put_type(j, (struct slice){ f->type, strlen(f->type) }, f->sub);
	json_end(j);
}

static void put_map(struct json *j, const struct field *fields)
{
	bool required = false;

	json_kv_str(j, "type", "object");
	json_key(j, "properties");
	json_obj(j);
	for (const struct field *f = fields; f && f->key; f++) {
		put_row(j, f);
		required |= f->flags & FIELD_REQUIRED;
	}
	json_end(j);
	json_kv_bool(j, "additionalProperties", !fields);
	if (!required)
		return;
	json_key(j, "required");
	json_arr(j);
	for (const struct field *f = fields; f->key; f++)
		if (f->flags & FIELD_REQUIRED)
			json_text(j, f->key);
	json_end(j);
}

static bool spelt(struct slice one, const struct field *sub)
{
	return !sub && scalar_of(one) == S_NONE && *one.p != '[' && *one.p != '{' && !is(one, "mapping");
}

static void put_one(struct json *j, struct slice one, const struct field *sub)
{
	if (scalar_of(one) != S_NONE) {
		put_scalar(j, scalar_of(one));
	} else if (*one.p == '[') {
		json_kv_str(j, "type", "array");
		json_key(j, "items");
		json_obj(j);
		put_type(j, (struct slice){ one.p + 1, one.n - 2 }, sub);
		json_end(j);
	} else {
		put_map(j, sub);
	}
}

/* Does an earlier part say the same, as `path | glob` does? */
static bool repeats(const struct parts *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (scalar_of(p->v[i]) != S_NONE && scalar_of(p->v[k]) == scalar_of(p->v[i]))
			return true;
	return false;
}

static struct parts split(struct slice type)
{
	struct parts p = { 0 };

	while (p.n < PARTS_MAX) {
		const char *bar = find(type, " | ");

		p.v[p.n++] = (struct slice){ type.p, bar ? (size_t)(bar - type.p) : type.n };
		if (!bar)
			break;
		type.n -= (size_t)(bar + 3 - type.p);
		type.p = bar + 3;
	}
	return p;
}

static void put_enum(struct json *j, const struct parts *p, const struct field *sub)
{
	json_key(j, "enum");
	json_arr(j);
	for (size_t i = 0; i < p->n; i++)
		if (spelt(p->v[i], sub))
			json_str(j, p->v[i].p, p->v[i].n);
	json_end(j);
}

static void put_alternatives(struct json *j, const struct parts *p, const struct field *sub)
{
	size_t others = 0, spellings = 0;
	bool several;

	for (size_t i = 0; i < p->n; i++) {
		spellings += spelt(p->v[i], sub);
		others += !spelt(p->v[i], sub) && !repeats(p, i);
	}
	several = others + !!spellings > 1;
	if (several) {
		json_key(j, "anyOf");
		json_arr(j);
	}
	for (size_t i = 0; i <= p->n; i++) {
		bool last = i == p->n;

		if (last ? !spellings : spelt(p->v[i], sub) || repeats(p, i))
			continue;
		if (several)
			json_obj(j);
		if (last)
			put_enum(j, p, sub);
		else
			put_one(j, p->v[i], sub);
		if (several)
			json_end(j);
	}
	if (several)
		json_end(j);
}

static void put_type(struct json *j, struct slice type, const struct field *sub)
{
	const char *arrow = find(type, " -> ");
	struct parts p;

	if (arrow) {
		json_kv_str(j, "type", "object");
		json_key(j, "additionalProperties");
		json_obj(j);
		put_type(j, (struct slice){ arrow + 4, type.n - (size_t)(arrow + 4 - type.p) }, sub);
		json_end(j);
		return;
	}
	p = split(type);
	put_alternatives(j, &p, sub);
}

/* OpenShell's keys need `version` beside them. */
static void put_version_rule(struct json *j)
{
	json_key(j, "dependentRequired");
	json_obj(j);
	for (const struct field *f = policy_fields; f->key; f++) {
		if ((f->flags & FIELD_OWN) || !strcmp(f->key, "version"))
			continue;
		json_key(j, f->key);
		json_arr(j);
		json_text(j, "version");
		json_end(j);
	}
	json_end(j);
}

void schema_json(struct json *j)
{
	json_obj(j);
	json_kv_str(j, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_kv_str(j, "title", "osh policy");
	put_map(j, policy_fields);
	json_kv_u64(j, "minProperties", 1);
	put_version_rule(j);
	json_end(j);
}
