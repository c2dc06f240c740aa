/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>

static const struct argp argp = {
	.options = args_json_options,
	.parser = args_parse_json,
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
		cli_json_print_line(metrics);
	} else if (json) {
		puts("[]");
	} else {
		cli_print_lines(answer_text(answer, "text"));
	}
	json_decref(answer);
	return cli_flush();
}
