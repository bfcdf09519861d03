/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config import, export, check. Checking asks the daemon if one runs, else this program reads the
 * file itself: it is the same code. */
#include "cli.h"

#include "model/model.h"

#include <stdlib.h>

#define FILE_MAX (64u << 20)
#define ERRORS_MAX 100

static const char *name_of_file(const char *file)
{
	return strcmp(file, "-") == 0 ? "standard input" : file;
}

bool cli_read_file(const char *file, const char *what, struct buf *out)
{
	FILE *from = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char piece[65536];
	size_t n;
	bool good;

	if (!from) {
		cli_error("%s: %s", file, strerror(errno));
		return false;
	}
	while (!out->failed && (n = fread(piece, 1, sizeof(piece), from)) > 0)
		buf_add(out, piece, n);
	good = !ferror(from) && !out->failed;
	if (out->failed)
		cli_error("%s: %s may have %zu MiB at most", name_of_file(file), what,
			  out->max >> 20);
	else if (!good)
		cli_error("%s: %s", name_of_file(file), strerror(errno));
	if (from != stdin)
		fclose(from);
	return good;
}

/* "3 mapping gateways, 1 phone": what the sections hold, in their order; empty ones are not named. */
static void print_counts(const json_t *counts)
{
	const char *before = "", *word;

	for (unsigned i = 0; (word = model_kind(i).section); i++) {
		json_int_t n = json_integer_value(json_object_get(counts, word));

		if (!n)
			continue;
		printf("%s%" JSON_INTEGER_FORMAT " ", before, n);
		for (word = n == 1 ? model_kind(i).name : word; *word; word++)
			putchar(*word == '_' ? ' ' : *word);
		before = ", ";
	}
	puts(*before ? "" : "no objects");
}

static void print_result(const struct reply *reply)
{
	const json_t *counts = json_object_get(reply->json, "counts");

	if (json_is_true(json_object_get(reply->json, "applied")))
		printf("in force: version %" JSON_INTEGER_FORMAT "; ",
		       json_integer_value(json_object_get(reply->json, "version")));
	else
		fputs("good, nothing was changed: ", stdout);
	print_counts(counts);
}

static int show_result(struct cli *cli, int code, struct reply *reply, const char *file)
{
	if (reply->status > 0 && cli->json)
		show_json(reply);
	else if (code == EXIT_DONE)
		print_result(reply);
	else if (reply->status > 0)
		show_problem(reply, name_of_file(file));
	reply_free(reply);
	return code;
}

int run_config_import(struct cli *cli)
{
	struct buf yaml = BUF_INIT(FILE_MAX);
	struct reply reply;
	struct url url;
	int code;

	if (!cli_read_file(cli->args[0], "a configuration", &yaml)) {
		buf_free(&yaml);
		return EXIT_REFUSED;
	}
	url_start(&url, "/config");
	if (cli_value(cli, "dry-run"))
		url_add_query(&url, "dry_run", "1");
	code = http_try(cli, "PUT", &url, (struct span){ yaml.p ? yaml.p : "", yaml.len }, &reply);
	buf_free(&yaml);
	if (reply.status == 0 && code != EXIT_DONE)
		complain_no_daemon(cli);
	return show_result(cli, code, &reply, cli->args[0]);
}

int run_config_export(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/config");
	if (cli_value(cli, "secrets"))
		url_add_query(&url, "secrets", "1");
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE) {
		show_json(&reply);
		if (memmem(reply.body.p, reply.body.len, "\"***\"", 5))
			cli_error("note: passwords are written as ***, which an import refuses; "
				  "--secrets writes them");
	}
	reply_free(&reply);
	return code;
}

/* ---- without a daemon ---------------------------------------------------------------------------- */

/* As the API would reply, so that it is shown by the same code. */
static json_t *errors_as_json(const struct model_error *errors, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n && i < ERRORS_MAX; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:s+, s:s+, s:s+}", "line",
						      (int)errors[i].line, "column",
						      (int)errors[i].column, "object",
						      errors[i].object, "", "text", errors[i].text,
						      "", "remedy", errors[i].remedy, ""));
	return json_pack("{s:s, s:i, s:s, s:o}", "title", "Not a valid configuration", "status",
			 422, "detail", "the configuration has errors (checked without a daemon)",
			 "errors", list);
}

static json_t *counts_as_json(const struct model *m)
{
	json_t *counts = json_object();

	for (unsigned i = 0; model_kind(i).section; i++)
		json_object_set_new(counts, model_kind(i).section, json_integer(model_count(m, i)));
	return json_pack("{s:b, s:b, s:o}", "valid", 1, "applied", 0, "counts", counts);
}

static int check_here(struct cli *cli, struct span yaml)
{
	struct model_error *errors = calloc(ERRORS_MAX, sizeof(*errors));
	struct reply reply = { .body = BUF_INIT(FILE_MAX) };
	struct model *m = NULL;
	char *text;
	unsigned n;

	if (!errors)
		abort();
	n = model_read_yaml(&m, yaml, errors, ERRORS_MAX);
	reply.json = n ? errors_as_json(errors, n) : counts_as_json(m);
	reply.status = n ? 422 : 200;
	text = json_dumps(reply.json, JSON_COMPACT);
	if (text)
		buf_add_str(&reply.body, text);
	free(text);
	model_unref(&m);
	free(errors);
	return show_result(cli, n ? EXIT_REFUSED : EXIT_DONE, &reply, cli->args[0]);
}

int run_config_check(struct cli *cli)
{
	struct buf yaml = BUF_INIT(FILE_MAX);
	struct reply reply;
	struct span text;
	struct url url;
	int code = EXIT_REFUSED;

	if (cli_read_file(cli->args[0], "a configuration", &yaml)) {
		text = (struct span){ yaml.p ? yaml.p : "", yaml.len };
		url_start(&url, "/config/check");
		code = http_try(cli, "POST", &url, text, &reply);
		if (reply.status == 0) {
			reply_free(&reply);
			code = check_here(cli, text);
		} else {
			code = show_result(cli, code, &reply, cli->args[0]);
		}
	}
	buf_free(&yaml);
	return code;
}
