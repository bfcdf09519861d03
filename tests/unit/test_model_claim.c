/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a call takes: composed as the configuration says, all or nothing, never above a limit, never leaked. */
#include "model/model.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct model *model_of(const char *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &error, 1))
		fail_msg("line %u %s: %s", error.line, error.object, error.text);
	return m;
}

static const char config[] =
	"version: 1\n"
	"parameters: { max_calls: 50, max_cps: 20, max_cps_burst: 5 }\n"
	"accounts: [ { name: acme, line_limit: 9, rate_limit: 8 }, { name: vendor, line_limit: 7 } "
	"]\n"
	"gateway_groups: [ { name: eu, line_limit: 6 }, { name: all, line_limit: 10 } ]\n"
	"mapping_gateways:\n"
	"  - { name: in, account: acme, addresses: 192.0.2.1, line_limit: 4, groups: [ all ] }\n"
	"routing_gateways:\n"
	"  - { name: a, account: vendor, address: h, groups: [ eu, all ], reserved_lines: 3 }\n"
	"  - { name: b, address: h, line_limit: 5, groups: [ eu ], scheduled_line_limits:\n"
	"      [ { from: 08:00, to: 09:00, line_limit: 2 } ] }\n"
	"phones: [ { number: \"1\", account: acme, line_limit: 3, lines_in: 1, lines_out: 2 } ]\n";

/* "gateway in 4, group all 10, ..." */
static void expect_claims(const struct claims *claims, const char *expected)
{
	static const char *const words[] = { "system", "account",  "gateway",  "group",
					     "phone",  "phone_in", "phone_out" };
	struct buf text = BUF_INIT(4096);

	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		buf_addf(&text, "%s%s %s %d", i ? ", " : "", words[c->of], c->object,
			 c->line_limit);
		if (c->reserved)
			buf_addf(&text, "-%d", c->reserved);
		if (c->rate.calls)
			buf_addf(&text, " %u/%us %u", c->rate.calls, c->rate.period_s,
				 c->rate.burst);
	}
	assert_string_equal(buf_cstr(&text), expected);
	buf_free(&text);
}

static void test_which(void **state)
{
	struct model *m = model_of(config);
	const struct model_mapping *in = model_mapping(m, SPAN("in"));
	const struct model_phone *phone = model_phone(m, SPAN("1"));
	struct claims claims;

	claims_of_caller(m, in, NULL, in->account, 0, &claims);
	expect_claims(
		&claims,
		"gateway in 4, group all 10, account acme 9 8/1s 0, system system 50 20/1s 5");
	claims_of_caller(m, NULL, phone, phone->account, 0, &claims);
	expect_claims(&claims,
		      "phone_out 1 2, phone 1 3, account acme 9 8/1s 0, system system 50 20/1s 5");
	claims_of_callee(m, NULL, phone, 0, &claims);
	expect_claims(&claims, "phone_in 1 1, phone 1 3");
	claims_of_callee(m, model_routing(m, SPAN("a")), NULL, 0, &claims);
	expect_claims(&claims, "gateway a 0, group eu 6-3, group all 10-3, account vendor 7");
	claims_of_callee(m, model_routing(m, SPAN("b")), NULL, 0, &claims);
	expect_claims(&claims, "gateway b 5, group eu 6");
	claims_of_callee(m, model_routing(m, SPAN("b")), NULL, 8 * 3600 * SEC, &claims);
	expect_claims(&claims, "gateway b 2, group eu 6");
	model_unref(&m);
}

static bool take(const struct claims *claims, struct claim_refusal *refusal)
{
	return claims_take(claims, 100 * SEC, 0, refusal);
}

