/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec/envelope: what requests, results and the status page have in common.
 *
 * Each file begins with an envelope, a map with text keys under tag 55799 (RFC 8949 section
 * 3.4.6), and carries a check item, the CRC-32C of all bytes before it as a byte string of 4,
 * big-endian.  A format is a table of fields; encoding, decoding and messages all follow the table.
 * Only the envelope is ever given to libcbor, and only after wq_cbor_check with tight limits:
 * libcbor allocates by declared counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct wq_err;

enum {
	ENVELOPE_MAX = 4096,   /* bytes */
	ENVELOPE_DEPTH = 8,    /* tag and map are 2 of them */
	ENVELOPE_ITEMS = 4096, /* cannot bind before ENVELOPE_MAX does, and must not be lower */
	ENVELOPE_VERSION = 1,
	CHECK_SIZE = 5 /* bytes of a check item: its head and four */
};

enum field_type {
	FIELD_VERSION, /* the marker key of the format, no member behind it */
	FIELD_TEXT,    /* char[size], ends in NUL */
	FIELD_WORD,    /* int, the place in `words`; of one that may be left out, 0 is no word */
	FIELD_BOOL,
	FIELD_INT32,
	FIELD_UINT32,
	FIELD_INT64,
	FIELD_UINT64,
	FIELD_POSITIVE, /* int64_t, 1 or more; what 0 means is said by leaving it out */
};

struct field {
	const char *key;
	enum field_type type;
	/* Always written, and missed when it is not there; others: 0 or "" is left out. */
	bool required;
	size_t offset; /* of the member in the object */
	size_t size;   /* TEXT: of the array; WORD: number of words */
	const char *const *words;
	/* TEXT, may be NULL; and the rule that it holds, or what a WORD must be (may be NULL). */
	bool (*is_valid)(const char *text, size_t len);
	const char *rule;
};

struct format {
	const char *marker; /* "wq-request": its value is the version of the format */
	bool strict;        /* keys that are not in the table are refused, but for "x-..." */
	/* In the order of RFC 8949 section 4.2.1: shorter keys first, then by bytes. */
	const struct field *fields;
	size_t n_fields;
};

/* Do texts and numbers of `obj` keep the rules of the table?  0, or -WQ_E_FORMAT "bad-value". */
int envelope_validate(const struct format *format, const void *obj, struct wq_err *err);

/*
 * Append the envelope of `obj`.  A byte of a text that is not UTF-8 is written as '?', so that what
 * was written can be read.  0 or -ENOMEM, with `ret` as it was.
 */
int envelope_encode(const struct format *format, const void *obj, struct buf *ret);

/*
 * Read the envelope at the start of `bytes` into the members of `obj` that are there; the others
 * keep what they hold.  Its size goes to `ret_used`.  Failures as in codec/request.h; then `obj`
 * may have been written in part.
 */
int envelope_decode(const struct format *format, const void *bytes, size_t len, void *obj,
	size_t *ret_used, struct wq_err *err);

/* Append the check item of the bytes from `start` on.  0 or -ENOMEM. */
int envelope_seal(struct buf *b, size_t start);

/*
 * Is there, at `at`, the check item of all bytes before it?  0, and its size goes to `ret_used`;
 * -WQ_E_FORMAT "bad-checksum", "truncated".
 */
int envelope_check_seal(
	const void *bytes, size_t len, size_t at, size_t *ret_used, struct wq_err *err);

/* Check the payload item at `at`; its size goes to `ret_used`. */
int envelope_check_payload(
	const void *bytes, size_t len, size_t at, size_t *ret_used, struct wq_err *err);

/* "trailing-bytes" unless the file ends at `at`. */
int envelope_check_end(size_t len, size_t at, struct wq_err *err);

/* Rules for texts that clients choose. */
bool envelope_is_task_manager(const char *text, size_t len); /* [a-z][a-z0-9-]* */
bool envelope_is_line(const char *text, size_t len);         /* no control characters */
#define ENVELOPE_TASK_MANAGER_RULE "a small letter, then small letters, digits and '-'"
#define ENVELOPE_LINE_RULE         "no control characters"
