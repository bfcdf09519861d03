/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One worker's edge: owns the SIP stack and wires its upcalls. */
#include "edge/edge_int.h"

#include <stdlib.h>

#define SCRATCH_SIZE 8192
#define NONCES_MAX 65536

static void on_refused(void *arg, const struct sip_msg *msg, const struct net_flow *flow,
		       int status, const char *why);
static bool on_screen(void *arg, const struct sip_msg *msg, const struct net_flow *flow);
static void on_wire(void *arg, bool sent, struct span message, const struct net_flow *flow);

static const struct sip_stack_ops stack_ops = {
	.on_invite = edge_on_invite,
	.on_request = edge_on_request,
	.on_refused = on_refused,
	.on_wire = on_wire,
	.on_screen = on_screen,
};

static struct leg *leg_new(void *arg, struct call *call, const struct route_candidate *candidate)
{
	struct sip_leg *leg = edge_leg_new(arg, true);

	if (!leg)
		return NULL;
	leg->sip = candidate->gateway ? &candidate->gateway->sip : &candidate->phone->sip;
	return &leg->base;
}

static void renew_digest(struct edge *edge, const struct model_params *params)
{
	struct sip_digest_server *digest;
	unsigned char key[32];

	if (edge->nonce_life_us == params->auth_nonce_life)
		return;
	/* Each worker its own nonces: what was used at one is worth nothing at another. */
	memcpy(key, edge->config.digest_key, sizeof(key));
	key[0] ^= (unsigned char)edge->config.worker;
	digest = sip_digest_server_new(key, params->auth_nonce_life, NONCES_MAX);
	if (!digest)
		return; /* the old life stays in force */
	sip_digest_server_free(&edge->digest);
	edge->digest = digest;
	edge->nonce_life_us = params->auth_nonce_life;
}

/* What params.def holds to its bounds is good. */
static void set_timers(struct sip_timers *timers, const struct model_params *params)
{
	int n = intervals_parse(span_of(params->sip_resend_intervals), 1, UINT32_MAX,
				timers->resend_us);

	_Static_assert(INTERVALS_MAX == SIP_RESENDS_MAX, "what is parsed fits");
	timers->t1_us = params->sip_t1;
	timers->t2_us = params->sip_t2;
	timers->t4_us = params->sip_t4;
	timers->n_resend = n > 0 ? (unsigned)n : 0;
}

void edge_refresh(struct edge *edge)
{
	const struct model_params *params = &edge->config.host->model->params;

	set_timers(&edge->timers, params);
	renew_digest(edge, params);
	if (edge->digest)
		sip_digest_server_offer(edge->digest, params->auth_md5,
					params->auth_sha256 || !params->auth_md5);
	if (edge->outbounds)
		edge_outbound_sync(edge->outbounds);
	if (edge->keepalive)
		edge_keepalive_refresh(edge->keepalive);
	if (edge->reach)
		edge_reach_refresh(edge->reach);
	if (edge->probes)
		edge_probes_refresh(edge->probes);
}

int edge_open(struct edge **edge_out, const struct edge_config *config)
{
	struct edge *edge = calloc(1, sizeof(*edge));
	struct sip_stack_config stack_config;
	int err;

	if (!edge)
		return -ENOMEM;
	edge->config = *config;
	edge->chance = rng_u64();
	edge_refresh(edge);
	err = edge->digest ? edge_challenges_new(&edge->challenges, edge) : -ENOMEM;
	if (!err)
		err = edge_sources_new(&edge->sources);
	if (!err)
		err = edge_register_log_new(&edge->register_log);
	if (err) {
		edge_close(&edge);
		return err;
	}
	stack_config = (struct sip_stack_config){
		.worker = config->worker,
		.workers = config->workers,
		.loop = config->loop,
		.net = config->net,
		.dns = config->dns,
		.timers = &edge->timers,
		.product = config->product,
		.max_transactions = config->max_transactions,
		.max_sessions = config->max_sessions,
		.ops = &stack_ops,
		.arg = edge,
	};
	err = sip_stack_new(&edge->stack, &stack_config);
	if (!err)
		err = edge_probes_new(&edge->probes, edge);
	if (!err && config->worker == 0)
		err = edge_outbounds_new(&edge->outbounds, edge);
	if (!err && config->worker == 0)
		err = edge_keepalive_new(&edge->keepalive, edge);
	if (!err && config->worker == 0)
		err = edge_reach_new(&edge->reach, edge);
	if (err) {
		edge_close(&edge);
		return err;
	}
	config->host->leg_new = leg_new;
	config->host->dip_start = edge_dip_start;
	config->host->dip_stop = edge_dip_stop;
	config->host->arg = edge;
	if (edge->outbounds)
		edge_outbound_sync(edge->outbounds);
	*edge_out = edge;
	return 0;
}

void edge_settle(struct edge *edge)
{
	edge_challenges_settle(edge->challenges);
}

