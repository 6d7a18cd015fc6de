/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_call.h"

#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call.h"
#include "provider_set.h"

static int take_text(sd_bus_message *m, char *to, size_t size)
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

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct provider_row *w = data;

	if (!strcmp(key, "name"))
		return take_text(m, w->name, sizeof(w->name));
	if (!strcmp(key, "type"))
		return take_text(m, w->type, sizeof(w->type));
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

int provider_read_row(sd_bus_message *m, struct provider_row *ret)
{
	*ret = (struct provider_row){ 0 };
	return manager_row(m, read_field, ret);
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

struct holder {				/* of a sandbox' row */
	uint32_t uid;
	unsigned n;
	char names[OSH_CREDS][OSH_CRED_NAME];
};

static int read_names(sd_bus_message *m, struct holder *h)
{
	const char *name;
	int r = sd_bus_message_enter_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &name)) > 0) {
		if (h->n == OSH_CREDS || strlen(name) >= OSH_CRED_NAME)
			return -EBADMSG;
		strcpy(h->names[h->n++], name);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_holder(sd_bus_message *m, const char *key, void *data)
{
	struct holder *h = data;

	if (!strcmp(key, "uid"))
		return sd_bus_message_read(m, "v", "u", &h->uid);
	return !strcmp(key, "providers") ? read_names(m, h) : sd_bus_message_skip(m, "v");
}

static int get_holder(sd_bus *bus, const char *sandbox, struct holder *h, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, MANAGER_GET, &m, e);

	*h = (struct holder){ 0 };
	if (!r)
		r = manager_filled(sd_bus_message_append(m, "s", sandbox), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && manager_row(answer, read_holder, h) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

int provider_owner_of(sd_bus *bus, const char *sandbox, uint32_t *ret_uid, struct err *e)
{
	struct holder h;
	int r = get_holder(bus, sandbox, &h, e);

	*ret_uid = h.uid;
	return r;
}

int provider_fill_set(sd_bus *bus, const char *sandbox, struct provider_set *s, struct err *e)
{
	struct holder h;
	int r = get_holder(bus, sandbox, &h, e);

	for (unsigned i = 0; r == 0 && i < h.n; i++) {
		struct provider_row w;

		r = provider_get(bus, h.names[i], h.uid, &w, e);
		if (r == 0)
			r = provider_set_stored(s, w.name, w.type, w.record, sandbox, e);
		free(w.record);
	}
	return r;
}