/* The member that must leave three lines free stops before the others do. */
static void test_reserve(void **state)
{
	struct model *m = model_of(config);
	struct claim_refusal refusal;
	struct claims a, b;

	claims_of_callee(m, model_routing(m, SPAN("a")), NULL, 0, &a);
	claims_of_callee(m, model_routing(m, SPAN("b")), NULL, 0, &b);
	for (int i = 0; i < 4; i++) { /* with 3 of 6 in use 3 are free still */
		assert_false(claims_would_refuse(&a, 100 * SEC, &refusal));
		assert_true(take(i & 1 ? &a : &b, &refusal));
	}
	assert_false(take(&a, &refusal));
	assert_int_equal(refusal.limit, CLAIM_RESERVE);
	assert_string_equal(refusal.claim.object, "eu");
	assert_int_equal(refusal.lines, 4);
	assert_int_equal(refusal.claim.line_limit, 6);
	assert_true(claims_would_refuse(&a, 100 * SEC, &refusal));
	assert_int_equal(model_group(m, SPAN("eu"))->load->refused_lines, 1);
	assert_int_equal(model_routing(m, SPAN("a"))->load->lines, 2);
	assert_true(take(&b, &refusal));
	assert_true(take(&b, &refusal));
	assert_false(take(&b, &refusal));
	assert_int_equal(refusal.limit, CLAIM_LINES);
	assert_int_equal(refusal.lines, 6);
	assert_false(take(&a, &refusal)); /* now it is full for everybody */
	assert_int_equal(refusal.limit, CLAIM_LINES);
	claims_give(&a);
	claims_give(&a);
	for (int i = 0; i < 4; i++)
		claims_give(&b);
	assert_int_equal(model_group(m, SPAN("eu"))->load->lines, 0);
	assert_int_equal(model_group(m, SPAN("all"))->load->lines, 0);
	assert_int_equal(model_group(m, SPAN("eu"))->load->peak_lines, 6);
	assert_int_equal(model_group(m, SPAN("eu"))->load->calls, 6);
	model_unref(&m);
}

/* A reserve beyond the group's limit: never usable. */
static void test_reserve_all(void **state)
{
	struct model *m =
		model_of("version: 1\n"
			 "gateway_groups: [ { name: g, line_limit: 2 } ]\n"
			 "routing_gateways:\n"
			 "  - { name: a, address: h, groups: [ g ], reserved_lines: 3 }\n"
			 "  - { name: b, address: h, groups: [ g ], reserved_lines: 2 }\n");
	struct claim_refusal refusal;
	struct claims a, b;

	claims_of_callee(m, model_routing(m, SPAN("a")), NULL, 0, &a);
	claims_of_callee(m, model_routing(m, SPAN("b")), NULL, 0, &b);
	assert_false(take(&a, &refusal));
	assert_int_equal(refusal.limit, CLAIM_RESERVE);
	assert_int_equal(refusal.lines, 0);
	assert_true(take(&b, &refusal));
	assert_false(take(&b, &refusal));
	assert_int_equal(refusal.lines, 1);
	claims_give(&b);
	model_unref(&m);
}

static void test_phone(void **state)
{
	struct model *m = model_of(config);
	const struct model_phone *phone = model_phone(m, SPAN("1"));
	struct claim_refusal refusal;
	struct claims in, out;

	claims_of_caller(m, NULL, phone, phone->account, 0, &out);
	claims_of_callee(m, NULL, phone, 0, &in);
	assert_true(take(&in, &refusal));
	assert_false(take(&in, &refusal));
	assert_int_equal(refusal.claim.of, CLAIM_PHONE_IN);
	assert_int_equal(refusal.lines, 1);
	assert_true(take(&out, &refusal));
	assert_true(take(&out, &refusal));
	assert_false(take(&out, &refusal));
	assert_int_equal(refusal.claim.of, CLAIM_PHONE_OUT);
	claims_give(&in);
	assert_int_equal(phone->load->lines, 2);
	assert_true(take(&in, &refusal));
	assert_int_equal(phone->load->lines, 3);
	claims_give(&out);
	claims_give(&out);
	claims_give(&in);
	assert_int_equal(phone->load->lines, 0);
	assert_int_equal(phone->load->peak_lines, 3);
	assert_int_equal(phone->load->calls, 4);
	assert_int_equal(*in.claim[0].lines, 0);
	assert_int_equal(*out.claim[0].lines, 0);
	assert_int_equal(model_account(m, SPAN("acme"))->load->peak_lines, 2);
	model_unref(&m);
}

