/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One worker's net: opening and closing, the ring by which workers hand each other
 * messages, and the hook that ends each turn of the loop.
 *
 * What crosses a ring is a buffer whose only reference goes with it, its flow in the
 * hidden part before it (struct net_box): nothing is allocated for a hand-over. A sender
 * keeps its own reference, so a send to another worker's connection travels as a copy.
 *
 * The hook first tells of failures, then writes; both may cause the other, so it repeats
 * a few times before leaving the rest to the next turn. */
#include "net/net_int.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define HOOK_ROUNDS 4

struct call {
	void (*fn)(void *arg);
	void *arg;
};

/* ---- messages, here or at another worker's ------------------------------------------ */

static bool hand_over(struct net *net, struct net_buf *b, const struct net_flow *flow, unsigned to,
		      enum ring_tag tag)
{
	struct net_box *box = net_box_of(b);

	assert(b->refs == 1);
	box->flow = *flow;
	box->from = net->worker;
	if (to < net->n_rings && ring_push(net->rings[to], (int)tag, b))
		return true;
	NET_COUNT(net, hand_over_full);
	return false;
}

bool net_receive(struct net *net, struct net_buf *b, const struct net_flow *flow)
{
	int owner = net->ops->classify(net_buf_span(b), net->config->workers);

	NET_COUNT(net, rx_messages);
	NET_COUNT_N(net, rx_bytes, b->len);
	if (owner < 0) {
		NET_COUNT(net, rx_dropped);
		return false;
	}
	if ((unsigned)owner != net->worker) {
		if (!hand_over(net, b, flow, (unsigned)owner, RING_MESSAGE))
			return false;
		NET_COUNT(net, handed_over);
		return true;
	}
	net->ops->on_message(net->arg, b, flow);
	return false;
}

int net_send_here(struct net *net, const struct net_flow *flow, struct net_buf *msg, unsigned from)
{
	struct conn *c;

	if (flow->proto == NET_UDP) {
		if (flow->listener >= net->n_listeners ||
		    net->listeners[flow->listener].proto != NET_UDP)
			return -EPIPE;
		return udp_send(&net->listeners[flow->listener], flow, msg);
	}
	c = conn_get(net, flow->conn);
	return c ? stream_send(c, msg, from) : -EPIPE;
}

int net_send(struct net *net, const struct net_flow *flow, struct net_buf *msg)
{
	struct net_buf *copy;

	if (flow->proto == NET_UDP || flow->worker == net->worker)
		return net_send_here(net, flow, msg, net->worker);
	copy = net_buf_fill(msg->data, msg->len);
	if (!copy)
		return -ENOMEM;
	if (hand_over(net, copy, flow, flow->worker, RING_SEND))
		return 0;
	net_buf_unref(&copy);
	return -EAGAIN;
}

/* ---- failures ----------------------------------------------------------------------- */

static void failure_free(struct failure *f)
{
	list_del(&f->node);
	net_buf_unref(&f->buf);
	free(f);
}

static void failure_add(struct net *net, struct failure *f)
{
	if (net->n_failures >= FAILURES_MAX) {
		failure_free(f);
		return;
	}
	list_add_tail(&net->failures, &f->node);
	net->n_failures++;
}

void net_undelivered(struct net *net, struct net_buf *b, const struct net_flow *flow, int from,
		     int err, const char *text)
{
	struct failure *f;

	if (net->closing)
		return;
	f = malloc(sizeof(*f));
	if (!f)
		return;
	if (from < 0 && net->n_rings > 1 && net->ops->sender)
		from = net->ops->sender(net_buf_span(b), net->config->workers);
	*f = (struct failure){ .flow = *flow, .err = err };
	list_init(&f->node);
	snprintf(f->text, sizeof(f->text), "%s", text);
	if (from < 0 || (unsigned)from == net->worker || (unsigned)from >= net->n_rings) {
		f->buf = net_buf_ref(b);
		failure_add(net, f);
		return;
	}
	f->buf = net_buf_fill(b->data, b->len);
	if (f->buf && ring_push(net->rings[from], RING_FAILURE, f))
		return;
	NET_COUNT(net, hand_over_full);
	failure_free(f);
}

