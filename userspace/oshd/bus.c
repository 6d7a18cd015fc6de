/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and their peers, who are known by what the kernel recorded at connect(). A call is looked up by its
 * member in the one table of methods, which sd-bus has checked the arguments by. What comes with it osh-front has
 * looked at (callers.c); an embedded oshd has one caller, which started it.
 */
#include "bus.h"

#include <unistd.h>

#include "manager.h"
#include "methods.h"
#include "note.h"
#include "own.h"
#include "utf8.h"

struct conn {
	struct conn *next, **prev;
	sd_bus *bus;
	struct caller who;
	unsigned rank;			/* among this user's connections when it came */
};

static unsigned n_conns(const struct daemon *d, uid_t uid)
{
	unsigned n = 0;

	for (const struct conn *c = d->conns; c; c = c->next)
		n += c->who.uid == uid;
	return n;
}

static void conn_free(struct conn *c)
{
	struct daemon *d = c->who.d;

	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	sd_bus_close_unref(c->bus);
	free(c);
	daemon_gone(d); /* the one caller of an embedded daemon is its reason to be */
}

static const struct method {
	const char *name;
	int (*call)(const struct caller *who, sd_bus_message *m, struct err *e);
} methods[] = {
#define METHOD(name, in, out, fn) { name, fn },
#define METHOD_READ               METHOD
#include "methods.def"
#undef METHOD_READ
#undef METHOD
};

static const struct {
	int code;
	const char *name;
} errors[] = {
	{ EINVAL, MANAGER_ERROR "Invalid" }, { ENOENT, MANAGER_ERROR "NotFound" },
	{ EEXIST, MANAGER_ERROR "Exists" },  { EBUSY, MANAGER_ERROR "Busy" },
	{ EPERM, MANAGER_ERROR "Denied" },   { EAGAIN, MANAGER_ERROR "Limit" },
	{ EDQUOT, MANAGER_ERROR "Limit" },   { E2BIG, MANAGER_ERROR "Limit" },
};

static const char *error_name(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].code == code)
			return errors[i].name;
	return MANAGER_ERROR "Failed";
}

int bus_dispatch(const struct caller *from, sd_bus_message *m, sd_bus_error *error)
{
	const char *name = sd_bus_message_get_member(m);
	struct caller who = *from;
	struct err e = { 0 };

	who.admin = caller_is_admin(&who);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strcmp(name, methods[i].name))
			continue;
		if (methods[i].call(&who, m, &e) >= 0)
			return 1; /* answered, or it will be */
		utf8_clean(e.text);
		return sd_bus_error_set(error, error_name(e.code), e.text);
	}
	return 0;
}

static int on_call(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct conn *c = data;

	return bus_dispatch(&c->who, m, error);
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
#define METHOD(name, in, out, fn)                                                                  \
	SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS in, SD_BUS_RESULT out, on_call,                  \
				SD_BUS_VTABLE_UNPRIVILEGED),
#define METHOD_READ METHOD
#include "methods.def"
#undef METHOD_READ
#undef METHOD
	SD_BUS_VTABLE_END,
};

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	(void)m;
	(void)error;
	conn_free(data);
	return 0;
}

/* A user's second connection waits for everybody's first: whoever calls without end waits for himself. */
static int conn_start(struct conn *c, int fd)
{
	sd_id128_t id;
	int r = sd_id128_randomize(&id);

	if (r >= 0)
		r = sd_bus_new(&c->bus);
	if (r >= 0)
		r = sd_bus_set_fd(c->bus, fd, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = sd_bus_set_server(c->bus, 1, id);
	if (r >= 0)
		r = sd_bus_negotiate_fds(c->bus, 1);
	if (r >= 0)
		r = sd_bus_start(c->bus);
	if (r >= 0)
		r = sd_bus_add_object_vtable(c->bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, vtable,
					     c);
	if (r >= 0)
		r = sd_bus_match_signal_async(c->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, c);
	if (r >= 0)
		r = sd_bus_attach_event(c->bus, c->who.d->event, BUS_PRIORITY + c->rank);
	return r;
}

int bus_serve_caller(int fd, const struct caller *who, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct daemon *d = who->d;
	int r;

	if (!c) {
		close(fd);
		return fail(e, ENOMEM, "out of memory");
	}
	c->who = *who;
	c->rank = n_conns(d, who->uid);
	c->next = d->conns;
	c->prev = &d->conns;
	if (c->next)
		c->next->prev = &c->next;
	d->conns = c;
	r = conn_start(c, fd);
	if (r < 0) {
		conn_free(c);
		return fail(e, -r, "serve a caller: %s", strerror(-r));
	}
	return 0;
}

int bus_serve(struct daemon *d, int fd, struct err *e)
{
	struct caller who = { .d = d };
	int r = caller_of_socket(&who, fd, e);

	if (r < 0) {
		close(fd);
		return r;
	}
	return bus_serve_caller(fd, &who, e);
}

void bus_close(struct daemon *d)
{
	while (d->conns)
		conn_free(d->conns);
}

void bus_answer_run(sd_bus_message *call, const char *name, uint32_t id, const struct warnings *w)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "su", name, id);
	if (r >= 0)
		r = warnings_put(m, w);
	if (r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	sd_bus_message_unref(m);
	if (r < 0)
		fprintf(stderr, "oshd: the caller of '%s' left before the answer\n", name);
}

void bus_answer_error(sd_bus_message *call, const char *why)
{
	char text[sizeof(((struct err *)0)->text)];

	snprintf(text, sizeof(text), "%s", why);
	utf8_clean(text);
	if (sd_bus_reply_method_errorf(call, MANAGER_ERROR "Failed", "%s", text) < 0)
		note(NULL, NOTE_NOBODY, "a caller left before it heard: %s", text);
}
