/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of call: the struct, and what its files call of one another. */
#ifndef CAUSEWAY_CALL_INT_H
#define CAUSEWAY_CALL_INT_H

#include "call/call.h"

enum call_step {
	STEP_NEW,		/* admitted and routed, nothing dialled */
	STEP_DIP,		/* the LRN server is asked by which number to route */
	STEP_WAIT,		/* the normal routes have failed, protect routes may not be tried yet */
	STEP_DIAL,		/* INVITE out, nothing heard */
	STEP_TRYING,		/* 100 */
	STEP_PROGRESS,		/* 183 without media */
	STEP_PROGRESS_MEDIA,	/* 183 with media */
	STEP_RING,		/* 180 */
	STEP_TALK,		/* answered */
	STEP_OVER,
	CALL_STEPS
};

/* One try at one candidate. Only the running one is kept; ended ones are records. */
struct attempt {
	unsigned number;		/* from 1; 0 = none yet */
	uint64_t started_us, first_response_us, ringing_us, media_us;	/* UTC */
	bool had_sdp;
	bool line_taken;
	int64_t pool_place;		/* of the caller's number in the gateway's pool; -1 = none */
	bool trial;			/* let through to see whether its gateway is back */
	bool recorded;
};

/* An offer travelling from one leg to the other. */
struct offer_state {
	struct leg *from;		/* who offered; NULL = none under way */
	bool asked;			/* `from` asked the other side to offer */
};

struct call {
	struct call_host *host;
	uint32_t slot;
	uint64_t id;
	struct model *model;
	struct arena *arena;		/* lives as long as the call */
	struct arena *setup;		/* freed at the answer */
	enum call_step step;
	struct timer timer;		/* the step's */

	struct leg *a, *b;
	struct admit_result from;	/* .text is not kept */
	bool caller_taken;
	bool last_timer;		/* the step's timer is that of ringing_within */
	uint32_t watch;			/* of admit_watch */
	struct call_numbers numbers;	/* caller and callee as the running attempt sends them */
	const char *caller_in, *callee_in, *source;	/* as received */
	const char *caller, *callee;	/* as routed */
	uint64_t random;		/* what chance decides by */
	struct dip *dip;		/* while the LRN server is asked */
	const char *lrn;		/* what came of it, for the record; NULL = it was not asked */

	unsigned n_candidates, next_candidate;
	struct route_candidate *candidates;
	struct route_candidate current;
	const char *candidates_text;
	struct attempt attempt;

	const struct media_desc *offer;	/* caller's, in setup; NULL = late offer */
	bool late_offer;
	const struct media_desc *early;	/* last early media of the callee, in setup */
	const char *caller_media, *callee_media, *caller_codec, *callee_codec;
	struct offer_state offering;

	uint64_t started_us, first_response_us, ringing_us, media_us, answered_us;	/* UTC */
	const char *last_gateway;	/* of the last attempt */
	struct call_end told;		/* the failure worth telling so far; strings in arena */
	int told_rank;
};

/* call.c: the one door to change steps; starts the step's timer. */
void call_enter(struct call *call, enum call_step step);
const char *call_step_name(const struct call *call);
/* While trace is off: from here on this call is kept if its gateway is under trace until later than now. */
void call_trace_until(const struct call *call, const struct model_moment *until);
/* The step's timer fired. */
void call_on_timer(struct timer *timer);
/* End the call: release both legs, give back what was taken, write the record, free. `from` is the leg that is over
 * already (NULL: none). The call is gone when this returns. */
void call_finish(struct call *call, const struct call_end *end);

/* Release a leg unless it is over, and forget it; NULL afterwards. */
void call_drop_leg(struct leg **leg, const struct call_end *end);

/* call_incoming.c */
void call_refuse(struct call *call, enum end_code code, const char *text);
/* Find the candidates for this number, and dial the first. */
void call_route_to(struct call *call, const struct call_request *routed);

/* call_dip.c: ask the LRN server, then route. */
void call_dip(struct call *call);

/* call_attempt.c */
void call_dial_next(struct call *call);
/* How long the next candidate must be waited for; 0 = not at all. */
uint64_t call_wait_us(const struct call *call);
/* The running attempt ended without an answer: record it, go on or give up. */
void call_attempt_failed(struct call *call, const struct call_end *end);
/* It was answered: counts in the gateway's live quality. */
void call_attempt_answered(struct call *call);
/* Write its record, once; nothing if no attempt was made. */
void call_attempt_record(struct call *call, const struct call_end *end);
/* Give back what it took. */
void call_attempt_over(struct call *call);

/* call_health.c */
/* May a call go to the candidate's gateway as that is now? *trial_out: as the one call that tries it; the attempt's then. */
bool call_health_allows(const struct call *call, const struct route_candidate *candidate, bool *trial_out);
/* The running attempt: its first response came; a 503 asked for a rest (before call_health_heard); it ended. */
void call_health_heard(struct call *call);
void call_health_rest(struct call *call, const struct call_end *end);
void call_health_over(struct call *call, const struct call_end *end);

/* call_record.c */
void call_record(struct call *call, enum cdr_kind kind, const struct call_end *end);
/* Do `times` as many records wait for the disk as new calls may let wait? */
bool call_records_blocked(const struct call_host *host, unsigned times);
const char *call_reasons_text(struct arena *arena, const struct reasons *why);
/* The earliest of three times, of which those that are 0 have not come. */
uint64_t call_first_of(uint64_t a, uint64_t b, uint64_t c);
void call_note_media(struct call *call, bool callee_side, const struct media_desc *media);

/* call_trace.c: the call's notes; see trace.h. */
void call_trace_challenge(const struct call_host *host, const struct call_arrival *arrival, const struct reasons *why);
void call_trace_came(const struct call *call, const struct call_arrival *arrival, const struct reasons *why);
void call_trace_route(const struct call *call);
/* A candidate of the plan is not dialled after all. */
void call_trace_skipped(const struct call *call, const struct route_candidate *candidate, struct span why);
void call_trace_timer(const struct call *call, const char *timer, const char *text);
void call_trace_record(const struct call_host *host, enum cdr_kind kind, const struct cdr *cdr);

/* call_pass.c */
struct leg *call_other(const struct leg *leg);

#endif
