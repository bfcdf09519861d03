/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "admit/admit.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <cmocka.h>

static const char config[] =
	"version: 1\n"
	"parameters: { max_call_duration: 30m }\n"
	"accounts: [ { name: acme }, { name: broke, locked: true } ]\n"
	"mapping_gateways:\n"
	"  - { name: acme-in, account: acme, addresses: [ 203.0.113.8 ], line_limit: 2, "
	"rate_limit: 5, max_duration: 10m }\n"
	"  - { name: acme-alt, auth: address_port, addresses: [ \"203.0.113.8:5070\" ], "
	"max_duration: 2h }\n"
	"  - { name: shut, locked: true, addresses: [ 198.51.100.1 ] }\n"
	"  - { name: wide, addresses: [ 198.51.100.0/24 ] }\n"
	"  - { name: poor, account: broke, addresses: [ 192.0.2.1 ] }\n"
	"  - { name: only-port, auth: address_port, addresses: [ \"192.0.2.9:5060\" ] }\n"
	"  - { name: pbx, auth: digest, user: pbx-user, password: p, addresses: [ 192.0.2.64/26, "
	"203.0.113.8 ] }\n"
	"phones:\n"
	"  - { number: \"1001\", account: acme, password: p, line_limit: 1 }\n"
	"  - { number: \"1002\", locked: true, password: p }\n"
	"  - { number: \"1003\", locked: outbound, password: p }\n"
	"  - { number: \"1004\", locked: inbound, password: p }\n";

static const char open_config[] =
	"version: 1\n"
	"parameters: { reply_unauthorized: off, max_calls: 2, max_cps: 3 }\n"
	"mapping_gateways:\n"
	"  - { name: a, addresses: 192.0.2.1 }\n"
	"  - { name: b, addresses: 192.0.2.2, rate_limit: 100 }\n";

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return m;
}

static struct call_request request(const char *host, uint16_t port)
{
	struct call_request req = {
		.callee = SPAN("8801"), .caller = SPAN("44"), .mono_us = 50 * SEC, .utc_us = 7
	};
	struct sockaddr_in *in = (struct sockaddr_in *)&req.source;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&req.source;

	if (strchr(host, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, host, &in->sin_addr), 1);
	}
	return req;
}

#define OK ADMIT_OK
#define ASK ADMIT_CHALLENGE
#define NO ADMIT_REFUSED

