/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From method, path and query to a route with checked parameters, or to a problem that says what
 * would have been right. */
#include "api/api_int.h"

#include <microhttpd.h>
#include <stdio.h>

#define CAPTURES_MAX 2

struct capture {
	unsigned n;
	struct span name[CAPTURES_MAX], value[CAPTURES_MAX];
};

/* "/gateways/{name}" against "/gateways/acme-in". `rest`: the last one may hold slashes. */
static bool match_pattern(struct span pattern, struct span path, bool rest, struct capture *out)
{
	struct span want, have, whole;
	bool more_want = true, more_have = true;

	out->n = 0;
	while (more_want && more_have) {
		whole = path;
		more_want = span_cut(pattern, '/', &want, &pattern);
		more_have = span_cut(path, '/', &have, &path);
		if (rest && !more_want) {
			have = whole;
			more_have = false;
		}
		if (want.len > 2 && want.p[0] == '{') {
			assert(out->n < CAPTURES_MAX);
			out->name[out->n] = (struct span){ want.p + 1, want.len - 2 };
			out->value[out->n++] = have;
			if (!have.len)
				return false;
		} else if (!span_eq(want, have)) {
			return false;
		}
	}
	return more_want == more_have;
}

static void set_path_values(struct api_request *req, const struct capture *capture)
{
	for (unsigned c = 0; c < capture->n; c++)
		for (unsigned i = 0; req->route->params[i].name; i++)
			if (span_eq(capture->name[c], span_of(req->route->params[i].name))) {
				req->path[(size_t)(capture->value[c].p - req->path) +
					  capture->value[c].len] = '\0';
				req->values[i] = (struct api_value){ .given = true,
								     .text = capture->value[c].p };
			}
}

static void fail_unknown_path(struct api_request *req, const char *path)
{
	struct near near;

	near_start(&near, span_of(req->path));
	for (size_t i = 0; i < api_route_count; i++)
		if (i == 0 || strcmp(api_routes[i].path, api_routes[i - 1].path) != 0)
			near_offer(&near, span_of(api_routes[i].path));
	api_fail(req, 404,
		 &(struct api_problem){ .field = "path",
					.value = path,
					.near = &near,
					.remedy = "see " API_ROOT "/openapi.json for every path" },
		 "there is no such path");
}

static void add_allowed(struct api_request *req, const char *method)
{
	size_t n = strlen(req->allow);

	snprintf(req->allow + n, sizeof(req->allow) - n, "%s%s", n ? ", " : "", method);
	if (strcmp(method, "GET") == 0)
		add_allowed(req, "HEAD");
}

bool api_match(struct api_request *req, const char *method, const char *path)
{
	struct capture capture;
	struct span below;

	if (strcmp(method, "HEAD") == 0)
		method = "GET"; /* the library leaves the body out */
	if (span_copy(span_of(path), req->path, sizeof(req->path)) >= sizeof(req->path)) {
		api_fail(req, 414, &(struct api_problem){ .field = "path", .limit = "511 bytes" },
			 "the path is too long");
		return false;
	}
	below = span_of(req->path);
	if (span_starts(below, SPAN(API_ROOT "/")))
		below = span_skip(below, sizeof(API_ROOT) - 1);
	else
		below = SPAN_NONE;
	for (size_t i = 0; below.len && i < api_route_count; i++) {
		if (!match_pattern(span_of(api_routes[i].path), below, api_routes[i].rest,
				   &capture))
			continue;
		if (strcmp(api_routes[i].method, method) == 0) {
			req->route = &api_routes[i];
			set_path_values(req, &capture);
			return true;
		}
		add_allowed(req, api_routes[i].method);
	}
	if (req->allow[0]) {
		api_fail(req, 405,
			 &(struct api_problem){
				 .field = "method", .value = method, .limit = req->allow },
			 "this path does not take that method");
		return false;
	}
	memmove(req->path, below.len ? below.p : path, strlen(below.len ? below.p : path) + 1);
	fail_unknown_path(req, path);
	return false;
}

static bool in_path(const struct api_route *route, const char *name)
{
	char pattern[80];

	snprintf(pattern, sizeof(pattern), "{%s}", name);
	return strstr(route->path, pattern) != NULL;
}

static void fail_unknown_param(struct api_request *req, const char *name)
{
	struct near near;

	near_start(&near, span_of(name));
	for (unsigned i = 0; req->route->params[i].name; i++)
		if (!in_path(req->route, req->route->params[i].name))
			near_offer(&near, span_of(req->route->params[i].name));
	api_fail(req, 400,
		 &(struct api_problem){ .field = name,
					.near = &near,
					.remedy = "see " API_ROOT
						  "/openapi.json for its parameters" },
		 "this path has no such parameter");
}

/* One "key=value" of the query: remember its text, or fail. */
static enum MHD_Result take_query(void *arg, enum MHD_ValueKind kind, const char *key,
				  size_t key_len, const char *value, size_t value_len)
{
	struct api_request *req = arg;
	const struct api_param *params = req->route->params;

	for (unsigned i = 0; params[i].name; i++) {
		if (strlen(params[i].name) != key_len ||
		    memcmp(params[i].name, key, key_len) != 0 || in_path(req->route, key))
			continue;
		if (req->values[i].given || !value || strlen(value) != value_len) {
			api_fail(req, 400, &(struct api_problem){ .field = params[i].name },
				 "the parameter is given twice, without a value, or with a NUL in "
				 "it");
			return MHD_NO;
		}
		req->values[i] = (struct api_value){ .given = true, .text = value };
		return MHD_YES;
	}
	fail_unknown_param(req, key);
	return MHD_NO;
}

static bool check_value(struct api_request *req, unsigned i)
{
	const struct api_param *param = &req->route->params[i];
	char why[160];

	if (!req->values[i].given) {
		req->values[i].number = param->unset;
		if (!param->required)
			return true;
		api_fail(req, 400,
			 &(struct api_problem){ .field = param->name, .remedy = param->help },
			 "a parameter is missing");
		return false;
	}
	if (api_parse_value(&req->values[i], param, req->values[i].text, why, sizeof(why)))
		return true;
	api_fail(req, 400,
		 &(struct api_problem){ .field = param->name,
					.value = req->values[i].text,
					.limit = why,
					.remedy = param->help },
		 "the value of a parameter is not as it must be");
	return false;
}

bool api_read_params(struct api_request *req)
{
	MHD_get_connection_values_n(req->connection, MHD_GET_ARGUMENT_KIND, take_query, req);
	if (req->status != 200)
		return false;
	for (unsigned i = 0; req->route->params[i].name; i++) {
		assert(i < API_PARAMS_MAX);
		if (!check_value(req, i))
			return false;
	}
	return true;
}
