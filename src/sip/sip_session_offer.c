/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Offers after the first, and session refreshes: re-INVITE (RFC 3261 14), UPDATE (RFC 3311), PRACK with
 * SDP (RFC 3262 5).
 *
 * One offer at a time in a dialog (RFC 3264 4, RFC 6337 table 2). What comes while ours is under way gets
 * 491, what comes while theirs is gets 500 with Retry-After (3261 14.2, 3311 5.2). When ours gets the 491, it is
 * tried again after a time that depends on who made the Call-ID, so that both sides do not
 * meet again (14.1).
 *
 * A re-INVITE or UPDATE that repeats the peer's SDP to the byte only refreshes the session: we
 * repeat ours and nobody is troubled. */
#include "sip/sip_session_int.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_AFTER_MAX_S 10

uint64_t sip_ses_glare_unit_us = 10 * MSEC;

/* ---- ours: sending -------------------------------------------------------------------------- */

void sip_offer_free(struct sip_session *s)
{
	struct sip_ses_offer *o = s->offer;

	if (!o)
		return;
	loop_timer_stop(sip_ses_loop(s), &o->timer);
	sip_text_free(&o->sdp);
	free(o);
	s->offer = NULL;
}

/* 14.1: no INVITE while another is under way in either direction. */
static bool invites_busy(const struct sip_session *s)
{
	return s->invite_out || sip_uas_busy(s);
}

static bool may_update(const struct sip_session *s)
{
	return s->config.update && !s->no_update && sip_session_peer_allows(s, SIP_UPDATE);
}

/* Does this offer of ours occupy the dialog? A refreshing UPDATE without SDP does not. */
static bool occupies(const struct sip_ses_offer *o)
{
	return !o->update || o->sdp.len;
}

static int send_offer(struct sip_session *s)
{
	struct sip_ses_offer *o = s->offer;
	uint8_t before = s->dialog->oa;
	int err;

	o->sending = true;
	if (occupies(o))
		s->dialog->oa = SIP_OA_LOCAL;
	err = o->update ? sip_ses_send_request(s, s->dialog, SES_OFFER, SPAN("UPDATE"), SPAN_NONE,
					       "application/sdp", sip_text_span(o->sdp), NULL)
			: sip_uac_reinvite(s);
	if (err) {
		o->sending = false;
		s->dialog->oa = before;
	}
	return err;
}

/* 14.1: 2.1 to 4 s for the owner of the Call-ID, up to 2 s for the other, in steps of 10 ms. */
static void wait_glare(struct sip_session *s)
{
	uint32_t units = s->uac ? 210 + rng_below(191) : rng_below(201);

	loop_timer(sip_ses_loop(s), &s->offer->timer, units * sip_ses_glare_unit_us);
}

static void on_glare_over(struct timer *timer)
{
	struct sip_ses_offer *o = container_of(timer, struct sip_ses_offer, timer);
	struct sip_session *s = o->s;
	struct sip_event ev = { .text = "the offer could not be sent again" };
	int err;

	sip_ses_enter(s);
	if (s->peer_offer || s->dialog->oa != SIP_OA_IDLE || (!o->update && invites_busy(s))) {
		wait_glare(s);
	} else {
		err = send_offer(s);
		ev.err = -err;
		if (err)
			sip_offer_done(s, &ev);
	}
	sip_ses_leave(s);
}

static int offer_new(struct sip_session *s, struct span sdp, bool update, bool refresh)
{
	struct sip_ses_offer *o = calloc(1, sizeof(*o));
	int err;

	if (!o || (sdp.len && sip_text_set(&o->sdp, sdp))) {
		free(o);
		return -ENOMEM;
	}
	o->s = s;
	o->update = update;
	o->refresh = refresh;
	timer_init(&o->timer, on_glare_over);
	s->offer = o;
	err = send_offer(s);
	if (err)
		sip_offer_free(s);
	return err;
}

/* RFC 3311 5.1: early, only once the INVITE's own exchange is over, and that reliably. */
static int may_offer_early(const struct sip_session *s, bool update)
{
	const struct sip_uas_invite *in = s->invite_in;

	if (!update)
		return -EOPNOTSUPP;
	if (s->uac)
		return s->invite_out && s->invite_out->offered ? 0 : -EOPNOTSUPP;
	if (!in || !in->reliable)
		return -EOPNOTSUPP;
	return in->unacked_sdp && in->unacked ? -EBUSY : 0;
}

