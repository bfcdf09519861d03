/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reasons: one table of names and sentences; %V is the value, %L the limit, %D the detail, %H a gateway's health. */
#include "admit/admit.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name, *text;
} table[REASONS] = {
	[REASON_CHOSEN] = { "chosen", "chosen" },
	[REASON_MATCHED] = { "matched", "matched" },
	[REASON_UNKNOWN_SOURCE] = { "unknown_source", "the source is not known" },
	[REASON_WRONG_PORT] = { "wrong_port", "lists the source with port %L, not %V" },
	[REASON_LOCKED] = { "locked", "locked" },
	[REASON_ACCOUNT_LOCKED] = { "account_locked", "the account is locked" },
	[REASON_ACCOUNT_EXPIRED] = { "account_expired", "the account was valid until %D" },
	[REASON_NEEDS_DIGEST] = { "needs_digest", "credentials are needed" },
	[REASON_WRONG_DIGEST_SOURCE] = { "wrong_digest_source",
					 "credentials are right, but the source is not listed" },
	[REASON_ADDRESS_LIST] = { "address_list", "an address list forbids the source's address" },
	[REASON_NO_NUMBER] = { "no_number", "the request names no number" },
	[REASON_LINE_LIMIT] = { "line_limit", "line limit reached, %V of %L in use" },
	[REASON_RATE_LIMIT] = { "rate_limit", "rate limit reached, %L calls %P" },
	[REASON_SYSTEM_LINES] = { "system_lines", "max_calls reached, %V of %L in use" },
	[REASON_SYSTEM_RATE] = { "system_rate", "max_cps reached, %L calls %P" },
	[REASON_PREFIX] = { "prefix",
			    "no prefix of it begins the number; %V digits agree at most" },
	[REASON_PROTECT] = { "protect", "kept for when all others have failed" },
	[REASON_PROTECT_DELAY] = { "protect_delay", "kept for when all others have failed, and not "
						    "tried before the call is %L s old" },
	[REASON_ATTEMPT_LIMIT] = { "attempt_limit",
				   "not tried after %V attempts, the limit is %L" },
	[REASON_NOT_REGISTERED] = { "not_registered", "not registered" },
	[REASON_UNREACHABLE] = { "unreachable",
				 "registered, but it does not answer OPTIONS any more" },
	[REASON_NODE] = { "node", "serves calls of another node only" },
	[REASON_GROUP] = { "group", "its groups are not open to this caller" },
	[REASON_PAIR] = { "pair", "does not take calls from this number to that one" },
	[REASON_TIME] = { "time", "its schedule keeps it from this call at this time" },
	[REASON_TERMINATED] = { "terminated", "matches %V digits; a gateway that matches %L is "
					      "terminating, so it is not tried" },
	[REASON_TOO_MANY] = { "too_many", "stands behind the %L best" },
	[REASON_NOT_RATED] = { "not_rated",
			       "chosen; ordered as if all cost alike, for calls are not rated" },
	[REASON_BLACKLIST_CALLS] = { "blacklist_calls", "caller is blacklisted for %V calls in a "
							"window, the limit is %L" },
	[REASON_BLACKLIST_LINES] = { "blacklist_lines", "caller is blacklisted for %V calls up at "
							"once, the limit is %L" },
	[REASON_BLACKLIST_NO_ANSWER] = { "blacklist_no_answer",
					 "callee is blacklisted for %V calls not "
					 "answered, the limit is %L" },
	[REASON_BLACKLIST_OPERATOR] = { "blacklist_operator",
					"an operator blacklisted a number of it" },
	[REASON_CALLER_FORBIDDEN] = { "caller_forbidden",
				      "caller begins with %D, which callers_forbidden lists" },
	[REASON_CALLER_NOT_ALLOWED] = { "caller_not_allowed",
					"caller begins with nothing that callers_allowed lists" },
	[REASON_CALLER_LENGTH] = { "caller_length",
				   "caller has %V characters, which caller_lengths does not list" },
	[REASON_CALLER_KIND] = { "caller_kind", "caller is a number of the kind %D, which "
						"caller_kinds does not list" },
	[REASON_CALLER_GROUP] = { "caller_group", "caller is in number group %D, which "
						  "caller_groups_forbidden lists" },
	[REASON_CALLER_NO_GROUP] = { "caller_no_group", "caller is in none of the groups that "
							"caller_groups_allowed lists" },
	[REASON_CALLER_TIME] = { "caller_time", "caller is not among the numbers that "
						"scheduled_prefixes permits at this time" },
	[REASON_CALLER_BLACKLISTED] = { "caller_blacklisted", "caller is in number group %D, which "
							      "blacklist_callers names" },
	[REASON_CALLEE_FORBIDDEN] = { "callee_forbidden",
				      "callee begins with %D, which callees_forbidden lists" },
	[REASON_CALLEE_NOT_ALLOWED] = { "callee_not_allowed",
					"callee begins with nothing that callees_allowed lists" },
	[REASON_CALLEE_LENGTH] = { "callee_length",
				   "callee has %V characters, which callee_lengths does not list" },
	[REASON_CALLEE_KIND] = { "callee_kind", "callee is a number of the kind %D, which "
						"callee_kinds does not list" },
	[REASON_CALLEE_GROUP] = { "callee_group", "callee is in number group %D, which "
						  "callee_groups_forbidden lists" },
	[REASON_CALLEE_NO_GROUP] = { "callee_no_group", "callee is in none of the groups that "
							"callee_groups_allowed lists" },
	[REASON_SAME_CITY] = { "same_city", "caller and callee are both in area %D, which "
					    "same_city_forbidden lists" },
	[REASON_SAME_CITY_NOT_ALLOWED] = { "same_city_not_allowed",
					   "caller and callee are both in area %D, which "
					   "same_city_allowed does not list" },
	[REASON_MOBILE_AREA] = { "mobile_area", "callee is a mobile number of area %D, which "
						"mobile_areas_forbidden lists" },
	[REASON_MOBILE_AREA_NOT_ALLOWED] = { "mobile_area_not_allowed",
					     "callee is a mobile number of area %D, which "
					     "mobile_areas_allowed does not list" },
	[REASON_CALLER_REWRITE] = { "caller_rewrite",
				    "caller becomes longer than a number can be by the rule %D" },
	[REASON_CALLEE_REWRITE] = { "callee_rewrite",
				    "callee becomes no number that can be called by the rule %D" },
	[REASON_CALLEE_NO_PHONE] = { "callee_no_phone", "callee is no phone of this switch, and "
							"callee_phones is only" },
	[REASON_CALLEE_PHONE] = { "callee_phone",
				  "callee is a phone of this switch, and callee_phones is never" },
	[REASON_DO_NOT_DISTURB] = { "do_not_disturb", "does not want to be disturbed" },
	[REASON_CALLER_POOL] = { "caller_pool",
				 "each number of its caller pool %D is used by %L calls already" },
	[REASON_CALLEE_TIME] = { "callee_time", "callee is not among the numbers that "
						"scheduled_prefixes permits at this time" },
	[REASON_CALLEE_BLACKLISTED] = { "callee_blacklisted", "callee is in number group %D, which "
							      "blacklist_callees names" },
	[REASON_GROUP_LINES] = { "group_lines", "line limit of group %D reached, %V of %L in use" },
	[REASON_GROUP_RESERVE] = { "group_reserve",
				   "its reserved_lines would not stay free: %V of %L lines "
				   "of group %D in use" },
	[REASON_GROUP_RATE] = { "group_rate", "rate limit of group %D reached, %L calls %P" },
	[REASON_ACCOUNT_LINES] = { "account_lines",
				   "line limit of account %D reached, %V of %L in use" },
	[REASON_ACCOUNT_RATE] = { "account_rate", "rate limit of account %D reached, %L calls %P" },
	[REASON_PHONE_LINES] = { "phone_lines", "line limit reached, %V of %L in use" },
	[REASON_LINES_IN] = { "lines_in", "lines_in reached, %V of %L in use" },
	[REASON_LINES_OUT] = { "lines_out", "lines_out reached, %V of %L in use" },
	[REASON_TRYING] = { "trying", "%H; a call tries it already" },
	[REASON_DOWN] = { "down", "%H" },
	[REASON_RESTING] = { "resting", "%H" },
	[REASON_LAST_RESORT] = { "last_resort", "%H; tried because nothing better is left" },
};