static const struct {
	const char *host;
	uint16_t port;
	const char *proven, *claim, *caller, *callee;
	enum admit_verdict verdict;
	enum end_code end;
	const char *who; /* gateway or phone */
	enum reason_code reason;
	const char *text;
} cases[] = {
	{ "203.0.113.8", 5060, "", "", "44", "880", OK, END_NONE, "acme-in", REASON_MATCHED, "" },
	{ "::ffff:203.0.113.8", 5060, "", "", "44", "880", OK, END_NONE, "acme-in", REASON_MATCHED,
	  "" },
	{ "203.0.113.8", 5070, "", "", "44", "880", OK, END_NONE, "acme-alt", REASON_MATCHED, "" },
	/* an offered user does not take a call away from the address, a proven one does */
	{ "203.0.113.8", 5060, "", "pbx-user", "44", "880", OK, END_NONE, "acme-in", REASON_MATCHED,
	  "" },
	{ "203.0.113.8", 5060, "pbx-user", "", "44", "880", OK, END_NONE, "pbx", REASON_MATCHED,
	  "" },
	{ "203.0.113.8", 5060, "1001", "", "44", "880", OK, END_NONE, "1001", REASON_MATCHED, "" },
	{ "203.0.113.9", 5060, "", "", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE, "203.0.113.9 is not listed; acme-in lists 203.0.113.8" },
	{ "192.0.2.9", 5061, "", "", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE,
	  "192.0.2.9 is not listed; only-port lists it with port 5060, not 5061" },
	{ "192.0.2.9", 5060, "", "", "44", "880", OK, END_NONE, "only-port", REASON_MATCHED, "" },
	{ "192.0.2.70", 5060, "", "guess", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE,
	  "192.0.2.70 is not listed and user `guess` may not call from there; pbx lists "
	  "192.0.2.64/26" },
	{ "8.8.8.8", 5060, "", "", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE, "8.8.8.8 is not listed" },
	{ "8.8.8.8", 5060, "", "nobody\r\n", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE,
	  "8.8.8.8 is not listed and user `nobody??` may not call from there" },
	{ "8.8.8.8", 5060, "gone", "", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE, "8.8.8.8 is not listed and user `gone` may not call from there" },
	{ "198.51.100.1", 5060, "", "", "44", "880", NO, END_GATEWAY_LOCKED, "shut", REASON_LOCKED,
	  "shut: locked" },
	{ "198.51.100.2", 5060, "", "", "44", "880", OK, END_NONE, "wide", REASON_MATCHED, "" },
	{ "192.0.2.1", 5060, "", "", "44", "880", NO, END_ACCOUNT_LOCKED, "poor",
	  REASON_ACCOUNT_LOCKED, "poor: account broke is locked" },
	{ "203.0.113.8", 5060, "", "", "44", "", NO, END_NO_NUMBER, "acme-in", REASON_NO_NUMBER,
	  "acme-in: the request names no number to call" },
	{ "192.0.2.70", 5060, "", "", "44", "880", ASK, END_NO_CREDENTIALS, "pbx",
	  REASON_NEEDS_DIGEST, "pbx: credentials are needed" },
	{ "192.0.2.70", 5060, "", "pbx-user", "44", "880", ASK, END_NO_CREDENTIALS, "pbx",
	  REASON_NEEDS_DIGEST, "pbx: credentials are needed" },
	{ "192.0.2.70", 5060, "pbx-user", "", "44", "880", OK, END_NONE, "pbx", REASON_MATCHED,
	  "" },
	{ "8.8.8.8", 5060, "pbx-user", "", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_WRONG_DIGEST_SOURCE,
	  "pbx: credentials are right, but 8.8.8.8 is not among its addresses" },
	{ "8.8.8.8", 5060, "", "pbx-user", "44", "880", NO, END_SOURCE_NOT_AUTHORISED, "",
	  REASON_UNKNOWN_SOURCE,
	  "8.8.8.8 is not listed and user `pbx-user` may not call from there" },
	{ "8.8.8.8", 5060, "", "1001", "44", "880", ASK, END_NO_CREDENTIALS, "1001",
	  REASON_NEEDS_DIGEST, "1001: credentials are needed" },
	{ "8.8.8.8", 5060, "", "", "1001", "880", ASK, END_NO_CREDENTIALS, "1001",
	  REASON_NEEDS_DIGEST, "1001: credentials are needed" },
	{ "2001:db8::1", 5060, "1001", "", "1001", "880", OK, END_NONE, "1001", REASON_MATCHED,
	  "" },
	{ "8.8.8.8", 5060, "1002", "", "1002", "880", NO, END_PHONE_LOCKED, "1002", REASON_LOCKED,
	  "1002: locked" },
	{ "8.8.8.8", 5060, "1003", "", "1003", "880", NO, END_PHONE_LOCKED, "1003", REASON_LOCKED,
	  "1003: locked" },
	{ "8.8.8.8", 5060, "1004", "", "1004", "880", OK, END_NONE, "1004", REASON_MATCHED, "" },
};

static void test_decide(void **state)
{
	struct model *m = model_of(config);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_request req = request(cases[i].host, cases[i].port);
		struct admit_result out, again;
		struct reasons why;
		const char *who;

		req.digest_user = span_of(cases[i].proven);
		req.digest_claim = span_of(cases[i].claim);
		req.caller = span_of(cases[i].caller);
		req.callee = span_of(cases[i].callee);
		admit_decide(m, &req, &out, &why);
		who = out.mapping ? out.mapping->name : out.phone ? out.phone->number : "";
		if (out.verdict != cases[i].verdict || out.end != cases[i].end ||
		    strcmp(who, cases[i].who) != 0 || why.n == 0 ||
		    why.reason[why.n - 1].code != cases[i].reason ||
		    strcmp(out.text, cases[i].text) != 0)
			fail_msg("case %zu: verdict %d, %s, who `%s`, reason %s, text `%s`", i,
				 out.verdict, end_code_info(out.end)->name, who,
				 why.n ? reason_name(why.reason[why.n - 1].code) : "-", out.text);
		admit_decide(m, &req, &again, NULL); /* reasons change nothing */
		assert_memory_equal(&out, &again, sizeof(out));
	}
	model_unref(&m);
}

