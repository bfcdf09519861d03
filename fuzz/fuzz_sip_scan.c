/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What trace finds in bytes of any kind: a Call-ID lies within them, whole and on one line; asked twice it says the same;
 * and what the stack's own parser takes has the Call-ID that it read. */
#include "sip/sip.h"
#include "trace/trace_int.h"

#include <stdlib.h>

static void must(bool yes)
{
	if (!yes)
		abort();
}

static void check_parsed(struct span message, const struct sip_scan *scan)
{
	struct net_buf *buf = net_buf_copy(message.p, message.len);
	struct sip_msg msg;
	const char *why;

	must(buf != NULL);
	if (sip_msg_parse(&msg, buf, false, &why) == 0 && scan->call_id.len)
		must(span_eq(scan->call_id, msg.call_id));
	net_buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size };
	struct sip_scan scan, again;

	if (size > NET_MSG_MAX)
		return 0;
	sip_scan(message, &scan);
	sip_scan(message, &again);
	must(span_eq(scan.call_id, again.call_id) && scan.registration == again.registration);
	if (scan.call_id.len)
		must(scan.call_id.p >= message.p &&
		     scan.call_id.p + scan.call_id.len < message.p + message.len);
	if (size)
		check_parsed(message, &scan);
	return 0;
}
