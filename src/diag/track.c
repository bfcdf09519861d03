/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages become legs and transactions. A leg is a Call-ID. A transaction is a request and its answers on one hop, between
 * one client and one server: the same request seen before and behind a proxy is two. The same packet seen twice by the tap
 * (same IP identification, same bytes, within milliseconds) is one; a retransmission is another packet. */
#include "diag/diag_int.h"

#include <stdlib.h>

#define DUPLICATE_WITHIN (5 * MSEC)
#define SEEN_AGAIN_WITHIN                                                                          \
	(400 * MSEC) /* at another place of its way; less than T1, when it would be sent anew */
#define COPIES_COMPARED 64
#define ANEW_AFTER (3ull * 3600 * SEC) /* the same Call-ID after so long is another call */

/* ---- legs --------------------------------------------------------------------------------------- */

struct leg_node {
	struct hash_node node;
	struct leg *leg;
};

static struct leg *leg_find(struct diag *d, struct span call_id, uint64_t utc_us)
{
	struct leg *newest = NULL;

	for (struct hash_node *n =
		     hash_table_find(&d->by_call_id, hash_bytes(&d->key, call_id.p, call_id.len));
	     n; n = hash_next(n)) {
		struct leg *leg = container_of(n, struct leg_node, node)->leg;

		if (span_eq(leg->call_id, call_id) && (!newest || leg->first_us > newest->first_us))
			newest = leg;
	}
	if (newest && utc_us > newest->last_us + ANEW_AFTER)
		return NULL;
	return newest;
}

static struct leg *leg_of(struct diag *d, struct span call_id, uint64_t utc_us)
{
	struct leg *leg = leg_find(d, call_id, utc_us);
	struct leg_node *node;

	if (leg)
		return leg;
	leg = arena_alloc(d->arena, sizeof(*leg));
	node = arena_alloc(d->arena, sizeof(*node));
	if (!leg || !node)
		return NULL;
	leg->call_id = (struct span){ arena_dup(d->arena, call_id), call_id.len };
	if (!leg->call_id.p)
		return NULL;
	leg->first_us = utc_us;
	node->leg = leg;
	hash_table_add(&d->by_call_id, &node->node, hash_bytes(&d->key, call_id.p, call_id.len));
	if (d->last_leg)
		d->last_leg->next = leg;
	else
		d->legs = leg;
	d->last_leg = leg;
	return leg;
}

/* ---- messages ------------------------------------------------------------------------------------- */

/* The index is cut to the size that it needs; the bytes stay in a buffer of their own. */
static const struct sip_msg *keep_index(struct diag *d, const struct sip_msg *msg,
					struct net_buf *buf)
{
	struct sip_msg *kept = arena_alloc(d->arena, sip_msg_size(msg));

	if (kept)
		sip_msg_move(kept, msg, buf);
	return kept;
}

static void parse(struct diag *d, struct message *m)
{
	struct net_buf *buf = arena_alloc(d->arena, sizeof(*buf) + m->bytes.len);
	struct sip_msg msg;
	const char *why = "it cannot be read";
	int err;

	if (!buf)
		return;
	buf->refs = 1;
	buf->size = buf->len = (uint32_t)m->bytes.len;
	memcpy(buf->data, m->bytes.p, m->bytes.len);
	err = sip_msg_parse(&msg, buf, m->transport != CAPTURE_UDP && !m->where.snapped, &why);
	/* Of a message that is not whole in the file, what is there may be right. */
	if (err && !(err > 0 && m->where.snapped && says_word(span_of(why), "content-length"))) {
		m->malformed = why;
		m->status_for_it = err > 0 ? err : 0;
	}
	if (err >= 0)
		m->sip = keep_index(d, &msg, buf);
}

/* A header of a message that the parser gave up on. */
static struct span raw_value(struct span message, struct span name, struct span compact)
{
	struct span rest = message, line;

	while (span_cut(rest, '\n', &line, &rest) || line.len) {
		struct span head, value;

		line = span_trim(line);
		if (!line.len)
			break;
		if (span_cut(line, ':', &head, &value) &&
		    (span_ieq(span_trim(head), name) || span_ieq(span_trim(head), compact)))
			return span_trim(value);
	}
	return SPAN_NONE;
}

static struct span call_id_of(const struct message *m)
{
	if (m->sip && m->sip->call_id.len)
		return m->sip->call_id;
	return raw_value(m->bytes, SPAN("Call-ID"), SPAN("i"));
}

static struct sdp_view *read_sdp(struct diag *d, struct message *m)
{
	struct span body = m->sip ? sip_body_sdp(m->sip) : SPAN_NONE;
	struct sdp_view *view;
	struct sdp *sdp;
	unsigned line = 0;

