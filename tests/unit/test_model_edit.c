/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Edits of number groups and areas, against a naive reading of the same edits; and what people send. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define OBJECTS 4
#define TEXTS 24

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s\n%s", e.line, e.object, e.text, text);
	return m;
}

static struct model *edited(const struct model *m, const struct model_edits *edits,
			    struct model_edited *counts)
{
	struct model_error e;
	struct model *changed = NULL;

	if (model_edit(&changed, m, edits, counts, &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return changed;
}

static bool lists(const struct number_set *set, const char *text)
{
	return set && number_set_find(set, span_of(text)) >= 0;
}

static const char *const texts[TEXTS] = { "1",    "12",   "123", "1234", "2",     "23",
					  "234",  "2345", "3",   "34",   "345",   "3456",
					  "4",    "45",   "456", "4567", "555",   "5551",
					  "5552", "0",    "00",  "000",  "00001", "a1" };
static const char *const names[OBJECTS] = { "01", "02", "03", "04" };

/* ---- groups --------------------------------------------------------------------------------- */

static struct model *random_groups(bool in[OBJECTS][TEXTS])
{
	struct buf yaml = BUF_INIT(65536);
	struct model *m;

	buf_add_str(&yaml, "version: 1\nparameters: { max_calls: 7 }\nnumber_groups:\n");
	for (unsigned g = 0; g < OBJECTS; g++) {
		const char *before = "";

		buf_addf(&yaml, "  - { name: \"%s\", memo: m, numbers: [", names[g]);
		for (unsigned i = 0; i < TEXTS; i++) {
			in[g][i] = rng_below(2);
			if (in[g][i])
				buf_addf(&yaml, "%s\"%s\"", before, texts[i]);
			before = in[g][i] ? ", " : before;
		}
		buf_add_str(&yaml, "] }\n");
	}
	buf_add_str(&yaml, "mapping_gateways: [ { name: a, addresses: 192.0.2.1, "
			   "caller_groups_allowed: \"03\", user: u, password: secret } ]\n");
	m = model_of(buf_cstr(&yaml));
	buf_free(&yaml);
	return m;
}

static void test_groups(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		bool in[OBJECTS][TEXTS], add = rng_below(2);
		struct model *m = random_groups(in), *changed;
		unsigned g = rng_below(OBJECTS), n = rng_below(10), differ = 0;
		struct model_edit list[10];
		struct model_edits edits = { "number_group", "numbers", names[g], list, n };
		struct model_edited counts;

		for (unsigned i = 0; i < n; i++) {
			unsigned t = rng_below(TEXTS);

			list[i] =
				(struct model_edit){ span_of(texts[t]), add ? names[g] : NULL, 0 };
			differ += in[g][t] != add;
			in[g][t] = add;
		}
		changed = edited(m, &edits, &counts);
		assert_int_equal(counts.added, add ? differ : 0);
		assert_int_equal(counts.removed, add ? 0 : differ);
		for (unsigned i = 0; i < OBJECTS; i++)
			for (unsigned t = 0; t < TEXTS; t++)
				assert_int_equal(lists(changed->number_groups[i].numbers, texts[t]),
						 in[i][t]);
		assert_int_equal(changed->params.max_calls, 7);
		assert_string_equal(changed->mappings[0].password, "secret");
		assert_string_equal(changed->number_groups[g].memo, "m");
		model_unref(&changed);
		model_unref(&m);
	}
}

/* A pool is used in turn: what is listed already keeps its place. */
static void test_order(void **state)
{
	struct model *m = model_of(
			     "version: 1\nnumber_groups: [ { name: g, numbers: [ \"3\", \"1\", "
			     "\"2\" ] }, { name: empty } ]\n"),
		     *changed;
	const struct model_edit list[] = { { SPAN("9"), "g", 0 },
					   { SPAN("1"), "g", 0 },
					   { SPAN("8"), "g", 0 } };
	struct model_edit one = { SPAN("5"), "empty", 0 };
	struct model_edits edits = { "number_group", "numbers", "g", list, 3 };
	struct model_edited counts;
	struct buf row = BUF_INIT(1024);

	changed = edited(m, &edits, &counts);
	model_write_row(&row, changed, 4, 0);
	assert_string_equal(model_kind(4).name, "number_group");
	assert_string_equal(buf_cstr(&row),
			    "{\"name\":\"g\",\"numbers\":[\"3\",\"1\",\"2\",\"9\",\"8\"]}");
	model_unref(&m);
	edits = (struct model_edits){ "number_group", "numbers", "empty", &one, 1 };
	m = edited(changed, &edits, &counts);
	assert_true(lists(m->number_groups[1].numbers, "5"));
	buf_free(&row);
	model_unref(&m);
	model_unref(&changed);
}

/* ---- areas ------------------------------------------------------------------------------------ */

static struct model *random_areas(int in[TEXTS])
{
	struct buf yaml = BUF_INIT(65536);
	struct model *m;

