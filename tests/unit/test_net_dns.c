/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resolver against a tiny DNS server on the same loop. */
#include "net_peer.h"

#include <arpa/nameser.h>

struct server {
	struct loop_fd watch;
	unsigned queries;
	bool silent;
};

static struct loop loop;
static struct server server;
static struct net_dns *dns;

struct wire {
	unsigned char p[4096];
	size_t len;
};

static void put8(struct wire *w, unsigned v)
{
	w->p[w->len++] = (unsigned char)v;
}

static void put16(struct wire *w, unsigned v)
{
	put8(w, v >> 8);
	put8(w, v & 0xff);
}

static void put_name(struct wire *w, const char *name)
{
	struct span rest = span_of(name), label;

	while (rest.len) {
		span_cut(rest, '.', &label, &rest);
		put8(w, (unsigned)label.len);
		memcpy(w->p + w->len, label.p, label.len);
		w->len += label.len;
	}
	put8(w, 0);
}

static void put_string(struct wire *w, const char *s)
{
	put8(w, (unsigned)strlen(s));
	memcpy(w->p + w->len, s, strlen(s));
	w->len += strlen(s);
}

/* A record of the question's name; returns where its length is to be written. */
static size_t put_record(struct wire *w, unsigned type, unsigned ttl)
{
	w->p[7]++;
	put16(w, 0xc000 | 12);
	put16(w, type);
	put16(w, ns_c_in);
	put16(w, ttl >> 16);
	put16(w, ttl & 0xffff);
	put16(w, 0);
	return w->len - 2;
}

static void end_record(struct wire *w, size_t at)
{
	size_t len = w->len - at - 2;

	w->p[at] = (unsigned char)(len >> 8);
	w->p[at + 1] = (unsigned char)len;
}

static void put_addr(struct wire *w, const char *text, unsigned ttl)
{
	union net_addr a = addr(text);
	bool in6 = a.sa.sa_family == AF_INET6;
	size_t at = put_record(w, in6 ? ns_t_aaaa : ns_t_a, ttl);
	size_t len = in6 ? 16 : 4;

	memcpy(w->p + w->len, in6 ? (void *)&a.in6.sin6_addr : (void *)&a.in4.sin_addr, len);
	w->len += len;
	end_record(w, at);
}

static void put_srv(struct wire *w, unsigned priority, unsigned weight, unsigned port,
		    const char *target)
{
	size_t at = put_record(w, ns_t_srv, 120);

	put16(w, priority);
	put16(w, weight);
	put16(w, port);
	put_name(w, target);
	end_record(w, at);
}

static void put_naptr(struct wire *w, unsigned order, const char *service, const char *replacement)
{
	size_t at = put_record(w, ns_t_naptr, 60);

	put16(w, order);
	put16(w, 50);
	put_string(w, "s");
	put_string(w, service);
	put_string(w, "");
	put_name(w, replacement);
	end_record(w, at);
}

/* RCODE, or -1: say nothing. */
static int answer(struct wire *w, const char *name, unsigned type)
{
	if (strcmp(name, "gw.example.com") == 0 && type == ns_t_a) {
		put_addr(w, "192.0.2.1", 300);
		put_addr(w, "192.0.2.2", 200);
	} else if (strcmp(name, "gw.example.com") == 0 && type == ns_t_aaaa) {
		put_addr(w, "2001:db8::1", 100);
	} else if (strcmp(name, "brief.example.com") == 0 && type == ns_t_a) {
		put_addr(w, "192.0.2.3", 0);
	} else if (strcmp(name, "_sip._udp.example.com") == 0 && type == ns_t_srv) {
		put_srv(w, 10, 60, 5060, "gw.example.com");
		put_srv(w, 20, 0, 5070, "backup.example.com");
	} else if (strcmp(name, "example.com") == 0 && type == ns_t_naptr) {
		put_naptr(w, 10, "SIPS+D2T", "_sips._tcp.example.com");
		put_naptr(w, 20, "SIP+D2U", "_sip._udp.example.com");
	} else if (strcmp(name, "nothing.example.com") == 0) {
		return ns_r_nxdomain;
	} else if (strcmp(name, "broken.example.com") == 0) {
		return ns_r_servfail;
	} else if (strcmp(name, "silent.example.com") == 0) {
		return -1;
	} else if (strcmp(name, "mad.example.com") == 0) {
		w->p[7] = 9; /* answers that are not there */
	}
	return 0;
}

