/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands that list and show: one request, one table or card. */
#include "cli.h"

/* ---- common ---------------------------------------------------------------------------------------- */

/* The next page's cursor, or NULL. */
static const char *next_of(const struct reply *reply)
{
	return json_string_value(json_object_get(reply->json, "next"));
}

static int get_page(struct cli *cli, const struct listing *list, bool all, const char *cursor,
		    struct reply *reply)
{
	struct url url;

	url_start(&url, list->path);
	if (list->of) {
		url_add_segment(&url, list->of);
		url_add_segment(&url, list->key);
	}
	if (!url_add_options(&url, cli)) {
		*reply = (struct reply){ 0 };
		return EXIT_USAGE;
	}
	url_add_query(&url, "answered", list->answered);
	if (cursor[0])
		url_add_query(&url, list->cursor, cursor);
	if (all && !cli_value(cli, "limit"))
		url_add_query(&url, "limit", "1000");
	return http_get(cli, &url, reply);
}

/* Where the first page began must not stand in the requests for the next ones. */
static void forget_start(struct cli *cli, const struct listing *list)
{
	const struct cli_option *options = cli->command->options;

	for (unsigned i = 0; list->cursor && options && options[i].name; i++)
		if (options[i].query && strcmp(options[i].query, list->cursor) == 0)
			cli->values[i] = NULL;
}

/* What is listed can be sent back. */
static void print_texts(const json_t *texts)
{
	struct buf line = BUF_INIT(65536);
	size_t i;
	json_t *text;

	json_array_foreach(texts, i, text)
	{
		buf_reset(&line);
		show_clean(&line, json_string_value(text));
		puts(buf_cstr(&line));
	}
	buf_free(&line);
}

static void show_page(const struct listing *list, const json_t *rows)
{
	if (list->columns)
		show_table(rows, list->columns, list->n_columns, list->when_empty);
	else
		print_texts(rows);
}

/* Pages after the first go on where the one before ended. */
int show_list(struct cli *cli, const struct listing *list, bool all)
{
	char cursor[80] = "";
	struct reply reply;
	bool first = true;
	int code;

	do {
		const char *next;

		code = get_page(cli, list, all, cursor, &reply);
		next = next_of(&reply);
		snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
		if (code == EXIT_DONE && cli->json)
			show_json(&reply);
		else if (code == EXIT_DONE &&
			 (first || json_array_size(json_object_get(reply.json, list->key))))
			show_page(list, json_object_get(reply.json, list->key));
		reply_free(&reply);
		forget_start(cli, list);
		first = false;
	} while (code == EXIT_DONE && all && cursor[0]);
	if (code == EXIT_DONE && cursor[0] && !cli->json && list->cursor)
		fprintf(stderr, "there are more: --all, or --%s %s\n", list->cursor, cursor);
	return code;
}

static int show_one(struct cli *cli, const char *path, const char *segment)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, path);
	if (segment)
		url_add_segment(&url, segment);
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		show_card(reply.json, 0);
	reply_free(&reply);
	return code;
}

#define LIST(...)                                                                                  \
	(struct listing)                                                                           \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define COLUMNS(table) .columns = table, .n_columns = ARRAY_SIZE(table)

/* ---- refused sources ------------------------------------------------------------------------------- */

int run_source_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "ADDRESS", "address", AS_TEXT },    { "PORT", "port", AS_NUMBER },
		{ "BY", "transport", AS_TEXT },       { "TIMES", "count", AS_NUMBER },
		{ "FIRST", "first", AS_TIME },        { "LAST", "last", AS_TIME },
		{ "WHAT", "method", AS_TEXT },        { "USER", "user", AS_TEXT },
		{ "CALLER", "caller", AS_TEXT },      { "CALLEE", "callee", AS_TEXT },
		{ "PRODUCT", "user_agent", AS_TEXT }, { "SIP", "sip_status", AS_NUMBER },
		{ "END CODE", "end_code", AS_TEXT },  { "REASON", "reason", AS_TEXT },
		{ "NEAREST", "nearest", AS_TEXT },
	};

	return show_list(cli,
			 &LIST(.path = "/sources", .key = "sources", COLUMNS(columns),
			       .when_empty = "no source was refused"),
			 false);
}

