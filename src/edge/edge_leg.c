/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A SIP leg: what the call asks becomes a session's business, what the session tells becomes the
 * call's. Nothing of one side's SIP passes to the other but numbers, media and cause. */
#include "edge/edge_int.h"

#include <stdio.h>
#include <stdlib.h>

#define SDP_MAX 16384
#define SCRATCH_FIRST 4096

static struct sip_leg *sip_leg(struct leg *leg)
{
	return container_of(leg, struct sip_leg, base);
}

/* The session knows its peer only once a dialog has begun. */
static const struct net_flow *leg_flow(const struct sip_leg *leg)
{
	const struct net_flow *flow = leg->session ? sip_session_flow(leg->session) : NULL;

	return flow ? flow : &leg->flow;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct sip_leg *edge_leg_new(struct edge *edge, bool callee_side)
{
	struct sip_leg *leg = calloc(1, sizeof(*leg));

	if (!leg)
		return NULL;
	leg->base.ops = &edge_leg_ops;
	leg->edge = edge;
	leg->callee_side = callee_side;
	leg->sdp_id = rng_u32();
	return leg;
}

void edge_leg_free(struct sip_leg *leg)
{
	sip_session_release(&leg->session);
	edge_dial_free(&leg->dial);
	free(leg->number_out);
	free(leg->caller_out);
	free(leg);
}

static void leg_free(struct leg *base)
{
	edge_leg_free(sip_leg(base));
}

/* ---- settings ---------------------------------------------------------------------------------- */

void edge_session_config(const struct sip_leg *leg, const struct model_params *params,
			 const struct model_routing *gateway, struct sip_session_config *out)
{
	const struct model_sip *sip = leg->sip;

	*out = (struct sip_session_config){
		.rel100 = (enum sip_100rel)sip->rel100,
		.update = sip->update,
		.timer = sip->timer < 0 ? params->session_timer : sip->timer == 1,
		.session_expires_s = (uint32_t)(params->session_expires / SEC),
		.min_se_s = (uint32_t)(params->session_min_se / SEC),
		.refresh_segment = (uint32_t)params->session_refresh_segment,
		.early_hangup_s = (uint32_t)(params->session_early_hangup / SEC),
		.request_address = leg->natted ? 0 : sip->request_address,
		.keep_udp = sip->keep_udp,
		.challenges_max = (uint8_t)params->auth_challenges_max,
		.user = gateway ? gateway->user : NULL,
		.password = gateway ? gateway->password : NULL,
	};
}

static const struct model_sip *other_side(const struct sip_leg *leg)
{
	const struct admit_result *from = leg->base.call ? call_from(leg->base.call) : NULL;

	if (!leg->callee_side || !from)
		return NULL;
	return from->mapping ? &from->mapping->sip : from->phone ? &from->phone->sip : NULL;
}

bool edge_restrict(const struct sip_leg *leg, struct media_desc *media)
{
	const struct model_sip *other = other_side(leg);
	unsigned left = media_desc_restrict(media, leg->sip->codecs);

	if (other && other->codecs)
		left = media_desc_restrict(media, other->codecs);
	return left > 0 || (!leg->sip->codecs && !(other && other->codecs));
}

/* ---- SDP ---------------------------------------------------------------------------------------- */

/* What follows v= and o=. */
static uint64_t content_hash(struct span sdp)
{
	struct span line;

	span_cut(sdp, '\n', &line, &sdp);
	span_cut(sdp, '\n', &line, &sdp);
	return hash_spread(sdp) | 1;
}

/* RFC 3264 8: the version rises by one when the description changes, and only then. */
struct span edge_write_sdp(struct sip_leg *leg, const struct media_desc *media, struct buf *out)
{
	char host[NET_ADDR_TEXT];
	struct edge_sdp_origin origin = { .session_id = leg->sdp_id, .version = leg->sdp_version };
	uint64_t hash;

	if (!media)
		return SPAN_NONE;
	origin.host = net_addr_format_host(&leg_flow(leg)->local, host);
	edge_desc_write(out, media, &origin);
	if (out->failed)
		return SPAN_NONE;
	hash = content_hash(buf_span(out));
	if (leg->sdp_hash && leg->sdp_hash != hash) {
		origin.version = ++leg->sdp_version;
		buf_reset(out);
		edge_desc_write(out, media, &origin);
	}
	leg->sdp_hash = hash;
	return out->failed ? SPAN_NONE : buf_span(out);
}

/* Write `media` and hand it to `send`: the shape of every verb that carries a description. */
static int with_sdp(struct sip_leg *leg, const struct media_desc *media,
		    int (*send)(struct sip_session *s, struct span sdp))
{
	struct buf text = BUF_INIT(SDP_MAX);
	uint64_t version = leg->sdp_version, hash = leg->sdp_hash;
	struct span sdp = edge_write_sdp(leg, media, &text);
	int err = media && !sdp.len ? -ENOMEM : send(leg->session, sdp);

	buf_free(&text);
	if (err) { /* nobody has seen it */
		leg->sdp_version = version;
		leg->sdp_hash = hash;
	}
	return err;
}

/* Read what came into an arena of this upcall and pass it on; a description that cannot be read is
 * none. */
struct upcall {
	struct arena *arena;
	struct media_desc *media;
	char why[160];
	int err;
};

static void upcall_begin(struct upcall *up, struct span sdp)
{
	*up = (struct upcall){ .arena = NULL };
	if (!sdp.len)
		return;
	up->arena = arena_new(SCRATCH_FIRST);
	up->err = up->arena ? edge_desc_read(up->arena, sdp, &up->media, up->why, sizeof(up->why))
			    : -ENOMEM;
}

static void upcall_end(struct upcall *up)
{
	arena_free(&up->arena);
}

/* ---- ends ------------------------------------------------------------------------------------------ */

/* The same errno means different things to different transports. */
static enum end_code stream_error(const struct sip_event *ev)
{
	if (ev->err == EPROTO)
		return END_TLS_HANDSHAKE_FAILED;
	if (ev->err == ECONNREFUSED)
		return END_TCP_REFUSED;
	if (ev->err == ECONNRESET || ev->err == EPIPE)
		return END_TCP_CONNECTION_LOST;
	if (ev->err == ETIMEDOUT && ev->text && span_starts(span_of(ev->text), SPAN("connecting")))
		return END_TCP_CONNECT_TIMEOUT;
	return END_NONE;
}

void edge_end_of(const struct sip_leg *leg, const struct sip_event *ev, struct call_end *out)
{
	static _Thread_local char said[128];
	enum end_code code = ev->status || leg->flow.proto == NET_UDP ? END_NONE : stream_error(ev);

	*out = (struct call_end){
		.status = ev->status, .err = ev->err, .q850 = -1, .text = ev->text
	};
	if (ev->msg && ev->status && !ev->text) {
		struct span phrase = sip_str(ev->msg, ev->msg->reason);

		fmt_print(said, sizeof(said), "the gateway answered %d %.*s", ev->status,
			  SPAN_ARG(phrase));
		out->text = said;
	}
	if (ev->msg) {
		out->q850 = sip_q850(ev->msg);
		out->reason = sip_header(ev->msg, SIP_H_REASON);
		out->rest_s = ev->status == 503 ? sip_retry_after(ev->msg) : 0;
	}
	out->code = code ? code : call_classify(ev->status, out->q850, ev->err);
}

/* What a side gave as its reason goes on as it was given (RFC 3326); without a Q.850 cause in it we add the one
 * that our end code means. `named`: the text beside that cause is our end code, and takes the place of a text given. */
struct span edge_end_headers(const struct call_end *end, bool refusal, bool named, char *dst,
			     size_t size)
{
	bool has_q850 = span_istarts(end->reason, SPAN("Q.850"));
	int cause = end->q850;
	size_t n = 0;

	named = named && end->code != END_NONE;

	if (cause < 0 && end->code)
		cause = end_code_info(end->code)->q850;
	if (end->reason.len && end->reason.len < 200 && !(has_q850 && named))
		n += fmt_print(dst, size, "Reason: %.*s\r\n", SPAN_ARG(end->reason));
	if (cause > 0 && named)
		n += fmt_print(dst + n, size - n, "Reason: Q.850;cause=%d;text=\"%s\"\r\n", cause,
			       end_code_info(end->code)->name);
	else if (cause > 0 && !has_q850)
		n += fmt_print(dst + n, size - n, "Reason: Q.850;cause=%d\r\n", cause);
	if (refusal && end->retry_after_s)
		n += fmt_print(dst + n, size - n, "Retry-After: %u\r\n", end->retry_after_s);
	return (struct span){ dst, n };
}

/* The INVITE has no session yet: answer it through its transaction. */
static void refuse_bare(struct sip_leg *leg, int status, struct span extra)
{
	struct sip_msg req;
	char lines[384];

	leg->invite_pending = false;
	span_copy(extra, lines, sizeof(lines));
	if (sip_stx_request(leg->tx, &req) == 0)
		sip_stx_reply(leg->tx, &req, status, NULL, lines);
}

static bool wants_end_code(const struct sip_leg *leg)
{
	const struct admit_result *from = leg->base.call ? call_from(leg->base.call) : NULL;

	return !leg->callee_side && from && from->mapping && from->mapping->reason_text;
}

static void leg_release(struct leg *base, const struct call_end *end)
{
	struct sip_leg *leg = sip_leg(base);
	char lines[384];
	bool refusal =
		!leg->callee_side && !(leg->session && sip_session_is_answered(leg->session));
	struct span extra =
		edge_end_headers(end, refusal, wants_end_code(leg), lines, sizeof(lines));

	if (base->over)
		return;
	base->over = true;
	if (leg->invite_pending && edge_source_is_meant(end->code))
		edge_source_refused(leg->edge, leg->invite, &leg->flow, end->code,
				    call_end_status(end), end->text);
	if (leg->invite_pending)
		refuse_bare(leg, call_end_status(end), extra);
	else if (leg->session && refusal)
		sip_session_refuse(leg->session, call_end_status(end), NULL, extra);
	else if (leg->session)
		sip_session_end(leg->session, extra);
	edge_dial_free(&leg->dial);
}

static void leg_challenge(struct leg *base, bool stale, const struct admit_result *asked)
{
	struct sip_leg *leg = sip_leg(base);

	leg->invite_pending = false;
	base->over = true;
	edge_challenge_sent(leg->edge->challenges, leg->invite, &leg->flow, asked,
			    leg->arrival->challenges);
	edge_challenge(leg->edge, leg->tx, leg->invite, stale);
}

static void leg_drop_silently(struct leg *base)
{
	struct sip_leg *leg = sip_leg(base);

	/* The stack has screened strangers out before; what comes here came between two snapshots. */
	refuse_bare(leg, 403, SPAN_NONE);
}

/* ---- the caller's side ------------------------------------------------------------------------------- */

/* Behind a NAT a phone's Contact names an address of the network behind it: what goes there is lost, what goes
 * back to where the phone's own requests come from arrives. On a connection the port tells nothing. */
bool edge_is_natted(struct span contact, const struct net_flow *flow)
{
	union net_addr addr;
	struct sip_uri uri;

	if (sip_uri_decode(&uri, contact) ||
	    net_addr_parse(&addr, uri.host, uri.port ? uri.port : 5060))
		return false;
	return flow->proto == NET_UDP ? !net_addr_eq(&addr, &flow->peer)
				      : !net_addr_eq_host(&addr, &flow->peer);
}

static bool caller_is_natted(const struct sip_leg *leg)
{
	struct sip_name_addr contact;

	return sip_name_addr_decode(&contact, sip_header(leg->invite, SIP_H_CONTACT)) == 0 &&
	       edge_is_natted(contact.uri, &leg->flow);
}

/* A caller that does not know session timers may talk for so long and no longer (VOS:
 * SS_SIP_NO_TIMER_REINVITE_INTERVAL). We refresh the session ourselves then, but a device that answers refreshes
 * may have been forgotten off the hook all the same. */
static bool knows_timers(const struct sip_msg *invite)
{
	return sip_lists(invite, SIP_H_SUPPORTED, "timer") ||
	       sip_lists(invite, SIP_H_REQUIRE, "timer");
}

static int leg_admitted(struct leg *base, struct call_end *end)
{
	struct sip_leg *leg = sip_leg(base);
	const struct admit_result *from = call_from(base->call);
	struct sip_session_config config;
	int status = 0, err;

	leg->sip = from->mapping ? &from->mapping->sip : &from->phone->sip;
	if (leg->sip->pass_headers)
		leg->arrival->headers = edge_headers_collect(leg->edge->scratch, leg->invite,
							     leg->sip->pass_headers);
	leg->natted = from->phone && caller_is_natted(leg);
	edge_session_config(leg, &call_model(base->call)->params, NULL, &config);
	if (!knows_timers(leg->invite))
		base->max_talk_us = call_model(base->call)->params.no_timer_max_duration;
	sip_stx_response_address(leg->tx, leg->sip->response_address);
	leg->invite_pending = false;
	err = sip_session_incoming(&leg->session, leg->edge->stack, leg->tx, leg->invite,
				   &leg->flow, &config, &edge_session_ops, leg, &status);
	if (!err)
		return 0;
	leg->invite_pending = false;
	end->status = status;
	end->code = status == 422                    ? END_SESSION_INTERVAL_REFUSED
		    : status == 420 || status == 421 ? END_EXTENSION_UNSUPPORTED
		    : status == 503                  ? END_SWITCH_OVERLOAD
						     : END_MALFORMED_MESSAGE;
	return err;
}

static int leg_ring(struct leg *base, int status, const struct media_desc *early)
{
	struct sip_leg *leg = sip_leg(base);
	struct buf text = BUF_INIT(SDP_MAX);
	int err =
		sip_session_progress(leg->session, status, NULL, edge_write_sdp(leg, early, &text));

	buf_free(&text);
	return err;
}

static int send_answer(struct sip_session *s, struct span sdp)
{
	return sip_session_answer(s, sdp, SPAN_NONE);
}

static int leg_answer(struct leg *base, const struct media_desc *media)
{
	return with_sdp(sip_leg(base), media, send_answer);
}

/* ---- the callee's side -------------------------------------------------------------------------------- */

static const struct route_candidate *leg_candidate(struct sip_leg *leg)
{
	return call_candidate(leg->base.call);
}

static int leg_dial(struct leg *base, const struct media_desc *offer)
{
	struct sip_leg *leg = sip_leg(base);

	return edge_dial(leg, leg_candidate(leg), offer);
}

static bool leg_retarget(struct leg *base, struct call_end *end)
{
	return edge_retarget(sip_leg(base), end);
}

/* ---- both ------------------------------------------------------------------------------------------------ */

static int send_offer(struct sip_session *s, struct span sdp)
{
	return sip_session_offer(s, sdp);
}

static int leg_offer(struct leg *base, const struct media_desc *offer)
{
	struct sip_leg *leg = sip_leg(base);

	return leg->session ? with_sdp(leg, offer, send_offer) : -EOPNOTSUPP;
}

static int leg_accept(struct leg *base, const struct media_desc *answer)
{
	return with_sdp(sip_leg(base), answer, sip_session_accept);
}

static void leg_reject(struct leg *base, int status)
{
	sip_session_reject(sip_leg(base)->session, status, SPAN_NONE);
}

static int leg_ack(struct leg *base, const struct media_desc *answer)
{
	return with_sdp(sip_leg(base), answer, sip_session_ack);
}

/* A method passes when both sides may use it. */
static bool may_pass(const struct sip_leg *leg, struct span method)
{
	enum sip_method known = sip_method_find(method);

	if (known == SIP_INFO)
		return leg->sip->info && sip_session_peer_allows(leg->session, SIP_INFO);
	return known == SIP_MESSAGE && sip_session_peer_allows(leg->session, SIP_MESSAGE);
}

static int leg_pass(struct leg *base, const struct leg_message *message, void *cookie)
{
	struct sip_leg *leg = sip_leg(base);
	char type[128];

	if (!leg->session)
		return -ENOTCONN;
	if (!may_pass(leg, message->method) ||
	    span_copy(message->content_type, type, sizeof(type)) >= sizeof(type))
		return -EOPNOTSUPP;
	return sip_session_request(leg->session, message->method, message->headers,
				   type[0] ? type : NULL, message->body, cookie);
}

/* The cookie is the transaction to answer; the session knows whether it still waits. */
static void leg_pass_result(struct leg *base, void *cookie, int status)
{
	struct sip_leg *leg = sip_leg(base);

	if (leg->session)
		sip_session_respond(leg->session, cookie, NULL, status >= 200 ? status : 408,
				    SPAN_NONE, NULL, SPAN_NONE);
}

/* ---- records ------------------------------------------------------------------------------------------------ */

/* Texts for one record: borrowed until the next describe of the same side on this thread. */
struct description {
	char addr[NET_ADDR_TEXT], proto[16], call_id[256], product[128];
};
static _Thread_local struct description descriptions[2];

static void leg_describe(const struct leg *base, struct cdr *cdr, bool callee_side)
{
	const struct sip_leg *leg = container_of(base, const struct sip_leg, base);
	const struct net_flow *flow = leg_flow(leg);
	struct description *text = &descriptions[callee_side];
	const char *product = leg->session ? sip_session_peer_product(leg->session) : NULL;

	text->addr[0] = text->call_id[0] = text->product[0] = '\0';
	if (flow->peer.sa.sa_family)
		net_addr_format(&flow->peer, text->addr);
	fmt_print(text->proto, sizeof(text->proto), "sip/%s", net_proto_name(flow->proto));
	if (leg->session) {
		span_copy(sip_session_call_id(leg->session), text->call_id, sizeof(text->call_id));
	} else if (leg->invite) {
		span_copy(leg->invite->call_id, text->call_id, sizeof(text->call_id));
		span_copy(sip_header(leg->invite, SIP_H_USER_AGENT), text->product,
			  sizeof(text->product));
		product = text->product;
	}
	if (product && !product[0])
		product = NULL;
	if (callee_side) {
		cdr->callee_addr = text->addr[0] ? text->addr : NULL;
		cdr->callee_proto = text->proto;
		cdr->callee_call_id = text->call_id[0] ? text->call_id : NULL;
		cdr->callee_product = product;
		cdr->callee_out = leg->number_out;
		cdr->caller_out = leg->caller_out;
	} else {
		cdr->caller_addr = text->addr[0] ? text->addr : NULL;
		cdr->caller_proto = text->proto;
		cdr->caller_call_id = text->call_id[0] ? text->call_id : NULL;
		cdr->caller_product = product;
	}
}

const struct leg_ops edge_leg_ops = {
	.name = "sip",
	.challenge = leg_challenge,
	.admitted = leg_admitted,
	.dial = leg_dial,
	.retarget = leg_retarget,
	.ring = leg_ring,
	.answer = leg_answer,
	.offer = leg_offer,
	.accept = leg_accept,
	.reject = leg_reject,
	.ack = leg_ack,
	.pass = leg_pass,
	.pass_result = leg_pass_result,
	.release = leg_release,
	.drop = leg_drop_silently,
	.describe = leg_describe,
	.free = leg_free,
};

/* ---- what the session tells ------------------------------------------------------------------------------------ */

static void on_trying(void *arg, struct sip_session *s)
{
	struct sip_leg *leg = arg;

	call_on_trying(&leg->base);
}

static void on_progress(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct upcall up;

	upcall_begin(&up, ev->sdp);
	call_on_progress(&leg->base, ev->status, up.media);
	upcall_end(&up);
}

static void on_answer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct upcall up;

	upcall_begin(&up, ev->sdp);
	edge_dial_free(&leg->dial);
	call_on_answer(&leg->base, up.media);
	upcall_end(&up);
}

