/* SPDX-License-Identifier: GPL-3.0-or-later */
/* H.323 as far as a capture shows it without its ASN.1: Q.931's messages and causes within TPKT (H.225.0 7.2), and which RAS
 * message a datagram is. A call is a call reference value on one TCP connection. */
#include "diag/diag_int.h"

#include <stdlib.h>

#define RAS_PORT 1719

enum q931 {
	Q931_ALERTING = 0x01,
	Q931_PROCEEDING = 0x02,
	Q931_PROGRESS = 0x03,
	Q931_SETUP = 0x05,
	Q931_CONNECT = 0x07,
	Q931_RELEASE_COMPLETE = 0x5a,
	Q931_FACILITY = 0x62
};
/* RasMessage is an extensible CHOICE of 25: one bit, then five of index. */
enum ras { RAS_ARQ = 9, RAS_ACF = 10, RAS_ARJ = 11, RAS_RRJ = 5, RAS_GRJ = 2 };

struct h323_call {
	struct h323_call *next;
	union net_addr caller, callee;
	unsigned reference;
	struct capture_where setup, connect, release; /* utc_us 0 = not seen */
	bool alerted, proceeded, released_by_caller;
	int cause; /* -1 = none was given */
	const char *called, *calling;
	struct diag_case view;
	struct diag_verdict verdict;
};
struct ras_refusal {
	struct ras_refusal *next;
	struct capture_where where;
	enum ras what;
	struct diag_case view;
	struct diag_verdict verdict;
};

static unsigned u8_at(struct span s, size_t at)
{
	return at < s.len ? (unsigned char)s.p[at] : 0;
}

/* The value of an information element of variable length; len 0 = none. */
static struct span element(struct span ies, unsigned wanted)
{
	size_t at = 0;

	while (at + 2 <= ies.len) {
		unsigned id = u8_at(ies, at);
		size_t length = u8_at(ies, at + 1), head = 2;

		if (id & 0x80) { /* one octet alone */
			at++;
			continue;
		}
		if (id == 0x7e) { /* user-user: two octets of length */
			length = length << 8 | u8_at(ies, at + 2);
			head = 3;
		}
		if (at + head + length > ies.len)
			break;
		if (id == wanted)
			return (struct span){ ies.p + at + head, length };
		at += head + length;
	}
	return SPAN_NONE;
}

/* Numbers (Q.931 4.5.8, 4.5.10): octets whose first bit says that more of the head follow, then digits. */
static const char *digits(struct diag *d, struct span value)
{
	char text[40];
	size_t at = 0, n = 0;

	while (at < value.len && !(u8_at(value, at) & 0x80))
		at++;
	for (at++; at < value.len && n + 1 < sizeof(text); at++)
		if (value.p[at] > ' ' && value.p[at] < 0x7f)
			text[n++] = value.p[at];
	text[n] = '\0';
	return say(d, "%s", text);
}

static struct h323_call *call_of(struct diag *d, const struct capture_where *w, unsigned reference,
				 bool make)
{
	struct h323_call *call, **at = &d->h323_calls;

	for (call = d->h323_calls; call; at = &call->next, call = call->next)
		if (call->reference == reference && !call->release.utc_us &&
		    ((net_addr_eq(&call->caller, &w->src) && net_addr_eq(&call->callee, &w->dst)) ||
		     (net_addr_eq(&call->caller, &w->dst) && net_addr_eq(&call->callee, &w->src))))
			return call;
	if (!make)
		return NULL;
	call = arena_alloc(d->arena, sizeof(*call));
	if (!call)
		return NULL;
	call->caller = w->src;
	call->callee = w->dst;
	call->reference = reference;
	call->cause = -1;
	call->called = call->calling = "";
	*at = call;
	return call;
}

