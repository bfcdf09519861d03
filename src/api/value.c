/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters of a request: each is checked against its row in the route table before any handler
 * runs, so that handlers see only values that are in range. */
#include "api/api_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Digits at the head of *s, exactly `n` of them. */
static bool take_digits(struct span *s, unsigned n, int *out)
{
	uint32_t value;

	if (s->len < n || span_to_u32(span_head(*s, n), &value))
		return false;
	*out = (int)value;
	*s = span_skip(*s, n);
	return true;
}

static bool take_char(struct span *s, char c)
{
	if (!s->len || ascii_lower(s->p[0]) != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* ".123456": microseconds; further digits are dropped. */
static bool take_fraction(struct span *s, uint64_t *us_out)
{
	uint64_t us = 0, unit = 100000;
	size_t n = 0;

	if (!take_char(s, '.'))
		return true;
	for (; n < s->len && ascii_digit(s->p[n]); n++, unit /= 10)
		us += unit * (uint64_t)(s->p[n] - '0');
	*s = span_skip(*s, n);
	*us_out = us;
	return n > 0 && n <= 18;
}

/* "Z", "+01:00" or nothing (UTC), to the end. */
static bool take_zone(struct span *s, int64_t *east_out)
{
	int hours, minutes, sign;

	if (!s->len || (take_char(s, 'z') && !s->len))
		return true;
	sign = take_char(s, '-') ? -1 : take_char(s, '+') ? 1 : 0;
	if (!sign || !take_digits(s, 2, &hours))
		return false;
	take_char(s, ':');
	if (!take_digits(s, 2, &minutes) || s->len || hours > 23 || minutes > 59)
		return false;
	*east_out = sign * (hours * 3600 + minutes * 60);
	return true;
}

int api_parse_time(struct span s, uint64_t *utc_us_out)
{
	struct tm tm = { 0 };
	uint64_t us = 0, seconds;
	int64_t east = 0, t;

	if (s.len >= 9 && s.len <= 11 && span_to_u64(s, &seconds) == 0) {
		*utc_us_out = seconds * SEC;
		return 0;
	}
	if (!take_digits(&s, 4, &tm.tm_year) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mon) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mday))
		return -EINVAL;
	if (s.len) {
		if (!(take_char(&s, 't') || take_char(&s, ' ')) ||
		    !take_digits(&s, 2, &tm.tm_hour) || !take_char(&s, ':') ||
		    !take_digits(&s, 2, &tm.tm_min))
			return -EINVAL;
		if (take_char(&s, ':') && !take_digits(&s, 2, &tm.tm_sec))
			return -EINVAL;
		if (!take_fraction(&s, &us) || !take_zone(&s, &east))
			return -EINVAL;
	}
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = (int64_t)timegm(&tm) - east;
	if (t < 0)
		return -EINVAL;
	*utc_us_out = (uint64_t)t * SEC + us;
	return 0;
}

static bool parse_bool(struct span s, uint64_t *out)
{
	static const char *const words[][2] = {
		{ "0", "1" }, { "false", "true" }, { "off", "on" }, { "no", "yes" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (unsigned value = 0; value < 2; value++)
			if (span_ieq(s, span_of(words[i][value]))) {
				*out = value;
				return true;
			}
	return false;
}

static bool parse_choice(struct span s, const char *choices, uint64_t *out)
{
	struct span rest = span_of(choices), word;
	bool more = true;

	for (uint64_t i = 0; more; i++) {
		more = span_cut(rest, '|', &word, &rest);
		if (span_eq(word, s)) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool api_parse_value(struct api_value *out, const struct api_param *param, const char *text,
		     char *why, size_t size)
{
	struct span s = span_of(text);
	bool good = false;

	*out = (struct api_value){ .given = true, .text = text };
	switch (param->type) {
	case API_TEXT:
		snprintf(why, size, "%" PRIu64 " to %" PRIu64 " bytes without control characters",
			 param->least, param->most);
		good = s.len >= param->least && s.len <= param->most && is_plain(s);
		break;
	case API_COUNT:
		snprintf(why, size, "a number from %" PRIu64 " to %" PRIu64, param->least,
			 param->most);
		good = span_to_u64(s, &out->number) == 0 && out->number >= param->least &&
		       out->number <= param->most;
		break;
	case API_BOOL:
		snprintf(why, size, "0 or 1");
		good = parse_bool(s, &out->number);
		break;
	case API_TIME:
		snprintf(why, size, "a time such as 2026-11-22T10:45:30Z");
		good = api_parse_time(s, &out->number) == 0;
		break;
	case API_CALL_ID:
		snprintf(why, size, "a call id: up to 16 hex digits, not 0");
		good = s.len >= 1 && s.len <= 16 && span_hex_to_u64(s, &out->number) == 0 &&
		       out->number > 0;
		break;
	case API_CHOICE:
		snprintf(why, size, "one of %s", param->choices);
		good = parse_choice(s, param->choices, &out->number);
		break;
	}
	return good;
}

static const struct api_value *value_of(const struct api_request *req, const char *name)
{
	for (unsigned i = 0; req->route->params[i].name; i++)
		if (strcmp(req->route->params[i].name, name) == 0)
			return &req->values[i];
	assert(!"a handler asked for a parameter that its route lacks");
	return NULL;
}

const char *api_text(const struct api_request *req, const char *name)
{
	const struct api_value *value = value_of(req, name);

	return value->given ? value->text : NULL;
}

uint64_t api_number(const struct api_request *req, const char *name)
{
	return value_of(req, name)->number;
}

bool api_given(const struct api_request *req, const char *name)
{
	return value_of(req, name)->given;
}
