/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Old records go: a thread of its own removes what is older than cdr_keep_days, a few hundred calls at a time with
 * pauses, because the journal waits for the same lock. */
#include "store/store_int.h"

#include <unistd.h>

#define ROUND_US (600 * SEC)
#define BATCH 500
#define PAUSE_US (100 * MSEC) /* 5,000 calls a second go at most */
#define DAY (86400 * SEC)

static uint64_t oldest_kept(const struct store *store)
{
	struct model *m = model_hub_get(store->hub);
	uint64_t keep = m->params.cdr_keep_days * DAY, now = clock_utc_us();

	model_unref(&m);
	return keep && now > keep ? now - keep : 0;
}

/* True: it is time to stop. */
static bool sleep_for(struct store *store, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;
	struct timespec ts = { .tv_sec = (time_t)(until / SEC),
			       .tv_nsec = (long)(until % SEC) * 1000 };
	int err = 0;
	bool stop;

	pthread_mutex_lock(&store->keeper_lock);
	while (!store->keeper_stop && !err)
		err = pthread_cond_timedwait(&store->keeper_wake, &store->keeper_lock, &ts);
	stop = store->keeper_stop;
	pthread_mutex_unlock(&store->keeper_lock);
	return stop;
}

/* True: it is time to stop. */
static bool clean(struct store *store)
{
	uint64_t before = oldest_kept(store), total = 0;
	bool stop = false;
	int n = 0;

	while (before && !stop && (n = store_clean(store, before, BATCH)) > 0) {
		total += (uint64_t)n;
		stop = sleep_for(store, PAUSE_US);
	}
	if (n < 0)
		log_warn("store: old records cannot be removed: %s", strerror(-n));
	if (total)
		log_info("store: %llu call records older than cdr_keep_days removed",
			 (unsigned long long)total);
	return stop;
}

static void *keep(void *arg)
{
	struct store *store = arg;

	thread_step_back();
	while (!clean(store) && !sleep_for(store, ROUND_US))
		;
	return NULL;
}

int store_keep(struct store *store, struct model_hub *hub)
{
	int err;

	store->hub = hub;
	err = pthread_create(&store->keeper, NULL, keep, store);
	store->keeper_runs = err == 0;
	if (!err)
		pthread_setname_np(store->keeper, "store-keeper");
	return -err;
}

void store_keeper_init(struct store *store)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&store->keeper_wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&store->keeper_lock, NULL);
}

void store_keeper_close(struct store *store)
{
	pthread_mutex_lock(&store->keeper_lock);
	store->keeper_stop = true;
	pthread_cond_signal(&store->keeper_wake);
	pthread_mutex_unlock(&store->keeper_lock);
	if (store->keeper_runs)
		pthread_join(store->keeper, NULL);
	pthread_cond_destroy(&store->keeper_wake);
	pthread_mutex_destroy(&store->keeper_lock);
}
