/* SPDX-License-Identifier: GPL-3.0-or-later */
/* capture: packets made here, byte by byte, and what becomes of them. */
#include "capture/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ETHERNET 1
#define LINUX_SLL 113
#define LINUX_SLL2 276
#define RAW 101
#define BSD_LOOPBACK 0

#define FROM "192.0.2.1"
#define TO "192.0.2.2"

static const char options[] = "OPTIONS sip:a@192.0.2.2 SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
			      "Call-ID: one@192.0.2.1\r\n"
			      "Content-Length: 0\r\n\r\n";

/* ---- what came out ----------------------------------------------------------------------------- */

struct seen {
	unsigned sip, datagrams, tpkts, icmps, syns, syn_acks, rsts, fins, gaps, records;
	int alert;
	char message[70000];
	size_t length; /* of the last message or datagram */
	enum capture_transport transport;
	struct capture_where where;
	struct capture_icmp icmp;
	char quoted[64];
};

static void keep(struct seen *seen, const struct capture_where *where, struct span bytes)
{
	assert_true(bytes.len < sizeof(seen->message));
	memcpy(seen->message, bytes.p, bytes.len);
	seen->message[bytes.len] = '\0';
	seen->length = bytes.len;
	seen->where = *where;
}

static void on_sip(void *arg, const struct capture_where *where, enum capture_transport transport,
		   struct span message)
{
	struct seen *seen = arg;

	seen->sip++;
	seen->transport = transport;
	keep(seen, where, message);
}

static void on_datagram(void *arg, const struct capture_where *where, struct span payload,
			uint32_t length)
{
	struct seen *seen = arg;

	seen->datagrams++;
	keep(seen, where, payload);
}

static void on_tpkt(void *arg, const struct capture_where *where, struct span payload)
{
	struct seen *seen = arg;

	seen->tpkts++;
	keep(seen, where, payload);
}

static void on_icmp(void *arg, const struct capture_where *where, const struct capture_icmp *icmp)
{
	struct seen *seen = arg;

	seen->icmps++;
	seen->icmp = *icmp;
	span_copy(icmp->payload, seen->quoted, sizeof(seen->quoted));
	seen->where = *where;
}

static void on_tcp(void *arg, const struct capture_where *where, enum capture_tcp_kind kind,
		   int value, int detail)
{
	struct seen *seen = arg;

	seen->syns += kind == CAPTURE_SYN;
	seen->syn_acks += kind == CAPTURE_SYN_ACK;
	seen->rsts += kind == CAPTURE_RST;
	seen->fins += kind == CAPTURE_FIN;
	seen->gaps += kind == CAPTURE_GAP;
	seen->records += kind == CAPTURE_TLS_RECORD;
	if (detail)
		seen->alert = detail;
}

struct bench {
	struct capture *capture;
	struct capture_report report;
	struct seen seen;
	uint64_t frame, utc_us;
};

static struct bench *bench_new(int link_type)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct capture_sink sink = { .sip = on_sip,
				     .datagram = on_datagram,
				     .tpkt = on_tpkt,
				     .icmp = on_icmp,
				     .tcp = on_tcp };

	assert_non_null(b);
	sink.arg = &b->seen;
	b->utc_us = 1700000000 * SEC;
	b->capture = capture_new(link_type, &sink, &b->report);
	assert_non_null(b->capture);
	return b;
}

static void bench_free(struct bench *b)
{
	capture_free(&b->capture);
	free(b);
}

/* ---- packets -------------------------------------------------------------------------------------- */

struct packet {
	size_t len;
	unsigned char bytes[70000];
};

static void put(struct packet *p, const void *bytes, size_t len)
{
	assert_true(p->len + len <= sizeof(p->bytes));
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void put_str(struct packet *p, const char *text)
{
	put(p, text, strlen(text));
}

static void put8(struct packet *p, unsigned v)
{
	unsigned char b = (unsigned char)v;

	put(p, &b, 1);
}

static void put16(struct packet *p, unsigned v)
{
	put8(p, v >> 8);
	put8(p, v & 255);
}

static void put32(struct packet *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p, v & 65535);
}

