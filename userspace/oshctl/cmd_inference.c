/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl inference set | get | list | delete`: which route of its policy a sandbox' calls of models go to first. */
#include <string.h>
#include <unistd.h>

#include "manager.h"
#include "manager_call.h"
#include "osh/inference.h"
#include "sandbox_args.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

struct opts {
	const char *socket, *route, *model;
	struct args labels;
	bool json, all, preset;
};

static const struct option set_options[] = { { "all", no_argument, NULL, 'a' },
					     { "default", no_argument, NULL, 'd' },
					     { "label", required_argument, NULL, 'l' },
					     { "route", required_argument, NULL, 'r' },
					     { "model", required_argument, NULL, 'm' },
					     { "socket", required_argument, NULL, 's' },
					     { 0 } };
static const struct option get_options[] = { { "json", no_argument, NULL, 'j' },
					     { "default", no_argument, NULL, 'd' },
					     { "socket", required_argument, NULL, 's' },
					     { 0 } };
static const struct option show_options[] = { { "json", no_argument, NULL, 'j' },
					      { "socket", required_argument, NULL, 's' },
					      { 0 } };
static const struct option delete_options[] = { { "default", no_argument, NULL, 'd' },
						{ "socket", required_argument, NULL, 's' },
						{ 0 } };

static bool read_opts(int argc, char **argv, const struct option *options, struct opts *o)
{
	int c;

	*o = (struct opts){ .model = "" };
	while ((c = getopt_long(argc, argv, options == set_options ? "l:" : "", options, NULL)) != -1) {
		if (c == '?')
			return false;
		if (c == 's')
			o->socket = optarg;
		else if (c == 'r')
			o->route = optarg;
		else if (c == 'm')
			o->model = optarg;
		else if (c == 'l')
			args_add(&o->labels, optarg);
		o->json |= c == 'j';
		o->all |= c == 'a';
		o->preset |= c == 'd';
	}
	return true;
}

/* Calls with up to three texts; ret_answer may be NULL. */
static int call(const char *socket, const char *method, const char *const *texts, sd_bus_message **ret_answer, struct err *e)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, e);

	if (!r)
		r = manager_new(bus, method, &m, e);
	for (; !r && *texts; texts++)
		r = manager_filled(sd_bus_message_append(m, "s", *texts), e);
	if (!r)
		r = manager_call(bus, m, ret_answer, e);
	sd_bus_message_unref(m);
	sd_bus_close_unref(bus);
	return r;
}

static int done(int r, const struct err *e)
{
	if (r < 0)
		say_error("%s", e->text);
	return r < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_inference_delete(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_DONE;
	struct opts o;

	if (!read_opts(argc, argv, delete_options, &o) || !usage_operands(argc, argv, o.preset ? "" : "NAME..."))
		return help_usage("inference delete");
	if (o.preset)
		return done(call(o.socket, MANAGER_INFERENCE_DEFAULT_SET, (const char *const[]){ "", "", NULL }, NULL, &e), &e);
	for (int i = optind; i < argc; i++)
		status |= done(call(o.socket, MANAGER_INFERENCE_DELETE, (const char *const[]){ argv[i], NULL }, NULL, &e), &e);
	return status;
}

struct row {
	const char *name, *route, *model;
	char routes[256], sandboxes[256];	/* those that routes lead to */
	int in_policy, preset;
	uint32_t uid;
	const char *wanted;		/* a route, or NULL */
	bool has;			/* its policy has that one */
};

static void put_name(char to[256], const char *name, size_t len)
{
	size_t n = strlen(to);

	snprintf(to + n, 256 - n, "%s%.*s", n ? ", " : "", (int)len, name);
}

/* Of backends the sandboxes. */
static void put_sandbox(struct row *w, const char *backend)
{
	const char *zone = strstr(backend, OSH_SANDBOX_ZONE ":");

	if (zone)
		put_name(w->sandboxes, backend, (size_t)(zone - backend));
}

static int read_each(sd_bus_message *m, struct row *w, bool backends)
{
	const char *one;
	int r = sd_bus_message_enter_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &one)) > 0) {
		if (backends) {
			put_sandbox(w, one);
			continue;
		}
		w->has |= w->wanted && !strcmp(w->wanted, one);
		put_name(w->routes, one, strlen(one));
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct row *w = data;

	if (!strcmp(key, "name"))
		return sd_bus_message_read(m, "v", "s", &w->name);
	if (!strcmp(key, "uid"))
		return sd_bus_message_read(m, "v", "u", &w->uid);
	if (!strcmp(key, "route"))
		return sd_bus_message_read(m, "v", "s", &w->route);
	if (!strcmp(key, "model"))
		return sd_bus_message_read(m, "v", "s", &w->model);
	if (!strcmp(key, "in-policy"))
		return sd_bus_message_read(m, "v", "b", &w->in_policy);
	if (!strcmp(key, "default"))
		return sd_bus_message_read(m, "v", "b", &w->preset);
	if (!strcmp(key, "backends"))
		return read_each(m, w, true);
	return !strcmp(key, "routes") ? read_each(m, w, false) : sd_bus_message_skip(m, "v");
}

static void print_row(const struct row *w)
{
	const char *route = w->route && *w->route ? w->route : "-";

	printf("%-24s  %-16s  %-24s  %s%s%s%s%s\n", w->name ? w->name : "?", route, w->model && *w->model ? w->model : "-", w->routes,
	       *w->sandboxes ? "; sandboxes: " : "", w->sandboxes, w->preset ? " (it began with the default)" : "",
	       *route != '-' && !w->in_policy ? " (the policy in force has no such route: it is as if none were chosen)" : "");
}

static void print_head(void)
{
	printf("%-24s  %-16s  %-24s  %s\n", "NAME", "ROUTE", "MODEL", "ROUTES OF ITS POLICY");
}

/* `one`: the only row there is, without the list around it. */
static int print_all(sd_bus_message *m, bool json, bool one)
{
	struct json j = json_to_file(stdout);
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");
	bool any = false;

	if (json && !one)
		json_arr(&j);
	else if (!json)
		print_head();
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { .in_policy = 1 };

		any = true;
		r = json ? manager_json(m, &j) : manager_row(m, read_field, &w);
		if (r >= 0 && !json)
			print_row(&w);
	}
	if (r >= 0 && !any && !json)
		say_error("no sandbox that runs has routes of models; `inference` of a policy names them");
	if (!json)
		return r;
	if (!one)
		json_end(&j);
	return r < 0 ? r : json_line(&j);
}

static int set(const struct opts *o, const char *name)
{
	struct err e = { 0 };

	return done(call(o->socket, MANAGER_INFERENCE_SET, (const char *const[]){ name, o->route, o->model, NULL }, NULL, &e), &e);
}

/* The sandboxes that have the labels. */
static int list_labelled(const struct opts *o, sd_bus_message **ret, struct err *e)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, o->socket, e);

	if (!r)
		r = manager_new(bus, MANAGER_LIST, &m, e);
	if (!r)
		r = manager_filled(manager_add_labels(m, o->labels.v), e);
	if (!r)
		r = manager_call(bus, m, ret, e);
	sd_bus_message_unref(m);
	sd_bus_close_unref(bus);
	return r;
}

/* Is one of the caller's own of that name in the list? NULL is a list of all. */
static bool is_listed(sd_bus_message *list, const char *name)
{
	bool found = !list;

	if (!list || sd_bus_message_rewind(list, true) < 0 || sd_bus_message_enter_container(list, 'a', "a{sv}") < 0)
		return found;
	while (!found && sd_bus_message_at_end(list, false) == 0) {
		struct row w = { 0 };

		if (manager_row(list, read_field, &w) < 0)
			break;
		found = w.name && !strcmp(w.name, name) && w.uid == getuid();
	}
	return found;
}

/* The caller's own, also root's; those whose policy has that route. One that fails does not spare the others. */
static int set_all(const struct opts *o)
{
	sd_bus_message *m = NULL, *labelled = NULL;
	struct err e = { 0 };
	int r = o->labels.n ? list_labelled(o, &labelled, &e) : 0, status = EXIT_DONE, n = 0;

	if (!r)
		r = call(o->socket, MANAGER_INFERENCE, (const char *const[]){ "", NULL }, &m, &e);
	if (!r && sd_bus_message_enter_container(m, 'a', "a{sv}") < 0)
		r = fail(&e, EBADMSG, "the answer makes no sense");
	while (!r && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { .wanted = o->route };

		if (manager_row(m, read_field, &w) < 0)
			r = fail(&e, EBADMSG, "the answer makes no sense");
		else if (w.has && w.uid == getuid() && is_listed(labelled, w.name))
			status |= set(o, w.name), n++;
	}
	sd_bus_message_unref(m);
	sd_bus_message_unref(labelled);
	if (!r && !n)
		r = fail(&e, ENOENT, "no sandbox of yours that runs%s has a route '%.64s'", o->labels.n ? " and has such labels" : "", o->route);
	return status | done(r, &e);
}

static int set_default(const struct opts *o)
{
	struct err e = { 0 };
	int r = *o->route ? 0 : fail(&e, EINVAL, "that is no name of a route");

	if (!r)
		r = call(o->socket, MANAGER_INFERENCE_DEFAULT_SET, (const char *const[]){ o->route, o->model, NULL }, NULL, &e);
	return done(r, &e);
}

static int read_and_set(int argc, char **argv, struct opts *o)
{
	bool many;

	if (!read_opts(argc, argv, set_options, o))
		return help_usage("inference set");
	many = o->all || o->labels.n;
	if (!usage_operands(argc, argv, many || o->preset ? "" : "NAME") || !args_pairs(&o->labels))
		return help_usage("inference set");
	if (many && o->preset) {
		say_error("%s is about sandboxes that run, --default about those to come: choose for one after the other", o->all ? "--all" : "--label");
		return help_usage("inference set");
	}
	if (!o->route) {
		say_error("--route is missing: it names a route of the policy, as `oshctl inference get NAME` lists them");
		return help_usage("inference set");
	}
	if (o->preset)
		return set_default(o);
	return many ? set_all(o) : set(o, argv[optind]);
}

int cmd_inference_set(int argc, char **argv)
{
	struct opts o;
	int status = read_and_set(argc, argv, &o);

	args_done(&o.labels);
	return status;
}

static int show(const struct opts *o, const char *name)
{
	sd_bus_message *answer = NULL;
	struct err e = { 0 };
	int r = call(o->socket, MANAGER_INFERENCE, (const char *const[]){ name, NULL }, &answer, &e);

	if (!r && print_all(answer, o->json, *name) < 0)
		r = fail(&e, EBADMSG, "the answer makes no sense");
	sd_bus_message_unref(answer);
	return done(r, &e);
}

/* The caller's own. As a row below those of sandboxes it is there only where one was set. */
static int show_default(const struct opts *o, bool below)
{
	struct row w = { .name = "(default)", .in_policy = 1, .routes = "what yours begin with that start from now on" };
	struct json j = json_to_file(stdout);
	sd_bus_message *answer = NULL;
	struct err e = { 0 };
	int r = call(o->socket, MANAGER_INFERENCE_DEFAULT, (const char *const[]){ NULL }, &answer, &e);

	if (!r && (o->json ? manager_json(answer, &j) : manager_row(answer, read_field, &w)) < 0)
		r = fail(&e, EBADMSG, "the answer makes no sense");
	if (!r && o->json) {
		(void)json_line(&j);
	} else if (!r && (!below || *w.route)) {
		if (!below)
			print_head();
		print_row(&w);
	}
	sd_bus_message_unref(answer);
	return done(r, &e);
}

int cmd_inference_get(int argc, char **argv)
{
	struct opts o;

	if (!read_opts(argc, argv, get_options, &o) || !usage_operands(argc, argv, o.preset ? "" : "NAME"))
		return help_usage("inference get");
	return o.preset ? show_default(&o, false) : show(&o, argv[optind]);
}

int cmd_inference_list(int argc, char **argv)
{
	struct opts o;

	if (!read_opts(argc, argv, show_options, &o) || !usage_operands(argc, argv, ""))
		return help_usage("inference list");
	return show(&o, "") | (o.json ? EXIT_DONE : show_default(&o, true));
}
