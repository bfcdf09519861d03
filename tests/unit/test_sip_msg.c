/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parsing whole messages, the header table, and the small decoders. */
#include "sip_help.h"

static struct sip_msg msg;
static const char *why;

#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK77\r\n"
#define TO "To: <sip:b@example.net>\r\n"
#define FROM "From: \"A\" <sip:a@example.com>;tag=11\r\n"
#define CID "Call-ID: abc@192.0.2.1\r\n"
#define CSEQ "CSeq: 7 INVITE\r\n"
#define INVITE "INVITE sip:b@example.net SIP/2.0\r\n"
#define HEAD VIA TO FROM CID CSEQ
#define END "Content-Length: 0\r\n\r\n"

static void test_fields(void **state)
{
	struct net_buf *buf =
		buf_of_str("\r\n\r\n" INVITE VIA "Max-Forwards: 069\r\n" TO FROM
			   "Call-ID:\r\n\t abc@192.0.2.1  \r\n" CSEQ "X-Own: one\r\nx-own: two\r\n"
			   "c: text/plain\r\nContent-Length: 3\r\n\r\nabcdef");

	(void)state;
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	assert_true(msg.request);
	assert_int_equal(msg.method, SIP_INVITE);
	assert_span(sip_str(&msg, msg.method_name), "INVITE");
	assert_span(sip_str(&msg, msg.uri), "sip:b@example.net");
	assert_span(sip_str(&msg, msg.body), "abc");
	assert_int_equal(msg.len, buf->len - 4 - 3);
	assert_span(msg.via.transport, "UDP");
	assert_span(msg.via.host, "192.0.2.1");
	assert_int_equal(msg.via.port, 5070);
	assert_span(msg.via.branch, "z9hG4bK77");
	assert_true(msg.via.rport);
	assert_int_equal(msg.via.received.len, 0);
	assert_span(msg.call_id, "abc@192.0.2.1");
	assert_span(msg.from_tag, "11");
	assert_int_equal(msg.to_tag.len, 0);
	assert_int_equal(msg.cseq, 7);
	assert_int_equal(msg.max_forwards, 69);
	assert_span(sip_header(&msg, SIP_H_CONTENT_TYPE), "text/plain");
	assert_span(sip_header_named(&msg, "X-OWN"), "one");
	assert_span(sip_header_named(&msg, "call-id"), "abc@192.0.2.1");
	assert_null(sip_header(&msg, SIP_H_ROUTE).p);
	assert_null(sip_header_named(&msg, "X-Other").p);
	net_buf_unref(&buf);
}

