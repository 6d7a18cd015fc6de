/* SPDX-License-Identifier: Apache-2.0 */
/* The spellings of a secret that scan.h looks for. */
#include <stdlib.h>

#include "scan.h"
#include "secret.h"

static const char std64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/*
 * The characters of the base64 of anything + secret + anything that the secret alone decides, when it
 * begins `shift` bytes into a group of three: every character whose six bits lie inside it.
 */
static size_t base64_inner(struct slice secret, unsigned shift, const char *alphabet, char *out)
{
	size_t first = (shift * 8 + 5) / 6, end = (shift + secret.n) * 8 / 6, n = 0;

	for (size_t i = first; i < end; i++) {
		unsigned v = 0;

		for (size_t bit = i * 6; bit < i * 6 + 6; bit++) {
			size_t at = bit - shift * 8;

			v = v << 1 | ((uint8_t)secret.p[at / 8] >> (7 - at % 8) & 1);
		}
		out[n++] = alphabet[v];
	}
	return n;
}

static size_t hex_of(struct slice secret, const char *digits, char *out)
{
	for (size_t i = 0; i < secret.n; i++) {
		out[2 * i] = digits[(uint8_t)secret.p[i] >> 4];
		out[2 * i + 1] = digits[(uint8_t)secret.p[i] & 15];
	}
	return secret.n * 2;
}

uint32_t scanner_forms_size(size_t n)
{
	return (uint32_t)(n + 6 * ((n + 2) * 8 / 6) + 4 * n);
}

void scanner_add_forms(struct scanner *s, struct slice secret, uint16_t tag)
{
	size_t room = secret.n * 2 + 8;
	char *text = secret_alloc(room);

	if (!text) {
		s->full = true;
		return;
	}
	scanner_add(s, secret, tag);
	for (unsigned shift = 0; shift < 3; shift++) {
		scanner_add(s, (struct slice){ text, base64_inner(secret, shift, std64, text) }, tag);
		scanner_add(s, (struct slice){ text, base64_inner(secret, shift, url64, text) }, tag);
	}
	scanner_add(s, (struct slice){ text, hex_of(secret, "0123456789abcdef", text) }, tag);
	scanner_add(s, (struct slice){ text, hex_of(secret, "0123456789ABCDEF", text) }, tag);
	secret_free(text, room);
}
