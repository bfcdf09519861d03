/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Limits and what is in use of them, as JSON. */
#include "model/model_int.h"

#include <inttypes.h>

/* The account whose clocks count, and the limits; false: this kind has none. */
static bool limits_of(enum kind kind, const void *object, const struct model_account **account_out,
		      const struct model_limits **limits_out)
{
	const struct model_mapping *mapping = object;
	const struct model_routing *routing = object;
	const struct model_account *account = object;
	const struct model_phone *phone = object;
	const struct model_group *group = object;

	*account_out = kind == KIND_ACCOUNT   ? account
		       : kind == KIND_MAPPING ? mapping->account
		       : kind == KIND_ROUTING ? routing->account
		       : kind == KIND_PHONE   ? phone->account
					      : NULL;
	*limits_out = kind == KIND_ACCOUNT   ? &account->limits
		      : kind == KIND_MAPPING ? &mapping->limits
		      : kind == KIND_ROUTING ? &routing->limits
		      : kind == KIND_PHONE   ? &phone->limits
		      : kind == KIND_GROUP   ? &group->limits
					     : NULL;
	return *limits_out != NULL;
}

static void write_rate(struct buf *out, const struct call_rate *rate, const struct load *load,
		       uint64_t mono_us)
{
	buf_addf(out,
		 ", \"rate_limit\": %" PRIu32 ", \"rate_burst\": %" PRIu32
		 ", \"rate_period\": %" PRIu32 ", \"rate_left\": %" PRIu32,
		 rate->calls, rate->burst ? rate->burst : rate->calls, rate->period_s,
		 load_rate_left(load, rate, mono_us));
}

void write_limits_now(struct buf *out, const struct model *m, enum kind kind, const void *object)
{
	const struct model_account *account;
	const struct model_limits *limits;
	struct call_rate rate;

	if (!limits_of(kind, object, &account, &limits))
		return;
	buf_addf(out, ", \"line_limit\": %d",
		 model_line_limit(limits, model_zone(m, account), clock_utc_us()));
	rate = model_call_rate(limits, model_zone(m, account), clock_utc_us());
	if (rate.calls)
		write_rate(out, &rate, object_load(kind, object), clock_mono_us());
}

void write_claims_now(struct buf *out, const struct model *m, enum kind kind, const void *object)
{
	const struct model_mapping *mapping = object;
	struct claims claims;

	if (kind == KIND_MAPPING)
		claims_of_caller(m, mapping, NULL, mapping->account, clock_utc_us(), &claims);
	else if (kind == KIND_ROUTING)
		claims_of_callee(m, object, NULL, clock_utc_us(), &claims);
	else
		return;
	buf_add_str(out, ", \"limits\": ");
	model_write_claims_json(out, &claims, clock_mono_us());
}

static void write_claim(struct buf *out, const struct claim *c, uint64_t mono_us)
{
	static const char *const kinds_of[] = {
		[CLAIM_SYSTEM] = "system",      [CLAIM_ACCOUNT] = "account",
		[CLAIM_GATEWAY] = "gateway",    [CLAIM_GROUP] = "group",
		[CLAIM_PHONE] = "phone",        [CLAIM_PHONE_IN] = "phone_in",
		[CLAIM_PHONE_OUT] = "phone_out"
	};
	static const char *const refusals[] = {
		[CLAIM_LINES] = "lines", [CLAIM_RESERVE] = "reserved_lines", [CLAIM_RATE] = "rate"
	};
	const struct claims alone = { .n = 1, .claim[0] = *c };
	struct claim_refusal refusal;

	buf_addf(out, "{\"of\": \"%s\", \"object\": ", kinds_of[c->of]);
	buf_add_json(out, span_of(c->object));
	buf_addf(out, ", \"lines\": %d, \"line_limit\": %d",
		 atomic_load_explicit(c->lines, memory_order_relaxed), c->line_limit);
	if (c->reserved)
		buf_addf(out, ", \"reserved_lines\": %d", c->reserved);
	if (c->rate.calls)
		write_rate(out, &c->rate, c->load, mono_us);
	if (claims_would_refuse(&alone, mono_us, &refusal))
		buf_addf(out, ", \"refuses\": \"%s\"", refusals[refusal.limit]);
	buf_add_char(out, '}');
}

void model_write_claims_json(struct buf *out, const struct claims *claims, uint64_t mono_us)
{
	buf_add_char(out, '[');
	for (unsigned i = 0; i < claims->n; i++) {
		buf_add_str(out, i ? ", " : "");
		write_claim(out, &claims->claim[i], mono_us);
	}
	buf_add_char(out, ']');
}
