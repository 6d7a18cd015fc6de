/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that wait for someone, in order. Empty, it holds no memory. Zeroed is new. */
#pragma once

#include <stdint.h>

#include "slice.h"

struct h2_queue {
	char *p;
	uint32_t at, n, cap;
	bool secret;			/* a credential may be in it: wiped before it goes back to the heap */
};

bool queue_put(struct h2_queue *q, struct slice s);	/* false = no memory, and nothing changed */
void queue_drop(struct h2_queue *q, size_t n);		/* the first n bytes */

static inline struct slice queue_bytes(const struct h2_queue *q)
{
	return (struct slice){ q->p + q->at, q->n };
}
