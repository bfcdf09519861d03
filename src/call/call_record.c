/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records and views of a call: what goes into the journal, and the JSON of a live call. */
#include "call/call_int.h"

#include <stdio.h>
#include <stdlib.h>

static const char *copy_media_address(struct arena *arena, const struct media_desc *media)
{
	for (unsigned i = 0; i < media->n_streams; i++) {
		const struct media_stream *stream = &media->streams[i];

		if (stream->kind == MEDIA_AUDIO && stream->port)
			return arena_printf(arena, strchr(stream->host, ':') ? "[%s]:%u" : "%s:%u",
					    stream->host, stream->port);
	}
	return NULL;
}

/* The caller's address comes with his offer; the codec both sides agreed on with the callee's answer. */
void call_note_media(struct call *call, bool callee_side, const struct media_desc *media)
{
	const struct media_format *codec;

	if (!media)
		return;
	if (!callee_side) {
		call->caller_media = copy_media_address(call->arena, media);
		return;
	}
	call->callee_media = copy_media_address(call->arena, media);
	codec = media_desc_codec(media);
	if (codec)
		call->caller_codec = call->callee_codec =
			arena_dup(call->arena, span_of(codec->name));
}

/* Kept free for saying that there were more. */
#define MORE_ROOM 32

const char *call_reasons_text(struct arena *arena, const struct reasons *why)
{
	char space[1024];
	struct buf text = BUF_OVER(space);
	unsigned i;

	for (i = 0; i < why->n && i < REASONS_MAX; i++) {
		size_t before = text.len;

		if (i)
			buf_add_char(&text, '\n');
		reason_add_text(&text, &why->reason[i]);
		if (text.failed || text.len + MORE_ROOM > sizeof(space)) {
			text.failed = false;
			text.len = before;
			break;
		}
	}
	if (i < why->n)
		buf_addf(&text, "\n... and %u more", why->n - i);
	return text.len ? arena_dup(arena, buf_span(&text)) : NULL;
}

uint64_t call_first_of(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t first = a;

	if (b && (!first || b < first))
		first = b;
	if (c && (!first || c < first))
		first = c;
	return first;
}

static void record_end(struct cdr *cdr, const struct call_end *end, bool of_attempt)
{
	const struct end_code_info *info = end_code_info(end->code);

	cdr->end_code = info->name;
	cdr->end_side = end_side_name(end->by ? (enum end_side)(end->by - 1) : info->side);
	cdr->sip_status = end->status > 0 ? (uint64_t)end->status : 0;
	if (of_attempt && end->err)
		cdr->sip_status = 0; /* nothing was received */
	cdr->q850 = end->q850;
	cdr->end_text = end->text ? end->text : info->sentence;
}

static const char *candidate_account(const struct route_candidate *candidate)
{
	const struct model_account *account = candidate->gateway ? candidate->gateway->account
					      : candidate->phone ? candidate->phone->account
								 : NULL;

	return account ? account->name : NULL;
}

static void record_call_fields(const struct call *call, struct cdr *cdr, uint64_t now)
{
	const struct model_mapping *mapping = call->from.mapping;

	cdr->node = call->host->node;
	cdr->caller_in = call->caller_in;
	cdr->callee_in = call->callee_in;
	cdr->caller = call->caller;
	cdr->callee = call->callee;
	cdr->caller_media = call->caller_media;
	cdr->caller_codec = call->caller_codec;
	cdr->mapping_gateway = mapping            ? mapping->name
			       : call->from.phone ? call->from.phone->number
						  : NULL;
	cdr->account = call->from.account ? call->from.account->name : NULL;
	cdr->started = call->started_us;
	cdr->first_response = call->first_response_us;
	cdr->ringing = call->ringing_us;
	cdr->answered = call->answered_us;
	cdr->talk_us = call->answered_us && now > call->answered_us ? now - call->answered_us : 0;
	cdr->attempts = call->attempt.number;
	cdr->candidates = call->candidates_text;
	cdr->lrn = call->lrn;
	call->a->ops->describe(call->a, cdr, false);
	now = call_first_of(call->ringing_us, call->media_us, call->answered_us);
	cdr->pdd_us = now > call->started_us ? now - call->started_us : 0;
}

