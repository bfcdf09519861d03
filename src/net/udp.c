/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams. One recvmmsg fills up to 64 buffers, each message is handled, the answers
 * they caused leave with one sendmmsg at the end of the turn (or as soon as 64 wait).
 *
 * Buffers are received into 4 KiB each plus a shared overflow area that is touched only by
 * larger datagrams. A buffer whose message nobody kept is received into again, so an
 * ordinary turn allocates nothing.
 *
 * A socket bound to the wildcard learns from the kernel which address each datagram was
 * sent to, and answers from there: a peer that asked 192.0.2.1 must not be answered by
 * 192.0.2.2 (RFC 3581 4, RFC 3261 18.2.2).
 *
 * With IP_RECVERR the kernel fails the next call on the socket, whatever that is, with the
 * error of an earlier datagram (udp_error.c). Such a failure is not about the message at
 * hand, which is tried once more. */
#include "net/net_int.h"

#include <netinet/ip.h>
#include <stdlib.h>
#include <unistd.h>

#define OVERFLOW_SIZE (65536 - NET_BUF_RX)

struct udp_io {
	struct net_buf *rx[UDP_BATCH];
	unsigned rx_ready; /* slots below are prepared */
	char *overflow;
	struct mmsghdr rx_msg[UDP_BATCH], tx_msg[UDP_BATCH];
	struct iovec rx_iov[UDP_BATCH][2], tx_iov[UDP_BATCH];
	union net_addr rx_addr[UDP_BATCH];
	_Alignas(struct cmsghdr) char rx_control[UDP_BATCH][UDP_CONTROL];
	_Alignas(struct cmsghdr) char tx_control[UDP_BATCH][UDP_CONTROL];
};

static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) <= UDP_CONTROL, "room for any pktinfo");

/* ---- receiving --------------------------------------------------------------------- */

/* Make slot `i` ready to receive. */
static int rx_prepare(struct udp_io *io, unsigned i)
{
	if (!io->rx[i])
		io->rx[i] = net_buf_new(NET_BUF_RX);
	if (!io->rx[i])
		return -ENOMEM;
	io->rx[i]->len = 0;
	io->rx_iov[i][0] = (struct iovec){ io->rx[i]->data, NET_BUF_RX };
	io->rx_iov[i][1] =
		(struct iovec){ io->overflow + (size_t)i * OVERFLOW_SIZE, OVERFLOW_SIZE };
	io->rx_msg[i].msg_hdr = (struct msghdr){
		.msg_name = &io->rx_addr[i],
		.msg_namelen = sizeof(io->rx_addr[i]),
		.msg_iov = io->rx_iov[i],
		.msg_iovlen = 2,
		.msg_control = io->rx_control[i],
		.msg_controllen = UDP_CONTROL,
	};
	return 0;
}

/* The address a datagram was sent to. `spec_dst` is where an answer may come from; the
 * kernel leaves it empty beside an ICMP error. */
static void local_of(const struct listener *l, const struct msghdr *msg, union net_addr *local)
{
	struct in_pktinfo info;
	struct in6_pktinfo info6;

	*local = l->addr;
	if (!l->any)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->in4.sin_addr =
				info.ipi_spec_dst.s_addr ? info.ipi_spec_dst : info.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof(info6));
			local->in6.sin6_addr = info6.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info6.ipi6_addr))
				local->in6.sin6_scope_id = info6.ipi6_ifindex;
		}
	}
}

void udp_flow(const struct listener *l, const union net_addr *peer, const struct msghdr *msg,
	      struct net_flow *flow)
{
	flow->proto = NET_UDP;
	flow->worker = (uint8_t)l->net->worker;
	flow->listener = l->index;
	flow->conn = 0;
	flow->peer = *peer;
	local_of(l, msg, &flow->local);
}

/* A datagram larger than its buffer continues in the overflow area: join the two. */
static struct net_buf *rx_join(struct udp_io *io, unsigned i, size_t len)
{
	struct net_buf *b = net_buf_new(len);

	if (!b)
		return NULL;
	memcpy(b->data, io->rx[i]->data, NET_BUF_RX);
	memcpy(b->data + NET_BUF_RX, io->rx_iov[i][1].iov_base, len - NET_BUF_RX);
	b->len = (uint32_t)len;
	return b;
}

static void rx_large(struct listener *l, unsigned i, size_t len, const struct net_flow *flow)
{
	struct net_buf *b = len <= NET_MSG_MAX ? rx_join(l->net->udp, i, len) : NULL;

	if (!b) {
		NET_COUNT(l->net, rx_dropped);
		return;
	}
	if (!net_receive(l->net, b, flow))
		net_buf_unref(&b);
}

