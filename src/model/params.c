/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters (params.def as a table) and the two forms of numbers that configurations use:
 * durations and money. */
#include "model/model_int.h"

#include <inttypes.h>
#include <stdio.h>

const struct param_info param_table[] = {
#define PARAM(name, type, def, least, most, vos, help)                                             \
	{                                                                                          \
		#name, PARAM_TYPE_##type,                                                          \
		def,   least,                                                                      \
		most,  vos,                                                                        \
		help,  offsetof(struct model_params, name)                                         \
	},
#include "model/params.def"
#undef PARAM
};
const size_t param_count = ARRAY_SIZE(param_table);

/* "A|B": the sources name some parameters in two ways. */
static bool is_vos_name(const char *names, struct span name)
{
	struct span rest = span_of(names), one;
	bool more = rest.len != 0;

	while (more) {
		more = span_cut(rest, '|', &one, &rest);
		if (span_ieq(name, one))
			return true;
	}
	return false;
}

const struct param_info *param_find(struct span name)
{
	for (size_t i = 0; name.len && i < param_count; i++)
		if (span_eq(name, span_of(param_table[i].name)) ||
		    is_vos_name(param_table[i].vos, name))
			return &param_table[i];
	return NULL;
}

/* VOS3000's parameters that have no counterpart here, and why. */
static const struct {
	const char *vos, *why;
} absent[] = {
	{ "SS_SIP_PUBLISH_EXPIRE", "switches do not tell one another by PUBLISH how many calls a "
				   "gateway has" },
};

const char *param_absent(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		if (span_ieq(name, span_of(absent[i].vos)))
			return absent[i].why;
	return NULL;
}

static const struct {
	const char *name;
	uint64_t us;
} units[] = {
	{ "d", 86400 * SEC }, { "h", 3600 * SEC }, { "m", 60 * SEC },
	{ "s", SEC },         { "ms", MSEC },      { "us", 1 },
};

int duration_parse(struct span text, uint64_t *us_out)
{
	uint64_t number, scale = 0;
	size_t digits = 0;
	int err;

	while (digits < text.len && ascii_digit(text.p[digits]))
		digits++;
	err = span_to_u64(span_head(text, digits), &number);
	if (err)
		return err;
	if (digits == text.len)
		scale = SEC;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (span_eq(span_skip(text, digits), span_of(units[i].name)))
			scale = units[i].us;
	if (!scale)
		return -EINVAL;
	if (number > UINT64_MAX / scale)
		return -ERANGE;
	*us_out = number * scale;
	return 0;
}

/* A duration, or seconds with a decimal point. */
static int interval_parse(struct span text, uint64_t *us_out)
{
	struct span whole, part;
	uint64_t seconds, fraction, scale = SEC;
	bool point = span_cut(text, '.', &whole, &part);

	if (!point)
		return duration_parse(text, us_out);
	if (part.len == 0 || part.len > 6 || span_to_u64(part, &fraction) ||
	    span_to_u64(whole, &seconds) || seconds > UINT32_MAX)
		return -EINVAL;
	for (size_t i = 0; i < part.len; i++)
		scale /= 10;
	*us_out = seconds * SEC + fraction * scale;
	return 0;
}

int intervals_parse(struct span text, uint64_t least_us, uint64_t most_us,
		    uint64_t us_out[INTERVALS_MAX])
{
	struct span one;
	bool more = text.len != 0;
	int n = 0;

	while (more) {
		uint64_t us;
		int err;

		more = span_cut(text, ',', &one, &text);
		err = interval_parse(span_trim(one), &us);
		if (err)
			return err;
		if (n == INTERVALS_MAX || us < least_us || us > most_us)
			return -ERANGE;
		us_out[n++] = us;
	}
	return n;
}

/* The largest unit that divides it is the shortest form. */
const char *duration_format(uint64_t us, char *dst, size_t size)
{
	size_t i = 0;

	while (us % units[i].us)
		i++;
	if (us == 0)
		snprintf(dst, size, "0s");
	else
		snprintf(dst, size, "%" PRIu64 "%s", us / units[i].us, units[i].name);
	return dst;
}

#define MONEY_PLACES 8
#define MONEY_ONE 100000000

