/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 3263: which transport (4.1), then which address and port (4.2), as a list of questions asked one
 * after another; answers come from the worker's cache in most cases.
 *
 *   literal, or port given           A/AAAA (a literal needs none)
 *   transport given                  SRV of it, else A/AAAA
 *   nothing given                    NAPTR -> its SRVs in order; else SRV for UDP, then TCP; else A/AAAA
 *
 * Records found become "hops" (name, port, transport), best first; each hop's addresses become
 * targets. Asking stops at 16 questions or 16 targets, so a zone cannot make us work. */
#include "sip/sip_resolve.h"

#include <stdio.h>
#include <stdlib.h>

#define QUESTIONS_MAX 16
#define SRV_NAMES_MAX 4

struct hop {
	char name[256];
	uint16_t port;
	enum net_proto proto;
};

struct sip_resolve {
	struct net_dns *dns;
	struct net_dns_query *query;
	void (*done)(void *arg, const struct sip_targets *targets);
	void *arg;
	char host[256];
	uint16_t port; /* 0 = none */
	int proto; /* -1 = none */
	bool want_ip4, want_ip6;

	/* What is left to ask. */
	bool naptr;
	bool guessed; /* the SRV names come from our transports, not from NAPTR */
	struct hop srv[SRV_NAMES_MAX]; /* names of SRV records; port unused */
	unsigned n_srv, next_srv;
	struct hop hops[SIP_TARGETS_MAX];
	unsigned n_hops, next_hop;
	bool aaaa_next; /* this hop's A has been asked */
	bool plain; /* A/AAAA of the host itself is still an option */

	struct hop asked; /* the question under way */
	enum net_rr asked_type;
	unsigned questions;
	bool asking, answered;
	struct sip_targets targets;
};

static const char *rr_name(enum net_rr type)
{
	return type == NET_RR_A      ? "A"
	       : type == NET_RR_AAAA ? "AAAA"
	       : type == NET_RR_SRV  ? "SRV"
				     : "NAPTR";
}

static uint16_t default_port(enum net_proto proto)
{
	return proto == NET_TLS ? 5061 : 5060;
}

static const char *srv_prefix(enum net_proto proto)
{
	return proto == NET_UDP ? "_sip._udp." : proto == NET_TCP ? "_sip._tcp." : "_sips._tcp.";
}

/* ---- results ------------------------------------------------------------------------- */

static void add_target(struct sip_targets *targets, enum net_proto proto,
		       const union net_addr *addr, uint16_t port)
{
	struct sip_target *target;

	if (targets->n == SIP_TARGETS_MAX || net_addr_is_unusable(addr))
		return;
	target = &targets->target[targets->n];
	target->proto = proto;
	target->addr = *addr;
	net_addr_set_port(&target->addr, port);
	for (unsigned i = 0; i < targets->n; i++)
		if (targets->target[i].proto == proto &&
		    net_addr_eq(&targets->target[i].addr, &target->addr))
			return;
	targets->n++;
}

static void finish(struct sip_resolve *r)
{
	if (r->targets.n)
		r->targets.err = 0;
	else if (!r->targets.err)
		r->targets.err = ENOENT;
	r->done(r->arg, &r->targets);
	free(r);
}

/* The last failure counts, but trouble that may pass (timeout) outweighs "no such name". */
static void note_failure(struct sip_resolve *r, int err, const char *text)
{
	if (err == ENOENT && r->targets.err && r->targets.err != ENOENT)
		return;
	r->targets.err = err;
	snprintf(r->targets.text, sizeof(r->targets.text), "%s %.100s: %s", rr_name(r->asked_type),
		 r->asked.name, text ? text : "no answer");
}

/* ---- reading answers ------------------------------------------------------------------ */

static void add_hop(struct sip_resolve *r, const char *name, uint16_t port, enum net_proto proto)
{
	struct hop *hop;

	if (r->n_hops == ARRAY_SIZE(r->hops))
		return;
	hop = &r->hops[r->n_hops++];
	*hop = (struct hop){ .port = port, .proto = proto };
	span_copy(span_of(name), hop->name, sizeof(hop->name));
}

/* RFC 2782: among the records [from, to) of one priority draw the next by weight. Records of weight 0
 * come first in the running sum, so they have a small chance of their own. */
static unsigned srv_draw(const struct net_srv *srv, const bool *used, unsigned n, uint16_t priority)
{
	uint32_t sum = 0, at;
	unsigned last = n;

	for (unsigned i = 0; i < n; i++)
		if (!used[i] && srv[i].priority == priority)
			sum += srv[i].weight;
	at = rng_below(sum + 1);
	for (int heavy = 0; heavy < 2; heavy++) {
		for (unsigned i = 0; i < n; i++) {
			if (used[i] || srv[i].priority != priority || (srv[i].weight > 0) != heavy)
				continue;
			last = i;
			if (srv[i].weight >= at)
				return i;
			at -= srv[i].weight;
		}
	}
	return last;
}

