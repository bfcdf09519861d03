/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HEP3: what is written, read by a decoder of the test's own, and what becomes of it when collectors are away, slow, or come
 * back. */
#include "trace/hep_int.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a decoder, from the protocol's description ------------------------------------------------ */

struct decoded {
	size_t length;
	unsigned family, protocol, type, from_port, to_port;
	uint32_t seconds, microseconds, agent;
	uint8_t from[16], to[16];
	struct span key, payload, correlation;
	uint32_t seen; /* chunk types, a bit each */
};

static unsigned big(const unsigned char *p, size_t len)
{
	unsigned value = 0;

	while (len--)
		value = value << 8 | *p++;
	return value;
}

static void decode_chunk(struct decoded *d, unsigned type, const unsigned char *p, size_t len)
{
	struct span text = { (const char *)p, len };

	assert_false(d->seen & 1u << type);
	d->seen |= 1u << type;
	switch (type) {
	case 1:
		assert_int_equal(len, 1);
		d->family = *p;
		break;
	case 2:
		assert_int_equal(len, 1);
		d->protocol = *p;
		break;
	case 3:
	case 5:
		assert_int_equal(len, type == 3 ? 4 : 16);
		memcpy(d->from, p, len);
		break;
	case 4:
	case 6:
		assert_int_equal(len, type == 4 ? 4 : 16);
		memcpy(d->to, p, len);
		break;
	case 7:
		d->from_port = big(p, len);
		break;
	case 8:
		d->to_port = big(p, len);
		break;
	case 9:
		assert_int_equal(len, 4);
		d->seconds = big(p, len);
		break;
	case 10:
		assert_int_equal(len, 4);
		d->microseconds = big(p, len);
		break;
	case 11:
		assert_int_equal(len, 1);
		d->type = *p;
		break;
	case 12:
		assert_int_equal(len, 4);
		d->agent = big(p, len);
		break;
	case 14:
		d->key = text;
		break;
	case 15:
		d->payload = text;
		break;
	case 17:
		d->correlation = text;
		break;
	default:
		fail_msg("chunk %u", type);
	}
}

/* False: it is not whole. */
static bool decode(struct span bytes, struct decoded *d)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	*d = (struct decoded){ 0 };
	if (bytes.len < 6)
		return false;
	assert_memory_equal(p, "HEP3", 4);
	d->length = big(p + 4, 2);
	if (bytes.len < d->length)
		return false;
	for (size_t at = 6; at < d->length;) {
		size_t len = big(p + at + 4, 2);

		assert_int_equal(big(p + at, 2), 0);
		assert_true(len >= 6 && at + len <= d->length);
		decode_chunk(d, big(p + at + 2, 2), p + at + 6, len - 6);
		at += len;
	}
	return true;
}

/* ---- entries ------------------------------------------------------------------------------------ */

static struct sockaddr_storage ip4(const char *host, uint16_t port)
{
	struct sockaddr_storage out = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&out;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, host, &in->sin_addr), 1);
	return out;
}

static struct sockaddr_storage ip6(const char *host, uint16_t port)
{
	struct sockaddr_storage out = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
	return out;
}

#define CALL 0x0123456789abcdefull
#define TIME (1763800000ull * SEC + 123456)

static struct trace_entry message_entry(struct span text)
{
	return (struct trace_entry){ .kind = TRACE_MESSAGE,
				     .utc_us = TIME,
				     .call = CALL,
				     .leg = 'b',
				     .attempt = 1,
				     .sent = true,
				     .proto = TRACE_UDP,
				     .from = ip4("192.0.2.1", 5060),
				     .to = ip4("198.51.100.7", 5062),
				     .sip_call_id = SPAN("a84b4c76e66710@pc33"),
				     .text = text };
}

static struct decoded written(struct buf *out, const struct trace_entry *entry, uint32_t id,
			      const char *key, bool cut_wanted)
{
	const struct hep_stamp stamp = { id, key };
	struct decoded d;
	bool cut;

	*out = BUF_INIT(1u << 20);
	assert_true(hep_write(out, entry, &stamp, &cut));
	assert_int_equal(cut, cut_wanted);
	assert_true(decode(buf_span(out), &d));
	assert_int_equal(d.length, out->len);
	assert_int_equal(hep_length(out->p), out->len);
	return d;
}

