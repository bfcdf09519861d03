/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A call arrives: who is calling and may they, by which numbers it is routed (some ask an LRN server first), where to; then
 * the first candidate is dialled. Whatever refuses it ends it with a record. */
#include "call/call_int.h"

#include <stdio.h>

/* In setup, offer and plan take 2 to 6 kB; an answered call keeps only its arena. */
#define SETUP_ARENA 3072
#define CALL_ARENA 960

static const char *dup_or_null(struct arena *arena, struct span s)
{
	return s.len ? arena_dup(arena, s) : NULL;
}

static struct call *call_new(struct call_host *host, struct leg *leg)
{
	uint32_t slot;
	uint16_t generation;
	struct call *call = slots_alloc(&host->calls, &slot, &generation);

	if (!call)
		return NULL;
	call->slot = slot;
	call->host = host;
	call->arena = arena_new(CALL_ARENA);
	call->setup = arena_new(SETUP_ARENA);
	if (!call->arena || !call->setup) {
		arena_free(&call->arena);
		arena_free(&call->setup);
		slots_free(&host->calls, slot);
		return NULL;
	}
	call->model = model_ref(host->model);
	call->id = call_id_next(host->worker, host->loop->utc_us);
	call->started_us = host->loop->utc_us;
	call->told.q850 = -1;
	timer_init(&call->timer, call_on_timer);
	call->a = leg;
	leg->call = call;
	return call;
}

/* As received; as routed so far too. */
static void call_keep_numbers(struct call *call, const struct call_request *req)
{
	call->random = req->random;
	call->caller_in = call->caller = arena_dup(call->arena, req->caller);
	call->callee_in = call->callee = arena_dup(call->arena, req->callee);
	call->numbers.caller = call->caller;
	call->numbers.callee = call->callee;
}

/* What the attempts need of the arrival, until the answer. */
static void call_keep_arrival(struct call *call, const struct call_arrival *arrival)
{
	bool trusted = (call->from.mapping && call->from.mapping->sip.trust_identity) ||
		       (call->from.phone && call->from.phone->sip.trust_identity);

	call->numbers.display = dup_or_null(call->setup, arrival->display);
	call->numbers.identity = trusted ? dup_or_null(call->setup, arrival->identity) : NULL;
	if (!call->from.mapping || call->from.mapping->recognize_privacy)
		call->numbers.privacy = dup_or_null(call->setup, arrival->privacy);
	call->numbers.preferred = dup_or_null(call->setup, arrival->preferred);
	call->numbers.diversions = dup_or_null(call->setup, arrival->diversions);
	call->numbers.headers = dup_or_null(call->setup, arrival->headers);
	call->numbers.max_forwards = arrival->max_forwards;
	if (arrival->offer)
		call->offer = media_desc_dup(call->setup, arrival->offer);
	call->late_offer = !arrival->offer;
}

static void call_refuse_at(struct call *call, enum end_code code, int status,
			   uint32_t retry_after_s, const char *text)
{
	const struct end_code_info *info = end_code_info(code);
	struct call_end end = { .code = code,
				.status = status ? status : info->sip,
				.q850 = status == 486 ? 17 : info->q850,
				.text = text };

	if (end.status == 503)
		end.retry_after_s = retry_after_s;
	call->host->counters.refused++;
	call_finish(call, &end);
}

void call_refuse(struct call *call, enum end_code code, const char *text)
{
	bool passing = code == END_SWITCH_DRAINING || code == END_SWITCH_OVERLOAD ||
		       code == END_JOURNAL_BLOCKED;

	call_refuse_at(call, code, 0,
		       passing ? (uint32_t)(call->model->params.retry_after / SEC) : 0, text);
}

