/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Call ids, from the top: one bit 0 (databases know only signed integers), 41 bits of milliseconds since
 * 2020, 8 bits of worker, 14 bits of counter. Time and counter are one number that never falls
 * and never repeats within a worker: a burst of more than 16384 calls in a millisecond borrows from the
 * next, and a clock that steps back is waited out by counting on. What was given out before a restart is known from
 * the journal (call_id_floor), so the clock may have stepped back in between, too. */
#include "cdr/cdr_int.h"

#define EPOCH_MS 1577836800000ull /* 2020-01-01T00:00:00Z */
#define COUNTER_BITS 14
#define WORKER_BITS 8

static _Atomic uint64_t last_given[1u << WORKER_BITS]; /* milliseconds and counter */
static _Atomic uint64_t floor_ms;

void call_id_floor(uint64_t id)
{
	uint64_t ms = (id >> (COUNTER_BITS + WORKER_BITS)) + 1, seen = atomic_load(&floor_ms);

	while (seen < ms && !atomic_compare_exchange_weak(&floor_ms, &seen, ms))
		;
}

uint64_t call_id_next(unsigned worker, uint64_t utc_us)
{
	uint64_t ms = utc_us / MSEC > EPOCH_MS ? utc_us / MSEC - EPOCH_MS : 0;
	uint64_t least = atomic_load_explicit(&floor_ms, memory_order_relaxed);
	uint64_t last, next;

	assert(worker < 1u << WORKER_BITS);
	ms = ms > least ? ms : least;
	last = atomic_load_explicit(&last_given[worker], memory_order_relaxed);
	do {
		next = ms << COUNTER_BITS > last ? ms << COUNTER_BITS : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(
		&last_given[worker], &last, next, memory_order_relaxed, memory_order_relaxed));
	return (next >> COUNTER_BITS) << (COUNTER_BITS + WORKER_BITS) |
	       (uint64_t)worker << COUNTER_BITS | (next & ((1u << COUNTER_BITS) - 1));
}
