/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)

struct arena_block {
	struct arena_block *before;
	size_t used, size;
	_Alignas(16) char bytes[];
};

static struct arena_block *block_new(struct arena *a, size_t n)
{
	size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct arena_block *b = calloc(1, sizeof(*b) + size);

	if (!b) {
		a->bad = true;
		return NULL;
	}
	b->size = size;
	b->before = a->last;
	a->last = b;
	return b;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->last;
	void *p;

	if (n > SIZE_MAX / 2) {
		a->bad = true;
		return NULL;
	}
	n = (n + 15) & ~(size_t)15;
	if (!b || b->size - b->used < n)
		b = block_new(a, n);
	if (!b)
		return NULL;
	p = b->bytes + b->used;
	b->used += n;
	return p;
}

const char *arena_text(struct arena *a, const char *p, size_t n)
{
	char *s = arena_zalloc(a, n + 1);

	if (s && n)
		memcpy(s, p, n);
	return s;
}

const char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = n < 0 ? NULL : arena_zalloc(a, (size_t)n + 1);
	if (!s)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

/* Grows at powers of two, so that only the count has to be kept. */
void *list_push(struct arena *a, struct list *l, size_t size)
{
	if (!(l->n & (l->n - 1))) {
		void *v = arena_zalloc(a, size * (l->n ? 2 * (size_t)l->n : 1));

		if (!v)
			return NULL;
		if (l->n)
			memcpy(v, l->v, size * l->n);
		l->v = v;
	}
	return (char *)l->v + size * l->n++;
}

void arena_done(struct arena *a)
{
	while (a->last) {
		struct arena_block *b = a->last;

		a->last = b->before;
		free(b);
	}
}
