/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks by their keys. Under the lock only: what the current segments have, and which finished ones may have something. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HITS_MAX 50000 /* of one question; the newest segments are asked first */

struct hit {
	struct segment *segment;
	uint32_t offset, len;
};

struct reader {
	struct archive *archive;
	const uint64_t *keys;
	unsigned n_keys;
	uint64_t from_us, to_us;
	struct asked {
		struct segment *segment;
		bool finished;
	} * asked;
	unsigned n_asked, asked_room;
	struct segment *asking;
	struct hit *hits;
	size_t n_hits, hits_room;
	uint64_t bytes_read;
	int err;
};

/* ---- where the blocks are ------------------------------------------------------------------------- */

static void add_hit(void *arg, const struct index_entry *e)
{
	struct reader *r = arg;
	size_t room = r->hits_room ? r->hits_room * 2 : 256;
	struct hit *more;

	if (r->n_hits == HITS_MAX)
		return;
	if (r->n_hits == r->hits_room) {
		more = realloc(r->hits, room * sizeof(*more));
		if (!more) {
			r->err = -ENOMEM;
			return;
		}
		r->hits = more;
		r->hits_room = room;
	}
	r->hits[r->n_hits++] = (struct hit){ r->asking, e->offset, entry_len(e) };
}

static bool in_time(const struct reader *r, const struct index_head *head)
{
	return (!r->from_us || head->newest_us >= r->from_us) &&
	       (!r->to_us || head->oldest_us <= r->to_us);
}

static bool may_have_any(const struct reader *r, const struct index_guide *guide)
{
	for (unsigned i = 0; i < r->n_keys; i++)
		if (index_may_have(guide, r->keys[i]))
			return true;
	return false;
}

static void ask(struct reader *r, struct segment *segment, bool finished)
{
	unsigned room = r->asked_room ? r->asked_room * 2 : 16;
	struct asked *more;

	if (r->n_asked == r->asked_room) {
		more = realloc(r->asked, room * sizeof(*more));
		if (!more) {
			r->err = -ENOMEM;
			return;
		}
		r->asked = more;
		r->asked_room = room;
	}
	r->asked[r->n_asked++] = (struct asked){ segment_ref(segment), finished };
}

static void scan_current(struct reader *r, const struct current *c)
{
	size_t before = r->n_hits;

	r->asking = c->segment;
	for (size_t i = 0; i < c->index.head.n_entries; i++)
		for (unsigned k = 0; k < r->n_keys; k++)
			if (c->index.entries[i].key == r->keys[k])
				add_hit(r, &c->index.entries[i]);
	if (r->n_hits > before)
		ask(r, c->segment, false);
	if (r->err)
		r->n_hits = before;
}

static void choose_segments(struct reader *r)
{
	struct archive *a = r->archive;

	pthread_mutex_lock(&a->lock);
	for (unsigned s = 0; s < TRACE_SERIES; s++) {
		if (a->current[s].segment && in_time(r, &a->current[s].index.head))
			scan_current(r, &a->current[s]);
		for (struct list *at = a->finished[s].prev; at != &a->finished[s]; at = at->prev) {
			struct segment *segment = list_entry(at, struct segment, node);

			if (in_time(r, &segment->guide.head) && may_have_any(r, &segment->guide))
				ask(r, segment, true);
		}
	}
	pthread_mutex_unlock(&a->lock);
}

static void look_up(struct reader *r, struct segment *segment)
{
	int fd = segment_open(segment, FILE_INDEX), err = fd < 0 ? fd : 0;

	r->asking = segment;
	for (unsigned k = 0; k < r->n_keys && !err; k++)
		if (index_may_have(&segment->guide, r->keys[k]))
			err = index_lookup(&segment->guide, fd, r->keys[k], add_hit, r,
					   &r->bytes_read);
	if (fd >= 0)
		close(fd);
	if (err && err != -ENOENT) /* somebody has removed it */
		r->err = err;
}

static int hit_order(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->segment != y->segment) {
		if (x->segment->series != y->segment->series)
			return x->segment->series < y->segment->series ? -1 : 1;
		return x->segment->name < y->segment->name ? -1 : 1;
	}
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* By place, each once: a note stands under two keys. */
static void order_hits(struct reader *r)
{
	size_t kept = 0;

	if (r->n_hits)
		qsort(r->hits, r->n_hits, sizeof(*r->hits), hit_order);
	for (size_t i = 0; i < r->n_hits; i++)
		if (!kept || hit_order(&r->hits[kept - 1], &r->hits[i]) != 0)
			r->hits[kept++] = r->hits[i];
	r->n_hits = kept;
}

/* ---- what they say -------------------------------------------------------------------------------- */

