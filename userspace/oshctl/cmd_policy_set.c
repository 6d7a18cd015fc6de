/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl policy set`: compiled in the confined child, as for a run, and handed to a resident oshd. */
#include <stdio.h>

#include "manager_call.h"
#include "own.h"
#include "policy_put.h"
#include "policy_source.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

static void say_what(const char *name, uint32_t generation, uint32_t revision)
{
	if (generation)
		printf("%s: generation %u is in force", name, generation);
	else
		printf("%s: it does not run; from its next start on", name);
	if (revision)
		printf("%s revision %u", generation ? "," : "", revision);
	printf("\n");
}

static int set(const char *name, const char *file, const char *socket)
{
	struct policy_put done = { 0 };
	_close_ int source = -1;
	struct err e = { 0 };
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, &e);

	if (!r)
		r = policy_source_open(file, &source, &e);
	if (!r)
		r = policy_put(bus, name, file, &source, &done, &e);
	sd_bus_close_unref(bus);
	if (r < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	say_what(name, done.generation, done.revision);
	return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_policy_set(int argc, char **argv)
{
	static const struct option options[] = { { "policy", required_argument, NULL, 'p' },
						 { "wait", no_argument, NULL, 'w' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	const char *file = NULL, *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "p:", options, NULL)) != -1) {
		if (c == 'p')
			file = optarg;
		else if (c == 's')
			socket = optarg;
		else if (c != 'w')	/* there is no earlier moment to answer at */
			return help_usage("policy set");
	}
	if (!file)
		say_error("-p is missing: the next policy, or preset:NAME");
	if (!file || !usage_operands(argc, argv, "NAME"))
		return help_usage("policy set");
	return set(argv[optind], file, socket);
}
