/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl gpu list`: the devices that a sandbox may be given, and who has them. */
#include <string.h>

#include "manager.h"
#include "manager_call.h"
#include "nvml.h"
#include "own.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

struct row {
	const char *name, *kind, *uuid, *model, *pci, *driver, *state;
	const char *sandboxes[8], *nodes[16];
	size_t n_sandboxes, n_nodes;
};

static int read_strings(sd_bus_message *m, const char **list, size_t max, size_t *n)
{
	const char *text;
	int r = sd_bus_message_enter_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0)
		if (*n < max)
			list[(*n)++] = text;
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_exit_container(m);
	return r;
}

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct row *w = data;
	const struct {
		const char *key, **to;
	} texts[] = { { "name", &w->name }, { "kind", &w->kind },     { "uuid", &w->uuid },   { "model", &w->model },
		      { "pci", &w->pci },   { "driver", &w->driver }, { "state", &w->state } };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].key, key))
			return sd_bus_message_read(m, "v", "s", texts[i].to);
	if (!strcmp(key, "sandboxes"))
		return read_strings(m, w->sandboxes, ARRAY_SIZE(w->sandboxes), &w->n_sandboxes);
	if (!strcmp(key, "nodes"))
		return read_strings(m, w->nodes, ARRAY_SIZE(w->nodes), &w->n_nodes);
	return sd_bus_message_skip(m, "v");
}

static void json_strings(struct json *j, const char *key, const char *const *list, size_t n)
{
	json_key(j, key);
	json_arr(j);
	for (size_t i = 0; i < n; i++)
		json_text(j, list[i]);
	json_end(j);
}

static void json_row(struct json *j, const struct row *w)
{
	const struct {
		const char *key, *text;
	} texts[] = { { "name", w->name }, { "kind", w->kind },	    { "uuid", w->uuid },   { "model", w->model },
		      { "pci", w->pci },   { "driver", w->driver }, { "state", w->state } };
	struct nvml_row nv;

	json_obj(j);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		json_kv_str(j, texts[i].key, texts[i].text ? texts[i].text : "");
	json_strings(j, "sandboxes", w->sandboxes, w->n_sandboxes);
	json_strings(j, "nodes", w->nodes, w->n_nodes);
	if (w->uuid && nvml_ask(w->uuid, &nv)) {
		json_kv_u64(j, "memory", nv.total);
		json_kv_u64(j, "memory-used", nv.used);
		if (nv.driver[0])
			json_kv_str(j, "driver-version", nv.driver);
	}
	json_end(j);
}

static void print_row(const struct row *w)
{
	struct nvml_row nv;

	printf("%-24s  %-9s  %-24.40s  %-18.40s  %-18s  ", w->name ? w->name : "?", w->state ? w->state : "?",
	       w->model && *w->model ? w->model : "-", w->driver && *w->driver ? w->driver : "-",
	       w->n_sandboxes ? w->sandboxes[0] : "-");
	if (w->uuid && nvml_ask(w->uuid, &nv))
		printf("%s, %llu of %llu MiB used\n", w->uuid, (unsigned long long)nv.used >> 20,
		       (unsigned long long)nv.total >> 20);
	else
		printf("%s\n", w->uuid && *w->uuid ? w->uuid : w->pci && *w->pci ? w->pci : "-");
	for (size_t i = 1; i < w->n_sandboxes; i++)
		printf("%-24s  %-9s  %-24s  %-18s  %s\n", "", "", "", "", w->sandboxes[i]);
}

static int print_all(sd_bus_message *m, bool json)
{
	struct json j = json_to_file(stdout);
	const char *warning = "";
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");
	bool any = false;

	if (json)
		json_arr(&j);
	else
		printf("%-24s  %-9s  %-24s  %-18s  %-18s  %s\n", "NAME", "STATE", "MODEL", "DRIVER", "SANDBOX", "UUID");
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { 0 };

		any = true;
		r = manager_row(m, read_field, &w);
		if (r >= 0 && json)
			json_row(&j, &w);
		else if (r >= 0)
			print_row(&w);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r >= 0)
		r = sd_bus_message_read(m, "s", &warning);
	if (r >= 0 && *warning)
		say_error("%s", warning);
	else if (r >= 0 && !any && !json)
		say_error("no GPUs: neither /dev/nvidia0 nor a render node in /dev/dri, and no device of a specification in /etc/cdi or /run/cdi");
	if (!json)
		return r;
	json_end(&j);
	return r < 0 ? r : json_line(&j);
}

int cmd_gpu_list(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	const char *socket = NULL;
	bool json = false;
	struct err e = { 0 };
	sd_bus *bus = NULL;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return help_usage("gpu list");
		if (c == 's')
			socket = optarg;
		json |= c == 'j';
	}
	if (!usage_operands(argc, argv, ""))
		return help_usage("gpu list");
	r = manager_open(&bus, socket, &e);
	if (!r)
		r = manager_show(bus, MANAGER_GPUS, print_all, json, &e);
	sd_bus_close_unref(bus);
	if (r < 0)
		say_error("%s", e.text);
	return r < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}
