/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attempts: dial the next candidate, take a failure, decide whether to go on, and remember which
 * failure the caller is to hear: the first of those that say most about the number. */
#include "call/call_int.h"

/* ---- what an outcome is called ---------------------------------------------------------- */

static enum end_code classify_q850(int q850)
{
	switch (q850) {
	case 1:
		return END_NUMBER_UNALLOCATED;
	case 17:
		return END_USER_BUSY;
	case 18:
	case 19:
		return END_NO_ANSWER;
	case 21:
		return END_USER_DECLINED;
	case 28:
		return END_ADDRESS_INCOMPLETE;
	case 34:
	case 38:
	case 41:
	case 42:
	case 44:
	case 47:
		return END_PEER_CONGESTION;
	case 65:
	case 88:
		return END_CODEC_MISMATCH;
	}
	return END_NONE;
}

/* clang-format off */
static const struct {
	int status;
	enum end_code code;
} by_status[] = {
	{ 400, END_PEER_400 },		 { 401, END_PEER_AUTH_REQUIRED }, { 403, END_CALLER_FORBIDDEN },
	{ 404, END_NUMBER_UNALLOCATED }, { 407, END_PEER_AUTH_REQUIRED }, { 408, END_PEER_408 },
	{ 410, END_NUMBER_UNALLOCATED }, { 415, END_CODEC_MISMATCH },	 { 480, END_USER_UNAVAILABLE },
	{ 482, END_ROUTING_LOOP },	 { 483, END_ROUTING_LOOP },	 { 484, END_ADDRESS_INCOMPLETE },
	{ 486, END_USER_BUSY },		 { 488, END_CODEC_MISMATCH },	 { 500, END_PEER_SERVER_ERROR },
	{ 502, END_PEER_SERVER_ERROR },	 { 503, END_PEER_CONGESTION },	 { 504, END_PEER_SERVER_ERROR },
	{ 513, END_PEER_SERVER_ERROR },	 { 580, END_PEER_SERVER_ERROR },	 { 600, END_USER_BUSY },
	{ 603, END_USER_DECLINED },	 { 604, END_NUMBER_UNALLOCATED }, { 606, END_CODEC_MISMATCH },
};
/* clang-format on */

static enum end_code classify_error(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EACCES:
		return END_PEER_ICMP_UNREACHABLE;
	case EPROTO:
		return END_TLS_HANDSHAKE_FAILED;
	case EPIPE:
	case ECONNRESET:
		return END_TCP_CONNECTION_LOST;
	}
	return END_NO_RESPONSE;
}

/* 480 and the 5xx hide many things: there the cause that came along decides. */
enum end_code call_classify(int status, int q850, int err)
{
	enum end_code by_cause = q850 >= 0 ? classify_q850(q850) : END_NONE;

	if (!status)
		return classify_error(err);
	if (status < 400)
		return END_REDIRECT_NOT_FOLLOWED;
	if (by_cause && (status == 480 || status >= 500))
		return by_cause;
	for (size_t i = 0; i < ARRAY_SIZE(by_status); i++)
		if (by_status[i].status == status)
			return by_status[i].code;
	return END_PEER_REJECTED;
}

/* ---- what the caller is to hear ----------------------------------------------------------- */

static int tell_rank(enum end_code code)
{
	switch (code) {
	case END_USER_BUSY:
	case END_USER_DECLINED:
	case END_NUMBER_UNALLOCATED:
	case END_ADDRESS_INCOMPLETE:
	case END_NO_ANSWER:
	case END_USER_UNAVAILABLE:
		return 3;
	case END_CODEC_MISMATCH:
	case END_CALLER_FORBIDDEN:
	case END_PEER_REJECTED:
		return 2;
	default:
		return 1;
	}
}

/* The status for the caller: as received where it means the same to him. A challenge or a redirect of the
 * gateway is between it and us. */
static int tell_status(const struct call_end *end)
{
	int own = end_code_info(end->code)->sip;

	if (end->status >= 400 && end->status != 401 && end->status != 407)
		return end->status;
	return own ? own : 503;
}

static void call_tell(struct call *call, const struct call_end *end)
{
	int rank = tell_rank(end->code);

	if (rank <= call->told_rank)
		return;
	call->told_rank = rank;
	call->told = *end;
	call->told.status = tell_status(end);
	if (end->q850 < 0)
		call->told.q850 =
			end_code_info(end->code)->q850 ? end_code_info(end->code)->q850 : -1;
	call->told.text = end->text ? arena_dup(call->arena, span_of(end->text)) : NULL;
	call->told.reason.p = end->reason.len ? arena_dup(call->arena, end->reason) : NULL;
}

