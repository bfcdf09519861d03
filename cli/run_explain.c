/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain: a call's verdict, its record, the exchange, and whether the call would pass now. */
#include "trace.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *how_sure(double confidence)
{
	return confidence >= 0.95  ? "certain"
	       : confidence >= 0.8 ? "sure"
	       : confidence >= 0.5 ? "likely"
				   : "a guess";
}

static void show_line(const char *before, const char *text)
{
	if (text[0])
		printf("  %s%s\n", before, text);
}

static void show_verdict(const json_t *verdict, bool chinese)
{
	const json_t *evidence = json_object_get(verdict, "evidence"), *e;
	size_t i;

	printf("%s", text_of(verdict, "code"));
	if (strcmp(text_of(verdict, "side"), "nobody") != 0)
		printf(" · side %s", text_of(verdict, "side"));
	printf(" · %s\n", how_sure(json_number_value(json_object_get(verdict, "confidence"))));
	if (chinese)
		show_line("", text_of(verdict, "sentence_zh"));
	show_line("", text_of(verdict, "sentence"));
	show_line("", text_of(verdict, "counted"));
	show_line("Not: ", text_of(verdict, "excluded"));
	json_array_foreach(evidence, i, e)
	{
		json_int_t entry = json_integer_value(json_object_get(e, "frame"));

		if (entry)
			printf("  #%-3" JSON_INTEGER_FORMAT " %s\n", entry, text_of(e, "text"));
		else
			printf("       %s\n", text_of(e, "text"));
	}
	show_line("Do: ", text_of(verdict, chinese ? "fix_zh" : "fix"));
	show_line("Ask: ", text_of(verdict, "ask"));
}

static void show_record(const json_t *record, const char *id, const char *outcome)
{
	printf("call %s  %s", id, outcome);
	if (json_is_object(record))
		printf("  %s  %s -> %s  %s -> %s", text_of(record, "started"),
		       text_of(record, "caller"), text_of(record, "callee"),
		       text_of(record, "mapping_gateway"), text_of(record, "routing_gateway"));
	puts("");
}

static void show_candidates(const json_t *candidates)
{
	const json_t *line;
	size_t i;

	if (json_array_size(candidates))
		puts("\nCandidates:");
	json_array_foreach(candidates, i, line) printf("  %s\n", json_string_value(line));
}

/* Of what may be gone: the reply is empty then. */
static json_t *get(struct cli *cli, const char *path, const char *id, const char *what)
{
	struct reply reply;
	struct url url;
	json_t *json = NULL;

	url_start(&url, path);
	url_add_segment(&url, id);
	if (what)
		url_add_segment(&url, what);
	if (http_try(cli, "GET", &url, SPAN_NONE, &reply) == EXIT_DONE)
		json = json_incref(reply.json);
	reply_free(&reply);
	return json;
}

/* The ladder, whose lines evidence counts; nothing when the trace is gone. */
static void show_ladder(struct cli *cli, const char *id)
{
	json_t *trace = get(cli, "/trace/calls", id, NULL);

	if (trace) {
		puts("");
		trace_draw_ladder(json_object_get(trace, "entries"), trace_width());
	}
	json_decref(trace);
}

static const char *word(const json_t *now, const char *part, const char *key)
{
	return text_of(json_object_get(now, part), key);
}

/* What admission and routing would do with the same call at this moment. */
static void show_now(struct cli *cli, const char *id)
{
	json_t *test = get(cli, "/cdrs", id, "route-test");
	const json_t *now = json_object_get(test, "now");
	const json_t *first =
		json_array_get(json_object_get(json_object_get(now, "route"), "candidates"), 0);

	if (!test)
		return;
	fputs("\nWould it pass now? ", stdout);
	if (strcmp(word(now, "admit", "verdict"), "ok") != 0)
		printf("No, it would be refused: %s", word(now, "admit", "text"));
	else if (strcmp(word(now, "route", "verdict"), "ok") != 0)
		printf("No: %s", word(now, "route", "verdict"));
	else
		printf("It would be dialled, first at %s",
		       text_of(first, "routing_gateway")[0] ? text_of(first, "routing_gateway")
							    : text_of(first, "phone"));
	printf(" (causeway route test --call %s compares).\n", id);
	json_decref(test);
}

int run_explain(struct cli *cli)
{
	const char *language = cli_value(cli, "language");
	char id[32] = "";
	struct reply reply;
	struct url url;
	const json_t *verdict;
	size_t i;
	int code = EXIT_DONE;

	if ((cli->n_args != 0) == (cli_value(cli, "number") != NULL)) {
		cli_error("explain needs either an ID or --number; causeway explain --help");
		return EXIT_USAGE;
	}
	if (cli->n_args)
		span_copy(span_of(cli->args[0]), id, sizeof(id));
	else
		code = trace_find_call(cli, id, sizeof(id));
	if (code != EXIT_DONE)
		return code;
	url_start(&url, "/calls");
	url_add_segment(&url, id);
	url_add_segment(&url, "explain");
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE && cli->json) {
		show_json(&reply);
	} else if (code == EXIT_DONE) {
		show_record(json_object_get(reply.json, "record"), id,
			    text_of(reply.json, "outcome"));
		json_array_foreach(json_object_get(reply.json, "verdicts"), i, verdict)
			show_verdict(verdict, language && strcmp(language, "zh") == 0);
		show_candidates(json_object_get(reply.json, "candidates"));
		show_ladder(cli, id);
		if (json_is_object(json_object_get(reply.json, "record")))
			show_now(cli, id);
	}
	reply_free(&reply);
	return code;
}
