/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char yaml[] =
	"version: 1\n"
	"parameters: { time_zone: Europe/Berlin }\n"
	"accounts:\n"
	"  - { name: cn, time_zone: Asia/Shanghai }\n"
	"work_calendars:\n"
	"  - { name: de, holidays: [ 2026-05-01, 2026-12-25 ], work_days: [ 2026-12-19 ] }\n";

struct fixture {
	struct model *m;
	const struct model_calendar *de;
};

static struct model *read_model(const char *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &error, 1))
		fail_msg("%s: %s", error.object, error.text);
	return m;
}

static int set_up(void **state)
{
	static struct fixture f;

	f.m = read_model(yaml);
	f.de = model_calendar(f.m, SPAN("de"));
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	model_unref(&f->m);
	return 0;
}

/* A moment by the clocks of a zone that is so many hours east. */
static uint64_t at(int year, int month, int day, int hour, int minute, int east)
{
	return (uint64_t)((int64_t)civil_day(year, month, day) * 86400 + (hour - east) * 3600 +
			  minute * 60) *
	       SEC;
}

#define WEEKDAYS 0x3eu
#define WORK (1u << MODEL_WORK_DAY)
#define HOLIDAY (1u << MODEL_HOLIDAY)

static void test_hours(void **state)
{
	struct fixture *f = *state;
	struct model_window office = { WEEKDAYS, 8 * 3600, 17 * 3600, NULL };
	const struct zone *zone = f->m->zone;

	/* 2026-11-25 is a Wednesday */
	assert_false(model_window_holds(&office, zone, at(2026, 11, 25, 8, 0, 1) - 1));
	assert_true(model_window_holds(&office, zone, at(2026, 11, 25, 8, 0, 1)));
	assert_true(model_window_holds(&office, zone, at(2026, 11, 25, 17, 0, 1) - 1));
	assert_false(model_window_holds(&office, zone, at(2026, 11, 25, 17, 0, 1)));
	assert_false(model_window_holds(&office, zone, at(2026, 11, 28, 12, 0, 1)));
	/* in summer the same clocks are two hours east */
	assert_true(model_window_holds(&office, zone, at(2026, 7, 1, 8, 0, 2)));
	assert_false(model_window_holds(&office, zone, at(2026, 7, 1, 7, 59, 2)));
	/* elsewhere it is another time, and may be another day */
	zone = model_zone(f->m, model_account(f->m, SPAN("cn")));
	assert_true(model_window_holds(&office, zone, at(2026, 11, 25, 8, 0, 8)));
	assert_false(model_window_holds(&office, zone, at(2026, 11, 25, 8, 0, 1) + 3 * 3600 * SEC));
	assert_true(model_window_holds(&office, zone, at(2026, 11, 29, 23, 30, -1)));
}

static void test_past_midnight(void **state)
{
	struct fixture *f = *state;
	struct model_window night = { 1u << 5, 22 * 3600, 6 * 3600, NULL };
	struct model_window day = { 1u << 5, 6 * 3600, 6 * 3600, NULL };
	const struct zone *zone = f->m->zone;

	/* the night of Friday 2026-11-27 ends on Saturday */
	assert_false(model_window_holds(&night, zone, at(2026, 11, 27, 5, 0, 1)));
	assert_false(model_window_holds(&night, zone, at(2026, 11, 27, 21, 59, 1)));
	assert_true(model_window_holds(&night, zone, at(2026, 11, 27, 22, 0, 1)));
	assert_true(model_window_holds(&night, zone, at(2026, 11, 28, 5, 59, 1)));
	assert_false(model_window_holds(&night, zone, at(2026, 11, 28, 6, 0, 1)));
	assert_false(model_window_holds(&night, zone, at(2026, 11, 28, 23, 0, 1)));
	/* a window that closes when it opens lasts a day */
	assert_false(model_window_holds(&day, zone, at(2026, 11, 27, 5, 59, 1)));
	assert_true(model_window_holds(&day, zone, at(2026, 11, 27, 6, 0, 1)));
	assert_true(model_window_holds(&day, zone, at(2026, 11, 28, 5, 59, 1)));
	assert_false(model_window_holds(&day, zone, at(2026, 11, 28, 6, 0, 1)));
}

static void test_clocks_change(void **state)
{
	struct fixture *f = *state;
	struct model_window w = { 0x7f, 2 * 3600 + 900, 2 * 3600 + 2700, NULL };
	const struct zone *zone = f->m->zone;
	unsigned spring = 0, autumn = 0;

	for (unsigned minute = 0; minute < 24 * 60; minute++) {
		spring +=
			model_window_holds(&w, zone, at(2026, 3, 29, 0, 0, 1) + minute * 60 * SEC);
		autumn +=
			model_window_holds(&w, zone, at(2026, 10, 25, 0, 0, 2) + minute * 60 * SEC);
	}
	assert_int_equal(spring, 0);
	assert_int_equal(autumn, 60);
}

