/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hash: keyed hashing (what a peer sends must not be able to choose collisions) and an
 * intrusive chained table that grows by doubling. Owned by one thread. */
#ifndef CAUSEWAY_HASH_H
#define CAUSEWAY_HASH_H

#include "base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-1-3. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);
/* Unkeyed FNV-1a, for spreading by Call-ID where every thread must agree. */
uint64_t hash_spread(struct span s);

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **buckets;
	size_t size;	/* power of two */
	size_t count;
};

/* 0 or -ENOMEM. `size` is rounded up to a power of two. */
int hash_table_init(struct hash_table *t, size_t size);
void hash_table_free(struct hash_table *t);
/* Adds `node` under `hash`. When growing finds no memory the table stays as it is, slower. */
void hash_table_add(struct hash_table *t, struct hash_node *node, uint64_t hash);
void hash_table_del(struct hash_table *t, struct hash_node *node);
/* First node with this hash, then hash_next for the others; the caller compares keys. */
struct hash_node *hash_table_find(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);

#endif
