/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Identity headers of any content, read and written to a side that wants everything: what goes out is lines of ours, each
 * with one header, and read again it says the same. The first byte chooses the policy. */
#include "edge/edge_int.h"

#include <stdlib.h>

static void must(bool yes)
{
	if (!yes)
		abort();
}

/* A message around those headers; false if it is none. */
static bool read_message(struct arena *arena, struct span headers, struct call_arrival *arrival)
{
	struct buf text = BUF_INIT(1 << 18);
	struct net_buf *buf;
	struct sip_msg msg;
	const char *why;
	bool good;

	buf_add_str(
		&text,
		"INVITE sip:880@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:44@192.0.2.7>;tag=1\r\nTo: <sip:880@192.0.2.1>\r\n"
		"Call-ID: a\r\nCSeq: 1 INVITE\r\nContact: <sip:44@192.0.2.7>\r\nContent-Length: "
		"0\r\n");
	buf_add_span(&text, headers);
	buf_add_str(&text, "\r\n\r\n");
	buf = net_buf_copy(text.p, text.len);
	must(buf != NULL);
	good = sip_msg_parse(&msg, buf, false, &why) == 0;
	if (good)
		edge_identity_read(arena, &msg, arrival);
	net_buf_unref(&buf);
	buf_free(&text);
	return good;
}

/* Each line begins with a header that we write, and holds no control character. */
static void check_lines(struct span lines)
{
	static const char *const names[] = { "P-Asserted-Identity: ", "P-Preferred-Identity: ",
					     "Remote-Party-ID: ", "Privacy: ", "Diversion: " };
	struct span line;

	while (lines.len) {
		bool known = false;

		must(span_cut(lines, '\n', &line, &lines));
		must(line.len && line.p[line.len - 1] == '\r');
		for (size_t i = 0; i + 1 < line.len; i++)
			must((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			known |= span_starts(line, span_of(names[i]));
		must(known);
	}
}

static const char *text_of(struct arena *arena, struct span s)
{
	return s.len ? arena_dup(arena, s) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(4096);
	struct call_arrival arrival = { 0 }, again = { 0 };
	struct model_sip sip = { .shown = { .preferred = SEND_PASS,
					    .asserted = SEND_PASS,
					    .privacy = SEND_PRIVACY_PASS,
					    .diversion = SEND_PASS } };
	struct buf from = BUF_INIT(1 << 12), lines = BUF_INIT(1 << 14);

	if (size > 1 && size < 60000 &&
	    read_message(arena, (struct span){ (const char *)data + 1, size - 1 }, &arrival)) {
		struct call_numbers numbers = { .identity = text_of(arena, arrival.identity),
						.preferred = text_of(arena, arrival.preferred),
						.privacy = text_of(arena, arrival.privacy),
						.diversions = text_of(arena, arrival.diversions) };
		struct edge_shown shown = { .sip = &sip,
					    .numbers = &numbers,
					    .caller = numbers.identity ? numbers.identity : "1",
					    .host = "192.0.2.1" };

		sip.trust_identity = data[0] & 1;
		sip.shown.display = data[0] & 2;
		sip.shown.remote_party_id = data[0] & 4;
		edge_from_write(&shown, &from);
		edge_identity_write(&shown, &lines);
		must(!from.failed && !lines.failed);
		check_lines(buf_span(&lines));
		must(read_message(arena, span_head(buf_span(&lines), lines.len ? lines.len - 2 : 0),
				  &again));
		must(span_eq(again.privacy, arrival.privacy));
		must(!sip.trust_identity || span_eq(again.diversions, arrival.diversions));
		must(!sip.trust_identity || span_eq(again.preferred, arrival.preferred));
	}
	buf_free(&from);
	buf_free(&lines);
	arena_free(&arena);
	return 0;
}