static void expect_text(struct span is, const char *wanted)
{
	assert_int_equal(is.len, strlen(wanted));
	assert_memory_equal(is.p, wanted, is.len);
}

#define MANDATORY                                                                                  \
	(1u << 1 | 1u << 2 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 |        \
	 1u << 15)
#define IP4 (1u << 3 | 1u << 4)
#define IP6 (1u << 5 | 1u << 6)
#define KEY (1u << 14)
#define CORRELATION (1u << 17)

static void test_message(void **state)
{
	struct trace_entry entry = message_entry(SPAN("OPTIONS sip:a SIP/2.0\r\n\r\n"));
	struct buf out;
	struct decoded d = written(&out, &entry, 70000, "my key", false);

	assert_int_equal(d.seen, MANDATORY | IP4 | KEY | CORRELATION);
	assert_int_equal(d.family, 2);
	assert_int_equal(d.protocol, 17);
	assert_memory_equal(d.from, ((uint8_t[]){ 192, 0, 2, 1 }), 4);
	assert_memory_equal(d.to, ((uint8_t[]){ 198, 51, 100, 7 }), 4);
	assert_int_equal(d.from_port, 5060);
	assert_int_equal(d.to_port, 5062);
	assert_int_equal(d.seconds, 1763800000);
	assert_int_equal(d.microseconds, 123456);
	assert_int_equal(d.type, 1);
	assert_int_equal(d.agent, 70000);
	expect_text(d.key, "my key");
	expect_text(d.correlation, "0123456789abcdef");
	expect_text(d.payload, "OPTIONS sip:a SIP/2.0\r\n\r\n");
	buf_free(&out);
}

static void test_addresses(void **state)
{
	struct trace_entry entry = message_entry(SPAN("x"));
	struct buf out;
	struct decoded d;

	entry.from = ip6("2001:db8::9", 5061);
	entry.to = ip6("2001:db8::a", 40000);
	entry.proto = TRACE_TLS;
	d = written(&out, &entry, 1, "", false);
	assert_int_equal(d.seen, MANDATORY | IP6 | CORRELATION);
	assert_int_equal(d.family, 10);
	assert_int_equal(d.protocol, 6);
	assert_int_equal(d.from[15], 9);
	assert_int_equal(d.to[15], 10);
	assert_int_equal(d.to_port, 40000);
	buf_free(&out);
	entry.from = ip6("::ffff:192.0.2.1", 1);
	entry.to = ip6("::ffff:192.0.2.2", 2);
	d = written(&out, &entry, 1, "", false);
	assert_int_equal(d.seen, MANDATORY | IP4 | CORRELATION);
	assert_int_equal(d.family, 2);
	assert_memory_equal(d.to, ((uint8_t[]){ 192, 0, 2, 2 }), 4);
	buf_free(&out);
}

/* Without a call the Call-ID correlates; without that nothing does. */
static void test_correlation(void **state)
{
	struct trace_entry entry = message_entry(SPAN("x"));
	struct buf out;
	struct decoded d;

	entry.call = 0;
	d = written(&out, &entry, 1, "", false);
	expect_text(d.correlation, "a84b4c76e66710@pc33");
	buf_free(&out);
	entry.sip_call_id = SPAN_NONE;
	d = written(&out, &entry, 1, "", false);
	assert_int_equal(d.seen, MANDATORY | IP4);
	buf_free(&out);
}

static const char *member(json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "(none)";
}

