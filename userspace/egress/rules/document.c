/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of GraphQL documents: which operation will run, and its root fields with fragments resolved and
 * aliases seen through. Strict where implementations differ: no byte beyond ASCII outside of strings,
 * no type definitions, no two definitions of one name. Directives are ignored: a skipped field counts.
 */
#include "parts.h"

#define DEPTH 64			/* nesting of selections, values and types together */
#define DEFINITIONS 128			/* operations, and fragments */

struct definition {
	struct slice name;		/* n == 0: anonymous */
	uint32_t type;			/* operations */
	const char *selections;		/* at its `{` */
	bool seen;			/* fragments: its fields are in */
};

struct document {
	const char *p, *end;
	unsigned depth;
	struct definition ops[DEFINITIONS], fragments[DEFINITIONS];
	uint32_t n_ops, n_fragments;
	struct graphql *to;		/* NULL while only the shape is read */
	uint32_t spreads[DEFINITIONS];	/* fragments whose fields are to be added */
	uint32_t n_spreads;
};

static bool name_byte(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

/* Space, commas and comments. Bytes that may not stand anywhere are left for the caller to stumble on. */
static void skip(struct document *d)
{
	for (; d->p < d->end; d->p++) {
		if (*d->p == '#')
			while (d->p < d->end && ((*d->p >= 0x20 && *d->p != 0x7f) || *d->p == '\t'))
				d->p++;
		if (d->p == d->end || !*d->p || !strchr(" \t\r\n,", *d->p))
			return;
	}
}

static char peek(struct document *d)
{
	skip(d);
	return d->p < d->end ? *d->p : 0;
}

static bool eat(struct document *d, char c)
{
	if (peek(d) != c)
		return false;
	d->p++;
	return true;
}

static bool eat_spread(struct document *d)
{
	skip(d);
	if (d->end - d->p < 3 || memcmp(d->p, "...", 3))
		return false;
	d->p += 3;
	return true;
}

static bool read_name(struct document *d, struct slice *ret)
{
	skip(d);
	ret->p = d->p;
	while (d->p < d->end && name_byte(*d->p, d->p == ret->p))
		d->p++;
	ret->n = (size_t)(d->p - ret->p);
	return ret->n > 0;
}

static bool read_digits(struct document *d)
{
	const char *from = d->p;

	while (d->p < d->end && *d->p >= '0' && *d->p <= '9')
		d->p++;
	return d->p > from;
}

static bool read_number(struct document *d)
{
	const char *from;

	d->p += *d->p == '-';
	from = d->p;
	if (!read_digits(d) || (*from == '0' && d->p - from > 1))
		return false;
	if (d->p < d->end && *d->p == '.') {
		d->p++;
		if (!read_digits(d))
			return false;
	}
	if (d->p < d->end && (*d->p | 0x20) == 'e') {
		d->p++;
		d->p += d->p < d->end && (*d->p == '+' || *d->p == '-');
		if (!read_digits(d))
			return false;
	}
	return d->p == d->end || (!name_byte(*d->p, false) && *d->p != '.');
}

/* After `"""`: to the next one that no backslash precedes. */
static bool read_block(struct document *d)
{
	for (; d->end - d->p >= 3; d->p++) {
		if (*d->p == '\\' && d->end - d->p >= 4 && !memcmp(d->p + 1, "\"\"\"", 3)) {
			d->p += 3;
		} else if (!memcmp(d->p, "\"\"\"", 3)) {
			d->p += 3;
			return true;
		}
	}
	return false;
}

static bool read_string(struct document *d)
{
	if (d->end - d->p >= 3 && !memcmp(d->p, "\"\"\"", 3)) {
		d->p += 3;
		return read_block(d);
	}
	for (d->p++; d->p < d->end && *d->p != '"'; d->p++) {
		if ((*d->p >= 0 && *d->p < 0x20 && *d->p != '\t') || *d->p == 0x7f)
			return false;
		if (*d->p != '\\')
			continue;
		if (++d->p == d->end || !*d->p || !strchr("\"\\/bfnrtu", *d->p))
			return false;
	}
	if (d->p == d->end)
		return false;
	d->p++;
	return true;
}

static bool read_value(struct document *d);

static bool read_object(struct document *d)
{
	struct slice name;

	while (!eat(d, '}'))
		if (!read_name(d, &name) || !eat(d, ':') || !read_value(d))
			return false;
	return true;
}

static bool read_inner_value(struct document *d)
{
	struct slice name;
	char c = peek(d);

	if (c == '$') {
		d->p++;
		return read_name(d, &name);
	}
	if (c == '"')
		return read_string(d);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(d);
	if (eat(d, '{'))
		return read_object(d);
	if (!eat(d, '['))
		return read_name(d, &name);
	while (!eat(d, ']'))
		if (!read_value(d))
			return false;
	return true;
}

static bool read_value(struct document *d)
{
	bool ok = ++d->depth < DEPTH && read_inner_value(d);

	d->depth--;
	return ok;
}

static bool read_arguments(struct document *d)
{
	struct slice name;

	if (!eat(d, '('))
		return true;
	do {
		if (!read_name(d, &name) || !eat(d, ':') || !read_value(d))
			return false;
	} while (!eat(d, ')'));
	return true;
}

static bool read_directives(struct document *d)
{
	struct slice name;

	while (eat(d, '@'))
		if (!read_name(d, &name) || !read_arguments(d))
			return false;
	return true;
}

/* Brackets are counted; `]!` and `!` may follow what they close. */
static bool read_type(struct document *d)
{
	unsigned open = 0;
	struct slice name;

	while (eat(d, '['))
		if (++open > DEPTH)
			return false;
	if (!read_name(d, &name))
		return false;
	(void)eat(d, '!');
	for (; open; open--) {
		if (!eat(d, ']'))
			return false;
		(void)eat(d, '!');
	}
	return true;
}

static bool read_variables(struct document *d)
{
	struct slice name;

	if (!eat(d, '('))
		return true;
	do {
		if (!eat(d, '$') || !read_name(d, &name) || !eat(d, ':') || !read_type(d) ||
		    (eat(d, '=') && !read_value(d)) || !read_directives(d))
			return false;
	} while (!eat(d, ')'));
	return true;
}

static bool add_field(struct document *d, struct slice name)
{
	if (d->to->n_fields == FIELDS_MAX)
		return false;
	d->to->fields[d->to->n_fields++] = name;
	return true;
}

static bool add_fragment(struct document *d, struct slice name)
{
	for (uint32_t i = 0; i < d->n_fragments; i++) {
		struct definition *f = &d->fragments[i];

		if (f->name.n != name.n || memcmp(f->name.p, name.p, name.n))
			continue;
		if (!f->seen)
			d->spreads[d->n_spreads++] = i;
		f->seen = true;
		return true;
	}
	return false;			/* defined nowhere */
}

static bool read_selections(struct document *d, bool root);

static bool read_field(struct document *d, bool root)
{
	struct slice name;

	if (!read_name(d, &name) || (eat(d, ':') && !read_name(d, &name)))
		return false;
	if (root && d->to && !add_field(d, name))
		return false;
	return read_arguments(d) && read_directives(d) && (peek(d) != '{' || read_selections(d, false));
}

/* After `...`: a fragment of that name, or selections in place, whose fields are the root's too. */
static bool read_fragment(struct document *d, bool root)
{
	struct slice name = { 0 };

	if (name_byte(peek(d), true)) {
		(void)read_name(d, &name);
		if (!slice_is(name, "on"))
			return read_directives(d) && (!root || !d->to || add_fragment(d, name));
		if (!read_name(d, &name))
			return false;
	}
	return read_directives(d) && read_selections(d, root);
}

static bool read_selections(struct document *d, bool root)
{
	bool ok = ++d->depth < DEPTH && eat(d, '{');

	while (ok) {
		ok = eat_spread(d) ? read_fragment(d, root) : read_field(d, root);
		if (ok && eat(d, '}'))
			break;
	}
	d->depth--;
	return ok;
}

static bool same_name(const struct definition *v, uint32_t n, struct slice name)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].name.n == name.n && !memcmp(v[i].name.p, name.p, name.n))
			return true;
	return false;
}

