/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What operators put on the dynamic blacklist outlives the process; what its rules put there does not. */
#include "store/store_int.h"

#include <stdio.h>

/* The row of a number goes or comes, with who did it. */
static int change(struct store *store, const char *sql, bool callee, const char *number,
		  const uint64_t times[2], const char *who, const char *what)
{
	struct buf detail = BUF_INIT(1024);
	sqlite3_stmt *statement = NULL;
	int err = store_prepare(store->write, sql, &statement);

	if (!err) {
		sqlite3_bind_int(statement, 1, callee);
		sqlite3_bind_text(statement, 2, number, -1, SQLITE_STATIC);
		for (int i = 0; times && i < 2; i++)
			sqlite3_bind_int64(statement, 3 + i, (int64_t)times[i]);
		err = store_step(statement);
	}
	sqlite3_finalize(statement);
	buf_addf(&detail, "{\"%s\":", callee ? "callee" : "caller");
	buf_add_json(&detail, span_of(number));
	buf_add_char(&detail, '}');
	if (!err)
		err = store_audit(store, who && who[0] ? who : "?", what, buf_cstr(&detail));
	buf_free(&detail);
	return err;
}

static int change_whole(struct store *store, const char *sql, bool callee, const char *number,
			const uint64_t times[2], const char *who, const char *what)
{
	int err;

	pthread_mutex_lock(&store->write_lock);
	err = store_begin(store);
	if (!err)
		err = store_end(store, change(store, sql, callee, number, times, who, what));
	pthread_mutex_unlock(&store->write_lock);
	return err;
}

int store_put_blacklist(struct store *store, bool callee, const char *number, uint64_t since_us,
			uint64_t until_us, const char *who)
{
	const uint64_t times[2] = { since_us, until_us };

	return change_whole(
		store,
		"INSERT OR REPLACE INTO blacklist(callee, number, since, until) VALUES(?,?,?,?)",
		callee, number, times, who, "blacklist add");
}

int store_drop_blacklist(struct store *store, bool callee, const char *number, const char *who)
{
	return change_whole(store, "DELETE FROM blacklist WHERE callee=? AND number=?", callee,
			    number, NULL, who, "blacklist remove");
}

static void load_row(struct blacklist *b, sqlite3_stmt *statement)
{
	struct span number = span_of((const char *)sqlite3_column_text(statement, 1));
	bool callee = sqlite3_column_int(statement, 0);

	if (!number.len || number.len > BLACKLIST_NUMBER_MAX ||
	    blacklist_add(b, callee, number, (uint64_t)sqlite3_column_int64(statement, 2),
			  (uint64_t)sqlite3_column_int64(statement, 3)))
		log_error("blacklist: %s %.*s finds no room any more", callee ? "callee" : "caller",
			  SPAN_ARG(number));
}

static int read_rows(struct store *store, struct blacklist *b)
{
	sqlite3_stmt *statement = NULL;
	int err, result = SQLITE_DONE;

	pthread_mutex_lock(&store->read_lock);
	err = store_prepare(store->read, "SELECT callee, number, since, until FROM blacklist",
			    &statement);
	while (!err && (result = sqlite3_step(statement)) == SQLITE_ROW)
		load_row(b, statement);
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&store->read_lock);
	return err ? err : store_errno(result);
}

/* What has expired goes first: nobody asks for it any more. */
int store_load_blacklist(struct store *store, struct blacklist *b, uint64_t utc_us)
{
	char sql[100];
	int err;

	snprintf(sql, sizeof(sql), "DELETE FROM blacklist WHERE until > 0 AND until <= %llu",
		 (unsigned long long)utc_us);
	pthread_mutex_lock(&store->write_lock);
	err = store_exec(store->write, sql);
	pthread_mutex_unlock(&store->write_lock);
	return err ? err : read_rows(store, b);
}
