/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wheel: hashed hierarchical timers (Varghese and Lauck, scheme 7). Adding and deleting
 * cost O(1) however many are pending; a tick is 10 ms. A timer fires at or after its
 * time, never before, late by at most one tick plus the loop's turn. One thread.
 *
 * The node lives inside its owner: nothing is allocated. A zeroed timer must go through
 * timer_init once; deleting an idle timer is harmless. */
#ifndef CAUSEWAY_WHEEL_H
#define CAUSEWAY_WHEEL_H

#include "base/list.h"

#include <stdint.h>

#define WHEEL_TICK_US 10000ull
#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 256

struct timer {
	struct list node;
	uint64_t tick;			/* absolute; meaningless while idle */
	void (*fire)(struct timer *timer);
};

struct wheel {
	uint64_t tick;			/* all timers up to here have fired */
	size_t count;
	uint64_t marked[WHEEL_SLOTS / 64];	/* slots of the first level that may hold something */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
static inline bool timer_pending(const struct timer *timer)
{
	return timer->node.next && !list_empty(&timer->node);
}

void wheel_init(struct wheel *w, uint64_t now_us);
/* (Re)start: fires once when now reaches now_us + after_us. */
void wheel_start(struct wheel *w, struct timer *timer, uint64_t now_us, uint64_t after_us);
void wheel_stop(struct wheel *w, struct timer *timer);
/* Fire everything due. A handler may start and stop any timer, its own included. */
void wheel_run(struct wheel *w, uint64_t now_us);
/* Microseconds until something may be due: at most `most`, 0 if due now. */
uint64_t wheel_wait(struct wheel *w, uint64_t now_us, uint64_t most);

#endif
