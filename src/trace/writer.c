/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer's thread: takes what the lanes hold, in the order of time, stamps messages with the call that they belong to,
 * and hands everything to the archive. It alone waits for the disk. What the disk refuses is dropped and counted: a later
 * entry is worth as much as an earlier one, and the lanes must not fill.
 *
 * An entry is written one look after the one that found it. By then the notes of its turn are there, and all that bind
 * have been read: the INVITE is stamped though its call began after it. */
#include "trace/trace_write.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_MS 100
#define AHEAD 4 /* entries whose blocks are fetched from the other core before they are wanted */
#define TEND_US SEC
#define COMPLAIN_US (60 * SEC)

/* ---- taps and notes of its own ------------------------------------------------------------------------ */

/* A message of several blocks: put together in a copy, the archive wants them as they are. */
static void show_long(struct trace *t, const void *bytes, size_t len)
{
	char *copy = malloc(len);
	struct trace_entry entry;

	if (!copy)
		return;
	memcpy(copy, bytes, len);
	if (block_join(copy, len, &entry))
		trace_show_taps(t, &entry);
	free(copy);
}

static bool is_tapped(const struct trace *t)
{
	return atomic_load_explicit(&t->n_taps, memory_order_acquire) != 0;
}

static void show(struct trace *t, const void *bytes, size_t len)
{
	struct trace_entry entry;
	enum block_is is;

	if (!is_tapped(t) || !block_read(bytes, len, &entry, &is))
		return;
	if (is == BLOCK_ENTRY)
		trace_show_taps(t, &entry);
	else if (is == BLOCK_ENTRY_MORE)
		show_long(t, bytes, len);
}

static void note_event(struct trace *t, const char *text)
{
	struct trace_note note = { .kind = TRACE_EVENT,
				   .utc_us = clock_utc_us(),
				   .text = span_of(text) };
	struct archive_block block = { .kind = TRACE_EVENT,
				       .key = key_of_object(SPAN_NONE),
				       .utc_us = note.utc_us };
	char bytes[1024];

	assert(block_note_room(&note) <= sizeof(bytes));
	block.bytes = bytes;
	block.len = (uint32_t)block_write_note(bytes, &note);
	if (archive_append(t->archive, SERIES_CALLS, &block, 1) == 0) {
		atomic_fetch_add_explicit(&t->notes, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&t->bytes, block.len, memory_order_relaxed);
	}
	if (is_tapped(t))
		show(t, bytes, block.len);
}

/* ---- to the archive ------------------------------------------------------------------------------------ */

static void disk_refused(struct trace *t, const struct batch *batch, int err)
{
	bool begins = !t->refused;

	t->refused += batch->n;
	atomic_fetch_add_explicit(&t->dropped_disk, batch->n, memory_order_relaxed);
	atomic_store(&t->disk_error, -err);
	if (!begins)
		return;
	t->refused_since_us = clock_mono_us();
	log_warn(
		"trace: the disk refuses it (%s): it has gaps from here on, calls go on; make room",
		strerror(-err));
}

static void disk_took(struct trace *t, const struct batch *batch)
{
	char text[200];

	atomic_fetch_add_explicit(&t->messages, batch->messages, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->notes, batch->n - batch->messages, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->bytes, batch->bytes, memory_order_relaxed);
	if (!t->refused)
		return;
	fmt_print(text, sizeof(text), "the disk refused %llu entries within %llu s: %s",
		  (unsigned long long)t->refused,
		  (unsigned long long)((clock_mono_us() - t->refused_since_us) / SEC),
		  strerror(atomic_load(&t->disk_error)));
	t->refused = 0;
	atomic_store(&t->disk_error, 0);
	log_warn("trace: written again; %s", text);
	note_event(t, text);
}

