/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long calls may be: up to a bound, or up to one drawn anew for each call between two, so that forced hang-ups do not
 * all come at the same length. */
#include "model/model_int.h"

uint64_t model_max_duration(const struct model_duration *d, uint64_t random)
{
	if (!d->least_us)
		return d->most_us;
	return d->least_us + number_below(&random, d->most_us - d->least_us + 1);
}

static void check(struct build *b, enum kind kind, unsigned i, const struct model_duration *d)
{
	if (d->least_us > d->most_us)
		build_object_error(b, kind, i, 0,
				   d->most_us ? "max_duration_least is above max_duration"
					      : "max_duration_least is given without max_duration",
				   "let max_duration be at least max_duration_least");
}

void build_check_durations(struct build *b)
{
	for (unsigned i = 0; i < b->m->n_mappings; i++)
		check(b, KIND_MAPPING, i, &b->m->mappings[i].max_duration);
	for (unsigned i = 0; i < b->m->n_routings; i++)
		check(b, KIND_ROUTING, i, &b->m->routings[i].max_duration);
	for (unsigned i = 0; i < b->m->n_phones; i++)
		check(b, KIND_PHONE, i, &b->m->phones[i].max_duration);
}