void reasons_add(struct reasons *why, enum reason_code code, const char *object, int64_t value,
		 int64_t limit)
{
	const struct reason reason = {
		.code = code, .object = object, .value = value, .limit = limit
	};

	reasons_add_reason(why, &reason);
}

void reasons_add_reason(struct reasons *why, const struct reason *reason)
{
	if (!why)
		return;
	if (why->n < REASONS_MAX)
		why->reason[why->n] = *reason;
	why->n++;
}

const char *reason_name(enum reason_code code)
{
	return (unsigned)code < REASONS ? table[code].name : "unknown";
}

static void add_health(struct buf *out, const struct reason *reason)
{
	struct health_change change = health_unpack(reason->health);
	char text[256];

	change.at_utc_us = (uint64_t)reason->value * SEC;
	change.until_utc_us = (uint64_t)reason->limit * SEC;
	buf_add_str(out, health_change_sentence(&change, 0, text, sizeof(text)));
}

static void add_part(struct buf *out, const struct reason *reason, char what)
{
	if (what == 'P' && reason->value <= 1)
		buf_add_str(out, "a second");
	else if (what == 'P')
		buf_addf(out, "in %" PRId64 " s", reason->value);
	else if (what == 'H')
		add_health(out, reason);
	else if (what == 'D')
		buf_add_str(out, reason->detail ? reason->detail : "?");
	else
		buf_addf(out, "%" PRId64, what == 'V' ? reason->value : reason->limit);
}

void reason_add_text(struct buf *out, const struct reason *reason)
{
	const char *p = (unsigned)reason->code < REASONS ? table[reason->code].text : "unknown";

	if (reason->object) {
		buf_add_str(out, reason->object);
		buf_add_str(out, ": ");
	}
	for (const char *end; *p; p = end) {
		end = strchr(p, '%');
		if (!end)
			end = p + strlen(p);
		buf_add(out, p, (size_t)(end - p));
		if (*end) {
			add_part(out, reason, end[1]);
			end += 2;
		}
	}
}

const char *reason_text(const struct reason *reason, char *dst, size_t size)
{
	char space[512];
	struct buf text = BUF_OVER(space);

	reason_add_text(&text, reason);
	span_copy(buf_span(&text), dst, size);
	return dst;
}
