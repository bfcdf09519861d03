/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One worker's stack: a message comes in and goes to the transaction, the session or the user it
 * belongs to; identifiers are made here and read back here.
 *
 *   bytes -> on_wire -> keep-alive? -> parse -> response -> client transaction of its branch
 *                                        |  \-> ACK -> INVITE transaction, else the session of its To tag
 *                                        |  \-> CANCEL -> INVITE transaction
 *                                        |  \-> known transaction -> its stored response again
 *                                        |  \-> To tag -> that session, or 481
 *                                        |  \-> checks of 8.2 -> on_invite, on_request
 *                                        \-> 400, 505 or dropped
 *
 * Refusals of the stack's own are stateless (RFC 3261 8.2.7): a flood of nonsense takes no memory, and
 * the same request gets the same answer with the same To tag. Those tags name slot ffffff, so that
 * the ACK to such a refusal is known for what it is. */
#include "sip/sip_int.h"
#include "sip/sip_tx_int.h"

#include <stdio.h>
#include <stdlib.h>

/* What a tag of ours stands for. */
struct place {
	const struct sip_dialog_ops *ops;
	void *object;
	uint32_t random;
};

/* ---- identifiers ----------------------------------------------------------------------- */

/* + 1; 0 = no digit. */
static const uint8_t hex_digits[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* `n` digits at *p, which moves past them; what is no digit leaves its mark in *bad. */
static uint32_t take_hex(const char **p, unsigned n, int *bad)
{
	uint32_t value = 0;

	for (; n > 0; n--) {
		int digit = hex_digits[(unsigned char)*(*p)++] - 1;

		*bad |= digit;
		value = value << 4 | ((uint32_t)digit & 15);
	}
	return value;
}

bool sip_id_read(struct sip_id *out, struct span digits)
{
	const char *p = digits.p;
	struct sip_id id;
	int bad = 0;

	if (digits.len != SIP_ID_DIGITS)
		return false;
	id.worker = take_hex(&p, 2, &bad);
	id.slot = take_hex(&p, 6, &bad);
	id.generation = (uint16_t)take_hex(&p, 4, &bad);
	id.random = take_hex(&p, 8, &bad);
	if (bad < 0)
		return false;
	*out = id;
	return true;
}

static char *put_hex(char *dst, uint32_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value >>= 4)
		dst[i] = "0123456789abcdef"[value & 15];
	return dst + digits;
}

/* SIP_ID_DIGITS characters and a NUL. */
static void id_write(const struct sip_id *id, char *dst)
{
	dst = put_hex(dst, id->worker, 2);
	dst = put_hex(dst, id->slot, 6);
	dst = put_hex(dst, id->generation, 4);
	dst = put_hex(dst, id->random, 8);
	*dst = '\0';
}

static bool tag_read(const struct sip_stack *stack, struct sip_id *out, struct span tag)
{
	return tag.len == SIP_TAG_LEN && tag.p[0] == 'w' && sip_id_read(out, span_skip(tag, 1)) &&
	       out->worker == stack->config.worker;
}

static struct place *place_of_tag(const struct sip_stack *stack, struct span tag)
{
	struct place *place;
	struct sip_id id;

	if (!tag_read(stack, &id, tag))
		return NULL;
	place = slots_get(&stack->sessions, id.slot, id.generation);
	return place && place->random == id.random ? place : NULL;
}

int sip_tag_new(struct sip_stack *stack, const struct sip_dialog_ops *ops, void *object,
		char tag[SIP_TAG_LEN + 1])
{
	struct sip_id id = { .worker = stack->config.worker, .random = rng_u32() };
	struct place *place = slots_alloc(&stack->sessions, &id.slot, &id.generation);

	if (!place)
		return -ENOSPC;
	*place = (struct place){ ops, object, id.random };
	stack->stats.sessions_now++;
	tag[0] = 'w';
	id_write(&id, tag + 1);
	return 0;
}

void sip_tag_free(struct sip_stack *stack, const char *tag)
{
	struct place *place;
	struct sip_id id;

	if (!tag_read(stack, &id, span_of(tag)))
		return;
	place = slots_get(&stack->sessions, id.slot, id.generation);
	if (!place || place->random != id.random)
		return;
	slots_free(&stack->sessions, id.slot);
	stack->stats.sessions_now--;
}

