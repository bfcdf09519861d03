/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server proper: libmicrohttpd reads the bytes, here a request is gathered, dispatched and answered.
 *
 * Bounds: connections, idle time, header bytes (all the library's), body bytes per route, and how
 * many configurations may be on their way at once, since each may take 64 MiB. A TCP listener stands
 * on loopback, where a browser of the same host could be made to call it by a foreign page: such
 * requests carry a foreign Host or Origin and are refused. */
#include "api/api_int.h"

#include <microhttpd.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define THREADS 4
#define CONNECTIONS 128
#define IDLE_SECONDS 30
#define HEADER_BYTES 32768

static void set_who(struct api_request *req)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct passwd entry, *found = NULL;
	char names[1024];

	snprintf(req->who, sizeof(req->who), "api");
	if (!req->local || !info ||
	    getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return;
	if (getpwuid_r(peer.uid, &entry, names, sizeof(names), &found) == 0 && found)
		snprintf(req->who, sizeof(req->who), "cli:%s", entry.pw_name);
	else
		snprintf(req->who, sizeof(req->who), "cli:uid-%lu", (unsigned long)peer.uid);
}

/* "localhost", "127.x.x.x" or "[::1]", with any port. */
static bool is_own_host(struct span host)
{
	struct span name = host;

	if (host.len && host.p[0] == '[')
		return span_starts(host, SPAN("[::1]"));
	span_cut(host, ':', &name, &host);
	if (span_ieq(name, SPAN("localhost")))
		return true;
	if (!span_starts(name, SPAN("127.")))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_digit(name.p[i]) && name.p[i] != '.')
			return false;
	return true;
}

static bool check_origin(struct api_request *req)
{
	struct span host =
		span_of(MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "Host"));
	struct span origin =
		span_of(MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "Origin"));

	if (req->local)
		return true;
	if (!is_own_host(host)) {
		api_fail(req, 403,
			 &(struct api_problem){ .field = "Host",
						.limit = "localhost, 127.0.0.1, [::1]" },
			 "the request is addressed to another host");
		return false;
	}
	if (origin.len &&
	    !(span_istarts(origin, SPAN("http://")) && span_ieq(span_skip(origin, 7), host))) {
		api_fail(req, 403, &(struct api_problem){ .field = "Origin" },
			 "the request comes from another site's page");
		return false;
	}
	return true;
}

/* May the announced body come? Chunked ones are measured as they arrive. */
static bool check_body(struct api_request *req)
{
	const char *length =
		MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "Content-Length");
	size_t most = req->route->body ? req->route->body_max : API_BODY_SMALL;
	uint64_t announced = 0;
	char limit[32];

	if (length && (span_to_u64(span_trim(span_of(length)), &announced) || announced > most)) {
		snprintf(limit, sizeof(limit), "%zu bytes", most);
		api_fail(req, 413,
			 &(struct api_problem){ .field = "body", .value = length, .limit = limit },
			 "the body is too large");
		return false;
	}
	req->body.max = most;
	if (!req->route->body)
		return true;
	req->uploading = true;
	if (atomic_fetch_add(&req->api->uploads, 1) < API_UPLOADS_MAX)
		return true;
	api_fail(req, 503, &(struct api_problem){ .remedy = "try again in a few seconds" },
		 "%d configurations are being sent already", API_UPLOADS_MAX);
	return false;
}

static struct MHD_Response *make_response(struct api_request *req)
{
	struct MHD_Response *response = req->stream;

	if (response)
		return response;
	if (req->out.failed)
		api_fail(req, 500, &(struct api_problem){ .remedy = "ask for less at a time" },
			 "the reply needs more memory than there is");
	response = MHD_create_response_from_buffer(req->out.len, req->out.p, MHD_RESPMEM_MUST_FREE);
	if (response)
		req->out = BUF_INIT(0); /* the response owns the bytes now */
	return response;
}

static enum MHD_Result send_reply(struct api_request *req)
{
	struct MHD_Response *response = make_response(req);
	enum MHD_Result done;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", req->type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (req->etag[0])
		MHD_add_response_header(response, "ETag", req->etag);
	if (req->allow[0] && req->status == 405)
		MHD_add_response_header(response, "Allow", req->allow);
	if (req->status == 503)
		MHD_add_response_header(response, "Retry-After", "5");
	done = MHD_queue_response(req->connection, req->status, response);
	MHD_destroy_response(response);
	return done;
}

static enum MHD_Result begin(struct api_listener *listener, struct MHD_Connection *connection,
			     const char *url, const char *method, void **state)
{
	struct api_request *req = calloc(1, sizeof(*req));

	if (!req)
		return MHD_NO;
	req->api = listener->api;
	req->sw = &listener->api->sw;
	req->connection = connection;
	req->local = listener->local;
	req->began_us = clock_mono_us();
	req->body = BUF_INIT(API_BODY_SMALL);
	req->out = BUF_INIT(API_OUT_MAX);
	req->status = 200;
	*state = req;
	if (!check_origin(req) || !api_match(req, method, url) || !api_read_params(req) ||
	    !check_body(req))
		return send_reply(req);
	set_who(req);
	return MHD_YES;
}

static enum MHD_Result gather(struct api_request *req, const char *data, size_t *size)
{
	if (clock_mono_us() - req->began_us > API_UPLOAD_TIME)
		return MHD_NO; /* the library cannot answer in the middle of a body */
	if (!req->too_large)
		buf_add(&req->body, data, *size);
	if (req->body.failed && !req->too_large) {
		req->too_large = true;
		buf_free(&req->body);
	}
	*size = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **state)
{
	struct api_request *req = *state;
	char limit[32];

	if (!req)
		return begin(arg, connection, url, method, state);
	if (*size)
		return gather(req, data, size);
	if (req->waiting) /* resumed */
		return send_reply(req);
	if (req->too_large) {
		snprintf(limit, sizeof(limit), "%zu bytes", req->body.max);
		api_fail(req, 413, &(struct api_problem){ .field = "body", .limit = limit },
			 "the body is too large");
	} else {
		req->type = req->route->reply_type ? req->route->reply_type : "application/json";
		req->route->handle(req);
	}
	return req->waiting ? MHD_YES : send_reply(req);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode how)
{
	struct api_request *req = *state;

	if (!req)
		return;
	*state = NULL;
	if (req->uploading)
		atomic_fetch_sub(&req->api->uploads, 1);
	buf_free(&req->body);
	buf_free(&req->out);
	free(req);
}

static void __attribute__((format(printf, 2, 0))) on_log(void *arg, const char *format, va_list ap)
{
	char line[256];
	size_t len;

	vsnprintf(line, sizeof(line), format, ap);
	len = strlen(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("api: %s", line);
}

struct MHD_Daemon *api_serve(struct api_listener *listener, int fd)
{
	/* poll: with epoll, version 0.9.75 misses the end of a connection that comes together with its last bytes. */
	return MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}
