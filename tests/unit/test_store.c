/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#define HOUR (3600 * SEC)
#define BASE 1763800000000000ull /* of the sample calls */

static char folder[64], path[96], why[512];
static struct store *store;

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/causeway-store-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/c.db", folder);
	log_set_level(LOG_ERROR);
	if (store_open(&store, "sqlite:c.db", folder, why, sizeof(why)) == 0)
		return 0;
	print_error("%s\n", why);
	return -1;
}

static int teardown(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char name[128];

	store_close(&store);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	return rmdir(folder);
}

static void give(enum cdr_kind kind, const struct cdr *cdr)
{
	struct cdr_entry *entry = cdr_encode(kind, cdr);

	assert_int_equal(store_sink(store, entry, 1), 0);
	free(entry);
}

/* Call i of n: started i minutes after BASE; even ones answered; two gateways, three accounts. */
static uint64_t sample_id(unsigned i)
{
	return ((BASE + i * 60 * SEC) / MSEC - 1577836800000ull) << 22 | i;
}

static void make_sample(unsigned i, struct cdr_entry **batch)
{
	static const char *const accounts[] = { "acme", "globex", "initech" };
	char caller[32], callee[32], call_id[32], b_call_id[32];
	struct cdr cdr = {
		.call_id = sample_id(i),
		.attempt = 1,
		.caller_in = caller,
		.caller = caller,
		.callee_in = callee,
		.callee = callee + 1,
		.callee_out = callee,
		.mapping_gateway = "acme-in",
		.routing_gateway = i % 4 == 1 ? "b-1" : "a-1",
		.account = accounts[i % 3],
		.caller_call_id = call_id,
		.callee_call_id = b_call_id,
		.started = BASE + i * 60 * SEC,
		.ended = BASE + i * 60 * SEC + 5 * SEC,
		.answered = i % 2 ? 0 : BASE + i * 60 * SEC + SEC,
		.talk_us = i % 2 ? 0 : 4 * SEC,
		.end_code = i % 2 ? "USER_BUSY" : "NORMAL",
		.end_side = "caller",
		.sip_status = 200,
		.q850 = -1,
		.attempts = 2,
	};

	snprintf(caller, sizeof(caller), "4930%04u", i);
	snprintf(callee, sizeof(callee), "+880%04u", i);
	snprintf(call_id, sizeof(call_id), "in-%u@host", i);
	snprintf(b_call_id, sizeof(b_call_id), "first-%u@us", i);
	cdr.routing_gateway = "c-dead";
	batch[0] = cdr_encode(CDR_ATTEMPT, &cdr);
	cdr.attempt = 2;
	cdr.routing_gateway = i % 4 == 1 ? "b-1" : "a-1";
	snprintf(b_call_id, sizeof(b_call_id), "second-%u@us", i);
	batch[1] = cdr_encode(CDR_ATTEMPT, &cdr);
	batch[2] = cdr_encode(CDR_END, &cdr);
}

static void give_samples(unsigned from, unsigned n)
{
	struct cdr_entry **all = calloc(3 * n + 1, sizeof(*all));

	for (unsigned i = 0; i < n; i++)
		make_sample(from + i, all + 3 * i);
	for (unsigned i = 0; i < 3 * n; i++)
		all[i]->next = all[i + 1];
	assert_int_equal(store_sink(store, all[0], 3 * n), 0);
	for (unsigned i = 0; i < 3 * n; i++)
		free(all[i]);
	free(all);
}

static json_t *list(const struct cdr_filter *filter, uint64_t *next)
{
	struct buf out = BUF_INIT(64u << 20);
	json_t *array;

	assert_int_equal(store_list_cdrs(store, filter, &out, next), 0);
	array = json_loadb(out.p, out.len, 0, NULL);
	assert_true(json_is_array(array));
	buf_free(&out);
	return array;
}

