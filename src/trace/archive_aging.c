/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment goes, and some of its calls stay: their blocks are copied into the kept series, in the order in which they stand.
 * First everything is looked at: which calls are there, how did they end (perhaps segments later), which Call-IDs are theirs.
 * Then it is gone through again and copied. Both in slices, between which the writer writes.
 *
 * Of calls, what failed or has no end yet stays, and what is pinned. Of what was kept before, what is pinned. */
#include "trace/archive_int.h"

#include <stdlib.h>
#include <unistd.h>

#define BATCH_BYTES (512u << 10)
#define BATCH_BLOCKS 512
#define LOOK_EVERY 64 /* blocks between two looks at the clock */

enum fate { FATE_GOES, FATE_STAYS, FATE_COPIED };

struct aging {
	struct segment *from;
	int fd;
	struct walk walk;
	bool copying; /* the second time through */
	struct map64 fates; /* call -> enum fate */
	struct map64 bound; /* key of a Call-ID -> call */
	struct map64 ends; /* key of a call -> enum call_end, of the current segment so far */
	uint64_t ends_of; /* its name, */
	size_t ends_seen; /* and how many of its entries were looked at */
	uint64_t pins_state;
	uint64_t staying, going; /* calls; ends of calls */
	char *batch;
	size_t batch_len;
	struct archive_block blocks[BATCH_BLOCKS];
	unsigned n_blocks;
};

void aging_stop(struct archive *archive)
{
	struct aging *g = archive->aging;

	if (!g)
		return;
	segment_unref(g->from);
	if (g->fd >= 0)
		close(g->fd);
	walk_end(&g->walk);
	map64_free(&g->fates);
	map64_free(&g->bound);
	map64_free(&g->ends);
	free(g->batch);
	free(g);
	archive->aging = NULL;
}

int aging_begin(struct archive *archive, struct segment *from)
{
	struct aging *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	archive->aging = g;
	g->from = segment_ref(from);
	g->fd = segment_open(from, FILE_DATA);
	err = g->fd < 0 ? g->fd : walk_begin(&g->walk, g->fd, from->len);
	g->batch = malloc(BATCH_BYTES + BLOCK_MAX);
	pthread_mutex_lock(&archive->lock);
	g->pins_state = archive->pins_state;
	pthread_mutex_unlock(&archive->lock);
	if (!err && !g->batch)
		err = -ENOMEM;
	if (err)
		aging_stop(archive);
	return err;
}

/* ---- fates ------------------------------------------------------------------------------------ */

static bool is_pinned(struct archive *archive, uint64_t call)
{
	bool pinned;

	pthread_mutex_lock(&archive->lock);
	pinned = map64_find(&archive->pins, call) != NULL;
	pthread_mutex_unlock(&archive->lock);
	return pinned;
}

enum call_end { END_UNKNOWN, END_GOOD, END_FAILED };

static void note_end(void *arg, const struct index_entry *entry)
{
	enum call_end *end = arg;

	if (entry_kind(entry) == TRACE_END && !entry_is(entry, ENTRY_BINDS))
		*end = entry_is(entry, ENTRY_FAILED) ? END_FAILED : END_GOOD;
}

static enum call_end end_in(const struct segment *segment, uint64_t key)
{
	enum call_end end = END_UNKNOWN;
	uint64_t bytes_read = 0;
	int fd;

	if (!index_may_have(&segment->guide, key))
		return END_UNKNOWN;
	fd = segment_open(segment, FILE_INDEX);
	if (fd < 0)
		return END_UNKNOWN;
	index_lookup(&segment->guide, fd, key, note_end, &end, &bytes_read);
	close(fd);
	return end;
}

/* The current index is not sorted: each of its entries is looked at once. Without memory an end is not known. */
static enum call_end end_in_current(const struct archive *archive, struct aging *g, uint64_t key)
{
	const struct current *c = &archive->current[SERIES_CALLS];
	enum call_end end = END_UNKNOWN;
	uint64_t *known;

	if (!c->segment)
		return END_UNKNOWN;
	if (c->segment->name != g->ends_of) {
		map64_free(&g->ends);
		g->ends_of = c->segment->name;
		g->ends_seen = 0;
	}
	for (; g->ends_seen < c->index.head.n_entries; g->ends_seen++) {
		const struct index_entry *entry = &c->index.entries[g->ends_seen];

		note_end(&end, entry);
		if (end != END_UNKNOWN)
			map64_set(&g->ends, entry->key, end);
		end = END_UNKNOWN;
	}
	known = map64_find(&g->ends, key);
	return known ? *known : END_UNKNOWN;
}

/* In the segment itself and those after it, then wherever else it may have got to. The lists and the current index change
 * on this thread only. */
static enum call_end end_of(const struct archive *archive, struct aging *g, uint64_t call)
{
	static const enum trace_series series[] = { SERIES_CALLS, SERIES_KEPT };
	enum call_end end = end_in(g->from, key_of_call(call));

	for (unsigned s = 0; s < ARRAY_SIZE(series) && end == END_UNKNOWN; s++)
		list_for_each (at, &archive->finished[series[s]]) {
			struct segment *segment = list_entry(at, struct segment, node);

			if (segment == g->from)
				continue;
			end = end_in(segment, key_of_call(call));
			if (end != END_UNKNOWN)
				break;
		}
	return end != END_UNKNOWN ? end : end_in_current(archive, g, key_of_call(call));
}

