/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Call records into the database, and out of it when they are old.
 *
 * One transaction a batch, statements prepared once. A record that is there already is left as it is, with its
 * search terms: the journal may give it twice. */
#include "store/store_int.h"

#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX 8192

void store_columns(struct buf *out, enum cdr_kind kind, const char *prefix)
{
	const char *separator = "";

	for (size_t i = 0; i < cdr_field_count; i++) {
		if (!store_has(kind, &cdr_fields[i]))
			continue;
		buf_addf(out, "%s%s%s", separator, prefix, cdr_fields[i].name);
		separator = ",";
	}
}

static void bind_record(sqlite3_stmt *statement, enum cdr_kind kind, const struct cdr *cdr)
{
	int column = 0;

	for (size_t i = 0; i < cdr_field_count; i++) {
		const char *at = (const char *)cdr + cdr_fields[i].offset;
		const char *text;
		int64_t number;

		if (!store_has(kind, &cdr_fields[i]))
			continue;
		column++;
		if (cdr_fields[i].type == CDR_TYPE_TEXT) {
			memcpy(&text, at, sizeof(text));
			sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
			continue;
		}
		memcpy(&number, at, sizeof(number));
		if (number == 0 && cdr_fields[i].type == CDR_TYPE_TIME)
			sqlite3_bind_null(statement, column);
		else
			sqlite3_bind_int64(statement, column, number);
	}
}

void store_row(sqlite3_stmt *statement, enum cdr_kind kind, struct cdr *out)
{
	int column = 0;

	*out = (struct cdr){ 0 };
	for (size_t i = 0; i < cdr_field_count; i++) {
		char *at = (char *)out + cdr_fields[i].offset;
		const char *text;
		int64_t number;

		if (!store_has(kind, &cdr_fields[i]))
			continue;
		if (cdr_fields[i].type == CDR_TYPE_TEXT) {
			text = (const char *)sqlite3_column_text(statement, column);
			memcpy(at, &text, sizeof(text));
		} else {
			number = sqlite3_column_int64(statement, column);
			memcpy(at, &number, sizeof(number));
		}
		column++;
	}
}

static void term_add(struct term *out, unsigned *n, enum term_kind kind, const char *value)
{
	if (!value || !value[0])
		return;
	for (unsigned i = 0; i < *n; i++)
		if (out[i].kind == kind && strcmp(out[i].value, value) == 0)
			return;
	assert(*n < TERMS_MAX);
	out[(*n)++] = (struct term){ kind, value };
}

unsigned store_terms(enum cdr_kind kind, const struct cdr *cdr, struct term *out)
{
	unsigned n = 0;

	/* The callee's side of a call is that of its last attempt, whose record came before. */
	if (kind == CDR_ATTEMPT || cdr->attempts == 0) {
		term_add(out, &n, TERM_CALL_ID, cdr->callee_call_id);
		term_add(out, &n, TERM_GATEWAY, cdr->routing_gateway);
	}
	if (kind == CDR_ATTEMPT)
		return n;
	term_add(out, &n, TERM_CALL_ID, cdr->caller_call_id);
	term_add(out, &n, TERM_GATEWAY, cdr->mapping_gateway);
	term_add(out, &n, TERM_NUMBER, cdr->caller_in);
	term_add(out, &n, TERM_NUMBER, cdr->caller);
	term_add(out, &n, TERM_NUMBER, cdr->caller_out);
	term_add(out, &n, TERM_NUMBER, cdr->callee_in);
	term_add(out, &n, TERM_NUMBER, cdr->callee);
	term_add(out, &n, TERM_NUMBER, cdr->callee_out);
	term_add(out, &n, TERM_ACCOUNT, cdr->account);
	term_add(out, &n, TERM_CODE, cdr->end_code);
	return n;
}

static void bind_term(sqlite3_stmt *statement, int column, const struct term *term,
		      uint64_t call_id)
{
	sqlite3_bind_int(statement, column, (int)term->kind);
	sqlite3_bind_text(statement, column + 1, term->value, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, column + 2, (int64_t)call_id);
}

