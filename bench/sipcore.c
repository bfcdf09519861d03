/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SIP core alone: a B2BUA of two sessions a call and nothing else, over real datagrams on loopback.
 * Caller and called gateway are a process of their own, so that a profiler sees only the switch:
 *
 *   bench_sipcore [calls]	makes so many calls, one after the other, and says so
 *
 * A call is INVITE, 100, 180, 200, ACK, BYE, 200 on each leg: 14 messages. SDP passes as bytes.
 * bench/gate counts the instructions. */
#include "sip/sip.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char offer[] =
	"v=0\r\no=bench 5365576 2353687 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	"m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

/* ---- the switch ------------------------------------------------------------------------------ */

struct call {
	struct sip_session *a, *b;
};

static struct loop loop;
static struct net *net;
static struct sip_stack *stack;
static union net_addr called;
static unsigned ended;

static const struct sip_session_config config = { .rel100 = SIP_100REL_SUPPORTED,
						  .update = true,
						  .timer = true,
						  .session_expires_s = 1800,
						  .min_se_s = 90,
						  .refresh_segment = 2,
						  .request_address = 2 };

static void on_progress(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct call *call = arg;

	sip_session_progress(call->a, ev->status, NULL, ev->sdp);
}

static void on_answer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct call *call = arg;

	sip_session_answer(call->a, ev->sdp, SPAN_NONE);
}

static void on_trying(void *arg, struct sip_session *s)
{
}

static void on_ack(void *arg, struct sip_session *s, const struct sip_event *ev)
{
}

static void on_bye(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct call *call = arg;

	sip_session_end(s == call->a ? call->b : call->a, SPAN_NONE);
	sip_session_release(&call->a);
	sip_session_release(&call->b);
	free(call);
	ended++;
}

static void on_trouble(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	fprintf(stderr, "bench_sipcore: a call failed: status %d, errno %d, %s\n", ev->status,
		ev->err, ev->text ? ev->text : "");
	_exit(1);
}

static const struct sip_session_ops session_ops = { .on_trying = on_trying,
						    .on_progress = on_progress,
						    .on_answer = on_answer,
						    .on_failed = on_trouble,
						    .on_cancel = on_trouble,
						    .on_ack = on_ack,
						    .on_bye = on_bye,
						    .on_ended = on_trouble };

static struct span bracketed(char *dst, struct span uri)
{
	dst[0] = '<';
	memcpy(dst + 1, uri.p, uri.len);
	dst[uri.len + 1] = '>';
	return (struct span){ dst, uri.len + 2 };
}

static void dial(struct call *call, const struct sip_msg *msg)
{
	struct sip_dial dial = { .uri = sip_str(msg, msg->uri),
				 .sdp = sip_body_sdp(msg),
				 .max_forwards = 69 };
	struct sip_name_addr from;
	char from_text[256], to_text[256];

	if (sip_name_addr_decode(&from, sip_header(msg, SIP_H_FROM)) || from.uri.len > 250 ||
	    dial.uri.len > 250)
		die("From");
	dial.from = bracketed(from_text, from.uri);
	dial.to = bracketed(to_text, dial.uri);
	if (net_flow_to(net, &dial.flow, NET_UDP, &called, NULL, NULL) ||
	    sip_session_dial(&call->b, stack, &dial, &config, &session_ops, call))
		die("dial");
}

static void on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		      const struct net_flow *flow)
{
	struct call *call = calloc(1, sizeof(*call));
	int status;

	if (!call || sip_session_incoming(&call->a, stack, tx, msg, flow, &config, &session_ops,
					  call, &status))
		die("incoming");
	dial(call, msg);
}

static void on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		       const struct net_flow *flow)
{
	sip_stx_reply(tx, msg, 405, NULL, NULL);
}

static void on_refused(void *arg, const struct sip_msg *msg, const struct net_flow *flow,
		       int status, const char *why)
{
	fprintf(stderr, "bench_sipcore: refused: %s\n", why);
}

static void on_child(int signal)
{
	loop.stop = true;
}

static void on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	sip_stack_on_message(stack, msg, flow);
}

