/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 3263 against a name server of the test's own, with a zone that is a table. */
#include "sip_bed.h"

static const struct record {
	const char *name;
	enum net_rr type;
	const char *
		data; /* A, AAAA: address; SRV: "prio weight port target"; NAPTR: "order pref flags service name" */
} zone[] = {
	{ "plain.test", NET_RR_A, "192.0.2.1" },
	{ "dual.test", NET_RR_A, "192.0.2.2" },
	{ "dual.test", NET_RR_AAAA, "2001:db8::2" },
	{ "full.test", NET_RR_NAPTR, "20 10 s SIP+D2U _sip._udp.full.test" },
	{ "full.test", NET_RR_NAPTR, "10 20 s SIP+D2T _sip._tcp.full.test" },
	{ "full.test", NET_RR_NAPTR, "10 10 s SIPS+D2T _sips._tcp.full.test" },
	{ "full.test", NET_RR_NAPTR, "1 1 u E2U+sip ignored.test" },
	{ "_sip._udp.full.test", NET_RR_SRV, "10 1 5070 plain.test" },
	{ "_sip._tcp.full.test", NET_RR_SRV, "10 1 5071 plain.test" },
	{ "_sips._tcp.full.test", NET_RR_SRV, "10 1 5072 plain.test" },
	{ "_sip._udp.prio.test", NET_RR_SRV, "20 0 5082 plain.test" },
	{ "_sip._udp.prio.test", NET_RR_SRV, "10 0 5081 dual.test" },
	{ "_sip._udp.prio.test", NET_RR_SRV, "10 0 5081 plain.test" },
	{ "_sip._tcp.tcponly.test", NET_RR_SRV, "1 1 5091 plain.test" },
	{ "tcponly.test", NET_RR_A, "192.0.2.9" },
	{ "_sip._udp.never.test", NET_RR_SRV, "0 0 0 ." },
	{ "never.test", NET_RR_A, "192.0.2.8" },
	{ "_sip._udp.dangling.test", NET_RR_SRV, "1 1 5060 nowhere.test" },
	{ "dangling.test", NET_RR_A, "192.0.2.7" },
	{ "_sip._udp.weight.test", NET_RR_SRV, "1 90 5001 plain.test" },
	{ "_sip._udp.weight.test", NET_RR_SRV, "1 10 5002 plain.test" },
	{ "bad.test", NET_RR_A, "0.0.0.0" },
	{ "many.test", NET_RR_NAPTR, "1 1 s SIP+D2U _sip._udp.many.test" },
};

static struct bed bed;
static struct peer server;
static struct sip_targets result;
static int done, questions;

/* ---- the name server ---------------------------------------------------------------------- */

static const uint16_t rr_numbers[] = {
	[NET_RR_A] = 1, [NET_RR_AAAA] = 28, [NET_RR_SRV] = 33, [NET_RR_NAPTR] = 35
};

static void put16(struct buf *b, unsigned value)
{
	buf_add_char(b, (char)(value >> 8));
	buf_add_char(b, (char)value);
}

static void put_name(struct buf *b, struct span name)
{
	struct span label;

	while (name.len) {
		span_cut(name, '.', &label, &name);
		if (!label.len)
			break;
		buf_add_char(b, (char)label.len);
		buf_add_span(b, label);
	}
	buf_add_char(b, '\0');
}

static void put_text(struct buf *b, const char *text)
{
	buf_add_char(b, (char)strlen(text));
	buf_add_str(b, text);
}

static void put_data(struct buf *b, const struct record *r)
{
	unsigned n[3] = { 0 };
	char name[256] = "", flags[8] = "", service[32] = "", address[16];

	if (r->type == NET_RR_A || r->type == NET_RR_AAAA) {
		assert_int_equal(
			inet_pton(r->type == NET_RR_A ? AF_INET : AF_INET6, r->data, address), 1);
		buf_add(b, address, r->type == NET_RR_A ? 4 : 16);
	} else if (r->type == NET_RR_SRV) {
		assert_int_equal(sscanf(r->data, "%u %u %u %255s", &n[0], &n[1], &n[2], name), 4);
		for (int i = 0; i < 3; i++)
			put16(b, n[i]);
		put_name(b, span_of(name));
	} else {
		assert_int_equal(
			sscanf(r->data, "%u %u %7s %31s %255s", &n[0], &n[1], flags, service, name),
			5);
		put16(b, n[0]);
		put16(b, n[1]);
		put_text(b, flags);
		put_text(b, service);
		put_text(b, "");
		put_name(b, span_of(name));
	}
}

