/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each host sent, by time: rules that ask for a host's other calls look here and not through the whole file. */
#include "diag/diag_int.h"

struct host_node {
	struct hash_node node;
	struct host host;
};

static uint64_t hash_host(const struct diag *d, const union net_addr *a)
{
	unsigned char key[16] = { 0 };

	if (a->sa.sa_family == AF_INET6)
		memcpy(key, &a->in6.sin6_addr, 16);
	else
		memcpy(key, &a->in4.sin_addr, 4);
	return hash_bytes(&d->key, key, sizeof(key));
}

static struct host *find(const struct diag *d, const union net_addr *a)
{
	for (struct hash_node *n = hash_table_find(&d->hosts, hash_host(d, a)); n;
	     n = hash_next(n)) {
		struct host *host = &container_of(n, struct host_node, node)->host;

		if (net_addr_eq_host(&host->addr, a))
			return host;
	}
	return NULL;
}

const struct host *host_find(const struct diag *d, const union net_addr *a)
{
	return find(d, a);
}

static struct host *host_of(struct diag *d, const union net_addr *a)
{
	struct host *host = find(d, a);
	struct host_node *node;

	if (host)
		return host;
	node = arena_alloc(d->arena, sizeof(*node));
	if (!node)
		return NULL;
	node->host.addr = *a;
	hash_table_add(&d->hosts, &node->node, hash_host(d, a));
	return &node->host;
}

/* Arrays grow by doubling; what they leave behind goes with the arena. */
bool diag_push(struct diag *d, void ***array, unsigned *n, void *what)
{
	if ((*n & (*n - 1)) == 0) {
		void **more = arena_alloc(d->arena, (*n ? *n * 2 : 1) * sizeof(**array));

		if (!more)
			return false;
		if (*n)
			memcpy(more, *array, *n * sizeof(**array));
		*array = more;
	}
	(*array)[(*n)++] = what;
	return true;
}

void hosts_finish(struct diag *d)
{
	for (struct leg *leg = d->legs; leg; leg = leg->next) {
		struct host *host;

		if (!leg->n_messages)
			continue;
		host = host_of(d, &leg->messages[0]->where.src);
		if (host)
			diag_push(d, (void ***)&host->legs, &host->n_legs, leg);
		for (unsigned i = 0; i < leg->n_messages; i++) {
			host = host_of(d, &leg->messages[i]->where.src);
			if (!host)
				continue;
			if (!host->first_us || leg->messages[i]->where.utc_us < host->first_us)
				host->first_us = leg->messages[i]->where.utc_us;
			diag_push(d, (void ***)&host->heard, &host->n_heard, leg->messages[i]);
		}
	}
}

unsigned host_legs_from(const struct host *host, uint64_t utc_us)
{
	unsigned low = 0, high = host->n_legs;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (host->legs[middle]->first_us < utc_us)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
