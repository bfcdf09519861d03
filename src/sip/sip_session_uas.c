/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INVITE as server, the first of a session and re-INVITEs alike.
 *
 * Reliable provisionals (RFC 3262 3): one at a time, repeated at T1, 2*T1, 4*T1... until PRACK; after 64*T1
 * the INVITE is refused with 504. The 2xx (RFC 3261 13.3.1.4) is repeated by us, over streams
 * too, at T1 doubling up to T2 until ACK; after 64*T1 the session ends with BYE, and not before one
 * of the two (15). One timer does all of it. Unreliable provisionals are said again each
 * minute so that no proxy's Timer C runs out (13.3.1.1).
 *
 * To an INVITE without SDP our first reliable message must be the offer (13.2.1). We make the 2xx that
 * message: provisionals then go unreliably and without SDP, and none go if the caller
 * insists on 100rel. */
#include "sip/sip_session_int.h"

#include <stdio.h>
#include <stdlib.h>

#define AWAKE_US (60 * SEC)

static void free_18x(struct sip_uas_18x *p)
{
	list_del(&p->node);
	sip_text_free(&p->phrase);
	sip_text_free(&p->sdp);
	free(p);
}

static void drop_queue(struct sip_uas_invite *inv)
{
	while (!list_empty(&inv->queue))
		free_18x(list_entry(inv->queue.next, struct sip_uas_18x, node));
	inv->n_queue = 0;
}

/* The transaction is left to itself. */
void sip_uas_invite_free(struct sip_uas_invite *inv)
{
	loop_timer_stop(sip_ses_loop(inv->s), &inv->timer);
	if (inv->tx) {
		sip_stx_user(inv->tx, NULL, NULL);
		if (inv->finished)
			sip_stx_done(inv->tx);
	}
	if (inv->s->invite_in == inv)
		inv->s->invite_in = NULL;
	list_del(&inv->node);
	drop_queue(inv);
	net_buf_unref(&inv->repeat);
	sip_text_free(&inv->last_phrase);
	sip_text_free(&inv->answer_sdp);
	sip_text_free(&inv->answer_extra);
	free(inv);
}

bool sip_uas_busy(const struct sip_session *s)
{
	return !list_empty(&s->uas_invites);
}

bool sip_uas_unacked(const struct sip_session *s)
{
	list_for_each (pos, &s->uas_invites) {
		const struct sip_uas_invite *inv = list_entry(pos, struct sip_uas_invite, node);

		if (inv->initial && inv->finished)
			return true;
	}
	return false;
}

void sip_uas_quiet(struct sip_session *s)
{
	list_for_each_safe (pos, tmp, &s->uas_invites) {
		struct sip_uas_invite *inv = list_entry(pos, struct sip_uas_invite, node);

		if (inv->finished)
			sip_uas_invite_free(inv);
	}
}

/* ---- writing ------------------------------------------------------------------------------ */

static void write_lines(struct sip_writer *w, struct sip_uas_invite *inv, const struct sip_msg *req,
			int status, bool rel)
{
	struct sip_session *s = inv->s;
	struct sip_timer_ask ask;

	if (status < 300) {
		if (inv->initial) /* 12.1.1 */
			sip_write_record_routes(w, req);
		sip_ses_write_contact(w, s, sip_stx_flow(inv->tx));
		sip_ses_write_allow(w, s);
		sip_ses_write_supported(w, s, true);
	}
	if (rel) {
		sip_write_header(w, SIP_H_REQUIRE, SPAN("100rel"));
		sip_write_headerf(w, SIP_H_RSEQ, "%u", inv->rseq);
	}
	if (status / 100 == 2) {
		sip_ses_timer_ask(&s->config, req, &ask);
		sip_ses_timer_grant(s, &ask, w);
	}
	sip_ses_write_product(w, s, true);
}

static struct net_buf *write_response(struct sip_uas_invite *inv, int status, const char *phrase,
				      bool rel, struct span extra, struct span sdp)
{
	struct sip_writer w;
	struct sip_msg req;

	if (sip_stx_request(inv->tx, &req))
		return NULL;
	sip_write_begin(&w, SES_HEAD_BYTES + req.len + extra.len + sdp.len);
	sip_write_response_head(&w, &req, sip_stx_flow(inv->tx), status, phrase,
				span_of(inv->s->tag));
	write_lines(&w, inv, &req, status, rel);
	sip_put(&w, extra);
	return sip_finish(&w, "application/sdp", sdp);
}

