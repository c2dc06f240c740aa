/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"

#include <wq/cbor.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct input {
	struct args_ids ids;
	bool forget;
};

enum {
	KEY_FORGET = 512
};

static const struct argp_option options[] = {
	{ "forget", KEY_FORGET, NULL, 0,
		"These are lost, and nobody can prove that nothing of them runs any more: take "
		"them "
		"for over all the same",
		0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	if (key != KEY_FORGET)
		return args_parse_ids(key, arg, state);
	in->forget = true;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
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

/* The server does it at once, and says so. */
static int forget_one(struct cli *cli, const char *id)
{
	struct wq_cbor_out args;
	struct wq_err err = { 0 };
	void *answer = NULL;
	size_t len = 0;
	wq_cbor_out_init(&args);
	wq_cbor_put_map(&args, 1);
	wq_cbor_put_pair(&args, "id", id);
	int rc = args.err ? err_set(&err, args.err, "cannot make the question") : 0;
	if (rc == 0)
		rc = wq_ask_with(cli->client, "forget", args.buf, args.len, &answer, &len, &err);
	wq_cbor_out_free(&args);
	free(answer);
	if (rc == -WQ_E_GONE)
		cli_say("%s: no server is running on '%s', and only a running one can forget a "
			"task; "
			"the next one looks for it again",
			id, cli->spool);
	else if (rc < 0)
		cli_say("%s", err.text);
	else
		cli_say("%s is forgotten: its slot is free, and its result is 'lost'", id);
	return rc < 0 ? EXIT_WQ : 0;
}

int cmd_abort(struct cli *cli, int argc, char **argv)
{
	struct input in = { 0 };
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	/* Before anything is done: a word that is wrong may be a slip in one that was right. */
	char **ids = NULL;
	status = ids_resolve_all(cli, in.ids.ids, in.ids.n, &ids);
	for (size_t i = 0; ids && i < in.ids.n; i++) {
		int one = in.forget ? forget_one(cli, ids[i]) : abort_one(cli, ids[i]);
		/* "@" is another one after this: name what was meant. */
		if (one == 0 && !in.forget && strcmp(ids[i], in.ids.ids[i]) != 0)
			cli_say("%s: its abort is asked for", ids[i]);
		status = status ? status : one;
	}
	free(ids);
	return status;
}
