/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sdp/sdp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct sdp sdp;
static unsigned line;

static bool is(struct span s, const char *text)
{
	return span_eq(s, span_of(text));
}

static void test_whole(void **state)
{
	static const char text[] =
		"v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John "
		"Smith\r\n"
		"i=SDP Offer #1\r\nu=http://www.jdoe.example.com/home.html\r\ne=Jane Doe "
		"<jane@jdoe.example.com>\r\n"
		"p=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nb=AS:256\r\nt=0 0\r\na=recvonly\r\n"
		"m=audio 49170/2 RTP/AVP 0 96\r\nb=TIAS:64000\r\nb=AS:80\r\na=rtpmap:96 "
		"opus/48000/2\r\na=sendonly\r\n"
		"m=video 0 RTP/AVP 99\r\nc=IN IP6 2001:db8::2/3\r\na=rtpmap:99 h263-1998/90000\r\n";

	(void)state;
	assert_null(sdp_parse(&sdp, SPAN(text), &line));
	assert_int_equal(line, 0);
	assert_true(is(sdp.origin_user, "jdoe") && is(sdp.origin_host, "198.51.100.1"));
	assert_int_equal(sdp.session_id, 3724394400ull);
	assert_int_equal(sdp.version, 3724394405ull);
	assert_int_equal(sdp.bandwidth_as, 256);
	assert_int_equal(sdp.n_session_attrs, 1);
	assert_int_equal(sdp.n_media, 2);
	assert_true(is(sdp.media[0].kind, "audio") && is(sdp.media[0].transport, "RTP/AVP"));
	assert_int_equal(sdp.media[0].port, 49170);
	assert_int_equal(sdp.media[0].n_ports, 2);
	assert_int_equal(sdp.media[0].bandwidth_as, 80);
	assert_int_equal(sdp.media[0].n_formats, 2);
	assert_true(is(sdp.media[0].formats[1], "96"));
	assert_true(is(sdp.media[0].conn.host, "198.51.100.1") && !sdp.media[0].conn.ip6);
	assert_true(is(sdp.media[1].conn.host, "2001:db8::2") && sdp.media[1].conn.ip6);
	assert_int_equal(sdp.media[1].port, 0);
	assert_int_equal(sdp.media[1].n_ports, 1);

	assert_true(is(sdp_attr(&sdp, 0, "RTPMAP")->value, "96 opus/48000/2"));
	assert_non_null(sdp_attr(&sdp, 0, "sendonly"));
	assert_null(sdp_attr(&sdp, 0, "sendonly")->value.p);
	assert_null(sdp_attr(&sdp, 1, "sendonly"));
	assert_true(is(sdp_attr(&sdp, 1, "rtpmap")->value, "99 h263-1998/90000"));
	assert_non_null(sdp_attr(&sdp, -1, "recvonly"));
	assert_null(sdp_attr(&sdp, -1, "rtpmap"));
}

