/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A new INVITE becomes the arrival of a call: numbers, identity, credentials and offer are read
 * here, once, and nothing of SIP goes further. */
#include "edge/edge_int.h"

#include <stdlib.h>

#define NUMBER_MAX 128
#define SCRATCH_FIRST 4096

/* ---- credentials ------------------------------------------------------------------------- */

/* Users stand for one device alone; a routing gateway has one only to register. */
static const char *secret_of(const struct model *m, struct span user)
{
	const struct model_mapping *mapping = model_mapping_by_user(m, user);
	const struct model_phone *phone = mapping ? NULL : model_phone(m, user);
	const struct model_routing *routing =
		mapping || phone ? NULL : model_routing_by_user(m, user);

	return mapping   ? mapping->password
	       : phone   ? phone->password
	       : routing ? routing->password
			 : NULL;
}

/* Only an answer to a challenge of ours says that somebody is there and guesses; a request made up elsewhere in his name
 * does not. */
static void count_failure(struct edge *edge, const struct sip_msg *msg, const struct suspect *who)
{
	const struct model_params *p = &edge->config.host->model->params;
	bool registers = who->kind == SUSPEND_REGISTER;
	unsigned limit = (unsigned)(registers ? p->register_suspend_retry : p->auth_max_retry);
	char host[NET_ADDR_TEXT];

	if (registers && !p->register_suspend)
		return;
	if (!sip_digest_is_fresh(edge->digest, msg, p->auth_realm, edge_asks_as_proxy(edge, msg),
				 edge->config.loop->now_us))
		return;
	if (suspensions_failed(edge->config.suspensions, who, limit,
			       registers ? p->register_suspend_time : p->auth_suspend_time,
			       edge->config.loop->now_us))
		log_warn("%.*s from %s: suspended after %u failed %s",
			 SPAN_ARG(who->user.len ? span_head(who->user, 64) : SPAN("unknown users")),
			 net_addr_format_host(who->source, host), limit,
			 registers ? "registrations" : "call authentications");
}

static void check_secret(struct edge *edge, const struct sip_msg *msg, const char *user,
			 const struct suspect *who, struct edge_proof *out)
{
	switch (sip_digest_check(edge->digest, msg, edge->config.host->model->params.auth_realm,
				 edge_asks_as_proxy(edge, msg), user, who->secret,
				 edge->config.loop->now_us)) {
	case SIP_DIGEST_OK:
		out->proven = true;
		suspensions_passed(edge->config.suspensions, who);
		break;
	case SIP_DIGEST_STALE:
	case SIP_DIGEST_REPLAY:
		out->stale = true;
		break;
	case SIP_DIGEST_NONE:
		out->claim = SPAN_NONE;
		break;
	case SIP_DIGEST_WRONG:
		count_failure(edge, msg, who);
		out->wrong = "user or secret is wrong";
		break;
	case SIP_DIGEST_MALFORMED:
		out->wrong = "the credentials are incomplete, or for another URI (uri=) than the "
			     "request's";
		break;
	}
}

void edge_check_credentials(struct edge *edge, const struct sip_msg *msg,
			    const struct net_flow *flow, struct edge_proof *out)
{
	const struct model *m = edge->config.host->model;
	struct suspect who = { .secret = "", .source = &flow->peer };
	const char *secret;
	char user[NUMBER_MAX];

	*out = (struct edge_proof){ .claim = SPAN_NONE };
	if (!sip_digest_user(msg, m->params.auth_realm, edge_asks_as_proxy(edge, msg), &out->claim))
		return;
	secret = secret_of(m, out->claim);
	if (span_copy(out->claim, user, sizeof(user)) >= sizeof(user))
		secret = NULL;
	who.kind = msg->method == SIP_REGISTER ? SUSPEND_REGISTER : SUSPEND_CALL;
	if (secret) {
		who.user = out->claim;
		who.secret = secret;
	}
	out->suspended_us =
		suspensions_left(edge->config.suspensions, &who, edge->config.loop->now_us);
	if (out->suspended_us)
		return;
	if (secret) {
		check_secret(edge, msg, user, &who, out);
	} else {
		count_failure(edge, msg, &who);
		out->wrong = "user or secret is wrong";
	}
}

void edge_challenge(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg, bool stale)
{
	struct buf lines = BUF_INIT(2048);

	sip_digest_challenge(edge->digest, &lines, edge->config.host->model->params.auth_realm,
			     edge_asks_as_proxy(edge, msg), stale, edge->config.loop->now_us);
	sip_stx_reply(tx, msg, lines.failed ? 500 : edge_challenge_status(edge, msg), NULL,
		      lines.failed ? NULL : buf_cstr(&lines));
	buf_free(&lines);
}

