/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trace: finding calls, showing, drawing, exporting and following them, and switching it. */
#include "trace.h"

#include <stdlib.h>
#include <unistd.h>

#define AT_SLACK (300 * SEC) /* --at is remembered by people: a call near it will do */

/* ---- which call ------------------------------------------------------------------------------------------- */

static bool is_call_id(const char *text)
{
	uint64_t id;

	return span_of(text).len <= 16 && span_hex_to_u64(span_of(text), &id) == 0;
}

/* RFC 3339 of `utc_us`. */
static void add_time(struct url *url, const char *name, uint64_t utc_us)
{
	char text[32];

	url_add_query(url, name, clock_format(utc_us, text, sizeof(text)));
}

static uint64_t member_time(const json_t *call, const char *key)
{
	json_t *entry = json_pack("{s:O?}", "time", json_object_get(call, key));
	uint64_t us = json_object_get(entry, "time") ? entry_time(entry) : 0;

	json_decref(entry);
	return us;
}

/* How far from `at_us` a call was up: 0 = then. */
static uint64_t distance(const json_t *call, uint64_t at_us)
{
	uint64_t started = member_time(call, "started"), ended = member_time(call, "ended");

	if (started > at_us)
		return started - at_us;
	return ended && ended < at_us ? at_us - ended : 0;
}

/* The call nearest to the time, else the newest: they come newest first. */
static const json_t *nearest(const json_t *calls, uint64_t at_us)
{
	const json_t *best = json_array_get(calls, 0);
	size_t i;
	json_t *call;

	json_array_foreach(calls, i, call) if (at_us && distance(call, at_us) <
								distance(best, at_us)) best = call;
	return best;
}

/* "2h", "2026-11-22 10:00" and so on, of --at; 0 = not given. False: it is none. */
static bool read_at(const struct cli *cli, uint64_t *us_out)
{
	const char *text = cli_value(cli, "at");
	char utc[40];
	json_t *entry;

	*us_out = 0;
	if (!text)
		return true;
	if (!parse_time_arg(text, utc, sizeof(utc))) {
		cli_error("--at: \"%s\" is not a time; write 2h (ago), \"2026-11-22 10:00\" (local "
			  "time) or "
			  "2026-11-22T10:00:00Z",
			  text);
		return false;
	}
	entry = json_pack("{s:s}", "time", utc);
	*us_out = entry_time(entry);
	json_decref(entry);
	return *us_out != 0;
}

int trace_find_call(struct cli *cli, char *id, size_t size)
{
	struct reply reply;
	struct url url;
	uint64_t at;
	const json_t *calls;
	int code;

	if (!read_at(cli, &at))
		return EXIT_USAGE;
	url_start(&url, "/trace/calls");
	url_add_query(&url, "number", cli_value(cli, "number"));
	if (at) {
		add_time(&url, "since", at - AT_SLACK);
		add_time(&url, "until", at + AT_SLACK);
	}
	code = http_get(cli, &url, &reply);
	calls = json_object_get(reply.json, "calls");
	if (code == EXIT_DONE && !json_array_size(calls)) {
		cli_error("no traced call has this number%s; causeway trace find lists calls",
			  at ? " within 5 minutes of then" : "");
		code = EXIT_REFUSED;
	} else if (code == EXIT_DONE) {
		snprintf(id, size, "%s", entry_text(nearest(calls, at), "call_id"));
		if (json_array_size(calls) > 1)
			fprintf(stderr,
				"%zu calls are meant, this is %s; causeway trace find lists them\n",
				json_array_size(calls),
				at ? "the one nearest to the time" : "the newest");
	}
	reply_free(&reply);
	return code;
}

