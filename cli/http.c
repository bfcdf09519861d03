/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests over the daemon's Unix socket, and what to say when they fail. */
#include "cli.h"

#include <curl/curl.h>
#include <stdlib.h>

#define REPLY_MAX (256u << 20)
#define URL_MAX 16384
#define CONNECT_SECONDS 5L
#define REPLY_SECONDS 300L /* a large configuration takes its time */

void reply_free(struct reply *reply)
{
	buf_free(&reply->body);
	json_decref(reply->json);
	reply->json = NULL;
}

/* ---- URLs -------------------------------------------------------------------------------- */

/* RFC 3986 2.3: all but the unreserved characters. */
static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (ascii_digit(*text) ||
		    (ascii_lower(*text) >= 'a' && ascii_lower(*text) <= 'z') || strchr("-._~", c))
			buf_add_char(out, *text);
		else
			buf_addf(out, "%%%02X", c);
	}
}

void url_start(struct url *url, const char *path)
{
	*url = (struct url){ .text = BUF_INIT(URL_MAX) };
	buf_add_str(&url->text, "http://localhost/api/v1");
	buf_add_str(&url->text, path);
}

void url_add_segment(struct url *url, const char *segment)
{
	buf_add_char(&url->text, '/');
	add_escaped(&url->text, segment);
}

void url_add_query(struct url *url, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(&url->text, "%c%s=", url->query ? '&' : '?', name);
	add_escaped(&url->text, value);
	url->query = true;
}

bool url_add_options(struct url *url, const struct cli *cli)
{
	const struct cli_option *options = cli->command->options;
	char time[40];

	for (unsigned i = 0; options && options[i].name; i++) {
		const char *value = cli->values[i];

		if (!value || !options[i].query)
			continue;
		if (options[i].arg && strcmp(options[i].arg, "TIME") == 0) {
			if (!parse_time_arg(value, time, sizeof(time))) {
				cli_error("--%s: \"%s\" is not a time; write 2h (ago), 30m, 1d, "
					  "\"2026-11-22 10:00\" "
					  "(local time) or 2026-11-22T10:00:00Z",
					  options[i].name, value);
				buf_free(&url->text);
				return false;
			}
			value = time;
		}
		if (!options[i].arg)
			value = "1"; /* a switch */
		url_add_query(url, options[i].query, value);
	}
	return true;
}

/* ---- the request --------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_add(body, data, n);
	return body->failed ? 0 : n;
}

static void set_options(CURL *curl, const struct cli *cli, const char *method, const char *url,
			struct span body, struct reply *reply)
{
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, cli->socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, REPLY_SECONDS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	if (body.p) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
	}
}

static void complain_transfer(CURL *curl, CURLcode failure, const struct cli *cli)
{
	long os_errno = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	if (os_errno == EACCES || os_errno == EPERM)
		cli_error("this user may not use %s: become a member of its group, or use sudo",
			  cli->socket);
	else if (failure == CURLE_OPERATION_TIMEDOUT)
		cli_error("the daemon on %s did not reply in %ld s: its log may say why",
			  cli->socket, REPLY_SECONDS);
	else
		cli_error("the daemon on %s broke off: %s", cli->socket,
			  curl_easy_strerror(failure));
}

void complain_no_daemon(const struct cli *cli)
{
	cli_error("no daemon answers on %s: is causewayd running? name its socket with --socket",
		  cli->socket);
}

/* CURLE_OK, or CURLE_COULDNT_CONNECT when nobody is there, or another failure that was complained of. */
static CURLcode perform(struct cli *cli, const char *method, const char *url, struct span body,
			struct reply *reply)
{
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();
	CURLcode failure;
	long os_errno = 0;

	if (!curl) {
		cli_error("no memory for the request");
		return CURLE_OUT_OF_MEMORY;
	}
	set_options(curl, cli, method, url, body, reply);
	if (body.p)
		headers = curl_slist_append(headers, "Content-Type: application/yaml");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	failure = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	/* A request refused before its body was sent whole is answered all the same. */
	if (failure == CURLE_SEND_ERROR && reply->status >= 400)
		failure = CURLE_OK;
	if (failure == CURLE_COULDNT_CONNECT && (os_errno == EACCES || os_errno == EPERM))
		failure = CURLE_REMOTE_ACCESS_DENIED;
	if (failure != CURLE_OK && failure != CURLE_COULDNT_CONNECT)
		complain_transfer(curl, failure, cli);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return failure;
}

int http_try(struct cli *cli, const char *method, struct url *url, struct span body,
	     struct reply *reply_out)
{
	CURLcode failure;

	*reply_out = (struct reply){ .body = BUF_INIT(REPLY_MAX) };
	if (url->text.failed) {
		cli_error("the arguments are too long: at most %d bytes in all", URL_MAX);
		return EXIT_USAGE;
	}
	failure = perform(cli, method, buf_cstr(&url->text), body, reply_out);
	buf_free(&url->text);
	if (failure == CURLE_COULDNT_CONNECT) {
		reply_out->status = 0;
		return EXIT_REFUSED;
	}
	if (failure != CURLE_OK) {
		reply_out->status = -1;
		return EXIT_REFUSED;
	}
	reply_out->json = json_loadb(reply_out->body.p ? reply_out->body.p : "",
				     reply_out->body.len, 0, NULL);
	return reply_out->status < 300 ? EXIT_DONE : EXIT_REFUSED;
}

