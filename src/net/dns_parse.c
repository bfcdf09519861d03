/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a DNS answer (RFC 1035 4, SRV: RFC 2782, NAPTR: RFC 3403 4). c-ares expands the
 * compressed names (it bounds their pointers); the records are read here, because its
 * own readers of SRV and NAPTR drop the TTL that the cache needs.
 *
 * A CNAME in the answer only shortens the TTL: the records of the wanted type that follow
 * are those of its target (RFC 1034 3.6.2). */
#include "net/dns_int.h"

#include <ares.h>
#include <arpa/nameser.h>

#define HEADER 12
#define RCODE_NXDOMAIN 3

struct reader {
	const unsigned char *start;
	size_t len, at;
};

struct record {
	unsigned type, class;
	uint32_t ttl;
	size_t data, len;
};

static const uint16_t wire_type[] = {
	[NET_RR_A] = ns_t_a,
	[NET_RR_AAAA] = ns_t_aaaa,
	[NET_RR_SRV] = ns_t_srv,
	[NET_RR_NAPTR] = ns_t_naptr,
};

static bool has(const struct reader *r, size_t n)
{
	return r->len - r->at >= n;
}

static uint16_t get16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* A name at `at`, as text into dst (may be NULL); how far it reaches in *len_out. */
static int read_name(const struct reader *r, size_t at, char *dst, size_t size, size_t *len_out)
{
	char *name;
	long len;
	bool fits = true;

	if (at >= r->len ||
	    ares_expand_name(r->start + at, r->start, (int)r->len, &name, &len) != ARES_SUCCESS)
		return -EPROTO;
	if (dst)
		fits = span_copy(span_of(name), dst, size) < size;
	ares_free_string(name);
	if (!fits || len <= 0 || (size_t)len > r->len - at)
		return -EPROTO;
	*len_out = (size_t)len;
	return 0;
}

static int read_record(struct reader *r, struct record *rec)
{
	size_t len;

	if (read_name(r, r->at, NULL, 0, &len))
		return -EPROTO;
	r->at += len;
	if (!has(r, 10))
		return -EPROTO;
	rec->type = get16(r->start + r->at);
	rec->class = get16(r->start + r->at + 2);
	rec->ttl = get32(r->start + r->at + 4);
	rec->len = get16(r->start + r->at + 8);
	/* RFC 2181 8: a TTL with the top bit set is zero. */
	if (rec->ttl > INT32_MAX)
		rec->ttl = 0;
	r->at += 10;
	rec->data = r->at;
	if (!has(r, rec->len))
		return -EPROTO;
	r->at += rec->len;
	return 0;
}

static int read_addr(const struct reader *r, const struct record *rec, union net_addr *out)
{
	bool in6 = rec->type == ns_t_aaaa;

	if (rec->len != (in6 ? 16u : 4u))
		return -EPROTO;
	memset(out, 0, sizeof(*out));
	out->sa.sa_family = in6 ? AF_INET6 : AF_INET;
	memcpy(in6 ? (void *)&out->in6.sin6_addr : (void *)&out->in4.sin_addr, r->start + rec->data,
	       rec->len);
	return 0;
}

static int read_srv(const struct reader *r, const struct record *rec, struct net_srv *out)
{
	const unsigned char *p = r->start + rec->data;
	size_t len;

	if (rec->len < 7)
		return -EPROTO;
	out->priority = get16(p);
	out->weight = get16(p + 2);
	out->port = get16(p + 4);
	out->ttl = rec->ttl;
	if (read_name(r, rec->data + 6, out->target, sizeof(out->target), &len) ||
	    len + 6 > rec->len)
		return -EPROTO;
	return 0;
}

/* RFC 1035 3.3: a <character-string>, here at *at within the record. An embedded NUL or
 * too long a string makes the record useless. */
