/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers as routed and as sent: number transform, dial rules, route prefixes. */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct admit_result nobody;

static const char config[] =
	"version: 1\n"
	"parameters: { time_zone: UTC }\n"
	"number_transforms:\n"
	"  - { number: \"1001\", mapping_caller: \"8001\", routing_callee: \"4930555\" }\n"
	"  - { number: \"1002\", mapping_caller: \"8002\" }\n"
	"  - { number: \"1003\" }\n"
	"mapping_gateways:\n"
	"  - { name: plain, addresses: 192.0.2.1 }\n"
	"  - { name: in, addresses: 192.0.2.2, callee_rules: \"00:,0:49\", caller_rules: [ "
	"\"1001:555\", \"*:9*\" ],\n"
	"      transform_numbers: true, callees_forbidden: \"49\" }\n"
	"  - { name: split, addresses: 192.0.2.3, callee_rules: \"0:49\",\n"
	"      route_prefixes: [ { percent: 30, prefix: a }, { percent: 50, prefix: \"\" } ] }\n"
	"  - { name: all, addresses: 192.0.2.4, route_prefixes: [ { percent: 100, prefix: \"77\" } "
	"] }\n"
	"  - { name: home, addresses: 192.0.2.6, callee_phones: only, callee_rules: \"7:2\" }\n"
	"  - { name: away, addresses: 192.0.2.7, callee_phones: never }\n"
	"  - { name: night, addresses: 192.0.2.8, callee_rules: \"0:49\", caller_rules: \"*:9*\", "
	"scheduled_rules: [\n"
	"      { days: sun, callee_rules: \"0:1\" }, { from: \"20:00\", to: \"06:00\", "
	"callee_rules: \"0:2\",\n"
	"        caller_rules: \"*:8*\" } ] }\n"
	"  - { name: odd, addresses: 192.0.2.5, callee_rules: \"123:\", caller_rules: "
	"\"*:********\" }\n"
	"routing_gateways:\n"
	"  - { name: evening, address: h, caller_rules: \"*:1*\", scheduled_rules: [ { from: "
	"\"18:00\", caller_rules: \"*:2*\" } ] }\n"
	"  - { name: own, address: h, phone_display: false }\n"
	"  - { name: shows, address: h, caller_rules: \"4930:0\" }\n"
	"  - { name: out, address: h, caller_rules: \"*:a*;b*;c*\", callee_rules: \"49:0\", "
	"transform_numbers: true }\n"
	"  - { name: none, address: h, callee_rules: \"123:\" }\n"
	"phones:\n"
	"  - { number: \"2002\", password: p, display: \"4930777\" }\n"
	"  - { number: \"2001\", password: p, callee_rules: \"9:\", caller_rules: \"2001:4930\",\n"
	"      to_caller_rules: \"49:0\", to_callee_rules: \"2001:1\" }\n";

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return m;
}

static struct model *model;

static int set_up(void **state)
{
	model = model_of(config);
	return 0;
}

static int tear_down(void **state)
{
	model_unref(&model);
	return 0;
}

static bool rewrite(const char *from, const char *caller, const char *callee, uint64_t random,
		    struct routed_numbers *numbers, struct admit_result *result)
{
	struct call_request req = { .from_gateway = from,
				    .caller = span_of(caller),
				    .callee = span_of(callee),
				    .random = random };

	admit_decide(model, &req, result, NULL);
	assert_int_equal(result->verdict, ADMIT_OK);
	return admit_rewrite(model, &req, result, numbers, NULL);
}

static void expect_routed(const char *from, const char *caller, const char *callee,
			  const char *caller_out, const char *callee_out)
{
	struct routed_numbers numbers;
	struct admit_result result;

	assert_true(rewrite(from, caller, callee, 1, &numbers, &result));
	assert_true(span_eq(numbers.caller.number, span_of(caller_out)));
	assert_true(span_eq(numbers.callee.number, span_of(callee_out)));
}

static void test_routed(void **state)
{
	expect_routed("plain", "1", "2", "1", "2");
	expect_routed("in", "5", "030123", "95",
		      "4930123"); /* forbidden is what came, not what becomes */
	expect_routed("in", "5", "00441", "95", "441");
	expect_routed("in", "8001", "1", "555", "1"); /* transform, then rules */
	expect_routed("in", "8002", "1", "91002", "1");
	expect_routed("all", "1", "2", "1", "772");
	expect_routed("2001", "2001", "901", "4930", "01");
}

