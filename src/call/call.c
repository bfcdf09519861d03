/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The step machine of a call.
 *
 *   NEW [-> DIP] -> DIAL -> TRYING -> PROGRESS | PROGRESS_MEDIA | RING -> TALK -> OVER
 *                   ^ ^______________________________|
 *                   |   the attempt failed: next candidate
 *                  WAIT <____________________________|
 *                       it is a protect route, and the call is younger than protect_delay
 *
 * Each step has one timer, named in the table below: how long the callee's side may take until
 * it brings the call further. A failed or timed-out attempt leaves its own record and asks the
 * plan for the next candidate; when the search stops, the caller hears the first failure worth
 * telling (call_attempt.c). What a step's timer means is in the table too. */
#include "call/call_int.h"

enum step_timer {
	TIMER_NONE,
	TIMER_DIP,
	TIMER_PROTECT,
	TIMER_INVITE,
	TIMER_TRYING,
	TIMER_PROGRESS,
	TIMER_PROGRESS_SDP,
	TIMER_RINGING,
	TIMER_MAX_TALK
};

/* clang-format off */
static const struct step_info {
	const char *name;
	enum step_timer timer;
	enum end_code timeout;		/* what it is called when the timer fires */
	const char *text;
} steps[CALL_STEPS] = {
	[STEP_NEW]            = { "new",            TIMER_NONE,         END_NONE, NULL },
	[STEP_DIP]            = { "lrn",            TIMER_DIP,          END_NONE, NULL },
	[STEP_WAIT]           = { "waiting",        TIMER_PROTECT,      END_NONE, NULL },
	[STEP_DIAL]           = { "dialling",       TIMER_INVITE,       END_NO_RESPONSE, "no response at all within the invite timeout" },
	[STEP_TRYING]         = { "trying",         TIMER_TRYING,       END_PROGRESS_TIMEOUT, "100 Trying and then nothing within the trying timeout" },
	[STEP_PROGRESS]       = { "progress",       TIMER_PROGRESS,     END_PROGRESS_TIMEOUT, "183 and then nothing within the progress timeout" },
	[STEP_PROGRESS_MEDIA] = { "progress_media", TIMER_PROGRESS_SDP, END_NO_ANSWER, "early media and no answer within the progress-with-SDP timeout" },
	[STEP_RING]           = { "ringing",        TIMER_RINGING,      END_NO_ANSWER, "ringing and no answer within the ringing timeout" },
	[STEP_TALK]           = { "talking",        TIMER_MAX_TALK,     END_MAX_DURATION, "longest permitted talk time reached" },
	[STEP_OVER]           = { "over",           TIMER_NONE,         END_NONE, NULL },
};
/* clang-format on */

/* ---- the host ----------------------------------------------------------------------- */

int call_host_init(struct call_host *host, uint32_t max_calls)
{
	slots_init(&host->calls, sizeof(struct call), max_calls);
	host->model = model_hub_get(host->hub);
	return host->model ? 0 : -ENOMEM;
}

void call_host_close(struct call_host *host, const struct call_end *end)
{
	call_host_end_all(host, end);
	slots_close(&host->calls);
	model_unref(&host->model);
}

void call_host_refresh(struct call_host *host)
{
	struct model *fresh;

	if (model_hub_version(host->hub) == host->model->version)
		return;
	fresh = model_hub_get(host->hub);
	model_unref(&host->model);
	host->model = fresh;
}

void call_host_end_all(struct call_host *host, const struct call_end *end)
{
	uint32_t index = 0;
	struct call *call;

	while ((call = slots_next(&host->calls, &index)))
		call_finish(call, end);
}

uint32_t call_host_live(const struct call_host *host)
{
	return host->calls.count;
}

/* ---- timers ------------------------------------------------------------------------- */

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* The tightest of system, both sides and what the legs themselves demand; 0 = none. */
static uint64_t talk_limit(const struct call *call)
{
	uint64_t limit =
		smaller_limit(call->model->params.max_call_duration, call->from.max_duration_us);
	const struct model_duration *own = call->current.gateway
						   ? &call->current.gateway->max_duration
						   : &call->current.phone->max_duration;

	limit = smaller_limit(limit, model_max_duration(own, call->random));
	limit = smaller_limit(limit, call->a->max_talk_us);
	return smaller_limit(limit, call->b->max_talk_us);
}

