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
		const struct prefix_entry *entry;

		if (!slot->entry)
			return slot;
		entry = &index->entries[slot->entry - 1];
		if (slot->tag == tag && entry->len == len &&
		    (len == 0 || memcmp(entry->prefix, prefix, len) == 0))
			return slot;
	}
}

/* The entry of this prefix; NULL without memory. Entries grow outside of the arena while the prefixes are counted. */
static struct prefix_entry *prefix_entry(struct prefix_index *index, const char *prefix)
{
	size_t len = strlen(prefix);
	uint64_t hash = prefix_hash(prefix, len);
	struct prefix_slot *slot = prefix_slot(index, prefix, len, hash);
	struct prefix_entry *entry;

	assert(len <= PREFIX_LEN_MAX);
	if (slot->entry)
		return &index->entries[slot->entry - 1];
	if ((index->n_entries & (index->n_entries - 1)) == 0) {
		size_t size = index->n_entries ? (size_t)index->n_entries * 2 : 1;

		entry = realloc(index->entries, size * sizeof(*entry));
		if (!entry)
			return NULL;
		index->entries = entry;
	}
	entry = &index->entries[index->n_entries++];
	*entry = (struct prefix_entry){ .len = (uint32_t)len };
	memcpy(entry->prefix, prefix, len);
	*slot = (struct prefix_slot){ (uint32_t)(hash >> 32), index->n_entries };
	index->lengths |= 1ull << len;
	return entry;
}

static int count_gateways(struct prefix_index *index, const struct model *m)
{
	for (unsigned i = 0; i < m->n_routings; i++) {
		for (unsigned j = 0; j < m->routings[i].n_prefixes; j++) {
			struct prefix_entry *entry =
				prefix_entry(index, m->routings[i].prefixes[j]);

			if (!entry)
				return -ENOMEM;
			entry->n++;
		}
	}
	return 0;
}

/* `sorted`: the order in which each prefix shall have its gateways. */
static void place_gateways(struct prefix_index *index, const struct model *m,
			   struct model_routing *const *sorted)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < index->n_entries; i++) {
		index->entries[i].first = first;
		first += index->entries[i].n;
		index->entries[i].n = 0;
	}
	for (unsigned i = 0; i < m->n_routings; i++) {
		uint16_t number = (uint16_t)(sorted[i] - m->routings);

		for (unsigned j = 0; j < sorted[i]->n_prefixes; j++) {
			struct prefix_entry *entry = prefix_entry(index, sorted[i]->prefixes[j]);

			if (entry->n && index->gateways[entry->first + entry->n - 1] == number)
				continue; /* listed twice in one gateway */
			index->gateways[entry->first + entry->n++] = number;
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct model_routing *const *)a)->name,
		      (*(const struct model_routing *const *)b)->name);
}

/* As the order of a plan mostly has them, so that it has little to move. */
static int compare_places(const void *a, const void *b)
{
	const struct model_routing *x = *(const struct model_routing *const *)a;
	const struct model_routing *y = *(const struct model_routing *const *)b;

	if (x->protect != y->protect)
		return x->protect ? 1 : -1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x < y ? -1 : 1;
}

/* All routing gateways in an order; freed by the caller. NULL without memory. */
static struct model_routing **sorted_routings(const struct model *m,
					      int (*compare)(const void *a, const void *b))
{
	struct model_routing **sorted = calloc(m->n_routings + 1, sizeof(struct model_routing *));

	if (!sorted)
		return NULL;
	for (unsigned i = 0; i < m->n_routings; i++)
		sorted[i] = &m->routings[i];
	qsort(sorted, m->n_routings, sizeof(struct model_routing *), compare);
	return sorted;
}

static bool is_restricted(const struct model_routing *gw)
{
	static const struct model_numbers any;

	return gw->node || gw->n_pairs || gw->n_scheduled_prefixes ||
	       memcmp(&gw->numbers, &any, sizeof(any)) != 0;
}

