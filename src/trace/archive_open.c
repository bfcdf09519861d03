/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a start finds: the segments of earlier runs. None of them is written to again. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ids of kept calls whose END was seen. */
struct ended {
	uint64_t *calls;
	size_t n, room;
};

static int add_ended(struct ended *ended, uint64_t call)
{
	size_t room = ended->room ? ended->room * 2 : 4096;
	uint64_t *more;

	if (ended->n == ended->room) {
		more = realloc(ended->calls, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		ended->calls = more;
		ended->room = room;
	}
	ended->calls[ended->n++] = call;
	return 0;
}

/* Segments come in order of time, and a call ends after it began: so this holds no more than the calls of one moment. What was
 * kept may have been moved about; its ENDs are noted. */
static int note_rows(struct archive *archive, struct ended *ended, struct segment *segment,
		     const struct index *index)
{
	int err = 0;

	for (size_t i = 0; i < index->head.n_rows && !err; i++) {
		const struct call_row *row = &index->rows[i];

		if (!row->ended)
			err = map64_set(&archive->open, row->call, (uintptr_t)segment);
		else if (segment->series == SERIES_KEPT)
			err = add_ended(ended, row->call);
		else
			map64_del(&archive->open, row->call);
	}
	return err;
}

/* What is left are calls without an end, in a map no larger than they need. */
static int settle_open(struct archive *archive, const struct ended *ended)
{
	struct map64 open = { 0 };
	int err = 0;

	for (size_t i = 0; i < ended->n; i++)
		map64_del(&archive->open, ended->calls[i]);
	for (size_t i = 0; i < archive->open.size && !err; i++) {
		const struct map64_slot *slot = &archive->open.slots[i];

		if (!slot->key)
			continue;
		err = map64_set(&open, slot->key, slot->value);
		((struct segment *)(uintptr_t)slot->value)->n_open++;
	}
	map64_free(&archive->open);
	archive->open = open;
	return err;
}

static int file_len(int dir_fd, const char *name, uint64_t *len_out)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0))
		return -errno;
	*len_out = (uint64_t)st.st_size;
	return 0;
}

/* Its index as it is, or made anew. n_entries 0: there is nothing in it. */
static int load_index(struct archive *archive, enum trace_series series, uint64_t name,
		      struct index *index_out)
{
	char data[SEGMENT_NAME], file[SEGMENT_NAME];
	struct index index = { 0 };
	uint64_t len = 0;
	int err;

	segment_file_name(data, series, name, FILE_DATA);
	segment_file_name(file, series, name, FILE_INDEX);
	err = file_len(archive->dir_fd, data, &len);
	if (err)
		return err;
	if (index_load(&index, archive->dir_fd, file) == 0) {
		if (index.head.covered == len) {
			*index_out = index;
			return 0;
		}
		index_free(&index);
	}
	err = segment_repair(archive->dir_fd, series, name, &index);
	if (!err && index.head.n_entries)
		err = index_write(&index, archive->dir_fd, file);
	if (err) {
		index_free(&index);
		return err;
	}
	*index_out = index;
	return 0;
}

static int load_segment(struct archive *archive, struct segment *segment, struct ended *ended)
{
	struct index index = { 0 };
	int err = load_index(archive, segment->series, segment->name, &index);

	if (err)
		return err;
	if (!index.head.n_entries) {
		segment->removed = true;
	} else {
		segment->len = index.head.covered;
		segment->index_len = index_size(&index.head);
		err = index_guide_make(&segment->guide, &index);
		if (!err)
			err = note_rows(archive, ended, segment, &index);
	}
	index_free(&index);
	return err;
}

/* What cannot be read is left alone: calls go on without it. */
static int load_one(struct archive *archive, enum trace_series series, uint64_t name,
		    struct ended *ended)
{
	struct segment *segment = segment_new(archive, series, name);
	char file[SEGMENT_NAME];
	int err = segment ? load_segment(archive, segment, ended) : -ENOMEM;

	if (!err && !segment->removed)
		list_add_tail(&archive->finished[series], &segment->node);
	else if (segment)
		segment_unref(segment);
	if (!err || err == -ENOMEM)
		return err;
	log_error("trace %s: cannot read %s: %s; it is left alone until the next start",
		  archive->folder, segment_file_name(file, series, name, FILE_DATA),
		  strerror(-err));
	return 0;
}

static int load_series(struct archive *archive, enum trace_series series, struct ended *ended)
{
	uint64_t *names = NULL;
	unsigned n = 0;
	int err = segment_names(archive->dir_fd, series, &names, &n);

	for (unsigned i = 0; i < n && !err; i++)
		err = load_one(archive, series, names[i], ended);
	free(names);
	return err;
}

int archive_load(struct archive *archive, char *why, size_t why_size)
{
	struct ended ended = { 0 };
	int err = 0;

	/* The kept ones first: they are older. */
	for (unsigned series = TRACE_SERIES; series > 0 && !err; series--)
		err = load_series(archive, series - 1, &ended);
	if (!err)
		err = settle_open(archive, &ended);
	if (!err)
		err = pins_load(archive);
	if (err)
		snprintf(why, why_size, "cannot read the trace's folder %s: %s", archive->folder,
			 strerror(-err));
	free(ended.calls);
	return err;
}
