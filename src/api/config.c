/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration as a whole. Its ETag names the snapshot: the version counts within one run, the
 * time of building tells runs apart. A change goes: read and check, keep in the database, put in force; one at a time. */
#include "api/api_int.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX 100

static void set_etag(struct api_request *req, const struct model *m)
{
	snprintf(req->etag, sizeof(req->etag), "\"%" PRIu64 "-%" PRIx64 "\"", m->version,
		 m->built_utc_us);
}

/* RFC 9110 13.1.1: a list of tags, or "*". */
static bool tag_listed(const char *header, const char *etag)
{
	struct span rest = span_of(header), tag;
	bool more = true;

	while (more) {
		more = span_cut(rest, ',', &tag, &rest);
		tag = span_trim(tag);
		if (span_eq(tag, SPAN("*")) || span_eq(tag, span_of(etag)))
			return true;
	}
	return false;
}

void api_get_config(struct api_request *req)
{
	bool secrets = api_number(req, "secrets");
	struct model *m;
	const char *known;

	if (secrets && !req->local) {
		api_fail(req, 403,
			 &(struct api_problem){ .field = "secrets",
						.remedy = "ask over the Unix socket: causeway "
							  "config export --secrets" },
			 "passwords are told only over the Unix socket");
		return;
	}
	m = model_hub_get(req->sw->hub);
	set_etag(req, m);
	known = MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "If-None-Match");
	if (known && tag_listed(known, req->etag))
		req->status = 304;
	else
		model_write_yaml(&req->out, m, secrets);
	model_unref(&m);
}

static void write_counts(struct buf *out, const struct model *m)
{
	api_json_open(out, "counts", '{');
	for (unsigned i = 0; model_kind(i).section; i++)
		api_json_number(out, model_kind(i).section, model_count(m, i));
	api_json_close(out, '}');
}

static void write_result(struct api_request *req, const struct model *m, bool applied)
{
	api_json_open(&req->out, NULL, '{');
	api_json_bool(&req->out, "valid", true);
	api_json_bool(&req->out, "applied", applied);
	if (applied)
		api_json_number(&req->out, "version", (int64_t)m->version);
	write_counts(&req->out, m);
	api_json_close(&req->out, '}');
}

void api_write_errors(struct api_request *req, const struct model_error *errors, unsigned n)
{
	struct buf *out = &req->out;
	char detail[160];

	snprintf(detail, sizeof(detail), "the configuration has %s%u %s; nothing was changed",
		 n >= ERRORS_MAX ? "at least " : "", n, n == 1 ? "error" : "errors");
	api_begin_problem(req, 422, detail);
	api_json_open(out, "errors", '[');
	for (unsigned i = 0; i < n && i < ERRORS_MAX; i++) {
		api_json_open(out, NULL, '{');
		api_json_number(out, "line", errors[i].line);
		api_json_number(out, "column", errors[i].column);
		api_json_text(out, "object", errors[i].object);
		api_json_text(out, "text", errors[i].text);
		api_json_text(out, "remedy", errors[i].remedy);
		api_json_close(out, '}');
	}
	api_json_close(out, ']');
	api_json_close(out, '}');
}

/* NULL: the request has failed. */
static struct model *read_body(struct api_request *req)
{
	struct model_error *errors = calloc(ERRORS_MAX, sizeof(*errors));
	struct model *m = NULL;
	unsigned n;

	if (!errors) {
		api_fail(req, 503, NULL, "no memory to read the configuration");
		return NULL;
	}
	n = model_read_yaml(&m, buf_span(&req->body), errors, ERRORS_MAX);
	if (n)
		api_write_errors(req, errors, n);
	free(errors);
	buf_free(&req->body);
	return n ? NULL : m;
}

void api_check_config(struct api_request *req)
{
	struct model *m = read_body(req);

	if (!m)
		return;
	write_result(req, m, false);
	model_unref(&m);
}

/* RFC 9110 13.1.1: somebody else may have changed it since the caller looked. */
bool api_still_matches(struct api_request *req)
{
	const char *wanted =
		MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "If-Match");
	struct model *m;

	if (!wanted)
		return true;
	m = model_hub_get(req->sw->hub);
	set_etag(req, m);
	model_unref(&m);
	if (tag_listed(wanted, req->etag))
		return true;
	api_fail(req, 412,
		 &(struct api_problem){
			 .field = "If-Match",
			 .value = wanted,
			 .limit = req->etag,
			 .remedy =
				 "read the configuration again, make the change in that, send it" },
		 "the configuration was changed by somebody else");
	return false;
}

/* Keeps `m` and puts it in force; false: the request has failed. Takes over the reference: so does apply_model, since a new
 * snapshot must be its maker's alone until it is the current one. */
static bool apply(struct api_request *req, struct model *m)
{
	char why[512] = "";

	if (!api_still_matches(req)) {
		model_unref(&m);
		return false;
	}
	if (store_save_model(req->sw->store, m, req->who, why, sizeof(why)) != 0) {
		api_fail(req, 503,
			 &(struct api_problem){
				 .remedy = "mend the database, then send the configuration again" },
			 "the configuration could not be kept and is not in force: %s", why);
		model_unref(&m);
		return false;
	}
	req->sw->apply_model(req->sw->arg, m);
	return true;
}

static void tell_applied(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);

	set_etag(req, m);
	write_result(req, m, true);
	model_unref(&m);
}

void api_put_config(struct api_request *req)
{
	struct model *m = read_body(req);

	if (!m)
		return;
	if (api_number(req, "dry_run")) {
		write_result(req, m, false);
		model_unref(&m);
		return;
	}
	pthread_mutex_lock(&req->api->config_lock);
	if (apply(req, m))
		tell_applied(req);
	pthread_mutex_unlock(&req->api->config_lock);
}

/* `m` written and read again, so that it may be changed, or that what is derived follows a change. NULL: the request has failed. */
static struct model *read_again(struct api_request *req, const struct model *m)
{
	struct buf yaml = BUF_INIT(API_BODY_CONFIG);
	struct model_error error;
	struct model *again = NULL;

	model_write_yaml(&yaml, m, true);
	if (yaml.failed || model_read_yaml(&again, buf_span(&yaml), &error, 1) != 0)
		api_fail(req, 503, NULL, "no memory to change the configuration");
	buf_free(&yaml);
	return again;
}

static struct model *changed(struct api_request *req,
			     bool (*change)(struct api_request *req, struct model *m))
{
	struct model *current = model_hub_get(req->sw->hub), *draft = read_again(req, current);
	struct model *m = NULL;

	if (draft && change(req, draft))
		m = read_again(req, draft);
	model_unref(&draft);
	model_unref(&current);
	return m;
}

bool api_change_config(struct api_request *req,
		       bool (*change)(struct api_request *req, struct model *m))
{
	struct model *m;
	bool good;

	pthread_mutex_lock(&req->api->config_lock);
	m = changed(req, change);
	good = m && apply(req, m);
	pthread_mutex_unlock(&req->api->config_lock);
	return good;
}
