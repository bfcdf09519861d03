/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdlib.h>

#define PER_CHUNK 64u

/* Before each object. */
struct slot {
	uint32_t next_free; /* + 1 */
	uint16_t generation;
	bool live;
	max_align_t object[];
};

static size_t slot_size(const struct slots *s)
{
	size_t align = _Alignof(max_align_t);

	return (sizeof(struct slot) + s->size + align - 1) & ~(align - 1);
}

static struct slot *slot_at(const struct slots *s, uint32_t index)
{
	return (struct slot *)(void *)(s->chunks[index / PER_CHUNK] +
				       index % PER_CHUNK * slot_size(s));
}

void slots_init(struct slots *s, size_t size, uint32_t limit)
{
	assert(limit > 0 && limit <= 1u << 24);
	*s = (struct slots){ .size = size, .limit = limit };
}

void slots_close(struct slots *s)
{
	for (uint32_t i = 0; i < s->n_chunks; i++)
		free(s->chunks[i]);
	free(s->chunks);
	*s = (struct slots){ 0 };
}

static int slots_grow(struct slots *s)
{
	char **more = realloc(s->chunks, (s->n_chunks + 1) * sizeof(*more));
	char *chunk;

	if (!more)
		return -ENOMEM;
	s->chunks = more;
	chunk = calloc(PER_CHUNK, slot_size(s));
	if (!chunk)
		return -ENOMEM;
	s->chunks[s->n_chunks++] = chunk;
	return 0;
}

void *slots_alloc(struct slots *s, uint32_t *index_out, uint16_t *generation_out)
{
	struct slot *slot;
	uint32_t index;

	if (s->count >= s->limit)
		return NULL;
	if (s->free_head) {
		index = s->free_head - 1;
		slot = slot_at(s, index);
		s->free_head = slot->next_free;
	} else {
		if (s->used == s->n_chunks * PER_CHUNK && slots_grow(s))
			return NULL;
		index = s->used++;
		slot = slot_at(s, index);
	}
	if (++slot->generation == 0)
		slot->generation = 1;
	slot->live = true;
	memset(slot->object, 0, s->size);
	s->count++;
	*index_out = index;
	*generation_out = slot->generation;
	return slot->object;
}

void slots_free(struct slots *s, uint32_t index)
{
	struct slot *slot = slot_at(s, index);

	assert(slot->live);
	slot->live = false;
	slot->next_free = s->free_head;
	s->free_head = index + 1;
	s->count--;
}

void *slots_get(const struct slots *s, uint32_t index, uint16_t generation)
{
	struct slot *slot;

	if (index >= s->used)
		return NULL;
	slot = slot_at(s, index);
	return slot->live && slot->generation == generation ? slot->object : NULL;
}

void *slots_next(const struct slots *s, uint32_t *index)
{
	while (*index < s->used) {
		struct slot *slot = slot_at(s, (*index)++);

		if (slot->live)
			return slot->object;
	}
	return NULL;
}
