/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl sandbox start | stop | restart | delete | prune | label`: a row each, and the options
 * that it takes. Several names are steered one after the other; one that fails does not spare the
 * others.
 */
#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "run.h"
#include "sandbox_args.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"
#include "warnings.h"

#define GRACE_S 10

enum { OPT_SOCKET = 256, OPT_PROVIDER, OPT_LOG, OPT_HOSTS, OPT_CA, OPT_VOLUMES };

static const struct option options[] = {
	{ "time", required_argument, NULL, 't' },
	{ "force", no_argument, NULL, 'f' },
	{ "label", required_argument, NULL, 'l' },
	{ "volumes", no_argument, NULL, OPT_VOLUMES },
	{ "provider", required_argument, NULL, OPT_PROVIDER },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "upstream-hosts", required_argument, NULL, OPT_HOSTS },
	{ "upstream-ca", required_argument, NULL, OPT_CA },
	{ 0 },
};

struct steer {
	struct run_opts o; /* what Start may be given again */
	struct args labels, providers;
	unsigned grace_s;
	bool force, volumes;
	char **names;
	size_t n_names;
	sd_bus *bus;
};

static int add_given(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		     struct err *e)
{
	int r;

	s->o.placeholders = name;
	r = run_open_given(&s->o, f, e);
	if (r < 0)
		return r;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = sandbox_add_given(m, f->creds.fd, f->hosts, f->ca, f->log);
	if (r >= 0)
		r = sandbox_add_stored(m, &f->creds);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return manager_filled(r, e);
}

static int fill_start(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		      struct err *e)
{
	int r = manager_filled(sd_bus_message_append(m, "s", name), e);

	return r ? r : add_given(m, s, name, f, e);
}

static int fill_stop(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		     struct err *e)
{
	(void)f;
	return manager_filled(sd_bus_message_append(m, "su", name, s->grace_s * 1000), e);
}

static int fill_restart(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
			struct err *e)
{
	int r = fill_stop(m, s, name, f, e);

	return r ? r : add_given(m, s, name, f, e);
}

static int fill_delete(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		       struct err *e)
{
	(void)f;
	return manager_filled(sd_bus_message_append(m, "sb", name, s->force), e);
}

static int fill_prune(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		      struct err *e)
{
	int r = manager_add_labels(m, args_list(&s->labels));

	(void)name;
	(void)f;
	return manager_filled(r < 0 ? r : sd_bus_message_append(m, "b", s->volumes), e);
}

/* NAME K=V... K-...: those with a dash are taken away. */
static int fill_label(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		      struct err *e)
{
	struct args set = { 0 }, gone = { 0 };
	int r = 0;

	(void)f;
	for (size_t i = 1; r == 0 && i < s->n_names; i++) {
		char *text = s->names[i];
		size_t n = strlen(text);

		if (strchr(text, '=') && *text != '=') {
			args_add(&set, text);
		} else if (n > 1 && text[n - 1] == '-') {
			text[n - 1] = '\0';
			args_add(&gone, text);
		} else {
			r = fail(e, EINVAL, "label '%s': want NAME=VALUE, or NAME- to remove it",
				 text);
		}
	}
	if (r == 0)
		r = sd_bus_message_append(m, "s", name);
	if (r >= 0)
		r = manager_add_labels(m, args_list(&set));
	if (r >= 0)
		r = sd_bus_message_append_strv(m, args_list(&gone));
	args_done(&set);
	args_done(&gone);
	return e->code ? r : manager_filled(r, e);
}

static const struct verb_row {
	const char *verb, *method;
	const char *takes;  /* letters of the options, s = --socket is everyone's */
	const char *operands;
	int (*fill)(sd_bus_message *m, struct steer *s, const char *name, struct run_files *f,
		    struct err *e);
} rows[] = {
	/* clang-format off */
	{ "sandbox start",   MANAGER_START,   "g",  "NAME...", fill_start },
	{ "sandbox stop",    MANAGER_STOP,    "t",  "NAME...", fill_stop },
	{ "sandbox restart", MANAGER_RESTART, "tg", "NAME...", fill_restart },
	{ "sandbox delete",  MANAGER_DELETE,  "f",  "NAME...", fill_delete },
	{ "sandbox prune",   MANAGER_PRUNE,   "lv", "",        fill_prune },
	{ "sandbox label",   MANAGER_LABEL,   "",   "NAME K=V...", fill_label },
	/* clang-format on */
};

static char letter(int c)
{
	switch (c) {
	case OPT_PROVIDER:
	case OPT_LOG:
	case OPT_HOSTS:
	case OPT_CA:
		return 'g';
	case OPT_VOLUMES:
		return 'v';
	default:
		return (char)c;
	}
}

static bool read_seconds(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*ret = (unsigned)n;
	if (*text >= '0' && *text <= '9' && !*end && n <= OSH_GRACE_MS / 1000)
		return true;
	say_error("-t wants seconds, at most %d, not '%s'", OSH_GRACE_MS / 1000, text);
	return false;
}

static bool take(struct steer *s, int c)
{
	switch (c) {
	case 't':
		return read_seconds(optarg, &s->grace_s);
	case 'f':
		s->force = true;
		return true;
	case 'l':
		args_add(&s->labels, optarg);
		return true;
	case OPT_VOLUMES:
		s->volumes = true;
		return true;
	case OPT_PROVIDER:
		args_add(&s->providers, optarg);
		return true;
	case OPT_LOG:
		s->o.log = optarg;
		return true;
	case OPT_HOSTS:
		s->o.hosts = optarg;
		return true;
	case OPT_CA:
		s->o.ca = optarg;
		return true;
	case OPT_SOCKET:
		s->o.socket = optarg;
		return true;
	default:
		return false;
	}
}

static bool read_options(int argc, char **argv, const struct verb_row *row, struct steer *s)
{
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "t:fl:", options, NULL)) != -1) {
		if (c == '?' || (c != OPT_SOCKET && !strchr(row->takes, letter(c))))
			return usage_stray(c, options);
		if (!take(s, c))
			return false;
	}
	s->names = argv + optind;
	s->n_names = (size_t)(argc - optind);
	s->o.providers = (const char **)args_list(&s->providers);
	return usage_operands(argc, argv, row->operands) && args_pairs(&s->labels);
}

static int print_names(sd_bus_message *answer, struct err *e)
{
	const char *name;
	int r = sd_bus_message_enter_container(answer, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(answer, "s", &name)) > 0)
		puts(name);
	return r < 0 ? fail(e, EBADMSG, "oshd sent an answer that makes no sense") : 0;
}

static int steer_one(struct steer *s, const struct verb_row *row, const char *name, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	struct run_files f;
	int r = manager_new(s->bus, row->method, &m, e);

	run_files_init(&f);
	if (r == 0)
		r = row->fill(m, s, name, &f, e);
	if (r == 0)
		r = manager_call(s->bus, m, &answer, e);
	if (r == 0 && row->fill == fill_prune)
		r = print_names(answer, e);
	if (r == 0 && (row->fill == fill_start || row->fill == fill_restart))
		(void)warnings_say(answer, false, NULL);
	run_close(&f);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(m);
	return r;
}

static int steer(struct steer *s, const struct verb_row *row)
{
	size_t n = row->fill == fill_label || !s->n_names ? 1 : s->n_names;
	struct err e = { 0 };
	int status = EXIT_DONE;

	if (manager_open(&s->bus, s->o.socket, &e) < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	for (size_t i = 0; i < n; i++) {
		e = (struct err){ 0 };
		if (steer_one(s, row, s->n_names ? s->names[i] : "", &e) == 0)
			continue;
		say_error("%s", e.text);
		status = EXIT_REFUSED;
	}
	sd_bus_flush_close_unref(s->bus);
	return fflush(stdout) ? EXIT_REFUSED : status;
}

static int run(const char *verb, int argc, char **argv)
{
	struct steer s = { .grace_s = GRACE_S };
	const struct verb_row *row = rows;
	int r;

	while (strcmp(row->verb, verb))
		row++;
	r = read_options(argc, argv, row, &s) ? steer(&s, row) : help_usage(verb);
	args_done(&s.labels);
	args_done(&s.providers);
	return r;
}

int cmd_sandbox_start(int argc, char **argv)
{
	return run("sandbox start", argc, argv);
}

int cmd_sandbox_stop(int argc, char **argv)
{
	return run("sandbox stop", argc, argv);
}

int cmd_sandbox_restart(int argc, char **argv)
{
	return run("sandbox restart", argc, argv);
}

int cmd_sandbox_delete(int argc, char **argv)
{
	return run("sandbox delete", argc, argv);
}

int cmd_sandbox_prune(int argc, char **argv)
{
	return run("sandbox prune", argc, argv);
}

int cmd_sandbox_label(int argc, char **argv)
{
	return run("sandbox label", argc, argv);
}
