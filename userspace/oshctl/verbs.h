/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of oshctl. A row of verbs.def gives the name, what help says, and the function here. */
#pragma once

#include <stdio.h>

enum {					/* exit status, docs: DESIGN of the command line */
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,		/* refused, failed, or findings */
	EXIT_USAGE = 2,
};

struct verb {
	const char *name;		/* one or two words: "run", "policy check" */
	const char *args, *help;
	int (*run)(int argc, char **argv);	/* argv[0] is the verb's last word; gives the exit status */
};

extern const struct verb verbs[];	/* ends in a row without name */

#define VERB(name, args, help, fn) int fn(int argc, char **argv);
#include "verbs.def"
#undef VERB

void help_list(FILE *out);		/* every verb, a line each */
int help_usage(const char *verb);	/* usage of one verb on stderr; gives EXIT_USAGE */
void help_verb(FILE *out, const char *verb);	/* usage, what it does, its options */
int help_unknown(int argc, char **argv);	/* "did you mean", on stderr; gives EXIT_USAGE */
