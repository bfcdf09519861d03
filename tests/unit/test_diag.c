/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diag: small dialogues made here, and the cause that is found; what looks alike must not be mixed up. */
#include "diag/diag.h"
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CALLER "198.51.100.7:5060"
#define CALLEE "203.0.113.9:5060"
#define BEGAN (1700000000ull * SEC)
#define FOREVER 200000 /* ms: the capture goes on */

static const char offer[] =
	"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
	"m=audio 4000 RTP/AVP 0\r\n";
static const char answer[] =
	"v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n"
	"m=audio 5000 RTP/AVP 0\r\n";

/* ---- a dialogue ---------------------------------------------------------------------------------- */

struct talk {
	struct diag *diag;
	struct capture_sink sink;
	uint64_t frame, last_us;
	const char *contact; /* of the called side's answers */
	const char *call_id;
};

static struct talk talk_new(void)
{
	struct talk t = { .contact = CALLEE, .call_id = "one@198.51.100.7" };

	assert_int_equal(diag_new(&t.diag), 0);
	t.sink = diag_sink(t.diag);
	return t;
}

static struct capture_where where(struct talk *t, unsigned ms, const char *src, const char *dst)
{
	struct capture_where w = { .frame = ++t->frame,
				   .utc_us = BEGAN + ms * MSEC,
				   .ip_id = (uint16_t)t->frame,
				   .ttl = 60 };

	assert_int_equal(net_addr_parse(&w.src, span_of(src), 0), 0);
	assert_int_equal(net_addr_parse(&w.dst, span_of(dst), 0), 0);
	t->last_us = w.utc_us > t->last_us ? w.utc_us : t->last_us;
	return w;
}

static void say(struct talk *t, unsigned ms, const char *src, const char *dst, const char *text)
{
	struct capture_where w = where(t, ms, src, dst);

	t->sink.sip(t->sink.arg, &w, CAPTURE_UDP, span_of(text));
}