static uint64_t step_timeout(const struct call *call, enum step_timer timer)
{
	static const struct model_timeouts none;
	const struct model_params *params = &call->model->params;
	const struct model_timeouts *own =
		call->current.gateway ? &call->current.gateway->timeouts : &none;

	switch (timer) {
	case TIMER_DIP:
		return params->lrn_timeout;
	case TIMER_PROTECT:
		return call_wait_us(call);
	case TIMER_INVITE:
		return own->invite_us ? own->invite_us : params->invite_timeout;
	case TIMER_TRYING:
		return own->trying_us ? own->trying_us : params->trying_timeout;
	case TIMER_PROGRESS:
		return own->progress_us ? own->progress_us : params->progress_timeout;
	case TIMER_PROGRESS_SDP:
		return own->progress_sdp_us ? own->progress_sdp_us : params->progress_sdp_timeout;
	case TIMER_RINGING:
		return own->ringing_us ? own->ringing_us : params->ringing_timeout;
	case TIMER_MAX_TALK:
		return talk_limit(call);
	case TIMER_NONE:
		break;
	}
	return 0;
}

/* What is left of the time in which the call must ring; 0 = it need not (any more). */
static uint64_t ringing_left(const struct call *call)
{
	uint64_t most = call->from.mapping ? call->from.mapping->ringing_within_us : 0;
	uint64_t due = call->started_us + most, now = call->host->loop->utc_us;

	if (!most || call->ringing_us || call->media_us || call->step >= STEP_PROGRESS_MEDIA)
		return 0;
	return due > now ? due - now : 1;
}

void call_trace_until(const struct call *call, const struct model_moment *until)
{
	if (until->utc_us > call->host->loop->utc_us)
		trace_select(call->host->trace, call->id);
}

void call_enter(struct call *call, enum call_step step)
{
	uint64_t timeout, left;

	assert(call->step != STEP_OVER);
	call->step = step;
	timeout = step_timeout(call, steps[step].timer);
	left = ringing_left(call);
	call->last_timer = left && (!timeout || left < timeout);
	if (call->last_timer)
		timeout = left;
	loop_timer_stop(call->host->loop, &call->timer);
	if (timeout)
		loop_timer(call->host->loop, &call->timer, timeout);
}

/* A gateway that has answered anything is alive; a phone that only rang may have another contact, where its
 * user is. */
static bool may_retarget(const struct call *call)
{
	return call->step == STEP_DIAL || (call->current.phone && !call->attempt.had_sdp);
}

/* The error says that no gateway sent the status. */
static void ring_too_late(struct call *call)
{
	const struct end_code_info *info = end_code_info(END_RINGING_TOO_LATE);
	const struct call_end end = {
		.code = END_RINGING_TOO_LATE,
		.status = info->sip,
		.q850 = info->q850,
		.err = ETIMEDOUT,
		.text = "it did not ring within the caller's ringing_within"
	};

	call_finish(call, &end);
}

void call_on_timer(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, timer);
	const struct step_info *step = &steps[call->step];
	struct call_end end = { .code = step->timeout, .q850 = -1, .text = step->text };

	call_trace_timer(call, call->last_timer ? "ringing_within" : step->name,
			 call->last_timer          ? "it has not rung in time"
			 : call->step == STEP_WAIT ? "protect routes may be tried now"
						   : step->text);
	if (call->last_timer) {
		ring_too_late(call);
		return;
	}
	if (call->step == STEP_TALK) {
		call_finish(call, &end);
		return;
	}
	if (call->step == STEP_WAIT) {
		call_dial_next(call);
		return;
	}
	if (call->step == STEP_DIP) {
		call_on_dip(call, &(struct dip_answer){ .failed = "no answer within lrn_timeout" });
		return;
	}
	end.err = ETIMEDOUT;
	if (may_retarget(call) && call->b->ops->retarget(call->b, &end)) {
		call_enter(call, STEP_DIAL);
		return;
	}
	call_attempt_failed(call, &end);
}

/* ---- the end --------------------------------------------------------------------------- */

