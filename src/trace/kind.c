/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace/trace_int.h"

static const char *const names[TRACE_KINDS] = {
	[TRACE_MESSAGE] = "message", [TRACE_CALL] = "call",         [TRACE_ADMIT] = "admit",
	[TRACE_ROUTE] = "route",     [TRACE_DIAL] = "dial",         [TRACE_ATTEMPT] = "attempt",
	[TRACE_ANSWER] = "answer",   [TRACE_TIMER] = "timer",       [TRACE_END] = "end",
	[TRACE_GATEWAY] = "gateway", [TRACE_REGISTER] = "register", [TRACE_EVENT] = "event",
};

const char *trace_kind_name(enum trace_kind kind)
{
	return kind < TRACE_KINDS ? names[kind] : "?";
}

enum trace_kind trace_kind_of(struct span name)
{
	unsigned kind = 0;

	while (kind < TRACE_KINDS && !span_eq(name, span_of(names[kind])))
		kind++;
	return kind;
}
