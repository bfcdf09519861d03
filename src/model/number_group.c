/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number groups, the system's lists that parameters make of them, and the number transform table. */
#include "model/model_int.h"

#include <stdio.h>

bool model_number_in(const struct model_number_group *group, struct span number)
{
	return (group->numbers && number_set_find(group->numbers, number) >= 0) ||
	       (group->prefixes && number_set_find_prefix(group->prefixes, number) >= 0);
}

const struct model_number_group *model_number_listed(const struct model_number_list *list,
						     struct span number)
{
	for (unsigned i = 0; i < list->n; i++)
		if (model_number_in(list->groups[i], number))
			return list->groups[i];
	return NULL;
}

/* ---- checks and indexes ------------------------------------------------------------------ */

static void object_fault(struct build *b, enum kind kind, unsigned i, const char *text,
			 const char *remedy)
{
	const char *name = object_name(kind_object(b->m, kind, i));
	char label[96];

	snprintf(label, sizeof(label), "%s[%u]%s%.63s", kinds[kind].section, i, name ? " " : "",
		 name ? name : "");
	build_error(b, b->objects[kind].lines[i], 0, label, text, remedy);
}

static void check_shares(struct build *b, unsigned i)
{
	const struct model_mapping *gw = &b->m->mappings[i];
	unsigned percent = 0;
	char text[160];

	for (unsigned j = 0; j < gw->n_shares; j++)
		percent += gw->shares[j].percent;
	if (gw->n_shares > SHARES_MOST)
		snprintf(text, sizeof(text), "route_prefixes: %u are listed, the limit is %d",
			 gw->n_shares, SHARES_MOST);
	else if (percent > 100)
		snprintf(text, sizeof(text),
			 "route_prefixes: the percentages make %u, the limit is 100", percent);
	else
		return;
	object_fault(b, KIND_MAPPING, i, text, "list fewer, or lower percentages");
}

/* Each caller stands for one number. */
static bool index_transforms(struct build *b)
{
	struct model *m = b->m;
	struct name_index *index = &m->index->transform_callers;
	char text[200];

	if (name_index_init(index, m->arena, m->transforms, m->n_transforms,
			    sizeof(struct model_transform),
			    offsetof(struct model_transform, mapping_caller)))
		return false;
	for (unsigned i = 0; i < m->n_transforms; i++) {
		int64_t first = m->transforms[i].mapping_caller ? name_index_add(index, i) : -1;

		if (first < 0)
			continue;
		snprintf(text, sizeof(text),
			 "mapping_caller: `%s` stands for another number already, first in line %u",
			 m->transforms[i].mapping_caller, b->objects[KIND_TRANSFORM].lines[first]);
		object_fault(b, KIND_TRANSFORM, i, text, "keep one of them");
	}
	return true;
}

bool numbers_check(struct build *b)
{
	for (unsigned i = 0; i < b->m->n_mappings; i++)
		check_shares(b, i);
	return index_transforms(b);
}

const struct model_transform *model_transform_of_caller(const struct model *m,
							struct span mapping_caller)
{
	return name_index_find(&m->index->transform_callers, mapping_caller);
}

const struct model_transform *model_transform(const struct model *m, struct span number)
{
	return name_index_find(&m->index->names[KIND_TRANSFORM], number);
}

/* ---- the system's lists ------------------------------------------------------------------- */

static void name_fault(struct build *b, const char *param, struct span name, bool known)
{
	char text[256];

	if (known)
		snprintf(text, sizeof(text), "%s: more than %d number groups are named", param,
			 NUMBER_GROUPS_MOST);
	else
		snprintf(text, sizeof(text), "%s: the number group `%.*s` does not exist", param,
			 SPAN_ARG(span_head(name, NAME_LEN_MAX)));
	build_error(b, 0, 0, "parameters", text,
		    known ? "join groups" : "name groups of number_groups, with commas");
}

static bool resolve_names(struct build *b, const char *param, const char *names,
			  struct model_number_list *out)
{
	struct span rest = span_of(names), name;
	bool more = rest.len != 0;

	out->groups = arena_alloc(b->m->arena, NUMBER_GROUPS_MOST * sizeof(void *));
	while (more && out->groups) {
		const struct model_number_group *group;

		more = span_cut(rest, ',', &name, &rest);
		name = span_trim(name);
		group = model_number_group(b->m, name);
		if (!group || out->n == NUMBER_GROUPS_MOST) {
			name_fault(b, param, name, group);
			break;
		}
		out->groups[out->n++] = group;
	}
	return out->groups != NULL;
}

bool system_numbers_resolve(struct build *b)
{
	struct model *m = b->m;
	const struct model_params *p = &m->params;

	return resolve_names(b, "blacklist_callers", p->blacklist_callers, &m->black_callers) &&
	       resolve_names(b, "blacklist_callees", p->blacklist_callees, &m->black_callees) &&
	       resolve_names(b, "whitelist_callers", p->whitelist_callers, &m->white_callers) &&
	       resolve_names(b, "whitelist_callees", p->whitelist_callees, &m->white_callees);
}
