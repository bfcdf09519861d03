/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INVITE sessions: one dialog (RFC 3261 12) with its offer/answer state (3264, 6337), reliable
 * provisionals (3262), UPDATE (3311), session timer (4028), glare (14.1, 491), and the 2xx that is
 * repeated until ACK (13.3.1.4). SDP is an opaque body here; who may call is somebody else's matter.
 *
 * A session is made by an incoming INVITE (role UAS) or by dialling (role UAC). It tells its user
 * what happens through `struct sip_session_ops` and is told what to do by the functions below. Upcalls
 * may call any function of any session, sip_session_release included. What is lent to an
 * upcall (event, spans, message) is gone when it returns.
 *
 * A session is over after exactly one of on_failed, on_cancel, on_bye, on_ended, or after
 * sip_session_end / sip_session_refuse; from then on no upcall comes. Release it in any case: it
 * then lingers on its own until its transactions (BYE, CANCEL, late 2xx) have run out. */
#ifndef CAUSEWAY_SIP_SESSION_H
#define CAUSEWAY_SIP_SESSION_H

#include "sip/sip_stack.h"

struct sip_session;

enum sip_100rel { SIP_100REL_OFF, SIP_100REL_SUPPORTED, SIP_100REL_REQUIRED };

/* How a leg behaves; from its gateway. Copied, strings too. */
struct sip_session_config {
	enum sip_100rel rel100;
	bool update;			/* UPDATE may be used and is allowed */
	bool timer;			/* RFC 4028 at all */
	uint32_t session_expires_s;	/* what we ask for and grant at most (VOS: SS_SIP_SESSION_TTL, 600) */
	uint32_t min_se_s;		/* never below 90 (RFC 4028 4) */
	uint32_t refresh_segment;	/* refresh every session_expires / segment, 2..10 (SS_SIP_SESSION_UPDATE_SEGMENT) */
	uint32_t early_hangup_s;	/* hang up so long before expiry (SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP) */
	int request_address;		/* in-dialog requests go to: 0 the source socket, 1 source host + Contact port,
					 * 2 Contact / route set (RFC 3261 12.2.1.1, default) */
	bool keep_udp;			/* never switch large requests to TCP */
	uint8_t challenges_max;		/* that we answer for one request */
	const char *user, *password;	/* digest as client; NULL = answer no challenge */
};

enum sip_end {
	SIP_END_NONE,
	SIP_END_NO_ACK,			/* 2xx repeated for 64*T1 without ACK; BYE sent */
	SIP_END_NO_PRACK,		/* reliable provisional unacknowledged for 64*T1; 504 sent */
	SIP_END_TIMER_EXPIRED,		/* the peer was to refresh and did not; BYE sent */
	SIP_END_REFRESH_REJECTED,	/* our refresh got a final >= 300 that ends it; BYE sent */
	SIP_END_REFRESH_UNANSWERED,	/* our refresh timed out or got 408/481 */
	SIP_END_DIALOG_GONE,		/* a request of ours in the dialog got 481 or 408 (12.2.1.2) */
	SIP_END_TRANSPORT,		/* connection or address lost */
	SIP_END_PROTOCOL,		/* the peer broke the dialog (e.g. 2xx to an offer without answer) */
};

/* What an upcall is about. Unused fields are zero. */
struct sip_event {
	int status;			/* of a response */
	int err;			/* ETIMEDOUT, ECONNREFUSED...: no response */
	enum sip_end end;
	const char *text;		/* our own words on err or end, static or lent */
	struct span sdp;		/* application/sdp body (or that part of a multipart); len 0 = none */
	bool early_dialog_changed;	/* this provisional is of another fork than the one before */
	const struct sip_msg *msg;	/* NULL for local events */
	const struct net_flow *flow;
};

struct sip_session_ops {
	/* UAC */
	void (*on_trying)(void *arg, struct sip_session *s);	/* first 100 */
	void (*on_progress)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* 101..199; reliable ones in
							 * order, once each, PRACK sent */
	void (*on_answer)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* first 2xx. ACK has been sent, unless
							 * the INVITE had no offer: then sip_session_ack with
							 * the answer is awaited (meanwhile repeats are not ACKed) */
	void (*on_failed)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* final >= 300 (ACKed), or err */
	/* UAS */
	void (*on_cancel)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* 487 has been sent */
	void (*on_ack)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* first ACK of each 2xx; sdp = answer
							 * to our offer in it */
	/* both */
	/* re-INVITE, UPDATE or PRACK with an offer (sdp), or a re-INVITE without (sdp.len 0: we are to
	 * offer). Answer with sip_session_accept or sip_session_reject, now or later. Refreshes whose
	 * SDP is unchanged (same o= version) or absent (UPDATE) are answered inside, not told. Glare is
	 * answered inside (491, 500). */
	void (*on_offer)(void *arg, struct sip_session *s, const struct sip_event *ev);
	/* Outcome of sip_session_offer: status 2xx with the answer (or, after an empty offer, their offer:
	 * sip_session_ack is awaited), or status >= 300 / err: the session goes on as before (14.1). 491 is
	 * retried inside as 14.1 says, up to 3 times, before it is told. */
	void (*on_offer_result)(void *arg, struct sip_session *s, const struct sip_event *ev);
	/* INFO, MESSAGE, REFER, NOTIFY and unknown methods in the dialog. Answer with sip_session_respond. */
	void (*on_request)(void *arg, struct sip_session *s, struct sip_stx *tx, const struct sip_event *ev);
	/* Outcome of sip_session_request. */
	void (*on_request_result)(void *arg, struct sip_session *s, void *cookie, const struct sip_event *ev);
	void (*on_bye)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* 200 has been sent */
	void (*on_ended)(void *arg, struct sip_session *s, const struct sip_event *ev);	/* ev->end says why */
};

