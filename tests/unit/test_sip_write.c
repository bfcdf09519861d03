/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing requests and responses. */
#include "sip_help.h"

static struct sip_msg msg;
static const char *why;

static void assert_text(struct net_buf *buf, const char *wanted)
{
	assert_non_null(buf);
	assert_span((struct span){ buf->data, buf->len }, wanted);
	net_buf_unref(&buf);
}

static void test_request(void **state)
{
	struct sip_writer w;

	(void)state;
	sip_write_begin(&w, 1000);
	sip_write_request_line(&w, SPAN("INVITE"), SPAN("sip:b@h"));
	sip_write_header(&w, SIP_H_CALL_ID, SPAN("abc"));
	sip_write_headerf(&w, SIP_H_CSEQ, "%u %s", 18446744u, "INVITE");
	SIP_PUT(&w, "X: ");
	sip_putu(&w, 0);
	SIP_PUT(&w, " ");
	sip_putu(&w, UINT64_MAX);
	sip_puts(&w, NULL);
	sip_putf(&w, " %c\r\n", 'z');
	assert_text(sip_finish(&w, "text/plain", SPAN("hello")),
		    "INVITE sip:b@h SIP/2.0\r\nCall-ID: abc\r\nCSeq: 18446744 INVITE\r\n"
		    "X: 0 18446744073709551615 z\r\nContent-Type: text/plain\r\nContent-Length: "
		    "5\r\n\r\nhello");
}

/* Too small by one byte fails, just large enough does not, wherever the end falls. */
static void test_overflow(void **state)
{
	struct sip_writer w;
	bool fitted = false;

	(void)state;
	sip_write_begin(&w, 64);
	while (!w.failed)
		sip_put(&w, SPAN("0123456789"));
	assert_true(w.p <= w.buf->data + w.buf->size);
	assert_null(sip_finish(&w, NULL, SPAN_NONE));
	for (unsigned room = 0; room < 40; room++) {
		struct net_buf *buf;

		sip_write_begin(&w, 64);
		w.end = w.p + room;
		sip_putf(&w, "%s", "abcde");
		sip_write_headerf(&w, SIP_H_TO, "%d", 1);
		buf = sip_finish(&w, NULL, SPAN_NONE);
		assert_int_equal(buf != NULL,
				 room >= sizeof("abcdeTo: 1\r\nContent-Length: 0\r\n\r\n") - 1);
		fitted |= buf != NULL;
		if (buf)
			net_buf_unref(&buf);
	}
	assert_true(fitted);
	sip_write_begin(&w, NET_MSG_MAX + 1);
	assert_true(w.failed);
	sip_puts(&w, "x");
	assert_null(sip_finish(&w, NULL, SPAN_NONE));
}

static void test_no_forged_lines(void **state)
{
	struct sip_writer w;

	(void)state;
	for (int i = 0; i < 4; i++) {
		sip_write_begin(&w, 500);
		if (i == 0)
			sip_write_header(&w, SIP_H_SUBJECT, SPAN("a\r\nRoute: <sip:evil>"));
		else if (i == 1)
			sip_write_headerf(&w, SIP_H_SUBJECT, "%s", "a\nb");
		else if (i == 2)
			sip_write_request_line(&w, SPAN("INVITE"), SPAN("sip:a\rb"));
		else
			sip_write_header(&w, SIP_H_SUBJECT, SPAN("a b"));
		assert_int_equal(w.failed, i < 3);
		w.failed = true;
		assert_null(sip_finish(&w, NULL, SPAN_NONE));
	}
}

#define REST "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>%s\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"

