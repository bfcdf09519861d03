/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment of any bytes: scanned, its entries decoded, what decodes encoded and decoded again. The first byte chooses:
 * even = the rest as it is; odd = framed as an entry first, because no fuzzer guesses checksums. */
#include "cdr/cdr_int.h"

#include <stdlib.h>

static void check_again(enum cdr_kind kind, const struct cdr *cdr)
{
	struct arena *arena = arena_new(4096);
	struct cdr_entry *entry = cdr_encode(kind, cdr);
	struct buf first = BUF_INIT(16u << 20), second = BUF_INIT(16u << 20);
	struct cdr back;

	if (cdr_decode(&back, arena, entry->data, entry->len) != 0)
		abort();
	cdr_write_json(&second, kind, &back);
	free(entry);
	entry = cdr_encode(kind, &back);
	if (cdr_decode(&back, arena, entry->data, entry->len) != 0)
		abort();
	cdr_write_json(&first, kind, &back);
	if (!span_eq(buf_span(&first), buf_span(&second)))
		abort();
	free(entry);
	buf_free(&first);
	buf_free(&second);
	arena_free(&arena);
}

static void each(void *arg, enum cdr_kind kind, uint64_t sequence, const unsigned char *data,
		 size_t len)
{
	struct arena *arena = arena_new(4096);
	struct cdr cdr;

	(void)cdr_data_call_id(data, len);
	if (cdr_decode(&cdr, arena, data, len) == 0)
		check_again(kind, &cdr);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *segment;
	struct cdr_entry *entry;
	size_t end;

	if (size < 1 || size > 65536)
		return 0;
	if (data[0] % 2 == 0) {
		end = journal_scan(data + 1, size - 1, each, NULL);
		if (end > size - 1)
			abort();
		return 0;
	}
	entry = cdr_entry_copy((enum cdr_kind)(1 + data[0] / 2 % 4), data + 1, size - 1);
	segment = malloc(SEGMENT_HEADER + FRAME_HEADER + size - 1);
	segment_header_write(segment, 1, 1);
	frame_write(segment + SEGMENT_HEADER, entry, 1);
	end = journal_scan(segment, SEGMENT_HEADER + FRAME_HEADER + size - 1, each, NULL);
	if (end != SEGMENT_HEADER + FRAME_HEADER + size - 1)
		abort();
	free(entry);
	free(segment);
	return 0;
}
