/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the API may ask of the running switch. Runs on the API's threads; each worker writes its part
 * on its own thread and the parts are joined here. */
#include "daemon/daemon_int.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (64u << 20)

/* ---- live calls --------------------------------------------------------------------------------- */

struct list_query {
	const char *filter;
	uint64_t before_id;
	unsigned limit;
};

static int newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void collect_ids(struct worker *w, struct ask *ask)
{
	const struct list_query *query = ask->in;
	uint32_t index = 0;
	struct call *call;

	ask->out = BUF_INIT(ANSWER_MAX);
	while ((call = call_next(&w->host, &index))) {
		uint64_t id = call_id(call);

		if (query->before_id && id >= query->before_id)
			continue;
		if (call_matches(call, query->filter))
			buf_add(&ask->out, &id, sizeof(id));
	}
}

static void write_call(struct worker *w, struct ask *ask)
{
	struct call *call = call_find(&w->host, ask->number);

	ask->out = BUF_INIT(65536);
	ask->found = call != NULL;
	if (call)
		call_write_json(call, &ask->out);
}

static bool show_call(void *arg, uint64_t id, struct buf *out)
{
	struct process *p = arg;
	bool found = false;

	for (unsigned i = 0; i < p->n_workers && !found; i++) {
		struct ask ask = { .fn = write_call, .number = id };

		if (!worker_ask(&p->workers[i], &ask))
			continue;
		found = ask.found;
		if (found)
			buf_add_span(out, buf_span(&ask.out));
		buf_free(&ask.out);
	}
	return found;
}

static void list_calls(void *arg, const char *filter, uint64_t before_id, unsigned limit,
		       struct buf *out)
{
	struct process *p = arg;
	struct list_query query = { filter, before_id, limit };
	struct buf ids = BUF_INIT(ANSWER_MAX);
	uint64_t *id;
	size_t n, written = 0;

	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = collect_ids, .in = &query };

		if (worker_ask(&p->workers[i], &ask))
			buf_add_span(&ids, buf_span(&ask.out));
		buf_free(&ask.out);
	}
	n = ids.len / sizeof(*id);
	id = (uint64_t *)(void *)ids.p;
	if (n)
		qsort(id, n, sizeof(*id), newest_first);
	buf_addf(out, "{\"total\":%zu,\"calls\":[", n);
	for (size_t i = 0; i < n && written < limit; i++) {
		size_t before = out->len;

		if (written)
			buf_add_char(out, ',');
		if (show_call(p, id[i], out))
			written++;
		else
			out->len = before; /* ended meanwhile */
	}
	buf_add_str(out, "],\"next\":");
	if (n > limit && limit)
		buf_addf(out, "\"%016llx\"}", (unsigned long long)id[limit - 1]);
	else
		buf_add_str(out, "null}");
	buf_free(&ids);
}

static void end_one(struct worker *w, struct ask *ask)
{
	struct call *call = call_find(&w->host, ask->number);

	ask->found = call != NULL;
	if (call)
		call_hangup(call, ask->in);
}

static bool hangup_call(void *arg, uint64_t id, const char *who)
{
	struct process *p = arg;
	char text[128];
	struct call_end end = { .code = END_OPERATOR_HANGUP, .q850 = 31, .text = text };

	snprintf(text, sizeof(text), "ended by %s", who && who[0] ? who : "an operator");
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = end_one, .in = &end, .number = id };

		if (worker_ask(&p->workers[i], &ask) && ask.found)
			return true;
	}
	return false;
}

/* ---- status ----------------------------------------------------------------------------------------- */

struct totals {
	uint64_t calls, incoming, answered, refused, failed, unrecorded;
};

