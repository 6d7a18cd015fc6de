/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl run`: a command in a sandbox of its own, in the foreground. Opens what the caller named,
 * compiles the policy in a confined child, asks oshd for the sandbox and relays until it has ended.
 */
#include <getopt.h>
#include <stdlib.h>

#include "bus_client.h"
#include "outside.h"
#include "own.h"
#include "run.h"
#include "say.h"
#include "takes.h"
#include "verbs.h"
#include "warnings.h"

enum { OPT_LOG = 256, OPT_SOCKET, OPT_HOSTS, OPT_CA, OPT_PROVIDER, OPT_NO_PROVIDERS, OPT_GPU, OPT_HELP, OPT_LATER };

static const struct option options[] = {
	{ "policy", required_argument, NULL, 'p' },
	{ "name", required_argument, NULL, 'n' },
	{ "workdir", required_argument, NULL, 'w' },
	{ "env", required_argument, NULL, 'e' },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "upstream-hosts", required_argument, NULL, OPT_HOSTS },
	{ "upstream-ca", required_argument, NULL, OPT_CA },
	{ "provider", required_argument, NULL, OPT_PROVIDER },
	{ "no-providers", no_argument, NULL, OPT_NO_PROVIDERS },
	{ "gpu", required_argument, NULL, OPT_GPU },
	{ "help", no_argument, NULL, OPT_HELP },
	TAKES_OPTIONS,
	/* known by name so that nobody thinks they work */
	{ "detach", no_argument, NULL, OPT_LATER },
	{ "json", no_argument, NULL, OPT_LATER },
	{ 0 },
};

static const char **slot(struct run_opts *o, int c)
{
	switch (c) {
	case 'p': return &o->policy;
	case 'n': return &o->name;
	case 'w': return &o->workdir;
	case OPT_LOG: return &o->log;
	case OPT_SOCKET: return &o->socket;
	case OPT_HOSTS: return &o->hosts;
	case OPT_CA: return &o->ca;
	case OPT_GPU: return &o->gpu;
	default: return NULL;
	}
}

/* -1 = go on, else the exit status. o->env has room for argc entries. */
static int read_options(int argc, char **argv, struct run_opts *o)
{
	int c, index = 0;
	size_t n = 0, providers = 0;

	optind = 0;			/* the verb's own words, from the start */
	while ((c = getopt_long(argc, argv, "+p:n:w:e:", options, &index)) != -1) {
		if (slot(o, c)) {
			*slot(o, c) = optarg;
		} else if (c == 'e' && *optarg && *optarg != '=') {
			o->env[n++] = optarg;
		} else if (c == OPT_PROVIDER) {
			o->providers[providers++] = optarg;
		} else if (c == OPT_NO_PROVIDERS) {
			o->no_providers = true;
		} else if (takes_option(c)) {
			if (!takes_read(c, optarg, o->amount))
				return help_usage("run");
		} else if (c == OPT_HELP) {
			help_verb(stdout, "run");
			return 0;
		} else {
			if (c == OPT_LATER)
				say_error("--%s is not implemented yet", options[index].name);
			else if (c == 'e')
				say_error("-e wants NAME or NAME=VALUE");
			return help_usage("run");
		}
	}
	o->argv = argv + optind;
	if (*o->argv)
		return -1;
	say_error("no command was given");
	return help_usage("run");
}

/* The policy becomes a bundle while the bus is being opened. */
static int prepare(const struct run_opts *o, struct run_files *f, struct run_stdio *stdio,
		   struct bus_client *bus, int *ret_bundle, struct err *e)
{
	struct err more = { 0 };
	struct policy_job job;
	int r = run_compile_start(o, f, &job, e), x;

	if (r < 0)
		return r;
	r = run_stdio_open(stdio, false, e);
	if (r == 0)
		r = bus_client_open(bus, o->socket, e);
	x = run_compile_end(o, f, &job, ret_bundle, r < 0 ? &more : e);
	return r < 0 ? r : x;
}

/* From an open bus to the end of the sandbox: an exit status, or -errno before the command ran. */
static int run(const struct run_opts *o, struct run_files *f, struct bus_client *bus, struct err *e)
{
	struct run_stdio stdio;
	struct env env = { 0 };
	_close_ int bundle = -1;
	int r = prepare(o, f, &stdio, bus, &bundle, e);

	if (r == 0)
		r = bus_client_run(bus, o, bundle, f, e);
	if (r == 0) {			/* oshd works on it; meanwhile, the rest */
		own_close(&f->init_control);
		own_close(&f->summary_in);
		r = run_build_env(o, bundle, f, !bus->embedded, &env, e);
	}
	if (r == 0)
		r = bus_client_answer(bus, e);
	if (r == 0)
		r = run_relay_start(f->control, &stdio, e);
	if (r == 0) {			/* osh-init is being executed meanwhile */
		r = run_send_spec(&(struct run_order){ o->argv, env.v, f->cwd, 0 }, f->control, &stdio, e);
		if (r == -EPIPE)
			r = 0;		/* it has ended already; run_relay() says so */
	}
	env_done(&env);
	if (r < 0 && bus->refused)	/* what was begun of it goes first: the next run is not to meet it */
		run_summary(f->summary, bus_client_fd(bus), true);
	if (r < 0)
		return r;
	r = run_relay();
	if (run_relay_missed())
		outside_say(o->argv[0], o->policy);
	own_close(&f->control);
	run_summary(f->summary, bus_client_fd(bus), false);
	return r;
}

/* Everything after the options: an exit status. */
static int run_in_sandbox(const struct run_opts *o)
{
	struct bus_client bus = { .preset = warnings_of_preset(o->policy) };
	struct run_files f;
	struct err e = { 0 };
	int r = run_open(o, &f, &e);

	if (r == 0)
		r = run(o, &f, &bus, &e);
	run_close(&f);
	bus_client_close(&bus);
	if (r >= 0)
		return r;
	say_error("%s", e.text);
	return RUN_FAILED;
}

int cmd_run(int argc, char **argv)
{
	_free_ char **given = calloc((size_t)argc + 1, sizeof(*given));
	_free_ const char **providers = calloc((size_t)argc + 1, sizeof(*providers));
	struct run_opts o = { .env = given, .providers = providers };
	int r;

	if (!given || !providers || run_fill_stdio() < 0)
		return RUN_FAILED;
	r = read_options(argc, argv, &o);
	return r < 0 ? run_in_sandbox(&o) : r;
}
