/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bed for tests of the archive: a folder, and calls whose blocks go into the archive and into a plain list in memory. What
 * the archive gives back is compared with the list. */
#ifndef TRACE_BED_H
#define TRACE_BED_H

#include "trace/archive_int.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct bed_block {
	char *bytes;
	struct archive_block block;
	enum trace_series series;
	unsigned call;			/* its number */
	struct span text;		/* what reading must give; malloced */
	struct bed_block *next;		/* of the batch */
};

struct bed_call {
	uint64_t id;
	char leg_a[24], leg_b[24];
	bool failed, ended, pinned;
	unsigned *blocks, n_blocks;	/* in the order in which they were written */
};

struct bed {
	char folder[64];
	struct archive *archive;
	uint64_t now;			/* the bed's clock: each block a little later */
	uint64_t seed;
	struct bed_block *blocks;
	unsigned n_blocks, written;	/* blocks[written..] wait for bed_write */
	struct bed_call *calls;
	unsigned n_calls, calls_room;
	uint32_t sequence;
};

/* Repeatable. */
static inline uint32_t bed_random(struct bed *bed, uint32_t bound)
{
	bed->seed = bed->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(bed->seed >> 33) % bound;
}

static inline void bed_open(struct bed *bed)
{
	char why[256] = "";
	int err = archive_open(&bed->archive, bed->folder, "causeway test", why, sizeof(why));

	if (err)
		fail_msg("%s (%s)", why, strerror(-err));
}

static inline void bed_begin(struct bed *bed, uint64_t seed)
{
	*bed = (struct bed){ .now = 1790000000000000ull, .seed = seed };
	snprintf(bed->folder, sizeof(bed->folder), "/tmp/causeway-trace-XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	bed_open(bed);
}

static inline void bed_remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *item;
	char path[400];

	while (dir && (item = readdir(dir)))
		if (item->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder, item->d_name);
			unlink(path);
		}
	if (dir)
		closedir(dir);
	rmdir(folder);
}

static inline void bed_end(struct bed *bed)
{
	archive_close(&bed->archive);
	bed_remove_folder(bed->folder);
	for (unsigned i = 0; i < bed->n_blocks; i++) {
		free(bed->blocks[i].bytes);
		free((char *)(uintptr_t)bed->blocks[i].text.p);
	}
	for (unsigned i = 0; i < bed->n_calls; i++)
		free(bed->calls[i].blocks);
	free(bed->blocks);
	free(bed->calls);
}

static inline struct span bed_copy(struct span s)
{
	char *p = malloc(s.len + 1);

	if (s.len)
		memcpy(p, s.p, s.len);
	return (struct span){ p, s.len };
}

static inline struct bed_block *bed_add(struct bed *bed, unsigned call, size_t room)
{
	struct bed_call *c = &bed->calls[call];
	struct bed_block *b;

	bed->blocks = realloc(bed->blocks, (bed->n_blocks + 1) * sizeof(*bed->blocks));
	b = &bed->blocks[bed->n_blocks];
	*b = (struct bed_block){ .bytes = malloc(room), .call = call };
	c->blocks = realloc(c->blocks, (c->n_blocks + 1) * sizeof(*c->blocks));
	c->blocks[c->n_blocks++] = bed->n_blocks++;
	bed->now += 1 + bed_random(bed, 2000);
	return b;
}

static inline struct sockaddr_storage bed_address(bool ip6, unsigned number)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;

	if (ip6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(5060);
		in6->sin6_addr.s6_addr[0] = 0x20;
		in6->sin6_addr.s6_addr[15] = (uint8_t)number;
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)(5060 + number % 2));
		in->sin_addr.s_addr = htonl(0x0a000000u + number);
	}
	return ss;
}

