/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "base/time.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/kept.h"
#include "cli/outcome.h"
#include "cli/room.h"
#include "cli/served.h"
#include "cli/server_start.h"
#include "cli/stream.h"

#include <wq/cbor.h>

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One that has not ended by then may wait for something that does not come. */
#define FIRST_LOOK_NS (1 * NS_PER_S)

enum {
	KEY_JSON = 512
};

struct input {
	struct command command;
	struct wq_request request;
	struct room room;
	bool json;
};

struct run {
	struct cli *cli;
	const struct input *in;
	char id[WQ_ID_SIZE];
	bool aborted; /* we have asked for it */
	struct served_watch served;
	bool starts_next;    /* the server drains that we found: after it another is started */
	const char *outer;   /* the task manager that runs us, if ours may be that too; or NULL */
	uint64_t n_shown[3]; /* bytes of WQ_STDOUT and WQ_STDERR that were shown */
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
		state->child_inputs[2] = &in->room;
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
	{ &command_argp, 0, NULL, 1 }, { &room_argp, 0, NULL, 1 }, { 0 } };
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

/* ---- while it waits --------------------------------------------------------------------------- */

static bool has_ended(const struct run *r)
{
	int state = wq_state(r->cli->client, r->id, NULL);
	return state == WQ_STATE_COMPLETE || state == WQ_STATE_GONE;
}

/* Nobody reads any more, or it cannot be written: the request goes on, and wq ends. */
static int leave(const struct run *r, int32_t which, int rc)
{
	const char *name = which == WQ_STDOUT ? "standard output" : "standard error";
	char why[96];
	if (rc == -EPIPE)
		snprintf(why, sizeof why, "%s is closed", name);
	else
		snprintf(why, sizeof why, "cannot write to %s: %s", name, strerror(-rc));
	if (has_ended(r))
		cli_say("%s; %s has ended: 'wq log %s' and 'wq wait %s' tell more", why, r->id,
			r->id, r->id);
	else
		cli_say("%s; %s goes on: 'wq log -f %s', 'wq wait %s' or 'wq abort %s'", why, r->id,
			r->id, r->id, r->id);
	return rc == -EPIPE ? EXIT_SIGNAL + SIGPIPE : EXIT_WQ;
}

/* An abort takes a result away, so who has one keeps it. */
static void abort_if_asked(void *arg)
{
	struct run *r = arg;
	struct wq_err err = { 0 };
	if (!interrupt_asked())
		return;
	if (has_ended(r)) {
		interrupt_tells(INTERRUPT_ENDED);
		cli_say("%s has ended, and is not aborted; Ctrl-C again to leave it", r->id);
		return;
	}
	if (wq_abort(r->cli->client, r->id, &err) < 0) {
		cli_say("cannot abort %s: %s; Ctrl-C again to leave it", r->id, err.text);
		return;
	}
	r->aborted = true;
	interrupt_tells(INTERRUPT_ABORTED);
	cli_say("aborting; Ctrl-C again to leave it");
}

/* By a client of its own: what is followed keeps ours. */
static void start_next(struct run *r)
{
	struct cli other = { .given = r->cli->given };
	r->starts_next = false;
	if (server_start_open(&other, &r->served.is) != 0)
		served_say(r->cli, SERVED_NO);
	cli_close(&other);
}

/* Where a task of a task manager waits for another one of it, there must be room for both. */
static void warn_if_nested(struct run *r)
{
	int state = r->outer ? wq_state(r->cli->client, r->id, NULL) : WQ_STATE_GONE;
	if (state == WQ_STATE_REQUESTED || state == WQ_STATE_PENDING)
		cli_say("%s waits to start, and 'wq run' is itself part of a task of task manager "
			"'%s' here: where that has no room for both (max-running), neither ends",
			r->id, r->outer);
	r->outer = NULL;
}

