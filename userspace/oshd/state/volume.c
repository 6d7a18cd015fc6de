/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: a name of a user's, a key that names a directory, and the sandboxes that use it. */
#include <stdlib.h>

#include "own.h"
#include "rows.h"

static int find(struct state *st, uid_t uid, const char *name, int64_t *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_VOLUME_FIND);
	int r;

	q_int(&q, uid);
	q_text(&q, name);
	r = q_one(&q, ret, e);
	return r == -ENOENT ? fail(e, ENOENT, "no volume of yours is called '%.*s'", OSH_SANDBOX_NAME, name) : r;
}

int volume_need(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e)
{
	_query_ struct query q = query(st, SQL_VOLUME_ADD);
	int64_t key = 0;
	int r;

	if (!name[0] || strnlen(name, OSH_SANDBOX_NAME) == OSH_SANDBOX_NAME)
		return fail(e, EINVAL, "a volume name is 1 to %d bytes", OSH_SANDBOX_NAME - 1);
	r = find(st, uid, name, &key, e);
	*ret_key = (uint64_t)key;
	if (r != -ENOENT)
		return r;
	r = row_share(st, SQL_VOLUME_COUNT, uid, OSH_VOLUMES_EACH, "volumes", e);
	if (r < 0)
		return r;
	q_int(&q, uid);
	q_text(&q, name);
	r = q_run(&q, e);
	*ret_key = (uint64_t)sqlite3_last_insert_rowid(st->db);
	return r;
}

int state_volume_need(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, volume_need(st, uid, name, ret_key, e), e);
}

struct volume {
	uid_t uid;
	char name[OSH_SANDBOX_NAME];
	uint64_t key;
	unsigned users;
};

static int all_volumes(struct state *st, struct volume **ret, size_t *ret_n, struct err *e)
{
	_query_ struct query q = query(st, SQL_VOLUME_EACH);
	_free_ struct volume *all = NULL;
	size_t n = 0, room = 0;
	int r;

	while ((r = q_next(&q, e)) > 0) {
		if (n == room) {
			struct volume *more = reallocarray(all, room = room * 2 + 16, sizeof(*all));

			if (!more)
				return fail(e, ENOMEM, "out of memory");
			all = more;
		}
		all[n] = (struct volume){ .uid = (uid_t)sqlite3_column_int64(q.s, 0),
					  .key = (uint64_t)sqlite3_column_int64(q.s, 2),
					  .users = (unsigned)sqlite3_column_int64(q.s, 3) };
		row_text(q.s, 1, all[n].name, sizeof(all[n].name));
		n++;
	}
	*ret = take_ptr(&all);
	*ret_n = n;
	return r;
}

int state_volume_each(struct state *st, int (*fn)(void *, uid_t, const char *name, uint64_t key, unsigned users), void *data,
		      struct err *e)
{
	_free_ struct volume *all = NULL;
	size_t n = 0;
	int r = all_volumes(st, &all, &n, e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = fn(data, all[i].uid, all[i].name, all[i].key, all[i].users);
	return r < 0 ? r : 0;
}

static int delete(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e)
{
	_query_ struct query users = query(st, SQL_VOLUME_USERS);
	_query_ struct query q = query(st, SQL_VOLUME_DELETE);
	int64_t key = 0, n = 0;
	int r = find(st, uid, name, &key, e);

	if (r < 0)
		return r;
	q_int(&users, key);
	r = q_one(&users, &n, e);
	if (!r && n)
		return fail(e, EBUSY, "volume '%s' is used by %lld sandbox%s: delete %s first", name, (long long)n,
			    n == 1 ? "" : "es", n == 1 ? "it" : "them");
	q_int(&q, key);
	*ret_key = (uint64_t)key;
	if (!r)
		r = q_run(&q, e);
	return r ? r : trash_add(st, STATE_VOLUME, (uint64_t)key, e);
}

int state_volume_delete(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, delete(st, uid, name, ret_key, e), e);
}
