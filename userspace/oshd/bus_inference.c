/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of calls of models: which route of its policy a sandbox' calls go to first. */
#include "bus_life.h"
#include "choice.h"
#include "manager.h"
#include "methods.h"
#include "model_name.h"
#include "own.h"

static const struct osh_b_route *find_route(const struct bundle *b, const char *name)
{
	for (uint32_t i = 0; i < b->n_routes; i++)
		if (!strcmp(bundle_str(b, b->routes[i].name), name))
			return &b->routes[i];
	return NULL;
}

/* What could never be true of a call is refused here; of each call the egress asks the policy. */
static int check(const struct sandbox *s, const char *route, const char *model, struct err *e)
{
	const struct bundle *b = &s->bundle;
	const struct osh_b_route *r = find_route(b, route);

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

int on_inference_set(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *name, *route, *model;
	struct sandbox *s;
	int r = bus_needs_state(who, e);

	if (!r && sd_bus_message_read(m, "sss", &name, &route, &model) < 0)
		return fail(e, EINVAL, "malformed call");
	if (!r)
		r = bus_find_running(who, name, &s, e);
	if (!r)
		r = check(s, route, model, e);
	return r ? r : choice_set(s, who, route, model, m, e);
}

int on_inference_delete(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const struct state_choice *c;
	struct sandbox *s;
	const char *name;
	int r = bus_needs_state(who, e);

	if (!r && sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	if (!r)
		r = bus_find_running(who, name, &s, e);
	if (r)
		return r;
	c = choice_of(s, e);
	if (!c)
		return -EIO;
	return *c->route ? choice_set(s, who, "", "", m, e) : fail(e, ENOENT, "no route was chosen for '%s'", s->name);
}

static int put_routes(sd_bus_message *m, const struct bundle *b)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "routes");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (uint32_t i = 0; r >= 0 && i < b->n_routes; i++)
		r = sd_bus_message_append(m, "s", bundle_str(b, b->routes[i].name));
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int put_row(sd_bus_message *m, struct sandbox *s, const struct state_choice *c)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "name", "s", s->name, "uid", "u", s->uid, "route", "s", c->route,
					  "model", "s", c->model);
	if (r >= 0 && *c->route)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}", "set", "t", c->time_us, "by", "u", c->by, "in-policy", "b",
					  find_route(&s->bundle, c->route) != NULL);
	if (r >= 0)
		r = put_routes(m, &s->bundle);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Those that run and have routes, or the one of that name. */
static int put_rows(const struct caller *who, sd_bus_message *answer, const struct sandbox *only, struct err *e)
{
	int r = sd_bus_message_open_container(answer, 'a', "a{sv}");

	for (uint32_t i = 0; r >= 0 && i < OSH_SLOTS; i++) {
		struct sandbox *s = who->d->slots[i];
		const struct state_choice *c;

		if (!s || s->state != SB_RUNNING || !s->bundle.n_routes || !caller_may(who, s->uid) || (only && s != only))
			continue;
		c = choice_of(s, e);
		r = c ? put_row(answer, s, c) : -EIO;
	}
	return r < 0 ? r : sd_bus_message_close_container(answer);
}

int on_inference(const struct caller *who, sd_bus_message *m, struct err *e)
{
	sd_bus_message *answer = NULL;
	struct sandbox *only = NULL;
	const char *name;
	int r = bus_needs_state(who, e);

	if (!r && sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	if (!r && *name)
		r = bus_find_running(who, name, &only, e);
	if (r)
		return r;
	r = sd_bus_message_new_method_return(m, &answer);
	if (r >= 0)
		r = put_rows(who, answer, only, e);
	if (r >= 0)
		r = sd_bus_send(NULL, answer, NULL);
	sd_bus_message_unref(answer);
	return r < 0 && !e->text[0] ? fail(e, -r, "answer: %s", strerror(-r)) : r < 0 ? r : 0;
}