/* All of a record's terms with one statement: its beginning and end cost as much as a row. */
static int add_terms(struct store *store, enum cdr_kind kind, const struct cdr *cdr)
{
	struct term terms[TERMS_MAX];
	unsigned n = store_terms(kind, cdr, terms);

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		bind_term(store->add_terms[n - 1], (int)i * 3 + 1, &terms[i], cdr->call_id);
	return store_step(store->add_terms[n - 1]);
}

static int del_terms(struct store *store, enum cdr_kind kind, const struct cdr *cdr)
{
	struct term terms[TERMS_MAX];
	unsigned n = store_terms(kind, cdr, terms);
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		bind_term(store->del_term, 1, &terms[i], cdr->call_id);
		err = store_step(store->del_term);
	}
	return err;
}

static int prepare_insert(sqlite3 *db, const char *table, enum cdr_kind kind, sqlite3_stmt **out)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int err;

	buf_addf(&sql, "INSERT INTO %s(", table);
	store_columns(&sql, kind, "");
	buf_add_str(&sql, ") VALUES(");
	for (size_t i = 0, n = 0; i < cdr_field_count; i++)
		if (store_has(kind, &cdr_fields[i]))
			buf_add_str(&sql, n++ ? ",?" : "?");
	buf_add_str(&sql, ") ON CONFLICT DO NOTHING");
	err = sql.failed ? -ENOMEM : store_prepare(db, buf_cstr(&sql), out);
	buf_free(&sql);
	return err;
}

/* OR IGNORE: what is there already stays. A statement of several rows that might be aborted would keep a
 * journal of its own, which costs more than it saves. */
static int prepare_add_terms(sqlite3 *db, unsigned n, sqlite3_stmt **out)
{
	char sql[64 + TERMS_MAX * 8] = "INSERT OR IGNORE INTO search VALUES";
	size_t len = strlen(sql);

	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s(?,?,?)", i ? "," : "");
	return store_prepare(db, sql, out);
}

int store_records_init(struct store *store)
{
	int err = prepare_insert(store->write, "calls", CDR_END, &store->add_call);

	if (!err)
		err = prepare_insert(store->write, "attempts", CDR_ATTEMPT, &store->add_attempt);
	for (unsigned n = 1; n <= TERMS_MAX && !err; n++)
		err = prepare_add_terms(store->write, n, &store->add_terms[n - 1]);
	if (!err)
		err = store_prepare(store->write,
				    "DELETE FROM search WHERE kind=? AND value=? AND call_id=?",
				    &store->del_term);
	return err;
}

void store_records_close(struct store *store)
{
	sqlite3_finalize(store->add_call);
	sqlite3_finalize(store->add_attempt);
	for (unsigned i = 0; i < TERMS_MAX; i++)
		sqlite3_finalize(store->add_terms[i]);
	sqlite3_finalize(store->del_term);
}

static int add_record(struct store *store, enum cdr_kind kind, const struct cdr *cdr)
{
	sqlite3_stmt *insert = kind == CDR_ATTEMPT ? store->add_attempt : store->add_call;
	int err;

	bind_record(insert, kind, cdr);
	err = store_step(insert);
	if (err || sqlite3_changes(store->write) == 0)
		return err;
	return add_terms(store, kind, cdr);
}

static int add_entry(struct store *store, struct arena *arena, const struct cdr_entry *entry)
{
	struct cdr cdr;
	int err = cdr_decode(&cdr, arena, entry->data, entry->len);

	if (err == -ENOMEM)
		return err;
	if (err || cdr.call_id == 0 || cdr.call_id >> 63) {
		/* Sound in the journal and yet no record: trying again would stop all those behind it. */
		log_error("store: journal entry %llu holds no record that can be read; left out",
			  (unsigned long long)entry->sequence);
		return 0;
	}
	return add_record(store, (enum cdr_kind)entry->kind, &cdr);
}