int run_source_clear(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/sources");
	url_add_query(&url, "address", cli->n_args ? cli->args[0] : NULL);
	code = http_send(cli, "DELETE", &url, SPAN_NONE, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		printf("%" JSON_INTEGER_FORMAT " forgotten\n",
		       json_integer_value(json_object_get(reply.json, "cleared")));
	reply_free(&reply);
	return code;
}

/* ---- dynamic blacklist ------------------------------------------------------------------------------ */

int run_blacklist_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "SIDE", "side", AS_TEXT },     { "NUMBER", "number", AS_TEXT },
		{ "RULE", "rule", AS_TEXT },     { "COUNT", "count", AS_NUMBER },
		{ "LIMIT", "limit", AS_NUMBER }, { "SINCE", "since", AS_TIME },
		{ "UNTIL", "until", AS_TIME },
	};

	return show_list(cli,
			 &LIST(.path = "/blacklist", .key = "entries", COLUMNS(columns),
			       .when_empty = "the dynamic blacklist is empty"),
			 false);
}

static int change_blacklist(struct cli *cli, const char *method, const char *done)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/blacklist");
	url_add_segment(&url, cli->args[0]);
	url_add_segment(&url, cli->args[1]);
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	code = http_send(cli, method, &url, SPAN_NONE, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		printf("%s %s %s\n", cli->args[0], cli->args[1], done);
	reply_free(&reply);
	return code;
}

int run_blacklist_add(struct cli *cli)
{
	return change_blacklist(cli, "PUT", "is blacklisted");
}

int run_blacklist_remove(struct cli *cli)
{
	return change_blacklist(cli, "DELETE", "is blacklisted no more");
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

int run_number_group_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "NUMBER GROUP", "name", AS_TEXT },
		{ "NUMBERS", "numbers", AS_NUMBER },
		{ "PREFIXES", "prefixes", AS_NUMBER },
		{ "MEMO", "memo", AS_TEXT },
	};
	static const struct listing groups = { .path = "/number-groups",
					       .key = "number_groups",
					       .cursor = "after",
					       COLUMNS(columns),
					       .when_empty = "no number groups" };
	struct listing numbers = { .path = "/number-groups", .key = "numbers", .cursor = "after" };

	numbers.of = cli->n_args ? cli->args[0] : NULL;
	return show_list(cli, cli->n_args ? &numbers : &groups, cli_value(cli, "all"));
}

int run_area_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "AREA", "code", AS_TEXT },
		{ "PLACE", "place", AS_TEXT },
		{ "MOBILES", "mobiles", AS_NUMBER },
		{ "MEMO", "memo", AS_TEXT },
	};
	static const struct listing areas = { .path = "/areas",
					      .key = "areas",
					      .cursor = "after",
					      COLUMNS(columns),
					      .when_empty = "no areas" };
	struct listing mobiles = { .path = "/areas", .key = "mobiles", .cursor = "after" };

	mobiles.of = cli->n_args ? cli->args[0] : NULL;
	return show_list(cli, cli->n_args ? &mobiles : &areas, cli_value(cli, "all"));
}

int run_area_find(struct cli *cli)
{
	return show_one(cli, "/places", cli->args[0]);
}

/* ---- the switch --------------------------------------------------------------------------------------- */

int run_status(struct cli *cli)
{
	return show_one(cli, "/status", NULL);
}

int run_openapi(struct cli *cli)
{
	cli->json = true;
	return show_one(cli, "/openapi.json", NULL);
}

int run_audit_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "TIME", "at|time", AS_TIME },
		{ "WHO", "who", AS_TEXT },
		{ "WHAT", "what|action", AS_TEXT },
		{ "DETAIL", "detail", AS_TEXT },
	};

	return show_list(cli,
			 &LIST(.path = "/audit", .key = "audit", COLUMNS(columns),
			       .when_empty = "nothing was changed yet"),
			 false);
}

/* ---- objects ---------------------------------------------------------------------------------------- */

