/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The indexes against a plain search through everything, on random data. */
#include "model/model.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define GATEWAYS 200

static struct model *read_text(struct buf *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, buf_span(text), &error, 1))
		fail_msg("line %u %s: %s", error.line, error.object, error.text);
	return m;
}

/* Few symbols and short, so that many meet. */
static void random_number(char *dst, unsigned most)
{
	unsigned len = rng_below(most + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = "01234a*#+"[rng_below(9)];
	dst[len] = '\0';
}

static struct model *random_routes(void)
{
	struct buf text = BUF_INIT(1 << 24);
	char prefix[40];
	struct model *m;

	buf_add_str(&text, "version: 1\nrouting_gateways:\n");
	for (unsigned i = 0; i < GATEWAYS; i++) {
		buf_addf(&text, "  - { name: g%u, address: 192.0.2.1, prefixes: [ ", i);
		for (unsigned j = rng_below(20); j > 0; j--) {
			random_number(prefix, rng_below(8) ? 5 : 32);
			buf_addf(&text, "\"%s\", ", prefix);
		}
		buf_add_str(&text, "] }\n");
	}
	m = read_text(&text);
	buf_free(&text);
	return m;
}

struct found {
	const struct model_routing *gw[GATEWAYS * 33];
	unsigned matched[GATEWAYS * 33], n;
};

static void gather(const struct model *m, struct span number, struct found *found)
{
	struct model_match matches[MODEL_MATCHES_MOST];
	unsigned n = model_matches(m, number, matches);

	found->n = 0;
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < matches[i].n; j++) {
			found->gw[found->n] = &m->routings[matches[i].gateways[j]];
			found->matched[found->n++] = matches[i].len;
		}
}

/* Gateways with a prefix of just this length that begins the number. */
static bool serves(const struct model_routing *gw, struct span number, unsigned len)
{
	for (unsigned i = 0; i < gw->n_prefixes; i++)
		if (strlen(gw->prefixes[i]) == len && span_starts(number, span_of(gw->prefixes[i])))
			return true;
	return false;
}

static void check_number(const struct model *m, struct span number, struct found *found)
{
	unsigned expected = 0;

	gather(m, number, found);
	for (unsigned len = 0; len <= 32; len++)
		for (unsigned i = 0; i < m->n_routings; i++)
			expected += serves(&m->routings[i], number, len);
	assert_int_equal(found->n, expected);
	for (unsigned i = 0; i < found->n; i++) {
		assert_true(serves(found->gw[i], number, found->matched[i]));
		assert_true(i == 0 || found->matched[i] <= found->matched[i - 1]);
		for (unsigned j = i; j > 0 && found->matched[j - 1] == found->matched[i]; j--)
			assert_ptr_not_equal(found->gw[j - 1], found->gw[i]);
	}
}

static void test_prefixes(void **state)
{
	static struct found found;

	for (int round = 0; round < 5; round++) {
		struct model *m = random_routes();
		char number[64];

		for (int i = 0; i < 600; i++) {
			random_number(number, 40);
			check_number(m, span_of(number), &found);
		}
		check_number(m, SPAN_NONE, &found);
		model_unref(&m);
	}
}

static void test_prefix_order(void **state)
{
	static const char *const names[] = { "c", "d", "b", "a" };
	struct buf text = BUF_INIT(1024);
	struct found found;
	struct model *m;

	buf_add_str(&text, "version: 1\nrouting_gateways: [ { name: a, address: h, protect: true, "
			   "prefixes: [ 1, 12, 1 ] }, { name: d, address: h, prefixes: [ 12, 12 ], "
			   "priority: 1 }, { name: b, address: h, prefixes: 12, priority: 1 }, "
			   "{ name: c, address: h, prefixes: 12 } ]\n");
	m = read_text(&text);
	gather(m, SPAN("123"), &found);
	assert_int_equal(found.n, 5);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(found.gw[i]->name, names[i]);
	assert_string_equal(found.gw[4]->name, "a");
	assert_int_equal(found.matched[4], 1);
	model_unref(&m);
	buf_free(&text);
}

/* ---- addresses ---------------------------------------------------------------------------- */

