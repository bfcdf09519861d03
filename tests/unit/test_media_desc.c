/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "media/media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct media_format offered[] = {
	{ .pt = 0, .channels = 1, .clock = 8000, .name = "PCMU" },
	{ .pt = 13, .channels = 1, .clock = 8000, .name = "CN" },
	{ .pt = 8, .channels = 1, .clock = 8000, .name = "PCMA" },
	{ .pt = 96, .channels = 2, .clock = 48000, .name = "opus", .fmtp = "useinbandfec=1" },
	{ .pt = 97, .channels = 1, .clock = 8000, .name = "speex" },
	{ .pt = 98, .channels = 1, .clock = 16000, .name = "speex" },
	{ .pt = 99, .channels = 1, .clock = 8000, .name = "red" },
	{ .pt = 18, .channels = 1, .clock = 8000, .name = "G729", .fmtp = "annexb=no" },
	{ .pt = 101, .channels = 1, .clock = 8000, .name = "telephone-event", .fmtp = "0-15" },
};

static struct media_format formats[ARRAY_SIZE(offered)];
static struct media_extra extras[3];
static struct media_desc desc;

/* One audio stream with all of the above, and a refused video stream. */
static void fill(void)
{
	memcpy(formats, offered, sizeof(formats));
	extras[0] = (struct media_extra){ "rtcp-fb:96 nack", &extras[1] };
	extras[1] = (struct media_extra){ "rtcp-fb:* nack", &extras[2] };
	extras[2] = (struct media_extra){ "label:main", NULL };
	desc = (struct media_desc){ .n_streams = 2, .bandwidth_as = 100 };
	desc.streams[0] = (struct media_stream){
		.kind = MEDIA_AUDIO,
		.transport = "RTP/AVP",
		.host = "192.0.2.1",
		.port = 4000,
		.n_ports = 1,
		.rtcp_host = "192.0.2.2",
		.rtcp_port = 4003,
		.ptime_ms = 20,
		.n_formats = ARRAY_SIZE(formats),
		.formats = formats,
		.extra = extras,
	};
	desc.streams[1] = (struct media_stream){
		.kind = MEDIA_OTHER,
		.kind_name = "text",
		.transport = "RTP/AVP",
		.host = "192.0.2.1",
		.n_ports = 1,
	};
}

