/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lanes: what a thread has to say to the writer, already in its final form. */
#include "trace/trace_write.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIKELY_SIZE 768 /* of a message */

/* ---- memory ------------------------------------------------------------------------------------ */

/* All pages are there before the first call comes. */
static int map_twice(unsigned char **ring_out, size_t size)
{
	int fd = memfd_create("trace-lane", MFD_CLOEXEC), err = 0;
	const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	unsigned char *ring;

	if (fd < 0)
		return -errno;
	ring = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	if (ftruncate(fd, (off_t)size) ||
	    mmap(ring, size, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED ||
	    mmap(ring + size, size, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		munmap(ring, 2 * size);
	else
		*ring_out = ring;
	return err;
}

int trace_lane_open(struct trace_lane *lane, size_t size, int wake_fd, const atomic_uint *mode)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;

	memset(lane, 0, sizeof(*lane));
	lane->size = size;
	lane->n_entries = size / LANE_ENTRY_LEAST;
	lane->wake_fd = wake_fd;
	lane->mode = mode;
	lane->entries = mmap(NULL, lane->n_entries * sizeof(*lane->entries), PROT_READ | PROT_WRITE,
			     flags, -1, 0);
	if (lane->entries == MAP_FAILED) {
		lane->entries = NULL;
		return -ENOMEM;
	}
	return map_twice(&lane->ring, size);
}

void trace_lane_close(struct trace_lane *lane)
{
	if (lane->ring)
		munmap(lane->ring, 2 * lane->size);
	if (lane->entries)
		munmap(lane->entries, lane->n_entries * sizeof(*lane->entries));
	lane->ring = NULL;
	lane->entries = NULL;
}

/* ---- entries ------------------------------------------------------------------------------------- */

static bool has_room(const struct trace_lane *lane, size_t room)
{
	return lane->entry - lane->entry_free < lane->n_entries &&
	       lane->at + room - lane->at_free <= lane->size;
}

static bool is_half_full(const struct trace_lane *lane)
{
	return lane->entry - lane->entry_free > lane->n_entries / 2 ||
	       lane->at - lane->at_free > lane->size / 2;
}

static void look_what_is_free(struct trace_lane *lane)
{
	lane->entry_free = atomic_load_explicit(&lane->tail, memory_order_acquire);
	lane->at_free = atomic_load_explicit(&lane->tail_at, memory_order_acquire);
}

struct lane_entry *trace_lane_claim(struct trace_lane *lane, size_t room)
{
	struct lane_entry *entry = lane_entry_at(lane, lane->entry);

	if (!has_room(lane, room))
		look_what_is_free(lane);
	if (has_room(lane, room)) {
		memset(entry, 0, sizeof(*entry));
		return entry;
	}
	atomic_store_explicit(&lane->dropped,
			      atomic_load_explicit(&lane->dropped, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return NULL;
}

/* The writer comes by itself soon enough unless there is much. */
static void wake_writer(struct trace_lane *lane)
{
	uint64_t one = 1;

	look_what_is_free(lane);
	if (!is_half_full(lane)) {
		lane->woken = false;
		return;
	}
	if (!lane->woken && write(lane->wake_fd, &one, sizeof(one)) > 0)
		lane->woken = true;
}

#if defined(__x86_64__) /* the processors of the base set load the line, which is half of it */
#define FOR_STORES __attribute__((target("prfchw")))
#else
#define FOR_STORES
#endif

FOR_STORES void trace_prefetch_stores(const void *p, size_t len)
{
	for (size_t at = 0; at < len; at += 64)
		__builtin_prefetch((const char *)p + at, 1);
}

void trace_lane_publish(struct trace_lane *lane, struct lane_entry *entry)
{
	entry->at = lane->at;
	entry->room = (entry->len + 7) & ~7u;
	lane->at += entry->room;
	lane->entry++;
	atomic_store_explicit(&lane->head_at, lane->at, memory_order_relaxed);
	atomic_store_explicit(&lane->head, lane->entry, memory_order_release);
	trace_prefetch_stores(lane_room(lane), LIKELY_SIZE);
	trace_prefetch_stores(lane_entry_at(lane, lane->entry), sizeof(*entry));
	if (is_half_full(lane))
		wake_writer(lane);
}

void trace_lane_release(struct trace_lane *lane)
{
	atomic_store_explicit(&lane->tail_at, lane->next_at, memory_order_release);
	atomic_store_explicit(&lane->tail, lane->next, memory_order_release);
}

/* ---- what callers see ----------------------------------------------------------------------------- */

static enum trace_mode mode_of(const struct trace_lane *lane)
{
	return atomic_load_explicit(lane->mode, memory_order_relaxed);
}

bool trace_wants(const struct trace_lane *lane)
{
	return lane && mode_of(lane) != TRACE_OFF;
}

static uint32_t mix_end(uint32_t hash, const struct sockaddr *sa)
{
	const struct sockaddr_in *in4 = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	uint32_t host;

	if (sa->sa_family == AF_INET)
		memcpy(&host, &in4->sin_addr, sizeof(host));
	else
		memcpy(&host, (const char *)&in6->sin6_addr + 12, sizeof(host));
	return (hash ^ host ^ in4->sin_port) * 0x9E3779B1u;
}

static uint32_t *sequence_of(struct trace_lane *lane, const struct trace_wire *wire)
{
	uint32_t hash = mix_end(mix_end(0, wire->from), wire->to);

	return &lane->sequences[hash / (UINT32_MAX / LANE_STREAMS + 1)];
}

void trace_message(struct trace_lane *lane, const struct trace_wire *wire, struct span message)
{
	struct lane_entry *entry;
	struct sip_scan scan;

	if (!trace_wants(lane))
		return;
	entry = trace_lane_claim(lane, block_message_room(wire, message.len));
	if (!entry)
		return;
	sip_scan(message, &scan);
	entry->kind = TRACE_MESSAGE;
	entry->registration = scan.registration;
	entry->if_selected = mode_of(lane) == TRACE_SELECTED;
	entry->utc_us = wire->utc_us;
	if (scan.call_id.len)
		entry->key = key_of_sip_call_id(scan.call_id);
	entry->len = (uint32_t)block_write_message(lane_room(lane), wire, message,
						   sequence_of(lane, wire));
	trace_lane_publish(lane, entry);
}

void trace_note(struct trace_lane *lane, const struct trace_note *note)
{
	struct trace_note timed = *note;
	struct lane_entry *entry;

	if (!trace_wants(lane))
		return;
	entry = trace_lane_claim(lane, block_note_room(note));
	if (!entry)
		return;
	if (!timed.utc_us)
		timed.utc_us = clock_utc_us();
	entry->kind = (uint8_t)note->kind;
	entry->leg = note->leg;
	entry->attempt = note->attempt;
	entry->if_selected = mode_of(lane) == TRACE_SELECTED;
	entry->utc_us = timed.utc_us;
	entry->call = note->call;
	entry->key = note->call ? key_of_call(note->call) : key_of_object(note->object);
	if (note->sip_call_id.len)
		entry->key2 = key_of_sip_call_id(note->sip_call_id);
	entry->len = (uint32_t)block_write_note(lane_room(lane), &timed);
	trace_lane_publish(lane, entry);
}

void trace_select(struct trace_lane *lane, uint64_t call)
{
	struct lane_entry *entry;

	if (!lane || mode_of(lane) != TRACE_SELECTED)
		return;
	entry = trace_lane_claim(lane, 0);
	if (!entry)
		return;
	entry->kind = LANE_SELECT;
	entry->utc_us = clock_utc_us();
	entry->call = call;
	trace_lane_publish(lane, entry);
}
