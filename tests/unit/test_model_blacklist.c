/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dynamic blacklist: each rule with its window and expiry, operators' entries, what a full table keeps, and all
 * workers at it at once. */
#include "model/model.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define START (1763800000 * SEC)

static struct blacklist *list;
static struct model_params params;
static uint64_t now;

static int setup(void **state)
{
	list = blacklist_new();
	params = (struct model_params){ .blacklist_calls_window = 60 * SEC,
					.blacklist_calls_expire = 600 * SEC,
					.blacklist_lines_expire = 300 * SEC,
					.blacklist_no_answer_window = 100 * SEC,
					.blacklist_no_answer_expire = 50 * SEC };
	now = START;
	return !list;
}

static int teardown(void **state)
{
	blacklist_free(&list);
	assert_null(list);
	return 0;
}

static bool is_listed(bool callee, const char *number)
{
	struct blacklist_entry entry;

	return blacklist_find(list, callee, span_of(number), now, &entry);
}

/* 0 = it lists its caller. */
static uint32_t begin(const char *caller)
{
	struct blacklist_entry entry;
	uint32_t hold;
	bool listed = blacklist_call_begins(list, &params, span_of(caller), now, &hold, &entry);

	if (listed)
		assert_int_equal(strncmp(entry.number, caller, BLACKLIST_NUMBER_MAX), 0);
	return listed ? 0 : hold ? hold : UINT32_MAX;
}

static void test_off(void **state)
{
	struct buf copy = BUF_INIT(1 << 20);

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(begin("1"), UINT32_MAX);
		blacklist_call_rang(list, &params, SPAN("2"), false, now);
	}
	blacklist_copy(list, now, &copy);
	assert_int_equal(copy.len, 0);
	assert_false(blacklist_find(NULL, false, SPAN("1"), now, &(struct blacklist_entry){ 0 }));
}

