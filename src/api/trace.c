/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trace for people: finding calls, everything of one, as JSON and as a file. Before anything is read the lanes are emptied, so
 * a call that is up is shown up to now. */
#include "api/api_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_US (1 * SEC)
#define EXPORT_CALLS_MAX 5000
#define EXPORT_BYTES_MAX (128u << 20)
#define OBJECT_NOTES_MAX 200
#define PRODUCT "Causeway " CAUSEWAY_VERSION

/* ---- what all need -------------------------------------------------------------------------------------- */

void api_fail_no_trace(struct api_request *req)
{
	api_fail(req, 503, &(struct api_problem){ .remedy = "the log of its start says why" },
		 "this switch runs without a trace");
}

/* NULL: there is none and the request has failed. */
static struct trace *flushed_trace(struct api_request *req)
{
	if (!req->sw->trace)
		api_fail_no_trace(req);
	else
		trace_flush(req->sw->trace, FLUSH_US);
	return req->sw->trace;
}

static void fail_reading(struct api_request *req, int err, const char *field, const char *value)
{
	char text[128];

	if (err == -ENOENT)
		api_fail(req, 404,
			 &(struct api_problem){
				 .field = field,
				 .value = value,
				 .remedy = "it may have aged, or the trace was off: causeway trace "
					   "status says what is "
					   "kept; causeway trace find looks for calls" },
			 "nothing of it is left in the trace");
	else
		api_fail(req, 503, &(struct api_problem){ .field = field, .value = value },
			 "the trace cannot be read: %s", strerror_r(-err, text, sizeof(text)));
}

static void fail_reading_call(struct api_request *req, int err, uint64_t call)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, call);
	fail_reading(req, err, "id", text);
}

/* ---- finding ---------------------------------------------------------------------------------------------- */

static struct trace_query query_of(const struct api_request *req)
{
	return (struct trace_query){ .from_us = api_number(req, "since"),
				     .to_us = api_number(req, "until"),
				     .sip_call_id = span_of(api_text(req, "sip_call_id")),
				     .number = span_of(api_text(req, "number")),
				     .gateway = span_of(api_text(req, "gateway")),
				     .account = span_of(api_text(req, "account")),
				     .end_code = span_of(api_text(req, "code")),
				     .address = span_of(api_text(req, "address")),
				     .failed_only = api_number(req, "failed"),
				     .before_call = api_number(req, "before") };
}

struct listing {
	struct buf *out;
	unsigned limit, n;
	uint64_t last;
	bool more;
};

static void write_text(struct buf *out, const char *key, const char *value)
{
	if (value[0])
		api_json_text(out, key, value);
}

static void write_time(struct buf *out, const char *key, uint64_t utc_us)
{
	char text[32];

	if (utc_us)
		api_json_text(out, key, clock_format(utc_us, text, sizeof(text)));
}

static void write_call(struct buf *out, const struct trace_call *call)
{
	api_json_open(out, NULL, '{');
	api_json_call_id(out, "call_id", call->call);
	write_time(out, "started", call->started_us);
	write_time(out, "answered", call->answered_us);
	write_time(out, "ended", call->ended_us);
	write_text(out, "caller_in", call->caller_in);
	write_text(out, "callee_in", call->callee_in);
	write_text(out, "caller", call->caller);
	write_text(out, "callee", call->callee);
	write_text(out, "caller_out", call->caller_out);
	write_text(out, "callee_out", call->callee_out);
	write_text(out, "mapping_gateway", call->mapping_gateway);
	write_text(out, "routing_gateway", call->routing_gateway);
	write_text(out, "account", call->account);
	write_text(out, "vendor_account", call->vendor_account);
	write_text(out, "caller_addr", call->caller_addr);
	write_text(out, "callee_addr", call->callee_addr);
	if (call->sip_status)
		api_json_number(out, "sip_status", call->sip_status);
	write_text(out, "end_code", call->end_code);
	write_text(out, "text", call->text);
	api_json_bool(out, "pinned", call->pinned);
	api_json_close(out, '}');
}

