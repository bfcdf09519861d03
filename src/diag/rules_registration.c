/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registrations: what became of the last REGISTER. A first challenge is the normal way, also after a nonce has grown old. */
#include "diag/diag_int.h"

/* The last exchange of the leg. */
static const struct tx *last_register(const struct leg *leg)
{
	const struct tx *last = NULL;

	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx->method == SIP_REGISTER && tx->n_requests &&
		    (!last || tx->first_us >= last->first_us))
			last = tx;
	return last;
}

/* The newest challenge before the request, of the same hop. */
static const struct message *challenge_before(const struct leg *leg, const struct tx *tx)
{
	const struct message *found = NULL;

	for (const struct tx *t = leg->txs; t; t = t->next) {
		const struct message *final = t == tx ? NULL : tx_final(t);

		if (final && (final->sip->status == 401 || final->sip->status == 407) &&
		    final->where.utc_us <= tx->first_us &&
		    (!found || final->where.utc_us > found->where.utc_us))
			found = final;
	}
	return found;
}

static unsigned count_status(const struct leg *leg, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		n += tx->method == SIP_REGISTER && tx_first(tx, from, to) != NULL;
	return n;
}

/* Requests with credentials that were refused since the last success. */
static unsigned refused_in_a_row(const struct leg *leg)
{
	unsigned n = 0;

	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = tx->method == SIP_REGISTER ? tx_final(tx) : NULL;

		if (final && final->sip->status < 300)
			n = 0;
		else if (final && tx->n_requests && auth_credentials(tx->requests[0]).len)
			n++;
	}
	return n;
}

static void speak(struct diag *d, struct leg *leg, const struct tx *tx, const struct message *final,
		  enum diag_code code, double confidence, struct diag_verdict *v)
{
	v->code = code;
	v->confidence = confidence;
	v->sentence = say(d, "%s could not register at %s: %s", leg->view.to,
			  say_addr(d, &tx->server), diag_code_info(code)->sentence);
	v->counted =
		final ? say(d, "The last response: %s; %u challenges and %u other refusals in all.",
			    quote(d, final),
			    count_status(leg, 401, 401) + count_status(leg, 407, 407),
			    count_status(leg, 400, 699) - count_status(leg, 401, 401) -
				    count_status(leg, 407, 407))
		      : NULL;
	evidence(d, v, tx->requests[0], "REGISTER%s",
		 auth_credentials(tx->requests[0]).len ? " with credentials" : "");
	if (final)
		evidence(d, v, final, "%s", quote(d, final));
}

/* ---- nothing came back ---------------------------------------------------------------------------- */

static bool no_response(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = last_register(leg);
	const struct icmp_note *icmp;
	unsigned sends;

	if (!tx || tx->n_responses)
		return false;
	icmp = icmp_about(d, &tx->server, tx->first_us, tx->last_us + 4 * SEC);
	if (icmp) {
		speak(d, leg, tx, NULL, VERDICT_PEER_ICMP_UNREACHABLE, 0.9, v);
		v->counted = say(d, "Frame %llu: ICMP type %u code %u about %s.",
				 (unsigned long long)icmp->where.frame, icmp->said.type,
				 icmp->said.code, say_addr(d, &tx->server));
		return true;
	}
	sends = tx_sends(tx);
	/* Over UDP it is repeated until something comes (RFC 3261 17.1.2.2). */
	if (sends < 2 && tx->requests[0]->transport == CAPTURE_UDP)
		return false;
	if ((sends < 2 && !capture_covers(d, tx->first_us, 32 * SEC)) ||
	    was_heard(d, &tx->server, &tx->client, tx->first_us, tx->last_us))
		return false;
	speak(d, leg, tx, NULL, VERDICT_REG_NO_RESPONSE, sends >= 4 ? 0.9 : 0.7, v);
	v->counted = say(d, "The REGISTER was sent %u times within %s; nothing came back.", sends,
			 say_time(d, tx->last_us - tx->first_us));
	return true;
}

/* ---- credentials ------------------------------------------------------------------------------------- */

