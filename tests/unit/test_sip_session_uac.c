/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The calling side against raw peers: forks, repeated 2xx, reliable provisionals out of order, route
 * sets, challenges, 422, multipart answers, broken answers. */
#include "sip_session_bed.h"

static struct raw raw;

static int setup(void **state)
{
	bed_setup(state);
	raw_open(&raw, 13);
	return 0;
}

static int teardown(void **state)
{
	raw_close(&raw);
	return bed_teardown(state);
}

/* The INVITE, kept while others come. */
static const char *invite(int offer)
{
	static char text[8192];

	assert_int_equal(dial(NET_UDP, raw.host, offer), 0);
	raw_expect(&raw, "INVITE ");
	span_copy(span_of(raw.text), text, sizeof(text));
	return text;
}

static void expect_header(const char *name, const char *value)
{
	char got[512];

	raw_header(raw.text, name, got);
	if (strcmp(got, value))
		fail_msg("%s: \"%s\", wanted \"%s\"", name, got, value);
}

static void test_repeated_2xx(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK sip:raw@");
	expect_header("CSeq", "1 ACK");
	expect(&bed.a, "answer:200+101");
}

/* 13.2.2.4: two early dialogs, two 2xx; the second is ACKed and BYEd. */
static void test_fork(void **state)
{
	const char *inv = invite(1);
	char to[512];

	raw_answer(&raw, inv, "180 Ringing", "f1", "", "");
	raw_answer(&raw, inv, "183 Progress", "f2", "", sdp_text(102));
	raw_answer(&raw, inv, "180 Ringing", "f1", "", "");
	expect(&bed.a, "progress:180 progress-other:183+102 progress-other:180");
	raw_answer(&raw, inv, "200 OK", "f2", "", sdp_text(102));
	raw_expect(&raw, "ACK ");
	assert_non_null(strstr(raw_header(raw.text, "To", to), ";tag=f2"));
	expect(&bed.a, "answer:200+102");
	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	assert_non_null(strstr(raw_header(raw.text, "To", to), ";tag=f1"));
	raw_expect(&raw, "BYE ");
	assert_non_null(strstr(raw_header(raw.text, "To", to), ";tag=f1"));
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	assert_int_equal(raw_count(&raw, "BYE ", 30), 0);
	expect_quiet(&bed.a, 10);
	assert_true(sip_session_is_answered(bed.a.s));
}

static void test_too_many_forks(void **state)
{
	const char *inv = invite(1);
	char tag[16];

	for (int i = 0; i < SES_DIALOGS_MAX + 3; i++) {
		snprintf(tag, sizeof(tag), "f%d", i);
		raw_answer(&raw, inv, "180 Ringing", tag, "", "");
	}
	run_ms(30);
	assert_int_equal(sip_session_dropped(bed.a.s), 3);
	raw_answer(&raw, inv, "200 OK", "f10", "", sdp_text(101)); /* an answer is never too many */
	raw_expect(&raw, "ACK ");
	bed.a.log[0] = '\0';
}

/* RFC 3262 4: in order, once each, RAck names what it acknowledges. */
static void test_reliable_order(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "180 Ringing", "f1", "Require: 100rel\r\nRSeq: 700\r\n", "");
	raw_expect(&raw, "PRACK ");
	expect_header("RAck", "700 1 INVITE");
	expect_header("CSeq", "2 PRACK");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	raw_answer(&raw, inv, "183 Progress", "f1", "Require: 100rel\r\nRSeq: 702\r\n",
		   sdp_text(101));
	raw_answer(&raw, inv, "180 Ringing", "f1", "Require: 100rel\r\nRSeq: 700\r\n", "");
	assert_int_equal(raw_count(&raw, "PRACK ", 30), 0);
	expect(&bed.a, "progress:180");
	raw_answer(&raw, inv, "183 Progress", "f1", "Require: 100rel\r\nRSeq: 701\r\n",
		   sdp_text(101));
	raw_expect(&raw, "PRACK ");
	expect_header("RAck", "701 1 INVITE");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "progress:183+101");
	raw_answer(&raw, inv, "200 OK", "f1", "", "");
	expect(&bed.a, "answer:200");
}

static void test_2xx_without_answer(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "200 OK", "f1", "", "");
	raw_expect(&raw, "ACK ");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "ended:8");
}

