/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions under fire. One session has dialled, one is being called; the input is cut at NUL bytes into
 * messages for the stack and into actions of the user: 0xfe, then a byte that says which and on whom; 0xfd,
 * then a byte: so many times 100 ms pass. Identifiers are random, so inputs name them by bytes 1 to 6:
 * the branch sent last, the dialled session's branch, tag and Call-ID, the called one's tag and Call-ID.
 * Upcalls act too, by what the last action byte was. Every terminal upcall comes at most once. */
#include "sip/sip_session_int.h"
#include "sip/sip_tx_int.h"

#include <stdio.h>
#include <stdlib.h>

struct user {
	struct sip_session *s;
	struct sip_stx *tx;
	unsigned over;
};

static struct loop loop;
static struct net_flow flow;
static struct sip_stack *stack;
static struct user users[2];
static uint8_t mood;
static char names[7][64];
static const struct sip_timers timers = { 500 * MSEC, 4 * SEC, 5 * SEC };
static const struct sip_session_config session_config = { .rel100 = SIP_100REL_SUPPORTED,
							  .update = true,
							  .timer = true,
							  .session_expires_s = 90,
							  .min_se_s = 90,
							  .refresh_segment = 2,
							  .request_address = 0,
							  .keep_udp = true,
							  .user = "u",
							  .password = "p" };
#define SDP "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"

static int check_sent(struct net *net, const struct net_flow *to, struct net_buf *msg)
{
	struct net_buf *copy = net_buf_copy(msg->data, msg->len);
	struct sip_msg parsed;
	const char *why;

	if (sip_msg_parse(&parsed, copy, false, &why) == 0 && parsed.request) {
		span_copy(parsed.via.branch, names[1], sizeof(names[1]));
		if (!names[2][0])
			span_copy(parsed.via.branch, names[2], sizeof(names[2]));
	}
	net_buf_unref(&copy);
	return 0;
}

/* Some of what a user may do, and some that it may not. */
static void act(struct user *u, unsigned what)
{
	struct span sdp = what & 0x20 ? SPAN(SDP "a=x\r\n") : SPAN(SDP);
	struct span extra = what & 0x40 ? SPAN("Reason: Q.850;cause=16\r\n") : SPAN_NONE;
	struct sip_session *s = u->s;

	if (!s)
		return;
	switch (what % 13) {
	case 0:
		sip_session_progress(s, 180, NULL, SPAN_NONE);
		break;
	case 1:
		sip_session_progress(s, 183, "p", sdp);
		break;
	case 2:
		sip_session_answer(s, sdp, extra);
		break;
	case 3:
		sip_session_refuse(s, 486, NULL, extra);
		break;
	case 4:
		sip_session_end(s, extra);
		break;
	case 5:
		sip_session_ack(s, sdp);
		break;
	case 6:
		sip_session_offer(s, what & 0x40 ? SPAN_NONE : sdp);
		break;
	case 7:
		sip_session_accept(s, sdp);
		break;
	case 8:
		sip_session_reject(s, 488, extra);
		break;
	case 9:
		sip_session_request(s, SPAN("INFO"), extra, "a/b", SPAN("x"), NULL);
		break;
	case 10:
		if (u->tx)
			sip_session_respond(s, u->tx, NULL, 200, extra, NULL, SPAN_NONE);
		u->tx = NULL;
		break;
	case 11:
		sip_session_release(&u->s);
		break;
	default:
		break;
	}
}

static void told(void *arg, bool end)
{
	struct user *u = arg;

	assert(!u->over);
	u->over += end;
	if (mood)
		act(u, mood);
}

static void on_trying(void *arg, struct sip_session *s)
{
	told(arg, false);
}
static void on_event(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	assert(ev->msg || ev->err || ev->end);
	told(arg, false);
}
static void on_over(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, true);
}
static void on_request(void *arg, struct sip_session *s, struct sip_stx *tx,
		       const struct sip_event *ev)
{
	((struct user *)arg)->tx = tx;
	told(arg, false);
}
static void on_request_result(void *arg, struct sip_session *s, void *cookie,
			      const struct sip_event *ev)
{
	told(arg, false);
}

