/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TIMERS 2000

static struct wheel wheel;
static uint64_t now;

struct probe {
	struct timer timer;
	uint64_t due;
	unsigned fired;
};

static void on_fire(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	probe->fired++;
	assert_true(now >= probe->due);
	assert_true(now < probe->due + 2 * WHEEL_TICK_US);
}

/* Against the plain truth: every timer fires once, within two ticks after its time. */
static void test_random_timers(void **state)
{
	static struct probe probes[TIMERS];
	uint64_t longest = 0;

	(void)state;
	now = 123456789;
	wheel_init(&wheel, now);
	for (int i = 0; i < TIMERS; i++) {
		uint64_t after = rng_below(1u << (8 + rng_below(20)));

		timer_init(&probes[i].timer, on_fire);
		probes[i].due = now + after;
		wheel_start(&wheel, &probes[i].timer, now, after);
		longest = after > longest ? after : longest;
	}
	for (uint64_t end = now + longest + 2 * WHEEL_TICK_US; now < end;) {
		uint64_t wait = wheel_wait(&wheel, now, SEC);

		now += wait ? wait : 1;
		wheel_run(&wheel, now);
	}
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(probes[i].fired, 1);
	assert_int_equal(wheel.count, 0);
}

static void test_stop_and_restart(void **state)
{
	struct probe probe = { .fired = 0 };

	(void)state;
	now = 0;
	wheel_init(&wheel, now);
	timer_init(&probe.timer, on_fire);
	wheel_stop(&wheel, &probe.timer);
	wheel_start(&wheel, &probe.timer, now, SEC);
	wheel_stop(&wheel, &probe.timer);
	now = 2 * SEC;
	wheel_run(&wheel, now);
	assert_int_equal(probe.fired, 0);
	probe.due = now + 5 * SEC;
	wheel_start(&wheel, &probe.timer, now, SEC);
	wheel_start(&wheel, &probe.timer, now, 5 * SEC);
	for (; now < 8 * SEC; now += WHEEL_TICK_US)
		wheel_run(&wheel, now);
	assert_int_equal(probe.fired, 1);
}

/* Timers that were stopped wake nobody. */
static void test_wait_passes_stopped(void **state)
{
	struct probe probes[20] = { 0 }, last = { 0 };

	(void)state;
	now = 256 * WHEEL_TICK_US * 1000;
	wheel_init(&wheel, now);
	for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
		timer_init(&probes[i].timer, on_fire);
		wheel_start(&wheel, &probes[i].timer, now, (i + 1) * 7 * WHEEL_TICK_US);
	}
	timer_init(&last.timer, on_fire);
	wheel_start(&wheel, &last.timer, now, 200 * WHEEL_TICK_US);
	assert_true(wheel_wait(&wheel, now, 10 * SEC) == 7 * WHEEL_TICK_US);
	for (unsigned i = 0; i < ARRAY_SIZE(probes); i++)
		wheel_stop(&wheel, &probes[i].timer);
	assert_true(wheel_wait(&wheel, now, 10 * SEC) == 200 * WHEEL_TICK_US);
	wheel_start(&wheel, &probes[0].timer, now, 3 * WHEEL_TICK_US);
	assert_true(wheel_wait(&wheel, now, 10 * SEC) == 3 * WHEEL_TICK_US);
	wheel_stop(&wheel, &probes[0].timer);
	wheel_stop(&wheel, &last.timer);
	assert_true(wheel_wait(&wheel, now, 10 * SEC) == 10 * SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_timers),
		cmocka_unit_test(test_stop_and_restart),
		cmocka_unit_test(test_wait_passes_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