static enum fate decide(struct archive *archive, struct aging *g, uint64_t call)
{
	if (is_pinned(archive, call))
		return FATE_STAYS;
	if (g->from->series == SERIES_KEPT)
		return FATE_GOES;
	if (map64_find(&archive->open, call))
		return FATE_STAYS;
	return end_of(archive, g, call) == END_GOOD ? FATE_GOES : FATE_STAYS;
}

static int learn_fate(struct archive *archive, struct aging *g, const struct trace_entry *e)
{
	uint64_t *known = map64_find(&g->fates, e->call);
	enum fate fate = known ? *known : decide(archive, g, e->call);
	int err = known ? 0 : map64_set(&g->fates, e->call, fate);

	if (!known)
		g->staying += fate == FATE_STAYS;
	if (e->kind == TRACE_END)
		g->going += fate == FATE_GOES;
	if (!err && e->kind != TRACE_MESSAGE && e->sip_call_id.len)
		err = map64_set(&g->bound, key_of_sip_call_id(e->sip_call_id), e->call);
	return err;
}

/* ---- copying ----------------------------------------------------------------------------------- */

static int flush_batch(struct archive *archive, struct aging *g)
{
	int err = archive_copy(archive, SERIES_KEPT, g->blocks, g->n_blocks);

	g->n_blocks = 0;
	g->batch_len = 0;
	return err;
}

/* A message that came before it was known whose it is has a Call-ID only. */
static uint64_t call_of(const struct aging *g, const struct trace_entry *e,
			const struct archive_block *block)
{
	uint64_t *call = NULL;

	if (!e->call && e->kind == TRACE_MESSAGE)
		call = map64_find(&g->bound, block->key);
	return call ? *call : e->call;
}

static int copy_block(struct archive *archive, struct aging *g, const struct walk_step *step)
{
	struct archive_block block = { .len = step->len,
				       .kind = (uint8_t)step->entry.kind,
				       .utc_us = step->entry.utc_us };
	uint64_t call, *fate;

	entry_keys(&step->entry, &block);
	call = call_of(g, &step->entry, &block);
	fate = call ? map64_find(&g->fates, call) : NULL;
	if (!fate || *fate != FATE_STAYS)
		return 0;
	block.bytes = memcpy(g->batch + g->batch_len, step->bytes, step->len);
	g->batch_len += step->len;
	g->blocks[g->n_blocks++] = block;
	if (step->entry.kind == TRACE_END && g->from->series == SERIES_CALLS)
		archive->kept_calls++; /* only this thread writes it */
	return g->n_blocks == BATCH_BLOCKS || g->batch_len >= BATCH_BYTES ? flush_batch(archive, g)
									  : 0;
}

static void rewind_walk(struct aging *g)
{
	g->walk.at = 0;
	g->walk.buffered = g->walk.taken = 0;
	g->copying = true;
}

/* Calls that were pinned while their segment was being left behind: true, and it is gone through for them once more. */
static bool pinned_since(struct archive *archive, struct aging *g)
{
	bool any = false;

	if (archive->pins_state == g->pins_state)
		return false;
	g->pins_state = archive->pins_state;
	for (size_t i = 0; i < g->fates.size; i++) {
		struct map64_slot *slot = &g->fates.slots[i];

		if (slot->key && slot->value == FATE_STAYS)
			slot->value = FATE_COPIED;
		else if (slot->key && slot->value == FATE_GOES &&
			 map64_find(&archive->pins, slot->key)) {
			slot->value = FATE_STAYS;
			any = true;
		}
	}
	return any;
}

/* All has been copied: let it go. False: not yet. */
static bool finish(struct archive *archive, struct aging *g)
{
	bool again;

	pthread_mutex_lock(&archive->lock);
	again = pinned_since(archive, g);
	if (!again) {
		archive_drop(archive, g->from);
		archive->aged_calls += g->going;
	}
	pthread_mutex_unlock(&archive->lock);
	if (again) {
		rewind_walk(g);
		return false;
	}
	segment_unref(g->from); /* the list's */
	aging_stop(archive);
	return true;
}

/* Everything has been looked at. 1: there is more to do. */
static int looked(struct archive *archive, struct aging *g)
{
	if (g->from->series == SERIES_KEPT && g->staying && g->staying == g->fates.count) {
		/* Moving it would gain nothing. */
		g->from->pins_seen = g->pins_state + 1;
		aging_stop(archive);
		return 0;
	}
	if (!g->staying)
		return !finish(archive, g);
	rewind_walk(g);
	return 1;
}

static int one_block(struct archive *archive, struct aging *g)
{
	struct walk_step step;
	int rc = walk_next(&g->walk, &step);

	if (rc < 0) /* damaged since it was indexed: what can be read stays */
		return walk_resume(&g->walk) ? 1 : 0;
	if (!rc || !step.known)
		return rc;
	if (g->copying)
		rc = copy_block(archive, g, &step);
	else if (step.entry.call)
		rc = learn_fate(archive, g, &step.entry);
	else
		rc = 0;
	return rc ? rc : 1;
}

int aging_go_on(struct archive *archive, uint64_t until_us)
{
	struct aging *g = archive->aging;
	unsigned count = 0;
	int rc;

	do {
		rc = one_block(archive, g);
		if (rc == 1 && ++count % LOOK_EVERY == 0 && clock_mono_us() >= until_us)
			return 1;
	} while (rc == 1);
	if (!rc && !g->copying)
		return looked(archive, g);
	if (!rc)
		rc = flush_batch(archive, g);
	if (rc) {
		aging_stop(archive);
		return rc;
	}
	return !finish(archive, g);
}
