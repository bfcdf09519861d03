/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack of one worker: dispatch and transactions (RFC 3261 17, RFC 6026, RFC 4320).
 *
 * Identifiers carry their owner, in hex of fixed width, so that no table is needed to find
 * it again: worker ww, slot ssssss, generation gggg, random rrrrrrrr.
 *
 *   Via branch   z9hG4bK q ww ssssss gggg rrrrrrrr	client transaction
 *   our tags     w ww ssssss gggg rrrrrrrr		session (both roles)
 *   our Call-ID  ww ssssss gggg + 8 random hex digits + 8 of a keyed hash over these 20, no host
 *   Contact user w ww ssssss gggg			(in-dialog Request-URIs)
 *
 * The values are no secrets: generation and random stop stale and guessed hits. */
#ifndef CAUSEWAY_SIP_STACK_H
#define CAUSEWAY_SIP_STACK_H

#include "sip/sip_write.h"

struct sip_stack;
struct sip_stx;		/* server transaction */
struct sip_ctx;		/* client transaction */

/* Read whenever used; the owner may change values between turns (live parameters). */
#define SIP_RESENDS_MAX 16
struct sip_timers {
	uint64_t t1_us, t2_us, t4_us;	/* 500 ms, 4 s, 5 s */
	/* Over UDP, instead of Timers A, E, B and F: a request is repeated after each of these but the last, and fails after
	 * that. 0 of them = as RFC 3261 says. */
	unsigned n_resend;
	uint64_t resend_us[SIP_RESENDS_MAX];	/* each 1..UINT32_MAX */
};

struct sip_stack_stats {
	/* In: everything that parsed, repetitions too. Out: each message once. */
	uint64_t requests_in[SIP_METHODS], requests_out[SIP_METHODS];
	uint64_t responses_in[7], responses_out[7];	/* by first digit */
	uint64_t retransmits_in, retransmits_out;
	uint64_t malformed_refused, malformed_dropped;	/* answered 4xx/5xx; not answerable */
	uint64_t stray_responses, stray_acks;		/* match nothing of ours */
	uint64_t merged, loops, timeouts, transport_errors;
	uint64_t keepalives;
	uint32_t stx_now, ctx_now, sessions_now;
};

