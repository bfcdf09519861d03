/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The called side against raw peers: what it refuses at the door, 18x until PRACK, 2xx until ACK, and
 * callers who send neither. Side a is the one called here. */
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

static void invite(const char *extra, const char *body)
{
	static unsigned n;
	char id[32];

	snprintf(id, sizeof(id), "call-%u", ++n);
	raw_request(&raw, "INVITE", id, "r1", "", 10, extra, body);
}

static void in_dialog(const char *method, unsigned cseq, const char *extra, const char *body)
{
	char id[64];

	span_copy(sip_session_call_id(bed.a.s), id, sizeof(id));
	raw_request(&raw, method, id, "r1", bed.a.s->tag, cseq, extra, body);
}

static void expect_header(const char *name, const char *value)
{
	char got[512];

	raw_header(raw.text, name, got);
	if (strcmp(got, value))
		fail_msg("%s: \"%s\", wanted \"%s\"", name, got, value);
}

struct refusal {
	const char *extra;
	const char *status;
	const char *header, *value;
	enum sip_100rel rel100;
	bool no_timer;
};

static const struct refusal refusals[] = {
	{ "Session-Expires: 60\r\nSupported: timer\r\n", "SIP/2.0 422", "Min-SE", "90" },
	{ "Session-Expires: abc\r\n", "SIP/2.0 400" },
	{ "Require: 100rel\r\n", "SIP/2.0 420", "Unsupported", "100rel", SIP_100REL_OFF },
	{ "", "SIP/2.0 421", "Require", "100rel", SIP_100REL_REQUIRED },
	{ "Require: timer\r\n", "SIP/2.0 420", "Unsupported", "timer", SIP_100REL_SUPPORTED, true },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];

		bed.a.config.rel100 =
			r->header && r->rel100 == SIP_100REL_OFF && strcmp(r->status, "SIP/2.0 420")
				? SIP_100REL_SUPPORTED
				: r->rel100;
		bed.a.config.timer = !r->no_timer;
		invite(r->extra, sdp_text(1));
		raw_expect(&raw, "SIP/2.0 4");
		if (strncmp(raw.text, r->status, strlen(r->status)))
			fail_msg("%zu: %.20s", i, raw.text);
		if (r->header)
			expect_header(r->header, r->value);
		assert_null(bed.a.s);
		assert_int_equal(bed.a.incoming_status, strtol(r->status + 8, NULL, 10));
		assert_int_equal(sip_stack_stats(bed.a.stack)->sessions_now, 0);
	}
}

static void test_session_limit(void **state)
{
	struct sip_session *s[16];

	for (int i = 0; i < 16; i++) {
		invite("", sdp_text(1));
		raw_expect(&raw, "SIP/2.0 100");
		s[i] = bed.a.s;
		assert_non_null(s[i]);
		bed.a.s = NULL;
	}
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 503");
	for (int i = 0; i < 16; i++)
		sip_session_release(&s[i]);
	bed.a.log[0] = '\0';
}

/* RFC 3262 3: T1, 2*T1, 4*T1... then PRACK stops it; the next one waits for that. */
static void test_reliable_repeats(void **state)
{
	char rseq[512], rack[600];

	invite("Supported: 100rel\r\n", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE);
	sip_session_progress(bed.a.s, 183, NULL, sdp(101));
	assert_int_equal(raw_count(&raw, "SIP/2.0 180", 190), 4); /* 0, 20, 60, 140 ms */
	expect_header("Require", "100rel");
	raw_header(raw.text, "RSeq", rseq);
	in_dialog("PRACK", 11, "RAck: 1 10 INVITE\r\n", "");
	raw_expect(&raw, "SIP/2.0 481");
	in_dialog("PRACK", 12, "RAck: x\r\n", "");
	raw_expect(&raw, "SIP/2.0 481");
	snprintf(rack, sizeof(rack), "RAck: %s 10 INVITE\r\n", rseq);
	in_dialog("PRACK", 13, rack, "");
	raw_expect(&raw, "SIP/2.0 183");
	in_dialog("PRACK", 14, rack, ""); /* acknowledged already */
	raw_expect(&raw, "SIP/2.0 481");
	raw_expect(&raw, "SIP/2.0 183");
	snprintf(rack, sizeof(rack), "RAck: %s 10 INVITE\r\n", raw_header(raw.text, "RSeq", rseq));
	in_dialog("PRACK", 15, rack, "");
	raw_expect(&raw, "SIP/2.0 200");
	expect_header("CSeq", "15 PRACK");
	expect(&bed.a, "invite+1");
}