static void on_undelivered(void *arg, struct span message, const struct net_flow *flow, int err,
			   const char *text)
{
	sip_stack_on_undelivered(stack, message, flow, err, text);
}

static void open_switch(void)
{
	static const struct sip_timers timers = { 500 * MSEC, 4 * SEC, 5 * SEC };
	static const struct sip_stack_ops stack_ops = { on_invite, on_request, on_refused, NULL,
							NULL };
	static const struct net_ops net_ops = { sip_frame, sip_classify, on_message,
						on_undelivered };
	static struct net_config net_config = { .n_listen = 1, .workers = 1 };
	struct sip_stack_config stack_config = { .workers = 1,
						 .loop = &loop,
						 .timers = &timers,
						 .product = "causeway",
						 .ops = &stack_ops };
	char why[200];

	net_addr_parse(&net_config.listen[0].addr, SPAN("127.0.0.1"), 0);
	if (loop_init(&loop) ||
	    net_open(&net, &loop, &net_config, 0, &net_ops, NULL, why, sizeof(why)))
		die("net_open");
	stack_config.net = net;
	if (sip_stack_new(&stack, &stack_config))
		die("sip_stack_new");
}

/* ---- caller and called gateway ---------------------------------------------------------------- */

struct peer {
	int fd;
	union net_addr addr;
	struct net_buf *buf;
	struct sip_msg msg;
};

static void peer_open(struct peer *peer)
{
	socklen_t len = sizeof(peer->addr);

	net_addr_parse(&peer->addr, SPAN("127.0.0.1"), 0);
	peer->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (peer->fd < 0 || bind(peer->fd, &peer->addr.sa, sizeof(peer->addr.in4)) ||
	    getsockname(peer->fd, &peer->addr.sa, &len))
		die("socket");
}

static void peer_join(struct peer *peer, const union net_addr *to)
{
	socklen_t len = sizeof(peer->addr);

	if (getsockname(peer->fd, &peer->addr.sa, &len) ||
	    connect(peer->fd, &to->sa, sizeof(to->in4)))
		die("connect");
}

static const struct sip_msg *peer_read(struct peer *peer)
{
	const char *why;
	ssize_t n;

	if (!peer->buf)
		peer->buf = net_buf_new(4096);
	n = recv(peer->fd, peer->buf->data, peer->buf->size, 0);
	if (n <= 0)
		die("recv");
	peer->buf->len = (uint32_t)n;
	if (sip_msg_parse(&peer->msg, peer->buf, false, &why))
		die(why);
	return &peer->msg;
}

static void peer_write(struct peer *peer, struct net_buf *msg)
{
	if (!msg || send(peer->fd, msg->data, msg->len, 0) < 0)
		die("send");
	net_buf_unref(&msg);
}

static void expect(struct peer *peer, int status)
{
	if (peer_read(peer)->status != status)
		die("another answer was expected");
}

