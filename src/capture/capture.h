/* SPDX-License-Identifier: GPL-3.0-or-later */
/* capture: what a pcap or pcapng file holds, as the engine of verdicts reads it: whole signalling messages, datagrams, what
 * ICMP and TCP say of peers. Knows packets, streams and framing; what the messages mean is decided elsewhere.
 *
 * Link layers: Ethernet (VLAN, QinQ, PPPoE, MPLS), Linux cooked 1 and 2, raw IP, BSD loopback, PPP, and IP in IP, GRE, GTP-U,
 * VXLAN inside of those, some levels deep. IP fragments and TCP streams are put together; SIP is recognised by its first line
 * on any port, over UDP, TCP and WebSocket.
 *
 * Every byte is hostile. What cannot be read is counted, never guessed. One thread. */
#ifndef CAUSEWAY_CAPTURE_H
#define CAUSEWAY_CAPTURE_H

#include "net/net.h"

struct capture_where {
	uint64_t frame;			/* from 1, as Wireshark counts */
	uint64_t utc_us;
	union net_addr src, dst;
	uint16_t ip_id;			/* IPv4's identification; 0 for IPv6 */
	uint8_t ttl, dscp;
	uint8_t path;			/* of the same bytes twice: interface, VLAN and MAC differ when this does */
	bool fragmented;		/* came in pieces; the frame is the last one's */
	bool snapped;			/* the file does not have all bytes of it */
};

enum capture_transport { CAPTURE_UDP, CAPTURE_TCP, CAPTURE_TLS, CAPTURE_WS };

enum capture_tcp_kind {
	CAPTURE_SYN, CAPTURE_SYN_ACK, CAPTURE_RST, CAPTURE_FIN,
	CAPTURE_TLS_RECORD,		/* value = content type, detail = alert's level << 8 | description, else 0 */
	CAPTURE_GAP			/* bytes of the stream are not in the file */
};

struct capture_icmp {
	uint8_t type, code;		/* ICMPv6 is told by the family of where->src */
	bool udp;			/* else TCP */
	union net_addr src, dst;	/* of the packet that it complains about */
	struct span payload;		/* of that, as far as it is quoted */
};

/* NULL functions are not called. Everything handed out is lent. */
struct capture_sink {
	void *arg;
	/* A SIP message, whole unless where->snapped (then what is there). */
	void (*sip)(void *arg, const struct capture_where *where, enum capture_transport transport, struct span message);
	/* Any other UDP datagram; `length` is what it had on the wire. */
	void (*datagram)(void *arg, const struct capture_where *where, struct span payload, uint32_t length);
	/* A whole TPKT (RFC 1006) of a TCP stream, without its 4 bytes of head: H.225.0 and H.245. */
	void (*tpkt)(void *arg, const struct capture_where *where, struct span payload);
	void (*icmp)(void *arg, const struct capture_where *where, const struct capture_icmp *icmp);
	void (*tcp)(void *arg, const struct capture_where *where, enum capture_tcp_kind kind, int value, int detail);
	/* Now and then: how far the file is read. */
	void (*progress)(void *arg, uint64_t bytes, uint64_t of_bytes);
};

struct capture_report {
	uint64_t packets, bytes;
	uint64_t first_us, last_us;
	uint64_t sip, datagrams, tpkts, icmps;
	uint64_t not_ip, malformed;	/* packets; what is no IP is no fault */
	uint64_t snapped;		/* packets that the file has not whole */
	uint64_t fragments, fragments_lost;	/* pieces seen; datagrams never complete */
	uint64_t tcp_gaps, tls_bytes;
	uint64_t dropped;		/* as the file's own counters say; 0 = none or unknown */
	bool truncated;			/* the file ends in the middle of a packet, or is damaged there */
	char trouble[160];		/* what, in words; "" = nothing */
};

/* Read a file ("-" = standard input) to its end. 0 also when it is damaged (report says so); -errno and `why` when it cannot be
 * opened or is no capture at all. */
int capture_read(const char *path, const struct capture_sink *sink, struct capture_report *report, char *why, size_t why_size);
/* One packet of a file with this link type, for tests and fuzzing: as capture_read would hand it on. */
struct capture;
struct capture *capture_new(int link_type, const struct capture_sink *sink, struct capture_report *report);
void capture_packet(struct capture *c, uint64_t frame, uint64_t utc_us, struct span bytes, uint32_t length);
/* The end: what never became whole is counted. */
void capture_free(struct capture **c);

#endif