/* `method` of the transaction, its number and branch; extra lines each with CRLF. */
static void message(struct talk *t, unsigned ms, const char *src, const char *dst,
		    const char *first, const char *method, unsigned cseq, bool tagged,
		    const char *extra, const char *body)
{
	char text[3000];
	bool by_caller = strcmp(method, "BYE-CALLEE") != 0;

	if (!by_caller)
		method = "BYE";
	snprintf(
		text, sizeof(text),
		"%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%u%s;rport\r\nFrom: %s%s\r\nTo: %s%s\r\n"
		"Call-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n%s%sContent-Length: "
		"%zu\r\n\r\n%s",
		first, by_caller ? CALLER : CALLEE, strcmp(method, "ACK") ? method : "INVITE", cseq,
		strcmp(method, "ACK") == 0 && tagged && cseq == 1 && !*extra ? "x" : "",
		by_caller ? "<sip:100@198.51.100.7>" : "<sip:200@203.0.113.9>",
		by_caller ? ";tag=a" : ";tag=b",
		by_caller ? "<sip:200@203.0.113.9>" : "<sip:100@198.51.100.7>",
		tagged ? by_caller ? ";tag=b" : ";tag=a" : "", t->call_id, cseq, method, extra,
		*body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	say(t, ms, src, dst, text);
}

static void invite(struct talk *t, unsigned ms)
{
	message(t, ms, CALLER, CALLEE, "INVITE sip:200@203.0.113.9 SIP/2.0", "INVITE", 1, false,
		"Contact: <sip:100@198.51.100.7>\r\n", offer);
}

static void responds(struct talk *t, unsigned ms, const char *status, const char *extra)
{
	char first[100], lines[300];
	bool ok = status[0] == '2';

	snprintf(first, sizeof(first), "SIP/2.0 %s", status);
	snprintf(lines, sizeof(lines), "%sContact: <sip:200@%s>\r\n", extra, t->contact);
	message(t, ms, CALLEE, CALLER, first, "INVITE", 1, strncmp(status, "100", 3) != 0, lines,
		ok ? answer : "");
}

static void ack(struct talk *t, unsigned ms, const char *dst)
{
	message(t, ms, CALLER, dst, "ACK sip:200@203.0.113.9 SIP/2.0", "ACK", 1, true, "", "");
}

static void bye(struct talk *t, unsigned ms, bool by_caller, const char *extra)
{
	message(t, ms, by_caller ? CALLER : CALLEE, by_caller ? CALLEE : CALLER,
		by_caller ? "BYE sip:200@203.0.113.9 SIP/2.0" : "BYE sip:100@198.51.100.7 SIP/2.0",
		by_caller ? "BYE" : "BYE-CALLEE", by_caller ? 2 : 7, true, extra, "");
}

static void bye_answered(struct talk *t, unsigned ms, bool by_caller)
{
	message(t, ms, by_caller ? CALLEE : CALLER, by_caller ? CALLER : CALLEE, "SIP/2.0 200 OK",
		by_caller ? "BYE" : "BYE-CALLEE", by_caller ? 2 : 7, true, "", "");
}

static void icmp(struct talk *t, unsigned ms)
{
	struct capture_where w = where(t, ms, CALLEE, CALLER);
	struct capture_icmp said = { .type = 3, .code = 3, .udp = true };

	assert_int_equal(net_addr_parse(&said.src, span_of(CALLER), 0), 0);
	assert_int_equal(net_addr_parse(&said.dst, span_of(CALLEE), 0), 0);
	t->sink.icmp(t->sink.arg, &w, &said);
}

static const struct diag_case *judged(struct talk *t, unsigned until_ms)
{
	struct capture_report report = { .first_us = BEGAN, .packets = t->frame };
	const struct diag_case *const *cases;

	report.last_us =
		BEGAN + until_ms * MSEC > t->last_us ? BEGAN + until_ms * MSEC : t->last_us;
	diag_finish(t->diag, &report);
	assert_int_not_equal(diag_cases(t->diag, &cases), 0);
	return cases[0];
}

static void expect(struct talk *t, unsigned until_ms, const char *code)
{
	const struct diag_case *c = judged(t, until_ms);
	const struct diag_verdict *v = &c->verdicts[0];

	assert_string_equal(diag_code_info(v->code)->name, code);
	assert_true(v->confidence >= 0.5 && v->confidence <= 0.9);
	assert_true(v->n_evidence > 0);
	assert_non_null(v->sentence);
	diag_free(&t->diag);
}

/* ---- silence has five causes ------------------------------------------------------------------------- */

static const unsigned ladder[] = { 0, 500, 1500, 3500, 7500, 15500, 31500 };

static void ask_in_vain(struct talk *t, unsigned from)
{
	for (size_t i = from; i < ARRAY_SIZE(ladder); i++)
		invite(t, ladder[i]);
}

static void test_no_response(void **state)
{
	struct talk t = talk_new();

	ask_in_vain(&t, 0);
	expect(&t, FOREVER, "NO_RESPONSE");
}

static void test_icmp(void **state)
{
	struct talk t = talk_new();

	ask_in_vain(&t, 0);
	icmp(&t, 2);
	expect(&t, FOREVER, "PEER_ICMP_UNREACHABLE");
}

static void test_100_and_nothing(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 20, "100 Trying", "");
	message(&t, 20000, CALLER, CALLEE, "CANCEL sip:200@203.0.113.9 SIP/2.0", "CANCEL", 1, false,
		"", "");
	message(&t, 20010, CALLEE, CALLER, "SIP/2.0 200 OK", "CANCEL", 1, true, "", "");
	responds(&t, 20020, "487 Request Terminated", "");
	expect(&t, FOREVER, "PROGRESS_TIMEOUT");
}

static void test_408_of_theirs(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 20, "100 Trying", "");
	responds(&t, 30000, "408 Request Timeout", "");
	ack(&t, 30010, CALLEE);
	expect(&t, FOREVER, "PEER_408");
}

/* ICMP that the far end's proxy ignored: its 408 is the consequence. */
static void test_icmp_then_408(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	icmp(&t, 3);
	responds(&t, 30000, "408 Request Timeout", "");
	expect(&t, FOREVER, "PEER_ICMP_UNREACHABLE");
}

static void test_caller_gives_up_while_ringing(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 20, "180 Ringing", "");
	message(&t, 20000, CALLER, CALLEE, "CANCEL sip:200@203.0.113.9 SIP/2.0", "CANCEL", 1, false,
		"", "");
	responds(&t, 20020, "487 Request Terminated", "");
	expect(&t, FOREVER, "CALLER_CANCELLED");
}

/* The file ends at once: nothing may be called missing. */
static void test_file_ends(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	expect(&t, 300, "CAPTURE_INCOMPLETE");
}

/* ---- what a response says ------------------------------------------------------------------------------ */

