/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One OPTIONS to a routing gateway, outside any call: its name is resolved, and each address asked in turn until one
 * answers or all have failed; one that registers here is asked at its first contact. Or to one contact of any registered device.
 * For probing, for `gateway test`, and for whether devices are there. */
#ifndef CAUSEWAY_EDGE_PING_H
#define CAUSEWAY_EDGE_PING_H

#include "edge/edge_int.h"

/* What became of it; lent for the call. */
struct ping_result {
	int status;			/* final response; 0 = none */
	enum health_cause cause;	/* when there was none: of the address asked last */
	uint32_t rest_s;		/* Retry-After of a 503 */
	uint64_t rtt_us;
	const struct net_flow *flow;	/* of the address asked last; NULL = none could be */
	const struct sip_msg *msg;	/* the response */
	const char *text;		/* why there was none */
};

struct ping {
	struct edge *edge;
	const struct model_routing *gateway;	/* NULL = idle, or a contact is asked; the owner keeps its snapshot */
	uint64_t timeout_us;		/* for each address */
	uint64_t deadline_us;		/* no further address is asked then; 0 = none, the owner's */
	uint64_t sent_us;
	struct timer timer;
	struct sip_resolve *resolve;
	struct sip_ctx *ctx;
	struct net_flow flow;
	bool asked;			/* flow is set */
	char contact[192], path[256];	/* of one that registers here; "" = it is asked by its address */
	struct sip_targets targets;
	unsigned next;
	void (*done)(struct ping *ping, const struct ping_result *result);
};
void ping_init(struct ping *ping, struct edge *edge);
/* `done` is called once, possibly at once, unless it is stopped before. */
void ping_start(struct ping *ping, const struct model_routing *gateway, uint64_t timeout_us,
		void (*done)(struct ping *ping, const struct ping_result *result));
/* The same for one contact that has no Path, on the way that it registered; it is borrowed until this returns. */
void ping_contact(struct ping *ping, const struct binding *contact, uint64_t timeout_us,
		  void (*done)(struct ping *ping, const struct ping_result *result));
void ping_stop(struct ping *ping);

#endif
