/* SPDX-License-Identifier: Apache-2.0 */
/* A state database in a directory of its own, for the tests of what it keeps and of the file itself. Included by one program each. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/state/state.h"
#include "bundle.h"
#include "own.h"
#include "../tools/policy_fd.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

struct fixture {
	char dir[64];
	struct state *st;
};

static inline void open_state(struct fixture *f)
{
	struct err e = { 0 };

	if (state_open(&f->st, f->dir, &e) < 0)
		fail_msg("state_open: %s", e.text);
}

static inline void again(struct fixture *f)
{
	state_close(f->st);
	f->st = NULL;
	open_state(f);
}

static inline int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/osh-state-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_state(f);
	*data = f;
	return 0;
}

static inline void path_of(const struct fixture *f, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", f->dir, name);
}

static inline void remove_all(struct fixture *f)
{
	struct dirent *d;
	DIR *dir = opendir(f->dir);

	state_close(f->st);
	while ((d = readdir(dir)))
		(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(f->dir), 0);
}

static inline int teardown(void **data)
{
	remove_all(*data);
	free(*data);
	return 0;
}

static inline struct state_sandbox some(const char *name, uid_t uid)
{
	struct state_sandbox s = { .uid = uid, .gid = uid, .workdir = "/home/u/work", .wanted = true };

	snprintf(s.name, sizeof(s.name), "%s", name);
	return s;
}

static inline int create(struct fixture *f, struct state_sandbox *s, unsigned n, struct err *e)
{
	_close_ int bundle = -1, source = -1;

	policy_fds(n, &bundle, &source);
	return state_create(f->st, s, bundle, source, e);
}

static inline uint64_t created(struct fixture *f, const char *name, uid_t uid)
{
	struct state_sandbox s = some(name, uid);
	struct err e = { 0 };

	if (create(f, &s, 1, &e) < 0)
		fail_msg("create %s: %s", name, e.text);
	return s.key;
}

static inline int count_one(void *data, const struct state_sandbox *s)
{
	(void)s;
	++*(unsigned *)data;
	return 0;
}

static inline unsigned count(struct fixture *f)
{
	unsigned n = 0;

	assert_int_equal(state_each(f->st, count_one, &n, NULL), 0);
	return n;
}

/* A number out of the file, past the program. */
static inline int64_t ask(const struct fixture *f, const char *sql)
{
	char path[128];
	sqlite3_stmt *s;
	sqlite3 *db;
	int64_t v;

	path_of(f, "osh.db", path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return v;
}

static inline void tell(const struct fixture *f, const char *sql)
{
	char path[128], *why = NULL;
	sqlite3 *db;

	path_of(f, "osh.db", path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static inline uint32_t in_force(struct fixture *f, const char *name)
{
	struct state_sandbox got;
	uint32_t r;

	assert_int_equal(state_find(f->st, name, &got, NULL), 0);
	r = got.revision;
	state_sandbox_done(&got);
	return r;
}
