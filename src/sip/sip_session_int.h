/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the INVITE session. Its files:
 *
 *   sip_session.c         birth, death, dispatch of what comes within the dialog, the public odds and ends
 *   sip_session_dialog.c  remote target, route set, where requests go (RFC 3261 12)
 *   sip_session_write.c   header lines that all our messages share; the SDP part of a body
 *   sip_session_request.c requests within the dialog other than INVITE; digest as client
 *   sip_session_uac.c     INVITE as client: forks, 2xx and ACK, retries
 *   sip_session_uas.c     INVITE as server: 18x, PRACK, 2xx until ACK
 *   sip_session_offer.c   offers after the first: re-INVITE, UPDATE, glare
 *   sip_session_timer.c   RFC 4028
 *
 * What a quiet answered session needs lies in `struct sip_session` and one `struct sip_dlg`; what
 * belongs to a transaction (INVITE either way, requests, offers) is allocated for its time only.
 *
 * Life: every entry from outside (stack upcall, timer, public function) runs between sip_ses_enter
 * and sip_ses_leave. An upcall may release the session; the memory stays until the outermost
 * leave, and beyond while transactions of it run. So code after an upcall may look at the session
 * but must ask `over` before it does more. */
#ifndef CAUSEWAY_SIP_SESSION_INT_H
#define CAUSEWAY_SIP_SESSION_INT_H

#include "sip/sip_digest.h"
#include "sip/sip_resolve.h"
#include "sip/sip_session.h"

#define SES_DIALOGS_MAX 8	/* early dialogs of one INVITE */
#define SES_QUEUE_MAX 16	/* requests, provisionals: of each kind */
#define SES_ROUTES_MAX 32
#define SES_STRING_MAX 4096	/* a route set, a URI, an address: what we keep of a peer's words */
#define SES_HEAD_BYTES 1536	/* room for the header lines of our own making */
#define SES_GLARE_TRIES 3

/* RFC 4028 4: no session interval under 90 s. A variable so that tests need not wait. */
extern uint32_t sip_ses_min_se_floor;
/* RFC 3261 14.1: 10 ms. Likewise. */
extern uint64_t sip_ses_glare_unit_us;

/* RFC 3264 / 6337: whose offer awaits an answer. */
enum sip_oa { SIP_OA_IDLE, SIP_OA_LOCAL, SIP_OA_REMOTE };

/* An owned string, exactly as long as it must be. */
struct sip_text {
	char *p;
	size_t len;
};

/* ---- dialog --------------------------------------------------------------------------- */

struct sip_dlg {
	struct list node;		/* sip_session.dialogs */
	struct sip_session *s;
	char *strings;			/* one allocation: remote, routes */
	struct span remote;		/* their From or To value, tag included */
	struct span remote_tag;		/* within it */
	struct span routes;		/* as a Route value, in sending order; len 0 = none */
	struct sip_text target;		/* their Contact's URI */
	struct net_flow flow;		/* where requests go */
	struct sip_resolve *resolve;	/* being asked; requests wait */
	uint64_t hop;			/* hash of the next hop's URI, so that it is not asked again */
	uint32_t remote_cseq;		/* 0 = none yet */
	uint32_t rseq;			/* last reliable provisional of theirs, 0 = none */
	uint16_t first_route;		/* length of the first route */
	uint8_t oa;			/* enum sip_oa */
	bool strict;			/* the first route has no lr */
	bool preview;			/* SDP came in an unreliable provisional */
};

/* ---- digest as client ----------------------------------------------------------------- */

struct sip_auth {
	struct {
		struct net_buf *challenge;
		uint32_t nc;
	} realm[2];			/* a proxy's and the far end's */
	unsigned n;
	unsigned answered;		/* challenges */
	struct sip_text lines;		/* as last written: the ACK repeats them (RFC 3261 13.2.2.4) */
};

/* ---- INVITE as client ----------------------------------------------------------------- */

struct sip_uac_invite {
	struct list node;		/* sip_session.uac_invites */
	struct sip_session *s;
	struct sip_ctx *ctx;		/* NULL: not sent yet, or over */
	uint32_t cseq;
	bool initial;
	bool offered;			/* it carries SDP */
	bool waiting;			/* for the flow to be resolved */
	bool answered;			/* a 2xx came */
	bool acked, ack_waiting;
	bool trying;			/* on_trying has been told */
	bool anew;			/* sent over a new connection already */
	unsigned tries_422;
	struct sip_auth auth;
	struct sip_text ack_sdp;
	/* of the initial one, until its 2xx: */
	char *strings;
	struct span uri, to, extra, sdp;
	struct net_flow flow;
	int max_forwards;
};

/* ---- INVITE as server ----------------------------------------------------------------- */

