/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server transactions and dispatch of requests, over real sockets. */
#include "sip_bed.h"

#define T1 10 /* ms */

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
	static char value[512];

	return text_header(peer.text, name, value, sizeof(value));
}

/* Read away everything that comes within `ms`; how many datagrams. */
static int drain(unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;
	int n = 0;

	while (clock_mono_us() < end)
		n += peer_recv(&peer, &bed, 5);
	return n;
}

/* ---- INVITE ---------------------------------------------------------------------------- */

static void test_invite_answered(void **state)
{
	char tag[SIP_TAG_LEN + 1];
	struct sip_msg msg;

	assert_int_equal(sip_tag_new(bed.stack, &bed_dialog_ops, &bed, tag), 0);
	bed.tag = tag;
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	assert_int_equal(bed.invites, 1);
	assert_false(peer_got(&peer, tag));
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	assert_int_equal(bed.invites, 1);
	assert_int_equal(stats()->retransmits_in, 1);

	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	assert_int_equal(msg.method, SIP_INVITE);
	bed_answer(&bed, bed.tx, &msg, 200);
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	assert_true(peer_got(&peer, tag));
	assert_int_equal(sip_stx_request(bed.tx, &msg), -ENOENT);
	/* RFC 6026: the INVITE again is absorbed, the ACK is the dialog's. */
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_false(peer_recv(&peer, &bed, 60));
	REQUEST(&peer, &bed, .method = "ACK", .branch = "z9hG4bKack", .to_tag = tag);
	bed_run(&bed, 30);
	assert_int_equal(bed.dialog_acks, 1);
	assert_int_equal(stats()->stray_acks, 0);
	/* Some use the INVITE's branch for it. */
	REQUEST(&peer, &bed, .method = "ACK", .to_tag = tag);
	bed_run(&bed, 30);
	assert_int_equal(bed.dialog_acks, 2);
	sip_stx_done(bed.tx);
	assert_int_equal(stats()->stx_now, 1);
	bed_run(&bed, 64 * T1 + 60);
	assert_int_equal(stats()->stx_now, 0);
	sip_tag_free(bed.stack, tag);
	assert_int_equal(stats()->sessions_now, 0);
	REQUEST(&peer, &bed, .method = "BYE", .branch = "z9hG4bKbye", .to_tag = tag, .cseq = 2);
	assert_int_equal(peer_status(&peer, &bed, 200), 481);
}

/* The user who repeats its 2xx after Timer L must find its transaction. */
static void test_accepted_waits_for_done(void **state)
{
	bed.answer = 200;
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	bed_run(&bed, 64 * T1 + 60);
	assert_int_equal(stats()->stx_now, 1);
	sip_stx_done(bed.tx);
	assert_int_equal(stats()->stx_now, 0);
}

static void test_refusal_repeated_until_ack(void **state)
{
	bed.answer = 486;
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 486);
	assert_int_equal(peer_status(&peer, &bed, 200), 486);
	assert_int_equal(peer_status(&peer, &bed, 200), 486);
	assert_true(stats()->retransmits_out >= 2);
	REQUEST(&peer, &bed, .method = "ACK", .to_tag = "bed");
	bed_run(&bed, 20);
	assert_int_equal(stats()->stx_now, 1);
	drain(1);
	assert_false(peer_recv(&peer, &bed, 60));
	bed_run(&bed, 5 * T1 + 40);
	assert_int_equal(stats()->stx_now, 0);
	assert_int_equal(bed.failed, 0);
	assert_int_equal(stats()->stray_acks, 0);
	assert_int_equal(stats()->responses_out[4], 1);
}

static void test_refusal_never_acked(void **state)
{
	int sent;

	bed.answer = 603;
	REQUEST(&peer, &bed, .method = "INVITE");
	/* 603 at 0, 1, 3, 7, 11, ... T1: T2 is 4*T1 here, so 1 + 15 or so of them in 64*T1;
	 * the wheel's tick of 10 ms makes some late. */
	sent = drain(64 * T1 + 100);
	assert_in_range(sent, 11, 18);
	assert_int_equal(bed.failed, 1);
	assert_int_equal(bed.failed_err, ETIMEDOUT);
	assert_int_equal(stats()->timeouts, 1);
	assert_int_equal(stats()->stx_now, 0);
}

