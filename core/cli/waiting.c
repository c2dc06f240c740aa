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
#include "cli/served.h"
#include "cli/tally.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRESS_NS (500 * NS_PER_MS)

/* A result that comes sooner costs no question to the server. */
#define FIRST_LOOK_NS (100 * NS_PER_MS)

/* A bar that moves more often than this is seen no better. */
#define BAR_NS (100 * NS_PER_MS)

enum {
	/* So many are watched at once, the first of those that are left: each call of libwq goes over
	 * its whole array. */
	WINDOW_MAX = 1024,
	WIDTH_USUAL = 80
};

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

/* Those that are watched; one that has ended gives its place to the next. */
struct window {
	const char *ids[WINDOW_MAX];
	uint8_t done[WINDOW_MAX];
	bool there[WINDOW_MAX];   /* when it was put here */
	size_t index[WINDOW_MAX]; /* among all */
	size_t n;
	size_t next; /* among all: the first that has had no place yet */
};

struct run {
	struct cli *cli;
	const struct waiting *how;
	char *const *ids;
	size_t n, left;
	uint8_t *done;
	int *exits;
	struct served_watch served;
	struct window window;
	bool bar; /* to be shown */
	int64_t drawn_ns;
	struct tally tally;
	char shown[TALLY_LINE_MAX]; /* the line of progress that stands there */
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

static int terminal_width(void)
{
	struct winsize size;
	int columns = 0;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
		columns = size.ws_col;
	/* One less: a line that is full makes some terminals go to the next. */
	return (columns >= TALLY_WIDTH_MIN ? columns : WIDTH_USUAL) - 1;
}

static void progress_write(struct run *r, const char *line)
{
	if (!line[0] || strcmp(line, r->shown) == 0)
		return;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", line);
	else
		fprintf(stderr, "wq: %s\n", line);
	snprintf(r->shown, sizeof r->shown, "%s", line);
}

/* In a file each step of a bar is a line of its own, so there it goes by the slower clock. */
static void bar_show(struct run *r)
{
	char line[TALLY_LINE_MAX];
	int64_t now = time_mono_ns();
	if (!r->bar || now - r->drawn_ns < (isatty(STDERR_FILENO) ? BAR_NS : PROGRESS_NS))
		return;
	r->drawn_ns = now;
	progress_write(r, tally_bar(&r->tally, now, terminal_width(), line));
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
	progress_write(r, utf8_escape(line, strlen(line), safe, sizeof safe));
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Before it is told: an interruption then does not tell it again. */
static void finish(struct run *r, size_t i, enum tally_kind kind, int status)
{
	r->done[i] = 1;
	r->exits[i] = status;
	r->tally.count[kind]++;
	r->left--;
}

static bool is_quiet(const struct run *r)
{
	return r->how->summary && !r->how->json;
}

static int print_result(const struct run *r, const struct wq_result_info *info)
{
	struct wq_err err = { 0 };
	enum outcome_form form = r->how->json   ? OUTCOME_JSON
				 : r->how->cbor ? OUTCOME_CBOR
				 : r->n > 1     ? OUTCOME_PAYLOAD_WITH_ID
						: OUTCOME_PAYLOAD;
	if (is_quiet(r))
		return 0;
	if (outcome_print(info, form, &err) < 0) {
		cli_say("%s: %s; its result stays (--cbor prints what JSON cannot)", info->id,
			err.text);
		return EXIT_WQ;
	}
	return cli_flush();
}

/* What has been printed may be taken away; what has not stays for another try. */
static int report(struct run *r, const struct wq_result_info *info, bool collect)
{
	struct wq_err err = { 0 };
	int status = print_result(r, info);
	if (status)
		return status;
	outcome_say(info);
	if (collect && !r->how->peek) {
		int rc = wq_collect(r->cli->client, info->id, &err);
		if (rc < 0 && rc != -WQ_E_GONE) {
			progress_clear(r);
			cli_say("%s: %s", info->id, err.text);
			return EXIT_WQ;
		}
	}
	return exit_of_result(info);
}

/* `collect`: it stands in 4. */
static void finish_by_result(struct run *r, size_t i, const wq_result *result, bool collect)
{
	struct wq_result_info info = { .struct_size = sizeof info };
	wq_result_info(result, &info);
	enum tally_kind kind = tally_kind_of(info.status);
	if (!is_quiet(r) || kind != TALLY_OK)
		progress_clear(r);
	finish(r, i, kind, 0);
	r->exits[i] = report(r, &info, collect);
}

/* `there`: it was, a while ago. */
static void finish_by_failure(
	struct run *r, size_t i, bool there, int code, const struct wq_err *err)
{
	wq_result *result = NULL;
	/* Somebody else was faster, who wanted to know it too. */
	if (code == -WQ_E_GONE && there &&
		wq_read_finished(r->cli->client, r->ids[i], &result, NULL) == 0) {
		finish_by_result(r, i, result, false);
		wq_result_free(result);
		return;
	}
	progress_clear(r);
	finish(r, i, code == -WQ_E_GONE ? TALLY_GONE : TALLY_UNCLEAR, exit_of_code(code));
	cli_say("%s", err->text);
}

/* Not finished in time: say so, and what became of it. */
static void give_up(struct run *r, size_t i, const char *text)
{
	struct wq_err err = { 0 };
	const char *why = r->served.is == SERVED_NO ? " (no server is running)" : "";
	finish(r, i, TALLY_LATE, EXIT_TIMEOUT);
	if (r->how->timeout_ns != 0 && !r->how->no_abort) {
		if (wq_abort(r->cli->client, r->ids[i], &err) < 0)
			cli_say("%s: no result within %s%s, and it cannot be aborted: %s",
				r->ids[i], text, why, err.text);
		else if (!is_quiet(r))
			cli_say("%s: no result within %s%s, aborted", r->ids[i], text, why);
	} else if (is_quiet(r)) {
		return; /* they are counted */
	} else if (r->how->timeout_ns == 0) {
		cli_say("%s: no result yet", r->ids[i]);
	} else {
		cli_say("%s: no result within %s%s, left alone", r->ids[i], text, why);
	}
}

/* Waiting is not possible, and no single one is to blame. */
static void end_all(struct run *r, const struct wq_err *err)
{
	progress_clear(r);
	cli_say("%s", err->text);
	for (size_t i = 0; i < r->n; i++)
		if (!r->done[i])
			finish(r, i, TALLY_UNCLEAR, EXIT_WQ);
}

static void time_out(struct run *r)
{
	char text[32];
	quantity_format_duration(r->how->timeout_ns, text);
	/* One that did not answer the first time would only make this late again. */
	if (r->how->timeout_ns != 0 && r->served.is != SERVED_UNCLEAR)
		r->served.is = served_ask(r->cli);
	for (size_t i = 0; i < r->n; i++) {
		struct wq_err err = { 0 };
		wq_result *result = NULL;
		if (r->done[i])
			continue;
		/* The last look of libwq was at the window alone. */
		int rc = wq_wait(r->cli->client, r->ids[i], 0, WQ_WAIT_KEEP, &result, &err);
		if (rc == 0)
			finish_by_result(r, i, result, true);
		else if (rc != -WQ_E_TIMEOUT)
			finish_by_failure(r, i, r->how->exist, rc, &err);
		else
			give_up(r, i, text);
		wq_result_free(result);
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
	int64_t ret = served_time_left(&r->served);
	bool shows = r->how->progress || r->bar;
	if (shows && r->served.is != SERVED_NOT_ASKED && ret > PROGRESS_NS)
		ret = PROGRESS_NS;
	return left_ns < 0 || left_ns > ret ? ret : left_ns;
}

/* What to do at the end of a chunk of time in which nothing has ended. */
static void look_around(struct run *r)
{
	/* Who waits for nobody should know it. */
	if (served_look(&r->served)) {
		progress_clear(r);
		served_say(r->cli, r->served.is);
	}
	if (r->bar)
		bar_show(r);
	else if (r->how->progress)
		progress_show(r);
}

static void window_put(struct run *r, size_t place)
{
	struct window *w = &r->window;
	w->done[place] = w->next == r->n;
	if (w->done[place])
		return;
	w->ids[place] = r->ids[w->next];
	int state =
		r->how->exist ? WQ_STATE_REQUESTED : wq_state(r->cli->client, w->ids[place], NULL);
	w->there[place] = state >= WQ_STATE_REQUESTED && state <= WQ_STATE_COMPLETE;
	w->index[place] = w->next++;
}

static void wait_all(struct run *r)
{
	struct window *w = &r->window;
	int64_t deadline = r->how->timeout_ns == WQ_FOREVER
				   ? TIME_NEVER
				   : time_after(time_mono_ns(), r->how->timeout_ns);
	for (w->n = 0; w->n < r->n && w->n < WINDOW_MAX; w->n++)
		window_put(r, w->n);
	while (r->left) {
		struct wq_err err = { 0 };
		wq_result *result = NULL;
		size_t place = 0;
		int64_t left = time_left(deadline);
		int64_t chunk = chunk_of(r, left);
		int rc = wq_wait_any(r->cli->client, w->ids, w->done, w->n, chunk, WQ_WAIT_KEEP,
			&place, &result, &err);
		if (rc == -WQ_E_TIMEOUT && chunk != left) {
			look_around(r);
			continue;
		}
		if (rc == -EINTR)
			continue;
		if (rc == -WQ_E_TIMEOUT) {
			progress_clear(r);
			time_out(r);
		} else if (rc < 0 && w->done[place]) {
			end_all(r, &err);
		} else if (rc < 0) {
			finish_by_failure(r, w->index[place], w->there[place], rc, &err);
			window_put(r, place);
		} else {
			finish_by_result(r, w->index[place], result, true);
			window_put(r, place);
		}
		wq_result_free(result);
		bar_show(r);
	}
	progress_clear(r);
	if (r->how->summary) {
		char line[TALLY_LINE_MAX];
		cli_say("%s", tally_summary(&r->tally, line));
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same id twice would be printed once and then be gone. */
static int check_twice(char *const *ids, size_t n)
{
	char **sorted = calloc(n ? n : 1, sizeof *sorted);
	int rc = 0;
	if (!sorted) {
		cli_say("no memory for %zu ids", n);
		return EXIT_WQ;
	}
	if (n) {
		memcpy(sorted, ids, n * sizeof *sorted);
		qsort(sorted, n, sizeof *sorted, by_text);
	}
	for (size_t i = 1; rc == 0 && i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			cli_say("'%s' is given twice", sorted[i]);
			rc = EXIT_WQ;
		}
	free(sorted);
	return rc;
}

/* None at all is no failure: all of them are well. */
static int run_all(struct run *r)
{
	struct interrupt what = { .ids = r->ids, .done = r->done, .n = r->n };
	what.line = isatty(STDERR_FILENO) ? r->shown : NULL;
	r->bar = r->how->summary && (r->how->progress || isatty(STDERR_FILENO));
	r->tally.total = r->n;
	r->tally.began_ns = time_mono_ns();
	served_watch_init(&r->served, r->cli, SERVED_NOT_ASKED, FIRST_LOOK_NS);
	interrupt_begin(&what);
	wait_all(r);
	interrupt_end();
	for (size_t i = 0; i < r->n; i++)
		if (r->exits[i])
			return r->exits[i];
	return 0;
}

int waiting_run(struct cli *cli, const struct waiting *how, char *const *ids, size_t n)
{
	struct run r = { .cli = cli, .how = how, .ids = ids, .n = n, .left = n };
	int status = EXIT_WQ;
	if (how->cbor && n > 1) {
		cli_say("--cbor prints one payload, and %zu ids are given", n);
		return EXIT_WQ;
	}
	if (check_twice(ids, n) != 0)
		return EXIT_WQ;
	r.done = calloc(n ? n : 1, sizeof *r.done);
	r.exits = calloc(n ? n : 1, sizeof *r.exits);
	if (r.done && r.exits)
		status = run_all(&r);
	else
		cli_say("no memory for %zu ids", n);
	free(r.done);
	free(r.exits);
	return status;
}