static void serve(struct loop_fd *watch, uint32_t events)
{
	struct server *s = container_of(watch, struct server, watch);
	struct wire w;
	union net_addr from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(watch->fd, w.p, 512, 0, &from.sa, &from_len);
	char name[256] = "";
	size_t at = 12, out = 0;
	int rcode;

	assert_true(n > 12);
	s->queries++;
	while (w.p[at]) {
		memcpy(name + out, w.p + at + 1, w.p[at]);
		out += w.p[at];
		at += 1u + w.p[at];
		name[out++] = '.';
	}
	name[out - 1] = '\0';
	w.len = at + 5;
	w.p[2] |= 0x80;
	w.p[7] = w.p[9] = w.p[11] = 0;
	rcode = answer(&w, name, (unsigned)(w.p[at + 1] << 8 | w.p[at + 2]));
	if (rcode < 0)
		return;
	w.p[3] = (unsigned char)(0x80 | rcode);
	sendto(watch->fd, w.p, w.len, 0, &from.sa, from_len);
}

static int start(void **state)
{
	union net_addr a = addr("127.0.0.1");
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[NET_ADDR_TEXT];

	(void)state;
	server = (struct server){ .watch = { -1, serve } };
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(bind(fd, &a.sa, sizeof(a.in4)), 0);
	getsockname(fd, &a.sa, &len);
	assert_int_equal(loop_add(&loop, &server.watch, fd, EPOLLIN), 0);
	assert_int_equal(net_dns_open(&dns, &loop, net_addr_format(&a, text)), 0);
	return 0;
}

static int finish(void **state)
{
	int fd = server.watch.fd;

	(void)state;
	net_dns_close(&dns);
	loop_del(&loop, &server.watch);
	close(fd);
	loop_close(&loop);
	return 0;
}

struct asked {
	unsigned done;
	struct net_dns_answer a;
	struct net_dns_query *q;
};

static void on_done(void *arg, const struct net_dns_answer *a)
{
	struct asked *asked = arg;

	asked->done++;
	asked->a = *a;
	asked->q = NULL;
}

static void await(const struct asked *asked)
{
	uint64_t end = clock_mono_us() + 5 * SEC;

	while (!asked->done && clock_mono_us() < end)
		loop_turn(&loop, 10 * MSEC);
	assert_int_equal(asked->done, 1);
}

static struct net_dns_answer *ask(const char *name, enum net_rr type)
{
	static struct asked asked;

	asked = (struct asked){ 0 };
	net_dns_ask(dns, name, type, on_done, &asked);
	await(&asked);
	assert_int_equal(asked.a.type, type);
	return &asked.a;
}

static void test_records(void **state)
{
	char text[NET_ADDR_TEXT];
	struct net_dns_answer *a = ask("GW.Example.com.", NET_RR_A);

	(void)state;
	assert_int_equal(a->err, 0);
	assert_int_equal(a->n, 2);
	assert_string_equal(net_addr_format(&a->addr[0], text), "192.0.2.1:0");
	assert_string_equal(net_addr_format(&a->addr[1], text), "192.0.2.2:0");
	assert_int_equal(a->ttl, 200);
	a = ask("gw.example.com", NET_RR_AAAA);
	assert_int_equal(a->n, 1);
	assert_string_equal(net_addr_format(&a->addr[0], text), "[2001:db8::1]:0");
	a = ask("_sip._udp.example.com", NET_RR_SRV);
	assert_int_equal(a->n, 2);
	assert_int_equal(a->srv[0].priority, 10);
	assert_int_equal(a->srv[0].weight, 60);
	assert_int_equal(a->srv[1].port, 5070);
	assert_int_equal(a->srv[1].ttl, 120);
	assert_string_equal(a->srv[0].target, "gw.example.com");
	a = ask("example.com", NET_RR_NAPTR);
	assert_int_equal(a->n, 2);
	assert_int_equal(a->naptr[0].order, 10);
	assert_int_equal(a->naptr[0].preference, 50);
	assert_string_equal(a->naptr[0].flags, "s");
	assert_string_equal(a->naptr[1].service, "SIP+D2U");
	assert_string_equal(a->naptr[1].replacement, "_sip._udp.example.com");
	assert_int_equal(a->ttl, 60);
}

static void test_failures(void **state)
{
	uint64_t begin = clock_mono_us();
	struct net_dns_answer *a = ask("nothing.example.com", NET_RR_A);

	(void)state;
	assert_int_equal(a->err, ENOENT);
	assert_int_equal(a->n, 0);
	assert_int_equal(a->ttl, 30);
	assert_int_equal(ask("gw.example.com", NET_RR_SRV)->err, ENOENT);
	assert_int_equal(ask("broken.example.com", NET_RR_A)->err, EPROTO);
	assert_int_equal(ask("mad.example.com", NET_RR_A)->err, EPROTO);
	assert_int_equal(ask("", NET_RR_A)->err, ENOENT);
	assert_int_equal(ask(".", NET_RR_A)->err, ENOENT);
	assert_int_not_equal(ask("a..b.example.com", NET_RR_A)->err, 0);
	a = ask("silent.example.com", NET_RR_A);
	assert_int_equal(a->err, ETIMEDOUT);
	assert_true(clock_mono_us() - begin < 5 * SEC);
}

