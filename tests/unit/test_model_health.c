/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

/* ---- the machine, on a clock of its own ------------------------------------------------------ */

static const struct health_rules by_calls = { .call_failures = 3,
					      .probe_failures = 2,
					      .probe_successes = 2,
					      .retry_us = 10 * SEC,
					      .retry_max_us = 35 * SEC,
					      .rest_max_us = 300 * SEC };
static const struct health_rules by_options = { .probed = true,
						.call_failures = 3,
						.probe_failures = 2,
						.probe_successes = 2,
						.retry_us = 10 * SEC,
						.retry_max_us = 35 * SEC,
						.rest_max_us = 300 * SEC };
static const struct health_rules never = { .probe_failures = 2, .probe_successes = 2 };

/* What happens, and the state afterwards. */
struct row {
	unsigned after_s; /* since the row before */
	enum health_event event;
	enum health_state state;
	uint32_t rest_s;
	bool trial;
};

#define NOW HEALTH_TIME
#define OK HEALTH_CALL_ANSWERED
#define BAD HEALTH_CALL_FAILED
#define PONG HEALTH_PROBE_ANSWERED
#define LOST HEALTH_PROBE_FAILED

static void run(const char *name, const struct health_rules *rules, const struct row *rows,
		size_t n)
{
	struct health_mark mark = { 0 };
	uint64_t now = 1000 * SEC;

	for (size_t i = 0; i < n; i++) {
		struct health_news news = { .event = rows[i].event,
					    .rest_s = rows[i].rest_s,
					    .trial = rows[i].trial };

		now += rows[i].after_s * SEC;
		health_step(&mark, &news, rules, now);
		if (mark.state != rows[i].state)
			fail_msg("%s, row %zu: %s instead of %s", name, i,
				 health_state_name(mark.state), health_state_name(rows[i].state));
	}
}
#define RUN(rules, rows) run(#rows, rules, rows, ARRAY_SIZE(rows))

static void test_calls_alone(void **state)
{
	static const struct row in_a_row[] = {
		{ 0, BAD, HEALTH_UP },   { 0, BAD, HEALTH_UP },     { 0, OK, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },   { 0, BAD, HEALTH_UP },     { 0, BAD, HEALTH_DOWN },
		{ 7, NOW, HEALTH_DOWN }, { 3, NOW, HEALTH_TRYING }, { 99, NOW, HEALTH_TRYING },
		{ 0, OK, HEALTH_UP },    { 0, BAD, HEALTH_UP },
	};
	/* Each failed trial doubles the wait, up to its bound; up again, it begins anew. */
	static const struct row waits[] = {
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_DOWN },
		{ 10, BAD, HEALTH_DOWN, .trial = true },
		{ 14, NOW, HEALTH_DOWN },
		{ 6, BAD, HEALTH_DOWN, .trial = true },
		{ 26, NOW, HEALTH_DOWN },
		{ 9, NOW, HEALTH_TRYING },
		{ 0, BAD, HEALTH_DOWN, .trial = true },
		{ 26, NOW, HEALTH_DOWN },
		{ 9, NOW, HEALTH_TRYING },
		{ 0, OK, HEALTH_UP, .trial = true },
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_DOWN },
		{ 10, NOW, HEALTH_TRYING },
	};
	/* Calls that were under way say nothing new when they fail, and all when one is answered. */
	static const struct row stragglers[] = {
		{ 0, BAD, HEALTH_UP },     { 0, BAD, HEALTH_UP },     { 0, BAD, HEALTH_DOWN },
		{ 9, BAD, HEALTH_DOWN },   { 1, NOW, HEALTH_TRYING }, { 0, BAD, HEALTH_TRYING },
		{ 0, BAD, HEALTH_TRYING }, { 0, OK, HEALTH_UP },
	};
	static const struct row switched_off[] = {
		{ 0, BAD, HEALTH_UP }, { 0, BAD, HEALTH_UP }, { 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP }, { 0, BAD, HEALTH_UP },
	};

	RUN(&by_calls, in_a_row);
	RUN(&by_calls, waits);
	RUN(&by_calls, stragglers);
	RUN(&never, switched_off);
}

