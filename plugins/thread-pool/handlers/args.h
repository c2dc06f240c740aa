/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * args: the arguments in a request, checked.
 *
 * Functions answer WQ_OK, or WQ_CALL_REJECTED with `err` filled ("bad-request" and a sentence that
 * names the key).  An argument that may be left out leaves its output as it was.
 */
#pragma once

#include <limits.h>

#include <wq/handler.h>

enum {
	ARGS_SHOWN_SIZE = 204
};

/*
 * The request is a map and has no keys but those of `known` (NULL at its end), "handler" and those
 * that begin with "x-": so a typing error never passes for a default.
 */
int32_t args_check_keys(struct wq_bytes request, const char *const *known, struct wq_err *err);

/* An absolute path; it must be there. */
int32_t args_path(struct wq_bytes request, const char *key, char ret[PATH_MAX], struct wq_err *err);

/* A text without NUL, `size` - 1 bytes at most; may be left out. */
int32_t args_text(
	struct wq_bytes request, const char *key, char *ret, size_t size, struct wq_err *err);

/* From 1: a number, or a text with a unit of 1024 ("10M": K M G T); may be left out. */
int32_t args_size(struct wq_bytes request, const char *key, int64_t *ret, struct wq_err *err);

/* Permission bits: a number to 0777, or a text in octal ("0644"); may be left out. */
int32_t args_mode(struct wq_bytes request, const char *key, int32_t *ret, struct wq_err *err);

/* `text` fit for one line: cut at 200 bytes, control characters as '?'.  Returns `ret`. */
char *args_show(const char *text, char ret[ARGS_SHOWN_SIZE]);