/* RFC 3261 18.2.1 and RFC 3581 4: what becomes of the Via lines. */
static void test_via(void **state)
{
	static const struct {
		const char *peer, *request, *response;
	} cases[] = {
		{ "192.0.2.1:5060", "Via: SIP/2.0/UDP 192.0.2.1;branch=z\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1;branch=z\r\n" },
		{ "192.0.2.1:7000", "Via: SIP/2.0/UDP 192.0.2.1;branch=z\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1;branch=z\r\n" },
		{ "192.0.2.9:5060", "Via: SIP/2.0/UDP 192.0.2.1;branch=z\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1;branch=z;received=192.0.2.9\r\n" },
		{ "192.0.2.9:5060", "Via: SIP/2.0/UDP pbx.example\r\n",
		  "Via: SIP/2.0/UDP pbx.example;received=192.0.2.9\r\n" },
		{ "192.0.2.1:7000", "v: SIP/2.0/UDP 192.0.2.1 ; rport ; branch=z\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1; branch=z;received=192.0.2.1;rport=7000\r\n" },
		{ "192.0.2.1:7000",
		  "Via: SIP/2.0/UDP 192.0.2.1;rport=1;received=6.6.6.6;x=\"a;b\";branch=z\r\n",
		  "Via: SIP/2.0/UDP "
		  "192.0.2.1;x=\"a;b\";branch=z;received=192.0.2.1;rport=7000\r\n" },
		{ "192.0.2.1:7000",
		  "Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z , SIP/2.0/TCP c;rport;branch=y\r\n"
		  "Via: SIP/2.0/UDP d;received=1.1.1.1;rport\r\nv:SIP/2.0/UDP\te\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1;branch=z;received=192.0.2.1;rport=7000, SIP/2.0/TCP "
		  "c;rport;branch=y\r\n"
		  "Via: SIP/2.0/UDP d;received=1.1.1.1;rport\r\nVia: SIP/2.0/UDP\te\r\n" },
		{ "[2001:db8::1]:5060", "Via: SIP/2.0/UDP [2001:DB8:0::1];branch=z\r\n",
		  "Via: SIP/2.0/UDP [2001:DB8:0::1];branch=z\r\n" },
		{ "[2001:db8::2]:5060", "Via: SIP/2.0/UDP [2001:db8::1];rport;branch=z\r\n",
		  "Via: SIP/2.0/UDP [2001:db8::1];branch=z;received=2001:db8::2;rport=5060\r\n" },
		{ "192.0.2.9:5060", "Via: SIP/2.0/UDP 192.0.2.1;;broken\r\n",
		  "Via: SIP/2.0/UDP 192.0.2.1;;broken;received=192.0.2.9\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_flow flow = flow_from(cases[i].peer);
		struct buf text = BUF_INIT(4096), wanted = BUF_INIT(4096);
		struct sip_writer w;
		struct net_buf *buf;

		buf_addf(&text, "INVITE sip:b@h SIP/2.0\r\n%s" REST "\r\n", cases[i].request, "");
		buf = buf_of(text.p, text.len);
		sip_msg_parse(&msg, buf, false, &why);
		sip_write_begin(&w, 2048);
		sip_write_response_head(&w, &msg, &flow, 200, NULL, SPAN("t"));
		buf_addf(&wanted, "SIP/2.0 200 OK\r\n%s" REST "Content-Length: 0\r\n\r\n",
			 cases[i].response, ";tag=t");
		assert_text(sip_finish(&w, NULL, SPAN_NONE), buf_cstr(&wanted));
		buf_free(&text);
		buf_free(&wanted);
		net_buf_unref(&buf);
	}
}

static struct net_buf *respond(const char *request, int status, const char *reason, const char *tag)
{
	struct net_flow flow = flow_from("192.0.2.1:5060");
	struct net_buf *buf = buf_of_str(request);
	struct sip_writer w;

	sip_msg_parse(&msg, buf, false, &why);
	sip_write_begin(&w, 2048);
	sip_write_response_head(&w, &msg, &flow, status, reason, span_of(tag));
	sip_write_record_routes(&w, &msg);
	net_buf_unref(&buf);
	return sip_finish(&w, NULL, SPAN_NONE);
}

static void test_head(void **state)
{
	static const char request[] =
		"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nTimestamp: 54\r\n"
		"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nTo: <sip:b@h>\r\nRecord-Route: "
		"<sip:p3>\r\n"
		"From: <sip:a@h>;tag=1\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n";

	(void)state;
	assert_text(respond(request, 100, NULL, "t"),
		    "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nFrom: "
		    "<sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
		    "Call-ID: x\r\nCSeq: 1 INVITE\r\nTimestamp: 54\r\nRecord-Route: <sip:p1;lr>, "
		    "<sip:p2;lr>\r\n"
		    "Record-Route: <sip:p3>\r\nContent-Length: 0\r\n\r\n");
	assert_text(respond("BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nTo: "
			    "<sip:b@h>;tag=9\r\nCSeq: 2 BYE\r\n\r\n",
			    400, "Not Like That", "t"),
		    "SIP/2.0 400 Not Like That\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nTo: "
		    "<sip:b@h>;tag=9\r\nCSeq: 2 BYE\r\n"
		    "Content-Length: 0\r\n\r\n");
}

static void test_phrases(void **state)
{
	(void)state;
	assert_string_equal(sip_reason_phrase(486), "Busy Here");
	assert_string_equal(sip_reason_phrase(100), "Trying");
	assert_string_equal(sip_reason_phrase(608), "Rejected");
	assert_non_null(sip_reason_phrase(699));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_no_forged_lines),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_phrases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
