/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls between two stacks: set-up, early media, late offer, cancel, the end; and that a session may be
 * released within any upcall. */
#include "sip_session_bed.h"

static void test_basic(void **state)
{
	talk(NET_UDP);
	assert_true(sip_session_is_answered(bed.a.s));
	assert_true(sip_session_is_answered(bed.b.s));
	assert_string_equal(sip_session_peer_product(bed.a.s), "bob");
	assert_string_equal(sip_session_peer_product(bed.b.s), "alice");
	assert_true(sip_session_peer_allows(bed.a.s, SIP_UPDATE));
	assert_true(span_eq(sip_session_call_id(bed.a.s), sip_session_call_id(bed.b.s)));
	sip_session_end(bed.a.s, SPAN("Reason: Q.850;cause=16\r\n"));
	expect(&bed.b, "bye");
	assert_int_equal(wired(&bed.b, "Reason: Q.850;cause=16"), 1);
	assert_int_equal(wired(&bed.a, ">>ACK "), 1);
	expect_quiet(&bed.a, 20);
}

static void test_callee_hangs_up_tcp(void **state)
{
	talk(NET_TCP);
	assert_true(wired(&bed.a, ";transport=tcp>") > 0);
	sip_session_end(bed.b.s, SPAN_NONE);
	expect(&bed.a, "bye");
}

static void test_contact(void **state)
{
	char contact[120];

	talk(NET_UDP);
	snprintf(contact, sizeof(contact), "Contact: <sip:%.13s@%s:%d>\r\n", bed.a.s->tag,
		 bed.a.host, BED_PORT);
	assert_true(wired(&bed.a, contact) > 0);
	assert_true(wired(&bed.a,
			  "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO\r\n") > 0);
	assert_true(wired(&bed.a, "Supported: timer, 100rel\r\n") > 0);
	assert_true(wired(&bed.a, "User-Agent: alice\r\n") > 0);
	assert_true(wired(&bed.a, "Server: bob\r\n") > 0);
	assert_true(wired(&bed.a, "Session-Expires: 1800\r\n") > 0);
	assert_true(wired(&bed.a, "Session-Expires: 1800;refresher=uac\r\n") > 0);
}

static void test_early_media_reliable(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	assert_int_equal(sip_session_progress(bed.b.s, 180, NULL, SPAN_NONE), 0);
	assert_int_equal(sip_session_progress(bed.b.s, 183, "Media", sdp(101)),
			 0); /* waits for the first PRACK */
	expect(&bed.a, "trying progress:180 progress:183+101");
	run_ms(30);
	assert_int_equal(wired(&bed.a, ">>PRACK "), 2);
	assert_int_equal(sip_session_answer(bed.b.s, sdp(101), SPAN_NONE), 0);
	expect(&bed.a, "answer:200"); /* the answer came before (13.2.1) */
	expect(&bed.b, "ack");
}

static void test_answer_waits_for_prack(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	sip_session_progress(bed.b.s, 183, NULL, sdp(101));
	assert_int_equal(sip_session_answer(bed.b.s, sdp(101), SPAN_NONE), 0);
	assert_false(sip_session_is_answered(bed.b.s));
	assert_int_equal(sip_session_answer(bed.b.s, sdp(101), SPAN_NONE), -EALREADY);
	expect(&bed.a, "trying progress:183+101 answer:200");
	expect(&bed.b, "ack");
}

static void test_early_media_unreliable(void **state)
{
	bed.a.config.rel100 = SIP_100REL_OFF;
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	sip_session_progress(bed.b.s, 183, NULL, sdp(101));
	sip_session_progress(bed.b.s, 180, NULL, SPAN_NONE);
	expect(&bed.a, "trying progress:183+101 progress:180");
	sip_session_answer(bed.b.s, sdp(101), SPAN_NONE);
	expect(&bed.a, "answer:200+101");
	assert_int_equal(wired(&bed.a, ">>PRACK "), 0);
}

