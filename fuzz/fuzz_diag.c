/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine of verdicts over packets made up: the first byte chooses the link type; then, again and again, two bytes of
 * length, one of time passed, and a packet. */
#include "diag/diag.h"

#include <stdlib.h>

static const int link_types[] = { 1, 101, 113, 0 };

static void feed(struct capture *c, const uint8_t *data, size_t size)
{
	uint64_t frame = 0, utc_us = 1700000000 * SEC;

	for (size_t at = 0; at + 3 <= size;) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];

		utc_us += (uint64_t)data[at + 2] * data[at + 2] * 1000;
		at += 3;
		len = len < size - at ? len : size - at;
		capture_packet(c, ++frame, utc_us, (struct span){ (const char *)data + at, len },
			       (uint32_t)len);
		at += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture_report report = { .packets = 0 };
	struct capture_sink sink;
	struct buf out = BUF_INIT(16 << 20);
	struct capture *c;
	struct diag *diag;

	if (!size || diag_new(&diag))
		return 0;
	sink = diag_sink(diag);
	c = capture_new(link_types[data[0] % ARRAY_SIZE(link_types)], &sink, &report);
	if (c)
		feed(c, data + 1, size - 1);
	capture_free(&c);
	diag_finish(diag, &report);
	diag_write_json(diag, "x", &out);
	buf_reset(&out);
	diag_write_text(diag, "en", true, &out);
	buf_free(&out);
	diag_free(&diag);
	return 0;
}
