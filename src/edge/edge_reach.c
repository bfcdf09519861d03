/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Do registered devices still answer? Each contact is asked by OPTIONS every endpoint_check_period, without a REGISTER of its own.
 *
 *   any final response                           it is there
 *   options_check_failures silences in a row     it is unreachable: calls pass it over
 *   an answer later, or another REGISTER         it is there again
 *
 * Many devices never answer OPTIONS, though they take calls: only a contact that has answered once is judged. One behind a Path
 * is its proxy's business, and one whose connection was another process's cannot be asked.
 *
 * Worker 0 asks, a few devices at a time, evenly over the period; what is asked at the same time is bounded, so a network that
 * fails as a whole makes a round longer and no flood. */
#include "edge/edge_ping.h"

#include <stdlib.h>

#define TICK (100 * MSEC)
#define ASKING_MAX 1000
#define EXAMINED_MAX 20000

struct reach {
	struct edge *edge;
	struct timer timer;
	uint64_t due_us; /* of the timer; 0 = idle */
	uint64_t round_us; /* when the present round began */
	unsigned next; /* place of the next device; 0 = between rounds */
	unsigned n_asks;
	struct list asks;
};

/* One contact that is being asked. */
struct ask {
	struct ping ping; /* first: a ping's owner is found by it */
	struct reach *all;
	struct list node;
	struct timer again;
	struct model *model; /* holds `load` */
	struct load *load;
	unsigned failures;
	struct binding binding; /* as it was when the asking began */
};

static struct loop *loop_of(const struct reach *r)
{
	return r->edge->config.loop;
}

static const struct model_params *params_of(const struct reach *r)
{
	return &r->edge->config.host->model->params;
}

/* ---- what an answer or silence changes ---------------------------------------------------------- */

struct finding {
	const struct binding *asked;
	uint64_t silent_since_utc_us; /* 0 = it answered */
	bool turned; /* reachable or not: it was the other way before */
};

/* Nothing is written where nothing is new. */
static int write_down(void *arg, struct bindings *all)
{
	struct finding *f = arg;
	bool answered = f->silent_since_utc_us == 0;

	for (unsigned i = 0; i < all->n; i++) {
		struct binding *b = &all->binding[i];

		if (b->registered_utc_us != f->asked->registered_utc_us ||
		    strcmp(b->contact, f->asked->contact) != 0)
			continue;
		if (answered ? b->answers && !b->unreachable_utc_us
			     : !b->answers || b->unreachable_utc_us)
			return -ECANCELED;
		f->turned = !answered || b->unreachable_utc_us;
		b->answers = 1;
		b->unreachable_utc_us = f->silent_since_utc_us;
		return 0;
	}
	return -ECANCELED; /* it has registered anew, or is gone */
}

static void note(const struct ask *ask, bool answered)
{
	struct finding f = { .asked = &ask->binding,
			     .silent_since_utc_us = answered ? 0 : loop_of(ask->all)->utc_us };

	if (registration_update(load_registration(ask->load), write_down, &f) == 0 && f.turned)
		log_info("%s %s", ask->binding.contact,
			 answered ? "answers again"
				  : "does not answer OPTIONS any more: calls pass it over");
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void ask_free(struct ask *ask)
{
	ping_stop(&ask->ping);
	loop_timer_stop(loop_of(ask->all), &ask->again);
	list_del(&ask->node);
	ask->all->n_asks--;
	model_unref(&ask->model);
	free(ask);
}

/* A connection that is gone says nothing: the device may take a new one. Nor does a lack of our own. */
static bool says_something(const struct ping_result *result)
{
	return result->status || result->cause == HEALTH_SILENCE || result->cause == HEALTH_ICMP;
}

static void on_answer(struct ping *ping, const struct ping_result *result)
{
	struct ask *ask = (struct ask *)ping;
	bool down = ask->binding.unreachable_utc_us != 0;

	if (!says_something(result)) {
		ask_free(ask);
		return;
	}
	if (!result->status && !down &&
	    ++ask->failures < params_of(ask->all)->options_check_failures) {
		loop_timer(loop_of(ask->all), &ask->again,
			   params_of(ask->all)->options_check_timeout);
		return;
	}
	note(ask, result->status != 0);
	ask_free(ask);
}

static void ask_now(struct ask *ask)
{
	ping_contact(&ask->ping, &ask->binding, params_of(ask->all)->options_check_timeout,
		     on_answer);
}

static void on_again(struct timer *timer)
{
	ask_now(container_of(timer, struct ask, again));
}

static void ask_contact(struct reach *r, struct load *load, const struct binding *b)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	if (!ask) {
		log_error("no memory to ask whether %s is there", b->contact);
		return;
	}
	ping_init(&ask->ping, r->edge);
	timer_init(&ask->again, on_again);
	ask->all = r;
	ask->model = model_ref(r->edge->config.host->model);
	ask->load = load;
	ask->binding = *b;
	list_add_tail(&r->asks, &ask->node);
	r->n_asks++;
	ask_now(ask);
}