static void write_worker(struct worker *w, struct ask *ask)
{
	const struct sip_stack_stats *sip = edge_sip_stats(w->edge);
	struct call_counters *count = &w->host.counters;
	struct totals *totals = (struct totals *)ask->in;
	struct net_stats net;
	struct buf *out = &ask->out;

	net_stats(w->net, &net);
	*out = BUF_INIT(65536);
	buf_addf(out,
		 "{\"worker\":%u,\"calls\":%u,\"incoming\":%llu,\"answered\":%llu,\"refused\":%llu,"
		 "\"failed\":%llu",
		 w->index, call_host_live(&w->host), (unsigned long long)count->incoming,
		 (unsigned long long)count->answered, (unsigned long long)count->refused,
		 (unsigned long long)count->failed);
	buf_addf(out,
		 ",\"net\":{\"rx_messages\":%llu,\"tx_messages\":%llu,\"rx_dropped\":%llu,\"handed_"
		 "over\":%llu,\"hand_over_full\":%llu,"
		 "\"tx_errors\":%llu,\"icmp_errors\":%llu,\"connections\":%u,\"tls_failed\":%llu}",
		 (unsigned long long)net.rx_messages, (unsigned long long)net.tx_messages,
		 (unsigned long long)net.rx_dropped, (unsigned long long)net.handed_over,
		 (unsigned long long)net.hand_over_full, (unsigned long long)net.tx_errors,
		 (unsigned long long)net.icmp_errors, net.conns_now,
		 (unsigned long long)net.tls_failed);
	buf_addf(out,
		 ",\"sip\":{\"server_transactions\":%u,\"client_transactions\":%u,\"sessions\":%u,"
		 "\"retransmits_in\":%llu,"
		 "\"retransmits_out\":%llu,\"malformed_refused\":%llu,\"malformed_dropped\":%llu,"
		 "\"stray_responses\":%llu,"
		 "\"stray_acks\":%llu,\"merged\":%llu,\"loops\":%llu,\"timeouts\":%llu,\"transport_"
		 "errors\":%llu}}",
		 sip->stx_now, sip->ctx_now, sip->sessions_now,
		 (unsigned long long)sip->retransmits_in, (unsigned long long)sip->retransmits_out,
		 (unsigned long long)sip->malformed_refused,
		 (unsigned long long)sip->malformed_dropped,
		 (unsigned long long)sip->stray_responses, (unsigned long long)sip->stray_acks,
		 (unsigned long long)sip->merged, (unsigned long long)sip->loops,
		 (unsigned long long)sip->timeouts, (unsigned long long)sip->transport_errors);
	totals->calls += call_host_live(&w->host);
	totals->incoming += count->incoming;
	totals->answered += count->answered;
	totals->refused += count->refused;
	totals->failed += count->failed;
	totals->unrecorded += count->unrecorded;
}

static void write_journal(const struct process *p, const struct model *m, uint64_t unrecorded,
			  struct buf *out)
{
	struct journal_stats j;

	journal_stats(p->journal, &j);
	buf_addf(out,
		 ",\"journal\":{\"entries\":%llu,\"syncs\":%llu,\"waiting\":%llu,\"waiting_max\":%"
		 "llu,"
		 "\"unsettled\":%llu,\"unrecorded\":%llu",
		 (unsigned long long)j.entries, (unsigned long long)j.syncs,
		 (unsigned long long)j.waiting, (unsigned long long)m->params.journal_waiting_max,
		 (unsigned long long)j.unsettled, (unsigned long long)unrecorded);
	buf_addf(out,
		 ",\"intake_bytes\":%llu,\"overflowed\":%llu,\"sync_us_max\":%llu,\"disk_error\":%"
		 "d}",
		 (unsigned long long)j.intake_bytes, (unsigned long long)j.overflowed,
		 (unsigned long long)j.sync_us_max, j.disk_error);
}

static void status(void *arg, struct buf *out)
{
	struct process *p = arg;
	struct totals totals = { 0 };
	struct model *m = model_hub_get(p->hub);

	buf_addf(out, "{\"version\":\"%s\",\"node\":", CAUSEWAY_VERSION);
	buf_add_json(out, span_of(p->boot.node));
	buf_add_str(out, ",\"data_folder\":");
	buf_add_json(out, span_of(p->boot.data_folder));
	buf_addf(out,
		 ",\"uptime_s\":%llu,\"draining\":%s,\"config_version\":%llu,\"mapping_gateways\":%"
		 "u,\"routing_gateways\":%u,\"phones\":%u",
		 (unsigned long long)((clock_mono_us() - p->started_us) / SEC),
		 atomic_load(&p->draining) ? "true" : "false", (unsigned long long)m->version,
		 m->n_mappings, m->n_routings, m->n_phones);
	buf_add_str(out, ",\"workers\":[");
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = write_worker, .in = &totals };

		if (worker_ask(&p->workers[i], &ask)) {
			buf_add_str(out, i ? "," : "");
			buf_add_span(out, buf_span(&ask.out));
		}
		buf_free(&ask.out);
	}
	buf_addf(out,
		 "],\"calls\":%llu,\"incoming\":%llu,\"answered\":%llu,\"refused\":%llu,\"failed\":"
		 "%llu",
		 (unsigned long long)totals.calls, (unsigned long long)totals.incoming,
		 (unsigned long long)totals.answered, (unsigned long long)totals.refused,
		 (unsigned long long)totals.failed);
	write_journal(p, m, totals.unrecorded, out);
	tracing_write_status(p, out);
	collectors_write_status(p, out);
	buf_add_str(out, ",\"listen\":[");
	for (unsigned i = 0; i < p->boot.net.n_listen; i++) {
		const struct net_listen *listen = &p->boot.net.listen[i];
		char addr[NET_ADDR_TEXT];

		buf_addf(out, "%s\"%s:%s\"", i ? "," : "", net_proto_name(listen->proto),
			 net_addr_format(&listen->addr, addr));
	}
	buf_add_str(out, "]}");
	model_unref(&m);
}

