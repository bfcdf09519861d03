/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ping waits as long as its asker says, not Timer F's 32 s: then its transaction is dropped, and a
 * response that comes later is a stray. */
#include "edge/edge_ping.h"

#define OPTIONS_BYTES 1024

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow);
static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text);

static const struct sip_ctx_ops ctx_ops = { .on_response = on_response, .on_failed = on_failed };

/* ---- the end ------------------------------------------------------------------------------- */

static void finish(struct ping *ping, struct ping_result *result)
{
	result->flow = ping->asked ? &ping->flow : NULL;
	ping->gateway = NULL;
	loop_timer_stop(ping->edge->config.loop, &ping->timer);
	ping->done(ping, result);
}

void ping_stop(struct ping *ping)
{
	ping->gateway = NULL;
	loop_timer_stop(ping->edge->config.loop, &ping->timer);
	sip_resolve_cancel(&ping->resolve);
	if (ping->ctx)
		sip_ctx_drop(ping->ctx);
	ping->ctx = NULL;
}

static enum health_cause cause_of(const struct net_flow *flow, int err, const char *text)
{
	switch (err) {
	case ECONNREFUSED:
		return flow->proto == NET_UDP ? HEALTH_ICMP : HEALTH_TCP_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EACCES:
		return HEALTH_ICMP;
	case EPROTO:
		return HEALTH_TLS;
	case EPIPE:
	case ECONNRESET:
		return HEALTH_TCP_LOST;
	case ETIMEDOUT:
		return text && span_starts(span_of(text), SPAN("connecting")) ? HEALTH_TCP_TIMEOUT
									      : HEALTH_SILENCE;
	}
	return HEALTH_LOCAL;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void write_uri(struct sip_writer *w, const char *host, uint16_t port, enum net_proto proto)
{
	bool ip6 = strchr(host, ':') && host[0] != '[';

	sip_putf(w, ip6 ? "sip:[%s]" : "sip:%s", host);
	if (port)
		sip_putf(w, ":%u", port);
	if (proto != NET_UDP)
		sip_puts(w, proto == NET_TCP ? ";transport=tcp" : ";transport=tls");
}

static void write_target(struct sip_writer *w, const struct ping *ping)
{
	const struct model_routing *gw = ping->gateway;

	if (ping->contact[0])
		sip_puts(w, ping->contact);
	else
		write_uri(w, gw->host, gw->port, (enum net_proto)ping->flow.proto);
}

/* RFC 3261 11.1. */
static struct net_buf *write_options(const struct ping *ping, const struct sip_ctx *ctx)
{
	const struct model_routing *gw = ping->gateway;
	char local[NET_ADDR_TEXT];
	struct sip_writer w;

	net_addr_format_uri(&ping->flow.local, local);
	sip_write_begin(&w, OPTIONS_BYTES);
	SIP_PUT(&w, "OPTIONS ");
	write_target(&w, ping);
	SIP_PUT(&w, " SIP/2.0\r\n");
	sip_ctx_write_via(&w, ctx);
	if (ping->path[0])
		sip_write_header(&w, SIP_H_ROUTE, span_of(ping->path));
	sip_putf(&w, "Max-Forwards: 70\r\nFrom: <sip:%s>;tag=%08x%08x\r\nTo: <",
		 gw && gw->from_host ? gw->from_host : local, rng_u32(), rng_u32());
	write_target(&w, ping);
	sip_putf(&w, ">\r\nCall-ID: %08x%08x%08x%08x\r\n", rng_u32(), rng_u32(), rng_u32(),
		 rng_u32());
	sip_write_cseq(&w, 1, SPAN("OPTIONS"));
	sip_putf(&w, "Contact: <sip:%s>\r\nAccept: application/sdp\r\n",
		 net_addr_format(&ping->flow.local, local));
	sip_write_header(&w, SIP_H_USER_AGENT, span_of(ping->edge->config.product));
	return sip_finish(&w, NULL, SPAN_NONE);
}

/* Along ping->flow: 0, or -errno and nothing was sent. */
static int send_options(struct ping *ping)
{
	struct sip_ctx *ctx =
		sip_ctx_new(ping->edge->stack, SIP_OPTIONS, &ping->flow, &ctx_ops, ping);
	int err;

	ping->asked = true;
	if (!ctx)
		return -ENOSPC;
	err = sip_ctx_send(ctx, write_options(ping, ctx), true);
	if (err)
		return err;
	ping->ctx = ctx;
	ping->sent_us = ping->edge->config.loop->now_us;
	loop_timer(ping->edge->config.loop, &ping->timer, ping->timeout_us);
	return 0;
}

static int send_to(struct ping *ping, const struct sip_target *target)
{
	const struct model_routing *gw = ping->gateway;
	bool pinned = gw->local_address != NULL;
	struct net_flow flow;
	union net_addr local;
	int err;

	if (pinned && net_addr_parse(&local, span_of(gw->local_address), 0))
		return -EADDRNOTAVAIL;
	err = net_flow_to(ping->edge->config.net, &flow, target->proto, &target->addr,
			  pinned ? &local : NULL, gw->host);
	if (err)
		return err;
	ping->flow = flow;
	return send_options(ping);
}

/* `failed` is how the address before ended: that counts if there is no other. */
static void try_next(struct ping *ping, struct ping_result *failed)
{
	bool late = ping->deadline_us && ping->edge->config.loop->now_us >= ping->deadline_us;

	while (!late && ping->next < ping->targets.n) {
		int err = send_to(ping, &ping->targets.target[ping->next++]);

		if (!err)
			return;
		failed->cause = ping->asked ? cause_of(&ping->flow, -err, NULL) : HEALTH_LOCAL;
		failed->text = strerror(-err);
	}
	finish(ping, failed);
}

static void on_resolved(void *arg, const struct sip_targets *targets)
{
	struct ping *ping = arg;
	struct ping_result none = { .cause = HEALTH_DNS, .text = ping->targets.text };

	ping->resolve = NULL;
	ping->targets = *targets;
	try_next(ping, &none);
}

static void on_timeout(struct timer *timer)
{
	struct ping *ping = container_of(timer, struct ping, timer);
	struct ping_result silent = { .cause = HEALTH_SILENCE, .text = "no response in time" };

	if (ping->resolve) {
		sip_resolve_cancel(&ping->resolve);
		silent = (struct ping_result){ .cause = HEALTH_DNS,
					       .text = "the name servers did not answer in time" };
	}
	if (ping->ctx)
		sip_ctx_drop(ping->ctx);
	ping->ctx = NULL;
	try_next(ping, &silent);
}

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	struct ping *ping = arg;
	struct ping_result result = { .status = msg->status, .msg = msg };

