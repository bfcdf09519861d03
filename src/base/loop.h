/* SPDX-License-Identifier: GPL-3.0-or-later */
/* loop: one thread's event loop: epoll, a timer wheel, and hooks that run once a turn
 * before waiting (that is where queued sends are flushed). */
#ifndef CAUSEWAY_LOOP_H
#define CAUSEWAY_LOOP_H

#include "base/wheel.h"

#include <stdint.h>
#include <sys/epoll.h>

struct loop_fd {
	int fd;				/* -1 while not added */
	void (*ready)(struct loop_fd *self, uint32_t events);
};

struct loop_hook {
	struct list node;
	void (*run)(struct loop_hook *self);
};

struct loop {
	struct wheel wheel;
	uint64_t now_us;		/* monotonic, read once a turn */
	uint64_t utc_us;
	int epoll_fd;
	bool stop;			/* set by the loop's own thread */
	struct list hooks;
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
void loop_close(struct loop *loop);
/* Watch `fd` for EPOLLIN and friends, level-triggered. 0 or -errno. */
int loop_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events);
int loop_modify(struct loop *loop, struct loop_fd *watch, uint32_t events);
/* Stops watching; does not close the fd. Safe within any handler: no event already
 * fetched is delivered to a deleted watch. */
void loop_del(struct loop *loop, struct loop_fd *watch);
void loop_hook_add(struct loop *loop, struct loop_hook *hook);

/* One turn: wait at most until the next timer (or `most_us`), handle, fire, run hooks. */
void loop_turn(struct loop *loop, uint64_t most_us);
/* Turns until `stop`. */
void loop_run(struct loop *loop);

static inline void loop_timer(struct loop *loop, struct timer *timer, uint64_t after_us)
{
	wheel_start(&loop->wheel, timer, loop->now_us, after_us);
}
static inline void loop_timer_stop(struct loop *loop, struct timer *timer)
{
	wheel_stop(&loop->wheel, timer);
}

#endif
