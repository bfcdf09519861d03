/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct arena *arena;

static struct zone *read_zone(const char *name)
{
	struct zone *zone = NULL;

	assert_int_equal(zone_read(&zone, arena, span_of(name)), 0);
	assert_string_equal(zone_name(zone), name);
	return zone;
}

/* Against the C library, which reads the same files in its own way. */
static void check_moment(const struct zone *zone, time_t at)
{
	struct civil civil = zone_civil(zone, (uint64_t)at * SEC);
	struct tm tm;

	assert_non_null(localtime_r(&at, &tm));
	if (zone_offset(zone, at) != tm.tm_gmtoff)
		fail_msg("%s at %lld: %d, not %ld", zone_name(zone), (long long)at,
			 zone_offset(zone, at), tm.tm_gmtoff);
	assert_int_equal(civil.weekday, tm.tm_wday);
	assert_int_equal(civil.second, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
	assert_int_equal(civil.day, civil_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday));
}

static void test_like_libc(void **state)
{
	static const char *const names[] = {
		"Europe/Berlin",     "America/New_York", "America/Sao_Paulo", "Asia/Kolkata",
		"Asia/Shanghai",     "Asia/Dhaka",       "Australia/Sydney",  "Australia/Lord_Howe",
		"Africa/Casablanca", "Pacific/Apia",     "Europe/Dublin",     "America/Santiago",
		"Asia/Tehran",       "Pacific/Chatham",  "Etc/GMT+5",         "UTC",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct zone *zone = read_zone(names[i]);

		setenv("TZ", names[i], 1);
		tzset();
		for (int n = 0; n < 4000; n++)
			check_moment(zone, rng_below(UINT32_MAX)); /* to 2106 */
		/* around each change: the second before, that second, the one after */
		for (time_t at = 0; at < 4000000000; at += 6 * 3600) {
			if (zone_offset(zone, at) == zone_offset(zone, at + 6 * 3600))
				continue;
			for (time_t t = at; t < at + 6 * 3600; t += 899)
				check_moment(zone, t);
			for (int s = -1; s <= 1; s++)
				for (int h = 0; h <= 24; h++)
					check_moment(zone, at / 900 * 900 + h * 900 + s);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void test_clocks_change(void **state)
{
	const struct zone *berlin = read_zone("Europe/Berlin");
	struct civil c;

	/* 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00 */
	c = zone_civil(berlin, 1774745999 * SEC);
	assert_int_equal(c.second, 2 * 3600 - 1);
	assert_int_equal(c.weekday, 0);
	c = zone_civil(berlin, 1774746000 * SEC);
	assert_int_equal(c.second, 3 * 3600);
	c = zone_civil(berlin, 1792889999 * SEC);
	assert_int_equal(c.second, 3 * 3600 - 1);
	c = zone_civil(berlin, 1792890000 * SEC);
	assert_int_equal(c.second, 2 * 3600);
	assert_int_equal(c.day, civil_day(2026, 10, 25));
}

static void test_dates(void **state)
{
	int y, m, d;

	assert_int_equal(civil_day(1970, 1, 1), 0);
	for (int32_t day = -800000; day < 3000000; day += 1 + (int32_t)rng_below(50)) {
		struct tm tm = { 0 };
		time_t at = (time_t)day * 86400;

		gmtime_r(&at, &tm);
		civil_date(day, &y, &m, &d);
		assert_int_equal(y, tm.tm_year + 1900);
		assert_int_equal(m, tm.tm_mon + 1);
		assert_int_equal(d, tm.tm_mday);
		assert_int_equal(civil_day(y, m, d), day);
	}
	assert_true(civil_is_date(2024, 2, 29));
	assert_false(civil_is_date(2026, 2, 29));
	assert_false(civil_is_date(2100, 2, 29));
	assert_true(civil_is_date(2000, 2, 29));
	assert_false(civil_is_date(2026, 4, 31));
	assert_false(civil_is_date(2026, 13, 1));
	assert_false(civil_is_date(2026, 0, 1));
	assert_false(civil_is_date(2026, 1, 0));
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"",        "/etc/passwd",   "../../etc/passwd", "Europe//Berlin",
		"Europe/", "Europe/../UTC", "Europe Berlin",    "."
	};
	struct zone *zone = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(zone_read(&zone, arena, span_of(bad[i])), -EINVAL);
	assert_int_equal(zone_read(&zone, arena, SPAN("Europe/Atlantis")), -ENOENT);
	assert_int_equal(zone_read(&zone, arena, SPAN("Europe")), -EISDIR);
	assert_int_equal(zone_read(&zone, arena, SPAN("tzdata.zi")), -EINVAL);
	assert_int_equal(zone_read(&zone, arena, SPAN("leapseconds")), -EBADMSG);
	assert_null(zone);
}

/* ---- files ----------------------------------------------------------------------------- */

/* A file of version 2 with one change, one type before it and one after, and this footer. */
static struct span make_file(struct buf *out, const char *footer, unsigned leaps)
{
	const char empty[44] = "TZif2", times[] = "\0\0\0\0\0\0\0\x64";
	char head[44] = "TZif2";

	head[31] = (char)leaps;
	head[35] = 1;
	head[39] = 2;
	head[43] = 4;
	buf_add(out, empty, 44);
	buf_add(out, head, 44);
	buf_add(out, times, 8);
	buf_add(out, "\1", 1);
	buf_add(out, "\0\0\x0e\x10\0\0", 6); /* 3600 */
	buf_add(out, "\0\0\x1c\x20\1\0", 6); /* 7200 */
	buf_add(out, "ABC", 4);
	for (unsigned i = 0; i < leaps; i++)
		buf_add(out, "\0\0\0\0\0\0\0\0\0\0\0\1", 12);
	buf_addf(out, "\n%s\n", footer);
	return buf_span(out);
}

static const struct zone *zone_of(const char *footer)
{
	struct buf file = BUF_INIT(1024);
	struct zone *zone = NULL;

	if (zone_parse(&zone, arena, SPAN("made"), make_file(&file, footer, 0)))
		zone = NULL;
	buf_free(&file);
	return zone;
}

static void test_footers(void **state)
{
	static const char *const bad[] = { "X",
					   "XYZ",
					   "XYZ200",
					   "XYZ1:60",
					   "<XYZ1",
					   "XYZ1ABC",
					   "XYZ1ABC,M3.5.0",
					   "XYZ1ABC,M13.1.0,M1.1.0",
					   "XYZ1ABC,M3.6.0,0",
					   "XYZ1ABC,J0,J1",
					   "XYZ1ABC,0,366",
					   "XYZ1ABC,0,1x" };
	const struct zone *zone = zone_of("");

	assert_int_equal(zone_offset(zone, 99), 3600);
	assert_int_equal(zone_offset(zone, 100), 7200);
	assert_int_equal(zone_offset(zone, 4000000000), 7200);
	zone = zone_of("<-03>3");
	assert_int_equal(zone_offset(zone, 99), 3600);
	assert_int_equal(zone_offset(zone, 101), -3 * 3600);
	zone = zone_of("XYZ-5:30:15");
	assert_int_equal(zone_offset(zone, 101), 5 * 3600 + 30 * 60 + 15);
	/* summer all the year (RFC 8536 3.3) */
	zone = zone_of("EST5EDT,0/0,J365/25");
	for (int64_t at = 1700000000; at < 1800000000; at += 4321)
		assert_int_equal(zone_offset(zone, at), -4 * 3600);
	/* day 59 is 1 March, or 29 February; J60 is 1 March always */
	zone = zone_of("AAA0BBB,59/0,J365");
	assert_int_equal(zone_offset(zone, (int64_t)civil_day(2024, 2, 29) * 86400), 3600);
	assert_int_equal(zone_offset(zone, (int64_t)civil_day(2023, 3, 1) * 86400 - 1), 0);
	assert_int_equal(zone_offset(zone, (int64_t)civil_day(2023, 3, 1) * 86400), 3600);
	zone = zone_of("AAA0BBB,J60/0,J365");
	assert_int_equal(zone_offset(zone, (int64_t)civil_day(2024, 3, 1) * 86400 - 1), 0);
	assert_int_equal(zone_offset(zone, (int64_t)civil_day(2024, 3, 1) * 86400), 3600);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(zone_of(bad[i]));
}

static void test_bad_files(void **state)
{
	struct buf file = BUF_INIT(1024);
	struct zone *zone = NULL;
	struct span whole = make_file(&file, "XYZ1", 0);

	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(zone_parse(&zone, arena, SPAN("cut"), span_head(whole, len)),
				 -EBADMSG);
	for (size_t i = 0; i < whole.len * 8; i++) { /* any bit wrong: no harm */
		file.p[i / 8] ^= (char)(1 << i % 8);
		if (zone_parse(&zone, arena, SPAN("flipped"), whole) == 0)
			zone_offset(zone, rng_u32());
		file.p[i / 8] ^= (char)(1 << i % 8);
	}
	buf_reset(&file);
	zone = NULL;
	assert_int_equal(zone_parse(&zone, arena, SPAN("right"), make_file(&file, "XYZ1", 1)),
			 -EOPNOTSUPP);
	assert_null(zone);
	buf_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_libc), cmocka_unit_test(test_clocks_change),
		cmocka_unit_test(test_dates),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_footers),   cmocka_unit_test(test_bad_files),
	};
	int failed;

	arena = arena_new(4096);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
