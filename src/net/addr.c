/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses as text and back. Only literals: whatever needs a resolver goes through
 * dns.c. IPv4 written as IPv6 (::ffff:a.b.c.d) stays what was written, but compares equal
 * to plain IPv4, because both name the same host. */
#include "net/net_int.h"

#include <arpa/inet.h>

const char *net_proto_name(enum net_proto proto)
{
	switch (proto) {
	case NET_UDP:
		return "UDP";
	case NET_TCP:
		return "TCP";
	case NET_TLS:
		return "TLS";
	}
	return "?";
}

static int parse_in4(union net_addr *a, struct span host)
{
	char text[INET_ADDRSTRLEN];

	if (host.len == 0 || memchr(host.p, '\0', host.len) ||
	    span_copy(host, text, sizeof(text)) >= sizeof(text))
		return -EINVAL;
	a->in4.sin_family = AF_INET;
	return inet_pton(AF_INET, text, &a->in4.sin_addr) == 1 ? 0 : -EINVAL;
}

/* RFC 4007 11: the zone, here always a number, follows a '%'. */
static int parse_in6(union net_addr *a, struct span host)
{
	char text[INET6_ADDRSTRLEN];
	struct span zone;
	uint32_t scope = 0;

	if (span_cut(host, '%', &host, &zone) && span_to_u32(zone, &scope))
		return -EINVAL;
	if (host.len == 0 || memchr(host.p, '\0', host.len) ||
	    span_copy(host, text, sizeof(text)) >= sizeof(text))
		return -EINVAL;
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_scope_id = scope;
	return inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_port(struct span text, uint16_t *port)
{
	uint32_t value;

	if (text.len > 5 || span_to_u32(text, &value) || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* Splits "[v6]:port", "v4:port" and their kin. */
static int split_host(struct span text, struct span *host, struct span *port)
{
	size_t end;

	*port = SPAN_NONE;
	if (text.len && text.p[0] == '[') {
		end = span_find(text, ']');
		if (end == text.len)
			return -EINVAL;
		*host = span_head(span_skip(text, 1), end - 1);
		text = span_skip(text, end + 1);
		if (text.len == 0)
			return 0;
		*port = span_skip(text, 1);
		return text.p[0] == ':' && port->len ? 0 : -EINVAL;
	}
	*host = text;
	end = span_find(text, ':');
	if (end == text.len || span_find(span_skip(text, end + 1), ':') < text.len - end - 1)
		return 0; /* no colon: IPv4; two or more: IPv6 without brackets */
	*host = span_head(text, end);
	*port = span_skip(text, end + 1);
	return port->len ? 0 : -EINVAL;
}

int net_addr_parse(union net_addr *out, struct span text, uint16_t port)
{
	union net_addr a;
	struct span host, port_text;
	bool in6;

	memset(&a, 0, sizeof(a));
	if (text.len == 0 || split_host(text, &host, &port_text))
		return -EINVAL;
	if (port_text.len && parse_port(port_text, &port))
		return -EINVAL;
	in6 = text.p[0] == '[' || span_find(host, ':') < host.len;
	if (in6 ? parse_in6(&a, host) : parse_in4(&a, host))
		return -EINVAL;
	net_addr_set_port(&a, port);
	*out = a;
	return 0;
}

static size_t format6(const struct sockaddr_in6 *in, char *dst, bool brackets, bool zone)
{
	size_t n = 0;

	if (brackets)
		dst[n++] = '[';
	inet_ntop(AF_INET6, &in->sin6_addr, dst + n, INET6_ADDRSTRLEN);
	n += strlen(dst + n);
	if (zone && in->sin6_scope_id)
		n += fmt_print(dst + n, 12, "%%%u", in->sin6_scope_id);
	if (brackets)
		dst[n++] = ']';
	return n;
}

static const char *format(const union net_addr *a, char dst[NET_ADDR_TEXT], bool brackets,
			  bool zone, bool port)
{
	size_t n = 0;

	if (a->sa.sa_family == AF_INET)
		n = fmt_ip4(dst, &a->in4.sin_addr);
	else if (a->sa.sa_family == AF_INET6)
		n = format6(&a->in6, dst, brackets, zone);
	else
		dst[n++] = '?';
	if (port) {
		dst[n++] = ':';
		n += fmt_u64(dst + n, net_addr_port(a));
	}
	dst[n] = '\0';
	return dst;
}

const char *net_addr_format(const union net_addr *a, char dst[NET_ADDR_TEXT])
{
	return format(a, dst, true, true, true);
}

const char *net_addr_format_host(const union net_addr *a, char dst[NET_ADDR_TEXT])
{
	return format(a, dst, false, true, false);
}

/* Without the zone: it means nothing to anybody but this host (RFC 4007 6). */
const char *net_addr_format_uri(const union net_addr *a, char dst[NET_ADDR_TEXT])
{
	return format(a, dst, true, false, false);
}

uint16_t net_addr_port(const union net_addr *a)
{
	/* sin_port and sin6_port stand at the same place. */
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6 ? ntohs(a->in4.sin_port)
									 : 0;
}

void net_addr_set_port(union net_addr *a, uint16_t port)
{
	a->in4.sin_port = htons(port);
}

void net_addr_unmap(union net_addr *a)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	in4.sin_port = a->in6.sin6_port;
	memcpy(&in4.sin_addr, &a->in6.sin6_addr.s6_addr[12], 4);
	memset(a, 0, sizeof(*a));
	a->in4 = in4;
}

union net_addr net_addr_plain(const union net_addr *a)
{
	union net_addr out, in = *a;

	net_addr_unmap(&in);
	memset(&out, 0, sizeof(out));
	out.sa.sa_family = in.sa.sa_family;
	out.in4.sin_port = in.in4.sin_port;
	if (in.sa.sa_family == AF_INET) {
		out.in4.sin_addr = in.in4.sin_addr;
	} else {
		out.in6.sin6_addr = in.in6.sin6_addr;
		out.in6.sin6_scope_id = in.in6.sin6_scope_id;
	}
	return out;
}

static bool same_zone(uint32_t a, uint32_t b)
{
	return a == 0 || b == 0 || a == b;
}

bool net_addr_eq_host(const union net_addr *a, const union net_addr *b)
{
	union net_addr x = *a, y = *b;

	net_addr_unmap(&x);
	net_addr_unmap(&y);
	if (x.sa.sa_family != y.sa.sa_family)
		return false;
	if (x.sa.sa_family == AF_INET)
		return x.in4.sin_addr.s_addr == y.in4.sin_addr.s_addr;
	return x.sa.sa_family == AF_INET6 &&
	       IN6_ARE_ADDR_EQUAL(&x.in6.sin6_addr, &y.in6.sin6_addr) &&
	       same_zone(x.in6.sin6_scope_id, y.in6.sin6_scope_id);
}

bool net_addr_eq(const union net_addr *a, const union net_addr *b)
{
	return net_addr_port(a) == net_addr_port(b) && net_addr_eq_host(a, b);
}

bool net_addr_is_any(const union net_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == INADDR_ANY;
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool net_addr_is_unusable(const union net_addr *a)
{
	union net_addr plain = *a;
	uint32_t host;

	net_addr_unmap(&plain);
	if (plain.sa.sa_family == AF_INET6)
		return net_addr_is_any(&plain) || IN6_IS_ADDR_MULTICAST(&plain.in6.sin6_addr);
	if (plain.sa.sa_family != AF_INET)
		return true;
	host = ntohl(plain.in4.sin_addr.s_addr);
	return host >> 24 == 0 || IN_MULTICAST(host) || host == INADDR_BROADCAST;
}

socklen_t net_addr_len(const union net_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}