void edge_close(struct edge **edge)
{
	if (!*edge)
		return;
	edge_reach_free(&(*edge)->reach);
	edge_keepalive_free(&(*edge)->keepalive);
	edge_outbounds_free(&(*edge)->outbounds);
	edge_probes_free(&(*edge)->probes);
	sip_stack_free(&(*edge)->stack);
	edge_sources_free(&(*edge)->sources);
	edge_challenges_free(&(*edge)->challenges);
	edge_register_log_free(&(*edge)->register_log);
	sip_digest_server_free(&(*edge)->digest);
	free(*edge);
	*edge = NULL;
}

void edge_on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	struct edge *edge = arg;

	sip_stack_on_message(edge->stack, msg, flow);
}

void edge_on_undelivered(void *arg, struct span message, const struct net_flow *flow, int err,
			 const char *text)
{
	struct edge *edge = arg;

	sip_stack_on_undelivered(edge->stack, message, flow, err, text);
}

const struct sip_stack_stats *edge_sip_stats(const struct edge *edge)
{
	return sip_stack_stats(edge->stack);
}

/* ---- what never became a call ------------------------------------------------------------- */

static enum end_code refusal_code(int status)
{
	switch (status) {
	case 415:
	case 406:
		return END_MEDIA_TYPE_UNSUPPORTED;
	case 420:
	case 421:
		return END_EXTENSION_UNSUPPORTED;
	case 482:
		return END_ROUTING_LOOP;
	case 483:
		return END_MAX_FORWARDS_LOW;
	case 503:
		return END_SWITCH_OVERLOAD;
	default:
		return END_MALFORMED_MESSAGE;
	}
}

void edge_record_refusal(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow,
			 enum end_code code, int status, const char *text)
{
	struct sip_name_addr from;
	struct sip_uri uri;
	char source[NET_ADDR_TEXT], proto[16];
	struct call_refusal refusal = {
		.code = code, .status = status, .text = text, .source_addr = &flow->peer.sa
	};

	if (sip_name_addr_decode(&from, sip_header(msg, SIP_H_FROM)) == 0 &&
	    sip_uri_decode(&uri, from.uri) == 0)
		refusal.caller = uri.user;
	if (sip_uri_decode(&uri, sip_str(msg, msg->uri)) == 0)
		refusal.callee = uri.user;
	refusal.sip_call_id = msg->call_id;
	refusal.product = sip_header(msg, SIP_H_USER_AGENT);
	snprintf(proto, sizeof(proto), "sip/%s", net_proto_name(flow->proto));
	refusal.source = net_addr_format(&flow->peer, source);
	refusal.proto = proto;
	call_record_refusal(edge->config.host, &refusal);
}

/* Only what could not be read speaks against its source: the rest happens to good peers too. Refused INVITEs leave a
 * record like any call; merged requests are copies of a call that has one. */
static void on_refused(void *arg, const struct sip_msg *msg, const struct net_flow *flow,
		       int status, const char *why)
{
	if (status == 400 || status == 505 || (!status && !msg))
		edge_source_refused(arg, msg, flow, END_MALFORMED_MESSAGE, status, why);
	if (!msg || !msg->request || msg->method != SIP_INVITE || msg->to_tag.len || !status)
		return;
	edge_record_refusal(arg, msg, flow, refusal_code(status), status, why);
}

/* With reply_unauthorized off a stranger hears nothing, not even 100 Trying. */
static void on_wire(void *arg, bool sent, struct span message, const struct net_flow *flow)
{
	const struct edge *edge = arg;
	struct trace_wire wire = {
		.sent = sent,
		.proto = (enum trace_proto)flow->proto,
		.from = sent ? &flow->local.sa : &flow->peer.sa,
		.to = sent ? &flow->peer.sa : &flow->local.sa,
	};

	if (!trace_wants(edge->config.host->trace))
		return;
	wire.utc_us = clock_utc_us(); /* a turn of the loop has many messages */
	trace_message(edge->config.host->trace, &wire, message);
}

static bool on_screen(void *arg, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct edge *edge = arg;
	const struct model *m = edge->config.host->model;
	struct call_request req = { .callee = SPAN("?"), .node = edge->config.host->node };
	struct admit_result result;
	struct sip_name_addr from;
	struct sip_uri uri;

	if (m->params.reply_unauthorized ||
	    (msg->method == SIP_REGISTER && edge_registrant_asks(m, msg)))
		return true;
	memcpy(&req.source, &flow->peer, sizeof(flow->peer));
	if (sip_name_addr_decode(&from, sip_header(msg, SIP_H_FROM)) == 0 &&
	    sip_uri_decode(&uri, from.uri) == 0)
		req.caller = uri.user;
	sip_digest_user(msg, m->params.auth_realm, edge_asks_as_proxy(edge, msg),
			&req.digest_claim);
	admit_decide(m, &req, &result, NULL);
	if (result.verdict != ADMIT_DROP)
		return true;
	if (edge_source_repeats(edge, msg))
		return false;
	edge_source_refused(edge, msg, flow, result.end, 0, result.text);
	if (msg->method == SIP_INVITE)
		edge_record_refusal(edge, msg, flow, result.end, 0, result.text);
	return false;
}
