/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialog of RFC 3261 12: who is at the other end, through which proxies, and along which
 * flow requests leave. A session has one; while an INVITE of ours forks, one per To tag.
 *
 * Where requests go is the gateway's choice (request_address): 0 the socket that the dialog's
 * messages came from, 1 that host at the Contact's port, 2 the first route or else the Contact, as
 * 12.2.1.1 says. A next hop that is a name is resolved once, beside the call: requests wait for it, and
 * when it cannot be found they go to the source after all. */
#include "sip/sip_int.h"
#include "sip/sip_session_int.h"

#include <stdio.h>
#include <stdlib.h>

struct sip_dlg *sip_dlg_find(const struct sip_session *s, struct span remote_tag)
{
	list_for_each (pos, &s->dialogs) {
		struct sip_dlg *d = list_entry(pos, struct sip_dlg, node);

		if (span_eq(d->remote_tag, remote_tag))
			return d;
	}
	return NULL;
}

void sip_dlg_free(struct sip_dlg *d)
{
	sip_ses_requests_of_dialog_free(d->s, d);
	sip_resolve_cancel(&d->resolve);
	if (d->s->dialog == d)
		d->s->dialog = NULL;
	d->s->n_dialogs--;
	list_del(&d->node);
	sip_text_free(&d->target);
	free(d->strings);
	free(d);
}

struct span sip_dlg_contact(const struct sip_msg *msg)
{
	struct sip_cursor c = sip_cursor_of(sip_header(msg, SIP_H_CONTACT));
	struct sip_name_addr contact;
	struct sip_uri uri;

	if (c.p == c.end || sip_take_name_addr(&c, &contact))
		return SPAN_NONE;
	if (contact.uri.len > SES_STRING_MAX || sip_uri_decode(&uri, contact.uri))
		return SPAN_NONE;
	return contact.uri;
}

/* The route set: Record-Route in order as UAS (12.1.1), reversed as UAC (12.1.2). */
static int collect_routes(const struct sip_msg *msg, struct span routes[SES_ROUTES_MAX],
			  unsigned *n_out, size_t *bytes_out)
{
	struct sip_values it = { 0 };
	unsigned n = 0;
	size_t bytes = 0;

	while (sip_next_value(msg, SIP_H_RECORD_ROUTE, &it)) {
		if (n == SES_ROUTES_MAX)
			return -E2BIG;
		routes[n++] = it.value;
		bytes += it.value.len + 2;
	}
	if (!msg->request) {
		for (unsigned i = 0; i < n / 2; i++) {
			struct span swap = routes[i];

			routes[i] = routes[n - 1 - i];
			routes[n - 1 - i] = swap;
		}
	}
	if (bytes > SES_STRING_MAX)
		return -E2BIG;
	*n_out = n;
	*bytes_out = bytes;
	return 0;
}

static bool is_strict(struct span route)
{
	struct sip_name_addr addr;
	struct sip_uri uri;

	if (sip_name_addr_decode(&addr, route) || sip_uri_decode(&uri, addr.uri))
		return false;
	return !sip_param(uri.params, "lr", NULL);
}

static char *put(char *p, struct span s)
{
	if (s.len)
		memcpy(p, s.p, s.len);
	return p + s.len;
}

/* Their address with its tag, and the routes, in one piece of memory. */
static int set_strings(struct sip_dlg *d, const struct sip_msg *msg)
{
	struct span remote = sip_header(msg, msg->request ? SIP_H_FROM : SIP_H_TO);
	struct span tag = msg->request ? msg->from_tag : msg->to_tag;
	struct span routes[SES_ROUTES_MAX];
	unsigned n;
	size_t bytes;
	char *p, *strings;
	int err = collect_routes(msg, routes, &n, &bytes);

	if (err || remote.len > SES_STRING_MAX)
		return -E2BIG;
	strings = malloc(remote.len + tag.len + bytes + 1);
	if (!strings)
		return -ENOMEM;
	free(d->strings);
	d->strings = strings;
	p = put(strings, remote);
	d->remote = (struct span){ strings, remote.len };
	if (tag.len && tag.p >= remote.p && tag.p + tag.len <= remote.p + remote.len) {
		d->remote_tag = (struct span){ strings + (tag.p - remote.p), tag.len };
	} else {
		d->remote_tag = (struct span){ p, tag.len };
		p = put(p, tag);
	}
	d->routes = (struct span){ p, 0 };
	for (unsigned i = 0; i < n; i++) {
		p = i ? put(p, SPAN(", ")) : p;
		p = put(p, routes[i]);
	}
	d->routes.len = (size_t)(p - d->routes.p);
	d->first_route = n ? (uint16_t)routes[0].len : 0;
	d->strict = n && is_strict(routes[0]);
	return 0;
}

/* ---- where requests go ------------------------------------------------------------------ */

