/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/edge_sdp.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct edge_sdp_origin origin = { 17, 2, "203.0.113.5" };
static char why[128];

#define HEAD "v=0\r\no=causeway 17 2 IN IP4 203.0.113.5\r\ns=-\r\n"

static struct media_desc *read_text(struct arena *arena, const char *text)
{
	struct media_desc *desc = NULL;
	int err = edge_desc_read(arena, span_of(text), &desc, why, sizeof(why));

	if (err)
		fail_msg("refused: %s\n%s", why, text);
	return desc;
}

/* What goes in on the left comes out as on the right, and that comes out as itself. */
static void test_crossing(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		/* a phone's offer, with all that it says of itself */
		{ "v=0\r\no=alice 1 1 IN IP4 10.0.0.7\r\ns=Alice's desk\r\ni=third "
		  "floor\r\nu=http://10.0.0.7/\r\n"
		  "e=alice@example.com\r\np=+31 6 12345678\r\nc=IN IP4 "
		  "192.0.2.10\r\nb=AS:128\r\nt=0 0\r\n"
		  "a=tool:phone 1.2 at 10.0.0.7\r\na=X-nat:0\r\na=ice-ufrag:x\r\na=group:BUNDLE "
		  "0\r\n"
		  "m=audio 4000 RTP/AVP 8 0 18 101\r\na=rtpmap:101 "
		  "telephone-event/8000\r\na=fmtp:101 0-15\r\n"
		  "a=fmtp:18 annexb=no\r\na=ptime:20\r\na=maxptime:150.0\r\na=rtcp:4007 IN IP4 "
		  "192.0.2.11\r\n"
		  "a=candidate:1 1 UDP 2130706431 10.0.0.7 4000 typ "
		  "host\r\na=mid:0\r\na=silenceSupp:off - - - -\r\n"
		  "a=ssrc:1 cname:alice@10.0.0.7\r\na=ssrc:1 "
		  "label:a\r\na=path:msrp://10.0.0.7:1/x;tcp\r\n",
		  HEAD
		  "c=IN IP4 192.0.2.10\r\nb=AS:128\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
		  "m=audio 4000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 "
		  "PCMU/8000\r\n"
		  "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 "
		  "telephone-event/8000\r\n"
		  "a=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:150\r\na=rtcp:4007 IN IP4 "
		  "192.0.2.11\r\n"
		  "a=mid:0\r\na=silenceSupp:off - - - -\r\na=ssrc:1 label:a\r\na=sendrecv\r\n" },
		/* order and number of lines: refused, unknown, and once more refused */
		{ "v=0\nm=video 0 RTP/AVP\nm=message 9 TCP/MSRP *\nc=IN IP4 192.0.2.3\nm=audio 0 "
		  "RTP/AVP *\n"
		  "m=Audio 4000/2 rtp/avp 96\nc=IN IP4 192.0.2.4\na=rtpmap:96 "
		  "opus/48000/2\na=recvonly\n",
		  HEAD
		  "c=IN IP4 192.0.2.3\r\nt=0 0\r\nm=video 0 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"
		  "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\nm=message 9 TCP/MSRP *\r\na=sendrecv\r\n"
		  "m=audio 0 RTP/AVP *\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\nm=audio 4000/2 rtp/avp "
		  "96\r\n"
		  "c=IN IP4 192.0.2.4\r\na=rtpmap:96 opus/48000/2\r\na=recvonly\r\n" },
		/* fax */
		{ "v=0\nc=IN IP4 192.0.2.3\nm=image 4002 udptl "
		  "t38\na=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n"
		  "a=t38faxfillbitremoval\na=fmtp:t38 x=1\n",
		  HEAD
		  "c=IN IP4 192.0.2.3\r\nt=0 0\r\nm=image 4002 udptl t38\r\na=fmtp:t38 "
		  "x=1\r\na=T38FaxVersion:0\r\n"
		  "a=T38FaxUdpEC:t38UDPRedundancy\r\na=t38faxfillbitremoval\r\na=sendrecv\r\n" },
		/* direction and packet time from the session; IPv6; a name; rtcp-mux; keys */
		{ "v=0\nc=IN IP6 2001:db8::1\na=sendonly\na=ptime:30\nm=audio 4000 RTP/SAVP 0\n"
		  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\na=rtcp-mux\nm=audio 4002 RTP/AVP "
		  "0\n"
		  "c=IN IP6 media.example.com\na=inactive\na=sendrecv\na=ptime:10\n",
		  HEAD
		  "c=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=rtpmap:0 "
		  "PCMU/8000\r\na=ptime:30\r\n"
		  "a=rtcp-mux\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\na=sendonly\r\n"
		  "m=audio 4002 RTP/AVP 0\r\nc=IN IP6 media.example.com\r\na=rtpmap:0 "
		  "PCMU/8000\r\na=ptime:10\r\n"
		  "a=inactive\r\n" },
		/* types named twice, not explained, explained badly (RFC 4475 3.3.9 does the last) */
		{ "v=0\nc=IN IP4 192.0.2.3\nm=audio 4000 RTP/AVP 0 0 97 98 "
		  "12\na=rtpmap:97\na=rtpmap:0 ulaw\n"
		  "a=rtpmap:98 L16/16000/0\na=rtpmap:99 GSM/8000\na=rtpmap:x\na=fmtp:98\na=fmtp:98 "
		  "a\na=fmtp:98 b\n"
		  "a=fmtp:99 c\na=ptime:soon\na=rtcp:0\n",
		  HEAD "c=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 97 98 "
		       "12\r\na=rtpmap:0 ulaw/8000\r\n"
		       "a=rtpmap:98 L16/16000\r\na=fmtp:98 a\r\na=rtpmap:12 "
		       "QCELP/8000\r\na=sendrecv\r\n" },
		/* hold in the old manner */
		{ "v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n",
		  HEAD "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 "
		       "PCMU/8000\r\na=sendrecv\r\n" },
		/* a lone CR cannot smuggle a line, nor can what is not text */
		{ "v=0\nc=IN IP4 192.0.2.3\nm=audio 4000 RTP/AVP 0\na=label:x\rc=IN IP4 "
		  "6.6.6.6\na=content:\x1b[2J\n",
		  HEAD "c=IN IP4 6.6.6.6\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 "
		       "PCMU/8000\r\na=label:x\r\na=sendrecv\r\n" },
		/* attributes that want a value and have none */
		{ "v=0\nc=IN IP4 192.0.2.3\nm=audio 4000 RTP/AVP "
		  "0\na=rtpmap\na=fmtp\na=ptime\na=rtcp\na=ssrc\na=label:\n",
		  HEAD "c=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 "
		       "PCMU/8000\r\na=ssrc\r\na=label:\r\n"
		       "a=sendrecv\r\n" },
		{ "v=0\n", HEAD "t=0 0\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new(4096);
		struct buf out = BUF_INIT(SIZE_MAX / 2);

		edge_desc_write(&out, read_text(arena, cases[i].in), &origin);
		assert_string_equal(buf_cstr(&out), cases[i].out);
		buf_reset(&out);
		edge_desc_write(&out, read_text(arena, cases[i].out), &origin);
		assert_string_equal(buf_cstr(&out), cases[i].out);
		buf_free(&out);
		arena_free(&arena);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *in, *why;
	} cases[] = {
		{ "v=0\r\nm=audio 1e4 RTP/AVP 0\r\n",
		  "line 2: port is not a number from 0 to 65535" },
		{ "", "neither a v= nor an m= line: this is not a session description" },
		{ "v=0\nm=audio 4000 RTP/AVP 0\n", "m= line 1: no c= line says where to send" },
		{ "v=0\nm=audio 0 RTP/AVP 0\nm=video 4000 RTP/AVP 31\n",
		  "m= line 2: no c= line says where to send" },
		{ "v=0\nc=IN IP4 1.2.3.4\nm=audio 4 RTP/AVP 128\n",
		  "m= line 1: payload type is not a number from 0 to 127" },
		{ "v=0\nc=IN IP4 1.2.3.4\nm=audio 4 UDP/TLS/RTP/SAVPF x\n",
		  "m= line 1: payload type is not a number from 0 to 127" },
		{ "v=0\nc=IN IP4 1.2.3.4\nm=audio 4 RTP/AVP 96\na=rtpmap:96 opus/fast\n",
		  "m= line 1: rtpmap of 96: clock rate is not a number" },
		{ "v=0\nc=IN IP4 1.2.3.4\nm=audio 4 RTP/AVP 96\na=rtpmap:96 opus/0\n",
		  "m= line 1: rtpmap of 96: clock rate is not a number" },
		{ "m=a 0 b c\nm=a 0 b c\nm=a 0 b c\nm=a 0 b c\nm=a 0 b c\nm=a 0 b c\nm=a 0 b "
		  "c\nm=a 0 b c\nm=a 0 b c\n",
		  "line 9: more than 8 m= lines" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new(4096);
		struct media_desc *desc = NULL;

		assert_int_equal(
			edge_desc_read(arena, span_of(cases[i].in), &desc, why, sizeof(why)),
			-EBADMSG);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(edge_desc_read(arena, span_of(cases[i].in), &desc, NULL, 0),
				 -EBADMSG);
		assert_null(desc);
		arena_free(&arena);
	}
}

static void test_fields(void **state)
{
	struct arena *arena = arena_new(4096);
	struct media_desc *desc;
	char codecs[64];

	(void)state;
	desc = read_text(arena, "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 9 "
				"96\nb=AS:64\na=rtpmap:96 opus/48000/2\n"
				"a=rtcp:4001 IN IP4 192.0.2.1\nm=application 5000 UDP/BFCP *\n");
	assert_int_equal(desc->n_streams, 2);
	assert_int_equal(desc->streams[0].kind, MEDIA_AUDIO);
	assert_int_equal(desc->streams[0].bandwidth_as, 64);
	assert_int_equal(desc->streams[0].rtcp_port, 4001);
	assert_null(desc->streams[0].rtcp_host);
	assert_int_equal(desc->streams[1].kind, MEDIA_OTHER);
	assert_string_equal(desc->streams[1].kind_name, "application");
	assert_int_equal(desc->streams[1].formats[0].pt, EDGE_PT_NONE);
	assert_int_equal(desc->streams[1].formats[0].clock, 0);
	assert_ptr_equal(desc->streams[1].host, desc->streams[0].host);
	media_desc_codecs(desc, codecs, sizeof(codecs));
	assert_string_equal(codecs, "G722/8000 opus/48000/2");
	arena_free(&arena);
}

/* No codec in common: were it sent all the same, nobody may answer that stream. */
static void test_emptied_stream_is_refused(void **state)
{
	struct arena *arena = arena_new(4096);
	struct buf out = BUF_INIT(4096);
	struct media_desc *desc;

	(void)state;
	desc = read_text(arena, "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n");
	assert_int_equal(media_desc_restrict(desc, "PCMA"), 0);
	edge_desc_write(&out, desc, &origin);
	assert_non_null(strstr(buf_cstr(&out), "m=audio 0 RTP/AVP 0\r\n"));
	buf_free(&out);
	arena_free(&arena);
}

static void test_ceiling_of_the_buffer(void **state)
{
	struct arena *arena = arena_new(4096);
	struct buf out = BUF_INIT(100);

	(void)state;
	edge_desc_write(&out, read_text(arena, "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n"),
			&origin);
	assert_true(out.failed);
	buf_free(&out);
	arena_free(&arena);
}

#ifndef CAUSEWAY_SANITIZED
/* A call that is held for hours holds this as well. */
static void test_footprint(void **state)
{
	struct arena *arena = arena_new(64);
	const char *text =
		"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 "
		"PCMU/8000\r\n"
		"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 "
		"telephone-event/8000\r\n"
		"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

	(void)state;
	read_text(arena, text);
	assert_true(arena_size(arena) < 2048);
	arena_free(&arena);
}
#endif

/* ---- captures: descriptions as devices send them ------------------------------------ */

/* From "v=0" on: the lines that are "letter=text CRLF", up to the next "v=" (H.248, which is
 * in some captures, writes one description after the other). */
static struct span cut_description(struct span raw)
{
	size_t len = 0;

	while (len + 2 < raw.len && raw.p[len] >= 'a' && raw.p[len] <= 'z' &&
	       raw.p[len + 1] == '=') {
		size_t at = len;

		if (len && raw.p[len] == 'v')
			break;
		while (at < raw.len && ((unsigned char)raw.p[at] >= 0x20 || raw.p[at] == '\t'))
			at++;
		if (at + 1 >= raw.len || raw.p[at] != '\r' || raw.p[at + 1] != '\n')
			break;
		len = at + 2;
	}
	return span_head(raw, len);
}

static void cross_one(struct span sdp, unsigned *taken, unsigned *refused)
{
	struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
	struct arena *arena = arena_new(4096);
	struct media_desc *desc;

	if (edge_desc_read(arena, sdp, &desc, why, sizeof(why))) {
		if (getenv("VERBOSE"))
			print_message("%s:\n%.*s\n", why, SPAN_ARG(sdp));
		(*refused)++;
	} else {
		(*taken)++;
		edge_desc_write(&first, desc, &origin);
		edge_desc_write(&second, read_text(arena, buf_cstr(&first)), &origin);
		assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(&arena);
}

static void cross_file(const char *path, unsigned *taken, unsigned *refused)
{
	static char raw[1 << 20];
	FILE *f = fopen(path, "rb");
	struct span rest;

	if (!f)
		return;
	rest = (struct span){ raw, fread(raw, 1, sizeof(raw), f) };
	fclose(f);
	while (rest.len > 5) {
		const char *hit = memmem(rest.p, rest.len, "v=0\r\n", 5);
		struct span sdp;

		if (!hit)
			break;
		sdp = cut_description(span_skip(rest, (size_t)(hit - rest.p)));
		cross_one(sdp, taken, refused);
		rest = span_skip(rest, (size_t)(hit - rest.p) + sdp.len);
	}
}

static void test_captures(void **state)
{
	static const char *const folders[] = { "public", "synthetic", "lab", "rfc4475", "rfc5118" };
	const char *root = getenv("CAUSEWAY_CAPTURES");
	unsigned taken = 0, refused = 0;

	(void)state;
	root = root ? root : "../shared/captures";
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[1024];
		DIR *dir;

		snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
		dir = opendir(path);
		for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
			snprintf(path, sizeof(path), "%s/%s/%s", root, folders[i], e->d_name);
			cross_file(path, &taken, &refused);
		}
		if (dir)
			closedir(dir);
	}
	if (taken + refused == 0) {
		print_message("skipped, captures not present\n");
		skip();
	}
	print_message("%u descriptions taken, %u refused\n", taken, refused);
	assert_true(taken > 100);
	assert_true(refused * 50 < taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_emptied_stream_is_refused),
		cmocka_unit_test(test_ceiling_of_the_buffer),
#ifndef CAUSEWAY_SANITIZED
		cmocka_unit_test(test_footprint),
#endif
		cmocka_unit_test(test_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
