/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of edge: our registrations at vendors (RFC 3261 10.2). Worker 0 keeps all of them; what the others need to know,
 * until when one is registered, stands beside the gateway's load. */
#ifndef CAUSEWAY_EDGE_OUTBOUND_H
#define CAUSEWAY_EDGE_OUTBOUND_H

#include "edge/edge_int.h"

#define OUTBOUND_TEXT_MAX 160

/* Who registers where: what makes it another registration when it changes. */
struct outbound_identity {
	char *user, *password, *domain, *host, *local_address;
	char *public_user, *access_network;	/* NULL = user; none */
	bool ims;
	uint16_t port;
	int proto;			/* -1 = by DNS */
};

struct outbounds;
struct outbound {
	struct list node;
	struct outbounds *owner;
	char *gateway;
	struct outbound_identity id;
	struct timer timer;		/* the next request; while one is under way: none */
	struct sip_resolve *resolve;
	struct sip_targets targets;
	unsigned next_target;
	struct sip_ctx *ctx;
	struct net_flow flow;		/* of the request under way or the last one */
	char call_id[33], tag[17];
	uint32_t cseq;
	uint32_t asked_s;		/* what the server wants at least, once it said so (423) */
	unsigned challenges, briefs;	/* of this round: answered, and intervals that were too brief */
	bool challenged;		/* the request under way carries credentials */
	bool leaving;			/* un-registers, then goes */
	uint64_t registered_until_us, since_utc_us;
	uint32_t granted_s;
	char service_route[256];	/* of the last grant; "" = none */
	char associated[256];		/* P-Associated-URI of it: our public identities, for people */
	uint64_t next_try_us;		/* monotonic; 0 = one is under way */
	int failed_status;		/* of the last failure; 0 = no answer */
	uint64_t failed_utc_us;		/* 0 = none since the last success */
	char failed_text[OUTBOUND_TEXT_MAX];
};
struct outbounds {
	struct edge *edge;
	struct list all;
};

/* edge_outbound_request.c: send a REGISTER; its outcome comes by one of the two below, never from within. */
void outbound_ask(struct outbound *o);
/* edge_outbound.c */
void outbound_granted(struct outbound *o, uint32_t seconds);
/* `retry_after_s` 0 = the usual delay. */
void outbound_failed(struct outbound *o, int status, uint32_t retry_after_s, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
const struct model_params *outbound_params(const struct outbound *o);
/* edge_trace.c */
void edge_trace_outbound(const struct outbound *o, int status, const char *text);

#endif
