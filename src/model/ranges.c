/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Address lists: is this source in one of a list's ranges? The ranges are sorted by where they begin, and beside each
 * place stands which of the ranges up to it reaches farthest. Of the ranges that begin at or before an address
 * that one holds it if any does, so one binary search answers, however they overlap. */
#include "model/model_int.h"

#include <stdio.h>

static void set_ends(struct model_range *range, const struct model_address *first,
		     const struct model_address *last, unsigned prefix_len)
{
	range->first[0] = range->last[0] = first->ip6;
	memcpy(range->first + 1, first->bytes, sizeof(first->bytes));
	memcpy(range->last + 1, last->bytes, sizeof(last->bytes));
	for (unsigned bit = prefix_len; bit < (first->ip6 ? 128 : 32); bit++)
		range->last[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

const char *range_parse(struct span text, struct model_range *out)
{
	struct model_address first, last;
	struct span from, to;
	bool two = span_cut(text, '-', &from, &to);
	const char *wrong = address_parse(span_trim(from), &first);
	unsigned most;

	if (!wrong && two)
		wrong = address_parse(span_trim(to), &last);
	if (wrong)
		return wrong;
	if (!two)
		last = first;
	most = first.ip6 ? 128 : 32;
	if (first.port || last.port)
		return "a range has no port";
	if (two && (first.prefix_len != most || last.prefix_len != most))
		return "the ends of a range are addresses of one kind";
	if (memcmp(first.bytes, last.bytes, sizeof(first.bytes)) > 0)
		return "the range ends before it begins";
	set_ends(out, &first, &last, first.prefix_len);
	return NULL;
}

static int compare_ranges(const void *a, const void *b, void *ranges)
{
	const struct model_range *x = (const struct model_range *)ranges + *(const uint32_t *)a;
	const struct model_range *y = (const struct model_range *)ranges + *(const uint32_t *)b;
	int order = memcmp(x->first, y->first, sizeof(x->first));

	return order ? order : memcmp(x->last, y->last, sizeof(x->last));
}

static int index_list(struct arena *arena, struct model_address_list *list)
{
	uint32_t *order = arena_alloc(arena, (list->n_ranges + 1) * 2 * sizeof(*order));
	uint32_t *reach = order ? order + list->n_ranges : NULL;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n_ranges; i++)
		order[i] = i;
	if (list->n_ranges)
		qsort_r(order, list->n_ranges, sizeof(*order), compare_ranges, list->ranges);
	for (uint32_t i = 0; i < list->n_ranges; i++) {
		reach[i] = order[i];
		if (i && memcmp(list->ranges[reach[i - 1]].last, list->ranges[order[i]].last,
				RANGE_END) > 0)
			reach[i] = reach[i - 1];
	}
	list->order = order;
	list->reach = reach;
	return 0;
}

int ranges_index_build(struct model *m)
{
	int err = 0;

	for (unsigned i = 0; i < m->n_address_lists && !err; i++)
		err = index_list(m->arena, &m->address_lists[i]);
	return err;
}

/* The routing gateways that are given by address, each a range of one, named by its gateway. */
int ranges_index_peers(struct model *m)
{
	struct model_address_list *peers = &m->peers;

	peers->ranges = arena_alloc(m->arena, (m->n_routings + 1) * sizeof(*peers->ranges));
	if (!peers->ranges)
		return -ENOMEM;
	for (unsigned i = 0; i < m->n_routings; i++) {
		struct model_range *range = &peers->ranges[peers->n_ranges];
		const char *host = m->routings[i].host;

		if (!host || range_parse(span_of(host), range))
			continue;
		range->text = m->routings[i].name;
		peers->n_ranges++;
	}
	return index_list(m->arena, peers);
}

const char *model_list_range(const struct model_address_list *list, const struct sockaddr *source)
{
	uint8_t key[RANGE_END];
	struct model_address address;
	uint32_t from = 0, to = list->n_ranges;
	const struct model_range *range;

	if (!address_of(source, &address))
		return NULL;
	key[0] = address.ip6;
	memcpy(key + 1, address.bytes, sizeof(address.bytes));
	while (from < to) { /* the first that begins after it */
		uint32_t middle = from + (to - from) / 2;

		if (memcmp(list->ranges[list->order[middle]].first, key, sizeof(key)) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (!from)
		return NULL;
	range = &list->ranges[list->reach[from - 1]];
	return memcmp(range->last, key, sizeof(key)) >= 0 ? range->text : NULL;
}

/* ---- the lists of the whole switch -------------------------------------------------------------- */

/* The lists that a parameter names; one that is wrong is an error of `b`. False without memory. */
static bool resolve_lists(struct build *b, const char *parameter, const char *names,
			  unsigned *n_out, const struct model_address_list ***out)
{
	const struct model_address_list **lists =
		arena_alloc(b->m->arena, ADDRESS_LISTS_MOST * sizeof(struct model_address_list *));
	struct span rest = span_of(names), name;
	char text[200];
	unsigned n = 0;

	for (bool more = rest.len != 0; more && lists;) {
		more = span_cut(rest, ',', &name, &rest);
		name = span_trim(name);
		lists[n] = model_address_list(b->m, name);
		if (lists[n] && n + 1 < ADDRESS_LISTS_MOST) {
			n++;
			continue;
		}
		if (lists[n])
			snprintf(text, sizeof(text), "%s: more than %d lists are named", parameter,
				 ADDRESS_LISTS_MOST - 1);
		else
			snprintf(text, sizeof(text), "%s: address list `%.*s` does not exist",
				 parameter, SPAN_ARG(span_head(name, 64)));
		build_error(b, 0, 0, "parameters", text,
			    lists[n] ? "join lists" : "name lists of address_lists, with commas");
		break;
	}
	*out = lists;
	*n_out = n;
	return lists != NULL;
}

bool ranges_resolve_system(struct build *b)
{
	struct model *m = b->m;

	return resolve_lists(b, "allow_address_lists", m->params.allow_address_lists,
			     &m->fence.n_allow, &m->fence.allow) &&
	       resolve_lists(b, "forbid_address_lists", m->params.forbid_address_lists,
			     &m->fence.n_forbid, &m->fence.forbid);
}
