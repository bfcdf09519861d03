/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine: what comes in is kept, and at the end every leg is judged. */
#include "diag/diag_int.h"

#include <stdlib.h>

#define FIRST_CHUNK 65536

/* ---- the catalogue -------------------------------------------------------------------------------- */

static const struct diag_code_info codes[VERDICTS] = {
#define VERDICT(name, side, category, sentence, sentence_zh, fix, fix_zh)                          \
	[VERDICT_##name] = { #name, DIAG_##side, category, sentence, sentence_zh, fix, fix_zh },
#include "diag/verdicts.def"
#undef VERDICT
};

const struct diag_code_info *diag_code_info(enum diag_code code)
{
	return &codes[code];
}

enum diag_code diag_code_find(struct span name)
{
	unsigned code = 0;

	while (code < VERDICTS && !span_eq(span_of(codes[code].name), name))
		code++;
	return (enum diag_code)code;
}

const char *diag_side_name(enum diag_side side)
{
	static const char *const names[] = { "nobody", "caller", "callee", "switch", "network" };

	return names[side];
}

const char *diag_outcome_name(enum diag_outcome outcome)
{
	static const char *const names[] = { "answered", "failed", "cancelled", "incomplete" };

	return names[outcome];
}

/* ---- life ------------------------------------------------------------------------------------------ */

int diag_new(struct diag **out)
{
	struct diag *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->arena = arena_new(FIRST_CHUNK);
	rng_bytes(&d->key, sizeof(d->key));
	if (!d->arena || hash_table_init(&d->by_call_id, 256) || hash_table_init(&d->hosts, 64) ||
	    hash_table_init(&d->txs, 256) || rtp_streams_new(&d->streams)) {
		diag_free(&d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void diag_free(struct diag **diag)
{
	struct diag *d = *diag;

	if (!d)
		return;
	rtp_streams_free(&d->streams);
	hash_table_free(&d->by_call_id);
	hash_table_free(&d->hosts);
	hash_table_free(&d->txs);
	arena_free(&d->arena);
	free(d);
	*diag = NULL;
}

/* ---- what comes in ---------------------------------------------------------------------------------- */

static void on_sip(void *arg, const struct capture_where *where, enum capture_transport transport,
		   struct span message)
{
	track_sip(arg, where, transport, message);
}

static void on_datagram(void *arg, const struct capture_where *where, struct span payload,
			uint32_t length)
{
	struct diag *d = arg;

	h323_datagram(d, where, payload);
	rtp_streams_datagram(d->streams, where, payload, length);
}

static void on_tpkt(void *arg, const struct capture_where *where, struct span payload)
{
	h323_tpkt(arg, where, payload);
}

static void on_icmp(void *arg, const struct capture_where *where, const struct capture_icmp *icmp)
{
	struct diag *d = arg;
	struct icmp_note *note = arena_alloc(d->arena, sizeof(*note));

	if (!note)
		return;
	note->where = *where;
	note->said = *icmp;
	note->said.payload.p = arena_dup(d->arena, icmp->payload);
	if (!note->said.payload.p)
		note->said.payload.len = 0;
	note->next = d->icmps;
	d->icmps = note;
}

static void on_tcp(void *arg, const struct capture_where *where, enum capture_tcp_kind kind,
		   int value, int detail)
{
	struct diag *d = arg;
	struct tcp_note *note;

	if (kind == CAPTURE_TLS_RECORD && !detail &&
	    value != 22) /* what is encrypted says nothing */
		return;
	note = arena_alloc(d->arena, sizeof(*note));
	if (!note)
		return;
	*note = (struct tcp_note){ d->tcps, *where, kind, value, detail };
	d->tcps = note;
}

struct capture_sink diag_sink(struct diag *diag)
{
	return (struct capture_sink){ .arg = diag,
				      .sip = on_sip,
				      .datagram = on_datagram,
				      .tpkt = on_tpkt,
				      .icmp = on_icmp,
				      .tcp = on_tcp };
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void turn_notes(struct diag *d)
{
	struct icmp_note *icmps = NULL;
	struct tcp_note *tcps = NULL;

	while (d->icmps) {
		struct icmp_note *note = d->icmps;

		d->icmps = note->next;
		note->next = icmps;
		icmps = note;
	}
	while (d->tcps) {
		struct tcp_note *note = d->tcps;

		d->tcps = note->next;
		note->next = tcps;
		tcps = note;
	}
	d->icmps = icmps;
	d->tcps = tcps;
}

/* A call or a registration; anything else (OPTIONS, NOTIFY, what has no Call-ID) only when something is wrong with it. */
static bool is_case(const struct leg *leg)
{
	if (leg->registration || leg->invite)
		return true;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == SIP_INVITE)
			return true;
	return leg->view.n_verdicts && leg->view.verdicts[0].code != VERDICT_NORMAL &&
	       leg->view.verdicts[0].code != VERDICT_UNKNOWN;
}

static void list_cases(struct diag *d)
{
	unsigned n = 0;

	for (struct leg *leg = d->legs; leg; leg = leg->next)
		n += is_case(leg);
	n += h323_finish(d, NULL) + connect_finish(d, NULL);
	d->cases = n ? arena_alloc(d->arena, n * sizeof(struct diag_case *)) : NULL;
	for (struct leg *leg = d->legs; leg && d->cases; leg = leg->next)
		if (is_case(leg))
			d->cases[d->n_cases++] = &leg->view;
	if (!d->cases)
		return;
	d->n_cases += h323_finish(d, d->cases + d->n_cases);
	d->n_cases += connect_finish(d, d->cases + d->n_cases);
}

void diag_finish(struct diag *d, const struct capture_report *report)
{
	d->live = !report;
	if (report)
		d->report = *report;
	turn_notes(d);
	track_finish(d);
	hosts_finish(d);
	for (struct leg *leg = d->legs; leg; leg = leg->next)
		leg_finish(d, leg);
	join_streams(d);
	join_legs(d);
	for (struct leg *leg = d->legs; leg; leg = leg->next)
		rules_judge(d, leg);
	list_cases(d);
}

unsigned diag_cases(const struct diag *d, const struct diag_case *const **out)
{
	*out = d->cases;
	return d->n_cases;
}

unsigned diag_streams(const struct diag *d, const struct diag_stream_view **out)
{
	*out = d->stream_views;
	return d->n_stream_views;
}