void sip_call_id_new(struct sip_stack *stack, const char *tag, char call_id[SIP_CALL_ID_LEN + 1])
{
	(void)stack;
	assert(strlen(tag) == SIP_TAG_LEN);
	memcpy(call_id, tag + 1, 12);
	put_hex(call_id + 12, rng_u32(), 8);
	*put_hex(call_id + 20, sip_call_id_seal((struct span){ call_id, 20 }), 8) = '\0';
}

/* For one request always the same, and nothing that others can foretell. */
static uint32_t same_random(const struct sip_stack *stack, struct span call_id, struct span tag,
			    uint32_t cseq)
{
	uint64_t hash = hash_bytes(&stack->hash_key, call_id.p, call_id.len);

	hash ^= hash_bytes(&stack->hash_key, tag.p, tag.len) * 31 + cseq;
	return (uint32_t)(hash ^ hash >> 32);
}

void stack_plain_tag(const struct sip_stack *stack, const struct sip_msg *req,
		     char tag[SIP_TAG_LEN + 1])
{
	struct sip_id id = { .worker = stack->config.worker, .slot = SIP_NO_SLOT };

	id.random = same_random(stack, req->call_id, req->from_tag, req->cseq);
	tag[0] = 'w';
	id_write(&id, tag + 1);
}

/* ---- sending --------------------------------------------------------------------------- */

int stack_transmit(struct sip_stack *stack, const struct net_flow *flow, struct net_buf *msg)
{
	int err;

	if (stack->config.ops->on_wire)
		stack->config.ops->on_wire(stack->config.arg, true,
					   (struct span){ msg->data, msg->len }, flow);
	err = stack->send(stack->config.net, flow, msg);
	if (err)
		stack->stats.transport_errors++;
	return err;
}

int sip_stack_send(struct sip_stack *stack, const struct net_flow *flow, struct net_buf *msg)
{
	struct span method, rest;
	int err;

	if (!msg)
		return -ENOMEM;
	span_cut((struct span){ msg->data, msg->len }, ' ', &method, &rest);
	stack->stats.requests_out[sip_method_find(method)]++;
	err = stack_transmit(stack, flow, msg);
	net_buf_unref(&msg);
	return err;
}

/* Where responses find us if a connection is gone (RFC 3261 18.2.2): our listening port, not the
 * ephemeral one of a connection that we opened. */
static uint16_t sent_by_port(struct sip_stack *stack, const struct net_flow *flow)
{
	union net_addr addr;

	if (flow_is_reliable(flow) &&
	    net_listener_addr(stack->config.net, flow->listener, &addr) == 0)
		return net_addr_port(&addr);
	return net_addr_port(&flow->local);
}

/* IPv4, which is nearly always, without formatting. */
static void put_sent_by(struct sip_writer *w, const union net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	if (addr->sa.sa_family != AF_INET) {
		sip_puts(w, net_addr_format_uri(addr, text));
		return;
	}
	sip_put_ip4(w, addr);
}

void stack_write_via(struct sip_writer *w, struct sip_stack *stack, const struct net_flow *flow,
		     const struct sip_id *id)
{
	char digits[SIP_ID_DIGITS + 1];
	uint16_t port = sent_by_port(stack, flow);

	id_write(id, digits);
	SIP_PUT(w, "Via: SIP/2.0/");
	sip_puts(w, net_proto_name(flow->proto));
	SIP_PUT(w, " ");
	put_sent_by(w, &flow->local);
	if (port) {
		SIP_PUT(w, ":");
		sip_putu(w, port);
	}
	SIP_PUT(w, ";rport;branch=z9hG4bKq");
	sip_put(w, (struct span){ digits, SIP_ID_DIGITS });
	SIP_PUT(w, "\r\n");
}

void sip_stack_write_ack_via(struct sip_writer *w, struct sip_stack *stack,
			     const struct net_flow *flow, struct span call_id,
			     struct span remote_tag, uint32_t cseq)
{
	struct sip_id id = { .worker = stack->config.worker, .slot = SIP_NO_SLOT };

	id.random = same_random(stack, call_id, remote_tag, cseq);
	stack_write_via(w, stack, flow, &id);
}

