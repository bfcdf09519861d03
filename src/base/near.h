/* SPDX-License-Identifier: GPL-3.0-or-later */
/* near: what did they mean? Offer every name that exists; the few nearest to what was
 * written are kept, for messages of the form "did you mean ...". */
#ifndef CAUSEWAY_NEAR_H
#define CAUSEWAY_NEAR_H

#include "base/span.h"

#define NEAR_KEEP 3
#define NEAR_LEN_MAX 64

struct near {
	struct span wanted;
	unsigned n;
	struct span name[NEAR_KEEP];	/* nearest first; borrowed */
	unsigned distance[NEAR_KEEP];
};

/* Letters to insert, remove, replace or swap with their neighbour, ignoring ASCII case;
 * names beyond NEAR_LEN_MAX bytes are as far as can be. */
unsigned near_distance(struct span a, struct span b);
void near_start(struct near *near, struct span wanted);
/* Keeps `name` if it is near enough: a third of the letters may differ, or it begins as wanted. */
void near_offer(struct near *near, struct span name);

#endif