static void test_options(void **state)
{
	static const struct row there_and_back[] = {
		{ 0, LOST, HEALTH_UP },     { 0, PONG, HEALTH_UP },   { 0, LOST, HEALTH_UP },
		{ 0, LOST, HEALTH_DOWN },   { 99, NOW, HEALTH_DOWN }, { 0, LOST, HEALTH_DOWN },
		{ 0, PONG, HEALTH_TRYING }, { 0, LOST, HEALTH_DOWN }, { 0, PONG, HEALTH_TRYING },
		{ 9, PONG, HEALTH_UP },
	};
	/* Calls and OPTIONS are counted apart, a call answered counts for both. */
	static const struct row apart[] = {
		{ 0, LOST, HEALTH_UP }, { 0, BAD, HEALTH_UP },   { 0, BAD, HEALTH_UP },
		{ 0, OK, HEALTH_UP },   { 0, LOST, HEALTH_UP },  { 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },  { 0, BAD, HEALTH_DOWN },
	};
	static const struct row call_while_trying[] = {
		{ 0, LOST, HEALTH_UP },
		{ 0, LOST, HEALTH_DOWN },
		{ 0, PONG, HEALTH_TRYING },
		{ 0, OK, HEALTH_UP, .trial = true },
	};

	RUN(&by_options, there_and_back);
	RUN(&by_options, apart);
	RUN(&by_options, call_while_trying);
}

static void test_rest(void **state)
{
	static const struct row rests[] = {
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = 60 },
		{ 59, OK, HEALTH_RESTING },
		{ 0, BAD, HEALTH_RESTING },
		{ 0, LOST, HEALTH_RESTING },
		{ 0, PONG, HEALTH_RESTING },
		{ 1, NOW, HEALTH_UP },
		/* the longer rest counts, in either order */
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = 10 },
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = 60 },
		{ 0, HEALTH_PROBE_REST, HEALTH_RESTING, .rest_s = 10 },
		{ 59, NOW, HEALTH_RESTING },
		{ 1, BAD, HEALTH_UP },
		/* never longer than the bound */
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = UINT32_MAX },
		{ 299, NOW, HEALTH_RESTING },
		{ 1, NOW, HEALTH_UP },
		/* a rest wipes out what led to it */
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = 1 },
		{ 1, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },
	};
	static const struct row down_then_rest[] = {
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_UP },
		{ 0, BAD, HEALTH_DOWN },
		{ 0, HEALTH_CALL_REST, HEALTH_RESTING, .rest_s = 5, .trial = true },
		{ 5, NOW, HEALTH_UP },
	};
	/* Retry-After: 0, or rests switched off: to a call it is an answer, to OPTIONS a refusal. */
	static const struct row nothing_asked[] = {
		{ 0, HEALTH_CALL_REST, HEALTH_UP },
		{ 0, HEALTH_PROBE_REST, HEALTH_UP },
		{ 0, HEALTH_PROBE_REST, HEALTH_DOWN },
	};
	static const struct row switched_off[] = {
		{ 0, HEALTH_CALL_REST, HEALTH_UP, .rest_s = 60 },
		{ 0, HEALTH_PROBE_REST, HEALTH_UP, .rest_s = 60 },
		{ 0, HEALTH_PROBE_REST, HEALTH_DOWN, .rest_s = 60 },
	};

	RUN(&by_calls, rests);
	RUN(&by_calls, down_then_rest);
	RUN(&by_calls, nothing_asked);
	RUN(&never, switched_off);
}

/* Two gateways that fail in different moments are not asked in the same one. */
static void test_jitter(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (uint64_t i = 0; i < 200; i++) {
		struct health_mark mark = { .state = HEALTH_TRYING };
		uint64_t now = 5000 * SEC + i * 137, wait;

		health_step(&mark, &(struct health_news){ .event = BAD, .trial = true }, &by_calls,
			    now);
		wait = mark.until_us - now;
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 7 * SEC, 8 * SEC);
	assert_in_range(most, 9 * SEC, 10 * SEC);
}

/* ---- a gateway ------------------------------------------------------------------------------- */

static const char yaml[] = "version: 1\n"
			   "parameters: { gateway_failures: 2, gateway_retry: 10s, "
			   "options_check_successes: 2, options_check_failures: 3 }\n"
			   "routing_gateways:\n"
			   "  - { name: a-1, address: \"127.0.0.3\", line_limit: 1 }\n"
			   "  - { name: b-1, address: \"127.0.0.4\", options_check: true }\n";

struct bed {
	struct model *m;
	const struct model_routing *a, *b;
	uint64_t mono, utc;
};

static void bed_open(struct bed *bed)
{
	struct model_error errors[4];

	assert_int_equal(model_read_yaml(&bed->m, SPAN(yaml), errors, ARRAY_SIZE(errors)), 0);
	bed->a = model_routing(bed->m, SPAN("a-1"));
	bed->b = model_routing(bed->m, SPAN("b-1"));
	bed->mono = 777 * SEC;
	bed->utc = 1800000000 * SEC + 43391 * SEC - 28800 * SEC; /* 2027-01-15T12:03:11Z */
}