/* No slot or no memory: the leg never becomes a call, but it has its record. */
static void turn_away(struct call_host *host, struct leg *leg, const struct call_arrival *arrival,
		      const struct admit_result *from)
{
	const struct end_code_info *info = end_code_info(END_SWITCH_OVERLOAD);
	struct call_end end = { .code = END_SWITCH_OVERLOAD,
				.status = info->sip,
				.q850 = info->q850,
				.retry_after_s =
					(uint32_t)(host->model->params.retry_after / SEC) };
	struct cdr seen = { 0 };
	char text[128] = "no memory for another call";
	struct call_refusal refusal = { .code = end.code, .status = end.status, .text = text };

	if (host->calls.count >= host->calls.limit)
		fmt_print(text, sizeof(text),
			  "worker %u has %u calls up, as many as [run] max_calls allows",
			  host->worker, host->calls.count);
	leg->ops->describe(leg, &seen, false);
	refusal.caller = arrival->request.caller;
	refusal.callee = arrival->request.callee;
	refusal.sip_call_id = span_of(seen.caller_call_id);
	refusal.product = span_of(seen.caller_product);
	refusal.source = seen.caller_addr;
	refusal.proto = seen.caller_proto;
	refusal.gateway = span_of(from->mapping ? from->mapping->name
				  : from->phone ? from->phone->number
						: NULL);
	refusal.source_addr = (const struct sockaddr *)&arrival->request.source;
	call_record_refusal(host, &refusal);
	leg->ops->release(leg, &end);
	leg->ops->free(leg);
}

/* Credentials were looked at and did not do, or there have been challenges enough. */
static void call_refuse_unproven(struct call *call, const struct call_arrival *arrival)
{
	char text[128];

	if (arrival->suspended) {
		call_refuse(call, END_SUSPENDED, arrival->suspended);
	} else if (arrival->wrong_credentials) {
		call_refuse(call, END_WRONG_PASSWORD, arrival->wrong_credentials);
	} else {
		fmt_print(text, sizeof(text),
			  "challenged %u times for this call, as often as auth_challenges_max "
			  "permits",
			  arrival->challenges);
		call_refuse(call, END_TOO_MANY_CHALLENGES, text);
	}
}

static bool call_admit(struct call *call, const struct call_arrival *arrival, struct reasons *why)
{
	struct admit_result *result = &call->from;

	if (result->mapping)
		call_trace_until(call, &result->mapping->trace_until);
	if (result->verdict == ADMIT_CHALLENGE) {
		call_refuse_unproven(call, arrival);
		return false;
	}
	if (result->verdict == ADMIT_DROP) {
		call->a->ops->drop(call->a);
		call->a->over = true;
	}
	if (result->verdict != ADMIT_OK) {
		call_refuse(call, result->end, result->text);
		return false;
	}
	if (atomic_load_explicit(call->host->draining, memory_order_relaxed)) {
		call_refuse(call, END_SWITCH_DRAINING, "the switch is shutting down");
		return false;
	}
	if (call_records_blocked(call->host, 1)) {
		char text[128];

		fmt_print(text, sizeof(text),
			  "%llu records wait for the journal's disk, journal_waiting_max is %llu",
			  (unsigned long long)journal_waiting(call->host->journal),
			  (unsigned long long)call->model->params.journal_waiting_max);
		call_refuse(call, END_JOURNAL_BLOCKED, text);
		return false;
	}
	if (!admit_watch(call->model, &arrival->request, result, why, &call->watch)) {
		call_refuse(call, result->end, result->text);
		return false;
	}
	if (!admit_take(call->model, &arrival->request, result, why)) {
		call_refuse_at(call, result->end, result->status, result->retry_after_s,
			       result->text);
		return false;
	}
	call->caller_taken = true;
	return true;
}

static bool call_settle_caller(struct call *call)
{
	struct call_end end = { .q850 = -1 };

	if (call->a->ops->admitted(call->a, &end) == 0)
		return true;
	call->a->over = true;
	call->host->counters.refused++;
	call_finish(call, &end);
	return false;
}

/* Alone, a limit speaks for itself; of several it is enough here that all refused: the record lists them. */
static void call_refuse_full(struct call *call, const struct reasons *why)
{
	struct reason first = { .code = REASON_LINE_LIMIT };
	char text[192] = "every routing gateway for this number is full or locked";
	uint32_t wait_s = 0;
	int status;
	enum end_code code;

	if (route_first_full(why, &first, &wait_s) && why->n == 1)
		reason_text(&first, text, sizeof(text));
	code = reason_end(&first, &status);
	call_refuse_at(call, code, status, wait_s, text);
}

/* The numbers that the call is routed by: into `routed`, which `numbers` backs. */
static bool call_rewrite(struct call *call, struct call_request *routed,
			 struct routed_numbers *numbers, struct reasons *why)
{
	if (!admit_rewrite(call->model, routed, &call->from, numbers, why)) {
		call_refuse(call, call->from.end, call->from.text);
		return false;
	}
	if (numbers->caller.number.p != routed->caller.p)
		call->caller = arena_dup(call->arena, numbers->caller.number);
	if (numbers->callee.number.p != routed->callee.p)
		call->callee = arena_dup(call->arena, numbers->callee.number);
	routed->caller = numbers->caller.number;
	routed->callee = numbers->callee.number;
	return true;
}

