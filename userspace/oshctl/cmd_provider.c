/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl provider create | rotate`: the record of a type with what the options change of it, and a secret that
 * comes from a file, a variable or standard input.
 */
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "profile.h"
#include "provider.h"
#include "provider_secret.h"
#include "sandbox_args.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

struct make {
	const char *socket, *type, *record, *header, *prefix, *service, *region;
	struct args hosts, env;
	struct secret_source secret;
	bool list_types;
};

enum { OPT_SOCKET = 256, OPT_TYPE, OPT_RECORD, OPT_HOST, OPT_ENV, OPT_HEADER, OPT_PREFIX, OPT_SERVICE, OPT_REGION,
       OPT_FILE, OPT_VARIABLE, OPT_STDIN, OPT_TYPES };

static const struct option options[] = {
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "from-file", required_argument, NULL, OPT_FILE },
	{ "from-env", optional_argument, NULL, OPT_VARIABLE },
	{ "stdin", no_argument, NULL, OPT_STDIN },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "env", required_argument, NULL, OPT_ENV },
	{ "header", required_argument, NULL, OPT_HEADER },
	{ "prefix", required_argument, NULL, OPT_PREFIX },
	{ "service", required_argument, NULL, OPT_SERVICE },
	{ "region", required_argument, NULL, OPT_REGION },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "types", no_argument, NULL, OPT_TYPES },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ 0 },
};

static const char **slot(struct make *m, int c)
{
	switch (c) {
	case OPT_SOCKET: return &m->socket;
	case OPT_TYPE: return &m->type;
	case OPT_RECORD: return &m->record;
	case OPT_HEADER: return &m->header;
	case OPT_PREFIX: return &m->prefix;
	case OPT_SERVICE: return &m->service;
	case OPT_REGION: return &m->region;
	case OPT_FILE: return &m->secret.file;
	default: return NULL;
	}
}

static bool read_opts(int argc, char **argv, struct make *m)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (slot(m, c))
			*slot(m, c) = optarg;
		else if (c == OPT_HOST)
			args_add(&m->hosts, optarg);
		else if (c == OPT_ENV)
			args_add(&m->env, optarg);
		else if (c == OPT_VARIABLE)
			m->secret.variable = optarg ? optarg : "";
		else if (c == OPT_STDIN)
			m->secret.in = true;
		else if (c == OPT_TYPES)
			m->list_types = true;
		else
			return false;
	}
	return true;
}

static int set_text(json_t *to, const char *key, const char *text, struct err *e)
{
	return !text || json_object_set_new(to, key, json_string(text)) == 0 ? 0 : fail(e, ENOMEM, "out of memory");
}

static int set_list(json_t *to, const char *key, const struct args *list, struct err *e)
{
	json_t *all = list->n ? json_array() : NULL;

	for (size_t i = 0; all && i < list->n; i++)
		json_array_append_new(all, json_string(list->v[i]));
	return !list->n || json_object_set_new(to, key, all) == 0 ? 0 : fail(e, ENOMEM, "out of memory");
}

static int change(json_t *record, const struct make *m, struct err *e)
{
	json_t *place = json_object_get(record, "placement");
	int r = 0;

	if (m->header)			/* another placement, not one more */
		json_object_clear(place);
	r = set_text(place, "header", m->header, e);
	if (!r)
		r = set_text(place, "prefix", m->prefix, e);
	if (!r)
		r = set_text(place, "sigv4", m->service, e);
	if (!r)
		r = set_text(place, "region", m->region, e);
	if (!r)
		r = set_list(record, "hosts", &m->hosts, e);
	return r ? r : set_list(record, "env", &m->env, e);
}

static json_t *whole_record(const char *path, struct err *e)
{
	json_error_t why;
	json_t *record = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

	if (!record)
		fail(e, EINVAL, "'%s': %d:%d: %s", path, why.line, why.column, why.text);
	json_object_del(record, "secret_file");	/* what is stored has its secret with it */
	return record;
}

/* The text that oshd stores, and that the egress will read: checked here, where somebody hears of it. */
static int make_record(const struct make *m, const struct profile *p, char **ret, struct err *e)
{
	json_t *record = m->record ? whole_record(m->record, e) : json_deep_copy(p->record);
	struct provider check;
	char *text = NULL;
	int r = record ? change(record, m, e) : e->code ? -e->code : fail(e, ENOMEM, "out of memory");

	if (!r && !(text = json_dumps(record, JSON_COMPACT)))
		r = fail(e, ENOMEM, "out of memory");
	json_decref(record);
	if (!r && !m->hosts.n && !json_object_get(p->record, "hosts") && !m->record)
		r = fail(e, EINVAL, "type '%s' wants to know its hosts: --host NAME, once or more", p->type);
	if (!r)
		r = provider_read(&check, slice_of(text), e);
	if (r < 0) {
		free(text);
		return r;
	}
	provider_done(&check);
	*ret = text;
	return 0;
}

static int ask(const struct make *m, const char *method, const char *name, const char *type, const char *record, int secret,
	       struct err *e)
{
	sd_bus_message *call = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, m->socket, e);

	if (!r)
		r = manager_new(bus, method, &call, e);
	if (!r)
		r = manager_filled(sd_bus_message_append(call, "sssh", name, type, record, secret), e);
	if (!r)
		r = manager_call(bus, call, NULL, e);
	sd_bus_message_unref(call);
	sd_bus_flush_close_unref(bus);
	return r;
}

static int say_types(void)
{
	struct profile p;

	for (size_t i = 0; embed_profile_name(i); i++)
		if (profile_open(&p, embed_profile_name(i), &(struct err){ 0 }) == 0) {
			printf("%-16s %s\n", p.type, p.description);
			profile_done(&p);
		}
	return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

/* A rotation leaves the record alone, unless one is said. */
static int make(const struct make *m, const char *method, const char *name, bool record_too, struct err *e)
{
	const char *type = m->type ? m->type : embed_profile(name).n ? name : "generic";
	struct profile p = { 0 };
	_free_ char *record = NULL;
	_close_ int secret = -1;
	int r = profile_open(&p, type, e);

	if (!r && record_too)
		r = make_record(m, &p, &record, e);
	if (!r)
		r = secret_open(&m->secret, &p, &secret, e);
	if (!r)
		r = ask(m, method, name, record_too ? type : "", record_too ? record : "", secret, e);
	profile_done(&p);
	return r;
}

static void done(struct make *m)
{
	args_done(&m->hosts);
	args_done(&m->env);
}

static bool operands_fit(int argc, char **argv, const struct make *m)
{
	if (!usage_operands(argc, argv, "NAME"))
		return false;
	if (secret_one(&m->secret))
		return true;
	say_error("where the secret is read from: one of --from-file FILE, --from-env[=VAR] and --stdin");
	return false;
}

static int say(const struct err *e)
{
	say_error("%s", e->text);
	return EXIT_REFUSED;
}

int cmd_provider_create(int argc, char **argv)
{
	struct make m = { 0 };
	struct err e = { 0 };
	int status;

	if (!read_opts(argc, argv, &m))
		status = help_usage("provider create");
	else if (m.list_types)
		status = say_types();
	else if (!operands_fit(argc, argv, &m))
		status = help_usage("provider create");
	else
		status = make(&m, MANAGER_PROVIDER_CREATE, argv[optind], true, &e) < 0 ? say(&e) : EXIT_DONE;
	done(&m);
	return status;
}

int cmd_provider_rotate(int argc, char **argv)
{
	struct make m = { 0 };
	struct err e = { 0 };
	bool other;
	int status;

	if (!read_opts(argc, argv, &m) || (m.list_types && !usage_stray(OPT_TYPES, options)) || !operands_fit(argc, argv, &m)) {
		status = help_usage("provider rotate");
	} else {
		other = m.type || m.record || m.hosts.n || m.env.n || m.header || m.prefix || m.service || m.region;
		status = make(&m, MANAGER_PROVIDER_ROTATE, argv[optind], other, &e) < 0 ? say(&e) : EXIT_DONE;
	}
	done(&m);
	return status;
}