void call_drop_leg(struct leg **leg, const struct call_end *end)
{
	struct leg *gone = *leg;

	if (!gone)
		return;
	*leg = NULL;
	if (!gone->over)
		gone->ops->release(gone, end);
	gone->call = NULL;
	gone->ops->free(gone);
}

static void count_for_caller(const struct call *call)
{
	struct load *load = call->from.mapping ? call->from.mapping->load
			    : call->from.phone ? call->from.phone->load
					       : NULL;

	if (load && call->caller_taken)
		atomic_fetch_add_explicit(call->answered_us ? &load->answered : &load->failed, 1,
					  memory_order_relaxed);
}

int call_end_status(const struct call_end *end)
{
	int own = end->code ? end_code_info(end->code)->sip : 0;

	if (end->status >= 400)
		return end->status;
	return own >= 400 ? own : 480;
}

/* What the caller's side is told: a mapping gateway may have statuses of its own for failed calls. A caller who
 * gave up hears no failure. */
static struct call_end end_for_caller(const struct call *call, const struct call_end *end)
{
	const struct model_mapping *mapping = call->from.mapping;
	struct call_end told = *end;

	if (!mapping || !mapping->failed_codes || call->answered_us || call->a->over)
		return told;
	told.status = model_code_replaced(mapping->failed_codes, call_end_status(end));
	if (told.status != 503)
		told.retry_after_s = 0;
	return told;
}

void call_finish(struct call *call, const struct call_end *end)
{
	struct call_host *host = call->host;
	struct call_end told;

	if (call->step == STEP_OVER)
		return;
	told = end_for_caller(call, end);
	count_for_caller(call);
	call_attempt_record(call, end);
	call_record(call, CDR_END, &told);
	call_enter(call, STEP_OVER);
	host->counters.ended++;
	if (!call->answered_us)
		host->counters.failed++;
	if (call->dip)
		host->dip_stop(&call->dip);
	call_drop_leg(&call->b, end);
	call_drop_leg(&call->a, &told);
	call_attempt_over(call);
	admit_unwatch(call->model, call->watch);
	if (call->answered_us || call->ringing_us || end->code == END_NO_ANSWER)
		admit_rang(call->model, &call->from, span_of(call->callee_in),
			   call->answered_us != 0, host->loop->utc_us);
	if (call->caller_taken)
		admit_give(call->model, &call->from);
	arena_free(&call->setup);
	arena_free(&call->arena);
	model_unref(&call->model);
	slots_free(&host->calls, call->slot);
}

/* ---- events of the legs ------------------------------------------------------------------ */

static bool is_callee_leg(const struct leg *leg)
{
	return leg->call && leg == leg->call->b;
}

static void note_first_response(struct call *call)
{
	uint64_t now = call->host->loop->utc_us;

	if (!call->attempt.first_response_us) {
		call->attempt.first_response_us = now;
		call_health_heard(call);
	}
	if (!call->first_response_us)
		call->first_response_us = now;
}

void call_on_trying(struct leg *leg)
{
	if (!is_callee_leg(leg))
		return;
	note_first_response(leg->call);
	if (leg->call->step == STEP_DIAL)
		call_enter(leg->call, STEP_TRYING);
}

void call_on_redial(struct leg *leg)
{
	if (is_callee_leg(leg) && leg->call->step < STEP_TALK)
		call_enter(leg->call, STEP_DIAL);
}

/* A caller whose gateway wants to hear ringing in one form gets it as soon as there is media to describe. */
static void ring_caller(struct call *call, int status, const struct media_desc *early)
{
	int form = call->from.mapping ? call->from.mapping->ring_signal : RING_PASS;

	if (form != RING_PASS && call->early && (status == 180 || status == 183)) {
		status = form == RING_183_SDP ? 183 : 180;
		early = call->early;
	}
	call->a->ops->ring(call->a, status, early);
}

