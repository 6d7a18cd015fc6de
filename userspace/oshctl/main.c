/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl: finds the verb's row and runs it. Runs as the user; what it reads is the user's own. */
#include <string.h>

#include "verbs.h"

const struct verb verbs[] = {
#define VERB(name, args, help, fn) { name, args, help, fn },
#include "verbs.def"
#undef VERB
	{ 0 },
};

/* Number of arguments that the verb's words take up, 0 = it is not this verb. */
static int matches(const struct verb *v, int argc, char **argv)
{
	const char *space = strchr(v->name, ' ');
	size_t first = space ? (size_t)(space - v->name) : strlen(v->name);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], v->name, first))
		return 0;
	if (!space)
		return 1;
	return argc >= 2 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help_list(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		help_list(stdout);
		return EXIT_DONE;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		int words = matches(v, argc - 1, argv + 1);

		if (words)
			return v->run(argc - words, argv + words);
	}
	return help_unknown(argc - 1, argv + 1);
}