static void test_note(void **state)
{
	struct trace_entry entry = {
		.kind = TRACE_END,
		.utc_us = TIME,
		.call = CALL,
		.leg = 'b',
		.attempt = 2,
		.object = SPAN("a-1"),
		.sip_call_id = SPAN("x\"y"),
		.text = SPAN("no answer\nwithin 10 s"),
		.fields = { { "caller", SPAN("49301234") }, { "vendor_account", SPAN_NONE } },
		.n_fields = 2,
	};
	struct buf out;
	struct decoded d = written(&out, &entry, 1, "", false);
	json_t *json = json_loadb(d.payload.p, d.payload.len, 0, NULL);

	assert_int_equal(d.type, 100);
	assert_int_equal(d.seen, MANDATORY | IP4 | CORRELATION);
	assert_memory_equal(d.from, ((uint8_t[]){ 127, 0, 0, 1 }), 4);
	expect_text(d.correlation, "0123456789abcdef");
	assert_non_null(json);
	assert_string_equal(member(json, "kind"), "end");
	assert_string_equal(member(json, "call"), "0123456789abcdef");
	assert_string_equal(member(json, "leg"), "b");
	assert_int_equal(json_integer_value(json_object_get(json, "attempt")), 2);
	assert_string_equal(member(json, "object"), "a-1");
	assert_string_equal(member(json, "sip_call_id"), "x\"y");
	assert_string_equal(member(json, "text"), "no answer\nwithin 10 s");
	assert_string_equal(member(json, "caller"), "49301234");
	assert_int_equal(json_object_size(json), 8);
	json_decref(json);
	buf_free(&out);
}

/* What a datagram cannot hold is shortened to just what it can. */
static void test_too_long(void **state)
{
	static char text[70000];
	struct trace_entry entry;
	struct buf out;
	struct decoded d;
	size_t fits;

	memset(text, 'x', sizeof(text));
	entry = message_entry((struct span){ text, sizeof(text) });
	d = written(&out, &entry, 1, "key", true);
	assert_int_equal(d.length, 65507);
	fits = d.payload.len;
	buf_free(&out);
	entry.text.len = fits;
	d = written(&out, &entry, 1, "key", false);
	assert_int_equal(d.length, 65507);
	buf_free(&out);
	entry.text.len = 0;
	d = written(&out, &entry, 1, "key", false);
	assert_int_equal(d.payload.len, 0);
	buf_free(&out);
}

static void test_no_room(void **state)
{
	struct trace_entry entry = message_entry(SPAN("OPTIONS sip:a SIP/2.0\r\n\r\n"));
	const struct hep_stamp stamp = { 1, "" };
	struct buf out = BUF_INIT(100);
	bool cut;

	buf_add_str(&out, "before");
	assert_false(hep_write(&out, &entry, &stamp, &cut));
	assert_int_equal(out.len, 6);
	assert_false(out.failed);
	buf_free(&out);
}

/* ---- collectors ----------------------------------------------------------------------------------- */

static int collector_open(int type, struct hep_collector *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(out->port) };
	socklen_t size = sizeof(in);
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	*out = (struct hep_collector){ .tcp = type == SOCK_STREAM,
				       .port = ntohs(in.sin_port),
				       .host = "127.0.0.1" };
	return fd;
}

static void await(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&wait, 1, 30000), 1);
}

static int accept_one(int fd)
{
	int one;

	await(fd);
	one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(one >= 0);
	return one;
}

/* A message that carries its number. */
static void put(struct hep *hep, unsigned number, size_t len)
{
	static char text[60000];
	struct trace_entry entry = message_entry((struct span){ text, len });
	struct trace_tap *tap = hep_tap(hep);

	memset(text, 'x', len);
	snprintf(text, sizeof(text), "%08u", number);
	tap->entry(tap, &entry);
}

static unsigned number_of(const struct decoded *d)
{
	uint32_t number = 0;

	assert_int_equal(span_to_u32(span_head(d->payload, 8), &number), 0);
	return number;
}

static struct hep *hep_with(const struct hep_collector *to)
{
	struct hep_settings settings = { .collectors = { *to }, .n_collectors = 1, .id = 1 };
	struct hep *hep;

	assert_int_equal(hep_new(&hep), 0);
	assert_int_equal(hep_set(hep, &settings), 0);
	return hep;
}

static struct hep_collector_status status_of(struct hep *hep)
{
	struct hep_status status;

	hep_status(hep, &status);
	assert_int_equal(status.n, 1);
	return status.collectors[0];
}

/* Until `sent` and `dropped` together are `count`. */
static struct hep_collector_status settled(struct hep *hep, uint64_t count)
{
	struct hep_collector_status s = status_of(hep);

