/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of calls: what their CALL and END notes say, and what people ask of them. */
#include "trace/archive_int.h"

/* In the order in which notes have them and strings hold them; numbers at both ends. */
enum {
	ROW_STARTED,
	ROW_ANSWERED,
	ROW_ENDED,
	ROW_FIRST_STRING,
	ROW_SIP_STATUS = ROW_FIRST_STRING + ROW_STRINGS - 1,
	ROW_NAMES
};
static const char *const row_names[ROW_NAMES] = {
	"started",         "answered",   "ended",          "caller",      "callee",
	"caller_in",       "callee_in",  "caller_out",     "callee_out",  "mapping_gateway",
	"routing_gateway", "account",    "vendor_account", "caller_addr", "callee_addr",
	"end_code",        "sip_status",
};

/* Bytes that a string cannot hold end it. */
static size_t add_string(char *to, struct span s)
{
	s = span_head(s, span_find(s, '\0'));
	if (s.len)
		memcpy(to, s.p, s.len);
	to[s.len] = '\0';
	return s.len + 1;
}

static uint64_t number_of(struct span value)
{
	uint64_t number = 0;

	span_to_u64(value, &number);
	return number;
}

/* Each field's name is looked for from where the one before was found. */
static void sort_fields(struct span values[ROW_NAMES], const struct trace_entry *entry)
{
	unsigned at = 0;

	memset(values, 0, ROW_NAMES * sizeof(values[0]));
	for (unsigned i = 0; i < entry->n_fields; i++) {
		unsigned tried = 0;

		for (; tried < ROW_NAMES && strcmp(row_names[at], entry->fields[i].name) != 0;
		     tried++)
			at = (at + 1) % ROW_NAMES;
		if (tried < ROW_NAMES && !values[at].p)
			values[at] = entry->fields[i].value;
	}
}

void row_of_entry(struct call_row *row_out, const struct trace_entry *entry, char *strings)
{
	struct span values[ROW_NAMES];
	size_t len = 0;

	sort_fields(values, entry);
	*row_out = (struct call_row){
		.call = entry->call,
		.started_us = number_of(values[ROW_STARTED]),
		.answered_us = number_of(values[ROW_ANSWERED]),
		.ended_us = number_of(values[ROW_ENDED]),
		.sip_status = (uint32_t)number_of(values[ROW_SIP_STATUS]),
		.ended = entry->kind == TRACE_END,
	};
	if (!row_out->started_us)
		row_out->started_us = entry->utc_us;
	if (row_out->ended && !row_out->ended_us)
		row_out->ended_us = entry->utc_us;
	for (unsigned i = 0; i < ROW_STRINGS - 1; i++)
		len += add_string(strings + len, values[ROW_FIRST_STRING + i]);
	len += add_string(strings + len, entry->text);
	row_out->strings_len = (uint32_t)len;
}

bool row_to_call(struct trace_call *out, const struct call_row *row, const char *strings)
{
	struct span rest = { strings, row->strings_len }, s;
	const char *at[ROW_STRINGS];

	for (unsigned i = 0; i < ROW_STRINGS; i++) {
		at[i] = rest.p;
		if (!span_cut(rest, '\0', &s, &rest))
			return false;
	}
	*out = (struct trace_call){
		.call = row->call,
		.started_us = row->started_us,
		.answered_us = row->answered_us,
		.ended_us = row->ended_us,
		.sip_status = (uint16_t)row->sip_status,
		.caller = at[0],
		.callee = at[1],
		.caller_in = at[2],
		.callee_in = at[3],
		.caller_out = at[4],
		.callee_out = at[5],
		.mapping_gateway = at[6],
		.routing_gateway = at[7],
		.account = at[8],
		.vendor_account = at[9],
		.caller_addr = at[10],
		.callee_addr = at[11],
		.end_code = at[12],
		.text = at[13],
	};
	return true;
}

bool end_code_failed(struct span end_code)
{
	return !span_eq(end_code, SPAN("NORMAL"));
}

static bool number_is(const char *have, struct span wanted)
{
	struct span s = span_of(have);

	if (span_starts(s, SPAN("+")))
		s = span_skip(s, 1);
	return span_starts(s, wanted) ||
	       (s.len >= wanted.len && span_eq(span_skip(s, s.len - wanted.len), wanted));
}

static bool number_matches(const struct trace_call *c, struct span number)
{
	const char *const numbers[] = { c->caller,    c->callee,     c->caller_in,
					c->callee_in, c->caller_out, c->callee_out };

	if (span_starts(number, SPAN("+")))
		number = span_skip(number, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i][0] && number_is(numbers[i], number))
			return true;
	return false;
}

/* "[2001:db8::1]:5060" is the address "2001:db8::1", with or without brackets and port. */
static bool address_is(const char *have, struct span wanted)
{
	struct span s = span_of(have), host = s;

	if (!s.len)
		return false;
	if (span_eq(s, wanted))
		return true;
	if (s.p[0] == '[') {
		host = span_head(span_skip(s, 1), span_find(s, ']') - 1);
		return span_ieq(host, wanted) ||
		       span_ieq(span_head(s, span_find(s, ']') + 1), wanted);
	}
	return span_eq(span_head(s, span_find(s, ':')), wanted);
}

static bool one_is(const char *a, const char *b, struct span wanted)
{
	return !wanted.len || span_eq(span_of(a), wanted) || span_eq(span_of(b), wanted);
}

bool row_matches(const struct call_row *row, const struct trace_query *q)
{
	return (!q->to_us || row->started_us <= q->to_us) &&
	       (!q->from_us || !row->ended_us || row->ended_us >= q->from_us) &&
	       (!q->call || row->call == q->call) &&
	       (!q->before_call || row->call < q->before_call);
}

bool row_strings_match(const struct trace_call *c, const struct trace_query *q)
{
	if (q->failed_only && (!c->end_code[0] || !end_code_failed(span_of(c->end_code))))
		return false;
	return (!q->number.len || number_matches(c, q->number)) &&
	       one_is(c->mapping_gateway, c->routing_gateway, q->gateway) &&
	       one_is(c->account, c->vendor_account, q->account) &&
	       one_is(c->end_code, c->end_code, q->end_code) &&
	       (!q->address.len || address_is(c->caller_addr, q->address) ||
		address_is(c->callee_addr, q->address));
}
