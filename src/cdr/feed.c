/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The feeder: reads what is committed back from the segments and gives it to the sink in batches. It keeps
 * nothing but a place to read from: a batch that the sink refused is simply read again.
 *
 * The position is written after the sink has said that the batch is safe there. Should the process die
 * between the two, the sink gets the batch twice and must not mind. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <unistd.h>

#define BACKOFF_FIRST_US (250 * MSEC)
#define BACKOFF_MOST_US (5 * SEC)
#define COMPLAIN_US (60 * SEC)

struct batch {
	struct cdr_entry *first, **tail;
	unsigned count;
	size_t used; /* of entry_buffer */
	size_t consumed; /* of the segment */
	uint64_t last_sequence;
};

static void batch_add(struct journal *j, struct batch *batch, const struct frame *frame)
{
	struct cdr_entry *entry;

	batch->last_sequence = frame->sequence;
	if (frame->kind != CDR_END && frame->kind != CDR_ATTEMPT)
		return;
	/* A frame takes more bytes than the entry made of it, so this buffer of the same size holds all. */
	entry = (struct cdr_entry *)(void *)(j->entry_buffer + batch->used);
	*entry = (struct cdr_entry){ .sequence = frame->sequence,
				     .len = frame->len,
				     .kind = (uint8_t)frame->kind };
	memcpy(entry->data, frame->data, frame->len);
	batch->used += (offsetof(struct cdr_entry, data) + frame->len + 7) & ~(size_t)7;
	*batch->tail = entry;
	batch->tail = &entry->next;
	batch->count++;
}

/* Sound frames among `len` bytes read; those at or below the position are passed over. */
static void batch_fill(struct journal *j, struct batch *batch, size_t len)
{
	struct frame frame;

	*batch = (struct batch){ .tail = &batch->first, .last_sequence = j->position.sequence };
	while (batch->count < FEED_MAX &&
	       frame_read(&frame, j->read_buffer + batch->consumed, len - batch->consumed)) {
		if (frame.sequence > batch->last_sequence)
			batch_add(j, batch, &frame);
		batch->consumed += frame.size;
	}
}

/* Opens the segment to read, or the next that exists. False: none. */
static bool read_segment_open(struct journal *j, uint32_t end_segment)
{
	char name[32];

	while (j->read_fd < 0 && j->read_segment <= end_segment) {
		segment_name(j->read_segment, name, sizeof(name));
		j->read_fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC);
		if (j->read_fd >= 0)
			return true;
		if (errno != ENOENT || j->read_segment == end_segment)
			return false;
		j->read_segment++;
		j->read_offset = SEGMENT_HEADER;
	}
	return j->read_fd >= 0;
}

static void read_segment_next(struct journal *j)
{
	close(j->read_fd);
	j->read_fd = -1;
	j->read_segment++;
	j->read_offset = SEGMENT_HEADER;
	atomic_store(&j->settled_segment, j->read_segment);
}

static void sink_complain(struct journal *j, int err)
{
	uint64_t now = clock_mono_us();

	if (!err && j->sink_failed)
		log_info("journal %s: the database takes records again", j->folder);
	j->sink_failed = err != 0;
	if (!err || (j->sink_complaint_us && now - j->sink_complaint_us < COMPLAIN_US))
		return;
	j->sink_complaint_us = now;
	log_error("journal %s: the database does not take records (%s): they wait in the journal",
		  j->folder, strerror(-err));
}

/* The batch is safe in the sink. */
static void settle_batch(struct journal *j, const struct batch *batch)
{
	j->read_offset += batch->consumed;
	j->position.sequence = batch->last_sequence;
	j->position.call_id = atomic_load(&j->highest_call_id);
	if (batch->count) {
		position_write(j->dir_fd, &j->position);
		atomic_fetch_sub(&j->unsettled, batch->count);
	}
	pthread_mutex_lock(&j->lock);
	j->settled_sequence = j->position.sequence;
	j->backing_off = false;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

int journal_feed(struct journal *j)
{
	struct batch batch;
	uint32_t end_segment;
	uint64_t end_offset;
	size_t most = FRAME_MAX;
	ssize_t n;
	int err;

	pthread_mutex_lock(&j->lock);
	end_segment = j->end_segment;
	end_offset = j->end_offset;
	pthread_mutex_unlock(&j->lock);

	if (!read_segment_open(j, end_segment))
		return 0;
	if (j->read_segment == end_segment && end_offset - j->read_offset < most)
		most = (size_t)(end_offset - j->read_offset);
	if (most == 0)
		return 0;
	n = pread(j->read_fd, j->read_buffer, most, (off_t)j->read_offset);
	batch_fill(j, &batch, n > 0 ? (size_t)n : 0);
	if (batch.consumed == 0 && j->read_segment < end_segment) {
		read_segment_next(j); /* to its end, or to where recovery has cut */
		return 1;
	}
	if (batch.consumed == 0)
		err = -EIO; /* what was committed cannot be read back */
	else
		err = batch.count ? j->sink(j->sink_arg, batch.first, batch.count) : 0;
	if (batch.count || err)
		sink_complain(j, err);
	if (err)
		return err;
	settle_batch(j, &batch);
	return j->read_segment < end_segment || j->read_offset < end_offset;
}

static bool feed_pending(const struct journal *j)
{
	return j->read_segment < j->end_segment || j->read_offset < j->end_offset;
}

/* Sleeps until it is worth a batch. False: the end, all is fed. */
static bool feed_wait(struct journal *j, uint64_t us)
{
	uint64_t until = clock_mono_us() + us;
	struct timespec ts = { .tv_sec = (time_t)(until / SEC),
			       .tv_nsec = (long)(until % SEC) * 1000 };
	bool more;

	pthread_mutex_lock(&j->lock);
	if (!j->feed_stop &&
	    !(atomic_load(&j->flushing) && feed_pending(j) && us <= FEED_INTERVAL_US))
		pthread_cond_timedwait(&j->feed, &j->lock, &ts);
	more = !j->feed_stop || feed_pending(j);
	pthread_mutex_unlock(&j->lock);
	return more;
}

/* To those who flush. True: the journal is closing. */
static bool tell_failure(struct journal *j)
{
	bool stop;

	pthread_mutex_lock(&j->lock);
	j->sink_failures++;
	j->backing_off = true;
	stop = j->feed_stop;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	return stop;
}

void *journal_feeder(void *arg)
{
	struct journal *j = arg;
	uint64_t wait = FEED_INTERVAL_US;

	/* The database may lag, calls may not: what is to be fed is on disk already. */
	thread_step_back();

	while (feed_wait(j, wait)) {
		int got;

		while ((got = journal_feed(j)) > 0)
			;
		if (got == 0) {
			wait = FEED_INTERVAL_US;
			continue;
		}
		if (wait <= FEED_INTERVAL_US)
			wait = BACKOFF_FIRST_US;
		else
			wait = wait * 2 < BACKOFF_MOST_US ? wait * 2 : BACKOFF_MOST_US;
		if (tell_failure(j))
			return NULL; /* what is left waits for the next start */
	}
	return NULL;
}
