/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who serves a call at all, as the configuration has it: node, groups open to the caller, pairs of numbers, its
 * schedule and what else restricts numbers. A gateway that does not is not there for this call; its prefix style does not count either. */
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

/* What keeps it may be: its node, pairs, schedule or numbers. */
static struct reason restriction(const struct model *m, const struct call_request *req,
				 const struct model_routing *gw)
{
	if (gw->node && (!req->node || strcmp(gw->node, req->node) != 0))
		return (struct reason){ .code = REASON_NODE };
	if (gw->n_pairs && pair_fits(req, gw) != gw->pairs_allow)
		return (struct reason){ .code = REASON_PAIR };
	if (gw->n_scheduled_prefixes &&
	    admit_schedule(gw->scheduled_prefixes, gw->n_scheduled_prefixes,
			   model_zone(m, gw->account), req->caller, req->callee,
			   req->utc_us) != REASON_CHOSEN)
		return (struct reason){ .code = REASON_TIME };
	return admit_numbers(m, &gw->numbers, req->caller, req->callee);
}

bool route_serves(const struct model *m, const struct call_request *req,
		  const struct model_routes *caller, const struct model_routing *gw,
		  struct reason *why)
{
	if (caller && caller->n_groups && in_a_group(caller, gw) != caller->allow) {
		*why = (struct reason){ REASON_GROUP, gw->name, 0, 0 };
		return false;
	}
	if (!gw->restricted)
		return true;
	*why = restriction(m, req, gw);
	why->object = gw->name;
	return why->code == REASON_CHOSEN;
}