static void put_record(struct buf *b, const struct record *r)
{
	struct buf data = BUF_INIT(1000);

	put_name(b, span_of(r->name));
	put16(b, rr_numbers[r->type]);
	put16(b, 1);
	put16(b, 0);
	put16(b, 60);
	put_data(&data, r);
	put16(b, (unsigned)data.len);
	buf_add(b, data.p, data.len);
	buf_free(&data);
}

/* "many.test" has more targets than anybody should ask for: 9 names of two types. (More
 * would not fit 512 bytes.) */
static int put_many(struct buf *b)
{
	for (int i = 0; i < 9; i++) {
		char data[64];
		struct record r = { "_sip._udp.many.test", NET_RR_SRV, data };

		snprintf(data, sizeof(data), "1 1 5060 m%d.test", i);
		put_record(b, &r);
	}
	return 9;
}

static void answer_one(const unsigned char *query, size_t len, const struct sockaddr_in *from)
{
	struct buf b = BUF_INIT(4000), records = BUF_INIT(4000);
	char name[300] = "";
	size_t at = 12, to = 0;
	unsigned type;
	int n = 0;

	while (at < len && query[at] && to + query[at] + 2 < sizeof(name)) {
		memcpy(name + to, query + at + 1, query[at]);
		to += query[at];
		name[to++] = '.';
		at += query[at] + 1u;
	}
	name[to ? to - 1 : 0] = '\0';
	type = (unsigned)query[at + 1] << 8 | query[at + 2];
	questions++;
	for (size_t i = 0; i < ARRAY_SIZE(zone); i++) {
		if (rr_numbers[zone[i].type] != type ||
		    !span_ieq(span_of(zone[i].name), span_of(name)))
			continue;
		put_record(&records, &zone[i]);
		n++;
	}
	if (type == 33 && strcmp(name, "_sip._udp.many.test") == 0)
		n = put_many(&records);
	buf_add(&b, query, 2);
	put16(&b, n ? 0x8180 : 0x8183);
	put16(&b, 1);
	put16(&b, (unsigned)n);
	put16(&b, 0);
	put16(&b, 0);
	buf_add(&b, query + 12, at + 5 - 12);
	buf_add_span(&b, buf_span(&records));
	sendto(server.fd, b.p, b.len, 0, (const struct sockaddr *)from, sizeof(*from));
	buf_free(&b);
	buf_free(&records);
}

static void serve(void)
{
	unsigned char query[2000];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(server.fd, query, sizeof(query), 0, (struct sockaddr *)&from,
			     &from_len)) > 17)
		answer_one(query, (size_t)n, &from);
}

/* ---- asking -------------------------------------------------------------------------------- */

static int setup(void **state)
{
	char servers[64];

	memset(&bed, 0, sizeof(bed));
	bed_hosts(&bed);
	assert_int_equal(loop_init(&bed.loop), 0);
	peer_open(&server, &bed, 25353);
	snprintf(servers, sizeof(servers), "%s:25353", bed.peer_host);
	assert_int_equal(net_dns_open(&bed.dns, &bed.loop, servers), 0);
	return 0;
}

static int teardown(void **state)
{
	net_dns_close(&bed.dns);
	loop_close(&bed.loop);
	peer_close(&server);
	return 0;
}

static void on_done(void *arg, const struct sip_targets *targets)
{
	done++;
	result = *targets;
}

/* Resolves; "udp 192.0.2.1:5060, tcp ..." into dst, or "error: text". */
static const char *resolve(const char *host, uint16_t port, int proto, bool ip4, bool ip6)
{
	static char text[1000];
	size_t at = 0;
	struct sip_resolve *r;

	done = 0;
	questions = 0;
	r = sip_resolve_start(bed.dns, span_of(host), port, proto, ip4, ip6, on_done, &done);
	assert_true((r == NULL) == (done == 1));
	for (int i = 0; i < 500 && !done; i++) {
		serve();
		loop_turn(&bed.loop, 2 * MSEC);
	}
	assert_int_equal(done, 1);
	if (result.err) {
		snprintf(text, sizeof(text), "%d: %s", result.err, result.text);
		return text;
	}
	text[0] = '\0';
	for (unsigned i = 0; i < result.n; i++) {
		char addr[NET_ADDR_TEXT];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s", i ? ", " : "",
				       net_proto_name(result.target[i].proto),
				       net_addr_format(&result.target[i].addr, addr));
	}
	return text;
}

