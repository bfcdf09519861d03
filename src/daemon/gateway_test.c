/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `gateway test`: everything that can be seen of a routing gateway from here, and one plain sentence at the end. Runs
 * on a thread of the API's that has nothing else to do; names and OPTIONS are the part of a worker, which answers when it
 * has them. */
#include "daemon/daemon_int.h"

#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#define PINGS 3
#define PING_TIME (400 * MSEC)
#define CONNECT_TIME (2 * SEC)
#define CERTIFICATE_DAYS 30 /* worth a word */
#define CLOCK_S 5

struct gateway_test {
	struct edge_test edge; /* first: found by it */
	struct worker *worker;
	sem_t done;
	const char *name;
	struct net_ping ping;
	struct net_check connect;
	bool connected; /* that was tried */
	unsigned answered;
	uint64_t sum_us, least_us, most_us;
	const struct edge_test_round
		*last; /* answered, or if none was the last at all; NULL = none was made */
	bool clock_known;
	int64_t clock_off_s;
};

/* ---- looking --------------------------------------------------------------------------------- */

static void on_done(struct edge_test *edge)
{
	sem_post(&((struct gateway_test *)edge)->done);
}

static void start(void *arg)
{
	struct gateway_test *t = arg;

	edge_test_start(t->worker->edge, &t->edge);
}

static void sum_up(struct gateway_test *t)
{
	for (unsigned i = 0; i < t->edge.n_rounds; i++) {
		const struct edge_test_round *r = &t->edge.round[i];

		if (r->status || !t->answered)
			t->last = r;
		if (!r->status)
			continue;
		t->answered++;
		t->sum_us += r->rtt_us;
		if (t->answered == 1 || r->rtt_us < t->least_us)
			t->least_us = r->rtt_us;
		if (r->rtt_us > t->most_us)
			t->most_us = r->rtt_us;
	}
}

