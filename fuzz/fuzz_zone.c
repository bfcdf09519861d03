/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A zone that was read without complaint gives an offset of hours and a time of day at any moment. */
#include "base/base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct zone *zone, uint64_t utc_s)
{
	struct civil civil = zone_civil(zone, utc_s * SEC);
	int32_t offset = zone_offset(zone, (int64_t)utc_s);

	if (offset < -168 * 3600 || offset > 168 * 3600 || civil.second >= 86400 ||
	    civil.weekday > 6)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	struct zone *zone = NULL;

	if (zone_parse(&zone, arena, SPAN("fuzz"), (struct span){ (const char *)data, size }) == 0)
		for (unsigned bits = 0; bits < 44; bits++)
			for (uint64_t at = 1ull << bits; at < 2ull << bits;
			     at += (1ull << bits) / 3 + 1)
				check(zone, at);
	arena_free(&arena);
	return 0;
}
