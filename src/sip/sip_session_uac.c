/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INVITE as client, the first of a session and re-INVITEs alike.
 *
 * The first may fork (RFC 3261 13.2.2.4): each To tag in a provisional makes an early dialog, the
 * one heard last is current and its reliable provisionals are acknowledged in its own CSeq order.
 * The dialog of the first 2xx becomes the session's and the others are dropped; a 2xx that still comes from one
 * of them is ACKed and BYEd. The ACK is no stored message: it is written anew from the dialog
 * each time the 2xx is repeated. The record lives as long as the client transaction, that is
 * until no 2xx can come any more. */
#include "sip/sip_session_int.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIES_422 3

static const struct sip_ctx_ops invite_ops;

void sip_uac_invite_free(struct sip_uac_invite *inv)
{
	if (inv->ctx)
		sip_ctx_abandon(inv->ctx);
	if (inv->s->invite_out == inv)
		inv->s->invite_out = NULL;
	list_del(&inv->node);
	sip_auth_free(&inv->auth);
	sip_text_free(&inv->ack_sdp);
	free(inv->strings);
	free(inv);
}

static struct sip_uac_invite *invite_new(struct sip_session *s)
{
	struct sip_uac_invite *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return NULL;
	inv->s = s;
	list_add_tail(&s->uac_invites, &inv->node);
	s->invite_out = inv;
	return inv;
}

/* ---- writing and sending ---------------------------------------------------------------- */

static void write_initial_head(struct sip_writer *w, struct sip_uac_invite *inv)
{
	struct sip_session *s = inv->s;

	sip_write_request_line(w, SPAN("INVITE"), inv->uri);
	sip_ctx_write_via(w, inv->ctx);
	SIP_PUT(w, "Max-Forwards: ");
	sip_putu(w, (unsigned)inv->max_forwards);
	SIP_PUT(w, "\r\n");
	sip_write_header(w, SIP_H_FROM, s->local);
	sip_write_header(w, SIP_H_TO, inv->to);
	sip_write_header(w, SIP_H_CALL_ID, s->call_id);
	sip_write_cseq(w, inv->cseq, SPAN("INVITE"));
}

static struct net_buf *write_invite(struct sip_uac_invite *inv)
{
	struct sip_session *s = inv->s;
	struct span sdp = inv->initial ? inv->sdp : sip_text_span(s->offer->sdp);
	struct span uri = inv->initial ? inv->uri : sip_dlg_request_uri(s->dialog);
	size_t own = inv->initial ? inv->uri.len + inv->to.len + inv->extra.len + s->local.len
				  : sip_dlg_size(s->dialog);
	struct sip_writer w;

	sip_write_begin(&w, SES_HEAD_BYTES + own + sip_auth_size(&inv->auth) + sdp.len);
	if (inv->initial)
		write_initial_head(&w, inv);
	else
		sip_dlg_write_head(&w, s->dialog, inv->ctx, SPAN("INVITE"), inv->cseq);
	sip_ses_write_contact(&w, s, sip_ctx_flow(inv->ctx));
	sip_ses_write_allow(&w, s);
	/* A late offer's first SDP must come in the 2xx, so no reliable provisionals then; nor in re-INVITEs. */
	sip_ses_write_supported(&w, s, inv->initial && inv->offered);
	if (inv->initial && inv->offered && s->config.rel100 == SIP_100REL_REQUIRED)
		sip_write_header(&w, SIP_H_REQUIRE, SPAN("100rel"));
	sip_ses_timer_write_request(&w, s, inv->initial);
	sip_ses_write_product(&w, s, false);
	sip_put(&w, inv->extra);
	sip_auth_write(&inv->auth, s, &w, SPAN("INVITE"), uri);
	return sip_finish(&w, "application/sdp", sdp);
}

static int launch_once(struct sip_uac_invite *inv)
{
	struct sip_session *s = inv->s;
	struct net_buf *buf;
	int err;

	inv->ctx = sip_ctx_new(s->stack, SIP_INVITE, inv->initial ? &inv->flow : &s->dialog->flow,
			       &invite_ops, inv);
	if (!inv->ctx)
		return -ENOBUFS;
	inv->cseq = ++s->cseq;
	buf = write_invite(inv);
	if (!buf) {
		sip_ctx_abandon(inv->ctx);
		inv->ctx = NULL;
		return -EMSGSIZE;
	}
	err = sip_ctx_send(inv->ctx, buf, s->config.keep_udp);
	if (err)
		inv->ctx = NULL;
	return err;
}