struct hop {
	struct span host;
	uint16_t port; /* 0 = not given */
	int proto; /* -1 = not given */
	bool secure;
};

static bool hop_decode(struct hop *hop, struct span uri_text)
{
	struct sip_uri uri;
	struct span transport = SPAN_NONE, maddr = SPAN_NONE;

	if (sip_uri_decode(&uri, uri_text) || !uri.host.len)
		return false;
	hop->secure = span_ieq(uri.scheme, SPAN("sips"));
	hop->host = sip_param(uri.params, "maddr", &maddr) && maddr.len ? maddr : uri.host;
	hop->port = uri.port;
	hop->proto = hop->secure ? NET_TLS : -1;
	if (sip_param(uri.params, "transport", &transport)) {
		for (int proto = NET_UDP; proto <= NET_TLS; proto++)
			if (span_ieq(transport, span_of(net_proto_name((enum net_proto)proto))))
				hop->proto = hop->secure ? NET_TLS : proto;
	}
	return true;
}

static uint16_t hop_port(const struct hop *hop, enum net_proto proto)
{
	return hop->port ? hop->port : proto == NET_TLS ? 5061 : 5060;
}

/* Keep the flow at hand when it leads there already (a connection must not be opened twice). */
static void take_flow(struct sip_dlg *d, enum net_proto proto, const union net_addr *addr)
{
	union net_addr local = d->flow.local;
	struct net_flow flow;

	if (d->flow.proto == proto && net_addr_eq(&d->flow.peer, addr))
		return;
	if (net_addr_is_unusable(addr))
		return;
	net_addr_set_port(&local, 0);
	if (net_flow_to(sip_stack_config(d->s->stack)->net, &flow, proto, addr, &local, NULL) ==
		    0 ||
	    net_flow_to(sip_stack_config(d->s->stack)->net, &flow, proto, addr, NULL, NULL) == 0)
		d->flow = flow;
}

static void resume(struct sip_dlg *d)
{
	sip_uac_resume(d->s, d); /* the ACK goes before a BYE */
	sip_ses_requests_resume(d->s, d);
}

static void on_resolved(void *arg, const struct sip_targets *targets)
{
	struct sip_dlg *d = arg;
	struct sip_session *s = d->s;

	sip_ses_enter(s);
	d->resolve = NULL;
	if (!targets->err && targets->n)
		take_flow(d, targets->target[0].proto, &targets->target[0].addr);
	resume(d);
	sip_ses_leave(s);
}

/* Host given as an address: no question to ask (RFC 3263 4.1: UDP unless the URI says otherwise). A peer on a
 * connection that gives the address it is at, and no other transport, means that connection for as long as it is up:
 * he may not be able to take another one. */
static bool take_literal(struct sip_dlg *d, const struct hop *hop)
{
	union net_addr addr;
	enum net_proto proto = hop->proto < 0 ? NET_UDP : (enum net_proto)hop->proto;

	if (net_addr_parse(&addr, hop->host, hop_port(hop, proto)))
		return false;
	/* A colon in a bare host is IPv6's; the parser may have taken a port off it otherwise. */
	net_addr_set_port(&addr, hop_port(hop, proto));
	if ((hop->proto < 0 || proto == d->flow.proto) && d->flow.proto != NET_UDP &&
	    net_addr_eq_host(&addr, &d->flow.peer))
		return true;
	take_flow(d, proto, &addr);
	return true;
}

static struct span first_route_uri(const struct sip_dlg *d)
{
	struct sip_name_addr addr;

	if (!d->first_route || sip_name_addr_decode(&addr, span_head(d->routes, d->first_route)))
		return SPAN_NONE;
	return addr.uri;
}

static struct span next_hop(const struct sip_dlg *d)
{
	struct span route = first_route_uri(d);

	return route.p ? route : sip_text_span(d->target);
}

static void aim_at_contact(struct sip_dlg *d, const struct net_flow *from)
{
	const struct sip_stack_config *config = sip_stack_config(d->s->stack);
	struct span next = next_hop(d);
	struct hop hop;
	uint64_t hash;
	bool waited;

	hash = hash_spread(next) | 1;
	if (d->hop == hash)
		return; /* as before: keep the flow, or the question under way */
	waited = d->resolve != NULL;
	sip_resolve_cancel(&d->resolve);
	d->hop = hash;
	d->flow = *from;
	if (hop_decode(&hop, next) && !take_literal(d, &hop) && config->dns)
		d->resolve =
			sip_resolve_start(config->dns, hop.host, hop.port, hop.proto,
					  from->local.sa.sa_family == AF_INET,
					  from->local.sa.sa_family == AF_INET6, on_resolved, d);
	if (waited && !d->resolve)
		resume(d);
}