/* Upcalls to whoever uses the stack. */
struct sip_stack_ops {
	/* A new INVITE outside any dialog: parsed, not merged, not looped (RFC 3261 8.2.2.2, 16.3
	 * item 4), Max-Forwards > 0, no extension required that we lack (420), a scheme we know (416),
	 * a body we can read (415). The user answers through `tx` (challenge, refusal) or makes a session of it
	 * (sip_session_incoming); 100 Trying goes out when it returns without having answered. */
	void (*on_invite)(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
	/* Any other request outside a dialog, checked likewise: answer it through `tx` now or later
	 * (OPTIONS, REGISTER, MESSAGE, unknown methods...). */
	void (*on_request)(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
	/* The stack itself refused (or, status 0, dropped) a request, already answered. `msg` may
	 * be half decoded when it did not parse; NULL if not even that. For counting and records. */
	void (*on_refused)(void *arg, const struct sip_msg *msg, const struct net_flow *flow, int status, const char *why);
	/* Every message that comes or goes, before parsing (may be NULL). For trace. */
	void (*on_wire)(void *arg, bool sent, struct span message, const struct net_flow *flow);
	/* May be NULL. A request outside any dialog, new and not yet checked: false drops it without a word. */
	bool (*on_screen)(void *arg, const struct sip_msg *msg, const struct net_flow *flow);
};

struct sip_stack_config {
	unsigned worker, workers;
	struct loop *loop;
	struct net *net;
	struct net_dns *dns;
	const struct sip_timers *timers;
	const char *product;		/* User-Agent and Server value */
	uint32_t max_transactions;	/* each kind; new requests get 503 beyond */
	uint32_t max_sessions;
	const struct sip_stack_ops *ops;
	void *arg;
};

int sip_stack_new(struct sip_stack **stack_out, const struct sip_stack_config *config);
void sip_stack_free(struct sip_stack **stack);
/* Wire these into net_ops (arg = the stack). */
void sip_stack_on_message(void *stack, struct net_buf *msg, const struct net_flow *flow);
void sip_stack_on_undelivered(void *stack, struct span message, const struct net_flow *flow, int err, const char *text);
const struct sip_stack_stats *sip_stack_stats(const struct sip_stack *stack);
const struct sip_stack_config *sip_stack_config(const struct sip_stack *stack);

/* ---- server transactions ---------------------------------------------------------- */

/* The transaction lives until it has been answered finally and its timers ran out; it is
 * never freed under the user's hands before a final response. */

/* Send a response: the reference becomes the transaction's, also on failure (keep one of your own to
 * repeat a 2xx); NULL is -ENOMEM. `status` is its status. A provisional or 2xx to INVITE
 * may be sent several times (RFC 6026: 2xx retransmission belongs to the user); any other
 * final is repeated by the machine. After a final the user forgets `tx` (an INVITE's 2xx:
 * after sip_stx_done). 0 or -errno of net_send. */
int sip_stx_send(struct sip_stx *tx, int status, struct net_buf *msg);
/* For requests answered in one go: head + To tag + optional extra header lines (each with
 * CRLF), no body. */
void sip_stx_reply(struct sip_stx *tx, const struct sip_msg *req, int status, const char *reason, const char *extra);
/* The user needs no more of an INVITE transaction that got a 2xx. */
void sip_stx_done(struct sip_stx *tx);
/* The request as received, kept (trimmed copy) while an INVITE transaction has no final
 * response and for any transaction until it is answered; NULL afterwards. Its index is copied
 * into `msg` (0 or -ENOENT). */
int sip_stx_request(const struct sip_stx *tx, struct sip_msg *msg);
const struct net_flow *sip_stx_flow(const struct sip_stx *tx);
/* Where responses go: 0 = the source socket (default, RFC 3581 for all), 1 = source host and
 * Via port, 2 = Via's address (RFC 3261 18.2.2 to the letter). VOS: sipResponseAddressMethod. */
void sip_stx_response_address(struct sip_stx *tx, int method);
/* Told once when CANCEL for this INVITE came (already answered 200), with the CANCEL. And
 * when a final response could not be delivered or no ACK for a non-2xx came (err ETIMEDOUT). */
struct sip_stx_ops {
	void (*on_cancel)(void *arg, struct sip_stx *tx, const struct sip_msg *cancel);
	void (*on_failed)(void *arg, struct sip_stx *tx, int err);
};
/* Register during on_invite / on_request. After a non-2xx final the machine still holds `arg` for
 * on_failed, until the ACK or Timer H: unregister (ops NULL) with the final if `arg` may be gone by then. */
void sip_stx_user(struct sip_stx *tx, const struct sip_stx_ops *ops, void *arg);

/* ---- client transactions ---------------------------------------------------------- */

struct sip_ctx_ops {
	/* Every provisional, and the final response. For INVITE also each further 2xx (other To tags
	 * or repeats; RFC 6026 8.4), until 64*T1 after the first. The ACK to a non-2xx final is the
	 * machine's. After a non-2xx final or on_failed the ctx is gone. */
	void (*on_response)(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg, const struct net_flow *flow);
	/* No final response: ETIMEDOUT (Timer B or F) or the transport's error; `text` explains. */
	void (*on_failed)(void *arg, struct sip_ctx *ctx, int err, const char *text);
	/* May be NULL. An INVITE that got a 2xx: 64*T1 are over, the ctx is gone. (Unless it was
	 * abandoned before: a session that goes away earlier must abandon it.) */
	void (*on_gone)(void *arg, struct sip_ctx *ctx);
};

/* Reserve a transaction toward `flow`: its branch can then be written. NULL at the limit. */
struct sip_ctx *sip_ctx_new(struct sip_stack *stack, enum sip_method method, const struct net_flow *flow,
			    const struct sip_ctx_ops *ops, void *arg);
/* "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=...\r\n", the first header after the request line. */
void sip_ctx_write_via(struct sip_writer *w, const struct sip_ctx *ctx);
/* Send the request (the reference becomes the transaction's). A UDP request over 1300 bytes
 * goes by TCP when the peer takes it (RFC 3261 18.1.1): its Via is rewritten; when the
 * connection is refused or times out it goes by UDP after all. `keep_udp` forbids that.
 * On failure -errno, and on_failed is not called; the ctx is gone. */
int sip_ctx_send(struct sip_ctx *ctx, struct net_buf *msg, bool keep_udp);
/* Forget the user: no more upcalls; a ctx not yet sent is gone, else the machine runs to its end (late 2xx are then counted as stray). */
void sip_ctx_abandon(struct sip_ctx *ctx);
/* End one that is no INVITE at once: nothing is repeated any more, and what comes is a stray. Not within its upcall. */
void sip_ctx_drop(struct sip_ctx *ctx);
/* Cancel an INVITE: CANCEL is sent now if a provisional has come, else when the first comes
 * (9.1); `reason` (may be NULL) becomes a Reason header. If no final comes within 64*T1 after
 * the CANCEL the transaction ends with on_failed(ETIMEDOUT). */
void sip_ctx_cancel(struct sip_ctx *ctx, const char *reason);
const struct net_flow *sip_ctx_flow(const struct sip_ctx *ctx);
/* The request as sent (for re-sending with credentials); NULL once the upcall
 * of the final has returned. */
const struct net_buf *sip_ctx_request(const struct sip_ctx *ctx);

/* ---- identifiers and sessions ------------------------------------------------------- */

#define SIP_TAG_LEN 21		/* w + 2 + 6 + 4 + 8 */
#define SIP_CALL_ID_LEN 28	/* 2 + 6 + 4 + 16 */

/* A session's place in this worker, for tags; `object` is what requests with that tag are
 * given to. 0 or -ENOSPC. */
struct sip_dialog_ops {
	/* A request carrying our To tag. `tx` is NULL for ACK. The receiver checks Call-ID and remote tag;
	 * CSeq order too. */
	void (*on_request)(void *object, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
	/* The stack is being freed (may be NULL): an object that nobody else holds goes now. The stack can still
	 * be called, to forget transactions and the tag; nothing is sent any more. */
	void (*on_close)(void *object);
};
int sip_tag_new(struct sip_stack *stack, const struct sip_dialog_ops *ops, void *object, char tag[SIP_TAG_LEN + 1]);
void sip_tag_free(struct sip_stack *stack, const char *tag);
void sip_call_id_new(struct sip_stack *stack, const char *tag, char call_id[SIP_CALL_ID_LEN + 1]);

/* Send a message outside any transaction (ACK to 2xx): reference becomes the stack's. */
int sip_stack_send(struct sip_stack *stack, const struct net_flow *flow, struct net_buf *msg);
/* The Via line of an ACK to a 2xx: its branch belongs to no transaction. What is asked for again is the same ACK (RFC 3261
 * 13.2.2.4), so its branch is the same too: peers take another one for another request. */
void sip_stack_write_ack_via(struct sip_writer *w, struct sip_stack *stack, const struct net_flow *flow, struct span call_id,
			     struct span remote_tag, uint32_t cseq);

#endif