	for (unsigned i = 0; i < 3000 && s.sent + s.dropped < count; i++) {
		usleep(10000);
		s = status_of(hep);
	}
	assert_int_equal(s.sent + s.dropped, count);
	return s;
}

static void test_udp(void **state)
{
	struct hep_collector to = { 0 };
	int fd = collector_open(SOCK_DGRAM, &to);
	struct hep *hep = hep_with(&to);
	static char bytes[65536];
	struct hep_collector_status s;
	struct decoded d;

	for (unsigned i = 0; i < 300; i++) {
		put(hep, i, 100 + i % 7 * 3);
		if (i % 20 == 19) { /* no more than the socket holds */
			for (unsigned k = i - 19; k <= i; k++) {
				ssize_t n;

				await(fd);
				n = recv(fd, bytes, sizeof(bytes), 0);
				assert_true(decode((struct span){ bytes, (size_t)n }, &d));
				assert_int_equal(d.length, n);
				assert_int_equal(number_of(&d), k);
			}
		}
	}
	s = settled(hep, 300);
	assert_int_equal(s.dropped, 0);
	assert_true(s.connected_us != 0);
	hep_free(&hep);
	assert_null(hep);
	close(fd);
}

/* At most `most` bytes, or until `last` has come: whole messages in ascending order from *next; a cut one at the end is left.
 * Returns how many. */
static unsigned read_stream(int fd, unsigned *next, unsigned last, size_t most)
{
	char *bytes = malloc(most);
	size_t len = 0, at = 0;
	unsigned found = 0;
	struct decoded d;

	while (len < most && *next <= last) {
		ssize_t n;

		await(fd);
		n = recv(fd, bytes + len, most - len, 0);
		assert_true(n > 0);
		len += (size_t)n;
		for (; decode((struct span){ bytes + at, len - at }, &d); at += d.length) {
			assert_true(number_of(&d) >= *next);
			*next = number_of(&d) + 1;
			found++;
		}
	}
	free(bytes);
	return found;
}

#define MANY 4000

/* It dies in the middle of a message, is away for a while, and returns: what it reads then begins with a whole message,
 * and the message that was cut comes again. */
static void test_tcp_dies_and_returns(void **state)
{
	struct hep_collector to = { 0 };
	int fd = collector_open(SOCK_STREAM, &to), one;
	struct hep *hep = hep_with(&to);
	unsigned next = 0, found;
	struct hep_collector_status s;

	one = accept_one(fd);
	for (unsigned i = 0; i < MANY; i++)
		put(hep, i, 2000);
	found = read_stream(one, &next, MANY, 100001);
	assert_int_equal(found, next);
	close(one); /* with data unread: a reset */
	close(fd);
	for (unsigned i = MANY; i < MANY + 100; i++)
		put(hep, i, 2000);
	fd = collector_open(SOCK_STREAM, &to);
	one = accept_one(fd);
	found = read_stream(one, &next, MANY + 99, 32u << 20);
	assert_int_equal(next, MANY + 100);
	assert_true(found > 100);
	s = settled(hep, MANY + 100);
	assert_int_equal(s.dropped, 0);
	assert_true(s.error[0] != '\0' && s.error_us != 0 && s.connected_us >= s.error_us);
	hep_free(&hep);
	close(one);
	close(fd);
}

