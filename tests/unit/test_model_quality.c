/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define START (1000 * SEC)

static const struct model_params params = { .quality_window = 60 * SEC, .quality_buckets = 6 };

static void count(struct load_quality *q, uint64_t at, bool answered)
{
	struct quality_attempt attempt = {
		.responded = true, .connected = answered, .answered = answered, .pdd_us = 2 * SEC
	};

	quality_count_attempt(q, &params, at, &attempt);
}

static struct quality read_at(const struct load_quality *q, uint64_t at)
{
	struct quality out;

	quality_read(q, &params, at, &out);
	return out;
}

static void test_sums(void **state)
{
	struct load_quality q = { 0 };
	struct quality sum;

	assert_int_equal(read_at(&q, START).attempts, 0);
	count(&q, START, true);
	count(&q, START + 15 * SEC, false);
	quality_count_attempt(&q, &params, START + 15 * SEC, &(struct quality_attempt){ 0 });
	quality_count_talk(&q, &params, START + 20 * SEC, 30 * SEC);
	sum = read_at(&q, START + 20 * SEC);
	assert_int_equal(sum.attempts, 3);
	assert_int_equal(sum.responded, 2);
	assert_int_equal(sum.connected, 1);
	assert_int_equal(sum.answered, 1);
	assert_int_equal(sum.pdd_us, 2 * SEC);
	assert_int_equal(sum.talks, 1);
	assert_int_equal(sum.talk_us, 30 * SEC);
}

/* The window moves on by a sixth of it. */
static void test_forgets(void **state)
{
	struct load_quality q = { 0 };

	count(&q, START, true);
	count(&q, START + 10 * SEC, true);
	assert_int_equal(read_at(&q, START + 59 * SEC).attempts, 2);
	assert_int_equal(read_at(&q, START + 60 * SEC).attempts, 1);
	assert_int_equal(read_at(&q, START + 70 * SEC).attempts, 0);
	count(&q, START + 60 * SEC, false); /* takes the bucket of the first */
	assert_int_equal(read_at(&q, START + 60 * SEC).attempts, 2);
	assert_int_equal(read_at(&q, START + 60 * SEC).answered, 1);
}

/* Against a list of everything that happened, each counted by the stretch it fell in. */
static void test_against_list(void **state)
{
	struct load_quality q = { 0 };
	uint64_t at[2000], now = START;
	bool answered[2000];

	for (unsigned n = 0; n < 2000; n++) {
		unsigned attempts = 0, good = 0;
		struct quality sum;

		now += rng_below(8) * SEC;
		at[n] = now;
		answered[n] = rng_below(2);
		count(&q, now, answered[n]);
		for (unsigned i = 0; i <= n; i++) {
			if (now / (10 * SEC) - at[i] / (10 * SEC) >= 6)
				continue;
			attempts++;
			good += answered[i];
		}
		sum = read_at(&q, now);
		assert_int_equal(sum.attempts, attempts);
		assert_int_equal(sum.answered, good);
	}
}

/* Within one stretch nothing is lost, however many count at once. */
static void *count_many(void *arg)
{
	for (unsigned i = 0; i < 20000; i++)
		count(arg, START + 1, i & 1);
	return NULL;
}

static void test_threads(void **state)
{
	struct load_quality q = { 0 };
	pthread_t threads[4];

	count(&q, START, false);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, &q), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(read_at(&q, START).attempts, 80001);
	assert_int_equal(read_at(&q, START).answered, 40000);
}

/* A gateway keeps its quality when the configuration changes; the key goes before the parameter. */
static void test_kept(void **state)
{
	static const char text[] = "version: 1\nrouting_gateways: [ { name: a, address: h }, "
				   "{ name: b, address: h, quality: off } ]\n";
	struct model_hub *hub = model_hub_new();
	struct model_error error;
	struct model *m = NULL;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(model_read_yaml(&m, SPAN(text), &error, 1), 0);
		model_hub_swap(hub, m);
		m = model_hub_get(hub);
		assert_int_equal(read_at(m->routings[0].quality, START).attempts, i);
		count(m->routings[0].quality, START, true);
		assert_true(model_quality_counts(m, &m->routings[0]));
		assert_false(model_quality_counts(m, &m->routings[1]));
		model_unref(&m);
	}
	model_hub_free(&hub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),         cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_against_list), cmocka_unit_test(test_threads),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
