/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside net: one worker's sockets and what its files share.
 *
 *	net.c     open, close, the ring between workers, late news of failures
 *	udp.c     datagrams in and out in batches; udp_error.c: ICMP errors
 *	flow.c    from which listener to which peer
 *	accept.c  listening stream sockets
 *	conn.c    the life of one connection
 *	stream.c  its bytes: framing, queue of unsent messages
 *	tls.c     what OpenSSL adds
 *
 * Nothing in here calls the protocol from within net_send or net_flow_to: failures are
 * noted and told from the loop hook, so that a sender is never re-entered. */
#ifndef CAUSEWAY_NET_INT_H
#define CAUSEWAY_NET_INT_H

#include "net/net.h"

#include <openssl/ssl.h>

#define UDP_BATCH 64
#define UDP_BATCHES_A_TURN 4
#define UDP_QUEUE 1024			/* datagrams waiting while the socket is full */
#define UDP_PAYLOAD_MAX 65507
#define UDP_SOCKET_BUFFER (4 << 20)
#define UDP_CONTROL 64			/* one in_pktinfo or in6_pktinfo */
#define NET_BUF_RX 4096			/* what a datagram is received into */
#define RING_SIZE 4096
#define STREAM_OUT_MAX (1u << 20)
#define STREAM_READ_MAX 65536
#define STREAM_ROUNDS 8			/* reads from one connection a turn */
#define STREAM_BACKLOG 1024
#define ACCEPTS_A_TURN 64
#define CONNECT_TIMEOUT_US (30 * SEC)	/* when the configuration gives none */
#define HALF_MESSAGE_US (15 * SEC)	/* from the first byte of a message to its last */
#define UNCONFIRMED_US (5 * SEC)
#define UNCONFIRMED_MAX 65536u
#define FAILURES_MAX 4096
#define ROUTE_CACHE 256
#define ROUTE_TTL_US (3 * SEC)
#define CONN_NAME_MAX 256

/* ---- buffers: what travels with a message when it changes the worker ---------------- */

struct net_box {
	union {
		struct net_box *next;	/* on a free list */
		struct net_flow flow;	/* in a ring */
	};
	uint32_t from;			/* worker that put it there */
	struct net_buf buf;
};

static inline struct net_box *net_box_of(struct net_buf *b)
{
	return container_of(b, struct net_box, buf);
}
/* A copy in a buffer of a size class (short-lived, from the cache). */
struct net_buf *net_buf_fill(const void *data, size_t len);

static inline struct span net_buf_span(const struct net_buf *b)
{
	return (struct span){ b->data, b->len };
}

/* ---- addresses ---------------------------------------------------------------------- */

/* ::ffff:a.b.c.d becomes a.b.c.d. */
void net_addr_unmap(union net_addr *a);
socklen_t net_addr_len(const union net_addr *a);
/* Unmapped and with every unused byte zero, so that equal addresses are equal bytes. */
union net_addr net_addr_plain(const union net_addr *a);

/* ---- one worker ---------------------------------------------------------------------- */

struct datagram {
	struct net_buf *buf;
	union net_addr peer, local;
	bool retried;			/* an error of some earlier datagram was met once */
};

struct listener {
	struct net *net;
	struct loop_fd watch;
	union net_addr addr;		/* with the port that the kernel gave */
	uint16_t index;
	uint8_t proto;
	bool any;			/* bound to the wildcard */
	/* UDP only: */
	bool blocked;			/* EPOLLOUT is on */
	struct datagram *queue;		/* ring of UDP_QUEUE */
	unsigned head, count;
};

/* Arrays for recvmmsg and sendmmsg, set up once. */
struct udp_io;

struct route {
	uint64_t until_us;
	union net_addr peer, local, source;	/* hosts; `local` as asked, `source` as found */
	uint8_t proto;
	uint16_t listener;
};

/* Told to the protocol from the hook. */
struct failure {
	struct list node;
	struct net_buf *buf;
	struct net_flow flow;
	int err;
	char text[160];
};

enum ring_tag { RING_MESSAGE, RING_SEND, RING_FAILURE, RING_CALL };

struct net {
	struct loop *loop;
	const struct net_config *config;
	const struct net_ops *ops;
	void *arg;
	unsigned worker;
	bool closing;

	struct ring *ring;
	struct loop_fd ring_watch;
	struct ring **rings;		/* of all workers; NULL until linked */
	unsigned n_rings;

	struct loop_hook hook;
	struct list failures;
	unsigned n_failures;

	struct listener listeners[NET_LISTENERS_MAX];
	unsigned n_listeners;
	struct udp_io *udp;
	struct route *routes;		/* ROUTE_CACHE entries, made when first needed */

	struct slots conns;
	struct hash_table by_peer;
	struct hash_key key;
	struct list unsent;		/* connections with something to write */
	char *stream;			/* scratch: a partial message and what one read brings */
	int spare_fd;			/* given up to refuse a connection when files run out */
	SSL_CTX *tls_server, *tls_client;
	uint64_t tls_said_us;		/* last log line about a failed handshake */

