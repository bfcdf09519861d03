/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever arrives, in whatever order: the input is cut at NUL bytes into messages, which a stack with
 * one session and three client transactions receives, or (after 0xff) gets back as undelivered.
 * Identifiers are random, so inputs name them: bytes 1 to 3 stand for the branches, 4 for the tag. */
#include "sip/sip.h"
#include "sip/sip_tx_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop loop;
static struct net_flow flow;
static char names[5][40];
static unsigned n_names;
static const struct sip_timers timers = { 500 * MSEC, 4 * SEC, 5 * SEC };

static int check_sent(struct net *net, const struct net_flow *to, struct net_buf *msg)
{
	struct net_buf *copy = net_buf_copy(msg->data, msg->len);
	struct sip_msg parsed;
	const char *why;

	/* Answers repeat the faults of what they answer; requests are all our own. */
	if (sip_msg_parse(&parsed, copy, false, &why))
		assert(copy->len > 8 && memcmp(copy->data, "SIP/2.0 ", 8) == 0);
	else if (n_names < 4 && parsed.request)
		span_copy(parsed.via.branch, names[n_names++], sizeof(names[0]));
	net_buf_unref(&copy);
	return 0;
}

static void on_cancel(void *arg, struct sip_stx *tx, const struct sip_msg *cancel)
{
	struct sip_msg msg;

	if (sip_stx_request(tx, &msg) == 0)
		sip_stx_reply(tx, &msg, 487, NULL, NULL);
}

static const struct sip_stx_ops stx_ops = { on_cancel, NULL };

static void on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		      const struct net_flow *from)
{
	sip_stx_user(tx, &stx_ops, NULL);
	sip_stx_response_address(tx, (int)(msg->cseq % 3));
	if (msg->cseq % 4 == 1)
		sip_stx_reply(tx, msg, 180, NULL, NULL);
	else if (msg->cseq % 4 == 2)
		sip_stx_reply(tx, msg, 486, NULL, NULL);
	else if (msg->cseq % 4 == 3)
		sip_stx_reply(tx, msg, 200, NULL, NULL);
}

static void on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		       const struct net_flow *from)
{
	if (tx && msg->cseq % 2)
		sip_stx_reply(tx, msg, 200, NULL, NULL);
}

static const struct sip_stack_ops ops = { on_invite, on_request, NULL, NULL };
static const struct sip_dialog_ops dialog_ops = { on_request };

static void start(struct sip_stack *stack, enum sip_method method, bool cancel)
{
	struct sip_ctx *ctx = sip_ctx_new(stack, method, &flow, NULL, NULL);
	struct sip_writer w;

	sip_write_begin(&w, 1024);
	sip_write_request_line(&w, span_of(sip_method_name(method)), SPAN("sip:b@example.com"));
	sip_ctx_write_via(&w, ctx);
	SIP_PUT(&w, "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nMax-Forwards: 70\r\n");
	sip_write_headerf(&w, SIP_H_CSEQ, "1 %s", sip_method_name(method));
	sip_ctx_send(ctx, sip_finish(&w, NULL, SPAN_NONE), false);
	if (cancel)
		sip_ctx_cancel(ctx, "SIP;cause=200");
}

static void feed(struct sip_stack *stack, const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(NET_MSG_MAX);
	struct net_buf *buf;

	for (size_t i = 0; i < size; i++) {
		if (data[i] >= 1 && data[i] <= 4)
			buf_add_str(&text, names[data[i]]);
		else
			buf_add_char(&text, (char)data[i]);
	}
	buf = net_buf_copy(text.p, text.len);
	if (text.len && data[0] == 0xff)
		sip_stack_on_undelivered(stack, span_skip(buf_span(&text), 1), &flow, ECONNREFUSED,
					 "refused");
	else if (buf)
		sip_stack_on_message(stack, buf, &flow);
	net_buf_unref(&buf);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_stack_config config = { .workers = 1,
					   .loop = &loop,
					   .timers = &timers,
					   .product = "p",
					   .max_transactions = 64,
					   .max_sessions = 4,
					   .ops = &ops };
	struct sip_stack *stack;
	char tag[SIP_TAG_LEN + 1];

	if (loop.epoll_fd == 0) {
		assert(loop_init(&loop) == 0);
		net_addr_parse(&flow.local, SPAN("192.0.2.1:5060"), 0);
		net_addr_parse(&flow.peer, SPAN("192.0.2.2:5060"), 0);
	}
	if (size > NET_MSG_MAX || sip_stack_new(&stack, &config))
		return 0;
	stack->send = check_sent;
	n_names = 1;
	sip_tag_new(stack, &dialog_ops, NULL, tag);
	span_copy(span_of(tag), names[4], sizeof(names[4]));
	start(stack, SIP_INVITE, false);
	start(stack, SIP_INVITE, true);
	start(stack, SIP_BYE, false);
	while (size) {
		const uint8_t *end = memchr(data, 0, size);
		size_t len = end ? (size_t)(end - data) : size;

		feed(stack, data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	sip_stack_free(&stack);
	return 0;
}
