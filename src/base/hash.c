/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdlib.h>

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND                                                                                   \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v1 = ROTL(v1, 13);                                                                 \
		v1 ^= v0;                                                                          \
		v0 = ROTL(v0, 32);                                                                 \
		v2 += v3;                                                                          \
		v3 = ROTL(v3, 16);                                                                 \
		v3 ^= v2;                                                                          \
		v0 += v3;                                                                          \
		v3 = ROTL(v3, 21);                                                                 \
		v3 ^= v0;                                                                          \
		v2 += v1;                                                                          \
		v1 = ROTL(v1, 17);                                                                 \
		v1 ^= v2;                                                                          \
		v2 = ROTL(v2, 32);                                                                 \
	} while (0)

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t v0 = key->k0 ^ 0x736f6d6570736575ull, v1 = key->k1 ^ 0x646f72616e646f6dull;
	uint64_t v2 = key->k0 ^ 0x6c7967656e657261ull, v3 = key->k1 ^ 0x7465646279746573ull;
	uint64_t last = (uint64_t)len << 56, m;
	size_t left = len;

	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&m, p, 8);
		v3 ^= m;
		SIPROUND;
		v0 ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v3 ^= last;
	SIPROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t hash_spread(struct span s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
	return h ^ h >> 32;
}

int hash_table_init(struct hash_table *t, size_t size)
{
	size_t n = 16;

	while (n < size)
		n *= 2;
	t->buckets = calloc(n, sizeof(*t->buckets));
	t->size = t->buckets ? n : 0;
	t->count = 0;
	return t->buckets ? 0 : -ENOMEM;
}

void hash_table_free(struct hash_table *t)
{
	free(t->buckets);
	*t = (struct hash_table){ 0 };
}

static void hash_table_grow(struct hash_table *t)
{
	struct hash_node **old = t->buckets;
	size_t old_size = t->size;
	struct hash_node **bigger = calloc(old_size * 2, sizeof(*bigger));

	if (!bigger)
		return;
	t->buckets = bigger;
	t->size = old_size * 2;
	for (size_t i = 0; i < old_size; i++) {
		struct hash_node *node = old[i], *next;

		for (; node; node = next) {
			struct hash_node **bucket = &t->buckets[node->hash & (t->size - 1)];

			next = node->next;
			node->next = *bucket;
			*bucket = node;
		}
	}
	free(old);
}

void hash_table_add(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
	struct hash_node **bucket;

	if (t->count >= t->size)
		hash_table_grow(t);
	bucket = &t->buckets[hash & (t->size - 1)];
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	t->count++;
}

void hash_table_del(struct hash_table *t, struct hash_node *node)
{
	struct hash_node **at = &t->buckets[node->hash & (t->size - 1)];

	while (*at && *at != node)
		at = &(*at)->next;
	assert(*at == node);
	*at = node->next;
	t->count--;
}

struct hash_node *hash_table_find(const struct hash_table *t, uint64_t hash)
{
	struct hash_node *node = t->size ? t->buckets[hash & (t->size - 1)] : NULL;

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *hash_next(const struct hash_node *node)
{
	uint64_t hash = node->hash;
	struct hash_node *next = node->next;

	while (next && next->hash != hash)
		next = next->next;
	return next;
}
