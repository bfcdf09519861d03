/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits of the callee's side. */
#include "route/route.h"

static const char *candidate_name(const struct route_candidate *candidate)
{
	return candidate->gateway ? candidate->gateway->name : candidate->phone->number;
}

bool route_take(const struct model *m, const struct route_candidate *candidate, uint64_t mono_us,
		uint64_t utc_us, struct reason *why)
{
	struct claim_refusal refusal;
	struct claims claims;

	claims_of_callee(m, candidate->gateway, candidate->phone, utc_us, &claims);
	if (claims_take(&claims, mono_us, utc_us, &refusal))
		return true;
	*why = reason_of_refusal(candidate_name(candidate), &refusal);
	return false;
}

void route_give(const struct model *m, const struct route_candidate *candidate)
{
	struct claims claims;

	claims_of_callee(m, candidate->gateway, candidate->phone, 0, &claims);
	claims_give(&claims);
}

bool route_is_full(const struct model *m, const struct route_candidate *candidate, uint64_t mono_us,
		   uint64_t utc_us, struct reason *why)
{
	struct claim_refusal refusal;
	struct claims claims;

	claims_of_callee(m, candidate->gateway, candidate->phone, utc_us, &claims);
	if (!claims_would_refuse(&claims, mono_us, &refusal))
		return false;
	*why = reason_of_refusal(candidate_name(candidate), &refusal);
	return true;
}

bool route_first_full(const struct reasons *why, struct reason *out, uint32_t *wait_s_out)
{
	const struct reason *first = NULL;
	uint32_t wait = 0;

	for (unsigned i = 0; i < why->n && i < REASONS_MAX; i++) {
		const struct reason *reason = &why->reason[i];

		if (!reason_is_limit(reason->code))
			continue;
		if (!first)
			first = reason;
		if (reason->wait_s && (!wait || reason->wait_s < wait))
			wait = reason->wait_s;
	}
	if (!first)
		return false;
	*out = *first;
	*wait_s_out = wait;
	return true;
}
