/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the database, and running statements on it. The file is root's own; it is still opened as if
 * it were not: no extensions, no views or triggers, nothing that its schema could make run. Locking is
 * exclusive, so the index of the WAL is in memory and a full disk is an error, never a SIGBUS.
 */
#include "db.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

#define DB "osh.db"
#define APPLICATION 0x6f736831		/* "osh1" */
#define DAMAGED "docs/state.md says how to restore a backup; sandboxes that run stay enforced"
#define FREE_PAGES 2048			/* fewer are kept for what comes next */
#define LENGTH_MAX ((int)OSH_BUNDLE_BYTES + 65536)	/* of a value, and of a row */

static const char *const sql[SQL_MAX] = {
#define STMT(id, text) text,
#include "sql.def"
#undef STMT
};

int db_fail(struct state *st, int rc, struct err *e)
{
	const char *why = sqlite3_errmsg(st->db);

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return fail(e, ENOSPC, "the disk of '%.100s' is full; nothing was changed: free some space and "
			    "try again", st->dir);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail(e, EUCLEAN, "'%.60s/" DB "' is damaged (%.40s): " DAMAGED, st->dir, why);
	case SQLITE_BUSY:
		return fail(e, EBUSY, "another process uses '%.100s/" DB "'", st->dir);
	case SQLITE_CONSTRAINT:
		return fail(e, EEXIST, "'%.100s/" DB "': %s", st->dir, why);
	case SQLITE_TOOBIG:
		return fail(e, E2BIG, "'%.100s/" DB "': %s", st->dir, why);
	case SQLITE_NOMEM:
		return fail(e, ENOMEM, "out of memory");
	default:
		return fail(e, EIO, "'%.100s/" DB "': %s; nothing was changed", st->dir, why);
	}
}

struct query query(struct state *st, enum stmt id)
{
	struct query q = { .st = st };

	if (!st->stmts[id])
		q.rc = sqlite3_prepare_v3(st->db, sql[id], -1, SQLITE_PREPARE_PERSISTENT, &st->stmts[id], NULL);
	q.s = st->stmts[id];
	return q;
}

static void bound(struct query *q, int rc)
{
	if (!q->rc)
		q->rc = rc;
}

void q_int(struct query *q, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->s, ++q->n, v));
}

void q_text(struct query *q, const char *s)
{
	bound(q, sqlite3_bind_text(q->s, ++q->n, s, -1, SQLITE_STATIC));
}

void q_blob(struct query *q, const void *p, size_t n)
{
	bound(q, n ? sqlite3_bind_blob64(q->s, ++q->n, p, n, SQLITE_STATIC) : sqlite3_bind_zeroblob(q->s, ++q->n, 0));
}

int q_next(struct query *q, struct err *e)
{
	int rc = q->rc ? q->rc : sqlite3_step(q->s);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_fail(q->st, rc, e);
}

void q_end(struct query *q)
{
	if (!q->s)
		return;
	sqlite3_reset(q->s);
	sqlite3_clear_bindings(q->s);
}

int q_run(struct query *q, struct err *e)
{
	int r = q_next(q, e);

	q_end(q);
	return r < 0 ? r : 0;
}

int q_one(struct query *q, int64_t *ret, struct err *e)
{
	int r = q_next(q, e);

	if (r > 0 && sqlite3_column_type(q->s, 0) == SQLITE_NULL)
		r = 0;
	if (r > 0)
		*ret = sqlite3_column_int64(q->s, 0);
	q_end(q);
	return r < 0 ? r : r ? 0 : fail(e, ENOENT, "no such row");
}

static int run(struct state *st, enum stmt id, struct err *e)
{
	struct query q = query(st, id);

	return q_run(&q, e);
}

int db_begin(struct state *st, struct err *e)
{
	return run(st, SQL_BEGIN, e);
}

int db_end(struct state *st, int r, struct err *e)
{
	if (!r)
		r = run(st, SQL_COMMIT, e);
	if (r && !sqlite3_get_autocommit(st->db))	/* a full disk may have rolled back already */
		(void)run(st, SQL_ROLLBACK, &(struct err){ 0 });
	return r;
}

int db_exec(struct state *st, const char *text, struct err *e)
{
	int rc = sqlite3_exec(st->db, text, NULL, NULL, NULL);

	return rc ? db_fail(st, rc, e) : 0;
}

int db_number(struct state *st, const char *text, int64_t *ret, struct err *e)
{
	struct query q = { .st = st };
	int r;

	q.rc = sqlite3_prepare_v2(st->db, text, -1, &q.s, NULL);
	r = q_one(&q, ret, e);
	sqlite3_finalize(q.s);
	return r;
}

/* A part each time: it is written like any change. Where that fails, the pages stay free. */
void db_shrink(struct state *st)
{
	int64_t pages = 0;

	if (!db_number(st, "PRAGMA freelist_count", &pages, NULL) && pages > FREE_PAGES)
		(void)db_exec(st, "PRAGMA incremental_vacuum(4096)", NULL);
}

/* Whoever can write the directory is root by it, and whoever can read the file knows every policy. */
static int open_dir(struct state *st, const char *dir, struct err *e)
{
	char real[PATH_MAX];
	struct stat s;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "make '%s': %s", dir, strerror(errno));
	if (!realpath(dir, real) || strlen(real) >= sizeof(st->dir))
		return fail(e, errno ? errno : ENAMETOOLONG, "state directory '%s': %s", dir, strerror(errno));
	strcpy(st->dir, real);
	st->dir_fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (st->dir_fd < 0 || fstat(st->dir_fd, &s) < 0)
		return fail(e, errno, "open '%s': %s", real, strerror(errno));
	if (s.st_uid != geteuid() || (s.st_mode & 022))
		return fail(e, EPERM, "state directory '%s': must be root's, and nobody else's to write", real);
	return 0;
}

