/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steering program in the kernel: four sockets share an address, and each message must come out of the socket
 * that its identifiers name. */
#include "sip/sip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define SOCKETS 4

static int sockets[SOCKETS], client = -1;

static int open_shared(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1;
	socklen_t len = sizeof(*addr);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

static int set_up(void **state)
{
	static struct sock_filter program[BPF_MAXINSNS];
	struct sock_fprog prog = { .filter = program };
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	for (int i = 0; i < SOCKETS; i++)
		sockets[i] = open_shared(&addr);
	prog.len = (unsigned short)sip_steer(program, BPF_MAXINSNS);
	assert_true(prog.len > 0);
	assert_int_equal(
		setsockopt(sockets[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)),
		0);
	client = socket(AF_INET, SOCK_DGRAM, 0);
	return connect(client, (struct sockaddr *)&addr, sizeof(addr));
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < SOCKETS; i++)
		close(sockets[i]);
	close(client);
	return 0;
}

/* The socket that got it. */
static int arrival(const char *message)
{
	struct pollfd polls[SOCKETS];
	char text[2048];

	assert_int_equal(send(client, message, strlen(message), 0), (ssize_t)strlen(message));
	for (int i = 0; i < SOCKETS; i++)
		polls[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
	assert_int_equal(poll(polls, SOCKETS, 1000), 1);
	for (int i = 0; i < SOCKETS; i++) {
		if (!polls[i].revents)
			continue;
		assert_int_equal(recv(sockets[i], text, sizeof(text), 0), (ssize_t)strlen(message));
		return i;
	}
	return -1;
}

#define REST                                                                                       \
	"\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 "               \
	"INVITE\r\nContent-Length: 0\r\n\r\n"

static void test_responses(void **state)
{
	static const char *const phrases[] = { "100 Trying", "200 OK", "503 Service Unavailable",
					       "480 " };
	static const char *const vias[] = {
		"Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=",
		"v: SIP/2.0/UDP 1.2.3.4;branch=",
		"Via: SIP/2.0/UDP "
		"[2001:db8:1111:2222:3333:4444:5555:6666]:65535;received=203.0.113.250;rport=65535;"
		"branch=",
	};
	struct buf text = BUF_INIT(2048);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(phrases) * ARRAY_SIZE(vias) * SOCKETS; i++) {
		unsigned worker = (unsigned)i % SOCKETS;

		buf_reset(&text);
		buf_addf(&text, "SIP/2.0 %s\r\n%sz9hG4bKq%02x0000120001deadbeef" REST,
			 phrases[i / SOCKETS % ARRAY_SIZE(phrases)],
			 vias[i / SOCKETS / ARRAY_SIZE(phrases)], worker);
		assert_int_equal(arrival(buf_cstr(&text)), worker);
		assert_int_equal(sip_classify(buf_span(&text), SOCKETS), worker);
	}
	buf_free(&text);
}

static void test_requests_in_dialogs(void **state)
{
	static const char *const methods[] = { "ACK",    "BYE",    "INFO",   "PRACK",
					       "INVITE", "UPDATE", "OPTIONS" };
	struct buf text = BUF_INIT(2048);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods) * SOCKETS; i++) {
		unsigned worker = (unsigned)i % SOCKETS;

		buf_reset(&text);
		buf_addf(&text,
			 "%s sip:w%02x0000120001@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "
			 "127.0.0.1:5070;branch=z9hG4bKx" REST,
			 methods[i / SOCKETS], worker);
		assert_int_equal(arrival(buf_cstr(&text)), worker);
	}
	buf_free(&text);
}

/* Whatever else comes arrives somewhere, once. */
static void test_anything_else(void **state)
{
	static const char *const texts[] = {
		"INVITE sip:31612345678@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		"h;branch=z9hG4bKx" REST,
		"SIP/2.0 200 OK" REST,
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKqff0000120001deadbeef" REST,
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKq!!0000120001deadbeef" REST,
		"BYE sip:w",
		"SIP/",
		"\r\n\r\n",
		"x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_in_range(arrival(texts[i]), 0, SOCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_requests_in_dialogs),
		cmocka_unit_test(test_anything_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
