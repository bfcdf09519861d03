/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal as others see it: open, add, flush, close. How it works inside stands in cdr_int.h. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_FEED_US                                                                               \
	SEC /* a start gives the sink what it missed for this long; the feeder does the rest */
#define SEGMENT_LEAST 4096

/* What is in the intake stays there. How many do not. */
static uint64_t drop_pending(struct journal *j)
{
	uint64_t lost = 0;

	while (j->pending) {
		struct cdr_entry *entry = j->pending;

		j->pending = entry->next;
		if (entry->lane)
			continue;
		free(entry);
		lost++;
	}
	j->pending_tail = &j->pending;
	return lost;
}

static void journal_free(struct journal *j)
{
	drop_pending(j);
	if (j->earlier.bytes)
		munmap(j->earlier.bytes, j->earlier.len);
	free(j->lanes);
	answered_close(&j->answered);
	if (j->fd >= 0)
		close(j->fd);
	if (j->read_fd >= 0)
		close(j->read_fd);
	if (j->dir_fd >= 0)
		close(j->dir_fd);
	pthread_cond_destroy(&j->feed);
	pthread_cond_destroy(&j->changed);
	pthread_mutex_destroy(&j->lock);
	free(j->buffer);
	free(j->read_buffer);
	free(j->entry_buffer);
	free(j->folder);
	free(j);
}

static struct journal *journal_new(const struct journal_config *config)
{
	struct journal *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;

	if (!j)
		return NULL;
	j->fd = j->read_fd = j->dir_fd = -1;
	j->pending_tail = &j->pending;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->feed, &attr);
	pthread_cond_init(&j->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&j->lock, NULL);
	j->segment_bytes =
		config->segment_bytes > SEGMENT_LEAST ? config->segment_bytes : SEGMENT_LEAST;
	j->sync_us = config->sync_us;
	j->n_lanes = config->lanes ? config->lanes : 1;
	j->lane_bytes = config->lane_bytes;
	assert(j->n_lanes <= LANES_MAX && (j->lane_bytes & (j->lane_bytes - 1)) == 0);
	j->lanes = calloc(j->n_lanes, sizeof(*j->lanes));
	j->sink = config->sink;
	j->sink_arg = config->arg;
	j->folder = strdup(config->folder);
	j->buffer = malloc(FRAME_MAX);
	j->read_buffer = malloc(FRAME_MAX);
	j->entry_buffer = malloc(FRAME_MAX);
	if (answered_init(&j->answered) == 0 && j->lanes && j->folder && j->buffer &&
	    j->read_buffer && j->entry_buffer)
		return j;
	journal_free(j);
	return NULL;
}

/* One process a journal: the folder itself is locked. */
static int open_folder(struct journal *j, char *why, size_t why_size)
{
	int err;

	if (mkdir(j->folder, 0750) != 0 && errno != EEXIST) {
		err = -errno;
		snprintf(why, why_size, "cannot make the journal's folder %s: %s", j->folder,
			 strerror(-err));
		return err;
	}
	j->dir_fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir_fd < 0) {
		err = -errno;
		snprintf(why, why_size, "cannot open the journal's folder %s: %s", j->folder,
			 strerror(-err));
		return err;
	}
	if (flock(j->dir_fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why, why_size, "the journal's folder %s is in use by another process",
			 j->folder);
		return -EBUSY;
	}
	return 0;
}

/* From here on the sink is fed from the new segment, or from the first record of an old one that it has not. */
static void set_reading(struct journal *j)
{
	j->end_segment = j->segment;
	j->end_offset = j->offset;
	j->end_sequence = j->next_sequence - 1;
	if (!atomic_load(&j->unsettled)) {
		j->read_segment = j->segment;
		j->read_offset = j->offset;
		j->position.sequence = j->end_sequence;
	}
	atomic_store(&j->settled_segment, j->read_segment);
	j->settled_sequence = j->position.sequence;
}

/* The new segment: what the intake holds, then the ENDs of what was up; all as of when the process was last seen, so
 * that a start which dies here changes nothing. */
static int write_begin(struct journal *j, uint64_t last_seen_us, unsigned *settled_out)
{
	int err = journal_roll(j);

	if (err)
		return err;
	set_reading(j);
	err = journal_commit(j, last_seen_us);
	if (err)
		return err;
	call_id_floor(atomic_load(&j->highest_call_id));
	*settled_out = journal_settle(j, last_seen_us);
	return journal_commit(j, last_seen_us);
}

/* The new segment, and what the sink missed. */
static int begin(struct journal *j, unsigned *settled_out, char *why, size_t why_size)
{
	uint64_t last_seen_us, started = clock_mono_us();
	int err = journal_recover(j, &last_seen_us, why, why_size);

	if (!err)
		err = intake_recover(j, why, why_size);
	if (err)
		return err;
	err = write_begin(j, last_seen_us, settled_out);
	if (err) {
		snprintf(why, why_size, "cannot write to the journal's folder %s: %s", j->folder,
			 strerror(-err));
		return err;
	}
	intake_begin(j);
	while (clock_mono_us() - started < OPEN_FEED_US && journal_feed(j) > 0)
		;
	return 0;
}

