/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Client transactions: RFC 3261 17.1 with RFC 6026.
 *
 *   INVITE   CALLING (A repeats, B ends) --1xx--> PROCEEDING (no timer)
 *              \---------\--2xx--> ACCEPTED --M--> gone
 *               \---------\--3xx..6xx, ACK sent--> COMPLETED (ACK again for each repeat) --D--> gone
 *   others   CALLING (E repeats, F ends) --1xx--> PROCEEDING (E at T2, F goes on)
 *              \---------\--final--> COMPLETED --K--> gone
 *
 * B, F, M and (on UDP) D run 64*T1; A starts at T1 and doubles, E doubles up to T2; K is T4 on UDP.
 * Streams repeat nothing, and D and K are zero there. As in sip_stx.c one timer serves all, and even
 * a zero timer runs through the wheel.
 *
 * A CANCEL has the branch of its INVITE (9.1), so it is found through it: it is a transaction
 * of its own that hangs on the INVITE's, which waits for it before it goes. Once a CANCEL is
 * out, Timer B's place is taken by 64*T1 from then on.
 *
 * Where the timers list when to repeat, their list takes the place of A and E, and its sum that of B and F.
 *
 * Large requests (18.1.1) start on TCP with the UDP form kept aside; a connection that fails
 * puts them back on UDP, and the peer is not asked for TCP again for some minutes. */
#include "sip/sip_tx_int.h"

#include <stdio.h>
#include <stdlib.h>

enum ctx_state { CTX_NEW, CTX_CALLING, CTX_PROCEEDING, CTX_COMPLETED, CTX_ACCEPTED, CTX_OVER };

struct ctx_udp {
	struct net_flow flow;
	struct net_buf *request;
};

struct sip_ctx {
	struct sip_stack *stack;
	const struct sip_ctx_ops *ops;
	void *arg;
	struct timer timer;
	uint64_t deadline_us; /* 0 = none */
	uint64_t repeat_us; /* when to repeat, if interval_us */
	uint32_t interval_us; /* 0 = no repetition */
	uint32_t index, random;
	uint16_t generation;
	uint8_t method, state;
	uint8_t repeats;
	bool cancel_wanted;
	struct net_flow flow;
	struct net_buf *request; /* until the final response */
	struct net_buf *ack; /* INVITE in COMPLETED */
	char *reason; /* for the CANCEL that waits for a provisional */
	struct sip_ctx *cancel; /* of an INVITE: its CANCEL, while that lives */
	struct sip_ctx *invite; /* of a CANCEL */
	struct ctx_udp *udp; /* while TCP is being tried */
};

size_t ctx_size(void)
{
	return sizeof(struct sip_ctx);
}

/* ---- life --------------------------------------------------------------------------- */

struct sip_ctx *sip_ctx_new(struct sip_stack *stack, enum sip_method method,
			    const struct net_flow *flow, const struct sip_ctx_ops *ops, void *arg)
{
	struct sip_ctx *ctx;
	uint16_t generation;
	uint32_t index;

	ctx = slots_alloc(&stack->ctx, &index, &generation);
	if (!ctx)
		return NULL;
	ctx->stack = stack;
	ctx->ops = ops;
	ctx->arg = arg;
	ctx->index = index;
	ctx->generation = generation;
	ctx->random = rng_u32();
	ctx->method = (uint8_t)method;
	ctx->state = CTX_NEW;
	ctx->flow = *flow;
	stack->stats.ctx_now++;
	return ctx;
}

static void ctx_drop_udp(struct sip_ctx *ctx)
{
	if (!ctx->udp)
		return;
	net_buf_unref(&ctx->udp->request);
	free(ctx->udp);
	ctx->udp = NULL;
}

static void ctx_forget_request(struct sip_ctx *ctx)
{
	net_buf_unref(&ctx->request);
	ctx_drop_udp(ctx);
	free(ctx->reason);
	ctx->reason = NULL;
}

static void ctx_free(struct sip_ctx *ctx)
{
	struct sip_stack *stack = ctx->stack;

	loop_timer_stop(stack->config.loop, &ctx->timer);
	ctx_forget_request(ctx);
	net_buf_unref(&ctx->ack);
	slots_free(&stack->ctx, ctx->index);
	stack->stats.ctx_now--;
}