static void test_cache(void **state)
{
	unsigned before;

	(void)state;
	ask("gw.example.com", NET_RR_A);
	ask("nothing.example.com", NET_RR_A);
	ask("brief.example.com", NET_RR_A);
	before = server.queries;
	assert_int_equal(ask("gw.EXAMPLE.com", NET_RR_A)->n, 2);
	assert_int_equal(ask("nothing.example.com", NET_RR_A)->err, ENOENT);
	assert_int_equal(server.queries, before);
	assert_int_equal(ask("brief.example.com", NET_RR_A)->n, 1); /* TTL 0: asked again */
	assert_int_equal(server.queries, before + 1);
	loop.now_us += 150 * SEC; /* as if time had passed; the next turn reads the clock again */
	assert_int_equal(ask("gw.example.com", NET_RR_A)->ttl, 50);
	loop.now_us += 300 * SEC;
	ask("gw.example.com", NET_RR_A);
	assert_int_equal(server.queries, before + 2);
}

/* One query for all who ask meanwhile; who cancels hears nothing. */
static void test_shared_and_cancelled(void **state)
{
	struct asked asked[3] = { 0 };
	unsigned before = server.queries;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		asked[i].q = net_dns_ask(dns, "gw.example.com", NET_RR_A, on_done, &asked[i]);
		assert_non_null(asked[i].q);
	}
	net_dns_cancel(&asked[1].q);
	assert_null(asked[1].q);
	net_dns_cancel(&asked[1].q);
	await(&asked[2]);
	assert_int_equal(asked[0].done, 1);
	assert_int_equal(asked[1].done, 0);
	assert_int_equal(asked[0].a.n, 2);
	assert_int_equal(server.queries, before + 1);
	/* Left open: net_dns_close must cope. */
	asked[0] = (struct asked){ 0 };
	asked[0].q = net_dns_ask(dns, "silent.example.com", NET_RR_A, on_done, &asked[0]);
	assert_non_null(asked[0].q);
}

static void test_hosts(void **state)
{
	struct net_dns_answer *a = ask("localhost", NET_RR_A);
	char text[NET_ADDR_TEXT];

	(void)state;
	assert_int_equal(a->err, 0);
	assert_true(a->n >= 1);
	assert_string_equal(net_addr_format_host(&a->addr[0], text), "127.0.0.1");
	assert_int_equal(server.queries, 0);
}

static void test_many_names(void **state)
{
	char name[64];
	unsigned before;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct asked asked = { 0 };

		snprintf(name, sizeof(name), "n%u.example.com", i);
		asked.q = net_dns_ask(dns, name, NET_RR_A, on_done, &asked);
		await(&asked);
	}
	before = server.queries;
	ask("n4999.example.com", NET_RR_A);
	ask("n1000.example.com", NET_RR_A);
	assert_int_equal(server.queries, before);
	ask("n0.example.com", NET_RR_A); /* long pushed out */
	assert_int_equal(server.queries, before + 1);
}

static void test_parse_refuses(void **state)
{
	struct net_dns_answer a;
	struct wire w = { .p = { 0, 1, 0x81, 0x80, 0, 1 }, .len = 12 };

	(void)state;
	put_name(&w, "x.example");
	put16(&w, ns_t_srv);
	put16(&w, ns_c_in);
	put_srv(&w, 1, 2, 3, "t.example");
	assert_int_equal(net_dns_parse(&a, NET_RR_SRV, (struct span){ (char *)w.p, w.len }), 0);
	assert_int_equal(a.n, 1);
	for (size_t len = 0; len < w.len; len++)
		assert_int_equal(net_dns_parse(&a, NET_RR_SRV, (struct span){ (char *)w.p, len }),
				 -EPROTO);
	for (int i = 0; i < 40; i++)
		put_srv(&w, 1, 2, 3, "t.example");
	assert_int_equal(net_dns_parse(&a, NET_RR_SRV, (struct span){ (char *)w.p, w.len }), 0);
	assert_int_equal(a.n, NET_DNS_ANSWERS);
	w.p[2] &= 0x7f; /* a question */
	assert_int_equal(net_dns_parse(&a, NET_RR_SRV, (struct span){ (char *)w.p, w.len }),
			 -EPROTO);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_records),
		CASE(test_failures),
		CASE(test_cache),
		CASE(test_shared_and_cancelled),
		CASE(test_hosts),
		CASE(test_many_names),
		cmocka_unit_test(test_parse_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
