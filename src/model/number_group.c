/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number groups, and the system's lists that parameters make of them. */
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
