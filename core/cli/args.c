/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"

#include "base/quantity.h"

#include <wq/client.h>

#include <stdbool.h>
#include <string.h>

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

enum {
	KEY_DURABLE = 1024, /* beside those of the commands that have these options */
	KEY_START_WITHIN,
	KEY_KEEP_FOR,
	KEY_ON_CRASH
};

static const struct argp_option request_options[] = {
	{ "task-manager", 'm', "NAME", 0, "Who is to do it; else the server's default", 1 },
	{ "key", 'k', "TEXT", 0, "The key, for a task manager that looks at it", 1 },
	{ "label", 'l', "TEXT", 0, "A text for people and logs; a command has its words", 1 },
	{ "start-within", KEY_START_WITHIN, "DURATION", 0,
		"When it has not been started by then, it never is (\"90s\", \"1.5h\")", 1 },
	{ "keep-for", KEY_KEEP_FOR, "DURATION", 0,
		"Keep its result and output no longer than this after its end", 1 },
	{ "durable", KEY_DURABLE, NULL, 0, "Print the id when a power cut can no longer take it",
		1 },
	{ "on-crash", KEY_ON_CRASH, "WORD", 0,
		"What becomes of it when it is lost in a crash: fail, adopt or requeue; it allows "
		"no more than the task manager does",
		1 },
	{ 0 },
};

static void parse_duration(const char *arg, int64_t *ret_ns, const struct argp_state *state)
{
	if (quantity_parse_duration(arg, ret_ns) < 0 || *ret_ns == 0)
		argp_error(state, "'%s' is not a duration like 90s, 15m or 1.5h", arg);
}

static const char *find_on_crash(const char *word)
{
	static const char *const words[] = { "fail", "adopt", "requeue" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0)
			return words[i];
	return NULL;
}

static error_t parse_request(int key, char *arg, struct argp_state *state)
{
	struct wq_request *request = state->input;
	switch (key) {
	case 'm':
		request->task_manager = arg;
		return 0;
	case 'k':
		request->key = arg;
		return 0;
	case 'l':
		request->label = arg;
		return 0;
	case KEY_START_WITHIN:
		parse_duration(arg, &request->start_within_ns, state);
		return 0;
	case KEY_KEEP_FOR:
		parse_duration(arg, &request->keep_for_ns, state);
		return 0;
	case KEY_DURABLE:
		request->durable = 1;
		return 0;
	case KEY_ON_CRASH:
		request->on_crash = find_on_crash(arg);
		if (!request->on_crash)
			argp_error(state, "--on-crash: '%s' is not fail, adopt or requeue", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp args_request_argp = { .options = request_options, .parser = parse_request };

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
