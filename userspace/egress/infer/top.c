/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of one JSON object that looks for one member of it. What it accepts every other reader accepts too,
 * and finds the same member in: RFC 8259 to the letter, with bounds.
 */
#include <string.h>
#include <strings.h>

#include "infer/infer.h"

#define DEPTH 256			/* objects and arrays in each other */

struct reader {
	const unsigned char *p, *end;
	uint64_t arrays[DEPTH / 64];	/* bit: that depth is an array */
	unsigned depth;
};

static void blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool hex4(const unsigned char *p)
{
	for (int i = 0; i < 4; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')))
			return false;
	return true;
}

/* From the first byte after the quote to the last before the next; *plain: it has no escape. */
static bool text(struct reader *r, struct slice *ret, bool *plain)
{
	const unsigned char *from = r->p;

	*plain = true;
	for (; r->p < r->end && *r->p != '"'; r->p++) {
		if (*r->p < 0x20)
			return false;
		if (*r->p != '\\')
			continue;
		*plain = false;
		if (++r->p == r->end || !*r->p || !strchr("\"\\/bfnrtu", *r->p))
			return false;
		if (*r->p == 'u') {
			if (r->end - r->p < 5 || !hex4(r->p + 1))
				return false;
			r->p += 4;
		}
	}
	if (r->p == r->end)
		return false;
	*ret = (struct slice){ (const char *)from, (size_t)(r->p - from) };
	r->p++;
	return true;
}

static bool digits(struct reader *r)
{
	const unsigned char *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > from;
}

static bool number(struct reader *r)
{
	if (*r->p == '-')
		r->p++;
	if (r->p == r->end)
		return false;
	if (*r->p == '0')
		r->p++;
	else if (!digits(r))
		return false;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!digits(r))
			return false;
	}
	if (r->p < r->end && (*r->p | 32) == 'e') {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!digits(r))
			return false;
	}
	return true;
}

static bool word(struct reader *r, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
		return false;
	r->p += n;
	return true;
}

static bool plain_value(struct reader *r)
{
	struct slice s;
	bool plain;

	switch (*r->p) {
	case '"':
		r->p++;
		return text(r, &s, &plain);
	case 't':
		return word(r, "true");
	case 'f':
		return word(r, "false");
	case 'n':
		return word(r, "null");
	default:
		return (*r->p == '-' || (*r->p >= '0' && *r->p <= '9')) && number(r);
	}
}

static bool push(struct reader *r, bool array)
{
	uint64_t bit = 1ull << r->depth % 64;

	if (r->depth == DEPTH)
		return false;
	r->arrays[r->depth / 64] = array ? r->arrays[r->depth / 64] | bit : r->arrays[r->depth / 64] & ~bit;
	r->depth++;
	r->p++;
	return true;
}

static bool in_array(const struct reader *r)
{
	return r->arrays[(r->depth - 1) / 64] >> (r->depth - 1) % 64 & 1;
}

struct member {				/* what is looked for */
	const char *key;		/* NULL = nothing */
	size_t n_key;
	struct slice value;
	unsigned found;
	bool bad;
};

/* Gateways take the next model from there where the first one fails, and that one was not asked for here. */
static bool names_more(struct slice key)
{
	static const char *const keys[] = { "models", "fallbacks" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (key.n == strlen(keys[i]) && !strncasecmp(key.p, keys[i], key.n))
			return true;
	return false;
}

/* Servers in Go take U+017F for `s` and U+212A for `k`, and others may know more: no name that is asked for has such letters. */
static bool beyond_ascii(struct slice key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] >= 0x80)
			return true;
	return false;
}

/* `"name" :`, and at the top whether it is the one, or could be taken for it. */
static bool key(struct reader *r, struct member *m, bool *here)
{
	struct slice s;
	bool plain;

	*here = false;
	blanks(r);
	if (r->p == r->end || *r->p++ != '"' || !text(r, &s, &plain))
		return false;
	blanks(r);
	if (r->p == r->end || *r->p++ != ':')
		return false;
	if (r->depth > 1 || !m->key)
		return true;
	*here = s.n == m->n_key && !memcmp(s.p, m->key, s.n);
	m->bad |= !plain || beyond_ascii(s) || names_more(s) || (!*here && s.n == m->n_key && !strncasecmp(s.p, m->key, s.n));
	return true;
}

/* The value of the member; what is no plain text is no name. */
static bool take(struct reader *r, struct member *m)
{
	bool plain = false;

	m->found++;
	if (*r->p != '"') {
		m->bad = true;
		return true;		/* it is read as any value */
	}
	r->p++;
	if (!text(r, &m->value, &plain))
		return false;
	m->bad |= !plain;
	return true;
}

/* After a value: what ends, and whether another one follows. 1 = a value comes, 0 = the whole ended, -1 = broken. */
static int after(struct reader *r, struct member *m, bool *here)
{
	*here = false;
	for (;;) {
		bool array;

		if (!r->depth)
			return 0;
		array = in_array(r);
		blanks(r);
		if (r->p == r->end)
			return -1;
		if (*r->p == ',') {
			r->p++;
			return array || key(r, m, here) ? 1 : -1;
		}
		if (*r->p++ != (array ? ']' : '}'))
			return -1;
		r->depth--;
	}
}

/* An empty one ends at once. 1 = a value comes, 0 = it ended, -1 = broken. */
static int opened(struct reader *r, struct member *m, bool *here)
{
	bool array = in_array(r);

	*here = false;
	blanks(r);
	if (r->p < r->end && *r->p == (array ? ']' : '}')) {
		r->p++;
		r->depth--;
		return 0;
	}
	return array || key(r, m, here) ? 1 : -1;
}

static bool object(struct reader *r, struct member *m)
{
	bool here = false;
	int more;

	blanks(r);
	if (r->p == r->end || *r->p != '{' || !push(r, false))
		return false;
	more = opened(r, m, &here);
	while (more >= 0) {
		if (!more)
			more = after(r, m, &here);
		if (!more)
			break;
		if (more < 0)
			return false;
		blanks(r);
		if (r->p == r->end)
			return false;
		if (here) {
			const unsigned char *was = r->p;

			if (!take(r, m))
				return false;
			if (r->p > was) {
				more = 0;
				continue;
			}
		}
		if (*r->p == '{' || *r->p == '[') {
			if (!push(r, *r->p == '['))
				return false;
			more = opened(r, m, &here);
			continue;
		}
		if (!plain_value(r))
			return false;
		more = 0;
	}
	blanks(r);
	return more == 0 && r->p == r->end;
}

enum top top_find(struct slice json, const char *name, size_t *at, size_t *n)
{
	struct reader r = { .p = (const unsigned char *)json.p, .end = (const unsigned char *)json.p + json.n };
	struct member m = { .key = name, .n_key = strlen(name) };

	*at = *n = 0;
	if (!json.n || !object(&r, &m) || m.bad || m.found > 1)
		return TOP_BAD;
	if (!m.found)
		return TOP_ABSENT;
	*at = (size_t)(m.value.p - json.p);
	*n = m.value.n;
	return TOP_TEXT;
}

bool top_is_object(struct slice json)
{
	struct reader r = { .p = (const unsigned char *)json.p, .end = (const unsigned char *)json.p + json.n };
	struct member m = { 0 };

	return json.n && object(&r, &m);
}
