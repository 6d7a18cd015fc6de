/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <string.h>

#include "manager.h"
#include "manager_call.h"

struct row {
	const char *name, *state;
};

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct row *w = data;

	if (!strcmp(key, "name"))
		return sd_bus_message_read(m, "v", "s", &w->name);
	if (!strcmp(key, "type"))	/* of a provider */
		return sd_bus_message_read(m, "v", "s", &w->state);
	return !strcmp(key, "state") ? sd_bus_message_read(m, "v", "s", &w->state) : sd_bus_message_skip(m, "v");
}

static void read_rows(sd_bus_message *m, live_name *each, void *data)
{
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { 0 };

		r = manager_row(m, read_field, &w);
		if (r >= 0 && w.name)
			each(data, w.name, w.state);
	}
}

static void names(const char *socket, const char *method, bool labels, live_name *each, void *data)
{
	static char *const none[] = { NULL };
	sd_bus_message *m = NULL, *answer = NULL;
	struct err e = { 0 };
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, &e);

	if (!r)
		r = manager_new(bus, method, &m, &e);
	if (!r && labels)
		r = manager_filled(manager_add_labels(m, none), &e);
	if (!r)
		r = manager_call(bus, m, &answer, &e);
	if (!r)
		read_rows(answer, each, data);
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	sd_bus_close_unref(bus);
}

void live_sandboxes(const char *socket, live_name *each, void *data)
{
	names(socket, MANAGER_LIST, true, each, data);
}

void live_volumes(const char *socket, live_name *each, void *data)
{
	names(socket, MANAGER_VOLUMES, false, each, data);
}

void live_providers(const char *socket, live_name *each, void *data)
{
	names(socket, MANAGER_PROVIDERS, false, each, data);
}
