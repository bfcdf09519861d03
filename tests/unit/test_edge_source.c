/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refused sources: counted, bounded with the longest quiet going first, merged over the workers, shown with what
 * the configuration lists nearby. */
#include "edge/edge_int.h"

#include "sip_help.h"

static struct edge edge;
static struct loop loop;
static struct call_host host;
static struct model model;

static int setup(void **state)
{
	loop.utc_us = 1763800000 * SEC;
	model.params.refused_sources = 4;
	model.params.auth_realm = "causeway";
	host.model = &model;
	edge.config.loop = &loop;
	edge.config.host = &host;
	return edge_sources_new(&edge.sources);
}

static int teardown(void **state)
{
	edge_sources_free(&edge.sources);
	return 0;
}

static void note(const char *peer, const char *text)
{
	struct net_flow flow = flow_from(peer);
	struct edge_refused what = { .code = END_SOURCE_NOT_AUTHORISED,
				     .status = 403,
				     .text = text };

	loop.utc_us += SEC;
	edge_source_note(&edge, &flow, &what);
}

/* Hosts in order of age, "192.0.2.1 192.0.2.2". */
static void assert_hosts(const char *wanted)
{
	struct buf copy = BUF_INIT(1 << 20), text = BUF_INIT(1024);
	const struct edge_source *source;
	char addr[NET_ADDR_TEXT];

	edge_sources_copy(&edge, &copy);
	source = (const void *)copy.p;
	for (size_t i = 0; i < copy.len / sizeof(*source); i++) {
		buf_add_str(&text, i ? " " : "");
		buf_add_str(&text, net_addr_format_host(&source[i].peer, addr));
	}
	assert_string_equal(buf_cstr(&text), wanted);
	buf_free(&text);
	buf_free(&copy);
}

static void test_longest_quiet_goes(void **state)
{
	struct buf copy = BUF_INIT(1 << 20);

	note("192.0.2.1:5060", "a");
	note("192.0.2.2:5060", "a");
	note("192.0.2.3:5060", "a");
	note("192.0.2.4:5060", "a");
	note("192.0.2.1:5999", "b"); /* its port counts for nothing */
	assert_hosts("192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.1");
	note("192.0.2.5:5060", "a");
	assert_hosts("192.0.2.3 192.0.2.4 192.0.2.1 192.0.2.5");
	model.params.refused_sources = 2;
	note("192.0.2.6:5060", "a");
	assert_hosts("192.0.2.5 192.0.2.6");
	assert_int_equal(edge_sources_copy(&edge, &copy), 4);
	model.params.refused_sources = 0;
	note("192.0.2.7:5060", "a");
	assert_hosts("");
	buf_free(&copy);
}

/* Everything that a flood of other sources leaves is the newest of them. */
static void test_flood(void **state)
{
	struct buf copy = BUF_INIT(1 << 22);
	char peer[32];

	model.params.refused_sources = 1000;
	for (int i = 0; i < 100000; i++) {
		snprintf(peer, sizeof(peer), "10.%d.%d.%d:5060", i >> 16, i >> 8 & 255, i & 255);
		note(peer, "flood");
	}
	assert_int_equal(edge_sources_copy(&edge, &copy), 99000);
	assert_int_equal(copy.len, 1000 * sizeof(struct edge_source));
	for (int i = 0; i < 1000; i++) {
		const struct edge_source *source = (const void *)copy.p;
		char addr[NET_ADDR_TEXT];
		int number = 99000 + i;

		snprintf(peer, sizeof(peer), "10.%d.%d.%d", number >> 16, number >> 8 & 255,
			 number & 255);
		assert_string_equal(net_addr_format_host(&source[i].peer, addr), peer);
		assert_int_equal(source[i].count, 1);
	}
	buf_free(&copy);
}

static void test_clear(void **state)
{
	union net_addr one;

	note("192.0.2.1:5060", "a");
	note("192.0.2.2:5060", "a");
	note("[2001:db8::1]:5060", "a");
	assert_int_equal(net_addr_parse(&one, SPAN("192.0.2.1"), 0), 0);
	assert_int_equal(edge_sources_clear(&edge, &one), 1);
	assert_hosts("192.0.2.2 2001:db8::1");
	assert_int_equal(edge_sources_clear(&edge, NULL), 2);
	assert_hosts("");
}

static struct edge_source source_of(const char *peer, uint64_t count, uint64_t first, uint64_t last)
{
	return (struct edge_source){
		.peer = flow_from(peer).peer, .count = count, .first_us = first, .last_us = last
	};
}

