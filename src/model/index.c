/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding objects by name and by digest user, through open-addressed hashes of numbers. */
#include "model/model_int.h"

uint32_t index_slots_for(size_t n)
{
	uint32_t size = 16;

	while (size < n * 2)
		size *= 2;
	return size;
}

static const char *name_at(const struct name_index *index, uint32_t number)
{
	const char *name;

	memcpy(&name, index->base + number * index->stride + index->key, sizeof(name));
	return name;
}

int name_index_init(struct name_index *index, struct arena *arena, const void *base, unsigned n,
		    size_t stride, size_t key)
{
	uint32_t size = index_slots_for(n);

	index->slots = arena_alloc(arena, size * sizeof(*index->slots));
	index->mask = size - 1;
	index->base = base;
	index->stride = stride;
	index->key = key;
	return index->slots ? 0 : -ENOMEM;
}

/* The slot that holds `name`, or the empty one where it belongs. At most half of the slots are taken. */
static uint32_t name_slot(const struct name_index *index, struct span name)
{
	uint32_t at = (uint32_t)hash_spread(name) & index->mask;

	while (index->slots[at] && !span_eq(name, span_of(name_at(index, index->slots[at] - 1))))
		at = (at + 1) & index->mask;
	return at;
}

int64_t name_index_add(struct name_index *index, uint32_t number)
{
	uint32_t at = name_slot(index, span_of(name_at(index, number)));

	if (index->slots[at])
		return index->slots[at] - 1;
	index->slots[at] = number + 1;
	return -1;
}

const void *name_index_find(const struct name_index *index, struct span name)
{
	uint32_t found;

	if (!index->slots || name.len == 0 || name.len > 255)
		return NULL;
	found = index->slots[name_slot(index, name)];
	return found ? index->base + (found - 1) * index->stride : NULL;
}

const struct model_calendar *model_calendar(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_CALENDAR], name);
}

const struct model_account *model_account(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_ACCOUNT], name);
}

const struct model_rate_group *model_rate_group(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_RATE_GROUP], name);
}

const struct model_group *model_group(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_GROUP], name);
}

const struct model_address_list *model_address_list(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_ADDRESS_LIST], name);
}

const struct model_number_group *model_number_group(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_NUMBER_GROUP], name);
}

const struct model_mapping *model_mapping(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_MAPPING], name);
}

const struct model_routing *model_routing(const struct model *m, struct span name)
{
	return name_index_find(&m->index->names[KIND_ROUTING], name);
}

const struct model_phone *model_phone(const struct model *m, struct span number)
{
	return name_index_find(&m->index->names[KIND_PHONE], number);
}

const struct model_mapping *model_mapping_by_user(const struct model *m, struct span digest_user)
{
	return name_index_find(&m->index->users, digest_user);
}
