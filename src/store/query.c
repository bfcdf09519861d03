/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of calls. The key is the call id, newest first, so without conditions a page is a walk of its own length.
 *
 * Conditions on number, gateway, account, code and Call-ID are rows of `search`. Each is counted as far as
 * FEW; the rarest drives the query and the others are checked row by row. A number's prefix that many calls have
 * (a country code) drives nothing: then the walk by id finds a page quickly anyway.
 *
 * Call ids tell the time of the call, which bounds a walk between `since` and `until`; an hour is added on
 * both sides because clocks are set, and where ids do not tell it (imported records) nothing is bounded. */
#include "store/store_int.h"

#include <stdio.h>

#define FEW 10000
#define QUERY_US (5 * SEC)
#define LIMIT_MOST 1000
#define SQL_MAX 16384
#define ID_TIME_SHIFT 22
#define ID_EPOCH_MS 1577836800000ull /* 2020-01-01, as in cdr/call_id.c */
#define SLACK_MS 3600000ull

/* One condition: kind and value, or a range of values for the prefix of a number. */
struct condition {
	enum term_kind kind;
	const char *value;
	char beyond[80]; /* of a prefix: the first value behind the range; "" = equality */
	int64_t count; /* at most FEW */
};

/* SQL with its parameters, numbered as they are added. */
struct query {
	struct buf sql;
	struct {
		const char *text; /* NULL = number */
		int64_t number;
	} params[24];
	int n_params;
	struct condition conditions[5]; /* parameters point into them */
};

static void add_text(struct query *q, const char *text)
{
	q->params[q->n_params++].text = text;
	buf_addf(&q->sql, "?%d", q->n_params);
}

static void add_number(struct query *q, uint64_t number)
{
	q->params[q->n_params++].number = number < INT64_MAX ? (int64_t)number : INT64_MAX;
	buf_addf(&q->sql, "?%d", q->n_params);
}

static int prepare(struct store *store, struct query *q, sqlite3_stmt **out)
{
	int err = q->sql.failed ? -ENOMEM : store_prepare(store->read, buf_cstr(&q->sql), out);

	buf_free(&q->sql);
	for (int i = 0; i < q->n_params && !err; i++) {
		if (q->params[i].text)
			sqlite3_bind_text(*out, i + 1, q->params[i].text, -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(*out, i + 1, q->params[i].number);
	}
	return err;
}

static unsigned add_condition(struct condition *c, enum term_kind kind, const char *value)
{
	if (!value || !value[0])
		return 0;
	*c = (struct condition){ .kind = kind, .value = value };
	if (kind == TERM_NUMBER)
		snprintf(c->beyond, sizeof(c->beyond), "%.70s\xf4\x8f\xbf\xbf",
			 value); /* U+10FFFF sorts last */
	return 1;
}

/* "s" is the search table's name in the SQL around. */
static void add_term_sql(struct query *q, const struct condition *c)
{
	buf_addf(&q->sql, "s.kind=%d AND s.value", (int)c->kind);
	buf_add_str(&q->sql, c->beyond[0] ? ">=" : "=");
	add_text(q, c->value);
	if (c->beyond[0]) {
		buf_add_str(&q->sql, " AND s.value<");
		add_text(q, c->beyond);
	}
}

static int count_condition(struct store *store, struct condition *c)
{
	struct query q = { .sql = BUF_INIT(SQL_MAX) };
	sqlite3_stmt *statement = NULL;
	int err, result;

	buf_add_str(&q.sql, "SELECT count(*) FROM (SELECT 1 FROM search s WHERE ");
	add_term_sql(&q, c);
	buf_addf(&q.sql, " LIMIT %d)", FEW);
	err = prepare(store, &q, &statement);
	if (err)
		return err;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		c->count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return store_errno(result);
}

/* The rarest condition, or NULL to walk by id. */
static int choose_driver(struct store *store, struct condition *conditions, unsigned n,
			 const struct condition **out)
{
	const struct condition *driver = NULL;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		err = count_condition(store, &conditions[i]);
		if (conditions[i].beyond[0] && conditions[i].count >= FEW)
			continue;
		if (!driver || conditions[i].count < driver->count)
			driver = &conditions[i];
	}
	*out = driver;
	return err;
}

static uint64_t id_ms(uint64_t id)
{
	return (id >> ID_TIME_SHIFT) + ID_EPOCH_MS;
}

/* Does the call at this end of the table carry its time in its id? */
static bool id_tells_time(struct store *store, const char *sql)
{
	uint64_t id = (uint64_t)store_number(store->read, sql, 0), ms;
	char started[80];

	snprintf(started, sizeof(started), "SELECT started FROM calls WHERE call_id=%llu",
		 (unsigned long long)id);
	ms = (uint64_t)store_number(store->read, started, 0) / MSEC;
	return id && ms + SLACK_MS > id_ms(id) && ms < id_ms(id) + SLACK_MS;
}

