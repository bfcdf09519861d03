/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers remembered for their TTL, at most DNS_CACHE_MAX of them: beyond that the oldest
 * goes. An entry holds only as many records as the answer had. */
#include "net/dns_int.h"

#include <stdlib.h>

struct entry {
	struct hash_node node;
	struct list age;
	uint64_t until_us;
	char *name;
	enum net_rr type;
	int err;
	const char *text;
	unsigned n;
	_Alignas(max_align_t) char records[];
};

size_t dns_element(enum net_rr type)
{
	static const size_t size[] = {
		[NET_RR_A] = sizeof(union net_addr),
		[NET_RR_AAAA] = sizeof(union net_addr),
		[NET_RR_SRV] = sizeof(struct net_srv),
		[NET_RR_NAPTR] = sizeof(struct net_naptr),
	};

	return size[type];
}

int dns_cache_init(struct dns_cache *cache)
{
	list_init(&cache->by_age);
	rng_bytes(&cache->key, sizeof(cache->key));
	return hash_table_init(&cache->table, 256);
}

/* Names come in lower case. */
uint64_t dns_hash(const struct hash_key *key, const char *name, enum net_rr type)
{
	return hash_bytes(key, name, strlen(name)) + (uint64_t)type;
}

static void entry_free(struct dns_cache *cache, struct entry *e)
{
	hash_table_del(&cache->table, &e->node);
	list_del(&e->age);
	free(e->name);
	free(e);
}

void dns_cache_free(struct dns_cache *cache)
{
	while (!list_empty(&cache->by_age))
		entry_free(cache, list_entry(cache->by_age.next, struct entry, age));
	hash_table_free(&cache->table);
}

static struct entry *entry_find(const struct dns_cache *cache, const char *name, enum net_rr type)
{
	struct hash_node *node = hash_table_find(&cache->table, dns_hash(&cache->key, name, type));

	for (; node; node = hash_next(node)) {
		struct entry *e = container_of(node, struct entry, node);

		if (e->type == type && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

void dns_cache_put(struct dns_cache *cache, const char *name, const struct net_dns_answer *a,
		   uint64_t now_us)
{
	size_t bytes = a->n * dns_element(a->type);
	struct entry *e = entry_find(cache, name, a->type);
	uint32_t ttl = a->ttl < DNS_TTL_MAX ? a->ttl : DNS_TTL_MAX;

	if (e)
		entry_free(cache, e);
	if (ttl == 0)
		return;
	e = malloc(sizeof(*e) + bytes);
	if (!e)
		return;
	*e = (struct entry){ .until_us = now_us + ttl * SEC,
			     .name = strdup(name),
			     .type = a->type,
			     .err = a->err,
			     .text = a->text,
			     .n = a->n };
	if (!e->name) {
		free(e);
		return;
	}
	memcpy(e->records, a->addr, bytes);
	if (cache->table.count >= DNS_CACHE_MAX)
		entry_free(cache, list_entry(cache->by_age.next, struct entry, age));
	hash_table_add(&cache->table, &e->node, dns_hash(&cache->key, name, a->type));
	list_add_tail(&cache->by_age, &e->age);
}

bool dns_cache_get(struct dns_cache *cache, const char *name, enum net_rr type, uint64_t now_us,
		   struct net_dns_answer *out)
{
	struct entry *e = entry_find(cache, name, type);

	if (!e)
		return false;
	if (e->until_us <= now_us) {
		entry_free(cache, e);
		return false;
	}
	out->err = e->err;
	out->text = e->text;
	out->type = type;
	out->n = e->n;
	out->ttl = (uint32_t)((e->until_us - now_us + SEC - 1) / SEC);
	memcpy(out->addr, e->records, e->n * dns_element(type));
	return true;
}
