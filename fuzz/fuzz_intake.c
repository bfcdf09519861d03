/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The intake that a dead process left. The first byte chooses:
 * 0 = the rest is the file as it is;
 * 1 = the rest are steps of producers and committer on a sound intake: what a reader then finds is exactly what a plain list
 *     of the same steps holds;
 * 2 = the same, and then one byte is changed, where the two bytes after the first say: each lane gives the beginning of
 *     what it held, unless its head or tail was hit. */
#include "cdr/cdr_int.h"

#include <stdlib.h>

#define LANES 2
#define RING 1024
#define STEPS_MAX 4096

/* What each lane holds, oldest first: the number in each entry's data. */
struct plain {
	uint32_t held[LANES][STEPS_MAX];
	unsigned first[LANES], end[LANES], found[LANES];
};

static void found(void *arg, struct cdr_entry *entry)
{
	struct plain *m = arg;
	uint32_t number;
	unsigned lane = entry->data[sizeof(number)];

	memcpy(&number, entry->data, sizeof(number));
	if (m->first[lane] + m->found[lane] >= m->end[lane] ||
	    number != m->held[lane][m->first[lane] + m->found[lane]])
		abort();
	m->found[lane]++;
}

static void touch(void *arg, struct cdr_entry *entry)
{
	volatile unsigned char *sum = arg;

	for (uint32_t i = 0; i < entry->len; i++)
		*sum ^= entry->data[i];
	entry->next = NULL;
	entry->sequence = 1;
}

static void put(struct lane *lane, struct plain *m, unsigned which, uint32_t number, unsigned len)
{
	struct cdr_entry *entry = malloc(sizeof(*entry) + sizeof(number) + 1 + len);
	uint64_t before = atomic_load(&lane->overflowed);

	*entry = (struct cdr_entry){ .kind = CDR_END, .len = (uint32_t)sizeof(number) + 1 + len };
	memset(entry->data, 0xa5, entry->len);
	memcpy(entry->data, &number, sizeof(number));
	entry->data[sizeof(number)] = (unsigned char)which;
	lane_put(lane, entry);
	if (atomic_load(&lane->overflowed) == before)
		m->held[which][m->end[which]++] = number;
}

/* The committer: takes all, and lets go of the first `n` that lie in the ring. */
static void take(struct lane *lane, struct plain *m, unsigned which, struct cdr_entry **pending,
		 unsigned n)
{
	struct cdr_entry **tail = pending;

	while (*tail)
		tail = &(*tail)->next;
	*tail = lane_take(lane);
	for (tail = pending; *tail;) { /* what is not in the ring dies with the process */
		struct cdr_entry *entry = *tail;

		if (entry->lane) {
			tail = &entry->next;
			continue;
		}
		*tail = entry->next;
		free(entry);
	}
	for (; n && *pending; n--) {
		struct cdr_entry *entry = *pending;

		*pending = entry->next;
		lane_release(lane, entry);
		m->first[which]++;
	}
}

static void run_steps(unsigned char *bytes, struct plain *m, const uint8_t *data, size_t size)
{
	struct cdr_entry *pending[LANES] = { NULL };
	struct lane lanes[LANES] = { 0 };

	for (unsigned i = 0; i < LANES; i++)
		lane_attach(&lanes[i], i, bytes, RING);
	for (size_t i = 0; i + 1 < size && i < STEPS_MAX; i += 2) {
		unsigned which = data[i] % LANES;

		if (data[i] & 2)
			put(&lanes[which], m, which, (uint32_t)i, data[i + 1] * (data[i] & 4u));
		else
			take(&lanes[which], m, which, &pending[which], data[i + 1] % 8);
	}
	for (unsigned i = 0; i < LANES; i++)
		take(&lanes[i], m, i, &pending[i], 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan_raw(const uint8_t *data, size_t size)
{
	unsigned char *bytes = malloc(size + 1), sum = 0;
	uint64_t damaged;

	memcpy(bytes, data, size);
	if (intake_scan(bytes, size, touch, &sum, &damaged) == 0 && damaged > size * LANES_MAX)
		abort();
	free(bytes);
}

static void scan_steps(const uint8_t *data, size_t size, bool change)
{
	size_t len = intake_size(LANES, RING);
	size_t at = (size_t)(data[0] | data[1] << 8) % (len - INTAKE_HEADER);
	bool ends_hit = change && at % (INTAKE_LANE + RING) < INTAKE_LANE;
	struct plain *m = calloc(1, sizeof(*m));
	unsigned char *bytes = calloc(1, len), sum;
	uint64_t damaged = 0;

	intake_format(bytes, LANES, RING, "boot");
	run_steps(bytes, m, data + 2, size - 2);
	if (change)
		bytes[INTAKE_HEADER + at] ^= 0x40;
	if (intake_scan(bytes, len, ends_hit ? touch : found, ends_hit ? (void *)&sum : m,
			&damaged) != 0)
		abort();
	for (unsigned i = 0; i < LANES && !change; i++)
		if (m->first[i] + m->found[i] != m->end[i] || damaged)
			abort();
	free(bytes);
	free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 || size > 65536)
		return 0;
	if (data[0] % 3 == 0)
		scan_raw(data + 1, size - 1);
	else
		scan_steps(data + 1, size - 1, data[0] % 3 == 2);
	return 0;
}
