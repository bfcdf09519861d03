/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a connection: connecting, TLS handshake, open, gone.
 *
 * A connection ends only from its own event handler, its timer or the hook that writes,
 * never inside net_send: whoever holds its address during a callback finds it alive.
 *
 * Timers, all on one wheel timer that is set to the earliest and looks around when it
 * fires (a busy connection does not restart it for each message):
 *	connect		connecting and handshake together take at most connect_timeout_us;
 *	half message	from the first byte of a message to its last at most 15 s, so that
 *			nobody holds buffers by sending one byte now and then;
 *	idle		nothing read or written for idle_timeout_us;
 *	unconfirmed	messages just written are kept for 5 s or until the peer says
 *			something: a reset or a late TLS alert in that time means that they
 *			were not received, and the sender is told at once. */
#include "net/net_int.h"

#include <netinet/ip.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define CONNS_DEFAULT 4096u
#define CONNS_MAX 65535u /* an id carries 16 bits of index, 16 of generation */

static uint32_t most_accepted(const struct net *net)
{
	uint32_t max = net->config->max_connections;

	return max == 0 ? CONNS_DEFAULT : max < CONNS_MAX ? max : CONNS_MAX;
}

/* A flood of incoming connections must leave room for our own. */
static uint32_t most_in_all(const struct net *net)
{
	uint32_t max = most_accepted(net);

	max += max / 4 + 16;
	return max < CONNS_MAX ? max : CONNS_MAX;
}

int conn_init(struct net *net)
{
	net->stream = malloc(2 * STREAM_READ_MAX);
	if (!net->stream)
		return -ENOMEM;
	slots_init(&net->conns, sizeof(struct conn), most_in_all(net));
	return hash_table_init(&net->by_peer, 256);
}

struct conn *conn_get(const struct net *net, uint32_t id)
{
	return id ? slots_get(&net->conns, id & 0xffff, (uint16_t)(id >> 16)) : NULL;
}