static void bound_ids(struct store *store, const struct cdr_filter *filter, uint64_t *from_out,
		      uint64_t *to_out)
{
	uint64_t since_ms = filter->since_us / MSEC, until_ms = filter->until_us / MSEC, bound;

	*from_out = 0;
	*to_out = filter->before_id && filter->before_id < INT64_MAX ? filter->before_id - 1
								     : INT64_MAX;
	if ((!since_ms && !until_ms) || !id_tells_time(store, "SELECT min(call_id) FROM calls") ||
	    !id_tells_time(store, "SELECT max(call_id) FROM calls"))
		return;
	if (since_ms > ID_EPOCH_MS + SLACK_MS && since_ms < 2 * ID_EPOCH_MS)
		*from_out = (since_ms - SLACK_MS - ID_EPOCH_MS) << ID_TIME_SHIFT;
	if (until_ms > ID_EPOCH_MS && until_ms < 2 * ID_EPOCH_MS) {
		bound = (until_ms + SLACK_MS - ID_EPOCH_MS) << ID_TIME_SHIFT;
		*to_out = bound < *to_out ? bound : *to_out;
	}
}

/* A number's prefix checked on the row itself, in each form that makes a term of it. */
static void add_number_sql(struct query *q, const struct condition *c)
{
	static const char *const forms[] = { "caller_in", "caller", "caller_out",
					     "callee_in", "callee", "callee_out" };
	int low = q->n_params + 1;

	buf_add_str(&q->sql, " AND (");
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (i > 0) {
			buf_addf(&q->sql, " OR c.%s>=?%d AND c.%s<?%d", forms[i], low, forms[i],
				 low + 1);
			continue;
		}
		buf_addf(&q->sql, "c.%s>=", forms[i]);
		add_text(q, c->value);
		buf_addf(&q->sql, " AND c.%s<", forms[i]);
		add_text(q, c->beyond);
	}
	buf_add_char(&q->sql, ')');
}

/* FROM and the beginning of WHERE. CROSS JOIN fixes the order: SQLite would know no better, there are no statistics. */
static void add_source_sql(struct query *q, const struct condition *driver, uint64_t from_id,
			   uint64_t to_id)
{
	const char *table = "c";

	if (!driver) {
		buf_add_str(&q->sql, " FROM calls c WHERE ");
	} else if (driver->beyond[0]) {
		buf_add_str(&q->sql, " FROM (SELECT DISTINCT s.call_id FROM search s WHERE ");
		add_term_sql(q, driver);
		buf_add_str(&q->sql, ") d CROSS JOIN calls c ON c.call_id=d.call_id WHERE ");
		table = "d";
	} else {
		buf_add_str(&q->sql,
			    " FROM search s CROSS JOIN calls c ON c.call_id=s.call_id WHERE ");
		add_term_sql(q, driver);
		buf_add_str(&q->sql, " AND ");
		table = "s";
	}
	buf_addf(&q->sql, "%s.call_id>=", table);
	add_number(q, from_id);
	buf_addf(&q->sql, " AND %s.call_id<=", table);
	add_number(q, to_id);
}

static void add_filter_sql(struct query *q, const struct cdr_filter *filter)
{
	if (filter->since_us) {
		buf_add_str(&q->sql, " AND c.started>=");
		add_number(q, filter->since_us);
	}
	if (filter->until_us) {
		buf_add_str(&q->sql, " AND c.started<");
		add_number(q, filter->until_us);
	}
	if (filter->answered >= 0)
		buf_add_str(&q->sql, filter->answered ? " AND c.answered IS NOT NULL"
						      : " AND c.answered IS NULL");
}

static unsigned clamp_limit(unsigned limit)
{
	return limit < 1 ? 1 : limit > LIMIT_MOST ? LIMIT_MOST : limit;
}

