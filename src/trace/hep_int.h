/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of hep. */
#ifndef CAUSEWAY_HEP_INT_H
#define CAUSEWAY_HEP_INT_H

#include "trace/trace.h"

#define HEP_MESSAGE_MAX 65507	/* what a UDP datagram over IPv4 holds */

struct hep_stamp {
	uint32_t id;
	const char *key;		/* "" = none */
};
/* Append the entry as one HEP3 message. False, and nothing is appended: no memory. *cut_out: its payload was shortened to fit
 * into HEP_MESSAGE_MAX. */
bool hep_write(struct buf *out, const struct trace_entry *entry, const struct hep_stamp *stamp, bool *cut_out);
/* The length of the message at p, which hep_write wrote. */
size_t hep_length(const char *p);

/* hep_send.c */
struct hep_sender;
int hep_sender_start(struct hep_sender **out, const struct hep_collector *to);
/* Stops it; what waits is sent for `patience_us` at most. */
void hep_sender_stop(struct hep_sender **sender, uint64_t patience_us);
/* A whole message; never waits. */
void hep_sender_put(struct hep_sender *sender, struct span message);
bool hep_sender_is(const struct hep_sender *sender, const struct hep_collector *to);
void hep_sender_status(struct hep_sender *sender, struct hep_collector_status *out);

#endif
