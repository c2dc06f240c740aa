/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"
#include "cli/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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

/* Of the two those in `which`, until there is no more: for now, or with `timeout_ns` WQ_FOREVER
 * until the end. */
static int print(wq_output *output, int32_t which, int64_t timeout_ns)
{
	static char bytes[STREAM_CHUNK];
	for (;;) {
		struct wq_err err = { 0 };
		int32_t from = 0;
		int64_t n = wq_output_read(output, timeout_ns, &from, bytes, sizeof bytes, &err);
		if (n == 0 || n == -WQ_E_TIMEOUT)
			return 0;
		if (n == -EINTR)
			continue;
		if (n < 0) {
			cli_say("%s", err.text);
			return exit_of_code((int)n);
		}
		int rc = from & which ? stream_write(STDOUT_FILENO, bytes, (size_t)n) : 0;
		if (rc < 0) {
			cli_say("cannot write the output: %s", strerror(-rc));
			return EXIT_WQ;
		}
	}
}

static int print_one(struct cli *cli, const char *id, int32_t which, int64_t timeout_ns)
{
	struct wq_err err = { 0 };
	wq_output *output;
	int rc = wq_output_open(&output, cli->client, id, &err);
	if (rc < 0) {
		cli_say("%s", err.text);
		return exit_of_code(rc);
	}
	int status = print(output, which, timeout_ns);
	wq_output_close(output);
	return status;
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
	if (in.follow)
		return print_one(cli, id, which, WQ_FOREVER);
	/* One after the other: in the order in which they were written nobody knows them. */
	if (which & WQ_STDOUT)
		status = print_one(cli, id, WQ_STDOUT, 0);
	if (status == 0 && which & WQ_STDERR)
		status = print_one(cli, id, WQ_STDERR, 0);
	return status;
}
