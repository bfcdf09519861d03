/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding objects: by name and by digest user through open-addressed hashes of numbers, and routing
 * gateways by prefix.
 *
 * Prefixes stand in one hash. A number is hashed once, digit by digit, which gives the hash of each of its
 * beginnings; then those lengths that occur at all are looked up, longest first. The look-ups do not
 * depend on each other, so the processor overlaps their cache misses: with a million prefixes that is
 * quicker than walking a trie, whose every step waits for the one before, and a slot is 8 bytes. */
#include "model/model_int.h"

/* ---- names ----------------------------------------------------------------------------- */

static uint32_t slots_for(size_t n)
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
	uint32_t size = slots_for(n);

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

/* ---- prefixes ---------------------------------------------------------------------------- */

#define HASH_START 0x9e3779b97f4a7c15ull

static uint64_t hash_step(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * 0xff51afd7ed558ccdull;
}

static uint64_t hash_finish(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 29;
}

static uint64_t prefix_hash(const char *prefix, size_t len)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < len; i++)
		h = hash_step(h, prefix[i]);
	return hash_finish(h);
}

/* The slot of this prefix or the empty one where it belongs. */
static struct prefix_slot *prefix_slot(const struct prefix_index *index, const char *prefix,
				       size_t len, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & index->mask, tag = (uint32_t)(hash >> 32);

	for (;; at = (at + 1) & index->mask) {
		struct prefix_slot *slot = &index->slots[at];
		const struct prefix_entry *entry = &index->entries[slot->entry - 1];

		if (!slot->entry)
			return slot;
		if (slot->tag == tag && entry->len == len &&
		    (len == 0 || memcmp(entry->prefix, prefix, len) == 0))
			return slot;
	}
}

static struct prefix_entry *prefix_entry(struct prefix_index *index, const char *prefix)
{
	size_t len = strlen(prefix);
	uint64_t hash = prefix_hash(prefix, len);
	struct prefix_slot *slot = prefix_slot(index, prefix, len, hash);

	assert(len <= PREFIX_LEN_MAX);
	if (!slot->entry) {
		memcpy(index->entries[index->n_entries].prefix, prefix, len);
		index->entries[index->n_entries++].len = (uint32_t)len;
		*slot = (struct prefix_slot){ (uint32_t)(hash >> 32), index->n_entries };
		index->lengths |= 1ull << len;
	}
	return &index->entries[slot->entry - 1];
}

/* Count first, then each prefix's gateways lie side by side. */
int prefix_index_build(struct prefix_index *index, struct model *m)
{
	uint32_t size, first = 0;
	size_t n = 0;

	for (unsigned i = 0; i < m->n_routings; i++)
		n += m->routings[i].n_prefixes;
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	size = slots_for(n);
	index->mask = size - 1;
	index->slots = arena_alloc(m->arena, size * sizeof(*index->slots));
	index->entries = arena_alloc(m->arena, (n + 1) * sizeof(*index->entries));
	index->gateways = arena_alloc(m->arena, (n + 1) * sizeof(*index->gateways));
	if (!index->slots || !index->entries || !index->gateways)
		return -ENOMEM;
	for (unsigned i = 0; i < m->n_routings; i++)
		for (unsigned j = 0; j < m->routings[i].n_prefixes; j++)
			prefix_entry(index, m->routings[i].prefixes[j])->n++;
	for (uint32_t i = 0; i < index->n_entries; i++) {
		index->entries[i].first = first;
		first += index->entries[i].n;
		index->entries[i].n = 0;
	}
	for (unsigned i = 0; i < m->n_routings; i++) {
		for (unsigned j = 0; j < m->routings[i].n_prefixes; j++) {
			struct prefix_entry *entry =
				prefix_entry(index, m->routings[i].prefixes[j]);

			if (entry->n && index->gateways[entry->first + entry->n - 1] == i)
				continue; /* listed twice in one gateway */
			index->gateways[entry->first + entry->n++] = i;
		}
	}
	return 0;
}

void model_routings_for(const struct model *m, struct span number,
			bool (*found)(void *arg, const struct model_routing *gw, unsigned matched),
			void *arg)
{
	const struct prefix_index *index = &m->index->prefixes;
	unsigned most = number.len < PREFIX_LEN_MAX ? (unsigned)number.len : PREFIX_LEN_MAX;
	uint64_t hash[PREFIX_LEN_MAX + 1], h = HASH_START;

	for (unsigned len = 0; len <= most; len++) {
		hash[len] = hash_finish(h);
		if (index->lengths >> len & 1)
			__builtin_prefetch(&index->slots[(uint32_t)hash[len] & index->mask]);
		if (len < most)
			h = hash_step(h, number.p[len]);
	}
	for (unsigned len = most + 1; len-- > 0;) {
		const struct prefix_slot *slot;
		const struct prefix_entry *entry;

		if (!(index->lengths >> len & 1))
			continue;
		slot = prefix_slot(index, number.p, len, hash[len]);
		if (!slot->entry)
			continue;
		entry = &index->entries[slot->entry - 1];
		for (uint32_t i = 0; i < entry->n; i++)
			if (!found(arg, &m->routings[index->gateways[entry->first + i]], len))
				return;
	}
}