static int start_threads(struct journal *j)
{
	int err = pthread_create(&j->committer, NULL, journal_committer, j);

	if (err)
		return -err;
	j->committer_runs = true;
	pthread_setname_np(j->committer, "journal-commit");
	err = pthread_create(&j->feeder, NULL, journal_feeder, j);
	j->feeder_runs = err == 0;
	if (j->feeder_runs)
		pthread_setname_np(j->feeder, "journal-feed");
	return -err;
}

int journal_open(struct journal **journal_out, const struct journal_config *config,
		 unsigned *settled_out, char *why, size_t why_size)
{
	struct journal *j = journal_new(config);
	unsigned settled = 0;
	int err;

	if (!j) {
		snprintf(why, why_size, "no memory for the journal");
		return -ENOMEM;
	}
	err = open_folder(j, why, why_size);
	if (!err)
		err = begin(j, &settled, why, why_size);
	if (err) {
		journal_free(j);
		return err;
	}
	err = start_threads(j);
	if (err) {
		snprintf(why, why_size, "cannot start the journal's threads: %s", strerror(-err));
		journal_close(&j);
		return err;
	}
	if (settled)
		log_warn("journal %s: %u calls were up when the switch stopped; settled until it "
			 "was last seen alive",
			 j->folder, settled);
	if (settled_out)
		*settled_out = settled;
	*journal_out = j;
	return 0;
}

static void wake_committer(struct journal *j)
{
	if (atomic_load(&j->asleep) && atomic_exchange(&j->asleep, 0))
		syscall(SYS_futex, &j->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void journal_add(struct journal *j, unsigned lane, struct cdr_entry *entry)
{
	assert(lane < j->n_lanes);
	lane_put(&j->lanes[lane], entry);
	atomic_fetch_add(&j->added, 1);
	wake_committer(j);
}

/* Waits until `*what` >= least; not longer than `until` nor (settling) after the sink has failed. Under the lock. */
static bool wait_for(struct journal *j, const _Atomic uint64_t *what, uint64_t least, bool settling,
		     const struct timespec *until)
{
	uint64_t failures = j->sink_failures;
	int err = 0;

	while (atomic_load(what) < least && !err && !(settling && j->sink_failures != failures))
		err = pthread_cond_timedwait(&j->changed, &j->lock, until);
	return atomic_load(what) >= least;
}

bool journal_flush(struct journal *j, uint64_t timeout_us)
{
	uint64_t until = clock_mono_us() + timeout_us, added = atomic_load(&j->added);
	struct timespec ts = { .tv_sec = (time_t)(until / SEC),
			       .tv_nsec = (long)(until % SEC) * 1000 };
	bool done;

	atomic_fetch_add(&j->flushing, 1);
	wake_committer(j);
	pthread_mutex_lock(&j->lock);
	done = wait_for(j, &j->committed, added, false, &ts);
	if (done) {
		pthread_cond_signal(&j->feed);
		done = wait_for(j, &j->settled_sequence, j->end_sequence, true, &ts);
	}
	pthread_mutex_unlock(&j->lock);
	atomic_fetch_sub(&j->flushing, 1);
	return done;
}

uint64_t journal_waiting(const struct journal *j)
{
	uint64_t committed = atomic_load(&j->committed), added = atomic_load(&j->added);

	return added > committed ? added - committed : 0;
}

void journal_stats(struct journal *j, struct journal_stats *out)
{
	struct journal_stats stats = {
		.entries = atomic_load(&j->entries),
		.waiting = journal_waiting(j),
		.intake_bytes = j->intake.bytes ? j->n_lanes * j->lane_bytes : 0,
		.bytes = atomic_load(&j->bytes),
		.syncs = atomic_load(&j->syncs),
		.sync_us_max = atomic_load(&j->sync_us_max),
		.unsettled = atomic_load(&j->unsettled),
		.repaired_bytes = atomic_load(&j->repaired_bytes),
		.disk_error = atomic_load(&j->disk_error),
	};

	for (unsigned i = 0; i < j->n_lanes; i++)
		stats.overflowed += atomic_load(&j->lanes[i].overflowed);
	*out = stats;
}

/* What the disk never took waits in the intake, as far as it lies there. */
static void give_up(struct journal *j)
{
	uint64_t all = journal_waiting(j), lost;

	journal_take(j);
	lost = drop_pending(j);
	if (all > lost)
		log_error("journal %s: %llu records could not be written; they wait for the next "
			  "start",
			  j->folder, (unsigned long long)(all - lost));
	if (lost)
		log_error("journal %s: %llu records could not be written and are lost", j->folder,
			  (unsigned long long)lost);
	intake_end(j, all > lost);
}

void journal_close(struct journal **journal)
{
	struct journal *j = *journal;
	struct journal_stats stats;

	if (!j)
		return;
	atomic_store(&j->stop, true);
	wake_committer(j);
	if (j->committer_runs)
		pthread_join(j->committer, NULL);
	pthread_mutex_lock(&j->lock);
	j->feed_stop = true;
	pthread_cond_signal(&j->feed);
	pthread_mutex_unlock(&j->lock);
	if (j->feeder_runs)
		pthread_join(j->feeder, NULL);
	give_up(j);
	journal_stats(j, &stats);
	if (stats.unsettled)
		log_warn("journal %s: %llu records wait for the database; the next start gives "
			 "them again",
			 j->folder, (unsigned long long)stats.unsettled);
	journal_free(j);
	*journal = NULL;
}