/* A message of about `len` bytes with the Call-ID of the leg; stamped unless the writer did not know yet. */
static inline void bed_message(struct bed *bed, unsigned call, char leg, size_t len, bool stamped)
{
	struct bed_call *c = &bed->calls[call];
	bool ip6 = bed_random(bed, 8) == 0;
	struct sockaddr_storage from = bed_address(ip6, 1 + call % 200), to = bed_address(ip6, 250);
	struct trace_wire wire = { .sent = bed_random(bed, 2),
				   .proto = bed_random(bed, 3),
				   .from = (void *)&from,
				   .to = (void *)&to };
	struct buf text = BUF_INIT(1u << 20);
	struct bed_block *b;

	buf_addf(&text, "INVITE sip:%u@example.net SIP/2.0\r\nCall-ID: %s\r\nX-Number: %u\r\n\r\n",
		 bed_random(bed, 1000000), leg == 'a' ? c->leg_a : c->leg_b, bed->n_blocks);
	while (text.len < len)
		buf_addf(&text, "a=fmtp:%u mode=%u\r\n", bed_random(bed, 128), bed_random(bed, 9));
	b = bed_add(bed, call, block_message_room(&wire, text.len));
	wire.utc_us = bed->now;
	b->block = (struct archive_block){
		.bytes = b->bytes,
		.len = (uint32_t)block_write_message(b->bytes, &wire, buf_span(&text),
						     &bed->sequence),
		.kind = TRACE_MESSAGE,
		.key = key_of_sip_call_id(span_of(leg == 'a' ? c->leg_a : c->leg_b)),
		.utc_us = bed->now,
	};
	if (stamped)
		block_stamp_message(b->bytes, b->block.len, c->id, leg, leg == 'b');
	b->text = bed_copy(buf_span(&text));
	buf_free(&text);
}

/* A note; CALL and END have the fields of a record, CALL and DIAL bind a leg. */
static inline void bed_note(struct bed *bed, unsigned call, enum trace_kind kind, const char *text)
{
	struct bed_call *c = &bed->calls[call];
	char caller[24], callee[24], account[24], started[24], ended[24];
	struct trace_field fields[] = {
		{ "started", SPAN_NONE },
		{ "ended", SPAN_NONE },
		{ "caller", SPAN_NONE },
		{ "callee", SPAN_NONE },
		{ "mapping_gateway", SPAN("customer-7") },
		{ "account", SPAN_NONE },
		{ "caller_addr", SPAN("203.0.113.5:5060") },
		{ "end_code", SPAN_NONE },
	};
	struct trace_note note = { .kind = kind, .call = c->id, .text = span_of(text) };
	struct bed_block *b;

	snprintf(caller, sizeof(caller), "4930%07u", call);
	snprintf(callee, sizeof(callee), "33170%06u", call);
	snprintf(account, sizeof(account), "acct-%u", call % 5);
	snprintf(started, sizeof(started), "%llu",
		 (unsigned long long)(1790000000000000ull + call * SEC));
	snprintf(ended, sizeof(ended), "%llu", (unsigned long long)bed->now);
	fields[0].value = span_of(started);
	fields[2].value = span_of(caller);
	fields[3].value = span_of(callee);
	fields[5].value = span_of(account);
	if (kind == TRACE_END) {
		fields[1].value = span_of(ended);
		fields[7].value = c->failed ? SPAN("NO_ROUTE") : SPAN("NORMAL");
	}
	if (kind == TRACE_CALL || kind == TRACE_END) {
		note.fields = fields;
		note.n_fields = ARRAY_SIZE(fields);
	}
	if (kind == TRACE_CALL || kind == TRACE_DIAL) {
		note.sip_call_id = span_of(kind == TRACE_CALL ? c->leg_a : c->leg_b);
		note.leg = kind == TRACE_CALL ? 'a' : 'b';
	}
	b = bed_add(bed, call, block_note_room(&note));
	note.utc_us = bed->now;
	b->block = (struct archive_block){
		.bytes = b->bytes,
		.len = (uint32_t)block_write_note(b->bytes, &note),
		.kind = (uint8_t)kind,
		.key = key_of_call(c->id),
		.key2 = note.sip_call_id.len ? key_of_sip_call_id(note.sip_call_id) : 0,
		.utc_us = bed->now,
	};
	b->text = bed_copy(span_of(text));
	c->ended = c->ended || kind == TRACE_END;
}

