/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which numbers gateways, phones and the system permit: on the caller's side a refusal, on the callee's a reason. */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char config[] =
	"version: 1\n"
	"parameters: { blacklist_callers: bad, whitelist_callers: good, blacklist_callees: premium "
	"}\n"
	"number_groups:\n"
	"  - { name: bad, numbers: [ \"666\", \"667\" ], prefixes: [ \"99\" ] }\n"
	"  - { name: good, numbers: [ \"667\" ] }\n"
	"  - { name: premium, prefixes: [ \"0900\" ] }\n"
	"  - { name: staff, numbers: [ \"1001\" ] }\n"
	"mapping_gateways:\n"
	"  - { name: free, addresses: 192.0.2.1 }\n"
	"  - { name: acme-in, addresses: 192.0.2.2, callers_forbidden: [ \"4930\", \"49\" ],\n"
	"      callers_allowed: [ \"4\", \"1\" ], callees_forbidden: \"8809\", callee_lengths: [ "
	"5, 7-9 ] }\n"
	"  - { name: desk, addresses: 192.0.2.3, caller_groups_allowed: staff, "
	"callee_groups_forbidden: [ good, bad ] }\n"
	"routing_gateways:\n"
	"  - { name: any, address: h }\n"
	"  - { name: picky, address: h, callers_allowed: \"44\", callee_groups_forbidden: staff }\n"
	"phones:\n"
	"  - { number: \"2001\", password: p, callees_allowed: \"20\" }\n";

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return m;
}

static void test_refusals(void **state)
{
	static const struct {
		const char *from, *caller, *callee, *text;
		enum end_code end;
	} cases[] = {
		{ "free", "4930", "8809", "", END_NONE },
		{ "acme-in", "44123", "12345", "", END_NONE },
		{ "acme-in", "493012", "12345",
		  "acme-in: caller 493012 begins with 4930, which callers_forbidden lists",
		  END_CALLER_PREFIX_FORBIDDEN },
		{ "acme-in", "491", "12345",
		  "acme-in: caller 491 begins with 49, which callers_forbidden lists",
		  END_CALLER_PREFIX_FORBIDDEN },
		{ "acme-in", "33", "12345",
		  "acme-in: caller 33 begins with nothing that callers_allowed lists",
		  END_CALLER_PREFIX_FORBIDDEN },
		{ "acme-in", "44", "8809123",
		  "acme-in: callee 8809123 begins with 8809, which callees_forbidden lists",
		  END_CALLEE_PREFIX_FORBIDDEN },
		{ "acme-in", "44", "123456",
		  "acme-in: callee 123456 has 6 characters, which callee_lengths does not list",
		  END_CALLEE_LENGTH_FORBIDDEN },
		{ "acme-in", "44", "1234567890",
		  "acme-in: callee 1234567890 has 10 characters, which callee_lengths does not "
		  "list",
		  END_CALLEE_LENGTH_FORBIDDEN },
		{ "acme-in", "44", "1234567", "", END_NONE },
		{ "desk", "1001", "5", "", END_NONE },
		{ "desk", "1002", "5",
		  "desk: caller 1002 is in none of the groups that caller_groups_allowed lists",
		  END_CALLER_GROUP_FORBIDDEN },
		{ "desk", "1001", "991",
		  "desk: callee 991 is in number group bad, which callee_groups_forbidden lists",
		  END_CALLEE_GROUP_FORBIDDEN },
		{ "free", "666", "1",
		  "free: caller 666 is in number group bad, which blacklist_callers names",
		  END_CALLER_BLACKLISTED },
		{ "free", "9912", "1",
		  "free: caller 9912 is in number group bad, which blacklist_callers names",
		  END_CALLER_BLACKLISTED },
		{ "free", "6666", "1", "", END_NONE },
		{ "free", "667", "1", "", END_NONE },
		{ "free", "1", "09001",
		  "free: callee 09001 is in number group premium, which blacklist_callees names",
		  END_CALLEE_BLACKLISTED },
		{ "2001", "2001", "201", "", END_NONE },
		{ "2001", "2001", "301",
		  "2001: callee 301 begins with nothing that callees_allowed lists",
		  END_CALLEE_PREFIX_FORBIDDEN },
		{ "free", "66\n6 <x>666", "09001",
		  "free: callee 09001 is in number group premium, which blacklist_callees names",
		  END_CALLEE_BLACKLISTED },
	};
	struct model *m = model_of(config);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_request req = { .from_gateway = cases[i].from,
					    .caller = span_of(cases[i].caller),
					    .callee = span_of(cases[i].callee) };
		struct admit_result result;
		struct reasons why;

		admit_decide(m, &req, &result, &why);
		assert_string_equal(result.text, cases[i].text);
		assert_int_equal(result.end, cases[i].end);
		assert_int_equal(result.verdict, cases[i].end ? ADMIT_REFUSED : ADMIT_OK);
		assert_int_equal(why.n, cases[i].end ? 2 : 1);
		if (cases[i].end)
			assert_int_equal(end_code_info(cases[i].end)->sip, 403);
	}
	model_unref(&m);
}

