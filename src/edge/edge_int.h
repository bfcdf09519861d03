/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of edge. */
#ifndef CAUSEWAY_EDGE_INT_H
#define CAUSEWAY_EDGE_INT_H

#include "edge/edge.h"
#include "edge/edge_sdp.h"

#define EDGE_REDIRECTS_MAX 5
#define EDGE_HEADERS_MAX 4096	/* bytes of headers passed on */

struct challenges;
struct sources;
struct register_log;
struct outbounds;
struct probes;
struct keepalive;
struct reach;

struct edge {
	struct edge_config config;
	struct sip_stack *stack;
	struct sip_timers timers;
	struct sip_digest_server *digest;
	uint64_t nonce_life_us;		/* what `digest` was made with */
	struct challenges *challenges;	/* sent, not yet answered */
	struct sources *sources;	/* refused; NULL: not kept */
	struct probes *probes;		/* gateways asked by OPTIONS */
	struct outbounds *outbounds;	/* our registrations at vendors: worker 0 alone */
	struct keepalive *keepalive;	/* for devices behind a NAT: worker 0 alone */
	struct reach *reach;		/* do registered devices answer: worker 0 alone */
	struct register_log *register_log;	/* REGISTER requests remembered */
	struct arena *scratch;		/* for one upcall */
	uint64_t chance;		/* a row of random numbers: whom a call may be given by chance is no secret */
};

struct sip_leg {
	struct leg base;
	struct edge *edge;
	bool callee_side;
	bool invite_pending;		/* A leg: the INVITE has neither session nor final answer */
	struct sip_session *session;
	struct sip_stx *tx;		/* A leg, while invite_pending */
	const struct sip_msg *invite;	/* A leg: lent, during on_invite only */
	struct call_arrival *arrival;	/* the same */
	struct net_flow flow;		/* the peer, as first seen or dialled */
	const struct model_sip *sip;	/* how this side behaves; in the call's snapshot */
	uint64_t sdp_id, sdp_version;	/* our o= line toward this side */
	uint64_t sdp_hash;		/* of the description written last, but for o=; 0 none */
	bool natted;			/* a phone whose Contact is not where it is */
	struct dial *dial;		/* B leg until its answer */
	char *number_out, *caller_out;	/* B leg: as sent */
};

/* edge.c: the record of an INVITE that never became a call. */
void edge_record_refusal(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow, enum end_code code,
			 int status, const char *text);

/* edge_leg.c */
extern const struct leg_ops edge_leg_ops;
extern const struct sip_session_ops edge_session_ops;
struct sip_leg *edge_leg_new(struct edge *edge, bool callee_side);
void edge_leg_free(struct sip_leg *leg);
void edge_session_config(const struct sip_leg *leg, const struct model_params *params, const struct model_routing *gateway,
			 struct sip_session_config *out);
/* What a response or local failure means, as a call_end whose spans borrow from the message. */
void edge_end_of(const struct sip_leg *leg, const struct sip_event *ev, struct call_end *out);
/* "Reason: Q.850;cause=16\r\n" and, for refusals, Retry-After, into dst; borrowed result. */
struct span edge_end_headers(const struct call_end *end, bool refusal, bool named, char *dst, size_t size);
/* SDP of `media` as we say it to `leg`, in the scratch arena's buffer; len 0 on failure. */
struct span edge_write_sdp(struct sip_leg *leg, const struct media_desc *media, struct buf *out);
/* Keep what both sides' codec lists allow; false if no audio codec is left. */
bool edge_restrict(const struct sip_leg *leg, struct media_desc *media);

/* edge_headers.c: the caller's headers that may pass at all and that his side's list names, as lines in `arena`. */
struct span edge_headers_collect(struct arena *arena, const struct sip_msg *invite, const char *list);

/* Does a phone's Contact name another address than the one it is at? */
bool edge_is_natted(struct span contact, const struct net_flow *flow);

/* edge_identity.c */
/* The user part of a SIP URI or the number of a tel URI, unescaped into dst; SPAN_NONE if there is none or it
 * cannot be a number. */
struct span edge_number_of(struct span uri, char *dst, size_t size);
/* Identities, privacy and diversions of an INVITE, into the arena. */
void edge_identity_read(struct arena *arena, const struct sip_msg *msg, struct call_arrival *arrival);
/* The numbers from where the caller's gateway wants them read, if it does. */
void edge_numbers_read(struct edge *edge, const struct sip_msg *msg, struct call_arrival *arrival);
/* What one side is shown of the caller. Borrowed. */
struct edge_shown {
	const struct model_sip *sip;	/* the side's */
	const struct call_numbers *numbers;
	const char *caller, *host;	/* the number; the host that it stands at, brackets included */
	const char *diverted;		/* number that stands for who diverted the call; NULL = his own */
	bool vouched;			/* the number is known to be the caller's */
};
/* He asked for privacy, and the side is not trusted with it. */
bool edge_caller_is_hidden(const struct edge_shown *shown);
void edge_from_write(const struct edge_shown *shown, struct buf *out);
/* P-Asserted-Identity and the others, as lines. */
void edge_identity_write(const struct edge_shown *shown, struct buf *out);
/* edge_headers.c: of the lines of edge_headers_collect those that this side's list names and that may pass to it. */
void edge_headers_add(struct buf *out, struct span lines, const struct edge_shown *shown);

