/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the state database: backup, older and newer schemas, damage, others' rights, a death right after an answer. */
#include "../../userspace/oshd/state/db.h"
#include "state_rig.h"

static void a_backup_is_a_database(void **data)
{
	struct fixture *f = *data, copy = { 0 };
	char path[128];
	_close_ int fd = -1, shut = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e = { 0 };
	int pidfd;
	pid_t pid;

	created(f, "one", 1000);
	strcpy(copy.dir, "/tmp/osh-state-XXXXXX");
	assert_non_null(mkdtemp(copy.dir));
	path_of(&copy, "osh.db", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(state_backup_start(f->st, fd, &pid, &pidfd, &e), 0);
	assert_int_equal(state_backup_start(f->st, fd, &pid, &pidfd, &e), -EBUSY);
	created(f, "two", 1000);	/* while it is written */
	assert_int_equal(state_backup_end(f->st, &e), 0);
	close(pidfd);
	created(f, "three", 1000);
	open_state(&copy);
	assert_int_equal(count(&copy), 1);
	assert_int_equal(count(f), 3);
	created(&copy, "two", 1000);
	assert_int_equal(state_backup(f->st, shut, &e), -ENOSPC);
	assert_int_equal(state_backup(f->st, fd, &e), 0);
	remove_all(&copy);
}

#define HEAD(n) "PRAGMA application_id = 1869834289; PRAGMA user_version = " #n ";"
#define SCHEMA_1 \
	"CREATE TABLE sandbox (key INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, uid INTEGER NOT NULL," \
	" gid INTEGER NOT NULL, groups BLOB NOT NULL, workdir TEXT NOT NULL, created INTEGER NOT NULL," \
	" wanted INTEGER NOT NULL, exit_status INTEGER NOT NULL DEFAULT -1, reason TEXT, revision INTEGER NOT NULL) STRICT;" \
	"CREATE TABLE command (sandbox INTEGER PRIMARY KEY REFERENCES sandbox ON DELETE CASCADE, head BLOB NOT NULL," \
	" spec BLOB NOT NULL) STRICT;" \
	"CREATE TABLE label (sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE, name TEXT NOT NULL," \
	" value TEXT NOT NULL, PRIMARY KEY (sandbox, name)) STRICT, WITHOUT ROWID;" \
	"CREATE TABLE blob (key INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT;" \
	"CREATE TABLE revision (sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE, revision INTEGER NOT NULL," \
	" time INTEGER NOT NULL, uid INTEGER NOT NULL, origin INTEGER NOT NULL, hash TEXT NOT NULL," \
	" bundle INTEGER NOT NULL REFERENCES blob, source INTEGER REFERENCES blob, PRIMARY KEY (sandbox, revision))" \
	" STRICT, WITHOUT ROWID;" \
	"CREATE TABLE volume (key INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL, name TEXT NOT NULL," \
	" UNIQUE (uid, name)) STRICT;" \
	"CREATE TABLE volume_use (sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE, n INTEGER NOT NULL," \
	" volume INTEGER NOT NULL REFERENCES volume, path TEXT NOT NULL, read_only INTEGER NOT NULL," \
	" PRIMARY KEY (sandbox, n)) STRICT, WITHOUT ROWID;"
#define SCHEMA_3 \
	"CREATE TABLE trash (kind INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;" \
	"CREATE TABLE provider (key INTEGER PRIMARY KEY, uid INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL," \
	" record TEXT NOT NULL, created INTEGER NOT NULL, rotated INTEGER NOT NULL, box BLOB NOT NULL, UNIQUE (uid, name))" \
	" STRICT;" \
	"CREATE TABLE provider_use (sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE," \
	" provider INTEGER NOT NULL REFERENCES provider, placeholder TEXT NOT NULL, PRIMARY KEY (sandbox, provider))" \
	" STRICT, WITHOUT ROWID;"
#define ROWS \
	"INSERT INTO sandbox VALUES (41, 'old', 1000, 1000, x'', '/w', 1, 0, -1, NULL, 1);" \
	"INSERT INTO blob VALUES (1, x'00', x'00');" \
	"INSERT INTO revision VALUES (41, 1, 1, 1000, 0, 'h', 1, NULL)"

#define ROWS_4 \
	"INSERT INTO sandbox VALUES (41, 'old', 1000, 1000, x'', '/w', 1, 0, -1, NULL, 1, x'');" \
	"INSERT INTO blob VALUES (1, x'00', x'00');" \
	"INSERT INTO revision VALUES (41, 1, 1, 1000, 0, 'h', 1, NULL)"

/* As an older osh left it: its schema and rows, told as SQL. A row a schema. */
static const struct {
	int schema;
	const char *sql;
} older[] = {
	{ 0, "PRAGMA journal_mode = WAL" },
	{ 1, HEAD(1) SCHEMA_1 ROWS },
	{ 2, HEAD(2) SCHEMA_1 "CREATE TABLE trash (kind INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (kind, key))"
	     " STRICT, WITHOUT ROWID;" ROWS },
	{ 3, HEAD(3) SCHEMA_1 SCHEMA_3 ROWS },
	{ 4, HEAD(4) SCHEMA_1 SCHEMA_3 "ALTER TABLE sandbox ADD COLUMN amounts BLOB NOT NULL DEFAULT x'';" ROWS_4 },
	{ 5, HEAD(5) SCHEMA_1 SCHEMA_3 "ALTER TABLE sandbox ADD COLUMN amounts BLOB NOT NULL DEFAULT x'';"
	     "CREATE TABLE count (uid INTEGER NOT NULL, sandbox INTEGER NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL,"
	     " pieces BLOB NOT NULL, PRIMARY KEY (uid, sandbox, name)) STRICT, WITHOUT ROWID;" ROWS_4 },
	{ 6, HEAD(6) SCHEMA_1 SCHEMA_3 "ALTER TABLE sandbox ADD COLUMN amounts BLOB NOT NULL DEFAULT x'';"
	     "CREATE TABLE count (uid INTEGER NOT NULL, sandbox INTEGER NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL,"
	     " pieces BLOB NOT NULL, PRIMARY KEY (uid, sandbox, name)) STRICT, WITHOUT ROWID;"
	     "CREATE TABLE choice (sandbox INTEGER PRIMARY KEY, route TEXT NOT NULL, model TEXT NOT NULL, time INTEGER NOT NULL,"
	     " by INTEGER NOT NULL) STRICT; INSERT INTO choice VALUES (41, 'here', '', 1, 1000);" ROWS_4 },
};

_Static_assert(ARRAY_SIZE(older) == STATE_SCHEMA, "every schema before this one");

/* A choice that was made before there were defaults is its sandbox' own. */
static void chosen_still(struct fixture *f, int schema)
{
	struct state_choice got;
	struct err e = { 0 };

	assert_int_equal(state_choice_get(f->st, 41, &got, &e), schema >= 6 ? 0 : -ENOENT);
	assert_false(got.preset);
	assert_string_equal(got.route, schema >= 6 ? "here" : "");
}

static void an_older_schema_is_migrated(void **data)
{
	struct fixture *f = *data;
	struct err e = { 0 };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(older); i++) {
		state_close(f->st);
		f->st = NULL;
		path_of(f, "osh.db", path);
		assert_int_equal(unlink(path), 0);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		tell(f, older[i].sql);
		open_state(f);
		assert_int_equal(count(f), older[i].schema ? 1 : 0);
		assert_true(!older[i].schema || in_force(f, "old") == 1);
		chosen_still(f, older[i].schema);
		assert_int_equal(state_delete(f->st, created(f, "new", 1000), &e), 0);
	}
	state_close(f->st);
	f->st = NULL;
	assert_int_equal(ask(f, "PRAGMA user_version"), STATE_SCHEMA);
	open_state(f);
}

