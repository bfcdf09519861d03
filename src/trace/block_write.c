/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks as they stand in a segment (see trace_int.h). Written once, by the thread on which the thing happened: no
 * allocation, each byte touched once. Over IPv4 a UDP checksum may be left out (RFC 768) and is; other packets have theirs. */
#include "trace/trace_int.h"

#include <endian.h>
#include <netinet/in.h>

#define TYPE_SHB 0x0A0D0D0Au
#define TYPE_IDB 1u
#define TYPE_EPB 6u
#define TYPE_JOURNAL 9u
#define LINKTYPE_RAW 101u
#define SNAPLEN 262144u
#define OPT_COMMENT 1
#define OPT_USERAPPL 4
#define OPT_FLAGS 2

#define IP_PACKET_MAX 65535u
#define IP4_HEADER 20u
#define IP6_HEADER 40u
#define TCP_HEADER 20u
/* How much of a message one packet holds. */
#define PAYLOAD_MAX_IP4 (IP_PACKET_MAX - IP4_HEADER - TCP_HEADER)
#define PAYLOAD_MAX_IP6 (IP_PACKET_MAX - IP6_HEADER - TCP_HEADER)

struct epb_head {
	uint32_t type, total, interface, time_high, time_low, captured, original;
};
struct epb_tail {
	uint16_t flags_code, flags_len;
	uint32_t flags;
	uint16_t comment_code, comment_len;
	char comment[TRACE_COMMENT_LEN];
	uint32_t end_of_options, total;
};
_Static_assert(sizeof(struct epb_head) == 28 && sizeof(struct epb_tail) == 68, "no padding");

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* ---- the head of a segment ------------------------------------------------------------------- */

static char *put(char *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

static char *put_u16(char *p, unsigned value)
{
	uint16_t v = (uint16_t)value;

	return put(p, &v, sizeof(v));
}

static char *put_u32(char *p, uint32_t value)
{
	return put(p, &value, sizeof(value));
}

size_t block_write_head(void *dst, size_t size, const char *product)
{
	size_t name = strlen(product), shb = 28 + 4 + padded(name) + 4;
	static const uint64_t not_known = UINT64_MAX; /* the section's length */
	char *p = dst;

	if (name > UINT16_MAX || shb + 20 > size)
		return 0;
	memset(dst, 0, shb + 20);
	p = put_u32(p, TYPE_SHB);
	p = put_u32(p, (uint32_t)shb);
	p = put_u32(p, 0x1A2B3C4Du);
	p = put_u16(p, 1);
	p = put_u16(p, 0);
	p = put(p, &not_known, sizeof(not_known));
	p = put_u16(p, OPT_USERAPPL);
	p = put_u16(p, (unsigned)name);
	put(p, product, name);
	put_u32((char *)dst + shb - 4, (uint32_t)shb);
	p = put_u32((char *)dst + shb, TYPE_IDB);
	p = put_u32(p, 20);
	p = put_u32(p, LINKTYPE_RAW);
	p = put_u32(p, SNAPLEN);
	put_u32(p, 20);
	return shb + 20;
}

/* ---- messages --------------------------------------------------------------------------------- */

/* What all packets of a message share. Addresses and ports in the network's order. */
struct packet {
	bool ip6, tcp;
	bool last; /* of its message */
	unsigned char from[16], to[16];
	uint16_t from_port, to_port;
	uint32_t sequence;
};

static void read_address(const struct sockaddr *sa, bool ip6, unsigned char *address,
			 uint16_t *port)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in4 = (const void *)sa;

	if (sa->sa_family == AF_INET6) {
		memcpy(address, &in6->sin6_addr, 16);
		*port = in6->sin6_port;
		return;
	}
	*port = in4->sin_port;
	if (!ip6) {
		memcpy(address, &in4->sin_addr, 4);
		return;
	}
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	memcpy(address + 12, &in4->sin_addr, 4);
}

static bool is_ip6(const struct trace_wire *wire)
{
	return wire->from->sa_family == AF_INET6 || wire->to->sa_family == AF_INET6;
}

/* RFC 1071, for an even `len` but for the last piece; not folded. */
static uint64_t sum(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint32_t word = 0;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p, len);
	return sum + word;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* RFC 768, RFC 9293 3.1: over a pseudo-header, the header (its checksum still 0) and the bytes. */
