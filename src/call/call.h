/* SPDX-License-Identifier: GPL-3.0-or-later */
/* call: owns the life and death of every call: two legs, the step table, the attempts, the record.
 * Knows verbs, not protocols: a leg is something that can be dialled, rung, answered, offered to
 * and released; SIP and H.323 are known at the edge only.
 *
 * The way of a call (see steps in call.c): a leg arrives (call_incoming) -> admit -> route -> dial the first
 * candidate -> trying, progress, ringing -> answer -> talk -> over. A failed attempt asks the
 * plan for the next one. Each step has its stage timer; one function changes steps. All of a call
 * happens on its worker's thread. */
#ifndef CAUSEWAY_CALL_H
#define CAUSEWAY_CALL_H

#include "cdr/cdr.h"
#include "media/media.h"
#include "route/route.h"
#include "trace/trace.h"

struct call;
struct leg;
struct dip;			/* a question to the LRN server; the edge's */

/* Why something ended, in words both protocols share. Texts are lent. */
struct call_end {
	enum end_code code;
	int by;				/* 1 + enum end_side; 0 = the code's own side */
	int status;			/* SIP status received or to be sent; 0 none */
	int q850;			/* -1 none */
	int err;			/* errno when nothing was received */
	struct span reason;		/* Reason header as received; len 0 none */
	const char *text;		/* one line for the record; NULL none */
	uint32_t retry_after_s;		/* to be sent with a 503; 0 none */
	uint32_t rest_s;		/* Retry-After of a 503 received; 0 none */
};

/* A message passed through the call between legs (INFO...). Lent. */
struct leg_message {
	struct span method, content_type, body;
	struct span headers;		/* further lines that may pass */
};

/* What a call may ask of a leg. Failures are -errno; the leg then stays as it was. */
struct leg_ops {
	const char *name;		/* "sip" */
	/* The A leg: ask the caller for credentials and forget the call; `asked` says whom he is taken for. */
	void (*challenge)(struct leg *leg, bool stale, const struct admit_result *asked);
	/* The A leg: admitted as call_from says, take on that gateway's settings. -errno: answered already, `end` filled. */
	int (*admitted)(struct leg *leg, struct call_end *end);
	/* The B leg: go to `leg->candidate`; what to send is in the call's request and `offer` (NULL = let the callee offer).
	 * Later on_* or call_on_failed. -EOPNOTSUPP: no codec in common. */
	int (*dial)(struct leg *leg, const struct media_desc *offer);
	/* The B leg has heard nothing within its time. If its gateway has further addresses: try the next one. False if
	 * none; `end` then says what the leg knows better of it. */
	bool (*retarget)(struct leg *leg, struct call_end *end);
	/* The A leg: 18x; early may be NULL. */
	int (*ring)(struct leg *leg, int status, const struct media_desc *early);
	int (*answer)(struct leg *leg, const struct media_desc *media);
	/* Offer in the call (NULL: ask for an offer). -EBUSY: glare; -EOPNOTSUPP: not now. */
	int (*offer)(struct leg *leg, const struct media_desc *offer);
	int (*accept)(struct leg *leg, const struct media_desc *answer);
	void (*reject)(struct leg *leg, int status);
	/* The answer to an offer that came with the peer's answer (late offer). */
	int (*ack)(struct leg *leg, const struct media_desc *answer);
	/* Pass a message; its outcome comes as call_on_message_result with `cookie`. */
	int (*pass)(struct leg *leg, const struct leg_message *message, void *cookie);
	void (*pass_result)(struct leg *leg, void *cookie, int status);
	/* End it, in whatever state: refuse, cancel or hang up. Harmless twice. */
	void (*release)(struct leg *leg, const struct call_end *end);
	/* The A leg: forget it without a word to the caller (ADMIT_DROP). */
	void (*drop)(struct leg *leg);
	/* Fill the record's fields of this leg's side. */
	void (*describe)(const struct leg *leg, struct cdr *cdr, bool callee_side);
	/* Forget it; the leg frees itself. */
	void (*free)(struct leg *leg);
};

/* The base of every leg; the edge embeds it. */
struct leg {
	const struct leg_ops *ops;
	struct call *call;		/* NULL: no call (any more) */
	bool over;			/* released, failed or hung up */
	uint64_t max_talk_us;		/* the leg's own bound on talk time, known by its answer; 0 = none */
};

/* What calls need of their worker. One per worker. */
struct call_host {
	struct loop *loop;
	struct model_hub *hub;
	struct model *model;		/* the snapshot in use; refreshed by call_host_refresh */
	struct journal *journal;
	struct trace_lane *trace;	/* NULL = none */
	unsigned worker;
	const char *node;
	atomic_bool *draining;		/* the process takes no new calls */
	/* A leg toward a candidate, not yet dialled. NULL: no memory or slots. */
	struct leg *(*leg_new)(void *arg, struct call *call, const struct route_candidate *candidate);
	/* Ask the LRN server about this number: call_on_dip comes later. NULL: it cannot be asked, as *why_out (static) says. */
	struct dip *(*dip_start)(void *arg, struct call *call, const char *number, const char **why_out);
	/* Forget the question; NULL afterwards, and before: nothing. */
	void (*dip_stop)(struct dip **dip);
	void *arg;
	struct slots calls;
	struct call_counters {
		uint64_t incoming, refused, failed, answered, ended;
		uint64_t unrecorded;	/* refused while twice journal_waiting_max records waited */
	} counters;
};
int call_host_init(struct call_host *host, uint32_t max_calls);
/* Frees the host; live calls are ended first with `end`, records written. */
void call_host_close(struct call_host *host, const struct call_end *end);
/* Take the hub's newest snapshot if there is one. Once a turn. */
void call_host_refresh(struct call_host *host);
void call_host_end_all(struct call_host *host, const struct call_end *end);
uint32_t call_host_live(const struct call_host *host);

