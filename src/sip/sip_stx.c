/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server transactions: RFC 3261 17.2 with RFC 6026.
 *
 *   INVITE      PROCEEDING --2xx--> ACCEPTED --L--> gone (when the user is done too)
 *                    \--3xx..6xx--> COMPLETED (G repeats, H gives up) --ACK--> CONFIRMED --I--> gone
 *   others      PROCEEDING --final--> COMPLETED --J--> gone
 *
 * A and J, L run 64*T1; G starts at T1 and doubles up to T2; I is T4. On streams nothing is
 * repeated and I and J are zero. One timer serves all: `deadline_us` ends the state, and
 * `interval_us`, if not 0, is the time to the next repetition. Even a zero timer runs
 * through the wheel, so no transaction is freed under the feet of its user's upcall.
 *
 * After the final response little is kept, for 32 seconds times thousands of calls a second
 * is a lot: the key, and where it may have to be repeated an exact copy of the response. */
#include "sip/sip_tx_int.h"

#include <stdlib.h>

enum stx_state { STX_PROCEEDING, STX_COMPLETED, STX_CONFIRMED, STX_ACCEPTED };

struct sip_stx {
	struct sip_stack *stack;
	const struct sip_stx_ops *ops;
	void *arg;
	struct hash_node by_key, by_merge;
	struct timer timer;
	uint64_t deadline_us, repeat_us;
	uint32_t interval_us;
	uint32_t slot;
	char *key; /* transaction key, then merge key */
	uint32_t key_len, merge_len;
	struct net_buf *request; /* until the final response */
	struct sip_msg *index; /* of `request`, with only as many headers as it has */
	struct net_buf *response; /* to be repeated */
	union net_addr *reply_to; /* NULL: the source */
	struct net_flow flow;
	uint16_t via_port;
	uint8_t state;
	bool invite;
	bool reliable;
	bool cancelled; /* on_cancel has been told */
	bool done; /* ACCEPTED: sip_stx_done was called */
	bool outlived; /* ACCEPTED: Timer L has fired */
};

size_t stx_size(void)
{
	return sizeof(struct sip_stx);
}

/* ---- keys --------------------------------------------------------------------------- */

static void key_add(struct buf *key, struct span part)
{
	buf_add_span(key, part);
	buf_add_char(key, '\0');
}

static void key_add_number(struct buf *key, uint32_t number)
{
	buf_add(key, &number, sizeof(number));
}

static void key_add_lower(struct buf *key, struct span part)
{
	char *to = buf_reserve(key, part.len + 1);

	if (!to)
		return;
	for (size_t i = 0; i < part.len; i++)
		to[i] = ascii_lower(part.p[i]);
	to[part.len] = '\0';
	key->len += part.len + 1;
}

/* RFC 3261 8.1.1.7: the cookie says that the branch is unique. The cookie alone is not
 * (RFC 4475 3.2.1). */
static bool branch_is_unique(struct span branch)
{
	return branch.len > 7 && span_istarts(branch, SPAN("z9hG4bK"));
}

static void key_add_via(struct buf *key, const struct sip_via *via, struct span method)
{
	key_add(key, via->branch);
	key_add_lower(key, via->host);
	key_add_number(key, via->port ? via->port : 5060u);
	key_add(key, method);
}

/* ACK and CANCEL belong to an INVITE (17.2.3, 9.2). */
static struct span key_method(const struct sip_msg *msg)
{
	if (msg->method == SIP_ACK || msg->method == SIP_CANCEL)
		return SPAN("INVITE");
	return sip_str(msg, msg->method_name);
}

/* RFC 3261 17.2.3 for elder senders. The To tag stays out: it differs between INVITE and ACK. */
static void key_add_2543(struct buf *key, const struct sip_msg *msg)
{
	struct sip_values it = { 0 };

	buf_add_char(key, '\1');
	key_add(key, msg->call_id);
	key_add(key, msg->from_tag);
	key_add_number(key, msg->cseq);
	key_add(key, sip_str(msg, msg->uri));
	key_add(key, sip_next_value(msg, SIP_H_VIA, &it) ? it.value : SPAN_NONE);
	key_add(key, key_method(msg));
}

static struct sip_stx *find_scratch(struct sip_stack *stack)
{
	const struct buf *key = &stack->scratch;
	struct hash_node *node;