int sip_session_offer(struct sip_session *s, struct span sdp)
{
	bool update = sdp.len && may_update(s);
	int err = 0;

	if (s->over)
		return -ENOTCONN;
	if (!s->dialog)
		return -EOPNOTSUPP;
	/* A refresh that only waits for its second try gives way: this offer refreshes too. */
	if (s->offer && s->offer->refresh && !s->offer->sending)
		sip_offer_free(s);
	if (!s->confirmed)
		err = may_offer_early(s, update);
	if (err)
		return err;
	if (s->offer || s->peer_offer || s->dialog->oa != SIP_OA_IDLE ||
	    (!update && invites_busy(s)))
		return -EBUSY;
	return offer_new(s, sdp, update, false);
}

int sip_offer_refresh(struct sip_session *s)
{
	bool update = may_update(s);

	if (s->offer || s->peer_offer || s->dialog->oa != SIP_OA_IDLE ||
	    (!update && invites_busy(s)))
		return -EBUSY;
	if (!update && !s->sent_sdp.len)
		return -ENODATA;
	return offer_new(s, update ? SPAN_NONE : sip_text_span(s->sent_sdp), update, true);
}

/* ---- ours: outcome ---------------------------------------------------------------------------- */

bool sip_ses_gone(struct sip_session *s, const struct sip_event *ev)
{
	bool timeout = ev->status == 408 || ev->err == ETIMEDOUT;

	if (s->over || (!timeout && ev->status != 481))
		return false;
	/* 481: they know of no dialog that a BYE could end. */
	sip_ses_end(s, SIP_END_DIALOG_GONE,
		    timeout ? "the peer does not answer within the dialog"
			    : "the peer knows nothing of the dialog",
		    timeout, timeout ? "SIP;cause=408;text=\"no answer within the dialog\"" : NULL,
		    ev);
	return true;
}

static void refresh_failed(struct sip_session *s, const struct sip_event *ev)
{
	/* RFC 5057 5.1: responses after which there is no dialog; others leave it (14.1). */
	static const uint16_t fatal[] = { 404, 410, 416, 482, 483, 484, 485, 502, 604 };

	sip_offer_free(s);
	if (ev->err && ev->err != ETIMEDOUT) {
		sip_ses_end(s, SIP_END_TRANSPORT, ev->text, true, NULL, ev);
		return;
	}
	if (ev->err || ev->status == 408 || ev->status == 481) {
		sip_ses_end(s, SIP_END_REFRESH_UNANSWERED, "our session refresh was not answered",
			    true, "SIP;cause=408;text=\"Session refresh unanswered\"", ev);
		return;
	}
	s->refresh_refused = true;
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
		if (ev->status == fatal[i]) {
			sip_ses_end(s, SIP_END_REFRESH_REJECTED,
				    "the peer refused our session refresh", true,
				    "SIP;cause=408;text=\"Session refresh refused\"", ev);
			return;
		}
	}
}

/* Things that a second try cures. True: it is under way or waits. */
static bool try_again(struct sip_session *s, const struct sip_event *ev)
{
	struct sip_ses_offer *o = s->offer;

	if (ev->status == 491 && o->tries < SES_GLARE_TRIES) {
		o->tries++;
		wait_glare(s);
		return true;
	}
	if (!o->update || !s->confirmed)
		return false;
	if (ev->msg && o->tries < SES_GLARE_TRIES && sip_ses_timer_raise(s, ev->msg)) {
		o->tries++;
		return send_offer(s) == 0;
	}
	if (ev->status != 405 && ev->status != 501)
		return false;
	s->no_update = true; /* whatever their Allow says */
	if (o->refresh && sip_text_set(&o->sdp, sip_text_span(s->sent_sdp)))
		return false;
	o->update = false;
	return o->sdp.len && !invites_busy(s) && send_offer(s) == 0;
}

static void refused(struct sip_session *s, const struct sip_event *ev)
{
	if (occupies(s->offer))
		s->dialog->oa = SIP_OA_IDLE;
	s->offer->sending = false;
	if (try_again(s, ev))
		return;
	if (s->offer->refresh) {
		refresh_failed(s, ev);
		return;
	}
	sip_offer_free(s);
	SES_TELL(s, on_offer_result, ev);
	sip_ses_gone(s, ev);
}

static void no_sdp(struct sip_session *s, const struct sip_event *ev)
{
	sip_ses_end(s, SIP_END_PROTOCOL, "the 2xx carried no answer to our offer", true, NULL, ev);
}

/* A re-INVITE of ours without SDP: the 2xx is their offer, our ACK will be the answer. */
static void accepted_with_offer(struct sip_session *s, const struct sip_event *ev)
{
	s->dialog->oa = SIP_OA_REMOTE;
	s->offer->await_ack = true;
	sip_ses_seen_sdp(s, ev->sdp);
	SES_TELL(s, on_offer_result, ev);
}