static void aim(struct sip_dlg *d, const struct net_flow *from)
{
	union net_addr addr;
	struct hop hop;

	switch (d->s->config.request_address) {
	case 0:
		d->flow = *from;
		break;
	case 1:
		d->flow = *from;
		if (!hop_decode(&hop, sip_text_span(d->target)))
			break;
		addr = from->peer;
		net_addr_set_port(&addr, hop_port(&hop, from->proto));
		take_flow(d, from->proto, &addr);
		break;
	default:
		aim_at_contact(d, from);
	}
}

void sip_dlg_heard(struct sip_dlg *d, const struct net_flow *flow)
{
	if (d->s->config.request_address == 0)
		d->flow = *flow;
}

/* The port at the other end of a connection that they opened is nobody's any more: their Contact says
 * where they listen. */
int sip_dlg_reconnect(struct sip_dlg *d)
{
	enum net_proto proto = d->flow.proto;
	union net_addr peer = d->flow.peer, addr;
	struct net_flow flow;
	struct hop hop;
	int err;

	if (proto == NET_UDP)
		return -EPIPE;
	if (hop_decode(&hop, next_hop(d)) &&
	    net_addr_parse(&addr, hop.host, hop_port(&hop, proto)) == 0 &&
	    net_addr_eq_host(&addr, &peer))
		net_addr_set_port(&peer, hop_port(&hop, proto));
	err = net_flow_to(sip_stack_config(d->s->stack)->net, &flow, proto, &peer, NULL, NULL);
	if (err == 0)
		d->flow = flow;
	return err;
}

/* ---- making and changing ----------------------------------------------------------------- */

int sip_dlg_learn(struct sip_dlg *d, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct span target = sip_dlg_contact(msg);
	struct sip_name_addr addr;
	int err = set_strings(d, msg);

	if (err)
		return err;
	/* Without Contact (old peers' 18x) their address is the best guess. */
	if (!target.p && !d->target.p && sip_name_addr_decode(&addr, d->remote) == 0)
		target = addr.uri;
	if (target.p && sip_text_set(&d->target, target))
		return -ENOMEM;
	if (!d->target.p)
		return -EBADMSG;
	aim(d, flow);
	return 0;
}

struct sip_dlg *sip_dlg_new(struct sip_session *s, const struct sip_msg *msg,
			    const struct net_flow *flow)
{
	struct sip_dlg *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->s = s;
	list_add_tail(&s->dialogs, &d->node);
	s->n_dialogs++;
	if (sip_dlg_learn(d, msg, flow)) {
		sip_dlg_free(d);
		return NULL;
	}
	if (msg->request)
		d->remote_cseq = msg->cseq;
	return d;
}

void sip_dlg_retarget(struct sip_dlg *d, struct span uri)
{
	struct net_flow from = d->flow;

	if (!uri.p || span_eq(uri, sip_text_span(d->target)) || sip_text_set(&d->target, uri))
		return;
	if (d->s->config.request_address)
		aim(d, &from);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* 12.2.1.1: a first route without lr goes into the Request-URI, and the target to the end. */
struct span sip_dlg_request_uri(const struct sip_dlg *d)
{
	struct span uri = d->strict ? first_route_uri(d) : SPAN_NONE;

	return uri.p ? uri : sip_text_span(d->target);
}

size_t sip_dlg_size(const struct sip_dlg *d)
{
	return SES_HEAD_BYTES + d->remote.len + d->routes.len + 2 * d->target.len +
	       d->s->local.len + d->s->call_id.len;
}

static void write_route(struct sip_writer *w, const struct sip_dlg *d)
{
	struct span rest = span_skip(d->routes, d->first_route + 2u);

	if (!d->routes.len)
		return;
	if (!d->strict) {
		sip_write_header(w, SIP_H_ROUTE, d->routes);
		return;
	}
	SIP_PUT(w, "Route: ");
	sip_put(w, rest);
	sip_puts(w, rest.len ? ", <" : "<");
	sip_put(w, sip_text_span(d->target));
	SIP_PUT(w, ">\r\n");
}

void sip_dlg_write_head(struct sip_writer *w, const struct sip_dlg *d, const struct sip_ctx *ctx,
			struct span method, uint32_t cseq)
{
	sip_write_request_line(w, method, sip_dlg_request_uri(d));
	if (ctx)
		sip_ctx_write_via(w, ctx);
	else /* the ACK to a 2xx: a transaction of its own that nothing answers (13.2.2.4) */
		sip_stack_write_ack_via(w, d->s->stack, &d->flow, d->s->call_id, d->remote_tag,
					cseq);
	SIP_PUT(w, "Max-Forwards: 70\r\n");
	write_route(w, d);
	sip_write_header(w, SIP_H_FROM, d->s->local);
	sip_write_header(w, SIP_H_TO, d->remote);
	sip_write_header(w, SIP_H_CALL_ID, d->s->call_id);
	sip_write_cseq(w, cseq, method);
}
