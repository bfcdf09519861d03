/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What does the route plan of a call cost with a million prefixes over 500 gateways? Prints how long a snapshot of
 * that size takes to build and to swap in, what it needs, and nanoseconds a plan as quantiles. A called number is one that some gateways serve, drawn at random, so its
 * index entries are in no cache; gateways and their load are, as in a switch under load. */
#include "route/route.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define GATEWAYS 500
#define EACH 2000
#define DESTINATIONS 100000 /* different prefixes: ten gateways serve each */
#define PLANS 200000
#define NUMBER_LEN 13

static char destinations[DESTINATIONS][12];
static char numbers[PLANS][NUMBER_LEN + 1];

static void random_digits(char *dst, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		dst[i] = (char)('0' + rng_below(10));
	dst[len] = '\0';
}

/* Countries, networks, areas: 3 to 9 digits, most of them long, as price lists are; few of a short length, so that they
 * differ. */
static void invent_destinations(void)
{
	static const struct {
		unsigned up_to, len; /* of a thousand */
	} shares[] = { { 2, 3 },   { 22, 4 },  { 122, 5 }, { 372, 6 },
		       { 722, 7 }, { 922, 8 }, { 1000, 9 } };

	for (unsigned i = 0; i < DESTINATIONS; i++) {
		unsigned share = rng_below(1000), k = 0;

		while (share >= shares[k].up_to)
			k++;
		random_digits(destinations[i], shares[k].len);
	}
}

static void write_gateway(struct buf *text, unsigned i)
{
	buf_addf(text,
		 "  - { name: vendor-%u, address: 192.0.2.%u, priority: %u, line_limit: %u, "
		 "prefixes: [ ",
		 i, 1 + i % 250, rng_below(5), 100 + rng_below(900));
	for (unsigned j = 0; j < EACH; j++)
		buf_addf(text, "%s\"%s\"", j ? "," : "", destinations[rng_below(DESTINATIONS)]);
	buf_add_str(text, " ] }\n");
}

static void write_config(struct buf *text)
{
	buf_add_str(text, "version: 1\nmapping_gateways: [ { name: in, addresses: 192.0.2.1 } ]\n"
			  "routing_gateways:\n");
	for (unsigned i = 0; i < GATEWAYS; i++)
		write_gateway(text, i);
}

static struct model *read_config(struct span text)
{
	struct model_error error;
	struct model *m = NULL;

	if (model_read_yaml(&m, text, &error, 1)) {
		fprintf(stderr, "line %u %s: %s\n", error.line, error.object, error.text);
		exit(1);
	}
	return m;
}

/* Read without a system call, which would empty the processor's caches. Somebody else's turn on the processor falls into
 * a few plans in a million. */
static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct sample {
	uint32_t ns, candidates;
};

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* What asking the clock itself costs is taken off. */
static uint32_t clock_cost(void)
{
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t start = now_ns();
		uint32_t cost = (uint32_t)(now_ns() - start);

		if (cost < least)
			least = cost;
	}
	return least;
}

/* The quantiles of the plans with so many candidates. `sorted`: all samples, by time. */
static void print_quantiles(const char *what, const struct sample *sorted, uint32_t least,
			    uint32_t most)
{
	uint32_t *times = calloc(PLANS, sizeof(*times));
	uint64_t candidates = 0;
	unsigned n = 0;

	if (!times)
		exit(1);
	for (unsigned i = 0; i < PLANS; i++) {
		if (sorted[i].candidates < least || sorted[i].candidates > most)
			continue;
		times[n++] = sorted[i].ns;
		candidates += sorted[i].candidates;
	}
	if (n >= 1000)
		printf("%-36s %5.1f %% %5.1f candidates, median %5u ns, p90 %5u ns, p99 %5u ns, "
		       "p99.9 %5u ns\n",
		       what, 100.0 * n / PLANS, (double)candidates / n, times[n / 2],
		       times[n * 9ull / 10], times[n * 99ull / 100], times[n * 999ull / 1000]);
	free(times);
}

static void print_samples(const char *what, struct sample *samples)
{
	static const struct {
		const char *what;
		uint32_t least, most;
	} classes[] = { { "  1 to 5 candidates", 1, 5 },
			{ "  6 to 10", 6, 10 },
			{ "  11 to 20", 11, 20 },
			{ "  21 and more", 21, UINT32_MAX } };

	qsort(samples, PLANS, sizeof(*samples), compare_samples);
	print_quantiles(what, samples, 0, UINT32_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		print_quantiles(classes[i].what, samples, classes[i].least, classes[i].most);
}

static void measure_plans(const struct model *m, unsigned different, const char *what)
{
	struct sample *samples = calloc(PLANS, sizeof(*samples));
	struct admit_result from = { .mapping = model_mapping(m, SPAN("in")) };
	uint32_t cost = clock_cost();

	if (!samples)
		exit(1);
	for (unsigned i = 0; i < PLANS; i++) {
		struct call_request req = { .caller = SPAN("4930123456"),
					    .callee = { numbers[i % different], NUMBER_LEN },
					    .mono_us = 1000 * SEC };
		struct route_plan plan;
		struct reasons why;
		uint64_t start = now_ns();
		uint32_t ns;

		route_plan(m, &req, &from, &plan, &why);
		ns = (uint32_t)(now_ns() - start);
		samples[i] = (struct sample){ ns > cost ? ns - cost : 0, plan.n };
	}
	print_samples(what, samples);
	free(samples);
}

/* Every gateway has some of its lines in use, so that their order differs from that of the configuration. */
static void invent_load(const struct model *m)
{
	for (unsigned i = 0; i < m->n_routings; i++)
		for (unsigned j = rng_below((unsigned)m->routings[i].limits.line_limit); j > 0; j--)
			load_take_line(m->routings[i].load, 0);
}

static void invent_numbers(void)
{
	for (unsigned i = 0; i < PLANS; i++) {
		const char *prefix = destinations[rng_below(DESTINATIONS)];
		size_t len = strlen(prefix);

		memcpy(numbers[i], prefix, len);
		random_digits(numbers[i] + len, (unsigned)(NUMBER_LEN - len));
	}
}

int main(void)
{
	struct buf text = BUF_INIT(64u << 20);
	struct model_hub *hub = model_hub_new();
	struct model *m;
	uint64_t start;
	size_t before;

	invent_destinations();
	invent_numbers();
	write_config(&text);
	for (unsigned i = 0; i < 2; i++) {
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		start = clock_mono_us();
		m = read_config(buf_span(&text));
		printf("%u prefixes of %u gateways: read and indexed in %" PRIu64 " ms, %zu MiB",
		       GATEWAYS * EACH, GATEWAYS, (uint64_t)(clock_mono_us() - start) / 1000,
		       (mallinfo2().uordblks + mallinfo2().hblkhd - before) >> 20);
		start = clock_mono_us();
		model_hub_swap(hub, m);
		printf(", swapped in in %" PRIu64 " us\n", (uint64_t)(clock_mono_us() - start));
	}
	buf_free(&text);
	m = model_hub_get(hub);
	invent_load(m);
	measure_plans(m, PLANS, "usual order");
	measure_plans(m, 1000, "a thousand numbers again and again");
	m->params.sort_by_asr = 2;
	measure_plans(m, PLANS, "by live ASR");
	model_unref(&m);
	model_hub_free(&hub);
	return 0;
}
