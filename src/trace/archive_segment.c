/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments: their names, their references, and a walk through their blocks. */
#include "trace/archive_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define WALK_BUFFER (2 * (size_t)BLOCK_MAX)

static const char *const series_names[TRACE_SERIES] = { "calls", "registrations", "kept" };
static const char *const suffixes[] = {
	[FILE_DATA] = ".pcapng", [FILE_INDEX] = ".idx", [FILE_ASIDE] = ".pcapng.damaged"
};

const char *segment_file_name(char *dst, enum trace_series series, uint64_t name,
			      enum segment_file file)
{
	snprintf(dst, SEGMENT_NAME, "%s-%016llx%s", series_names[series], (unsigned long long)name,
		 suffixes[file]);
	return dst;
}

struct segment *segment_new(struct archive *archive, enum trace_series series, uint64_t name)
{
	struct segment *segment = calloc(1, sizeof(*segment));

	if (!segment)
		return NULL;
	list_init(&segment->node);
	segment->archive = archive;
	segment->series = series;
	segment->name = name;
	atomic_init(&segment->refs, 1);
	return segment;
}

struct segment *segment_ref(struct segment *segment)
{
	atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
	return segment;
}

static void remove_files(const struct segment *segment)
{
	char name[SEGMENT_NAME];

	/* The index first: a segment without one is indexed again, an index alone is nothing. */
	for (int file = FILE_INDEX; file >= FILE_DATA; file--) {
		segment_file_name(name, segment->series, segment->name, (enum segment_file)file);
		if (unlinkat(segment->archive->dir_fd, name, 0) && errno != ENOENT)
			log_warn("trace %s: cannot remove %s: %s", segment->archive->folder, name,
				 strerror(errno));
	}
}

