/* SPDX-License-Identifier: GPL-3.0-or-later */
/* After the answer. The ACK comes first: whatever happens 32 s after an answer that nobody acknowledged is a consequence. */
#include "diag/diag_int.h"

#define TIMER_H (64 * T1_US)
#define REPEATS_THAT_MEAN_IT 5 /* of a response: 0, 0.5, 1.5, 3.5, 7.5 s */
#define SOON (5 * SEC)

static const struct message *first_request(const struct tx *tx)
{
	return tx->n_requests ? tx->requests[0] : NULL;
}

static uint64_t last_repeat(const struct tx *tx, const struct message *response)
{
	uint64_t last = response->where.utc_us;

	for (unsigned i = 0; i < tx->n_responses; i++)
		if (tx->responses[i]->sip->status == response->sip->status &&
		    span_eq(tx->responses[i]->sip->to_tag, response->sip->to_tag))
			last = tx->responses[i]->where.utc_us;
	return last;
}

/* ---- the ACK -------------------------------------------------------------------------------------- */

static const struct message *ack_of(const struct leg *leg, const struct tx *invite,
				    const struct message *answer)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		for (unsigned i = 0; tx->cseq == invite->cseq && i < tx->n_acks; i++)
			if (span_eq(tx->acks[i]->sip->to_tag, answer->sip->to_tag))
				return tx->acks[i];
	return NULL;
}

/* A 2xx that was repeated until its sender gave up, on any hop; `fork`: another one of the same INVITE was acknowledged. */
struct unheard {
	const struct tx *tx;
	const struct message *answer, *ack;
	unsigned sends;
	bool fork;
};

static bool find_unheard(const struct leg *leg, struct unheard *out)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		if (tx->method != SIP_INVITE ||
		    !tx->n_requests) /* a tap that has one direction alone */
			continue;
		for (unsigned i = 0; i < tx->n_responses; i++) {
			const struct message *m = tx->responses[i], *ack;
			unsigned sends;

			if (m->duplicate || m->repeats || m->sip->status < 200 ||
			    m->sip->status > 299)
				continue;
			sends = tx_response_sends(tx, m);
			ack = ack_of(leg, tx, m);
			if (sends < REPEATS_THAT_MEAN_IT ||
			    (ack && last_repeat(tx, m) < ack->where.utc_us + SEC))
				continue;
			*out = (struct unheard){ tx, m, ack, sends, false };
			for (unsigned j = 0; j < tx->n_responses; j++)
				out->fork |=
					tx->responses[j]->sip->status / 100 == 2 &&
					!span_eq(tx->responses[j]->sip->to_tag, m->sip->to_tag) &&
					ack_of(leg, tx, tx->responses[j]);
			return true;
		}
	}
	return false;
}

/* Who goes on asking after the answer has not heard it. */
static bool caller_still_asks(const struct leg *leg, const struct unheard *u)
{
	const struct message *last =
		u->tx->n_requests ? u->tx->requests[u->tx->n_requests - 1] : NULL;

	if (leg->cancel && leg->cancel->first_us > u->answer->where.utc_us)
		return true;
	return last && last->where.utc_us > u->answer->where.utc_us + 300 * MSEC;
}

static bool no_ack(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	struct unheard u;
	const struct message *bye = leg->bye ? first_request(leg->bye) : NULL;
	const char *ended = "";

	if (!find_unheard(leg, &u))
		return false;
	if (bye && bye->where.utc_us > u.answer->where.utc_us)
		ended = say(d, " and hung up %s after it",
			    say_time(d, bye->where.utc_us - u.answer->where.utc_us));
	v->confidence = 0.9;
	if (u.fork) {
		v->code = VERDICT_FORK_SECOND_200_UNACKED;
		v->sentence = say(d,
				  "Two phones answered; %s was never acknowledged and repeated its "
				  "answer %u times.",
				  say_addr(d, &u.answer->where.src), u.sends);
		v->excluded = "a missing ACK of the whole call: the other answer was acknowledged";
	} else if (u.ack) {
		v->code = VERDICT_ACK_MISROUTED;
		v->confidence = net_addr_eq(&u.ack->where.dst, &u.answer->where.src) ? 0.7 : 0.9;
		v->sentence = say(d,
				  "The ACK went to %s, while the answer came from %s, which never "
				  "heard it%s.",
				  say_addr(d, &u.ack->where.dst), say_addr(d, &u.answer->where.src),
				  ended);
		v->excluded = "a caller that sends no ACK: it did, to where the answer's Contact "
			      "or Route points; "
			      "the session timer: it cannot end a call before 60 s (RFC 4028)";
	} else if (caller_still_asks(leg, &u)) {
		v->code = VERDICT_ANSWER_LOST;
		v->sentence =
			say(d, "The answer of %s never reached the caller, which went on asking%s.",
			    say_addr(d, &u.answer->where.src), ended);
		v->excluded = "a missing ACK: the caller behaves as if nobody had answered";
	} else {
		v->code = VERDICT_NO_ACK_FOR_2XX;
		v->sentence =
			say(d, "%s never acknowledged the answer; %s repeated it%s.",
			    say_addr(d, &u.tx->client), say_addr(d, &u.answer->where.src), ended);
		v->excluded = "the session timer: it cannot end a call before 60 s and repeats no "
			      "answer (RFC 4028)";
	}
	v->counted = say(d, "The answer was sent %u times within %s; %s.", u.sends,
			 say_time(d, last_repeat(u.tx, u.answer) - u.answer->where.utc_us),
			 u.ack ? "the ACK did not stop it" : "no ACK for it is in the capture");
	evidence(d, v, u.answer, "%u, sent %u times", u.answer->sip->status, u.sends);
	if (u.ack)
		evidence(d, v, u.ack, "ACK to %s", say_addr(d, &u.ack->where.dst));
	if (bye)
		evidence(d, v, bye, "BYE");
	return true;
}

