/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Client transactions, over real sockets: timer ladders, ACK and CANCEL, failures, TCP for large requests. */
#include "sip_bed.h"

#define T1 5 /* ms */
#define T1_LADDER 20

static struct bed bed;
static struct peer peer;

static int setup(void **state)
{
	bed_open(&bed, T1, 100);
	peer_open(&peer, &bed, 26060);
	return 0;
}

static int teardown(void **state)
{
	peer_close(&peer);
	bed_close(&bed);
	return 0;
}

static const struct sip_stack_stats *stats(void)
{
	return sip_stack_stats(bed.stack);
}

static const char *header(const char *name)
{
	static char value[2][512];
	static int which;

	which = !which;
	return text_header(peer.text, name, value[which], sizeof(value[0]));
}

static void on_response(void *arg, struct sip_ctx *ctx, const struct sip_msg *msg,
			const struct net_flow *flow)
{
	assert_ptr_equal(arg, &bed);
	if (bed.responses < 64)
		bed.statuses[bed.responses] = msg->status;
	bed.responses++;
	if (msg->status >= 200)
		bed.request_at_final = sip_ctx_request(ctx) != NULL;
}

static void on_failed(void *arg, struct sip_ctx *ctx, int err, const char *text)
{
	bed.ctx_failed++;
	bed.ctx_err = err;
	snprintf(bed.ctx_text, sizeof(bed.ctx_text), "%s", text ? text : "");
}

static void on_gone(void *arg, struct sip_ctx *ctx)
{
	bed.gone++;
}

static const struct sip_ctx_ops ops = { on_response, on_failed, on_gone };

static struct net_flow flow_to(uint16_t port, enum net_proto proto)
{
	struct net_flow flow;
	union net_addr to;

	assert_int_equal(net_addr_parse(&to, span_of(bed.peer_host), port), 0);
	assert_int_equal(net_flow_to(bed.net, &flow, proto, &to, NULL, NULL), 0);
	return flow;
}

static struct sip_ctx *start_with(enum sip_method method, const struct net_flow *flow,
				  size_t body_len, bool keep_udp)
{
	static char body[4000];
	struct sip_ctx *ctx = sip_ctx_new(bed.stack, method, flow, &ops, &bed);
	struct sip_writer w;

	assert_non_null(ctx);
	memset(body, 'x', sizeof(body));
	sip_write_begin(&w, 1024 + body_len);
	sip_write_request_line(&w, span_of(sip_method_name(method)), SPAN("sip:b@example.com"));
	sip_ctx_write_via(&w, ctx);
	SIP_PUT(&w, "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nMax-Forwards: 70\r\n");
	SIP_PUT(&w,
		"From: <sip:a@example.com>;tag=us\r\nTo: <sip:b@example.com>\r\nCall-ID: cid\r\n");
	sip_write_headerf(&w, SIP_H_CSEQ, "7 %s", sip_method_name(method));
	if (sip_ctx_send(ctx, sip_finish(&w, "text/plain", (struct span){ body, body_len }),
			 keep_udp))
		return NULL;
	return ctx;
}

static struct sip_ctx *start(enum sip_method method)
{
	struct net_flow flow = flow_to(26060, NET_UDP);

	return start_with(method, &flow, 0, false);
}

/* A response to the request in `request`, with its Via as it came. */
static void respond_via(const char *request, int status, const char *method, const char *extra_via,
			bool tcp, int fd)
{
	char via[512], text[2048];

	text_header(request, "Via", via, sizeof(via));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %d Whatever\r\nVia: %s\r\n%sFrom: <sip:a@example.com>;tag=us\r\n"
		 "To: <sip:b@example.com>;tag=them\r\nCall-ID: cid\r\nCSeq: 7 "
		 "%s\r\nContent-Length: 0\r\n\r\n",
		 status, via, extra_via, method);
	if (tcp)
		assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	else
		peer_send(&peer, &bed, text);
	bed_run(&bed, 8);
}