static void write_outbound(struct worker *w, struct ask *ask)
{
	ask->out = BUF_INIT(ANSWER_MAX);
	edge_write_outbound(w->edge, ask->in, &ask->out);
}

static void list_registrations(void *arg, const char *name, struct buf *out)
{
	struct process *p = arg;
	struct model *m = model_hub_get(p->hub);
	struct ask ask = { .fn = write_outbound, .in = name };

	buf_add_str(out, "{\"registrations\":");
	edge_write_registrations(m, name, clock_mono_us(), out);
	if (worker_ask(&p->workers[0], &ask)) {
		buf_add_str(out, ",\"outbound\":");
		buf_add_span(out, buf_span(&ask.out));
	}
	buf_add_char(out, '}');
	buf_free(&ask.out);
	model_unref(&m);
}

static void list_suspensions(void *arg, struct buf *out)
{
	struct process *p = arg;

	buf_add_str(out, "{\"suspensions\":");
	suspensions_write(p->suspensions, clock_mono_us(), out);
	buf_add_char(out, '}');
}

static unsigned lift_suspensions(void *arg, const char *user, const char *who)
{
	struct process *p = arg;
	unsigned lifted = suspensions_lift(p->suspensions, user, clock_mono_us());

	log_info("%s lifted %u suspensions%s%s", who, lifted, user ? " of " : "", user ? user : "");
	return lifted;
}

static void collect_registers(struct worker *w, struct ask *ask)
{
	ask->out = BUF_INIT(ANSWER_MAX);
	edge_copy_register_events(w->edge, ask->in, &ask->out);
}

static void analyse_registrations(void *arg, const char *user, struct buf *out)
{
	struct process *p = arg;
	struct model *m = model_hub_get(p->hub);
	struct buf events = BUF_INIT(ANSWER_MAX);

	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = collect_registers, .in = user };

		if (worker_ask(&p->workers[i], &ask))
			buf_add_span(&events, buf_span(&ask.out));
		buf_free(&ask.out);
	}
	edge_write_register_analysis(m, user, &events, clock_utc_us(), clock_mono_us(), out);
	buf_free(&events);
	model_unref(&m);
}

/* ---- refused sources ----------------------------------------------------------------------------------- */

static void copy_sources(struct worker *w, struct ask *ask)
{
	ask->out = BUF_INIT(ANSWER_MAX);
	ask->number = edge_sources_copy(w->edge, &ask->out);
}

static void list_sources(void *arg, const char *q, unsigned limit, struct buf *out)
{
	struct process *p = arg;
	struct buf parts = BUF_INIT(ANSWER_MAX);
	struct model *m = model_hub_get(p->hub);
	struct edge_source *sources;
	uint64_t forgotten = 0;
	size_t n;

	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = copy_sources };

		if (worker_ask(&p->workers[i], &ask)) {
			buf_add_span(&parts, buf_span(&ask.out));
			forgotten += ask.number;
		}
		buf_free(&ask.out);
	}
	sources = (struct edge_source *)(void *)parts.p;
	n = edge_sources_merge(sources, parts.len / sizeof(*sources));
	edge_sources_write(sources, n, forgotten, m, q, limit, out);
	model_unref(&m);
	buf_free(&parts);
}

static void clear_of_worker(struct worker *w, struct ask *ask)
{
	ask->number = edge_sources_clear(w->edge, ask->in);
}

static int clear_sources(void *arg, const char *address)
{
	struct process *p = arg;
	union net_addr host;
	int cleared = 0;

	if (address && net_addr_parse(&host, span_of(address), 0))
		return -EINVAL;
	for (unsigned i = 0; i < p->n_workers; i++) {
		struct ask ask = { .fn = clear_of_worker, .in = address ? &host : NULL };

		if (worker_ask(&p->workers[i], &ask))
			cleared += (int)ask.number;
	}
	return cleared;
}

static void apply_model(void *arg, struct model *m)
{
	struct process *p = arg;

	model_hub_swap(p->hub, m);
	workers_nudge(p);
	settings_apply(p);
}

void control_init(struct process *p)
{
	p->api_switch = (struct api_switch){
		.arg = p,
		.node = p->boot.node,
		.hub = p->hub,
		.store = p->store,
		.journal = p->journal,
		.trace = p->trace,
		.status = status,
		.list_calls = list_calls,
		.show_call = show_call,
		.hangup_call = hangup_call,
		.list_registrations = list_registrations,
		.test_gateway = test_gateway,
		.list_sources = list_sources,
		.clear_sources = clear_sources,
		.analyse_registrations = analyse_registrations,
		.list_suspensions = list_suspensions,
		.lift_suspensions = lift_suspensions,
		.apply_model = apply_model,
	};
}
