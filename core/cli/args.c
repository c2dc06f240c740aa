/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"

#include <stdbool.h>

const struct argp_option args_json_options[] = {
	{ "json", ARGS_KEY_JSON, NULL, 0, "Print one line of JSON", 0 },
	{ 0 },
};

error_t args_parse_json(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;
	switch (key) {
	case ARGS_KEY_JSON:
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one word too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t args_parse_ids(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	struct args_ids *in = state->input;
	switch (key) {
	case ARGP_KEY_ARGS:
		in->ids = state->argv + state->next;
		in->n = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which request? give its id, its beginning, or @ for the newest");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}
