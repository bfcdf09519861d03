/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number portability: before a call is routed an LRN server may be asked under which number it is to be routed (the
 * "dip"). The routing number decides where the call goes; whom it is for stays as it was, and so does what is billed. */
#include "call/call_int.h"

static void route_by(struct call *call, struct span number)
{
	const struct call_host *host = call->host;
	const struct call_request routed = { .caller = span_of(call->caller),
					     .callee = number,
					     .node = host->node,
					     .random = call->random,
					     .utc_us = host->loop->utc_us,
					     .mono_us = host->loop->now_us };

	call_route_to(call, &routed);
}

/* The record has it either way. */
static void dip_failed(struct call *call, const char *why)
{
	static const char failed[] = "failed: ";

	call->lrn = arena_printf(call->arena, "%s%s", failed, why);
	call->host->dip_stop(&call->dip); /* `why` may go with it */
	if (admit_lrn(&call->from)->failure == LRN_CONTINUE)
		route_by(call, span_of(call->callee));
	else
		call_refuse(call, END_LRN_FAILED,
			    call->lrn ? call->lrn + strlen(failed) : "the dip failed");
}

static void route_by_lrn(struct call *call, struct span number)
{
	char text[NUMBER_TEXT];
	struct span routed = admit_lrn_route(&call->from, span_of(call->callee), number, text);

	if (routed.len)
		route_by(call, routed);
	else
		dip_failed(call, "the LRN server's routing number is too long");
}

void call_dip(struct call *call)
{
	struct span number = span_skip(span_of(call->callee), admit_lrn(&call->from)->strip);
	const char *why = "nothing is left of the called number to be asked about (lrn_strip)";

	call_enter(call, STEP_DIP);
	if (number.len)
		call->dip = call->host->dip_start(call->host->arg, call, number.p, &why);
	if (!call->dip)
		dip_failed(call, why);
}

void call_on_dip(struct call *call, const struct dip_answer *answer)
{
	if (answer->failed) {
		dip_failed(call, answer->failed);
		return;
	}
	call->lrn = answer->number.len ? arena_dup(call->arena, answer->number) : "not ported";
	call->host->dip_stop(&call->dip);
	call->numbers.dipped = true;
	if (answer->number.len && call->lrn) {
		call->numbers.routing_number = call->lrn;
		route_by_lrn(call, span_of(call->lrn));
	} else {
		route_by(call, span_of(call->callee));
	}
}