/* While a window is open its rate holds, with all that belongs to it; the clocks are the account's. */
static void test_scheduled_rate(void **state)
{
	struct model *m = model_of(
		"version: 1\n"
		"accounts: [ { name: far, time_zone: Asia/Dhaka } ]\n"
		"mapping_gateways:\n"
		"  - { name: in, addresses: 192.0.2.1, account: far, rate_limit: 5, rate_burst: "
		"9,\n"
		"      scheduled_rate_limits: [\n"
		"        { from: \"06:00\", to: \"08:00\", rate_limit: 30, rate_period: 60 },\n"
		"        { from: \"06:00\", to: \"09:00\", rate_limit: 0 } ] }\n");
	const struct model_mapping *in = &m->mappings[0];
	static const struct {
		unsigned hour; /* UTC; Dhaka is six ahead */
		const char *expected;
	} moments[] = {
		{ 0, "gateway in 0 30/60s 0, account far 0, system system 0" },
		{ 1, "gateway in 0 30/60s 0, account far 0, system system 0" },
		{ 2, "gateway in 0, account far 0, system system 0" },
		{ 3, "gateway in 0 5/1s 9, account far 0, system system 0" },
		{ 23, "gateway in 0 5/1s 9, account far 0, system system 0" },
	};
	struct claims claims;

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		claims_of_caller(m, in, NULL, in->account, moments[i].hour * 3600 * SEC, &claims);
		expect_claims(&claims, moments[i].expected);
	}
	model_unref(&m);
}

/* A rate that refuses gives back lines and tokens of all others, and says when to come again. */
static void test_rate(void **state)
{
	struct model *m = model_of(config);
	const struct model_mapping *in = model_mapping(m, SPAN("in"));
	struct claim_refusal refusal;
	const struct call_rate eight = { 8, 0, 1 };
	struct claims claims;
	uint64_t now = 1000 * SEC;

	claims_of_caller(m, in, NULL, NULL, 0, &claims);
	for (int i = 0; i < 5; i++) {
		assert_true(claims_take(&claims, now, 0, &refusal));
		claims_give(&claims);
	}
	claims_of_caller(m, in, NULL, in->account, 0, &claims);
	assert_false(claims_take(&claims, now, 0, &refusal));
	assert_int_equal(refusal.limit, CLAIM_RATE);
	assert_int_equal(refusal.claim.of, CLAIM_SYSTEM);
	assert_int_equal(refusal.wait_us, SEC / 20);
	assert_int_equal(m->load->refused_rate, 1);
	assert_int_equal(in->load->lines, 0);
	assert_int_equal(model_account(m, SPAN("acme"))->load->lines, 0);
	assert_int_equal(load_rate_left(model_account(m, SPAN("acme"))->load, &eight, now), 8);
	assert_true(claims_would_refuse(&claims, now + SEC / 20 - 1, &refusal));
	assert_int_equal(refusal.wait_us, 1);
	assert_true(claims_take(&claims, now + SEC / 20, 0, &refusal));
	assert_int_equal(
		load_rate_left(model_account(m, SPAN("acme"))->load, &eight, now + SEC / 20), 7);
	claims_give(&claims);
	model_unref(&m);
}

