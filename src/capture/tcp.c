/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TCP streams, put together and cut into messages. Each direction for itself: a file may hold only one. What comes early
 * waits within bounds; a hole that does not close is stepped over and told, and the next segment that begins like a
 * message takes the stream up again. */
#include "capture/capture_int.h"
#include "sip/sip.h"

#include <stdlib.h>

#define STREAMS_MAX 16384 /* directions followed; the one quiet for longest goes first */
#define HELD_MAX (256u << 10) /* bytes of one direction, unframed or early */
#define LINE_MAX 1024 /* of a first line */
#define EARLY_MAX 128 /* segments that wait for a hole to close */

enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };
enum content { UNKNOWN, IS_SIP, IS_TLS, IS_HTTP, IS_WS, IS_TPKT, IS_OTHER };

struct early {
	struct early *next; /* by sequence */
	struct capture_where where;
	uint32_t sequence, len;
	char bytes[];
};
struct stream {
	struct hash_node node;
	struct list age;
	union net_addr src, dst;
	bool begun; /* `next` is known */
	struct capture_where where; /* of its latest segment */
	enum content content;
	uint32_t next; /* sequence number awaited */
	struct early *early;
	unsigned n_early;
	uint32_t early_bytes;
	struct buf held; /* not framed yet */
	struct buf text; /* of a WebSocket message in several frames */
};
struct streams {
	struct hash_table table;
	struct hash_key key;
	struct list by_age; /* quietest first */
};

int tcp_streams_new(struct streams **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	list_init(&(*out)->by_age);
	rng_bytes(&(*out)->key, sizeof((*out)->key));
	return hash_table_init(&(*out)->table, 256);
}

static void drop_early(struct stream *s)
{
	while (s->early) {
		struct early *gone = s->early;

		s->early = gone->next;
		free(gone);
	}
	s->n_early = 0;
	s->early_bytes = 0;
}

static void stream_free(struct streams *all, struct stream *s)
{
	hash_table_del(&all->table, &s->node);
	list_del(&s->age);
	drop_early(s);
	buf_free(&s->held);
	buf_free(&s->text);
	free(s);
}

static uint64_t hash_of(const struct streams *all, const struct capture_where *w)
{
	union net_addr pair[2] = { w->src, w->dst };

	return hash_bytes(&all->key, pair, sizeof(pair));
}

static struct stream *stream_of(struct capture *c, bool make)
{
	struct streams *all = c->streams;
	uint64_t hash = hash_of(all, &c->where);
	struct stream *s;

	for (struct hash_node *n = hash_table_find(&all->table, hash); n; n = hash_next(n)) {
		s = container_of(n, struct stream, node);
		if (net_addr_eq(&s->src, &c->where.src) && net_addr_eq(&s->dst, &c->where.dst)) {
			list_del(&s->age);
			list_add_tail(&all->by_age, &s->age);
			return s;
		}
	}
	if (!make)
		return NULL;
	if (all->table.count >= STREAMS_MAX)
		stream_free(all, list_entry(all->by_age.next, struct stream, age));
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->src = c->where.src;
	s->dst = c->where.dst;
	s->held = BUF_INIT(HELD_MAX);
	s->text = BUF_INIT(HELD_MAX);
	hash_table_add(&all->table, &s->node, hash);
	list_add_tail(&all->by_age, &s->age);
	return s;
}

/* ---- framing ---------------------------------------------------------------------------------- */

/* Each returns how many bytes of `bytes` are done with; 0 = more are needed; -1 = this is not what it was taken for. */

static ssize_t frame_sip(struct capture *c, struct stream *s, struct span bytes)
{
	bool pong = false;
	size_t skip = 0;
	ssize_t n = sip_frame(bytes, &skip, &pong);

	if (skip)
		return (ssize_t)skip;
	if (n <= 0)
		return n < 0 ? -1 : 0;
	capture_hand_sip(c, CAPTURE_TCP, span_head(bytes, (size_t)n));
	return n;
}

