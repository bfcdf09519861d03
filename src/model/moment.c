/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moments as people write them: RFC 3339, or without an offset by the clocks of whoever they are for. */
#include "model/model_int.h"

#define DAY_S 86400

/* "Z", "+02:00" or nothing at the end of a time, cut off. False: the offset is none. */
static bool cut_offset(struct span *time, int64_t *offset_out, bool *local_out)
{
	char sign = time->len > 6 ? time->p[time->len - 6] : '\0';
	uint32_t offset;

	*local_out = false;
	*offset_out = 0;
	if (time->len && ascii_lower(time->p[time->len - 1]) == 'z') {
		time->len--;
		return true;
	}
	*local_out = sign != '+' && sign != '-';
	if (*local_out)
		return true;
	if (!clock_parse(span_skip(*time, time->len - 5), &offset) || offset >= DAY_S)
		return false;
	*offset_out = sign == '+' ? offset : -(int64_t)offset;
	time->len -= 6;
	return true;
}

bool moment_parse(struct span text, struct model_moment *out)
{
	struct span time = text.len > 11 ? span_skip(text, 11) : SPAN_NONE;
	bool local = true;
	int64_t offset = 0;
	uint32_t second;
	int32_t day;

	if (text.len < 10 || !date_parse(span_head(text, 10), &day) || day < 1)
		return false;
	if (text.len == 10)
		second = DAY_S; /* a date alone: to its end */
	else if ((text.p[10] != ' ' && ascii_lower(text.p[10]) != 't') ||
		 !cut_offset(&time, &offset, &local) || !clock_parse(time, &second))
		return false;
	out->second = (int64_t)day * DAY_S + second - offset;
	out->local = local;
	return true;
}

/* A time that the clocks skip is the one an hour later; of one that they show twice it is the first or the second, as
 * the zone's rules have it. */
static uint64_t utc_of(const struct model_moment *moment, const struct zone *zone)
{
	int64_t s = moment->second;

	if (moment->local)
		s -= zone_offset(zone, s - zone_offset(zone, s));
	return (uint64_t)s * SEC;
}

static void resolve(struct model_moment *moment, const struct zone *zone)
{
	if (moment->second)
		moment->utc_us = utc_of(moment, zone);
}

static void resolve_trace(struct model *m, struct model_moment *until,
			  const struct model_account *account)
{
	resolve(until, model_zone(m, account));
	if (until->utc_us > m->traced_until_us)
		m->traced_until_us = until->utc_us;
}

void build_resolve_moments(struct build *b)
{
	struct model *m = b->m;

	for (unsigned i = 0; i < m->n_accounts; i++)
		resolve(&m->accounts[i].valid_until, model_zone(m, &m->accounts[i]));
	for (unsigned i = 0; i < m->n_mappings; i++)
		resolve_trace(m, &m->mappings[i].trace_until, m->mappings[i].account);
	for (unsigned i = 0; i < m->n_routings; i++)
		resolve_trace(m, &m->routings[i].trace_until, m->routings[i].account);
	for (size_t i = 0; i < param_count; i++)
		if (param_table[i].type == PARAM_TYPE_MOMENT)
			resolve((struct model_moment *)(void *)((char *)&m->params +
								param_table[i].offset),
				m->zone);
}

bool model_account_expired(const struct model_account *account, uint64_t utc_us)
{
	return account && account->valid_until.utc_us && utc_us >= account->valid_until.utc_us;
}
