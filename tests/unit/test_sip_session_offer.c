/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Offers within a session, both ways and across each other. */
#include "sip_session_bed.h"

static struct raw raw;

static int raw_setup(void **state)
{
	bed_setup(state);
	raw_open(&raw, 13);
	return 0;
}

static int raw_teardown(void **state)
{
	raw_close(&raw);
	return bed_teardown(state);
}

static void without_update(void)
{
	bed.a.config.update = bed.b.config.update = false;
}

static void test_reinvite(void **state)
{
	without_update();
	talk(NET_UDP);
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
	assert_int_equal(sip_session_offer(bed.a.s, sdp(3)), -EBUSY);
	expect(&bed.b, "offer+2");
	assert_int_equal(sip_session_offer(bed.b.s, sdp(3)), -EBUSY);
	assert_int_equal(sip_session_accept(bed.b.s, sdp(102)), 0);
	assert_int_equal(sip_session_accept(bed.b.s, sdp(102)), -ECANCELED);
	expect(&bed.a, "result:200+102");
	expect(&bed.b, "ack");
	assert_int_equal(sip_session_offer(bed.b.s, sdp(103)), 0);
	expect(&bed.a, "offer+103");
	sip_session_reject(bed.a.s, 488, SPAN("Warning: 304 x \"no\"\r\n"));
	expect(&bed.b, "result:488");
	assert_int_equal(wired(&bed.b, "Warning: 304 x"), 1);
	assert_int_equal(wired(&bed.a, "UPDATE sip:"), 0);
	assert_int_equal(sip_session_offer(bed.b.s, sdp(103)), 0); /* goes on as before */
	expect(&bed.a, "offer+103");
}

static void test_update(void **state)
{
	talk(NET_UDP);
	assert_int_equal(sip_session_offer(bed.b.s, sdp(102)), 0);
	expect(&bed.a, "offer+102");
	sip_session_accept(bed.a.s, sdp(2));
	expect(&bed.b, "result:200+2");
	sip_session_offer(bed.a.s, sdp(3));
	expect(&bed.b, "offer+3");
	sip_session_reject(bed.b.s, 488, SPAN_NONE);
	expect(&bed.a, "result:488");
	assert_int_equal(wired(&bed.a, ">>UPDATE "), 1);
	assert_int_equal(wired(&bed.a, ">>INVITE "), 1);
}

static void test_empty_reinvite(void **state)
{
	talk(NET_UDP);
	assert_int_equal(sip_session_offer(bed.a.s, SPAN_NONE), 0);
	expect(&bed.b, "offer-");
	assert_int_equal(sip_session_accept(bed.b.s, SPAN_NONE), -EINVAL);
	assert_int_equal(sip_session_accept(bed.b.s, sdp(102)), 0);
	expect(&bed.a, "result:200+102");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), -EBUSY);
	assert_int_equal(sip_session_ack(bed.a.s, sdp(2)), 0);
	expect(&bed.b, "ack+2");
	assert_int_equal(sip_session_offer(bed.b.s, sdp(103)), 0);
	expect(&bed.a, "offer+103");
}

static void accepts(struct side *side, const char *word, const struct sip_event *ev)
{
	if (strncmp(word, "offer", 5) == 0)
		sip_session_accept(side->s, sdp(sdp_version(ev->sdp) + 50));
}

/* 14.1: both offer at once, both get 491, both try again at times that differ, and both succeed. */
static void test_glare(void **state)
{
	sip_ses_glare_unit_us = MSEC;
	without_update();
	talk(NET_UDP);
	bed.a.hook = bed.b.hook = accepts;
	sip_session_offer(bed.a.s, sdp(2));
	sip_session_offer(bed.b.s, sdp(102));
	run_ms(50);
	assert_int_equal(wired(&bed.a, ">>SIP/2.0 491") + wired(&bed.b, ">>SIP/2.0 491"), 2);
	for (int i = 0; i < 100 && !strstr(bed.a.log, "result"); i++)
		run_ms(10);
	/* b, who does not own the Call-ID, is through before a begins: 0.2 s here, for 2 s. */
	assert_string_equal(bed.a.log, "offer+102 ack result:200+52 ");
	assert_non_null(strstr(bed.b.log, "result:200+152 offer+2"));
	bed.a.log[0] = bed.b.log[0] = '\0';
}

