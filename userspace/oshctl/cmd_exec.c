/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl sandbox exec`: one more command in a sandbox that runs. It has the environment of the sandbox's
 * first command, and stdio as `oshctl run` gives it. When we go it is hung up.
 */
#include <getopt.h>
#include <stdlib.h>

#include "outside.h"
#include "own.h"
#include "run.h"
#include "say.h"
#include "session.h"
#include "verbs.h"

#define VERB_NAME "sandbox exec"

struct exec_opts {
	const char *name, *workdir, *socket;
	bool terminal, pipes;
	uint64_t limit_ms;		/* 0 = none */
	char **argv;			/* the command, NULL terminated */
	struct env env;			/* on top of the sandbox's */
};

enum { OPT_TIMEOUT = 256, OPT_SOCKET, OPT_HELP };

static const struct option options[] = {
	{ "workdir", required_argument, NULL, 'w' },
	{ "env", required_argument, NULL, 'e' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* 0 = it makes no sense. */
static uint64_t read_time(const char *text)
{
	static const struct { const char *unit; uint64_t ms; } units[] = {
		{ "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 }, { "h", 3600000 },
	};
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (end != text && *text >= '0' && *text <= '9' && n <= UINT32_MAX && !strcmp(end, units[i].unit))
			return n * units[i].ms;
	return 0;
}

static int set_env(struct env *env, const char *text, struct err *e)
{
	_free_ char *both = NULL;
	const char *value;

	if (strchr(text, '='))
		return env_set(env, text, e);
	value = *text ? getenv(text) : "";
	if (!value)
		return 0;
	if (asprintf(&both, "%s=%s", text, value) < 0) {
		both = NULL;
		return fail(e, ENOMEM, "out of memory");
	}
	return env_set(env, both, e);
}

static int usage(const char *why)
{
	say_error("%s", why);
	return help_usage(VERB_NAME);
}

/* -1 = go on, else the exit status. */
static int read_options(int argc, char **argv, struct exec_opts *o)
{
	struct err e;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+tTiw:e:", options, NULL)) != -1) {
		if (c == 't') {
			o->terminal = true;
		} else if (c == 'T') {
			o->pipes = true;
		} else if (c == 'w') {
			o->workdir = optarg;
		} else if (c == OPT_SOCKET) {
			o->socket = optarg;
		} else if (c == 'e') {
			if (set_env(&o->env, optarg, &e) < 0)
				return usage(e.text);
		} else if (c == OPT_TIMEOUT) {
			o->limit_ms = read_time(optarg);
			if (!o->limit_ms)
				return usage("--timeout wants a time such as 90s, 1500ms, 2m or 1h");
		} else if (c == OPT_HELP) {
			help_verb(stdout, VERB_NAME);
			return 0;
		} else if (c != 'i') {
			return help_usage(VERB_NAME);
		}
	}
	if (o->terminal && o->pipes)
		return usage("-t and -T exclude each other");
	if (o->workdir && o->workdir[0] != '/')
		return usage("-w wants an absolute path, as the sandbox names it");
	o->name = argv[optind];
	o->argv = o->name ? argv + optind + 1 : NULL;
	if (o->argv && *o->argv && !strcmp(*o->argv, "--"))
		o->argv++;
	return o->argv && *o->argv ? -1 : usage("a sandbox and a command are needed");
}

/* What belongs to this command alone: its terminal's kind, its directory. */
static int own_env(struct exec_opts *o, const struct run_stdio *stdio, struct err *e)
{
	_free_ char *pwd = NULL;
	int r = 0;

	if (stdio->tty >= 0 && !env_get(o->env.v, "TERM"))
		r = set_env(&o->env, "TERM", e);
	if (r < 0 || !o->workdir)
		return r;
	if (asprintf(&pwd, "PWD=%s", o->workdir) < 0) {
		pwd = NULL;
		return fail(e, ENOMEM, "out of memory");
	}
	return env_set(&o->env, pwd, e);
}

static int start(struct exec_opts *o, struct run_stdio *stdio, int *ret_control, struct err *e)
{
	struct sessions c = { 0 };
	_close_ int fd = -1;
	int r = run_stdio_open(stdio, o->pipes, e);

	if (r == 0 && o->terminal && stdio->tty < 0)
		r = fail(e, ENOTTY, "-t: there is no terminal to pass on");
	if (r == 0)
		r = own_env(o, stdio, e);
	if (r == 0)
		r = sessions_init(&c, o->socket, o->name, e);
	if (r == 0)
		r = session_open(&c, 0, &fd, e);
	sessions_done(&c);
	if (r == 0)
		r = run_relay_start(fd, stdio, e);
	if (r == 0)
		r = run_send_spec(&(struct run_order){ o->argv, o->env.v, o->workdir ? o->workdir : "",
						       OSH_SPEC_INHERIT }, fd, stdio, e);
	if (r == -EPIPE)
		r = 0;			/* it has ended already; run_relay() says so */
	if (r == 0)
		*ret_control = take_fd(&fd);
	return r;
}

int cmd_sandbox_exec(int argc, char **argv)
{
	struct exec_opts o = { 0 };
	_close_ int control = -1;
	struct run_stdio stdio;
	struct err e = { 0 };
	int r = run_fill_stdio() < 0 ? RUN_FAILED : read_options(argc, argv, &o);

	if (r < 0) {
		r = start(&o, &stdio, &control, &e);
		if (r == 0 && o.limit_ms)
			run_relay_limit(o.limit_ms);
		if (r == 0)
			r = run_relay();
		else
			say_error("%s", e.text);
		if (run_relay_missed())
			outside_say(o.argv[0], "");	/* whatever policy it has, that one is to change */
		if (r < 0)
			r = RUN_FAILED;
	}
	env_done(&o.env);
	return r;
}
