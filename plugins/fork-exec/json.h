/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json: from CBOR to JSON text and back, by the advice of RFC 8949 sections 6.1 and 6.2.
 *
 * To JSON: byte strings become base64url text without padding; integers beyond 64 bits signed
 * become the nearest double; NaN, the infinities, undefined and other simple values become null;
 * tags are passed over; keys that are no text become the JSON text of what they are.  To CBOR:
 * numbers without a fraction become integers, keys are sorted as RFC 8949 section 4.2.1 has it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct wq_cbor_out;
struct wq_err;

enum {
	JSON_DEPTH_MAX = 64,
	JSON_KEY_MAX = 64 * 1024,
	JSON_BYTES_MAX = 4 * 1024 * 1024 /* of a text; a child's input has at most that */
};

/* One well-formed item (wq_cbor_check).  The text ends with a newline and has a NUL behind it; free(3)
 * it.  0; -WQ_E_FORMAT with name and sentence; -ENOMEM. */
int32_t json_from_cbor(
	const void *bytes, size_t len, char **ret, size_t *ret_len, struct wq_err *err);

/* One JSON text of any kind, white space around it.  0; -WQ_E_FORMAT with the sentence; -ENOMEM. */
int32_t json_to_cbor(const char *text, size_t len, struct wq_cbor_out *out, struct wq_err *err);
