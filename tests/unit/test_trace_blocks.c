/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the trace writes, as Wireshark understands it, and what it finds in a message. */
#include "trace/trace_int.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define UTC 1764115200123456ull /* 2025-11-26T00:00:00.123456Z */

static const char invite[] = "INVITE sip:49301234@192.0.2.1 SIP/2.0\r\n"
			     "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n"
			     "From: <sip:44@192.0.2.7>;tag=1\r\n"
			     "To: <sip:49301234@192.0.2.1>\r\n"
			     "Call-ID: 1-77@192.0.2.7\r\n"
			     "CSeq: 1 INVITE\r\n"
			     "Content-Length: 0\r\n\r\n";

static struct sockaddr_storage address(const char *host, uint16_t port)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in6 *in6 = (void *)&storage;
	struct sockaddr_in *in4 = (void *)&storage;

	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		return storage;
	}
	assert_int_equal(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return storage;
}

/* ---- a segment, read by tshark --------------------------------------------------------------- */

static char segment[1 << 20];
static size_t segment_len;
static uint32_t sequence;

/* Written where its room ends with memory that must not be touched. */
static void message(enum trace_proto proto, const char *from, const char *to, struct span text)
{
	struct sockaddr_storage a = address(from, 5060), b = address(to, 5070);
	struct trace_wire wire = { .utc_us = UTC,
				   .sent = true,
				   .proto = proto,
				   .from = (struct sockaddr *)&a,
				   .to = (struct sockaddr *)&b };
	size_t room = block_message_room(&wire, text.len), len;
	char *block = malloc(room);

	assert_non_null(block);
	len = block_write_message(block, &wire, text, &sequence);
	assert_true(len <= room && len % 4 == 0);
	block_stamp_message(block, len, 0x0123456789abcdef, 'b', 7);
	memcpy(segment + segment_len, block, len);
	segment_len += len;
	free(block);
}

static void note(const struct trace_note *n)
{
	size_t room = block_note_room(n), len;
	char *block = malloc(room);

	assert_non_null(block);
	len = block_write_note(block, n);
	assert_true(len <= room && len % 4 == 0);
	memcpy(segment + segment_len, block, len);
	segment_len += len;
	free(block);
}

static void begin(void)
{
	char small[40];

	assert_int_equal(block_write_head(small, sizeof(small), "Causeway/1"), 0);
	segment_len = block_write_head(segment, sizeof(segment), "Causeway/1");
	assert_true(segment_len > 0);
}

/* What tshark prints about the segment, or skips the test where there is none. */
static void tshark(const char *arguments, char *out, size_t size)
{
	char path[] = "/tmp/trace-blocks-XXXXXX", command[512];
	int fd = mkstemp(path);
	FILE *pipe;
	size_t n;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, segment, segment_len), (ssize_t)segment_len);
	close(fd);
	snprintf(command, sizeof(command), "tshark -n -r %s %s 2>/dev/null", path, arguments);
	pipe = popen("command -v tshark >/dev/null", "r");
	if (!pipe || pclose(pipe) != 0) {
		unlink(path);
		skip();
	}
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(out, 1, size - 1, pipe);
	out[n] = '\0';
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
}

#define FIELDS                                                                                     \
	"-o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T "      \
	"fields "                                                                                  \
	"-E separator=\\| -e frame.time_epoch -e ip.src -e ipv6.src -e udp.srcport -e "            \
	"tcp.dstport "                                                                             \
	"-e udp.checksum.status -e tcp.checksum.status -e ip.checksum.status -e sip.Call-ID "      \
	"-e frame.packet_flags_direction -e frame.comment"

