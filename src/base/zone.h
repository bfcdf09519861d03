/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone: civil time by named zone, from the system's TZif files (RFC 8536). A zone is read once, when a
 * configuration is built; looking a moment up is pure and costs a binary search. */
#ifndef CAUSEWAY_ZONE_H
#define CAUSEWAY_ZONE_H

#include "base/arena.h"
#include "base/span.h"

struct zone;

/* What a clock and a calendar on the wall show. */
struct civil {
	int32_t day;			/* since 1970-01-01 */
	uint8_t weekday;		/* 0 = Sunday */
	uint32_t second;		/* of the day: 0..86399 */
};

#define ZONE_NAME_MAX 63
/* Read a zone by its name ("Europe/Berlin", "UTC") from /usr/share/zoneinfo; "UTC" needs no file. It lives as long as
 * the arena. 0; -EINVAL: cannot be a zone's name; -ENOENT; -EBADMSG and -EOPNOTSUPP as zone_parse; or another -errno. */
int zone_read(struct zone **out, struct arena *arena, struct span name);
/* The same from a file's bytes. -EBADMSG: no TZif file of version 2 or later; -EOPNOTSUPP: it counts leap seconds,
 * which our time does not; -ENOMEM. */
int zone_parse(struct zone **out, struct arena *arena, struct span name, struct span bytes);
const char *zone_name(const struct zone *zone);

/* Seconds east of UTC at that moment. Any thread. */
int32_t zone_offset(const struct zone *zone, int64_t utc_s);
struct civil zone_civil(const struct zone *zone, uint64_t utc_us);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
int32_t civil_day(int year, int month, int day);
void civil_date(int32_t day, int *year_out, int *month_out, int *day_out);
bool civil_is_date(int year, int month, int day);

#endif