static void read_offer(struct edge *edge, const struct sip_msg *msg, struct call_arrival *arrival,
		       struct media_desc **offer, char *why, size_t why_size, int *err)
{
	struct span sdp = sip_body_sdp(msg);

	*err = 0;
	if (!sdp.len)
		return;
	*err = edge_desc_read(edge->scratch, sdp, offer, why, why_size);
	if (*err == 0)
		arrival->offer = *offer;
}

static void refuse_sdp(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg,
		       const struct net_flow *flow, const char *why)
{
	sip_stx_reply(tx, msg, 488, NULL,
		      "Warning: 399 causeway \"session description cannot be read\"\r\n");
	edge_record_refusal(edge, msg, flow, END_SDP_MALFORMED, 488, why);
}

/* Whether it matters is for admission to say: who is known by his address needs no credentials. */
static void note_suspended(const struct edge_proof *proof, const struct net_flow *flow, char *dst,
			   size_t size, struct call_arrival *arrival)
{
	char host[NET_ADDR_TEXT];

	if (!proof->suspended_us)
		return;
	fmt_print(
		dst, size,
		"%.*s from %s is suspended for another %u s after failed authentications; causeway "
		"registration unsuspend lifts it",
		SPAN_ARG(span_head(proof->claim, 64)), net_addr_format_host(&flow->peer, host),
		(unsigned)((proof->suspended_us + SEC - 1) / SEC));
	arrival->suspended = dst;
}

static struct sip_leg *caller_leg(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg,
				  const struct net_flow *flow, struct call_arrival *arrival)
{
	struct sip_leg *leg = edge_leg_new(edge, false);

	if (!leg)
		return NULL;
	leg->tx = tx;
	leg->invite = msg;
	leg->arrival = arrival;
	leg->invite_pending = true;
	leg->flow = *flow;
	return leg;
}

void edge_on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct edge *edge = arg;
	struct call_arrival arrival = { .max_forwards =
						msg->max_forwards < 0 ? 70 : msg->max_forwards };
	char caller[NUMBER_MAX], callee[NUMBER_MAX], why[192] = "";
	struct media_desc *offer = NULL;
	struct sip_name_addr from = { .display = SPAN_NONE };
	struct edge_proof proof;
	struct sip_leg *leg;
	int err;

	edge->scratch = arena_new(SCRATCH_FIRST);
	leg = edge->scratch ? caller_leg(edge, tx, msg, flow, &arrival) : NULL;
	if (!leg) {
		sip_stx_reply(tx, msg, 503, NULL, "Retry-After: 5\r\n");
		edge_record_refusal(edge, msg, flow, END_SWITCH_OVERLOAD, 503,
				    "no memory for another call");
		arena_free(&edge->scratch);
		return;
	}
	read_offer(edge, msg, &arrival, &offer, why, sizeof(why), &err);
	if (err) {
		refuse_sdp(edge, tx, msg, flow, why);
		edge_leg_free(leg);
		arena_free(&edge->scratch);
		return;
	}
	edge_check_credentials(edge, msg, flow, &proof);
	arrival.challenges = edge_challenge_count(edge->challenges, msg->call_id);
	if (proof.claim.len ||
	    arrival.challenges >= edge->config.host->model->params.auth_challenges_max)
		edge_challenge_returned(edge->challenges, msg->call_id);
	note_suspended(&proof, flow, why, sizeof(why), &arrival);
	arrival.stale = proof.stale;
	arrival.wrong_credentials = proof.wrong;
	memcpy(&arrival.request.source, &flow->peer, sizeof(flow->peer));
	arrival.request.digest_claim = proof.claim;
	arrival.request.digest_user = proof.proven ? proof.claim : SPAN_NONE;
	arrival.request.node = edge->config.host->node;
	arrival.request.random = number_random(&edge->chance);
	arrival.request.utc_us = edge->config.loop->utc_us;
	arrival.request.mono_us = edge->config.loop->now_us;
	if (sip_name_addr_decode(&from, sip_header(msg, SIP_H_FROM)) == 0)
		arrival.request.caller = edge_number_of(from.uri, caller, sizeof(caller));
	arrival.request.callee = edge_number_of(sip_str(msg, msg->uri), callee, sizeof(callee));
	arrival.display = from.display;
	arrival.sip_call_id = msg->call_id;
	edge_identity_read(edge->scratch, msg, &arrival);
	edge_numbers_read(edge, msg, &arrival);
	call_incoming(edge->config.host, &leg->base, &arrival);
	arena_free(&edge->scratch);
}
