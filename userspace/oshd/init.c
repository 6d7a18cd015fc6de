/* SPDX-License-Identifier: Apache-2.0 */
/* A socket that does not take a message at once belongs to a frozen osh-init: an error, not a wait. */
#include "init.h"

#include <fcntl.h>

#include "chan.h"
#include "life.h"

#define STAYS_US 3000000		/* osh-init leaves a second for the last output, see there */

int init_pair(struct sandbox *s, int *ret_far, struct err *e)
{
	int pair[2], r = chan_pair(pair);

	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	s->manager_fd = pair[0];
	*ret_far = pair[1];
	(void)chan_refuse_fds(s->manager_fd);
	if (fcntl(s->manager_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return fail(e, errno, "manager socket: %s", strerror(errno));
	return 0;
}

static int tell(struct sandbox *s, unsigned type, void *m, size_t size, const int *fds, int n, struct err *e)
{
	int r = chan_send(s->manager_fd, type, m, size, fds, n);

	return r < 0 ? fail(e, -r, "sandbox '%s' does not answer: %s", s->name, strerror(-r)) : 0;
}

int init_open(struct sandbox *s, int session, uint32_t flags, struct err *e)
{
	struct osh_msg_open m = { .flags = flags };

	return tell(s, OSH_MSG_INIT_OPEN, &m, sizeof(m), &session, 1, e);
}

int init_serve(struct sandbox *s, uint32_t caller, uint32_t port, int stream, struct err *e)
{
	struct osh_msg_serve m = { .caller = caller, .port = port };

	return tell(s, OSH_MSG_INIT_SERVE, &m, sizeof(m), &stream, 1, e);
}

int init_unserve(struct sandbox *s, struct osh_msg_unserve *m, struct err *e)
{
	return tell(s, OSH_MSG_INIT_UNSERVE, m, sizeof(*m), NULL, 0, e);
}

int init_stop(struct sandbox *s, uint32_t ms, struct err *e)
{
	struct osh_msg_status m = { .value = ms > INT32_MAX ? INT32_MAX : (int32_t)ms };

	return tell(s, OSH_MSG_INIT_STOP, &m, sizeof(m), NULL, 0, e);
}

static int on_stays(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	s->manager = sd_event_source_disable_unref(s->manager);
	sandbox_kill(s);
	return 0;
}

/* Nobody finds it by its name any more, so nobody could end it: it keeps its word, or is killed. A life sees to that itself. */
static void hold_to_it(struct sandbox *s)
{
	if (sd_event_add_time_relative(s->d->event, &s->manager, CLOCK_BOOTTIME, STAYS_US, 0, on_stays, s) < 0)
		sandbox_kill(s);
}

static int on_word(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct sandbox *s = data;
	int status = init_status(s);

	(void)src;
	(void)fd;
	(void)events;
	s->manager = sd_event_source_disable_unref(s->manager);	/* it has no other word, or no end of them */
	s->over = status >= 0;
	if (s->over && s->life)
		life_over(s->life, status);
	else if (s->over)
		hold_to_it(s);
	return 0;
}

/* Before requests of those who heard it after us. */
int init_watch(struct sandbox *s, struct err *e)
{
	int r = sd_event_add_io(s->d->event, &s->manager, s->manager_fd, EPOLLIN, on_word, s);

	if (r >= 0)
		r = sd_event_source_set_priority(s->manager, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? fail(e, -r, "watch osh-init's word: %s", strerror(-r)) : 0;
}

int init_status(struct sandbox *s)
{
	const struct osh_msg_status *m;
	struct chan_in in;
	int status = -1;

	if (s->manager_fd < 0 || chan_recv(s->manager_fd, &in) <= 0)
		return -1;
	m = chan_is(&in, OSH_MSG_INIT_MAIN, sizeof(*m), 0);
	if (m)
		status = m->value;
	chan_in_done(&in);
	return status;
}
