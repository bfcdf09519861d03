/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Link layers: what stands before an IP packet is stepped over. */
#include "capture/capture_int.h"

#include <pcap/dlt.h>

#define LINK_IPV4 228
#define LINK_IPV6 229
#define LINK_SLL2 276
#define LINK_RAW 101

enum {
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE = 0x8864
};

static void unknown(struct capture *c)
{
	c->report->not_ip++;
}

static void mpls(struct capture *c, struct span bytes)
{
	bool bottom = false;

	while (!bottom) {
		if (bytes.len < 4) {
			c->report->malformed++;
			return;
		}
		bottom = read_u8(bytes, 2) & 1;
		bytes = span_skip(bytes, 4);
	}
	ip_packet(c, bytes);
}

static void ppp(struct capture *c, struct span bytes)
{
	unsigned protocol;

	if (bytes.len >= 2 && read_u8(bytes, 0) == 0xff && read_u8(bytes, 1) == 0x03)
		bytes = span_skip(bytes, 2);
	if (bytes.len < 2) {
		c->report->malformed++;
		return;
	}
	protocol = read_u16(bytes, 0);
	if (protocol == 0x0021 || protocol == 0x0057)
		ip_packet(c, span_skip(bytes, 2));
	else
		unknown(c);
}

/* The payload of an Ethernet frame and of all that borrows its types. */
static void by_type(struct capture *c, unsigned type, struct span bytes)
{
	while (type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD) {
		if (bytes.len < 4) {
			c->report->malformed++;
			return;
		}
		c->where.path = (uint8_t)(c->where.path * 31 + (read_u16(bytes, 0) & 0xfff));
		type = read_u16(bytes, 2);
		bytes = span_skip(bytes, 4);
	}
	switch (type) {
	case TYPE_IP4:
	case TYPE_IP6:
		ip_packet(c, bytes);
		break;
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST:
		mpls(c, bytes);
		break;
	case TYPE_PPPOE:
		ppp(c, span_skip(bytes, 6));
		break;
	default:
		unknown(c);
	}
}

static void ethernet(struct capture *c, struct span bytes)
{
	if (bytes.len < 14) {
		c->report->malformed++;
		return;
	}
	c->where.path = (uint8_t)(c->where.path * 31 + hash_spread(span_head(bytes, 12)));
	by_type(c, read_u16(bytes, 12), span_skip(bytes, 14));
}

/* A head of fixed length with its Ethernet type at some place. */
static void typed(struct capture *c, struct span bytes, size_t type_at, size_t head)
{
	if (bytes.len < head) {
		c->report->malformed++;
		return;
	}
	by_type(c, read_u16(bytes, type_at), span_skip(bytes, head));
}

void link_packet(struct capture *c, int link_type, struct span bytes)
{
	switch (link_type) {
	case DLT_EN10MB:
		ethernet(c, bytes);
		break;
	case DLT_LINUX_SLL:
		typed(c, bytes, 14, 16);
		break;
	case LINK_SLL2:
		typed(c, bytes, 0, 20);
		break;
	case DLT_NULL:
	case DLT_LOOP:
		ip_packet(c, span_skip(bytes, 4));
		break;
	case DLT_PPP:
	case DLT_PPP_SERIAL:
		ppp(c, bytes);
		break;
	case DLT_RAW:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		ip_packet(c, bytes);
		break;
	default:
		unknown(c);
	}
}
