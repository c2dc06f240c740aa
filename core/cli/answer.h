/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/answer: what the server answers, as JSON, and how people read pieces of it.  Keys that are
 * not there are "", 0 or false: a server of another version may know fewer or more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct cli;
struct wq_err;

/* Ask; json_decref the answer.  Failures as of wq_ask, -WQ_E_FORMAT. */
int answer_ask(struct cli *cli, const char *what, json_t **ret, struct wq_err *err);

const char *answer_text(const json_t *object, const char *key);
int64_t answer_int(const json_t *object, const char *key);

/* The entry of "running" in a status answer for this id, or NULL. */
const json_t *answer_running(const json_t *status, const char *id);

/* What is known of one that is not just running, in a word or a sentence; "" for one that is. */
const char *answer_fate(const json_t *running);
const char *answer_fate_text(const json_t *running);

/* "42 %  copying", "" where neither is known.  Returns `ret`. */
char *answer_progress(const json_t *running, char *ret, size_t size);

/* Local time of a wall clock value; "never" for 0.  Returns `ret`. */
char *answer_time(int64_t wall_us, char ret[32]);

/* "5s", "12m", "3h", "9d".  Returns `ret`. */
char *answer_age(int64_t us, char ret[24]);
