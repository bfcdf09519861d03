/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who calls: what is read of hostile headers, and what each policy writes of it. */
#include "edge/edge_int.h"

#include "sip_help.h"

static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new(4096);
	return !arena;
}

static int teardown(void **state)
{
	arena_free(&arena);
	return 0;
}

static void read_headers(const char *headers, struct call_arrival *arrival)
{
	struct buf text = BUF_INIT(1 << 16);
	struct net_buf *buf;
	struct sip_msg msg;
	const char *why;

	*arrival = (struct call_arrival){ .max_forwards = 70 };
	buf_addf(&text,
		 "INVITE sip:880@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.7;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
		 "From: <sip:44@192.0.2.7>;tag=1\r\nTo: <sip:880@192.0.2.1>\r\nCall-ID: a\r\n"
		 "CSeq: 1 INVITE\r\nContact: <sip:44@192.0.2.7>\r\n%sContent-Length: 0\r\n\r\n",
		 headers);
	buf = buf_of(text.p, text.len);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	edge_identity_read(arena, &msg, arrival);
	net_buf_unref(&buf);
	buf_free(&text);
}

static void test_privacy(void **state)
{
	static const struct {
		const char *value, *wanted;
	} rows[] = {
		{ "id", "id" },
		{ "ID;User", "user;id" },
		{ " header ; session,history;critical ", "header;session;history;critical" },
		{ "none", "none" },
		{ "id;none", "none" },
		{ "unknown", "" },
		{ "id\";x=\"", "" },
		{ ";;,,id;", "id" },
		{ "", "" },
	};
	struct call_arrival arrival;
	char line[200];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(line, sizeof(line), "Privacy: %s\r\n", rows[i].value);
		read_headers(line, &arrival);
		assert_span(arrival.privacy, rows[i].wanted);
	}
}

static void test_identities(void **state)
{
	static const struct {
		const char *value, *wanted;
	} rows[] = {
		{ "<sip:+4930222@10.9.8.7>", "+4930222" },
		{ "\"A, B\" <sips:4930;phone-context=x@h;user=phone>;x=1", "4930" },
		{ "tel:+49-30-222;ext=1", "+49-30-222" },
		{ "<sip:host.only>, <tel:110>", "110" },
		{ "<sip:%00x@h>, <sip:b%41d@h>", "bAd" },
		{ "<sip:%zz@h>", "" },
		{ "<mailto:x@h>, garbage", "" },
		{ "<sip:a%0d%0aX%3a%20b@h>", "a\r\nX: b" },
	};
	struct call_arrival arrival;
	char line[200];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(line, sizeof(line), "P-Asserted-Identity: %s\r\n", rows[i].value);
		read_headers(line, &arrival);
		assert_span(arrival.identity, rows[i].wanted);
		assert_span(arrival.preferred, "");
	}
}

static void test_diversions(void **state)
{
	static const struct {
		const char *value, *wanted;
	} rows[] = {
		{ "<sip:1@h>;reason=no-answer;counter=2;privacy=\"full\";other=x",
		  "1;reason=no-answer;counter=2;privacy=full\n" },
		{ "<sip:1@h>;reason=\"a b\";counter=2%0a", "1\n" },
		{ "<sip:a%0d%0ab@h>", "a%0D%0Ab\n" },
		{ "<sip:1@h>, <sip:2@h>, junk, <sip:3@h>;screen=yes, <tel:4>, <tel:5>, <tel:6>",
		  "1\n2\n3;screen=yes\n4\n" }, /* five at most are looked at */
		{ "<sip:h>", "" },
		{ "<sip:5%3Bx=1,y@h>;reason=no-answer", "5;reason=no-answer\n" },
	};
	struct call_arrival arrival;
	char line[300];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(line, sizeof(line), "Diversion: %s\r\n", rows[i].value);
		read_headers(line, &arrival);
		assert_span(arrival.diversions, rows[i].wanted);
	}
}

/* Nothing is read where nothing is said. */
static void test_plain(void **state)
{
	struct call_arrival arrival;

	read_headers("", &arrival);
	assert_null(arrival.identity.p);
	assert_null(arrival.privacy.p);
	assert_null(arrival.preferred.p);
	assert_null(arrival.diversions.p);
}

