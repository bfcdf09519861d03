/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Areas: where a number is, by its area code or by how a mobile number begins. A country has some hundred areas and some
 * hundred thousand beginnings of mobile numbers; one set holds them all, so that a look-up costs the same for any number
 * of areas: about 60 bytes a beginning, its area's own copy included. */
#include "model/model_int.h"

#include <stdio.h>

const char *number_kind_name(enum number_kind kind)
{
	return kind == NUMBER_FIXED ? "fixed" : kind == NUMBER_MOBILE ? "mobile" : "other";
}

const struct model_area *model_area(const struct model *m, struct span code)
{
	return name_index_find(&m->index->names[KIND_AREA], code);
}

/* The longest mobile beginning of the number, which may have a 0 before it. */
static int64_t find_mobile(const struct area_index *index, struct span number, unsigned *skip_out)
{
	bool zero = number.len && number.p[0] == '0';
	int64_t entry = number_set_find_prefix(index->mobiles, number);

	*skip_out = entry < 0 && zero;
	return *skip_out ? number_set_find_prefix(index->mobiles, span_skip(number, 1)) : entry;
}

struct model_place model_place(const struct model *m, struct span number)
{
	const struct area_index *index = &m->index->areas;
	struct model_place place = { .kind = NUMBER_OTHER };
	size_t fixed = 0;
	int64_t entry;

	if (!index->codes)
		return place;
	entry = number_set_find_prefix(index->codes, number);
	if (entry >= 0) {
		place.kind = NUMBER_FIXED;
		place.area = &m->areas[entry];
		fixed = number_set_at(index->codes, (unsigned)entry).len;
	}
	entry = index->mobiles ? find_mobile(index, number, &place.skip) : -1;
	if (entry < 0 || number_set_at(index->mobiles, (unsigned)entry).len + place.skip < fixed) {
		place.skip = 0;
		return place;
	}
	place.kind = NUMBER_MOBILE;
	place.area = &m->areas[index->area_of[entry]];
	return place;
}

/* ---- building ------------------------------------------------------------------------------ */

static bool index_codes(struct model *m)
{
	struct span *codes = calloc(m->n_areas, sizeof(*codes));
	struct number_set *set = NULL;
	int err = codes ? 0 : -ENOMEM;

	for (unsigned i = 0; i < m->n_areas && codes; i++)
		codes[i] = span_of(m->areas[i].code);
	if (!err)
		err = number_set_build(&set, m->arena, codes, m->n_areas);
	free(codes);
	m->index->areas.codes = set;
	return !err;
}

static unsigned count_mobiles(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_areas; i++)
		n += m->areas[i].mobiles ? number_set_count(m->areas[i].mobiles) : 0;
	return n;
}

static void listed_twice(struct build *b, unsigned area, struct span mobile, uint32_t first)
{
	char text[200];

	snprintf(text, sizeof(text), "mobiles: `%.*s` is listed by area `%s` already",
		 SPAN_ARG(mobile), b->m->areas[first].code);
	build_object_error(b, KIND_AREA, area, 0, text, "list it in one of them");
}

/* The set keeps the order, so a beginning is new when its place is the next one. */
static void own_mobiles(struct build *b, unsigned area, const struct number_set *all,
			uint32_t *area_of, unsigned *owned)
{
	const struct number_set *mobiles = b->m->areas[area].mobiles;

	for (unsigned i = 0; mobiles && i < number_set_count(mobiles); i++) {
		struct span mobile = number_set_at(mobiles, i);
		int64_t entry = number_set_find(all, mobile);

		if (!mobile.len)
			build_object_error(b, KIND_AREA, area, 0,
					   "mobiles: \"\" would make every number a mobile one",
					   "leave it out");
		if (entry == *owned)
			area_of[(*owned)++] = area;
		else
			listed_twice(b, area, mobile, area_of[entry]);
	}
}

static bool index_mobiles(struct build *b)
{
	struct model *m = b->m;
	unsigned n = count_mobiles(m), at = 0, owned = 0;
	struct span *texts = calloc(n + 1, sizeof(*texts));
	uint32_t *area_of = arena_alloc(m->arena, (n + 1) * sizeof(*area_of));
	struct number_set *set = NULL;
	int err = texts && area_of ? 0 : -ENOMEM;

	for (unsigned i = 0; i < m->n_areas && !err; i++)
		for (unsigned j = 0;
		     m->areas[i].mobiles && j < number_set_count(m->areas[i].mobiles); j++)
			texts[at++] = number_set_at(m->areas[i].mobiles, j);
	if (!err && n)
		err = number_set_build(&set, m->arena, texts, n);
	free(texts);
	if (err)
		return false;
	for (unsigned i = 0; i < m->n_areas; i++)
		own_mobiles(b, i, set, area_of, &owned);
	m->index->areas.mobiles = set;
	m->index->areas.area_of = area_of;
	return true;
}

/* ---- what names areas ------------------------------------------------------------------------ */

/* Does an area's code begin so? */
static bool names_area(const struct model *m, struct span beginning)
{
	for (unsigned i = 0; i < m->n_areas; i++)
		if (span_starts(span_of(m->areas[i].code), beginning))
			return true;
	return false;
}

static void check_list(struct build *b, enum kind kind, unsigned i, const char *key,
		       const struct number_set *list)
{
	char text[160];

	for (unsigned j = 0; list && j < number_set_count(list); j++) {
		struct span beginning = number_set_at(list, j);

		if (names_area(b->m, beginning))
			continue;
		snprintf(text, sizeof(text), "%s: no area's code begins with `%.*s`", key,
			 SPAN_ARG(beginning));
		build_object_error(b, kind, i, 0, text, "add the area to areas");
	}
}

static void check_lists(struct build *b, enum kind kind, unsigned i,
			const struct model_numbers *numbers)
{
	check_list(b, kind, i, "same_city_allowed", numbers->same_city.only);
	check_list(b, kind, i, "same_city_forbidden", numbers->same_city.not_of);
	check_list(b, kind, i, "mobile_areas_allowed", numbers->mobile_areas.only);
	check_list(b, kind, i, "mobile_areas_forbidden", numbers->mobile_areas.not_of);
	check_list(b, kind, i, "add_area_code", numbers->add_area_code.only);
	check_list(b, kind, i, "add_area_code_except", numbers->add_area_code.not_of);
	if ((numbers->caller.kinds || numbers->callee.kinds) && !b->m->n_areas)
		build_object_error(b, kind, i, 0,
				   numbers->caller.kinds
					   ? "caller_kinds: there are no areas to tell kinds by"
					   : "callee_kinds: there are no areas to tell kinds by",
				   "add areas with their codes and mobile numbers");
}

bool areas_check(struct build *b)
{
	struct model *m = b->m;

	if (b->n_errors) /* an area may lack its code, or be missing because it was wrong */
		return true;
	if (m->n_areas && (!index_codes(m) || !index_mobiles(b)))
		return false;
	for (unsigned i = 0; i < m->n_mappings; i++)
		check_lists(b, KIND_MAPPING, i, &m->mappings[i].numbers);
	for (unsigned i = 0; i < m->n_routings; i++)
		check_lists(b, KIND_ROUTING, i, &m->routings[i].numbers);
	for (unsigned i = 0; i < m->n_phones; i++)
		check_lists(b, KIND_PHONE, i, &m->phones[i].numbers);
	return true;
}