int run_gateway_list(struct cli *cli)
{
	static const struct column mapping[] = {
		{ "MAPPING GATEWAY", "name", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "AUTH", "auth", AS_TEXT },
		{ "ADDRESSES", "addresses", AS_TEXT },
		{ "GROUPS", "groups", AS_TEXT },
		{ "LINES", "", AS_LINES },
		{ "CALLS", "load.calls", AS_NUMBER },
		{ "ANSWERED", "load.answered", AS_NUMBER },
		{ "FAILED", "load.failed", AS_NUMBER },
		{ "LOCKED", "locked", AS_YES },
	};
	static const struct column routing[] = {
		{ "ROUTING GATEWAY", "name", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "ADDRESS", "address", AS_TEXT },
		{ "PREFIXES", "prefixes", AS_TEXT },
		{ "PRIORITY", "priority", AS_NUMBER },
		{ "PROTECT", "protect", AS_YES },
		{ "GROUPS", "groups", AS_TEXT },
		{ "STATE", "health.state", AS_TEXT },
		{ "SINCE", "health.since", AS_TIME },
		{ "LINES", "", AS_LINES },
		{ "CALLS", "load.calls", AS_NUMBER },
		{ "ANSWERED", "load.answered", AS_NUMBER },
		{ "FAILED", "load.failed", AS_NUMBER },
		{ "ASR %", "quality_now.asr_percent", AS_NUMBER },
		{ "ACD", "quality_now.acd_s", AS_SECONDS },
		{ "PDD", "quality_now.pdd_s", AS_SECONDS },
		{ "LOCKED", "locked", AS_YES },
		{ "LOSS %", "health.options.loss_percent", AS_NUMBER },
		{ "RTT ms", "health.options.rtt_ms", AS_NUMBER },
		{ "WHY", "health.why", AS_TEXT },
	};
	const char *kind = cli_value(cli, "kind");
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/gateways");
	if (!url_add_options(&url, cli))
		return EXIT_USAGE;
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	if (code == EXIT_DONE && !cli->json && (!kind || strcmp(kind, "mapping") == 0))
		show_table(json_object_get(reply.json, "mapping_gateways"), mapping,
			   ARRAY_SIZE(mapping), "no mapping gateways");
	if (code == EXIT_DONE && !cli->json && !kind)
		putchar('\n');
	if (code == EXIT_DONE && !cli->json && (!kind || strcmp(kind, "routing") == 0))
		show_table(json_object_get(reply.json, "routing_gateways"), routing,
			   ARRAY_SIZE(routing), "no routing gateways");
	reply_free(&reply);
	return code;
}

int run_gateway_show(struct cli *cli)
{
	return show_one(cli, "/gateways", cli->args[0]);
}

int run_group_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "GATEWAY GROUP", "name", AS_TEXT },
		{ "LINES", "", AS_LINES },
		{ "PEAK", "load.peak_lines", AS_NUMBER },
		{ "CALLS", "load.calls", AS_NUMBER },
		{ "REFUSED: LINES", "load.refused_lines", AS_NUMBER },
		{ "RATE", "load.refused_rate", AS_NUMBER },
		{ "MEMO", "memo", AS_TEXT },
	};

	return show_list(cli,
			 &LIST(.path = "/gateway-groups", .key = "gateway_groups",
			       .cursor = "after", COLUMNS(columns),
			       .when_empty = "no gateway groups"),
			 cli_value(cli, "all"));
}

/* The sentence stands last, where one looks. */
static void show_test(json_t *test)
{
	struct buf sentence = BUF_INIT(65536);
	const char *text = json_string_value(json_object_get(test, "sentence"));

	if (text)
		show_clean(&sentence, text);
	json_object_del(test, "sentence");
	json_object_del(test, "alive");
	json_object_set_new(test, "health",
			    json_copy(json_object_get(json_object_get(test, "health"), "text")));
	show_card(test, 0);
	printf("\n%s\n", buf_cstr(&sentence));
	buf_free(&sentence);
}

int run_gateway_test(struct cli *cli)
{
	struct reply reply;
	struct url url;
	bool alive;
	int code;

	url_start(&url, "/gateways");
	url_add_segment(&url, cli->args[0]);
	url_add_segment(&url, "test");
	code = http_send(cli, "POST", &url, SPAN_NONE, &reply);
	alive = json_is_true(json_object_get(reply.json, "alive"));
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		show_test(reply.json);
	reply_free(&reply);
	return code == EXIT_DONE && !alive ? EXIT_REFUSED : code;
}

int run_phone_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "NUMBER", "number", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "REGISTERED", "registered", AS_YES },
		{ "CONTACT", "contact", AS_TEXT },
		{ "LINES", "", AS_LINES },
		{ "CALLS", "load.calls", AS_NUMBER },
		{ "ANSWERED", "load.answered", AS_NUMBER },
		{ "FAILED", "load.failed", AS_NUMBER },
		{ "LOCKED", "locked", AS_TEXT },
	};

	return show_list(cli,
			 &LIST(.path = "/phones", .key = "phones", .cursor = "after",
			       COLUMNS(columns), .when_empty = "no phones"),
			 cli_value(cli, "all"));
}

