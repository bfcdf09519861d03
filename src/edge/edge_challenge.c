/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Challenged INVITEs that have not come back. A challenge is no call: the caller returns with the same Call-ID
 * (RFC 3261 8.1.3.5) and credentials. Who does not leaves no call behind, and yet people ask why his calls fail;
 * so each challenge is remembered for auth_timeout and then recorded as a refused call.
 *
 * The table is bounded: when it is full the oldest is recorded at once, so a flood of unanswered challenges
 * costs records, as refused calls do, but no memory. */
#include "edge/edge_int.h"

#include <stdlib.h>

#define CHALLENGES_MAX 4096
#define CALL_ID_KEPT 256
#define NUMBER_KEPT 64
#define PRODUCT_KEPT 64

struct challenge {
	struct hash_node node; /* by Call-ID */
	struct list age; /* oldest first */
	struct timer timer;
	struct challenges *owner;
	uint64_t since_us; /* UTC */
	int status; /* that asked him */
	unsigned sent; /* challenges of this call */
	struct net_flow flow;
	char gateway[NUMBER_KEPT]; /* or phone: who was asked */
	char user[NUMBER_KEPT]; /* as he is known; "" = not known yet */
	char caller[NUMBER_KEPT], callee[NUMBER_KEPT], product[PRODUCT_KEPT];
	size_t call_id_len;
	char call_id[];
};

struct challenges {
	struct edge *edge;
	struct hash_key key;
	struct hash_table by_call_id;
	struct list age;
};

int edge_challenges_new(struct challenges **out, struct edge *edge)
{
	struct challenges *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (hash_table_init(&all->by_call_id, 64)) {
		free(all);
		return -ENOMEM;
	}
	all->edge = edge;
	list_init(&all->age);
	rng_bytes(&all->key, sizeof(all->key));
	*out = all;
	return 0;
}

static void forget(struct challenge *c)
{
	struct challenges *all = c->owner;

	loop_timer_stop(all->edge->config.loop, &c->timer);
	hash_table_del(&all->by_call_id, &c->node);
	list_del(&c->age);
	free(c);
}

void edge_challenges_free(struct challenges **challenges)
{
	struct challenges *all = *challenges;

	*challenges = NULL;
	if (!all)
		return;
	while (!list_empty(&all->age))
		forget(list_entry(all->age.next, struct challenge, age));
	hash_table_free(&all->by_call_id);
	free(all);
}

int edge_challenge_status(const struct edge *edge, const struct sip_msg *msg)
{
	return msg->method == SIP_REGISTER ? 401
					   : (int)edge->config.host->model->params.auth_status;
}

bool edge_asks_as_proxy(const struct edge *edge, const struct sip_msg *msg)
{
	return edge_challenge_status(edge, msg) == 407;
}

/* ---- the record ------------------------------------------------------------------------------ */

static void record_and_forget(struct challenge *c, const char *why)
{
	struct call_refusal refusal = { .code = END_NO_CREDENTIALS,
					.status = c->status,
					.started_us = c->since_us };
	char source[NET_ADDR_TEXT], proto[16], text[320];

	refusal.source = net_addr_format(&c->flow.peer, source);
	refusal.source_addr = &c->flow.peer.sa;
	fmt_print(proto, sizeof(proto), "sip/%s", net_proto_name(c->flow.proto));
	refusal.proto = proto;
	fmt_print(text, sizeof(text), "%s was challenged as %s%s%s%s and %s", source,
		  c->gateway[0] ? c->gateway : "nobody known", c->user[0] ? " (user " : "", c->user,
		  c->user[0] ? ")" : "", why);
	refusal.text = text;
	refusal.gateway = span_of(c->gateway);
	refusal.caller = span_of(c->caller);
	refusal.callee = span_of(c->callee);
	refusal.product = span_of(c->product);
	refusal.sip_call_id = (struct span){ c->call_id, c->call_id_len };
	call_record_refusal(c->owner->edge->config.host, &refusal);
	edge_source_note(c->owner->edge, &c->flow,
			 &(struct edge_refused){ .method = SPAN("INVITE"),
						 .caller = refusal.caller,
						 .callee = refusal.callee,
						 .product = refusal.product,
						 .code = refusal.code,
						 .status = refusal.status,
						 .text = text });
	forget(c);
}

