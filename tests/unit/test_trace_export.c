/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exports read back with nothing of ours: blocks, packets, sequence numbers. What Wireshark makes of them is for tests/interop. */
#include "trace/trace.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define T0 1763800000123456ull

static struct buf out = { .max = 64u << 20 };

/* "127.0.0.2:5060" or "[::1]:5060" */
static struct sockaddr_storage place(const char *text)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *ip4 = (void *)&address;
	struct sockaddr_in6 *ip6 = (void *)&address;
	char host[64];
	unsigned port = 0;

	if (text[0] == '[') {
		assert_int_equal(sscanf(text, "[%63[^]]]:%u", host, &port), 2);
		ip6->sin6_family = AF_INET6;
		ip6->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, host, &ip6->sin6_addr);
	} else {
		assert_int_equal(sscanf(text, "%63[^:]:%u", host, &port), 2);
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, host, &ip4->sin_addr);
	}
	return address;
}

static struct trace_entry message(uint64_t after_us, bool sent, enum trace_proto proto,
				  const char *peer, const char *text)
{
	const char *own = peer[0] == '[' ? "[::1]:5060" : "127.0.0.1:5060";
	struct trace_entry entry = { .kind = TRACE_MESSAGE,
				     .utc_us = T0 + after_us,
				     .call = 0x06a1f3c2d4000001ull,
				     .leg = 'b',
				     .attempt = 2,
				     .sent = sent,
				     .proto = proto,
				     .from = place(sent ? own : peer),
				     .to = place(sent ? peer : own),
				     .text = span_of(text) };

	return entry;
}

static void export(const struct trace_entry *entries, unsigned n, bool mask, const char *comment)
{
	const struct trace_entry *list[16];

	assert_true(n <= ARRAY_SIZE(list));
	for (unsigned i = 0; i < n; i++)
		list[i] = &entries[i];
	buf_reset(&out);
	trace_export_begin(&out, "test", span_of(comment));
	trace_export(&out, list, n, mask);
	assert_false(out.failed);
}

/* ---- a reader of its own ------------------------------------------------------------------------------ */

static uint32_t word_at(size_t at)
{
	uint32_t word;

	assert_true(at + 4 <= out.len);
	memcpy(&word, out.p + at, 4);
	return word;
}

/* Where block `n` begins, its type and length checked from both ends. */
static size_t block_at(unsigned n, uint32_t type)
{
	size_t at = 0;

	for (; n; n--)
		at += word_at(at + 4);
	assert_int_equal(word_at(at), type);
	assert_int_equal(word_at(at + 4) % 4, 0);
	assert_int_equal(word_at(at + 4), word_at(at + word_at(at + 4) - 4));
	return at;
}

struct packet {
	unsigned char ip[65536 + 64];
	size_t len, head; /* up to the bytes of the message */
	uint32_t sequence;
	bool tcp, push, sent;
	char comment[80];
};

static void read_options(struct packet *p, size_t at)
{
	for (;;) {
		uint16_t option[2];

		memcpy(option, out.p + at, 4);
		if (option[0] == 0)
			return;
		if (option[0] == 1)
			snprintf(p->comment, sizeof(p->comment), "%.*s", option[1], out.p + at + 4);
		if (option[0] == 2)
			p->sent = (word_at(at + 4) & 3) == 2;
		at += 4 + ((option[1] + 3u) & ~3u);
	}
}

static struct packet *packet_at(unsigned block)
{
	static struct packet p;
	size_t at = block_at(block, 6), ip;

	p = (struct packet){ .len = word_at(at + 20) };
	memcpy(p.ip, out.p + at + 28, p.len);
	ip = p.ip[0] >> 4 == 6 ? 40 : 20;
	p.tcp = p.ip[ip == 40 ? 6 : 9] == 6;
	p.head = ip + (p.tcp ? 20 : 8);
	p.sequence = p.tcp ? (uint32_t)p.ip[ip + 4] << 24 | (uint32_t)p.ip[ip + 5] << 16 |
				     (uint32_t)p.ip[ip + 6] << 8 | p.ip[ip + 7]
			   : 0;
	p.push = p.tcp && p.ip[ip + 13] & 8;
	read_options(&p, at + 28 + ((p.len + 3) & ~(size_t)3));
	return &p;
}

