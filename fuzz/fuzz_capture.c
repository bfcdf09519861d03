/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets of a capture: the first byte chooses the link type; then, again and again, two bytes of length and a packet. */
#include "capture/capture.h"

#include <stdlib.h>

static const int link_types[] = { 1, 101, 113, 276, 0, 108, 9, 228 };
static volatile size_t sum;

static void touch(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		sum += (unsigned char)bytes.p[i];
}

static void on_sip(void *arg, const struct capture_where *where, enum capture_transport transport,
		   struct span message)
{
	touch(message);
}

static void on_datagram(void *arg, const struct capture_where *where, struct span payload,
			uint32_t length)
{
	touch(payload);
}

static void on_tpkt(void *arg, const struct capture_where *where, struct span payload)
{
	touch(payload);
}

static void on_icmp(void *arg, const struct capture_where *where, const struct capture_icmp *icmp)
{
	touch(icmp->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct capture_sink sink = {
		.sip = on_sip, .datagram = on_datagram, .tpkt = on_tpkt, .icmp = on_icmp
	};
	struct capture_report report = { .packets = 0 };
	struct capture *c;
	uint64_t frame = 0;

	if (!size)
		return 0;
	c = capture_new(link_types[data[0] % ARRAY_SIZE(link_types)], &sink, &report);
	for (size_t at = 1; c && at + 2 <= size;) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];
		char *copy;

		at += 2;
		len = len < size - at ? len : size - at;
		copy = malloc(len ? len : 1); /* so that a byte too many is found */
		if (!copy)
			abort();
		memcpy(copy, data + at, len);
		frame++;
		capture_packet(c, frame, frame * 100000, (struct span){ copy, len }, (uint32_t)len);
		free(copy);
		at += len;
	}
	capture_free(&c);
	return 0;
}
