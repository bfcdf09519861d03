/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan: a local phone alone, if it is registered or no gateway may stand for it; else every gateway with a
 * matching prefix, once, by its longest, and the best ROUTE_MAX of them in order. What a gateway is ordered by is read once, so that the order is sound even while
 * calls come and go. */
#include "route/route_int.h"

/* What keeps a gateway from a call: something that may soon be over, its health, that it is not registered, or something
 * that holds however long the caller waits. */
enum obstacle { PASSING, UNFIT, UNREGISTERED, LASTING, OBSTACLES };
static const uint8_t obstacles[REASONS] = {
	[REASON_TRYING] = UNFIT,
	[REASON_DOWN] = UNFIT,
	[REASON_RESTING] = UNFIT,
	[REASON_UNREACHABLE] = UNFIT,
	[REASON_NOT_REGISTERED] = UNREGISTERED,
	[REASON_LOCKED] = LASTING,
	[REASON_ACCOUNT_LOCKED] = LASTING,
	[REASON_ACCOUNT_EXPIRED] = LASTING,
	[REASON_NODE] = LASTING,
	[REASON_GROUP] = LASTING,
	[REASON_PAIR] = LASTING,
	[REASON_TIME] = LASTING,
	[REASON_TERMINATED] = LASTING,
	[REASON_CALLER_FORBIDDEN... REASON_CALLEE_BLACKLISTED] = LASTING,
};

struct planning {
	const struct model *m;
	const struct call_request *req;
	const struct model_routes *caller;
	bool any_group; /* the caller may use gateways whatever groups they are in */
	struct reasons *why;
	struct sort_chain chain;
	unsigned obstacles[OBSTACLES]; /* gateways that have met each */
	unsigned ends_at; /* digits: shorter prefixes are not reached */
	unsigned n_found; /* that can take the call and are not ranked yet */
	struct ranked found[RANK_MOST];
	unsigned n; /* kept */
	struct ranked best[ROUTE_MAX]; /* best first */
	struct ranked spare; /* the best of those that are down; no gateway = none is */
	uint64_t seen[MODEL_ROUTINGS_MOST / 64]; /* a bit per gateway */
};

/* Longer matches come first, so a gateway that was seen was seen with its longest. */
static bool seen_before(struct planning *p, const struct model_routing *gw)
{
	uint64_t bit = 1ull << gw->rank % 64;
	bool seen = p->seen[gw->rank / 64] & bit;

	p->seen[gw->rank / 64] |= bit;
	return seen;
}

/* Of more than a plan holds the last one goes. True: it is not the new one. */
static bool drop_last(struct planning *p, const struct ranked *new)
{
	const struct ranked *last = &p->best[ROUTE_MAX - 1];
	bool is_new = last->order < new->order;

	reasons_add(p->why, REASON_TOO_MANY, (is_new ? new : last)->gateway->name, 0, ROUTE_MAX);
	if (is_new)
		return false;
	p->n--;
	return true;
}

/* They come nearly in order (model_matches): few have to make room. */
static void keep(struct planning *p, const struct ranked *new)
{
	unsigned at;

	if (p->n == ROUTE_MAX && !drop_last(p, new))
		return;
	for (at = p->n++; at > 0 && new->order < p->best[at - 1].order; at--)
		p->best[at] = p->best[at - 1];
	p->best[at] = *new;
}

/* Each of those found takes its place. */
static void keep_found(struct planning *p)
{
	sort_rank(&p->chain, p->found, p->n_found);
	for (unsigned i = 0; i < p->n_found; i++)
		keep(p, &p->found[i]);
	p->n_found = 0;
}

/* It is down: to be tried only when nothing else is left. */
static void keep_spare(struct planning *p, struct ranked *new)
{
	sort_rank(&p->chain, new, 1);
	if (!p->spare.gateway || new->order < p->spare.order)
		p->spare = *new;
}

/* What was said of it comes first, as with all that are chosen. */
static void take_spare(const struct planning *p, struct route_plan *plan_out)
{
	const struct model_routing *spare = p->spare.gateway;
	struct reasons *why = p->why;

	plan_out->candidate[plan_out->n++] =
		(struct route_candidate){ spare, NULL, p->spare.matched, true };
	for (unsigned i = 0; why && i < why->n && i < REASONS_MAX; i++)
		if (why->reason[i].object == spare->name) {
			struct reason chosen = why->reason[i];

			why->reason[i] = why->reason[0];
			why->reason[0] = chosen;
			why->reason[0].code = REASON_LAST_RESORT;
		}
}

static bool needs_registration(const struct model *m, const struct model_routing *gw)
{
	return gw->reg.type == REGISTER_DYNAMIC ||
	       (gw->reg.type == REGISTER_OUTBOUND && m->params.outbound_required);
}

/* Can this gateway take a call now? If not, `why` says what is in the way. */
static enum reason_code offline_reason(struct load *load, uint64_t mono_us)
{
	return registration_is_live(load_registration(load), mono_us) ? REASON_UNREACHABLE
								      : REASON_NOT_REGISTERED;
}

