/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Address lists against a plain search through all ranges, on random lists whose ranges overlap, nest and touch. */
#include "model/model.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct model *read_text(struct buf *text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, buf_span(text), &error, 1))
		fail_msg("line %u %s: %s", error.line, error.object, error.text);
	return m;
}

/* A small world, so that ranges meet: its ends too. */
static void random_host(char *dst, size_t size, bool ip6)
{
	unsigned far = rng_below(16) == 0;

	if (ip6)
		snprintf(dst, size,
			 far ? "%x:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "2001:db8::%x:%x",
			 far ? 0xffff : rng_below(3), rng_below(200));
	else
		snprintf(dst, size, "%u.0.%u.%u", far ? rng_below(2) * 255 : 10, rng_below(4),
			 rng_below(256));
}

static void add_range(struct buf *text, bool ip6)
{
	char a[64], b[64];
	unsigned char x[16], y[16];

	random_host(a, sizeof(a), ip6);
	random_host(b, sizeof(b), ip6);
	if (rng_below(3) == 0) {
		buf_addf(text, "\"%s\", ", a);
	} else if (rng_below(8) == 0) {
		buf_add_str(text, ip6            ? "\"2001:db8::/112\", "
				  : rng_below(4) ? "\"10.0.2.0/25\", "
						 : "\"0.0.0.0/0\", ");
	} else {
		assert_int_equal(inet_pton(ip6 ? AF_INET6 : AF_INET, a, x), 1);
		assert_int_equal(inet_pton(ip6 ? AF_INET6 : AF_INET, b, y), 1);
		if (memcmp(x, y, ip6 ? 16 : 4) > 0)
			buf_addf(text, "\"%s-%s\", ", b, a);
		else
			buf_addf(text, "\"%s-%s\", ", a, b);
	}
}

static struct model *random_list(unsigned n)
{
	struct buf text = BUF_INIT(1 << 24);
	struct model *m;

	buf_add_str(&text, "version: 1\naddress_lists:\n  - name: x\n    ranges: [ ");
	for (unsigned i = 0; i < n; i++)
		add_range(&text, rng_below(3) == 0);
	buf_add_str(&text, "]\n");
	m = read_text(&text);
	buf_free(&text);
	return m;
}

struct source {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
	uint8_t key[RANGE_END];
};

static struct source source_of(const char *host)
{
	struct source source = { .in6 = { .sin6_family = AF_INET6 } };

	if (inet_pton(AF_INET, host, source.key + 1) == 1) {
		/* As a socket of both families sees it. */
		if (rng_below(2)) {
			source.in6.sin6_addr.s6_addr[10] = source.in6.sin6_addr.s6_addr[11] = 0xff;
			memcpy(source.in6.sin6_addr.s6_addr + 12, source.key + 1, 4);
		} else {
			source.in4 = (struct sockaddr_in){ .sin_family = AF_INET };
			memcpy(&source.in4.sin_addr, source.key + 1, 4);
		}
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, source.key + 1), 1);
		source.key[0] = 1;
		memcpy(&source.in6.sin6_addr, source.key + 1, 16);
	}
	return source;
}

static bool holds(const struct model_range *range, const struct source *source)
{
	return memcmp(range->first, source->key, RANGE_END) <= 0 &&
	       memcmp(range->last, source->key, RANGE_END) >= 0;
}

static void check_host(const struct model_address_list *list, const char *host)
{
	struct source source = source_of(host);
	const char *found = model_list_range(list, &source.sa);
	bool any = false, named = false;

	for (unsigned i = 0; i < list->n_ranges; i++) {
		bool in = holds(&list->ranges[i], &source);

		any |= in;
		named |= in && found == list->ranges[i].text; /* one that really holds it */
	}
	if (any != (found != NULL) || any != named)
		fail_msg("%s: found %s", host, found ? found : "nothing");
}

static void test_against_search(void **state)
{
	for (int round = 0; round < 300; round++) {
		struct model *m = random_list(rng_below(round < 100 ? 5 : 60));
		char host[64];

		for (int i = 0; i < 200; i++) {
			random_host(host, sizeof(host), rng_below(3) == 0);
			check_host(&m->address_lists[0], host);
		}
		check_host(&m->address_lists[0], "0.0.0.0");
		check_host(&m->address_lists[0], "255.255.255.255");
		check_host(&m->address_lists[0], "::");
		check_host(&m->address_lists[0], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
		model_unref(&m);
	}
}

/* A country's networks: every host finds its own. */
static void test_many(void **state)
{
	struct buf text = BUF_INIT(1 << 24), again = BUF_INIT(1 << 24);
	struct model *m;
	char host[64], wanted[64];

	buf_add_str(&text, "version: 1\naddress_lists:\n  - name: x\n    ranges: [ ");
	for (unsigned i = 0; i < 100000; i++) {
		unsigned n = i * 7919ull % 100000; /* in no order, each once */

		buf_addf(&text, "\"%u.%u.%u.0/25\", ", 1 + n / 65536, n / 256 % 256, n % 256);
	}
	buf_add_str(&text, "]\n");
	m = read_text(&text);
	for (unsigned i = 0; i < 100000; i += 37) {
		struct source in, out;

		snprintf(wanted, sizeof(wanted), "%u.%u.%u.0/25", 1 + i / 65536, i / 256 % 256,
			 i % 256);
		snprintf(host, sizeof(host), "%u.%u.%u.127", 1 + i / 65536, i / 256 % 256, i % 256);
		in = source_of(host);
		snprintf(host, sizeof(host), "%u.%u.%u.128", 1 + i / 65536, i / 256 % 256, i % 256);
		out = source_of(host);
		assert_string_equal(model_list_range(&m->address_lists[0], &in.sa), wanted);
		assert_null(model_list_range(&m->address_lists[0], &out.sa));
	}
	model_write_yaml(&again, m, false);
	model_unref(&m);
	m = read_text(&again);
	assert_int_equal(m->address_lists[0].n_ranges, 100000);
	model_unref(&m);
	buf_free(&text);
	buf_free(&again);
}

/* Of several ranges that begin alike or nest, one that holds the source is named; an empty list holds nothing. */
static void test_names(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct source a = source_of("192.0.2.7"), b = source_of("192.0.3.0"),
		      c = source_of("192.0.2.200");
	struct model *m;

	buf_add_str(
		&text,
		"version: 1\naddress_lists:\n"
		"  - { name: e, ranges: [] }\n"
		"  - { name: n, ranges: [ 192.0.2.0/24, 192.0.2.0/28, 192.0.2.200, \"::/0\" ] }\n");
	m = read_text(&text);
	assert_null(model_list_range(model_address_list(m, SPAN("e")), &a.sa));
	assert_string_equal(model_list_range(model_address_list(m, SPAN("n")), &a.sa),
			    "192.0.2.0/24");
	assert_string_equal(model_list_range(model_address_list(m, SPAN("n")), &c.sa),
			    "192.0.2.0/24");
	assert_null(model_list_range(model_address_list(m, SPAN("n")), &b.sa));
	model_unref(&m);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_search),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