void call_on_progress(struct leg *leg, int status, const struct media_desc *early)
{
	struct call *call = leg->call;
	uint64_t now;
	enum call_step next;

	if (!is_callee_leg(leg) || call->step >= STEP_TALK)
		return;
	now = call->host->loop->utc_us;
	note_first_response(call);
	if (status == 180 && !call->attempt.ringing_us)
		call->attempt.ringing_us = now;
	if (status == 180 && !call->ringing_us)
		call->ringing_us = now;
	if (early) {
		call->attempt.had_sdp = true;
		call->early = media_desc_dup(call->setup, early);
		if (!call->attempt.media_us)
			call->attempt.media_us = now;
		if (!call->media_us)
			call->media_us = now;
		call_note_media(call, true, early);
	}
	/* Each stage is timed from its beginning: repeats of the same do not prolong it. */
	next = status == 180           ? STEP_RING
	       : call->attempt.had_sdp ? STEP_PROGRESS_MEDIA
				       : STEP_PROGRESS;
	if (next > call->step)
		call_enter(call, next);
	ring_caller(call, status, early);
}

static void answer_failed(struct call *call, const char *text)
{
	struct call_end end = {
		.code = END_INTERNAL_ERROR, .status = 500, .q850 = 41, .text = text
	};

	call_finish(call, &end);
}

void call_on_answer(struct leg *leg, const struct media_desc *media)
{
	struct call *call = leg->call;
	struct call_end answered = { .code = END_NORMAL, .status = 200, .q850 = -1 };

	if (!is_callee_leg(leg) || call->step >= STEP_TALK)
		return;
	note_first_response(call);
	/* A reliable provisional may have carried the answer, the 2xx then none (RFC 3262 5, 6337 3). */
	if (!media)
		media = call->early;
	if (!media) {
		answered = (struct call_end){
			.code = END_SDP_MALFORMED,
			.q850 = -1,
			.text = "the gateway answered without a session description"
		};
		call_attempt_failed(call, &answered);
		return;
	}
	call->answered_us = call->host->loop->utc_us;
	call->host->counters.answered++;
	call_attempt_answered(call);
	call_note_media(call, true, media);
	/* In the journal first: whatever dies after the caller hears the answer, the call is billed. */
	call_record(call, CDR_ANSWER, &answered);
	if (call->a->ops->answer(call->a, media)) {
		answer_failed(call, "the answer could not be passed to the caller");
		return;
	}
	call_enter(call, STEP_TALK);
	call->candidates = NULL;
	call->offer = call->early = NULL;
	call->numbers.caller = call->caller;
	call->numbers.callee = call->callee;
	call->numbers.display = call->numbers.identity = call->numbers.privacy =
		call->numbers.preferred = call->numbers.diversions = call->numbers.headers = NULL;
	arena_free(&call->setup);
}

void call_on_failed(struct leg *leg, const struct call_end *end)
{
	leg->over = true;
	if (!is_callee_leg(leg))
		return;
	if (end->status) {
		call_health_rest(leg->call, end);
		note_first_response(leg->call);
	}
	call_attempt_failed(leg->call, end);
}

void call_on_cancel(struct leg *leg, const struct call_end *end)
{
	leg->over = true;
	if (leg->call)
		call_finish(leg->call, end);
}

void call_on_hangup(struct leg *leg, const struct call_end *end)
{
	leg->over = true;
	if (leg->call)
		call_finish(leg->call, end);
}

void call_hangup(struct call *call, const struct call_end *end)
{
	call_finish(call, end);
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct call_host *call_host(const struct call *call)
{
	return call->host;
}

const struct model *call_model(const struct call *call)
{
	return call->model;
}

uint64_t call_id(const struct call *call)
{
	return call->id;
}

const struct call_numbers *call_numbers(const struct call *call)
{
	return &call->numbers;
}

const struct admit_result *call_from(const struct call *call)
{
	return &call->from;
}

const struct route_candidate *call_candidate(const struct call *call)
{
	return &call->current;
}

struct arena *call_setup_arena(struct call *call)
{
	return call->setup;
}

const char *call_step_name(const struct call *call)
{
	return steps[call->step].name;
}

struct call *call_find(struct call_host *host, uint64_t id)
{
	uint32_t index = 0;
	struct call *call;

	while ((call = slots_next(&host->calls, &index)))
		if (call->id == id)
			return call;
	return NULL;
}

struct call *call_next(struct call_host *host, uint32_t *index)
{
	return slots_next(&host->calls, index);
}