static bool srv_lowest(const struct net_srv *srv, const bool *used, unsigned n, uint16_t *priority)
{
	bool found = false;

	for (unsigned i = 0; i < n; i++) {
		if (used[i] || (found && srv[i].priority >= *priority))
			continue;
		*priority = srv[i].priority;
		found = true;
	}
	return found;
}

static void read_srv(struct sip_resolve *r, const struct net_dns_answer *answer)
{
	bool used[NET_DNS_ANSWERS] = { false };
	uint16_t priority = 0;

	r->plain = false;
	while (srv_lowest(answer->srv, used, answer->n, &priority)) {
		unsigned i = srv_draw(answer->srv, used, answer->n, priority);

		used[i] = true;
		/* "." says: this service is decidedly not offered here. */
		if (answer->srv[i].target[0] == '\0' || strcmp(answer->srv[i].target, ".") == 0)
			note_failure(r, ENOENT, "service not offered (target \".\")");
		else
			add_hop(r, answer->srv[i].target, answer->srv[i].port, r->asked.proto);
	}
	/* Guessed names: the first transport that exists is taken (UDP before TCP). */
	if (r->guessed)
		r->next_srv = r->n_srv;
}

static bool naptr_proto(const struct net_naptr *naptr, enum net_proto *proto)
{
	struct span service = span_of(naptr->service);

	if (!span_ieq(span_of(naptr->flags), SPAN("s")))
		return false;
	if (span_ieq(service, SPAN("SIP+D2U")))
		*proto = NET_UDP;
	else if (span_ieq(service, SPAN("SIP+D2T")))
		*proto = NET_TCP;
	else if (span_ieq(service, SPAN("SIPS+D2T")))
		*proto = NET_TLS;
	else
		return false;
	return true;
}

static void add_srv(struct sip_resolve *r, const char *prefix, const char *name,
		    enum net_proto proto)
{
	struct hop *srv;

	if (r->n_srv == ARRAY_SIZE(r->srv))
		return;
	srv = &r->srv[r->n_srv++];
	srv->proto = proto;
	snprintf(srv->name, sizeof(srv->name), "%s%.240s", prefix, name);
}

static void guess_srv(struct sip_resolve *r)
{
	r->guessed = true;
	if (r->proto >= 0) {
		add_srv(r, srv_prefix((enum net_proto)r->proto), r->host, (enum net_proto)r->proto);
		return;
	}
	add_srv(r, srv_prefix(NET_UDP), r->host, NET_UDP);
	add_srv(r, srv_prefix(NET_TCP), r->host, NET_TCP);
}

