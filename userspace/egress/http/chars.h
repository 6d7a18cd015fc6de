/* SPDX-License-Identifier: Apache-2.0 */
/* The characters of HTTP (RFC 9110, 9112, 3986), one table for every reader. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum {
	CH_TOKEN = 1,		/* names, methods, list elements */
	CH_VALUE = 2,		/* field values: tab, space, visible, obs-text */
	CH_TARGET = 4,		/* path and query: visible ASCII, no '#' */
	CH_HOST = 8,		/* letters, digits, '-', '.', '_' */
	CH_HEX = 16,
	CH_DIGIT = 32,
};

extern const uint8_t http_chars[256];

static inline char chars_lower(char c)
{
	return (uint8_t)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}

static inline bool chars_all(struct slice s, uint8_t class)
{
	uint8_t all = class;

	for (size_t i = 0; i < s.n; i++)
		all &= http_chars[(uint8_t)s.p[i]];
	return all & class;
}

/* Without regard to the case of ASCII letters. `lower` is in lower case. */
static inline bool chars_same(struct slice s, struct slice lower)
{
	if (s.n != lower.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (chars_lower(s.p[i]) != lower.p[i])
			return false;
	return true;
}

/* Without spaces and tabs at its ends. */
struct slice chars_trim(struct slice s);
/* The next element of a comma list; false at its end. Empty elements are skipped. */
bool chars_list(struct slice *rest, struct slice *ret);
