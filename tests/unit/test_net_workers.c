/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two workers in threads of their own share every listening address; a client outside
 * talks to them. Also the ThreadSanitizer's test of the hand-over. */
#include "net_peer.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKERS 2
#define ROUNDS 500

struct worker {
	struct loop loop;
	struct net *net;
	unsigned index;
	pthread_t thread;
	atomic_uint wrong, messages, foreign, undelivered;
	_Atomic int err;
};

static struct worker workers[WORKERS];
static struct net_config config;

/* "@N..." must come here only when N is ours; it is answered along its flow. */
static void on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	struct worker *w = arg;

	if ((unsigned)(msg->data[1] - '0') % WORKERS != w->index)
		w->wrong++;
	if (flow->worker != w->index)
		w->foreign++;
	w->messages++;
	net_send(w->net, flow, msg);
}

static void on_undelivered(void *arg, struct span m, const struct net_flow *flow, int err,
			   const char *text)
{
	struct worker *w = arg;

	if ((unsigned)(m.p[1] - '0') % WORKERS != w->index)
		w->wrong++;
	w->err = err;
	w->undelivered++;
}

static const struct net_ops ops = { peer_frame, peer_classify, on_message, on_undelivered,
				    peer_classify };

static void *run(void *arg)
{
	struct worker *w = arg;

	loop_run(&w->loop);
	return NULL;
}

static void stop(void *arg)
{
	struct worker *w = arg;

	w->loop.stop = true;
}

static int start(void **state)
{
	struct net *nets[WORKERS];
	char why[200];

	(void)state;
	config = (struct net_config){ .workers = WORKERS, .max_connections = 100, .n_listen = 2 };
	config.listen[0] = (struct net_listen){ NET_UDP, addr("127.0.0.61:29361") };
	config.listen[1] = (struct net_listen){ NET_TCP, addr("127.0.0.61:29361") };
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		*w = (struct worker){ .index = i };
		assert_int_equal(loop_init(&w->loop), 0);
		if (net_open(&w->net, &w->loop, &config, i, &ops, w, why, sizeof(why)))
			fail_msg("net_open: %s", why);
		nets[i] = w->net;
	}
	net_link(nets, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		while (!net_call(workers[i].net, stop, &workers[i]))
			usleep(1000);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		net_close(&workers[i].net);
		loop_close(&workers[i].loop);
	}
	return 0;
}

static void talk(enum net_proto proto)
{
	struct net_stats stats[WORKERS];
	struct peer *clients[4];
	unsigned total = 0;

	for (size_t c = 0; c < ARRAY_SIZE(clients); c++) {
		struct net_flow flow;
		struct peer *p = clients[c] = peer_new();

		peer_listen(p, proto, "127.0.0.1:0");
		peer_open(p);
		assert_int_equal(
			net_flow_to(p->net, &flow, proto, &config.listen[1].addr, NULL, NULL), 0);
		for (unsigned i = 0; i < ROUNDS; i++) {
			char text[32];

			/* What comes back is not for a worker of the client. */
			snprintf(text, sizeof(text), "@%u message.", i % WORKERS);
			assert_int_equal(peer_send(p, &flow, text), 0);
			if (i % 50 == 49)
				assert_true(run_until(p, NULL, &p->messages, i + 1));
		}
	}
	for (size_t c = 0; c < ARRAY_SIZE(clients); c++) {
		total += clients[c]->messages;
		peer_free(clients[c]);
	}
	assert_int_equal(total, ARRAY_SIZE(clients) * ROUNDS);
	for (unsigned i = 0; i < WORKERS; i++) {
		net_stats(workers[i].net, &stats[i]);
		assert_int_equal(workers[i].wrong, 0);
		assert_int_equal(workers[i].messages, total / WORKERS);
	}
	/* Whichever socket a client's datagrams hash to, half are for the other worker. */
	assert_int_equal(stats[0].handed_over + stats[1].handed_over, total / 2);
	assert_int_equal(workers[0].foreign + workers[1].foreign, total / 2);
}

static void test_udp(void **state)
{
	(void)state;
	talk(NET_UDP);
}

static void test_tcp(void **state)
{
	(void)state;
	talk(NET_TCP);
}

struct order {
	struct worker *w;
	struct net_flow flow;
	atomic_int done;
	enum net_proto proto;
};

/* On worker 1: send along a flow, or first open one. */
static void send_order(void *arg)
{
	struct order *o = arg;
	struct net_buf *b = text_buf("@1 nobody is there.");
	int err = 0;

	if (o->proto == NET_UDP)
		err = net_flow_to(o->w->net, &o->flow, NET_UDP, &o->flow.peer, NULL, NULL);
	if (!err)
		err = net_send(o->w->net, &o->flow, b);
	net_buf_unref(&b);
	o->done = err ? err : 1;
}

static void await(atomic_uint *what, unsigned want)
{
	for (int i = 0; i < 3000 && *what < want; i++)
		usleep(1000);
	assert_true(*what >= want);
}

/* A failure is told to the worker that sent, wherever the kernel or the connection was. */
static void test_undelivered(void **state)
{
	struct order udp = { .w = &workers[1],
			     .proto = NET_UDP,
			     .flow.peer = addr("127.0.0.3:29874") };
	struct order tcp = {
		.w = &workers[1],
		.proto = NET_TCP,
		.flow = { .proto = NET_TCP, .worker = 0, .listener = 1, .conn = 0x12340000 }
	};

	(void)state;
	assert_true(net_call(workers[1].net, send_order, &udp));
	await(&workers[1].undelivered, 1);
	assert_int_equal(workers[1].err, ECONNREFUSED);
	assert_true(net_call(workers[1].net, send_order, &tcp));
	await(&workers[1].undelivered, 2);
	assert_int_equal(workers[1].err, EPIPE);
	assert_int_equal(udp.done, 1);
	assert_int_equal(tcp.done, 1);
	assert_int_equal(workers[0].wrong + workers[1].wrong, 0);
	assert_int_equal(workers[0].undelivered, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_udp, start, finish),
		cmocka_unit_test_setup_teardown(test_tcp, start, finish),
		cmocka_unit_test_setup_teardown(test_undelivered, start, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
