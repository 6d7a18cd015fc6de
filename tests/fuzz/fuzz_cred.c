/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provider records, and the scanner: in whatever pieces a stream comes, the same is found, what may pass never
 * grows backwards, and a secret that stands in the stream as it is, is found.
 */
#include <stdlib.h>
#include <string.h>

#include "cred/scan.h"
#include "provider.h"

static uint16_t feed(struct scanner *s, const uint8_t *p, size_t n, size_t piece, uint64_t *passed)
{
	struct scan c;
	uint16_t tag = 0;

	*passed = 0;
	if (scan_start(&c, s) < 0)
		abort();
	for (size_t at = 0; at < n && !tag; at += piece) {
		size_t len = n - at < piece ? n - at : piece;
		uint64_t held = 0;

		tag = scan_feed(&c, (struct slice){ (const char *)p + at, len }, &held);
		if (tag)
			break;
		if (held > at + len || at + len - held < *passed)
			abort();
		*passed = at + len - held;
	}
	scan_done(&c);
	return tag;
}

static void scan(const uint8_t *p, size_t n)
{
	size_t len = n ? 1 + p[0] % 24 : 0;
	struct slice secret = { (const char *)p + 1, len };
	struct scanner *s;
	uint64_t whole, bytewise;
	uint16_t a, b;

	if (n < 2 + len || scanner_new(&s, scanner_forms_size(len)) < 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (secret.p[i] < 0x20 || secret.p[i] > 0x7e)
			len = 0;
	scanner_add_forms(s, secret, 1);
	if (scanner_ready(s) == 0 && len) {
		a = feed(s, p + 1 + len, n - 1 - len, n, &whole);
		b = feed(s, p + 1 + len, n - 1 - len, 1, &bytewise);
		if (a != b || (!a && whole != bytewise))
			abort();
		if (!a && memmem(p + 1 + len, n - 1 - len, secret.p, secret.n))
			abort();
	}
	scanner_drop(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct provider pr;
	struct err e = { 0 };

	if (provider_read(&pr, (struct slice){ (const char *)p, n }, &e) == 0)
		provider_done(&pr);
	scan(p, n);
	return 0;
}
