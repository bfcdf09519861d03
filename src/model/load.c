/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Load: the counters that calls take from and give back to while they run. No locks.
 *
 * The rate is a token bucket written as the "theoretical arrival time" of GCRA (ITU-T I.371): one
 * 64-bit number says when the bucket would be full again; a call is conforming when that lies at
 * most one second's worth ahead. Each call moves it by 1/per_second. The unit is 2^-14 us, which
 * lasts 35 years of uptime and errs by less than 1/16384 at a million calls a second, never upward. */
#include "model/model_int.h"

#define RATE_UNIT_BITS 14
#define RATE_SECOND (SEC << RATE_UNIT_BITS)

bool load_take_line(struct load *load, int limit)
{
	int now = atomic_load_explicit(&load->lines, memory_order_relaxed);
	int peak;

	do {
		if (limit > 0 && now >= limit) {
			atomic_fetch_add_explicit(&load->refused_lines, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&load->lines, &now, now + 1, memory_order_acq_rel, memory_order_relaxed));
	peak = atomic_load_explicit(&load->peak_lines, memory_order_relaxed);
	while (peak < now + 1 &&
	       !atomic_compare_exchange_weak_explicit(&load->peak_lines, &peak, now + 1,
						      memory_order_relaxed, memory_order_relaxed))
		;
	return true;
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
static uint64_t rate_step(uint32_t per_second)
{
	return (RATE_SECOND + per_second - 1) / per_second;
}

/* When the bucket will be full again if one more call is taken now; 0 = no token left. A time far ahead
 * can only come from another clock: the bucket counts as full then. */
static uint64_t rate_next(uint64_t full_at, uint32_t per_second, uint64_t now_us)
{
	uint64_t now = now_us << RATE_UNIT_BITS, step = rate_step(per_second);

	if (full_at < now || full_at - now > 2 * RATE_SECOND)
		full_at = now;
	return full_at + step - now <= step * per_second ? full_at + step : 0;
}

bool load_has_rate(const struct load *load, uint32_t per_second, uint64_t now_us)
{
	uint64_t full_at = atomic_load_explicit(&load->rate_state, memory_order_relaxed);

	return per_second == 0 || rate_next(full_at, per_second, now_us) != 0;
}

bool load_take_rate(struct load *load, uint32_t per_second, uint64_t now_us)
{
	uint64_t full_at = atomic_load_explicit(&load->rate_state, memory_order_relaxed), next;

	if (per_second == 0)
		return true;
	do {
		next = rate_next(full_at, per_second, now_us);
		if (!next) {
			atomic_fetch_add_explicit(&load->refused_rate, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&load->rate_state, &full_at, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void load_give_rate(struct load *load, uint32_t per_second)
{
	if (per_second)
		atomic_fetch_sub_explicit(&load->rate_state, rate_step(per_second),
					  memory_order_relaxed);
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
