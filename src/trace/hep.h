/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hep: copies of what trace sees, as HEP3 messages to collectors such as Homer. Both legs of a call carry our call id as
 * correlation id.
 *
 * Each collector has a thread and a queue of its own. One that is away, slow or unreachable loses what its queue does not
 * hold, counted, and nothing waits for it. By TCP only whole messages are sent: one that a broken connection cut in two goes
 * again, whole, over the next. */
#ifndef CAUSEWAY_HEP_H
#define CAUSEWAY_HEP_H

#include "base/base.h"

#define HEP_COLLECTORS_MAX 8
#define HEP_HOST_MAX 253
#define HEP_KEY_MAX 128
#define HEP_QUEUE_BYTES (16u << 20)	/* of each collector */

struct hep_collector {
	bool tcp;
	uint16_t port;
	char host[HEP_HOST_MAX + 1];	/* address or name; looked up on the collector's thread */
};

#define HEP_NAME_MAX (HEP_HOST_MAX + 16)
/* "udp:192.0.2.9:9060"; dst holds HEP_NAME_MAX. */
const char *hep_collector_name(const struct hep_collector *collector, char *dst);

struct hep_settings {
	struct hep_collector collectors[HEP_COLLECTORS_MAX];
	unsigned n_collectors;
	uint32_t id;			/* capture agent */
	char key[HEP_KEY_MAX + 1];	/* "" = none */
	bool notes;			/* as type 100 with JSON */
};

struct hep;
struct trace_tap;

/* Without collectors. 0 or -ENOMEM. */
int hep_new(struct hep **out);
/* Sends what waits, for a second at most. Before, its tap is untapped or the trace closed. Harmless for NULL. */
void hep_free(struct hep **hep);
/* For trace_tap: takes each entry. */
struct trace_tap *hep_tap(struct hep *hep);
/* Any thread but the tap's. Collectors that stay keep their connection; what waits for one that goes is dropped. May take up
 * to two seconds. -ENOMEM and the like: some collectors are missing. */
int hep_set(struct hep *hep, const struct hep_settings *settings);

struct hep_status {
	unsigned n;
	struct hep_collector_status {
		struct hep_collector collector;
		uint64_t sent;		/* messages handed to the network */
		uint64_t dropped;	/* found no room, or were refused */
		uint64_t waiting_bytes;
		uint64_t connected_us;	/* UTC since when; 0 = not now. By UDP: nothing has been refused since */
		uint64_t error_us;	/* UTC; 0 = never */
		char error[128];	/* the last one, in words */
	} collectors[HEP_COLLECTORS_MAX];
	uint64_t cut;			/* messages too long for a datagram, shortened */
};
void hep_status(struct hep *hep, struct hep_status *out);	/* any thread */

#endif
