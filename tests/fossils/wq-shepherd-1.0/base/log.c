/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 2048
};

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic int on_terminal = -1; /* not asked yet */
static const char *const level_names[] = { "", "", "", "err", "warn", "notice", "info", "debug" };

void log_set_level(enum log_level level)
{
	threshold = (int)level;
}

int log_level_parse(const char *word)
{
	for (int i = LOG_LEVEL_ERR; i <= LOG_LEVEL_DEBUG; i++)
		if (strcmp(word, level_names[i]) == 0)
			return i;
	return -1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	if ((int)level > threshold)
		return;
	int saved = errno;
	char raw[LINE_MAX_BYTES], safe[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	utf8_escape(raw, strlen(raw), safe, sizeof safe);

	int n;
	if (on_terminal < 0)
		on_terminal = isatty(STDERR_FILENO);
	if (on_terminal) {
		struct timespec now;
		struct tm tm;
		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &tm);
		n = snprintf(line, sizeof line, "%02d:%02d:%02d.%03ld %-6s %s\n", tm.tm_hour,
			tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000, level_names[level], safe);
	} else {
		n = snprintf(line, sizeof line, "<%d>%s\n", (int)level, safe);
	}
	/* A log that cannot be written is no reason to stop. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		errno = saved;
	errno = saved;
}