/* Some had the prefix, and yet nobody may have the call: the first of them says why. */
static void call_refuse_barred(struct call *call, const struct reasons *why)
{
	char reason[160], text[192];

	reason_text(&why->reason[0], reason, sizeof(reason));
	snprintf(text, sizeof(text), "%s%s", reason, why->n > 1 ? "; nor may any other" : "");
	call_refuse(call, END_NO_ROUTE, text);
}

static bool call_route(struct call *call, const struct call_request *routed, struct reasons *why)
{
	static const struct {
		enum end_code code;
		const char *text;
	} refusals[] = {
		[ROUTE_NONE] = { END_NO_ROUTE, "no routing gateway serves this number" },
		[ROUTE_ALL_DOWN] = { END_GATEWAYS_DOWN,
				     "every routing gateway for this number is down or rests" },
		[ROUTE_NOT_REGISTERED] = { END_CALLEE_NOT_REGISTERED,
					   "the called phone is not registered" },
		[ROUTE_GATEWAYS_NOT_REGISTERED] = { END_GATEWAY_NOT_REGISTERED,
						    "no routing gateway for this number is "
						    "registered" },
		[ROUTE_PHONE_LOCKED] = { END_CALLEE_LOCKED, "the called phone is locked" },
		[ROUTE_UNREACHABLE] = { END_CALLEE_UNREACHABLE,
					"the called phone is registered, but it does not answer "
					"OPTIONS any more" },
		[ROUTE_DO_NOT_DISTURB] = { END_DO_NOT_DISTURB,
					   "the called phone does not want to be disturbed" },
	};
	struct route_plan plan = { 0 };
	enum route_verdict verdict = route_plan(call->model, routed, &call->from, &plan, why);

	call->candidates_text = call_reasons_text(call->arena, why);
	call_trace_route(call);
	if (verdict == ROUTE_ALL_BUSY) {
		call_refuse_full(call, why);
		return false;
	}
	if (verdict == ROUTE_NONE && why->n > 0) {
		call_refuse_barred(call, why);
		return false;
	}
	if (verdict != ROUTE_OK) {
		call_refuse(call, refusals[verdict].code, refusals[verdict].text);
		return false;
	}
	call->n_candidates = plan.n;
	call->candidates = arena_alloc(call->setup, plan.n * sizeof(plan.candidate[0]));
	if (!call->candidates) {
		call_refuse(call, END_SWITCH_OVERLOAD, "no memory for the route plan");
		return false;
	}
	memcpy(call->candidates, plan.candidate, plan.n * sizeof(plan.candidate[0]));
	return true;
}

void call_route_to(struct call *call, const struct call_request *routed)
{
	struct reasons why;

	why.n = 0;
	if (!call_route(call, routed, &why))
		return;
	call_note_media(call, false, call->offer);
	call_dial_next(call);
}

/* A challenge is no call: the caller comes back with the same INVITE and credentials. */
void call_incoming(struct call_host *host, struct leg *leg, const struct call_arrival *arrival)
{
	struct admit_result result = { .verdict = ADMIT_REFUSED };
	struct call_request routed = arrival->request;
	struct routed_numbers numbers;
	struct reasons why;
	struct call *call;

	why.n = 0;
	admit_decide(host->model, &arrival->request, &result, &why);
	if (result.verdict == ADMIT_CHALLENGE && !arrival->wrong_credentials &&
	    !arrival->suspended && arrival->challenges < host->model->params.auth_challenges_max) {
		call_trace_challenge(host, arrival, &why);
		leg->ops->challenge(leg, arrival->stale, &result);
		leg->ops->free(leg);
		return;
	}
	call = call_new(host, leg);
	if (!call) {
		turn_away(host, leg, arrival, &result);
		return;
	}
	host->counters.incoming++;
	call->from = result;
	call_keep_numbers(call, &arrival->request);
	call_trace_came(call, arrival, &why);
	if (!call_admit(call, arrival, &why) || !call_rewrite(call, &routed, &numbers, &why) ||
	    !call_settle_caller(call))
		return;
	call_keep_arrival(call, arrival);
	if (admit_wants_lrn(call->model, &call->from, routed.callee))
		call_dip(call);
	else
		call_route_to(call, &routed);
}