	if (key->failed)
		return NULL;
	node = hash_table_find(&stack->stx_by_key, hash_bytes(&stack->hash_key, key->p, key->len));
	for (; node; node = hash_next(node)) {
		struct sip_stx *tx = container_of(node, struct sip_stx, by_key);

		if (tx->key_len == key->len && memcmp(tx->key, key->p, key->len) == 0)
			return tx;
	}
	return NULL;
}

struct sip_stx *stx_find(struct sip_stack *stack, const struct sip_msg *msg)
{
	buf_reset(&stack->scratch);
	if (branch_is_unique(msg->via.branch))
		key_add_via(&stack->scratch, &msg->via, key_method(msg));
	else
		key_add_2543(&stack->scratch, msg);
	return find_scratch(stack);
}

struct sip_stx *stx_find_via(struct sip_stack *stack, const struct sip_via *via, struct span method)
{
	if (!branch_is_unique(via->branch))
		return NULL;
	buf_reset(&stack->scratch);
	key_add_via(&stack->scratch, via, method);
	return find_scratch(stack);
}

/* Appended to `key`; returns the length of this part. */
static size_t key_add_merge(struct buf *key, const struct sip_msg *msg)
{
	size_t before = key->len;

	key_add(key, msg->call_id);
	key_add(key, msg->from_tag);
	key_add_number(key, msg->cseq);
	key_add(key, sip_str(msg, msg->method_name));
	return key->len - before;
}

/* "Ongoing" (8.2.2.2) is what waits for an answer or was accepted. Once refused, the same request under
 * a new branch is a second try: many senders repeat CSeq and all when they add credentials. */
static bool stx_is_ongoing(const struct sip_stx *tx)
{
	return tx->state == STX_PROCEEDING || tx->state == STX_ACCEPTED;
}

bool stx_is_merged(struct sip_stack *stack, const struct sip_msg *msg)
{
	struct buf *key = &stack->scratch;
	size_t before = key->len, len;
	struct hash_node *node = NULL;
	bool merged = false;

	if (msg->to_tag.len)
		return false;
	len = key_add_merge(key, msg);
	if (!key->failed)
		node = hash_table_find(&stack->stx_by_merge,
				       hash_bytes(&stack->hash_key, key->p + before, len));
	for (; node && !merged; node = hash_next(node)) {
		struct sip_stx *tx = container_of(node, struct sip_stx, by_merge);

		merged = stx_is_ongoing(tx) && tx->merge_len == len &&
			 memcmp(tx->key + tx->key_len, key->p + before, len) == 0;
	}
	key->len = before;
	return merged;
}

/* ---- life --------------------------------------------------------------------------- */

static void stx_forget_request(struct sip_stx *tx)
{
	net_buf_unref(&tx->request);
	free(tx->index);
	tx->index = NULL;
}

static void stx_free(struct sip_stx *tx)
{
	struct sip_stack *stack = tx->stack;

	loop_timer_stop(stack->config.loop, &tx->timer);
	hash_table_del(&stack->stx_by_key, &tx->by_key);
	if (tx->merge_len)
		hash_table_del(&stack->stx_by_merge, &tx->by_merge);
	free(tx->key);
	free(tx->reply_to);
	stx_forget_request(tx);
	net_buf_unref(&tx->response);
	if (stack->current == tx)
		stack->current = NULL;
	slots_free(&stack->stx, tx->slot);
	stack->stats.stx_now--;
}

static void stx_arm(struct sip_stx *tx)
{
	uint64_t now = stack_now(tx->stack), at = tx->deadline_us;

	if (tx->interval_us && tx->repeat_us < at)
		at = tx->repeat_us;
	loop_timer(tx->stack->config.loop, &tx->timer, at > now ? at - now : 0);
}

static void stx_start(struct sip_stx *tx, enum stx_state state, uint64_t life_us,
		      uint64_t interval_us)
{
	tx->state = (uint8_t)state;
	tx->deadline_us = stack_now(tx->stack) + life_us;
	tx->interval_us = (uint32_t)interval_us;
	tx->repeat_us = stack_now(tx->stack) + interval_us;
	stx_arm(tx);
}

static void stx_fail(struct sip_stx *tx, int err)
{
	const struct sip_stx_ops *ops = tx->ops;

	tx->ops = NULL;
	if (ops && ops->on_failed)
		ops->on_failed(tx->arg, tx, err);
}

/* RFC 3261 18.2.2: a response whose connection is gone goes over a new one, to the sender's
 * host and the port in its Via. */
