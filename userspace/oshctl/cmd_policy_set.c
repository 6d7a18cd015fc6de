/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl policy set`: compiled in the confined child, as for a run, and handed to a resident oshd. */
#include <getopt.h>
#include <stdio.h>

#include "bus_client.h"
#include "own.h"
#include "policy.h"
#include "policy_source.h"
#include "say.h"
#include "verbs.h"

static int compile(const char *file, int *ret_bundle, struct err *e)
{
	struct diags d = { 0 };
	_close_ int fd = -1;
	int r = policy_source_open(file, &fd, e);

	if (r < 0)
		return r;
	r = policy_compile_fd(fd, &d, ret_bundle, e);
	policy_print_diags(&d, stderr, file, fd);
	if (r < 0 && !e->text[0])
		r = fail(e, -r, "the policy has errors; the old one stays in force");
	diags_done(&d);
	return r;
}

static int set(const char *name, const char *file, const char *socket)
{
	struct bus_client bus = { 0 };
	_close_ int bundle = -1;
	struct err e = { 0 };
	uint32_t generation;
	int r = compile(file, &bundle, &e);

	if (r == 0)
		r = bus_client_policy_set(&bus, socket, name, bundle, &generation, &e);
	bus_client_close(&bus);
	if (r < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	printf("%s: generation %u is in force; its connections were closed\n", name, generation);
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
	if (!file || optind + 1 != argc)
		return help_usage("policy set");
	return set(argv[optind], file, socket);
}