static void test_by(void **state)
{
	struct routed_numbers numbers;
	struct admit_result result;

	assert_true(rewrite("in", "8001", "00441", 1, &numbers, &result));
	assert_string_equal(numbers.caller.transform->number, "1001");
	assert_string_equal(dial_text(numbers.caller.rule), "1001:555");
	assert_string_equal(dial_text(numbers.callee.rule), "00:");
	assert_null(numbers.callee.transform);
	assert_null(numbers.callee.share);
}

/* Of many calls so many of a hundred get the prefix, the rest none. */
static void test_shares(void **state)
{
	unsigned with = 0, empty = 0, without = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		struct routed_numbers numbers;
		struct admit_result result;

		assert_true(rewrite("split", "1", "0301", i, &numbers, &result));
		if (!numbers.callee.share)
			without++;
		else if (numbers.callee.share->prefix[0])
			with++;
		else
			empty++;
		assert_true(span_eq(numbers.callee.number,
				    numbers.callee.share && numbers.callee.share->prefix[0]
					    ? SPAN("a49301")
					    : SPAN("49301")));
	}
	assert_in_range(with, 2800, 3200);
	assert_in_range(empty, 4800, 5200);
	assert_in_range(without, 1800, 2200);
}

static void test_nothing_left(void **state)
{
	struct routed_numbers numbers;
	struct admit_result result;

	assert_false(rewrite("odd", "1", "123", 1, &numbers, &result));
	assert_int_equal(result.verdict, ADMIT_REFUSED);
	assert_int_equal(result.end, END_NUMBER_REWRITE_FAILED);
	assert_string_equal(result.text,
			    "odd: callee becomes no number that can be called by the rule 123:");
	assert_false(rewrite("odd", "12345678901234567890", "1", 1, &numbers, &result));
	assert_string_equal(
		result.text,
		"odd: caller becomes longer than a number can be by the rule *:********");
	assert_true(rewrite("odd", "", "1234", 1, &numbers,
			    &result)); /* a caller may be without number */
	assert_true(span_eq(numbers.callee.number, SPAN("4")));
}

/* Day 4 after the epoch was a Monday. */
static uint64_t at(unsigned day, unsigned hour)
{
	return (day * 86400ull + hour * 3600ull) * SEC;
}

static void test_windows(void **state)
{
	static const struct {
		unsigned day, hour;
		const char *caller, *callee;
	} cases[] = {
		{ 4, 12, "91", "4930" }, { 4, 21, "81", "230" },
		{ 5, 5, "81", "230" },   { 3, 12, "91", "130" }, /* the rest stays as it is */
		{ 3, 21, "91", "130" }, /* the first that is open */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_request req = { .from_gateway = "night",
					    .caller = SPAN("1"),
					    .callee = SPAN("030"),
					    .utc_us = at(cases[i].day, cases[i].hour) };
		struct route_candidate to = { .gateway = model_routing(model, SPAN("evening")) };
		struct routed_numbers numbers;
		struct admit_result result;
		struct sent_numbers sent;
		struct reason why;

		admit_decide(model, &req, &result, NULL);
		assert_true(admit_rewrite(model, &req, &result, &numbers, NULL));
		assert_true(span_eq(numbers.caller.number, span_of(cases[i].caller)));
		assert_true(span_eq(numbers.callee.number, span_of(cases[i].callee)));
		assert_true(route_numbers(model, &to, &req, &nobody, 1, false, &sent, &why));
		assert_true(
			span_eq(sent.caller.number, cases[i].hour >= 18 ? SPAN("21") : SPAN("11")));
	}
}

static void expect_phones(const char *from, const char *callee, const char *text)
{
	struct routed_numbers numbers;
	struct admit_result result;

	assert_int_equal(rewrite(from, "1", callee, 1, &numbers, &result), text == NULL);
	if (!text)
		return;
	assert_int_equal(result.end, END_CALLEE_PHONE_FORBIDDEN);
	assert_string_equal(result.text, text);
}

static void test_phones(void **state)
{
	expect_phones("home", "2001", NULL);
	expect_phones("home", "7001", NULL);
	expect_phones("home", "2003",
		      "home: callee 2003 is no phone of this switch, and callee_phones is only");
	expect_phones("away", "2003", NULL);
	expect_phones("away", "2001",
		      "away: callee 2001 is a phone of this switch, and callee_phones is never");
}

static void expect_sent(const struct route_candidate *to, const char *caller, const char *callee,
			const char *caller_out, const char *callee_out)
{
	struct call_request req = { .caller = span_of(caller), .callee = span_of(callee) };
	struct sent_numbers sent;
	struct reason why;

	assert_true(route_numbers(model, to, &req, &nobody, 1, false, &sent, &why));
	assert_true(span_eq(sent.callee.number, span_of(callee_out)));
	if (caller_out)
		assert_true(span_eq(sent.caller.number, span_of(caller_out)));
}

