/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include <time.h>

#include "auditor.h"
#include "bus.h"
#include "control.h"
#include "life.h"
#include "model_name.h"
#include "note.h"
#include "sandbox.h"

#define ANSWER_US 10000000		/* as for a policy: an egress that is silent that long is ended */

/* A run has no row: it is known by its number, as its counts are. */
static int64_t row_of(const struct sandbox *s)
{
	return s->life ? (int64_t)s->life->key : -(int64_t)s->k.id;
}

const struct osh_b_route *choice_route(const struct bundle *b, const char *name)
{
	for (uint32_t i = 0; i < b->n_routes; i++)
		if (!strcmp(bundle_str(b, b->routes[i].name), name))
			return &b->routes[i];
	return NULL;
}

/* What could never be true of a call is refused here; of each call the egress asks the policy. */
int choice_check(const struct sandbox *s, const char *route, const char *model, struct err *e)
{
	const struct bundle *b = &s->bundle;
	const struct osh_b_route *r = choice_route(b, route);

	if (!b->n_routes)
		return fail(e, EINVAL, "the policy of '%s' has no `inference`", s->name);
	if (!r)
		return fail(e, ENOENT, "the policy of '%s' has no route '%.*s'", s->name, OSH_ROUTE_NAME, route);
	if (!*model && b->n_routes > 1 && !b->inference->fallback)
		return fail(e, EINVAL, "the policy of '%s' gives a call to the first route that serves its model; with `fallback: true` in "
			    "`inference` another one may be chosen", s->name);
	if (*model && !model_name_is(slice_of(model)))
		return fail(e, EINVAL, "that is no name of a model");
	if (*model && r->as)
		return fail(e, EINVAL, "route '%s' asks for %s, whatever the caller asks for", route, bundle_str(b, r->as));
	return 0;
}

const struct state_choice *choice_of(struct sandbox *s, struct err *e)
{
	struct choice *c = &s->choice;
	int r;

	if (c->known || !s->d->state || (s->fresh && !s->life))	/* a run that began a moment ago has none on disk */
		return &c->now;
	r = state_choice_get(s->d->state, row_of(s), &c->now, e);
	if (r && r != -ENOENT)
		return NULL;
	*e = (struct err){ 0 };
	c->known = true;
	return &c->now;
}

static void answer(struct sandbox *s, const char *error)
{
	sd_bus_message *call = s->choice.call;

	s->choice.timer = sd_event_source_disable_unref(s->choice.timer);
	s->choice.call = NULL;
	if (call && error)
		(void)sd_bus_reply_method_errorf(call, SD_BUS_ERROR_FAILED, "%s", error);
	else if (call)
		(void)sd_bus_reply_method_return(call, NULL);
	sd_bus_message_unref(call);
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	note(s->name, s->uid, "its egress does not take the route that was chosen; it is ended");
	egress_kill(s);			/* choice_egress_gone() answers */
	return 0;
}

int choice_tell(struct sandbox *s, struct err *e)
{
	const struct state_choice *now = choice_of(s, e);
	struct osh_msg_choice m = { .id = s->k.id, .serial = s->choice.serial };
	int r;

	if (!now)
		return -EIO;
	if (s->egress.control_fd < 0 || s->d->config.embedded || (!*now->route && !s->choice.serial))
		return 0;
	memcpy(m.route, now->route, sizeof(m.route));
	memcpy(m.model, now->model, sizeof(m.model));
	r = chan_send(s->egress.control_fd, OSH_MSG_EGRESS_CHOICE, &m, sizeof(m), NULL, 0);
	return r < 0 ? fail(e, -r, "tell its egress: %s", strerror(-r)) : 0;
}

static int write_down(struct sandbox *s, const struct state_choice *c, struct err *e)
{
	return *c->route ? state_choice_put(s->d->state, c, e) : state_choice_drop(s->d->state, c->sandbox, e);
}

int choice_begin(struct sandbox *s, const struct state_choice *preset, struct err *e)
{
	struct state_choice c = *preset;
	int r;

	c.sandbox = row_of(s);
	r = write_down(s, &c, e);
	if (r < 0)
		return r;
	if (*c.route)
		auditor_choice(s, &c);
	s->choice.now = c;
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * One that was asked for and is not up has its socket already: it reads this after what it was told first. One that is up
 * and has closed it will hear of nothing any more, so it is ended.
 */
static void deliver(struct sandbox *s)
{
	const struct egress *g = &s->egress;
	struct err e = { 0 };

	if (g->state != EGRESS_UP && g->state != EGRESS_ASKED)
		answer(s, NULL);
	else if ((g->state == EGRESS_UP && g->control_fd < 0) || choice_tell(s, &e) < 0 ||
		 sd_event_add_time_relative(s->d->event, &s->choice.timer, CLOCK_MONOTONIC, ANSWER_US, 0, on_late, s) < 0)
		egress_kill(s);		/* choice_egress_gone() answers */
}

int choice_set(struct sandbox *s, const struct caller *who, const char *route, const char *model, sd_bus_message *call,
	       struct err *e)
{
	struct state_choice c = { .sandbox = row_of(s), .time_us = now_us(), .by = who->uid };
	int r;

	if (s->state != SB_RUNNING)
		return fail(e, EBUSY, "sandbox '%s' is being started or ends", s->name);
	if (s->choice.call)
		return fail(e, EBUSY, "another choice for '%s' is under way", s->name);
	if (!choice_of(s, e))
		return -EIO;
	snprintf(c.route, sizeof(c.route), "%s", route);
	snprintf(c.model, sizeof(c.model), "%s", model);
	r = auditor_lives(s->d, e);
	if (!r)
		r = write_down(s, &c, e);
	if (r < 0)
		return r;
	auditor_choice(s, &c);
	s->choice.now = c;
	s->choice.serial++;
	s->choice.call = sd_bus_message_ref(call);
	deliver(s);
	return 0;
}

void choice_answered(struct sandbox *s, const struct osh_msg_reloaded *m)
{
	if (m->serial == s->choice.serial)
		answer(s, NULL);
}

void choice_egress_gone(struct sandbox *s)
{
	answer(s, NULL);
}

void choice_resumed(struct sandbox *s)
{
	struct err e = { 0 };

	s->choice.serial++;
	if (!choice_of(s, &e) || choice_tell(s, &e) < 0)
		note(s->name, s->uid, "the route that was chosen: %s", e.text);
}

void choice_end(struct sandbox *s)
{
	struct err e = { 0 };

	answer(s, "the sandbox has ended");
	if (!s->life && s->d->state && *s->choice.now.route)
		(void)state_choice_drop(s->d->state, row_of(s), &e);
}
