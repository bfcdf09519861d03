/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All that a call takes on one side, at once or not at all. Lines are taken first: they can be given back without
 * a trace. In both rounds the order is that of the claims, the narrowest first, so that the one that refuses is the one that
 * the operator can do most about. */
#include "model/model_int.h"

#include <limits.h>

/* ---- which ------------------------------------------------------------------------------ */

static struct claim *add_claim(struct claims *out, enum claim_of of, const char *object,
			       struct load *load, const struct model_limits *limits,
			       const struct zone *zone, uint64_t utc_us)
{
	struct claim *c = &out->claim[out->n++];

	assert(out->n <= CLAIMS_MAX);
	*c = (struct claim){ .of = of,
			     .object = object,
			     .load = load,
			     .lines = &load->lines,
			     .line_limit = model_line_limit(limits, zone, utc_us),
			     .rate_limit = limits->rate_limit,
			     .rate_burst = limits->rate_burst };
	return c;
}

static void add_groups(const struct model *m, const struct model_group *const *groups, unsigned n,
		       int reserved, uint64_t utc_us, struct claims *out)
{
	for (unsigned i = 0; i < n; i++)
		add_claim(out, CLAIM_GROUP, groups[i]->name, groups[i]->load, &groups[i]->limits,
			  m->zone, utc_us)
			->reserved = reserved;
}

static void add_phone(const struct model *m, const struct model_phone *phone, bool calls,
		      uint64_t utc_us, struct claims *out)
{
	struct load_box *box = load_box_of(phone->load);
	const struct claim one_way = {
		.of = calls ? CLAIM_PHONE_OUT : CLAIM_PHONE_IN,
		.object = phone->number,
		.load = phone->load,
		.lines = calls ? &box->lines_out : &box->lines_in,
		.line_limit = calls ? phone->lines_out : phone->lines_in,
	};

	out->claim[out->n++] = one_way;
	add_claim(out, CLAIM_PHONE, phone->number, phone->load, &phone->limits,
		  model_zone(m, phone->account), utc_us);
}

static void add_account(const struct model *m, const struct model_account *account, uint64_t utc_us,
			struct claims *out)
{
	if (account)
		add_claim(out, CLAIM_ACCOUNT, account->name, account->load, &account->limits,
			  model_zone(m, account), utc_us);
}

void claims_of_caller(const struct model *m, const struct model_mapping *mapping,
		      const struct model_phone *phone, const struct model_account *account,
		      uint64_t utc_us, struct claims *out)
{
	const struct model_limits system = { .line_limit = (int)m->params.max_calls,
					     .rate_limit = (uint32_t)m->params.max_cps,
					     .rate_burst = (uint32_t)m->params.max_cps_burst };

	out->n = 0;
	if (mapping) {
		add_claim(out, CLAIM_GATEWAY, mapping->name, mapping->load, &mapping->limits,
			  model_zone(m, mapping->account), utc_us);
		add_groups(m, mapping->groups, mapping->n_groups, mapping->reserved_lines, utc_us,
			   out);
	} else {
		add_phone(m, phone, true, utc_us, out);
	}
	add_account(m, account, utc_us, out);
	add_claim(out, CLAIM_SYSTEM, "system", m->load, &system, m->zone, utc_us);
}

void claims_of_callee(const struct model *m, const struct model_routing *routing,
		      const struct model_phone *phone, uint64_t utc_us, struct claims *out)
{
	out->n = 0;
	if (!routing) {
		add_phone(m, phone, false, utc_us, out);
		return;
	}
	add_claim(out, CLAIM_GATEWAY, routing->name, routing->load, &routing->limits,
		  model_zone(m, routing->account), utc_us);
	add_groups(m, routing->groups, routing->n_groups, routing->reserved_lines, utc_us, out);
	add_account(m, routing->account, utc_us, out);
}

/* ---- taking ------------------------------------------------------------------------------- */

/* Fewer lines than this must be in use: the limit's, and such that `reserved` are free. */
static int most_lines(const struct claim *c)
{
	if (c->line_limit == 0)
		return INT_MAX;
	return c->reserved > 1 ? c->line_limit - c->reserved + 1 : c->line_limit;
}

static bool refuse_lines(const struct claim *c, struct claim_refusal *out)
{
	int lines = atomic_load_explicit(c->lines, memory_order_relaxed);

	/* One may have gone since it refused: it is told as it was. */
	if (lines < most_lines(c))
		lines = most_lines(c) > 0 ? most_lines(c) : 0;
	*out = (struct claim_refusal){ .claim = *c,
				       .limit =
					       lines >= c->line_limit ? CLAIM_LINES : CLAIM_RESERVE,
				       .lines = lines };
	return true;
}

static bool refuse_rate(const struct claim *c, uint64_t mono_us, struct claim_refusal *out)
{
	uint64_t wait = load_rate_wait(c->load, c->rate_limit, c->rate_burst, mono_us);

	*out = (struct claim_refusal){ .claim = *c,
				       .limit = CLAIM_RATE,
				       .wait_us = wait ? wait : 1 };
	return true;
}

static void give_lines(const struct claims *claims, unsigned n)
{
	while (n-- > 0) {
		int before =
			atomic_fetch_sub_explicit(claims->claim[n].lines, 1, memory_order_acq_rel);

		assert(before > 0); /* given back once for each take */
	}
}

static bool take_lines(const struct claims *claims, int *taken, struct claim_refusal *refusal_out)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		taken[i] = load_take_below(c->lines, most_lines(c));
		if (taken[i])
			continue;
		atomic_fetch_add_explicit(&c->load->refused_lines, 1, memory_order_relaxed);
		refuse_lines(c, refusal_out);
		give_lines(claims, i);
		return false;
	}
	return true;
}

static bool take_rates(const struct claims *claims, uint64_t mono_us,
		       struct claim_refusal *refusal_out)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		if (load_take_rate(c->load, c->rate_limit, c->rate_burst, mono_us))
			continue;
		refuse_rate(c, mono_us, refusal_out);
		while (i-- > 0)
			load_give_rate(claims->claim[i].load, claims->claim[i].rate_limit);
		return false;
	}
	return true;
}

bool claims_take(const struct claims *claims, uint64_t mono_us, uint64_t utc_us,
		 struct claim_refusal *refusal_out)
{
	int taken[CLAIMS_MAX];

	if (!take_lines(claims, taken, refusal_out))
		return false;
	if (!take_rates(claims, mono_us, refusal_out)) {
		give_lines(claims, claims->n);
		return false;
	}
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		if (c->lines != &c->load->lines)
			continue;
		load_note_peak(c->load, taken[i]);
		load_count_call(c->load, utc_us);
	}
	return true;
}

bool claims_would_refuse(const struct claims *claims, uint64_t mono_us,
			 struct claim_refusal *refusal_out)
{
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		if (atomic_load_explicit(c->lines, memory_order_relaxed) >= most_lines(c))
			return refuse_lines(c, refusal_out);
	}
	for (unsigned i = 0; i < claims->n; i++) {
		const struct claim *c = &claims->claim[i];

		if (load_rate_wait(c->load, c->rate_limit, c->rate_burst, mono_us))
			return refuse_rate(c, mono_us, refusal_out);
	}
	return false;
}

void claims_give(const struct claims *claims)
{
	give_lines(claims, claims->n);
}