static void test_cancel(void **state)
{
	struct sip_msg msg;

	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	bed_answer(&bed, bed.tx, &msg, 180);
	assert_int_equal(peer_status(&peer, &bed, 200), 180);
	REQUEST(&peer, &bed, .method = "CANCEL", .extra = "Reason: SIP;cause=200\r\n");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	assert_string_equal(header("CSeq"), "1 CANCEL");
	assert_true(peer_got(&peer, ";tag=bed")); /* that of the 180 (9.2) */
	assert_int_equal(bed.cancels, 1);
	REQUEST(&peer, &bed, .method = "CANCEL");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	assert_int_equal(bed.cancels, 1);
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	bed_answer(&bed, bed.tx, &msg, 487);
	assert_int_equal(peer_status(&peer, &bed, 200), 487);
	assert_string_equal(header("CSeq"), "1 INVITE");
	REQUEST(&peer, &bed, .method = "ACK", .to_tag = "bed");
	bed_run(&bed, T1 * 5 + 60);
	assert_int_equal(stats()->stx_now, 0);
}

static void test_cancel_after_final_and_stray(void **state)
{
	bed.answer = 200;
	REQUEST(&peer, &bed, .method = "INVITE");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	REQUEST(&peer, &bed, .method = "CANCEL");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	assert_int_equal(bed.cancels, 0);
	REQUEST(&peer, &bed, .method = "CANCEL", .branch = "z9hG4bKother");
	assert_int_equal(peer_status(&peer, &bed, 200), 481);
	assert_int_equal(bed.refused_status, 481);
	sip_stx_done(bed.tx);
}

/* RFC 2543 senders: no branch, or (RFC 4475 3.2.1) nothing but the cookie. */
static void test_old_branches(void **state)
{
	static const char *const branches[] = { "", "z9hG4bK", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(branches); i++) {
		char call_id[20];

		snprintf(call_id, sizeof(call_id), "old-%zu", i);
		bed.answer = 0;
		bed.invites = bed.cancels = 0;
		REQUEST(&peer, &bed, .method = "INVITE", .branch = branches[i], .call_id = call_id);
		assert_int_equal(peer_status(&peer, &bed, 200), 100);
		REQUEST(&peer, &bed, .method = "INVITE", .branch = branches[i], .call_id = call_id);
		assert_int_equal(peer_status(&peer, &bed, 200), 100);
		assert_int_equal(bed.invites, 1);
		REQUEST(&peer, &bed, .method = "CANCEL", .branch = branches[i], .call_id = call_id);
		assert_int_equal(peer_status(&peer, &bed, 200), 200);
		assert_int_equal(bed.cancels, 1);
		REQUEST(&peer, &bed, .method = "INVITE", .branch = branches[i],
			.call_id = "other-call");
		assert_int_equal(peer_status(&peer, &bed, 200), 100);
		assert_int_equal(bed.invites, 2);
		bed_close(&bed);
		bed_open(&bed, T1, 100);
	}
}

/* ---- other methods --------------------------------------------------------------------- */

static void test_noninvite(void **state)
{
	char first[2048];

	bed.answer = 200;
	REQUEST(&peer, &bed, .method = "OPTIONS");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	snprintf(first, sizeof(first), "%.2000s", peer.text);
	REQUEST(&peer, &bed, .method = "OPTIONS");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
	assert_string_equal(first, peer.text);
	assert_int_equal(bed.requests, 1);
	assert_int_equal(stats()->requests_in[SIP_OPTIONS], 2);
	assert_int_equal(stats()->responses_out[2], 1);
	assert_int_equal(stats()->retransmits_out, 1);
	assert_int_equal(stats()->stx_now, 1);
	bed_run(&bed, 64 * T1 + 60);
	assert_int_equal(stats()->stx_now, 0);
}

static void test_noninvite_pending(void **state)
{
	struct sip_msg msg;

	REQUEST(&peer, &bed, .method = "REGISTER", .uri = "sip:example.com");
	REQUEST(&peer, &bed, .method = "REGISTER", .uri = "sip:example.com");
	assert_false(peer_recv(&peer, &bed, 60)); /* no 100 for others (RFC 4320 4.1) */
	assert_int_equal(bed.requests, 1);
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	sip_stx_reply(bed.tx, &msg, 401, "No Entry", "X-Why: because\r\n");
	assert_int_equal(peer_status(&peer, &bed, 200), 401);
	assert_true(peer_got(&peer, "401 No Entry\r\n"));
	assert_string_equal(header("X-Why"), "because");
	assert_string_equal(header("Server"), "bed");
	assert_true(peer_got(&peer, "To: <sip:b@example.com>;tag=w00ffffff0000"));
}

