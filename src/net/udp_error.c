/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's error queue (IP_RECVERR): every ICMP error comes with the beginning of the
 * datagram that caused it, so that the sender of exactly that message is told at once
 * instead of waiting for its last retransmission. */
#include "net/net_int.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#define ERRORS_A_TURN 64

static const char *icmp4_text(int type, int code)
{
	if (type == ICMP_TIME_EXCEEDED)
		return "time to live exceeded";
	if (type == ICMP_PARAMETERPROB)
		return "parameter problem";
	if (type != ICMP_DEST_UNREACH)
		return "ICMP error";
	switch (code) {
	case ICMP_NET_UNREACH:
		return "network unreachable";
	case ICMP_HOST_UNREACH:
		return "host unreachable";
	case ICMP_PROT_UNREACH:
		return "protocol unreachable";
	case ICMP_PORT_UNREACH:
		return "port unreachable";
	case ICMP_FRAG_NEEDED:
		return "fragmentation needed";
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
		return "administratively prohibited";
	default:
		return "destination unreachable";
	}
}

static const char *icmp6_text(int type, int code)
{
	if (type == ICMP6_TIME_EXCEEDED)
		return "hop limit exceeded";
	if (type == ICMP6_PACKET_TOO_BIG)
		return "packet too big";
	if (type != ICMP6_DST_UNREACH)
		return "ICMP error";
	switch (code) {
	case ICMP6_DST_UNREACH_NOROUTE:
		return "no route";
	case ICMP6_DST_UNREACH_ADMIN:
		return "administratively prohibited";
	case ICMP6_DST_UNREACH_ADDR:
		return "host unreachable";
	case ICMP6_DST_UNREACH_NOPORT:
		return "port unreachable";
	default:
		return "destination unreachable";
	}
}

static const char *icmp_text(const struct sock_extended_err *e)
{
	if (e->ee_origin == SO_EE_ORIGIN_ICMP6)
		return icmp6_text(e->ee_type, e->ee_code);
	return icmp4_text(e->ee_type, e->ee_code);
}

/* "ICMP: port unreachable, says 192.0.2.9". An error that we tell ourselves is the end of
 * an unanswered ARP or neighbour discovery. */
static void error_text(const struct sock_extended_err *e, const struct sockaddr *offender,
		       const union net_addr *local, char *dst, size_t size)
{
	union net_addr by = { .sa.sa_family = offender->sa_family };
	char host[NET_ADDR_TEXT];

	if (offender->sa_family == AF_INET)
		memcpy(&by.in4, offender, sizeof(by.in4));
	else if (offender->sa_family == AF_INET6)
		memcpy(&by.in6, offender, sizeof(by.in6));
	if (e->ee_errno == EHOSTUNREACH && net_addr_eq_host(&by, local))
		snprintf(dst, size, "no such neighbour: nobody answers ARP or neighbour discovery");
	else
		snprintf(dst, size, "ICMP: %s, says %s", icmp_text(e),
			 net_addr_format_host(&by, host));
}

static void report_error(struct listener *l, const struct msghdr *msg, const union net_addr *peer,
			 struct net_buf *b)
{
	struct {
		struct sock_extended_err e;
		union net_addr offender;
	} err;
	struct net_flow flow;
	char text[160];

	udp_flow(l, peer, msg, &flow);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memset(&err, 0, sizeof(err));
		memcpy(&err, CMSG_DATA(c), len < sizeof(err) ? len : sizeof(err));
		/* What this host itself refused, sendmmsg has told already. */
		if (err.e.ee_origin != SO_EE_ORIGIN_ICMP && err.e.ee_origin != SO_EE_ORIGIN_ICMP6)
			return;
		NET_COUNT(l->net, icmp_errors);
		error_text(&err.e, &err.offender.sa, &flow.local, text, sizeof(text));
		net_undelivered(l->net, b, &flow, -1, (int)err.e.ee_errno, text);
		return;
	}
}

static bool read_error(struct listener *l)
{
	_Alignas(struct cmsghdr) char control[512];
	struct net_buf *b = net_buf_new(NET_BUF_RX);
	union net_addr peer;
	struct iovec iov;
	struct msghdr msg = { .msg_name = &peer,
			      .msg_namelen = sizeof(peer),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	if (!b)
		return false;
	memset(&peer, 0, sizeof(peer));
	iov = (struct iovec){ b->data, b->size };
	n = recvmsg(l->watch.fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (n >= 0) {
		b->len = (uint32_t)n;
		report_error(l, &msg, &peer, b);
	}
	net_buf_unref(&b);
	return n >= 0;
}

void udp_read_errors(struct listener *l)
{
	for (int i = 0; i < ERRORS_A_TURN && read_error(l); i++)
		;
}
