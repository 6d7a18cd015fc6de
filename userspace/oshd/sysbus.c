/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Here the bus daemon says who calls: asked for each call, without waiting for it, and believed no
 * further than for reading. A caller whose process lives in a sandbox or another pid namespace is
 * refused as on the socket.
 */
#include "sysbus.h"

#include <stdlib.h>

#include "manager.h"
#include "methods.h"

#define NAME      MANAGER_INTERFACE
#define AGAIN_US  10000000 /* between two looks for a bus */
#define CREDS_US  5000000  /* for the bus daemon to say who calls */
#define ASKED_MAX 4096     /* calls whose sender is being asked for; a bus gives a user 256 connections */
#define ASKED_EACH 8       /* of one sender */
#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

struct question {
	struct question *next;
	struct daemon *d;
	sd_bus_message *call;
};

struct sysbus {
	sd_bus *bus;
	sd_event_source *again;
	struct question *asked;
};

static void question_free(struct question *q)
{
	struct sysbus *s = q->d->sysbus;

	for (struct question **at = &s->asked; *at; at = &(*at)->next)
		if (*at == q) {
			*at = q->next;
			break;
		}
	sd_bus_message_unref(q->call);
	free(q);
}

/* Nobody's calls take the place of everybody's. */
static bool may_ask(const struct sysbus *s, const char *sender)
{
	unsigned all = 0, own = 0;

	for (const struct question *q = s->asked; q; q = q->next) {
		all++;
		own += !strcmp(sd_bus_message_get_sender(q->call), sender);
	}
	return all < ASKED_MAX && own < ASKED_EACH;
}

static void look_again(struct daemon *d);

static int read_groups(sd_bus_message *m, struct caller *who)
{
	const void *p;
	size_t n;
	int r = sd_bus_message_enter_container(m, 'v', "au");

	if (r >= 0)
		r = sd_bus_message_read_array(m, 'u', &p, &n);
	if (r < 0)
		return r;
	who->n_groups = n / sizeof(gid_t) < OSH_GROUPS_CALLER ? (uint32_t)(n / sizeof(gid_t))
							      : OSH_GROUPS_CALLER;
	memcpy(who->groups, p, who->n_groups * sizeof(gid_t));
	return sd_bus_message_exit_container(m);
}

/* A bus that does not name groups makes nobody a member of any. */
static int read_creds(sd_bus_message *m, struct caller *who, uint32_t *ret_pid)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &key);
		if (r < 0)
			return r;
		if (!strcmp(key, "UnixUserID"))
			r = sd_bus_message_read(m, "v", "u", &who->uid);
		else if (!strcmp(key, "ProcessID"))
			r = sd_bus_message_read(m, "v", "u", ret_pid);
		else if (!strcmp(key, "UnixGroupIDs"))
			r = read_groups(m, who);
		else
			r = sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int on_creds(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct question *q = data;
	struct caller who = { .d = q->d, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	sd_bus_error bad = SD_BUS_ERROR_NULL;
	struct err e = { 0 };
	uint32_t pid = 0;
	int r;

	(void)error;
	if (sd_bus_message_is_method_error(m, NULL) || read_creds(m, &who, &pid) < 0 ||
	    who.uid == (uid_t)-1 || !pid)
		r = sd_bus_error_set(&bad, MANAGER_ERROR "Denied",
				     "the bus does not say who calls");
	else if (caller_process((pid_t)pid, &e) < 0)
		r = sd_bus_error_set(&bad, MANAGER_ERROR "Denied", e.text);
	else
		r = bus_dispatch(&who, q->call, &bad);
	if (r < 0)
		(void)sd_bus_reply_method_error(q->call, &bad);
	sd_bus_error_free(&bad);
	question_free(q);
	return 1;
}

static int on_call(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct daemon *d = data;
	const char *sender = sd_bus_message_get_sender(m);
	struct question *q = sender && may_ask(d->sysbus, sender) ? calloc(1, sizeof(*q)) : NULL;
	sd_bus_message *ask = NULL;
	int r;

	if (!q)
		return sd_bus_error_set(error, MANAGER_ERROR "Limit", "too many calls at once");
	*q = (struct question){ .next = d->sysbus->asked, .d = d, .call = sd_bus_message_ref(m) };
	d->sysbus->asked = q;
	r = sd_bus_message_new_method_call(d->sysbus->bus, &ask, "org.freedesktop.DBus",
					   "/org/freedesktop/DBus", "org.freedesktop.DBus",
					   "GetConnectionCredentials");
	if (r >= 0)
		r = sd_bus_message_append(ask, "s", sender);
	if (r >= 0)
		r = sd_bus_call_async(d->sysbus->bus, NULL, ask, on_creds, q, CREDS_US);
	sd_bus_message_unref(ask);
	if (r >= 0)
		return 1;
	question_free(q);
	return r;
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
#define METHOD(name, in, out, fn)
#define METHOD_READ(name, in, out, fn)                                                             \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS in, SD_BUS_RESULT out, on_call,                  \
				SD_BUS_VTABLE_UNPRIVILEGED),
#include "methods.def"
#undef METHOD_READ
#undef METHOD
	SD_BUS_VTABLE_END,
};