static ssize_t frame_tls(struct capture *c, struct stream *s, struct span bytes)
{
	unsigned type, length;
	int alert = 0;

	if (bytes.len < 5)
		return 0;
	type = read_u8(bytes, 0);
	length = read_u16(bytes, 3);
	if (type < 20 || type > 24 || read_u8(bytes, 1) != 3)
		return -1;
	if (bytes.len < 5 + length)
		return 0;
	if (type == 21 && length == 2) /* else it is encrypted */
		alert = (int)read_u16(bytes, 5);
	c->report->tls_bytes += length;
	capture_tell_tcp(c, CAPTURE_TLS_RECORD, (int)type, alert);
	return (ssize_t)(5 + length);
}

static ssize_t frame_tpkt(struct capture *c, struct stream *s, struct span bytes)
{
	size_t length;

	if (bytes.len < 4)
		return 0;
	length = read_u16(bytes, 2);
	if (read_u8(bytes, 0) != 3 || length < 4)
		return -1;
	if (bytes.len < length)
		return 0;
	c->report->tpkts++;
	if (c->sink.tpkt && length > 4)
		c->sink.tpkt(c->sink.arg, &c->where, span_skip(span_head(bytes, length), 4));
	return (ssize_t)length;
}

/* The handshake of RFC 6455; after it frames come. Any other HTTP is nothing to us. */
static ssize_t frame_http(struct capture *c, struct stream *s, struct span bytes)
{
	static const char upgrade[] = "upgrade: websocket";
	bool found = false;

	for (size_t i = 0; i + 4 <= bytes.len; i++) {
		found |= i + sizeof(upgrade) - 1 <= bytes.len &&
			 span_ieq_bytes(bytes.p + i, upgrade, sizeof(upgrade) - 1);
		if (memcmp(bytes.p + i, "\r\n\r\n", 4) == 0) {
			s->content = found ? IS_WS : IS_OTHER;
			return (ssize_t)(i + 4);
		}
	}
	return bytes.len > 8192 ? -1 : 0;
}

static void unmask(char *bytes, size_t len, const unsigned char mask[4])
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((unsigned char)bytes[i] ^ mask[i % 4]);
}

static ssize_t frame_ws(struct capture *c, struct stream *s, struct span bytes)
{
	unsigned char mask[4] = { 0 };
	size_t head = 2, length;
	bool last, masked;
	unsigned opcode;

	if (bytes.len < 2)
		return 0;
	last = read_u8(bytes, 0) & 0x80;
	opcode = read_u8(bytes, 0) & 15;
	masked = read_u8(bytes, 1) & 0x80;
	length = read_u8(bytes, 1) & 0x7f;
	if (length == 127) /* 64 bits of length: larger than any message */
		return -1;
	if (length == 126) {
		if (bytes.len < 4)
			return 0;
		length = read_u16(bytes, 2);
		head = 4;
	}
	if (masked) {
		if (bytes.len < head + 4)
			return 0;
		memcpy(mask, bytes.p + head, 4);
		head += 4;
	}
	if (bytes.len < head + length)
		return 0;
	if (opcode <= 2) {
		if (opcode)
			buf_reset(&s->text);
		buf_add(&s->text, bytes.p + head, length);
		if (masked && !s->text.failed)
			unmask(s->text.p + s->text.len - length, length, mask);
		if (last && !s->text.failed && sip_starts(buf_span(&s->text)))
			capture_hand_sip(c, CAPTURE_WS, buf_span(&s->text));
	}
	return (ssize_t)(head + length);
}

static enum content guess(struct span bytes)
{
	if (sip_starts(bytes))
		return IS_SIP;
	if (bytes.len >= 3 && read_u8(bytes, 0) >= 20 && read_u8(bytes, 0) <= 24 &&
	    read_u8(bytes, 1) == 3 && read_u8(bytes, 2) <= 4)
		return IS_TLS;
	if (span_starts(bytes, SPAN("GET ")) || span_starts(bytes, SPAN("HTTP/1.1 ")))
		return IS_HTTP;
	if (bytes.len >= 4 && read_u16(bytes, 0) == 0x0300 && read_u16(bytes, 2) >= 7)
		return IS_TPKT;
	return UNKNOWN;
}

