/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the session's messages have in common: the lines that say who we are and what we can,
 * responses within the dialog, and finding SDP in a body (RFC 2046 5.1 for multipart). */
#include "sip/sip_session_int.h"

#include <stdlib.h>

#define CONTACT_USER_LEN 13 /* w ww ssssss gggg: the tag without its chance part */
#define PARTS_MAX 16

int sip_text_set(struct sip_text *t, struct span value)
{
	char *p = malloc(value.len + 1);

	if (!p)
		return -ENOMEM;
	if (value.len)
		memcpy(p, value.p, value.len);
	p[value.len] = '\0';
	free(t->p);
	t->p = p;
	t->len = value.len;
	return 0;
}

void sip_text_free(struct sip_text *t)
{
	free(t->p);
	t->p = NULL;
	t->len = 0;
}

void sip_ses_write_contact(struct sip_writer *w, const struct sip_session *s,
			   const struct net_flow *flow)
{
	char host[NET_ADDR_TEXT];

	SIP_PUT(w, "Contact: <sip:");
	sip_put(w, (struct span){ s->tag, CONTACT_USER_LEN });
	SIP_PUT(w, "@");
	if (flow->local.sa.sa_family == AF_INET)
		sip_put_ip4(w, &flow->local);
	else
		sip_puts(w, net_addr_format_uri(&flow->local, host));
	SIP_PUT(w, ":");
	sip_putu(w, net_addr_port(&flow->local));
	if (flow->proto == NET_TCP)
		SIP_PUT(w, ";transport=tcp");
	else if (flow->proto == NET_TLS)
		SIP_PUT(w, ";transport=tls");
	SIP_PUT(w, ">\r\n");
}

