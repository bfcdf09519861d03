/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a finished call keeps in the transaction layer during its 32 seconds: INVITE in and out, BYE in
 * and out, all over UDP with headers of usual size. Argument: calls (default 20000). */
#include "sip/sip.h"
#include "sip/sip_tx_int.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static struct loop loop;
static struct sip_stack *stack;
static struct net_flow flow = { .proto = NET_UDP };
static char last_branch[64];

static int swallow(struct net *net, const struct net_flow *to, struct net_buf *msg)
{
	char *at = memmem(msg->data, msg->len, "branch=", 7);

	if (at && msg->data[0] != 'S')
		snprintf(last_branch, sizeof(last_branch), "%.28s", at + 7);
	return 0;
}

static void on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		      const struct net_flow *from)
{
	sip_stx_reply(tx, msg, 200, NULL, "Contact: <sip:w00000001@192.0.2.1:5060>\r\n");
	sip_stx_done(tx);
}

static void on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		       const struct net_flow *from)
{
	sip_stx_reply(tx, msg, 200, NULL, NULL);
}

static void feed(const char *text)
{
	size_t len = strlen(text);
	struct net_buf *buf = net_buf_new(len);

	memcpy(buf->data, text, len);
	buf->len = (uint32_t)len;
	sip_stack_on_message(stack, buf, &flow);
	net_buf_unref(&buf);
}

static void incoming(const char *method, int i)
{
	char text[2000];

	snprintf(text, sizeof(text),
		 "%s sip:8801712345678@192.0.2.1:5060 SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-524287-1---%s%010d;rport\r\n"
		 "Max-Forwards: 70\r\nFrom: \"+15551234567\" "
		 "<sip:+15551234567@198.51.100.20>;tag=as58f4201b%d\r\n"
		 "To: <sip:8801712345678@192.0.2.1>\r\nCall-ID: "
		 "12013223%d20071bbdac118e7@198.51.100.20:5060\r\n"
		 "CSeq: 1 %s\r\nContact: <sip:+15551234567@198.51.100.20:5060>\r\nUser-Agent: PBX "
		 "18.1\r\n"
		 "Content-Length: 0\r\n\r\n",
		 method, method, i, i, i, method);
	feed(text);
}

static void outgoing(enum sip_method method, int i)
{
	struct sip_ctx *ctx = sip_ctx_new(stack, method, &flow, NULL, NULL);
	struct sip_writer w;
	char text[1000];

	sip_write_begin(&w, 2048);
	sip_write_request_line(&w, span_of(sip_method_name(method)),
			       SPAN("sip:8801712345678@203.0.113.9:5060"));
	sip_ctx_write_via(&w, ctx);
	SIP_PUT(&w,
		"Max-Forwards: 69\r\nFrom: <sip:1@h>;tag=w00\r\nTo: <sip:2@h>\r\nCall-ID: x\r\n");
	sip_write_headerf(&w, SIP_H_CSEQ, "1 %s", sip_method_name(method));
	sip_ctx_send(ctx, sip_finish(&w, NULL, SPAN_NONE), false);
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=%s\r\nFrom: "
		 "<sip:1@h>;tag=w00\r\n"
		 "To: <sip:2@h>;tag=x\r\nCall-ID: x\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		 last_branch, sip_method_name(method));
	feed(text);
}

int main(int argc, char **argv)
{
	static const struct sip_timers timers = { 500 * MSEC, 4 * SEC, 5 * SEC };
	static const struct sip_stack_ops ops = { on_invite, on_request, NULL, NULL };
	struct sip_stack_config config = { .workers = 1,
					   .loop = &loop,
					   .timers = &timers,
					   .product = "Causeway/0.1",
					   .ops = &ops };
	uint64_t calls = 20000;
	size_t before;

	if (argc > 1)
		span_to_u64(span_of(argv[1]), &calls);
	if (loop_init(&loop) || sip_stack_new(&stack, &config))
		return 1;
	stack->send = swallow;
	net_addr_parse(&flow.local, SPAN("192.0.2.1:5060"), 0);
	net_addr_parse(&flow.peer, SPAN("198.51.100.20:5060"), 0);
	before = mallinfo2().uordblks;
	for (int i = 0; i < (int)calls; i++) {
		incoming("INVITE", i);
		outgoing(SIP_INVITE, i);
		incoming("BYE", i);
		outgoing(SIP_BYE, i);
	}
	printf("%llu calls: %u server, %u client transactions; %zu bytes a call (structs %zu + "
	       "%zu)\n",
	       (unsigned long long)calls, sip_stack_stats(stack)->stx_now,
	       sip_stack_stats(stack)->ctx_now, (size_t)((mallinfo2().uordblks - before) / calls),
	       stx_size(), ctx_size());
	sip_stack_free(&stack);
	loop_close(&loop);
	return 0;
}
