/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of capture: a packet on its way from the link layer to a message. */
#ifndef CAUSEWAY_CAPTURE_INT_H
#define CAUSEWAY_CAPTURE_INT_H

#include "capture/capture.h"

#define TUNNELS_MAX 6			/* levels of packets within packets */

struct fragments;
struct streams;

struct capture {
	int link_type;
	struct capture_sink sink;
	struct capture_report *report;
	struct capture_where where;	/* of the packet in hand */
	uint32_t missing;		/* bytes of it that the file has not */
	unsigned depth;
	struct fragments *fragments;
	struct streams *streams;
};

/* Big-endian numbers of a span; the caller has checked its length. */
static inline unsigned read_u16(struct span s, size_t at)
{
	return (unsigned)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1];
}
static inline uint32_t read_u32(struct span s, size_t at)
{
	return (uint32_t)read_u16(s, at) << 16 | read_u16(s, at + 2);
}
static inline unsigned read_u8(struct span s, size_t at)
{
	return (unsigned char)s.p[at];
}

/* link.c: the packet by its link type; Ethernet also within tunnels. */
void link_packet(struct capture *c, int link_type, struct span bytes);
/* ip.c: an IP packet of either version. */
void ip_packet(struct capture *c, struct span bytes);
/* A whole transport payload: of UDP, TCP, ICMP, or a tunnel. `more`: the rest never came. */
void ip_payload(struct capture *c, unsigned protocol, struct span bytes, bool more);
/* fragments.c: one piece. True: the datagram is whole, *whole_out is lent until the next piece. */
int fragments_new(struct fragments **out);
void fragments_free(struct capture *c);
bool fragments_add(struct capture *c, uint32_t id, unsigned protocol, size_t offset, bool last, struct span piece,
		   struct span *whole_out);
/* tcp.c */
int tcp_streams_new(struct streams **out);
void tcp_streams_free(struct capture *c);
void tcp_segment(struct capture *c, struct span bytes);
/* sip_start.c: does a message of SIP begin here? Looks at the first line alone. */
bool sip_starts(struct span bytes);

/* netmon.c: a file of Network Monitor, read whole; -EINVAL: it is none, -EFBIG. netmon_read wants netmon_is. */
int netmon_load(const char *path, struct buf *out);
bool netmon_is(struct span bytes);
void netmon_read(struct capture *c, struct span bytes);

void capture_hand_sip(struct capture *c, enum capture_transport transport, struct span message);
void capture_tell_tcp(struct capture *c, enum capture_tcp_kind kind, int value, int detail);

#endif
