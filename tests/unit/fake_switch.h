/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A running switch as the API sees one, for tests: a real hub, a real store in a folder of its own, two
 * ended calls in it, and two live calls that never were. */
#ifndef CAUSEWAY_FAKE_SWITCH_H
#define CAUSEWAY_FAKE_SWITCH_H

#include "api/api.h"
#include "fake_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIVE_A 0x06a1f3c2d4000001ull
#define LIVE_B 0x06a1f3c2d4000002ull
#define ENDED_GOOD 0x06a1f3c2d3000001ull
#define ENDED_BAD 0x06a1f3c2d3000002ull
#define STARTED 1763800000000000ull	/* 2025-11-22T08:26:40Z */

struct fake_switch {
	struct model_hub *hub;
	struct store *store;
	struct trace *trace;
	char folder[64];
	uint64_t hung_up;
	char who[64];
	unsigned applied;
	atomic_int testing;		/* gateways being tested: each test lasts while `held` */
	atomic_bool held;
	struct api_switch sw;
};

static void fake_status(void *arg, struct buf *out)
{
	struct fake_switch *fake = arg;

	buf_addf(out, "{\"version\":\"0.1.0\",\"uptime_s\":75,\"calls\":2,\"draining\":false,\"config_version\":%" PRIu64
		 ",\"workers\":[{\"worker\":0,\"calls\":2}],\"trace\":{\"on\":true,\"dropped_full\":0,"
		 "\"dropped_disk\":12,\"disk_error\":28}}", model_hub_version(fake->hub));
}

static void fake_call(struct buf *out, uint64_t id)
{
	buf_addf(out, "{\"call_id\":\"%016" PRIx64 "\",\"state\":\"talk\",\"started\":\"2026-11-22T10:45:30.123456Z\","
		 "\"caller_in\":\"3161\\u001b[31m\",\"callee_in\":\"8801712345678\",\"mapping_gateway\":\"acme-in\","
		 "\"routing_gateway\":\"a-1\",\"talk_s\":75}", id);
}

static void fake_list_calls(void *arg, const char *filter, uint64_t before_id, unsigned limit, struct buf *out)
{
	static const uint64_t live[] = { LIVE_B, LIVE_A };
	uint64_t next = 0;
	unsigned n = 0;

	buf_add_str(out, "{\"calls\":[");
	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		if ((before_id && live[i] >= before_id) || (filter[0] && !strstr("acme-in a-1 8801712345678", filter)))
			continue;
		if (n == limit) {
			next = live[i - 1];
			break;
		}
		buf_add_str(out, n++ ? "," : "");
		fake_call(out, live[i]);
	}
	if (next)
		buf_addf(out, "],\"next\":\"%016" PRIx64 "\"}", next);
	else
		buf_add_str(out, "],\"next\":null}");
}

static bool fake_show_call(void *arg, uint64_t id, struct buf *out)
{
	if (id != LIVE_A && id != LIVE_B)
		return false;
	fake_call(out, id);
	return true;
}

static bool fake_hangup_call(void *arg, uint64_t id, const char *who)
{
	struct fake_switch *fake = arg;

	if (id != LIVE_A && id != LIVE_B)
		return false;
	fake->hung_up = id;
	snprintf(fake->who, sizeof(fake->who), "%s", who);
	return true;
}

static void fake_list_registrations(void *arg, const char *name, struct buf *out)
{
	if (name && strcmp(name, "1001") != 0) {
		buf_add_str(out, "{\"registrations\":[]}");
		return;
	}
	buf_add_str(out, "{\"registrations\":[{\"number\":\"1001\",\"account\":\"acme\",\"contact\":\"sip:1001@127.0.0.9:5062\","
			 "\"user_agent\":\"Phone/1\",\"registered_at\":\"2026-11-22T10:45:30.123456Z\",\"expires_in_s\":250}]}");
}

