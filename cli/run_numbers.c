/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers in and out of long lists, without the rest of the configuration. */
#include "cli.h"

#define BODY_MAX (64u << 20)

static int send_edit(struct cli *cli, struct url *url, struct buf *body, const char *file)
{
	struct reply reply;
	int code = http_try(cli, "POST", url, (struct span){ body->p ? body->p : "", body->len },
			    &reply);

	buf_free(body);
	if (reply.status == 0 && code != EXIT_DONE)
		complain_no_daemon(cli);
	else if (cli->json)
		show_json(&reply);
	else if (code == EXIT_DONE)
		printf("%" JSON_INTEGER_FORMAT " added, %" JSON_INTEGER_FORMAT " removed\n",
		       json_integer_value(json_object_get(reply.json, "added")),
		       json_integer_value(json_object_get(reply.json, "removed")));
	else
		show_problem(&reply, file);
	reply_free(&reply);
	return code;
}

/* Those named on the command line and those in a file. False: complained of. */
static bool gather_numbers(struct cli *cli, const char *file, struct buf *out)
{
	if (cli->n_args < 2 && !file) {
		cli_error("%s: name numbers, or a file with --file", cli->command->words);
		return false;
	}
	if (file && !cli_read_file(file, "a list of numbers", out))
		return false;
	for (unsigned i = 1; i < cli->n_args; i++)
		buf_addf(out, "\n%s", cli->args[i]);
	return true;
}

static int edit_group(struct cli *cli, const char *verb)
{
	const char *file = cli_value(cli, "file");
	struct buf body = BUF_INIT(BODY_MAX);
	struct url url;

	if (!gather_numbers(cli, file, &body)) {
		buf_free(&body);
		return file ? EXIT_REFUSED : EXIT_USAGE;
	}
	url_start(&url, "/number-groups");
	url_add_segment(&url, cli->args[0]);
	url_add_segment(&url, verb);
	return send_edit(cli, &url, &body, file ? file : cli->args[0]);
}

int run_number_group_add(struct cli *cli)
{
	return edit_group(cli, "add");
}

int run_number_group_remove(struct cli *cli)
{
	return edit_group(cli, "remove");
}

int run_area_import(struct cli *cli)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct url url;

	if (!cli_read_file(cli->args[0], "a table of areas", &body)) {
		buf_free(&body);
		return EXIT_REFUSED;
	}
	url_start(&url, "/areas/import");
	return send_edit(cli, &url, &body, cli->args[0]);
}