void segment_unref(struct segment *segment)
{
	if (atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (segment->removed)
		remove_files(segment);
	index_guide_free(&segment->guide);
	free(segment);
}

int segment_open(const struct segment *segment, enum segment_file file)
{
	char name[SEGMENT_NAME];
	int fd = openat(segment->archive->dir_fd,
			segment_file_name(name, segment->series, segment->name, file),
			O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- what the folder holds ---------------------------------------------------------------------- */

/* "calls-0123456789abcdef.pcapng" */
static bool segment_name_read(const char *file, enum trace_series series, uint64_t *name_out)
{
	struct span s = span_of(file), prefix = span_of(series_names[series]);

	if (!span_starts(s, prefix) || s.len != prefix.len + 17 + 7 || s.p[prefix.len] != '-' ||
	    !span_eq(span_skip(s, prefix.len + 17), SPAN(".pcapng")))
		return false;
	return span_hex_to_u64(span_head(span_skip(s, prefix.len + 1), 16), name_out) == 0;
}

static int by_name(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int segment_names(int dir_fd, enum trace_series series, uint64_t **names_out, unsigned *n_out)
{
	uint64_t *names = NULL, *more, name;
	unsigned n = 0, room = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *item;

	if (!dir)
		return -errno;
	while ((item = readdir(dir))) {
		if (!segment_name_read(item->d_name, series, &name))
			continue;
		if (n == room) {
			room = room ? room * 2 : 64;
			more = realloc(names, room * sizeof(*names));
			if (!more) {
				closedir(dir);
				free(names);
				return -ENOMEM;
			}
			names = more;
		}
		names[n++] = name;
	}
	closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	*names_out = names;
	*n_out = n;
	return 0;
}

/* ---- a walk through the blocks ------------------------------------------------------------------ */

int walk_begin(struct walk *walk, int fd, uint64_t end)
{
	*walk = (struct walk){ .fd = fd, .end = end };
	walk->size = end < WALK_BUFFER ? (size_t)end + 1 : WALK_BUFFER;
	walk->buffer = malloc(walk->size);
	return walk->buffer ? 0 : -ENOMEM;
}

void walk_end(struct walk *walk)
{
	free(walk->buffer);
	walk->buffer = NULL;
}

static uint64_t walk_left(const struct walk *walk)
{
	return walk->end - walk->at;
}

/* Have at least `want` bytes from walk->at in the buffer, or all that are left. 0 or -errno. */
static int walk_fill(struct walk *walk, size_t want)
{
	size_t have = walk->buffered - walk->taken;

	if (want > walk_left(walk))
		want = (size_t)walk_left(walk);
	if (have >= want)
		return 0;
	memmove(walk->buffer, walk->buffer + walk->taken, have);
	walk->taken = 0;
	walk->buffered = have;
	while (walk->buffered < want) {
		size_t room = walk->size - walk->buffered;
		ssize_t n;

		if (room > walk_left(walk) - walk->buffered)
			room = (size_t)(walk_left(walk) - walk->buffered);
		n = pread(walk->fd, walk->buffer + walk->buffered, room,
			  (off_t)(walk->at + walk->buffered));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		walk->buffered += (size_t)n;
	}
	return 0;
}

static void walk_take(struct walk *walk, size_t len)
{
	walk->at += len;
	walk->taken += len;
}

/* The block `skip` bytes behind walk->at, within what is buffered. */
static size_t walk_peek(const struct walk *walk, size_t skip, struct trace_entry *entry,
			enum block_is *is)
{
	size_t have = walk->buffered - walk->taken;

	if (have > walk_left(walk))
		have = (size_t)walk_left(walk);
	return block_read(walk->buffer + walk->taken + skip, have - skip, entry, is);
}

static bool same_message(const struct trace_entry *a, const struct trace_entry *b)
{
	return b->kind == TRACE_MESSAGE && a->utc_us == b->utc_us && a->sent == b->sent &&
	       memcmp(&a->from, &b->from, sizeof(a->from)) == 0 &&
	       memcmp(&a->to, &b->to, sizeof(a->to)) == 0;
}

/* With the rest of a message of several blocks; 0 = it is not all there. */
static size_t walk_rest(struct walk *walk, const struct trace_entry *first, size_t len)
{
	enum block_is is = BLOCK_ENTRY_MORE;
	struct trace_entry part;
	size_t next;

	while (is == BLOCK_ENTRY_MORE) {
		next = walk_peek(walk, len, &part, &is);
		if (!next || is == BLOCK_ALIEN || !same_message(first, &part))
			return 0;
		len += next;
	}
	return len;
}

int walk_next(struct walk *walk, struct walk_step *step)
{
	enum block_is is;
	size_t len;
	int err;

	if (!walk_left(walk))
		return 0;
	err = walk_fill(walk, BLOCK_MAX);
	if (err)
		return err;
	len = walk_peek(walk, 0, &step->entry, &is);
	if (len && is == BLOCK_ENTRY_MORE)
		len = walk_rest(walk, &step->entry, len);
	if (!len)
		return -EBADMSG;
	step->offset = walk->at;
	step->bytes = walk->buffer + walk->taken;
	step->len = (uint32_t)len;
	step->known = is != BLOCK_ALIEN;
	walk_take(walk, len);
	return 1;
}

bool walk_resume(struct walk *walk)
{
	struct trace_entry entry;
	enum block_is is;

	while (walk_left(walk) > 4) {
		walk_take(walk, 4);
		if (walk_fill(walk, BLOCK_MAX) != 0)
			return false;
		if (walk_peek(walk, 0, &entry, &is) && is != BLOCK_ALIEN)
			return true;
	}
	return false;
}

void entry_keys(const struct trace_entry *entry, struct archive_block *block)
{
	block->key2 = 0;
	if (entry->kind == TRACE_MESSAGE) {
		block->key = key_of_sip_call_id(entry->sip_call_id);
		return;
	}
	block->key = entry->call ? key_of_call(entry->call) : key_of_object(entry->object);
	if (entry->sip_call_id.len)
		block->key2 = key_of_sip_call_id(entry->sip_call_id);
}
