/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The intake: what was added and is in no segment yet, in memory that outlives the process. A file of the journal's
 * folder, mapped shared: what a process has stored there the kernel keeps when the process dies.
 *
 *   header  128 bytes: struct intake_header
 *   lane    u64 head, padding to 64 bytes, u64 tail, padding to 128 bytes, the ring; for each producer
 *
 * Head and tail count bytes and never fall. The producer writes an entry behind the head and then moves the head: an entry
 * that was being written when the process died does not exist. The committer moves the tail when the entry is in a segment.
 * A slot is a checksum, four zeros, and a struct cdr_entry as it is in memory, whole and rounded up to 32 bytes. One that
 * would not fit before the ring's end begins at its start; an entry of kind 0 stands for the rest.
 *
 * The committer gives an entry its sequence in place, before it goes to a segment. So the next start knows: what has a
 * sequence that the segments have reached is there, everything else is not.
 *
 * When the machine dies, pages reach the disk in no order and some not at all; then the intake says nothing. It
 * belongs to the boot of the machine that it was made in. Only at an orderly stop with records that no segment would take
 * it is synced and belongs to any.
 *
 * A lane that is full, or an intake that could not be made, must not stop a call: then entries wait in a list of
 * memory of their own and die with the process. While there is such a list, all of the lane's go to it, so that they
 * stay in order. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_HEADER 8
#define SLOT_ALIGN 32
#define INTAKE_NAME "intake"
#define INTAKE_DAMAGED "intake.damaged"

static const unsigned char magic[8] = { 'C', 'W', 'I', 'N', 'T', 'A', 'K', 'E' };

struct intake_header {
	unsigned char magic[8];
	uint32_t version, lanes;
	uint64_t ring_bytes;
	char boot[INTAKE_BOOT];
	uint32_t zero, crc; /* of all before it */
};
_Static_assert(sizeof(struct intake_header) <= INTAKE_HEADER, "the header has its room");
_Static_assert(offsetof(struct cdr_entry, data) == sizeof(struct cdr_entry), "no padding in slots");

/* ---- slots --------------------------------------------------------------------------------- */

static _Atomic uint64_t *head_of(unsigned char *lane)
{
	return (_Atomic uint64_t *)(void *)lane;
}

static _Atomic uint64_t *tail_of(unsigned char *lane)
{
	return (_Atomic uint64_t *)(void *)(lane + 64);
}

static struct cdr_entry *slot_entry(unsigned char *slot)
{
	return (struct cdr_entry *)(void *)(slot + SLOT_HEADER);
}

static uint64_t slot_size(uint32_t len)
{
	return (SLOT_HEADER + sizeof(struct cdr_entry) + (uint64_t)len + SLOT_ALIGN - 1) &
	       ~(uint64_t)(SLOT_ALIGN - 1);
}

/* Over all that does not change once it is written: kind, length, data. */
static uint32_t slot_crc(const struct cdr_entry *entry)
{
	return crc32c(&entry->kind, sizeof(*entry) - offsetof(struct cdr_entry, kind) + entry->len);
}

static void slot_write(unsigned char *slot, const struct cdr_entry *entry, uint16_t lane)
{
	struct cdr_entry *copy = slot_entry(slot);
	uint64_t crc;

	memcpy(copy, entry, sizeof(*entry) + entry->len);
	copy->lane = lane;
	crc = slot_crc(copy);
	memcpy(slot, &crc, SLOT_HEADER);
}

/* Size of the sound slot at the beginning of `room` bytes that end with the ring, of which `used` are in use; or 0. */
static uint64_t slot_check(unsigned char *slot, uint64_t room, uint64_t used)
{
	const struct cdr_entry *entry = slot_entry(slot);
	uint64_t size = entry->kind ? slot_size(entry->len) : room, crc;

	if (size > room || size > used || entry->kind > CDR_ALIVE ||
	    entry->len > FRAME_MAX - FRAME_HEADER || (!entry->kind && entry->len))
		return 0;
	memcpy(&crc, slot, SLOT_HEADER);
	return crc == slot_crc(entry) ? size : 0;
}

/* ---- lanes --------------------------------------------------------------------------------- */