struct sip_timer_ask {			/* RFC 4028 in a request */
	uint32_t expires, min_se;	/* 0 = not there */
	char refresher;			/* 'a', 's', 0 */
	bool supported;
};

struct sip_uas_18x {			/* a provisional that waits for its turn */
	struct list node;
	int status;
	struct sip_text phrase, sdp;
};

struct sip_uas_invite {
	struct list node;		/* sip_session.uas_invites */
	struct sip_session *s;
	struct sip_stx *tx;
	uint32_t cseq;
	bool initial;
	bool offered;			/* it carried SDP */
	bool reliable;			/* provisionals go reliably */
	bool strict_100rel;		/* it said Require: 100rel */
	bool finished;			/* 2xx sent: awaiting ACK */
	bool our_offer;			/* and the 2xx carried our offer */
	bool answering;			/* sip_session_answer waits for PRACK */
	/* One timer: repeats a reliable 18x, then the 2xx; between them keeps proxies awake. */
	struct timer timer;
	uint64_t interval_us, until_us;
	struct net_buf *repeat;		/* the reliable 18x or the 2xx */
	uint32_t rseq;
	bool unacked, unacked_sdp;	/* a reliable 18x has no PRACK yet; it carried SDP */
	unsigned n_queue;
	struct list queue;		/* struct sip_uas_18x */
	int last_status;
	struct sip_text last_phrase;
	struct sip_text answer_sdp, answer_extra;
};

/* ---- requests within the dialog ------------------------------------------------------- */

enum sip_ses_purpose { SES_BYE, SES_PRACK, SES_OFFER, SES_USER };

struct sip_ses_request {
	struct list node;		/* sip_session.requests */
	struct sip_session *s;
	struct sip_dlg *d;
	struct sip_ctx *ctx;		/* NULL = waits for the flow */
	enum sip_ses_purpose purpose;
	enum sip_method method;
	bool anew;			/* sent over a new connection already */
	void *cookie;
	char *strings;
	struct span name, extra, type, body;
	struct sip_auth auth;
};

struct sip_ses_incoming {		/* a request that the user has to answer */
	struct list node;
	struct sip_stx *tx;
};

/* ---- our offer (or refresh) ----------------------------------------------------------- */

struct sip_ses_offer {
	struct sip_session *s;
	struct sip_text sdp;		/* len 0: re-INVITE without, or UPDATE as refresh */
	struct timer timer;		/* glare: waits to try again */
	unsigned tries;
	bool refresh;			/* RFC 4028; the user knows nothing of it */
	bool update;			/* by UPDATE */
	bool await_ack;			/* their offer came in the 2xx; sip_session_ack is due */
	bool sending;
};

enum sip_peer_offer { PEER_OFFER_NONE, PEER_OFFER_INVITE, PEER_OFFER_UPDATE, PEER_OFFER_PRACK };

/* ---- the session ---------------------------------------------------------------------- */

struct sip_session {
	struct sip_stack *stack;
	const struct sip_session_ops *ops;
	void *arg;
	struct sip_session_config config;
	char *strings;			/* one allocation: call_id, local, user, password */
	struct span call_id;
	struct span local;		/* our From or To value, tag included */
	struct sip_dlg *dialog;		/* the current one; NULL = none yet */
	struct list dialogs;
	struct list uac_invites, uas_invites;
	struct list requests, incoming;
	struct sip_uac_invite *invite_out;	/* the one without final response */
	struct sip_uas_invite *invite_in;	/* likewise */
	struct sip_ses_offer *offer;
	struct sip_stx *peer_tx;	/* UPDATE or PRACK whose offer awaits our answer */
	struct sip_text sent_sdp;	/* our side of the agreed session */
	uint64_t seen_sdp;		/* hash of theirs; 0 = none */
	uint64_t offered_sdp;		/* hash of the offer that awaits our answer */
	char *product;
	char *end_extra;		/* header lines for the BYE that waits */
	struct timer timer;		/* session timer */
	uint64_t expires_at_us;
	uint32_t expires_s;		/* in force; 0 = none */
	uint32_t ask_expires_s;		/* what we ask for (raised by 422) */
	uint32_t ask_min_se_s;
	uint32_t cseq;
	uint32_t peer_allow;		/* bits by enum sip_method */
	uint32_t dropped;		/* things beyond a bound */
	uint16_t hold;
	uint16_t n_requests, n_incoming, n_dialogs;
	uint8_t peer_offer;		/* enum sip_peer_offer */
	char tag[SIP_TAG_LEN + 1];
	bool uac;			/* we sent the INVITE: the Call-ID is ours (14.1) */
	bool confirmed;
	bool over;			/* no more upcalls */
	bool released;
	bool bye_sent, bye_wanted;
	bool we_refresh;
	bool refresh_refused;
	bool no_update;			/* they said 405 or 501 to one */
};

