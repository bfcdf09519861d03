/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of candidates: a chain of keys out of one table. Why it is built so stands in
 * docs/decisions/0010-the-order-of-gateways.md. */
#include "route/route_int.h"

/* All that a key may look at. */
struct ranking {
	const struct model *m;
	const struct route_candidate *candidate;
	int64_t lines;
	uint64_t utc_us;
	struct quality quality;
};

/* So large that gateways without a limit share calls among themselves and go before those that fill up. */
#define NO_LIMIT INT32_MAX
#define USAGE_BITS 32

static int64_t by_protect(const struct ranking *r)
{
	return r->candidate->gateway->protect;
}

static int64_t by_prefix(const struct ranking *r)
{
	return -(int64_t)r->candidate->matched;
}

static int64_t by_priority(const struct ranking *r)
{
	const struct model_routing *gw = r->candidate->gateway;

	return gw->n_scheduled_priorities ? model_priority(r->m, gw, r->utc_us) : gw->priority;
}

/* With fewer calls than quality_min_calls a figure says nothing: it counts as the best. Whole percents, seconds
 * and tenths of seconds: below that, line usage may share the calls. */
static bool is_known(const struct ranking *r, uint32_t calls)
{
	return calls > 0 && calls >= r->m->params.quality_min_calls;
}

static int64_t by_asr(const struct ranking *r)
{
	const struct quality *q = &r->quality;

	return is_known(r, q->attempts) ? -(int64_t)((uint64_t)q->answered * 100 / q->attempts)
					: -100;
}

static int64_t by_acd(const struct ranking *r)
{
	const struct quality *q = &r->quality;

	return is_known(r, q->talks) ? -(int64_t)(q->talk_us / q->talks / SEC) : INT32_MIN;
}

static int64_t by_pdd(const struct ranking *r)
{
	const struct quality *q = &r->quality;

	return is_known(r, q->connected) ? (int64_t)(q->pdd_us / q->connected / (SEC / 10)) : 0;
}

/* Not rated: all cost alike. */
static int64_t by_cost(const struct ranking *r)
{
	return 0;
}

static int64_t by_usage(const struct ranking *r)
{
	const struct model_routing *gw = r->candidate->gateway;
	int limit = gw->limits.line_limit;

	if (gw->limits.n_scheduled)
		limit = model_line_limit(&gw->limits, model_zone(r->m, gw->account), r->utc_us);
	return (r->lines << USAGE_BITS) / (limit ? limit : NO_LIMIT);
}

enum sort_key {
	SORT_PROTECT,
	SORT_PREFIX,
	SORT_PRIORITY,
	SORT_ASR,
	SORT_ACD,
	SORT_PDD,
	SORT_COST,
	SORT_USAGE,
	SORT_KEYS
};

static const struct {
	const char *name;
	int64_t (*value)(const struct ranking *r);
	bool quality;
} keys[SORT_KEYS] = {
	[SORT_PROTECT] = { "protect", by_protect, false },
	[SORT_PREFIX] = { "prefix", by_prefix, false },
	[SORT_PRIORITY] = { "priority", by_priority, false },
	[SORT_ASR] = { "asr", by_asr, true },
	[SORT_ACD] = { "acd", by_acd, true },
	[SORT_PDD] = { "pdd", by_pdd, true },
	[SORT_COST] = { "cost", by_cost, false },
	[SORT_USAGE] = { "usage", by_usage, false },
};
static_assert(SORT_KEYS <= ROUTE_KEYS_MAX, "each key at most once");

const char *sort_key_name(unsigned key)
{
	return keys[key].name;
}

/* ---- the chain --------------------------------------------------------------------------- */

static void chain_add(struct sort_chain *chain, enum sort_key key)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->key[i] == key)
			return; /* it has decided already */
	chain->key[chain->n++] = (uint8_t)key;
	chain->by_quality = chain->by_quality || keys[key].quality;
	chain->by_cost = chain->by_cost || key == SORT_COST;
}

enum sort_place { BEFORE_PREFIX = 1, BEFORE_PRIORITY, BEFORE_USAGE };

/* What the parameters put into this place of the chain. */
static void chain_add_place(struct sort_chain *chain, const struct model_params *p, uint64_t place)
{
	if (p->sort_by_cost == place && p->sort_cost_first)
		chain_add(chain, SORT_COST);
	if (p->sort_by_asr == place)
		chain_add(chain, SORT_ASR);
	if (p->sort_by_acd == place)
		chain_add(chain, SORT_ACD);
	if (p->sort_by_pdd == place)
		chain_add(chain, SORT_PDD);
	if (p->sort_by_cost == place)
		chain_add(chain, SORT_COST);
}

static void chain_add_policies(struct sort_chain *chain, const struct model_routes *caller)
{
	static const enum sort_key policies[] = { [POLICY_ASR] = SORT_ASR,
						  [POLICY_ACD] = SORT_ACD,
						  [POLICY_PDD] = SORT_PDD,
						  [POLICY_COST] = SORT_COST };

	for (unsigned i = 0; caller && i < ARRAY_SIZE(caller->policy); i++)
		if (caller->policy[i] != POLICY_NONE)
			chain_add(chain, policies[caller->policy[i]]);
}

void sort_chain_build(struct sort_chain *chain, const struct model *m,
		      const struct model_routes *caller, const struct call_request *req)
{
	*chain = (struct sort_chain){ .m = m, .mono_us = req->mono_us, .utc_us = req->utc_us };
	chain_add(chain, SORT_PROTECT);
	chain_add_place(chain, &m->params, BEFORE_PREFIX);
	chain_add(chain, SORT_PREFIX);
	chain_add_policies(chain, caller);
	chain_add_place(chain, &m->params, BEFORE_PRIORITY);
	chain_add(chain, SORT_PRIORITY);
	chain_add_place(chain, &m->params, BEFORE_USAGE);
	chain_add(chain, SORT_USAGE);
}

/* ---- its use ----------------------------------------------------------------------------- */

void sort_rank(const struct sort_chain *chain, int64_t lines, struct ranked *ranked)
{
	const struct model_routing *gw = ranked->candidate.gateway;
	struct ranking r; /* its quality is looked at by the keys of quality alone */

	r.m = chain->m;
	r.candidate = &ranked->candidate;
	r.lines = lines;
	r.utc_us = chain->utc_us;
	if (chain->by_quality && model_quality_counts(chain->m, gw))
		quality_read(gw->quality, &chain->m->params, chain->mono_us, &r.quality);
	else if (chain->by_quality)
		r.quality = (struct quality){ 0 };
	for (unsigned i = 0; i < chain->n; i++)
		ranked->value[i] = keys[chain->key[i]].value(&r);
}

int sort_compare(const struct sort_chain *chain, const struct ranked *a, const struct ranked *b)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (a->value[i] != b->value[i])
			return a->value[i] < b->value[i] ? -1 : 1;
	return a->candidate.gateway->rank < b->candidate.gateway->rank ? -1 : 1;
}