static void test_table(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		int proto;
		bool ip4, ip6;
		const char *want;
	} rows[] = {
		/* literals */
		{ "192.0.2.5", 0, -1, true, true, "UDP 192.0.2.5:5060" },
		{ "192.0.2.5", 5070, NET_TCP, true, true, "TCP 192.0.2.5:5070" },
		{ "2001:db8::1", 0, NET_TLS, true, true, "TLS [2001:db8::1]:5061" },
		{ "[2001:db8::1]", 0, -1, true, true, "UDP [2001:db8::1]:5060" },
		/* a port: A and AAAA only */
		{ "dual.test", 5099, -1, true, true, "UDP 192.0.2.2:5099, UDP [2001:db8::2]:5099" },
		{ "dual.test", 5099, NET_TCP, false, true, "TCP [2001:db8::2]:5099" },
		{ "full.test", 5099, -1, true, false, "2: A full.test: " },
		/* nothing in NAPTR nor SRV */
		{ "plain.test", 0, -1, true, false, "UDP 192.0.2.1:5060" },
		{ "plain.test", 0, NET_TLS, true, false, "TLS 192.0.2.1:5061" },
		/* NAPTR in order */
		{ "full.test", 0, -1, true, false,
		  "TLS 192.0.2.1:5072, TCP 192.0.2.1:5071, UDP 192.0.2.1:5070" },
		{ "full.test", 0, NET_TCP, true, false, "TCP 192.0.2.1:5071" },
		/* no NAPTR: SRV */
		{ "tcponly.test", 0, -1, true, false, "TCP 192.0.2.1:5091" },
		{ "tcponly.test", 0, NET_UDP, true, false, "UDP 192.0.2.9:5060" },
		/* refused or broken: no way round by A */
		{ "never.test", 0, NET_UDP, true, false,
		  "2: SRV _sip._udp.never.test: service not offered" },
		{ "dangling.test", 0, NET_UDP, true, false, "2: A nowhere.test: " },
		{ "nowhere.test", 0, -1, true, true, "2: AAAA nowhere.test: " },
		{ "bad.test", 5060, -1, true, false, "2: " },
		{ "", 0, -1, true, true, "2: host name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = resolve(rows[i].host, rows[i].port, rows[i].proto, rows[i].ip4,
					  rows[i].ip6);
		bool error = rows[i].want[1] == ':';

		if (error ? strncmp(got, rows[i].want, strlen(rows[i].want))
			  : strcmp(got, rows[i].want))
			fail_msg("%s: %s\nwanted %s", rows[i].host, got, rows[i].want);
	}
}

static void test_priorities(void **state)
{
	resolve("prio.test", 0, -1, true, false);
	assert_int_equal(result.n, 3);
	assert_int_equal(net_addr_port(&result.target[0].addr), 5081);
	assert_int_equal(net_addr_port(&result.target[1].addr), 5081);
	assert_int_equal(net_addr_port(&result.target[2].addr), 5082);
}

/* RFC 2782: 9 of 10 first draws, give or take. */
static void test_weights(void **state)
{
	int heavy = 0;

	for (int i = 0; i < 1000; i++) {
		resolve("weight.test", 0, NET_UDP, true, false);
		assert_int_equal(result.n, 2);
		heavy += net_addr_port(&result.target[0].addr) == 5001;
	}
	assert_in_range(heavy, 840, 950);
}

static void test_bounds(void **state)
{
	const char *got = resolve("many.test", 0, -1, true, true);

	if (strncmp(got, "2: ", 3) != 0)
		fail_msg("%s", got);
	assert_int_equal(questions, 16);
}

static void test_cancel(void **state)
{
	struct sip_resolve *r =
		sip_resolve_start(bed.dns, SPAN("later.test"), 0, -1, true, true, on_done, NULL);

	done = 0;
	assert_non_null(r);
	sip_resolve_cancel(&r);
	assert_null(r);
	sip_resolve_cancel(&r);
	for (int i = 0; i < 10; i++) {
		serve();
		loop_turn(&bed.loop, 2 * MSEC);
	}
	assert_int_equal(done, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_table),  TEST(test_priorities), TEST(test_weights),
		TEST(test_bounds), TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