static void put_host(struct packet *p, const char *host)
{
	union net_addr a;

	assert_int_equal(net_addr_parse(&a, span_of(host), 0), 0);
	if (a.sa.sa_family == AF_INET)
		put(p, &a.in4.sin_addr, 4);
	else
		put(p, &a.in6.sin6_addr, 16);
}

/* The rest of the packet, `length` bytes, is the payload. */
static void put_ip4(struct packet *p, unsigned protocol, unsigned id, unsigned fragment,
		    size_t length)
{
	put8(p, 0x45);
	put8(p, 0xb8);
	put16(p, 20 + (unsigned)length);
	put16(p, id);
	put16(p, fragment);
	put8(p, 61);
	put8(p, protocol);
	put16(p, 0);
	put_host(p, FROM);
	put_host(p, TO);
}

static void put_ip6(struct packet *p, unsigned next, size_t length)
{
	put32(p, 0x60000000);
	put16(p, (unsigned)length);
	put8(p, next);
	put8(p, 61);
	put_host(p, "2001:db8::1");
	put_host(p, "2001:db8::2");
}

static void put_udp(struct packet *p, unsigned from, unsigned to, size_t length)
{
	put16(p, from);
	put16(p, to);
	put16(p, 8 + (unsigned)length);
	put16(p, 0);
}

static void put_udp4(struct packet *p, unsigned from, unsigned to, const char *text)
{
	put_ip4(p, 17, 7, 0x4000, 8 + strlen(text));
	put_udp(p, from, to, strlen(text));
	put_str(p, text);
}

static void deliver_cut(struct bench *b, struct packet *p, size_t captured)
{
	b->utc_us += 1000;
	capture_packet(b->capture, ++b->frame, b->utc_us,
		       (struct span){ (const char *)p->bytes, captured }, (uint32_t)p->len);
	p->len = 0;
}

static void deliver(struct bench *b, struct packet *p)
{
	deliver_cut(b, p, p->len);
}

static void send_tcp(struct bench *b, uint32_t sequence, unsigned flags, const void *bytes,
		     size_t len)
{
	static struct packet p;

	put_ip4(&p, 6, 7, 0x4000, 20 + len);
	put16(&p, 40000);
	put16(&p, 5060);
	put32(&p, sequence);
	put32(&p, 0);
	put16(&p, 0x5000 | flags);
	put16(&p, 1000);
	put32(&p, 0);
	put(&p, bytes, len);
	deliver(b, &p);
}

static void send_text(struct bench *b, uint32_t sequence, const char *text)
{
	send_tcp(b, sequence, 16, text, strlen(text));
}

static void assert_message(const struct bench *b, const char *text)
{
	assert_string_equal(b->seen.message, text);
}

/* ---- link layers and tunnels ----------------------------------------------------------------------- */

static void put_ethernet(struct packet *p, unsigned type)
{
	put(p, "\1\2\3\4\5\6\1\2\3\4\5\7", 12);
	put16(p, type);
}

