/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses as people write them: hosts, networks and peers. */
#include "model/model_int.h"

#include <arpa/inet.h>
#include <stdio.h>

#define HEP_PORT 9060

static bool port_parse(struct span text, uint16_t *out)
{
	uint32_t port;

	if (span_to_u32(text, &port) || port == 0 || port > 65535)
		return false;
	*out = (uint16_t)port;
	return true;
}

static bool literal_parse(struct span text, struct model_address *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (span_copy(text, copy, sizeof(copy)) >= sizeof(copy) || memchr(text.p, '\0', text.len))
		return false;
	out->ip6 = memchr(text.p, ':', text.len) != NULL;
	out->prefix_len = out->ip6 ? 128 : 32;
	return inet_pton(out->ip6 ? AF_INET6 : AF_INET, copy, out->bytes) == 1;
}

/* Cut "[v6]:port", "v4:port", "name:port" or any of them without port; a bare v6 has several colons. */
static const char *host_port_cut(struct span text, struct span *host, uint16_t *port)
{
	struct span rest = SPAN_NONE;
	bool has_port;

	*port = 0;
	if (text.len && text.p[0] == '[') {
		size_t end = span_find(text, ']');

		if (end == text.len)
			return "the bracket is not closed";
		*host = span_skip(span_head(text, end), 1);
		rest = span_skip(text, end + 1);
		if (!memchr(host->p, ':', host->len))
			return "brackets hold an IPv6 address only";
		has_port = rest.len != 0;
		if (has_port && rest.p[0] != ':')
			return "after the bracket only a port may follow";
		rest = span_skip(rest, 1);
	} else {
		has_port = span_cut(text, ':', host, &rest);
		if (has_port && span_find(rest, ':') != rest.len) {
			*host = text;
			has_port = false;
		}
	}
	if (has_port && !port_parse(rest, port))
		return "the port must be 1 to 65535";
	return host->len ? NULL : "the host is missing";
}

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

const char *address_parse(struct span text, struct model_address *out)
{
	struct model_address a = { 0 };
	struct span host, bits;
	bool network = span_cut(text, '/', &host, &bits);
	uint16_t port = 0;
	uint32_t len;
	const char *wrong = NULL;

	if (!network)
		wrong = host_port_cut(text, &host, &port);
	if (wrong)
		return wrong;
	if (host.len == 0 || !literal_parse(host, &a))
		return "not an IPv4 or IPv6 address";
	if (network) {
		struct model_address masked;

		if (span_to_u32(bits, &len) || len > a.prefix_len)
			return a.ip6 ? "a network's length must be 0 to 128"
				     : "a network's length must be 0 to 32";
		masked = a;
		address_mask(&masked, len);
		if (memcmp(masked.bytes, a.bytes, sizeof(a.bytes)) != 0)
			return "the address has bits beyond the network's length";
		a.prefix_len = (uint8_t)len;
	}
	if (a.ip6 && memcmp(a.bytes, v4_mapped, sizeof(v4_mapped)) == 0)
		return "write the IPv4 address itself";
	a.port = port;
	*out = a;
	return NULL;
}

static const struct {
	const char *name;
	int proto;
} transports[] = { { "udp", PROTO_UDP }, { "tcp", PROTO_TCP }, { "tls", PROTO_TLS } };

/* RFC 1123 2.1 host names; underscores occur in practice. */
static bool host_is_name(struct span host)
{
	if (host.len == 0 || host.len > 253 || host.p[0] == '.' || host.p[0] == '-')
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = ascii_lower(host.p[i]);

		if (!ascii_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.' && c != '_')
			return false;
		if (c == '.' && i && host.p[i - 1] == '.')
			return false;
	}
	return true;
}

/* All digits and dots can only be meant as an address. */
static bool host_looks_numeric(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!ascii_digit(host.p[i]) && host.p[i] != '.')
			return false;
	return true;
}

const char *peer_parse(struct span text, struct span *host_out, uint16_t *port_out, int *proto_out)
{
	struct span address, param, host;
	struct model_address literal = { 0 };
	bool has_param = span_cut(text, ';', &address, &param);
	uint16_t port;
	int proto = -1;
	const char *wrong = host_port_cut(address, &host, &port);

	if (wrong)
		return wrong;
	if (has_param) {
		for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
			if (span_istarts(param, SPAN("transport=")) &&
			    span_ieq(span_skip(param, 10), span_of(transports[i].name)))
				proto = transports[i].proto;
		if (proto < 0)
			return "after `;` only transport=udp, transport=tcp or transport=tls may "
			       "follow";
	}
	if (!literal_parse(host, &literal) && (host_looks_numeric(host) || !host_is_name(host)))
		return "neither an address nor a host name";
	*host_out = host;
	*port_out = port;
	*proto_out = proto;
	return NULL;
}

const char *collector_cut(struct span *list, struct collector_address *out)
{
	struct collector_address c = { 0 };
	struct model_address literal;
	struct span one, proto, rest;
	const char *wrong;

	span_cut(*list, ',', &one, list);
	span_cut(span_trim(one), ':', &proto, &rest);
	c.tcp = span_ieq(proto, SPAN("tcp"));
	if (!c.tcp && !span_ieq(proto, SPAN("udp")))
		return "each begins with udp: or tcp:";
	wrong = host_port_cut(rest, &c.host, &c.port);
	if (wrong)
		return wrong;
	if (!literal_parse(c.host, &literal) &&
	    (host_looks_numeric(c.host) || !host_is_name(c.host)))
		return "neither an address nor a host name";
	if (!c.port)
		c.port = HEP_PORT;
	*out = c;
	return NULL;
}

bool address_of(const struct sockaddr *source, struct model_address *out)
{
	struct model_address a = { 0 };

	if (source->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)source;

		memcpy(a.bytes, &in->sin_addr, 4);
		a.port = ntohs(in->sin_port);
		a.prefix_len = 32;
	} else if (source->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)source;

		a.port = ntohs(in6->sin6_port);
		a.ip6 = !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
		a.prefix_len = a.ip6 ? 128 : 32;
		memcpy(a.bytes, in6->sin6_addr.s6_addr + (a.ip6 ? 0 : 12), a.ip6 ? 16 : 4);
	} else {
		return false;
	}
	*out = a;
	return true;
}

const char *address_format(const struct model_address *address, char *dst, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->ip6 ? AF_INET6 : AF_INET, address->bytes, host, sizeof(host));
	if (address->prefix_len < (address->ip6 ? 128 : 32))
		snprintf(dst, size, "%s/%u", host, address->prefix_len);
	else
		snprintf(dst, size, "%s", host);
	return dst;
}

unsigned address_common(const struct model_address *a, const struct model_address *b)
{
	unsigned bytes = a->ip6 ? 16 : 4, n = 0;

	while (n < bytes && a->bytes[n] == b->bytes[n])
		n++;
	if (n == bytes)
		return bytes * 8;
	return n * 8 + (unsigned)__builtin_clz((unsigned)(a->bytes[n] ^ b->bytes[n])) - 24;
}

void address_mask(struct model_address *address, unsigned prefix_len)
{
	for (unsigned i = 0; i < sizeof(address->bytes); i++) {
		unsigned keep = prefix_len > i * 8 ? prefix_len - i * 8 : 0;

		if (keep < 8)
			address->bytes[i] &= (uint8_t)(0xff00u >> keep);
	}
	address->prefix_len = (uint8_t)prefix_len;
}
