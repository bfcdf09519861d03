/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an LRN server's redirect says, by which number a call is routed then, and who may ask at all. */
#include "edge/edge_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_contacts(void **state)
{
	static const struct {
		const char *contact, *number; /* NULL = it names none */
	} cases[] = {
		{ "<sip:+12125551234;rn=+16465550000;npdi@192.0.2.1>", "+16465550000" },
		{ "<sip:2125551234;npdi;rn=6465550000@192.0.2.1:5070>;q=1", "6465550000" },
		{ "<sip:2125551234;RN=6465550000@192.0.2.1>", "6465550000" },
		{ "<sip:+1-212-555-1234;rn=+1-646-555-0000@h>", "+16465550000" },
		{ "<sip:(212)555.1234;rn=(646)555.0000@h>", "6465550000" },
		{ "<sip:2125551234@h;rn=6465550000;npdi>", "6465550000" },
		{ "<sip:2125551234%3Brn=%2B16465550000@h>", "+16465550000" },
		{ "<tel:+12125551234;npdi;rn=+16465550000>", "+16465550000" },
		{ "sip:2125551234@h", "" },
		{ "<sip:2125551234;npdi@h>", "" },
		{ "\"dip\" <sip:2125551234;npdi@h>;expires=1", "" },
		/* Parameters of the header are not those of the URI. */
		{ "<sip:2125551234@h>;rn=6465550000", "" },
		{ "<sip:server@h>", NULL },
		{ "<sip:h>", NULL },
		{ "<sip:2125551234;rn=@h>", NULL },
		{ "<sip:2125551234;rn@h>", NULL },
		{ "<sip:2125551234;rn=abc@h>", NULL },
		{ "<sip:2125551234;rn=+@h>", NULL },
		{ "<sip:2125551234;rn=64655+50000@h>", NULL },
		{ "<sip:2125551234;rn=123456789012345678901234567890123456789@h>",
		  "123456789012345678901234567890123456789" },
		{ "<sip:2125551234;rn=1234567890123456789012345678901234567890@h>", NULL },
		{ "<sip:2125551234%0a;rn=1@h>", NULL },
		{ "", NULL },
		{ "*", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char number[EDGE_LRN_TEXT] = "untouched";
		int err = edge_lrn_read(span_of(cases[i].contact), number);

		if (err != (cases[i].number ? 0 : -EBADMSG))
			fail_msg("%s: %d", cases[i].contact, err);
		assert_string_equal(number, cases[i].number ? cases[i].number : "untouched");
	}
}

static struct model *model_of(const char *text)
{
	struct model_error e;
	struct model *m = NULL;

	if (model_read_yaml(&m, span_of(text), &e, 1))
		fail_msg("line %u %s: %s", e.line, e.object, e.text);
	return m;
}

static void test_routed_by(void **state)
{
	struct model *m = model_of("version: 1\nparameters: { lrn_server: lrn.test }\n"
				   "mapping_gateways: [ { name: a, addresses: 192.0.2.1, lrn: on, "
				   "lrn_strip: 2 }, { name: b, addresses: 192.0.2.2 } ]\n"
				   "phones: [ { number: \"1001\", password: p, lrn: on } ]\n");
	struct admit_result gateway = { .mapping = &m->mappings[0] };
	struct admit_result without = { .mapping = &m->mappings[1] };
	struct admit_result phone = { .phone = &m->phones[0] };
	char text[NUMBER_TEXT], most[NUMBER_TEXT];

	assert_true(span_eq(admit_lrn_route(&gateway, SPAN("99212"), SPAN("646"), text),
			    SPAN("99646")));
	assert_true(span_eq(admit_lrn_route(&gateway, SPAN("99212"), SPAN("+1646"), text),
			    SPAN("1646")));
	assert_true(span_eq(admit_lrn_route(&gateway, SPAN("9"), SPAN("646"), text), SPAN("9646")));
	assert_true(span_eq(admit_lrn_route(&phone, SPAN("212"), SPAN("646"), text), SPAN("646")));
	memset(most, '1', sizeof(most));
	assert_int_equal(admit_lrn_route(&gateway, SPAN("99212"),
					 (struct span){ most, NUMBER_TEXT - 3 }, text)
				 .len,
			 NUMBER_TEXT - 1);
	assert_int_equal(admit_lrn_route(&gateway, SPAN("99212"),
					 (struct span){ most, NUMBER_TEXT - 2 }, text)
				 .len,
			 0);
	assert_true(admit_wants_lrn(m, &gateway, SPAN("99212")));
	assert_false(admit_wants_lrn(m, &gateway, SPAN("1001")));
	assert_false(admit_wants_lrn(m, &without, SPAN("99212")));
	model_unref(&m);
}

static void test_needs_server(void **state)
{
	struct model_error e;
	struct model *m = NULL;

	assert_int_equal(model_read_yaml(&m,
					 SPAN("version: 1\nphones: [ { number: \"1001\", "
					      "password: p, lrnEnable: true } ]\n"),
					 &e, 1),
			 1);
	assert_string_equal(e.text, "unknown key `lrnEnable`; did you mean `lrn`?");
	assert_int_equal(model_read_yaml(&m,
					 SPAN("version: 1\nphones: [ { number: \"1001\", "
					      "password: p, lrn: true } ]\n"),
					 &e, 1),
			 1);
	assert_string_equal(e.text, "lrn: the parameter lrn_server names no server");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contacts),
		cmocka_unit_test(test_routed_by),
		cmocka_unit_test(test_needs_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
