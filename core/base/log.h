/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/log: lines on standard error, for the programs (server, cli); libraries return errors
 * instead.  On a terminal a line starts with the time, elsewhere with the <N> priority that the
 * journal understands.  A line is one write, control bytes are escaped, errno is kept.
 */
#pragma once

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Lines above this level are dropped.  Starts at info. */
void log_set_level(enum log_level level);

/* "err", "warn", "notice", "info", "debug"; -1 for another word. */
int log_level_parse(const char *word);

enum {
	LOG_ERROR_MAX = 256
};

/* The last line of level err, cut, where it was within so many nanoseconds, else "": for who asks how
 * it goes.  [any-thread] */
void log_last_error(int64_t within_ns, char ret[LOG_ERROR_MAX]);

/* [any-thread] */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)    log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)   log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)   log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)  log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