/* ---- crossing of CANCEL and answer ------------------------------------------------------------------------ */

static bool cancel_race(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	if (!leg->answer || !leg->cancel || !leg->bye ||
	    leg->cancel->first_us > leg->answer->where.utc_us + 2 * SEC ||
	    leg->bye->first_us > leg->answer->where.utc_us + SOON)
		return false;
	v->code = VERDICT_CANCEL_ANSWER_RACE;
	v->confidence = 0.85;
	v->sentence = say(
		d, "The caller hung up in the moment of the answer: CANCEL and answer crossed.");
	evidence(d, v, leg->cancel->requests[0], "CANCEL");
	evidence(d, v, leg->answer, "the answer");
	evidence(d, v, leg->bye->requests[0], "BYE");
	return true;
}

/* ---- requests within the dialog ------------------------------------------------------------------------------ */

static bool has_contact(const struct message *m, union net_addr *out)
{
	struct sip_name_addr name;
	struct sip_uri uri;

	return !sip_name_addr_decode(&name, sip_header(m->sip, SIP_H_CONTACT)) &&
	       !sip_uri_decode(&uri, name.uri) &&
	       !net_addr_parse(out, uri.host, uri.port ? uri.port : 5060);
}

/* The Contact that in-dialog requests of this client have to go to, and the packet that carried it. */
static const struct message *target_of(const struct leg *leg, const struct tx *tx,
				       union net_addr *out)
{
	bool by_caller = leg->invite && span_eq(tx->requests[0]->sip->from_tag,
						leg->invite->requests[0]->sip->from_tag);
	const struct message *m = by_caller     ? leg->answer
				  : leg->invite ? leg->invite->requests[0]
						: NULL;

	return m && has_contact(m, out) ? m : NULL;
}

static bool is_unanswered(const struct diag *d, const struct tx *tx)
{
	return tx->n_requests && !tx->n_responses && tx->indialog &&
	       (tx_sends(tx) >= 5 ||
		(tx_sends(tx) >= 2 && capture_covers(d, tx->first_us, 32 * SEC)));
}

/* A request of the dialog that nobody answers: because of where it was sent, or in spite of that. */
static bool undelivered(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const char *method;
		const struct message *said;
		union net_addr target;

		if (!leg->answer || !is_unanswered(d, tx))
			continue;
		method = sip_method_name(tx->method);
		said = target_of(leg, tx, &target);
		v->confidence = 0.85;
		if (said && is_private(&target) && !net_addr_eq_host(&target, &said->where.src) &&
		    net_addr_eq_host(&target, &tx->server)) {
			v->code = VERDICT_CONTACT_UNREACHABLE;
			v->sentence = say(d,
					  "%s went to %s, the address in the other side's Contact, "
					  "and was never answered; its packets come from %s.",
					  method, say_addr(d, &tx->server),
					  say_addr(d, &said->where.src));
			evidence(d, v, said, "Contact %s, sent from %s", say_addr(d, &target),
				 say_addr(d, &said->where.src));
		} else if (said && !net_addr_eq(&target, &tx->server) &&
			   !sip_header(tx->requests[0]->sip, SIP_H_ROUTE).p &&
			   net_addr_eq_host(&target, &said->where.src)) {
			v->code = VERDICT_CONTACT_IGNORED;
			v->sentence = say(d,
					  "%s went to %s although the other side's Contact is %s, "
					  "and was never answered.",
					  method, say_addr(d, &tx->server), say_addr(d, &target));
			evidence(d, v, said, "Contact %s", say_addr(d, &target));
		} else if (tx->method == SIP_BYE) {
			v->code = VERDICT_BYE_UNDELIVERED;
			v->sentence = say(d,
					  "The BYE to %s was never answered: the other side may "
					  "believe that the call is up.",
					  say_addr(d, &tx->server));
		} else {
			continue;
		}
		v->counted = say(d, "%s was sent %u times within %s.", method, tx_sends(tx),
				 say_time(d, tx->last_us - tx->first_us));
		evidence(d, v, tx->requests[0], "%s to %s", method, say_addr(d, &tx->server));
		return true;
	}
	return false;
}

