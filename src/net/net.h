/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net: bytes in, bytes out. UDP, TCP and TLS sockets of one worker, its connections, and
 * the hand-over of messages between workers. Knows messages only as "whole": a framer
 * given by the protocol cuts streams, a classifier names the worker a message belongs to.
 *
 * Every worker opens every listening address itself (SO_REUSEPORT); what arrives at the
 * wrong worker is handed to the right one through that worker's bounded ring. Connections
 * belong to the worker that accepted or opened them; a send from another worker travels
 * through the same ring. One thread calls everything here, unless it says otherwise. */
#ifndef CAUSEWAY_NET_H
#define CAUSEWAY_NET_H

#include "base/base.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct net;

enum net_proto { NET_UDP, NET_TCP, NET_TLS };
/* "UDP", "TCP", "TLS": as Via and configuration write them. */
const char *net_proto_name(enum net_proto proto);

/* ---- addresses ---------------------------------------------------------------- */

union net_addr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

#define NET_ADDR_TEXT 64	/* room for "[2001:db8::1%65535]:65535" and its NUL */

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", each with ":port" (IPv6 then needs the
 * brackets). A missing port becomes `port`. Literals only, never a name: 0 or -EINVAL. */
int net_addr_parse(union net_addr *out, struct span text, uint16_t port);
/* "192.0.2.1:5060" / "[2001:db8::1]:5060"; without the port: "192.0.2.1" / "2001:db8::1". */
const char *net_addr_format(const union net_addr *a, char dst[NET_ADDR_TEXT]);
const char *net_addr_format_host(const union net_addr *a, char dst[NET_ADDR_TEXT]);
/* As format_host, with brackets around IPv6: what SIP puts into URIs and Via (RFC 5118 4.1). */
const char *net_addr_format_uri(const union net_addr *a, char dst[NET_ADDR_TEXT]);
uint16_t net_addr_port(const union net_addr *a);
void net_addr_set_port(union net_addr *a, uint16_t port);
bool net_addr_eq(const union net_addr *a, const union net_addr *b);	/* with port */
bool net_addr_eq_host(const union net_addr *a, const union net_addr *b);	/* without; ::ffff:a.b.c.d equals a.b.c.d */
bool net_addr_is_any(const union net_addr *a);
/* 0.0.0.0/8, multicast, broadcast, unspecified: never a place to send to. */
bool net_addr_is_unusable(const union net_addr *a);

/* ---- message buffers ---------------------------------------------------------- */

#define NET_MSG_MAX 65535	/* largest message, either way */

/* One message in memory. Counted within one thread; passing the last reference through a
 * ring passes ownership. Comes from size classes (1 k, 4 k, 64 k) cached by thread. */
struct net_buf {
	uint32_t refs;
	uint32_t size;		/* room in data */
	uint32_t len;
	char data[];
};

/* Room for at least `size` (<= NET_MSG_MAX) bytes, one reference, len 0. NULL: no memory. */
struct net_buf *net_buf_new(size_t size);
/* A copy exactly as large as its content, for what is kept long. */
struct net_buf *net_buf_copy(const void *data, size_t len);
static inline struct net_buf *net_buf_ref(struct net_buf *b)
{
	b->refs++;
	return b;
}
void net_buf_unref(struct net_buf **b);

/* ---- where a message came from, and how to answer it ---------------------------- */

/* A value; copy freely. For UDP `conn` is 0. `conn` names a connection of worker `worker`
 * and carries a generation: after the connection is gone, sends to it fail, never reach
 * a stranger. */
struct net_flow {
	uint8_t proto;			/* enum net_proto */
	uint8_t worker;
	uint16_t listener;		/* index of the listening address */
	uint32_t conn;
	union net_addr local;		/* where the peer can reach us: never a wildcard, always a listening port */
	union net_addr peer;
};

/* ---- set-up ------------------------------------------------------------------- */

#define NET_LISTENERS_MAX 32

struct net_listen {
	enum net_proto proto;
	union net_addr addr;
};

struct net_tls_files {
	const char *certificate, *key, *ca;	/* PEM; NULL = none */
	bool verify_peer;		/* mutual: demand and check a client certificate */
};