void lane_attach(struct lane *lane, unsigned number, unsigned char *bytes, uint64_t ring_bytes)
{
	lane->number = (uint16_t)(number + 1);
	lane->ring_bytes = ring_bytes;
	lane->map = bytes + INTAKE_HEADER + number * (INTAKE_LANE + ring_bytes);
	lane->at = lane->taken = atomic_load(head_of(lane->map));
	lane->tail_seen = atomic_load(tail_of(lane->map));
}

static unsigned char *lane_slot(const struct lane *lane, uint64_t at)
{
	return lane->map + INTAKE_LANE + (at & (lane->ring_bytes - 1));
}

static uint64_t lane_left(const struct lane *lane, uint64_t at)
{
	return lane->ring_bytes - (at & (lane->ring_bytes - 1));
}

static bool lane_has_room(struct lane *lane, uint64_t bytes)
{
	if (lane->at + bytes - lane->tail_seen > lane->ring_bytes)
		lane->tail_seen = atomic_load_explicit(tail_of(lane->map), memory_order_acquire);
	return lane->at + bytes - lane->tail_seen <= lane->ring_bytes;
}

static bool ring_put(struct lane *lane, const struct cdr_entry *entry)
{
	static const struct cdr_entry nothing;
	uint64_t size = slot_size(entry->len), left = lane_left(lane, lane->at);
	uint64_t skip = size > left ? left : 0;

	if (!lane_has_room(lane, skip + size))
		return false;
	if (skip)
		slot_write(lane_slot(lane, lane->at), &nothing, 0);
	lane->at += skip;
	slot_write(lane_slot(lane, lane->at), entry, lane->number);
	lane->at += size;
	atomic_store_explicit(head_of(lane->map), lane->at, memory_order_release);
	return true;
}

void lane_put(struct lane *lane, struct cdr_entry *entry)
{
	struct cdr_entry *list = atomic_load_explicit(&lane->overflow, memory_order_relaxed);

	if (lane->map && !list && ring_put(lane, entry)) {
		free(entry);
		return;
	}
	entry->next = list;
	while (!atomic_compare_exchange_weak(&lane->overflow, &entry->next, entry))
		;
	atomic_fetch_add_explicit(&lane->overflowed, 1, memory_order_relaxed);
}

static struct cdr_entry **take_ring(struct lane *lane, struct cdr_entry **tail)
{
	uint64_t head = atomic_load_explicit(head_of(lane->map), memory_order_acquire);

	while (lane->taken < head) {
		struct cdr_entry *entry = slot_entry(lane_slot(lane, lane->taken));

		lane->taken += entry->kind ? slot_size(entry->len) : lane_left(lane, lane->taken);
		if (!entry->kind)
			continue;
		*tail = entry;
		tail = &entry->next;
	}
	return tail;
}

/* The list is looked at first: while there is one, the ring does not grow, and what is in the ring is older. */
struct cdr_entry *lane_take(struct lane *lane)
{
	bool overflowed = atomic_load_explicit(&lane->overflow, memory_order_acquire) != NULL;
	struct cdr_entry *first = NULL, **tail = &first, *newest, *list = NULL;

	if (lane->map)
		tail = take_ring(lane, tail);
	newest = overflowed ? atomic_exchange(&lane->overflow, NULL) : NULL;
	while (newest) {
		struct cdr_entry *next = newest->next;

		newest->next = list;
		list = newest;
		newest = next;
	}
	*tail = list;
	return first;
}

void lane_release(struct lane *lane, const struct cdr_entry *entry)
{
	_Atomic uint64_t *tail = tail_of(lane->map);
	const unsigned char *slot = (const unsigned char *)entry - SLOT_HEADER;
	uint64_t at = atomic_load_explicit(tail, memory_order_relaxed);

	if (lane_slot(lane, at) != slot) /* the rest of the ring was left out */
		at += lane_left(lane, at);
	assert(lane_slot(lane, at) == slot);
	atomic_store_explicit(tail, at + slot_size(entry->len), memory_order_release);
}

/* ---- the whole of it ------------------------------------------------------------------------- */

size_t intake_size(unsigned lanes, uint64_t ring_bytes)
{
	return INTAKE_HEADER + lanes * (INTAKE_LANE + ring_bytes);
}

