/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Load: the counters that calls take from and give back to while they run. No locks.
 *
 * The rate is a token bucket written as the "theoretical arrival time" of GCRA (ITU-T I.371): one
 * 64-bit number says when the bucket would be full again; a call is conforming when that lies at
 * most a burst's worth ahead. Each call moves it by period/calls. The unit is 2^-14 us, which
 * lasts 35 years of uptime and errs by less than 1/16384 at a million calls a second, never upward. */
#include "model/model_int.h"

#include <limits.h>

#define RATE_UNIT_BITS 14
#define RATE_SECOND (SEC << RATE_UNIT_BITS)
#define RATE_ROOM_MOST (1ull << 60)
#define RATE_APART (5 * RATE_SECOND) /* two workers' clocks are nearer than this */

int load_take_below(atomic_int *lines, int most)
{
	int now = atomic_load_explicit(lines, memory_order_relaxed);

	do {
		if (now >= most)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(lines, &now, now + 1, memory_order_acq_rel,
							memory_order_relaxed));
	return now + 1;
}

void load_note_peak(struct load *load, int lines)
{
	int peak = atomic_load_explicit(&load->peak_lines, memory_order_relaxed);

	while (peak < lines &&
	       !atomic_compare_exchange_weak_explicit(&load->peak_lines, &peak, lines,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

bool load_take_line(struct load *load, int limit)
{
	int lines = load_take_below(&load->lines, limit > 0 ? limit : INT_MAX);

	if (lines)
		load_note_peak(load, lines);
	else
		atomic_fetch_add_explicit(&load->refused_lines, 1, memory_order_relaxed);
	return lines != 0;
}

void load_give_line(struct load *load)
{
	int before = atomic_fetch_sub_explicit(&load->lines, 1, memory_order_acq_rel);

	assert(before > 0); /* given back once for each take */
}

void load_count_call(struct load *load, uint64_t utc_us)
{
	atomic_fetch_add_explicit(&load->calls, 1, memory_order_relaxed);
	if (utc_us)
		atomic_store_explicit(&load->last_call_us, utc_us, memory_order_relaxed);
}

/* What one call costs, rounded up so that the limit is never passed. */
static uint64_t rate_step(const struct call_rate *rate)
{
	return (RATE_SECOND * rate->period_s + rate->calls - 1) / rate->calls;
}

/* How far ahead of now the bucket will be full again: its missing tokens. Workers read the clock once a turn, so a
 * little beyond an empty bucket is another worker's present; a time far ahead can only come from another clock or
 * from limits that have changed, and the bucket counts as full then. */
static uint64_t rate_missing(uint64_t full_at, uint64_t room, uint64_t now)
{
	return full_at <= now || full_at - now > 2 * room + RATE_APART ? 0 : full_at - now;
}

/* A bucket that takes two years to fill is large enough, and a time so far ahead fits. */
static uint64_t rate_room(const struct call_rate *rate)
{
	uint64_t step = rate_step(rate), most = RATE_ROOM_MOST / step;
	uint32_t burst = rate->burst ? rate->burst : rate->calls;

	return step * (burst < most ? burst : most);
}

uint64_t load_rate_wait(const struct load *load, const struct call_rate *rate, uint64_t now_us)
{
	uint64_t full_at = atomic_load_explicit(&load->rate_state, memory_order_relaxed);
	uint64_t room, needed;

	if (rate->calls == 0)
		return 0;
	room = rate_room(rate);
	needed = rate_missing(full_at, room, now_us << RATE_UNIT_BITS) + rate_step(rate);
	return needed <= room ? 0 : ((needed - room - 1) >> RATE_UNIT_BITS) + 1;
}

uint32_t load_rate_left(const struct load *load, const struct call_rate *rate, uint64_t now_us)
{
	uint64_t full_at = atomic_load_explicit(&load->rate_state, memory_order_relaxed);
	uint64_t room = rate_room(rate);
	uint64_t missing = rate_missing(full_at, room, now_us << RATE_UNIT_BITS);

	return missing < room ? (uint32_t)((room - missing) / rate_step(rate)) : 0;
}

bool load_take_rate(struct load *load, const struct call_rate *rate, uint64_t now_us)
{
	uint64_t full_at = atomic_load_explicit(&load->rate_state, memory_order_relaxed);
	uint64_t now = now_us << RATE_UNIT_BITS, room, needed;

	if (rate->calls == 0)
		return true;
	room = rate_room(rate);
	do {
		needed = rate_missing(full_at, room, now) + rate_step(rate);
		if (needed > room) {
			atomic_fetch_add_explicit(&load->refused_rate, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&load->rate_state, &full_at, now + needed,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void load_give_rate(struct load *load, const struct call_rate *rate)
{
	if (rate->calls)
		atomic_fetch_sub_explicit(&load->rate_state, rate_step(rate), memory_order_relaxed);
}

/* ---- boxes: load that several snapshots share ------------------------------------------ */

struct load_box *load_box_new(enum kind kind)
{
	size_t size =
		kind == KIND_ROUTING ? sizeof(struct load_box) : offsetof(struct load_box, quality);
	size_t lines = (size + CACHE_LINE - 1) / CACHE_LINE;
	struct load_box *box = aligned_alloc(CACHE_LINE, lines * CACHE_LINE);

	if (!box)
		return NULL;
	memset(box, 0, size);
	atomic_init(&box->refs, 1);
	atomic_flag_clear(&box->registration.writing);
	return box;
}

struct load_box *load_box_ref(struct load *load)
{
	struct load_box *box = load_box_of(load);

	atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
	return box;
}

void load_box_unref(struct load *load)
{
	struct load_box *box = load ? load_box_of(load) : NULL;

	if (!box || atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) != 1)
		return;
	registration_free(&box->registration);
	free(box);
}
