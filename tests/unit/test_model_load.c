/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model_int.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4

static void test_lines(void **state)
{
	struct load load = { 0 };

	for (int i = 0; i < 3; i++)
		assert_true(load_take_line(&load, 3));
	assert_false(load_take_line(&load, 3));
	assert_false(load_take_line(&load, 2));
	assert_true(load_take_line(&load, 0));
	assert_int_equal(load.lines, 4);
	assert_int_equal(load.peak_lines, 4);
	assert_int_equal(load.refused_lines, 2);
	for (int i = 0; i < 4; i++)
		load_give_line(&load);
	assert_int_equal(load.lines, 0);
}

/* For all stretches of time: never more than the burst and what flows in meanwhile. Decisions are those of a bucket
 * with whole tokens wherever a call's share of a second is a whole number to both. */
static void check_burst(uint32_t calls, uint32_t burst, uint32_t period_s)
{
	const struct call_rate rate = { calls, burst, period_s };
	const uint64_t price = period_s * SEC;
	struct load load = { 0 };
	uint64_t now = rng_u32(), tokens = burst * price, times[2000];
	unsigned n = 0;

	for (unsigned i = 0; i < 20000 && n < ARRAY_SIZE(times); i++) {
		uint64_t idle =
			rng_below(4) ? rng_below(3) : rng_below((uint32_t)(3 * price / calls) + 2);
		bool exact = (price << 14) % calls == 0, taken;

		if (rng_below(300) == 0)
			idle += burst * price / calls; /* a pause fills it */
		now += idle;
		tokens += idle * calls;
		if (tokens > burst * price)
			tokens = burst * price;
		if (exact)
			assert_int_equal(load_rate_left(&load, &rate, now), tokens / price);
		taken = load_take_rate(&load, &rate, now);
		if (exact)
			assert_int_equal(taken, tokens >= price);
		if (taken) {
			times[n++] = now;
			tokens -= tokens >= price ? price : 0;
		} else {
			uint64_t wait = load_rate_wait(&load, &rate, now);

			assert_true(wait > 0);
			assert_int_equal(load_rate_wait(&load, &rate, now + wait), 0);
			assert_true(wait == 1 || load_rate_wait(&load, &rate, now + wait - 1));
		}
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i; j < n; j++)
			if ((j - i + 1 - (uint64_t)burst) * price > (times[j] - times[i]) * calls &&
			    j - i + 1 > burst)
				fail_msg("%u calls within %lu us at %u in %u s, burst %u",
					 j - i + 1, (unsigned long)(times[j] - times[i]), calls,
					 period_s, burst);
}

