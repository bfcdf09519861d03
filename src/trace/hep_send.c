/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to one collector: a thread, two buffers, a socket.
 *
 * The tap appends messages to one buffer; the thread takes the whole buffer in exchange for its empty one and sends it from
 * there. After it is woken it waits a little, so that under load one system call sends many messages. What goes wrong closes
 * the socket; it is opened again after a pause that doubles with each failure. */
#include "trace/hep_int.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATHER_US (10 * MSEC)
#define CONNECT_US (5 * SEC)
#define LOOK_MS 100 /* while it connects: has it been stopped? */
#define PAUSE_LEAST_US (500 * MSEC)
#define PAUSE_MOST_US (30 * SEC)
#define GOOD_AFTER_US (10 * SEC) /* a connection that lasted so long did not fail at once */
#define SILENT_MS 10000 /* a peer that acknowledges nothing for so long is gone */
#define KEEP_BYTES (1u << 20) /* larger buffers are given back when they are empty */
#define AT_ONCE 64

struct hep_sender {
	pthread_t thread;
	int wake;
	pthread_mutex_t lock; /* of what follows */
	struct buf filling;
	struct hep_collector_status status;
	uint64_t stop_us; /* monotonic; 0 = go on */
	bool ended, orphaned; /* the thread is through; nobody waits for it */

	/* the thread's own */
	struct buf sending;
	size_t at, part; /* the first message not wholly sent, and how much of it is */
	int fd; /* -1 = none */
	uint64_t opened_us, retry_us, pause_us; /* monotonic */
};

/* ---- for the tap -------------------------------------------------------------------------- */

static void wake(struct hep_sender *s)
{
	uint64_t one = 1;

	if (write(s->wake, &one, sizeof(one)) < 0)
		return; /* its counter is full: it is awake */
}

