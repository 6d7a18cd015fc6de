/* SPDX-License-Identifier: Apache-2.0 */
#include "off.h"

#ifdef OSH_TEST
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf.h"
#include "osh/msg.h"
#include "own.h"

static const struct {
	const char *name;
	uint64_t bit;
} switches[] = {
	{ "view", OSH_OFF_VIEW },
	{ "landlock", OSH_OFF_LANDLOCK },
	{ "seccomp", OSH_OFF_SECCOMP },
	{ "nft", OSH_OFF_NFT },
	{ "netns", OSH_OFF_NETNS },
#define HOOK(id, program, where) { #program, OSH_OFF_HOOK(OSH_HOOK_##id) },
#include "osh/hooks.def"
#undef HOOK
};

uint64_t off_from_env(void)
{
	char *text = getenv("OSH_TEST_OFF"), *save, *copy = text ? strdup(text) : NULL;
	uint64_t off = 0;

	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save)) {
		uint64_t bit = 0;

		for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
			if (!strcmp(w, switches[i].name))
				bit = switches[i].bit;
		if (!bit) {		/* a typing error would make a test pass for nothing */
			fprintf(stderr, "oshd: OSH_TEST_OFF: no layer '%s'\n", w);
			exit(2);
		}
		off |= bit;
	}
	free(copy);
	return off;
}
#else
uint64_t off_from_env(void)
{
	return 0;
}
#endif