/* ---- making one -------------------------------------------------------------------- */

/* From the stack's on_invite: `msg` is that INVITE. 0; or the request has been answered with
 * *status_out and no session made: 422 (Session-Expires under our minimum), 420/421 (100rel),
 * 503 (limit, memory), 400. */
int sip_session_incoming(struct sip_session **session_out, struct sip_stack *stack, struct sip_stx *tx,
			 const struct sip_msg *msg, const struct net_flow *flow, const struct sip_session_config *config,
			 const struct sip_session_ops *ops, void *arg, int *status_out);

struct sip_dial {
	struct net_flow flow;		/* from net_flow_to */
	struct span uri;		/* Request-URI */
	struct span from, to;		/* header values without tag: "\"Bob\" <sip:1@h>" */
	struct span extra;		/* further header lines, each with CRLF */
	struct span sdp;		/* offer; len 0 = late offer (then 100rel is not offered: the first SDP
					 * must come in the 2xx) */
	int max_forwards;
};
/* Send the INVITE. 0 or -errno (nothing sent, no session). 401/407 is answered once per realm, and
 * again where only the nonce was stale, when the config has a secret, 422 retried with the Min-SE asked for, 3xx reported through on_failed. */
int sip_session_dial(struct sip_session **session_out, struct sip_stack *stack, const struct sip_dial *dial,
		     const struct sip_session_config *config, const struct sip_session_ops *ops, void *arg);

/* ---- UAS: before the answer --------------------------------------------------------- */

/* 180, 181, 182, 183 toward the caller. `sdp` may be empty. Sent reliably when the caller supports 100rel and
 * the config allows (always if it requires); one at a time, later ones wait for PRACK (RFC 3262 3). */
int sip_session_progress(struct sip_session *s, int status, const char *phrase, struct span sdp);
/* 200, repeated until ACK. `sdp` is the answer, or the offer if the INVITE had none. When a reliable
 * provisional is unacknowledged and carried SDP, waits for its PRACK first. */
int sip_session_answer(struct sip_session *s, struct span sdp, struct span extra);
/* A final >= 300. `extra`: header lines (Reason, Retry-After, Contact of a 3xx). Over. */
void sip_session_refuse(struct sip_session *s, int status, const char *phrase, struct span extra);

/* ---- both ---------------------------------------------------------------------------- */

/* End it, whatever its state: CANCEL (waiting for a provisional if need be; a 2xx that crosses is ACKed and
 * BYEd), BYE (as UAS only once ACKed or timed out, RFC 3261 15), or 487 if an incoming one is unanswered.
 * `extra`: header lines for CANCEL or BYE, e.g. Reason. Over. */
void sip_session_end(struct sip_session *s, struct span extra);
/* ACK with the answer after on_answer / on_offer_result that carried an offer. */
int sip_session_ack(struct sip_session *s, struct span sdp);
/* Offer: re-INVITE (empty `sdp`: without body) or, when the peer allows UPDATE and the config too and `sdp`
 * is not empty, UPDATE; before the answer only UPDATE. 0; -EBUSY: an offer is under way in either direction (tell the
 * other side 491); -EOPNOTSUPP: the dialog is early and UPDATE not to be had; -ENOTCONN: over. */
int sip_session_offer(struct sip_session *s, struct span sdp);
/* Answer on_offer. `sdp`: the answer (or our offer to an empty re-INVITE). */
int sip_session_accept(struct sip_session *s, struct span sdp);
void sip_session_reject(struct sip_session *s, int status, struct span extra);
/* Another request in the dialog; the outcome comes with `cookie`. 0 or -errno. */
int sip_session_request(struct sip_session *s, struct span method, struct span extra, const char *content_type,
			struct span body, void *cookie);
/* Answer on_request; `tx` as given. */
void sip_session_respond(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *req, int status,
			 struct span extra, const char *content_type, struct span body);
void sip_session_release(struct sip_session **s);
/* The application/sdp body of any message, or that part of a multipart (RFC 5621); len 0 = none. */
struct span sip_body_sdp(const struct sip_msg *msg);

/* ---- looking ------------------------------------------------------------------------ */

struct span sip_session_call_id(const struct sip_session *s);
/* User-Agent or Server of the peer, as last seen; "" if never. */
const char *sip_session_peer_product(const struct sip_session *s);
const struct net_flow *sip_session_flow(const struct sip_session *s);
/* The peer's Allow lists this method (RFC 3261: no Allow = only the basic six). */
bool sip_session_peer_allows(const struct sip_session *s, enum sip_method method);
/* Confirmed: 2xx sent or received. */
bool sip_session_is_answered(const struct sip_session *s);
/* Session timer in force: seconds (0 = none) and whether we refresh. */
uint32_t sip_session_timer(const struct sip_session *s, bool *we_refresh);
/* How many things of the peer's or the user's went beyond a bound (early dialogs, queues) and were not done. */
uint32_t sip_session_dropped(const struct sip_session *s);

#endif
