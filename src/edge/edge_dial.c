/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dialling the callee's side: where to (RFC 3263, a phone's binding, a redirect), what to say, and
 * the next address when one fails. One attempt may thus try several addresses of one gateway; the
 * next gateway is the call's decision. */
#include "edge/edge_int.h"

#include <stdio.h>
#include <stdlib.h>

#define SDP_MAX 16384
#define URI_MAX 700
#define EXTRA_MAX (4096 + EDGE_HEADERS_MAX)

struct dial {
	struct sip_leg *leg;
	struct sip_resolve *resolve;
	bool at_once; /* resolving within edge_dial: failures are returned, not told */
	int err; /* outcome of resolving at once */
	struct sip_targets targets; /* or the first hop of the present contact's Path */
	struct bindings *bindings; /* a registered device's contacts, instead of targets; owned */
	struct span route; /* in bindings: the Path to the present one; or in service_route */
	char *service_route; /* of a gateway that we register at (RFC 3608); owned; NULL = none */
	unsigned next; /* target or contact to try next */
	unsigned redirects;
	const struct model_routing *gateway; /* or */
	const struct model_phone *phone;
	const struct media_desc *offer; /* in the call's setup arena */
	char host[256]; /* of the Request-URI */
	uint16_t port;
	int proto; /* -1 = not said */
	char user[160]; /* escaped */
};

/* RFC 3261 25.1: user = 1*( unreserved / escaped / user-unreserved ). */
size_t edge_escape_user(const char *user, char *dst, size_t size)
{
	static const char plain[] = "-_.!~*'()&=+$,;?/";
	size_t used = 0;

	for (; *user && used + 4 < size; user++) {
		unsigned char c = (unsigned char)*user;
		bool letter = (ascii_lower(*user) >= 'a' && ascii_lower(*user) <= 'z') ||
			      ascii_digit(*user);

		if (letter || strchr(plain, c))
			dst[used++] = (char)c;
		else
			used += (size_t)snprintf(dst + used, size - used, "%%%02X", c);
	}
	dst[used] = '\0';
	return used;
}

void edge_dial_free(struct dial **dial)
{
	if (!*dial)
		return;
	sip_resolve_cancel(&(*dial)->resolve);
	free((*dial)->bindings);
	free((*dial)->service_route);
	free(*dial);
	*dial = NULL;
}

/* ---- what is said --------------------------------------------------------------------------- */

static void add_host(struct buf *out, const char *host, uint16_t port)
{
	bool ip6 = strchr(host, ':') && host[0] != '[';

	buf_addf(out, ip6 ? "[%s]" : "%s", host);
	if (port)
		buf_addf(out, ":%u", port);
}

/* What a gateway may hear of a dip (RFC 4694 6.1); a redirect has its own user. */
static void add_npdi(const struct dial *d, struct buf *out)
{
	const struct call_numbers *numbers = call_numbers(d->leg->base.call);

	if (!d->gateway || !d->gateway->send_npdi || !numbers->dipped || d->redirects)
		return;
	buf_add_str(out, ";npdi");
	if (numbers->routing_number)
		buf_addf(out, ";rn=%s", numbers->routing_number);
}

static void write_request_uri(const struct dial *d, struct buf *out, enum net_proto proto)
{
	buf_addf(out, "sip:%s", d->user);
	add_npdi(d, out);
	buf_add_char(out, '@');
	add_host(out, d->host, d->port);
	if (proto != NET_UDP)
		buf_add_str(out, proto == NET_TCP ? ";transport=tcp" : ";transport=tls");
}

/* A number of the gateway's group for who diverted the call. */
static const char *diverted_as(const struct dial *d, const struct call_numbers *numbers)
{
	const struct model_number_group *group = d->gateway ? d->gateway->diversion_group : NULL;

	if (!group || !numbers->diversions)
		return NULL;
	return number_set_at(group->numbers, rng_below(number_set_count(group->numbers))).p;
}