/* ---- repeating ----------------------------------------------------------------------------- */

static void start_repeating(struct sip_uas_invite *inv, struct net_buf *buf)
{
	uint64_t t1 = sip_ses_timers(inv->s)->t1_us;

	net_buf_unref(&inv->repeat);
	inv->repeat = buf;
	inv->interval_us = t1;
	inv->until_us = sip_ses_loop(inv->s)->now_us + 64 * t1;
	loop_timer(sip_ses_loop(inv->s), &inv->timer, t1);
}

static void keep_awake(struct sip_uas_invite *inv)
{
	loop_timer(sip_ses_loop(inv->s), &inv->timer, AWAKE_US);
}

static int send_18x(struct sip_uas_invite *inv, int status, const char *phrase, struct span sdp)
{
	struct sip_session *s = inv->s;
	struct net_buf *buf;
	int err;

	if (inv->reliable) {
		/* RFC 3262 3: starts anywhere in the lower range, then goes up by one. */
		inv->rseq = inv->rseq ? inv->rseq + 1 : 1 + rng_below(1u << 30);
		if (s->dialog->oa != SIP_OA_REMOTE)
			sdp = SPAN_NONE;
	}
	buf = write_response(inv, status, phrase, inv->reliable, SPAN_NONE, sdp);
	if (!buf)
		return -ENOMEM;
	inv->last_status = status;
	if (phrase != inv->last_phrase.p && phrase)
		sip_text_set(&inv->last_phrase, span_of(phrase));
	if (inv->reliable) {
		inv->unacked = true;
		inv->unacked_sdp = sdp.len > 0;
		if (sdp.len) { /* this is the answer */
			s->dialog->oa = SIP_OA_IDLE;
			sip_ses_sent_sdp(s, sdp);
		}
		start_repeating(inv, net_buf_ref(buf));
	} else {
		keep_awake(inv);
	}
	err = sip_stx_send(inv->tx, status, buf);
	return inv->reliable ? 0 : err;
}

static void no_ack(struct sip_uas_invite *inv)
{
	struct sip_session *s = inv->s;

	sip_uas_invite_free(inv);
	if (s->over) {
		if (s->bye_wanted)
			sip_ses_bye(s, span_of(s->end_extra));
		return;
	}
	sip_ses_end(s, SIP_END_NO_ACK, "no ACK for our 200", true,
		    "SIP;cause=408;text=\"no ACK for 200\"", NULL);
}

static void no_prack(struct sip_uas_invite *inv)
{
	struct sip_session *s = inv->s;

	sip_uas_refuse(inv, 504, NULL, SPAN_NONE);
	sip_ses_end(s, SIP_END_NO_PRACK, "no PRACK for our reliable provisional response", false,
		    NULL, NULL);
}

static void repeat(struct sip_uas_invite *inv)
{
	uint64_t t2 = sip_ses_timers(inv->s)->t2_us;

	sip_stx_send(inv->tx, inv->finished ? 200 : inv->last_status, net_buf_ref(inv->repeat));
	inv->interval_us *= 2;
	if (inv->finished && inv->interval_us > t2)
		inv->interval_us = t2;
	loop_timer(sip_ses_loop(inv->s), &inv->timer, inv->interval_us);
}

static void on_timer(struct timer *timer)
{
	struct sip_uas_invite *inv = container_of(timer, struct sip_uas_invite, timer);
	struct sip_session *s = inv->s;
	bool late = sip_ses_loop(s)->now_us >= inv->until_us;

	sip_ses_enter(s);
	if (!inv->finished && !inv->unacked)
		send_18x(inv, inv->last_status, inv->last_phrase.p, SPAN_NONE);
	else if (!late)
		repeat(inv);
	else if (inv->finished)
		no_ack(inv);
	else
		no_prack(inv);
	sip_ses_leave(s);
}

/* ---- CANCEL --------------------------------------------------------------------------------- */

