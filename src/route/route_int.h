/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this module share: how candidates are ordered, and who serves a call at all. */
#ifndef CAUSEWAY_ROUTE_INT_H
#define CAUSEWAY_ROUTE_INT_H

#include "route/route.h"

/* A gateway with what it is ordered by, as one number: the values of the chain's keys side by side, the first in the
 * highest bits, and its place by name in the lowest. Smaller first; no two are equal. */
struct ranked {
	unsigned __int128 order;
	const struct model_routing *gateway;
	unsigned matched;		/* digits of the prefix that matched */
	int lines;			/* in use */
};
/* The keys in the order in which they count. */
struct sort_chain {
	const struct model *m;
	uint64_t mono_us, utc_us;
	unsigned n;
	uint8_t key[ROUTE_KEYS_MAX];
	bool by_cost;
};
/* As parameters and the caller's policies (NULL = none) have it. */
void sort_chain_build(struct sort_chain *chain, const struct model *m, const struct model_routes *caller,
		      const struct call_request *req);
const char *sort_key_name(unsigned key);
/* Set the order of up to RANK_MOST gateways. */
#define RANK_MOST 32
void sort_rank(const struct sort_chain *chain, struct ranked *ranked, unsigned n);

/* Is this gateway there for this call at all, whatever its state? If not, `why` says what keeps it. */
bool route_serves(const struct model *m, const struct call_request *req, const struct model_routes *caller,
		  const struct model_routing *gw, struct reason *why);
/* Does its health let a call through? If not, `why` says what it suffers from. */
bool route_is_fit(const struct call_request *req, const struct model_routing *gw, struct reason *why);
/* Unfit as `why` says: may it be tried when nothing else is left? */
bool route_may_resort_to(const struct call_request *req, const struct model_routing *gw, const struct reason *why);
/* What the caller's calls may use; NULL = anything. */
const struct model_routes *route_caller(const struct admit_result *from);

#endif
