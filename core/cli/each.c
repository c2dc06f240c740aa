/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/each.h"

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/room.h"
#include "cli/waiting.h"

#include <wq/cbor.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE "{}"

enum {
	PLACE_LEN = sizeof PLACE - 1
};

/* The requests of one run. */
struct run {
	struct cli *cli;
	const struct each *each;
	bool keep_ids, json;
	struct buf line;   /* with a NUL */
	struct buf quoted; /* the same as a word for a shell, where it is one */
	size_t line_no;
	struct buf *filled; /* one a word, then the key and the label */
	char **words;       /* that point into them */
	size_t n_words;
	struct buf ids;        /* WQ_ID_SIZE bytes each */
	volatile size_t n_ids; /* whoever interrupts is told it */
};

/* ---- lines ----------------------------------------------------------------------------------- */

/* The next line that is not empty, without its newline: 1; 0 at the end of the input. */
static int next_line(struct run *r, struct wq_err *err)
{
	for (;;) {
		int c;
		buf_clear(&r->line);
		r->line_no++;
		while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
			char byte = (char)c;
			if (c == '\0')
				return err_set(err, -WQ_E_FORMAT, "it holds a NUL byte");
			if (r->line.len == EACH_LINE_MAX)
				return err_set(err, -WQ_E_LIMIT, "it is longer than %d bytes",
					EACH_LINE_MAX);
			if (buf_add(&r->line, &byte, 1) < 0)
				return err_set(err, -ENOMEM, "cannot read it");
		}
		if (ferror(stdin))
			return err_set(err, errno ? -errno : -EIO, "cannot read standard input");
		if (r->line.len)
			return buf_add(&r->line, "", 1) < 0
				       ? err_set(err, -ENOMEM, "cannot read it")
				       : 1;
		if (c == EOF)
			return 0;
	}
}

/* It may be all of the shell's line, and so its first word. */
static int quote(struct run *r)
{
	buf_clear(&r->quoted);
	int rc = command_add_quoted(&r->quoted, (const char *)r->line.data, true);
	return rc == 0 ? buf_add(&r->quoted, "", 1) : rc;
}

/* `template` with the line in each place; what `to` held is lost. */
static int fill(const struct buf *line, const char *template, struct buf *to, struct wq_err *err)
{
	int rc = 0;
	buf_clear(to);
	for (const char *at = template; rc == 0;) {
		const char *place = strstr(at, PLACE);
		rc = buf_add(to, at, place ? (size_t)(place - at) : strlen(at) + 1);
		if (!place)
			break;
		if (rc == 0)
			rc = buf_add(to, line->data, line->len - 1);
		if (to->len > EACH_WORD_MAX)
			return err_set(err, -WQ_E_LIMIT, "it makes a word longer than %d bytes",
				EACH_WORD_MAX);
		at = place + PLACE_LEN;
	}
	return rc < 0 ? err_set(err, rc, "no memory for its words") : 0;
}

static bool has_place(const struct each *each)
{
	for (size_t i = 0; i < each->n; i++)
		if (strstr(each->words[i], PLACE))
			return true;
	return false;
}

/* ---- enqueueing ------------------------------------------------------------------------------ */

/* A text of the envelope; NULL stays. */
static int fill_text(struct run *r, size_t at, const char **text, struct wq_err *err)
{
	int rc = *text ? fill(&r->line, *text, &r->filled[at], err) : 0;
	if (rc == 0 && *text)
		*text = (const char *)r->filled[at].data;
	return rc;
}

