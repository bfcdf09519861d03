/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every rule asks of a leg: which INVITE it is about, its answer and the ACK, who hung up, and where each side wanted its
 * media for how long. */
#include "diag/diag_int.h"

/* ---- the capture ------------------------------------------------------------------------------- */

bool capture_covers(const struct diag *d, uint64_t from_us, uint64_t us)
{
	return d->live || d->report.last_us >= from_us + us;
}

static bool in_net4(uint32_t addr, uint32_t net, unsigned bits)
{
	return addr >> (32 - bits) == net >> (32 - bits);
}

bool is_private(const union net_addr *a)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} nets[] = { { 0x0a000000, 8 },  { 0xac100000, 12 }, { 0xc0a80000, 16 },
		     { 0x64400000, 10 }, { 0x7f000000, 8 },  { 0xa9fe0000, 16 } };
	const unsigned char *b = a->in6.sin6_addr.s6_addr;

	if (a->sa.sa_family == AF_INET6)
		return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
		       IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++)
		if (in_net4(ntohl(a->in4.sin_addr.s_addr), nets[i].net, nets[i].bits))
			return true;
	return false;
}

bool was_heard(const struct diag *d, const union net_addr *from, const union net_addr *to,
	       uint64_t after_us, uint64_t before_us)
{
	const struct host *host = host_find(d, from);

	for (unsigned i = 0; host && i < host->n_heard; i++) {
		const struct capture_where *w = &host->heard[i]->where;

		if (w->utc_us >= after_us && w->utc_us <= before_us &&
		    net_addr_eq_host(&w->dst, to))
			return true;
	}
	return false;
}

const struct icmp_note *icmp_about(const struct diag *d, const union net_addr *dst,
				   uint64_t after_us, uint64_t before_us)
{
	for (const struct icmp_note *n = d->icmps; n; n = n->next)
		if (n->where.utc_us >= after_us && n->where.utc_us <= before_us &&
		    net_addr_eq(&n->said.dst, dst))
			return n;
	return NULL;
}

/* ---- which INVITE -------------------------------------------------------------------------------- */

static bool asks_again(unsigned status)
{
	return status == 401 || status == 407 || status == 422 || status == 420 || status == 421 ||
	       (status >= 300 && status < 400);
}

/* Silence at one server, and the next one of the list is asked (RFC 3263 4.3). */
static bool takes_over(const struct tx *silent, const struct tx *tx)
{
	return !silent->n_responses && tx->n_responses && tx->first_us > silent->first_us &&
	       net_addr_eq_host(&tx->client, &silent->client) &&
	       !net_addr_eq_host(&tx->server, &silent->server);
}

/* The first hop's INVITE; when it was answered with a demand and came again, the last of those. */
static struct tx *find_invite(struct leg *leg)
{
	struct tx *found = NULL;

	for (struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = found ? tx_final(found) : NULL;

		if (tx->method != SIP_INVITE || tx->indialog || !tx->n_requests)
			continue;
		if (!found || takes_over(found, tx) ||
		    (final && asks_again(final->sip->status) && tx->cseq > found->cseq &&
		     net_addr_eq_host(&tx->client, &found->client)))
			found = tx;
	}
	return found;
}

static const struct message *find_ack(const struct leg *leg)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		if (tx->method != SIP_INVITE || tx->cseq != leg->invite->cseq)
			continue;
		for (unsigned i = 0; i < tx->n_acks; i++)
			if (!tx->acks[i]->duplicate &&
			    tx->acks[i]->where.utc_us >= leg->answer->where.utc_us &&
			    span_eq(tx->acks[i]->sip->to_tag, leg->answer->sip->to_tag))
				return tx->acks[i];
	}
	return NULL;
}

static const struct tx *first_of(const struct leg *leg, enum sip_method method)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == method && tx->n_requests)
			return tx;
	return NULL;
}

/* RFC 3261 9.1: it goes the way of the INVITE that it cancels. One of another branch ends that branch, not the call. */
static const struct tx *find_cancel(const struct leg *leg)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == SIP_CANCEL && tx->n_requests &&
		    net_addr_eq_host(&tx->client, &leg->invite->client) &&
		    (net_addr_eq_host(&tx->server, &leg->invite->server) ||
		     span_eq(tx->branch, leg->invite->branch)))
			return tx;
	return NULL;
}

static void find_landmarks(struct leg *leg)
{
	leg->registration = first_of(leg, SIP_REGISTER) != NULL;
	leg->invite = find_invite(leg);
	leg->bye = first_of(leg, SIP_BYE);
	leg->cancel = first_of(leg, SIP_CANCEL);
	if (!leg->invite)
		return;
	leg->cancel = find_cancel(leg);
	leg->answer = tx_first(leg->invite, 200, 299);
	if (leg->answer)
		leg->ack = find_ack(leg);
	if (leg->bye)
		leg->bye_by_caller = span_eq(leg->bye->requests[0]->sip->from_tag,
					     leg->invite->requests[0]->sip->from_tag);
}

/* ---- offers and answers ----------------------------------------------------------------------------- */

static bool is_of_caller(const struct leg *leg, const struct message *m)
{
	struct span caller = leg->invite ? leg->invite->requests[0]->sip->from_tag : SPAN_NONE;
	struct span sender = m->sip->request ? m->sip->from_tag : m->sip->to_tag;

	return span_eq(sender, caller);
}