static void list_call(void *arg, const struct trace_call *call)
{
	struct listing *l = arg;

	if (l->n == l->limit) {
		l->more = true;
		return;
	}
	write_call(l->out, call);
	l->last = call->call;
	l->n++;
}

void api_get_trace_calls(struct api_request *req)
{
	struct listing l = { .out = &req->out, .limit = (unsigned)api_number(req, "limit") };
	struct trace_query query = query_of(req);
	struct trace *trace = flushed_trace(req);
	int err;

	if (!trace)
		return;
	query.limit = l.limit + 1; /* one more tells whether there is another page */
	api_json_open(&req->out, NULL, '{');
	api_json_open(&req->out, "calls", '[');
	err = trace_find(trace, &query, list_call, &l);
	if (err < 0) {
		fail_reading(req, err, NULL, NULL);
		return;
	}
	api_json_close(&req->out, ']');
	api_json_call_id(&req->out, "next", l.more ? l.last : 0);
	api_json_close(&req->out, '}');
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static void write_reading(struct api_request *req, struct trace_reading *reading)
{
	api_json_open(&req->out, NULL, '{');
	api_write_trace_entries(&req->out, "entries", reading, api_number(req, "mask"));
	api_json_number(&req->out, "bytes_read", (int64_t)reading->bytes_read);
	api_json_close(&req->out, '}');
	trace_reading_free(&reading);
}

void api_get_trace_call(struct api_request *req)
{
	uint64_t id = api_number(req, "id");
	struct trace *trace = flushed_trace(req);
	struct trace_reading *reading;
	int err;

	if (!trace)
		return;
	err = trace_read_call(trace, id, &reading);
	if (err)
		fail_reading_call(req, err, id);
	else
		write_reading(req, reading);
}

void api_get_trace_sip(struct api_request *req)
{
	const char *id = api_text(req, "sip_call_id");
	struct trace *trace = flushed_trace(req);
	struct trace_reading *reading;
	int err;

	if (!trace)
		return;
	err = trace_read_sip(trace, span_of(id), &reading);
	if (err)
		fail_reading(req, err, "sip_call_id", id);
	else
		write_reading(req, reading);
}

void api_get_trace_object(struct api_request *req)
{
	const char *name = api_text(req, "name");
	struct trace *trace = flushed_trace(req);
	struct trace_reading *reading;
	int err;

	if (!trace)
		return;
	err = trace_read_object(trace, span_of(name), api_number(req, "since"),
				(unsigned)api_number(req, "limit"), &reading);
	if (err)
		fail_reading(req, err, "name", name);
	else
		write_reading(req, reading);
}

void api_write_trace_of_user(const struct api_switch *sw, const char *user, struct buf *out)
{
	struct trace_reading *reading;

	if (!sw->trace)
		return;
	trace_flush(sw->trace, FLUSH_US);
	if (trace_read_object(sw->trace, span_of(user), 0, OBJECT_NOTES_MAX, &reading) != 0)
		return;
	api_write_trace_entries(out, "trace", reading, false);
	trace_reading_free(&reading);
}

/* ---- files -------------------------------------------------------------------------------------------------- */

/* "06a1f3c2d4000001: 4930123456 to 8801712345678: USER_BUSY 486: the callee is busy" of the note that ended the call. */
static void describe(const struct trace_reading *reading, struct buf *out)
{
	const struct trace_entry *end = NULL;

	for (unsigned i = 0; i < reading->n; i++)
		if (reading->entries[i].kind == TRACE_END ||
		    (reading->entries[i].kind == TRACE_CALL && !end))
			end = &reading->entries[i];
	if (!end)
		return;
	buf_addf(out, "call %016" PRIx64 ": ", end->call);
	buf_add_span(out, trace_entry_field(end, "caller"));
	buf_add_str(out, " to ");
	buf_add_span(out, trace_entry_field(end, "callee"));
	if (end->kind == TRACE_END) {
		buf_add_str(out, ": ");
		buf_add_span(out, trace_entry_field(end, "end_code"));
		buf_add_char(out, ' ');
		buf_add_span(out, trace_entry_field(end, "sip_status"));
		buf_add_str(out, end->text.len ? ": " : "");
		buf_add_span(out, end->text);
	}
}

/* Calls that were found, and then what was read of each. */
struct gathering {
	uint64_t ids[EXPORT_CALLS_MAX + 1];
	struct trace_reading *readings[EXPORT_CALLS_MAX];
	unsigned n_ids, n_readings, n_entries;
	uint64_t bytes;
};

static int by_time(const void *a, const void *b)
{
	const struct trace_entry *x = *(const struct trace_entry *const *)a,
				 *y = *(const struct trace_entry *const *)b;

	if (x->utc_us != y->utc_us)
		return x->utc_us < y->utc_us ? -1 : 1;
	return x < y ? -1 : x > y; /* within a reading: its own order */
}

/* All that was gathered, in order of time. */
static void write_file(struct api_request *req, struct gathering *g)
{
	const struct trace_entry **entries =
		calloc(g->n_entries + 1, sizeof(const struct trace_entry *));
	struct buf comment = BUF_INIT(2048);
	unsigned n = 0;

	for (unsigned r = 0; entries && r < g->n_readings; r++)
		for (unsigned i = 0; i < g->readings[r]->n; i++)
			entries[n++] = &g->readings[r]->entries[i];
	if (g->n_readings == 1)
		describe(g->readings[0], &comment);
	if (entries) {
		qsort(entries, n, sizeof(*entries), by_time);
		trace_export_begin(&req->out, PRODUCT, buf_span(&comment));
		trace_export(&req->out, entries, n, api_number(req, "mask"));
	} else {
		req->out.failed = true;
	}
	buf_free(&comment);
	free(entries);
}

static int gather(struct gathering *g, struct trace *trace, uint64_t id)
{
	struct trace_reading *reading;
	int err = trace_read_call(trace, id, &reading);

	if (err)
		return err;
	g->readings[g->n_readings++] = reading;
	g->n_entries += reading->n;
	for (unsigned i = 0; i < reading->n; i++)
		g->bytes += sizeof(reading->entries[i]) + reading->entries[i].text.len;
	return 0;
}

static void gathering_free(struct gathering *g)
{
	for (unsigned r = 0; r < g->n_readings; r++)
		trace_reading_free(&g->readings[r]);
	free(g);
}

static struct gathering *gathering_new(struct api_request *req)
{
	struct gathering *g = calloc(1, sizeof(*g));

	if (!g)
		api_fail(req, 503, NULL, "no memory to gather what is exported");
	return g;
}

void api_get_trace_call_file(struct api_request *req)
{
	uint64_t id = api_number(req, "id");
	struct trace *trace = flushed_trace(req);
	struct gathering *g = trace ? gathering_new(req) : NULL;
	int err;

	if (!g)
		return;
	err = gather(g, trace, id);
	if (err)
		fail_reading_call(req, err, id);
	else
		write_file(req, g);
	gathering_free(g);
}

static void gather_id(void *arg, const struct trace_call *call)
{
	struct gathering *g = arg;

	if (g->n_ids < ARRAY_SIZE(g->ids))
		g->ids[g->n_ids++] = call->call;
}

static void fail_export(struct api_request *req, const char *field, const char *limit,
			const char *sentence)
{
	api_fail(req, 413,
		 &(struct api_problem){ .field = field,
					.limit = limit,
					.remedy = "narrow it by since, until, number or gateway, "
						  "or set a lower limit and page on "
						  "with before" },
		 "%s", sentence);
}

/* False: the request has failed. */
static bool gather_all(struct api_request *req, struct trace *trace, struct gathering *g)
{
	char limit[32];
	int err;

	snprintf(limit, sizeof(limit), "%u MiB", EXPORT_BYTES_MAX >> 20);
	for (unsigned i = 0; i < g->n_ids; i++) {
		err = gather(g, trace, g->ids[i]);
		if (err && err != -ENOENT) { /* that one has aged meanwhile */
			fail_reading_call(req, err, g->ids[i]);
			return false;
		}
		if (g->bytes > EXPORT_BYTES_MAX) {
			fail_export(req, "limit", limit, "the calls hold more than one export may");
			return false;
		}
	}
	return true;
}

void api_get_trace_file(struct api_request *req)
{
	struct trace_query query = query_of(req);
	struct trace *trace = flushed_trace(req);
	struct gathering *g = trace ? gathering_new(req) : NULL;
	unsigned limit = (unsigned)api_number(req, "limit");
	char text[32];
	int err;

	if (!g)
		return;
	query.limit = api_given(req, "limit") ? limit : limit + 1;
	snprintf(text, sizeof(text), "%u calls", limit);
	err = trace_find(trace, &query, gather_id, g);
	if (err < 0)
		fail_reading(req, err, NULL, NULL);
	else if (!g->n_ids)
		fail_reading(req, -ENOENT, NULL, NULL);
	else if (g->n_ids > limit && !api_given(req, "limit"))
		fail_export(req, "limit", text,
			    "these are more calls than go into one file unless a limit is given");
	else if (gather_all(req, trace, g))
		write_file(req, g);
	gathering_free(g);
}

/* ---- pins --------------------------------------------------------------------------------------------------- */

static void pin(struct api_request *req, bool on)
{
	uint64_t id = api_number(req, "id");
	struct trace *trace = flushed_trace(req);
	int err;

	if (!trace)
		return;
	err = trace_pin(trace, id, on);
	if (err) {
		fail_reading_call(req, err, id);
		return;
	}
	api_json_open(&req->out, NULL, '{');
	api_json_call_id(&req->out, "call_id", id);
	api_json_bool(&req->out, "pinned", on);
	api_json_close(&req->out, '}');
}

void api_pin_trace(struct api_request *req)
{
	pin(req, true);
}

void api_unpin_trace(struct api_request *req)
{
	pin(req, false);
}

/* ---- how it stands -------------------------------------------------------------------------------------------- */

static void write_usage(struct buf *out, const char *key, const struct trace_usage *usage)
{
	api_json_open(out, key, '{');
	api_json_number(out, "bytes", (int64_t)usage->bytes);
	api_json_number(out, "budget_bytes", (int64_t)usage->budget_bytes);
	api_json_number(out, "segments", usage->segments);
	write_time(out, "oldest", usage->oldest_us);
	write_time(out, "newest", usage->newest_us);
	api_json_close(out, '}');
}

void api_get_trace_status(struct api_request *req)
{
	struct trace_status status;
	struct buf *out = &req->out;
	char text[128];

	if (!flushed_trace(req))
		return;
	trace_status(req->sw->trace, &status);
	api_json_open(out, NULL, '{');
	api_json_bool(out, "on", status.on);
	write_time(out, "until", status.until_us);
	api_json_number(out, "messages", (int64_t)status.messages);
	api_json_number(out, "notes", (int64_t)status.notes);
	api_json_number(out, "bytes", (int64_t)status.bytes);
	api_json_number(out, "waiting_bytes", (int64_t)status.waiting_bytes);
	api_json_number(out, "dropped_full", (int64_t)status.dropped_full);
	api_json_number(out, "dropped_disk", (int64_t)status.dropped_disk);
	if (status.disk_error)
		api_json_text(out, "disk_error", strerror_r(status.disk_error, text, sizeof(text)));
	write_usage(out, "calls", &status.calls);
	write_usage(out, "registrations", &status.registrations);
	write_usage(out, "kept", &status.kept);
	api_json_number(out, "aged_calls", (int64_t)status.aged_calls);
	api_json_number(out, "kept_calls", (int64_t)status.kept_calls);
	api_json_close(out, '}');
}