static void test_calendar(void **state)
{
	struct fixture *f = *state;
	struct model_window work = { WORK, 0, 86400, f->de }, rest = { HOLIDAY, 0, 86400, f->de };
	struct model_window plain = { WORK, 0, 86400, NULL };
	struct model_window both = { HOLIDAY | 1u << 1, 0, 86400, f->de };
	static const struct {
		int month, day;
		bool work, plain;
	} days[] = {
		{ 5, 1, false, true }, /* a Friday */
		{ 4, 30, true, true },    { 5, 2, false, false },
		{ 12, 19, true, false }, /* a Saturday */
		{ 12, 20, false, false }, { 12, 25, false, true },
		{ 12, 28, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		uint64_t noon = at(2026, days[i].month, days[i].day, 12, 0, 1);

		assert_int_equal(model_window_holds(&work, f->m->zone, noon), days[i].work);
		assert_int_equal(model_window_holds(&rest, f->m->zone, noon), !days[i].work);
		assert_int_equal(model_window_holds(&plain, f->m->zone, noon), days[i].plain);
	}
	assert_true(model_window_holds(&both, f->m->zone, at(2026, 12, 28, 12, 0, 1)));
	assert_true(model_window_holds(&both, f->m->zone, at(2026, 12, 25, 12, 0, 1)));
	assert_false(model_window_holds(&both, f->m->zone, at(2026, 12, 29, 12, 0, 1)));
}

static void test_scheduled_limit(void **state)
{
	struct model *m = read_model("version: 1\n"
				     "gateway_groups:\n"
				     "  - name: g\n"
				     "    line_limit: 10\n"
				     "    scheduled_line_limits:\n"
				     "      - { days: [ sat, sun ], line_limit: 3 }\n"
				     "      - { from: 18:00, to: 08:00, line_limit: 0 }\n");
	const struct model_limits *limits = &m->groups[0].limits;

	assert_int_equal(model_line_limit(limits, m->zone, at(2026, 11, 25, 12, 0, 0)), 10);
	assert_int_equal(model_line_limit(limits, m->zone, at(2026, 11, 25, 18, 0, 0)), 0);
	assert_int_equal(model_line_limit(limits, m->zone, at(2026, 11, 28, 18, 0, 0)), 3);
	assert_int_equal(model_line_limit(limits, m->zone, at(2026, 11, 30, 7, 59, 0)), 0);
	assert_int_equal(model_line_limit(limits, m->zone, at(2026, 11, 30, 8, 0, 0)), 10);
	model_unref(&m);
}

/* Moments of gateways go by the clocks of their account, that of the system by its own; the last of the gateways' is known. */
static void test_trace_until(void **state)
{
	struct model *m = read_model(
		"version: 1\n"
		"parameters: { time_zone: Europe/Berlin, trace: no, trace_until: 2026-11-26 }\n"
		"accounts:\n"
		"  - { name: cn, time_zone: Asia/Shanghai }\n"
		"mapping_gateways:\n"
		"  - { name: in, addresses: [ 192.0.2.1 ], account: cn, trace_until: \"2026-11-27 "
		"18:00\" }\n"
		"  - { name: in2, addresses: [ 192.0.2.2 ] }\n"
		"routing_gateways:\n"
		"  - { name: out, address: 192.0.2.3, trace_until: \"2026-11-27 18:00\" }\n");
	const struct param_info *info = param_find(SPAN("trace_until"));
	struct buf json = BUF_INIT(1 << 20);
	struct model_params params = { 0 };
	struct arena *arena = arena_new(256);
	char text[64], why[200];

	assert_false(m->params.trace);
	assert_true(m->params.trace_until.utc_us == at(2026, 11, 27, 0, 0, 1));
	assert_true(m->mappings[0].trace_until.utc_us == at(2026, 11, 27, 18, 0, 8));
	assert_true(m->mappings[1].trace_until.utc_us == 0);
	assert_true(m->routings[0].trace_until.utc_us == at(2026, 11, 27, 18, 0, 1));
	assert_true(m->traced_until_us == at(2026, 11, 27, 18, 0, 1));
	model_write_params_json(&json, m);
	assert_non_null(strstr(buf_cstr(&json), "\"trace_until\": \"2026-11-26\""));
	assert_int_equal(param_set(&params, info, arena, SPAN("soon"), why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "`soon` is no moment"));
	assert_int_equal(param_set(&params, info, arena, SPAN(""), why, sizeof(why)), 0);
	assert_string_equal(param_format(&params, info, text, sizeof(text)), "");
	assert_int_equal(params.trace_until.second, 0);
	arena_free(&arena);
	buf_free(&json);
	model_unref(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hours),           cmocka_unit_test(test_past_midnight),
		cmocka_unit_test(test_clocks_change),   cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_scheduled_limit), cmocka_unit_test(test_trace_until),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
