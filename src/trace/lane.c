/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lanes: what a thread has to say to the writer, already in its final form. */
#include "trace/trace_write.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

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
	memset(lane, 0, sizeof(*lane));
	lane->size = size;
	lane->wake_fd = wake_fd;
	lane->mode = mode;
	return map_twice(&lane->ring, size);
}

void trace_lane_close(struct trace_lane *lane)
{
	if (lane->ring)
		munmap(lane->ring, 2 * lane->size);
	lane->ring = NULL;
}

/* ---- entries ------------------------------------------------------------------------------------- */

static size_t entry_size(size_t blocks)
{
	return (sizeof(struct lane_entry) + blocks + 7) & ~(size_t)7;
}

struct lane_entry *trace_lane_claim(struct trace_lane *lane, size_t room)
{
	uint64_t end = lane->at + entry_size(room);

	if (end - lane->tail_seen > lane->size)
		lane->tail_seen = atomic_load_explicit(&lane->tail, memory_order_acquire);
	if (end - lane->tail_seen <= lane->size)
		return lane_entry_at(lane, lane->at);
	atomic_store_explicit(&lane->dropped,
			      atomic_load_explicit(&lane->dropped, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return NULL;
}

/* The writer comes by itself soon enough unless there is much. */
static void wake_writer(struct trace_lane *lane)
{
	uint64_t one = 1;

	lane->tail_seen = atomic_load_explicit(&lane->tail, memory_order_acquire);
	if (lane->at - lane->tail_seen <= lane->size / 2) {
		lane->woken = false;
		return;
	}
	if (!lane->woken && write(lane->wake_fd, &one, sizeof(one)) > 0)
		lane->woken = true;
}

void trace_lane_publish(struct trace_lane *lane, struct lane_entry *entry)
{
	entry->size = (uint32_t)entry_size(entry->len);
	lane->at += entry->size;
	atomic_store_explicit(&lane->head, lane->at, memory_order_release);
	if (lane->at - lane->tail_seen > lane->size / 2)
		wake_writer(lane);
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
	*entry = (struct lane_entry){
		.kind = TRACE_MESSAGE,
		.registration = scan.registration,
		.if_selected = mode_of(lane) == TRACE_SELECTED,
		.utc_us = wire->utc_us,
		.key = scan.call_id.len ? key_of_sip_call_id(scan.call_id) : 0,
	};
	entry->len = (uint32_t)block_write_message(lane_blocks(entry), wire, message,
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
	*entry = (struct lane_entry){
		.kind = note->kind,
		.leg = note->leg,
		.attempt = note->attempt,
		.if_selected = mode_of(lane) == TRACE_SELECTED,
		.utc_us = timed.utc_us,
		.call = note->call,
		.key = note->call ? key_of_call(note->call) : key_of_object(note->object),
		.key2 = note->sip_call_id.len ? key_of_sip_call_id(note->sip_call_id) : 0,
	};
	entry->len = (uint32_t)block_write_note(lane_blocks(entry), &timed);
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
	*entry = (struct lane_entry){ .kind = LANE_SELECT, .utc_us = clock_utc_us(), .call = call };
	trace_lane_publish(lane, entry);
}
