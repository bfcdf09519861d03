/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people ask for: a call, a SIP Call-ID, an object. The notes come first: they tell which Call-IDs belong to it. Keys are
 * hashes and peers choose Call-IDs, so what was found is looked at once more. */
#include "trace/archive_int.h"

#include <stdlib.h>

/* A Call-ID may be used again: its messages are wanted as long before and after the notes (RFC 3261 17.1.1.2: 64*T1). */
#define AROUND_US (64 * SEC)

void trace_reading_free(struct trace_reading **reading)
{
	if (!*reading)
		return;
	arena_free(&(*reading)->arena);
	free(*reading);
	*reading = NULL;
}

static struct trace_reading *reading_new(void)
{
	struct trace_reading *reading = calloc(1, sizeof(*reading));

	if (!reading)
		return NULL;
	reading->arena = arena_new(32768);
	if (!reading->arena)
		trace_reading_free(&reading);
	return reading;
}

/* What is being asked, and what the notes have told so far. */
struct asking {
	struct archive *archive;
	uint64_t call; /* 0 = of an object */
	struct span object;
	uint64_t *keys; /* the call's or object's, then of the Call-IDs */
	struct span *sip_call_ids;
	unsigned n, room;
	struct map64 places; /* key -> place in these */
	uint64_t first_us, last_us; /* of the notes */
	bool ended;
	struct trace_reading *notes;
};

static int add_key(struct asking *a, uint64_t key, struct span sip_call_id)
{
	unsigned room = a->room ? a->room * 2 : 16;
	struct span *ids;
	uint64_t *keys;

	if (map64_find(&a->places, key))
		return 0;
	if (a->n == a->room) {
		keys = realloc(a->keys, room * sizeof(*keys));
		a->keys = keys ? keys : a->keys;
		ids = realloc(a->sip_call_ids, room * sizeof(*ids));
		a->sip_call_ids = ids ? ids : a->sip_call_ids;
		if (!keys || !ids)
			return -ENOMEM;
		a->room = room;
	}
	a->keys[a->n] = key;
	a->sip_call_ids[a->n] = sip_call_id;
	return map64_set(&a->places, key, a->n++);
}

static bool has_sip_call_id(const struct asking *a, struct span sip_call_id)
{
	uint64_t *place = map64_find(&a->places, key_of_sip_call_id(sip_call_id));

	return place && span_eq(a->sip_call_ids[*place], sip_call_id);
}

static bool is_asked_note(const struct asking *a, const struct trace_entry *e)
{
	if (e->kind == TRACE_MESSAGE)
		return false;
	return a->call ? e->call == a->call : !e->call && span_eq(e->object, a->object);
}

/* A message of another call with one of our Call-IDs has come back to us on its way (a spiral), or follows ours. */
static bool is_asked_message(const struct asking *a, const struct trace_entry *e)
{
	if (e->kind != TRACE_MESSAGE)
		return false;
	if (a->call && e->call == a->call)
		return true;
	if (!has_sip_call_id(a, e->sip_call_id))
		return false;
	return !a->call || !e->call ||
	       (e->utc_us >= a->first_us && (!a->ended || e->utc_us <= a->last_us));
}

/* The newest `limit` notes that were asked for, 0 = all; what they bind is asked for next. */
static int take_notes(struct asking *a, unsigned limit)
{
	unsigned count = 0;
	int err = 0;

	for (unsigned i = a->notes->n; i > 0 && !err && (!limit || count < limit); i--) {
		const struct trace_entry *e = &a->notes->entries[i - 1];

		if (!is_asked_note(a, e))
			continue;
		if (!count++)
			a->last_us = e->utc_us;
		a->first_us = e->utc_us;
		a->ended = a->ended || e->kind == TRACE_END;
		if (e->sip_call_id.len)
			err = add_key(a, key_of_sip_call_id(e->sip_call_id), e->sip_call_id);
	}
	return err ? err : count ? 0 : -ENOENT;
}

/* Notes before the oldest that was taken are not. */
static void keep_asked(const struct asking *a, struct trace_reading *reading)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < reading->n; i++) {
		const struct trace_entry *e = &reading->entries[i];

		if (is_asked_message(a, e) || (is_asked_note(a, e) && e->utc_us >= a->first_us))
			reading->entries[kept++] = *e;
	}
	reading->n = kept;
}

static int read_asked(struct asking *a, uint64_t key, uint64_t from_us, unsigned limit,
		      struct trace_reading *out)
{
	uint64_t since;
	int err = add_key(a, key, SPAN_NONE);

	if (!err)
		err = archive_read(a->archive, a->keys, a->n, from_us, 0, a->notes);
	if (!err)
		err = take_notes(a, limit);
	if (err)
		return err;
	since = a->first_us > AROUND_US ? a->first_us - AROUND_US : 0;
	err = archive_read(a->archive, a->keys, a->n, since,
			   a->ended || !a->call ? a->last_us + AROUND_US : 0, out);
	out->bytes_read += a->notes->bytes_read;
	if (!err)
		keep_asked(a, out);
	return err;
}

static int ask(struct asking *a, uint64_t key, uint64_t from_us, unsigned limit,
	       struct trace_reading **out)
{
	struct trace_reading *reading = reading_new();
	int err;

	a->notes = reading_new();
	err = reading && a->notes ? read_asked(a, key, from_us, limit, reading) : -ENOMEM;
	trace_reading_free(&a->notes);
	free(a->keys);
	free(a->sip_call_ids);
	map64_free(&a->places);
	if (err)
		trace_reading_free(&reading);
	else
		*out = reading;
	return err;
}

int archive_read_call(struct archive *archive, uint64_t call, struct trace_reading **out)
{
	struct asking a = { .archive = archive, .call = call };

	return call ? ask(&a, key_of_call(call), 0, 0, out) : -ENOENT;
}

int archive_read_object(struct archive *archive, struct span object, uint64_t from_us,
			unsigned limit, struct trace_reading **out)
{
	struct asking a = { .archive = archive, .object = object };

	return limit ? ask(&a, key_of_object(object), from_us, limit, out) : -ENOENT;
}

int archive_read_sip(struct archive *archive, struct span sip_call_id, struct trace_reading **out)
{
	struct trace_reading *reading = reading_new();
	uint64_t key = key_of_sip_call_id(sip_call_id);
	int err = reading ? archive_read(archive, &key, 1, 0, 0, reading) : -ENOMEM;
	unsigned kept = 0;

	for (unsigned i = 0; !err && i < reading->n; i++)
		if (span_eq(reading->entries[i].sip_call_id, sip_call_id))
			reading->entries[kept++] = reading->entries[i];
	if (!err && !kept)
		err = -ENOENT;
	if (err) {
		trace_reading_free(&reading);
		return err;
	}
	reading->n = kept;
	*out = reading;
	return 0;
}
