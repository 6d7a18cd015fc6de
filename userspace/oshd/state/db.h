/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one connection to the state database, for the files of this directory alone. A query binds its
 * values in order; what goes wrong while binding is told when it runs.
 */
#pragma once

#include <sqlite3.h>

#include "state.h"

enum stmt {
#define STMT(id, sql) SQL_##id,
#include "sql.def"
#undef STMT
	SQL_MAX
};

struct state {
	sqlite3 *db;
	char dir[256];			/* absolute, without symlinks */
	int dir_fd;
	pid_t backup;			/* the child that writes one, 0 = none */
	sqlite3_stmt *stmts[SQL_MAX];
};

struct query {
	struct state *st;
	sqlite3_stmt *s;		/* sqlite3_column_*() reads a row from it */
	int rc;				/* first thing that went wrong */
	int n;				/* values bound */
};

struct query query(struct state *st, enum stmt id);
void q_int(struct query *q, int64_t v);
void q_text(struct query *q, const char *s);		/* NULL = null; must live until it ran, as blobs */
void q_blob(struct query *q, const void *p, size_t n);
int q_next(struct query *q, struct err *e);		/* 1 = a row, 0 = no more, or -errno */
int q_run(struct query *q, struct err *e);		/* one without rows */
int q_one(struct query *q, int64_t *ret, struct err *e);	/* first column of the first row; -ENOENT (null too) */
void q_end(struct query *q);
#define _query_ __attribute__((cleanup(q_end)))

int db_begin(struct state *st, struct err *e);
int db_end(struct state *st, int r, struct err *e);	/* commits when r is 0, else rolls back; gives r or why not */
int db_exec(struct state *st, const char *sql, struct err *e);
int db_number(struct state *st, const char *sql, int64_t *ret, struct err *e);	/* its one answer */
void db_shrink(struct state *st);	/* gives free pages back, where they are many; outside of a transaction */
int db_fail(struct state *st, int rc, struct err *e);	/* SQLite's code as -errno, with what to do */

int schema_migrate(struct state *st, struct err *e);
