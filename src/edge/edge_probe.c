/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probing: gateways with options_check are asked by OPTIONS now and then, each by one worker, which the hash of its name
 * chooses. What comes of it goes to the gateway's health, which also says when to ask again. First questions are
 * spread over time, later ones vary in length, so hundreds of gateways are never asked at once.
 *
 * A gateway that registers here is not probed: its registration says whether it is there. */
#include "edge/edge_ping.h"

#include <stdlib.h>

#define SWEEP SEC /* how often what ended by itself is written down */
#define FIRST_SPACING (50 * MSEC)

struct probe {
	struct ping ping; /* first: a ping's owner is found by it */
	struct probes *all;
	const struct model_routing *gateway; /* in all->model */
	struct timer timer; /* until the next question; idle while one is out */
	unsigned round; /* the last one that wanted it */
};
struct probes {
	struct edge *edge;
	struct model *model; /* what the probes were made of */
	struct timer sweep;
	unsigned n, round;
	struct probe **probes; /* by address of their health, which outlives snapshots */
};

static struct loop *loop_of(const struct probes *all)
{
	return all->edge->config.loop;
}

static const struct model_params *params_of(const struct probes *all)
{
	return &all->edge->config.host->model->params;
}

/* ---- one gateway ----------------------------------------------------------------------------- */

/* What stands in front of a dead switch answers so; anything else comes from one that works. */
static bool says_dead(int status)
{
	return status == 408 || status == 502 || status == 503 || status == 504;
}

static struct health_news news_of(const struct ping_result *result)
{
	struct health_news news = { .event = HEALTH_PROBE_FAILED,
				    .cause = result->cause,
				    .status = (uint16_t)result->status,
				    .rest_s = result->rest_s };

	if (result->status)
		news.cause = HEALTH_STATUS;
	if (result->rest_s)
		news.event = HEALTH_PROBE_REST;
	else if (result->status && !says_dead(result->status))
		news.event = HEALTH_PROBE_ANSWERED;
	return news;
}

static void on_answer(struct ping *ping, const struct ping_result *result)
{
	struct probe *probe = (struct probe *)ping;
	struct probes *all = probe->all;
	struct health *health = probe->gateway->health;
	struct health_news news = news_of(result);
	struct loop *loop = loop_of(all);

	health_note_probe(health, result->status != 0, result->rtt_us, loop->utc_us);
	/* Some do not answer OPTIONS though they take calls: a call answered meanwhile says more. */
	if (result->status || atomic_load(&health->heard_us) < ping->sent_us)
		health_tell(probe->gateway, &news, params_of(all), loop->now_us, loop->utc_us);
	loop_timer(loop, &probe->timer,
		   health_probe_wait(probe->gateway, params_of(all), loop->now_us));
}

static void on_timer(struct timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	ping_start(&probe->ping, probe->gateway, params_of(probe->all)->options_check_timeout,
		   on_answer);
}

static void probe_free(struct probe *probe)
{
	ping_stop(&probe->ping);
	loop_timer_stop(loop_of(probe->all), &probe->timer);
	free(probe);
}

static struct probe *probe_new(struct probes *all, const struct model_routing *gw,
			       uint64_t delay_us)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	ping_init(&probe->ping, all->edge);
	probe->all = all;
	probe->gateway = gw;
	timer_init(&probe->timer, on_timer);
	loop_timer(loop_of(all), &probe->timer, delay_us);
	return probe;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The same gateway in another snapshot. One that moved is asked anew. */
static void probe_adopt(struct probe *probe, const struct model_routing *gw)
{
	const struct model_routing *was = probe->gateway;
	bool moved = !same_text(was->host, gw->host) || was->port != gw->port ||
		     was->proto != gw->proto || !same_text(was->local_address, gw->local_address);

	probe->gateway = gw;
	if (probe->ping.gateway && !moved) {
		probe->ping.gateway = gw;
	} else if (moved) {
		ping_stop(&probe->ping);
		loop_timer(loop_of(probe->all), &probe->timer, 0);
	}
}

