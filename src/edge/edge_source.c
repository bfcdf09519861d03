/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources that were refused or are not known: who knocks, how often, and what they said last. One table a worker,
 * so that noting one costs neither a lock nor, once the table is full, memory: the source that was quiet for longest
 * makes room. A source is a host and a transport; scanners change their port with every request. Its requests
 * are spread over the workers by their Call-ID, so what people see is the tables of all workers, merged.
 *
 * The nearest match is looked up when somebody reads: it follows the configuration, and a flood pays nothing for it. */
#include "edge/edge_int.h"

#include <stdlib.h>

struct source_key {
	uint8_t host[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t proto;
};

struct source {
	struct hash_node node;
	struct list age; /* longest quiet first */
	struct source_key key;
	struct edge_source known;
};

#define DROPPED 4096 /* power of two */

struct sources {
	struct hash_key key;
	uint64_t dropped[DROPPED]; /* transactions of requests dropped lately, by their hash */
	struct hash_table by_key;
	struct list age;
	uint64_t forgotten;
};

int edge_sources_new(struct sources **out)
{
	struct sources *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (hash_table_init(&all->by_key, 64)) {
		free(all);
		return -ENOMEM;
	}
	list_init(&all->age);
	rng_bytes(&all->key, sizeof(all->key));
	*out = all;
	return 0;
}

static void take_out(struct sources *all, struct source *source)
{
	hash_table_del(&all->by_key, &source->node);
	list_del(&source->age);
}

static struct source *oldest(struct sources *all)
{
	return list_entry(all->age.next, struct source, age);
}

void edge_sources_free(struct sources **sources)
{
	struct sources *all = *sources;

	*sources = NULL;
	if (!all)
		return;
	while (!list_empty(&all->age)) {
		struct source *source = oldest(all);

		take_out(all, source);
		free(source);
	}
	hash_table_free(&all->by_key);
	free(all);
}

/* ---- noting ------------------------------------------------------------------------------- */

static struct source_key key_of(const struct net_flow *flow)
{
	struct source_key key = { .host = { [10] = 0xff, [11] = 0xff }, .proto = flow->proto };

	if (flow->peer.sa.sa_family == AF_INET6)
		memcpy(key.host, &flow->peer.in6.sin6_addr, 16);
	else
		memcpy(key.host + 12, &flow->peer.in4.sin_addr, 4);
	return key;
}

static struct source *find(const struct sources *all, const struct source_key *key, uint64_t hash)
{
	struct hash_node *node = hash_table_find(&all->by_key, hash);

	for (; node; node = hash_next(node)) {
		struct source *source = container_of(node, struct source, node);

		if (memcmp(&source->key, key, sizeof(*key)) == 0)
			return source;
	}
	return NULL;
}

/* The memory of the one that was quiet for longest when there are `most` already. NULL: none to be had. */
static struct source *room_for_one(struct sources *all, uint64_t most)
{
	struct source *source = NULL;