static void test_late_offer(void **state)
{
	dial(NET_UDP, bed.b.host, 0);
	expect(&bed.b, "invite");
	sip_session_progress(bed.b.s, 183, NULL, sdp(101)); /* SDP must wait for the 2xx */
	assert_int_equal(sip_session_answer(bed.b.s, SPAN_NONE, SPAN_NONE), -EINVAL);
	assert_int_equal(sip_session_answer(bed.b.s, sdp(101), SPAN_NONE), 0);
	expect(&bed.a, "trying progress:183 answer:200+101");
	run_ms(60);
	assert_int_equal(wired(&bed.a, ">>ACK "), 0);
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), -EBUSY);
	assert_int_equal(sip_session_ack(bed.a.s, sdp(1)), 0);
	assert_int_equal(sip_session_ack(bed.a.s, sdp(1)), -EALREADY);
	expect(&bed.b, "ack+1");
	assert_int_equal(sip_session_offer(bed.a.s, sdp(2)), 0);
	expect(&bed.b, "offer+2");
}

static void test_refuse(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	sip_session_refuse(bed.b.s, 486, "No time", SPAN("Reason: Q.850;cause=17\r\n"));
	expect(&bed.a, "trying failed:486");
	assert_int_equal(wired(&bed.a, "SIP/2.0 486 No time\r\n"), 1);
	assert_int_equal(wired(&bed.a, "Reason: Q.850;cause=17\r\n"), 1);
	expect_quiet(&bed.b, 20);
}

static void test_cancel(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	sip_session_progress(bed.b.s, 180, NULL, SPAN_NONE);
	expect(&bed.a, "trying progress:180");
	sip_session_end(bed.a.s, SPAN("X-Y: z\r\nReason: SIP;cause=600\r\n"));
	expect(&bed.b, "cancel");
	assert_int_equal(wired(&bed.b, "Reason: SIP;cause=600"), 1);
	assert_int_equal(wired(&bed.b, ">>SIP/2.0 487"), 1);
	expect_quiet(&bed.a, 50);
}

static void test_callee_ends_unanswered(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	sip_session_end(bed.b.s, SPAN_NONE);
	expect(&bed.a, "trying failed:487");
}

/* CANCEL and 200 cross: ACK and BYE at once, and the callee hears of a call that ended. */
static void test_cancel_crosses_200(void **state)
{
	dial(NET_UDP, bed.b.host, 1);
	expect(&bed.b, "invite+1");
	expect(&bed.a, "trying");
	sip_session_answer(bed.b.s, sdp(101), SPAN_NONE);
	sip_session_end(bed.a.s, SPAN_NONE);
	sip_session_release(&bed.a.s);
	expect(&bed.b, "ack bye");
	assert_int_equal(wired(&bed.a, ">>BYE "), 1);
}

/* The callee hangs up before the ACK: BYE only after it (15). */
static void test_bye_waits_for_ack(void **state)
{
	dial(NET_UDP, bed.b.host, 0);
	expect(&bed.b, "invite");
	sip_session_answer(bed.b.s, sdp(101), SPAN_NONE);
	sip_session_end(bed.b.s, SPAN("Reason: Q.850;cause=41\r\n"));
	expect(&bed.a, "trying answer:200+101");
	run_ms(50);
	assert_int_equal(wired(&bed.b, ">>BYE "), 0);
	sip_session_ack(bed.a.s, sdp(1));
	expect(&bed.a, "bye");
	assert_int_equal(wired(&bed.a, "Reason: Q.850;cause=41"), 1);
	expect_quiet(&bed.b, 20);
}

static void test_hang_up_without_answering_offer(void **state)
{
	dial(NET_UDP, bed.b.host, 0);
	expect(&bed.b, "invite");
	sip_session_answer(bed.b.s, sdp(101), SPAN_NONE);
	expect(&bed.a, "trying answer:200+101");
	sip_session_end(bed.a.s, SPAN_NONE);
	run_ms(100);
	/* The ACK had no answer in it, which ends the call on that side too. */
	assert_true(strstr(bed.b.log, "ended:8") || strstr(bed.b.log, "bye"));
	bed.b.log[0] = '\0';
}

static void test_bye_crossing(void **state)
{
	talk(NET_UDP);
	sip_session_end(bed.a.s, SPAN_NONE);
	sip_session_end(bed.b.s, SPAN_NONE);
	run_ms(50);
	assert_int_equal(wired(&bed.a, "<<SIP/2.0 200"), 2); /* INVITE's, BYE's */
	assert_int_equal(wired(&bed.a, ">>SIP/2.0 200"), 1);
	expect_quiet(&bed.a, 1);
	expect_quiet(&bed.b, 1);
}