static void random_address(char *dst, size_t size, bool source)
{
	unsigned a = rng_below(4), b = rng_below(4), c = rng_below(3);
	unsigned len = 8 * (1 + rng_below(4));

	if (rng_below(4) == 0) {
		if (source || rng_below(2))
			snprintf(dst, size,
				 source || rng_below(2) ? "[2001:db8:%x::%x]:%u"
							: "[2001:db8:%x::%x]",
				 a, b, 5060 + c);
		else
			snprintf(dst, size, rng_below(2) ? "2001:db8:%x::/48" : "2001:db8::/32", a);
	} else if (source || rng_below(3) == 0) {
		snprintf(dst, size, "10.0.%u.%u:%u", a, b, 5060 + c);
	} else if (rng_below(2)) {
		snprintf(dst, size, "10.0.%u.%u", a, b);
	} else {
		snprintf(dst, size, "10.0.%u.0/%u", len > 16 ? a : 0, len > 24 ? 24 : len);
		if (len == 8)
			snprintf(dst, size, "10.0.0.0/8");
	}
}

static struct sockaddr_storage source_of(const char *text)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct span host, port;
	char copy[64];
	uint32_t number = 0;

	if (text[0] == '[') {
		span_cut(span_of(text + 1), ']', &host, &port);
		span_copy(host, copy, sizeof(copy));
		span_to_u32(span_skip(port, 1), &number);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)number);
		assert_int_equal(inet_pton(AF_INET6, copy, &in6->sin6_addr), 1);
	} else {
		span_cut(span_of(text), ':', &host, &port);
		span_copy(host, copy, sizeof(copy));
		span_to_u32(port, &number);
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)number);
		assert_int_equal(inet_pton(AF_INET, copy, &in->sin_addr), 1);
	}
	return ss;
}

/* How specific the best match of this gateway is: twice the length, one more with a port; -1 = none. */
static int specific(const struct model_mapping *gw, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	bool ip6 = ss->ss_family == AF_INET6;
	const uint8_t *bytes = ip6 ? in6->sin6_addr.s6_addr : (const uint8_t *)&in->sin_addr;
	uint16_t port = ntohs(ip6 ? in6->sin6_port : in->sin_port);
	int best = -1;

	for (unsigned i = 0; i < gw->n_addresses; i++) {
		const struct model_address *a = &gw->addresses[i];
		bool match = a->ip6 == ip6 && (!a->port || a->port == port);

		for (unsigned bit = 0; bit < a->prefix_len && match; bit++)
			match = ((a->bytes[bit / 8] ^ bytes[bit / 8]) >> (7 - bit % 8) & 1) == 0;
		if (match && a->prefix_len * 2 + (a->port != 0) > best)
			best = a->prefix_len * 2 + (a->port != 0);
	}
	return best;
}

static void test_addresses(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct buf text = BUF_INIT(1 << 20);
		struct model *m;
		char address[64];

		buf_add_str(&text, "version: 1\nmapping_gateways:\n");
		for (unsigned i = 0; i < 40; i++) {
			buf_addf(&text,
				 "  - { name: g%u, auth: digest, user: u%u, password: p, "
				 "addresses: [ ",
				 i, i);
			for (unsigned j = 1 + rng_below(4); j > 0; j--) {
				random_address(address, sizeof(address), false);
				buf_addf(&text, "\"%s\", ", address);
			}
			buf_add_str(&text, "] }\n");
		}
		m = read_text(&text);
		buf_free(&text);
		for (int i = 0; i < 200; i++) {
			const struct model_mapping *out[64];
			struct sockaddr_storage ss;
			unsigned n, expected = 0;

			random_address(address, sizeof(address), true);
			ss = source_of(address);
			n = model_mappings_at(m, (struct sockaddr *)&ss, out, 64);
			for (unsigned j = 0; j < m->n_mappings; j++)
				expected += specific(&m->mappings[j], &ss) >= 0;
			assert_int_equal(n, expected);
			for (unsigned j = 0; j < n; j++) {
				assert_true(specific(out[j], &ss) >= 0);
				assert_true(j == 0 ||
					    specific(out[j], &ss) <= specific(out[j - 1], &ss));
			}
			assert_int_equal(model_mappings_at(m, (struct sockaddr *)&ss, NULL, 0) > 0,
					 n > 0);
		}
		model_unref(&m);
	}
}

