/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/waiting.h"

struct input {
	struct args_ids args;
	struct waiting how;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	if (key != ARGP_KEY_INIT)
		return args_parse_ids(key, arg, state);
	state->child_inputs[0] = &in->how;
	return 0;
}

static const struct argp_child children[] = { { &waiting_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.parser = parse,
	.args_doc = "ID...",
	.doc = "Wait for results and print their payloads."
	       "\vThe exit status is that of the task; for several ids the first that is not 0.  "
	       "The result is taken away once it has been printed.",
	.children = children,
};

int cmd_wait(struct cli *cli, int argc, char **argv)
{
	struct input in = { .args = { 0 } };
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	return status ? status : waiting_run(cli, &in.how, in.args.ids, in.args.n);
}