static void fake_list_sources(void *arg, const char *q, unsigned limit, struct buf *out)
{
	bool wanted = limit && (!q || strstr("203.0.113.9", q));

	buf_addf(out, "{\"total\":1,\"forgotten\":0,\"sources\":[%s]}",
		 wanted ? "{\"address\":\"203.0.113.9\",\"port\":5071,\"transport\":\"UDP\",\"count\":7,\"end_code\":"
			  "\"SOURCE_NOT_AUTHORISED\",\"sip_status\":403,\"first\":\"2026-11-22T10:45:30.123456Z\",\"last\":"
			  "\"2026-11-22T10:46:30.123456Z\",\"user_agent\":\"friendly\\u001b[31mscanner\",\"nearest\":"
			  "\"acme-in lists 203.0.113.8\"}" : "");
}

static int fake_clear_sources(void *arg, const char *address)
{
	return !address ? 3 : strcmp(address, "203.0.113.9") == 0 ? 1 : -EINVAL;
}

static void fake_analyse(void *arg, const char *user, struct buf *out)
{
	buf_add_str(out, "{\"devices\":[{\"user\":\"1002\",\"reason\":\"WRONG_PASSWORD\",\"failed\":true,\"sentence\":"
			 "\"1002 from 127.0.0.9: Its password is wrong.\",\"fix\":\"Set the same password.\",\"failures\":2,"
			 "\"exchanges\":[{\"time\":\"2026-11-22T10:45:30.123456Z\",\"source\":\"127.0.0.9:5060\",\"status\":403,"
			 "\"reason\":\"WRONG_PASSWORD\",\"times\":2}]}]}");
}

static void fake_list_suspensions(void *arg, struct buf *out)
{
	buf_add_str(out, "{\"suspensions\":[{\"user\":\"1002\",\"source\":\"127.0.0.9\",\"kind\":\"registrations\",\"failures\":6,"
			 "\"left_s\":170}]}");
}

static unsigned fake_lift_suspensions(void *arg, const char *user, const char *who)
{
	return !user || strcmp(user, "1002") == 0;
}

static void fake_apply(void *arg, struct model *m)
{
	struct fake_switch *fake = arg;

	fake->applied++;
	model_hub_swap(fake->hub, m);
}

static bool fake_test_gateway(void *arg, const char *name, struct buf *out)
{
	struct fake_switch *fake = arg;

	atomic_fetch_add(&fake->testing, 1);
	while (atomic_load(&fake->held))
		usleep(1000);
	buf_addf(out, "{\"gateway\":\"%s\",\"alive\":true,\"health\":{\"state\":\"up\",\"text\":\"up\"},\"dns\":[],"
		 "\"options\":{\"sent\":5,\"answered\":5},\"sentence\":\"%s answers in 12 ms\"}", name, name);
	atomic_fetch_sub(&fake->testing, 1);
	return true;
}

static const char fake_yaml[] =
	"version: 1\n"
	"parameters: { ringing_timeout: 90s }\n"
	"accounts:\n"
	"  - { name: acme, kind: customer, balance: \"100.00\" }\n"
	"  - { name: carrier-a, kind: vendor }\n"
	"gateway_groups: [ { name: eu, line_limit: 20 } ]\n"
	"mapping_gateways:\n"
	"  - { name: acme-in, account: acme, addresses: [ \"127.0.0.2\" ], line_limit: 100 }\n"
	"  - { name: bravo-in, auth: digest, addresses: [ \"127.0.0.8\" ], user: bravo, password: \"hidden-b\" }\n"
	"routing_gateways:\n"
	"  - { name: a-1, account: carrier-a, address: \"127.0.0.3:5060\", prefixes: [ \"880\" ], priority: 1, line_limit: 10, groups: [ eu ], user: us, password: \"hidden-a\" }\n"
	"  - { name: b-1, address: \"127.0.0.4:5060\", prefixes: [ \"\" ], priority: 5, protect: true, line_limit: 9,\n"
	"      scheduled_line_limits: [ { from: \"02:00\", to: \"04:00\", line_limit: 7 } ] }\n"
	"phones:\n"
	"  - { number: \"1001\", account: acme, password: \"hidden-p\" }\n"
	"  - { number: \"1002\", account: acme, password: \"hidden-p\" }\n"
	"  - { number: \"1003\", account: acme, password: \"hidden-p\" }\n";