static void test_link_layers(void **state)
{
	static struct packet p;
	static const struct {
		int link_type;
		const char *head;
		size_t len;
	} rows[] = {
		{ ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x08\0", 14 },
		{ ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x81\0\0\x05\x08\0", 18 },
		{ ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x88\xa8\0\x05\x81\0\0\x06\x08\0", 22 },
		{ ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x88\x64\x11\0\0\1\0\x99\0\x21", 22 },
		{ ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x88\x47\0\1\0\xff\0\1\1\xff", 22 },
		{ LINUX_SLL, "\0\0\0\1\0\6\1\2\3\4\5\6\0\0\x08\0", 16 },
		{ LINUX_SLL2, "\x08\0\0\0\0\0\0\1\0\1\0\6\1\2\3\4\5\6\0\0", 20 },
		{ RAW, "", 0 },
		{ BSD_LOOPBACK, "\2\0\0\0", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(rows[i].link_type);
		char text[NET_ADDR_TEXT];

		put(&p, rows[i].head, rows[i].len);
		put_udp4(&p, 5060, 5070, options);
		deliver(b, &p);
		assert_int_equal(b->seen.sip, 1);
		assert_message(b, options);
		assert_int_equal(b->seen.where.frame, 1);
		assert_int_equal(b->seen.where.ttl, 61);
		assert_int_equal(b->seen.where.dscp, 46);
		assert_int_equal(b->seen.where.ip_id, 7);
		assert_false(b->seen.where.snapped);
		assert_string_equal(net_addr_format(&b->seen.where.src, text), FROM ":5060");
		assert_string_equal(net_addr_format(&b->seen.where.dst, text), TO ":5070");
		bench_free(b);
	}
}

static void test_tunnels(void **state)
{
	static struct packet p, inner;
	struct bench *b = bench_new(RAW);

	put_udp4(&inner, 5060, 5070, options);
	put_ip4(&p, 4, 1, 0, inner.len);
	put(&p, inner.bytes, inner.len);
	deliver(b, &p);
	assert_int_equal(b->seen.sip, 1);

	put_ip4(&p, 47, 1, 0, 8 + inner.len); /* GRE with a key */
	put32(&p, 0x20000800);
	put32(&p, 99);
	put(&p, inner.bytes, inner.len);
	deliver(b, &p);
	assert_int_equal(b->seen.sip, 2);

	put_ip4(&p, 17, 1, 0, 8 + 12 + inner.len); /* GTP-U with a sequence number */
	put_udp(&p, 2152, 2152, 12 + inner.len);
	put16(&p, 0x32ff);
	put16(&p, 4 + (unsigned)inner.len);
	put32(&p, 1);
	put32(&p, 0x00010000);
	put(&p, inner.bytes, inner.len);
	deliver(b, &p);
	assert_int_equal(b->seen.sip, 3);

	put_ip4(&p, 17, 1, 0, 8 + 8 + 14 + inner.len); /* VXLAN */
	put_udp(&p, 1234, 4789, 8 + 14 + inner.len);
	put32(&p, 0x08000000);
	put32(&p, 0);
	put_ethernet(&p, 0x0800);
	put(&p, inner.bytes, inner.len);
	deliver(b, &p);
	assert_int_equal(b->seen.sip, 4);
	assert_message(b, options);
	bench_free(b);
}

/* A packet that holds itself does not end in a full stack. */
static void test_tunnels_end(void **state)
{
	static struct packet p;
	struct bench *b = bench_new(RAW);

	for (unsigned i = 0; i < 20; i++)
		put_ip4(&p, 4, 1, 0, (19 - i) * 20 + 8);
	put_udp(&p, 1, 2, 0);
	deliver(b, &p);
	assert_int_equal(b->seen.datagrams, 0);
	assert_int_equal(b->report.malformed, 1);
	bench_free(b);
}

/* ---- UDP -------------------------------------------------------------------------------------------- */

static void test_what_is_sip(void **state)
{
	static struct packet p;
	static const char *const sip[] = {
		"SIP/2.0 200 OK\r\n\r\n",      "\r\n\r\nSIP/2.0 100 Trying\r\n",
		"INVITE sip:a@b SIP/2.0\r\n",  "inv-ite sip:a@b SIP/7.0\r\n",
		"REGISTER sip:a SIP/2.0 \r\n", "ACK sip:a@b SIP/2.0"
	};
	static const char *const other[] = { "",
					     "\r\n\r\n",
					     "GET / HTTP/1.1\r\n\r\n",
					     "SIP/2.0",
					     "hello there",
					     "INVITE sip:a@b HTTP/2.0\r\n",
					     " INVITE sip:a@b SIP/2.0\r\n" };
	struct bench *b = bench_new(RAW);

	for (size_t i = 0; i < ARRAY_SIZE(sip); i++) {
		put_udp4(&p, 1, 2, sip[i]);
		deliver(b, &p);
		assert_int_equal(b->seen.sip, i + 1);
		assert_message(b, sip[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		put_udp4(&p, 5060, 5060, other[i]);
		deliver(b, &p);
		assert_int_equal(b->seen.datagrams, i + 1);
	}
	assert_int_equal(b->seen.sip, ARRAY_SIZE(sip));
	bench_free(b);
}

static void test_snapped(void **state)
{
	static struct packet p;
	struct bench *b = bench_new(RAW);

	put_udp4(&p, 5060, 5060, options);
	deliver_cut(b, &p, 28 + 60);
	assert_int_equal(b->seen.sip, 1);
	assert_int_equal(b->seen.length, 60);
	assert_true(b->seen.where.snapped);
	assert_int_equal(b->report.snapped, 1);
	bench_free(b);
}

/* Ethernet pads short frames: what is behind the packet is none of it. */
static void test_padding(void **state)
{
	static struct packet p;
	struct bench *b = bench_new(ETHERNET);

	put_ethernet(&p, 0x0800);
	put_udp4(&p, 1, 2, "x");
	put(&p, "\0\0\0\0\0\0\0\0", 8);
	deliver(b, &p);
	assert_int_equal(b->seen.datagrams, 1);
	assert_message(b, "x");
	assert_false(b->seen.where.snapped);
	bench_free(b);
}

static void test_every_cut(void **state)
{
	static struct packet p;
	struct bench *b = bench_new(ETHERNET);

	for (size_t cut = 0; cut < 14 + 28; cut++) {
		put_ethernet(&p, 0x0800);
		put_udp4(&p, 5060, 5060, options);
		deliver_cut(b, &p, cut);
	}
	assert_int_equal(b->seen.sip, 0);
	assert_int_equal(b->report.packets, 14 + 28);
	assert_int_equal(b->report.malformed, 14 + 28);
	bench_free(b);
}

/* ---- fragments ---------------------------------------------------------------------------------------- */

static size_t big_message(char *dst, size_t size)
{
	size_t n = (size_t)snprintf(dst, size, "INVITE sip:a@b SIP/2.0\r\nX: ");

	memset(dst + n, 'x', size - n - 1);
	dst[size - 1] = '\0';
	return size - 1;
}

static void send_fragment(struct bench *b, const char *datagram, size_t total, size_t from,
			  size_t len)
{
	static struct packet p;

	put_ip4(&p, 17, 77, (unsigned)(from / 8) | (from + len < total ? 0x2000 : 0), len);
	put(&p, datagram + from, len);
	deliver(b, &p);
}

static void test_fragments(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 0, 2, 1 } };
	static struct packet udp;
	char text[3000];
	struct bench *b = bench_new(RAW);

	put_udp(&udp, 5060, 5060, big_message(text, sizeof(text)));
	put_str(&udp, text);
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		for (int i = 0; i < 3; i++) {
			size_t from = (size_t)orders[o][i] * 1400;

			send_fragment(b, (const char *)udp.bytes, udp.len, from,
				      udp.len - from < 1400 ? udp.len - from : 1400);
			assert_int_equal(b->seen.sip, o + (i == 2));
		}
		assert_message(b, text);
		assert_true(b->seen.where.fragmented);
		assert_false(b->seen.where.snapped);
	}
	assert_int_equal(b->report.fragments, 12);
	assert_int_equal(b->report.fragments_lost, 0);
	bench_free(b);
}

/* Repeated and overlapping pieces change nothing. */
static void test_fragments_overlap(void **state)
{
	static struct packet udp;
	char text[3000];
	struct bench *b = bench_new(RAW);

	put_udp(&udp, 5060, 5060, big_message(text, sizeof(text)));
	put_str(&udp, text);
	send_fragment(b, (const char *)udp.bytes, udp.len, 800, 800);
	send_fragment(b, (const char *)udp.bytes, udp.len, 800, 800);
	send_fragment(b, (const char *)udp.bytes, udp.len, 1200, 1200);
	send_fragment(b, (const char *)udp.bytes, udp.len, 2400, udp.len - 2400);
	assert_int_equal(b->seen.sip, 0);
	send_fragment(b, (const char *)udp.bytes, udp.len, 0, 1000);
	assert_int_equal(b->seen.sip, 1);
	assert_message(b, text);
	bench_free(b);
}

static void test_fragment_lost(void **state)
{
	static struct packet udp;
	char text[3000];
	struct bench *b = bench_new(RAW);

	put_udp(&udp, 5060, 5060, big_message(text, sizeof(text)));
	put_str(&udp, text);
	send_fragment(b, (const char *)udp.bytes, udp.len, 0, 1400);
	assert_int_equal(b->seen.sip, 0);
	b->utc_us += 60 * SEC;
	send_fragment(b, (const char *)udp.bytes, 16, 8, 8); /* another datagram comes by */
	assert_int_equal(b->seen.sip, 1);
	assert_int_equal(b->seen.length, 1392);
	assert_int_equal(b->seen.where.frame, 1);
	assert_true(b->seen.where.snapped);
	assert_true(b->seen.where.fragmented);
	assert_int_equal(b->report.fragments_lost, 1);
	bench_free(b);
}

static void test_ip6_fragments(void **state)
{
	static struct packet udp, p;
	char text[3000];
	struct bench *b = bench_new(RAW);

	put_udp(&udp, 5060, 5060, big_message(text, sizeof(text)));
	put_str(&udp, text);
	for (size_t from = 0; from < udp.len; from += 1400) {
		size_t len = udp.len - from < 1400 ? udp.len - from : 1400;

		put_ip6(&p, 0, 8 + 8 + len); /* hop-by-hop options, then the fragment's head */
		put32(&p, 0x2c000104);
		put32(&p, 0);
		put8(&p, 17);
		put8(&p, 0);
		put16(&p, (unsigned)from | (from + len < udp.len));
		put32(&p, 4711);
		put(&p, udp.bytes + from, len);
		deliver(b, &p);
	}
	assert_int_equal(b->seen.sip, 1);
	assert_message(b, text);
	bench_free(b);
}

/* ---- TCP ------------------------------------------------------------------------------------------------ */

static void test_tcp_pieces(void **state)
{
	size_t len = strlen(options);
	struct bench *b = bench_new(RAW);

	send_tcp(b, 999, 2, "", 0);
	assert_int_equal(b->seen.syns, 1);
	for (size_t i = 0; i < len; i++)
		send_tcp(b, 1000 + (uint32_t)i, 16, options + i, 1);
	assert_int_equal(b->seen.sip, 1);
	assert_message(b, options);
	assert_int_equal(b->seen.transport, CAPTURE_TCP);
	send_text(b, 1000, options); /* repeated */
	assert_int_equal(b->seen.sip, 1);
	send_text(b, 1000 + (uint32_t)len, "\r\n\r\n");
	send_text(b, 1004 + (uint32_t)len, options);
	assert_int_equal(b->seen.sip, 2);
	send_tcp(b, 1004 + 2 * (uint32_t)len, 17, "", 0);
	assert_int_equal(b->seen.fins, 1);
	bench_free(b);
}

static void test_tcp_order(void **state)
{
	uint32_t len = (uint32_t)strlen(options);
	struct bench *b = bench_new(RAW);

	send_tcp(b, UINT32_MAX - 50, 2, "", 0); /* the numbers wrap within the first message */
	send_tcp(b, UINT32_MAX - 49 + len + 40, 16, options + 40, len - 40);
	send_tcp(b, UINT32_MAX - 49 + 30, 16, options + 30, len - 30);
	send_tcp(b, UINT32_MAX - 49 + len, 16, options, 50);
	assert_int_equal(b->seen.sip, 0);
	send_tcp(b, UINT32_MAX - 49, 16, options, 40);
	assert_int_equal(b->seen.sip, 2);
	assert_int_equal(b->seen.gaps, 0);
	bench_free(b);
}

/* A hole that never closes costs what it holds, and no more. */
static void test_tcp_hole(void **state)
{
	uint32_t len = (uint32_t)strlen(options), at = 1000;
	struct bench *b = bench_new(RAW);

	send_text(b, at, options);
	at += len + 7;
	for (int i = 0; i < 200; i++, at += len)
		send_text(b, at, options);
	assert_int_equal(b->seen.sip, 201);
	assert_int_equal(b->seen.gaps, 1);
	bench_free(b);
}

static void test_tcp_hole_at_the_end(void **state)
{
	uint32_t len = (uint32_t)strlen(options);
	struct bench *b = bench_new(RAW);
	struct seen seen;

	send_text(b, 1000, options);
	send_text(b, 1000 + len + 7, options);
	send_tcp(b, 1000 + 2 * len + 7, 16, options, 40); /* and what the file has not whole */
	assert_int_equal(b->seen.sip, 1);
	capture_free(&b->capture);
	seen = b->seen;
	assert_int_equal(seen.gaps, 1);
	assert_int_equal(seen.sip, 3);
	assert_int_equal(seen.length, 40);
	assert_true(seen.where.snapped);
	free(b);
}

static void test_tcp_reset_and_reuse(void **state)
{
	struct bench *b = bench_new(RAW);

	send_tcp(b, 0, 2, "", 0);
	send_tcp(b, 1, 16, options, 30);
	send_tcp(b, 31, 4, "", 0);
	assert_int_equal(b->seen.rsts, 1);
	send_tcp(b, 50000, 2, "", 0);
	send_text(b, 50001, options);
	assert_int_equal(b->seen.sip, 1);
	send_tcp(b, 70000, 2, "", 0); /* the ports again, without an end of the old */
	send_text(b, 70001, options);
	assert_int_equal(b->seen.sip, 2);
	bench_free(b);
}

static void test_tls(void **state)
{
	struct bench *b = bench_new(RAW);

	send_tcp(b, 1, 16, "\x16\x03\x01\x00\x02zz\x15\x03\x03\x00\x02\x02\x30", 14);
	assert_int_equal(b->seen.records, 2);
	assert_int_equal(b->seen.alert, 0x0230); /* fatal, unknown CA */
	assert_int_equal(b->report.tls_bytes, 4);
	bench_free(b);
}

static void test_websocket(void **state)
{
	static struct packet frame;
	size_t len = strlen(options);
	uint32_t at = 1;
	const char *hello = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
	struct bench *b = bench_new(RAW);

	send_text(b, at, hello);
	at += (uint32_t)strlen(hello);
	put16(&frame, 0x0180 | 30); /* text, more frames follow; masked */
	put_str(&frame, "abcd");
	for (size_t i = 0; i < 30; i++)
		put8(&frame, (unsigned char)options[i] ^ (unsigned char)"abcd"[i % 4]);
	put16(&frame, 0x8980); /* a ping in between, empty */
	put32(&frame, 0);
	put16(&frame, 0x8000 | 126);
	put16(&frame, (unsigned)(len - 30));
	put(&frame, options + 30, len - 30);
	send_tcp(b, at, 16, frame.bytes, frame.len);
	assert_int_equal(b->seen.sip, 1);
	assert_int_equal(b->seen.transport, CAPTURE_WS);
	assert_message(b, options);
	frame.len = 0;
	bench_free(b);
}

static void test_tpkt(void **state)
{
	struct bench *b = bench_new(RAW);

	send_tcp(b, 1, 16, "\3\0\0\10wxyz\3\0\0\7ab", 14);
	assert_int_equal(b->seen.tpkts, 1);
	assert_message(b, "wxyz");
	send_tcp(b, 15, 16, "c", 1);
	assert_int_equal(b->seen.tpkts, 2);
	assert_message(b, "abc");
	bench_free(b);
}

/* ---- ICMP ------------------------------------------------------------------------------------------------ */

static void test_icmp(void **state)
{
	static struct packet p;
	char text[NET_ADDR_TEXT];
	struct bench *b = bench_new(RAW);

	put_ip4(&p, 1, 1, 0, 8 + 28 + 6);
	put16(&p, 0x0303);
	put16(&p, 0);
	put32(&p, 0);
	put_ip4(&p, 17, 1, 0, 8 + 900);
	put_udp(&p, 5060, 5099, 900);
	put_str(&p, "INVITE");
	deliver(b, &p);
	assert_int_equal(b->seen.icmps, 1);
	assert_int_equal(b->seen.icmp.type, 3);
	assert_int_equal(b->seen.icmp.code, 3);
	assert_true(b->seen.icmp.udp);
	assert_string_equal(net_addr_format(&b->seen.icmp.dst, text), TO ":5099");
	assert_string_equal(b->seen.quoted, "INVITE");

	put_ip6(&p, 58, 8 + 48);
	put32(&p, 0x01040000);
	put32(&p, 0);
	put_ip6(&p, 17, 8);
	put_udp(&p, 5060, 5099, 0);
	deliver(b, &p);
	assert_int_equal(b->seen.icmps, 2);
	assert_int_equal(b->seen.icmp.type, 1);

	put_ip4(&p, 1, 1, 0, 8 + 4); /* an echo is no complaint */
	put32(&p, 0x08000000);
	put32(&p, 0);
	put32(&p, 0);
	deliver(b, &p);
	assert_int_equal(b->seen.icmps, 2);
	bench_free(b);
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static void write_file(char *path, const void *bytes, size_t len)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void test_files(void **state)
{
	static const unsigned char head[24] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0,  0,
						0,    0,    0,    0,    0, 0, 0, 4, 0, RAW };
	static struct packet p;
	struct capture_report report;
	struct capture_sink sink = { .arg = NULL };
	char why[300];
	char empty[] = "/tmp/causeway-capture-XXXXXX", none[] = "/tmp/causeway-capture-XXXXXX",
	     torn[] = "/tmp/causeway-capture-XXXXXX";

	assert_int_equal(capture_read("/nowhere/x.pcap", &sink, &report, why, sizeof(why)),
			 -ENOENT);
	assert_non_null(strstr(why, "/nowhere/x.pcap"));
	assert_int_equal(capture_read("/tmp", &sink, &report, why, sizeof(why)), -EISDIR);

	write_file(none, "this is no capture at all", 25);
	assert_int_equal(capture_read(none, &sink, &report, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, none));

	write_file(empty, head, sizeof(head));
	assert_int_equal(capture_read(empty, &sink, &report, why, sizeof(why)), 0);
	assert_int_equal(report.packets, 0);
	assert_false(report.truncated);

	put(&p, head, sizeof(head));
	put(&p, "\1\0\0\0\0\0\0\0\x1d\0\0\0\x1d\0\0\0", 16);
	put_udp4(&p, 1, 2, "x");
	put(&p, "\1\0\0\0\0\0\0\0\x1d\0\0\0\x1d\0\0\0half", 20);
	write_file(torn, p.bytes, p.len);
	assert_int_equal(capture_read(torn, &sink, &report, why, sizeof(why)), 0);
	assert_int_equal(report.packets, 1);
	assert_int_equal(report.datagrams, 1);
	assert_true(report.truncated);
	assert_non_null(strstr(report.trouble, "after frame 1"));
	unlink(none);
	unlink(empty);
	unlink(torn);
}

static void put_le32(struct packet *p, uint32_t v)
{
	put8(p, v & 255);
	put8(p, v >> 8 & 255);
	put8(p, v >> 16 & 255);
	put8(p, v >> 24);
}

static void count_datagram(void *arg, const struct capture_where *where, struct span payload,
			   uint32_t length)
{
	*(uint64_t *)arg = where->utc_us;
}

/* Network Monitor: a head, one frame, its table; and every cut of it. */
static void test_network_monitor(void **state)
{
	static struct packet p, inner;
	uint64_t when = 0;
	struct capture_sink sink = { .arg = &when, .datagram = count_datagram };
	struct capture_report report;
	char why[300];
	size_t whole;

	put_ethernet(&inner, 0x0800);
	put_udp4(&inner, 1, 2, "x");
	put(&p, "GMBU\0\2\1\0", 8);
	put(&p, "\xe7\x07\x0b\0\2\0\x0e\0\x16\0\x0d\0\x14\0\5\0", 16); /* 2023-11-14 22:13:20.005 */
	put_le32(&p, 32 + 16 + (uint32_t)inner.len);
	put_le32(&p, 4);
	put_le32(&p, 1500);
	put_le32(&p, 0);
	put_le32(&p, (uint32_t)inner.len);
	put_le32(&p, (uint32_t)inner.len);
	put(&p, inner.bytes, inner.len);
	put_le32(&p, 32);
	whole = p.len;
	for (size_t len = 32; len <= whole; len++) {
		char path[] = "/tmp/causeway-capture-XXXXXX";

		write_file(path, p.bytes, len);
		assert_int_equal(capture_read(path, &sink, &report, why, sizeof(why)), 0);
		assert_int_equal(report.truncated, len < whole);
		unlink(path);
	}
	assert_int_equal(report.datagrams, 1);
	assert_int_equal(when, 1700000000ull * SEC + 5 * MSEC + 1500);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network_monitor),
		cmocka_unit_test(test_link_layers),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_tunnels_end),
		cmocka_unit_test(test_what_is_sip),
		cmocka_unit_test(test_snapped),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragments_overlap),
		cmocka_unit_test(test_fragment_lost),
		cmocka_unit_test(test_ip6_fragments),
		cmocka_unit_test(test_tcp_pieces),
		cmocka_unit_test(test_tcp_order),
		cmocka_unit_test(test_tcp_hole),
		cmocka_unit_test(test_tcp_hole_at_the_end),
		cmocka_unit_test(test_tcp_reset_and_reuse),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_tpkt),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