static bool usable(const struct model *m, const struct model_routing *gw,
		   const struct call_request *req, struct reason *why)
{
	if (gw->locked)
		*why = (struct reason){ REASON_LOCKED, gw->name, 0, 0 };
	else if (gw->account && gw->account->locked)
		*why = (struct reason){ REASON_ACCOUNT_LOCKED, gw->name, 0, 0 };
	else if (model_account_expired(gw->account, req->utc_us))
		*why = (struct reason){ .code = REASON_ACCOUNT_EXPIRED,
					.object = gw->name,
					.detail = gw->account->valid_until.text };
	else if (needs_registration(m, gw) &&
		 !registration_is_reachable(load_registration(gw->load), req->mono_us))
		*why = (struct reason){ offline_reason(gw->load, req->mono_us), gw->name, 0, 0 };
	else
		return !route_is_full(m, &(struct route_candidate){ gw, NULL, 0 }, req->mono_us,
				      req->utc_us, why);
	return false;
}

/* Is it there for this call, and is its prefix reached? A terminating gateway ends the search for shorter prefixes
 * whether or not it can take the call now. */
static bool reached(struct planning *p, const struct model_routing *gw, unsigned matched,
		    struct reason *why)
{
	if (!route_serves(p->m, p->req, p->caller, gw, why))
		return false;
	if (matched < p->ends_at) {
		*why = (struct reason){ REASON_TERMINATED, gw->name, matched, p->ends_at };
		return false;
	}
	if (gw->prefix_style == PREFIX_TERMINATES)
		p->ends_at = matched;
	return true;
}

/* What most find: nothing but lines and health could be in the way, and neither is. */
static bool is_free(const struct planning *p, const struct ranked *r)
{
	const struct model_routing *gw = r->gateway;

	return gw->plain && p->any_group && r->matched >= p->ends_at &&
	       (!gw->limits.line_limit || r->lines < gw->limits.line_limit) &&
	       health_is_well(gw->health);
}

static void consider(struct planning *p, const struct model_routing *gw, unsigned matched)
{
	struct ranked *new = &p->found[p->n_found];
	struct reason reason;

	if (seen_before(p, gw))
		return;
	new->gateway = gw;
	new->matched = matched;
	new->lines = atomic_load_explicit(&gw->load->lines, memory_order_relaxed);
	if (is_free(p, new) ||
	    (reached(p, gw, matched, &reason) && usable(p->m, gw, p->req, &reason) &&
	     route_is_fit(p->req, gw, &reason))) {
		if (++p->n_found == RANK_MOST)
			keep_found(p);
		return;
	}
	p->obstacles[obstacles[reason.code]]++;
	reasons_add_reason(p->why, &reason);
	if (route_may_resort_to(p->req, gw, &reason))
		keep_spare(p, new);
}

/* What is looked at of a gateway is asked of memory ahead, then what its pointers lead to: one wait for all of them
 * instead of one for each. */
static void fetch(const struct model *m, const struct model_match *match)
{
	for (unsigned i = 0; i < match->n && i < RANK_MOST; i++) {
		const struct model_routing *gw = &m->routings[match->gateways[i]];

		__builtin_prefetch(gw);
		__builtin_prefetch(&gw->limits);
	}
	for (unsigned i = 0; i < match->n && i < RANK_MOST; i++) {
		const struct model_routing *gw = &m->routings[match->gateways[i]];

		__builtin_prefetch(gw->load);
		__builtin_prefetch(gw->health);
	}
}

static void consider_all(struct planning *p)
{
	struct model_match matches[MODEL_MATCHES_MOST];
	unsigned n = model_matches(p->m, p->req->callee, matches);

	for (unsigned i = 0; i < n; i++) {
		fetch(p->m, &matches[i]);
		for (unsigned j = 0; j < matches[i].n; j++)
			consider(p, &p->m->routings[matches[i].gateways[j]], matches[i].len);
	}
	keep_found(p);
}

static bool phone_online(const struct model_phone *phone, uint64_t mono_us)
{
	return phone->reg.type == REGISTER_STATIC ||
	       registration_is_reachable(load_registration(phone->load), mono_us);
}

static enum route_verdict plan_phone(const struct model *m, const struct model_phone *phone,
				     const struct call_request *req, struct route_plan *plan_out,
				     struct reasons *why)
{
	const struct route_candidate candidate = { NULL, phone, (unsigned)req->callee.len };
	struct reason full;

	if (phone->locked & PHONE_LOCK_INBOUND) {
		reasons_add(why, REASON_LOCKED, phone->number, 0, 0);
		return ROUTE_PHONE_LOCKED;
	}
	if (phone->do_not_disturb) {
		reasons_add(why, REASON_DO_NOT_DISTURB, phone->number, 0, 0);
		return ROUTE_DO_NOT_DISTURB;
	}
	if (!phone_online(phone, req->mono_us)) {
		enum reason_code code = offline_reason(phone->load, req->mono_us);

		reasons_add(why, code, phone->number, 0, 0);
		return code == REASON_UNREACHABLE ? ROUTE_UNREACHABLE : ROUTE_NOT_REGISTERED;
	}
	if (route_is_full(m, &candidate, req->mono_us, req->utc_us, &full)) {
		reasons_add_reason(why, &full);
		return ROUTE_ALL_BUSY;
	}
	plan_out->candidate[plan_out->n++] = candidate;
	reasons_add(why, REASON_CHOSEN, phone->number, 0, 0);
	return ROUTE_OK;
}

