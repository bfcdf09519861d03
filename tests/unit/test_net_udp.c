/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net_peer.h"

static struct peer *udp_peer(const char *listen)
{
	struct peer *p = peer_new();

	peer_listen(p, NET_UDP, listen);
	peer_open(p);
	return p;
}

static void assert_host(const union net_addr *a, const char *want)
{
	char text[NET_ADDR_TEXT];

	assert_string_equal(net_addr_format_host(a, text), want);
}

static void echo(const char *listen_a, const char *listen_b, const char *host_b, const char *seen)
{
	struct peer *a = udp_peer(listen_a), *b = udp_peer(listen_b);
	union net_addr to = addr(host_b), bound = peer_addr(b, 0);
	struct net_flow flow;

	net_addr_set_port(&to, net_addr_port(&bound));
	assert_int_equal(net_flow_to(a->net, &flow, NET_UDP, &to, NULL, NULL), 0);
	assert_false(net_addr_is_any(&flow.local));
	assert_int_equal(peer_send(a, &flow, "echo one"), 0);
	assert_true(run_until(a, b, &a->messages, 1));
	assert_string_equal(a->last, "Echo one");
	assert_true(net_addr_eq(&a->flow.peer, &to)); /* answered from where it was asked */
	assert_host(&b->flow.local, seen);
	assert_int_equal(net_addr_port(&b->flow.local), net_addr_port(&bound));
	assert_true(net_addr_eq(&b->flow.peer, &flow.local));
	assert_true(net_addr_eq(&a->flow.local, &flow.local));
	peer_free(a);
	peer_free(b);
}

static void test_echo(void **state)
{
	(void)state;
	echo("127.0.0.1:0", "127.0.0.2:0", "127.0.0.2", "127.0.0.2");
	echo("[::1]:0", "[::1]:0", "::1", "::1");
}

static void test_echo_wildcard(void **state)
{
	(void)state;
	echo("127.0.0.1:0", "0.0.0.0:0", "127.0.0.77", "127.0.0.77");
	echo("0.0.0.0:0", "0.0.0.0:0", "127.0.0.78", "127.0.0.78");
	echo("[::]:0", "[::]:0", "::1", "::1");
}

/* A wildcard listener sends from the address that the caller pins. */
static void test_pinned_local(void **state)
{
	struct peer *a = udp_peer("0.0.0.0:0"), *b = udp_peer("127.0.0.1:0");
	union net_addr to = peer_addr(b, 0), from = addr("127.0.0.99"), foreign = addr("192.0.2.1");
	struct net_flow flow;

	(void)state;
	for (int i = 0; i < 2; i++) { /* asked, then remembered */
		assert_int_equal(net_flow_to(a->net, &flow, NET_UDP, &to, &from, NULL), 0);
		assert_host(&flow.local, "127.0.0.99");
		assert_int_equal(net_flow_to(a->net, &flow, NET_UDP, &to, &foreign, NULL),
				 -EADDRNOTAVAIL);
	}
	net_flow_to(a->net, &flow, NET_UDP, &to, &from, NULL);
	peer_send(a, &flow, "hello");
	assert_true(run_until(a, b, &b->messages, 1));
	assert_host(&b->flow.peer, "127.0.0.99");
	assert_int_equal(net_flow_to(b->net, &flow, NET_UDP, &to, &from, NULL), -EADDRNOTAVAIL);
	peer_free(a);
	peer_free(b);
}

static void test_choice_of_listener(void **state)
{
	struct peer *p = peer_new();
	union net_addr in4 = addr("127.0.0.5:5060"), in6 = addr("[::1]:5060"),
		       mapped = addr("[::ffff:127.0.0.5]:5060");
	union net_addr second = addr("127.0.0.12"), nowhere = addr("0.0.0.0:5060"),
		       no_port = addr("127.0.0.1");
	struct net_flow flow;

	(void)state;
	peer_listen(p, NET_UDP, "127.0.0.11:0");
	peer_listen(p, NET_UDP, "127.0.0.12:0");
	peer_listen(p, NET_UDP, "127.0.0.1:0");
	peer_open(p);
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &in4, NULL, NULL), 0);
	assert_int_equal(flow.listener, 2); /* where the kernel would send from */
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &mapped, NULL, NULL), 0);
	assert_int_equal(flow.peer.sa.sa_family, AF_INET);
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &in4, &second, NULL), 0);
	assert_int_equal(flow.listener, 1);
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &in6, NULL, NULL), -EAFNOSUPPORT);
	assert_int_equal(net_flow_to(p->net, &flow, NET_TCP, &in4, NULL, NULL), -EAFNOSUPPORT);
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &nowhere, NULL, NULL), -EINVAL);
	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &no_port, NULL, NULL), -EINVAL);
	peer_free(p);
}