/* Limits and memberships change under a call: it gives back what it took. */
static void test_change(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct model *old, *new;
	struct claim_refusal refusal;
	struct claims held, claims;

	model_hub_swap(hub, model_of(config));
	old = model_hub_get(hub);
	claims_of_callee(old, model_routing(old, SPAN("b")), NULL, 0, &held);
	for (int i = 0; i < 3; i++)
		assert_true(take(&held, &refusal));
	model_hub_swap(hub, model_of("version: 1\n"
				     "gateway_groups: [ { name: eu, line_limit: 3 }, { name: us, "
				     "line_limit: 1 } ]\n"
				     "routing_gateways: [ { name: b, address: h, groups: [ us ], "
				     "line_limit: 9 },\n"
				     "  { name: c, address: h, groups: [ eu ] } ]\n"));
	new = model_hub_get(hub);
	claims_of_callee(new, model_routing(new, SPAN("c")), NULL, 0, &claims);
	assert_false(take(&claims, &refusal));
	assert_string_equal(refusal.claim.object, "eu");
	assert_int_equal(refusal.lines, 3);
	claims_of_callee(old, model_routing(old, SPAN("b")), NULL, 0, &held);
	claims_give(&held);
	assert_true(take(&claims, &refusal));
	claims_give(&claims);
	claims_give(&held);
	claims_give(&held);
	assert_int_equal(model_group(new, SPAN("eu"))->load->lines, 0);
	assert_int_equal(model_group(new, SPAN("us"))->load->lines, 0);
	assert_int_equal(model_routing(new, SPAN("b"))->load->lines, 0);
	model_unref(&old);
	model_unref(&new);
	model_hub_free(&hub);
}

/* ---- random configurations ---------------------------------------------------------------- */

#define OBJECTS 4
#define LIVE_MOST 60
#define DIVISORS 8

static unsigned dice(unsigned n)
{
	return rng_below(n);
}

/* Rates whose steps the switch can count exactly, so that a naive bucket decides alike. */
static void add_limits(struct buf *out)
{
	static const unsigned rates[DIVISORS] = { 0, 0, 1, 2, 5, 10, 50, 100 };

	buf_addf(out, "line_limit: %u, rate_limit: %u, rate_burst: %u, rate_period: %u", dice(7),
		 rates[dice(DIVISORS)], dice(4) ? 0 : 1 + dice(9), dice(3) ? 1 : 1 + dice(8));
}

static void add_member(struct buf *out)
{
	unsigned first = dice(OBJECTS), second = (first + 1 + dice(OBJECTS - 1)) % OBJECTS;

	if (dice(3))
		buf_addf(out, ", account: a%u", dice(OBJECTS));
	if (dice(3))
		buf_addf(out, ", groups: [ g%u, g%u ], reserved_lines: %u", first, second, dice(5));
}

static struct model *random_model(void)
{
	struct buf out = BUF_INIT(1 << 16);
	struct model *m;

	buf_addf(&out,
		 "version: 1\nparameters: { max_calls: %u, max_cps: %u, max_cps_burst: %u }\n",
		 dice(3) ? 0 : 5 + dice(20), dice(3) ? 0 : 50, dice(10));
	for (unsigned section = 0; section < 5; section++) {
		static const char *const heads[] = { "accounts", "gateway_groups",
						     "mapping_gateways", "routing_gateways",
						     "phones" };
		static const char *const begin[] = { "name: a%u, ", "name: g%u, ",
						     "name: m%u, addresses: 192.0.2.%u, ",
						     "name: r%u, address: h, ",
						     "number: \"%u\", " };

		buf_addf(&out, "%s:\n", heads[section]);
		for (unsigned i = 0; i < OBJECTS; i++) {
			char text[64];

			buf_add_str(&out, "  - { ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof(text), begin[section], i, i);
#pragma GCC diagnostic pop
			buf_add_str(&out, text);
			add_limits(&out);
			if (section == 2 || section == 3)
				add_member(&out);
			if (section == 4)
				buf_addf(&out, ", account: a%u, lines_in: %u, lines_out: %u",
					 dice(OBJECTS), dice(4), dice(4));
			buf_add_str(&out, " }\n");
		}
	}
	m = model_of(buf_cstr(&out));
	buf_free(&out);
	return m;
}

static void random_claims(const struct model *m, struct claims *out)
{
	const struct model_mapping *mapping = &m->mappings[dice(OBJECTS)];
	const struct model_phone *phone = &m->phones[dice(OBJECTS)];

	switch (dice(4)) {
	case 0:
		claims_of_caller(m, mapping, NULL, mapping->account, 0, out);
		break;
	case 1:
		claims_of_caller(m, NULL, phone, phone->account, 0, out);
		break;
	case 2:
		claims_of_callee(m, &m->routings[dice(OBJECTS)], NULL, 0, out);
		break;
	default:
		claims_of_callee(m, NULL, phone, 0, out);
	}
}

/* ---- against a naive reference -------------------------------------------------------------- */

/* A counter with a bucket of tokens, each worth a period in microseconds. */
struct naive {
	const atomic_int *key;
	int lines;
	uint64_t tokens, at;
	bool used;
};
static struct naive naive[64];

static struct naive *naive_of(const struct claim *c)
{
	unsigned i = 0;