int money_parse(struct span text, int64_t *out)
{
	bool negative = text.len && text.p[0] == '-';
	struct span whole, part;
	uint64_t units_part, part_value = 0;
	bool point = span_cut(span_skip(text, negative), '.', &whole, &part);
	int err = span_to_u64(whole, &units_part);

	if (err)
		return err;
	if (point && (part.len == 0 || part.len > MONEY_PLACES))
		return -EINVAL;
	if (point && span_to_u64(part, &part_value))
		return -EINVAL;
	for (size_t i = part.len; point && i < MONEY_PLACES; i++)
		part_value *= 10;
	if (units_part > (INT64_MAX - part_value) / MONEY_ONE)
		return -ERANGE;
	*out = (int64_t)(units_part * MONEY_ONE + part_value);
	if (negative)
		*out = -*out;
	return 0;
}

const char *money_format(int64_t amount, char *dst, size_t size)
{
	uint64_t value = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
	char text[40];
	int len = snprintf(text, sizeof(text), "%s%" PRIu64 ".%08" PRIu64, amount < 0 ? "-" : "",
			   value / MONEY_ONE, value % MONEY_ONE);

	for (int places = MONEY_PLACES; places > 2 && text[len - 1] == '0'; places--)
		text[--len] = '\0';
	snprintf(dst, size, "%s", text);
	return dst;
}

bool bool_parse(struct span text, bool *out)
{
	static const char *const words[] = { "off", "on", "false", "true", "no", "yes" };

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (span_ieq(text, span_of(words[i]))) {
			*out = i & 1;
			return true;
		}
	}
	return false;
}

/* Words for values, VOS3000's and our own. Those that are `shown` stand for the value wherever it is. */
static const struct {
	const char *param, *word, *value;
	bool shown;
} words[] = {
	{ "outbound_expire", "auto", "0s", true },
	{ "outbound_privacy", "on", "id", false },
	{ "outbound_privacy", "off", "", false },
	{ "caller_pool_in_turn", "poll", "on", false },
	{ "caller_pool_in_turn", "random", "off", false },
	{ "max_attempts", "none", "0", false },
	{ "max_call_duration", "none", "0s", false },
};

static struct span value_of_word(const struct param_info *info, struct span text)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (span_ieq(text, span_of(words[i].word)) &&
		    strcmp(info->name, words[i].param) == 0)
			return span_of(words[i].value);
	return text;
}

static void show_as_word(const struct param_info *info, char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].shown && strcmp(info->name, words[i].param) == 0 &&
		    strcmp(text, words[i].value) == 0)
			snprintf(text, size, "%s", words[i].word);
}

/* The value of a DURATION or COUNT in its own unit. */
static int number_parse(enum param_type type, struct span text, uint64_t *out)
{
	return type == PARAM_TYPE_DURATION ? duration_parse(text, out) : span_to_u64(text, out);
}

static int param_set_number(char *to, const struct param_info *info, struct span text, char *why,
			    size_t size)
{
	uint64_t value = 0, least = 0, most = UINT64_MAX;
	int err = number_parse(info->type, text, &value);

	if (err == -EINVAL) {
		snprintf(why, size, "`%.*s` is no %s", SPAN_ARG(span_head(text, 40)),
			 info->type == PARAM_TYPE_DURATION ? "duration" : "whole number");
		return -EINVAL;
	}
	number_parse(info->type, span_of(info->least), &least);
	number_parse(info->type, span_of(info->most), &most);
	if (err || value < least || value > most) {
		snprintf(why, size, "%.*s is outside %s to %s", SPAN_ARG(span_head(text, 40)),
			 info->least, info->most);
		return -ERANGE;
	}
	memcpy(to, &value, sizeof(value));
	return 0;
}

static int store_text(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	const char *copy = arena_dup(arena, text);

	if (!copy) {
		snprintf(why, size, "not enough memory");
		return -ENOMEM;
	}
	memcpy(to, &copy, sizeof(copy));
	return 0;
}

static int param_set_codes(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	if (text.len > 128 || !code_list_is_good(text)) {
		snprintf(why, size, "`%.*s` is no list of SIP statuses such as 404,500-599",
			 SPAN_ARG(span_head(text, 40)));
		return -EINVAL;
	}
	return store_text(to, arena, text, why, size);
}

static int param_set_names(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	if (text.len > 1024 || !text_of(text, "._-@, ", true)) {
		snprintf(why, size, "`%.*s` is no list of names with commas, 1024 bytes at most",
			 SPAN_ARG(span_head(text, 40)));
		return -EINVAL;
	}
	return store_text(to, arena, text, why, size);
}

