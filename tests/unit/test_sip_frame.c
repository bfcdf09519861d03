/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Framing of streams and the choice of a worker. */
#include "sip_help.h"

#define BAD ((ssize_t)-EBADMSG)

static void test_frames(void **state)
{
	static const struct {
		const char *stream;
		ssize_t length;
		size_t skip;
		bool pong;
	} cases[] = {
		{ "", 0, 0, false },
		{ "\r", 0, 0, false },
		{ "\r\n", 0, 0, false },
		{ "\r\n\r", 0, 0, false },
		{ "\r\n\r\n", 0, 4, true },
		{ "\r\n\r\n\r\n", 0, 6, true },
		{ "\r\nA b c\r\nl:0\r\n\r\n", 14, 2, false },
		{ "\r\n\r\nA b c\r\nl:0\r\n\r\n", 14, 4, true },
		{ "A b c\r\nl:0\r\n\r\n", 14, 0, false },
		{ "A b c\r\nl:0\r\n\r\nA", 14, 0, false },
		{ "A b c\r\nl:0\r\n\r", 0, 0, false },
		{ "A b c\r\nl:2\r\n\r\nx", 0, 0, false },
		{ "A b c\r\nl:2\r\n\r\nxyz", 16, 0, false },
		{ "A b c\nl:2\n\nxyz", 13, 0, false },
		{ "A b c\r\nCONTENT-length \t:\r\n 1\r\n\r\nx", 33, 0, false },
		{ "A b c\r\nX: l:9\r\n l:9\r\nl:0\r\n\r\n", 28, 0, false },
		{ "A b c\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:0\r\nl:0\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:0\r\nContent-Length: 1\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:-1\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:65535\r\n\r\n", BAD, 0, false },
		{ "A b c\r\nl:99999999999999999999\r\n\r\n", BAD, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t skip = 77;
		bool pong = false;
		ssize_t length = sip_frame(span_of(cases[i].stream), &skip, &pong);

		if (length != cases[i].length || skip != cases[i].skip || pong != cases[i].pong)
			fail_msg("case %zu: length %zd skip %zu pong %d", i, length, skip, pong);
	}
}

static void test_endless_headers(void **state)
{
	size_t size = NET_MSG_MAX + 1, skip;
	char *text = malloc(size);
	bool pong;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	assert_int_equal(sip_frame((struct span){ text, size - 1 }, &skip, &pong), 0);
	assert_int_equal(sip_frame((struct span){ text, size }, &skip, &pong), BAD);
	for (size_t i = 0; i < size; i++)
		text[i] = "a:\n"[i % 3];
	assert_int_equal(sip_frame((struct span){ text, 500 }, &skip, &pong), 0);
	assert_int_equal(sip_frame((struct span){ text, 5000 }, &skip, &pong), BAD);
	assert_int_equal(sip_classify((struct span){ text, size - 1 }, 4), 0);
	free(text);
}

/* Cut anywhere, a stream gives the same messages as whole; what is framed also parses. */
static void test_any_cut(void **state)
{
	static const char one[] =
		"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nTo: <sip:a@h>\r\n"
		"From: <sip:a@h>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length:\r\n "
		"4\r\n\r\n\r\n\r\n";
	const ssize_t whole = sizeof(one) - 1;
	static struct sip_msg msg;
	const char *why;
	struct net_buf *buf = buf_of_str(one);
	size_t skip;
	bool pong;

	(void)state;
	for (ssize_t cut = 0; cut < whole; cut++) {
		assert_int_equal(sip_frame((struct span){ one, (size_t)cut }, &skip, &pong), 0);
		assert_int_equal(skip, 0);
	}
	assert_int_equal(sip_frame((struct span){ one, (size_t)whole }, &skip, &pong), whole);
	assert_int_equal(sip_msg_parse(&msg, buf, true, &why), 0);
	assert_int_equal(msg.body.len, 4);
	net_buf_unref(&buf);
}

static void test_classify(void **state)
{
	/* worker -1: by Call-ID "abc" */
	static const struct {
		const char *text;
		int worker;
	} cases[] = {
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP "
		  "h;branch=z9hG4bKq03000001000212345678;rport=1\r\n\r\n",
		  3 },
		{ "SIP/2.0 200 OK\r\nX: y\r\nv :\r\n SIP/2.0/UDP h ; rport ; BRANCH =\r\n "
		  "z9hG4bKq02000001000212345678, x\r\n",
		  2 },
		{ "\r\n\r\nSIP/2.0 200 OK\r\nVia: SIP/2.0/UDP "
		  "h;branch=z9hG4bKq0f000001000212345678\r\n",
		  0 },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKq03000001000212345678x\r\n",
		  0 },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=1, SIP/2.0/UDP "
		  "i;branch=z9hG4bKq03000001000212345678\r\n",
		  0 },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=1\r\nVia: SIP/2.0/UDP "
		  "i;branch=z9hG4bKq03000001000212345678\r\n",
		  0 },
		{ "SIP/2.0 200 OK\r\n\r\n", 0 },
		{ "BYE sip:x SIP/2.0\r\nCall-ID: abc\r\nTo: "
		  "<sip:a@b;tag=x>;tag=w0300000100021234abcd\r\n",
		  3 },
		{ "BYE sip:x SIP/2.0\r\ni:abc\r\nt:\"a\" <sip:a@b>\r\n ; tag\r\n = "
		  "w0300000100021234abcd;x\r\n",
		  3 },
		{ "BYE sip:x SIP/2.0\r\ni:abc\r\nt: <sip:a@b>;tag=w0400000100021234abcd\r\n", -1 },
		{ "BYE sip:x SIP/2.0\r\ni:abc\r\nt: <sip:a@b>;tag=w0300000100021234abcg\r\n", -1 },
		{ "BYE sip:x SIP/2.0\r\nt: <sip:a@b>;tag=x\r\nCall-ID :\r\n  abc \r\n", -1 },
		{ "INVITE sip:x SIP/2.0\r\nFrom: <sip:a@b>;tag=w0300000100021234abcd\r\nCall-ID: "
		  "abc\r\nTo: <sip:a@b>\r\n",
		  -1 },
		{ "INVITE sip:x SIP/2.0\r\n\r\nCall-ID: abc\r\n", 0 },
		{ "INVITE sip:x SIP/2.0", 0 },
		{ "", 0 },
		{ "\r\n\r\n", 0 },
		{ "\n:\n;;;=\n;tag", 0 },
	};
	int by_call_id = (int)(hash_spread(SPAN("abc")) % 4);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int wanted = cases[i].worker < 0 ? by_call_id : cases[i].worker;
		int worker = sip_classify(span_of(cases[i].text), 4);

		if (worker != wanted)
			fail_msg("case %zu: worker %d instead of %d", i, worker, wanted);
		assert_int_equal(sip_classify(span_of(cases[i].text), 1), 0);
	}
}

/* Of our own messages: a request is known by its branch, a response by its To tag or Call-ID. */
static void test_sender(void **state)
{
	static const char ours[] =
		"INVITE sip:1@h SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKq020000010001aabbccdd\r\n"
		"From: <sip:a@h>;tag=w02000001000100112233\r\nTo: <sip:b@h>\r\nCall-ID: x\r\n\r\n";
	static const char answer[] = "SIP/2.0 200 OK\r\n"
				     "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK77\r\n"
				     "From: <sip:a@h>;tag=1\r\nTo: "
				     "<sip:b@h>;tag=w01000001000100112233\r\nCall-ID: x\r\n\r\n";

	(void)state;
	assert_int_equal(sip_sender(span_of(ours), 4), 2);
	assert_int_equal(sip_sender(span_of(answer), 4), 1);
	assert_int_equal(sip_sender(span_of(ours), 1), 0);
	/* Cut off by the kernel within the second header: the branch is there. */
	assert_int_equal(sip_sender(span_head(span_of(ours), 140), 4), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),  cmocka_unit_test(test_endless_headers),
		cmocka_unit_test(test_any_cut), cmocka_unit_test(test_classify),
		cmocka_unit_test(test_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
