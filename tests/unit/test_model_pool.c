/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools of caller numbers: never above the limit, nothing lost, whoever takes and whatever is reloaded. */
#include "route/route.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct admit_result nobody;

static struct model *model_with(const char *numbers, unsigned reuse, const char *order)
{
	struct buf text = BUF_INIT(1 << 20);
	struct model *m = NULL;
	struct model_error e;

	buf_addf(&text,
		 "version: 1\nparameters: { caller_pool_in_turn: %s }\n"
		 "number_groups: [ { name: pool, numbers: [ %s ], prefixes: [ \"99\" ] } ]\n"
		 "routing_gateways:\n"
		 "  - { name: g, address: h, caller_pool: pool, caller_pool_reuse: %u, "
		 "caller_rules: \"*:x*\" }\n"
		 "  - { name: free, address: h, caller_pool: pool }\n",
		 order, numbers, reuse);
	if (model_read_yaml(&m, buf_span(&text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	buf_free(&text);
	return m;
}

static bool take(const struct model *m, const char *gateway, uint64_t random, bool take,
		 struct sent_numbers *sent)
{
	struct route_candidate to = { .gateway = model_routing(m, span_of(gateway)) };
	struct call_request req = { .caller = SPAN("5"), .callee = SPAN("8801"), .random = random };
	struct reason why;
	char text[160];

	if (route_numbers(m, &to, &req, &nobody, 1, take, sent, &why))
		return true;
	assert_int_equal(why.code, REASON_CALLER_POOL);
	assert_string_equal(reason_text(&why, text, sizeof(text)),
			    "g: each number of its caller pool pool is used by 2 calls already");
	return false;
}

static void give(const struct model *m, int64_t place)
{
	struct route_candidate to = { .gateway = model_routing(m, SPAN("g")) };

	route_give_number(&to, place);
}

static void test_exhausted(void **state)
{
	struct model *m = model_with("\"11\", \"22\", \"33\"", 2, "off");
	struct sent_numbers sent;
	unsigned used[3] = { 0 };

	for (unsigned i = 0; i < 6; i++) {
		assert_true(take(m, "g", i * 77, false, &sent)); /* asking takes nothing */
		assert_true(take(m, "g", i * 77, true, &sent));
		assert_string_equal(sent.caller.pool->name, "pool");
		assert_null(sent.caller.rule);
		used[sent.pool_place]++;
		assert_true(span_eq(sent.caller.number,
				    number_set_at(model_number_group(m, SPAN("pool"))->numbers,
						  (unsigned)sent.pool_place)));
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(used[i], 2);
	assert_false(take(m, "g", 1, true, &sent));
	assert_int_equal(sent.pool_place, -1);
	assert_false(take(m, "g", 1, false, &sent));
	assert_true(take(m, "free", 1, true, &sent)); /* its own limit counts: none */
	give(m, sent.pool_place);
	give(m, 1);
	assert_true(take(m, "g", 1, true, &sent));
	assert_int_equal(sent.pool_place, 1);
	give(m, -1);
	model_unref(&m);
}

static void test_in_turn(void **state)
{
	struct model *m = model_with("\"11\", \"22\", \"33\"", 2, "on");
	static const char *const order[] = { "11", "22", "33", "11", "22", "33" };
	struct sent_numbers sent;

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		assert_true(take(m, "g", 99, true, &sent));
		assert_true(span_eq(sent.caller.number, span_of(order[i])));
	}
	give(m, 1);
	assert_true(take(m, "g", 99, true, &sent)); /* it would be 11's turn, which is full */
	assert_true(span_eq(sent.caller.number, SPAN("22")));
	model_unref(&m);
}

static void test_random(void **state)
{
	struct model *m = model_with("\"11\", \"22\", \"33\"", 0, "off");
	unsigned used[3] = { 0 };

	for (uint64_t i = 0; i < 3000; i++) {
		struct sent_numbers sent;

		assert_true(take(m, "free", i, true, &sent));
		used[sent.pool_place]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(used[i], 800, 1200);
	model_unref(&m);
}

/* A number that both configurations list keeps its count; calls give back to the configuration that they began with. */
static void test_reload(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct model *first, *second, *third;
	struct sent_numbers a, b, c;

	model_hub_swap(hub, model_with("\"11\", \"22\"", 2, "on"));
	first = model_hub_get(hub);
	assert_true(take(first, "g", 0, true, &a)); /* 11 */
	assert_true(take(first, "g", 0, true, &b)); /* 22 */
	assert_true(take(first, "g", 0, true, &c)); /* 11 */
	model_hub_swap(hub, model_with("\"22\", \"33\", \"11\"", 2, "on"));
	second = model_hub_get(hub);
	assert_true(take(second, "g", 0, true, &a)); /* in turn: place 0, 22 */
	assert_true(span_eq(a.caller.number, SPAN("22")));
	assert_true(take(second, "g", 0, true, &a)); /* 33 */
	assert_true(take(second, "g", 0, true, &a)); /* 11 is full, 22 too: 33 */
	assert_true(span_eq(a.caller.number, SPAN("33")));
	assert_false(take(second, "g", 0, true, &a));
	give(first, b.pool_place); /* 22, by a call that began before */
	assert_true(take(second, "g", 0, true, &a));
	assert_true(span_eq(a.caller.number, SPAN("22")));
	model_hub_swap(hub, model_with("\"44\"", 2, "on"));
	model_unref(&second);
	give(first, c.pool_place); /* 11 is no longer listed by anybody else */
	third = model_hub_get(hub);
	assert_true(take(third, "g", 0, true, &a));
	assert_true(span_eq(a.caller.number, SPAN("44")));
	model_unref(&first);
	model_unref(&third);
	model_hub_free(&hub);
}

static void test_faults(void **state)
{
	struct model_error e;
	struct model *m = NULL;

	assert_int_equal(
		model_read_yaml(
			&m,
			SPAN("version: 1\nnumber_groups: [ { name: p, prefixes: [ \"1\" ] } ]\n"
			     "routing_gateways: [ { name: g, address: h, caller_pool: p } ]\n"),
			&e, 1),
		1);
	assert_string_equal(e.text, "caller_pool: the number group `p` lists no numbers");
	assert_int_equal(e.line, 3);
}

#define THREADS 4
#define ROUNDS 20000
static struct model *shared;
static atomic_int most, holders[5];

static void *contend(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sent_numbers sent;
		int now, seen;

		if (!take(shared, "g", number_random(&random), true, &sent))
			continue;
		now = atomic_fetch_add(&holders[sent.pool_place], 1) + 1;
		seen = atomic_load(&most);
		while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
			;
		atomic_fetch_sub(&holders[sent.pool_place], 1);
		give(shared, sent.pool_place);
	}
	return NULL;
}

static void test_contention(void **state)
{
	pthread_t threads[THREADS];
	struct sent_numbers sent;

	shared = model_with("\"1\"", 2, "off");
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contend, (void *)(uintptr_t)i),
				 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(atomic_load(&most), 1, 2);
	assert_true(take(shared, "g", 0, true, &sent)); /* all was given back */
	assert_true(take(shared, "g", 0, true, &sent));
	assert_false(take(shared, "g", 0, true, &sent));
	model_unref(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhausted), cmocka_unit_test(test_in_turn),
		cmocka_unit_test(test_random),    cmocka_unit_test(test_reload),
		cmocka_unit_test(test_faults),    cmocka_unit_test(test_contention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
