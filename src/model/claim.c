/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All that a call takes on one side, at once or not at all. Lines are taken first: they can be given back without
 * a trace. In both rounds the order is that of the claims, the narrowest first, so that the one that refuses is the one that
 * the operator can do most about. */
#include "model/model_int.h"

#include <limits.h>

/* ---- which ------------------------------------------------------------------------------ */

struct listing {
	const struct model *m;
	uint64_t utc_us;
	struct claims *out;
};

/* Most limits know no time of day: they ask for no zone. */
static struct claim *add_claim(const struct listing *l, enum claim_of of, const char *object,
			       struct load *load, const struct model_limits *limits,
			       const struct model_account *account)
{
	struct claim *c = &l->out->claim[l->out->n++];

	assert(l->out->n <= CLAIMS_MAX);
	c->of = of;
	c->object = object;
	c->load = load;
	c->lines = &load->lines;
	c->line_limit = limits->line_limit;
	if (limits->n_scheduled)
		c->line_limit = model_line_limit(limits, model_zone(l->m, account), l->utc_us);
	c->reserved = 0;
	c->rate = limits->rate;
	if (limits->n_scheduled_rates)
		c->rate = model_call_rate(limits, model_zone(l->m, account), l->utc_us);
	return c;
}

static void add_groups(const struct listing *l, const struct model_group *const *groups, unsigned n,
		       int reserved)
{
	for (unsigned i = 0; i < n; i++)
		add_claim(l, CLAIM_GROUP, groups[i]->name, groups[i]->load, &groups[i]->limits,
			  NULL)
			->reserved = reserved;
}

static void add_phone(const struct listing *l, const struct model_phone *phone, bool calls)
{
	struct load_box *box = load_box_of(phone->load);
	const struct claim one_way = {
		.of = calls ? CLAIM_PHONE_OUT : CLAIM_PHONE_IN,
		.object = phone->number,
		.load = phone->load,
		.lines = calls ? &box->lines_out : &box->lines_in,
		.line_limit = calls ? phone->lines_out : phone->lines_in,
	};

	l->out->claim[l->out->n++] = one_way;
	add_claim(l, CLAIM_PHONE, phone->number, phone->load, &phone->limits, phone->account);
}

static void add_account(const struct listing *l, const struct model_account *account)
{
	if (account)
		add_claim(l, CLAIM_ACCOUNT, account->name, account->load, &account->limits,
			  account);
}

void claims_of_caller(const struct model *m, const struct model_mapping *mapping,
		      const struct model_phone *phone, const struct model_account *account,
		      uint64_t utc_us, struct claims *out)
{
	const struct model_limits system = { .line_limit = (int)m->params.max_calls,
					     .rate = { (uint32_t)m->params.max_cps,
						       (uint32_t)m->params.max_cps_burst, 1 } };
	const struct listing l = { m, utc_us, out };

	out->n = 0;
	if (mapping) {
		add_claim(&l, CLAIM_GATEWAY, mapping->name, mapping->load, &mapping->limits,
			  mapping->account);
		add_groups(&l, mapping->groups, mapping->n_groups, mapping->reserved_lines);
	}
	if (phone)
		add_phone(&l, phone, true);
	add_account(&l, account);
	add_claim(&l, CLAIM_SYSTEM, "system", m->load, &system, NULL);
}

void claims_of_callee(const struct model *m, const struct model_routing *routing,
		      const struct model_phone *phone, uint64_t utc_us, struct claims *out)
{
	const struct listing l = { m, utc_us, out };

	out->n = 0;
	if (!routing) {
		add_phone(&l, phone, false);
		return;
	}
	add_claim(&l, CLAIM_GATEWAY, routing->name, routing->load, &routing->limits,
		  routing->account);
	add_groups(&l, routing->groups, routing->n_groups, routing->reserved_lines);
	add_account(&l, routing->account);
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
	uint64_t wait = load_rate_wait(c->load, &c->rate, mono_us);

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

		if (load_take_rate(c->load, &c->rate, mono_us))
			continue;
		refuse_rate(c, mono_us, refusal_out);
		while (i-- > 0)
			load_give_rate(claims->claim[i].load, &claims->claim[i].rate);
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

		if (load_rate_wait(c->load, &c->rate, mono_us))
			return refuse_rate(c, mono_us, refusal_out);
	}
	return false;
}

void claims_give(const struct claims *claims)
{
	give_lines(claims, claims->n);
}