static void test_response(void **state)
{
	struct net_buf *buf = buf_of_str("SIP/2.0 183 Session Progress\r\n" VIA TO FROM CID
					 "CSeq: 7 FOO\r\n\r\n");

	(void)state;
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	assert_false(msg.request);
	assert_int_equal(msg.status, 183);
	assert_span(sip_str(&msg, msg.reason), "Session Progress");
	assert_int_equal(msg.method, SIP_METHOD_OTHER);
	assert_span(sip_str(&msg, msg.method_name), "FOO");
	assert_int_equal(msg.max_forwards, -1);
	net_buf_unref(&buf);
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *text;
		bool stream;
		int verdict;
		const char *why;
	} cases[] = {
		{ INVITE HEAD END, false, 0, NULL },
		{ INVITE HEAD END, true, 0, NULL },
		{ INVITE HEAD "\r\n", false, 0, NULL },
		{ INVITE HEAD "\r\n", true, 400, "Content-Length: missing" },
		{ INVITE HEAD END "x", false, 0, NULL },
		{ INVITE HEAD END "x", true, 400, "Content-Length: less than arrived" },
		{ INVITE HEAD "l: 1\r\n\r\n", false, 400, "Content-Length: more than arrived" },
		{ INVITE HEAD "l: 4294967296\r\n\r\n", false, 400, "Content-Length: not a number" },
		{ INVITE HEAD "l: \r\n\r\n", false, 400, "Content-Length: not a number" },
		{ INVITE HEAD "l: 0\r\nContent-Length: 0\r\n\r\n", false, 400,
		  "Content-Length: twice" },
		{ INVITE HEAD "Max-Forwards: 256\r\n\r\n", false, 400,
		  "Max-Forwards: not 0 to 255" },
		{ INVITE HEAD "Max-Forwards: 0\r\n\r\n", false, 0, NULL },
		{ INVITE HEAD "Max-Forwards: 1\r\nmax-forwards: 1\r\n\r\n", false, 400,
		  "Max-Forwards: twice" },
		{ INVITE HEAD, false, 400, "no empty line after the headers" },
		{ INVITE HEAD "X: y", false, 400, "no empty line after the headers" },
		{ INVITE HEAD "X: y\r\n z", false, 400, "no empty line after the headers" },
		{ INVITE HEAD "no colon\r\n\r\n", false, 400, "header line without a name" },
		{ INVITE HEAD ": nameless\r\n\r\n", false, 400, "header line without a name" },
		{ INVITE HEAD "X: a\rVia: b\r\n\r\n", false, 400, "CR without LF" },
		{ INVITE TO FROM CID CSEQ END, false, -EBADMSG, "Via: missing" },
		{ INVITE "Via: SIP/2.0/UDP\r\n" TO FROM CID CSEQ END, false, -EBADMSG,
		  "Via: cannot be read" },
		{ INVITE "Via: SIP/2.0/UDP h;\r\n" TO FROM CID CSEQ END, false, 400,
		  "Via: cannot be read" },
		{ INVITE "Via: SIP/2.0/UDP 2001:db8::1\r\n" TO FROM CID CSEQ END, false, -EBADMSG,
		  "Via: cannot be read" },
		{ INVITE "Via: SIP/2.0/UDP h:65536\r\n" TO FROM CID CSEQ END, false, -EBADMSG,
		  "Via: cannot be read" },
		{ INVITE VIA FROM CID CSEQ END, false, 400, "To: missing" },
		{ INVITE HEAD TO END, false, 400, "To: twice" },
		{ INVITE VIA TO CID CSEQ END, false, 400, "From: missing" },
		{ INVITE VIA TO FROM CSEQ END, false, 400, "Call-ID: missing" },
		{ INVITE VIA TO FROM CSEQ "i:\r\n\r\n", false, 400, "Call-ID: empty" },
		{ INVITE VIA TO FROM CSEQ "i: a b\r\n\r\n", false, 400, "Call-ID: blank inside" },
		{ INVITE VIA TO FROM CID END, false, 400, "CSeq: missing" },
		{ INVITE VIA TO FROM CID "CSeq: INVITE\r\n" END, false, 400, "CSeq: no number" },
		{ INVITE VIA TO FROM CID "CSeq: 7\r\n" END, false, 400, "CSeq: no method" },
		{ INVITE VIA TO FROM CID "CSeq: 7INVITE\r\n" END, false, 400, "CSeq: no method" },
		{ INVITE VIA TO FROM CID "CSeq: 7 invite\r\n" END, false, 400,
		  "CSeq: other method than the start line" },
		{ INVITE VIA TO FROM CID "CSeq: 2147483648 INVITE\r\n" END, false, 400,
		  "CSeq: number over 2^31-1" },
		{ INVITE VIA TO FROM CID "CSeq: 2147483647 INVITE\r\n" END, false, 0, NULL },
		{ INVITE HEAD "Contact: *\r\n" END, false, 0, NULL },
		{ INVITE HEAD "Contact: <sip:a@b>, \"x, y\" <sip:c@d;p>;q=1, sip:e@f;z\r\n" END,
		  false, 0, NULL },
		{ INVITE HEAD "Contact: <sip:a@b>, c\r\n" END, false, 400,
		  "Contact: cannot be read" },
		{ INVITE HEAD "Contact: <sip:a@b>\r\nm: <sip:a b>\r\n" END, false, 400,
		  "Contact: cannot be read" },
		{ INVITE HEAD "Contact:\r\n" END, false, 400, "Contact: cannot be read" },
		{ "INVITE  sip:b@example.net SIP/2.0\r\n" HEAD END, false, 400, NULL },
		{ "INVITE sip:b@example.net SIP/2.0 \r\n" HEAD END, false, 400, NULL },
		{ "INVITE sip:b@example.net\r\n" HEAD END, false, 400,
		  "start line: no SIP version" },
		{ "INVITE sip:b@example.net HTTP/1.1\r\n" HEAD END, false, 400,
		  "start line: no SIP version" },
		{ "INVITE sip:b@example.net sip/2.0\r\n" HEAD END, false, 0, NULL },
		{ "INVITE sip:b@example.net SIP/3.0\r\n" HEAD END, false, 505,
		  "start line: not SIP/2.0" },
		{ "INVITE sip:b@example.net SIP/20\r\n" HEAD END, false, 400,
		  "start line: no SIP version" },
		{ "INVITE example.net SIP/2.0\r\n" HEAD END, false, 400,
		  "Request-URI: cannot be read" },
		{ "INVITE sip:b@example.net?a=b SIP/2.0\r\n" HEAD END, false, 400,
		  "Request-URI: header part not allowed" },
		{ "INVITE tel:+3161234;phone-context=x SIP/2.0\r\n" HEAD END, false, 0, NULL },
		{ "INVITE urn:service:sos SIP/2.0\r\n" HEAD END, false, 0, NULL },
		{ "ACK sip:b SIP/3.0\r\n" HEAD END, false, -EBADMSG, "start line: not SIP/2.0" },
		{ "SIP/2.0 99 x\r\n" HEAD END, false, -EBADMSG,
		  "start line: status not 100 to 699" },
		{ "SIP/2.0 700 x\r\n" HEAD END, false, -EBADMSG,
		  "start line: status not 100 to 699" },
		{ "SIP/2.0 200\r\n" HEAD END, false, 0, NULL },
		{ "SIP/3.0 200 OK\r\n" HEAD END, false, -EBADMSG, "start line: not SIP/2.0" },
		{ "", false, -EBADMSG, "empty message" },
		{ "\r\n\r\n", false, -EBADMSG, "empty message" },
		{ "jaK", false, -EBADMSG, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_buf *buf = buf_of_str(cases[i].text);
		int verdict;

		why = NULL;
		verdict = sip_msg_parse(&msg, buf, cases[i].stream, &why);
		if (verdict != cases[i].verdict ||
		    (cases[i].why && (!why || strcmp(why, cases[i].why))))
			fail_msg("case %zu: %d \"%s\" instead of %d \"%s\" for\n%s", i, verdict,
				 why ? why : "", cases[i].verdict, cases[i].why ? cases[i].why : "",
				 cases[i].text);
		net_buf_unref(&buf);
	}
}

