/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a call went as it did: its verdict from the trace, or from its record alone when the trace is gone. */
#include "api/api_int.h"
#include "diag/diag.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#define FLUSH_US (1 * SEC)
#define RECORD_MAX (1u << 20)

/* The record as the note that it would have been. `json` keeps the strings. */
static bool note_of_record(const struct buf *record, json_t **json, struct trace_entry *end)
{
	static const char *const names[] = { "end_code",        "end_side",        "sip_status",
					     "mapping_gateway", "routing_gateway", "caller",
					     "callee" };

	*json = json_loadb(record->p, record->len, 0, NULL);
	if (!*json)
		return false;
	*end = (struct trace_entry){ .kind = TRACE_END };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = json_string_value(json_object_get(*json, names[i]));

		if (value)
			end->fields[end->n_fields++] =
				(struct trace_field){ names[i], span_of(value) };
	}
	end->text = span_of(json_string_value(json_object_get(*json, "end_text")));
	return true;
}

static int explain_record(const struct buf *record, struct buf *out)
{
	struct trace_entry end;
	struct trace_reading reading = { .n = 1, .entries = &end };
	json_t *json = NULL;
	int err = note_of_record(record, &json, &end) ? diag_explain(&reading, out) : -EINVAL;

	json_decref(json);
	return err;
}

static int explain_trace(struct api_request *req, uint64_t id, struct buf *out)
{
	struct trace_reading *reading;
	int err;

	if (!req->sw->trace)
		return -ENOENT;
	trace_flush(req->sw->trace, FLUSH_US);
	err = trace_read_call(req->sw->trace, id, &reading);
	if (err)
		return err;
	err = diag_explain(reading, out);
	trace_reading_free(&reading);
	return err;
}

static void fail(struct api_request *req, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	api_fail(req, 404,
		 &(struct api_problem){
			 .field = "id",
			 .value = text,
			 .remedy = "causeway trace find and causeway cdr list look for calls" },
		 "neither the trace nor the records have this call");
}

void api_explain_call(struct api_request *req)
{
	uint64_t id = api_number(req, "id");
	struct buf record = BUF_INIT(RECORD_MAX), why = BUF_INIT(RECORD_MAX);
	bool recorded = store_show_cdr(req->sw->store, id, &record) == 0 && !record.failed;
	bool traced = explain_trace(req, id, &why) == 0;

	if (!traced && recorded) {
		buf_reset(&why);
		traced = explain_record(&record, &why) == 0;
	}
	if (!traced) {
		fail(req, id);
	} else {
		api_json_open(&req->out, NULL, '{');
		api_json_call_id(&req->out, "call_id", id);
		buf_add_str(&req->out, ",\"record\":");
		if (recorded)
			buf_add_span(&req->out, buf_span(&record));
		else
			buf_add_str(&req->out, "null");
		buf_add_char(&req->out, ',');
		buf_add_span(&req->out, buf_span(&why));
		api_json_close(&req->out, '}');
	}
	buf_free(&record);
	buf_free(&why);
}
