/* SPDX-License-Identifier: Apache-2.0 */
#include "preset.h"

#include "choice.h"
#include "model_name.h"
#include "sandbox.h"

int preset_get(struct daemon *d, uid_t uid, struct state_choice *ret, struct err *e)
{
	int r = state_preset_get(d->state, uid, ret, e);

	if (r != -ENOENT)
		return r;
	*e = (struct err){ 0 };
	return 0;
}

/* As the compiler reads one. "" is none. */
static bool is_route(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(name);

	return n < OSH_ROUTE_NAME && strspn(name, letters) == n;
}

/* There is no policy to ask yet: what could be in none is refused, the rest is asked at each start. */
int preset_set(const struct caller *who, const char *route, const char *model, struct err *e)
{
	struct state_choice c = { .by = who->uid };
	int r;

	if (!is_route(route))
		return fail(e, EINVAL, "that is no name of a route");
	if (*model && !model_name_is(slice_of(model)))
		return fail(e, EINVAL, "that is no name of a model");
	if (*route) {
		snprintf(c.route, sizeof(c.route), "%s", route);
		snprintf(c.model, sizeof(c.model), "%s", model);
		return state_preset_put(who->d->state, &c, e);
	}
	r = state_preset_get(who->d->state, who->uid, &c, e);
	return r ? r : state_preset_drop(who->d->state, who->uid, e);
}

int preset_apply(struct sandbox *s, struct err *e)
{
	const struct state_choice none = { .by = s->uid }, *own;
	struct state_choice c;
	struct err why = { 0 };
	int r;

	if (!s->d->state)		/* an embedded oshd */
		return 0;
	own = choice_of(s, e);
	if (!own)
		return -EIO;
	if (*own->route && !own->preset)
		return 0;
	r = preset_get(s->d, s->uid, &c, e);
	if (r < 0)
		return r;
	if (*c.route && s->bundle.n_routes && !choice_check(s, c.route, c.model, &why))
		return choice_begin(s, &c, e);
	if (*c.route && s->bundle.n_routes)
		warnings_add(&s->warnings, "the default route '%s' (`oshctl inference list`): %s", c.route, why.text);
	return *own->route ? choice_begin(s, &none, e) : 0;
}