static inline struct loop *sip_ses_loop(const struct sip_session *s)
{
	return sip_stack_config(s->stack)->loop;
}
static inline const struct sip_timers *sip_ses_timers(const struct sip_session *s)
{
	return sip_stack_config(s->stack)->timers;
}
static inline struct span sip_text_span(struct sip_text t)
{
	return (struct span){ t.p, t.len };
}
/* 0 or -ENOMEM (then *t is as before). */
int sip_text_set(struct sip_text *t, struct span value);
void sip_text_free(struct sip_text *t);

/* Tell the user, unless it is over. Lend nothing that the upcall could free. */
#define SES_TELL(s, op, ...) \
	do { \
		if (!(s)->over && (s)->ops->op) \
			(s)->ops->op((s)->arg, (s), __VA_ARGS__); \
	} while (0)

/* sip_session.c */
struct sip_session *sip_ses_new(struct sip_stack *stack, const struct sip_session_config *config,
				const struct sip_session_ops *ops, void *arg, int *err_out);
/* `local`: our address; the tag is added. */
int sip_ses_set_strings(struct sip_session *s, struct span call_id, struct span local);
void sip_ses_destroy(struct sip_session *s);
void sip_ses_enter(struct sip_session *s);
void sip_ses_leave(struct sip_session *s);
/* Over: timers stop, what waits for our answer gets 487. No upcall. */
void sip_ses_finish(struct sip_session *s);
/* sip_ses_finish, BYE if `bye`, and on_ended. `reason`: value of a Reason header or NULL. */
void sip_ses_end(struct sip_session *s, enum sip_end end, const char *text, bool bye, const char *reason,
		 const struct sip_event *about);
/* BYE now, or after the ACK (15). */
void sip_ses_bye(struct sip_session *s, struct span extra);
/* User-Agent or Server, Allow, Supported of theirs. */
void sip_ses_note_peer(struct sip_session *s, const struct sip_msg *msg);
struct sip_event sip_ses_event(const struct sip_msg *msg, const struct net_flow *flow);

/* sip_session_dialog.c */
/* From the INVITE (as UAS) or a response to ours. NULL: no memory, or not to be kept. */
struct sip_dlg *sip_dlg_new(struct sip_session *s, const struct sip_msg *msg, const struct net_flow *flow);
void sip_dlg_free(struct sip_dlg *d);
struct sip_dlg *sip_dlg_find(const struct sip_session *s, struct span remote_tag);
/* Route set and target from a 2xx (13.2.2.4). 0 or -errno. */
int sip_dlg_learn(struct sip_dlg *d, const struct sip_msg *msg, const struct net_flow *flow);
/* Contact's URI of a message, SPAN_NONE if there is none that can be used. */
struct span sip_dlg_contact(const struct sip_msg *msg);
/* Target refresh (12.2.1.2, 12.2.2). */
void sip_dlg_retarget(struct sip_dlg *d, struct span uri);
/* A message of the dialog came along `flow`. */
void sip_dlg_heard(struct sip_dlg *d, const struct net_flow *flow);
/* The connection of d->flow is gone: open another. 0 or -errno. */
int sip_dlg_reconnect(struct sip_dlg *d);
/* Request line to CSeq. `ctx` NULL: an ACK. */
void sip_dlg_write_head(struct sip_writer *w, const struct sip_dlg *d, const struct sip_ctx *ctx, struct span method,
			uint32_t cseq);
struct span sip_dlg_request_uri(const struct sip_dlg *d);
size_t sip_dlg_size(const struct sip_dlg *d);

/* sip_session_write.c */
void sip_ses_write_contact(struct sip_writer *w, const struct sip_session *s, const struct net_flow *flow);
void sip_ses_write_allow(struct sip_writer *w, const struct sip_session *s);
/* Supported, with 100rel if `rel` and the config has it. */
void sip_ses_write_supported(struct sip_writer *w, const struct sip_session *s, bool rel);
void sip_ses_write_product(struct sip_writer *w, const struct sip_session *s, bool response);
/* The value of the first such line among header lines; SPAN_NONE. */
struct span sip_ses_find_line(struct span lines, const char *name);
/* Tells one SDP from another; 0 for none. */
uint64_t sip_ses_hash_sdp(struct span sdp);
/* Remember what they have sent, if it is not empty. */
void sip_ses_seen_sdp(struct sip_session *s, struct span sdp);
/* Remember what we have sent. */
void sip_ses_sent_sdp(struct sip_session *s, struct span sdp);
/* A response to a request within the dialog, other than INVITE's 1xx and 2xx. */
void sip_ses_reply(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *req, int status,
		   struct span extra, const char *type, struct span body);

