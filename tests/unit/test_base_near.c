/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/near.h"

#include "base/base.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },         { "", "abc", 3 },
		{ "abc", "", 3 },      { "abc", "abc", 0 },
		{ "abc", "ABC", 0 },   { "abc", "acb", 1 },
		{ "abc", "abd", 1 },   { "abc", "abcd", 1 },
		{ "abcd", "abd", 1 },  { "kitten", "sitting", 3 },
		{ "list", "show", 4 }, { "gatway", "gateway", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(near_distance(span_of(cases[i].a), span_of(cases[i].b)),
				 cases[i].distance);
		assert_int_equal(near_distance(span_of(cases[i].b), span_of(cases[i].a)),
				 cases[i].distance);
	}
}

static void test_long_names(void **state)
{
	char name[NEAR_LEN_MAX + 2];
	struct near near;

	memset(name, 'a', sizeof(name));
	assert_int_equal(near_distance((struct span){ name, NEAR_LEN_MAX },
				       (struct span){ name, NEAR_LEN_MAX }),
			 0);
	assert_int_equal(near_distance((struct span){ name, NEAR_LEN_MAX + 1 }, SPAN("a")),
			 UINT_MAX);
	near_start(&near, (struct span){ name, NEAR_LEN_MAX + 1 });
	near_offer(&near, (struct span){ name, NEAR_LEN_MAX + 1 });
	near_offer(&near, SPAN("a"));
	assert_int_equal(near.n <= 1, 1);
}

static void test_offers(void **state)
{
	static const char *const names[] = { "acme-in",  "zulu",    "acme-it", "acme-out",
					     "acme-in2", "acmd-in", "aacme-in" };
	struct near near;

	near_start(&near, SPAN("acme-in"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		near_offer(&near, span_of(names[i]));
	assert_int_equal(near.n, NEAR_KEEP);
	for (unsigned i = 0; i < near.n; i++) {
		assert_true(near.distance[i] <= 1);
		assert_true(i == 0 || near.distance[i - 1] <= near.distance[i]);
	}
	near_start(&near, SPAN("q"));
	near_offer(&near, SPAN("zulu"));
	assert_int_equal(near.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_offers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
