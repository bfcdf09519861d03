/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *text;
	int err;
	uint64_t us;
	const char *shortest;
} durations[] = {
	{ "10s", 0, 10 * SEC, "10s" },
	{ "500ms", 0, 500 * MSEC, "500ms" },
	{ "2m", 0, 120 * SEC, "2m" },
	{ "120s", 0, 120 * SEC, "2m" },
	{ "90s", 0, 90 * SEC, "90s" },
	{ "1h", 0, 3600 * SEC, "1h" },
	{ "24h", 0, 86400 * SEC, "1d" },
	{ "1d", 0, 86400 * SEC, "1d" },
	{ "7", 0, 7 * SEC, "7s" },
	{ "0", 0, 0, "0s" },
	{ "0s", 0, 0, "0s" },
	{ "1500us", 0, 1500, "1500us" },
	{ "", -EINVAL, 0, NULL },
	{ "s", -EINVAL, 0, NULL },
	{ "10 s", -EINVAL, 0, NULL },
	{ "-1s", -EINVAL, 0, NULL },
	{ "1.5s", -EINVAL, 0, NULL },
	{ "10S", -EINVAL, 0, NULL },
	{ "10sec", -EINVAL, 0, NULL },
	{ "99999999999999999999s", -ERANGE, 0, NULL },
	{ "18446744073709551615s", -ERANGE, 0, NULL },
	{ "18446744073709551615us", 0, UINT64_MAX, "18446744073709551615us" },
};

static void test_durations(void **state)
{
	char text[40];

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		uint64_t us = 42;

		assert_int_equal(duration_parse(span_of(durations[i].text), &us), durations[i].err);
		assert_int_equal(us, durations[i].err ? 42 : durations[i].us);
		if (!durations[i].err)
			assert_string_equal(duration_format(us, text, sizeof(text)),
					    durations[i].shortest);
	}
}

static const struct {
	const char *text;
	int err;
	int64_t amount;
	const char *shown;
} moneys[] = {
	{ "0.0120", 0, 1200000, "0.012" },
	{ "100.00", 0, 10000000000, "100.00" },
	{ "100", 0, 10000000000, "100.00" },
	{ "-5.5", 0, -550000000, "-5.50" },
	{ "0.00000001", 0, 1, "0.00000001" },
	{ "-0.00000001", 0, -1, "-0.00000001" },
	{ "92233720368.54775807", 0, INT64_MAX, "92233720368.54775807" },
	{ "92233720368.54775808", -ERANGE, 0, NULL },
	{ "92233720369", -ERANGE, 0, NULL },
	{ "0.000000001", -EINVAL, 0, NULL },
	{ "1.", -EINVAL, 0, NULL },
	{ ".5", -EINVAL, 0, NULL },
	{ "1,5", -EINVAL, 0, NULL },
	{ "--1", -EINVAL, 0, NULL },
	{ "1e3", -EINVAL, 0, NULL },
	{ "", -EINVAL, 0, NULL },
	{ "1.2.3", -EINVAL, 0, NULL },
};

static void test_money(void **state)
{
	char text[40];

	for (size_t i = 0; i < ARRAY_SIZE(moneys); i++) {
		int64_t amount = 42;

		assert_int_equal(money_parse(span_of(moneys[i].text), &amount), moneys[i].err);
		assert_int_equal(amount, moneys[i].err ? 42 : moneys[i].amount);
		if (!moneys[i].err)
			assert_string_equal(money_format(amount, text, sizeof(text)),
					    moneys[i].shown);
	}
	assert_string_equal(money_format(INT64_MIN, text, sizeof(text)), "-92233720368.54775808");
}

static void test_names(void **state)
{
	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];

		assert_ptr_equal(param_find(span_of(info->name)), info);
		if (info->vos[0] && !strchr(info->vos, '|'))
			assert_ptr_equal(param_find(span_of(info->vos)), info);
	}
	assert_string_equal(param_find(SPAN("SS_SIP_TIMEOUT_INVITE"))->name, "invite_timeout");
	assert_string_equal(param_find(SPAN("SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG"))->name,
			    "sort_by_cost");
	assert_string_equal(param_find(SPAN("server_gateway_route_fee_rate_sort_config"))->name,
			    "sort_by_cost");
	assert_null(param_find(SPAN("SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG|")));
	assert_null(param_find(SPAN("")));
	assert_null(param_find(SPAN("invite")));
}

