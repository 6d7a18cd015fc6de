/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant: what is accepted is a list of canonical names, each of which parses to itself again. */
#include "hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct hosts h = { 0 };
	struct err e = { 0 };

	if (hosts_parse(&h, (struct slice){ (const char *)data, n }, &e) < 0) {
		if (h.e || !e.text[0])
			__builtin_trap();
		return 0;
	}
	for (size_t i = 0; i < h.n; i++) {
		char again[OSH_NAME_MAX];
		size_t at = i;

		if (!hosts_name(slice_of(h.e[i].name), again) || strcmp(again, h.e[i].name) ||
		    hosts_next(&h, again, &at) != &h.e[i])
			__builtin_trap();
	}
	hosts_done(&h);
	return 0;
}