static void answer(struct peer *peer, const struct sip_msg *req, int status)
{
	struct net_flow flow = { .peer = peer->addr };
	bool sdp = req->method == SIP_INVITE && status == 200;
	struct sip_writer w;

	sip_write_begin(&w, 4096);
	sip_write_response_head(&w, req, &flow, status, NULL, SPAN("called1"));
	if (status > 100 && req->method == SIP_INVITE)
		sip_putf(&w, "Contact: <sip:bench@127.0.0.1:%u>\r\n", net_addr_port(&peer->addr));
	if (sdp)
		SIP_PUT(&w, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n");
	peer_write(peer, sip_finish(&w, "application/sdp", sdp ? span_of(offer) : SPAN_NONE));
}

/* `uri`, `to`: of the dialog once there is one. */
static void request(struct peer *peer, const char *method, unsigned call, struct span uri,
		    struct span to, bool sdp)
{
	unsigned port = net_addr_port(&peer->addr), cseq = strcmp(method, "BYE") ? 1 : 2;
	struct sip_writer w;

	sip_write_begin(&w, 4096);
	sip_write_request_line(&w, span_of(method), uri);
	sip_putf(
		&w,
		"Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK-524287-%s-%u\r\nMax-Forwards: 70\r\n",
		port, method, call);
	sip_putf(&w, "From: <sip:2%u@127.0.0.1:%u>;tag=4711c%u\r\nTo: %.*s\r\n", call, port, call,
		 SPAN_ARG(to));
	sip_putf(&w, "Call-ID: %u-4711@127.0.0.1\r\nCSeq: %u %s\r\n", call, cseq, method);
	sip_putf(&w, "Contact: <sip:bench@127.0.0.1:%u>\r\nUser-Agent: bench\r\n", port);
	if (sdp)
		SIP_PUT(&w, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n");
	peer_write(peer, sip_finish(&w, "application/sdp", sdp ? span_of(offer) : SPAN_NONE));
}

static void make_call(struct peer *caller, struct peer *gateway, unsigned call, unsigned port)
{
	char uri[64], to[80], target[256], remote[256];
	const struct sip_msg *msg;
	struct sip_name_addr contact;
	struct sip_msg invite;

	snprintf(uri, sizeof(uri), "sip:9%u@127.0.0.1:%u", call, port);
	snprintf(to, sizeof(to), "<%s>", uri);
	request(caller, "INVITE", call, span_of(uri), span_of(to), true);
	expect(caller, 100);
	invite = *peer_read(gateway);
	gateway->buf = NULL; /* `invite` lies in it */
	answer(gateway, &invite, 100);
	answer(gateway, &invite, 180);
	expect(caller, 180);
	answer(gateway, &invite, 200);
	net_buf_unref(&invite.buf);
	peer_read(gateway); /* ACK */
	expect(caller, 200);
	msg = &caller->msg;
	if (sip_name_addr_decode(&contact, sip_header(msg, SIP_H_CONTACT)))
		die("Contact");
	span_copy(contact.uri, target, sizeof(target));
	span_copy(sip_header(msg, SIP_H_TO), remote, sizeof(remote));
	request(caller, "ACK", call, span_of(target), span_of(remote), false);
	request(caller, "BYE", call, span_of(target), span_of(remote), false);
	expect(caller, 200);
	answer(gateway, peer_read(gateway), 200);
}

static unsigned number(const char *text)
{
	uint32_t value;

	if (span_to_u32(span_of(text), &value))
		die("argument");
	return value;
}

/* Run by the switch: "bench_sipcore CALLS PORT CALLER_FD GATEWAY_FD". */
static int run_peers(char **argv)
{
	struct peer caller = { .fd = (int)number(argv[3]) },
		    gateway = { .fd = (int)number(argv[4]) };
	union net_addr to;

	net_addr_parse(&to, SPAN("127.0.0.1"), (uint16_t)number(argv[2]));
	peer_join(&caller, &to);
	peer_join(&gateway, &to);
	alarm(60);
	for (unsigned i = 0, calls = number(argv[1]); i < calls; i++)
		make_call(&caller, &gateway, i, net_addr_port(&to));
	return 0;
}

static pid_t start_peers(const char *program, const char *calls, const struct peer *caller,
			 const struct peer *gateway)
{
	char port[16], fds[2][16];
	union net_addr addr;
	pid_t pid;

	net_listener_addr(net, 0, &addr);
	snprintf(port, sizeof(port), "%u", net_addr_port(&addr));
	snprintf(fds[0], sizeof(fds[0]), "%d", caller->fd);
	snprintf(fds[1], sizeof(fds[1]), "%d", gateway->fd);
	pid = fork();
	if (pid == 0) {
		execl(program, program, calls, port, fds[0], fds[1], NULL);
		die("exec");
	}
	return pid;
}

int main(int argc, char **argv)
{
	const char *calls = argc > 1 ? argv[1] : "1000";
	struct peer caller, gateway;
	int status = 0;
	pid_t pid;

	if (argc == 5)
		return run_peers(argv);
	peer_open(&caller);
	peer_open(&gateway);
	called = gateway.addr;
	open_switch();
	signal(SIGCHLD, on_child);
	pid = start_peers(argv[0], calls, &caller, &gateway);
	if (pid < 0)
		die("fork");
	loop_run(&loop);
	waitpid(pid, &status, 0);
	sip_stack_free(&stack);
	net_close(&net);
	loop_close(&loop);
	printf("calls %u of %s\n", ended, calls);
	return status || ended != number(calls);
}
