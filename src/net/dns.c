/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resolver: c-ares does the asking on the worker's loop; whoever asks for the same name
 * and type meanwhile joins the lookup under way, so that an expired name costs one query
 * however many calls want it. A cancelled query leaves the lookup running: its answer goes
 * to the cache.
 *
 * Three tries, the first of half a second: a dead resolver is given up after 3.5 s, well
 * before the caller of a call gives up. */
#include "net/dns_int.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#define DNS_TIMEOUT_MS 500
#define DNS_TRIES 3

struct dns_socket {
	struct loop_fd watch;
	struct list node;
	struct net_dns *dns;
};

struct net_dns {
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct list sockets;
	struct dns_cache cache;
	struct hash_table lookups;
	bool closing;
};

/* One name being asked for. */
struct lookup {
	struct hash_node node;
	struct net_dns *dns;
	struct list queries;
	enum net_rr type;
	bool asking; /* c-ares is being called with it */
	bool finished; /* and has answered within that call */
	char name[DNS_NAME_MAX];
};

struct net_dns_query {
	struct list node;
	void (*done)(void *arg, const struct net_dns_answer *answer);
	void *arg;
};

/* ---- sockets and time ------------------------------------------------------------------------ */

static void arm(struct net_dns *dns)
{
	struct timeval tv;

	if (dns->closing)
		return;
	if (ares_timeout(dns->channel, NULL, &tv))
		loop_timer(dns->loop, &dns->timer,
			   (uint64_t)tv.tv_sec * SEC + (uint64_t)tv.tv_usec);
	else
		loop_timer_stop(dns->loop, &dns->timer);
}

static void on_timer(struct timer *timer)
{
	struct net_dns *dns = container_of(timer, struct net_dns, timer);

	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(dns);
}

/* The socket may be closed, and `watch` freed, by what ares_process_fd does. */
static void on_socket(struct loop_fd *watch, uint32_t events)
{
	struct net_dns *dns = container_of(watch, struct dns_socket, watch)->dns;
	ares_socket_t fd = watch->fd;
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP);

	ares_process_fd(dns->channel, in ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	arm(dns);
}

static struct dns_socket *socket_find(struct net_dns *dns, int fd)
{
	list_for_each (pos, &dns->sockets) {
		struct dns_socket *s = list_entry(pos, struct dns_socket, node);

		if (s->watch.fd == fd)
			return s;
	}
	return NULL;
}

static void socket_add(struct net_dns *dns, int fd, uint32_t events)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return; /* the query runs into its timeout */
	s->dns = dns;
	s->watch = (struct loop_fd){ .fd = -1, .ready = on_socket };
	if (loop_add(dns->loop, &s->watch, fd, events)) {
		free(s);
		return;
	}
	list_add_tail(&dns->sockets, &s->node);
}

static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct net_dns *dns = arg;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct dns_socket *s = socket_find(dns, fd);

	if (!s && events) {
		socket_add(dns, fd, events);
	} else if (s && events) {
		loop_modify(dns->loop, &s->watch, events);
	} else if (s) {
		loop_del(dns->loop, &s->watch);
		list_del(&s->node);
		free(s);
	}
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void answer_error(struct net_dns_answer *a, enum net_rr type, int err, const char *text)
{
	a->err = err;
	a->text = text;
	a->type = type;
	a->n = 0;
	a->ttl = DNS_NEGATIVE_TTL;
}

static void answer_status(struct net_dns_answer *a, enum net_rr type, int status)
{
	int err = EPROTO;
	const char *text = ares_strerror(status);

	if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
		err = ENOENT;
	else if (status == ARES_ETIMEOUT)
		err = ETIMEDOUT;
	else if (status == ARES_ECONNREFUSED) /* c-ares went through all servers, and forgot why */
		text = "every DNS server failed, refused or could not be reached";
	answer_error(a, type, err, text);
}

