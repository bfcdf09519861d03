/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diag: why calls and registrations went wrong. What was seen on the wire (from a capture, or from our trace) and, of calls of
 * our own, what we decided, becomes verdicts: the cause in one sentence, the side, the evidence message by message, what it
 * also could have been and why it is not, and what to do.
 *
 *   diag_new -> diag_sip, diag_datagram, ... in any order of time -> diag_finish -> verdicts
 *
 * The rules state physics and RFCs, never the habits of one file. A wrong cause is worse than none: what a capture cannot show is
 * not claimed (UNKNOWN, CAPTURE_INCOMPLETE). One thread; no clock, no I/O. */
#ifndef CAUSEWAY_DIAG_H
#define CAUSEWAY_DIAG_H

#include "capture/capture.h"
#include "sip/sip.h"
#include "trace/trace.h"

/* ---- the catalogue --------------------------------------------------------------------------------- */

enum diag_side { DIAG_NOBODY, DIAG_CALLER, DIAG_CALLEE, DIAG_SWITCH, DIAG_NETWORK };
enum diag_code {
#define VERDICT(name, side, category, sentence, sentence_zh, fix, fix_zh) VERDICT_##name,
#include "diag/verdicts.def"
#undef VERDICT
	VERDICTS
};
struct diag_code_info {
	const char *name;		/* "NO_ACK_FOR_2XX" */
	enum diag_side side;		/* whose fault as a rule */
	const char *category;		/* "dialog" */
	const char *sentence, *sentence_zh;	/* of the code, without the case's facts */
	const char *fix, *fix_zh;
};
const struct diag_code_info *diag_code_info(enum diag_code code);
/* VERDICTS = there is none of this name. */
enum diag_code diag_code_find(struct span name);
const char *diag_side_name(enum diag_side side);	/* "caller" */

/* ---- what comes in ------------------------------------------------------------------------------------ */

struct diag;
int diag_new(struct diag **out);
void diag_free(struct diag **diag);
/* A capture's sink that feeds `diag`; copies what it keeps. */
struct capture_sink diag_sink(struct diag *diag);
/* No more comes; verdicts are made. `report` of the capture (NULL: a live trace, where everything of a call is there). */
void diag_finish(struct diag *diag, const struct capture_report *report);

/* ---- what comes out: lent until diag_free ------------------------------------------------------------------ */

#define DIAG_EVIDENCE_MAX 12

struct diag_evidence {
	uint64_t frame;			/* 0 = no packet: a decision of ours, or its absence */
	const char *text;
};
struct diag_verdict {
	enum diag_code code;
	enum diag_side side;
	double confidence;		/* 0..1; failures.md, section 2 */
	const char *sentence;		/* this case: what and who, with time and number */
	const char *counted;		/* the counted evidence in a sentence, or NULL */
	const char *excluded;		/* what else it looks like and why it is not, or NULL */
	const char *fix;		/* what to do */
	const char *ask;		/* what to ask the other side, or NULL */
	unsigned n_evidence;
	struct diag_evidence evidence[DIAG_EVIDENCE_MAX];
};
enum diag_outcome { DIAG_ANSWERED, DIAG_FAILED, DIAG_CANCELLED, DIAG_INCOMPLETE };
const char *diag_outcome_name(enum diag_outcome outcome);

/* A call as one SIP Call-ID shows it, an H.323 call, or a registration. */
struct diag_case {
	bool registration, h323;
	const char *call_id;		/* SIP Call-ID; "h323:192.0.2.1" */
	const char *from, *to;		/* numbers, or users */
	uint64_t start_us, answer_us, end_us;	/* UTC; 0 = not */
	enum diag_outcome outcome;
	unsigned n_verdicts;		/* at least 1; the first is the cause, others were seen as well */
	const struct diag_verdict *verdicts;
	unsigned n_related;		/* other legs of the same call */
	const struct diag_case *const *related;
};
struct diag_stream_view {
	uint32_t ssrc;
	union net_addr src, dst;
	const char *codec;		/* "PCMA/8000", "unknown" */
	const char *call_id;		/* NULL = of no call that is known */
	uint64_t first_us, last_us, packets, lost;
	double jitter_ms, mos;		/* mos 0 = cannot be said */
};
unsigned diag_cases(const struct diag *diag, const struct diag_case *const **out);	/* by time */
unsigned diag_streams(const struct diag *diag, const struct diag_stream_view **out);
/* The whole as `diagnose --json` prints it; "file" as given. */
void diag_write_json(const struct diag *diag, const char *file, struct buf *out);
/* A call of our own, live or over, from all that the trace has of it: what we decided is stated (confidence 1), what peers did is
 * shown from their messages. Writes members of a JSON object, without its braces: "outcome", "end_code", "verdicts" (as above;
 * "frame" counts the reading's entries from 1), "attempts": [{"attempt", "gateway", "end_code", "sip_status", "text"}],
 * "candidates": [lines]. 0, or -ENOMEM. */
int diag_explain(const struct trace_reading *reading, struct buf *out);
/* For people; "en" or "zh". `all` = healthy calls too. */
void diag_write_text(const struct diag *diag, const char *language, bool all, struct buf *out);

#endif