static void test_info_both_ways(void **state)
{
	talk(NET_UDP);
	assert_int_equal(sip_session_request(bed.a.s, SPAN("INFO"), SPAN("X-A: 1\r\n"),
					     "application/dtmf-relay", SPAN("Signal=5\r\n"),
					     &bed.a),
			 0);
	expect(&bed.b, "request:INFO");
	sip_session_respond(bed.b.s, bed.b.tx, NULL, 200, SPAN("X-B: 2\r\n"), NULL, SPAN_NONE);
	expect(&bed.a, "reqresult:200");
	assert_int_equal(wired(&bed.b, "Signal=5"), 1);
	assert_int_equal(wired(&bed.a, "X-B: 2"), 1);
	assert_int_equal(sip_session_request(bed.b.s, SPAN("MESSAGE"), SPAN_NONE, "text/plain",
					     SPAN("hi"), &bed.b),
			 0);
	expect(&bed.a, "request:MESSAGE");
	/* Never answered: the end of the session does it. */
	sip_session_end(bed.a.s, SPAN_NONE);
	run_ms(50);
	assert_int_equal(wired(&bed.b, "<<SIP/2.0 487"), 1);
	assert_int_equal(
		sip_session_request(bed.a.s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, &bed.a),
		-ENOTCONN);
	assert_int_equal(
		sip_session_request(bed.b.s, SPAN("BYE"), SPAN_NONE, NULL, SPAN_NONE, &bed.b),
		-EINVAL);
	bed.b.log[0] = '\0';
}

static void test_info_bounded(void **state)
{
	talk(NET_UDP);
	for (int i = 0; i < SES_QUEUE_MAX; i++)
		assert_int_equal(sip_session_request(bed.a.s, SPAN("INFO"), SPAN_NONE, NULL,
						     SPAN_NONE, &bed.a),
				 0);
	assert_int_equal(
		sip_session_request(bed.a.s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, &bed.a),
		-ENOBUFS);
	assert_int_equal(sip_session_dropped(bed.a.s), 1);
	sip_session_release(&bed.a.s);
	run_ms(50);
	bed.a.log[0] = bed.b.log[0] = '\0';
}

/* ---- releasing within upcalls ------------------------------------------------------------ */

static void b_rings_and_answers(struct side *side, const char *word, const struct sip_event *ev)
{
	if (strncmp(word, "invite", 6) == 0) {
		sip_session_progress(side->s, 183, NULL, ev->sdp.len ? sdp(101) : SPAN_NONE);
		sip_session_answer(side->s, sdp(101), SPAN_NONE);
	} else if (strncmp(word, "offer", 5) == 0 && side->s) {
		sip_session_accept(side->s, sdp(102));
	} else if (strncmp(word, "request", 7) == 0 && side->s) {
		sip_session_respond(side->s, side->tx, ev->msg, 200, SPAN_NONE, NULL, SPAN_NONE);
	}
}

static void a_goes_on(struct side *side, const char *word, const struct sip_event *ev)
{
	if (strncmp(word, "answer", 6) == 0) {
		sip_session_offer(side->s, sdp(2));
	} else if (strncmp(word, "result", 6) == 0) {
		sip_session_request(side->s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, side);
	} else if (strncmp(word, "reqresult", 9) == 0) {
		sip_session_end(side->s, SPAN_NONE);
	}
}

static void release_at(const char *a, const char *b, bool update)
{
	bed.a.hook = a_goes_on;
	/* An answer at once leaves no time for 100. */
	bed.b.hook = a && strcmp(a, "trying") == 0 ? NULL : b_rings_and_answers;
	bed.a.release_at = a;
	bed.b.release_at = b;
	bed.a.config.update = update;
	assert_int_equal(dial(NET_UDP, bed.b.host, 1), 0);
	run_ms(80);
	if (a)
		assert_null(bed.a.s);
	if (b)
		assert_null(bed.b.s);
	sip_session_release(&bed.a.s);
	sip_session_release(&bed.b.s);
	run_ms(10);
	bed.a.log[0] = bed.b.log[0] = '\0';
}