	if (!body.len)
		return NULL;
	view = arena_alloc(d->arena, sizeof(*view));
	sdp = arena_alloc(d->arena, sizeof(*sdp));
	if (!view || !sdp)
		return NULL;
	view->message = m;
	view->why = sdp_parse(sdp, body, &line);
	if (!view->why)
		view->sdp = sdp;
	return view;
}

/* The very same packet: by IPv4's identification; where there is none (IPv6, or 0) by the time alone, as nothing is sent anew so soon. */
static bool is_same_packet(const struct message *a, const struct message *b)
{
	uint64_t apart = a->where.utc_us > b->where.utc_us ? a->where.utc_us - b->where.utc_us
							   : b->where.utc_us - a->where.utc_us;

	if (apart > (a->where.ip_id ? SEEN_AGAIN_WITHIN : DUPLICATE_WITHIN) ||
	    !span_eq(a->bytes, b->bytes) || !net_addr_eq(&a->where.src, &b->where.src) ||
	    !net_addr_eq(&a->where.dst, &b->where.dst) || a->transport != b->transport)
		return false;
	return a->where.ip_id == b->where.ip_id;
}

static void mark_duplicate(const struct leg *leg, struct message *m)
{
	for (unsigned i = leg->n_messages; i-- > 0;) {
		const struct message *before = leg->messages[i];

		if (m->where.utc_us > before->where.utc_us + SEEN_AGAIN_WITHIN)
			return;
		if (is_same_packet(before, m)) {
			m->duplicate = true;
			return;
		}
	}
}

void track_sip(struct diag *d, const struct capture_where *where, enum capture_transport transport,
	       struct span bytes)
{
	struct message *m = arena_alloc(d->arena, sizeof(*m));
	struct leg *leg;
	char *copy = arena_alloc(d->arena, bytes.len ? bytes.len : 1);

	if (!m || !copy)
		return;
	memcpy(copy, bytes.p, bytes.len);
	m->where = *where;
	m->transport = transport;
	m->bytes = (struct span){ copy, bytes.len };
	parse(d, m);
	m->sdp = read_sdp(d, m);
	leg = leg_of(d, call_id_of(m), where->utc_us);
	if (!leg)
		return;
	mark_duplicate(leg, m);
	if (!diag_push(d, (void ***)&leg->messages, &leg->n_messages, m))
		return;
	if (where->utc_us < leg->first_us)
		leg->first_us = where->utc_us;
	if (where->utc_us > leg->last_us)
		leg->last_us = where->utc_us;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

struct tx_node {
	struct hash_node node;
	struct tx tx;
};

static uint64_t hash_tx(const struct diag *d, const struct leg *leg, enum sip_method method,
			uint32_t cseq, struct span branch)
{
	uint64_t h = hash_bytes(&d->key, branch.p ? branch.p : "", branch.len);
	struct {
		uint64_t branch;
		const struct leg *leg;
		uint32_t cseq, method;
	} key = { h, leg, cseq, (uint32_t)method };

	return hash_bytes(&d->key, &key, sizeof(key));
}

/* RFC 3261 17.1.3 and 17.2.3: branch and CSeq method; the hop keeps the two sides of a proxy apart. A response may leave from
 * another port of the server and go to another address than the request came from. */
static struct tx *tx_find(const struct diag *d, const struct leg *leg, const struct message *m,
			  bool response)
{
	const struct sip_msg *sip = m->sip;
	enum sip_method method = sip->method == SIP_ACK ? SIP_INVITE : (enum sip_method)sip->method;
	const union net_addr *client = response ? &m->where.dst : &m->where.src;
	const union net_addr *server = response ? &m->where.src : &m->where.dst;
	struct tx *by_branch = NULL;

	for (struct hash_node *n =
		     hash_table_find(&d->txs, hash_tx(d, leg, method, sip->cseq, sip->via.branch));
	     n; n = hash_next(n)) {
		struct tx *tx = &container_of(n, struct tx_node, node)->tx;

		if (tx->leg != leg || tx->method != method || tx->cseq != sip->cseq ||
		    !span_eq(tx->branch, sip->via.branch))
			continue;
		if (net_addr_eq(&tx->client, client) && net_addr_eq(&tx->server, server))
			return tx;
		if (response && net_addr_eq_host(&tx->server, server) &&
		    (!by_branch || tx->first_us > by_branch->first_us))
			by_branch = tx;
	}
	return by_branch;
}

static struct tx *tx_new(struct diag *d, struct leg *leg, const struct message *m, bool response)
{
	struct tx_node *node = arena_alloc(d->arena, sizeof(*node));
	struct tx *tx;

