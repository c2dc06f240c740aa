/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/payload.h"
#include "cli/waiting.h"

#include <wq/cbor.h>

#include <argp.h>
#include <stdio.h>
#include <unistd.h>

enum {
	KEY_WAIT = 512
};

struct input {
	struct waiting how;
	struct wq_request request;
	const char *file;
	char **words;
	size_t n_words;
	bool wait;
};

static const struct argp_option options[] = {
	{ "task-manager", 'm', "NAME", 0, "Who is to do it; else the server's default", 1 },
	{ "key", 'k', "TEXT", 0, "The key by which requests are ordered", 1 },
	{ "label", 'l', "TEXT", 0, "A text for people and logs", 1 },
	{ "file", 'f', "FILE", 0,
		"Take the payload from a file of JSON, or of CBOR with --cbor; - is standard input",
		1 },
	{ "wait", KEY_WAIT, NULL, 0, "Wait for the result, like wq wait", 1 },
	{ 0 },
};

static const char *needs_wait(const struct waiting *how)
{
	return how->timeout_ns != WQ_FOREVER ? "--timeout"
	       : how->no_abort               ? "--no-abort"
	       : how->peek                   ? "--peek"
	       : how->progress               ? "--progress"
					     : NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &in->how;
		return 0;
	case 'm':
		in->request.task_manager = arg;
		return 0;
	case 'k':
		in->request.key = arg;
		return 0;
	case 'l':
		in->request.label = arg;
		return 0;
	case 'f':
		in->file = arg;
		return 0;
	case KEY_WAIT:
		in->wait = true;
		return 0;
	case ARGP_KEY_ARGS:
		in->words = state->argv + state->next;
		in->n_words = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_END:
		if (in->file && in->n_words)
			argp_error(state, "the payload is either a file or key=value, not both");
		if (!in->wait && needs_wait(&in->how))
			argp_error(state, "%s needs --wait", needs_wait(&in->how));
		if (in->how.cbor && !in->file && !in->wait)
			argp_error(state, "--cbor says how to read --file, and there is none");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &waiting_argp, 0, "With --wait (--json also without it, --cbor also with --file):", 2 },
	{ 0 }
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[KEY=VALUE...]",
	.doc = "Enqueue a request and print its id."
	       "\vThe payload is a map of the words: a value that is JSON (a number, true, false, "
	       "null, "
	       "an array, an object, a quoted string) is that, all else is text; one that begins "
	       "with {, [ or \" must be JSON.",
	.children = children,
};

static int make_payload(const struct input *in, struct wq_cbor_out *out, struct wq_err *err)
{
	return in->file ? payload_from_file(in->file, in->how.cbor, out, err)
			: payload_from_words(in->words, in->n_words, out, err);
}

static int wait_for(struct cli *cli, const struct input *in, char *id)
{
	/* A person who interrupts the wait needs the id; a script has it in the result. */
	if (isatty(STDERR_FILENO))
		cli_say("waiting for %s", id);
	return waiting_run(cli, &in->how, &id, 1);
}

int cmd_enqueue(struct cli *cli, int argc, char **argv)
{
	struct input in = { .request = { .struct_size = sizeof in.request } };
	struct wq_cbor_out payload;
	struct wq_err err = { 0 };
	char id[WQ_ID_SIZE];
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	wq_cbor_out_init(&payload);
	int rc = make_payload(&in, &payload, &err);
	if (rc == 0) {
		in.request.payload = payload.buf;
		in.request.payload_len = payload.len;
		rc = wq_enqueue(cli->client, &in.request, id, &err);
	}
	wq_cbor_out_free(&payload);
	if (rc < 0) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	if (in.wait)
		return wait_for(cli, &in, id);
	printf(in.how.json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
	return cli_flush();
}