static void respond(const char *request, int status, const char *method)
{
	respond_via(request, status, method, "", false, -1);
}

/* The request as the peer got it, kept. */
static const char *receive(const char *method)
{
	static char kept[8][4096];
	static int which;

	which = (which + 1) % 8;
	if (!peer_recv(&peer, &bed, 300) || strncmp(peer.text, method, strlen(method)) != 0)
		fail_msg("no %s, but: %s", method, peer.text);
	snprintf(kept[which], sizeof(kept[0]), "%.4000s", peer.text);
	return kept[which];
}

static int count(unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;
	int n = 0;

	while (clock_mono_us() < end)
		n += peer_recv(&peer, &bed, 5);
	return n;
}

/* ---- timers --------------------------------------------------------------------------- */

static void slow_down(void)
{
	bed.timers =
		(struct sip_timers){ T1_LADDER * MSEC, 4 * T1_LADDER * MSEC, 5 * T1_LADDER * MSEC };
}

/* A: at 0, 1, 3, 7, 15, 31, 63 T1; B at 64. */
static void test_invite_ladder(void **state)
{
	int sent;

	slow_down();
	assert_non_null(start(SIP_INVITE));
	sent = count(64 * T1_LADDER - 5);
	assert_in_range(sent, 6,
			7); /* the last comes so shortly before the end that it may be skipped */
	assert_int_equal(bed.ctx_failed, 0);
	bed_run(&bed, 80);
	assert_int_equal(bed.ctx_failed, 1);
	assert_int_equal(bed.ctx_err, ETIMEDOUT);
	assert_string_equal(bed.ctx_text, "no response to INVITE within 1280 ms (Timer B)");
	assert_int_equal(stats()->ctx_now, 0);
	assert_int_equal(stats()->timeouts, 1);
	assert_int_equal(stats()->retransmits_out, sent - 1);
	assert_int_equal(stats()->requests_out[SIP_INVITE], 1);
}

/* E: at 0, 1, 3, 7, 11, 15 ... T1, as T2 is 4*T1 here; F at 64. */
static void test_options_ladder(void **state)
{
	assert_non_null(start(SIP_OPTIONS));
	assert_in_range(count(64 * T1 + 60), 12, 19);
	assert_int_equal(bed.ctx_err, ETIMEDOUT);
	assert_string_equal(bed.ctx_text, "no response to OPTIONS within 320 ms (Timer F)");
	assert_int_equal(stats()->ctx_now, 0);
}

/* Listed: at 0, 40, 100 ms; it fails at 300. */
static void test_listed_intervals(void **state)
{
	static const enum sip_method methods[] = { SIP_INVITE, SIP_OPTIONS };

	bed.timers.n_resend = 3;
	bed.timers.resend_us[0] = 40 * MSEC;
	bed.timers.resend_us[1] = 60 * MSEC;
	bed.timers.resend_us[2] = 200 * MSEC;
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		char text[120];

		assert_non_null(start(methods[i]));
		assert_int_equal(count(500), 3);
		assert_int_equal(bed.ctx_failed, i + 1);
		assert_int_equal(bed.ctx_err, ETIMEDOUT);
		snprintf(text, sizeof(text),
			 "no response to %s within 300 ms (sip_resend_intervals)",
			 sip_method_name(methods[i]));
		assert_string_equal(bed.ctx_text, text);
	}
	assert_int_equal(stats()->ctx_now, 0);
}

/* One time alone: never repeated. */
static void test_listed_once(void **state)
{
	bed.timers.n_resend = 1;
	bed.timers.resend_us[0] = 40 * MSEC;
	assert_non_null(start(SIP_INVITE));
	assert_int_equal(count(150), 1);
	assert_int_equal(bed.ctx_failed, 1);
	assert_int_equal(stats()->retransmits_out, 0);
}

