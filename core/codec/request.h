/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec/request: the bytes of a request file.
 *
 * A CBOR sequence (RFC 8742): the envelope, a map under tag 55799 in deterministic encoding; the
 * payload, one item, opaque to the server; the check item, h'crc32c' of all before it.  The
 * envelope is a prefix, so routing needs only the head of a file.  docs/wq-request.cddl.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <wq/plugin.h> /* struct wq_bytes */

#include "base/buf.h"
#include "base/name.h"

struct wq_err;

enum {
	REQUEST_ENVELOPE_MAX = 4096, /* bytes; so one read of this size always holds it */
	REQUEST_TM_MAX = NAME_SHORT_MAX,
	REQUEST_KEY_MAX = 256, /* bytes of UTF-8, no control characters */
	REQUEST_LABEL_MAX = 128
};

/*
 * What may become of the task when it is lost in a crash: each word allows what the one before it
 * does, and more.  In a request it narrows what its task manager allows.
 */
enum on_crash {
	ON_CRASH_UNSAID,
	ON_CRASH_FAIL,    /* it is handed to its task manager once, whatever happens */
	ON_CRASH_ADOPT,   /* ... but what has certainly not begun is handed over again */
	ON_CRASH_REQUEUE, /* and what is certainly over, too, as its next attempt */
	ON_CRASH_MAX
};
const char *on_crash_name(enum on_crash on_crash); /* "fail" ..., "" for UNSAID */
int on_crash_parse(const char *name);              /* -1: none */

struct request {
	char task_manager[REQUEST_TM_MAX + 1]; /* "": the default one */
	char key[REQUEST_KEY_MAX + 1];
	char label[REQUEST_LABEL_MAX + 1];
	int64_t run_limit_ns;    /* "run-limit-ns"; 0: none of its own */
	int64_t start_within_ns; /* "start-within-ns", from its arrival; 0: whenever it is its turn */
	int64_t keep_for_ns; /* "keep-for-ns", of its result; 0: as long as the server keeps it */
	enum on_crash on_crash;
	/* Borrowed from the input; len 0 when only the envelope was read. */
	struct wq_bytes payload;
	struct wq_bytes envelope; /* borrowed: the envelope item as it stands */
	bool has_check;
};

/* Append a whole request file to `ret`; `payload` must be one well-formed item.  0, -ENOMEM,
 * -WQ_E_FORMAT or -WQ_E_LIMIT with the sentence. */
int request_encode(const struct request *req, struct buf *ret, struct wq_err *err);

/*
 * Read the envelope from the first bytes of a file (`bytes` may be cut anywhere after it).
 * Failures are -WQ_E_FORMAT or -WQ_E_LIMIT with err->name one of: "not-wq" "truncated" "bad-cbor"
 * "too-deep" "too-many-items" "indefinite" "duplicate-key" "missing-key" "unknown-key" "bad-type"
 * "bad-value" "unsupported-version" "too-big"; the text names the key, the value and the rule.
 */
int request_decode_envelope(const void *bytes, size_t len, struct request *ret, struct wq_err *err);

/* Read a whole file: envelope, payload, check.  Adds "bad-checksum", "missing-payload",
 * "trailing-bytes". */
int request_decode(const void *bytes, size_t len, struct request *ret, struct wq_err *err);
