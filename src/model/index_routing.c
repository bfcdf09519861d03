/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routing gateways: what they derive from their keys, and how they are found by prefix.
 *
 * Prefixes stand in one hash. A number is hashed once, digit by digit, which gives the hash of each of its
 * beginnings; then those lengths that occur at all are looked up, longest first. The look-ups do not
 * depend on each other, so the processor overlaps their cache misses: with a million prefixes that is
 * quicker than walking a trie, whose every step waits for the one before. A slot is 8 bytes, and it leads straight to
 * all that is known of a prefix, which lies in one place: a look-up waits twice for memory, however many it finds. */
#include "model/model_int.h"

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

static bool has_rate(const struct model_limits *limits)
{
	return limits->rate.calls || limits->n_scheduled_rates;
}

static bool is_plain(const struct model_routing *gw)
{
	const struct model_limits *own = &gw->limits;
	const struct model_account *account = gw->account;

	if (gw->restricted || gw->locked || gw->prefix_style != PREFIX_CONTINUES ||
	    gw->reg.type != REGISTER_STATIC || gw->n_groups || own->n_scheduled || has_rate(own))
		return false;
	return !account ||
	       (!account->locked && !account->valid_until.text && !account->limits.line_limit &&
		!account->limits.n_scheduled && !has_rate(&account->limits));
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

/* ---- records ----------------------------------------------------------------------------- */

/* Numbers of 16 bits: the prefix's length, so many gateways, its text, the gateways. */
#define RECORD_HEAD 2

static size_t text_words(size_t len)
{
	return (len + 1) / 2;
}

static const uint16_t *record_gateways(const uint16_t *record)
{
	return record + RECORD_HEAD + text_words(record[0]);
}

static bool record_is(const uint16_t *record, const char *prefix, size_t len)
{
	return record[0] == len && (len == 0 || memcmp(record + RECORD_HEAD, prefix, len) == 0);
}

/* Gateways come in turn, so one that lists a prefix twice was the last to be added. */
static void record_add(uint16_t *record, uint16_t gateway)
{
	uint16_t *gateways = record + RECORD_HEAD + text_words(record[0]);

	if (record[1] == 0 || gateways[record[1] - 1] != gateway)
		gateways[record[1]++] = gateway;
}

/* ---- hashes ------------------------------------------------------------------------------- */

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

/* ---- building ------------------------------------------------------------------------------ */

/* A prefix while they are counted. */
struct counted {
	const char *prefix;
	uint64_t hash;
	uint32_t len, n; /* so often listed */
	uint32_t record;
};
/* Outside of the arena: freed when the index stands. */
struct counting {
	struct model_routing **sorted; /* the order in which each prefix shall have its gateways */
	struct counted *prefixes;
	uint32_t n, size;
	uint32_t *slots, mask; /* number of a prefix + 1; 0 = empty */
	uint32_t *listed; /* number of each prefix of each gateway, in turn */
};

static uint32_t *counting_slot(const struct counting *c, const char *prefix, size_t len,
			       uint64_t hash)
{
	uint32_t at = (uint32_t)hash & c->mask;

	for (; c->slots[at]; at = (at + 1) & c->mask) {
		const struct counted *have = &c->prefixes[c->slots[at] - 1];

		if (have->hash == hash && have->len == len &&
		    memcmp(have->prefix, prefix, len) == 0)
			break;
	}
	return &c->slots[at];
}

/* Count the prefix once more. Its number, or -ENOMEM. */
static int64_t count_prefix(struct counting *c, const char *prefix)
{
	size_t len = strlen(prefix);
	uint64_t hash = prefix_hash(prefix, len);
	uint32_t *slot = counting_slot(c, prefix, len, hash);

	assert(len <= MODEL_PREFIX_MOST);
	if (!*slot && c->n == c->size) {
		uint32_t size = c->size ? c->size * 2 : 64;
		struct counted *prefixes = realloc(c->prefixes, size * sizeof(*prefixes));

		if (!prefixes)
			return -ENOMEM;
		c->prefixes = prefixes;
		c->size = size;
	}
	if (!*slot) {
		c->prefixes[c->n++] = (struct counted){ prefix, hash, (uint32_t)len, 0, 0 };
		*slot = c->n;
	}
	c->prefixes[*slot - 1].n++;
	return *slot - 1;
}

static int count_prefixes(struct counting *c, const struct model *m)
{
	uint32_t *next = c->listed;

	for (unsigned i = 0; i < m->n_routings; i++) {
		for (unsigned j = 0; j < c->sorted[i]->n_prefixes; j++) {
			int64_t number = count_prefix(c, c->sorted[i]->prefixes[j]);

			if (number < 0)
				return (int)number;
			*next++ = (uint32_t)number;
		}
	}
	return 0;
}

/* Where each record is to be; returns how long they are together. */
static size_t place_records(struct counting *c)
{
	size_t words = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		struct counted *prefix = &c->prefixes[i];

		prefix->record = (uint32_t)words;
		words += RECORD_HEAD + text_words(prefix->len) + prefix->n;
	}
	return words;
}