static int stx_reconnect(struct sip_stx *tx)
{
	union net_addr peer = tx->flow.peer;
	uint16_t port = tx->via_port;
	struct net_flow flow;
	int err;

	if (!port)
		port = tx->flow.proto == NET_TLS ? 5061 : 5060;
	net_addr_set_port(&peer, port);
	err = net_flow_to(tx->stack->config.net, &flow, tx->flow.proto, &peer, NULL, NULL);
	if (err == 0)
		tx->flow = flow;
	return err;
}

/* Sends tx->response. */
static int stx_transmit(struct sip_stx *tx)
{
	struct net_flow flow = tx->flow;
	int err;

	if (tx->reply_to)
		flow.peer = *tx->reply_to;
	err = stack_transmit(tx->stack, &flow, tx->response);
	if (err == -EPIPE && tx->reliable && stx_reconnect(tx) == 0)
		err = stack_transmit(tx->stack, &tx->flow, tx->response);
	return err;
}

/* Timer H fired: the final was repeated for 64*T1 and nobody acknowledged it. */
static void stx_unacked(struct sip_stx *tx)
{
	tx->stack->stats.timeouts++;
	stx_fail(tx, ETIMEDOUT);
	stx_free(tx);
}

static void stx_fire(struct timer *timer)
{
	struct sip_stx *tx = container_of(timer, struct sip_stx, timer);
	uint64_t t2 = tx->stack->config.timers->t2_us;

	if (stack_now(tx->stack) < tx->deadline_us) {
		tx->stack->stats.retransmits_out++;
		stx_transmit(tx);
		tx->interval_us = 2ull * tx->interval_us < t2 ? 2 * tx->interval_us : (uint32_t)t2;
		tx->repeat_us += tx->interval_us; /* since it was due: lateness must not add up */
		stx_arm(tx);
	} else if (tx->state == STX_COMPLETED && tx->invite) {
		stx_unacked(tx);
	} else if (tx->state == STX_ACCEPTED && !tx->done) {
		tx->outlived = true; /* sip_stx_done frees it */
	} else {
		stx_free(tx);
	}
}

/* The key is in the scratch buffer since stx_find. */
static bool stx_keep_key(struct sip_stx *tx, const struct sip_msg *msg)
{
	struct buf *key = &tx->stack->scratch;

	tx->key_len = (uint32_t)key->len;
	if (msg->to_tag.len == 0)
		tx->merge_len = (uint32_t)key_add_merge(key, msg);
	if (key->failed)
		return false;
	tx->key = malloc(key->len);
	if (!tx->key)
		return false;
	memcpy(tx->key, key->p, key->len);
	return true;
}

struct sip_stx *stx_new(struct sip_stack *stack, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	uint16_t generation;
	uint32_t index;
	struct sip_stx *tx = slots_alloc(&stack->stx, &index, &generation);

	if (!tx)
		return NULL;
	tx->stack = stack;
	tx->slot = index;
	tx->flow = *flow;
	tx->via_port = msg->via.port;
	tx->invite = msg->method == SIP_INVITE;
	tx->reliable = flow_is_reliable(flow);
	timer_init(&tx->timer, stx_fire);
	if (!stx_keep_key(tx, msg)) {
		slots_free(&stack->stx, index);
		return NULL;
	}
	hash_table_add(&stack->stx_by_key, &tx->by_key,
		       hash_bytes(&stack->hash_key, tx->key, tx->key_len));
	if (tx->merge_len)
		hash_table_add(&stack->stx_by_merge, &tx->by_merge,
			       hash_bytes(&stack->hash_key, tx->key + tx->key_len, tx->merge_len));
	stack->stats.stx_now++;
	return tx;
}

void stx_close_all(struct sip_stack *stack)
{
	uint32_t index = 0;
	struct sip_stx *tx;

	while ((tx = slots_next(&stack->stx, &index)) != NULL)
		stx_free(tx);
}

/* ---- what comes in -------------------------------------------------------------------- */

/* Answers are written from the request, each in an upcall of its own: it is kept with its index, so that it
 * need not be parsed for every one of them. */
void stx_keep_request(struct sip_stx *tx, const struct sip_msg *msg)
{
	if (tx->state != STX_PROCEEDING || tx->request)
		return;
	tx->index = malloc(sip_msg_size(msg));
	if (!tx->index)
		return;
	tx->request = net_buf_copy(msg->base, msg->len);
	if (tx->request)
		sip_msg_move(tx->index, msg, tx->request);
	else
		stx_forget_request(tx);
}