static struct edge_shown shown_to(const struct sip_leg *leg, const struct dial *d,
				  const char *local)
{
	const struct call_numbers *numbers = call_numbers(leg->base.call);
	const char *host = d->gateway ? d->gateway->from_host : d->phone->from_host;

	return (struct edge_shown){ .sip = leg->sip,
				    .numbers = numbers,
				    .caller = numbers->caller,
				    .host = host ? host : local,
				    .diverted = diverted_as(d, numbers),
				    .vouched =
					    numbers->identity || call_from(leg->base.call)->phone };
}

static int dial_flow(struct sip_leg *leg, struct dial *d, const struct net_flow *flow,
		     struct span uri)
{
	const struct call_numbers *numbers = call_numbers(leg->base.call);
	struct buf from = BUF_INIT(URI_MAX), to = BUF_INIT(URI_MAX), extra = BUF_INIT(EXTRA_MAX),
		   sdp = BUF_INIT(SDP_MAX);
	struct sip_session_config config;
	struct edge_shown shown;
	char local[NET_ADDR_TEXT];
	struct sip_dial dial = { .flow = *flow,
				 .uri = uri,
				 .max_forwards = numbers->max_forwards - 1 };
	uint64_t before = edge_trace_now(leg->edge);
	int err = -ENOMEM;

	leg->flow = *flow;
	net_addr_format_uri(&flow->local, local);
	shown = shown_to(leg, d, local);
	edge_from_write(&shown, &from);
	buf_addf(&to, "<sip:%s@", d->user);
	add_host(&to, d->host, d->port);
	buf_add_char(&to, '>');
	if (d->route.len)
		buf_addf(&extra, "Route: %.*s\r\n", SPAN_ARG(d->route));
	edge_identity_write(&shown, &extra);
	edge_headers_add(&extra, span_of(numbers->headers), &shown);
	if (d->gateway && d->gateway->access_network)
		buf_addf(&extra, "P-Access-Network-Info: %s\r\n", d->gateway->access_network);
	if (d->gateway && d->gateway->extra_headers)
		buf_add_str(&extra, d->gateway->extra_headers);
	dial.sdp = edge_write_sdp(leg, d->offer, &sdp);
	dial.from = buf_span(&from);
	dial.to = buf_span(&to);
	dial.extra = buf_span(&extra);
	edge_session_config(leg, &call_model(leg->base.call)->params, d->gateway, &config);
	if (!from.failed && !to.failed && !extra.failed && !sdp.failed)
		err = sip_session_dial(&leg->session, leg->edge->stack, &dial, &config,
				       &edge_session_ops, leg);
	if (!err)
		edge_trace_dialled(leg, before);
	buf_free(&from);
	buf_free(&to);
	buf_free(&extra);
	buf_free(&sdp);
	return err;
}

/* ---- where to ---------------------------------------------------------------------------------- */

/* The transport that a URI asks for, or -1. */
static int uri_proto(const struct sip_uri *uri)
{
	struct span transport;

	if (span_ieq(uri->scheme, SPAN("sips")))
		return NET_TLS;
	if (!sip_param(uri->params, "transport", &transport))
		return -1;
	return span_ieq(transport, SPAN("tcp"))   ? NET_TCP
	       : span_ieq(transport, SPAN("tls")) ? NET_TLS
						  : NET_UDP;
}

static int dial_target(struct sip_leg *leg, struct dial *d, const struct sip_target *target)
{
	struct net_flow flow;
	union net_addr local;
	struct buf uri = BUF_INIT(URI_MAX);
	bool pinned = d->gateway && d->gateway->local_address;
	int err;

	if (net_addr_is_unusable(&target->addr))
		return -EADDRNOTAVAIL;
	if (pinned && net_addr_parse(&local, span_of(d->gateway->local_address), 0))
		return -EADDRNOTAVAIL;
	err = net_flow_to(leg->edge->config.net, &flow, target->proto, &target->addr,
			  pinned ? &local : NULL, d->host);
	if (err)
		return err;
	write_request_uri(d, &uri, target->proto);
	err = uri.failed ? -ENOMEM : dial_flow(leg, d, &flow, buf_span(&uri));
	buf_free(&uri);
	return err;
}