static void tell_failures(struct net *net)
{
	struct list batch;

	list_init(&batch);
	list_splice(&batch, &net->failures);
	net->n_failures = 0;
	while (!list_empty(&batch)) {
		struct failure *f = list_entry(batch.next, struct failure, node);

		net->ops->on_undelivered(net->arg, net_buf_span(f->buf), &f->flow, f->err, f->text);
		failure_free(f);
	}
}

/* ---- the ring ------------------------------------------------------------------------ */

static void take_message(struct net *net, struct net_buf *b)
{
	struct net_flow flow = net_box_of(b)->flow;

	net->ops->on_message(net->arg, b, &flow);
	net_buf_unref(&b);
}

static void take_send(struct net *net, struct net_buf *b)
{
	struct net_flow flow = net_box_of(b)->flow;
	unsigned from = net_box_of(b)->from;
	int err = net_send_here(net, &flow, b, from);

	if (err)
		net_undelivered(net, b, &flow, (int)from, -err,
				err == -EPIPE ? "the connection is gone" : "too much is unsent");
	net_buf_unref(&b);
}

static void take(struct net *net, int tag, void *item)
{
	struct call *call;

	switch (tag) {
	case RING_MESSAGE:
		take_message(net, item);
		break;
	case RING_SEND:
		take_send(net, item);
		break;
	case RING_FAILURE:
		failure_add(net, item);
		break;
	case RING_CALL:
		call = item;
		call->fn(call->arg);
		free(call);
		break;
	}
}

/* Pops at most what the ring can hold: whatever remains was pushed after ring_woken, so
 * the eventfd is readable again and timers get their turn first. */
static void ring_ready(struct loop_fd *watch, uint32_t events)
{
	struct net *net = container_of(watch, struct net, ring_watch);
	void *item;
	int tag;

	ring_woken(net->ring);
	for (int i = 0; i < RING_SIZE && ring_pop(net->ring, &tag, &item); i++)
		take(net, tag, item);
}

static void ring_discard(struct net *net)
{
	struct net_buf *b;
	void *item;
	int tag;

	while (ring_pop(net->ring, &tag, &item)) {
		if (tag == RING_FAILURE) {
			failure_free(item);
		} else if (tag == RING_CALL) {
			free(item);
		} else {
			b = item;
			net_buf_unref(&b);
		}
	}
}

bool net_call(struct net *net, void (*fn)(void *arg), void *arg)
{
	struct call *call = malloc(sizeof(*call));

	if (!call)
		return false;
	*call = (struct call){ fn, arg };
	if (ring_push(net->ring, RING_CALL, call))
		return true;
	free(call);
	return false;
}

static void hook_run(struct loop_hook *hook)
{
	struct net *net = container_of(hook, struct net, hook);

	for (int i = 0; i < HOOK_ROUNDS; i++) {
		tell_failures(net);
		conn_flush(net);
		for (unsigned l = 0; l < net->n_listeners; l++)
			if (net->listeners[l].count && !net->listeners[l].blocked)
				udp_flush(&net->listeners[l]);
		if (list_empty(&net->failures))
			break;
	}
}

/* ---- opening -------------------------------------------------------------------------- */

int net_set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int net_socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? errno : err;
}

/* Where a socket of this family and kind is told its type of service. */
static int set_tos(int fd, int family, int tos)
{
	if (tos == 0)
		return 0;
	return family == AF_INET6 ? net_set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, tos)
				  : net_set_option(fd, IPPROTO_IP, IP_TOS, tos);
}