void sip_ses_write_allow(struct sip_writer *w, const struct sip_session *s)
{
	if (s->config.update)
		SIP_PUT(w, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n");
	else
		SIP_PUT(w, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, INFO\r\n");
}

void sip_ses_write_supported(struct sip_writer *w, const struct sip_session *s, bool rel)
{
	bool rel100 = rel && s->config.rel100 != SIP_100REL_OFF;

	if (s->config.timer && rel100)
		sip_write_header(w, SIP_H_SUPPORTED, SPAN("timer, 100rel"));
	else if (s->config.timer || rel100)
		sip_write_header(w, SIP_H_SUPPORTED, rel100 ? SPAN("100rel") : SPAN("timer"));
}

void sip_ses_write_product(struct sip_writer *w, const struct sip_session *s, bool response)
{
	const char *product = sip_stack_config(s->stack)->product;

	if (product && *product)
		sip_write_header(w, response ? SIP_H_SERVER : SIP_H_USER_AGENT, span_of(product));
}

/* ---- responses ----------------------------------------------------------------------------- */

void sip_ses_reply(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *req, int status,
		   struct span extra, const char *type, struct span body)
{
	const struct net_flow *flow = sip_stx_flow(tx);
	struct sip_timer_ask ask;
	struct sip_writer w;
	struct net_buf *buf;

	sip_write_begin(&w, SES_HEAD_BYTES + req->len + extra.len + body.len);
	sip_write_response_head(&w, req, flow, status, NULL, span_of(s->tag));
	if (status == 405 ||
	    (status / 100 == 2 && req->method != SIP_BYE && req->method != SIP_PRACK))
		sip_ses_write_allow(&w, s);
	if (status / 100 == 2 && (req->method == SIP_UPDATE || req->method == SIP_OPTIONS)) {
		sip_ses_write_contact(&w, s, flow);
		sip_ses_write_supported(&w, s, true);
	}
	/* RFC 4028 9; before the INVITE's 2xx there is no session to time. */
	if (status / 100 == 2 && req->method == SIP_UPDATE && s->confirmed) {
		sip_ses_timer_ask(&s->config, req, &ask);
		sip_ses_timer_grant(s, &ask, &w);
	}
	sip_ses_write_product(&w, s, true);
	sip_put(&w, extra);
	buf = sip_finish(&w, type, body);
	if (buf)
		sip_stx_send(tx, status, buf);
	else /* no memory for ours: the plain form still ends the transaction */
		sip_stx_reply(tx, req, status < 300 ? 500 : status, NULL, NULL);
}

struct span sip_ses_find_line(struct span lines, const char *name)
{
	struct span line;

	while (lines.len) {
		struct span head, value;

		span_cut(lines, '\n', &line, &lines);
		if (span_cut(line, ':', &head, &value) && span_ieq(span_trim(head), span_of(name)))
			return span_trim(value);
	}
	return SPAN_NONE;
}

/* ---- SDP ------------------------------------------------------------------------------------- */

static struct span media_type(struct span content_type)
{
	struct span type;

	span_cut(content_type, ';', &type, &(struct span){ NULL, 0 });
	return span_trim(type);
}

/* Start of the next line that is "--boundary", from `at`; s.len if there is none. */
static size_t find_delimiter(struct span s, size_t at, struct span boundary)
{
	while (at < s.len) {
		struct span line = span_skip(s, at);

		if (span_starts(line, SPAN("--")) && span_starts(span_skip(line, 2), boundary))
			return at;
		at += span_find(line, '\n') + 1;
	}
	return s.len;
}

/* One part: its header lines, an empty line, its content. */
static bool part_is_sdp(struct span part, struct span *content_out)
{
	struct span rest = part, line;

	while (rest.len) {
		span_cut(rest, '\n', &line, &rest);
		if (!span_trim(line).len)
			break;
	}
	line = sip_ses_find_line(span_head(part, part.len - rest.len), "Content-Type");
	if (!line.p || !span_ieq(media_type(line), SPAN("application/sdp")))
		return false;
	/* The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1), but SDP wants it. */
	*content_out = rest;
	return true;
}

static struct span find_part(struct span body, struct span boundary)
{
	size_t at = find_delimiter(body, 0, boundary);
	struct span sdp;

	for (unsigned n = 0; n < PARTS_MAX && at < body.len; n++) {
		size_t start = at + span_find(span_skip(body, at), '\n') + 1;
		size_t end;

		if (start >= body.len)
			break;
		end = find_delimiter(body, start, boundary);
		if (part_is_sdp((struct span){ body.p + start, end - start }, &sdp))
			return sdp;
		at = end;
	}
	return (struct span){ body.p, 0 };
}

struct span sip_body_sdp(const struct sip_msg *msg)
{
	struct span body = sip_str(msg, msg->body);
	struct span content_type = sip_header(msg, SIP_H_CONTENT_TYPE);
	struct span boundary = SPAN_NONE;
	struct span params;

	if (!body.len)
		return SPAN_NONE;
	if (!content_type.len) /* 20.15 demands one; some say nothing and mean SDP */
		return span_starts(body, SPAN("v=0")) ? body : SPAN_NONE;
	if (span_ieq(media_type(content_type), SPAN("application/sdp")))
		return body;
	if (!span_istarts(content_type, SPAN("multipart/")))
		return SPAN_NONE;
	params = span_skip(content_type, span_find(content_type, ';'));
	if (!sip_param(params, "boundary", &boundary) || !boundary.len)
		return SPAN_NONE;
	return find_part(body, boundary);
}

/* RFC 3264 8: what is sent again with the same o= version is the same to the last byte; its hash is
 * enough to see that, and sees also the peer that changes SDP without a new version. */
uint64_t sip_ses_hash_sdp(struct span sdp)
{
	static const struct hash_key key; /* nobody gains by a collision but with himself */

	if (!sdp.len)
		return 0;
	sdp = span_trim(sdp);
	return hash_bytes(&key, sdp.p, sdp.len) | 1;
}

void sip_ses_seen_sdp(struct sip_session *s, struct span sdp)
{
	if (sdp.len)
		s->seen_sdp = sip_ses_hash_sdp(sdp);
}

/* Without memory the old one stays: a refresh would then repeat it, and the peer says what it thinks. */
void sip_ses_sent_sdp(struct sip_session *s, struct span sdp)
{
	if (sdp.len && !span_eq(sdp, sip_text_span(s->sent_sdp)))
		sip_text_set(&s->sent_sdp, sdp);
}
