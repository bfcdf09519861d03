/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route: which gateways do we try, in what order? Pure, so the live call, the web "test a number"
 * page and diag ask the same function and get the same answer. */
#ifndef CAUSEWAY_ROUTE_H
#define CAUSEWAY_ROUTE_H

#include "admit/admit.h"

#define ROUTE_MAX 64
#define ROUTE_KEYS_MAX 8

/* ROUTE_ALL_BUSY: or the phone is full. ROUTE_PHONE_LOCKED, ROUTE_DO_NOT_DISTURB, ROUTE_UNREACHABLE: the called one. */
enum route_verdict {
	ROUTE_OK, ROUTE_NONE, ROUTE_ALL_BUSY, ROUTE_NOT_REGISTERED, ROUTE_GATEWAYS_NOT_REGISTERED, ROUTE_ALL_DOWN,
	ROUTE_PHONE_LOCKED, ROUTE_DO_NOT_DISTURB, ROUTE_UNREACHABLE
};

struct route_candidate {
	const struct model_routing *gateway;	/* or */
	const struct model_phone *phone;
	unsigned matched;			/* digits of the prefix that matched */
	bool last_resort;			/* its gateway is down, but nothing else is left */
};
struct route_plan {
	unsigned n;
	struct route_candidate candidate[ROUTE_MAX];	/* best first */
	unsigned n_order;
	const char *order[ROUTE_KEYS_MAX];		/* what they were ordered by: "protect", "prefix", ... */
};

/* Plan the attempts for `req` (admitted as `from`) against `m`, given who is busy or locked. A local phone stands alone,
 * unless it is not registered or unreachable and its calls may then go to gateways; else the gateways that serve the call, each by its
 * longest prefix, in the order of route_sort.c; protect routes last. Gateways that are down or rest are passed over; when nothing else is left the best of those that are down stands
 * alone. ROUTE_OK: `plan_out` holds 1..ROUTE_MAX candidates borrowed from `m`. Anything else leaves it empty. `why` may be NULL;
 * otherwise it gets one line per gateway considered, the chosen ones first. Safe from any thread. */
enum route_verdict route_plan(const struct model *m, const struct call_request *req, const struct admit_result *from,
			      struct route_plan *plan_out, struct reasons *why);

/* The same, and then one line for each gateway without a prefix of the number, nearest first. Walks all prefixes. */
enum route_verdict route_explain(const struct model *m, const struct call_request *req, const struct admit_result *from,
				 struct route_plan *plan_out, struct reasons *why);
/* How long a call of this age must wait before it may go to `next`; 0 = not at all. `first` is the plan's first candidate:
 * where that is a protect route, there is nothing to wait for. */
uint64_t route_wait_us(const struct model *m, const struct route_candidate *first, const struct route_candidate *next,
		       uint64_t age_us);

/* Take what an attempt at a candidate needs (claims_of_callee), all or nothing. False: full since the plan was made; `why`
 * says. Give back exactly once, with the same snapshot. */
bool route_take(const struct model *m, const struct route_candidate *candidate, uint64_t mono_us, uint64_t utc_us,
		struct reason *why);
void route_give(const struct model *m, const struct route_candidate *candidate);
/* Would route_take refuse now? Takes nothing. */
bool route_is_full(const struct model *m, const struct route_candidate *candidate, uint64_t mono_us, uint64_t utc_us,
		   struct reason *why);
/* Of the reasons of a plan without candidates (ROUTE_ALL_BUSY): the first limit that refused, and the shortest time
 * after which a rate would not (0: none did). False: no limit is among them. */
bool route_first_full(const struct reasons *why, struct reason *out, uint32_t *wait_s_out);

/* The numbers that a call (routed by `req`, admitted as `from`) is sent to a candidate with: a phone's display number in
 * place of its own, then the candidate's number transform, dial rules and caller pool. `attempt` counts them, so that chance decides anew for each. With `take` the number of the pool is taken for
 * the call, to be given back once by route_give_number; else it is the one that would be. False: no number is left, or
 * none free; `why` says. */
struct sent_numbers {
	struct rewritten caller, callee;
	int64_t pool_place;		/* of the caller's number in the pool; -1 = none */
};
bool route_numbers(const struct model *m, const struct route_candidate *candidate, const struct call_request *req,
		   const struct admit_result *from, unsigned attempt, bool take, struct sent_numbers *out, struct reason *why);
/* Harmless with -1. */
void route_give_number(const struct route_candidate *candidate, int64_t pool_place);

/* May the search go on after an attempt ended like this? Parameters and the gateway decide. */
struct route_outcome {
	enum end_code end;
	int status;			/* SIP status received, 0 = none */
	int q850;			/* -1 = none */
	bool rang, had_sdp;
	unsigned attempts;		/* made so far */
};
bool route_may_go_on(const struct model *m, const struct route_candidate *candidate, const struct route_outcome *outcome);

#endif