/* ---- from the edge: a new call ---------------------------------------------------- */

/* What the caller's leg knows on arrival. Lent; the call copies. */
struct call_arrival {
	struct call_request request;
	const struct media_desc *offer;	/* NULL: late offer */
	struct span display;		/* caller's display name */
	struct span identity;		/* asserted number: kept if the gateway is trusted */
	struct span privacy;		/* "id;user": kept if the gateway's wish for it counts */
	struct span preferred, diversions;	/* preferred number; who diverted the call, as the edge wrote it */
	struct span headers;		/* header lines that policy lets pass */
	struct span sip_call_id;	/* for the trace */
	int max_forwards;
	bool stale;			/* credentials were right but the nonce too old */
	const char *wrong_credentials;	/* why they do not do; NULL = nothing is wrong with them */
	unsigned challenges;		/* that the call had before */
	const char *suspended;		/* they were not looked at, as this says; NULL = they were */
};
/* Takes the leg over: it ends refused, challenged, or with a call. */
void call_incoming(struct call_host *host, struct leg *leg, const struct call_arrival *arrival);
/* A request was refused before it could become a call (malformed, loop, overload): leaves a record. `caller`, `callee`
 * may be empty; the strings are lent. */
struct call_refusal {
	struct span caller, callee, sip_call_id, product;
	const char *source, *proto;	/* "192.0.2.1:5060", "sip/UDP" */
	const struct sockaddr *source_addr;
	enum end_code code;
	int status;
	const char *text;
	struct span gateway;		/* mapping gateway or phone, where known; else by source_addr */
	uint64_t started_us;		/* UTC; 0 = now */
};
void call_record_refusal(struct call_host *host, const struct call_refusal *refusal);

/* ---- from the edge: what happened on a leg ------------------------------------------ */

/* The LRN server answered, or will not any more. Texts are lent. The question is forgotten when this returns. */
struct dip_answer {
	struct span number;		/* by which to route: digits, perhaps behind a +; len 0 = as it is */
	const char *failed;		/* why there is no answer; NULL = there is */
};
void call_on_dip(struct call *call, const struct dip_answer *answer);
/* The B leg's first message went out; lent. */
struct leg_dialled {
	uint64_t utc_us;		/* just before */
	struct span sip_call_id;
	const char *caller, *callee;	/* as sent */
	const char *address;
};
void call_on_dialled(struct leg *leg, const struct leg_dialled *dialled);
void call_on_trying(struct leg *leg);
/* The B leg went on to another address of its gateway by itself: the stage begins anew. */
void call_on_redial(struct leg *leg);
/* 180..189; `early` NULL without media. */
void call_on_progress(struct leg *leg, int status, const struct media_desc *early);
void call_on_answer(struct leg *leg, const struct media_desc *media);
/* The B leg failed before its answer. The leg is over. */
void call_on_failed(struct leg *leg, const struct call_end *end);
/* The A leg's caller gave up before the answer. Over. */
void call_on_cancel(struct leg *leg, const struct call_end *end);
/* The A leg confirmed; `answer` to our offer if it carried one. */
void call_on_ack(struct leg *leg, const struct media_desc *answer);
/* `offer` NULL: asks us to offer. */
void call_on_offer(struct leg *leg, const struct media_desc *offer);
/* status 2xx with media, or >= 300 / 0 (no response). */
void call_on_offer_result(struct leg *leg, int status, const struct media_desc *media);
void call_on_message(struct leg *leg, const struct leg_message *message, void *cookie);
void call_on_message_result(struct leg *leg, void *cookie, int status);
/* A peer hung up, or the leg was lost (end->code says). Over. */
void call_on_hangup(struct leg *leg, const struct call_end *end);

/* ---- what a leg may look at ---------------------------------------------------------- */

const struct call_host *call_host(const struct call *call);
const struct model *call_model(const struct call *call);
uint64_t call_id(const struct call *call);
/* Numbers and identity to send to the callee's side. */
struct call_numbers {
	const char *caller, *callee, *display, *identity, *privacy, *preferred, *diversions, *headers;
	bool dipped;			/* the LRN server was asked, and named */
	const char *routing_number;	/* this one; NULL = the number was not ported */
	int max_forwards;
};
const struct call_numbers *call_numbers(const struct call *call);
const struct admit_result *call_from(const struct call *call);
/* What the present attempt goes to. */
const struct route_candidate *call_candidate(const struct call *call);
/* Scratch memory that lives until the call is answered or over. */
struct arena *call_setup_arena(struct call *call);

/* ---- for people ---------------------------------------------------------------------- */

/* One JSON object of a live call. */
void call_write_json(const struct call *call, struct buf *out);
/* True if the filter ("" = all) is a part of a number, a gateway's or account's name, a Call-ID, or begins the id. */
bool call_matches(const struct call *call, const char *filter);
/* The live call with this id, or NULL. */
struct call *call_find(struct call_host *host, uint64_t id);
/* Next live call for lists; start with *index = 0. */
struct call *call_next(struct call_host *host, uint32_t *index);
void call_hangup(struct call *call, const struct call_end *end);

/* The status that a caller whose call ended so is refused with. */
int call_end_status(const struct call_end *end);
/* What an outcome on the callee's side is called. */
enum end_code call_classify(int status, int q850, int err);

#endif