/* A candidate has filled up between plan and dial: to be told only if no attempt says more. */
static void call_tell_full(struct call *call, const struct reason *full)
{
	struct call_end *told = &call->told;
	char text[192];

	if (call->told_rank)
		return;
	reason_text(full, text, sizeof(text));
	*told = (struct call_end){ .text = arena_dup(call->arena, span_of(text)) };
	told->code = reason_end(full, &told->status);
	told->q850 = told->status == 486 ? 17 : end_code_info(told->code)->q850;
	if (!told->status)
		told->status = end_code_info(told->code)->sip;
	told->retry_after_s = told->status == 503 ? full->wait_s : 0;
}

/* Likewise one that went down, or that another call tries. */
static void call_tell_down(struct call *call)
{
	const struct end_code_info *info = end_code_info(END_GATEWAYS_DOWN);

	if (call->told.code == END_NONE)
		call->told = (struct call_end){ .code = END_GATEWAYS_DOWN,
						.status = info->sip,
						.q850 = info->q850,
						.text = "the last routing gateway for this number "
							"went down or is being tried" };
}

static void call_give_up(struct call *call)
{
	struct call_end end = call->told;

	if (call->told_rank == 1 && call->attempt.number > 1)
		end.code = END_ROUTES_EXHAUSTED;
	if (call->told_rank)
		end.retry_after_s = 0;
	call->host->counters.refused += call->attempt.number == 0;
	call_finish(call, &end);
}

/* ---- dialling ------------------------------------------------------------------------------ */

static void attempt_begin(struct call *call, const struct route_candidate *candidate,
			  int64_t pool_place)
{
	unsigned number = call->attempt.number + 1;

	call->attempt = (struct attempt){ .number = number,
					  .started_us = call->host->loop->utc_us,
					  .line_taken = true,
					  .pool_place = pool_place };
	call->current = *candidate;
	call->last_gateway =
		candidate->gateway ? candidate->gateway->name : candidate->phone->number;
	call->early = NULL;
	if (candidate->gateway)
		call_trace_until(call, &candidate->gateway->trace_until);
}

/* False: it could not even be dialled; `end` says why. */
static bool attempt_dial(struct call *call, struct call_end *end)
{
	struct call_host *host = call->host;
	int err = -ENOMEM;

	call->b = host->leg_new(host->arg, call, &call->current);
	if (call->b) {
		call->b->call = call;
		call_enter(call, STEP_DIAL);
		err = call->b->ops->dial(call->b, call->offer);
	}
	if (err == 0)
		return true;
	*end = (struct call_end){ .q850 = -1, .err = -err };
	if (err == -EOPNOTSUPP)
		*end = (struct call_end){
			.code = END_CODEC_MISMATCH,
			.status = 488,
			.q850 = 65,
			.text = "none of the offered codecs is in the gateway's codec list"
		};
	else if (err == -ENOENT)
		*end = (struct call_end){ .code = END_DNS_FAILED,
					  .q850 = 3,
					  .err = ENOENT,
					  .text = "the gateway's name does not resolve" };
	else if (err == -ENOMEM || err == -ENOSPC)
		*end = (struct call_end){ .code = END_SWITCH_OVERLOAD,
					  .status = 503,
					  .q850 = 42,
					  .text = "no room for another leg" };
	else
		end->code = call_classify(0, -1, -err);
	return false;
}

uint64_t call_wait_us(const struct call *call)
{
	uint64_t now = call->host->loop->utc_us;

	return route_wait_us(call->model, &call->candidates[0],
			     &call->candidates[call->next_candidate],
			     now > call->started_us ? now - call->started_us : 0);
}

/* Why a candidate of the plan was not dialled after all, for the record. */
static void note_reason(struct call *call, const struct reason *reason)
{
	char text[256];

	reason_text(reason, text, sizeof(text));
	call->candidates_text = arena_printf(call->arena, "%s\n%s", call->candidates_text, text);
}

static void trace_full(const struct call *call, const struct route_candidate *candidate,
		       const struct reason *full)
{
	char text[256];

	call_trace_skipped(call, candidate, span_of(reason_text(full, text, sizeof(text))));
}

static const char *number_kept(struct call *call, const char *routed, struct span number)
{
	return number.p == routed ? routed : arena_dup(call->setup, number);
}

