/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli: what the commands of wq share: the spool they work on, and how they speak.
 *
 * What was asked for goes to standard output, all else to standard error as "wq: sentence".
 * Strings from outside are escaped, so that no request can write to somebody's terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <wq/client.h>

struct argp;
struct ids;

struct cli {
	const char *given; /* -S, or NULL */
	char *spool;       /* which one it is, once it is open */
	const char *rule;  /* what chose it, for people */
	wq_client *client;
	struct ids *ids; /* once cli/ids has listed them; else NULL */
};

/* One sub-command.  argv[0] is its name; the answer is the exit status. */
typedef int cli_fn(struct cli *cli, int argc, char **argv);

cli_fn cmd_abort, cmd_enqueue, cmd_list, cmd_log, cmd_metrics, cmd_quarantine, cmd_run, cmd_set,
	cmd_show, cmd_status, cmd_wait;

/* Parse a command's options; --help and mistakes end the program, as argp does.  0 or EXIT_WQ. */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* The same, and words come to the parser where they stand among the options. */
int cli_parse_in_order(const struct argp *argp, int argc, char **argv, void *input);

/* Find and open the spool.  0, or EXIT_WQ with the reason said. */
int cli_open(struct cli *cli);
void cli_close(struct cli *cli);

/* One line on standard error. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Has all that was printed arrived?  0, or EXIT_WQ with the reason said. */
int cli_flush(void);

/* Print a text from outside: as it is but for control characters; `width` pads with spaces. */
void cli_print_text(const char *text, int width);

/* The same for many lines, each ended by a newline. */
void cli_print_lines(const char *text);
