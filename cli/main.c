/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the command line. Words up to the command's name choose it, what follows are its arguments and options;
 * the global options may stand anywhere. */
#include "cli.h"

#include "base/near.h"

#include <curl/curl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

struct reading {
	struct cli *cli;
	struct span noun; /* first word, until the command is known */
	bool help;
	bool no_options; /* after "--" */
};

void cli_error(const char *format, ...)
{
	va_list ap;

	fputs("causeway: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

const char *cli_value(const struct cli *cli, const char *option)
{
	const struct cli_option *options = cli->command->options;

	for (unsigned i = 0; options && options[i].name; i++)
		if (strcmp(options[i].name, option) == 0)
			return cli->values[i];
	assert(!"a command asked for an option that it lacks");
	return NULL;
}

static void print_near(const struct near *near, const char *before)
{
	for (unsigned i = 0; i < near->n; i++)
		fprintf(stderr, "%s%s%.*s", i ? ", " : "did you mean: ", before,
			SPAN_ARG(near->name[i]));
	if (near->n)
		fputc('\n', stderr);
}

static struct span noun_of(const struct cli_command *command)
{
	struct span noun, rest;

	span_cut(span_of(command->words), ' ', &noun, &rest);
	return noun;
}

static int complain_unknown_noun(const char *word)
{
	struct near near;

	near_start(&near, span_of(word));
	for (size_t i = 0; i < cli_command_count; i++)
		if (i == 0 || !span_eq(noun_of(&cli_commands[i]), noun_of(&cli_commands[i - 1])))
			near_offer(&near, noun_of(&cli_commands[i]));
	cli_error("there is no command \"%s\"; causeway --help lists them", word);
	print_near(&near, "causeway ");
	return EXIT_USAGE;
}

/* The first word: a command by itself, or what a command is about. */
static int take_noun(struct reading *r, const char *word)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		if (!span_eq(noun_of(&cli_commands[i]), span_of(word)))
			continue;
		if (strcmp(cli_commands[i].words, word) == 0)
			r->cli->command = &cli_commands[i];
		r->noun = span_of(word);
		return EXIT_DONE;
	}
	return complain_unknown_noun(word);
}

static int take_verb(struct reading *r, const char *word)
{
	struct near near;
	char words[64];

	snprintf(words, sizeof(words), "%.*s %s", SPAN_ARG(r->noun), word);
	near_start(&near, span_of(words));
	for (size_t i = 0; i < cli_command_count; i++) {
		if (strcmp(cli_commands[i].words, words) == 0) {
			r->cli->command = &cli_commands[i];
			return EXIT_DONE;
		}
		near_offer(&near, span_of(cli_commands[i].words));
	}
	cli_error("there is no command \"%s\"; causeway %.*s --help lists them", words,
		  SPAN_ARG(r->noun));
	print_near(&near, "causeway ");
	return EXIT_USAGE;
}

static int take_word(struct reading *r, const char *word)
{
	struct cli *cli = r->cli;

	if (!r->noun.len)
		return take_noun(r, word);
	if (!cli->command)
		return take_verb(r, word);
	if (cli->n_args == cli->command->most_args) {
		cli_error("%s takes %s%s: \"%s\" is too much; causeway %s --help",
			  cli->command->words, cli->command->most_args ? "only " : "no arguments",
			  cli->command->args, word, cli->command->words);
		return EXIT_USAGE;
	}
	cli->args[cli->n_args++] = word;
	return EXIT_DONE;
}

/* "--name" or "--name=value": does `arg` name this option? Then *value_out is what follows "=", or NULL. */
static bool is_option(const char *arg, const char *name, const char **value_out)
{
	size_t len = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, len) != 0)
		return false;
	*value_out = arg[2 + len] == '=' ? arg + 3 + len : NULL;
	return arg[2 + len] == '\0' || *value_out;
}

static int complain_option(const char *arg, const char *what)
{
	cli_error("%s: %s", arg, what);
	return EXIT_USAGE;
}

/* Its value: after "=", or the next argument. */
static int take_value(char **argv, int *i, const char *value, const char **out)
{
	if (!value && argv[*i + 1])
		value = argv[++*i];
	if (!value)
		return complain_option(argv[*i], "a value must follow");
	*out = value;
	return EXIT_DONE;
}

