/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"

static const struct argp argp = {
	.parser = args_parse_ids,
	.args_doc = "ID...",
	.doc = "Ask that requests be aborted."
	       "\vOne that waits is withdrawn, one that runs is ended, the result of one that is "
	       "complete is removed.  This does not wait until it has happened; wq wait does.",
};

static int abort_one(struct cli *cli, const char *id)
{
	struct wq_err err = { 0 };
	int rc = wq_state(cli->client, id, &err);
	if (rc == WQ_STATE_GONE) {
		cli_say("%s: gone already", id);
		return EXIT_GONE;
	}
	if (rc >= 0)
		rc = wq_abort(cli->client, id, &err);
	if (rc < 0)
		cli_say("%s", err.text);
	return rc < 0 ? EXIT_WQ : 0;
}

int cmd_abort(struct cli *cli, int argc, char **argv)
{
	struct args_ids in = { 0 };
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	for (size_t i = 0; i < in.n; i++) {
		int one = abort_one(cli, in.ids[i]);
		status = status ? status : one;
	}
	return status;
}
