/* SPDX-License-Identifier: Apache-2.0 */
#include "http/limits.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "budget.h"
#include "flow.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "http/inference.h"

/* ---- what is owed to oshd */

static int say(struct flows *fs, unsigned type, void *m, uint32_t size)
{
	struct osh_msg_head *h = m;

	*h = (struct osh_msg_head){ type, size };
	return send(fs->reload.control.fd, m, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -1;
}

/* A call that is over has no exchange: what it used waits here where oshd does not read at the moment. */
static void tell(struct flows *fs)
{
	struct limits *l = &fs->limits;
	uint32_t n = 0;

	while (n < l->n_owed && !say(fs, OSH_MSG_COUNT_USED, &l->owed[n], sizeof(l->owed[n])))
		n++;
	memmove(l->owed, l->owed + n, (l->n_owed - n) * sizeof(l->owed[0]));
	l->n_owed -= n;
	if (l->n_owed && !l->timer.due_ms)
		loop_arm(fs->loop, &l->timer, TIMER_GRACE);
}

static void owe(struct flows *fs, uint64_t number, const uint64_t used[OSH_COUNTS])
{
	struct limits *l = &fs->limits;
	struct osh_msg_used *m = &l->owed[l->n_owed];

	if (l->n_owed == OSH_MODEL_CALLS)
		return;			/* no more are ever taken: it stays as it was taken */
	*m = (struct osh_msg_used){ .id = fs->policies.now->table.id, .number = number };
	memcpy(m->amount, used, sizeof(m->amount));
	l->n_owed++;
	tell(fs);
}

/* ---- asking */

/* Also one whose exchange is over holds its place until it is answered, or never will be. */
static int free_place(const struct flows *fs)
{
	for (int i = 0; i < LIMITS_ASKED; i++)
		if (!fs->limits.asked[i].call || fs->limits.asked[i].until_ms <= fs->loop->now_ms)
			return i;
	return -1;
}

static bool ask(struct flows *fs, struct exchange *x)
{
	struct limits *l = &fs->limits;
	int i = free_place(fs);

	x->counted.call = x->counted.take.call = ++l->next_call;
	if (i < 0 || say(fs, OSH_MSG_COUNT_TAKE, &x->counted.take, sizeof(x->counted.take)) < 0)
		return false;
	x->counted.state = COUNTED_ASKED;
	l->asked[i].call = x->counted.call;
	l->asked[i].until_ms = fs->loop->now_ms + OSH_EGRESS_HEAD_MS;
	return true;
}

static void ask_all(struct flows *fs)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &fs->limits.line, link) {
		if (x->counted.state != COUNTED_LINE || ask(fs, x))
			continue;
		if (!fs->limits.timer.due_ms)
			loop_arm(fs->loop, &fs->limits.timer, TIMER_GRACE);
		return;
	}
}

static void on_timer(struct timer *t)
{
	struct limits *l = container_of(t, struct limits, timer);
	struct flows *fs = container_of(l, struct flows, limits);

	tell(fs);
	ask_all(fs);
}

static void refuse(struct exchange *x, enum osh_reason why, const char *detail)
{
	answer_deny(x, deny_status(why), why, detail, true);
}

static bool cost(const struct exchange *x, const uint64_t tokens[OSH_PRICES], uint64_t *ret)
{
	return limits_cost(&x->grant->policy->bundle, x->inference->model, tokens, ret);
}

