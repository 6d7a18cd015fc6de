/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query of a request target. `&` separates, `+` is a space, escapes are decoded, and a key that
 * comes several times has several values, in the order sent. Nothing is stored: a rule that asks walks
 * the text.
 */
#include "parts.h"

#include "http/head.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool param_next(struct slice *query, struct param *ret)
{
	while (query->n && *query->p == '&') {
		query->p++;
		query->n--;
	}
	if (!query->n)
		return false;
	ret->key.p = query->p;
	while (query->n && *query->p != '&') {
		query->p++;
		query->n--;
	}
	ret->key.n = (size_t)(query->p - ret->key.p);
	ret->value = (struct slice){ query->p, 0 };
	for (size_t i = 0; i < ret->key.n; i++) {
		if (ret->key.p[i] != '=')
			continue;
		ret->value = (struct slice){ ret->key.p + i + 1, ret->key.n - i - 1 };
		ret->key.n = i;
	}
	return true;
}

bool params_readable(struct slice q)
{
	for (size_t i = 0; i < q.n; i++) {
		if (q.p[i] != '%')
			continue;
		if (i + 2 >= q.n || digit(q.p[i + 1]) < 0 || digit(q.p[i + 2]) < 0 ||
		    !(digit(q.p[i + 1]) | digit(q.p[i + 2])))
			return false;
		i += 2;
	}
	return true;
}

/* One decoded byte; the text was found readable. */
static char take(const char **p)
{
	char c = *(*p)++;

	if (c == '+')
		return ' ';
	if (c != '%')
		return c;
	c = (char)(digit((*p)[0]) * 16 + digit((*p)[1]));
	*p += 2;
	return c;
}

bool param_is(struct slice key, const char *name)
{
	const char *p = key.p, *end = key.p + key.n;

	while (p < end)
		if (take(&p) != *name++)
			return false;	/* also where the name ends early: no decoded byte is NUL */
	return !*name;
}

size_t param_decode(struct slice s, char *out)
{
	const char *p = s.p, *end = s.p + s.n;
	size_t n = 0;

	while (p < end)
		out[n++] = take(&p);
	return n;
}

static bool value_meets(const struct bundle *b, const struct osh_b_query *m, struct slice value, char sep)
{
	char text[TARGET_BYTES];

	if (value.n > sizeof(text))
		return !sep;		/* longer than any target: no allow rule is met, every deny rule is */
	return text_meets_one(b, m->any, (struct slice){ text, param_decode(value, text) }, sep);
}

/* Allowed: the key is there and each of its values is listed. Denied: one of them is. */
bool params_meet(const struct bundle *b, const struct osh_b_query *m, struct slice query, bool deny)
{
	const char *key = bundle_str(b, m->key);
	uint32_t values = 0, met = 0;
	struct param p;

	while (param_next(&query, &p)) {
		if (!param_is(p.key, key))
			continue;
		values++;
		met += value_meets(b, m, p.value, sep_of(deny));
	}
	return deny ? met > 0 : values && met == values;
}
