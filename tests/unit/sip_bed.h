/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A test bed: one stack on a real net and loop, and raw sockets as its peers. Every process has
 * loopback addresses of its own (by its pid), so test programs can run side by side. */
#ifndef CAUSEWAY_SIP_BED_H
#define CAUSEWAY_SIP_BED_H

#include "net/net.h"
#include "sip/sip.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define BED_PORT 25060
#define BED_MAX 65536

struct bed {
	struct loop loop;
	struct net_config config;
	struct net *net;
	struct net_dns *dns;
	struct sip_stack *stack;
	struct sip_timers timers;
	char host[32];			/* of the stack */
	char peer_host[32];

	/* What the stack told, and what the test wants done at once. */
	int invites, requests, refused, refused_status, dialog_requests, dialog_acks, cancels, failed, failed_err;
	char refused_why[128];
	int wire_in, wire_out;
	struct sip_stx *tx;		/* of the last upcall */
	int answer;			/* answer each request with this status at once; 0 = leave it */
	bool done;			/* sip_stx_done after a 2xx */
	int response_address;
	const char *tag;		/* To tag of answers */
	int responses, statuses[64];	/* client side */
	int ctx_failed, ctx_err, gone;
	char ctx_text[200];
	bool request_at_final;
};

struct peer {
	int fd;
	struct sockaddr_in addr;
	char text[BED_MAX];
	ssize_t len;
};

static inline void bed_answer(struct bed *bed, struct sip_stx *tx, const struct sip_msg *msg, int status)
{
	struct sip_writer w;

	sip_write_begin(&w, 2048);
	sip_write_response_head(&w, msg, sip_stx_flow(tx), status, NULL, bed->tag ? span_of(bed->tag) : SPAN("bed"));
	sip_stx_send(tx, status, sip_finish(&w, NULL, SPAN_NONE));
}

static inline void bed_on_cancel(void *arg, struct sip_stx *tx, const struct sip_msg *cancel)
{
	struct bed *bed = arg;

	assert_ptr_equal(tx, bed->tx);
	assert_int_equal(cancel->method, SIP_CANCEL);
	bed->cancels++;
}

static inline void bed_on_failed(void *arg, struct sip_stx *tx, int err)
{
	struct bed *bed = arg;

	bed->failed++;
	bed->failed_err = err;
}

static const struct sip_stx_ops bed_stx_ops = { bed_on_cancel, bed_on_failed };

static inline void bed_take(struct bed *bed, struct sip_stx *tx, const struct sip_msg *msg)
{
	bed->tx = tx;
	sip_stx_user(tx, &bed_stx_ops, bed);
	if (bed->response_address)
		sip_stx_response_address(tx, bed->response_address);
	if (bed->answer)
		bed_answer(bed, tx, msg, bed->answer);
	if (bed->answer && bed->done)
		sip_stx_done(tx);
}

static inline void bed_on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct bed *bed = arg;

	bed->invites++;
	bed_take(bed, tx, msg);
}

static inline void bed_on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct bed *bed = arg;

	bed->requests++;
	bed_take(bed, tx, msg);
}

static inline void bed_on_refused(void *arg, const struct sip_msg *msg, const struct net_flow *flow, int status,
				  const char *why)
{
	struct bed *bed = arg;

	bed->refused++;
	bed->refused_status = status;
	snprintf(bed->refused_why, sizeof(bed->refused_why), "%s", why);
}

static inline void bed_on_wire(void *arg, bool sent, struct span message, const struct net_flow *flow)
{
	struct bed *bed = arg;

	if (sent)
		bed->wire_out++;
	else
		bed->wire_in++;
}

static inline void bed_on_dialog(void *object, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct bed *bed = object;

	if (!tx) {
		bed->dialog_acks++;
		return;
	}
	bed->dialog_requests++;
	bed_take(bed, tx, msg);
}

static const struct sip_stack_ops bed_ops = { bed_on_invite, bed_on_request, bed_on_refused, bed_on_wire };
static const struct sip_dialog_ops bed_dialog_ops = { bed_on_dialog };

static inline void bed_net_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	sip_stack_on_message(((struct bed *)arg)->stack, msg, flow);
}

static inline void bed_net_undelivered(void *arg, struct span message, const struct net_flow *flow, int err, const char *text)
{
	sip_stack_on_undelivered(((struct bed *)arg)->stack, message, flow, err, text);
}

static const struct net_ops bed_net_ops = { sip_frame, sip_classify, bed_net_message, bed_net_undelivered };

static inline void bed_hosts(struct bed *bed)
{
	unsigned pid = (unsigned)getpid();

	snprintf(bed->host, sizeof(bed->host), "127.%u.%u.1", 64 + (pid >> 8) % 64, pid & 0xff);
	snprintf(bed->peer_host, sizeof(bed->peer_host), "127.%u.%u.2", 64 + (pid >> 8) % 64, pid & 0xff);
}

/* T1 in milliseconds; T2 = 4*T1, T4 = 5*T1. */
static inline void bed_open(struct bed *bed, unsigned t1_ms, uint32_t max_transactions)
{
	struct sip_stack_config config = { .workers = 1, .loop = &bed->loop, .timers = &bed->timers, .product = "bed",
					   .max_transactions = max_transactions, .max_sessions = 16, .ops = &bed_ops,
					   .arg = bed };
	char why[200] = "";

	memset(bed, 0, sizeof(*bed));
	bed->timers = (struct sip_timers){ t1_ms * MSEC, 4 * t1_ms * MSEC, 5 * t1_ms * MSEC };
	bed_hosts(bed);
	assert_int_equal(loop_init(&bed->loop), 0);
	bed->config = (struct net_config){ .workers = 1, .n_listen = 2, .max_connections = 16,
					   .connect_timeout_us = SEC };
	for (int i = 0; i < 2; i++) {
		bed->config.listen[i].proto = i ? NET_TCP : NET_UDP;
		assert_int_equal(net_addr_parse(&bed->config.listen[i].addr, span_of(bed->host), BED_PORT), 0);
	}
	if (net_open(&bed->net, &bed->loop, &bed->config, 0, &bed_net_ops, bed, why, sizeof(why)))
		fail_msg("net_open: %s", why);
	net_link(&bed->net, 1);
	config.net = bed->net;
	assert_int_equal(sip_stack_new(&bed->stack, &config), 0);
}

