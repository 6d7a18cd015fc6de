/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl volume list | delete`. A volume is made by the first sandbox that names it. */
#include <string.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "person.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

struct row {
	const char *name;
	uint32_t uid, users;
};

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct row *w = data;

	if (!strcmp(key, "name"))
		return sd_bus_message_read(m, "v", "s", &w->name);
	if (!strcmp(key, "uid"))
		return sd_bus_message_read(m, "v", "u", &w->uid);
	return !strcmp(key, "sandboxes") ? sd_bus_message_read(m, "v", "u", &w->users) : sd_bus_message_skip(m, "v");
}

static void print_row(const struct row *w)
{
	char owner[PERSON_MAX];

	person_owner(w->uid, owner);
	manager_print(w->name ? w->name : "?", stdout);
	printf("%*s  %-12.32s  %u\n", w->name && strlen(w->name) < 24 ? (int)(24 - strlen(w->name)) : 0, "",
	       owner, w->users);
}

static int print_all(sd_bus_message *m, bool json)
{
	struct json j = json_to_file(stdout);
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");
	bool any = false;

	if (json)
		json_arr(&j);
	else
		printf("%-24s  %-12s  %s\n", "NAME", "OWNER", "SANDBOXES");
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { 0 };

		any = true;
		r = json ? manager_json(m, &j) : manager_row(m, read_field, &w);
		if (r >= 0 && !json)
			print_row(&w);
	}
	if (r >= 0 && !any && !json)
		say_error("no volumes; `oshctl sandbox create --volume NAME:/PATH` makes one");
	if (!json)
		return r;
	json_end(&j);
	return r < 0 ? r : json_line(&j);
}

static int delete(sd_bus *bus, const char *name, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = manager_new(bus, MANAGER_VOLUME_DELETE, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "s", name), e);
	if (!r)
		r = manager_call(bus, m, NULL, e);
	sd_bus_message_unref(m);
	return r;
}

struct opts {
	const char *socket;
	bool json;
};

/* Options; then optind is the first name. */
static bool read_opts(int argc, char **argv, bool takes_json, struct opts *o)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || (c == 'j' && !takes_json))
			return usage_stray(c, options);
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

int cmd_volume_list(int argc, char **argv)
{
	struct opts o = { 0 };
	struct err e = { 0 };
	sd_bus *bus = NULL;
	int r;

	if (!read_opts(argc, argv, true, &o) || !usage_operands(argc, argv, ""))
		return help_usage("volume list");
	r = manager_open(&bus, o.socket, &e);
	if (!r)
		r = manager_show(bus, MANAGER_VOLUMES, print_all, o.json, &e);
	sd_bus_close_unref(bus);
	return r < 0 ? say(&e) : fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

/* One that fails does not spare the others. */
int cmd_volume_delete(int argc, char **argv)
{
	struct opts o = { 0 };
	struct err e = { 0 };
	int status = EXIT_DONE;
	sd_bus *bus = NULL;

	if (!read_opts(argc, argv, false, &o) || !usage_operands(argc, argv, "NAME..."))
		return help_usage("volume delete");
	if (manager_open(&bus, o.socket, &e) < 0)
		return say(&e);
	for (int i = optind; i < argc; i++)
		if (delete(bus, argv[i], &e) < 0)
			status = say(&e);
	sd_bus_close_unref(bus);
	return status;
}
