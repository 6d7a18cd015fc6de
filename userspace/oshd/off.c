/* SPDX-License-Identifier: Apache-2.0 */
#include "off.h"

#ifdef OSH_TEST
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osh/msg.h"
#include "own.h"

static const struct {
	const char *name;
	uint64_t bit;
} layers[] = {
#define LAYER(id, name) { #name, OSH_OFF_##id },
#include "osh/layers.def"
#undef LAYER
};

static const struct {
	const char *name, *where;
} hooks[] = {
#define HOOK(id, program, where) [OSH_HOOK_##id] = { #program, #where },
#include "osh/hooks.def"
#undef HOOK
};

static bool is(const char *word, const char *name)
{
	return !strcmp(word, name) || !strcmp(word, "all");
}

static void put(uint64_t *mask, uint64_t bit, bool out)
{
	*mask = out ? *mask | bit : *mask & ~bit;
}

static bool leave_layer(struct off *off, const char *word, bool out)
{
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		if (is(word, layers[i].name)) {
			put(&off->layers, layers[i].bit, out);
			known = true;
		}
	return known;
}

static bool leave(struct off *off, const char *word, bool out)
{
	bool known = leave_layer(off, word, out);

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (is(word, hooks[i].name) || !strcmp(word, hooks[i].where)) {
			put(&off->hooks.w[i / 64], 1ull << i % 64, out);
			(void)leave_layer(off, hooks[i].name, out);	/* osh-launch attaches it */
			known = true;
		}
	return known;
}

void off_from_env(struct off *ret)
{
	char *text = getenv("OSH_TEST_OFF"), *save;
	_free_ char *copy = text ? strdup(text) : NULL;

	*ret = (struct off){ 0 };
	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save))
		if (!leave(ret, w + (*w == '+'), *w != '+')) {	/* a typing error would make a test pass for nothing */
			fprintf(stderr, "oshd: OSH_TEST_OFF: no layer '%s'\n", w);
			exit(2);
		}
}
#endif