static bool read_definition(struct document *d)
{
	static const struct {
		const char *word;
		uint32_t type;
	} types[] = { { "query", OSH_OP_QUERY },
		      { "mutation", OSH_OP_MUTATION },
		      { "subscription", OSH_OP_SUBSCRIPTION },
		      { "fragment", 0 } };
	struct definition one = { .name = { "", 0 }, .type = OSH_OP_QUERY };
	struct slice word, on;
	unsigned i = 0;

	if (peek(d) != '{') {
		if (!read_name(d, &word))
			return false;
		while (i < 4 && !slice_is(word, types[i].word))
			i++;
		if (i == 4)
			return false;
		one.type = types[i].type;
		if (name_byte(peek(d), true))
			(void)read_name(d, &one.name);
		if (one.type ? !read_variables(d)
			     : !one.name.n || slice_is(one.name, "on") || !read_name(d, &on) ||
				       !slice_is(on, "on") || !read_name(d, &on))
			return false;
		if (!read_directives(d))
			return false;
	}
	if (one.type ? d->n_ops == DEFINITIONS || same_name(d->ops, d->n_ops, one.name)
		     : d->n_fragments == DEFINITIONS || same_name(d->fragments, d->n_fragments, one.name))
		return false;
	skip(d);
	one.selections = d->p;
	if (one.type)
		d->ops[d->n_ops++] = one;
	else
		d->fragments[d->n_fragments++] = one;
	return read_selections(d, false);
}

/* The one that will run; a nameless operation stands alone. */
static const struct definition *choose(const struct document *d, struct slice wanted)
{
	for (uint32_t i = 0; i < d->n_ops; i++)
		if (d->n_ops > 1 && !d->ops[i].name.n)
			return NULL;
	if (!wanted.n)
		return d->n_ops == 1 ? &d->ops[0] : NULL;
	for (uint32_t i = 0; i < d->n_ops; i++)
		if (d->ops[i].name.n == wanted.n && !memcmp(d->ops[i].name.p, wanted.p, wanted.n))
			return &d->ops[i];
	return NULL;
}

static bool add_roots(struct document *d, const char *selections)
{
	d->p = selections;
	return read_selections(d, true);
}

bool document_read(struct slice text, struct slice wanted, struct graphql *to)
{
	struct document d = { .p = text.p, .end = text.p + text.n };
	const struct definition *op;
	struct gql_op *out;

	do {
		if (!read_definition(&d))
			return false;
		skip(&d);
	} while (d.p < d.end);
	op = choose(&d, wanted);
	if (!op || to->n == OPERATIONS_MAX)
		return false;
	out = &to->ops[to->n];
	*out = (struct gql_op){ .type = op->type, .name = op->name, .first_field = to->n_fields };
	d.to = to;
	if (!add_roots(&d, op->selections))
		return false;
	for (uint32_t i = 0; i < d.n_spreads; i++)
		if (!add_roots(&d, d.fragments[d.spreads[i]].selections))
			return false;
	out->n_fields = to->n_fields - out->first_field;
	to->n++;
	return true;
}