	while (all->by_key.count && all->by_key.count >= most) {
		free(source);
		source = oldest(all);
		take_out(all, source);
		all->forgotten++;
	}
	if (!most) { /* the table was switched off */
		free(source);
		return NULL;
	}
	if (!source)
		source = malloc(sizeof(*source));
	if (source)
		memset(source, 0, sizeof(*source));
	return source;
}

void edge_source_note(struct edge *edge, const struct net_flow *flow,
		      const struct edge_refused *what)
{
	struct sources *all = edge->sources;
	struct source_key key = key_of(flow);
	struct source *source;
	uint64_t hash;

	if (!all)
		return;
	hash = hash_bytes(&all->key, &key, sizeof(key));
	source = find(all, &key, hash);
	if (source) {
		list_del(&source->age);
	} else {
		source = room_for_one(all, edge->config.host->model->params.refused_sources);
		if (!source)
			return;
		source->key = key;
		source->known.proto = flow->proto;
		source->known.first_us = edge->config.loop->utc_us;
		hash_table_add(&all->by_key, &source->node, hash);
	}
	list_add_tail(&all->age, &source->age);
	source->known.count++;
	source->known.peer = flow->peer;
	source->known.last_us = edge->config.loop->utc_us;
	source->known.code = what->code;
	source->known.status = what->status;
	span_copy(what->method, source->known.method, sizeof(source->known.method));
	span_copy(what->user, source->known.user, sizeof(source->known.user));
	span_copy(what->caller, source->known.caller, sizeof(source->known.caller));
	span_copy(what->callee, source->known.callee, sizeof(source->known.callee));
	span_copy(what->product, source->known.product, sizeof(source->known.product));
	span_copy(span_of(what->text), source->known.text, sizeof(source->known.text));
}

bool edge_source_repeats(struct edge *edge, const struct sip_msg *msg)
{
	struct sources *all = edge->sources;
	struct span via = sip_header(msg, SIP_H_VIA), id = sip_header(msg, SIP_H_CALL_ID);
	uint64_t hash, *place;

	if (!all)
		return false;
	hash = hash_bytes(&all->key, via.p, via.len) ^ hash_bytes(&all->key, id.p, id.len) * 3;
	place = &all->dropped[hash & (DROPPED - 1)];
	if (*place == hash)
		return true;
	*place = hash;
	return false;
}

static struct span user_of(struct span name_addr)
{
	struct sip_name_addr addr;
	struct sip_uri uri;

	if (sip_name_addr_decode(&addr, name_addr) || sip_uri_decode(&uri, addr.uri))
		return SPAN_NONE;
	return uri.user;
}

void edge_source_refused(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow,
			 enum end_code code, int status, const char *text)
{
	struct edge_refused what = { .code = code, .status = status, .text = text };
	struct sip_uri uri;

	if (msg && msg->request) {
		what.method = sip_str(msg, msg->method_name);
		what.caller = user_of(sip_header(msg, SIP_H_FROM));
		what.product = sip_header(msg, SIP_H_USER_AGENT);
		if (msg->method == SIP_REGISTER)
			what.callee = user_of(sip_header(msg, SIP_H_TO));
		else if (sip_uri_decode(&uri, sip_str(msg, msg->uri)) == 0)
			what.callee = uri.user;
		sip_digest_user(msg, edge->config.host->model->params.auth_realm,
				edge_asks_as_proxy(edge, msg), &what.user);
	}
	edge_source_note(edge, flow, &what);
}

void edge_source_asks(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow,
		      int status)
{
	const struct model *m = edge->config.host->model;
	const struct model_mapping *gw;

	if (model_mappings_at(m, &flow->peer.sa, &gw, 1) ||
	    model_list_range(&m->peers, &flow->peer.sa) ||
	    model_phone(m, user_of(sip_header(msg, SIP_H_FROM))))
		return;
	edge_source_refused(edge, msg, flow, END_SOURCE_NOT_AUTHORISED, status,
			    "no gateway and no phone is listed with this address or number");
}

bool edge_source_is_meant(enum end_code code)
{
	return code == END_SOURCE_NOT_AUTHORISED || code == END_ADDRESS_FORBIDDEN ||
	       code == END_WRONG_PASSWORD || code == END_SUSPENDED || code == END_NO_CREDENTIALS ||
	       code == END_TOO_MANY_CHALLENGES || code == END_GATEWAY_LOCKED ||
	       code == END_PHONE_LOCKED || code == END_ACCOUNT_LOCKED ||
	       code == END_ACCOUNT_EXPIRED || code == END_OTHER_NODE;
}

/* ---- reading ------------------------------------------------------------------------------ */

uint64_t edge_sources_copy(const struct edge *edge, struct buf *out)
{
	const struct sources *all = edge->sources;

	for (struct list *at = all->age.next; at != &all->age; at = at->next)
		buf_add(out, &list_entry(at, struct source, age)->known,
			sizeof(struct edge_source));
	return all->forgotten;
}

unsigned edge_sources_clear(struct edge *edge, const union net_addr *host)
{
	struct sources *all = edge->sources;
	unsigned n = 0;

	for (struct list *at = all->age.next, *next; at != &all->age; at = next) {
		struct source *source = list_entry(at, struct source, age);

		next = at->next;
		if (host && !net_addr_eq_host(host, &source->known.peer))
			continue;
		take_out(all, source);
		free(source);
		n++;
	}
	return n;
}

static struct source_key key_of_known(const struct edge_source *known)
{
	struct net_flow flow = { .proto = known->proto, .peer = known->peer };

