/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/source.h"

#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	VARIABLE_MAX = 256 /* of the name of one: longer ones are not set */
};

struct scan {
	char *p;
	char *end;
	int line;
	int n_settings;
	int depth;
	int open_line[SOURCE_DEPTH_MAX];
	struct source_fault *fault;
};

__attribute__((format(printf, 3, 4))) static int refuse(
	struct scan *s, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	s->fault->line = line;
	vsnprintf(s->fault->rule, sizeof s->fault->rule, fmt, ap);
	va_end(ap);
	return -WQ_E_CONFIG;
}

static char peek(const struct scan *s, size_t ahead)
{
	return (size_t)(s->end - s->p) > ahead ? s->p[ahead] : '\0';
}

static void blank(struct scan *s)
{
	if (*s->p == '\n')
		s->line++;
	else
		*s->p = ' ';
	s->p++;
}

static void line_comment(struct scan *s)
{
	while (s->p < s->end && *s->p != '\n')
		blank(s);
}

static int block_comment(struct scan *s)
{
	int begin = s->line;
	blank(s);
	blank(s);
	while (s->p < s->end && !(s->p[0] == '*' && peek(s, 1) == '/'))
		blank(s);
	if (s->p == s->end)
		return refuse(s, begin, "the comment that begins here has no end");
	blank(s);
	blank(s);
	return 0;
}

/*
 * "${NAME}" or "${NAME:-text}".  libconfuse would take everything up to the next brace, over many
 * lines, for the name.
 */
static int variable(struct scan *s)
{
	char name[VARIABLE_MAX];
	s->p += 2;
	const char *begin = s->p;
	bool ok = isalpha((unsigned char)peek(s, 0)) || peek(s, 0) == '_';
	while (isalnum((unsigned char)peek(s, 0)) || peek(s, 0) == '_')
		s->p++;
	snprintf(name, sizeof name, "%.*s", (int)(s->p - begin), begin);
	bool has_default = peek(s, 0) == ':' && peek(s, 1) == '-';
	if (ok && has_default)
		while (s->p < s->end && !strchr("}\n\"", *s->p))
			s->p++;
	if (!ok || peek(s, 0) != '}')
		return refuse(s, s->line,
			"'${' begins a variable, '${NAME}' or '${NAME:-text}'; "
			"write '\\${' in double quotes for the text");
	/* It would be empty, and "${HOEM}/spool" the directory "/spool". */
	if (!has_default && !getenv(name))
		return refuse(s, s->line,
			"the variable '%s' is not set; '${%s:-}' is empty where it is not", name,
			name);
	s->p++;
	return 0;
}

/* "\0" and "\x00" would cut the text short. */
static bool is_nul_escape(const struct scan *s)
{
	bool hex = peek(s, 1) == 'x';
	size_t begin = hex ? 2 : 1, n = 0;
	for (; n < (hex ? 2 : 3); n++) {
		char c = peek(s, begin + n);
		if (!(hex ? isxdigit((unsigned char)c) : c >= '0' && c <= '7'))
			break;
		if (c != '0')
			return false;
	}
	return n > 0;
}

static int escape(struct scan *s)
{
	if (is_nul_escape(s))
		return refuse(s, s->line, "a text cannot hold a NUL byte");
	if (peek(s, 1) == '\n')
		s->line++;
	s->p += s->end - s->p > 1 ? 2 : 1;
	return 0;
}

static int quoted(struct scan *s)
{
	char quote = *s->p++;
	int begin = s->line, rc = 0;
	while (rc == 0 && s->p < s->end && *s->p != quote) {
		if (quote == '"' && *s->p == '\\') {
			rc = escape(s);
		} else if (quote == '"' && *s->p == '$' && peek(s, 1) == '{') {
			rc = variable(s);
		} else {
			if (*s->p == '\\' && s->end - s->p > 1)
				s->p++;
			if (*s->p == '\n')
				s->line++;
			s->p++;
		}
	}
	if (rc < 0)
		return rc;
	if (s->p == s->end)
		return refuse(s, begin, "the text that begins here has no closing quote");
	s->p++;
	return 0;
}

static bool is_plain(char c)
{
	return c && !strchr(" #\"'\t\n\r={}()+,*", c);
}

/* A text without quotes.  A variable is expanded only where it is the whole of it. */
static int plain(struct scan *s)
{
	bool is_variable = *s->p == '$' && peek(s, 1) == '{';
	if (is_variable) {
		int rc = variable(s);
		if (rc < 0)
			return rc;
	}
	char last = '\0';
	if (is_variable && !is_plain(peek(s, 0)))
		return 0;
	while (is_plain(peek(s, 0)))
		last = *s->p++;
	if (is_variable || (last == '$' && peek(s, 0) == '{'))
		return refuse(
			s, s->line, "a text with a variable in it must stand in double quotes");
	return 0;
}

static int punctuation(struct scan *s)
{
	char c = *s->p++;
	if (c == '=' && ++s->n_settings > SOURCE_SETTINGS_MAX)
		return refuse(s, s->line, "more than %d settings", SOURCE_SETTINGS_MAX);
	if (c == '*' || (c == '+' && peek(s, 0) != '='))
		return refuse(s, s->line, "a text with '%c' in it must stand in quotes", c);
	if (c == '{') {
		if (s->depth == SOURCE_DEPTH_MAX)
			return refuse(s, s->line, "braces are nested too deeply");
		s->open_line[s->depth++] = s->line;
	}
	/* One too many is left to libconfuse. */
	if (c == '}' && s->depth > 0)
		s->depth--;
	if (c == '\n')
		s->line++;
	return 0;
}

static int next(struct scan *s)
{
	char c = *s->p;
	if (c == '#' || (c == '/' && peek(s, 1) == '/')) {
		line_comment(s);
		return 0;
	}
	if (c == '/' && peek(s, 1) == '*')
		return block_comment(s);
	if (c == '"' || c == '\'')
		return quoted(s);
	return is_plain(c) ? plain(s) : punctuation(s);
}

static int count_lines(const char *from, const char *to)
{
	int n = 1;
	for (; from < to; from++)
		n += *from == '\n';
	return n;
}

int source_clean(char *text, size_t len, struct source_fault *ret)
{
	struct scan s = { .p = text, .end = text + len, .line = 1, .fault = ret };
	const char *nul = memchr(text, '\0', len);
	if (nul)
		return refuse(&s, count_lines(text, nul), "the file holds a NUL byte");
	/* Editors elsewhere begin a file with a byte order mark. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		for (int i = 0; i < 3; i++)
			blank(&s);
	while (s.p < s.end) {
		int rc = next(&s);
		if (rc < 0)
			return rc;
	}
	if (s.depth > 0)
		return refuse(
			&s, s.open_line[s.depth - 1], "the brace that opens here is not closed");
	return 0;
}
