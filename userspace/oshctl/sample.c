/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "host.h"

/* An open hash table of the texts themselves; order is that of the table, which depends on them alone. */
static uint32_t slot_of(const struct words *w, const char *text)
{
	uint32_t h = 2166136261u, mask = w->cap - 1;

	for (const char *c = text; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	while (w->v[h & mask] && strcmp(w->v[h & mask], text))
		h++;
	return h & mask;
}

static bool grow(struct arena *a, struct words *w)
{
	struct words bigger = { .cap = w->cap ? w->cap * 2 : 16, .n = w->n };

	bigger.v = arena_zalloc(a, bigger.cap * sizeof(*bigger.v));
	if (!bigger.v)
		return false;
	for (uint32_t i = 0; i < w->cap; i++)
		if (w->v[i])
			bigger.v[slot_of(&bigger, w->v[i])] = w->v[i];
	*w = bigger;
	return true;
}

void words_add(struct arena *a, struct words *w, const char *text)
{
	uint32_t at;

	if (!text)
		return;
	if (w->n >= WORDS_MAX || (2 * w->n >= w->cap && !grow(a, w))) {
		w->full = true;
		return;
	}
	at = slot_of(w, text);
	if (w->v[at])
		return;
	w->v[at] = text;
	w->n++;
}

bool words_has(const struct words *w, const char *text)
{
	return w->cap && w->v[slot_of(w, text)];
}

/* A byte that the token at `p` stands for, letters first. */
static char byte_of(const char *p, size_t *ret_n)
{
	static const char tries[] = "xabcdefghijklmnopqrstuvwyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ/.";
	bool hit = false;

	*ret_n = pattern_token(p, (unsigned char)*p, 0, &hit);
	if (hit && *p != '?' && *p != '[' && *p != '\\')
		return *p;
	for (const char *c = tries; *c; c++) {
		*ret_n = pattern_token(p, (unsigned char)*c, 0, &hit);
		if (hit)
			return *c;
	}
	for (int c = 1; c < 256; c++) {
		*ret_n = pattern_token(p, (unsigned char)c, 0, &hit);
		if (hit)
			return (char)c;
	}
	return 0;
}

const char *sample_glob(struct arena *a, const char *glob, const char *fill)
{
	char *out = arena_zalloc(a, strlen(glob) * (strlen(fill) + 1) + 1), *at = out;

	while (out && *glob) {
		size_t n = 0;

		if (*glob == '*') {
			glob += strspn(glob, "*");
			at = stpcpy(at, fill);
			continue;
		}
		*at = byte_of(glob, &n);
		if (!*at++ || !n)
			return NULL;
		glob += n;
	}
	return out;
}

/* Short and long: the second shows whether a run may cross the separator. */
void sample_pattern(struct arena *a, const struct pattern *p, char sep, struct words *ret)
{
	const char *fills[] = { "", "osh-x", sep == '.' ? "osh-x.y" : "osh-x/y" };

	for EACH (text_t, alt, &p->alts)
		for (int i = 0; i < 3; i++) {
			const char *text = sample_glob(a, *alt, fills[i]);

			if (text && pattern_match(p, text, sep))
				words_add(a, ret, text);
		}
}

static const char *net_word(struct arena *a, const struct net *n)
{
	char text[64];

	net_text(n, text);
	return arena_text(a, text, strlen(text));
}

/* First and last address: what a smaller or larger network tells apart. */
void sample_net(struct arena *a, const struct net *n, struct words *ret)
{
	struct net one = *n;

	one.bits = 128;
	words_add(a, ret, net_word(a, &one));
	for (uint32_t i = n->bits; i < 128; i++)
		one.addr[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	words_add(a, ret, net_word(a, &one));
}

void sample_host(struct arena *a, const struct host *h, struct words *ret)
{
	switch (h->kind) {
	case HOST_NAME:
		words_add(a, ret, h->text);
		break;
	case HOST_ONE:
	case HOST_DEEP:
		words_add(a, ret, arena_printf(a, "osh-x%s", h->text));
		words_add(a, ret, arena_printf(a, "osh-x.y%s", h->text));
		break;
	case HOST_NET:
		sample_net(a, &h->net, ret);
		break;
	case HOST_GLOB:
		sample_pattern(a, &h->glob, '.', ret);
		break;
	case HOST_ANY:
		words_add(a, ret, "osh-x.example");
		words_add(a, ret, "9.9.9.9");
		break;
	}
}

void sample_programs(struct arena *a, const struct list *programs, struct words *ret)
{
	for EACH (struct program, prog, programs) {
		if (!prog->glob) {
			words_add(a, ret, prog->path);
			continue;
		}
		words_add(a, ret, sample_glob(a, prog->path, "osh-x"));
		words_add(a, ret, sample_glob(a, prog->path, "osh-x/y"));
	}
}
