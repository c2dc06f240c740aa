/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"
#include "cli/waiting.h"

#include <argp.h>

struct input {
	struct waiting how;
	char **ids;
	size_t n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &in->how;
		return 0;
	case ARGP_KEY_ARGS:
		in->ids = state->argv + state->next;
		in->n = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which request? give its id");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
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
	struct input in = { .n = 0 };
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	return status ? status : waiting_run(cli, &in.how, in.ids, in.n);
}