/* The numbers for this candidate, with what its pool gives. False: its rules leave none, or its pool has none free. */
static bool attempt_numbers(struct call *call, const struct route_candidate *candidate,
			    int64_t *pool_place)
{
	struct call_request req = { .caller = span_of(call->caller),
				    .callee = span_of(call->callee),
				    .random = call->random,
				    .utc_us = call->host->loop->utc_us };
	struct sent_numbers sent;
	struct reason why;
	char text[256];
	struct call_end end = { .code = END_NUMBER_REWRITE_FAILED, .q850 = -1, .text = text };

	if (route_numbers(call->model, candidate, &req, &call->from, call->next_candidate, true,
			  &sent, &why)) {
		*pool_place = sent.pool_place;
		call->numbers.caller = number_kept(call, call->caller, sent.caller.number);
		call->numbers.callee = number_kept(call, call->callee, sent.callee.number);
		if (call->numbers.caller && call->numbers.callee)
			return true;
		route_give_number(candidate, sent.pool_place);
		return false;
	}
	note_reason(call, &why);
	trace_full(call, candidate, &why);
	if (why.code == REASON_CALLER_POOL) {
		call_tell_full(call, &why);
		return false;
	}
	reason_text(&why, text, sizeof(text));
	call_tell(call, &end);
	return false;
}

void call_dial_next(struct call *call)
{
	struct call_end end;

	while (call->next_candidate < call->n_candidates) {
		const struct route_candidate *candidate = &call->candidates[call->next_candidate];
		struct reason full;
		int64_t pool_place;
		bool trial;

		if (call_wait_us(call)) {
			call_enter(call, STEP_WAIT);
			return;
		}
		call->next_candidate++;
		if (!attempt_numbers(call, candidate, &pool_place))
			continue;
		if (!route_take(call->model, candidate, call->host->loop->now_us,
				call->host->loop->utc_us, &full)) {
			route_give_number(candidate, pool_place);
			trace_full(call, candidate, &full);
			call_tell_full(call, &full);
			continue;
		}
		if (!call_health_allows(call, candidate, &trial)) {
			route_give(call->model, candidate);
			route_give_number(candidate, pool_place);
			call_trace_skipped(
				call, candidate,
				SPAN("it went down, rests, or is being tried by another call"));
			call_tell_down(call);
			continue;
		}
		attempt_begin(call, candidate, pool_place);
		call->attempt.trial = trial;
		if (attempt_dial(call, &end))
			return;
		call_attempt_record(call, &end);
		call_tell(call, &end);
		call_drop_leg(&call->b, &end);
		call_attempt_over(call);
	}
	call_give_up(call);
}

void call_attempt_over(struct call *call)
{
	if (!call->attempt.line_taken)
		return;
	call->attempt.line_taken = false;
	route_give_number(&call->current, call->attempt.pool_place);
	route_give(call->model, &call->current);
}

/* The attempt's part in the gateway's live quality. An answer counts when it comes, its talk time at the end. */
static void count_quality(const struct call *call)
{
	const struct model_routing *gateway = call->current.gateway;
	const struct attempt *a = &call->attempt;
	uint64_t heard = call_first_of(a->ringing_us, a->media_us, call->answered_us);
	struct quality_attempt attempt = {
		.responded = a->first_response_us != 0,
		.connected = heard != 0,
		.answered = call->answered_us != 0,
		.pdd_us = heard > a->started_us ? heard - a->started_us : 0,
	};

	if (gateway && model_quality_counts(call->model, gateway))
		quality_count_attempt(gateway->quality, &call->model->params,
				      call->host->loop->now_us, &attempt);
}

static void count_talk(const struct call *call)
{
	const struct model_routing *gateway = call->current.gateway;
	uint64_t now = call->host->loop->utc_us;

	if (model_quality_counts(call->model, gateway))
		quality_count_talk(gateway->quality, &call->model->params, call->host->loop->now_us,
				   now > call->answered_us ? now - call->answered_us : 0);
}

static void count_outcome(const struct call *call)
{
	const struct model_routing *gateway = call->current.gateway;

	if (!gateway)
		return;
	atomic_fetch_add_explicit(call->answered_us ? &gateway->load->answered
						    : &gateway->load->failed,
				  1, memory_order_relaxed);
	if (call->answered_us)
		count_talk(call);
	else
		count_quality(call);
}

void call_attempt_answered(struct call *call)
{
	count_quality(call);
}

void call_attempt_record(struct call *call, const struct call_end *end)
{
	if (!call->attempt.number || call->attempt.recorded)
		return;
	call->attempt.recorded = true;
	call_health_over(call, end);
	count_outcome(call);
	call_record(call, CDR_ATTEMPT, end);
}

void call_attempt_failed(struct call *call, const struct call_end *end)
{
	struct route_outcome outcome = {
		.end = end->code,
		.status = end->status,
		.q850 = end->q850,
		.rang = call->attempt.ringing_us != 0,
		.had_sdp = call->attempt.had_sdp,
		.attempts = call->attempt.number,
	};

	call_attempt_record(call, end);
	call_tell(call, end);
	if (call->next_candidate >= call->n_candidates ||
	    !route_may_go_on(call->model, &call->current, &outcome)) {
		call_give_up(call);
		return;
	}
	call_drop_leg(&call->b, end);
	call_attempt_over(call);
	call_dial_next(call);
}
