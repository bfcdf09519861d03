/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers that a candidate is sent. */
#include "route/route.h"

static bool failed(struct reason *why, enum reason_code code,
		   const struct route_candidate *candidate, const struct rewritten *by)
{
	*why = (struct reason){ .code = code,
				.object = candidate->gateway ? candidate->gateway->name
							     : candidate->phone->number,
				.detail = by->rule   ? dial_text(by->rule)
					  : by->area ? by->area->code
						     : "" };
	return false;
}

static bool from_pool(const struct model *m, const struct model_routing *gw, uint64_t random,
		      bool take, struct sent_numbers *out, struct reason *why)
{
	const struct model_number_group *group = gw->caller_pool;
	uint64_t start = random;

	if (m->params.caller_pool_in_turn && take)
		start = pool_turn(group->pool);
	out->pool_place = take ? pool_take(group->pool, start, gw->caller_pool_reuse)
			       : pool_look(group->pool, start, gw->caller_pool_reuse);
	if (out->pool_place < 0) {
		*why = (struct reason){ .code = REASON_CALLER_POOL,
					.object = gw->name,
					.limit = gw->caller_pool_reuse,
					.detail = group->name };
		return false;
	}
	out->caller.number = number_set_at(group->numbers, (unsigned)out->pool_place);
	out->caller.pool = group;
	return true;
}

static struct model_rules rules_of(const struct model *m, const struct route_candidate *candidate,
				   uint64_t utc_us)
{
	const struct model_routing *gw = candidate->gateway;
	const struct model_phone *phone = candidate->phone;

	if (gw)
		return model_rules(&gw->numbers, model_zone(m, gw->account), utc_us);
	return model_rules_to(phone, model_zone(m, phone->account), utc_us);
}

static bool callee_to(const struct model *m, const struct route_candidate *candidate,
		      const struct dial_rules *rules, uint64_t random, struct rewritten *callee)
{
	const struct model_routing *gw = candidate->gateway;
	const struct model_transform *row =
		gw && gw->numbers.transform ? model_transform(m, callee->number) : NULL;

	if (row && row->routing_callee) {
		callee->number = span_of(row->routing_callee);
		callee->transform = row;
	}
	return rewrite_by_rules(callee, rules, random) && callee->number.len &&
	       (!gw || rewrite_area_code(m, &gw->numbers.add_area_code, callee));
}

static void begin(struct rewritten *out, struct span number)
{
	out->number = number;
	out->transform = NULL;
	out->rule = NULL;
	out->area = NULL;
	out->share = NULL;
	out->pool = NULL;
	out->display = NULL;
}

/* The number that a phone shows instead of its own, where the gateway wants it. */
static void show_display(struct rewritten *caller, const struct route_candidate *candidate,
			 const struct model_phone *phone)
{
	if (!phone || !phone->display || (candidate->gateway && !candidate->gateway->phone_display))
		return;
	caller->number = span_of(phone->display);
	caller->display = phone;
}

/* The pool last: what is taken must not be lost on the way. */
bool route_numbers(const struct model *m, const struct route_candidate *candidate,
		   const struct call_request *req, const struct admit_result *from,
		   unsigned attempt, bool take, struct sent_numbers *out, struct reason *why)
{
	const struct model_routing *gw = candidate->gateway;
	struct model_rules rules = rules_of(m, candidate, req->utc_us);
	uint64_t random = req->random + attempt;

	random = number_random(&random);
	out->pool_place = -1;
	begin(&out->caller, req->caller);
	show_display(&out->caller, candidate, admit_phone(from));
	begin(&out->callee, req->callee);
	if (!callee_to(m, candidate, rules.callee, random, &out->callee))
		return failed(why, REASON_CALLEE_REWRITE, candidate, &out->callee);
	if (gw && gw->caller_pool)
		return from_pool(m, gw, random, take, out, why);
	return rewrite_by_rules(&out->caller, rules.caller, random) ||
	       failed(why, REASON_CALLER_REWRITE, candidate, &out->caller);
}

void route_give_number(const struct route_candidate *candidate, int64_t pool_place)
{
	if (pool_place >= 0)
		pool_give(candidate->gateway->caller_pool->pool, pool_place);
}