/* A gateway is asked for the number at its contact; a phone's contact is all there is. */
static void write_contact_uri(struct dial *d, const struct binding *b,
			      const struct sip_uri *contact, struct buf *out)
{
	if (d->phone) {
		buf_add_str(out, b->contact);
		return;
	}
	span_copy(contact->host, d->host, sizeof(d->host));
	d->port = contact->port;
	buf_addf(out, "%.*s:%s", SPAN_ARG(contact->scheme), d->user);
	add_npdi(d, out);
	buf_add_char(out, '@');
	add_host(out, d->host, d->port);
	if (contact->params.len)
		buf_addf(out, ";%.*s", SPAN_ARG(contact->params));
}

/* A connection that is gone may be made anew to a Contact that is an address; behind a NAT that fails, and the device
 * registers again when it notices. */
static int dial_anew(struct sip_leg *leg, struct dial *d, const struct sip_uri *contact,
		     struct net_flow *flow, struct span uri)
{
	union net_addr addr;
	uint16_t port = contact->port ? contact->port : flow->proto == NET_TLS ? 5061 : 5060;
	int err;

	if (net_addr_parse(&addr, contact->host, port))
		return -EPIPE;
	err = net_flow_to(leg->edge->config.net, flow, (enum net_proto)flow->proto, &addr, NULL,
			  NULL);
	return err ? err : dial_flow(leg, d, flow, uri);
}

/* Along the way that the REGISTER came. */
static int dial_back(struct sip_leg *leg, struct dial *d, const struct net_flow *flow,
		     struct span uri)
{
	if (flow->proto != NET_UDP && !flow->conn) /* its connection was another process's */
		return -EPIPE;
	return dial_flow(leg, d, flow, uri);
}

/* ---- a Path (RFC 3327 5.3): the request goes where its first URI says --------------------------- */

static bool first_hop(const struct binding *b, struct sip_uri *out)
{
	struct span path = span_of(b->path);
	struct sip_name_addr hop;

	return sip_name_addr_decode(&hop, span_head(path, span_find(path, '>') + 1)) == 0 &&
	       sip_uri_decode(out, hop.uri) == 0;
}

/* Of a connection only the host tells: the proxy's end of it has a port of its own. */
static bool is_source(const struct sip_target *target, const struct net_flow *flow)
{
	if (flow->proto != NET_UDP)
		return net_addr_eq_host(&target->addr, &flow->peer);
	return target->proto == NET_UDP && net_addr_eq(&target->addr, &flow->peer);
}

/* A name that nobody knows here may be one of the proxy's own network: the REGISTER came from there all the same. */
static bool leads_back(const struct sip_targets *targets, const struct net_flow *flow)
{
	for (unsigned i = 0; i < targets->n; i++)
		if (is_source(&targets->target[i], flow))
			return true;
	return targets->n == 0;
}

/* The addresses of the first hop, until one can be sent to. */
static int dial_hop(struct sip_leg *leg, struct dial *d, const struct binding *b, struct span uri)
{
	struct sip_uri hop;
	char host[256];
	int err = -EHOSTUNREACH;

	if (!first_hop(b, &hop) || span_copy(hop.host, host, sizeof(host)) >= sizeof(host))
		return err;
	for (unsigned i = 0; i < d->targets.n && err; i++) {
		const struct sip_target *target = &d->targets.target[i];
		struct net_flow flow;

		if (net_addr_is_unusable(&target->addr))
			continue;
		err = net_flow_to(leg->edge->config.net, &flow, target->proto, &target->addr, NULL,
				  host);
		if (!err)
			err = dial_flow(leg, d, &flow, uri);
	}
	return err;
}