struct net_buf *stack_build_reply(struct sip_stack *stack, const struct sip_msg *req,
				  const struct net_flow *flow, int status, const char *reason,
				  const char *extra, struct span tag)
{
	size_t size = req->len - req->body.len + (extra ? strlen(extra) : 0) + 512;
	struct sip_writer w;

	sip_write_begin(&w, size < NET_MSG_MAX ? size : NET_MSG_MAX);
	sip_write_response_head(&w, req, flow, status, reason, tag);
	if (status > 100 && stack->config.product)
		sip_write_header(&w, SIP_H_SERVER, span_of(stack->config.product));
	if (extra)
		sip_puts(&w, extra);
	return sip_finish(&w, NULL, SPAN_NONE);
}

void stack_reply_stateless(struct sip_stack *stack, const struct sip_msg *req,
			   const struct net_flow *flow, int status, const char *extra)
{
	char tag[SIP_TAG_LEN + 1];
	struct net_buf *msg;

	stack_plain_tag(stack, req, tag);
	msg = stack_build_reply(stack, req, flow, status, NULL, extra, span_of(tag));
	if (!msg)
		return;
	stack->stats.responses_out[status / 100]++;
	stack_transmit(stack, flow, msg);
	net_buf_unref(&msg);
}

void stack_refused(struct sip_stack *stack, const struct sip_msg *msg, const struct net_flow *flow,
		   int status, const char *why)
{
	if (stack->config.ops->on_refused)
		stack->config.ops->on_refused(stack->config.arg, msg, flow, status, why);
}

/* ---- dispatch -------------------------------------------------------------------------- */

/* 8.1.3.3: as a user agent we are the only one who put a Via there. */
static bool has_one_via(const struct sip_msg *msg)
{
	uint8_t first = msg->first[SIP_H_VIA];
	const struct sip_hdr *via = &msg->headers[first];
	struct sip_values it = { 0 };

	assert(first != 0xff); /* the parser demands one */
	if (via->next != 0xff)
		return false;
	return !memchr(msg->base + via->value.off, ',', via->value.len) ||
	       (sip_next_value(msg, SIP_H_VIA, &it) && !sip_next_value(msg, SIP_H_VIA, &it));
}

static void dispatch_response(struct sip_stack *stack, const struct sip_msg *msg,
			      const struct net_flow *flow)
{
	struct sip_ctx *ctx;

	stack->stats.responses_in[msg->status / 100]++;
	ctx = has_one_via(msg) ? ctx_of_branch(stack, msg->via.branch) : NULL;
	if (!ctx || !ctx_response(ctx, msg, flow))
		stack->stats.stray_responses++;
}

static void dispatch_ack(struct sip_stack *stack, const struct sip_msg *msg,
			 const struct net_flow *flow)
{
	struct sip_stx *tx = stx_find(stack, msg);
	struct place *place;
	struct sip_id id;

	if (tx && stx_acked(tx))
		return;
	place = place_of_tag(stack, msg->to_tag);
	if (place) {
		place->ops->on_request(place->object, NULL, msg, flow);
		return;
	}
	if (tag_read(stack, &id, msg->to_tag) && id.slot == SIP_NO_SLOT)
		return; /* to a refusal of our own */
	stack->stats.stray_acks++;
	stack_refused(stack, msg, flow, 0, "ACK: matches no transaction and no session");
}

static void dispatch_cancel(struct sip_stack *stack, const struct sip_msg *msg,
			    const struct net_flow *flow)
{
	struct sip_stx *tx = stx_find(stack, msg);

	if (tx) {
		stx_cancelled(tx, msg, flow);
		return;
	}
	stack_reply_stateless(stack, msg, flow, 481, NULL);
	stack_refused(stack, msg, flow, 481, "CANCEL: matches no INVITE");
}

static void refuse(struct sip_stack *stack, const struct sip_msg *msg, const struct net_flow *flow,
		   int status, const char *why, const char *extra)
{
	stack_reply_stateless(stack, msg, flow, status, extra);
	stack_refused(stack, msg, flow, status, why);
}