/* sip_session_request.c */
/* 0 or -errno; on -errno nothing was sent. */
int sip_ses_send_request(struct sip_session *s, struct sip_dlg *d, enum sip_ses_purpose purpose, struct span name,
			 struct span extra, const char *type, struct span body, void *cookie);
void sip_ses_request_free(struct sip_ses_request *r);
void sip_ses_requests_of_dialog_free(struct sip_session *s, struct sip_dlg *d);
/* The flow of `d` is known now. */
void sip_ses_requests_resume(struct sip_session *s, struct sip_dlg *d);
/* Challenged: 0 = try again, the lines will be written; else -errno: give up, -E2BIG as it was one too many. */
int sip_auth_challenge(struct sip_auth *a, const struct sip_session *s, const struct sip_msg *msg);
void sip_auth_write(struct sip_auth *a, const struct sip_session *s, struct sip_writer *w, struct span method,
		    struct span uri);
size_t sip_auth_size(const struct sip_auth *a);
void sip_auth_free(struct sip_auth *a);

/* sip_session_uac.c */
/* Sends s->offer as re-INVITE. 0 or -errno. */
int sip_uac_reinvite(struct sip_session *s);
void sip_uac_invite_free(struct sip_uac_invite *inv);
void sip_uac_resume(struct sip_session *s, struct sip_dlg *d);
/* Cancel the INVITE that has no final response. */
void sip_uac_cancel(struct sip_session *s, struct span extra);
/* ACK the 2xx that still waits for it. -ENOENT: none does. */
int sip_uac_ack(struct sip_session *s, struct span sdp);

/* sip_session_uas.c */
void sip_uas_invite_free(struct sip_uas_invite *inv);
/* The record of an INVITE just come; it becomes s->invite_in. NULL: no memory. */
struct sip_uas_invite *sip_uas_invite_new(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg);
/* An INVITE of theirs has no final response, or its 2xx no ACK. */
bool sip_uas_busy(const struct sip_session *s);
/* They hung up: our 2xx needs no repeating any more. */
void sip_uas_quiet(struct sip_session *s);
int sip_uas_accept(struct sip_uas_invite *inv, struct span sdp, struct span extra);
void sip_uas_refuse(struct sip_uas_invite *inv, int status, const char *phrase, struct span extra);
void sip_uas_ack(struct sip_session *s, const struct sip_msg *msg, const struct net_flow *flow);
void sip_uas_prack(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
/* After PRACK or its offer was answered: what waits goes on. */
void sip_uas_continue(struct sip_session *s);
/* The initial 2xx has no ACK yet. */
bool sip_uas_unacked(const struct sip_session *s);

/* sip_session_offer.c */
void sip_offer_reinvite_in(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx, const struct sip_msg *msg,
			   const struct net_flow *flow);
void sip_offer_update_in(struct sip_session *s, struct sip_dlg *d, struct sip_stx *tx, const struct sip_msg *msg,
			 const struct net_flow *flow);
/* The PRACK carried an offer. */
void sip_offer_prack_in(struct sip_session *s, struct sip_stx *tx, const struct sip_msg *msg,
			const struct net_flow *flow, struct span sdp);
/* The re-INVITE with their offer was cancelled. */
void sip_offer_withdrawn(struct sip_session *s);
/* Outcome of s->offer's re-INVITE or UPDATE. */
void sip_offer_done(struct sip_session *s, const struct sip_event *ev);
/* RFC 4028: refresh now. 0 or -errno. */
int sip_offer_refresh(struct sip_session *s);
void sip_offer_free(struct sip_session *s);
/* 481, 408 or nothing at all to a request in the dialog (12.2.1.2): true = it is over now. */
bool sip_ses_gone(struct sip_session *s, const struct sip_event *ev);

/* sip_session_timer.c */
void sip_ses_timer_init(struct sip_session *s);
/* What a request asks for: 0, 400, or 422 with the Min-SE line in `extra`. */
int sip_ses_timer_ask(const struct sip_session_config *config, const struct sip_msg *msg, struct sip_timer_ask *ask);
uint32_t sip_ses_timer_min(const struct sip_session_config *config);
void sip_ses_timer_write_request(struct sip_writer *w, const struct sip_session *s, bool initial);
/* As UAS: decide, write into the 2xx, start. */
void sip_ses_timer_grant(struct sip_session *s, const struct sip_timer_ask *ask, struct sip_writer *w);
/* As UAC: what the 2xx says. */
void sip_ses_timer_granted(struct sip_session *s, const struct sip_msg *msg);
/* A 422 came: true = ask for more now. */
bool sip_ses_timer_raise(struct sip_session *s, const struct sip_msg *msg);
void sip_ses_timer_stop(struct sip_session *s);

#endif