static void test_duration_and_account(void **state)
{
	struct model *m = model_of(config);
	struct call_request req = request("203.0.113.8", 5060);
	struct admit_result out;

	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.max_duration_us, 600 * SEC);
	assert_string_equal(out.account->name, "acme");
	req = request("203.0.113.8", 5070);
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.max_duration_us, 1800 * SEC);
	assert_null(out.account);
	model_unref(&m);
}

/* The moments in every form, each with the second before it; clocks in Berlin are an hour ahead in winter. */
static void test_account_expires(void **state)
{
	static const struct {
		const char *until;
		int64_t utc_s;
	} moments[] = {
		{ "2026-12-31", 1798758000 }, /* its end in Berlin */
		{ "2026-12-31 18:00", 1798736400 }, /* 17:00 UTC */
		{ "2026-07-01T18:00:30", 1782921630 }, /* 16:00:30 UTC */
		{ "2026-12-31T18:00:00Z", 1798740000 }, { "2026-12-31T18:00:00-05:30", 1798759800 },
		{ "1970-01-02T00:00Z", 86400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		char text[400];
		struct admit_result out;
		struct call_request req = request("192.0.2.1", 5060);
		struct model *m;

		snprintf(
			text, sizeof(text),
			"version: 1\naccounts: [ { name: x, time_zone: Europe/Berlin, valid_until: "
			"\"%s\" } ]\nmapping_gateways: [ { name: a, addresses: 192.0.2.1, "
			"account: x } ]\n",
			moments[i].until);
		m = model_of(text);
		req.utc_us = (uint64_t)moments[i].utc_s * SEC - 1;
		admit_decide(m, &req, &out, NULL);
		assert_int_equal(out.verdict, ADMIT_OK);
		req.utc_us++;
		admit_decide(m, &req, &out, NULL);
		assert_int_equal(out.end, END_ACCOUNT_EXPIRED);
		snprintf(text, sizeof(text), "a: account x was valid until %s", moments[i].until);
		assert_string_equal(out.text, text);
		model_unref(&m);
	}
}

/* A phone of ours that calls by a gateway: who pays, and which of its settings hold. */
static void test_phone_behind(void **state)
{
	struct model *m = model_of(
		"version: 1\naccounts: [ { name: trunk }, { name: alice } ]\n"
		"mapping_gateways:\n"
		"  - { name: none, addresses: 192.0.2.1, account: trunk }\n"
		"  - { name: pays, addresses: 192.0.2.2, account: trunk, phone_billing: true }\n"
		"  - { name: sets, addresses: 192.0.2.3, account: trunk, phone_settings: true, "
		"max_duration: 1h }\n"
		"phones:\n"
		"  - { number: \"1001\", dids: [ \"4930\" ], account: alice, password: p, "
		"lines_out: 1, "
		"max_duration: 7m, callees_forbidden: [ \"900\" ] }\n"
		"  - { number: \"1002\", password: p, locked: outbound }\n");
	struct call_request req = request("192.0.2.1", 5060);
	struct admit_result out, second;

	req.caller = SPAN("1001");
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.account->name, "trunk");
	assert_null(out.behind);
	req = request("192.0.2.2", 5060);
	req.caller = SPAN("4930");
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.account->name, "alice");
	assert_null(out.behind);
	req.caller = SPAN("1002"); /* has no account of its own */
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_OK);
	assert_string_equal(out.account->name, "trunk");
	req = request("192.0.2.3", 5060);
	req.caller = SPAN("1002");
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.text, "sets: phone 1002 is locked");
	req.caller = SPAN("1001");
	req.callee = SPAN("9001");
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.text,
			    "1001: callee 9001 begins with 900, which callees_forbidden lists");
	req.callee = SPAN("8801");
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.account->name, "trunk");
	assert_int_equal(out.max_duration_us, 420 * SEC);
	assert_true(admit_take(m, &req, &out, NULL));
	assert_int_equal(model_mapping(m, SPAN("sets"))->load->lines, 1);
	second = out;
	assert_false(admit_take(m, &req, &second, NULL));
	assert_string_equal(second.text, "1001: lines_out reached, 1 of 1 in use");
	assert_int_equal(second.status, 486);
	assert_int_equal(model_mapping(m, SPAN("sets"))->load->lines, 1);
	admit_give(m, &out);
	assert_int_equal(model_mapping(m, SPAN("sets"))->load->lines, 0);
	assert_true(admit_would_take(m, &req, &out, NULL));
	model_unref(&m);
}

