/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From where to where: the listener, and the address of ours, for a peer.
 *
 * With a single listener on one address there is nothing to ask. With several, or with a
 * wildcard, the kernel's routing table decides: a UDP socket connected to the peer (which
 * sends nothing) tells the source address. That costs three system calls, so the result
 * is remembered for a few seconds. */
#include "net/net_int.h"

#include <stdlib.h>
#include <unistd.h>

struct choice {
	const struct listener *listener;
	union net_addr source; /* an address of ours, port as the listener's */
};

/* Which address of ours would packets to `peer` leave from? */
static int route_source(const union net_addr *peer, union net_addr *source)
{
	socklen_t len = sizeof(*source);
	int fd = socket(peer->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, &peer->sa, net_addr_len(peer)) < 0 ||
	    getsockname(fd, &source->sa, &len) < 0)
		err = -errno;
	close(fd);
	return err;
}

static bool is_ours(const union net_addr *host)
{
	union net_addr a = *host;
	int fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ours;

	if (fd < 0)
		return false;
	net_addr_set_port(&a, 0);
	ours = bind(fd, &a.sa, net_addr_len(&a)) == 0;
	close(fd);
	return ours;
}

static bool serves(const struct listener *l, uint8_t proto, const union net_addr *peer)
{
	return l->proto == proto && l->addr.sa.sa_family == peer->sa.sa_family;
}

static bool same_port(const struct listener *l, const union net_addr *local)
{
	return net_addr_port(local) == 0 || net_addr_port(local) == net_addr_port(&l->addr);
}

/* The listener on exactly `host`, else the first on the wildcard, else NULL. */
static const struct listener *listener_for(const struct net *net, uint8_t proto,
					   const union net_addr *peer, const union net_addr *host)
{
	const struct listener *any = NULL;

	for (unsigned i = 0; i < net->n_listeners; i++) {
		const struct listener *l = &net->listeners[i];

		if (!serves(l, proto, peer) || !same_port(l, host))
			continue;
		if (net_addr_eq_host(&l->addr, host))
			return l;
		if (l->any && !any)
			any = l;
	}
	return any;
}

static void choose(struct choice *c, const struct listener *l, const union net_addr *host)
{
	c->listener = l;
	c->source = *host;
	net_addr_set_port(&c->source, net_addr_port(&l->addr));
}

/* The caller named an address of ours. */
static int choose_pinned(struct net *net, uint8_t proto, const union net_addr *peer,
			 const union net_addr *local, struct choice *out)
{
	const struct listener *l = listener_for(net, proto, peer, local);

	if (!l || (l->any && !is_ours(local)))
		return -EADDRNOTAVAIL;
	choose(out, l, local);
	return 0;
}

static int choose_routed(struct net *net, uint8_t proto, const union net_addr *peer,
			 const struct listener *first, struct choice *out)
{
	union net_addr source;
	const struct listener *l;
	int err = route_source(peer, &source);

	if (err)
		return err;
	net_addr_set_port(&source, 0);
	l = listener_for(net, proto, peer, &source);
	if (l)
		choose(out, l, &source);
	else
		choose(out, first, &first->addr);
	return 0;
}

static struct route *route_slot(struct net *net, const struct route *key)
{
	uint64_t hash;

	if (!net->routes)
		net->routes = calloc(ROUTE_CACHE, sizeof(*net->routes));
	if (!net->routes)
		return NULL;
	hash = hash_bytes(&net->key, &key->peer, sizeof(key->peer)) ^
	       hash_bytes(&net->key, &key->local, sizeof(key->local)) ^ key->proto;
	return &net->routes[hash % ROUTE_CACHE];
}

static bool route_fresh(const struct route *r, const struct route *key, uint64_t now_us)
{
	return r->until_us > now_us && r->proto == key->proto &&
	       memcmp(&r->peer, &key->peer, sizeof(r->peer)) == 0 &&
	       memcmp(&r->local, &key->local, sizeof(r->local)) == 0;
}

/* Ask the kernel, or remember what it said a moment ago. */
static int choose_cached(struct net *net, uint8_t proto, const union net_addr *peer,
			 const union net_addr *local, const struct listener *first,
			 struct choice *out)
{
	struct route key = { .proto = proto, .peer = *peer };
	struct route *r;
	int err;

	net_addr_set_port(&key.peer, 0);
	if (local)
		key.local = *local;
	r = route_slot(net, &key);
	if (r && route_fresh(r, &key, net->loop->now_us)) {
		out->listener = &net->listeners[r->listener];
		out->source = r->source;
		return 0;
	}
	err = local ? choose_pinned(net, proto, peer, local, out)
		    : choose_routed(net, proto, peer, first, out);
	if (err || !r)
		return err;
	key.until_us = net->loop->now_us + ROUTE_TTL_US;
	key.listener = out->listener->index;
	key.source = out->source;
	*r = key;
	return 0;
}

static int choose_listener(struct net *net, uint8_t proto, const union net_addr *peer,
			   const union net_addr *local, struct choice *out)
{
	const struct listener *first = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < net->n_listeners; i++) {
		if (!serves(&net->listeners[i], proto, peer))
			continue;
		if (n++ == 0)
			first = &net->listeners[i];
	}
	if (n == 0)
		return -EAFNOSUPPORT;
	if (local && local->sa.sa_family != peer->sa.sa_family)
		return -EADDRNOTAVAIL;
	if (n > 1 || first->any)
		return choose_cached(net, proto, peer, local, first, out);
	if (local && !(net_addr_eq_host(local, &first->addr) && same_port(first, local)))
		return -EADDRNOTAVAIL;
	choose(out, first, &first->addr);
	return 0;
}

/* A wildcard pins no address, but its port, if any, chooses among the listeners. */
static bool pins_nothing(const union net_addr *local)
{
	return !local || (net_addr_is_any(local) && net_addr_port(local) == 0);
}

int net_flow_to(struct net *net, struct net_flow *out, enum net_proto proto,
		const union net_addr *peer, const union net_addr *local, const char *name)
{
	union net_addr to = net_addr_plain(peer), from;
	struct choice choice;
	struct conn *c = NULL;
	int err;

	if (net_addr_is_unusable(&to) || net_addr_port(&to) == 0)
		return -EINVAL;
	if (pins_nothing(local)) {
		local = NULL;
	} else {
		from = net_addr_plain(local);
		local = &from;
	}
	if (proto != NET_UDP)
		c = conn_find(net, (uint8_t)proto, &to, local, name);
	if (!c) {
		err = choose_listener(net, (uint8_t)proto, &to, local, &choice);
		if (err)
			return err;
	}
	if (!c && proto != NET_UDP) {
		err = conn_open(net, choice.listener, &to, local ? &choice.source : NULL, name, &c);
		if (err)
			return err;
	}
	if (c) {
		conn_flow(c, out);
		return 0;
	}
	*out = (struct net_flow){ .proto = NET_UDP,
				  .worker = (uint8_t)net->worker,
				  .listener = choice.listener->index,
				  .local = choice.source,
				  .peer = to };
	return 0;
}