/* The machine has ended. An INVITE whose CANCEL still runs must stay to be found by it. */
static void ctx_end(struct sip_ctx *ctx)
{
	struct sip_ctx *invite = ctx->invite;

	ctx->ops = NULL;
	ctx->state = CTX_OVER;
	if (ctx->cancel) {
		loop_timer_stop(ctx->stack->config.loop, &ctx->timer);
		ctx_forget_request(ctx);
		return;
	}
	ctx_free(ctx);
	if (!invite)
		return;
	invite->cancel = NULL;
	if (invite->state == CTX_OVER)
		ctx_free(invite);
}

static void ctx_fail(struct sip_ctx *ctx, int err, const char *text)
{
	const struct sip_ctx_ops *ops = ctx->ops;

	ctx->ops = NULL;
	ctx->state = CTX_OVER;
	if (ops && ops->on_failed)
		ops->on_failed(ctx->arg, ctx, err, text);
	ctx_end(ctx);
}

void ctx_close_all(struct sip_stack *stack)
{
	uint32_t index = 0;
	struct sip_ctx *ctx;

	while ((ctx = slots_next(&stack->ctx, &index)) != NULL)
		ctx_free(ctx);
}

/* ---- timers ------------------------------------------------------------------------- */

static void ctx_arm(struct sip_ctx *ctx)
{
	uint64_t now = stack_now(ctx->stack), at = ctx->deadline_us;

	if (ctx->interval_us && (!at || ctx->repeat_us < at))
		at = ctx->repeat_us;
	if (at)
		loop_timer(ctx->stack->config.loop, &ctx->timer, at > now ? at - now : 0);
	else
		loop_timer_stop(ctx->stack->config.loop, &ctx->timer);
}

static void ctx_start(struct sip_ctx *ctx, enum ctx_state state, uint64_t life_us,
		      uint64_t interval_us)
{
	ctx->state = (uint8_t)state;
	ctx->deadline_us = stack_now(ctx->stack) + life_us;
	ctx->interval_us = (uint32_t)interval_us;
	ctx->repeat_us = stack_now(ctx->stack) + interval_us;
	ctx_arm(ctx);
}

static bool ctx_has_list(const struct sip_ctx *ctx)
{
	return ctx->stack->config.timers->n_resend && !flow_is_reliable(&ctx->flow);
}

/* B and F. */
static uint64_t ctx_patience(const struct sip_ctx *ctx)
{
	const struct sip_timers *timers = ctx->stack->config.timers;
	uint64_t us = 0;

	if (!ctx_has_list(ctx))
		return 64 * timers->t1_us;
	for (unsigned i = 0; i < timers->n_resend; i++)
		us += timers->resend_us[i];
	return us;
}

/* A and E begin with it; 0 = no repetition. */
static uint64_t ctx_first_interval(const struct sip_ctx *ctx)
{
	const struct sip_timers *timers = ctx->stack->config.timers;

	if (flow_is_reliable(&ctx->flow))
		return 0;
	return timers->n_resend ? timers->resend_us[0] : timers->t1_us;
}

static uint64_t ctx_next_interval(struct sip_ctx *ctx)
{
	const struct sip_timers *timers = ctx->stack->config.timers;
	uint64_t next = 2ull * ctx->interval_us;

	if (ctx->state == CTX_PROCEEDING)
		return timers->t2_us;
	if (ctx_has_list(ctx))
		return ++ctx->repeats < timers->n_resend ? timers->resend_us[ctx->repeats] : 0;
	return ctx->method != SIP_INVITE && next > timers->t2_us ? timers->t2_us : next;
}

static void ctx_timeout(struct sip_ctx *ctx)
{
	uint64_t life_ms = 64 * stack_t1(ctx->stack) / MSEC;
	char text[160];

	ctx->stack->stats.timeouts++;
	if (ctx->cancel_wanted && ctx->state == CTX_PROCEEDING)
		snprintf(text, sizeof(text),
			 "no final response within %llu ms of the CANCEL (RFC 3261 9.1)",
			 (unsigned long long)life_ms);
	else if (ctx_has_list(ctx))
		snprintf(text, sizeof(text),
			 "no %sresponse to %s within %llu ms (sip_resend_intervals)",
			 ctx->state == CTX_PROCEEDING ? "final " : "", sip_method_name(ctx->method),
			 (unsigned long long)(ctx_patience(ctx) / MSEC));
	else
		snprintf(text, sizeof(text), "no %sresponse to %s within %llu ms (Timer %c)",
			 ctx->state == CTX_PROCEEDING ? "final " : "", sip_method_name(ctx->method),
			 (unsigned long long)life_ms, ctx->method == SIP_INVITE ? 'B' : 'F');
	ctx_fail(ctx, ETIMEDOUT, text);
}