static void accepted(struct sip_session *s, const struct sip_event *ev)
{
	struct sip_ses_offer *o = s->offer;
	bool refresh = o->refresh;

	o->sending = false;
	if (o->update && ev->msg) {
		sip_dlg_retarget(s->dialog, sip_dlg_contact(ev->msg));
		if (s->confirmed)
			sip_ses_timer_granted(s, ev->msg);
	}
	if (occupies(o) && !ev->sdp.len && !refresh) { /* a refresh without SDP still says: alive */
		no_sdp(s, ev);
		return;
	}
	if (!o->update && !o->sdp.len) {
		accepted_with_offer(s, ev);
		return;
	}
	if (occupies(o)) {
		s->dialog->oa = SIP_OA_IDLE;
		sip_ses_seen_sdp(s, ev->sdp);
		sip_ses_sent_sdp(s, sip_text_span(o->sdp));
	}
	sip_offer_free(s);
	if (!refresh)
		SES_TELL(s, on_offer_result, ev);
}

void sip_offer_done(struct sip_session *s, const struct sip_event *ev)
{
	if (s->over || !s->offer)
		return;
	if (!ev->err && ev->status / 100 == 2)
		accepted(s, ev);
	else
		refused(s, ev);
}

int sip_session_ack(struct sip_session *s, struct span sdp)
{
	int err;

	if (s->over)
		return -ENOTCONN;
	if (!s->dialog || s->dialog->oa != SIP_OA_REMOTE || s->peer_offer)
		return -EALREADY;
	err = sip_uac_ack(s, sdp);
	if (err)
		return err;
	s->dialog->oa = SIP_OA_IDLE;
	sip_ses_sent_sdp(s, sdp);
	if (s->offer && s->offer->await_ack)
		sip_offer_free(s);
	return 0;
}

/* ---- theirs: coming in -------------------------------------------------------------------------- */

static void reply(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg, int status)
{
	sip_ses_reply(s, tx, msg, status, SPAN_NONE, NULL, SPAN_NONE);
}

/* 14.2, RFC 3311 5.2: 500 with a Retry-After drawn from 0 to 10 s. */
static void reply_later(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg)
{
	char line[40];
	int n = snprintf(line, sizeof(line), "Retry-After: %u\r\n",
			 rng_below(RETRY_AFTER_MAX_S + 1));

	sip_ses_reply(s, tx, msg, 500, (struct span){ line, (size_t)n }, NULL, SPAN_NONE);
}

/* RFC 4028 9 holds for refreshes too. False: answered. */
static bool timer_suits(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg)
{
	struct sip_timer_ask ask;
	char line[40] = "";
	int status = sip_ses_timer_ask(&s->config, msg, &ask);

	if (!status)
		return true;
	if (status == 422)
		snprintf(line, sizeof(line), "Min-SE: %u\r\n", sip_ses_timer_min(&s->config));
	sip_ses_reply(s, tx, msg, status, span_of(line), NULL, SPAN_NONE);
	return false;
}

static bool is_refresh(const struct sip_session *s, struct span sdp)
{
	return sdp.len && s->sent_sdp.len && s->seen_sdp == sip_ses_hash_sdp(sdp);
}

static void tell_offer(struct sip_session *s, enum sip_peer_offer kind, struct sip_stx *tx,
		       const struct sip_msg *msg, const struct net_flow *flow, struct span sdp)
{
	struct sip_event ev = sip_ses_event(msg, flow);

	s->dialog->oa = SIP_OA_REMOTE;
	s->peer_offer = (uint8_t)kind;
	s->peer_tx = tx;
	s->offered_sdp = sip_ses_hash_sdp(sdp);
	if (s->ops->on_offer)
		s->ops->on_offer(s->arg, s, &ev);
	else
		sip_session_reject(s, 488, SPAN_NONE);
}

/* Our own INVITE or offer stands in the way of theirs: 491. */
static bool ours_under_way(const struct sip_session *s)
{
	const struct sip_ses_offer *o = s->offer;

	return s->invite_out || (o && (o->await_ack || (o->sending && occupies(o)))) ||
	       s->dialog->oa == SIP_OA_LOCAL;
}