static void lookup_finish(struct lookup *l, const struct net_dns_answer *a)
{
	hash_table_del(&l->dns->lookups, &l->node);
	while (!list_empty(&l->queries)) {
		struct net_dns_query *q = list_entry(l->queries.next, struct net_dns_query, node);

		list_del(&q->node);
		if (!l->dns->closing)
			q->done(q->arg, a);
		free(q);
	}
	l->finished = true;
	if (!l->asking)
		free(l);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *wire, int len)
{
	struct lookup *l = arg;
	struct net_dns_answer a;

	if (status != ARES_SUCCESS)
		answer_status(&a, l->type, status);
	else if (net_dns_parse(&a, l->type, (struct span){ (const char *)wire, (size_t)len }))
		answer_error(&a, l->type, EPROTO, "the answer makes no sense");
	/* Trouble with the resolver is forgotten soon; what it said is kept. */
	if (a.err == 0 || a.err == ENOENT)
		dns_cache_put(&l->dns->cache, l->name, &a, l->dns->loop->now_us);
	else if (!l->dns->closing) {
		a.ttl = 1;
		dns_cache_put(&l->dns->cache, l->name, &a, l->dns->loop->now_us);
	}
	lookup_finish(l, &a);
}

/* /etc/hosts comes before the DNS, as everywhere. */
static bool in_hosts(struct net_dns *dns, const char *name, enum net_rr type,
		     struct net_dns_answer *a)
{
	int family = type == NET_RR_AAAA ? AF_INET6 : AF_INET;
	struct hostent *host = NULL;

	if ((type != NET_RR_A && type != NET_RR_AAAA) ||
	    ares_gethostbyname_file(dns->channel, name, family, &host) != ARES_SUCCESS)
		return false;
	answer_error(a, type, 0, "");
	a->ttl = DNS_HOSTS_TTL;
	for (char **p = host->h_addr_list;
	     *p && a->n < NET_DNS_ANSWERS && host->h_addrtype == family; p++) {
		union net_addr *addr = &a->addr[a->n++];

		memset(addr, 0, sizeof(*addr));
		addr->sa.sa_family = (sa_family_t)family;
		memcpy(family == AF_INET6 ? (void *)&addr->in6.sin6_addr
					  : (void *)&addr->in4.sin_addr,
		       *p, (size_t)host->h_length);
	}
	ares_free_hostent(host);
	return a->n > 0;
}

/* ---- asking -------------------------------------------------------------------------------------- */

/* Lower case, without the final dot. */
static int name_copy(char dst[DNS_NAME_MAX], const char *name)
{
	size_t len = strlen(name);

	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len >= DNS_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		dst[i] = ascii_lower(name[i]);
	dst[len] = '\0';
	return 0;
}

static struct lookup *lookup_find(struct net_dns *dns, const char *name, enum net_rr type)
{
	struct hash_node *node =
		hash_table_find(&dns->lookups, dns_hash(&dns->cache.key, name, type));

	for (; node; node = hash_next(node)) {
		struct lookup *l = container_of(node, struct lookup, node);

		if (l->type == type && strcmp(l->name, name) == 0)
			return l;
	}
	return NULL;
}

static struct lookup *lookup_new(struct net_dns *dns, const char *name, enum net_rr type)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->dns = dns;
	l->type = type;
	list_init(&l->queries);
	memcpy(l->name, name, strlen(name) + 1);
	hash_table_add(&dns->lookups, &l->node, dns_hash(&dns->cache.key, name, type));
	return l;
}

/* False when c-ares has answered at once; the lookup is then gone. A name without a dot
 * may be local: the system's search list applies to it. */
