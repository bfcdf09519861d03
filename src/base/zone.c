/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A TZif file (RFC 8536 section 3) lists moments and the offset from UTC that holds from each on; its footer is a rule
 * in POSIX's TZ form for all time after the last of them. Version 1 counts in 32 bits and has no footer: only the second
 * block of later versions is used. Files come from the system, but may be anything. */
#include "base/zone.h"

#include "base/base.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MOST 65536
#define HEADER_SIZE 44
#define DAY 86400

/* When one half of the year begins (POSIX: M3.5.0/2, J60, 59). */
struct yearly {
	char form; /* 'M', 'J', or 0: day of the year from 0 */
	int month, week, day;
	int32_t second; /* of that day by the clock that holds until then; may be outside of it */
};
struct rule {
	bool given, has_summer;
	int32_t standard, summer; /* seconds east */
	struct yearly begins, ends;
};
struct zone {
	const char *name;
	unsigned n;
	int64_t *at; /* rising */
	int32_t *offset; /* from at[i] on */
	int32_t first; /* before at[0] */
	struct rule rule; /* after the last */
};

/* ---- dates --------------------------------------------------------------------------- */

/* The year begins in March here, so that the leap day is its last. */
int32_t civil_day(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_date(int32_t day, int *year_out, int *month_out, int *day_out)
{
	int z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day_out = of_year - (153 * m + 2) / 5 + 1;
	*month_out = m < 10 ? m + 3 : m - 9;
	*year_out = y + era * 400 + (*month_out <= 2);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

bool civil_is_date(int year, int month, int day)
{
	return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= month_days(year, month);
}

static int64_t day_of(int64_t second)
{
	return second / DAY - (second % DAY < 0);
}

static unsigned weekday_of(int32_t day)
{
	int w = (day + 4) % 7; /* 1970-01-01 was a Thursday */

	return (unsigned)(w < 0 ? w + 7 : w);
}

/* ---- the rule -------------------------------------------------------------------------- */

static bool take_char(struct span *s, char c)
{
	if (!s->len || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static bool take_number(struct span *s, int least, int most, int *out)
{
	int n = 0;
	size_t i = 0;

	for (; i < s->len && i < 4 && ascii_digit(s->p[i]); i++)
		n = n * 10 + (s->p[i] - '0');
	*s = span_skip(*s, i);
	*out = n;
	return i > 0 && n >= least && n <= most;
}

/* "[+-]hh[:mm[:ss]]" in seconds; hours up to 167 (RFC 8536 3.3.1). */
static bool take_clock(struct span *s, int32_t *out)
{
	int sign = take_char(s, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;

	if (sign > 0)
		take_char(s, '+');
	if (!take_number(s, 0, 167, &hours) ||
	    (take_char(s, ':') && (!take_number(s, 0, 59, &minutes) ||
				   (take_char(s, ':') && !take_number(s, 0, 59, &seconds)))))
		return false;
	*out = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

/* "CET", "<+03>": at least three characters. */
static bool take_word(struct span *s)
{
	bool quoted = take_char(s, '<');
	size_t n = 0;

	while (n < s->len &&
	       (quoted ? s->p[n] != '>'
		       : (ascii_lower(s->p[n]) >= 'a' && ascii_lower(s->p[n]) <= 'z')))
		n++;
	*s = span_skip(*s, n);
	return n >= 3 && (!quoted || take_char(s, '>'));
}

static bool take_yearly(struct span *s, struct yearly *out)
{
	bool good;

	*out = (struct yearly){ .second = 2 * 3600 };
	if (!take_char(s, ','))
		return false;
	if (take_char(s, 'M')) {
		out->form = 'M';
		good = take_number(s, 1, 12, &out->month) && take_char(s, '.') &&
		       take_number(s, 1, 5, &out->week) && take_char(s, '.') &&
		       take_number(s, 0, 6, &out->day);
	} else if (take_char(s, 'J')) {
		out->form = 'J';
		good = take_number(s, 1, 365, &out->day);
	} else {
		good = take_number(s, 0, 365, &out->day);
	}
	return good && (!take_char(s, '/') || take_clock(s, &out->second));
}

/* "CET-1CEST,M3.5.0,M10.5.0/3": offsets count westward there. */
static bool parse_rule(struct span s, struct rule *out)
{
	*out = (struct rule){ .given = s.len > 0 };
	if (!s.len)
		return true;
	if (!take_word(&s) || !take_clock(&s, &out->standard))
		return false;
	out->standard = -out->standard;
	if (!s.len)
		return true;
	out->has_summer = true;
	out->summer = out->standard + 3600;
	if (!take_word(&s))
		return false;
	if (s.len && s.p[0] != ',') {
		if (!take_clock(&s, &out->summer))
			return false;
		out->summer = -out->summer;
	}
	return take_yearly(&s, &out->begins) && take_yearly(&s, &out->ends) && !s.len;
}

/* The day on which it falls in that year. */
static int32_t yearly_day(const struct yearly *y, int year)
{
	int32_t first = civil_day(year, y->form == 'M' ? y->month : 1, 1);
	int day;

	if (y->form == 'J') /* 29 February is not counted */
		return first + y->day - 1 + (is_leap(year) && y->day >= 60);
	if (y->form != 'M')
		return first + y->day;
	day = (y->day - (int)weekday_of(first) + 7) % 7 + (y->week - 1) * 7;
	return first + (day < month_days(year, y->month) ? day : day - 7);
}

/* The newest change at or before the moment says which half holds. Two changes may coincide where summer lasts the
 * whole year: the later one counts. */
static int32_t rule_offset(const struct rule *rule, int64_t utc_s)
{
	int64_t newest = INT64_MIN, begins, ends;
	int32_t offset = rule->standard;
	int year, month, day;

	if (!rule->has_summer)
		return rule->standard;
	civil_date((int32_t)day_of(utc_s + rule->standard), &year, &month, &day);
	for (int y = year - 1; y <= year + 1; y++) {
		begins = (int64_t)yearly_day(&rule->begins, y) * DAY + rule->begins.second -
			 rule->standard;
		ends = (int64_t)yearly_day(&rule->ends, y) * DAY + rule->ends.second - rule->summer;
		if (ends <= utc_s && ends >= newest) {
			newest = ends;
			offset = rule->standard;
		}
		if (begins <= utc_s && begins >= newest) {
			newest = begins;
			offset = rule->summer;
		}
	}
	return offset;
}

/* ---- files ------------------------------------------------------------------------------ */

struct counts {
	uint32_t utc_marks, wall_marks, leaps, times, types, chars;
};

static uint32_t be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* A header at the head of *s, and how many bytes its block takes with times of `width` bytes. */
static bool take_header(struct span *s, unsigned width, struct counts *out, size_t *block_out)
{
	const char *p = s->p + 20;

	if (s->len < HEADER_SIZE || memcmp(s->p, "TZif", 4) != 0 || s->p[4] < '2')
		return false;
	*out = (struct counts){ be32(p),      be32(p + 4),  be32(p + 8),
				be32(p + 12), be32(p + 16), be32(p + 20) };
	*s = span_skip(*s, HEADER_SIZE);
	if (out->times > FILE_MOST || out->types > 256 || out->chars > FILE_MOST ||
	    out->leaps > FILE_MOST || out->utc_marks > 256 || out->wall_marks > 256)
		return false;
	*block_out = (size_t)out->times * (width + 1) + out->types * 6 + out->chars +
		     (size_t)out->leaps * (width + 4) + out->wall_marks + out->utc_marks;
	return *block_out <= s->len;
}

/* The offset of a type: RFC 8536 3.2 wants -25 to 26 hours at most. */
static bool type_offset(const char *types, unsigned i, int32_t *out)
{
	*out = (int32_t)be32(types + i * 6);
	return *out > -25 * 3600 && *out < 26 * 3600;
}

static int read_times(struct zone *zone, struct arena *arena, const struct counts *c,
		      const char *block)
{
	const char *kinds = block + (size_t)c->times * 8, *types = kinds + c->times;

	zone->at = arena_alloc(arena, (c->times + 1) * sizeof(*zone->at));
	zone->offset = arena_alloc(arena, (c->times + 1) * sizeof(*zone->offset));
	if (!zone->at || !zone->offset)
		return -ENOMEM;
	if (!type_offset(types, 0, &zone->first))
		return -EBADMSG;
	for (unsigned i = 0; i < c->times; i++) {
		unsigned kind = (unsigned char)kinds[i];

		zone->at[i] = be64(block + (size_t)i * 8);
		if (kind >= c->types || !type_offset(types, kind, &zone->offset[i]) ||
		    (i && zone->at[i] <= zone->at[i - 1]))
			return -EBADMSG;
	}
	zone->n = c->times;
	return 0;
}

int zone_parse(struct zone **out, struct arena *arena, struct span name, struct span bytes)
{
	struct zone *zone = arena_alloc(arena, sizeof(*zone));
	struct counts c;
	size_t block;
	struct span footer;
	int err;

	if (!zone)
		return -ENOMEM;
	if (!take_header(&bytes, 4, &c, &block))
		return -EBADMSG;
	bytes = span_skip(bytes, block);
	if (!take_header(&bytes, 8, &c, &block) || c.types == 0)
		return -EBADMSG;
	if (c.leaps)
		return -EOPNOTSUPP;
	err = read_times(zone, arena, &c, bytes.p);
	if (err)
		return err;
	footer = span_skip(bytes, block);
	if (!take_char(&footer, '\n') || !span_cut(footer, '\n', &footer, &bytes) ||
	    !parse_rule(footer, &zone->rule))
		return -EBADMSG;
	zone->name = arena_dup(arena, name);
	if (!zone->name)
		return -ENOMEM;
	*out = zone;
	return 0;
}

/* Letters, digits, + - _ and single slashes within: never a way out of the folder. */
static bool is_zone_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i], lower = ascii_lower(c);

		if (c == '/' ? i == 0 || i + 1 == name.len || name.p[i - 1] == '/'
			     : !(lower >= 'a' && lower <= 'z') && !ascii_digit(c) && c != '+' &&
				       c != '-' && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= ZONE_NAME_MAX;
}

static int read_file(struct span name, char *dst, size_t size, size_t *len_out)
{
	char path[sizeof(FOLDER) + ZONE_NAME_MAX];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), FOLDER "%.*s", SPAN_ARG(name));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*len_out = 0;
	while (*len_out < size && (n = read(fd, dst + *len_out, size - *len_out)) > 0)
		*len_out += (size_t)n;
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

int zone_read(struct zone **out, struct arena *arena, struct span name)
{
	struct zone *zone;
	char *bytes;
	size_t len = 0;
	int err;

	if (!is_zone_name(name))
		return -EINVAL;
	if (span_eq(name, SPAN("UTC"))) {
		zone = arena_alloc(arena, sizeof(*zone));
		if (!zone)
			return -ENOMEM;
		zone->name = "UTC";
		*out = zone;
		return 0;
	}
	bytes = malloc(FILE_MOST);
	if (!bytes)
		return -ENOMEM;
	err = read_file(name, bytes, FILE_MOST, &len);
	if (!err)
		err = zone_parse(out, arena, name, (struct span){ bytes, len });
	free(bytes);
	return err;
}

/* ---- looking up --------------------------------------------------------------------------- */

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

int32_t zone_offset(const struct zone *zone, int64_t utc_s)
{
	unsigned low = 0, high = zone->n; /* at[low - 1] <= utc_s < at[high] */

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (zone->at[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->n && zone->rule.given)
		return rule_offset(&zone->rule, utc_s);
	return low ? zone->offset[low - 1] : zone->first;
}

struct civil zone_civil(const struct zone *zone, uint64_t utc_us)
{
	int64_t utc_s = (int64_t)(utc_us / SEC), local = utc_s + zone_offset(zone, utc_s);
	int64_t day = day_of(local);

	return (struct civil){ (int32_t)day, (uint8_t)weekday_of((int32_t)day),
			       (uint32_t)(local - day * DAY) };
}
