/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What records cost: CPU time a call (one ANSWER, one ATTEMPT, one END, all fields filled) from encoding until
 * the database has it, over all threads.
 *   bench_cdr [CALLS [CALLS_PER_SECOND [FOLDER]]]     0 a second = as fast as it goes */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SEC +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void add_call(struct journal *j, uint64_t now)
{
	char caller[32], callee[32], callee_out[40], a_id[64], b_id[64];
	struct cdr cdr = {
		.call_id = call_id_next(rng_below(2), now),
		.attempt = 1,
		.node = "node-1",
		.caller_in = caller,
		.callee_in = callee_out,
		.caller = caller,
		.callee = callee,
		.caller_out = caller,
		.callee_out = callee_out,
		.caller_addr = "203.0.113.17:5060",
		.callee_addr = "198.51.100.4:5060",
		.caller_media = "203.0.113.17:18342",
		.callee_media = "198.51.100.4:40012",
		.caller_codec = "PCMA",
		.callee_codec = "PCMU",
		.mapping_gateway = "acme-in",
		.routing_gateway = "carrier-a-1",
		.account = "acme",
		.vendor_account = "carrier-a",
		.caller_call_id = a_id,
		.callee_call_id = b_id,
		.caller_product = "Some PBX 13.27.0 (Linux)",
		.callee_product = "Carrier SBC 9.2",
		.caller_proto = "sip/UDP",
		.callee_proto = "sip/UDP",
		.started = now,
		.first_response = now + 20000,
		.ringing = now + 900000,
		.answered = now + 4000000,
		.ended = now + 64000000,
		.talk_us = 60000000,
		.pdd_us = 900000,
		.end_code = "NORMAL",
		.end_side = "caller",
		.sip_status = 200,
		.q850 = 16,
		.reason = "Q.850;cause=16;text=\"Normal call clearing\"",
		.end_text = "The caller hung up after 60.0 s (BYE on leg A).",
		.attempts = 1,
		.candidates = "carrier-a-1: taken, prefix 880, priority 1\ncarrier-b-1: prefix 88, "
			      "priority 5\n"
			      "carrier-c-1: passed over, line limit 100 reached",
	};

	snprintf(caller, sizeof(caller), "49301%07u", rng_below(10000000));
	snprintf(callee, sizeof(callee), "8801%08u", rng_below(100000000));
	snprintf(callee_out, sizeof(callee_out), "9#%s", callee);
	snprintf(a_id, sizeof(a_id), "%016llx%08x@203.0.113.17", (unsigned long long)rng_u64(),
		 rng_u32());
	snprintf(b_id, sizeof(b_id), "0%016llx%08x", (unsigned long long)rng_u64(), rng_u32());
	journal_add(j, 0, cdr_encode(CDR_ANSWER, &cdr));
	journal_add(j, 0, cdr_encode(CDR_ATTEMPT, &cdr));
	journal_add(j, 0, cdr_encode(CDR_END, &cdr));
}

static void pace(uint64_t started, unsigned i, unsigned per_second)
{
	uint64_t due = started + i * SEC / per_second, now = clock_mono_us();

	if (due > now)
		usleep((useconds_t)(due - now));
}

static void report(struct journal *j, unsigned calls, uint64_t cpu, uint64_t took)
{
	struct journal_stats stats;

	journal_stats(j, &stats);
	printf("%u calls in %llu ms: %llu.%02llu us CPU a call; %llu syncs, longest %llu us, %llu "
	       "bytes a call\n",
	       calls, (unsigned long long)took / 1000, (unsigned long long)(cpu / calls),
	       (unsigned long long)(cpu * 100 / calls % 100), (unsigned long long)stats.syncs,
	       (unsigned long long)stats.sync_us_max, (unsigned long long)(stats.bytes / calls));
}

static int sink_nothing(void *arg, struct cdr_entry *entries, unsigned n)
{
	return 0;
}

static int run(const char *folder, struct store *store, unsigned calls, unsigned per_second)
{
	struct journal_config config = { .folder = folder,
					 .segment_bytes = 64 << 20,
					 .sync_us = 10000,
					 .lanes = 1,
					 .lane_bytes = 4 << 20,
					 .sink = store ? store_sink : sink_nothing,
					 .arg = store };
	uint64_t cpu, started;
	struct journal *j;
	char why[256];

	if (journal_open(&j, &config, NULL, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	cpu = cpu_us();
	started = clock_mono_us();
	for (unsigned i = 0; i < calls; i++) {
		if (per_second)
			pace(started, i, per_second);
		add_call(j, clock_utc_us());
	}
	journal_flush(j, 600 * SEC);
	report(j, calls, cpu_us() - cpu, clock_mono_us() - started);
	journal_close(&j);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned calls = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
	unsigned per_second = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	char folder[128], name[256], why[256];
	struct store *store;

	snprintf(folder, sizeof(folder), "%s/causeway-bench-XXXXXX", argc > 3 ? argv[3] : "/tmp");
	if (calls == 0 || !mkdtemp(folder))
		return 2;
	if (store_open(&store, "sqlite:bench.db", folder, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	snprintf(name, sizeof(name), "%s/journal", folder);
	printf("journal alone: ");
	fflush(stdout);
	if (run(name, NULL, calls, per_second))
		return 1;
	printf("with SQLite:   ");
	fflush(stdout);
	if (run(name, store, calls, per_second))
		return 1;
	store_close(&store);
	snprintf(name, sizeof(name), "rm -r %s", folder);
	return system(name) ? 1 : 0;
}
