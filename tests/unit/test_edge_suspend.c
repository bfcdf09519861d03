/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Suspension: by user and source, in a row, for a time; and many threads at one table. */
#include "edge/edge_suspend.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdatomic.h>

#define LIMIT 3
#define TIME (180 * SEC)
#define START (1000 * SEC)

static struct suspensions *s;
static union net_addr home, elsewhere;

static struct suspect suspect(const char *user, const union net_addr *source)
{
	return (struct suspect){ SUSPEND_REGISTER, span_of(user), "secret", source };
}

static bool fails(const struct suspect *who, uint64_t at)
{
	return suspensions_failed(s, who, LIMIT, TIME, at);
}

static void test_in_a_row(void **state)
{
	struct suspect who = suspect("1001", &home);

	assert_int_equal(suspensions_left(s, &who, START), 0);
	assert_false(fails(&who, START));
	assert_false(fails(&who, START + 1));
	suspensions_passed(s, &who); /* a success in between begins anew */
	assert_false(fails(&who, START + 2));
	assert_false(fails(&who, START + 3));
	assert_int_equal(suspensions_left(s, &who, START + 3), 0);
	assert_true(fails(&who, START + 4));
	assert_int_equal(suspensions_left(s, &who, START + 5), TIME - 1);
	/* further failures do not prolong it */
	assert_false(fails(&who, START + 100));
	assert_int_equal(suspensions_left(s, &who, START + 4 + TIME - 1), 1);
	assert_int_equal(suspensions_left(s, &who, START + 4 + TIME), 0);
	/* those of long ago do not count */
	assert_false(fails(&who, START + 3 * TIME));
	assert_false(fails(&who, START + 3 * TIME + 1));
	assert_true(fails(&who, START + 3 * TIME + 2));
}

static void test_who(void **state)
{
	struct suspect who = suspect("1001", &home), other = who;

	for (int i = 0; i < LIMIT; i++)
		fails(&who, START);
	assert_true(suspensions_left(s, &who, START) > 0);
	other.source = &elsewhere;
	assert_int_equal(suspensions_left(s, &other, START), 0);
	other = who;
	other.kind = SUSPEND_CALL;
	assert_int_equal(suspensions_left(s, &other, START), 0);
	other = who;
	other.secret = "corrected";
	assert_int_equal(suspensions_left(s, &other, START), 0);
	other = suspect("100", &home);
	assert_int_equal(suspensions_left(s, &other, START), 0);
	/* 0 suspends nobody */
	for (int i = 0; i < 100; i++)
		assert_false(suspensions_failed(s, &other, 0, TIME, START));
	assert_int_equal(suspensions_left(s, &other, START), 0);
}

static void test_lift(void **state)
{
	struct suspect one = suspect("1001", &home), two = suspect("1002", &home),
		       none = suspect("", &elsewhere);
	struct buf out = BUF_INIT(4096);

	for (int i = 0; i < LIMIT; i++) {
		fails(&one, START);
		fails(&two, START);
		fails(&none, START);
	}
	suspensions_write(s, START, &out);
	assert_non_null(strstr(buf_cstr(&out),
			       "{\"user\":\"1002\",\"source\":\"192.0.2.1\",\"kind\":"
			       "\"registrations\",\"failures\":3,\"left_s\":180}"));
	assert_non_null(strstr(buf_cstr(&out), "(unknown users)"));
	assert_int_equal(suspensions_lift(s, "1009", START), 0);
	assert_int_equal(suspensions_lift(s, "1001", START), 1);
	assert_int_equal(suspensions_left(s, &one, START), 0);
	assert_true(suspensions_left(s, &two, START) > 0);
	assert_int_equal(suspensions_lift(s, NULL, START), 2);
	buf_reset(&out);
	suspensions_write(s, START, &out);
	assert_string_equal(buf_cstr(&out), "[]");
	buf_free(&out);
}

/* However many others fail, one who is suspended stays so: idle places go first. */
static void test_crowd(void **state)
{
	struct suspect who = suspect("1001", &home);
	char user[16];

	for (int i = 0; i < LIMIT; i++)
		fails(&who, START);
	for (unsigned i = 0; i < 100000; i++) {
		struct suspect other;

		fmt_print(user, sizeof(user), "u%u", i);
		other = suspect(user, &elsewhere);
		fails(&other, START + 1);
	}
	assert_true(suspensions_left(s, &who, START + 2) > 0);
}

static atomic_uint suspended;

static void *attack(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 20000; i++) {
		char user[16];
		struct suspect who;

		fmt_print(user, sizeof(user), "u%u", (i * 7 + seed) % 50);
		who = suspect(user, &home);
		if (suspensions_failed(s, &who, 1000, TIME, START))
			atomic_fetch_add(&suspended, 1);
		suspensions_left(s, &who, START);
	}
	return NULL;
}

/* 50 users, each failing 1600 times by all threads together: each is suspended exactly once. */
static void test_threads(void **state)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, attack, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&suspended), 50);
	assert_int_equal(suspensions_lift(s, NULL, START), 50);
}

static int setup(void **state)
{
	net_addr_parse(&home, SPAN("192.0.2.1"), 5060);
	net_addr_parse(&elsewhere, SPAN("[2001:db8::9]"), 5060);
	return suspensions_new(&s);
}

static int teardown(void **state)
{
	suspensions_free(&s);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lift, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
