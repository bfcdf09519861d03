/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a connection. In: each read goes to a scratch area of the worker, behind
 * the beginning of a message left by the last read; whole messages are copied out of it
 * into buffers of their own, and only a remaining beginning is kept with the connection.
 * An idle connection thus holds no buffer. Out: a queue of references to messages, several
 * of which leave with one system call. */
#include "net/net_int.h"

#include <stdlib.h>
#include <sys/uio.h>

#define WRITE_BATCH 64

/* ---- queues ------------------------------------------------------------------------------ */

void queue_init(struct conn_queue *q)
{
	*q = (struct conn_queue){ .last = &q->first };
}

static void queue_add(struct conn_queue *q, struct conn_out *o)
{
	o->next = NULL;
	*q->last = o;
	q->last = &o->next;
	q->bytes += o->buf->len;
}

static struct conn_out *queue_pop(struct conn_queue *q)
{
	struct conn_out *o = q->first;

	q->first = o->next;
	if (!q->first)
		q->last = &q->first;
	q->bytes -= o->buf->len;
	return o;
}

static void out_free(struct conn_out *o)
{
	net_buf_unref(&o->buf);
	free(o);
}

void queue_clear(struct conn_queue *q)
{
	while (q->first)
		out_free(queue_pop(q));
}

/* ---- out ----------------------------------------------------------------------------------- */

int stream_send(struct conn *c, struct net_buf *msg, unsigned from)
{
	struct conn_out *o;

	if (msg->len == 0)
		return 0;
	if (c->out.bytes + msg->len > STREAM_OUT_MAX)
		return -EAGAIN;
	o = malloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (struct conn_out){ .buf = net_buf_ref(msg), .from = (uint8_t)from };
	queue_add(&c->out, o);
	if (list_empty(&c->unsent))
		list_add_tail(&c->net->unsent, &c->unsent);
	return 0;
}

/* Written, but is it received? See the note on unconfirmed messages in conn.c. */
static void written(struct conn *c, struct conn_out *o)
{
	bool first = !c->unconfirmed.first;

	NET_COUNT(c->net, tx_messages);
	NET_COUNT_N(c->net, tx_bytes, o->buf->len);
	queue_add(&c->unconfirmed, o);
	while (c->unconfirmed.bytes > UNCONFIRMED_MAX)
		out_free(queue_pop(&c->unconfirmed));
	c->unconfirmed_us = c->net->loop->now_us;
	if (first)
		conn_arm(c);
}

static void advance(struct conn *c, size_t n)
{
	c->used_us = c->net->loop->now_us;
	while (n) {
		size_t left = c->out.first->buf->len - c->out_done;

		if (n < left) {
			c->out_done += n;
			return;
		}
		n -= left;
		c->out_done = 0;
		written(c, queue_pop(&c->out));
	}
}

