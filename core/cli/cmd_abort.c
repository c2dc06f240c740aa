/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"

#include <stdlib.h>
#include <string.h>

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
		wq_result *result = NULL;
		bool finished = wq_read_finished(cli->client, id, &result, NULL) == 0;
		wq_result_free(result);
		cli_say(finished ? "%s: gone already: it is finished, and in the history"
				 : "%s: gone already",
			id);
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
	/* Before anything is done: a word that is wrong may be a slip in one that was right. */
	char **ids = NULL;
	status = ids_resolve_all(cli, in.ids, in.n, &ids);
	for (size_t i = 0; ids && i < in.n; i++) {
		int one = abort_one(cli, ids[i]);
		/* "@" is another one after this: name what was meant. */
		if (one == 0 && strcmp(ids[i], in.ids[i]) != 0)
			cli_say("%s: its abort is asked for", ids[i]);
		status = status ? status : one;
	}
	free(ids);
	return status;
}
