/* SPDX-License-Identifier: Apache-2.0 */
/* `inference.limits` and `inference.prices`: how much of the models may be used, and what their tokens cost. */
#include <string.h>

#include "osh/limits.h"
#include "own.h"
#include "schema.h"

struct limit_in {			/* an entry while it is read: a limit for each amount that it names */
	struct budget limit;
	uint64_t most[OSH_COUNTS];
};

static void read_requests(struct reader *r, const struct node *n, void *obj)
{
	(void)read_count(r, n, OSH_COUNT_MOST, &((struct limit_in *)obj)->most[OSH_COUNT_REQUESTS]);
}

static void read_tokens(struct reader *r, const struct node *n, void *obj)
{
	(void)read_count(r, n, OSH_COUNT_MOST, &((struct limit_in *)obj)->most[OSH_COUNT_TOKENS]);
}

static void read_money(struct reader *r, const struct node *n, void *obj)
{
	uint64_t *to = &((struct limit_in *)obj)->most[OSH_COUNT_MONEY];

	if (read_millionths(r, n, OSH_COUNT_MOST, to) && !*to)
		diag_add(r->d, DIAG_VALUE, n->at, "`models` says which may be called", "a limit of nothing allows no call");
}

static void read_per(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "minute", "day", NULL };
	unsigned v;

	if (read_word(r, n, words, &v))
		((struct limit_in *)obj)->limit.per = v ? OSH_WINDOW_DAY : OSH_WINDOW_MINUTE;
}

static void read_of(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "sandbox", "user", NULL };
	unsigned v;

	if (read_word(r, n, words, &v))
		((struct limit_in *)obj)->limit.user = v == 1;
}

static void read_limit_route(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct limit_in *)obj)->limit.route);
}

/* clang-format off */
const struct field limit_fields[] = {
	{ "per",      read_per,         FIELD_KEPT, FIELD_REQUIRED, "minute | day", "in no minute, or in no 24 hours, more than that" },
	{ "requests", read_requests,    FIELD_KEPT, 0, "number", "calls" },
	{ "tokens",   read_tokens,      FIELD_KEPT, 0, "number", "tokens in and out, together" },
	{ "money",    read_money,       FIELD_KEPT, 0, "amount", "what the tokens cost by `prices`" },
	{ "of",       read_of,          FIELD_KEPT, 0, "sandbox | user", "default sandbox; user: all of the user's sandboxes together" },
	{ "route",    read_limit_route, FIELD_KEPT, 0, "name", "calls of that route alone; absent = of all" },
	{ 0 },
};
/* clang-format on */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same(const struct budget *a, const struct budget *b)
{
	return a->what == b->what && a->per == b->per && a->user == b->user && same_text(a->route, b->route);
}

static void add_limit(struct reader *r, const struct budget *l, struct inference *to)
{
	struct budget *p;

	for EACH (struct budget, o, &to->limits)
		if (same(l, o)) {
			diag_add(r->d, DIAG_DUPLICATE, l->at, NULL, "a limit of the same was given before, on line %u",
				 o->at.line);
			return;
		}
	p = list_push(r->a, &to->limits, sizeof(*p));
	if (p)
		*p = *l;
}

void read_limits(struct reader *r, const struct node *n, struct inference *to)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct limit_in in = { .limit = { .at = v->at } };
		bool any = false;

		if (!read_map(r, v, limit_fields, "a limit", &in))
			continue;
		for (unsigned i = 0; i < OSH_COUNTS; i++) {
			in.limit.what = (enum osh_count)i;
			in.limit.most = in.most[i];
			if (in.most[i])
				add_limit(r, &in.limit, to);
			any |= in.most[i] != 0;
		}
		if (!any && !map_get(v, "requests") && !map_get(v, "tokens") && !map_get(v, "money"))
			diag_add(r->d, DIAG_MISSING, v->at, NULL, "a limit needs 'requests', 'tokens' or 'money'");
	}
	if (to->limits.n > OSH_INFERENCE_LIMITS)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d limits", OSH_INFERENCE_LIMITS);
}

struct price_in {
	struct price price;
	bool has[OSH_PRICES];
};

static void read_price_model(struct reader *r, const struct node *n, void *obj)
{
	read_models(r, n, &((struct price_in *)obj)->price.models);
}

static void read_part(struct reader *r, const struct node *n, struct price_in *in, enum osh_price part)
{
	in->has[part] = true;
	(void)read_millionths(r, n, OSH_PRICE_MOST, &in->price.part[part]);
}

static void read_input(struct reader *r, const struct node *n, void *obj)
{
	read_part(r, n, obj, OSH_PRICE_INPUT);
}

static void read_output(struct reader *r, const struct node *n, void *obj)
{
	read_part(r, n, obj, OSH_PRICE_OUTPUT);
}

static void read_cached(struct reader *r, const struct node *n, void *obj)
{
	read_part(r, n, obj, OSH_PRICE_CACHED);
}

static void read_stored(struct reader *r, const struct node *n, void *obj)
{
	read_part(r, n, obj, OSH_PRICE_STORED);
}

/* clang-format off */
const struct field price_fields[] = {
	{ "model",  read_price_model, FIELD_KEPT, FIELD_REQUIRED, "glob | [glob]", "models, by the name that the backend is asked for" },
	{ "input",  read_input,       FIELD_KEPT, FIELD_REQUIRED, "amount", "for a million tokens that are sent" },
	{ "output", read_output,      FIELD_KEPT, FIELD_REQUIRED, "amount", "for a million that come back" },
	{ "cached", read_cached,      FIELD_KEPT, 0, "amount", "for a million sent that the backend had in its cache; default input" },
	{ "stored", read_stored,      FIELD_KEPT, 0, "amount", "for a million sent that it put there; default input" },
	{ 0 },
};
/* clang-format on */

void read_prices(struct reader *r, const struct node *n, struct inference *to)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	if (n->n > OSH_INFERENCE_PRICES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d prices", OSH_INFERENCE_PRICES);
	for (const struct node *v = n->first; v; v = v->next) {
		struct price_in in = { .price = { .at = v->at } };
		struct price *p;

		if (!read_map(r, v, price_fields, "a price", &in))
			continue;
		for (unsigned i = OSH_PRICE_CACHED; i < OSH_PRICES; i++)
			if (!in.has[i])
				in.price.part[i] = in.price.part[OSH_PRICE_INPUT];
		p = list_push(r->a, &to->prices, sizeof(*p));
		if (p)
			*p = in.price;
	}
}

static bool is_route(const struct inference *in, const char *name)
{
	for EACH (struct route, r, &in->routes)
		if (!strcmp(r->name, name))
			return true;
	return false;
}

void check_limits(struct reader *r)
{
	const struct inference *in = &r->p->inference;

	for EACH (struct budget, l, &in->limits) {
		if (l->route && !is_route(in, l->route))
			diag_add(r->d, DIAG_VALUE, l->at, NULL, "no route is called '%.60s'", l->route);
		if (l->what == OSH_COUNT_MONEY && !in->prices.n)
			diag_add(r->d, DIAG_MISSING, l->at, "a model without a price cannot be called then",
				 "a limit of money needs 'prices'");
	}
}