int net_set_stream(int fd, int family, int tos)
{
	net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	net_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	/* RFC 5482: a peer that acknowledges nothing for so long is gone. */
	net_set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
	return set_tos(fd, family, tos);
}

static int bind_socket(const struct net_config *config, const union net_addr *addr, int type,
		       bool share, int *fd_out)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (addr->sa.sa_family == AF_INET6)
		err = net_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err && type == SOCK_STREAM)
		err = net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && share)
		err = net_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = set_tos(fd, addr->sa.sa_family, config->dscp_tos);
	if (!err && bind(fd, &addr->sa, net_addr_len(addr)) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}

/* With SO_REUSEPORT a second switch of the same user could quietly take a share of the
 * traffic. So the first worker tries without it before all workers bind with it. */
static int bind_listener(struct listener *l, int *fd_out)
{
	const struct net_config *config = l->net->config;
	int type = l->proto == NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
	bool share = config->workers > 1;
	int err, fd;

	if (share && net_addr_port(&l->addr) == 0)
		return -EINVAL;
	if (share && l->net->worker == 0) {
		err = bind_socket(config, &l->addr, type, false, &fd);
		if (err)
			return err;
		close(fd);
	}
	return bind_socket(config, &l->addr, type, share, fd_out);
}

static int listener_open(struct net *net, unsigned index)
{
	struct listener *l = &net->listeners[index];
	const struct net_listen *want = &net->config->listen[index];
	socklen_t len = sizeof(l->addr);
	int fd = -1, err;

	*l = (struct listener){ .net = net,
				.index = (uint16_t)index,
				.proto = (uint8_t)want->proto,
				.addr = want->addr,
				.watch.fd = -1,
				.any = net_addr_is_any(&want->addr) };
	err = bind_listener(l, &fd);
	if (err)
		return err;
	if (getsockname(fd, &l->addr.sa, &len) < 0)
		err = -errno;
	else
		err = l->proto == NET_UDP ? udp_listen(l, fd) : accept_listen(l, fd);
	if (err)
		close(fd);
	return err;
}

static const char *advice(int err)
{
	switch (-err) {
	case EADDRINUSE:
		return "in use by another process";
	case EADDRNOTAVAIL:
		return "no interface has this address";
	case EACCES:
		return "a port below 1024 needs CAP_NET_BIND_SERVICE";
	case EINVAL:
		return "port 0 cannot be shared by several workers; give a port";
	case EAFNOSUPPORT:
		return "this kernel has no such address family";
	case EMFILE:
		return "too many open files; raise LimitNOFILE";
	default:
		return strerror(-err);
	}
}

static int open_listeners(struct net *net, char *why, size_t size)
{
	static const char *const scheme[] = { "udp", "tcp", "tls" };

	for (unsigned i = 0; i < net->config->n_listen; i++) {
		const struct net_listen *want = &net->config->listen[i];
		char text[NET_ADDR_TEXT];
		int err = listener_open(net, i);

		if (err) {
			snprintf(why, size, "%s:%s: %s", scheme[want->proto],
				 net_addr_format(&want->addr, text), advice(err));
			return err;
		}
		net->n_listeners++;
	}
	return 0;
}

static bool has_streams(const struct net_config *config)
{
	for (unsigned i = 0; i < config->n_listen; i++)
		if (config->listen[i].proto != NET_UDP)
			return true;
	return false;
}

static int open_parts(struct net *net, char *why, size_t size)
{
	int err = -ENOMEM;

	net->ring = ring_new(RING_SIZE);
	if (net->ring)
		err = loop_add(net->loop, &net->ring_watch, ring_fd(net->ring), EPOLLIN);
	if (!err)
		err = udp_open(net);
	if (!err && has_streams(net->config)) {
		assert(net->ops->frame);
		err = conn_init(net);
	}
	if (err) {
		snprintf(why, size, "%s", strerror(-err));
		return err;
	}
	err = tls_open(net, why, size);
	return err ? err : open_listeners(net, why, size);
}

