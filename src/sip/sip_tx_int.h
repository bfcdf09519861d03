/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the stack share: sip_stack.c (dispatch, identifiers), sip_stx.c and
 * sip_ctx.c (the machines), sip_check.c (which requests are refused, and with what). */
#ifndef CAUSEWAY_SIP_TX_INT_H
#define CAUSEWAY_SIP_TX_INT_H

#include "sip/sip_stack.h"

/* RFC 3261 18.1.1: larger requests do not go by UDP when it can be helped. */
#define SIP_UDP_MAX 1300

/* How long a peer that refused TCP is not asked again, and how many such peers are remembered. */
#define SIP_TCP_REFUSED_US (300 * SEC)
#define SIP_TCP_REFUSED_MAX 256

/* Seconds in the Retry-After of our own 503. */
#define SIP_RETRY_AFTER_S 5

/* The slot number in tags and branches of messages that have no session or transaction. */
#define SIP_NO_SLOT 0xffffffu

struct sip_tcp_refused {
	union net_addr peer;
	uint64_t until_us;
};

struct sip_stack {
	struct sip_stack_config config;
	struct sip_stack_stats stats;
	struct slots stx, ctx, sessions;
	struct hash_table stx_by_key;	/* RFC 3261 17.2.3 */
	struct hash_table stx_by_merge;	/* 8.2.2.2 */
	struct hash_key hash_key;
	struct buf scratch;		/* a transaction key being built */

	/* The request being handed to the user, while it is. */
	struct sip_stx *current;
	const struct sip_msg *current_msg;

	struct sip_tcp_refused tcp_refused[SIP_TCP_REFUSED_MAX];
	/* net_send, but for tests. */
	int (*send)(struct net *net, const struct net_flow *flow, struct net_buf *msg);
};

static inline uint64_t stack_now(const struct sip_stack *stack)
{
	return stack->config.loop->now_us;
}
static inline uint64_t stack_t1(const struct sip_stack *stack)
{
	return stack->config.timers->t1_us;
}
static inline bool flow_is_reliable(const struct net_flow *flow)
{
	return flow->proto != NET_UDP;
}

/* ---- sip_stack.c ---- */

/* The four fields of an identifier that carries its owner, "wwssssssggggrrrrrrrr". */
struct sip_id {
	uint32_t worker, slot, random;
	uint16_t generation;
};
#define SIP_ID_DIGITS 20
bool sip_id_read(struct sip_id *out, struct span digits);

/* Tells on_wire, sends, counts errors. Keeps no reference of the caller's. */
int stack_transmit(struct sip_stack *stack, const struct net_flow *flow, struct net_buf *msg);
/* A response head with our Server line and the caller's extra lines, without body. */
struct net_buf *stack_build_reply(struct sip_stack *stack, const struct sip_msg *req, const struct net_flow *flow,
				  int status, const char *reason, const char *extra, struct span tag);
/* RFC 3261 8.2.7: answer without keeping anything; the same request gets the same To tag. */
void stack_reply_stateless(struct sip_stack *stack, const struct sip_msg *req, const struct net_flow *flow,
			   int status, const char *extra);
/* The To tag of answers that make no dialog. */
void stack_plain_tag(const struct sip_stack *stack, const struct sip_msg *req, char tag[SIP_TAG_LEN + 1]);
/* Tell the user that we refused or dropped. */
void stack_refused(struct sip_stack *stack, const struct sip_msg *msg, const struct net_flow *flow, int status,
		   const char *why);
/* "Via: SIP/2.0/UDP host:port;rport;branch=...\r\n" */
void stack_write_via(struct sip_writer *w, struct sip_stack *stack, const struct net_flow *flow,
		     const struct sip_id *id);

/* ---- sip_stx.c ---- */

/* The transaction that `msg` belongs to (17.2.3), seen as if its method were INVITE for ACK
 * and CANCEL; NULL when none. Leaves the key in stack->scratch for stx_new. */
struct sip_stx *stx_find(struct sip_stack *stack, const struct sip_msg *msg);
/* By what a Via tells alone; for responses that came back undelivered. */
struct sip_stx *stx_find_via(struct sip_stack *stack, const struct sip_via *via, struct span method);
/* Another request with this From tag, Call-ID and CSeq is being handled (8.2.2.2). */
bool stx_is_merged(struct sip_stack *stack, const struct sip_msg *msg);
/* After stx_find of the same message. NULL at the limit or without memory. */
struct sip_stx *stx_new(struct sip_stack *stack, const struct sip_msg *msg, const struct net_flow *flow);
/* The user has returned without any response to an INVITE: 100. */
void stx_send_trying(struct sip_stx *tx, const struct sip_msg *msg);
/* The user has returned without a final response: keep the request. */
void stx_keep_request(struct sip_stx *tx, const struct sip_msg *msg);
void stx_repeated(struct sip_stx *tx);
void stx_cancelled(struct sip_stx *tx, const struct sip_msg *cancel, const struct net_flow *flow);
/* True if the ACK was for a non-2xx and ends here; false: it is the dialog's. */
bool stx_acked(struct sip_stx *tx);
void stx_undelivered(struct sip_stx *tx, int status, int err);
void stx_close_all(struct sip_stack *stack);
size_t stx_size(void);

/* ---- sip_ctx.c ---- */

/* The live client transaction of this branch, or NULL. */
struct sip_ctx *ctx_of_branch(struct sip_stack *stack, struct span branch);
/* True if `msg` came from us with this Request-URI: a loop, not a spiral (16.3 item 4). */
bool ctx_is_loop(const struct sip_ctx *ctx, const struct sip_msg *msg);
/* True if the response belongs here (17.1.3) and was used. */
bool ctx_response(struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow);
void ctx_undelivered(struct sip_ctx *ctx, struct span method, const struct net_flow *flow, int err, const char *text);
void ctx_close_all(struct sip_stack *stack);
size_t ctx_size(void);

/* ---- sip_check.c ---- */

/* A request that starts a transaction, against RFC 3261 8.2 and 16.3. 0 or the status to
 * refuse it with; then *why_out is static text, and `extra` (size bytes) gets header lines. */
int sip_check_request(struct sip_stack *stack, const struct sip_msg *msg, const char **why_out, struct buf *extra);

#endif