static void expect_reason(const struct model *m, const char *caller, const char *callee,
			  const char *text)
{
	struct call_request req = { .caller = span_of(caller), .callee = span_of(callee) };
	struct admit_result from = { .verdict = ADMIT_OK };
	struct route_plan plan;
	struct reasons why;
	char got[256];

	assert_int_equal(route_plan(m, &req, &from, &plan, &why), ROUTE_OK);
	assert_int_equal(plan.n, text ? 1 : 2);
	assert_int_equal(why.n, 2);
	if (text)
		assert_string_equal(reason_text(&why.reason[1], got, sizeof(got)), text);
}

static void test_candidates(void **state)
{
	struct model *m = model_of(config);

	expect_reason(m, "44", "1", NULL);
	expect_reason(m, "45", "1", "picky: caller begins with nothing that callers_allowed lists");
	expect_reason(
		m, "44", "1001",
		"picky: callee is in number group staff, which callee_groups_forbidden lists");
	model_unref(&m);
}

/* A number that is not permitted is no reason to call again: not "busy". */
static void test_none_left(void **state)
{
	struct model *m =
		model_of("version: 1\n"
			 "routing_gateways: [ { name: g, address: h, callee_lengths: 3 } ]\n");
	struct call_request req = { .callee = SPAN("1234") };
	struct admit_result from = { .verdict = ADMIT_OK };
	struct route_plan plan;

	assert_int_equal(route_plan(m, &req, &from, &plan, NULL), ROUTE_NONE);
	model_unref(&m);
}

/* What is written reads back as the same. */
static void test_written(void **state)
{
	struct model *m = model_of(config), *again;
	struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);

	model_write_yaml(&first, m, true);
	again = model_of(buf_cstr(&first));
	model_write_yaml(&second, again, true);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	assert_non_null(strstr(buf_cstr(&first), "callee_lengths: [\"5\", \"7-9\"]"));
	assert_non_null(strstr(buf_cstr(&first), "callers_forbidden: [\"4930\", \"49\"]"));
	assert_non_null(strstr(buf_cstr(&first), "blacklist_callers: \"bad\""));
	assert_non_null(strstr(buf_cstr(&first), "caller_groups_allowed: [\"staff\"]"));
	buf_free(&first);
	buf_free(&second);
	model_unref(&m);
	model_unref(&again);
}