/* 17.2.1: 100 unless an answer is there within 200 ms. The user has had the request and what it sent goes out first: an
 * INVITE to the next hop loses no time, and who is refused at once hears just that. */
void stx_send_trying(struct sip_stx *tx, const struct sip_msg *msg)
{
	struct net_buf *trying;

	if (msg->method != SIP_INVITE || tx->state != STX_PROCEEDING || tx->response)
		return;
	trying = stack_build_reply(tx->stack, msg, &tx->flow, 100, NULL, NULL, SPAN_NONE);
	if (trying)
		sip_stx_send(tx, 100, trying);
}

void stx_repeated(struct sip_stx *tx)
{
	tx->stack->stats.retransmits_in++;
	if (!tx->response)
		return;
	tx->stack->stats.retransmits_out++;
	stx_transmit(tx);
}

/* 9.2: the 200 should carry the tag that the INVITE's responses carry. */
static bool stx_own_tag(struct sip_stx *tx, char *tag, size_t size)
{
	struct sip_msg msg;
	struct net_buf *copy;
	const char *why;
	bool found = false;

	if (!tx->response)
		return false;
	copy = net_buf_copy(tx->response->data, tx->response->len);
	if (!copy)
		return false;
	if (sip_msg_parse(&msg, copy, false, &why) == 0 && msg.to_tag.len &&
	    msg.to_tag.len < size) {
		span_copy(msg.to_tag, tag, size);
		found = true;
	}
	net_buf_unref(&copy);
	return found;
}

void stx_cancelled(struct sip_stx *tx, const struct sip_msg *cancel, const struct net_flow *flow)
{
	struct sip_stack *stack = tx->stack;
	struct net_buf *reply;
	char tag[256];

	if (!stx_own_tag(tx, tag, sizeof(tag)))
		stack_plain_tag(stack, cancel, tag);
	reply = stack_build_reply(stack, cancel, flow, 200, NULL, NULL, span_of(tag));
	if (reply) {
		struct net_flow to = *flow;

		if (tx->reply_to)
			to.peer = *tx->reply_to;
		stack->stats.responses_out[2]++;
		stack_transmit(stack, &to, reply);
		net_buf_unref(&reply);
	}
	if (tx->cancelled || tx->state != STX_PROCEEDING)
		return;
	tx->cancelled = true;
	if (tx->ops && tx->ops->on_cancel)
		tx->ops->on_cancel(tx->arg, tx, cancel);
}

bool stx_acked(struct sip_stx *tx)
{
	if (tx->state == STX_ACCEPTED)
		return false;
	if (tx->state != STX_COMPLETED) {
		if (tx->state == STX_PROCEEDING)
			tx->stack->stats.stray_acks++;
		else
			tx->stack->stats.retransmits_in++;
		return true;
	}
	net_buf_unref(&tx->response);
	tx->ops = NULL;
	stx_start(tx, STX_CONFIRMED, tx->reliable ? 0 : tx->stack->config.timers->t4_us, 0);
	return true;
}

/* Only the loss of a final response matters: the caller may still be reachable for it when
 * a provisional was lost. The machine runs on: it is repeated, and the request's
 * repetitions must not look like new ones. */
void stx_undelivered(struct sip_stx *tx, int status, int err)
{
	/* Another worker's connection was gone when the response came to him. A 2xx is the user's: its next
	 * repetition takes the new way. */
	if (err == EPIPE && tx->reliable && tx->flow.worker != tx->stack->config.worker &&
	    stx_reconnect(tx) == 0 &&
	    (!tx->response || stack_transmit(tx->stack, &tx->flow, tx->response) == 0))
		return;
	if (status >= 200 && (tx->state == STX_ACCEPTED || tx->state == STX_COMPLETED))
		stx_fail(tx, err);
}

/* ---- what the user does --------------------------------------------------------------- */

/* The response that may have to be repeated for 32 seconds, in no more room than it needs. */
static void stx_store(struct sip_stx *tx, struct net_buf *msg)
{
	net_buf_unref(&tx->response);
	tx->response = msg;
}

static void stx_shrink(struct sip_stx *tx)
{
	struct net_buf *exact = NULL;

	if (tx->response->size > tx->response->len)
		exact = net_buf_copy(tx->response->data, tx->response->len);
	if (exact)
		stx_store(tx, exact);
}