static void test_restrict(void **state)
{
	static const struct {
		const char *names, *codecs;
		unsigned left;
	} cases[] = {
		{ NULL,
		  "PCMU/8000 CN/8000 PCMA/8000 opus/48000/2 speex/8000 speex/16000 red/8000 "
		  "G729/8000 telephone-event/8000",
		  6 },
		{ "",
		  "PCMU/8000 CN/8000 PCMA/8000 opus/48000/2 speex/8000 speex/16000 red/8000 "
		  "G729/8000 telephone-event/8000",
		  6 },
		{ "PCMA", "PCMA/8000 CN/8000 telephone-event/8000", 1 },
		{ "PCMA,PCMU", "PCMA/8000 PCMU/8000 CN/8000 telephone-event/8000", 2 },
		{ " g729 , pcmu,", "G729/8000 PCMU/8000 CN/8000 telephone-event/8000", 2 },
		{ "speex", "speex/8000 speex/16000 CN/8000 telephone-event/8000", 2 },
		{ "speex/16000,speex", "speex/16000 speex/8000 CN/8000 telephone-event/8000", 2 },
		{ "PCMA,PCMA,AMR", "PCMA/8000 CN/8000 telephone-event/8000", 1 },
		{ "AMR,iLBC", "CN/8000 telephone-event/8000", 0 },
		{ "telephone-event,red,PCMA", "telephone-event/8000 red/8000 PCMA/8000 CN/8000",
		  1 },
		{ ",", "CN/8000 telephone-event/8000", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		fill();
		assert_int_equal(media_desc_restrict(&desc, cases[i].names), cases[i].left);
		assert_int_equal(media_desc_codecs(&desc, text, sizeof(text)),
				 strlen(cases[i].codecs));
		assert_string_equal(text, cases[i].codecs);
	}
}

static void test_restrict_takes_feedback_lines_along(void **state)
{
	(void)state;
	fill();
	media_desc_restrict(&desc, "opus");
	assert_ptr_equal(desc.streams[0].extra, &extras[0]);
	media_desc_restrict(&desc, "PCMA");
	assert_string_equal(desc.streams[0].extra->line, "rtcp-fb:* nack");
	assert_string_equal(desc.streams[0].extra->next->line, "label:main");
	assert_null(desc.streams[0].extra->next->next);
}

static void test_restrict_without_audio(void **state)
{
	(void)state;
	fill();
	desc.streams[0].kind = MEDIA_VIDEO;
	assert_int_equal(media_desc_restrict(&desc, "PCMA"), 0);
	assert_int_equal(desc.streams[0].n_formats, ARRAY_SIZE(offered));
	assert_null(media_desc_audio(&desc));
	assert_null(media_desc_codec(&desc));
}

/* An answer that refuses the first of two audio lines is about the second. */
static void test_first_audio_is_one_in_use(void **state)
{
	(void)state;
	fill();
	desc.streams[1] = desc.streams[0];
	desc.streams[0].port = 0;
	assert_ptr_equal(media_desc_audio(&desc), &desc.streams[1]);
	desc.streams[1].port = 0;
	assert_ptr_equal(media_desc_audio(&desc), &desc.streams[0]);
}

static void test_codec(void **state)
{
	(void)state;
	fill();
	assert_string_equal(media_desc_codec(&desc)->name, "PCMU");
	desc.streams[0].formats = &formats[6]; /* red, G729, telephone-event */
	desc.streams[0].n_formats = 3;
	assert_string_equal(media_desc_codec(&desc)->name, "G729");
	desc.streams[0].formats = &formats[8];
	desc.streams[0].n_formats = 1;
	assert_null(media_desc_codec(&desc));
}

static void test_codecs_cut_between_names(void **state)
{
	static const struct {
		size_t size;
		const char *text;
	} cases[] = {
		{ 1, "" },           { 9, "" },           { 10, "PCMU/8000" },
		{ 11, "PCMU/8000" }, { 17, "PCMU/8000" }, { 18, "PCMU/8000 CN/8000" },
	};
	char text[64];

	(void)state;
	fill();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(media_desc_codecs(&desc, text, cases[i].size),
				 strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(text[cases[i].size], 'x');
	}
	formats[0].name = "";
	media_desc_codecs(&desc, text, 11);
	assert_string_equal(text, "pt0");
}

static void test_hold(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		enum media_direction direction;
		bool hold;
	} cases[] = {
		{ "192.0.2.1", 4000, MEDIA_SENDRECV, false },
		{ "192.0.2.1", 4000, MEDIA_RECVONLY, false },
		{ "192.0.2.1", 4000, MEDIA_SENDONLY, true },
		{ "192.0.2.1", 4000, MEDIA_INACTIVE, true },
		{ "0.0.0.0", 4000, MEDIA_SENDRECV, true },
		{ "::", 4000, MEDIA_SENDRECV, true },
		{ "192.0.2.1", 0, MEDIA_SENDRECV, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fill();
		desc.streams[0].host = cases[i].host;
		desc.streams[0].port = cases[i].port;
		desc.streams[0].direction = cases[i].direction;
		assert_int_equal(media_desc_is_hold(&desc), cases[i].hold);
		desc.streams[1].port = 5000; /* a second stream that receives */
		assert_false(media_desc_is_hold(&desc));
	}
}

static void test_dup(void **state)
{
	struct arena *arena = arena_new(2048);
	const struct media_stream *s;
	struct media_desc *copy;

	(void)state;
	fill();
	copy = media_desc_dup(arena, &desc);
	memset(formats, 0, sizeof(formats)); /* the copy stands alone */
	memset(extras, 0, sizeof(extras));
	memset(&desc, 0, sizeof(desc));

	assert_int_equal(copy->n_streams, 2);
	assert_int_equal(copy->bandwidth_as, 100);
	s = &copy->streams[0];
	assert_string_equal(s->rtcp_host, "192.0.2.2");
	assert_int_equal(s->rtcp_port, 4003);
	assert_int_equal(s->n_formats, ARRAY_SIZE(offered));
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		assert_string_equal(s->formats[i].name, offered[i].name);
		assert_int_equal(s->formats[i].pt, offered[i].pt);
		assert_int_equal(s->formats[i].channels, offered[i].channels);
		assert_int_equal(!s->formats[i].fmtp, !offered[i].fmtp);
		if (offered[i].fmtp)
			assert_string_equal(s->formats[i].fmtp, offered[i].fmtp);
	}
	assert_string_equal(s->extra->next->next->line, "label:main");
	assert_null(s->extra->next->next->next);
	assert_string_equal(copy->streams[1].kind_name, "text");
	assert_null(copy->streams[1].formats);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restrict),
		cmocka_unit_test(test_restrict_takes_feedback_lines_along),
		cmocka_unit_test(test_restrict_without_audio),
		cmocka_unit_test(test_first_audio_is_one_in_use),
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_codecs_cut_between_names),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
