/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The committer: what was added becomes durable here.
 *
 * It sleeps until something is added, and commits at once if the last commit is sync_us ago; under load it
 * waits out the rest of sync_us, so that records gather and one fdatasync serves many.
 *
 * When a write fails (disk full, I/O error) the batch stays with the sequences it was given, and is
 * written again later, to the same offset. When fdatasync fails the kernel may have dropped the dirty
 * pages and would report success the next time, so the segment is abandoned at its last good
 * byte and the batch goes to a new one. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETRY_US (250 * MSEC)
#define COMPLAIN_US (60 * SEC)
#define REMOVAL_US SEC

void journal_append(struct journal *j, struct cdr_entry *entry)
{
	atomic_fetch_add(&j->added, 1);
	j->taken++;
	entry->next = NULL;
	*j->pending_tail = entry;
	j->pending_tail = &entry->next;
}

void journal_take(struct journal *j)
{
	for (unsigned i = 0; i < j->n_lanes; i++) {
		*j->pending_tail = lane_take(&j->lanes[i]);
		for (; *j->pending_tail; j->pending_tail = &(*j->pending_tail)->next)
			j->taken++;
	}
}

/* An entry may be taken before the one who added it has counted it. */
static bool more_to_take(const struct journal *j)
{
	return (int64_t)(atomic_load(&j->added) - j->taken) > 0;
}

void journal_forget(struct journal *j, struct cdr_entry *entry)
{
	if (entry->lane == 0)
		free(entry);
	else if (entry->lane != LANE_EARLIER)
		lane_release(&j->lanes[entry->lane - 1], entry);
}