static void refused(struct fixture *f, int code, const char *word)
{
	struct err e = { 0 };

	assert_int_equal(state_open(&f->st, f->dir, &e), -code);
	if (!strstr(e.text, word))
		fail_msg("'%s' lacks '%s'", e.text, word);
	assert_null(f->st);
}

static void a_newer_schema_is_refused(void **data)
{
	struct fixture *f = *data;

	created(f, "one", 1000);
	state_close(f->st);
	f->st = NULL;
	tell(f, "PRAGMA user_version = 1000");
	refused(f, ENOTSUP, "start the newer oshd");
	assert_int_equal(ask(f, "PRAGMA user_version"), 1000);
	tell(f, "PRAGMA user_version = 1; PRAGMA application_id = 7");
	refused(f, EUCLEAN, "no database of osh's");
}

static void a_damaged_file_is_refused_and_kept(void **data)
{
	struct fixture *f = *data;
	char path[128], before[8192], after[8192];
	struct stat st;
	int fd;

	for (int i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%d", i);
		created(f, name, 1000);
	}
	state_close(f->st);
	f->st = NULL;
	path_of(f, "osh.db", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	memset(before, 0xa5, sizeof(before));
	assert_int_equal(pwrite(fd, before, 4096, 4096 * 3), 4096);	/* a page in the middle */
	refused(f, EUCLEAN, "docs/state.md");
	assert_int_equal(pread(fd, after, 4096, 4096 * 3), 4096);
	assert_memory_equal(before, after, 4096);
	assert_int_equal(pwrite(fd, "not a database at all, but long enough", 38, 0), 38);
	refused(f, EUCLEAN, "stay enforced");
	assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
	refused(f, EUCLEAN, "damaged");
	close(fd);
}

static void others_may_not_touch_it(void **data)
{
	struct fixture *f = *data;
	char path[128], link[128];
	struct stat st;

	created(f, "one", 1000);
	path_of(f, "osh.db", path);
	path_of(f, "other", link);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	path_of(f, "osh.db-wal", link);
	assert_int_equal(stat(link, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(f->st);
	f->st = NULL;
	assert_int_equal(chmod(path, 0644), 0);
	refused(f, EPERM, "mode 0600");
	assert_int_equal(chmod(path, 0600), 0);
	path_of(f, "other", link);
	assert_int_equal(rename(path, link), 0);
	assert_int_equal(symlink(link, path), 0);
	refused(f, ELOOP, "open");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(link, path), 0);
	assert_int_equal(chmod(f->dir, 0777), 0);
	refused(f, EPERM, "nobody else's to write");
	assert_int_equal(chmod(f->dir, 0700), 0);
	open_state(f);
	assert_int_equal(count(f), 1);
}

/* Anybody may ask for a list of all rows, and each user may have megabytes of commands in them. */
static void a_row_is_read_without_its_command(void **data)
{
	struct fixture *f = *data;
	struct state_sandbox s = some("one", 1000), got;
	int before = 0, after = 0, high;
	struct err e = { 0 };

	s.spec_len = 4 << 20;
	s.spec = calloc(1, s.spec_len);
	assert_int_equal(create(f, &s, 1, &e), 0);
	free(s.spec);
	again(f);
	assert_int_equal(sqlite3_db_status(f->st->db, SQLITE_DBSTATUS_CACHE_MISS, &before, &high, 0), 0);
	assert_int_equal(state_find(f->st, "one", &got, &e), 0);
	assert_int_equal(got.spec_len, 4 << 20);
	state_sandbox_done(&got);
	assert_int_equal(sqlite3_db_status(f->st->db, SQLITE_DBSTATUS_CACHE_MISS, &after, &high, 0), 0);
	assert_in_range(after - before, 0, 100);	/* pages; the command has a thousand */
}

/* Killed without any farewell: another process opens it, and the locks of the first are gone. */
static void killed_after_the_answer(void **data)
{
	struct fixture *f = *data;
	int status;
	pid_t pid;

	state_close(f->st);
	f->st = NULL;
	pid = fork();
	if (pid == 0) {
		open_state(f);
		created(f, "one", 1000);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_state(f);
	assert_int_equal(count(f), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_backup_is_a_database),
		T(an_older_schema_is_migrated),
		T(a_newer_schema_is_refused),
		T(a_damaged_file_is_refused_and_kept),
		T(others_may_not_touch_it),
		T(a_row_is_read_without_its_command),
		T(killed_after_the_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