static void test_no_prack(void **state)
{
	bed.timers.t1_us = 5 * MSEC;
	invite("Require: 100rel\r\n", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_progress(bed.a.s, 183, NULL, sdp(101));
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE); /* must wait, in vain */
	raw_expect(&raw, "SIP/2.0 183");
	run_ms(64 * 5 - 60);
	expect(&bed.a, "invite+1");
	raw_expect(&raw, "SIP/2.0 504");
	expect(&bed.a, "ended:2");
	assert_int_equal(raw_count(&raw, "SIP/2.0 200", 20), 0);
}

/* 13.3.1.4: repeated up to T2, then BYE that says why. */
static void test_no_ack(void **state)
{
	uint64_t start;
	int n;

	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN("X-Extra: 1\r\n"));
	start = clock_mono_us();
	n = raw_count(&raw, "SIP/2.0 200", 64 * BED_T1_MS - 100); /* 0 20 60 140 300 460 ... */
	assert_true(n >= 7 && n <= 10);
	expect_header("X-Extra", "1");
	expect(&bed.a, "invite+1");
	raw_expect(&raw, "BYE ");
	assert_true(clock_mono_us() - start >= 64 * BED_T1_MS * MSEC);
	expect_header("Reason", "SIP;cause=408;text=\"no ACK for 200\"");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "ended:1");
}

/* The user gave up meanwhile: BYE all the same, and nothing is told. */
static void test_no_ack_after_end(void **state)
{
	bed.timers.t1_us = 5 * MSEC;
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	sip_session_end(bed.a.s, SPAN("Reason: Q.850;cause=31\r\n"));
	sip_session_release(&bed.a.s);
	run_ms(64 * 5 - 50);
	raw_expect(&raw, "BYE ");
	expect_header("Reason", "Q.850;cause=31");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "invite+1");
}

static void test_ack(void **state)
{
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("ACK", 9, "", ""); /* of something else */
	assert_true(raw_count(&raw, "SIP/2.0 200", 60) > 0);
	in_dialog("ACK", 10, "", "");
	in_dialog("ACK", 10, "", "");
	expect(&bed.a, "invite+1 ack");
	assert_int_equal(raw_count(&raw, "SIP/2.0 200", 200), 0);
}

static void test_ack_without_answer(void **state)
{
	invite("", "");
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("ACK", 10, "", "");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "invite ended:8");
}

/* To a late offer with Require: 100rel no provisional can go without an offer in it: none goes. */
static void test_late_offer_100rel(void **state)
{
	invite("Require: 100rel\r\n", "");
	raw_expect(&raw, "SIP/2.0 100");
	assert_int_equal(sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE), 0);
	assert_int_equal(raw_count(&raw, "SIP/2.0 180", 30), 0);
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("ACK", 10, "", sdp_text(1));
	expect(&bed.a, "invite ack+1");
}

