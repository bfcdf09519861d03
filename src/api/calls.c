/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The switch's state, live calls, registrations, records of ended calls and the audit. What is live the
 * switch itself writes; what is kept comes from the store. */
#include "api/api_int.h"

#include <inttypes.h>
#include <stdio.h>

void api_get_status(struct api_request *req)
{
	req->sw->status(req->sw->arg, &req->out);
}

void api_get_openapi(struct api_request *req)
{
	api_write_openapi(&req->out);
}

void api_get_registrations(struct api_request *req)
{
	req->sw->list_registrations(req->sw->arg, NULL, &req->out);
}

void api_get_registration(struct api_request *req)
{
	req->sw->list_registrations(req->sw->arg, api_text(req, "name"), &req->out);
}

void api_analyse_registrations(struct api_request *req)
{
	const char *user = api_text(req, "user");

	req->sw->analyse_registrations(req->sw->arg, user ? user : "", &req->out);
	if (!user || !req->out.len)
		return;
	req->out.len--; /* the object is open again */
	api_write_trace_of_user(req->sw, user, &req->out);
	api_json_close(&req->out, '}');
}

void api_get_sources(struct api_request *req)
{
	req->sw->list_sources(req->sw->arg, api_text(req, "q"), (unsigned)api_number(req, "limit"),
			      &req->out);
}

void api_delete_sources(struct api_request *req)
{
	const char *address = api_text(req, "address");
	int cleared = req->sw->clear_sources(req->sw->arg, address);

	if (cleared < 0) {
		api_fail(req, 400,
			 &(struct api_problem){
				 .field = "address",
				 .value = address,
				 .remedy = "write 203.0.113.9 or 2001:db8::9, without a port" },
			 "this is no address");
		return;
	}
	api_json_open(&req->out, NULL, '{');
	api_json_number(&req->out, "cleared", cleared);
	api_json_close(&req->out, '}');
}

void api_get_suspensions(struct api_request *req)
{
	req->sw->list_suspensions(req->sw->arg, &req->out);
}

void api_delete_suspensions(struct api_request *req)
{
	const char *user = api_text(req, "user");

	api_json_open(&req->out, NULL, '{');
	api_json_number(&req->out, "lifted",
			req->sw->lift_suspensions(req->sw->arg, user, req->who));
	api_json_close(&req->out, '}');
}

void api_get_calls(struct api_request *req)
{
	const char *filter = api_text(req, "filter");

	req->sw->list_calls(req->sw->arg, filter ? filter : "", api_number(req, "before"),
			    (unsigned)api_number(req, "limit"), &req->out);
}

static void fail_no_call(struct api_request *req, uint64_t id, const char *what, const char *remedy)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	api_fail(req, 404, &(struct api_problem){ .field = "id", .value = text, .remedy = remedy },
		 "%s", what);
}

void api_get_call(struct api_request *req)
{
	uint64_t id = api_number(req, "id");

	if (!req->sw->show_call(req->sw->arg, id, &req->out))
		fail_no_call(req, id, "no live call has this id",
			     "if it has ended: causeway cdr show ID");
}

void api_delete_call(struct api_request *req)
{
	uint64_t id = api_number(req, "id");

	if (!req->sw->hangup_call(req->sw->arg, id, req->who)) {
		fail_no_call(req, id, "no live call has this id",
			     "it may have ended: causeway cdr show ID");
		return;
	}
	req->status = 202;
	api_json_open(&req->out, NULL, '{');
	api_json_call_id(&req->out, "call_id", id);
	api_json_bool(&req->out, "hanging_up", true);
	api_json_close(&req->out, '}');
}

static void fail_store(struct api_request *req, int err)
{
	char text[128];

	api_fail(req, 503,
		 &(struct api_problem){ .remedy = "the log says what the database complains of; "
						  "calls go on meanwhile" },
		 "the records cannot be read: %s", strerror_r(-err, text, sizeof(text)));
}

static bool check_span_of_time(struct api_request *req, const struct cdr_filter *filter)
{
	if (!filter->until_us || filter->since_us < filter->until_us)
		return true;
	api_fail(req, 400,
		 &(struct api_problem){ .field = "until",
					.value = api_text(req, "until"),
					.limit = "after since" },
		 "the span of time is empty");
	return false;
}

void api_get_cdrs(struct api_request *req)
{
	struct cdr_filter filter = {
		.since_us = api_number(req, "since"),
		.until_us = api_number(req, "until"),
		.number = api_text(req, "number"),
		.gateway = api_text(req, "gateway"),
		.account = api_text(req, "account"),
		.code = api_text(req, "code"),
		.sip_call_id = api_text(req, "sip_call_id"),
		.answered = api_given(req, "answered") ? (int)api_number(req, "answered") : -1,
		.before_id = api_number(req, "before"),
		.limit = (unsigned)api_number(req, "limit"),
	};
	struct near near;
	uint64_t next = 0;
	int err;

	if (!check_span_of_time(req, &filter))
		return;
	if (filter.code && end_code_find(span_of(filter.code)) == END_NONE) {
		near_start(&near, span_of(filter.code));
		for (int code = END_NONE + 1; code < END_CODES; code++)
			near_offer(&near, span_of(end_code_info((enum end_code)code)->name));
		api_fail(req, 400,
			 &(struct api_problem){
				 .field = "code", .value = filter.code, .near = &near },
			 "there is no such end code");
		return;
	}
	api_json_open(&req->out, NULL, '{');
	api_json_key(&req->out, "cdrs");
	err = store_list_cdrs(req->sw->store, &filter, &req->out, &next);
	if (err) {
		fail_store(req, err);
		return;
	}
	api_json_call_id(&req->out, "next", next);
	api_json_close(&req->out, '}');
}

bool api_show_record(struct api_request *req, uint64_t id, struct buf *out)
{
	int err = store_show_cdr(req->sw->store, id, out);

	if (err == -ENOENT)
		fail_no_call(req, id, "no record has this call id",
			     "if the call is still up: causeway call show ID");
	else if (err)
		fail_store(req, err);
	return err == 0;
}

void api_get_cdr(struct api_request *req)
{
	api_show_record(req, api_number(req, "id"), &req->out);
}

void api_get_audit(struct api_request *req)
{
	int err;

	api_json_open(&req->out, NULL, '{');
	api_json_key(&req->out, "audit");
	err = store_list_audit(req->sw->store, (unsigned)api_number(req, "limit"), &req->out);
	if (err) {
		fail_store(req, err);
		return;
	}
	api_json_close(&req->out, '}');
}