/* By id of ours or of SIP, --object, or --number with --at. */
static int start_url(struct cli *cli, struct url *url)
{
	const char *object = cli_value(cli, "object");
	char id[32] = ""; /* stays so where the call is not found */
	int code = EXIT_DONE;

	if ((cli->n_args != 0) + (object != NULL) + (cli_value(cli, "number") != NULL) != 1) {
		cli_error("%s needs either an ID, --number or --object; causeway %s --help",
			  cli->command->words, cli->command->words);
		return EXIT_USAGE;
	}
	if (cli->n_args && !is_call_id(cli->args[0])) {
		url_start(url, "/trace/sip");
		url_add_segment(url, cli->args[0]);
	} else if (object) {
		url_start(url, "/trace/objects");
		url_add_segment(url, object);
	} else {
		if (!cli->n_args)
			code = trace_find_call(cli, id, sizeof(id));
		url_start(url, "/trace/calls");
		url_add_segment(url, cli->n_args ? cli->args[0] : id);
	}
	if (code == EXIT_DONE)
		return url_add_options(url, cli) ? code : EXIT_USAGE;
	buf_free(&url->text);
	return code;
}

static int get_entries(struct cli *cli, struct reply *reply)
{
	struct url url;
	int code = start_url(cli, &url);

	*reply = (struct reply){ 0 };
	if (code == EXIT_DONE)
		code = http_get(cli, &url, reply);
	if (code == EXIT_DONE && cli->json)
		show_json(reply);
	return code;
}

int run_trace_show(struct cli *cli)
{
	struct reply reply;
	int code = get_entries(cli, &reply);

	if (code == EXIT_DONE && !cli->json)
		trace_show_entries(json_object_get(reply.json, "entries"));
	reply_free(&reply);
	return code;
}

/* ---- the ladder ---------------------------------------------------------------------------------------------- */

/* The entry of that number, whole. */
static int show_raw(const json_t *entries, const char *number)
{
	uint32_t n;

	if (span_to_u32(span_of(number), &n) || n < 1 || n > json_array_size(entries)) {
		cli_error("--raw: \"%s\" is not one of the numbers on the right, 1 to %zu", number,
			  json_array_size(entries));
		return EXIT_USAGE;
	}
	trace_show_entry(json_array_get(entries, n - 1));
	return EXIT_DONE;
}

int run_trace_ladder(struct cli *cli)
{
	const char *raw = cli_value(cli, "raw");
	struct reply reply;
	int code = get_entries(cli, &reply);
	const json_t *entries = json_object_get(reply.json, "entries");

	if (code == EXIT_DONE && !cli->json && raw)
		code = show_raw(entries, raw);
	else if (code == EXIT_DONE && !cli->json)
		trace_draw_ladder(entries, trace_width());
	reply_free(&reply);
	return code;
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

int run_trace_find(struct cli *cli)
{
	static const struct column columns[] = {
		{ "CALL ID", "call_id", AS_TEXT },
		{ "STARTED", "started", AS_TIME },
		{ "ENDED", "ended", AS_TIME },
		{ "CALLER", "caller_in|caller", AS_TEXT },
		{ "CALLEE", "callee_in|callee", AS_TEXT },
		{ "FROM", "mapping_gateway|caller_addr", AS_TEXT },
		{ "TO", "routing_gateway|callee_addr", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "SIP", "sip_status", AS_NUMBER },
		{ "END CODE", "end_code", AS_TEXT },
		{ "PINNED", "pinned", AS_YES },
	};

	return show_list(cli,
			 &(struct listing){ .path = "/trace/calls",
					    .key = "calls",
					    .cursor = "before",
					    .columns = columns,
					    .n_columns = ARRAY_SIZE(columns),
					    .when_empty = "no such calls in the trace" },
			 cli_value(cli, "all"));
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static int write_file(const char *path, struct span bytes)
{
	FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	bool good = file && fwrite(bytes.p, 1, bytes.len, file) == bytes.len;

	if (file && file != stdout)
		good &= fclose(file) == 0;
	if (good)
		return EXIT_DONE;
	cli_error("%s: cannot be written: %s", path, strerror(errno));
	return EXIT_REFUSED;
}

static void tell_written(const struct cli *cli, const char *path, size_t bytes)
{
	struct buf line = BUF_INIT(65536);

	if (cli->json) {
		buf_add_str(&line, "{\"file\":");
		buf_add_json(&line, span_of(path));
		buf_addf(&line, ",\"bytes\":%zu}", bytes);
	} else {
		show_clean(&line, path);
		buf_addf(&line, ": %zu bytes", bytes);
	}
	puts(buf_cstr(&line));
	buf_free(&line);
}

int run_trace_export(struct cli *cli)
{
	const char *path = cli_value(cli, "output");
	struct reply reply;
	struct url url;
	int code;

	if (!path) {
		cli_error("trace export needs -o FILE.pcapng, or -o - for standard output");
		return EXIT_USAGE;
	}
	if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO)) {
		cli_error("-o -: this is a terminal, and the file is none for it; send it "
			  "elsewhere: | tshark -r -");
		return EXIT_USAGE;
	}
	if (cli->n_args && is_call_id(cli->args[0])) {
		url_start(&url, "/trace/calls");
		url_add_segment(&url, cli->args[0]);
		url_add_segment(&url, "pcapng");
	} else {
		url_start(&url, "/trace/pcapng");
		url_add_query(&url, "sip_call_id", cli->n_args ? cli->args[0] : NULL);
	}
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE)
		code = write_file(path, buf_span(&reply.body));
	if (code == EXIT_DONE && strcmp(path, "-") != 0)
		tell_written(cli, path, reply.body.len);
	reply_free(&reply);
	return code;
}