static inline unsigned bed_call(struct bed *bed, bool failed)
{
	struct bed_call *c;

	if (bed->n_calls == bed->calls_room) {
		bed->calls_room = bed->calls_room ? bed->calls_room * 2 : 4096;
		bed->calls = realloc(bed->calls, bed->calls_room * sizeof(*bed->calls));
	}
	c = &bed->calls[bed->n_calls];
	*c = (struct bed_call){ .id = 0x0200000000000000ull + ((uint64_t)bed->n_calls << 22),
				.failed = failed };
	snprintf(c->leg_a, sizeof(c->leg_a), "a%u-%08x", bed->n_calls, bed_random(bed, 1u << 31));
	snprintf(c->leg_b, sizeof(c->leg_b), "b%u-%08x", bed->n_calls, bed_random(bed, 1u << 31));
	return bed->n_calls++;
}

/* Appends what waits, in one batch. 0 or what archive_append says; then it waits on. */
static inline int bed_write(struct bed *bed, enum trace_series series)
{
	unsigned n = bed->n_blocks - bed->written;
	struct archive_block *blocks = malloc((n + 1) * sizeof(*blocks));
	int err;

	for (unsigned i = 0; i < n; i++) {
		bed->blocks[bed->written + i].series = series;
		blocks[i] = bed->blocks[bed->written + i].block;
	}
	err = archive_append(bed->archive, series, blocks, n);
	free(blocks);
	if (!err)
		bed->written = bed->n_blocks;
	return err;
}

static inline struct trace_reading *bed_read(struct bed *bed, const uint64_t *keys, unsigned n)
{
	struct trace_reading *reading = calloc(1, sizeof(*reading));

	reading->arena = arena_new(65536);
	assert_int_equal(archive_read(bed->archive, keys, n, 0, 0, reading), 0);
	return reading;
}

static inline void bed_reading_free(struct trace_reading *reading)
{
	arena_free(&reading->arena);
	free(reading);
}

static inline struct trace_reading *bed_read_call(struct bed *bed, unsigned call)
{
	const struct bed_call *c = &bed->calls[call];
	uint64_t keys[] = { key_of_call(c->id), key_of_sip_call_id(span_of(c->leg_a)),
			    key_of_sip_call_id(span_of(c->leg_b)) };

	return bed_read(bed, keys, ARRAY_SIZE(keys));
}

static inline bool bed_same(const struct bed *bed, unsigned block, const struct trace_entry *e)
{
	const struct bed_block *b = &bed->blocks[block];

	return b->block.utc_us == e->utc_us && b->block.kind == e->kind &&
	       span_eq(b->text, e->text);
}

/* How many of the call's written blocks are there: all that are must be as written and in order. */
static inline unsigned bed_count_call(struct bed *bed, unsigned call)
{
	struct trace_reading *reading = bed_read_call(bed, call);
	struct bed_call *c = &bed->calls[call];
	unsigned at = 0, n = reading->n;

	for (unsigned i = 0; i < n; i++) {
		while (at < c->n_blocks && !bed_same(bed, c->blocks[at], &reading->entries[i]))
			at++;
		if (at++ >= c->n_blocks)
			fail_msg("call %u: entry %u of %u was never written, or twice", call, i, n);
	}
	bed_reading_free(reading);
	return n;
}

static inline unsigned bed_written_of(const struct bed *bed, unsigned call)
{
	const struct bed_call *c = &bed->calls[call];
	unsigned n = 0;

	while (n < c->n_blocks && c->blocks[n] < bed->written)
		n++;
	return n;
}

static inline void bed_check_all(struct bed *bed)
{
	for (unsigned call = 0; call < bed->n_calls; call++)
		assert_int_equal(bed_count_call(bed, call), bed_written_of(bed, call));
}

#endif