static void test_final_responses(void **state)
{
	static const struct {
		const char *status, *extra, *code;
	} rows[] = {
		{ "404 Not Found", "", "NUMBER_UNALLOCATED" },
		{ "486 Busy Here", "", "USER_BUSY" },
		{ "603 Decline", "", "USER_DECLINED" },
		{ "503 Service Unavailable", "", "PEER_CONGESTION" },
		{ "503 Service Unavailable", "Reason: Q.850;cause=1\r\n", "NUMBER_UNALLOCATED" },
		{ "480 Temporarily Unavailable", "Reason: Q.850;cause=17\r\n", "USER_BUSY" },
		{ "403 Forbidden", "", "CALLER_FORBIDDEN" },
		{ "403 Invalid CLI", "", "CLI_REJECTED" },
		{ "403 Insufficient balance", "", "VENDOR_NO_CREDIT" },
		{ "402 Payment Required", "", "VENDOR_NO_CREDIT" },
		{ "488 Not Acceptable Here", "", "CODEC_MISMATCH" },
		{ "420 Bad Extension", "Unsupported: timer\r\n", "EXTENSION_UNSUPPORTED" },
		{ "438 Invalid Identity Header", "", "STIR_REJECTED" },
		{ "480 Unavailable", "Warning: 399 x \"No DNS results\"\r\n", "DNS_FAILED" },
		{ "699 Never heard of", "", "PEER_REJECTED" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct talk t = talk_new();

		invite(&t, 0);
		responds(&t, 40, rows[i].status, rows[i].extra);
		ack(&t, 50, CALLEE);
		expect(&t, FOREVER, rows[i].code);
	}
}

/* ---- after the answer ------------------------------------------------------------------------------------ */

static const unsigned answers[] = { 1000,  1500,  2500,  4500,  8500, 12500,
				    16500, 20500, 24500, 28500, 32500 };

static void answer_again(struct talk *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		responds(t, answers[i], "200 OK", "");
}

static void test_healthy(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 20, "180 Ringing", "");
	responds(&t, 1000, "200 OK", "");
	ack(&t, 1010, CALLEE);
	bye(&t, 60000, true, "");
	bye_answered(&t, 60010, true);
	expect(&t, FOREVER, "NORMAL");
}

/* One repeat of the answer, and a late ACK, is nothing. */
static void test_ack_a_little_late(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 1000, "200 OK", "");
	responds(&t, 1500, "200 OK", "");
	ack(&t, 1600, CALLEE);
	bye(&t, 60000, true, "");
	bye_answered(&t, 60010, true);
	expect(&t, FOREVER, "NORMAL");
}

static void test_no_ack(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	answer_again(&t);
	bye(&t, 33000, false, "");
	bye_answered(&t, 33010, false);
	expect(&t, FOREVER, "NO_ACK_FOR_2XX");
}

static void test_ack_elsewhere(void **state)
{
	struct talk t = talk_new();

	t.contact = "10.0.0.9:5060";
	invite(&t, 0);
	answer_again(&t);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		ack(&t, answers[i] + 10, "10.0.0.9:5060");
	bye(&t, 33000, false, "");
	expect(&t, FOREVER, "ACK_MISROUTED");
}

static void test_answer_lost(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	answer_again(&t);
	invite(&t, 1500);
	invite(&t, 3500);
	bye(&t, 33000, false, "");
	expect(&t, FOREVER, "ANSWER_LOST");
}

/* The tap has every packet twice: that is no retransmission. */
static void test_tap_duplicates(void **state)
{
	struct talk t = talk_new();

	for (unsigned i = 0; i < 12; i++) {
		invite(&t, 0);
		t.frame--; /* the same identification */
	}
	t.frame++;
	expect(&t, 100, "CAPTURE_INCOMPLETE");
}

static void test_session_timer(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 1000, "200 OK", "Session-Expires: 90;refresher=uac\r\n");
	ack(&t, 1010, CALLEE);
	bye(&t, 61000, false, "");
	bye_answered(&t, 61010, false);
	expect(&t, FOREVER, "SESSION_TIMER_EXPIRED");
}

static void test_hung_up_with_cause(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 1000, "200 OK", "");
	ack(&t, 1010, CALLEE);
	bye(&t, 20000, false, "Reason: Q.850;cause=41;text=\"Temporary failure\"\r\n");
	bye_answered(&t, 20010, false);
	expect(&t, FOREVER, "PEER_HANGUP_WITH_CAUSE");
}