static void test_unknown_methods_do_not_mix(void **state)
{
	REQUEST(&peer, &bed, .method = "FOO");
	REQUEST(&peer, &bed, .method = "BAR");
	bed_run(&bed, 30);
	assert_int_equal(bed.requests, 2);
}

/* ---- dialogs ---------------------------------------------------------------------------- */

static void test_dialogs(void **state)
{
	static const char *const methods[] = { "BYE", "PRACK", "UPDATE", "INVITE", "INFO" };
	char tag[SIP_TAG_LEN + 1], wrong[SIP_TAG_LEN + 1];

	assert_int_equal(sip_tag_new(bed.stack, &bed_dialog_ops, &bed, tag), 0);
	memcpy(wrong, tag, sizeof(wrong));
	wrong[20] = wrong[20] == '0' ? '1' : '0'; /* the random part */
	bed.answer = 200;
	bed.done = true;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		const char *bad[] = { wrong, "foreign", "w00000000zzzz00000000",
				      "w01000000000100000000" };
		char branch[40];

		snprintf(branch, sizeof(branch), "z9hG4bKd%zu", i);
		REQUEST(&peer, &bed, .method = methods[i], .to_tag = tag, .branch = branch);
		assert_true(peer_recv(&peer, &bed, 200));
		assert_int_equal(text_status(peer.text), 200);
		assert_int_equal(bed.dialog_requests, i + 1);
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			snprintf(branch, sizeof(branch), "z9hG4bKe%zu-%zu", i, j);
			REQUEST(&peer, &bed, .method = methods[i], .to_tag = bad[j],
				.branch = branch);
			assert_int_equal(peer_status(&peer, &bed, 200), 481);
		}
	}
	REQUEST(&peer, &bed, .method = "ACK", .to_tag = wrong, .branch = "z9hG4bKz");
	assert_false(peer_recv(&peer, &bed, 40));
	assert_int_equal(stats()->stray_acks, 1);
	assert_int_equal(bed.dialog_acks, 0);
	sip_tag_free(bed.stack, tag);
	sip_tag_free(bed.stack, tag);
	assert_int_equal(stats()->sessions_now, 0);
}

