/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cell {
	atomic_size_t sequence;
	int tag;
	void *item;
};

struct ring {
	size_t mask;
	int fd;
	_Alignas(64) atomic_size_t head; /* producers claim here */
	_Alignas(64) size_t tail; /* consumer only */
	_Alignas(64) atomic_bool signalled; /* eventfd written and not yet read */
	struct cell cells[];
};

struct ring *ring_new(size_t size)
{
	struct ring *ring;
	size_t n = 2;

	while (n < size)
		n *= 2;
	ring = aligned_alloc(64, (sizeof(*ring) + n * sizeof(ring->cells[0]) + 63) & ~63ull);
	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->mask = n - 1;
	ring->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ring->fd < 0) {
		free(ring);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		atomic_init(&ring->cells[i].sequence, i);
	return ring;
}

void ring_free(struct ring **ring)
{
	if (!*ring)
		return;
	close((*ring)->fd);
	free(*ring);
	*ring = NULL;
}

bool ring_push(struct ring *ring, int tag, void *item)
{
	size_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct cell *cell;

	for (;;) {
		size_t sequence;

		cell = &ring->cells[at & ring->mask];
		sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
		if (sequence == at) {
			if (atomic_compare_exchange_weak_explicit(&ring->head, &at, at + 1,
								  memory_order_relaxed,
								  memory_order_relaxed))
				break;
		} else if ((intptr_t)(sequence - at) < 0) {
			return false;
		} else {
			at = atomic_load_explicit(&ring->head, memory_order_relaxed);
		}
	}
	cell->tag = tag;
	cell->item = item;
	atomic_store_explicit(&cell->sequence, at + 1, memory_order_release);
	if (!atomic_exchange_explicit(&ring->signalled, true, memory_order_seq_cst)) {
		uint64_t one = 1;

		if (write(ring->fd, &one, sizeof(one)) < 0)
			return true; /* counter at its top: it is readable anyway */
	}
	return true;
}

bool ring_pop(struct ring *ring, int *tag_out, void **item_out)
{
	struct cell *cell = &ring->cells[ring->tail & ring->mask];

	if (atomic_load_explicit(&cell->sequence, memory_order_acquire) != ring->tail + 1)
		return false;
	*tag_out = cell->tag;
	*item_out = cell->item;
	atomic_store_explicit(&cell->sequence, ring->tail + ring->mask + 1, memory_order_release);
	ring->tail++;
	return true;
}

int ring_fd(const struct ring *ring)
{
	return ring->fd;
}

/* Lowered before popping: a push after the last pop writes the eventfd again. */
void ring_woken(struct ring *ring)
{
	uint64_t count;

	if (read(ring->fd, &count, sizeof(count)) < 0)
		count = 0;
	atomic_store_explicit(&ring->signalled, false, memory_order_seq_cst);
}
