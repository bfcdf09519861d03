/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A trace with something in it, for tests: a call that failed over, with a repeat; one that was refused; a registration with a wrong
 * password. The calls are those of fake_switch.h. */
#ifndef CAUSEWAY_FAKE_TRACE_H
#define CAUSEWAY_FAKE_TRACE_H

#include "trace/trace.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct fake_sip {
	uint64_t after_us;
	bool sent;
	enum trace_proto proto;
	const char *peer, *start, *call_id, *cseq, *more;	/* `more`: further lines, and a body */
};

/* "one" of a call is its own. */
static const char *fake_call_id(uint64_t call, const char *name, char dst[80])
{
	snprintf(dst, 80, "%s-%016llx@127.0.0.2", name, (unsigned long long)call);
	return dst;
}

#define FAKE_SDP "Content-Type: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret-key\r\n"

static void fake_message(struct trace_lane *lane, uint64_t call, uint64_t began_us, const struct fake_sip *sip)
{
	char call_id[80];
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(5060) }, peer = own;
	struct trace_wire wire = { began_us + sip->after_us, sip->sent, sip->proto, NULL, NULL };
	struct buf text = BUF_INIT(65536);

	inet_pton(AF_INET, "127.0.0.1", &own.sin_addr);
	inet_pton(AF_INET, sip->peer, &peer.sin_addr);
	wire.from = (const struct sockaddr *)(sip->sent ? &own : &peer);
	wire.to = (const struct sockaddr *)(sip->sent ? &peer : &own);
	buf_addf(&text, "%s\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s\r\nFrom: <sip:3161@acme.example>;tag=1\r\n"
		 "To: <sip:%s@127.0.0.1>\r\nCall-ID: %s\r\nCSeq: %s\r\n%s", sip->start, sip->peer, sip->cseq,
		 strcmp(sip->call_id, "two") == 0 ? "999" : "8801712345678", fake_call_id(call, sip->call_id, call_id), sip->cseq, sip->more ? sip->more : "\r\n");
	trace_message(lane, &wire, buf_span(&text));
	buf_free(&text);
}

static void fake_note(struct trace_lane *lane, uint64_t utc_us, enum trace_kind kind, uint64_t call, char leg, uint8_t attempt,
		      const char *sip_call_id, const char *object, const char *text)
{
	char call_id[80];
	struct trace_note note = { .kind = kind, .leg = leg, .attempt = attempt, .call = call, .utc_us = utc_us,
				   .sip_call_id = span_of(sip_call_id ? fake_call_id(call, sip_call_id, call_id) : NULL), .object = span_of(object), .text = span_of(text) };

	trace_note(lane, &note);
}

static void fake_call_note(struct trace_lane *lane, uint64_t utc_us, enum trace_kind kind, uint64_t call, const char *sip_call_id,
			   const char *text, const struct trace_field *fields, unsigned n)
{
	char call_id[80];
	struct trace_note note = { .kind = kind, .leg = kind == TRACE_CALL ? 'a' : 0, .call = call, .utc_us = utc_us,
				   .sip_call_id = span_of(sip_call_id ? fake_call_id(call, sip_call_id, call_id) : NULL), .text = span_of(text), .fields = fields, .n_fields = n };

	trace_note(lane, &note);
}

#define FAKE_SENT true
#define FAKE_GOT false