static void test_burst_against_naive(void **state)
{
	static const uint32_t rates[] = { 1, 2, 3, 7, 10, 50, 64, 99, 1000 };
	static const uint32_t bursts[] = { 1, 2, 3, 10, 77, 1500 };
	static const uint32_t periods[] = { 1, 7, 60 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		for (size_t j = 0; j < ARRAY_SIZE(bursts); j++)
			for (size_t k = 0; k < ARRAY_SIZE(periods); k++)
				check_burst(rates[i], bursts[j], periods[k]);
}

/* Simulated time, random arrivals: in every stretch of w seconds at most rate * (1 + w) calls; and a patient caller
 * gets the whole rate. */
static void check_rate(uint32_t rate)
{
	const struct call_rate limit = { rate, 0, 1 };
	struct load load = { 0 };
	uint64_t now = rng_u32(), start = now, taken = 0, asked = 0, step = SEC / rate / 3 + 1;

	for (; asked < 20000; asked++) {
		bool could = load_rate_wait(&load, &limit, now) == 0,
		     did = load_take_rate(&load, &limit, now);

		assert_int_equal(could, did);
		taken += did;
		/* the burst, and what has flowed in since */
		assert_true((taken - rate) * SEC <= (now - start) * rate || taken <= rate);
		now += rng_below((uint32_t)step * 2);
	}
	/* It was asked for about thrice the rate: nothing may be lost but rounding, unless the bucket is so small
	 * that it runs over between two calls. */
	assert_true(rate < 7 || (taken + 2) * SEC * 1000 >= (now - start) * rate * 998 ||
		    taken >= asked);
}

static void test_rate(void **state)
{
	static const uint32_t rates[] = { 1, 2, 3, 7, 20, 50, 999, 1000, 30000, 700001, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		check_rate(rates[i]);
}

static void test_burst(void **state)
{
	static const uint32_t rates[] = { 1, 3, 7, 20, 999, 65537, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct call_rate limit = { rates[i], 0, 1 }, none = { 0, 0, 1 };
		struct load load = { 0 };
		uint64_t now = 123456789012ull;

		for (uint32_t n = 0; n < rates[i]; n++)
			assert_true(load_take_rate(&load, &limit, now));
		assert_false(load_take_rate(&load, &limit, now));
		load_give_rate(&load, &limit);
		assert_true(load_take_rate(&load, &limit, now));
		assert_false(load_take_rate(&load, &limit, now));
		now += SEC / rates[i] + 1;
		assert_true(load_take_rate(&load, &limit, now));
		now += 400 * 86400 * SEC; /* a long silence fills one second's worth, not more */
		for (uint32_t n = 0; n < rates[i]; n++)
			assert_true(load_take_rate(&load, &limit, now));
		assert_false(load_take_rate(&load, &limit, now));
		assert_int_equal(load.refused_rate, 3);
		assert_true(load_take_rate(&load, &none, now));
		/* a clock that begins anew does not lock anybody out */
		assert_true(load_take_rate(&load, &limit, 5));
	}
}

/* Calls an hour, calls a day, and more burst than could flow in within years: nothing runs over. */
static void test_long_periods(void **state)
{
	static const struct call_rate rates[] = {
		{ 1, 0, 86400 }, { 1000000, 0, 86400 }, { 1, 1000000, 86400 }, { 30, 0, 3600 }
	};
	struct load load = { 0 };
	uint64_t now = 30ull * 365 * 86400 * SEC, wait;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct call_rate *rate = &rates[i];
		uint32_t left;

		atomic_store(&load.rate_state, 0);
		left = load_rate_left(&load, rate, now);
		assert_int_equal(left, rate->burst ? 814 : rate->calls);
		for (uint32_t n = 0; n < left; n++)
			assert_true(load_take_rate(&load, rate, now));
		assert_false(load_take_rate(&load, rate, now));
		wait = load_rate_wait(&load, rate, now);
		assert_in_range(wait, 1, rate->period_s * SEC / rate->calls + 1);
		assert_true(load_take_rate(&load, rate, now + wait));
	}
}

static void *take_and_give(void *arg)
{
	const struct call_rate rate = { 100, 0, 1 };
	struct load *load = arg;

	for (int i = 0; i < 20000; i++) {
		if (!load_take_line(load, 3))
			continue;
		assert(atomic_load(&load->lines) <= 3);
		load_take_rate(load, &rate, 7 * SEC);
		load_give_line(load);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct load load = { 0 };
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, take_and_give, &load);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(load.lines, 0);
	assert_in_range(load.peak_lines, 1, 3);
	assert_int_equal(load.refused_lines + 100 + load.refused_rate, THREADS * 20000);
}

/* ---- hub --------------------------------------------------------------------------------- */

static struct model *model_of(const char *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &error, 1))
		fail_msg("line %u %s: %s", error.line, error.object, error.text);
	return m;
}

#define ONE                                                                                        \
	"version: 1\nrouting_gateways: [ { name: a, address: h } ]\nmapping_gateways: [ { name: "  \
	"a, addresses: 192.0.2.1 } ]\nphones: [ { number: \"1\" } ]\n"
#define TWO                                                                                        \
	"version: 1\nrouting_gateways: [ { name: b, address: h }, { name: a, address: h2 } "       \
	"]\nphones: [ { number: \"2\" }, { number: \"1\" } ]\n"

static int bind_one(void *arg, struct bindings *all)
{
	all->n = 1;
	all->binding[0] = *(const struct binding *)arg;
	return 0;
}