/* The other side had hung up before it said this; two BYEs may cross. */
static bool is_peers_end(const struct leg *leg, const struct tx *tx)
{
	const struct message *final = tx_final(tx);

	if (leg->bye && leg->bye != tx && leg->bye->first_us < tx->first_us)
		return true;
	for (const struct tx *t = leg->txs; t && final && tx->n_requests; t = t->next)
		if (t->method == SIP_BYE && t->n_requests && t->first_us < final->where.utc_us &&
		    !span_eq(t->requests[0]->sip->from_tag, tx->requests[0]->sip->from_tag))
			return true;
	return false;
}

/* Who is challenged within the call asks once more with credentials. */
static bool asked_again(const struct leg *leg, const struct tx *challenged)
{
	for (const struct tx *tx = challenged->next; tx; tx = tx->next)
		if (tx->method == challenged->method && tx->n_requests &&
		    tx->cseq > challenged->cseq &&
		    span_eq(tx->requests[0]->sip->from_tag,
			    challenged->requests[0]->sip->from_tag) &&
		    auth_credentials(tx->requests[0]).len)
			return true;
	return false;
}

/* 481: the same dialog by tags and Call-ID, or one that was rewritten. A consequence of a BYE from the other side is none. */
static bool dialog_unknown(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = tx_final(tx), *request = first_request(tx);
		struct span mine, theirs;
		bool same;

		if (!leg->answer || !final || !request || !tx->indialog ||
		    final->sip->status != 481 || is_peers_end(leg, tx) ||
		    tx->method == SIP_NOTIFY || tx->method == SIP_SUBSCRIBE)
			continue;
		mine = leg->invite->requests[0]->sip->from_tag;
		theirs = leg->answer->sip->to_tag;
		same = (span_eq(request->sip->from_tag, mine) &&
			span_eq(request->sip->to_tag, theirs)) ||
		       (span_eq(request->sip->from_tag, theirs) &&
			span_eq(request->sip->to_tag, mine));
		v->code = same ? VERDICT_DIALOG_LOST_AT_PEER : VERDICT_DIALOG_TAG_MISMATCH;
		v->confidence = 0.85;
		v->sentence =
			same ? say(d, "%s no longer knows the call: it answered %s with 481.",
				   say_addr(d, &final->where.src), sip_method_name(tx->method))
			     : say(d,
				   "%s carried other tags than the call was set up with, and %s "
				   "answered 481.",
				   sip_method_name(tx->method), say_addr(d, &final->where.src));
		v->excluded = same ? "rewritten tags: they are those of its own answer"
				   : "a peer that lost the call: the tags were changed on the way";
		evidence(d, v, leg->answer, "the answer, To tag %.*s",
			 SPAN_ARG(span_head(theirs, 40)));
		evidence(d, v, request, "%s", sip_method_name(tx->method));
		evidence(d, v, final, "481");
		return true;
	}
	return false;
}

/* With a To tag it is for the far end; a proxy that answers as for a new call has lost the way. */
static bool indialog_misrouted(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = tx_final(tx);
		unsigned status = final ? final->sip->status : 0;

		if (!leg->answer || !tx->n_requests || !tx->indialog || is_peers_end(leg, tx) ||
		    (status != 404 && status != 403 && status != 407 && status != 416 &&
		     status != 604) ||
		    (status == 407 && asked_again(leg, tx)) ||
		    (tx->method != SIP_BYE && tx->method != SIP_INVITE && tx->method != SIP_UPDATE))
			continue;
		v->code = VERDICT_INDIALOG_MISROUTED;
		v->confidence = 0.85;
		v->sentence =
			say(d, "%s of the running call was taken for a new one: %s answered %s.",
			    sip_method_name(tx->method), say_addr(d, &final->where.src),
			    quote(d, final));
		v->excluded = "a number that does not exist: the request has a To tag";
		evidence(d, v, tx->requests[0], "%s, Route: %.*s", sip_method_name(tx->method),
			 SPAN_ARG(span_head(sip_header(tx->requests[0]->sip, SIP_H_ROUTE), 120)));
		evidence(d, v, final, "%s", quote(d, final));
		return true;
	}
	return false;
}