static void unreachable(const char *listen, const char *closed)
{
	struct peer *p = udp_peer(listen);
	union net_addr to = addr(closed);
	uint64_t start = clock_mono_us();
	struct net_stats stats;
	struct net_flow flow;

	assert_int_equal(net_flow_to(p->net, &flow, NET_UDP, &to, NULL, NULL), 0);
	peer_send(p, &flow, "is anybody there?");
	assert_true(run_until(p, NULL, &p->undelivered, 1));
	assert_true(clock_mono_us() - start < SEC);
	assert_int_equal(p->err, ECONNREFUSED);
	assert_string_equal(p->lost, "is anybody there?");
	assert_non_null(strstr(p->text, "port unreachable"));
	assert_true(net_addr_eq(&p->lost_flow.peer, &to));
	assert_true(net_addr_eq(&p->lost_flow.local, &flow.local));
	net_stats(p->net, &stats);
	assert_int_equal(stats.icmp_errors, 1);
	peer_free(p);
}

static void test_unreachable(void **state)
{
	(void)state;
	unreachable("127.0.0.1:0", "127.0.0.3:29871");
	unreachable("0.0.0.0:0", "127.0.0.3:29871");
	unreachable("[::1]:0", "[::1]:29871");
	unreachable("[::]:0", "[::1]:29871");
}

/* An error of one datagram must not swallow another that was sent to a living peer. */
static void test_error_spares_others(void **state)
{
	struct peer *a = udp_peer("127.0.0.1:0"), *b = udp_peer("127.0.0.1:0");
	union net_addr dead = addr("127.0.0.3:29872"), live = peer_addr(b, 0);
	struct net_flow to_dead, to_live;

	(void)state;
	assert_int_equal(net_flow_to(a->net, &to_dead, NET_UDP, &dead, NULL, NULL), 0);
	assert_int_equal(net_flow_to(a->net, &to_live, NET_UDP, &live, NULL, NULL), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(peer_send(a, &to_dead, "lost"), 0);
		assert_int_equal(peer_send(a, &to_live, "kept"), 0);
	}
	assert_true(run_until(a, b, &b->messages, 200));
	assert_true(run_until(a, b, &a->undelivered, 1));
	assert_string_equal(a->lost, "lost");
	peer_free(a);
	peer_free(b);
}

/* Bursts larger than a batch, more than the queue holds, and one large datagram. */
static void test_bursts_and_sizes(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 20000, 65507 };
	struct peer *a = udp_peer("127.0.0.1:0"), *b = udp_peer("127.0.0.1:0");
	union net_addr to = peer_addr(b, 0);
	struct net_flow flow;
	struct net_buf *big = net_buf_new(NET_MSG_MAX);

	(void)state;
	net_flow_to(a->net, &flow, NET_UDP, &to, NULL, NULL);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(peer_send(a, &flow, "burst"), 0);
	assert_true(run_until(a, b, &b->messages, 1000));
	memset(big->data, 'a', NET_MSG_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		big->len = (uint32_t)sizes[i];
		assert_int_equal(net_send(a->net, &flow, big), 0);
		assert_true(run_until(a, b, &b->messages, 1001 + (unsigned)i));
		assert_int_equal(b->last_len, sizes[i]);
	}
	big->len = 65508;
	assert_int_equal(net_send(a->net, &flow, big), -EMSGSIZE);
	assert_int_equal(big->refs, 1);
	net_buf_unref(&big);
	peer_free(a);
	peer_free(b);
}

static struct net_buf *kept[100];
static unsigned n_kept;

static void keep_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	if (n_kept < ARRAY_SIZE(kept))
		kept[n_kept++] = net_buf_ref(msg);
}