static void test_carry(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct model *one, *two, *old;
	struct binding b = { .contact = "sip:1@192.0.2.7" };
	struct bindings seen;
	struct load *load;

	model_hub_swap(hub, model_of(ONE));
	one = model_hub_get(hub);
	assert_int_equal(one->version, 2);
	load = model_routing(one, SPAN("a"))->load;
	assert_ptr_not_equal(load, model_mapping(one, SPAN("a"))->load);
	assert_true(load_take_line(load, 1));
	assert_true(load_take_line(one->load, 0));
	assert_int_equal(registration_update(load_registration(model_phone(one, SPAN("1"))->load),
					     bind_one, &b),
			 0);
	old = model_ref(one);
	model_unref(&one);

	model_hub_swap(hub, model_of(TWO));
	two = model_hub_get(hub);
	assert_int_equal(model_hub_version(hub), 3);
	assert_ptr_equal(model_routing(two, SPAN("a"))->load, load);
	assert_string_equal(model_routing(two, SPAN("a"))->host, "h2");
	assert_int_equal(model_routing(two, SPAN("b"))->load->lines, 0);
	assert_int_equal(two->load->lines, 1);
	registration_read(load_registration(model_phone(two, SPAN("1"))->load), &seen);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.binding[0].contact, b.contact);
	registration_read(load_registration(model_phone(two, SPAN("2"))->load), &seen);
	assert_int_equal(seen.n, 0);

	/* a call that began on the old snapshot gives back what the new one counts */
	load_give_line(model_routing(old, SPAN("a"))->load);
	assert_int_equal(model_routing(two, SPAN("a"))->load->lines, 0);
	load_give_line(old->load);
	model_unref(&old);
	model_unref(&two);
	model_hub_free(&hub);
	assert_null(hub);
}

static atomic_bool done;

static void *use_hub(void *arg)
{
	struct model_hub *hub = arg;
	uint64_t version = 0;
	struct model *m = NULL;

	while (!atomic_load(&done)) {
		const struct model_routing *gw;

		if (model_hub_version(hub) != version) {
			model_unref(&m);
			m = model_hub_get(hub);
			assert(m->version >= version);
			version = m->version;
		}
		gw = model_routing(m, SPAN("a"));
		if (gw && load_take_line(gw->load, 2))
			load_give_line(gw->load);
	}
	model_unref(&m);
	return NULL;
}

static void test_hub_threads(void **state)
{
	struct model_hub *hub = model_hub_new();
	pthread_t threads[THREADS];
	struct model *m;

	atomic_store(&done, false);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, use_hub, hub);
	for (int i = 0; i < 100; i++)
		model_hub_swap(hub, model_of(i & 1 ? ONE : TWO));
	atomic_store(&done, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	m = model_hub_get(hub);
	assert_int_equal(m->version, 101);
	assert_int_equal(model_routing(m, SPAN("a"))->load->lines, 0);
	assert_true(model_routing(m, SPAN("a"))->load->peak_lines <= 2);
	model_unref(&m);
	model_hub_free(&hub);
}

/* A large snapshot: as many phones as take some megabytes. */
static struct model *large_model(void)
{
	struct buf text = BUF_INIT(1 << 20);
	struct model *m;

	buf_add_str(&text, "version: 1\nphones:\n");
	for (unsigned i = 0; i < 4000; i++)
		buf_addf(&text, "  - { number: \"%u\", password: x }\n", 100000 + i);
	m = model_of(buf_cstr(&text));
	assert_true(arena_size(m->arena) > 1 << 20);
	buf_free(&text);
	return m;
}

static unsigned box_refs(const struct model *m)
{
	return atomic_load(&load_box_of(m->phones[0].load)->refs);
}

/* Large snapshots are freed by another thread: what they share with their successors goes on. */
static void test_reaper(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct model *old, *new;

	model_hub_swap(hub, large_model());
	old = model_hub_get(hub);
	load_take_line(old->phones[0].load, 0);
	model_hub_swap(hub, large_model());
	new = model_hub_get(hub);
	assert_ptr_equal(old->phones[0].load, new->phones[0].load);
	assert_int_equal(box_refs(new), 2);
	model_unref(&old);
	for (unsigned i = 0; i < 5000 && box_refs(new) > 1; i++)
		usleep(1000);
	assert_int_equal(box_refs(new), 1);
	load_give_line(new->phones[0].load);
	model_unref(&new);
	model_hub_free(&hub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_long_periods),
		cmocka_unit_test(test_burst_against_naive),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_hub_threads),
		cmocka_unit_test(test_reaper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