/* Nothing has come for a while. */
static void look_around(struct run *r)
{
	if (served_time_left(&r->served) > 0)
		return;
	warn_if_nested(r);
	if (!served_look(&r->served))
		return;
	if (r->served.is == SERVED_NO && r->starts_next)
		start_next(r);
	else
		served_say(r->cli, r->served.is);
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
		int64_t n = wq_output_read(
			output, served_time_left(&r->served), &which, bytes, sizeof bytes, &err);
		if (n == -WQ_E_TIMEOUT)
			look_around(r);
		if (n == -WQ_E_TIMEOUT || n == -EINTR)
			continue;
		if (n < 0)
			cli_say("%s; what it writes is not shown any more", err.text);
		if (n <= 0)
			return 0;
		int rc = stream_write(which == WQ_STDOUT ? STDOUT_FILENO : STDERR_FILENO, bytes,
			(size_t)n, abort_if_asked, r);
		if (rc < 0)
			return leave(r, which, rc);
		r->n_shown[which] += (uint64_t)n;
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

/* Did all that it wrote come out here?  What did not is told. */
static bool is_all_shown(const struct run *r, const struct wq_result_info *info)
{
	bool ret = true;
	for (int32_t which = WQ_STDOUT; which <= WQ_STDERR; which++) {
		struct kept k;
		kept_read(info, which, &k);
		if (kept_say_cut(info, &k))
			ret = false;
		if (r->n_shown[which] >= k.kept || k.bytes == 0)
			continue;
		ret = false;
		cli_say("%s: %" PRIu64 " of %" PRIu64 " bytes of its %s were shown, and the rest "
			"could not be read: keep-work of task manager '%s' may have removed it "
			"(wq.conf(5))",
			info->id, r->n_shown[which], k.kept, k.name, info->task_manager);
	}
	return ret;
}

static int print_json(const struct wq_result_info *info)
{
	struct wq_err err = { 0 };
	/* Who reads it slowly is not kept from ending this. */
	interrupt_tells(INTERRUPT_ENDED);
	interrupt_ends();
	if (outcome_print(info, OUTCOME_JSON, &err) < 0) {
		cli_say("%s: %s; its result stays", info->id, err.text);
		return EXIT_WQ;
	}
	return cli_flush();
}

/* `collect`: it stands in 4. */
static int report(const struct run *r, const wq_result *result, bool collect)
{
	struct wq_result_info info = { .struct_size = sizeof info };
	struct wq_err err = { 0 };
	wq_result_info(result, &info);
	if (r->in->json && print_json(&info) != 0)
		return EXIT_WQ;
	if (!is_plain(&info))
		outcome_say(&info);
	bool all = is_all_shown(r, &info);
	int rc = collect ? wq_collect(r->cli->client, info.id, &err) : 0;
	if (rc < 0 && rc != -WQ_E_GONE) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	int status = exit_of_result(&info);
	return status == 0 && !all ? EXIT_WQ : status;
}

/* Somebody else may have taken it away, who wanted to know it too: then the history has it. */
static int take_failure(const struct run *r, int rc, const struct wq_err *err)
{
	wq_result *result = NULL;
	if (rc == -WQ_E_GONE && wq_read_finished(r->cli->client, r->id, &result, NULL) == 0) {
		int status = report(r, result, false);
		wq_result_free(result);
		return status;
	}
	if (rc == -WQ_E_GONE && r->aborted) {
		cli_say("%s: aborted", r->id);
		interrupt_die();
	}
	cli_say("%s", err->text);
	return exit_of_code(rc);
}

static int take_result(struct run *r)
{
	struct wq_err err = { 0 };
	wq_result *result = NULL;
	int rc;
	for (;;) {
		abort_if_asked(r);
		rc = wq_wait(r->cli->client, r->id, served_time_left(&r->served),
			WQ_WAIT_KEEP | WQ_WAIT_NO_ABORT, &result, &err);
		if (rc == -WQ_E_TIMEOUT)
			look_around(r);
		else if (rc != -EINTR)
			break;
	}
	if (rc < 0)
		return take_failure(r, rc, &err);
	int status = report(r, result, true);
	wq_result_free(result);
	return status;
}

/* ---- from its beginning ----------------------------------------------------------------------- */

static int enqueue(struct run *r, const struct wq_cbor_out *payload, struct wq_err *err)
{
	char label[COMMAND_LABEL_SIZE];
	struct wq_request request = r->in->request;
	request.run_limit_ns = r->in->command.run_limit_ns;
	request.payload = payload->buf;
	request.payload_len = payload->len;
	if (!request.label)
		request.label = command_label(&r->in->command, label);
	return wq_enqueue(r->cli->client, &request, r->id, err);
}

/* Whoever interrupts is told of a request that is there, and ends us where there is none. */
static int enqueue_and_begin(struct run *r, const struct wq_cbor_out *payload,
	const struct interrupt *what, struct wq_err *err)
{
	sigset_t interrupts, before;
	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupts, &before);
	int rc = enqueue(r, payload, err);
	if (rc == 0)
		interrupt_begin(what);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int run(struct run *r, const struct wq_cbor_out *payload)
{
	char *id = r->id;
	uint8_t done = 0;
	struct interrupt what = { .ids = &id, .done = &done, .n = 1, .first_asks = true };
	struct room room = r->in->room;
	struct wq_err err = { 0 };
	int rc, status = 0;
	signal(SIGPIPE, SIG_IGN);
	do
		rc = enqueue_and_begin(r, payload, &what, &err);
	while (rc < 0 && (status = room_wait(r->cli, &room, rc, &err)) == 0);
	if (rc < 0) {
		command_say(&r->in->command, rc, &err);
		return status;
	}
	status = show_output(r);
	if (status == 0)
		status = take_result(r);
	interrupt_end();
	return status;
}

/*
 * Does a task run us in this spool, whose task manager our request may be for, too?  Then its name.
 * Where neither names one both are for the default; where only the other one does, nobody knows.
 */
static const char *find_outer(const struct run *r)
{
	const char *outer = getenv("WQ_TASK_MANAGER"), *id = getenv("WQ_ID");
	const char *ours = r->in->request.task_manager;
	if (!outer || !id || (ours && strcmp(ours, outer) != 0))
		return NULL;
	return wq_state(r->cli->client, id, NULL) == WQ_STATE_RUNNING ? outer : NULL;
}

static int open_and_run(struct run *r, const struct wq_cbor_out *payload)
{
	enum served is;
	int status = server_start_open(r->cli, &is);
	if (status)
		return status;
	served_watch_init(&r->served, r->cli, is, FIRST_LOOK_NS);
	r->starts_next = is == SERVED_DRAINING;
	r->outer = find_outer(r);
	return run(r, payload);
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	struct input in = { .request = { .struct_size = sizeof in.request } };
	struct run r = { .cli = cli, .in = &in };
	struct wq_cbor_out payload;
	struct wq_err err = { 0 };
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
		status = open_and_run(&r, &payload);
	wq_cbor_out_free(&payload);
	return status;
}