static void test_faults(void **state)
{
	static const struct {
		const char *config, *text;
	} cases[] = {
		{ "version: 1\nparameters: { blacklist_callers: nobody }\n",
		  "blacklist_callers: the number group `nobody` does not exist" },
		{ "version: 1\nnumber_groups: [ { name: g, numbers: [ \"1 2\" ] } ]\n",
		  "numbers: `1 2` is no number" },
		{ "version: 1\nnumber_groups: [ { name: g, numbers: [ \"\" ] } ]\n",
		  "numbers: `` has 0 characters, the limits are 1 and 63" },
		{ "version: 1\nrouting_gateways: [ { name: g, address: h, caller_lengths: [ 9-7 ] "
		  "} ]\n",
		  "caller_lengths: `9-7` is no length and no range of them" },
		{ "version: 1\nrouting_gateways: [ { name: g, address: h, caller_lengths: [ 63 ] } "
		  "]\n",
		  "caller_lengths: `63` is no length and no range of them" },
		{ "version: 1\nrouting_gateways: [ { name: g, address: h, callee_groups_allowed: "
		  "staf } ]\n"
		  "number_groups: [ { name: staff } ]\n",
		  "callee_groups_allowed: `staf` does not exist; did you mean `staff`?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_error e;
		struct model *m = NULL;

		assert_int_equal(model_read_yaml(&m, span_of(cases[i].config), &e, 1), 1);
		assert_string_equal(e.text, cases[i].text);
	}
}

/* ---- random lists against a naive reading of them ---------------------------------------------- */

#define LIST_MOST 4
struct naive_list {
	bool given;
	unsigned n;
	char text[LIST_MOST][8];
};
struct naive_side {
	struct naive_list forbidden, allowed, lengths, groups_forbidden, groups_allowed;
};
static struct naive_list group_numbers[3], group_prefixes[3];

static void random_digits(char *dst, unsigned least, unsigned most)
{
	unsigned len = least + rng_below(most - least + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = (char)('0' + rng_below(2));
	dst[len] = '\0';
}

/* A list of random texts, or none; written as the YAML of `key`. */
static struct naive_list random_list(struct buf *yaml, const char *key, void (*text)(char *dst))
{
	struct naive_list list = { .given = rng_below(3) == 0 };

	if (!list.given)
		return list;
	list.n = 1 + rng_below(LIST_MOST);
	buf_addf(yaml, ", %s: [", key);
	for (unsigned i = 0; i < list.n; i++) {
		text(list.text[i]);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(list.text[j], list.text[i]) == 0)
				list.text[i][0] = '\0';
		if (list.text[i][0])
			buf_addf(yaml, "%s\"%s\"", i ? ", " : "", list.text[i]);
		else
			list.n = i; /* each once */
	}
	buf_add_char(yaml, ']');
	return list;
}

static void a_number(char *dst)
{
	random_digits(dst, 1, 5);
}

static void a_prefix(char *dst)
{
	random_digits(dst, 1, 3);
}

static void a_length(char *dst)
{
	unsigned from = 1 + rng_below(6);

	if (rng_below(2))
		snprintf(dst, 8, "%u", from);
	else
		snprintf(dst, 8, "%u-%u", from, from + rng_below(3));
}

static void a_group(char *dst)
{
	snprintf(dst, 8, "g%u", rng_below(3));
}

static bool begins_one(const struct naive_list *list, const char *number)
{
	for (unsigned i = 0; i < list->n; i++)
		if (strncmp(list->text[i], number, strlen(list->text[i])) == 0)
			return true;
	return false;
}

static bool has_length(const struct naive_list *list, size_t len)
{
	for (unsigned i = 0; i < list->n; i++) {
		unsigned from = (unsigned)(list->text[i][0] - '0'),
			 to = list->text[i][1] ? (unsigned)(list->text[i][2] - '0') : from;

		if (len >= from && len <= to)
			return true;
	}
	return false;
}

static bool in_one(const struct naive_list *list, const char *number)
{
	for (unsigned i = 0; i < list->n; i++) {
		unsigned g = (unsigned)(list->text[i][1] - '0');

		for (unsigned j = 0; j < group_numbers[g].n; j++)
			if (strcmp(group_numbers[g].text[j], number) == 0)
				return true;
		if (begins_one(&group_prefixes[g], number))
			return true;
	}
	return false;
}

static enum reason_code naive_check(const struct naive_side *side, const char *number, bool callee)
{
	int row = callee ? REASON_CALLEE_FORBIDDEN - REASON_CALLER_FORBIDDEN : 0;

	if (begins_one(&side->forbidden, number))
		return (enum reason_code)(REASON_CALLER_FORBIDDEN + row);
	if (side->allowed.given && !begins_one(&side->allowed, number))
		return (enum reason_code)(REASON_CALLER_NOT_ALLOWED + row);
	if (side->lengths.given && !has_length(&side->lengths, strlen(number)))
		return (enum reason_code)(REASON_CALLER_LENGTH + row);
	if (in_one(&side->groups_forbidden, number))
		return (enum reason_code)(REASON_CALLER_GROUP + row);
	if (side->groups_allowed.given && !in_one(&side->groups_allowed, number))
		return (enum reason_code)(REASON_CALLER_NO_GROUP + row);
	return REASON_CHOSEN;
}

static struct naive_side random_side(struct buf *yaml, const char *who)
{
	static const char *const keys[] = { "s_forbidden", "s_allowed", "_lengths",
					    "_groups_forbidden", "_groups_allowed" };
	static void (*const texts[])(char *dst) = { a_prefix, a_prefix, a_length, a_group,
						    a_group };
	struct naive_list list[ARRAY_SIZE(keys)];
	char key[40];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(key, sizeof(key), "%s%s", who, keys[i]);
		list[i] = random_list(yaml, key, texts[i]);
	}
	return (struct naive_side){ list[0], list[1], list[2], list[3], list[4] };
}

static void test_naive(void **state)
{
	unsigned refused = 0, permitted = 0;

	for (unsigned round = 0; round < 200; round++) {
		struct buf yaml = BUF_INIT(1 << 16);
		struct naive_side caller, callee;
		struct model *m;

		buf_add_str(&yaml, "version: 1\nnumber_groups:\n");
		for (unsigned g = 0; g < 3; g++) {
			buf_addf(&yaml, "  - { name: g%u", g);
			group_numbers[g] = random_list(&yaml, "numbers", a_number);
			group_prefixes[g] = random_list(&yaml, "prefixes", a_prefix);
			buf_add_str(&yaml, " }\n");
		}
		buf_add_str(&yaml, "mapping_gateways: [ { name: a, addresses: 192.0.2.1");
		caller = random_side(&yaml, "caller");
		callee = random_side(&yaml, "callee");
		buf_add_str(&yaml, " } ]\n");
		m = model_of(buf_cstr(&yaml));
		for (unsigned i = 0; i < 100; i++) {
			char from[8], to[8];
			enum reason_code want;
			struct reason got;

			random_digits(from, 0, 7);
			random_digits(to, 1, 7);
			want = naive_check(&caller, from, false);
			if (want == REASON_CHOSEN)
				want = naive_check(&callee, to, true);
			got = admit_numbers(m, &m->mappings[0].numbers, span_of(from), span_of(to));
			if (got.code != want)
				fail_msg("%s to %s: %s, not %s, by\n%s", from, to,
					 reason_name(got.code), reason_name(want), buf_cstr(&yaml));
			refused += want != REASON_CHOSEN;
			permitted += want == REASON_CHOSEN;
		}
		model_unref(&m);
		buf_free(&yaml);
	}
	assert_true(refused > 1000 && permitted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_none_left), cmocka_unit_test(test_written),
		cmocka_unit_test(test_faults),    cmocka_unit_test(test_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