/* edge_dial.c */
struct dial;
int edge_dial(struct sip_leg *leg, const struct route_candidate *candidate, const struct media_desc *offer);
bool edge_retarget(struct sip_leg *leg, struct call_end *end);
/* The session toward the present target failed: next target or redirect (true: under way), or give up. */
bool edge_dial_failed(struct sip_leg *leg, const struct sip_event *ev);
void edge_dial_free(struct dial **dial);
/* Escape what may not stand in the user part of a URI (RFC 3261 25.1). */
size_t edge_escape_user(const char *user, char *dst, size_t size);

/* edge_lrn.c: a call_host's dip_start and dip_stop. */
struct dip *edge_dip_start(void *edge, struct call *call, const char *number, const char **why_out);
void edge_dip_stop(struct dip **dip);
#define EDGE_LRN_TEXT 40
/* The routing number in a Contact, without what divides it, or "" when it names the called number alone. 0, or -EBADMSG:
 * it names no number. */
int edge_lrn_read(struct span contact, char dst[EDGE_LRN_TEXT]);
/* edge_trace.c: the time for edge_trace_dialled, taken before the INVITE goes out; 0 = nothing is traced. */
uint64_t edge_trace_now(const struct edge *edge);
void edge_trace_dialled(struct sip_leg *leg, uint64_t utc_us);

/* edge_invite.c */
void edge_on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
/* Credentials in a request: what user they claim, and what they prove. */
struct edge_proof {
	struct span claim;		/* "" = no credentials for our realm */
	bool proven, stale;
	const char *wrong;		/* why they do not do; NULL = nothing is wrong with them */
	uint64_t suspended_us;		/* for how long yet; 0 = not */
};
/* A user who is suspended at this source has proven nothing and is not looked at. */
void edge_check_credentials(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow,
			    struct edge_proof *out);
void edge_challenge(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg, bool stale);
/* edge_challenge.c: how requests are challenged, and INVITEs that have not come back. */
/* The status that challenges such a request; and is that the way of a proxy (407)? */
int edge_challenge_status(const struct edge *edge, const struct sip_msg *msg);
bool edge_asks_as_proxy(const struct edge *edge, const struct sip_msg *msg);
/* 0 or -ENOMEM. */
int edge_challenges_new(struct challenges **out, struct edge *edge);
void edge_challenges_free(struct challenges **challenges);
/* It was challenged, `before` times already. */
void edge_challenge_sent(struct challenges *all, const struct sip_msg *msg, const struct net_flow *flow,
			 const struct admit_result *asked, unsigned before);
/* How often the call that waits under this Call-ID has been challenged; 0: none waits. */
unsigned edge_challenge_count(const struct challenges *all, struct span call_id);
/* An INVITE with credentials came, good or bad, or the call ends otherwise. */
void edge_challenge_returned(struct challenges *all, struct span call_id);
/* Record what still waits. */
void edge_challenges_settle(struct challenges *all);
/* edge_source.c: sources that were refused or are not known. 0 or -ENOMEM. */
int edge_sources_new(struct sources **out);
void edge_sources_free(struct sources **sources);
struct edge_refused {
	struct span method, user, caller, callee, product;	/* what is known of the request */
	enum end_code code;
	int status;			/* answered; 0 = dropped */
	const char *text;
};
void edge_source_note(struct edge *edge, const struct net_flow *flow, const struct edge_refused *what);
/* The same with what a request says; `msg` may be half decoded or NULL. */
void edge_source_refused(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow, enum end_code code,
			 int status, const char *text);
/* A request is dropped without an answer, so no transaction absorbs its repeats: is this one, of the same Via and Call-ID?
 * From now on it would be. Of those dropped in between it forgets some when they are thousands. */
bool edge_source_repeats(struct edge *edge, const struct sip_msg *msg);
/* A request that is no call was answered so: noted if nobody who is known sends from there. */
void edge_source_asks(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow, int status);
/* Does this end code speak of who asks, and not of what is asked? */
bool edge_source_is_meant(enum end_code code);
/* edge_request.c */
void edge_on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);
/* edge_register_log.c. 0 or -ENOMEM. */
int edge_register_log_new(struct register_log **out);
void edge_register_log_free(struct register_log **log);
/* edge_keepalive.c. 0 or -ENOMEM. */
int edge_keepalive_new(struct keepalive **out, struct edge *edge);
void edge_keepalive_free(struct keepalive **keepalive);
/* The parameters may be others. */
void edge_keepalive_refresh(struct keepalive *k);
/* Place `i` of phones, mapping and routing gateways, one after the other; NULL behind the last. */
struct load *edge_device(const struct model *m, unsigned i);
/* edge_reach.c. 0 or -ENOMEM. */
int edge_reach_new(struct reach **out, struct edge *edge);
void edge_reach_free(struct reach **reach);
/* The parameters may be others. */
void edge_reach_refresh(struct reach *r);
/* edge_probe.c. 0 or -ENOMEM. */
int edge_probes_new(struct probes **out, struct edge *edge);
void edge_probes_free(struct probes **probes);
/* The host took another snapshot. */
void edge_probes_refresh(struct probes *all);
/* edge_outbound.c. 0 or -ENOMEM. */
int edge_outbounds_new(struct outbounds **out, struct edge *edge);
void edge_outbounds_free(struct outbounds **outbounds);
/* The snapshot is another one. */
void edge_outbound_sync(struct outbounds *all);
/* edge_registrar.c */
/* Does a REGISTER name, in its credentials or in To, somebody who may register? */
bool edge_registrant_asks(const struct model *m, const struct sip_msg *msg);
void edge_register(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow);

#endif
