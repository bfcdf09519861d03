/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The archive as its writer sees it: appends to the current segments, ends them, lets old ones go. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEGMENT_MAX (1u << 30) /* whatever nobody has tended */
#define NAME_TRIES 1000

/* ---- the current segment ------------------------------------------------------------------------ */

/* A new file with nothing but the head. Two of one time take the next free name. */
static int create_file(struct archive *archive, enum trace_series series, uint64_t *name)
{
	char file[SEGMENT_NAME];
	int fd = -1, err;

	for (unsigned i = 0; i < NAME_TRIES && fd < 0; i++, ++*name) {
		segment_file_name(file, series, *name, FILE_DATA);
		fd = openat(archive->dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (fd >= 0)
			break;
		if (errno != EEXIST)
			return -errno;
	}
	if (fd < 0)
		return -EEXIST;
	errno = 0;
	if (pwrite(fd, archive->head, archive->head_len, 0) == (ssize_t)archive->head_len)
		return fd;
	err = errno ? -errno : -ENOSPC;
	close(fd);
	unlinkat(archive->dir_fd, file, 0);
	return err;
}

static int begin_segment(struct archive *archive, enum trace_series series, uint64_t name)
{
	struct current *c = &archive->current[series];
	int fd = create_file(archive, series, &name);
	struct segment *segment;

	if (fd < 0)
		return fd;
	segment = segment_new(archive, series, name);
	if (!segment) {
		close(fd);
		return -ENOMEM;
	}
	segment->len = archive->head_len;
	pthread_mutex_lock(&archive->lock);
	c->segment = segment;
	c->fd = fd;
	pthread_mutex_unlock(&archive->lock);
	return 0;
}

static int write_vector(int fd, struct iovec *vec, int n, uint64_t at)
{
	while (n) {
		ssize_t got = pwritev(fd, vec, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		at += (uint64_t)got;
		for (; n && (size_t)got >= vec->iov_len; vec++, n--)
			got -= (ssize_t)vec->iov_len;
		if (n) {
			vec->iov_base = (char *)vec->iov_base + got;
			vec->iov_len -= (size_t)got;
		}
	}
	return 0;
}

static int write_blocks(int fd, uint64_t at, const struct archive_block *blocks, unsigned n)
{
	struct iovec vec[256];
	int err = 0;

	for (unsigned done = 0; done < n && !err;) {
		unsigned some = n - done < ARRAY_SIZE(vec) ? n - done : ARRAY_SIZE(vec);
		uint64_t len = 0;

		for (unsigned i = 0; i < some; i++) {
			vec[i].iov_base = (void *)(uintptr_t)blocks[done + i].bytes;
			vec[i].iov_len = blocks[done + i].len;
			len += blocks[done + i].len;
		}
		err = write_vector(fd, vec, (int)some, at);
		at += len;
		done += some;
	}
	return err;
}

/* ---- calls without an end ------------------------------------------------------------------------ */

static struct segment *open_at(const uint64_t *value)
{
	return (struct segment *)(uintptr_t)*value;
}

/* A call for which there is no memory is like one whose beginning was not traced. */
static void call_begins(struct archive *archive, uint64_t call, struct segment *segment, bool copy)
{
	uint64_t *known = map64_find(&archive->open, call);

	if (known)
		open_at(known)->n_open--;
	else if (copy)
		return; /* it has ended since */
	if (map64_set(&archive->open, call, (uintptr_t)segment) == 0)
		segment->n_open++;
}

static void call_ends(struct archive *archive, uint64_t call)
{
	uint64_t *known = map64_find(&archive->open, call);

	if (!known)
		return;
	open_at(known)->n_open--;
	map64_del(&archive->open, call);
}

static void forget_open(struct archive *archive, const struct segment *segment)
{
	size_t i = 0;

	if (!segment->n_open)
		return;
	/* What a deletion moves up comes to the same place: look at it again. */
	while (i < archive->open.size) {
		struct map64_slot *slot = &archive->open.slots[i];

		if (slot->key && open_at(&slot->value) == segment)
			map64_del(&archive->open, slot->key);
		else
			i++;
	}
}

/* ---- appending ----------------------------------------------------------------------------------- */

static void publish(struct archive *archive, struct current *c, const struct archive_block *blocks,
		    unsigned n, bool copy)
{
	struct trace_entry entry;
	enum block_is is;

	for (unsigned i = 0; i < n; i++) {
		const struct archive_block *b = &blocks[i];

		if (b->kind == TRACE_CALL || b->kind == TRACE_END) {
			if (!block_read(b->bytes, b->len, &entry, &is) || is != BLOCK_ENTRY)
				entry = (struct trace_entry){ .kind = b->kind };
			if (entry.call && b->kind == TRACE_CALL)
				call_begins(archive, entry.call, c->segment, copy);
			else if (entry.call)
				call_ends(archive, entry.call);
		}
		index_add(&c->index, (uint32_t)c->segment->len, b, &entry);
		c->segment->len += b->len;
	}
}

static int append(struct archive *archive, enum trace_series series,
		  const struct archive_block *blocks, unsigned n, bool copy)
{
	struct current *c = &archive->current[series];
	uint64_t len = 0;
	int err = 0;

	for (unsigned i = 0; i < n; i++)
		len += blocks[i].len;
	if (c->segment && c->segment->len + len > SEGMENT_MAX)
		err = archive_finish(archive, series);
	if (!err && !c->segment)
		err = begin_segment(archive, series, blocks[0].utc_us);
	if (err)
		return err;
	pthread_mutex_lock(&archive->lock);
	err = index_reserve(&c->index, blocks, n);
	pthread_mutex_unlock(&archive->lock);
	if (!err)
		err = write_blocks(c->fd, c->segment->len, blocks, n);
	if (err) {
		/* If even this fails, the next write goes over it. */
		if (ftruncate(c->fd, (off_t)c->segment->len))
			log_debug("trace %s: cannot cut off: %s", archive->folder, strerror(errno));
		return err;
	}
	pthread_mutex_lock(&archive->lock);
	publish(archive, c, blocks, n, copy);
	pthread_mutex_unlock(&archive->lock);
	return 0;
}

int archive_append(struct archive *archive, enum trace_series series,
		   const struct archive_block *blocks, unsigned n)
{
	return n ? append(archive, series, blocks, n, false) : 0;
}

int archive_copy(struct archive *archive, enum trace_series series,
		 const struct archive_block *blocks, unsigned n)
{
	return n ? append(archive, series, blocks, n, true) : 0;
}

/* ---- ending and dropping ------------------------------------------------------------------------- */

/* Sorted, on disk, and what stays in memory of it. */
static int finish_index(struct archive *archive, struct current *c, struct index_guide *guide_out)
{
	char name[SEGMENT_NAME];
	struct index sorted;
	int err = index_copy(&sorted, &c->index);

	if (err)
		return err;
	sorted.head.covered = c->segment->len;
	err = index_sort(&sorted);
	if (!err)
		err = index_guide_make(guide_out, &sorted);
	if (!err) {
		segment_file_name(name, c->segment->series, c->segment->name, FILE_INDEX);
		err = index_write(&sorted, archive->dir_fd, name);
		if (err)
			index_guide_free(guide_out);
	}
	index_free_copy(&sorted);
	return err;
}

/* By name, which is nearly always the end. */
static void insert_finished(struct archive *archive, struct segment *segment)
{
	struct list *head = &archive->finished[segment->series], *at = head->prev;

	while (at != head && list_entry(at, struct segment, node)->name > segment->name)
		at = at->prev;
	list_add_head(at, &segment->node);
}

int archive_finish(struct archive *archive, enum trace_series series)
{
	struct current *c = &archive->current[series];
	bool empty = c->segment && !c->index.head.n_entries;
	struct segment *segment = c->segment;
	struct index_guide guide = { 0 };
	struct index index;
	int err, fd = c->fd;

	if (!segment)
		return 0;
	err = empty ? 0 : finish_index(archive, c, &guide);
	if (err)
		return err;
	pthread_mutex_lock(&archive->lock);
	segment->guide = guide;
	segment->index_len = index_size(&guide.head);
	segment->removed = empty;
	index = c->index;
	*c = (struct current){ .fd = -1 };
	if (!empty)
		insert_finished(archive, segment);
	pthread_mutex_unlock(&archive->lock);
	index_free(&index);
	close(fd);
	if (empty)
		segment_unref(segment);
	return 0;
}

void archive_drop(struct archive *archive, struct segment *segment)
{
	list_del(&segment->node);
	segment->removed = true;
	forget_open(archive, segment);
}

/* ---- open and close ------------------------------------------------------------------------------- */

void archive_close(struct archive **archive)
{
	struct archive *a = *archive;

	if (!a)
		return;
	for (unsigned s = 0; s < TRACE_SERIES; s++) {
		int err = a->dir_fd >= 0 ? archive_finish(a, s) : 0;

		if (err) /* the next start makes the index */
			log_warn("trace %s: cannot write an index: %s", a->folder, strerror(-err));
		if (a->current[s].segment) {
			close(a->current[s].fd);
			index_free(&a->current[s].index);
			segment_unref(a->current[s].segment);
		}
		list_for_each_safe (at, next, &a->finished[s]) {
			list_del(at);
			segment_unref(list_entry(at, struct segment, node));
		}
	}
	aging_stop(a);
	map64_free(&a->open);
	map64_free(&a->pins);
	if (a->dir_fd >= 0)
		close(a->dir_fd);
	pthread_mutex_destroy(&a->lock);
	pthread_mutex_destroy(&a->pin_lock);
	free(a->folder);
	free(a);
	*archive = NULL;
}

static struct archive *archive_new(const char *folder, const char *product)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->folder = strdup(folder);
	a->head_len = block_write_head(a->head, sizeof(a->head), product);
	a->dir_fd = -1;
	for (unsigned s = 0; s < TRACE_SERIES; s++) {
		list_init(&a->finished[s]);
		a->current[s].fd = -1;
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->pin_lock, NULL);
	if (!a->folder || !a->head_len)
		archive_close(&a);
	return a;
}

int archive_open(struct archive **out, const char *folder, const char *product, char *why,
		 size_t why_size)
{
	struct archive *a = archive_new(folder, product);
	int err = a ? 0 : -ENOMEM;

	if (err) {
		snprintf(why, why_size, "no memory for the trace %s", folder);
		return err;
	}
	if (mkdir(folder, 0750) && errno != EEXIST)
		err = -errno;
	if (!err) {
		a->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = a->dir_fd < 0 ? -errno : 0;
	}
	if (err)
		snprintf(why, why_size, "cannot open the trace's folder %s: %s", folder,
			 strerror(-err));
	else
		err = archive_load(a, why, why_size);
	if (err) {
		archive_close(&a);
		return err;
	}
	*out = a;
	return 0;
}
