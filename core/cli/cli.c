/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/utf8.h"
#include "cli/choice.h"
#include "cli/exit.h"
#include "cli/ids.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 4096
};

static int parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
	/* argp shows argv[0] as the program, so usage lines read "wq wait ...". */
	char name[64];
	snprintf(name, sizeof name, "wq %s", argv[0]);
	char *plain = argv[0];
	argv[0] = name;
	error_t rc = argp_parse(argp, argc, argv, flags, NULL, input);
	argv[0] = plain;
	if (rc)
		cli_say("%s", strerror(rc));
	return rc ? EXIT_WQ : 0;
}

int cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	return parse(argp, argc, argv, 0, input);
}

int cli_parse_in_order(const struct argp *argp, int argc, char **argv, void *input)
{
	return parse(argp, argc, argv, ARGP_IN_ORDER, input);
}

int cli_open(struct cli *cli)
{
	struct wq_err err = { 0 };
	int rc = choice_find(cli->given, &cli->spool, &cli->rule, &err);
	if (rc == 0)
		rc = wq_open(&cli->client, cli->spool, &err);
	if (rc < 0) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	return 0;
}

void cli_close(struct cli *cli)
{
	wq_close(cli->client);
	ids_free(cli->ids);
	free(cli->spool);
	cli->client = NULL;
	cli->ids = NULL;
	cli->spool = NULL;
}

void cli_say(const char *fmt, ...)
{
	char raw[LINE_MAX_BYTES], safe[LINE_MAX_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	/* What was printed before comes first. */
	fflush(stdout);
	fprintf(stderr, "wq: %s\n", utf8_escape(raw, strlen(raw), safe, sizeof safe));
}

int cli_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	cli_say("cannot write the output: %s", strerror(errno));
	return EXIT_WQ;
}

void cli_print_text(const char *text, int width)
{
	char safe[LINE_MAX_BYTES];
	printf("%-*s", width, utf8_escape(text, strlen(text), safe, sizeof safe));
}

void cli_print_lines(const char *text)
{
	/* Only a terminal is in danger; a program wants the bytes. */
	if (!isatty(STDOUT_FILENO)) {
		fputs(text, stdout);
		return;
	}
	while (*text) {
		char safe[LINE_MAX_BYTES];
		size_t len = strcspn(text, "\n");
		puts(utf8_escape(text, len, safe, sizeof safe));
		text += len + (text[len] == '\n');
	}
}