static void on_timeout(struct timer *timer)
{
	record_and_forget(container_of(timer, struct challenge, timer),
			  "sent no credentials within the authentication timeout");
}

void edge_challenges_settle(struct challenges *all)
{
	while (!list_empty(&all->age))
		record_and_forget(list_entry(all->age.next, struct challenge, age),
				  "had sent no credentials when the switch stopped");
}

/* ---- coming and going ------------------------------------------------------------------------- */

static uint64_t hash_call_id(const struct challenges *all, struct span call_id)
{
	return hash_bytes(&all->key, call_id.p, call_id.len);
}

static struct challenge *find(const struct challenges *all, struct span call_id)
{
	struct hash_node *node = hash_table_find(&all->by_call_id, hash_call_id(all, call_id));

	for (; node; node = hash_next(node)) {
		struct challenge *c = container_of(node, struct challenge, node);

		if (span_eq(call_id, (struct span){ c->call_id, c->call_id_len }))
			return c;
	}
	return NULL;
}

unsigned edge_challenge_count(const struct challenges *all, struct span call_id)
{
	const struct challenge *c =
		all->by_call_id.count ? find(all, span_head(call_id, CALL_ID_KEPT)) : NULL;

	return c ? c->sent : 0;
}

void edge_challenge_returned(struct challenges *all, struct span call_id)
{
	struct challenge *c = find(all, span_head(call_id, CALL_ID_KEPT));

	if (c)
		forget(c);
}

static void note_message(struct challenge *c, const struct sip_msg *msg)
{
	struct sip_name_addr from;
	struct sip_uri uri;

	if (sip_name_addr_decode(&from, sip_header(msg, SIP_H_FROM)) == 0 &&
	    sip_uri_decode(&uri, from.uri) == 0)
		span_copy(uri.user, c->caller, sizeof(c->caller));
	if (sip_uri_decode(&uri, sip_str(msg, msg->uri)) == 0)
		span_copy(uri.user, c->callee, sizeof(c->callee));
	span_copy(sip_header(msg, SIP_H_USER_AGENT), c->product, sizeof(c->product));
}

static void note_asked(struct challenge *c, const struct admit_result *asked)
{
	if (asked->mapping) {
		span_copy(span_of(asked->mapping->name), c->gateway, sizeof(c->gateway));
		span_copy(span_of(asked->mapping->user), c->user, sizeof(c->user));
	} else if (asked->phone) {
		span_copy(span_of(asked->phone->number), c->gateway, sizeof(c->gateway));
	}
}

/* One that is challenged again without having tried credentials keeps its first time. */
void edge_challenge_sent(struct challenges *all, const struct sip_msg *msg,
			 const struct net_flow *flow, const struct admit_result *asked,
			 unsigned before)
{
	struct edge *edge = all->edge;
	struct span call_id = span_head(msg->call_id, CALL_ID_KEPT);
	struct challenge *c = find(all, call_id);

	if (c) {
		c->sent = before + 1;
		return;
	}
	if (all->by_call_id.count >= CHALLENGES_MAX)
		record_and_forget(list_entry(all->age.next, struct challenge, age),
				  "the table of challenged calls is full");
	c = calloc(1, sizeof(*c) + call_id.len);
	if (!c) {
		log_error("no memory to remember a challenged call");
		return;
	}
	c->owner = all;
	c->sent = before + 1;
	c->since_us = edge->config.loop->utc_us;
	c->flow = *flow;
	c->status = edge_challenge_status(edge, msg);
	c->call_id_len = call_id.len;
	memcpy(c->call_id, call_id.p, call_id.len);
	note_message(c, msg);
	note_asked(c, asked);
	timer_init(&c->timer, on_timeout);
	hash_table_add(&all->by_call_id, &c->node, hash_call_id(all, call_id));
	list_add_tail(&all->age, &c->age);
	loop_timer(edge->config.loop, &c->timer, edge->config.host->model->params.auth_timeout);
}
