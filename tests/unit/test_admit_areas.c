/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where numbers are, which of them are permitted by that, and area codes put before mobile numbers: against a naive
 * reading of the same random areas. */
#include "admit/admit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define AREAS 4
#define MOBILES 3
#define LIST 2

struct naive_area {
	char code[8];
	unsigned n;
	char mobile[MOBILES][8];
};
static struct naive_area areas[AREAS];

struct naive_list {
	bool given;
	unsigned n;
	char text[LIST][8];
};

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s\n%s", e.line, e.object, e.text, text);
	return m;
}

static void random_digits(char *dst, unsigned least, unsigned most)
{
	unsigned len = least + rng_below(most - least + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = (char)('0' + rng_below(2));
	dst[len] = '\0';
}

static bool mobile_is_taken(const char *text)
{
	for (unsigned i = 0; i < AREAS; i++)
		for (unsigned j = 0; j < areas[i].n; j++)
			if (strcmp(areas[i].mobile[j], text) == 0)
				return true;
	return false;
}

static bool code_is_taken(unsigned before, const char *text)
{
	for (unsigned i = 0; i < before; i++)
		if (strcmp(areas[i].code, text) == 0)
			return true;
	return false;
}

static void random_areas(struct buf *yaml)
{
	memset(areas, 0, sizeof(areas));
	buf_add_str(yaml, "version: 1\nareas:\n");
	for (unsigned i = 0; i < AREAS; i++) {
		do
			random_digits(areas[i].code, 1, 4);
		while (code_is_taken(i, areas[i].code));
		buf_addf(yaml, "  - { code: \"%s\", mobiles: [", areas[i].code);
		for (unsigned j = rng_below(MOBILES + 1); j > 0; j--) {
			char text[8];

			random_digits(text, 1, 5);
			if (mobile_is_taken(text))
				continue;
			buf_addf(yaml, "%s\"%s\"", areas[i].n ? ", " : "", text);
			memcpy(areas[i].mobile[areas[i].n++], text, sizeof(text));
		}
		buf_add_str(yaml, "] }\n");
	}
}

/* The beginning of some area's code. */
static struct naive_list random_list(struct buf *yaml, const char *key)
{
	struct naive_list list = { .given = rng_below(2) };

	if (!list.given)
		return list;
	buf_addf(yaml, ", %s: [", key);
	list.n = 1 + rng_below(LIST);
	for (unsigned i = 0; i < list.n; i++) {
		memcpy(list.text[i], areas[rng_below(AREAS)].code, sizeof(list.text[i]));
		list.text[i][rng_below(5)] = '\0';
		buf_addf(yaml, "%s\"%s\"", i ? ", " : "", list.text[i]);
	}
	buf_add_char(yaml, ']');
	return list;
}

static bool begins(const char *number, const char *beginning)
{
	return strncmp(number, beginning, strlen(beginning)) == 0;
}

struct naive_place {
	enum number_kind kind;
	int area;
	unsigned skip;
};

/* A mobile beginning at the number's own start goes before one behind a 0. */
static struct naive_place naive_place_of(const char *number)
{
	struct naive_place place = { NUMBER_OTHER, -1, 0 };
	size_t longest = 0, mobile = 0;

	for (int i = 0; i < AREAS; i++)
		if (begins(number, areas[i].code) && strlen(areas[i].code) >= longest) {
			longest = strlen(areas[i].code);
			place = (struct naive_place){ NUMBER_FIXED, i, 0 };
		}
	for (unsigned skip = 0; skip < 2 && !mobile; skip++) {
		if (skip && number[0] != '0')
			break;
		for (int i = 0; i < AREAS; i++)
			for (unsigned j = 0; j < areas[i].n; j++) {
				size_t len = strlen(areas[i].mobile[j]) + skip;

				if (!begins(number + skip, areas[i].mobile[j]) || len <= mobile)
					continue;
				mobile = len;
				if (len >= longest)
					place = (struct naive_place){ NUMBER_MOBILE, i, skip };
			}
	}
	return place;
}

static bool listed(const struct naive_list *list, int area)
{
	for (unsigned i = 0; i < list->n; i++)
		if (begins(areas[area].code, list->text[i]))
			return true;
	return false;
}

static bool chosen(const struct naive_list *only, const struct naive_list *not_of, int area)
{
	return !listed(not_of, area) && (!only->given || listed(only, area));
}

static void expect_place(const struct model *m, const char *number)
{
	struct model_place got = model_place(m, span_of(number));
	struct naive_place want = naive_place_of(number);

	assert_int_equal(got.kind, want.kind);
	assert_int_equal(got.skip, want.skip);
	assert_true(want.area < 0 ? !got.area : got.area == &m->areas[want.area]);
}

static void expect_permission(const struct model *m, const struct naive_list lists[4],
			      const char *from, const char *to, unsigned counts[REASONS])
{
	struct naive_place caller = naive_place_of(from), callee = naive_place_of(to);
	struct reason got = admit_numbers(m, &m->mappings[0].numbers, span_of(from), span_of(to));
	bool mobile_good =
		callee.kind != NUMBER_MOBILE || chosen(&lists[2], &lists[3], callee.area);
	bool city_good = callee.area < 0 || callee.area != caller.area ||
			 chosen(&lists[0], &lists[1], callee.area);
	bool is_mobile =
		got.code == REASON_MOBILE_AREA || got.code == REASON_MOBILE_AREA_NOT_ALLOWED;
	bool is_city = got.code == REASON_SAME_CITY || got.code == REASON_SAME_CITY_NOT_ALLOWED;

	assert_int_equal(is_mobile, !mobile_good);
	assert_int_equal(is_city, mobile_good && !city_good);
	assert_int_equal(got.code == REASON_CHOSEN, mobile_good && city_good);
	if (got.code != REASON_CHOSEN)
		assert_string_equal(got.detail, areas[callee.area].code);
	counts[got.code]++;
}

static void expect_code(const struct model *m, const struct naive_list lists[2], const char *to,
			unsigned *added)
{
	struct naive_place callee = naive_place_of(to);
	struct rewritten out = { .number = span_of(to) };
	bool adds = callee.kind == NUMBER_MOBILE && (lists[0].given || lists[1].given) &&
		    chosen(&lists[0], &lists[1], callee.area);
	char want[32];

	snprintf(want, sizeof(want), "%s%s", adds ? areas[callee.area].code : "",
		 to + (adds ? callee.skip : 0));
	assert_true(rewrite_area_code(m, &m->mappings[0].numbers.add_area_code, &out));
	assert_true(span_eq(out.number, span_of(want)));
	assert_int_equal(out.area != NULL, adds);
	*added += adds;
}

static void test_naive(void **state)
{
	static const char *const keys[] = { "same_city_allowed",    "same_city_forbidden",
					    "mobile_areas_allowed", "mobile_areas_forbidden",
					    "add_area_code",        "add_area_code_except" };
	unsigned counts[REASONS] = { 0 }, added = 0;

	for (unsigned round = 0; round < 300; round++) {
		struct buf yaml = BUF_INIT(1 << 16);
		struct naive_list lists[ARRAY_SIZE(keys)];
		struct model *m;

		random_areas(&yaml);
		buf_add_str(&yaml, "mapping_gateways: [ { name: a, addresses: 192.0.2.1");
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			lists[i] = random_list(&yaml, keys[i]);
		buf_add_str(&yaml, " } ]\n");
		m = model_of(buf_cstr(&yaml));
		for (unsigned i = 0; i < 100; i++) {
			char from[12], to[12];

			random_digits(from, 0, 8);
			random_digits(to, 1, 8);
			expect_place(m, from);
			expect_permission(m, lists, from, to, counts);
			expect_code(m, &lists[4], to, &added);
		}
		model_unref(&m);
		buf_free(&yaml);
	}
	assert_true(counts[REASON_CHOSEN] > 1000 && counts[REASON_MOBILE_AREA] > 1000);
	assert_true(counts[REASON_MOBILE_AREA_NOT_ALLOWED] > 100 && counts[REASON_SAME_CITY] > 100);
	assert_true(counts[REASON_SAME_CITY_NOT_ALLOWED] > 50 && added > 1000);
}

/* The longest number with a code before it is none any more. */
static void test_too_long(void **state)
{
	struct model *m = model_of("version: 1\nareas: [ { code: \"010\", mobiles: \"13\" } ]\n"
				   "mapping_gateways: [ { name: a, addresses: 192.0.2.1, "
				   "add_area_code: \"\" } ]\n");
	char number[NUMBER_TEXT] = "13";
	struct call_request req = { .from_gateway = "a", .caller = SPAN("1") };
	struct routed_numbers numbers;
	struct admit_result result;

	memset(number + 2, '1', sizeof(number) - 6);
	req.callee = (struct span){ number, sizeof(number) - 4 };
	admit_decide(m, &req, &result, NULL);
	assert_true(admit_rewrite(m, &req, &result, &numbers, NULL));
	assert_int_equal(numbers.callee.number.len, NUMBER_TEXT - 1);
	req.callee.len++;
	number[sizeof(number) - 4] = '1';
	admit_decide(m, &req, &result, NULL);
	assert_false(admit_rewrite(m, &req, &result, &numbers, NULL));
	assert_int_equal(result.end, END_NUMBER_REWRITE_FAILED);
	assert_string_equal(result.text,
			    "a: callee becomes no number that can be called by the rule 010");
	model_unref(&m);
}

static void test_faults(void **state)
{
	static const struct {
		const char *config, *text;
	} cases[] = {
		{ "areas: [ { code: \"010\", mobiles: [ \"13\" ] }, { code: \"020\", mobiles: [ "
		  "\"14\", \"13\" ] } ]\n",
		  "mobiles: `13` is listed by area `010` already" },
		{ "areas: [ { code: \"010\", mobiles: [ \"\" ] } ]\n",
		  "mobiles: \"\" would make every number a mobile one" },
		{ "areas: [ { code: \"010\" }, { code: \"010\" } ]\n",
		  "`010` exists already, first in line 2" },
		{ "areas: [ { place: x } ]\n", "`code` is missing" },
		{ "areas: [ { code: \"010\" } ]\nmapping_gateways: [ { name: a, addresses: "
		  "192.0.2.1, same_city_forbidden: [ \"01\", \"02\" ] } ]\n",
		  "same_city_forbidden: no area's code begins with `02`" },
		{ "phones: [ { number: \"1\", password: p, callee_kinds: mobile } ]\n",
		  "callee_kinds: there are no areas to tell kinds by" },
		{ "areas: [ { code: \"010\" } ]\nphones: [ { number: \"1\", password: p, "
		  "callee_kinds: mobil } ]\n",
		  "callee_kinds: `mobil` is not known" },
		{ "areas: [ { code: \"010\" } ]\nphones: [ { number: \"1\", password: p, "
		  "callee_kinds: [] } ]\n",
		  "callee_kinds: none is listed" },
		{ "phones: [ { number: \"1\", password: p, denySameCityCodes: \"010\" } ]\n",
		  "unknown key `denySameCityCodes`; did you mean `same_city_forbidden`?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf yaml = BUF_INIT(1024);
		struct model_error e;
		struct model *m = NULL;

		buf_addf(&yaml, "version: 1\n%s", cases[i].config);
		assert_int_equal(model_read_yaml(&m, buf_span(&yaml), &e, 1), 1);
		assert_string_equal(e.text, cases[i].text);
		buf_free(&yaml);
	}
}

/* What is written reads back as the same. */
static void test_written(void **state)
{
	struct model *m =
		model_of("version: 1\nareas: [ { code: \"010\", place: \"北京\", mobiles: [ "
			 "\"1390001\" ] } ]\n"
			 "phones: [ { number: \"1\", password: p, caller_kinds: [ other, fixed ], "
			 "add_area_code: \"\" } ]\n");
	struct model *again;
	struct buf first = BUF_INIT(1 << 16), second = BUF_INIT(1 << 16);

	model_write_yaml(&first, m, true);
	again = model_of(buf_cstr(&first));
	model_write_yaml(&second, again, true);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	assert_non_null(strstr(buf_cstr(&first), "caller_kinds: [\"fixed\", \"other\"]"));
	assert_non_null(strstr(buf_cstr(&first), "add_area_code: [\"\"]"));
	assert_string_equal(model_area(again, SPAN("010"))->place, "北京");
	buf_free(&first);
	buf_free(&second);
	model_unref(&m);
	model_unref(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_naive),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
