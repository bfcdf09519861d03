/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A call of our own. What ended it is known: we wrote it down when we did it. The rules that read captures read its messages as
 * well: where they come to the same, their counts and evidence stand beside what we state; where they see further, such as an
 * ACK that went astray, they name it. On the caller's leg we are the called side, on the other one the caller. */
#include "diag/diag_int.h"
#include "model/model.h"

static const struct trace_entry *find_note(const struct trace_reading *r, enum trace_kind kind)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->entries[i].kind == kind)
			return &r->entries[i];
	return NULL;
}

static unsigned number_of(const struct trace_reading *r, const struct trace_entry *entry)
{
	return (unsigned)(entry - r->entries) + 1;
}

static const char *field(struct diag *d, const struct trace_entry *entry, const char *name)
{
	struct span value = entry ? trace_entry_field(entry, name) : SPAN_NONE;

	return value.len ? arena_dup(d->arena, value) : NULL;
}

/* ---- messages ---------------------------------------------------------------------------------- */

static void feed(struct diag *d, const struct trace_reading *r)
{
	struct capture_sink sink = diag_sink(d);

	for (unsigned i = 0; i < r->n; i++) {
		const struct trace_entry *e = &r->entries[i];
		struct capture_where where = { .frame = i + 1,
					       .utc_us = e->utc_us,
					       .ip_id = (uint16_t)(i + 1) };

		if (e->kind != TRACE_MESSAGE)
			continue;
		memcpy(&where.src, &e->from, sizeof(where.src));
		memcpy(&where.dst, &e->to, sizeof(where.dst));
		sink.sip(sink.arg, &where,
			 e->proto == TRACE_UDP   ? CAPTURE_UDP
			 : e->proto == TRACE_TCP ? CAPTURE_TCP
						 : CAPTURE_TLS,
			 e->text);
	}
}

/* Codes of one thing: the wire may say more exactly what we state. */
static const enum diag_code finer[][2] = {
	{ VERDICT_NO_ACK_FOR_2XX, VERDICT_ACK_MISROUTED },
	{ VERDICT_NO_ACK_FOR_2XX, VERDICT_ANSWER_LOST },
	{ VERDICT_CALLER_FORBIDDEN, VERDICT_CLI_REJECTED },
	{ VERDICT_CALLER_FORBIDDEN, VERDICT_VENDOR_NO_CREDIT },
	{ VERDICT_PEER_CONGESTION, VERDICT_VENDOR_NO_CREDIT },
	{ VERDICT_PEER_REJECTED, VERDICT_STIR_REJECTED },
	{ VERDICT_NO_RESPONSE, VERDICT_REG_CONTACT_PRIVATE },
	{ VERDICT_NO_RESPONSE, VERDICT_UDP_FRAGMENT_LOST },
	{ VERDICT_CODEC_MISMATCH, VERDICT_SRTP_MISMATCH },
	{ VERDICT_DIALOG_LOST_AT_PEER, VERDICT_DIALOG_TAG_MISMATCH },
};

static bool says_more(enum diag_code own, enum diag_code seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(finer); i++)
		if (finer[i][0] == own && finer[i][1] == seen)
			return true;
	return own == seen;
}

/* What the wire shows of the same thing, of whatever leg; NULL = nothing. */
static const struct diag_verdict *seen_of(const struct diag *d, enum diag_code own)
{
	for (unsigned i = 0; i < d->n_cases; i++)
		for (unsigned j = 0; j < d->cases[i]->n_verdicts; j++)
			if (says_more(own, d->cases[i]->verdicts[j].code))
				return &d->cases[i]->verdicts[j];
	return NULL;
}

/* ---- what we state --------------------------------------------------------------------------------- */

static void add_note(struct diag *d, const struct trace_reading *r, struct diag_verdict *v,
		     const struct trace_entry *e)
{
	struct span first, rest;

	if (v->n_evidence == DIAG_EVIDENCE_MAX)
		return;
	span_cut(e->text, '\n', &first, &rest);
	v->evidence[v->n_evidence].frame = number_of(r, e);
	v->evidence[v->n_evidence++].text =
		say(d, "%s: %.*s%s%.*s", trace_kind_name(e->kind), SPAN_ARG(e->object),
		    e->object.len ? ": " : "", SPAN_ARG(span_head(first, 200)));
}