/* Read-only, shared by all workers; outlives them. */
struct net_config {
	struct net_listen listen[NET_LISTENERS_MAX];
	unsigned n_listen;
	struct net_tls_files tls;
	unsigned workers;
	uint8_t dscp_tos;		/* TOS byte on signalling sockets (VOS: SS_QOS_SIGNAL) */
	uint32_t max_connections;	/* per worker; accept refuses beyond */
	uint64_t idle_timeout_us;	/* close a connection unused for so long; 0 = never */
	uint64_t connect_timeout_us;
};

/* What a protocol stack gives to net. All are called on the worker's thread, except
 * `classify`, which must be pure (it also runs before hand-over). */
struct net_ops {
	/* Length of the first whole message in a stream: >0 its length, 0 = need more,
	 * <0 = hopeless, close. `*skip_out` gets bytes to discard before it (CRLFs, RFC 5626
	 * keep-alives); *pong_out true = answer a double CRLF ping with CRLF. */
	ssize_t (*frame)(struct span stream, size_t *skip_out, bool *pong_out);
	/* Worker that owns this message, 0..workers-1, or -1 = drop. */
	int (*classify)(struct span message, unsigned workers);
	/* A whole message. The buffer is lent: take a reference to keep it. Writable. */
	void (*on_message)(void *arg, struct net_buf *msg, const struct net_flow *flow);
	/* The datagram (as far as the kernel still has it) or queued stream bytes could not be
	 * delivered: ICMP unreachable, RST, connect or TLS failure. `err` is positive: ECONNREFUSED,
	 * EHOSTUNREACH, ETIMEDOUT, EPROTO (TLS)...; `text` says more ("TLS: certificate expired"). */
	void (*on_undelivered)(void *arg, struct span message, const struct net_flow *flow, int err, const char *text);
	/* Worker that sent this message of ours (what the kernel quotes when it could not be delivered),
	 * or -1 = not known. As pure as classify; NULL with one worker. */
	int (*sender)(struct span message, unsigned workers);
	/* May be NULL. Writes a classic BPF program of at most `max` instructions that names the worker of a
	 * datagram (A = its index; anything else leaves it to the kernel), looking at the payload from byte 0.
	 * Returns its length, 0 = none. It only spares hand-overs: classify still has the word. */
	unsigned (*steer)(struct sock_filter *program, unsigned max);
};

struct net_stats {
	uint64_t rx_messages, rx_bytes, tx_messages, tx_bytes;
	uint64_t rx_dropped;		/* classify said no, larger than NET_MSG_MAX, hopeless stream */
	uint64_t handed_over, hand_over_full;
	uint64_t tx_errors, icmp_errors;
	uint64_t conns_opened, conns_accepted, conns_closed, conns_refused, tls_failed;
	uint32_t conns_now;
};

/* Open every listening address for worker `worker` on `loop`. `peers[i]` is the net of
 * worker i once all are opened (see net_link). On failure: -errno, nothing left open, and
 * `why` says which address and what to do ("udp:127.0.0.1:5060: in use by another process"). */
int net_open(struct net **net_out, struct loop *loop, const struct net_config *config, unsigned worker,
	     const struct net_ops *ops, void *arg, char *why, size_t why_size);
/* Give each worker's net the rings of all. Before any loop runs; no thread yet. Needed only
 * with several workers. */
void net_link(struct net **nets, unsigned n);
/* Closes everything; nothing is reported. After all workers' threads have ended, never from
 * within a callback. */
void net_close(struct net **net);
/* The address that listener `listener` (index in config->listen) is bound to, with the port
 * that the kernel chose where the configuration said 0. 0 or -EINVAL. */
int net_listener_addr(const struct net *net, unsigned listener, union net_addr *out);
/* Copy of the counters; any thread. */
void net_stats(const struct net *net, struct net_stats *out);

/* ---- sending ------------------------------------------------------------------ */

/* Send `msg` back along `flow` or along one made by net_flow_to. Takes its own reference.
 * UDP datagrams are queued and leave with the next flush (loop hook: once a turn; also when
 * 64 are waiting). Stream bytes are queued on the connection until written or it fails.
 * 0; -EPIPE: that connection is gone; -EMSGSIZE: UDP message larger than 65507; -EAGAIN:
 * over the connection's limit of unsent bytes (1 MiB), or the socket's or the other worker's
 * queue is full. Later trouble: on_undelivered, never from within this call. */
int net_send(struct net *net, const struct net_flow *flow, struct net_buf *msg);

