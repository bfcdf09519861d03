/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Help at every level, from the table of commands. */
#include "cli.h"

#define COLUMN 34

static void print_pair(FILE *to, const char *left, const char *right)
{
	fprintf(to, "  %-*s %s\n", COLUMN, left, right);
}

static void print_global(FILE *to)
{
	fputs("\nWith every command:\n", to);
	print_pair(to, "--json", "print the API's reply as it is");
	print_pair(to, "--socket PATH",
		   "the daemon's socket; else $CAUSEWAY_SOCKET, else " DEFAULT_SOCKET);
	print_pair(to, "--help", "help, also of one command: causeway cdr list --help");
	print_pair(to, "--version", "the version");
}

static void print_command(FILE *to, const struct cli_command *command)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%s%s", command->words, command->args[0] ? " " : "",
		 command->args);
	print_pair(to, left, command->summary);
}

void help_all(FILE *to)
{
	fputs("usage: causeway COMMAND [options]\n\nCommands:\n", to);
	for (size_t i = 0; i < cli_command_count; i++)
		print_command(to, &cli_commands[i]);
	print_global(to);
	fputs("\nExit status: 0 done, 1 refused or not found, 2 wrong usage.\n", to);
}

void help_noun(FILE *to, struct span noun)
{
	fprintf(to, "usage: causeway %.*s COMMAND [options]\n\nCommands:\n", SPAN_ARG(noun));
	for (size_t i = 0; i < cli_command_count; i++) {
		struct span first, rest;

		span_cut(span_of(cli_commands[i].words), ' ', &first, &rest);
		if (span_eq(first, noun))
			print_command(to, &cli_commands[i]);
	}
	print_global(to);
}

void help_command(FILE *to, const struct cli_command *command)
{
	struct span line, rest = span_of(command->examples);
	char left[80];

	fprintf(to, "usage: causeway %s%s%s%s\n\n%s\n", command->words, command->args[0] ? " " : "",
		command->args, command->options ? " [options]" : "", command->summary);
	if (command->options)
		fputs("\nOptions:\n", to);
	for (const struct cli_option *option = command->options; option && option->name; option++) {
		char letter[8] = "";

		if (option->letter)
			snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
			 option->arg ? " " : "", option->arg ? option->arg : "");
		print_pair(to, left, option->help);
	}
	fputs("\nExamples:\n", to);
	while (span_cut(rest, '\n', &line, &rest))
		fprintf(to, "  %.*s\n", SPAN_ARG(line));
	print_global(to);
}
