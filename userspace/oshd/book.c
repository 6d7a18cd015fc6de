/* SPDX-License-Identifier: Apache-2.0 */
#include "book.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "count.h"
#include "own.h"
#include "state/state.h"

struct account {
	struct account *next;
	uid_t uid;
	int64_t sandbox;		/* 0 = all of the user's */
	char name[OSH_COUNT_NAME];
	unsigned refs;
	struct count c;
};

struct entry {
	struct account *a;
	uint64_t piece;			/* where it was counted */
	uint64_t amount, most;		/* of that limit, when it was */
	uint32_t what;
};

struct taken {
	uint64_t number;
	uint32_t n;
	struct entry of[];
};

struct book {
	struct accounts *all;
	uid_t uid;
	int64_t sandbox;
	uint32_t generation;		/* whose limits these are; 0 = none yet */
	uint32_t n;
	struct account *limits[OSH_INFERENCE_LIMITS];
	uint64_t next;
	struct taken *taken[OSH_MODEL_CALLS];	/* by number */
};

/* ---- accounts */

static int load(struct accounts *all, struct account *a, enum osh_window per, uint64_t now_ms, struct err *e)
{
	struct count_row row;
	size_t len = sizeof(row);
	struct err none = { 0 };
	int r = all->st ? state_count_get(all->st, a->uid, a->sandbox, a->name, &row, &len, &none) : -ENOENT;

	count_start(&a->c, per, now_ms);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(e, -r, "%s", none.text);
	return count_read(&a->c, per, &row, len, now_ms) ? 0 :
	       fail(e, EUCLEAN, "the count of '%s' in the database cannot be read", a->name);
}

static struct account *find(struct accounts *all, uid_t uid, int64_t sandbox, const char *name)
{
	struct account *a = all->first;

	while (a && (a->uid != uid || a->sandbox != sandbox || strcmp(a->name, name)))
		a = a->next;
	return a;
}

static int get_account(struct book *k, const struct bundle *b, const struct osh_b_budget *l, uint64_t now_ms,
		       struct account **ret, struct err *e)
{
	static const char *const whats[OSH_COUNTS] = { "requests", "tokens", "money" };
	static const char *const pers[OSH_WINDOWS] = { "minute", "day" };
	struct account *a;
	char name[OSH_COUNT_NAME];
	int r;

	snprintf(name, sizeof(name), "%s/%s/%s", whats[l->what], pers[l->per],
		 l->route ? bundle_str(b, b->routes[l->route - 1].name) : "");
	a = find(k->all, k->uid, l->user ? 0 : k->sandbox, name);
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return fail(e, ENOMEM, "out of memory");
		a->uid = k->uid;
		a->sandbox = l->user ? 0 : k->sandbox;
		memcpy(a->name, name, sizeof(name));
		r = load(k->all, a, (enum osh_window)l->per, now_ms, e);
		if (r < 0) {
			free(a);
			return r;
		}
		a->next = k->all->first;
		k->all->first = a;
	}
	a->refs++;
	*ret = a;
	return 0;
}

/* Written together, so that a call is counted by all of its limits on disk, or by none. */
static int store(struct accounts *all, struct account *const *list, size_t n, uint64_t now_ms, struct err *e)
{
	struct count_row row[OSH_INFERENCE_LIMITS];
	struct state_count out[OSH_INFERENCE_LIMITS];

	for (size_t i = 0; i < n; i++) {
		count_row(&list[i]->c, &row[i]);
		out[i] = (struct state_count){ .uid = list[i]->uid, .sandbox = list[i]->sandbox, .pieces = &row[i],
					       .len = sizeof(row[i]), .until_ms = count_until(&list[i]->c) };
		memcpy(out[i].name, list[i]->name, sizeof(out[i].name));
	}
	return n && all->st ? state_count_put(all->st, out, n, now_ms, e) : 0;
}

static void store_exact(struct accounts *all, struct account *a, uint64_t now_ms)
{
	struct err e = { 0 };

	count_go(&a->c, now_ms);
	if (!count_exact(&a->c))
		return;
	/* Else what is on disk is more than what was used: no limit is passed by it. */
	if (store(all, &a, 1, now_ms, &e) < 0)
		fprintf(stderr, "oshd: count of '%s' of uid %u: %s\n", a->name, a->uid, e.text);
}