static void test_release_in_upcalls(void **state)
{
	static const char *const at_a[] = { "trying", "progress:183+101", "answer:200",
					    "result:200+102", "reqresult:200" };
	static const char *const at_b[] = { "invite+1", "ack", "offer+2", "request:INFO", "bye" };

	for (size_t i = 0; i < ARRAY_SIZE(at_a); i++)
		release_at(at_a[i], NULL, i % 2);
	for (size_t i = 0; i < ARRAY_SIZE(at_b); i++)
		release_at(NULL, at_b[i], i % 2);
}

static void b_refuses(struct side *side, const char *word, const struct sip_event *ev)
{
	if (strncmp(word, "invite", 6) == 0)
		sip_session_refuse(side->s, 404, NULL, SPAN_NONE);
}

static void test_release_in_failed_and_cancel(void **state)
{
	bed.b.hook = b_refuses;
	bed.a.release_at = "failed:404";
	dial(NET_UDP, bed.b.host, 1);
	run_ms(50);
	assert_null(bed.a.s);
	sip_session_release(&bed.b.s);
	bed.b.hook = NULL;
	bed.b.release_at = "cancel";
	dial(NET_UDP, bed.b.host, 1);
	run_ms(30);
	sip_session_end(bed.a.s, SPAN_NONE);
	run_ms(50);
	assert_null(bed.b.s);
	bed.a.log[0] = bed.b.log[0] = '\0';
}

/* The stack goes while sessions linger: nothing is left behind (the sanitizer would tell). */
static void test_stack_freed_first(void **state)
{
	talk(NET_UDP);
	sip_session_offer(bed.b.s, sdp(102));
	sip_session_release(&bed.a.s);
	sip_session_release(&bed.b.s);
	assert_true(sip_stack_stats(bed.a.stack)->sessions_now == 1);
	sip_stack_free(&bed.a.stack);
	net_close(&bed.a.net);
	side_open(&bed.a, 11, "alice");
	bed.b.log[0] = '\0';
}

/* The callee's request finds the caller's listening port, or the connection that is there. */
static void test_tcp_connection_lost(void **state)
{
	char contact[120];

	talk(NET_TCP);
	snprintf(contact, sizeof(contact), "Contact: <sip:%.13s@%s:%d;transport=tcp>\r\n",
		 bed.a.s->tag, bed.a.host, BED_PORT);
	assert_int_equal(wired(&bed.b, contact), 1);
	bed.b.s->dialog->flow.conn = 0xffffff00; /* a connection that is no more */
	assert_int_equal(
		sip_session_request(bed.b.s, SPAN("INFO"), SPAN_NONE, NULL, SPAN_NONE, &bed.b), 0);
	expect(&bed.a, "request:INFO");
	sip_session_respond(bed.a.s, bed.a.tx, NULL, 200, SPAN_NONE, NULL, SPAN_NONE);
	expect(&bed.b, "reqresult:200");
}

/* The size that a hundred thousand calls multiply. */
static void test_size(void **state)
{
	size_t size;

	talk(NET_UDP);
	assert_true(sip_stack_stats(bed.a.stack)->sessions_now == 1);
	run_ms(64 * BED_T1_MS + 100); /* the INVITE's transaction is gone */
	assert_true(list_empty(&bed.a.s->uac_invites));
	assert_true(list_empty(&bed.b.s->uas_invites));
	size = sizeof(struct sip_session) + sizeof(struct sip_dlg) + bed.a.s->call_id.len +
	       bed.a.s->local.len + bed.a.s->dialog->remote.len + bed.a.s->dialog->target.len +
	       bed.a.s->sent_sdp.len + 6 * 16;
	print_message("a quiet session: %zu bytes (struct %zu, dialog %zu)\n", size,
		      sizeof(struct sip_session), sizeof(struct sip_dlg));
	assert_true(size < 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_basic, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_callee_hangs_up_tcp, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_contact, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_early_media_reliable, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_answer_waits_for_prack, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_early_media_unreliable, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_late_offer, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_refuse, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_cancel, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_callee_ends_unanswered, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_cancel_crosses_200, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_bye_waits_for_ack, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_hang_up_without_answering_offer, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_bye_crossing, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_info_both_ways, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_info_bounded, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_release_in_upcalls, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_release_in_failed_and_cancel, bed_setup,
						bed_teardown),
		cmocka_unit_test_setup_teardown(test_stack_freed_first, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_tcp_connection_lost, bed_setup, bed_teardown),
		cmocka_unit_test_setup_teardown(test_size, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