static void test_identifiers(void **state)
{
	char tags[20][SIP_TAG_LEN + 1], call_id[SIP_CALL_ID_LEN + 1], message[400];
	int n = 0;

	while (n < 20 && sip_tag_new(bed.stack, &bed_dialog_ops, &bed, tags[n]) == 0)
		n++;
	assert_int_equal(n, 16); /* max_sessions */
	assert_int_equal(strlen(tags[3]), SIP_TAG_LEN);
	assert_memory_equal(tags[3], "w000000030001", 13);
	sip_call_id_new(bed.stack, tags[3], call_id);
	assert_int_equal(strlen(call_id), SIP_CALL_ID_LEN);
	assert_memory_equal(call_id, tags[3] + 1, 12);
	snprintf(message, sizeof(message),
		 "BYE sip:a@b SIP/2.0\r\nTo: <sip:a@b>;tag=w02000003000100000000\r\n\r\n");
	assert_int_equal(sip_classify(span_of(message), 4), 2);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static const struct check {
	const char *what;
	struct req req;
	int status;
	const char *line; /* to be found in the answer */
} checks[] = {
	{ "scheme", { .method = "INVITE", .uri = "nobody:knows" }, 416, NULL },
	{ "scheme in OPTIONS",
	  { .method = "OPTIONS", .uri = "soap.beep://192.0.2.103:3002" },
	  416,
	  NULL },
	{ "tel", { .method = "OPTIONS", .uri = "tel:+15551234" }, 200, NULL },
	{ "sips", { .method = "OPTIONS", .uri = "sips:b@example.com" }, 200, NULL },
	{ "no hops left", { .method = "INVITE", .extra = "Max-Forwards: 0\r\n" }, 483, NULL },
	{ "no hops left for MESSAGE",
	  { .method = "MESSAGE", .extra = "Max-Forwards: 0\r\n" },
	  483,
	  NULL },
	{ "OPTIONS has arrived",
	  { .method = "OPTIONS", .extra = "Max-Forwards: 0\r\n" },
	  200,
	  NULL },
	{ "extension",
	  { .method = "INVITE", .extra = "Require: 100rel, foo\r\nRequire: timer,bar\r\n" },
	  420,
	  "Unsupported: foo, bar\r\n" },
	{ "known extensions",
	  { .method = "OPTIONS", .extra = "Require: 100REL\r\nRequire: timer\r\n" },
	  200,
	  NULL },
	{ "not ours to require",
	  { .method = "OPTIONS", .extra = "Proxy-Require: foo\r\n" },
	  200,
	  NULL },
	{ "body",
	  { .method = "INVITE", .extra = "Content-Type: application/x\r\n", .body = "abc" },
	  415,
	  "Accept: application/sdp, multipart/mixed\r\n" },
	{ "body without type",
	  { .method = "INVITE", .body = "abc" },
	  415,
	  "Accept: application/sdp" },
	{ "type without body",
	  { .method = "OPTIONS", .extra = "Content-Type: application/x\r\n" },
	  200,
	  NULL },
	{ "other methods' bodies",
	  { .method = "MESSAGE", .extra = "Content-Type: text/plain\r\n", .body = "hi" },
	  200,
	  NULL },
	{ "encoding",
	  { .method = "INVITE",
	    .extra = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
	    .body = "abc" },
	  415,
	  "Accept-Encoding: identity\r\n" },
	{ "accept",
	  { .method = "INVITE", .extra = "Accept: text/none, text/x;q=1\r\n" },
	  406,
	  "Accept: application/sdp\r\n" },
	{ "empty accept", { .method = "INVITE", .extra = "Accept:\r\n" }, 406, NULL },
	{ "OPTIONS answered without body",
	  { .method = "OPTIONS", .extra = "Accept: text/plain\r\n" },
	  200,
	  NULL },
	{ "malformed", { .method = "INVITE", .cseq_method = "OPTIONS" }, 400, NULL },
	{ "malformed number", { .method = "OPTIONS", .extra = "Max-Forwards: x\r\n" }, 400, NULL },
};

static void test_checks(void **state)
{
	bed.answer = 200;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const struct check *c = &checks[i];
		struct req req = c->req;
		char branch[40], call_id[40], again[4096];
		int status, before = bed.refused;

		snprintf(branch, sizeof(branch), "z9hG4bKc%zu", i);
		snprintf(call_id, sizeof(call_id), "check-%zu", i);
		req.branch = branch;
		req.call_id = call_id;
		peer_request(&peer, &bed, &req);
		status = peer_status(&peer, &bed, 200);
		if (status != c->status || (c->line && !peer_got(&peer, c->line)))
			fail_msg("%s: %d\n%s", c->what, status, peer.text);
		assert_int_equal(bed.refused - before, c->status != 200);
		if (c->status == 200)
			continue;
		assert_int_equal(bed.refused_status, c->status);
		/* 8.2.7: asked again it says the same, with the same tag. */
		snprintf(again, sizeof(again), "%.4000s", peer.text);
		peer_request(&peer, &bed, &req);
		assert_int_equal(peer_status(&peer, &bed, 200), c->status);
		assert_string_equal(again, peer.text);
	}
	assert_int_equal(stats()->malformed_refused, 4);
	assert_int_equal(bed.invites, 0);
}

static void test_refusal_swallows_its_ack(void **state)
{
	char *tag, text[8192];

	REQUEST(&peer, &bed, .method = "INVITE", .uri = "x:y");
	assert_int_equal(peer_status(&peer, &bed, 200), 416);
	tag = strstr(peer.text, ";tag=w00");
	assert_non_null(tag);
	snprintf(text, sizeof(text), "%.*s", SIP_TAG_LEN, tag + 5);
	REQUEST(&peer, &bed, .method = "ACK", .uri = "x:y", .to_tag = text);
	bed_run(&bed, 30);
	assert_int_equal(stats()->stray_acks, 0);
	assert_int_equal(stats()->stx_now, 0);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text;
		int status; /* -1 = dropped */
	} rows[] = {
		{ "OPTIONS sip:b@h SIP/7.0\r\nVia: SIP/7.0/UDP h;branch=z9hG4bKx\r\nFrom: "
		  "<sip:a@h>;tag=1\r\n"
		  "To: <sip:b@h>\r\nCall-ID: v\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		  505 },
		{ "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 "
		  "OPTIONS\r\n\r\n",
		  400 },
		{ "ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 "
		  "ACK\r\n\r\n",
		  -1 },
		{ "SIP/2.0 200 OK\r\n\r\n", -1 },
		{ "what is this", -1 },
		{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", -1 },
	};
	int dropped = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		peer_send(&peer, &bed, rows[i].text);
		assert_int_equal(peer_status(&peer, &bed, 60), rows[i].status);
		assert_int_equal(bed.refused_status, rows[i].status < 0 ? 0 : rows[i].status);
		dropped += rows[i].status < 0;
	}
	assert_int_equal(stats()->malformed_dropped, dropped);
	assert_int_equal(stats()->malformed_refused, 2);
	assert_int_equal(bed.wire_in, 6);
	assert_int_equal(bed.wire_out, 2);
	peer_send(&peer, &bed, "\r\n\r\n");
	peer_send_bytes(&peer, &bed, "\0\0\0\0", 4);
	bed_run(&bed, 30);
	assert_int_equal(stats()->keepalives, 2);
	assert_int_equal(bed.wire_in, 6);
}

