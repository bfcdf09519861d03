/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls by what their rows say, newest first. Segments are gone through from the newest; as soon as there are enough calls and
 * no older segment has a younger one, it is done. A CALL's row counts only while its call has no END: that one says more,
 * and stands in this segment or in a newer one. */
#include "trace/archive_int.h"

#include <stdlib.h>
#include <unistd.h>

#define FIND_MAX 10000 /* calls at once */

struct found {
	struct call_row row;
	char *strings;
};

struct finder {
	struct archive *archive;
	const struct trace_query *query;
	struct map64 open; /* calls without END when it began */
	struct map64 only; /* keys: no other calls than these, which are few */
	bool only_these;
	struct segment **segments;
	unsigned n_segments;
	struct found *found; /* by call, newest first, but for the newest few: see tidy() */
	size_t n_found, limit;
	uint64_t lowest; /* of the first `limit`; 0 = there are fewer */
	int err;
};

/* ---- what was found ------------------------------------------------------------------------------- */

/* Of one call the END first. */
static int found_order(const void *a, const void *b)
{
	const struct call_row *x = &((const struct found *)a)->row;
	const struct call_row *y = &((const struct found *)b)->row;

	if (x->call != y->call)
		return x->call > y->call ? -1 : 1;
	return (int)y->ended - (int)x->ended;
}

/* In order, each call once, no more than wanted. */
static void tidy(struct finder *f)
{
	size_t kept = 0;

	if (f->n_found)
		qsort(f->found, f->n_found, sizeof(*f->found), found_order);
	for (size_t i = 0; i < f->n_found; i++) {
		bool again = kept && f->found[kept - 1].row.call == f->found[i].row.call;

		if (again || kept == f->limit)
			free(f->found[i].strings);
		else
			f->found[kept++] = f->found[i];
	}
	f->n_found = kept;
	f->lowest = kept == f->limit ? f->found[kept - 1].row.call : 0;
}

static void keep_row(struct finder *f, const struct call_row *row, const char *strings)
{
	struct found *to = &f->found[f->n_found];

	*to = (struct found){ *row, malloc(row->strings_len) };
	if (!to->strings) {
		f->err = -ENOMEM;
		return;
	}
	memcpy(to->strings, strings, row->strings_len);
	if (++f->n_found == 2 * f->limit)
		tidy(f);
}

/* As far as the row alone tells. */
static bool may_match(const struct finder *f, const struct call_row *row)
{
	return row->call > f->lowest && row_matches(row, f->query) &&
	       (!f->only_these || map64_find(&f->only, row->call)) &&
	       (row->ended || map64_find(&f->open, row->call));
}

/* Quicker than taking the strings apart. */
static bool holds_number(const struct finder *f, const struct call_row *row, const char *strings)
{
	struct span number = f->query->number;

	if (span_starts(number, SPAN("+")))
		number = span_skip(number, 1);
	return !number.len || memmem(strings, row->strings_len, number.p, number.len);
}

/* A row that may match. */
static void look_at(struct finder *f, const struct call_row *row, const char *strings)
{
	struct trace_call call;

	if (!f->err && holds_number(f, row, strings) && row_to_call(&call, row, strings) &&
	    row_strings_match(&call, f->query))
		keep_row(f, row, strings);
}

/* ---- where to look --------------------------------------------------------------------------------- */

static bool may_have_only(const struct finder *f, const struct index_guide *guide)
{
	if (!f->only_these)
		return true;
	for (size_t i = 0; i < f->only.size; i++)
		if (f->only.slots[i].key &&
		    index_may_have(guide, key_of_call(f->only.slots[i].key)))
			return true;
	return false;
}

/* Can there be rows that match? */
static bool worth_reading(const struct finder *f, const struct segment *segment)
{
	const struct index_head *h = &segment->guide.head;
	const struct trace_query *q = f->query;

	if (!h->n_rows || (q->before_call && h->first_call >= q->before_call) ||
	    (q->to_us && h->started_us > q->to_us))
		return false;
	/* Calls without end last until now. */
	if (q->from_us && h->ended_us < q->from_us && !segment->n_open)
		return false;
	return may_have_only(f, &segment->guide);
}