/* What this call may use. False: nobody can say what it costs. */
static bool measure(struct exchange *x, uint32_t mask, struct counted *c)
{
	const struct bundle *b = &x->grant->policy->bundle;
	struct slice body = { x->held.p ? x->held.p : "", x->held.n };
	struct guess_call call = { x->inference->shape, x->inference->model,
				   x->inference->to ? x->inference->to->target.name : "" };

	*c = (struct counted){ .take = { .id = x->grant->policy->table.id, .mask = mask,
					 .generation = x->grant->policy->table.generation } };
	c->take.amount[OSH_COUNT_REQUESTS] = 1;
	if (!limits_have(b, mask, OSH_COUNT_TOKENS) && !limits_have(b, mask, OSH_COUNT_MONEY))
		return true;
	c->tokens[OSH_PRICE_INPUT] = guess_sent(body);
	c->tokens[OSH_PRICE_OUTPUT] = guess_answer(&call, body);
	c->take.amount[OSH_COUNT_TOKENS] = c->tokens[OSH_PRICE_INPUT] + c->tokens[OSH_PRICE_OUTPUT];
	return !limits_have(b, mask, OSH_COUNT_MONEY) || cost(x, c->tokens, &c->take.amount[OSH_COUNT_MONEY]);
}

static bool same(const struct osh_msg_take *a, const struct osh_msg_take *b)
{
	return a->generation == b->generation && a->mask == b->mask && !memcmp(a->amount, b->amount, sizeof(a->amount));
}

bool limits_pass(struct exchange *x, bool elsewhere)
{
	struct limits *l = &x->fs->limits;
	struct counted want;
	uint32_t mask = x->inference ? limits_mask(&x->grant->policy->bundle, x->inference->shape, x->inference->route) : 0;

	if (!mask) {
		limits_settle(x);
		return true;
	}
	if (!measure(x, mask, &want)) {
		refuse(x, OSH_WHY_PRICE, private_model(x, x->inference->model));
		return false;
	}
	if (x->counted.state == COUNTED_HAS && !x->counted.sent && same(&x->counted.take, &want.take))
		return true;
	limits_settle(x);		/* it goes another way than what was taken is for */
	x->counted = want;
	x->counted.elsewhere = elsewhere;
	x->counted.state = COUNTED_LINE;
	x->stage = X_LIMIT;
	exchange_await(x, TIMER_HEAD);
	TAILQ_INSERT_TAIL(&l->line, x, link);
	ask_all(x->fs);
	return false;
}

/* ---- the answer */

static void no_room(struct exchange *x, const struct osh_msg_taken *m)
{
	static char text[BUDGET_TEXT + 120];
	const struct bundle *b = &x->grant->policy->bundle;
	const struct osh_b_budget *l;
	size_t n;

	if (m->limit >= b->n_budgets) {
		refuse(x, OSH_WHY_INTERNAL, "oshd named a limit that the policy lacks");
		return;
	}
	l = &b->budgets[m->limit];
	budget_text(text, BUDGET_TEXT, b, l);
	n = strlen(text);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ", line %u; ", l->line);
	if (m->verdict == OSH_TAKEN_LARGE) {
		budget_amount(text + n, sizeof(text) - n, (enum osh_count)l->what, x->counted.take.amount[l->what]);
		n = strlen(text);
		snprintf(text + n, sizeof(text) - n, " may be used by this call");
		refuse(x, OSH_WHY_BUDGET_SIZE, text);
		return;
	}
	x->retry_s = (uint32_t)(m->wait_ms / 1000 + 1);
	snprintf(text + n, sizeof(text) - n, "there is room in %u seconds", x->retry_s);
	refuse(x, OSH_WHY_BUDGET, text);
}

static struct exchange *asked(struct flows *fs, uint64_t call)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &fs->limits.line, link)
		if (x->counted.state == COUNTED_ASKED && x->counted.call == call)
			return x;
	return NULL;
}

static void answered(struct exchange *x, const struct osh_msg_taken *m)
{
	char text[sizeof(m->text)] = "";

	if (generation_now(&x->fs->policies) != x->grant->policy) {
		judge_again(x);		/* settles what was taken */
		return;
	}
	switch (m->verdict) {
	case OSH_TAKEN_YES:
		if (x->counted.elsewhere)
			judge_elsewhere_on(x);
		else
			judge_again(x);
		return;
	case OSH_TAKEN_NO:
	case OSH_TAKEN_LARGE:
		no_room(x, m);
		return;
	default:
		memcpy(text, m->text, sizeof(text) - 1);
		refuse(x, OSH_WHY_UNCOUNTED, m->verdict == OSH_TAKEN_FAILED ? text : "its limits are of another policy");
	}
}