static void test_early_update(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), -EOPNOTSUPP); /* no dialog */
	assert_int_equal(sip_session_offer(bed.b.s, sdp(102)), -EBUSY); /* their offer first */
	sip_session_progress(bed.b.s, 183, NULL, sdp(101));
	assert_int_equal(sip_session_offer(bed.b.s, sdp(102)),
			 -EBUSY); /* no PRACK yet (RFC 3311 5.1) */
	expect(&bed.a, "trying progress:183+101");
	assert_int_equal(sip_session_offer(bed.a.s, SPAN_NONE), -EOPNOTSUPP);
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
	expect(&bed.b, "offer+2");
	sip_session_accept(bed.b.s, sdp(102));
	expect(&bed.a, "result:200+102");
	assert_int_equal(sip_session_offer(bed.b.s, sdp(103)), 0);
	expect(&bed.a, "offer+103");
	sip_session_accept(bed.a.s, sdp(3));
	expect(&bed.b, "result:200+3");
	sip_session_answer(bed.b.s, sdp(103), SPAN_NONE);
	expect(&bed.a, "answer:200");
	expect(&bed.b, "ack");
	assert_true(span_eq(sip_text_span(bed.a.s->sent_sdp), sdp(3)));
}

/* A pending re-INVITE and a BYE cross. */
static void test_bye_crosses_reinvite(void **state)
{
	without_update();
	talk(NET_UDP);
	sip_session_offer(bed.a.s, sdp(2));
	expect(&bed.b, "offer+2");
	sip_session_end(bed.b.s, SPAN_NONE);
	expect(&bed.a, "result:487 bye"); /* in this order they were sent */
	assert_int_equal(wired(&bed.a, "<<SIP/2.0 487"), 1);
	assert_int_equal(sip_session_accept(bed.b.s, sdp(102)), -ENOTCONN);
	expect_quiet(&bed.a, 10);
	expect_quiet(&bed.b, 10);
}

static void test_end_with_reinvite_pending(void **state)
{
	without_update();
	talk(NET_UDP);
	sip_session_offer(bed.a.s, sdp(2));
	expect(&bed.b, "offer+2");
	sip_session_release(&bed.a.s);
	expect(&bed.b, "bye");
	assert_int_equal(wired(&bed.b, ">>SIP/2.0 487"), 1);
}

/* ---- against raw peers -------------------------------------------------------------------- */

static char call_id[512];

static void raw_talk(void)
{
	assert_int_equal(dial(NET_UDP, raw.host, 1), 0);
	raw_expect(&raw, "INVITE ");
	raw_header(raw.text, "Call-ID", call_id);
	raw_answer(&raw, raw.text, "200 OK", "f1", "Allow: INVITE, UPDATE\r\n", sdp_text(101));
	raw_expect(&raw, "ACK ");
	expect(&bed.a, "answer:200+101");
}

static void in_dialog(const char *method, unsigned cseq, const char *extra, const char *body)
{
	raw_request(&raw, method, call_id, "f1", bed.a.s->tag, cseq, extra, body);
}

/* The same SDP again: answered with ours, and nobody is troubled. */
static void test_refresh_unseen(void **state)
{
	raw_talk();
	in_dialog("INVITE", 5, "", sdp_text(101));
	raw_expect(&raw, "SIP/2.0 200");
	assert_int_equal(sdp_version(span_of(raw.text)), 1);
	in_dialog("ACK", 5, "", "");
	in_dialog("UPDATE", 6, "", "");
	raw_expect(&raw, "SIP/2.0 200");
	assert_int_equal(sdp_version(span_of(raw.text)), 0);
	in_dialog("UPDATE", 7, "", sdp_text(101));
	raw_expect(&raw, "SIP/2.0 200");
	assert_int_equal(sdp_version(span_of(raw.text)), 1);
	expect(&bed.a, "ack");
	in_dialog("UPDATE", 8, "", sdp_text(102));
	expect(&bed.a, "offer+102");
}