/* ---- contacts ----------------------------------------------------------------------------------- */

static int dial_contact(struct sip_leg *leg, struct dial *d, const struct binding *b)
{
	struct buf uri = BUF_INIT(URI_MAX);
	struct sip_uri contact;
	struct net_flow flow;
	int err = -EPIPE;

	if (sip_uri_decode(&contact, span_of(b->contact)))
		return -EHOSTUNREACH;
	memcpy(&flow, b->flow, sizeof(flow));
	net_addr_format_host(&flow.local, d->host);
	d->route = span_of(b->path);
	leg->natted = b->natted;
	write_contact_uri(d, b, &contact, &uri);
	if (uri.failed)
		err = -ENOMEM;
	else if (!d->route.len || leads_back(&d->targets, &flow))
		err = dial_back(leg, d, &flow, buf_span(&uri));
	if (err == -EPIPE)
		err = d->route.len ? dial_hop(leg, d, b, buf_span(&uri))
				   : dial_anew(leg, d, &contact, &flow, buf_span(&uri));
	buf_free(&uri);
	return err;
}

static void on_hop_resolved(void *arg, const struct sip_targets *targets);

/* 0: dialled, or the first hop of its Path is being resolved. */
static int dial_binding(struct sip_leg *leg, struct dial *d, const struct binding *b)
{
	struct sip_uri hop;

	d->targets.n = 0;
	if (!b->path[0] || !first_hop(b, &hop))
		return dial_contact(leg, d, b);
	d->at_once = true;
	d->err = -EINPROGRESS;
	d->resolve = sip_resolve_start(leg->edge->config.dns, hop.host, hop.port, uri_proto(&hop),
				       true, true, on_hop_resolved, d);
	d->at_once = false;
	if (d->err == -EINPROGRESS)
		return d->resolve ? 0 : -ENOMEM;
	return dial_contact(leg, d, b);
}

static unsigned places(const struct dial *d)
{
	return d->bindings ? d->bindings->n : d->targets.n;
}

/* The next address or contact that can at least be sent to. */
static int dial_next_target(struct sip_leg *leg)
{
	struct dial *d = leg->dial;
	int err = -EHOSTUNREACH;

	while (d->next < places(d)) {
		unsigned i = d->next++;

		err = d->bindings ? dial_binding(leg, d, &d->bindings->binding[i])
				  : dial_target(leg, d, &d->targets.target[i]);
		if (!err)
			return 0;
	}
	return err;
}

static void on_hop_resolved(void *arg, const struct sip_targets *targets)
{
	struct dial *d = arg;
	struct sip_leg *leg = d->leg;
	struct call_end end = { .q850 = -1, .text = "no contact of the device can be sent to" };
	int err;

	d->resolve = NULL;
	d->targets = *targets;
	d->err = 0;
	if (d->at_once)
		return;
	err = dial_contact(leg, d, &d->bindings->binding[d->next - 1]);
	if (err)
		err = dial_next_target(leg);
	if (!err)
		return;
	end.err = -err;
	end.code = call_classify(0, -1, end.err);
	call_on_failed(&leg->base, &end);
}

static void fail_resolving(struct sip_leg *leg, const struct dial *d)
{
	struct call_end end = {
		.code = END_DNS_FAILED, .q850 = -1, .err = d->targets.err, .text = d->targets.text
	};

	call_on_failed(&leg->base, &end);
}

static void on_resolved(void *arg, const struct sip_targets *targets)
{
	struct dial *d = arg;
	struct sip_leg *leg = d->leg;
	struct call_end end = { .q850 = -1 };

	d->resolve = NULL;
	d->targets = *targets;
	d->next = 0;
	d->err = targets->n ? 0 : -ENOENT;
	if (d->at_once)
		return;
	if (!targets->n) {
		fail_resolving(leg, d);
		return;
	}
	end.err = -dial_next_target(leg);
	if (end.err) {
		end.code = call_classify(0, -1, end.err);
		end.text = "no address of the gateway can be sent to";
		call_on_failed(&leg->base, &end);
	}
}

