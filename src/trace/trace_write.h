/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing half: lanes, the table of live calls, and what the writer's thread keeps. */
#ifndef CAUSEWAY_TRACE_WRITE_H
#define CAUSEWAY_TRACE_WRITE_H

#include "trace/trace_int.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- lanes ------------------------------------------------------------------------------------ */

#define LANE_BYTES ((size_t)8 << 20)
#define LANE_OUTSIDE_BYTES ((size_t)1 << 20)
#define LANE_ENTRY_LEAST 256	/* bytes of blocks; smaller ones only fill a lane before its bytes do */
#define LANE_STREAMS 1024	/* power of two */

/* Kinds that only the writer sees. */
enum { LANE_SELECT = TRACE_KINDS };

/* What the writer must know of an entry. One cache line each, in a row: it reads them all long before it needs the blocks,
 * which another core has written. */
struct lane_entry {
	_Alignas(64) uint64_t at;	/* its blocks in the ring; as head and tail, never falls */
	uint32_t room;			/* that they may take there */
	uint32_t len;			/* that they do */
	uint8_t kind;			/* enum trace_kind, or LANE_SELECT */
	char leg;
	uint8_t attempt;
	bool registration;		/* a message that is of no call */
	bool if_selected;		/* written while trace was off but for selected calls */
	uint64_t utc_us;
	uint64_t call;
	uint64_t key, key2;		/* as archive_block has them */
};
_Static_assert(sizeof(struct lane_entry) == 64, "one line");

/* Does anybody want entries? */
enum trace_mode { TRACE_OFF, TRACE_SELECTED, TRACE_ON };

/* From one thread to the writer's: a ring of entries, and one of bytes for their blocks. The latter's pages are mapped twice,
 * one copy behind the other, so that what passes its end is in one piece all the same. */
struct trace_lane {
	/* its thread's */
	unsigned char *ring;
	struct lane_entry *entries;
	size_t size, n_entries;		/* powers of two */
	uint64_t at, entry;		/* where the next goes: byte, entry */
	uint64_t at_free, entry_free;	/* what is before them was free when it looked */
	bool woken;			/* since it was last less than half full */
	int wake_fd;			/* eventfd */
	const atomic_uint *mode;	/* enum trace_mode */
	uint32_t sequences[LANE_STREAMS];	/* of TCP; streams of one hash share, which leaves gaps and does no harm */
	/* between; entries, and bytes that go with them */
	_Alignas(64) _Atomic uint64_t head;
	_Atomic uint64_t head_at;
	_Atomic uint64_t dropped;	/* entries that found no room */
	_Alignas(64) _Atomic uint64_t tail;
	_Atomic uint64_t tail_at;
	/* the writer's; entries */
	_Alignas(64) uint64_t seen;	/* head, when it last looked */
	uint64_t ripe;			/* what is before it may be written: head, when it looked the time before */
	uint64_t next, next_at;		/* entries before it have been taken; their bytes */
	uint64_t dropped_told;
};

/* 0 or -errno. `size` is a power of two and a multiple of the page. */
int trace_lane_open(struct trace_lane *lane, size_t size, int wake_fd, const atomic_uint *mode);
void trace_lane_close(struct trace_lane *lane);
/* Its thread: an empty entry with room for so many bytes of blocks, to be filled and published, or forgotten; NULL when there
 * is none, which is counted. */
struct lane_entry *trace_lane_claim(struct trace_lane *lane, size_t room);
/* Its `len` is the blocks' by now. */
void trace_lane_publish(struct trace_lane *lane, struct lane_entry *entry);
/* Its thread: where the blocks of the entry go that it has claimed. */
static inline void *lane_room(const struct trace_lane *lane)
{
	return lane->ring + (lane->at & (lane->size - 1));
}
static inline void *lane_blocks(const struct trace_lane *lane, const struct lane_entry *entry)
{
	return lane->ring + (entry->at & (lane->size - 1));
}
static inline struct lane_entry *lane_entry_at(const struct trace_lane *lane, uint64_t number)
{
	return &lane->entries[number & (lane->n_entries - 1)];
}
/* Lines that will soon be written and now lie in another core's cache: asked for ahead of time. Without this a message
 * costs twice as much. */
void trace_prefetch_stores(const void *p, size_t len);
/* The writer: what is before `next` may be written over. */
void trace_lane_release(struct trace_lane *lane);
/* Bytes of blocks that wait. Any thread. */
static inline uint64_t lane_waiting(const struct trace_lane *lane)
{
	uint64_t tail_at = atomic_load(&lane->tail_at);

	return atomic_load(&lane->head_at) - tail_at;
}

/* ---- live calls -------------------------------------------------------------------------------- */

#define LIVE_CALLS_MAX (1u << 20)

/* One thread. */
struct live {
	struct hash_table calls, binds;
	struct slots call_slots, bind_slots;
	struct list up, ended;		/* calls, oldest first */
};
struct live_found {
	uint64_t call;
	char leg;
	uint8_t attempt;
	bool selected;
};
/* At most so many calls, and twice as many Call-IDs. 0 or -ENOMEM. */
int live_init(struct live *live, uint32_t calls_max);
void live_free(struct live *live);
/* Messages with this Call-ID are of that call from now on. Without memory nothing happens. */
void live_bind(struct live *live, uint64_t key, uint64_t call, char leg, uint8_t attempt);
bool live_find(const struct live *live, uint64_t key, struct live_found *out);
/* This Call-ID will soon be asked for. */
void live_prefetch(const struct live *live, uint64_t key);
/* The call's entries are wanted even while trace is off. */
void live_select(struct live *live, uint64_t call);
bool live_selected(const struct live *live, uint64_t call);
/* `now_us` of the monotonic clock: it is forgotten 60 s later. */
void live_end(struct live *live, uint64_t call, uint64_t now_us);
void live_age(struct live *live, uint64_t now_us);

/* ---- the writer --------------------------------------------------------------------------------- */

#define BATCH_BLOCKS 1024 /* as many pieces as one write takes */

struct trace {
	struct archive *archive;
	unsigned n_lanes;		/* of threads; one more is everybody else's */
	struct trace_lane *lanes;
	pthread_mutex_t outside;	/* whose turn it is in that one */
	int wake_fd;
	atomic_uint mode;		/* enum trace_mode */
	pthread_t thread;
	bool runs;

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t flushed;
	struct trace_settings settings;
	uint64_t flush_wanted, flush_done;
	bool stop;

	pthread_mutex_t tap_lock;
	struct trace_tap *taps;
	atomic_uint n_taps;

	_Atomic uint64_t messages, notes, bytes, dropped_disk;
	atomic_int disk_error;

	/* its thread's */
	struct live live;
	struct batch {
		unsigned n, messages;
		uint64_t bytes;
		struct archive_block blocks[BATCH_BLOCKS];
	} batches[SERIES_KEPT];		/* by series */
	uint64_t refused, refused_since_us;	/* entries, since the disk refuses */
	uint64_t tended_us, complained_us;
	enum trace_mode told;		/* in the last note about it */
};

void *trace_writer(void *arg);
/* Takes what is in the lanes: all, or what may be taken without parting a note from the messages of its turn. The writer's
 * thread, or another while it does not run. */
void trace_write(struct trace *trace, bool all);
/* Sets the mode that holds at this moment; trace->lock is held. */
void trace_mode_update(struct trace *trace);
void trace_wake(struct trace *trace);
void trace_show_taps(struct trace *trace, const struct trace_entry *entry);

#endif
