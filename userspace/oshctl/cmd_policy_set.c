/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl policy set`: compiled in the confined child, as for a run, and handed to a resident oshd. */
#include <getopt.h>
#include <stdio.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "policy.h"
#include "policy_source.h"
#include "provider_call.h"
#include "provider_set.h"
#include "say.h"
#include "verbs.h"

/* *ret_source is what was compiled, byte for byte. */
static int compile(const char *file, int *ret_source, int *ret_bundle, struct err *e)
{
	struct diags d = { 0 };
	int r = policy_source_open(file, ret_source, e);

	if (!r)
		r = policy_source_seal(ret_source, e);
	if (r < 0)
		return r;
	r = policy_compile_fd(*ret_source, &d, ret_bundle, e);
	policy_print_diags(&d, stderr, file, *ret_source);
	if (r < 0 && !e->text[0])
		r = fail(e, -r, "the policy has errors; the old one stays in force");
	diags_done(&d);
	return r;
}

static int ask(sd_bus *bus, const char *name, int bundle, int source, uint32_t *ret_generation, uint32_t *ret_revision,
	       struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, MANAGER_POLICY_SET, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "sha{sv}", name, bundle, 1, MANAGER_OPT_SOURCE, "h", source), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && sd_bus_message_read(answer, MANAGER_POLICY_SET_OUT, ret_generation, ret_revision) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

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
	_close_ int bundle = -1, source = -1;
	uint32_t generation = 0, revision = 0;
	struct provider_set providers = { .fd = -1 };
	struct err e = { 0 };
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, &e);

	if (!r)				/* its hosts take what the sandbox has, as at its start */
		r = provider_fill_set(bus, name, &providers, &e);
	if (!r)
		r = provider_set_seal(&providers, &e);
	if (!r)
		r = compile(file, &source, &bundle, &e);
	provider_set_done(&providers);
	if (!r)
		r = ask(bus, name, bundle, source, &generation, &revision, &e);
	sd_bus_close_unref(bus);
	if (r < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	say_what(name, generation, revision);
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
