/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Takes datagrams on a UDP port of 127.0.0.1 until SIGTERM and prints how many came: a collector that costs little.
 * Usage: bench_hep_sink [port] */
#include "base/base.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 64
#define SIZE 65536

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	stopped = 1;
}

int main(int argc, char **argv)
{
	static char bytes[AT_ONCE][SIZE];
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sigaction action = { .sa_handler = stop };
	struct mmsghdr ways[AT_ONCE] = { 0 };
	struct iovec pieces[AT_ONCE];
	uint32_t port = 9060;
	uint64_t count = 0;
	int room = 16 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc > 1 && (span_to_u32(span_of(argv[1]), &port) || port > 65535))
		return 2;
	in.sin_port = htons((uint16_t)port);
	sigaction(SIGTERM, &action, NULL);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in))) {
		perror("bench_hep_sink");
		return 1;
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		pieces[i] = (struct iovec){ bytes[i], SIZE };
		ways[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
	while (!stopped) {
		int n = recvmmsg(fd, ways, AT_ONCE, MSG_WAITFORONE, NULL);

		if (n > 0)
			count += (unsigned)n;
	}
	printf("%llu\n", (unsigned long long)count);
	close(fd);
	return 0;
}