static const struct sip_session_ops session_ops = { on_trying,         on_event, on_event,
						    on_over,           on_over,  on_event,
						    on_event,          on_event, on_request,
						    on_request_result, on_over,  on_over };

static void name_it(unsigned tag, unsigned call_id, const struct sip_session *s)
{
	span_copy(span_of(s->tag), names[tag], sizeof(names[0]));
	span_copy(s->call_id, names[call_id], sizeof(names[0]));
}

static void on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		      const struct net_flow *from)
{
	struct user *u = &users[1];
	int status;

	if (u->s || u->over)
		sip_stx_reply(tx, msg, 486, NULL, NULL);
	else if (sip_session_incoming(&u->s, stack, tx, msg, from, &session_config, &session_ops, u,
				      &status) == 0)
		name_it(5, 6, u->s);
}

static void on_other(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		     const struct net_flow *from)
{
	sip_stx_reply(tx, msg, 405, NULL, NULL);
}

static const struct sip_stack_ops ops = { on_invite, on_other, NULL, NULL };

static void dial(bool late)
{
	struct sip_dial d = { .flow = flow,
			      .uri = SPAN("sip:b@example.com"),
			      .from = SPAN("<sip:a@h>"),
			      .to = SPAN("<sip:b@h>"),
			      .sdp = late ? SPAN_NONE : SPAN(SDP),
			      .max_forwards = 70 };

	if (sip_session_dial(&users[0].s, stack, &d, &session_config, &session_ops, &users[0]) == 0)
		name_it(3, 4, users[0].s);
}

static void feed(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(NET_MSG_MAX);
	struct net_buf *buf;

	for (size_t i = 0; i < size; i++) {
		if (data[i] >= 1 && data[i] <= 6 && names[data[i]][0])
			buf_add_str(&text, names[data[i]]);
		else
			buf_add_char(&text, (char)data[i]);
	}
	buf = net_buf_copy(text.p, text.len);
	if (buf)
		sip_stack_on_message(stack, buf, &flow);
	net_buf_unref(&buf);
	buf_free(&text);
}

static void pass(unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		loop.now_us += 100 * MSEC;
		wheel_run(&loop.wheel, loop.now_us);
	}
}

static void step(const uint8_t *data, size_t len)
{
	if (len >= 2 && data[0] == 0xfe) {
		mood = len > 2 ? data[2] : 0;
		act(&users[data[1] >> 7], data[1] & 0x7f);
	} else if (len == 2 && data[0] == 0xfd) {
		pass(data[1]);
	} else {
		feed(data, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_stack_config config = { .workers = 1,
					   .loop = &loop,
					   .timers = &timers,
					   .product = "p",
					   .max_transactions = 64,
					   .max_sessions = 4,
					   .ops = &ops };

	if (loop.epoll_fd == 0) {
		assert(loop_init(&loop) == 0);
		net_addr_parse(&flow.local, SPAN("192.0.2.1:5060"), 0);
		net_addr_parse(&flow.peer, SPAN("192.0.2.2:5060"), 0);
	}
	if (size < 1 || size > 16384 || sip_stack_new(&stack, &config))
		return 0;
	stack->send = check_sent;
	memset(users, 0, sizeof(users));
	memset(names, 0, sizeof(names));
	mood = 0;
	dial(data[0] & 1);
	data++;
	size--;
	while (size) {
		const uint8_t *end = memchr(data, 0, size);
		size_t len = end ? (size_t)(end - data) : size;

		step(data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	mood = 0;
	sip_session_release(&users[0].s);
	sip_session_release(&users[1].s);
	pass(2000);
	assert(sip_stack_stats(stack)->sessions_now == 0);
	sip_stack_free(&stack);
	return 0;
}
