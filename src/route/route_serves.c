/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who serves a call at all, as the configuration has it: node, groups open to the caller, pairs of numbers and what
 * else restricts them. A gateway that does not is not there for this call; its prefix style does not count either. */
#include "route/route_int.h"

const struct model_routes *route_caller(const struct admit_result *from)
{
	return from->mapping ? &from->mapping->routes : from->phone ? &from->phone->routes : NULL;
}

static bool in_a_group(const struct model_routes *caller, const struct model_routing *gw)
{
	for (unsigned i = 0; i < gw->n_groups; i++)
		for (unsigned j = 0; j < caller->n_groups; j++)
			if (gw->groups[i] == caller->groups[j])
				return true;
	return false;
}

static bool pair_fits(const struct call_request *req, const struct model_routing *gw)
{
	for (unsigned i = 0; i < gw->n_pairs; i++)
		if (span_starts(req->caller, span_of(gw->pairs[i].caller)) &&
		    span_starts(req->callee, span_of(gw->pairs[i].callee)))
			return true;
	return false;
}

struct reason route_serves(const struct call_request *req, const struct model_routes *caller,
			   const struct model_routing *gw)
{
	struct reason reason = { REASON_CHOSEN, gw->name, 0, 0 };

	if (gw->node && (!req->node || strcmp(gw->node, req->node) != 0))
		reason.code = REASON_NODE;
	else if (caller && caller->n_groups && in_a_group(caller, gw) != caller->allow)
		reason.code = REASON_GROUP;
	else if (gw->n_pairs && pair_fits(req, gw) != gw->pairs_allow)
		reason.code = REASON_PAIR;
	else
		reason = admit_numbers(&gw->numbers, req->caller, req->callee);
	reason.object = gw->name;
	return reason;
}
