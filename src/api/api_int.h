/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of api: one table of routes, the request as its handlers see it, and the few
 * words of JSON that they write. */
#ifndef CAUSEWAY_API_INT_H
#define CAUSEWAY_API_INT_H

#include "api/api.h"
#include "base/near.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

#define API_ROOT "/api/v1"
#define API_PARAMS_MAX 12
#define API_PATH_MAX 512
#define API_BODY_SMALL 65536u
#define API_BODY_CONFIG (64u << 20)
#define API_OUT_MAX (256u << 20)
#define API_UPLOADS_MAX 2		/* configurations being sent at the same time */
#define API_TESTS_MAX 4			/* gateways being tested at the same time */
#define API_UPLOAD_TIME (120 * SEC)

/* ---- routes --------------------------------------------------------------------------- */

enum api_type { API_TEXT, API_COUNT, API_BOOL, API_TIME, API_CALL_ID, API_CHOICE };

/* A parameter, in the path when the pattern has {name}, else in the query. */
struct api_param {
	const char *name;
	enum api_type type;
	bool required;
	uint64_t least, most;		/* of a count, or of a text's bytes */
	uint64_t unset;			/* a count's value when absent */
	const char *choices;		/* "mapping|routing" */
	const char *help;
};

struct api_request;
struct api_route {
	const char *method, *path;	/* path below API_ROOT: "/gateways/{name}" */
	void (*handle)(struct api_request *req);
	const char *operation;		/* OpenAPI operationId */
	const char *summary;
	const char *body;		/* schema or media type of the body; NULL = none is taken */
	size_t body_max;
	const char *reply;		/* schema of the reply; NULL = see reply_type */
	const char *reply_type;		/* NULL = application/json */
	const struct api_param *params;	/* ended by one without a name */
	bool rest;			/* the path's last parameter may hold slashes */
};
extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* ---- request -------------------------------------------------------------------------- */

struct api_value {
	bool given;
	const char *text;		/* as written; lives as long as the request */
	uint64_t number;		/* count, bool, time (UTC us), call id, index of the choice */
};

struct api_request {
	struct api *api;
	const struct api_switch *sw;
	struct MHD_Connection *connection;
	const struct api_route *route;
	struct api_value values[API_PARAMS_MAX];	/* in the order of route->params */
	char path[API_PATH_MAX];	/* cut into segments by NULs once matched */
	struct buf body;
	uint64_t began_us;
	bool local;			/* came over the Unix socket */
	bool uploading;			/* counted in api->uploads */
	bool too_large;
	bool waiting;			/* suspended: another thread answers and resumes it */
	struct MHD_Response *stream;	/* the reply, where it is no text that ends */
	char who[64];			/* for the audit: "cli:root" or "api" */

	unsigned status;		/* of the reply; 200 */
	const char *type;		/* of the reply */
	char etag[48], allow[48];
	struct buf out;
};

/* Values of the route's parameters. The name must be one of them. */
const char *api_text(const struct api_request *req, const char *name);	/* NULL = absent */
uint64_t api_number(const struct api_request *req, const char *name);
bool api_given(const struct api_request *req, const char *name);

