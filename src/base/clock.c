/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_read(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_utc_us(void)
{
	return clock_read(CLOCK_REALTIME);
}

const char *clock_format(uint64_t utc_us, char *dst, size_t size)
{
	time_t seconds = (time_t)(utc_us / SEC);
	struct tm tm;
	size_t n;

	assert(size >= 28);
	gmtime_r(&seconds, &tm);
	n = strftime(dst, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst + n, size - n, ".%06uZ", (unsigned)(utc_us % SEC));
	return dst;
}
