/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl: finds the verb's row and runs it. Runs as the user; what it reads is the user's own. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "remote.h"
#include "say.h"
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

static bool asks_help(const char *word)
{
	return !strcmp(word, "-h") || !strcmp(word, "--help");
}

static bool asks_version(const char *word)
{
	return !strcmp(word, "-V") || !strcmp(word, "--version");
}

/* getopt's messages begin with the name that they are given: the whole verb's. The word itself is the caller's to free. */
static int run_verb(const struct verb *v, int words, int argc, char **argv)
{
	char *word = argv[words - 1], name[64];
	int status;

	snprintf(name, sizeof(name), "oshctl %s", v->name);
	argv[words - 1] = name;
	status = v->run(argc - words + 1, argv + words - 1);
	argv[words - 1] = word;
	return status;
}

static int dispatch(int argc, char **argv)
{
	if (argc < 1) {
		say_error("a verb is missing");
		help_list(stderr);
		return EXIT_USAGE;
	}
	if (asks_help(argv[0])) {
		help_list(stdout);
		return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
	}
	if (asks_version(argv[0]) && argc == 1) {
		puts("oshctl " OSH_VERSION);
		return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		int words = matches(v, argc, argv);

		if (words && argc == words + 1 && asks_help(argv[words])) {
			help_verb(stdout, v->name);
			return EXIT_DONE;
		}
		if (words)
			return run_verb(v, words, argc, argv);
	}
	return help_unknown(argc, argv);
}

/* From another host's oshctl. 255 is ssh's own word for its failure. */
static int dispatch_remote(char *word)
{
	struct err e = { 0 };
	char **argv;
	int argc, status;

	if (remote_unpack(word, &argc, &argv, &e) < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	status = dispatch(argc, argv);
	remote_forget();
	for (int i = 0; i < argc; i++)	/* getopt has moved them, and lost none */
		free(argv[i]);
	free(argv);
	if (status != 255)
		return status;
	fflush(stdout);
	say_error("the command ended with 255; shown as %d, since 255 would be ssh's own", REMOTE_255);
	return REMOTE_255;
}

/* -H HOST, -HHOST, --host HOST or --host=HOST before the verb, else OSH_HOST; NULL = this host. Moves on to the verb. */
static const char *host_of(int *argc, char ***argv)
{
	const char *arg = *argc ? **argv : "", *host = NULL;
	int words = 1;

	if (!strcmp(arg, "-H") || !strcmp(arg, "--host")) {
		words = *argc > 1 ? 2 : 1;
		host = words > 1 ? (*argv)[1] : "";
	} else if (!strncmp(arg, "-H", 2)) {
		host = arg + 2;
	} else if (!strncmp(arg, "--host=", 7)) {
		host = arg + 7;
	}
	if (!host) {
		host = getenv("OSH_HOST");
		return host && *host ? host : NULL;
	}
	*argc -= words;
	*argv += words;
	return host;
}

int main(int argc, char **argv)
{
	const char *host;

	argc -= argc > 0;
	argv++;
	if (argc == 2 && !strcmp(argv[0], REMOTE_VERB))
		return dispatch_remote(argv[1]);
	host = host_of(&argc, &argv);
	if (host && !*host) {
		say_error("-H wants a host: [USER@]HOST[:PORT]");
		return EXIT_USAGE;
	}
	return host && argc ? remote_run(host, argc, argv) : dispatch(argc, argv);
}