/* What a problem is about, besides its sentence. Any may be NULL. */
struct api_problem {
	const char *object, *field, *value, *limit, *remedy;
	const struct near *near;
};
/* The reply becomes application/problem+json (RFC 9457); what was written so far is dropped. */
void api_fail(struct api_request *req, unsigned status, const struct api_problem *more, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The problem object left open, for members of its own; close it with api_json_close(out, '}'). */
void api_begin_problem(struct api_request *req, unsigned status, const char *detail);

/* Write the record of this call with its attempts; false: there is none, and the request has failed. */
bool api_show_record(struct api_request *req, uint64_t id, struct buf *out);

/* Put the configuration in force with a change in force, kept as any other. `change` has a model that is its maker's alone; it is
 * false when it has failed the request, as this is then. */
bool api_change_config(struct api_request *req, bool (*change)(struct api_request *req, struct model *m));

/* Find the route and read the parameters; false: the request has failed. */
bool api_match(struct api_request *req, const char *method, const char *path);
bool api_read_params(struct api_request *req);
/* One value by its parameter's type; on failure `why` says what it must be. */
bool api_parse_value(struct api_value *out, const struct api_param *param, const char *text, char *why, size_t size);
/* RFC 3339 (seconds and zone may be absent: UTC), a date alone, or seconds since 1970 (9 to 11 digits). 0 or -EINVAL. */
int api_parse_time(struct span text, uint64_t *utc_us_out);

/* ---- the server ----------------------------------------------------------------------- */

struct api_listener {
	struct api *api;
	struct MHD_Daemon *mhd;
	bool local;
};
struct api {
	struct api_switch sw;
	struct api_listener unix_listener, tcp_listener;
	char *socket_path;
	struct stat socket_stat;	/* of our own socket: another's is left alone at the end */
	pthread_mutex_t config_lock;	/* one change of the configuration at a time */
	atomic_int uploads;
	atomic_int tests;		/* of gateways, under way */
	pthread_mutex_t follow_lock;	/* over what is below; follow.c */
	pthread_cond_t follow_wake;
	pthread_t beat;
	bool beating, follow_ending;
	unsigned n_follows;
	struct list follows;		/* clients that see the trace as it passes */
};

/* A listening socket, or -errno with `why`. */
int api_listen_unix(const char *path, struct stat *stat_out, char *why, size_t why_size);
int api_listen_tcp(const char *address, char *why, size_t why_size);
/* Callbacks of libmicrohttpd. */
struct MHD_Daemon *api_serve(struct api_listener *listener, int fd);

/* ---- JSON ----------------------------------------------------------------------------- */

/* Members of an object (key NULL: elements of an array); commas put themselves. */
void api_json_open(struct buf *out, const char *key, char bracket);
void api_json_close(struct buf *out, char bracket);
void api_json_key(struct buf *out, const char *key);
void api_json_text(struct buf *out, const char *key, const char *value);	/* NULL: left out */
void api_json_span(struct buf *out, const char *key, struct span value);
void api_json_number(struct buf *out, const char *key, int64_t value);
void api_json_bool(struct buf *out, const char *key, bool value);
void api_json_call_id(struct buf *out, const char *key, uint64_t id);	/* 0: null */

/* ---- trace ---------------------------------------------------------------------------- */

/* Every enum trace_kind by its name, in order. */
#define API_TRACE_KINDS "message|call|admit|route|dial|attempt|answer|timer|end|gateway|register|event"
#define API_ADDRESS_TEXT 64
/* "127.0.0.2:5060", "[::1]:5060" */
const char *api_format_address(const struct sockaddr_storage *address, char dst[API_ADDRESS_TEXT]);
/* Is it a message of this method, or an answer to one? */
bool api_is_method(struct span message, struct span method);
/* An object of an array; number and repeat_of: 0 = left out. */
void api_write_trace_entry(struct buf *out, const struct trace_entry *entry, unsigned number, unsigned repeat_of, bool mask);
void api_write_trace_entries(struct buf *out, const char *key, const struct trace_reading *reading, bool mask);
/* What was traced of a phone's or gateway's registrations, as member "trace"; nothing where there is none. */
void api_write_trace_of_user(const struct api_switch *sw, const char *user, struct buf *out);
void api_fail_no_trace(struct api_request *req);
/* End every stream of the trace: before the listeners stop. */
void api_finish_follows(struct api *api);

/* ---- handlers ------------------------------------------------------------------------- */

void api_get_status(struct api_request *req);
void api_get_openapi(struct api_request *req);
void api_get_audit(struct api_request *req);
void api_get_config(struct api_request *req);
void api_put_config(struct api_request *req);
void api_check_config(struct api_request *req);
/* 422 with each of them. */
void api_write_errors(struct api_request *req, const struct model_error *errors, unsigned n);
/* If-Match names the configuration in force, or is absent; else false, and the request has failed. */
bool api_still_matches(struct api_request *req);
void api_get_number_groups(struct api_request *req);
void api_get_numbers(struct api_request *req);
void api_add_numbers(struct api_request *req);
void api_remove_numbers(struct api_request *req);
void api_get_areas(struct api_request *req);
void api_get_mobiles(struct api_request *req);
void api_get_place(struct api_request *req);
void api_import_areas(struct api_request *req);
void api_get_parameters(struct api_request *req);
void api_get_gateways(struct api_request *req);
void api_get_gateway(struct api_request *req);
void api_get_groups(struct api_request *req);
void api_get_phones(struct api_request *req);
void api_get_accounts(struct api_request *req);
void api_get_calls(struct api_request *req);
void api_get_call(struct api_request *req);
void api_delete_call(struct api_request *req);
void api_get_cdrs(struct api_request *req);
void api_get_cdr(struct api_request *req);
void api_get_registrations(struct api_request *req);
void api_get_sources(struct api_request *req);
void api_delete_sources(struct api_request *req);
void api_get_registration(struct api_request *req);
void api_analyse_registrations(struct api_request *req);
void api_get_suspensions(struct api_request *req);
void api_delete_suspensions(struct api_request *req);
void api_get_blacklist(struct api_request *req);
void api_put_blacklist(struct api_request *req);
void api_delete_blacklist(struct api_request *req);
void api_test_route(struct api_request *req);
void api_test_gateway(struct api_request *req);
void api_get_trace_calls(struct api_request *req);
void api_get_trace_call(struct api_request *req);
void api_get_trace_call_file(struct api_request *req);
void api_get_trace_file(struct api_request *req);
void api_get_trace_sip(struct api_request *req);
void api_get_trace_object(struct api_request *req);
void api_pin_trace(struct api_request *req);
void api_unpin_trace(struct api_request *req);
void api_get_trace_status(struct api_request *req);
/* explain.c */
void api_explain_call(struct api_request *req);
void api_follow_trace(struct api_request *req);
void api_switch_trace(struct api_request *req);
void api_trace_gateway(struct api_request *req);
/* 404 with the names nearest to it. */
void api_fail_no_gateway(struct api_request *req, const struct model *m, const char *name);
/* Wait for the tests under way: before the listeners stop. */
void api_finish_tests(struct api *api);
void api_test_call(struct api_request *req);

#endif