static void test_bye_never_answered(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 1000, "200 OK", "");
	ack(&t, 1010, CALLEE);
	for (size_t i = 0; i < ARRAY_SIZE(ladder); i++)
		bye(&t, 20000 + ladder[i], true, "");
	expect(&t, FOREVER, "BYE_UNDELIVERED");
}

static void test_481(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	responds(&t, 1000, "200 OK", "");
	ack(&t, 1010, CALLEE);
	bye(&t, 20000, true, "");
	message(&t, 20010, CALLEE, CALLER, "SIP/2.0 481 Call/Transaction Does Not Exist", "BYE", 2,
		true, "", "");
	expect(&t, FOREVER, "DIALOG_LOST_AT_PEER");
}

static void test_prack_missing(void **state)
{
	struct talk t = talk_new();

	invite(&t, 0);
	for (size_t i = 1; i < 6; i++)
		responds(&t, ladder[i], "183 Session Progress", "Require: 100rel\r\nRSeq: 5\r\n");
	responds(&t, 32000, "504 Server Time-out", "");
	expect(&t, FOREVER, "PRACK_MISSING");
}

/* ---- who is no customer ------------------------------------------------------------------------------------ */

static void test_scanner(void **state)
{
	struct talk t = talk_new();
	char id[8][20], dst[30];
	const struct diag_case *c;

	for (unsigned i = 0; i < 8; i++) {
		snprintf(id[i], sizeof(id[i]), "scan-%u", i);
		snprintf(dst, sizeof(dst), "203.0.113.%u:5060", i + 20);
		t.call_id = id[i];
		message(&t, i * 100, CALLER, dst, "INVITE sip:100@203.0.113.9 SIP/2.0", "INVITE", 1,
			false, "", offer);
	}
	c = judged(&t, FOREVER);
	assert_string_equal(diag_code_info(c->verdicts[0].code)->name, "SIP_SCAN");
	diag_free(&t.diag);
}

/* ---- the catalogue -------------------------------------------------------------------------------------------- */

static void test_catalogue(void **state)
{
	for (int code = 0; code < VERDICTS; code++) {
		const struct diag_code_info *info = diag_code_info((enum diag_code)code);

		assert_true(info->sentence[0] && info->sentence_zh[0] && info->category[0]);
		assert_true(!info->fix[0] == !info->fix_zh[0]);
		assert_int_equal(diag_code_find(span_of(info->name)), code);
	}
	assert_int_equal(diag_code_find(SPAN("NONESUCH")), VERDICTS);
	/* Whatever ends a call here has a row. */
	for (int end = 1; end < END_CODES; end++)
		assert_int_not_equal(
			diag_code_find(span_of(end_code_info((enum end_code)end)->name)), VERDICTS);
}

/* Nothing at all is no call, and garbage is none of anybody's. */
static void test_nothing(void **state)
{
	struct talk t = talk_new();
	struct capture_report report = { .packets = 0 };
	const struct diag_case *const *cases;
	struct buf out = BUF_INIT(1 << 20);

	diag_finish(t.diag, &report);
	assert_int_equal(diag_cases(t.diag, &cases), 0);
	diag_write_json(t.diag, "a \"file\"", &out);
	assert_non_null(strstr(buf_cstr(&out), "\"calls\":[],\"registrations\":[],\"streams\":[]"));
	buf_reset(&out);
	diag_write_text(t.diag, "zh", true, &out);
	assert_false(out.failed);
	buf_free(&out);
	diag_free(&t.diag);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_response),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_100_and_nothing),
		cmocka_unit_test(test_408_of_theirs),
		cmocka_unit_test(test_icmp_then_408),
		cmocka_unit_test(test_caller_gives_up_while_ringing),
		cmocka_unit_test(test_file_ends),
		cmocka_unit_test(test_final_responses),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_ack_a_little_late),
		cmocka_unit_test(test_no_ack),
		cmocka_unit_test(test_ack_elsewhere),
		cmocka_unit_test(test_answer_lost),
		cmocka_unit_test(test_tap_duplicates),
		cmocka_unit_test(test_session_timer),
		cmocka_unit_test(test_hung_up_with_cause),
		cmocka_unit_test(test_bye_never_answered),
		cmocka_unit_test(test_481),
		cmocka_unit_test(test_prack_missing),
		cmocka_unit_test(test_scanner),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