/* max_attempts cuts the plan when the calls are made (route_may_go_on), and so does protect_delay (route_wait_us);
 * here that is only said. */
static void explain_kept(const struct planning *p, unsigned i, struct reason *out)
{
	const struct model_params *params = &p->m->params;
	const struct model_routing *gw = p->best[i].gateway;
	int64_t delay_s = (int64_t)(params->protect_delay / SEC);

	*out = (struct reason){ .code = REASON_CHOSEN, .object = gw->name };
	if (params->max_attempts && i >= params->max_attempts) {
		out->code = REASON_ATTEMPT_LIMIT;
		out->value = out->limit = (int64_t)params->max_attempts;
	} else if (gw->protect && delay_s && !p->best[0].gateway->protect) {
		out->code = REASON_PROTECT_DELAY;
		out->limit = delay_s;
	} else if (gw->protect) {
		out->code = REASON_PROTECT;
	} else if (p->chain.by_cost) {
		out->code = REASON_NOT_RATED;
	}
}

/* The chosen ones go before those that were refused. */
static void explain_plan(const struct planning *p)
{
	struct reasons *why = p->why;
	unsigned refused;

	if (!why)
		return;
	refused = why->n < REASONS_MAX - p->n ? why->n : REASONS_MAX - p->n;
	memmove(&why->reason[p->n], &why->reason[0], refused * sizeof(why->reason[0]));
	for (unsigned i = 0; i < p->n; i++)
		explain_kept(p, i, &why->reason[i]);
	why->n += p->n;
}

static void planning_begin(struct planning *p, const struct model *m,
			   const struct call_request *req, const struct admit_result *from,
			   struct reasons *why)
{
	p->m = m;
	p->req = req;
	p->caller = route_caller(from);
	p->any_group = !p->caller || !p->caller->n_groups;
	p->why = why;
	memset(p->obstacles, 0, sizeof(p->obstacles));
	p->ends_at = p->n_found = p->n = 0;
	p->spare.gateway = NULL;
	sort_chain_build(&p->chain, m, p->caller, req);
	memset(p->seen, 0, (m->n_routings + 63) / 64 * sizeof(p->seen[0]));
}

static enum route_verdict plan_gateways(const struct model *m, const struct call_request *req,
					const struct admit_result *from,
					struct route_plan *plan_out, struct reasons *why)
{
	struct planning p;

	planning_begin(&p, m, req, from, why);
	consider_all(&p);
	explain_plan(&p);
	for (unsigned i = 0; i < p.n; i++)
		plan_out->candidate[i] = (struct route_candidate){ p.best[i].gateway, NULL,
								   p.best[i].matched, false };
	plan_out->n = p.n;
	for (unsigned i = 0; i < p.chain.n; i++)
		plan_out->order[i] = sort_key_name(p.chain.key[i]);
	plan_out->n_order = p.chain.n;
	if (!p.n && p.spare.gateway)
		take_spare(&p, plan_out);
	if (plan_out->n)
		return ROUTE_OK;
	if (p.obstacles[PASSING])
		return ROUTE_ALL_BUSY;
	if (p.obstacles[UNFIT])
		return ROUTE_ALL_DOWN;
	return p.obstacles[UNREGISTERED] ? ROUTE_GATEWAYS_NOT_REGISTERED : ROUTE_NONE;
}

enum route_verdict route_plan(const struct model *m, const struct call_request *req,
			      const struct admit_result *from, struct route_plan *plan_out,
			      struct reasons *why)
{
	const struct model_phone *phone = model_phone_called(m, req->callee);
	enum route_verdict offline, verdict;

	plan_out->n = plan_out->n_order = 0;
	if (why)
		why->n = 0;
	if (!phone)
		return plan_gateways(m, req, from, plan_out, why);
	offline = plan_phone(m, phone, req, plan_out, why);
	if ((offline != ROUTE_NOT_REGISTERED && offline != ROUTE_UNREACHABLE) ||
	    !phone->offline_to_gateways)
		return offline;
	verdict = plan_gateways(m, req, from, plan_out, why);
	return verdict == ROUTE_NONE ? offline : verdict;
}

uint64_t route_wait_us(const struct model *m, const struct route_candidate *first,
		       const struct route_candidate *next, uint64_t age_us)
{
	uint64_t delay = m->params.protect_delay;

	if (!next->gateway || !next->gateway->protect || !first->gateway ||
	    first->gateway->protect || age_us >= delay)
		return 0;
	return delay - age_us;
}
