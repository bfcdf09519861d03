/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SQLite store from the inside. Two connections: one writes, one reads (WAL lets them work side by side), each
 * under its own lock and with its statements prepared once. */
#ifndef CAUSEWAY_STORE_INT_H
#define CAUSEWAY_STORE_INT_H

#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>

#define STORE_VERSION 4

#define TERMS_MAX 12	/* of one record */

struct store {
	char *path;
	sqlite3 *write, *read;
	pthread_mutex_t write_lock, read_lock;
	uint64_t read_until_us;		/* monotonic: a query that takes longer is given up */
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *add_call, *add_attempt, *del_term;
	sqlite3_stmt *add_terms[TERMS_MAX];	/* [n - 1] adds n terms */

	/* keeper.c */
	struct model_hub *hub;
	pthread_t keeper;
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_wake;
	bool keeper_runs, keeper_stop;
};

/* SQLite's result as -errno; 0 for OK, ROW and DONE. */
int store_errno(int result);
/* Runs SQL that gives no rows. 0 or -errno. */
int store_exec(sqlite3 *db, const char *sql);
/* 0 or -errno; logs what SQLite says of SQL that it does not take. */
int store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);
/* Steps a statement without rows once and resets it. 0 or -errno. */
int store_step(sqlite3_stmt *statement);
int store_begin(struct store *store);
/* Commits when `err` is 0, else rolls back; returns the first error. */
int store_end(struct store *store, int err);
/* First column of the first row; `otherwise` if there is none. */
int64_t store_number(sqlite3 *db, const char *sql, int64_t otherwise);

/* schema.c: creates or migrates. 0 or -errno with `why`. */
int store_migrate(struct store *store, char *why, size_t why_size);
/* What people search calls by; the numbers stand in the database. */
enum term_kind { TERM_CALL_ID = 1, TERM_NUMBER, TERM_GATEWAY, TERM_ACCOUNT, TERM_CODE };
struct term {
	enum term_kind kind;
	const char *value;
};
/* The terms of a record, each once; borrowed from it. How many. */
unsigned store_terms(enum cdr_kind kind, const struct cdr *cdr, struct term *out);
/* records.c: columns of the kind's table in the order of cdr_fields, comma-separated, each after `prefix`. */
void store_columns(struct buf *out, enum cdr_kind kind, const char *prefix);
/* The row that `statement` stands on, whose columns begin as store_columns says. Texts live until the next step. */
void store_row(sqlite3_stmt *statement, enum cdr_kind kind, struct cdr *out);
/* records.c: prepares what the sink needs. */
int store_records_init(struct store *store);
void store_records_close(struct store *store);
/* keeper.c */
void store_keeper_init(struct store *store);
void store_keeper_close(struct store *store);
/* objects.c: a row of the audit, within the caller's transaction. */
int store_audit(struct store *store, const char *who, const char *what, const char *detail);

/* Does the table of this kind of record (CDR_END: calls, CDR_ATTEMPT: attempts) have the field? */
static inline bool store_has(enum cdr_kind kind, const struct cdr_field_info *field)
{
	return field->where == 'B' || field->where == (kind == CDR_ATTEMPT ? 'A' : 'C');
}

#endif