static uint64_t peer_hash(const struct net *net, uint8_t proto, const union net_addr *peer)
{
	union net_addr plain = net_addr_plain(peer);

	return hash_bytes(&net->key, &plain, sizeof(plain)) ^ proto;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

struct conn *conn_find(struct net *net, uint8_t proto, const union net_addr *peer,
		       const union net_addr *local, const char *name)
{
	struct hash_node *node;

	if (!net->stream)
		return NULL;
	if (proto != NET_TLS)
		name = NULL;
	node = hash_table_find(&net->by_peer, peer_hash(net, proto, peer));
	for (; node; node = hash_next(node)) {
		struct conn *c = container_of(node, struct conn, by_peer);

		if (c->proto == proto && net_addr_eq(&c->peer, peer) && same_name(c->name, name) &&
		    (!local || net_addr_is_any(local) || net_addr_eq_host(local, &c->local)))
			return c;
	}
	return NULL;
}

/* Our port on a connection that we opened is nobody's business but the kernel's: what we say of ourselves
 * (Via, Contact) names the port that we listen on. */
void conn_flow(const struct conn *c, struct net_flow *out)
{
	union net_addr listening;

	*out = (struct net_flow){ .proto = c->proto,
				  .worker = (uint8_t)c->net->worker,
				  .listener = c->listener,
				  .conn = c->id,
				  .local = c->local,
				  .peer = c->peer };
	if (net_listener_addr(c->net, c->listener, &listening) == 0)
		net_addr_set_port(&out->local, net_addr_port(&listening));
}

/* ---- the end -------------------------------------------------------------------------- */

static void report(struct conn *c, struct conn_queue *q, int err, const char *text)
{
	struct net_flow flow;

	conn_flow(c, &flow);
	for (struct conn_out *o = q->first; o; o = o->next)
		net_undelivered(c->net, o->buf, &flow, o->from, err, text);
	queue_clear(q);
}

static void conn_free(struct conn *c)
{
	struct net *net = c->net;
	int fd = c->watch.fd;

	queue_clear(&c->out);
	queue_clear(&c->unconfirmed);
	net_buf_unref(&c->in);
	loop_timer_stop(net->loop, &c->timer);
	list_del(&c->unsent);
	hash_table_del(&net->by_peer, &c->by_peer);
	SSL_free(c->ssl);
	free(c->name);
	loop_del(net->loop, &c->watch);
	if (fd >= 0)
		close(fd);
	NET_COUNT(net, conns_closed);
	NET_COUNT_N(net, conns_now, -1u);
	slots_free(&net->conns, c->id & 0xffff);
}

void conn_fail(struct conn *c, int err, const char *text)
{
	report(c, &c->unconfirmed, err, text);
	report(c, &c->out, err, text);
	if (c->ssl && c->state == CONN_OPEN && err != EPROTO)
		SSL_shutdown(c->ssl); /* close_notify, if there is room for it */
	conn_free(c);
}

/* The peer has closed in good order. It may have received what was written, but has not said a word since: for a request
 * that nobody has answered yet this is the end, and the sender must not wait for a timer to hear of it. */
static void conn_closed(struct conn *c)
{
	char text[160];

	if (c->out.first)
		stream_write(c, text, sizeof(text));
	conn_fail(c, ECONNRESET, "the peer closed the connection");
}

void conn_close_all(struct net *net)
{
	struct conn *c;

	for (uint32_t i = 0; net->stream && (c = slots_next(&net->conns, &i));)
		conn_fail(c, ECONNRESET, "closing down");
	if (net->stream)
		slots_close(&net->conns);
	hash_table_free(&net->by_peer);
	free(net->stream);
	net->stream = NULL;
	if (net->spare_fd >= 0)
		close(net->spare_fd);
	net->spare_fd = -1;
}

/* A handshake that fails tells the operator something, a flood of them only once. */
static void tls_said(struct conn *c, const char *text)
{
	struct net *net = c->net;
	char peer[NET_ADDR_TEXT];

	NET_COUNT(net, tls_failed);
	if (net->tls_said_us && net->loop->now_us - net->tls_said_us < SEC)
		return;
	net->tls_said_us = net->loop->now_us;
	log_info("net: %s %s: %s", c->outgoing ? "to" : "from", net_addr_format(&c->peer, peer),
		 text);
}

static void conn_broken(struct conn *c, int err, const char *text)
{
	if (err == -ESHUTDOWN) {
		conn_closed(c);
		return;
	}
	if (c->state == CONN_HANDSHAKE || err == -EPROTO)
		tls_said(c, text);
	conn_fail(c, -err, text);
}

/* ---- time ------------------------------------------------------------------------------ */

static uint64_t connect_limit(const struct conn *c)
{
	uint64_t us = c->net->config->connect_timeout_us;

	return c->opened_us + (us ? us : CONNECT_TIMEOUT_US);
}

static uint64_t half_limit(const struct conn *c)
{
	uint64_t idle = c->net->config->idle_timeout_us;

	return c->half_since_us + (idle && idle < HALF_MESSAGE_US ? idle : HALF_MESSAGE_US);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void conn_arm(struct conn *c)
{
	uint64_t idle = c->net->config->idle_timeout_us;
	uint64_t now = c->net->loop->now_us;
	uint64_t at = UINT64_MAX;

	if (c->state != CONN_OPEN)
		at = connect_limit(c);
	else if (idle)
		at = c->used_us + idle;
	if (c->in)
		at = earlier(at, half_limit(c));
	if (c->unconfirmed.first)
		at = earlier(at, c->unconfirmed_us + UNCONFIRMED_US);
	if (at == UINT64_MAX)
		loop_timer_stop(c->net->loop, &c->timer);
	else
		loop_timer(c->net->loop, &c->timer, at > now ? at - now : 0);
}

static void conn_timer(struct timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);
	uint64_t idle = c->net->config->idle_timeout_us;
	uint64_t now = c->net->loop->now_us;

	if (c->state != CONN_OPEN && now >= connect_limit(c)) {
		conn_broken(c, -ETIMEDOUT,
			    c->state == CONN_HANDSHAKE ? "TLS: the handshake took too long"
						       : "connecting took too long");
		return;
	}
	if (c->in && now >= half_limit(c)) {
		NET_COUNT(c->net, rx_dropped);
		conn_fail(c, ETIMEDOUT, "the peer sent half a message and no more");
		return;
	}
	if (c->state == CONN_OPEN && idle && now >= c->used_us + idle) {
		conn_fail(c, ETIMEDOUT, "unused for too long");
		return;
	}
	if (c->unconfirmed.first && now >= c->unconfirmed_us + UNCONFIRMED_US)
		queue_clear(&c->unconfirmed);
	conn_arm(c);
}

/* ---- events ----------------------------------------------------------------------------- */

void conn_watch(struct conn *c)
{
	uint32_t events = EPOLLIN;

	if (c->state == CONN_CONNECTING || c->want_out || (c->state == CONN_OPEN && c->out.first))
		events |= EPOLLOUT;
	if (events != c->events && loop_modify(c->net->loop, &c->watch, events) == 0)
		c->events = events;
}

static int conn_connected(struct conn *c, char *text, size_t size)
{
	socklen_t len = sizeof(c->local);
	int err = net_socket_error(c->watch.fd);

	if (err) {
		snprintf(text, size, "connecting: %s", strerror(err));
		return -err;
	}
	getsockname(c->watch.fd, &c->local.sa, &len);
	c->state = c->ssl ? CONN_HANDSHAKE : CONN_OPEN;
	c->used_us = c->net->loop->now_us;
	return 0;
}

static int conn_step(struct conn *c, char *text, size_t size)
{
	int err = 0;

	if (c->state == CONN_CONNECTING)
		err = conn_connected(c, text, size);
	if (!err && c->state == CONN_HANDSHAKE) {
		err = tls_handshake(c, text, size);
		if (err)
			return err == -EAGAIN ? 0 : err;
		c->state = CONN_OPEN;
		c->used_us = c->net->loop->now_us;
	}
	if (!err)
		err = stream_read(c, text, size);
	if (!err && c->out.first)
		err = stream_write(c, text, size);
	return err;
}

static void conn_ready(struct loop_fd *watch, uint32_t events)
{
	struct conn *c = container_of(watch, struct conn, watch);
	enum conn_state before = c->state;
	char text[160] = "";
	int err;

	if (before == CONN_CONNECTING && !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	c->want_out = false;
	err = conn_step(c, text, sizeof(text));
	if (err) {
		conn_broken(c, err, text);
		return;
	}
	if (c->state != before)
		conn_arm(c);
	conn_watch(c);
}

void conn_flush(struct net *net)
{
	struct list batch;
	char text[160];

	list_init(&batch);
	list_splice(&batch, &net->unsent);
	while (!list_empty(&batch)) {
		struct conn *c = list_entry(batch.next, struct conn, unsent);
		int err;

		list_del(&c->unsent);
		if (c->state != CONN_OPEN || c->events & EPOLLOUT)
			continue;
		err = stream_write(c, text, sizeof(text));
		if (err)
			conn_broken(c, err, text);
		else
			conn_watch(c);
	}
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* Takes over `fd` on success. */
static int conn_new(struct net *net, const struct listener *l, int fd, const union net_addr *peer,
		    enum conn_state state, struct conn **conn_out)
{
	socklen_t len = sizeof(union net_addr);
	uint16_t generation;
	uint32_t index;
	struct conn *c = slots_alloc(&net->conns, &index, &generation);
	int err;

	if (!c)
		return -EMFILE;
	c->net = net;
	c->id = (uint32_t)generation << 16 | index;
	c->watch = (struct loop_fd){ .fd = -1, .ready = conn_ready };
	c->state = state;
	c->proto = l->proto;
	c->listener = l->index;
	c->peer = *peer;
	c->opened_us = c->used_us = net->loop->now_us;
	c->events = state == CONN_CONNECTING ? EPOLLIN | EPOLLOUT : EPOLLIN;
	getsockname(fd, &c->local.sa, &len);
	err = loop_add(net->loop, &c->watch, fd, c->events);
	if (err) {
		slots_free(&net->conns, index);
		return err;
	}
	queue_init(&c->out);
	queue_init(&c->unconfirmed);
	list_init(&c->unsent);
	timer_init(&c->timer, conn_timer);
	hash_table_add(&net->by_peer, &c->by_peer, peer_hash(net, c->proto, peer));
	NET_COUNT_N(net, conns_now, 1);
	*conn_out = c;
	return 0;
}

void conn_accepted(struct listener *l, int fd, const union net_addr *peer)
{
	struct net *net = l->net;
	struct conn *c;

	if (net->stats.conns_now >= most_accepted(net) ||
	    conn_new(net, l, fd, peer, l->proto == NET_TLS ? CONN_HANDSHAKE : CONN_OPEN, &c)) {
		NET_COUNT(net, conns_refused);
		close(fd);
		return;
	}
	NET_COUNT(net, conns_accepted);
	net_set_stream(fd, peer->sa.sa_family, net->config->dscp_tos);
	if (c->proto == NET_TLS && tls_attach(c)) {
		conn_fail(c, ENOMEM, "no memory");
		return;
	}
	conn_arm(c);
}

/* The port is chosen when connecting, when the peer is known: one port may then serve many
 * connections to different peers. */
static int bind_source(int fd, const union net_addr *local)
{
	union net_addr a = *local;

	net_set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	net_addr_set_port(&a, 0);
	return bind(fd, &a.sa, net_addr_len(&a)) < 0 ? -errno : 0;
}

static int start_connect(struct net *net, const union net_addr *peer, const union net_addr *local,
			 int *fd_out)
{
	int fd = socket(peer->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return errno == ENFILE ? -EMFILE : -errno;
	err = net_set_stream(fd, peer->sa.sa_family, net->config->dscp_tos);
	if (!err && local)
		err = bind_source(fd, local);
	if (!err && connect(fd, &peer->sa, net_addr_len(peer)) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}

int conn_open(struct net *net, const struct listener *l, const union net_addr *peer,
	      const union net_addr *local, const char *name, struct conn **conn_out)
{
	struct conn *c;
	int fd = -1, err;

	if (!local && !l->any)
		local = &l->addr;
	if (name && strlen(name) >= CONN_NAME_MAX)
		return -EINVAL;
	err = start_connect(net, peer, local, &fd);
	if (err)
		return err;
	err = conn_new(net, l, fd, peer, CONN_CONNECTING, &c);
	if (err) {
		close(fd);
		return err;
	}
	c->outgoing = true;
	NET_COUNT(net, conns_opened);
	if (c->proto == NET_TLS) {
		c->name = name ? strdup(name) : NULL;
		if ((name && !c->name) || tls_attach(c)) {
			conn_fail(c, ENOMEM, "no memory");
			return -ENOMEM;
		}
	}
	conn_arm(c);
	*conn_out = c;
	return 0;
}