static void write_records(struct prefix_index *index, const struct counting *c,
			  const struct model *m)
{
	const uint32_t *next = c->listed;

	for (uint32_t i = 0; i < c->n; i++) {
		uint16_t *record = &index->records[c->prefixes[i].record];

		record[0] = (uint16_t)c->prefixes[i].len;
		memcpy(record + RECORD_HEAD, c->prefixes[i].prefix, c->prefixes[i].len);
	}
	for (unsigned i = 0; i < m->n_routings; i++)
		for (unsigned j = 0; j < c->sorted[i]->n_prefixes; j++)
			record_add(&index->records[c->prefixes[*next++].record],
				   (uint16_t)(c->sorted[i] - m->routings));
}

static void write_slots(struct prefix_index *index, const struct counting *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct counted *prefix = &c->prefixes[i];
		uint32_t at = (uint32_t)prefix->hash & index->mask;

		while (index->slots[at].record)
			at = (at + 1) & index->mask;
		index->slots[at] =
			(struct prefix_slot){ (uint32_t)(prefix->hash >> 32), prefix->record + 1 };
		index->lengths |= 1ull << prefix->len;
	}
}

static int write_index(struct prefix_index *index, struct counting *c, struct model *m)
{
	uint32_t size = index_slots_for(c->n);
	size_t words = place_records(c);

	if (words >= UINT32_MAX)
		return -ENOMEM;
	index->mask = size - 1;
	index->slots = arena_alloc(m->arena, size * sizeof(*index->slots));
	index->records = arena_alloc(m->arena, (words + 1) * sizeof(*index->records));
	if (!index->slots || !index->records)
		return -ENOMEM;
	write_records(index, c, m);
	write_slots(index, c);
	return 0;
}

int prefix_index_build(struct prefix_index *index, struct model *m)
{
	struct counting c = { 0 };
	size_t n = 0;
	int err;

	for (unsigned i = 0; i < m->n_routings; i++)
		n += m->routings[i].n_prefixes;
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	c.mask = index_slots_for(n) - 1;
	c.sorted = sorted_routings(m, compare_places);
	c.slots = calloc((size_t)c.mask + 1, sizeof(*c.slots));
	c.listed = calloc(n + 1, sizeof(*c.listed));
	err = c.sorted && c.slots && c.listed ? count_prefixes(&c, m) : -ENOMEM;
	if (!err)
		err = write_index(index, &c, m);
	free(c.sorted);
	free(c.slots);
	free(c.listed);
	free(c.prefixes);
	return err;
}

/* ---- looking up ----------------------------------------------------------------------------- */

/* The beginnings of a number that may be prefixes, shortest first. */
struct beginnings {
	unsigned n;
	uint8_t len[MODEL_MATCHES_MOST];
	uint64_t hash[MODEL_MATCHES_MOST];
};

/* Their slots are asked of memory. */
static void hash_beginnings(const struct prefix_index *index, struct span number,
			    struct beginnings *out)
{
	unsigned most = number.len < MODEL_PREFIX_MOST ? (unsigned)number.len : MODEL_PREFIX_MOST;
	uint64_t h = HASH_START;

	out->n = 0;
	for (unsigned len = 0;; len++) {
		if (index->lengths >> len & 1) {
			uint64_t hash = hash_finish(h);

			__builtin_prefetch(&index->slots[(uint32_t)hash & index->mask]);
			out->len[out->n] = (uint8_t)len;
			out->hash[out->n++] = hash;
		}
		if (len == most)
			return;
		h = hash_step(h, number.p[len]);
	}
}

/* The slots lead to records, which are asked of memory. */
static void fetch_records(const struct prefix_index *index, const struct beginnings *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct prefix_slot *slot = &index->slots[(uint32_t)b->hash[i] & index->mask];
		const uint16_t *record;

		if (!slot->record || slot->tag != (uint32_t)(b->hash[i] >> 32))
			continue;
		record = &index->records[slot->record - 1];
		__builtin_prefetch(record);
		__builtin_prefetch(record + CACHE_LINE / sizeof(*record));
	}
}

static const uint16_t *find_record(const struct prefix_index *index, const char *prefix, size_t len,
				   uint64_t hash)
{
	uint32_t at = (uint32_t)hash & index->mask, tag = (uint32_t)(hash >> 32);

	for (; index->slots[at].record; at = (at + 1) & index->mask) {
		const uint16_t *record = &index->records[index->slots[at].record - 1];

		if (index->slots[at].tag == tag && record_is(record, prefix, len))
			return record;
	}
	return NULL;
}

unsigned model_matches(const struct model *m, struct span number,
		       struct model_match out[MODEL_MATCHES_MOST])
{
	const struct prefix_index *index = &m->index->prefixes;
	struct beginnings b;
	unsigned n = 0;

	hash_beginnings(index, number, &b);
	fetch_records(index, &b);
	for (unsigned i = b.n; i-- > 0;) {
		const uint16_t *record = find_record(index, number.p, b.len[i], b.hash[i]);

		if (record)
			out[n++] = (struct model_match){ record[0], record[1],
							 record_gateways(record) };
	}
	return n;
}