int store_sink(void *arg, struct cdr_entry *entries, unsigned n)
{
	struct store *store = arg;
	struct arena *arena = arena_new(65536);
	int err;

	(void)n;
	if (!arena)
		return -ENOMEM;
	pthread_mutex_lock(&store->write_lock);
	err = store_begin(store);
	if (!err) {
		for (struct cdr_entry *entry = entries; entry && !err; entry = entry->next)
			err = add_entry(store, arena, entry);
		err = store_end(store, err);
	}
	/* No statement may keep pointers into what is freed now. */
	sqlite3_clear_bindings(store->add_call);
	sqlite3_clear_bindings(store->add_attempt);
	for (unsigned i = 0; i < TERMS_MAX; i++)
		sqlite3_clear_bindings(store->add_terms[i]);
	pthread_mutex_unlock(&store->write_lock);
	arena_free(&arena);
	return err;
}

/* Deletes the terms of the rows that `select` gives (its columns begin as store_columns says). How many rows, or -errno. */
static int clean_terms(struct store *store, sqlite3_stmt *select, enum cdr_kind kind)
{
	int count = 0, err = 0, result = SQLITE_DONE;

	while (!err && (result = sqlite3_step(select)) == SQLITE_ROW) {
		struct cdr cdr;

		store_row(select, kind, &cdr);
		err = del_terms(store, kind, &cdr);
		count++;
	}
	sqlite3_clear_bindings(store->del_term);
	return err ? err : result == SQLITE_DONE ? count : store_errno(result);
}

/* Runs "SELECT columns FROM table WHERE where" over clean_terms, then deletes the same rows. Parameters: limit, before. */
static int clean_rows(struct store *store, const char *table, enum cdr_kind kind, const char *where,
		      unsigned limit, uint64_t before_us)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	sqlite3_stmt *select = NULL, *delete = NULL;
	int count, err;

	buf_add_str(&sql, "SELECT ");
	store_columns(&sql, kind, "");
	buf_addf(&sql, " FROM %s WHERE %s", table, where);
	err = store_prepare(store->write, buf_cstr(&sql), &select);
	buf_reset(&sql);
	buf_addf(&sql, "DELETE FROM %s WHERE %s", table, where);
	if (!err)
		err = store_prepare(store->write, buf_cstr(&sql), &delete);
	buf_free(&sql);
	count = err;
	if (!err) {
		sqlite3_bind_int64(select, 1, limit);
		sqlite3_bind_int64(select, 2, (int64_t)before_us);
		sqlite3_bind_int64(delete, 1, limit);
		sqlite3_bind_int64(delete, 2, (int64_t)before_us);
		count = clean_terms(store, select, kind);
		if (count > 0)
			err = store_step(delete);
	}
	sqlite3_finalize(select);
	sqlite3_finalize(delete);
	return err ? err : count;
}

/* The oldest `limit` calls are looked at, never the whole table: ids grow with time. Attempts go with their
 * calls; those of calls that never got a record (lost with the process before any answer) go by their own age. */
int store_clean(struct store *store, uint64_t before_us, unsigned limit)
{
	static const char old_calls[] =
		"call_id IN (SELECT call_id FROM (SELECT call_id, started, ended FROM calls"
		" ORDER BY call_id LIMIT ?1) WHERE coalesce(ended, started, 0) < ?2)";
	static const char orphans[] =
		"(call_id, attempt) IN (SELECT call_id, attempt FROM (SELECT call_id, attempt, "
		"started FROM attempts"
		" ORDER BY call_id LIMIT ?1) AS a WHERE coalesce(started, 0) < ?2"
		" AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.call_id = a.call_id))";
	int calls = 0, attempts = 0, err;

	pthread_mutex_lock(&store->write_lock);
	err = store_begin(store);
	if (!err) {
		attempts = clean_rows(store, "attempts", CDR_ATTEMPT, old_calls, limit, before_us);
		calls = attempts < 0
				? attempts
				: clean_rows(store, "calls", CDR_END, old_calls, limit, before_us);
		attempts = calls < 0 ? calls
				     : clean_rows(store, "attempts", CDR_ATTEMPT, orphans,
						  limit - (unsigned)calls, before_us);
		err = store_end(store, attempts < 0 ? attempts : 0);
	}
	pthread_mutex_unlock(&store->write_lock);
	return err ? err : calls + attempts;
}
