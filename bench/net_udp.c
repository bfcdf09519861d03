/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams a second through one worker's net: a burst goes from one net to another on the
 * same loop and comes back, 600 bytes each. Counts one receive and one send per message
 * and net. Usage: bench_net_udp [seconds] */
#include "net/net.h"

#include <stdio.h>

#define BURST 64
#define SIZE 600

struct side {
	struct net *net;
	uint64_t received;
	bool answers;
};

static ssize_t no_frame(struct span stream, size_t *skip_out, bool *pong_out)
{
	return -1;
}

static int mine(struct span message, unsigned workers)
{
	return 0;
}

static void on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	struct side *side = arg;

	side->received++;
	if (side->answers)
		net_send(side->net, flow, msg);
}

static void on_undelivered(void *arg, struct span message, const struct net_flow *flow, int err,
			   const char *text)
{
	fprintf(stderr, "undelivered: %s\n", text);
}

static const struct net_ops ops = { no_frame, mine, on_message, on_undelivered };

static void burst(struct side *from, const struct net_flow *flow)
{
	for (int i = 0; i < BURST; i++) {
		struct net_buf *b = net_buf_new(SIZE);

		memset(b->data, 'x', SIZE);
		b->len = SIZE;
		net_send(from->net, flow, b);
		net_buf_unref(&b);
	}
}

int main(int argc, char **argv)
{
	struct net_config config = { .n_listen = 1, .workers = 1 };
	struct side a = { 0 }, b = { .answers = true };
	union net_addr to;
	struct net_flow flow;
	struct loop loop;
	uint64_t start, end, seconds = 2;
	char why[200];

	if (argc > 1 && span_to_u64(span_of(argv[1]), &seconds))
		return 2;
	net_addr_parse(&config.listen[0].addr, SPAN("127.0.0.1"), 0);
	if (loop_init(&loop) || net_open(&a.net, &loop, &config, 0, &ops, &a, why, sizeof(why)) ||
	    net_open(&b.net, &loop, &config, 0, &ops, &b, why, sizeof(why)) ||
	    net_listener_addr(b.net, 0, &to) || net_flow_to(a.net, &flow, NET_UDP, &to, NULL, NULL))
		return 1;
	start = clock_mono_us();
	end = start + seconds * SEC;
	while (loop.now_us < end) {
		uint64_t want = a.received + BURST;

		burst(&a, &flow);
		for (int i = 0; i < 100 && a.received < want; i++)
			loop_turn(&loop, 1 * MSEC);
	}
	printf("net_udp: %.0f messages/s received and sent, %d bytes\n",
	       (double)(a.received + b.received) * 1e6 / (double)(clock_mono_us() - start), SIZE);
	net_close(&a.net);
	net_close(&b.net);
	loop_close(&loop);
	return 0;
}