#define NUMBER "49\r\n<\">"
#define ESCAPED "<sip:49%0D%0A%3C%22%3E@192.0.2.1>"

static void test_written(void **state)
{
	static const struct call_numbers plain = { .display = "A\\\"\r\nB\"",
						   .identity = NUMBER,
						   .preferred = "2" };
	static const struct call_numbers private = { .display = "A",
						     .identity = "1",
						     .preferred = "2",
						     .privacy = "id",
						     .diversions = "5;privacy=full\n6\n" };
	static const struct {
		const struct call_numbers *numbers;
		struct model_sip sip;
		const char *from, *lines;
	} rows[] = {
		{ &plain, { .shown = { .display = true } }, "\"A\\\"B\" " ESCAPED, "" },
		{ &plain,
		  { .trust_identity = true },
		  ESCAPED,
		  "P-Asserted-Identity: " ESCAPED "\r\n" },
		{ &plain,
		  { .trust_identity = true, .shown = { .asserted = SEND_OFF } },
		  ESCAPED,
		  "" },
		{ &plain,
		  { .shown = { .asserted = SEND_PASS, .preferred = SEND_CALLER } },
		  ESCAPED,
		  "P-Asserted-Identity: " ESCAPED "\r\nP-Preferred-Identity: " ESCAPED "\r\n" },
		{ &plain, { .shown = { .privacy = SEND_PRIVACY_PASS } }, ESCAPED, "" },
		{ &private,
		  { .shown = { .asserted = SEND_CALLER,
			       .preferred = SEND_PASS,
			       .remote_party_id = true,
			       .diversion = SEND_PASS } },
		  "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
		  "Diversion: <sip:6@192.0.2.1>\r\n" },
		{ &private,
		  { .trust_identity = true,
		    .shown = { .preferred = SEND_PASS,
			       .remote_party_id = true,
			       .diversion = SEND_PASS } },
		  ESCAPED,
		  "P-Asserted-Identity: <sip:1@192.0.2.1>\r\nP-Preferred-Identity: "
		  "<sip:2@192.0.2.1>\r\n"
		  "Remote-Party-ID: " ESCAPED
		  ";party=calling;screen=no;privacy=full\r\nPrivacy: id\r\n"
		  "Diversion: <sip:5@192.0.2.1>;privacy=full\r\nDiversion: <sip:6@192.0.2.1>\r\n" },
		{ &private,
		  { .trust_identity = true, .shown = { .privacy = SEND_PRIVACY_NONE } },
		  ESCAPED,
		  "P-Asserted-Identity: <sip:1@192.0.2.1>\r\nPrivacy: none\r\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf from = BUF_INIT(1024), lines = BUF_INIT(4096);
		struct edge_shown shown = { .sip = &rows[i].sip,
					    .numbers = rows[i].numbers,
					    .caller = NUMBER,
					    .host = "192.0.2.1" };

		edge_from_write(&shown, &from);
		edge_identity_write(&shown, &lines);
		assert_string_equal(buf_cstr(&from), rows[i].from);
		assert_string_equal(buf_cstr(&lines), rows[i].lines);
		buf_free(&from);
		buf_free(&lines);
	}
}

/* A number of ours stands for all who diverted. */
static void test_diverted_as(void **state)
{
	static const struct call_numbers numbers = { .diversions = "5;reason=no-answer\n6\n" };
	static const struct model_sip sip = { .shown = { .diversion = SEND_PASS } };
	struct edge_shown shown = { .sip = &sip,
				    .numbers = &numbers,
				    .caller = "1",
				    .host = "192.0.2.1",
				    .diverted = "7 7" };
	struct buf lines = BUF_INIT(4096);

	edge_identity_write(&shown, &lines);
	assert_string_equal(buf_cstr(&lines),
			    "Diversion: <sip:7%207@192.0.2.1>;reason=no-answer\r\n");
	buf_free(&lines);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_privacy), TEST(test_identities), TEST(test_diversions),
		TEST(test_plain),   TEST(test_written),    TEST(test_diverted_as),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