/* All that was taken is in the archive or given up: the lanes may use its room again. */
static void write_out(struct trace *t)
{
	for (unsigned i = 0; i < SERIES_KEPT; i++) {
		struct batch *batch = &t->batches[i];
		int err;

		if (!batch->n)
			continue;
		err = archive_append(t->archive, i, batch->blocks, batch->n);
		if (err)
			disk_refused(t, batch, err);
		else
			disk_took(t, batch);
		batch->n = batch->messages = 0;
		batch->bytes = 0;
	}
	for (unsigned i = 0; i <= t->n_lanes; i++)
		trace_lane_release(&t->lanes[i]);
}

static void add(struct trace *t, enum trace_series series, const struct lane_entry *entry,
		const void *blocks)
{
	struct batch *batch = &t->batches[series];

	batch->blocks[batch->n++] = (struct archive_block){
		.bytes = blocks,
		.len = entry->len,
		.kind = entry->kind,
		.key = entry->key,
		.key2 = entry->key2,
		.utc_us = entry->utc_us,
	};
	batch->messages += entry->kind == TRACE_MESSAGE;
	batch->bytes += entry->len;
	if (is_tapped(t))
		show(t, blocks, entry->len);
}

/* ---- from the lanes -------------------------------------------------------------------------------------- */

/* What has come since the last look, for what it binds. */
static void look(struct trace *t, struct trace_lane *lane)
{
	uint64_t bound = lane->seen;

	lane->seen = atomic_load_explicit(&lane->head, memory_order_acquire);
	for (; bound < lane->seen; bound++) {
		const struct lane_entry *entry = lane_entry_at(lane, bound);

		if (entry->kind == LANE_SELECT)
			live_select(&t->live, entry->call);
		else if (entry->call && entry->key2)
			live_bind(&t->live, entry->key2, entry->call, entry->leg, entry->attempt);
	}
}

/* The series that a message belongs to, stamped by now; false: nobody asked for it. */
static bool take_message(struct trace *t, const struct lane_entry *entry, void *blocks,
			 enum trace_series *series)
{
	struct live_found found = { 0 };

	if (entry->key && live_find(&t->live, entry->key, &found))
		block_stamp_message(blocks, entry->len, found.call, found.leg, found.attempt);
	*series = entry->registration && !found.call ? SERIES_REGISTRATIONS : SERIES_CALLS;
	return !entry->if_selected || found.selected;
}

static bool take_note(struct trace *t, const struct lane_entry *entry, enum trace_series *series)
{
	bool of_registrations = entry->kind == TRACE_REGISTER || entry->kind == TRACE_GATEWAY;

	if (entry->kind == TRACE_END)
		live_end(&t->live, entry->call, clock_mono_us());
	*series = of_registrations && !entry->call ? SERIES_REGISTRATIONS : SERIES_CALLS;
	return !entry->if_selected || live_selected(&t->live, entry->call);
}

/* The lines that taking an entry a little later will want. */
static void prefetch(struct trace *t, const struct trace_lane *lane, const struct lane_entry *entry)
{
	const char *blocks = lane_blocks(lane, entry);

	if (entry->kind != TRACE_MESSAGE)
		return;
	trace_prefetch_stores(blocks + entry->len - 64, 65); /* the comment, at a message's end */
	live_prefetch(&t->live, entry->key);
}

static void take(struct trace *t, struct trace_lane *lane)
{
	const struct lane_entry *entry = lane_entry_at(lane, lane->next);
	void *blocks = lane_blocks(lane, entry);
	enum trace_series series;
	bool wanted;

	for (unsigned i = 0; i < SERIES_KEPT; i++) {
		if (t->batches[i].n == BATCH_BLOCKS)
			write_out(t);
	}
	if (lane->next + AHEAD < lane->seen)
		prefetch(t, lane, lane_entry_at(lane, lane->next + AHEAD));
	lane->next++;
	lane->next_at = entry->at + entry->room;
	if (entry->kind == LANE_SELECT)
		return;
	wanted = entry->kind == TRACE_MESSAGE ? take_message(t, entry, blocks, &series)
					      : take_note(t, entry, &series);
	if (wanted)
		add(t, series, entry, blocks);
}

/* The lane whose next entry is the oldest; NULL: nothing is left. */
static struct trace_lane *oldest(struct trace *t, bool all)
{
	struct trace_lane *best = NULL;
	uint64_t best_us = 0;