static void drop_bus(struct daemon *d)
{
	sd_bus *bus = d->sysbus->bus;

	while (d->sysbus->asked) /* no answer comes any more */
		question_free(d->sysbus->asked);
	d->sysbus->bus = NULL;
	sd_bus_close_unref(bus);
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	(void)m;
	(void)error;
	drop_bus(data);
	look_again(data);
	return 0;
}

static int on_name(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const sd_bus_error *bad = sd_bus_message_get_error(m);

	(void)data;
	(void)error;
	if (bad) /* another oshd has it, or its policy file is not installed */
		fprintf(stderr, "oshd: not on the system bus: %s\n", bad->message);
	return 0;
}

/* The bus daemon then refuses to send us a descriptor: whatever closing it would wait for is none of ours. */
static int open_bus(sd_bus **ret)
{
	const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, address ? address : SYSTEM_BUS);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, 1);
	if (r >= 0)
		r = sd_bus_negotiate_fds(bus, 0);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0)
		sd_bus_unref(bus);
	else
		*ret = bus;
	return r;
}

static int join(struct daemon *d)
{
	sd_bus *bus = NULL;
	int r = open_bus(&bus);

	if (r < 0)
		return r;
	d->sysbus->bus = bus;
	r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, vtable, d);
	if (r >= 0)
		r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, d);
	if (r >= 0)
		r = sd_bus_attach_event(bus, d->event, BUS_PRIORITY);
	if (r >= 0)
		r = sd_bus_request_name_async(bus, NULL, NAME, 0, on_name, d);
	if (r < 0)
		drop_bus(d);
	return r;
}

static int on_again(sd_event_source *src, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)src;
	(void)usec;
	d->sysbus->again = sd_event_source_disable_unref(d->sysbus->again);
	if (join(d) < 0)
		look_again(d);
	return 0;
}

static void look_again(struct daemon *d)
{
	if (sd_event_add_time_relative(d->event, &d->sysbus->again, CLOCK_MONOTONIC, AGAIN_US,
				       AGAIN_US, on_again, d) < 0)
		fprintf(stderr, "oshd: looks for no system bus any more: out of memory\n");
}

/* A private daemon takes the name from nobody: only where its starter says which bus. */
void sysbus_open(struct daemon *d)
{
	if (d->config.embedded || (d->config.state && !getenv("DBUS_SYSTEM_BUS_ADDRESS")))
		return;
	d->sysbus = calloc(1, sizeof(*d->sysbus));
	if (d->sysbus && join(d) < 0)
		look_again(d);
}

void sysbus_close(struct daemon *d)
{
	if (!d->sysbus)
		return;
	d->sysbus->again = sd_event_source_disable_unref(d->sysbus->again);
	drop_bus(d);
	free(d->sysbus);
	d->sysbus = NULL;
}