/* Gateways that gave their answer in an unreliable 183 and not again. */
static void test_2xx_after_preview(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "183 Progress", "f1", "", sdp_text(101));
	raw_answer(&raw, inv, "200 OK", "f1", "", "");
	expect(&bed.a, "progress:183+101 answer:200");
}

static void test_late_offer_2xx_without_sdp(void **state)
{
	const char *inv = invite(0);

	assert_null(strstr(inv, "100rel"));
	raw_answer(&raw, inv, "200 OK", "f1", "", "");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "ended:8");
}

/* 12.1.2, 12.2.1.1: Record-Route reversed; loose routes as they are. */
static void test_loose_routes(void **state)
{
	const char *inv = invite(1);
	char extra[512], want[512];

	snprintf(extra, sizeof(extra),
		 "Record-Route: <sip:p2@%s:%d;lr>, <sip:p1@10.1.1.1;lr>\r\nRecord-Route: "
		 "<sip:%s:%d;lr>\r\n",
		 "10.2.2.2", BED_PORT, raw.host, BED_PORT);
	raw_answer(&raw, inv, "200 OK", "f1", extra, sdp_text(101));
	raw_expect(&raw, "ACK sip:raw@");
	snprintf(want, sizeof(want),
		 "<sip:%s:%d;lr>, <sip:p1@10.1.1.1;lr>, <sip:p2@10.2.2.2:%d;lr>", raw.host,
		 BED_PORT, BED_PORT);
	expect_header("Route", want);
	sip_session_end(bed.a.s, SPAN_NONE);
	raw_expect(&raw, "BYE sip:raw@");
	expect_header("Route", want);
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	bed.a.log[0] = '\0';
}

static void test_strict_route(void **state)
{
	const char *inv = invite(1);
	char extra[512], want[512];

	snprintf(extra, sizeof(extra), "Record-Route: <sip:p1@10.1.1.1;lr>, <sip:strict@%s:%d>\r\n",
		 raw.host, BED_PORT);
	raw_answer(&raw, inv, "200 OK", "f1", extra, sdp_text(101));
	raw_expect(&raw, "ACK sip:strict@");
	snprintf(want, sizeof(want), "<sip:p1@10.1.1.1;lr>, <sip:raw@%s:%d>", raw.host, BED_PORT);
	expect_header("Route", want);
	bed.a.log[0] = '\0';
}

/* request_address: 0 goes back to the socket, whatever the Contact says; 2 follows it. */
static void test_request_address(void **state)
{
	static struct raw other;
	const char *inv;
	char text[8192], *p;

	raw_open(&other, 14);
	for (int method = 0; method <= 2; method += 2) {
		bed.a.config.request_address = method;
		inv = invite(1);
		span_copy(span_of(inv), text, sizeof(text));
		p = raw.host;
		/* The Contact written by raw_answer is of raw.host: lend it the other's. */
		char mine[32];
		memcpy(mine, raw.host, sizeof(mine));
		memcpy(raw.host, other.host, sizeof(other.host));
		raw_answer(&raw, text, "200 OK", "f1", "", sdp_text(101));
		memcpy(raw.host, mine, sizeof(mine));
		assert_ptr_equal(p, raw.host);
		raw_expect(method == 0 ? &raw : &other, "ACK sip:raw@");
		assert_non_null(strstr(method == 0 ? raw.text : other.text, other.host));
		sip_session_release(&bed.a.s);
		raw_expect(method == 0 ? &raw : &other, "BYE ");
		bed.a.log[0] = '\0';
	}
	raw_close(&other);
}

/* A Contact that is a name, and no resolver: back to where it came from. */
static void test_contact_name(void **state)
{
	const char *inv = invite(1);
	char mine[32];

	memcpy(mine, raw.host, sizeof(mine));
	snprintf(raw.host, sizeof(raw.host), "gw.example.invalid");
	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	memcpy(raw.host, mine, sizeof(mine));
	raw_expect(&raw, "ACK sip:raw@gw.example.invalid:");
	bed.a.log[0] = '\0';
}