static void tell(struct bed *bed, const struct model_routing *gw, struct health_news news)
{
	health_tell(gw, &news, &bed->m->params, bed->mono, bed->utc);
}

static void pass(struct bed *bed, uint64_t seconds)
{
	bed->mono += seconds * SEC;
	bed->utc += seconds * SEC;
}

static void says(const struct bed *bed, const struct model_routing *gw, const char *sentence)
{
	char text[256];

	assert_string_equal(health_sentence(gw, bed->mono, bed->utc, text, sizeof(text)), sentence);
}

static void test_sentences(void **state)
{
	struct bed bed;

	bed_open(&bed);
	says(&bed, bed.a, "up");
	tell(&bed, bed.a, (struct health_news){ .event = BAD, .cause = HEALTH_SILENCE });
	says(&bed, bed.a, "up");
	tell(&bed, bed.a, (struct health_news){ .event = BAD, .cause = HEALTH_SILENCE });
	says(&bed, bed.a, "down since 12:03:11Z: 2 calls unanswered");
	pass(&bed, 10);
	says(&bed, bed.a, "trying"); /* not yet written down */
	assert_int_equal(health_at(bed.a, bed.mono).state, HEALTH_TRYING);
	health_settle(bed.a, &bed.m->params, bed.mono, bed.utc);
	assert_true(health_take_trial(bed.a->health));
	assert_false(health_take_trial(bed.a->health));
	assert_true(health_at(bed.a, bed.mono).trial);
	tell(&bed, bed.a,
	     (struct health_news){ .event = BAD, .cause = HEALTH_ICMP, .trial = true });
	assert_false(health_at(bed.a, bed.mono).trial);
	says(&bed, bed.a, "down since 12:03:21Z: 1 call failed: ICMP unreachable");
	tell(&bed, bed.a,
	     (struct health_news){ .event = HEALTH_CALL_REST, .status = 503, .rest_s = 60 });
	says(&bed, bed.a, "resting until 12:04:21Z: 503 with Retry-After 60");
	tell(&bed, bed.a,
	     (struct health_news){ .event = HEALTH_CALL_REST, .status = 503, .rest_s = 999 });
	pass(&bed, 86400);
	health_settle(bed.a, &bed.m->params, bed.mono, bed.utc);
	says(&bed, bed.a, "up since 2027-01-15 12:08:21Z: the rest is over");

	for (int i = 0; i < 3; i++)
		tell(&bed, bed.b, (struct health_news){ .event = LOST, .cause = HEALTH_SILENCE });
	says(&bed, bed.b, "down since 12:03:21Z: 3 OPTIONS unanswered");
	for (int i = 0; i < 2; i++)
		tell(&bed, bed.b, (struct health_news){ .event = PONG, .status = 200 });
	says(&bed, bed.b, "up since 12:03:21Z: 2 OPTIONS answered, 200");
	for (int i = 0; i < 3; i++)
		tell(&bed, bed.b,
		     (struct health_news){ .event = LOST, .cause = HEALTH_STATUS, .status = 503 });
	says(&bed, bed.b, "down since 12:03:21Z: 3 OPTIONS answered 503 at last");
	tell(&bed, bed.b,
	     (struct health_news){ .event = HEALTH_PROBE_REST, .status = 503, .rest_s = 999 });
	says(&bed, bed.b,
	     "resting until 12:08:21Z: 503 with Retry-After 999 to OPTIONS, rests 300 s at most");
	model_unref(&bed.m);
}

static void has(const struct buf *out, const char *part)
{
	if (!memmem(out->p, out->len, part, strlen(part)))
		fail_msg("%s is not in %.*s", part, (int)out->len, out->p);
}

static void test_json(void **state)
{
	struct buf out = BUF_INIT(65536);
	struct bed bed;

	bed_open(&bed);
	for (int i = 0; i < 30; i++) { /* more changes than are kept */
		tell(&bed, bed.a, (struct health_news){ .event = BAD });
		tell(&bed, bed.a, (struct health_news){ .event = BAD });
		tell(&bed, bed.a, (struct health_news){ .event = OK });
	}
	health_note_probe(bed.a->health, false, 0, bed.utc);
	health_note_probe(bed.a->health, true, 12345, bed.utc);
	tell(&bed, bed.a, (struct health_news){ .event = BAD });
	health_write_json(&out, bed.a, bed.mono, bed.utc);
	has(&out, "{\"state\": \"up\", \"since\": \"2027-01-15T12:03:11.000000Z\", \"why\": \"it "
		  "answered a call\"");
	has(&out, "\"failures_in_a_row\": 1");
	has(&out, "\"options\": {\"sent\": 2, \"loss_percent\": 50, \"rtt_ms\": 12.345");
	buf_reset(&out);
	assert_true(load_take_line(bed.a->load, 1));
	health_write_json(&out, bed.a, bed.mono, bed.utc);
	has(&out, "{\"state\": \"full\", \"why\": \"all 1 lines are in use\"");
	load_give_line(bed.a->load);
	buf_free(&out);
	model_unref(&bed.m);
}

