/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of diag: what is known of each leg, and the rules that speak.
 *
 *   track.c      messages -> legs (by Call-ID), transactions (by hop, branch and CSeq), repeats told from tap duplicates
 *   leg.c        what every rule asks of a leg: answer, ACKs, BYEs, offers and answers
 *   streams.c    datagrams -> RTP and RTCP streams, T.38, DTMF; independent of any call
 *   join.c       streams to legs by the SDP of their time; legs of one call to each other
 *   rules_*.c    one function a cause, in the order of the decision (rules.c)
 *   say.c        sentences, evidence
 *   show.c       JSON and text */
#ifndef CAUSEWAY_DIAG_INT_H
#define CAUSEWAY_DIAG_INT_H

#include "diag/diag.h"
#include "sdp/sdp.h"

struct leg;
struct tx;

/* ---- messages ---------------------------------------------------------------------------------------- */

struct message {
	struct capture_where where;
	enum capture_transport transport;
	struct span bytes;		/* as they came */
	const struct sip_msg *sip;	/* parsed; NULL when `malformed` */
	const char *malformed;		/* the parser's word; NULL = fine */
	int status_for_it;		/* what the parser would refuse it with */
	struct tx *tx;
	struct message *repeats;	/* the first copy on this hop, when this is a retransmission */
	bool duplicate;			/* the tap's: the very same packet again, to be left out of all counting */
	struct sdp_view *sdp;		/* NULL = none */
};

/* An SDP as it counts for media. */
struct sdp_view {
	const struct sdp *sdp;		/* NULL: it cannot be read */
	const char *why;		/* then */
	struct message *message;
	bool answer;			/* to the offer before it */
};

/* ---- transactions ------------------------------------------------------------------------------------ */

/* One request and its answers between two addresses. */
struct tx {
	struct leg *leg;
	struct tx *next;		/* of the leg, by time of the first message */
	enum sip_method method;
	uint32_t cseq;
	struct span branch;
	union net_addr client, server;	/* the hop: who asked whom */
	bool indialog;			/* the request has a To tag */
	struct message **requests, **responses, **acks;	/* first copies and repeats; an INVITE's ACKs by branch, or for a 2xx by
							 * CSeq and tags on whatever hop */
	unsigned n_requests, n_responses, n_acks;
	uint64_t first_us, last_us;
};
/* The first final response (>= 200), or NULL; the first of a class (1..6). Tap duplicates are never returned. */
const struct message *tx_final(const struct tx *tx);
const struct message *tx_first(const struct tx *tx, unsigned status_from, unsigned status_to);
/* How often it was sent, tap duplicates left out. */
unsigned tx_sends(const struct tx *tx);
unsigned tx_response_sends(const struct tx *tx, const struct message *response);

/* ---- legs --------------------------------------------------------------------------------------------- */

struct media_line {			/* where one side wants to receive, and for how long that holds */
	struct leg *leg;
	struct message *message;	/* that said so */
	bool of_caller;			/* the side that sent the first INVITE */
	unsigned index;			/* m-line */
	const struct sdp_media *media;
	const struct sdp *sdp;
	union net_addr rtp, rtcp;	/* family 0 = no address that can be read (a name, port 0) */
	uint64_t from_us, to_us;
};

struct leg {
	struct leg *next;		/* by time */
	struct span call_id;
	struct message **messages;	/* by time */
	unsigned n_messages;
	struct tx *txs, *last_tx;
	bool registration;		/* REGISTER is what it is about */
	uint64_t first_us, last_us;
	struct media_line *lines;
	unsigned n_lines;
	struct stream *streams;		/* joined, by first packet */
	/* found by leg.c; NULL = none */
	struct tx *invite;		/* the first INVITE that the first hop carried; retries with credentials: the last of them */
	const struct message *answer;	/* its first 2xx */
	const struct message *ack;	/* of that */
	const struct tx *bye;		/* the first BYE */
	const struct tx *cancel;
	bool bye_by_caller;
	struct diag_case view;
};

/* ---- streams ------------------------------------------------------------------------------------------- */

enum stream_clock { CLOCK_8000, CLOCK_16000, CLOCK_48000, CLOCK_90000, STREAM_CLOCKS };

