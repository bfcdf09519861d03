/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing with linear probing; at most three quarters full. */
#include "trace/archive_int.h"

#include <stdlib.h>

static size_t slot_of(const struct map64 *map, uint64_t key)
{
	/* Call ids differ in the middle only (MurmurHash3's finalizer). */
	key = (key ^ key >> 33) * 0xff51afd7ed558ccdull;
	return (size_t)(key ^ key >> 33) & (map->size - 1);
}

static struct map64_slot *slot_for(const struct map64 *map, uint64_t key)
{
	size_t i = slot_of(map, key);

	while (map->slots[i].key && map->slots[i].key != key)
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static int grow(struct map64 *map)
{
	struct map64 bigger = { .size = map->size ? map->size * 2 : 64, .count = map->count };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].key)
			*slot_for(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int map64_set(struct map64 *map, uint64_t key, uint64_t value)
{
	uint64_t *old = map64_find(map, key);
	int err;

	assert(key);
	if (old) {
		*old = value;
		return 0;
	}
	err = map->count >= map->size / 4 * 3 ? grow(map) : 0;
	if (err)
		return err;
	*slot_for(map, key) = (struct map64_slot){ key, value };
	map->count++;
	return 0;
}

uint64_t *map64_find(const struct map64 *map, uint64_t key)
{
	struct map64_slot *slot = map->size ? slot_for(map, key) : NULL;

	return slot && slot->key ? &slot->value : NULL;
}

/* What stands behind moves up, so that no probe ends at the gap too early. */
void map64_del(struct map64 *map, uint64_t key)
{
	struct map64_slot *slot = map->size ? slot_for(map, key) : NULL;
	size_t gap, i, home;

	if (!slot || !slot->key)
		return;
	gap = (size_t)(slot - map->slots);
	for (i = (gap + 1) & (map->size - 1); map->slots[i].key; i = (i + 1) & (map->size - 1)) {
		home = slot_of(map, map->slots[i].key);
		if (((i - home) & (map->size - 1)) < ((i - gap) & (map->size - 1)))
			continue;
		map->slots[gap] = map->slots[i];
		gap = i;
	}
	map->slots[gap].key = 0;
	map->count--;
}

int map64_copy(struct map64 *copy_out, const struct map64 *map)
{
	struct map64 copy = *map;

	copy.slots = map->size ? malloc(map->size * sizeof(*copy.slots)) : NULL;
	if (map->size && !copy.slots)
		return -ENOMEM;
	if (map->size)
		memcpy(copy.slots, map->slots, map->size * sizeof(*copy.slots));
	*copy_out = copy;
	return 0;
}

void map64_free(struct map64 *map)
{
	free(map->slots);
	*map = (struct map64){ 0 };
}
