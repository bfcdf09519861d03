/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route test: what would become of a call, told as one reads it. */
#include "cli.h"

static void print_clean(const char *before, const json_t *text, const char *after)
{
	struct buf out = BUF_INIT(65536);

	if (!json_is_string(text))
		return;
	show_clean(&out, json_string_value(text));
	printf("%s%s%s", before, buf_cstr(&out), after);
	buf_free(&out);
}

static void print_reasons(const json_t *part)
{
	size_t i;
	json_t *reason;

	json_array_foreach(json_object_get(part, "reasons"), i, reason)
		print_clean("  ", json_object_get(reason, "text"), "\n");
}

static bool is_verdict(const json_t *part, const char *verdict)
{
	const char *text = json_string_value(json_object_get(part, "verdict"));

	return text && strcmp(text, verdict) == 0;
}

static void print_admit(const json_t *admit)
{
	if (is_verdict(admit, "ok")) {
		fputs("admitted", stdout);
		print_clean(" from ", json_object_get(admit, "mapping_gateway"), "");
		print_clean(" from phone ", json_object_get(admit, "phone"), "");
		print_clean(", account ", json_object_get(admit, "account"), "");
		print_clean(", longest talk time ", json_object_get(admit, "max_duration"), "");
		putchar('\n');
	} else {
		print_clean("not admitted: ", json_object_get(admit, "verdict"), "");
		print_clean(" ", json_object_get(admit, "end_code"), "");
		print_clean(": ", json_object_get(admit, "text"), "");
		putchar('\n');
	}
	print_reasons(admit);
}

static void print_rewritten(const char *who, const json_t *numbers, const char *number,
			    const char *by)
{
	if (!json_object_get(numbers, by))
		return;
	printf("  %s%s%s ", who, *who ? ": " : "", number);
	print_clean("", json_object_get(numbers, number), "");
	print_clean(" by ", json_object_get(numbers, by), "\n");
}

/* By what the numbers of each candidate, and of the call itself, were rewritten. */
static void print_numbers(const char *who, const json_t *numbers)
{
	print_rewritten(who, numbers, "caller", "caller_by");
	print_rewritten(who, numbers, "callee", "callee_by");
	if (json_object_get(numbers, "not_sent"))
		print_clean("  not sent: ", json_object_get(numbers, "not_sent"), "\n");
}

static const char *candidate_name(const json_t *candidate)
{
	const char *gateway = json_string_value(json_object_get(candidate, "routing_gateway"));
	const char *phone = json_string_value(json_object_get(candidate, "phone"));

	return gateway ? gateway : phone ? phone : "";
}

static void print_lrn(const json_t *lrn)
{
	if (!lrn)
		return;
	if (json_object_get(lrn, "routed_by"))
		print_clean("  routed by ", json_object_get(lrn, "routed_by"),
			    ", which the LRN server is supposed to name");
	else
		fputs("  an LRN dip comes first; here the number is routed as it is", stdout);
	print_clean(" for ", json_object_get(lrn, "asked"), "\n");
}

static void print_routed(const json_t *routed)
{
	if (!routed)
		return;
	fputs("\nrouted as ", stdout);
	if (json_string_length(json_object_get(routed, "caller")))
		print_clean("caller ", json_object_get(routed, "caller"), ", ");
	print_clean("callee ", json_object_get(routed, "callee"), "\n");
	print_numbers("", routed);
	print_lrn(json_object_get(routed, "lrn"));
}

/* "ordered by protect, prefix, priority, usage, name" */
static void print_order(const json_t *order)
{
	size_t i;
	json_t *key;

	if (json_array_size(order) == 0)
		return;
	json_array_foreach(order, i, key) print_clean(i ? ", " : "\nordered by ", key, "");
	puts(", name");
}

/* ---- limits ---------------------------------------------------------------------------- */

static void add_number(struct buf *out, const char *before, const json_t *limit, const char *key,
		       const char *after)
{
	json_int_t n = json_integer_value(json_object_get(limit, key));

	if (n)
		buf_addf(out, "%s%" JSON_INTEGER_FORMAT "%s", before, n, after);
}

static json_t *text_cell(struct buf *text)
{
	json_t *cell = json_string(buf_cstr(text));

	buf_free(text);
	return cell;
}