static void test_messages(void **state)
{
	static const char want[] =
		"1764115200.123456000|192.0.2.1||5060||3||1|1-77@192.0.2.7|0x00000002|"
		"call=0123456789abcdef leg=b attempt=07 proto=udp\n"
		"1764115200.123456000||2001:db8::1|5060||1|||1-77@192.0.2.7|0x00000002|"
		"call=0123456789abcdef leg=b attempt=07 proto=udp\n"
		"1764115200.123456000|192.0.2.1|||5070||1|1|1-77@192.0.2.7|0x00000002|"
		"call=0123456789abcdef leg=b attempt=07 proto=tcp\n"
		"1764115200.123456000||2001:db8::1||5070||1||1-77@192.0.2.7|0x00000002|"
		"call=0123456789abcdef leg=b attempt=07 proto=tls\n"
		"1764115200.123456000||::ffff:192.0.2.1|5060||1|||1-77@192.0.2.7|0x00000002|"
		"call=0123456789abcdef leg=b attempt=07 proto=udp\n";
	char got[4096];

	begin();
	message(TRACE_UDP, "192.0.2.1", "192.0.2.2", SPAN(invite));
	message(TRACE_UDP, "2001:db8::1", "2001:db8::2", SPAN(invite));
	message(TRACE_TCP, "192.0.2.1", "192.0.2.2", SPAN(invite));
	message(TRACE_TLS, "2001:db8::1", "2001:db8::2", SPAN(invite));
	message(TRACE_UDP, "192.0.2.1", "2001:db8::2",
		SPAN(invite)); /* never met; still a packet */
	tshark(FIELDS, got, sizeof(got));
	assert_string_equal(got, want);
}

/* Each length modulo the padding, and what one packet cannot hold. */
static void test_lengths(void **state)
{
	static char text[65535];
	char got[4096], *line;
	unsigned frames = 0;

	memset(text, 'x', sizeof(text));
	memcpy(text, invite, sizeof(invite) - 1);
	begin();
	for (size_t len = 1; len <= 9; len++)
		message(TRACE_UDP, "192.0.2.1", "192.0.2.2", (struct span){ text, len });
	message(TRACE_TCP, "2001:db8::1", "2001:db8::2", (struct span){ text, sizeof(text) });
	message(TRACE_UDP, "192.0.2.1", "192.0.2.2", (struct span){ NULL, 0 });
	tshark("-T fields -E separator=\\| -e udp.length -e tcp.len -e tcp.flags.push", got,
	       sizeof(got));
	for (line = got; *line; line = strchr(line, '\n') + 1)
		frames++;
	assert_int_equal(frames, 9 + 2 + 1);
	assert_non_null(strstr(got, "9||\n10||\n11||\n"));
	assert_non_null(strstr(got, "|65475|"));
	assert_non_null(strstr(got, "|60|"));
	assert_true(strstr(got, "|65475|0\n|60|1\n8||\n") ||
		    strstr(got, "|65475|False\n|60|True\n8||\n"));
}

static void test_notes(void **state)
{
	const struct trace_field fields[] = { { "caller", SPAN("4930") },
					      { "account", SPAN_NONE },
					      { "vendor_account_1234567890", SPAN("x") } };
	struct trace_note n = { .kind = TRACE_ROUTE,
				.leg = 'b',
				.attempt = 12,
				.call = 0xabc,
				.utc_us = UTC,
				.sip_call_id = SPAN("1-77@192.0.2.7"),
				.object = SPAN("gw\n1"),
				.text = SPAN("a-1: full\na-2: chosen"),
				.fields = fields,
				.n_fields = 3 };
	static const char expected[] =
		"__REALTIME_TIMESTAMP=1764115200123456\n"
		"MESSAGE\n\x15\0\0\0\0\0\0\0a-1: full\na-2: chosen\n"
		"PRIORITY=6\nSYSLOG_IDENTIFIER=causeway\nCAUSEWAY_KIND=route\n"
		"CAUSEWAY_CALL=0000000000000abc\nCAUSEWAY_LEG=b\nCAUSEWAY_ATTEMPT=12\n"
		"CAUSEWAY_OBJECT\n\x04\0\0\0\0\0\0\0gw\n1\n"
		"CAUSEWAY_SIP_CALL_ID=1-77@192.0.2.7\nCAUSEWAY_F_CALLER=4930\n"
		"CAUSEWAY_F_VENDOR_ACCOUNT_12345678=x\n";
	char got[4096];
	size_t at;

	begin();
	at = segment_len;
	note(&n);
	assert_memory_equal(segment + at + 8, expected, sizeof(expected) - 1);
	n = (struct trace_note){ .kind = TRACE_EVENT, .utc_us = UTC, .text = SPAN("gap") };
	note(&n);
	tshark("-T fields -E separator=\\| -e frame.time_epoch -e systemd_journal.message "
	       "-e systemd_journal.syslog_id",
	       got, sizeof(got));
	assert_non_null(strstr(got, "1764115200.123456000|gap|causeway\n"));
	assert_non_null(strstr(got, "a-2: chosen"));
}