/* What devices get wrong and nobody should lose a call for. */
static void test_lenient(void **state)
{
	static const char *const texts[] = {
		"v=0\nc=IN IP4 1.2.3.4\nm=audio 4000 RTP/AVP 8\na=ptime:20\n",
		"v=0\rc=IN IP4 1.2.3.4\rm=audio 4000 RTP/AVP 8\ra=ptime:20\r",
		"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\na=ptime:20",
		"c=IN IP4 1.2.3.4  \r\nm=audio 4000 RTP/AVP 8\t \r\na=ptime:20 \r\n",
		"\r\n\r\nv=0\r\nc=in ip4  1.2.3.4\r\nm=audio  4000\tRTP/AVP  8 \r\na=ptime: "
		"20\r\n\r\n",
		"a=x\nt=0 0\ns=\nc=IN IP4 1.2.3.4/127\no=\nv=0\nm=audio 4000 RTP/AVP "
		"8\na=ptime:20\n",
		("v=0\nX=1\n?\nnonsense\n=\nb=AS\nb=AS:much\nb=:\nc=IN IP4 1.2.3.4\n"
		 "m=audio 4000 RTP/AVP 8\na=\na=:\na=two words:1\na=ptime:20\nc=IN IP4 "
		 "5.6.7.8\nc=IN IP4 9.9.9.9\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *error = sdp_parse(&sdp, span_of(texts[i]), &line);

		if (error)
			fail_msg("text %zu, line %u: %s", i, line, error);
		assert_int_equal(sdp.n_media, 1);
		assert_int_equal(sdp.media[0].port, 4000);
		assert_int_equal(sdp.media[0].n_formats, 1);
		assert_true(is(sdp.media[0].formats[0], "8"));
		assert_true(is(sdp.media[0].conn.host, i == 6 ? "5.6.7.8" : "1.2.3.4"));
		assert_true(is(sdp_attr(&sdp, 0, "ptime")->value, "20"));
		assert_int_equal(sdp.bandwidth_as, 0);
	}
}

static void test_refused(void **state)
{
	static const struct {
		struct span text;
		unsigned line;
		const char *error;
	} cases[] = {
		{ { "", 0 }, 0, "neither a v= nor an m= line: this is not a session description" },
		{ SPAN("hello\r\n"), 0,
		  "neither a v= nor an m= line: this is not a session description" },
		{ SPAN("v=1\n"), 1, "version is not 0" },
		{ SPAN("v=\n"), 1, "version is not 0" },
		{ SPAN("v=0\nv=0\n"), 2, "a second v= line" },
		{ SPAN("v=0\ns=a\0b\n"), 2, "holds a NUL byte" },
		{ SPAN("v=0\n\0"), 2, "holds a NUL byte" },
		{ SPAN("v=0\nm=audio x RTP/AVP 0\n"), 2, "port is not a number from 0 to 65535" },
		{ SPAN("v=0\nm=audio 65536 RTP/AVP 0\n"), 2,
		  "port is not a number from 0 to 65535" },
		{ SPAN("v=0\nm=audio -1 RTP/AVP 0\n"), 2, "port is not a number from 0 to 65535" },
		{ SPAN("v=0\nm=audio\n"), 2, "port is not a number from 0 to 65535" },
		{ SPAN("v=0\nm=audio 4000/0 RTP/AVP 0\n"), 2,
		  "number of ports is not a number that fits" },
		{ SPAN("v=0\nm=audio 0/65536 RTP/AVP 0\n"), 2,
		  "number of ports is not a number that fits" },
		{ SPAN("v=0\nm=audio 9/4294967295 RTP/AVP 0\n"), 2,
		  "number of ports is not a number that fits" },
		{ SPAN("v=0\nm=audio 65535/2 RTP/AVP 0\n"), 2,
		  "number of ports is not a number that fits" },
		{ SPAN("v=0\nm=audio 4000\n"), 2, "m= line without a media type or transport" },
		{ SPAN("v=0\nm=audio 4000 RTP/AVP\n"), 2, "m= line without a format" },
		{ SPAN("v=0\nm=audio 4000 RTP/AVP \x01\n"), 2, "format is not a word" },
		{ SPAN("v=0\nc=IN IP5 1.2.3.4\n"), 2, "connection is neither IN IP4 nor IN IP6" },
		{ SPAN("v=0\nc=ATM NSAP 47.00\n"), 2, "connection is neither IN IP4 nor IN IP6" },
		{ SPAN("v=0\nc=IN IP4\n"), 2, "connection has no usable address" },
		{ SPAN("v=0\nc=IN IP4 /127\n"), 2, "connection has no usable address" },
		{ SPAN("v=0\nc=IN IP4 a<b>\n"), 2, "connection has no usable address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *error = sdp_parse(&sdp, cases[i].text, &line);

		if (!error)
			fail_msg("case %zu was taken", i);
		assert_string_equal(error, cases[i].error);
		assert_int_equal(line, cases[i].line);
	}
}

static void test_edges_that_pass(void **state)
{
	(void)state;
	assert_null(sdp_parse(&sdp, SPAN("v=0\r\n"), &line));
	assert_int_equal(sdp.n_media, 0);
	assert_null(sdp_parse(&sdp, SPAN("m=audio 65535/1 RTP/AVP 0"), &line));
	assert_false(sdp.media[0].conn.set);
	assert_null(sdp_parse(&sdp, SPAN("m=audio 0 RTP/AVP"), &line));
	assert_int_equal(sdp.media[0].n_formats, 0);
}

/* Origins that are no numbers: the same text is the same version, another is another. */
static void test_origin_words(void **state)
{
	uint64_t first;

	(void)state;
	assert_null(sdp_parse(&sdp, SPAN("v=0\no=- -17 99999999999999999999 IN IP4 h\n"), &line));
	first = sdp.version;
	assert_null(sdp_parse(&sdp, SPAN("v=0\no=- -17 99999999999999999999 IN IP4 h\n"), &line));
	assert_int_equal(sdp.version, first);
	assert_null(sdp_parse(&sdp, SPAN("v=0\no=- -17 99999999999999999998 IN IP4 h\n"), &line));
	assert_int_not_equal(sdp.version, first);
}

static const char *parse_many(const char *head, const char *each, unsigned n)
{
	struct buf b = BUF_INIT(1 << 20);
	const char *error;

	buf_add_str(&b, head);
	for (unsigned i = 0; i < n; i++)
		buf_add_str(&b, each);
	error = sdp_parse(&sdp, buf_span(&b), &line);
	buf_free(&b);
	return error;
}

static void test_ceilings(void **state)
{
	(void)state;
	assert_null(parse_many("v=0\n", "m=audio 1 RTP/AVP 0\n", SDP_MEDIA_MAX));
	assert_string_equal(parse_many("v=0\n", "m=audio 1 RTP/AVP 0\n", SDP_MEDIA_MAX + 1),
			    "more than 8 m= lines");
	assert_int_equal(line, SDP_MEDIA_MAX + 2);
	assert_null(parse_many("v=0\nm=audio 1 RTP/AVP", " 0", SDP_FORMATS_MAX));
	assert_string_equal(parse_many("v=0\nm=audio 1 RTP/AVP", " 0", SDP_FORMATS_MAX + 1),
			    "more than 48 formats in one m= line");
	assert_null(parse_many("v=0\n", "a=x:y\n", SDP_ATTRS_MAX));
	assert_string_equal(parse_many("v=0\n", "a=x:y\n", SDP_ATTRS_MAX + 1),
			    "more than 256 a= lines");
	assert_null(parse_many("v=0\n", "\n", SDP_MAX_SIZE - 4));
	assert_string_equal(parse_many("v=0\n", "\n", SDP_MAX_SIZE - 3), "larger than 32 KiB");
}

/* Every beginning of a description is read or refused without reading past its end (the
 * sanitizers watch), since each is in memory of its own size. */
static void test_every_truncation(void **state)
{
	static const char text[] =
		"v=0\r\no=a 1 2 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\n"
		"m=audio 4000/2 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\na=mid:0\r\n";

	(void)state;
	for (size_t len = 1; len < sizeof(text); len++) {
		char *copy = malloc(len);

		assert_non_null(copy);
		memcpy(copy, text, len);
		sdp_parse(&sdp, (struct span){ copy, len }, &line);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_edges_that_pass),
		cmocka_unit_test(test_origin_words),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