static void rx_one(struct listener *l, unsigned i)
{
	struct udp_io *io = l->net->udp;
	size_t len = io->rx_msg[i].msg_len;
	struct net_flow flow;

	/* RFC 768: source port 0 says that no answer is wanted. An empty datagram keeps a
	 * NAT binding open and says nothing else. */
	if (len == 0)
		return;
	if (net_addr_port(&io->rx_addr[i]) == 0) {
		NET_COUNT(l->net, rx_dropped);
		return;
	}
	udp_flow(l, &io->rx_addr[i], &io->rx_msg[i].msg_hdr, &flow);
	if (len > NET_BUF_RX) {
		rx_large(l, i, len, &flow);
		return;
	}
	io->rx[i]->len = (uint32_t)len;
	if (net_receive(l->net, io->rx[i], &flow))
		io->rx[i] = NULL;
	else if (io->rx[i]->refs > 1)
		net_buf_unref(&io->rx[i]); /* somebody keeps it */
}

/* True when there may be more. */
static bool rx_batch(struct listener *l)
{
	struct udp_io *io = l->net->udp;
	int n;

	while (io->rx_ready < UDP_BATCH && rx_prepare(io, io->rx_ready) == 0)
		io->rx_ready++;
	if (io->rx_ready == 0)
		return false; /* no memory at all; the kernel keeps its queue */
	n = recvmmsg(l->watch.fd, io->rx_msg, io->rx_ready, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		udp_read_errors(l);
		return true;
	}
	for (int i = 0; i < n; i++)
		rx_one(l, (unsigned)i);
	for (int i = 0; i < n; i++)
		if (rx_prepare(io, (unsigned)i)) {
			io->rx_ready = (unsigned)i;
			break;
		}
	return n == UDP_BATCH;
}

static void udp_ready(struct loop_fd *watch, uint32_t events)
{
	struct listener *l = container_of(watch, struct listener, watch);

	if (events & EPOLLERR) {
		udp_read_errors(l);
		net_socket_error(watch->fd); /* or epoll would report it for ever */
	}
	if (events & EPOLLIN)
		for (int i = 0; i < UDP_BATCHES_A_TURN && rx_batch(l); i++)
			;
	if (events & EPOLLOUT) {
		l->blocked = false;
		udp_flush(l);
		if (!l->blocked)
			loop_modify(l->net->loop, watch, EPOLLIN);
	}
}

/* ---- sending -------------------------------------------------------------------------- */

static void put_pktinfo4(struct msghdr *msg, const union net_addr *local)
{
	struct in_pktinfo info = { .ipi_spec_dst = local->in4.sin_addr };
	struct cmsghdr *c;

	msg->msg_controllen = CMSG_SPACE(sizeof(info));
	c = CMSG_FIRSTHDR(msg);
	*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP,
			       .cmsg_type = IP_PKTINFO,
			       .cmsg_len = CMSG_LEN(sizeof(info)) };
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void put_pktinfo6(struct msghdr *msg, const union net_addr *local)
{
	struct in6_pktinfo info = { .ipi6_addr = local->in6.sin6_addr,
				    .ipi6_ifindex = local->in6.sin6_scope_id };
	struct cmsghdr *c;

	msg->msg_controllen = CMSG_SPACE(sizeof(info));
	c = CMSG_FIRSTHDR(msg);
	*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IPV6,
			       .cmsg_type = IPV6_PKTINFO,
			       .cmsg_len = CMSG_LEN(sizeof(info)) };
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void tx_prepare(struct listener *l, struct datagram *d, unsigned i)
{
	struct udp_io *io = l->net->udp;
	struct msghdr *msg = &io->tx_msg[i].msg_hdr;

	io->tx_iov[i] = (struct iovec){ d->buf->data, d->buf->len };
	*msg = (struct msghdr){ .msg_name = &d->peer,
				.msg_namelen = net_addr_len(&d->peer),
				.msg_iov = &io->tx_iov[i],
				.msg_iovlen = 1 };
	if (!l->any || net_addr_is_any(&d->local))
		return;
	msg->msg_control = io->tx_control[i];
	if (d->local.sa.sa_family == AF_INET6)
		put_pktinfo6(msg, &d->local);
	else
		put_pktinfo4(msg, &d->local);
}

static void tx_pop(struct listener *l)
{
	net_buf_unref(&l->queue[l->head].buf);
	l->head = (l->head + 1) % UDP_QUEUE;
	l->count--;
}

static void tx_wait(struct listener *l)
{
	if (!l->blocked)
		l->blocked = loop_modify(l->net->loop, &l->watch, EPOLLIN | EPOLLOUT) == 0;
}

