/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .limit = b->limit };
}

bool buf_ok(const struct buf *b)
{
	return !b->bad;
}

static bool buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->bad || n > (size_t)-1 / 4 - b->n || (b->limit && b->n + n > b->limit)) {
		b->full |= !b->bad && b->limit && b->n + n > b->limit;
		b->bad = true;
		return false;
	}
	while (cap < b->n + n)
		cap *= 2;
	if (cap == b->cap)
		return true;
	p = realloc(b->p, cap);
	if (!p) {
		b->bad = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void *buf_space(struct buf *b, size_t n)
{
	void *at;

	if (!buf_room(b, n))
		return NULL;
	at = b->p + b->n;
	memset(at, 0, n);
	b->n += n;
	return at;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (!n || !buf_room(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_room(b, (size_t)n + 1)) {
		b->bad = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}
