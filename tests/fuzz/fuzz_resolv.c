/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant: never more servers than there is room for, nor than there are lines. */
#include "resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ip servers[RESOLV_SERVERS];
	int got = resolv_parse((struct slice){ (const char *)data, n }, servers), lines = 1;

	for (size_t i = 0; i < n; i++)
		lines += data[i] == '\n';
	if (got < 0 || got > RESOLV_SERVERS || got > lines)
		__builtin_trap();
	return 0;
}