static void on_cancel(void *arg, struct sip_stx *tx, const struct sip_msg *cancel)
{
	struct sip_uas_invite *inv = arg;
	struct sip_session *s = inv->s;
	struct sip_event ev = sip_ses_event(cancel, sip_stx_flow(tx));
	bool initial = inv->initial;

	sip_ses_enter(s);
	if (!inv->finished) {
		sip_uas_refuse(inv, 487, NULL, SPAN_NONE);
		if (!initial)
			sip_offer_withdrawn(s);
		else if (!s->over) {
			sip_ses_finish(s);
			if (s->ops->on_cancel)
				s->ops->on_cancel(s->arg, s, &ev);
		}
	}
	sip_ses_leave(s);
}

static const struct sip_stx_ops stx_ops = { .on_cancel = on_cancel };

/* ---- birth ------------------------------------------------------------------------------------ */

struct sip_uas_invite *sip_uas_invite_new(struct sip_session *s, struct sip_stx *tx,
					  const struct sip_msg *msg)
{
	struct sip_uas_invite *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return NULL;
	inv->s = s;
	inv->tx = tx;
	inv->cseq = msg->cseq;
	inv->offered = sip_body_sdp(msg).len > 0;
	timer_init(&inv->timer, on_timer);
	list_init(&inv->queue);
	list_add_tail(&s->uas_invites, &inv->node);
	s->invite_in = inv;
	sip_stx_user(tx, &stx_ops, inv);
	return inv;
}

/* 0, or the status to refuse it with and the header line that says why. */
static int check_incoming(const struct sip_msg *msg, const struct sip_session_config *config,
			  char *extra, size_t size)
{
	bool requires = sip_lists(msg, SIP_H_REQUIRE, "100rel");
	struct sip_timer_ask ask;
	int status;

	if (!sip_dlg_contact(msg).p) /* 8.1.1.8 */
		return 400;
	if (requires && config->rel100 == SIP_100REL_OFF) {
		snprintf(extra, size, "Unsupported: 100rel\r\n");
		return 420;
	}
	if (!config->timer && sip_lists(msg, SIP_H_REQUIRE, "timer")) {
		snprintf(extra, size, "Unsupported: timer\r\n");
		return 420;
	}
	if (config->rel100 == SIP_100REL_REQUIRED && !requires &&
	    !sip_lists(msg, SIP_H_SUPPORTED, "100rel")) {
		snprintf(extra, size, "Require: 100rel\r\n");
		return 421;
	}
	status = sip_ses_timer_ask(config, msg, &ask);
	if (status == 422)
		snprintf(extra, size, "Min-SE: %u\r\n", sip_ses_timer_min(config));
	return status;
}

/* The record and the dialog. The To value of the INVITE is our address from now on. */
static int incoming(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct span to = sip_header(msg, SIP_H_TO);
	bool requires = sip_lists(msg, SIP_H_REQUIRE, "100rel");
	struct sip_uas_invite *inv;
	int err;

	if (to.len > SES_STRING_MAX || msg->call_id.len > SES_STRING_MAX)
		return -E2BIG;
	err = sip_ses_set_strings(s, msg->call_id, to);
	if (err)
		return err;
	s->dialog = sip_dlg_new(s, msg, flow);
	if (!s->dialog)
		return -E2BIG;
	inv = sip_uas_invite_new(s, tx, msg);
	if (!inv)
		return -ENOMEM;
	inv->initial = true;
	inv->strict_100rel = requires && !inv->offered;
	inv->reliable = inv->offered && s->config.rel100 != SIP_100REL_OFF &&
			(requires || sip_lists(msg, SIP_H_SUPPORTED, "100rel"));
	s->dialog->oa = inv->offered ? SIP_OA_REMOTE : SIP_OA_IDLE;
	sip_ses_seen_sdp(s, sip_body_sdp(msg));
	sip_ses_note_peer(s, msg);
	return 0;
}

int sip_session_incoming(struct sip_session **session_out, struct sip_stack *stack,
			 struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow,
			 const struct sip_session_config *config, const struct sip_session_ops *ops,
			 void *arg, int *status_out)
{
	char extra[64] = "";
	struct sip_session *s = NULL;
	int err = 0;
	int status = check_incoming(msg, config, extra, sizeof(extra));

	if (!status) {
		s = sip_ses_new(stack, config, ops, arg, &err);
		if (s)
			err = incoming(s, tx, msg, flow);
		status = !err ? 0 : err == -E2BIG ? 400 : 503;
	}
	if (!status) {
		*session_out = s;
		return 0;
	}
	if (s)
		sip_ses_destroy(s);
	sip_stx_reply(tx, msg, status,
		      status == 400 ? "Contact, Record-Route or Session-Expires unusable" : NULL,
		      extra[0] ? extra : NULL);
	*status_out = status;
	return err ? err : -EPROTO;
}