static int read_bytes(struct reader *r, int fd, const struct hit *hit, char *to)
{
	size_t got = 0;

	while (got < hit->len) {
		ssize_t n = pread(fd, to + got, hit->len - got, (off_t)(hit->offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		got += (size_t)n;
	}
	r->bytes_read += got;
	return 0;
}

static bool wanted(const struct reader *r, const struct trace_entry *e)
{
	struct archive_block block;

	if ((r->from_us && e->utc_us < r->from_us) || (r->to_us && e->utc_us > r->to_us))
		return false;
	/* The index may be of an older state than a block that was damaged since. */
	entry_keys(e, &block);
	for (unsigned i = 0; i < r->n_keys; i++)
		if (block.key == r->keys[i] || block.key2 == r->keys[i])
			return true;
	return false;
}

/* Tell the kernel first, so that a disk reads them all at once. */
static void announce(const struct reader *r, int fd, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		posix_fadvise(fd, r->hits[i].offset, r->hits[i].len, POSIX_FADV_WILLNEED);
}

/* The hits from..to-1 are of one segment. */
static int read_segment(struct reader *r, size_t from, size_t to, struct trace_reading *into)
{
	int fd = segment_open(r->hits[from].segment, FILE_DATA), err = fd < 0 ? fd : 0;

	if (!err && to - from > 1)
		announce(r, fd, from, to);
	for (size_t i = from; i < to && !err; i++) {
		struct trace_entry *entry = &into->entries[into->n];
		char *bytes = arena_alloc(into->arena, r->hits[i].len);

		err = bytes ? read_bytes(r, fd, &r->hits[i], bytes) : -ENOMEM;
		if (!err && block_join(bytes, r->hits[i].len, entry) && wanted(r, entry))
			into->n++;
	}
	if (fd >= 0)
		close(fd);
	return err == -ENOENT ? 0 : err;
}

static int read_hits(struct reader *r, struct trace_reading *into)
{
	size_t from = 0, to;
	int err = 0;

	into->n = 0;
	into->entries = arena_alloc(into->arena, r->n_hits * sizeof(*into->entries) + 1);
	if (!into->entries)
		return -ENOMEM;
	for (; from < r->n_hits && !err; from = to) {
		for (to = from + 1; to < r->n_hits; to++)
			if (r->hits[to].segment != r->hits[from].segment)
				break;
		err = read_segment(r, from, to, into);
	}
	return err;
}

/* ---- in order -------------------------------------------------------------------------------------- */

struct place {
	uint64_t utc_us;
	size_t at;
};

static int place_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->utc_us != y->utc_us)
		return x->utc_us < y->utc_us ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool same_entry(const struct trace_entry *a, const struct trace_entry *b)
{
	return a->kind == b->kind && a->utc_us == b->utc_us && a->call == b->call &&
	       a->leg == b->leg && a->attempt == b->attempt && a->sent == b->sent &&
	       memcmp(&a->from, &b->from, sizeof(a->from)) == 0 &&
	       memcmp(&a->to, &b->to, sizeof(a->to)) == 0 && span_eq(a->text, b->text) &&
	       span_eq(a->object, b->object) && span_eq(a->sip_call_id, b->sip_call_id);
}

/* Is it there already, in another segment? */
static bool is_copy(const struct trace_reading *reading, const struct trace_entry *entry)
{
	for (unsigned i = reading->n; i > 0; i--) {
		if (reading->entries[i - 1].utc_us != entry->utc_us)
			return false;
		if (same_entry(&reading->entries[i - 1], entry))
			return true;
	}
	return false;
}

static int put_in_order(struct trace_reading *reading)
{
	struct trace_entry *from = reading->entries;
	unsigned n = reading->n;
	struct place *places = malloc((n + 1) * sizeof(*places));

	reading->entries = arena_alloc(reading->arena, n * sizeof(*from) + 1);
	if (!places || !reading->entries) {
		free(places);
		reading->n = 0;
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++)
		places[i] = (struct place){ from[i].utc_us, i };
	if (n)
		qsort(places, n, sizeof(*places), place_order);
	reading->n = 0;
	for (unsigned i = 0; i < n; i++)
		if (!is_copy(reading, &from[places[i].at]))
			reading->entries[reading->n++] = from[places[i].at];
	free(places);
	return 0;
}

int archive_read(struct archive *archive, const uint64_t *keys, unsigned n_keys, uint64_t from_us,
		 uint64_t to_us, struct trace_reading *into)
{
	struct reader r = { .archive = archive,
			    .keys = keys,
			    .n_keys = n_keys,
			    .from_us = from_us,
			    .to_us = to_us };
	int err;

	choose_segments(&r);
	for (unsigned i = 0; i < r.n_asked && !r.err; i++)
		if (r.asked[i].finished)
			look_up(&r, r.asked[i].segment);
	order_hits(&r);
	err = r.err ? r.err : read_hits(&r, into);
	if (!err)
		err = put_in_order(into);
	into->bytes_read += r.bytes_read;
	for (unsigned i = 0; i < r.n_asked; i++)
		segment_unref(r.asked[i].segment);
	free(r.asked);
	free(r.hits);
	return err;
}
