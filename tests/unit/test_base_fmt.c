/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fmt against the C library, on the same format and arguments. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void check(size_t size, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void check(size_t size, const char *format, ...)
{
	char ours[128], theirs[128];
	va_list args;
	size_t n;
	int expected;

	memset(ours, 'x', sizeof(ours));
	va_start(args, format);
	n = fmt_vprint(ours, size, format, args);
	va_end(args);
	va_start(args, format);
	expected = vsnprintf(theirs, size, format, args);
	va_end(args);
	assert_int_equal(n, expected);
	if (size)
		assert_string_equal(ours, theirs);
	else
		assert_int_equal(ours[0], 'x');
}

static void test_as_snprintf(void **state)
{
	(void)state;
	check(100, "plain");
	check(100, "%s", "");
	check(100, "a%sb%sc", "one", "two");
	check(100, "%.*s|", 3, "abcdef");
	check(100, "%.*s|", 30, "abc");
	check(100, "%c%c", 'x', 'y');
	check(100, "%d %d %d %d", 0, -1, 2147483647, -2147483647 - 1);
	check(100, "%u %u", 0u, 4294967295u);
	check(100, "%lu %ld", 18446744073709551615ul, -9223372036854775807l - 1);
	check(100, "%llu %lld", 18446744073709551615ull, -1ll);
	check(100, "%zu", (size_t)123456789);
	check(100, "%x %x %08x %02x", 0u, 0xdeadbeefu, 0xbeefu, 0x123u);
	check(100, "%016llx", 0x0123456789abcdefull);
	check(100, "%016llx %016llx", 0ull, 1ull);
	check(100, "%05d|%05d", 42, -42);
	check(100, "100%% of %s", "it");
	check(100, "%5d|%-5d|%+d|%#x", 1, 2, 3, 4u);
	check(100, "%10s|%.3f", "right", 1.5);
	check(5, "%s", "longer than that");
	check(1, "%d", 12345);
	check(0, "%d", 12345);
	check(4, "%u", 123u);
	check(3, "%u", 123u);
}

static void test_random_numbers(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t v = rng_u64() >> rng_below(64);

		check(100, "%llu %lld %llx %016llx", (unsigned long long)v, (long long)v,
		      (unsigned long long)v, (unsigned long long)v);
	}
}

static void test_ip4(void **state)
{
	static const unsigned char addresses[][4] = {
		{ 0, 0, 0, 0 }, { 1, 9, 10, 99 }, { 100, 101, 199, 255 }, { 192, 0, 2, 1 }
	};
	char text[16], wanted[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		const unsigned char *a = addresses[i];

		snprintf(wanted, sizeof(wanted), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		text[fmt_ip4(text, a)] = '\0';
		assert_string_equal(text, wanted);
	}
}

static void test_buf(void **state)
{
	struct buf b = BUF_INIT(1000), small = BUF_INIT(10);

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "%d,", i);
	assert_false(b.failed);
	assert_int_equal(b.len, 10 * 2 + 90 * 3);
	buf_addf(&small, "%s", "12345678901");
	assert_true(small.failed);
	assert_int_equal(small.len, 0);
	buf_free(&b);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_snprintf),
		cmocka_unit_test(test_random_numbers),
		cmocka_unit_test(test_ip4),
		cmocka_unit_test(test_buf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
