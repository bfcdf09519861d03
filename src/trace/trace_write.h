/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing half: lanes and the table of live calls. */
#ifndef CAUSEWAY_TRACE_WRITE_H
#define CAUSEWAY_TRACE_WRITE_H

#include "trace/trace_int.h"

#include <stdatomic.h>

/* ---- lanes ------------------------------------------------------------------------------------ */

#define LANE_BYTES ((size_t)8 << 20)
#define LANE_OUTSIDE_BYTES ((size_t)1 << 20)
#define LANE_STREAMS 1024 /* power of two */

/* Kinds that only the writer sees. */
enum { LANE_SELECT = TRACE_KINDS };

/* What stands before an entry's block(s). */
struct lane_entry {
	uint32_t size;		/* of all, a multiple of 8 */
	uint32_t len;		/* of the blocks */
	uint8_t kind;		/* enum trace_kind, or LANE_SELECT */
	char leg;
	uint8_t attempt;
	bool registration;	/* a message that is of no call */
	bool if_selected;	/* written while trace was off but for selected calls */
	uint64_t utc_us;
	uint64_t call;
	uint64_t key, key2;	/* as archive_block has them */
};

/* Does anybody want entries? */
enum trace_mode { TRACE_OFF, TRACE_SELECTED, TRACE_ON };

/* A ring of bytes from one thread to the writer's. Its pages are mapped twice, one copy behind the other, so that what
 * passes its end is in one piece all the same. Head and tail count bytes and never fall. */
struct trace_lane {
	/* its thread's */
	unsigned char *ring;
	size_t size;			/* power of two */
	uint64_t at;			/* head, with what is being written */
	uint64_t tail_seen;
	bool woken;			/* since it was last less than half full */
	int wake_fd;			/* eventfd */
	const atomic_uint *mode;	/* enum trace_mode */
	uint32_t sequences[LANE_STREAMS];	/* of TCP; streams of one hash share, which leaves gaps and does no harm */
	/* between */
	_Alignas(64) _Atomic uint64_t head;
	_Atomic uint64_t dropped;	/* entries that found no room */
	_Alignas(64) _Atomic uint64_t tail;
	/* the writer's */
	uint64_t seen;			/* head, when it last looked */
	uint64_t ripe;			/* what is before it may be written: head, when it looked the time before */
	uint64_t bound;			/* notes before it have been looked at for what they bind */
	uint64_t next;			/* entries before it have been taken */
	uint64_t dropped_told;
};

/* 0 or -errno. `size` is a power of two and a multiple of the page. */
int trace_lane_open(struct trace_lane *lane, size_t size, int wake_fd, const atomic_uint *mode);
void trace_lane_close(struct trace_lane *lane);
/* Its thread: room for an entry with `room` bytes of blocks, to be published or forgotten; NULL when there is none, which
 * is counted. */
struct lane_entry *trace_lane_claim(struct trace_lane *lane, size_t room);
/* Its len is the blocks' by now. */
void trace_lane_publish(struct trace_lane *lane, struct lane_entry *entry);
static inline void *lane_blocks(struct lane_entry *entry)
{
	return entry + 1;
}
/* The writer: the entry at `at`. */
static inline struct lane_entry *lane_entry_at(const struct trace_lane *lane, uint64_t at)
{
	return (struct lane_entry *)(void *)(lane->ring + (at & (lane->size - 1)));
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
/* The call's entries are wanted even while trace is off. */
void live_select(struct live *live, uint64_t call);
bool live_selected(const struct live *live, uint64_t call);
/* `now_us` of the monotonic clock: it is forgotten 60 s later. */
void live_end(struct live *live, uint64_t call, uint64_t now_us);
void live_age(struct live *live, uint64_t now_us);

#endif
