/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of net: a net of its own loop that remembers what happened to it. Its
 * messages end with '.'; '!' makes a stream hopeless; a message "echo..." is answered
 * "Echo..."; one that begins with "@N" belongs to worker N, "@x" to nobody. */
#ifndef CAUSEWAY_TEST_NET_PEER_H
#define CAUSEWAY_TEST_NET_PEER_H

#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <unistd.h>

struct peer {
	struct loop loop;
	struct net *net;
	struct net_config config;
	unsigned messages, undelivered;
	char last[512];
	size_t last_len;
	struct net_flow flow;
	char lost[512];			/* the last undelivered bytes */
	size_t lost_len;
	int err;
	char text[200];
	struct net_flow lost_flow;
};

static inline ssize_t peer_frame(struct span s, size_t *skip, bool *pong)
{
	size_t at = 0, end;

	while (at < s.len && (s.p[at] == '\r' || s.p[at] == '\n'))
		at++;
	*skip = at & ~(size_t)1;
	*pong = at >= 4;
	s = span_skip(s, at);
	if (at % 2)
		return 0;
	end = span_find(s, '.');
	if (span_find(s, '!') < end)
		return -1;
	return end < s.len ? (ssize_t)end + 1 : 0;
}

static inline int peer_classify(struct span m, unsigned workers)
{
	if (m.len < 2 || m.p[0] != '@')
		return 0;
	if (!ascii_digit(m.p[1]))
		return -1;
	return (int)((unsigned)(m.p[1] - '0') % workers);
}

static inline struct net_buf *text_buf(const char *text)
{
	struct net_buf *b = net_buf_copy(text, strlen(text));

	assert_non_null(b);
	return b;
}

static inline int peer_send(struct peer *p, const struct net_flow *flow, const char *text)
{
	struct net_buf *b = text_buf(text);
	int err = net_send(p->net, flow, b);

	net_buf_unref(&b);
	return err;
}

static inline void peer_on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	struct peer *p = arg;

	p->messages++;
	p->last_len = span_copy((struct span){ msg->data, msg->len }, p->last, sizeof(p->last));
	p->flow = *flow;
	if (msg->len >= 4 && memcmp(msg->data, "echo", 4) == 0) {
		msg->data[0] = 'E'; /* answered, not echoed for ever */
		net_send(p->net, flow, msg);
	}
}

static inline void peer_on_undelivered(void *arg, struct span m, const struct net_flow *flow, int err,
				       const char *text)
{
	struct peer *p = arg;

	p->undelivered++;
	p->err = err;
	p->lost_flow = *flow;
	p->lost_len = span_copy(m, p->lost, sizeof(p->lost));
	span_copy(span_of(text), p->text, sizeof(p->text));
}

static const struct net_ops peer_ops = { peer_frame, peer_classify, peer_on_message, peer_on_undelivered };

static inline union net_addr addr(const char *text)
{
	union net_addr a;

	assert_int_equal(net_addr_parse(&a, span_of(text), 0), 0);
	return a;
}

static inline void peer_listen(struct peer *p, enum net_proto proto, const char *text)
{
	p->config.listen[p->config.n_listen++] = (struct net_listen){ proto, addr(text) };
}

static inline struct peer *peer_new(void)
{
	struct peer *p = test_calloc(1, sizeof(*p));

	p->config.workers = 1;
	p->config.max_connections = 100;
	p->config.connect_timeout_us = 2 * SEC;
	assert_int_equal(loop_init(&p->loop), 0);
	return p;
}

static inline void peer_open(struct peer *p)
{
	char why[200] = "";

	if (net_open(&p->net, &p->loop, &p->config, 0, &peer_ops, p, why, sizeof(why)))
		fail_msg("net_open: %s", why);
}

static inline void peer_free(struct peer *p)
{
	net_close(&p->net);
	loop_close(&p->loop);
	test_free(p);
}

static inline union net_addr peer_addr(const struct peer *p, unsigned listener)
{
	union net_addr a;

	assert_int_equal(net_listener_addr(p->net, listener, &a), 0);
	return a;
}

/* Turn both loops (b may be NULL) until `*what` reaches `want`, or three seconds. */
static inline bool run_until(struct peer *a, struct peer *b, const unsigned *what, unsigned want)
{
	uint64_t end = clock_mono_us() + 3 * SEC;

	while (*what < want && clock_mono_us() < end) {
		loop_turn(&a->loop, 5 * MSEC);
		if (b)
			loop_turn(&b->loop, 5 * MSEC);
	}
	return *what >= want;
}

static inline void run_for(struct peer *a, struct peer *b, uint64_t us)
{
	uint64_t end = clock_mono_us() + us;

	while (clock_mono_us() < end) {
		loop_turn(&a->loop, 5 * MSEC);
		if (b)
			loop_turn(&b->loop, 5 * MSEC);
	}
}

#endif
