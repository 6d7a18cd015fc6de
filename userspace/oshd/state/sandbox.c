/* SPDX-License-Identifier: Apache-2.0 */
/* Created sandboxes: their rows, labels, commands and the volumes that they use. */
#include <stdlib.h>
#include <time.h>

#include "db.h"
#include "own.h"
#include "rows.h"

#define LABEL_KEY 64			/* bytes, NUL included */
#define LABEL_VALUE 256
#define REASON 256

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t row_time(uint64_t given)
{
	return given ? given : now_us();
}

void row_text(sqlite3_stmt *s, int column, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	snprintf(to, size, "%s", text ? (const char *)text : "");
}

void state_sandbox_done(struct state_sandbox *s)
{
	for (size_t i = 0; i < s->n_labels; i++) {
		free(s->labels[i].key);
		free(s->labels[i].value);
	}
	free(s->labels);
	free(s->reason);
	free(s->spec);
	*s = (struct state_sandbox){ 0 };
}

static int check_limits(const struct state_sandbox *s, struct err *e)
{
	if (!s->name[0] || strnlen(s->name, sizeof(s->name)) == sizeof(s->name))
		return fail(e, EINVAL, "a sandbox name is 1 to %d bytes", OSH_SANDBOX_NAME - 1);
	if (strnlen(s->workdir, sizeof(s->workdir)) == sizeof(s->workdir))
		return fail(e, ENAMETOOLONG, "the working directory's path has %zu bytes or more", sizeof(s->workdir));
	if (s->n_groups > OSH_GROUPS_CALLER || s->n_volumes > ARRAY_SIZE(s->volumes) ||
	    s->n_providers > ARRAY_SIZE(s->providers))
		return fail(e, E2BIG, "sandbox '%s': too many groups, volumes or providers", s->name);
	if (s->spec_len > OSH_SPEC_BYTES)
		return fail(e, E2BIG, "the command of '%s' has %zu bytes, no more than %u", s->name, s->spec_len,
			    OSH_SPEC_BYTES);
	return 0;
}

/* Of one caller who is not root. */
int row_share(struct state *st, enum stmt count, uid_t uid, int most, const char *what, struct err *e)
{
	_query_ struct query q = query(st, count);
	int64_t n = 0;
	int r;

	q_int(&q, uid);
	r = uid ? q_one(&q, &n, e) : 0;
	if (r < 0)
		return r;
	return n < most ? 0 : fail(e, EDQUOT, "uid %u has %lld %s, no more than %d: delete one first", uid,
				   (long long)n, what, most);
}

static int add_row(struct state *st, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_ADD);
	int r;

	q_text(&q, s->name);
	q_int(&q, s->uid);
	q_int(&q, s->gid);
	q_blob(&q, s->groups, s->n_groups * sizeof(*s->groups));
	q_text(&q, s->workdir);
	q_int(&q, (int64_t)s->created_us);
	q_int(&q, s->wanted);
	q_blob(&q, s->amount, sizeof(s->amount));
	r = q_run(&q, e);
	if (r == -EEXIST)
		return fail(e, EEXIST, "a sandbox named '%s' exists; choose another name", s->name);
	s->key = (uint64_t)sqlite3_last_insert_rowid(st->db);
	return r;
}

static int add_command(struct state *st, const struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_COMMAND_ADD);

	if (!s->spec_len)
		return 0;
	q_int(&q, (int64_t)s->key);
	q_blob(&q, &s->spec_head, sizeof(s->spec_head));
	q_blob(&q, s->spec, s->spec_len);
	return q_run(&q, e);
}

static int add_use(struct state *st, struct state_sandbox *s, size_t i, struct err *e)
{
	struct state_volume_use *u = &s->volumes[i];
	int r = volume_need(st, s->uid, u->name, &u->key, e);
	_query_ struct query q = query(st, SQL_USE_ADD);

	if (r < 0)
		return r;
	q_int(&q, (int64_t)s->key);
	q_int(&q, (int64_t)i);
	q_int(&q, (int64_t)u->key);
	q_text(&q, u->path);
	q_int(&q, u->read_only);
	return q_run(&q, e);
}

static int set_label(struct state *st, uint64_t key, const struct state_label *l, struct err *e)
{
	_query_ struct query q = query(st, SQL_LABEL_SET);

	if (!l->key[0] || strlen(l->key) >= LABEL_KEY || strlen(l->value) >= LABEL_VALUE)
		return fail(e, EINVAL, "label '%.64s': a key is 1 to %d bytes, a value at most %d", l->key,
			    LABEL_KEY - 1, LABEL_VALUE - 1);
	q_int(&q, (int64_t)key);
	q_text(&q, l->key);
	q_text(&q, l->value);
	return q_run(&q, e);
}

static int remove_label(struct state *st, uint64_t key, const char *name, struct err *e)
{
	_query_ struct query q = query(st, SQL_LABEL_REMOVE);

	q_int(&q, (int64_t)key);
	q_text(&q, name);
	return q_run(&q, e);
}

