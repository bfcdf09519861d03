/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net_peer.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct peer *tcp_peer(const char *listen)
{
	struct peer *p = peer_new();

	peer_listen(p, NET_TCP, listen);
	return p;
}

/* A plain blocking client. */
static int dial(const union net_addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &to->sa, sizeof(*to)), 0);
	return fd;
}

static void put(int fd, const char *bytes)
{
	assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* What the other side says while the loop turns, until `len` bytes, end of stream or 2 s. */
static size_t hear(struct peer *p, int fd, char *dst, size_t len)
{
	uint64_t end = clock_mono_us() + 2 * SEC;
	size_t got = 0;

	while (got < len && clock_mono_us() < end) {
		ssize_t n = recv(fd, dst + got, len - got, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		got += n > 0 ? (size_t)n : 0;
		loop_turn(&p->loop, 5 * MSEC);
	}
	return got;
}

static bool closed(struct peer *p, int fd)
{
	char byte;
	uint64_t start = clock_mono_us();

	return hear(p, fd, &byte, 1) == 0 && clock_mono_us() - start < 19 * SEC / 10;
}

static void test_odd_pieces(void **state)
{
	static const char stream[] = "first.second one.\r\nthird.\r\n\r\nechofourth.";
	static const unsigned pieces[] = { 1, 2, 3, 5, 7, 1000 };
	char heard[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct peer *p = tcp_peer("127.0.0.1:0");
		union net_addr to;
		int fd;

		peer_open(p);
		to = peer_addr(p, 0);
		fd = dial(&to);
		for (size_t at = 0; at < sizeof(stream) - 1; at += pieces[i]) {
			char piece[sizeof(stream)] = "";

			span_copy(span_head(span_skip(SPAN(stream), at), pieces[i]), piece,
				  sizeof(piece));
			put(fd, piece);
			loop_turn(&p->loop, 5 * MSEC);
		}
		assert_true(run_until(p, NULL, &p->messages, 4));
		assert_int_equal(p->messages, 4);
		assert_string_equal(p->last, "echofourth.");
		/* Byte by byte our framer never sees a double CRLF in one piece. */
		if (pieces[i] == 1000) {
			assert_int_equal(hear(p, fd, heard, 13), 13);
			assert_memory_equal(heard, "\r\nEchofourth.", 13);
		}
		close(fd);
		peer_free(p);
	}
}

static void test_random_pieces(void **state)
{
	static char stream[200000];
	struct peer *p = tcp_peer("[::1]:0");
	union net_addr to;
	size_t len = 0, at = 0;
	unsigned want = 0;
	int fd;

	(void)state;
	while (len < sizeof(stream) - 1) {
		size_t n = 1 + rng_below(want % 10 == 9 ? 40000 : 900);

		n = n < sizeof(stream) - len ? n : sizeof(stream) - len;
		memset(stream + len, 'm', n - 1);
		stream[len + n - 1] = '.';
		len += n;
		want++;
	}
	peer_open(p);
	to = peer_addr(p, 0);
	fd = dial(&to);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (at < len) {
		size_t n = 1 + rng_below(9000);
		ssize_t sent = send(fd, stream + at, n < len - at ? n : len - at, MSG_NOSIGNAL);

		at += sent > 0 ? (size_t)sent : 0;
		loop_turn(&p->loop, 0);
	}
	assert_true(run_until(p, NULL, &p->messages, want));
	assert_int_equal(p->messages, want);
	close(fd);
	peer_free(p);
}

static void test_hopeless(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to;
	struct net_stats stats;
	static char long_one[70001];
	int fd;

	(void)state;
	peer_open(p);
	to = peer_addr(p, 0);
	fd = dial(&to);
	put(fd, "good.bad!");
	assert_true(closed(p, fd));
	assert_int_equal(p->messages, 1);
	close(fd);
	fd = dial(&to);
	memset(long_one, 'x', sizeof(long_one) - 1);
	put(fd, long_one); /* no end in sight */
	assert_true(closed(p, fd));
	close(fd);
	net_stats(p->net, &stats);
	assert_int_equal(stats.rx_dropped, 2);
	assert_int_equal(stats.conns_accepted, 2);
	assert_int_equal(stats.conns_closed, 2);
	assert_int_equal(stats.conns_now, 0);
	peer_free(p);
}

static void test_reuse(void **state)
{
	struct peer *a = tcp_peer("127.0.0.1:0"), *b = tcp_peer("127.0.0.2:0");
	union net_addr to;
	struct net_flow one, two, back;
	struct net_stats stats;

	(void)state;
	peer_open(a);
	peer_open(b);
	to = peer_addr(b, 0);
	assert_int_equal(net_flow_to(a->net, &one, NET_TCP, &to, NULL, NULL), 0);
	assert_int_not_equal(one.conn, 0);
	assert_int_equal(peer_send(a, &one, "echo one."), 0); /* while connecting */
	assert_true(run_until(a, b, &a->messages, 1));
	assert_string_equal(a->last, "Echo one.");
	assert_int_equal(net_flow_to(a->net, &two, NET_TCP, &to, NULL, NULL), 0);
	assert_int_equal(one.conn, two.conn);
	/* The accepted side: the peer's own port, and that connection is found by it. What we say of
	 * ourselves is the port we listen on. */
	assert_int_not_equal(net_addr_port(&b->flow.peer), 0);
	assert_true(net_addr_eq_host(&b->flow.peer, &two.local));
	assert_true(net_addr_eq(&two.local, &(union net_addr[]){ peer_addr(a, 0) }[0]));
	assert_true(net_addr_eq(&b->flow.local, &to));
	assert_int_equal(net_flow_to(b->net, &back, NET_TCP, &b->flow.peer, NULL, NULL), 0);
	assert_int_equal(back.conn, b->flow.conn);
	assert_int_equal(peer_send(b, &back, "other way."), 0);
	assert_true(run_until(a, b, &a->messages, 2));
	net_stats(a->net, &stats);
	assert_int_equal(stats.conns_opened, 1);
	net_stats(b->net, &stats);
	assert_int_equal(stats.conns_accepted, 1);
	peer_free(a);
	peer_free(b);
}

/* After a connection is gone its flow reaches nobody, even when the slot is used again. */
static void test_stale_flow(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to;
	struct net_flow old;
	char byte;
	int fd;

	(void)state;
	peer_open(p);
	to = peer_addr(p, 0);
	fd = dial(&to);
	put(fd, "hello.");
	assert_true(run_until(p, NULL, &p->messages, 1));
	old = p->flow;
	close(fd);
	run_for(p, NULL, 50 * MSEC);
	assert_int_equal(peer_send(p, &old, "stale."), -EPIPE);
	fd = dial(&to);
	put(fd, "hello.");
	assert_true(run_until(p, NULL, &p->messages, 2));
	assert_int_equal(p->flow.conn & 0xffff, old.conn & 0xffff);
	assert_int_equal(peer_send(p, &old, "stale."), -EPIPE);
	run_for(p, NULL, 20 * MSEC);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	close(fd);
	peer_free(p);
}

static void test_refused(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to = addr("127.0.0.3:29873");
	struct net_flow flow;

	(void)state;
	peer_open(p);
	assert_int_equal(net_flow_to(p->net, &flow, NET_TCP, &to, NULL, NULL), 0);
	assert_int_equal(peer_send(p, &flow, "one."), 0);
	assert_int_equal(peer_send(p, &flow, "two."), 0);
	assert_true(run_until(p, NULL, &p->undelivered, 2));
	assert_int_equal(p->err, ECONNREFUSED);
	assert_string_equal(p->lost, "two.");
	assert_non_null(strstr(p->text, "refused"));
	assert_true(net_addr_eq(&p->lost_flow.peer, &to));
	assert_int_equal(peer_send(p, &flow, "three."), -EPIPE);
	peer_free(p);
}

/* A listener with a full backlog answers no SYN: the connect timeout ends the attempt. */
static void test_connect_timeout(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to = addr("127.0.0.1");
	socklen_t len = sizeof(to);
	int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[8];
	struct net_flow flow;

	(void)state;
	assert_int_equal(bind(deaf, &to.sa, sizeof(to.in4)), 0);
	assert_int_equal(listen(deaf, 0), 0);
	getsockname(deaf, &to.sa, &len);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fill[i], &to.sa, sizeof(to.in4));
	}
	p->config.connect_timeout_us = 200 * MSEC;
	peer_open(p);
	assert_int_equal(net_flow_to(p->net, &flow, NET_TCP, &to, NULL, NULL), 0);
	assert_int_equal(peer_send(p, &flow, "hello?"), 0);
	assert_true(run_until(p, NULL, &p->undelivered, 1));
	assert_int_equal(p->err, ETIMEDOUT);
	assert_string_equal(p->text, "connecting took too long");
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++)
		close(fill[i]);
	close(deaf);
	peer_free(p);
}