static int launch(struct sip_uac_invite *inv)
{
	int err = launch_once(inv);

	if (err == -EPIPE && !inv->initial && sip_dlg_reconnect(inv->s->dialog) == 0)
		err = launch_once(inv);
	return err;
}

static struct net_buf *write_ack(struct sip_uac_invite *inv, struct sip_dlg *d)
{
	struct sip_session *s = inv->s;
	struct span sdp = d == s->dialog ? sip_text_span(inv->ack_sdp) : SPAN_NONE;
	struct sip_writer w;

	sip_write_begin(&w, sip_dlg_size(d) + inv->auth.lines.len + sdp.len);
	sip_dlg_write_head(&w, d, NULL, SPAN("ACK"), inv->cseq);
	sip_ses_write_product(&w, s, false);
	sip_put(&w, sip_text_span(inv->auth.lines));
	return sip_finish(&w, "application/sdp", sdp);
}

static void send_ack(struct sip_uac_invite *inv, struct sip_dlg *d)
{
	struct net_buf *buf;

	inv->ack_waiting = d->resolve != NULL;
	if (inv->ack_waiting)
		return;
	buf = write_ack(inv, d);
	if (buf && sip_stack_send(inv->s->stack, &d->flow, buf) == -EPIPE &&
	    sip_dlg_reconnect(d) == 0) {
		buf = write_ack(inv, d);
		if (buf)
			sip_stack_send(inv->s->stack, &d->flow, buf);
	}
}

static void ack_now(struct sip_uac_invite *inv)
{
	inv->acked = true;
	send_ack(inv, inv->s->dialog);
}

int sip_uac_ack(struct sip_session *s, struct span sdp)
{
	list_for_each (pos, &s->uac_invites) {
		struct sip_uac_invite *inv = list_entry(pos, struct sip_uac_invite, node);

		if (!inv->answered || inv->acked)
			continue;
		if (sip_text_set(&inv->ack_sdp, sdp))
			return -ENOMEM;
		ack_now(inv);
		return 0;
	}
	return -ENOENT;
}

/* ---- provisional responses --------------------------------------------------------------- */

/* RFC 3262 4: taken in order, once each. */
static bool in_order(struct sip_dlg *d, uint32_t rseq)
{
	if (d->rseq && rseq != d->rseq + 1)
		return false;
	d->rseq = rseq;
	return true;
}

static void send_prack(struct sip_uac_invite *inv, struct sip_dlg *d)
{
	char rack[64];
	int n = snprintf(rack, sizeof(rack), "RAck: %u %u INVITE\r\n", d->rseq, inv->cseq);

	sip_ses_send_request(inv->s, d, SES_PRACK, SPAN("PRACK"), (struct span){ rack, (size_t)n },
			     NULL, SPAN_NONE, NULL);
}

/* The early dialog of this To tag; NULL: too many, or not to be had. */
static struct sip_dlg *early_dialog(struct sip_uac_invite *inv, const struct sip_msg *msg,
				    const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_dlg *d = sip_dlg_find(s, msg->to_tag);

	if (d)
		return d;
	if (s->n_dialogs < SES_DIALOGS_MAX)
		d = sip_dlg_new(s, msg, flow);
	if (d)
		d->oa = inv->offered ? SIP_OA_LOCAL : SIP_OA_IDLE;
	else
		s->dropped++;
	return d;
}

/* SDP in a provisional: the answer if it is reliable, else only a foretaste of it (RFC 6337 2.1, 3.1.1).
 * Once the answer is here, further SDP means nothing (RFC 3261 13.2.1). */
static void provisional_sdp(struct sip_uac_invite *inv, struct sip_dlg *d, bool reliable,
			    struct sip_event *ev)
{
	if (!ev->sdp.len)
		return;
	if (d->oa != SIP_OA_LOCAL) {
		ev->sdp = SPAN_NONE;
		return;
	}
	sip_ses_seen_sdp(inv->s, ev->sdp);
	if (reliable) {
		d->oa = SIP_OA_IDLE;
		sip_ses_sent_sdp(inv->s, inv->sdp);
	} else {
		d->preview = true;
	}
}