static void test_merge(void **state)
{
	struct edge_source sources[] = {
		source_of("192.0.2.1:1000", 3, 10, 50), source_of("192.0.2.2:2000", 1, 70, 70),
		source_of("192.0.2.1:1001", 4, 20, 60), source_of("[::ffff:192.0.2.1]:9", 2, 5, 6),
		source_of("192.0.2.1:1000", 9, 10, 90),
	};

	sources[4].proto = NET_TCP; /* another source */
	assert_int_equal(edge_sources_merge(sources, ARRAY_SIZE(sources)), 3);
	assert_int_equal(sources[0].proto, NET_TCP);
	assert_int_equal(sources[0].count, 9);
	assert_int_equal(sources[1].last_us, 70);
	assert_int_equal(sources[2].count, 9);
	assert_int_equal(sources[2].first_us, 5);
	assert_int_equal(sources[2].last_us, 60);
	assert_int_equal(net_addr_port(&sources[2].peer), 1001); /* of the newest */
	assert_int_equal(edge_sources_merge(sources, 0), 0);
}

/* What a request says is kept, and what it says is shown as JSON whatever it holds. */
static void test_request(void **state)
{
	static const char text[] =
		"REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: \"x\" <sip:100@192.0.2.1>;tag=1\r\nTo: "
		"<sip:200@192.0.2.1>\r\n"
		"Call-ID: a\r\nCSeq: 1 REGISTER\r\nUser-Agent: scan\"ner\x80\r\n"
		"Authorization: Digest username=\"300\", realm=\"causeway\", nonce=\"n\", "
		"uri=\"sip:x\", "
		"response=\"00000000000000000000000000000000\"\r\nContent-Length: 0\r\n\r\n";
	static const char yaml[] = "version: 1\nmapping_gateways:\n  - { name: acme-in, addresses: "
				   "[ \"203.0.113.8\" ] }\n";
	struct net_flow flow = flow_from("203.0.113.9:5071");
	struct buf copy = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	struct model_error errors[1];
	struct model *m;
	struct sip_msg msg;
	const char *why;
	struct net_buf *buf = buf_of_str(text);

	assert_int_equal(model_read_yaml(&m, SPAN(yaml), errors, 1), 0);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	edge_source_refused(&edge, &msg, &flow, END_WRONG_PASSWORD, 403, "user or secret is wrong");
	edge_sources_copy(&edge, &copy);
	edge_sources_write((const void *)copy.p, 1, 5, m, "", 10, &out);
	assert_string_equal(
		buf_cstr(&out),
		"{\"total\":1,\"forgotten\":5,\"sources\":[{\"address\":\"203.0.113.9\",\"port\":"
		"5071,"
		"\"transport\":\"UDP\",\"count\":1,\"first\":\"2025-11-22T08:26:40.000000Z\","
		"\"last\":"
		"\"2025-11-22T08:26:40.000000Z\",\"end_code\":\"WRONG_PASSWORD\",\"sip_status\":"
		"403,"
		"\"method\":\"REGISTER\",\"user\":\"300\",\"caller\":\"100\",\"callee\":\"200\","
		"\"user_agent\":\"scan\\\"ner\\ufffd\",\"reason\":\"user or secret is wrong\","
		"\"nearest\":\"acme-in lists 203.0.113.8\"}]}");
	buf_reset(&out);
	edge_sources_write((const void *)copy.p, 1, 0, m, "nowhere", 10, &out);
	assert_string_equal(buf_cstr(&out), "{\"total\":1,\"forgotten\":0,\"sources\":[]}");
	buf_free(&out);
	buf_free(&copy);
	net_buf_unref(&buf);
	model_unref(&m);
}

/* Nothing but bytes. */
static void test_garbage(void **state)
{
	struct net_flow flow = flow_from("203.0.113.9:5071");
	struct buf copy = BUF_INIT(1 << 20);
	const struct edge_source *source;

	for (int i = 0; i < 3; i++)
		edge_source_refused(&edge, NULL, &flow, END_MALFORMED_MESSAGE, 0, "unreadable");
	edge_sources_copy(&edge, &copy);
	source = (const void *)copy.p;
	assert_int_equal(copy.len, sizeof(*source));
	assert_int_equal(source->count, 3);
	assert_string_equal(source->text, "unreadable");
	buf_free(&copy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_longest_quiet_goes),
		TEST(test_flood),
		TEST(test_clear),
		TEST(test_merge),
		TEST(test_request),
		TEST(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
