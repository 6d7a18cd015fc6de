/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_queue.h"

#include <stdlib.h>

#include "secret.h"

#define FIRST 4096

static void release(struct h2_queue *q)
{
	if (q->secret && q->p)
		secret_wipe(q->p, q->cap);
	free(q->p);
	q->p = NULL;
	q->cap = q->at = 0;
}

/* Not by realloc(), which would leave a copy behind. */
static bool grow(struct h2_queue *q, size_t need)
{
	size_t cap = q->cap ? q->cap : FIRST;
	uint32_t n = q->n;
	char *p;

	while (cap < need)
		cap *= 2;
	p = malloc(cap);
	if (!p)
		return false;
	if (n)
		memcpy(p, q->p + q->at, n);
	release(q);
	q->p = p;
	q->cap = (uint32_t)cap;
	return true;
}

bool queue_put(struct h2_queue *q, struct slice s)
{
	if (!s.n)
		return true;
	if (q->at + q->n + s.n > q->cap && q->n + s.n <= q->cap) {
		memmove(q->p, q->p + q->at, q->n);
		q->at = 0;
	} else if (q->n + s.n > q->cap && !grow(q, q->n + s.n)) {
		return false;
	}
	memcpy(q->p + q->at + q->n, s.p, s.n);
	q->n += (uint32_t)s.n;
	return true;
}

void queue_drop(struct h2_queue *q, size_t n)
{
	q->at += (uint32_t)n;
	q->n -= (uint32_t)n;
	if (!q->n)
		release(q);
}