static void progress(struct sip_uac_invite *inv, const struct sip_msg *msg,
		     const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_event ev = sip_ses_event(msg, flow);
	struct sip_dlg *d = NULL;
	uint32_t rseq = 0;
	bool reliable;

	if (msg->to_tag.len) {
		d = early_dialog(inv, msg, flow);
		if (!d)
			return;
		ev.early_dialog_changed = s->dialog && s->dialog != d;
	}
	reliable = d && inv->offered && s->config.rel100 != SIP_100REL_OFF &&
		   sip_lists(msg, SIP_H_REQUIRE, "100rel") &&
		   span_to_u32(sip_header(msg, SIP_H_RSEQ), &rseq) == 0 && rseq;
	if (reliable && !in_order(d, rseq))
		return;
	if (d) {
		s->dialog = d;
		sip_dlg_heard(d, flow);
		provisional_sdp(inv, d, reliable, &ev);
	}
	if (reliable)
		send_prack(inv, d);
	SES_TELL(s, on_progress, &ev);
}

static void provisional(struct sip_uac_invite *inv, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	struct sip_session *s = inv->s;

	if (s->over || !inv->initial || inv->answered)
		return;
	if (msg->status > 100) {
		progress(inv, msg, flow);
	} else if (!inv->trying) {
		inv->trying = true;
		if (s->ops->on_trying)
			s->ops->on_trying(s->arg, s);
	}
}

/* ---- 2xx ---------------------------------------------------------------------------------- */

static void drop_other_dialogs(struct sip_session *s, const struct sip_dlg *keep)
{
	list_for_each_safe (pos, tmp, &s->dialogs) {
		struct sip_dlg *d = list_entry(pos, struct sip_dlg, node);

		if (d != keep)
			sip_dlg_free(d);
	}
}

/* 13.2.2.4: each 2xx of another fork makes a dialog of its own, to be ended at once. */
static void other_fork(struct sip_uac_invite *inv, struct sip_dlg *d, const struct sip_msg *msg,
		       const struct net_flow *flow)
{
	struct sip_session *s = inv->s;

	if (d) { /* repeated: the BYE is on its way */
		send_ack(inv, d);
		return;
	}
	d = s->n_dialogs < SES_DIALOGS_MAX ? sip_dlg_new(s, msg, flow) : NULL;
	if (!d) {
		s->dropped++;
		return;
	}
	sip_resolve_cancel(&d->resolve); /* not worth the wait: back to where it came from */
	send_ack(inv, d);
	sip_ses_send_request(s, d, SES_BYE, SPAN("BYE"), SPAN_NONE, NULL, SPAN_NONE, NULL);
}

static struct sip_dlg *confirm_dialog(struct sip_uac_invite *inv, const struct sip_msg *msg,
				      const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_dlg *d = sip_dlg_find(s, msg->to_tag);

	drop_other_dialogs(s, d);
	if (d && sip_dlg_learn(d, msg, flow))
		return NULL;
	if (!d) {
		d = sip_dlg_new(s, msg, flow);
		if (!d)
			return NULL;
		d->oa = inv->offered ? SIP_OA_LOCAL : SIP_OA_IDLE;
	}
	s->dialog = d;
	s->confirmed = true;
	return d;
}

/* What the INVITE was written from is no longer needed. */
static void forget_parts(struct sip_uac_invite *inv)
{
	free(inv->strings);
	inv->strings = NULL;
	inv->uri = inv->to = inv->extra = inv->sdp = SPAN_NONE;
}

static void answered_with_offer(struct sip_uac_invite *inv, struct sip_event *ev)
{
	struct sip_session *s = inv->s;

	forget_parts(inv);
	if (!ev->sdp.len) {
		ack_now(inv);
		sip_ses_end(s, SIP_END_PROTOCOL,
			    "the 2xx to an INVITE without SDP carried no offer", true, NULL, ev);
		return;
	}
	s->dialog->oa = SIP_OA_REMOTE;
	sip_ses_seen_sdp(s, ev->sdp);
	SES_TELL(s, on_answer, ev);
}

static void answered(struct sip_uac_invite *inv, struct sip_event *ev)
{
	struct sip_session *s = inv->s;
	struct sip_dlg *d = s->dialog;

	ack_now(inv);
	if (d->oa == SIP_OA_LOCAL) {
		/* Gateways that say it in 183 and not again are understood. */
		if (!ev->sdp.len && !d->preview) {
			sip_ses_end(s, SIP_END_PROTOCOL, "the 2xx carried no answer to our offer",
				    true, NULL, ev);
			return;
		}
		d->oa = SIP_OA_IDLE;
		sip_ses_seen_sdp(s, ev->sdp);
		sip_ses_sent_sdp(s, inv->sdp);
	} else {
		ev->sdp = SPAN_NONE;
	}
	forget_parts(inv);
	SES_TELL(s, on_answer, ev);
}