static void look_at_current(struct finder *f, const struct index *index)
{
	for (size_t i = 0; i < index->head.n_rows; i++)
		if (may_match(f, &index->rows[i]))
			look_at(f, &index->rows[i], index->strings + index->rows[i].strings);
}

static int note_open(struct finder *f)
{
	const struct archive *a = f->archive;
	int err = 0;

	if (!f->only_these)
		return map64_copy(&f->open, &a->open);
	for (size_t i = 0; i < f->only.size && !err; i++) {
		uint64_t call = f->only.slots[i].key;

		if (call && map64_find(&a->open, call))
			err = map64_set(&f->open, call, 1);
	}
	return err;
}

/* Under the lock: the current segments' rows, and references on the finished ones that may have some. */
static int begin(struct finder *f)
{
	static const enum trace_series series[] = { SERIES_CALLS, SERIES_REGISTRATIONS,
						    SERIES_KEPT };
	struct archive *a = f->archive;
	unsigned count = 0;
	int err;

	err = note_open(f);
	if (err)
		return err;
	for (unsigned s = 0; s < ARRAY_SIZE(series); s++)
		list_for_each (at, &a->finished[series[s]])
			count++;
	f->segments = malloc((count + 1) * sizeof(*f->segments));
	if (!f->segments)
		return -ENOMEM;
	for (unsigned s = 0; s < ARRAY_SIZE(series); s++) {
		look_at_current(f, &a->current[series[s]].index);
		list_for_each (at, &a->finished[series[s]]) {
			struct segment *segment = list_entry(at, struct segment, node);

			if (worth_reading(f, segment))
				f->segments[f->n_segments++] = segment_ref(segment);
		}
	}
	return f->err;
}

static int by_youngest_call(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;
	uint64_t x_call = x->guide.head.last_call, y_call = y->guide.head.last_call;

	return x_call > y_call ? -1 : x_call < y_call;
}

/* The rows that may match, and where their strings are. How many. */
static size_t sift(const struct finder *f, const struct index_head *h, struct call_row *rows,
		   size_t n_rows, uint32_t *from_out, uint32_t *to_out)
{
	uint32_t from = UINT32_MAX, to = 0;
	size_t n = 0;

	for (size_t i = 0; i < n_rows; i++) {
		const struct call_row *row = &rows[i];

		if (!may_match(f, row) || row->strings > h->strings_len ||
		    row->strings_len > h->strings_len - row->strings)
			continue;
		from = row->strings < from ? row->strings : from;
		to = row->strings + row->strings_len > to ? row->strings + row->strings_len : to;
		rows[n++] = *row;
	}
	*from_out = from;
	*to_out = to;
	return n;
}

/* The segment's rows of the calls that are asked for. */
static int only_rows(const struct finder *f, const struct index_guide *guide, int fd,
		     struct call_row **rows_out, size_t *n_out)
{
	struct call_row *rows = malloc((f->only.count + 1) * sizeof(*rows));
	size_t n = 0;
	int err = rows ? 0 : -ENOMEM;

	for (size_t i = 0; i < f->only.size && !err; i++) {
		uint64_t call = f->only.slots[i].key;

		if (!call || !index_may_have(guide, key_of_call(call)))
			continue;
		err = index_row(guide, fd, call, &rows[n]);
		n += !err;
		err = err == -ENOENT ? 0 : err;
	}
	if (err) {
		free(rows);
		return err;
	}
	*rows_out = rows;
	*n_out = n;
	return 0;
}

