/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/err: fill a struct wq_err, and put names to codes.
 *
 * A failure is written once, where it is found; layers above may put context in front of the text
 * but never translate the code.  Nothing here prints or allocates.
 */
#pragma once

#include <stdbool.h>

#include <wq/err.h>

/*
 * Write the sentence and return `code`, so that the idiom is one line:
 *     return err_set(err, -errno, "cannot open '%s'", path);
 * For an errno code ": <its text>" is appended.  `err` may be NULL.
 */
int err_set(struct wq_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a stable name for programs ("bad-cbor"). */
int err_set_name(struct wq_err *err, int code, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Is this code an errno: the system failed, which says nothing of what was asked for? */
bool err_is_system(int code);

/* Put "<context>: " in front of the text.  Returns err->code (0 when `err` is NULL). */
int err_prefix(struct wq_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The name of a negative code, for logs: "ENOENT" style for errno, "WQ_E_GONE" for ours. */
const char *err_code_name(int code);

/*
 * Programmer errors only, always on: prints the place and aborts, so that the service manager
 * restarts us and recovery runs.  Never for data from outside.
 */
#define wq_check(cond) ((cond) ? (void)0 : wq_check_failed(#cond, __FILE__, __LINE__))
_Noreturn void wq_check_failed(const char *cond, const char *file, int line);