static void test_sent(void **state)
{
	struct route_candidate out = { .gateway = model_routing(model, SPAN("out")) };
	struct route_candidate phone = { .phone = model_phone(model, SPAN("2001")) };
	struct route_candidate none = { .gateway = model_routing(model, SPAN("none")) };
	struct call_request req = { .caller = SPAN("1"), .callee = SPAN("123") };
	struct sent_numbers sent;
	struct reason why;
	char text[128];

	expect_sent(&out, "5", "4930", NULL, "030");
	expect_sent(&out, "5", "1001", NULL, "030555"); /* transform, then rules */
	expect_sent(&out, "5", "1002", NULL, "1002");
	expect_sent(&phone, "4930", "2001", "030", "1");
	expect_sent(&none, "5", "1234", "5", "4");
	assert_false(route_numbers(model, &none, &req, &nobody, 1, false, &sent, &why));
	assert_string_equal(reason_text(&why, text, sizeof(text)),
			    "none: callee becomes no number that can be called by the rule 123:");
}

/* The display number of the phone that calls, then the gateway's rules. */
static void test_display(void **state)
{
	static const struct {
		const char *gateway, *caller;
	} cases[] = { { "own", "2002" }, { "shows", "0777" }, { "none", "4930777" } };
	struct call_request req = { .caller = SPAN("2002"), .callee = SPAN("5") };
	struct admit_result from = { .phone = model_phone(model, SPAN("2002")) };
	struct sent_numbers sent;
	struct reason why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct route_candidate to = { .gateway = model_routing(model,
								       span_of(cases[i].gateway)) };

		assert_true(route_numbers(model, &to, &req, &from, 1, false, &sent, &why));
		assert_true(span_eq(sent.caller.number, span_of(cases[i].caller)));
		assert_int_equal(sent.caller.display != NULL, i > 0);
	}
}

/* Each attempt of a call decides anew, the same attempt as before. */
static void test_attempts(void **state)
{
	struct route_candidate out = { .gateway = model_routing(model, SPAN("out")) };
	struct call_request req = { .caller = SPAN("1"), .callee = SPAN("2"), .random = 99 };
	bool seen[3] = { false };

	for (unsigned attempt = 1; attempt < 60; attempt++) {
		struct sent_numbers first, second;
		struct reason why;

		assert_true(
			route_numbers(model, &out, &req, &nobody, attempt, false, &first, &why));
		assert_true(
			route_numbers(model, &out, &req, &nobody, attempt, false, &second, &why));
		assert_true(span_eq(first.caller.number, second.caller.number));
		seen[first.caller.number.p[0] - 'a'] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void test_written(void **state)
{
	struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
	struct model *again;

	model_write_yaml(&first, model, true);
	again = model_of(buf_cstr(&first));
	model_write_yaml(&second, again, true);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	assert_non_null(strstr(buf_cstr(&first), "callee_rules: [\"00:\", \"0:49\"]"));
	buf_free(&first);
	buf_free(&second);
	model_unref(&again);
}

static void test_faults(void **state)
{
	static const struct {
		const char *config, *text;
		unsigned line;
	} cases[] = {
		{ "version: 1\nrouting_gateways:\n  - name: g\n    address: h\n    caller_rules:\n "
		  "     - 1:2\n      - 1:9-3\n",
		  "caller_rules: rule 2 `1:9-3`, at character 3: the range 9-3 runs backwards", 7 },
		{ "version: 1\nmapping_gateways: [ { name: g, addresses: 192.0.2.1, "
		  "route_prefixes: [ { percent: "
		  "60, prefix: a }, { percent: 50, prefix: b } ] } ]\n",
		  "route_prefixes: the percentages make 110, the limit is 100", 2 },
		{ "version: 1\nnumber_transforms:\n - { number: a, mapping_caller: x }\n - { "
		  "number: b, "
		  "mapping_caller: x }\n",
		  "mapping_caller: `x` stands for another number already, first in line 3", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_error e;
		struct model *m = NULL;

		assert_int_equal(model_read_yaml(&m, span_of(cases[i].config), &e, 1), 1);
		assert_string_equal(e.text, cases[i].text);
		assert_int_equal(e.line, cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routed),  cmocka_unit_test(test_by),
		cmocka_unit_test(test_shares),  cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_sent),    cmocka_unit_test(test_windows),
		cmocka_unit_test(test_phones),  cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_display), cmocka_unit_test(test_written),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
