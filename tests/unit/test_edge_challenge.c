/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Challenges that nobody answers: each is recorded once, at its time or when the table is full, and none that came back. */
#include "edge/edge_int.h"

#include "sip_help.h"

#define TABLE_SIZE 4096

static struct edge edge;
static struct loop loop;
static struct call_host host;
static struct model model;
static struct admit_result asked;
static unsigned recorded;
static char last_id[300], last_text[400], last_gateway[80];

/* In place of the one in call. */
void call_record_refusal(struct call_host *h, const struct call_refusal *refusal)
{
	assert_ptr_equal(h, &host);
	assert_int_equal(refusal->code, END_NO_CREDENTIALS);
	assert_int_equal(refusal->status, 401);
	recorded++;
	span_copy(refusal->sip_call_id, last_id, sizeof(last_id));
	span_copy(refusal->gateway, last_gateway, sizeof(last_gateway));
	span_copy(span_of(refusal->text), last_text, sizeof(last_text));
}

static int setup(void **state)
{
	recorded = 0;
	loop.now_us = SEC;
	wheel_init(&loop.wheel, loop.now_us);
	model.params.auth_timeout = 10 * SEC;
	model.params.auth_status = 401;
	host.model = &model;
	edge.config.loop = &loop;
	edge.config.host = &host;
	return edge_challenges_new(&edge.challenges, &edge);
}

static int teardown(void **state)
{
	edge_challenges_free(&edge.challenges);
	return 0;
}

static void send_challenge(const char *call_id)
{
	char text[1024];
	struct net_flow flow = flow_from("192.0.2.7:5062");
	struct sip_msg msg;
	struct net_buf *buf;
	const char *why;

	snprintf(text, sizeof(text),
		 "INVITE sip:880@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.7;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
		 "From: <sip:44@192.0.2.7>;tag=1\r\nTo: <sip:880@192.0.2.1>\r\nCall-ID: "
		 "%s\r\nCSeq: 1 INVITE\r\nContact: <sip:44@192.0.2.7>\r\n"
		 "Content-Length: 0\r\n\r\n",
		 call_id);
	buf = buf_of_str(text);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	edge_challenge_sent(edge.challenges, &msg, &flow, &asked,
			    edge_challenge_count(edge.challenges, msg.call_id));
	net_buf_unref(&buf);
}

static void pass_time(uint64_t us)
{
	loop.now_us += us;
	wheel_run(&loop.wheel, loop.now_us);
}

static void test_expires_once(void **state)
{
	struct model_mapping pbx = { .name = "pbx", .user = "pbx-user" };

	asked = (struct admit_result){ .mapping = &pbx };
	send_challenge("a");
	pass_time(6 * SEC);
	send_challenge("a"); /* again without credentials: the first time counts */
	send_challenge("b");
	pass_time(5 * SEC);
	assert_int_equal(recorded, 1);
	assert_string_equal(last_id, "a");
	assert_string_equal(last_gateway, "pbx");
	assert_string_equal(last_text, "192.0.2.7:5062 was challenged as pbx (user pbx-user) and "
				       "sent no credentials within the "
				       "authentication timeout");
	pass_time(60 * SEC);
	assert_int_equal(recorded, 2);
}

static void test_returned(void **state)
{
	struct model_phone phone = { .number = "1001" };

	asked = (struct admit_result){ .phone = &phone };
	send_challenge("a");
	send_challenge("b");
	edge_challenge_returned(edge.challenges, SPAN("a"));
	edge_challenge_returned(edge.challenges, SPAN("never seen"));
	pass_time(11 * SEC);
	assert_int_equal(recorded, 1);
	assert_string_equal(last_id, "b");
	assert_string_equal(last_gateway, "1001");
}

/* What comes back with credentials takes its count along. */
static void test_counted(void **state)
{
	asked = (struct admit_result){ .mapping = NULL };
	assert_int_equal(edge_challenge_count(edge.challenges, SPAN("a")), 0);
	send_challenge("a");
	send_challenge("b");
	send_challenge("a");
	assert_int_equal(edge_challenge_count(edge.challenges, SPAN("a")), 2);
	assert_int_equal(edge_challenge_count(edge.challenges, SPAN("b")), 1);
	edge_challenge_returned(edge.challenges, SPAN("a"));
	assert_int_equal(edge_challenge_count(edge.challenges, SPAN("a")), 0);
	pass_time(11 * SEC);
	assert_int_equal(recorded, 1);
	assert_string_equal(last_id, "b");
}

static void test_full(void **state)
{
	char call_id[400];

	asked = (struct admit_result){ .mapping = NULL };
	for (int i = 0; i < TABLE_SIZE + 3; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d", i);
		send_challenge(call_id);
		assert_int_equal(recorded, i < TABLE_SIZE ? 0 : i - TABLE_SIZE + 1);
	}
	assert_string_equal(last_id, "call-2"); /* the oldest give way */
	pass_time(11 * SEC);
	assert_int_equal(recorded, TABLE_SIZE + 3);
	memset(call_id, 'x', 300);
	call_id[300] = '\0';
	send_challenge(call_id); /* longer than what is kept */
	edge_challenge_returned(edge.challenges, span_of(call_id));
	send_challenge("last");
	edge_challenges_settle(edge.challenges);
	assert_int_equal(recorded, TABLE_SIZE + 4);
	assert_string_equal(last_id, "last");
	edge_challenges_settle(edge.challenges);
	assert_int_equal(recorded, TABLE_SIZE + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_expires_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_returned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