/* ---- as it passes ------------------------------------------------------------------------------------------------ */

static void show_event(struct cli *cli, struct span json)
{
	json_t *entry = json_loadb(json.p, json.len, 0, NULL);

	if (cli->json)
		printf("%.*s\n", SPAN_ARG(json));
	else if (json_object_get(entry, "dropped"))
		fprintf(stderr,
			"%" JSON_INTEGER_FORMAT
			" entries were too many for this client and are left out\n",
			json_integer_value(json_object_get(entry, "dropped")));
	else if (entry && cli_value(cli, "full"))
		trace_show_entry(entry);
	else if (entry)
		trace_show_line(entry);
	fflush(stdout);
	json_decref(entry);
}

static void on_line(void *arg, struct span line)
{
	if (span_starts(line, SPAN("data: ")))
		show_event(arg, span_skip(line, 6));
}

int run_trace_follow(struct cli *cli)
{
	struct url url;

	url_start(&url, "/trace/follow");
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	return http_stream(cli, &url, on_line, cli);
}

/* ---- switches ----------------------------------------------------------------------------------------------------- */

/* A request without a body whose reply is a card. */
static int send_and_show(struct cli *cli, const char *method, struct url *url)
{
	struct reply reply;
	int code = http_send(cli, method, url, SPAN_NONE, &reply);

	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		show_card(reply.json, 0);
	reply_free(&reply);
	return code;
}

int run_trace_status(struct cli *cli)
{
	struct url url;

	url_start(&url, "/trace/status");
	return send_and_show(cli, "GET", &url);
}

int run_trace_on(struct cli *cli)
{
	struct url url;

	url_start(&url, "/trace");
	url_add_query(&url, "on", "1");
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	return send_and_show(cli, "POST", &url);
}

int run_trace_off(struct cli *cli)
{
	struct url url;

	url_start(&url, "/trace");
	url_add_query(&url, "on", "0");
	return send_and_show(cli, "POST", &url);
}

static int pin(struct cli *cli, const char *method)
{
	struct url url;

	url_start(&url, "/trace/calls");
	url_add_segment(&url, cli->args[0]);
	url_add_segment(&url, "pin");
	return send_and_show(cli, method, &url);
}

int run_trace_pin(struct cli *cli)
{
	return pin(cli, "PUT");
}

int run_trace_unpin(struct cli *cli)
{
	return pin(cli, "DELETE");
}

int run_trace_gateway(struct cli *cli)
{
	struct url url;

	if (!cli_value(cli, "minutes")) {
		cli_error("trace gateway needs --minutes N; 0 ends it");
		return EXIT_USAGE;
	}
	url_start(&url, "/trace/gateways");
	url_add_segment(&url, cli->args[0]);
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	return send_and_show(cli, "PUT", &url);
}
