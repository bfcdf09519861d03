/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A running trace's readers ask its archive. */
#include "trace/trace_int.h"

int trace_find(struct trace *trace, const struct trace_query *query,
	       void (*each)(void *arg, const struct trace_call *call), void *arg)
{
	return archive_find(trace_archive(trace), query, each, arg);
}

int trace_read_call(struct trace *trace, uint64_t call, struct trace_reading **out)
{
	return archive_read_call(trace_archive(trace), call, out);
}

int trace_read_sip(struct trace *trace, struct span sip_call_id, struct trace_reading **out)
{
	return archive_read_sip(trace_archive(trace), sip_call_id, out);
}

int trace_read_object(struct trace *trace, struct span object, uint64_t from_us, unsigned limit,
		      struct trace_reading **out)
{
	return archive_read_object(trace_archive(trace), object, from_us, limit, out);
}

int trace_pin(struct trace *trace, uint64_t call, bool pin)
{
	return archive_pin(trace_archive(trace), call, pin);
}
