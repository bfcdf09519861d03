/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Budgets: segments end when they are full, and go when there are too many. Good calls go first: a segment of calls leaves what
 * failed and what is pinned in the kept series (archive_aging.c); there the oldest goes first, and what is pinned stays. */
#include "trace/archive_int.h"

#include <sys/statvfs.h>

#define TEND_US (40 * MSEC)
#define SEGMENT_LEAST 32768

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t series_budget(const struct archive_budget *budget, enum trace_series series)
{
	return series == SERIES_REGISTRATIONS ? budget->registrations
	       : series == SERIES_KEPT        ? budget->calls / 4
					      : budget->calls;
}

/* Bytes on disk. Lists change on the writer's thread only; others hold the lock. */
static uint64_t series_bytes(const struct archive *archive, enum trace_series series)
{
	const struct current *c = &archive->current[series];
	uint64_t bytes = c->segment ? c->segment->len : 0;

	list_for_each (at, &archive->finished[series]) {
		const struct segment *segment = list_entry(at, struct segment, node);

		bytes += segment->len + segment->index_len;
	}
	return bytes;
}

/* The one whose newest block is oldest; of the kept ones, not those of which all is known to be pinned. NULL = none. */
static struct segment *oldest(const struct archive *archive, enum trace_series series)
{
	struct segment *found = NULL;

	list_for_each (at, &archive->finished[series]) {
		struct segment *segment = list_entry(at, struct segment, node);

		if (segment->pins_seen == archive->pins_state + 1)
			continue;
		if (!found || segment->guide.head.newest_us < found->guide.head.newest_us)
			found = segment;
	}
	return found;
}

/* ---- without copying ---------------------------------------------------------------------------- */

/* With the lock held. */
static bool may_have_pinned(const struct archive *archive, const struct segment *segment)
{
	for (size_t i = 0; i < archive->pins.size; i++)
		if (archive->pins.slots[i].key &&
		    index_may_have(&segment->guide, key_of_call(archive->pins.slots[i].key)))
			return true;
	return false;
}

/* False: there is a pinned call in it, perhaps. */
static bool drop_whole(struct archive *archive, struct segment *segment)
{
	bool pinned;

	pthread_mutex_lock(&archive->lock);
	pinned = may_have_pinned(archive, segment);
	if (!pinned) {
		archive_drop(archive, segment);
		archive->aged_calls += segment->guide.head.n_rows;
	}
	pthread_mutex_unlock(&archive->lock);
	if (!pinned)
		segment_unref(segment);
	return !pinned;
}

/* The disk takes no copies: something goes without. */
static void make_room(struct archive *archive, int err)
{
	static const enum trace_series order[] = { SERIES_KEPT, SERIES_REGISTRATIONS,
						   SERIES_CALLS };

	log_warn("trace %s: cannot keep failed calls beyond their time: %s", archive->folder,
		 strerror(-err));
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		struct segment *segment = oldest(archive, order[i]);

		if (segment && drop_whole(archive, segment))
			return;
	}
}

/* ---- what is due ---------------------------------------------------------------------------------- */

