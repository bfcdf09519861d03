/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The archive from the inside.
 *
 * A folder of segments, SERIES-TTTTTTTTTTTTTTTT.pcapng, where T is the time of the first block (UTC microseconds in hex), and
 * beside each that is finished its index, the same name with .idx, in this machine's byte order:
 *
 *   head      struct index_head, with the CRC-32C of head and rest
 *   entries   struct index_entry, by key and offset: one for each block (a message of several counts as one), two for a note
 *             that binds
 *   rows      struct call_row, by call: one for each call of which the segment has the CALL or the END
 *   strings   of each row ROW_STRINGS strings, each with its NUL; the first ROW_NUMBERS are numbers
 *   numbers   a filter of them (archive_numbers.c)
 *
 * An index is only a copy of what the segment says: one that is missing, damaged or of another length is made anew at the
 * start. While a segment is written its index is in memory, unsorted. Of a finished one only a Bloom filter of its keys and
 * the first key of each page of entries stay there.
 *
 * The writer's thread alone changes anything; it holds `lock` for the moments in which readers might see it half changed.
 * Readers take references on segments under the lock and read files without it. A segment that goes leaves the list at once,
 * its files when the last reader lets go: so a reader sees all that there was when it began. What is copied from a segment into the
 * kept series is for a while in both; the same bytes of the same time are one entry. */
#ifndef CAUSEWAY_ARCHIVE_INT_H
#define CAUSEWAY_ARCHIVE_INT_H

#include "trace/trace_int.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- a map of numbers (map64.c) --------------------------------------------------------------- */

/* Keys are never 0. All zero is an empty map. */
struct map64 {
	struct map64_slot {
		uint64_t key, value;
	} *slots;
	size_t size, count;
};
/* 0 or -ENOMEM (then unchanged). */
int map64_set(struct map64 *map, uint64_t key, uint64_t value);
/* Its value, NULL = not in it. Good until the map changes. */
uint64_t *map64_find(const struct map64 *map, uint64_t key);
void map64_del(struct map64 *map, uint64_t key);
int map64_copy(struct map64 *copy_out, const struct map64 *map);
void map64_free(struct map64 *map);

/* ---- indices (archive_index.c, archive_row.c) --------------------------------------------------- */

struct index_entry {
	uint64_t key;
	uint32_t offset;
	uint32_t what;			/* length / 4 << 8 | flags << 4 | kind */
};
#define ENTRY_BINDS 1u			/* the key is that of the Call-ID which the note binds */
#define ENTRY_FAILED 2u			/* an END with another code than NORMAL */
static inline enum trace_kind entry_kind(const struct index_entry *e)
{
	return e->what & 15;
}
static inline bool entry_is(const struct index_entry *e, unsigned flag)
{
	return e->what >> 4 & flag;
}
static inline uint32_t entry_len(const struct index_entry *e)
{
	return (e->what >> 8) * 4;
}

#define ROW_STRINGS 14
#define ROW_NUMBERS 6
struct call_row {
	uint64_t call, started_us, answered_us, ended_us;
	uint32_t strings, strings_len;	/* where they begin; all of them with their NULs */
	uint32_t sip_status, ended;	/* ended: 1 = of END, 0 = of CALL */
};

struct index_head {
	char magic[8];
	uint32_t version, crc;
	uint64_t covered;		/* length of the segment */
	uint64_t oldest_us, newest_us;
	uint64_t n_entries, n_rows, strings_len, numbers_len;
	/* Of the rows; `last` is at least `first` unless there are none. */
	uint64_t first_call, last_call;
	uint64_t started_us, ended_us;	/* earliest start, latest end of those that have ended */
};

/* Of a segment that is being written. */
struct index {
	struct index_head head;
	struct index_entry *entries;
	struct call_row *rows;
	char *strings;
	uint8_t *numbers;		/* only of a sorted one */
	size_t entries_room, rows_room, strings_room;
};
/* Room for these: 0, -ENOMEM, or -EFBIG. */
int index_reserve(struct index *index, const struct archive_block *blocks, unsigned n);
/* After index_reserve. `entry` is that of a CALL or END, else it is not looked at. */
void index_add(struct index *index, uint32_t offset, const struct archive_block *block, const struct trace_entry *entry);
/* The same entries and rows, to be sorted; borrows the strings. Freed by index_free_copy. 0 or -ENOMEM. */
int index_copy(struct index *copy_out, const struct index *index);
void index_free_copy(struct index *copy);
/* Sorts entries and rows; of CALL and END of one call the END stays. Then makes what is made of them. 0 or -ENOMEM. */
int index_sort(struct index *index);
uint64_t index_size(const struct index_head *head);	/* of the file */
/* Writes a sorted one. 0 or -errno, and then there is no file. */
int index_write(struct index *index, int dir_fd, const char *name);
void index_free(struct index *index);

/* What stays in memory of a finished one. */
struct index_guide {
	struct index_head head;
	uint64_t *fence;		/* first key of each page */
	uint8_t *bloom;
	size_t n_fence, bloom_bits;
};
#define INDEX_PAGE 256			/* entries */
int index_guide_make(struct index_guide *guide_out, const struct index *index);
void index_guide_free(struct index_guide *guide);
bool index_may_have(const struct index_guide *guide, uint64_t key);
/* Reads the whole of one: 0, -ENOENT, -EBADMSG, or another -errno. */
int index_load(struct index *index_out, int dir_fd, const char *name);
/* Entries of `key` from the file: calls `each`. Adds to *bytes_read. 0 or -errno. */
int index_lookup(const struct index_guide *guide, int fd, uint64_t key,
		 void (*each)(void *arg, const struct index_entry *entry), void *arg, uint64_t *bytes_read);