static bool can_be_asked(const struct binding *b)
{
	struct net_flow flow;

	memcpy(&flow, b->flow, sizeof(flow));
	return !b->path[0] && (flow.proto == NET_UDP || flow.conn);
}

static void ask_device(struct reach *r, struct load *load)
{
	struct registration *registration = load_registration(load);
	uint64_t now = loop_of(r)->now_us;
	struct bindings all;

	if (!registration_is_live(registration, now))
		return;
	registration_read(registration, &all);
	bindings_prune(&all, now);
	for (unsigned i = 0; i < all.n; i++)
		if (can_be_asked(&all.binding[i]))
			ask_contact(r, load, &all.binding[i]);
}

/* ---- rounds ------------------------------------------------------------------------------------------ */

static void wake_after(struct reach *r, uint64_t delay_us)
{
	r->due_us = loop_of(r)->now_us + delay_us;
	loop_timer(loop_of(r), &r->timer, delay_us);
}

/* As many as go into a tick when the round is to take the period. True when it is through. */
static bool ask_some(struct reach *r, uint64_t period_us)
{
	const struct model *m = r->edge->config.host->model;
	uint64_t devices = (uint64_t)m->n_phones + m->n_mappings + m->n_routings;
	uint64_t n = devices * TICK / period_us + 1;

	for (uint64_t i = 0; i < n && i < EXAMINED_MAX && r->n_asks < ASKING_MAX; i++) {
		struct load *load = edge_device(m, r->next);

		if (!load)
			return true;
		r->next++;
		ask_device(r, load);
	}
	return false;
}

/* A round begins when the one before has its answers: nobody is asked twice at once. */
static void on_timer(struct timer *timer)
{
	struct reach *r = container_of(timer, struct reach, timer);
	uint64_t period = params_of(r)->endpoint_check_period, now = loop_of(r)->now_us;

	if (r->next == 0 && r->n_asks) {
		wake_after(r, TICK);
		return;
	}
	if (r->next == 0)
		r->round_us = now;
	if (!ask_some(r, period)) {
		wake_after(r, TICK);
		return;
	}
	r->next = 0;
	wake_after(r, r->round_us + period > now + TICK ? r->round_us + period - now : TICK);
}

static int forget_silence(void *arg, struct bindings *all)
{
	(void)arg;
	for (unsigned i = 0; i < all->n; i++)
		all->binding[i].unreachable_utc_us = 0;
	return 0;
}

/* Switched off: nobody is passed over for what was found before. */
static void reach_stop(struct reach *r)
{
	const struct model *m = r->edge->config.host->model;
	struct load *load;

	loop_timer_stop(loop_of(r), &r->timer);
	r->due_us = 0;
	r->next = 0;
	while (!list_empty(&r->asks))
		ask_free(list_entry(r->asks.next, struct ask, node));
	for (unsigned i = 0; (load = edge_device(m, i)) != NULL; i++)
		if (registration_is_silent(load_registration(load)))
			registration_update(load_registration(load), forget_silence, NULL);
}

void edge_reach_refresh(struct reach *r)
{
	uint64_t period = params_of(r)->endpoint_check_period, now = loop_of(r)->now_us;

	if (!period && r->due_us)
		reach_stop(r);
	else if (period && (!r->due_us || r->due_us > now + period))
		wake_after(r, period);
}

int edge_reach_new(struct reach **out, struct edge *edge)
{
	struct reach *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->edge = edge;
	list_init(&r->asks);
	timer_init(&r->timer, on_timer);
	*out = r;
	edge_reach_refresh(r);
	return 0;
}

void edge_reach_free(struct reach **reach)
{
	struct reach *r = *reach;

	*reach = NULL;
	if (!r)
		return;
	loop_timer_stop(loop_of(r), &r->timer);
	while (!list_empty(&r->asks))
		ask_free(list_entry(r->asks.next, struct ask, node));
	free(r);
}