/* Drawn anew for each call, never outside of the bounds, and on both sides of their middle. */
static void test_duration_drawn(void **state)
{
	struct model *m =
		model_of("version: 1\nmapping_gateways: [ { name: a, addresses: 192.0.2.1, "
			 "max_duration_least: 100s, max_duration: 200s } ]\n"
			 "phones: [ { number: \"1\", password: p, max_duration: 7m } ]\n");
	struct call_request req = request("192.0.2.1", 5060);
	struct admit_result out;
	unsigned below = 0;

	for (req.random = 0; req.random < 1000; req.random++) {
		admit_decide(m, &req, &out, NULL);
		assert_in_range(out.max_duration_us, 100 * SEC, 200 * SEC);
		below += out.max_duration_us < 150 * SEC;
	}
	assert_in_range(below, 400, 600);
	req.digest_user = SPAN("1");
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.max_duration_us, 420 * SEC);
	model_unref(&m);
}

static void test_by_name(void **state)
{
	struct model *m = model_of(config);
	struct call_request req = { .callee = SPAN("880") };
	struct admit_result out;

	req.from_gateway = "pbx";
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_OK);
	assert_string_equal(out.mapping->name, "pbx");
	req.from_gateway = "1001";
	admit_decide(m, &req, &out, NULL);
	assert_string_equal(out.phone->number, "1001");
	req.from_gateway = "nobody";
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_REFUSED);
	assert_non_null(strstr(out.text, "`nobody`"));
	model_unref(&m);
}

static void test_drop_and_open(void **state)
{
	struct model *m = model_of(open_config);
	struct call_request req = request("8.8.8.8", 5060);
	struct admit_result out;

	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_DROP);
	assert_int_equal(out.end, END_SOURCE_NOT_AUTHORISED);
	model_unref(&m);
	m = model_of("version: 1\nmapping_gateways: [ { name: anywhere, auth: digest, user: u, "
		     "password: p } ]\n");
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_CHALLENGE);
	req.digest_user = SPAN("u");
	admit_decide(m, &req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_OK);
	model_unref(&m);
}

/* ---- limits ------------------------------------------------------------------------------- */

static struct admit_result decided(const struct model *m, const struct call_request *req)
{
	struct admit_result out;

	admit_decide(m, req, &out, NULL);
	assert_int_equal(out.verdict, ADMIT_OK);
	return out;
}

static void test_line_limit(void **state)
{
	struct model *m = model_of(config);
	struct call_request req = request("203.0.113.8", 5060);
	struct admit_result first = decided(m, &req), second = first, third = first;
	struct reasons why = { 0 };

	assert_true(admit_take(m, &req, &first, NULL));
	assert_true(admit_take(m, &req, &second, NULL));
	assert_false(admit_take(m, &req, &third, &why));
	assert_int_equal(third.verdict, ADMIT_REFUSED);
	assert_int_equal(third.end, END_LINE_LIMIT);
	assert_string_equal(third.text, "acme-in: line limit reached, 2 of 2 in use");
	assert_int_equal(why.n, 1);
	assert_int_equal(m->load->lines, 2); /* the refused one left nothing behind */
	assert_int_equal(first.mapping->load->calls, 2);
	assert_int_equal(first.mapping->load->last_call_us, 7);
	admit_give(m, &second);
	third = decided(m, &req);
	assert_true(admit_take(m, &req, &third, NULL));
	admit_give(m, &first);
	admit_give(m, &third);
	assert_int_equal(m->load->lines, 0);
	assert_int_equal(first.mapping->load->lines, 0);
	model_unref(&m);
}