static void on_failed(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct call_end end;

	if (edge_dial_failed(leg, ev))
		return;
	edge_end_of(leg, ev, &end);
	call_on_failed(&leg->base, &end);
}

static void on_cancel(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct call_end end = { .code = END_CALLER_CANCELLED, .status = 487, .q850 = -1 };

	if (ev->msg) {
		end.q850 = sip_q850(ev->msg);
		end.reason = sip_header(ev->msg, SIP_H_REASON);
	}
	if (end.q850 < 0)
		end.q850 = 16;
	call_on_cancel(&leg->base, &end);
}

static void on_ack(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct upcall up;

	upcall_begin(&up, ev->sdp);
	call_on_ack(&leg->base, up.media);
	upcall_end(&up);
}

static void on_offer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct upcall up;

	upcall_begin(&up, ev->sdp);
	if (up.err)
		sip_session_reject(
			s, 488,
			SPAN("Warning: 399 causeway \"session description cannot be read\"\r\n"));
	else
		call_on_offer(&leg->base, up.media);
	upcall_end(&up);
}

static void on_offer_result(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct upcall up;

	upcall_begin(&up, ev->sdp);
	call_on_offer_result(&leg->base, ev->status, up.media);
	upcall_end(&up);
}

static void on_request(void *arg, struct sip_session *s, struct sip_stx *tx,
		       const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	const struct sip_msg *msg = ev->msg;
	struct leg_message message = {
		.method = sip_str(msg, msg->method_name),
		.content_type = sip_header(msg, SIP_H_CONTENT_TYPE),
		.body = sip_str(msg, msg->body),
	};

	if (!leg->base.call || !may_pass(leg, message.method)) {
		sip_session_respond(
			s, tx, msg, msg->method == SIP_METHOD_OTHER ? 501 : 405,
			SPAN("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n"),
			NULL, SPAN_NONE);
		return;
	}
	call_on_message(&leg->base, &message, tx);
}