static int change_labels(struct state *st, uint64_t key, const struct state_label *set, size_t n_set,
			 char *const *remove, size_t n_remove, struct err *e)
{
	_query_ struct query q = query(st, SQL_LABEL_COUNT);
	int64_t n = 0;
	int r = 0;

	for (size_t i = 0; !r && i < n_remove; i++)
		r = remove_label(st, key, remove[i], e);
	for (size_t i = 0; !r && i < n_set; i++)
		r = set_label(st, key, &set[i], e);
	q_int(&q, (int64_t)key);
	if (!r)
		r = q_one(&q, &n, e);
	return r || n <= OSH_LABELS ? r : fail(e, E2BIG, "a sandbox has at most %d labels", OSH_LABELS);
}

static int create(struct state *st, struct state_sandbox *s, int bundle_fd, int source_fd, struct err *e)
{
	int r = row_share(st, SQL_SANDBOX_COUNT, s->uid, OSH_SANDBOXES_EACH, "sandboxes", e);

	if (!r)
		r = add_row(st, s, e);
	if (!r)
		r = add_command(st, s, e);
	if (!r)
		r = change_labels(st, s->key, s->labels, s->n_labels, NULL, 0, e);
	for (size_t i = 0; !r && i < s->n_volumes; i++)
		r = add_use(st, s, i, e);
	for (size_t i = 0; !r && i < s->n_providers; i++)
		r = provider_use(st, s->key, s->uid, &s->providers[i], e);
	s->revision = 1;
	if (!r)
		r = policy_add(st, s->key, 1, bundle_fd, source_fd, s->uid, 0, e);
	return r ? r : policy_check_bytes(st, s->key, e);
}

int state_create(struct state *st, struct state_sandbox *s, int bundle_fd, int source_fd, struct err *e)
{
	int r = check_limits(s, e);

	s->created_us = row_time(s->created_us);
	if (!r)
		r = db_begin(st, e);
	return r ? r : db_end(st, create(st, s, bundle_fd, source_fd, e), e);
}

static int get_row(struct state *st, uint64_t key, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_GET);
	int r, n;

	q_int(&q, (int64_t)key);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "no such sandbox");
	*s = (struct state_sandbox){ .key = key };
	row_text(q.s, 0, s->name, sizeof(s->name));
	s->uid = (uid_t)sqlite3_column_int64(q.s, 1);
	s->gid = (gid_t)sqlite3_column_int64(q.s, 2);
	n = sqlite3_column_bytes(q.s, 3);
	if (n < 0 || (size_t)n > sizeof(s->groups) || (size_t)n % sizeof(gid_t))
		return fail(e, EUCLEAN, "sandbox '%s': its groups make no sense", s->name);
	if (n)
		memcpy(s->groups, sqlite3_column_blob(q.s, 3), (size_t)n);
	s->n_groups = (uint32_t)((size_t)n / sizeof(gid_t));
	row_text(q.s, 4, s->workdir, sizeof(s->workdir));
	s->created_us = (uint64_t)sqlite3_column_int64(q.s, 5);
	s->wanted = sqlite3_column_int64(q.s, 6) != 0;
	s->exit_status = sqlite3_column_int(q.s, 7);
	s->revision = (uint32_t)sqlite3_column_int64(q.s, 9);
	n = sqlite3_column_bytes(q.s, 10);
	if (n < 0 || (size_t)n > sizeof(s->amount) || (size_t)n % sizeof(uint64_t))
		return fail(e, EUCLEAN, "sandbox '%s': what it may take makes no sense", s->name);
	if (n)
		memcpy(s->amount, sqlite3_column_blob(q.s, 10), (size_t)n);
	if (sqlite3_column_type(q.s, 8) == SQLITE_NULL)
		return 0;
	s->reason = strdup((const char *)sqlite3_column_text(q.s, 8));
	return s->reason ? 0 : fail(e, ENOMEM, "out of memory");
}

static int get_labels(struct state *st, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_LABEL_EACH);
	int r;

	s->labels = calloc(OSH_LABELS, sizeof(*s->labels));
	if (!s->labels)
		return fail(e, ENOMEM, "out of memory");
	q_int(&q, (int64_t)s->key);
	while ((r = q_next(&q, e)) > 0 && s->n_labels < OSH_LABELS) {
		struct state_label *l = &s->labels[s->n_labels++];

		l->key = strdup((const char *)sqlite3_column_text(q.s, 0));
		l->value = strdup((const char *)sqlite3_column_text(q.s, 1));
		if (!l->key || !l->value)
			return fail(e, ENOMEM, "out of memory");
	}
	return r < 0 ? r : 0;
}

static int get_uses(struct state *st, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_USE_EACH);
	int r;

	q_int(&q, (int64_t)s->key);
	while ((r = q_next(&q, e)) > 0 && s->n_volumes < ARRAY_SIZE(s->volumes)) {
		struct state_volume_use *u = &s->volumes[s->n_volumes++];

		row_text(q.s, 0, u->name, sizeof(u->name));
		u->key = (uint64_t)sqlite3_column_int64(q.s, 1);
		row_text(q.s, 2, u->path, sizeof(u->path));
		u->read_only = sqlite3_column_int64(q.s, 3) != 0;
	}
	return r < 0 ? r : 0;
}

