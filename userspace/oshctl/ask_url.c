/* SPDX-License-Identifier: Apache-2.0 */
/* The target of a request that a person wrote: canonical path, and the query by its keys. */
#include <ctype.h>
#include <string.h>

#include "ask.h"

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* %41 and + in place. A NUL would end the text early: refused. */
static bool decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		bool escape = *text == '%';	/* asked once: `to` may be where `text` is */
		int high = escape ? digit(text[1]) : -1, low = high < 0 ? -1 : digit(text[2]);

		if (escape && (low < 0 || !(high * 16 + low)))
			return false;
		*to++ = escape ? (char)(high * 16 + low) : *text == '+' ? ' ' : *text;
		text += escape ? 2 : 0;
	}
	*to = 0;
	return true;
}

/* Values of one key lie side by side, so a key that comes again moves what follows. */
static void add(struct ask *q, uint32_t n, const char *key, const char *value)
{
	uint32_t at = 0, k = 0;

	while (k < q->n_query && strcmp(q->query[k].key, key))
		at += q->query[k++].n;
	if (k < q->n_query)
		at += q->query[k].n;
	else
		q->query[q->n_query++] = (struct eval_param){ .key = key };
	memmove(q->values + at + 1, q->values + at, (n - at) * sizeof(*q->values));
	q->values[at] = value;
	q->query[k].n++;
	for (k = 0, at = 0; k < q->n_query; at += q->query[k++].n)
		q->query[k].values = q->values + at;
}

static int read_query(struct ask *q, char *text, struct err *e)
{
	char *save = NULL;
	uint32_t n = 0;

	for (char *pair = strtok_r(text, "&", &save); pair; pair = strtok_r(NULL, "&", &save), n++) {
		char *value = pair + strcspn(pair, "=");

		if (n == ASK_PARAMS)
			return fail(e, EINVAL, "a query of more than %d parameters", ASK_PARAMS);
		if (*value)
			*value++ = 0;
		if (!decode(pair) || !decode(value))
			return fail(e, EINVAL, "'%.60s': '%%' wants two digits, not 00", pair);
		add(q, n, pair, value);
	}
	return 0;
}

/* Whether an encoded slash may stay is the endpoint's business, so it is kept for eval to see. */
int ask_target(struct ask *q, char *target, struct err *e)
{
	const struct canon_options keep = { .encoded_slash = true };
	char *query = target + strcspn(target, "?");

	if (*query)
		*query++ = 0;
	q->bad_path = canon_path(slice_of(target), &keep, q->canonical);
	return read_query(q, query, e);
}