static void test_filters(void **state)
{
	static const struct {
		struct cdr_filter filter;
		size_t count;
	} cases[] = {
		{ { .answered = -1 }, 60 },
		{ { .answered = 1 }, 30 },
		{ { .answered = 0 }, 30 },
		{ { .answered = -1, .since_us = BASE + 10 * 60 * SEC }, 50 },
		{ { .answered = -1, .until_us = BASE + 10 * 60 * SEC }, 10 },
		{ { .answered = -1,
		    .since_us = BASE + 10 * 60 * SEC,
		    .until_us = BASE + 12 * 60 * SEC },
		  2 },
		{ { .answered = -1, .number = "49300007" }, 1 },
		{ { .answered = -1, .number = "4930001" }, 10 },
		{ { .answered = -1, .number = "8800001" }, 1 },
		{ { .answered = -1, .number = "+880000" }, 10 },
		{ { .answered = -1, .number = "9" }, 0 },
		{ { .answered = -1, .gateway = "a-1" }, 45 },
		{ { .answered = -1, .gateway = "b-1" }, 15 },
		{ { .answered = -1, .gateway = "acme-in" }, 60 },
		{ { .answered = -1, .gateway = "c-dead" }, 60 },
		{ { .answered = -1, .gateway = "c-dea" }, 0 },
		{ { .answered = -1, .account = "globex" }, 20 },
		{ { .answered = -1, .code = "USER_BUSY", .account = "globex" }, 10 },
		{ { .answered = -1, .code = "USER_BUSY", .number = "493000" }, 30 },
		{ { .answered = -1, .sip_call_id = "in-7@host" }, 1 },
		{ { .answered = -1, .sip_call_id = "first-7@us" }, 1 },
		{ { .answered = -1, .sip_call_id = "second-7@us" }, 1 },
		{ { .answered = -1, .sip_call_id = "second-7@us", .account = "acme" }, 0 },
		{ { .answered = 1,
		    .gateway = "a-1",
		    .account = "acme",
		    .number = "4930",
		    .code = "NORMAL",
		    .since_us = BASE,
		    .until_us = BASE + HOUR },
		  10 },
		{ { .answered = -1, .number = "' OR 1=1 --" }, 0 },
	};

	give_samples(0, 60);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cdr_filter filter = cases[i].filter;
		uint64_t next = 1;
		json_t *array;

		filter.limit = 1000;
		array = list(&filter, &next);
		if (json_array_size(array) != cases[i].count)
			print_error("case %zu\n", i);
		assert_int_equal(json_array_size(array), cases[i].count);
		assert_int_equal(next, 0);
		json_decref(array);
	}
}

/* Pages of any size put together are the whole, newest first. */
static void test_pages(void **state)
{
	struct cdr_filter filters[] = { { .answered = -1 },
					{ .answered = -1, .gateway = "a-1" },
					{ .answered = -1, .number = "493" } };

	give_samples(0, 60);
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++) {
		for (unsigned limit = 1; limit < 70; limit += 7) {
			struct cdr_filter filter = filters[f];
			size_t total = 0;
			char last[32] = "~";

			filter.limit = limit;
			do {
				uint64_t next;
				json_t *array = list(&filter, &next);

				assert_true(json_array_size(array) <= limit);
				for (size_t i = 0; i < json_array_size(array); i++) {
					const char *id = json_string_value(json_object_get(
						json_array_get(array, i), "call_id"));

					assert_true(strcmp(id, last) < 0);
					snprintf(last, sizeof(last), "%s", id);
				}
				total += json_array_size(array);
				filter.before_id = next;
				json_decref(array);
			} while (filter.before_id);
			assert_int_equal(total, f == 1 ? 45 : 60);
		}
	}
}

static void test_show(void **state)
{
	struct buf out = BUF_INIT(1 << 20);
	json_t *call, *attempts;

	give_samples(3, 1);
	give_samples(3, 1); /* the journal gives twice */
	assert_int_equal(store_show_cdr(store, sample_id(4), &out), -ENOENT);
	assert_int_equal(out.len, 0);
	assert_int_equal(store_show_cdr(store, sample_id(3), &out), 0);
	call = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(call);
	attempts = json_object_get(call, "attempts");
	assert_int_equal(json_array_size(attempts), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(attempts, 0), "routing_gateway")),
		"c-dead");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(attempts, 1), "callee_call_id")),
		"second-3@us");
	assert_true(json_is_null(json_object_get(call, "answered")));
	assert_int_equal(json_integer_value(json_object_get(call, "q850")), -1);
	json_decref(call);
	buf_free(&out);
}