/* What nobody counts in any more goes to disk as it is. */
static void put_account(struct accounts *all, struct account *a, uint64_t now_ms)
{
	if (--a->refs)
		return;
	store_exact(all, a, now_ms);
	for (struct account **p = &all->first; *p; p = &(*p)->next)
		if (*p == a) {
			*p = a->next;
			break;
		}
	free(a);
}

void accounts_store(struct accounts *all, uint64_t now_ms)
{
	for (struct account *a = all->first; a; a = a->next)
		store_exact(all, a, now_ms);
}

/* ---- books */

int book_open(struct book **ret, struct accounts *all, uid_t uid, int64_t sandbox, bool fresh, struct err *e)
{
	struct timespec t;
	int r = fresh && sandbox < 0 && all->st ? state_count_drop(all->st, sandbox, e) : 0;

	if (r < 0)
		return r;
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return fail(e, ENOMEM, "out of memory");
	/* Numbers of a former oshd are none of ours. */
	clock_gettime(CLOCK_BOOTTIME, &t);
	**ret = (struct book){ .all = all, .uid = uid, .sandbox = sandbox,
			       .next = ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec) / OSH_MODEL_CALLS * OSH_MODEL_CALLS };
	return 0;
}

static void drop_limits(struct book *k, uint64_t now_ms)
{
	for (uint32_t i = 0; i < k->n; i++)
		put_account(k->all, k->limits[i], now_ms);
	k->n = k->generation = 0;
}

static int open_limits(struct book *k, const struct bundle *b, uint32_t generation, uint64_t now_ms, struct err *e)
{
	struct account *now[OSH_INFERENCE_LIMITS];
	uint32_t n = 0;
	int r = 0;

	for (; n < b->n_budgets && !r; n++)
		r = get_account(k, b, &b->budgets[n], now_ms, &now[n], e);
	if (r < 0) {
		for (n--; n > 0; n--)
			put_account(k->all, now[n - 1], now_ms);
		return r;
	}
	drop_limits(k, now_ms);		/* after: an account that stays keeps its count */
	memcpy(k->limits, now, n * sizeof(now[0]));
	k->n = n;
	k->generation = generation;
	return 0;
}

static void free_taken(struct book *k, struct taken **at, uint64_t now_ms)
{
	for (uint32_t i = 0; *at && i < (*at)->n; i++)
		put_account(k->all, (*at)->of[i].a, now_ms);
	free(*at);
	*at = NULL;
}

static struct taken **place(struct book *k)
{
	for (uint32_t i = 0; i < OSH_MODEL_CALLS; i++, k->next++)
		if (!k->taken[k->next % OSH_MODEL_CALLS])
			return &k->taken[k->next % OSH_MODEL_CALLS];
	return NULL;
}

/* Which limit keeps it longest? False = one does. */
static bool has_room(const struct book *k, const struct bundle *b, const struct osh_msg_take *m, uint64_t now_ms,
		     struct osh_msg_taken *ret)
{
	for (uint32_t i = 0; i < k->n; i++) {
		const struct osh_b_budget *l = &b->budgets[i];
		uint64_t wait;

		if (!(m->mask >> i & 1))
			continue;
		count_go(&k->limits[i]->c, now_ms);
		wait = count_wait(&k->limits[i]->c, now_ms, l->most, m->amount[l->what]);
		if (wait <= ret->wait_ms)
			continue;
		ret->wait_ms = wait;
		ret->limit = i;
	}
	ret->verdict = ret->wait_ms == COUNT_NEVER ? OSH_TAKEN_LARGE : OSH_TAKEN_NO;
	return ret->wait_ms == 0;
}

/* Counted, and on disk before anybody hears of it. */
static int count_all(struct book *k, const struct bundle *b, const struct osh_msg_take *m, uint64_t now_ms, struct taken **at,
		     struct err *e)
{
	struct account *behind[OSH_INFERENCE_LIMITS];
	uint32_t n = (uint32_t)__builtin_popcount(m->mask), behinds = 0;
	struct taken *t = calloc(1, sizeof(*t) + n * sizeof(t->of[0]));
	int r;