static void record_attempt_fields(const struct call *call, struct cdr *cdr)
{
	uint64_t heard =
		call_first_of(call->attempt.ringing_us, call->attempt.media_us, call->answered_us);

	cdr->attempt = call->attempt.number;
	cdr->started = call->attempt.started_us;
	cdr->first_response = call->attempt.first_response_us;
	cdr->ringing = call->attempt.ringing_us;
	cdr->answered = call->answered_us;
	cdr->pdd_us = heard > call->attempt.started_us ? heard - call->attempt.started_us : 0;
}

bool call_records_blocked(const struct call_host *host, unsigned times)
{
	uint64_t most = host->model->params.journal_waiting_max;

	return most && journal_waiting(host->journal) >= most * times;
}

/* A call that was up has its record in every case. One that was refused leaves it as long as twice as many wait as may:
 * who is refused calls again, and memory has an end. */
static void add_record(struct call_host *host, struct cdr_entry *entry, bool refused)
{
	if (refused && call_records_blocked(host, 2)) {
		host->counters.unrecorded++;
		free(entry);
		return;
	}
	journal_add(host->journal, host->worker, entry);
}

/* The caller's leg may say the Reason that came with its BYE; the callee's leg likewise. */
void call_record(struct call *call, enum cdr_kind kind, const struct call_end *end)
{
	uint64_t now = call->host->loop->utc_us;
	struct cdr cdr = { .call_id = call->id, .q850 = -1, .ended = kind == CDR_ANSWER ? 0 : now };
	char reason[256];
	struct cdr_entry *entry;

	cdr.callee_media = call->callee_media;
	cdr.callee_codec = call->callee_codec;
	cdr.routing_gateway = call->last_gateway;
	cdr.vendor_account = candidate_account(&call->current);
	if (kind == CDR_ATTEMPT)
		record_attempt_fields(call, &cdr);
	else
		record_call_fields(call, &cdr, now);
	if (call->b)
		call->b->ops->describe(call->b, &cdr, true);
	if (kind != CDR_ANSWER)
		record_end(&cdr, end, kind == CDR_ATTEMPT);
	if (call->answered_us)
		cdr.sip_status = 200;
	if (end->reason.len) {
		span_copy(end->reason, reason, sizeof(reason));
		cdr.reason = reason;
	}
	call_trace_record(call->host, kind, &cdr);
	entry = cdr_encode(kind, &cdr);
	if (!entry) {
		log_error("call %016llx: no memory for its record (%s)",
			  (unsigned long long)call->id, cdr.end_code ? cdr.end_code : "answer");
		return;
	}
	add_record(call->host, entry, !call->attempt.number);
}

/* Whose call it would have been. */
static void refusal_side(const struct model *m, const struct call_refusal *refusal, struct cdr *cdr)
{
	const struct model_mapping *mapping =
		refusal->gateway.len ? model_mapping(m, refusal->gateway) : NULL;
	const struct model_phone *phone =
		refusal->gateway.len && !mapping ? model_phone(m, refusal->gateway) : NULL;
	const struct model_account *account;

	if (!refusal->gateway.len && refusal->source_addr)
		model_mappings_at(m, refusal->source_addr, &mapping, 1);
	account = mapping ? mapping->account : phone ? phone->account : NULL;
	cdr->mapping_gateway = mapping ? mapping->name : phone ? phone->number : NULL;
	cdr->account = account ? account->name : NULL;
}

