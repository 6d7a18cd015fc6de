/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step N makes schema N out of N - 1; a new database takes all of them. Each is one transaction with its
 * number in it: killed in between, the next start goes on from there. A step that was released is never
 * edited; a change is another step, a new STATE_SCHEMA, and a row in tests/unit/test_state.c.
 */
#include "db.h"

#include "own.h"

static const char step_1[] =
	/* Sizes are the program's to check (state/sandbox.c): a limit may change without a migration. */
	"CREATE TABLE sandbox ("
	"	key INTEGER PRIMARY KEY AUTOINCREMENT,"		/* never reused: it names a directory */
	"	name TEXT NOT NULL UNIQUE,"
	"	uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
	"	groups BLOB NOT NULL,"				/* uint32_t each */
	"	workdir TEXT NOT NULL,"
	"	created INTEGER NOT NULL,"			/* microseconds, CLOCK_REALTIME */
	"	wanted INTEGER NOT NULL,"
	"	exit_status INTEGER NOT NULL DEFAULT -1,"
	"	reason TEXT,"
	"	revision INTEGER NOT NULL"			/* in force */
	") STRICT;"
	"CREATE INDEX sandbox_uid ON sandbox (uid);"
	"CREATE TABLE command ("
	"	sandbox INTEGER PRIMARY KEY REFERENCES sandbox ON DELETE CASCADE,"
	"	head BLOB NOT NULL,"				/* struct osh_msg_init_spec */
	"	spec BLOB NOT NULL"
	") STRICT;"
	"CREATE TABLE label ("
	"	sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE,"
	"	name TEXT NOT NULL, value TEXT NOT NULL,"
	"	PRIMARY KEY (sandbox, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE blob ("					/* bundles and policy texts, each kept once */
	"	key INTEGER PRIMARY KEY,"
	"	hash BLOB NOT NULL UNIQUE,"			/* SHA-256 of bytes */
	"	bytes BLOB NOT NULL"
	") STRICT;"
	"CREATE TABLE revision ("
	"	sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE,"
	"	revision INTEGER NOT NULL,"
	"	time INTEGER NOT NULL,"
	"	uid INTEGER NOT NULL,"				/* who set it */
	"	origin INTEGER NOT NULL,"			/* rolled back to that one; 0 = new */
	"	hash TEXT NOT NULL,"				/* of the policy's text, as the audit log names it */
	"	bundle INTEGER NOT NULL REFERENCES blob,"
	"	source INTEGER REFERENCES blob,"
	"	PRIMARY KEY (sandbox, revision)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX revision_bundle ON revision (bundle);"
	"CREATE INDEX revision_source ON revision (source);"
	"CREATE TABLE volume ("
	"	key INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	uid INTEGER NOT NULL, name TEXT NOT NULL,"
	"	UNIQUE (uid, name)"
	") STRICT;"
	"CREATE TABLE volume_use ("
	"	sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE,"
	"	n INTEGER NOT NULL,"				/* as they were given */
	"	volume INTEGER NOT NULL REFERENCES volume,"
	"	path TEXT NOT NULL, read_only INTEGER NOT NULL,"
	"	PRIMARY KEY (sandbox, n)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX volume_use_volume ON volume_use (volume);";

/* Directories of what was deleted, until they are gone: a deletion and its row here are one change. */
static const char step_2[] =
	"CREATE TABLE trash ("
	"	kind INTEGER NOT NULL,"				/* enum state_tree */
	"	key INTEGER NOT NULL,"				/* of the former row */
	"	PRIMARY KEY (kind, key)"
	") STRICT, WITHOUT ROWID;";

/* Credentials as ciphertext: the key is no part of the database (vault.h). */
static const char step_3[] =
	"CREATE TABLE provider ("
	"	key INTEGER PRIMARY KEY,"
	"	uid INTEGER NOT NULL, name TEXT NOT NULL,"
	"	type TEXT NOT NULL, record TEXT NOT NULL,"	/* osh reads neither here */
	"	created INTEGER NOT NULL, rotated INTEGER NOT NULL,"
	"	box BLOB NOT NULL,"				/* struct vault_box */
	"	UNIQUE (uid, name)"
	") STRICT;"
	"CREATE TABLE provider_use ("
	"	sandbox INTEGER NOT NULL REFERENCES sandbox ON DELETE CASCADE,"
	"	provider INTEGER NOT NULL REFERENCES provider,"
	"	placeholder TEXT NOT NULL,"
	"	PRIMARY KEY (sandbox, provider)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX provider_use_provider ON provider_use (provider);";

/* What it may take, over what its policies say: uint64_t each, by enum osh_resource; shorter = the rest is 0. */
static const char step_4[] = "ALTER TABLE sandbox ADD COLUMN amounts BLOB NOT NULL DEFAULT x'';";

/* Of calls of models: how much was used, and when (oshd/count.h). */
static const char step_5[] =
	"CREATE TABLE count ("
	"	uid INTEGER NOT NULL,"
	"	sandbox INTEGER NOT NULL,"			/* key of a created one; less than 0: a run; 0 = all of the user's */
	"	name TEXT NOT NULL,"
	"	until INTEGER NOT NULL,"			/* milliseconds, CLOCK_REALTIME: from then on it counts nothing */
	"	pieces BLOB NOT NULL,"				/* struct count_row */
	"	PRIMARY KEY (uid, sandbox, name)"
	") STRICT, WITHOUT ROWID;";

/* Which route of its policy a sandbox' calls of models go to first: what its owner chose while it ran. */
static const char step_6[] =
	"CREATE TABLE choice ("
	"	sandbox INTEGER PRIMARY KEY,"			/* as in count */
	"	route TEXT NOT NULL, model TEXT NOT NULL,"
	"	time INTEGER NOT NULL, by INTEGER NOT NULL"
	") STRICT;";

/* And with which one a user's sandboxes begin. A choice that is only a copy of that is not kept for the next start. */
static const char step_7[] =
	"CREATE TABLE preset ("
	"	uid INTEGER PRIMARY KEY,"
	"	route TEXT NOT NULL, model TEXT NOT NULL,"
	"	time INTEGER NOT NULL"
	") STRICT;"
	"ALTER TABLE choice ADD COLUMN preset INTEGER NOT NULL DEFAULT 0;";

static const char *const steps[] = { step_1, step_2, step_3, step_4, step_5, step_6, step_7 };

_Static_assert(ARRAY_SIZE(steps) == STATE_SCHEMA, "one step a schema");

static int step(struct state *st, int64_t to, struct err *e)
{
	char version[64];
	int r = db_begin(st, e);

	if (r < 0)
		return r;
	snprintf(version, sizeof(version), "PRAGMA user_version = %lld", (long long)to);
	r = db_exec(st, steps[to - 1], e);
	if (!r)
		r = db_exec(st, version, e);
	return db_end(st, r, e);
}

int schema_migrate(struct state *st, struct err *e)
{
	int64_t now = 0;
	int r = db_number(st, "PRAGMA user_version", &now, e);

	while (!r && now < STATE_SCHEMA)
		r = step(st, ++now, e);
	return r;
}
