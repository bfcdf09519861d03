/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long does it take to find the gateways of a number among a million prefixes? Prints nanoseconds a
 * look-up, for numbers in random order (every one misses the caches) and for a thousand numbers again and again. */
#include "model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define GATEWAYS 100
#define EACH 10000
#define LOOKUPS 2000000

static unsigned random_digits(char *dst, unsigned least, unsigned most)
{
	unsigned len = least + rng_below(most - least + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = (char)('0' + rng_below(10));
	dst[len] = '\0';
	return len;
}

static struct model *build(void)
{
	struct buf text = BUF_INIT(64u << 20);
	struct model_error error;
	struct model *m = NULL;
	char prefix[16];

	buf_add_str(&text, "version: 1\nrouting_gateways:\n");
	for (unsigned i = 0; i < GATEWAYS; i++) {
		buf_addf(&text, "  - { name: g%u, address: 192.0.2.1, prefixes: [ ", i);
		for (unsigned j = 0; j < EACH; j++) {
			random_digits(prefix, 5, 11);
			buf_addf(&text, "%s\"%s\"", j ? "," : "", prefix);
		}
		buf_add_str(&text, "] }\n");
	}
	if (model_read_yaml(&m, buf_span(&text), &error, 1)) {
		fprintf(stderr, "line %u %s: %s\n", error.line, error.object, error.text);
		exit(1);
	}
	buf_free(&text);
	return m;
}

/* Of this thread alone: other work on the machine does not count. */
static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec / 1000;
}

static void measure(const struct model *m, const char (*numbers)[16], unsigned n, const char *what)
{
	struct model_match matches[MODEL_MATCHES_MOST];
	uint64_t sum = 0, start = cpu_us(), us;

	for (unsigned i = 0; i < LOOKUPS; i++)
		for (unsigned j = model_matches(m, (struct span){ numbers[i % n], 12 }, matches);
		     j > 0; j--)
			sum += matches[j - 1].len * matches[j - 1].n;
	us = cpu_us() - start;
	printf("%s: %" PRIu64 " ns a look-up (%.2f digits matched)\n", what, us * 1000 / LOOKUPS,
	       (double)sum / LOOKUPS);
}

int main(void)
{
	uint64_t start = clock_mono_us();
	struct model *m = build();
	char(*numbers)[16] = calloc(LOOKUPS, sizeof(*numbers));

	if (!numbers)
		return 1;
	printf("%u prefixes read and indexed in %" PRIu64 " ms, %zu MiB\n", GATEWAYS * EACH,
	       (uint64_t)((clock_mono_us() - start) / 1000), arena_size(m->arena) >> 20);
	for (unsigned i = 0; i < LOOKUPS; i++)
		random_digits(numbers[i], 12, 12);
	measure(m, (const char(*)[16])numbers, LOOKUPS, "all different");
	measure(m, (const char(*)[16])numbers, 1000, "a thousand again and again");
	free(numbers);
	model_unref(&m);
	return 0;
}
