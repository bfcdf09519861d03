/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Call workers: each its own thread, loop, sockets, stack and calls. Other threads speak to one
 * only through net_call. */
#include "daemon/daemon_int.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNREGISTER_TIME (2 * SEC)

/* Transactions and ended sessions live on for up to 32 s; with few calls allowed, those that are up must still be
 * able to hang up. */
#define SPARE 10000

static void on_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	struct worker *w = arg;

	edge_on_message(w->edge, msg, flow);
}

static void on_undelivered(void *arg, struct span message, const struct net_flow *flow, int err,
			   const char *text)
{
	struct worker *w = arg;

	edge_on_undelivered(w->edge, message, flow, err, text);
}

static const struct net_ops net_ops = {
	.frame = sip_frame,
	.classify = sip_classify,
	.sender = sip_sender,
	.steer = sip_steer,
	.on_message = on_message,
	.on_undelivered = on_undelivered,
};

static void adopt_model(struct worker *w)
{
	call_host_refresh(&w->host);
	if (w->adopted == w->host.model->version)
		return;
	w->adopted = w->host.model->version;
	edge_refresh(w->edge);
}

static void each_turn(struct loop_hook *hook)
{
	adopt_model(container_of(hook, struct worker, hook));
}

static int worker_open(struct process *p, struct worker *w, unsigned index, char *why,
		       size_t why_size)
{
	int err;

	w->process = p;
	w->index = index;
	err = loop_init(&w->loop);
	if (err)
		return err;
	err = net_open(&w->net, &w->loop, &p->boot.net, index, &net_ops, w, why, why_size);
	if (err)
		return err;
	err = net_dns_open(&w->dns, &w->loop, p->boot.dns_servers);
	if (err) {
		snprintf(why, why_size, "the resolver cannot be started: %s", strerror(-err));
		return err;
	}
	w->host = (struct call_host){
		.loop = &w->loop,
		.hub = p->hub,
		.journal = p->journal,
		.trace = trace_lane(p->trace, index),
		.worker = index,
		.node = p->boot.node,
		.draining = &p->draining,
	};
	err = call_host_init(&w->host, (uint32_t)p->boot.max_calls);
	return err;
}

static int worker_open_edge(struct process *p, struct worker *w)
{
	struct edge_config config = {
		.worker = w->index,
		.workers = p->n_workers,
		.loop = &w->loop,
		.net = w->net,
		.dns = w->dns,
		.host = &w->host,
		.digest_key = p->digest_key,
		.suspensions = p->suspensions,
		.product = PRODUCT,
		.max_transactions = (uint32_t)p->boot.max_calls * 2 + SPARE,
		.max_sessions = (uint32_t)p->boot.max_calls * 2 + SPARE,
	};
	int err = edge_open(&w->edge, &config);

	if (err)
		return err;
	w->adopted = w->host.model->version;
	w->hook.run = each_turn;
	loop_hook_add(&w->loop, &w->hook);
	return 0;
}

unsigned workers_count(const struct boot *boot)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (boot->workers)
		return (unsigned)boot->workers;
	return cores > WORKERS_MAX ? WORKERS_MAX : (unsigned)(cores > 0 ? cores : 1);
}

int workers_open(struct process *p, char *why, size_t why_size)
{
	struct net *nets[WORKERS_MAX];
	int err = 0;

	p->n_workers = workers_count(&p->boot);
	p->boot.net.workers = p->n_workers;
	snprintf(why, why_size, "out of memory");
	for (unsigned i = 0; i < p->n_workers && !err; i++) {
		err = worker_open(p, &p->workers[i], i, why, why_size);
		nets[i] = p->workers[i].net;
	}
	if (err)
		return err;
	net_link(nets, p->n_workers);
	for (unsigned i = 0; i < p->n_workers && !err; i++)
		err = worker_open_edge(p, &p->workers[i]);
	return err;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "call-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	loop_run(&w->loop);
	return NULL;
}

/* Signals belong to the main thread. */
int workers_start(struct process *p)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < p->n_workers && !err; i++)
		err = -pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Shared by asker and worker; whoever comes last frees it. */
struct question {
	struct ask ask; /* the worker's copy */
	struct worker *worker;
	sem_t done;
	atomic_uint refs;
};

static void question_drop(struct question *q)
{
	if (atomic_fetch_sub(&q->refs, 1) != 1)
		return;
	buf_free(&q->ask.out);
	sem_destroy(&q->done);
	free(q);
}

static void question_run(void *arg)
{
	struct question *q = arg;

	if (atomic_load(&q->refs) > 1) /* the asker still waits: what it lent is there */
		q->ask.fn(q->worker, &q->ask);
	sem_post(&q->done);
	question_drop(q);
}

/* Waits until answered: a worker's turn takes milliseconds. What is lent stays valid because the asker does not
 * leave before the worker is through. */
bool worker_ask(struct worker *w, struct ask *ask)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return false;
	q->ask = *ask;
	q->worker = w;
	atomic_init(&q->refs, 2);
	sem_init(&q->done, 0, 0);
	if (!net_call(w->net, question_run, q)) {
		atomic_store(&q->refs, 1);
		question_drop(q);
		return false;
	}
	while (sem_wait(&q->done) && errno == EINTR)
		;
	*ask = q->ask;
	q->ask.out = BUF_INIT(0);
	question_drop(q);
	return true;
}

static void nothing(struct worker *w, struct ask *ask)
{
	adopt_model(w);
}

void workers_nudge(struct process *p)
{
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = nothing };

		worker_ask(&p->workers[i], &ask);
	}
}

static void count_live(struct worker *w, struct ask *ask)
{
	ask->number = call_host_live(&w->host);
}

uint32_t workers_live_calls(struct process *p)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = count_live };

		if (worker_ask(&p->workers[i], &ask))
			total += (uint32_t)ask.number;
	}
	return total;
}

static void end_all(struct worker *w, struct ask *ask)
{
	call_host_end_all(&w->host, ask->in);
}

static void stop(struct worker *w, struct ask *ask)
{
	w->loop.stop = true;
}

static void unregister(struct worker *w, struct ask *ask)
{
	ask->found = edge_outbound_leave(w->edge);
}

/* Vendors shall not send calls to a switch that is gone; one that does not answer is not waited for. */
static void unregister_all(struct process *p)
{
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint64_t until = clock_mono_us() + UNREGISTER_TIME;
	struct ask ask = { .fn = unregister };

	while (p->workers[0].thread && worker_ask(&p->workers[0], &ask) && !ask.found &&
	       clock_mono_us() < until)
		nanosleep(&pause, NULL);
}

void workers_stop(struct process *p, const struct call_end *end)
{
	unregister_all(p);
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct worker *w = &p->workers[i];
		struct ask ask = { .fn = end_all, .in = end };

		if (!w->thread)
			continue;
		worker_ask(w, &ask);
		ask.fn = stop;
		worker_ask(w, &ask);
		pthread_join(w->thread, NULL);
	}
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct worker *w = &p->workers[i];

		if (w->edge) {
			edge_settle(w->edge);
			call_host_close(&w->host, end);
		}
		edge_close(&w->edge);
		net_dns_close(&w->dns);
		net_close(&w->net);
		loop_close(&w->loop);
	}
}