struct stream {				/* one SSRC on one 5-tuple */
	struct stream *next;		/* by first packet */
	union net_addr src, dst;
	uint32_t ssrc;
	uint8_t path, dscp;
	uint64_t first_frame, last_frame, first_us, last_us;
	uint64_t packets, payload_bytes;	/* unique ones */
	uint64_t expected, lost, out_of_order, duplicates;
	uint64_t lost_in_bursts;	/* of what was missing at first: in runs of 3 and more */
	uint64_t lost_with_all;		/* of what was missing at first: while no datagram of anybody's came */
	uint64_t by_pt[128], first_us_by_pt[128];
	uint16_t length;		/* of the first payload */
	uint64_t same_length;		/* packets as long */
	double jitter_us[STREAM_CLOCKS], jitter_max_us[STREAM_CLOCKS];	/* RFC 3550 6.4.1, for each clock that it may have */
	double transit_us[STREAM_CLOCKS];	/* arrival less timestamp, against the first packet's */
	double earliest_us[STREAM_CLOCKS];	/* of the quickest since the last pause */
	uint64_t late[STREAM_CLOCKS];	/* packets later than that by more than a usual buffer holds */
	double timestamps;		/* advance of the timestamp since the first packet, wraps undone */
	uint64_t longest_gap_us;	/* between packets, where the timestamp did not rest in between */
	uint64_t pauses;		/* silence left out: number goes on, timestamp jumps */
	uint64_t silent_packets;	/* payload of one value that G.711 plays as silence */
	uint64_t events;		/* RFC 4733: begun */
	uint64_t event_packets;
	uint32_t n_bytes_seen, distinct[8];	/* of the first payloads: how many bytes, and which values came */
	/* what the sequence is at */
	uint16_t sequence;
	uint32_t timestamp, event_timestamp, arrival_timestamp;
	uint64_t arrival_us;
	uint16_t last_ip_id;
	uint64_t window;		/* of the last 64 numbers those that came, newest in bit 0 */
	/* joined (join.c) */
	uint32_t clock;			/* 0 = unknown */
	struct leg *leg;		/* NULL = none */
	struct stream *leg_next;
	const struct media_line *line;	/* whose wish it meets; NULL = sent to where no SDP asked for it */
	bool to_caller;
};
/* What one side's RTCP says of itself and of the other. */
struct rtcp_view {
	struct rtcp_view *next;
	union net_addr src, dst;
	uint32_t ssrc, about;		/* about 0 = no report block */
	uint64_t first_us, last_us, reports;
	uint32_t sent_packets;		/* last sender report */
	int32_t lost;			/* cumulative, of `about`, as heard last */
	uint8_t fraction_max;		/* of 256 */
	uint32_t jitter_max;		/* in `about`'s clock */
};
/* Any other UDP between two addresses: T.38, DTLS, STUN, noise. */
struct other_flow {
	struct other_flow *next;
	union net_addr src, dst;
	uint64_t first_frame, first_us, last_us, packets;
	uint64_t stun, dtls;
};
struct rtp_streams;
int rtp_streams_new(struct rtp_streams **out);
void rtp_streams_free(struct rtp_streams **streams);
/* A datagram that is no SIP. */
void rtp_streams_datagram(struct rtp_streams *streams, const struct capture_where *where, struct span payload, uint32_t length);
/* Those with at least 4 packets in sequence; afterwards no more datagrams. */
struct stream *rtp_streams_first(struct rtp_streams *streams);
const struct rtcp_view *rtp_streams_rtcp(const struct rtp_streams *streams);
const struct other_flow *rtp_streams_others(const struct rtp_streams *streams);

/* ---- the engine ------------------------------------------------------------------------------------------ */

struct icmp_note {
	struct icmp_note *next;
	struct capture_where where;
	struct capture_icmp said;	/* payload copied */
};
struct tcp_note {			/* SYN, RST, FIN, TLS alert of connections that may carry SIP */
	struct tcp_note *next;
	struct capture_where where;
	enum capture_tcp_kind kind;
	int value, detail;
};

/* hosts.c: what a host began and sent. */
struct host {
	union net_addr addr;		/* the port is nobody's */
	uint64_t first_us;
	struct leg **legs;		/* whose first message it sent, by time */
	struct message **heard;		/* all that it sent, leg by leg */
	unsigned n_legs, n_heard;
};

struct diag {
	struct arena *arena;
	struct hash_table hosts, txs;
	struct capture_report report;
	bool live;			/* our own trace: nothing is missing */
	struct leg *legs, *last_leg;
	struct hash_table by_call_id;
	struct hash_key key;
	struct rtp_streams *streams;
	struct icmp_note *icmps;	/* newest first until diag_finish, then by time */
	struct tcp_note *tcps;
	struct h323_call *h323_calls;
	struct ras_refusal *ras_refusals;
	unsigned n_cases;
	const struct diag_case **cases;
	unsigned n_stream_views;
	struct diag_stream_view *stream_views;
};

