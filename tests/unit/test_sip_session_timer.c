/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 4028: who refreshes, how, and what becomes of a session that is not refreshed. */
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

static void short_timers(unsigned seconds)
{
	sip_ses_min_se_floor = 1;
	bed.a.config.min_se_s = bed.b.config.min_se_s = 1;
	bed.a.config.session_expires_s = bed.b.config.session_expires_s = seconds;
}

static void timer_is(const struct side *side, uint32_t expires, bool we)
{
	bool we_refresh;

	assert_int_equal(sip_session_timer(side->s, &we_refresh), expires);
	assert_int_equal(we_refresh, we);
}

static void refreshed(bool update)
{
	short_timers(1);
	bed.a.config.refresh_segment = 4;
	if (!update)
		without_update();
	talk(NET_UDP);
	timer_is(&bed.a, 1, true);
	timer_is(&bed.b, 1, false);
	run_ms(620); /* two refreshes, at 0.25 and 0.5 s */
	assert_int_equal(wired(&bed.a, update ? ">>UPDATE " : ">>INVITE "), update ? 2 : 3);
	assert_true(wired(&bed.a, "Session-Expires: 1;refresher=uac") >= 4);
	assert_string_equal(bed.a.log, "");
	assert_string_equal(bed.b.log, update ? "" : "ack ack ");
	bed.b.log[0] = '\0';
}

static void test_refresh_by_update(void **state)
{
	refreshed(true);
}

static void test_refresh_by_reinvite(void **state)
{
	refreshed(false);
}

/* A caller without session timer: the callee refreshes (RFC 4028 9). */
static void test_callee_refreshes(void **state)
{
	short_timers(1);
	bed.a.config.timer = false;
	bed.b.config.refresh_segment = 4;
	talk(NET_UDP);
	timer_is(&bed.a, 0, false);
	timer_is(&bed.b, 1, true);
	run_ms(380);
	assert_int_equal(wired(&bed.b, ">>UPDATE "), 1);
	assert_int_equal(wired(&bed.b, "<<SIP/2.0 200"), 1);
}

static void test_callee_without_timer(void **state)
{
	short_timers(1);
	bed.b.config.timer = false;
	bed.a.config.refresh_segment = 4;
	talk(NET_UDP);
	timer_is(&bed.a, 1, true);
	timer_is(&bed.b, 0, false);
	run_ms(380);
	assert_int_equal(wired(&bed.a, ">>UPDATE "), 1);
}

/* The peer is to refresh and does not: BYE at the interval less a third of it (section 10). */
static void test_expired(void **state)
{
	short_timers(1);
	assert_int_equal(dial(NET_UDP, raw.host, 1), 0);
	raw_expect(&raw, "INVITE ");
	raw_answer(&raw, raw.text, "200 OK", "f1", "Session-Expires: 1;refresher=uas\r\n",
		   sdp_text(101));
	raw_expect(&raw, "ACK ");
	expect(&bed.a, "answer:200+101");
	timer_is(&bed.a, 1, false);
	expect_quiet(&bed.a, 550);
	expect(&bed.a, "ended:3");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

static void test_refresh_rejected(void **state)
{
	short_timers(1);
	raw_talk();
	raw_expect(&raw, "UPDATE ");
	raw_answer(&raw, raw.text, "404 Not here", NULL, "", "");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
	expect(&bed.a, "ended:4");
}

/* A refusal that says nothing about the dialog: the session lives until it expires. */
static void test_refresh_refused_softly(void **state)
{
	short_timers(1);
	bed.a.config.refresh_segment = 4;
	raw_talk();
	for (int i = 0; i < 2; i++) {
		raw_expect(&raw, "UPDATE ");
		raw_answer(&raw, raw.text, "500 Busy", NULL, "", "");
	}
	expect(&bed.a, "ended:4");
	raw_expect(&raw, "BYE ");
	raw_answer(&raw, raw.text, "200 OK", NULL, "", "");
}

static void test_refresh_unanswered(void **state)
{
	short_timers(1);
	raw_talk();
	raw_expect(&raw, "UPDATE ");
	raw_answer(&raw, raw.text, "481 What", NULL, "", "");
	expect(&bed.a, "ended:5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refresh_by_update, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_refresh_by_reinvite, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_callee_refreshes, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_callee_without_timer, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_expired, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_refresh_rejected, raw_setup, raw_teardown),
		cmocka_unit_test_setup_teardown(test_refresh_refused_softly, raw_setup,
						raw_teardown),
		cmocka_unit_test_setup_teardown(test_refresh_unanswered, raw_setup, raw_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