static void first_2xx(struct sip_uac_invite *inv, const struct sip_msg *msg,
		      const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_event ev = sip_ses_event(msg, flow);

	if (!confirm_dialog(inv, msg, flow)) {
		sip_ses_end(s, SIP_END_PROTOCOL,
			    "the 2xx made no dialog: no usable Contact or route set, or no memory",
			    false, NULL, &ev);
		return;
	}
	if (s->over) { /* CANCEL and 2xx crossed (9.1, 15) */
		ack_now(inv);
		sip_ses_bye(s, span_of(s->end_extra));
		return;
	}
	sip_ses_timer_granted(s, msg);
	if (inv->offered)
		answered(inv, &ev);
	else
		answered_with_offer(inv, &ev);
}

static void reinvite_2xx(struct sip_uac_invite *inv, const struct sip_msg *msg,
			 const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_event ev = sip_ses_event(msg, flow);

	sip_dlg_retarget(s->dialog, sip_dlg_contact(msg));
	if (inv->offered || s->over || !ev.sdp.len)
		ack_now(inv);
	if (s->over)
		return;
	sip_ses_timer_granted(s, msg);
	sip_offer_done(s, &ev);
}

static void success(struct sip_uac_invite *inv, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_dlg *d = inv->initial ? sip_dlg_find(s, msg->to_tag) : s->dialog;

	if (!inv->answered) {
		inv->answered = true;
		s->invite_out = NULL;
		if (inv->initial)
			first_2xx(inv, msg, flow);
		else
			reinvite_2xx(inv, msg, flow);
	} else if (!d || d != s->dialog) {
		other_fork(inv, d, msg, flow);
	} else if (inv->acked) {
		send_ack(inv, d);
	}
}

/* ---- failure ------------------------------------------------------------------------------ */

/* No more of this INVITE. */
static void failed(struct sip_uac_invite *inv, struct sip_event *ev)
{
	struct sip_session *s = inv->s;
	bool initial = inv->initial, tell = !s->over;

	sip_uac_invite_free(inv);
	if (!tell)
		return;
	if (!initial) {
		sip_offer_done(s, ev);
		return;
	}
	sip_ses_finish(s);
	if (s->ops->on_failed)
		s->ops->on_failed(s->arg, s, ev);
}

/* Written anew: other CSeq and branch, same Call-ID, From and To (8.1.3.5). What early dialogs there were went
 * with the final response. */
static void again(struct sip_uac_invite *inv, struct sip_event *ev)
{
	int err;

	if (inv->initial)
		drop_other_dialogs(inv->s, NULL);
	err = launch(inv);
	if (!err)
		return;
	ev->err = -err;
	ev->text = "the INVITE could not be sent again";
	failed(inv, ev);
}

static void failure(struct sip_uac_invite *inv, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct sip_session *s = inv->s;
	struct sip_event ev = sip_ses_event(msg, flow);

	int err = s->over ? -ECANCELED : sip_auth_challenge(&inv->auth, s, msg);

	inv->ctx = NULL;
	if (err == -E2BIG)
		ev.text = "it challenges more often than auth_challenges_max permits";
	if (err == 0 || (!s->over && inv->tries_422 < TRIES_422 && sip_ses_timer_raise(s, msg) &&
			 ++inv->tries_422))
		again(inv, &ev);
	else
		failed(inv, &ev);
}

/* ---- the transaction's upcalls --------------------------------------------------------------- */

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	struct sip_uac_invite *inv = arg;
	struct sip_session *s = inv->s;

	(void)ctx;
	sip_ses_enter(s);
	sip_ses_note_peer(s, msg);
	if (msg->status < 200)
		provisional(inv, msg, flow);
	else if (msg->status < 300)
		success(inv, msg, flow);
	else
		failure(inv, msg, flow);
	sip_ses_leave(s);
}

/* The connection was another worker's, who found it gone. */
static bool launch_anew(struct sip_uac_invite *inv)
{
	if (inv->initial || inv->anew)
		return false;
	inv->anew = true;
	return sip_dlg_reconnect(inv->s->dialog) == 0 && launch_once(inv) == 0;
}

