/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu.h"

#include <stdlib.h>
#include <string.h>

#include "own.h"

static struct {
	bool set, share;
	uint32_t count, n;
	char names[OSH_GPU_NAMES][OSH_GPU_NAME];
} given;

bool gpu_name_ok(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/=-";
	size_t n = strlen(name);

	return n && n < OSH_GPU_NAME && strspn(name, letters) == n;
}

static int add(const char *word, struct err *e)
{
	bool digits = *word && strspn(word, "0123456789") == strlen(word);

	if (!strcmp(word, "share")) {
		given.share = true;
		return 0;
	}
	if (digits && strlen(word) < 4 && !given.n && !given.count) {
		given.count = (uint32_t)atoi(word);
		if (given.count && given.count <= OSH_GPU_COUNT)
			return 0;
		return fail(e, EINVAL, "--gpu %s: 1 to %d GPUs, or names (`oshctl gpu list`)", word, OSH_GPU_COUNT);
	}
	if (given.count || digits || !gpu_name_ok(word) || given.n == OSH_GPU_NAMES)
		return fail(e, EINVAL, "--gpu '%.100s': a number of GPUs, or up to %d names with commas (`oshctl gpu list` "
			    "shows them), or 'all'; and 'share'", word, OSH_GPU_NAMES);
	strcpy(given.names[given.n++], word);
	return 0;
}

int policy_gpu(const char *words, struct err *e)
{
	char text[OSH_GPU_NAMES * OSH_GPU_NAME];
	char *at = text, *word;
	int r = 0;

	memset(&given, 0, sizeof(given));
	if (!words)
		return 0;
	if (strlen(words) >= sizeof(text))
		return fail(e, EINVAL, "--gpu: too long");
	strcpy(text, words);
	while (!r && (word = strsep(&at, ",")))
		r = add(word, e);
	if (!r && !given.n && !given.count)
		r = fail(e, EINVAL, "--gpu '%.100s': how many, or which?", words);
	given.set = !r;
	return r;
}

void gpu_apply(struct arena *a, struct gpu *g)
{
	if (!given.set)
		return;
	g->devices = (struct list){ 0 };
	g->count = given.count;
	g->share = given.share;
	for (uint32_t i = 0; i < given.n; i++) {
		const char **slot = list_push(a, &g->devices, sizeof(*slot));

		if (slot)
			*slot = given.names[i];
	}
}