static void released(struct h323_call *call, const struct capture_where *w, struct span cause)
{
	call->release = *w;
	call->released_by_caller = net_addr_eq(&w->src, &call->caller);
	for (size_t at = 0; at < cause.len; at++) /* octet 3 may be extended; the value follows */
		if (u8_at(cause, at) & 0x80 && at + 1 < cause.len) {
			call->cause = (int)(u8_at(cause, at + 1) & 0x7f);
			break;
		}
}

void h323_tpkt(struct diag *d, const struct capture_where *w, struct span bytes)
{
	unsigned type, reference = 0;
	size_t length = u8_at(bytes, 1);
	struct h323_call *call;
	struct span ies;

	if (bytes.len < 5 || u8_at(bytes, 0) != 0x08 || length > 2 || bytes.len < 3 + length)
		return;
	for (size_t i = 0; i < length; i++)
		reference = reference << 8 | u8_at(bytes, 2 + i);
	reference &= length == 2 ? 0x7fff : 0x7f;
	type = u8_at(bytes, 2 + length);
	ies = span_skip(bytes, 3 + length);
	call = call_of(d, w, reference, type == Q931_SETUP);
	if (!call)
		return;
	if (type == Q931_SETUP && !call->setup.utc_us) {
		call->setup = *w;
		call->called = digits(d, element(ies, 0x70));
		call->calling = digits(d, element(ies, 0x6c));
	}
	call->alerted |= type == Q931_ALERTING;
	call->proceeded |= type == Q931_PROCEEDING || type == Q931_PROGRESS;
	if (type == Q931_CONNECT && !call->connect.utc_us)
		call->connect = *w;
	if (type == Q931_RELEASE_COMPLETE)
		released(call, w, element(ies, 0x08));
}

void h323_datagram(struct diag *d, const struct capture_where *w, struct span bytes)
{
	struct ras_refusal *refusal;
	unsigned what;

	if ((net_addr_port(&w->src) != RAS_PORT && net_addr_port(&w->dst) != RAS_PORT) ||
	    bytes.len < 4)
		return;
	what = u8_at(bytes, 0) >> 2;
	if (what != RAS_ARJ && what != RAS_RRJ && what != RAS_GRJ)
		return;
	refusal = arena_alloc(d->arena, sizeof(*refusal));
	if (!refusal)
		return;
	refusal->where = *w;
	refusal->what = (enum ras)what;
	refusal->next = d->ras_refusals;
	d->ras_refusals = refusal;
}

/* ---- verdicts ------------------------------------------------------------------------------------ */

static void add_frame(struct diag_verdict *v, const struct capture_where *w, const char *text)
{
	if (w->utc_us && v->n_evidence < DIAG_EVIDENCE_MAX)
		v->evidence[v->n_evidence++] = (struct diag_evidence){ w->frame, text };
}

/* H.245's own connection is asked for by an address in CONNECT or before; its SYN is the next connection between the two. */
static const struct tcp_note *unanswered_syn(const struct diag *d, const struct h323_call *call)
{
	for (const struct tcp_note *n = d->tcps; n; n = n->next) {
		bool answered = false;

		if (n->kind != CAPTURE_SYN || n->where.utc_us < call->setup.utc_us ||
		    (call->release.utc_us && n->where.utc_us > call->release.utc_us) ||
		    !(net_addr_eq_host(&n->where.src, &call->caller) ||
		      net_addr_eq_host(&n->where.src, &call->callee)) ||
		    net_addr_eq(&n->where.dst, &call->callee))
			continue;
		for (const struct tcp_note *m = n->next; m; m = m->next)
			answered |= m->kind == CAPTURE_SYN_ACK &&
				    net_addr_eq(&m->where.src, &n->where.dst) &&
				    net_addr_eq(&m->where.dst, &n->where.src);
		if (!answered)
			return n;
	}
	return NULL;
}

static bool is_congestion(int cause)
{
	return cause == 34 || cause == 38 || cause == 41 || cause == 42 || cause == 44 ||
	       cause == 47;
}