/* A reset just after writing: the message was not read by anybody. */
static void test_reset(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	struct linger reset = { 1, 0 };
	union net_addr to;
	int fd;

	(void)state;
	peer_open(p);
	to = peer_addr(p, 0);
	fd = dial(&to);
	put(fd, "hello.");
	assert_true(run_until(p, NULL, &p->messages, 1));
	assert_int_equal(peer_send(p, &p->flow, "are you there."), 0);
	run_for(p, NULL, 20 * MSEC);
	assert_int_equal(p->undelivered, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	assert_true(run_until(p, NULL, &p->undelivered, 1));
	assert_int_equal(p->err, ECONNRESET);
	assert_string_equal(p->lost, "are you there.");
	peer_free(p);
}

static void test_timeouts(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to;
	int idle, slow;

	(void)state;
	p->config.idle_timeout_us = 400 * MSEC;
	peer_open(p);
	to = peer_addr(p, 0);
	idle = dial(&to);
	slow = dial(&to);
	for (int i = 0; i < 7; i++) { /* never idle, but never a message */
		send(slow, "x", 1, MSG_NOSIGNAL);
		run_for(p, NULL, 100 * MSEC);
	}
	assert_true(closed(p, idle));
	assert_true(closed(p, slow));
	assert_int_equal(p->messages, 0);
	close(idle);
	close(slow);
	peer_free(p);
}

static void test_limits(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	union net_addr to;
	struct net_stats stats;
	int fd[5];
	unsigned sent = 0;
	struct net_buf *big = net_buf_new(60000);

	(void)state;
	p->config.max_connections = 3;
	peer_open(p);
	to = peer_addr(p, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = dial(&to);
	assert_true(closed(p, fd[4]));
	net_stats(p->net, &stats);
	assert_int_equal(stats.conns_refused, 2);
	assert_int_equal(stats.conns_now, 3);
	/* A peer that does not read: 1 MiB is kept for it, no more. */
	put(fd[0], "hello.");
	assert_true(run_until(p, NULL, &p->messages, 1));
	memset(big->data, 'x', 60000);
	big->len = 60000;
	while (net_send(p->net, &p->flow, big) == 0) {
		sent++;
		loop_turn(&p->loop, 0);
		assert_true(sent < 1000);
	}
	assert_int_equal(net_send(p->net, &p->flow, big), -EAGAIN);
	assert_true(sent >= 17);
	/* When it reads again, all of it arrives. */
	for (size_t left = sent * 60000ul; left;) {
		static char sink[65536];
		size_t n = hear(p, fd[0], sink, left < sizeof(sink) ? left : sizeof(sink));

		assert_true(n > 0);
		left -= n;
	}
	assert_int_equal(peer_send(p, &p->flow, "again"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	net_buf_unref(&big);
	peer_free(p);
}

/* Out of files: the caller is turned away instead of waiting in the backlog for ever. */
static void test_no_files_left(void **state)
{
	struct peer *p = tcp_peer("127.0.0.1:0");
	struct rlimit old, low;
	struct net_stats stats;
	union net_addr to;
	int fd;

	(void)state;
	peer_open(p);
	to = peer_addr(p, 0);
	fd = dial(&to);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	run_for(p, NULL, 20 * MSEC);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_true(closed(p, fd));
	net_stats(p->net, &stats);
	assert_int_equal(stats.conns_refused, 1);
	close(fd);
	fd = dial(&to);
	put(fd, "better.");
	assert_true(run_until(p, NULL, &p->messages, 1));
	close(fd);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_pieces),      cmocka_unit_test(test_random_pieces),
		cmocka_unit_test(test_hopeless),        cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_stale_flow),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_connect_timeout), cmocka_unit_test(test_reset),
		cmocka_unit_test(test_timeouts),        cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_files_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