/* The first waiting datagram was refused. False: stop for now. */
static bool tx_failed(struct listener *l, int err)
{
	struct datagram *d = &l->queue[l->head];
	struct net_flow flow = { .proto = NET_UDP,
				 .worker = (uint8_t)l->net->worker,
				 .listener = l->index,
				 .local = d->local,
				 .peer = d->peer };

	if (err == EAGAIN) {
		tx_wait(l);
		return false;
	}
	if (err == EINTR)
		return true;
	if (!d->retried) {
		d->retried = true;
		udp_read_errors(l);
		return true;
	}
	NET_COUNT(l->net, tx_errors);
	/* ENOBUFS: the interface's own queue is full. To the peer that is a lost datagram
	 * like any other, and retransmission mends it. */
	if (err != ENOBUFS)
		net_undelivered(l->net, d->buf, &flow, (int)l->net->worker, err, strerror(err));
	tx_pop(l);
	return true;
}

void udp_flush(struct listener *l)
{
	struct udp_io *io = l->net->udp;

	while (l->count) {
		unsigned n = l->count < UDP_BATCH ? l->count : UDP_BATCH;
		int sent;

		for (unsigned i = 0; i < n; i++)
			tx_prepare(l, &l->queue[(l->head + i) % UDP_QUEUE], i);
		sent = sendmmsg(l->watch.fd, io->tx_msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && !tx_failed(l, errno))
			return;
		for (int i = 0; i < sent; i++) {
			NET_COUNT(l->net, tx_messages);
			NET_COUNT_N(l->net, tx_bytes, l->queue[l->head].buf->len);
			tx_pop(l);
		}
	}
}

int udp_send(struct listener *l, const struct net_flow *flow, struct net_buf *msg)
{
	struct datagram *d;

	if (msg->len > UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (flow->peer.sa.sa_family != l->addr.sa.sa_family)
		return -EAFNOSUPPORT;
	if (l->count >= UDP_QUEUE) {
		NET_COUNT(l->net, tx_errors);
		return -EAGAIN;
	}
	d = &l->queue[(l->head + l->count) % UDP_QUEUE];
	d->buf = net_buf_ref(msg);
	d->peer = flow->peer;
	d->local = flow->local;
	d->retried = false;
	l->count++;
	if (l->count >= UDP_BATCH && !l->blocked)
		udp_flush(l);
	return 0;
}

/* ---- opening --------------------------------------------------------------------------- */

/* Bursts of a whole second's calls must fit. Without CAP_NET_ADMIN net.core.rmem_max
 * limits what we get. */
static void set_buffers(int fd)
{
	if (net_set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_SOCKET_BUFFER))
		net_set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_SOCKET_BUFFER);
	if (net_set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_SOCKET_BUFFER))
		net_set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_SOCKET_BUFFER);
}

/* A SIP message larger than the path's MTU must be fragmented, not lost while the kernel
 * learns the MTU: no DF bit. */
static int set_options(const struct listener *l, int fd)
{
	bool in6 = l->addr.sa.sa_family == AF_INET6;
	int level = in6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int err = net_set_option(fd, level, in6 ? IPV6_RECVERR : IP_RECVERR, 1);

	if (!err)
		err = in6 ? net_set_option(fd, level, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT)
			  : net_set_option(fd, level, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	if (!err && l->any)
		err = net_set_option(fd, level, in6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
	return err;
}

int udp_listen(struct listener *l, int fd)
{
	int err;

	l->queue = calloc(UDP_QUEUE, sizeof(*l->queue));
	if (!l->queue)
		return -ENOMEM;
	set_buffers(fd);
	l->watch.ready = udp_ready;
	err = set_options(l, fd);
	if (!err)
		err = loop_add(l->net->loop, &l->watch, fd, EPOLLIN);
	if (err) {
		free(l->queue);
		l->queue = NULL;
	}
	return err;
}

int udp_open(struct net *net)
{
	bool wanted = false;

	for (unsigned i = 0; i < net->config->n_listen; i++)
		wanted |= net->config->listen[i].proto == NET_UDP;
	if (!wanted)
		return 0;
	net->udp = calloc(1, sizeof(*net->udp));
	if (!net->udp)
		return -ENOMEM;
	net->udp->overflow = malloc((size_t)UDP_BATCH * OVERFLOW_SIZE);
	return net->udp->overflow ? 0 : -ENOMEM;
}

void udp_close(struct net *net)
{
	for (unsigned i = 0; i < net->n_listeners; i++) {
		struct listener *l = &net->listeners[i];

		while (l->count)
			tx_pop(l);
		free(l->queue);
	}
	if (!net->udp)
		return;
	for (unsigned i = 0; i < UDP_BATCH; i++)
		net_buf_unref(&net->udp->rx[i]);
	free(net->udp->overflow);
	free(net->udp);
	net->udp = NULL;
}