int http_send(struct cli *cli, const char *method, struct url *url, struct span body,
	      struct reply *reply_out)
{
	int code = http_try(cli, method, url, body, reply_out);

	if (code == EXIT_DONE)
		return code;
	if (reply_out->status == 0)
		complain_no_daemon(cli);
	else if (reply_out->status > 0 && cli->json)
		show_json(reply_out);
	else if (reply_out->status > 0)
		show_problem(reply_out, NULL);
	if (reply_out->status == 400)
		code = EXIT_USAGE;
	return code;
}

/* ---- replies without an end ---------------------------------------------------------------- */

struct streaming {
	CURL *curl;
	struct buf pending; /* an unfinished line; the whole reply where it is a problem */
	void (*line)(void *arg, struct span line);
	void *arg;
	long status;
};

static size_t on_stream(char *data, size_t one, size_t n, void *arg)
{
	struct streaming *s = arg;
	struct span rest, line;

	if (!s->status)
		curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &s->status);
	buf_add(&s->pending, data, n);
	if (s->pending.failed)
		return 0;
	if (s->status >= 300)
		return n;
	rest = buf_span(&s->pending);
	while (memchr(rest.p, '\n', rest.len)) {
		span_cut(rest, '\n', &line, &rest);
		s->line(s->arg, line);
	}
	memmove(s->pending.p, rest.p, rest.len);
	s->pending.len = rest.len;
	return n;
}

/* The reply in `pending` is a problem. */
static int complain_stream(struct cli *cli, struct streaming *s)
{
	struct reply reply = { .status = s->status, .body = s->pending };

	reply.json = json_loadb(reply.body.p ? reply.body.p : "", reply.body.len, 0, NULL);
	if (cli->json)
		show_json(&reply);
	else
		show_problem(&reply, NULL);
	json_decref(reply.json);
	return s->status == 400 ? EXIT_USAGE : EXIT_REFUSED;
}

int http_stream(struct cli *cli, struct url *url, void (*line)(void *arg, struct span line),
		void *arg)
{
	struct streaming s = { curl_easy_init(), BUF_INIT(REPLY_MAX), line, arg, 0 };
	struct reply unused = { .body = BUF_INIT(0) };
	CURLcode failure;
	int code = EXIT_DONE;

	if (!s.curl)
		return EXIT_REFUSED;
	set_options(s.curl, cli, "GET", buf_cstr(&url->text), SPAN_NONE, &unused);
	curl_easy_setopt(s.curl, CURLOPT_TIMEOUT, 0L);
	curl_easy_setopt(s.curl, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(s.curl, CURLOPT_WRITEDATA, &s);
	failure = curl_easy_perform(s.curl);
	if (failure == CURLE_COULDNT_CONNECT)
		complain_no_daemon(cli);
	else if (failure != CURLE_OK)
		complain_transfer(s.curl, failure, cli);
	if (failure != CURLE_OK)
		code = EXIT_REFUSED;
	else if (s.status >= 300)
		code = complain_stream(cli, &s);
	curl_easy_cleanup(s.curl);
	buf_free(&s.pending);
	buf_free(&url->text);
	return code;
}

int http_get(struct cli *cli, struct url *url, struct reply *reply_out)
{
	return http_send(cli, "GET", url, SPAN_NONE, reply_out);
}

/* ---- problems --------------------------------------------------------------------------------- */

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "file:line: object: text (remedy)": editors jump there. */
static void print_error(const json_t *error, const char *file)
{
	json_int_t line = json_integer_value(json_object_get(error, "line"));
	json_int_t column = json_integer_value(json_object_get(error, "column"));
	const char *object = member(error, "object"), *remedy = member(error, "remedy");
	struct buf text = BUF_INIT(8192);

	show_clean(&text, file);
	if (line > 0)
		buf_addf(&text, ":%" JSON_INTEGER_FORMAT, line);
	if (line > 0 && column > 0)
		buf_addf(&text, ":%" JSON_INTEGER_FORMAT, column);
	buf_add_str(&text, ": ");
	show_clean(&text, object);
	buf_add_str(&text, object[0] ? ": " : "");
	show_clean(&text, member(error, "text"));
	if (remedy[0]) {
		buf_add_str(&text, " (");
		show_clean(&text, remedy);
		buf_add_char(&text, ')');
	}
	fprintf(stderr, "%s\n", buf_cstr(&text));
	buf_free(&text);
}

void show_problem(const struct reply *reply, const char *file)
{
	const json_t *errors = json_object_get(reply->json, "errors");
	struct buf text = BUF_INIT(32768);
	const char *remedy = member(reply->json, "remedy");
	size_t i;
	json_t *error;

	json_array_foreach(errors, i, error) print_error(error, file ? file : "configuration");
	show_clean(&text, member(reply->json, "detail"));
	if (text.len)
		cli_error("%s", buf_cstr(&text));
	else
		cli_error("the daemon answered with status %ld and no explanation", reply->status);
	buf_reset(&text);
	show_clean(&text, remedy);
	if (text.len)
		fprintf(stderr, "  %s\n", buf_cstr(&text));
	buf_free(&text);
}
