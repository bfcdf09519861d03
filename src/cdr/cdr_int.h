/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal from the inside.
 *
 * On disk: a folder of segments journal-NNNNNNNN.cwj, numbers counting up. A segment is a header
 * of 32 bytes and then frames; all integers are little-endian:
 *
 *   header  magic "CWJOURNL", u32 version, u32 segment number, u64 first sequence, u32 0, u32 crc
 *   frame   u32 crc, u32 length of data, u64 sequence, u64 UTC us of the commit, u8 kind, 7 x 0, data
 *
 * Each crc is CRC-32C: the header's over the 28 bytes before it, a frame's over all that follows it.
 * Sequences count up through all segments; after a failed fdatasync the same entries
 * may stand in two segments, so a reader skips what is not above the last sequence seen.
 *
 * In front of the segments is the intake (intake.c), a ring of entries for each thread that adds.
 *
 * Two threads. The committer takes what stands in the intake, writes, syncs, keeps the set of answered
 * calls without END, and removes old segments. The feeder reads committed frames back from the
 * segments and gives them to the sink, so that a sink that is slow or down costs disk and never
 * memory, and so that live feeding and replay after a crash are the same code. */
#ifndef CAUSEWAY_CDR_INT_H
#define CAUSEWAY_CDR_INT_H

#include "cdr/cdr.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEGMENT_HEADER 32
#define SEGMENT_VERSION 1
#define FRAME_HEADER 32
#define FRAME_MAX (1u << 20)	/* header and data; one buffer holds at least one */
#define CDR_TEXT_MAX 16383	/* longer texts are cut: 27 of them stay far below FRAME_MAX */
#define FEED_MAX 500		/* records a call of the sink */
#define FEED_INTERVAL_US (400 * MSEC)

/* ---- bytes (codec.c) ------------------------------------------------------------------------ */