static int64_t count_of(const char *table)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	char sql[64];
	int64_t count;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static void test_clean(void **state)
{
	struct cdr orphan = {
		.call_id = sample_id(1) + 5, .attempt = 1, .started = BASE, .routing_gateway = "x"
	};

	give_samples(0, 60);
	give(CDR_ATTEMPT, &orphan);
	assert_int_equal(store_clean(store, BASE + 10 * 60 * SEC, 4), 4);
	assert_int_equal(store_clean(store, BASE + 10 * 60 * SEC, 1000),
			 7); /* six calls and the orphan */
	assert_int_equal(store_clean(store, BASE + 10 * 60 * SEC, 1000), 0);
	assert_int_equal(count_of("calls"), 50);
	assert_int_equal(count_of("attempts"), 100);
	assert_int_equal(store_clean(store, BASE + 24 * HOUR, 1000), 50);
	assert_int_equal(count_of("attempts"), 0);
	assert_int_equal(count_of("search"), 0);
}

static struct model *read_config(const char *text);

/* What is older than cdr_keep_days goes by itself, over several batches; what is younger stays. */
static void test_keeper(void **state)
{
	struct cdr today = { .call_id = sample_id(1) - 7,
			     .started = clock_utc_us(),
			     .ended = clock_utc_us() };
	struct model_hub *hub = model_hub_new();

	give_samples(0, 700);
	give(CDR_END, &today);
	model_hub_swap(hub, read_config("version: 1\nparameters: { cdr_keep_days: 1 }\n"));
	assert_int_equal(store_keep(store, hub), 0);
	for (int i = 0; i < 200 && count_of("calls") > 1; i++)
		usleep(50000);
	assert_int_equal(count_of("calls"), 1);
	assert_int_equal(count_of("attempts"), 0);
	store_close(&store);
	model_hub_free(&hub);
}

static const char config[] =
	"version: 1\n"
	"parameters: { invite_timeout: 11s, auth_realm: \"true\" }\n"
	"rate_groups:\n"
	"  - { name: retail, rates: [ { prefix: \"\", price: \"0.0120\", period: 60 }, { prefix: "
	"\"880\", price: \"0.02\", period: 1 } ] }\n"
	"accounts:\n"
	"  - { name: acme, kind: customer, balance: \"100.00\", rate_group: retail }\n"
	"  - { name: \"007\", kind: vendor, memo: \"quo\\\"te: # no comment\\nsecond \xc3\xbc\" }\n"
	"work_calendars: [ { name: de, holidays: [ 2026-12-25 ], work_days: [ 2026-12-19 ] } ]\n"
	"gateway_groups:\n"
	"  - name: eu\n"
	"    scheduled_line_limits: [ { days: [ work ], calendar: de, from: 08:00, line_limit: 2 } "
	"]\n"
	"mapping_gateways:\n"
	"  - { name: acme-in, account: acme, addresses: [ \"127.0.0.2\" ], line_limit: 100, "
	"rate_limit: 20, groups: [ eu ] }\n"
	"routing_gateways:\n"
	"  - { name: a-1, account: \"007\", address: \"127.0.0.3:5060\", prefixes: [ \"880\" ], "
	"priority: 1 }\n"
	"phones:\n"
	"  - { number: \"1001\", account: acme, password: \"s3cret: '\" }\n"
	"  - { number: \"1002\", account: acme, password: \"x\" }\n";

static const char config_changed[] = "version: 1\n"
				     "parameters: { invite_timeout: 12s, auth_realm: \"true\" }\n"
				     "accounts:\n"
				     "  - { name: new, kind: customer }\n"
				     "  - { name: \"007\", kind: vendor, memo: \"quo\\\"te: # no "
				     "comment\\nsecond \xc3\xbc\" }\n";

static struct model *read_config(const char *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &error, 1) > 0)
		print_error("%s: %s\n", error.object, error.text);
	return m;
}

static void assert_same_model(const struct model *a, const struct model *b)
{
	struct buf x = BUF_INIT(1 << 20), y = BUF_INIT(1 << 20);

	model_write_yaml(&x, a, true);
	model_write_yaml(&y, b, true);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	buf_free(&x);
	buf_free(&y);
}

static void save_and_compare(const char *text)
{
	struct model *m = read_config(text), *back = NULL;

	assert_non_null(m);
	assert_int_equal(store_save_model(store, m, "root", why, sizeof(why)), 0);
	store_close(&store);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)), 0);
	assert_int_equal(store_load_model(store, &back, why, sizeof(why)), 0);
	assert_same_model(m, back);
	model_unref(&m);
	model_unref(&back);
}