/* A message that is kept is not received over. */
static void test_kept_messages(void **state)
{
	static const struct net_ops ops = { peer_frame, peer_classify, keep_message,
					    peer_on_undelivered };
	struct peer *a = udp_peer("127.0.0.1:0"), *b = peer_new();
	union net_addr to;
	struct net_flow flow;
	char text[100];

	(void)state;
	peer_listen(b, NET_UDP, "127.0.0.1:0");
	assert_int_equal(net_open(&b->net, &b->loop, &b->config, 0, &ops, b, text, sizeof(text)),
			 0);
	to = peer_addr(b, 0);
	net_flow_to(a->net, &flow, NET_UDP, &to, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		snprintf(text, sizeof(text), "message %u", i);
		peer_send(a, &flow, text);
	}
	assert_true(run_until(a, b, &n_kept, ARRAY_SIZE(kept)));
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		snprintf(text, sizeof(text), "message %u", i);
		assert_int_equal(kept[i]->len, strlen(text));
		assert_memory_equal(kept[i]->data, text, strlen(text));
		net_buf_unref(&kept[i]);
	}
	peer_free(a);
	peer_free(b);
}

static void test_classify_drops(void **state)
{
	struct peer *a = udp_peer("127.0.0.1:0"), *b = udp_peer("127.0.0.1:0");
	union net_addr to = peer_addr(b, 0);
	struct net_flow flow;
	struct net_stats stats;

	(void)state;
	net_flow_to(a->net, &flow, NET_UDP, &to, NULL, NULL);
	peer_send(a, &flow, "@x not for us");
	peer_send(a, &flow, "for us");
	assert_true(run_until(a, b, &b->messages, 1));
	assert_string_equal(b->last, "for us");
	net_stats(b->net, &stats);
	assert_int_equal(stats.rx_dropped, 1);
	assert_int_equal(stats.rx_messages, 2);
	net_stats(a->net, &stats);
	assert_int_equal(stats.tx_messages, 2);
	assert_int_equal(stats.tx_bytes, strlen("@x not for us") + strlen("for us"));
	peer_free(a);
	peer_free(b);
}

static void test_address_in_use(void **state)
{
	struct peer *a = udp_peer("127.0.0.1:0"), *b = peer_new();
	union net_addr taken = peer_addr(a, 0);
	char why[200], want[200], text[NET_ADDR_TEXT];

	(void)state;
	peer_listen(b, NET_UDP, "127.0.0.1:0");
	peer_listen(b, NET_UDP, net_addr_format(&taken, text));
	snprintf(want, sizeof(want), "udp:%s: in use by another process", text);
	for (b->config.workers = 1; b->config.workers <= 2; b->config.workers++) {
		assert_true(net_open(&b->net, &b->loop, &b->config, 0, &peer_ops, b, why,
				     sizeof(why)) < 0);
		assert_null(b->net);
		if (b->config.workers == 1)
			assert_string_equal(why, want);
	}
	b->config.n_listen = 0;
	peer_listen(b, NET_UDP, "192.0.2.77:5060");
	assert_int_equal(net_open(&b->net, &b->loop, &b->config, 0, &peer_ops, b, why, sizeof(why)),
			 -EADDRNOTAVAIL);
	assert_string_equal(why, "udp:192.0.2.77:5060: no interface has this address");
	peer_free(a);
	peer_free(b);
}

static void called(void *arg)
{
	*(unsigned *)arg += 1;
}

static void test_call(void **state)
{
	struct peer *p = udp_peer("127.0.0.1:0");
	unsigned calls = 0;

	(void)state;
	assert_true(net_call(p->net, called, &calls));
	assert_true(net_call(p->net, called, &calls));
	assert_int_equal(calls, 0);
	assert_true(run_until(p, NULL, &calls, 2));
	while (net_call(p->net, called, &calls))
		assert_true(calls < 100000);
	assert_true(net_call(p->net, called, &calls) == false); /* full, and freed at close */
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_wildcard),
		cmocka_unit_test(test_pinned_local),
		cmocka_unit_test(test_choice_of_listener),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_error_spares_others),
		cmocka_unit_test(test_bursts_and_sizes),
		cmocka_unit_test(test_kept_messages),
		cmocka_unit_test(test_classify_drops),
		cmocka_unit_test(test_address_in_use),
		cmocka_unit_test(test_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