/* Decisions that led to the end. */
static void add_decisions(struct diag *d, const struct trace_reading *r, struct diag_verdict *v)
{
	static const enum trace_kind kinds[] = { TRACE_ADMIT, TRACE_TIMER, TRACE_ATTEMPT,
						 TRACE_END };

	for (unsigned i = 0; i < r->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			if (r->entries[i].kind == kinds[k])
				add_note(d, r, v, &r->entries[i]);
}

/* Whose setting it is: the gateway of the side at fault. */
static const char *fix_of(struct diag *d, const struct diag_verdict *v, const char *mapping,
			  const char *routing)
{
	const char *fix = diag_code_info(v->code)->fix;

	if (!fix[0])
		return fix;
	if (v->side == DIAG_CALLER && mapping)
		return say(d, "mapping gateway %s: %s", mapping, fix);
	if ((v->side == DIAG_CALLEE || v->side == DIAG_NETWORK) && routing)
		return say(d, "routing gateway %s: %s", routing, fix);
	return fix;
}

static enum diag_side side_named(struct span name)
{
	for (int side = DIAG_CALLER; side <= DIAG_NETWORK; side++)
		if (span_eq(name, span_of(diag_side_name((enum diag_side)side))))
			return (enum diag_side)side;
	return DIAG_NOBODY;
}

/* Where nothing else was known the record says no more than its code. */
static bool adds_something(struct span text, enum diag_code own, const struct diag_code_info *info)
{
	if (!text.len || span_eq(text, span_of(info->sentence)))
		return false;
	for (int end = 1; end < END_CODES; end++)
		if (own < VERDICTS &&
		    strcmp(end_code_info((enum end_code)end)->name, diag_code_info(own)->name) == 0)
			return !span_eq(text, span_of(end_code_info((enum end_code)end)->sentence));
	return true;
}

static void judge(struct diag *d, const struct trace_reading *r, const struct trace_entry *end,
		  struct diag_verdict *v)
{
	enum diag_code own = diag_code_find(trace_entry_field(end, "end_code"));
	const struct diag_verdict *seen = own < VERDICTS ? seen_of(d, own) : NULL;
	const struct diag_code_info *info;

	*v = (struct diag_verdict){ .code = own < VERDICTS ? own : VERDICT_UNKNOWN,
				    .confidence = own < VERDICTS ? 1.0 : 0.3 };
	if (seen && seen->code != own)
		v->code = seen->code;
	info = diag_code_info(v->code);
	/* Who hung up is no fault where nothing is wrong. */
	v->side = info->side ? side_named(trace_entry_field(end, "end_side")) : DIAG_NOBODY;
	if (!v->side)
		v->side = info->side;
	v->sentence =
		adds_something(end->text, own, info)
			? say(d, "%s (%.*s)", info->sentence, SPAN_ARG(span_head(end->text, 300)))
			: info->sentence;
	if (seen) {
		v->counted = seen->counted;
		v->excluded = seen->excluded;
		v->ask = seen->ask;
		for (unsigned i = 0; i < seen->n_evidence && i < DIAG_EVIDENCE_MAX / 2; i++)
			v->evidence[v->n_evidence++] = seen->evidence[i];
	}
	add_decisions(d, r, v);
	v->fix = fix_of(d, v, field(d, end, "mapping_gateway"), field(d, end, "routing_gateway"));
}

/* ---- out ------------------------------------------------------------------------------------------- */

static void add_json(struct buf *out, const char *key, struct span value)
{
	buf_addf(out, ",\"%s\":", key);
	if (value.len)
		buf_add_json(out, value);
	else
		buf_add_str(out, "null");
}

static void write_attempts(const struct trace_reading *r, struct buf *out)
{
	bool begun = false;

	buf_add_str(out, ",\"attempts\":[");
	for (unsigned i = 0; i < r->n; i++) {
		const struct trace_entry *e = &r->entries[i];

		if (e->kind != TRACE_ATTEMPT)
			continue;
		buf_addf(out, "%s{\"attempt\":%u", begun ? "," : "", e->attempt);
		add_json(out, "gateway", e->object);
		add_json(out, "end_code", trace_entry_field(e, "end_code"));
		add_json(out, "sip_status", trace_entry_field(e, "sip_status"));
		add_json(out, "text", e->text);
		buf_add_char(out, '}');
		begun = true;
	}
	buf_add_char(out, ']');
}

static void write_candidates(const struct trace_reading *r, struct buf *out)
{
	const struct trace_entry *route = find_note(r, TRACE_ROUTE);
	struct span rest = route ? route->text : SPAN_NONE, line;
	bool begun = false;

	buf_add_str(out, ",\"candidates\":[");
	while (rest.len) {
		span_cut(rest, '\n', &line, &rest);
		buf_add_str(out, begun ? "," : "");
		buf_add_json(out, line);
		begun = true;
	}
	buf_add_char(out, ']');
}

/* Of a call that is up, so far. */
static void judge_live(struct diag *d, const struct trace_reading *r, struct diag_verdict *v)
{
	*v = (struct diag_verdict){
		.code = VERDICT_NORMAL,
		.confidence = 0.7,
		.sentence = find_note(r, TRACE_ANSWER)
				    ? "The call is up; nothing is wrong so far."
				    : "The call is being set up; nothing has ended it so far.",
		.fix = ""
	};
	add_decisions(d, r, v);
}

int diag_explain(const struct trace_reading *reading, struct buf *out)
{
	const struct trace_entry *end = find_note(reading, TRACE_END);
	struct diag_verdict v;
	struct diag *d;
	int err = diag_new(&d);

	if (err)
		return err;
	feed(d, reading);
	diag_finish(d, NULL);
	if (end)
		judge(d, reading, end, &v);
	else
		judge_live(d, reading, &v);
	buf_addf(out, "\"outcome\":\"%s\"",
		 !end                               ? "live"
		 : find_note(reading, TRACE_ANSWER) ? "answered"
		 : span_eq(trace_entry_field(end, "end_code"), SPAN("CALLER_CANCELLED"))
			 ? "cancelled"
			 : "failed");
	add_json(out, "end_code", end ? trace_entry_field(end, "end_code") : SPAN_NONE);
	buf_add_str(out, ",\"verdicts\":[");
	show_verdict(&v, out);
	buf_add_char(out, ']');
	write_attempts(reading, out);
	write_candidates(reading, out);
	diag_free(&d);
	return 0;
}
