/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A set-associative table: a key belongs into one row of eight places; when the row is full, the place goes whose
 * suspension or last failure lies furthest back. Readers compare keys and times, which are atomic; writers, who come only
 * with failures, take the row's flag. */
#include "edge/edge_suspend.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ROWS 1024
#define PLACES 8
#define USER_KEPT 64

struct place {
	_Atomic uint64_t key; /* 0 = empty */
	_Atomic uint64_t until_us; /* suspended; 0 = failures only */
	uint64_t last_us; /* and what follows: under the row's flag */
	unsigned failures;
	enum suspend_kind kind;
	union net_addr source;
	char user[USER_KEPT];
};
struct row {
	atomic_flag busy;
	struct place place[PLACES];
};
struct suspensions {
	struct hash_key key;
	_Atomic bool used; /* anybody has failed since the start */
	struct row row[ROWS];
};

int suspensions_new(struct suspensions **out)
{
	struct suspensions *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	rng_bytes(&s->key, sizeof(s->key));
	for (unsigned i = 0; i < ROWS; i++)
		atomic_flag_clear(&s->row[i].busy);
	*out = s;
	return 0;
}

void suspensions_free(struct suspensions **suspensions)
{
	free(*suspensions);
	*suspensions = NULL;
}

/* Never 0. The parts are hashed apart, so that none can lend bytes to another. */
static uint64_t key_of(const struct suspensions *s, const struct suspect *who)
{
	char host[NET_ADDR_TEXT];
	uint64_t parts[4] = { (uint64_t)who->kind };

	net_addr_format_host(who->source, host);
	parts[1] = hash_bytes(&s->key, who->user.p, who->user.len);
	parts[2] = hash_bytes(&s->key, who->secret, strlen(who->secret));
	parts[3] = hash_bytes(&s->key, host, strlen(host));
	return hash_bytes(&s->key, parts, sizeof(parts)) | 1;
}

static struct row *row_of(const struct suspensions *s, uint64_t key)
{
	return (struct row *)&s->row[(key >> 1) % ROWS];
}

static void row_take(struct row *row)
{
	while (atomic_flag_test_and_set_explicit(&row->busy, memory_order_acquire))
		sched_yield();
}

static void row_give(struct row *row)
{
	atomic_flag_clear_explicit(&row->busy, memory_order_release);
}

static struct place *find(struct row *row, uint64_t key)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (atomic_load_explicit(&row->place[i].key, memory_order_acquire) == key)
			return &row->place[i];
	return NULL;
}

uint64_t suspensions_left(const struct suspensions *s, const struct suspect *who, uint64_t mono_us)
{
	struct place *place;
	uint64_t key, until;

	if (!atomic_load_explicit(&s->used, memory_order_relaxed))
		return 0;
	key = key_of(s, who);
	place = find(row_of(s, key), key);
	if (!place)
		return 0;
	until = atomic_load_explicit(&place->until_us, memory_order_acquire);
	/* The place may have become another's meanwhile. */
	if (atomic_load_explicit(&place->key, memory_order_acquire) != key)
		return 0;
	return until > mono_us ? until - mono_us : 0;
}

/* When it stops to matter. */
static uint64_t place_age(const struct place *place)
{
	uint64_t until = atomic_load_explicit(&place->until_us, memory_order_relaxed);

	return until > place->last_us ? until : place->last_us;
}

static void place_clear(struct place *place)
{
	atomic_store_explicit(&place->key, 0, memory_order_release);
	atomic_store_explicit(&place->until_us, 0, memory_order_release);
	place->failures = 0;
	place->last_us = 0;
}

static struct place *place_for(struct row *row, uint64_t key, const struct suspect *who)
{
	struct place *place = find(row, key);

	if (place)
		return place;
	place = &row->place[0];
	for (unsigned i = 1; i < PLACES; i++)
		if (place_age(&row->place[i]) < place_age(place))
			place = &row->place[i];
	place_clear(place);
	place->kind = who->kind;
	place->source = *who->source;
	span_copy(who->user, place->user, sizeof(place->user));
	atomic_store_explicit(&place->key, key, memory_order_release);
	return place;
}

bool suspensions_failed(struct suspensions *s, const struct suspect *who, unsigned limit,
			uint64_t for_us, uint64_t mono_us)
{
	uint64_t key = key_of(s, who);
	struct row *row = row_of(s, key);
	struct place *place;
	bool now;

	if (!limit)
		return false;
	atomic_store_explicit(&s->used, true, memory_order_relaxed);
	row_take(row);
	place = place_for(row, key, who);
	if (place->last_us + for_us < mono_us)
		place->failures = 0;
	place->last_us = mono_us;
	now = ++place->failures >= limit &&
	      atomic_load_explicit(&place->until_us, memory_order_relaxed) <= mono_us;
	if (now)
		atomic_store_explicit(&place->until_us, mono_us + for_us, memory_order_release);
	row_give(row);
	return now;
}

void suspensions_passed(struct suspensions *s, const struct suspect *who)
{
	struct place *place;
	struct row *row;
	uint64_t key;

	if (!atomic_load_explicit(&s->used, memory_order_relaxed))
		return;
	key = key_of(s, who);
	row = row_of(s, key);
	if (!find(row, key))
		return;
	row_take(row);
	place = find(row, key);
	if (place)
		place_clear(place);
	row_give(row);
}

/* ---- for people ------------------------------------------------------------------------------ */

static bool in_force(const struct place *place, uint64_t mono_us)
{
	return atomic_load_explicit(&place->key, memory_order_relaxed) &&
	       atomic_load_explicit(&place->until_us, memory_order_relaxed) > mono_us;
}

unsigned suspensions_lift(struct suspensions *s, const char *user, uint64_t mono_us)
{
	unsigned lifted = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		struct row *row = &s->row[i];

		row_take(row);
		for (unsigned j = 0; j < PLACES; j++) {
			struct place *place = &row->place[j];

			if (user && strcmp(user, place->user) != 0)
				continue;
			lifted += in_force(place, mono_us);
			place_clear(place);
		}
		row_give(row);
	}
	return lifted;
}

static void write_place(const struct place *place, uint64_t mono_us, struct buf *out)
{
	uint64_t until = atomic_load_explicit(&place->until_us, memory_order_relaxed);
	char host[NET_ADDR_TEXT];

	buf_add_str(out, "{\"user\":");
	buf_add_json(out, place->user[0] ? span_of(place->user) : SPAN("(unknown users)"));
	buf_addf(out, ",\"source\":\"%s\",\"kind\":\"%s\",\"failures\":%u,\"left_s\":%llu}",
		 net_addr_format_host(&place->source, host),
		 place->kind == SUSPEND_REGISTER ? "registrations" : "calls", place->failures,
		 (unsigned long long)((until - mono_us + SEC - 1) / SEC));
}

void suspensions_write(struct suspensions *s, uint64_t mono_us, struct buf *out)
{
	bool begun = false;

	buf_add_char(out, '[');
	for (unsigned i = 0; i < ROWS; i++) {
		struct row *row = &s->row[i];

		row_take(row);
		for (unsigned j = 0; j < PLACES; j++) {
			if (!in_force(&row->place[j], mono_us))
				continue;
			buf_add_str(out, begun ? "," : "");
			write_place(&row->place[j], mono_us, out);
			begun = true;
		}
		row_give(row);
	}
	buf_add_char(out, ']');
}