static void ctx_expired(struct sip_ctx *ctx)
{
	const struct sip_ctx_ops *ops = ctx->ops;

	if (ctx->state == CTX_CALLING || ctx->state == CTX_PROCEEDING) {
		ctx_timeout(ctx);
		return;
	}
	if (ctx->state == CTX_ACCEPTED && ops && ops->on_gone) {
		ctx->ops = NULL;
		ops->on_gone(ctx->arg, ctx);
	}
	ctx_end(ctx);
}

static void ctx_fire(struct timer *timer)
{
	struct sip_ctx *ctx = container_of(timer, struct sip_ctx, timer);
	uint64_t next;

	if (ctx->deadline_us && stack_now(ctx->stack) >= ctx->deadline_us) {
		ctx_expired(ctx);
		return;
	}
	ctx->stack->stats.retransmits_out++;
	stack_transmit(ctx->stack, &ctx->flow, ctx->request);
	next = ctx_next_interval(ctx);
	ctx->interval_us = next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
	ctx->repeat_us += ctx->interval_us; /* since it was due: lateness must not add up */
	ctx_arm(ctx);
}

/* ---- branches ------------------------------------------------------------------------- */

struct sip_ctx *ctx_of_branch(struct sip_stack *stack, struct span branch)
{
	struct sip_ctx *ctx;
	struct sip_id id;

	if (!span_starts(branch, SPAN("z9hG4bKq")) || !sip_id_read(&id, span_skip(branch, 8)))
		return NULL;
	if (id.worker != stack->config.worker)
		return NULL;
	ctx = slots_get(&stack->ctx, id.slot, id.generation);
	return ctx && ctx->random == id.random ? ctx : NULL;
}

/* RFC 3261 16.3 item 4 compares what routing looks at. Each hop writes its own host into the Request-URI, so for
 * us that is the user part: the same number is a loop, another number a spiral. */
static bool is_same_number(struct span ours, struct span theirs)
{
	struct sip_uri a, b;

	if (sip_uri_decode(&a, ours) || sip_uri_decode(&b, theirs))
		return span_eq(ours, theirs);
	return a.user.len && b.user.len ? span_eq(a.user, b.user) : span_eq(ours, theirs);
}

bool ctx_is_loop(const struct sip_ctx *ctx, const struct sip_msg *msg)
{
	struct span rest, method, uri;

	if (!ctx->request)
		return false;
	span_cut((struct span){ ctx->request->data, ctx->request->len }, ' ', &method, &rest);
	span_cut(rest, ' ', &uri, &rest);
	return span_eq(method, sip_str(msg, msg->method_name)) &&
	       is_same_number(uri, sip_str(msg, msg->uri));
}

static struct sip_id ctx_id(const struct sip_ctx *ctx)
{
	/* A CANCEL goes under its INVITE's name. */
	const struct sip_ctx *owner = ctx->invite ? ctx->invite : ctx;

	return (struct sip_id){ .worker = owner->stack->config.worker,
				.slot = owner->index,
				.generation = owner->generation,
				.random = owner->random };
}

void sip_ctx_write_via(struct sip_writer *w, const struct sip_ctx *ctx)
{
	struct sip_id id = ctx_id(ctx);

	stack_write_via(w, ctx->stack, &ctx->flow, &id);
}

/* ---- requests made of the INVITE: ACK to a non-2xx, CANCEL ------------------------------ */

static void copy_lines(struct sip_writer *w, const struct sip_msg *req, enum sip_header id)
{
	for (uint8_t i = req->first[id]; i != 0xff; i = req->headers[i].next)
		sip_write_header(w, id, sip_str(req, req->headers[i].value));
}

/* RFC 3261 17.1.1.3 and 9.1: Request-URI, top Via, Route, From, Call-ID and the CSeq's number are the
 * INVITE's; so is To, but for the ACK it is the response's. 22.1: the ACK repeats credentials. */