	struct net_stats stats;
};

/* Written by the worker alone, read by anyone. */
#define NET_COUNT_N(net, field, n) \
	__atomic_store_n(&(net)->stats.field, (net)->stats.field + (n), __ATOMIC_RELAXED)
#define NET_COUNT(net, field) NET_COUNT_N(net, field, 1)

/* A whole message has arrived: to the protocol, or to the worker that owns it. True when
 * the buffer went away with it. */
bool net_receive(struct net *net, struct net_buf *b, const struct net_flow *flow);
/* Note that `b` (borrowed) could not be delivered; `from` is the worker that sent it, or
 * -1: find out by its content. */
void net_undelivered(struct net *net, struct net_buf *b, const struct net_flow *flow, int from, int err,
		     const char *text);
/* Send from this worker on behalf of worker `from`. */
int net_send_here(struct net *net, const struct net_flow *flow, struct net_buf *msg, unsigned from);

int net_set_option(int fd, int level, int option, int value);	/* 0 or -errno */
int net_socket_error(int fd);	/* the pending error, which this clears */
/* What every stream socket gets. */
int net_set_stream(int fd, int family, int tos);

/* ---- udp.c ---- */
int udp_open(struct net *net);
int udp_listen(struct listener *l, int fd);
void udp_close(struct net *net);
int udp_send(struct listener *l, const struct net_flow *flow, struct net_buf *msg);
void udp_flush(struct listener *l);
/* The flow of what came with `msg` (its pktinfo) from, or was sent to, `peer`. */
void udp_flow(const struct listener *l, const union net_addr *peer, const struct msghdr *msg,
	      struct net_flow *flow);

/* ---- udp_error.c ---- */
void udp_read_errors(struct listener *l);

/* ---- accept.c ---- */
int accept_listen(struct listener *l, int fd);

/* ---- conn.c ---- */
enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN };

/* A message to be written, or written and perhaps not received. */
struct conn_out {
	struct conn_out *next;
	struct net_buf *buf;
	uint8_t from;
};

struct conn_queue {
	struct conn_out *first, **last;
	size_t bytes;
};

struct conn {
	struct net *net;
	struct loop_fd watch;
	struct timer timer;
	struct hash_node by_peer;
	struct list unsent;
	uint32_t id;
	uint32_t events;		/* watched */
	enum conn_state state;
	uint8_t proto;
	uint16_t listener;
	bool outgoing;
	bool want_out;			/* OpenSSL waits for room to write */
	union net_addr local, peer;
	char *name;			/* TLS server name; NULL = none */
	SSL *ssl;

	struct net_buf *in;		/* the beginning of a message */
	struct conn_queue out, unconfirmed;
	size_t out_done;		/* bytes of out.first already written */

	uint64_t opened_us, used_us;
	uint64_t half_since_us;		/* while `in` */
	uint64_t unconfirmed_us;	/* last write, while `unconfirmed` */
};

int conn_init(struct net *net);
void conn_close_all(struct net *net);
void conn_flush(struct net *net);
struct conn *conn_get(const struct net *net, uint32_t id);
/* `local` and `name` may be NULL: any address of ours; no TLS name asked for or given. */
struct conn *conn_find(struct net *net, uint8_t proto, const union net_addr *peer,
		       const union net_addr *local, const char *name);
/* `local` is an address (its port is ignored) or NULL: the kernel's choice. */
int conn_open(struct net *net, const struct listener *l, const union net_addr *peer,
	      const union net_addr *local, const char *name, struct conn **conn_out);
/* Takes over the accepted socket, whatever happens. */
void conn_accepted(struct listener *l, int fd, const union net_addr *peer);
void conn_flow(const struct conn *c, struct net_flow *out);
/* The end: everything unsent is reported with `err` and `text`; the connection is gone. */
void conn_fail(struct conn *c, int err, const char *text);
void conn_watch(struct conn *c);
void conn_arm(struct conn *c);

/* ---- stream.c ---- */
void queue_init(struct conn_queue *q);
void queue_clear(struct conn_queue *q);
int stream_send(struct conn *c, struct net_buf *msg, unsigned from);
/* 0, or a negative errno with the reason in text: the connection must be failed.
 * stream_read: -ESHUTDOWN when the peer has closed in good order. */
int stream_write(struct conn *c, char *text, size_t size);
int stream_read(struct conn *c, char *text, size_t size);

/* ---- tls.c ---- */
int tls_open(struct net *net, char *why, size_t size);
/* RFC 5922 7.2 */
bool tls_cert_is_for(X509 *cert, const char *name);
void tls_close(struct net *net);
int tls_attach(struct conn *c);
/* 0 done, -EAGAIN, or -EPROTO with text. */
int tls_handshake(struct conn *c, char *text, size_t size);
/* > 0 bytes, 0 end of stream (read only), -EAGAIN, other -errno with text. */
ssize_t tls_read(struct conn *c, void *data, size_t room, char *text, size_t size);
ssize_t tls_write(struct conn *c, const void *data, size_t len, char *text, size_t size);

#endif