/* One row from the file: 0, -ENOENT, or another -errno. */
int index_row(const struct index_guide *guide, int fd, uint64_t call, struct call_row *row_out);
/* Rows from the file; the caller frees them. 0 or -errno. */
int index_rows(const struct index_guide *guide, int fd, struct call_row **rows_out);
/* The strings from..to of the file; likewise. */
int index_strings(const struct index_guide *guide, int fd, uint32_t from, uint32_t to, char **strings_out);

/* archive_numbers.c: makes index->numbers of the rows. 0 or -ENOMEM. */
int numbers_make(struct index *index);
/* May the file's rows have a number that begins or ends so? */
bool numbers_may_have(const struct index_guide *guide, int fd, struct span number);

/* The row of a CALL or END; its strings go to `strings`, and are at most ROW_STRINGS bytes more than the block. */
void row_of_entry(struct call_row *row_out, const struct trace_entry *entry, char *strings);
/* As readers hear of it; borrows the row's strings. False: they are not what a row has. */
bool row_to_call(struct trace_call *out, const struct call_row *row, const char *strings);
/* What can be said without the strings, and with them. */
bool row_matches(const struct call_row *row, const struct trace_query *query);
bool row_strings_match(const struct trace_call *call, const struct trace_query *query);
bool end_code_failed(struct span end_code);

/* ---- segments (archive_segment.c) --------------------------------------------------------------- */

struct segment {
	struct list node;		/* of its series, by name */
	struct archive *archive;
	atomic_uint refs;		/* the list's is one */
	bool removed;			/* files go with the last reference; set before the list's is given back */
	enum trace_series series;
	uint64_t name;
	uint64_t len, index_len;	/* bytes on disk */
	struct index_guide guide;	/* of a finished one; of the current one only the head, which grows */
	unsigned n_open;		/* calls in archive->open of which it has the CALL */
	uint64_t pins_seen;		/* 1 + the state of the pins at which everything in it was pinned; 0 = none */
};
struct segment *segment_new(struct archive *archive, enum trace_series series, uint64_t name);
struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);
enum segment_file { FILE_DATA, FILE_INDEX, FILE_ASIDE };
#define SEGMENT_NAME 48
const char *segment_file_name(char *dst, enum trace_series series, uint64_t name, enum segment_file file);
/* Opened for reading: a descriptor or -errno. */
int segment_open(const struct segment *segment, enum segment_file file);
/* Lists a series' segments in the folder, by name: an array for the caller to free. 0 or -errno. */
int segment_names(int dir_fd, enum trace_series series, uint64_t **names_out, unsigned *n_out);

/* Goes through a segment's blocks in order, entry by entry, from a buffer. */
struct walk {
	int fd;
	uint64_t at, end;		/* of the file: the next block; where to stop */
	char *buffer;
	size_t size, buffered, taken;	/* of the buffer; bytes in it; of those behind us */
};
int walk_begin(struct walk *walk, int fd, uint64_t end);
void walk_end(struct walk *walk);
/* One block, or all those of one message. */
struct walk_step {
	uint64_t offset;
	const void *bytes;		/* good until the next step */
	uint32_t len;
	bool known;			/* `entry` is filled; a message's text is only that of its first block */
	struct trace_entry entry;
};
/* 1, 0 at the end, -EBADMSG at what is no whole block or message (walk->at stands there), or another -errno. */
int walk_next(struct walk *walk, struct walk_step *step);
/* From a bad place to the next block that looks like one. False: there is none. */
bool walk_resume(struct walk *walk);
/* The block's keys, as the writer makes them. */
void entry_keys(const struct trace_entry *entry, struct archive_block *block);

/* archive_repair.c: make a segment whole and index it. 0 (*index_out filled; n_entries 0: nothing in it) or -errno. */
int segment_repair(int dir_fd, enum trace_series series, uint64_t name, struct index *index_out);

/* ---- the archive (archive.c) --------------------------------------------------------------------- */

struct current {
	struct segment *segment;	/* NULL = none yet */
	struct index index;
	int fd;
};

struct archive {
	int dir_fd;
	char *folder;
	char head[256];			/* of every segment */
	size_t head_len;

	pthread_mutex_t lock;
	struct list finished[TRACE_SERIES];
	struct current current[TRACE_SERIES];
	struct map64 open;		/* calls without END -> the segment of their CALL */
	struct map64 pins;
	_Atomic uint64_t pins_state;	/* counts their changes */
	_Atomic uint64_t aged_calls, kept_calls;
	struct archive_budget budget;	/* last heard of */

	pthread_mutex_t pin_lock;	/* around changing pins and their file */
	struct aging *aging;		/* the writer's own: a segment that is going; NULL = none */
};
/* Ends the current segment of a series, if any: index written, now finished. Writer's. 0 or -errno (it stays current). */
int archive_finish(struct archive *archive, enum trace_series series);
/* The segment leaves the list. Writer's, with the lock held; then, without it, he gives back the list's reference, and the files
 * go with the last one. */
void archive_drop(struct archive *archive, struct segment *segment);
/* archive_append for blocks that were in another segment before. */
int archive_copy(struct archive *archive, enum trace_series series, const struct archive_block *blocks, unsigned n);
/* archive_open.c: what is there becomes finished segments. */
int archive_load(struct archive *archive, char *why, size_t why_size);
/* archive_aging.c: let a finished segment go, slice by slice. Writer's. aging_go_on: 1 = more to do, 0 = done, -errno = the
 * copies were refused and it has been given up (the segment is still there). */
int aging_begin(struct archive *archive, struct segment *from);
int aging_go_on(struct archive *archive, uint64_t until_us);
void aging_stop(struct archive *archive);
/* archive_pin.c */
int pins_load(struct archive *archive);

#endif