int net_open(struct net **net_out, struct loop *loop, const struct net_config *config,
	     unsigned worker, const struct net_ops *ops, void *arg, char *why, size_t why_size)
{
	struct net *net;
	int err;

	assert(config->workers > 0 && config->workers <= 256 && worker < config->workers);
	assert(config->n_listen <= NET_LISTENERS_MAX);
	net = calloc(1, sizeof(*net));
	if (!net) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	net->loop = loop;
	net->config = config;
	net->worker = worker;
	net->ops = ops;
	net->arg = arg;
	rng_bytes(&net->key, sizeof(net->key));
	net->spare_fd = net->ring_watch.fd = -1;
	net->ring_watch.ready = ring_ready;
	net->hook.run = hook_run;
	list_init(&net->failures);
	list_init(&net->unsent);
	loop_hook_add(loop, &net->hook);
	err = open_parts(net, why, why_size);
	if (err) {
		net_close(&net);
		return err;
	}
	*net_out = net;
	return 0;
}

/* The sockets of one address joined its group in the order of the workers, so the program's answer is an index
 * into it. Where the kernel takes no program, hand-over does it all. */
static void steer_datagrams(struct net *net)
{
	static struct sock_filter program[BPF_MAXINSNS];
	struct sock_fprog prog = { .filter = program };

	if (!net->ops->steer)
		return;
	prog.len = (unsigned short)net->ops->steer(program, BPF_MAXINSNS);
	for (unsigned i = 0; prog.len && i < net->n_listeners; i++) {
		struct listener *l = &net->listeners[i];

		if (l->proto == NET_UDP &&
		    setsockopt(l->watch.fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
			       sizeof(prog)) < 0)
			log_warn("net: the kernel takes no steering program (%s); messages are "
				 "handed over "
				 "between workers instead",
				 strerror(errno));
	}
}

void net_link(struct net **nets, unsigned n)
{
	if (n > 1)
		steer_datagrams(nets[0]);
	for (unsigned i = 0; i < n; i++) {
		struct net *net = nets[i];

		assert(net->worker == i && !net->rings);
		net->rings = calloc(n, sizeof(*net->rings));
		if (!net->rings)
			continue; /* n_rings stays 0: hand-over is counted as full */
		for (unsigned k = 0; k < n; k++)
			net->rings[k] = nets[k]->ring;
		net->n_rings = n;
	}
}

void net_close(struct net **netp)
{
	struct net *net = *netp;

	*netp = NULL;
	if (!net)
		return;
	net->closing = true;
	conn_close_all(net);
	for (unsigned i = 0; i < net->n_listeners; i++) {
		int fd = net->listeners[i].watch.fd;

		loop_del(net->loop, &net->listeners[i].watch);
		close(fd);
	}
	udp_close(net);
	tls_close(net);
	while (!list_empty(&net->failures))
		failure_free(list_entry(net->failures.next, struct failure, node));
	list_del(&net->hook.node);
	loop_del(net->loop, &net->ring_watch);
	if (net->ring)
		ring_discard(net);
	ring_free(&net->ring);
	free(net->rings);
	free(net->routes);
	free(net);
}

/* ---- looking in ------------------------------------------------------------------------ */

void net_stats(const struct net *net, struct net_stats *out)
{
	const uint64_t *from = (const uint64_t *)(const void *)&net->stats;
	uint64_t *to = (uint64_t *)(void *)out;

	for (size_t i = 0; i < offsetof(struct net_stats, conns_now) / sizeof(*from); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	out->conns_now = __atomic_load_n(&net->stats.conns_now, __ATOMIC_RELAXED);
}

int net_listener_addr(const struct net *net, unsigned listener, union net_addr *out)
{
	if (listener >= net->n_listeners)
		return -EINVAL;
	*out = net->listeners[listener].addr;
	return 0;
}
