/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/each.h"
#include "cli/exit.h"
#include "cli/payload.h"
#include "cli/room.h"
#include "cli/waiting.h"

#include <wq/cbor.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	KEY_WAIT = 512,
	KEY_EACH
};

struct input {
	struct waiting how;
	struct command command; /* what stands behind "--"; n 0: nothing does */
	struct wq_request request;
	struct room room;
	const char *file;
	char **words; /* key=value */
	size_t n_words;
	int bad; /* where a word stands in argv that is no key=value; 0: none does */
	bool wait;
	bool each;
};

static const struct argp_option options[] = {
	{ "file", 'f', "FILE", 0,
		"Take the payload from a file of JSON, or of CBOR with --cbor; - is standard input",
		1 },
	{ "each", KEY_EACH, NULL, 0,
		"One request for each line of standard input, which replaces {} in the words", 1 },
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

static error_t take_word(struct input *in, char *word, struct argp_state *state)
{
	int at = state->next - 1;
	if (state->quoted && at >= state->quoted) {
		in->command.words = state->argv + at;
		in->command.n = (size_t)(state->argc - at);
		state->next = state->argc;
	} else if (in->n_words == 0 && !strchr(word, '=')) {
		/* Most likely a command, whose options are not ours. */
		in->bad = at;
		state->next = state->argc;
	} else {
		in->words[in->n_words++] = word;
	}
	return 0;
}

static void check(const struct input *in, const struct argp_state *state)
{
	bool words = in->n_words || in->command.n;
	if (state->quoted && !in->command.n)
		argp_error(state, "which command? Nothing stands behind --");
	if (in->n_words && in->command.n)
		argp_error(state, "the payload is either key=value or a command, not both");
	if (in->file && words)
		argp_error(state, "the payload is either a file or words, not both");
	if (in->each && (in->file || !words))
		argp_error(state, "--each needs words with {} in them");
	if (in->each && in->command.input)
		argp_error(state, "standard input is read by --each, or by --stdin, not by both");
	if (in->each && in->wait && in->how.cbor)
		argp_error(state, "--cbor is for one request");
	if (!in->command.n && command_needs_words(&in->command))
		argp_error(
			state, "%s needs a command, behind --", command_needs_words(&in->command));
	if (!in->wait && needs_wait(&in->how))
		argp_error(state, "%s needs --wait", needs_wait(&in->how));
	if (in->how.cbor && !in->file && !in->wait)
		argp_error(state, "--cbor says how to read --file, and there is none");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &in->how;
		state->child_inputs[1] = &in->command;
		state->child_inputs[2] = &in->request;
		state->child_inputs[3] = &in->room;
		in->words = calloc((size_t)state->argc, sizeof *in->words);
		return in->words ? 0 : ENOMEM;
	case 'f':
		in->file = arg;
		return 0;
	case KEY_WAIT:
		in->wait = true;
		return 0;
	case KEY_EACH:
		in->each = true;
		return 0;
	case ARGP_KEY_ARG:
		return take_word(in, arg, state);
	case ARGP_KEY_END:
		if (!in->bad)
			check(in, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &waiting_argp, 0, "With --wait (--json also without it, --cbor also with --file):", 2 },
	{ &command_argp, 0, "With -- CMD (--run-limit also without it):", 3 },
	{ &args_request_argp, 0, NULL, 1 }, { &room_argp, 0, NULL, 1 }, { 0 }
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[KEY=VALUE...]\n-- CMD [ARG...]",
	.doc = "Enqueue a request and print its id."
	       "\vBehind -- stands a command; what it needs of its surroundings goes with it.  "
	       "Else the payload is a map of the words: a value that is JSON (a number, true, "
	       "false, null, an array, an object, a quoted string) is that, all else is text; one "
	       "that begins with {, [ or \" must be JSON.",
	.children = children,
};

/* For all that comes from words; an each_fn, so `arg` is the input. */
static int make_from_words(
	const void *arg, char *const *words, size_t n, struct wq_cbor_out *out, struct wq_err *err)
{
	const struct input *in = arg;
	if (!in->command.n)
		return payload_from_words(words, n, out, err);
	struct command command = in->command;
	command.words = words;
	command.n = n;
	return command_to_cbor(&command, out, err);
}

static int make_payload(const struct input *in, struct wq_cbor_out *out, struct wq_err *err)
{
	if (in->file)
		return payload_from_file(in->file, in->how.cbor, out, err);
	if (in->command.n)
		return make_from_words(in, in->command.words, in->command.n, out, err);
	return make_from_words(in, in->words, in->n_words, out, err);
}

/* The same for its label; an each_label_fn. */
static char *label_of_words(
	const void *arg, char *const *words, size_t n, char ret[EACH_LABEL_SIZE])
{
	const struct input *in = arg;
	struct command command = in->command;
	command.words = words;
	command.n = n;
	return command_label(&command, ret);
}

static int enqueue_each(struct cli *cli, struct input *in)
{
	const struct each each = {
		.request = in->request,
		.words = in->command.n ? in->command.words : in->words,
		.n = in->command.n ? in->command.n : in->n_words,
		.append = in->command.n && !in->command.shell,
		.quote = in->command.shell,
		.room = &in->room,
		.make = make_from_words,
		.label = in->command.n ? label_of_words : NULL,
		.arg = in,
	};
	return each_run(cli, &each, in->wait ? &in->how : NULL, in->how.json);
}

static int wait_for(struct cli *cli, struct input *in, char *id)
{
	in->how.exist = true;
	/* A person who interrupts the wait needs the id; a script has it in the result. */
	if (isatty(STDERR_FILENO))
		cli_say("waiting for %s", id);
	return waiting_run(cli, &in->how, &id, 1);
}

/* What was probably meant: all words as they stand, behind "--". */
static void say_not_key_value(int argc, char **argv, int bad)
{
	char *before = command_quote(argv + 1, (size_t)(bad - 1));
	char *command = command_quote(argv + bad, (size_t)(argc - bad));
	if (before && command)
		cli_say("'%s' is not key=value; to run a command: wq enqueue %s%s-- %s", argv[bad],
			before, *before ? " " : "", command);
	else
		cli_say("'%s' is not key=value", argv[bad]);
	free(before);
	free(command);
}

static int enqueue_one(struct cli *cli, struct input *in, char ret_id[WQ_ID_SIZE])
{
	struct wq_cbor_out payload;
	struct wq_err err = { 0 };
	char label[COMMAND_LABEL_SIZE];
	wq_cbor_out_init(&payload);
	int rc = make_payload(in, &payload, &err);
	if (rc == 0) {
		if (in->command.n && !in->request.label)
			in->request.label = command_label(&in->command, label);
		in->request.payload = payload.buf;
		in->request.payload_len = payload.len;
		rc = wq_enqueue(cli->client, &in->request, ret_id, &err);
	}
	int status = 0;
	while (rc < 0 && (status = room_wait(cli, &in->room, rc, &err)) == 0)
		rc = wq_enqueue(cli->client, &in->request, ret_id, &err);
	wq_cbor_out_free(&payload);
	if (rc < 0)
		command_say(&in->command, rc, &err);
	return rc < 0 ? status : 0;
}

static int enqueue(struct cli *cli, struct input *in)
{
	char id[WQ_ID_SIZE];
	int status = cli_open(cli);
	if (status)
		return status;
	in->request.run_limit_ns = in->command.run_limit_ns;
	if (in->each)
		return enqueue_each(cli, in);
	status = enqueue_one(cli, in, id);
	if (status)
		return status;
	if (in->wait)
		return wait_for(cli, in, id);
	printf(in->how.json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
	return cli_flush();
}

int cmd_enqueue(struct cli *cli, int argc, char **argv)
{
	struct input in = { .request = { .struct_size = sizeof in.request } };
	int status = cli_parse_in_order(&argp, argc, argv, &in);
	if (status == 0 && in.bad) {
		say_not_key_value(argc, argv, in.bad);
		status = EXIT_WQ;
	}
	if (status == 0)
		status = enqueue(cli, &in);
	free(in.words);
	return status;
}
