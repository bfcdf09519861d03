/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net_peer.h"

static void test_parse_and_format(void **state)
{
	static const struct {
		const char *text, *full, *host, *uri; /* full NULL = refused */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1:7", "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1:5060", "192.0.2.1:5060", "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "[2001:db8::1]:7", "2001:db8::1", "[2001:db8::1]" },
		{ "[2001:DB8::1]", "[2001:db8::1]:7", "2001:db8::1", "[2001:db8::1]" },
		{ "[2001:db8::1]:5061", "[2001:db8::1]:5061", "2001:db8::1", "[2001:db8::1]" },
		{ "::", "[::]:7", "::", "[::]" },
		{ "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1",
		  "[::ffff:192.0.2.1]" },
		{ "fe80::1%3", "[fe80::1%3]:7", "fe80::1%3", "[fe80::1]" },
		{ "[fe80::1%3]:9", "[fe80::1%3]:9", "fe80::1%3", "[fe80::1]" },
		{ "", NULL },
		{ ":", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ "]", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:+1", NULL },
		{ "192.0.2.1:000080", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.02.1", NULL },
		{ " 192.0.2.1", NULL },
		{ "192.0.2.1 ", NULL },
		{ "[192.0.2.1]:5060", NULL },
		{ "[2001:db8::1", NULL },
		{ "[2001:db8::1]5060", NULL },
		{ "[2001:db8::1]:", NULL },
		{ "2001:db8::g", NULL },
		{ "::1%", NULL },
		{ "::1%eth0", NULL },
		{ "example.com", NULL },
		{ "example.com:5060", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL },
	};
	char dst[NET_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		union net_addr a;
		int err;

		memset(&a, 0x5a, sizeof(a));
		err = net_addr_parse(&a, span_of(cases[i].text), 7);
		if (!cases[i].full) {
			if (err != -EINVAL || a.sa.sa_family != 0x5a5a)
				fail_msg("\"%s\" was taken", cases[i].text);
			continue;
		}
		if (err)
			fail_msg("\"%s\" was refused", cases[i].text);
		assert_string_equal(net_addr_format(&a, dst), cases[i].full);
		assert_string_equal(net_addr_format_host(&a, dst), cases[i].host);
		assert_string_equal(net_addr_format_uri(&a, dst), cases[i].uri);
	}
	assert_int_equal(
		net_addr_parse(&(union net_addr){ 0 }, (struct span){ "1.2.3.4\0x", 9 }, 0),
		-EINVAL);
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool host, both;
	} cases[] = {
		{ "192.0.2.1:1", "192.0.2.1:1", true, true },
		{ "192.0.2.1:1", "192.0.2.1:2", true, false },
		{ "192.0.2.1:1", "192.0.2.2:1", false, false },
		{ "[::ffff:192.0.2.1]:1", "192.0.2.1:1", true, true },
		{ "192.0.2.1:1", "[::ffff:192.0.2.1]:2", true, false },
		{ "[2001:db8::1]:1", "[2001:db8:0:0::1]:1", true, true },
		{ "[2001:db8::1]:1", "192.0.2.1:1", false, false },
		{ "[fe80::1%1]:1", "[fe80::1%2]:1", false, false },
		{ "[fe80::1]:1", "[fe80::1%2]:1", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		union net_addr a = addr(cases[i].a), b = addr(cases[i].b);

		assert_int_equal(net_addr_eq_host(&a, &b), cases[i].host);
		assert_int_equal(net_addr_eq(&a, &b), cases[i].both);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool any, unusable;
	} cases[] = {
		{ "0.0.0.0", true, true },          { "0.1.2.3", false, true },
		{ "224.0.0.1", false, true },       { "239.255.255.255", false, true },
		{ "255.255.255.255", false, true }, { "127.0.0.1", false, false },
		{ "192.0.2.1", false, false },      { "::", true, true },
		{ "ff02::1", false, true },         { "::1", false, false },
		{ "::ffff:0.0.0.0", false, true },  { "::ffff:192.0.2.1", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		union net_addr a = addr(cases[i].text);

		assert_int_equal(net_addr_is_any(&a), cases[i].any);
		assert_int_equal(net_addr_is_unusable(&a), cases[i].unusable);
	}
	assert_string_equal(net_proto_name(NET_UDP), "UDP");
	assert_string_equal(net_proto_name(NET_TLS), "TLS");
}

static void test_buffers(void **state)
{
	static const size_t sizes[] = { 0, 1, 1023, 1024, 1025, 4096, 4097, 65535 };
	struct net_buf *b, *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		b = net_buf_new(sizes[i]);
		assert_non_null(b);
		assert_true(b->size >= sizes[i]);
		assert_int_equal(b->refs, 1);
		assert_int_equal(b->len, 0);
		memset(b->data, 'x', b->size);
		c = net_buf_ref(b);
		net_buf_unref(&b);
		assert_null(b);
		assert_int_equal(c->refs, 1);
		net_buf_unref(&c);
		net_buf_unref(&c); /* harmless */
	}
	assert_null(net_buf_new(65536));
	assert_null(net_buf_copy(NULL, 65536));
	b = net_buf_copy("hello", 5);
	assert_int_equal(b->size, 5);
	assert_int_equal(b->len, 5);
	assert_memory_equal(b->data, "hello", 5);
	net_buf_unref(&b);
}

/* More than the free lists keep, released in another order. */
static void test_many_buffers(void **state)
{
	struct net_buf *b[1500];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
			b[i] = net_buf_new(rng_below(5000));
			assert_non_null(b[i]);
			b[i]->data[0] = (char)i;
		}
		for (size_t i = 0; i < ARRAY_SIZE(b); i++)
			assert_int_equal(b[i]->data[0], (char)i);
		for (size_t i = 0; i < ARRAY_SIZE(b); i++)
			net_buf_unref(&b[(i * 7) % ARRAY_SIZE(b)]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_many_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