static void assert_payload(const struct packet *p, const char *text)
{
	assert_int_equal(p->len - p->head, strlen(text));
	assert_memory_equal(p->ip + p->head, text, strlen(text));
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void test_head(void **state)
{
	size_t at;

	export(NULL, 0, false, "");
	assert_int_equal(word_at(8), 0x1A2B3C4D);
	at = block_at(1, 1);
	assert_int_equal(at + word_at(at + 4), out.len);
	for (unsigned len = 1; len < 9; len++) {
		char comment[16] = "12345678";
		uint16_t option[2];

		comment[len] = '\0';
		export(NULL, 0, false, comment);
		at = block_at(1, 1);
		assert_int_equal(at + word_at(at + 4), out.len);
		memcpy(option, out.p + 24, 4);
		assert_int_equal(option[0], 1);
		assert_int_equal(option[1], len);
		assert_memory_equal(out.p + 28, comment, len);
	}
}

static void test_udp(void **state)
{
	struct trace_entry entries[] = {
		message(0, false, TRACE_UDP, "127.0.0.2:5070", "INVITE sip:a SIP/2.0\r\n\r\n"),
		message(5, true, TRACE_UDP, "[::2]:5070", "SIP/2.0 100 Trying\r\n\r\n")
	};
	const struct packet *p;
	size_t at;

	export(entries, 2, false, "");
	p = packet_at(2);
	assert_false(p->tcp || p->sent);
	assert_payload(p, "INVITE sip:a SIP/2.0\r\n\r\n");
	assert_string_equal(p->comment, "call=06a1f3c2d4000001 leg=b attempt=02 proto=udp");
	at = block_at(2, 6);
	assert_true(((uint64_t)word_at(at + 12) << 32 | word_at(at + 16)) == T0);
	p = packet_at(3);
	assert_true(p->sent && p->ip[0] >> 4 == 6);
	assert_payload(p, "SIP/2.0 100 Trying\r\n\r\n");
}

/* Each direction of each connection counts by itself, without a gap. */
static void test_streams(void **state)
{
	struct trace_entry entries[] = {
		message(0, false, TRACE_TCP, "127.0.0.2:5070", "12345"),
		message(1, true, TRACE_TCP, "127.0.0.2:5070", "123"),
		message(2, false, TRACE_TLS, "127.0.0.2:5071", "1"),
		message(3, false, TRACE_TCP, "127.0.0.2:5070", "1234567"),
		message(4, true, TRACE_TCP, "127.0.0.2:5070", "12"),
		message(5, false, TRACE_TCP, "127.0.0.2:5070", "x"),
	};
	static const uint32_t sequences[] = { 1, 1, 1, 6, 4, 13 };

	export(entries, ARRAY_SIZE(entries), false, "");
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		assert_int_equal(packet_at(2 + i)->sequence, sequences[i]);
		assert_true(packet_at(2 + i)->push);
	}
	assert_string_equal(packet_at(4)->comment + 39, "proto=tls");
}

static void test_long(void **state)
{
	struct trace_entry entry = message(0, true, TRACE_TCP, "127.0.0.2:5070", ""), entries[2];
	char *text = malloc(150000);
	size_t n = 0;
	unsigned block = 2;

	memset(text, 'x', 150000);
	entry.text = (struct span){ text, 150000 };
	entries[0] = entry;
	entries[1] = message(1, true, TRACE_TCP, "127.0.0.2:5070", "next");
	export(entries, 2, false, "");
	for (bool push = false; !push; block++) {
		const struct packet *p = packet_at(block);

		assert_int_equal(p->sequence, 1 + n);
		n += p->len - p->head;
		push = p->push;
	}
	assert_int_equal(n, 150000);
	assert_int_equal(packet_at(block)->sequence, 150001);
	free(text);
}

static void test_notes(void **state)
{
	struct trace_entry entry = { .kind = TRACE_ROUTE,
				     .utc_us = T0,
				     .call = 0x06a1f3c2d4000001ull,
				     .text = SPAN("a-1 chosen\nb-1 down"),
				     .n_fields = 1,
				     .fields = { { "callee", SPAN("880") } } };
	size_t at;

	export(&entry, 1, false, "");
	at = block_at(2, 9);
	out.p[out.len - 1] = '\0';
	assert_non_null(memmem(out.p + at, out.len - at, "CAUSEWAY_KIND=route\n", 20));
	assert_non_null(memmem(out.p + at, out.len - at, "CAUSEWAY_F_CALLEE=880\n", 22));
	assert_non_null(memmem(out.p + at, out.len - at, "a-1 chosen\nb-1 down\n", 20));
}

static void test_masked(void **state)
{
	static const char text[] = "INVITE sip:a SIP/2.0\r\nAuthorization: Basic abc\r\n\r\n";
	struct trace_entry entry = message(0, false, TRACE_UDP, "127.0.0.2:5070", text);

	export(&entry, 1, true, "");
	assert_payload(packet_at(2), "INVITE sip:a SIP/2.0\r\nAuthorization: Basic ***\r\n\r\n");
	assert_memory_equal(entry.text.p, text, sizeof(text)); /* the reading is as it was */
}

static void test_ceiling(void **state)
{
	struct trace_entry entry =
		message(0, false, TRACE_UDP, "127.0.0.2:5070", "INVITE sip:a SIP/2.0\r\n\r\n");
	const struct trace_entry *list[] = { &entry, &entry };
	struct buf small = BUF_INIT(300);

	trace_export_begin(&small, "test", SPAN_NONE);
	trace_export(&small, list, 2, false);
	assert_true(small.failed);
	buf_free(&small);
}

static int teardown(void **state)
{
	buf_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),    cmocka_unit_test(test_udp),
		cmocka_unit_test(test_streams), cmocka_unit_test(test_long),
		cmocka_unit_test(test_notes),   cmocka_unit_test(test_masked),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