static void put_checksum(const struct packet *packet, unsigned char *transport, size_t len)
{
	unsigned address = packet->ip6 ? 16 : 4, place = packet->tcp ? 16 : 6;
	uint64_t s =
		(uint64_t)htons((uint16_t)len) + htons(packet->tcp ? IPPROTO_TCP : IPPROTO_UDP);
	uint16_t checksum;

	s = sum(s, packet->from, address);
	s = sum(s, packet->to, address);
	checksum = fold(sum(s, transport, len));
	if (!checksum && !packet->tcp)
		checksum = 0xffff;
	memcpy(transport + place, &checksum, 2);
}

static void put_be16(unsigned char *p, size_t value)
{
	p[0] = (unsigned char)(value >> 8);
	p[1] = (unsigned char)value;
}

static uint32_t halves(const unsigned char *address)
{
	return (uint32_t)(address[0] << 8 | address[1]) + (uint32_t)(address[2] << 8 | address[3]);
}

static void put_ip6(unsigned char *p, const struct packet *packet, unsigned proto, size_t len)
{
	memset(p, 0, 8);
	p[0] = 0x60;
	put_be16(p + 4, len);
	p[6] = (unsigned char)proto;
	p[7] = 64;
	memcpy(p + 8, packet->from, 16);
	memcpy(p + 24, packet->to, 16);
}

/* The checksum is reckoned from what is known: to read the header back would wait for every store before it. */
static void put_ip4(unsigned char *p, const struct packet *packet, unsigned proto, size_t len)
{
	unsigned total = 20 + (unsigned)len, not_fragmented = 0x4000, life = 64u << 8 | proto;
	uint16_t checksum = fold(0x4500 + total + not_fragmented + life + halves(packet->from) +
				 halves(packet->to));

	put_be16(p, 0x4500);
	put_be16(p + 2, total);
	put_be16(p + 4, 0);
	put_be16(p + 6, not_fragmented);
	put_be16(p + 8, life);
	put_be16(p + 10, checksum);
	memcpy(p + 12, packet->from, 4);
	memcpy(p + 16, packet->to, 4);
}

/* `len`: of what follows the IP header. Returns the header's length. */
static size_t put_ip(unsigned char *p, const struct packet *packet, size_t len)
{
	unsigned proto = packet->tcp ? IPPROTO_TCP : IPPROTO_UDP;

	if (packet->ip6)
		put_ip6(p, packet, proto, len);
	else
		put_ip4(p, packet, proto, len);
	return packet->ip6 ? IP6_HEADER : IP4_HEADER;
}

static size_t put_transport(unsigned char *p, const struct packet *packet, size_t len)
{
	memcpy(p, &packet->from_port, 2);
	memcpy(p + 2, &packet->to_port, 2);
	if (!packet->tcp) {
		put_be16(p + 4, 8 + len);
		put_be16(p + 6, 0);
		return 8;
	}
	put_be16(p + 4, packet->sequence >> 16);
	put_be16(p + 6, packet->sequence & 0xffff);
	memset(p + 8, 0, 12);
	p[11] = 1; /* the other side's bytes are not known here: an acknowledgement that says nothing */
	p[12] = 0x50; /* no options */
	p[13] = packet->last ? 0x18 : 0x10; /* ACK, and PSH with the end of a message */
	put_be16(p + 14, 65535);
	return TCP_HEADER;
}

/* IP packet with these bytes of the message; returns its length. */
static size_t put_packet(unsigned char *p, const struct packet *packet, struct span bytes)
{
	size_t transport = packet->tcp ? TCP_HEADER : 8;
	size_t ip = put_ip(p, packet, transport + bytes.len);

	put_transport(p + ip, packet, bytes.len);
	if (bytes.len)
		memcpy(p + ip + transport, bytes.p, bytes.len);
	if (packet->tcp || packet->ip6)
		put_checksum(packet, p + ip, transport + bytes.len);
	return ip + transport + bytes.len;
}

static const char *proto_name(enum trace_proto proto)
{
	return proto == TRACE_UDP ? "udp" : proto == TRACE_TCP ? "tcp" : "tls";
}

