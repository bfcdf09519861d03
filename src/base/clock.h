/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock: microseconds. Monotonic for timers, UTC for records; civil time appears only
 * where people read it. */
#ifndef CAUSEWAY_CLOCK_H
#define CAUSEWAY_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define MSEC 1000ull
#define SEC 1000000ull

uint64_t clock_mono_us(void);
uint64_t clock_utc_us(void);
/* "2026-11-22T10:45:30.123456Z" (27 characters) into dst; size at least 28. */
const char *clock_format(uint64_t utc_us, char *dst, size_t size);

#endif
