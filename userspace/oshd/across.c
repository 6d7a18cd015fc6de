/* SPDX-License-Identifier: Apache-2.0 */
#include "across.h"

#include <poll.h>
#include <sys/socket.h>

#include "auditor.h"
#include "chan.h"
#include "counts.h"
#include "init.h"
#include "life.h"
#include "note.h"
#include "own.h"
#include "sandbox.h"

#define SECOND_US 1000000u
#define ASKED_MOST 128u			/* connections that one egress asks for in a second */
#define WAIT_MS 20			/* for room in the socket of an osh-init, once */
#define ADOPT_US 1000000u		/* and how long in all, where a next oshd tells each of every other */

static void let_in(struct sandbox *t, const struct sandbox *caller)
{
	t->across.came[caller->k.slot / 8] |= (uint8_t)(1 << caller->k.slot % 8);
}

static bool came_in(const struct sandbox *t, const struct sandbox *caller)
{
	return t->across.came[caller->k.slot / 8] & 1 << caller->k.slot % 8;
}

/* A name is whose it is at this moment. Of other users' it says no more than of names that nobody has. */
static struct sandbox *find(const struct sandbox *s, const char *name)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *t = s->d->slots[i];

		if (t && t->state == SB_RUNNING && t->uid == s->uid && !strcmp(t->name, name))
			return t;
	}
	return NULL;
}

static enum osh_reason away(const struct sandbox *s, const char *name, char text[120])
{
	const struct life *l = life_find(s->d, name);

	if (s->d->config.embedded)
		snprintf(text, 120, "it takes a resident oshd, and this sandbox has none");
	else if (l && l->uid == s->uid)
		snprintf(text, 120, "sandbox '%.63s' is %s", name, life_state_name(l));
	else
		snprintf(text, 120, "no sandbox of this user is called '%.63s'", name);
	return OSH_WHY_PEER_AWAY;
}

static bool too_often(struct sandbox *s)
{
	uint64_t now = 0;

	(void)sd_event_now(s->d->event, CLOCK_MONOTONIC, &now);
	if (now - s->across.since_us >= SECOND_US) {
		s->across.since_us = now;
		s->across.asked = 0;
	}
	return ++s->across.asked > ASKED_MOST;
}

/* The egress' end, with one byte on its way that osh-init's child leaves unread (init/serve_join.c). */
static int join(const struct sandbox *s, struct sandbox *t, uint32_t port, int *ret_fd, struct err *e)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	*ret_fd = pair[0];
	for (int i = 0; i < 2; i++)
		(void)chan_refuse_fds(pair[i]);	/* bytes alone, where the kernel can keep it to that */
	r = send(pair[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? init_serve(t, s->k.id, port, pair[1], e) : fail(e, EIO, "socketpair");
	close(pair[1]);
	if (!r)
		let_in(t, s);
	return r;
}

/* Both policies, from the bundles that were checked. */
static enum osh_reason judge(struct sandbox *s, const struct osh_msg_across *m, char text[120], int *ret_fd)
{
	struct sandbox *t;
	struct err e = { 0 };

	if (too_often(s)) {
		snprintf(text, 120, "more than %u connections to sandboxes in a second", ASKED_MOST);
		return OSH_WHY_LIMIT;
	}
	if (!bundle_routes_to(&s->bundle, m->name, m->port)) {
		snprintf(text, 120, "no route of the policy in force leads there");
		if (s->across.noted_us != s->across.since_us)	/* once a second: a policy that has just changed, or no egress of ours */
			note(s->name, s->uid, "its egress asked for a sandbox where no route of its policy leads");
		s->across.noted_us = s->across.since_us;
		return OSH_WHY_REVOKED;
	}
	t = find(s, m->name);
	if (!t)
		return away(s, m->name, text);
	if (!bundle_serves(&t->bundle, m->port, s->name)) {
		snprintf(text, 120, "`serve` of '%.35s' does not let '%.35s' in at port %u", t->name, s->name, m->port);
		return auditor_served(t, s->name, m->port, OSH_WHY_PEER_CLOSED, &e) < 0 ? OSH_WHY_INTERNAL : OSH_WHY_PEER_CLOSED;
	}
	if (auditor_served(t, s->name, m->port, OSH_WHY_ALLOWED, &e) < 0 || join(s, t, m->port, ret_fd, &e) < 0) {
		snprintf(text, 120, "%.119s", e.text);
		return OSH_WHY_UPSTREAM;
	}
	return OSH_WHY_ALLOWED;
}

bool across_message(struct sandbox *s, const struct chan_in *in)
{
	const struct osh_msg_across *m = chan_is(in, OSH_MSG_ACROSS_ASK, sizeof(*m), 0);
	struct osh_msg_crossed answer = { .id = s->k.id };
	_close_ int fd = -1;
	bool good;

	if (!m || !memchr(m->name, 0, sizeof(m->name)))
		return false;
	counts_pace(s);
	answer.call = m->call;
	answer.why = judge(s, m, answer.text, &fd);
	good = answer.why == OSH_WHY_ALLOWED;
	if (chan_send_now(s->egress.control_fd, good ? OSH_MSG_ACROSS_GOT : OSH_MSG_ACROSS_NOT, &answer, sizeof(answer), &fd, good) >= 0)
		return true;
	note(s->name, s->uid, "its egress does not read what it asked for; it is ended");
	egress_kill(s);
	return true;
}

/* Room for it is waited for until then; 0 = not at all. */
static int unserve(struct sandbox *t, struct osh_msg_unserve *m, uint64_t *left_us, struct err *e)
{
	for (;;) {
		int r = init_unserve(t, m, e);

		if (r != -EAGAIN || *left_us < WAIT_MS * 1000u)
			return r;
		*left_us -= WAIT_MS * 1000u;
		(void)poll(&(struct pollfd){ .fd = t->manager_fd, .events = POLLOUT }, 1, WAIT_MS);
	}
}

/* A connection whose end nobody hears of is cut at its other one. */
static void tell(struct sandbox *caller, struct sandbox *t, uint64_t *left_us)
{
	struct osh_msg_unserve m = { .caller = caller->k.id };
	struct err e = { 0 };

	if (!came_in(t, caller) || caller->uid != t->uid)
		return;
	for (uint32_t i = 0; i < t->bundle.n_serves; i++) {
		uint32_t port = t->bundle.serves[i].port;

		if (bundle_routes_to(&caller->bundle, t->name, port) && bundle_serves(&t->bundle, port, caller->name))
			m.ports[m.n++] = port;
	}
	if (unserve(t, &m, left_us, &e) == 0)
		return;
	note(t->name, t->uid, "%s; the egress of '%s' is ended", e.text, caller->name);
	egress_kill(caller);
}

static bool lives(const struct sandbox *s)
{
	return s && s->state == SB_RUNNING;
}

/* Who came in is not kept for the next oshd: all that could have. */
void across_adopted(struct sandbox *s)
{
	memset(s->across.came, 0xff, sizeof(s->across.came));
}

void across_all(struct daemon *d)
{
	uint64_t left_us = ADOPT_US;

	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		for (uint32_t j = 0; lives(d->slots[i]) && j < OSH_SLOTS; j++)
			if (lives(d->slots[j]))
				tell(d->slots[j], d->slots[i], &left_us);
}

void across_again(struct sandbox *s)
{
	uint64_t none = 0;

	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *t = s->d->slots[i];

		if (!lives(t))
			continue;
		tell(t, s, &none);
		if (t != s)
			tell(s, t, &none);
	}
}
