/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reasons: one table of names and sentences; %V is the value, %L the limit. */
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
	[REASON_NEEDS_DIGEST] = { "needs_digest", "credentials are needed" },
	[REASON_WRONG_DIGEST_SOURCE] = { "wrong_digest_source",
					 "credentials are right, but the source is not listed" },
	[REASON_ADDRESS_LIST] = { "address_list", "an address list forbids the source's address" },
	[REASON_NO_NUMBER] = { "no_number", "the request names no number" },
	[REASON_LINE_LIMIT] = { "line_limit", "line limit reached, %V of %L in use" },
	[REASON_RATE_LIMIT] = { "rate_limit", "rate limit reached, %L calls a second" },
	[REASON_SYSTEM_LINES] = { "system_lines", "max_calls reached, %V of %L in use" },
	[REASON_SYSTEM_RATE] = { "system_rate", "max_cps reached, %L calls a second" },
	[REASON_PREFIX] = { "prefix", "no prefix of it begins the number" },
	[REASON_PROTECT] = { "protect", "kept for when all others have failed" },
	[REASON_SAME_PEER] = { "same_peer", "is the peer that the call comes from" },
	[REASON_ATTEMPT_LIMIT] = { "attempt_limit",
				   "not tried after %V attempts, the limit is %L" },
	[REASON_NOT_REGISTERED] = { "not_registered", "not registered" },
	[REASON_NO_CODEC] = { "no_codec", "no codec in common" },
};

void reasons_add(struct reasons *why, enum reason_code code, const char *object, int64_t value,
		 int64_t limit)
{
	if (!why)
		return;
	if (why->n < REASONS_MAX)
		why->reason[why->n] = (struct reason){ code, object, value, limit };
	why->n++;
}

const char *reason_name(enum reason_code code)
{
	return (unsigned)code < REASONS ? table[code].name : "unknown";
}

const char *reason_text(const struct reason *reason, char *dst, size_t size)
{
	struct buf text = BUF_INIT(512);
	const char *p = (unsigned)reason->code < REASONS ? table[reason->code].text : "unknown";

	if (reason->object)
		buf_addf(&text, "%s: ", reason->object);
	for (; *p; p++) {
		if (p[0] == '%' && (p[1] == 'V' || p[1] == 'L'))
			buf_addf(&text, "%" PRId64, *++p == 'V' ? reason->value : reason->limit);
		else
			buf_add_char(&text, *p);
	}
	span_copy(buf_span(&text), dst, size);
	buf_free(&text);
	return dst;
}
