/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What health does to the plan. */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW (5000 * SEC)
#define UTC (1800000000 * SEC)

static const char yaml[] =
	"version: 1\n"
	"parameters: { gateway_failures: 1, gateway_retry: 10s }\n"
	"mapping_gateways:\n"
	"  - { name: in, addresses: [ \"127.0.0.2\" ] }\n"
	"routing_gateways:\n"
	"  - { name: long, address: \"127.0.0.3\", prefixes: [ \"880\", \"8\" ], priority: 5 }\n"
	"  - { name: first, address: \"127.0.0.4\", prefixes: [ \"8\" ], priority: 1 }\n"
	"  - { name: second, address: \"127.0.0.5\", prefixes: [ \"8\" ], priority: 2 }\n"
	"  - { name: locked, address: \"127.0.0.6\", prefixes: [ \"8\" ], locked: true }\n";

struct bed {
	struct model *m;
	struct route_plan plan;
	struct reasons why;
};

static void bed_open(struct bed *bed)
{
	struct model_error errors[4];

	assert_int_equal(model_read_yaml(&bed->m, SPAN(yaml), errors, ARRAY_SIZE(errors)), 0);
}

static const struct model_routing *gateway(const struct bed *bed, const char *name)
{
	const struct model_routing *gw = model_routing(bed->m, span_of(name));

	assert_non_null(gw);
	return gw;
}

static void tell(const struct bed *bed, const char *name, struct health_news news)
{
	health_tell(gateway(bed, name), &news, &bed->m->params, NOW, UTC);
}

static void lose(const struct bed *bed, const char *name)
{
	tell(bed, name, (struct health_news){ .event = HEALTH_CALL_FAILED });
}

static enum route_verdict plan(struct bed *bed, uint64_t after_us)
{
	struct call_request req = { .callee = SPAN("88012345"),
				    .mono_us = NOW + after_us,
				    .utc_us = UTC + after_us };
	struct admit_result from = { .mapping = model_mapping(bed->m, SPAN("in")) };

	return route_plan(bed->m, &req, &from, &bed->plan, &bed->why);
}

/* The names in order, with a blank between. */
static void planned(const struct bed *bed, const char *names)
{
	struct buf out = BUF_INIT(1024);

	for (unsigned i = 0; i < bed->plan.n; i++)
		buf_addf(&out, "%s%s", i ? " " : "", bed->plan.candidate[i].gateway->name);
	assert_string_equal(buf_cstr(&out), names);
	buf_free(&out);
}

static void reasoned(const struct bed *bed, const char *name, const char *text)
{
	const struct model_routing *gw = gateway(bed, name);
	char said[256];

	for (unsigned i = 0; i < bed->why.n; i++)
		if (bed->why.reason[i].object == gw->name) {
			assert_string_equal(reason_text(&bed->why.reason[i], said, sizeof(said)),
					    text);
			return;
		}
	fail_msg("nothing is said of %s", name);
}

static void test_skipped_and_back(void **state)
{
	struct bed bed;

	bed_open(&bed);
	assert_int_equal(plan(&bed, 0), ROUTE_OK);
	planned(&bed, "long first second");
	lose(&bed, "long");
	assert_int_equal(plan(&bed, 7 * SEC), ROUTE_OK);
	planned(&bed, "first second");
	reasoned(&bed, "long", "long: down since 2027-01-15 08:00:00Z: 1 call unanswered");
	assert_int_equal(plan(&bed, 10 * SEC), ROUTE_OK);
	planned(&bed, "long first second"); /* the next call tries it */
	assert_true(health_take_trial(gateway(&bed, "long")->health));
	assert_int_equal(plan(&bed, 10 * SEC), ROUTE_OK);
	planned(&bed, "first second"); /* one does already */
	model_unref(&bed.m);
}

static void test_rests(void **state)
{
	struct bed bed;

	bed_open(&bed);
	tell(&bed, "first", (struct health_news){ .event = HEALTH_CALL_REST, .rest_s = 60 });
	assert_int_equal(plan(&bed, SEC), ROUTE_OK);
	planned(&bed, "long second");
	reasoned(&bed, "first",
		 "first: resting until 2027-01-15 08:01:00Z: 503 with Retry-After 60");
	assert_int_equal(plan(&bed, 60 * SEC), ROUTE_OK);
	planned(&bed, "long first second");
	model_unref(&bed.m);
}

/* The best of those that are down stands in when there is nothing else; one that rests never does. */
static void test_last_resort(void **state)
{
	struct bed bed;

	bed_open(&bed);
	lose(&bed, "second");
	lose(&bed, "first");
	tell(&bed, "long", (struct health_news){ .event = HEALTH_CALL_REST, .rest_s = 60 });
	assert_int_equal(plan(&bed, 0), ROUTE_OK);
	planned(&bed, "first");
	assert_true(bed.plan.candidate[0].last_resort);
	reasoned(&bed, "first",
		 "first: down since 2027-01-15 08:00:00Z: 1 call unanswered; tried because nothing "
		 "better is left");
	reasoned(&bed, "second", "second: down since 2027-01-15 08:00:00Z: 1 call unanswered");
	assert_true(health_take_trial(gateway(&bed, "first")->health));
	assert_int_equal(plan(&bed, 0), ROUTE_OK);
	planned(&bed, "second");
	assert_true(health_take_trial(gateway(&bed, "second")->health));
	assert_int_equal(plan(&bed, 0), ROUTE_ALL_DOWN);
	planned(&bed, "");
	model_unref(&bed.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skipped_and_back),
		cmocka_unit_test(test_rests),
		cmocka_unit_test(test_last_resort),
	};

	log_set_level(LOG_ERROR); /* changes are logged */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
