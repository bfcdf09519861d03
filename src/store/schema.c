/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schema, and how an older one becomes it: migrations[i] leads from version i to i + 1, each in one
 * transaction. The columns of calls and attempts follow cdr/fields.def: what a database lacks is
 * added at every start, so a new field needs no migration.
 *
 *   meta      what the database knows of itself: version
 *   objects   the configuration, one row an object; body is JSON as in the API, secrets included
 *   audit     who changed what when
 *   calls     one row a call; call ids grow with time, so the key is the order of lists
 *   attempts  one row an attempt
 *   contacts  where registered phones and gateways can be reached
 *   search    (kind, value, call id) of what people search by. One index of short rows instead of a
 *             dozen over wide ones, and a number is found in any of its forms
 *   blacklist what operators put on the dynamic blacklist; until 0 = for good */
#include "store/store_int.h"

#include <stdio.h>

static const char *const migrations[] = {
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE objects(kind TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL, "
	"body TEXT NOT NULL,"
	" PRIMARY KEY(kind, name)) WITHOUT ROWID;"
	"CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what "
	"TEXT NOT NULL, detail TEXT);"
	"CREATE TABLE calls(call_id INTEGER PRIMARY KEY);"
	"CREATE TABLE attempts(call_id INTEGER NOT NULL, attempt INTEGER NOT NULL);"
	"CREATE UNIQUE INDEX attempts_key ON attempts(call_id, attempt);"
	"CREATE TABLE search(kind INTEGER NOT NULL, value TEXT NOT NULL, call_id INTEGER NOT NULL,"
	" PRIMARY KEY(kind, value, call_id)) WITHOUT ROWID;",

	"CREATE TABLE blacklist(callee INTEGER NOT NULL, number TEXT NOT NULL, since INTEGER NOT "
	"NULL, until INTEGER NOT NULL,"
	" PRIMARY KEY(callee, number)) WITHOUT ROWID;",

	"CREATE TABLE contacts(kind TEXT NOT NULL, name TEXT NOT NULL, contact TEXT NOT NULL,"
	" path TEXT, transport TEXT, source TEXT, local TEXT, user_agent TEXT, call_id TEXT,"
	" cseq INTEGER, q INTEGER, natted INTEGER, registered INTEGER, expires INTEGER,"
	" PRIMARY KEY(kind, name, contact)) WITHOUT ROWID;",

	/* Without rowids the search for one object reads every body that it passes, and those may be megabytes. */
	"CREATE TABLE objects_by_row(kind TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT "
	"NULL, body TEXT NOT NULL, UNIQUE(kind, name));"
	"INSERT INTO objects_by_row SELECT kind, name, position, body FROM objects;"
	"DROP TABLE objects;"
	"ALTER TABLE objects_by_row RENAME TO objects;",
};
_Static_assert(ARRAY_SIZE(migrations) == STORE_VERSION, "one migration a version");

static bool has_column(sqlite3 *db, const char *table, const char *column)
{
	return sqlite3_table_column_metadata(db, NULL, table, column, NULL, NULL, NULL, NULL,
					     NULL) == SQLITE_OK;
}

static int add_columns(sqlite3 *db, const char *table, enum cdr_kind kind)
{
	char sql[200];
	int err = 0;

	for (size_t i = 0; i < cdr_field_count && !err; i++) {
		const struct cdr_field_info *field = &cdr_fields[i];

		if (!store_has(kind, field) || has_column(db, table, field->name))
			continue;
		snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s %s", table, field->name,
			 field->type == CDR_TYPE_TEXT ? "TEXT" : "INTEGER");
		err = store_exec(db, sql);
	}
	return err;
}

static int migrate_from(struct store *store, int64_t version)
{
	char sql[120];
	int err = store_begin(store);

	if (err)
		return err;
	err = store_exec(store->write, migrations[version]);
	if (!err) {
		snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO meta VALUES('version', '%d')",
			 (int)version + 1);
		err = store_exec(store->write, sql);
	}
	return store_end(store, err);
}

int store_migrate(struct store *store, char *why, size_t why_size)
{
	int64_t version = 0;
	int err = 0;

	if (has_column(store->write, "meta", "value"))
		version = store_number(
			store->write,
			"SELECT CAST(value AS INTEGER) FROM meta WHERE name='version'", 0);
	if (version > STORE_VERSION) {
		snprintf(why, why_size,
			 "the database %s has schema version %lld, this causewayd knows %d: start "
			 "the newer version, "
			 "or restore a backup made by this one",
			 store->path, (long long)version, STORE_VERSION);
		return -EPROTONOSUPPORT;
	}
	for (; version < STORE_VERSION && !err; version++)
		err = migrate_from(store, version);
	if (!err)
		err = store_begin(store);
	if (!err) {
		err = add_columns(store->write, "calls", CDR_END);
		if (!err)
			err = add_columns(store->write, "attempts", CDR_ATTEMPT);
		err = store_end(store, err);
	}
	if (err)
		snprintf(why, why_size,
			 "cannot bring the database %s to schema version %d: %s: it is unchanged; "
			 "check disk and folder",
			 store->path, STORE_VERSION, strerror(-err));
	return err;
}