/* The dialog breaks before the answer: CANCEL, and the 2xx that crosses it is ACKed and BYEd. */
static void test_early_dialog_gone(void **state)
{
	static char inv[8192];
	char reason[512];

	span_copy(span_of(invite(1)), inv, sizeof(inv));
	raw_answer(&raw, inv, "183 Progress", "f1",
		   "Require: 100rel\r\nRSeq: 1\r\nAllow: UPDATE\r\n", sdp_text(101));
	raw_expect(&raw, "PRACK ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
	raw_expect(&raw, "UPDATE ");
	raw_answer(&raw, raw.text, "408 Late", NULL, "", "");
	expect(&bed.a, "progress:183+101 result:408 ended:6");
	raw_expect(&raw, "CANCEL ");
	assert_string_equal(raw_header(raw.text, "Reason", reason),
			    "SIP;cause=408;text=\"no answer within the dialog\"");
	raw_answer(&raw, raw.text, "200 OK", "f1", "", "");
	raw_answer(&raw, inv, "200 OK", "f1", "", "");
	raw_expect(&raw, "ACK ");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

/* ---- a next hop that is a name ---------------------------------------------------------------- */

static int dns_fd;

static int dns_setup(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(BED_PORT) };
	char host[32], server[64];

	bed_host(host, 15);
	inet_pton(AF_INET, host, &in.sin_addr);
	dns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(dns_fd, (struct sockaddr *)&in, sizeof(in)), 0);
	snprintf(server, sizeof(server), "%s:%d", host, BED_PORT);
	bed_open(server);
	raw_open(&raw, 13);
	return 0;
}

static int dns_teardown(void **state)
{
	close(dns_fd);
	return teardown(state);
}

/* Answer one question with an address, or with "no such name". */
static void dns_answer(const char *host)
{
	unsigned char m[512], rr[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 0, 0, 0, 0 };
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n = -1;

	for (int i = 0; i < 200 && n < 0; i++) {
		loop_turn(&bed.loop, 5 * MSEC);
		n = recvfrom(dns_fd, m, sizeof(m) - sizeof(rr), 0, (struct sockaddr *)&from, &size);
	}
	assert_true(n > 12);
	m[2] = 0x84;
	m[3] = host ? 0 : 3;
	m[7] = host ? 1 : 0;
	m[11] = 0;
	for (n = 12; m[n]; n += m[n] + 1)
		continue;
	n += 5; /* end of name, type, class: the question alone */
	if (host) {
		inet_pton(AF_INET, host, rr + 12);
		memcpy(m + n, rr, sizeof(rr));
		n += sizeof(rr);
	}
	sendto(dns_fd, m, (size_t)n, 0, (struct sockaddr *)&from, size);
}

static void answer_with_name(const char *name)
{
	static char text[8192];
	char mine[32];

	span_copy(span_of(invite(1)), text, sizeof(text));
	memcpy(mine, raw.host, sizeof(mine));
	snprintf(raw.host, sizeof(raw.host), "%s", name);
	raw_answer(&raw, text, "200 OK", "f1", "", sdp_text(101));
	memcpy(raw.host, mine, sizeof(mine));
	expect(&bed.a, "answer:200+101");
}

/* ACK, INFO and BYE wait for the name, and go there in that order. */
static void test_name_resolved(void **state)
{
	static struct raw other;

	raw_open(&other, 14);
	answer_with_name("gw.example.net");
	assert_int_equal(
		sip_session_request(bed.a.s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, &bed.a), 0);
	sip_session_end(bed.a.s, SPAN_NONE);
	assert_int_equal(raw_count(&raw, "", 30), 0);
	dns_answer(other.host);
	raw_expect(&other, "ACK sip:raw@gw.example.net:");
	raw_expect(&other, "INFO sip:raw@gw.example.net:");
	raw_expect(&other, "BYE sip:raw@gw.example.net:");
	raw_answer(&other, other.text, "200 OK", NULL, "", "");
	raw_close(&other);
}

static void test_name_not_found(void **state)
{
	answer_with_name("nowhere.example.net");
	assert_int_equal(raw_count(&raw, "ACK", 30), 0);
	dns_answer(NULL);
	raw_expect(&raw, "ACK sip:raw@nowhere.example.net:");
}

