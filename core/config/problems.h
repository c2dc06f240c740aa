/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/problems: everything that is wrong with a configuration, collected so that a person sees
 * it all at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct problems {
	char **lines;
	size_t n;
};

/*
 * One sentence, safe for a terminal: "<file>:<line>: <section>: <key> = '<value>': <rule>[; did you
 * mean '<near>'?]".  Parts that are not known are left out (line 0, NULL).
 */
struct problem_at {
	const char *file; /* "": the built-in configuration */
	int line;
	const char *section; /* "task-manager 'lab'", "task-manager 'lab' options" */
	const char *key;
	const char *value;
	const char *near;
};

enum {
	PROBLEMS_MAX = 1000,
	PROBLEMS_VALUE_MAX = 120 /* bytes of a value that are shown */
};

/* Memory being short, a problem may be dropped, but n is at least 1 then.  errno is kept. */
void problems_add(struct problems *p, const struct problem_at *at, const char *rule, ...)
	__attribute__((format(printf, 3, 4)));
void problems_fini(struct problems *p);