/* ---- all of them ------------------------------------------------------------------------------ */

static int by_health(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)(*(struct probe *const *)a)->gateway->health;
	uintptr_t y = (uintptr_t)(*(struct probe *const *)b)->gateway->health;

	return x < y ? -1 : x > y;
}

/* The probe that this gateway had in the snapshot before. */
static struct probe *find(const struct probes *all, const struct model_routing *gw)
{
	struct probe key = { .gateway = gw }, *wanted = &key, **found = NULL;

	if (all->n)
		found = bsearch(&wanted, all->probes, all->n, sizeof(struct probe *), by_health);
	return found ? *found : NULL;
}

static bool is_wanted(const struct edge *edge, const struct model_routing *gw)
{
	return gw->options_check && !gw->locked && gw->reg.type != REGISTER_DYNAMIC &&
	       hash_spread(span_of(gw->name)) % edge->config.workers == edge->config.worker;
}

static unsigned count_wanted(const struct edge *edge, const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_routings; i++)
		n += is_wanted(edge, &m->routings[i]);
	return n;
}

/* New ones begin within as long as it takes to ask all of them in turn. */
static uint64_t first_delay(const struct probes *all, unsigned n)
{
	uint64_t span = n * all->edge->config.workers * FIRST_SPACING;
	uint64_t period = params_of(all)->options_check_period;

	return rng_below((uint32_t)(span < period ? span : period) + 1);
}

static void free_old(struct probes *all)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->probes[i]->round != all->round)
			probe_free(all->probes[i]);
	free(all->probes);
}

static void probes_sync(struct probes *all, const struct model *m)
{
	unsigned wanted = count_wanted(all->edge, m), n = 0;
	struct probe **fresh = wanted ? calloc(wanted, sizeof(*fresh)) : NULL;

	all->round++;
	for (unsigned i = 0; fresh && i < m->n_routings; i++) {
		const struct model_routing *gw = &m->routings[i];
		struct probe *probe;

		if (!is_wanted(all->edge, gw))
			continue;
		probe = find(all, gw);
		if (probe)
			probe_adopt(probe, gw);
		else
			probe = probe_new(all, gw, first_delay(all, wanted));
		if (!probe)
			continue;
		probe->round = all->round;
		fresh[n++] = probe;
	}
	if (n < wanted)
		log_error("no memory to probe %u gateways by OPTIONS", wanted - n);
	free_old(all);
	all->probes = fresh;
	all->n = n;
	if (n)
		qsort(fresh, n, sizeof(struct probe *), by_health);
}

void edge_probes_refresh(struct probes *all)
{
	struct model *m = model_ref(all->edge->config.host->model);

	if (m != all->model)
		probes_sync(all, m);
	model_unref(&all->model);
	all->model = m;
}

static void on_sweep(struct timer *timer)
{
	struct probes *all = container_of(timer, struct probes, sweep);
	const struct edge_config *config = &all->edge->config;
	const struct model *m = all->model;

	for (unsigned i = config->worker; i < m->n_routings; i += config->workers)
		health_settle(&m->routings[i], params_of(all), config->loop->now_us,
			      config->loop->utc_us);
	loop_timer(config->loop, &all->sweep, SWEEP);
}

int edge_probes_new(struct probes **out, struct edge *edge)
{
	struct probes *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->edge = edge;
	timer_init(&all->sweep, on_sweep);
	loop_timer(edge->config.loop, &all->sweep, SWEEP);
	edge_probes_refresh(all);
	*out = all;
	return 0;
}

void edge_probes_free(struct probes **probes)
{
	struct probes *all = *probes;

	*probes = NULL;
	if (!all)
		return;
	loop_timer_stop(loop_of(all), &all->sweep);
	all->round++;
	free_old(all);
	model_unref(&all->model);
	free(all);
}
