/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must not leave in an export, and that everything else stays byte for byte. */
#include "trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void check(const char *before, const char *after)
{
	struct buf text = BUF_INIT(1 << 16);

	buf_add_str(&text, before);
	trace_mask(text.p, text.len);
	if (strcmp(buf_cstr(&text), after) != 0)
		fail_msg("\n%s\nbecame\n%s\nnot\n%s", before, text.p, after);
	trace_mask(text.p, text.len);
	assert_string_equal(buf_cstr(&text), after);
	buf_free(&text);
}

static void test_digest(void **state)
{
	check("REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"1001\", realm=\"a\", "
	      "nonce=\"9af\", uri=\"sip:a\",\r\n"
	      "  response=\"0123456789abcdef\", cnonce=\"xyz\", nc=00000001, qop=auth, "
	      "algorithm=MD5\r\nCSeq: 1 REGISTER\r\n\r\n",
	      "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"1001\", realm=\"a\", "
	      "nonce=\"***\", uri=\"sip:a\",\r\n"
	      "  response=\"****************\", cnonce=\"***\", nc=00000001, qop=auth, "
	      "algorithm=MD5\r\nCSeq: 1 REGISTER\r\n\r\n");
	check("SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"9af\", "
	      "opaque=\"q\"\r\n",
	      "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"***\", "
	      "opaque=\"*\"\r\n");
	check("Authentication-Info: rspauth=\"ab\", nextnonce = \"cd\"\r\n",
	      "Authentication-Info: rspauth=\"**\", nextnonce = \"**\"\r\n");
	/* A value on the next line, without quotes, in quotes that do not end, with an escape. */
	check("Proxy-Authorization: Digest response=\r\n \"ab\"\r\n",
	      "Proxy-Authorization: Digest response=\r\n \"**\"\r\n");
	check("Authorization:Digest RESPONSE=abc,realm=x\r\n",
	      "Authorization:Digest RESPONSE=***,realm=x\r\n");
	check("Authorization: Digest response=\"abc", "Authorization: Digest response=\"***");
	check("Authorization: Digest response=\"a\\\"bc\", qop=auth",
	      "Authorization: Digest response=\"*****\", qop=auth");
	check("Authorization: Digest realm=\"x, response=abc",
	      "Authorization: Digest realm=\"x, response=***");
}

static void test_credentials(void **state)
{
	check("Authorization: Basic dXNlcjpwYXNz\r\nTo: x\r\n",
	      "Authorization: Basic ************\r\nTo: x\r\n");
	check("proxy-authorization : Bearer\r\n abc def\r\n",
	      "proxy-authorization : Bearer\r\n *** ***\r\n");
	check("Authorization: justone\r\n", "Authorization: *******\r\n");
	check("X-Api-Token: abc\r\nCookie: s=1\r\nX-Number: 123\r\n",
	      "X-Api-Token: ***\r\nCookie: ***\r\nX-Number: 123\r\n");
	check("Contact: <sip:1001:se:cret@127.0.0.1:5060;password=abc>;q=1\r\n",
	      "Contact: <sip:1001:*******@127.0.0.1:5060;password=***>;q=1\r\n");
	check("INVITE sips:a:b@c:5061 SIP/2.0\r\n", "INVITE sips:a:*@c:5061 SIP/2.0\r\n");
	check("To: <sip:127.0.0.1:5060>\r\nFrom: sip:1001@127.0.0.1:5060;tag=1\r\n",
	      "To: <sip:127.0.0.1:5060>\r\nFrom: sip:1001@127.0.0.1:5060;tag=1\r\n");
}

static void test_media_keys(void **state)
{
	check("INVITE sip:a SIP/2.0\r\n\r\nv=0\r\nk=clear:abc\r\na=ice-pwd:xyz\r\n"
	      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc+/=|2^20|1:4;inline:de "
	      "FEC_ORDER=FEC_SRTP\r\n"
	      "a=key-mgmt:mikey AQAF\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 1 RTP/SAVP 0\r\n",
	      "INVITE sip:a SIP/2.0\r\n\r\nv=0\r\nk=clear:***\r\na=ice-pwd:***\r\n"
	      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:******|2^20|1:4;inline:** "
	      "FEC_ORDER=FEC_SRTP\r\n"
	      "a=key-mgmt:***** ****\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 1 RTP/SAVP 0\r\n");
}

static void test_digits(void **state)
{
	check("INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal= "
	      "5\r\nDuration=160\r\n",
	      "INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal= "
	      "*\r\nDuration=160\r\n");
	check("INFO sip:a SIP/2.0\r\nc: application/dtmf\r\nCSeq: 5 INFO\r\n\r\n 12#",
	      "INFO sip:a SIP/2.0\r\nc: application/dtmf\r\nCSeq: 5 INFO\r\n\r\n ***");
	check("INFO sip:a SIP/2.0\nContent-Type: multipart/mixed;boundary=x\n\n--x\nContent-Type: "
	      "application/dtmf\n\n7\n--x\n"
	      "Content-Type: text/plain\n\n7\n--x--\n",
	      "INFO sip:a SIP/2.0\nContent-Type: multipart/mixed;boundary=x\n\n--x\nContent-Type: "
	      "application/dtmf\n\n*\n--x\n"
	      "Content-Type: text/plain\n\n7\n--x--\n");
}

static void test_nothing(void **state)
{
	trace_mask(NULL, 0);
	check("", "");
	check("\r\n\r\n", "\r\n\r\n");
	check("inline:abc\r\nnonce\r\n=\r\n:\r\n", "inline:abc\r\nnonce\r\n=\r\n:\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),     cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_media_keys), cmocka_unit_test(test_digits),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
