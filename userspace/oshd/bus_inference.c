/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of calls of models: which route of its policy a sandbox' calls go to first. */
#include "bus_life.h"
#include "choice.h"
#include "manager.h"
#include "methods.h"
#include "own.h"
#include "preset.h"

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
		r = choice_check(s, route, model, e);
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

/* Strings of each route, in the policy's order. */
static int put_each(sd_bus_message *m, const char *key, const struct bundle *b, const char *(*of)(const struct bundle *, uint32_t))
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (uint32_t i = 0; r >= 0 && i < b->n_routes; i++)
		r = sd_bus_message_append(m, "s", of(b, i));
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static const char *name_of(const struct bundle *b, uint32_t i)
{
	return bundle_str(b, b->routes[i].name);
}

static const char *backend_of(const struct bundle *b, uint32_t i)
{
	static char text[OSH_NAME_MAX + 8];

	snprintf(text, sizeof(text), "%s:%u", bundle_str(b, b->hosts[b->routes[i].host - 1].name), b->routes[i].port);
	return text;
}

static int put_row(sd_bus_message *m, struct sandbox *s, const struct state_choice *c)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "name", "s", s->name, "uid", "u", s->uid, "route", "s", c->route,
					  "model", "s", c->model);
	if (r >= 0 && *c->route)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}", "set", "t", c->time_us, "by", "u", c->by, "in-policy", "b",
					  choice_route(&s->bundle, c->route) != NULL);
	if (r >= 0 && *c->route)
		r = sd_bus_message_append(m, "{sv}", "default", "b", c->preset);
	if (r >= 0)
		r = put_each(m, "routes", &s->bundle, name_of);
	if (r >= 0)
		r = put_each(m, "backends", &s->bundle, backend_of);
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

int on_inference_default_set(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *route, *model;
	int r = bus_needs_state(who, e);

	if (!r && sd_bus_message_read(m, "ss", &route, &model) < 0)
		return fail(e, EINVAL, "malformed call");
	if (!r)
		r = preset_set(who, route, model, e);
	return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

int on_inference_default(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_choice c = { 0 };
	sd_bus_message *answer = NULL;
	int r = bus_needs_state(who, e);

	if (!r)
		r = preset_get(who->d, who->uid, &c, e);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &answer);
	if (r >= 0)
		r = sd_bus_message_open_container(answer, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(answer, "{sv}{sv}", "route", "s", c.route, "model", "s", c.model);
	if (r >= 0 && *c.route)
		r = sd_bus_message_append(answer, "{sv}", "set", "t", c.time_us);
	if (r >= 0)
		r = sd_bus_message_close_container(answer);
	if (r >= 0)
		r = sd_bus_send(NULL, answer, NULL);
	sd_bus_message_unref(answer);
	return r < 0 ? fail(e, -r, "answer: %s", strerror(-r)) : 0;
}
