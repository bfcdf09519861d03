/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What calls tell the trace: who called, which gateways were thought of, what became of each attempt, which timer ran out
 * and why it was over. Whatever a record says, the trace says in its place between the messages. */
#include "call/call_int.h"

/* A note in the making; what it holds is lent. */
struct telling {
	struct trace_note note;
	struct trace_field fields[TRACE_FIELDS_MAX];
	char digits[TRACE_FIELDS_MAX][24];
};

static bool tells(const struct call_host *host)
{
	return trace_wants(host->trace);
}

static void begin(struct telling *t, enum trace_kind kind, uint64_t call)
{
	t->note = (struct trace_note){ .kind = kind, .call = call, .fields = t->fields };
}

static void add_span(struct telling *t, const char *name, struct span value)
{
	if (!value.len)
		return;
	assert(t->note.n_fields < TRACE_FIELDS_MAX);
	t->fields[t->note.n_fields++] = (struct trace_field){ name, value };
}

static void add(struct telling *t, const char *name, const char *value)
{
	add_span(t, name, span_of(value));
}

static void add_number(struct telling *t, const char *name, uint64_t value)
{
	char *digits = t->digits[t->note.n_fields];

	if (value) {
		add_span(t, name, (struct span){ digits, fmt_u64(digits, value) });
	}
}

static void tell(const struct call_host *host, struct telling *t)
{
	trace_note(host->trace, &t->note);
}

/* ---- a call comes ----------------------------------------------------------------------------- */

void call_trace_challenge(const struct call_host *host, const struct call_arrival *arrival,
			  const struct reasons *why)
{
	struct telling t;
	char text[192] = "credentials are asked for";

	if (!tells(host))
		return;
	begin(&t, TRACE_ADMIT, 0);
	if (why->n)
		reason_text(&why->reason[why->n - 1], text, sizeof(text));
	t.note.leg = 'a';
	t.note.sip_call_id = arrival->sip_call_id;
	t.note.text = span_of(text);
	tell(host, &t);
}

void call_trace_came(const struct call *call, const struct call_arrival *arrival,
		     const struct reasons *why)
{
	const struct admit_result *from = &call->from;
	struct telling t;
	struct cdr seen = { 0 };
	char text[192] = "";

	if (!tells(call->host))
		return;
	call->a->ops->describe(call->a, &seen, false);
	begin(&t, TRACE_CALL, call->id);
	if (why->n)
		reason_text(&why->reason[why->n - 1], text, sizeof(text));
	t.note.leg = 'a';
	t.note.sip_call_id = arrival->sip_call_id;
	t.note.text = span_of(text);
	add_number(&t, "started", call->started_us);
	add(&t, "caller_in", call->caller_in);
	add(&t, "callee_in", call->callee_in);
	add(&t, "mapping_gateway",
	    from->mapping ? from->mapping->name
	    : from->phone ? from->phone->number
			  : NULL);
	add(&t, "account", from->account ? from->account->name : NULL);
	add(&t, "caller_addr", seen.caller_addr);
	tell(call->host, &t);
}

/* ---- decisions -------------------------------------------------------------------------------- */

void call_trace_route(const struct call *call)
{
	struct telling t;

	if (!tells(call->host))
		return;
	begin(&t, TRACE_ROUTE, call->id);
	t.note.text = call->candidates_text ? span_of(call->candidates_text)
					    : SPAN("no routing gateway serves this number");
	add(&t, "caller", call->caller);
	add(&t, "callee", call->callee);
	tell(call->host, &t);
}

void call_trace_skipped(const struct call *call, const struct route_candidate *candidate,
			struct span why)
{
	struct telling t;

	if (!tells(call->host))
		return;
	begin(&t, TRACE_ROUTE, call->id);
	t.note.object =
		span_of(candidate->gateway ? candidate->gateway->name : candidate->phone->number);
	t.note.text = why;
	tell(call->host, &t);
}

void call_trace_timer(const struct call *call, const char *timer, const char *text)
{
	struct telling t;

	if (!tells(call->host))
		return;
	begin(&t, TRACE_TIMER, call->id);
	t.note.attempt = (uint8_t)call->attempt.number;
	t.note.object = span_of(timer);
	t.note.text = span_of(text);
	tell(call->host, &t);
}

void call_on_dialled(struct leg *leg, const struct leg_dialled *dialled)
{
	const struct call *call = leg->call;
	struct telling t;
	char text[256];

	if (!call || !tells(call->host))
		return;
	begin(&t, TRACE_DIAL, call->id);
	fmt_print(text, sizeof(text), "attempt %u: %s at %s, %s calls %s", call->attempt.number,
		  call->last_gateway, dialled->address, dialled->caller, dialled->callee);
	t.note.text = span_of(text);
	t.note.leg = 'b';
	t.note.attempt = (uint8_t)call->attempt.number;
	t.note.utc_us = dialled->utc_us;
	t.note.sip_call_id = dialled->sip_call_id;
	t.note.object = span_of(call->last_gateway);
	add(&t, "caller_out", dialled->caller);
	add(&t, "callee_out", dialled->callee);
	add(&t, "callee_addr", dialled->address);
	tell(call->host, &t);
}

/* ---- what a record says ------------------------------------------------------------------------ */

static void add_record(struct telling *t, const struct cdr *cdr)
{
	add_number(t, "started", cdr->started);
	add_number(t, "answered", cdr->answered);
	add_number(t, "ended", cdr->ended);
	add(t, "caller", cdr->caller);
	add(t, "callee", cdr->callee);
	add(t, "caller_in", cdr->caller_in);
	add(t, "callee_in", cdr->callee_in);
	add(t, "caller_out", cdr->caller_out);
	add(t, "callee_out", cdr->callee_out);
	add(t, "mapping_gateway", cdr->mapping_gateway);
	add(t, "routing_gateway", cdr->routing_gateway);
	add(t, "account", cdr->account);
	add(t, "vendor_account", cdr->vendor_account);
	add(t, "caller_addr", cdr->caller_addr);
	add(t, "callee_addr", cdr->callee_addr);
}

static void add_end(struct telling *t, const struct cdr *cdr)
{
	add(t, "end_code", cdr->end_code);
	add(t, "end_side", cdr->end_side);
	add_number(t, "sip_status", cdr->sip_status);
	t->note.text = span_of(cdr->end_text);
}

void call_trace_record(const struct call_host *host, enum cdr_kind kind, const struct cdr *cdr)
{
	struct telling t;

	/* The attempt that was answered ends with its call. */
	if (!tells(host) || (kind == CDR_ATTEMPT && cdr->answered))
		return;
	begin(&t,
	      kind == CDR_END      ? TRACE_END
	      : kind == CDR_ANSWER ? TRACE_ANSWER
				   : TRACE_ATTEMPT,
	      cdr->call_id);
	if (kind == CDR_END) {
		t.note.sip_call_id = span_of(cdr->caller_call_id);
		t.note.leg = 'a';
		add_record(&t, cdr);
	} else {
		t.note.leg = 'b';
		t.note.attempt = (uint8_t)(kind == CDR_ANSWER ? cdr->attempts : cdr->attempt);
		t.note.object = span_of(cdr->routing_gateway);
	}
	if (kind == CDR_ANSWER)
		t.note.text = SPAN("answered");
	else
		add_end(&t, cdr);
	tell(host, &t);
}
