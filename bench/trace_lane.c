/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker pays for trace: nanoseconds for each message that it puts into its lane. */
#include "trace/trace_write.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define MESSAGES 2000000u

static const char *const messages[] = {
	"INVITE sip:94012345678@127.0.0.1:5060 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKq000000010001a1b2c3d4\r\n"
	"From: \"44123456789\" <sip:44123456789@127.0.0.1:5070>;tag=w000000010001a1b2c3d4\r\n"
	"To: <sip:94012345678@127.0.0.1:5060>\r\n"
	"Call-ID: 000000010001a1b2c3d4e5f60718\r\n"
	"CSeq: 1 INVITE\r\n"
	"Contact: <sip:w000000010001@127.0.0.1:5060>\r\n"
	"Max-Forwards: 69\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n"
	"Supported: timer, 100rel\r\n"
	"Session-Expires: 600\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: 190\r\n\r\n"
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 "
	"RTP/AVP 0 8 101\r\n"
	"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 "
	"telephone-event/8000\r\na=sendrecv\r\n",
	"SIP/2.0 200 OK\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKq000000010001a1b2c3d4\r\n"
	"From: \"44123456789\" <sip:44123456789@127.0.0.1:5070>;tag=w000000010001a1b2c3d4\r\n"
	"To: <sip:94012345678@127.0.0.1:5060>;tag=77\r\n"
	"Call-ID: 000000010001a1b2c3d4e5f60718\r\n"
	"CSeq: 2 BYE\r\n"
	"Content-Length: 0\r\n\r\n",
};

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(5060) };
	struct trace_wire wire = { .utc_us = clock_utc_us(), .from = (void *)&a, .to = (void *)&a };
	struct trace_lane *lane = aligned_alloc(64, sizeof(*lane));
	atomic_uint mode = TRACE_ON;
	int wake_fd = eventfd(0, EFD_NONBLOCK);
	struct span spans[ARRAY_SIZE(messages)];
	uint64_t began;

	if (!lane || trace_lane_open(lane, LANE_BYTES, wake_fd, &mode))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		spans[i] = span_of(messages[i]);
	began = clock_mono_us();
	for (unsigned i = 0; i < MESSAGES; i++) {
		trace_message(lane, &wire, spans[i % ARRAY_SIZE(messages)]);
		if (i % 64)
			continue;
		lane->next = lane->entry; /* all of it is taken at once */
		lane->next_at = lane->at;
		trace_lane_release(lane);
	}
	printf("%.0f ns a message\n", (double)(clock_mono_us() - began) * 1000 / MESSAGES);
	trace_lane_close(lane);
	free(lane);
	return 0;
}
