/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The few words of JSON that replies are made of. A comma is due unless a bracket or a colon
 * stands before: strings end with their quote, so the last byte tells. */
#include "api/api_int.h"

#include <inttypes.h>

void api_json_key(struct buf *out, const char *key)
{
	char last = out->len ? out->p[out->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		buf_add_char(out, ',');
	if (key) {
		buf_add_json(out, span_of(key));
		buf_add_char(out, ':');
	}
}

void api_json_open(struct buf *out, const char *key, char bracket)
{
	api_json_key(out, key);
	buf_add_char(out, bracket);
}

void api_json_close(struct buf *out, char bracket)
{
	buf_add_char(out, bracket);
}

void api_json_span(struct buf *out, const char *key, struct span value)
{
	api_json_key(out, key);
	buf_add_json(out, value);
}

void api_json_text(struct buf *out, const char *key, const char *value)
{
	if (value)
		api_json_span(out, key, span_of(value));
}

void api_json_number(struct buf *out, const char *key, int64_t value)
{
	api_json_key(out, key);
	buf_addf(out, "%" PRId64, value);
}

void api_json_bool(struct buf *out, const char *key, bool value)
{
	api_json_key(out, key);
	buf_add_str(out, value ? "true" : "false");
}

void api_json_call_id(struct buf *out, const char *key, uint64_t id)
{
	api_json_key(out, key);
	if (id)
		buf_addf(out, "\"%016" PRIx64 "\"", id);
	else
		buf_add_str(out, "null");
}