static bool lookup_start(struct lookup *l)
{
	static const int wire_type[] = {
		[NET_RR_A] = ns_t_a,
		[NET_RR_AAAA] = ns_t_aaaa,
		[NET_RR_SRV] = ns_t_srv,
		[NET_RR_NAPTR] = ns_t_naptr,
	};
	struct net_dns *dns = l->dns;

	l->asking = true;
	if (strchr(l->name, '.'))
		ares_query(dns->channel, l->name, ns_c_in, wire_type[l->type], on_answer, l);
	else
		ares_search(dns->channel, l->name, ns_c_in, wire_type[l->type], on_answer, l);
	l->asking = false;
	arm(dns);
	if (!l->finished)
		return true;
	free(l);
	return false;
}

struct net_dns_query *net_dns_ask(struct net_dns *dns, const char *name, enum net_rr type,
				  void (*done)(void *arg, const struct net_dns_answer *answer),
				  void *arg)
{
	char lower[DNS_NAME_MAX];
	struct net_dns_answer a;
	struct net_dns_query *q;
	struct lookup *l;

	if (name_copy(lower, name)) {
		answer_error(&a, type, ENOENT, "not a domain name");
		done(arg, &a);
		return NULL;
	}
	if (dns_cache_get(&dns->cache, lower, type, dns->loop->now_us, &a)) {
		done(arg, &a);
		return NULL;
	}
	if (in_hosts(dns, lower, type, &a)) {
		dns_cache_put(&dns->cache, lower, &a, dns->loop->now_us);
		done(arg, &a);
		return NULL;
	}
	q = malloc(sizeof(*q));
	l = q ? lookup_find(dns, lower, type) : NULL;
	if (l) {
		*q = (struct net_dns_query){ .done = done, .arg = arg };
		list_add_tail(&l->queries, &q->node);
		return q;
	}
	l = q ? lookup_new(dns, lower, type) : NULL;
	if (!l) {
		free(q);
		answer_error(&a, type, EPROTO, "no memory");
		done(arg, &a);
		return NULL;
	}
	*q = (struct net_dns_query){ .done = done, .arg = arg };
	list_add_tail(&l->queries, &q->node);
	return lookup_start(l) ? q : NULL;
}

void net_dns_cancel(struct net_dns_query **query)
{
	struct net_dns_query *q = *query;

	*query = NULL;
	if (!q)
		return;
	list_del(&q->node);
	free(q);
}

/* ---- opening --------------------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_init(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

static int channel_open(struct net_dns *dns, const char *servers)
{
	struct ares_options options = {
		.timeout = DNS_TIMEOUT_MS,
		.tries = DNS_TRIES,
		.sock_state_cb = socket_state,
		.sock_state_cb_data = dns,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

	if (ares_init_options(&dns->channel, &options, mask) != ARES_SUCCESS)
		return -ENOMEM;
	if (servers && ares_set_servers_ports_csv(dns->channel, servers) != ARES_SUCCESS)
		return -EINVAL;
	return 0;
}

int net_dns_open(struct net_dns **dns_out, struct loop *loop, const char *servers)
{
	struct net_dns *dns = calloc(1, sizeof(*dns));
	int err;

	if (!dns)
		return -ENOMEM;
	pthread_once(&library_once, library_init);
	dns->loop = loop;
	list_init(&dns->sockets);
	timer_init(&dns->timer, on_timer);
	err = dns_cache_init(&dns->cache);
	if (!err)
		err = hash_table_init(&dns->lookups, 64);
	if (!err)
		err = channel_open(dns, servers);
	if (err) {
		net_dns_close(&dns);
		return err;
	}
	*dns_out = dns;
	return 0;
}

void net_dns_close(struct net_dns **dnsp)
{
	struct net_dns *dns = *dnsp;

	*dnsp = NULL;
	if (!dns)
		return;
	dns->closing = true;
	if (dns->channel)
		ares_destroy(dns->channel); /* ends every lookup and closes the sockets */
	loop_timer_stop(dns->loop, &dns->timer);
	hash_table_free(&dns->lookups);
	dns_cache_free(&dns->cache);
	free(dns);
}