static void stx_final(struct sip_stx *tx, int status)
{
	uint64_t t1 = stack_t1(tx->stack);

	stx_forget_request(tx);
	if (!tx->invite) {
		stx_start(tx, STX_COMPLETED, tx->reliable ? 0 : 64 * t1, 0); /* J */
		tx->ops = tx->reliable ? NULL : tx->ops;
	} else if (status < 300) {
		if (tx->state == STX_PROCEEDING)
			stx_start(tx, STX_ACCEPTED, 64 * t1, 0); /* L */
		net_buf_unref(&tx->response); /* repeating it is the user's */
		return;
	} else {
		stx_start(tx, STX_COMPLETED, 64 * t1, tx->reliable ? 0 : t1); /* H, G */
	}
	if (tx->response)
		stx_shrink(tx);
}

int sip_stx_send(struct sip_stx *tx, int status, struct net_buf *msg)
{
	struct sip_stack *stack = tx->stack;
	int err;

	assert(status >= 100 && status < 700);
	if (!msg)
		return -ENOMEM;
	/* After a final only a 2xx may follow a 2xx: it is the user repeating it. */
	if (tx->state != STX_PROCEEDING && !(tx->state == STX_ACCEPTED && status / 100 == 2)) {
		net_buf_unref(&msg);
		return -EALREADY;
	}
	if (tx->state == STX_ACCEPTED)
		stack->stats.retransmits_out++;
	else
		stack->stats.responses_out[status / 100]++;
	stx_store(tx, msg);
	err = stx_transmit(tx);
	if (status >= 200)
		stx_final(tx, status);
	return err;
}

void sip_stx_reply(struct sip_stx *tx, const struct sip_msg *req, int status, const char *reason,
		   const char *extra)
{
	struct net_buf *msg;
	char tag[SIP_TAG_LEN + 1];

	stack_plain_tag(tx->stack, req, tag);
	msg = stack_build_reply(tx->stack, req, &tx->flow, status, reason, extra, span_of(tag));
	/* Without memory for an answer the peer's timer ends it; ours must not wait for ever. */
	if (!msg && status >= 200 && tx->state == STX_PROCEEDING)
		stx_final(tx, status);
	else
		sip_stx_send(tx, status, msg);
}

void sip_stx_done(struct sip_stx *tx)
{
	tx->ops = NULL;
	if (tx->state != STX_ACCEPTED)
		return;
	tx->done = true;
	if (tx->outlived)
		stx_free(tx);
}

int sip_stx_request(const struct sip_stx *tx, struct sip_msg *msg)
{
	struct sip_stx *keep = (struct sip_stx *)tx;

	if (tx->stack->current == tx)
		stx_keep_request(keep, tx->stack->current_msg);
	if (!tx->request)
		return -ENOENT;
	sip_msg_move(msg, tx->index, tx->request);
	return 0;
}

const struct net_flow *sip_stx_flow(const struct sip_stx *tx)
{
	return &tx->flow;
}

/* Method 2, RFC 3261 18.2.2 and RFC 3581 4: maddr if there is one, else the source's host ("received")
 * with the port it asked for: the source's when it said rport, else that of its Via. */
static void reply_address(union net_addr *to, const struct sip_via *via, int method)
{
	union net_addr maddr;
	uint16_t port = via->port ? via->port : 5060;

	if (method == 2 && via->maddr.len && net_addr_parse(&maddr, via->maddr, port) == 0 &&
	    !net_addr_is_unusable(&maddr) && maddr.sa.sa_family == to->sa.sa_family) {
		*to = maddr;
		net_addr_set_port(to, port);
		return;
	}
	if (method == 1 || !via->rport)
		net_addr_set_port(to, port);
}

void sip_stx_response_address(struct sip_stx *tx, int method)
{
	union net_addr to = tx->flow.peer;
	struct sip_msg parsed;
	const struct sip_msg *msg = tx->stack->current_msg;

	free(tx->reply_to);
	tx->reply_to = NULL;
	if (method == 0 || tx->reliable)
		return;
	if (tx->stack->current != tx) {
		if (sip_stx_request(tx, &parsed))
			return;
		msg = &parsed;
	}
	reply_address(&to, &msg->via, method);
	if (net_addr_eq(&to, &tx->flow.peer))
		return;
	tx->reply_to = malloc(sizeof(to));
	if (tx->reply_to)
		*tx->reply_to = to;
}

void sip_stx_user(struct sip_stx *tx, const struct sip_stx_ops *ops, void *arg)
{
	tx->ops = ops;
	tx->arg = arg;
}
