/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/payload: the payload of a request, from what a person gives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct wq_cbor_out;
struct wq_err;

enum {
	PAYLOAD_FILE_MAX = 64 * 1024 * 1024
};

/*
 * A map of `key=value` words.  A value that is JSON (a number, true, false, null, an array, an
 * object, a quoted string) is that; one that begins like an array, an object or a quoted string and
 * is none is refused; all else is text as it stands.  No words: an empty map.
 * 0; -WQ_E_FORMAT; -WQ_E_LIMIT; -ENOMEM.
 */
int payload_from_words(char *const *words, size_t n, struct wq_cbor_out *out, struct wq_err *err);

/* What a file holds, "-" is standard input: JSON, or one CBOR item as it stands. */
int payload_from_file(const char *path, bool cbor, struct wq_cbor_out *out, struct wq_err *err);