/* ---- provisional responses ---------------------------------------------------------------------- */

static int enqueue(struct sip_uas_invite *inv, int status, const char *phrase, struct span sdp)
{
	struct sip_uas_18x *p;

	if (inv->n_queue >= SES_QUEUE_MAX) {
		inv->s->dropped++;
		return -ENOBUFS;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->status = status;
	list_add_tail(&inv->queue, &p->node);
	if ((phrase && sip_text_set(&p->phrase, span_of(phrase))) || sip_text_set(&p->sdp, sdp)) {
		free_18x(p);
		return -ENOMEM;
	}
	inv->n_queue++;
	return 0;
}

int sip_session_progress(struct sip_session *s, int status, const char *phrase, struct span sdp)
{
	struct sip_uas_invite *inv = s->invite_in;

	if (s->over)
		return -ENOTCONN;
	if (!inv || !inv->initial || inv->answering)
		return -EALREADY;
	if (status <= 100 || status >= 200)
		return -EINVAL;
	if (inv->strict_100rel)
		return 0;
	if (!inv->offered)
		sdp = SPAN_NONE;
	if (inv->reliable && inv->unacked)
		return enqueue(inv, status, phrase, sdp);
	return send_18x(inv, status, phrase, sdp);
}

static void next_18x(struct sip_uas_invite *inv)
{
	struct sip_uas_18x *p;

	if (list_empty(&inv->queue)) {
		keep_awake(inv);
		return;
	}
	p = list_entry(inv->queue.next, struct sip_uas_18x, node);
	send_18x(inv, p->status, p->phrase.p, sip_text_span(p->sdp));
	free_18x(p);
	inv->n_queue--;
}

static bool must_wait(const struct sip_uas_invite *inv)
{
	return (inv->unacked && inv->unacked_sdp) || inv->s->peer_offer == PEER_OFFER_PRACK;
}

void sip_uas_continue(struct sip_session *s)
{
	struct sip_uas_invite *inv = s->invite_in;

	if (s->over || !inv || !inv->initial || inv->unacked)
		return;
	if (!inv->answering)
		next_18x(inv);
	else if (!must_wait(inv))
		sip_uas_accept(inv, sip_text_span(inv->answer_sdp),
			       sip_text_span(inv->answer_extra));
}

static struct sip_uas_invite *find_rack(struct sip_session *s, const struct sip_msg *msg)
{
	uint32_t rseq, cseq;
	enum sip_method method;

	if (sip_rack_decode(sip_header(msg, SIP_H_RACK), &rseq, &cseq, &method) ||
	    method != SIP_INVITE)
		return NULL;
	list_for_each (pos, &s->uas_invites) {
		struct sip_uas_invite *inv = list_entry(pos, struct sip_uas_invite, node);

		if (inv->unacked && inv->rseq == rseq && inv->cseq == cseq)
			return inv;
	}
	return NULL;
}

/* RFC 3262 3. */
void sip_uas_prack(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
		   const struct net_flow *flow)
{
	struct sip_uas_invite *inv = find_rack(s, msg);
	struct span sdp = sip_body_sdp(msg);

	if (!inv) {
		sip_ses_reply(s, tx, msg, 481, SPAN_NONE, NULL, SPAN_NONE);
		return;
	}
	inv->unacked = false;
	if (!inv->finished) { /* else `repeat` is the 2xx, which an ACK must stop */
		loop_timer_stop(sip_ses_loop(s), &inv->timer);
		net_buf_unref(&inv->repeat);
	}
	if (sdp.len)
		sip_offer_prack_in(s, tx, msg, flow, sdp);
	else
		sip_ses_reply(s, tx, msg, 200, SPAN_NONE, NULL, SPAN_NONE);
	sip_uas_continue(s);
}

/* ---- final responses ------------------------------------------------------------------------------ */

/* The SDP that belongs into the 2xx, or -EINVAL if it is needed and not given. */
static int settle_sdp(struct sip_uas_invite *inv, struct span *sdp)
{
	struct sip_dlg *d = inv->s->dialog;

	if (inv->offered && d->oa != SIP_OA_REMOTE) {
		*sdp = SPAN_NONE; /* answered in a reliable provisional: no more here (13.2.1) */
		return 0;
	}
	return sdp->len ? 0 : -EINVAL;
}

int sip_uas_accept(struct sip_uas_invite *inv, struct span sdp, struct span extra)
{
	struct sip_session *s = inv->s;
	struct net_buf *buf;
	struct sip_msg req;
	int err = settle_sdp(inv, &sdp);

	if (err)
		return err;
	buf = write_response(inv, 200, NULL, false, extra, sdp);
	if (!buf)
		return -ENOMEM;
	if (!inv->initial && sip_stx_request(inv->tx, &req) == 0)
		sip_dlg_retarget(s->dialog, sip_dlg_contact(&req));
	drop_queue(inv);
	inv->finished = true;
	inv->our_offer = !inv->offered;
	s->invite_in = NULL;
	s->confirmed = true;
	s->dialog->oa = inv->our_offer ? SIP_OA_LOCAL : SIP_OA_IDLE;
	sip_ses_sent_sdp(s, sdp);
	start_repeating(inv, net_buf_ref(buf));
	sip_stx_send(inv->tx, 200, buf); /* if it does not arrive it is repeated */
	return 0;
}

int sip_session_answer(struct sip_session *s, struct span sdp, struct span extra)
{
	struct sip_uas_invite *inv = s->invite_in;

	if (s->over)
		return -ENOTCONN;
	if (!inv || !inv->initial || inv->answering)
		return -EALREADY;
	if (!must_wait(inv))
		return sip_uas_accept(inv, sdp, extra);
	if (sip_text_set(&inv->answer_sdp, sdp) || sip_text_set(&inv->answer_extra, extra))
		return -ENOMEM;
	inv->answering = true;
	drop_queue(inv);
	return 0;
}

void sip_uas_refuse(struct sip_uas_invite *inv, int status, const char *phrase, struct span extra)
{
	struct net_buf *buf = write_response(inv, status, phrase, false, extra, SPAN_NONE);
	struct sip_stx *tx = inv->tx;
	struct sip_msg req;

	inv->tx = NULL;
	sip_stx_user(tx, NULL, NULL);
	if (buf)
		sip_stx_send(tx, status, buf);
	else if (sip_stx_request(tx, &req) == 0)
		sip_stx_reply(tx, &req, status, NULL, NULL);
	sip_uas_invite_free(inv);
}

void sip_session_refuse(struct sip_session *s, int status, const char *phrase, struct span extra)
{
	if (s->over || !s->invite_in || !s->invite_in->initial)
		return;
	sip_ses_enter(s);
	sip_uas_refuse(s->invite_in, status < 300 ? 500 : status, phrase, extra);
	sip_ses_finish(s);
	sip_ses_leave(s);
}

/* ---- ACK ------------------------------------------------------------------------------------------ */

static struct sip_uas_invite *find_finished(struct sip_session *s, uint32_t cseq)
{
	list_for_each (pos, &s->uas_invites) {
		struct sip_uas_invite *inv = list_entry(pos, struct sip_uas_invite, node);

		if (inv->finished && inv->cseq == cseq)
			return inv;
	}
	return NULL;
}

void sip_uas_ack(struct sip_session *s, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct sip_uas_invite *inv = find_finished(s, msg->cseq);
	struct sip_event ev = sip_ses_event(msg, flow);
	bool missing;

	if (!inv)
		return; /* repeated */
	if (inv->our_offer)
		s->dialog->oa = SIP_OA_IDLE;
	else
		ev.sdp = SPAN_NONE;
	sip_ses_seen_sdp(s, ev.sdp);
	missing = inv->initial && inv->our_offer && !ev.sdp.len;
	sip_uas_invite_free(inv);
	if (s->over && s->bye_wanted)
		sip_ses_bye(s, span_of(s->end_extra));
	else if (missing)
		sip_ses_end(s, SIP_END_PROTOCOL, "the ACK carried no answer to our offer", true,
			    NULL, &ev);
	else
		SES_TELL(s, on_ack, &ev);
}