/* track.c */
void track_sip(struct diag *d, const struct capture_where *where, enum capture_transport transport, struct span message);
void track_finish(struct diag *d);
/* h323.c. h323_finish: how many cases there are; into `cases` unless that is NULL. */
void h323_tpkt(struct diag *d, const struct capture_where *where, struct span bytes);
void h323_datagram(struct diag *d, const struct capture_where *where, struct span bytes);
unsigned h323_finish(struct diag *d, const struct diag_case **cases);
/* connect.c: connections that failed before a word of SIP; as h323_finish. */
unsigned connect_finish(struct diag *d, const struct diag_case **cases);
/* hosts.c. NULL: it sent nothing. host_legs_from: index of its first leg at that time or later. */
void hosts_finish(struct diag *d);
/* One more in an array of pointers in the arena; false without memory. */
bool diag_push(struct diag *d, void ***array, unsigned *n, void *what);
const struct host *host_find(const struct diag *d, const union net_addr *a);
unsigned host_legs_from(const struct host *host, uint64_t utc_us);
/* leg.c */
void leg_finish(struct diag *d, struct leg *leg);
/* join.c */
void join_streams(struct diag *d);
void join_legs(struct diag *d);

/* ---- rules ------------------------------------------------------------------------------------------------ */

/* A rule looks at a leg and speaks, or does not. Those of one list are asked in order; the first that speaks with confidence of at
 * least 0.5 is the cause, the others are "also seen" unless the cause explains them. */
typedef bool diag_rule(struct diag *d, struct leg *leg, struct diag_verdict *out);
void rules_judge(struct diag *d, struct leg *leg);
extern diag_rule *const rules_capture[], *const rules_security[], *const rules_agreement[], *const rules_others[], *const rules_transport[], *const rules_setup[],
	*const rules_dialog[], *const rules_media[], *const rules_registration[], *const rules_outcome[];	/* NULL ends each */

/* show.c */
void show_verdict(const struct diag_verdict *v, struct buf *out);

/* say.c: texts in the arena; never NULL (empty without memory) */
const char *say(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void evidence(struct diag *d, struct diag_verdict *v, const struct message *m, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* "198.51.100.7:5060"; "12.3 s" */
const char *say_addr(struct diag *d, const union net_addr *a);
const char *say_host(struct diag *d, const union net_addr *a);
const char *say_time(struct diag *d, uint64_t us);

/* auth.c. A parameter of a challenge or of credentials; len 0 = none. */
struct span auth_param(struct span value, const char *name);
struct span auth_credentials(const struct message *m);
struct span auth_challenge(const struct message *m);
/* `request` came after `challenge` (NULL = none was seen) and was refused by `outcome`: what is wrong with it? */
enum auth_finding { AUTH_NONE_GIVEN, AUTH_UNCLEAR, AUTH_WRONG, AUTH_OTHER_REALM, AUTH_STALE, AUTH_OLD_NONCE, AUTH_OTHER_ALGORITHM };
enum auth_finding auth_judge(const struct message *challenge, const struct message *request, const struct message *outcome);

/* media.c. Audio lines; WAY bits are the line's own view. */
enum media_way { WAY_NONE, WAY_SEND, WAY_RECEIVE, WAY_BOTH };
enum media_way media_way_of(const struct media_line *line);
bool is_audio(const struct media_line *line);
const struct media_line *line_of(const struct leg *leg, bool of_caller, uint64_t at_us);	/* NULL = none then */
const struct media_line *answer_line(const struct leg *leg, bool of_caller);	/* once the first answer is complete */
bool line_lists(const struct media_line *line, unsigned pt);
bool line_maps(const struct media_line *line, const char *codec, uint8_t *pt_out);
struct heard {				/* all audio of a call in one direction */
	uint64_t packets, first_us, last_us;
	unsigned streams;
	const struct stream *main;	/* the largest */
};
void media_look(const struct leg *leg, bool to_caller, struct heard *out);
bool media_was_captured(const struct diag *d);
uint32_t media_claimed(const struct diag *d, const struct media_line *sender, const struct media_line *receiver);

/* words.c: what a response says in its phrase, Warning and Reason. */
bool says(const struct message *m, const char *const *parts);	/* any of them, NULL ends; case does not count */
bool says_word(struct span text, const char *part);
const char *quote(struct diag *d, const struct message *m);	/* "503 Busy; Reason: Q.850;cause=34" */
extern const char *const words_dns[], *const words_cli[], *const words_money[];

/* ---- what rules ask often (leg.c) ------------------------------------------------------------------------- */

#define T1_US (500 * MSEC)
/* Does the capture go on for `us` after `from_us`? (Nothing may be called missing otherwise.) */
bool capture_covers(const struct diag *d, uint64_t from_us, uint64_t us);
bool is_private(const union net_addr *a);	/* RFC 1918, 6598, loopback, link-local, ULA */
/* Any packet of `from` for `to` in this time? SIP alone. */
bool was_heard(const struct diag *d, const union net_addr *from, const union net_addr *to, uint64_t after_us, uint64_t before_us);
const struct icmp_note *icmp_about(const struct diag *d, const union net_addr *dst, uint64_t after_us, uint64_t before_us);

#endif