static bool credentials(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	static const struct {
		enum diag_code code;
		double confidence;
	} by_finding[] = {
		[AUTH_NONE_GIVEN] = { VERDICT_NO_CREDENTIALS, 0.85 },
		[AUTH_UNCLEAR] = { VERDICT_WRONG_PASSWORD, 0.6 },
		[AUTH_WRONG] = { VERDICT_WRONG_PASSWORD, 0.85 },
		[AUTH_OTHER_REALM] = { VERDICT_AUTH_REALM_MISMATCH, 0.85 },
		[AUTH_STALE] = { VERDICT_AUTH_NONCE_STALE, 0.8 },
		[AUTH_OLD_NONCE] = { VERDICT_AUTH_NONCE_STALE, 0.6 },
		[AUTH_OTHER_ALGORITHM] = { VERDICT_AUTH_ALGORITHM_UNSUPPORTED, 0.8 },
	};
	const struct tx *tx = last_register(leg);
	const struct message *final = tx ? tx_final(tx) : NULL;
	unsigned status = final ? final->sip->status : 0;
	enum auth_finding found;

	if (status != 401 && status != 407 && status != 403)
		return false;
	found = auth_judge(challenge_before(leg, tx), tx->requests[0], final);
	if (found == AUTH_NONE_GIVEN && status == 403) {
		speak(d, leg, tx, final, VERDICT_REG_FORBIDDEN, 0.85, v);
		return true;
	}
	/* A first challenge may be the last thing in the file. */
	if (found == AUTH_NONE_GIVEN &&
	    count_status(leg, 401, 401) + count_status(leg, 407, 407) < 2 &&
	    !capture_covers(d, final->where.utc_us, 4 * SEC))
		return false;
	/* Who was let in before uses a nonce that has grown old; he asks again at once. */
	if (status != 403 && found != AUTH_NONE_GIVEN && count_status(leg, 200, 299) &&
	    refused_in_a_row(leg) < 2)
		return false;
	if (((found == AUTH_UNCLEAR && status != 403) || found == AUTH_STALE) &&
	    !capture_covers(d, final->where.utc_us, 4 * SEC))
		return false;
	speak(d, leg, tx, final, by_finding[found].code, by_finding[found].confidence, v);
	return true;
}

/* SUBSCRIBE, MESSAGE, PUBLISH: the same question, asked for something else. */
static bool other_credentials(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *challenge = NULL;

	if (leg->invite || leg->registration)
		return false;
	for (const struct tx *tx = leg->txs; tx; tx = tx->next) {
		const struct message *final = tx->n_requests ? tx_final(tx) : NULL;
		unsigned status = final ? final->sip->status : 0;

		if (status != 401 && status != 407 && status != 403)
			continue;
		if (auth_credentials(tx->requests[0]).len &&
		    auth_judge(challenge, tx->requests[0], final) == AUTH_WRONG) {
			v->code = VERDICT_WRONG_PASSWORD;
			v->confidence = 0.7;
			v->sentence = say(d, "%s with credentials was refused by %s: %s.",
					  sip_method_name(tx->method), say_addr(d, &tx->server),
					  quote(d, final));
			evidence(d, v, tx->requests[0], "%s with credentials",
				 sip_method_name(tx->method));
			evidence(d, v, final, "%s", quote(d, final));
			return true;
		}
		challenge = final;
	}
	return false;
}

/* ---- other refusals ------------------------------------------------------------------------------------- */

static bool too_brief(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = last_register(leg);
	const struct message *final = tx ? tx_final(tx) : NULL;

	if (!final || final->sip->status != 423)
		return false;
	speak(d, leg, tx, final, VERDICT_REG_INTERVAL_TOO_BRIEF, 0.85, v);
	v->excluded = "an ordinary first refusal: it was not asked again with the interval that is "
		      "wanted";
	return true;
}

static bool refused(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = last_register(leg);
	const struct message *final = tx ? tx_final(tx) : NULL;
	unsigned status = final ? final->sip->status : 0;

	if (status < 300 || status == 401 || status == 407)
		return false;
	if (says(final, words_dns))
		speak(d, leg, tx, final, VERDICT_DNS_FAILED, 0.85, v);
	else if (status == 404)
		speak(d, leg, tx, final, VERDICT_REG_USER_UNKNOWN, 0.85, v);
	else if (status >= 500 && status < 600)
		speak(d, leg, tx, final, VERDICT_REG_REFUSED_5XX, 0.85, v);
	else
		speak(d, leg, tx, final, VERDICT_PEER_REJECTED, 0.7, v);
	return true;
}

diag_rule *const rules_registration[] = { no_response, credentials, too_brief, refused, NULL };
diag_rule *const rules_others[] = { other_credentials, NULL };
