/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq: submit requests, wait for them, and see what becomes of them.  One file a command.
 */
#include "base/suggest.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cli_fn cmd_help, cmd_version;

static const struct command {
	const char *name;
	cli_fn *fn;
	const char *summary;
} commands[] = {
	{ "run", cmd_run, "run a command, as if it ran here" },
	{ "enqueue", cmd_enqueue, "submit a request and print its id" },
	{ "wait", cmd_wait, "wait for results and print them" },
	{ "abort", cmd_abort, "withdraw or end requests" },
	{ "log", cmd_log, "print what a task has written" },
	{ "list", cmd_list, "list requests in their order" },
	{ "set", cmd_set, "change what a running server may do" },
	{ "show", cmd_show, "show one request, or its result" },
	{ "status", cmd_status, "show the spool, the server, and why requests wait" },
	{ "quarantine", cmd_quarantine, "see and settle what the server set aside" },
	{ "metrics", cmd_metrics, "print the server's metrics" },
	{ "help", cmd_help, "explain a command" },
	{ "version", cmd_version, "print the version" },
};

enum {
	N_COMMANDS = sizeof commands / sizeof *commands
};

struct input {
	struct cli cli;
	int first; /* where the command stands in argv; 0: there is none */
	bool version;
};

static const struct argp_option options[] = {
	{ "spool", 'S', "DIR", 0,
		"The spool; else WQ_SPOOL, else that of wq-server's configuration", 0 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case 'S':
		in->cli.given = arg;
		return 0;
	case 'V':
		in->version = true;
		return 0;
	case ARGP_KEY_ARG:
		in->first = state->next - 1;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The list of commands, made from the table, behind the options. */
static char *add_commands(int key, const char *text, void *input)
{
	(void)input;
	char *list = NULL;
	size_t len = 0;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	FILE *out = open_memstream(&list, &len);
	if (!out)
		return NULL;
	fputs("Commands:\n", out);
	for (int i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'wq COMMAND --help' explains one; wq(1) explains all.", out);
	if (fclose(out) != 0) {
		free(list);
		return NULL;
	}
	return list;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "COMMAND [ARG...]",
	.doc = "Submit requests to a work queue, wait for them, and see what becomes of them.\v ",
	.help_filter = add_commands,
};

static const struct command *find(const char *name)
{
	const char *names[N_COMMANDS];
	for (int i = 0; i < N_COMMANDS; i++) {
		names[i] = commands[i].name;
		if (strcmp(names[i], name) == 0)
			return &commands[i];
	}
	const char *near = suggest_nearest(name, names, N_COMMANDS);
	if (near)
		cli_say("'%s' is no command; did you mean '%s'?", name, near);
	else
		cli_say("'%s' is no command; 'wq help' lists them", name);
	return NULL;
}

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	const char **name = state->input;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*name)
		argp_error(state, "'%s' is one word too many", arg);
	*name = arg;
	return 0;
}

static const struct argp help_argp = {
	.parser = parse_help,
	.args_doc = "[COMMAND]",
	.doc = "Explain a command, or list them.",
};

static int cmd_help(struct cli *cli, int argc, char **argv)
{
	char wq[] = "wq", help[] = "--help";
	const char *name = NULL;
	int status = cli_parse(&help_argp, argc, argv, &name);
	if (status)
		return status;
	if (!name) {
		char *own[] = { wq, help, NULL };
		return argp_parse(&argp, 2, own, 0, NULL, NULL) ? EXIT_WQ : 0;
	}
	const struct command *command = find(name);
	if (!command)
		return EXIT_WQ;
	char *theirs[] = { (char *)(uintptr_t)command->name, help, NULL };
	return command->fn(cli, 2, theirs);
}

static const struct argp version_argp = {
	.options = args_json_options,
	.parser = args_parse_json,
	.doc = "Print the version.",
};

static int cmd_version(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	bool json = false;
	int status = cli_parse(&version_argp, argc, argv, &json);
	if (status)
		return status;
	printf(json ? "{\"version\":\"%s\"}\n" : "wq %s\n", wq_version());
	return cli_flush();
}

/* For --help, after which argp ends the program by itself. */
static void check_output(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		_exit(EXIT_WQ);
}

int main(int argc, char **argv)
{
	struct input in = { 0 };
	char name[] = "wq";
	argp_err_exit_status = EXIT_WQ;
	atexit(check_output);
	if (argc > 0)
		argv[0] = name;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &in))
		return EXIT_WQ;
	if (in.version)
		return cmd_version(&in.cli, 1, argv);
	if (!in.first) {
		cli_say("which command? 'wq help' lists them");
		return EXIT_WQ;
	}
	const struct command *command = find(argv[in.first]);
	if (!command)
		return EXIT_WQ;
	int status = command->fn(&in.cli, argc - in.first, argv + in.first);
	cli_close(&in.cli);
	return status;
}
