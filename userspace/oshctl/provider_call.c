/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_call.h"

#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call.h"

static int read_text(sd_bus_message *m, char *to, size_t size)
{
	const char *text;
	int r = sd_bus_message_read(m, "v", "s", &text);

	if (r >= 0 && strlen(text) >= size)
		return -EBADMSG;
	if (r >= 0)
		strcpy(to, text);
	return r;
}

static int read_record(sd_bus_message *m, struct provider_row *w)
{
	const char *text;
	int r = sd_bus_message_read(m, "v", "s", &text);

	if (r < 0 || w->record)
		return r < 0 ? r : -EBADMSG;
	w->record = strdup(text);
	return w->record ? r : -ENOMEM;
}

static int read_field(sd_bus_message *m, const char *key, struct provider_row *w)
{
	if (!strcmp(key, "name"))
		return read_text(m, w->name, sizeof(w->name));
	if (!strcmp(key, "type"))
		return read_text(m, w->type, sizeof(w->type));
	if (!strcmp(key, "uid"))
		return sd_bus_message_read(m, "v", "u", &w->uid);
	if (!strcmp(key, "sandboxes"))
		return sd_bus_message_read(m, "v", "u", &w->sandboxes);
	if (!strcmp(key, "created"))
		return sd_bus_message_read(m, "v", "t", &w->created_us);
	if (!strcmp(key, "rotated"))
		return sd_bus_message_read(m, "v", "t", &w->rotated_us);
	return !strcmp(key, "record") ? read_record(m, w) : sd_bus_message_skip(m, "v");
}

static int each_field(sd_bus_message *m, int (*fn)(sd_bus_message *m, const char *key, struct provider_row *w),
		      struct provider_row *w)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &key);
		if (r >= 0)
			r = fn(m, key, w);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int provider_read_row(sd_bus_message *m, struct provider_row *ret)
{
	*ret = (struct provider_row){ 0 };
	return each_field(m, read_field, ret);
}

int provider_get(sd_bus *bus, const char *name, uint32_t uid, struct provider_row *ret, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, MANAGER_PROVIDER_GET, &m, e);

	*ret = (struct provider_row){ 0 };
	if (!r)
		r = manager_filled(sd_bus_message_append(m, "su", name, uid), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && (provider_read_row(answer, ret) < 0 || !ret->record)) {
		free(ret->record);
		ret->record = NULL;
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	}
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

static int read_uid(sd_bus_message *m, const char *key, struct provider_row *w)
{
	return !strcmp(key, "uid") ? sd_bus_message_read(m, "v", "u", &w->uid) : sd_bus_message_skip(m, "v");
}

int provider_owner_of(sd_bus *bus, const char *sandbox, uint32_t *ret_uid, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	struct provider_row w = { 0 };
	int r = manager_new(bus, MANAGER_GET, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "s", sandbox), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && each_field(answer, read_uid, &w) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	*ret_uid = w.uid;
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}