/* A fresh request that passed the checks: make its transaction and hand it up. */
static void hand_up(struct sip_stack *stack, struct place *place, const struct sip_msg *msg,
		    const struct net_flow *flow)
{
	struct sip_stx *tx = stx_new(stack, msg, flow);

	if (!tx) {
		char extra[40];

		snprintf(extra, sizeof(extra), "Retry-After: %d\r\n", SIP_RETRY_AFTER_S);
		refuse(stack, msg, flow, 503, "transaction limit reached", extra);
		return;
	}
	stack->current = tx;
	stack->current_msg = msg;
	if (place)
		place->ops->on_request(place->object, tx, msg, flow);
	else if (msg->method == SIP_INVITE)
		stack->config.ops->on_invite(stack->config.arg, tx, msg, flow);
	else
		stack->config.ops->on_request(stack->config.arg, tx, msg, flow);
	if (stack->current == tx) {
		stx_send_trying(tx, msg);
		stx_keep_request(tx, msg);
	}
	stack->current = NULL;
	stack->current_msg = NULL;
}

static bool is_screened_out(struct sip_stack *stack, const struct sip_msg *msg,
			    const struct net_flow *flow)
{
	return stack->config.ops->on_screen &&
	       !stack->config.ops->on_screen(stack->config.arg, msg, flow);
}

static void dispatch_new(struct sip_stack *stack, const struct sip_msg *msg,
			 const struct net_flow *flow)
{
	struct place *place = place_of_tag(stack, msg->to_tag);
	struct buf extra = BUF_INIT(2048);
	const char *why = NULL;
	int status;

	if (!msg->to_tag.len && is_screened_out(stack, msg, flow))
		return;
	if (msg->to_tag.len && !place) {
		refuse(stack, msg, flow, 481, "To tag: no such dialog", NULL);
		return;
	}
	status = sip_check_request(stack, msg, &why, &extra);
	if (status == 0)
		hand_up(stack, place, msg, flow);
	else
		refuse(stack, msg, flow, status, why, extra.failed ? NULL : buf_cstr(&extra));
	buf_free(&extra);
}

static void dispatch_request(struct sip_stack *stack, const struct sip_msg *msg,
			     const struct net_flow *flow)
{
	struct sip_stx *tx;

	stack->stats.requests_in[msg->method]++;
	if (msg->method == SIP_ACK) {
		dispatch_ack(stack, msg, flow);
		return;
	}
	if (msg->method == SIP_CANCEL) {
		dispatch_cancel(stack, msg, flow);
		return;
	}
	tx = stx_find(stack, msg);
	if (tx)
		stx_repeated(tx);
	else
		dispatch_new(stack, msg, flow);
}

/* RFC 5626 3.5.1 and what phones send to hold a NAT's door open: nothing but line ends. */
static bool is_keepalive(const struct net_buf *msg)
{
	for (uint32_t i = 0; i < msg->len; i++)
		if (msg->data[i] != '\r' && msg->data[i] != '\n' && msg->data[i] != '\0' &&
		    msg->data[i] != ' ')
			return false;
	return true;
}

void sip_stack_on_message(void *arg, struct net_buf *buf, const struct net_flow *flow)
{
	struct sip_stack *stack = arg;
	const char *why = "unreadable";
	struct sip_msg msg;
	int err;

	if (is_keepalive(buf)) {
		stack->stats.keepalives++;
		return;
	}
	if (stack->config.ops->on_wire)
		stack->config.ops->on_wire(stack->config.arg, false,
					   (struct span){ buf->data, buf->len }, flow);
	err = sip_msg_parse(&msg, buf, flow_is_reliable(flow), &why);
	if (err < 0) {
		stack->stats.malformed_dropped++;
		stack_refused(stack, NULL, flow, 0, why);
	} else if (err > 0) {
		stack->stats.malformed_refused++;
		refuse(stack, &msg, flow, err, why, NULL);
	} else if (msg.request) {
		dispatch_request(stack, &msg, flow);
	} else {
		dispatch_response(stack, &msg, flow);
	}
}

/* ---- what could not be delivered ---------------------------------------------------------- */

static struct span next_line(struct span *rest)
{
	struct span line;

	span_cut(*rest, '\n', &line, rest);
	return span_trim(line);
}

/* The value of a header in a message that may be cut off anywhere. */
static struct span raw_header(struct span message, struct span name)
{
	next_line(&message);
	while (message.len) {
		struct span line = next_line(&message), value;

		if (line.len == 0)
			break;
		if (span_cut(line, ':', &line, &value) && span_ieq(span_trim(line), name))
			return span_trim(value);
	}
	return SPAN("");
}