static void test_configuration(void **state)
{
	struct buf out = BUF_INIT(65536);
	struct model *m = NULL;

	assert_int_equal(store_load_model(store, &m, why, sizeof(why)),
			 0); /* an empty one is good */
	model_unref(&m);
	save_and_compare(config);
	save_and_compare(config);
	save_and_compare(config_changed);
	save_and_compare("version: 1\n");
	assert_int_equal(count_of("objects WHERE kind <> 'parameters'"), 0);
	assert_int_equal(store_list_audit(store, 3, &out), 0);
	assert_non_null(
		strstr(buf_cstr(&out), "\"who\":\"root\",\"what\":\"config\",\"detail\":{"));
	assert_non_null(
		strstr(buf_cstr(&out), "\"phones\":{\"added\":0,\"changed\":0,\"removed\":2}"));
	assert_non_null(
		strstr(buf_cstr(&out), "\"accounts\":{\"added\":1,\"changed\":0,\"removed\":1}"));
	assert_non_null(strstr(buf_cstr(&out), "\"detail\":{}"));
	assert_null(strstr(buf_cstr(&out), "s3cret"));
	buf_free(&out);
}

/* Everything in the table of objects, as one text. */
static void dump_objects(struct buf *out)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db,
				   "SELECT kind, name, position, body FROM objects ORDER BY "
				   "position, kind, name",
				   -1, &statement, NULL),
		SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW)
		buf_addf(out, "%s %s %lld %s\n", sqlite3_column_text(statement, 0),
			 sqlite3_column_text(statement, 1),
			 (long long)sqlite3_column_int64(statement, 2),
			 sqlite3_column_text(statement, 3));
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

/* Rows of one kind are written as those of the whole configuration are, byte by byte. */
static void test_one_kind(void **state)
{
	struct model *m = read_config(config), *back = NULL;
	struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	int64_t audit;

	assert_int_equal(store_save_model(store, m, "root", why, sizeof(why)), 0);
	dump_objects(&before);
	audit = count_of("audit");
	for (unsigned kind = 0; model_kind(kind).section; kind++)
		assert_int_equal(
			store_save_kind(store, m, kind, "root", "test", "{}", why, sizeof(why)), 0);
	dump_objects(&after);
	assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	assert_true(count_of("audit") > audit);
	model_unref(&m);
	buf_free(&before);
	buf_free(&after);
	/* What is new stands behind its section, or in a section of its own. */
	m = read_config("version: 1\naccounts: [ { name: acme }, { name: new } ]\n"
			"areas: [ { code: \"010\" }, { code: \"020\", mobiles: [ \"13\" ] } ]\n");
	for (unsigned kind = 0; model_kind(kind).section; kind++)
		assert_int_equal(
			store_save_kind(store, m, kind, NULL, "test", "{}", why, sizeof(why)), 0);
	model_unref(&m);
	assert_int_equal(store_load_model(store, &back, why, sizeof(why)), 0);
	assert_int_equal(back->n_accounts, 3);
	assert_int_equal(back->n_phones, 2);
	assert_int_equal(back->n_areas, 2);
	assert_string_equal(back->accounts[2].name, "new");
	assert_true(number_set_find(model_area(back, SPAN("020"))->mobiles, SPAN("13")) >= 0);
	model_unref(&back);
}

/* Objects of the schema before this one are all there afterwards. */
static void test_objects_get_rows(void **state)
{
	struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	struct model *m = read_config(config);
	sqlite3 *db;

	assert_int_equal(store_save_model(store, m, "root", why, sizeof(why)), 0);
	store_close(&store);
	dump_objects(&before);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "CREATE TABLE o(kind TEXT NOT NULL, name TEXT NOT NULL, position "
			     "INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(kind, name)) "
			     "WITHOUT ROWID; INSERT INTO o SELECT * FROM objects; DROP TABLE "
			     "objects; ALTER TABLE o RENAME TO objects; UPDATE meta SET value='3' "
			     "WHERE name='version'",
			     NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)), 0);
	dump_objects(&after);
	assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	assert_int_equal(count_of("objects WHERE rowid > 0"), count_of("objects"));
	model_unref(&m);
	buf_free(&before);
	buf_free(&after);
}

static void test_file_mode(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640u, 0);
}

static void test_locked_then_free(void **state)
{
	struct cdr cdr = { .call_id = 5, .started = BASE };
	struct cdr_entry *entry = cdr_encode(CDR_END, &cdr);
	sqlite3 *other;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_sink(store, entry, 1), -EBUSY);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(store_sink(store, entry, 1), 0);
	assert_int_equal(count_of("calls"), 1);
	free(entry);
}