static const struct {
	const char *source, *text;
} near[] = {
	{ "203.0.113.9:5060", "acme-in lists 203.0.113.8" },
	{ "203.0.113.1:5060", "acme-in lists 203.0.113.8" },
	{ "203.0.113.40:5061", "pbx lists it with port 5060, not 5061" },
	{ "203.0.200.1:5060", "pbx lists 203.0.113.40" },
	{ "198.51.100.7:5060", "net lists 198.51.99.0/24" },
	{ "8.8.8.8:5060", "" },
	{ "[2001:db8::9]:5060", "six lists 2001:db8::8" },
	{ "[2002:db8::9]:5060", "" },
};

static void test_nearest(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct model *m;
	char words[128];

	buf_add_str(&text,
		    "version: 1\nmapping_gateways:\n"
		    "  - { name: acme-in, addresses: [ 203.0.113.8 ] }\n"
		    "  - { name: pbx, auth: address_port, addresses: [ \"203.0.113.40:5060\" ] }\n"
		    "  - { name: net, addresses: [ 198.51.99.0/24 ] }\n"
		    "  - { name: six, addresses: [ \"2001:db8::8\" ] }\n");
	m = read_text(&text);
	for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
		struct sockaddr_storage ss = source_of(near[i].source);

		model_nearest_source(m, (struct sockaddr *)&ss, words, sizeof(words));
		assert_string_equal(words, near[i].text);
	}
	model_unref(&m);
	buf_free(&text);
}

/* Static phones by their source; who shares an address is told apart by the caller's number. */
static void test_static_phones(void **state)
{
	static const struct {
		const char *source, *caller, *phone;
	} wanted[] = {
		{ "192.0.2.1:5060", "", "1" },       { "192.0.2.1:9999", "x", "1" },
		{ "192.0.2.2:5060", "2", "2" },      { "192.0.2.2:5060", "3", "3" },
		{ "192.0.2.2:5060", "", NULL },      { "192.0.2.2:5062", "9", "4" },
		{ "192.0.2.3:5060", "5", "5" },      { "192.0.2.3:5061", "5", NULL },
		{ "[2001:db8::1]:5060", "", "6" },   { "192.0.2.9:5060", "1", NULL },
		{ "[::ffff:192.0.2.1]:1", "", "1" }, { "192.0.2.4:5060", "7", NULL },
	};
	struct buf text = BUF_INIT(4096);
	struct model *m;

	buf_add_str(&text, "version: 1\nphones:\n"
			   "  - { number: \"1\", register: static, address: 192.0.2.1 }\n"
			   "  - { number: \"2\", register: static, address: \"192.0.2.2:5060\" }\n"
			   "  - { number: \"3\", register: static, address: \"192.0.2.2:5060\" }\n"
			   "  - { number: \"4\", register: static, address: \"192.0.2.2:5062\" }\n"
			   "  - { number: \"5\", register: static, address: \"192.0.2.3:5060\" }\n"
			   "  - { number: \"6\", register: static, address: \"2001:db8::1\" }\n"
			   "  - { number: \"7\", password: x }\n");
	m = read_text(&text);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct sockaddr_storage ss = source_of(wanted[i].source);
		const struct model_phone *phone =
			model_phone_at(m, (struct sockaddr *)&ss, span_of(wanted[i].caller));

		if (wanted[i].phone)
			assert_string_equal(phone ? phone->number : "none", wanted[i].phone);
		else
			assert_null(phone);
	}
	model_unref(&m);
	buf_free(&text);
}

static void test_mapped(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct sockaddr_storage ss = source_of("[::ffff:203.0.113.8]:5060");
	const struct model_mapping *out[2];
	struct model *m;

	buf_add_str(&text, "version: 1\nmapping_gateways: [ { name: a, addresses: 203.0.113.8 }, { "
			   "name: all, addresses: 0.0.0.0/0 } ]\n");
	m = read_text(&text);
	assert_int_equal(model_mappings_at(m, (struct sockaddr *)&ss, out, 2), 2);
	assert_string_equal(out[0]->name, "a");
	assert_string_equal(out[1]->name, "all");
	ss.ss_family = AF_UNIX;
	assert_int_equal(model_mappings_at(m, (struct sockaddr *)&ss, out, 2), 0);
	model_unref(&m);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),      cmocka_unit_test(test_prefix_order),
		cmocka_unit_test(test_addresses),     cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_static_phones), cmocka_unit_test(test_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