void intake_format(unsigned char *bytes, unsigned lanes, uint64_t ring_bytes, const char *boot)
{
	struct intake_header header = { .version = INTAKE_VERSION,
					.lanes = lanes,
					.ring_bytes = ring_bytes };

	memcpy(header.magic, magic, sizeof(magic));
	span_copy(span_of(boot), header.boot, sizeof(header.boot));
	header.crc = crc32c(&header, offsetof(struct intake_header, crc));
	memcpy(bytes, &header, sizeof(header));
}

static int header_check(struct intake_header *out, const unsigned char *bytes, size_t len)
{
	struct intake_header header;

	if (len < INTAKE_HEADER)
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
	    crc32c(&header, offsetof(struct intake_header, crc)) != header.crc)
		return -EBADMSG;
	if (header.version != INTAKE_VERSION)
		return -EPROTONOSUPPORT;
	if (header.lanes > LANES_MAX || header.ring_bytes < SLOT_ALIGN || header.ring_bytes > len ||
	    (header.ring_bytes & (header.ring_bytes - 1)) != 0 ||
	    len < intake_size(header.lanes, header.ring_bytes))
		return -EBADMSG;
	header.boot[INTAKE_BOOT - 1] = '\0';
	*out = header;
	return 0;
}

/* Bytes that could not be read. */
static uint64_t scan_lane(unsigned char *bytes, uint64_t ring_bytes, intake_each *each, void *arg)
{
	struct lane lane = { .map = bytes, .ring_bytes = ring_bytes };
	uint64_t head = atomic_load(head_of(bytes)), at = atomic_load(tail_of(bytes));

	if (head - at > ring_bytes || head % SLOT_ALIGN || at % SLOT_ALIGN)
		return ring_bytes;
	while (at != head) {
		unsigned char *slot = lane_slot(&lane, at);
		uint64_t size = slot_check(slot, lane_left(&lane, at), head - at);

		if (!size)
			return head - at;
		if (slot_entry(slot)->kind)
			each(arg, slot_entry(slot));
		at += size;
	}
	return 0;
}

int intake_scan(unsigned char *bytes, size_t len, intake_each *each, void *arg,
		uint64_t *damaged_out)
{
	struct intake_header header;
	uint64_t damaged = 0;
	int err = header_check(&header, bytes, len);

	if (err)
		return err;
	for (unsigned i = 0; i < header.lanes; i++)
		damaged += scan_lane(bytes + intake_size(i, header.ring_bytes), header.ring_bytes,
				     each, arg);
	*damaged_out = damaged;
	return 0;
}