static bool disk_is_low(const struct archive *archive, const struct archive_budget *budget)
{
	struct statvfs fs;

	return budget->disk_free && fstatvfs(archive->dir_fd, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize < budget->disk_free;
}

/* Which segment has to go? NULL = none. */
static struct segment *due(const struct archive *archive, const struct archive_budget *budget)
{
	uint64_t kept = series_bytes(archive, SERIES_KEPT);
	uint64_t kept_most = series_budget(budget, SERIES_KEPT);
	struct segment *segment = NULL;

	if (series_bytes(archive, SERIES_REGISTRATIONS) > budget->registrations)
		segment = oldest(archive, SERIES_REGISTRATIONS);
	if (!segment && kept > kept_most)
		segment = oldest(archive, SERIES_KEPT);
	/* Pins beyond a quarter do not drive out what comes now. */
	if (!segment &&
	    series_bytes(archive, SERIES_CALLS) + least(kept, kept_most) > budget->calls)
		segment = oldest(archive, SERIES_CALLS);
	if (segment || !disk_is_low(archive, budget))
		return segment;
	segment = oldest(archive, SERIES_CALLS);
	if (!segment)
		segment = oldest(archive, SERIES_REGISTRATIONS);
	return segment ? segment : oldest(archive, SERIES_KEPT);
}

/* Ends one segment that is full. True: one was. */
static bool rotate(struct archive *archive, const struct archive_budget *budget)
{
	for (unsigned s = 0; s < TRACE_SERIES; s++) {
		const struct current *c = &archive->current[s];
		uint64_t most = least(TRACE_SEGMENT_BYTES, series_budget(budget, s) / 8);
		int err;

		if (!c->segment || c->segment->len < (most > SEGMENT_LEAST ? most : SEGMENT_LEAST))
			continue;
		err = archive_finish(archive, s);
		if (!err)
			return true;
		log_debug("trace %s: cannot end a segment: %s", archive->folder, strerror(-err));
	}
	return false;
}

/* Somebody has removed the file. */
static void drop_missing(struct archive *archive, struct segment *segment)
{
	pthread_mutex_lock(&archive->lock);
	archive_drop(archive, segment);
	pthread_mutex_unlock(&archive->lock);
	segment_unref(segment);
}

/* Lets one segment go, or begins to. True: there is more to do. */
static bool age(struct archive *archive, const struct archive_budget *budget, uint64_t until_us)
{
	struct segment *segment;
	int err;

	if (archive->aging) {
		err = aging_go_on(archive, until_us);
		if (err < 0)
			make_room(archive, err);
		return err >= 0;
	}
	segment = due(archive, budget);
	if (!segment)
		return false;
	if (segment->series != SERIES_CALLS && drop_whole(archive, segment))
		return true;
	err = aging_begin(archive, segment);
	if (err == -ENOENT)
		drop_missing(archive, segment);
	else if (err)
		log_debug("trace %s: cannot age: %s", archive->folder, strerror(-err));
	return !err || err == -ENOENT;
}

bool archive_tend(struct archive *archive, const struct archive_budget *budget)
{
	uint64_t until_us = clock_mono_us() + TEND_US;
	bool more;

	pthread_mutex_lock(&archive->lock);
	archive->budget = *budget;
	pthread_mutex_unlock(&archive->lock);
	if (rotate(archive, budget))
		return true;
	do {
		more = age(archive, budget, until_us);
	} while (more && clock_mono_us() < until_us);
	return more;
}

/* ---- what there is ---------------------------------------------------------------------------------- */

static void add_times(struct trace_usage *usage, const struct index_head *head)
{
	if (!head->n_entries)
		return;
	if (!usage->oldest_us || head->oldest_us < usage->oldest_us)
		usage->oldest_us = head->oldest_us;
	if (head->newest_us > usage->newest_us)
		usage->newest_us = head->newest_us;
}

static void series_usage(const struct archive *archive, enum trace_series series,
			 struct trace_usage *usage)
{
	const struct current *c = &archive->current[series];

	*usage = (struct trace_usage){ .bytes = series_bytes(archive, series),
				       .budget_bytes = series_budget(&archive->budget, series),
				       .segments = c->segment != NULL };
	add_times(usage, &c->index.head);
	list_for_each (at, &archive->finished[series]) {
		add_times(usage, &list_entry(at, struct segment, node)->guide.head);
		usage->segments++;
	}
}

void archive_usage(struct archive *archive, struct trace_status *out)
{
	pthread_mutex_lock(&archive->lock);
	series_usage(archive, SERIES_CALLS, &out->calls);
	series_usage(archive, SERIES_REGISTRATIONS, &out->registrations);
	series_usage(archive, SERIES_KEPT, &out->kept);
	out->aged_calls = archive->aged_calls;
	out->kept_calls = archive->kept_calls;
	pthread_mutex_unlock(&archive->lock);
}
