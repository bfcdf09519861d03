/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admit: who is calling, and may they? A pure function of request, snapshot and load: the live
 * call, "test this number" and the diagnosis ask it alike. No I/O, no clock. Any thread. */
#ifndef CAUSEWAY_ADMIT_H
#define CAUSEWAY_ADMIT_H

#include "model/model.h"

/* What is known of a call when it arrives. Borrowed. */
struct call_request {
	struct sockaddr_storage source;	/* where the request came from */
	const char *from_gateway;	/* asked by name instead (route test); NULL = by source */
	struct span digest_user;	/* proven by digest; len 0 = none */
	struct span digest_claim;	/* offered but not (yet) proven; len 0 = none */
	struct span caller, callee;	/* numbers as received: From user, Request-URI user (unescaped) */
	const char *node;		/* of the switch that has the call; NULL = none */
	uint64_t random;		/* what chance decides by */
	uint64_t utc_us;		/* when */
	uint64_t mono_us;
};

enum reason_code {
	REASON_CHOSEN, REASON_MATCHED, REASON_UNKNOWN_SOURCE, REASON_WRONG_PORT, REASON_LOCKED, REASON_ACCOUNT_LOCKED,
	REASON_NEEDS_DIGEST, REASON_ADDRESS_LIST, REASON_WRONG_DIGEST_SOURCE, REASON_NO_NUMBER, REASON_LINE_LIMIT, REASON_RATE_LIMIT,
	REASON_SYSTEM_LINES, REASON_SYSTEM_RATE, REASON_PREFIX, REASON_PROTECT, REASON_PROTECT_DELAY, REASON_ATTEMPT_LIMIT,
	REASON_NOT_REGISTERED, REASON_UNREACHABLE, REASON_NODE, REASON_GROUP, REASON_PAIR, REASON_TIME, REASON_TERMINATED, REASON_TOO_MANY, REASON_NOT_RATED,
	REASON_GROUP_LINES, REASON_GROUP_RESERVE, REASON_GROUP_RATE, REASON_ACCOUNT_LINES, REASON_ACCOUNT_RATE,
	REASON_PHONE_LINES, REASON_LINES_IN, REASON_LINES_OUT,
	REASON_BLACKLIST_CALLS, REASON_BLACKLIST_LINES, REASON_BLACKLIST_NO_ANSWER, REASON_BLACKLIST_OPERATOR,
	REASON_SAME_CITY, REASON_SAME_CITY_NOT_ALLOWED,
	/* Two rows of the same order. */
	REASON_CALLER_FORBIDDEN, REASON_CALLER_NOT_ALLOWED, REASON_CALLER_LENGTH, REASON_CALLER_KIND, REASON_CALLER_GROUP,
	REASON_CALLER_NO_GROUP, REASON_CALLER_TIME, REASON_CALLER_BLACKLISTED,
	REASON_CALLEE_FORBIDDEN, REASON_CALLEE_NOT_ALLOWED, REASON_CALLEE_LENGTH, REASON_CALLEE_KIND, REASON_CALLEE_GROUP,
	REASON_CALLEE_NO_GROUP, REASON_CALLEE_TIME, REASON_CALLEE_BLACKLISTED,
	REASON_MOBILE_AREA, REASON_MOBILE_AREA_NOT_ALLOWED,
	REASON_CALLER_REWRITE, REASON_CALLEE_REWRITE, REASON_CALLER_POOL,
	REASON_TRYING, REASON_DOWN, REASON_RESTING, REASON_LAST_RESORT,
	REASON_CALLEE_NO_PHONE, REASON_CALLEE_PHONE, REASON_DO_NOT_DISTURB, REASON_ACCOUNT_EXPIRED,
	REASONS
};
/* One line of why: an object and, for limits, value and limit. */
struct reason {
	enum reason_code code;
	const char *object;		/* name; borrowed from the snapshot; may be NULL */
	int64_t value, limit;		/* of a health: since and until when, seconds since 1970; 0 = open */
	const char *detail;		/* the entry or the list that decided, whose limit it is; as object */
	uint32_t wait_s;		/* a rate refused: until it would not, at least 1 */
	uint64_t health;		/* of a health: what led to it, as health_pack */
};
#define REASONS_MAX 64
struct reasons {
	unsigned n;			/* may pass REASONS_MAX: then that many were considered */
	struct reason reason[REASONS_MAX];
};
void reasons_add(struct reasons *why, enum reason_code code, const char *object, int64_t value, int64_t limit);
void reasons_add_reason(struct reasons *why, const struct reason *reason);
const char *reason_name(enum reason_code code);		/* "line_limit" */
/* "a-1: line limit reached, 100 of 100 in use" */
const char *reason_text(const struct reason *reason, char *dst, size_t size);
void reason_add_text(struct buf *out, const struct reason *reason);
/* A limit refused a call from or to `object`. */
struct reason reason_of_refusal(const char *object, const struct claim_refusal *refusal);
bool reason_is_limit(enum reason_code code);
/* What such a call ends with: the code, and 486 where a phone is full (0: the code's own status). */
enum end_code reason_end(const struct reason *reason, int *status_out);

