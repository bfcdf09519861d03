/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session's life, and what comes in within its dialog.
 *
 * A session is over once (sip_ses_finish): from then on it says nothing to its user. It stays in memory
 * until the user has released it and the last of its transactions has ended, so that BYE gets its
 * answer, a late 2xx its ACK, and a 2xx of ours its ACK before the BYE. */
#include "sip/sip_int.h"
#include "sip/sip_session_int.h"

#include <stdlib.h>

/* RFC 3261 20.5: no Allow means that we know nothing; these everybody must have. */
#define BASIC_METHODS                                                                              \
	(1u << SIP_INVITE | 1u << SIP_ACK | 1u << SIP_CANCEL | 1u << SIP_BYE | 1u << SIP_OPTIONS | \
	 1u << SIP_REGISTER)

#define PRODUCT_MAX 128

static const struct sip_dialog_ops dialog_ops;

/* ---- birth and death ------------------------------------------------------------------------ */

struct sip_session *sip_ses_new(struct sip_stack *stack, const struct sip_session_config *config,
				const struct sip_session_ops *ops, void *arg, int *err_out)
{
	struct sip_session *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		*err_out = -ENOMEM;
		return NULL;
	}
	err = sip_tag_new(stack, &dialog_ops, s, s->tag);
	if (err) {
		free(s);
		*err_out = err;
		return NULL;
	}
	s->stack = stack;
	s->ops = ops;
	s->arg = arg;
	s->config = *config;
	s->peer_allow = BASIC_METHODS;
	list_init(&s->dialogs);
	list_init(&s->uac_invites);
	list_init(&s->uas_invites);
	list_init(&s->requests);
	list_init(&s->incoming);
	sip_ses_timer_init(s);
	return s;
}

static char *put(char *p, struct span from)
{
	if (from.len)
		memcpy(p, from.p, from.len);
	p[from.len] = '\0';
	return p + from.len + 1;
}

/* Call-ID, our address with our tag, user and secret, in one piece. */
int sip_ses_set_strings(struct sip_session *s, struct span call_id, struct span local)
{
	struct span user = span_of(s->config.user), password = span_of(s->config.password);
	struct span tag = SPAN(";tag=");
	char *p = malloc(call_id.len + local.len + tag.len + SIP_TAG_LEN + user.len + password.len +
			 4);

	if (!p)
		return -ENOMEM;
	s->strings = p;
	s->call_id = (struct span){ p, call_id.len };
	p = put(p, call_id);
	s->local.p = p;
	p = put(p, local) - 1;
	p = put(p, tag) - 1;
	p = put(p, span_of(s->tag));
	s->local.len = (size_t)(p - 1 - s->local.p);
	s->config.user = s->config.user ? p : NULL;
	p = put(p, user);
	s->config.password = s->config.password ? p : NULL;
	put(p, password);
	return 0;
}

static void free_invites(struct sip_session *s)
{
	while (!list_empty(&s->uac_invites))
		sip_uac_invite_free(list_entry(s->uac_invites.next, struct sip_uac_invite, node));
	while (!list_empty(&s->uas_invites))
		sip_uas_invite_free(list_entry(s->uas_invites.next, struct sip_uas_invite, node));
}

void sip_ses_destroy(struct sip_session *s)
{
	sip_tag_free(s->stack, s->tag);
	sip_ses_timer_stop(s);
	sip_offer_free(s);
	free_invites(s);
	while (!list_empty(&s->dialogs))
		sip_dlg_free(list_entry(s->dialogs.next, struct sip_dlg, node));
	while (!list_empty(&s->requests))
		sip_ses_request_free(list_entry(s->requests.next, struct sip_ses_request, node));
	sip_text_free(&s->sent_sdp);
	free(s->product);
	free(s->end_extra);
	free(s->strings);
	free(s);
}

void sip_ses_enter(struct sip_session *s)
{
	s->hold++;
}

static bool is_idle(const struct sip_session *s)
{
	return list_empty(&s->uac_invites) && list_empty(&s->uas_invites) &&
	       list_empty(&s->requests);
}

