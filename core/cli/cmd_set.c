/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <wq/cbor.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RUNNING "max-running"
#define DEFAULT     "default"

struct input {
	bool json;
	bool is_default;
	const char *name;
	const char *text; /* of the value */
	int64_t value;
	const char *task_manager;
};

static const struct argp_option options[] = {
	{ "task-manager", 'm', "NAME", 0, "Whose; else the server's default", 0 },
	{ "json", ARGS_KEY_JSON, NULL, 0, "Print one line of JSON", 0 },
	{ 0 },
};

/* Whether it is one that the server takes is the server's to say. */
static bool parse_value(struct input *in, const char *text)
{
	char *end;
	in->text = text;
	in->is_default = strcmp(text, DEFAULT) == 0;
	if (in->is_default)
		return true;
	errno = 0;
	in->value = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && errno == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case 'm':
		in->task_manager = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (in->text)
			argp_error(state, "'%s' is one word too many", arg);
		if (in->name) {
			if (!parse_value(in, arg))
				argp_error(
					state, "'%s' is neither a number nor '" DEFAULT "'", arg);
			return 0;
		}
		in->name = arg;
		if (strcmp(arg, MAX_RUNNING) != 0)
			argp_error(state, "'%s' cannot be set; '" MAX_RUNNING "' can", arg);
		return 0;
	case ARGP_KEY_END:
		if (!in->text)
			argp_error(state,
				"which value? " MAX_RUNNING " N, or " MAX_RUNNING " " DEFAULT);
		return 0;
	default:
		return args_parse_json(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = MAX_RUNNING " N\n" MAX_RUNNING " " DEFAULT,
	.doc = "Say how many tasks of a task manager may run at once, from now on."
	       "\vThe running server does it, and keeps it across restarts until it is set again; "
	       "'" DEFAULT "' goes back to what wq.conf says.",
};

static void put_args(const struct input *in, struct wq_cbor_out *out)
{
	/* In deterministic order (RFC 8949 section 4.2.1): by length, then by bytes. */
	wq_cbor_put_map(out, in->task_manager ? 3 : 2);
	wq_cbor_put_pair(out, "name", in->name);
	wq_cbor_put_text(out, "value");
	if (in->is_default)
		wq_cbor_put_null(out);
	else
		wq_cbor_put_uint(out, (uint64_t)in->value);
	if (in->task_manager)
		wq_cbor_put_pair(out, "task-manager", in->task_manager);
}

static int ask(struct cli *cli, const struct input *in, json_t **ret, struct wq_err *err)
{
	struct wq_cbor_out args;
	void *answer = NULL;
	size_t len = 0;
	wq_cbor_out_init(&args);
	put_args(in, &args);
	int rc = args.err ? err_set(err, args.err, "cannot make the question") : 0;
	if (rc == 0)
		rc = wq_ask_with(cli->client, "set", args.buf, args.len, &answer, &len, err);
	wq_cbor_out_free(&args);
	if (rc < 0)
		return rc;
	rc = cli_json_from_cbor(answer, len, ret, err);
	free(answer);
	if (rc < 0)
		err_prefix(err, "the server's answer");
	return rc;
}

int cmd_set(struct cli *cli, int argc, char **argv)
{
	struct input in = { 0 };
	struct wq_err err = { 0 };
	json_t *answer = NULL;
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	int rc = ask(cli, &in, &answer, &err);
	if (rc == -WQ_E_GONE)
		cli_say("no server is running on '%s', and only a running one can set " MAX_RUNNING
			"; without one, wq.conf says it",
			cli->spool);
	else if (rc < 0)
		cli_say("%s", err.text);
	if (rc < 0)
		return EXIT_WQ;
	if (in.json)
		cli_json_print_line(answer);
	else
		printf("%" PRId64 "\n", answer_int(answer, MAX_RUNNING));
	json_decref(answer);
	return cli_flush();
}
