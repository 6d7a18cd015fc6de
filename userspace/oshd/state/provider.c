/* SPDX-License-Identifier: Apache-2.0 */
/* Stored credentials: a name of a user's, a record, ciphertext; and the created sandboxes that have them. */
#include <stdlib.h>

#include "own.h"
#include "rows.h"

void state_provider_done(struct state_provider *p)
{
	free(p->record);
	free(p->box);
	*p = (struct state_provider){ 0 };
}

static int find(struct state *st, uid_t uid, const char *name, int64_t *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_PROVIDER_KEY);
	int r;

	q_int(&q, uid);
	q_text(&q, name);
	r = q_one(&q, ret, e);
	return r == -ENOENT ? fail(e, ENOENT, "no provider of yours is called '%.*s'; `oshctl provider create` makes one",
				   OSH_CRED_NAME, name) : r;
}

static int put(struct state *st, enum stmt id, const struct state_provider *p, struct err *e)
{
	_query_ struct query q = query(st, id);

	q_int(&q, p->uid);
	q_text(&q, p->name);
	q_text(&q, p->type);
	q_text(&q, p->record);
	q_int(&q, (int64_t)row_time(p->rotated_us));
	q_blob(&q, p->box, p->box_len);
	return q_run(&q, e);
}

static int add(struct state *st, const struct state_provider *p, struct err *e)
{
	int64_t key;
	int r = row_share(st, SQL_PROVIDER_COUNT, p->uid, OSH_PROVIDERS_EACH, "providers", e);

	if (!r && !find(st, p->uid, p->name, &key, &(struct err){ 0 }))
		r = fail(e, EEXIST, "a provider of yours is called '%s'; `oshctl provider rotate` gives it another secret",
			 p->name);
	return r ? r : put(st, SQL_PROVIDER_ADD, p, e);
}

int state_provider_add(struct state *st, const struct state_provider *p, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, add(st, p, e), e);
}

int state_provider_set(struct state *st, const struct state_provider *p, struct err *e)
{
	int r = put(st, SQL_PROVIDER_SET, p, e);

	return r || sqlite3_changes(st->db) ? r : fail(e, ENOENT, "no provider of yours is called '%s'", p->name);
}

static int copy_blob(sqlite3_stmt *s, int column, void **ret, size_t *ret_n, struct err *e)
{
	int n = sqlite3_column_bytes(s, column);
	const void *from = sqlite3_column_blob(s, column);

	*ret = n > 0 && from ? malloc((size_t)n) : NULL;
	if (!*ret)
		return fail(e, ENOMEM, "out of memory");
	memcpy(*ret, from, (size_t)n);
	*ret_n = (size_t)n;
	return 0;
}

static int get(struct state *st, int64_t key, struct state_provider *p, struct err *e)
{
	_query_ struct query q = query(st, SQL_PROVIDER_GET);
	int r;

	*p = (struct state_provider){ 0 };
	q_int(&q, key);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "no such provider");
	row_text(q.s, 0, p->name, sizeof(p->name));
	p->uid = (uid_t)sqlite3_column_int64(q.s, 1);
	row_text(q.s, 2, p->type, sizeof(p->type));
	p->record = strdup((const char *)sqlite3_column_text(q.s, 3));
	p->created_us = (uint64_t)sqlite3_column_int64(q.s, 4);
	p->rotated_us = (uint64_t)sqlite3_column_int64(q.s, 5);
	p->sandboxes = (unsigned)sqlite3_column_int64(q.s, 7);
	r = p->record ? copy_blob(q.s, 6, &p->box, &p->box_len, e) : fail(e, ENOMEM, "out of memory");
	if (r < 0)
		state_provider_done(p);
	return r;
}

int state_provider_find(struct state *st, uid_t uid, const char *name, struct state_provider *ret, struct err *e)
{
	int64_t key = 0;
	int r = find(st, uid, name, &key, e);

	return r ? r : get(st, key, ret, e);
}

int state_provider_each(struct state *st, int (*fn)(void *data, const struct state_provider *p), void *data, struct err *e)
{
	_query_ struct query q = query(st, SQL_PROVIDER_KEYS);
	int r, x = 0;

	while ((r = q_next(&q, e)) > 0 && x >= 0) {
		struct state_provider p;

		x = get(st, sqlite3_column_int64(q.s, 0), &p, e);
		if (x >= 0)
			x = fn(data, &p);
		state_provider_done(&p);
	}
	return x < 0 ? x : r < 0 ? r : 0;
}

static int delete(struct state *st, uid_t uid, const char *name, struct err *e)
{
	_query_ struct query users = query(st, SQL_PROVIDER_USERS);
	_query_ struct query q = query(st, SQL_PROVIDER_DELETE);
	int64_t key = 0, n = 0;
	int r = find(st, uid, name, &key, e);

	if (r < 0)
		return r;
	q_int(&users, key);
	r = q_one(&users, &n, e);
	if (!r && n)
		return fail(e, EBUSY, "provider '%s' is used by %lld sandbox%s: `oshctl provider detach` it first", name,
			    (long long)n, n == 1 ? "" : "es");
	q_int(&q, key);
	return r ? r : q_run(&q, e);
}

int state_provider_delete(struct state *st, uid_t uid, const char *name, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, delete(st, uid, name, e), e);
}

int provider_use(struct state *st, uint64_t sandbox, uid_t uid, const struct state_provider_use *u, struct err *e)
{
	_query_ struct query q = query(st, SQL_PUSE_SET);
	_query_ struct query count = query(st, SQL_PUSE_COUNT);
	int64_t key = 0, n = 0;
	int r = find(st, uid, u->name, &key, e);

	if (r < 0)
		return r;
	q_int(&q, (int64_t)sandbox);
	q_int(&q, key);
	q_text(&q, u->placeholder);
	r = q_run(&q, e);
	q_int(&count, (int64_t)sandbox);
	if (!r)
		r = q_one(&count, &n, e);
	return r || n <= OSH_CREDS ? r : fail(e, E2BIG, "a sandbox has at most %d providers", OSH_CREDS);
}

int provider_uses(struct state *st, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_PUSE_EACH);
	int r;

	q_int(&q, (int64_t)s->key);
	while ((r = q_next(&q, e)) > 0 && s->n_providers < ARRAY_SIZE(s->providers)) {
		struct state_provider_use *u = &s->providers[s->n_providers++];

		row_text(q.s, 0, u->name, sizeof(u->name));
		row_text(q.s, 1, u->placeholder, sizeof(u->placeholder));
	}
	return r < 0 ? r : 0;
}

int state_provider_use(struct state *st, uint64_t sandbox, uid_t uid, const struct state_provider_use *u, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, provider_use(st, sandbox, uid, u, e), e);
}

int state_provider_drop(struct state *st, uint64_t sandbox, uid_t uid, const char *name, struct err *e)
{
	_query_ struct query q = query(st, SQL_PUSE_DROP);
	int64_t key = 0;
	int r = find(st, uid, name, &key, e);

	if (r < 0)
		return r;
	q_int(&q, (int64_t)sandbox);
	q_int(&q, key);
	r = q_run(&q, e);
	return r || sqlite3_changes(st->db) ? r : fail(e, ENOENT, "the sandbox has no provider '%s'", name);
}
