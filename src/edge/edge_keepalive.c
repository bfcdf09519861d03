/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keep-alives for devices behind a NAT: a few bytes to the socket that their REGISTER came from keep its binding in the NAT open,
 * so that calls reach them. Only where the Contact is not where the REGISTER came from, and only over UDP: a connection
 * keeps itself.
 *
 * Worker 0 sends them, in batches with a pause between, a round every nat_keepalive_period. What it looks at in one go is
 * bounded too: among a million phones there may be few behind a NAT. */
#include "edge/edge_int.h"

#include <stdlib.h>

#define EXAMINED_MAX 20000

struct keepalive {
	struct edge *edge;
	struct timer timer;
	unsigned next; /* place in phones, mapping and routing gateways, one after the other */
	uint64_t round_us; /* began, or will */
};

struct load *edge_device(const struct model *m, unsigned i)
{
	if (i < m->n_phones)
		return m->phones[i].load;
	i -= m->n_phones;
	if (i < m->n_mappings)
		return m->mappings[i].load;
	i -= m->n_mappings;
	return i < m->n_routings ? m->routings[i].load : NULL;
}

/* How many were sent. */
static unsigned keep(const struct keepalive *k, struct load *load, struct net_buf *message)
{
	struct registration *r = load_registration(load);
	uint64_t now = k->edge->config.loop->now_us;
	struct bindings all;
	unsigned sent = 0;

	if (!registration_is_natted(r) || !registration_is_live(r, now))
		return 0;
	registration_read(r, &all);
	bindings_prune(&all, now);
	for (unsigned i = 0; i < all.n; i++) {
		struct net_flow flow;

		memcpy(&flow, all.binding[i].flow, sizeof(flow));
		if (all.binding[i].natted && flow.proto == NET_UDP)
			sent += net_send(k->edge->config.net, &flow, message) == 0;
	}
	return sent;
}

/* True when the round is through. */
static bool send_batch(struct keepalive *k, struct net_buf *message)
{
	const struct model *m = k->edge->config.host->model;
	uint64_t sent = 0;
	struct load *load;

	for (unsigned i = 0; i < EXAMINED_MAX && sent < m->params.nat_keepalive_batch; i++) {
		load = edge_device(m, k->next);
		if (!load)
			return true;
		k->next++;
		sent += keep(k, load, message);
	}
	return false;
}

static void next_round(struct keepalive *k, const struct model_params *p)
{
	uint64_t now = k->edge->config.loop->now_us, due = k->round_us + p->nat_keepalive_period;
	uint64_t pause = due > now ? due - now : p->nat_keepalive_interval;

	k->next = 0;
	k->round_us = now + pause;
	loop_timer(k->edge->config.loop, &k->timer, pause);
}

static void on_timer(struct timer *timer)
{
	struct keepalive *k = container_of(timer, struct keepalive, timer);
	const struct model_params *p = &k->edge->config.host->model->params;
	size_t len = strlen(p->nat_keepalive_message);
	struct net_buf *message = len ? net_buf_copy(p->nat_keepalive_message, len) : NULL;

	if (!message || send_batch(k, message))
		next_round(k, p);
	else
		loop_timer(k->edge->config.loop, timer, p->nat_keepalive_interval);
	if (message)
		net_buf_unref(&message);
}

int edge_keepalive_new(struct keepalive **out, struct edge *edge)
{
	struct keepalive *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->edge = edge;
	timer_init(&k->timer, on_timer);
	*out = k;
	edge_keepalive_refresh(k);
	return 0;
}

/* The period may have become shorter than what is left of the present one. */
void edge_keepalive_refresh(struct keepalive *k)
{
	const struct model_params *p = &k->edge->config.host->model->params;
	struct loop *loop = k->edge->config.loop;

	if (k->next || (k->round_us && k->round_us <= loop->now_us + p->nat_keepalive_period))
		return;
	loop_timer_stop(loop, &k->timer);
	k->round_us = loop->now_us + p->nat_keepalive_period;
	loop_timer(loop, &k->timer, p->nat_keepalive_period);
}

void edge_keepalive_free(struct keepalive **keepalive)
{
	if (*keepalive)
		loop_timer_stop((*keepalive)->edge->config.loop, &(*keepalive)->timer);
	free(*keepalive);
	*keepalive = NULL;
}
