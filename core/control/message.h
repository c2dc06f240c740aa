/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/message: the bytes of a question and of its answer.  One CBOR map a message, keys in
 * deterministic order (RFC 8949 section 4.2.1).  Touches no descriptor.
 */
#pragma once

#include <stddef.h>

#include <wq/plugin.h> /* struct wq_bytes */

#include "base/buf.h"

struct wq_err;

/* Bytes of a message around its answer item: heads, keys, version. */
enum {
	MESSAGE_OVERHEAD = 64,
	MESSAGE_WHAT_MAX = 63,
	MESSAGE_DEPTH_MAX = 16
};

/* Are the arguments of a question what they must be: nothing (len 0), or one well-formed map?
 * 0 or -WQ_E_FORMAT. */
int message_check_args(struct wq_bytes args, struct wq_err *err);

/* Append a message.  0 or -ENOMEM.  `args` has been checked; len 0: none. */
int message_put_ask(struct buf *ret, const char *what, struct wq_bytes args);
int message_put_answer(struct buf *ret, const struct buf *answer);
int message_put_error(struct buf *ret, const char *name, const char *text);

/* Read a question; its arguments are borrowed from it, len 0 where it has none.  0;
 * -WQ_E_FORMAT "bad-cbor"...; -WQ_E_UNSUPPORTED "unsupported-version". */
int message_get_ask(const void *bytes, size_t len, char ret_what[MESSAGE_WHAT_MAX + 1],
	struct wq_bytes *ret_args, struct wq_err *err);

/* Read an answer: the bytes of its item, borrowed from the message.  0; -WQ_E_REFUSED with the
 * other side's name and sentence; -WQ_E_FORMAT; -WQ_E_UNSUPPORTED. */
int message_get_answer(
	const void *bytes, size_t len, const void **ret, size_t *ret_len, struct wq_err *err);