static int write_at(int fd, const unsigned char *bytes, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* The next segment: header and directory entry are on disk before anything is called committed. */
int journal_roll(struct journal *j)
{
	unsigned char header[SEGMENT_HEADER];
	uint32_t number = j->segment;
	char name[32];
	int fd, err;

	do { /* one may exist: a failed attempt's, which could not even be removed */
		segment_name(++number, name, sizeof(name));
		fd = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return -errno;
	segment_header_write(header, number,
			     j->pending && j->pending->sequence ? j->pending->sequence
								: j->next_sequence);
	err = write_at(fd, header, sizeof(header), 0);
	if (!err && (fdatasync(fd) || fsync(j->dir_fd)))
		err = -errno;
	if (err) {
		close(fd);
		unlinkat(j->dir_fd, name, 0);
		return err;
	}
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->segment = number;
	j->offset = SEGMENT_HEADER;
	return 0;
}

/* As many pending entries as fit become frames; returns the first that did not fit. */
static struct cdr_entry *fill_buffer(struct journal *j, uint64_t utc_us, size_t *len_out)
{
	struct cdr_entry *entry = j->pending;
	size_t len = 0;

	for (; entry && len + FRAME_HEADER + entry->len <= FRAME_MAX; entry = entry->next) {
		if (!entry->sequence)
			entry->sequence = j->next_sequence++;
		frame_write(j->buffer + len, entry, utc_us);
		len += FRAME_HEADER + entry->len;
	}
	*len_out = len;
	return entry;
}

static int write_buffer(struct journal *j, size_t len)
{
	uint64_t before, took;
	int err = 0;

	if (j->fd < 0 || (j->offset + len > j->segment_bytes && j->offset > SEGMENT_HEADER))
		err = journal_roll(j);
	if (err)
		return err;
	err = write_at(j->fd, j->buffer, len, j->offset);
	if (err) {
		if (ftruncate(j->fd, (off_t)j->offset) == 0)
			return err;
	} else {
		before = clock_mono_us();
		if (fdatasync(j->fd) == 0) {
			took = clock_mono_us() - before;
			if (took > atomic_load(&j->sync_us_max))
				atomic_store(&j->sync_us_max, took);
			return 0;
		}
		err = -errno;
		if (ftruncate(j->fd, (off_t)j->offset) != 0)
			log_error("journal %s: cannot cut segment %u at its last good byte",
				  j->folder, j->segment);
	}
	close(j->fd);
	j->fd = -1;
	return err;
}

/* Forget the entries that are on disk now, and tell the feeder and those who flush. */
static void publish(struct journal *j, struct cdr_entry *until, size_t len)
{
	unsigned count = 0, records = 0;
	uint64_t sequence = 0;

	while (j->pending != until) {
		struct cdr_entry *entry = j->pending;
		uint64_t id = cdr_data_call_id(entry->data, entry->len);

		if (entry->kind == CDR_ANSWER)
			answered_add(&j->answered, id, j->segment);
		else if (entry->kind == CDR_END)
			answered_del(&j->answered, id);
		else if (entry->kind == CDR_ATTEMPT)
			answered_attempt(&j->answered, id);
		if (id > atomic_load_explicit(&j->highest_call_id, memory_order_relaxed))
			atomic_store_explicit(&j->highest_call_id, id, memory_order_relaxed);
		records += entry->kind == CDR_END || entry->kind == CDR_ATTEMPT;
		sequence = entry->sequence;
		count++;
		j->pending = entry->next;
		journal_forget(j, entry);
	}
	if (!j->pending)
		j->pending_tail = &j->pending;
	atomic_fetch_add(&j->entries, count);
	atomic_fetch_add(&j->bytes, len);
	atomic_fetch_add(&j->syncs, 1);
	records += (unsigned)atomic_fetch_add(&j->unsettled, records);
	pthread_mutex_lock(&j->lock);
	j->end_segment = j->segment;
	j->end_offset = j->offset;
	j->end_sequence = sequence;
	j->committed += count;
	if ((records >= FEED_MAX && !j->backing_off) || atomic_load(&j->flushing))
		pthread_cond_signal(&j->feed);
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

static void complain(struct journal *j, int err)
{
	uint64_t now = clock_mono_us();

	if (!err && atomic_load(&j->disk_error))
		log_info("journal %s: writing again", j->folder);
	atomic_store(&j->disk_error, -err);
	if (!err || (j->last_complaint_us && now - j->last_complaint_us < COMPLAIN_US))
		return;
	j->last_complaint_us = now;
	log_error("journal %s: %s: records wait and would be lost with the machine; free or repair "
		  "the disk",
		  j->folder, strerror(-err));
}

int journal_commit(struct journal *j, uint64_t utc_us)
{
	while (j->pending) {
		size_t len;
		struct cdr_entry *until = fill_buffer(j, utc_us ? utc_us : clock_utc_us(), &len);
		int err = write_buffer(j, len);

		complain(j, err);
		if (err)
			return err;
		j->offset += len;
		j->last_commit_us = clock_mono_us();
		publish(j, until, len);
	}
	return 0;
}

/* So that a start after a crash knows until when calls were up at least. */
static void add_alive(struct journal *j, uint64_t now)
{
	struct cdr nothing = { 0 };
	struct cdr_entry *entry;

	if (j->answered.table.count == 0 || now - j->last_commit_us < SEC || j->pending)
		return;
	entry = cdr_encode(CDR_ALIVE, &nothing);
	if (entry)
		journal_append(j, entry);
}

struct rewrite {
	struct journal *journal;
	uint32_t segment;
	bool failed;
};

static void rewrite_answer(void *arg, const struct frame *frame)
{
	struct rewrite *rewrite = arg;
	struct answered_call *call;
	struct cdr_entry *copy;

	if (frame->kind != CDR_ANSWER)
		return;
	call = answered_find(&rewrite->journal->answered,
			     cdr_data_call_id(frame->data, frame->len));
	if (!call || call->segment != rewrite->segment)
		return;
	copy = cdr_entry_copy(CDR_ANSWER, frame->data, frame->len);
	if (copy)
		journal_append(rewrite->journal, copy);
	else
		rewrite->failed = true;
}

/* Answers of calls still up go to the current segment, before anything else is taken: an END that is on its way must come
 * after them. False: not now. */
static bool carry_over(struct journal *j, uint32_t segment)
{
	struct rewrite rewrite = { j, segment, false };
	unsigned char *bytes;
	size_t len;
	int err;

	if (j->answered.table.count == 0)
		return true;
	err = segment_load(j->dir_fd, segment, &bytes, &len);
	if (err)
		return err == -ENOENT;
	segment_scan(bytes, len, rewrite_answer, &rewrite);
	free(bytes);
	return journal_commit(j, 0) == 0 && !rewrite.failed;
}

/* Always the oldest first and each removal synced: an END must never go before its ANSWER, or the next
 * start would take the call for one that was up. */
void journal_remove_old(struct journal *j)
{
	uint32_t settled = atomic_load(&j->settled_segment);
	char name[32];

	while (j->oldest < settled && j->oldest < j->segment && !j->answered.incomplete) {
		if (!carry_over(j, j->oldest))
			return;
		segment_name(j->oldest, name, sizeof(name));
		if (unlinkat(j->dir_fd, name, 0) != 0 && errno != ENOENT)
			return;
		if (fsync(j->dir_fd) != 0)
			return;
		j->oldest++;
	}
}

static void sleep_us(uint64_t us)
{
	struct timespec ts = { .tv_sec = (time_t)(us / SEC), .tv_nsec = (long)(us % SEC) * 1000 };

	nanosleep(&ts, NULL);
}

/* Until something is added, or `us`. */
static void wait_for_more(struct journal *j, uint64_t us)
{
	struct timespec ts = { .tv_sec = (time_t)(us / SEC), .tv_nsec = (long)(us % SEC) * 1000 };

	atomic_store(&j->asleep, 1);
	if (!more_to_take(j) && !atomic_load(&j->stop))
		syscall(SYS_futex, &j->asleep, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0);
	atomic_store(&j->asleep, 0);
}

/* Let records gather for the rest of sync_us since the last commit began. */
static void gather(struct journal *j)
{
	uint64_t since = clock_mono_us() - j->last_try_us;

	if (since < j->sync_us && !atomic_load(&j->flushing) && !atomic_load(&j->stop))
		sleep_us(j->sync_us - since);
	j->last_try_us = clock_mono_us();
}

void *journal_committer(void *arg)
{
	struct journal *j = arg;
	int err = 0;

	for (;;) {
		bool stopping = atomic_load(&j->stop);
		uint64_t now = clock_mono_us();

		add_alive(j, now);
		if (more_to_take(j) && !err)
			gather(j);
		journal_take(j);
		err = journal_commit(j, 0);
		if (!err && now >= j->next_removal_us) {
			j->next_removal_us = now + REMOVAL_US;
			journal_remove_old(j);
		}
		if (stopping && (err || !more_to_take(j)))
			return NULL;
		if (err)
			sleep_us(RETRY_US);
		else
			wait_for_more(j, SEC);
	}
}
