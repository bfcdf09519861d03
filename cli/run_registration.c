/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registrations: who is registered, and why others are not. */
#include "trace.h"

static int get(struct cli *cli, struct url *url, struct reply *reply)
{
	int code = http_get(cli, url, reply);

	if (code == EXIT_DONE && cli->json)
		show_json(reply);
	return code;
}

static void show_contacts(const struct reply *reply)
{
	static const struct column columns[] = {
		{ "NAME", "name|number|phone", AS_TEXT },
		{ "KIND", "kind", AS_TEXT },
		{ "CONTACT", "contact", AS_TEXT },
		{ "FROM", "source|address", AS_TEXT },
		{ "PATH", "path", AS_TEXT },
		{ "PRODUCT", "user_agent|product", AS_TEXT },
		{ "SINCE", "registered_at|registered", AS_TIME },
		{ "EXPIRES IN", "expires_in_s|expires_s", AS_SECONDS },
		{ "UNREACHABLE SINCE", "unreachable_since", AS_TIME },
	};

	static const struct column outbound[] = {
		{ "AT VENDOR", "name", AS_TEXT },
		{ "STATE", "state", AS_TEXT },
		{ "USER", "user", AS_TEXT },
		{ "REGISTRAR", "registrar", AS_TEXT },
		{ "ROUTE", "service_route", AS_TEXT },
		{ "IDENTITIES", "associated", AS_TEXT },
		{ "SINCE", "since", AS_TIME },
		{ "EXPIRES IN", "expires_s", AS_SECONDS },
		{ "NEXT TRY IN", "next_try_s", AS_SECONDS },
		{ "FAILED", "failed", AS_TIME },
		{ "WHY", "failed_reason", AS_TEXT },
	};
	const json_t *vendors = json_object_get(reply->json, "outbound");

	if (json_array_size(json_object_get(reply->json, "registrations")) ||
	    !json_array_size(vendors))
		show_table(json_object_get(reply->json, "registrations"), columns,
			   ARRAY_SIZE(columns), "nothing is registered");
	if (json_array_size(vendors))
		show_table(vendors, outbound, ARRAY_SIZE(outbound), "");
}

int run_registration_list(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/registrations");
	code = get(cli, &url, &reply);
	if (code == EXIT_DONE && !cli->json)
		show_contacts(&reply);
	reply_free(&reply);
	return code;
}

int run_registration_show(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/registrations");
	url_add_segment(&url, cli->args[0]);
	code = get(cli, &url, &reply);
	if (code == EXIT_DONE && !cli->json)
		show_contacts(&reply);
	if (code == EXIT_DONE && !json_array_size(json_object_get(reply.json, "registrations")) &&
	    !json_array_size(json_object_get(reply.json, "outbound")))
		code = EXIT_REFUSED;
	reply_free(&reply);
	return code;
}

static void print_line(const char *before, const json_t *device, const char *key)
{
	const char *text = json_string_value(json_object_get(device, key));
	struct buf line = BUF_INIT(4096);

	if (text) {
		show_clean(&line, text);
		printf("%s%s\n", before, buf_cstr(&line));
	}
	buf_free(&line);
}

static void show_device(const json_t *device)
{
	static const struct column columns[] = {
		{ "TIME", "time", AS_TIME },       { "FROM", "source", AS_TEXT },
		{ "CONTACT", "contact", AS_TEXT }, { "PRODUCT", "user_agent", AS_TEXT },
		{ "ANSWER", "status", AS_NUMBER }, { "REASON", "reason", AS_TEXT },
		{ "DETAIL", "detail", AS_TEXT },   { "TIMES", "times", AS_NUMBER },
	};
	const json_t *exchanges = json_object_get(device, "exchanges");

	print_line("", device, "sentence");
	print_line("fix: ", device, "fix");
	if (json_array_size(exchanges))
		show_table(exchanges, columns, ARRAY_SIZE(columns), "");
}

int run_registration_analyze(struct cli *cli)
{
	struct reply reply;
	struct url url;
	size_t n, failed = 0;
	int code;

	url_start(&url, "/registration-analysis");
	url_add_query(&url, "user", cli->n_args ? cli->args[0] : NULL);
	code = get(cli, &url, &reply);
	n = json_array_size(json_object_get(reply.json, "devices"));
	for (size_t i = 0; code == EXIT_DONE && i < n; i++) {
		const json_t *device = json_array_get(json_object_get(reply.json, "devices"), i);

		failed += json_is_true(json_object_get(device, "failed"));
		if (cli->json)
			continue;
		if (i)
			putchar('\n');
		show_device(device);
	}
	if (code == EXIT_DONE && !n && !cli->json)
		puts("no registration that failed is remembered");
	if (code == EXIT_DONE && !cli->json &&
	    json_array_size(json_object_get(reply.json, "trace"))) {
		putchar('\n');
		trace_draw_ladder(json_object_get(reply.json, "trace"), trace_width());
	}
	reply_free(&reply);
	/* Scripts ask: is something wrong? */
	return code == EXIT_DONE && failed ? EXIT_REFUSED : code;
}

int run_registration_suspended(struct cli *cli)
{
	static const struct column columns[] = {
		{ "USER", "user", AS_TEXT },
		{ "FROM", "source", AS_TEXT },
		{ "WHAT", "kind", AS_TEXT },
		{ "FAILURES", "failures", AS_NUMBER },
		{ "FOR ANOTHER", "left_s", AS_SECONDS },
	};
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/suspensions");
	code = get(cli, &url, &reply);
	if (code == EXIT_DONE && !cli->json)
		show_table(json_object_get(reply.json, "suspensions"), columns, ARRAY_SIZE(columns),
			   "nobody is suspended");
	reply_free(&reply);
	return code;
}

int run_registration_unsuspend(struct cli *cli)
{
	struct reply reply;
	struct url url;
	int code;

	url_start(&url, "/suspensions");
	url_add_query(&url, "user", cli->n_args ? cli->args[0] : NULL);
	code = http_send(cli, "DELETE", &url, SPAN_NONE, &reply);
	if (code == EXIT_DONE && cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		printf("%lld lifted\n",
		       (long long)json_integer_value(json_object_get(reply.json, "lifted")));
	reply_free(&reply);
	return code;
}
