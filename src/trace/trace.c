/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A trace: opened, set, asked, closed. */
#include "trace/trace_write.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- open, close --------------------------------------------------------------------------------- */

static struct trace *trace_new(void)
{
	struct trace *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;

	if (!t)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->flushed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->tap_lock, NULL);
	pthread_mutex_init(&t->outside, NULL);
	t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return t;
}

static int lanes_open(struct trace *t, unsigned lanes)
{
	size_t size = sizeof(*t->lanes) * (lanes + 1);
	int err = 0;

	t->lanes = aligned_alloc(_Alignof(struct trace_lane), size);
	if (!t->lanes)
		return -ENOMEM;
	memset(t->lanes, 0, size);
	t->n_lanes = lanes;
	for (unsigned i = 0; i <= lanes && !err; i++)
		err = trace_lane_open(&t->lanes[i], i < lanes ? LANE_BYTES : LANE_OUTSIDE_BYTES,
				      t->wake_fd, &t->mode);
	return err;
}

/* Signals are the main thread's. */
static int writer_start(struct trace *t)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&t->thread, NULL, trace_writer, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->runs = !err;
	if (t->runs)
		pthread_setname_np(t->thread, "trace-write");
	return err;
}

int trace_open(struct trace **trace_out, const struct trace_config *config, char *why,
	       size_t why_size)
{
	struct trace *t = trace_new();
	int err;

	fmt_print(why, why_size, "no memory for the trace");
	if (!t)
		return -ENOMEM;
	err = t->wake_fd < 0 ? -EMFILE : live_init(&t->live, LIVE_CALLS_MAX);
	if (!err)
		err = lanes_open(t, config->lanes);
	if (!err)
		err = archive_open(&t->archive, config->folder, config->product, why, why_size);
	if (!err) {
		trace_set(t, &config->settings);
		t->told = atomic_load(&t->mode);
		err = writer_start(t);
	}
	if (err) {
		trace_close(&t);
		return err;
	}
	*trace_out = t;
	return 0;
}

static void writer_stop(struct trace *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_mutex_unlock(&t->lock);
	trace_wake(t);
	pthread_join(t->thread, NULL);
	trace_write(t, true);
}

void trace_close(struct trace **trace)
{
	struct trace *t = *trace;

	if (!t)
		return;
	if (t->runs)
		writer_stop(t);
	archive_close(&t->archive);
	for (unsigned i = 0; t->lanes && i <= t->n_lanes; i++)
		trace_lane_close(&t->lanes[i]);
	free(t->lanes);
	live_free(&t->live);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	pthread_cond_destroy(&t->flushed);
	pthread_mutex_destroy(&t->lock);
	pthread_mutex_destroy(&t->tap_lock);
	pthread_mutex_destroy(&t->outside);
	free(t);
	*trace = NULL;
}

/* ---- settings ------------------------------------------------------------------------------------- */

void trace_mode_update(struct trace *t)
{
	uint64_t now = clock_utc_us();
	enum trace_mode mode = TRACE_OFF;

	if (t->settings.on && (!t->settings.until_us || now < t->settings.until_us))
		mode = TRACE_ON;
	else if (now < t->settings.gateways_until_us)
		mode = TRACE_SELECTED;
	atomic_store_explicit(&t->mode, mode, memory_order_relaxed);
}

void trace_set(struct trace *t, const struct trace_settings *settings)
{
	pthread_mutex_lock(&t->lock);
	t->settings = *settings;
	trace_mode_update(t);
	pthread_mutex_unlock(&t->lock);
}

/* ---- for everybody --------------------------------------------------------------------------------- */

struct trace_lane *trace_lane(struct trace *t, unsigned lane)
{
	assert(lane < t->n_lanes);
	return &t->lanes[lane];
}

struct archive *trace_archive(struct trace *t)
{
	return t->archive;
}

void trace_note_from_outside(struct trace *t, const struct trace_note *note)
{
	pthread_mutex_lock(&t->outside);
	trace_note(&t->lanes[t->n_lanes], note);
	pthread_mutex_unlock(&t->outside);
}

void trace_wake(struct trace *t)
{
	uint64_t one = 1;

	if (write(t->wake_fd, &one, sizeof(one)) < 0)
		return; /* counter at its top: it is readable anyway */
}

bool trace_flush(struct trace *t, uint64_t timeout_us)
{
	uint64_t until = clock_mono_us() + timeout_us, ticket;
	struct timespec ts = { .tv_sec = (time_t)(until / SEC),
			       .tv_nsec = (long)(until % SEC) * 1000 };
	bool done;

	pthread_mutex_lock(&t->lock);
	ticket = ++t->flush_wanted;
	trace_wake(t);
	while (t->flush_done < ticket && pthread_cond_timedwait(&t->flushed, &t->lock, &ts) == 0)
		;
	done = t->flush_done >= ticket;
	pthread_mutex_unlock(&t->lock);
	return done;
}

void trace_status(struct trace *t, struct trace_status *out)
{
	struct trace_status status = { 0 };

	pthread_mutex_lock(&t->lock);
	trace_mode_update(t);
	status.until_us = t->settings.until_us;
	pthread_mutex_unlock(&t->lock);
	status.on = atomic_load(&t->mode) == TRACE_ON;
	status.messages = atomic_load(&t->messages);
	status.notes = atomic_load(&t->notes);
	status.bytes = atomic_load(&t->bytes);
	status.dropped_disk = atomic_load(&t->dropped_disk);
	status.disk_error = atomic_load(&t->disk_error);
	for (unsigned i = 0; i <= t->n_lanes; i++) {
		status.waiting_bytes += lane_waiting(&t->lanes[i]);
		status.dropped_full += atomic_load(&t->lanes[i].dropped);
	}
	archive_usage(t->archive, &status);
	*out = status;
}

/* ---- taps ------------------------------------------------------------------------------------------- */

void trace_tap(struct trace *t, struct trace_tap *tap)
{
	pthread_mutex_lock(&t->tap_lock);
	tap->next = t->taps;
	t->taps = tap;
	atomic_fetch_add(&t->n_taps, 1);
	pthread_mutex_unlock(&t->tap_lock);
}

void trace_untap(struct trace *t, struct trace_tap *tap)
{
	struct trace_tap **at = &t->taps;

	pthread_mutex_lock(&t->tap_lock);
	while (*at && *at != tap)
		at = &(*at)->next;
	if (*at) {
		*at = tap->next;
		atomic_fetch_sub(&t->n_taps, 1);
	}
	pthread_mutex_unlock(&t->tap_lock);
}

void trace_show_taps(struct trace *t, const struct trace_entry *entry)
{
	pthread_mutex_lock(&t->tap_lock);
	for (struct trace_tap *tap = t->taps; tap; tap = tap->next)
		tap->entry(tap, entry);
	pthread_mutex_unlock(&t->tap_lock);
}
