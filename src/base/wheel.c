/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#define SLOT_BITS 8

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	list_init(&timer->node);
	timer->tick = 0;
	timer->fire = fire;
}

void wheel_init(struct wheel *w, uint64_t now_us)
{
	w->tick = now_us / WHEEL_TICK_US;
	w->count = 0;
	memset(w->marked, 0, sizeof(w->marked));
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
}

/* The level whose span covers the distance; the slot is the timer's own digit there. */
static void wheel_place(struct wheel *w, struct timer *timer)
{
	uint64_t distance = timer->tick - w->tick;
	uint64_t tick = timer->tick;
	int level = 0;

	while (level < WHEEL_LEVELS - 1 && distance >> (SLOT_BITS * (level + 1)))
		level++;
	if (distance >> (SLOT_BITS * WHEEL_LEVELS)) /* beyond 497 days: park at the far end */
		tick = w->tick + (1ull << (SLOT_BITS * WHEEL_LEVELS)) - 1;
	list_add_tail(&w->slots[level][tick >> (SLOT_BITS * level) & (WHEEL_SLOTS - 1)],
		      &timer->node);
	if (level == 0)
		w->marked[(tick & (WHEEL_SLOTS - 1)) / 64] |= 1ull << (tick & 63);
}

/* The first slot of the lowest level from `slot` on that holds a timer, or WHEEL_SLOTS, where the next stretch
 * begins. Marks of slots whose timers were all stopped go on the way. */
static unsigned next_used(struct wheel *w, unsigned slot)
{
	unsigned word = slot / 64;
	uint64_t bits = w->marked[word] >> (slot & 63) << (slot & 63);

	for (;;) {
		if (!bits) {
			if (++word == WHEEL_SLOTS / 64)
				return WHEEL_SLOTS;
			bits = w->marked[word];
			continue;
		}
		slot = word * 64 + (unsigned)__builtin_ctzll(bits);
		if (!list_empty(&w->slots[0][slot]))
			return slot;
		w->marked[word] &= ~(bits & -bits);
		bits &= bits - 1;
	}
}

void wheel_start(struct wheel *w, struct timer *timer, uint64_t now_us, uint64_t after_us)
{
	assert(timer->fire);
	wheel_stop(w, timer);
	timer->tick = (now_us + after_us + WHEEL_TICK_US - 1) / WHEEL_TICK_US;
	if (timer->tick <= w->tick)
		timer->tick = w->tick + 1;
	wheel_place(w, timer);
	w->count++;
}

void wheel_stop(struct wheel *w, struct timer *timer)
{
	if (!timer_pending(timer))
		return;
	list_del(&timer->node);
	w->count--;
}

/* A level's digit has turned over: bring the next stretch of the level above down. */
static void wheel_cascade(struct wheel *w, int level)
{
	struct list due = LIST_INIT(due);

	if (level == WHEEL_LEVELS)
		return;
	if ((w->tick >> (SLOT_BITS * level) & (WHEEL_SLOTS - 1)) == 0)
		wheel_cascade(w, level + 1);
	list_splice(&due, &w->slots[level][w->tick >> (SLOT_BITS * level) & (WHEEL_SLOTS - 1)]);
	while (!list_empty(&due)) {
		struct timer *timer = list_entry(due.next, struct timer, node);

		list_del(&timer->node);
		wheel_place(w, timer);
	}
}

void wheel_run(struct wheel *w, uint64_t now_us)
{
	uint64_t now = now_us / WHEEL_TICK_US;

	while (w->tick < now) {
		struct list due = LIST_INIT(due);

		if (w->count == 0) {
			w->tick = now;
			return;
		}
		w->tick++;
		if ((w->tick & (WHEEL_SLOTS - 1)) == 0)
			wheel_cascade(w, 1);
		list_splice(&due, &w->slots[0][w->tick & (WHEEL_SLOTS - 1)]);
		while (!list_empty(&due)) {
			struct timer *timer = list_entry(due.next, struct timer, node);

			list_del(&timer->node);
			w->count--;
			timer->fire(timer);
		}
	}
}

uint64_t wheel_wait(struct wheel *w, uint64_t now_us, uint64_t most)
{
	uint64_t tick = w->tick + 1;

	if (w->count == 0)
		return most;
	/* Up to the next cascade: what lies in the levels above may come down then. */
	if (tick & (WHEEL_SLOTS - 1))
		tick = (tick & ~(uint64_t)(WHEEL_SLOTS - 1)) +
		       next_used(w, tick & (WHEEL_SLOTS - 1));
	if (tick * WHEEL_TICK_US <= now_us)
		return 0;
	return tick * WHEEL_TICK_US - now_us < most ? tick * WHEEL_TICK_US - now_us : most;
}