	if (msg->status < 200)
		return;
	ping->ctx = NULL;
	result.rtt_us = ping->edge->config.loop->now_us - ping->sent_us;
	result.rest_s = msg->status == 503 ? sip_retry_after(msg) : 0;
	finish(ping, &result);
}

static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text)
{
	struct ping *ping = arg;
	struct ping_result failed = { .cause = cause_of(&ping->flow, err, text), .text = text };

	ping->ctx = NULL;
	try_next(ping, &failed);
}

/* Where it registered from, on whichever worker's connection that is. */
static void ask_registered(struct ping *ping)
{
	struct ping_result failed = { .cause = HEALTH_LOCAL, .text = "it is not registered here" };
	struct bindings all;
	int err;

	registration_read(load_registration(ping->gateway->load), &all);
	bindings_prune(&all, ping->edge->config.loop->now_us);
	if (!all.n) {
		finish(ping, &failed);
		return;
	}
	memcpy(&ping->flow, all.binding[0].flow, sizeof(ping->flow));
	span_copy(span_of(all.binding[0].contact), ping->contact, sizeof(ping->contact));
	span_copy(span_of(all.binding[0].path), ping->path, sizeof(ping->path));
	err = send_options(ping);
	if (err) {
		failed.text = strerror(-err);
		finish(ping, &failed);
	}
}

void ping_init(struct ping *ping, struct edge *edge)
{
	*ping = (struct ping){ .edge = edge };
	timer_init(&ping->timer, on_timeout);
}

static void begin(struct ping *ping, const struct model_routing *gateway, uint64_t timeout_us,
		  void (*done)(struct ping *ping, const struct ping_result *result))
{
	ping->gateway = gateway;
	ping->timeout_us = timeout_us;
	ping->sent_us = ping->edge->config.loop->now_us;
	ping->asked = false;
	ping->next = ping->targets.n = 0;
	ping->done = done;
	ping->contact[0] = ping->path[0] = '\0';
	loop_timer(ping->edge->config.loop, &ping->timer, timeout_us);
}

void ping_contact(struct ping *ping, const struct binding *contact, uint64_t timeout_us,
		  void (*done)(struct ping *ping, const struct ping_result *result))
{
	struct ping_result failed = { .cause = HEALTH_LOCAL };
	int err;

	begin(ping, NULL, timeout_us, done);
	memcpy(&ping->flow, contact->flow, sizeof(ping->flow));
	span_copy(span_of(contact->contact), ping->contact, sizeof(ping->contact));
	err = send_options(ping);
	if (!err)
		return;
	failed.cause = cause_of(&ping->flow, -err, NULL);
	failed.text = strerror(-err);
	finish(ping, &failed);
}

void ping_start(struct ping *ping, const struct model_routing *gateway, uint64_t timeout_us,
		void (*done)(struct ping *ping, const struct ping_result *result))
{
	struct sip_resolve *resolve;

	begin(ping, gateway, timeout_us, done);
	if (gateway->reg.type == REGISTER_DYNAMIC) {
		ask_registered(ping);
		return;
	}
	resolve = sip_resolve_start(ping->edge->config.dns, span_of(gateway->host), gateway->port,
				    gateway->proto, true, true, on_resolved, ping);
	if (resolve)
		ping->resolve = resolve;
}
