/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-prove with a model that lacks one key of the language, or all below one: OSH_WITHOUT in the environment, which osh-prove
 * itself never reads. For tests/golden/test_prove_terms.py.
 */
#include <stdlib.h>
#include <string.h>

#include "../../userspace/prove/main.c"
#include "../../userspace/prove/sees.h"

static const char *without;

/* Before the process is confined. */
__attribute__((constructor)) static void read_without(void)
{
	without = getenv("OSH_WITHOUT");
}

bool sees(const char *key)
{
	size_t n = without ? strlen(without) : 0;

	return !n || strncmp(key, without, n) || (key[n] && key[n] != '.');
}