/* ---- session timer and re-INVITEs ------------------------------------------------------------------------------- */

static bool is_refresh_method(const struct tx *tx)
{
	return tx->indialog && tx->n_requests &&
	       (tx->method == SIP_INVITE || tx->method == SIP_UPDATE);
}

/* A number that does not exist was asked for in a request that has a To tag: it went astray (indialog_misrouted). */
static bool is_astray(unsigned status)
{
	return status == 404 || status == 416 || status == 604;
}

/* Nothing new is offered: the same description, by its version, or none at all. */
static bool is_refresh(const struct leg *leg, const struct tx *tx)
{
	const struct message *request = tx->requests[0];
	bool by_caller = span_eq(request->sip->from_tag, leg->invite->requests[0]->sip->from_tag);

	if (!sip_header(request->sip, SIP_H_SESSION_EXPIRES).len)
		return false;
	if (!request->sdp || !request->sdp->sdp)
		return true;
	for (unsigned i = 0; i < leg->n_lines; i++) {
		const struct media_line *line = &leg->lines[i];

		if (line->of_caller == by_caller && line->message->where.utc_us < tx->first_us &&
		    line->sdp->version == request->sdp->sdp->version)
			return true;
	}
	return false;
}

/* After a collision it is enough that one of the two asks again (RFC 3261 14.1). */
static bool was_repeated_well(const struct leg *leg, const struct tx *failed)
{
	const struct message *final = tx_final(failed);
	bool collided = final && final->sip->status == 491;

	for (const struct tx *tx = failed->next; tx; tx = tx->next)
		if (is_refresh_method(tx) && tx->first_us >= failed->first_us &&
		    (collided || net_addr_eq_host(&tx->client, &failed->client)) &&
		    tx_first(tx, 200, 299))
			return true;
	return false;
}

static bool offers_fax(const struct message *m)
{
	for (unsigned i = 0; m->sdp && m->sdp->sdp && i < m->sdp->sdp->n_media; i++)
		if (span_ieq(m->sdp->sdp->media[i].kind, SPAN("image")))
			return true;
	return false;
}

static bool reinvite(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = tx_final(tx);
		unsigned status = final ? final->sip->status : 0;
		bool ended, refresh;

		/* What was asked before the answer, the answer has settled. */
		if (!leg->answer || !is_refresh_method(tx) || is_peers_end(leg, tx) ||
		    tx->first_us < leg->answer->where.utc_us || was_repeated_well(leg, tx) ||
		    offers_fax(tx->requests[0]) || is_astray(status))
			continue;
		ended = leg->bye && leg->bye->first_us >= tx->first_us &&
			leg->bye->first_us <= tx->last_us + SOON;
		refresh = is_refresh(leg, tx);
		if (status == 491 && (ended || capture_covers(d, tx->last_us, 10 * SEC))) {
			v->code = VERDICT_GLARE_NOT_RETRIED;
			v->sentence = say(d,
					  "Both sides changed the call at once, %s was refused "
					  "with 491 and did not ask again.",
					  say_addr(d, &tx->client));
		} else if (status >= 400 && status != 401 && status != 407 && status != 491 &&
			   status != 481 && leg->bye && refresh) {
			v->code = VERDICT_SESSION_REFRESH_REJECTED;
			v->sentence = say(
				d,
				"%s refused the session refresh with %s, and the call was ended.",
				say_addr(d, &final->where.src), quote(d, final));
		} else if (status >= 400 && status != 401 && status != 407 && status != 491 &&
			   status != 481 && ended) {
			v->code = VERDICT_REINVITE_REJECTED;
			v->sentence = say(d,
					  "%s refused the change of the call with %s, and the call "
					  "was ended.",
					  say_addr(d, &final->where.src), quote(d, final));
		} else if (!final && is_unanswered(d, tx) && refresh && leg->bye &&
			   leg->bye->first_us > tx->first_us) {
			v->code = VERDICT_SESSION_REFRESH_UNANSWERED;
			v->sentence = say(
				d, "%s never answered the session refresh, and the call was ended.",
				say_addr(d, &tx->server));
		} else {
			continue;
		}
		v->confidence = 0.85;
		v->excluded = "a missing ACK: the first answer was acknowledged";
		evidence(d, v, tx->requests[0], "%s within the call", sip_method_name(tx->method));
		if (final)
			evidence(d, v, final, "%s", quote(d, final));
		if (leg->bye)
			evidence(d, v, leg->bye->requests[0], "BYE");
		return true;
	}
	return false;
}