/* Too little of it yet: a few bytes, or a first line in text that has not ended. */
static bool may_yet_be(struct span bytes)
{
	return bytes.len < 4 || (bytes.len < LINE_MAX && bytes.p[0] >= ' ' && bytes.p[0] < 0x7f &&
				 span_find(bytes, '\n') == bytes.len);
}

/* Line ends between messages keep a connection alive (RFC 5626 3.5.1). */
static struct span without_line_ends(struct span bytes)
{
	while (bytes.len && (bytes.p[0] == '\r' || bytes.p[0] == '\n'))
		bytes = span_skip(bytes, 1);
	return bytes;
}

static ssize_t frame_one(struct capture *c, struct stream *s, struct span bytes)
{
	static ssize_t (*const framers[])(struct capture * c, struct stream * s,
					  struct span bytes) = {
		[IS_SIP] = frame_sip, [IS_TLS] = frame_tls,   [IS_HTTP] = frame_http,
		[IS_WS] = frame_ws,   [IS_TPKT] = frame_tpkt,
	};

	if (s->content == UNKNOWN)
		s->content = guess(bytes);
	if (s->content == UNKNOWN)
		return may_yet_be(bytes) ? 0 : -1;
	if (s->content == IS_OTHER)
		return -1;
	return framers[s->content](c, s, bytes);
}

static void frame_all(struct capture *c, struct stream *s)
{
	struct span rest = buf_span(&s->held);
	bool hopeless = s->held.failed;

	while (rest.len && !hopeless) {
		ssize_t n;

		if (s->content == UNKNOWN || s->content == IS_SIP)
			rest = without_line_ends(rest);
		if (!rest.len)
			break;
		n = frame_one(c, s, rest);
		if (n == 0)
			break;
		hopeless = n < 0;
		if (n > 0)
			rest = span_skip(rest, (size_t)n);
	}
	if (hopeless) { /* the next segment may begin like a message again */
		if (s->content != IS_OTHER && s->content != IS_WS)
			s->content = UNKNOWN;
		buf_reset(&s->held);
		return;
	}
	memmove(s->held.p, rest.len ? rest.p : s->held.p, rest.len);
	s->held.len = rest.len;
}

/* ---- sequence ------------------------------------------------------------------------------------ */

static void take(struct capture *c, struct stream *s, uint32_t sequence, struct span bytes)
{
	uint32_t old = s->next - sequence;

	bytes = span_skip(bytes, old); /* what came before already */
	s->next += (uint32_t)bytes.len;
	buf_add_span(&s->held, bytes);
	frame_all(c, s);
}

/* Sequence numbers wrap: a is before b when the difference is negative as a signed number. */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static void take_early(struct capture *c, struct stream *s)
{
	while (s->early && !before(s->next, s->early->sequence)) {
		struct early *e = s->early;

		s->early = e->next;
		s->n_early--;
		s->early_bytes -= e->len;
		if (c->where.utc_us < e->where.utc_us)
			c->where = e->where;
		if (before(s->next, e->sequence + e->len))
			take(c, s, e->sequence, (struct span){ e->bytes, e->len });
		free(e);
	}
}

/* Step over a hole: what is held of a message is lost. */
static void skip_hole(struct capture *c, struct stream *s)
{
	capture_tell_tcp(c, CAPTURE_GAP, (int)(s->early->sequence - s->next), 0);
	buf_reset(&s->held);
	if (s->content != IS_OTHER)
		s->content = UNKNOWN;
	s->next = s->early->sequence;
	take_early(c, s);
}