static const struct epb_tail tail_of_all = {
	.flags_code = OPT_FLAGS,
	.flags_len = 4,
	.comment_code = OPT_COMMENT,
	.comment_len = TRACE_COMMENT_LEN,
	.comment = "call=---------------- leg=- attempt=-- proto=---",
};

/* One EPB around a packet. Everything goes straight to its place. */
static size_t put_block(char *dst, const struct trace_wire *wire, const struct packet *packet,
			struct span bytes)
{
	size_t captured = put_packet((unsigned char *)dst + sizeof(struct epb_head), packet, bytes);
	size_t total = sizeof(struct epb_head) + padded(captured) + sizeof(struct epb_tail);
	char *p = dst;

	p = put_u32(p, TYPE_EPB);
	p = put_u32(p, (uint32_t)total);
	p = put_u32(p, 0);
	p = put_u32(p, (uint32_t)(wire->utc_us >> 32));
	p = put_u32(p, (uint32_t)wire->utc_us);
	p = put_u32(p, (uint32_t)captured);
	p = put_u32(p, (uint32_t)captured) + captured;
	for (; captured & 3; captured++)
		*p++ = 0;
	memcpy(p, &tail_of_all, sizeof(tail_of_all));
	put_u32(p + offsetof(struct epb_tail, flags), wire->sent ? 2 : 1);
	put(p + offsetof(struct epb_tail, comment) + 45, proto_name(wire->proto), 3);
	put_u32(p + offsetof(struct epb_tail, total), (uint32_t)total);
	return total;
}

size_t block_message_room(const struct trace_wire *wire, size_t len)
{
	size_t packets = 1 + (is_ip6(wire) ? len / PAYLOAD_MAX_IP6 : len / PAYLOAD_MAX_IP4);

	return len + packets * (sizeof(struct epb_head) + IP6_HEADER + TCP_HEADER + 3 +
				sizeof(struct epb_tail));
}

size_t block_write_message(void *dst, const struct trace_wire *wire, struct span message,
			   uint32_t *sequence)
{
	size_t most = is_ip6(wire) ? PAYLOAD_MAX_IP6 : PAYLOAD_MAX_IP4, len = 0;
	struct packet packet = { .ip6 = is_ip6(wire),
				 .tcp = wire->proto != TRACE_UDP || message.len > most };

	read_address(wire->from, packet.ip6, packet.from, &packet.from_port);
	read_address(wire->to, packet.ip6, packet.to, &packet.to_port);
	do {
		struct span bytes = span_head(message, most);

		packet.sequence = *sequence;
		packet.last = bytes.len == message.len;
		len += put_block((char *)dst + len, wire, &packet, bytes);
		if (packet.tcp)
			*sequence += (uint32_t)bytes.len;
		message = span_skip(message, bytes.len);
	} while (message.len);
	return len;
}