static void test_calls(void **state)
{
	struct blacklist_entry entry;

	params.blacklist_calls_limit = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(begin("1"), UINT32_MAX);
	now += 60 * SEC; /* a new window */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(begin("1"), UINT32_MAX);
		assert_int_equal(begin("2"), UINT32_MAX);
	}
	assert_false(is_listed(false, "1"));
	now += 59 * SEC;
	assert_int_equal(begin("1"), 0);
	assert_true(blacklist_find(list, false, SPAN("1"), now, &entry));
	assert_int_equal(entry.rule, BLACKLIST_CALLS);
	assert_int_equal(entry.count, 4);
	assert_int_equal(entry.limit, 3);
	assert_int_equal(entry.until_us, now + 600 * SEC);
	assert_false(is_listed(true, "1")); /* as a callee it is another */
	assert_false(is_listed(false, "2"));
	now += 600 * SEC - 1;
	assert_true(is_listed(false, "1"));
	now += 1;
	assert_false(is_listed(false, "1"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(begin("1"), UINT32_MAX);
	assert_int_equal(begin("1"), 0);
}

static void test_lines(void **state)
{
	struct blacklist_entry entry;
	uint32_t a, b;

	params.blacklist_lines_limit = 2;
	a = begin("1");
	b = begin("1");
	assert_true(a && b && a == b);
	blacklist_call_ends(list, a);
	a = begin("1");
	assert_true(a);
	assert_int_equal(begin("1"), 0);
	assert_true(blacklist_find(list, false, SPAN("1"), now, &entry));
	assert_int_equal(entry.rule, BLACKLIST_LINES);
	assert_int_equal(entry.count, 3);
	now += 300 * SEC; /* free again, with two calls up still */
	assert_false(is_listed(false, "1"));
	assert_int_equal(begin("1"), 0);
	now += 300 * SEC;
	blacklist_call_ends(list, a);
	blacklist_call_ends(list, b);
	blacklist_call_ends(list, 0);
	assert_int_not_equal(begin("1"), 0);
}

static void test_no_answer(void **state)
{
	struct blacklist_entry entry;

	params.blacklist_no_answer_limit = 3;
	for (int i = 0; i < 2; i++)
		blacklist_call_rang(list, &params, SPAN("9"), false, now);
	blacklist_call_rang(list, &params, SPAN("9"), true, now); /* it does answer */
	for (int i = 0; i < 2; i++)
		blacklist_call_rang(list, &params, SPAN("9"), false, now);
	assert_false(is_listed(true, "9"));
	blacklist_call_rang(list, &params, SPAN("9"), false, now);
	assert_true(blacklist_find(list, true, SPAN("9"), now, &entry));
	assert_int_equal(entry.rule, BLACKLIST_NO_ANSWER);
	assert_int_equal(entry.count, 3);
	now += 50 * SEC;
	assert_false(is_listed(true, "9"));
	for (int i = 0; i < 2; i++)
		blacklist_call_rang(list, &params, SPAN("9"), false, now);
	assert_false(is_listed(true, "9"));
}

static void test_operator(void **state)
{
	struct buf copy = BUF_INIT(1 << 20);
	struct blacklist_entry entry;

	params.blacklist_calls_limit = 1;
	assert_int_equal(blacklist_add(list, false, SPAN("1"), now, 0), 0);
	assert_int_equal(blacklist_add(list, true, SPAN("1"), now, now + SEC), 0);
	now += 1000000 * SEC;
	assert_true(blacklist_find(list, false, SPAN("1"), now, &entry));
	assert_int_equal(entry.rule, BLACKLIST_CALLER);
	assert_int_equal(entry.until_us, 0);
	assert_false(is_listed(true, "1"));
	begin("1"); /* by an exempt road: what the operator said stays */
	begin("1");
	blacklist_copy(list, now, &copy);
	assert_int_equal(copy.len, sizeof(entry));
	memcpy(&entry, copy.p, sizeof(entry));
	assert_int_equal(entry.rule, BLACKLIST_CALLER);
	assert_string_equal(entry.number, "1");
	assert_true(blacklist_remove(list, false, SPAN("1"), now));
	assert_false(blacklist_remove(list, false, SPAN("1"), now));
	assert_false(blacklist_remove(list, false, SPAN("never seen"), now));
	assert_false(is_listed(false, "1"));
	buf_free(&copy);
}

/* Of long numbers the beginning counts: nobody escapes by a tail. */
static void test_long(void **state)
{
	char number[200];

	params.blacklist_calls_limit = 1;
	memset(number, '7', sizeof(number));
	number[sizeof(number) - 1] = '\0';
	begin(number + 50);
	number[180] = '1';
	assert_false(is_listed(false, number));
	begin(number);
	assert_true(is_listed(false, number + 40));
}

/* A flood of other numbers displaces tallies, then listings that a rule made, never an operator's nor calls up. */
static void test_flood(void **state)
{
	struct buf copy = BUF_INIT(64u << 20);
	struct blacklist_entry entry;
	uint32_t up[20];
	char number[32];

	params.blacklist_lines_limit = 1;
	for (int i = 0; i < 20; i++) {
		snprintf(number, sizeof(number), "up%d", i);
		up[i] = begin(number);
		snprintf(number, sizeof(number), "op%d", i);
		assert_int_equal(blacklist_add(list, true, span_of(number), now, now + 86400 * SEC),
				 0);
	}
	for (int i = 0; i < 300000; i++) {
		uint32_t hold;

		now += 10;
		snprintf(number, sizeof(number), "flood%d", i);
		hold = begin(number);
		assert_int_not_equal(hold, 0);
		if (hold != UINT32_MAX)
			blacklist_call_ends(list, hold);
	}
	for (int i = 0; i < 20; i++) {
		snprintf(number, sizeof(number), "up%d", i);
		assert_int_equal(begin(number), 0); /* its first call is still known */
		blacklist_call_ends(list, up[i]);
		snprintf(number, sizeof(number), "op%d", i);
		assert_true(is_listed(true, number));
	}
	blacklist_copy(list, now, &copy);
	assert_int_equal(copy.len, 40 * sizeof(entry));
	buf_free(&copy);
}

/* ---- all workers --------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 20000
#define NUMBERS 5

static atomic_uint refused;

static void *work(void *arg)
{
	struct blacklist_entry entry;
	char number[8];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t hold;

		snprintf(number, sizeof(number), "%u", i % NUMBERS);
		if (blacklist_find(list, false, span_of(number), START, &entry))
			assert_string_equal(entry.number, number);
		if (blacklist_call_begins(list, &params, span_of(number), START, &hold, &entry)) {
			assert_int_equal(hold, 0);
			atomic_fetch_add(&refused, 1);
			blacklist_remove(list, false, span_of(number), START);
		}
		blacklist_call_rang(list, &params, span_of(number), i & 1, START);
		blacklist_call_ends(list, hold);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	char number[8];

	params.blacklist_lines_limit = THREADS - 1;
	params.blacklist_no_answer_limit = 1000000;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Nothing leaked: each number has all its lines again, and no more. */
	for (unsigned i = 0; i < NUMBERS; i++) {
		uint32_t hold[THREADS];

		snprintf(number, sizeof(number), "%u", i);
		blacklist_remove(list, false, span_of(number), START);
		for (unsigned j = 0; j < THREADS - 1; j++) {
			hold[j] = begin(number);
			assert_true(hold[j] && hold[j] != UINT32_MAX);
		}
		assert_int_equal(begin(number), 0);
		for (unsigned j = 0; j < THREADS - 1; j++)
			blacklist_call_ends(list, hold[j]);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_off),      TEST(test_calls), TEST(test_lines), TEST(test_no_answer),
		TEST(test_operator), TEST(test_long),  TEST(test_flood), TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