static void test_released_while_resolving(void **state)
{
	answer_with_name("slow.example.net");
	sip_session_release(&bed.a.s);
	run_ms(20);
	dns_answer(raw.host);
	raw_expect(&raw, "ACK ");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

#define CHALLENGE(realm, nonce, more)                                                              \
	"Digest realm=\"" realm "\", nonce=\"" nonce "\", algorithm=MD5, qop=\"auth\"" more "\r\n"

static void test_digest(void **state)
{
	const char *inv;
	char auth[512], call_id[512], other[512];

	bed.a.config.user = "alice";
	bed.a.config.password = "secret";
	inv = invite(1);
	raw_header(inv, "Call-ID", call_id);
	raw_answer(&raw, inv, "407 Auth", "x1", "Proxy-Authenticate: " CHALLENGE("p", "n1", ""),
		   "");
	raw_expect(&raw, "ACK ");
	raw_expect(&raw, "INVITE ");
	expect_header("CSeq", "2 INVITE");
	assert_string_equal(raw_header(raw.text, "Call-ID", other), call_id);
	assert_non_null(
		strstr(raw_header(raw.text, "Proxy-Authorization", auth), "username=\"alice\""));
	/* Only the nonce was old: once more. */
	raw_answer(&raw, raw.text, "407 Auth", "x2",
		   "Proxy-Authenticate: " CHALLENGE("p", "n2", ", stale=true"), "");
	raw_expect(&raw, "INVITE ");
	assert_non_null(strstr(raw_header(raw.text, "Proxy-Authorization", auth), "nonce=\"n2\""));
	/* Then the far end asks too: both lines. */
	raw_answer(&raw, raw.text, "401 Auth", "x3", "WWW-Authenticate: " CHALLENGE("u", "n3", ""),
		   "");
	raw_expect(&raw, "INVITE ");
	assert_non_null(strstr(raw_header(raw.text, "Proxy-Authorization", auth), "nc=00000002"));
	assert_non_null(strstr(raw_header(raw.text, "Authorization", auth), "realm=\"u\""));
	raw_answer(&raw, raw.text, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	expect_header("CSeq", "4 ACK");
	assert_string_equal(raw_header(raw.text, "Authorization", other), auth); /* 13.2.2.4 */
	expect(&bed.a, "answer:200+101");
	/* A request in the dialog is challenged as well. */
	sip_session_end(bed.a.s, SPAN_NONE);
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "401 Auth", NULL, "WWW-Authenticate: " CHALLENGE("u", "n4", ""),
		   "");
	raw_expect(&raw, "BYE ");
	expect_header("CSeq", "6 BYE");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

/* A server that calls every nonce stale is humoured so often and no longer. */
static void test_digest_too_often(void **state)
{
	const char *inv;

	bed.a.config.user = "alice";
	bed.a.config.password = "secret";
	inv = invite(1);
	for (int i = 0; i < 3; i++) {
		raw_answer(&raw, i ? raw.text : inv, "407 Auth", "x1",
			   "Proxy-Authenticate: " CHALLENGE("p", "n1", ", stale=true"), "");
		raw_expect(&raw, "ACK ");
		raw_expect(&raw, "INVITE ");
	}
	raw_answer(&raw, raw.text, "407 Auth", "x2",
		   "Proxy-Authenticate: " CHALLENGE("p", "n2", ", stale=true"), "");
	expect(&bed.a, "failed:407");
	raw_expect(&raw, "ACK ");
}

static void test_digest_refused(void **state)
{
	const char *inv;

	bed.a.config.user = "alice";
	bed.a.config.password = "wrong";
	inv = invite(1);
	raw_answer(&raw, inv, "401 Auth", "x1", "WWW-Authenticate: " CHALLENGE("u", "n1", ""), "");
	raw_expect(&raw, "INVITE ");
	raw_answer(&raw, raw.text, "401 Auth", "x2", "WWW-Authenticate: " CHALLENGE("u", "n2", ""),
		   "");
	expect(&bed.a, "failed:401");
}

static void test_422(void **state)
{
	const char *inv;

	bed.a.config.session_expires_s = 100;
	inv = invite(1);
	assert_non_null(strstr(inv, "\r\nSession-Expires: 100\r\nMin-SE: 90\r\n"));
	raw_answer(&raw, inv, "422 Too small", "x1", "Min-SE: 500\r\n", "");
	raw_expect(&raw, "INVITE ");
	expect_header("Session-Expires", "500");
	expect_header("Min-SE", "500");
	expect_header("CSeq", "2 INVITE");
	raw_answer(&raw, raw.text, "422 Too small", "x2", "Min-SE: 500\r\n",
		   ""); /* asks for what it got */
	expect(&bed.a, "failed:422");
}

static void test_failures(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "302 Moved", "x1", "", "");
	expect(&bed.a, "failed:302");
	sip_session_release(&bed.a.s);
	assert_int_equal(dial(NET_UDP, "127.0.0.1", 1), 0); /* nobody listens there */
	expect(&bed.a, "failed:111");
	sip_session_release(&bed.a.s);
	invite(1);
	run_ms(64 * BED_T1_MS);
	expect(&bed.a, "failed:110");
}

/* CANCEL waits for a provisional (9.1); then the peer ignores it. */
static void test_cancel_before_provisional(void **state)
{
	const char *inv = invite(1);

	sip_session_release(&bed.a.s);
	assert_int_equal(raw_count(&raw, "CANCEL ", 50), 0);
	raw_answer(&raw, inv, "100 Trying", NULL, "", "");
	raw_expect(&raw, "CANCEL ");
	raw_answer(&raw, raw.text, "200 OK", "x", "", "");
	raw_answer(&raw, inv, "487 Terminated", "x", "", "");
	raw_expect(&raw, "ACK ");
}

static void test_multipart(void **state)
{
	const char *inv = invite(1);
	static char out[4096];
	char body[1024], via[512], from[512], to[512], id[512];

	snprintf(body, sizeof(body),
		 "preamble\r\n--b=1\r\nContent-Type: text/plain\r\n\r\nv=0 no\r\n--b=1\r\n"
		 "Content-Disposition: session\r\ncontent-type: "
		 "application/SDP\r\n\r\n%s\r\n--b=1--\r\n",
		 sdp_text(105));
	snprintf(out, sizeof(out),
		 "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=f1\r\nCall-ID: %s\r\nCSeq: 1 "
		 "INVITE\r\n"
		 "Contact: <sip:raw@%s:%d>\r\nContent-Type: "
		 "multipart/mixed;boundary=\"b=1\"\r\nContent-Length: %zu\r\n\r\n%s",
		 raw_header(inv, "Via", via), raw_header(inv, "From", from),
		 raw_header(inv, "To", to), raw_header(inv, "Call-ID", id), raw.host, BED_PORT,
		 strlen(body), body);
	raw_send(&raw, out);
	expect(&bed.a, "answer:200+105");
}

/* Requests of theirs in the dialog: CSeq order, foreign tags, other Call-ID, 481 after the end. */
static void test_requests_checked(void **state)
{
	const char *inv = invite(1);
	char id[512], *tag = bed.a.s->tag;

	raw_header(inv, "Call-ID", id);
	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	expect(&bed.a, "answer:200+101");
	raw_request(&raw, "OPTIONS", id, "f1", tag, 50, "", "");
	raw_expect(&raw, "SIP/2.0 200");
	raw_request(&raw, "OPTIONS", id, "f1", tag, 49, "", "");
	raw_expect(&raw, "SIP/2.0 500");
	raw_request(&raw, "OPTIONS", id, "f2", tag, 51, "", "");
	raw_expect(&raw, "SIP/2.0 481");
	raw_request(&raw, "OPTIONS", "other", "f1", tag, 52, "", "");
	raw_expect(&raw, "SIP/2.0 481");
	raw_request(&raw, "PRACK", id, "f1", tag, 53, "RAck: 1 1 INVITE\r\n", "");
	raw_expect(&raw, "SIP/2.0 481");
	raw_request(&raw, "BYE", id, "f1", tag, 54, "", "");
	raw_expect(&raw, "SIP/2.0 200");
	expect(&bed.a, "bye");
	raw_request(&raw, "INFO", id, "f1", tag, 55, "", "");
	raw_expect(&raw, "SIP/2.0 481");
	raw_request(&raw, "BYE", id, "f1", tag, 56, "", "");
	raw_expect(&raw, "SIP/2.0 200");
}

/* 12.2.1.2. */
static void test_dialog_gone(void **state)
{
	const char *inv = invite(1);

	raw_answer(&raw, inv, "200 OK", "f1", "", sdp_text(101));
	raw_expect(&raw, "ACK ");
	assert_int_equal(
		sip_session_request(bed.a.s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, &bed.a), 0);
	raw_expect(&raw, "INFO ");
	raw_answer(&raw, raw.text, "481 Gone", NULL, "", "");
	expect(&bed.a, "answer:200+101 reqresult:481 ended:6");
	assert_int_equal(raw_count(&raw, "BYE ", 30), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_repeated_2xx, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_forks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reliable_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_2xx_without_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_2xx_after_preview, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_offer_2xx_without_sdp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loose_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strict_route, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contact_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_dialog_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_resolved, dns_setup, dns_teardown),
		cmocka_unit_test_setup_teardown(test_name_not_found, dns_setup, dns_teardown),
		cmocka_unit_test_setup_teardown(test_released_while_resolving, dns_setup,
						dns_teardown),
		cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digest_too_often, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digest_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_422, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel_before_provisional, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multipart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dialog_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