static ssize_t write_tcp(struct conn *c, char *text, size_t size)
{
	struct iovec iov[WRITE_BATCH];
	struct msghdr msg = { .msg_iov = iov };
	size_t done = c->out_done;
	ssize_t n;

	for (struct conn_out *o = c->out.first; o && msg.msg_iovlen < WRITE_BATCH; o = o->next) {
		iov[msg.msg_iovlen++] = (struct iovec){ o->buf->data + done, o->buf->len - done };
		done = 0;
	}
	n = sendmsg(c->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return n;
	snprintf(text, size, "writing: %s", strerror(errno));
	return -errno;
}

static ssize_t write_some(struct conn *c, char *text, size_t size)
{
	const struct net_buf *b = c->out.first->buf;

	if (c->ssl)
		return tls_write(c, b->data + c->out_done, b->len - c->out_done, text, size);
	return write_tcp(c, text, size);
}

int stream_write(struct conn *c, char *text, size_t size)
{
	while (c->out.first) {
		ssize_t n = write_some(c, text, size);

		if (n == -EAGAIN)
			return 0;
		if (n < 0 && n != -EINTR)
			return (int)n;
		if (n > 0)
			advance(c, (size_t)n);
	}
	return 0;
}

/* ---- in ------------------------------------------------------------------------------------ */

/* RFC 5626 4.4.1: a ping of two CRLFs is answered with one. When too much is unsent
 * already, the peer does not read, and gets no more. */
static void send_pong(struct conn *c)
{
	struct net_buf *b = net_buf_fill("\r\n", 2);

	if (b)
		stream_send(c, b, c->net->worker);
	net_buf_unref(&b);
}

static int deliver(struct conn *c, const char *data, size_t len)
{
	struct net_buf *b;
	struct net_flow flow;

	if (len > NET_MSG_MAX)
		return -EBADMSG;
	b = net_buf_fill(data, len);
	if (!b)
		return -ENOMEM;
	conn_flow(c, &flow);
	if (!net_receive(c->net, b, &flow))
		net_buf_unref(&b);
	return 0;
}

/* Hand out every whole message; the number of bytes done with, or -errno. */
static ssize_t cut(struct conn *c, const char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t skip = 0;
		bool pong = false;
		ssize_t n = c->net->ops->frame((struct span){ data + at, len - at }, &skip, &pong);

		if (n < 0)
			return -EBADMSG;
		assert(skip + (size_t)n <= len - at);
		if (pong)
			send_pong(c);
		if (n == 0 && skip == 0)
			break;
		if (n > 0 && deliver(c, data + at + skip, (size_t)n))
			return -EBADMSG;
		at += skip + (size_t)n;
	}
	return (ssize_t)at;
}

/* Keep the beginning of a message for the next read. */
static int keep(struct conn *c, const char *data, size_t len, bool fresh)
{
	if (len > NET_MSG_MAX)
		return -EBADMSG;
	if (len == 0 || (c->in && c->in->size < len))
		net_buf_unref(&c->in);
	if (len == 0)
		return 0;
	if (!c->in)
		c->in = net_buf_new(len);
	if (!c->in)
		return -ENOMEM;
	memcpy(c->in->data, data, len);
	c->in->len = (uint32_t)len;
	if (fresh) {
		c->half_since_us = c->net->loop->now_us;
		conn_arm(c);
	}
	return 0;
}

static ssize_t read_some(struct conn *c, char *data, size_t room, char *text, size_t size)
{
	ssize_t n;

	if (c->ssl)
		return tls_read(c, data, room, text, size);
	n = recv(c->watch.fd, data, room, MSG_DONTWAIT);
	if (n >= 0)
		return n;
	snprintf(text, size, "%s", strerror(errno));
	return -errno;
}

static int hopeless(struct conn *c, char *text, size_t size)
{
	NET_COUNT(c->net, rx_dropped);
	snprintf(text, size, "the peer's bytes are no message");
	return -EBADMSG;
}

/* One read and what follows from it: bytes read, or -errno (-ESHUTDOWN: end of stream). */
static ssize_t read_once(struct conn *c, char *text, size_t size)
{
	size_t have = c->in ? c->in->len : 0;
	char *data = c->net->stream;
	ssize_t n = read_some(c, data + have, STREAM_READ_MAX, text, size);
	ssize_t done;

	if (n <= 0)
		return n == 0 ? -ESHUTDOWN : n;
	c->used_us = c->net->loop->now_us;
	queue_clear(&c->unconfirmed);
	if (have)
		memcpy(data, c->in->data, have);
	have += (size_t)n;
	done = cut(c, data, have);
	if (done < 0 || keep(c, data + done, have - (size_t)done, done > 0 || !c->in))
		return hopeless(c, text, size);
	return n;
}

/* A bounded number of reads, so that one busy peer does not starve the others; but what
 * OpenSSL has already taken from the socket must be read now: epoll knows nothing of it. */
int stream_read(struct conn *c, char *text, size_t size)
{
	for (int i = 0; i < STREAM_ROUNDS || (c->ssl && SSL_pending(c->ssl) > 0); i++) {
		ssize_t n = read_once(c, text, size);

		if (n == -EAGAIN)
			return 0;
		if (n < 0 && n != -EINTR)
			return (int)n;
		if (!c->ssl && n > 0 && n < STREAM_READ_MAX)
			return 0;
	}
	return 0;
}