static int enqueue(struct run *r, char ret_id[WQ_ID_SIZE], struct wq_err *err)
{
	const struct each *each = r->each;
	struct wq_request request = each->request;
	struct wq_cbor_out payload;
	char label[EACH_LABEL_SIZE];
	int rc = each->quote && quote(r) < 0 ? err_set(err, -ENOMEM, "no memory for its words") : 0;
	const struct buf *line = each->quote ? &r->quoted : &r->line;
	for (size_t i = 0; rc == 0 && i < r->n_words; i++) {
		rc = fill(line, i < each->n ? each->words[i] : PLACE, &r->filled[i], err);
		r->words[i] = (char *)r->filled[i].data;
	}
	if (rc == 0)
		rc = fill_text(r, r->n_words, &request.key, err);
	if (rc == 0)
		rc = fill_text(r, r->n_words + 1, &request.label, err);
	if (rc < 0)
		return rc;
	if (!request.label && each->label)
		request.label = each->label(each->arg, r->words, r->n_words, label);
	wq_cbor_out_init(&payload);
	rc = each->make(each->arg, r->words, r->n_words, &payload, err);
	if (rc == 0) {
		request.payload = payload.buf;
		request.payload_len = payload.len;
		rc = wq_enqueue(r->cli->client, &request, ret_id, err);
	}
	wq_cbor_out_free(&payload);
	return rc;
}

/* Told at once: who reads this may be waiting for it, and we for him. */
static int tell(struct run *r, const char *id, struct wq_err *err)
{
	r->n_ids++;
	if (r->keep_ids)
		return buf_add(&r->ids, id, WQ_ID_SIZE) < 0
			       ? err_set(err, -ENOMEM, "cannot keep the id %s", id)
			       : 0;
	printf(r->json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_set(err, errno ? -errno : -EIO, "the id %s cannot be written", id);
}

/* An interruption counts all that are there, so it comes before one or after it. */
static int enqueue_and_tell(struct run *r, struct wq_err *err)
{
	sigset_t interrupts, before;
	char id[WQ_ID_SIZE];
	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGINT);
	if (r->keep_ids)
		sigprocmask(SIG_BLOCK, &interrupts, &before);
	int rc = enqueue(r, id, err);
	if (rc == 0)
		rc = tell(r, id, err);
	if (r->keep_ids)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int enqueue_all(struct run *r)
{
	struct wq_err err = { 0 };
	int rc, status = EXIT_WQ;
	while ((rc = next_line(r, &err)) > 0) {
		do
			rc = enqueue_and_tell(r, &err);
		while (rc < 0 && (status = room_wait(r->cli, r->each->room, rc, &err)) == 0);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		return 0;
	cli_say("line %zu: %s; stopped, with %zu enqueued", r->line_no, err.text, r->n_ids);
	return status;
}

static int wait_for(struct run *r, const struct waiting *how)
{
	struct waiting all = *how;
	size_t n = r->ids.len / WQ_ID_SIZE;
	char **ids = calloc(n ? n : 1, sizeof *ids);
	if (!ids) {
		cli_say("no memory to wait for %zu requests", n);
		return EXIT_WQ;
	}
	for (size_t i = 0; i < n; i++)
		ids[i] = (char *)r->ids.data + i * WQ_ID_SIZE;
	all.summary = true;
	all.exist = true;
	int status = waiting_run(r->cli, &all, ids, n);
	free(ids);
	return status;
}

int each_run(struct cli *cli, const struct each *each, const struct waiting *how, bool json)
{
	struct run r = { .cli = cli, .each = each, .keep_ids = how != NULL, .json = json };
	struct interrupt what = { .counted = &r.n_ids };
	bool place = has_place(each);
	if (!place && !each->append) {
		cli_say("--each: no word has {}, where the line is to stand");
		return EXIT_WQ;
	}
	r.n_words = each->n + !place;
	size_t n_filled = r.n_words + 2;
	r.filled = calloc(n_filled, sizeof *r.filled);
	r.words = calloc(r.n_words + 1, sizeof *r.words);
	int status = EXIT_WQ;
	if (how) /* nobody else knows their ids */
		interrupt_begin(&what);
	if (r.filled && r.words)
		status = enqueue_all(&r);
	else
		cli_say("no memory for %zu words", r.n_words);
	if (how && (status == 0 || r.n_ids)) {
		int waited = wait_for(&r, how);
		status = status ? status : waited;
	}
	interrupt_end();
	for (size_t i = 0; r.filled && i < n_filled; i++)
		buf_fini(&r.filled[i]);
	free(r.filled);
	free(r.words);
	buf_fini(&r.line);
	buf_fini(&r.quoted);
	buf_fini(&r.ids);
	return status;
}