static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text)
{
	struct sip_uac_invite *inv = arg;
	struct sip_session *s = inv->s;
	struct sip_event ev = { .err = err, .text = text };

	(void)ctx;
	sip_ses_enter(s);
	inv->ctx = NULL;
	if (err != EPIPE || !launch_anew(inv))
		failed(inv, &ev);
	sip_ses_leave(s);
}

/* 64*T1 after the 2xx: no other fork will answer now. */
static void on_gone(void *arg, struct sip_ctx *ctx)
{
	struct sip_uac_invite *inv = arg;
	struct sip_session *s = inv->s;

	(void)ctx;
	sip_ses_enter(s);
	inv->ctx = NULL;
	if (inv->initial)
		drop_other_dialogs(s, s->dialog);
	/* An answer that the user still owes in the ACK is for a 2xx nobody repeats any more. */
	sip_uac_invite_free(inv);
	sip_ses_leave(s);
}

static const struct sip_ctx_ops invite_ops = { .on_response = on_response,
					       .on_failed = on_failed,
					       .on_gone = on_gone };

/* ---- what the user and the other files ask for ------------------------------------------------ */

static char *put(char *p, struct span from, struct span *copy)
{
	*copy = (struct span){ p, from.len };
	if (from.len)
		memcpy(p, from.p, from.len);
	return p + from.len;
}

static int set_parts(struct sip_uac_invite *inv, const struct sip_dial *dial)
{
	char *p = malloc(dial->uri.len + dial->to.len + dial->extra.len + dial->sdp.len + 1);

	if (!p)
		return -ENOMEM;
	inv->strings = p;
	p = put(p, dial->uri, &inv->uri);
	p = put(p, dial->to, &inv->to);
	p = put(p, dial->extra, &inv->extra);
	put(p, dial->sdp, &inv->sdp);
	inv->flow = dial->flow;
	inv->max_forwards = dial->max_forwards;
	inv->offered = dial->sdp.len > 0;
	inv->initial = true;
	return 0;
}

int sip_session_dial(struct sip_session **session_out, struct sip_stack *stack,
		     const struct sip_dial *dial, const struct sip_session_config *config,
		     const struct sip_session_ops *ops, void *arg)
{
	char call_id[SIP_CALL_ID_LEN + 1];
	struct sip_uac_invite *inv;
	struct sip_session *s;
	int err = 0;

	s = sip_ses_new(stack, config, ops, arg, &err);
	if (!s)
		return err;
	s->uac = true;
	sip_call_id_new(stack, s->tag, call_id);
	err = sip_ses_set_strings(s, span_of(call_id), dial->from);
	inv = err ? NULL : invite_new(s);
	if (!err)
		err = inv ? set_parts(inv, dial) : -ENOMEM;
	if (!err)
		err = launch(inv);
	if (err) {
		sip_ses_destroy(s);
		return err;
	}
	*session_out = s;
	return 0;
}

int sip_uac_reinvite(struct sip_session *s)
{
	struct sip_uac_invite *inv = invite_new(s);
	int err;

	if (!inv)
		return -ENOMEM;
	inv->offered = s->offer->sdp.len > 0;
	inv->waiting = s->dialog->resolve != NULL;
	if (inv->waiting)
		return 0;
	err = launch(inv);
	if (err)
		sip_uac_invite_free(inv);
	return err;
}

/* The flow of `d` is known now. */
void sip_uac_resume(struct sip_session *s, struct sip_dlg *d)
{
	struct sip_uac_invite *waiting = NULL;
	struct sip_event ev = { .text = "the next hop's name resolved to nowhere we can send to" };
	int err;

	if (d != s->dialog)
		return;
	list_for_each (pos, &s->uac_invites) {
		struct sip_uac_invite *inv = list_entry(pos, struct sip_uac_invite, node);

		if (inv->ack_waiting)
			send_ack(inv, d);
		if (inv->waiting)
			waiting = inv;
	}
	if (!waiting)
		return;
	waiting->waiting = false;
	err = s->over ? -ECANCELED : launch(waiting);
	ev.err = -err;
	if (err)
		failed(waiting, &ev);
}

void sip_uac_cancel(struct sip_session *s, struct span extra)
{
	struct span reason = sip_ses_find_line(extra, "Reason");
	struct sip_text text = { 0 };

	if (!s->invite_out || !s->invite_out->ctx)
		return;
	if (reason.len)
		sip_text_set(&text, reason);
	sip_ctx_cancel(s->invite_out->ctx, text.p);
	sip_text_free(&text);
}
