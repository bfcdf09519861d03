/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The request that set out for the other side, and what the network made of it. What explains a silence is asked for first. */
#include "diag/diag_int.h"

#define LARGE 1300 /* bytes of a message: larger ones may need two packets (RFC 3261 18.1.1) */

static bool failed(const struct leg *leg)
{
	const struct message *final = leg->invite ? tx_final(leg->invite) : NULL;

	return leg->invite && !leg->answer && (!final || final->sip->status >= 300);
}

static uint64_t last_send(const struct tx *tx)
{
	return tx->requests[tx->n_requests - 1]->where.utc_us;
}

/* ---- ICMP ---------------------------------------------------------------------------------------- */

static const char *icmp_word(const struct icmp_note *n)
{
	static const char *const v4[] = { "net unreachable", "host unreachable",
					  "protocol unreachable",
					  "port unreachable: nobody listens" };
	unsigned code = n->said.code;

	if (n->where.src.sa.sa_family == AF_INET6)
		return n->said.type == 1 && code == 4 ? "port unreachable: nobody listens"
						      : "unreachable";
	if (n->said.type != 3)
		return n->said.type == 11 ? "time exceeded on the way" : "refused on the way";
	if (code < ARRAY_SIZE(v4))
		return v4[code];
	return code == 9 || code == 10 || code == 13 ? "prohibited by a firewall" : "unreachable";
}

/* Every INVITE of the leg, for any hop: who ignores the ICMP answers 408 himself later, and that is the consequence. */
static bool icmp(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	if (!failed(leg))
		return false;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct icmp_note *n;

		if (tx->method != SIP_INVITE || !tx->n_requests)
			continue;
		n = icmp_about(d, &tx->server, tx->first_us, last_send(tx) + 4 * SEC);
		if (!n || tx_first(tx, 101, 299))
			continue;
		v->code = VERDICT_PEER_ICMP_UNREACHABLE;
		v->confidence = 0.9;
		v->sentence = say(d, "The network reported %s unreachable %s after the INVITE: %s.",
				  say_addr(d, &tx->server),
				  say_time(d, n->where.utc_us - tx->first_us), icmp_word(n));
		v->excluded = "a time-out of the called side: the network answered at once";
		evidence(d, v, tx->requests[0], "INVITE to %s", say_addr(d, &tx->server));
		v->evidence[v->n_evidence].frame = n->where.frame;
		v->evidence[v->n_evidence++].text = say(d, "ICMP type %u code %u: %s", n->said.type,
							n->said.code, icmp_word(n));
		return true;
	}
	return false;
}

/* ---- round and round --------------------------------------------------------------------------------- */

static bool is_first_invite(const struct message *m)
{
	return m->sip && !m->malformed && !m->duplicate && m->sip->request &&
	       m->sip->method == SIP_INVITE && !m->sip->to_tag.len;
}

/* The same request between the same two hosts again, each time with fewer hops left (RFC 3261 16.3). */
static bool loop(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (unsigned i = 0; i < leg->n_messages; i++) {
		const struct message *first = leg->messages[i], *last = first;
		unsigned rounds = 1;

		if (!is_first_invite(first))
			continue;
		for (unsigned j = i + 1; j < leg->n_messages; j++) {
			const struct message *m = leg->messages[j];

			if (!is_first_invite(m) || m->sip->cseq != first->sip->cseq ||
			    !net_addr_eq_host(&m->where.src, &first->where.src) ||
			    !net_addr_eq_host(&m->where.dst, &first->where.dst) ||
			    !span_eq(sip_str(m->sip, m->sip->uri),
				     sip_str(first->sip, first->sip->uri)) ||
			    m->sip->max_forwards >= last->sip->max_forwards)
				continue;
			rounds++;
			last = m;
		}
		if (rounds < 3)
			continue;
		v->code = VERDICT_ROUTING_LOOP;
		v->confidence = 0.9;
		v->sentence =
			say(d,
			    "The call goes round between %s and %s: the same request came by %u "
			    "times, each time with fewer hops left.",
			    say_addr(d, &first->where.src), say_addr(d, &first->where.dst), rounds);
		evidence(d, v, first, "Max-Forwards %d", first->sip->max_forwards);
		evidence(d, v, last, "Max-Forwards %d", last->sip->max_forwards);
		return true;
	}
	return false;
}

/* ---- what is too large ------------------------------------------------------------------------------ */

