/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One REGISTER to a vendor and what it answers: a challenge, an interval that is too brief, a grant, a refusal. A round begins
 * without credentials, for many servers take a nonce once only; it is over after a few challenges. */
#include "edge/edge_outbound.h"

#define REGISTER_BYTES 4096
#define BRIEF_MAX 4 /* intervals that it calls too brief */
#define ASK_USUALLY_S 3600
#define ASK_MOST_S 86400

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow);
static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text);

static const struct sip_ctx_ops ctx_ops = { .on_response = on_response, .on_failed = on_failed };

static uint32_t interval(const struct outbound *o)
{
	uint32_t wanted = (uint32_t)(outbound_params(o)->outbound_expire / SEC);

	if (o->leaving)
		return 0;
	if (!wanted)
		wanted = ASK_USUALLY_S;
	return o->asked_s > wanted ? o->asked_s : wanted;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void write_uri(struct sip_writer *w, const char *user, const char *host)
{
	char escaped[160];
	bool ip6 = strchr(host, ':') && host[0] != '[';

	SIP_PUT(w, "sip:");
	if (user) {
		edge_escape_user(user, escaped, sizeof(escaped));
		sip_putf(w, "%s@", escaped);
	}
	sip_putf(w, ip6 ? "[%s]" : "%s", host);
}

/* What we register: at an IMS core that is not who we prove to be. */
static const char *public_user(const struct outbound *o)
{
	return o->id.public_user ? o->id.public_user : o->id.user;
}

static void write_own_uri(struct sip_writer *w, const struct outbound *o)
{
	char local[NET_ADDR_TEXT], user[160];

	edge_escape_user(public_user(o), user, sizeof(user));
	sip_putf(w, "sip:%s@%s%s", user, net_addr_format(&o->flow.local, local),
		 o->flow.proto == NET_TCP   ? ";transport=tcp"
		 : o->flow.proto == NET_TLS ? ";transport=tls"
					    : "");
}

static void add_domain_uri(const struct outbound *o, struct buf *out)
{
	buf_addf(out, strchr(o->id.domain, ':') ? "sip:[%s]" : "sip:%s", o->id.domain);
}

/* 3GPP TS 24.229 5.1.1.2: the private identity stands in the first request already, before any challenge. */
static void write_ims(struct sip_writer *w, const struct outbound *o, bool proves)
{
	struct buf uri = BUF_INIT(320), line = BUF_INIT(1024);

	if (o->id.access_network)
		sip_putf(w, "P-Access-Network-Info: %s\r\n", o->id.access_network);
	if (!o->id.ims)
		return;
	SIP_PUT(w, "Supported: path\r\n");
	if (proves)
		return;
	add_domain_uri(o, &uri);
	sip_digest_announce(o->id.user, o->id.domain, buf_span(&uri), &line);
	if (!line.failed)
		sip_put(w, buf_span(&line));
	buf_free(&uri);
	buf_free(&line);
}

static struct net_buf *write_register(struct outbound *o, const struct sip_ctx *ctx,
				      struct span credentials)
{
	struct sip_writer w;

	sip_write_begin(&w, REGISTER_BYTES + credentials.len);
	SIP_PUT(&w, "REGISTER ");
	write_uri(&w, NULL, o->id.domain);
	SIP_PUT(&w, " SIP/2.0\r\n");
	sip_ctx_write_via(&w, ctx);
	SIP_PUT(&w, "Max-Forwards: 70\r\nFrom: <");
	write_uri(&w, public_user(o), o->id.domain);
	sip_putf(&w, ">;tag=%s\r\nTo: <", o->tag);
	write_uri(&w, public_user(o), o->id.domain);
	sip_putf(&w, ">\r\nCall-ID: %s\r\n", o->call_id);
	sip_write_cseq(&w, o->cseq++, SPAN("REGISTER"));
	SIP_PUT(&w, "Contact: <");
	write_own_uri(&w, o);
	sip_putf(&w, ">;expires=%u\r\nExpires: %u\r\n", interval(o), interval(o));
	if (outbound_params(o)->outbound_privacy[0])
		sip_write_header(&w, SIP_H_PRIVACY, span_of(outbound_params(o)->outbound_privacy));
	write_ims(&w, o, credentials.len > 0);
	sip_put(&w, credentials);
	sip_write_header(&w, SIP_H_USER_AGENT, span_of(o->owner->edge->config.product));
	return sip_finish(&w, NULL, SPAN_NONE);
}

/* 0, or -errno and nothing was sent. */
static int send_register(struct outbound *o, struct span credentials)
{
	struct sip_ctx *ctx =
		sip_ctx_new(o->owner->edge->stack, SIP_REGISTER, &o->flow, &ctx_ops, o);
	int err;

	if (!ctx)
		return -ENOSPC;
	err = sip_ctx_send(ctx, write_register(o, ctx, credentials), false);
	if (!err)
		o->ctx = ctx;
	return err;
}

static int send_to(struct outbound *o, const struct sip_target *target)
{
	struct edge *edge = o->owner->edge;
	union net_addr local;
	bool pinned = o->id.local_address != NULL;
	int err;

	if (pinned && net_addr_parse(&local, span_of(o->id.local_address), 0))
		return -EADDRNOTAVAIL;
	err = net_flow_to(edge->config.net, &o->flow, target->proto, &target->addr,
			  pinned ? &local : NULL, o->id.host);
	return err ? err : send_register(o, SPAN_NONE);
}

/* The next address of the registrar; when there is none, the round has failed as `text` says. */
static void try_next_target(struct outbound *o, int err, const char *text)
{
	while (o->next_target < o->targets.n) {
		err = send_to(o, &o->targets.target[o->next_target++]);
		if (!err)
			return;
		text = strerror(-err);
	}
	outbound_failed(o, 0, 0, "%s: %s", o->id.host, text);
}

static void on_resolved(void *arg, const struct sip_targets *targets)
{
	struct outbound *o = arg;

	o->resolve = NULL;
	o->targets = *targets;
	o->next_target = 0;
	try_next_target(o, 0, targets->n ? "no address" : o->targets.text);
}

void outbound_ask(struct outbound *o)
{
	struct sip_resolve *resolve;

	/* Whoever granted it takes it back. */
	if (o->leaving) {
		if (send_register(o, SPAN_NONE))
			outbound_failed(o, 0, 0, "could not be sent");
		return;
	}
	resolve = sip_resolve_start(o->owner->edge->config.dns, span_of(o->id.host), o->id.port,
				    o->id.proto, true, true, on_resolved, o);
	if (resolve)
		o->resolve = resolve;
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void answer_challenge(struct outbound *o, const struct sip_msg *msg)
{
	struct span realm = sip_digest_realm(msg);
	struct buf lines = BUF_INIT(2048), uri = BUF_INIT(320);
	int err;

	add_domain_uri(o, &uri);
	err = sip_digest_answer(msg, SPAN("REGISTER"), buf_span(&uri), o->id.user, o->id.password,
				1, &lines);
	if (err == -EOPNOTSUPP)
		outbound_failed(o, msg->status, 0,
				"its challenge is of a kind that we cannot answer");
	else if (err)
		outbound_failed(o, msg->status, 0, "it challenged without saying how");
	else if (send_register(o, buf_span(&lines)))
		outbound_failed(o, msg->status, 0,
				"the answer to its challenge (realm %.*s) could not be sent",
				SPAN_ARG(span_head(realm, 60)));
	buf_free(&lines);
	buf_free(&uri);
}

/* RFC 3261 22.1: the same challenge again says that the credentials are wrong, unless it calls the nonce stale. */
static void on_challenge(struct outbound *o, const struct sip_msg *msg)
{
	struct span realm = sip_digest_realm(msg);

	if (o->challenged && !sip_digest_is_stale(msg)) {
		outbound_failed(o, msg->status, 0,
				"%d: user or password is refused (realm %.*s): check user and "
				"password of the gateway",
				msg->status, SPAN_ARG(span_head(realm, 60)));
		return;
	}
	if (o->challenges >= outbound_params(o)->auth_challenges_max) {
		outbound_failed(
			o, msg->status, 0,
			"%d: it has challenged %u times, and auth_challenges_max permits no more",
			msg->status, o->challenges);
		return;
	}
	o->challenges++;
	o->challenged = true;
	answer_challenge(o, msg);
}

static void on_too_brief(struct outbound *o, const struct sip_msg *msg)
{
	uint32_t least = 0;

	if (span_to_u32(span_trim(sip_header(msg, SIP_H_MIN_EXPIRES)), &least) ||
	    least <= interval(o) || least > ASK_MOST_S || o->briefs >= BRIEF_MAX) {
		outbound_failed(
			o, 423, 0,
			"423: it calls %u s too brief and names no usable interval (Min-Expires)",
			interval(o));
		return;
	}
	o->asked_s = least;
	o->briefs++;
	o->challenged = false; /* and it will challenge again */
	if (send_register(o, SPAN_NONE))
		outbound_failed(o, 423, 0, "the longer interval could not be asked for");
}

/* Our Contact among those in the answer, and what it is granted: its expires, else the header's, else what we
 * asked for (10.2.4). Servers that rewrite Contacts leave us the first one. */
static uint32_t granted(const struct outbound *o, const struct sip_msg *msg)
{
	struct sip_values it = { 0 };
	struct span text = sip_header(msg, SIP_H_EXPIRES);
	union net_addr addr;
	uint32_t seconds = interval(o), found;
	bool ours = false;

	if (span_to_u32(span_trim(text), &found) == 0)
		seconds = found;
	for (bool first = true; !ours && sip_next_value(msg, SIP_H_CONTACT, &it); first = false) {
		struct sip_name_addr contact;
		struct sip_uri uri;

		if (sip_name_addr_decode(&contact, it.value) || sip_uri_decode(&uri, contact.uri))
			continue;
		ours = net_addr_parse(&addr, uri.host, uri.port ? uri.port : 5060) == 0 &&
		       net_addr_eq(&addr, &o->flow.local);
		if ((ours || first) && sip_param(contact.params, "expires", &text) &&
		    span_to_u32(span_trim(text), &found) == 0)
			seconds = found;
	}
	return seconds > ASK_MOST_S ? ASK_MOST_S : seconds;
}

/* All values of the header, in their order; "" when they do not fit. */
static void keep_values(const struct sip_msg *msg, enum sip_header header, char *dst, size_t size)
{
	struct sip_values it = { 0 };
	size_t used = 0;

	dst[0] = '\0';
	while (sip_next_value(msg, header, &it)) {
		if (used + it.value.len + 3 > size) {
			dst[0] = '\0';
			return;
		}
		used += (size_t)fmt_print(dst + used, size - used, "%s%.*s", used ? ", " : "",
					  SPAN_ARG(it.value));
	}
}

static void on_refused(struct outbound *o, const struct sip_msg *msg)
{
	struct span phrase = span_head(sip_str(msg, msg->reason), 80);
	uint32_t seconds = sip_retry_after(msg);

	if (seconds > ASK_MOST_S)
		seconds = 0;
	outbound_failed(o, msg->status, seconds, "%d %.*s", msg->status, SPAN_ARG(phrase));
}

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	struct outbound *o = arg;
	uint32_t seconds;

	if (msg->status < 200)
		return;
	o->ctx = NULL;
	if (msg->status < 300) {
		seconds = granted(o, msg);
		o->challenged = false;
		keep_values(msg, SIP_H_SERVICE_ROUTE, o->service_route, sizeof(o->service_route));
		keep_values(msg, SIP_H_P_ASSOCIATED_URI, o->associated, sizeof(o->associated));
		if (seconds || o->leaving)
			outbound_granted(o, seconds);
		else
			outbound_failed(o, msg->status, 0, "%d, but nothing is granted (expires=0)",
					msg->status);
	} else if (msg->status == 401 || msg->status == 407) {
		on_challenge(o, msg);
	} else if (msg->status == 423 && !o->leaving) {
		on_too_brief(o, msg);
	} else {
		on_refused(o, msg);
	}
}

static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text)
{
	struct outbound *o = arg;

	o->ctx = NULL;
	if (o->leaving)
		outbound_failed(o, 0, 0, "no answer");
	else
		try_next_target(o, -err, err == ETIMEDOUT ? "it did not answer" : text);
}
