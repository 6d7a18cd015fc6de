/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies and answers of calls of models. What the reader of bodies accepts is JSON to jansson too, which finds the same
 * name in it and no second key; no guess is below what such a body asks for. How an answer is cut into pieces changes
 * nothing of what is counted.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void body(struct slice text)
{
	size_t at, len;
	enum top got = top_find(text, "model", &at, &len);
	json_error_t why;
	json_t *root, *model;
	struct guess_call chat = { OSH_SHAPE_CHAT, "", "" };
	double most;

	if (got == TOP_BAD)
		return;
	root = json_loadb(text.p, text.n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
	if (!root) {			/* what it is stricter about: UTF-8, surrogates, numbers out of range, depth */
		enum json_error_code code = json_error_code(&why);

		if (code == json_error_invalid_utf8 || code == json_error_numeric_overflow || code == json_error_stack_overflow ||
		    strstr(why.text, "Unicode") || strstr(why.text, "surrogate"))
			return;
		__builtin_trap();
	}
	model = json_object_get(root, "model");
	if (!json_is_object(root) || (got == TOP_ABSENT) != !model)
		__builtin_trap();
	if (model && (json_string_length(model) != len || memcmp(json_string_value(model), text.p + at, len) != 0))
		__builtin_trap();
	most = json_number_value(json_object_get(root, "max_tokens"));
	if (most >= 1 && most <= 1e15 && (double)guess_answer(&chat, text) < most)
		__builtin_trap();
	json_decref(root);
}

static void answer(struct slice text, size_t step)
{
	static const char *const types[] = { "application/json", "text/event-stream" };

	for (size_t i = 0; i < 2; i++) {
		struct usage whole, cut;

		usage_start(&whole, slice_of(types[i]));
		cut = whole;
		usage_feed(&whole, text);
		for (size_t at = 0; at < text.n; at += step)
			usage_feed(&cut, (struct slice){ text.p + at, at + step < text.n ? step : text.n - at });
		if (usage_in(&whole) != usage_in(&cut) || usage_out(&whole) != usage_out(&cut) || whole.said != cut.said)
			__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	char *copy = malloc(n + 1);	/* exactly as long as it is: reading on is seen */

	if (!copy || n < 2) {
		free(copy);
		return 0;
	}
	copy = realloc(copy, n - 1);
	memcpy(copy, data + 1, n - 1);
	(void)guess_sent((struct slice){ copy, n - 1 });
	(void)guess_answer(&(struct guess_call){ OSH_SHAPE_CONVERSE, "", "" }, (struct slice){ copy, n - 1 });
	body((struct slice){ copy, n - 1 });
	answer((struct slice){ copy, n - 1 }, 1 + data[0] % 16);
	free(copy);
	return 0;
}