/* 0: dialled or resolving; -errno. */
static int resolve_and_dial(struct sip_leg *leg, struct dial *d)
{
	d->at_once = true;
	d->err = -EINPROGRESS;
	d->resolve = sip_resolve_start(leg->edge->config.dns, span_of(d->host), d->port, d->proto,
				       true, true, on_resolved, d);
	d->at_once = false;
	if (d->err == -EINPROGRESS)
		return d->resolve ? 0 : -ENOMEM;
	return d->err ? d->err : dial_next_target(leg);
}

/* All contacts of the device, in turn. */
static int dial_registered(struct sip_leg *leg, struct dial *d, struct load *load)
{
	d->bindings = malloc(sizeof(*d->bindings));
	if (!d->bindings)
		return -ENOMEM;
	registration_read(load_registration(load), d->bindings);
	bindings_prune(d->bindings, leg->edge->config.loop->now_us);
	bindings_drop_silent(d->bindings);
	return dial_next_target(leg);
}

/* Calls to an IMS core take the way that its registrar named: its proxy, at whose address we register, then what it listed
 * (3GPP TS 24.229 5.1.2A.1). */
static bool take_service_route(struct dial *d)
{
	struct buf route = BUF_INIT(640);
	struct bindings all;

	registration_read(load_registration(d->gateway->load), &all);
	if (!all.n || !all.binding[0].path[0])
		return true;
	buf_add_str(&route, "<sip:");
	add_host(&route, d->host, d->port);
	buf_addf(&route, ";lr>, %s", all.binding[0].path);
	d->service_route = route.failed ? NULL : strdup(buf_cstr(&route));
	buf_free(&route);
	d->route = span_of(d->service_route);
	return d->service_route != NULL;
}

static int dial_static_phone(struct sip_leg *leg, struct dial *d)
{
	union net_addr addr;

	if (net_addr_parse(&addr, span_of(d->phone->address), 5060))
		return -EHOSTUNREACH;
	net_addr_format_host(&addr, d->host);
	d->port = net_addr_port(&addr);
	d->proto = NET_UDP;
	return resolve_and_dial(leg, d);
}

int edge_dial(struct sip_leg *leg, const struct route_candidate *candidate,
	      const struct media_desc *offer)
{
	const struct call_numbers *numbers = call_numbers(leg->base.call);
	struct dial *d = calloc(1, sizeof(*d));
	struct media_desc *own = NULL;
	struct edge_shown shown;

	leg->dial = d;
	leg->number_out = strdup(numbers->callee);
	if (!d || !leg->number_out)
		return -ENOMEM;
	d->leg = leg;
	d->gateway = candidate->gateway;
	d->phone = candidate->phone;
	shown = shown_to(leg, d, "");
	leg->caller_out = strdup(edge_caller_is_hidden(&shown) ? "anonymous" : shown.caller);
	if (!leg->caller_out)
		return -ENOMEM;
	edge_escape_user(numbers->callee, d->user, sizeof(d->user));
	if (offer) {
		own = media_desc_dup(call_setup_arena(leg->base.call), offer);
		if (!own)
			return -ENOMEM;
		if (media_desc_audio(own) && !edge_restrict(leg, own))
			return -EOPNOTSUPP;
		d->offer = own;
	}
	if (d->phone && d->phone->reg.type == REGISTER_STATIC)
		return dial_static_phone(leg, d);
	if (d->phone)
		return dial_registered(leg, d, d->phone->load);
	if (d->gateway->reg.type == REGISTER_DYNAMIC)
		return dial_registered(leg, d, d->gateway->load);
	span_copy(span_of(d->gateway->host), d->host, sizeof(d->host));
	d->port = d->gateway->port;
	d->proto = d->gateway->proto;
	if (d->gateway->ims && !take_service_route(d))
		return -ENOMEM;
	return resolve_and_dial(leg, d);
}