static void test_merged(void **state)
{
	REQUEST(&peer, &bed, .method = "INVITE", .branch = "z9hG4bKway1");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	REQUEST(&peer, &bed, .method = "INVITE", .branch = "z9hG4bKway2");
	assert_int_equal(peer_status(&peer, &bed, 200), 482);
	assert_int_equal(stats()->merged, 1);
	assert_int_equal(bed.invites, 1);
	REQUEST(&peer, &bed, .method = "INVITE", .branch = "z9hG4bKway3", .cseq = 2);
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	REQUEST(&peer, &bed, .method = "INVITE", .branch = "z9hG4bKway4", .from_tag = "other");
	assert_int_equal(peer_status(&peer, &bed, 200), 100);
	assert_int_equal(bed.invites, 3);
	/* Refused, then tried again with credentials but the same CSeq. */
	bed.answer = 401;
	REQUEST(&peer, &bed, .method = "REGISTER", .branch = "z9hG4bKtry1", .call_id = "reg");
	assert_int_equal(peer_status(&peer, &bed, 200), 401);
	bed.answer = 200;
	REQUEST(&peer, &bed, .method = "REGISTER", .branch = "z9hG4bKtry2", .call_id = "reg");
	assert_int_equal(peer_status(&peer, &bed, 200), 200);
}

static void test_limit(void **state)
{
	bed_close(&bed);
	bed_open(&bed, T1, 2);
	for (int i = 0; i < 3; i++) {
		char branch[40], call_id[40];

		snprintf(branch, sizeof(branch), "z9hG4bKl%d", i);
		snprintf(call_id, sizeof(call_id), "limit-%d", i);
		REQUEST(&peer, &bed, .method = "INVITE", .branch = branch, .call_id = call_id);
		assert_int_equal(peer_status(&peer, &bed, 200), i < 2 ? 100 : 503);
	}
	assert_string_equal(header("Retry-After"), "5");
	assert_int_equal(bed.invites, 2);
	assert_int_equal(bed.refused_status, 503);
}

/* ---- where responses go -------------------------------------------------------------------- */

static void test_response_addresses(void **state)
{
	static const struct {
		int method;
		const char *via_extra;
		bool at_via_port;
	} rows[] = {
		{ 0, "", false },
		{ 0, ";rport", false },
		{ 1, "", true },
		{ 1, ";rport", true },
		{ 2, "", true },
		{ 2, ";rport", false },
		{ 2, ";maddr=224.0.0.1", true },
	};
	struct peer other;

	peer_open(&other, &bed, 26061);
	bed.answer = 200;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char branch[40], call_id[40];

		snprintf(branch, sizeof(branch), "z9hG4bKr%zu", i);
		snprintf(call_id, sizeof(call_id), "addr-%zu", i);
		bed.response_address = rows[i].method;
		REQUEST(&peer, &bed, .method = "OPTIONS", .branch = branch, .port = 26061,
			.call_id = call_id, .via_extra = rows[i].via_extra);
		bed_run(&bed, 20);
		assert_int_equal(peer_recv(&peer, &bed, 1), !rows[i].at_via_port);
		assert_int_equal(peer_recv(&other, &bed, 1), rows[i].at_via_port);
	}
	peer_close(&other);
}

static void test_maddr(void **state)
{
	char extra[64];
	struct peer other;

	memset(&other, 0, sizeof(other));
	snprintf(bed.peer_host + strlen(bed.peer_host) - 1, 2, "3");
	peer_open(&other, &bed, 26060);
	snprintf(extra, sizeof(extra), ";rport;maddr=%s", bed.peer_host);
	bed.answer = 200;
	bed.response_address = 2;
	REQUEST(&peer, &bed, .method = "OPTIONS", .via_extra = extra);
	assert_int_equal(peer_status(&other, &bed, 200), 200);
	peer_close(&other);
}

