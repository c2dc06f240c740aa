/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/problems.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands in the list when there is no memory for a better text. */
static char no_memory[] = "out of memory while looking at the configuration";
static char *no_memory_lines[] = { no_memory };

static int add_place(struct buf *b, const struct problem_at *at)
{
	int rc = 0;
	const char *file = at->file && !at->file[0] ? "the built-in configuration" : at->file;
	if (file && at->line > 0)
		rc |= buf_addf(b, "%s:%d: ", file, at->line);
	else if (file)
		rc |= buf_addf(b, "%s: ", file);
	if (at->section)
		rc |= buf_addf(b, "%s: ", at->section);
	if (at->key)
		rc |= buf_addf(b, "%s", at->key[0] ? at->key : "''");
	if (at->value)
		rc |= buf_addf(b, "%s'%.*s%s'", at->key ? " = " : "", PROBLEMS_VALUE_MAX, at->value,
			strlen(at->value) > PROBLEMS_VALUE_MAX ? "..." : "");
	if (at->key || at->value)
		rc |= buf_addf(b, ": ");
	return rc < 0 ? -ENOMEM : 0;
}

/* The whole line in memory of its own, or NULL. */
__attribute__((format(printf, 2, 0))) static char *make_line(
	const struct problem_at *at, const char *rule, va_list ap)
{
	struct buf b = { 0 };
	char *line = NULL, *text = NULL;
	if (vasprintf(&text, rule, ap) < 0)
		return NULL;
	int rc = add_place(&b, at);
	rc |= buf_addf(&b, "%s", text);
	if (at->near)
		rc |= buf_addf(&b, "; did you mean '%s'?", at->near);
	/* An escaped byte takes four. */
	if (rc == 0 && (line = malloc(4 * b.len + 1)))
		utf8_escape((const char *)b.data, b.len, line, 4 * b.len + 1);
	free(text);
	buf_fini(&b);
	return line;
}

static void append(struct problems *p, char *line)
{
	char **lines = line ? reallocarray(p->lines, p->n + 1, sizeof *lines) : NULL;
	if (!lines) {
		free(line);
		if (p->n == 0) {
			p->lines = no_memory_lines;
			p->n = 1;
		}
		return;
	}
	p->lines = lines;
	p->lines[p->n++] = line;
}

void problems_add(struct problems *p, const struct problem_at *at, const char *rule, ...)
{
	int saved = errno;
	if (p->lines == no_memory_lines || p->n >= PROBLEMS_MAX)
		return;
	if (p->n == PROBLEMS_MAX - 1) {
		append(p, strdup("there are more problems than are shown here"));
	} else {
		va_list ap;
		va_start(ap, rule);
		append(p, make_line(at, rule, ap));
		va_end(ap);
	}
	errno = saved;
}

void problems_fini(struct problems *p)
{
	if (p->lines != no_memory_lines) {
		for (size_t i = 0; i < p->n; i++)
			free(p->lines[i]);
		free(p->lines);
	}
	*p = (struct problems){ 0 };
}
