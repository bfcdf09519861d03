/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listening stream sockets. Beyond max_connections a caller is accepted and closed at
 * once: left in the backlog it would wait in vain. When the process is out of files, one
 * kept in reserve is given up for the moment that takes; without it epoll would report
 * the waiting connection for ever and the loop would spin. */
#include "net/net_int.h"

#include <fcntl.h>
#include <unistd.h>

static void accept_spare(struct net *net)
{
	if (net->spare_fd < 0)
		net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_refuse(struct listener *l)
{
	struct net *net = l->net;
	int fd;

	if (net->spare_fd >= 0)
		close(net->spare_fd);
	net->spare_fd = -1;
	fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		NET_COUNT(net, conns_refused);
	}
	accept_spare(net);
}

static bool accept_one(struct listener *l)
{
	union net_addr peer;
	socklen_t len = sizeof(peer);
	int fd;

	memset(&peer, 0, sizeof(peer));
	fd = accept4(l->watch.fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		conn_accepted(l, fd, &peer);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE) {
		accept_refuse(l);
		return false;
	}
	/* accept(2): network errors of the new connection are reported here; go on. */
	return errno != EAGAIN && errno != ENOMEM && errno != ENOBUFS;
}

static void accept_ready(struct loop_fd *watch, uint32_t events)
{
	struct listener *l = container_of(watch, struct listener, watch);

	for (int i = 0; i < ACCEPTS_A_TURN && accept_one(l); i++)
		;
}

int accept_listen(struct listener *l, int fd)
{
	if (listen(fd, STREAM_BACKLOG) < 0)
		return -errno;
	accept_spare(l->net);
	l->watch.ready = accept_ready;
	return loop_add(l->net->loop, &l->watch, fd, EPOLLIN);
}
