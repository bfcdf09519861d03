/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- span ------------------------------------------------------------------------- */

static void test_span_compare(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN("abc"), SPAN("abc")));
	assert_false(span_eq(SPAN("abc"), SPAN("abC")));
	assert_false(span_eq(SPAN("abc"), SPAN("ab")));
	assert_true(span_eq(SPAN_NONE, SPAN("")));
	assert_true(span_ieq(SPAN("CSeq"), SPAN("cSEQ")));
	assert_false(span_ieq(SPAN("["), SPAN("{"))); /* differ by 0x20 and are no letters */
	assert_false(span_ieq(SPAN("\xc4"), SPAN("\xe4")));
	assert_true(span_starts(SPAN("sip:x"), SPAN("sip:")));
	assert_false(span_starts(SPAN("SIP:x"), SPAN("sip:")));
	assert_true(span_istarts(SPAN("SIP:x"), SPAN("sip:")));
	assert_false(span_istarts(SPAN("si"), SPAN("sip:")));
}

static void test_span_trim_and_clamp(void **state)
{
	static const struct {
		struct span in, out;
	} cases[] = {
		{ SPAN(" \t\r\na b\n"), SPAN("a b") },
		{ SPAN("a"), SPAN("a") },
		{ SPAN("   "), SPAN("") },
		{ SPAN(""), SPAN("") },
		{ SPAN("\va\f"), SPAN("\va\f") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(span_eq(span_trim(cases[i].in), cases[i].out));
	assert_true(span_eq(span_skip(SPAN("abc"), 1), SPAN("bc")));
	assert_int_equal(span_skip(SPAN("abc"), 4).len, 0);
	assert_int_equal(span_skip(SPAN("abc"), SIZE_MAX).len, 0);
	assert_true(span_eq(span_head(SPAN("abc"), 2), SPAN("ab")));
	assert_int_equal(span_head(SPAN("abc"), 9).len, 3);
	assert_int_equal(span_find(SPAN("abc"), 'c'), 2);
	assert_int_equal(span_find(SPAN("abc"), 'x'), 3);
	assert_int_equal(span_find(SPAN_NONE, 'x'), 0);
}

static void test_span_cut(void **state)
{
	struct span s = SPAN("a,,b"), head;
	static const char *const parts[] = { "a", "", "b" };
	size_t n = 0;

	(void)state;
	for (bool more = true; more; n++) { /* rest aliases the source */
		more = span_cut(s, ',', &head, &s);
		assert_true(n < ARRAY_SIZE(parts));
		assert_true(span_eq(head, span_of(parts[n])));
	}
	assert_int_equal(n, ARRAY_SIZE(parts));
	assert_int_equal(s.len, 0);
	assert_true(span_cut(SPAN("a="), '=', &head, &s));
	assert_int_equal(s.len, 0);
}

static void test_span_numbers(void **state)
{
	static const struct {
		const char *text;
		int err64, err32, hex;
		uint64_t value, hex_value;
	} cases[] = {
		{ "0", 0, 0, 0, 0, 0 },
		{ "007", 0, 0, 0, 7, 7 },
		{ "4294967295", 0, 0, 0, UINT32_MAX, 0x4294967295 },
		{ "4294967296", 0, -ERANGE, 0, 1ull << 32, 0x4294967296 },
		{ "18446744073709551615", 0, -ERANGE, -ERANGE, UINT64_MAX, 0 },
		{ "18446744073709551616", -ERANGE, -ERANGE, -ERANGE, 0, 0 },
		{ "99999999999999999999999", -ERANGE, -ERANGE, -ERANGE, 0, 0 },
		{ "", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ "-1", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ "+1", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ " 1", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ "1 ", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ "0x1", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
		{ "dEadBeef", -EINVAL, -EINVAL, 0, 0, 0xdeadbeef },
		{ "ffffffffffffffff", -EINVAL, -EINVAL, 0, 0, UINT64_MAX },
		{ "g", -EINVAL, -EINVAL, -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span s = span_of(cases[i].text);
		uint64_t u64 = 42, hex = 42;
		uint32_t u32 = 42;

		assert_int_equal(span_to_u64(s, &u64), cases[i].err64);
		assert_int_equal(u64,
				 cases[i].err64 ? 42 : cases[i].value); /* untouched on failure */
		assert_int_equal(span_to_u32(s, &u32), cases[i].err32);
		assert_int_equal(u32, cases[i].err32 ? 42 : cases[i].value);
		assert_int_equal(span_hex_to_u64(s, &hex), cases[i].hex);
		assert_int_equal(hex, cases[i].hex ? 42 : cases[i].hex_value);
	}
}

static void test_span_copy(void **state)
{
	char dst[4];

	(void)state;
	assert_int_equal(span_copy(SPAN("abc"), dst, sizeof(dst)), 3);
	assert_string_equal(dst, "abc");
	assert_int_equal(span_copy(SPAN("abcd"), dst, sizeof(dst)), 4); /* >= size: was cut */
	assert_string_equal(dst, "abc");
	assert_int_equal(span_copy(SPAN_NONE, dst, 1), 0);
	assert_string_equal(dst, "");
}

/* ---- buf -------------------------------------------------------------------------- */

static void test_buf_ceiling(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	buf_add_str(&b, "12345678");
	assert_false(b.failed);
	buf_add_str(&b, "abc"); /* 11 bytes: nothing of it is written, and nothing after it */
	assert_true(b.failed);
	buf_add_char(&b, 'x');
	buf_addf(&b, "%d", 1);
	assert_true(span_eq(buf_span(&b), SPAN("12345678")));
	buf_reset(&b);
	assert_false(b.failed);
	assert_int_equal(b.len, 0);
	buf_addf(&b, "%s", "1234567890");
	assert_false(b.failed);
	assert_true(span_eq(buf_span(&b), SPAN("1234567890")));
	buf_free(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 10);
	assert_string_equal(buf_cstr(&b), "");
	buf_free(&b);
}

static void test_buf_growth_and_long_formats(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	char long_text[2000];

	(void)state;
	memset(long_text, 'y', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	for (size_t i = 0; i < 1000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	buf_addf(&b, "<%s>", long_text);
	assert_int_equal(b.len, 1000 + 2 + sizeof(long_text) - 1);
	assert_int_equal(b.p[999], 'a' + 999 % 26);
	assert_int_equal(b.p[1000], '<');
	assert_int_equal(strlen(buf_cstr(&b)), b.len);
	assert_false(b.failed);
	buf_free(&b);
}

static void test_buf_json(void **state)
{
	static const struct {
		struct span in;
		const char *out;
	} cases[] = {
		{ SPAN(""), "\"\"" },
		{ SPAN("plain"), "\"plain\"" },
		{ SPAN("\"\\/"), "\"\\\"\\\\/\"" },
		{ SPAN("\0\x01\r\n\x1f\x7f"), "\"\\u0000\\u0001\\u000d\\u000a\\u001f\\u007f\"" },
		{ SPAN("\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x93\x9e"),
		  "\"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x93\x9e\"" },
		{ SPAN("\xff"), "\"\\ufffd\"" },
		{ SPAN("\x80x"), "\"\\ufffdx\"" },
		{ SPAN("\xc3"), "\"\\ufffd\"" }, /* cut short */
		{ SPAN("\xc0\xaf"), "\"\\ufffd\\ufffd\"" }, /* overlong "/" */
		{ SPAN("\xe0\x80\xaf"), "\"\\ufffd\\ufffd\\ufffd\"" },
		{ SPAN("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"" }, /* surrogate */
		{ SPAN("\xf4\x90\x80\x80"),
		  "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, /* past U+10FFFF */
		{ SPAN("\xef\xbf\xbf"), "\"\xef\xbf\xbf\"" },
		{ SPAN("\xc3\""), "\"\\ufffd\\\"\"" }, /* the quote is not eaten */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = BUF_INIT(256);

		buf_add_json(&b, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].out);
		buf_free(&b);
	}
}

/* ---- ini -------------------------------------------------------------------------- */

struct seen {
	char text[512];
	size_t len;
	const char *refuse; /* this key */
};

static const char *on_entry(void *arg, struct span section, struct span key, struct span value,
			    unsigned line)
{
	struct seen *seen = arg;

	if (seen->refuse && span_eq(key, span_of(seen->refuse)))
		return "unknown key";
	seen->len += (size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len,
				      "%u:%.*s.%.*s=<%.*s>", line, SPAN_ARG(section), SPAN_ARG(key),
				      SPAN_ARG(value));
	return NULL;
}

static void test_ini_reads(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "\n\r\n  \n; only\n# comments", "" },
		{ "a=1", "1:.a=<1>" },
		{ "[sip]\nlisten = udp:0.0.0.0:5060, tcp:[::]:5060 ; several\n",
		  "2:sip.listen=<udp:0.0.0.0:5060, tcp:[::]:5060>" },
		{ " [ data ] \r\n\tfolder\t=\t/x y/z \r\n", "2:data.folder=</x y/z>" },
		{ "url = redis://h/0#1;2",
		  "1:.url=<redis://h/0#1;2>" }, /* no blank before: no comment */
		{ "a =\nb = x=y", "1:.a=<>2:.b=<x=y>" },
		{ "[s]\na=1\n[t]\na=2", "2:s.a=<1>4:t.a=<2>" },
		{ "a.b-c_D9=1", "1:.a.b-c_D9=<1>" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen seen = { .len = 0 };
		unsigned line = 99;

		assert_null(ini_parse(span_of(cases[i].in), on_entry, &seen, &line));
		assert_int_equal(line, 0);
		assert_string_equal(seen.text, cases[i].out);
	}
}

static void test_ini_refuses(void **state)
{
	static const struct {
		struct span in;
		unsigned line;
		const char *error;
	} cases[] = {
		{ SPAN("a=1\nnonsense\n"), 2, "expected key = value" },
		{ SPAN("[sip\n"), 1, "section without its closing bracket" },
		{ SPAN("[\n"), 1, "section without its closing bracket" },
		{ SPAN("[]\n"), 1, "section name may hold letters, digits, '_', '-' and '.' only" },
		{ SPAN("\n[a b]"), 2,
		  "section name may hold letters, digits, '_', '-' and '.' only" },
		{ SPAN("a b = 1"), 1, "key may hold letters, digits, '_', '-' and '.' only" },
		{ SPAN("= 1"), 1, "key may hold letters, digits, '_', '-' and '.' only" },
		{ SPAN("ok=1\n\n; c\nbad=1\nafter=1"), 4, "unknown key" },
		{ SPAN("a=1\nb=\0"), 0, "holds a NUL byte" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen seen = { .refuse = "bad" };
		unsigned line = 99;
		const char *error = ini_parse(cases[i].in, on_entry, &seen, &line);

		assert_non_null(error);
		assert_string_equal(error, cases[i].error);
		assert_int_equal(line, cases[i].line);
		assert_null(strstr(seen.text, "after"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_compare),
		cmocka_unit_test(test_span_trim_and_clamp),
		cmocka_unit_test(test_span_cut),
		cmocka_unit_test(test_span_numbers),
		cmocka_unit_test(test_span_copy),
		cmocka_unit_test(test_buf_ceiling),
		cmocka_unit_test(test_buf_growth_and_long_formats),
		cmocka_unit_test(test_buf_json),
		cmocka_unit_test(test_ini_reads),
		cmocka_unit_test(test_ini_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