static inline void bed_close(struct bed *bed)
{
	sip_stack_free(&bed->stack);
	net_close(&bed->net);
	loop_close(&bed->loop);
}

static inline void bed_run(struct bed *bed, unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;

	while (clock_mono_us() < end)
		loop_turn(&bed->loop, 5 * MSEC);
}

static inline void peer_open(struct peer *peer, const struct bed *bed, uint16_t port)
{
	memset(peer, 0, sizeof(*peer));
	peer->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	assert_int_equal(inet_pton(AF_INET, bed->peer_host, &peer->addr.sin_addr), 1);
	peer->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(peer->fd, (struct sockaddr *)&peer->addr, sizeof(peer->addr)), 0);
}

static inline void peer_close(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
}

static inline struct sockaddr_in bed_addr(const struct bed *bed)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(BED_PORT) };

	inet_pton(AF_INET, bed->host, &to.sin_addr);
	return to;
}

static inline void peer_send_bytes(struct peer *peer, struct bed *bed, const void *data, size_t len)
{
	struct sockaddr_in to = bed_addr(bed);

	assert_int_equal(sendto(peer->fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

static inline void peer_send(struct peer *peer, struct bed *bed, const char *text)
{
	peer_send_bytes(peer, bed, text, strlen(text));
}

/* The next datagram, terminated, in peer->text; false when none came within `ms`. */
static inline bool peer_recv(struct peer *peer, struct bed *bed, unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;

	do {
		peer->len = recv(peer->fd, peer->text, sizeof(peer->text) - 1, 0);
		if (peer->len >= 0) {
			peer->text[peer->len] = '\0';
			return true;
		}
		loop_turn(&bed->loop, 2 * MSEC);
	} while (clock_mono_us() < end);
	peer->text[0] = '\0';
	return false;
}

static inline int text_status(const char *text)
{
	uint32_t status = 0;

	if (strncmp(text, "SIP/2.0 ", 8) == 0)
		span_to_u32((struct span){ text + 8, 3 }, &status);
	return (int)status;
}

/* Status of the next datagram; 0 = a request, -1 = none. */
static inline int peer_status(struct peer *peer, struct bed *bed, unsigned ms)
{
	return peer_recv(peer, bed, ms) ? text_status(peer->text) : -1;
}

static inline bool peer_got(const struct peer *peer, const char *text)
{
	return strstr(peer->text, text) != NULL;
}

/* Value of a header line "Name: value" in a text of ours. */
static inline const char *text_header(const char *text, const char *name, char *dst, size_t size)
{
	struct span rest = span_of(text), line, value;

	dst[0] = '\0';
	while (span_cut(rest, '\n', &line, &rest)) {
		if (!span_cut(line, ':', &line, &value) || !span_ieq(line, span_of(name)))
			continue;
		span_copy(span_trim(value), dst, size);
		break;
	}
	return dst;
}

struct req {
	const char *method, *uri, *branch, *call_id, *to_tag, *extra, *body, *via_extra, *from_tag;
	unsigned cseq;
	const char *cseq_method;
	int port;			/* in Via; 0 = the peer's */
	const char *transport;
};

/* A request of the peer; what is not given has a usual value. */
static inline const char *make_request(const struct bed *bed, const struct req *r, char *dst, size_t size)
{
	const char *body = r->body ? r->body : "";
	int n = snprintf(dst, size,
			 "%s %s SIP/2.0\r\n"
			 "Via: SIP/2.0/%s %s:%d%s%s%s\r\n"
			 "%s"
			 "From: <sip:a@example.com>;tag=%s\r\n"
			 "To: <sip:b@example.com>%s%s\r\n"
			 "Call-ID: %s\r\n"
			 "CSeq: %u %s\r\n"
			 "Contact: <sip:a@%s:26060>\r\n"
			 "%s"
			 "Content-Length: %zu\r\n\r\n%s",
			 r->method, r->uri ? r->uri : "sip:b@example.com", r->transport ? r->transport : "UDP",
			 bed->peer_host, r->port ? r->port : 26060, r->branch && !r->branch[0] ? "" : ";branch=",
			 r->branch ? r->branch : "z9hG4bKb1", r->via_extra ? r->via_extra : "",
			 r->extra && strstr(r->extra, "Max-Forwards") ? "" : "Max-Forwards: 70\r\n",
			 r->from_tag ? r->from_tag : "ft", r->to_tag ? ";tag=" : "", r->to_tag ? r->to_tag : "",
			 r->call_id ? r->call_id : "call-1", r->cseq ? r->cseq : 1,
			 r->cseq_method ? r->cseq_method : r->method, bed->peer_host, r->extra ? r->extra : "",
			 strlen(body), body);

	assert_true(n > 0 && (size_t)n < size);
	return dst;
}

static inline void peer_request(struct peer *peer, struct bed *bed, const struct req *r)
{
	static char text[BED_MAX];

	peer_send(peer, bed, make_request(bed, r, text, sizeof(text)));
}
#define REQUEST(peer, bed, ...) peer_request((peer), (bed), &(struct req){ __VA_ARGS__ })

#endif
