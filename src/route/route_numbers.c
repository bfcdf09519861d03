/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers that a candidate is sent. */
#include "route/route.h"

static bool failed(struct reason *why, enum reason_code code,
		   const struct route_candidate *candidate, const struct rewritten *by)
{
	*why = (struct reason){ .code = code,
				.object = candidate->gateway ? candidate->gateway->name
							     : candidate->phone->number,
				.detail = by->rule ? dial_text(by->rule) : "" };
	return false;
}

bool route_numbers(const struct model *m, const struct route_candidate *candidate,
		   const struct call_request *req, unsigned attempt, struct sent_numbers *out,
		   struct reason *why)
{
	const struct model_routing *gw = candidate->gateway;
	const struct model_phone *phone = candidate->phone;
	struct rewritten *caller = &out->caller, *callee = &out->callee;
	uint64_t random = req->random + attempt;

	random = number_random(&random);
	caller->number = req->caller;
	callee->number = req->callee;
	caller->transform = NULL;
	caller->share = callee->share = NULL;
	callee->transform = gw && gw->numbers.transform ? model_transform(m, req->callee) : NULL;
	if (callee->transform && callee->transform->routing_callee)
		callee->number = span_of(callee->transform->routing_callee);
	else
		callee->transform = NULL;
	if (!rewrite_by_rules(caller, gw ? gw->numbers.caller_rules : phone->to_caller_rules,
			      random))
		return failed(why, REASON_CALLER_REWRITE, candidate, caller);
	if (!rewrite_by_rules(callee, gw ? gw->numbers.callee_rules : phone->to_callee_rules,
			      random) ||
	    !callee->number.len)
		return failed(why, REASON_CALLEE_REWRITE, candidate, callee);
	return true;
}