static int take_command_option(struct reading *r, char **argv, int *i)
{
	const struct cli_option *options = r->cli->command ? r->cli->command->options : NULL;
	struct span name, rest;
	struct near near;
	const char *value;

	span_cut(span_of(argv[*i] + 2), '=', &name, &rest);
	near_start(&near, name);
	for (unsigned o = 0; options && options[o].name; o++) {
		near_offer(&near, span_of(options[o].name));
		if (!is_option(argv[*i], options[o].name, &value))
			continue;
		if (options[o].arg)
			return take_value(argv, i, value, &r->cli->values[o]);
		r->cli->values[o] = "";
		return value ? complain_option(argv[*i], "takes no value") : EXIT_DONE;
	}
	if (r->cli->command)
		cli_error("%s has no option %s; causeway %s --help lists them",
			  r->cli->command->words, argv[*i], r->cli->command->words);
	else
		cli_error("there is no option %s before the command; causeway --help lists them",
			  argv[*i]);
	print_near(&near, "--");
	return EXIT_USAGE;
}

/* "-o": the option whose letter this is, or NULL. */
static const struct cli_option *option_of_letter(const struct reading *r, const char *arg)
{
	const struct cli_option *options = r->cli->command ? r->cli->command->options : NULL;

	if (!arg[1] || arg[1] == '-' || arg[2])
		return NULL;
	for (; options && options->name; options++)
		if (options->letter == arg[1])
			return options;
	return NULL;
}

static int take_option(struct reading *r, char **argv, int *i)
{
	const struct cli_option *short_one = option_of_letter(r, argv[*i]);
	const char *value;

	if (strcmp(argv[*i], "--") == 0) {
		r->no_options = true;
		return EXIT_DONE;
	}
	if (strcmp(argv[*i], "--help") == 0 || strcmp(argv[*i], "-h") == 0) {
		r->help = true;
		return EXIT_DONE;
	}
	if (strcmp(argv[*i], "--json") == 0) {
		r->cli->json = true;
		return EXIT_DONE;
	}
	if (strcmp(argv[*i], "--version") == 0) {
		puts("causeway " CAUSEWAY_VERSION);
		exit(EXIT_DONE);
	}
	if (is_option(argv[*i], "socket", &value))
		return take_value(argv, i, value, &r->cli->socket);
	if (short_one)
		return take_value(argv, i, NULL,
				  &r->cli->values[short_one - r->cli->command->options]);
	if (strncmp(argv[*i], "--", 2) != 0)
		return complain_option(argv[*i], "there is no such short option");
	return take_command_option(r, argv, i);
}

static int show_help(const struct reading *r)
{
	if (r->cli->command)
		help_command(stdout, r->cli->command);
	else if (r->noun.len)
		help_noun(stdout, r->noun);
	else
		help_all(stdout);
	return EXIT_DONE;
}

static int read_arguments(struct reading *r, char **argv)
{
	int code = EXIT_DONE;

	for (int i = 1; argv[i] && code == EXIT_DONE; i++) {
		if (argv[i][0] == '-' && argv[i][1] && !r->no_options)
			code = take_option(r, argv, &i);
		else
			code = take_word(r, argv[i]);
	}
	return code;
}

static int run(int argc, char **argv)
{
	const char *socket = getenv("CAUSEWAY_SOCKET");
	struct cli cli = { .socket = socket && socket[0] ? socket : DEFAULT_SOCKET };
	struct reading r = { .cli = &cli };
	int code = read_arguments(&r, argv);

	if (code != EXIT_DONE)
		return code;
	if (r.help)
		return show_help(&r);
	if (!cli.command) {
		if (r.noun.len)
			help_noun(stderr, r.noun);
		else
			help_all(stderr);
		return EXIT_USAGE;
	}
	if (cli.n_args < cli.command->least_args) {
		cli_error("%s needs %s; causeway %s --help", cli.command->words, cli.command->args,
			  cli.command->words);
		return EXIT_USAGE;
	}
	return cli.command->run(&cli);
}

int main(int argc, char **argv)
{
	int code;

	/* A reader that has gone (causeway cdr list | head) ends us without a word. */
	signal(SIGPIPE, SIG_DFL);
	setlocale(LC_CTYPE, "C.UTF-8");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = run(argc, argv);
	curl_global_cleanup();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_error("cannot write the output: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	return code;
}
