/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl sandbox create`: as `run`, but what it makes stays. The command is kept by oshd and gets
 * a terminal inside, where `oshctl connect` finds it.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "gpu.h"
#include "manager.h"
#include "manager_call.h"
#include "outside.h"
#include "own.h"
#include "policy_source.h"
#include "run.h"
#include "sandbox_args.h"
#include "say.h"
#include "spec.h"
#include "takes.h"
#include "verbs.h"
#include "warnings.h"

enum { OPT_LOG = 256, OPT_SOCKET, OPT_HOSTS, OPT_CA, OPT_PROVIDER, OPT_NO_PROVIDERS, OPT_GPU, OPT_VOLUME, OPT_JSON, OPT_HELP };

static const struct option options[] = {
	{ "policy", required_argument, NULL, 'p' },
	{ "name", required_argument, NULL, 'n' },
	{ "workdir", required_argument, NULL, 'w' },
	{ "env", required_argument, NULL, 'e' },
	{ "label", required_argument, NULL, 'l' },
	{ "volume", required_argument, NULL, OPT_VOLUME },
	{ "provider", required_argument, NULL, OPT_PROVIDER },
	{ "no-providers", no_argument, NULL, OPT_NO_PROVIDERS },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "upstream-hosts", required_argument, NULL, OPT_HOSTS },
	{ "upstream-ca", required_argument, NULL, OPT_CA },
	{ "gpu", required_argument, NULL, OPT_GPU },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	TAKES_OPTIONS,
	{ 0 },
};

struct create {
	struct run_opts o;
	struct run_files f;
	struct args labels, volumes, env, providers;
	char name[OSH_SANDBOX_NAME];
	bool json;
	struct osh_msg_init_spec head; /* of the command */
	int spec;
};

static const char **slot(struct run_opts *o, int c)
{
	switch (c) {
	case 'p':
		return &o->policy;
	case 'n':
		return &o->name;
	case 'w':
		return &o->workdir;
	case OPT_LOG:
		return &o->log;
	case OPT_SOCKET:
		return &o->socket;
	case OPT_HOSTS:
		return &o->hosts;
	case OPT_CA:
		return &o->ca;
	case OPT_GPU:
		return &o->gpu;
	default:
		return NULL;
	}
}

static struct args *list(struct create *c, int opt)
{
	switch (opt) {
	case 'l':
		return &c->labels;
	case 'e':
		return &c->env;
	case OPT_VOLUME:
		return &c->volumes;
	case OPT_PROVIDER:
		return &c->providers;
	default:
		return NULL;
	}
}

/* -1 = go on, else the exit status. */
static int read_options(int argc, char **argv, struct create *c)
{
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "+p:n:w:e:l:", options, NULL)) != -1) {
		if (slot(&c->o, opt)) {
			*slot(&c->o, opt) = optarg;
		} else if (list(c, opt)) {
			args_add(list(c, opt), optarg);
		} else if (opt == OPT_NO_PROVIDERS) {
			c->o.no_providers = true;
		} else if (takes_option(opt)) {
			if (!takes_read(opt, optarg, c->o.amount))
				return help_usage("sandbox create");
		} else if (opt == OPT_JSON) {
			c->json = true;
		} else if (opt == OPT_HELP) {
			help_verb(stdout, "sandbox create");
			return EXIT_DONE;
		} else {
			return help_usage("sandbox create");
		}
	}
	c->o.argv = argv + optind;
	c->o.env = args_list(&c->env);
	c->o.providers = (const char **)args_list(&c->providers);
	return args_pairs(&c->labels) ? -1 : help_usage("sandbox create");
}

/* Here and not by oshd: placeholders of credentials go by the name, and the command is to hold
 * them. */
static int choose_name(struct create *c, struct err *e)
{
	static const char letters[33] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char bytes[6];
	char text[7] = "";

	if (c->o.name) {
		snprintf(c->name, sizeof(c->name), "%s", c->o.name);
		return strlen(c->o.name) < sizeof(c->name)
			   ? 0
			   : fail(e, ENAMETOOLONG, "name '%s' is too long", c->o.name);
	}
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fail(e, errno, "random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(bytes); i++)
		text[i] = letters[bytes[i] % 32];
	snprintf(c->name, sizeof(c->name), "box-%s", text);
	return 0;
}

static int compile(struct create *c, int *ret_bundle, struct err *e)
{
	struct policy_job job;
	int r = c->o.policy ? 0 : policy_preset_fd("default", &c->f.policy, e);

	if (r == 0)
		r = policy_source_seal(&c->f.policy, e);
	if (r == 0)
		r = policy_gpu(c->o.gpu, e);
	if (r == 0)
		r = policy_compile_start(c->f.policy, &job, e);
	return r < 0 ? r : run_compile_end(&c->o, &c->f, &job, ret_bundle, e);
}

static int make_command(struct create *c, int bundle, struct err *e)
{
	mode_t was = umask(077);
	struct env env = { 0 };
	int r;

	umask(was);
	c->head = (struct osh_msg_init_spec){
		.flags = *c->o.argv ? OSH_SPEC_TTY : OSH_SPEC_BASE, .umask = was, .rows = 24, .cols = 80
	};
	r = run_build_env(&c->o, bundle, &c->f, true, &env, e);
	if (r == 0)		/* without a command, what `sandbox exec` is to have */
		r = spec_write(c->o.argv, env.v, c->f.cwd, &c->head, &c->spec, e);
	env_done(&env);
	return r;
}

static int add_command(sd_bus_message *m, const struct create *c)
{
	int r;

	if (c->spec < 0)
		return 0;
	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER_OPT_COMMAND);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "(hay)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "hay");
	if (r >= 0)
		r = sd_bus_message_append(m, "h", c->spec);
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', &c->head, sizeof(c->head));
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int add_lists(sd_bus_message *m, struct create *c)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER_OPT_LABELS);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a{ss}");
	if (r >= 0)
		r = manager_add_labels(m, args_list(&c->labels));
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER_OPT_VOLUMES);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, args_list(&c->volumes));
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int fill(sd_bus_message *m, struct create *c, int bundle)
{
	const struct run_files *f = &c->f;
	int r = sd_bus_message_append(m, "shh", c->name, bundle, f->workdir);

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}", MANAGER_OPT_WORKDIR, "s", f->cwd,
					  MANAGER_OPT_SOURCE, "h", f->policy);
	if (r >= 0)
		r = sandbox_add_given(m, f->creds.fd, f->hosts, f->ca, f->log);
	if (r >= 0)
		r = sandbox_add_stored(m, &f->creds);
	if (r >= 0)
		r = takes_add(m, c->o.amount);
	if (r >= 0)
		r = add_lists(m, c);
	if (r >= 0)
		r = add_command(m, c);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int print(const struct create *c, sd_bus_message *answer, struct err *e)
{
	bool preset = warnings_of_preset(c->o.policy);
	struct json j = json_to_file(stdout);
	const char *name;
	uint32_t id;

	if (sd_bus_message_read(answer, MANAGER_RUN_OUT, &name, &id) < 0)
		return fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	if (!c->json) {
		puts(name);
		(void)warnings_say(answer, preset, NULL);
	} else {
		json_obj(&j);
		json_kv_str(&j, "name", name);
		json_kv_u64(&j, "id", id);
		json_key(&j, "warnings");
		json_arr(&j);
		(void)warnings_say(answer, preset, &j);
		json_end(&j);
		json_end(&j);
		(void)json_line(&j);
	}
	return fflush(stdout) ? fail(e, errno, "standard output: %s", strerror(errno)) : 0;
}

static int ask(struct create *c, int bundle, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, c->o.socket, e);

	if (r == 0)
		r = manager_new(bus, MANAGER_CREATE, &m, e);
	if (r == 0)
		r = manager_filled(fill(m, c, bundle), e);
	if (r == 0)
		r = manager_call(bus, m, &answer, e);
	if (r == 0)
		r = print(c, answer, e);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(m);
	sd_bus_flush_close_unref(bus);
	return r;
}

static int create(struct create *c, struct err *e)
{
	_close_ int bundle = -1;
	int r = choose_name(c, e);

	c->o.placeholders = c->name;
	if (r == 0)
		r = run_open(&c->o, &c->f, e);
	if (r == 0)
		r = compile(c, &bundle, e);
	if (r == 0)
		r = make_command(c, bundle, e);
	if (r == 0)
		r = ask(c, bundle, e);
	return r;
}

int cmd_sandbox_create(int argc, char **argv)
{
	struct create c = { .spec = -1 };
	struct err e = { 0 };
	int r;

	run_files_init(&c.f);
	r = read_options(argc, argv, &c);
	if (r < 0) {
		r = create(&c, &e) < 0 ? EXIT_REFUSED : EXIT_DONE;
		if (r != EXIT_DONE)
			say_error("%s", e.text);
		if (c.o.argv && *c.o.argv && !strncmp(e.text, "cannot run ", 11) && strstr(e.text, strerror(ENOENT)))
			outside_say(c.o.argv[0], c.o.policy);
	}
	run_close(&c.f);
	own_close(&c.spec);
	args_done(&c.labels);
	args_done(&c.volumes);
	args_done(&c.env);
	args_done(&c.providers);
	return r;
}
