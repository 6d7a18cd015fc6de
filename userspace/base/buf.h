/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a latch: after an allocation failure or past its limit every append is
 * ignored and buf_ok() says false, so that callers check once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *p;
	size_t n, cap;
	size_t limit;			/* bytes; 0 = no limit of its own */
	bool bad, full;			/* full: it is bad because of its limit */
};

void buf_done(struct buf *b);
bool buf_ok(const struct buf *b);
void *buf_space(struct buf *b, size_t n);	/* n zeroed bytes appended, NULL when latched */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