static struct net_buf *ctx_build_hop(struct sip_ctx *ctx, enum sip_method method, struct span to)
{
	struct sip_writer w;
	struct sip_msg req;
	const char *why;

	if (!ctx->request || sip_msg_parse(&req, ctx->request, flow_is_reliable(&ctx->flow), &why))
		return NULL;
	sip_write_begin(&w, req.len - req.body.len + to.len +
				    (ctx->reason ? strlen(ctx->reason) : 0) + 256);
	sip_write_request_line(&w, span_of(sip_method_name(method)), sip_str(&req, req.uri));
	sip_ctx_write_via(&w, ctx);
	copy_lines(&w, &req, SIP_H_ROUTE);
	sip_write_header(&w, SIP_H_MAX_FORWARDS, SPAN("70"));
	sip_write_header(&w, SIP_H_FROM, sip_header(&req, SIP_H_FROM));
	sip_write_header(&w, SIP_H_TO, to.p ? to : sip_header(&req, SIP_H_TO));
	sip_write_header(&w, SIP_H_CALL_ID, req.call_id);
	sip_write_cseq(&w, req.cseq, span_of(sip_method_name(method)));
	if (method == SIP_ACK) {
		copy_lines(&w, &req, SIP_H_AUTHORIZATION);
		copy_lines(&w, &req, SIP_H_PROXY_AUTHORIZATION);
	} else if (ctx->reason) {
		sip_write_header(&w, SIP_H_REASON, span_of(ctx->reason));
	}
	return sip_finish(&w, NULL, SPAN_NONE);
}

/* ---- sending -------------------------------------------------------------------------- */

static struct sip_tcp_refused *refused_entry(struct sip_stack *stack, const union net_addr *peer)
{
	char text[NET_ADDR_TEXT];
	uint64_t hash;

	net_addr_format(peer, text);
	hash = hash_bytes(&stack->hash_key, text, strlen(text));
	return &stack->tcp_refused[hash % SIP_TCP_REFUSED_MAX];
}

static bool tcp_is_refused(struct sip_stack *stack, const union net_addr *peer)
{
	const struct sip_tcp_refused *entry = refused_entry(stack, peer);

	return entry->until_us > stack_now(stack) && net_addr_eq(&entry->peer, peer);
}

static void remember_refused(struct sip_stack *stack, const union net_addr *peer)
{
	*refused_entry(stack, peer) =
		(struct sip_tcp_refused){ *peer, stack_now(stack) + SIP_TCP_REFUSED_US };
}

/* The same request with a Via for another flow in place of its first header line. */
static struct net_buf *with_via(struct sip_ctx *ctx, const struct net_buf *msg)
{
	struct span rest = { msg->data, msg->len }, line;
	struct sip_writer w;
	struct net_buf *out;

	sip_write_begin(&w, msg->len + 128);
	span_cut(rest, '\n', &line, &rest);
	sip_put(&w, line);
	SIP_PUT(&w, "\n");
	sip_ctx_write_via(&w, ctx);
	assert(span_istarts(rest, SPAN("Via:"))); /* sip_ctx_write_via came first */
	span_cut(rest, '\n', &line, &rest);
	sip_put(&w, rest);
	if (w.failed) {
		net_buf_unref(&w.buf);
		return NULL;
	}
	out = w.buf;
	out->len = (uint32_t)(w.p - out->data);
	return out;
}

/* 18.1.1: move a large request to TCP. When that cannot even begin it stays where it is. */
static void ctx_try_tcp(struct sip_ctx *ctx)
{
	union net_addr local = ctx->flow.local;
	struct ctx_udp *udp;
	struct net_flow flow;
	struct net_buf *msg;

	if (tcp_is_refused(ctx->stack, &ctx->flow.peer))
		return;
	net_addr_set_port(&local, 0);
	if (net_flow_to(ctx->stack->config.net, &flow, NET_TCP, &ctx->flow.peer, &local, NULL))
		return;
	udp = malloc(sizeof(*udp));
	if (!udp)
		return;
	*udp = (struct ctx_udp){ ctx->flow, ctx->request };
	ctx->flow = flow;
	msg = with_via(ctx, ctx->request);
	if (!msg) {
		ctx->flow = udp->flow;
		free(udp);
		return;
	}
	ctx->udp = udp;
	ctx->request = msg;
}

