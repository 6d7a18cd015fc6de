/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include <stdlib.h>

#include "http/chars.h"
#include "own.h"
#include "secret.h"

#define EDITS 16384			/* text that may be added to a full head on its way: credentials */
#define SMALL_TEXT 8192			/* memory that a reset head keeps, at most */
#define SMALL_FIELDS 64
#define OWN_FIELDS 16			/* room for ours beyond HEAD_FIELDS */

/* Before the text goes back to the heap. */
static void forget(struct head *h)
{
	if (h->secret && h->text)
		secret_wipe(h->text, h->cap_text);
}

void head_done(struct head *h)
{
	forget(h);
	free(h->text);
	free(h->fields);
	*h = (struct head){ 0 };
}

void head_reset(struct head *h)
{
	struct head kept = { .text = h->text, .cap_text = h->cap_text,
			     .fields = h->fields, .cap_fields = h->cap_fields };

	forget(h);
	if (kept.cap_text > SMALL_TEXT) {
		free(kept.text);
		kept.text = NULL;
		kept.cap_text = 0;
	}
	if (kept.cap_fields > SMALL_FIELDS) {
		free(kept.fields);
		kept.fields = NULL;
		kept.cap_fields = 0;
	}
	*h = kept;
}

bool head_dup(struct head *to, const struct head *from)
{
	struct head h = *from;

	h.cap_text = h.n_text;
	h.cap_fields = h.n_fields;
	h.text = malloc(h.n_text + 1u);
	h.fields = malloc((h.n_fields + 1u) * sizeof(*h.fields));
	if (!h.text || !h.fields) {
		free(h.text);
		free(h.fields);
		return false;
	}
	memcpy(h.text, from->text, h.n_text);
	if (h.n_fields)
		memcpy(h.fields, from->fields, h.n_fields * sizeof(*h.fields));
	*to = h;
	return true;
}

static bool grow(void **p, uint32_t *cap, uint32_t first, size_t need, size_t one)
{
	uint32_t to = *cap ? *cap : first;
	void *q;

	while (to < need)
		to *= 2;
	q = reallocarray(*p, to, one);
	if (!q)
		return false;
	*p = q;
	*cap = to;
	return true;
}

/* realloc() would leave the old copy on the heap. */
static bool grow_secret(struct head *h, size_t need)
{
	size_t to = need * 2;
	char *p = malloc(to);

	if (!p)
		return false;
	if (h->text)
		memcpy(p, h->text, h->cap_text);
	forget(h);
	free(h->text);
	h->text = p;
	h->cap_text = (uint32_t)to;
	return true;
}

/* Room for n bytes and a NUL at the end of the text. Offset 0 means absent, so nothing begins there. */
static char *text_room(struct head *h, size_t n)
{
	size_t at = h->n_text ? h->n_text : 1;

	if (h->too_big || n > HEAD_BYTES || at + n + 1 > HEAD_BYTES + EDITS)
		goto full;
	if (at + n + 1 > h->cap_text && !(h->secret ? grow_secret(h, at + n + 1) :
					  grow((void **)&h->text, &h->cap_text, 1024, at + n + 1, 1)))
		goto full;
	h->text[0] = 0;
	h->n_text = (uint32_t)(at + n + 1);
	h->text[at + n] = 0;
	return h->text + at;
full:
	h->too_big = true;
	return NULL;
}

uint32_t head_text(struct head *h, struct slice s)
{
	char *to = text_room(h, s.n);

	if (!to)
		return 0;
	if (s.n)
		memcpy(to, s.p, s.n);
	return (uint32_t)(to - h->text);
}

bool head_put(struct head *h, struct slice name, struct slice value)
{
	char *to;

	if (h->n_fields >= HEAD_FIELDS + OWN_FIELDS ||
	    (h->n_fields >= h->cap_fields &&
	     !grow((void **)&h->fields, &h->cap_fields, 16, h->n_fields + 1, sizeof(*h->fields)))) {
		h->too_big = true;
		return false;
	}
	to = text_room(h, name.n + 1 + value.n);
	if (!to)
		return false;
	h->fields[h->n_fields++] = (struct field){
		.name = (uint32_t)(to - h->text), .name_len = (uint32_t)name.n,
		.value = (uint32_t)(to - h->text + name.n + 1), .value_len = (uint32_t)value.n,
	};
	for (size_t i = 0; i < name.n; i++)
		*to++ = chars_lower(name.p[i]);
	*to++ = 0;
	if (value.n)
		memcpy(to, value.p, value.n);
	return true;
}

bool head_add(struct head *h, struct slice name, struct slice value)
{
	value = chars_trim(value);
	return name.n && chars_all(name, CH_TOKEN) && chars_all(value, CH_VALUE) &&
	       head_put(h, name, value);
}

static bool named(const struct head *h, const struct field *f, struct slice name)
{
	return f->name_len == name.n && !memcmp(h->text + f->name, name.p, name.n);
}

void head_drop(struct head *h, const char *name)
{
	struct slice want = slice_of(name);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (!named(h, &h->fields[i], want))
			h->fields[kept++] = h->fields[i];
	h->n_fields = kept;
}

bool head_set(struct head *h, const char *name, struct slice value)
{
	head_drop(h, name);
	return head_add(h, slice_of(name), value);
}

const struct field *head_find(const struct head *h, const char *name, uint32_t n)
{
	struct slice want = slice_of(name);

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (named(h, &h->fields[i], want) && !n--)
			return &h->fields[i];
	return NULL;
}

struct slice head_name(const struct head *h, const struct field *f)
{
	return (struct slice){ h->text + f->name, f->name_len };
}

struct slice head_value(const struct head *h, const struct field *f)
{
	return (struct slice){ h->text + f->value, f->value_len };
}

#define NAME(lit) { lit, sizeof(lit) - 1 }

bool head_trailer_allowed(struct slice name)
{
	static const struct slice never[] = {
		NAME("connection"), NAME("keep-alive"), NAME("te"), NAME("trailer"),
		NAME("transfer-encoding"), NAME("upgrade"), NAME("host"), NAME("expect"),
		NAME("max-forwards"), NAME("range"), NAME("cache-control"), NAME("pragma"),
		NAME("authorization"), NAME("www-authenticate"), NAME("authentication-info"),
		NAME("cookie"), NAME("set-cookie"), NAME("location"), NAME("age"), NAME("date"),
		NAME("expires"), NAME("retry-after"), NAME("vary"), NAME("http2-settings"),
		NAME("forwarded"), NAME("origin"), NAME("referer"),
	};
	static const struct slice families[] = {
		NAME("content-"), NAME("proxy-"), NAME("if-"), NAME("x-forwarded-"), NAME(":"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (chars_same(name, never[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (name.n >= families[i].n &&
		    chars_same((struct slice){ name.p, families[i].n }, families[i]))
			return false;
	return name.n != 0;
}
