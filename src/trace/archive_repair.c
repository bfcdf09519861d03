/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment without a good index: the last one of a run that was killed, or one that something has damaged. Every block is
 * looked at. What is no block ends the segment, if nothing behind it looks like one: that is a torn write, or, when there is more
 * of it than one block, damage that is kept under another name. If blocks follow, what lies before them is made a block that
 * readers of pcapng skip. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPE_SHB 0x0A0D0D0Au
#define TYPE_DAMAGED 0x80000D0Eu /* types from 2^31 are for local use */
#define COPY_PIECE 65536

struct repair {
	int dir_fd, fd;
	enum trace_series series;
	uint64_t name;
	char file[SEGMENT_NAME];
	struct walk walk;
	struct index index;
};

static int add_step(struct repair *r, const struct walk_step *step)
{
	struct archive_block block = { .bytes = step->bytes,
				       .len = step->len,
				       .kind = (uint8_t)step->entry.kind,
				       .utc_us = step->entry.utc_us };
	int err = index_reserve(&r->index, &block, 1);

	if (err)
		return err;
	entry_keys(&step->entry, &block);
	index_add(&r->index, (uint32_t)step->offset, &block, &step->entry);
	return 0;
}

/* Bytes that no reader could pass become a block that all of them skip; fewer than a block needs stay. */
static int cover_gap(struct repair *r, uint64_t from, uint64_t to)
{
	uint32_t head[2] = { TYPE_DAMAGED, (uint32_t)(to - from) };

	log_error("trace: %s is damaged at byte %llu; %llu bytes are skipped", r->file,
		  (unsigned long long)from, (unsigned long long)(to - from));
	if (to - from < 12)
		return 0;
	if (pwrite(r->fd, head, sizeof(head), (off_t)from) != (ssize_t)sizeof(head) ||
	    pwrite(r->fd, &head[1], 4, (off_t)to - 4) != 4)
		return -EIO;
	return 0;
}

static bool all_zero(const char *bytes, size_t len)
{
	return !len || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Is there anything but zeros from there on? A machine that lost its power leaves them. */
static bool has_bytes(const struct repair *r, uint64_t from, uint64_t end)
{
	char piece[COPY_PIECE];
	ssize_t n = 0;

	while (from < end && (n = pread(r->fd, piece, sizeof(piece), (off_t)from)) > 0) {
		if (!all_zero(piece, (size_t)n))
			return true;
		from += (uint64_t)n;
	}
	return n < 0;
}

/* Copies [from, end) beside, behind what may be there of an earlier time. */
static int copy_aside(const struct repair *r, uint64_t from, uint64_t end)
{
	char aside[SEGMENT_NAME], piece[COPY_PIECE];
	int to = openat(r->dir_fd, segment_file_name(aside, r->series, r->name, FILE_ASIDE),
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	ssize_t n = 0;

	if (to < 0)
		return -errno;
	while (from < end && (n = pread(r->fd, piece, sizeof(piece), (off_t)from)) > 0) {
		if (write(to, piece, (size_t)n) != n) {
			n = -1;
			break;
		}
		from += (uint64_t)n;
	}
	return close(to) || n < 0 ? -EIO : 0;
}

/* More than one block can be is no torn write. */
static int cut_tail(struct repair *r, uint64_t from)
{
	uint64_t end = r->walk.end;
	bool damage = end - from > BLOCK_MAX && has_bytes(r, from, end);
	int err = damage ? copy_aside(r, from, end) : 0;

	r->walk.end = from;
	if (err) {
		log_error("trace: %s is damaged at byte %llu and cannot be mended: %s", r->file,
			  (unsigned long long)from, strerror(-err));
		return 0;
	}
	if (damage)
		log_error("trace: %s is damaged at byte %llu; what follows is kept as %s.damaged",
			  r->file, (unsigned long long)from, r->file);
	else
		log_warn("trace: %s ends in %llu bytes of an unfinished write; cut", r->file,
			 (unsigned long long)(end - from));
	return ftruncate(r->fd, (off_t)from) ? -errno : 0;
}

/* Not one of ours from its first byte. */
static int set_aside(struct repair *r)
{
	char aside[SEGMENT_NAME];

	segment_file_name(aside, r->series, r->name, FILE_ASIDE);
	if (renameat2(r->dir_fd, r->file, r->dir_fd, aside, RENAME_NOREPLACE))
		return -errno;
	log_error("trace: %s is no segment; set aside as %s.damaged", r->file, r->file);
	return 0;
}

static int pass_damage(struct repair *r)
{
	uint64_t from = r->walk.at;

	if (walk_resume(&r->walk))
		return cover_gap(r, from, r->walk.at);
	r->walk.at = from;
	return cut_tail(r, from);
}

static int go_through(struct repair *r)
{
	struct walk_step step;
	int rc;

	while ((rc = walk_next(&r->walk, &step)) != 0) {
		if (rc == 1)
			rc = step.known ? add_step(r, &step) : 0;
		else if (rc == -EBADMSG)
			rc = pass_damage(r);
		if (rc)
			return rc;
	}
	r->index.head.covered = r->walk.end;
	return 0;
}

static int repair_opened(struct repair *r, uint64_t len)
{
	uint32_t type = 0;
	int err;

	/* Less than a head: it was being made. */
	if (len < 12)
		return 0;
	if (pread(r->fd, &type, sizeof(type), 0) != (ssize_t)sizeof(type))
		return -EIO;
	if (len > UINT32_MAX || (type && type != TYPE_SHB))
		return set_aside(r);
	err = walk_begin(&r->walk, r->fd, len);
	if (!err)
		err = go_through(r);
	walk_end(&r->walk);
	return err;
}

int segment_repair(int dir_fd, enum trace_series series, uint64_t name, struct index *index_out)
{
	struct repair r = { .dir_fd = dir_fd, .series = series, .name = name };
	struct stat st;
	int err;

	segment_file_name(r.file, series, name, FILE_DATA);
	r.fd = openat(dir_fd, r.file, O_RDWR | O_CLOEXEC);
	if (r.fd < 0)
		return -errno;
	err = fstat(r.fd, &st) ? -errno : repair_opened(&r, (uint64_t)st.st_size);
	close(r.fd);
	if (!err)
		err = index_sort(&r.index);
	if (err) {
		index_free(&r.index);
		return err;
	}
	*index_out = r.index;
	return 0;
}
