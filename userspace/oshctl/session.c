/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <systemd/sd-bus.h>

#include "chan.h"
#include "manager.h"
#include "manager_call.h"
#include "own.h"

int sessions_init(struct sessions *c, const char *socket, const char *name, struct err *e)
{
	*c = (struct sessions){ .name = name };
	return manager_open(&c->bus, socket, e);
}

void sessions_done(struct sessions *c)
{
	c->bus = sd_bus_close_unref(c->bus);
}

int session_open(struct sessions *c, uint32_t flags, int *ret_fd, struct err *e)
{
	sd_bus_error bad = SD_BUS_ERROR_NULL;
	int pair[2], r = chan_pair(pair);

	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	r = sd_bus_call_method(c->bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, MANAGER_OPEN, &bad, NULL, "shu",
			       c->name, pair[1], flags);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		r = fail(e, -r, "%s", bad.message ? bad.message : strerror(-r));
	} else {
		*ret_fd = pair[0];
	}
	sd_bus_error_free(&bad);
	return r < 0 ? r : 0;
}

static int take_answer(int fd, int *ret_fd, struct err *e)
{
	const struct osh_msg_failed *bad;
	struct chan_in in;
	int r = chan_recv(fd, &in);

	if (r <= 0)
		return fail(e, ECONNRESET, "the sandbox has ended");
	bad = chan_is(&in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0);
	if (bad)
		r = fail(e, bad->code > 0 ? bad->code : EIO, "%.239s", bad->text);
	else if (chan_is(&in, OSH_MSG_INIT_FD, sizeof(struct osh_msg_id), 1))
		*ret_fd = chan_take(&in, 0);
	else
		r = fail(e, EBADMSG, "osh-init sent an answer that makes no sense");
	chan_in_done(&in);
	return r < 0 ? r : 0;
}

int session_ask(int fd, unsigned type, void *msg, size_t size, int *ret_fd, struct err *e)
{
	int r = chan_send(fd, type, msg, size, NULL, 0);

	if (r < 0 && r != -EPIPE)	/* closed already: then it has said why */
		r = fail(e, -r, "the sandbox does not answer: %s", strerror(-r));
	else
		r = take_answer(fd, ret_fd, e);
	close(fd);
	return r;
}
