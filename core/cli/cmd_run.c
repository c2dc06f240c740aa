/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/outcome.h"
#include "cli/server_start.h"
#include "cli/stream.h"

#include <wq/cbor.h>

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	KEY_JSON = 512
};

struct input {
	struct command command;
	struct wq_request request;
	bool json;
};

struct run {
	struct cli *cli;
	const struct input *in;
	char id[WQ_ID_SIZE];
	bool aborted; /* we have asked for it */
};

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "Print the whole result as one line of JSON at the end", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &in->request;
		state->child_inputs[1] = &in->command;
		return 0;
	case KEY_JSON:
		in->json = true;
		return 0;
	case ARGP_KEY_ARG:
		/* What follows is the command's, options too. */
		in->command.words = state->argv + state->next - 1;
		in->command.n = (size_t)(state->argc - state->next + 1);
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &args_request_argp, 0, NULL, 1 },
	{ &command_argp, 0, NULL, 1 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "CMD [ARG...]",
	.doc = "Run a command through the queue, as if it ran here."
	       "\vIt runs in this directory, with this environment and umask.  What it writes is "
	       "shown as it comes, and its exit status is that of wq.  Ctrl-C aborts it; a second "
	       "one leaves it alone.",
	.children = children,
};

/* ---- ends that leave it ----------------------------------------------------------------------- */

/* Nobody reads any more, or it cannot be written: the request goes on, and wq ends. */
static int leave(const struct run *r, int32_t which, int rc)
{
	const char *name = which == WQ_STDOUT ? "standard output" : "standard error";
	if (rc == -EPIPE)
		cli_say("%s is closed; %s goes on: 'wq log -f %s', 'wq wait %s' or 'wq abort %s'",
			name, r->id, r->id, r->id, r->id);
	else
		cli_say("cannot write to %s: %s; %s goes on: 'wq log -f %s', 'wq wait %s' or 'wq "
			"abort %s'",
			name, strerror(-rc), r->id, r->id, r->id, r->id);
	return rc == -EPIPE ? EXIT_SIGNAL + SIGPIPE : EXIT_WQ;
}

static void abort_if_asked(struct run *r)
{
	struct wq_err err = { 0 };
	if (!interrupt_asked())
		return;
	if (wq_abort(r->cli->client, r->id, &err) < 0) {
		cli_say("cannot abort %s: %s; Ctrl-C again to leave it", r->id, err.text);
		return;
	}
	r->aborted = true;
	cli_say("aborting; Ctrl-C again to leave it");
}

/* ---- to its end ------------------------------------------------------------------------------- */

/* All that it writes.  0: that was all, or it cannot be followed, which has been said. */
static int follow(struct run *r, wq_output *output)
{
	static char bytes[STREAM_CHUNK];
	for (;;) {
		struct wq_err err = { 0 };
		int32_t which = 0;
		abort_if_asked(r);
		int64_t n = wq_output_read(output, WQ_FOREVER, &which, bytes, sizeof bytes, &err);
		if (n == -EINTR)
			continue;
		if (n < 0)
			cli_say("%s; what it writes is not shown any more", err.text);
		if (n <= 0)
			return 0;
		int rc = stream_write(
			which == WQ_STDOUT ? STDOUT_FILENO : STDERR_FILENO, bytes, (size_t)n);
		if (rc < 0)
			return leave(r, which, rc);
	}
}

static int show_output(struct run *r)
{
	struct wq_err err = { 0 };
	wq_output *output;
	int rc = wq_output_open(&output, r->cli->client, r->id, &err);
	if (rc < 0) {
		if (rc != -WQ_E_GONE) /* the wait for its result says that */
			cli_say("%s; what it writes is not shown", err.text);
		return 0;
	}
	int status = follow(r, output);
	wq_output_close(output);
	return status;
}

/* An exit status alone needs no words: wq has the same. */
static bool is_plain(const struct wq_result_info *info)
{
	return strcmp(info->status, "failed") == 0 && strcmp(info->error, "exit-status") == 0 &&
	       info->code != 0;
}

static int report(const struct run *r, const wq_result *result)
{
	struct wq_result_info info = { .struct_size = sizeof info };
	struct wq_err err = { 0 };
	wq_result_info(result, &info);
	if (r->in->json) {
		if (outcome_print(&info, OUTCOME_JSON, &err) < 0) {
			cli_say("%s: %s; its result stays", info.id, err.text);
			return EXIT_WQ;
		}
		if (cli_flush() != 0)
			return EXIT_WQ;
	}
	if (!is_plain(&info))
		outcome_say(&info);
	int rc = wq_collect(r->cli->client, info.id, &err);
	if (rc < 0 && rc != -WQ_E_GONE) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	return exit_of_result(&info);
}

static int take_result(struct run *r)
{
	struct wq_err err = { 0 };
	wq_result *result = NULL;
	int rc;
	do {
		abort_if_asked(r);
		rc = wq_wait(r->cli->client, r->id, WQ_FOREVER, WQ_WAIT_KEEP, &result, &err);
	} while (rc == -EINTR);
	if (rc == -WQ_E_GONE && r->aborted) {
		cli_say("%s: aborted", r->id);
		return EXIT_SIGNAL + SIGINT;
	}
	if (rc < 0) {
		cli_say("%s", err.text);
		return exit_of_code(rc);
	}
	int status = report(r, result);
	wq_result_free(result);
	return status;
}

/* ---- from its beginning ----------------------------------------------------------------------- */

static int enqueue(struct run *r, const struct wq_cbor_out *payload)
{
	char label[COMMAND_LABEL_SIZE];
	struct wq_err err = { 0 };
	struct wq_request request = r->in->request;
	request.run_limit_ns = r->in->command.run_limit_ns;
	request.payload = payload->buf;
	request.payload_len = payload->len;
	if (!request.label)
		request.label = command_label(&r->in->command, label);
	int rc = wq_enqueue(r->cli->client, &request, r->id, &err);
	if (rc < 0)
		command_say(&r->in->command, rc, &err);
	return rc < 0 ? EXIT_WQ : 0;
}

/* Whoever interrupts is told of a request that is there, and ends us where there is none. */
static int run(struct run *r, const struct wq_cbor_out *payload)
{
	sigset_t interrupts, before;
	char *id = r->id;
	uint8_t done = 0;
	struct interrupt what = { .ids = &id, .done = &done, .n = 1, .first_asks = true };
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupts, &before);
	int status = enqueue(r, payload);
	if (status == 0)
		interrupt_begin(&what);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (status)
		return status;
	status = show_output(r);
	if (status == 0)
		status = take_result(r);
	interrupt_end();
	return status;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	struct input in = { .request = { .struct_size = sizeof in.request } };
	struct run r = { .cli = cli, .in = &in };
	struct wq_cbor_out payload;
	struct wq_err err = { 0 };
	bool serves;
	int status = cli_parse_in_order(&argp, argc, argv, &in);
	if (status)
		return status;
	wq_cbor_out_init(&payload);
	int rc = command_to_cbor(&in.command, &payload, &err);
	if (rc < 0) {
		command_say(&in.command, rc, &err);
		status = EXIT_WQ;
	}
	if (status == 0)
		status = server_start_open(cli, &serves);
	if (status == 0) {
		if (!serves)
			cli_say("no server is running on '%s'; waiting for one ('wq status' tells "
				"more)",
				cli->spool);
		status = run(&r, &payload);
	}
	wq_cbor_out_free(&payload);
	return status;
}