/* Nothing was sent yet: that is not the gateway's silence but the name servers'. */
static void blame_dns(struct sip_leg *leg, struct call_end *end)
{
	char asked[300];

	end->code = END_DNS_FAILED;
	end->text =
		arena_printf(call_setup_arena(leg->base.call),
			     "the name servers have not answered within the invite timeout (%s)",
			     sip_resolve_waiting(leg->dial->resolve, asked, sizeof(asked)));
}

bool edge_retarget(struct sip_leg *leg, struct call_end *end)
{
	struct dial *d = leg->dial;

	if (d && d->resolve)
		blame_dns(leg, end);
	if (!d || d->next >= places(d))
		return false;
	sip_resolve_cancel(&d->resolve);
	if (leg->session) {
		sip_session_end(leg->session, SPAN("Reason: Q.850;cause=102\r\n"));
		sip_session_release(&leg->session);
	}
	return dial_next_target(leg) == 0;
}

/* ---- redirects (RFC 3261 8.1.3.4) ---------------------------------------------------------------- */

static bool may_follow(const struct sip_leg *leg, const struct dial *d)
{
	if (!d->gateway || d->redirects >= EDGE_REDIRECTS_MAX)
		return false;
	return d->gateway->follow_redirects < 0
		       ? call_model(leg->base.call)->params.follow_redirects
		       : d->gateway->follow_redirects == 1;
}

static bool follow_redirect(struct sip_leg *leg, struct dial *d, const struct sip_msg *msg)
{
	struct sip_values it = { 0 };
	struct sip_name_addr contact;
	struct sip_uri uri;
	char *number;

	if (!sip_next_value(msg, SIP_H_CONTACT, &it) || sip_name_addr_decode(&contact, it.value) ||
	    sip_uri_decode(&uri, contact.uri) || !span_ieq(uri.scheme, SPAN("sip")) ||
	    !uri.host.len)
		return false;
	if (span_copy(uri.host, d->host, sizeof(d->host)) >= sizeof(d->host) ||
	    (uri.user.len && span_copy(uri.user, d->user, sizeof(d->user)) >= sizeof(d->user)))
		return false;
	d->redirects++;
	free(d->bindings); /* it is not at its contacts any more */
	d->bindings = NULL;
	d->route = SPAN_NONE;
	d->port = uri.port;
	d->proto = uri_proto(&uri);
	number = strdup(d->user);
	if (number) {
		free(leg->number_out);
		leg->number_out = number;
	}
	sip_session_release(&leg->session);
	return resolve_and_dial(leg, d) == 0;
}

/* Contacts of a device are tried in turn until one says that its user does not want the call (RFC 3261 16.7 item 5:
 * 6xx), or is busy while that ends searches. */
static bool may_try_next_contact(const struct sip_leg *leg, const struct sip_event *ev)
{
	if (ev->status >= 600)
		return false;
	return ev->status != 486 || !call_model(leg->base.call)->params.stop_after_busy;
}

static bool may_try_next(const struct sip_leg *leg, const struct dial *d,
			 const struct sip_event *ev)
{
	if (d->next >= places(d))
		return false;
	if (d->bindings)
		return may_try_next_contact(leg, ev);
	/* RFC 3263 4.3: silence, transport errors and 503 go on to the next address. */
	return !ev->status || ev->status == 503;
}

bool edge_dial_failed(struct sip_leg *leg, const struct sip_event *ev)
{
	struct dial *d = leg->dial;
	bool went_on = false;

	if (!d || !leg->base.call)
		return false;
	if (ev->status >= 300 && ev->status < 400 && ev->msg && may_follow(leg, d)) {
		went_on = follow_redirect(leg, d, ev->msg);
	} else if (may_try_next(leg, d, ev)) {
		sip_session_release(&leg->session);
		went_on = dial_next_target(leg) == 0;
	}
	if (went_on)
		call_on_redial(&leg->base);
	return went_on;
}
