/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of Microsoft Network Monitor, versions 1 and 2, which libpcap does not read: a head, frames anywhere, and a table of
 * where each begins. */
#include "capture/capture_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEAD 32
#define FILE_MAX (2ull << 30)
#define ETHERNET 1

static uint32_t le16(struct span s, size_t at)
{
	return (uint32_t)(unsigned char)s.p[at] | (uint32_t)(unsigned char)s.p[at + 1] << 8;
}

static uint32_t le32(struct span s, size_t at)
{
	return le16(s, at) | le16(s, at + 2) << 16;
}

static uint64_t le64(struct span s, size_t at)
{
	return le32(s, at) | (uint64_t)le32(s, at + 4) << 32;
}

bool netmon_is(struct span bytes)
{
	return bytes.len >= HEAD &&
	       (span_starts(bytes, SPAN("RTSS")) || span_starts(bytes, SPAN("GMBU")));
}

/* The head's SYSTEMTIME: year, month, weekday, day, hour, minute, second, millisecond. */
static uint64_t began(struct span bytes)
{
	struct tm tm = { .tm_year = (int)le16(bytes, 8) - 1900,
			 .tm_mon = (int)le16(bytes, 10) - 1,
			 .tm_mday = (int)le16(bytes, 14),
			 .tm_hour = (int)le16(bytes, 16),
			 .tm_min = (int)le16(bytes, 18),
			 .tm_sec = (int)le16(bytes, 20) };
	time_t seconds = timegm(&tm);

	return (seconds > 0 ? (uint64_t)seconds * SEC : 0) + le16(bytes, 22) * MSEC;
}

/* False: it lies outside of the file. */
static bool frame(struct capture *c, struct span bytes, size_t at, bool first_version,
		  uint64_t began_us, uint64_t number)
{
	size_t head = first_version ? 8 : 16;
	uint64_t after_us;
	uint32_t length, captured;

	if (at > bytes.len || bytes.len - at < head)
		return false;
	after_us = first_version ? le32(bytes, at) * MSEC : le64(bytes, at);
	length = first_version ? le16(bytes, at + 4) : le32(bytes, at + 8);
	captured = first_version ? le16(bytes, at + 6) : le32(bytes, at + 12);
	if (captured > bytes.len - at - head || captured > length)
		return false;
	capture_packet(c, number, began_us + after_us,
		       (struct span){ bytes.p + at + head, captured }, length);
	return true;
}

void netmon_read(struct capture *c, struct span bytes)
{
	bool first_version = span_starts(bytes, SPAN("RTSS"));
	size_t table = le32(bytes, 24), size = le32(bytes, 28);
	uint64_t began_us = began(bytes), number = 0;

	if (le16(bytes, 6) != ETHERNET || table > bytes.len || size > bytes.len - table) {
		c->report->truncated = true;
		fmt_print(c->report->trouble, sizeof(c->report->trouble),
			  "at its head: no table of frames, or no Ethernet");
		return;
	}
	for (size_t at = 0; at + 4 <= size; at += 4)
		if (!frame(c, bytes, le32(bytes, table + at), first_version, began_us, ++number)) {
			c->report->truncated = true;
			fmt_print(c->report->trouble, sizeof(c->report->trouble),
				  "after frame %llu: it ends too early",
				  (unsigned long long)number - 1);
			return;
		}
}

int netmon_load(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "re");
	char piece[65536];
	size_t n = file ? fread(piece, 1, HEAD, file) : 0;

	*out = BUF_INIT(FILE_MAX);
	if (!netmon_is((struct span){ piece, n })) {
		if (file)
			fclose(file);
		return -EINVAL;
	}
	do {
		buf_add(out, piece, n);
		n = fread(piece, 1, sizeof(piece), file);
	} while (n && !out->failed);
	fclose(file);
	return out->failed ? -EFBIG : 0;
}