static void judge_unanswered(struct diag *d, struct h323_call *call, struct diag_verdict *v)
{
	v->confidence = 0.85;
	if (call->released_by_caller) {
		v->code = VERDICT_CALLER_CANCELLED;
		call->view.outcome = DIAG_CANCELLED;
	} else if (call->cause == 17) {
		v->code = VERDICT_USER_BUSY;
	} else if (call->cause == 21) {
		v->code = VERDICT_USER_DECLINED;
	} else if (call->cause == 1) {
		v->code = VERDICT_NUMBER_UNALLOCATED;
	} else {
		v->code =
			is_congestion(call->cause) ? VERDICT_H323_NO_CIRCUIT : VERDICT_H323_RELEASE;
		v->sentence = say(d, "%s released the call before an answer%s.",
				  say_host(d, &call->callee),
				  call->cause >= 0 ? say(d, " with cause %d", call->cause) : "");
	}
}

static void judge_call(struct diag *d, struct h323_call *call)
{
	struct diag_verdict *v = &call->verdict;
	const struct tcp_note *syn = unanswered_syn(d, call);

	v->code = VERDICT_NORMAL;
	v->confidence = 0.8;
	call->view.outcome = call->connect.utc_us   ? DIAG_ANSWERED
			     : call->release.utc_us ? DIAG_FAILED
						    : DIAG_INCOMPLETE;
	if (syn && (call->connect.utc_us || call->release.utc_us)) {
		v->code = VERDICT_H323_H245_BLOCKED;
		v->confidence = 0.85;
		v->sentence = say(d,
				  "H.245 wanted a connection to %s, and nobody took it: no media "
				  "could be agreed.",
				  say_addr(d, &syn->where.dst));
		add_frame(v, &syn->where, "SYN without an answer");
	} else if (call->view.outcome == DIAG_FAILED) {
		judge_unanswered(d, call, v);
	} else if (call->view.outcome == DIAG_INCOMPLETE) {
		v->code = VERDICT_CAPTURE_INCOMPLETE;
	}
	add_frame(v, &call->setup, "SETUP");
	add_frame(v, &call->connect, "CONNECT");
	add_frame(v, &call->release, "RELEASE COMPLETE");
}

static void show(struct diag *d, struct diag_case *view, struct diag_verdict *v,
		 const union net_addr *caller, uint64_t start_us)
{
	const struct diag_code_info *info = diag_code_info(v->code);

	view->h323 = true;
	view->call_id = say(d, "h323:%s", say_host(d, caller));
	view->start_us = start_us;
	view->verdicts = v;
	view->n_verdicts = 1;
	v->side = info->side;
	v->fix = info->fix;
	if (!v->sentence)
		v->sentence = info->sentence;
}

unsigned h323_finish(struct diag *d, const struct diag_case **cases)
{
	unsigned n = 0;

	for (struct h323_call *call = d->h323_calls; call; call = call->next, n++) {
		if (!cases)
			continue;
		judge_call(d, call);
		show(d, &call->view, &call->verdict, &call->caller, call->setup.utc_us);
		call->view.from = call->calling;
		call->view.to = call->called;
		call->view.answer_us = call->connect.utc_us;
		call->view.end_us = call->release.utc_us;
		cases[n] = &call->view;
	}
	for (struct ras_refusal *r = d->ras_refusals; r; r = r->next, n++) {
		if (!cases)
			continue;
		r->verdict.code = r->what == RAS_ARJ   ? VERDICT_H323_ARJ
				  : r->what == RAS_RRJ ? VERDICT_H323_RRJ
						       : VERDICT_H323_GRJ;
		r->verdict.confidence = 0.85;
		add_frame(&r->verdict, &r->where, "the refusal");
		r->view.registration = r->what != RAS_ARJ;
		r->view.outcome = DIAG_FAILED;
		r->view.from = r->view.to = "";
		show(d, &r->view, &r->verdict, &r->where.dst, r->where.utc_us);
		cases[n] = &r->view;
	}
	return n;
}