static void on_request_result(void *arg, struct sip_session *s, void *cookie,
			      const struct sip_event *ev)
{
	struct sip_leg *leg = arg;

	call_on_message_result(&leg->base, cookie, ev->status);
}

static int leg_side(const struct sip_leg *leg)
{
	return 1 + (leg->callee_side ? SIDE_CALLEE : SIDE_CALLER);
}

static void on_bye(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct call_end end = { .code = END_NORMAL, .by = leg_side(leg), .q850 = -1 };

	if (ev->msg) {
		end.q850 = sip_q850(ev->msg);
		end.reason = sip_header(ev->msg, SIP_H_REASON);
	}
	/* 16 normal, 31 normal unspecified; anything else is a cause somebody wants to hear of. */
	if (end.q850 > 0 && end.q850 != 16 && end.q850 != 31)
		end.code = END_PEER_HANGUP_WITH_CAUSE;
	call_on_hangup(&leg->base, &end);
}

static const enum end_code end_codes[] = {
	[SIP_END_NONE] = END_INTERNAL_ERROR,
	[SIP_END_NO_ACK] = END_NO_ACK_FOR_2XX,
	[SIP_END_NO_PRACK] = END_PRACK_MISSING,
	[SIP_END_TIMER_EXPIRED] = END_SESSION_TIMER_EXPIRED,
	[SIP_END_REFRESH_REJECTED] = END_SESSION_REFRESH_REJECTED,
	[SIP_END_REFRESH_UNANSWERED] = END_SESSION_REFRESH_UNANSWERED,
	[SIP_END_DIALOG_GONE] = END_DIALOG_LOST_AT_PEER,
	[SIP_END_TRANSPORT] = END_TCP_CONNECTION_LOST,
	[SIP_END_PROTOCOL] = END_SDP_MALFORMED,
};

static void on_ended(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct sip_leg *leg = arg;
	struct call_end end = { .code = end_codes[ev->end],
				.by = leg_side(leg),
				.status = ev->status,
				.q850 = -1,
				.text = ev->text };

	if (end.code == END_PRACK_MISSING)
		end.status = 504;
	call_on_hangup(&leg->base, &end);
}

const struct sip_session_ops edge_session_ops = {
	.on_trying = on_trying,
	.on_progress = on_progress,
	.on_answer = on_answer,
	.on_failed = on_failed,
	.on_cancel = on_cancel,
	.on_ack = on_ack,
	.on_offer = on_offer,
	.on_offer_result = on_offer_result,
	.on_request = on_request,
	.on_request_result = on_request_result,
	.on_bye = on_bye,
	.on_ended = on_ended,
};