static void test_long_values(void **state)
{
	static char text[100000];
	struct trace_note n = { .kind = TRACE_EVENT,
				.utc_us = UTC,
				.text = { text, sizeof(text) } };

	memset(text, 'x', sizeof(text));
	begin();
	note(&n);
	assert_true(segment_len < TRACE_VALUE_MAX + 500);
}

static void test_kinds(void **state)
{
	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		assert_int_equal(trace_kind_of(span_of(trace_kind_name(kind))), kind);
	assert_int_equal(trace_kind_of(SPAN("nothing")), TRACE_KINDS);
}

/* ---- what a message says -------------------------------------------------------------------------- */

static void test_scan(void **state)
{
	static const struct {
		const char *message, *call_id;
		bool registration;
	} cases[] = {
		{ invite, "1-77@192.0.2.7", false },
		{ "REGISTER sip:a SIP/2.0\r\ni:x\r\n\r\n", "x", true },
		{ "OPTIONS sip:a SIP/2.0\ni : x \n\n", "x", true },
		{ "PUBLISH sip:a SIP/2.0\r\nCALL-ID: x\r\n\r\n", "x", true },
		{ "\r\n\r\nBYE sip:a SIP/2.0\r\ncall-id\t:\r\n x\r\n\r\n", "x", false },
		{ "SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nCall-ID: x\r\n\r\n", "x", true },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\nCSEQ : 1\r\n\tOPTIONS\r\n\r\n", "x", true },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", "x", false },
		{ "SIP/2.0 200 OK\r\nCall-Info: y\r\nCall-ID-Not: y\r\nCall-ID: x\r\n\r\n", "x",
		  false },
		{ "SIP/2.0 200 OK\r\nSubject: a\r\n Call-ID: y\r\nCall-ID: x\r\n\r\n", "x", false },
		{ "INVITE sip:a SIP/2.0\r\nContact: a\r\n\r\nCall-ID: x\r\n\r\n", "", false },
		{ "INVITE sip:a SIP/2.0\r\nCall-ID: x", "", false },
		{ "INVITE sip:a SIP/2.0\r\nCall-ID\r\ni\r\nc\r\n\r\n", "", false },
		{ "INVITE sip:a SIP/2.0\r\nCall-ID:\r\n\r\n", "", false },
		{ "INVITE", "", false },
		{ "\r\n", "", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].message);
		char *exact = malloc(len + 1);
		struct sip_scan scan;

		assert_non_null(exact);
		memcpy(exact, cases[i].message, len);
		sip_scan((struct span){ exact, len }, &scan);
		if (!span_eq(scan.call_id, span_of(cases[i].call_id)) ||
		    scan.registration != cases[i].registration)
			fail_msg("case %zu: %.*s %d", i, SPAN_ARG(scan.call_id), scan.registration);
		free(exact);
	}
}

/* However long the message, the look is short. */
static void test_scan_is_bounded(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct sip_scan scan;

	buf_add_str(&text, "INVITE sip:a SIP/2.0\r\n");
	while (text.len < 100000)
		buf_add_str(&text, "c: x\r\n");
	buf_add_str(&text, "Call-ID: x\r\n\r\n");
	sip_scan(buf_span(&text), &scan);
	assert_int_equal(scan.call_id.len, 0);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),        cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_notes),           cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_kinds),           cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scan_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