	return key_of(&flow);
}

/* By source, the newest part of each first. */
static int compare_sources(const void *a, const void *b)
{
	const struct edge_source *x = a, *y = b;
	struct source_key kx = key_of_known(x), ky = key_of_known(y);
	int order = memcmp(&kx, &ky, sizeof(kx));

	if (order)
		return order;
	return x->last_us > y->last_us ? -1 : x->last_us < y->last_us;
}

static int newest_first(const void *a, const void *b)
{
	const struct edge_source *x = a, *y = b;

	return x->last_us > y->last_us ? -1 : x->last_us < y->last_us;
}

size_t edge_sources_merge(struct edge_source *sources, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(sources, n, sizeof(*sources), compare_sources);
	for (size_t i = 0; i < n; i++) {
		struct edge_source *last = kept ? &sources[kept - 1] : NULL;
		struct source_key mine = key_of_known(&sources[i]);
		struct source_key theirs = last ? key_of_known(last) : mine;

		if (!last || memcmp(&mine, &theirs, sizeof(mine)) != 0) {
			sources[kept++] = sources[i];
			continue;
		}
		last->count += sources[i].count;
		if (sources[i].first_us < last->first_us)
			last->first_us = sources[i].first_us;
	}
	if (kept)
		qsort(sources, kept, sizeof(*sources), newest_first);
	return kept;
}

static bool fits(const struct edge_source *source, const char *q)
{
	char host[NET_ADDR_TEXT];

	return !q || !q[0] || strstr(net_addr_format_host(&source->peer, host), q) ||
	       strstr(source->user, q) || strstr(source->caller, q) || strstr(source->callee, q) ||
	       strstr(source->product, q) || strstr(source->text, q);
}

static void write_text(struct buf *out, const char *key, const char *value)
{
	if (!value[0])
		return;
	buf_addf(out, ",\"%s\":", key);
	buf_add_json(out, span_of(value));
}

static void write_source(struct buf *out, const struct model *m, const struct edge_source *source)
{
	char host[NET_ADDR_TEXT], first[32], last[32], near[160];

	model_nearest_source(m, &source->peer.sa, near, sizeof(near));
	buf_addf(out,
		 "{\"address\":\"%s\",\"port\":%u,\"transport\":\"%s\",\"count\":%llu,\"first\":"
		 "\"%s\",\"last\":\"%s\",\"end_code\":\"%s\",\"sip_status\":%d",
		 net_addr_format_host(&source->peer, host), net_addr_port(&source->peer),
		 net_proto_name(source->proto), (unsigned long long)source->count,
		 clock_format(source->first_us, first, sizeof(first)),
		 clock_format(source->last_us, last, sizeof(last)),
		 end_code_info(source->code)->name, source->status);
	write_text(out, "method", source->method);
	write_text(out, "user", source->user);
	write_text(out, "caller", source->caller);
	write_text(out, "callee", source->callee);
	write_text(out, "user_agent", source->product);
	write_text(out, "reason", source->text);
	write_text(out, "nearest", near);
	buf_add_char(out, '}');
}

void edge_sources_write(const struct edge_source *sources, size_t n, uint64_t forgotten,
			const struct model *m, const char *q, unsigned limit, struct buf *out)
{
	unsigned written = 0;

	buf_addf(out, "{\"total\":%zu,\"forgotten\":%llu,\"sources\":[", n,
		 (unsigned long long)forgotten);
	for (size_t i = 0; i < n && written < limit; i++) {
		if (!fits(&sources[i], q))
			continue;
		buf_add_str(out, written++ ? "," : "");
		write_source(out, m, &sources[i]);
	}
	buf_add_str(out, "]}");
}
