/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests within the dialog other than INVITE and ACK: BYE, PRACK, UPDATE, INFO and what the user
 * sends; and the digest client that all our requests share.
 *
 * A request is kept as its parts until its final response, for it may have to be written again:
 * with credentials (RFC 3261 22.2), over a new connection, or first of all when the
 * dialog's next hop has been resolved. */
#include "sip/sip_session_int.h"

#include <stdlib.h>

/* ---- digest ---------------------------------------------------------------------------- */

static bool same_realm(struct net_buf *kept, const struct sip_msg *msg)
{
	struct sip_msg old;
	const char *why;

	return sip_msg_parse(&old, kept, false, &why) == 0 && old.status == msg->status &&
	       span_eq(sip_digest_realm(&old), sip_digest_realm(msg));
}

/* 22.2 and RFC 7616 3.3: once per realm, again only when told that just the nonce was old. */
int sip_auth_challenge(struct sip_auth *a, const struct sip_session *s, const struct sip_msg *msg)
{
	struct net_buf *copy;
	unsigned i = 0;

	if ((msg->status != 401 && msg->status != 407) || !s->config.user || !s->config.password)
		return -EACCES;
	while (i < a->n && !same_realm(a->realm[i].challenge, msg))
		i++;
	if (i == ARRAY_SIZE(a->realm))
		return -EACCES;
	if (i < a->n && !sip_digest_is_stale(msg))
		return -EACCES;
	if (a->answered >= s->config.challenges_max) /* a server that finds every nonce stale */
		return -E2BIG;
	copy = net_buf_copy(msg->base, msg->len);
	if (!copy)
		return -ENOMEM;
	if (i < a->n)
		net_buf_unref(&a->realm[i].challenge);
	else
		a->n++;
	a->answered++;
	a->realm[i].challenge = copy;
	a->realm[i].nc = 0;
	return 0;
}

void sip_auth_write(struct sip_auth *a, const struct sip_session *s, struct sip_writer *w,
		    struct span method, struct span uri)
{
	struct buf lines = BUF_INIT(8192);
	struct sip_msg msg;
	const char *why;

	for (unsigned i = 0; i < a->n; i++) {
		if (sip_msg_parse(&msg, a->realm[i].challenge, false, &why))
			continue;
		sip_digest_answer(&msg, method, uri, s->config.user, s->config.password,
				  ++a->realm[i].nc, &lines);
	}
	sip_text_free(&a->lines);
	if (a->n && !lines.failed)
		sip_text_set(&a->lines, buf_span(&lines));
	sip_put(w, sip_text_span(a->lines));
	buf_free(&lines);
}

/* Bytes that sip_auth_write may write: what it echoes of the challenges, and our own part. */
size_t sip_auth_size(const struct sip_auth *a)
{
	size_t size = 0;

	for (unsigned i = 0; i < a->n; i++)
		size += a->realm[i].challenge->len + 1024;
	return size;
}

void sip_auth_free(struct sip_auth *a)
{
	for (unsigned i = 0; i < a->n; i++)
		net_buf_unref(&a->realm[i].challenge);
	a->n = 0;
	sip_text_free(&a->lines);
}

/* ---- life ------------------------------------------------------------------------------- */

void sip_ses_request_free(struct sip_ses_request *r)
{
	if (r->ctx)
		sip_ctx_abandon(r->ctx);
	list_del(&r->node);
	r->s->n_requests--;
	sip_auth_free(&r->auth);
	free(r->strings);
	free(r);
}

void sip_ses_requests_of_dialog_free(struct sip_session *s, struct sip_dlg *d)
{
	list_for_each_safe (pos, tmp, &s->requests) {
		struct sip_ses_request *r = list_entry(pos, struct sip_ses_request, node);

		if (r->d == d)
			sip_ses_request_free(r);
	}
}

/* RFC 3261 12.2.1.1 and table 2: Contact only in what refreshes the target, or makes a dialog. */
static bool wants_contact(const struct sip_ses_request *r)
{
	return r->method == SIP_UPDATE || r->method == SIP_REFER || r->method == SIP_NOTIFY ||
	       r->method == SIP_SUBSCRIBE;
}

static struct net_buf *write_request(struct sip_ses_request *r)
{
	struct sip_session *s = r->s;
	struct sip_writer w;

	sip_write_begin(&w, sip_dlg_size(r->d) + sip_auth_size(&r->auth) + r->name.len * 2 +
				    r->extra.len + r->type.len + r->body.len);
	sip_dlg_write_head(&w, r->d, r->ctx, r->name, ++s->cseq);
	if (wants_contact(r))
		sip_ses_write_contact(&w, s, sip_ctx_flow(r->ctx));
	if (r->method == SIP_UPDATE) {
		sip_ses_write_allow(&w, s);
		sip_ses_write_supported(&w, s, true);
		if (s->confirmed)
			sip_ses_timer_write_request(&w, s, false);
	}
	sip_ses_write_product(&w, s, false);
	sip_put(&w, r->extra);
	sip_auth_write(&r->auth, s, &w, r->name, sip_dlg_request_uri(r->d));
	return sip_finish(&w, r->type.p, r->body);
}

static const struct sip_ctx_ops request_ops;