/* "3 of 10 in use, must leave 2 free" */
static json_t *lines_cell(const json_t *limit)
{
	struct buf text = BUF_INIT(256);

	buf_addf(&text, "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(limit, "lines")));
	add_number(&text, " of ", limit, "line_limit", "");
	buf_add_str(&text, " in use");
	add_number(&text, ", must leave ", limit, "reserved_lines", " free");
	return text_cell(&text);
}

/* "20 a second, 17 of 20 left now", "20 in 60 s, ..." */
static json_t *rate_cell(const json_t *limit)
{
	struct buf text = BUF_INIT(256);
	json_int_t period = json_integer_value(json_object_get(limit, "rate_period"));

	if (json_integer_value(json_object_get(limit, "rate_limit"))) {
		add_number(&text, "", limit, "rate_limit", period > 1 ? " in " : " a second, ");
		if (period > 1)
			add_number(&text, "", limit, "rate_period", " s, ");
		buf_addf(&text, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(limit, "rate_left")));
		add_number(&text, " of ", limit, "rate_burst", " left now");
	}
	return text_cell(&text);
}

static void add_limits(json_t *rows, const json_t *part, const char *name_keys)
{
	struct span keys = span_of(name_keys), key;
	const json_t *name = NULL, *limit;
	bool more = true;
	size_t i;

	while (more && !name) {
		more = span_cut(keys, '|', &key, &keys);
		name = json_object_getn(part, key.p, key.len);
	}
	json_array_foreach(json_object_get(part, "limits"), i, limit) json_array_append_new(
		rows,
		json_pack("{s:O?, s:O?, s:O?, s:o, s:o, s:O?}", "for", name, "of",
			  json_object_get(limit, "of"), "object", json_object_get(limit, "object"),
			  "lines", lines_cell(limit), "rate", rate_cell(limit), "refuses",
			  json_object_get(limit, "refuses")));
}

/* All that the call would take, on the caller's side and at each candidate. */
static void print_limits(const json_t *admit, const json_t *route)
{
	static const struct column columns[] = {
		{ "LIMITS FOR", "for", AS_TEXT }, { "OF", "of", AS_TEXT },
		{ "NAME", "object", AS_TEXT },    { "LINES", "lines", AS_TEXT },
		{ "RATE", "rate", AS_TEXT },      { "REFUSES BY", "refuses", AS_TEXT },
	};
	json_t *rows = json_array(), *candidate;
	size_t i;

	add_limits(rows, admit, "mapping_gateway|phone");
	json_array_foreach(json_object_get(route, "candidates"), i, candidate)
		add_limits(rows, candidate, "routing_gateway|phone");
	if (json_array_size(rows)) {
		putchar('\n');
		show_table(rows, columns, ARRAY_SIZE(columns), "");
	}
	json_decref(rows);
}

/* ---- the command ------------------------------------------------------------------------- */

static void print_route(const json_t *route)
{
	static const struct column columns[] = {
		{ "TRIED IN THIS ORDER", "routing_gateway|phone", AS_TEXT },
		{ "ADDRESS", "address", AS_TEXT },
		{ "CALLER SENT", "caller", AS_TEXT },
		{ "CALLEE SENT", "callee", AS_TEXT },
		{ "DIGITS MATCHED", "matched", AS_NUMBER },
		{ "PRIORITY", "priority", AS_NUMBER },
		{ "PROTECT", "protect", AS_YES },
		{ "IN USE", "lines", AS_NUMBER },
		{ "LIMIT", "line_limit", AS_NUMBER },
	};

	size_t i;
	json_t *candidate;

	if (!route)
		return;
	putchar('\n');
	if (is_verdict(route, "ok"))
		show_table(json_object_get(route, "candidates"), columns, ARRAY_SIZE(columns), "");
	else
		print_clean("no gateway: ", json_object_get(route, "verdict"), "\n");
	json_array_foreach(json_object_get(route, "candidates"), i, candidate)
		print_numbers(candidate_name(candidate), candidate);
	print_order(json_object_get(route, "order"));
	if (json_array_size(json_object_get(route, "reasons")))
		puts("\nwhy:");
	print_reasons(route);
}

int run_route_test(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	if (cli_value(cli, "call"))
		return run_route_call(cli);
	if (!cli_value(cli, "from") || !cli_value(cli, "callee")) {
		cli_error("route test needs --from and --callee, or --call; causeway route test "
			  "--help");
		return EXIT_USAGE;
	}
	url_start(&url, "/route-test");
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE && cli->json) {
		show_json(&reply);
	} else if (code == EXIT_DONE) {
		print_admit(json_object_get(reply.json, "admit"));
		print_routed(json_object_get(reply.json, "routed"));
		print_route(json_object_get(reply.json, "route"));
		print_limits(json_object_get(reply.json, "admit"),
			     json_object_get(reply.json, "route"));
	}
	/* Scripts ask: would it go out? */
	if (code == EXIT_DONE && !(is_verdict(json_object_get(reply.json, "admit"), "ok") &&
				   is_verdict(json_object_get(reply.json, "route"), "ok")))
		code = EXIT_REFUSED;
	reply_free(&reply);
	return code;
}
