/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the edge tells the trace: where an attempt was sent, and what became of registrations. */
#include "edge/edge_outbound.h"
#include "edge/edge_register.h"

static struct trace_lane *lane_of(const struct edge *edge)
{
	return edge->config.host->trace;
}

uint64_t edge_trace_now(const struct edge *edge)
{
	return trace_wants(lane_of(edge)) ? clock_utc_us() : 0;
}

void edge_trace_dialled(struct sip_leg *leg, uint64_t utc_us)
{
	char address[NET_ADDR_TEXT];
	struct leg_dialled dialled = { .utc_us = utc_us,
				       .caller = leg->caller_out,
				       .callee = leg->number_out };

	if (!utc_us)
		return;
	dialled.sip_call_id = sip_session_call_id(leg->session);
	dialled.address = net_addr_format(&leg->flow.peer, address);
	call_on_dialled(&leg->base, &dialled);
}

static void tell(const struct edge *edge, struct span user, struct span call_id, int status,
		 const char *code, const char *text)
{
	char digits[16];
	struct trace_field fields[2];
	struct trace_note note = { .kind = TRACE_REGISTER,
				   .sip_call_id = call_id,
				   .object = user,
				   .text = span_of(text),
				   .fields = fields };

	if (code)
		fields[note.n_fields++] = (struct trace_field){ "end_code", span_of(code) };
	if (status) {
		fmt_print(digits, sizeof(digits), "%d", status);
		fields[note.n_fields++] = (struct trace_field){ "sip_status", span_of(digits) };
	}
	trace_note(lane_of(edge), &note);
}

void edge_trace_register(const struct edge *edge, const struct register_event *event,
			 const char *sentence)
{
	char text[320];

	if (!trace_wants(lane_of(edge)))
		return;
	fmt_print(text, sizeof(text), event->detail[0] ? "%s %s" : "%s", sentence, event->detail);
	tell(edge, span_of(event->user), span_of(event->call_id), event->status,
	     edge_register_reason_name((enum register_reason)event->reason), text);
}

void edge_trace_outbound(const struct outbound *o, int status, const char *text)
{
	if (trace_wants(lane_of(o->owner->edge)))
		tell(o->owner->edge, span_of(o->gateway), span_of(o->call_id), status, NULL, text);
}