static inline void put_le(unsigned char *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (unsigned char)(value >> (8 * i));
}
static inline uint64_t get_le(const unsigned char *from, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

/* Call id of encoded data, 0 if it has none. */
uint64_t cdr_data_call_id(const unsigned char *data, size_t len);
/* An entry that copies encoded data. NULL without memory. */
struct cdr_entry *cdr_entry_copy(enum cdr_kind kind, const unsigned char *data, size_t len);
/* No id at or below `id` is given out from now on. */
void call_id_floor(uint64_t id);

/* ---- segments (segment.c) ------------------------------------------------------------------ */

struct frame {
	enum cdr_kind kind;
	uint64_t sequence, time_us;
	const unsigned char *data;
	uint32_t len;
	size_t offset, size;		/* of the whole frame, in its segment */
};

/* The sound frame at the beginning of `bytes`: its size, or 0 if there is none. */
size_t frame_read(struct frame *out, const unsigned char *bytes, size_t len);
/* Writes header and data; `to` has room for FRAME_HEADER + entry->len. */
void frame_write(unsigned char *to, const struct cdr_entry *entry, uint64_t time_us);

struct segment_header {
	uint32_t version, number;
	uint64_t first_sequence;
};
/* 0, -EBADMSG, or -EPROTONOSUPPORT for a version that is not ours. */
int segment_header_read(struct segment_header *out, const unsigned char *bytes, size_t len);
void segment_header_write(unsigned char *to, uint32_t number, uint64_t first_sequence);
typedef void segment_each(void *arg, const struct frame *frame);
size_t segment_scan(const unsigned char *bytes, size_t len, segment_each *each, void *arg);

const char *segment_name(uint32_t number, char *dst, size_t size);
/* Numbers of the segments in the folder, ascending; the caller frees. 0 or -errno. */
int segment_list(int dir_fd, uint32_t **numbers_out, unsigned *count_out);
/* The whole of a segment; the caller frees. 0 or -errno. */
int segment_load(int dir_fd, uint32_t number, unsigned char **bytes_out, size_t *len_out);

/* ---- how far the sink is (position.c) -------------------------------------------------------- */

struct position {
	uint64_t sequence;		/* the sink has all up to this one */
	uint64_t call_id;		/* highest ever seen */
};
/* 0, -ENOENT, or -EBADMSG; not 0 means: give the sink everything. */
int position_read(int dir_fd, struct position *out);
int position_write(int dir_fd, const struct position *position);

/* ---- answered calls without END (answered.c) -------------------------------------------------- */

struct answered_call {
	struct hash_node node;		/* hash = mixed call id */
	uint64_t call_id;
	uint32_t segment;		/* that holds its last ANSWER */
	bool has_attempt;		/* recovery: the attempt that was answered has its record */
	uint64_t tried_until_us;	/* recovery: end of the last attempt before it; 0 unknown */
};
struct answered {
	struct hash_table table;
	bool incomplete;		/* no memory once: remove no segment any more */
};
int answered_init(struct answered *a);
void answered_close(struct answered *a);
void answered_add(struct answered *a, uint64_t call_id, uint32_t segment);
void answered_del(struct answered *a, uint64_t call_id);
struct answered_call *answered_find(const struct answered *a, uint64_t call_id);
/* An attempt's record: failed attempts come before the answer; one that comes after it is the one that was answered. */
void answered_attempt(struct answered *a, uint64_t call_id);

/* ---- the intake (intake.c) --------------------------------------------------------------------- */

#define INTAKE_HEADER 128
#define INTAKE_LANE 128		/* head and tail of a lane, on cache lines of their own, before its ring */
#define INTAKE_VERSION 1
#define INTAKE_BOOT 40		/* text of the boot id, NUL-padded; "" = synced at a stop, good after any boot */
#define LANES_MAX 256
#define LANE_EARLIER UINT16_MAX	/* entry->lane of what an earlier run left */

/* One thread's way in. */
struct lane {
	uint16_t number;		/* entry->lane; from 1 */
	/* The producer's own. */
	uint64_t at;			/* bytes ever put */
	uint64_t tail_seen;
	/* Between producer and committer. */
	unsigned char *map;		/* NULL = no intake */
	uint64_t ring_bytes;
	_Atomic(struct cdr_entry *) overflow;	/* newest first; while there are some, none goes to the ring */
	_Atomic uint64_t overflowed;
	/* The committer's own. */
	uint64_t taken;			/* bytes of the ring */
};
/* Takes the entry over. The producer's. */
void lane_put(struct lane *lane, struct cdr_entry *entry);
/* A list of what was put, oldest first; NULL = nothing. The entries stay where they are until lane_release; those with
 * entry->lane == 0 are to be freed. The committer's. */
struct cdr_entry *lane_take(struct lane *lane);
/* `entry` and all before it are on disk. */
void lane_release(struct lane *lane, const struct cdr_entry *entry);
void lane_attach(struct lane *lane, unsigned number, unsigned char *bytes, uint64_t ring_bytes);

size_t intake_size(unsigned lanes, uint64_t ring_bytes);
/* Makes zeroed bytes an empty intake. */
void intake_format(unsigned char *bytes, unsigned lanes, uint64_t ring_bytes, const char *boot);
/* Calls `each` for every sound entry of each lane, in order; a lane is left at the first that is unsound. 0,
 * -EBADMSG (no intake), -EPROTONOSUPPORT. `damaged_out`: bytes that could not be read. */
typedef void intake_each(void *arg, struct cdr_entry *entry);
int intake_scan(unsigned char *bytes, size_t len, intake_each *each, void *arg, uint64_t *damaged_out);

struct intake {
	unsigned char *bytes;		/* mapped; NULL = none */
	size_t len;
};

/* ---- the journal (journal.c, commit.c, intake.c, feed.c, recover.c) --------------------------------------- */

struct journal {
	/* Any thread. */
	struct lane *lanes;
	unsigned n_lanes;
	_Atomic uint64_t added;
	atomic_int asleep;			/* futex: the committer waits */
	atomic_int flushing;			/* callers in journal_flush: hurry */
	atomic_bool stop;

	/* The committer's own. */
	struct cdr_entry *pending, **pending_tail;	/* taken, not on disk */
	uint64_t taken;				/* of those added */
	struct answered answered;
	unsigned char *buffer;			/* FRAME_MAX */
	int fd;					/* current segment, -1 = none */
	uint32_t segment;
	uint64_t offset, next_sequence;
	uint64_t last_try_us, last_commit_us, last_complaint_us, next_removal_us;	/* monotonic */
	uint32_t oldest;			/* lowest segment number still there */

	/* The feeder's own. */
	unsigned char *read_buffer, *entry_buffer;	/* FRAME_MAX each */
	int read_fd;
	uint32_t read_segment;
	uint64_t read_offset;
	struct position position;
	uint64_t sink_complaint_us;
	bool sink_failed;

	/* Between them, under `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t feed, changed;		/* to the feeder; to journal_flush */
	uint32_t end_segment;			/* committed up to here */
	uint64_t end_offset;
	uint64_t end_sequence;
	_Atomic uint64_t committed;		/* of those added */
	_Atomic uint64_t settled_sequence;
	uint64_t sink_failures;
	bool feed_stop, backing_off;

	_Atomic uint32_t settled_segment;	/* all below are in the sink */
	_Atomic uint64_t highest_call_id;
	_Atomic uint64_t entries, bytes, syncs, sync_us_max, unsettled, repaired_bytes;
	atomic_int disk_error;

	/* Set at open. */
	struct intake intake, earlier;		/* this run's; an earlier one's, during open */
	uint64_t lane_bytes;
	int dir_fd;
	char *folder;
	uint64_t segment_bytes, sync_us;
	int (*sink)(void *arg, struct cdr_entry *entries, unsigned n);
	void *sink_arg;
	pthread_t committer, feeder;
	bool committer_runs, feeder_runs;
};

/* commit.c: the committer's. Move what was added to `pending`. */
void journal_take(struct journal *j);
/* The committer's own entries, past the lanes. */
void journal_append(struct journal *j, struct cdr_entry *entry);
/* Write and sync all of `pending`, as of `utc_us` (0 = now). 0, or -errno and the rest stays pending. */
int journal_commit(struct journal *j, uint64_t utc_us);
/* Drop an entry that is on disk or given up. */
void journal_forget(struct journal *j, struct cdr_entry *entry);
/* Begin the next segment. 0 or -errno. */
int journal_roll(struct journal *j);
/* Remove the segments that nobody needs; rewrites answers still open. */
void journal_remove_old(struct journal *j);
void *journal_committer(void *arg);

/* feed.c: give the sink one batch. 1 = there is more, 0 = caught up, or -errno of the sink. */
int journal_feed(struct journal *j);
void *journal_feeder(void *arg);

/* intake.c: append what an earlier run left and no segment has. 0 or -errno with `why`. */
int intake_recover(struct journal *j, char *why, size_t why_size);
/* What the earlier run left is in a segment: begin this run's intake. Without room there is none, and a warning. */
void intake_begin(struct journal *j);
/* `keep`: entries in it wait for the next start. */
void intake_end(struct journal *j, bool keep);

/* recover.c: read what is there, cut the torn tail, find what is unsettled. 0 or -errno with `why`. */
int journal_recover(struct journal *j, uint64_t *last_seen_us_out, char *why, size_t why_size);
/* Add an END for each answered call that has none. How many. */
unsigned journal_settle(struct journal *j, uint64_t last_seen_us);

#endif
