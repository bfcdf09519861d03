/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Segments of the journal as bytes and as files (the format stands in cdr_int.h). */
#include "cdr/cdr_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char magic[8] = { 'C', 'W', 'J', 'O', 'U', 'R', 'N', 'L' };

size_t frame_read(struct frame *out, const unsigned char *bytes, size_t len)
{
	size_t data_len;

	if (len < FRAME_HEADER)
		return 0;
	data_len = (size_t)get_le(bytes + 4, 4);
	if (data_len > FRAME_MAX - FRAME_HEADER || data_len > len - FRAME_HEADER)
		return 0;
	if (crc32c(bytes + 4, FRAME_HEADER - 4 + data_len) != get_le(bytes, 4))
		return 0;
	if (bytes[24] < CDR_ANSWER || bytes[24] > CDR_ALIVE)
		return 0;
	*out = (struct frame){
		.kind = (enum cdr_kind)bytes[24],
		.sequence = get_le(bytes + 8, 8),
		.time_us = get_le(bytes + 16, 8),
		.data = bytes + FRAME_HEADER,
		.len = (uint32_t)data_len,
		.size = FRAME_HEADER + data_len,
	};
	return out->size;
}

void frame_write(unsigned char *to, const struct cdr_entry *entry, uint64_t time_us)
{
	put_le(to + 4, entry->len, 4);
	put_le(to + 8, entry->sequence, 8);
	put_le(to + 16, time_us, 8);
	put_le(to + 24, entry->kind, 8);
	memcpy(to + FRAME_HEADER, entry->data, entry->len);
	put_le(to, crc32c(to + 4, FRAME_HEADER - 4 + entry->len), 4);
}

int segment_header_read(struct segment_header *out, const unsigned char *bytes, size_t len)
{
	if (len < SEGMENT_HEADER || memcmp(bytes, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (crc32c(bytes, SEGMENT_HEADER - 4) != get_le(bytes + SEGMENT_HEADER - 4, 4))
		return -EBADMSG;
	*out = (struct segment_header){
		.version = (uint32_t)get_le(bytes + 8, 4),
		.number = (uint32_t)get_le(bytes + 12, 4),
		.first_sequence = get_le(bytes + 16, 8),
	};
	return out->version == SEGMENT_VERSION ? 0 : -EPROTONOSUPPORT;
}

void segment_header_write(unsigned char *to, uint32_t number, uint64_t first_sequence)
{
	memset(to, 0, SEGMENT_HEADER);
	memcpy(to, magic, sizeof(magic));
	put_le(to + 8, SEGMENT_VERSION, 4);
	put_le(to + 12, number, 4);
	put_le(to + 16, first_sequence, 8);
	put_le(to + SEGMENT_HEADER - 4, crc32c(to, SEGMENT_HEADER - 4), 4);
}

size_t segment_scan(const unsigned char *bytes, size_t len, segment_each *each, void *arg)
{
	struct segment_header header;
	struct frame frame;
	size_t at = SEGMENT_HEADER;

	if (segment_header_read(&header, bytes, len) != 0)
		return 0;
	for (; frame_read(&frame, bytes + at, len - at) > 0; at += frame.size) {
		frame.offset = at;
		if (each)
			each(arg, &frame);
	}
	return at;
}

struct scan_public {
	void (*each)(void *arg, enum cdr_kind kind, uint64_t sequence, const unsigned char *data,
		     size_t data_len);
	void *arg;
};

static void scan_frame(void *arg, const struct frame *frame)
{
	struct scan_public *scan = arg;

	if (scan->each)
		scan->each(scan->arg, frame->kind, frame->sequence, frame->data, frame->len);
}

size_t journal_scan(const unsigned char *bytes, size_t len,
		    void (*each)(void *arg, enum cdr_kind kind, uint64_t sequence,
				 const unsigned char *data, size_t data_len),
		    void *arg)
{
	struct scan_public scan = { each, arg };

	return segment_scan(bytes, len, scan_frame, &scan);
}

const char *segment_name(uint32_t number, char *dst, size_t size)
{
	snprintf(dst, size, "journal-%08u.cwj", number);
	return dst;
}

/* "journal-NNNNNNNN.cwj" (more digits after 99999999); 0 when it is something else. */
static uint32_t segment_number(const char *name)
{
	struct span s = span_of(name);
	uint32_t number;

	if (s.len < 20 || !span_starts(s, SPAN("journal-")) ||
	    !span_eq(span_skip(s, s.len - 4), SPAN(".cwj")))
		return 0;
	if (span_to_u32(span_head(span_skip(s, 8), s.len - 12), &number) != 0)
		return 0;
	return number;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int segment_list(int dir_fd, uint32_t **numbers_out, unsigned *count_out)
{
	uint32_t *numbers = NULL, *more, number;
	unsigned count = 0, room = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *item;

	if (!dir)
		return -errno;
	while ((item = readdir(dir))) {
		number = segment_number(item->d_name);
		if (!number)
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			more = realloc(numbers, room * sizeof(*numbers));
			if (!more) {
				closedir(dir);
				free(numbers);
				return -ENOMEM;
			}
			numbers = more;
		}
		numbers[count++] = number;
	}
	closedir(dir);
	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	*numbers_out = numbers;
	*count_out = count;
	return 0;
}

static int read_all(int fd, unsigned char *bytes, size_t len, size_t *len_out)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, bytes + got, len - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*len_out = got;
	return 0;
}

int segment_load(int dir_fd, uint32_t number, unsigned char **bytes_out, size_t *len_out)
{
	char name[32];
	int fd = openat(dir_fd, segment_name(number, name, sizeof(name)), O_RDONLY | O_CLOEXEC),
	    err;
	unsigned char *bytes;
	struct stat st;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	bytes = err ? NULL : malloc((size_t)st.st_size + 1);
	if (!err && !bytes)
		err = -ENOMEM;
	if (!err)
		err = read_all(fd, bytes, (size_t)st.st_size, len_out);
	close(fd);
	if (err) {
		free(bytes);
		return err;
	}
	*bytes_out = bytes;
	return 0;
}
