/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/history.h"
#include "cli/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each costs opening a file, where all else here is names. */
enum {
	RESULTS_MAX = 1000,
	KEY_FINISHED = 512
};

struct input {
	bool json;
	int32_t state; /* 0: all */
	bool finished;
	size_t newest; /* of the finished: so many; 0: all */
	struct cli *cli;
	const json_t *status; /* the server's answer, or NULL */
	bool no_server;
	int64_t now_us;
	size_t n_complete; /* of all that stand there */
	size_t complete;   /* of those come by so far */
};

static const struct argp_option options[] = {
	{ "state", 's', "STATE", 0,
		"Only those in this state: requested, pending, running, complete", 0 },
	{ "finished", KEY_FINISHED, NULL, 0,
		"Those that have an end: complete ones, and the history", 0 },
	{ "newest", 'n', "N", 0, "With --finished: the newest N of them", 0 },
	{ "json", ARGS_KEY_JSON, NULL, 0, "One line of JSON for each", 0 },
	{ 0 },
};

static int32_t state_of(const char *name)
{
	for (int32_t s = WQ_STATE_REQUESTED; s <= WQ_STATE_COMPLETE; s++)
		if (strcmp(wq_state_name(s), name) == 0)
			return s;
	return 0;
}

static size_t parse_count(const char *text)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && errno == 0 ? n : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case 's':
		in->state = state_of(arg);
		if (in->state == 0)
			argp_error(
				state, "'%s' is not requested, pending, running or complete", arg);
		return 0;
	case KEY_FINISHED:
		in->finished = true;
		return 0;
	case 'n':
		in->newest = parse_count(arg);
		if (in->newest == 0)
			argp_error(state, "'%s' is not a number of 1 or more", arg);
		return 0;
	case ARGP_KEY_END:
		if (in->finished && in->state)
			argp_error(state, "either --state or --finished");
		if (in->newest && !in->finished)
			argp_error(state, "--newest needs --finished");
		return 0;
	default:
		return args_parse_json(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "List requests in their order: id, state, age, what the server knows of running "
	       "ones, and what came of complete ones.",
};

/* What the result of a complete one says, in the words of wq wait --json; NULL: unknown. */
static json_t *read_outcome(const struct input *in, const char *id)
{
	wq_result *result = NULL;
	struct wq_result_info info = { .struct_size = sizeof info };
	if (wq_wait(in->cli->client, id, 0, WQ_WAIT_KEEP, &result, NULL) < 0)
		return NULL;
	wq_result_info(result, &info);
	json_t *ret =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "status", info.status, "error", info.error,
			"label", info.label, "key", info.key, "task-manager", info.task_manager);
	wq_result_free(result);
	return ret;
}

/* `more`: of a running one the server's words, of a complete one its result's, or NULL. */
static void print_line(const struct input *in, const struct wq_entry *entry, const json_t *more)
{
	char old[24], state[48], progress[160];
	bool alone = entry->state == WQ_STATE_RUNNING && in->no_server;
	const char *fate = more ? answer_fate(more) : "";
	snprintf(state, sizeof state, "%s%s%s%.12s%s%s", wq_state_name(entry->state),
		alone ? " (no server)" : "", *fate ? " (" : "", fate, *fate ? ")" : "",
		entry->aborting ? " (aborting)" : "");
	printf("%s  %-20s %5s", entry->id, state, answer_age(in->now_us - entry->made_us, old));
	if (more) {
		const char *texts[] = { answer_text(more, "status"),
			answer_text(more, "task-manager"), answer_text(more, "label"),
			answer_progress(more, progress, sizeof progress) };
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			if (!*texts[i])
				continue;
			fputs("  ", stdout);
			cli_print_text(texts[i], 0);
		}
	}
	putchar('\n');
}

static void print_json(const struct wq_entry *entry, const json_t *more)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:I}", "id", entry->id, "state",
		wq_state_name(entry->state), "aborting", entry->aborting, "made-us",
		(json_int_t)entry->made_us);
	if (!object)
		return;
	if (more)
		json_object_update_missing(object, (json_t *)(uintptr_t)more);
	cli_json_print_line(object);
	json_decref(object);
}

static int count_complete(void *arg, const struct wq_entry *entry)
{
	struct input *in = arg;
	in->n_complete += entry->state == WQ_STATE_COMPLETE;
	return 0;
}

/* Only the newest: those in front of them are passed over. */
static bool is_to_be_read(struct input *in)
{
	size_t before = in->n_complete > RESULTS_MAX ? in->n_complete - RESULTS_MAX : 0;
	size_t at = in->complete++;
	return at >= before && at - before < RESULTS_MAX;
}

static int print_entry(void *arg, const struct wq_entry *entry)
{
	struct input *in = arg;
	json_t *more = NULL;
	if (in->state && entry->state != in->state)
		return 0;
	if (entry->state == WQ_STATE_RUNNING)
		more = json_incref((json_t *)(uintptr_t)answer_running(in->status, entry->id));
	else if (entry->state == WQ_STATE_COMPLETE && is_to_be_read(in))
		more = read_outcome(in, entry->id);
	if (in->json)
		print_json(entry, more);
	else
		print_line(in, entry, more);
	json_decref(more);
	return ferror(stdout) ? 1 : 0;
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
	struct input in = { .cli = cli };
	struct wq_err err = { 0 };
	json_t *answer = NULL;
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	if (in.finished)
		return history_list(cli, in.newest, in.json);
	/* The list is the spool's; what a server adds to it is welcome, not needed. */
	int rc = answer_ask(cli, "status", &answer, NULL);
	in.status = rc == 0 ? answer : NULL;
	in.no_server = rc == -WQ_E_GONE;
	in.now_us = time_wall_us();
	rc = 0;
	if (in.state == 0 || in.state == WQ_STATE_COMPLETE)
		rc = wq_list(cli->client, count_complete, &in, &err);
	if (rc == 0)
		rc = wq_list(cli->client, print_entry, &in, &err);
	json_decref(answer);
	if (rc < 0) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	return cli_flush();
}
