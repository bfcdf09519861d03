/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan: a local phone alone; else every gateway with a matching prefix, once, by its longest, and the
 * best ROUTE_MAX of them in order. Lines in use are read once per gateway, so that the order is sound even
 * while calls come and go. */
#include "route/route.h"

#include <stdio.h>

struct ranked {
	struct route_candidate candidate;
	int64_t lines, limit;
};
struct planning {
	const struct model *m;
	const struct call_request *req;
	struct reasons *why;
	unsigned n, matched, locked; /* kept; considered; of those barred */
	unsigned unregistered; /* of those not registered */
	struct ranked best[ROUTE_MAX];
};

#define NO_LIMIT INT32_MAX

/* Below zero when `a` goes before `b`. Without a limit the usage counts as that of a very large one: such gateways
 * share calls among themselves and go before those that fill up. */
static int compare(const struct ranked *a, const struct ranked *b)
{
	const struct model_routing *x = a->candidate.gateway, *y = b->candidate.gateway;
	int64_t usage_a = a->lines * b->limit, usage_b = b->lines * a->limit;

	if (x->protect != y->protect)
		return x->protect ? 1 : -1;
	if (a->candidate.matched != b->candidate.matched)
		return a->candidate.matched > b->candidate.matched ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (usage_a != usage_b)
		return usage_a < usage_b ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Longer matches come first, so a gateway that stands here already stands with its longest. */
static bool kept_already(const struct planning *p, const struct model_routing *gw)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->best[i].candidate.gateway == gw)
			return true;
	return false;
}

static bool reasoned_already(const struct reasons *why, const char *name)
{
	for (unsigned i = 0; why && i < why->n && i < REASONS_MAX; i++)
		if (why->reason[i].object == name)
			return true;
	return false;
}

static void keep(struct planning *p, const struct ranked *new)
{
	unsigned at = p->n;

	if (p->n == ROUTE_MAX && compare(new, &p->best[ROUTE_MAX - 1]) >= 0)
		return;
	if (p->n == ROUTE_MAX)
		at--;
	else
		p->n++;
	for (; at > 0 && compare(new, &p->best[at - 1]) < 0; at--)
		p->best[at] = p->best[at - 1];
	p->best[at] = *new;
}

/* Why this gateway cannot take the call now; REASON_CHOSEN when it can. */
static struct reason usable(const struct model_routing *gw, int64_t lines, uint64_t mono_us)
{
	if (gw->locked)
		return (struct reason){ REASON_LOCKED, gw->name, 0, 0 };
	if (gw->account && gw->account->locked)
		return (struct reason){ REASON_ACCOUNT_LOCKED, gw->name, 0, 0 };
	if (gw->reg.type == REGISTER_DYNAMIC &&
	    !registration_is_live(load_registration(gw->load), mono_us))
		return (struct reason){ REASON_NOT_REGISTERED, gw->name, 0, 0 };
	if (gw->limits.line_limit && lines >= gw->limits.line_limit)
		return (struct reason){ REASON_LINE_LIMIT, gw->name, lines, gw->limits.line_limit };
	if (!load_has_rate(gw->load, gw->limits.rate_limit, mono_us))
		return (struct reason){ REASON_RATE_LIMIT, gw->name, 0, gw->limits.rate_limit };
	return (struct reason){ REASON_CHOSEN, gw->name, 0, 0 };
}

/* Calling again soon would not help. */
static bool bars(enum reason_code code)
{
	return code == REASON_LOCKED || code == REASON_ACCOUNT_LOCKED ||
	       (code >= REASON_CALLER_FORBIDDEN && code <= REASON_CALLEE_BLACKLISTED);
}

static bool consider(void *arg, const struct model_routing *gw, unsigned matched)
{
	struct planning *p = arg;
	int64_t lines = atomic_load_explicit(&gw->load->lines, memory_order_relaxed);
	struct ranked new = { { gw, NULL, matched },
			      lines,
			      gw->limits.line_limit ? gw->limits.line_limit : NO_LIMIT };
	struct reason reason;

	if (kept_already(p, gw))
		return true;
	reason = usable(gw, lines, p->req->mono_us);
	if (reason.code == REASON_CHOSEN)
		reason = admit_numbers(&gw->numbers, p->req->caller, p->req->callee);
	reason.object = gw->name;
	if (reason.code == REASON_CHOSEN) {
		p->matched++;
		keep(p, &new);
		return true;
	}
	p->matched++;
	p->locked += bars(reason.code);
	p->unregistered += reason.code == REASON_NOT_REGISTERED;
	if (!reasoned_already(p->why, gw->name))
		reasons_add_reason(p->why, &reason);
	return true;
}

