/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/json: CBOR to JSON and back, by the advice of RFC 8949 sections 6.1 and 6.2.
 *
 * To JSON: byte strings become base64url text (base64 or base16 under tags 22 and 23); integers
 * beyond 64 bits signed become numbers as near as a double is; NaN, the infinities, undefined and
 * other simple values become null; other tags are passed over; keys that are no text become the
 * JSON text of what they are.  To CBOR: numbers without a fraction become integers; maps are sorted
 * (RFC 8949 section 4.2.1), so equal input gives equal bytes.  Nesting is bounded.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

struct wq_cbor_out;
struct wq_err;

enum {
	CLI_JSON_DEPTH_MAX = 64
};

/* One whole item.  0; -WQ_E_FORMAT, -WQ_E_LIMIT, -ENOMEM. */
int cli_json_from_cbor(const void *bytes, size_t len, json_t **ret, struct wq_err *err);

/* Append one item.  0; -WQ_E_LIMIT: nested too deep; -ENOMEM. */
int cli_json_to_cbor(const json_t *value, struct wq_cbor_out *out, struct wq_err *err);

/* Read one JSON text of any kind.  0; -WQ_E_FORMAT with line and column; -WQ_E_LIMIT: a number that
 * does not fit. */
int cli_json_read(const char *text, size_t len, json_t **ret, struct wq_err *err);

/*
 * Print on one line, without a newline.  Members stand in their order.  Characters that could
 * mislead a terminal or its reader are written as \u escapes, which changes no value.
 */
void cli_json_print(const json_t *value, FILE *out);

/* The same on standard output, with its newline. */
void cli_json_print_line(const json_t *value);