/* Eight hex digits at once: a nibble to a byte, each then a digit or a letter. */
static void put_hex8(char *dst, uint32_t value)
{
	uint64_t n = value, letters;

	n = (n << 16 | n) & 0x0000ffff0000ffffull;
	n = (n << 8 | n) & 0x00ff00ff00ff00ffull;
	n = (n << 4 | n) & 0x0f0f0f0f0f0f0f0full;
	letters = (n + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull;
	n = htobe64(n + 0x3030303030303030ull + letters * ('a' - '0' - 10));
	memcpy(dst, &n, sizeof(n));
}

static void put_hex(char *dst, uint64_t value)
{
	put_hex8(dst, (uint32_t)(value >> 32));
	put_hex8(dst + 8, (uint32_t)value);
}

static void stamp(char *comment, uint64_t call, char leg, unsigned attempt)
{
	if (call)
		put_hex(comment + 5, call);
	if (leg)
		comment[26] = leg;
	if (!attempt)
		return;
	attempt = attempt < 99 ? attempt : 99;
	comment[36] = (char)('0' + attempt / 10);
	comment[37] = (char)('0' + attempt % 10);
}

void block_stamp_message(void *block, size_t len, uint64_t call, char leg, unsigned attempt)
{
	char *start = block, *p = start + len;
	uint32_t total;

	/* From the end: the beginnings need not be fetched. */
	for (; p > start; p -= total) {
		memcpy(&total, p - sizeof(total), sizeof(total));
		stamp(p - sizeof(struct epb_tail) + offsetof(struct epb_tail, comment), call, leg,
		      attempt);
	}
}

/* ---- notes ------------------------------------------------------------------------------------- */

#define NOTE_ROOM 340u /* all that is always there, and the names of the values */
#define VALUE_ROOM 10u /* a binary value's length and line ends */
#define FIELD_PREFIX "CAUSEWAY_F_"

static size_t value_room(struct span value)
{
	return VALUE_ROOM + (value.len < TRACE_VALUE_MAX ? value.len : TRACE_VALUE_MAX);
}

size_t block_note_room(const struct trace_note *note)
{
	size_t room = NOTE_ROOM + value_room(note->text) + value_room(note->object) +
		      value_room(note->sip_call_id);

	for (unsigned i = 0; i < note->n_fields; i++)
		room += sizeof(FIELD_PREFIX) + TRACE_NAME_MAX + value_room(note->fields[i].value);
	return room;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

/* After the name: "=value", or, when it holds line ends, a line end, eight bytes of length and the value. */
static char *put_value(char *p, struct span value)
{
	uint64_t len;

	value = span_head(value, TRACE_VALUE_MAX);
	if (!value.len || !memchr(value.p, '\n', value.len)) {
		*p++ = '=';
	} else {
		len = value.len;
		*p++ = '\n';
		p = put(p, &len, sizeof(len));
	}
	if (value.len)
		p = put(p, value.p, value.len);
	*p++ = '\n';
	return p;
}

static char *put_field(char *p, const struct trace_field *field)
{
	if (!field->value.len)
		return p;
	p = PUT(p, FIELD_PREFIX);
	for (unsigned i = 0; i < TRACE_NAME_MAX && field->name[i]; i++)
		*p++ = (char)(field->name[i] & ~((field->name[i] & 0x40) >> 1)); /* a to z */
	return put_value(p, field->value);
}

static char *put_u64(char *p, uint64_t value)
{
	return p + fmt_u64(p, value);
}

/* Whose note: call, leg, attempt. */
static char *put_whose(char *p, const struct trace_note *note)
{
	if (note->call) {
		p = PUT(p, "CAUSEWAY_CALL=");
		put_hex(p, note->call);
		p[16] = '\n';
		p += 17;
	}
	if (note->leg) {
		p = PUT(p, "CAUSEWAY_LEG=");
		*p++ = note->leg;
		*p++ = '\n';
	}
	if (note->attempt) {
		p = PUT(p, "CAUSEWAY_ATTEMPT=");
		p = put_u64(p, note->attempt);
		*p++ = '\n';
	}
	return p;
}

static char *put_entry(char *p, const struct trace_note *note)
{
	p = PUT(p, "__REALTIME_TIMESTAMP=");
	p = put_u64(p, note->utc_us);
	*p++ = '\n';
	if (note->text.len) {
		p = PUT(p, "MESSAGE");
		p = put_value(p, note->text);
	}
	p = PUT(p, "PRIORITY=6\nSYSLOG_IDENTIFIER=causeway\nCAUSEWAY_KIND");
	p = put_value(p, span_of(trace_kind_name(note->kind)));
	p = put_whose(p, note);
	if (note->object.len) {
		p = PUT(p, "CAUSEWAY_OBJECT");
		p = put_value(p, note->object);
	}
	if (note->sip_call_id.len) {
		p = PUT(p, "CAUSEWAY_SIP_CALL_ID");
		p = put_value(p, note->sip_call_id);
	}
	for (unsigned i = 0; i < note->n_fields; i++)
		p = put_field(p, &note->fields[i]);
	return p;
}

size_t block_write_note(void *dst, const struct trace_note *note)
{
	char *start = dst, *end = put_entry(start + 8, note);
	size_t total = padded((size_t)(end - start)) + 4;

	put_u32(start, TYPE_JOURNAL);
	put_u32(start + 4, (uint32_t)total);
	memset(end, 0, start + total - 4 - end > 0 ? (size_t)(start + total - 4 - end) : 0);
	put_u32(start + total - 4, (uint32_t)total);
	return total;
}
