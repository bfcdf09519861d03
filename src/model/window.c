/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time windows: hours of some days, by the clocks of a zone. All is computed from the moment alone, so where
 * clocks are put forward an hour is missing from the window, and where they are put back it counts twice. */
#include "model/model_int.h"

static bool date_listed(const int32_t *dates, unsigned n, int32_t day)
{
	unsigned low = 0, high = n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (dates[middle] < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && dates[low] == day;
}

static bool is_work_day(const struct model_calendar *calendar, int32_t day, unsigned weekday)
{
	if (calendar && date_listed(calendar->holidays, calendar->n_holidays, day))
		return false;
	if (calendar && date_listed(calendar->work_days, calendar->n_work_days, day))
		return true;
	return weekday >= 1 && weekday <= 5;
}

static bool day_holds(const struct model_window *window, int32_t day, unsigned weekday)
{
	uint32_t work = 1u << MODEL_WORK_DAY, rest = 1u << MODEL_HOLIDAY;

	if (window->days >> weekday & 1)
		return true;
	if (!(window->days & (work | rest)))
		return false;
	return window->days & (is_work_day(window->calendar, day, weekday) ? work : rest);
}

bool model_window_holds(const struct model_window *window, const struct zone *zone, uint64_t utc_us)
{
	struct civil now = zone_civil(zone, utc_us);

	if (window->from < window->to)
		return now.second >= window->from && now.second < window->to &&
		       day_holds(window, now.day, now.weekday);
	if (now.second >= window->from)
		return day_holds(window, now.day, now.weekday);
	return now.second < window->to && day_holds(window, now.day - 1, (now.weekday + 6u) % 7);
}

int model_line_limit(const struct model_limits *limits, const struct zone *zone, uint64_t utc_us)
{
	for (unsigned i = 0; i < limits->n_scheduled; i++)
		if (model_window_holds(&limits->scheduled[i].when, zone, utc_us))
			return limits->scheduled[i].line_limit;
	return limits->line_limit;
}

struct call_rate model_call_rate(const struct model_limits *limits, const struct zone *zone,
				 uint64_t utc_us)
{
	for (unsigned i = 0; i < limits->n_scheduled_rates; i++)
		if (model_window_holds(&limits->scheduled_rates[i].when, zone, utc_us))
			return limits->scheduled_rates[i].rate;
	return limits->rate;
}

/* `rules` are those that no window replaces. */
static struct model_rules rules_now(struct model_rules rules,
				    const struct model_rule_window *scheduled, unsigned n,
				    const struct zone *zone, uint64_t utc_us)
{
	for (unsigned i = 0; i < n; i++) {
		if (!model_window_holds(&scheduled[i].when, zone, utc_us))
			continue;
		if (scheduled[i].caller_rules)
			rules.caller = scheduled[i].caller_rules;
		if (scheduled[i].callee_rules)
			rules.callee = scheduled[i].callee_rules;
		break;
	}
	return rules;
}

struct model_rules model_rules(const struct model_numbers *numbers, const struct zone *zone,
			       uint64_t utc_us)
{
	const struct model_rules always = { numbers->caller_rules, numbers->callee_rules };

	return rules_now(always, numbers->scheduled, numbers->n_scheduled, zone, utc_us);
}

struct model_rules model_rules_to(const struct model_phone *phone, const struct zone *zone,
				  uint64_t utc_us)
{
	const struct model_rules always = { phone->to_caller_rules, phone->to_callee_rules };

	return rules_now(always, phone->to_scheduled, phone->n_to_scheduled, zone, utc_us);
}

int model_priority(const struct model *m, const struct model_routing *gw, uint64_t utc_us)
{
	const struct zone *zone = model_zone(m, gw->account);

	for (unsigned i = 0; i < gw->n_scheduled_priorities; i++)
		if (model_window_holds(&gw->scheduled_priorities[i].when, zone, utc_us))
			return gw->scheduled_priorities[i].priority;
	return gw->priority;
}

const struct zone *model_zone(const struct model *m, const struct model_account *account)
{
	return account && account->zone ? account->zone : m->zone;
}