	if (!node)
		return NULL;
	tx = &node->tx;
	tx->leg = leg;
	tx->method = (enum sip_method)m->sip->method;
	tx->cseq = m->sip->cseq;
	tx->branch = m->sip->via.branch;
	tx->client = response ? m->where.dst : m->where.src;
	tx->server = response ? m->where.src : m->where.dst;
	tx->indialog = !response && m->sip->to_tag.len > 0;
	tx->first_us = m->where.utc_us;
	hash_table_add(&d->txs, &node->node, hash_tx(d, leg, tx->method, tx->cseq, tx->branch));
	if (leg->last_tx)
		leg->last_tx->next = tx;
	else
		leg->txs = tx;
	leg->last_tx = tx;
	return tx;
}

static struct message *first_copy(struct message *const *all, unsigned n, const struct message *m)
{
	for (unsigned i = 0; i < n && i < COPIES_COMPARED; i++)
		if (!all[i]->duplicate && all[i] != m && span_eq(all[i]->bytes, m->bytes))
			return all[i];
	return NULL;
}

/* An ACK for a 2xx is a transaction of its own (RFC 3261 13.2.2.4): it belongs to the INVITE of its CSeq, on whatever way. */
static struct tx *tx_acked(const struct leg *leg, const struct message *m)
{
	struct tx *found = NULL;

	for (struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == SIP_INVITE && tx->cseq == m->sip->cseq &&
		    (!found || net_addr_eq_host(&tx->client, &m->where.src)))
			found = tx;
	return found;
}

static void sort_into_tx(struct diag *d, struct leg *leg, struct message *m)
{
	bool response = !m->sip->request, ack = !response && m->sip->method == SIP_ACK;
	struct tx *tx = tx_find(d, leg, m, response);

	if (!tx && ack)
		tx = tx_acked(leg, m);
	else if (!tx)
		tx = tx_new(d, leg, m, response);
	if (!tx)
		return;
	m->tx = tx;
	tx->last_us = m->where.utc_us;
	if (ack) {
		m->repeats = first_copy(tx->acks, tx->n_acks, m);
		diag_push(d, (void ***)&tx->acks, &tx->n_acks, m);
	} else if (response) {
		m->repeats = first_copy(tx->responses, tx->n_responses, m);
		diag_push(d, (void ***)&tx->responses, &tx->n_responses, m);
	} else {
		m->repeats = first_copy(tx->requests, tx->n_requests, m);
		diag_push(d, (void ***)&tx->requests, &tx->n_requests, m);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;

	if (x->where.utc_us != y->where.utc_us)
		return x->where.utc_us < y->where.utc_us ? -1 : 1;
	return x->where.frame < y->where.frame ? -1 : x->where.frame > y->where.frame;
}

static int legs_by_time(const void *a, const void *b)
{
	const struct leg *x = *(struct leg *const *)a, *y = *(struct leg *const *)b;

	if (x->first_us != y->first_us)
		return x->first_us < y->first_us ? -1 : 1;
	return x->n_messages && y->n_messages &&
			       x->messages[0]->where.frame < y->messages[0]->where.frame
		       ? -1
		       : 1;
}

static void sort_legs(struct diag *d)
{
	unsigned n = 0, i = 0;
	struct leg **all;

	for (struct leg *leg = d->legs; leg; leg = leg->next)
		n++;
	all = n ? calloc(n, sizeof(struct leg *)) : NULL;
	if (!all)
		return;
	for (struct leg *leg = d->legs; leg; leg = leg->next)
		all[i++] = leg;
	qsort(all, n, sizeof(struct leg *), legs_by_time);
	for (i = 0; i < n; i++)
		all[i]->next = i + 1 < n ? all[i + 1] : NULL;
	d->legs = all[0];
	d->last_leg = all[n - 1];
	free(all);
}

void track_finish(struct diag *d)
{
	for (struct leg *leg = d->legs; leg; leg = leg->next) {
		qsort(leg->messages, leg->n_messages, sizeof(struct message *), by_time);
		for (unsigned i = 0; i < leg->n_messages; i++)
			if (leg->messages[i]->sip && !leg->messages[i]->malformed)
				sort_into_tx(d, leg, leg->messages[i]);
	}
	sort_legs(d);
}

/* ---- looking ---------------------------------------------------------------------------------------------- */

const struct message *tx_first(const struct tx *tx, unsigned status_from, unsigned status_to)
{
	for (unsigned i = 0; i < tx->n_responses; i++) {
		const struct message *m = tx->responses[i];

		if (!m->duplicate && m->sip->status >= status_from && m->sip->status <= status_to)
			return m;
	}
	return NULL;
}

const struct message *tx_final(const struct tx *tx)
{
	return tx_first(tx, 200, 699);
}

unsigned tx_sends(const struct tx *tx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tx->n_requests; i++)
		n += !tx->requests[i]->duplicate;
	return n;
}

unsigned tx_response_sends(const struct tx *tx, const struct message *response)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tx->n_responses; i++)
		n += !tx->responses[i]->duplicate &&
		     tx->responses[i]->sip->status == response->sip->status &&
		     span_eq(tx->responses[i]->sip->to_tag, response->sip->to_tag);
	return n;
}
