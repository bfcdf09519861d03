/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What parsing costs: an INVITE of some 900 bytes, its 200 and a BYE, and writing the
 * head of a 200. Prints nanoseconds for each; under callgrind (valgrind --tool=callgrind
 * --toggle-collect=sip_msg_parse bench_sipmsg 100 INVITE) it gives exact instructions:
 *
 *   bench_sipmsg [TIMES] [INVITE|200|BYE|WRITE] */
#include "base/base.h"
#include "sip/sip_msg.h"
#include "sip/sip_write.h"

#include <stdio.h>

static const char invite[] =
	"INVITE sip:442079460123@127.0.0.1:5060 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.2:5062;rport;branch=z9hG4bK-524287-1---cd7ae0f3b1f5a0a4\r\n"
	"Max-Forwards: 70\r\n"
	"Contact: <sip:31201234567@127.0.0.2:5062;transport=UDP>\r\n"
	"To: \"442079460123\" <sip:442079460123@127.0.0.1:5060>\r\n"
	"From: \"Example Telecom\" <sip:31201234567@127.0.0.2:5062>;tag=9d1ae04f\r\n"
	"Call-ID: 94457ZDhkMjQwYzQ3Yjg1YmI5NGNlYjE4ZjAxYzdiMmU\r\n"
	"CSeq: 1 INVITE\r\n"
	"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, UPDATE, PRACK\r\n"
	"Content-Type: application/sdp\r\n"
	"Supported: replaces, norefersub, 100rel, timer\r\n"
	"Session-Expires: 1800;refresher=uac\r\n"
	"User-Agent: Example Gateway 1.0\r\n"
	"P-Asserted-Identity: <sip:31201234567@127.0.0.2>\r\n"
	"Content-Length: 174\r\n"
	"\r\n"
	"v=0\r\no=- 3902918 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
	"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:101 telephone-event\r\n";

static const char ok[] =
	"SIP/2.0 200 OK\r\n"
	"Via: SIP/2.0/UDP "
	"127.0.0.1:5060;rport=5060;branch=z9hG4bKq010000210003a1b2c3d4;received=127.0.0.1\r\n"
	"Contact: <sip:442079460123@127.0.0.3:5060>\r\n"
	"To: <sip:442079460123@127.0.0.3:5060>;tag=f3a09c11\r\n"
	"From: <sip:31201234567@127.0.0.1:5060>;tag=w0100002100035566aabb\r\n"
	"Call-ID: 01000021000311223344556677aa\r\n"
	"CSeq: 1 INVITE\r\n"
	"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, PRACK\r\n"
	"Content-Length: 0\r\n\r\n";

static const char bye[] =
	"BYE sip:w010000210003@127.0.0.1:5060 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.2:5062;rport;branch=z9hG4bK-524287-1---0a7ae0f3b1f5a0a4\r\n"
	"Max-Forwards: 70\r\n"
	"To: <sip:442079460123@127.0.0.1:5060>;tag=w0100002100035566aabb\r\n"
	"From: \"Example Telecom\" <sip:31201234567@127.0.0.2:5062>;tag=9d1ae04f\r\n"
	"Call-ID: 94457ZDhkMjQwYzQ3Yjg1YmI5NGNlYjE4ZjAxYzdiMmU\r\n"
	"CSeq: 2 BYE\r\n"
	"Content-Length: 0\r\n\r\n";

static struct sip_msg msg;

static bool parse(const char *what, struct span text, unsigned times)
{
	struct net_buf *buf = net_buf_copy(text.p, text.len);
	const char *why = "";
	uint64_t from = clock_mono_us();

	for (unsigned i = 0; buf && i < times; i++)
		if (sip_msg_parse(&msg, buf, false, &why)) {
			fprintf(stderr, "%s: %s\n", what, why);
			return false;
		}
	printf("parse %-6s %4zu bytes  %6.0f ns\n", what, text.len,
	       (double)(clock_mono_us() - from) * 1000 / times);
	net_buf_unref(&buf);
	return true;
}

static bool write_200(unsigned times)
{
	struct net_buf *request = net_buf_copy(invite, sizeof(invite) - 1), *buf = NULL;
	struct net_flow flow = { .proto = NET_UDP };
	struct sip_writer w;
	const char *why = "";
	uint64_t from;

	if (!request || sip_msg_parse(&msg, request, false, &why) ||
	    net_addr_parse(&flow.peer, SPAN("127.0.0.2:5062"), 0))
		return false;
	from = clock_mono_us();
	for (unsigned i = 0; i < times; i++) {
		sip_write_begin(&w, 2048);
		sip_write_response_head(&w, &msg, &flow, 200, NULL, SPAN("w0100002100035566aabb"));
		sip_write_header(&w, SIP_H_CONTACT, SPAN("<sip:w010000210003@127.0.0.1:5060>"));
		buf = sip_finish(&w, NULL, SPAN_NONE);
		if (!buf)
			return false;
		net_buf_unref(&buf);
	}
	printf("write 200                 %6.0f ns\n",
	       (double)(clock_mono_us() - from) * 1000 / times);
	net_buf_unref(&request);
	return true;
}

int main(int argc, char **argv)
{
	const char *only = argc > 2 ? argv[2] : "";
	uint64_t times = 100000;
	bool good = true;

	if (argc > 1 && (span_to_u64(span_of(argv[1]), &times) || !times || times > 100000000)) {
		fprintf(stderr, "usage: bench_sipmsg [TIMES] [INVITE|200|BYE|WRITE]\n");
		return 2;
	}
	if (!*only || !strcmp(only, "INVITE"))
		good &= parse("INVITE", (struct span){ invite, sizeof(invite) - 1 },
			      (unsigned)times);
	if (!*only || !strcmp(only, "200"))
		good &= parse("200", (struct span){ ok, sizeof(ok) - 1 }, (unsigned)times);
	if (!*only || !strcmp(only, "BYE"))
		good &= parse("BYE", (struct span){ bye, sizeof(bye) - 1 }, (unsigned)times);
	if (!*only || !strcmp(only, "WRITE"))
		good &= write_200((unsigned)times);
	return good ? 0 : 1;
}
