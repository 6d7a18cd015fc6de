/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

#define KINDS 4

/* clang-format off */
const struct verb_option verb_options[] = {
#define OPERANDS(verb, ...)
#define OPTION(verb, letter, name, argument, kind, text) { verb, letter, name, argument, KIND_##kind, text },
#include "options.def"
#undef OPTION
#undef OPERANDS
	{ 0 },
};

#define OPTION(verb, letter, name, argument, kind, text)
#define FIRST(a, ...) KIND_##a
#define SECOND(a, b, ...) KIND_##b
#define THIRD(a, b, c, ...) KIND_##c
static const struct {
	const char *verb;
	enum word_kind kinds[KINDS];	/* KIND_MAX: as the one before */
} operands[] = {
#define OPERANDS(verb, ...) { verb, { FIRST(__VA_ARGS__, MAX), SECOND(__VA_ARGS__, MAX, MAX), THIRD(__VA_ARGS__, MAX, MAX, MAX), KIND_MAX } },
#include "options.def"
#undef OPTION
#undef OPERANDS
	{ 0 },
};
/* clang-format on */

enum word_kind operand_kind(const char *verb, unsigned n)
{
	for (size_t i = 0; operands[i].verb; i++) {
		if (strcmp(operands[i].verb, verb))
			continue;
		n = n < KINDS ? n : KINDS - 1;
		while (operands[i].kinds[n] == KIND_MAX)
			n--;
		return operands[i].kinds[n];
	}
	return KIND_NONE;
}

static int put(char *to, size_t size, const struct verb_option *o)
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c%s", o->letter, *o->name ? ", " : "");
	return snprintf(to, size, "  %s%s%s%s%s", letter, *o->name ? "--" : "", o->name,
			*o->argument && strncmp(o->argument, "[=", 2) ? " " : "", o->argument);
}

void options_list(const char *verb, FILE *out)
{
	for (const struct verb_option *o = verb_options; o->verb; o++) {
		char head[80];

		if (strcmp(o->verb, verb))
			continue;
		put(head, sizeof(head), o);
		fprintf(out, "%-30s  %s\n", head, o->text);
	}
}
