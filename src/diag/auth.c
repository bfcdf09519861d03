/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Challenges and credentials (RFC 7616 3.3, 3.4) as far as verdicts need them. */
#include "diag/diag_int.h"

struct span auth_param(struct span value, const char *name)
{
	struct span rest, word;

	span_cut(value, ' ', &word, &rest); /* "Digest" */
	while (rest.len) {
		struct span key, val;
		size_t end = 0;

		while (rest.len && (rest.p[0] == ' ' || rest.p[0] == ',' || rest.p[0] == '\t'))
			rest = span_skip(rest, 1);
		if (!span_cut(rest, '=', &key, &rest))
			break;
		rest = span_trim(rest);
		if (rest.len && rest.p[0] == '"') {
			rest = span_skip(rest, 1);
			end = span_find(rest, '"');
			val = span_head(rest, end);
			rest = span_skip(rest, end + 1);
		} else {
			end = span_find(rest, ',');
			val = span_trim(span_head(rest, end));
			rest = span_skip(rest, end);
		}
		if (span_ieq(span_trim(key), span_of(name)))
			return val;
	}
	return SPAN_NONE;
}

struct span auth_credentials(const struct message *m)
{
	struct span value = sip_header(m->sip, SIP_H_AUTHORIZATION);

	return value.len ? value : sip_header(m->sip, SIP_H_PROXY_AUTHORIZATION);
}

struct span auth_challenge(const struct message *m)
{
	struct span value = sip_header(m->sip, SIP_H_WWW_AUTHENTICATE);

	return value.len ? value : sip_header(m->sip, SIP_H_PROXY_AUTHENTICATE);
}

static bool is_digest(struct span credentials)
{
	return span_istarts(credentials, SPAN("Digest "));
}

/* Does a challenge for this realm stand anywhere in the response? Servers list one for each algorithm. */
static bool challenged_for(const struct message *response, struct span realm)
{
	static const enum sip_header headers[] = { SIP_H_WWW_AUTHENTICATE,
						   SIP_H_PROXY_AUTHENTICATE };

	for (size_t h = 0; h < ARRAY_SIZE(headers); h++)
		for (unsigned i = response->sip->first[headers[h]]; i != 0xff;
		     i = response->sip->headers[i].next)
			if (span_eq(auth_param(
					    sip_str(response->sip, response->sip->headers[i].value),
					    "realm"),
				    realm))
				return true;
	return false;
}

static bool offers_md5(const struct message *response)
{
	static const enum sip_header headers[] = { SIP_H_WWW_AUTHENTICATE,
						   SIP_H_PROXY_AUTHENTICATE };

	for (size_t h = 0; h < ARRAY_SIZE(headers); h++)
		for (unsigned i = response->sip->first[headers[h]]; i != 0xff;
		     i = response->sip->headers[i].next) {
			struct span algorithm =
				auth_param(sip_str(response->sip, response->sip->headers[i].value),
					   "algorithm");

			if (!algorithm.len || span_istarts(algorithm, SPAN("MD5")))
				return true;
		}
	return false;
}

enum auth_finding auth_judge(const struct message *challenge, const struct message *request,
			     const struct message *outcome)
{
	struct span mine = auth_credentials(request);

	if (!mine.len)
		return AUTH_NONE_GIVEN;
	if (!challenge || !is_digest(mine))
		return outcome->sip->status == 403 ? AUTH_WRONG : AUTH_UNCLEAR;
	if (!challenged_for(challenge, auth_param(mine, "realm")))
		return AUTH_OTHER_REALM;
	if (span_ieq(auth_param(auth_challenge(outcome), "stale"), SPAN("true")))
		return AUTH_STALE;
	if (!span_eq(auth_param(mine, "nonce"), auth_param(auth_challenge(challenge), "nonce")) &&
	    !span_eq(auth_param(mine, "realm"), SPAN_NONE))
		return AUTH_OLD_NONCE;
	if (!offers_md5(challenge) && !auth_param(mine, "algorithm").len)
		return AUTH_OTHER_ALGORITHM;
	return AUTH_WRONG;
}
