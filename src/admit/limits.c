/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits of the caller's side, and the words for a limit that refused on either side. */
#include "admit/admit.h"

const struct model_phone *admit_phone(const struct admit_result *from)
{
	return from->phone ? from->phone : from->behind;
}

static const char *admitted_name(const struct admit_result *from)
{
	return from->mapping ? from->mapping->name : from->phone->number;
}

void admit_claims(const struct model *m, const struct admit_result *from, uint64_t utc_us,
		  struct claims *out)
{
	assert(from->mapping || from->phone);
	claims_of_caller(m, from->mapping, admit_phone(from), from->account, utc_us, out);
}

static const struct {
	enum reason_code lines, rate;
} codes[] = {
	[CLAIM_SYSTEM] = { REASON_SYSTEM_LINES, REASON_SYSTEM_RATE },
	[CLAIM_ACCOUNT] = { REASON_ACCOUNT_LINES, REASON_ACCOUNT_RATE },
	[CLAIM_GATEWAY] = { REASON_LINE_LIMIT, REASON_RATE_LIMIT },
	[CLAIM_GROUP] = { REASON_GROUP_LINES, REASON_GROUP_RATE },
	[CLAIM_PHONE] = { REASON_PHONE_LINES, REASON_RATE_LIMIT },
	[CLAIM_PHONE_IN] = { REASON_LINES_IN, REASON_RATE_LIMIT },
	[CLAIM_PHONE_OUT] = { REASON_LINES_OUT, REASON_RATE_LIMIT },
};

/* A phone may stand behind the gateway that a call came by. */
static bool names_itself(enum claim_of of)
{
	return of == CLAIM_SYSTEM || of == CLAIM_PHONE || of == CLAIM_PHONE_OUT;
}

struct reason reason_of_refusal(const char *object, const struct claim_refusal *refusal)
{
	const struct claim *c = &refusal->claim;
	struct reason reason = { .code = codes[c->of].lines,
				 .object = names_itself(c->of) ? c->object : object,
				 .value = refusal->lines,
				 .limit = c->line_limit };

	if (c->of == CLAIM_ACCOUNT || c->of == CLAIM_GROUP)
		reason.detail = c->object;
	if (refusal->limit == CLAIM_RESERVE)
		reason.code = REASON_GROUP_RESERVE;
	if (refusal->limit == CLAIM_RATE) {
		reason.code = codes[c->of].rate;
		reason.value = c->rate.period_s;
		reason.limit = c->rate.calls;
		reason.wait_s = (uint32_t)((refusal->wait_us + SEC - 1) / SEC);
	}
	return reason;
}

bool reason_is_limit(enum reason_code code)
{
	if (code == REASON_GROUP_RESERVE)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (code == codes[i].lines || code == codes[i].rate)
			return true;
	return false;
}

enum end_code reason_end(const struct reason *reason, int *status_out)
{
	bool phone = reason->code == REASON_PHONE_LINES || reason->code == REASON_LINES_IN ||
		     reason->code == REASON_LINES_OUT;

	*status_out = phone ? 486 : 0;
	if (reason->wait_s)
		return END_RATE_LIMIT;
	if (reason->code == REASON_CALLER_POOL)
		return END_CALLER_POOL_EXHAUSTED;
	return reason->code == REASON_GROUP_RESERVE ? END_RESERVED_LINES : END_LINE_LIMIT;
}

static bool refused(struct admit_result *out, const struct claim_refusal *refusal,
		    struct reasons *why)
{
	struct reason reason = reason_of_refusal(admitted_name(out), refusal);

	reasons_add_reason(why, &reason);
	out->verdict = ADMIT_REFUSED;
	out->end = reason_end(&reason, &out->status);
	out->retry_after_s = reason.wait_s;
	reason_text(&reason, out->text, sizeof(out->text));
	return false;
}

bool admit_take(const struct model *m, const struct call_request *req, struct admit_result *out,
		struct reasons *why)
{
	struct claim_refusal refusal;
	struct claims claims;

	assert(out->verdict == ADMIT_OK);
	admit_claims(m, out, req->utc_us, &claims);
	return claims_take(&claims, req->mono_us, req->utc_us, &refusal) ||
	       refused(out, &refusal, why);
}

bool admit_would_take(const struct model *m, const struct call_request *req,
		      struct admit_result *out, struct reasons *why)
{
	struct claim_refusal refusal;
	struct claims claims;

	assert(out->verdict == ADMIT_OK);
	admit_claims(m, out, req->utc_us, &claims);
	return !claims_would_refuse(&claims, req->mono_us, &refusal) || refused(out, &refusal, why);
}

void admit_give(const struct model *m, const struct admit_result *taken)
{
	struct claims claims;

	admit_claims(m, taken, 0, &claims);
	claims_give(&claims);
}
