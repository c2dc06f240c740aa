/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/options: texts typed and checked by a table of struct wq_option.  The core's own options
 * and those of plugins go the same way, so the rules, the words and the manuals are the same.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <wq/plugin.h>

#include "config/problems.h"

/* One key as it stands in the file. */
struct setting {
	char *key;
	char *value;
	int line;    /* 0: not known */
	bool secret; /* set by options_mark_secrets: never printed */
};

struct option_values {
	/* One for each option of the table, in its order.  CHOICE: u.s is the word, n its place. */
	struct wq_value *values;
	size_t n;
	void *memory; /* what the values point at */
};

/*
 * Type and check `settings` by `table`.  All problems are added to `p` with `at` (its section and
 * file) as their place: unknown keys with the nearest known one, wrong types, out of range,
 * required ones that are missing, keys given twice.  `base_dir` makes paths absolute.
 * 0; -WQ_E_CONFIG when a problem was added; -ENOMEM.
 */
int options_check(const struct wq_option *table, size_t n_table, const struct setting *settings,
	size_t n_settings, const char *base_dir, const struct problem_at *at, struct problems *p,
	struct option_values *ret);
void options_fini(struct option_values *v);

/* Mark the settings that the table calls secret, so that config_print hides them. */
void options_mark_secrets(
	const struct wq_option *table, size_t n_table, struct setting *settings, size_t n_settings);

/*
 * Is the table itself sound (names, duplicates, defaults that parse, bounds)?  For plugins.
 * 0; -WQ_E_FORMAT or -WQ_E_DUPLICATE with the sentence; -ENOMEM.
 */
int options_check_table(const struct wq_option *table, size_t n, struct wq_err *err);

/* The options for people: name, type, default, range, help; one paragraph each. */
void options_print(const struct wq_option *table, size_t n, FILE *out);

/* The type in words, with bounds: "a duration of 1s to 1d".  Returns `ret`. */
char *options_rule(const struct wq_option *option, char *ret, size_t size);
