/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a gateway's health means for the plan. */
#include "route/route_int.h"

static struct reason unfit(const struct call_request *req, const struct model_routing *gw,
			   const struct health_view *view)
{
	static const enum reason_code codes[] = { [HEALTH_TRYING] = REASON_TRYING,
						  [HEALTH_DOWN] = REASON_DOWN,
						  [HEALTH_RESTING] = REASON_RESTING };
	struct health_change changes[HEALTH_CHANGES] = { 0 };
	struct reason why = { .code = codes[view->state], .object = gw->name };

	health_changes(gw->health, changes);
	why.value = (int64_t)(changes[0].at_utc_us / SEC);
	if (view->until_us > req->mono_us)
		why.limit = (int64_t)((req->utc_us + (view->until_us - req->mono_us)) / SEC);
	why.health = health_pack(&changes[0]);
	return why;
}

bool route_is_fit(const struct call_request *req, const struct model_routing *gw,
		  struct reason *why)
{
	struct health_view view = health_at(gw, req->mono_us);

	if (view.state == HEALTH_UP || (view.state == HEALTH_TRYING && !view.trial))
		return true;
	*why = unfit(req, gw, &view);
	return false;
}

/* One call at a time: while one tries it, it is nobody's resort. */
bool route_may_resort_to(const struct call_request *req, const struct model_routing *gw,
			 const struct reason *why)
{
	return why->code == REASON_DOWN && !health_at(gw, req->mono_us).trial;
}