static bool small_ones_pass(const struct diag *d, const struct tx *tx)
{
	for (const struct leg *leg = d->legs; leg; leg = leg->next)
		for (const struct tx *t = leg->txs; t; t = t->next)
			if (t != tx && t->n_requests && t->n_responses &&
			    t->requests[0]->bytes.len < LARGE &&
			    net_addr_eq(&t->server, &tx->server))
				return true;
	return false;
}

static bool fragments_lost(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = leg->invite;
	const struct message *first = tx && tx->n_requests ? tx->requests[0] : NULL;
	bool torn;

	if (!first || tx->n_responses || first->transport != CAPTURE_UDP)
		return false;
	torn = first->where.fragmented && first->where.snapped;
	if (!torn && (first->bytes.len < LARGE || tx_sends(tx) < 3))
		return false;
	if (!torn && !small_ones_pass(d, tx))
		return false;
	v->code = VERDICT_UDP_FRAGMENT_LOST;
	v->confidence = torn ? 0.85 : 0.8;
	v->sentence = say(
		d,
		"The INVITE to %s is too large for one packet (%u bytes) and was never answered.",
		say_addr(d, &tx->server), (unsigned)first->bytes.len);
	v->counted = say(d, "It was sent %u times; %s.", tx_sends(tx),
			 torn ? "its second fragment never came"
			      : "smaller requests to the same address were answered");
	v->excluded = "a peer that is down: it answers what fits into one packet";
	evidence(d, v, first, "the INVITE, in fragments");
	return true;
}

/* ---- answers that go astray ---------------------------------------------------------------------------- */

/* RFC 3261 18.2.2: without rport responses go to the port in Via, also where the client sends from another. */
static bool is_asked_for(const struct message *request, const union net_addr *dst)
{
	const struct sip_via *via = &request->sip->via;
	union net_addr sent_by;

	return !via->rport && !net_addr_parse(&sent_by, via->host, via->port ? via->port : 5060) &&
	       net_addr_eq(&sent_by, dst) && net_addr_eq_host(&sent_by, &request->where.src);
}

/* RFC 3581, 3261 18.2.2: they go to Via's address while the request came from another, and the client asks on. */
static bool misrouted(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *request = tx->n_requests ? tx->requests[0] : NULL;

		if (!request || request->transport != CAPTURE_UDP || !tx->n_responses ||
		    tx_sends(tx) < 3)
			continue;
		for (unsigned i = 0; i < tx->n_responses; i++) {
			const struct message *m = tx->responses[i];

			if (net_addr_eq(&m->where.dst, &request->where.src) ||
			    is_asked_for(request, &m->where.dst) || m->where.utc_us > last_send(tx))
				continue;
			v->code = VERDICT_RESPONSE_MISROUTED;
			v->confidence = 0.85;
			v->sentence = say(d,
					  "%s answers to %s, but the request came from %s, which "
					  "asks again and again.",
					  say_addr(d, &m->where.src), say_addr(d, &m->where.dst),
					  say_addr(d, &request->where.src));
			v->counted = say(
				d, "The request was sent %u times; %u responses went elsewhere.",
				tx_sends(tx), tx->n_responses);
			v->excluded = "silence: responses exist, they do not arrive";
			evidence(d, v, request, "from %s", say_addr(d, &request->where.src));
			evidence(d, v, m, "%u to %s", m->sip->status, say_addr(d, &m->where.dst));
			return true;
		}
	}
	return false;
}

/* ---- silence ---------------------------------------------------------------------------------------------- */

static bool heard_all_the_same(const struct tx *tx)
{
	for (const struct tx *t = tx->leg->txs; t; t = t->next)
		if (net_addr_eq_host(&t->client, &tx->client) && (t->indialog || t->n_acks))
			return true;
	return false;
}

static bool is_silent(const struct diag *d, const struct tx *tx)
{
	unsigned sends = tx_sends(tx);

	/* Over UDP it is repeated until something comes; a dialog shows that something came. */
	if (!tx->n_requests || tx->n_responses || heard_all_the_same(tx) ||
	    (sends < 2 && tx->requests[0]->transport == CAPTURE_UDP))
		return false;
	if (sends < 3 && !capture_covers(d, tx->first_us, 32 * SEC))
		return false;
	return !was_heard(d, &tx->server, &tx->client, tx->first_us, last_send(tx) + 4 * SEC) ||
	       sends >= 5;
}