/* It accepts and never reads: the queue fills, the rest is dropped, and every message is counted once. */
static void test_tcp_stalls(void **state)
{
	struct hep_collector to = { 0 };
	int fd = collector_open(SOCK_STREAM, &to), one;
	struct hep *hep = hep_with(&to);
	struct hep_collector_status s;
	static char bytes[65536];

	one = accept_one(fd);
	for (unsigned i = 0; i < 1000; i++)
		put(hep, i, 59000);
	s = status_of(hep);
	assert_true(s.dropped > 0);
	assert_true(s.waiting_bytes <= 2 * HEP_QUEUE_BYTES);
	assert_true(s.sent + s.dropped < 1000);
	for (unsigned i = 0; i < 30000 && s.sent + s.dropped < 1000; i++) {
		if (recv(one, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
			usleep(1000);
		s = status_of(hep);
	}
	assert_int_equal(s.sent + s.dropped, 1000);
	assert_int_equal(s.waiting_bytes, 0);
	hep_free(&hep);
	close(one);
	close(fd);
}

/* Nobody listens: ICMP says so, nothing waits, nothing is lost without being counted. */
static void test_udp_refused(void **state)
{
	struct hep_collector to = { 0 };
	struct hep_collector_status s;
	struct hep *hep;

	close(collector_open(SOCK_DGRAM, &to));
	hep = hep_with(&to);
	for (unsigned i = 0; i < 3; i++) {
		put(hep, i, 500);
		usleep(50000);
	}
	s = status_of(hep);
	for (unsigned i = 0; i < 1000 && !s.error_us; i++) {
		usleep(10000);
		s = status_of(hep);
	}
	assert_true(s.error_us != 0);
	assert_int_equal(s.connected_us, 0);
	assert_non_null(strstr(s.error, "refused"));
	hep_free(&hep);
}

/* A name that is none: the error says so, and stopping does not take long. */
static void test_unknown_name(void **state)
{
	struct hep_collector to = { .port = 9060, .host = "no-such-host.invalid" };
	struct hep *hep = hep_with(&to);
	struct hep_collector_status s = status_of(hep);

	put(hep, 1, 100);
	for (unsigned i = 0; i < 1000 && !s.error_us; i++) {
		usleep(10000);
		s = status_of(hep);
	}
	assert_memory_equal(s.error, "name: ", 6);
	hep_free(&hep);
}

/* Another key: the same connection. Another collector beside it: the first one's connection stays. None: nothing goes. */
static void test_changes(void **state)
{
	struct hep_collector a = { 0 }, b = { 0 };
	int fd_a = collector_open(SOCK_STREAM, &a), fd_b = collector_open(SOCK_DGRAM, &b);
	struct hep *hep = hep_with(&a);
	struct hep_settings settings = {
		.collectors = { b, a }, .n_collectors = 2, .id = 2, .key = "new"
	};
	struct trace_entry note = { .kind = TRACE_ROUTE, .utc_us = TIME, .text = SPAN("1 a-1") };
	struct pollfd wait = { .fd = fd_a, .events = POLLIN };
	struct hep_status status;
	static char bytes[65536];
	struct decoded d;
	ssize_t n;
	int one;

	one = accept_one(fd_a);
	put(hep, 1, 100);
	await(one);
	assert_int_equal(hep_set(hep, &settings), 0);
	put(hep, 2, 100);
	hep_tap(hep)->entry(hep_tap(hep), &note); /* notes are off */
	await(fd_b);
	n = recv(fd_b, bytes, sizeof(bytes), 0);
	assert_true(decode((struct span){ bytes, (size_t)n }, &d));
	assert_int_equal(number_of(&d), 2);
	expect_text(d.key, "new");
	assert_int_equal(d.agent, 2);
	settings.notes = true;
	assert_int_equal(hep_set(hep, &settings), 0);
	hep_tap(hep)->entry(hep_tap(hep), &note);
	await(fd_b);
	n = recv(fd_b, bytes, sizeof(bytes), 0);
	assert_true(decode((struct span){ bytes, (size_t)n }, &d));
	assert_int_equal(d.type, 100);
	hep_status(hep, &status);
	assert_int_equal(status.n, 2);
	assert_int_equal(poll(&wait, 1, 0), 0); /* no second connection */
	settings.n_collectors = 0;
	assert_int_equal(hep_set(hep, &settings), 0);
	put(hep, 3, 100);
	hep_status(hep, &status);
	assert_int_equal(status.n, 0);
	while ((n = recv(one, bytes, sizeof(bytes), 0)) > 0)
		;
	assert_int_equal(n, 0); /* closed */
	hep_free(&hep);
	close(one);
	close(fd_a);
	close(fd_b);
}

static int quiet(void **state)
{
	log_set_level(LOG_ERROR); /* refusals are logged */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),      cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_correlation),  cmocka_unit_test(test_note),
		cmocka_unit_test(test_too_long),     cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_udp),          cmocka_unit_test(test_tcp_dies_and_returns),
		cmocka_unit_test(test_tcp_stalls),   cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_unknown_name), cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
