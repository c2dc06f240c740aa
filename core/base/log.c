/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/time.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 2048
};

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic int on_terminal = -1; /* not asked yet */

static struct {
	pthread_mutex_t lock;
	char text[LOG_ERROR_MAX];
	int64_t at_ns; /* 0: there was none */
} last_error = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

static void note_error(const char *text)
{
	pthread_mutex_lock(&last_error.lock);
	snprintf(last_error.text, sizeof last_error.text, "%s", text);
	utf8_clean(last_error.text); /* it may have been cut in a character */
	last_error.at_ns = time_mono_ns();
	pthread_mutex_unlock(&last_error.lock);
}

void log_last_error(int64_t within_ns, char ret[LOG_ERROR_MAX])
{
	pthread_mutex_lock(&last_error.lock);
	bool is_recent = last_error.at_ns != 0 && time_mono_ns() - last_error.at_ns <= within_ns;
	snprintf(ret, LOG_ERROR_MAX, "%s", is_recent ? last_error.text : "");
	pthread_mutex_unlock(&last_error.lock);
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
	if (level == LOG_LEVEL_ERR)
		note_error(safe);

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
