/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes with a right size and content hash: refused, or every reference in them stays inside.
 * The hash is made right here because no fuzzer would find one.
 */
#include <stdlib.h>

#include "../tools/bundle_walk.h"
#include "hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct osh_bundle_header *h;
	char *copy = malloc(n ? n : 1);
	struct bundle b;
	struct err e;

	if (!copy)
		return 0;
	memcpy(copy, data, n);
	h = (void *)copy;
	if (n >= sizeof(*h)) {
		h->magic = OSH_BUNDLE_MAGIC;
		h->version = OSH_BUNDLE_VERSION;
		h->size = (uint32_t)n;
		bundle_must(hash_bytes(h + 1, n - sizeof(*h), h->content_hash) == 0);
	}
	if (bundle_open_mem(&b, copy, n, &e) == 0)
		bundle_walk(&b);
	free(copy);
	return 0;
}
