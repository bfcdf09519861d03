/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is no customer: scanners, fraud, messages made to break something. What one message cannot show, the source's others do. */
#include "diag/diag_int.h"

#define SOURCE_WINDOW (60 * SEC)
#define MANY 5
#define LOOKED_AT 200 /* of a source's attempts */

static const struct message *first_message(const struct leg *leg)
{
	for (unsigned i = 0; i < leg->n_messages; i++)
		if (leg->messages[i]->sip)
			return leg->messages[i];
	return NULL;
}

static const char *const scanners[] = {
	"friendly-scanner", "sipvicious",      "sipcli", "sundayddr", "iwar",
	"sip-scan",         "sipscan",         "smap",   "sivus",     "gulp",
	"pplsip",           "vaxsipuseragent", "sipsak", NULL
};

static bool is_scanner(const struct message *m)
{
	struct span product = sip_header(m->sip, SIP_H_USER_AGENT);

	for (const char *const *name = scanners; *name; name++)
		if (says_word(product, *name))
			return true;
	return false;
}

/* What else the source of this leg began within a minute. */
struct source {
	unsigned begun, failed, forbidden, targets, callees, international;
};

static bool went_well(const struct leg *leg)
{
	for (const struct tx *tx = leg->txs; tx; tx = tx->next)
		if (tx_first(tx, 200, 299))
			return true;
	return false;
}

/* By whoever is asked to pay for it; what a vendor cannot carry he refuses with other words. */
static bool was_forbidden(const struct leg *leg)
{
	const struct message *final = leg->invite ? tx_final(leg->invite) : NULL;
	unsigned status = final ? final->sip->status : 0;

	return status == 401 || status == 403 || status == 407;
}

static bool is_international(struct span number)
{
	if (number.len && number.p[0] == '+')
		return number.len > 7;
	return number.len > 9 &&
	       (span_starts(number, SPAN("00")) || span_starts(number, SPAN("900")) ||
		span_starts(number, SPAN("011")) || span_starts(number, SPAN("9011")));
}

static void look_at_source(const struct diag *d, const struct leg *leg, const struct message *m,
			   struct source *out)
{
	const struct host *host = host_find(d, &m->where.src);
	const struct message *seen[64];
	unsigned n_seen = 0, i = host ? host_legs_from(host, leg->first_us > SOURCE_WINDOW
								     ? leg->first_us - SOURCE_WINDOW
								     : 0)
				      : 0;

	*out = (struct source){ .begun = 0 };
	for (; host && i < host->n_legs && out->begun < LOOKED_AT; i++) {
		const struct leg *other = host->legs[i];
		const struct message *first = first_message(other);
		bool new_target = true, new_callee = true;

		if (other->first_us > leg->first_us + SOURCE_WINDOW)
			break;
		if (!first || !first->sip->request)
			continue;
		out->begun++;
		out->failed += !went_well(other);
		out->forbidden += was_forbidden(other);
		for (unsigned j = 0; j < n_seen; j++) {
			new_target &= !net_addr_eq_host(&seen[j]->where.dst, &first->where.dst);
			new_callee &= !span_eq(sip_str(seen[j]->sip, seen[j]->sip->uri),
					       sip_str(first->sip, first->sip->uri));
		}
		out->targets += new_target;
		out->callees += new_callee;
		out->international += is_international(span_of(other->view.to));
		if (n_seen < ARRAY_SIZE(seen))
			seen[n_seen++] = first;
	}
}

static bool scan(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *m = first_message(leg);
	struct source source;

	if (!m || !m->sip->request || went_well(leg))
		return false;
	look_at_source(d, leg, m, &source);
	if (!is_scanner(m) && (source.begun < MANY || source.failed < source.begun * 9 / 10 ||
			       (source.targets < MANY &&
				(source.callees < 2 * MANY || m->sip->method == SIP_INVITE))))
		return false;
	v->code = VERDICT_SIP_SCAN;
	v->confidence = is_scanner(m) ? 0.9 : 0.8;
	v->sentence =
		say(d, "%s tries addresses and users one after another: no customer of anybody's.",
		    say_addr(d, &m->where.src));
	v->counted = say(d,
			 "%u attempts within a minute at %u hosts, %u of them failed; it calls "
			 "itself \"%.*s\".",
			 source.begun, source.targets, source.failed,
			 SPAN_ARG(span_head(sip_header(m->sip, SIP_H_USER_AGENT), 60)));
	v->excluded = "a phone set up wrongly: that has one user and one server";
	evidence(d, v, m, "one of them");
	return true;
}

static bool fraud(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *m = first_message(leg);
	struct source source;

	if (!m || !leg->invite || leg->answer || !is_international(span_of(leg->view.to)))
		return false;
	look_at_source(d, leg, m, &source);
	if (source.international < 2 * MANY || source.failed < source.begun * 9 / 10 ||
	    source.forbidden < source.begun * 9 / 10 || source.callees < MANY)
		return false;
	v->code = VERDICT_TOLL_FRAUD;
	v->confidence = 0.8;
	v->sentence = say(d,
			  "%s dials one international number after another and is refused each "
			  "time: somebody looks for a way to call at another's cost.",
			  say_addr(d, &m->where.src));
	v->counted = say(d, "%u calls within a minute, %u to international numbers, %u failed.",
			 source.begun, source.international, source.failed);
	v->excluded = "a customer's dialler: some of its calls would be answered";
	evidence(d, v, m, "one of them");
	return true;
}

/* Formats, paths and statements where names and numbers belong. */
static const char *const exploits[] = { "%n%n",    "%s%s%s",  "../../", "' or '", "union select",
					"<script", "/bin/sh", "$(",     "`id`",   NULL };

static bool malicious(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *m = first_message(leg);
	struct sip_uri uri;
	const char *what = NULL;

	if (!m || !m->sip->request)
		return false;
	for (const char *const *part = exploits; *part && !what; part++)
		if (says_word(span_head(m->bytes, 4096), *part))
			what = say(d, "it carries \"%s\"", *part);
	/* An INVITE for the peer's own loopback, without branch and tag: no stack makes that. */
	if (!what && m->sip->method == SIP_INVITE && !m->sip->via.branch.len &&
	    !m->sip->from_tag.len && !sip_uri_decode(&uri, sip_str(m->sip, m->sip->uri)) &&
	    span_starts(uri.host, SPAN("127.")))
		what = "an INVITE without branch and tag for the receiver's own loopback address";
	if (!what)
		return false;
	v->code = VERDICT_MALICIOUS_MESSAGE;
	v->confidence = 0.8;
	v->sentence = say(d, "%s sent a message that is made to do harm: %s.",
			  say_addr(d, &m->where.src), what);
	evidence(d, v, m, "the message");
	return true;
}

diag_rule *const rules_security[] = { malicious, fraud, scan, NULL };