/* A refused request keeps what an answer needs, and nothing in it can forge a line. */
static void test_refused_is_answerable(void **state)
{
	struct net_buf *buf = buf_of_str(INVITE "CSeq: 99999999999 INVITE\r\nX: a\rb\r\n" CID
						"To: <sip:b@example.net>;tag=5\r\n" VIA FROM END);

	(void)state;
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 400);
	assert_span(msg.via.host, "192.0.2.1");
	assert_span(msg.call_id, "abc@192.0.2.1");
	assert_span(msg.to_tag, "5");
	assert_span(sip_header(&msg, SIP_H_CSEQ), "99999999999 INVITE");
	assert_span(sip_header_named(&msg, "X"), "a b");
	net_buf_unref(&buf);
}

static void test_too_many_headers(void **state)
{
	struct buf text = BUF_INIT(65535);
	struct net_buf *buf;

	(void)state;
	buf_add_str(&text, INVITE HEAD);
	for (int i = 5; i < SIP_MAX_HEADERS; i++)
		buf_addf(&text, "X-%d: %d\r\n", i, i);
	buf_add_str(&text, "\r\n");
	buf = buf_of(text.p, text.len);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	assert_int_equal(msg.n_headers, SIP_MAX_HEADERS);
	assert_span(sip_header_named(&msg, "X-127"), "127");
	net_buf_unref(&buf);
	text.len -= 2;
	buf_add_str(&text, "X-128: 128\r\n\r\n");
	buf = buf_of(text.p, text.len);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 400);
	assert_string_equal(why, "more than 128 headers");
	net_buf_unref(&buf);
	buf_free(&text);
}