void sip_offer_reinvite_in(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx,
			   const struct sip_msg *msg, const struct net_flow *flow)
{
	struct span sdp = sip_body_sdp(msg);
	struct sip_uas_invite *inv;

	if (ours_under_way(s)) {
		reply(s, tx, msg, 491);
		return;
	}
	if (s->invite_in || s->peer_offer || d->oa == SIP_OA_REMOTE) {
		reply_later(s, tx, msg);
		return;
	}
	if (!timer_suits(s, tx, msg))
		return;
	inv = sip_uas_invite_new(s, tx, msg);
	if (!inv) {
		reply(s, tx, msg, 500);
		return;
	}
	if (is_refresh(s, sdp)) {
		d->oa = SIP_OA_REMOTE;
		if (sip_uas_accept(inv, sip_text_span(s->sent_sdp), SPAN_NONE) == 0)
			return;
	}
	tell_offer(s, PEER_OFFER_INVITE, NULL, msg, flow, sdp);
}

void sip_offer_update_in(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx,
			 const struct sip_msg *msg, const struct net_flow *flow)
{
	struct span sdp = sip_body_sdp(msg);

	if (!s->config.update) {
		reply(s, tx, msg, 405);
		return;
	}
	if (s->peer_offer == PEER_OFFER_UPDATE ||
	    (sdp.len && (s->peer_offer || d->oa == SIP_OA_REMOTE))) {
		reply_later(s, tx, msg);
		return;
	}
	if (sdp.len && d->oa == SIP_OA_LOCAL) {
		reply(s, tx, msg, 491);
		return;
	}
	if (!timer_suits(s, tx, msg))
		return;
	if (sdp.len && !is_refresh(s, sdp)) {
		tell_offer(s, PEER_OFFER_UPDATE, tx, msg, flow, sdp);
		return;
	}
	sip_dlg_retarget(d, sip_dlg_contact(msg));
	sip_ses_reply(s, tx, msg, 200, SPAN_NONE, "application/sdp",
		      sdp.len ? sip_text_span(s->sent_sdp) : SPAN_NONE);
}

void sip_offer_prack_in(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
			const struct net_flow *flow, struct span sdp)
{
	if (s->dialog->oa == SIP_OA_LOCAL)
		reply(s, tx, msg, 491);
	else if (s->dialog->oa == SIP_OA_REMOTE || s->peer_offer)
		reply_later(s, tx, msg);
	else
		tell_offer(s, PEER_OFFER_PRACK, tx, msg, flow, sdp);
}

/* ---- theirs: answered ----------------------------------------------------------------------------- */

void sip_offer_withdrawn(struct sip_session *s)
{
	if (s->peer_offer != PEER_OFFER_INVITE)
		return;
	s->peer_offer = PEER_OFFER_NONE;
	s->dialog->oa = SIP_OA_IDLE;
}

static int accept_request(struct sip_session *s, struct span sdp)
{
	struct sip_stx *tx = s->peer_tx;
	struct sip_msg req;

	if (!sdp.len)
		return -EINVAL;
	if (sip_stx_request(tx, &req))
		return -ENOMEM;
	if (s->peer_offer == PEER_OFFER_UPDATE)
		sip_dlg_retarget(s->dialog, sip_dlg_contact(&req));
	s->peer_tx = NULL;
	s->dialog->oa = SIP_OA_IDLE;
	sip_ses_sent_sdp(s, sdp);
	sip_ses_reply(s, tx, &req, 200, SPAN_NONE, "application/sdp", sdp);
	return 0;
}

int sip_session_accept(struct sip_session *s, struct span sdp)
{
	uint8_t kind = s->peer_offer;
	int err;

	if (s->over)
		return -ENOTCONN;
	if (kind == PEER_OFFER_NONE)
		return -ECANCELED;
	err = kind == PEER_OFFER_INVITE ? sip_uas_accept(s->invite_in, sdp, SPAN_NONE)
					: accept_request(s, sdp);
	if (err)
		return err;
	s->peer_offer = PEER_OFFER_NONE;
	if (s->offered_sdp)
		s->seen_sdp = s->offered_sdp;
	if (kind == PEER_OFFER_PRACK)
		sip_uas_continue(s);
	return 0;
}

void sip_session_reject(struct sip_session *s, int status, struct span extra)
{
	uint8_t kind = s->peer_offer;
	struct sip_stx *tx = s->peer_tx;
	struct sip_msg req;

	if (s->over || kind == PEER_OFFER_NONE)
		return;
	if (status < 300)
		status = 488;
	s->peer_offer = PEER_OFFER_NONE;
	s->peer_tx = NULL;
	s->dialog->oa = SIP_OA_IDLE;
	if (kind == PEER_OFFER_INVITE)
		sip_uas_refuse(s->invite_in, status, NULL, extra);
	else if (sip_stx_request(tx, &req) == 0)
		sip_ses_reply(s, tx, &req, status, extra, NULL, SPAN_NONE);
	if (kind == PEER_OFFER_PRACK)
		sip_uas_continue(s);
}