/* PRACK with a new offer (RFC 3262 5): its answer goes into the 200 to PRACK, and the INVITE's 200 waits. */
static void test_prack_offer(void **state)
{
	char rseq[512], rack[600];

	invite("Supported: 100rel\r\n", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_progress(bed.a.s, 183, NULL, sdp(101));
	raw_expect(&raw, "SIP/2.0 183");
	snprintf(rack, sizeof(rack), "RAck: %s 10 INVITE\r\n", raw_header(raw.text, "RSeq", rseq));
	in_dialog("PRACK", 11, rack, sdp_text(2));
	expect(&bed.a, "invite+1 offer+2");
	assert_int_equal(sip_session_answer(bed.a.s, sdp(102), SPAN_NONE), 0);
	assert_false(sip_session_is_answered(bed.a.s));
	assert_int_equal(sip_session_accept(bed.a.s, sdp(102)), 0);
	raw_expect(&raw, "SIP/2.0 200");
	expect_header("CSeq", "11 PRACK");
	assert_int_equal(sdp_version(span_of(raw.text)), 102);
	raw_expect(&raw, "SIP/2.0 200");
	expect_header("CSeq", "10 INVITE");
	assert_int_equal(sdp_version(span_of(raw.text)), 0);
	in_dialog("ACK", 10, "", "");
	expect(&bed.a, "ack");
}

/* BYE instead of CANCEL, before the answer (15.1.2). */
static void test_early_bye(void **state)
{
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 180");
	in_dialog("BYE", 11, "", "");
	raw_expect(&raw, "SIP/2.0 200");
	raw_expect(&raw, "SIP/2.0 487");
	expect_header("CSeq", "10 INVITE");
	expect(&bed.a, "invite+1 bye");
}

static void test_bye_instead_of_ack(void **state)
{
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("BYE", 11, "", "");
	expect(&bed.a, "invite+1 bye");
	run_ms(5);
	raw_count(&raw, "", 5);
	assert_int_equal(raw_count(&raw, "SIP/2.0 200", 100), 0);
}

/* 12.1.1: route set in the order given, Record-Route copied into the answer. */
static void test_routes(void **state)
{
	char rr[256];

	snprintf(rr, sizeof(rr), "<sip:%s:%d;lr>, <sip:p2@10.2.2.2;lr>", raw.host, BED_PORT);
	char extra[300];
	snprintf(extra, sizeof(extra), "Record-Route: %s\r\n", rr);
	invite(extra, sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	sip_session_answer(bed.a.s, sdp(101), SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 200");
	expect_header("Record-Route", rr);
	in_dialog("ACK", 10, "", "");
	expect(&bed.a, "invite+1 ack");
	sip_session_end(bed.a.s, SPAN_NONE);
	raw_expect(&raw, "BYE sip:raw@");
	expect_header("Route", rr);
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

static void test_progress_bounded(void **state)
{
	invite("Supported: 100rel\r\n", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	for (int i = 0; i < 1 + SES_QUEUE_MAX; i++)
		assert_int_equal(sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE), 0);
	assert_int_equal(sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE), -ENOBUFS);
	assert_int_equal(sip_session_dropped(bed.a.s), 1);
	assert_int_equal(sip_session_progress(bed.a.s, 200, NULL, SPAN_NONE), -EINVAL);
	sip_session_refuse(bed.a.s, 486, NULL, SPAN_NONE);
	raw_expect(&raw, "SIP/2.0 486");
	assert_int_equal(sip_session_progress(bed.a.s, 180, NULL, SPAN_NONE), -ENOTCONN);
	bed.a.log[0] = '\0';
}

static void test_info_bounded(void **state)
{
	invite("", sdp_text(1));
	raw_expect(&raw, "SIP/2.0 100");
	for (unsigned i = 0; i < SES_QUEUE_MAX; i++)
		in_dialog("INFO", 11 + i, "", "");
	in_dialog("INFO", 99, "", "");
	raw_expect(&raw, "SIP/2.0 503");
	expect_header("CSeq", "99 INFO");
	bed.a.log[0] = '\0';
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reliable_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_prack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_ack_after_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ack_without_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_offer_100rel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prack_offer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_bye, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bye_instead_of_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_info_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
