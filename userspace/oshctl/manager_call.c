/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_call.h"

#include <string.h>
#include <unistd.h>

#include "bus_find.h"
#include "manager.h"

int manager_open(sd_bus **ret, const char *socket, struct err *e)
{
	sd_bus *bus = NULL;
	int fd, r = bus_find_resident(socket, &fd, e);

	if (r < 0)
		return r;
	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_fd(bus, fd, fd);
	if (r < 0)
		close(fd);
	else
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return fail(e, -r, "bus: %s", strerror(-r));
	}
	*ret = bus;
	return 0;
}

int manager_new(sd_bus *bus, const char *method, sd_bus_message **ret, struct err *e)
{
	int r =
	    sd_bus_message_new_method_call(bus, ret, NULL, MANAGER_PATH, MANAGER_INTERFACE, method);

	return r < 0 ? fail(e, -r, "bus: %s", strerror(-r)) : 0;
}

int manager_filled(int filled, struct err *e)
{
	return filled < 0 ? fail(e, -filled, "call: %s", strerror(-filled)) : 0;
}

int manager_call(sd_bus *bus, sd_bus_message *m, sd_bus_message **ret_answer, struct err *e)
{
	sd_bus_error bad = SD_BUS_ERROR_NULL;
	sd_bus_message *answer = NULL;
	int r = sd_bus_call(bus, m, UINT64_MAX, &bad, &answer);

	if (r < 0) {
		bool theirs = bad.name && !strncmp(bad.name, MANAGER_ERROR, strlen(MANAGER_ERROR));

		r = fail(e, -r, "%s%s",
			 theirs ? "" : "oshd: ", bad.message ? bad.message : strerror(-r));
	} else if (ret_answer) {
		*ret_answer = sd_bus_message_ref(answer);
	}
	sd_bus_error_free(&bad);
	sd_bus_message_unref(answer);
	return r < 0 ? r : 0;
}

int manager_show(sd_bus *bus, const char *method, int (*print)(sd_bus_message *answer, bool json), bool json,
		 struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, method, &m, e);

	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && print(answer, json) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

int manager_add_fd(sd_bus_message *m, const char *key, int fd)
{
	return fd < 0 ? 0 : sd_bus_message_append(m, "{sv}", key, "h", fd);
}

int manager_add_labels(sd_bus_message *m, char *const *labels)
{
	int r = sd_bus_message_open_container(m, 'a', "{ss}");

	for (; r >= 0 && labels && *labels; labels++) {
		const char *eq = strchr(*labels, '=');
		char key[256];

		if (!eq || (size_t)(eq - *labels) >= sizeof(key))
			return -EINVAL;
		snprintf(key, sizeof(key), "%.*s", (int)(eq - *labels), *labels);
		r = sd_bus_message_append(m, "{ss}", key, eq + 1);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int json_map(sd_bus_message *m, struct json *j)
{
	const char *key, *value;
	int r = sd_bus_message_enter_container(m, 'a', "{ss}");

	json_obj(j);
	while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
		json_kv_str(j, key, value);
	json_end(j);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int json_list(sd_bus_message *m, struct json *j)
{
	const char *text;
	int r = sd_bus_message_enter_container(m, 'a', "s");

	json_arr(j);
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0)
		json_text(j, text);
	json_end(j);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int json_simple(sd_bus_message *m, char type, struct json *j)
{
	union {
		const char *s;
		uint32_t u;
		uint64_t t;
		int b;
	} v = { 0 };
	int r = sd_bus_message_read_basic(m, type, &v);

	if (r < 0)
		return r;
	switch (type) {
	case 's':
		json_text(j, v.s);
		return 0;
	case 'u':
		json_u64(j, v.u);
		return 0;
	case 't':
		json_u64(j, v.t);
		return 0;
	case 'b':
		json_bool(j, v.b);
		return 0;
	default:
		return -EBADMSG;
	}
}

int manager_json_value(sd_bus_message *m, struct json *j)
{
	const char *type = NULL;
	int r = sd_bus_message_peek_type(m, NULL, &type);

	if (r <= 0)
		return r ? r : -EBADMSG;
	r = sd_bus_message_enter_container(m, 'v', type);
	if (r < 0)
		return r;
	if (!strcmp(type, "a{ss}"))
		r = json_map(m, j);
	else if (!strcmp(type, "as"))
		r = json_list(m, j);
	else
		r = type[1] ? -EBADMSG : json_simple(m, type[0], j);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int manager_row(sd_bus_message *m, int (*field)(sd_bus_message *m, const char *key, void *data), void *data)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &key);
		if (r >= 0)
			r = field(m, key, data);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int json_field(sd_bus_message *m, const char *key, void *data)
{
	json_key(data, key);
	return manager_json_value(m, data);
}

int manager_json(sd_bus_message *m, struct json *j)
{
	int r;

	json_obj(j);
	r = manager_row(m, json_field, j);
	json_end(j);
	return r;
}

void manager_print(const char *text, FILE *out)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f ? '?' : *text,
		      out);
}
