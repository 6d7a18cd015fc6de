/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_client.h"

#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus_find.h"
#include "manager.h"
#include "own.h"
#include "sandbox_args.h"
#include "takes.h"
#include "warnings.h"

#define ANSWER_USEC (60 * 1000000ull)	/* a cold start loads every BPF program first */

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_client *c = data;
	const sd_bus_error *bad = sd_bus_message_get_error(m);
	bool theirs = bad && !strncmp(bad->name, MANAGER_ERROR, strlen(MANAGER_ERROR));
	const char *name;

	(void)error;
	c->refused = theirs;
	if (bad)			/* not oshd's own = the connection's */
		c->answer = fail(&c->why, ECANCELED, "%s%s", theirs ? "" : "oshd: ",
				 bad->message ? bad->message : bad->name);
	else if (sd_bus_message_read(m, MANAGER_RUN_OUT, &name, &c->id) < 0 ||
		 strlen(name) >= sizeof(c->name))
		c->answer = fail(&c->why, EBADMSG, "oshd sent an answer that makes no sense");
	else {
		strcpy(c->name, name);
		c->answer = 1;
		(void)warnings_say(m, c->preset, NULL);
	}
	return 1;
}

/* Takes fd. */
static int start(struct bus_client *c, int fd, struct err *e)
{
	int r = sd_bus_new(&c->bus);


	if (r >= 0)
		r = sd_bus_set_fd(c->bus, fd, fd);
	if (r < 0) {
		close(fd);
		return fail(e, -r, "bus: %s", strerror(-r));
	}
	r = sd_bus_start(c->bus);	/* sends the handshake; oshd answers while we compile */
	return r < 0 ? fail(e, -r, "bus: %s", strerror(-r)) : 0;
}

int bus_client_open(struct bus_client *c, const char *socket, struct err *e)
{
	int fd, r = bus_find(socket, &fd, &c->embedded, e);

	return r < 0 ? r : start(c, fd, e);
}

static int add_fd(sd_bus_message *m, const char *key, int fd)
{
	return fd < 0 ? 0 : sd_bus_message_append(m, "{sv}", key, "h", fd);
}

static int add_options(sd_bus_message *m, const struct run_opts *o, const struct run_files *f)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}", MANAGER_OPT_WORKDIR, "s", f->cwd);
	if (r >= 0)
		r = add_fd(m, MANAGER_OPT_SUMMARY, f->summary_in);
	if (r >= 0)
		r = add_fd(m, MANAGER_OPT_LOG, f->log);
	if (r >= 0)
		r = add_fd(m, MANAGER_OPT_HOSTS, f->hosts);
	if (r >= 0)
		r = add_fd(m, MANAGER_OPT_CA, f->ca);
	if (r >= 0)
		r = add_fd(m, MANAGER_OPT_CREDS, f->creds.fd);
	if (r >= 0)
		r = sandbox_add_stored(m, &f->creds);
	if (r >= 0)
		r = takes_add(m, o->amount);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_client_run(struct bus_client *c, const struct run_opts *o, int bundle, const struct run_files *f,
		   struct err *e)
{
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(c->bus, &m, NULL, MANAGER_PATH, MANAGER_INTERFACE, MANAGER_RUN);
	if (r >= 0)
		r = sd_bus_message_append(m, "shhh", o->name ? o->name : "", bundle, f->init_control, f->workdir);
	if (r >= 0)
		r = add_options(m, o, f);
	if (r >= 0)
		r = sd_bus_call_async(c->bus, NULL, m, on_answer, c, ANSWER_USEC);
	if (r >= 0)
		r = sd_bus_flush(c->bus);
	sd_bus_message_unref(m);
	return r < 0 ? fail(e, -r, "oshd does not listen: %s", strerror(-r)) : 0;
}

int bus_client_answer(struct bus_client *c, struct err *e)
{
	while (!c->answer) {
		int r = sd_bus_process(c->bus, NULL);

		if (r == 0)
			r = sd_bus_wait(c->bus, UINT64_MAX);	/* the call has its own time limit */
		if (r < 0 && r != -EINTR && !c->answer)
			return fail(e, -r, "oshd went away: %s", strerror(-r));
	}
	if (c->answer < 0)
		*e = c->why;
	return c->answer < 0 ? c->answer : 0;
}

int bus_client_fd(const struct bus_client *c)
{
	return sd_bus_get_fd(c->bus);
}

void bus_client_close(struct bus_client *c)
{
	c->bus = sd_bus_close_unref(c->bus);
	if (c->embedded > 0)
		bus_reap(c->embedded);
	c->embedded = 0;
}