static void ctx_back_to_udp(struct sip_ctx *ctx)
{
	struct ctx_udp *udp = ctx->udp;

	remember_refused(ctx->stack, &udp->flow.peer);
	net_buf_unref(&ctx->request);
	ctx->request = udp->request;
	ctx->flow = udp->flow;
	ctx->udp = NULL;
	free(udp);
}

/* First transmission over what the flow now is; starts A and B, or E and F. */
static int ctx_launch(struct sip_ctx *ctx)
{
	int err = stack_transmit(ctx->stack, &ctx->flow, ctx->request);

	if (err && ctx->udp) {
		ctx_back_to_udp(ctx);
		err = stack_transmit(ctx->stack, &ctx->flow, ctx->request);
	}
	/* A datagram that found the socket's queue full is one that was lost: Timer A or E mends it. */
	if (err == -EAGAIN && !flow_is_reliable(&ctx->flow))
		err = 0;
	if (!err)
		ctx_start(ctx, CTX_CALLING, ctx_patience(ctx), ctx_first_interval(ctx));
	return err;
}

int sip_ctx_send(struct sip_ctx *ctx, struct net_buf *msg, bool keep_udp)
{
	int err;

	assert(ctx->state == CTX_NEW);
	timer_init(&ctx->timer, ctx_fire);
	if (!msg) {
		ctx_end(ctx);
		return -ENOMEM;
	}
	ctx->request = msg;
	if (ctx->flow.proto == NET_UDP && msg->len > SIP_UDP_MAX && !keep_udp)
		ctx_try_tcp(ctx);
	err = ctx_launch(ctx);
	if (err) {
		ctx_end(ctx);
		return err;
	}
	ctx->stack->stats.requests_out[ctx->method]++;
	return 0;
}

/* ---- CANCEL --------------------------------------------------------------------------- */

static void ctx_send_cancel(struct sip_ctx *ctx)
{
	struct net_buf *msg = ctx_build_hop(ctx, SIP_CANCEL, SPAN_NONE);
	struct sip_ctx *cancel =
		msg ? sip_ctx_new(ctx->stack, SIP_CANCEL, &ctx->flow, NULL, NULL) : NULL;

	/* 9.1: a server that answers the CANCEL but never the INVITE must not hold it for ever. */
	ctx_start(ctx, CTX_PROCEEDING, 64 * stack_t1(ctx->stack), 0);
	if (!cancel) {
		net_buf_unref(&msg);
		return;
	}
	cancel->invite = ctx;
	ctx->cancel = cancel;
	sip_ctx_send(cancel, msg, true);
}

void sip_ctx_cancel(struct sip_ctx *ctx, const char *reason)
{
	if (ctx->method != SIP_INVITE || ctx->cancel_wanted)
		return;
	if (ctx->state != CTX_CALLING && ctx->state != CTX_PROCEEDING)
		return;
	ctx->cancel_wanted = true;
	ctx->reason = reason ? strdup(reason) : NULL;
	if (ctx->state == CTX_PROCEEDING)
		ctx_send_cancel(ctx);
}

void sip_ctx_abandon(struct sip_ctx *ctx)
{
	ctx->ops = NULL;
	if (ctx->state == CTX_NEW)
		ctx_end(ctx);
}

void sip_ctx_drop(struct sip_ctx *ctx)
{
	assert(ctx->method != SIP_INVITE && ctx->method != SIP_CANCEL);
	ctx->ops = NULL;
	ctx_end(ctx);
}

/* ---- what comes in ---------------------------------------------------------------------- */

static void ctx_tell(struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow)
{
	if (ctx->ops && ctx->ops->on_response)
		ctx->ops->on_response(ctx->arg, ctx, msg, flow);
}

static void ctx_provisional(struct sip_ctx *ctx, const struct sip_msg *msg,
			    const struct net_flow *flow)
{
	ctx_drop_udp(ctx); /* the connection works */
	if (ctx->method != SIP_INVITE) {
		ctx->state = CTX_PROCEEDING;
	} else if (ctx->state == CTX_CALLING) {
		ctx->state = CTX_PROCEEDING;
		ctx->deadline_us = 0;
		ctx->interval_us = 0;
		ctx_arm(ctx);
		if (ctx->cancel_wanted)
			ctx_send_cancel(ctx);
	}
	ctx_tell(ctx, msg, flow);
}