/* RFC 3261 20.17: "Sat, 13 Nov 2010 23:29:00 GMT". */
static void read_clock(struct gateway_test *t)
{
	struct tm tm = { 0 };

	if (!t->edge.date[0] || !strptime(t->edge.date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return;
	t->clock_known = true;
	t->clock_off_s = (int64_t)timegm(&tm) - (int64_t)(t->edge.date_utc_us / SEC);
}

static bool look(struct process *p, struct gateway_test *t)
{
	const struct net_flow *flow = &t->edge.flow;

	if (!net_call(t->worker->net, start, t))
		return false;
	while (sem_wait(&t->done) && errno == EINTR)
		;
	sum_up(t);
	read_clock(t);
	if (!t->edge.asked)
		return true;
	net_check_ping(&t->ping, &flow->peer, &flow->local, PINGS, PING_TIME);
	/* One that registers here keeps its own connection, and may take no other. */
	t->connected = flow->proto != NET_UDP && t->edge.gateway->reg.type != REGISTER_DYNAMIC;
	if (t->connected)
		net_check_connect(&t->connect, &p->boot.net.tls, (enum net_proto)flow->proto,
				  &flow->peer, &flow->local, t->edge.gateway->host, CONNECT_TIME);
	return true;
}

/* ---- saying it --------------------------------------------------------------------------------- */

static bool says_dead(int status)
{
	return status == 408 || status == 502 || status == 503 || status == 504;
}

static void add_ms(struct buf *out, uint64_t us)
{
	if (us < 10 * MSEC)
		buf_addf(out, "%u.%u ms", (unsigned)(us / MSEC), (unsigned)(us % MSEC / 100));
	else
		buf_addf(out, "%u ms", (unsigned)(us / MSEC));
}

static int64_t days_left(const struct net_check *c)
{
	return (c->valid_until - (int64_t)(clock_utc_us() / SEC)) / 86400;
}

static void add_days(struct buf *out, int64_t days)
{
	buf_addf(out, "%lld day%s", (long long)days, days == 1 ? "" : "s");
}

static void add_certificate(const struct gateway_test *t, struct buf *out)
{
	const struct net_check *c = &t->connect;
	int64_t days = days_left(c);

	if (!c->has_certificate)
		return;
	if (days < CERTIFICATE_DAYS) {
		buf_add_str(out,
			    days < 0 ? "; its certificate ended " : "; its certificate ends in ");
		add_days(out, days < 0 ? -days : days);
		buf_add_str(out, days < 0 ? " ago" : "");
	}
	if (!c->name_matches)
		buf_addf(out, "; its certificate is not for %s", t->edge.gateway->host);
	if (!c->trusted)
		buf_addf(out, "; its certificate is not trusted: %s", c->distrust);
}

static void say_alive(const struct gateway_test *t, struct buf *out)
{
	unsigned lost = t->edge.n_rounds - t->answered;

	buf_addf(out, "%s answers", t->name);
	if (says_dead(t->last->status))
		buf_addf(out, " %d", t->last->status);
	buf_add_str(out, " in ");
	add_ms(out, t->sum_us / t->answered);
	if (says_dead(t->last->status))
		buf_add_str(out, ": it says that it takes no calls now");
	if (lost)
		buf_addf(out, "; %u of %u OPTIONS were lost", lost, t->edge.n_rounds);
	add_certificate(t, out);
	if (t->clock_known && (t->clock_off_s > CLOCK_S || t->clock_off_s < -CLOCK_S))
		buf_addf(out, "; its clock is %lld s %s ours",
			 (long long)(t->clock_off_s < 0 ? -t->clock_off_s : t->clock_off_s),
			 t->clock_off_s < 0 ? "behind" : "ahead of");
}

static void say_silent(const struct gateway_test *t, const char *where, struct buf *out)
{
	buf_addf(out, "no response to %u OPTIONS from %s", t->edge.n_rounds, where);
	if (t->ping.answered)
		buf_add_str(out,
			    ", though the host answers ping: a firewall drops them, or it ignores "
			    "OPTIONS from our address");
	else if (!t->ping.err)
		buf_add_str(out, ", nor to ping: the host is down, or the way to it is blocked");
}

static void say_dead(const struct gateway_test *t, struct buf *out)
{
	const struct edge_test_round *r = t->last;
	const struct net_flow *flow = &t->edge.flow;
	const char *proto = net_proto_name((enum net_proto)flow->proto);
	unsigned port = net_addr_port(&flow->peer);
	char where[NET_ADDR_TEXT];

	net_addr_format(&flow->peer, where);
	buf_addf(out, "%s: ", t->name);
	if (!r)
		buf_add_str(out, "the switch is too busy to test it");
	else if (r->cause == HEALTH_DNS)
		buf_addf(out, "its name does not resolve (%s)", r->text);
	else if (r->cause == HEALTH_SILENCE)
		say_silent(t, where, out);
	else
		buf_add_str(out, r->text);
	if (r && r->cause == HEALTH_ICMP && strstr(r->text, "port"))
		buf_addf(out, ": nothing listens on %s %u there", proto, port);
	else if (r && r->cause == HEALTH_LOCAL && !t->edge.asked &&
		 t->edge.gateway->reg.type == REGISTER_DYNAMIC)
		buf_addf(out, ": causeway registration analyze %s says why", t->name);
	else if (r && r->cause == HEALTH_TCP_REFUSED)
		buf_addf(out, ": nothing listens on TCP %u of %s, or a firewall refuses for it",
			 port, where);
}

static void say(const struct gateway_test *t, struct buf *out)
{
	if (t->answered)
		say_alive(t, out);
	else
		say_dead(t, out);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *key, const char *text)
{
	if (!text[0])
		return;
	buf_addf(out, ",\"%s\":", key);
	buf_add_json(out, span_of(text));
}

static void add_number_ms(struct buf *out, const char *key, uint64_t us)
{
	buf_addf(out, ",\"%s\":%u.%03u", key, (unsigned)(us / MSEC), (unsigned)(us % MSEC));
}

static void write_options(const struct gateway_test *t, struct buf *out)
{
	unsigned n = t->edge.n_rounds;

	buf_addf(out, ",\"options\":{\"sent\":%u,\"answered\":%u,\"loss_percent\":%u", n,
		 t->answered, n ? (n - t->answered) * 100 / n : 0);
	if (t->answered) {
		buf_addf(out, ",\"status\":%d", t->last->status);
		add_number_ms(out, "least_ms", t->least_us);
		add_number_ms(out, "average_ms", t->sum_us / t->answered);
		add_number_ms(out, "most_ms", t->most_us);
	} else if (t->last) {
		add_text(out, "error", t->last->text);
	}
	buf_add_char(out, '}');
}

static void write_ping(const struct gateway_test *t, struct buf *out)
{
	const struct net_ping *ping = &t->ping;

	buf_addf(out, ",\"ping\":{\"sent\":%u,\"answered\":%u", ping->sent, ping->answered);
	if (ping->answered)
		add_number_ms(out, "average_ms", ping->sum_us / ping->answered);
	if (ping->err == EACCES || ping->err == EPERM)
		add_text(out, "error",
			 "not permitted: the group of this process is not in "
			 "net.ipv4.ping_group_range");
	else if (ping->err)
		add_text(out, "error", strerrordesc_np(ping->err));
	buf_add_char(out, '}');
}

static void write_connect(const struct gateway_test *t, struct buf *out)
{
	const struct net_check *c = &t->connect;
	char until[32];

	buf_addf(out, ",\"connect\":{\"connected\":%s", c->err ? "false" : "true");
	add_number_ms(out, "connect_ms", c->connect_us);
	add_number_ms(out, "total_ms", c->total_us);
	add_text(out, "tls", c->version);
	add_text(out, "error", c->error);
	buf_add_char(out, '}');
	if (!c->has_certificate)
		return;
	buf_addf(out, ",\"certificate\":{\"valid_until\":\"%.19sZ\",\"days_left\":%lld",
		 clock_format((uint64_t)c->valid_until * SEC, until, sizeof(until)),
		 (long long)days_left(c));
	buf_addf(out, ",\"name_matches\":%s,\"trusted\":%s", c->name_matches ? "true" : "false",
		 c->trusted ? "true" : "false");
	add_text(out, "subject", c->subject);
	add_text(out, "issuer", c->issuer);
	add_text(out, "distrust", c->distrust);
	buf_add_char(out, '}');
}

static void write_peer(const struct gateway_test *t, struct buf *out)
{
	const struct net_flow *flow = &t->edge.flow;
	char addr[NET_ADDR_TEXT];

	if (!t->edge.asked)
		return;
	add_text(out, "peer", net_addr_format(&flow->peer, addr));
	add_text(out, "transport", net_proto_name((enum net_proto)flow->proto));
	add_text(out, "local", net_addr_format(&flow->local, addr));
	add_text(out, "product", t->edge.product);
	write_ping(t, out);
	if (t->connected)
		write_connect(t, out);
}

static void write_all(const struct gateway_test *t, struct buf *out)
{
	struct buf sentence = BUF_INIT(4096);

	buf_add_str(out, "{\"gateway\":");
	buf_add_json(out, span_of(t->name));
	buf_addf(out, ",\"alive\":%s,\"health\":", t->answered ? "true" : "false");
	health_write_json(out, t->edge.gateway, clock_mono_us(), clock_utc_us());
	buf_add_str(out, ",\"dns\":[");
	buf_add_span(out, buf_span(&t->edge.dns));
	buf_add_char(out, ']');
	write_peer(t, out);
	write_options(t, out);
	if (t->clock_known)
		buf_addf(out, ",\"clock\":{\"date\":\"%.*s\",\"ahead_s\":%lld}", 29, t->edge.date,
			 (long long)t->clock_off_s);
	say(t, &sentence);
	add_text(out, "sentence", buf_cstr(&sentence));
	buf_add_char(out, '}');
	buf_free(&sentence);
}

bool test_gateway(void *arg, const char *name, struct buf *out)
{
	struct process *p = arg;
	struct model *m = model_hub_get(p->hub);
	const struct model_routing *gw = model_routing(m, span_of(name));
	struct gateway_test t = {
		.edge = { .gateway = gw, .done = on_done, .dns = BUF_INIT(65536) }, .name = name
	};

	if (gw) {
		t.worker = &p->workers[hash_spread(span_of(name)) % p->n_workers];
		sem_init(&t.done, 0, 0);
		if (!look(p, &t))
			log_warn("gateway test of %s: worker %u takes no question", name,
				 t.worker->index);
		write_all(&t, out);
		sem_destroy(&t.done);
		buf_free(&t.edge.dns);
	}
	model_unref(&m);
	return gw != NULL;
}
