/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles and policy texts by their SHA-256: sandboxes with one policy, and a rollback, share it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hash.h"
#include "own.h"
#include "rows.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int blob_put(struct state *st, const void *p, size_t n, int64_t *ret_key, struct err *e)
{
	uint8_t hash[HASH_LEN];
	_query_ struct query find = query(st, SQL_BLOB_FIND);
	_query_ struct query add = query(st, SQL_BLOB_ADD);
	int r = hash_bytes(p, n, hash);

	if (r < 0)
		return fail(e, -r, "hash a policy: %s", strerror(-r));
	q_blob(&find, hash, sizeof(hash));
	r = q_one(&find, ret_key, e);
	if (r != -ENOENT)
		return r;
	q_blob(&add, hash, sizeof(hash));
	q_blob(&add, p, n);
	r = q_run(&add, e);
	*ret_key = sqlite3_last_insert_rowid(st->db);
	return r;
}

int blob_memfd(const char *name, const void *p, size_t n, int *ret_fd, struct err *e)
{
	_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return fail(e, errno, "memfd: %s", strerror(errno));
	for (size_t at = 0; at < n;) {
		ssize_t w = write(fd, (const char *)p + at, n - at);

		if (w <= 0)
			return fail(e, w ? errno : EIO, "write '%s': %s", name, strerror(w ? errno : EIO));
		at += (size_t)w;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return fail(e, errno, "seal '%s': %s", name, strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

int blob_open(struct state *st, int64_t key, const char *name, int *ret_fd, struct err *e)
{
	_query_ struct query q = query(st, SQL_BLOB_GET);
	int r;

	q_int(&q, key);
	r = q_next(&q, e);
	if (r <= 0)
		return r ? r : fail(e, EUCLEAN, "a policy's text or bundle is missing in the database");
	return blob_memfd(name, sqlite3_column_blob(q.s, 0), (size_t)sqlite3_column_bytes(q.s, 0), ret_fd, e);
}

int blob_sweep(struct state *st, struct err *e)
{
	struct query q = query(st, SQL_BLOB_SWEEP);

	return q_run(&q, e);
}