static void fake_record(struct fake_switch *fake, enum cdr_kind kind, const struct cdr *cdr)
{
	struct cdr_entry *entry = cdr_encode(kind, cdr);

	if (!entry || store_sink(fake->store, entry, 1) != 0)
		abort();
	free(entry);
}

static void fake_records(struct fake_switch *fake)
{
	struct cdr cdr = {
		.call_id = ENDED_GOOD, .caller_in = "3161", .callee_in = "8801712345678", .caller = "3161", .callee = "8801712345678",
		.mapping_gateway = "acme-in", .routing_gateway = "a-1", .account = "acme", .started = STARTED,
		.answered = STARTED + 5 * SEC, .ended = STARTED + 80 * SEC, .talk_us = 75 * SEC, .end_code = "NORMAL",
		.end_side = "caller", .sip_status = 200, .q850 = 16, .attempts = 1, .caller_call_id = "one@127.0.0.2",
	};

	fake_record(fake, CDR_END, &cdr);
	cdr.attempt = 1;
	fake_record(fake, CDR_ATTEMPT, &cdr);
	cdr.call_id = ENDED_BAD;
	cdr.attempt = 0;
	cdr.answered = cdr.talk_us = 0;
	cdr.started += 60 * SEC;
	cdr.end_code = "NO_ANSWER";
	cdr.sip_status = 480;
	cdr.q850 = 19;
	cdr.caller_call_id = "two@127.0.0.2";
	fake_record(fake, CDR_END, &cdr);
	cdr.attempt = 1;
	fake_record(fake, CDR_ATTEMPT, &cdr);
}

static void fake_open(struct fake_switch *fake)
{
	struct model_error errors[4];
	struct model *m = NULL;
	char why[512];

	*fake = (struct fake_switch){ .folder = "/tmp/causeway-api-XXXXXX" };
	if (!mkdtemp(fake->folder) || store_open(&fake->store, "sqlite:test.db", fake->folder, why, sizeof(why)) != 0 ||
	    model_read_yaml(&m, SPAN(fake_yaml), errors, ARRAY_SIZE(errors)) != 0)
		abort();
	fake->hub = model_hub_new();
	model_hub_swap(fake->hub, m);
	fake_records(fake);
	fake->trace = fake_trace_open(fake->folder, ENDED_GOOD, ENDED_BAD, STARTED);
	fake->sw = (struct api_switch){
		.arg = fake, .hub = fake->hub, .store = fake->store, .status = fake_status, .list_calls = fake_list_calls,
		.show_call = fake_show_call, .hangup_call = fake_hangup_call, .list_registrations = fake_list_registrations,
		.analyse_registrations = fake_analyse,
		.list_suspensions = fake_list_suspensions, .lift_suspensions = fake_lift_suspensions,
		.list_sources = fake_list_sources, .clear_sources = fake_clear_sources,
		.trace = fake->trace, .test_gateway = fake_test_gateway, .apply_model = fake_apply,
	};
}

static void fake_close(struct fake_switch *fake)
{
	static const char *const ends[] = { "test.db", "test.db-wal", "test.db-shm" };
	char name[128];

	trace_close(&fake->trace);
	snprintf(name, sizeof(name), "rm -rf '%s/trace'", fake->folder);
	if (system(name) != 0)
		abort();
	store_close(&fake->store);
	model_hub_free(&fake->hub);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s/%s", fake->folder, ends[i]);
		unlink(name);
	}
	rmdir(fake->folder);
}

#endif