static void test_probe_wait(void **state)
{
	struct bed bed;
	const struct model_params *params;

	bed_open(&bed);
	params = &bed.m->params;
	assert_in_range(health_probe_wait(bed.b, params, bed.mono), 45 * SEC, 60 * SEC);
	tell(&bed, bed.b, (struct health_news){ .event = LOST });
	assert_in_range(health_probe_wait(bed.b, params, bed.mono), 7500 * MSEC, 10 * SEC);
	tell(&bed, bed.b, (struct health_news){ .event = LOST });
	tell(&bed, bed.b, (struct health_news){ .event = LOST });
	assert_in_range(health_probe_wait(bed.b, params, bed.mono), 7499 * MSEC, 10 * SEC);
	for (int i = 0; i < 20; i++) {
		pass(&bed, 60);
		tell(&bed, bed.b, (struct health_news){ .event = LOST });
	}
	assert_in_range(health_probe_wait(bed.b, params, bed.mono), 44 * SEC, 60 * SEC);
	tell(&bed, bed.b, (struct health_news){ .event = HEALTH_PROBE_REST, .rest_s = 120 });
	assert_in_range(health_probe_wait(bed.b, params, bed.mono), 119 * SEC, 120 * SEC);
	model_unref(&bed.m);
}

/* Load outlives snapshots, and so does health. */
static void test_new_snapshot(void **state)
{
	struct model_hub *hub = model_hub_new();
	struct bed bed, next;

	bed_open(&bed);
	bed_open(&next);
	model_hub_swap(hub, model_ref(bed.m));
	tell(&bed, bed.a, (struct health_news){ .event = BAD });
	tell(&bed, bed.a, (struct health_news){ .event = BAD });
	model_hub_swap(hub, model_ref(next.m));
	model_unref(&bed.m);
	says(&next, next.a, "down since 12:03:11Z: 2 calls unanswered");
	assert_int_equal(health_at(next.b, next.mono).state, HEALTH_UP);
	model_unref(&next.m);
	model_hub_free(&hub);
}

/* ---- many threads ------------------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS 20000

struct worker {
	pthread_t thread;
	struct bed *bed;
	unsigned trials;
};

/* Tells whatever happens, reads and shows between; a trial is never had twice. */
static atomic_int trying;
static void *work(void *arg)
{
	struct worker *w = arg;
	const struct model_routing *gw = w->bed->a;
	const struct model_params *params = &w->bed->m->params;
	uint64_t mono = w->bed->mono, utc = w->bed->utc;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct health_news news = { .event = (enum health_event)rng_below(4), .rest_s = 1 };
		struct health_change changes[HEALTH_CHANGES];

		mono += rng_below(2000) * MSEC;
		utc = mono + 1800000000 * SEC;
		news.trial =
			health_at(gw, mono).state != HEALTH_UP && health_take_trial(gw->health);
		if (news.trial) {
			w->trials++;
			assert_int_equal(atomic_fetch_add(&trying, 1), 0);
			atomic_fetch_sub(&trying, 1);
		}
		health_tell(gw, &news, params, mono, utc);
		for (unsigned n = health_changes(gw->health, changes); n; n--) {
			assert_true(changes[n - 1].from != changes[n - 1].to);
			assert_true(changes[n - 1].to < HEALTH_FULL);
			assert_true(changes[n - 1].at_utc_us > 1800000000 * SEC);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct worker workers[THREADS];
	unsigned trials = 0;
	struct bed bed;

	bed_open(&bed);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .bed = &bed };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		trials += workers[i].trials;
	}
	assert_true(trials > 0);
	assert_true(health_take_trial(bed.a->health)); /* none was forgotten */
	model_unref(&bed.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_alone), cmocka_unit_test(test_options),
		cmocka_unit_test(test_rest),        cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_sentences),   cmocka_unit_test(test_json),
		cmocka_unit_test(test_probe_wait),  cmocka_unit_test(test_new_snapshot),
		cmocka_unit_test(test_threads),
	};

	log_set_level(LOG_ERROR); /* changes are logged */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