static int launch_once(struct sip_ses_request *r)
{
	struct sip_session *s = r->s;
	struct net_buf *buf;
	int err;

	r->ctx = sip_ctx_new(s->stack, r->method, &r->d->flow, &request_ops, r);
	if (!r->ctx)
		return -ENOBUFS;
	buf = write_request(r);
	if (!buf) {
		sip_ctx_abandon(r->ctx);
		r->ctx = NULL;
		return -EMSGSIZE;
	}
	err = sip_ctx_send(r->ctx, buf, s->config.keep_udp);
	if (err)
		r->ctx = NULL;
	return err;
}

/* A connection may have been closed since the dialog used it last: try once over a new one. */
static int launch(struct sip_ses_request *r)
{
	int err = launch_once(r);

	if (err == -EPIPE && sip_dlg_reconnect(r->d) == 0)
		err = launch_once(r);
	return err;
}

/* ---- outcome ----------------------------------------------------------------------------- */

/* The record is gone before the user hears: what it does then must not find it. */
static void outcome(struct sip_ses_request *r, const struct sip_event *ev)
{
	struct sip_session *s = r->s;
	enum sip_ses_purpose purpose = r->purpose;
	void *cookie = r->cookie;

	sip_ses_request_free(r);
	switch (purpose) {
	case SES_OFFER:
		sip_offer_done(s, ev);
		break;
	case SES_USER:
		SES_TELL(s, on_request_result, cookie, ev);
		sip_ses_gone(s, ev);
		break;
	case SES_BYE: /* whatever they say, it is over */
	case SES_PRACK: /* the INVITE itself will tell what became of it */
		break;
	}
}

static void fail(struct sip_ses_request *r, int err, const char *text)
{
	struct sip_event ev = { .err = err, .text = text };

	outcome(r, &ev);
}

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	struct sip_ses_request *r = arg;
	struct sip_session *s = r->s;
	struct sip_event ev;
	int err;

	(void)ctx;
	if (msg->status < 200)
		return;
	sip_ses_enter(s);
	r->ctx = NULL;
	sip_ses_note_peer(s, msg);
	if (sip_auth_challenge(&r->auth, s, msg) == 0) {
		err = launch(r);
		if (err)
			fail(r, -err, "the request could not be sent again with credentials");
	} else {
		ev = sip_ses_event(msg, flow);
		outcome(r, &ev);
	}
	sip_ses_leave(s);
}

/* The connection was another worker's, who found it gone. */
static bool launch_anew(struct sip_ses_request *r)
{
	if (r->anew)
		return false;
	r->anew = true;
	return sip_dlg_reconnect(r->d) == 0 && launch_once(r) == 0;
}

static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text)
{
	struct sip_ses_request *r = arg;
	struct sip_session *s = r->s;

	(void)ctx;
	sip_ses_enter(s);
	r->ctx = NULL;
	if (err != EPIPE || !launch_anew(r))
		fail(r, err, text);
	sip_ses_leave(s);
}

static const struct sip_ctx_ops request_ops = { .on_response = on_response,
						.on_failed = on_failed };

/* ---- sending ------------------------------------------------------------------------------ */

static struct span copy_into(char **p, struct span s)
{
	struct span copy = { *p, s.len };

	if (s.len)
		memcpy(*p, s.p, s.len);
	(*p)[s.len] = '\0';
	*p += s.len + 1;
	return copy;
}

static struct sip_ses_request *request_new(struct sip_session *s, struct span name,
					   struct span extra, struct span type, struct span body)
{
	struct sip_ses_request *r = calloc(1, sizeof(*r));
	char *p;

	if (!r)
		return NULL;
	r->strings = p = malloc(name.len + extra.len + type.len + body.len + 4);
	if (!p) {
		free(r);
		return NULL;
	}
	r->s = s;
	r->name = copy_into(&p, name);
	r->extra = copy_into(&p, extra);
	r->type = copy_into(&p, type);
	r->body = copy_into(&p, body);
	list_add_tail(&s->requests, &r->node);
	s->n_requests++;
	return r;
}

int sip_ses_send_request(struct sip_session *s, struct sip_dlg *d, enum sip_ses_purpose purpose,
			 struct span name, struct span extra, const char *type, struct span body,
			 void *cookie)
{
	struct sip_ses_request *r;
	int err;

	if (s->n_requests >= SES_QUEUE_MAX && purpose != SES_BYE) {
		s->dropped++;
		return -ENOBUFS;
	}
	r = request_new(s, name, extra, span_of(type ? type : ""), body);
	if (!r)
		return -ENOMEM;
	r->d = d;
	r->purpose = purpose;
	r->method = sip_method_find(name);
	r->cookie = cookie;
	if (d->resolve)
		return 0;
	err = launch(r);
	if (err)
		sip_ses_request_free(r);
	return err;
}

void sip_ses_requests_resume(struct sip_session *s, struct sip_dlg *d)
{
	struct list ready = LIST_INIT(ready);

	list_for_each_safe (pos, tmp, &s->requests) {
		struct sip_ses_request *r = list_entry(pos, struct sip_ses_request, node);
		int err;

		if (r->d != d || r->ctx)
			continue;
		err = launch(r);
		if (err)
			list_del(&r->node), list_add_tail(&ready, &r->node);
	}
	/* Failures are told after the walk: an upcall may change the list. */
	while (!list_empty(&ready)) {
		struct sip_ses_request *r = list_entry(ready.next, struct sip_ses_request, node);

		fail(r, EHOSTUNREACH, "the next hop's name resolved to nowhere we can send to");
	}
}