	for (unsigned i = 0; i <= t->n_lanes; i++) {
		struct trace_lane *lane = &t->lanes[i];
		uint64_t utc_us;

		if (lane->next == (all ? lane->seen : lane->ripe))
			continue;
		utc_us = lane_entry_at(lane, lane->next)->utc_us;
		if (best && utc_us >= best_us)
			continue;
		best = lane;
		best_us = utc_us;
	}
	return best;
}

/* Entries that found no room since the last time. */
static void tell_dropped(struct trace *t)
{
	uint64_t dropped = 0, now = clock_mono_us();
	char text[200];

	for (unsigned i = 0; i <= t->n_lanes; i++) {
		struct trace_lane *lane = &t->lanes[i];
		uint64_t total = atomic_load_explicit(&lane->dropped, memory_order_relaxed);

		dropped += total - lane->dropped_told;
		lane->dropped_told = total;
	}
	if (!dropped)
		return;
	fmt_print(text, sizeof(text), "%llu entries were lost: more came than could be written",
		  (unsigned long long)dropped);
	note_event(t, text);
	if (!t->complained_us || now - t->complained_us > COMPLAIN_US)
		log_warn("trace: %s", text);
	t->complained_us = now;
}

/* A ladder that begins in mid-call, or ends there, shall say why. */
static void tell_mode(struct trace *t)
{
	static const char *const texts[] = {
		[TRACE_OFF] = "trace is off from here on",
		[TRACE_SELECTED] =
			"from here on only calls of gateways with trace_until are traced",
		[TRACE_ON] = "trace is on from here on"
	};
	enum trace_mode mode = atomic_load(&t->mode);

	if (mode == t->told)
		return;
	t->told = mode;
	note_event(t, texts[mode]);
}

void trace_write(struct trace *t, bool all)
{
	struct trace_lane *lane;

	for (unsigned i = 0; i <= t->n_lanes; i++) {
		lane = &t->lanes[i];
		look(t, lane);
		all |= lane->seen - lane->next > lane->n_entries / 2 ||
		       lane_waiting(lane) > lane->size / 2;
	}
	while ((lane = oldest(t, all)) != NULL)
		take(t, lane);
	write_out(t);
	for (unsigned i = 0; i <= t->n_lanes; i++)
		t->lanes[i].ripe = t->lanes[i].seen;
	tell_dropped(t);
	tell_mode(t);
}

/* ---- the thread --------------------------------------------------------------------------------------------- */

static void tend(struct trace *t, const struct trace_settings *settings)
{
	struct archive_budget budget = {
		.calls = settings->call_bytes * 2,
		.registrations = settings->register_bytes * 2,
		.disk_free = settings->disk_free_bytes,
	};
	uint64_t now = clock_mono_us();

	if (now - t->tended_us < TEND_US)
		return;
	live_age(&t->live, now);
	if (!archive_tend(t->archive, &budget))
		t->tended_us = now;
}

static void wait_for_work(struct trace *t)
{
	struct pollfd fd = { .fd = t->wake_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&fd, 1, LOOK_MS) > 0 && read(t->wake_fd, &count, sizeof(count)) < 0)
		return;
}

void *trace_writer(void *arg)
{
	struct trace *t = arg;
	bool stop = false;

	/* Calls may not lag, their trace may. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5);
	while (!stop) {
		struct trace_settings settings;
		uint64_t flush;

		wait_for_work(t);
		pthread_mutex_lock(&t->lock);
		trace_mode_update(t);
		settings = t->settings;
		flush = t->flush_wanted;
		stop = t->stop;
		pthread_mutex_unlock(&t->lock);
		trace_write(t, flush != t->flush_done);
		tend(t, &settings);
		if (flush == t->flush_done)
			continue;
		pthread_mutex_lock(&t->lock);
		t->flush_done = flush;
		pthread_cond_broadcast(&t->flushed);
		pthread_mutex_unlock(&t->lock);
	}
	return NULL;
}