/* Nothing more will come: what waits for a hole to close, and what there is of a last message. */
static void finish(struct capture *c, struct stream *s)
{
	while (s->early) {
		c->where = s->early->where;
		skip_hole(c, s);
	}
	if (s->content == IS_SIP && s->held.len) {
		c->where = s->where;
		c->where.snapped = true;
		capture_hand_sip(c, CAPTURE_TCP, buf_span(&s->held));
	}
}

void tcp_streams_free(struct capture *c)
{
	struct streams *all = c->streams;

	if (!all)
		return;
	while (!list_empty(&all->by_age)) {
		struct stream *s = list_entry(all->by_age.next, struct stream, age);

		finish(c, s);
		stream_free(all, s);
	}
	hash_table_free(&all->table);
	free(all);
	c->streams = NULL;
}

static void keep_early(struct capture *c, struct stream *s, uint32_t sequence, struct span bytes)
{
	struct early **at = &s->early, *e = malloc(sizeof(*e) + bytes.len);

	if (!e)
		return;
	e->where = c->where;
	e->sequence = sequence;
	e->len = (uint32_t)bytes.len;
	memcpy(e->bytes, bytes.p, bytes.len);
	while (*at && before((*at)->sequence, sequence))
		at = &(*at)->next;
	e->next = *at;
	*at = e;
	s->n_early++;
	s->early_bytes += e->len;
	if (s->n_early > EARLY_MAX || s->early_bytes > HELD_MAX)
		skip_hole(c, s);
}

static void data(struct capture *c, struct stream *s, uint32_t sequence, struct span bytes)
{
	if (!s->begun) {
		s->begun = true;
		s->next = sequence;
	}
	if (!before(s->next, sequence + (uint32_t)bytes.len))
		return; /* repeated */
	if (before(s->next, sequence)) {
		keep_early(c, s, sequence, bytes);
		return;
	}
	take(c, s, sequence, bytes);
	take_early(c, s);
}

static void tell_flags(struct capture *c, unsigned flags)
{
	if (flags & FLAG_RST)
		capture_tell_tcp(c, CAPTURE_RST, 0, 0);
	else if (flags & FLAG_SYN)
		capture_tell_tcp(c, flags & FLAG_ACK ? CAPTURE_SYN_ACK : CAPTURE_SYN, 0, 0);
	if (flags & FLAG_FIN)
		capture_tell_tcp(c, CAPTURE_FIN, 0, 0);
}

/* A new connection on the ports of an old one begins anew. */
static void restart(struct stream *s, uint32_t sequence)
{
	drop_early(s);
	buf_reset(&s->held);
	buf_reset(&s->text);
	s->content = UNKNOWN;
	s->begun = true;
	s->next = sequence + 1;
}

void tcp_segment(struct capture *c, struct span bytes)
{
	uint32_t sequence;
	unsigned flags;
	size_t head;
	struct stream *s;

	if (bytes.len < 20) {
		c->report->malformed++;
		return;
	}
	net_addr_set_port(&c->where.src, (uint16_t)read_u16(bytes, 0));
	net_addr_set_port(&c->where.dst, (uint16_t)read_u16(bytes, 2));
	sequence = read_u32(bytes, 4);
	head = (read_u8(bytes, 12) >> 4) * 4u;
	flags = read_u8(bytes, 13);
	if (head < 20 || head > bytes.len) {
		c->report->malformed++;
		return;
	}
	bytes = span_skip(bytes, head);
	s = stream_of(c, bytes.len || (flags & FLAG_SYN));
	if (s && (flags & FLAG_SYN)) {
		/* A repeated SYN of the connection that has begun changes nothing. */
		if (!s->begun || s->next != sequence + 1)
			restart(s, sequence);
		sequence++;
	}
	tell_flags(c, flags);
	if (s && bytes.len) {
		s->where = c->where;
		data(c, s, sequence, bytes);
	}
	if (s && (flags & FLAG_RST))
		stream_free(c->streams, s);
}