static void response_undelivered(struct sip_stack *stack, struct span message,
				 const struct sip_via *via, int err)
{
	struct span cseq = raw_header(message, SPAN("CSeq")), number, method;
	struct span digits = span_head(span_skip(message, 8), 3);
	struct sip_stx *tx = NULL;
	uint32_t status;

	if (span_to_u32(digits, &status) || status < 100 || status > 699)
		return;
	if (span_cut(cseq, ' ', &number, &method))
		tx = stx_find_via(stack, via, span_trim(method));
	/* The kernel may have kept too little: try what it could have been. */
	for (int m = SIP_INVITE; !tx && m < SIP_METHODS; m++)
		tx = stx_find_via(stack, via, span_of(sip_method_name((enum sip_method)m)));
	if (tx)
		stx_undelivered(tx, (int)status, err);
}

void sip_stack_on_undelivered(void *arg, struct span message, const struct net_flow *flow, int err,
			      const char *text)
{
	struct sip_stack *stack = arg;
	struct span via_text = raw_header(message, SPAN("Via")), method, rest;
	struct sip_via via;
	struct sip_ctx *ctx;

	stack->stats.transport_errors++;
	/* Copies of foreign Via lines may stand together in one line; ours stands alone. */
	span_cut(via_text, ',', &via_text, &rest);
	if (!via_text.len || sip_via_decode(&via, span_trim(via_text)))
		return;
	if (span_starts(message, SPAN("SIP/2.0 "))) {
		response_undelivered(stack, message, &via, err);
		return;
	}
	span_cut(message, ' ', &method, &rest);
	ctx = ctx_of_branch(stack, via.branch);
	if (ctx)
		ctx_undelivered(ctx, method, flow, err, text);
}

/* ---- life --------------------------------------------------------------------------------- */

int sip_stack_new(struct sip_stack **stack_out, const struct sip_stack_config *config)
{
	struct sip_stack *stack = calloc(1, sizeof(*stack));
	uint32_t transactions = config->max_transactions;
	uint32_t sessions = config->max_sessions;

	assert(config->worker < 256 && config->timers && config->ops && config->loop);
	if (!stack)
		return -ENOMEM;
	/* The last slot number stands for "none". */
	if (transactions == 0 || transactions > SIP_NO_SLOT)
		transactions = SIP_NO_SLOT;
	if (sessions == 0 || sessions > SIP_NO_SLOT)
		sessions = SIP_NO_SLOT;
	stack->config = *config;
	stack->send = net_send;
	stack->scratch = BUF_INIT(4 * NET_MSG_MAX);
	rng_bytes(&stack->hash_key, sizeof(stack->hash_key));
	slots_init(&stack->stx, stx_size(), transactions);
	slots_init(&stack->ctx, ctx_size(), transactions);
	slots_init(&stack->sessions, sizeof(struct place), sessions);
	if (hash_table_init(&stack->stx_by_key, 1024) ||
	    hash_table_init(&stack->stx_by_merge, 1024)) {
		sip_stack_free(&stack);
		return -ENOMEM;
	}
	*stack_out = stack;
	return 0;
}

static void close_sessions(struct sip_stack *stack)
{
	uint32_t index = 0;
	struct place *place;

	while ((place = slots_next(&stack->sessions, &index)) != NULL)
		if (place->ops->on_close)
			place->ops->on_close(place->object);
}

void sip_stack_free(struct sip_stack **stack_ref)
{
	struct sip_stack *stack = *stack_ref;

	if (!stack)
		return;
	close_sessions(stack);
	stx_close_all(stack);
	ctx_close_all(stack);
	slots_close(&stack->stx);
	slots_close(&stack->ctx);
	slots_close(&stack->sessions);
	hash_table_free(&stack->stx_by_key);
	hash_table_free(&stack->stx_by_merge);
	buf_free(&stack->scratch);
	free(stack);
	*stack_ref = NULL;
}

const struct sip_stack_stats *sip_stack_stats(const struct sip_stack *stack)
{
	return &stack->stats;
}

const struct sip_stack_config *sip_stack_config(const struct sip_stack *stack)
{
	return &stack->config;
}