static int look_into(struct finder *f, const struct segment *segment)
{
	const struct index_guide *guide = &segment->guide;
	int fd = segment_open(segment, FILE_INDEX), err = 0;
	size_t n = guide->head.n_rows;
	struct call_row *rows = NULL;
	char *strings = NULL;
	uint32_t from, to;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* somebody has removed it */
	if (f->only_these)
		err = only_rows(f, guide, fd, &rows, &n);
	else if (numbers_may_have(guide, fd, f->query->number))
		err = index_rows(guide, fd, &rows);
	n = rows ? sift(f, &guide->head, rows, n, &from, &to) : 0;
	if (n)
		err = index_strings(guide, fd, from, to, &strings);
	close(fd);
	/* The youngest first: so many need not be kept. */
	for (; n && !err; n--)
		if (rows[n - 1].call > f->lowest)
			look_at(f, &rows[n - 1], strings + (rows[n - 1].strings - from));
	free(rows);
	free(strings);
	return err ? err : f->err;
}

static int look_into_all(struct finder *f)
{
	int err = 0;

	if (f->n_segments)
		qsort(f->segments, f->n_segments, sizeof(*f->segments), by_youngest_call);
	for (unsigned i = 0; i < f->n_segments && !err; i++) {
		tidy(f);
		if (f->lowest && f->segments[i]->guide.head.last_call <= f->lowest)
			break;
		err = look_into(f, f->segments[i]);
	}
	return err;
}

/* ---- only some calls -------------------------------------------------------------------------------- */

/* The calls to which notes bind this Call-ID. */
static int calls_of_sip(struct finder *f)
{
	struct trace_reading reading = { .arena = arena_new(16384) };
	uint64_t key = key_of_sip_call_id(f->query->sip_call_id);
	int err = reading.arena ? 0 : -ENOMEM;

	if (!err)
		err = archive_read(f->archive, &key, 1, 0, 0, &reading);
	for (unsigned i = 0; i < reading.n && !err; i++) {
		const struct trace_entry *e = &reading.entries[i];

		if (e->call && span_eq(e->sip_call_id, f->query->sip_call_id))
			err = map64_set(&f->only, e->call, 1);
	}
	arena_free(&reading.arena);
	return err;
}

static int choose_calls(struct finder *f)
{
	f->only_these = f->query->call || f->query->sip_call_id.len;
	if (f->query->sip_call_id.len)
		return calls_of_sip(f);
	return f->query->call ? map64_set(&f->only, f->query->call, 1) : 0;
}

static int tell(struct finder *f, void (*each)(void *arg, const struct trace_call *call), void *arg)
{
	struct trace_call call;

	tidy(f);
	for (size_t i = 0; i < f->n_found; i++) {
		const struct found *found = &f->found[i];

		if (!row_to_call(&call, &found->row, found->strings))
			continue;
		pthread_mutex_lock(&f->archive->lock);
		call.pinned = map64_find(&f->archive->pins, call.call) != NULL;
		pthread_mutex_unlock(&f->archive->lock);
		each(arg, &call);
	}
	return (int)f->n_found;
}

int archive_find(struct archive *archive, const struct trace_query *query,
		 void (*each)(void *arg, const struct trace_call *call), void *arg)
{
	struct finder f = { .archive = archive, .query = query };
	int rc;

	f.limit = query->limit < FIND_MAX ? query->limit : FIND_MAX;
	if (!f.limit)
		return 0;
	f.found = malloc(2 * f.limit * sizeof(*f.found));
	rc = f.found ? choose_calls(&f) : -ENOMEM;
	if (!rc) {
		pthread_mutex_lock(&archive->lock);
		rc = begin(&f);
		pthread_mutex_unlock(&archive->lock);
	}
	if (!rc)
		rc = look_into_all(&f);
	if (!rc)
		rc = tell(&f, each, arg);
	for (size_t i = 0; i < f.n_found; i++)
		free(f.found[i].strings);
	for (unsigned i = 0; i < f.n_segments; i++)
		segment_unref(f.segments[i]);
	free(f.segments);
	free(f.found);
	map64_free(&f.open);
	map64_free(&f.only);
	return rc;
}