static bool is_plain(const struct model_routing *gw)
{
	static const struct model_limits none;
	const struct model_account *account = gw->account;

	if (gw->restricted || gw->locked || gw->prefix_style != PREFIX_CONTINUES ||
	    gw->reg.type != REGISTER_STATIC || gw->n_groups || gw->limits.rate_limit ||
	    gw->limits.n_scheduled)
		return false;
	return !account || (!account->locked && !account->valid_until.text &&
			    memcmp(&account->limits, &none, sizeof(none)) == 0);
}

int routings_derive(struct model *m)
{
	struct model_routing **sorted = sorted_routings(m, compare_names);

	if (!sorted)
		return -ENOMEM;
	for (unsigned i = 0; i < m->n_routings; i++) {
		sorted[i]->rank = i;
		sorted[i]->restricted = is_restricted(sorted[i]);
		sorted[i]->plain = is_plain(sorted[i]);
	}
	free(sorted);
	return 0;
}

/* Into the arena, as many as there are. */
static int settle_entries(struct prefix_index *index, struct arena *arena)
{
	size_t size = index->n_entries * sizeof(*index->entries);
	struct prefix_entry *settled = arena_alloc(arena, size + 1);

	if (settled && size)
		memcpy(settled, index->entries, size);
	free(index->entries);
	index->entries = settled;
	return settled ? 0 : -ENOMEM;
}

/* Count first, then each prefix's gateways lie side by side. */
int prefix_index_build(struct prefix_index *index, struct model *m)
{
	struct model_routing **sorted;
	uint32_t size;
	size_t n = 0;
	int err;

	for (unsigned i = 0; i < m->n_routings; i++)
		n += m->routings[i].n_prefixes;
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	size = slots_for(n);
	index->mask = size - 1;
	index->slots = arena_alloc(m->arena, size * sizeof(*index->slots));
	index->gateways = arena_alloc(m->arena, (n + 1) * sizeof(*index->gateways));
	err = index->slots && index->gateways ? count_gateways(index, m) : -ENOMEM;
	if (settle_entries(index, m->arena) || err)
		return -ENOMEM;
	sorted = sorted_routings(m, compare_places);
	if (!sorted)
		return -ENOMEM;
	place_gateways(index, m, sorted);
	free(sorted);
	return 0;
}

/* The entries of the number's beginnings, longest first, at most one for each length. What the next look needs is
 * asked of memory for all of them before the first is looked at. */
static unsigned find_entries(const struct prefix_index *index, struct span number,
			     const struct prefix_entry *found[MODEL_MATCHES_MOST])
{
	unsigned most = number.len < PREFIX_LEN_MAX ? (unsigned)number.len : PREFIX_LEN_MAX;
	uint64_t hash[MODEL_MATCHES_MOST], h = HASH_START;
	unsigned n = 0;

	for (unsigned len = 0; len <= most; len++) {
		hash[len] = hash_finish(h);
		if (index->lengths >> len & 1)
			__builtin_prefetch(&index->slots[(uint32_t)hash[len] & index->mask]);
		if (len < most)
			h = hash_step(h, number.p[len]);
	}
	for (unsigned len = 0; len <= most; len++) {
		const struct prefix_slot *slot = &index->slots[(uint32_t)hash[len] & index->mask];

		if (index->lengths >> len & 1 && slot->entry &&
		    slot->tag == (uint32_t)(hash[len] >> 32))
			__builtin_prefetch(&index->entries[slot->entry - 1]);
	}
	for (unsigned len = most + 1; len-- > 0;) {
		const struct prefix_slot *slot;

		if (!(index->lengths >> len & 1))
			continue;
		slot = prefix_slot(index, number.p, len, hash[len]);
		if (!slot->entry)
			continue;
		found[n] = &index->entries[slot->entry - 1];
		__builtin_prefetch(&index->gateways[found[n++]->first]);
	}
	return n;
}

unsigned model_matches(const struct model *m, struct span number,
		       struct model_match out[MODEL_MATCHES_MOST])
{
	const struct prefix_index *index = &m->index->prefixes;
	const struct prefix_entry *entries[MODEL_MATCHES_MOST];
	unsigned n = find_entries(index, number, entries);

	for (unsigned i = 0; i < n; i++)
		out[i] = (struct model_match){ entries[i]->len, entries[i]->n,
					       &index->gateways[entries[i]->first] };
	return n;
}
