/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors as RFC 9457 problems. Besides the standard members: object, field, value, limit, remedy
 * and near, so that a program can act on what the sentence tells a person. */
#include "api/api_int.h"

#include <stdarg.h>
#include <stdio.h>

static const char *title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
		{ 400, "Bad request" },
		{ 403, "Forbidden" },
		{ 404, "Not found" },
		{ 405, "Method not allowed" },
		{ 409, "Conflict" },
		{ 412, "Changed meanwhile" },
		{ 413, "Too large" },
		{ 414, "Path too long" },
		{ 415, "Not this kind of body" },
		{ 422, "Not a valid configuration" },
		{ 500, "Internal error" },
		{ 503, "Not possible now" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

void api_begin_problem(struct api_request *req, unsigned status, const char *detail)
{
	buf_free(&req->out);
	req->status = status;
	req->type = "application/problem+json";
	api_json_open(&req->out, NULL, '{');
	api_json_text(&req->out, "type", "about:blank");
	api_json_text(&req->out, "title", title_of(status));
	api_json_number(&req->out, "status", status);
	api_json_text(&req->out, "detail", detail);
}

/* The sentence with everything in it, for who reads only that. */
static void write_detail(struct buf *text, const char *sentence, const struct api_problem *more)
{
	if (more->object)
		buf_addf(text, "%s: ", more->object);
	buf_add_str(text, sentence);
	if (more->field && more->value)
		buf_addf(text, ": %s is \"%.200s\"", more->field, more->value);
	else if (more->field)
		buf_addf(text, ": %s", more->field);
	else if (more->value)
		buf_addf(text, ": \"%.200s\"", more->value);
	if (more->limit)
		buf_addf(text, ", permitted: %s", more->limit);
	for (unsigned i = 0; more->near && i < more->near->n; i++)
		buf_addf(text, "%s%.*s", i ? ", " : "; near: ", SPAN_ARG(more->near->name[i]));
}

void api_fail(struct api_request *req, unsigned status, const struct api_problem *more,
	      const char *format, ...)
{
	static const struct api_problem nothing;
	struct buf detail = BUF_INIT(8192);
	char sentence[512];
	va_list ap;

	if (!more)
		more = &nothing;
	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	write_detail(&detail, sentence, more);
	api_begin_problem(req, status, buf_cstr(&detail));
	api_json_text(&req->out, "object", more->object);
	api_json_text(&req->out, "field", more->field);
	api_json_text(&req->out, "value", more->value);
	api_json_text(&req->out, "limit", more->limit);
	api_json_text(&req->out, "remedy", more->remedy);
	if (more->near && more->near->n) {
		api_json_open(&req->out, "near", '[');
		for (unsigned i = 0; i < more->near->n; i++)
			api_json_span(&req->out, NULL, more->near->name[i]);
		api_json_close(&req->out, ']');
	}
	api_json_close(&req->out, '}');
	buf_free(&detail);
}