void hep_sender_put(struct hep_sender *s, struct span message)
{
	bool first, fits;

	pthread_mutex_lock(&s->lock);
	first = s->filling.len == 0;
	fits = s->filling.len + message.len <= HEP_QUEUE_BYTES;
	if (fits)
		buf_add_span(&s->filling, message);
	if (!fits || s->filling.failed)
		s->status.dropped++;
	s->filling.failed = false;
	pthread_mutex_unlock(&s->lock);
	if (first)
		wake(s);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void fail(struct hep_sender *s, const char *what, const char *why)
{
	uint64_t now = clock_mono_us();
	bool lasted = s->fd >= 0 && now - s->opened_us > GOOD_AFTER_US;
	bool news = lasted || !s->pause_us || (s->fd >= 0 && s->status.collector.tcp);
	char name[HEP_NAME_MAX];

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->part = 0;
	s->pause_us = lasted || !s->pause_us ? PAUSE_LEAST_US : s->pause_us * 2;
	if (s->pause_us > PAUSE_MOST_US)
		s->pause_us = PAUSE_MOST_US;
	s->retry_us = now + s->pause_us;
	pthread_mutex_lock(&s->lock);
	s->status.connected_us = 0;
	s->status.error_us = clock_utc_us();
	snprintf(s->status.error, sizeof(s->status.error), "%s: %s", what, why);
	pthread_mutex_unlock(&s->lock);
	if (news)
		log_warn("HEP collector %s: %s: %s; it is tried again",
			 hep_collector_name(&s->status.collector, name), what, why);
}

static void count(struct hep_sender *s, uint64_t sent, uint64_t dropped)
{
	pthread_mutex_lock(&s->lock);
	s->status.sent += sent;
	s->status.dropped += dropped;
	s->status.waiting_bytes = s->sending.len - s->at;
	pthread_mutex_unlock(&s->lock);
}

static bool is_stopped(struct hep_sender *s)
{
	bool stopped;

	pthread_mutex_lock(&s->lock);
	stopped = s->stop_us != 0;
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

/* 0 when `fd` is connected, otherwise an errno. */
static int await_connection(struct hep_sender *s, int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	uint64_t until = clock_mono_us() + CONNECT_US;
	socklen_t size = sizeof(int);
	int err = ETIMEDOUT;

	while (!is_stopped(s) && clock_mono_us() < until) {
		if (poll(&wait, 1, LOOK_MS) <= 0)
			continue;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
		break;
	}
	return err;
}

static int connect_to(struct hep_sender *s, const struct addrinfo *to, int *fd_out)
{
	unsigned silent = SILENT_MS;
	int one = 1;
	int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return errno;
	if (to->ai_socktype == SOCK_STREAM) {
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent, sizeof(silent));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		err = errno == EINPROGRESS ? await_connection(s, fd) : errno;
	if (err) {
		close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}

static void say_connected(struct hep_sender *s)
{
	char name[HEP_NAME_MAX];
	bool again;

	s->opened_us = clock_mono_us();
	pthread_mutex_lock(&s->lock);
	again = s->status.error_us != 0;
	s->status.connected_us = clock_utc_us();
	pthread_mutex_unlock(&s->lock);
	if (again && s->status.collector.tcp)
		log_info("HEP collector %s: connected",
			 hep_collector_name(&s->status.collector, name));
}

/* Name and addresses, in turn. Blocks for as long as the resolver does. */
static void open_socket(struct hep_sender *s)
{
	const struct hep_collector *c = &s->status.collector;
	struct addrinfo hints = { .ai_socktype = c->tcp ? SOCK_STREAM : SOCK_DGRAM };
	struct addrinfo *found = NULL;
	char port[8];
	int err;

	snprintf(port, sizeof(port), "%u", c->port);
	err = getaddrinfo(c->host, port, &hints, &found);
	if (err) {
		fail(s, "name", err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
		return;
	}
	err = EHOSTUNREACH;
	for (const struct addrinfo *a = found; a && err; a = a->ai_next)
		err = connect_to(s, a, &s->fd);
	freeaddrinfo(found);
	if (err)
		fail(s, "connection", strerror(err));
	else
		say_connected(s);
}

/* Take what came in exchange for the buffer that is through. */
static void take(struct hep_sender *s)
{
	struct buf through = s->sending;

	if (s->at < s->sending.len)
		return;
	if (through.size > KEEP_BYTES)
		buf_free(&through);
	buf_reset(&through);
	s->at = 0;
	pthread_mutex_lock(&s->lock);
	s->sending = s->filling;
	s->filling = through;
	s->status.waiting_bytes = s->sending.len;
	pthread_mutex_unlock(&s->lock);
}

/* True: go on; false: the socket takes no more for now, or is closed. */
static bool send_stream(struct hep_sender *s)
{
	const char *p = s->sending.p;
	ssize_t n =
		send(s->fd, p + s->at + s->part, s->sending.len - s->at - s->part, MSG_NOSIGNAL);
	uint64_t sent = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n < 0) {
		fail(s, "sending", strerror(errno));
		return false;
	}
	s->part += (size_t)n;
	while (s->at < s->sending.len && s->part >= hep_length(p + s->at)) {
		s->part -= hep_length(p + s->at);
		s->at += hep_length(p + s->at);
		sent++;
	}
	count(s, sent, 0);
	return true;
}

/* As many as fit into `ways` from `at` on. */
static unsigned lay_out(const struct hep_sender *s, struct mmsghdr *ways, struct iovec *pieces)
{
	size_t at = s->at;
	unsigned n = 0;

	for (; n < AT_ONCE && at < s->sending.len; n++) {
		size_t len = hep_length(s->sending.p + at);

		pieces[n] = (struct iovec){ s->sending.p + at, len };
		ways[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &pieces[n], .msg_iovlen = 1 } };
		at += len;
	}
	return n;
}

/* An error of sendmmsg belongs to the first message, or (ICMP) to an earlier one: neither will be there. */
static bool send_datagrams(struct hep_sender *s)
{
	struct mmsghdr ways[AT_ONCE];
	struct iovec pieces[AT_ONCE];
	int sent = sendmmsg(s->fd, ways, lay_out(s, ways, pieces), MSG_NOSIGNAL);
	int err = sent < 0 ? errno : 0;

	if (err == EAGAIN || err == EINTR)
		return err == EINTR;
	for (int i = 0; i < sent; i++)
		s->at += pieces[i].iov_len;
	if (err)
		s->at += pieces[0].iov_len;
	count(s, err ? 0 : (uint64_t)sent, err != 0);
	if (!err || err == EMSGSIZE)
		return true;
	fail(s, "sending", strerror(err));
	return false;
}

static void send_all(struct hep_sender *s)
{
	bool more = true;

	while (more && s->fd >= 0) {
		take(s);
		if (s->at >= s->sending.len)
			return;
		more = s->status.collector.tcp ? send_stream(s) : send_datagrams(s);
	}
}

/* Collectors say nothing; what comes is an end, or an ICMP error. */
static void hear(struct hep_sender *s)
{
	char bytes[4096];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0 && s->status.collector.tcp)
		fail(s, "connection", "closed by the collector");
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(s, "connection", strerror(errno));
}

static int wait_ms(const struct hep_sender *s, uint64_t stop_us)
{
	uint64_t now = clock_mono_us(), until = s->fd < 0 ? s->retry_us : UINT64_MAX;

	if (stop_us && stop_us < until)
		until = stop_us;
	if (until == UINT64_MAX)
		return -1;
	return until > now ? (int)((until - now) / 1000) + 1 : 0;
}

static void wait_for_work(struct hep_sender *s, uint64_t stop_us)
{
	static const struct timespec gather = { .tv_nsec = GATHER_US * 1000 };
	bool left = s->at < s->sending.len;
	struct pollfd wait[2] = { { .fd = s->wake, .events = POLLIN },
				  { .fd = s->fd, .events = POLLIN | (left ? POLLOUT : 0) } };
	uint64_t times;

	if (poll(wait, 2, wait_ms(s, stop_us)) <= 0)
		return;
	if (wait[1].revents & ~POLLOUT)
		hear(s);
	if (!wait[0].revents || read(s->wake, &times, sizeof(times)) < 0)
		return;
	if (!stop_us)
		nanosleep(&gather, NULL);
}

/* Asked to stop, and nothing left that could still be sent. */
static bool is_over(struct hep_sender *s, uint64_t *stop_us_out)
{
	bool empty;

	pthread_mutex_lock(&s->lock);
	*stop_us_out = s->stop_us;
	empty = s->filling.len == 0 && s->at >= s->sending.len;
	pthread_mutex_unlock(&s->lock);
	return *stop_us_out && (empty || s->fd < 0 || clock_mono_us() >= *stop_us_out);
}

static void sender_free(struct hep_sender *s)
{
	if (s->fd >= 0)
		close(s->fd);
	close(s->wake);
	buf_free(&s->filling);
	buf_free(&s->sending);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void *run(void *arg)
{
	struct hep_sender *s = arg;
	uint64_t stop_us;
	bool orphaned;

	open_socket(s);
	while (!is_over(s, &stop_us)) {
		if (s->fd < 0 && clock_mono_us() >= s->retry_us)
			open_socket(s);
		send_all(s);
		wait_for_work(s, stop_us);
	}
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	orphaned = s->orphaned;
	pthread_mutex_unlock(&s->lock);
	if (orphaned)
		sender_free(s);
	return NULL;
}

/* ---- start and stop --------------------------------------------------------------------------- */

int hep_sender_start(struct hep_sender **out, const struct hep_collector *to)
{
	struct hep_sender *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	int err;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->filling = s->sending = BUF_INIT(HEP_QUEUE_BYTES);
	s->status.collector = *to;
	pthread_mutex_init(&s->lock, NULL);
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = s->wake < 0 ? errno : 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!err)
		err = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		sender_free(s);
		return -err;
	}
	pthread_setname_np(s->thread, "hep");
	*out = s;
	return 0;
}

void hep_sender_stop(struct hep_sender **sender, uint64_t patience_us)
{
	struct hep_sender *s = *sender;
	struct timespec until;
	bool ended;

	*sender = NULL;
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop_us = clock_mono_us() + patience_us;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(patience_us / SEC) + 1;
	if (pthread_timedjoin_np(s->thread, NULL, &until) == 0) {
		sender_free(s);
		return;
	}
	/* A resolver that does not answer holds it: it frees itself when it comes back. */
	pthread_mutex_lock(&s->lock);
	ended = s->ended;
	s->orphaned = !ended;
	pthread_mutex_unlock(&s->lock);
	if (ended) {
		pthread_join(s->thread, NULL);
		sender_free(s);
	} else {
		pthread_detach(s->thread);
	}
}

bool hep_sender_is(const struct hep_sender *s, const struct hep_collector *to)
{
	const struct hep_collector *c = &s->status.collector;

	return c->tcp == to->tcp && c->port == to->port && strcmp(c->host, to->host) == 0;
}

void hep_sender_status(struct hep_sender *s, struct hep_collector_status *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->status;
	out->waiting_bytes += s->filling.len;
	pthread_mutex_unlock(&s->lock);
}
