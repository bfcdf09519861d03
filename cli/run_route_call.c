/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route test --call: what became of a call, and what would become of it now, side by side. */
#include "cli.h"

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void add_row(json_t *rows, const char *what, const char *then, const char *now)
{
	json_array_append_new(rows,
			      json_pack("{s:s, s:s, s:s}", "what", what, "then", then, "now", now));
}

/* ---- gateways -------------------------------------------------------------------------------- */

/* The line of a record's candidates that is about this gateway: "a-1: chosen". */
static const char *line_about(const char *lines, const char *name, char *dst, size_t size)
{
	struct span rest = span_of(lines), line, object;
	bool more = rest.len > 0;

	dst[0] = '\0';
	while (more) {
		struct span text;

		more = span_cut(rest, '\n', &line, &rest);
		if (span_cut(line, ':', &object, &text) && span_eq(object, span_of(name)))
			span_copy(span_trim(text), dst, size);
	}
	return dst;
}

static const char *reason_now(const json_t *route, const char *name, char *dst, size_t size)
{
	size_t i;
	json_t *reason;

	dst[0] = '\0';
	json_array_foreach(json_object_get(route, "reasons"), i, reason)
	{
		struct span object, text;

		if (strcmp(text_at(reason, "object"), name) == 0 &&
		    span_cut(span_of(text_at(reason, "text")), ':', &object, &text))
			span_copy(span_trim(text), dst, size);
	}
	return dst;
}

static bool has_row(const json_t *rows, const char *what)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row) if (strcmp(text_at(row, "what"), what) == 0) return true;
	return false;
}

static void add_gateway(json_t *rows, const json_t *then, const json_t *route, const char *name)
{
	char was[256], is[256];

	if (has_row(rows, name))
		return;
	add_row(rows, name, line_about(text_at(then, "candidates"), name, was, sizeof(was)),
		reason_now(route, name, is, sizeof(is)));
}

/* Those that were considered then, and those that would be now. */
static void add_gateways(json_t *rows, const json_t *then, const json_t *route)
{
	struct span rest = span_of(text_at(then, "candidates")), line, object, text;
	bool more = rest.len > 0;
	char name[80];
	size_t i;
	json_t *reason;

	while (more) {
		more = span_cut(rest, '\n', &line, &rest);
		if (!span_cut(line, ':', &object, &text))
			continue;
		span_copy(object, name, sizeof(name));
		add_gateway(rows, then, route, name);
	}
	json_array_foreach(json_object_get(route, "reasons"), i, reason)
		add_gateway(rows, then, route, text_at(reason, "object"));
}

/* ---- attempts --------------------------------------------------------------------------------- */

static void add_attempts(json_t *rows, const json_t *then, const json_t *route)
{
	const json_t *made = json_object_get(then, "attempts");
	const json_t *planned = json_object_get(route, "candidates");
	size_t n = json_array_size(made) > json_array_size(planned) ? json_array_size(made)
								    : json_array_size(planned);

	for (size_t i = 0; i < n; i++) {
		const json_t *was = json_array_get(made, i), *is = json_array_get(planned, i);
		const char *gateway = text_at(is, "routing_gateway");
		char what[32], attempt[160];

		snprintf(what, sizeof(what), "attempt %zu", i + 1);
		snprintf(attempt, sizeof(attempt), "%.63s%s%.80s", text_at(was, "routing_gateway"),
			 was ? ": " : "", text_at(was, "end_code"));
		add_row(rows, what, attempt, gateway[0] ? gateway : text_at(is, "phone"));
	}
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void add_numbers(json_t *rows, const json_t *then, const json_t *now)
{
	static const char *const keys[] = { "caller", "callee" };
	const json_t *routed = json_object_get(now, "routed");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_row(rows, keys[i], text_at(then, keys[i]), text_at(routed, keys[i]));
}

static void add_outcome(json_t *rows, const json_t *then, const json_t *now)
{
	const json_t *admit = json_object_get(now, "admit"), *route = json_object_get(now, "route");
	char was[400], is[400];
	bool admitted = strcmp(text_at(admit, "verdict"), "ok") == 0;

	snprintf(was, sizeof(was), "%.60s%s%.300s", text_at(then, "end_code"),
		 text_at(then, "end_text")[0] ? ": " : "", text_at(then, "end_text"));
	if (!admitted)
		snprintf(is, sizeof(is), "not admitted: %.60s %.300s", text_at(admit, "end_code"),
			 text_at(admit, "text"));
	else if (strcmp(text_at(route, "verdict"), "ok") == 0)
		snprintf(is, sizeof(is), "goes out, %zu to try",
			 json_array_size(json_object_get(route, "candidates")));
	else
		snprintf(is, sizeof(is), "no gateway: %.60s", text_at(route, "verdict"));
	add_row(rows, "outcome", was, is);
}

static void show_both(const json_t *then, const json_t *now)
{
	static const struct column columns[] = {
		{ "", "what", AS_TEXT },
		{ "THEN", "then", AS_TEXT },
		{ "NOW", "now", AS_TEXT },
	};
	const json_t *route = json_object_get(now, "route");
	json_t *rows = json_array();
	char was[64], is[64];

	if (!rows)
		return;
	add_row(rows, "at", local_time(text_at(then, "started"), was, sizeof(was)),
		local_time(text_at(now, "at"), is, sizeof(is)));
	add_row(rows, "from", text_at(then, "mapping_gateway"), text_at(now, "from"));
	add_numbers(rows, then, now);
	add_attempts(rows, then, route);
	add_outcome(rows, then, now);
	add_gateways(rows, then, route);
	show_table(rows, columns, ARRAY_SIZE(columns), "");
	json_decref(rows);
}

static bool goes_out(const json_t *now)
{
	return strcmp(text_at(json_object_get(now, "admit"), "verdict"), "ok") == 0 &&
	       strcmp(text_at(json_object_get(now, "route"), "verdict"), "ok") == 0;
}

int run_route_call(struct cli *cli)
{
	struct reply reply;
	struct url url;
	const json_t *now;
	int code;

	if (cli_value(cli, "from") || cli_value(cli, "caller") || cli_value(cli, "callee") ||
	    cli_value(cli, "at")) {
		cli_error("route test --call takes all else from the call's record");
		return EXIT_USAGE;
	}
	url_start(&url, "/cdrs");
	url_add_segment(&url, cli_value(cli, "call"));
	url_add_segment(&url, "route-test");
	code = http_get(cli, &url, &reply);
	now = json_object_get(reply.json, "now");
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		show_both(json_object_get(reply.json, "then"), now);
	if (code == EXIT_DONE && !goes_out(now))
		code = EXIT_REFUSED;
	reply_free(&reply);
	return code;
}
