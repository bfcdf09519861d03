/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of large snapshots. Freeing a hundred megabytes takes tens of milliseconds, and the last reference may be
 * that of a call's end on a worker: there it is only put on a list, and a thread of its own, which sleeps otherwise, frees
 * it. */
#include "model/model_int.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

/* Below that freeing is quicker than waking somebody. */
#define LARGE (1u << 20)

static struct {
	pthread_once_t once;
	_Atomic(struct model *) dead;
	sem_t work;
	bool running;
} reaper = { .once = PTHREAD_ONCE_INIT };

static void *reap(void *arg)
{
	thread_step_back();
	for (;;) {
		struct model *m, *next;

		while (sem_wait(&reaper.work) && errno == EINTR)
			;
		m = atomic_exchange_explicit(&reaper.dead, NULL, memory_order_acquire);
		for (; m; m = next) {
			next = m->next_dead;
			model_destroy(m);
		}
	}
	return NULL;
}

static void start(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;

	if (sem_init(&reaper.work, 0, 0) || pthread_attr_init(&attr))
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	reaper.running = pthread_create(&thread, &attr, reap, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (reaper.running)
		pthread_setname_np(thread, "reaper");
}

void reaper_start(void)
{
	pthread_once(&reaper.once, start);
}

void reaper_take(struct model *m)
{
	if (!reaper.running || arena_size(m->arena) < LARGE) {
		model_destroy(m);
		return;
	}
	m->next_dead = atomic_load_explicit(&reaper.dead, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&reaper.dead, &m->next_dead, m,
						      memory_order_release, memory_order_relaxed))
		;
	sem_post(&reaper.work);
}
