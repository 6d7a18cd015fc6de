/* SPDX-License-Identifier: Apache-2.0 */
/* Which route of its policy a sandbox' calls of models go to first: a row a sandbox, and one a user for those to come. None where nothing was chosen. */
#include "rows.h"

int state_choice_put(struct state *st, const struct state_choice *c, struct err *e)
{
	_query_ struct query q = query(st, SQL_CHOICE_PUT);

	q_int(&q, c->sandbox);
	q_text(&q, c->route);
	q_text(&q, c->model);
	q_int(&q, (int64_t)row_time(c->time_us));
	q_int(&q, c->by);
	q_int(&q, c->preset);
	return q_run(&q, e);
}

int state_choice_get(struct state *st, int64_t sandbox, struct state_choice *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_CHOICE_GET);
	int r;

	*ret = (struct state_choice){ .sandbox = sandbox };
	q_int(&q, sandbox);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "nothing was chosen");
	row_text(q.s, 0, ret->route, sizeof(ret->route));
	row_text(q.s, 1, ret->model, sizeof(ret->model));
	ret->time_us = (uint64_t)sqlite3_column_int64(q.s, 2);
	ret->by = (uid_t)sqlite3_column_int64(q.s, 3);
	ret->preset = sqlite3_column_int64(q.s, 4);
	return 0;
}

int state_choice_drop(struct state *st, int64_t sandbox, struct err *e)
{
	_query_ struct query q = query(st, SQL_CHOICE_DROP);

	q_int(&q, sandbox);
	return q_run(&q, e);
}

int state_choice_drop_runs(struct state *st, struct err *e)
{
	_query_ struct query q = query(st, SQL_CHOICE_DROP_RUNS);

	return q_run(&q, e);
}

int state_preset_put(struct state *st, const struct state_choice *c, struct err *e)
{
	_query_ struct query q = query(st, SQL_PRESET_PUT);

	q_int(&q, c->by);
	q_text(&q, c->route);
	q_text(&q, c->model);
	q_int(&q, (int64_t)row_time(c->time_us));
	return q_run(&q, e);
}

int state_preset_get(struct state *st, uid_t uid, struct state_choice *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_PRESET_GET);
	int r;

	*ret = (struct state_choice){ .by = uid, .preset = true };
	q_int(&q, uid);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "no default was set");
	row_text(q.s, 0, ret->route, sizeof(ret->route));
	row_text(q.s, 1, ret->model, sizeof(ret->model));
	ret->time_us = (uint64_t)sqlite3_column_int64(q.s, 2);
	return 0;
}

int state_preset_drop(struct state *st, uid_t uid, struct err *e)
{
	_query_ struct query q = query(st, SQL_PRESET_DROP);

	q_int(&q, uid);
	return q_run(&q, e);
}
