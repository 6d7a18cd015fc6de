/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one compilation: allocated piece by piece, freed at once. A failed allocation latches in
 * `bad` and gives NULL, so that readers skip and the compiler reports it once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
	struct arena_block *last;
	bool bad;
};

/* A growing array in an arena. */
struct list {
	void *v;
	uint32_t n;
};

void *arena_zalloc(struct arena *a, size_t n);
const char *arena_text(struct arena *a, const char *p, size_t n);	/* NUL terminated copy */
const char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *list_push(struct arena *a, struct list *l, size_t size);		/* new zeroed element or NULL */
void arena_done(struct arena *a);
