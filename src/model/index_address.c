/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which mapping gateways list a source address. A host is a network of full length; networks of one length
 * are found by one look-up in a hash, and only lengths that occur are tried, so the work does not grow with
 * the number of gateways. The same entries lie sorted, where the neighbours of a refused source are its nearest
 * misses. */
#include "model/model_int.h"

#include <stdio.h>

static int compare_entries(const void *a, const void *b)
{
	const struct address_entry *x = a, *y = b;
	int order = (int)x->address.ip6 - (int)y->address.ip6;

	if (!order)
		order = memcmp(x->address.bytes, y->address.bytes, sizeof(x->address.bytes));
	if (!order)
		order = (int)x->address.prefix_len - (int)y->address.prefix_len;
	if (!order)
		order = (int)y->address.port - (int)x->address.port;
	if (!order)
		order = x->mapping < y->mapping ? -1 : x->mapping > y->mapping;
	return order;
}

static bool same_network(const struct model_address *a, const struct model_address *b)
{
	return a->ip6 == b->ip6 && a->prefix_len == b->prefix_len &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The slot of this network or the empty one where it belongs. */
static uint32_t *network_slot(const struct address_index *index, const struct model_address *a)
{
	unsigned char key[18];
	uint32_t at;

	memcpy(key, a->bytes, 16);
	key[16] = a->ip6;
	key[17] = a->prefix_len;
	at = (uint32_t)hash_spread((struct span){ (const char *)key, sizeof(key) }) & index->mask;
	while (index->slots[at] && !same_network(&index->entries[index->slots[at] - 1].address, a))
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

static void fill_entries(struct address_index *index, const struct model *m)
{
	for (unsigned i = 0; i < m->n_mappings; i++) {
		const struct model_mapping *gw = &m->mappings[i];

		for (unsigned j = 0; j < gw->n_addresses; j++)
			index->entries[index->n++] =
				(struct address_entry){ .address = gw->addresses[j],
							.mapping = i,
							.text = gw->addresses[j].text };
	}
	if (index->n)
		qsort(index->entries, index->n, sizeof(*index->entries), compare_entries);
}

int address_index_build(struct address_index *index, struct model *m)
{
	uint32_t size = 16;
	size_t n = 0;

	for (unsigned i = 0; i < m->n_mappings; i++)
		n += m->mappings[i].n_addresses;
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	while (size < n * 2)
		size *= 2;
	index->entries = arena_alloc(m->arena, (n + 1) * sizeof(*index->entries));
	index->slots = arena_alloc(m->arena, size * sizeof(*index->slots));
	index->mask = size - 1;
	if (!index->entries || !index->slots)
		return -ENOMEM;
	fill_entries(index, m);
	for (uint32_t i = index->n; i-- > 0;) {
		struct address_entry *e = &index->entries[i];
		uint32_t *slot = network_slot(index, &e->address);

		e->next = *slot; /* backwards, so that a chain runs in sorted order */
		*slot = i + 1;
		(e->address.ip6 ? index->lengths6 : index->lengths4)[e->address.prefix_len] = 1;
	}
	return 0;
}

unsigned model_mappings_at(const struct model *m, const struct sockaddr *source,
			   const struct model_mapping **out, unsigned max)
{
	const struct address_index *index = &m->index->addresses;
	struct model_address host, network;
	unsigned n = 0;

	if (!index->slots || !address_of(source, &host))
		return 0;
	network = host;
	for (unsigned len = host.ip6 ? 129u : 33u; len-- > 0;) {
		if (!(host.ip6 ? index->lengths6 : index->lengths4)[len])
			continue;
		address_mask(&network, len);
		for (uint32_t i = *network_slot(index, &network); i;
		     i = index->entries[i - 1].next) {
			const struct address_entry *e = &index->entries[i - 1];
			const struct model_mapping *gw = &m->mappings[e->mapping];
			bool skip = e->address.port && e->address.port != host.port;

			for (unsigned j = 0; j < n && j < max && !skip; j++)
				skip = out[j] == gw;
			if (skip)
				continue;
			if (n < max)
				out[n] = gw;
			n++;
		}
	}
	return n;
}

/* ---- near misses --------------------------------------------------------------------------- */

/* The first entry not below `key`. */
static uint32_t lower_bound(const struct address_index *index, const struct address_entry *key)
{
	uint32_t from = 0, to = index->n;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (compare_entries(&index->entries[middle], key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static unsigned nearness(const struct address_entry *e, const struct model_address *host)
{
	return e->address.ip6 == host->ip6 ? address_common(&e->address, host) : 0;
}

/* Of those that list the same address: one that asks neither for a port nor for credentials. */
static const struct address_entry *best_of_address(const struct model *m,
						   const struct address_entry *near)
{
	const struct address_entry *first = m->index->addresses.entries, *best = near;

	for (const struct address_entry *e = near;
	     e >= first && near - e < 8 && same_network(&e->address, &near->address); e--)
		if (!e->address.port && m->mappings[e->mapping].auth != AUTH_DIGEST)
			best = e;
	return best;
}

void model_nearest_source(const struct model *m, const struct sockaddr *source, char *dst,
			  size_t size)
{
	const struct address_index *index = &m->index->addresses;
	struct address_entry key = { .mapping = 0 };
	const struct address_entry *best = NULL;
	struct model_address host;
	char text[64];
	uint32_t at;

	if (size)
		*dst = '\0';
	if (!index->n || !address_of(source, &host))
		return;
	key.address = host;
	key.address.prefix_len = 0;
	key.address.port = UINT16_MAX;
	at = lower_bound(index, &key);
	/* Sharing the longest beginning, the nearest is beside the place where the source would stand. */
	for (uint32_t i = at ? at - 1 : 0; i <= at && i < index->n; i++)
		if (!best || nearness(&index->entries[i], &host) > nearness(best, &host))
			best = &index->entries[i];
	if (!best || nearness(best, &host) < (host.ip6 ? 32 : 16))
		return;
	best = best_of_address(m, best);
	if (same_network(&best->address, &host) &&
	    (!best->address.port || best->address.port == host.port))
		snprintf(dst, size, "%s lists it, but wants its user",
			 m->mappings[best->mapping].name);
	else if (same_network(&best->address, &host))
		snprintf(dst, size, "%s lists it with port %u, not %u",
			 m->mappings[best->mapping].name, best->address.port, host.port);
	else
		snprintf(dst, size, "%s lists %s", m->mappings[best->mapping].name,
			 address_format(&best->address, text, sizeof(text)));
}
