/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec/result: the bytes of a result file, framed like a request: envelope, payload (absent when
 * the task gave none), check item.  docs/wq-result.cddl.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <wq/err.h>

#include "codec/request.h"

enum result_status {
	RESULT_OK,
	RESULT_FAILED,   /* the task says so */
	RESULT_REJECTED, /* never ran: the request cannot be used */
	RESULT_EXPIRED,  /* never ran: it was not started in time */
	RESULT_LOST,     /* a crash; it may or may not have run */
	RESULT_KILLED,   /* ended, but not by its client */
	RESULT_STATUS_MAX
};
const char *result_status_name(enum result_status status); /* "ok" ... */
int result_status_parse(const char *name);                 /* -1: none */

struct result {
	char id[32]; /* text of the id, must equal the file's name */
	enum result_status status;
	char task_manager[REQUEST_TM_MAX + 1]; /* "" where it never reached one */
	char plugin[96];                       /* "name version" */
	char key[REQUEST_KEY_MAX + 1];         /* echoed */
	char label[REQUEST_LABEL_MAX + 1];
	uint32_t attempt; /* 0: never started */
	int32_t code;     /* the task's exit status, 0 to 255 */
	int32_t signal;
	char error[WQ_ERR_NAME_SIZE];              /* stable name, "" when ok */
	char text[WQ_ERR_TEXT_SIZE];               /* for people, "" when ok */
	int64_t accepted_us, started_us, ended_us; /* wall clock, for people; 0: never */
	int64_t waiting_ns, running_ns;            /* CLOCK_BOOTTIME, for arithmetic */
	int64_t keep_for_ns;                       /* as its request asked; 0: it did not */
	uint32_t uid;                              /* of the requester */
	struct wq_bytes payload;                   /* borrowed; len 0: none */
};

/*
 * Append a whole result file; `id` may not be empty, `payload` must be one well-formed item.  Bytes
 * of the texts that are not UTF-8 are written as '?'.  0 or -ENOMEM.
 */
int result_encode(const struct result *res, struct buf *ret);

/* Read a whole file.  Failures as in request_decode. */
int result_decode(const void *bytes, size_t len, struct result *ret, struct wq_err *err);

/* Read the envelope from the first bytes of a file, cut anywhere after it; the check item is not
 * looked at.  A file with its request in front is "not-wq" here. */
int result_decode_envelope(const void *bytes, size_t len, struct result *ret, struct wq_err *err);

/*
 * For recovery: is this file, all of it, a request, a result, or neither?  0, 1, -1.  One that is
 * damaged or cut is neither.
 */
int codec_kind(const void *bytes, size_t len);
