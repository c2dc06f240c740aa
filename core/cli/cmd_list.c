/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct input {
	bool json;
	int32_t state;        /* 0: all */
	const json_t *status; /* the server's answer, or NULL */
	int64_t now_us;
};

static const struct argp_option options[] = {
	{ "state", 's', "STATE", 0,
		"Only those in this state: requested, pending, running, complete", 0 },
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
	default:
		return args_parse_json(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "List requests in their order: id, state, age, and what the server knows of running "
	       "ones.",
};

static const char *age(int64_t us, char ret[24])
{
	int64_t s = us > 0 ? us / 1000000 : 0;
	if (s < 60)
		snprintf(ret, 24, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(ret, 24, "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		snprintf(ret, 24, "%" PRId64 "h", s / 3600);
	else
		snprintf(ret, 24, "%" PRId64 "d", s / 86400);
	return ret;
}

static void print_line(const struct input *in, const struct wq_entry *entry, const json_t *running)
{
	char old[24], state[32], progress[160];
	snprintf(state, sizeof state, "%s%s", wq_state_name(entry->state),
		entry->aborting ? " (aborting)" : "");
	printf("%s  %-20s %5s", entry->id, state, age(in->now_us - entry->made_us, old));
	if (running) {
		const char *texts[] = { answer_text(running, "task-manager"),
			answer_text(running, "label"),
			answer_progress(running, progress, sizeof progress) };
		for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
			if (!*texts[i])
				continue;
			fputs("  ", stdout);
			cli_print_text(texts[i], 0);
		}
	}
	putchar('\n');
}

static void print_json(const struct wq_entry *entry, const json_t *running)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:I}", "id", entry->id, "state",
		wq_state_name(entry->state), "aborting", entry->aborting, "made-us",
		(json_int_t)entry->made_us);
	if (!object)
		return;
	if (running)
		json_object_update_missing(object, (json_t *)(uintptr_t)running);
	cli_json_print_line(object);
	json_decref(object);
}

static int print_entry(void *arg, const struct wq_entry *entry)
{
	const struct input *in = arg;
	if (in->state && entry->state != in->state)
		return 0;
	const json_t *running =
		entry->state == WQ_STATE_RUNNING ? answer_running(in->status, entry->id) : NULL;
	if (in->json)
		print_json(entry, running);
	else
		print_line(in, entry, running);
	return ferror(stdout) ? 1 : 0;
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
	struct input in = { 0 };
	struct wq_err err = { 0 };
	json_t *answer = NULL;
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	/* The list is the spool's; what a server adds to it is welcome, not needed. */
	if (answer_ask(cli, "status", &answer, NULL) == 0)
		in.status = answer;
	in.now_us = time_wall_us();
	int rc = wq_list(cli->client, print_entry, &in, &err);
	json_decref(answer);
	if (rc < 0) {
		cli_say("%s", err.text);
		return EXIT_WQ;
	}
	return cli_flush();
}