/* A flow toward `peer`: an existing connection of this worker to that address and (for TLS)
 * name, or a new one being opened; for UDP the listener to send from. `local` (may be NULL)
 * pins the listening address (port 0 = any port of that address); without it the listener that can reach `peer` (same family; when several,
 * the kernel's route decides). `name` (may be NULL) is the TLS server name to check.
 * 0 or -EAFNOSUPPORT (no listener of that proto and family), -EADDRNOTAVAIL (`local` is not a
 * listening address), -EMFILE; -EINVAL when `peer` is no place to send to (net_addr_is_unusable,
 * port 0), and what the kernel says at once (-ENETUNREACH: no route).
 *
 * `out->local` carries the listener's port on streams too, where the peer can reach us, not
 * the connection's own. */
int net_flow_to(struct net *net, struct net_flow *out, enum net_proto proto, const union net_addr *peer,
		const union net_addr *local, const char *name);

/* Run `fn(arg)` on this worker's thread. Any thread. False when its ring is full. */
bool net_call(struct net *net, void (*fn)(void *arg), void *arg);

/* ---- names (RFC 3263 needs NAPTR, SRV, A and AAAA) -------------------------------- */

struct net_dns;
struct net_dns_query;

struct net_srv {
	uint16_t priority, weight, port;
	uint32_t ttl;
	char target[256];
};
struct net_naptr {
	uint16_t order, preference;
	uint32_t ttl;
	char flags[8], service[32], replacement[256];
};
enum net_rr { NET_RR_A, NET_RR_AAAA, NET_RR_SRV, NET_RR_NAPTR };

#define NET_DNS_ANSWERS 32
struct net_dns_answer {
	int err;		/* 0, ENOENT (no such name or no such record), ETIMEDOUT, EPROTO */
	const char *text;	/* the resolver's words, static */
	enum net_rr type;
	unsigned n;
	union {
		union net_addr addr[NET_DNS_ANSWERS];	/* port 0 */
		struct net_srv srv[NET_DNS_ANSWERS];
		struct net_naptr naptr[NET_DNS_ANSWERS];
	};
	uint32_t ttl;		/* smallest, seconds */
};

/* c-ares on the worker's loop. `servers` NULL = the system's; else "127.0.0.1:5353,...". */
int net_dns_open(struct net_dns **dns_out, struct loop *loop, const char *servers);
void net_dns_close(struct net_dns **dns);
/* Ask; `done` is called once, later or at once (cached), unless cancelled. The answer is
 * borrowed for the call. Answers are cached for their TTL (negative ones 30 s). NULL: already
 * answered within the call (without memory: with EPROTO). Once `done` runs the query is gone
 * and must not be cancelled. Names in /etc/hosts have A and AAAA. */
struct net_dns_query *net_dns_ask(struct net_dns *dns, const char *name, enum net_rr type,
				  void (*done)(void *arg, const struct net_dns_answer *answer), void *arg);
void net_dns_cancel(struct net_dns_query **query);
/* For the fuzzer: reads one DNS answer of the given type from the wire. 0 or -EPROTO. */
int net_dns_parse(struct net_dns_answer *out, enum net_rr type, struct span wire);

/* ---- checks for people: they block, so never on a worker's thread ------------------------- */

struct net_check {
	int err;			/* 0, or what stopped it: ECONNREFUSED, ETIMEDOUT, EPROTO (TLS)... */
	char error[160];
	uint64_t connect_us, total_us;	/* until connected; with the handshake */
	char version[16];		/* "TLSv1.3"; "" = no handshake */
	bool has_certificate, trusted, name_matches;
	char distrust[128];		/* why it is not trusted */
	char subject[256], issuer[256];
	int64_t valid_until;		/* seconds since 1970 */
};
/* Connect to `peer` (from `local`'s host, NULL = any) and, for TLS, shake hands as `name`'s client. A certificate that is
 * wrong is reported, not refused. */
void net_check_connect(struct net_check *out, const struct net_tls_files *files, enum net_proto proto,
		       const union net_addr *peer, const union net_addr *local, const char *name, uint64_t timeout_us);
struct net_ping {
	int err;			/* EACCES, EPERM: this process may not ping; EHOSTUNREACH... */
	unsigned sent, answered;
	uint64_t sum_us;		/* of the answered ones */
};
void net_check_ping(struct net_ping *out, const union net_addr *peer, const union net_addr *local, unsigned times,
		    uint64_t timeout_us);

#endif