enum admit_verdict { ADMIT_OK, ADMIT_CHALLENGE, ADMIT_REFUSED, ADMIT_DROP };

struct admit_result {
	enum admit_verdict verdict;
	enum end_code end;		/* when refused */
	int status;			/* then: to be answered; 0 = the end code's */
	uint32_t retry_after_s;		/* then: a rate refused; when to come back */
	const struct model_mapping *mapping;	/* or */
	const struct model_phone *phone;
	const struct model_phone *behind;	/* of a mapping gateway: the phone of ours that calls, if its settings hold */
	const struct model_account *account;
	uint64_t max_duration_us;	/* 0 = none; smallest of system, gateway or phone */
	char text[192];			/* why refused, for record and log: names object, value, limit, nearest match */
};

/* May a source be where it is? Else false and `out` is a refusal that names `who`, address, range and list. */
bool admit_address(const struct model_fence *fence, const char *who, const struct sockaddr_storage *source,
		   struct admit_result *out);

/* The phone whose settings hold for the call, or NULL. */
const struct model_phone *admit_phone(const struct admit_result *from);

/* What a gateway's schedule says of the numbers at a time in its zone: of the windows that are open none may forbid the call, and
 * where some allow numbers of a side, one of them must allow this one. REASON_CHOSEN, or REASON_CALLER_TIME or _CALLEE_TIME. */
enum reason_code admit_schedule(const struct model_prefix_window *windows, unsigned n, const struct zone *zone,
				struct span caller, struct span callee, uint64_t utc_us);

/* REASON_CHOSEN when these numbers are permitted, else why not; the object is left to the caller. */
struct reason admit_numbers(const struct model *m, const struct model_numbers *numbers, struct span caller,
			    struct span callee);

/* What became of a number, and by what. */
struct rewritten {
	struct span number;		/* in `text`, in the snapshot, or as it was given */
	const struct model_transform *transform;	/* NULL = none, each of them */
	const struct dial_rule *rule;
	const struct model_area *area;	/* whose code was put before it */
	const struct model_share *share;
	const struct model_number_group *pool;
	const struct model_phone *display;	/* whose display number it began with */
	char text[NUMBER_TEXT];
};
/* Apply a list of dial rules (NULL = none) to out->number. False: the result is too long. */
bool rewrite_by_rules(struct rewritten *out, const struct dial_rules *rules, uint64_t random);
/* Put its area's code before a mobile number, where `choice` has it so. False: the result is too long. */
bool rewrite_area_code(const struct model *m, const struct model_area_choice *choice, struct rewritten *out);

/* The numbers of a call as it is routed: those of `req` (admitted as `out` says) after the caller's side's number
 * transform, dial rules and route prefixes. False: no number is left to call, or it may not be called; `out` is a refusal
 * then. */
struct routed_numbers {
	struct rewritten caller, callee;
};
bool admit_rewrite(const struct model *m, const struct call_request *req, struct admit_result *out,
		   struct routed_numbers *numbers, struct reasons *why);

/* What an admitted caller's side says of number portability; and is the LRN server asked before a call to `callee`, as
 * routed so far? Not for phones of this switch. */
const struct model_lrn *admit_lrn(const struct admit_result *from);
bool admit_wants_lrn(const struct model *m, const struct admit_result *from, struct span callee);
/* The number by which it is routed when the server names `routing_number`: with a + that one without it; else what was
 * stripped for the question is put before it again. Into dst, or in `routing_number`; SPAN_NONE: it is too long. */
struct span admit_lrn_route(const struct admit_result *from, struct span callee, struct span routing_number,
			    char dst[NUMBER_TEXT]);

/* `why` may be NULL. Takes nothing: see admit_take. */
void admit_decide(const struct model *m, const struct call_request *req, struct admit_result *out, struct reasons *why);

/* Count an admitted call for the dynamic blacklist; false: it is one too many, and `out` says so. `hold_out` goes to
 * admit_unwatch when the call ends (0 = nothing to give back). */
bool admit_watch(const struct model *m, const struct call_request *req, struct admit_result *out, struct reasons *why,
		 uint32_t *hold_out);
void admit_unwatch(const struct model *m, uint32_t hold);
/* A call has ended that rang. */
void admit_rang(const struct model *m, const struct admit_result *from, struct span callee, bool answered,
		uint64_t utc_us);

/* Take what the call needs on the caller's side (claims_of_caller): all or nothing. On refusal false and `out` says
 * which. Give back exactly once with admit_give. */
bool admit_take(const struct model *m, const struct call_request *req, struct admit_result *out, struct reasons *why);
void admit_give(const struct model *m, const struct admit_result *taken);
/* What admit_take takes of one admitted; and what would become of it: takes nothing. */
void admit_claims(const struct model *m, const struct admit_result *from, uint64_t utc_us, struct claims *out);
bool admit_would_take(const struct model *m, const struct call_request *req, struct admit_result *out,
		      struct reasons *why);

#endif
