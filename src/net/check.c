/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks for people: one connection, one TLS handshake, a few pings, on sockets of their own. They block, so no
 * worker calls them; each is over when its time is. */
#include "net/net_int.h"

#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static socklen_t addr_size(const union net_addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in4) : sizeof(addr->in6);
}

/* Until `deadline_us`: 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_us)
{
	struct pollfd poller = { .fd = fd, .events = events };
	uint64_t now = clock_mono_us();
	int n;

	if (now >= deadline_us)
		return -ETIMEDOUT;
	n = poll(&poller, 1, (int)((deadline_us - now) / MSEC) + 1);
	return n > 0 ? 0 : n == 0 || errno == EINTR ? -ETIMEDOUT : -errno;
}

/* A socket bound to `local`'s host (NULL = any), or -errno. */
static int socket_at(int type, int protocol, const union net_addr *peer,
		     const union net_addr *local)
{
	int fd = socket(peer->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	union net_addr from;
	int err;

	if (fd < 0)
		return -errno;
	if (!local || local->sa.sa_family != peer->sa.sa_family)
		return fd;
	from = *local;
	net_addr_set_port(&from, 0);
	if (bind(fd, &from.sa, addr_size(&from)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* ---- connection and certificate --------------------------------------------------------------- */

static int connect_until(int fd, const union net_addr *peer, uint64_t deadline_us)
{
	socklen_t size = sizeof(int);
	int err = 0;

	if (connect(fd, &peer->sa, addr_size(peer)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	err = wait_for(fd, POLLOUT, deadline_us);
	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size))
		return -errno;
	return -err;
}

static void read_certificate(struct net_check *out, const SSL *ssl, const char *name)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	struct tm until;

	if (!cert)
		return;
	out->has_certificate = true;
	X509_NAME_oneline(X509_get_subject_name(cert), out->subject, sizeof(out->subject));
	X509_NAME_oneline(X509_get_issuer_name(cert), out->issuer, sizeof(out->issuer));
	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &until) == 1)
		out->valid_until = (int64_t)timegm(&until);
	out->name_matches = tls_cert_is_for(cert, name);
	out->trusted = SSL_get_verify_result(ssl) == X509_V_OK;
	if (!out->trusted)
		snprintf(out->distrust, sizeof(out->distrust), "%s",
			 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	X509_free(cert);
}

static void tls_error(struct net_check *out, int err)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	out->err = EPROTO;
	snprintf(out->error, sizeof(out->error), "TLS: %s",
		 reason              ? reason
		 : err == -ETIMEDOUT ? "no answer to the handshake"
				     : "the peer closed the connection");
}

static void handshake(struct net_check *out, SSL *ssl, int fd, uint64_t deadline_us)
{
	int err = 0, n;

	ERR_clear_error();
	while (!err && (n = SSL_connect(ssl)) != 1) {
		int wanted = SSL_get_error(ssl, n);

		if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
			err = -EPROTO;
		else
			err = wait_for(fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
				       deadline_us);
	}
	if (err)
		tls_error(out, err);
	else
		snprintf(out->version, sizeof(out->version), "%s", SSL_get_version(ssl));
}

/* Whatever is wrong with the certificate is reported, not refused. */
static void check_tls(struct net_check *out, const struct net_tls_files *files, int fd,
		      const char *name, uint64_t deadline_us)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	union net_addr literal;
	SSL *ssl;

	if (ctx && files->certificate)
		SSL_CTX_use_certificate_chain_file(ctx, files->certificate);
	if (ctx && files->key)
		SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM);
	if (ctx && (!files->ca || SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1))
		SSL_CTX_set_default_verify_paths(ctx);
	ssl = ctx ? SSL_new(ctx) : NULL;
	if (ssl && SSL_set_fd(ssl, fd) == 1) {
		if (net_addr_parse(&literal, span_of(name), 0))
			SSL_set_tlsext_host_name(ssl, name);
		handshake(out, ssl, fd, deadline_us);
		read_certificate(out, ssl, name);
	} else {
		out->err = ENOMEM;
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

void net_check_connect(struct net_check *out, const struct net_tls_files *files,
		       enum net_proto proto, const union net_addr *peer,
		       const union net_addr *local, const char *name, uint64_t timeout_us)
{
	uint64_t began = clock_mono_us(), deadline = began + timeout_us;
	int fd = socket_at(SOCK_STREAM, 0, peer, local);
	int err = fd < 0 ? fd : connect_until(fd, peer, deadline);

	*out = (struct net_check){ .err = -err };
	out->connect_us = clock_mono_us() - began;
	if (err)
		snprintf(out->error, sizeof(out->error), "%s", strerrordesc_np(-err));
	else if (proto == NET_TLS)
		check_tls(out, files, fd, name, deadline);
	out->total_us = clock_mono_us() - began;
	if (fd >= 0)
		close(fd);
}

/* ---- ping ------------------------------------------------------------------------------------- */

struct echo {
	uint8_t type, code;
	uint16_t checksum, id, sequence;
	uint64_t cookie;
};

/* RFC 1071. The kernel does it for ICMPv6, and for sockets that need no right. */
static uint16_t checksum_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A raw IPv4 socket hands out the header too. */
static bool is_reply(const uint8_t *data, size_t len, bool ip6, bool raw, const struct echo *asked)
{
	size_t skip = raw && !ip6 && len ? (data[0] & 15u) * 4u : 0;
	struct echo got;

	if (len < skip + sizeof(got))
		return false;
	memcpy(&got, data + skip, sizeof(got));
	return got.type == (ip6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
	       got.sequence == asked->sequence && got.cookie == asked->cookie;
}

/* 0 when the reply came. */
static int ping_once(int fd, bool ip6, bool raw, uint16_t number, uint64_t timeout_us,
		     uint64_t *rtt_us)
{
	uint64_t began = clock_mono_us(), deadline = began + timeout_us;
	struct echo echo = { .type = ip6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
			     .id = htons((uint16_t)rng_u32()),
			     .sequence = htons(number),
			     .cookie = rng_u64() };
	uint8_t reply[256];
	int err;

	if (!ip6)
		echo.checksum = checksum_of(&echo, sizeof(echo));
	if (send(fd, &echo, sizeof(echo), 0) < 0)
		return -errno;
	while ((err = wait_for(fd, POLLIN, deadline)) == 0) {
		ssize_t n = recv(fd, reply, sizeof(reply), 0);

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0 && is_reply(reply, (size_t)n, ip6, raw, &echo)) {
			*rtt_us = clock_mono_us() - began;
			return 0;
		}
	}
	return err;
}

void net_check_ping(struct net_ping *out, const union net_addr *peer, const union net_addr *local,
		    unsigned times, uint64_t timeout_us)
{
	bool ip6 = peer->sa.sa_family == AF_INET6, raw = false;
	int protocol = ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	union net_addr to = *peer;
	int fd = socket_at(SOCK_DGRAM, protocol, peer, local);

	*out = (struct net_ping){ 0 };
	if (fd < 0) {
		raw = true;
		fd = socket_at(SOCK_RAW, protocol, peer, local);
	}
	net_addr_set_port(&to, 0);
	if (fd < 0 || connect(fd, &to.sa, addr_size(&to))) {
		out->err = fd < 0 ? -fd : errno;
		if (fd >= 0)
			close(fd);
		return;
	}
	for (; out->sent < times && !out->err; out->sent++) {
		uint64_t rtt = 0;
		int err = ping_once(fd, ip6, raw, (uint16_t)(out->sent + 1), timeout_us, &rtt);

		if (err && err != -ETIMEDOUT)
			out->err = -err;
		if (err)
			continue;
		out->answered++;
		out->sum_us += rtt;
	}
	close(fd);
}