static void test_bad_entry_is_left_out(void **state)
{
	struct cdr_entry *good =
		cdr_encode(CDR_END, &(struct cdr){ .call_id = 5, .started = BASE });
	struct cdr_entry *bad = malloc(sizeof(*bad) + 2);

	*bad = (struct cdr_entry){ .len = 2, .kind = CDR_END, .next = good };
	memcpy(bad->data, "\x01\x09", 2);
	log_set_level((enum log_level) - 1);
	assert_int_equal(store_sink(store, bad, 2), 0);
	log_set_level(LOG_ERROR);
	assert_int_equal(count_of("calls"), 1);
	free(good);
	free(bad);
}

static void test_damaged_file(void **state)
{
	int fd;

	store_close(&store);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd,
			       "this is no database, it is a text of some length, longer than a "
			       "header of SQLite's would be, so "
			       "that nobody takes it for an empty file",
			       134),
			 134);
	close(fd);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)), -EBADMSG);
	assert_null(store);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "restore"));
}

static void test_newer_version_is_refused(void **state)
{
	sqlite3 *db;

	store_close(&store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE meta SET value='99'", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)),
			 -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "99"));
}

static void test_bad_urls(void **state)
{
	struct store *none = NULL;

	assert_int_equal(store_open(&none, "mysql:x", folder, why, sizeof(why)), -EINVAL);
	assert_int_not_equal(
		store_open(&none, "sqlite:/nonexistent/x.db", folder, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "/nonexistent/x.db"));
	assert_null(none);
}

/* A database of an older version without one of today's fields gets it. */
static void test_new_field(void **state)
{
	struct buf out = BUF_INIT(65536);
	sqlite3 *db;

	give_samples(1, 1);
	store_close(&store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "ALTER TABLE calls DROP COLUMN candidates", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)), 0);
	give_samples(2, 1);
	assert_int_equal(store_show_cdr(store, sample_id(1), &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "\"candidates\":null"));
	buf_free(&out);
}

static void *read_lists(void *arg)
{
	atomic_bool *stop = arg;
	struct cdr_filter filter = { .answered = -1, .limit = 50, .gateway = "a-1" };

	while (!atomic_load(stop)) {
		struct buf out = BUF_INIT(1 << 20);
		uint64_t next;

		assert_int_equal(store_list_cdrs(store, &filter, &out, &next), 0);
		assert_int_equal(store_list_audit(store, 5, &out), 0);
		buf_free(&out);
	}
	return NULL;
}

/* Pages are read while records arrive. */
/* ---- contacts ----------------------------------------------------------------------------- */

static void list_contact(void *arg, const struct store_device *d)
{
	const struct store_contact *c = d->contact;

	assert_int_equal(d->n, 1);
	buf_addf(arg, "%s %s %s %s %s %s %s %s %s %u %u %d %llu %llu\n", d->kind, d->name,
		 c->contact, c->path, c->transport, c->source, c->local, c->user_agent, c->call_id,
		 c->cseq, c->q, c->natted, (unsigned long long)c->registered_utc_us,
		 (unsigned long long)c->expires_utc_us);
}

static const char *contacts(struct buf *out, uint64_t utc_us)
{
	buf_reset(out);
	assert_int_equal(store_load_contacts(store, utc_us, list_contact, out), 0);
	return buf_cstr(out);
}

static void test_contacts(void **state)
{
	struct store_contact two[] = {
		{ "sip:a@x", "<sip:p;lr>", "UDP", "192.0.2.1:5060", "192.0.2.9:5060", "Phone 'x'",
		  "id", 7, 300, true, 10, 200 },
		{ "sip:b@x", "", "TCP", "[2001:db8::1]:5060", "[::1]:5060", "", "id2", 8, 900,
		  false, 20, 100 },
	};
	struct store_device devices[] = { { "phone", "1001", 2, two },
					  { "routing_gateway", "1001", 1, two + 1 } };
	struct buf out = BUF_INIT(8192);

	assert_string_equal(contacts(&out, 0), "");
	assert_int_equal(store_save_contacts(store, devices, 2), 0);
	/* best first; and again from the file */
	store_close(&store);
	assert_int_equal(store_open(&store, "sqlite:c.db", folder, why, sizeof(why)), 0);
	assert_string_equal(
		contacts(&out, 50),
		"phone 1001 sip:b@x  TCP [2001:db8::1]:5060 [::1]:5060  id2 8 900 0 20 100\n"
		"phone 1001 sip:a@x <sip:p;lr> UDP 192.0.2.1:5060 192.0.2.9:5060 Phone 'x' id 7 "
		"300 1 10 200\n"
		"routing_gateway 1001 sip:b@x  TCP [2001:db8::1]:5060 [::1]:5060  id2 8 900 0 20 "
		"100\n");
	/* what is not said any more goes, of that device alone */
	devices[0].n = 1;
	assert_int_equal(store_save_contacts(store, devices, 1), 0);
	assert_null(strstr(contacts(&out, 50), "phone 1001 sip:b@x"));
	assert_non_null(strstr(buf_cstr(&out), "routing_gateway 1001 sip:b@x"));
	/* what has expired goes for good */
	assert_null(strstr(contacts(&out, 100), "sip:b@x"));
	assert_null(strstr(contacts(&out, 0), "sip:b@x"));
	devices[0].n = 0;
	assert_int_equal(store_save_contacts(store, devices, 1), 0);
	assert_string_equal(contacts(&out, 0), "");
	buf_free(&out);
}

