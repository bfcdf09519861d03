/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long does it take to find and apply a dial rule among ten thousand? Prints nanoseconds an application: for rules
 * that rewrite one number each, for prefixes of all lengths, for sources of as many forms as are permitted, and for
 * numbers that no rule fits. */
#include "number/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RULES 10000
#define NUMBERS 1000
#define ROUNDS 1000

/* Of this thread alone: other work on the machine does not count. */
static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec / 1000;
}

static void add_digits(struct buf *out, unsigned n)
{
	while (n--)
		buf_add_char(out, (char)('0' + rng_below(10)));
}

static void whole_numbers(struct buf *out, unsigned i)
{
	buf_addf(out, "4930%07u:4940%07u;4950%07u,", i, i, i);
}

static void prefixes(struct buf *out, unsigned i)
{
	add_digits(out, 2 + i % 9);
	buf_add_str(out, ":00*,");
}

/* A hundred of seven characters, of which some are any. */
static void forms(struct buf *out, unsigned i)
{
	for (unsigned bit = 0; bit < 7; bit++)
		buf_add_char(out, (i % 100) >> bit & 1 ? '?' : (char)('0' + rng_below(10)));
	buf_addf(out, "E%u:$$$7;$$$8,", 8 + i / 100 % 50);
}

/* Eleven digits: random ones, or the beginning and one of the numbers that whole_numbers knows. */
static void number_of(char *dst, size_t size, const char *begins)
{
	if (*begins)
		snprintf(dst, size, "%s%07u", begins, rng_below(RULES));
	else
		snprintf(dst, size, "%05u%06u", rng_below(100000), rng_below(1000000));
}

static void measure(const char *what, void (*write)(struct buf *out, unsigned i),
		    const char *number_begins)
{
	struct buf text = BUF_INIT(4 << 20);
	struct arena *arena = arena_new(65536);
	struct dial_rules *rules = NULL;
	static char numbers[NUMBERS][16];
	struct dial_fault fault;
	char dst[NUMBER_TEXT];
	uint64_t start, us, sum = 0, found = 0;
	struct span span;

	for (unsigned i = 0; i < RULES; i++)
		write(&text, i);
	span = buf_span(&text);
	start = cpu_us();
	if (dial_compile(&rules, arena, &span, 1, &fault)) {
		fprintf(stderr, "%s\n", fault.what);
		exit(1);
	}
	us = cpu_us() - start;
	for (unsigned i = 0; i < NUMBERS; i++)
		number_of(numbers[i], sizeof(numbers[i]), number_begins);
	start = cpu_us();
	for (unsigned i = 0; i < NUMBERS * ROUNDS; i++) {
		struct span number = { numbers[i % NUMBERS], 11 };
		const struct dial_rule *rule = dial_find(rules, number);

		found += rule != NULL;
		sum += rule ? (uint64_t)dial_apply(rule, number, i, dst) : 0;
	}
	printf("%s: %u rules compiled in %" PRIu64 " ms, %zu kB; %" PRIu64
	       " ns an application, %" PRIu64 " %% found (%" PRIu64 " characters)\n",
	       what, RULES, us / 1000, arena_size(arena) >> 10,
	       (cpu_us() - start) * 1000 / (NUMBERS * ROUNDS), found * 100 / (NUMBERS * ROUNDS),
	       sum / (NUMBERS * ROUNDS));
	buf_free(&text);
	arena_free(&arena);
}

int main(void)
{
	measure("whole numbers", whole_numbers, "4930");
	measure("whole numbers, none fits", whole_numbers, "5030");
	measure("prefixes of 2 to 10", prefixes, "");
	measure("a hundred forms", forms, "");
	return 0;
}
