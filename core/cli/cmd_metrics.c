/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_JSON = 256
};

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "Print one line of JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;
	switch (key) {
	case KEY_JSON:
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one word too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Print the running server's metrics in the text format of Prometheus.",
};

int cmd_metrics(struct cli *cli, int argc, char **argv)
{
	bool json = false;
	struct wq_err err = { 0 };
	json_t *answer = NULL;
	int status = cli_parse(&argp, argc, argv, &json);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	if (answer_ask(cli, "metrics", &answer, &err) < 0) {
		cli_say("%s: %s", cli->spool, err.text);
		return EXIT_WQ;
	}
	const json_t *metrics = json_object_get(answer, "metrics");
	if (json && metrics) {
		cli_json_print(metrics, stdout);
		putchar('\n');
	} else if (json) {
		puts("[]");
	} else {
		cli_print_lines(answer_text(answer, "text"));
	}
	json_decref(answer);
	return cli_flush();
}