static bool naptr_before(const struct net_naptr *a, const struct net_naptr *b)
{
	return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

static void read_naptr(struct sip_resolve *r, const struct net_dns_answer *answer)
{
	bool used[NET_DNS_ANSWERS] = { false };

	for (unsigned round = 0; round < answer->n; round++) {
		unsigned best = answer->n;
		enum net_proto proto;

		for (unsigned i = 0; i < answer->n; i++)
			if (!used[i] && (best == answer->n ||
					 naptr_before(&answer->naptr[i], &answer->naptr[best])))
				best = i;
		used[best] = true;
		if (naptr_proto(&answer->naptr[best], &proto))
			add_srv(r, "", answer->naptr[best].replacement, proto);
	}
}

static void read_answer(struct sip_resolve *r, const struct net_dns_answer *answer)
{
	if (answer->err || answer->n == 0) {
		note_failure(r, answer->err ? answer->err : ENOENT, answer->text);
	} else if (answer->type == NET_RR_NAPTR) {
		read_naptr(r, answer);
	} else if (answer->type == NET_RR_SRV) {
		read_srv(r, answer);
	} else {
		for (unsigned i = 0; i < answer->n && i < NET_DNS_ANSWERS; i++)
			add_target(&r->targets, r->asked.proto, &answer->addr[i], r->asked.port);
		snprintf(r->targets.text, sizeof(r->targets.text), "%s %.100s: %u found",
			 rr_name(answer->type), r->asked.name, answer->n);
	}
	/* 4.1: no usable NAPTR, then the names that SRV records would have. */
	if (r->asked_type == NET_RR_NAPTR && r->n_srv == 0)
		guess_srv(r);
}

/* ---- asking --------------------------------------------------------------------------- */

/* Chooses the next question; false when there is none. */
static bool next_question(struct sip_resolve *r)
{
	if (r->questions == QUESTIONS_MAX || r->targets.n == SIP_TARGETS_MAX)
		return false;
	if (r->naptr) {
		r->naptr = false;
		r->asked_type = NET_RR_NAPTR;
		span_copy(span_of(r->host), r->asked.name, sizeof(r->asked.name));
		return true;
	}
	if (r->next_srv < r->n_srv) {
		r->asked_type = NET_RR_SRV;
		r->asked = r->srv[r->next_srv++];
		return true;
	}
	if (r->next_hop == r->n_hops && r->plain) {
		enum net_proto proto = r->proto < 0 ? NET_UDP : (enum net_proto)r->proto;

		r->plain = false;
		add_hop(r, r->host, r->port ? r->port : default_port(proto), proto);
	}
	if (r->next_hop == r->n_hops)
		return false;
	r->asked = r->hops[r->next_hop];
	r->asked_type = r->want_ip4 && !r->aaaa_next ? NET_RR_A : NET_RR_AAAA;
	r->aaaa_next = r->asked_type == NET_RR_A && r->want_ip6;
	if (!r->aaaa_next)
		r->next_hop++;
	return true;
}

static bool resolve_run(struct sip_resolve *r);

static void on_answer(void *arg, const struct net_dns_answer *answer)
{
	struct sip_resolve *r = arg;

	r->query = NULL;
	r->answered = true;
	read_answer(r, answer);
	if (!r->asking)
		resolve_run(r);
}

/* Asks until an answer has to be waited for (true), or all is known: then `r` is gone. */
static bool resolve_run(struct sip_resolve *r)
{
	while (next_question(r)) {
		struct net_dns_query *query;

		r->questions++;
		r->answered = false;
		r->asking = true;
		query = net_dns_ask(r->dns, r->asked.name, r->asked_type, on_answer, r);
		r->asking = false;
		if (r->answered)
			continue;
		if (query) {
			r->query = query;
			return true;
		}
		note_failure(r, ENOMEM, "no memory");
		break;
	}
	finish(r);
	return false;
}

/* True if the host is a literal, answered through `done`. */
static bool resolve_literal(struct span host, uint16_t port, int proto,
			    void (*done)(void *arg, const struct sip_targets *targets), void *arg)
{
	enum net_proto use = proto < 0 ? NET_UDP : (enum net_proto)proto;
	struct sip_targets targets = { .n = 0 };
	union net_addr addr;

	if (net_addr_parse(&addr, host, 0))
		return false;
	add_target(&targets, use, &addr, port ? port : default_port(use));
	targets.err = targets.n ? 0 : ENOENT;
	snprintf(targets.text, sizeof(targets.text), "%.*s: %s", SPAN_ARG(span_head(host, 100)),
		 targets.n ? "an address" : "not a usable address");
	done(arg, &targets);
	return true;
}

static void answer_error(int err, const char *text,
			 void (*done)(void *arg, const struct sip_targets *targets), void *arg)
{
	struct sip_targets targets = { .err = err };

	snprintf(targets.text, sizeof(targets.text), "%s", text);
	done(arg, &targets);
}

struct sip_resolve *sip_resolve_start(struct net_dns *dns, struct span host, uint16_t port,
				      int proto, bool want_ip4, bool want_ip6,
				      void (*done)(void *arg, const struct sip_targets *targets),
				      void *arg)
{
	struct sip_resolve *r;

	if (resolve_literal(host, port, proto, done, arg))
		return NULL;
	if (host.len == 0 || host.len > 253 || memchr(host.p, '\0', host.len)) {
		answer_error(ENOENT, "host name empty or longer than 253", done, arg);
		return NULL;
	}
	r = dns ? calloc(1, sizeof(*r)) : NULL;
	if (!r) {
		answer_error(dns ? ENOMEM : EPROTO, dns ? "no memory" : "no name server", done,
			     arg);
		return NULL;
	}
	r->dns = dns;
	r->done = done;
	r->arg = arg;
	r->port = port;
	r->proto = proto;
	r->want_ip4 = want_ip4;
	r->want_ip6 = want_ip6 || !want_ip4;
	r->plain = true;
	span_copy(host, r->host, sizeof(r->host));
	r->naptr = !port && proto < 0;
	if (!port && proto >= 0)
		guess_srv(r);
	return resolve_run(r) ? r : NULL;
}

const char *sip_resolve_waiting(const struct sip_resolve *r, char *dst, size_t size)
{
	snprintf(dst, size, "%s %s", rr_name(r->asked_type), r->asked.name);
	return dst;
}

void sip_resolve_cancel(struct sip_resolve **resolve)
{
	struct sip_resolve *r = *resolve;

	*resolve = NULL;
	if (!r)
		return;
	if (r->query)
		net_dns_cancel(&r->query);
	free(r);
}