/* RFC 3264, 3261 13.2.1, 3262 5: what a response carries answers its request's description, if that had one; an ACK's and a
 * PRACK's answers that of the response. */
static bool is_answer(const struct message *m)
{
	const struct tx *tx = m->tx;

	if (!tx)
		return false;
	if (m->sip->request)
		return m->sip->method == SIP_ACK || m->sip->method == SIP_PRACK;
	return tx->n_requests && tx->requests[0]->sdp;
}

static void media_address(union net_addr *out, const struct sdp_media *media, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	if (!port || !media->conn.set || net_addr_parse(out, media->conn.host, port))
		out->sa.sa_family = 0;
}

static void rtcp_address(struct media_line *line)
{
	const struct sdp_attr *own = sdp_attr(line->sdp, (int)line->index, "rtcp");
	struct span port = SPAN_NONE, rest;
	uint32_t number = line->media->port ? line->media->port + 1u : 0;

	if (own) {
		span_cut(own->value, ' ', &port, &rest);
		if (span_to_u32(port, &number) || number > 65535)
			number = 0;
	}
	media_address(&line->rtcp, line->media, (uint16_t)number);
}

static void end_lines(struct leg *leg, bool of_caller, unsigned index, uint64_t at_us)
{
	for (unsigned i = 0; i < leg->n_lines; i++) {
		struct media_line *line = &leg->lines[i];

		if (line->of_caller == of_caller && line->index == index && line->to_us > at_us)
			line->to_us = at_us;
	}
}

static void add_lines(struct leg *leg, struct message *m, uint64_t end_us)
{
	const struct sdp *sdp = m->sdp->sdp;
	bool of_caller = is_of_caller(leg, m);

	for (unsigned i = 0; i < sdp->n_media; i++) {
		struct media_line *line;

		end_lines(leg, of_caller, i, m->where.utc_us);
		line = &leg->lines[leg->n_lines++];
		*line = (struct media_line){ .leg = leg,
					     .message = m,
					     .of_caller = of_caller,
					     .index = i,
					     .media = &sdp->media[i],
					     .sdp = sdp,
					     .from_us = m->where.utc_us,
					     .to_us = end_us };
		media_address(&line->rtp, line->media, line->media->port);
		rtcp_address(line);
	}
}

static bool counts(const struct message *m)
{
	return m->sdp && m->sdp->sdp && !m->duplicate && !m->repeats && m->sip && !m->malformed;
}

static void find_lines(struct diag *d, struct leg *leg)
{
	unsigned room = 0;

	for (unsigned i = 0; i < leg->n_messages; i++)
		if (counts(leg->messages[i]))
			room += leg->messages[i]->sdp->sdp->n_media;
	leg->lines = room ? arena_alloc(d->arena, room * sizeof(*leg->lines)) : NULL;
	if (!leg->lines)
		return;
	for (unsigned i = 0; i < leg->n_messages; i++) {
		struct message *m = leg->messages[i];

		if (!counts(m))
			continue;
		m->sdp->answer = is_answer(m);
		add_lines(leg, m, leg->bye ? leg->bye->last_us : UINT64_MAX);
	}
}

/* ---- how it looks from outside -------------------------------------------------------------------------- */

static const char *user_of(struct diag *d, const struct message *m, enum sip_header which)
{
	struct sip_name_addr name;
	struct sip_uri uri;

	if (sip_name_addr_decode(&name, sip_header(m->sip, which)) ||
	    sip_uri_decode(&uri, name.uri))
		return "";
	return arena_dup(d->arena, uri.user.len ? uri.user : uri.host);
}

static enum diag_outcome outcome_of(const struct leg *leg)
{
	const struct tx *tx = leg->registration ? first_of(leg, SIP_REGISTER) : leg->invite;
	const struct message *final = NULL;

	if (leg->answer)
		return DIAG_ANSWERED;
	for (; tx; tx = tx->next) { /* of a registration the last word counts */
		if (leg->registration && tx->method == SIP_REGISTER && tx_final(tx))
			final = tx_final(tx);
		if (!leg->registration) {
			final = tx_final(tx);
			break;
		}
	}
	if (!final)
		return leg->cancel ? DIAG_CANCELLED : DIAG_INCOMPLETE;
	if (final->sip->status < 300)
		return DIAG_ANSWERED;
	return leg->cancel && final->sip->status == 487 ? DIAG_CANCELLED : DIAG_FAILED;
}

void leg_finish(struct diag *d, struct leg *leg)
{
	const struct message *first = NULL;

	find_landmarks(leg);
	find_lines(d, leg);
	if (leg->invite)
		first = leg->invite->requests[0];
	for (unsigned i = 0; i < leg->n_messages && !first; i++)
		if (leg->messages[i]->sip)
			first = leg->messages[i];
	leg->view.registration = leg->registration;
	leg->view.call_id = leg->call_id.p;
	leg->view.from = first ? user_of(d, first, SIP_H_FROM) : "";
	leg->view.to = first ? user_of(d, first, SIP_H_TO) : "";
	leg->view.start_us = leg->first_us;
	leg->view.answer_us = leg->answer ? leg->answer->where.utc_us : 0;
	leg->view.end_us = leg->bye ? leg->bye->first_us : 0;
	leg->view.outcome = outcome_of(leg);
}
