/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some readers of JSON match keys without regard to case (and fold two characters beyond ASCII to `s`
 * and `k`). What is judged by one spelling must not be carried out by another.
 */
#include <jansson.h>

#include "parts.h"

static char fold(const char **p)
{
	static const struct {
		const char *text;
		char is;
	} beyond[] = { { "\xc5\xbf", 's' }, { "\xe2\x84\xaa", 'k' } };
	char c;

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(beyond[i].text);

		if (!strncmp(*p, beyond[i].text, n)) {
			*p += n;
			return beyond[i].is;
		}
	}
	c = *(*p)++;
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool alike(const char *a, const char *b)
{
	while (*a && *b)
		if (fold(&a) != fold(&b))
			return false;
	return !*a && !*b;
}

bool keys_misleading(const json_t *object, const char *const names[], size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)object, key, v)
		for (size_t i = 0; i < n; i++)
			if (strcmp(key, names[i]) && alike(key, names[i]))
				return true;
	return false;
}
