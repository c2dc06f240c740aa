/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"
#include "cli/waiting.h"

#include <stdlib.h>

enum {
	KEY_ALL = 512
};

struct input {
	struct args_ids args;
	struct waiting how;
	bool all;
};

static const struct argp_option options[] = {
	{ "all", KEY_ALL, NULL, 0,
		"Wait for all requests that are in the spool now, and say how many are ok", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &in->how;
		return 0;
	case KEY_ALL:
		in->all = true;
		return 0;
	case ARGP_KEY_NO_ARGS:
		return in->all ? 0 : args_parse_ids(key, arg, state);
	case ARGP_KEY_END:
		if (in->all && in->args.n)
			argp_error(state, "either --all or ids");
		if (in->all && in->how.cbor)
			argp_error(state, "--cbor is for one id");
		return 0;
	default:
		return args_parse_ids(key, arg, state);
	}
}

static const struct argp_child children[] = { { &waiting_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "ID...\n--all",
	.doc = "Wait for results and print their payloads."
	       "\vThe exit status is that of the task; for several ids the first that is not 0.  "
	       "The result is taken away once it has been printed.  With --all nothing is printed "
	       "but what went wrong and a summary (results with --json), and a time-out aborts "
	       "nothing.",
	.children = children,
};

/* ---- all ------------------------------------------------------------------------------------- */

static int add(void *arg, const struct wq_entry *entry)
{
	return buf_add(arg, entry->id, WQ_ID_SIZE);
}

static int wait_for_all(struct cli *cli, const struct waiting *given)
{
	struct wq_err err = { 0 };
	struct buf text = { 0 };
	struct waiting how = *given;
	how.summary = true;
	how.exist = true;
	/* They may be somebody else's. */
	how.no_abort = true;
	int status = EXIT_WQ, rc = wq_list(cli->client, add, &text, &err);
	size_t n = text.len / WQ_ID_SIZE;
	char **ids = rc == 0 ? calloc(n ? n : 1, sizeof *ids) : NULL;
	for (size_t i = 0; ids && i < n; i++)
		ids[i] = (char *)text.data + i * WQ_ID_SIZE;
	if (ids)
		status = waiting_run(cli, &how, ids, n);
	else
		cli_say("%s", err.text[0] ? err.text : "no memory for the ids of the spool");
	free(ids);
	buf_fini(&text);
	return status;
}

int cmd_wait(struct cli *cli, int argc, char **argv)
{
	struct input in = { .args = { 0 } };
	char **ids = NULL;
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	if (in.all)
		return wait_for_all(cli, &in.how);
	status = ids_resolve_all(cli, in.args.ids, in.args.n, &ids);
	if (status == 0)
		status = waiting_run(cli, &in.how, ids, in.args.n);
	free(ids);
	return status;
}
