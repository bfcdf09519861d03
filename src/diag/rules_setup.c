/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Before the answer: the final response that came, and what became of a set-up without one. A response that an element between
 * relays carries the far end's words: phrase, Reason and Warning decide before the number. */
#include "diag/diag_int.h"

/* ---- what the response says ---------------------------------------------------------------------- */

/* The INVITE's final failure that nobody took up again. */
static const struct message *failure_of(const struct leg *leg)
{
	const struct message *final = leg->invite && !leg->answer ? tx_final(leg->invite) : NULL;

	return final && final->sip->status >= 300 ? final : NULL;
}

static void speak(struct diag *d, struct leg *leg, const struct message *final, enum diag_code code,
		  double confidence, struct diag_verdict *v)
{
	v->code = code;
	v->confidence = confidence;
	v->sentence =
		say(d, "%s answered %s after the INVITE for %s: %s", say_addr(d, &final->where.src),
		    say_time(d, final->where.utc_us - leg->first_us), leg->view.to,
		    diag_code_info(code)->sentence);
	v->counted = say(d, "The response: %s.", quote(d, final));
	evidence(d, v, leg->invite->requests[0], "INVITE");
	evidence(d, v, final, "%s", quote(d, final));
}

/* ---- by what it means ------------------------------------------------------------------------------ */

static bool carries_credentials(const struct tx *tx)
{
	const struct sip_msg *sip = tx->requests[0]->sip;

	return sip_header(sip, SIP_H_AUTHORIZATION).len ||
	       sip_header(sip, SIP_H_PROXY_AUTHORIZATION).len;
}

static bool challenge_unanswered(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);

	if (!final || (final->sip->status != 401 && final->sip->status != 407))
		return false;
	if (carries_credentials(leg->invite)) {
		speak(d, leg, final, VERDICT_WRONG_PASSWORD, 0.8, v);
		return true;
	}
	if (!capture_covers(d, final->where.utc_us, 4 * SEC))
		return false;
	speak(d, leg, final, VERDICT_NO_CREDENTIALS, 0.8, v);
	return true;
}

static bool hops_used_up(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);
	int hops;

	if (!final || (final->sip->status != 483 && final->sip->status != 482))
		return false;
	hops = leg->invite->requests[0]->sip->max_forwards;
	if (final->sip->status == 483 && hops >= 0 && hops <= 5) {
		speak(d, leg, final, VERDICT_MAX_FORWARDS_LOW, 0.9, v);
		v->excluded = "a loop: the request came with hardly a hop left, and was seen once";
		return true;
	}
	speak(d, leg, final, VERDICT_ROUTING_LOOP, 0.8, v);
	return true;
}

static bool caller_gave_up(const struct leg *leg, const struct message *final)
{
	return leg->cancel && final->sip->status == 487 &&
	       leg->cancel->first_us <= final->where.utc_us;
}

/* The time-out is the callee's side when something had come; then it is a stage timer of somebody's. */
static bool cancelled(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg), *ringing;
	uint64_t waited;

	if (!leg->invite || leg->answer || !leg->cancel || (final && !caller_gave_up(leg, final)))
		return false;
	ringing = tx_first(leg->invite, 180, 199);
	waited = leg->cancel->first_us - leg->invite->first_us;
	v->confidence = 0.8;
	if (!ringing && tx_first(leg->invite, 100, 100) && waited > 4 * SEC) {
		v->code = VERDICT_PROGRESS_TIMEOUT;
		v->sentence = say(
			d, "%s sent 100 Trying and then nothing for %s; the caller's side gave up.",
			say_addr(d, &leg->invite->server), say_time(d, waited));
		v->excluded = "silence (NO_RESPONSE): a 100 came; nobody at the phone (NO_ANSWER): "
			      "it never rang";
	} else {
		v->code = VERDICT_CALLER_CANCELLED;
		v->sentence =
			say(d, "The caller's side hung up %s after the INVITE, before an answer%s.",
			    say_time(d, waited), ringing ? "; it was ringing" : "");
	}
	evidence(d, v, leg->invite->requests[0], "INVITE");
	if (ringing)
		evidence(d, v, ringing, "%u", ringing->sip->status);
	evidence(d, v, leg->cancel->requests[0], "CANCEL");
	return true;
}

static bool dns_failed(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);

	if (!final || !says(final, words_dns))
		return false;
	speak(d, leg, final, VERDICT_DNS_FAILED, 0.85, v);
	return true;
}

static bool forbidden(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);
	unsigned status = final ? final->sip->status : 0;

	if (status == 402 || ((status == 403 || status == 503) && says(final, words_money))) {
		speak(d, leg, final, VERDICT_VENDOR_NO_CREDIT, 0.8, v);
		return true;
	}
	if ((status == 403 || status == 603 || status == 606) && says(final, words_cli)) {
		speak(d, leg, final, VERDICT_CLI_REJECTED, 0.85, v);
		return true;
	}
	if (status != 403)
		return false;
	if (carries_credentials(leg->invite))
		speak(d, leg, final, VERDICT_WRONG_PASSWORD, 0.6, v);
	else
		speak(d, leg, final, VERDICT_CALLER_FORBIDDEN, 0.8, v);
	return true;
}

