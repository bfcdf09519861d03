/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of responses: where peers say what the number hides. */
#include "diag/diag_int.h"

const char *const words_dns[] = { "no dns", "dns ", "unresolv", "nxdomain", "enotfound", NULL };
const char *const words_cli[] = {
	"invalid cli", "cli not",  "cli reject",         "cli invalid",
	"caller id",   "a-number", "calling number",     "anonymous",
	"from number", "callerid", "origination number", "originating number",
	NULL
};
const char *const words_money[] = { "balance", "credit", "fund", "payment", "prepaid", NULL };

static struct span phrase_of(const struct message *m)
{
	return sip_str(m->sip, m->sip->reason);
}

bool says_word(struct span text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (span_ieq_bytes(text.p + i, part, len))
			return true;
	return false;
}

/* Phrase, Warning and Reason: wherever peers put their words. */
bool says(const struct message *m, const char *const *parts)
{
	struct span texts[] = { phrase_of(m), sip_header(m->sip, SIP_H_WARNING),
				sip_header(m->sip, SIP_H_REASON),
				sip_header_named(m->sip, "Error-Info") };

	for (; *parts; parts++)
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			if (says_word(texts[i], *parts))
				return true;
	return false;
}

const char *quote(struct diag *d, const struct message *m)
{
	struct span reason = sip_header(m->sip, SIP_H_REASON),
		    warning = sip_header(m->sip, SIP_H_WARNING);

	return say(d, "%u %.*s%s%.*s%s%.*s", m->sip->status, SPAN_ARG(phrase_of(m)),
		   reason.len ? "; Reason: " : "", SPAN_ARG(span_head(reason, 120)),
		   warning.len ? "; Warning: " : "", SPAN_ARG(span_head(warning, 120)));
}