static void test_rate_limit(void **state)
{
	struct model *m = model_of(config);
	struct call_request req = request("203.0.113.8", 5060);
	struct admit_result out;

	for (int i = 0; i < 5; i++) {
		out = decided(m, &req);
		assert_true(admit_take(m, &req, &out, NULL));
		admit_give(m, &out);
	}
	out = decided(m, &req);
	assert_false(admit_take(m, &req, &out, NULL));
	assert_int_equal(out.end, END_RATE_LIMIT);
	assert_string_equal(out.text, "acme-in: rate limit reached, 5 calls a second");
	assert_int_equal(m->load->lines, 0);
	assert_int_equal(out.mapping->load->lines, 0);
	req.mono_us += 200 * MSEC + 1;
	out = decided(m, &req);
	assert_true(admit_take(m, &req, &out, NULL));
	admit_give(m, &out);
	model_unref(&m);
}

/* What is only asked for is told alike and takes nothing. */
static void expect_refusal(const struct model *m, const struct call_request *req, enum end_code end,
			   int status, uint32_t retry_after_s, const char *text)
{
	struct admit_result asked = decided(m, req), out = asked;
	struct reasons why = { 0 };
	int lines = m->load->lines;

	assert_false(admit_would_take(m, req, &asked, NULL));
	assert_false(admit_take(m, req, &out, &why));
	assert_int_equal(out.verdict, ADMIT_REFUSED);
	assert_int_equal(out.end, end);
	assert_int_equal(out.status, status);
	assert_int_equal(out.retry_after_s, retry_after_s);
	assert_string_equal(out.text, text);
	assert_string_equal(asked.text, text);
	assert_int_equal(asked.end, end);
	assert_int_equal(why.n, 1);
	assert_true(reason_is_limit(why.reason[0].code));
	assert_int_equal(m->load->lines, lines);
}

static void test_every_limit(void **state)
{
	struct model *m =
		model_of("version: 1\n"
			 "accounts: [ { name: x, line_limit: 3 }, { name: y, rate_limit: 1, "
			 "rate_burst: 2 } ]\n"
			 "gateway_groups: [ { name: g, line_limit: 4 }, { name: h, rate_limit: 1, "
			 "rate_burst: 1 } ]\n"
			 "mapping_gateways:\n"
			 "  - { name: a, account: x, addresses: 192.0.2.1, groups: [ g ] }\n"
			 "  - { name: b, addresses: 192.0.2.2, groups: [ g ], reserved_lines: 2 }\n"
			 "  - { name: c, addresses: 192.0.2.3, groups: [ g ] }\n"
			 "  - { name: d, account: y, addresses: 192.0.2.4 }\n"
			 "  - { name: e, addresses: 192.0.2.5, groups: [ h ] }\n"
			 "phones: [ { number: \"7\", lines_out: 1, line_limit: 2 } ]\n");
	struct call_request a = request("192.0.2.1", 5060), b = request("192.0.2.2", 5060),
			    c = request("192.0.2.3", 5060), d = request("192.0.2.4", 5060),
			    e = request("192.0.2.5", 5060), p = request("192.0.2.9", 5060);
	struct admit_result held[8], *next = held;
	struct claim_refusal refusal;
	struct claims in;

	p.from_gateway = "7";
	for (int i = 0; i < 3; i++, next++) {
		*next = decided(m, &a);
		assert_true(admit_would_take(m, &a, next, NULL));
		assert_true(admit_take(m, &a, next, NULL));
	}
	expect_refusal(m, &a, END_LINE_LIMIT, 0, 0,
		       "a: line limit of account x reached, 3 of 3 in use");
	expect_refusal(m, &b, END_RESERVED_LINES, 0, 0,
		       "b: its reserved_lines would not stay free: 3 of 4 lines of group g in use");
	*next = decided(m, &c);
	assert_true(admit_take(m, &c, next++, NULL));
	expect_refusal(m, &c, END_LINE_LIMIT, 0, 0,
		       "c: line limit of group g reached, 4 of 4 in use");
	for (int i = 0; i < 2; i++, next++) {
		*next = decided(m, &d);
		assert_true(admit_take(m, &d, next, NULL));
	}
	expect_refusal(m, &d, END_RATE_LIMIT, 0, 1,
		       "d: rate limit of account y reached, 1 calls a second");
	*next = decided(m, &e);
	assert_true(admit_take(m, &e, next++, NULL));
	expect_refusal(m, &e, END_RATE_LIMIT, 0, 1,
		       "e: rate limit of group h reached, 1 calls a second");
	*next = decided(m, &p);
	assert_true(admit_take(m, &p, next++, NULL));
	expect_refusal(m, &p, END_LINE_LIMIT, 486, 0, "7: lines_out reached, 1 of 1 in use");
	admit_give(m, --next);
	claims_of_callee(m, NULL, model_phone(m, SPAN("7")), 0, &in);
	assert_true(claims_take(&in, 0, 0, &refusal));
	assert_true(claims_take(&in, 0, 0, &refusal));
	expect_refusal(m, &p, END_LINE_LIMIT, 486, 0, "7: line limit reached, 2 of 2 in use");
	claims_give(&in);
	claims_give(&in);
	while (next > held)
		admit_give(m, --next);
	assert_int_equal(m->load->lines, 0);
	model_unref(&m);
}