/* ---- by cause and status ------------------------------------------------------------------------------ */

static enum diag_code by_cause(int q850)
{
	switch (q850) {
	case 1:
		return VERDICT_NUMBER_UNALLOCATED;
	case 17:
		return VERDICT_USER_BUSY;
	case 18:
	case 19:
		return VERDICT_NO_ANSWER;
	case 20:
		return VERDICT_USER_UNAVAILABLE;
	case 21:
		return VERDICT_USER_DECLINED;
	case 28:
		return VERDICT_ADDRESS_INCOMPLETE;
	case 34:
	case 38:
	case 41:
	case 42:
	case 44:
	case 47:
		return VERDICT_PEER_CONGESTION;
	case 65:
	case 88:
		return VERDICT_CODEC_MISMATCH;
	default:
		return VERDICTS;
	}
}

static const struct {
	unsigned status;
	enum diag_code code;
	double confidence;
} by_status[] = {
	{ 400, VERDICT_PEER_400, 0.8 },
	{ 404, VERDICT_NUMBER_UNALLOCATED, 0.8 },
	{ 405, VERDICT_METHOD_NOT_ALLOWED, 0.8 },
	{ 408, VERDICT_PEER_408, 0.85 },
	{ 410, VERDICT_NUMBER_UNALLOCATED, 0.8 },
	{ 413, VERDICT_MESSAGE_TOO_LARGE, 0.85 },
	{ 415, VERDICT_MEDIA_TYPE_UNSUPPORTED, 0.8 },
	{ 420, VERDICT_EXTENSION_UNSUPPORTED, 0.85 },
	{ 421, VERDICT_EXTENSION_UNSUPPORTED, 0.85 },
	{ 422, VERDICT_SESSION_INTERVAL_REFUSED, 0.85 },
	{ 428, VERDICT_STIR_REJECTED, 0.85 },
	{ 436, VERDICT_STIR_REJECTED, 0.85 },
	{ 437, VERDICT_STIR_REJECTED, 0.85 },
	{ 438, VERDICT_STIR_REJECTED, 0.85 },
	{ 480, VERDICT_USER_UNAVAILABLE, 0.7 },
	{ 484, VERDICT_ADDRESS_INCOMPLETE, 0.85 },
	{ 486, VERDICT_USER_BUSY, 0.85 },
	{ 488, VERDICT_CODEC_MISMATCH, 0.7 },
	{ 500, VERDICT_PEER_SERVER_ERROR, 0.8 },
	{ 501, VERDICT_METHOD_NOT_ALLOWED, 0.7 },
	{ 502, VERDICT_PEER_SERVER_ERROR, 0.8 },
	{ 503, VERDICT_PEER_CONGESTION, 0.7 },
	{ 504, VERDICT_PEER_SERVER_ERROR, 0.8 },
	{ 513, VERDICT_MESSAGE_TOO_LARGE, 0.85 },
	{ 580, VERDICT_PEER_SERVER_ERROR, 0.8 },
	{ 600, VERDICT_USER_BUSY, 0.85 },
	{ 603, VERDICT_USER_DECLINED, 0.85 },
	{ 604, VERDICT_NUMBER_UNALLOCATED, 0.85 },
	{ 606, VERDICT_CODEC_MISMATCH, 0.6 },
	{ 607, VERDICT_STIR_REJECTED, 0.8 },
	{ 608, VERDICT_STIR_REJECTED, 0.8 },
};

/* Who follows a redirect may use a Call-ID of its own. */
static bool was_followed(const struct diag *d, const struct leg *leg, const struct message *final)
{
	const struct host *host = host_find(d, &leg->invite->client);

	for (unsigned i = host ? host_legs_from(host, final->where.utc_us) : 0;
	     host && i < host->n_legs && host->legs[i]->first_us < final->where.utc_us + 2 * SEC;
	     i++)
		if (host->legs[i] != leg && host->legs[i]->invite)
			return true;
	return false;
}

/* 480 and the 5xx hide many things: there the cause that came along decides. */
static bool refused(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);
	unsigned status = final ? final->sip->status : 0;
	enum diag_code cause = final ? by_cause(sip_q850(final->sip)) : VERDICTS;

	if (!final || status == 487)
		return false;
	if (status < 400 && was_followed(d, leg, final)) {
		speak(d, leg, final, VERDICT_NORMAL, 0.8, v);
		v->sentence = "The call was redirected, and the caller's side followed.";
		return true;
	}
	if (status < 400) {
		/* Who follows does so at once; an ACK shows that the caller's side has heard. */
		if (!leg->invite->n_acks && !capture_covers(d, final->where.utc_us, 4 * SEC))
			return false;
		speak(d, leg, final, VERDICT_REDIRECT_NOT_FOLLOWED,
		      capture_covers(d, final->where.utc_us, 4 * SEC) ? 0.85 : 0.6, v);
		return true;
	}
	if (cause != VERDICTS && (status == 480 || status >= 500)) {
		speak(d, leg, final, cause, 0.8, v);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(by_status); i++)
		if (by_status[i].status == status) {
			speak(d, leg, final, by_status[i].code, by_status[i].confidence, v);
			return true;
		}
	speak(d, leg, final, VERDICT_PEER_REJECTED, 0.7, v);
	return true;
}

