/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy revisions of created sandboxes. Numbers only grow, and a rollback is a new revision: the one in
 * force is the newest.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bundle.h"
#include "hash.h"
#include "own.h"
#include "rows.h"

/* A policy's text as the caller gave it: bytes, never read here. Sealed, so it can neither change nor shrink. */
struct source {
	void *p;
	size_t n;
};

static void source_done(struct source *s)
{
	if (s->p)
		munmap(s->p, s->n);
	s->p = NULL;
}

static int source_map(struct source *s, int fd, struct err *e)
{
	const int want = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & want) != want)
		return fail(e, EINVAL, "the policy's text must come in a sealed memfd");
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "the policy's text: %s", strerror(errno));
	if (st.st_size > OSH_POLICY_BYTES)
		return fail(e, E2BIG, "the policy's text has %lld bytes, no more than %u", (long long)st.st_size,
			    OSH_POLICY_BYTES);
	if (!st.st_size)
		return 0;
	s->n = (size_t)st.st_size;
	s->p = mmap(NULL, s->n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (s->p == MAP_FAILED) {
		s->p = NULL;
		return fail(e, errno, "map the policy's text: %s", strerror(errno));
	}
	return 0;
}

static int add_row(struct state *st, uint64_t key, uint32_t revision, const struct bundle *b, int64_t bundle,
		   int64_t source, uid_t by, uint32_t from, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_ADD);
	char hash[2 * HASH_LEN + 1];

	hash_hex(b->header->policy_hash, hash);
	q_int(&q, (int64_t)key);
	q_int(&q, revision);
	q_int(&q, (int64_t)row_time(0));
	q_int(&q, by);
	q_int(&q, from);
	q_text(&q, hash);
	q_int(&q, bundle);
	if (source)
		q_int(&q, source);
	else
		q_text(&q, NULL);
	return q_run(&q, e);
}

int policy_add(struct state *st, uint64_t key, uint32_t revision, int bundle_fd, int source_fd, uid_t by,
	       uint32_t from, struct err *e)
{
	__attribute__((cleanup(bundle_done))) struct bundle b = { 0 };
	__attribute__((cleanup(source_done))) struct source s = { 0 };
	int64_t bundle = 0, source = 0;
	int r = bundle_open_fd(&b, bundle_fd, e);

	if (!r && source_fd >= 0)
		r = source_map(&s, source_fd, e);
	if (!r)
		r = blob_put(st, b.map, b.size, &bundle, e);
	if (!r && source_fd >= 0)
		r = blob_put(st, s.p ? s.p : "", s.n, &source, e);
	return r ? r : add_row(st, key, revision, &b, bundle, source, by, from, e);
}

/* The disk is everybody's. A policy that several of an owner's sandboxes have is kept, and counted, once. */
int policy_check_bytes(struct state *st, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_BYTES);
	int64_t n = 0;
	int r;

	q_int(&q, (int64_t)key);
	r = q_one(&q, &n, e);
	if (r < 0 || n <= (int64_t)OSH_POLICIES_EACH)
		return r;
	return fail(e, EDQUOT, "the policies and commands of this user's sandboxes would take %lld MiB, no more than %u: "
		    "delete a sandbox first", (long long)n >> 20, OSH_POLICIES_EACH >> 20);
}

static int next_number(struct state *st, uint64_t key, uint32_t *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_NEXT);
	int64_t n = 0;
	int r;

	q_int(&q, (int64_t)key);
	r = q_one(&q, &n, e);
	if (r == -ENOENT)
		return fail(e, ENOENT, "no such sandbox");
	if (!r && n >= UINT32_MAX)
		return fail(e, EOVERFLOW, "policy revisions are used up");
	*ret = (uint32_t)n;
	return r;
}

static int set_in_force(struct state *st, uint64_t key, uint32_t revision, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_FORCE);
	int r;

	q_int(&q, (int64_t)key);
	q_int(&q, revision);
	r = q_run(&q, e);
	return r || sqlite3_changes(st->db) ? r : fail(e, ENOENT, "there is no revision %u", revision);
}

static int prune(struct state *st, uint64_t key, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_PRUNE);
	int r;

	q_int(&q, (int64_t)key);
	q_int(&q, OSH_REVISIONS);
	r = q_run(&q, e);
	return r ? r : blob_sweep(st, e);
}

