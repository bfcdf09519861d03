/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of numbers: the texts lie one behind the other, a hash of entry numbers finds them. */
#include "number/number_int.h"

struct number_set {
	unsigned n;
	uint32_t mask;
	uint64_t lengths; /* in use, a bit each */
	uint32_t *starts; /* n + 1: where each begins in texts; a NUL ends it */
	uint32_t *slots; /* entry + 1; 0 = empty; at most half are taken */
	char *texts;
};

static_assert(NUMBER_SET_LEN_MAX < 64, "a bit for each length");

static uint32_t hash_of(struct span text)
{
	uint64_t h = NUMBER_HASH_START;

	for (size_t i = 0; i < text.len; i++)
		h = number_hash_step(h, text.p[i]);
	return number_hash_finish(h);
}

struct span number_set_at(const struct number_set *set, unsigned i)
{
	assert(i < set->n);
	return (struct span){ set->texts + set->starts[i],
			      set->starts[i + 1] - set->starts[i] - 1 };
}

unsigned number_set_count(const struct number_set *set)
{
	return set->n;
}

/* The slot that holds `text`, or the empty one where it belongs. */
static uint32_t *slot_of(const struct number_set *set, struct span text, uint32_t hash)
{
	uint32_t at = hash & set->mask;

	while (set->slots[at] && !span_eq(text, number_set_at(set, set->slots[at] - 1)))
		at = (at + 1) & set->mask;
	return &set->slots[at];
}

static void add(struct number_set *set, struct span text)
{
	uint32_t *slot = slot_of(set, text, hash_of(text)), start = set->starts[set->n];

	assert(text.len <= NUMBER_SET_LEN_MAX);
	if (*slot)
		return;
	if (text.len)
		memcpy(set->texts + start, text.p, text.len);
	set->starts[set->n + 1] = start + (uint32_t)text.len + 1;
	set->lengths |= 1ull << text.len;
	*slot = ++set->n;
}

int number_set_build(struct number_set **set_out, struct arena *arena, const struct span *texts,
		     unsigned n)
{
	struct number_set *set = arena_alloc(arena, sizeof(*set));
	size_t size = 4, bytes = n + 1;

	while (size < (size_t)n * 2)
		size *= 2;
	for (unsigned i = 0; i < n; i++)
		bytes += texts[i].len;
	if (!set || bytes > UINT32_MAX || size > UINT32_MAX)
		return -ENOMEM;
	set->mask = (uint32_t)size - 1;
	set->starts = arena_alloc(arena, (n + 1) * sizeof(*set->starts));
	set->slots = arena_alloc(arena, size * sizeof(*set->slots));
	set->texts = arena_alloc(arena, bytes);
	if (!set->starts || !set->slots || !set->texts)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		add(set, texts[i]);
	*set_out = set;
	return 0;
}

int64_t number_set_find(const struct number_set *set, struct span number)
{
	if (number.len > NUMBER_SET_LEN_MAX || !(set->lengths >> number.len & 1))
		return -1;
	return (int64_t)*slot_of(set, number, hash_of(number)) - 1;
}

int64_t number_set_find_prefix(const struct number_set *set, struct span number)
{
	size_t most = number.len < NUMBER_SET_LEN_MAX ? number.len : NUMBER_SET_LEN_MAX;
	uint32_t hash[NUMBER_SET_LEN_MAX + 1];
	uint64_t h = NUMBER_HASH_START;

	for (size_t len = 0; len <= most; len++) {
		hash[len] = number_hash_finish(h);
		if (len < most)
			h = number_hash_step(h, number.p[len]);
	}
	for (size_t len = most + 1; len-- > 0;) {
		int64_t found;

		if (!(set->lengths >> len & 1))
			continue;
		found = (int64_t)*slot_of(set, span_head(number, len), hash[len]) - 1;
		if (found >= 0)
			return found;
	}
	return -1;
}