	if (!t)
		return fail(e, ENOMEM, "out of memory");
	t->number = k->next++;
	for (uint32_t i = 0; i < k->n; i++) {
		const struct osh_b_budget *l = &b->budgets[i];
		struct account *a = k->limits[i];

		if (!(m->mask >> i & 1))
			continue;
		t->of[t->n++] = (struct entry){ a, count_take(&a->c, m->amount[l->what]), m->amount[l->what], l->most, l->what };
		a->refs++;
		if (count_ahead(&a->c, l->most))
			behind[behinds++] = a;
	}
	*at = t;
	r = store(k->all, behind, behinds, now_ms, e);
	if (!r)
		return 0;
	for (uint32_t i = 0; i < t->n; i++)
		count_settle(&t->of[i].a->c, t->of[i].piece, t->of[i].amount, 0);
	for (uint32_t i = 0; i < behinds; i++)
		count_unsure(&behind[i]->c);
	free_taken(k, at, now_ms);
	return r;
}

void book_take(struct book *k, const struct bundle *b, uint32_t generation, const struct osh_msg_take *m, uint64_t now_ms,
	       struct osh_msg_taken *ret)
{
	struct taken **at = place(k);
	struct err e = { 0 };
	int r = 0;

	*ret = (struct osh_msg_taken){ .id = m->id, .call = m->call };
	if (m->generation != generation) {
		ret->verdict = OSH_TAKEN_STALE;
		return;
	}
	if (k->generation != generation)
		r = open_limits(k, b, generation, now_ms, &e);
	if (!r && !at)
		r = fail(&e, EBUSY, "more than %d calls under way", OSH_MODEL_CALLS);
	if (!r && (k->n < 32 && m->mask >> k->n))
		r = fail(&e, EPROTO, "no such limit");
	if (!r && !has_room(k, b, m, now_ms, ret))
		return;
	if (!r)
		r = count_all(k, b, m, now_ms, at, &e);
	ret->verdict = r ? OSH_TAKEN_FAILED : OSH_TAKEN_YES;
	if (r)
		snprintf(ret->text, sizeof(ret->text), "%.119s", e.text);
	else
		ret->number = (*at)->number;
}

void book_used(struct book *k, const struct osh_msg_used *m, uint64_t now_ms)
{
	struct taken **at = &k->taken[m->number % OSH_MODEL_CALLS];
	struct account *behind[OSH_INFERENCE_LIMITS] = { 0 };
	struct err e = { 0 };
	uint32_t n = 0;

	if (!*at || (*at)->number != m->number)
		return;			/* of a former oshd: it stays as it was taken */
	for (uint32_t i = 0; i < (*at)->n; i++) {
		struct entry *x = &(*at)->of[i];

		count_go(&x->a->c, now_ms);
		count_settle(&x->a->c, x->piece, x->amount, m->amount[x->what]);
		if (count_ahead(&x->a->c, x->most))
			behind[n++] = x->a;
	}
	/* More than it took. The call is over: where that cannot be written, the next one that would go is not let. */
	if (store(k->all, behind, n, now_ms, &e) < 0)
		while (n--)
			count_unsure(&behind[n]->c);
	free_taken(k, at, now_ms);
}

int book_use(struct book *k, const struct bundle *b, uint32_t generation, uint64_t now_ms, uint64_t ret[OSH_INFERENCE_LIMITS],
	     struct err *e)
{
	int r = k->generation == generation ? 0 : open_limits(k, b, generation, now_ms, e);

	for (uint32_t i = 0; !r && i < k->n; i++) {
		count_go(&k->limits[i]->c, now_ms);
		ret[i] = count_sum(&k->limits[i]->c);
	}
	return r;
}

void book_forget(struct book *k, uint64_t now_ms)
{
	for (uint32_t i = 0; i < OSH_MODEL_CALLS; i++)
		free_taken(k, &k->taken[i], now_ms);
}

void book_close(struct book *k, uint64_t now_ms)
{
	struct err e = { 0 };

	if (!k)
		return;
	book_forget(k, now_ms);
	drop_limits(k, now_ms);
	if (k->sandbox < 0 && k->all->st && state_count_drop(k->all->st, k->sandbox, &e) < 0)
		fprintf(stderr, "oshd: %s\n", e.text);
	free(k);
}

int book_check(const struct accounts *all, const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_budgets && !all->st; i++)
		if (b->budgets[i].user)
			return fail(e, EOPNOTSUPP, "the limit of line %u is of all sandboxes of a user: nothing counts them without a "
				    "resident oshd; start one, or leave `of: user` away", b->budgets[i].line);
	return 0;
}