static void test_provisional_stops_a(void **state)
{
	const char *invite;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	respond(invite, 100, "INVITE");
	respond(invite, 180, "INVITE");
	count(1);
	assert_int_equal(count(64 * T1), 0);
	assert_int_equal(bed.ctx_failed, 0); /* the user's patience decides now */
	assert_int_equal(bed.responses, 2);
	assert_int_equal(bed.statuses[1], 180);
	respond(invite, 404, "INVITE");
	assert_non_null(receive("ACK"));
}

static void test_provisional_of_others(void **state)
{
	const char *request;

	assert_non_null(start(SIP_BYE));
	request = receive("BYE");
	respond(request, 100, "BYE");
	assert_in_range(count(64 * T1 + 40), 12, 19); /* E goes on at T2, F too */
	assert_int_equal(bed.ctx_err, ETIMEDOUT);
	assert_string_equal(bed.ctx_text, "no final response to BYE within 320 ms (Timer F)");
}

static void test_noninvite_final(void **state)
{
	const char *request;

	assert_non_null(start(SIP_BYE));
	request = receive("BYE");
	respond(request, 200, "BYE");
	respond(request, 200, "BYE");
	assert_int_equal(bed.responses, 1);
	assert_true(bed.request_at_final);
	assert_int_equal(stats()->retransmits_in, 1);
	assert_int_equal(count(5), 0);
	bed_run(&bed, 5 * T1 + 30); /* K */
	assert_int_equal(stats()->ctx_now, 0);
	respond(request, 200, "BYE");
	assert_int_equal(stats()->stray_responses, 1);
}

/* ---- INVITE's finals --------------------------------------------------------------------- */

static void test_accepted(void **state)
{
	const char *invite;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	respond(invite, 200, "INVITE");
	respond(invite, 200, "INVITE");
	respond(invite, 180, "INVITE"); /* overtaken */
	assert_int_equal(bed.responses, 2);
	assert_int_equal(count(40), 0); /* the ACK is the user's */
	assert_int_equal(stats()->ctx_now, 1);
	bed_run(&bed, 64 * T1 + 20);
	assert_int_equal(bed.gone, 1);
	assert_int_equal(stats()->ctx_now, 0);
	assert_int_equal(bed.ctx_failed, 0);
}

static void test_refused(void **state)
{
	char branch[512];
	const char *invite;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	respond(invite, 486, "INVITE");
	assert_non_null(receive("ACK sip:b@example.com SIP/2.0\r\n"));
	text_header(invite, "Via", branch, sizeof(branch));
	assert_string_equal(header("Via"), branch);
	assert_string_equal(header("CSeq"), "7 ACK");
	assert_string_equal(header("To"), "<sip:b@example.com>;tag=them");
	assert_string_equal(header("From"), "<sip:a@example.com>;tag=us");
	assert_string_equal(header("Call-ID"), "cid");
	assert_string_equal(header("Max-Forwards"), "70");
	assert_string_equal(header("Content-Length"), "0");
	assert_true(peer_got(&peer, "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"));
	assert_int_equal(bed.statuses[0], 486);
	assert_true(bed.request_at_final);
	for (int i = 0; i < 3; i++) {
		respond(invite, 486, "INVITE");
		assert_non_null(receive("ACK"));
	}
	assert_int_equal(bed.responses, 1);
	respond(invite, 200, "INVITE"); /* too late */
	assert_int_equal(bed.responses, 1);
	bed_run(&bed, 64 * T1 + 20); /* D */
	assert_int_equal(stats()->ctx_now, 0);
	assert_int_equal(bed.gone, 0);
}

static void test_abandoned(void **state)
{
	struct net_flow flow = flow_to(26060, NET_UDP);
	struct sip_ctx *ctx = sip_ctx_new(bed.stack, SIP_INVITE, &flow, &ops, &bed);
	const char *invite;

	sip_ctx_abandon(ctx);
	assert_int_equal(stats()->ctx_now, 0);
	ctx = start(SIP_INVITE);
	invite = receive("INVITE");
	respond(invite, 180, "INVITE");
	sip_ctx_abandon(ctx);
	respond(invite, 200, "INVITE");
	respond(invite, 200, "INVITE");
	assert_int_equal(bed.responses, 1);
	assert_int_equal(stats()->stray_responses, 1);
	bed_run(&bed, 64 * T1 + 20);
	assert_int_equal(stats()->ctx_now, 0);
	assert_int_equal(bed.gone, 0);
}