/* Every bound holds: the value itself is good, the next beyond is not. */
static void test_bounds(void **state)
{
	struct model_params p = { 0 };
	char why[160], text[40];

	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];
		bool duration = info->type == PARAM_TYPE_DURATION;
		uint64_t least, most;

		if (!duration && info->type != PARAM_TYPE_COUNT)
			continue;
		assert_int_equal(param_set(&p, info, NULL, span_of(info->least), why, sizeof(why)),
				 0);
		assert_int_equal(param_set(&p, info, NULL, span_of(info->most), why, sizeof(why)),
				 0);
		assert_int_equal(param_set(&p, info, NULL, SPAN("x"), why, sizeof(why)), -EINVAL);
		assert_int_equal(duration ? duration_parse(span_of(info->most), &most)
					  : span_to_u64(span_of(info->most), &most),
				 0);
		assert_int_equal(duration ? duration_parse(span_of(info->least), &least)
					  : span_to_u64(span_of(info->least), &least),
				 0);
		snprintf(text, sizeof(text), "%llu%s", (unsigned long long)most + 1,
			 duration ? "us" : "");
		assert_int_equal(param_set(&p, info, NULL, span_of(text), why, sizeof(why)),
				 -ERANGE);
		if (!least)
			continue;
		snprintf(text, sizeof(text), "%llu%s", (unsigned long long)least - 1,
			 duration ? "us" : "");
		assert_int_equal(param_set(&p, info, NULL, span_of(text), why, sizeof(why)),
				 -ERANGE);
	}
}

