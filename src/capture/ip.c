/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IP of both versions, and what stands in it: UDP, ICMP, and packets within packets. */
#include "capture/capture_int.h"

#include <netinet/in.h>
#include <pcap/dlt.h>

#define PORT_GTP 2152
#define PORT_VXLAN 4789

enum {
	GRE_IP4 = 0x0800,
	GRE_IP6 = 0x86dd,
	GRE_ETHERNET = 0x6558,
	GRE_ERSPAN = 0x88be,
	GRE_PPP = 0x880b
};

static void malformed(struct capture *c)
{
	c->report->malformed++;
}

static void set_host(union net_addr *out, sa_family_t family, const char *bytes)
{
	memset(out, 0, sizeof(*out));
	out->sa.sa_family = family;
	if (family == AF_INET)
		memcpy(&out->in4.sin_addr, bytes, 4);
	else
		memcpy(&out->in6.sin6_addr, bytes, 16);
}

static void set_ports(struct capture *c, unsigned from, unsigned to)
{
	net_addr_set_port(&c->where.src, (uint16_t)from);
	net_addr_set_port(&c->where.dst, (uint16_t)to);
}

/* ---- tunnels -------------------------------------------------------------------------------- */

static void gre(struct capture *c, struct span bytes)
{
	size_t head = 4;
	unsigned flags, type;

	if (bytes.len < 4) {
		malformed(c);
		return;
	}
	flags = read_u16(bytes, 0);
	type = read_u16(bytes, 2);
	head += (flags & 0xc000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
	if (flags & 0x0001) /* version 1: PPTP, with an acknowledgement number */
		head += flags & 0x0080 ? 4 : 0;
	bytes = span_skip(bytes, head);
	if (type == GRE_IP4 || type == GRE_IP6)
		ip_packet(c, bytes);
	else if (type == GRE_ETHERNET)
		link_packet(c, DLT_EN10MB, bytes);
	else if (type == GRE_PPP)
		link_packet(c, DLT_PPP, bytes);
	else if (type == GRE_ERSPAN)
		link_packet(c, DLT_EN10MB, span_skip(bytes, flags & 0x1000 ? 8 : 0));
	else
		c->report->not_ip++;
}

/* A G-PDU of GTPv1-U (3GPP TS 29.281 5.1). */
static bool gtp(struct capture *c, struct span bytes)
{
	size_t head = 8;
	unsigned flags;

	if (bytes.len < 8 || read_u8(bytes, 0) >> 4 != 3 || read_u8(bytes, 1) != 255)
		return false;
	flags = read_u8(bytes, 0) & 7;
	if (flags)
		head += 4;
	if (flags & 4) {
		unsigned next = bytes.len >= head ? read_u8(bytes, head - 1) : 0;

		while (next && bytes.len > head && read_u8(bytes, head)) {
			size_t length = read_u8(bytes, head) * 4u;

			if (bytes.len < head + length)
				return false;
			next = read_u8(bytes, head + length - 1);
			head += length;
		}
	}
	if (bytes.len <= head)
		return false;
	ip_packet(c, span_skip(bytes, head));
	return true;
}

static bool tunnel(struct capture *c, struct span payload)
{
	uint16_t port = net_addr_port(&c->where.dst);

	if (port == PORT_GTP)
		return gtp(c, payload);
	if (port != PORT_VXLAN || payload.len < 8 + 14 || !(read_u8(payload, 0) & 8))
		return false;
	link_packet(c, DLT_EN10MB, span_skip(payload, 8));
	return true;
}

/* ---- transports ------------------------------------------------------------------------------- */

static void udp(struct capture *c, struct span bytes, bool more)
{
	struct span payload;
	uint32_t length;

	if (bytes.len < 8) {
		malformed(c);
		return;
	}
	set_ports(c, read_u16(bytes, 0), read_u16(bytes, 2));
	length = read_u16(bytes, 4);
	payload = span_skip(bytes, 8);
	/* 0: a jumbogram or a sender's offload; the packet's length stands then. */
	if (length >= 8 && payload.len > length - 8)
		payload.len = length - 8;
	else if (length >= 8 && payload.len < length - 8)
		c->where.snapped = true;
	c->where.snapped |= more;
	length = length >= 8 ? length - 8 : (uint32_t)payload.len;
	if (tunnel(c, payload))
		return;
	if (sip_starts(payload)) {
		capture_hand_sip(c, CAPTURE_UDP, payload);
		return;
	}
	c->report->datagrams++;
	if (c->sink.datagram)
		c->sink.datagram(c->sink.arg, &c->where, payload, length);
}

/* The head of the packet that is complained about, and the ports behind it. */
static bool quoted(struct span bytes, struct capture_icmp *out)
{
	size_t head;
	unsigned protocol;

	if (bytes.len >= 20 && read_u8(bytes, 0) >> 4 == 4) {
		head = (read_u8(bytes, 0) & 15) * 4u;
		protocol = read_u8(bytes, 9);
		set_host(&out->src, AF_INET, bytes.p + 12);
		set_host(&out->dst, AF_INET, bytes.p + 16);
	} else if (bytes.len >= 40 && read_u8(bytes, 0) >> 4 == 6) {
		head = 40;
		protocol = read_u8(bytes, 6);
		set_host(&out->src, AF_INET6, bytes.p + 8);
		set_host(&out->dst, AF_INET6, bytes.p + 24);
	} else {
		return false;
	}
	if (head < 20 || bytes.len < head + 8 ||
	    (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP))
		return false;
	out->udp = protocol == IPPROTO_UDP;
	net_addr_set_port(&out->src, (uint16_t)read_u16(bytes, head));
	net_addr_set_port(&out->dst, (uint16_t)read_u16(bytes, head + 2));
	out->payload = span_skip(bytes, head + (out->udp ? 8 : 20));
	return true;
}

static bool is_error(const struct capture *c, unsigned type)
{
	if (c->where.src.sa.sa_family == AF_INET6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

static void icmp(struct capture *c, struct span bytes)
{
	struct capture_icmp said = { .udp = false };

	if (bytes.len < 8) {
		malformed(c);
		return;
	}
	said.type = (uint8_t)read_u8(bytes, 0);
	said.code = (uint8_t)read_u8(bytes, 1);
	if (!is_error(c, said.type) || !quoted(span_skip(bytes, 8), &said))
		return;
	c->report->icmps++;
	if (c->sink.icmp)
		c->sink.icmp(c->sink.arg, &c->where, &said);
}

void ip_payload(struct capture *c, unsigned protocol, struct span bytes, bool more)
{
	switch (protocol) {
	case IPPROTO_UDP:
		udp(c, bytes, more);
		break;
	case IPPROTO_TCP:
		tcp_segment(c, bytes);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		icmp(c, bytes);
		break;
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		ip_packet(c, bytes);
		break;
	case IPPROTO_GRE:
		gre(c, bytes);
		break;
	default:
		c->report->not_ip++;
	}
}

/* ---- IP ---------------------------------------------------------------------------------------- */

/* Cut to the length that the head states; what the file lacks of it makes the packet a snapped one. */
static struct span cut(struct capture *c, struct span bytes, size_t length)
{
	if (length < bytes.len)
		bytes.len = length;
	else if (length > bytes.len)
		c->where.snapped = true;
	return bytes;
}

static void ip4(struct capture *c, struct span bytes)
{
	size_t head, total, offset;
	unsigned fragment, protocol;
	struct span whole;

	if (bytes.len < 20) {
		malformed(c);
		return;
	}
	head = (read_u8(bytes, 0) & 15) * 4u;
	total = read_u16(bytes, 2);
	if (total == 0) /* segmentation left to the network card */
		total = bytes.len + c->missing;
	if (head < 20 || head > bytes.len || total < head) {
		malformed(c);
		return;
	}
	bytes = cut(c, bytes, total);
	c->where.dscp = (uint8_t)(read_u8(bytes, 1) >> 2);
	c->where.ip_id = (uint16_t)read_u16(bytes, 4);
	c->where.ttl = (uint8_t)read_u8(bytes, 8);
	protocol = read_u8(bytes, 9);
	set_host(&c->where.src, AF_INET, bytes.p + 12);
	set_host(&c->where.dst, AF_INET, bytes.p + 16);
	fragment = read_u16(bytes, 6);
	offset = (fragment & 0x1fff) * 8u;
	bytes = span_skip(bytes, head);
	if (!offset && !(fragment & 0x2000))
		ip_payload(c, protocol, bytes, false);
	else if (fragments_add(c, c->where.ip_id, protocol, offset, !(fragment & 0x2000), bytes,
			       &whole))
		ip_payload(c, protocol, whole, false);
}

/* RFC 8200 4: the extension headers that are in use. False: nothing readable is behind them. */
static bool ip6_extensions(struct capture *c, unsigned *next, struct span *bytes)
{
	for (unsigned i = 0; i < 8; i++) {
		size_t length;

		switch (*next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (bytes->len < 8)
				return false;
			length = (read_u8(*bytes, 1) + 1u) * 8;
			break;
		case IPPROTO_AH:
			if (bytes->len < 8)
				return false;
			length = (read_u8(*bytes, 1) + 2u) * 4;
			break;
		default:
			return true;
		}
		if (length > bytes->len)
			return false;
		*next = read_u8(*bytes, 0);
		*bytes = span_skip(*bytes, length);
	}
	return false;
}

static void ip6(struct capture *c, struct span bytes)
{
	unsigned next, piece;
	uint32_t id;
	struct span whole;

	if (bytes.len < 40) {
		malformed(c);
		return;
	}
	c->where.ip_id = 0;
	c->where.dscp = (uint8_t)(read_u16(bytes, 0) >> 6 & 0x3f);
	c->where.ttl = (uint8_t)read_u8(bytes, 7);
	next = read_u8(bytes, 6);
	set_host(&c->where.src, AF_INET6, bytes.p + 8);
	set_host(&c->where.dst, AF_INET6, bytes.p + 24);
	bytes = cut(c, bytes, 40 + (read_u16(bytes, 4) ? read_u16(bytes, 4) : bytes.len - 40));
	bytes = span_skip(bytes, 40);
	if (!ip6_extensions(c, &next, &bytes)) {
		malformed(c);
		return;
	}
	if (next != IPPROTO_FRAGMENT) {
		ip_payload(c, next, bytes, false);
		return;
	}
	if (bytes.len < 8) {
		malformed(c);
		return;
	}
	next = read_u8(bytes, 0);
	piece = read_u16(bytes, 2);
	id = read_u32(bytes, 4);
	if (fragments_add(c, id, next, piece & 0xfff8, !(piece & 1), span_skip(bytes, 8), &whole) &&
	    ip6_extensions(c, &next, &whole))
		ip_payload(c, next, whole, false);
}

void ip_packet(struct capture *c, struct span bytes)
{
	if (!bytes.len || ++c->depth > TUNNELS_MAX) {
		malformed(c);
		return;
	}
	if (read_u8(bytes, 0) >> 4 == 4)
		ip4(c, bytes);
	else if (read_u8(bytes, 0) >> 4 == 6)
		ip6(c, bytes);
	else
		c->report->not_ip++;
}
