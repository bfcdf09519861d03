/* SPDX-License-Identifier: GPL-3.0-or-later */
/* health: is a routing gateway fit to be called? One small machine for each, fed by what calls and OPTIONS meet.
 *
 *      UP  --- so many failures in a row ---> DOWN --- wait over, or an OPTIONS answered ---> TRYING
 *      ^ ^                                     ^                                               | |
 *      | |                                     +-------- the trial call or an OPTIONS failed --+ |
 *      | +-- any response to a call, or OPTIONS answered often enough ---------------------------+
 *      +---- time over --- RESTING <--- 503 with Retry-After, from any state
 *
 * While a gateway is TRYING it gets one call at a time. The whole state is one 64-bit word that events exchange and
 * readers load, so any thread may do either and none waits. What ends by itself ends for readers at its very
 * moment (health_at); health_settle only writes it down. It lives with the gateway's load and outlives snapshots. */
#ifndef CAUSEWAY_HEALTH_H
#define CAUSEWAY_HEALTH_H

#include "base/base.h"

#include <stdatomic.h>

struct model_routing;
struct model_params;

/* FULL is never stored: lines in use say it. */
enum health_state { HEALTH_UP, HEALTH_TRYING, HEALTH_DOWN, HEALTH_RESTING, HEALTH_FULL, HEALTH_STATES };
const char *health_state_name(enum health_state state);	/* "up" */

enum health_event {
	HEALTH_TIME,		/* a moment has passed */
	HEALTH_CALL_ANSWERED,	/* the first response to a call, whatever it says */
	HEALTH_CALL_FAILED,	/* a call found nobody there */
	HEALTH_CALL_REST,	/* a call was refused with 503 and Retry-After */
	HEALTH_PROBE_ANSWERED,
	HEALTH_PROBE_FAILED,
	HEALTH_PROBE_REST,
};
enum health_cause {
	HEALTH_SILENCE, HEALTH_ICMP, HEALTH_TCP_REFUSED, HEALTH_TCP_TIMEOUT, HEALTH_TCP_LOST, HEALTH_TLS, HEALTH_DNS,
	HEALTH_STATUS, HEALTH_LOCAL, HEALTH_CAUSES
};
struct health_news {
	enum health_event event;
	enum health_cause cause;	/* of a failure */
	uint16_t status;		/* SIP status received; 0 = none */
	uint32_t rest_s;		/* Retry-After, with *_REST */
	bool trial;			/* the call was let through as a trial: its outcome ends that */
};

/* The machine without its surroundings, for tests and for whoever wants to know what would happen. */
struct health_mark {
	enum health_state state;
	unsigned call_failures, probe_failures;	/* in a row, while UP */
	unsigned successes;		/* OPTIONS answered in a row, while not UP */
	unsigned waits;			/* how often the wait was doubled */
	uint64_t until_us;		/* monotonic: DOWN and RESTING end then; to the millisecond */
};
struct health_rules {
	bool probed;			/* DOWN ends by OPTIONS, not by time */
	unsigned call_failures;		/* that make it DOWN; 0 = never */
	unsigned probe_failures, probe_successes;
	uint64_t retry_us, retry_max_us, rest_max_us;
};
void health_step(struct health_mark *mark, const struct health_news *news, const struct health_rules *rules,
		 uint64_t mono_us);

#define HEALTH_CHANGES 8		/* kept for display */

struct health_slot {
	_Atomic uint64_t stamp;		/* 2n+1 while change n is written, then 2n+2 */
	_Atomic uint64_t at, until, packed;
};
/* Zeroed is a good beginning: UP, never heard of. */
struct health {
	_Atomic uint64_t word;
	atomic_bool trial;		/* one call is being let through */
	_Atomic uint64_t heard_us;	/* monotonic: the last response to a call; with options_check only */
	_Atomic uint64_t n_changes;
	struct health_slot slots[HEALTH_CHANGES];
	/* Of OPTIONS; one worker writes them. */
	_Atomic uint64_t probes, lost;	/* so many; of the last 64 the lost ones, newest in bit 0 */
	_Atomic uint64_t probed_utc_us;
	_Atomic uint32_t rtt_us;
};

/* What `gw` was told, or learnt by time, changes its state; a change is logged and kept. */
void health_tell(const struct model_routing *gw, const struct health_news *news, const struct model_params *params,
		 uint64_t mono_us, uint64_t utc_us);
/* Write down what has ended by itself. Often, by one thread; and before showing. */
void health_settle(const struct model_routing *gw, const struct model_params *params, uint64_t mono_us, uint64_t utc_us);

/* Have somebody told of every change, on the thread that caused it, besides the log. Before threads start. */
void health_listen(void (*changed)(void *arg, const struct model_routing *gw, enum health_state state, const char *why),
		   void *arg);

struct health_view {
	enum health_state state;
	unsigned failures;		/* in a row, while still UP */
	bool trial;			/* TRYING, DOWN: a trial call is under way */
	uint64_t until_us;		/* DOWN and RESTING: monotonic, else 0 */
};
/* Up, and nothing says otherwise: what nearly all are. False: health_at knows more. */
static inline bool health_is_well(const struct health *health)
{
	return atomic_load_explicit(&health->word, memory_order_acquire) == 0;
}
/* How `gw` is at this moment. Pure but for what it loads. */
struct health_view health_at(const struct model_routing *gw, uint64_t mono_us);

/* A gateway that is not UP gets one call at a time: false when there is one already. Ends with health_give_trial, or with
 * the news of the outcome. */
bool health_take_trial(struct health *health);
void health_give_trial(struct health *health);

/* ---- OPTIONS: by the one worker that probes this gateway ------------------------------------------ */

/* The outcome of one OPTIONS (rtt_us when it was answered), besides what is told. */
void health_note_probe(struct health *health, bool answered, uint64_t rtt_us, uint64_t utc_us);
/* How long to wait before the next one. */
uint64_t health_probe_wait(const struct model_routing *gw, const struct model_params *params, uint64_t mono_us);

/* ---- for people ----------------------------------------------------------------------------------- */

struct health_change {
	uint64_t at_utc_us;
	uint64_t until_utc_us;		/* 0 = open */
	enum health_state from, to;
	unsigned count;			/* so many in a row led to it */
	struct health_news news;
};
/* All of a change but its times in one word, for those who keep or hand it on. */
uint64_t health_pack(const struct health_change *change);
struct health_change health_unpack(uint64_t packed);
/* The latest changes, newest first; returns how many. */
unsigned health_changes(const struct health *health, struct health_change out[HEALTH_CHANGES]);
/* "3 OPTIONS unanswered" */
const char *health_change_text(const struct health_change *change, char *dst, size_t size);

/* "down since 12:03:11Z: 3 OPTIONS unanswered", "resting until 12:05:00Z: 503 with Retry-After 60": with its date
 * unless that is the day of utc_us. */
const char *health_change_sentence(const struct health_change *change, uint64_t utc_us, char *dst, size_t size);
/* The same of a gateway as it is now. */
const char *health_sentence(const struct model_routing *gw, uint64_t mono_us, uint64_t utc_us, char *dst, size_t size);
/* {"state":..., "since":..., "why":..., ...}: state FULL included. */
void health_write_json(struct buf *out, const struct model_routing *gw, uint64_t mono_us, uint64_t utc_us);

#endif