static int build_list(struct store *store, const struct cdr_filter *filter, struct query *q)
{
	struct condition *conditions = q->conditions;
	const struct condition *driver = NULL;
	uint64_t from_id, to_id;
	unsigned n = 0;
	int err;

	n += add_condition(&conditions[n], TERM_CALL_ID, filter->sip_call_id);
	n += add_condition(&conditions[n], TERM_NUMBER, filter->number);
	n += add_condition(&conditions[n], TERM_GATEWAY, filter->gateway);
	n += add_condition(&conditions[n], TERM_ACCOUNT, filter->account);
	n += add_condition(&conditions[n], TERM_CODE, filter->code);
	err = choose_driver(store, conditions, n, &driver);
	if (err)
		return err;
	bound_ids(store, filter, &from_id, &to_id);
	buf_add_str(&q->sql, "SELECT ");
	store_columns(&q->sql, CDR_END, "c.");
	add_source_sql(q, driver, from_id, to_id);
	for (unsigned i = 0; i < n; i++) {
		if (&conditions[i] == driver)
			continue;
		if (conditions[i].beyond[0]) {
			add_number_sql(q, &conditions[i]);
			continue;
		}
		buf_add_str(&q->sql, " AND EXISTS (SELECT 1 FROM search s WHERE ");
		add_term_sql(q, &conditions[i]);
		buf_add_str(&q->sql, " AND s.call_id=c.call_id)");
	}
	add_filter_sql(q, filter);
	buf_addf(&q->sql, " ORDER BY %s.call_id DESC LIMIT %u",
		 !driver             ? "c"
		 : driver->beyond[0] ? "d"
				     : "s",
		 clamp_limit(filter->limit) + 1);
	return 0;
}

/* Rows as objects of a JSON array; one more than `limit` tells that there is a next page. */
static int write_rows(sqlite3_stmt *statement, enum cdr_kind kind, unsigned limit, struct buf *out,
		      uint64_t *next_out)
{
	uint64_t last_id = 0, next = 0;
	unsigned count = 0;
	struct cdr cdr;
	int result;

	buf_add_char(out, '[');
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		store_row(statement, kind, &cdr);
		if (count == limit) {
			next = last_id;
			break;
		}
		if (count++)
			buf_add_char(out, ',');
		cdr_write_json(out, kind, &cdr);
		last_id = cdr.call_id;
	}
	buf_add_char(out, ']');
	if (next_out)
		*next_out = next;
	return out->failed ? -ENOBUFS : store_errno(result);
}

int store_list_cdrs(struct store *store, const struct cdr_filter *filter, struct buf *out,
		    uint64_t *next_out)
{
	struct query q = { .sql = BUF_INIT(SQL_MAX) };
	sqlite3_stmt *statement = NULL;
	size_t before = out->len;
	int err;

	pthread_mutex_lock(&store->read_lock);
	store->read_until_us = clock_mono_us() + QUERY_US;
	err = build_list(store, filter, &q);
	if (!err)
		err = prepare(store, &q, &statement);
	if (!err)
		err = write_rows(statement, CDR_END, clamp_limit(filter->limit), out, next_out);
	sqlite3_finalize(statement);
	buf_free(&q.sql);
	store->read_until_us = 0;
	pthread_mutex_unlock(&store->read_lock);
	if (err)
		out->len = before;
	return err;
}

static int select_by_id(struct store *store, const char *table, enum cdr_kind kind,
			uint64_t call_id, sqlite3_stmt **out)
{
	struct query q = { .sql = BUF_INIT(SQL_MAX) };

	buf_add_str(&q.sql, "SELECT ");
	store_columns(&q.sql, kind, "");
	buf_addf(&q.sql, " FROM %s WHERE call_id=", table);
	add_number(&q, call_id);
	buf_add_str(&q.sql, kind == CDR_ATTEMPT ? " ORDER BY attempt" : "");
	return prepare(store, &q, out);
}

/* The count of attempts gives way to the attempts themselves. */
static int write_call(struct store *store, sqlite3_stmt *call, uint64_t call_id, struct buf *out)
{
	sqlite3_stmt *attempts = NULL;
	struct cdr cdr;
	int result = sqlite3_step(call), err;

	if (result != SQLITE_ROW)
		return result == SQLITE_DONE ? -ENOENT : store_errno(result);
	store_row(call, CDR_END, &cdr);
	cdr_write_json_without(out, CDR_END, &cdr, "attempts");
	if (out->len > 0)
		out->len--; /* the closing brace */
	buf_add_str(out, ",\"attempts\":");
	err = select_by_id(store, "attempts", CDR_ATTEMPT, call_id, &attempts);
	if (!err)
		err = write_rows(attempts, CDR_ATTEMPT, UINT32_MAX, out, NULL);
	buf_add_char(out, '}');
	sqlite3_finalize(attempts);
	return err;
}

int store_show_cdr(struct store *store, uint64_t call_id, struct buf *out)
{
	sqlite3_stmt *call = NULL;
	size_t before = out->len;
	int err;

	pthread_mutex_lock(&store->read_lock);
	err = select_by_id(store, "calls", CDR_END, call_id, &call);
	if (!err)
		err = write_call(store, call, call_id, out);
	sqlite3_finalize(call);
	pthread_mutex_unlock(&store->read_lock);
	if (err)
		out->len = before;
	return err;
}
