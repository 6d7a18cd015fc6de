/* SPDX-License-Identifier: Apache-2.0 */
/* Usage and help, from the table of verbs. */
#include <stdbool.h>
#include <string.h>

#include "man.h"
#include "options.h"
#include "say.h"
#include "schema.h"
#include "verbs.h"

#define WORDS_MAX 64

/* Without the arguments: with them no line would fit a terminal. */
static void line(FILE *out, const struct verb *v)
{
	fprintf(out, "  oshctl %-17s %s\n", v->name, v->help);
}

static void usage(FILE *out, const struct verb *v)
{
	fprintf(out, "usage: oshctl %s%s%s\n", v->name, *v->args ? " " : "", v->args);
}

void help_list(FILE *out)
{
	fputs("usage: oshctl [-H [USER@]HOST[:PORT]] VERB ...\n", out);
	for (const struct verb *v = verbs; v->name; v++)
		line(out, v);
	fputs("`oshctl help VERB` has its arguments and options, `oshctl --version` says which osh this is\n", out);
}

int help_usage(const char *verb)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, verb))
			usage(stderr, v);
	return EXIT_USAGE;
}

void help_verb(FILE *out, const char *verb)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, verb))
			usage(out, v), fprintf(out, "%s\n", v->help);
	options_list(verb, out);
}

static const struct verb *find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

/* Verbs of one word group: prints them and says whether there were any. */
static int list_group(FILE *out, const char *word)
{
	size_t n = strlen(word);
	int found = 0;

	for (const struct verb *v = verbs; v->name; v++)
		if (!strncmp(v->name, word, n) && (!v->name[n] || v->name[n] == ' ')) {
			line(out, v);
			found = 1;
		}
	return found;
}

static bool is_group(const char *word)
{
	size_t n = strlen(word);

	for (const struct verb *v = verbs; v->name; v++)
		if (!strncmp(v->name, word, n) && v->name[n] == ' ')
			return true;
	return false;
}

/* The first word of a verb of two words, where that is what was meant. */
static const char *nearest_group(const char *word)
{
	static char groups[WORDS_MAX][16];
	const char *words[WORDS_MAX];
	size_t n = 0;

	for (const struct verb *v = verbs; v->name && n < WORDS_MAX; v++) {
		snprintf(groups[n], sizeof(groups[n]), "%.*s", (int)strcspn(v->name, " "), v->name);
		if (!n || strcmp(groups[n], groups[n - 1]))
			words[n] = groups[n], n++;
	}
	return nearest(word, words, n);
}

int help_unknown(int argc, char **argv)
{
	const char *words[WORDS_MAX], *near;
	char said[80];
	size_t n = 0;

	if (argc == 1 && is_group(argv[0])) {
		say_error("'%s' is the first word of these verbs:", argv[0]);
		(void)list_group(stderr, argv[0]);
		return EXIT_USAGE;
	}
	snprintf(said, sizeof(said), "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
		 argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	for (const struct verb *v = verbs; v->name && n < WORDS_MAX; v++)
		words[n++] = v->name;
	near = nearest(said, words, n);
	if (!near)
		near = nearest_group(argv[0]);
	fprintf(stderr, "oshctl: unknown verb '%s'", said);
	if (near)
		fprintf(stderr, "; did you mean '%s'?", near);
	fputs("\n'oshctl help' lists the verbs\n", stderr);
	return EXIT_USAGE;
}

int cmd_help(int argc, char **argv)
{
	char said[80];

	snprintf(said, sizeof(said), "%s%s%s", argc > 1 ? argv[1] : "", argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
	if (argc < 2)
		help_list(stdout);
	else if (argc == 2 && !strcmp(argv[1], "--man"))
		man_page(stdout);
	else if (find(said))
		help_verb(stdout, said);
	else if (!list_group(stdout, said))
		return help_unknown(argc - 1, argv + 1);
	/* A write that failed before may have left nothing for the last one to fail at. */
	return fflush(stdout) || ferror(stdout) ? EXIT_REFUSED : EXIT_DONE;
}
