/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <unistd.h>

#define EVENTS_A_TURN 64

/* Events fetched in this turn by this thread; loop_del blanks those of its watch. */
static _Thread_local struct epoll_event turn_events[EVENTS_A_TURN];
static _Thread_local int turn_count;

static void loop_read_clocks(struct loop *loop)
{
	loop->now_us = clock_mono_us();
	loop->utc_us = clock_utc_us();
}

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	if (loop->epoll_fd < 0)
		return -errno;
	list_init(&loop->hooks);
	loop_read_clocks(loop);
	wheel_init(&loop->wheel, loop->now_us);
	return 0;
}

void loop_close(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = watch };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	watch->fd = fd;
	return 0;
}

int loop_modify(struct loop *loop, struct loop_fd *watch, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &ev) < 0 ? -errno : 0;
}

void loop_del(struct loop *loop, struct loop_fd *watch)
{
	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
	for (int i = 0; i < turn_count; i++)
		if (turn_events[i].data.ptr == watch)
			turn_events[i].data.ptr = NULL;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
	list_add_tail(&loop->hooks, &hook->node);
}

static void loop_run_hooks(struct loop *loop)
{
	list_for_each_safe (pos, tmp, &loop->hooks) {
		struct loop_hook *hook = list_entry(pos, struct loop_hook, node);

		hook->run(hook);
	}
}

void loop_turn(struct loop *loop, uint64_t most_us)
{
	uint64_t wait = wheel_wait(&loop->wheel, loop->now_us, most_us);
	int n = epoll_wait(loop->epoll_fd, turn_events, EVENTS_A_TURN, (int)((wait + 999) / 1000));

	loop_read_clocks(loop);
	turn_count = n > 0 ? n : 0;
	for (int i = 0; i < turn_count; i++) {
		struct loop_fd *watch = turn_events[i].data.ptr;

		if (watch)
			watch->ready(watch, turn_events[i].events);
	}
	turn_count = 0;
	wheel_run(&loop->wheel, loop->now_us);
	loop_run_hooks(loop);
}

void loop_run(struct loop *loop)
{
	while (!loop->stop)
		loop_turn(loop, 1 * SEC);
}