void limits_taken(struct flows *fs, const struct osh_msg_taken *m)
{
	static const uint64_t nothing[OSH_COUNTS];
	struct exchange *x = asked(fs, m->call);

	for (int i = 0; i < LIMITS_ASKED; i++)
		if (fs->limits.asked[i].call == m->call)
			fs->limits.asked[i].call = 0;
	if (!x) {			/* it is over already */
		if (m->verdict == OSH_TAKEN_YES)
			owe(fs, m->number, nothing);
	} else {
		x->counted.state = m->verdict == OSH_TAKEN_YES ? COUNTED_HAS : COUNTED_NOT;
		x->counted.number = m->number;
		TAILQ_REMOVE(&fs->limits.line, x, link);
		x->stage = X_NEW;
		answered(x, m);
	}
	ask_all(fs);
}

/* An oshd that died with the question never answers it; the next one answers the next. */
void limits_late(struct exchange *x)
{
	struct flows *fs = x->fs;

	refuse(x, OSH_WHY_UNCOUNTED, "oshd does not say whether its limits have room");
	ask_all(fs);
}

/* ---- what came of it */

static uint64_t more(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Only where the backend says what it counted, at the end of an answer that is whole, does that take the place of the
 * guess. Else whoever hangs up before the count comes would have used nothing.
 */
static void used(const struct exchange *x, uint64_t ret[OSH_COUNTS])
{
	const struct counted *c = &x->counted;
	const struct inference *i = x->inference;
	uint64_t known[OSH_PRICES] = { [OSH_PRICE_INPUT] = i->usage.part[USAGE_IN], [OSH_PRICE_OUTPUT] = usage_out(&i->usage),
				       [OSH_PRICE_CACHED] = i->usage.part[USAGE_IN_CACHED],
				       [OSH_PRICE_STORED] = i->usage.part[USAGE_IN_STORED] };
	bool whole = i->whole && i->usage.said;
	uint64_t money = 0;

	ret[OSH_COUNT_REQUESTS] = 1;
	if (i->status >= 400)
		return;
	ret[OSH_COUNT_TOKENS] = usage_in(&i->usage) + usage_out(&i->usage);
	if (!whole) {			/* the larger of each side */
		if (usage_in(&i->usage) < c->tokens[OSH_PRICE_INPUT]) {
			known[OSH_PRICE_INPUT] = c->tokens[OSH_PRICE_INPUT];
			known[OSH_PRICE_CACHED] = known[OSH_PRICE_STORED] = 0;
		}
		known[OSH_PRICE_OUTPUT] = more(known[OSH_PRICE_OUTPUT], c->tokens[OSH_PRICE_OUTPUT]);
		ret[OSH_COUNT_TOKENS] = more(usage_in(&i->usage), c->tokens[OSH_PRICE_INPUT]) + known[OSH_PRICE_OUTPUT];
	}
	if (!cost(x, known, &money))	/* another policy is in force: its prices may lack this model */
		money = c->take.amount[OSH_COUNT_MONEY];
	ret[OSH_COUNT_MONEY] = whole ? money : more(money, c->take.amount[OSH_COUNT_MONEY]);
}

void limits_settle(struct exchange *x)
{
	uint64_t ret[OSH_COUNTS] = { 0 };

	if (x->counted.state == COUNTED_HAS) {
		if (x->counted.sent && x->inference)
			used(x, ret);
		owe(x->fs, x->counted.number, ret);
	}
	x->counted = (struct counted){ 0 };
}

void limits_init(struct flows *fs)
{
	TAILQ_INIT(&fs->limits.line);
	fs->limits.timer.fn = on_timer;
}