	while (naive[i].key && naive[i].key != c->lines)
		i++;
	assert_true(i < ARRAY_SIZE(naive));
	naive[i].key = c->lines;
	return &naive[i];
}

static void naive_refill(struct naive *n, const struct claim *c, uint64_t now)
{
	uint64_t most = (c->rate.burst ? c->rate.burst : c->rate.calls) * c->rate.period_s * SEC;

	n->tokens = n->used ? n->tokens + (now - n->at) * c->rate.calls : most;
	if (n->tokens > most)
		n->tokens = most;
	n->used = true;
	n->at = now;
}

/* The index of the claim that refuses, lines before rates; claims->n: none does. */
static unsigned naive_refuses(const struct claims *claims, uint64_t now, enum claim_limit *limit)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];
		int lines = naive_of(c)->lines, free = c->line_limit - lines;

		if (!c->line_limit)
			continue;
		*limit = free <= 0 ? CLAIM_LINES : CLAIM_RESERVE;
		if (free <= 0 || free < c->reserved)
			return i;
	}
	*limit = CLAIM_RATE;
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		if (!c->rate.calls)
			continue;
		naive_refill(naive_of(c), c, now);
		if (naive_of(c)->tokens < c->rate.period_s * SEC)
			return i;
	}
	return claims->n;
}

static void naive_take(const struct claims *claims)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		naive_of(c)->lines++;
		if (c->rate.calls)
			naive_of(c)->tokens -= c->rate.period_s * SEC;
	}
}

static void naive_give(const struct claims *claims)
{
	for (unsigned i = 0; i < claims->n; i++)
		naive_of(&claims->claim[i])->lines--;
}

static void check_lines(const struct claims *claims)
{
	for (unsigned i = 0; i < claims->n; i++)
		assert_int_equal(*claims->claim[i].lines, naive_of(&claims->claim[i])->lines);
}

static void check_all_free(const struct model *m)
{
	struct claims claims;

	assert_int_equal(m->load->lines, 0);
	for (unsigned i = 0; i < OBJECTS; i++) {
		assert_int_equal(m->accounts[i].load->lines, 0);
		assert_int_equal(m->groups[i].load->lines, 0);
		assert_int_equal(m->mappings[i].load->lines, 0);
		assert_int_equal(m->routings[i].load->lines, 0);
		assert_int_equal(m->phones[i].load->lines, 0);
		claims_of_caller(m, NULL, &m->phones[i], NULL, 0, &claims);
		assert_int_equal(*claims.claim[0].lines, 0);
		claims_of_callee(m, NULL, &m->phones[i], 0, &claims);
		assert_int_equal(*claims.claim[0].lines, 0);
	}
}

