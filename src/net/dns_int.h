/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the files of the resolver: dns.c asks, dns_cache.c remembers, dns_parse.c reads. */
#ifndef CAUSEWAY_DNS_INT_H
#define CAUSEWAY_DNS_INT_H

#include "net/net.h"

#define DNS_CACHE_MAX 4096
#define DNS_NEGATIVE_TTL 30u		/* seconds */
#define DNS_TTL_MAX 86400u
#define DNS_HOSTS_TTL 30u		/* of names in /etc/hosts */
#define DNS_NAME_MAX 256

struct dns_cache {
	struct hash_table table;
	struct list by_age;		/* oldest first */
	struct hash_key key;
};

int dns_cache_init(struct dns_cache *cache);
void dns_cache_free(struct dns_cache *cache);
uint64_t dns_hash(const struct hash_key *key, const char *name, enum net_rr type);
void dns_cache_put(struct dns_cache *cache, const char *name, const struct net_dns_answer *a, uint64_t now_us);
bool dns_cache_get(struct dns_cache *cache, const char *name, enum net_rr type, uint64_t now_us,
		   struct net_dns_answer *out);
/* Bytes of one answer in the union. */
size_t dns_element(enum net_rr type);

#endif
