/* SPDX-License-Identifier: GPL-3.0-or-later */
/* causeway, the command line: one table of commands makes the dispatch and the help; every command
 * is one or two requests to the API over its Unix socket, and a way to show the reply. */
#ifndef CAUSEWAY_CLI_H
#define CAUSEWAY_CLI_H

#include "base/base.h"

#include <jansson.h>
#include <stdio.h>

#define DEFAULT_SOCKET "/run/causeway/api.sock"
#define OPTIONS_MAX 16
#define ARGS_MAX 1000

enum exit_code { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE };

struct cli_option {
	const char *name;		/* "since" */
	const char *arg;		/* "TIME"; NULL = a switch */
	const char *query;		/* parameter of the API that it sets; NULL = the command reads it itself */
	const char *help;
	char letter;			/* "-o" as well; 0 = none */
};

struct cli;
struct cli_command {
	const char *words;		/* "gateway show" */
	const char *args;		/* "NAME", "[SEARCH]", "" */
	unsigned least_args, most_args;
	const char *summary;
	const struct cli_option *options;	/* ended by one without a name; NULL = none */
	int (*run)(struct cli *cli);
	const char *examples;		/* lines */
};
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

struct cli {
	const char *socket;
	bool json;
	const struct cli_command *command;
	unsigned n_args;
	const char *args[ARGS_MAX];
	const char *values[OPTIONS_MAX];	/* of command->options; "" for a switch that is given */
};
/* NULL = not given. The command must have such an option. */
const char *cli_value(const struct cli *cli, const char *option);
/* "causeway: ..." on stderr. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole file, "-" = standard input. False: complained of; `what` says what it should hold. */
bool cli_read_file(const char *file, const char *what, struct buf *out);

/* ---- help ------------------------------------------------------------------------------- */

void help_all(FILE *to);
void help_noun(FILE *to, struct span noun);	/* "gateway" */
void help_command(FILE *to, const struct cli_command *command);

/* ---- requests --------------------------------------------------------------------------- */

struct reply {
	long status;			/* 0 = nobody answered */
	struct buf body;
	json_t *json;			/* NULL when the body is not JSON */
};
void reply_free(struct reply *reply);
/* A path with its query, each part escaped. */
struct url {
	struct buf text;
	bool query;
};
void url_start(struct url *url, const char *path);
void url_add_segment(struct url *url, const char *segment);
void url_add_query(struct url *url, const char *name, const char *value);	/* value NULL: nothing */
/* Every option given that has a `query`; times become UTC. False: one is wrong and was complained of. */
bool url_add_options(struct url *url, const struct cli *cli);

/* EXIT_DONE with a reply of status below 300; otherwise it has been complained of (a problem: with --json on
 * stdout as it came). `body` may be empty. Frees `url`. */
int http_get(struct cli *cli, struct url *url, struct reply *reply_out);
int http_send(struct cli *cli, const char *method, struct url *url, struct span body, struct reply *reply_out);
/* The same without complaint when nobody answers: then EXIT_REFUSED and reply_out->status == 0. */
int http_try(struct cli *cli, const char *method, struct url *url, struct span body, struct reply *reply_out);
/* Every line of a reply that has no end, as it comes, without its line end; EXIT_DONE when the daemon ended it. Frees `url`. */
int http_stream(struct cli *cli, struct url *url, void (*line)(void *arg, struct span line), void *arg);
/* What a problem says, on stderr; `file` names the configuration that its errors are in, or NULL. */
void show_problem(const struct reply *reply, const char *file);
void complain_no_daemon(const struct cli *cli);

/* ---- showing ------------------------------------------------------------------------------ */