/* 14.2, RFC 3311 5.2: who is told 491, and who 500 with Retry-After. */
static void test_collisions(void **state)
{
	char retry[512];

	raw_talk();
	in_dialog("UPDATE", 5, "", sdp_text(102));
	expect(&bed.a, "offer+102");
	in_dialog("UPDATE", 6, "", sdp_text(103));
	raw_expect(&raw, "SIP/2.0 500");
	assert_true(strtol(raw_header(raw.text, "Retry-After", retry), NULL, 10) <= 10 && retry[0]);
	in_dialog("INVITE", 7, "", sdp_text(103));
	raw_expect(&raw, "SIP/2.0 500");
	in_dialog("ACK", 7, "", "");
	sip_session_accept(bed.a.s, sdp(2));
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("INVITE", 8, "", sdp_text(104));
	expect(&bed.a, "offer+104");
	in_dialog("INVITE", 9, "", sdp_text(105));
	raw_expect(&raw, "SIP/2.0 500");
	in_dialog("ACK", 9, "", "");
	sip_session_accept(bed.a.s, sdp(3));
	raw_expect(&raw, "SIP/2.0 200");
	in_dialog("ACK", 8, "", "");
	expect(&bed.a, "ack");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(4)), 0);
	raw_expect(&raw, "UPDATE ");
	in_dialog("UPDATE", 10, "", sdp_text(106));
	raw_expect(&raw, "SIP/2.0 491");
	in_dialog("INVITE", 11, "", sdp_text(106));
	raw_expect(&raw, "SIP/2.0 491");
	in_dialog("ACK", 11, "", "");
	in_dialog("UPDATE", 12, "", ""); /* no offer, no collision */
	raw_expect(&raw, "SIP/2.0 200");
}

static void test_491_given_up(void **state)
{
	raw_talk();
	sip_session_offer(bed.a.s, sdp(2));
	raw_expect(&raw, "UPDATE ");
	bed.a.s->offer->tries = SES_GLARE_TRIES;
	raw_answer(&raw, raw.text, "491 Pending", NULL, "", "");
	expect(&bed.a, "result:491");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
	raw_expect(&raw, "UPDATE ");
	raw_answer(&raw, raw.text, "501 What", NULL, "", ""); /* their Allow lied: re-INVITE */
	raw_expect(&raw, "INVITE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", sdp_text(102));
	expect(&bed.a, "result:200+102");
}

static void test_offer_gone(void **state)
{
	raw_talk();
	sip_session_offer(bed.a.s, sdp(2));
	raw_expect(&raw, "UPDATE ");
	raw_answer(&raw, raw.text, "408 Timeout", NULL, "", "");
	expect(&bed.a, "result:408 ended:6");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

static void test_offer_without_answer(void **state)
{
	bed.a.config.update = false;
	raw_talk();
	sip_session_offer(bed.a.s, sdp(2));
	raw_expect(&raw, "INVITE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	raw_expect(&raw, "ACK ");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "ended:8");
}

/* Target refresh: requests go to the new Contact. */
static void test_target_refresh(void **state)
{
	char mine[32];

	bed.a.config.request_address = 0; /* the address of the test does not change */
	raw_talk();
	memcpy(mine, raw.host, sizeof(mine));
	snprintf(raw.host, sizeof(raw.host), "moved.example.invalid");
	in_dialog("UPDATE", 5, "", "");
	memcpy(raw.host, mine, sizeof(mine));
	raw_expect(&raw, "SIP/2.0 200");
	sip_session_end(bed.a.s, SPAN_NONE);
	raw_expect(&raw, "BYE sip:raw@moved.example.invalid:");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

static void test_cancelled_reinvite(void **state)
{
	char via[512], cancel[2048];

	raw_talk();
	in_dialog("INVITE", 5, "", sdp_text(102));
	expect(&bed.a, "offer+102");
	raw_expect(&raw, "SIP/2.0 100");
	raw_header(raw.text, "Via", via);
	via[strcspn(via, ";")] = '\0';
	snprintf(cancel, sizeof(cancel),
		 "CANCEL sip:x@%s SIP/2.0\r\nVia: %s;rport;branch=%s\r\nMax-Forwards: 70\r\n"
		 "From: <sip:raw@%s>;tag=f1\r\nTo: <sip:alice@%s>;tag=%s\r\nCall-ID: %s\r\nCSeq: 5 "
		 "CANCEL\r\n"
		 "Content-Length: 0\r\n\r\n",
		 bed.a.host, via, ({
			 char *b = strstr(raw.text, "branch=") + 7;
			 b[strcspn(b, ";\r")] = '\0';
			 b;
		 }),
		 raw.host, bed.a.host, bed.a.s->tag, call_id);
	raw_send(&raw, cancel);
	raw_expect(&raw, "SIP/2.0 487");
	assert_int_equal(sip_session_accept(bed.a.s, sdp(2)), -ECANCELED);
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reinvite, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_update, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_empty_reinvite, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_glare, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_early_update, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_bye_crosses_reinvite, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_end_with_reinvite_pending, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_refresh_unseen, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_collisions, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_491_given_up, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_offer_gone, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_offer_without_answer, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_target_refresh, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_cancelled_reinvite, raw_setup, raw_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
