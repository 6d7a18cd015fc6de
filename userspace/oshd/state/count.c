/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of what was used. Rows are few bytes each and written often: nothing else is looked at here. */
#include "own.h"
#include "rows.h"

static int put(struct state *st, const struct state_count *c, struct err *e)
{
	_query_ struct query q = query(st, SQL_COUNT_PUT);

	q_int(&q, c->uid);
	q_int(&q, c->sandbox);
	q_text(&q, c->name);
	q_int(&q, (int64_t)c->until_ms);
	q_blob(&q, c->pieces, c->len);
	return q_run(&q, e);
}

static int number_of(struct state *st, uid_t uid, int64_t *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_COUNT_SHARE);

	q_int(&q, uid);
	return q_one(&q, ret, e);
}

/* Only where there are too many is anything thrown away. */
static int fits(struct state *st, uid_t uid, uint64_t now_ms, struct err *e)
{
	_query_ struct query q = query(st, SQL_COUNT_OVER);
	int64_t n = 0;
	int r = number_of(st, uid, &n, e);

	if (r || !uid || n <= OSH_COUNTS_EACH)
		return r;
	q_int(&q, uid);
	q_int(&q, (int64_t)now_ms);
	r = q_run(&q, e);
	if (!r)
		r = number_of(st, uid, &n, e);
	return r || n <= OSH_COUNTS_EACH ? r : fail(e, EDQUOT, "uid %u has more than %d counts of calls of models; they go with "
						    "their sandboxes, and with time", uid, OSH_COUNTS_EACH);
}

static int put_all(struct state *st, const struct state_count *rows, size_t n, uint64_t now_ms, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		r = put(st, &rows[i], e);
		if (!r && (i + 1 == n || rows[i + 1].uid != rows[i].uid))
			r = fits(st, rows[i].uid, now_ms, e);
	}
	return r;
}

int state_count_put(struct state *st, const struct state_count *rows, size_t n, uint64_t now_ms, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, put_all(st, rows, n, now_ms, e), e);
}

int state_count_get(struct state *st, uid_t uid, int64_t sandbox, const char *name, void *ret, size_t *len, struct err *e)
{
	_query_ struct query q = query(st, SQL_COUNT_GET);
	size_t room = *len;
	int r;

	*len = 0;
	q_int(&q, uid);
	q_int(&q, sandbox);
	q_text(&q, name);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "nothing was counted");
	*len = (size_t)sqlite3_column_bytes(q.s, 0);
	if (*len > room)
		return fail(e, EOVERFLOW, "a count of %zu bytes", *len);
	if (*len)
		memcpy(ret, sqlite3_column_blob(q.s, 0), *len);
	return 0;
}

int state_count_drop(struct state *st, int64_t sandbox, struct err *e)
{
	_query_ struct query q = query(st, SQL_COUNT_DROP);

	q_int(&q, sandbox);
	return q_run(&q, e);
}
