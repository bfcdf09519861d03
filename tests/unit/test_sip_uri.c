/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URIs, addresses, Via values, parameters. */
#include "sip_help.h"

static void test_uris(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *scheme, *user, *password, *host;
		unsigned port;
		bool ip6;
		const char *params, *headers;
	} cases[] = {
		{ "sip:a@b.example", true, "sip", "a", "", "b.example", 0, false, "", "" },
		{ "SIPS:+316:secret@192.0.2.1:5061;lr;x=y?h=1&i=2", true, "SIPS", "+316", "secret",
		  "192.0.2.1", 5061, false, "lr;x=y", "h=1&i=2" },
		{ "sip:h", true, "sip", "", "", "h", 0, false, "", "" },
		{ "sip:h?s=1", true, "sip", "", "", "h", 0, false, "", "s=1" },
		{ "sip:[2001:db8::1]:5060", true, "sip", "", "", "2001:db8::1", 5060, true, "",
		  "" },
		{ "sip:u@[2001:db8:::192.0.2.1]", true, "sip", "u", "", "2001:db8:::192.0.2.1", 0,
		  true, "", "" },
		{ "sip:u;p=%40?x@h_1.example;t", true, "sip", "u;p=%40?x", "", "h_1.example", 0,
		  false, "t", "" },
		{ "sip:*21#@h", true, "sip", "*21#", "", "h", 0, false, "", "" },
		{ "sip:x@h?Replaces=a@b", true, "sip", "x", "", "h", 0, false, "", "Replaces=a@b" },
		{ "tel:+1-201-555;phone-context=+1", true, "tel", "+1-201-555", "", "", 0, false,
		  "phone-context=+1", "" },
		{ "urn:service:sos", true, "urn", "", "", "", 0, false, "", "" },
		{ "sip:", false },
		{ "sip", false },
		{ "", false },
		{ ":a@b", false },
		{ "1sip:a@b", false },
		{ "sip:a@", false },
		{ "sip:a@b@c", false },
		{ "sip:a b@c", false },
		{ "sip:<a>@c", false },
		{ "sip:a@b:", false },
		{ "sip:a@b:65536", false },
		{ "sip:a@b:5o60", false },
		{ "sip:2001:db8::1", false },
		{ "sip:[2001:db8::1", false },
		{ "sip:[]", false },
		{ "sip:[example.net]", false },
		{ "sip:a@b/c", false },
		{ "tel:;x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_uri uri;
		int err = sip_uri_decode(&uri, span_of(cases[i].text));

		if (err != (cases[i].good ? 0 : -EBADMSG))
			fail_msg("%s: %d", cases[i].text, err);
		if (err)
			continue;
		assert_span(uri.scheme, cases[i].scheme);
		assert_span(uri.user, cases[i].user);
		assert_span(uri.password, cases[i].password);
		assert_span(uri.host, cases[i].host);
		assert_int_equal(uri.port, cases[i].port);
		assert_int_equal(uri.ip6, cases[i].ip6);
		assert_span(uri.params, cases[i].params);
		assert_span(uri.headers, cases[i].headers);
	}
}

static void test_name_addrs(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *display, *uri, *params;
	} cases[] = {
		{ "<sip:a@b>", true, "", "sip:a@b", "" },
		{ "A. B. <sip:a@b;x>;tag=1", true, "A. B.", "sip:a@b;x", "tag=1" },
		{ "caller<sip:a@b>", true, "caller", "sip:a@b", "" },
		{ "\"a, \\\"<b>;\" <sip:a@b> ; tag = 1 ;", true, "a, \\\"<b>;", "sip:a@b",
		  "tag = 1 ;" },
		{ "\"\"<sip:a@b>", true, "", "sip:a@b", "" },
		{ "1000@b (x) <sip:a@b>", true, "1000@b (x)", "sip:a@b", "" },
		{ "\xe5\xbc\xa0 <sip:a@b>", true, "\xe5\xbc\xa0", "sip:a@b", "" },
		{ "\\\"a\\\" <sip:a@b>", true, "\\\"a\\\"", "sip:a@b", "" },
		{ "a\"b <sip:a@b>", false },
		{ "a\\ <sip:a@b>", false },
		{ "sip:a@b;tag=1;x=\"y,z\"", true, "", "sip:a@b", "tag=1;x=\"y,z\"" },
		{ "sip:a@b", true, "", "sip:a@b", "" },
		{ "tel:+1", true, "", "tel:+1", "" },
		{ "<sip:a@b?x=y,z>;;", true, "", "sip:a@b?x=y,z", ";" },
		{ "", false },
		{ "<sip:a@b", false },
		{ "<>", false },
		{ "<a@b>", false },
		{ "< sip:a@b>", false },
		{ "<sip:a@b >", false },
		{ "\"a <sip:a@b>", false },
		{ "\"a\" sip:a@b", false },
		{ "a, b <sip:a@b>", false },
		{ "sip:a@b?c=d", false },
		{ "sip:a@b,sip:c@d", false },
		{ "<sip:a@b>,<sip:c@d>", false },
		{ "<sip:a@b> x", false },
		{ "<sip:a@b>;x=\"y", false },
		{ "sip:", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_name_addr addr;
		int err = sip_name_addr_decode(&addr, span_of(cases[i].text));

		if (err != (cases[i].good ? 0 : -EBADMSG))
			fail_msg("%s: %d", cases[i].text, err);
		if (err)
			continue;
		assert_span(addr.display, cases[i].display);
		assert_span(addr.uri, cases[i].uri);
		assert_span(addr.params, cases[i].params);
	}
}