static void ctx_send_ack(struct sip_ctx *ctx)
{
	if (!ctx->ack)
		return;
	stack_transmit(ctx->stack, &ctx->flow, ctx->ack);
}

static void ctx_acknowledge(struct sip_ctx *ctx, const struct sip_msg *msg)
{
	struct net_buf *ack = ctx_build_hop(ctx, SIP_ACK, sip_header(msg, SIP_H_TO)), *exact;

	if (!ack)
		return;
	exact = net_buf_copy(ack->data, ack->len);
	ctx->ack = ack;
	ctx->stack->stats.requests_out[SIP_ACK]++;
	ctx_send_ack(ctx);
	if (exact) {
		net_buf_unref(&ctx->ack);
		ctx->ack = exact;
	}
}

/* The request is still there during the user's upcall: it may send it again with credentials. */
static void ctx_final(struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow)
{
	bool reliable = flow_is_reliable(&ctx->flow);
	uint64_t t1 = stack_t1(ctx->stack);

	if (ctx->method != SIP_INVITE) {
		ctx_start(ctx, CTX_COMPLETED, reliable ? 0 : ctx->stack->config.timers->t4_us,
			  0); /* K */
	} else if (msg->status < 300) {
		ctx_start(ctx, CTX_ACCEPTED, 64 * t1, 0); /* M */
	} else {
		ctx_acknowledge(ctx, msg);
		ctx_start(ctx, CTX_COMPLETED, reliable ? 0 : 64 * t1, 0); /* D */
	}
	ctx_tell(ctx, msg, flow);
	ctx_forget_request(ctx);
	if (ctx->state == CTX_COMPLETED)
		ctx->ops = NULL;
}

/* A response after the final one. */
static bool ctx_late(struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow)
{
	if (ctx->state == CTX_ACCEPTED && msg->status / 100 == 2) {
		ctx_tell(ctx, msg, flow);
		return ctx->ops != NULL;
	}
	if (ctx->state == CTX_COMPLETED && ctx->method == SIP_INVITE && msg->status >= 300) {
		ctx->stack->stats.retransmits_in++;
		ctx->stack->stats.retransmits_out++;
		ctx_send_ack(ctx);
		return true;
	}
	/* Overtaken provisionals, repeated finals of other methods. */
	ctx->stack->stats.retransmits_in++;
	return true;
}

bool ctx_response(struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow)
{
	if (msg->method == SIP_CANCEL && ctx->method == SIP_INVITE)
		ctx = ctx->cancel;
	if (!ctx || ctx->method != msg->method || ctx->state == CTX_NEW || ctx->state == CTX_OVER)
		return false;
	if (ctx->state != CTX_CALLING && ctx->state != CTX_PROCEEDING)
		return ctx_late(ctx, msg, flow);
	if (msg->status < 200)
		ctx_provisional(ctx, msg, flow);
	else
		ctx_final(ctx, msg, flow);
	return true;
}

/* ICMP or a failed connection. Only news about the address this request last went to, and only
 * before any response: afterwards the peer has shown that it lives (RFC 3261 17.1.4, 18.4). */
void ctx_undelivered(struct sip_ctx *ctx, struct span method, const struct net_flow *flow, int err,
		     const char *text)
{
	if (span_eq(method, SPAN("ACK")))
		return;
	if (span_eq(method, SPAN("CANCEL")))
		ctx = ctx->cancel;
	if (!ctx || ctx->state != CTX_CALLING || flow->proto != ctx->flow.proto ||
	    !net_addr_eq(&flow->peer, &ctx->flow.peer))
		return;
	if (ctx->udp) {
		ctx_back_to_udp(ctx);
		err = -ctx_launch(ctx);
		if (!err)
			return;
		text = "cannot send by UDP either";
	}
	ctx_fail(ctx, err, text);
}

const struct net_flow *sip_ctx_flow(const struct sip_ctx *ctx)
{
	return &ctx->flow;
}

const struct net_buf *sip_ctx_request(const struct sip_ctx *ctx)
{
	return ctx->request;
}
