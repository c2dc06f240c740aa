/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/each: one request for each line of standard input, as `wq enqueue --each` makes them.
 *
 * Lines are read one by one, and nothing is kept of them but, for a wait, their ids: a million of
 * them need no more memory than one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <wq/client.h>

struct cli;
struct room;
struct waiting;
struct wq_cbor_out;

enum {
	EACH_LINE_MAX = 64 * 1024,   /* bytes of a line */
	EACH_WORD_MAX = 1024 * 1024, /* bytes of a word, once the line stands in it */
	EACH_LABEL_SIZE = 128 + 1
};

/* Make a payload of the words, in which the line stands in place of "{}" now. */
typedef int each_fn(
	const void *arg, char *const *words, size_t n, struct wq_cbor_out *out, struct wq_err *err);

/* A label for a request that has none, at most EACH_LABEL_SIZE bytes.  Returns `ret`. */
typedef char *each_label_fn(
	const void *arg, char *const *words, size_t n, char ret[EACH_LABEL_SIZE]);

struct each {
	struct wq_request request; /* all but the payload; "{}" in key and label is replaced too */
	char *const *words;
	size_t n;
	bool append; /* no word has "{}": the line is the last word; else that is a mistake */
	bool quote; /* the words are for a shell: one word for it the line is, whatever stands in it */
	struct room *room; /* what to do where there is none for a request */
	each_fn *make;
	each_label_fn *label; /* NULL: none */
	const void *arg;
};

/*
 * Enqueue until the end of the input, and print each id as soon as its request is there; with `how`
 * print none, but wait for all.  The first failure ends the enqueueing.  An exit status.
 */
int each_run(struct cli *cli, const struct each *each, const struct waiting *how, bool json);
