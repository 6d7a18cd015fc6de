/* SPDX-License-Identifier: Apache-2.0 */
/* Typed scalars. YAML's habit of turning words into other things stops here: a value that YAML would
 * read as another type than the key wants is an error with a hint, never a conversion. */
#include <ctype.h>
#include <string.h>

#include "own.h"
#include "schema.h"

enum plain { PLAIN_TEXT, PLAIN_NULL, PLAIN_BOOL, PLAIN_NUMBER };

static bool one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s, words[i]))
			return true;
	return false;
}

static bool looks_number(const char *s)
{
	size_t digits = 0, dots = 0;

	s += *s == '+' || *s == '-';
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o'))
		return true;
	for (; *s; s++) {
		if (isdigit((unsigned char)*s))
			digits++;
		else if (*s == '.')
			dots++;
		else if ((*s == 'e' || *s == 'E') && digits)
			s += s[1] == '+' || s[1] == '-';
		else
			return false;
	}
	return digits && dots <= 1;
}

static enum plain plain_kind(const struct node *n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE" };

	if (!n->plain)
		return PLAIN_TEXT;
	if (one_of(n->text, nulls, ARRAY_SIZE(nulls)))
		return PLAIN_NULL;
	if (one_of(n->text, bools, ARRAY_SIZE(bools)))
		return PLAIN_BOOL;
	return looks_number(n->text) ? PLAIN_NUMBER : PLAIN_TEXT;
}

static const char *kind_text(const struct node *n)
{
	static const char *const plain[] = {
		[PLAIN_TEXT] = "text",
		[PLAIN_NULL] = "nothing",
		[PLAIN_BOOL] = "true or false",
		[PLAIN_NUMBER] = "a number",
	};

	if (n->kind == NODE_LIST)
		return "a list";
	return n->kind == NODE_MAP ? "a mapping" : plain[plain_kind(n)];
}

static bool wrong(struct reader *r, const struct node *n, const char *want, const char *hint)
{
	diag_add(r->d, DIAG_TYPE, n->at, hint, "%s%s%swants %s, got %s", n->key ? "'" : "",
		 n->key ? n->key->text : "", n->key ? "' " : "", want, kind_text(n));
	return false;
}

bool want_kind(struct reader *r, const struct node *n, enum node_kind kind)
{
	if (n->kind == kind)
		return true;
	return wrong(r, n,
		     kind == NODE_MAP	 ? "a mapping"
		     : kind == NODE_LIST ? "a list"
					 : "a single value",
		     NULL);
}

bool read_text(struct reader *r, const struct node *n, const char **ret)
{
	if (n->kind != NODE_SCALAR)
		return wrong(r, n, "text", NULL);
	switch (plain_kind(n)) {
	case PLAIN_TEXT:
		*ret = n->text;
		return true;
	case PLAIN_NULL:
		return wrong(r, n, "text", NULL);
	case PLAIN_BOOL:
	case PLAIN_NUMBER:
		return wrong(r, n, "text", "put the value in quotes");
	}
	return false;
}

bool read_bool(struct reader *r, const struct node *n, bool *ret)
{
	if (n->kind != NODE_SCALAR || plain_kind(n) != PLAIN_BOOL)
		return wrong(r, n, "true or false", "write true or false, without quotes");
	*ret = n->text[0] == 't' || n->text[0] == 'T';
	return true;
}

bool read_uint(struct reader *r, const struct node *n, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (n->kind != NODE_SCALAR || plain_kind(n) != PLAIN_NUMBER)
		return wrong(r, n, "a whole number",
			     n->kind == NODE_SCALAR && !n->plain ? "leave the quotes away" : NULL);
	for (i = 0; i < 18 && isdigit((unsigned char)n->text[i]); i++)
		v = v * 10 + (uint64_t)(n->text[i] - '0');
	if (!i || n->text[i] || (n->text[0] == '0' && i > 1) || v < min || v > max) {
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "invalid number %s; expected one from %u to %u",
			 n->text, min, max);
		return false;
	}
	*ret = (uint32_t)v;
	return true;
}

bool read_count(struct reader *r, const struct node *n, uint64_t most, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (n->kind != NODE_SCALAR || plain_kind(n) != PLAIN_NUMBER)
		return wrong(r, n, "a whole number", n->kind == NODE_SCALAR && !n->plain ? "leave the quotes away" : NULL);
	for (i = 0; i < 18 && isdigit((unsigned char)n->text[i]); i++)
		v = v * 10 + (uint64_t)(n->text[i] - '0');
	if (n->text[0] == '0' || n->text[i] || v > most) {
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "invalid number %.40s; expected one from 1 to %llu", n->text,
			 (unsigned long long)most);
		return false;
	}
	*ret = v;
	return true;
}

bool read_millionths(struct reader *r, const struct node *n, uint64_t most, uint64_t *ret)
{
	const char *s = n->text;
	uint64_t v = 0;
	size_t i, after = 0;

	if (n->kind != NODE_SCALAR || plain_kind(n) != PLAIN_NUMBER)
		return wrong(r, n, "a number", n->kind == NODE_SCALAR && !n->plain ? "leave the quotes away" : NULL);
	for (i = 0; i < 12 && isdigit((unsigned char)s[i]); i++)
		v = v * 10 + (uint64_t)(s[i] - '0');
	if (i && s[i] == '.')
		for (i++; after < 6 && isdigit((unsigned char)s[i]); i++, after++)
			v = v * 10 + (uint64_t)(s[i] - '0');
	if (!isdigit((unsigned char)s[i ? i - 1 : 0]) || s[i] || (s[0] == '0' && isdigit((unsigned char)s[1])))
		v = most + 1;
	for (; after < 6 && v <= most; after++)
		v *= 10;
	if (v > most) {
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "invalid amount %.40s; expected a number up to %llu, with at most six "
			 "digits after the point", s, (unsigned long long)(most / 1000000));
		return false;
	}
	*ret = v;
	return true;
}

bool read_word(struct reader *r, const struct node *n, const char *const words[], unsigned *ret)
{
	char all[120] = "";
	const char *s, *near;
	size_t count = 0;

	if (!read_text(r, n, &s))
		return false;
	for (; words[count]; count++) {
		if (!strcmp(s, words[count])) {
			*ret = (unsigned)count;
			return true;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", count ? ", " : "",
			 words[count]);
	}
	near = nearest(s, words, count);
	diag_add(r->d, DIAG_VALUE, n->at,
		 near ? arena_printf(r->a, "did you mean '%s'?", near) : NULL,
		 "'%s' is none of: %s", s, all);
	return false;
}

bool read_pattern(struct reader *r, const struct node *n, struct pattern *ret)
{
	enum pattern_error why;
	const char *s;

	if (!read_text(r, n, &s))
		return false;
	why = pattern_parse(r->a, s, ret);
	if (why != PATTERN_OK)
		diag_add(r->d, DIAG_PATTERN, n->at, NULL, "%s: %.120s", pattern_why(why), s);
	return why == PATTERN_OK;
}

void want_text(struct reader *r, const struct node *n, void *obj)
{
	const char *s;

	(void)obj;
	(void)read_text(r, n, &s);
}

void want_any(struct reader *r, const struct node *n, void *obj)
{
	(void)r;
	(void)n;
	(void)obj;
}
