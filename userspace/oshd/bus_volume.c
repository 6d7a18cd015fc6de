/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, VolumeDelete: what sandboxes share. They are made by the first sandbox that names one. */
#include "bus_life.h"
#include "home.h"
#include "methods.h"

struct list {
	const struct caller *who;
	sd_bus_message *answer;
};

static int add_row(void *data, uid_t uid, const char *name, uint64_t key, unsigned users)
{
	struct list *l = data;
	int r;

	(void)key;
	if (!caller_may(l->who, uid))
		return 0;
	r = sd_bus_message_open_container(l->answer, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(l->answer, "{sv}{sv}{sv}", "name", "s", name, "uid", "u", uid, "sandboxes",
					  "u", users);
	return r < 0 ? r : sd_bus_message_close_container(l->answer);
}

int on_volumes(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct list l = { .who = who };
	int r = bus_needs_state(who, e);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &l.answer);
	if (r >= 0)
		r = sd_bus_message_open_container(l.answer, 'a', "a{sv}");
	if (r >= 0)
		r = state_volume_each(who->d->state, add_row, &l, e);
	if (r >= 0)
		r = sd_bus_message_close_container(l.answer);
	if (r >= 0)
		r = sd_bus_send(NULL, l.answer, NULL);
	sd_bus_message_unref(l.answer);
	return r < 0 && !e->text[0] ? fail(e, -r, "answer: %s", strerror(-r)) : r < 0 ? r : 0;
}

static void on_gone(void *data)
{
	sd_bus_message *call = data;

	if (sd_bus_reply_method_return(call, "") < 0)
		fprintf(stderr, "oshd: a caller left before its volume was gone\n");
	sd_bus_message_unref(call);
}

/* The caller's own, also for root: a name is one of each user's. */
int on_volume_delete(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *name;
	uint64_t key;
	int r = bus_needs_state(who, e);

	if (!r && sd_bus_message_read(m, "s", &name) < 0)
		r = fail(e, EINVAL, "malformed call");
	if (!r)
		r = state_volume_delete(who->d->state, who->uid, name, &key, e);
	if (r < 0)
		return r;
	r = home_volume_remove(who->d, key, on_gone, sd_bus_message_ref(m), e);
	if (r < 0)			/* it is deleted; its files go when oshd starts again */
		sd_bus_message_unref(m);
	return r;
}