static void try_one(const struct model *m, uint64_t now, struct claims *live, unsigned *n)
{
	struct claim_refusal would, refusal;
	struct claims *claims = &live[*n];
	enum claim_limit limit;
	unsigned by;
	bool refuses, taken;

	random_claims(m, claims);
	by = naive_refuses(claims, now, &limit);
	refuses = claims_would_refuse(claims, now, &would);
	taken = claims_take(claims, now, 0, &refusal);
	assert_int_equal(taken, by == claims->n);
	assert_int_equal(refuses, !taken);
	if (taken) {
		naive_take(claims);
		++*n;
	} else {
		assert_ptr_equal(refusal.claim.lines, claims->claim[by].lines);
		assert_int_equal(refusal.limit, limit);
		if (limit != CLAIM_RATE)
			assert_int_equal(refusal.lines, naive_of(&claims->claim[by])->lines);
		assert_ptr_equal(would.claim.lines, refusal.claim.lines);
		assert_int_equal(would.limit, refusal.limit);
		assert_int_equal(would.wait_us, refusal.wait_us);
	}
	check_lines(claims);
}

static void test_like_naive(void **state)
{
	static struct claims live[LIVE_MOST];

	for (unsigned round = 0; round < 60; round++) {
		struct model *m = random_model();
		uint64_t now = rng_u32();
		unsigned n = 0;

		memset(naive, 0, sizeof(naive));
		for (unsigned i = 0; i < 1500; i++) {
			now += dice(4) ? 0 : dice(SEC / 10);
			if (n && (n == LIVE_MOST || dice(2))) {
				unsigned one = dice(n);

				claims_give(&live[one]);
				naive_give(&live[one]);
				check_lines(&live[one]);
				live[one] = live[--n];
			} else {
				try_one(m, now, live, &n);
			}
		}
		while (n)
			claims_give(&live[--n]);
		check_all_free(m);
		model_unref(&m);
	}
}

/* ---- by all workers at once ----------------------------------------------------------------- */

#define THREADS 4
#define HELD 6

static struct {
	const struct model *m;
	_Atomic uint64_t now;
} shared;

static void check_below(const struct claims *claims)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		assert(c->line_limit == 0 || atomic_load(c->lines) <= c->line_limit);
	}
}

static void *take_and_give(void *arg)
{
	struct claims held[HELD];
	struct claim_refusal refusal;
	unsigned n = 0;

	for (int i = 0; i < 8000; i++) {
		uint64_t now = atomic_fetch_add(&shared.now, dice(300));

		random_claims(shared.m, &held[n]);
		if (n && (n == HELD - 1 || dice(2)))
			claims_give(&held[--n]);
		else if (claims_take(&held[n], now, 0, &refusal))
			check_below(&held[n++]);
		else
			check_below(&held[n]);
	}
	while (n)
		claims_give(&held[--n]);
	return NULL;
}

/* Never more calls than burst + rate * time, here over the whole run; rounded up once. */
static void check_calls(const struct load *load, const struct model_limits *limits, uint64_t us)
{
	uint64_t burst = limits->rate.burst ? limits->rate.burst : limits->rate.calls;

	if (limits->rate.calls)
		assert_true(load->calls <=
			    burst + limits->rate.calls * us / (limits->rate.period_s * SEC) + 1);
	if (limits->line_limit)
		assert_true(load->peak_lines <= limits->line_limit);
}

static void test_threads(void **state)
{
	for (unsigned round = 0; round < 6; round++) {
		pthread_t threads[THREADS];
		struct model *m = random_model();
		uint64_t start = rng_u32();

		shared.m = m;
		atomic_store(&shared.now, start);
		for (int i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, take_and_give, NULL);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		check_all_free(m);
		for (unsigned i = 0; i < OBJECTS; i++) {
			uint64_t us = atomic_load(&shared.now) - start;

			check_calls(m->accounts[i].load, &m->accounts[i].limits, us);
			check_calls(m->groups[i].load, &m->groups[i].limits, us);
			check_calls(m->mappings[i].load, &m->mappings[i].limits, us);
			check_calls(m->routings[i].load, &m->routings[i].limits, us);
			check_calls(m->phones[i].load, &m->phones[i].limits, us);
		}
		model_unref(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),          cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_reserve_all),    cmocka_unit_test(test_phone),
		cmocka_unit_test(test_scheduled_rate), cmocka_unit_test(test_rate),
		cmocka_unit_test(test_change),         cmocka_unit_test(test_like_naive),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