	buf_add_str(&yaml, "version: 1\nareas:\n");
	for (unsigned i = 0; i < TEXTS; i++)
		in[i] = (int)rng_below(OBJECTS + 1) - 1;
	for (int a = 0; a < OBJECTS - 1; a++) { /* the last is made when it is needed */
		const char *before = "";

		buf_addf(&yaml, "  - { code: \"%s\", mobiles: [", names[a]);
		for (unsigned i = 0; i < TEXTS; i++) {
			if (in[i] != a)
				continue;
			buf_addf(&yaml, "%s\"%s\"", before, texts[i]);
			before = ", ";
		}
		buf_add_str(&yaml, "] }\n");
	}
	for (unsigned i = 0; i < TEXTS; i++)
		in[i] = in[i] == OBJECTS - 1 ? -1 : in[i];
	m = model_of(buf_cstr(&yaml));
	buf_free(&yaml);
	return m;
}

static void expect_areas(const struct model *m, const int in[TEXTS])
{
	for (unsigned i = 0; i < TEXTS; i++)
		for (int a = 0; a < OBJECTS; a++) {
			const struct model_area *area = model_area(m, span_of(names[a]));

			assert_int_equal(area && lists(area->mobiles, texts[i]), in[i] == a);
		}
}

static void test_areas(void **state)
{
	unsigned made = 0;

	for (unsigned round = 0; round < 200; round++) {
		int in[TEXTS], were[TEXTS];
		struct model *m = random_areas(in), *changed;
		struct buf csv = BUF_INIT(65536);
		struct arena *arena = arena_new(1024);
		struct model_edits edits = { .kind = "area", .key = "mobiles" };
		struct model_edited counts;
		struct model_edit *list;
		unsigned added = 0, removed = 0, line;

		memcpy(were, in, sizeof(in));
		for (unsigned i = rng_below(12); i > 0; i--) {
			unsigned t = rng_below(TEXTS);

			in[t] = (int)rng_below(OBJECTS + 1) - 1;
			buf_addf(&csv, rng_below(2) ? "%s,%s\n" : "\"%s\";\"%s\"\r\n", texts[t],
				 in[t] < 0 ? "" : names[in[t]]);
		}
		for (unsigned i = 0; i < TEXTS; i++) {
			added += in[i] != were[i] && in[i] >= 0;
			removed += in[i] != were[i] && were[i] >= 0;
			made += in[i] == OBJECTS - 1;
		}
		assert_int_equal(
			model_edits_of_areas(&list, &edits.n, arena, buf_span(&csv), &line), 0);
		edits.edits = list;
		changed = edited(m, &edits, &counts);
		assert_int_equal(counts.added, added);
		assert_int_equal(counts.removed, removed);
		expect_areas(changed, in);
		free(list);
		arena_free(&arena);
		buf_free(&csv);
		model_unref(&changed);
		model_unref(&m);
	}
	assert_true(made > 50);
}

/* ---- what is wrong ------------------------------------------------------------------------------ */

static void test_faults(void **state)
{
	static const struct {
		const char *kind, *key, *only, *text, *to, *error;
	} cases[] = {
		{ "number_group", "numbers", "g", "\xc3\xbc", "g",
		  "numbers: `\xc3\xbc` is no number" },
		{ "number_group", "numbers", "g",
		  "1234567890123456789012345678901234567890123456789012345678901234", "g",
		  "numbers: `123456789012345678901234567890123456789012345678901234567890` has 64 "
		  "characters, the limits are 1 and 63" },
		{ "area", "mobiles", NULL, "1 2", "01", "mobiles: `1 2` is no prefix" },
		{ "area", "mobiles", NULL, "12", "0123456789012345678901234567890123",
		  "code: `012345678901234567890123...` has 34 bytes, the limit is 32" },
	};
	struct model *m = model_of("version: 1\nnumber_groups: [ { name: g } ]\n"), *changed = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_edit edit = { span_of(cases[i].text), cases[i].to, 5 };
		struct model_edits edits = { cases[i].kind, cases[i].key, cases[i].only, &edit, 1 };
		struct model_edited counts;
		struct model_error e;

		assert_int_equal(model_edit(&changed, m, &edits, &counts, &e, 1), 1);
		assert_string_equal(e.text, cases[i].error);
		assert_true(e.remedy[0]);
	}
	assert_null(changed);
	model_unref(&m);
}

static void test_numbers_read(void **state)
{
	struct model_edit *list;
	size_t n;

	assert_int_equal(model_edits_of_numbers(&list, &n, SPAN(" 1,2;;3\r\n\n4\t5"), "g"), 0);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(list[i].text.len, 1);
		assert_int_equal(list[i].text.p[0], '1' + (int)i);
		assert_int_equal(list[i].line, i < 3 ? 1 : 3);
	}
	free(list);
	assert_int_equal(model_edits_of_numbers(&list, &n, SPAN_NONE, "g"), 0);
	assert_int_equal(n, 0);
	free(list);
}

static void test_areas_read(void **state)
{
	static const struct {
		const char *csv;
		int err;
		unsigned n, line; /* the last edit's, or the bad one */
	} cases[] = {
		{ "", 0, 0, 0 },
		{ "mobile,code\n138,010\n", 0, 1, 2 },
		{ "138,010\n\n139,\n", 0, 2, 3 },
		{ "138\t010", 0, 1, 1 },
		{ "138,010\nmobile,code\n", 0, 2, 2 },
		{ "138,010\n,020\n", -EINVAL, 0, 2 },
		{ "138,010,x\n", -EINVAL, 0, 1 },
		{ "1,01\n1234567890123456789012345678901234567890123456789012345678901234,01\n",
		  -EINVAL, 0, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new(1024);
		struct model_edit *list = NULL;
		unsigned line = 0;
		size_t n = 0;

		assert_int_equal(
			model_edits_of_areas(&list, &n, arena, span_of(cases[i].csv), &line),
			cases[i].err);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(n ? list[n - 1].line : cases[i].err ? line : 0, cases[i].line);
		free(list);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),       cmocka_unit_test(test_order),
		cmocka_unit_test(test_areas),        cmocka_unit_test(test_faults),
		cmocka_unit_test(test_numbers_read), cmocka_unit_test(test_areas_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
