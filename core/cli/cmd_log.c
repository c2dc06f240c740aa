/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"
#include "cli/kept.h"
#include "cli/served.h"
#include "cli/stream.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* One that has written nothing by then may wait for a server. */
#define FIRST_LOOK_NS (1 * NS_PER_S)

enum {
	KEY_STDOUT = 512,
	KEY_STDERR,
	BOTH = WQ_STDOUT | WQ_STDERR
};

struct input {
	struct args_ids args;
	int32_t which; /* 0: both */
	bool follow;
};

static const struct argp_option options[] = {
	{ "follow", 'f', NULL, 0, "Go on with what is written, until the task has ended", 0 },
	{ "stdout", KEY_STDOUT, NULL, 0, "Its standard output only", 0 },
	{ "stderr", KEY_STDERR, NULL, 0, "Its standard error only", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case 'f':
		in->follow = true;
		return 0;
	case KEY_STDOUT:
		in->which |= WQ_STDOUT;
		return 0;
	case KEY_STDERR:
		in->which |= WQ_STDERR;
		return 0;
	case ARGP_KEY_END:
		if (in->args.n > 1)
			argp_error(state, "one request at a time");
		return 0;
	default:
		return args_parse_ids(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "ID",
	.doc = "Print what a task has written, while it runs and as long as the server keeps it."
	       "\vFirst its standard output, then its standard error; with --follow each as it "
	       "comes.",
};

/* How much of each there is to print, by WQ_STDOUT and WQ_STDERR. */
struct sizes {
	uint64_t left[BOTH];
};

static int read_failed(int64_t n, const struct wq_err *err)
{
	cli_say("%s", err->text);
	return exit_of_code((int)n);
}

static int print(const void *bytes, size_t n)
{
	int rc = stream_write(STDOUT_FILENO, bytes, n, NULL, NULL);
	if (rc == 0)
		return 0;
	cli_say("cannot write the output: %s", strerror(-rc));
	return EXIT_WQ;
}

/* Of the two those in `which`, as they are written, until the end. */
static int follow(wq_output *output, int32_t which, struct served_watch *served)
{
	static char bytes[STREAM_CHUNK];
	for (;;) {
		struct wq_err err = { 0 };
		int32_t from = 0;
		int64_t n = wq_output_read(
			output, served_time_left(served), &from, bytes, sizeof bytes, &err);
		if (n == -WQ_E_TIMEOUT && served_look(served))
			served_say(served->cli, served->is);
		if (n == -EINTR || n == -WQ_E_TIMEOUT)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : read_failed(n, &err);
		int status = from & which ? print(bytes, (size_t)n) : 0;
		if (status)
			return status;
	}
}

/*
 * One of the two as far as it goes now, at most what is left of it; `which` 0: only add up how much
 * there is of each.  Reading alone outruns any writer; printing need not.
 */
static int read_now(wq_output *output, int32_t which, struct sizes *sizes)
{
	static char bytes[STREAM_CHUNK];
	while (which == 0 || sizes->left[which] > 0) {
		struct wq_err err = { 0 };
		int32_t from = 0;
		int64_t n = wq_output_read(output, 0, &from, bytes, sizeof bytes, &err);
		if (n == 0 || n == -WQ_E_TIMEOUT)
			return 0;
		if (n == -EINTR)
			continue;
		if (n < 0)
			return read_failed(n, &err);
		if (which == 0)
			sizes->left[from] += (uint64_t)n;
		if (from != which)
			continue;
		uint64_t most = sizes->left[which];
		size_t len = (uint64_t)n < most ? (size_t)n : (size_t)most;
		sizes->left[which] -= len;
		int status = print(bytes, len);
		if (status)
			return status;
	}
	return 0;
}

static int open_output(struct cli *cli, const char *id, wq_output **ret)
{
	struct wq_err err = { 0 };
	int rc = wq_output_open(ret, cli->client, id, &err);
	if (rc == 0)
		return 0;
	cli_say("%s", err.text);
	return exit_of_code(rc);
}

static int follow_one(struct cli *cli, const char *id, int32_t which)
{
	struct served_watch served;
	wq_output *output;
	int status = open_output(cli, id, &output);
	if (status)
		return status;
	served_watch_init(&served, cli, SERVED_NOT_ASKED, FIRST_LOOK_NS);
	status = follow(output, which, &served);
	wq_output_close(output);
	return status;
}

static int read_one_now(struct cli *cli, const char *id, int32_t which, struct sizes *sizes)
{
	wq_output *output;
	int status = open_output(cli, id, &output);
	if (status)
		return status;
	status = read_now(output, which, sizes);
	wq_output_close(output);
	return status;
}

/* One after the other: in the order in which they were written nobody knows them. */
static int print_now(struct cli *cli, const char *id, int32_t which)
{
	struct sizes sizes = { 0 };
	int status = read_one_now(cli, id, 0, &sizes);
	if (status == 0 && which & WQ_STDOUT)
		status = read_one_now(cli, id, WQ_STDOUT, &sizes);
	if (status == 0 && which & WQ_STDERR)
		status = read_one_now(cli, id, WQ_STDERR, &sizes);
	return status;
}

/* Of one that has ended its result knows whether there was more. */
static void say_cut(struct cli *cli, const char *id, int32_t which)
{
	struct wq_result_info info = { .struct_size = sizeof info };
	wq_result *result = NULL;
	if (wq_read_finished(cli->client, id, &result, NULL) < 0)
		return;
	wq_result_info(result, &info);
	for (int32_t one = WQ_STDOUT; one <= WQ_STDERR; one++) {
		struct kept k;
		kept_read(&info, one, &k);
		if (one & which)
			(void)kept_say_cut(&info, &k);
	}
	wq_result_free(result);
}

int cmd_log(struct cli *cli, int argc, char **argv)
{
	struct input in = { .args = { 0 } };
	char id[WQ_ID_SIZE];
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status == 0)
		status = ids_resolve(cli, in.args.ids[0], id);
	if (status)
		return status;
	int32_t which = in.which ? in.which : BOTH;
	status = in.follow ? follow_one(cli, id, which) : print_now(cli, id, which);
	if (status == 0)
		say_cut(cli, id, which);
	return status;
}
