/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cdr: one record per call and per attempt, written exactly once.
 *
 * Workers hand finished records to the journal thread, which appends them to a checksummed file,
 * group-commits with fdatasync, and only then passes them to the sink (the database). What is not committed yet
 * stands in the intake, a mapped file that outlives the process; the next start takes it from there. The sink's
 * progress is kept; after a crash what it may have missed is given again: it must be
 * idempotent by (call id, attempt). An answered call leaves an ANSWER entry at once, so a crash loses
 * none: on the next start answered calls without END are settled as ended when the journal last
 * saw the process alive (SWITCH_RESTARTED). */
#ifndef CAUSEWAY_CDR_H
#define CAUSEWAY_CDR_H

#include "model/model.h"

#define CDR_U64 uint64_t
#define CDR_I64 int64_t
#define CDR_TIME uint64_t
#define CDR_TEXT const char *

/* All fields; a record of kind CDR_ATTEMPT uses those marked A and B, others C and B. TEXT may be
 * NULL. Borrowed until encoded. */
struct cdr {
#define CDR_FIELD(tag, name, type, where, vos, meaning) CDR_##type name;
#include "cdr/fields.def"
#undef CDR_FIELD
};

enum cdr_field_type { CDR_TYPE_U64, CDR_TYPE_I64, CDR_TYPE_TIME, CDR_TYPE_TEXT };
struct cdr_field_info {
	uint8_t tag;
	const char *name;
	enum cdr_field_type type;
	char where;			/* 'C', 'A', 'B' */
	const char *vos, *meaning;
	size_t offset;			/* in struct cdr */
};
extern const struct cdr_field_info cdr_fields[];
extern const size_t cdr_field_count;

/* CDR_ALIVE: written by the journal every second while answered calls are up. */
enum cdr_kind { CDR_ANSWER = 1, CDR_ATTEMPT = 2, CDR_END = 3, CDR_ALIVE = 4 };

/* A record encoded for journal and queue: one allocation. NULL without memory. Any thread. */
struct cdr_entry {
	struct cdr_entry *next;
	uint64_t sequence;		/* given by the journal */
	uint16_t lane;			/* the journal's: where it lies; 0 = memory of its own */
	uint8_t kind, zero;
	uint32_t len;			/* of data */
	unsigned char data[];		/* tag, length, value... */
};
struct cdr_entry *cdr_encode(enum cdr_kind kind, const struct cdr *cdr);
/* Decode into `out`; texts live in `arena`. Unknown tags are skipped. 0 or -EBADMSG. */
int cdr_decode(struct cdr *out, struct arena *arena, const unsigned char *data, size_t len);
/* One JSON object of the kind's fields, times as RFC 3339 text plus seconds for durations. */
void cdr_write_json(struct buf *out, enum cdr_kind kind, const struct cdr *cdr);
/* The same without the field of that name. */
void cdr_write_json_without(struct buf *out, enum cdr_kind kind, const struct cdr *cdr, const char *without);

struct journal;
struct journal_stats {
	uint64_t entries, bytes, syncs, sync_us_max;
	uint64_t waiting;		/* not yet on disk */
	uint64_t intake_bytes;		/* of all lanes; 0 = no intake, a crash of the process loses what waits */
	uint64_t overflowed;		/* ever added while their lane was full: a crash would have lost them */
	uint64_t unsettled;		/* on disk, not yet in the sink */
	uint64_t repaired_bytes;	/* torn tail cut at start */
	int disk_error;			/* errno of the last failed write, 0 = fine; records wait */
};
struct journal_config {
	const char *folder;		/* journal-NNNNNNNN.cwj segments and sink.position live here */
	uint64_t segment_bytes;		/* a new segment beyond this; old ones are removed once the sink has them */
	uint64_t sync_us;		/* longest wait before a commit (group commit), e.g. 2000 */
	unsigned lanes;			/* threads that add: each has its lane, 0 to lanes - 1; 0 is taken as 1 */
	uint64_t lane_bytes;		/* of the intake; a power of two from 4096. 0 = no intake */
	/* Called on a thread of the journal's own (and once by journal_open) with a list of committed END and ATTEMPT entries, in order. 0 = they are safe there;
	 * -errno = try the same again later (with back-off, an alarm is logged). */
	int (*sink)(void *arg, struct cdr_entry *entries, unsigned n);
	void *arg;
};
/* Opens the folder, cuts a torn tail, takes over what a crash left in the intake, gives the sink what it may have missed, settles calls answered but not ended
 * (an END entry is appended for each, and the ATTEMPT that was answered; *settled_out counts them), starts the thread. 0 or -errno with `why`. */
int journal_open(struct journal **journal_out, const struct journal_config *config, unsigned *settled_out, char *why, size_t why_size);
/* Never waits for the disk and never fails: takes the entry over. When it returns, the entry survives the process,
 * unless the lane was full (stats.overflowed). One thread at a time a lane; a lane's entries stay in order, so all of a
 * call go by the same one. */
void journal_add(struct journal *journal, unsigned lane, struct cdr_entry *entry);
/* Everything added before is on disk and in the sink, or the sink is down (false). Waits at most `timeout_us`. */
bool journal_flush(struct journal *journal, uint64_t timeout_us);
void journal_stats(struct journal *journal, struct journal_stats *out);
/* Entries not yet on disk. Any thread. */
uint64_t journal_waiting(const struct journal *journal);
/* Flushes what it can, stops the thread. */
void journal_close(struct journal **journal);

/* For tests and the fuzzer: reads one segment's bytes; calls `each` for every sound entry; returns the offset of the
 * first byte that is not part of one (== len when all is sound). Never reads past a bad checksum. */
size_t journal_scan(const unsigned char *bytes, size_t len, void (*each)(void *arg, enum cdr_kind kind, uint64_t sequence,
		    const unsigned char *data, size_t data_len), void *arg);

/* Ids of calls: time in the high bits, node and counter below, never reused. `worker` < 256. Any thread. */
uint64_t call_id_next(unsigned worker, uint64_t utc_us);

#endif
