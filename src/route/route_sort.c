/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of candidates: a chain of keys out of one table. Why it is built so stands in
 * docs/decisions/0010-the-order-of-gateways.md. */
#include "route/route_int.h"

/* So large that gateways without a limit share calls among themselves and go before those that fill up. */
#define NO_LIMIT INT32_MAX

/* How much of an order the keys' values take. */
#define USAGE_BITS 32
#define PRIORITY_BITS 20 /* a million */
#define PREFIX_BITS 6
#define PERCENT_BITS 7
#define TIME_BITS 24 /* half a year of talk, 19 days of delay */
#define TIME_MOST ((1u << TIME_BITS) - 1)
#define RANK_BITS 14

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static uint64_t by_protect(const struct sort_chain *chain, const struct ranked *r)
{
	return r->gateway->protect;
}

static uint64_t by_prefix(const struct sort_chain *chain, const struct ranked *r)
{
	return MODEL_PREFIX_MOST - r->matched;
}

static uint64_t by_priority(const struct sort_chain *chain, const struct ranked *r)
{
	const struct model_routing *gw = r->gateway;

	return (uint64_t)(gw->n_scheduled_priorities ? model_priority(chain->m, gw, chain->utc_us)
						     : gw->priority);
}

static struct quality live_quality(const struct sort_chain *chain, const struct ranked *r)
{
	struct quality q = { 0 };

	if (model_quality_counts(chain->m, r->gateway))
		quality_read(r->gateway->quality, &chain->m->params, chain->mono_us, &q);
	return q;
}

/* With fewer calls than quality_min_calls a figure says nothing: it counts as the best. Whole percents, seconds
 * and tenths of seconds: below that, line usage may share the calls. */
static bool is_known(const struct sort_chain *chain, uint32_t calls)
{
	return calls > 0 && calls >= chain->m->params.quality_min_calls;
}

static uint64_t by_asr(const struct sort_chain *chain, const struct ranked *r)
{
	struct quality q = live_quality(chain, r);

	if (!is_known(chain, q.attempts))
		return 0;
	return 100 - at_most((uint64_t)q.answered * 100 / q.attempts, 100);
}

static uint64_t by_acd(const struct sort_chain *chain, const struct ranked *r)
{
	struct quality q = live_quality(chain, r);

	if (!is_known(chain, q.talks))
		return 0;
	return TIME_MOST - at_most(q.talk_us / q.talks / SEC, TIME_MOST);
}

static uint64_t by_pdd(const struct sort_chain *chain, const struct ranked *r)
{
	struct quality q = live_quality(chain, r);

	if (!is_known(chain, q.connected))
		return 0;
	return at_most(q.pdd_us / q.connected / (SEC / 10), TIME_MOST);
}

/* Not rated: all cost alike. */
static uint64_t by_cost(const struct sort_chain *chain, const struct ranked *r)
{
	return 0;
}

static uint64_t by_usage(const struct sort_chain *chain, const struct ranked *r)
{
	const struct model_routing *gw = r->gateway;
	int limit = gw->limits.line_limit;

	if (gw->limits.n_scheduled)
		limit = model_line_limit(&gw->limits, model_zone(chain->m, gw->account),
					 chain->utc_us);
	return at_most(((uint64_t)r->lines << USAGE_BITS) / (uint64_t)(limit ? limit : NO_LIMIT),
		       UINT32_MAX);
}

/* name, word for people, bits that its values need, value: smaller first */
#define SORT_KEYS_ALL(X)                                                                           \
	X(SORT_PROTECT, "protect", 1, by_protect)                                                  \
	X(SORT_PREFIX, "prefix", PREFIX_BITS, by_prefix)                                           \
	X(SORT_PRIORITY, "priority", PRIORITY_BITS, by_priority)                                   \
	X(SORT_ASR, "asr", PERCENT_BITS, by_asr)                                                   \
	X(SORT_ACD, "acd", TIME_BITS, by_acd)                                                      \
	X(SORT_PDD, "pdd", TIME_BITS, by_pdd)                                                      \
	X(SORT_COST, "cost", 0, by_cost)                                                           \
	X(SORT_USAGE, "usage", USAGE_BITS, by_usage)

#define KEY(key, word, bits, value) key,
enum sort_key { SORT_KEYS_ALL(KEY) SORT_KEYS };
#undef KEY

#define KEY(key, word, bits, value) [key] = word,
static const char *const words[SORT_KEYS] = { SORT_KEYS_ALL(KEY) };
#undef KEY

#define KEY(key, word, bits, value) +(bits)
static_assert(SORT_KEYS_ALL(KEY) + RANK_BITS <= 128, "all stand side by side in an order");
#undef KEY
static_assert(MODEL_PREFIX_MOST < 1 << PREFIX_BITS, "a prefix's length has room");
static_assert(SORT_KEYS <= ROUTE_KEYS_MAX, "each key at most once");
static_assert(MODEL_ROUTINGS_MOST <= 1 << RANK_BITS, "a rank has room");

const char *sort_key_name(unsigned key)
{
	return words[key];
}

/* ---- the chain --------------------------------------------------------------------------- */

static void chain_add(struct sort_chain *chain, enum sort_key key)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->key[i] == key)
			return; /* it has decided already */
	chain->key[chain->n++] = (uint8_t)key;
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

/* One key for all of them: what is the same for all is decided once. */
static void add_key(const struct sort_chain *chain, enum sort_key key, struct ranked *ranked,
		    unsigned n)
{
	switch (key) {
#define KEY(key, word, bits, value)                                                                \
	case key:                                                                                  \
		for (unsigned i = 0; i < n; i++)                                                   \
			ranked[i].order = ranked[i].order << (bits) | value(chain, &ranked[i]);    \
		break;
		SORT_KEYS_ALL(KEY)
#undef KEY
	case SORT_KEYS:
		break;
	}
}

void sort_rank(const struct sort_chain *chain, struct ranked *ranked, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ranked[i].order = 0;
	for (unsigned i = 0; i < chain->n; i++)
		add_key(chain, (enum sort_key)chain->key[i], ranked, n);
	for (unsigned i = 0; i < n; i++)
		ranked[i].order = ranked[i].order << RANK_BITS | ranked[i].gateway->rank;
}