void call_record_refusal(struct call_host *host, const struct call_refusal *refusal)
{
	const struct end_code_info *info = end_code_info(refusal->code);
	struct arena *arena = arena_new(1024);
	struct cdr cdr = { .q850 = info->q850 ? info->q850 : -1 };
	struct cdr_entry *entry = NULL;

	host->counters.incoming++;
	host->counters.refused++;
	cdr.call_id = call_id_next(host->worker, host->loop->utc_us);
	cdr.node = host->node;
	cdr.ended = host->loop->utc_us;
	cdr.started = refusal->started_us ? refusal->started_us : cdr.ended;
	cdr.end_code = info->name;
	cdr.end_side = end_side_name(info->side);
	cdr.sip_status = refusal->status > 0 ? (uint64_t)refusal->status : 0;
	cdr.end_text = refusal->text;
	cdr.caller_addr = refusal->source;
	cdr.caller_proto = refusal->proto;
	if (arena) {
		refusal_side(host->model, refusal, &cdr);
		cdr.caller = cdr.caller_in = arena_dup(arena, refusal->caller);
		cdr.callee = cdr.callee_in = arena_dup(arena, refusal->callee);
		cdr.caller_call_id = arena_dup(arena, refusal->sip_call_id);
		cdr.caller_product = arena_dup(arena, refusal->product);
		call_trace_record(host, CDR_END, &cdr);
		entry = cdr_encode(CDR_END, &cdr);
	}
	if (entry)
		add_record(host, entry, true);
	else
		log_error("no memory for the record of a refused call from %s", refusal->source);
	arena_free(&arena);
}

static void json_text(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ",\"%s\":", key);
	if (value)
		buf_add_json(out, span_of(value));
	else
		buf_add_str(out, "null");
}

static void json_time(struct buf *out, const char *key, uint64_t utc_us)
{
	char text[32];

	json_text(out, key, utc_us ? clock_format(utc_us, text, sizeof(text)) : NULL);
}

void call_write_json(const struct call *call, struct buf *out)
{
	struct cdr cdr = { .q850 = -1 };
	uint64_t now = call->host->loop->utc_us;

	record_call_fields(call, &cdr, now);
	if (call->b)
		call->b->ops->describe(call->b, &cdr, true);
	buf_addf(out, "{\"call_id\":\"%016llx\"", (unsigned long long)call->id);
	json_text(out, "state", call_step_name(call));
	json_text(out, "caller", cdr.caller);
	json_text(out, "callee", cdr.callee);
	json_text(out, "mapping_gateway", cdr.mapping_gateway);
	json_text(out, "routing_gateway", call->last_gateway);
	json_text(out, "account", cdr.account);
	json_text(out, "caller_addr", cdr.caller_addr);
	json_text(out, "callee_addr", cdr.callee_addr);
	json_text(out, "caller_out", cdr.caller_out);
	json_text(out, "callee_out", cdr.callee_out);
	json_text(out, "caller_call_id", cdr.caller_call_id);
	json_text(out, "callee_call_id", cdr.callee_call_id);
	json_text(out, "codec", call->callee_codec);
	json_text(out, "caller_media", call->caller_media);
	json_text(out, "callee_media", call->callee_media);
	json_time(out, "started", call->started_us);
	json_time(out, "ringing", call->ringing_us);
	json_time(out, "answered", call->answered_us);
	buf_addf(out, ",\"talk_s\":%llu,\"attempt\":%u,\"worker\":%u",
		 (unsigned long long)(cdr.talk_us / SEC), call->attempt.number, call->host->worker);
	json_text(out, "candidates", call->candidates_text);
	buf_add_char(out, '}');
}

static bool holds(const char *text, const char *part)
{
	return text && strstr(text, part);
}

bool call_matches(const struct call *call, const char *filter)
{
	struct cdr cdr = { .q850 = -1 };
	char id[20];

	if (!filter || !filter[0])
		return true;
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)call->id);
	if (span_istarts(span_of(id), span_of(filter)))
		return true;
	record_call_fields(call, &cdr, call->host->loop->utc_us);
	if (call->b)
		call->b->ops->describe(call->b, &cdr, true);
	return holds(cdr.caller, filter) || holds(cdr.callee, filter) ||
	       holds(cdr.mapping_gateway, filter) || holds(call->last_gateway, filter) ||
	       holds(cdr.account, filter) || holds(cdr.caller_call_id, filter) ||
	       holds(cdr.callee_call_id, filter);
}