static void test_intervals(void **state)
{
	static const char *const wrong[] = { "0",    "0.09", "33",        "32.1",
					     "1,,2", ",",    "1,",        "x",
					     "1.",   ".5",   "1.0000001", "0.5 1",
					     "-1",   "1.5s", "1e1",       "99999999999.5" };
	const struct param_info *info = param_find(SPAN("SS_SIP_RESEND_INTERVAL"));
	struct arena *arena = arena_new(1024);
	struct model_params p = { 0 };
	uint64_t us[INTERVALS_MAX];
	struct span ones = SPAN("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1");
	char why[160], text[80];

	assert_int_equal(intervals_parse(SPAN("0.5,1, 2 ,4s,250ms,31.999999"), 1, UINT64_MAX, us),
			 6);
	assert_int_equal(us[0], 500 * MSEC);
	assert_int_equal(us[2], 2 * SEC);
	assert_int_equal(us[4], 250 * MSEC);
	assert_int_equal(us[5], 32 * SEC - 1);
	assert_int_equal(intervals_parse(SPAN(""), 1, 2, us), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_not_equal(
			param_set(&p, info, arena, span_of(wrong[i]), why, sizeof(why)), 0);
	for (unsigned n = 1; n <= INTERVALS_MAX; n++) {
		span_copy(span_head(ones, 2 * n - 1), text, sizeof(text));
		assert_int_equal(param_set(&p, info, arena, span_of(text), why, sizeof(why)), 0);
		assert_string_equal(p.sip_resend_intervals, text);
	}
	span_copy(ones, text, sizeof(text));
	assert_int_equal(param_set(&p, info, arena, span_of(text), why, sizeof(why)), -ERANGE);
	assert_non_null(strstr(why, "16 times at most, each from 100ms to 32s"));
	assert_int_equal(param_set(&p, info, arena, SPAN(""), why, sizeof(why)), 0);
	arena_free(&arena);
}

static void test_words(void **state)
{
	const struct param_info *expire = param_find(SPAN("SS_SIP_USER_AGENT_EXPIRE"));
	const struct param_info *sequence = param_find(SPAN("FORWARD_SIGNAL_REWRITE_SEQUENCE"));
	const struct param_info *limit = param_find(SPAN("SS_GATEWAY_SWITCH_LIMIT"));
	struct model_params p = { .outbound_expire = 1, .max_attempts = 7 };
	char why[160], text[40];

	assert_int_equal(param_set(&p, expire, NULL, SPAN("Auto"), why, sizeof(why)), 0);
	assert_int_equal(p.outbound_expire, 0);
	assert_string_equal(param_format(&p, expire, text, sizeof(text)), "auto");
	assert_int_equal(param_set(&p, expire, NULL, SPAN("20"), why, sizeof(why)), 0);
	assert_string_equal(param_format(&p, expire, text, sizeof(text)), "20s");
	assert_int_equal(param_set(&p, sequence, NULL, SPAN("Poll"), why, sizeof(why)), 0);
	assert_true(p.caller_pool_in_turn);
	assert_string_equal(param_format(&p, sequence, text, sizeof(text)), "on");
	assert_int_equal(param_set(&p, sequence, NULL, SPAN("Random"), why, sizeof(why)), 0);
	assert_false(p.caller_pool_in_turn);
	assert_int_equal(param_set(&p, limit, NULL, SPAN("None"), why, sizeof(why)), 0);
	assert_int_equal(p.max_attempts, 0);
	assert_int_equal(param_set(&p, limit, NULL, SPAN("auto"), why, sizeof(why)), -EINVAL);
}

static void test_levels(void **state)
{
	const struct param_info *info = param_find(SPAN("SS_TRACE_MASK"));
	struct arena *arena = arena_new(256);
	struct model_params p = { 0 };
	char why[160];

	assert_string_equal(info->name, "log_mask");
	assert_int_equal(param_set(&p, info, arena, SPAN("ERROR"), why, sizeof(why)), 0);
	assert_string_equal(p.log_mask, "ERROR");
	assert_int_equal(param_set(&p, info, arena, SPAN("verbose"), why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "`verbose` is none of error, warn, info, debug, nor empty");
	assert_string_equal(p.log_mask, "ERROR");
	assert_int_equal(param_set(&p, info, arena, SPAN(""), why, sizeof(why)), 0);
	assert_string_equal(p.log_mask, "");
	arena_free(&arena);
}

/* A secret is kept, and shown as set or not set. */
static void test_secrets(void **state)
{
	const struct param_info *info = param_find(SPAN("hep_key"));
	struct arena *arena = arena_new(256);
	struct model_params p = { 0 };
	char why[160], text[PARAM_TEXT_MAX + 1];

	assert_int_equal(param_set(&p, info, arena, SPAN(""), why, sizeof(why)), 0);
	assert_string_equal(param_show(&p, info, text, sizeof(text)), "");
	assert_int_equal(param_set(&p, info, arena, SPAN("the key"), why, sizeof(why)), 0);
	assert_string_equal(p.hep_key, "the key");
	assert_string_equal(param_show(&p, info, text, sizeof(text)), "***");
	assert_string_equal(param_format(&p, info, text, sizeof(text)), "the key");
	assert_int_equal(param_set(&p, info, arena, SPAN("***"), why, sizeof(why)), -EINVAL);
	assert_int_equal(param_set(&p, info, arena, SPAN("two\nlines"), why, sizeof(why)), -EINVAL);
	assert_string_equal(p.hep_key, "the key");
	arena_free(&arena);
}

static void test_collectors(void **state)
{
	static const char *const wrong[][2] = {
		{ "192.0.2.1:9060", "`192.0.2.1:9060`: each begins with udp: or tcp:; write" },
		{ "sctp:192.0.2.1", "each begins with udp: or tcp:" },
		{ "udp:", "the host is missing" },
		{ "udp:192.0.2.1:0", "the port must be 1 to 65535" },
		{ "udp:192.0.2.1:99999", "the port must be 1 to 65535" },
		{ "udp:192.0.2.300", "neither an address nor a host name" },
		{ "udp:[192.0.2.1]", "brackets hold an IPv6 address only" },
		{ "udp:[2001:db8::1", "the bracket is not closed" },
		{ "udp:a b", "neither an address nor a host name" },
		{ "udp:a,", NULL },
		{ "udp:a,,udp:b", "each begins with udp: or tcp:" },
		{ "udp:a,udp:a,udp:a,udp:a,udp:a,udp:a,udp:a,udp:a,udp:a", "8 collectors at most" },
	};
	const struct param_info *info = param_find(SPAN("hep_servers"));
	struct span list = SPAN(" udp:192.0.2.9:9061 ,TCP:[2001:db8::9], tcp:collector.example:1");
	struct arena *arena = arena_new(256);
	struct collector_address one;
	struct model_params p = { 0 };
	char why[160];

	assert_int_equal(param_set(&p, info, arena, list, why, sizeof(why)), 0);
	assert_null(collector_cut(&list, &one));
	assert_false(one.tcp);
	assert_int_equal(one.port, 9061);
	assert_true(span_eq(one.host, SPAN("192.0.2.9")));
	assert_null(collector_cut(&list, &one));
	assert_true(one.tcp);
	assert_int_equal(one.port, 9060);
	assert_true(span_eq(one.host, SPAN("2001:db8::9")));
	assert_null(collector_cut(&list, &one));
	assert_true(span_eq(one.host, SPAN("collector.example")));
	assert_int_equal(list.len, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct span text = span_of(wrong[i][0]);

		assert_int_equal(param_set(&p, info, arena, text, why, sizeof(why)),
				 wrong[i][1] ? -EINVAL : 0);
		if (wrong[i][1])
			assert_non_null(strstr(why, wrong[i][1]));
	}
	assert_int_equal(param_set(&p, info, arena, SPAN(""), why, sizeof(why)), 0);
	arena_free(&arena);
}

static void test_defaults(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct model *m = model_hub_get(hub);
	char text[160];

	assert_int_equal(m->params.invite_timeout, 10 * SEC);
	assert_int_equal(m->params.max_calls, 0);
	assert_true(m->params.stop_after_busy);
	assert_false(m->params.switch_until_connect);
	assert_string_equal(m->params.auth_realm, "causeway");
	assert_string_equal(
		param_format(&m->params, param_find(SPAN("ringing_timeout")), text, sizeof(text)),
		"2m");
	assert_int_equal(model_hub_version(hub), 1);
	model_unref(&m);
	model_hub_free(&hub);
}

static void test_end_codes(void **state)
{
	for (int i = END_NONE + 1; i < END_CODES; i++) {
		const struct end_code_info *info = end_code_info((enum end_code)i);

		assert_int_equal(end_code_find(span_of(info->name)), i);
		assert_true(info->sip == 0 || (info->sip >= 400 && info->sip < 700));
		assert_true(strlen(info->sentence) > 10);
	}
	assert_int_equal(end_code_find(SPAN("nothing")), END_NONE);
	assert_string_equal(end_side_name(end_code_info(END_USER_BUSY)->side), "callee");
	assert_string_equal(end_side_name(end_code_info(END_NO_RESPONSE)->side), "network");
}

static void test_causes(void **state)
{
	static const int pairs[][2] = { { 1, 404 },   { 17, 486 },   { 18, 408 }, { 21, 403 },
					{ 27, 502 },  { 34, 503 },   { 65, 488 }, { 102, 504 },
					{ 127, 500 }, { 9999, 500 }, { -1, 500 } };
	static const int back[][2] = { { 486, 17 }, { 600, 17 },  { 404, 1 },  { 480, 18 },
				       { 503, 41 }, { 408, 102 }, { 487, 16 }, { 488, 31 },
				       { 200, 16 }, { 499, 31 } };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_int_equal(q850_to_sip(pairs[i][0]), pairs[i][1]);
	for (size_t i = 0; i < ARRAY_SIZE(back); i++)
		assert_int_equal(sip_to_q850(back[i][0]), back[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),  cmocka_unit_test(test_money),
		cmocka_unit_test(test_names),      cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_intervals),  cmocka_unit_test(test_words),
		cmocka_unit_test(test_levels),     cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_collectors), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_end_codes),  cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