static int add(struct state *st, uint64_t key, int bundle_fd, int source_fd, uid_t by, uint32_t from,
	       uint32_t *ret_revision, struct err *e)
{
	int r = next_number(st, key, ret_revision, e);

	if (!r)
		r = policy_add(st, key, *ret_revision, bundle_fd, source_fd, by, from, e);
	if (!r)
		r = set_in_force(st, key, *ret_revision, e);
	if (!r)
		r = prune(st, key, e);
	return r ? r : policy_check_bytes(st, key, e);
}

int state_policy_add(struct state *st, uint64_t key, int bundle_fd, int source_fd, uid_t by, uint32_t from,
		     uint32_t *ret_revision, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, add(st, key, bundle_fd, source_fd, by, from, ret_revision, e), e);
}

static int cut(struct state *st, uint64_t key, uint32_t revision, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_CUT);
	int r = set_in_force(st, key, revision, e);

	q_int(&q, (int64_t)key);
	q_int(&q, revision);
	if (!r)
		r = q_run(&q, e);
	return r ? r : blob_sweep(st, e);
}

int state_policy_cut(struct state *st, uint64_t key, uint32_t revision, struct err *e)
{
	int r = db_begin(st, e);

	return r ? r : db_end(st, cut(st, key, revision, e), e);
}

static int in_force(struct state *st, uint64_t key, int64_t *ret, struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_IN_FORCE);

	q_int(&q, (int64_t)key);
	return q_one(&q, ret, e);
}

/* The newest revision with this bundle: the one in force, where that has it. */
static int revision_of(struct state *st, uint64_t key, int bundle_fd, int64_t *ret, struct err *e)
{
	__attribute__((cleanup(bundle_done))) struct bundle b = { 0 };
	_query_ struct query q = query(st, SQL_POLICY_OF_BLOB);
	uint8_t hash[HASH_LEN];
	int r = bundle_open_fd(&b, bundle_fd, e);

	if (!r)
		r = hash_bytes(b.map, b.size, hash);
	if (r < 0)
		return r;
	q_int(&q, (int64_t)key);
	q_blob(&q, hash, sizeof(hash));
	r = q_one(&q, ret, e);
	return r == -ENOENT ? fail(e, ENOENT, "the policy that is enforced is none of its revisions") : r;
}

int state_policy_settle(struct state *st, uint64_t key, int bundle_fd, struct err *e)
{
	int64_t revision = 0, now = 0;
	int r = revision_of(st, key, bundle_fd, &revision, e);

	if (!r)
		r = in_force(st, key, &now, e);
	return r || revision == now ? r : state_policy_cut(st, key, (uint32_t)revision, e);
}

int state_policy_each(struct state *st, uint64_t key, int (*fn)(void *, const struct state_revision *), void *data,
		      struct err *e)
{
	struct state_revision all[OSH_REVISIONS];
	size_t n = 0;
	_query_ struct query q = query(st, SQL_POLICY_EACH);
	int r;

	q_int(&q, (int64_t)key);
	while ((r = q_next(&q, e)) > 0 && n < ARRAY_SIZE(all)) {
		struct state_revision *v = &all[n++];

		*v = (struct state_revision){ .revision = (uint32_t)sqlite3_column_int64(q.s, 0),
					      .time_us = (uint64_t)sqlite3_column_int64(q.s, 1),
					      .uid = (uid_t)sqlite3_column_int64(q.s, 2),
					      .from = (uint32_t)sqlite3_column_int64(q.s, 3) };
		row_text(q.s, 4, v->hash, sizeof(v->hash));
	}
	q_end(&q);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = fn(data, &all[i]);
	return r < 0 ? r : 0;
}

int state_policy_open(struct state *st, uint64_t key, uint32_t revision, int *ret_bundle, int *ret_source,
		      struct err *e)
{
	_query_ struct query q = query(st, SQL_POLICY_GET);
	_close_ int bundle = -1, source = -1;
	int r;

	q_int(&q, (int64_t)key);
	q_int(&q, revision);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, ENOENT, "there is no revision %u", revision);
	r = ret_bundle ? blob_open(st, sqlite3_column_int64(q.s, 0), "osh-bundle", &bundle, e) : 0;
	if (!r && ret_source && sqlite3_column_type(q.s, 1) != SQLITE_NULL)
		r = blob_open(st, sqlite3_column_int64(q.s, 1), "osh-policy", &source, e);
	if (r < 0)
		return r;
	if (ret_bundle)
		*ret_bundle = take_fd(&bundle);
	if (ret_source)
		*ret_source = take_fd(&source);
	return 0;
}
