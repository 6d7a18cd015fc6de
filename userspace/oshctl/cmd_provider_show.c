/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl provider list | get | delete | attach | detach`. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "person.h"
#include "policy_put.h"
#include "provider_call.h"
#include "provider_set.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

struct opts {
	const char *socket;
	uint32_t uid;
	bool json;
};

static bool read_user(const char *text, uint32_t *ret)
{
	const struct passwd *pw = getpwnam(text);
	char *end;

	*ret = pw ? pw->pw_uid : (uint32_t)strtoul(text, &end, 10);
	if (pw || (*text >= '0' && *text <= '9' && !*end))
		return true;
	say_error("no user is called '%s'", text);
	return false;
}

static bool read_opts(int argc, char **argv, bool takes_json, bool takes_user, struct opts *o)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "user", required_argument, NULL, 'u' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	int c;

	*o = (struct opts){ .uid = MANAGER_SELF };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || (c == 'j' && !takes_json) || (c == 'u' && !takes_user))
			return usage_stray(c, options);
		if (c == 'u' && !read_user(optarg, &o->uid))
			return false;
		if (c == 's')
			o->socket = optarg;
		o->json |= c == 'j';
	}
	return true;
}

static int say(const struct err *e)
{
	say_error("%s", e->text);
	return EXIT_REFUSED;
}

static void print_time(uint64_t us, char text[32])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M", &tm))
		strcpy(text, "-");
}

static void print_row(const struct provider_row *w)
{
	char owner[PERSON_MAX], when[32];

	person_owner(w->uid, owner);
	print_time(w->rotated_us, when);
	printf("%-24s  %-16s  %-12.32s  %-9u  %s\n", w->name, w->type, owner, w->sandboxes, when);
}

static int print_all(sd_bus_message *m, bool json)
{
	struct json j = json_to_file(stdout);
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");
	bool any = false;

	if (json)
		json_arr(&j);
	else
		printf("%-24s  %-16s  %-12s  %-9s  %s\n", "NAME", "TYPE", "OWNER", "SANDBOXES", "ROTATED");
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct provider_row w = { 0 };

		any = true;
		r = json ? manager_json(m, &j) : provider_read_row(m, &w);
		if (r >= 0 && !json)
			print_row(&w);
		free(w.record);
	}
	if (r >= 0 && !any && !json)
		say_error("no stored credentials; `oshctl provider create` stores one");
	if (!json)
		return r;
	json_end(&j);
	return r < 0 ? r : json_line(&j);
}

int cmd_provider_list(int argc, char **argv)
{
	struct err e = { 0 };
	sd_bus *bus = NULL;
	struct opts o;
	int r;

	if (!read_opts(argc, argv, true, false, &o) || !usage_operands(argc, argv, ""))
		return help_usage("provider list");
	r = manager_open(&bus, o.socket, &e);
	if (!r)
		r = manager_show(bus, MANAGER_PROVIDERS, print_all, o.json, &e);
	sd_bus_close_unref(bus);
	return r < 0 ? say(&e) : fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

static void print_one(const struct provider_row *w)
{
	char made[32], when[32];

	print_time(w->created_us, made);
	print_time(w->rotated_us, when);
	printf("name: %s\ntype: %s\nuid: %u\ncreated: %s\nrotated: %s\nsandboxes: %u\nrecord: ", w->name, w->type, w->uid, made,
	       when, w->sandboxes);
	manager_print(w->record, stdout);
	putchar('\n');
}

static void json_one(const struct provider_row *w)
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_kv_str(&j, "name", w->name);
	json_kv_str(&j, "type", w->type);
	json_kv_u64(&j, "uid", w->uid);
	json_kv_u64(&j, "created", w->created_us);
	json_kv_u64(&j, "rotated", w->rotated_us);
	json_kv_u64(&j, "sandboxes", w->sandboxes);
	json_kv_str(&j, "record", w->record);
	json_end(&j);
	(void)json_line(&j);
}

int cmd_provider_get(int argc, char **argv)
{
	struct provider_row w = { 0 };
	struct err e = { 0 };
	sd_bus *bus = NULL;
	struct opts o;
	int r;

	if (!read_opts(argc, argv, true, true, &o) || !usage_operands(argc, argv, "NAME"))
		return help_usage("provider get");
	r = manager_open(&bus, o.socket, &e);
	if (!r)
		r = provider_get(bus, argv[optind], o.uid, &w, &e);
	sd_bus_close_unref(bus);
	if (r < 0)
		return say(&e);
	if (o.json)
		json_one(&w);
	else
		print_one(&w);
	free(w.record);
	return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

static int delete(sd_bus *bus, const char *name, uint32_t uid, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = manager_new(bus, MANAGER_PROVIDER_DELETE, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "su", name, uid), e);
	if (!r)
		r = manager_call(bus, m, NULL, e);
	sd_bus_message_unref(m);
	return r;
}

/* One that fails does not spare the others. */
int cmd_provider_delete(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_DONE;
	sd_bus *bus = NULL;
	struct opts o;

	if (!read_opts(argc, argv, false, true, &o) || !usage_operands(argc, argv, "NAME..."))
		return help_usage("provider delete");
	if (manager_open(&bus, o.socket, &e) < 0)
		return say(&e);
	for (int i = optind; i < argc; i++)
		if (delete(bus, argv[i], o.uid, &e) < 0)
			status = say(&e);
	sd_bus_close_unref(bus);
	return status;
}

static int call_attach(sd_bus *bus, const char *sandbox, const char *name, const char *placeholder, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = manager_new(bus, MANAGER_PROVIDER_ATTACH, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "sss", sandbox, name, placeholder), e);
	if (!r)
		r = manager_call(bus, m, NULL, e);
	sd_bus_message_unref(m);
	return r;
}

/* What runs has its environment already: the variables are for whoever starts something in there. */
/*
 * A policy of which it is not a part yet is compiled anew: its hosts take the credential from now on. What cannot be
 * is said, with what does it.
 */
static int apply(sd_bus *bus, const char *sandbox, struct err *e)
{
	struct policy_put put = { 0 };
	struct err why = { 0 };
	int r = policy_put_again(bus, sandbox, &put, &why);

	if (r < 0)
		return fail(e, why.code, "it is attached, and goes where the policy in force names it; for more, that one would have to be "
			    "set anew: %s", why.text);
	if (!r)
		say_error("it goes where the policy in force names it; `oshctl policy set %s -p FILE` makes the hosts that FILE lists "
			  "take it", sandbox);
	return 0;
}

static int attach(sd_bus *bus, const char *sandbox, const char *name, struct err *e)
{
	struct provider_set set = { .fd = -1 };
	struct provider_row w = { 0 };
	uint32_t uid;
	int r = provider_owner_of(bus, sandbox, &uid, e);

	if (!r)
		r = provider_get(bus, name, uid, &w, e);
	if (!r)
		r = provider_set_stored(&set, name, w.type, w.record, sandbox, e);
	if (!r)
		r = call_attach(bus, sandbox, name, set.stored[0].placeholder, e);
	for (size_t i = 0; !r && set.env[i]; i++)
		puts(set.env[i]);
	free(w.record);
	provider_set_done(&set);
	return r ? r : apply(bus, sandbox, e);
}

int cmd_provider_attach(int argc, char **argv)
{
	struct err e = { 0 };
	sd_bus *bus = NULL;
	struct opts o;
	int r;

	if (!read_opts(argc, argv, false, false, &o) || !usage_operands(argc, argv, "SANDBOX NAME"))
		return help_usage("provider attach");
	r = manager_open(&bus, o.socket, &e);
	if (!r)
		r = attach(bus, argv[optind], argv[optind + 1], &e);
	sd_bus_close_unref(bus);
	return r < 0 ? say(&e) : fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_provider_detach(int argc, char **argv)
{
	sd_bus_message *m = NULL;
	struct err e = { 0 };
	sd_bus *bus = NULL;
	struct opts o;
	int r;

	if (!read_opts(argc, argv, false, false, &o) || !usage_operands(argc, argv, "SANDBOX NAME"))
		return help_usage("provider detach");
	r = manager_open(&bus, o.socket, &e);
	if (!r)
		r = manager_new(bus, MANAGER_PROVIDER_DETACH, &m, &e);
	if (!r)
		r = manager_filled(sd_bus_message_append(m, "ss", argv[optind], argv[optind + 1]), &e);
	if (!r)
		r = manager_call(bus, m, NULL, &e);
	sd_bus_message_unref(m);
	sd_bus_close_unref(bus);
	return r < 0 ? say(&e) : EXIT_DONE;
}