/* The modes of SQLite's other files follow that of this one. */
static int open_file(struct state *st, struct err *e)
{
	_close_ int fd = openat(st->dir_fd, DB, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat s;

	if (fd < 0 || fstat(fd, &s) < 0)
		return fail(e, errno, "open '%s/" DB "': %s", st->dir, strerror(errno));
	if (!S_ISREG(s.st_mode) || s.st_uid != geteuid() || s.st_nlink != 1 || (s.st_mode & 077))
		return fail(e, EPERM, "'%s/" DB "': must be a file of root's that nobody else can open (mode 0600)",
			    st->dir);
	return fsync(st->dir_fd) < 0 ? fail(e, errno, "sync '%s': %s", st->dir, strerror(errno)) : 0;
}

static int harden(struct state *st, struct err *e)
{
	static const struct {
		int what, on;
	} configs[] = {
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 }, { SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },	      { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },	      { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },		      { SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		/* One that is refused is left as it was found. */
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};
	static const struct {
		int what, most;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, LENGTH_MAX },	{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },	{ SQLITE_LIMIT_SQL_LENGTH, 16384 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 16 },	{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		int now = -1, rc = sqlite3_db_config(st->db, configs[i].what, configs[i].on, &now);

		if (rc || now != configs[i].on)
			return fail(e, ENOTSUP, "SQLite %s does not know setting %d", sqlite3_libversion(),
				    configs[i].what);
	}
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		sqlite3_limit(st->db, limits[i].what, limits[i].most);
	return db_exec(st, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
			   "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST", e);
}

/* Whose file it is, before a byte of it is written. */
static int recognise(struct state *st, struct err *e)
{
	int64_t application = 0, version = 0, tables = 0;
	int r = db_number(st, "PRAGMA application_id", &application, e);

	if (!r)
		r = db_number(st, "PRAGMA user_version", &version, e);
	if (!r)
		r = db_number(st, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (r < 0)
		return r;
	if (version > STATE_SCHEMA)
		return fail(e, ENOTSUP, "'%.100s/" DB "' has schema %lld, this oshd knows %d: start the newer oshd "
			    "that wrote it, or restore a backup of before", st->dir, (long long)version, STATE_SCHEMA);
	if (application != APPLICATION && (application || version || tables))
		return fail(e, EUCLEAN, "'%.60s/" DB "' is no database of osh's: " DAMAGED, st->dir);
	return 0;
}

static int check(struct state *st, struct err *e)
{
	struct query q = { .st = st };
	int r;

	q.rc = sqlite3_prepare_v2(st->db, "PRAGMA quick_check(1)", -1, &q.s, NULL);
	r = q_next(&q, e);
	if (r > 0 && strcmp((const char *)sqlite3_column_text(q.s, 0), "ok"))
		r = fail(e, EUCLEAN, "'%.60s/" DB "' is damaged (%.40s): " DAMAGED, st->dir,
			 (const char *)sqlite3_column_text(q.s, 0));
	sqlite3_finalize(q.s);
	return r < 0 ? r : 0;
}

/* Nothing is written to a file that is there already: it must open on a full disk, too. */
static int journal(struct state *st, struct err *e)
{
	int64_t application = 0;
	char text[128];
	int r = db_number(st, "PRAGMA application_id", &application, e);

	/* Before a new file's first page. */
	if (!r && application != APPLICATION)
		r = db_exec(st, "PRAGMA auto_vacuum = INCREMENTAL", e);
	/* The WAL keeps its length: what deletes has room. */
	if (!r)
		r = db_exec(st, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				"PRAGMA journal_size_limit = 4194304", e);
	snprintf(text, sizeof(text), "PRAGMA application_id = %d", APPLICATION);
	return r || application == APPLICATION ? r : db_exec(st, text, e);
}

static int open_db(struct state *st, const char *dir, struct err *e)
{
	char path[sizeof(st->dir) + 8];
	int r = open_dir(st, dir, e), rc;

	if (!r)
		r = open_file(st, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/" DB, st->dir);
	rc = sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE |
			     SQLITE_OPEN_NOMUTEX, "unix");
	if (rc)
		return db_fail(st, rc, e);
	r = harden(st, e);
	if (!r)
		r = recognise(st, e);
	if (!r)
		r = check(st, e);
	if (!r)
		r = journal(st, e);
	if (!r)
		r = schema_migrate(st, e);
	if (!r)
		sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return r;
}

int state_open(struct state **ret, const char *dir, struct err *e)
{
	struct state *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return fail(e, ENOMEM, "out of memory");
	st->dir_fd = -1;
	r = open_db(st, dir, e);
	if (r < 0)
		state_close(st);
	else
		*ret = st;
	return r;
}

int state_dir(const struct state *st)
{
	return st->dir_fd;
}

void state_close(struct state *st)
{
	if (!st)
		return;
	if (st->backup > 0) {
		kill(st->backup, SIGKILL);
		(void)state_backup_end(st, NULL);
	}
	for (size_t i = 0; i < SQL_MAX; i++)
		sqlite3_finalize(st->stmts[i]);
	sqlite3_close(st->db);
	own_close(&st->dir_fd);
	free(st);
}