/* The address that a phone registered, of a net that is not its packets': nobody is there for us. */
static const struct message *registered_there(const struct diag *d, const struct tx *tx)
{
	if (!is_private(&tx->server))
		return NULL;
	for (const struct leg *leg = d->legs; leg; leg = leg->next)
		for (const struct tx *t = leg->txs; leg->registration && t; t = t->next) {
			struct sip_name_addr name;
			struct sip_uri uri;
			union net_addr contact;

			if (t->method != SIP_REGISTER || !t->n_requests ||
			    sip_name_addr_decode(&name,
						 sip_header(t->requests[0]->sip, SIP_H_CONTACT)) ||
			    sip_uri_decode(&uri, name.uri) ||
			    net_addr_parse(&contact, uri.host, uri.port ? uri.port : 5060))
				continue;
			if (net_addr_eq_host(&contact, &tx->server) &&
			    !net_addr_eq_host(&contact, &t->client))
				return t->requests[0];
		}
	return NULL;
}

static bool no_response(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	if (!failed(leg))
		return false;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *registered;

		if (tx->method != SIP_INVITE || tx->indialog || !is_silent(d, tx))
			continue;
		registered = registered_there(d, tx);
		v->code = registered ? VERDICT_REG_CONTACT_PRIVATE : VERDICT_NO_RESPONSE;
		v->confidence = tx_sends(tx) >= 4 ? 0.9 : 0.8;
		v->sentence = say(
			d, "%s sent nothing at all in answer to the INVITE%s.",
			say_addr(d, &tx->server),
			registered
				? ", which went to the address that the phone registered, and its "
				  "packets come from another"
				: "");
		v->counted = say(d, "The INVITE was sent %u times within %s; no response, no ICMP.",
				 tx_sends(tx), say_time(d, last_send(tx) - tx->first_us));
		if (registered)
			evidence(d, v, registered, "registered with that Contact, sent from %s",
				 say_addr(d, &registered->where.src));
		evidence(d, v, tx->requests[0], "the INVITE, sent %u times", tx_sends(tx));
		return true;
	}
	return false;
}

/* A request that is no call's beginning, such as a CANCEL or a BYE alone in the file. */
static bool other_no_response(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = leg->txs;

	if (leg->invite || leg->registration || !tx || tx->next || !is_silent(d, tx) ||
	    tx_sends(tx) < 4)
		return false;
	v->code = VERDICT_NO_RESPONSE;
	v->confidence = 0.8;
	v->sentence = say(d, "%s sent nothing at all in answer to %s.", say_addr(d, &tx->server),
			  sip_method_name(tx->method));
	evidence(d, v, tx->requests[0], "sent %u times", tx_sends(tx));
	return true;
}

/* One message, rewritten in part: its length no longer fits its body, and the SDP names one address in o= and another in c=. */
static bool alg(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *m = leg->invite ? leg->invite->requests[0] : NULL;
	const struct message *final = m ? tx_final(leg->invite) : NULL;
	struct span length = m ? sip_header(m->sip, SIP_H_CONTENT_LENGTH) : SPAN_NONE;
	size_t follows;
	uint32_t stated;
	union net_addr o, c;

	if (!m || leg->answer || !final || final->sip->status != 400 || !m->sdp ||
	    m->transport != CAPTURE_UDP || m->where.snapped || span_to_u32(length, &stated))
		return false;
	follows = m->bytes.len - (m->sip->len - m->sip->body.len);
	if (stated == follows || !m->sdp->sdp || !m->sdp->sdp->conn.set ||
	    net_addr_parse(&o, m->sdp->sdp->origin_host, 0) ||
	    net_addr_parse(&c, m->sdp->sdp->conn.host, 0) || net_addr_eq_host(&o, &c) ||
	    is_private(&o) == is_private(&c))
		return false;
	v->code = VERDICT_ALG_MANGLED;
	v->confidence = 0.85;
	v->sentence = say(d,
			  "A router on the way rewrote the INVITE of %s in part: c= is %s, o= "
			  "still %s, and Content-Length says %u where %u bytes follow.",
			  say_addr(d, &m->where.src), say_host(d, &c), say_host(d, &o), stated,
			  (unsigned)follows);
	v->excluded = "a plain NAT: that changes no byte of a message";
	evidence(d, v, m, "the INVITE");
	evidence(d, v, final, "%s", quote(d, final));
	return true;
}

diag_rule *const rules_transport[] = {
	alg, loop, icmp, fragments_lost, misrouted, no_response, other_no_response, NULL
};
