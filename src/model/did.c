/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Further numbers of phones: each stands for one phone, and is no phone's own number. */
#include "model/model_int.h"

#include <stdio.h>

struct did {
	const char *number;
	uint32_t phone;
};

static void complain(struct build *b, unsigned i, const char *number, const char *owner)
{
	char text[256];

	snprintf(text, sizeof(text), "dids: `%.63s` is a number of phone `%.63s` already", number,
		 owner);
	build_object_error(b, KIND_PHONE, i, 0, text, "let each number stand at one phone");
}

static void add_phone(struct build *b, struct did *dids, unsigned *n, unsigned i)
{
	struct model *m = b->m;

	for (unsigned k = 0; k < number_set_count(m->phones[i].dids); k++) {
		struct span number = number_set_at(m->phones[i].dids, k);
		const struct model_phone *owner = model_phone(m, number);
		int64_t first;

		dids[*n] = (struct did){ number.p, i };
		first = name_index_add(&m->index->dids, *n);
		if (!owner && first >= 0)
			owner = &m->phones[dids[first].phone];
		if (owner) {
			complain(b, i, number.p, owner->number);
			return;
		}
		(*n)++;
	}
}

bool build_index_dids(struct build *b)
{
	struct model *m = b->m;
	struct did *dids;
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_phones; i++)
		n += m->phones[i].dids ? number_set_count(m->phones[i].dids) : 0;
	if (n == 0)
		return true;
	dids = arena_alloc(m->arena, n * sizeof(*dids));
	if (!dids || name_index_init(&m->index->dids, m->arena, dids, n, sizeof(*dids),
				     offsetof(struct did, number)))
		return false;
	n = 0;
	for (unsigned i = 0; i < m->n_phones; i++)
		if (m->phones[i].dids)
			add_phone(b, dids, &n, i);
	return true;
}

const struct model_phone *model_phone_called(const struct model *m, struct span number)
{
	const struct model_phone *phone = model_phone(m, number);
	const struct did *did = phone ? NULL : name_index_find(&m->index->dids, number);

	return did ? &m->phones[did->phone] : phone;
}