static int param_set_intervals(char *to, const struct param_info *info, struct arena *arena,
			       struct span text, char *why, size_t size)
{
	uint64_t least, most, us[INTERVALS_MAX];
	int n;

	duration_parse(span_of(info->least), &least);
	duration_parse(span_of(info->most), &most);
	n = text.len > 128 ? -ERANGE : intervals_parse(text, least, most, us);
	if (n < 0) {
		snprintf(why, size,
			 "`%.*s` is no list of %d times at most, each from %s to %s, such as "
			 "0.5,1,2,4",
			 SPAN_ARG(span_head(text, 40)), INTERVALS_MAX, info->least, info->most);
		return n;
	}
	return store_text(to, arena, text, why, size);
}

static int param_set_level(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	enum log_level level;

	if (text.len && log_level_parse(text, &level)) {
		snprintf(why, size, "`%.*s` is none of error, warn, info, debug, nor empty",
			 SPAN_ARG(span_head(text, 40)));
		return -EINVAL;
	}
	return store_text(to, arena, text, why, size);
}

static int param_set_moment(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	struct model_moment moment = { 0 };
	int err;

	if (text.len && !moment_parse(text, &moment)) {
		snprintf(why, size,
			 "`%.*s` is no moment such as 2026-12-31, \"2026-12-31 18:00\" or "
			 "2026-12-31T18:00:00+01:00",
			 SPAN_ARG(span_head(text, 40)));
		return -EINVAL;
	}
	err = store_text((char *)&moment.text, arena, text, why, size);
	if (!err)
		memcpy(to, &moment, sizeof(moment));
	return err;
}

static int param_set_secret(char *to, struct arena *arena, struct span text, char *why, size_t size)
{
	if (span_eq(text, SPAN("***"))) {
		snprintf(why, size, "`***` stands for a secret that was left out");
		return -EINVAL;
	}
	if (text.len > 128 || !text_is_clean(text, false)) {
		snprintf(why, size, "must be 128 bytes at most, without control characters");
		return -EINVAL;
	}
	return store_text(to, arena, text, why, size);
}

static int param_set_collectors(char *to, struct arena *arena, struct span text, char *why,
				size_t size)
{
	struct collector_address one;
	struct span rest = text, at = text;
	const char *wrong = text.len > PARAM_TEXT_MAX ? "1024 bytes at most" : NULL;

	for (unsigned n = 0; rest.len && !wrong; n++) {
		at = rest;
		wrong = n == COLLECTORS_MAX ? "8 collectors at most" : collector_cut(&rest, &one);
	}
	if (wrong) {
		snprintf(why, size,
			 "`%.*s`: %s; write udp:192.0.2.9:9060 or tcp:collector.example:9061",
			 SPAN_ARG(span_head(at, 40)), wrong);
		return -EINVAL;
	}
	return store_text(to, arena, text, why, size);
}

/* Of texts `least` says only this. */
static bool may_be_empty(const struct param_info *info)
{
	return info->least[0] == '0';
}

int param_set(struct model_params *params, const struct param_info *info, struct arena *arena,
	      struct span text, char *why, size_t size)
{
	char *to = (char *)params + info->offset;
	bool on;

	text = value_of_word(info, text);
	switch (info->type) {
	case PARAM_TYPE_BOOL:
		if (!bool_parse(text, &on)) {
			snprintf(why, size, "`%.*s` is neither on nor off",
				 SPAN_ARG(span_head(text, 40)));
			return -EINVAL;
		}
		memcpy(to, &on, sizeof(on));
		return 0;
	case PARAM_TYPE_TEXT:
		if (!text_is_clean(text, false) || (text.len == 0 && !may_be_empty(info)) ||
		    text.len > 128) {
			snprintf(why, size,
				 "must be %d to 128 bytes of text without control characters",
				 !may_be_empty(info));
			return -EINVAL;
		}
		return store_text(to, arena, text, why, size);
	case PARAM_TYPE_CODES:
		return param_set_codes(to, arena, text, why, size);
	case PARAM_TYPE_NAMES:
		return param_set_names(to, arena, text, why, size);
	case PARAM_TYPE_INTERVALS:
		return param_set_intervals(to, info, arena, text, why, size);
	case PARAM_TYPE_LEVEL:
		return param_set_level(to, arena, text, why, size);
	case PARAM_TYPE_MOMENT:
		return param_set_moment(to, arena, text, why, size);
	case PARAM_TYPE_SECRET:
		return param_set_secret(to, arena, text, why, size);
	case PARAM_TYPE_COLLECTORS:
		return param_set_collectors(to, arena, text, why, size);
	default:
		return param_set_number(to, info, text, why, size);
	}
}