static int read_string(const struct reader *r, const struct record *rec, size_t *at, char *dst,
		       size_t size)
{
	const char *p = (const char *)r->start + rec->data + *at;
	size_t len;

	if (*at >= rec->len)
		return -EPROTO;
	len = (unsigned char)*p;
	if (len >= rec->len - *at)
		return -EPROTO;
	*at += 1 + len;
	if (dst && (len >= size || memchr(p + 1, '\0', len)))
		return -EPROTO;
	if (dst)
		span_copy((struct span){ p + 1, len }, dst, size);
	return 0;
}

static int read_naptr(const struct reader *r, const struct record *rec, struct net_naptr *out)
{
	const unsigned char *p = r->start + rec->data;
	size_t at = 4, len;

	if (rec->len < 8)
		return -EPROTO;
	out->order = get16(p);
	out->preference = get16(p + 2);
	out->ttl = rec->ttl;
	/* The regular expression is passed over: RFC 3263 4.1 has no use for it. */
	if (read_string(r, rec, &at, out->flags, sizeof(out->flags)) ||
	    read_string(r, rec, &at, out->service, sizeof(out->service)) ||
	    read_string(r, rec, &at, NULL, 0))
		return -EPROTO;
	if (read_name(r, rec->data + at, out->replacement, sizeof(out->replacement), &len) ||
	    at + len > rec->len)
		return -EPROTO;
	return 0;
}

static int read_data(const struct reader *r, const struct record *rec, struct net_dns_answer *a)
{
	switch (a->type) {
	case NET_RR_A:
	case NET_RR_AAAA:
		return read_addr(r, rec, &a->addr[a->n]);
	case NET_RR_SRV:
		return read_srv(r, rec, &a->srv[a->n]);
	case NET_RR_NAPTR:
		return read_naptr(r, rec, &a->naptr[a->n]);
	}
	return -EPROTO;
}

/* A record of the wanted type that makes no sense is passed over, as one service that we
 * cannot use; a message that does not hold together is refused whole. */
static int read_answers(struct reader *r, unsigned count, struct net_dns_answer *a)
{
	for (unsigned i = 0; i < count && a->n < NET_DNS_ANSWERS; i++) {
		struct record rec;
		bool alias;

		if (read_record(r, &rec))
			return -EPROTO;
		alias = rec.type == ns_t_cname;
		if (rec.class != ns_c_in || (!alias && rec.type != wire_type[a->type]))
			continue;
		if (!alias && read_data(r, &rec, a))
			continue;
		if (rec.ttl < a->ttl)
			a->ttl = rec.ttl;
		a->n += !alias;
	}
	return 0;
}

static int skip_questions(struct reader *r, unsigned count)
{
	size_t len;

	for (unsigned i = 0; i < count; i++) {
		if (read_name(r, r->at, NULL, 0, &len))
			return -EPROTO;
		r->at += len;
		if (!has(r, 4))
			return -EPROTO;
		r->at += 4;
	}
	return 0;
}

int net_dns_parse(struct net_dns_answer *out, enum net_rr type, struct span wire)
{
	struct reader r = { (const unsigned char *)wire.p, wire.len, HEADER };
	unsigned rcode;

	if (wire.len < HEADER || wire.len > 65535 || !(r.start[2] & 0x80))
		return -EPROTO;
	rcode = r.start[3] & 0x0f;
	if (rcode != 0 && rcode != RCODE_NXDOMAIN)
		return -EPROTO;
	out->err = 0;
	out->text = "";
	out->type = type;
	out->n = 0;
	out->ttl = DNS_TTL_MAX;
	if (skip_questions(&r, get16(r.start + 4)) || read_answers(&r, get16(r.start + 6), out))
		return -EPROTO;
	if (out->n)
		return 0;
	out->err = ENOENT;
	out->text = rcode == RCODE_NXDOMAIN ? "no such name" : "the name has no such record";
	out->ttl = DNS_NEGATIVE_TTL;
	return 0;
}