/* RFC 3262 3: a reliable provisional is repeated until its PRACK comes, for 64*T1. */
static bool prack_missing(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = leg->invite;

	for (unsigned i = 0; tx && i < tx->n_responses; i++) {
		const struct message *m = tx->responses[i];
		unsigned sends = 0;

		if (m->duplicate || m->repeats || m->sip->status < 101 || m->sip->status > 199 ||
		    !sip_header(m->sip, SIP_H_RSEQ).len)
			continue;
		for (unsigned j = i; j < tx->n_responses; j++)
			sends += !tx->responses[j]->duplicate &&
				 span_eq(tx->responses[j]->bytes, m->bytes);
		for (const struct tx *t = leg->txs; t; t = t->next)
			if (t->method == SIP_PRACK)
				sends = 0;
		if (sends < 4)
			continue;
		v->code = VERDICT_PRACK_MISSING;
		v->confidence = 0.9;
		v->sentence =
			say(d, "%s never acknowledged the reliable %u of %s (no PRACK).",
			    say_addr(d, &tx->client), m->sip->status, say_addr(d, &m->where.src));
		v->counted = say(d, "It was sent %u times.", sends);
		v->excluded = "a missing ACK: there was no answer yet";
		evidence(d, v, m, "%u, RSeq %.*s", m->sip->status,
			 SPAN_ARG(sip_header(m->sip, SIP_H_RSEQ)));
		return true;
	}
	return false;
}

/* Codecs in common would not help: one side offers nothing but encrypted media, or the other demands it. */
static bool srtp_mismatch(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg),
			     *invite = final ? leg->invite->requests[0] : NULL;
	const struct sdp *sdp = invite && invite->sdp ? invite->sdp->sdp : NULL;

	if (!sdp ||
	    (final->sip->status != 488 && final->sip->status != 606 && final->sip->status != 415) ||
	    !sdp->n_media || !span_istarts(sdp->media[0].transport, SPAN("RTP/SAVP")))
		return false;
	for (unsigned i = 1; i < sdp->n_media; i++)
		if (span_istarts(sdp->media[i].transport, SPAN("RTP/AVP")))
			return false;
	speak(d, leg, final, VERDICT_SRTP_MISMATCH, 0.7, v);
	v->excluded = "a codec: the offer has nothing but encrypted media";
	return true;
}

/* The same caller tries one server after another for the same number, each with a Call-ID of its own. */
static unsigned tried_elsewhere(const struct diag *d, const struct leg *leg)
{
	const struct host *host = host_find(d, &leg->invite->client);
	unsigned n = 0, looked = 0;

	for (unsigned i = host ? host_legs_from(host, leg->first_us) : 0;
	     host && i < host->n_legs && looked < 200 &&
	     host->legs[i]->first_us < leg->first_us + 60 * SEC;
	     i++, looked++) {
		const struct leg *l = host->legs[i];

		n += l->invite && !l->answer && l->first_us > leg->first_us &&
		     net_addr_eq_host(&l->invite->client, &leg->invite->client) &&
		     !net_addr_eq_host(&l->invite->server, &leg->invite->server) &&
		     strcmp(l->view.to, leg->view.to) == 0 &&
		     strcmp(l->view.from, leg->view.from) == 0;
	}
	return n;
}

/* The caller's leg fails after several on the other side have: one number hides what each of them said. */
static bool routes_exhausted(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *final = failure_of(leg);
	unsigned tried = 0;

	if (!final || final->sip->status < 400)
		return false;
	for (unsigned i = 0; i < leg->view.n_related; i++)
		tried += leg->view.related[i]->start_us >= leg->view.start_us &&
			 leg->view.related[i]->start_us <= final->where.utc_us &&
			 leg->view.related[i]->outcome != DIAG_ANSWERED;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		tried += tx->method == SIP_INVITE && !tx->indialog && tx->n_requests &&
			 net_addr_eq_host(&tx->client, &leg->invite->client) &&
			 !net_addr_eq_host(&tx->server, &leg->invite->server) &&
			 !tx_first(tx, 200, 299);
	tried += tried_elsewhere(d, leg);
	if (tried < 2)
		return false;
	speak(d, leg, final, VERDICT_ROUTES_EXHAUSTED, 0.8, v);
	v->counted =
		say(d, "%u gateways were tried and failed; each has a verdict of its own.", tried);
	return true;
}

diag_rule *const rules_setup[] = { prack_missing, srtp_mismatch, routes_exhausted,
				   dns_failed,    hops_used_up,  challenge_unanswered,
				   forbidden,     refused,       cancelled,
				   NULL };
