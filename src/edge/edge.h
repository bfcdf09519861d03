/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge: the only module that knows both a protocol and a call. Turns what SIP says into events of
 * legs and what calls ask into SIP; answers what is no call (OPTIONS, REGISTER). One per worker. */
#ifndef CAUSEWAY_EDGE_H
#define CAUSEWAY_EDGE_H

#include "call/call.h"
#include "edge/edge_suspend.h"
#include "sip/sip.h"

struct edge;

struct edge_config {
	unsigned worker, workers;
	struct loop *loop;
	struct net *net;
	struct net_dns *dns;
	struct call_host *host;		/* its leg_new, dip_* and arg are set by edge_open */
	const unsigned char *digest_key;	/* 32 bytes, of the process */
	struct suspensions *suspensions;	/* of the process */
	const char *product;
	uint32_t max_transactions, max_sessions;
};

/* 0 or -errno. Afterwards wire net to edge_on_message and edge_on_undelivered with the edge as argument. */
int edge_open(struct edge **edge_out, const struct edge_config *config);
/* The end is near: what still waits for its peer is recorded. Before call_host_close. */
void edge_settle(struct edge *edge);
void edge_close(struct edge **edge);
void edge_on_message(void *edge, struct net_buf *msg, const struct net_flow *flow);
void edge_on_undelivered(void *edge, struct span message, const struct net_flow *flow, int err, const char *text);
/* The host took a newer snapshot: adopt its parameters. */
void edge_refresh(struct edge *edge);
const struct sip_stack_stats *edge_sip_stats(const struct edge *edge);

/* A source whose requests were refused, dropped or could not be read: a host and a transport. */
struct edge_source {
	union net_addr peer;		/* its port: of the newest request */
	uint8_t proto;			/* enum net_proto */
	int status;			/* of the newest answer; 0 = none was given */
	enum end_code code;
	uint64_t count, first_us, last_us;	/* UTC */
	char method[12], user[40], caller[40], callee[40], product[64];	/* of the newest; user: digest */
	char text[192];			/* why */
};
/* This worker's sources, an array of them into `out`; how many others were forgotten for lack of room. Its thread. */
uint64_t edge_sources_copy(const struct edge *edge, struct buf *out);
/* Forget those of a host, NULL = all; how many. Its thread. */
unsigned edge_sources_clear(struct edge *edge, const union net_addr *host);
/* The parts of several workers become one each, newest first; how many are left. Any thread, as what follows. */
size_t edge_sources_merge(struct edge_source *sources, size_t n);
/* {"total":..., "forgotten":..., "sources":[...]}: at most `limit` of those with `q` in a text ("" or NULL = all). */
void edge_sources_write(const struct edge_source *sources, size_t n, uint64_t forgotten, const struct model *m,
			const char *q, unsigned limit, struct buf *out);

/* Our registrations at vendors, as [...]; of gateway `name` alone, NULL = all. On the thread of worker 0, which keeps them; the
 * others write []. */
void edge_write_outbound(const struct edge *edge, const char *name, struct buf *out);
/* Un-register everywhere; true when nothing waits for an answer any more. Call it again until then. As above. */
bool edge_outbound_leave(struct edge *edge);
/* Contacts of phones and gateways registered here, as [...]; of `name` alone, NULL = all. Any thread. */
void edge_write_registrations(const struct model *m, const char *name, uint64_t mono_us, struct buf *out);
/* The REGISTER requests of `user` ("" = all) that this worker remembers, in a form of its own. On its thread. */
void edge_copy_register_events(const struct edge *edge, const char *user, struct buf *out);
/* What such copies of all workers, put together in `events`, say of `user`, or of all that fail (""):
 * {"devices":[{reason, sentence, fix, exchanges}]}. Any thread. */
void edge_write_register_analysis(const struct model *m, const char *user, struct buf *events, uint64_t utc_us,
				  uint64_t mono_us, struct buf *out);

/* ---- gateway test ------------------------------------------------------------------------------- */

#define EDGE_TEST_ROUNDS 5
#define EDGE_TEST_TIME (6 * SEC)	/* at most about so long */

struct edge_test_round {
	int status;			/* 0 = no response */
	enum health_cause cause;	/* then */
	uint64_t rtt_us;
	char text[160];
};
/* What name servers and five OPTIONS say of a gateway. The asker owns it, and keeps the gateway's snapshot. */
struct edge_test {
	const struct model_routing *gateway;
	void (*done)(struct edge_test *test);	/* on the worker's thread; the test is the asker's again */
	struct buf dns;			/* elements of a JSON array; "" = no name to resolve */
	unsigned n_rounds;		/* fewer than EDGE_TEST_ROUNDS when time ran out, 0 without memory */
	struct edge_test_round round[EDGE_TEST_ROUNDS];
	bool asked;			/* an address was found: the flow is of the one asked last */
	struct net_flow flow;
	char date[64], product[96];	/* Date and Server as received; "" = none */
	uint64_t date_utc_us;		/* when that was */
};
/* On the worker's thread. */
void edge_test_start(struct edge *edge, struct edge_test *test);

#endif