static void test_readers_and_writer(void **state)
{
	atomic_bool stop = false;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, read_lists, &stop);
	for (unsigned i = 0; i < 20; i++)
		give_samples(i * 30, 30);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_of("calls"), 600);
}

/* Journal and database together, as the switch has them. */
static void test_with_journal(void **state)
{
	struct journal_config journal_config = {
		.segment_bytes = 1 << 20, .sync_us = 1000, .sink = store_sink, .arg = store
	};
	struct journal *j = NULL;
	char inside[96];

	snprintf(inside, sizeof(inside), "%s/journal", folder);
	journal_config.folder = inside;
	assert_int_equal(journal_open(&j, &journal_config, NULL, why, sizeof(why)), 0);
	for (unsigned i = 1; i <= 500; i++) {
		struct cdr cdr = { .call_id = i, .attempt = 1, .started = BASE, .caller = "1" };

		journal_add(j, 0, cdr_encode(CDR_ATTEMPT, &cdr));
		journal_add(j, 0, cdr_encode(CDR_END, &cdr));
	}
	assert_true(journal_flush(j, 10 * SEC));
	assert_int_equal(count_of("calls"), 500);
	assert_int_equal(count_of("attempts"), 500);
	journal_close(&j);
	snprintf(inside, sizeof(inside), "rm -r %s/journal", folder);
	assert_int_equal(system(inside), 0);
}

/* What operators blacklisted comes back after a restart, but for what has expired or was taken off. */
static void test_blacklist(void **state)
{
	struct blacklist *b = blacklist_new();
	struct blacklist_entry entry;
	struct buf audit = BUF_INIT(1 << 16);

	assert_int_equal(store_put_blacklist(store, false, "4930", BASE, 0, "cli:root"), 0);
	assert_int_equal(store_put_blacklist(store, true, "4930", BASE, BASE + HOUR, "cli:root"),
			 0);
	assert_int_equal(store_put_blacklist(store, true, "it's", BASE, BASE + 2 * HOUR, NULL), 0);
	assert_int_equal(store_put_blacklist(store, true, "gone", BASE, 0, "api"), 0);
	assert_int_equal(store_drop_blacklist(store, true, "gone", "api"), 0);
	assert_int_equal(store_drop_blacklist(store, true, "never there", "api"), 0);
	assert_int_equal(store_load_blacklist(store, b, BASE + HOUR), 0);
	assert_true(blacklist_find(b, false, SPAN("4930"), BASE + HOUR, &entry));
	assert_int_equal(entry.until_us, 0);
	assert_int_equal(entry.since_us, BASE);
	assert_true(blacklist_find(b, true, SPAN("it's"), BASE + HOUR, &entry));
	assert_int_equal(entry.until_us, BASE + 2 * HOUR);
	assert_false(blacklist_find(b, true, SPAN("4930"), BASE, &entry));
	assert_false(blacklist_find(b, true, SPAN("gone"), BASE, &entry));
	assert_int_equal(store_list_audit(store, 10, &audit), 0);
	assert_non_null(strstr(buf_cstr(&audit),
			       "\"what\":\"blacklist remove\",\"detail\":{\"callee\":\"gone\"}"));
	buf_free(&audit);
	blacklist_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_show, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keeper, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blacklist, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked_then_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_entry_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects_get_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_version_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_urls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contacts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers_and_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_with_journal, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