static void test_vias(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *transport, *host;
		unsigned port;
		const char *branch, *received, *maddr;
		bool rport;
	} cases[] = {
		{ "SIP/2.0/UDP a:5061;branch=z9hG4bK1;rport;received=192.0.2.1;maddr=[::1]", true,
		  "UDP", "a", 5061, "z9hG4bK1", "192.0.2.1", "::1", true },
		{ "SIP  / 2.0  / TLS   [2001:db8::1] : 99 ;ttl=3", true, "TLS", "2001:db8::1", 99,
		  "", "", "", false },
		{ "SIP/2.0/UDP h;received=[2001:db8::2]", true, "UDP", "h", 0, "", "2001:db8::2",
		  "", false },
		{ "SIP/2.0/UDP h;received=2001:db8::2;rport=5", true, "UDP", "h", 0, "",
		  "2001:db8::2", "", true },
		{ "SIP/2.0/UDP h;x=\"a;b\" ; BRANCH = q", true, "UDP", "h", 0, "q", "", "", false },
		{ "SIP/2.0/UDPh", false },
		{ "SIP/2.0 h", false },
		{ "SIP/2.0/UDP h;;branch=1", false },
		{ "SIP/2.0/UDP h;branch=1;", false },
		{ "SIP/2.0/UDP h branch=1", false },
		{ "SIP/2.0/UDP h:port", false },
		{ "SIP/2.0/UDP h;x=\"a", false },
		{ "SIP/2.0/UDP h,SIP/2.0/UDP i", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sip_via via;
		int err = sip_via_decode(&via, span_of(cases[i].text));

		if (err != (cases[i].good ? 0 : -EBADMSG))
			fail_msg("%s: %d", cases[i].text, err);
		if (err)
			continue;
		assert_span(via.transport, cases[i].transport);
		assert_span(via.host, cases[i].host);
		assert_int_equal(via.port, cases[i].port);
		assert_span(via.branch, cases[i].branch);
		assert_span(via.received, cases[i].received);
		assert_span(via.maddr, cases[i].maddr);
		assert_int_equal(via.rport, cases[i].rport);
	}
}

static void test_params(void **state)
{
	static const struct {
		const char *params, *name, *value; /* value NULL = absent */
	} cases[] = {
		{ ";a=b;c", "a", "b" },
		{ ";a=b;c", "C", "" },
		{ "a=b;c", "b", NULL },
		{ "aa=1;a=2", "a", "2" },
		{ "x=\"a=1;a=2\" ; a = \"q \\\" r\"", "a", "q \\\" r" },
		{ ";;= ;@;a=1", "a", "1" },
		{ "x=1 junk a=2;a=3", "a", "3" },
		{ "x=\"open;a=1", "y", NULL },
		{ "", "a", NULL },
	};
	struct span value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool there = sip_param(span_of(cases[i].params), cases[i].name, &value);

		if (there != (cases[i].value != NULL))
			fail_msg("%s in %s", cases[i].name, cases[i].params);
		if (there)
			assert_span(value, cases[i].value);
	}
	assert_true(sip_param(SPAN("lr"), "lr", NULL));
}

static void test_unescape(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(sip_unescape(SPAN("a%41%7e"), out, sizeof(out)), 3);
	assert_memory_equal(out, "aA~", 3);
	assert_int_equal(sip_unescape(SPAN("%00"), out, sizeof(out)), 1);
	assert_int_equal(out[0], 0);
	assert_int_equal(sip_unescape(SPAN(""), out, 0), 0);
	assert_int_equal(sip_unescape(SPAN("%4"), out, sizeof(out)), -EBADMSG);
	assert_int_equal(sip_unescape(SPAN("%"), out, sizeof(out)), -EBADMSG);
	assert_int_equal(sip_unescape(SPAN("%4g"), out, sizeof(out)), -EBADMSG);
	assert_int_equal(sip_unescape(SPAN("123456789"), out, sizeof(out)), -ENOSPC);
	assert_int_equal(sip_unescape(SPAN("1234567%38"), out, sizeof(out)), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),     cmocka_unit_test(test_name_addrs),
		cmocka_unit_test(test_vias),     cmocka_unit_test(test_params),
		cmocka_unit_test(test_unescape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