static bool phone_online(const struct model_phone *phone, uint64_t mono_us)
{
	return phone->reg.type == REGISTER_STATIC ||
	       registration_is_live(load_registration(phone->load), mono_us);
}

static enum route_verdict plan_phone(const struct model_phone *phone,
				     const struct call_request *req, struct route_plan *plan_out,
				     struct reasons *why)
{
	int lines = atomic_load_explicit(&phone->load->lines, memory_order_relaxed);

	if (phone->locked || !phone_online(phone, req->mono_us)) {
		reasons_add(why, phone->locked ? REASON_LOCKED : REASON_NOT_REGISTERED,
			    phone->number, 0, 0);
		return ROUTE_NOT_REGISTERED;
	}
	if (phone->limits.line_limit && lines >= phone->limits.line_limit) {
		reasons_add(why, REASON_LINE_LIMIT, phone->number, lines, phone->limits.line_limit);
		return ROUTE_ALL_BUSY;
	}
	plan_out->candidate[plan_out->n++] =
		(struct route_candidate){ NULL, phone, (unsigned)req->callee.len };
	reasons_add(why, REASON_CHOSEN, phone->number, 0, 0);
	return ROUTE_OK;
}

/* max_attempts cuts the plan when the calls are made (route_may_go_on); here the rest is only named. */
static void explain_kept(const struct planning *p)
{
	uint64_t most = p->m->params.max_attempts;

	for (unsigned i = 0; i < p->n; i++) {
		const struct model_routing *gw = p->best[i].candidate.gateway;

		if (most && i >= most)
			reasons_add(p->why, REASON_ATTEMPT_LIMIT, gw->name, (int64_t)most,
				    (int64_t)most);
		else
			reasons_add(p->why, gw->protect ? REASON_PROTECT : REASON_CHOSEN, gw->name,
				    0, 0);
	}
}

enum route_verdict route_plan(const struct model *m, const struct call_request *req,
			      const struct admit_result *from, struct route_plan *plan_out,
			      struct reasons *why)
{
	const struct model_phone *phone = model_phone(m, req->callee);
	struct planning p = { .m = m, .req = req, .why = why, .n = 0 };

	plan_out->n = 0;
	if (why)
		why->n = 0;
	if (phone)
		return plan_phone(phone, req, plan_out, why);
	model_routings_for(m, req->callee, consider, &p);
	explain_kept(&p);
	for (unsigned i = 0; i < p.n; i++)
		plan_out->candidate[i] = p.best[i].candidate;
	plan_out->n = p.n;
	if (p.n)
		return ROUTE_OK;
	if (p.matched > p.locked + p.unregistered)
		return ROUTE_ALL_BUSY;
	return p.unregistered ? ROUTE_GATEWAYS_NOT_REGISTERED : ROUTE_NONE;
}

/* ---- attempts ------------------------------------------------------------------------------ */

bool route_take(const struct route_candidate *candidate, uint64_t mono_us, struct reason *why)
{
	const struct model_routing *gw = candidate->gateway;
	struct load *load = gw ? gw->load : candidate->phone->load;
	const char *name = gw ? gw->name : candidate->phone->number;
	int limit = gw ? gw->limits.line_limit : candidate->phone->limits.line_limit;
	uint32_t rate = gw ? gw->limits.rate_limit : 0;

	if (!load_take_line(load, limit)) {
		*why = (struct reason){ REASON_LINE_LIMIT, name,
					atomic_load_explicit(&load->lines, memory_order_relaxed),
					limit };
		return false;
	}
	if (!load_take_rate(load, rate, mono_us)) {
		load_give_line(load);
		*why = (struct reason){ REASON_RATE_LIMIT, name, 0, rate };
		return false;
	}
	load_count_call(load, 0);
	return true;
}

void route_give(const struct route_candidate *candidate)
{
	load_give_line(candidate->gateway ? candidate->gateway->load : candidate->phone->load);
}