static void fake_trace_good(struct trace_lane *lane, uint64_t call, uint64_t t)
{
	static const struct fake_sip sips[] = {
		{ 0, FAKE_GOT, TRACE_TCP, "127.0.0.2", "INVITE sip:8801712345678@127.0.0.1 SIP/2.0", "one", "1 INVITE", FAKE_SDP },
		{ 90, FAKE_SENT, TRACE_TCP, "127.0.0.2", "SIP/2.0 100 Trying", "one", "1 INVITE", NULL },
		{ 100, FAKE_SENT, TRACE_UDP, "127.0.0.3", "INVITE sip:8801712345678@127.0.0.3 SIP/2.0", "b1", "1 INVITE", FAKE_SDP },
		{ 500100, FAKE_SENT, TRACE_UDP, "127.0.0.3", "INVITE sip:8801712345678@127.0.0.3 SIP/2.0", "b1", "1 INVITE", FAKE_SDP },
		{ 600000, FAKE_GOT, TRACE_UDP, "127.0.0.3", "SIP/2.0 503 Service Unavailable", "b1", "1 INVITE", NULL },
		{ 600040, FAKE_SENT, TRACE_UDP, "127.0.0.3", "ACK sip:8801712345678@127.0.0.3 SIP/2.0", "b1", "1 ACK", NULL },
		{ 600100, FAKE_SENT, TRACE_UDP, "127.0.0.4", "INVITE sip:8801712345678@127.0.0.4 SIP/2.0", "b2", "1 INVITE", FAKE_SDP },
		{ 5000000, FAKE_GOT, TRACE_UDP, "127.0.0.4", "SIP/2.0 200 OK", "b2", "1 INVITE", FAKE_SDP },
		{ 5000050, FAKE_SENT, TRACE_TCP, "127.0.0.2", "SIP/2.0 200 OK", "one", "1 INVITE", FAKE_SDP },
		{ 80000000, FAKE_GOT, TRACE_TCP, "127.0.0.2", "BYE sip:127.0.0.1 SIP/2.0", "one", "2 BYE", NULL },
	};
	struct trace_field fields[] = {
		{ "caller", SPAN("3161") }, { "callee", SPAN("8801712345678") }, { "mapping_gateway", SPAN("acme-in") },
		{ "account", SPAN("acme") }, { "caller_addr", SPAN("127.0.0.2:5060") }, { "started", SPAN("1763800000000000") },
		{ "routing_gateway", SPAN("b-1") }, { "answered", SPAN("1763800005000000") }, { "ended", SPAN("1763800080000000") },
		{ "end_code", SPAN("NORMAL") }, { "sip_status", SPAN("200") },
	};

	fake_message(lane, call, t, &sips[0]);
	fake_call_note(lane, t + 20, TRACE_CALL, call, "one", "", fields, 6);
	fake_note(lane, t + 30, TRACE_ADMIT, call, 'a', 0, NULL, "acme-in", "admitted by acme-in, account acme");
	fake_note(lane, t + 40, TRACE_ROUTE, call, 0, 0, NULL, NULL, "a-1: chosen, prefix 880\nb-1: kept for when the others have failed");
	fake_note(lane, t + 80, TRACE_DIAL, call, 'b', 1, "b1", "a-1", "8801712345678 at 127.0.0.3:5060");
	for (unsigned i = 1; i <= 5; i++)
		fake_message(lane, call, t, &sips[i]);
	fake_note(lane, t + 600050, TRACE_ATTEMPT, call, 'b', 1, NULL, "a-1", "PEER_CONGESTION, 503; on to the next");
	fake_note(lane, t + 600060, TRACE_DIAL, call, 'b', 2, "b2", "b-1", "8801712345678 at 127.0.0.4:5060");
	for (unsigned i = 6; i < ARRAY_SIZE(sips); i++)
		fake_message(lane, call, t, &sips[i]);
	fake_call_note(lane, t + 80000100, TRACE_END, call, NULL, "the caller hung up", fields, ARRAY_SIZE(fields));
}

static void fake_trace_bad(struct trace_lane *lane, uint64_t call, uint64_t t)
{
	static const struct fake_sip sips[] = {
		{ 0, FAKE_GOT, TRACE_UDP, "127.0.0.2", "INVITE sip:999@127.0.0.1 SIP/2.0", "two", "1 INVITE",
		  "Proxy-Authorization: Digest username=\"acme\", response=\"secret-response\"\r\n\r\n" },
		{ 100, FAKE_SENT, TRACE_UDP, "127.0.0.2", "SIP/2.0 404 Not Found", "two", "1 INVITE", NULL },
	};
	struct trace_field fields[] = {
		{ "caller", SPAN("3161") }, { "callee", SPAN("999") }, { "mapping_gateway", SPAN("acme-in") },
		{ "started", SPAN("1763800060000000") }, { "ended", SPAN("1763800060000100") },
		{ "end_code", SPAN("NO_ROUTE") }, { "sip_status", SPAN("404") },
	};

	fake_message(lane, call, t, &sips[0]);
	fake_call_note(lane, t + 20, TRACE_CALL, call, "two", "", fields, 4);
	fake_message(lane, call, t, &sips[1]);
	fake_call_note(lane, t + 110, TRACE_END, call, NULL, "no gateway serves 999", fields, ARRAY_SIZE(fields));
}

static void fake_trace_register(struct trace_lane *lane, uint64_t t)
{
	const uint64_t call = 0;
	static const struct fake_sip sips[] = {
		{ 0, FAKE_GOT, TRACE_UDP, "127.0.0.9", "REGISTER sip:127.0.0.1 SIP/2.0", "three", "1 REGISTER", NULL },
		{ 100, FAKE_SENT, TRACE_UDP, "127.0.0.9", "SIP/2.0 403 Forbidden", "three", "1 REGISTER", NULL },
	};

	fake_message(lane, call, t, &sips[0]);
	fake_note(lane, t + 50, TRACE_REGISTER, call, 0, 0, "three", "1002", "WRONG_PASSWORD: the password is wrong");
	fake_message(lane, call, t, &sips[1]);
}

/* Opens it in a folder of its own below `folder`. */
static struct trace *fake_trace_open(const char *folder, uint64_t good, uint64_t bad, uint64_t t)
{
	char path[128], why[512];
	struct trace_config config = { .folder = path, .lanes = 1, .product = "test",
				       .settings = { .on = true, .call_bytes = 16u << 20, .register_bytes = 16u << 20 } };
	struct trace *trace;

	snprintf(path, sizeof(path), "%s/trace", folder);
	if (trace_open(&trace, &config, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	fake_trace_good(trace_lane(trace, 0), good, t);
	fake_trace_bad(trace_lane(trace, 0), bad, t + 60 * SEC);
	fake_trace_register(trace_lane(trace, 0), t + 70 * SEC);
	return trace;
}

#endif
