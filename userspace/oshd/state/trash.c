/* SPDX-License-Identifier: Apache-2.0 */
/* Directories whose rows are gone, and keys whose directories are there. */
#include <stdlib.h>

#include "own.h"
#include "rows.h"

static const char *const tables[] = { [STATE_HOME] = "sandbox", [STATE_VOLUME] = "volume" };

int trash_add(struct state *st, enum state_tree kind, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_TRASH_ADD);

	q_int(&q, kind);
	q_int(&q, (int64_t)key);
	return q_run(&q, e);
}

struct trash {
	enum state_tree kind;
	uint64_t key;
};

static int all_trash(struct state *st, struct trash **ret, size_t *ret_n, struct err *e)
{
	_query_ struct query q = query(st, SQL_TRASH_EACH);
	_free_ struct trash *all = NULL;
	size_t n = 0, room = 0;
	int r;

	while ((r = q_next(&q, e)) > 0) {
		if (n == room) {
			struct trash *more = reallocarray(all, room = room * 2 + 16, sizeof(*all));

			if (!more)
				return fail(e, ENOMEM, "out of memory");
			all = more;
		}
		all[n++] = (struct trash){ (enum state_tree)sqlite3_column_int(q.s, 0),
					   (uint64_t)sqlite3_column_int64(q.s, 1) };
	}
	*ret = take_ptr(&all);
	*ret_n = n;
	return r;
}

int state_trash_each(struct state *st, int (*fn)(void *data, enum state_tree kind, uint64_t key), void *data,
		     struct err *e)
{
	_free_ struct trash *all = NULL;
	size_t n = 0;
	int r = all_trash(st, &all, &n, e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = fn(data, all[i].kind, all[i].key);
	return r < 0 ? r : 0;
}

int state_trash_done(struct state *st, enum state_tree kind, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_TRASH_DONE);

	q_int(&q, kind);
	q_int(&q, (int64_t)key);
	return q_run(&q, e);
}

int state_keys_above(struct state *st, enum state_tree kind, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_KEYS_NOW);
	int64_t now = -1;
	int r;

	q_text(&q, tables[kind]);
	r = q_one(&q, &now, e);
	if (r && r != -ENOENT)
		return r;
	if (now >= (int64_t)key)
		return 0;
	_query_ struct query set = query(st, now < 0 ? SQL_KEYS_FIRST : SQL_KEYS_RAISE);
	q_text(&set, tables[kind]);
	q_int(&set, (int64_t)key);
	return q_run(&set, e);
}