enum format { AS_TEXT, AS_NUMBER, AS_TIME, AS_SECONDS, AS_LINES, AS_YES };
struct column {
	const char *title;
	const char *keys;		/* "caller_in|caller": the first that is there; dots descend: "load.calls" */
	enum format format;
};
/* Print as the reply came. */
void show_json(const struct reply *reply);
/* One line for each object of the array; columns that are empty throughout are left out. */
void show_table(const json_t *rows, const struct column *columns, size_t n_columns, const char *when_empty);
/* "key: value" lines; objects within indented, arrays of objects as tables. */
void show_card(const json_t *object, unsigned indent);
/* Text from elsewhere, made safe for a terminal; returns its width in columns. */
unsigned show_clean(struct buf *out, const char *text);
/* The same of several lines, which stay. CR before a line's end goes. */
void show_clean_lines(struct buf *out, const char *text);
/* "2026-11-22 11:45:30 CET" of an RFC 3339 time in UTC; the text itself if it is none. */
const char *local_time(const char *utc, char *dst, size_t size);
/* "2h" ago, "2026-11-22 10:00" of the local zone, or RFC 3339, as RFC 3339 in UTC. False: none of these. */
bool parse_time_arg(const char *text, char *dst, size_t size);
const char *format_seconds(double seconds, char *dst, size_t size);

/* A list of the API, page by page. */
struct listing {
	const char *path, *key;		/* "/cdrs", "cdrs" */
	const char *of;			/* "/areas/010/mobiles": the key below this object; NULL = none */
	const char *cursor;		/* parameter that takes `next`; NULL = there are no pages */
	const struct column *columns;	/* NULL = an array of texts, one a line */
	size_t n_columns;
	const char *when_empty;
	const char *answered;		/* value of that parameter, or NULL */
};
/* `all`: pages after the first as well. */
int show_list(struct cli *cli, const struct listing *list, bool all);

/* ---- commands ------------------------------------------------------------------------------ */

int run_status(struct cli *cli);
int run_doctor(struct cli *cli);
int run_diagnose(struct cli *cli);
int run_explain(struct cli *cli);
int run_openapi(struct cli *cli);
int run_audit_list(struct cli *cli);
int run_config_import(struct cli *cli);
int run_config_export(struct cli *cli);
int run_config_check(struct cli *cli);
int run_gateway_list(struct cli *cli);
int run_gateway_show(struct cli *cli);
int run_gateway_test(struct cli *cli);
int run_group_list(struct cli *cli);
int run_phone_list(struct cli *cli);
int run_account_list(struct cli *cli);
int run_parameter_list(struct cli *cli);
int run_registration_list(struct cli *cli);
int run_registration_show(struct cli *cli);
int run_registration_analyze(struct cli *cli);
int run_registration_suspended(struct cli *cli);
int run_registration_unsuspend(struct cli *cli);
int run_call_list(struct cli *cli);
int run_call_show(struct cli *cli);
int run_call_hangup(struct cli *cli);
int run_cdr_list(struct cli *cli);
int run_cdr_show(struct cli *cli);
int run_source_list(struct cli *cli);
int run_source_clear(struct cli *cli);
int run_blacklist_list(struct cli *cli);
int run_blacklist_add(struct cli *cli);
int run_blacklist_remove(struct cli *cli);
int run_number_group_list(struct cli *cli);
int run_number_group_add(struct cli *cli);
int run_number_group_remove(struct cli *cli);
int run_area_list(struct cli *cli);
int run_area_find(struct cli *cli);
int run_area_import(struct cli *cli);
int run_route_call(struct cli *cli);
int run_route_test(struct cli *cli);
int run_trace_find(struct cli *cli);
int run_trace_show(struct cli *cli);
int run_trace_ladder(struct cli *cli);
int run_trace_follow(struct cli *cli);
int run_trace_export(struct cli *cli);
int run_trace_status(struct cli *cli);
int run_trace_on(struct cli *cli);
int run_trace_off(struct cli *cli);
int run_trace_pin(struct cli *cli);
int run_trace_unpin(struct cli *cli);
int run_trace_gateway(struct cli *cli);

#endif