static void test_system_limits(void **state)
{
	struct model *m = model_of(open_config);
	struct call_request a = request("192.0.2.1", 5060), b = request("192.0.2.2", 5060);
	struct admit_result one = decided(m, &a), two = decided(m, &b), three = two;

	assert_true(admit_take(m, &a, &one, NULL));
	assert_true(admit_take(m, &b, &two, NULL));
	assert_false(admit_take(m, &b, &three, NULL));
	assert_string_equal(three.text, "system: max_calls reached, 2 of 2 in use");
	admit_give(m, &two);
	two = decided(m, &b);
	assert_true(admit_take(m, &b, &two, NULL));
	admit_give(m, &two);
	three = decided(m, &b);
	assert_false(admit_take(m, &b, &three, NULL));
	assert_string_equal(three.text, "system: max_cps reached, 3 calls a second");
	assert_int_equal(three.end, END_RATE_LIMIT);
	assert_int_equal(m->load->lines, 1);
	assert_int_equal(two.mapping->load->lines, 0);
	/* the gateway's own token came back: 98 of its 100 are left */
	for (int i = 0; i < 98; i++)
		assert_true(
			load_take_rate(two.mapping->load, &two.mapping->limits.rate, b.mono_us));
	assert_false(load_take_rate(two.mapping->load, &two.mapping->limits.rate, b.mono_us));
	admit_give(m, &one);
	model_unref(&m);
}

static void test_reasons(void **state)
{
	struct reasons why = { 0 };
	struct reason reason = { REASON_LINE_LIMIT, "a-1", 100, 100 };
	char text[128], tiny[8];

	for (int i = 0; i < REASONS_MAX + 5; i++)
		reasons_add(&why, REASON_LOCKED, "x", 0, 0);
	assert_int_equal(why.n, REASONS_MAX + 5);
	reasons_add(NULL, REASON_LOCKED, "x", 0, 0);
	assert_string_equal(reason_text(&reason, text, sizeof(text)),
			    "a-1: line limit reached, 100 of 100 in use");
	assert_string_equal(reason_text(&reason, tiny, sizeof(tiny)), "a-1: li");
	for (int i = 0; i < REASONS; i++) {
		reason = (struct reason){ (enum reason_code)i, NULL, 1, 2 };
		assert_non_null(reason_name((enum reason_code)i));
		assert_true(strlen(reason_text(&reason, text, sizeof(text))) > 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),          cmocka_unit_test(test_duration_and_account),
		cmocka_unit_test(test_duration_drawn),  cmocka_unit_test(test_phone_behind),
		cmocka_unit_test(test_account_expires), cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_drop_and_open),   cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_rate_limit),      cmocka_unit_test(test_every_limit),
		cmocka_unit_test(test_system_limits),   cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