static int get_command(struct state *st, struct state_sandbox *s, struct err *e)
{
	_query_ struct query q = query(st, SQL_COMMAND_HEAD);
	int r;

	q_int(&q, (int64_t)s->key);
	r = q_next(&q, e);
	if (r <= 0)
		return r;
	if (sqlite3_column_bytes(q.s, 0) != sizeof(s->spec_head))
		return fail(e, EPROTO, "the command of '%s' was kept by another version of osh: delete the sandbox "
			    "and create it again", s->name);
	memcpy(&s->spec_head, sqlite3_column_blob(q.s, 0), sizeof(s->spec_head));
	s->spec_len = (size_t)sqlite3_column_int64(q.s, 1);
	return 0;
}

static int get(struct state *st, uint64_t key, struct state_sandbox *s, struct err *e)
{
	int r = get_row(st, key, s, e);

	if (!r)
		r = get_labels(st, s, e);
	if (!r)
		r = get_uses(st, s, e);
	if (!r)
		r = provider_uses(st, s, e);
	if (!r)
		r = get_command(st, s, e);
	if (r < 0)
		state_sandbox_done(s);
	return r;
}

int state_find(struct state *st, const char *name, struct state_sandbox *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_KEY);
	int64_t key = 0;
	int r;

	q_text(&q, name);
	r = q_one(&q, &key, e);
	if (r == -ENOENT)
		return fail(e, ENOENT, "no sandbox is called '%.*s'", OSH_SANDBOX_NAME, name);
	*ret = (struct state_sandbox){ 0 };
	return r ? r : get(st, (uint64_t)key, ret, e);
}

/* Keys first: what fn does may not meet a statement under way. */
static int all_keys(struct state *st, uint64_t **ret, size_t *ret_n, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_KEYS);
	_free_ uint64_t *keys = NULL;
	size_t n = 0, room = 0;
	int r;

	while ((r = q_next(&q, e)) > 0) {
		if (n == room) {
			uint64_t *more = reallocarray(keys, room = room * 2 + 16, sizeof(*keys));

			if (!more)
				return fail(e, ENOMEM, "out of memory");
			keys = more;
		}
		keys[n++] = (uint64_t)sqlite3_column_int64(q.s, 0);
	}
	*ret = take_ptr(&keys);
	*ret_n = n;
	return r;
}

int state_each(struct state *st, int (*fn)(void *data, const struct state_sandbox *s), void *data, struct err *e)
{
	_free_ uint64_t *keys = NULL;
	size_t n = 0;
	int r = all_keys(st, &keys, &n, e);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct state_sandbox s = { 0 };

		r = get(st, keys[i], &s, e);
		if (r == -ENOENT)
			r = 0;		/* fn deleted it */
		else if (r >= 0)
			r = fn(data, &s);
		state_sandbox_done(&s);
	}
	return r < 0 ? r : 0;
}

int state_command_open(struct state *st, uint64_t key, int *ret_fd, struct err *e)
{
	_query_ struct query q = query(st, SQL_COMMAND_GET);
	int r;

	q_int(&q, (int64_t)key);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "it has no command of its own");
	return blob_memfd("osh-spec", sqlite3_column_blob(q.s, 0), (size_t)sqlite3_column_bytes(q.s, 0), ret_fd, e);
}

/* A change of one row by its key: no such row is an error too. */
static int changed(struct state *st, int r, struct err *e)
{
	return r || sqlite3_changes(st->db) ? r : fail(e, ENOENT, "no such sandbox");
}

int state_wanted(struct state *st, uint64_t key, bool wanted, int exit_status, const char *reason, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_WANTED);
	char text[REASON];

	if (reason)
		snprintf(text, sizeof(text), "%s", reason);
	q_int(&q, wanted);
	q_int(&q, exit_status);
	q_text(&q, reason ? text : NULL);
	q_int(&q, (int64_t)key);
	return changed(st, q_run(&q, e), e);
}

int state_label(struct state *st, uint64_t key, const struct state_label *set, size_t n_set,
		char *const *remove, size_t n_remove, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, change_labels(st, key, set, n_set, remove, n_remove, e), e);
}

static int delete(struct state *st, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_SANDBOX_DELETE);
	int r;

	q_int(&q, (int64_t)key);
	r = changed(st, q_run(&q, e), e);
	if (!r)
		r = trash_add(st, STATE_HOME, key, e);
	if (!r)
		r = state_count_drop(st, (int64_t)key, e);
	if (!r)
		r = state_choice_drop(st, (int64_t)key, e);
	return r ? r : blob_sweep(st, e);
}

int state_delete(struct state *st, uint64_t key, struct err *e)
{
	int r = db_begin(st, e);

	if (!r)
		r = db_end(st, delete(st, key, e), e);
	if (!r)
		db_shrink(st);
	return r;
}
