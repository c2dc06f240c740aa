/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/waiting.h"

#include "base/err.h"
#include "base/quantity.h"
#include "base/time.h"
#include "base/utf8.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/outcome.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS (500 * NS_PER_MS)

enum {
	KEY_NO_ABORT = 256,
	KEY_PEEK,
	KEY_CBOR,
	KEY_JSON,
	KEY_PROGRESS
};

/* ---- options --------------------------------------------------------------------------------- */

static const struct argp_option options[] = {
	{ "timeout", 't', "DURATION", 0,
		"Wait this long (\"90s\", \"1.5h\"), then abort the request", 0 },
	{ "no-abort", KEY_NO_ABORT, NULL, 0, "Leave the request alone at the time-out", 0 },
	{ "peek", KEY_PEEK, NULL, 0, "Leave the result in the spool", 0 },
	{ "json", KEY_JSON, NULL, 0, "Print the whole result as one line of JSON", 0 },
	{ "cbor", KEY_CBOR, NULL, 0, "Print the payload as the CBOR item that it is", 0 },
	{ "progress", KEY_PROGRESS, NULL, 0, "Show how far it is on standard error", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct waiting *how = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		how->timeout_ns = WQ_FOREVER;
		return 0;
	case 't':
		if (quantity_parse_duration(arg, &how->timeout_ns) < 0)
			argp_error(state, "'%s' is not a duration like 90s, 15m or 1.5h", arg);
		return 0;
	case KEY_NO_ABORT:
		how->no_abort = true;
		return 0;
	case KEY_PEEK:
		how->peek = true;
		return 0;
	case KEY_CBOR:
		how->cbor = true;
		return 0;
	case KEY_JSON:
		how->json = true;
		return 0;
	case KEY_PROGRESS:
		how->progress = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp waiting_argp = { .options = options, .parser = parse };

/* ---- progress -------------------------------------------------------------------------------- */

struct run {
	struct cli *cli;
	const struct waiting *how;
	char *const *ids;
	size_t n, left;
	uint8_t *done;
	int *exits;
	char shown[256]; /* the line of progress that stands there */
};

static void progress_clear(struct run *r)
{
	if (r->shown[0] && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	r->shown[0] = '\0';
}

static void progress_line(const struct run *r, const json_t *status, char *ret, size_t size)
{
	const json_t *entry = NULL;
	size_t running = 0, last = 0;
	for (size_t i = 0; i < r->n; i++) {
		const json_t *found = r->done[i] ? NULL : answer_running(status, r->ids[i]);
		if (found) {
			entry = found;
			last = i;
			running++;
		}
	}
	char how[160];
	if (r->n > 1)
		snprintf(ret, size, "%zu of %zu finished, %zu running", r->n - r->left, r->n,
			running);
	else
		snprintf(ret, size, "%s: %s", r->ids[last],
			entry ? answer_progress(entry, how, sizeof how) : "waiting to start");
}

/* Best effort: without a server there is nothing to show. */
static void progress_show(struct run *r)
{
	json_t *status = NULL;
	if (answer_ask(r->cli, "status", &status, NULL) < 0)
		return;
	char line[sizeof r->shown], safe[sizeof r->shown];
	progress_line(r, status, line, sizeof line);
	json_decref(status);
	utf8_escape(line, strlen(line), safe, sizeof safe);
	if (strcmp(safe, r->shown) == 0)
		return;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", safe);
	else
		fprintf(stderr, "wq: %s\n", safe);
	memcpy(r->shown, safe, sizeof safe);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void finish(struct run *r, size_t i, int status)
{
	r->done[i] = 1;
	r->exits[i] = status;
	r->left--;
}

/* What has been printed may be taken away; what has not stays for another try. */
static int report(struct run *r, const wq_result *result)
{
	struct wq_result_info info = { .struct_size = sizeof info };
	struct wq_err err = { 0 };
	wq_result_info(result, &info);
	enum outcome_form form = r->how->json   ? OUTCOME_JSON
				 : r->how->cbor ? OUTCOME_CBOR
				 : r->n > 1     ? OUTCOME_PAYLOAD_WITH_ID
						: OUTCOME_PAYLOAD;
	if (outcome_print(&info, form, &err) < 0) {
		cli_say("%s: %s; its result stays (--cbor prints what JSON cannot)", info.id,
			err.text);
		return EXIT_WQ;
	}
	if (cli_flush() != 0)
		return EXIT_WQ;
	outcome_say(&info);
	if (!r->how->peek) {
		int rc = wq_collect(r->cli->client, info.id, &err);
		if (rc < 0 && rc != -WQ_E_GONE) {
			cli_say("%s: %s", info.id, err.text);
			return EXIT_WQ;
		}
	}
	return exit_of_result(&info);
}

static void time_out(struct run *r)
{
	char text[32];
	quantity_format_duration(r->how->timeout_ns, text);
	for (size_t i = 0; i < r->n; i++) {
		if (r->done[i])
			continue;
		struct wq_err err = { 0 };
		if (r->how->timeout_ns == 0)
			cli_say("%s: no result yet", r->ids[i]);
		else if (r->how->no_abort)
			cli_say("%s: no result within %s, left alone", r->ids[i], text);
		else if (wq_abort(r->cli->client, r->ids[i], &err) < 0)
			cli_say("%s: no result within %s, and it cannot be aborted: %s", r->ids[i],
				text, err.text);
		else
			cli_say("%s: no result within %s, aborted", r->ids[i], text);
		finish(r, i, EXIT_TIMEOUT);
	}
}

static int64_t time_left(int64_t deadline_ns)
{
	int64_t left = deadline_ns - time_mono_ns();
	return deadline_ns == TIME_NEVER ? WQ_FOREVER : left > 0 ? left : 0;
}

static void wait_all(struct run *r)
{
	int64_t deadline = r->how->timeout_ns == WQ_FOREVER
				   ? TIME_NEVER
				   : time_after(time_mono_ns(), r->how->timeout_ns);
	while (r->left) {
		struct wq_err err = { 0 };
		wq_result *result = NULL;
		size_t i = 0;
		int64_t left = time_left(deadline), chunk = left;
		if (r->how->progress && (left < 0 || left > PROGRESS_NS))
			chunk = PROGRESS_NS;
		int rc = wq_wait_any(r->cli->client, (const char *const *)r->ids, r->done, r->n,
			chunk, WQ_WAIT_KEEP, &i, &result, &err);
		if (rc == -WQ_E_TIMEOUT && chunk != left) {
			progress_show(r);
			continue;
		}
		if (rc == -EINTR)
			continue;
		progress_clear(r);
		if (rc == -WQ_E_TIMEOUT) {
			time_out(r);
		} else if (rc < 0) {
			cli_say("%s", err.text);
			finish(r, i, exit_of_code(rc));
		} else {
			finish(r, i, report(r, result));
			wq_result_free(result);
		}
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same id twice would be printed once and then be gone. */
static int check_twice(char *const *ids, size_t n)
{
	char **sorted = calloc(n, sizeof *sorted);
	int rc = 0;
	if (!sorted) {
		cli_say("no memory for %zu ids", n);
		return EXIT_WQ;
	}
	memcpy(sorted, ids, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_text);
	for (size_t i = 1; rc == 0 && i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			cli_say("'%s' is given twice", sorted[i]);
			rc = EXIT_WQ;
		}
	free(sorted);
	return rc;
}

int waiting_run(struct cli *cli, const struct waiting *how, char *const *ids, size_t n)
{
	struct run r = { .cli = cli, .how = how, .ids = ids, .n = n, .left = n };
	if (how->cbor && n > 1) {
		cli_say("--cbor prints one payload, and %zu ids are given", n);
		return EXIT_WQ;
	}
	int status = check_twice(ids, n);
	if (status)
		return status;
	r.done = calloc(n, sizeof *r.done);
	r.exits = calloc(n, sizeof *r.exits);
	if (r.done && r.exits) {
		wait_all(&r);
	} else {
		cli_say("no memory for %zu ids", n);
		status = EXIT_WQ;
	}
	for (size_t i = 0; status == 0 && i < n; i++)
		status = r.exits[i];
	free(r.done);
	free(r.exits);
	return status;
}