const char *param_format(const struct model_params *params, const struct param_info *info,
			 char *dst, size_t size)
{
	const char *from = (const char *)params + info->offset, *text;
	uint64_t number;
	bool on;

	switch (info->type) {
	case PARAM_TYPE_BOOL:
		memcpy(&on, from, sizeof(on));
		snprintf(dst, size, "%s", on ? "on" : "off");
		break;
	case PARAM_TYPE_TEXT:
	case PARAM_TYPE_CODES:
	case PARAM_TYPE_NAMES:
	case PARAM_TYPE_INTERVALS:
	case PARAM_TYPE_LEVEL:
	case PARAM_TYPE_MOMENT: /* begins with its text */
	case PARAM_TYPE_SECRET:
	case PARAM_TYPE_COLLECTORS:
		memcpy(&text, from, sizeof(text));
		snprintf(dst, size, "%s", text);
		break;
	case PARAM_TYPE_DURATION:
		memcpy(&number, from, sizeof(number));
		duration_format(number, dst, size);
		show_as_word(info, dst, size);
		break;
	case PARAM_TYPE_COUNT:
		memcpy(&number, from, sizeof(number));
		snprintf(dst, size, "%" PRIu64, number);
		break;
	}
	return dst;
}

const char *param_show(const struct model_params *params, const struct param_info *info, char *dst,
		       size_t size)
{
	param_format(params, info, dst, size);
	if (info->type == PARAM_TYPE_SECRET && dst[0])
		snprintf(dst, size, "***");
	return dst;
}

void params_default(struct model_params *params, struct arena *arena)
{
	char why[128];

	for (size_t i = 0; i < param_count; i++) {
		int err = param_set(params, &param_table[i], arena, span_of(param_table[i].def),
				    why, sizeof(why));

		assert(!err || err == -ENOMEM); /* params.def's defaults are within its bounds */
	}
}

/* Rules between parameters: the smaller one may not pass the greater one. */
static const struct {
	const char *small, *great;
} pairs[] = {
	{ "session_min_se", "session_expires" },
	{ "endpoint_min_expire", "endpoint_expire" },
	{ "sip_t1", "sip_t2" },
	{ "gateway_retry", "gateway_retry_max" },
};

/* RFC 3323 4.2, RFC 3325 9.3, RFC 7044 10.1: each word once; none stands alone. */
static bool is_privacy(struct span text)
{
	static const char *const values[] = { "header",  "session",  "user", "id",
					      "history", "critical", "none" };
	unsigned seen = 0, none = 1u << (ARRAY_SIZE(values) - 1);
	bool more = text.len != 0;
	struct span word;

	while (more) {
		unsigned bit = 0;

		more = span_cut(text, ';', &word, &text);
		for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
			if (span_eq(word, span_of(values[i])))
				bit = 1u << i;
		if (!bit || (seen & bit))
			return false;
		seen |= bit;
	}
	return seen == none || !(seen & none);
}

const char *params_check(const struct model_params *params, char *why, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct param_info *small = param_find(span_of(pairs[i].small));
		const struct param_info *great = param_find(span_of(pairs[i].great));
		uint64_t a, b;
		char a_text[32], b_text[32];

		memcpy(&a, (const char *)params + small->offset, sizeof(a));
		memcpy(&b, (const char *)params + great->offset, sizeof(b));
		if (a <= b)
			continue;
		snprintf(why, size, "%s (%s) is above %s (%s)", small->name,
			 duration_format(a, a_text, sizeof(a_text)), great->name,
			 duration_format(b, b_text, sizeof(b_text)));
		return small->name;
	}
	if (!is_privacy(span_of(params->outbound_privacy))) {
		snprintf(why, size,
			 "outbound_privacy (%s) is no list such as user;id of header, "
			 "session, user, id, history and critical, nor none",
			 params->outbound_privacy);
		return "outbound_privacy";
	}
	if (params->auth_status == 401 || params->auth_status == 407)
		return NULL;
	snprintf(why, size, "auth_status (%u) is neither 401 nor 407",
		 (unsigned)params->auth_status);
	return "auth_status";
}