int run_account_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "ACCOUNT", "name", AS_TEXT },
		{ "KIND", "kind", AS_TEXT },
		{ "BALANCE", "balance", AS_TEXT },
		{ "OVERDRAFT", "overdraft", AS_TEXT },
		{ "RATE GROUP", "rate_group", AS_TEXT },
		{ "LINES", "", AS_LINES },
		{ "LOCKED", "locked", AS_YES },
		{ "VALID UNTIL", "valid_until", AS_TEXT },
		{ "MEMO", "memo", AS_TEXT },
	};

	return show_list(cli,
			 &LIST(.path = "/accounts", .key = "accounts", .cursor = "after",
			       COLUMNS(columns), .when_empty = "no accounts"),
			 cli_value(cli, "all"));
}

int run_parameter_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "PARAMETER", "name", AS_TEXT },  { "VALUE", "value", AS_TEXT },
		{ "DEFAULT", "default", AS_TEXT }, { "LEAST", "least", AS_TEXT },
		{ "MOST", "most", AS_TEXT },       { "VOS3000", "vos3000_name", AS_TEXT },
		{ "MEANING", "help", AS_TEXT },
	};
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/parameters");
	if (cli->n_args)
		url_add_query(&url, "q", cli->args[0]);
	code = http_get(cli, &url, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		show_table(json_object_get(reply.json, "parameters"), columns, ARRAY_SIZE(columns),
			   "no parameter is called so");
	reply_free(&reply);
	return code;
}

/* ---- calls -------------------------------------------------------------------------------------------- */

int run_call_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "CALL ID", "call_id|id", AS_TEXT },
		{ "STATE", "state|step", AS_TEXT },
		{ "STARTED", "started", AS_TIME },
		{ "CALLER", "caller_in|caller", AS_TEXT },
		{ "CALLEE", "callee_in|callee", AS_TEXT },
		{ "FROM", "mapping_gateway|from", AS_TEXT },
		{ "TO", "routing_gateway|to", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "ATTEMPT", "attempt|attempts", AS_NUMBER },
		{ "TALK", "talk_s", AS_SECONDS },
	};

	return show_list(cli,
			 &LIST(.path = "/calls", .key = "calls", .cursor = "before",
			       COLUMNS(columns), .when_empty = "no live calls"),
			 cli_value(cli, "all"));
}

int run_call_show(struct cli *cli)
{
	return show_one(cli, "/calls", cli->args[0]);
}

int run_call_hangup(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/calls");
	url_add_segment(&url, cli->args[0]);
	code = http_send(cli, "DELETE", &url, SPAN_NONE, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		printf("%s is being hung up\n", cli->args[0]);
	reply_free(&reply);
	return code;
}

int run_cdr_list(struct cli *cli)
{
	static const struct column columns[] = {
		{ "CALL ID", "call_id", AS_TEXT },
		{ "STARTED", "started", AS_TIME },
		{ "CALLER", "caller_in|caller", AS_TEXT },
		{ "CALLEE", "callee_in|callee", AS_TEXT },
		{ "FROM", "mapping_gateway", AS_TEXT },
		{ "TO", "routing_gateway", AS_TEXT },
		{ "ACCOUNT", "account", AS_TEXT },
		{ "TRIES", "attempts", AS_NUMBER },
		{ "TALK", "talk_s", AS_SECONDS },
		{ "SIP", "sip_status", AS_NUMBER },
		{ "END CODE", "end_code", AS_TEXT },
	};
	const char *answered = cli_value(cli, "answered"), *failed = cli_value(cli, "failed");

	if (answered && failed) {
		cli_error("--answered and --failed exclude each other; without either all calls "
			  "are listed");
		return EXIT_USAGE;
	}
	return show_list(cli,
			 &LIST(.path = "/cdrs", .key = "cdrs", .cursor = "before", COLUMNS(columns),
			       .when_empty = "no such records",
			       .answered = answered ? "1"
					   : failed ? "0"
						    : NULL),
			 cli_value(cli, "all"));
}

int run_cdr_show(struct cli *cli)
{
	return show_one(cli, "/cdrs", cli->args[0]);
}