static const char *const timer_words[] = { "session timer", "session expire", "session-expires",
					   "session timeout", NULL };

static bool is_near(uint64_t a, uint64_t b)
{
	return a < b + 5 * SEC / 2 && b < a + 5 * SEC / 2;
}

/* Did the BYE come from the client of the exchange that agreed on the interval? */
static bool by_client_of(const struct leg *leg, const struct message *agreed)
{
	return span_eq(leg->bye->requests[0]->sip->from_tag, agreed->sip->from_tag);
}

/* RFC 4028 10: the side that does not refresh hangs up at the interval less 32 s or a third, whichever is less. */
static bool timer_expired(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *last = leg->answer;
	uint64_t due, came;
	uint32_t seconds;
	bool by_refresher;
	char refresher;

	if (!leg->answer || !leg->bye)
		return false;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *ok = is_refresh_method(tx) ? tx_first(tx, 200, 299) : NULL;

		if (ok && ok->where.utc_us > last->where.utc_us &&
		    ok->where.utc_us < leg->bye->first_us)
			last = ok;
	}
	if (sip_session_expires_decode(sip_header(last->sip, SIP_H_SESSION_EXPIRES), &seconds,
				       &refresher) ||
	    seconds < 90)
		return false;
	due = (seconds - (seconds / 3 < 32 ? seconds / 3 : 32)) * SEC;
	came = leg->bye->first_us - last->where.utc_us;
	by_refresher = refresher && (refresher == 'a') == by_client_of(leg, last);
	if (!says(leg->bye->requests[0], timer_words) &&
	    (by_refresher || (!is_near(came, due) && !is_near(came, seconds * SEC))))
		return false;
	v->code = VERDICT_SESSION_TIMER_EXPIRED;
	v->confidence = 0.85;
	v->sentence = say(d,
			  "The call was ended %s after the last refresh because nobody refreshed "
			  "it: the agreed interval is %u s%s.",
			  say_time(d, came), seconds,
			  refresher == 'a'   ? ", the caller's side was to refresh"
			  : refresher == 's' ? ", the called side was to refresh"
					     : "");
	v->excluded = "a missing ACK: that ends a call at 32 s, and the answer was not repeated";
	evidence(d, v, last, "Session-Expires agreed: %u s", seconds);
	evidence(d, v, leg->bye->requests[0], "BYE %s later", say_time(d, came));
	return true;
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

static const struct tx *any_of(const struct leg *leg, enum sip_method method)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == method)
			return tx;
	return NULL;
}

/* Then one of them is ended at once, as it should be. */
static bool several_answered(const struct leg *leg)
{
	for (unsigned i = 0; i < leg->invite->n_responses; i++)
		if (leg->invite->responses[i]->sip->status / 100 == 2 &&
		    !span_eq(leg->invite->responses[i]->sip->to_tag, leg->answer->sip->to_tag))
			return true;
	return false;
}

static bool early_bye(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *bye = leg->bye ? first_request(leg->bye) : NULL;
	struct span reason = bye ? sip_header(bye->sip, SIP_H_REASON) : SPAN_NONE;
	uint64_t talked;

	if (!leg->answer || !bye || bye->where.utc_us < leg->answer->where.utc_us)
		return false;
	talked = bye->where.utc_us - leg->answer->where.utc_us;
	if (talked >= SEC || several_answered(leg) || any_of(leg, SIP_REFER) ||
	    sip_header_named(bye->sip, "Also").p ||
	    sip_header(leg->invite->requests[0]->sip, SIP_H_REPLACES).p)
		return false;
	v->code = VERDICT_EARLY_BYE;
	v->confidence = 0.7;
	v->side = leg->bye_by_caller ? DIAG_CALLER : DIAG_CALLEE;
	v->sentence = reason.len
			      ? say(d, "%s hung up %s after the answer; its reason: %.*s.",
				    say_addr(d, &bye->where.src), say_time(d, talked),
				    SPAN_ARG(span_head(reason, 160)))
			      : say(d, "%s hung up %s after the answer, without giving a reason.",
				    say_addr(d, &bye->where.src), say_time(d, talked));
	evidence(d, v, leg->answer, "the answer");
	evidence(d, v, bye, "BYE");
	return true;
}

diag_rule *const rules_dialog[] = { no_ack,        cancel_race,    reinvite,
				    timer_expired, dialog_unknown, indialog_misrouted,
				    undelivered,   early_bye,      NULL };