/* "" if the system does not say. */
static void read_boot(char boot[INTAKE_BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, boot, INTAKE_BOOT - 1) : 0;

	boot[n > 0 ? n : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* ---- what an earlier run left ------------------------------------------------------------------ */

static void take_back(void *arg, struct cdr_entry *entry)
{
	struct journal *j = arg;

	if (entry->sequence && entry->sequence < j->next_sequence)
		return; /* its segment has it */
	entry->sequence = 0;
	entry->lane = LANE_EARLIER;
	journal_append(j, entry);
}

static int map_earlier(struct journal *j, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < INTAKE_HEADER)
		return 0;
	j->earlier.len = (size_t)st.st_size;
	j->earlier.bytes = mmap(NULL, j->earlier.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (j->earlier.bytes != MAP_FAILED)
		return 0;
	j->earlier.bytes = NULL;
	return -errno;
}

static void keep_damaged(struct journal *j, uint64_t damaged)
{
	log_error("journal %s: %llu bytes of the intake are damaged: the records there are lost; "
		  "kept "
		  "as " INTAKE_DAMAGED,
		  j->folder, (unsigned long long)damaged);
	unlinkat(j->dir_fd, INTAKE_DAMAGED, 0);
	if (linkat(j->dir_fd, INTAKE_NAME, j->dir_fd, INTAKE_DAMAGED, 0))
		log_warn("journal %s: " INTAKE_DAMAGED ": %s", j->folder, strerror(errno));
}

/* One that was never begun is no intake: it has no header. */
static int read_earlier(struct journal *j)
{
	struct intake_header header;
	char boot[INTAKE_BOOT];
	uint64_t damaged = 0, taken = j->taken;
	int err = header_check(&header, j->earlier.bytes, j->earlier.len);

	if (err == -EBADMSG && get_le(j->earlier.bytes, 8) == 0)
		return 0;
	if (err == -EBADMSG) {
		keep_damaged(j, j->earlier.len);
		return 0;
	}
	if (err)
		return err;
	read_boot(boot);
	if (header.boot[0] && strcmp(header.boot, boot) != 0) {
		log_warn("journal %s: the machine went down while the switch ran; the intake says "
			 "nothing about its last moments",
			 j->folder);
		return 0;
	}
	err = intake_scan(j->earlier.bytes, j->earlier.len, take_back, j, &damaged);
	if (damaged)
		keep_damaged(j, damaged);
	if (j->taken > taken)
		log_warn("journal %s: %llu records taken from the intake of a run that ended "
			 "before they were written",
			 j->folder, (unsigned long long)(j->taken - taken));
	return err;
}

int intake_recover(struct journal *j, char *why, size_t why_size)
{
	int fd = openat(j->dir_fd, INTAKE_NAME, O_RDWR | O_CLOEXEC), err;

	if (fd < 0 && errno == ENOENT)
		return 0;
	err = fd < 0 ? -errno : map_earlier(j, fd);
	if (fd >= 0)
		close(fd);
	if (!err && j->earlier.bytes)
		err = read_earlier(j);
	if (err == -EPROTONOSUPPORT)
		fmt_print(why, why_size,
			  "%s/" INTAKE_NAME " was written by another version: start that version, "
			  "let it stop, then this one",
			  j->folder);
	else if (err)
		fmt_print(why, why_size, "cannot read %s/" INTAKE_NAME ": %s", j->folder,
			  strerror(-err));
	return err;
}

/* ---- this run's -------------------------------------------------------------------------------- */

/* All of its blocks are allocated, so a full disk cannot turn a store into SIGBUS; all of its pages are there. */
static int intake_make(struct journal *j)
{
	size_t len = intake_size(j->n_lanes, j->lane_bytes);
	char boot[INTAKE_BOOT];
	int fd, err;

	read_boot(boot);
	if (!boot[0])
		return -ENOSYS;
	fd = openat(j->dir_fd, INTAKE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	err = -posix_fallocate(fd, 0, (off_t)len);
	if (!err) {
		j->intake.bytes =
			mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		if (j->intake.bytes == MAP_FAILED)
			err = -errno;
	}
	close(fd);
	if (err) {
		j->intake.bytes = NULL;
		unlinkat(j->dir_fd, INTAKE_NAME, 0);
		return err;
	}
	j->intake.len = len;
	intake_format(j->intake.bytes, j->n_lanes, j->lane_bytes, boot);
	return 0;
}

void intake_begin(struct journal *j)
{
	int err;

	if (j->earlier.bytes)
		munmap(j->earlier.bytes, j->earlier.len);
	j->earlier.bytes = NULL;
	unlinkat(j->dir_fd, INTAKE_NAME, 0);
	if (!j->lane_bytes)
		return;
	err = intake_make(j);
	if (err) {
		log_warn("journal %s: no intake of %zu bytes (%s): a crash of this process would "
			 "lose "
			 "the records of the last moments; make room and start again",
			 j->folder, intake_size(j->n_lanes, j->lane_bytes), strerror(-err));
		return;
	}
	for (unsigned i = 0; i < j->n_lanes; i++)
		lane_attach(&j->lanes[i], i, j->intake.bytes, j->lane_bytes);
}

void intake_end(struct journal *j, bool keep)
{
	if (!j->intake.bytes)
		return;
	if (keep && msync(j->intake.bytes, j->intake.len, MS_SYNC) == 0) {
		intake_format(j->intake.bytes, j->n_lanes, j->lane_bytes, "");
		msync(j->intake.bytes, INTAKE_HEADER, MS_SYNC);
	}
	if (!keep)
		unlinkat(j->dir_fd, INTAKE_NAME, 0);
	munmap(j->intake.bytes, j->intake.len);
	j->intake.bytes = NULL;
}
