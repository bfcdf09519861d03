/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char config[] =
	"version: 1\n"
	"accounts: [ { name: broke, kind: vendor, locked: true } ]\n"
	"mapping_gateways: [ { name: in, addresses: 192.0.2.1 } ]\n"
	"routing_gateways:\n"
	"  - { name: any, address: h }\n"
	"  - { name: late, address: h, prefixes: [ \"880\" ], priority: 9 }\n"
	"  - { name: early, address: h, prefixes: [ \"880\" ], priority: 1 }\n"
	"  - { name: both, address: h, prefixes: [ \"88\", \"8801\", \"\" ], priority: 5 }\n"
	"  - { name: spare, address: h, prefixes: [ \"88017\" ], protect: true }\n"
	"  - { name: shut, address: h, prefixes: [ \"880\" ], locked: true }\n"
	"  - { name: poor, address: h, prefixes: [ \"880\" ], account: broke }\n"
	"  - { name: full, address: h, prefixes: [ \"7\" ], line_limit: 2 }\n"
	"  - { name: slow, address: h, prefixes: [ \"7\" ], rate_limit: 1 }\n"
	"  - { name: x3, address: h, prefixes: [ \"5\" ], line_limit: 10 }\n"
	"  - { name: x2, address: h, prefixes: [ \"5\" ], line_limit: 20 }\n"
	"  - { name: x1, address: h, prefixes: [ \"5\" ], line_limit: 10 }\n"
	"phones: [ { number: \"88\", line_limit: 1 }, { number: \"99\", locked: true },\n"
	"  { number: \"98\", register: static, address: 192.0.2.7, locked: inbound },\n"
	"  { number: \"97\", register: static, address: 192.0.2.8, locked: outbound },\n"
	"  { number: \"96\", register: static, address: 192.0.2.9, do_not_disturb: true },\n"
	"  { number: \"8899\", offline_to_gateways: true },\n"
	"  { number: \"8800\", locked: true, offline_to_gateways: true } ]\n";

struct fixture {
	struct model *m;
	struct call_request req;
	struct admit_result from;
	struct route_plan plan;
	struct reasons why;
};

static struct fixture begin(const char *text)
{
	struct fixture f = { .req = { .from_gateway = "in", .mono_us = 100 * SEC } };
	struct model_error e;

