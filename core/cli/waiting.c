/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/waiting.h"

#include "base/err.h"
#include "base/quantity.h"
#include "base/time.h"
#include "base/utf8.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/outcome.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS (500 * NS_PER_MS)

/* A result that comes sooner costs no question to the server. */
#define FIRST_LOOK_NS (100 * NS_PER_MS)

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

enum server {
	SERVER_NOT_ASKED,
	SERVER_RUNS,
	SERVER_NONE,
	SERVER_UNCLEAR /* it did not answer in time, or could not be asked */
};

struct run {
	struct cli *cli;
	const struct waiting *how;
	char *const *ids;
	size_t n, left;
	uint8_t *done;
	int *exits;
	enum server server;
	char shown[256]; /* the line of progress that stands there */
};

static void progress_clear(struct run *r)
{
	if (r->shown[0] && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	r->shown[0] = '\0';
}

/* One that runs and of which nobody says how far; "" for one that is ending or has ended. */
static const char *progress_word(const struct run *r, size_t i, bool running)
{
	if (running)
		return "running";
	int state = wq_state(r->cli->client, r->ids[i], NULL);
	return state == WQ_STATE_REQUESTED || state == WQ_STATE_PENDING ? "waiting to start" : "";
}

/* "": there is nothing to say. */
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
	char how[160] = "";
	if (r->n > 1) {
		snprintf(ret, size, "%zu of %zu finished, %zu running", r->n - r->left, r->n,
			running);
		return;
	}
	if (entry)
		answer_progress(entry, how, sizeof how);
	const char *text = how[0] ? how : progress_word(r, last, entry != NULL);
	ret[0] = '\0';
	if (*text)
		snprintf(ret, size, "%s: %s", r->ids[last], text);
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
	if (!safe[0] || strcmp(safe, r->shown) == 0)
		return;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", safe);
	else
		fprintf(stderr, "wq: %s\n", safe);
	memcpy(r->shown, safe, sizeof safe);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Before it is told: an interruption then does not tell it again. */
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

static void ask_for_server(struct run *r)
{
	void *answer = NULL;
	size_t len;
	int rc = wq_ask(r->cli->client, "status", &answer, &len, NULL);
	free(answer);
	r->server = rc == 0 ? SERVER_RUNS : rc == -WQ_E_GONE ? SERVER_NONE : SERVER_UNCLEAR;
}

/* After the first look.  Who waits for nobody should know it. */
static void first_look(struct run *r)
{
	ask_for_server(r);
	if (r->server == SERVER_NONE)
		cli_say("no server is running on '%s'; waiting for one ('wq status' tells more)",
			r->cli->spool);
}

static void time_out(struct run *r)
{
	char text[32];
	quantity_format_duration(r->how->timeout_ns, text);
	/* One that did not answer the first time would only make this late again. */
	if (r->how->timeout_ns != 0 && r->server != SERVER_UNCLEAR)
		ask_for_server(r);
	const char *why = r->server == SERVER_NONE ? " (no server is running)" : "";
	for (size_t i = 0; i < r->n; i++) {
		if (r->done[i])
			continue;
		struct wq_err err = { 0 };
		finish(r, i, EXIT_TIMEOUT);
		if (r->how->timeout_ns == 0)
			cli_say("%s: no result yet", r->ids[i]);
		else if (r->how->no_abort)
			cli_say("%s: no result within %s%s, left alone", r->ids[i], text, why);
		else if (wq_abort(r->cli->client, r->ids[i], &err) < 0)
			cli_say("%s: no result within %s%s, and it cannot be aborted: %s",
				r->ids[i], text, why, err.text);
		else
			cli_say("%s: no result within %s%s, aborted", r->ids[i], text, why);
	}
}

static int64_t time_left(int64_t deadline_ns)
{
	int64_t left = deadline_ns - time_mono_ns();
	return deadline_ns == TIME_NEVER ? WQ_FOREVER : left > 0 ? left : 0;
}

/* How long to wait before there is something else to do. */
static int64_t chunk_of(const struct run *r, int64_t left_ns)
{
	int64_t ret = left_ns;
	if (r->server == SERVER_NOT_ASKED)
		ret = FIRST_LOOK_NS;
	else if (r->how->progress)
		ret = PROGRESS_NS;
	return left_ns < 0 || left_ns > ret ? ret : left_ns;
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
		int64_t left = time_left(deadline);
		int64_t chunk = chunk_of(r, left);
		int rc = wq_wait_any(r->cli->client, (const char *const *)r->ids, r->done, r->n,
			chunk, WQ_WAIT_KEEP, &i, &result, &err);
		if (rc == -WQ_E_TIMEOUT && chunk != left) {
			if (r->server == SERVER_NOT_ASKED)
				first_look(r);
			if (r->how->progress)
				progress_show(r);
			continue;
		}
		if (rc == -EINTR)
			continue;
		progress_clear(r);
		if (rc == -WQ_E_TIMEOUT) {
			time_out(r);
		} else if (rc < 0) {
			finish(r, i, exit_of_code(rc));
			cli_say("%s", err.text);
		} else {
			finish(r, i, 0);
			r->exits[i] = report(r, result);
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
		struct interrupt what = { .ids = ids, .done = r.done, .n = n };
		what.line = isatty(STDERR_FILENO) ? r.shown : NULL;
		interrupt_begin(&what);
		wait_all(&r);
		interrupt_end();
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