void sip_ses_leave(struct sip_session *s)
{
	assert(s->hold > 0);
	if (--s->hold == 0 && s->released && is_idle(s))
		sip_ses_destroy(s);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void answer_terminated(struct sip_session *s, struct sip_stx *tx)
{
	struct sip_msg req;

	if (sip_stx_request(tx, &req) == 0)
		sip_ses_reply(s, tx, &req, 487, SPAN_NONE, NULL, SPAN_NONE);
}

static void incoming_free(struct sip_session *s, struct sip_ses_incoming *in)
{
	list_del(&in->node);
	s->n_incoming--;
	free(in);
}

/* 15.1.2: whatever is pending is answered 487. */
void sip_ses_finish(struct sip_session *s)
{
	s->over = true;
	sip_ses_timer_stop(s);
	sip_offer_free(s);
	if (s->invite_in)
		sip_uas_refuse(s->invite_in, 487, NULL, SPAN_NONE);
	if (s->peer_offer && s->peer_tx)
		answer_terminated(s, s->peer_tx);
	s->peer_offer = PEER_OFFER_NONE;
	s->peer_tx = NULL;
	while (!list_empty(&s->incoming)) {
		struct sip_ses_incoming *in =
			list_entry(s->incoming.next, struct sip_ses_incoming, node);

		answer_terminated(s, in->tx);
		incoming_free(s, in);
	}
	/* A re-INVITE that rings on is cancelled: else a peer that forgot it holds us for ever. */
	if (s->invite_out && s->invite_out->waiting)
		sip_uac_invite_free(s->invite_out);
	else if (s->invite_out && !s->invite_out->initial)
		sip_uac_cancel(s, SPAN_NONE);
}

static void keep_extra(struct sip_session *s, struct span extra)
{
	struct sip_text copy = { 0 };

	if (s->end_extra || !extra.len || sip_text_set(&copy, extra))
		return;
	s->end_extra = copy.p;
}

void sip_ses_bye(struct sip_session *s, struct span extra)
{
	if (s->bye_sent || !s->dialog)
		return;
	if (sip_uas_unacked(s)) { /* 15: the callee's BYE waits for the ACK */
		s->bye_wanted = true;
		keep_extra(s, extra);
		return;
	}
	/* A 2xx that still waits for its ACK gets it first, with no answer to give any more. */
	while (sip_uac_ack(s, SPAN_NONE) == 0)
		continue;
	s->bye_sent = true;
	sip_ses_send_request(s, s->dialog, SES_BYE, SPAN("BYE"), extra, NULL, SPAN_NONE, NULL);
}

/* BYE, or before the answer CANCEL: a callee's 487 has gone with sip_ses_finish. */
static void hang_up(struct sip_session *s, struct span extra)
{
	if (s->confirmed) {
		sip_ses_bye(s, extra);
	} else if (s->uac) {
		keep_extra(s, extra);
		sip_uac_cancel(s, extra);
	}
}

void sip_ses_end(struct sip_session *s, enum sip_end end, const char *text, bool bye,
		 const char *reason, const struct sip_event *about)
{
	struct sip_event ev = { .end = end, .text = text };
	struct buf extra = BUF_INIT(256);
	bool tell = !s->over;

	if (about) {
		ev.status = about->status;
		ev.err = about->err;
		ev.msg = about->msg;
		ev.flow = about->flow;
	}
	sip_ses_finish(s);
	if (bye || !s->confirmed) {
		if (reason)
			buf_addf(&extra, "Reason: %s\r\n", reason);
		hang_up(s, buf_span(&extra));
		buf_free(&extra);
	}
	if (tell && s->ops->on_ended)
		s->ops->on_ended(s->arg, s, &ev);
}

void sip_session_end(struct sip_session *s, struct span extra)
{
	if (s->over)
		return;
	sip_ses_enter(s);
	if (s->invite_in && s->invite_in->initial)
		sip_uas_refuse(s->invite_in, 487, NULL, extra);
	sip_ses_finish(s);
	hang_up(s, extra);
	sip_ses_leave(s);
}

void sip_session_release(struct sip_session **session)
{
	struct sip_session *s = *session;

	if (!s)
		return;
	*session = NULL;
	sip_ses_enter(s);
	sip_session_end(s, SPAN_NONE);
	s->released = true;
	sip_ses_leave(s);
}

/* ---- what comes in within the dialog -------------------------------------------------------------- */

struct sip_event sip_ses_event(const struct sip_msg *msg, const struct net_flow *flow)
{
	return (struct sip_event){ .status = msg->request ? 0 : msg->status,
				   .sdp = sip_body_sdp(msg),
				   .msg = msg,
				   .flow = flow };
}

static void note_product(struct sip_session *s, const struct sip_msg *msg)
{
	struct span product = sip_header(msg, SIP_H_USER_AGENT);
	struct sip_text copy = { 0 };

	if (!product.len)
		product = sip_header(msg, SIP_H_SERVER);
	product = span_head(product, PRODUCT_MAX);
	if (!product.len || (s->product && span_eq(product, span_of(s->product))))
		return;
	if (sip_text_set(&copy, product))
		return;
	free(s->product);
	s->product = copy.p;
}

/* Allow holds nothing but tokens (20.5): whatever stands between them separates. */
static uint32_t methods_in(struct span value)
{
	struct sip_cursor c = sip_cursor_of(value);
	uint32_t found = 0;

	while (c.p < c.end) {
		struct span method = sip_take(&c, SIP_C_TOKEN);

		if (method.len)
			found |= 1u << sip_method_find(method);
		else
			c.p++;
	}
	return found;
}

void sip_ses_note_peer(struct sip_session *s, const struct sip_msg *msg)
{
	uint32_t allow = BASIC_METHODS;

	note_product(s, msg);
	if (!msg->request && msg->status >= 300)
		return; /* a proxy's words, as like as not */
	if (!sip_header(msg, SIP_H_ALLOW).p)
		return;
	for (uint8_t at = msg->first[SIP_H_ALLOW]; at != 0xff; at = msg->headers[at].next)
		allow |= methods_in(sip_str(msg, msg->headers[at].value));
	s->peer_allow = allow & ~(1u << SIP_METHOD_OTHER);
}

static void reply(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg, int status)
{
	sip_ses_reply(s, tx, msg, status, SPAN_NONE, NULL, SPAN_NONE);
}

static void on_bye(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
		   const struct net_flow *flow)
{
	struct sip_event ev = sip_ses_event(msg, flow);
	bool tell = !s->over;

	reply(s, tx, msg, 200);
	if (!s->confirmed && s->uac)
		return; /* 15: not theirs to end; the INVITE's final response will come */
	s->bye_sent = true; /* none of ours is needed */
	sip_uas_quiet(s);
	if (!tell)
		return;
	sip_ses_finish(s);
	if (s->ops->on_bye)
		s->ops->on_bye(s->arg, s, &ev);
}

/* Somebody must answer: the user, or we when the session ends before. */
static void to_user(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct sip_event ev = sip_ses_event(msg, flow);
	struct sip_ses_incoming *in;

	if (!s->ops->on_request) {
		reply(s, tx, msg, 405);
		return;
	}
	in = s->n_incoming < SES_QUEUE_MAX ? calloc(1, sizeof(*in)) : NULL;
	if (!in) {
		s->dropped++;
		reply(s, tx, msg, 503);
		return;
	}
	in->tx = tx;
	list_add_tail(&s->incoming, &in->node);
	s->n_incoming++;
	s->ops->on_request(s->arg, s, tx, &ev);
}

static void dispatch(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx,
		     const struct sip_msg *msg, const struct net_flow *flow)
{
	switch (msg->method) {
	case SIP_BYE:
		on_bye(s, tx, msg, flow);
		break;
	case SIP_INVITE:
		sip_offer_reinvite_in(s, d, tx, msg, flow);
		break;
	case SIP_UPDATE:
		sip_offer_update_in(s, d, tx, msg, flow);
		break;
	case SIP_PRACK:
		sip_uas_prack(s, tx, msg, flow);
		break;
	case SIP_OPTIONS:
		reply(s, tx, msg, 200);
		break;
	default:
		to_user(s, tx, msg, flow);
	}
}

static void on_transaction(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx,
			   const struct sip_msg *msg, const struct net_flow *flow)
{
	if (d->remote_cseq && msg->cseq < d->remote_cseq) { /* 12.2.2 */
		sip_ses_reply(s, tx, msg, 500, SPAN("Warning: 399 - \"CSeq out of order\"\r\n"),
			      NULL, SPAN_NONE);
		return;
	}
	d->remote_cseq = msg->cseq;
	/* Once over, or on another fork than ours, there is only goodbye. */
	if ((s->over || d != s->dialog) && msg->method != SIP_BYE) {
		reply(s, tx, msg, 481);
		return;
	}
	if (d != s->dialog) {
		reply(s, tx, msg, 200);
		return;
	}
	sip_ses_note_peer(s, msg);
	dispatch(s, d, tx, msg, flow);
}

static void on_dialog_request(void *object, struct sip_stx *tx, const struct sip_msg *msg,
			      const struct net_flow *flow)
{
	struct sip_session *s = object;
	struct sip_dlg *d = sip_dlg_find(s, msg->from_tag);

	if (!d || !span_eq(msg->call_id, s->call_id)) {
		if (tx)
			sip_stx_reply(tx, msg, 481, NULL, NULL);
		return;
	}
	sip_ses_enter(s);
	sip_dlg_heard(d, flow);
	if (tx)
		on_transaction(s, d, tx, msg, flow);
	else
		sip_uas_ack(s, msg, flow);
	sip_ses_leave(s);
}

/* Released sessions that only linger have nobody else; the user's are the user's to release before. */
static void on_close(void *object)
{
	struct sip_session *s = object;

	if (s->released && !s->hold)
		sip_ses_destroy(s);
}

static const struct sip_dialog_ops dialog_ops = { .on_request = on_dialog_request,
						  .on_close = on_close };

/* ---- requests of the user's, and answers ------------------------------------------------------------- */

int sip_session_request(struct sip_session *s, struct span method, struct span extra,
			const char *content_type, struct span body, void *cookie)
{
	int err;

	switch (sip_method_find(method)) {
	case SIP_INVITE:
	case SIP_ACK:
	case SIP_BYE:
	case SIP_CANCEL:
	case SIP_PRACK:
	case SIP_UPDATE:
		return -EINVAL; /* these have their own functions */
	default:
		break;
	}
	if (s->over || !s->dialog)
		return -ENOTCONN;
	sip_ses_enter(s);
	err = sip_ses_send_request(s, s->dialog, SES_USER, method, extra, content_type, body,
				   cookie);
	sip_ses_leave(s);
	return err;
}

void sip_session_respond(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *req,
			 int status, struct span extra, const char *content_type, struct span body)
{
	struct sip_msg kept;

	list_for_each (pos, &s->incoming) {
		struct sip_ses_incoming *in = list_entry(pos, struct sip_ses_incoming, node);

		if (in->tx != tx)
			continue;
		if (status >= 200)
			incoming_free(s, in);
		if (req || sip_stx_request(tx, &kept) == 0)
			sip_ses_reply(s, tx, req ? req : &kept, status, extra, content_type, body);
		return;
	}
	/* Not there: the session ended before, and it has been answered then. */
}

/* ---- looking --------------------------------------------------------------------------------------------- */

struct span sip_session_call_id(const struct sip_session *s)
{
	return s->call_id;
}

const char *sip_session_peer_product(const struct sip_session *s)
{
	return s->product ? s->product : "";
}

/* Before there is a dialog: where the INVITE went. */
const struct net_flow *sip_session_flow(const struct sip_session *s)
{
	if (s->dialog)
		return &s->dialog->flow;
	return s->invite_out ? &s->invite_out->flow : NULL;
}

bool sip_session_peer_allows(const struct sip_session *s, enum sip_method method)
{
	return s->peer_allow & 1u << method;
}

bool sip_session_is_answered(const struct sip_session *s)
{
	return s->confirmed;
}

uint32_t sip_session_timer(const struct sip_session *s, bool *we_refresh)
{
	if (we_refresh)
		*we_refresh = s->expires_s && s->we_refresh;
	return s->expires_s;
}

uint32_t sip_session_dropped(const struct sip_session *s)
{
	return s->dropped;
}
