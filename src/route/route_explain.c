/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For people who ask why: the plan, and beside it the gateways that no prefix led to, nearest first. It walks
 * every prefix of the configuration, so no call asks for it. */
#include "route/route_int.h"

#include <stdlib.h>

struct miss {
	const struct model_routing *gw;
	unsigned common;
};

static unsigned common_digits(struct span number, const char *prefix)
{
	unsigned n = 0;

	while (n < number.len && prefix[n] == number.p[n])
		n++;
	return n;
}

/* False: one of its prefixes begins the number. Some prefix shares the most digits with it. */
static bool is_miss(struct span number, const struct model_routing *gw, struct miss *out)
{
	*out = (struct miss){ .gw = gw };
	for (unsigned i = 0; i < gw->n_prefixes; i++) {
		unsigned common = common_digits(number, gw->prefixes[i]);

		if (gw->prefixes[i][common] == '\0')
			return false;
		if (common > out->common)
			out->common = common;
	}
	return true;
}

static int compare_misses(const void *a, const void *b)
{
	const struct miss *x = a, *y = b;

	if (x->common != y->common)
		return x->common > y->common ? -1 : 1;
	return strcmp(x->gw->name, y->gw->name);
}

enum route_verdict route_explain(const struct model *m, const struct call_request *req,
				 const struct admit_result *from, struct route_plan *plan_out,
				 struct reasons *why)
{
	enum route_verdict verdict = route_plan(m, req, from, plan_out, why);
	const struct model_phone *phone = model_phone_called(m, req->callee);
	struct miss *misses = calloc(m->n_routings + 1, sizeof(*misses));
	unsigned n = 0;

	if ((phone && !phone->offline_to_gateways) || !misses) {
		free(misses);
		return verdict;
	}
	for (unsigned i = 0; i < m->n_routings; i++)
		n += is_miss(req->callee, &m->routings[i], &misses[n]);
	qsort(misses, n, sizeof(*misses), compare_misses);
	for (unsigned i = 0; i < n; i++)
		reasons_add(why, REASON_PREFIX, misses[i].gw->name, misses[i].common, 0);
	free(misses);
	return verdict;
}