static void test_response_undelivered(void **state)
{
	struct sip_msg msg;
	struct peer gone;

	peer_open(&gone, &bed, 26070);
	REQUEST(&gone, &bed, .method = "INVITE", .port = 26070);
	assert_int_equal(peer_status(&gone, &bed, 200), 100);
	peer_close(&gone);
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	bed_answer(&bed, bed.tx, &msg, 180);
	bed_run(&bed, 60);
	assert_int_equal(bed.failed, 0); /* a provisional only */
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	bed_answer(&bed, bed.tx, &msg, 486);
	bed_run(&bed, 60);
	assert_int_equal(bed.failed, 1);
	assert_int_equal(bed.failed_err, ECONNREFUSED);
	assert_true(stats()->transport_errors >= 2);
	bed_run(&bed, 64 * T1);
	assert_int_equal(bed.failed, 1); /* told once */
	assert_int_equal(stats()->stx_now, 0);
}

/* ---- streams -------------------------------------------------------------------------------- */

static int tcp_connect(void)
{
	struct sockaddr_in to = bed_addr(&bed), from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, bed.peer_host, &from.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static const char *tcp_read(int fd, unsigned ms)
{
	static char text[8192];
	size_t len = 0;
	uint64_t end = clock_mono_us() + ms * MSEC;

	while (clock_mono_us() < end && len < sizeof(text) - 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n > 0)
			len += (size_t)n;
		loop_turn(&bed.loop, 2 * MSEC);
	}
	text[len] = '\0';
	return text;
}

static void test_tcp(void **state)
{
	int fd = tcp_connect();
	char text[2048];
	const char *got;

	bed.answer = 486;
	make_request(&bed, &(struct req){ .method = "INVITE", .transport = "TCP" }, text,
		     sizeof(text));
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	got = tcp_read(fd, 150);
	assert_int_equal(text_status(got), 486);
	assert_null(strstr(got + 1, "SIP/2.0 486")); /* not repeated */
	make_request(&bed, &(struct req){ .method = "ACK", .transport = "TCP", .to_tag = "bed" },
		     text, sizeof(text));
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	bed_run(&bed, 60);
	assert_int_equal(stats()->stx_now, 0); /* Timer I is zero */
	make_request(&bed, &(struct req){ .method = "OPTIONS", .transport = "TCP" }, text,
		     sizeof(text));
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	assert_int_equal(text_status(tcp_read(fd, 60)), 486);
	assert_int_equal(stats()->stx_now, 0); /* Timer J is zero */
	close(fd);
}

/* 18.2.2: the connection is gone before the answer; a new one goes to the Via's port. */
static void test_tcp_gone(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(26080) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = tcp_connect(), one = 1;
	struct sip_msg msg;
	char text[2048];

	inet_pton(AF_INET, bed.peer_host, &at.sin_addr);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 4), 0);
	make_request(&bed, &(struct req){ .method = "INVITE", .transport = "TCP", .port = 26080 },
		     text, sizeof(text));
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	assert_int_equal(text_status(tcp_read(fd, 60)), 100);
	close(fd);
	bed_run(&bed, 60);
	assert_int_equal(sip_stx_request(bed.tx, &msg), 0);
	bed_answer(&bed, bed.tx, &msg, 486);
	bed_run(&bed, 60);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(text_status(tcp_read(fd, 60)), 486);
	close(fd);
	close(listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_invite_answered),
		TEST(test_accepted_waits_for_done),
		TEST(test_refusal_repeated_until_ack),
		TEST(test_refusal_never_acked),
		TEST(test_cancel),
		TEST(test_cancel_after_final_and_stray),
		TEST(test_old_branches),
		TEST(test_noninvite),
		TEST(test_noninvite_pending),
		TEST(test_unknown_methods_do_not_mix),
		TEST(test_dialogs),
		TEST(test_identifiers),
		TEST(test_checks),
		TEST(test_refusal_swallows_its_ack),
		TEST(test_malformed),
		TEST(test_merged),
		TEST(test_limit),
		TEST(test_response_addresses),
		TEST(test_maddr),
		TEST(test_response_undelivered),
		TEST(test_tcp),
		TEST(test_tcp_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