/* Every name finds its id, in any case, and so do the compact forms. */
static void test_header_names(void **state)
{
	static const char compact[][2] = { { 'b', SIP_H_REFERRED_BY },
					   { 'c', SIP_H_CONTENT_TYPE },
					   { 'e', SIP_H_CONTENT_ENCODING },
					   { 'f', SIP_H_FROM },
					   { 'i', SIP_H_CALL_ID },
					   { 'k', SIP_H_SUPPORTED },
					   { 'l', SIP_H_CONTENT_LENGTH },
					   { 'm', SIP_H_CONTACT },
					   { 'o', SIP_H_EVENT },
					   { 'r', SIP_H_REFER_TO },
					   { 's', SIP_H_SUBJECT },
					   { 't', SIP_H_TO },
					   { 'v', SIP_H_VIA },
					   { 'x', SIP_H_SESSION_EXPIRES },
					   { 'y', SIP_H_IDENTITY } };
	struct buf text = BUF_INIT(65535);
	struct net_buf *buf;

	(void)state;
	buf_add_str(&text, "OPTIONS sip:h SIP/2.0\r\n");
	for (int id = 1; id < SIP_HEADERS; id++) {
		const char *name = sip_header_name((enum sip_header)id);

		for (size_t i = 0; name[i]; i++)
			buf_add_char(&text, id % 2 ? ascii_lower(name[i]) : name[i]);
		buf_add_str(&text, " : 1\r\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(compact); i++)
		buf_addf(&text, "%c:2\r\n", i % 2 ? compact[i][0] : compact[i][0] - 0x20);
	buf_add_str(&text, "Vib: 3\r\nCalx-ID: 3\r\nz: 3\r\n~ia: 3\r\n\r\n");
	buf = buf_of(text.p, text.len);
	sip_msg_parse(&msg, buf, false, &why);
	assert_int_equal(msg.n_headers, SIP_HEADERS - 1 + ARRAY_SIZE(compact) + 4);
	for (int i = 0; i < SIP_HEADERS - 1; i++)
		assert_int_equal(msg.headers[i].id, i + 1);
	for (size_t i = 0; i < ARRAY_SIZE(compact); i++)
		assert_int_equal(msg.headers[SIP_HEADERS - 1 + i].id, compact[i][1]);
	for (int i = msg.n_headers - 4; i < msg.n_headers; i++)
		assert_int_equal(msg.headers[i].id, SIP_H_OTHER);
	net_buf_unref(&buf);
	buf_free(&text);
}

static void test_methods(void **state)
{
	(void)state;
	for (int m = SIP_INVITE; m < SIP_METHODS; m++)
		assert_int_equal(sip_method_find(span_of(sip_method_name((enum sip_method)m))), m);
	assert_int_equal(sip_method_find(SPAN("invite")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_find(SPAN("INVITES")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_find(SPAN_NONE), SIP_METHOD_OTHER);
}

static void test_values(void **state)
{
	static const char *const wanted[] = { "<sip:a,b@c;lr>", "\"x, \\\" y\" <sip:d>;p=\"1,2\"",
					      "<sip:e>", "<sip:f>" };
	struct net_buf *buf = buf_of_str(
		INVITE HEAD "Route: <sip:a,b@c;lr> , \"x, \\\" y\" <sip:d>;p=\"1,2\",\r\n"
			    "Route:\r\nRoute: ,,<sip:e>,\r\n\t<sip:f>\r\n"
			    "Supported: timer, 100REL\r\nk: x;y\r\n"
			    "Privacy: header; id\r\nAllow: INVITE,ACK\r\n\r\n");
	struct sip_values it = { 0 };

	(void)state;
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_true(sip_next_value(&msg, SIP_H_ROUTE, &it));
		assert_span(it.value, wanted[i]);
	}
	assert_false(sip_next_value(&msg, SIP_H_ROUTE, &it));
	assert_false(sip_next_value(&msg, SIP_H_ROUTE, &it));
	it = (struct sip_values){ 0 };
	assert_false(sip_next_value(&msg, SIP_H_PATH, &it));
	assert_false(sip_next_value(&msg, SIP_H_PATH, &it));
	assert_true(sip_lists(&msg, SIP_H_SUPPORTED, "100rel"));
	assert_true(sip_lists(&msg, SIP_H_SUPPORTED, "x"));
	assert_false(sip_lists(&msg, SIP_H_SUPPORTED, "100"));
	assert_false(sip_lists(&msg, SIP_H_SUPPORTED, "y"));
	assert_false(sip_lists(&msg, SIP_H_REQUIRE, "timer"));
	assert_true(sip_lists(&msg, SIP_H_PRIVACY, "id"));
	assert_true(sip_lists(&msg, SIP_H_ALLOW, "ACK"));
	net_buf_unref(&buf);
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *header;
		uint32_t seconds;
	} rows[] = {
		{ "Retry-After: 60\r\n", 60 },
		{ "Retry-After:  0\r\n", 0 },
		{ "Retry-After: 120 (I'm in a meeting)\r\n", 120 },
		{ "Retry-After: 18000;duration=3600\r\n", 18000 },
		{ "Retry-After: 99999999999\r\n", UINT32_MAX },
		{ "Retry-After: soon\r\n", 0 },
		{ "Retry-After: 5x\r\n", 0 },
		{ "Retry-After: -5\r\n", 0 },
		{ "Retry-After:\r\n", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];
		struct net_buf *buf;

		snprintf(text, sizeof(text), INVITE HEAD "%s\r\n", rows[i].header);
		buf = buf_of_str(text);
		assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
		assert_int_equal(sip_retry_after(&msg), rows[i].seconds);
		net_buf_unref(&buf);
	}
}

static void test_reason(void **state)
{
	struct net_buf *buf = buf_of_str(
		INVITE HEAD
		"Reason: SIP;cause=480, Q.850;cause=16;text=\"Normal, \\\"really\\\"\"\r\n\r\n");
	struct sip_reason reason;

	(void)state;
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	assert_int_equal(sip_q850(&msg), 16);
	net_buf_unref(&buf);
	assert_int_equal(sip_reason_decode(&reason, SPAN("Q.850 ; text=\"a;b\" ; cause = 34")), 0);
	assert_span(reason.protocol, "Q.850");
	assert_span(reason.text, "a;b");
	assert_int_equal(reason.cause, 34);
	assert_int_equal(sip_reason_decode(&reason, SPAN("SIP;cause=x")), 0);
	assert_int_equal(reason.cause, -1);
	assert_int_equal(sip_reason_decode(&reason, SPAN(";cause=1")), -EBADMSG);
	assert_int_equal(sip_reason_decode(&reason, SPAN("a b;cause=1")), -EBADMSG);
}

static void test_numbers(void **state)
{
	uint32_t seconds = 0, rseq = 0, cseq = 0;
	enum sip_method method = SIP_METHOD_OTHER;
	char refresher = '?';

	(void)state;
	assert_int_equal(
		sip_session_expires_decode(SPAN("1800 ; refresher = UAS"), &seconds, &refresher),
		0);
	assert_int_equal(seconds, 1800);
	assert_int_equal(refresher, 's');
	assert_int_equal(sip_session_expires_decode(SPAN("90"), &seconds, &refresher), 0);
	assert_int_equal(refresher, 0);
	assert_int_equal(sip_session_expires_decode(SPAN("4294967296"), &seconds, &refresher),
			 -EBADMSG);
	assert_int_equal(sip_session_expires_decode(SPAN(""), &seconds, &refresher), -EBADMSG);
	assert_int_equal(seconds, 90);
	assert_int_equal(sip_rack_decode(SPAN("776656 \t1 INVITE"), &rseq, &cseq, &method), 0);
	assert_int_equal(rseq, 776656);
	assert_int_equal(cseq, 1);
	assert_int_equal(method, SIP_INVITE);
	assert_int_equal(sip_rack_decode(SPAN("1 2"), &rseq, &cseq, &method), -EBADMSG);
	assert_int_equal(sip_rack_decode(SPAN("1 2 INVITE x"), &rseq, &cseq, &method), -EBADMSG);
	assert_int_equal(sip_rack_decode(SPAN("-1 2 INVITE"), &rseq, &cseq, &method), -EBADMSG);
	assert_int_equal(sip_rack_decode(SPAN("1 2147483648 INVITE"), &rseq, &cseq, &method),
			 -EBADMSG);
}

/* 60 kB made to be looked at again and again. Were anything quadratic, this would not end in time. */
static void test_hostile_is_linear(void **state)
{
	static const struct {
		const char *head, *unit;
	} cases[] = {
		{ "Reason: Q.850;x", "\\\"" },
		{ "Via: SIP/2.0/UDP h;x=1;\"", "\\\"" },
		{ "Contact: ", "<sip:a>," },
		{ "Route: ", "<\"," },
		{ "X: y", "\r\n z" },
		{ "Via: SIP/2.0/UDP h", ";a=\"b\"" },
		{ "To: \"", "\\\"" },
		{ "Reason: ", "a;\"," },
		{ "Via: SIP/2.0/UDP h;rport", ";\"" },
	};
	struct net_flow flow = flow_from("192.0.2.1:5060");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 20; i++) {
		struct buf text = BUF_INIT(NET_MSG_MAX);
		struct sip_values it = { 0 };
		struct sip_writer w;
		struct net_buf *buf;

		buf_add_str(&text, INVITE);
		buf_add_str(&text, cases[i / 20].head);
		while (text.len < 60000)
			buf_add_str(&text, cases[i / 20].unit);
		buf_add_str(&text, "\r\n" HEAD "\r\n");
		buf = buf_of(text.p, text.len);
		sip_msg_parse(&msg, buf, false, &why);
		sip_q850(&msg);
		while (sip_next_value(&msg, SIP_H_ROUTE, &it))
			;
		sip_write_begin(&w, NET_MSG_MAX);
		sip_write_response_head(&w, &msg, &flow, 400, NULL, SPAN("t"));
		w.failed = true;
		assert_null(sip_finish(&w, NULL, SPAN_NONE));
		sip_classify((struct span){ buf->data, buf->len }, 4);
		net_buf_unref(&buf);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_refused_is_answerable),
		cmocka_unit_test(test_too_many_headers),
		cmocka_unit_test(test_header_names),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hostile_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