	if (model_read_yaml(&f.m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return f;
}

static enum route_verdict plan(struct fixture *f, const char *callee)
{
	f->req.callee = span_of(callee);
	return route_plan(f->m, &f->req, &f->from, &f->plan, &f->why);
}

/* "a b c" in this order. */
static void expect_plan(struct fixture *f, const char *callee, const char *names)
{
	struct buf got = BUF_INIT(4096);
	enum route_verdict verdict = plan(f, callee);

	for (unsigned i = 0; i < f->plan.n; i++)
		buf_addf(&got, "%s%s", i ? " " : "",
			 f->plan.candidate[i].gateway ? f->plan.candidate[i].gateway->name
						      : f->plan.candidate[i].phone->number);
	assert_string_equal(buf_cstr(&got), names);
	assert_int_equal(verdict == ROUTE_OK, f->plan.n > 0);
	buf_free(&got);
}

static enum reason_code reason_of(const struct fixture *f, const char *name)
{
	for (unsigned i = 0; i < f->why.n; i++)
		if (strcmp(f->why.reason[i].object, name) == 0)
			return f->why.reason[i].code;
	return REASONS;
}

static void test_order(void **state)
{
	struct fixture f = begin(config);

	expect_plan(&f, "88017123", "both early late any spare");
	assert_int_equal(f.plan.candidate[0].matched, 4);
	assert_int_equal(f.plan.candidate[4].matched, 5);
	assert_int_equal(reason_of(&f, "shut"), REASON_LOCKED);
	assert_int_equal(reason_of(&f, "poor"), REASON_ACCOUNT_LOCKED);
	assert_int_equal(reason_of(&f, "both"), REASON_CHOSEN);
	assert_int_equal(reason_of(&f, "spare"), REASON_PROTECT);
	assert_int_equal(reason_of(&f, "full"), REASONS);
	assert_int_equal(f.why.n, 7);
	expect_plan(&f, "880", "early late both any");
	expect_plan(&f, "1", "any both");
	expect_plan(&f, "", "any both");
	model_unref(&f.m);
}

static void test_usage(void **state)
{
	struct fixture f = begin(config);
	struct load *x1 = model_routing(f.m, SPAN("x1"))->load,
		    *x2 = model_routing(f.m, SPAN("x2"))->load;

	expect_plan(&f, "5", "x1 x2 x3 any both");
	load_take_line(x1, 0);
	expect_plan(&f, "5", "x2 x3 x1 any both");
	load_take_line(x2, 0);
	expect_plan(&f, "5", "x3 x2 x1 any both");
	load_take_line(x2, 0);
	load_take_line(x2, 0);
	expect_plan(&f, "5", "x3 x1 x2 any both");
	model_unref(&f.m);
}

static void test_full(void **state)
{
	struct fixture f = begin(config);
	struct route_candidate full = { .gateway = model_routing(f.m, SPAN("full")) };
	struct route_candidate slow = { .gateway = model_routing(f.m, SPAN("slow")) };
	struct reason why;
	char text[128];

	expect_plan(&f, "7", "full slow any both");
	assert_true(route_take(f.m, &full, f.req.mono_us, 0, &why));
	assert_true(route_take(f.m, &full, f.req.mono_us, 0, &why));
	assert_false(route_take(f.m, &full, f.req.mono_us, 0, &why));
	assert_string_equal(reason_text(&why, text, sizeof(text)),
			    "full: line limit reached, 2 of 2 in use");
	assert_true(route_take(f.m, &slow, f.req.mono_us, 0, &why));
	assert_false(route_take(f.m, &slow, f.req.mono_us, 0, &why));
	assert_string_equal(reason_text(&why, text, sizeof(text)),
			    "slow: rate limit reached, 1 calls a second");
	assert_int_equal(slow.gateway->load->lines, 1);
	expect_plan(&f, "7", "any both");
	assert_int_equal(reason_of(&f, "full"), REASON_LINE_LIMIT);
	assert_int_equal(reason_of(&f, "slow"), REASON_RATE_LIMIT);
	route_give(f.m, &full);
	f.req.mono_us += SEC + 1;
	expect_plan(
		&f, "7",
		"slow full any both"); /* both have one line taken, and `slow` has no limit on them */
	assert_int_equal(full.gateway->load->calls, 2);
	model_unref(&f.m);
}

static void test_verdicts(void **state)
{
	struct fixture f =
		begin("version: 1\nrouting_gateways:\n"
		      "  - { name: a, address: h, prefixes: [ \"1\" ], line_limit: 1 }\n"
		      "  - { name: b, address: h, prefixes: [ \"2\" ], locked: true }\n");

	assert_int_equal(plan(&f, "3"), ROUTE_NONE);
	assert_int_equal(f.why.n, 0);
	assert_int_equal(plan(&f, "2"), ROUTE_NONE);
	assert_int_equal(f.why.n, 1);
	load_take_line(f.m->routings[0].load, 0);
	assert_int_equal(plan(&f, "1"), ROUTE_ALL_BUSY);
	assert_int_equal(f.plan.n, 0);
	assert_int_equal(route_plan(f.m, &f.req, &f.from, &f.plan, NULL), ROUTE_ALL_BUSY);
	model_unref(&f.m);
}

/* One contact, the only one. */
static int bind_one(void *arg, struct bindings *all)
{
	all->n = 1;
	all->binding[0] = *(const struct binding *)arg;
	return 0;
}

static void test_phone(void **state)
{
	struct fixture f = begin(config);
	struct binding b = { .contact = "sip:88@192.0.2.9", .expires_us = f.req.mono_us + 1 };
	struct reason why;

	assert_int_equal(plan(&f, "88"), ROUTE_NOT_REGISTERED);
	assert_int_equal(reason_of(&f, "88"), REASON_NOT_REGISTERED);
	registration_update(load_registration(model_phone(f.m, SPAN("88"))->load), bind_one, &b);
	expect_plan(&f, "88", "88");
	assert_true(route_take(f.m, &f.plan.candidate[0], f.req.mono_us, 0, &why));
	assert_int_equal(plan(&f, "88"), ROUTE_ALL_BUSY);
	assert_false(route_take(f.m,
				&(struct route_candidate){ .phone = model_phone(f.m, SPAN("88")) },
				f.req.mono_us, 0, &why));
	route_give(f.m, &(struct route_candidate){ .phone = model_phone(f.m, SPAN("88")) });
	f.req.mono_us++;
	assert_int_equal(plan(&f, "88"), ROUTE_NOT_REGISTERED);
	assert_int_equal(plan(&f, "99"), ROUTE_PHONE_LOCKED);
	assert_int_equal(reason_of(&f, "99"), REASON_LOCKED);
	assert_int_equal(plan(&f, "98"), ROUTE_PHONE_LOCKED);
	expect_plan(&f, "97", "97");
	assert_int_equal(plan(&f, "96"), ROUTE_DO_NOT_DISTURB);
	assert_int_equal(reason_of(&f, "96"), REASON_DO_NOT_DISTURB);
	model_unref(&f.m);
}

/* Registered but silent: a phone says so or stands back for gateways, and a gateway counts as down. */
static void test_unreachable(void **state)
{
	struct fixture f = begin(config);
	struct fixture own =
		begin("version: 1\nrouting_gateways: [ { name: dyn, register: dynamic, "
		      "password: x } ]\n");
	struct binding b = { .contact = "sip:88@192.0.2.9",
			     .expires_us = f.req.mono_us + 1,
			     .unreachable_utc_us = 1 };

	registration_update(load_registration(model_phone(f.m, SPAN("88"))->load), bind_one, &b);
	assert_int_equal(plan(&f, "88"), ROUTE_UNREACHABLE);
	assert_int_equal(reason_of(&f, "88"), REASON_UNREACHABLE);
	registration_update(load_registration(model_phone(f.m, SPAN("8899"))->load), bind_one, &b);
	expect_plan(&f, "8899", "both any");
	assert_int_equal(reason_of(&f, "8899"), REASON_UNREACHABLE);
	assert_int_equal(plan(&own, "1"), ROUTE_GATEWAYS_NOT_REGISTERED);
	registration_update(load_registration(own.m->routings[0].load), bind_one, &b);
	assert_int_equal(plan(&own, "1"), ROUTE_ALL_DOWN);
	assert_int_equal(reason_of(&own, "dyn"), REASON_UNREACHABLE);
	b.unreachable_utc_us = 0;
	registration_update(load_registration(own.m->routings[0].load), bind_one, &b);
	expect_plan(&own, "1", "dyn");
	model_unref(&f.m);
	model_unref(&own.m);
}

/* A phone is found by any of its numbers, and by nothing else. */
static void test_dids(void **state)
{
	struct fixture f =
		begin("version: 1\nphones:\n"
		      "  - { number: \"1\", register: static, address: 192.0.2.1, dids: [ "
		      "\"4930100\", \"4930101\" ] }\n"
		      "  - { number: \"2\", register: static, address: 192.0.2.2, dids: [ "
		      "\"4930102\" ] }\n");

	expect_plan(&f, "4930101", "1");
	expect_plan(&f, "4930102", "2");
	expect_plan(&f, "1", "1");
	assert_int_equal(plan(&f, "493010"), ROUTE_NONE);
	assert_int_equal(plan(&f, "49301011"), ROUTE_NONE);
	model_unref(&f.m);
}

/* Gateways stand for a phone that is not registered, and for no other. */
static void test_offline(void **state)
{
	struct fixture f = begin(config);
	struct fixture none =
		begin("version: 1\nphones: [ { number: \"1\", offline_to_gateways: true } ]\n");
	struct binding b = { .contact = "sip:x@192.0.2.9", .expires_us = f.req.mono_us + 1 };

	expect_plan(&f, "8899", "both any");
	assert_int_equal(reason_of(&f, "8899"), REASON_NOT_REGISTERED);
	assert_int_equal(f.why.reason[0].code, REASON_CHOSEN);
	registration_update(load_registration(model_phone(f.m, SPAN("8899"))->load), bind_one, &b);
	expect_plan(&f, "8899", "8899");
	assert_int_equal(plan(&f, "8800"), ROUTE_PHONE_LOCKED);
	assert_int_equal(plan(&none, "1"), ROUTE_NOT_REGISTERED);
	model_unref(&f.m);
	model_unref(&none.m);
}

/* More gateways than a plan holds: the best of them, in order, whatever their order in the file. */
static void test_many(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct fixture f;

	buf_add_str(&text, "version: 1\nparameters: { max_attempts: 3 }\nrouting_gateways:\n");
	for (unsigned i = 0; i < 300; i++)
		buf_addf(
			&text,
			"  - { name: g%u, address: h, prefixes: [ \"\", \"%s\" ], priority: %u }\n",
			i, i % 2 ? "4" : "44", (i * 7919) % 300);
	f = begin(buf_cstr(&text));
	assert_int_equal(plan(&f, "441"), ROUTE_OK);
	assert_int_equal(f.plan.n, ROUTE_MAX);
	for (unsigned i = 0; i < f.plan.n; i++) {
		assert_int_equal(f.plan.candidate[i].matched, 2);
		if (i)
			assert_true(f.plan.candidate[i].gateway->priority >
				    f.plan.candidate[i - 1].gateway->priority);
	}
	assert_int_equal(f.why.reason[2].code, REASON_CHOSEN);
	assert_int_equal(f.why.reason[3].code, REASON_ATTEMPT_LIMIT);
	model_unref(&f.m);
	buf_free(&text);
}

/* ---- reasons -------------------------------------------------------------------------------- */

static const char reasons_config[] =
	"version: 1\n"
	"parameters: { protect_delay: 30s }\n"
	"mapping_gateways: [ { name: in, addresses: 192.0.2.1, first_policy: cost } ]\n"
	"routing_gateways:\n"
	"  - { name: normal, address: h, prefixes: [ \"880\" ] }\n"
	"  - { name: spare, address: h, prefixes: [ \"88\" ], protect: true }\n"
	"  - { name: far, address: h, prefixes: [ \"44\", \"801\" ] }\n"
	"  - { name: near, address: h, prefixes: [ \"8801999\", \"1\" ] }\n";

static const char *text_of(const struct fixture *f, const char *name)
{
	static char text[256];

	for (unsigned i = 0; i < f->why.n; i++)
		if (strcmp(f->why.reason[i].object, name) == 0)
			return reason_text(&f->why.reason[i], text, sizeof(text));
	return "";
}

static void test_explain(void **state)
{
	struct fixture f = begin(reasons_config);

	f.from.mapping = model_mapping(f.m, SPAN("in"));
	f.req.callee = SPAN("8801234");
	assert_int_equal(route_explain(f.m, &f.req, &f.from, &f.plan, &f.why), ROUTE_OK);
	assert_int_equal(f.why.n, 4);
	assert_string_equal(
		text_of(&f, "normal"),
		"normal: chosen; ordered as if all cost alike, for calls are not rated");
	assert_string_equal(text_of(&f, "spare"),
			    "spare: kept for when all others have failed, and not tried before the "
			    "call is 30 s old");
	assert_string_equal(f.why.reason[2].object, "near");
	assert_string_equal(text_of(&f, "near"),
			    "near: no prefix of it begins the number; 4 digits agree at most");
	assert_string_equal(text_of(&f, "far"),
			    "far: no prefix of it begins the number; 1 digits agree at most");
	assert_string_equal(f.plan.order[0], "protect");
	assert_string_equal(f.plan.order[2], "cost");
	model_unref(&f.m);
}

static void test_wait(void **state)
{
	struct fixture f = begin(reasons_config);
	struct route_candidate normal = { .gateway = model_routing(f.m, SPAN("normal")) };
	struct route_candidate spare = { .gateway = model_routing(f.m, SPAN("spare")) };
	struct model_phone phone = { .number = "1" };

	assert_int_equal(route_wait_us(f.m, &normal, &spare, 0), 30 * SEC);
	assert_int_equal(route_wait_us(f.m, &normal, &spare, 29 * SEC), SEC);
	assert_int_equal(route_wait_us(f.m, &normal, &spare, 30 * SEC), 0);
	assert_int_equal(route_wait_us(f.m, &normal, &normal, 0), 0);
	assert_int_equal(route_wait_us(f.m, &spare, &spare, 0), 0);
	assert_int_equal(route_wait_us(f.m, &(struct route_candidate){ .phone = &phone },
				       &(struct route_candidate){ .phone = &phone }, 0),
			 0);
	model_unref(&f.m);
}

/* ---- going on ------------------------------------------------------------------------------ */

#define STANDARD "version: 1\n"
#define SET(p) "version: 1\nparameters: { " p " }\n"

static const struct {
	const char *config;
	struct route_outcome outcome;
	bool goes_on;
} outcomes[] = {
	{ STANDARD, { END_PEER_CONGESTION, 503, 34, false, false, 1 }, true },
	{ STANDARD, { END_NO_RESPONSE, 0, -1, false, false, 1 }, true },
	{ STANDARD, { END_NUMBER_UNALLOCATED, 404, 1, false, false, 1 }, true },
	{ STANDARD, { END_NUMBER_UNALLOCATED, 604, -1, false, false, 1 }, true },
	{ STANDARD, { END_CODEC_MISMATCH, 606, -1, false, false, 1 }, true },
	{ STANDARD, { END_ADDRESS_INCOMPLETE, 484, -1, false, false, 1 }, true },
	{ STANDARD, { END_CALLER_FORBIDDEN, 403, 21, false, false, 1 }, true },
	{ STANDARD, { END_USER_UNAVAILABLE, 480, 20, false, false, 1 }, true },
	{ STANDARD, { END_USER_BUSY, 486, -1, false, false, 1 }, false },
	{ STANDARD, { END_USER_BUSY, 600, -1, false, false, 1 }, false },
	{ STANDARD, { END_PEER_REJECTED, 503, 17, false, false, 1 }, false },
	{ SET("stop_after_busy: off"), { END_USER_BUSY, 486, 17, false, false, 1 }, true },
	{ SET("stop_after_busy: off"), { END_USER_BUSY, 600, 17, false, false, 1 }, true },
	{ STANDARD, { END_USER_DECLINED, 603, 21, false, false, 1 }, false },
	{ STANDARD, { END_PEER_REJECTED, 603, -1, false, false, 1 }, false },
	{ STANDARD, { END_NO_ANSWER, 0, -1, true, false, 1 }, false },
	{ SET("switch_until_connect: on"), { END_NO_ANSWER, 0, -1, true, false, 1 }, true },
	{ SET("switch_until_connect: on"), { END_USER_BUSY, 486, -1, true, false, 1 }, false },
	{ SET("switch_until_connect: on"), { END_NO_ANSWER, 0, -1, true, true, 1 }, false },
	{ STANDARD, { END_PROGRESS_TIMEOUT, 0, -1, false, true, 1 }, false },
	{ SET("stop_after_sdp: off"), { END_PROGRESS_TIMEOUT, 0, -1, false, true, 1 }, true },
	{ SET("max_attempts: 3"), { END_PEER_CONGESTION, 503, -1, false, false, 2 }, true },
	{ SET("max_attempts: 3"), { END_PEER_CONGESTION, 503, -1, false, false, 3 }, false },
	{ STANDARD, { END_CALLER_CANCELLED, 0, -1, false, false, 1 }, false },
	{ STANDARD, { END_OPERATOR_HANGUP, 0, -1, false, false, 1 }, false },
	{ STANDARD, { END_SDP_MALFORMED, 200, -1, false, false, 1 }, true },
	{ STANDARD, { END_LINE_LIMIT, 0, -1, false, false, 1 }, true },
};

/* A gateway's own rules; `goes_on` for each of the outcomes below, in order. */
static const struct {
	const char *config;
	struct model_failover own;
	const char *goes_on; /* "yn..." */
} own_rules[] = {
	/* 503; 503 after ringing; 503 after SDP; 486; 603; 404 */
	{ STANDARD, { -1, -1, -1, NULL, NULL }, "ynnnny" },
	{ STANDARD, { 1, -1, -1, NULL, NULL }, "yynnny" },
	{ STANDARD, { -1, 1, -1, NULL, NULL }, "ynynny" },
	{ STANDARD, { -1, -1, 1, NULL, NULL }, "ynnyny" },
	{ SET("switch_until_connect: on"), { 0, -1, -1, NULL, NULL }, "ynnnny" },
	{ SET("stop_after_sdp: off"), { -1, 0, -1, NULL, NULL }, "ynnnny" },
	{ SET("stop_after_busy: off"), { -1, -1, 0, NULL, NULL }, "ynnnny" },
	{ STANDARD, { -1, -1, -1, "500-599,404", NULL }, "nnnnnn" },
	{ STANDARD, { -1, -1, -1, NULL, "486,603" }, "ynnyyy" },
	{ SET("stop_codes: \"404\""), { -1, -1, -1, NULL, NULL }, "ynnnnn" },
	{ SET("stop_codes: \"404\""), { -1, -1, -1, NULL, "404" }, "ynnnny" },
	{ SET("continue_codes: \"486-603\""), { -1, -1, -1, "486", NULL }, "ynnnyy" },
	{ SET("stop_codes: \"404\", continue_codes: \"404\""),
	  { -1, -1, -1, NULL, NULL },
	  "ynnnny" },
};

static void test_own_rules(void **state)
{
	static const struct route_outcome outcome[] = {
		{ END_PEER_CONGESTION, 503, -1, false, false, 1 },
		{ END_PEER_CONGESTION, 503, -1, true, false, 1 },
		{ END_PEER_CONGESTION, 503, -1, false, true, 1 },
		{ END_USER_BUSY, 486, -1, false, false, 1 },
		{ END_USER_DECLINED, 603, -1, false, false, 1 },
		{ END_NUMBER_UNALLOCATED, 404, -1, false, false, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(own_rules); i++) {
		struct fixture f = begin(own_rules[i].config);
		struct model_routing gw = { .name = "a", .failover = own_rules[i].own };
		struct route_candidate candidate = { .gateway = &gw };

		for (size_t j = 0; j < ARRAY_SIZE(outcome); j++)
			if (route_may_go_on(f.m, &candidate, &outcome[j]) !=
			    (own_rules[i].goes_on[j] == 'y'))
				fail_msg("rules %zu, outcome %zu", i, j);
		model_unref(&f.m);
	}
}

/* A vendor at which we register, and who then says nothing. */
static void test_registered_timeout(void **state)
{
	static const struct route_outcome silence = { END_NO_RESPONSE, 0, -1, false, false, 1 };
	static const struct route_outcome full = { END_PEER_CONGESTION, 503, -1, false, false, 1 };
	struct model_routing gw = { .failover = { -1, -1, -1, NULL, NULL },
				    .reg = { .type = REGISTER_OUTBOUND } };
	struct route_candidate c = { .gateway = &gw };
	struct fixture off = begin(STANDARD), on = begin(SET("stop_after_registered_timeout: on"));

	assert_true(route_may_go_on(off.m, &c, &silence));
	assert_false(route_may_go_on(on.m, &c, &silence));
	assert_true(route_may_go_on(on.m, &c, &full));
	gw.reg.type = REGISTER_STATIC;
	assert_true(route_may_go_on(on.m, &c, &silence));
	model_unref(&off.m);
	model_unref(&on.m);
}

static void test_codes(void **state)
{
	assert_false(model_code_listed(NULL, 503));
	assert_true(model_code_listed("404,500-599", 503));
	assert_true(model_code_listed("404, 500-599", 599));
	assert_false(model_code_listed("404,500-599", 600));
	assert_int_equal(model_code_replaced(NULL, 404), 404);
	assert_int_equal(model_code_replaced("404:503,486:0,0:480", 404), 503);
	assert_int_equal(model_code_replaced("404:503,486:0,0:480", 486), 486);
	assert_int_equal(model_code_replaced("404:503,486:0,0:480", 500), 480);
	assert_int_equal(model_code_replaced("404:503,0:0", 500), 500);
}

static void test_go_on(void **state)
{
	static const struct model_routing gw = { .name = "a",
						 .failover = { -1, -1, -1, NULL, NULL } };
	static const struct model_phone phone = { .number = "1" };
	struct route_candidate a = { .gateway = &gw }, b = { .phone = &phone };

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		struct fixture f = begin(outcomes[i].config);

		if (route_may_go_on(f.m, &a, &outcomes[i].outcome) != outcomes[i].goes_on)
			fail_msg("case %zu", i);
		assert_false(route_may_go_on(f.m, &b, &outcomes[i].outcome));
		model_unref(&f.m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_phone),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_dids),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_go_on),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_registered_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
