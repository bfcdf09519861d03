/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What do the limits of a call cost while all workers want them? A turn takes all that a call needs on its caller's side
 * (gateway, group, account, system: lines and rates) and on its callee's (gateway, group, account), and gives it back. Prints
 * turns a second and nanoseconds of CPU a turn, for 1..N threads: on the same objects, and on gateways of their own, where only
 * the system is shared. */
#include "model/model.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUND 100000 /* turns of all threads together between two meetings */
#define ROUNDS 20 /* for each thread */
#define THREADS_MAX 64

struct worker {
	pthread_t thread;
	pthread_barrier_t *meeting;
	const struct model *m;
	unsigned threads, number; /* number: of its gateways */
	uint64_t cpu_ns, refused;
};

static struct model *build(unsigned n)
{
	struct buf text = BUF_INIT(1 << 20);
	struct model_error error;
	struct model *m = NULL;

	buf_add_str(&text, "version: 1\nparameters: { max_calls: 1000000, max_cps: 100000, "
			   "max_cps_burst: 1000000 }\naccounts:\n");
	for (unsigned i = 0; i < n; i++)
		buf_addf(&text,
			 "  - { name: c%u, line_limit: 100000, rate_limit: 100000, rate_burst: "
			 "1000000 }\n  - { name: "
			 "v%u }\n",
			 i, i);
	buf_add_str(&text, "gateway_groups:\n");
	for (unsigned i = 0; i < n; i++)
		buf_addf(&text,
			 "  - { name: in%u, line_limit: 1000 }\n  - { name: out%u, line_limit: "
			 "1000 }\n",
			 i, i);
	buf_add_str(&text, "mapping_gateways:\n");
	for (unsigned i = 0; i < n; i++)
		buf_addf(&text,
			 "  - { name: m%u, account: c%u, groups: [ in%u ], addresses: 192.0.2.%u, "
			 "line_limit: 1000,"
			 " rate_limit: 100000, rate_burst: 1000000 }\n",
			 i, i, i, i + 1);
	buf_add_str(&text, "routing_gateways:\n");
	for (unsigned i = 0; i < n; i++)
		buf_addf(&text,
			 "  - { name: r%u, account: v%u, groups: [ out%u ], reserved_lines: 5, "
			 "address: 192.0.2.%u,"
			 " line_limit: 1000 }\n",
			 i, i, i, i + 1);
	if (model_read_yaml(&m, buf_span(&text), &error, 1)) {
		fprintf(stderr, "line %u %s: %s\n", error.line, error.object, error.text);
		exit(1);
	}
	buf_free(&text);
	return m;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void turn(struct worker *w, uint64_t now_us)
{
	const struct model_mapping *in = &w->m->mappings[w->number];
	struct claim_refusal refusal;
	struct claims claims;

	claims_of_caller(w->m, in, NULL, in->account, now_us, &claims);
	if (!claims_take(&claims, now_us, now_us, &refusal)) {
		w->refused++;
		return;
	}
	claims_of_callee(w->m, &w->m->routings[w->number], NULL, now_us, &claims);
	if (claims_take(&claims, now_us, now_us, &refusal))
		claims_give(&claims);
	claims_of_caller(w->m, in, NULL, in->account, 0, &claims);
	claims_give(&claims);
}

/* The clock runs so that no rate refuses, which needs that no thread is far ahead: they meet from time to time. */
static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned each = ROUND / w->threads;
	uint64_t now = SEC, start;

	for (unsigned round = 0; round < ROUNDS * w->threads; round++) {
		pthread_barrier_wait(w->meeting);
		start = cpu_ns();
		for (unsigned i = 0; i < each; i++)
			turn(w, now += 20ull * w->threads);
		w->cpu_ns += cpu_ns() - start;
	}
	return NULL;
}

static void measure(const struct model *m, unsigned n, bool apart)
{
	static struct worker workers[THREADS_MAX];
	pthread_barrier_t meeting;
	uint64_t cpu = 0, refused = 0, turns = (uint64_t)ROUND * ROUNDS * n, began, us;

	pthread_barrier_init(&meeting, NULL, n);
	began = clock_mono_us();
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct worker){
			.meeting = &meeting, .m = m, .threads = n, .number = apart ? i : 0
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			exit(1);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		cpu += workers[i].cpu_ns;
		refused += workers[i].refused;
	}
	us = clock_mono_us() - began;
	pthread_barrier_destroy(&meeting);
	printf("%2u threads, %s: %9.0f turns a second, %4" PRIu64 " ns of CPU a turn, %" PRIu64
	       " refused\n",
	       n, apart ? "gateways of their own" : "the same gateways    ",
	       (double)turns * SEC / (double)us, cpu / turns, refused);
	if (m->load->lines) {
		fprintf(stderr, "%d lines leaked\n", m->load->lines);
		exit(1);
	}
}

int main(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
	struct model *m = build(most);

	for (unsigned n = 1; n <= most; n = n < most && n * 2 > most ? most : n * 2) {
		measure(m, n, false);
		measure(m, n, true);
	}
	model_unref(&m);
	return 0;
}