/* ---- CANCEL ------------------------------------------------------------------------------- */

static void test_cancel_waits_for_provisional(void **state)
{
	struct sip_ctx *ctx = start(SIP_INVITE);
	const char *invite = receive("INVITE"), *cancel;
	char via[512];

	sip_ctx_cancel(ctx, "SIP;cause=200;text=\"Call completed elsewhere\"");
	sip_ctx_cancel(ctx, NULL);
	bed_run(&bed, 20);
	assert_int_equal(stats()->requests_out[SIP_CANCEL], 0);
	respond(invite, 180, "INVITE");
	do
		assert_true(peer_recv(&peer, &bed, 200));
	while (strncmp(peer.text, "INVITE", 6) == 0); /* repetitions from before */
	assert_memory_equal(peer.text, "CANCEL sip:b@example.com SIP/2.0\r\n", 34);
	cancel = peer.text;
	text_header(invite, "Via", via, sizeof(via));
	assert_string_equal(header("Via"), via);
	assert_string_equal(header("CSeq"), "7 CANCEL");
	assert_string_equal(header("To"), "<sip:b@example.com>");
	assert_string_equal(header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
	assert_true(peer_got(&peer, "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"));
	assert_int_equal(stats()->ctx_now, 2);
	respond(cancel, 200, "CANCEL");
	count(1);
	assert_int_equal(count(100), 0);
	assert_int_equal(bed.responses, 1);
	respond(invite, 487, "INVITE");
	assert_non_null(receive("ACK"));
	assert_int_equal(bed.responses, 2);
	assert_int_equal(bed.statuses[1], 487);
	assert_int_equal(stats()->requests_out[SIP_CANCEL], 1);
	bed_run(&bed, 64 * T1 + 20);
	assert_int_equal(stats()->ctx_now, 0);
}

static void test_cancel_repeated_and_unanswered(void **state)
{
	struct sip_ctx *ctx = start(SIP_INVITE);
	const char *invite = receive("INVITE");

	respond(invite, 180, "INVITE");
	count(1);
	sip_ctx_cancel(ctx, NULL);
	assert_non_null(receive("CANCEL"));
	assert_non_null(receive("CANCEL"));
	bed_run(&bed, 64 * T1 + 60);
	assert_int_equal(bed.ctx_failed, 1);
	assert_int_equal(bed.ctx_err, ETIMEDOUT);
	assert_non_null(strstr(bed.ctx_text, "CANCEL"));
	assert_int_equal(stats()->ctx_now, 0);
}

/* No provisional ever: nothing to cancel, Timer B ends it. */
static void test_cancel_without_provisional(void **state)
{
	struct sip_ctx *ctx = start(SIP_INVITE);

	sip_ctx_cancel(ctx, NULL);
	assert_in_range(count(64 * T1 + 40), 5, 7);
	assert_int_equal(bed.ctx_err, ETIMEDOUT);
	assert_int_equal(stats()->requests_out[SIP_CANCEL], 0);
	assert_int_equal(stats()->ctx_now, 0);
}

static void test_cancel_crosses_answer(void **state)
{
	struct sip_ctx *ctx = start(SIP_INVITE);
	const char *invite = receive("INVITE"), *cancel;

	respond(invite, 180, "INVITE");
	count(1);
	sip_ctx_cancel(ctx, NULL);
	cancel = receive("CANCEL");
	respond(invite, 200, "INVITE");
	assert_int_equal(bed.statuses[1], 200);
	sip_ctx_abandon(ctx);
	sip_ctx_cancel(ctx, NULL);
	respond(cancel, 481, "CANCEL");
	bed_run(&bed, 64 * T1 + 60);
	assert_int_equal(stats()->ctx_now, 0);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void test_refused_port(void **state)
{
	static const enum sip_method methods[] = { SIP_INVITE, SIP_OPTIONS };

	for (int i = 0; i < 2; i++) {
		struct net_flow flow = flow_to(26099, NET_UDP);
		uint64_t before = clock_mono_us();

		assert_non_null(start_with(methods[i], &flow, 0, false));
		while (bed.ctx_failed == i && clock_mono_us() < before + SEC)
			loop_turn(&bed.loop, 2 * MSEC);
		assert_int_equal(bed.ctx_failed, i + 1);
		assert_int_equal(bed.ctx_err, ECONNREFUSED);
		assert_true(clock_mono_us() - before < 200 * MSEC);
		assert_int_equal(stats()->ctx_now, 0);
	}
	assert_true(stats()->transport_errors >= 2);
	assert_int_equal(stats()->timeouts, 0);
}

/* News of trouble about another address, another branch, or after a provisional: not ours. */
static void test_undelivered_is_matched(void **state)
{
	struct net_flow elsewhere = flow_to(26098, NET_UDP), here = flow_to(26060, NET_UDP);
	char damaged[4096];
	const char *invite;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	sip_stack_on_undelivered(bed.stack, span_of(invite), &elsewhere, ECONNREFUSED, "x");
	assert_int_equal(bed.ctx_failed, 0);
	snprintf(damaged, sizeof(damaged), "%s", invite);
	strstr(damaged, "z9hG4bKq")[27] ^= 1; /* the random part */
	sip_stack_on_undelivered(bed.stack, span_of(damaged), &here, ECONNREFUSED, "x");
	assert_int_equal(bed.ctx_failed, 0);
	for (size_t len = 0; len < 60; len++) /* cut off anywhere before the branch */
		sip_stack_on_undelivered(bed.stack, span_head(span_of(invite), len), &here,
					 ECONNREFUSED, "x");
	assert_int_equal(bed.ctx_failed, 0);
	respond(invite, 180, "INVITE");
	sip_stack_on_undelivered(bed.stack, span_of(invite), &here, ECONNREFUSED, "x");
	assert_int_equal(bed.ctx_failed, 0);
	respond(invite, 486, "INVITE");
	assert_int_equal(bed.statuses[1], 486);
}

static void test_stray_responses(void **state)
{
	static const struct {
		const char *from, *to, *method, *extra_via;
	} rows[] = {
		{ "z9hG4bKq00", "z9hG4bKq01", "INVITE", "" }, /* worker */
		{ "z9hG4bKq00000000", "z9hG4bKq00000001", "INVITE", "" }, /* slot */
		{ "000001", "000002", "INVITE", "" }, /* no change there is one */
		{ "", "", "OPTIONS", "" }, /* method */
		{ "", "", "CANCEL", "" }, /* of which there is none */
		{ "", "", "INVITE",
		  "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx\r\n" }, /* RFC 4475 3.3.10 */
	};
	const char *invite;
	int stray = 0;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char changed[4096], *at;

		snprintf(changed, sizeof(changed), "%s", invite);
		at = rows[i].from[0] ? strstr(changed, rows[i].from) : NULL;
		if (rows[i].from[0] && !at)
			continue;
		if (at)
			memcpy(at, rows[i].to, strlen(rows[i].to));
		respond_via(changed, 200, rows[i].method, rows[i].extra_via, false, -1);
		assert_int_equal(stats()->stray_responses, ++stray);
	}
	assert_int_equal(bed.responses, 0);
	/* The sent-by may differ (some answer with what they have seen). */
	respond(invite, 404, "INVITE");
	assert_int_equal(bed.responses, 1);
}

/* ---- loops ---------------------------------------------------------------------------------- */

static void bounce(const char *invite, const char *uri, const char *branch)
{
	char via[512], text[2048];

	text_header(invite, "Via", via, sizeof(via));
	snprintf(
		text, sizeof(text),
		"INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:26060;branch=%s\r\nVia: %s\r\n"
		"Max-Forwards: 69\r\nFrom: <sip:a@example.com>;tag=us\r\nTo: "
		"<sip:b@example.com>\r\n"
		"Call-ID: cid\r\nCSeq: 7 INVITE\r\nContact: <sip:a@h>\r\nContent-Length: 0\r\n\r\n",
		uri, bed.peer_host, branch, via);
	peer_send(&peer, &bed, text);
}

static void test_loop(void **state)
{
	const char *invite;

	assert_non_null(start(SIP_INVITE));
	invite = receive("INVITE");
	respond(invite, 100, "INVITE");
	bounce(invite, "sip:b@example.com", "z9hG4bKloop1");
	assert_int_equal(peer_status(&peer, &bed, 200), 482);
	assert_int_equal(stats()->loops, 1);
	assert_int_equal(bed.invites, 0);
	/* 16.3 item 4: with another Request-URI it is a spiral, and welcome. */
	bounce(invite, "sip:c@example.com", "z9hG4bKloop2");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	assert_int_equal(bed.invites, 1);
	assert_int_equal(stats()->loops, 1);
}

/* ---- large requests, streams ------------------------------------------------------------------ */

static int tcp_listen(uint16_t port)
{
	struct sockaddr_in at = peer.addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	at.sin_port = htons(port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int tcp_accept(int listener)
{
	int fd = -1;

	for (int i = 0; i < 100 && fd < 0; i++) {
		bed_run(&bed, 5);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	}
	assert_true(fd >= 0);
	return fd;
}

static const char *tcp_read(int fd)
{
	static char text[8192];
	ssize_t n = -1;

	for (int i = 0; i < 40 && n <= 0; i++) {
		bed_run(&bed, 5);
		n = recv(fd, text, sizeof(text) - 1, 0);
	}
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_large_goes_by_tcp(void **state)
{
	struct net_flow flow = flow_to(26060, NET_UDP);
	int listener = tcp_listen(26060), fd;
	char expect[200], got[8192];
	struct sip_ctx *ctx;

	ctx = start_with(SIP_INVITE, &flow, 1200, false);
	assert_non_null(ctx);
	assert_int_equal(sip_ctx_flow(ctx)->proto, NET_TCP);
	fd = tcp_accept(listener);
	snprintf(got, sizeof(got), "%s", tcp_read(fd));
	snprintf(expect, sizeof(expect),
		 "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP %s:%d;rport;", bed.host,
		 BED_PORT); /* where we listen, not the connection's own port */
	assert_memory_equal(got, expect, strlen(expect));
	assert_null(strstr(got, "SIP/2.0/UDP"));
	assert_non_null(strstr(got, "Content-Length: 1200\r\n\r\nxxxx"));
	assert_false(peer_recv(&peer, &bed, 4 * T1)); /* neither UDP nor repeated */
	respond_via(got, 486, "INVITE", "", true, fd);
	assert_int_equal(bed.statuses[0], 486);
	assert_memory_equal(tcp_read(fd), "ACK ", 4);
	assert_int_equal(stats()->ctx_now, 0); /* D is zero */
	assert_int_equal(stats()->retransmits_out, 0);
	close(fd);
	close(listener);
}

static void test_large_falls_back(void **state)
{
	struct net_flow flow = flow_to(26060, NET_UDP);
	struct sip_ctx *ctx = start_with(SIP_INVITE, &flow, 1200, false);
	const char *invite;

	assert_int_equal(sip_ctx_flow(ctx)->proto, NET_TCP);
	invite = receive("INVITE");
	assert_true(peer_got(&peer, "Via: SIP/2.0/UDP "));
	assert_int_equal(sip_ctx_flow(ctx)->proto, NET_UDP);
	assert_non_null(receive("INVITE")); /* Timer A runs */
	respond(invite, 486, "INVITE");
	count(20);
	/* The next one does not try in vain. */
	ctx = start_with(SIP_INVITE, &flow, 1200, false);
	assert_int_equal(sip_ctx_flow(ctx)->proto, NET_UDP);
	assert_non_null(receive("INVITE"));
	assert_int_equal(bed.ctx_failed, 0);
}

static void test_large_kept_on_udp(void **state)
{
	struct net_flow flow = flow_to(26060, NET_UDP);
	struct sip_ctx *ctx = start_with(SIP_INVITE, &flow, 1200, true);

	assert_int_equal(sip_ctx_flow(ctx)->proto, NET_UDP);
	assert_non_null(receive("INVITE"));
}

/* Neither TCP nor UDP: the UDP error counts. */
static void test_large_to_nobody(void **state)
{
	struct net_flow flow = flow_to(26097, NET_UDP);

	assert_non_null(start_with(SIP_INVITE, &flow, 1200, false));
	bed_run(&bed, 100);
	assert_int_equal(bed.ctx_failed, 1);
	assert_int_equal(bed.ctx_err, ECONNREFUSED);
	assert_int_equal(stats()->ctx_now, 0);
}

static void test_tcp_refused(void **state)
{
	struct net_flow flow = flow_to(26096, NET_TCP);

	assert_non_null(start_with(SIP_OPTIONS, &flow, 0, false));
	bed_run(&bed, 100);
	assert_int_equal(bed.ctx_failed, 1);
	assert_int_equal(bed.ctx_err, ECONNREFUSED);
	assert_int_equal(stats()->ctx_now, 0);
}

/* On TCP, Timer D is zero: the 487 may end the INVITE before the CANCEL has its 200. */
static void test_tcp_cancel_outlives_invite(void **state)
{
	int listener = tcp_listen(26060), fd;
	struct net_flow flow = flow_to(26060, NET_TCP);
	struct sip_ctx *ctx = start_with(SIP_INVITE, &flow, 0, false);
	char invite[8192];

	fd = tcp_accept(listener);
	snprintf(invite, sizeof(invite), "%s", tcp_read(fd));
	respond_via(invite, 180, "INVITE", "", true, fd);
	sip_ctx_cancel(ctx, NULL);
	assert_memory_equal(tcp_read(fd), "CANCEL ", 7);
	respond_via(invite, 487, "INVITE", "", true, fd);
	assert_memory_equal(tcp_read(fd), "ACK ", 4);
	bed_run(&bed, 30);
	assert_int_equal(stats()->ctx_now, 2);
	respond_via(invite, 200, "CANCEL", "", true, fd);
	bed_run(&bed, 30);
	assert_int_equal(stats()->stray_responses, 0);
	assert_int_equal(stats()->ctx_now, 0);
	close(fd);
	close(listener);
}

static void test_limit(void **state)
{
	struct net_flow flow = flow_to(26060, NET_UDP);
	int n = 0;

	while (n < 200 && sip_ctx_new(bed.stack, SIP_OPTIONS, &flow, &ops, &bed))
		n++;
	assert_int_equal(n, 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_invite_ladder),
		TEST(test_options_ladder),
		TEST(test_listed_intervals),
		TEST(test_listed_once),
		TEST(test_provisional_stops_a),
		TEST(test_provisional_of_others),
		TEST(test_noninvite_final),
		TEST(test_accepted),
		TEST(test_refused),
		TEST(test_abandoned),
		TEST(test_cancel_waits_for_provisional),
		TEST(test_cancel_repeated_and_unanswered),
		TEST(test_cancel_without_provisional),
		TEST(test_cancel_crosses_answer),
		TEST(test_refused_port),
		TEST(test_undelivered_is_matched),
		TEST(test_stray_responses),
		TEST(test_loop),
		TEST(test_large_goes_by_tcp),
		TEST(test_large_falls_back),
		TEST(test_large_kept_on_udp),
		TEST(test_large_to_nobody),
		TEST(test_tcp_refused),
		TEST(test_tcp_cancel_outlives_invite),
		TEST(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
